//! What each mode reads, and where it goes on.

use serde_json::json;

use super::{Database, job, values};
use crate::dialect::Dialect;

fn made(db: &Database) {
    let (serial, moment) = match db.dialect {
        Dialect::Postgres => ("bigserial PRIMARY KEY", "timestamptz NOT NULL"),
        Dialect::MySql => ("bigint AUTO_INCREMENT PRIMARY KEY", "timestamp(6) NOT NULL"),
        Dialect::Sqlite => ("integer PRIMARY KEY", "datetime NOT NULL"),
    };
    db.sql(&format!(
        "CREATE TABLE orders (id {serial}, name varchar(20), changed {moment})"
    ));
}

fn insert(db: &Database, rows: &[(i64, &str, &str)]) {
    for (id, name, changed) in rows {
        db.sql(&format!(
            "INSERT INTO orders (id, name, changed) VALUES ({id}, '{name}', '{changed}')"
        ));
    }
}

const ZONE: (&str, &str) = ("db.timezone", "UTC");
const T1: &str = "2024-01-01 10:00:00.100";
const T2: &str = "2024-01-01 10:00:00.200";

fn names(records: &[linkspan_testkit::TestRecord]) -> Vec<String> {
    let name = |text: &String| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        json["name"].as_str().unwrap().to_owned()
    };
    values(records).iter().map(name).collect()
}

