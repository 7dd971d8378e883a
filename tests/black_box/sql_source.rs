//! `sql-source` in the real program: configurations of Kafka Connect, recipes, kills, servers that are away.
//!
//! Not here: what each mode and type does, which the connector's own tests show on the same servers.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::pipeline::{records, summary};
use crate::servers;
use crate::support::{Scratch, eventually, linkspan, repository, run, run_once, start, wait};

/// What becomes of one configuration: its file, the exit code of `validate`, and for some keys what is said of them.
type Case = (&'static str, i32, &'static [(&'static str, &'static str)]);

const SOURCES: &[Case] = &[
    (
        "source-postgres-incrementing.json",
        0,
        &[
            ("table.whitelist", "mapped"),
            ("incrementing.column.name", "used"),
            ("transforms.createKey.type", "used"),
        ],
    ),
    (
        "source-mysql-timestamp-incrementing.properties",
        0,
        &[
            ("connection.attempts", "ignored"),
            ("timestamp.delay.interval.ms", "used"),
        ],
    ),
    ("source-sqlite-bulk.properties", 0, &[("mode", "used")]),
    (
        "source-aiven-best-fit.json",
        0,
        &[
            ("dialect.name", "ignored"),
            ("sql.quote.identifiers", "mapped"),
            ("table.names.qualify", "ignored"),
        ],
    ),
    (
        "source-query-timestamp.json",
        0,
        &[("query", "used"), ("query.retry.attempts", "ignored")],
    ),
    (
        "source-mysql-catalog-bulk.properties",
        0,
        &[
            ("numeric.precision.mapping", "used"),
            ("table.blacklist", "mapped"),
        ],
    ),
    (
        "source-include-list-mappings.json",
        0,
        &[
            ("timestamp.columns.mapping", "used"),
            ("connection.loginTimeout", "ignored"),
            ("date.calendar.system", "ignored"),
        ],
    ),
    (
        "source-never-quote.properties",
        0,
        &[("quote.sql.identifiers", "used")],
    ),
    ("source-oracle.json", 2, &[]),
    ("source-sqlserver.properties", 2, &[]),
];

const SINKS: &[Case] = &[
    ("sink-postgres-upsert.json", 0, &[("pk.mode", "used")]),
    (
        "sink-mysql-insert.properties",
        0,
        &[("fields.whitelist", "mapped")],
    ),
    ("sink-sqlite.properties", 0, &[]),
    ("sink-aiven-multi.json", 0, &[]),
    (
        "sink-debezium-upsert.json",
        0,
        &[
            ("primary.key.mode", "mapped"),
            ("connection.username", "mapped"),
        ],
    ),
    (
        "sink-debezium-tuned.properties",
        0,
        &[("connection.pool.max_size", "ignored")],
    ),
    (
        "sink-debezium-table-name.json",
        0,
        &[("hibernate.c3p0.idle_test_period", "ignored")],
    ),
    (
        "sink-value-keys.properties",
        0,
        &[("mssql.use.merge.holdlock", "ignored")],
    ),
    ("sink-oracle.json", 2, &[]),
    ("sink-debezium-db2.properties", 2, &[]),
];

