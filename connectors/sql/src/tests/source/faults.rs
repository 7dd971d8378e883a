//! Servers that go away: nothing lost, nothing doubled, and the task says what it waits for.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linkspan_sdk::Poll;
use linkspan_testkit::SourceTest;

use crate::source::SqlSource;
use crate::tests::servers::{Kind, Server};

/// Reads until a number of rows is there; errors must be temporary, and are waited out as the host does.
fn read_through(
    source: &mut SourceTest<SqlSource>,
    rows: usize,
    mut at: impl FnMut(usize, usize),
) -> (Vec<i64>, usize) {
    let (mut all, mut errors) = (Vec::new(), 0);
    let begin = Instant::now();
    while all.len() < rows {
        assert!(
            begin.elapsed() < Duration::from_secs(120),
            "{} of {rows} rows, {errors} errors",
            all.len()
        );
        match source.poll() {
            Ok(polled) => {
                source.commit(&polled).unwrap();
                all.extend(polled.records.iter().map(|record| {
                    let json: serde_json::Value =
                        serde_json::from_str(&record.value.text()).unwrap();
                    json["id"].as_i64().unwrap()
                }));
                at(all.len(), errors);
                if let Poll::Idle(pause) = polled.poll {
                    std::thread::sleep(pause);
                }
            }
            Err(error) => {
                assert!(error.is_temporary(), "{error:?}");
                assert!(error.chain().contains("127.0.0.1"), "{}", error.chain());
                errors += 1;
                at(all.len(), errors);
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
    (all, errors)
}

fn filled(kind: Kind, rows: i64) -> Option<(Server, String)> {
    let server = Server::start(kind, &[])?;
    let database = server.database();
    server.sql(
        &database,
        "CREATE TABLE t (id bigint PRIMARY KEY, pad varchar(200))",
    );
    let fill = match kind {
        Kind::Postgres => {
            format!("INSERT INTO t SELECT n, repeat('x', 200) FROM generate_series(1, {rows}) n")
        }
        Kind::MariaDb => format!("INSERT INTO t SELECT seq, repeat('x', 200) FROM seq_1_to_{rows}"),
    };
    server.sql(&database, &fill);
    Some((server, database))
}

fn source(url: &str) -> SourceTest<SqlSource> {
    let config = [
        ("connection.url", url),
        ("mode", "incrementing"),
        ("table.include.list", "t"),
        ("poll.interval.ms", "50"),
        ("lookback.ms", "0"),
        ("connection.watch", "300ms"),
        ("connection.timeout", "1s"),
        ("fetch.bytes", "64KiB"),
    ];
    linkspan_testkit::TestHost::source::<SqlSource>(config).bounded(false)
}

#[test]
fn a_server_that_is_killed_while_rows_stream() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some((mut server, database)) = filled(kind, 60_000) else {
            continue;
        };
        let mut source = source(&server.url(&database));
        source.open().unwrap();
        let mut killed = false;
        let (all, _) = read_through(&mut source, 60_000, |read, _| {
            if read > 20_000 && !std::mem::replace(&mut killed, true) {
                server.kill();
                server.start_again();
            }
        });
        assert!(killed);
        assert_eq!(all, (1..=60_000).collect::<Vec<i64>>(), "{kind:?}");
    }
}

#[test]
fn a_server_that_is_down_and_comes_back() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some((mut server, database)) = filled(kind, 100) else {
            continue;
        };
        let mut source = source(&server.url(&database));
        source.open().unwrap();
        assert_eq!(read_through(&mut source, 100, |_, _| {}).0.len(), 100);
        server.stop();
        let error = loop {
            match source.poll() {
                Ok(polled) => source.commit(&polled).unwrap(),
                Err(error) => break error,
            }
        };
        assert!(error.is_temporary(), "{error:?}");
        server.start_again();
        let back = Instant::now();
        server.sql(&database, "INSERT INTO t VALUES (101, 'new')");
        let (all, _) = read_through(&mut source, 1, |_, _| {});
        assert_eq!(all, [101], "{kind:?}");
        assert!(
            back.elapsed() < Duration::from_secs(10),
            "{kind:?}: {:?}",
            back.elapsed()
        );
    }
}

#[test]
fn a_connection_that_is_open_on_one_side_only() {
    let Some((server, database)) = filled(Kind::Postgres, 60_000) else {
        return;
    };
    let mut source = source(&server.url(&database));
    source.open().unwrap();
    let mut halted = false;
    let (all, errors) = read_through(&mut source, 60_000, |read, errors| {
        if read > 10_000 && !std::mem::replace(&mut halted, true) {
            // The server takes connections, and answers none.
            server.signal_all("STOP");
        }
        if errors == 2 {
            server.signal_all("CONT");
        }
    });
    assert!(halted && errors > 0, "{errors}");
    assert_eq!(all, (1..=60_000).collect::<Vec<i64>>());
}

/// A relay to a server whose connections end when the test wants it.
struct Relay {
    port: u16,
    /// Both sides of the connections that were made.
    open: Arc<Mutex<Vec<TcpStream>>>,
    made: Arc<AtomicU32>,
    /// So many pieces from the client pass before the connection they come on is cut; below 0: all pass.
    passes: Arc<AtomicI64>,
}