#[test]
fn bulk_reads_everything_each_time() {
    for db in Database::all() {
        made(&db);
        insert(&db, &[(1, "a", T1), (2, "b", T1)]);
        let mut source = db.source(&[("mode", "bulk"), ("table.include.list", "orders")]);
        let records = job(&mut source);
        assert_eq!(names(&records), ["a", "b"], "{:?}", db.dialect);
        assert_eq!(records[0].topic, "p-orders");
        assert_eq!(records[0].key.text(), r#"{"id":1}"#);
        assert_eq!(names(&job(&mut source)), ["a", "b"]);
        assert_eq!(source.committed_count(), 0);
    }
}

#[test]
fn incrementing_reads_new_rows_and_goes_on() {
    for db in Database::all() {
        made(&db);
        insert(&db, &[(1, "a", T1), (2, "b", T1)]);
        let mut source = db.source(&[("mode", "incrementing"), ("table.include.list", "orders")]);
        assert_eq!(names(&job(&mut source)), ["a", "b"], "{:?}", db.dialect);
        assert_eq!(job(&mut source), []);
        insert(&db, &[(3, "c", T1)]);
        assert_eq!(names(&job(&mut source)), ["c"]);
        let database = db.url.rsplit('/').next().unwrap();
        let table = match db.dialect {
            Dialect::Postgres => format!("{database}.public.orders"),
            Dialect::MySql => format!("{database}.orders"),
            Dialect::Sqlite => "orders".to_owned(),
        };
        let committed = source
            .committed(&json!({"protocol": "1", "table": table}))
            .unwrap();
        assert_eq!(committed, json!({"incrementing": 3}), "{:?}", db.dialect);
    }
}

#[test]
fn timestamps_read_changed_rows() {
    for db in Database::all() {
        for mode in ["timestamp", "timestamp+incrementing"] {
            let db = Database::new(db.dialect).unwrap();
            made(&db);
            insert(&db, &[(2, "b", T1), (1, "a", T1), (3, "c", T2)]);
            let config = [
                ("mode", mode),
                ("timestamp.column.name", "changed"),
                ("table.include.list", "orders"),
                ZONE,
            ];
            let mut source = db.source(&config);
            assert_eq!(
                names(&job(&mut source)),
                ["a", "b", "c"],
                "{mode} {:?}",
                db.dialect
            );
            assert_eq!(job(&mut source), []);
            db.sql("UPDATE orders SET name = 'B', changed = '2024-01-01 10:00:01' WHERE id = 2");
            assert_eq!(names(&job(&mut source)), ["B"], "{mode} {:?}", db.dialect);
            // What lies in the future waits.
            db.sql("UPDATE orders SET name = 'D', changed = '2037-01-01 10:00:01' WHERE id = 1");
            assert_eq!(job(&mut source), [], "{mode} {:?}", db.dialect);
        }
    }
}

#[test]
fn a_crash_within_a_timestamp_loses_and_doubles_nothing() {
    for db in Database::all() {
        made(&db);
        // No primary key: nothing orders the rows of one timestamp.
        let moment = match db.dialect {
            Dialect::Postgres => "timestamptz NOT NULL",
            Dialect::MySql => "timestamp(6) NOT NULL",
            Dialect::Sqlite => "datetime NOT NULL",
        };
        db.sql(&format!(
            "CREATE TABLE events (name varchar(20), changed {moment})"
        ));
        for n in 0..10 {
            let at = if n < 7 { T1 } else { T2 };
            db.sql(&format!("INSERT INTO events VALUES ('e{n}', '{at}')"));
        }
        let config = [
            ("mode", "timestamp"),
            ("timestamp.column.name", "changed"),
            ("table.include.list", "events"),
            ZONE,
        ];
        let mut source = db.source(&config).asking(3, 4 << 20);
        let mut all = Vec::new();
        // A new task for each batch, as after a kill.
        for _ in 0..8 {
            source.reopen().unwrap();
            let polled = source.poll().unwrap();
            source.commit(&polled).unwrap();
            all.extend(names(&polled.records));
        }
        all.sort();
        assert_eq!(
            all,
            ["e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9"],
            "{:?}",
            db.dialect
        );
    }
}

#[test]
fn a_batch_that_was_not_committed_comes_again() {
    for db in Database::all() {
        made(&db);
        let rows: Vec<(i64, &str, &str)> = (1..=9).map(|id| (id, "x", T1)).collect();
        insert(&db, &rows);
        let mut source = db
            .source(&[("mode", "incrementing"), ("table.include.list", "orders")])
            .asking(4, 4 << 20);
        source.open().unwrap();
        let first = source.poll().unwrap();
        source.commit(&first).unwrap();
        let lost = source.poll().unwrap();
        source.reopen().unwrap();
        // How many rows one poll brings is a matter of timing; which ones come is not.
        let mut again = Vec::new();
        while again.len() < lost.records.len() {
            let polled = source.poll().unwrap();
            assert!(!polled.records.is_empty(), "{:?}: {again:?}", db.dialect);
            again.extend(values(&polled.records));
        }
        again.truncate(lost.records.len());
        assert_eq!(again, values(&lost.records), "{:?}", db.dialect);
        assert_ne!(values(&first.records), values(&lost.records));
    }
}

#[test]
fn queries_are_read_as_tables() {
    for db in Database::all() {
        made(&db);
        insert(
            &db,
            &[(1, "a", T1), (2, "a", T1), (3, "b", T2), (4, "c", T2)],
        );
        let query = "SELECT max(id) AS no, name FROM orders WHERE name <> 'c' GROUP BY name UNION ALL SELECT 100, 'u';  ";
        let mut source = db.source(&[
            ("mode", "incrementing"),
            ("incrementing.column.name", "no"),
            ("query", query),
        ]);
        let records = job(&mut source);
        let expected = [
            r#"{"no":2,"name":"a"}"#,
            r#"{"no":3,"name":"b"}"#,
            r#"{"no":100,"name":"u"}"#,
        ];
        assert_eq!(values(&records), expected, "{:?}", db.dialect);
        assert_eq!(records[0].topic, "p-");
        assert_eq!(job(&mut source), []);
        // Another query does not go on where this one ended.
        let other = "SELECT id AS no, name FROM orders";
        let mut source = db.source(&[
            ("mode", "incrementing"),
            ("incrementing.column.name", "no"),
            ("query", other),
        ]);
        assert_eq!(job(&mut source).len(), 4);
        let mut bulk = db.source(&[
            ("mode", "bulk"),
            ("query", "SELECT count(*) AS n FROM orders"),
            ("query.suffix", "LIMIT 1"),
        ]);
        assert_eq!(values(&job(&mut bulk)), [r#"{"n":4}"#], "{:?}", db.dialect);
    }
}

#[test]
fn a_source_goes_on_from_the_jdbc_connectors_offset() {
    for db in Database::all() {
        made(&db);
        insert(&db, &[(1, "a", T1), (2, "b", T1), (3, "c", T2)]);
        let database = db.url.rsplit('/').next().unwrap();
        let table = match db.dialect {
            Dialect::Postgres => format!("{database}.public.orders"),
            Dialect::MySql => format!("{database}.orders"),
            Dialect::Sqlite => "orders".to_owned(),
        };
        let mut source = db
            .source(&[("mode", "incrementing"), ("table.whitelist", "orders")])
            .committed_before(
                &json!({"protocol": "1", "table": table}),
                &json!({"incrementing": 2}),
            );
        assert_eq!(names(&job(&mut source)), ["c"], "{:?}", db.dialect);
        let offset = json!({"incrementing": 1, "timestamp": 1_704_103_200_100_i64, "timestamp_nanos": 100_000_000});
        let mut source = db
            .source(&[
                ("mode", "timestamp+incrementing"),
                ("timestamp.column.name", "changed"),
                ("table.whitelist", "orders"),
                ZONE,
            ])
            .committed_before(&json!({"protocol": "1", "table": table}), &offset);
        assert_eq!(names(&job(&mut source)), ["b", "c"], "{:?}", db.dialect);
    }
}

#[test]
fn initial_places_are_respected() {
    for db in Database::all() {
        made(&db);
        insert(&db, &[(1, "a", T1), (2, "b", T2)]);
        let mut source = db.source(&[
            ("mode", "incrementing"),
            ("incrementing.initial", "1"),
            ("table.include.list", "orders"),
        ]);
        assert_eq!(names(&job(&mut source)), ["b"], "{:?}", db.dialect);
        let base = [
            ("mode", "timestamp"),
            ("timestamp.column.name", "changed"),
            ("table.include.list", "orders"),
            ZONE,
        ];
        let with = |value: &'static str| [&base[..], &[("timestamp.initial", value)]].concat();
        assert_eq!(
            names(&job(&mut db.source(&with("2024-01-01T10:00:00.150Z")))),
            ["b"],
            "{:?}",
            db.dialect
        );
        assert_eq!(job(&mut db.source(&with("-1"))), []);
    }
}
