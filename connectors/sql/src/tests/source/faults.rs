//! Servers that go away: nothing lost, nothing doubled, and the task says what it waits for.

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
