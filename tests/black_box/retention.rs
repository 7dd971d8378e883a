//! Retention and what a sink has not read: a sink that is away for longer than the retention reads everything later.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::pipeline::numbered;
use crate::support::{Ran, Scratch, eventually, linkspan, run, run_once, start, wait};

const SOON: Duration = Duration::from_secs(60);
/// Read by the sink before it goes away.
const READ: u32 = 10;
/// All lines.
const ALL: u32 = 1000;
/// Many times the retention and its check.
const AWAY: Duration = Duration::from_secs(2);

/// A topic whose records are old after 100 ms, looked at each 50 ms; a segment for each batch.
fn yaml(scratch: &Scratch, keep: bool, sink: bool) -> std::path::PathBuf {
    let out = "  out:\n    connector: file-sink\n    format: lines\n    topics: [lines]\n    path: out.txt\n";
    let text = format!(
        "host: {{ log.retention.check.interval.ms: 50 }}\ntopics:\n  lines: {{ retention.ms: 100, internal.segment.bytes: 64, keep.unread: {keep} }}\nconnectors:\n  \
         in:\n    connector: file-source\n    format: lines\n    topic: lines\n    path: in.txt\n{}",
        if sink { out } else { "" }
    );
    scratch.write("pipeline.yaml", text)
}

fn once(scratch: &Scratch, keep: bool) -> Ran {
    run_once(&yaml(scratch, keep, true), &["--timeout", "60s"])
}

fn partition(scratch: &Scratch) -> Value {
    let data = scratch.path("linkspan-data");
    let ran = run(linkspan(&["log", "stat", "-o", "json", "--data"]).arg(data)).expect_code(0);
    let stat: Value = serde_json::from_str(&ran.stdout).unwrap();
    stat["topics"][0]["partitions"][0].clone()
}

/// The sink reads a little and leaves the file; the source goes on while everything gets old.
fn leave_the_sink_behind(scratch: &Scratch, keep: bool) -> Child {
    scratch.write("in.txt", numbered(0..READ));
    once(scratch, keep).expect_code(0);
    scratch.write("in.txt", numbered(0..ALL));
    let mut command = linkspan(&["run", "--listen", "none"]);
    let files = [scratch.path("stdout"), scratch.path("stderr")];
    let host = start(
        command.arg(yaml(scratch, keep, false)),
        &files[0],
        &files[1],
    );
    let written = || {
        let data = scratch.path("linkspan-data");
        let ran = run(linkspan(&["log", "stat", "-o", "json", "--data"]).arg(data));
        let stat: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let partition = &stat["topics"][0]["partitions"][0];
        partition["high_watermark"] == ALL && partition["unflushed_bytes"] == 0
    };
    assert!(eventually(SOON, written), "{}", scratch.read("stderr"));
    let begin = Instant::now();
    eventually(SOON, || begin.elapsed() > AWAY);
    host
}

fn end(mut host: Child) {
    let killed = Command::new("kill")
        .args(["-TERM", &host.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(
        wait(&mut host, SOON).and_then(|status| status.code()),
        Some(143)
    );
}

#[test]
fn a_sink_stopped_for_longer_than_retention_then_reads_everything() {
    let scratch = Scratch::new();
    let host = leave_the_sink_behind(&scratch, true);
    let found = partition(&scratch);
    assert_eq!(
        found["log_start"], READ,
        "what was read is gone, what was not is there: {found}"
    );
    assert_eq!(found["lost"], 0);
    end(host);
    once(&scratch, true).expect_code(0);
    assert_eq!(scratch.read("out.txt"), numbered(0..ALL));
}

#[test]
fn negative_control_without_keep_unread_records_are_lost_counted_and_said() {
    let scratch = Scratch::new();
    let host = leave_the_sink_behind(&scratch, false);
    let found = partition(&scratch);
    assert_eq!(found["log_start"], ALL, "{found}");
    assert_eq!(found["lost"], ALL - READ, "{found}");
    let said = scratch.read("stderr");
    assert!(said.contains("keep.unread"), "{said}");
    end(host);
    drop(once(&scratch, false));
    assert_eq!(scratch.read("out.txt"), numbered(0..READ));
}
