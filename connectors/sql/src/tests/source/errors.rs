//! What a user sees when something is wrong with the database, the tables or the values.

use linkspan_sdk::ErrorKind;

use super::{Database, failure, job, values};
use crate::dialect::Dialect;
use crate::tests::servers;

fn check(db: &Database, more: &[(&str, &str)], kind: ErrorKind, temporary: bool, parts: &[&str]) {
    let error = failure(&mut db.source(more));
    let told = error.chain();
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (kind, temporary),
        "{told}"
    );
    for part in parts {
        assert!(told.contains(part), "`{part}` is not in: {told}");
    }
    assert!(!told.contains("geheim"), "{told}");
}

#[test]
fn places_that_are_not_there() {
    for db in Database::all() {
        db.sql("CREATE TABLE orders (id int)");
        let base = [("mode", "bulk"), ("table.include.list", "ordrs")];
        check(
            &db,
            &base,
            ErrorKind::NotFound,
            false,
            &["no table", "ordrs", "of 1 that the user may see"],
        );
        let query = [("mode", "bulk"), ("query", "SELECT * FROM nowhere")];
        check(&db, &query, ErrorKind::NotFound, false, &["nowhere"]);
        let told =
            failure(&mut db.source(&[("mode", "bulk"), ("query", "SELECT FROM WHERE")])).chain();
        assert!(told.contains("syntax"), "{told}");
        if db.dialect == Dialect::Postgres {
            let query = [("mode", "bulk"), ("query", "SELECT 1\nFORM orders")];
            let told = failure(&mut db.source(&query)).chain();
            assert!(
                told.contains("at character 15 (line 2): ⟶ orders"),
                "{told}"
            );
        }
        // Nothing of a masked query is shown, not by the server either.
        let masked = [("mode", "bulk"), ("query.masked", "SELECT 1 FORM geheim")];
        let told = failure(&mut db.source(&masked)).chain();
        assert!(
            told.contains("is not shown") && !told.contains("geheim"),
            "{told}"
        );
    }
}

/// Each round would read the whole table.
#[test]
fn a_column_that_no_index_begins_with_is_warned_about() {
    for db in Database::all() {
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, n int NOT NULL)");
        let warned = |column: &str| {
            let config = [
                ("mode", "incrementing"),
                ("incrementing.column.name", column),
                ("table.include.list", "t"),
            ];
            let mut source = db.source(&config);
            job(&mut source);
            let log = source.log();
            let index = |line: &&linkspan_testkit::LogLine| line.message.contains("CREATE INDEX");
            log.iter().find(index).map(|line| line.message.clone())
        };
        assert_eq!(warned("id"), None, "{}", db.url);
        let line = warned("n").unwrap();
        assert!(
            line.contains("column `n`") && line.contains("t_n"),
            "{line}"
        );
        db.sql("CREATE INDEX by_n ON t (n)");
        assert_eq!(warned("n"), None, "{}", db.url);
    }
}

#[test]
fn columns_that_cannot_do_it() {
    for db in Database::all() {
        let moment = match db.dialect {
            Dialect::Postgres => "timestamp",
            Dialect::MySql => "datetime",
            Dialect::Sqlite => "datetime",
        };
        db.sql(&format!(
            "CREATE TABLE t (name varchar(9) NOT NULL, n int, at {moment} NOT NULL)"
        ));
        let with =
            |more: &[(&'static str, &'static str)]| [&[("table.include.list", "t")], more].concat();
        check(
            &db,
            &with(&[("mode", "incrementing"), ("incrementing.column.name", "no")]),
            ErrorKind::ConfigInvalid,
            false,
            &["has no column `no`", "`name`, `n`, `at`"],
        );
        check(
            &db,
            &with(&[
                ("mode", "incrementing"),
                ("incrementing.column.name", "name"),
            ]),
            ErrorKind::ConfigInvalid,
            false,
            &["column `name` is no whole number"],
        );
        check(
            &db,
            &with(&[("mode", "incrementing"), ("incrementing.column.name", "n")]),
            ErrorKind::ConfigInvalid,
            false,
            &[
                "column `n`",
                "may be null",
                "SET NOT NULL",
                "validate.non.null",
            ],
        );
        check(
            &db,
            &with(&[("mode", "incrementing")]),
            ErrorKind::ConfigInvalid,
            false,
            &[
                "no primary key of one whole number",
                "incrementing.column.name",
            ],
        );
        check(
            &db,
            &with(&[("mode", "timestamp"), ("timestamp.column.name", "n")]),
            ErrorKind::ConfigInvalid,
            false,
            &["column `n` is no timestamp"],
        );
        check(
            &db,
            &with(&[("mode", "timestamp"), ("timestamp.column.name", "at")]),
            ErrorKind::ConfigInvalid,
            false,
            &[
                "column `at` have no time zone",
                "not guessed",
                "db.timezone",
            ],
        );
        assert_eq!(
            job(&mut db.source(&with(&[
                ("mode", "incrementing"),
                ("incrementing.column.name", "n"),
                ("validate.non.null", "false")
            ]))),
            []
        );
    }
}

