//! A plugin that hangs holds up itself alone: the host starts, takes commands and stops, and shows what it waits for. Names in
//! brackets are those of Kafka Connect's own integration tests.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::hosted::{Hosted, rogue};
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(60);

/// A rogue connector beside a pipeline of our own.
fn yaml(rogue: &str) -> String {
    format!(
        "host: {{ stop.timeout.ms: 2000 }}\nconnectors:\n  \
         in: {{ connector: file-source, path: in.txt, format: lines, topic: lines, poll.interval: 50ms }}\n  \
         out: {{ connector: file-sink, topics: [lines], path: out.txt, format: lines }}\n  rogue: {rogue}\n"
    )
}

fn source(class: &str, at: &str) -> String {
    format!(
        "{{ connector: {class}, topic: rogue, at: {at}, mood: hang, until: FREE, no.progress.timeout.ms: 500 }}"
    )
}

fn sink(at: &str) -> String {
    format!(
        "{{ connector: rogue-sink, topics: [lines], at: {at}, mood: hang, until: FREE, no.progress.timeout.ms: 500 }}"
    )
}

/// A host with the rogue; `FREE` is a file that lets it go.
fn host(plugins: &Path, rogue: &str) -> (Hosted, PathBuf) {
    let host = Hosted::new(&yaml(rogue));
    let free = host.scratch.path("free");
    let yaml = yaml(rogue).replace("FREE", free.to_str().unwrap());
    host.scratch.write("p.yaml", yaml);
    host.scratch.write("in.txt", "0\n");
    let mut host = host;
    host.start(&["--plugin-path", plugins.to_str().unwrap()]);
    (host, free)
}

/// (B1) Wherever it hangs, the neighbours move data, commands are taken, and the status says where it is.
#[test]
fn a_plugin_that_hangs_anywhere_holds_up_nothing_but_itself() {
    let plugins = rogue();
    // Where it hangs before it has tasks, a task that hangs in a call, and one that hangs at its end.
    let table = [
        (source("rogue-source", "validate"), "stage"),
        (source("rogue-source", "task_configs"), "stage"),
        (source("rogue-source", "open"), "hung_ms"),
        (source("rogue-source", "poll"), "hung_ms"),
        (sink("open"), "hung_ms"),
        (sink("assigned"), "hung_ms"),
        (sink("put"), "hung_ms"),
        (source("rogue-source", "close"), "zombies"),
        (sink("flush"), "zombies"),
        (sink("revoked"), "zombies"),
        (sink("close"), "zombies"),
    ];
    for (rogue, shown) in table {
        let (mut host, free) = host(&plugins, &rogue);
        host.writes(1);
        if shown == "zombies" {
            host.reaches("rogue", "RUNNING", &["RUNNING"]);
            host.get(&["stop", "rogue"]);
        }
        let mut row = Value::Null;
        let seen = eventually(SOON, || {
            row = host.get(&["describe", "rogue"]);
            match shown {
                "stage" => row["stage"] == "asking its plugin for its tasks",
                "hung_ms" => row["tasks"][0]["hung_ms"]
                    .as_u64()
                    .is_some_and(|ms| ms > 500),
                _ => row["zombies"] == 1,
            }
        });
        assert!(
            seen,
            "{rogue}: {shown} is not shown: {row}\n{}",
            host.said()
        );
        // A command to it returns, one to a neighbour works, and data moves on.
        host.get(&["pause", "rogue"]);
        host.get(&["pause", "out"]);
        host.reaches("out", "PAUSED", &["PAUSED"]);
        host.get(&["resume", "out"]);
        host.append("1\n");
        host.writes(2);
        // Once it is let go it does what was asked meanwhile.
        std::fs::write(&free, "").unwrap();
        let settled = eventually(SOON, || {
            row = host.get(&["describe", "rogue"]);
            row["zombies"] == 0 && row["state"] == "PAUSED"
        });
        assert!(settled, "{rogue}: {row}\n{}", host.said());
        assert_eq!(host.signal("TERM"), Some(143));
    }
}

