//! Bounded jobs (`run --once`): when they end, in which order their connectors run, and jobs on a data directory that
//! somebody holds.

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;

use crate::pipeline::{numbered, records, summary};
use crate::support::{Ran, Scratch, eventually, linkspan, run, run_once, start, wait};

const SOON: Duration = Duration::from_secs(60);

/// A job that reads the host's topic `lines` into a file of its own.
const COPY: &str =
    "connectors:\n  copy:\n    connector: file-sink\n    topics: [lines]\n    path: copy.txt\n";
/// A job that cannot get on: its target is not available for ever.
const STUCK: &str = "connectors:\n  stuck:\n    connector: blackhole-sink\n    topics: [lines]\n    rehearse.outages: 1000000\n";

/// A job in a folder of its own.
fn job(yaml: &str, input: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new();
    scratch.write("in.txt", input);
    let yaml = scratch.write("job.yaml", yaml);
    (scratch, yaml)
}

fn count(scratch: &Scratch, name: &str) -> usize {
    std::fs::read(scratch.path(name)).map_or(0, |bytes| {
        bytes.iter().filter(|byte| **byte == b'\n').count()
    })
}

#[test]
fn dead_letters_reach_a_sink_of_the_same_job() {
    // The outage makes the refusing sink late: when the source is exhausted, no dead letter is written yet.
    let (scratch, yaml) = job(
        "connectors:\n  in:\n    connector: file-source\n    path: in.txt\n    topic: lines\n  picky:\n    connector: blackhole-sink\n    \
         topics: [lines]\n    rehearse.refuse: '7'\n    rehearse.outages: 1\n    errors: { tolerance: all, deadletterqueue.topic.name: letters }\n  \
         bad:\n    connector: file-sink\n    topics: [letters]\n    path: bad.txt\n",
        &numbered(0..100),
    );
    let ran = run_once(&yaml, &["--timeout", "60s"]).expect_code(4);
    let letters = (0..100)
        .filter(|n: &u32| n.to_string().contains('7'))
        .count();
    assert_eq!(count(&scratch, "bad.txt"), letters, "{}", ran.stdout);
    assert_eq!(records(&summary(&ran), "bad"), letters as u64);
}

#[test]
fn a_source_of_what_a_sink_writes_starts_when_the_sink_is_through() {
    let chain = |first: &str, second: &str| {
        format!(
            "connectors:\n  a-last:\n    connector: file-source\n    path: {second}\n    topic: two\n  b-out:\n    connector: file-sink\n    \
             topics: [two]\n    path: out.txt\n  c-in:\n    connector: file-source\n    path: in.txt\n    topic: one\n  d-mid:\n    \
             connector: file-sink\n    topics: [one]\n    path: {first}\n"
        )
    };
    for pattern in ["mid.txt", "'m*.txt'"] {
        let (scratch, yaml) = job(&chain("mid.txt", pattern), &numbered(0..5000));
        let ran = run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
        assert_eq!(scratch.read("out.txt"), numbered(0..5000));
        assert_eq!(records(&summary(&ran), "a-last"), 5000);
    }
    // The negative control: nothing writes the file, so the source finds none.
    let (_scratch, yaml) = job(&chain("mid.txt", "other.txt"), "x\n");
    run_once(&yaml, &["--timeout", "60s"]).expect_code(1);
}

#[test]
fn a_circle_is_refused_by_its_name_and_nothing_is_touched() {
    let through_a_file = "connectors:\n  in:\n    connector: file-source\n    path: in.txt\n    topic: lines\n  out:\n    connector: file-sink\n    \
                          topics: [lines]\n    path: in.txt\n    on.existing: append\n";
    let through_letters = "connectors:\n  a:\n    connector: blackhole-sink\n    topics: [x]\n    errors: { tolerance: all, deadletterqueue.topic.name: y }\n  \
                           b:\n    connector: blackhole-sink\n    topics: [y]\n    errors: { tolerance: all, deadletterqueue.topic.name: x }\n";
    for (yaml, names) in [
        (
            through_a_file,
            ["LS0216", "`in` → topic `lines` → `out` → file", "→ `in`"],
        ),
        (
            through_letters,
            [
                "LS0216",
                "`a` → topic `y` → `b` → topic `x` → `a`",
                "job.yaml:2:3",
            ],
        ),
    ] {
        let (scratch, path) = job(yaml, "x\n");
        let ran = run_once(&path, &[]).expect_code(2).says(&names);
        assert_eq!(summary(&ran)["error"]["code"], "LS0216");
        assert_eq!(scratch.read("in.txt"), "x\n");
        assert!(
            !scratch
                .path("linkspan-data")
                .join("format")
                .try_exists()
                .unwrap()
        );
    }
}

