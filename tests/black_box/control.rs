//! Pause, stop, restart and offsets of connectors, of a running host and over its restarts. Names in brackets are those of
//! Kafka Connect's own integration tests.

mod letters;
mod reload;
mod scenarios;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};

use crate::pipeline::numbered;
use crate::support::{Ran, Scratch, eventually, linkspan, run, run_once, start, wait};

const SOON: Duration = Duration::from_secs(60);

/// A host in a folder of its own: `in.txt` → `lines` → `out.txt`.
struct Host {
    scratch: Scratch,
    child: Option<Child>,
}

fn pipeline(source: &str, sink: &str) -> String {
    format!(
        "connectors:\n  {source}:\n    connector: file-source\n    path: in.txt\n    topic: lines\n    poll.interval: 100ms\n  \
         {sink}:\n    connector: file-sink\n    topics: [lines]\n    path: out.txt\n    on.existing: append\n"
    )
}

impl Host {
    fn new(yaml: &str) -> Self {
        let scratch = Scratch::new();
        scratch.write("p.yaml", yaml);
        Self {
            scratch,
            child: None,
        }
    }

    fn with_lines(yaml: &str, lines: std::ops::Range<u32>) -> Self {
        let host = Self::new(yaml);
        host.scratch.write("in.txt", numbered(lines));
        host
    }

    fn start(&mut self) {
        self.start_with(&[]);
    }

    fn start_with(&mut self, arguments: &[&str]) {
        self.start_switched(arguments, &[]);
    }

    /// Starts it with variables of its environment set.
    fn start_switched(&mut self, arguments: &[&str], switches: &[&str]) {
        let mut command = linkspan(&["run", "--listen", "none"]);
        for switch in switches {
            command.env(switch, "1");
        }
        let child = start(
            command.args(arguments).arg(self.scratch.path("p.yaml")),
            &self.scratch.path("stdout"),
            &self.scratch.path("stderr"),
        );
        self.child = Some(child);
        // Not by asking: without a host a command opens the directory itself.
        assert!(
            eventually(SOON, || self.said().contains("connectors; Ctrl-C")),
            "the host does not start: {}",
            self.said()
        );
    }

