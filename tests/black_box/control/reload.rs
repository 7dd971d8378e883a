//! Changed files of a running host: what changed is taken over, everything else does not notice, what is not valid changes
//! nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Host, pipeline};
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(60);

impl Host {
    #[track_caller]
    fn says(&self, text: &str) {
        assert!(
            eventually(SOON, || self.said().contains(text)),
            "`{text}` is not said:\n{}",
            self.said()
        );
    }

    fn starts_of(&self, name: &str) -> Value {
        self.get(&["describe", name])["starts"].clone()
    }
}

#[test]
fn a_changed_file_touches_only_what_changed() {
    let yaml = pipeline("in", "out");
    let mut host = Host::with_lines(&yaml, 0..5);
    host.start();
    host.writes(5);
    // A new sink of the same topic.
    let spare = "  spare:\n    connector: blackhole-sink\n    topics: [lines]\n";
    host.scratch.write("p.yaml", format!("{yaml}{spare}"));
    host.says("reload: `spare` started");
    host.reaches("spare", "RUNNING", &["RUNNING"]);
    // A changed option of one connector, and a comment that moves all lines.
    let changed = yaml.replace("poll.interval: 100ms", "poll.interval: 50ms");
    host.scratch
        .write("p.yaml", format!("# moved\n{changed}{spare}"));
    host.says("reload: `in` restarted");
    host.reaches("in", "RUNNING", &["RUNNING"]);
    assert_eq!(host.starts_of("in"), 2);
    assert_eq!(host.starts_of("out"), 1, "{}", host.said());
    assert_eq!(host.starts_of("spare"), 1, "{}", host.said());
    let origin = host.get(&["describe", "out"])["origin"].to_string();
    assert!(origin.contains("p.yaml:8"), "{origin}");
    // What a command said stays.
    host.get(&["pause", "spare"]);
    host.reaches("spare", "PAUSED", &["PAUSED"]);
    // Its positions go on where they were; nothing is read twice.
    host.append("more\n");
    host.writes(6);
    // It leaves: stopped, offsets kept; and comes back where it was.
    host.scratch.write("p.yaml", &changed);
    host.says("reload: `spare` left the configuration");
    host.reaches("spare", "STOPPED", &[]);
    assert_eq!(host.get(&["describe", "spare"])["left"], true);
    host.scratch.write("p.yaml", format!("{changed}{spare}"));
    // From STOPPED to PAUSED no task comes back, as in Connect.
    host.reaches("spare", "PAUSED", &[]);
    assert_eq!(host.starts_of("spare"), 1);
    assert_eq!(host.starts_of("out"), 1, "{}", host.said());
    assert_eq!(host.signal("TERM"), Some(143));
}

#[test]
fn a_broken_file_is_said_and_leaves_everything_as_it_is() {
    let yaml = pipeline("in", "out");
    let mut host = Host::with_lines(&yaml, 0..5);
    host.start();
    host.writes(5);
    let untouched = host.get(&["get"]);
    for (broken, code) in [
        (yaml.replace("path: in.txt", "pth: in.txt"), "LS0103"),
        (format!("{yaml}: : :\n"), "LS0101"),
        (yaml.replace("file-sink", "file-sunk"), "LS0201"),
        (
            yaml.replace("on.existing: append", "on.existing: maybe"),
            "on.existing",
        ),
    ] {
        let before = host.said().lines().count();
        let since = || {
            host.said()
                .lines()
                .skip(before)
                .collect::<Vec<_>>()
                .join("\n")
        };
        host.scratch.write("p.yaml", &broken);
        assert!(
            eventually(SOON, || since()
                .contains("is not valid; the old one keeps running")),
            "{}",
            host.said()
        );
        assert!(since().contains(code), "{code}: {}", host.said());
        // Who asks gets the reason too.
        host.call(&["apply"]).expect_code(2).says(&[code]);
    }
    assert_eq!(host.get(&["get"]), untouched, "{}", host.said());
    host.append("more\n");
    host.writes(6);
    assert_eq!(host.signal("TERM"), Some(143));
}

#[test]
fn with_manual_reload_a_change_waits_for_apply() {
    let yaml = pipeline("in", "out");
    let mut host = Host::with_lines(&yaml, 0..5);
    host.start_with(&["--reload", "manual"]);
    host.writes(5);
    let renamed = yaml.replace("  out:", "  output:").replace(
        "    topics: [lines]",
        "    moved.from: out\n    topics: [lines]",
    );
    host.scratch.write("p.yaml", &renamed);
    // It would have been seen by now.
    std::thread::sleep(Duration::from_secs(1));
    host.reaches("out", "RUNNING", &["RUNNING"]);
    assert_eq!(
        host.get(&["apply"]),
        json!({ "started": ["output"], "restarted": [], "left": ["out"], "unchanged": 1 })
    );
    host.reaches("output", "RUNNING", &["RUNNING"]);
    host.call(&["describe", "out"])
        .expect_code(2)
        .says(&["LS0610"]);
    assert_eq!(
        host.get(&["apply"]),
        json!({ "started": [], "restarted": [], "left": [], "unchanged": 2 })
    );
    // It took the offsets over: nothing is written twice.
    host.append("more\n");
    host.writes(6);
    assert_eq!(host.signal("TERM"), Some(143));
    host.call(&["apply"]).expect_code(3).says(&["LS0618"]);
}

/// A source that waits long for its next poll pauses at once all the same.
#[test]
fn a_pause_does_not_wait_for_a_poll() {
    let yaml = pipeline("in", "out").replace("poll.interval: 100ms", "poll.interval: 30s");
    let mut host = Host::with_lines(&yaml, 0..5);
    host.start();
    host.writes(5);
    let begun = std::time::Instant::now();
    host.get(&["pause", "in"]);
    host.reaches("in", "PAUSED", &["PAUSED"]);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(host.signal("TERM"), Some(143));
}