#[test]
fn a_job_of_sinks_alone_ends_at_the_end_that_the_topic_had() {
    let (scratch, yaml) = job(COPY, "");
    let data = scratch.path("linkspan-data");
    let produced = |lines: &str| {
        let file = scratch.write("more.txt", lines);
        run(linkspan(&["produce", "lines", "--data"])
            .arg(&data)
            .arg("--file")
            .arg(file))
        .expect_code(0);
    };
    run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
    produced("a\nb\n");
    let ran = run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
    assert_eq!(records(&summary(&ran), "copy"), 2);
    let ran = run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
    assert_eq!(records(&summary(&ran), "copy"), 0);
    assert_eq!(scratch.read("copy.txt"), "a\nb\n");
}

/// A host that runs `in.txt` → `lines` → `out.txt`, and jobs on its data directory.
struct Held {
    scratch: Scratch,
    host: Option<Child>,
}

impl Held {
    fn new(lines: u32) -> Self {
        let scratch = Scratch::new();
        scratch.write("in.txt", numbered(0..lines));
        let yaml = scratch.write(
            "host.yaml",
            "connectors:\n  in:\n    connector: file-source\n    path: in.txt\n    topic: lines\n    poll.interval: 100ms\n  \
             out:\n    connector: file-sink\n    topics: [lines]\n    path: out.txt\n",
        );
        let mut command = linkspan(&["run", "--listen", "none"]);
        let host = start(
            command.arg(yaml),
            &scratch.path("host-out"),
            &scratch.path("host-err"),
        );
        let held = Self {
            scratch,
            host: Some(host),
        };
        assert!(
            eventually(SOON, || count(&held.scratch, "out.txt") == lines as usize),
            "{}",
            held.said()
        );
        held
    }

    fn said(&self) -> String {
        self.scratch.read("host-err")
    }

    fn command(&self, yaml: &str, more: &[&str]) -> Command {
        let yaml = self.scratch.write("job.yaml", yaml);
        let mut command = linkspan(&["run", "--once", "-o", "json"]);
        command.args(more).arg(yaml);
        command
    }

    fn job(&self, yaml: &str, more: &[&str]) -> Ran {
        run(&mut self.command(yaml, more))
    }

    fn start_job(&self, yaml: &str) -> Child {
        let child = start(
            &mut self.command(yaml, &[]),
            &self.scratch.path("job-out"),
            &self.scratch.path("job-err"),
        );
        assert!(
            eventually(SOON, || self.scratch.read("job-err").contains("runs there")),
            "{}",
            self.scratch.read("job-err")
        );
        child
    }

    fn stop(&mut self) -> Option<i32> {
        let mut host = self.host.take().unwrap();
        signal(&host, "TERM");
        wait(&mut host, SOON).and_then(|status| status.code())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(host) = &mut self.host {
            host.kill().unwrap();
            host.wait().unwrap();
        }
    }
}

fn signal(process: &Child, name: &str) {
    let id = process.id().to_string();
    let done = Command::new("kill")
        .args([&format!("-{name}"), &id])
        .status();
    assert!(done.unwrap().success());
}

#[test]
fn a_job_on_a_held_directory_runs_on_the_host_and_its_summary_comes_back() {
    let mut held = Held::new(1000);
    let ran = held
        .job(COPY, &["--timeout", "60s"])
        .expect_code(0)
        .says(&["held by a host"]);
    let report = summary(&ran);
    assert_eq!(records(&report, "copy"), 1000);
    assert_eq!(report["status"], "ok");
    assert_eq!(held.scratch.read("copy.txt"), numbered(0..1000));
    assert_eq!(report["connectors"][0]["files"][0]["records"], 1000);
    // Again: nothing is doubled, and the host's own connectors go on meanwhile.
    let again = held.job(COPY, &["--timeout", "60s"]).expect_code(0);
    assert_eq!(records(&summary(&again), "copy"), 0);
    held.scratch.write("in.txt", numbered(0..1001));
    assert!(
        eventually(SOON, || count(&held.scratch, "out.txt") == 1001),
        "{}",
        held.said()
    );
    assert_eq!(held.stop(), Some(143));
    // And without the host it goes on from where it was.
    let alone = held.job(COPY, &["--timeout", "60s"]).expect_code(0);
    assert_eq!(records(&summary(&alone), "copy"), 1);
}

#[test]
fn the_exit_code_of_a_job_comes_back_from_the_host() {
    let held = Held::new(10);
    let missing = "connectors:\n  more:\n    connector: file-source\n    path: nowhere.txt\n    topic: more\n";
    let ran = held.job(missing, &[]).expect_code(1);
    assert_eq!(summary(&ran)["connectors"][0]["error"]["code"], "LS0404");
    let letters = "connectors:\n  picky:\n    connector: blackhole-sink\n    topics: [lines]\n    rehearse.refuse: '7'\n    errors: { tolerance: all, deadletterqueue.topic.name: letters }\n";
    let ran = held.job(letters, &["--timeout", "60s"]).expect_code(4);
    assert_eq!(summary(&ran)["status"], "partial");
    held.job(
        "connectors:\n  x:\n    connector: file-sink\n    pth: y\n",
        &[],
    )
    .expect_code(2)
    .says(&["job.yaml:4:5"]);
    let ran = held
        .job(STUCK, &["--timeout", "1s"])
        .expect_code(1)
        .says(&["LS0409"]);
    assert_eq!(summary(&ran)["status"], "failed");
    let warnings = summary(&ran)["warnings"].to_string();
    assert!(
        warnings.contains("LS0415"),
        "what is left is said: {warnings}"
    );
}

