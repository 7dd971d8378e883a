//! Insert, upsert, update, delete, truncate; keys; order inside a batch; the ways to the server.

use super::*;

const UPSERT: [(&str, &str); 4] = [
    ("insert.mode", "upsert"),
    ("pk.mode", "record_key"),
    ("pk.fields", "id"),
    ("delete.enabled", "true"),
];

#[track_caller]
fn rows(db: &Db, expected: &str) {
    assert_eq!(
        db.sql("SELECT id, name, n FROM t ORDER BY id, n")
            .replace('\n', " "),
        expected
    );
}

#[test]
fn insert_adds_every_row() {
    everywhere(|db| {
        db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)");
        for path in ["auto", "multi", "row"] {
            db.sql("DELETE FROM t");
            let mut sink = db.sink(&[("write.path", path), ("delivery", "at_least_once")]);
            let put = sink
                .put(&[
                    person(1, "a", 1),
                    person(1, "a\tb\\\n", 2),
                    person(2, "ä 표", 3),
                ])
                .unwrap();
            assert_eq!(put.progress[&("t".to_owned(), 0)].0, 3);
            assert_eq!(
                db.sql("SELECT count(*), sum(n), max(id) FROM t"),
                "3|6|2",
                "{path}"
            );
            assert_eq!(db.sql("SELECT length(name) FROM t WHERE n = 2"), "5");
            assert_eq!(db.sql("SELECT name FROM t WHERE n = 3"), "ä 표");
        }
    });
}

#[test]
fn upsert_update_and_delete_keep_order_inside_a_batch() {
    everywhere(|db| {
        for path in ["auto", "multi", "row"] {
            db.sql("DROP TABLE IF EXISTS t");
            db.sql(TABLE);
            db.sql("INSERT INTO t VALUES (1, 'old', 0), (2, 'old', 0), (9, 'old', 0)");
            let mut sink = db.sink(
                &[
                    &UPSERT[..],
                    &[("write.path", path), ("delivery", "at_least_once")],
                ]
                .concat(),
            );
            sink.put(&[
                person(1, "a", 1),
                person(3, "c", 3),
                tombstone(2),
                person(1, "b", 2),
                tombstone(3),
                person(4, "d", 4),
                tombstone(4),
                person(4, "e", 5),
                person(5, "f", 6),
            ])
            .unwrap();
            rows(db, "1|b|2 4|e|5 5|f|6 9|old|0");
            sink.put(&[tombstone(1), tombstone(9), tombstone(77)])
                .unwrap();
            rows(db, "4|e|5 5|f|6");
        }
    });
}

#[test]
fn update_changes_only_what_is_there() {
    everywhere(|db| {
        for path in ["auto", "multi"] {
            db.sql("DROP TABLE IF EXISTS t");
            db.sql(TABLE);
            db.sql("INSERT INTO t VALUES (1, 'old', 0)");
            let config = [
                ("insert.mode", "update"),
                ("pk.mode", "record_value"),
                ("pk.fields", "id"),
                ("write.path", path),
                ("delivery", "at_least_once"),
            ];
            db.sink(&config)
                .put(&[person(1, "new", 7), person(2, "none", 8)])
                .unwrap();
            rows(db, "1|new|7");
        }
    });
}

#[test]
fn keys_come_from_where_the_mode_says() {
    everywhere(|db| {
        db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER, kt VARCHAR(20), kp INTEGER, ko BIGINT, PRIMARY KEY (kt, kp, ko))");
        let mut sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "kafka"),
            ("pk.fields", "kt,kp,ko"),
        ]);
        sink.put(&[person(1, "a", 1), person(1, "a", 1)]).unwrap();
        assert_eq!(
            db.sql("SELECT kt, kp, ko, id FROM t ORDER BY ko"),
            "t|0|0|1\nt|0|1|1"
        );
        db.sql("DROP TABLE t");
        db.sql(
            "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER, h VARCHAR(20) PRIMARY KEY)",
        );
        let mut sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_header"),
            ("pk.fields", "h"),
            ("delivery", "at_least_once"),
        ]);
        sink.put(&[
            person(1, "a", 1).header("h", "x"),
            person(2, "b", 2).header("h", "x"),
        ])
        .unwrap();
        assert_eq!(db.sql("SELECT h, id FROM t"), "x|2");
        let error = sink.put(&[person(1, "a", 1)]).unwrap_err();
        assert!(
            error.message().contains("no header `h`")
                && error.kind() == linkspan_sdk::ErrorKind::DataInvalid,
            "{error}"
        );
        // A key of several fields, and a table whose primary key is taken where none is named.
        db.sql("DROP TABLE t");
        db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER, PRIMARY KEY (n, id))");
        let mut sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("delivery", "at_least_once"),
        ]);
        sink.put(&[person(1, "a", 1), person(1, "b", 1), person(1, "c", 2)])
            .unwrap();
        rows(db, "1|b|1 1|c|2");
    });
}

