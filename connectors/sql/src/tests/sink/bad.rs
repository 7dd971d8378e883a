//! Bad records and tables: each says host, table, column, code and remedy, never a password or a value; the rest lands.

use linkspan_sdk::ErrorKind;
use linkspan_testkit::Put;

use super::*;

const TOLERANT: (&str, &str) = ("errors.tolerance", "all");

/// Puts records as the host does: what the error names is left out, and the rest put again.
#[track_caller]
fn put_without_bad(sink: &mut SinkTest<SqlSink>, records: &[TestRecord]) -> (Vec<usize>, String) {
    let error = sink.put(records).unwrap_err();
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::DataInvalid, false),
        "{error}"
    );
    let named = named(&error);
    let rest: Vec<TestRecord> = records
        .iter()
        .enumerate()
        .filter(|(at, _)| !named.contains(at))
        .map(|(_, record)| record.clone())
        .collect();
    let _put: Put = sink.put(&rest).unwrap();
    (named, error.message().to_owned())
}

/// The offsets that an error names; the records of these tests begin at offset 0.
fn named(error: &linkspan_sdk::Error) -> Vec<usize> {
    linkspan_testkit::rejected(error)
        .iter()
        .map(|one| usize::try_from(one.offset).unwrap())
        .collect()
}

#[test]
fn exactly_the_bad_rows_are_named_and_the_rest_lands() {
    everywhere(|db| {
        for path in ["auto", "multi"] {
            for mode in ["insert", "upsert"] {
                db.sql("DROP TABLE IF EXISTS t");
                db.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INTEGER CHECK (n < 1000))");
                let config = [
                    ("insert.mode", mode),
                    ("pk.mode", "record_value"),
                    ("pk.fields", "id"),
                    ("write.path", path),
                    ("delivery", "at_least_once"),
                    TOLERANT,
                ];
                let mut sink = db.sink(&config);
                let records: Vec<TestRecord> = (0..300)
                    .map(|id| {
                        person(
                            id,
                            "a",
                            if [7, 8, 100, 299].contains(&id) {
                                5000
                            } else {
                                1
                            },
                        )
                    })
                    .collect();
                let (named, _) = put_without_bad(&mut sink, &records);
                assert_eq!(named, [7, 8, 100, 299], "{path} {mode}");
                assert_eq!(
                    db.sql("SELECT count(*), max(n) FROM t"),
                    "296|1",
                    "{path} {mode}"
                );
            }
        }
    });
}

/// Without tolerance the first bad record stops everything, and nothing is applied.
#[test]
fn without_tolerance_nothing_is_applied() {
    everywhere(|db| {
        db.sql(
            "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INTEGER CHECK (n < 1000))",
        );
        let mut sink = db.sink(&[]);
        let error = sink
            .put(&[
                person(1, "a", 1),
                person(2, "b", 5000),
                person(3, "c", 5000),
            ])
            .unwrap_err();
        assert!(
            error
                .message()
                .starts_with("topic `t` partition 0 offset 1: "),
            "{error}"
        );
        assert_eq!(db.sql("SELECT count(*) FROM t"), "0");
    });
}

struct Case {
    /// SQL that makes the table.
    table: &'static str,
    config: &'static [(&'static str, &'static str)],
    record: fn() -> TestRecord,
    /// What the message must hold on all three, and on each.
    says: &'static [&'static str],
    postgres: &'static str,
    mariadb: &'static str,
    sqlite: Option<&'static str>,
}

fn json(text: &str) -> TestRecord {
    TestRecord::new("t", TestData::Json(text.to_owned())).key("1")
}