#[test]
fn servers_that_refuse() {
    for (dialect, state) in [(Dialect::Postgres, "28000"), (Dialect::MySql, "28000")] {
        let Some(mut db) = Database::new(dialect) else {
            continue;
        };
        let good = db.url.clone();
        db.url = good.replace(servers::USER, "nobody:geheim");
        check(
            &db,
            &[("mode", "bulk")],
            ErrorKind::Permission,
            false,
            &["127.0.0.1:", "nobody", state],
        );
        let (server, _) = good.rsplit_once('/').unwrap();
        db.url = format!("{server}/nowhere");
        check(
            &db,
            &[("mode", "bulk")],
            ErrorKind::NotFound,
            false,
            &["nowhere"],
        );
        db.url = server
            .rsplit_once(':')
            .map(|(host, _)| format!("{host}:{}/x", servers::free_port()))
            .unwrap();
        check(
            &db,
            &[("mode", "bulk")],
            ErrorKind::Unavailable,
            true,
            &["127.0.0.1:"],
        );
    }
}

#[test]
fn a_table_without_the_right_to_read_it() {
    let Some(db) = Database::new(Dialect::Postgres) else {
        return;
    };
    let user = format!("reader{}", std::process::id());
    db.sql(&format!(
        "CREATE TABLE secret (id int); CREATE ROLE {user} LOGIN"
    ));
    let url = db.url.replace(servers::USER, &user);
    let error = failure(&mut db.source(&[
        ("mode", "bulk"),
        ("table.include.list", "secret"),
        ("connection.url", &url),
    ]));
    let told = error.chain();
    assert_eq!(error.kind(), ErrorKind::Permission, "{told}");
    for part in ["secret", "42501", "GRANT"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    db.sql(&format!("DROP ROLE {user}"));
}

#[test]
fn a_value_that_does_not_fit_names_its_place_and_what_came_before_is_kept() {
    let db = Database::new(Dialect::Sqlite).unwrap();
    db.sql("CREATE TABLE t (id integer PRIMARY KEY, n int)");
    db.sql("INSERT INTO t VALUES (1, 10), (2, 'geheim'), (3, 30)");
    let config = [("mode", "incrementing"), ("table.include.list", "t")];
    let mut source = db.source(&config);
    source.open().unwrap();
    let before = source.poll().unwrap();
    source.commit(&before).unwrap();
    assert_eq!(values(&before.records), [r#"{"id":1,"n":10}"#]);
    let error = source.poll().unwrap_err();
    assert_eq!(
        (error.kind(), error.is_temporary()),
        (ErrorKind::DataInvalid, false)
    );
    assert_eq!(
        error.chain(),
        "table `t`, column `n`: a value of type TEXT stands in a column for INTEGER"
    );
    // It does not pass the bad row.
    assert_eq!(failure(&mut source).kind(), ErrorKind::DataInvalid);
    // With tolerance the row is set aside and the rest is read.
    let mut source = db.source(&[&config[..], &[("errors.tolerance", "all")]].concat());
    let records = job(&mut source);
    assert_eq!(
        values(&records),
        [r#"{"id":1,"n":10}"#, r#"{"id":3,"n":30}"#]
    );
}