impl Relay {
    fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            open: Arc::default(),
            made: Arc::default(),
            passes: Arc::new(AtomicI64::new(-1)),
        };
        let (open, made) = (Arc::clone(&relay.open), Arc::clone(&relay.made));
        let passes = Arc::clone(&relay.passes);
        // It ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (
                    client.unwrap(),
                    TcpStream::connect(("127.0.0.1", server_port)).unwrap(),
                );
                made.fetch_add(1, Ordering::SeqCst);
                let copies = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                open.lock().unwrap().extend(copies);
                let answers = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || pass(answers.0, answers.1, None));
                let passes = Arc::clone(&passes);
                std::thread::spawn(move || pass(client, server, Some(&passes)));
            }
        });
        relay
    }

    /// Cuts all connections that are open.
    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            // Closed already, where its connection has ended.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, passes: Option<&AtomicI64>) {
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let is_last = passes.is_some_and(|left| {
            let next = |left: i64| (left >= 0).then(|| left - 1);
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) == Ok(0)
        });
        if is_last || to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        // The other direction may have closed it.
        let _closed = stream.shutdown(Shutdown::Both);
    }
}

/// The ways of reading, each with what finds rows from `101` on.
const WAYS: [(&str, &[(&str, &str)]); 3] = [
    (
        "incrementing",
        &[("mode", "incrementing"), ("table.include.list", "t")],
    ),
    (
        "query",
        &[
            ("mode", "incrementing"),
            ("incrementing.column.name", "id"),
            ("query", "SELECT id, pad FROM t WHERE id > 0"),
        ],
    ),
    ("bulk", &[("mode", "bulk"), ("table.include.list", "t")]),
];

fn through(
    relay: &Relay,
    server: &Server,
    database: &str,
    way: &[(&str, &str)],
) -> SourceTest<SqlSource> {
    let url = server
        .url(database)
        .replace(&format!(":{}/", server.port), &format!(":{}/", relay.port));
    let base = [
        ("connection.url", url.as_str()),
        ("poll.interval.ms", "20"),
        ("lookback.ms", "0"),
        ("topic.prefix", "p"),
    ];
    let config: std::collections::BTreeMap<String, String> = base
        .iter()
        .chain(way)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    linkspan_testkit::TestHost::source::<SqlSource>(config).bounded(false)
}

/// A connection that ends while nothing is asked over it is not kept: the next round has a new one.
#[test]
fn a_connection_that_died_while_it_was_idle_is_made_anew() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        for (name, way) in WAYS {
            let Some((server, database)) = filled(kind, 100) else {
                continue;
            };
            let relay = Relay::to(server.port);
            let mut source = through(&relay, &server, &database, way);
            source.open().unwrap();
            assert_eq!(read_through(&mut source, 100, |_, _| {}).0.len(), 100);
            for id in 101..104 {
                let made = relay.made.load(Ordering::SeqCst);
                relay.cut();
                server.sql(&database, &format!("INSERT INTO t VALUES ({id}, 'new')"));
                // Bulk reads the others, too.
                let begin = Instant::now();
                let mut found = Vec::new();
                while !found.contains(&id) {
                    assert!(
                        begin.elapsed() < Duration::from_secs(10),
                        "{kind:?} {name}: {id} is not found"
                    );
                    let (read, errors) = read_through(&mut source, 1, |_, _| {});
                    found.extend(read);
                    assert!(
                        errors == 0 || name == "bulk",
                        "{kind:?} {name}: an idle connection is no news"
                    );
                }
                if name != "bulk" {
                    assert_eq!(found, [id], "{kind:?} {name}");
                }
                assert!(
                    relay.made.load(Ordering::SeqCst) > made,
                    "{kind:?} {name}: nothing was cut"
                );
            }
        }
    }
}

/// The connection ends at each of the questions that a round asks, and at its rows.
#[test]
fn a_connection_that_dies_at_any_question_is_made_anew() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        for (name, way) in WAYS.iter().take(2) {
            let Some((server, database)) = filled(kind, 100) else {
                continue;
            };
            let relay = Relay::to(server.port);
            let mut source = through(&relay, &server, &database, way);
            source.open().unwrap();
            assert_eq!(read_through(&mut source, 100, |_, _| {}).0.len(), 100);
            let mut id = 100;
            for passes in 0..8 {
                let made = relay.made.load(Ordering::SeqCst);
                relay.passes.store(passes, Ordering::SeqCst);
                // Until it was cut: a round may ask less than that.
                while relay.passes.load(Ordering::SeqCst) >= 0 {
                    id += 1;
                    server.sql(&database, &format!("INSERT INTO t VALUES ({id}, 'new')"));
                    let (found, _) = read_through(&mut source, 1, |_, _| {});
                    assert_eq!(found, [id], "{kind:?} {name} {passes}");
                }
                id += 1;
                server.sql(&database, &format!("INSERT INTO t VALUES ({id}, 'new')"));
                let (found, _) = read_through(&mut source, 1, |_, _| {});
                assert_eq!(found, [id], "{kind:?} {name} {passes}");
                assert!(
                    relay.made.load(Ordering::SeqCst) > made,
                    "{kind:?} {name} {passes}"
                );
            }
        }
    }
}
