//! A plugin that panics in the entry point it is told to: its task fails with the place of the panic, all else goes on.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Scratch, eventually, linkspan, run, run_once, start, wait};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_panic_in_any_entry_point_fails_its_task_and_nothing_else() {
    let plugins = crate::hosted::rogue();
    for at in ["open", "poll", "close"] {
        neighbours_go_on(&plugins, "source", at);
    }
    for at in ["open", "assigned", "put", "flush", "revoked", "close"] {
        neighbours_go_on(&plugins, "sink", at);
    }
    for at in ["validate", "task_configs"] {
        start_is_refused(&plugins, at);
    }
}

/// Runs a rogue task beside a pipeline of our own, which must follow its file before and after the panic.
fn neighbours_go_on(plugins: &Path, kind: &str, at: &str) {
    let scratch = Scratch::new();
    let yaml = scratch.write("pipeline.yaml", pipeline(kind, at));
    scratch.write("in.txt", "one\n");
    let (stdout, stderr) = (scratch.path("stdout"), scratch.path("stderr"));
    let mut command = linkspan(&["run", "--listen", "none", "--plugin-path"]);
    let mut host = start(command.arg(plugins).arg(&yaml), &stdout, &stderr);
    let case = format!("{kind} panics in {at}");
    let said = || scratch.read("stderr");

    let written = |lines: usize| {
        eventually(SOON, || {
            std::fs::read_to_string(scratch.path("out.txt"))
                .is_ok_and(|text| text.lines().count() == lines)
        })
    };
    assert!(written(1), "{case}: {}", said());
    // What happens only at the stop comes later.
    let at_the_stop = ["flush", "revoked", "close"].contains(&at);
    if !at_the_stop {
        assert!(
            eventually(SOON, || said().contains(&format!("rogue in {at}"))),
            "{case}: {}",
            said()
        );
    }
    let mut input = OpenOptions::new()
        .append(true)
        .open(scratch.path("in.txt"))
        .unwrap();
    input.write_all(b"two\n").unwrap();
    assert!(written(2), "{case}: {}", said());

    let stop = Command::new("sh")
        .args(["-c", &format!("kill -TERM {}", host.id())])
        .status();
    assert!(stop.unwrap().success());
    let ended =
        wait(&mut host, SOON).unwrap_or_else(|| panic!("{case}: no end after SIGTERM: {}", said()));
    assert_eq!(ended.code(), Some(143), "{case}: {}", said());
    let said = said();
    assert!(
        said.contains(&format!("rogue in {at}")) && said.contains("lib.rs:"),
        "{case}: the panic and its place:\n{said}"
    );
}

/// A panic before any task: the connector cannot be started, and the run says why.
fn start_is_refused(plugins: &Path, at: &str) {
    let scratch = Scratch::new();
    let yaml = scratch.write("pipeline.yaml", pipeline("source", at));
    scratch.write("in.txt", "one\n");
    let ran = run_once(
        &yaml,
        &[
            "--timeout",
            "20s",
            "--plugin-path",
            plugins.to_str().unwrap(),
        ],
    );
    assert!(
        ran.status.code().is_some_and(|code| code != 0),
        "{at}: {ran:?}"
    );
    ran.says(&[&format!("rogue in {at}"), "lib.rs:"]);
    let listed = run(linkspan(&["plugin", "list", "--plugin-path"]).arg(plugins)).expect_code(0);
    assert!(listed.stdout.contains("rogue-source"), "{}", listed.stdout);
}

fn pipeline(kind: &str, at: &str) -> String {
    let (source, sink) = if kind == "source" {
        (at, "nowhere")
    } else {
        ("nowhere", at)
    };
    format!(
        "connectors:\n  in: {{ connector: file-source, path: in.txt, format: lines, topic: lines, poll.interval: 50ms }}\n  \
         out: {{ connector: file-sink, topics: [lines], path: out.txt, format: lines }}\n  \
         rogue-in: {{ connector: rogue-source, topic: rogue, at: {source}, restart.policy: never }}\n  \
         rogue-out: {{ connector: rogue-sink, topics: [rogue], at: {sink}, restart.policy: never }}\n"
    )
}