fn check_configuration(case: &Case) {
    let (file, code, expected) = case;
    let path = repository()
        .join("tests/fixtures/connect-configs")
        .join(file);
    let mut command = linkspan(&["validate", "-o", "json"]);
    command.arg(&path).env("SHOP_PASSWORD", "geheim");
    let ran = run(&mut command);
    assert_eq!(
        ran.status.code(),
        Some(*code),
        "{file}\n{}\n{}",
        ran.stdout,
        ran.stderr
    );
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        !said.contains("changeit") && !said.contains("geheim"),
        "{file}: {said}"
    );
    if *code != 0 {
        for text in ["does not speak yet", "PostgreSQL", "MariaDB", "SQLite"] {
            assert!(said.contains(text), "{file}: `{text}` is not in {said}");
        }
        return;
    }
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let keys = json["keys"].as_array().unwrap();
    // Nothing is passed over: every key of the file is accounted for, and what has no effect says why.
    let text = fs::read_to_string(&path).unwrap();
    let in_file = if file.ends_with(".json") {
        serde_json::from_str::<Value>(&text).unwrap()["config"]
            .as_object()
            .unwrap()
            .len()
    } else {
        text.lines()
            .filter(|line| line.contains('=') && !line.starts_with('#'))
            .count()
    };
    assert!(
        keys.len() >= in_file,
        "{file}: {} of {in_file} keys\n{said}",
        keys.len()
    );
    for key in keys {
        let (name, fate, why) = (
            &key["key"],
            key["fate"].as_str().unwrap(),
            key["why"].as_str().unwrap(),
        );
        assert!(
            fate == "used" || fate == "mapped" || !why.is_empty(),
            "{file}: {name} is {fate} without a reason"
        );
    }
    for (name, fate) in *expected {
        let key = keys.iter().find(|key| key["key"] == *name);
        assert_eq!(
            key.map(|key| key["fate"].as_str().unwrap()),
            Some(*fate),
            "{file}: {name}\n{said}"
        );
    }
}

#[test]
fn source_configurations_of_kafka_connect_start_or_say_why_not() {
    SOURCES.iter().for_each(check_configuration);
}

#[test]
fn sink_configurations_of_kafka_connect_start_or_say_why_not() {
    let classes = run(&mut linkspan(&["plugin", "list"]));
    if !classes.stdout.contains("sql-sink") {
        return crate::support::skip("configurations of SQL sinks", "no plugin offers `sql-sink`");
    }
    SINKS.iter().for_each(check_configuration);
}

/// The values of a topic, as JSON.
fn consumed(data: &Path, topic: &str) -> Vec<Value> {
    let ran = run(linkspan(&["consume", topic, "--exit", "-o", "json", "--data"]).arg(data))
        .expect_code(0);
    let value = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        serde_json::from_str(record["value"].as_str().unwrap()).unwrap()
    };
    ran.stdout.lines().map(value).collect()
}

#[test]
fn a_jdbc_configuration_reads_a_real_server() {
    let Some(server) = servers::postgres() else {
        return;
    };
    let database = server.database();
    server.sql(&database, "CREATE TABLE orders (order_id serial, item text, price numeric(9,2), at timestamp); \
        INSERT INTO orders (item, price, at) VALUES ('a', 1.5, '2024-01-01 10:00:00.123'), ('b', 2, NULL)");
    let scratch = Scratch::new();
    let fixture =
        repository().join("tests/fixtures/connect-configs/source-postgres-incrementing.json");
    let mut json: Value = serde_json::from_str(&fs::read_to_string(fixture).unwrap()).unwrap();
    let url = format!(
        "jdbc:postgresql://127.0.0.1:{}/{database}?sslmode=prefer&ApplicationName=kafka-connect&reWriteBatchedInserts=true",
        server.port
    );
    json["config"]["connection.url"] = url.into();
    json["config"]["connection.user"] = servers::USER.into();
    let file = scratch.write("source.json", json.to_string());
    let data = scratch.path("data");
    // The server trusts whoever comes: any password will do.
    let mut command = linkspan(&["run", "--once", "-o", "json", "--timeout", "60s", "--data"]);
    command.arg(&data).arg(&file).env("SHOP_PASSWORD", "geheim");
    let ran = run(&mut command).expect_code(0);
    assert_eq!(records(&summary(&ran), "shop-orders-source"), 2);
    let rows = consumed(&data, "shop-orders");
    assert_eq!(rows[0]["item"], "a");
    // As the JDBC connector does: milliseconds, UTC.
    assert_eq!(rows[0]["at"], 1_704_103_200_123_i64, "{rows:?}");
    server.sql(&database, "INSERT INTO orders (item) VALUES ('c')");
    let ran = run(&mut command).expect_code(0);
    assert_eq!(records(&summary(&ran), "shop-orders-source"), 1);
}

