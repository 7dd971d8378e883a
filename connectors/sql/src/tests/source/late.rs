//! Rows that commit late: a transaction takes a number or timestamp, and commits after one that took a later one.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use linkspan_sdk::Poll;
use linkspan_testkit::SourceTest;

use super::{Database, values};
use crate::dialect::Dialect;
use crate::source::SqlSource;
use crate::tests::servers;

/// A session that stays open, through the server's own client.
struct Session(Child);

impl Session {
    fn open(db: &Database) -> Self {
        let (server, database) = db.server.as_ref().unwrap();
        let port = server.port.to_string();
        let mut command = match db.dialect {
            Dialect::Postgres => {
                let mut command = Command::new(servers::program("psql").unwrap());
                command.args([
                    "-X",
                    "-q",
                    "-A",
                    "-t",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    servers::USER,
                    "-d",
                    database,
                ]);
                command
            }
            _ => {
                let mut command = Command::new(servers::program("mariadb").unwrap());
                command.args([
                    "--no-defaults",
                    "-N",
                    "-B",
                    "-n",
                    "-h",
                    "127.0.0.1",
                    "-P",
                    &port,
                    "-u",
                    servers::USER,
                    "--skip-ssl",
                    "-D",
                    database,
                ]);
                command
            }
        };
        Self(
            command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    /// Runs a statement and waits until it is done.
    fn run(&mut self, sql: &str) {
        use std::io::BufRead as _;
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{sql}; SELECT 'done';").unwrap();
        input.flush().unwrap();
        let mut output = std::io::BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap());
        let mut line = String::new();
        while line.trim() != "done" {
            line.clear();
            assert!(
                output.read_line(&mut line).unwrap() > 0,
                "{sql}: the session ended"
            );
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _code = self.0.wait();
    }
}

/// Polls until nothing came for some rounds.
fn drained(source: &mut SourceTest<SqlSource>) -> Vec<String> {
    let (mut found, mut idle) = (Vec::new(), 0);
    while idle < 6 {
        let polled = source.poll().unwrap();
        source.commit(&polled).unwrap();
        if let Poll::Idle(pause) = polled.poll {
            std::thread::sleep(pause);
        }
        idle = if polled.records.is_empty() {
            idle + 1
        } else {
            0
        };
        found.extend(values(&polled.records));
    }
    found
}

fn found_numbers(db: &Database, more: &[(&str, &str)]) -> Vec<i64> {
    let numbers = |texts: Vec<String>| {
        texts
            .iter()
            .map(|text| {
                serde_json::from_str::<serde_json::Value>(text).unwrap()["id"]
                    .as_i64()
                    .unwrap()
            })
            .collect::<Vec<i64>>()
    };
    let number = if db.dialect == Dialect::Postgres {
        "bigserial"
    } else {
        "bigint AUTO_INCREMENT"
    };
    db.sql(&format!("CREATE TABLE t (id {number} PRIMARY KEY, v int)"));
    let config = [
        &[("mode", "incrementing"), ("table.include.list", "t")],
        more,
    ]
    .concat();
    let mut source = db.source(&config).bounded(false);
    source.open().unwrap();
    let (mut slow, mut fast) = (Session::open(db), Session::open(db));
    slow.run("BEGIN; INSERT INTO t (v) VALUES (1)");
    fast.run("INSERT INTO t (v) VALUES (2)");
    let mut all = numbers(drained(&mut source));
    // The task dies in between: what it saw is in its offset.
    source.reopen().unwrap();
    all.extend(numbers(drained(&mut source)));
    slow.run("COMMIT");
    all.extend(numbers(drained(&mut source)));
    source.reopen().unwrap();
    all.extend(numbers(drained(&mut source)));
    all
}

#[test]
fn postgres_is_asked_which_transactions_are_open() {
    let Some(db) = Database::new(Dialect::Postgres) else {
        return;
    };
    assert_eq!(found_numbers(&db, &[]), [2, 1]);
}

#[test]
fn mariadb_rows_are_looked_for_again() {
    let Some(db) = Database::new(Dialect::MySql) else {
        return;
    };
    assert_eq!(found_numbers(&db, &[("lookback.ms", "60s")]), [2, 1]);
    let Some(db) = Database::new(Dialect::MySql) else {
        return;
    };
    assert_eq!(found_numbers(&db, &[("lookback.rows", "100")]), [2, 1]);
}

#[test]
fn without_looking_back_a_late_row_is_lost() {
    // The control: this is what the other tests would show if nothing were done.
    let Some(db) = Database::new(Dialect::MySql) else {
        return;
    };
    assert_eq!(found_numbers(&db, &[("lookback.ms", "0")]), [2]);
}

#[test]
fn a_late_timestamp_is_found() {
    let Some(db) = Database::new(Dialect::Postgres) else {
        return;
    };
    db.sql("CREATE TABLE t (id int PRIMARY KEY, changed timestamptz NOT NULL DEFAULT now())");
    let config = [
        ("mode", "timestamp"),
        ("timestamp.column.name", "changed"),
        ("table.include.list", "t"),
    ];
    let mut source = db.source(&config).bounded(false);
    source.open().unwrap();
    let (mut slow, mut fast) = (Session::open(&db), Session::open(&db));
    // It has its timestamp, and has written nothing yet.
    slow.run("BEGIN; SELECT now()");
    fast.run("INSERT INTO t VALUES (2)");
    let mut all = drained(&mut source).len();
    slow.run("INSERT INTO t VALUES (1); COMMIT");
    all += drained(&mut source).len();
    assert_eq!(all, 2);
}

#[test]
fn numbers_with_gaps_need_little_memory() {
    let Some(db) = Database::new(Dialect::Postgres) else {
        return;
    };
    db.sql("CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT n * 3 FROM generate_series(1, 20000) n");
    let mut open = Session::open(&db);
    open.run("BEGIN; INSERT INTO t VALUES (1)");
    let mut source = db
        .source(&[("mode", "incrementing"), ("table.include.list", "t")])
        .bounded(false);
    source.open().unwrap();
    let before = drained(&mut source).len();
    assert!(
        before < 20_000,
        "{before}: what cannot be remembered has to wait"
    );
    open.run("COMMIT");
    assert_eq!(before + drained(&mut source).len(), 20_001);
}

#[test]
fn jobs_settle_what_an_earlier_one_saw() {
    let Some(db) = Database::new(Dialect::MySql) else {
        return;
    };
    db.sql("CREATE TABLE t (id bigint AUTO_INCREMENT PRIMARY KEY, v int); INSERT INTO t (v) VALUES (1), (2), (3)");
    let mut source = db.source(&[
        ("mode", "incrementing"),
        ("table.include.list", "t"),
        ("lookback.ms", "300ms"),
    ]);
    assert_eq!(super::job(&mut source).len(), 3);
    let offset = source.all_committed().remove(0).1;
    assert_eq!(offset["seen"].to_string(), "[[1,3]]", "{offset}");
    std::thread::sleep(std::time::Duration::from_millis(350));
    db.sql("INSERT INTO t (v) VALUES (4)");
    assert_eq!(super::job(&mut source).len(), 1);
    let offset = source.all_committed().remove(0).1;
    assert_eq!(
        (&offset["incrementing"], offset["seen"].to_string()),
        (&3.into(), "[[4,4]]".to_owned()),
        "{offset}"
    );
}