#[test]
fn a_truncation_empties_the_table_in_its_place() {
    everywhere(|db| {
        db.sql(TABLE);
        db.sql("INSERT INTO t VALUES (9, 'old', 0)");
        let event = |op: &str, after: serde_json::Value| {
            TestRecord::new("t", serde_json::json!({"op": op, "before": null, "after": after, "source": {"table": "x"}})).key("1")
        };
        let mut sink = db.sink(&[&UPSERT[..], &[("truncate.enabled", "true")]].concat());
        sink.put(&[
            event("c", serde_json::json!({"id": 1, "name": "a", "n": 1})),
            event("t", serde_json::Value::Null).key("x"),
            TestRecord::new("t", serde_json::json!({"op": "c", "after": {"id": 2, "name": "b", "n": 2}, "source": {}})).key("2"),
        ])
        .unwrap();
        rows(db, "2|b|2");
    });
}

/// Keys that differ as text are the same for the server.
#[test]
fn keys_that_the_server_takes_for_the_same_are_reduced_too() {
    if let Some(server) = servers::postgres() {
        let db = Db::on(server);
        db.sql("CREATE TABLE t (id NUMERIC PRIMARY KEY, name TEXT, n INTEGER)");
        let mut sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ]);
        let json = |id: &str, name: &str| {
            TestRecord::new(
                "t",
                TestData::Json(format!(r#"{{"id": {id}, "name": "{name}", "n": 1}}"#)),
            )
        };
        sink.put(&[
            json("1", "a"),
            json("2", "x"),
            json("1.0", "b"),
            json("1.00", "c"),
        ])
        .unwrap();
        assert_eq!(db.sql("SELECT name FROM t ORDER BY id"), "c\nx");
    }
    if let Some(server) = servers::mariadb() {
        let db = Db::on(server);
        db.sql("CREATE TABLE t (id VARCHAR(10) PRIMARY KEY, name TEXT)");
        let mut sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("pk.fields", "id"),
            ("delete.enabled", "true"),
        ]);
        let json = |id: &str, name: &str| {
            TestRecord::new("t", TestData::Json(format!(r#"{{"name": "{name}"}}"#))).key(id)
        };
        sink.put(&[
            json("A", "first"),
            json("a", "second"),
            json("b", "x"),
            TestRecord {
                topic: "t".to_owned(),
                ..TestRecord::default()
            }
            .key("B"),
        ])
        .unwrap();
        assert_eq!(db.sql("SELECT name FROM t ORDER BY id"), "second");
    }
}

#[test]
fn fields_are_chosen_and_mapped() {
    everywhere(|db| {
        db.sql("CREATE TABLE t (id BIGINT, label VARCHAR(20))");
        let config = [
            ("fields.exclude.list", "n"),
            ("field.mapping", r#"{"name":"label"}"#),
        ];
        db.sink(&config).put(&[person(1, "a", 1)]).unwrap();
        assert_eq!(db.sql("SELECT * FROM t"), "1|a");
    });
}

#[test]
fn sql_of_ones_own_runs_for_each_record() {
    everywhere(|db| {
        db.sql("CREATE TABLE log (id BIGINT, who VARCHAR(20), place VARCHAR(20), at BIGINT, k VARCHAR(10))");
        let query = "INSERT INTO log (id, who, place, at, k) VALUES (:id, upper(:name), :__topic, :__offset, :__key)";
        let mut sink = db.sink(&[("query", query)]);
        sink.put(
            &[person(1, "a", 1), person(2, "it's; DROP TABLE log; --", 2)].map(|record| record),
        )
        .map(drop)
        .unwrap_or_else(|error| {
            // The second name is too long for a column of 20 where the server checks it.
            assert!(error.message().contains("offset 1"), "{error}");
        });
        sink.rewind("t", 0, 1);
        sink.put(&[person(2, "it's; DROP --", 2)]).unwrap();
        let last = db.sql("SELECT who, place, at, k FROM log WHERE id = 2 ORDER BY length(who)");
        assert!(
            last.starts_with("IT'S; DROP --|t|1|2") || last.contains("IT'S; DROP TABLE LOG; --"),
            "{last}"
        );
        let error = sink
            .put(&[TestRecord::new("t", serde_json::json!([1]))])
            .unwrap_err();
        assert!(error.message().contains("no row"), "{error}");
    });
}
