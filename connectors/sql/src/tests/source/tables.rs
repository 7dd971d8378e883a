//! Tables among tasks, ranges of one table, tables that come and go, topics and keys.

use linkspan_sdk::{Options as _, SourceConnector as _};
use linkspan_testkit::TestHost;

use super::{Database, job, values};
use crate::dialect::Dialect;
use crate::source::{SqlSource, SqlSourceConnector};

/// The configurations of the tasks of one connector.
fn tasks(
    db: &Database,
    more: &[(&str, &str)],
    max: u32,
) -> Vec<std::collections::BTreeMap<String, String>> {
    let base = [
        ("connection.url", db.url.as_str()),
        ("topic.prefix", ""),
        ("poll.interval.ms", "10"),
        ("lookback.ms", "0"),
    ];
    let config: std::collections::BTreeMap<String, String> = base
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let options =
        <SqlSourceConnector as linkspan_sdk::SourceConnector>::Options::from_config(&config)
            .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let added = runtime
        .block_on(SqlSourceConnector::task_configs(&options, max))
        .unwrap();
    added
        .into_iter()
        .map(|added| {
            let mut config = config.clone();
            config.extend(added);
            config
        })
        .collect()
}

#[test]
fn tables_are_shared_among_tasks() {
    for db in Database::all() {
        for n in 0..5 {
            db.sql(&format!("CREATE TABLE t{n} (id int PRIMARY KEY)"));
            db.sql(&format!("INSERT INTO t{n} VALUES ({n})"));
        }
        db.sql("CREATE TABLE left_out (id int)");
        db.sql("CREATE VIEW v AS SELECT * FROM t1");
        let configs = tasks(
            &db,
            &[("mode", "bulk"), ("table.include.list", "t[0-9],v")],
            2,
        );
        assert_eq!(configs.len(), 2, "{:?}", db.dialect);
        let mut topics = Vec::new();
        for config in configs {
            let records = job(&mut TestHost::source::<SqlSource>(config));
            assert!(records.len() >= 2);
            topics.extend(records.into_iter().map(|record| record.topic));
        }
        topics.sort();
        assert_eq!(topics, ["t0", "t1", "t2", "t3", "t4"], "{:?}", db.dialect);
    }
}

#[test]
fn one_big_table_is_read_in_ranges_by_all_tasks() {
    for db in Database::all() {
        db.sql("CREATE TABLE big (id bigint NOT NULL PRIMARY KEY, v int)");
        let rows: Vec<String> = (1..=9_500).map(|n| format!("({n}, {})", n % 7)).collect();
        db.sql(&format!("INSERT INTO big VALUES {}", rows.join(",")));
        for mode in ["bulk", "incrementing"] {
            let configs = tasks(
                &db,
                &[
                    ("mode", mode),
                    ("table.include.list", "big"),
                    ("table.split.size", "1000"),
                ],
                3,
            );
            assert_eq!(configs.len(), 3, "{mode} {:?}", db.dialect);
            let (mut all, mut shares) = (Vec::new(), Vec::new());
            for config in configs {
                let records = job(&mut TestHost::source::<SqlSource>(config));
                shares.push(records.len());
                all.extend(values(&records));
            }
            assert!(
                shares.iter().all(|share| *share >= 2_000),
                "{mode} {:?}: {shares:?}",
                db.dialect
            );
            all.sort();
            all.dedup();
            assert_eq!(
                (all.len(), shares.iter().sum::<usize>()),
                (9_500, 9_500),
                "{mode} {:?}",
                db.dialect
            );
        }
    }
}