/// The sink's rows of the table of errors, against the real servers. `geheim` stands for a value that must not be shown.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_kind_of_trouble_says_what_to_do() {
    let cases = [
        Case {
            table: "CREATE TABLE other (id BIGINT)",
            config: &[],
            record: || person(1, "a", 1),
            says: &["t`", "auto.create"],
            postgres: "no such table",
            mariadb: "no such table",
            sqlite: Some("no such table"),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20))",
            config: &[],
            record: || person(1, "a", 1),
            says: &["t`", "no column `n`", "auto.evolve", "ADD COLUMN"],
            postgres: "42703",
            mariadb: "it has id, name",
            sqlite: Some("it has id, name"),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(3), n INTEGER)",
            config: &[],
            record: || person(1, "geheim", 1),
            says: &["column `name`", "3 characters"],
            postgres: "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"name\" TYPE text",
            mariadb: "MODIFY COLUMN `name` LONGTEXT",
            sqlite: None,
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20) NOT NULL, n INTEGER)",
            config: &[],
            record: || {
                TestRecord::new(
                    "t",
                    row(
                        &schema(),
                        vec![1_i64.into(), linkspan_sdk::Value::Null, 1.into()],
                    ),
                )
            },
            says: &["column `name`", "null"],
            postgres: "SQLSTATE 23502",
            mariadb: "1048",
            sqlite: Some("1299"),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20) NOT NULL, n INTEGER)",
            config: &[],
            record: || json(r#"{"id": 1}"#),
            says: &["column `name`", "takes no null", "23502"],
            postgres: "DROP NOT NULL",
            mariadb: "default",
            sqlite: Some("default"),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INTEGER); INSERT INTO t VALUES (1, 'x', 0)",
            config: &[],
            record: || person(1, "geheim", 1),
            says: &["t`", "insert.mode: upsert"],
            postgres: "SQLSTATE 23505",
            mariadb: "1062",
            sqlite: Some("1555"),
        },
        Case {
            table: "CREATE TABLE p (id BIGINT PRIMARY KEY); CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER, FOREIGN KEY (id) REFERENCES p (id))",
            config: &[],
            record: || person(4711, "geheim", 1),
            says: &["t`", "parents first"],
            postgres: "SQLSTATE 23503",
            mariadb: "1452",
            sqlite: Some("787"),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)",
            config: &[],
            record: || json(r#"{"id": "geheim", "name": "a"}"#),
            says: &["column `id`"],
            postgres: "SQLSTATE 22P02",
            mariadb: "1366",
            sqlite: Some("no whole number"),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20), n SMALLINT)",
            config: &[],
            record: || person(1, "geheim", 99_999),
            says: &["column `n`"],
            postgres: "SQLSTATE 22003",
            mariadb: "1264",
            sqlite: None,
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)",
            config: &[
                ("insert.mode", "upsert"),
                ("pk.mode", "record_value"),
                ("pk.fields", "id"),
            ],
            record: || person(1, "a", 1),
            says: &["no unique index on exactly (id)", "CREATE UNIQUE INDEX"],
            postgres: "\"t_key\"",
            mariadb: "`t_key`",
            sqlite: Some("\"t_key\""),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)",
            config: &[],
            record: || tombstone(1),
            says: &["delete.enabled", "RecordIsTombstone"],
            postgres: "",
            mariadb: "",
            sqlite: Some(""),
        },
        Case {
            table: "CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)",
            config: &[],
            record: || TestRecord::new("t", "geheim"),
            says: &["neither typed nor a JSON object"],
            postgres: "",
            mariadb: "",
            sqlite: Some(""),
        },
    ];
    for db in databases() {
        let (postgres, mariadb) = (
            db.url().starts_with("postgres"),
            db.url().starts_with("mysql"),
        );
        for (at, case) in cases.iter().enumerate() {
            let own = match (postgres, mariadb) {
                (true, _) => Some(case.postgres),
                (_, true) => Some(case.mariadb),
                _ => case.sqlite,
            };
            let Some(own) = own else { continue };
            db.sql("DROP TABLE IF EXISTS t; DROP TABLE IF EXISTS other; DROP TABLE IF EXISTS p");
            db.sql(case.table);
            let mut sink = TestHost::sink::<SqlSink>(
                db.config(&[case.config, &[("delivery", "at_least_once")]].concat()),
            );
            sink.open().unwrap();
            let error = sink
                .assign(&[("t", 0)])
                .and_then(|_| sink.put(&[(case.record)()]))
                .unwrap_err();
            let text = error.message().to_owned();
            // Which database it was, where one was asked: many pipelines write to several.
            let place = match (own.is_empty(), postgres || mariadb) {
                (true, _) => "",
                (_, true) => "127.0.0.1",
                _ => ".db",
            };
            for part in case.says.iter().chain([&own, &place]) {
                assert!(
                    text.contains(part),
                    "case {at} on {}: `{part}` is not in: {text}",
                    db.url()
                );
            }
            assert!(
                !text.contains("geheim") && !text.contains("4711"),
                "case {at}: a value is shown: {text}"
            );
            assert!(!error.is_temporary(), "case {at}: {text}");
        }
    }
}

#[test]
fn latin1_tables_are_told_apart() {
    let Some(server) = servers::mariadb() else {
        return;
    };
    let db = Db::on(server);
    db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(20) CHARACTER SET latin1, n INTEGER)");
    let error = db.sink(&[]).put(&[person(1, "표", 1)]).unwrap_err();
    let text = error.message();
    assert!(
        text.contains("1366")
            && text.contains("CONVERT TO CHARACTER SET utf8mb4")
            && text.contains("`name`"),
        "{text}"
    );
    assert!(!text.contains("\\x"), "{text}");
}