#[test]
fn a_recipe_follows_a_real_server() {
    let Some(server) = servers::postgres() else {
        return;
    };
    let database = server.database();
    server.sql(&database, "CREATE TABLE orders (id int PRIMARY KEY, item text, changed timestamptz NOT NULL DEFAULT now()); \
        INSERT INTO orders VALUES (1, 'a', '2024-01-01 10:00+09'), (2, 'b', '2024-01-02')");
    let scratch = Scratch::new();
    let yaml = scratch.write(
        "p.yaml",
        fs::read(repository().join("configs/servers/postgres-to-csv.yaml")).unwrap(),
    );
    let mut command = linkspan(&["run"]);
    command.arg(&yaml).env("SOURCE_URL", server.url(&database));
    let mut child = start(
        &mut command,
        &scratch.path("stdout"),
        &scratch.path("stderr"),
    );
    let lines = |wanted: usize| {
        eventually(Duration::from_secs(60), || {
            fs::read_to_string(scratch.path("out/orders.csv"))
                .is_ok_and(|text| text.lines().count() == wanted)
        })
    };
    assert!(lines(3), "{}", scratch.read("stderr"));
    server.sql(
        &database,
        "UPDATE orders SET item = 'B', changed = now() WHERE id = 2",
    );
    assert!(lines(4), "{}", scratch.read("stderr"));
    stop(&child);
    wait(&mut child, Duration::from_secs(30)).unwrap();
    let text = scratch.read("out/orders.csv");
    assert!(
        text.starts_with("id,item,changed\n1,a,2024-01-01T01:00:00Z\n"),
        "{text}"
    );
}

fn stop(child: &std::process::Child) {
    let _code = Command::new("kill")
        .args(["-s", "TERM", &child.id().to_string()])
        .status();
}

#[test]
fn a_server_that_is_away_is_waited_for_and_shown() {
    let scratch = Scratch::new();
    let port = servers::free_port();
    let yaml = scratch.write("p.yaml", format!(
        "connectors:\n  in:\n    connector: sql-source\n    connection.url: postgres://nobody:geheim@127.0.0.1:{port}/x\n    mode: bulk\n    topic.prefix: t-\n"
    ));
    let ran = run_once(&yaml, &["--timeout", "4s"])
        .expect_code(1)
        .says(&["127.0.0.1", "next attempt in"]);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("geheim"));
}

/// A table that grows while the process that reads it is killed again and again.
struct Growing {
    /// `None`: SQLite.
    kind: Option<servers::Kind>,
    scratch: Scratch,
    sql: Box<dyn Fn(&str)>,
    yaml: std::path::PathBuf,
    rows: i64,
}

impl Growing {
    fn new(
        kind: Option<servers::Kind>,
        url: &str,
        scratch: Scratch,
        sql: Box<dyn Fn(&str)>,
        mode: &str,
    ) -> Self {
        sql("CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, pad varchar(100))");
        let yaml = scratch.write("p.yaml", format!(
            "topics:\n  k-t: {{ partitions: 3 }}\nconnectors:\n  in:\n    connector: sql-source\n    connection.url: {url}\n    mode: {mode}\n    \
             table.include.list: [t]\n    topic.prefix: k-\n    poll.interval.ms: 5ms\n    batch.max.rows: 100\n    lookback.ms: 0ms\n    fetch.bytes: 64KiB\n"
        ));
        Self {
            kind,
            scratch,
            sql,
            yaml,
            rows: 0,
        }
    }

