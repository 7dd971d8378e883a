//! A server that goes away for a while under a running host: RETRYING with the next attempt shown, work within 10 seconds after it
//! is back, nothing lost, nothing doubled; also where it was not there when the host began.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::servers::{Kind, Server};
use crate::support::{Scratch, eventually, linkspan, run, start, wait};

/// What is promised once the server takes connections again.
const RECOVERY: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(90);
/// Failed attempts that are waited for: by then pauses have grown.
const ATTEMPTS: u64 = 3;

/// How long the server stays away at least; minutes, by hand.
fn outage() -> Duration {
    Duration::from_secs(env::var("OUTAGE_SECONDS").map_or(0, |text| text.parse().unwrap()))
}

/// A host with two ways: a file into table `target`, and table `origin` into a file.
struct Host {
    scratch: Scratch,
    child: Child,
    server: Server,
    database: String,
    lines: u32,
}

impl Host {
    fn start(server: Server) -> Self {
        let database = server.database();
        for table in ["target", "origin"] {
            server.sql(
                &database,
                &format!("CREATE TABLE {table} (id BIGINT NOT NULL, name VARCHAR(20))"),
            );
        }
        let scratch = Scratch::new();
        let url = server.url(&database);
        let yaml = scratch.write("p.yaml", format!(
            "connectors:\n  file-in: {{ connector: file-source, path: in.csv, format: csv, csv.types: {{ id: int64 }}, topic: to, poll.interval: 50ms }}\n  \
             table-out: {{ connector: sql-sink, connection.url: '{url}', topics: [to], table.name.format: target }}\n  \
             table-in: {{ connector: sql-source, connection.url: '{url}', mode: incrementing, incrementing.column.name: id, table.include.list: [origin], \
             topic.prefix: from-, poll.interval.ms: 50ms, lookback.ms: 0ms }}\n  \
             file-out: {{ connector: file-sink, topics: [from-origin], path: out.jsonl, format: jsonl }}\n"
        ));
        scratch.write("in.csv", "id,name\n");
        let mut command = linkspan(&["run", "--listen", "none"]);
        let child = start(
            command.arg(&yaml),
            &scratch.path("stdout"),
            &scratch.path("stderr"),
        );
        let host = Self {
            scratch,
            child,
            server,
            database,
            lines: 0,
        };
        assert!(
            eventually(SOON, || host.said().contains("connectors; Ctrl-C")),
            "{}",
            host.said()
        );
        host
    }

    fn said(&self) -> String {
        self.scratch.read("stderr")
    }

    fn add_lines(&mut self, more: u32) {
        let mut file = OpenOptions::new()
            .append(true)
            .open(self.scratch.path("in.csv"))
            .unwrap();
        for n in self.lines..self.lines + more {
            writeln!(file, "{n},line {n}").unwrap();
        }
        self.lines += more;
    }

    fn add_rows(&self, from: u32, to: u32) {
        let rows: Vec<String> = (from..to).map(|n| format!("({n}, 'row {n}')")).collect();
        self.server.sql(
            &self.database,
            &format!("INSERT INTO origin VALUES {}", rows.join(", ")),
        );
    }

    fn in_target(&self) -> String {
        self.server
            .try_sql(
                &self.database,
                "SELECT count(*), count(DISTINCT id) FROM target",
            )
            .unwrap_or_default()
    }

    fn in_file(&self) -> Vec<i64> {
        let text = std::fs::read_to_string(self.scratch.path("out.jsonl")).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["id"].as_i64())
            .collect()
    }

    #[track_caller]
    fn arrives(&self, limit: Duration, lines: u32, rows: u32) {
        let wanted = format!("{lines}|{lines}");
        let all: Vec<i64> = (0..i64::from(rows)).collect();
        assert!(
            eventually(limit, || self.in_target() == wanted
                && self.in_file() == all),
            "after {limit:?}: table {} of {wanted}, file {} of {rows}\n{}",
            self.in_target(),
            self.in_file().len(),
            self.said()
        );
    }

    fn status(&self, name: &str) -> Value {
        let data = self.scratch.path("linkspan-data");
        let ran =
            run(linkspan(&["describe", name, "-o", "json"]).args([Path::new("--data"), &data]))
                .expect_code(0);
        serde_json::from_str(ran.stdout.trim()).unwrap()
    }

    /// Waits until a connector says that it tries again, when, and why.
    #[track_caller]
    fn retries(&self, name: &str) {
        let mut last = Value::Null;
        let shown = eventually(SOON, || {
            last = self.status(name);
            let task = &last["tasks"][0];
            task["state"] == "RETRYING"
                && task["next_attempt_ms"]
                    .as_u64()
                    .is_some_and(|ms| ms <= 5_000)
                && task["trace"]
                    .as_str()
                    .is_some_and(|why| why.contains(&format!("127.0.0.1:{}", self.server.port)))
        });
        assert!(shown, "{name}: {last}");
    }

    #[track_caller]
    fn works(&self, name: &str) {
        assert!(
            eventually(SOON, || self.status(name)["tasks"][0]["state"] == "RUNNING"),
            "{name}: {}",
            self.status(name)
        );
    }

    /// How often the task of a connector has said that it tries again.
    fn attempts(&self, name: &str) -> u64 {
        let said = self.said();
        let lines = said
            .lines()
            .filter(|line| line.contains(name) && line.contains("next attempt in"));
        lines.count() as u64
    }

    fn stop(mut self) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(asked.unwrap().success());
        wait(&mut self.child, SOON).unwrap();
    }
}

