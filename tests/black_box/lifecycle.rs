//! Start, stop and who owns a data directory.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::{Child, Command};
use std::time::Duration;

use crate::pipeline::{Pipeline, numbered, records, summary};
use crate::support::{eventually, linkspan, run, start, wait};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_growing_file_is_followed_until_sigterm_which_drains_and_ends_with_143() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..100));
    let mut host = host(&pipeline);
    assert!(
        eventually(SOON, || written(&pipeline) == 100),
        "{}",
        said(&pipeline)
    );
    // Half a line is not a line yet.
    append(&pipeline, "line 100\nline 1");
    append(&pipeline, "01\n");
    assert!(
        eventually(SOON, || written(&pipeline) == 102),
        "{}",
        said(&pipeline)
    );

    terminate(&host);
    let status = wait(&mut host, SOON)
        .unwrap_or_else(|| panic!("no end after SIGTERM: {}", said(&pipeline)));
    assert_eq!(status.code(), Some(143), "{}", said(&pipeline));
    assert_eq!(pipeline.output(), numbered(0..102));
    let again = pipeline.run().expect_code(0);
    assert_eq!(records(&summary(&again), "in"), 0);
}

#[test]
fn sigterm_in_the_middle_of_a_transfer_loses_and_doubles_nothing() {
    let pipeline = Pipeline::new(&[], &[]);
    let lines = numbered(0..300_000);
    pipeline.input(&lines);
    let mut host = host(&pipeline);
    assert!(
        eventually(SOON, || written(&pipeline) > 0),
        "{}",
        said(&pipeline)
    );
    terminate(&host);
    let status = wait(&mut host, SOON)
        .unwrap_or_else(|| panic!("no end after SIGTERM: {}", said(&pipeline)));
    assert_eq!(status.code(), Some(143), "{}", said(&pipeline));
    let before = written(&pipeline) as u64;
    let rest = pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), lines);
    assert_eq!(
        records(&summary(&rest), "out"),
        300_000 - before,
        "a clean stop leaves the position at the end of the file"
    );
}

#[test]
fn a_job_ends_by_itself_with_143_after_sigterm() {
    let pipeline = Pipeline::new(&[], &[]);
    let lines = numbered(0..300_000);
    pipeline.input(&lines);
    let mut command = linkspan(&["run", "--once", "-o", "json"]);
    let files = [
        pipeline.scratch.path("stdout"),
        pipeline.scratch.path("stderr"),
    ];
    let mut job = start(command.arg(&pipeline.yaml), &files[0], &files[1]);
    assert!(
        eventually(SOON, || written(&pipeline) > 0),
        "{}",
        said(&pipeline)
    );
    terminate(&job);
    let status =
        wait(&mut job, SOON).unwrap_or_else(|| panic!("no end after SIGTERM: {}", said(&pipeline)));
    assert_eq!(status.code(), Some(143), "{}", said(&pipeline));
    pipeline.run().expect_code(0);
    assert_eq!(pipeline.output(), lines);
}

#[test]
fn a_second_host_is_refused_with_the_pid_of_the_first() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    let mut first = host(&pipeline);
    assert!(
        eventually(SOON, || written(&pipeline) == 10),
        "{}",
        said(&pipeline)
    );
    let pid = first.id().to_string();
    run(linkspan(&["run", "--listen", "none"]).arg(&pipeline.yaml))
        .expect_code(3)
        .says(&[&pid]);
    // A job is handed to that host, which refuses the connectors that it runs itself.
    let job = pipeline.run().expect_code(3).says(&[&pid]);
    assert_eq!(summary(&job)["status"], "failed");

    // Neither of them disturbed the first.
    append(&pipeline, "line 10\n");
    assert!(
        eventually(SOON, || written(&pipeline) == 11),
        "{}",
        said(&pipeline)
    );
    terminate(&first);
    assert_eq!(
        wait(&mut first, SOON).and_then(|status| status.code()),
        Some(143)
    );
    pipeline.run().expect_code(0);
}

#[test]
fn consume_and_stat_ask_the_running_host() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..10));
    let mut first = host(&pipeline);
    assert!(
        eventually(SOON, || written(&pipeline) == 10),
        "{}",
        said(&pipeline)
    );
    let data = pipeline.scratch.path("linkspan-data");
    let consumed = run(linkspan(&[
        "consume", "lines", "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(&data))
    .expect_code(0);
    assert_eq!(consumed.stdout.lines().count(), 10);
    let stat = run(linkspan(&["log", "stat", "-o", "json", "--data"]).arg(&data)).expect_code(0);
    assert!(stat.stdout.contains("\"lines\""), "{}", stat.stdout);
    terminate(&first);
    assert_eq!(
        wait(&mut first, SOON).and_then(|status| status.code()),
        Some(143)
    );
}

#[test]
fn bare_command_says_what_to_type_next() {
    let ran = run(&mut linkspan::<&str>(&[]));
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("linkspan run"), "{said}");
}

fn host(pipeline: &Pipeline) -> Child {
    let mut command = linkspan(&["run", "--listen", "none"]);
    let (stdout, stderr) = (
        pipeline.scratch.path("stdout"),
        pipeline.scratch.path("stderr"),
    );
    start(command.arg(&pipeline.yaml), &stdout, &stderr)
}

fn said(pipeline: &Pipeline) -> String {
    pipeline.scratch.read("stderr")
}

fn written(pipeline: &Pipeline) -> usize {
    std::fs::read(pipeline.scratch.path("out.txt")).map_or(0, |bytes| {
        bytes.iter().filter(|byte| **byte == b'\n').count()
    })
}

fn append(pipeline: &Pipeline, text: &str) {
    let mut file = OpenOptions::new()
        .append(true)
        .open(pipeline.scratch.path("in.txt"))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn terminate(process: &Child) {
    let killed = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", process.id())])
        .status()
        .unwrap();
    assert!(killed.success());
}
