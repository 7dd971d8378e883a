//! Bad records: retried, set aside as dead letters, skipped, or the end of their task.

use std::fmt::Write as _;

use serde_json::Value;

use crate::pipeline::{Pipeline, records, summary};
use crate::support::{Ran, Scratch, linkspan, run, run_once};

const LETTERS: &str = "errors: { tolerance: all, deadletterqueue.topic.name: letters }";

const JSON: &str = "value.converter: json";
const NO_ENVELOPE: &str = "value.converter.schemas.enable: false";

/// `n` JSON lines of which those in `bad` are none.
fn lines(n: u32, bad: &[u32]) -> String {
    (0..n).fold(String::new(), |mut text, number| {
        if bad.contains(&number) {
            writeln!(text, "poison {number}").unwrap();
        } else {
            writeln!(text, "{{\"n\":{number}}}").unwrap();
        }
        text
    })
}

/// The records of a topic as `consume` prints them.
#[track_caller]
fn stored(scratch: &Scratch, topic: &str) -> Vec<Value> {
    let data = scratch.path("linkspan-data");
    let ran = run(linkspan(&[
        "consume", topic, "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(&data))
    .expect_code(0);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The values of a topic.
#[track_caller]
fn values(scratch: &Scratch, topic: &str) -> Vec<String> {
    let stored = stored(scratch, topic);
    stored
        .iter()
        .map(|record| record["value"].as_str().unwrap().to_owned())
        .collect()
}

#[track_caller]
fn header<'a>(record: &'a Value, name: &str) -> &'a str {
    let headers = record["headers"].as_array().unwrap();
    let found = headers.iter().find(|header| header[0] == name);
    found.unwrap_or_else(|| panic!("no header `{name}` in {record}"))[1]
        .as_str()
        .unwrap()
}

#[track_caller]
fn counted(summary: &Value, connector: &str, what: &str) -> u64 {
    let connectors = summary["connectors"].as_array().unwrap();
    let found = connectors.iter().find(|one| one["name"] == connector);
    found.unwrap()[what].as_u64().unwrap()
}

/// Lines of a file into a topic, from there into a blackhole that rehearses errors.
struct Rehearsal {
    scratch: Scratch,
}

impl Rehearsal {
    fn new(input: &str, sink: &str) -> Self {
        let scratch = Scratch::new();
        scratch.write("in.txt", input);
        let yaml = format!(
            "connectors:\n  in: {{ connector: file-source, format: lines, topic: lines, path: in.txt }}\n  \
             out:\n    connector: blackhole-sink\n    topics: [lines]\n{sink}"
        );
        scratch.write("pipeline.yaml", yaml);
        Self { scratch }
    }

    fn run(&self) -> Ran {
        run_once(&self.scratch.path("pipeline.yaml"), &["--timeout", "60s"])
    }

    fn run_with(&self, switches: &[&str]) -> Ran {
        let mut command = linkspan(&["run", "--once", "-o", "json", "--timeout", "60s"]);
        for switch in switches {
            command.env(switch, "1");
        }
        run(command.arg(self.scratch.path("pipeline.yaml")))
    }
}

/// Connect's `ErrorHandlingIntegrationTest`: one poison among 1000 becomes a dead letter, 999 arrive.
#[test]
fn one_poison_record_goes_to_the_dead_letters_and_999_are_delivered() {
    let pipeline = Pipeline::new(&[], &[JSON, NO_ENVELOPE, LETTERS]);
    pipeline.input(lines(1000, &[500]));
    let ran = pipeline.run().expect_code(4);
    let summary = summary(&ran);
    assert_eq!(summary["status"], "partial");
    assert_eq!(records(&summary, "in"), 1000);
    assert_eq!(records(&summary, "out"), 999);
    assert_eq!(counted(&summary, "out", "dlq"), 1);
    assert_eq!(pipeline.output().lines().count(), 999);
    let letters = stored(&pipeline.scratch, "letters");
    assert_eq!(letters.len(), 1);
    let letter = &letters[0];
    assert_eq!(letter["value"], "poison 500");
    for (name, expected) in [
        ("topic", "lines"),
        ("partition", "0"),
        ("offset", "500"),
        ("connector.name", "out"),
        ("task.id", "0"),
        ("stage", "VALUE_CONVERTER"),
        ("class.name", "json"),
        (
            "exception.class.name",
            "org.apache.kafka.connect.errors.DataException",
        ),
    ] {
        assert_eq!(
            header(letter, &format!("__connect.errors.{name}")),
            expected
        );
    }
    assert!(!header(letter, "__connect.errors.exception.message").contains("poison"));
    // Again: nothing new, nothing doubled.
    pipeline.run().expect_code(0);
    assert_eq!(stored(&pipeline.scratch, "letters").len(), 1);
}

#[test]
fn without_tolerance_the_same_record_stops_the_task_with_its_place() {
    let pipeline = Pipeline::new(&[], &[JSON, NO_ENVELOPE]);
    pipeline.input(lines(10, &[5]));
    let ran = pipeline.run().expect_code(1);
    ran.says(&["topic `lines` partition 0 offset 5"]);
}

/// Connect's second: a sink reports records, its task goes on.
#[test]
fn records_that_a_sink_reports_become_dead_letters_and_its_task_goes_on() {
    check_refused("report");
}

/// An `Err` of `put` says nothing about which record it was.
#[test]
fn a_refused_batch_is_bisected_to_its_bad_records() {
    check_refused("batch");
}

fn check_refused(by: &str) {
    let bad = [0, 17, 18, 499, 999];
    let sink =
        format!("    rehearse.refuse: poison\n    rehearse.refuse.by: {by}\n    {LETTERS}\n");
    let rehearsal = Rehearsal::new(&lines(1000, &bad), &sink);
    let ran = rehearsal.run().expect_code(4);
    let summary = summary(&ran);
    assert_eq!(records(&summary, "out"), 995);
    assert_eq!(counted(&summary, "out", "dlq"), 5);
    let letters = stored(&rehearsal.scratch, "letters");
    let offsets: Vec<&str> = letters
        .iter()
        .map(|letter| header(letter, "__connect.errors.offset"))
        .collect();
    assert_eq!(offsets, ["0", "17", "18", "499", "999"]);
    for letter in &letters {
        assert_eq!(header(letter, "__connect.errors.stage"), "TASK_PUT");
        assert_eq!(
            header(letter, "__connect.errors.class.name"),
            "blackhole-sink"
        );
    }
}

#[test]
fn without_a_topic_for_them_bad_records_are_skipped_and_counted() {
    let sink = "    rehearse.refuse: poison\n    errors.tolerance: all\n";
    let rehearsal = Rehearsal::new(&lines(100, &[7, 99]), sink);
    let ran = rehearsal.run().expect_code(4);
    let summary = summary(&ran);
    assert_eq!(records(&summary, "out"), 98);
    assert_eq!(counted(&summary, "out", "dlq"), 0);
    assert_eq!(counted(&summary, "out", "skipped"), 2);
}

/// The retriable half of Connect's first test: what fails temporarily succeeds later.
#[test]
fn a_temporary_failure_is_retried_and_nothing_is_lost() {
    let sink = "    rehearse.outages: 1\n    errors.retry.timeout: 30s\n";
    let ran = Rehearsal::new(&lines(1000, &[]), sink).run().expect_code(0);
    assert_eq!(records(&summary(&ran), "out"), 1000);
    ran.says(&["a rehearsed outage (attempt 1 failed, the next one in 0.3 s)"]);
}

#[test]
fn an_exhausted_retry_fails_the_task_with_its_cause_and_drops_nothing() {
    // Also with tolerance: an outage is no record's fault.
    let sink =
        format!("    rehearse.outages: 100\n    errors.retry.timeout: 700ms\n    {LETTERS}\n");
    let rehearsal = Rehearsal::new(&lines(10, &[]), &sink);
    let ran = rehearsal.run().expect_code(1);
    let failed = summary(&ran);
    ran.says(&[
        "gave up after",
        "errors.retry.timeout",
        "a rehearsed outage",
    ]);
    assert_eq!(records(&failed, "out"), 0);
    assert_eq!(counted(&failed, "out", "dlq"), 0);
    rehearsal.scratch.write(
        "pipeline.yaml",
        rehearsal
            .scratch
            .read("pipeline.yaml")
            .replace("outages: 100", "outages: 0"),
    );
    let ran = rehearsal.run().expect_code(0);
    assert_eq!(records(&summary(&ran), "out"), 10);
}

/// A process that dies between the letters and the offset behind them neither loses nor doubles one.
#[test]
fn a_crash_right_after_dead_letters_doubles_none() {
    for by in ["report", "batch"] {
        let letters = letters_after_crash(by, &[]);
        assert_eq!(letters, ["poison 3", "poison 8"], "{by}");
    }
}

/// The negative control: without the stored coordinates the same crash doubles letters.
#[test]
fn the_same_crash_without_stored_coordinates_doubles_letters() {
    let letters = letters_after_crash("report", &["LINKSPAN_TEST_SKIP_ASIDE"]);
    assert!(letters.len() > 2, "{letters:?}");
}

fn letters_after_crash(by: &str, switches: &[&str]) -> Vec<String> {
    let sink =
        format!("    rehearse.refuse: poison\n    rehearse.refuse.by: {by}\n    {LETTERS}\n");
    let rehearsal = Rehearsal::new(&lines(10, &[3, 8]), &sink);
    let crashed = rehearsal.run_with(&["LINKSPAN_TEST_DIE_AFTER_LETTERS"]);
    assert_eq!(
        crashed.status.code(),
        None,
        "it must have died: {crashed:?}"
    );
    let ran = rehearsal.run_with(switches);
    assert_eq!(ran.status.code(), Some(4), "{ran:?}");
    let mut letters = values(&rehearsal.scratch, "letters");
    letters.sort();
    if switches.is_empty() {
        let summary = summary(&ran);
        assert_eq!(records(&summary, "out"), 8);
        assert_eq!(counted(&summary, "out", "dlq"), 2);
    }
    letters
}

/// A source's bad records: in the commit of their offsets, named by source partition and index.
#[test]
fn a_sources_bad_records_become_dead_letters_with_where_they_came_from() {
    let cast = "transforms: [ { name: cast, type: Cast, of: value, spec: int32 } ]";
    let pipeline = Pipeline::new(&[cast, LETTERS, "value.converter: string"], &[]);
    pipeline.input("1\n2\nmany\n4\n");
    let ran = pipeline.run().expect_code(4);
    let summary = summary(&ran);
    assert_eq!(records(&summary, "in"), 4);
    assert_eq!(counted(&summary, "in", "dlq"), 1);
    assert_eq!(records(&summary, "out"), 3);
    let letters = stored(&pipeline.scratch, "letters");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["value"], "many");
    assert_eq!(
        header(&letters[0], "__connect.errors.stage"),
        "TRANSFORMATION"
    );
    assert_eq!(header(&letters[0], "__connect.errors.class.name"), "Cast");
    assert_eq!(header(&letters[0], "linkspan.errors.topic"), "lines");
    assert_eq!(header(&letters[0], "linkspan.errors.source.index"), "2");
    assert!(header(&letters[0], "linkspan.errors.source.partition").contains("in.txt"));
    pipeline.run().expect_code(0);
    assert_eq!(stored(&pipeline.scratch, "letters").len(), 1);
}

#[test]
fn the_content_of_a_bad_record_is_logged_only_when_asked_for() {
    for (include, expected) in [("false", false), ("true", true)] {
        let log = format!("errors.log: {{ enable: true, include.messages: {include} }}");
        let pipeline = Pipeline::new(&[], &[JSON, NO_ENVELOPE, LETTERS, &log]);
        pipeline.input(lines(3, &[1]));
        let ran = pipeline.run().expect_code(4);
        assert_eq!(ran.stderr.contains("poison 1"), expected, "{}", ran.stderr);
        ran.says(&[
            "stage VALUE_CONVERTER",
            "topic `lines` partition 0 offset 1",
        ]);
    }
}

fn dlq(scratch: &Scratch, arguments: &[&str]) -> Ran {
    let mut command = linkspan(&["dlq"]);
    command.args(arguments);
    run(command.arg("--data").arg(scratch.path("linkspan-data")))
}

#[test]
fn a_replay_writes_each_record_back_once_as_it_was() {
    let sink = format!("    rehearse.refuse: poison\n    {LETTERS}\n");
    let rehearsal = Rehearsal::new(&lines(10, &[3, 8]), &sink);
    rehearsal.run().expect_code(4);
    let scratch = &rehearsal.scratch;
    dlq(scratch, &["list"])
        .expect_code(0)
        .says(&["letters", "2"]);
    let shown = dlq(scratch, &["show", "letters"]).expect_code(0);
    assert!(!shown.stdout.contains("poison"), "{}", shown.stdout);
    shown.says(&["lines-0@3", "lines-0@8", "TASK_PUT", "LS0414"]);
    let one = dlq(scratch, &["show", "letters", "--offset", "1", "-o", "json"]).expect_code(0);
    let one: Value = serde_json::from_str(&one.stdout).unwrap();
    assert_eq!(one["letters"].as_array().unwrap().len(), 1);
    assert_eq!(one["letters"][0]["value"], "poison 8");

    dlq(scratch, &["replay", "letters"]).expect_code(2);
    dlq(scratch, &["replay", "letters", "--all", "--to", "nowhere"])
        .expect_code(2)
        .says(&["there is no topic `nowhere`"]);
    dlq(scratch, &["replay", "letters", "--code", "LS9999"])
        .expect_code(0)
        .says(&["nothing was written"]);
    dlq(scratch, &["replay", "letters", "--offset", "0"])
        .expect_code(0)
        .says(&["1 records written to lines"]);
    dlq(scratch, &["replay", "letters", "--all"])
        .expect_code(0)
        .says(&[
            "1 records written to lines",
            "1 letters were replayed there before",
        ]);
    dlq(scratch, &["replay", "letters", "--all"])
        .expect_code(0)
        .says(&[
            "nothing was written",
            "2 letters were replayed there before",
        ]);
    let back = stored(scratch, "lines");
    assert_eq!(back.len(), 12);
    assert_eq!(back[10]["value"], "poison 3");
    assert_eq!(back[11]["value"], "poison 8");
    assert_eq!(back[11]["headers"], back[8]["headers"]);
    assert_eq!(back[11]["timestamp"], back[8]["timestamp"]);
}