#[test]
fn a_variable_of_the_callers_environment_counts_for_the_job() {
    let held = Held::new(10);
    let yaml = COPY.replace("copy.txt", "\"${env:JOB_TARGET}.txt\"");
    let mut command = held.command(&yaml, &["--timeout", "60s"]);
    run(command.env("JOB_TARGET", "from-env")).expect_code(0);
    assert_eq!(count(&held.scratch, "from-env.txt"), 10);
    let runs = run(linkspan(&["runs", "show", "last", "-o", "json", "--data"])
        .arg(held.scratch.path("linkspan-data")))
    .expect_code(0);
    assert!(
        !runs.stdout.contains("JOB_TARGET\":"),
        "variables are not stored: {}",
        runs.stdout
    );
}

#[test]
fn a_host_refuses_the_connectors_that_it_runs_itself() {
    let held = Held::new(10);
    let ran = held
        .job(
            "connectors:\n  out:\n    connector: blackhole-sink\n    topics: [lines]\n",
            &[],
        )
        .expect_code(3)
        .says(&["LS0617", "connector `out` itself"]);
    assert_eq!(summary(&ran)["error"]["code"], "LS0617");
}

#[test]
fn a_job_that_is_ended_from_outside_leaves_the_host_and_its_connectors_free() {
    let held = Held::new(10);
    for signal_name in ["TERM", "KILL"] {
        let mut child = held.start_job(STUCK);
        // The connector works in that job, and in no other at the same time.
        held.job(STUCK, &["--timeout", "1s"])
            .expect_code(3)
            .says(&["works in another job"]);
        signal(&child, signal_name);
        let code = wait(&mut child, SOON).unwrap().code();
        assert_eq!(code, (signal_name == "TERM").then_some(143));
        let free = || held.job(STUCK, &["--timeout", "1s"]).status.code() == Some(1);
        assert!(eventually(SOON, free), "{}", held.said());
    }
    held.job(COPY, &["--timeout", "60s"]).expect_code(0);
}

#[test]
fn a_host_that_stops_ends_its_jobs_and_they_say_so() {
    let mut held = Held::new(10);
    let mut child = held.start_job(STUCK);
    assert_eq!(held.stop(), Some(143));
    let status = wait(&mut child, SOON).unwrap();
    assert_eq!(status.code(), Some(1), "{}", held.scratch.read("job-err"));
    let report: Value = serde_json::from_str(held.scratch.read("job-out").trim()).unwrap();
    assert_eq!(report["status"], "failed");
    assert_eq!(report["connectors"][0]["state"], "STOPPED");
}

#[test]
fn a_job_waits_for_the_end_of_another_job() {
    let (scratch, yaml) = job(STUCK, "");
    let data = scratch.path("linkspan-data");
    let file = scratch.write("more.txt", "a\n");
    run_once(&yaml, &["--timeout", "60s"]).expect_code(0);
    run(linkspan(&["produce", "lines", "--data"])
        .arg(&data)
        .arg("--file")
        .arg(file))
    .expect_code(0);
    let mut command = linkspan(&["run", "--once"]);
    let mut first = start(
        command.arg(&yaml),
        &scratch.path("1-out"),
        &scratch.path("1-err"),
    );
    assert!(eventually(SOON, || scratch
        .read("1-err")
        .contains("plugins:")));

    let copy = scratch.write("copy.yaml", COPY);
    // One that may not wait says who holds the directory.
    let pid = first.id().to_string();
    run_once(&copy, &["--timeout", "1s"])
        .expect_code(3)
        .says(&[&pid]);
    let mut command = linkspan(&["run", "--once"]);
    let mut second = start(
        command.arg(&copy),
        &scratch.path("2-out"),
        &scratch.path("2-err"),
    );
    assert!(eventually(SOON, || scratch
        .read("2-err")
        .contains("begins when it has ended")));
    assert_eq!(count(&scratch, "copy.txt"), 0);
    signal(&first, "TERM");
    assert_eq!(wait(&mut first, SOON).unwrap().code(), Some(143));
    assert_eq!(
        wait(&mut second, SOON).unwrap().code(),
        Some(0),
        "{}",
        scratch.read("2-err")
    );
    assert_eq!(scratch.read("copy.txt"), "a\n");
}