/// Privileges, logins, databases: permanent, with the GRANT; no password anywhere.
#[test]
fn what_is_not_allowed_says_what_would_allow_it() {
    if let Some(server) = servers::postgres() {
        let db = Db::on(server);
        db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(20), n INTEGER)");
        let user = format!("u{}", std::process::id());
        db.sql(&format!(
            "DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN"
        ));
        let url = db.url().replace("linkspan@", &format!("{user}:geheim@"));
        let mut sink = TestHost::sink::<SqlSink>([
            ("connection.url", url.as_str()),
            ("delivery", "at_least_once"),
        ]);
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        let error = sink.put(&[person(1, "a", 1)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Permission);
        let text = error.message();
        assert!(
            text.contains("42501")
                && text.contains("GRANT SELECT, INSERT")
                && text.contains(&user)
                && !text.contains("geheim"),
            "{text}"
        );
        // Without the right to make temporary tables rows still get there.
        db.sql(&format!(
            "REVOKE TEMPORARY ON DATABASE {0} FROM PUBLIC; ALTER TABLE t ADD PRIMARY KEY (id); GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {user}",
            db.sql("SELECT current_database()")
        ));
        let config = [
            ("connection.url", url.as_str()),
            ("delivery", "at_least_once"),
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ];
        let mut sink = TestHost::sink::<SqlSink>(config);
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        sink.put(&[person(1, "a", 1), person(1, "b", 2)]).unwrap();
        assert_eq!(db.sql("SELECT name FROM t"), "b");
        db.sql(&format!("DROP OWNED BY {user}; DROP ROLE {user}"));
    }
}

/// Names cannot leave their quotes: topics, formats, columns, fields.
#[test]
fn names_inject_nothing() {
    everywhere(|db| {
        db.sql("CREATE TABLE victim (id BIGINT); INSERT INTO victim VALUES (1)");
        let evil = r#"x"; DROP TABLE victim; --`'"#;
        let escaped = evil.replace('"', "\"\"");
        let schema = Arc::new(
            SchemaBuilder::structure()
                .field("id", SchemaBuilder::int64().build())
                .field(evil, SchemaBuilder::string().optional().build())
                .build(),
        );
        let record = TestRecord::new("t", row(&schema, vec![1_i64.into(), "v".into()]));
        let format = format!("\"{escaped}\"");
        for (name, value) in [
            ("table.name.format", format.as_str()),
            (
                "topics.to.tables.mapping",
                &format!("[\"t:{}\"]", format.replace('"', "\\\"")),
            ),
        ] {
            let mut sink = TestHost::sink::<SqlSink>(db.config(&[
                (name, value),
                ("auto.create", "true"),
                ("offsets.table", &format!("\"o{escaped}\"")),
            ]));
            sink.open().unwrap();
            sink.assign(&[("t", 0)]).unwrap();
            sink.put(std::slice::from_ref(&record)).unwrap();
        }
        // A topic as the table's name, as it is: the log takes no such topic, a position may still name one.
        let mut sink = TestHost::sink::<SqlSink>(db.config(&[("auto.create", "true")]));
        sink.open().unwrap();
        sink.assign(&[(evil, 0)]).unwrap();
        sink.put(&[TestRecord {
            topic: evil.to_owned(),
            ..record
        }])
        .unwrap();
        assert_eq!(
            sink.position(evil, 0).map(|(next, _)| next),
            Some(1),
            "the position row has it too"
        );
        assert_eq!(db.sql("SELECT count(*) FROM victim"), "1");
        // Values too.
        db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(100), n INTEGER)");
        for path in ["auto", "multi"] {
            db.sink(&[("write.path", path), ("delivery", "at_least_once")])
                .put(&[person(1, evil, 1), person(2, "\\N", 2), person(3, "\\.", 3)])
                .unwrap();
        }
        assert_eq!(db.sql("SELECT count(*) FROM victim"), "1");
        assert_eq!(db.sql("SELECT count(*), count(name) FROM t"), "6|6");
        assert_eq!(
            db.sql("SELECT DISTINCT length(name) FROM t WHERE n = 1"),
            evil.len().to_string()
        );
    });
}

/// Traps are told at the start, not after the damage.
#[test]
fn a_second_unique_index_is_warned_about() {
    everywhere(|db| {
        db.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INTEGER); CREATE UNIQUE INDEX mail ON t (name)");
        let sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ]);
        let warned: Vec<_> = sink
            .log()
            .into_iter()
            .filter(|line| line.level == 2)
            .map(|line| line.message)
            .collect();
        assert!(
            warned
                .iter()
                .any(|line| line.contains("`mail`") && line.contains("(name)")),
            "{warned:?}"
        );
    });
}