/// (B2) A host starts again, and stops in time, beside a connector that hangs.
#[test]
fn a_host_starts_and_stops_beside_a_connector_that_hangs() {
    let plugins = rogue();
    for at in ["validate", "open", "poll"] {
        let (mut host, _free) = host(&plugins, &source("rogue-source", at));
        host.writes(1);
        assert_eq!(host.signal("TERM"), Some(143), "{at}");
        assert!(host.said().contains("LS0402"), "{at}: {}", host.said());
        host.append("1\n");
        host.start(&["--plugin-path", plugins.to_str().unwrap()]);
        host.writes(2);
        assert_eq!(host.signal("KILL"), None, "{at}");
    }
}

/// No second instance beside one that hangs; a class that fences the older one itself need not wait.
#[test]
fn a_task_that_hangs_is_replaced_only_where_its_class_is_fenced() {
    let plugins = rogue();
    for (class, replaced) in [("rogue-source", false), ("rogue-fenced", true)] {
        let (mut host, free) = host(&plugins, &source(class, "poll"));
        host.reaches("rogue", "RUNNING", &["RUNNING"]);
        host.get(&["restart", "rogue", "--include-tasks"]);
        let mut row = Value::Null;
        let seen = eventually(SOON, || {
            row = host.get(&["describe", "rogue"]);
            let state = if replaced { "RUNNING" } else { "UNASSIGNED" };
            row["zombies"] == 1 && row["state"] == state
        });
        assert!(seen, "{class}: {row}\n{}", host.said());
        let tasks = row["tasks"].as_array().unwrap().len();
        assert_eq!(tasks, usize::from(replaced), "{row}");
        std::fs::write(&free, "").unwrap();
        host.reaches("rogue", "RUNNING", &["RUNNING"]);
        assert!(
            eventually(SOON, || host.get(&["describe", "rogue"])["zombies"] == 0),
            "{}",
            host.said()
        );
        assert_eq!(host.signal("TERM"), Some(143));
    }
}

/// A source that waits inside `poll` for what may never come pauses, and goes on, at once.
#[test]
fn a_pause_does_not_wait_for_a_poll_that_waits() {
    let plugins = rogue();
    let (mut host, _free) = host(
        &plugins,
        "{ connector: rogue-source, topic: rogue, at: wait }",
    );
    host.reaches("rogue", "RUNNING", &["RUNNING"]);
    for _ in 0..2 {
        let begun = Instant::now();
        host.get(&["pause", "rogue"]);
        host.reaches("rogue", "PAUSED", &["PAUSED"]);
        host.get(&["resume", "rogue"]);
        host.reaches("rogue", "RUNNING", &["RUNNING"]);
        // Without a wake it would be up to five seconds.
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
    }
    assert_eq!(host.signal("TERM"), Some(143));
}

/// (O6) Offsets of a sink whose task still sits in its plugin are not changed below it, and the answer says why.
#[test]
fn offsets_of_a_sink_that_has_not_closed_are_not_changed() {
    let plugins = rogue();
    let (mut host, free) = host(&plugins, &sink("put"));
    host.writes(1);
    host.get(&["stop", "rogue"]);
    let hangs = || host.get(&["describe", "rogue"])["zombies"] == 1;
    assert!(eventually(SOON, hangs), "{}", host.said());
    host.call(&["offsets", "reset", "rogue", "--yes"])
        .expect_code(1)
        .says(&["LS0614", "zombie sink tasks"]);
    std::fs::write(&free, "").unwrap();
    assert!(eventually(SOON, || !hangs()), "{}", host.said());
    assert!(
        eventually(SOON, || {
            let reset = host.call(&["offsets", "reset", "rogue", "--yes"]);
            reset.status.code() == Some(0)
        }),
        "{}",
        host.said()
    );
    assert_eq!(host.signal("TERM"), Some(143));
}
