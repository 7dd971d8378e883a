//! Servers that go away, hang, deadlock or are full: temporary errors, and in the end every row once.

use std::time::{Duration, Instant};

use linkspan_sdk::{Error, ErrorKind, Result};
use linkspan_testkit::Put;

use super::*;
use crate::tests::servers::Kind;

/// How soon after a server is back work must go on.
const RECOVERY: Duration = Duration::from_secs(10);
/// How long a server that was killed may take to be whole again where the disk is busy with something else.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) const TABLE_WITHOUT_KEY: &str =
    "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)";

pub(super) fn config(
    server: &Server,
    database: &str,
    more: &[(&str, &str)],
) -> std::collections::BTreeMap<String, String> {
    let mut config: std::collections::BTreeMap<String, String> =
        [("connection.url".to_owned(), server.url(database))].into();
    config.extend(
        more.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    config
}

/// Puts as the host does: the same batch again after the pause that the error asks for. Returns the errors on the way.
pub(super) fn insist(
    sink: &mut SinkTest<SqlSink>,
    records: &[TestRecord],
    limit: Duration,
) -> (Result<Put>, Vec<Error>) {
    let begin = Instant::now();
    let mut errors = Vec::new();
    loop {
        match sink.put(records) {
            Err(error) if error.is_temporary() && begin.elapsed() < limit => {
                let pause = error.retry_delay().unwrap_or(Duration::from_secs(1));
                assert!(
                    pause <= Duration::from_secs(5),
                    "a pause of {pause:?} is longer than what recovery allows"
                );
                errors.push(error);
                std::thread::sleep(pause.min(Duration::from_millis(500)));
            }
            other => return (other, errors),
        }
    }
}

pub(super) fn people(from: i64, count: i64) -> Vec<TestRecord> {
    (from..from + count).map(|id| person(id, "a", 1)).collect()
}

#[test]
fn a_server_that_was_killed_gets_every_row_once() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(mut server) = Server::start(kind, &[]) else {
            continue;
        };
        let database = server.database();
        server.sql(&database, TABLE_WITHOUT_KEY);
        let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        sink.put(&people(0, 100)).unwrap();
        server.kill();
        let batch = people(100, 100);
        let error = sink.put(&batch).unwrap_err();
        assert_eq!(
            (error.kind(), error.is_temporary()),
            (ErrorKind::Unavailable, true),
            "{error}"
        );
        assert!(error.message().contains("127.0.0.1"), "{error}");
        assert!(error.retry_delay().is_some(), "the next attempt is named");
        server.start_again();
        let back = Instant::now();
        let (done, _) = insist(&mut sink, &batch, RECOVERY);
        done.unwrap();
        assert!(back.elapsed() < RECOVERY, "{:?}", back.elapsed());
        // Killed again while nothing is under way: the connection is replaced without a word.
        server.kill();
        server.start_again();
        let (done, _) = insist(&mut sink, &people(200, 100), RECOVERY);
        done.unwrap();
        assert_eq!(
            server.sql(
                &database,
                "SELECT count(*), count(DISTINCT id), max(id) FROM t"
            ),
            "300|300|299"
        );
    }
}

/// The server dies at a moment of a transaction that nobody knows, COMMIT included; the batch comes again each time.
#[test]
fn a_server_that_is_killed_again_and_again_gets_every_row_once() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(mut server) = Server::start(kind, &[]) else {
            continue;
        };
        let database = server.database();
        server.sql(&database, TABLE_WITHOUT_KEY);
        let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        let (mut next, mut interrupted) = (0, 0);
        for round in 0..4_u64 {
            let pid = server.pid();
            let killer = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(5 + round * 13));
                std::process::Command::new("kill")
                    .args(["-s", "KILL", &pid.to_string()])
                    .status()
                    .unwrap();
            });
            let begin = Instant::now();
            let mut failed = None;
            while begin.elapsed() < Duration::from_secs(20) {
                match sink.put(&people(next, 50)) {
                    Ok(_) => next += 50,
                    Err(error) => {
                        assert!(error.is_temporary(), "{error}");
                        failed = Some(error);
                        break;
                    }
                }
            }
            killer.join().unwrap();
            interrupted += i32::from(failed.is_some());
            server.kill();
            server.start_again();
            let (done, errors) = insist(&mut sink, &people(next, 50), PATIENCE);
            done.unwrap_or_else(|error| {
                let tries = errors.len();
                panic!("{error}, after {tries} tries\n{}", server.last_words())
            });
            next += 50;
        }
        assert_eq!(interrupted, 4);
        let expected = format!("{next}|{next}|{}", next - 1);
        assert_eq!(
            server.sql(
                &database,
                "SELECT count(*), count(DISTINCT id), max(id) FROM t"
            ),
            expected
        );
    }
}