    fn signal(&mut self, signal: &str) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let done = Command::new("sh")
            .args(["-c", &format!("kill -{signal} {}", child.id())])
            .status()
            .unwrap();
        assert!(done.success());
        let status = wait(&mut child, SOON).unwrap_or_else(|| panic!("no end: {}", self.said()));
        status.code()
    }

    fn said(&self) -> String {
        self.scratch.read("stderr")
    }

    fn call(&self, arguments: &[&str]) -> Ran {
        let data = self.scratch.path("linkspan-data");
        run(linkspan(arguments).args([
            Path::new("-o"),
            Path::new("json"),
            Path::new("--data"),
            &data,
        ]))
    }

    #[track_caller]
    fn get(&self, arguments: &[&str]) -> Value {
        let ran = self.call(arguments).expect_code(0);
        serde_json::from_str(ran.stdout.trim())
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ran.stdout))
    }

    #[track_caller]
    fn reaches(&self, name: &str, state: &str, tasks: &[&str]) -> Value {
        let mut last = Value::Null;
        let reached = eventually(SOON, || {
            last = self.get(&["describe", name]);
            let states: Vec<&str> = last["tasks"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|task| task["state"].as_str())
                .collect();
            last["state"] == state && states == tasks
        });
        assert!(
            reached,
            "{name} is not {state} {tasks:?}: {last}\n{}",
            self.said()
        );
        last
    }

    fn lines_out(&self) -> usize {
        std::fs::read(self.scratch.path("out.txt")).map_or(0, |bytes| {
            bytes.iter().filter(|byte| **byte == b'\n').count()
        })
    }

    #[track_caller]
    fn writes(&self, lines: usize) {
        assert!(
            eventually(SOON, || self.lines_out() >= lines),
            "{} of {lines} lines: {}",
            self.lines_out(),
            self.said()
        );
        // A line too many would come now.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(self.lines_out(), lines, "{}", self.said());
    }

    fn append(&self, text: &str) {
        let path = self.scratch.path("in.txt");
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

fn sink_offset(offset: Value) -> String {
    json!({ "offsets": [{ "partition": { "kafka_topic": "lines", "kafka_partition": 0 }, "offset": offset }] })
        .to_string()
}

/// (W6, W12) The whole walk, with the lists of tasks; then a deletion is refused while the file has it.
#[test]
fn a_connector_walks_through_its_states_and_has_tasks_only_where_connect_has() {
    let mut host = Host::with_lines(&pipeline("in", "out"), 0..5);
    host.start();
    host.reaches("in", "RUNNING", &["RUNNING"]);
    for (verb, state, tasks) in [
        ("stop", "STOPPED", &[] as &[&str]),
        ("resume", "RUNNING", &["RUNNING"]),
        ("pause", "PAUSED", &["PAUSED"]),
        ("stop", "STOPPED", &[]),
        ("pause", "PAUSED", &[]),
        ("resume", "RUNNING", &["RUNNING"]),
        ("resume", "RUNNING", &["RUNNING"]),
    ] {
        for name in ["in", "out"] {
            host.get(&[verb, name]);
            host.reaches(name, state, tasks);
        }
    }
    host.writes(5);
    // While the source is paused nothing is read, while the sink is paused nothing is written.
    host.get(&["pause", "out"]);
    host.reaches("out", "PAUSED", &["PAUSED"]);
    host.append("more\n");
    host.get(&["stop", "in"]);
    host.reaches("in", "STOPPED", &[]);
    host.writes(5);
    host.get(&["resume", "in"]);
    host.get(&["resume", "out"]);
    host.writes(6);
    host.call(&["delete", "in", "--yes"])
        .expect_code(2)
        .says(&["LS0611", "p.yaml:2"]);
    host.call(&["pause", "nobody"])
        .expect_code(2)
        .says(&["LS0610", "Unknown connector nobody"]);
    assert_eq!(host.signal("TERM"), Some(143));
}

/// (W9, W10, W11, O1, O3–O5, O7, O9) Offsets: only while stopped, exactly the rest afterwards.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one sequence, each step builds on the last"
)]
fn altered_offsets_of_source_and_sink_leave_exactly_the_remaining_records() {
    let yaml = pipeline("in", "out").replace(
        "    poll.interval",
        "    initial.state: STOPPED\n    poll.interval",
    );
    let mut host = Host::with_lines(&yaml, 0..10);
    host.start();
    host.reaches("in", "STOPPED", &[]);
    assert_eq!(
        host.get(&["offsets", "get", "in"]),
        json!({ "offsets": [] })
    );
    let file = host.scratch.path("in.txt").to_str().unwrap().to_owned();
    let five = numbered(0..5).len();
    let body = json!({ "offsets": [{ "partition": { "filename": file }, "offset": { "position": five } }] });
    host.get(&["offsets", "set", "in", &body.to_string()]);
    host.get(&["resume", "in"]);
    host.writes(5);
    assert_eq!(host.scratch.read("out.txt"), numbered(5..10));
    let sinks = host.get(&["offsets", "get", "out"]);
    assert_eq!(sinks["offsets"][0]["offset"]["kafka_offset"], 5, "{sinks}");

    // Not while it runs or is paused.
    for verb in ["resume", "pause"] {
        host.get(&[verb, "out"]);
        for change in [
            &["offsets", "set", "out", "{}"] as &[&str],
            &["offsets", "reset", "out", "--yes"],
        ] {
            host.call(change)
                .expect_code(2)
                .says(&["LS0612", "must be in the STOPPED state"]);
        }
    }
    host.get(&["stop", "out"]);
    host.reaches("out", "STOPPED", &[]);
    for (body, text) in [
        ("{}", "Partitions / offsets need to be provided"),
        ("[]", "must be an object"),
        (r#"{"ofsets":[]}"#, "Unrecognized field \"ofsets\""),
        (
            r#"{"offsets":[{"offset":{}}]}"#,
            "cannot be null or missing",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_partition":0},"offset":null}]}"#,
            "must contain the key 'kafka_topic'",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_topic":"lines"},"offset":null}]}"#,
            "must contain the key 'kafka_partition'",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_topic":"lines","kafka_partition":"x"},"offset":null}]}"#,
            "Partition values for sink connectors need to be integers",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_topic":"lines","kafka_partition":0},"offset":{}}]}"#,
            "contain the key 'kafka_offset'",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_topic":"lines","kafka_partition":0},"offset":{"kafka_offset":"1.5"}}]}"#,
            "Offset values for sink connectors need to be integers",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_topic":"lines","kafka_partition":0},"offset":{"kafka_offset":99}}]}"#,
            "99",
        ),
        (
            r#"{"offsets":[{"partition":{"kafka_topic":"other","kafka_partition":0},"offset":{"kafka_offset":0}}]}"#,
            "does not read topic `other`",
        ),
        ("{", "not JSON"),
    ] {
        host.call(&["offsets", "set", "out", body])
            .expect_code(2)
            .says(&["LS0613", text]);
    }
    // Numbers may be texts. From offset 3 on: the last two again.
    host.get(&[
        "offsets",
        "set",
        "out",
        &sink_offset(json!({ "kafka_offset": "3" })),
    ]);
    host.get(&["resume", "out"]);
    host.writes(7);
    // A reset, twice; then everything again.
    host.get(&["stop", "out"]);
    host.reaches("out", "STOPPED", &[]);
    for _ in 0..2 {
        host.get(&["offsets", "reset", "out", "--yes"]);
        assert_eq!(
            host.get(&["offsets", "get", "out"]),
            json!({ "offsets": [] })
        );
    }
    host.get(&["offsets", "set", "out", &sink_offset(Value::Null)]);
    host.get(&["resume", "out"]);
    host.writes(12);
    // To a time that no record has: nothing comes; to the first moment: all of them.
    for (time, lines) in [("2999-01-01", 12), ("2000-01-01T00:00:00Z", 17)] {
        host.get(&["stop", "out"]);
        host.reaches("out", "STOPPED", &[]);
        host.get(&["offsets", "rewind", "out", "--to", time]);
        host.get(&["resume", "out"]);
        host.reaches("out", "RUNNING", &["RUNNING"]);
        host.writes(lines);
    }
    assert_eq!(host.signal("TERM"), Some(143));
}

/// A host that was killed comes back as it was, and what is commanded without a host holds from its next start on.
#[test]
fn what_was_paused_or_stopped_stays_so_over_a_kill_and_commands_work_without_a_host() {
    let mut host = Host::with_lines(&pipeline("in", "out"), 0..5);
    host.start();
    host.writes(5);
    host.get(&["pause", "out"]);
    host.get(&["stop", "in"]);
    host.reaches("out", "PAUSED", &["PAUSED"]);
    host.reaches("in", "STOPPED", &[]);
    // Statuses are gathered for a moment before they are stored.
    std::thread::sleep(Duration::from_secs(2));
    host.signal("KILL");
    let row = host.get(&["describe", "out"]);
    assert_eq!(
        (&row["state"], &row["target"]),
        (&json!("PAUSED"), &json!("PAUSED"))
    );
    host.append("more\n");

    host.start();
    host.reaches("out", "PAUSED", &["PAUSED"]);
    host.reaches("in", "STOPPED", &[]);
    host.writes(5);
    assert_eq!(host.signal("TERM"), Some(143));

    host.get(&["resume", "in"]);
    host.get(&["stop", "out"]);
    host.get(&[
        "offsets",
        "set",
        "out",
        &sink_offset(json!({ "kafka_offset": 4 })),
    ]);
    host.start();
    host.reaches("in", "RUNNING", &["RUNNING"]);
    host.reaches("out", "STOPPED", &[]);
    host.get(&["resume", "out"]);
    // The fifth line again, and the new one.
    host.writes(7);
    assert_eq!(host.signal("TERM"), Some(143));
}

/// (W4, DESIGN §9) Files own connectors: what leaves stops and keeps its offsets; a new name takes them over; only then a
/// deletion forgets them.
#[test]
fn a_connector_that_leaves_its_file_keeps_its_offsets_until_it_is_renamed_or_deleted() {
    let mut host = Host::with_lines(&pipeline("in", "out"), 0..5);
    host.start();
    host.writes(5);
    host.get(&["pause", "out"]);
    host.reaches("out", "PAUSED", &["PAUSED"]);
    assert_eq!(host.signal("TERM"), Some(143));

    // Both names change; without `moved.from` everything would be read and written again.
    let renamed = pipeline("input", "output")
        .replace("    topic: lines", "    moved.from: in\n    topic: lines")
        .replace(
            "    topics: [lines]",
            "    moved.from: out\n    topics: [lines]",
        );
    host.scratch.write("p.yaml", &renamed);
    host.append("more\n");
    host.start();
    host.reaches("output", "PAUSED", &[]);
    host.call(&["describe", "in"])
        .expect_code(2)
        .says(&["LS0610"]);
    host.get(&["resume", "output"]);
    host.writes(6);
    assert_eq!(host.signal("TERM"), Some(143));

    // The sink leaves its file.
    let (source, _) = renamed.split_once("  output:").unwrap();
    host.scratch.write("p.yaml", source);
    host.start();
    host.reaches("output", "STOPPED", &[]);
    assert_eq!(host.get(&["describe", "output"])["left"], true);
    let offsets = host.get(&["offsets", "get", "output"]);
    assert_eq!(
        offsets["offsets"][0]["offset"]["kafka_offset"], 6,
        "{offsets}"
    );
    host.get(&["delete", "output", "--yes"]);
    host.call(&["describe", "output"])
        .expect_code(2)
        .says(&["LS0610"]);
    host.call(&["groups", "describe", "connect-output"])
        .expect_code(2);
    assert_eq!(host.signal("TERM"), Some(143));

    // It comes back as a new one: everything again, as the negative control of the rename.
    host.scratch.write("p.yaml", &renamed);
    host.start();
    host.writes(12);
    assert_eq!(host.signal("TERM"), Some(143));
}

/// A rename works in a job as well, and a copy instead of a rename is refused.
#[test]
fn moved_from_works_in_a_job_once_and_never_beside_its_origin() {
    let host = Host::with_lines(&pipeline("in", "out"), 0..5);
    let yaml = host.scratch.path("p.yaml");
    run_once(&yaml, &[]).expect_code(0);
    let moved = "    moved.from: in\n    topic: lines";
    host.scratch.write(
        "p.yaml",
        pipeline("input", "out").replace("    topic: lines", moved),
    );
    for _ in 0..2 {
        run_once(&yaml, &[]).expect_code(0);
        assert_eq!(host.lines_out(), 5);
    }
    let both = format!(
        "{}  in:\n    connector: file-source\n    path: in.txt\n    topic: lines\n",
        pipeline("input", "out").replace("    topic: lines", moved)
    );
    host.scratch.write("p.yaml", both);
    run_once(&yaml, &[]).expect_code(2).says(&["LS0214"]);
}

const TWO_TASKS: &str = "connectors:\n  in:\n    connector: file-source\n    path: [a.txt, b.txt]\n    topic: lines\n    \
    tasks.max: 2\n    poll.interval: 100ms\n    max.line.bytes: ${file:limits.properties:max}\n  \
    spare:\n    connector: blackhole-sink\n    topics: [lines]\n";

/// (R1–R3) includeTasks × onlyFailed × what has failed: exactly these starts of the connector and of both tasks.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "one table and what holds for each of its rows"
)]
fn restarts_start_exactly_what_was_asked_for() {
    type Row<'a> = (&'a str, [&'a str; 2], [[u64; 3]; 4]);
    const GOOD: &str = "short\n";
    let long = "x".repeat(100) + "\n";
    // What has failed; then for (include, only): (no, no), (no, yes), (yes, no), (yes, yes).
    let table: [Row<'_>; 4] = [
        (
            "nothing",
            [GOOD, GOOD],
            [[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 0]],
        ),
        (
            "connector",
            [GOOD, GOOD],
            [[1, 0, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]],
        ),
        (
            "both tasks",
            [&long, &long],
            [[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 1]],
        ),
        (
            "one task",
            [GOOD, &long],
            [[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]],
        ),
    ];
    for (failed, files, expected) in table {
        let mut host = Host::new(TWO_TASKS);
        host.scratch.write("limits.properties", "max=50B\n");
        host.scratch.write("a.txt", files[0]);
        host.scratch.write("b.txt", files[1]);
        host.start();
        let states: Vec<&str> = files
            .iter()
            .map(|text| if text.len() > 50 { "FAILED" } else { "RUNNING" })
            .collect();
        let mut states = states;
        let mut expected = expected;
        if failed == "one task" {
            // Which task has which file is the connector's to say.
            let is_failed = || host.get(&["get", "in"]).to_string().contains("\"FAILED\"");
            assert!(eventually(SOON, is_failed), "{}", host.said());
            if host.get(&["describe", "in"])["tasks"][0]["state"] == "FAILED" {
                states.reverse();
                for row in &mut expected {
                    row.swap(1, 2);
                }
            }
        }
        host.reaches("in", "RUNNING", &states);
        let flags: [&[&str]; 4] = [
            &[],
            &["--only-failed"],
            &["--include-tasks"],
            &["--include-tasks", "--only-failed"],
        ];
        for (flags, expected) in flags.into_iter().zip(expected) {
            if failed == "connector" {
                // Its plan cannot be made while the file of a placeholder is away; its tasks run on (W18).
                std::fs::remove_file(host.scratch.path("limits.properties")).unwrap();
                host.get(&["restart", "in"]);
                host.reaches("in", "FAILED", &states);
                host.scratch.write("limits.properties", "max=50B\n");
            }
            let before = starts(&host);
            let answer = host.get(&[&["restart", "in"], flags].concat());
            let restarting = answer
                .to_string()
                .matches("\"state\":\"RESTARTING\"")
                .count() as u64;
            assert_eq!(
                restarting,
                expected.iter().sum::<u64>(),
                "{failed} {flags:?}: {answer}"
            );
            let mut delta = [0; 3];
            let reached = eventually(SOON, || {
                let now = starts(&host);
                delta = [0, 1, 2].map(|at| now[at] - before[at]);
                delta == expected
            });
            assert!(
                reached,
                "{failed} {flags:?}: {delta:?} is not {expected:?}\n{}",
                host.said()
            );
            host.reaches("in", "RUNNING", &states);
            let now = starts(&host);
            assert_eq!(
                [0, 1, 2].map(|at| now[at] - before[at]),
                expected,
                "{failed} {flags:?}: later"
            );
        }
        host.call(&["restart", "nobody"])
            .expect_code(2)
            .says(&["Unknown connector nobody"]);
        host.call(&["restart", "in", "--task", "7"])
            .expect_code(2)
            .says(&["Unknown task"]);
        // (W7) From whatever state: stopped, and back.
        host.get(&["stop", "in"]);
        host.reaches("in", "STOPPED", &[]);
        host.get(&["resume", "in"]);
        host.reaches("in", "RUNNING", &states);
        assert_eq!(host.signal("TERM"), Some(143));
    }
}

fn starts(host: &Host) -> [u64; 3] {
    let row = host.get(&["describe", "in"]);
    let task = |at: usize| row["tasks"][at]["starts"].as_u64().unwrap();
    [row["starts"].as_u64().unwrap(), task(0), task(1)]
}

/// What retention or a person deleted before a sink had read it is said and counted; the sink waits for a person.
#[test]
fn a_sink_whose_position_is_gone_is_degraded_and_counts_what_it_lost() {
    let mut host = Host::with_lines(&pipeline("in", "out"), 0..4);
    host.start();
    host.writes(4);
    host.get(&["stop", "out"]);
    host.reaches("out", "STOPPED", &[]);
    host.append("a\nb\nc\n");
    assert!(eventually(
        SOON,
        || host.get(&["describe", "in"])["records"] == 7
    ));
    host.call(&["topic", "delete-records", "lines", "--before", "6", "--yes"])
        .expect_code(0);
    host.get(&["resume", "out"]);
    host.reaches("out", "RUNNING", &["DEGRADED"]);
    let row = host.get(&["describe", "out"]);
    assert_eq!(row["lost"], 2, "{row}");
    assert_eq!(row["tasks"][0]["connect_state"], "FAILED", "{row}");
    host.writes(4);
    host.get(&["stop", "out"]);
    host.reaches("out", "STOPPED", &[]);
    host.get(&[
        "offsets",
        "set",
        "out",
        &sink_offset(json!({ "kafka_offset": 6 })),
    ]);
    host.get(&["resume", "out"]);
    host.writes(5);
    assert_eq!(host.signal("TERM"), Some(143));
}