/// The server stops as an operator stops it, or dies; what comes meanwhile waits, and is there when it is back.
fn outage_of(kind: Kind, end: fn(&mut Server)) {
    let Some(server) = Server::start(kind, &[]) else {
        return;
    };
    let mut host = Host::start(server);
    host.add_lines(200);
    host.add_rows(0, 200);
    host.arrives(SOON, 200, 200);

    end(&mut host.server);
    let away = Instant::now();
    host.add_lines(200);
    for name in ["table-out", "table-in"] {
        host.retries(name);
        let tried = eventually(SOON.max(outage()), || {
            host.attempts(name) >= ATTEMPTS && away.elapsed() >= outage()
        });
        assert!(tried, "{name}: {}", host.said());
    }
    host.server.start_again();
    let back = Instant::now();
    host.add_rows(200, 400);
    host.arrives(RECOVERY, 400, 400);
    println!(
        "{kind:?}: away for {:.1} s, all there {:.1} s after it was back",
        away.elapsed().as_secs_f64() - back.elapsed().as_secs_f64(),
        back.elapsed().as_secs_f64()
    );
    for name in ["table-out", "table-in"] {
        host.works(name);
    }
    // A row too many would come with the next batch.
    host.add_lines(10);
    host.arrives(SOON, 410, 400);
    host.stop();
}

#[test]
fn an_outage_of_postgres_is_waited_out() {
    outage_of(Kind::Postgres, Server::stop);
}

#[test]
fn an_outage_of_mariadb_is_waited_out() {
    outage_of(Kind::MariaDb, Server::kill);
}

/// The host begins while the server is away: the same pauses, the same recovery.
#[test]
fn a_server_that_comes_after_the_host_is_found_within_seconds() {
    let Some(mut server) = Server::start(Kind::Postgres, &[]) else {
        return;
    };
    // The host needs the tables when it finds the server: they are made before.
    let database = server.database();
    server.sql(
        &database,
        "CREATE TABLE origin (id BIGINT PRIMARY KEY); INSERT INTO origin SELECT * FROM generate_series(1, 50)",
    );
    server.stop();
    let scratch = Scratch::new();
    let url = server.url(&database);
    let yaml = scratch.write("p.yaml", format!(
        "connectors:\n  table-in: {{ connector: sql-source, connection.url: '{url}', mode: incrementing, table.include.list: [origin], topic.prefix: x-, \
         poll.interval.ms: 50ms }}\n  \
         table-out: {{ connector: sql-sink, connection.url: '{url}', topics: [x-origin], table.name.format: copied, auto.create: true }}\n"
    ));
    let mut child = start(
        linkspan(&["run", "--listen", "none"]).arg(&yaml),
        &scratch.path("stdout"),
        &scratch.path("stderr"),
    );
    let asked = |name: &str| {
        let said = scratch.read("stderr");
        said.lines()
            .filter(|line| line.contains(name) && line.contains("next attempt in"))
            .count()
    };
    let away = Instant::now();
    let tried = eventually(SOON.max(outage()), || {
        asked("table-in") >= 4 && asked("table-out") >= 2 && away.elapsed() >= outage()
    });
    assert!(tried, "{}", scratch.read("stderr"));
    let pauses: Vec<u64> = scratch
        .read("stderr")
        .split("next attempt in ")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(pauses.iter().all(|pause| *pause <= 5), "{pauses:?}");
    server.start_again();
    let back = Instant::now();
    let all = || server.try_sql(&database, "SELECT count(*), count(DISTINCT id) FROM copied");
    let found = eventually(RECOVERY, || all().as_deref() == Ok("50|50"));
    assert!(
        found,
        "after {RECOVERY:?}: {:?}\n{}",
        all(),
        scratch.read("stderr")
    );
    println!(
        "a server that came late: all there {:.1} s after it was up",
        back.elapsed().as_secs_f64()
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