/// A server that hangs, as behind a firewall that drops packets: the watch gives the connection up, nothing waits for ever.
#[test]
fn a_half_open_connection_is_given_up() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(server) = Server::start(kind, &[]) else {
            continue;
        };
        let database = server.database();
        server.sql(&database, TABLE_WITHOUT_KEY);
        let quick = [
            ("connection.watch", "300ms"),
            ("connection.timeout", "500ms"),
        ];
        let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &quick));
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        sink.put(&people(0, 10)).unwrap();
        server.signal_all("STOP");
        let begin = Instant::now();
        let error = sink.put(&people(10, 10)).unwrap_err();
        server.signal_all("CONT");
        assert!(
            error.is_temporary() && begin.elapsed() < Duration::from_secs(20),
            "{error} after {:?}",
            begin.elapsed()
        );
        assert!(error.message().contains("no answer"), "{error}");
        let (done, _) = insist(&mut sink, &people(10, 10), RECOVERY);
        done.unwrap();
        assert_eq!(
            server.sql(&database, "SELECT count(*), count(DISTINCT id) FROM t"),
            "20|20"
        );
    }
}

/// A statement that waits for a lock is no half-open connection, however long it takes.
#[test]
fn a_statement_that_waits_for_a_lock_is_left_alone() {
    let Some(server) = servers::postgres() else {
        return;
    };
    let database = server.database();
    server.sql(&database, TABLE_WITHOUT_KEY);
    let mut sink =
        TestHost::sink::<SqlSink>(config(server, &database, &[("connection.watch", "200ms")]));
    sink.open().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| server.sql(&database, "BEGIN; LOCK TABLE t; SELECT pg_sleep(3); COMMIT"));
        std::thread::sleep(Duration::from_millis(700));
        sink.put(&people(0, 10)).unwrap();
    });
    assert_eq!(server.sql(&database, "SELECT count(*) FROM t"), "10");
}

#[test]
fn too_many_connections_is_temporary_and_says_so() {
    let few = [
        (
            Kind::Postgres,
            ["max_connections=8", "superuser_reserved_connections=0"],
            "53300",
        ),
        // The least that it takes.
        (
            Kind::MariaDb,
            ["max-connections=10", "skip-log-bin"],
            "1040",
        ),
    ];
    for (kind, settings, code) in few {
        let Some(server) = Server::start(kind, &settings) else {
            continue;
        };
        let database = server.database();
        server.sql(&database, TABLE_WITHOUT_KEY);
        let mut sinks = Vec::new();
        let refused = loop {
            let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
            match sink.open() {
                Ok(()) => sinks.push(sink),
                Err(error) => break error,
            }
            assert!(sinks.len() < 20);
        };
        assert!(
            refused.is_temporary() && refused.message().contains(code),
            "{refused}"
        );
        sinks.pop().unwrap().close().unwrap();
        let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
        let begin = Instant::now();
        while let Err(error) = sink.open() {
            assert!(
                error.is_temporary() && begin.elapsed() < RECOVERY,
                "{error}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Two writers that lock two rows in opposite order: one is told to try again, and both end.
#[test]
fn a_deadlock_is_tried_again() {
    everywhere(|db| {
        if db.url().starts_with("sqlite") {
            return;
        }
        db.sql(TABLE);
        db.sql("INSERT INTO t VALUES (1, 'x', 0), (2, 'x', 0)");
        let upsert = [
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
            ("write.path", "row"),
        ];
        let config = db.config(&upsert);
        let threads: Vec<_> = [[1_i64, 2], [2, 1]]
            .into_iter()
            .zip(0..)
            .map(|(ids, partition)| {
                let config = config.clone();
                std::thread::spawn(move || {
                    let mut sink = TestHost::sink::<SqlSink>(config);
                    sink.open().unwrap();
                    sink.assign(&[("t", partition)]).unwrap();
                    for round in 0..30 {
                        let records: Vec<_> = ids
                            .iter()
                            .map(|id| person(*id, "y", round).partition(partition))
                            .collect();
                        let (done, errors) = insist(&mut sink, &records, Duration::from_secs(30));
                        done.unwrap();
                        assert!(
                            errors
                                .iter()
                                .all(|error| error.kind() == ErrorKind::Unavailable)
                        );
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(db.sql("SELECT count(*), min(n), max(n) FROM t"), "2|29|29");
    });
}