    /// Adds rows, starts, and kills after a while; the moments differ by round.
    fn round(&mut self, round: u32) {
        let (from, to) = (self.rows + 1, self.rows + 2_000);
        (self.sql)(&match self.kind {
            Some(servers::Kind::Postgres) => format!(
                "INSERT INTO t SELECT n, repeat('x', 80) FROM generate_series({from}, {to}) n"
            ),
            Some(servers::Kind::MariaDb) => {
                format!("INSERT INTO t SELECT seq, repeat('x', 80) FROM seq_{from}_to_{to}")
            }
            None => format!(
                "WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s WHERE n < {to}) INSERT INTO t SELECT n, hex(zeroblob(40)) FROM s"
            ),
        });
        self.rows += 2_000;
        let mut command = linkspan(&["run", "--data"]);
        command.arg(self.scratch.path("data")).arg(&self.yaml);
        let mut child = start(
            &mut command,
            &self.scratch.path("stdout"),
            &self.scratch.path("stderr"),
        );
        let begin = Instant::now();
        let running = || {
            fs::read_to_string(self.scratch.path("stderr"))
                .is_ok_and(|text| text.contains("linkspan"))
        };
        assert!(eventually(Duration::from_secs(60), running));
        let wait = Duration::from_millis(u64::from(60 + round * 97 % 700));
        eventually(wait, || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(begin.elapsed() < Duration::from_secs(120));
    }

    /// Reads the rest; returns how often each row is in the log.
    fn finish(&self) -> Vec<u32> {
        let data = self.scratch.path("data");
        run_once(
            &self.yaml,
            &["--timeout", "100s", "--data", data.to_str().unwrap()],
        )
        .expect_code(0);
        let mut counts = vec![0; usize::try_from(self.rows).unwrap()];
        for row in consumed(&data, "k-t") {
            let id = usize::try_from(row["id"].as_i64().unwrap()).unwrap();
            counts[id - 1] += 1;
        }
        counts
    }
}

fn rounds() -> u32 {
    env::var("SQL_KILL_ROUNDS").map_or(4, |text| text.parse().unwrap())
}

fn kill_loop(mut growing: Growing, name: &str) {
    for round in 0..rounds() {
        growing.round(round);
    }
    let counts = growing.finish();
    let wrong = counts.iter().filter(|count| **count != 1).count();
    println!(
        "{name}: {} rows, {} kills, {wrong} rows lost or doubled",
        counts.len(),
        rounds()
    );
    assert_eq!(wrong, 0);
}

fn on_sqlite(mode: &str) -> Growing {
    let scratch = Scratch::new();
    let path = scratch.path("a.db");
    let file = path.clone();
    let sql = move |sql: &str| {
        let mut command = Command::new(servers::program("sqlite3").unwrap());
        let output = command
            .arg("-cmd")
            .arg(".timeout 10000")
            .arg(&file)
            .arg(sql)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    Growing::new(
        None,
        &format!("sqlite:{}", path.display()),
        scratch,
        Box::new(sql),
        mode,
    )
}

#[test]
fn rows_of_a_server_are_in_the_log_once_whatever_kills_the_host() {
    for server in [servers::postgres(), servers::mariadb()]
        .into_iter()
        .flatten()
    {
        let database = server.database();
        let url = server.url(&database);
        let sql = move |sql: &str| {
            server.sql(&database, sql);
        };
        kill_loop(
            Growing::new(
                Some(server.kind),
                &url,
                Scratch::new(),
                Box::new(sql),
                "incrementing",
            ),
            &format!("{:?}", server.kind),
        );
    }
}

#[test]
fn rows_of_sqlite_are_in_the_log_once_whatever_kills_the_host() {
    if servers::program("sqlite3").is_none() {
        return servers::skip_outside_ci("kill loop of SQLite", "sqlite3 not found");
    }
    kill_loop(on_sqlite("incrementing"), "SQLite");
}

#[test]
fn without_a_position_the_same_check_fails() {
    if servers::program("sqlite3").is_none() {
        return servers::skip_outside_ci("control of the kill loop", "sqlite3 not found");
    }
    // A bulk read has no position: the check has to see what comes twice.
    let mut growing = on_sqlite("bulk");
    for round in 0..2 {
        growing.round(round);
    }
    assert!(growing.finish().iter().any(|count| *count > 1));
}