#[test]
fn a_split_table_goes_on_in_one_task() {
    let db = Database::new(Dialect::Sqlite).unwrap();
    db.sql("CREATE TABLE big (id integer PRIMARY KEY)");
    let insert = |from: i64, to: i64| {
        let rows: Vec<String> = (from..=to).map(|n| format!("({n})")).collect();
        db.sql(&format!("INSERT INTO big VALUES {}", rows.join(",")));
    };
    insert(1, 3_500);
    let options = [
        ("mode", "incrementing"),
        ("table.include.list", "big"),
        ("table.split.size", "1000"),
    ];
    // One of two tasks reads its ranges, the other one never runs.
    let config = tasks(&db, &options, 2).remove(0);
    let mut source = TestHost::source::<SqlSource>(config.clone());
    let mut all = values(&job(&mut source));
    assert!(all.len() < 3_500);
    // From now on there is one task, and more rows.
    insert(3_501, 4_200);
    let mut alone = config;
    alone.remove("task.work");
    let mut single = TestHost::source::<SqlSource>(alone);
    for (partition, offset) in source.all_committed() {
        single = single.committed_before(&partition, &offset);
    }
    all.extend(values(&job(&mut single)));
    all.sort();
    let read = all.len();
    all.dedup();
    assert_eq!((all.len(), read), (4_200, 4_200));
    assert_eq!(job(&mut single), []);
    // All ranges are read: the next start has one offset for the table.
    insert(4_201, 4_210);
    assert_eq!(job(&mut single).len(), 10);
    assert_eq!(single.committed_count(), 1);
}

#[test]
fn keys_and_topics_are_as_the_options_say() {
    let Some(db) = Database::new(Dialect::Postgres) else {
        return;
    };
    db.sql(
        "CREATE SCHEMA s; CREATE TABLE s.\"Wei\"\"rd Näme\" (\"a b\" int, c text, d int, PRIMARY KEY (d, \"a b\")); \
         INSERT INTO s.\"Wei\"\"rd Näme\" VALUES (1, 'x', 2)",
    );
    let read = |more: &[(&str, &str)]| {
        let config = [
            &[
                ("mode", "bulk"),
                ("schema.pattern", "s"),
                ("topic.name.format", "${schema}.t"),
            ],
            more,
        ]
        .concat();
        let record = job(&mut db.source(&config)).remove(0);
        (record.topic.clone(), record.key.text(), record.value.text())
    };
    let value = r#"{"a b":1,"c":"x","d":2}"#.to_owned();
    assert_eq!(
        read(&[]),
        (
            "p-s.t".to_owned(),
            r#"{"d":2,"a b":1}"#.to_owned(),
            value.clone()
        )
    );
    assert_eq!(read(&[("key.columns", "c")]).1, r#"{"c":"x"}"#);
    assert_eq!(read(&[("key.columns", "none")]).1, "null");
    assert_eq!(read(&[]).2, value);
}

/// Names of tables and columns cannot leave their quotes, whatever they hold.
#[test]
fn names_inject_nothing() {
    for db in Database::all() {
        let evil = "x\"; DROP TABLE victim; --`'";
        let quoted = match db.dialect {
            Dialect::MySql => format!("`{}`", evil.replace('`', "``")),
            Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", evil.replace('"', "\"\"")),
        };
        db.sql("CREATE TABLE victim (id int PRIMARY KEY)");
        db.sql("INSERT INTO victim VALUES (1)");
        db.sql(&format!(
            "CREATE TABLE {quoted} ({quoted} int NOT NULL PRIMARY KEY, v int)"
        ));
        db.sql(&format!("INSERT INTO {quoted} VALUES (7, 8)"));
        for mode in ["bulk", "incrementing"] {
            let records = job(&mut db.source(&[
                ("mode", mode),
                ("table.exclude.list", "victim"),
                ("incrementing.column.name", evil),
                ("topic.name.format", "t"),
            ]));
            let row: serde_json::Value = serde_json::from_str(&records[0].value.text()).unwrap();
            assert_eq!(
                (records.len(), &row[evil]),
                (1, &7.into()),
                "{mode} {:?}",
                db.dialect
            );
        }
        let victims = job(&mut db.source(&[("mode", "bulk"), ("table.include.list", "victim")]));
        assert_eq!(victims.len(), 1, "{:?}", db.dialect);
    }
}
