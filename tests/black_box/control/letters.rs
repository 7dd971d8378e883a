//! Dead letters of a host that runs, of a log that is full, and without headers.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::Host;
use crate::support::{eventually, linkspan, run};

const SOON: Duration = Duration::from_secs(60);

/// Lines of which each tenth is no JSON.
fn lines(n: u32) -> String {
    (0..n).fold(String::new(), |mut text, number| {
        if number % 10 == 3 {
            writeln!(text, "poison {number}").unwrap();
        } else {
            writeln!(text, "{{\"n\":{number}}}").unwrap();
        }
        text
    })
}

fn pipeline(host: &str, sink: &str) -> String {
    format!(
        "{host}connectors:\n  in: {{ connector: file-source, format: lines, path: in.txt, topic: lines, poll.interval: 50ms }}\n  \
         out:\n    connector: file-sink\n    topics: [lines]\n    path: out.txt\n    value.converter: json\n    \
         value.converter.schemas.enable: false\n{sink}"
    )
}

const LETTERS: &str = "    errors: { tolerance: all, deadletterqueue.topic.name: letters }\n";

impl Host {
    /// Waits until this many records became dead letters.
    #[track_caller]
    fn holds_letters(&self, n: u64) {
        let mut rows = Value::Null;
        let held = eventually(SOON, || {
            rows = self.get(&["dlq", "list"]);
            rows == json!([{ "topic": "letters", "letters": n }])
        });
        assert!(held, "{n} letters: {rows}\n{}", self.said());
    }
}

#[test]
fn letters_are_listed_shown_and_replayed_while_the_host_runs() {
    // A second sink reads the letters: somebody writes them.
    let mender = "  mended: { connector: file-sink, topics: [again], path: mended.txt, format: lines }\n  \
                  watcher: { connector: blackhole-sink, topics: [letters] }\n";
    let mut host = Host::new(&format!("{}{mender}", pipeline("", LETTERS)));
    host.scratch.write("in.txt", lines(20));
    host.start();
    assert!(
        !host.said().contains("reads the topic `letters`"),
        "{}",
        host.said()
    );
    assert!(
        host.said().contains("LS0901"),
        "the negative control: `again` has no writer"
    );
    host.writes(18);
    host.holds_letters(2);
    let shown = host.get(&["dlq", "show", "letters"]);
    let from: Vec<&str> = shown["letters"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|letter| letter["from"].as_str())
        .collect();
    assert_eq!(from, ["lines-0@3", "lines-0@13"], "{shown}");
    let replay = ["dlq", "replay", "letters", "--all", "--to", "again"];
    let preview = host.get(&[&replay[..], &["--dry-run"]].concat());
    assert_eq!(
        (&preview["preview"], &preview["replayed"][0]["records"]),
        (&json!(true), &json!(2)),
        "{preview}"
    );
    run(linkspan(&replay)
        .args(["--dry-run", "--data"])
        .arg(host.scratch.path("linkspan-data")))
    .expect_code(0)
    .says(&["2 records would be written to again"]);
    // The preview has written none of them, or these were none.
    for expected in [2, 0] {
        let done = host.get(&replay);
        let written = done["replayed"][0]["records"].as_u64().unwrap_or(0);
        assert_eq!(written, expected, "{done}");
    }
    let mended = || std::fs::read_to_string(host.scratch.path("mended.txt")).unwrap_or_default();
    assert!(
        eventually(SOON, || mended() == "poison 3\npoison 13\n"),
        "{}",
        mended()
    );
    assert_eq!(host.signal("TERM"), Some(143));
}

#[test]
fn letters_without_headers_are_listed_and_shown_all_the_same() {
    let bare = LETTERS.replace(" }", ", deadletterqueue.context.headers.enable: false }");
    let mut host = Host::new(&pipeline("", &bare));
    host.scratch.write("in.txt", lines(20));
    host.start();
    host.writes(18);
    host.holds_letters(2);
    let shown = host.get(&["dlq", "show", "letters"]);
    assert_eq!(shown["letters"].as_array().unwrap().len(), 2, "{shown}");
    // Nothing tells where they came from: a replay needs a topic.
    host.call(&["dlq", "replay", "letters", "--all"])
        .expect_code(4);
    let done = host.get(&["dlq", "replay", "letters", "--all", "--to", "lines"]);
    assert_eq!(done["replayed"][0]["records"], 2, "{done}");
    host.holds_letters(4);
    assert_eq!(host.signal("TERM"), Some(143));
}

/// A host whose log is full, with the number of its records; the sink that has to write letters is stopped.
fn full_log(switches: &[&str]) -> (Host, u64) {
    let full = "host: { log.max.bytes: 1MiB, log.segment.bytes: 1MiB, log.retention.check.interval.ms: 200 }\n\
                topics: { lines: { retention.ms: 1, segment.ms: 200 } }\n";
    let stopped = format!("{LETTERS}    initial.state: STOPPED\n");
    let mut host = Host::new(&pipeline(full, &stopped));
    let count = 300_000;
    host.scratch.write("in.txt", lines(count));
    host.start_switched(&[], switches);
    let row = host.reaches("in", "RUNNING", &["DISK_BOUND"]);
    // What the log took before it was full: about ten thousand lines, of which each tenth becomes a letter.
    let read = row["records"].as_u64().unwrap();
    assert!(read > 1000 && read < u64::from(count), "{row}");
    (host, read)
}

/// The negative control of the next one: without the reserve both wait for each other.
#[test]
fn without_the_reserve_a_full_log_and_its_sink_wait_for_each_other() {
    let (mut host, _) = full_log(&["LINKSPAN_TEST_NO_RESERVE"]);
    host.get(&["resume", "out"]);
    host.reaches("out", "RUNNING", &["DISK_BOUND"]);
    let letters = host.get(&["dlq", "list"]);
    assert!(
        letters == json!([]) || letters[0]["letters"] == 0,
        "{letters}"
    );
    host.reaches("in", "RUNNING", &["DISK_BOUND"]);
    assert_eq!(host.signal("TERM"), Some(143));
}

/// A log that holds as much as it may waits for its sinks; one that has to write a dead letter first must not wait for the log.
#[test]
fn a_full_log_takes_the_letters_of_the_sink_it_waits_for() {
    let (mut host, read) = full_log(&[]);
    host.get(&["resume", "out"]);
    let letters = (read + 6) / 10;
    host.holds_letters(letters);
    let delivered = usize::try_from(read - letters).unwrap();
    assert!(
        eventually(SOON, || host.lines_out() >= delivered),
        "{} of {delivered}: {}",
        host.lines_out(),
        host.said()
    );
    assert_eq!(host.signal("TERM"), Some(143));
}
