//! Scenarios of Kafka Connect's integration tests that walk through several changes of one connector. Names in brackets are
//! those of `host/runtime/README.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Host;
use crate::pipeline::numbered;
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(60);

/// (F1–F4) Kafka's file connectors: lines pass; what is appended while the source is stopped comes once; a position in
/// front of the last line brings that one again, a reset all of them.
#[test]
fn kafkas_file_connectors_follow_stop_rewind_and_reset() {
    let yaml = "connectors:\n  in: { connector: FileStreamSource, file: in.txt, topic: lines }\n  \
                out: { connector: FileStreamSink, topics: [lines], file: out.txt }\n";
    let mut host = Host::with_lines(yaml, 0..5);
    host.start();
    host.writes(5);
    host.get(&["stop", "in"]);
    host.reaches("in", "STOPPED", &[]);
    host.append(&numbered(5..10));
    host.get(&["resume", "in"]);
    host.writes(10);
    assert_eq!(host.scratch.read("out.txt"), numbered(0..10));

    host.get(&["stop", "in"]);
    host.reaches("in", "STOPPED", &[]);
    let offsets = host.get(&["offsets", "get", "in"]);
    assert_eq!(
        offsets["offsets"][0]["offset"]["position"],
        numbered(0..10).len(),
        "{offsets}"
    );
    let partition = offsets["offsets"][0]["partition"].clone();
    let body = json!({ "offsets": [{ "partition": partition, "offset": { "position": numbered(0..9).len() } }] });
    host.get(&["offsets", "set", "in", &body.to_string()]);
    host.get(&["resume", "in"]);
    host.writes(11);

    host.get(&["stop", "in"]);
    host.reaches("in", "STOPPED", &[]);
    host.get(&["offsets", "reset", "in", "--yes"]);
    host.get(&["resume", "in"]);
    host.writes(21);
    let again = numbered(0..10) + &numbered(9..10) + &numbered(0..10);
    assert_eq!(host.scratch.read("out.txt"), again);
    assert_eq!(host.signal("TERM"), Some(143));
}

/// Stays in the file: a file without connectors is refused.
const KEPT: &str =
    "connectors:\n  kept: { connector: blackhole-sink, topics: [numbers], check: none }\n";

fn generator(tasks: u32) -> String {
    format!(
        "topics: {{ numbers: {{ partitions: 2 }} }}\nconnectors:\n  \
         in: {{ connector: generator-source, topic: numbers, rate: 200, tasks.max: {tasks} }}\n"
    )
}

/// The numbers that each task has made so far, in the order of their partition; a task's are `task * 10^12` and up.
fn made(host: &Host) -> BTreeMap<u64, Vec<u64>> {
    let stored = host
        .call(&["consume", "numbers", "--from", "earliest", "--exit"])
        .expect_code(0);
    let mut tasks: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for line in stored.stdout.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let value = record["value"].as_str().unwrap();
        let number: u64 = value.split(':').next().unwrap().parse().unwrap();
        tasks
            .entry(number / 1_000_000_000_000)
            .or_default()
            .push(number % 1_000_000_000_000);
    }
    tasks
}

/// The first number of a task that is missing or doubled.
fn broken(tasks: BTreeMap<u64, Vec<u64>>) -> Option<(u64, u64)> {
    tasks.into_iter().find_map(|(task, mut numbers)| {
        numbers.sort_unstable();
        let at = (0..).zip(&numbers).find(|(want, is)| want != *is);
        at.map(|(want, _)| (task, want))
    })
}

/// (X6) Tasks come and go, and come back: none makes a number twice or leaves one out. (W17) What belonged to a deleted
/// connector is never used again by one of its name.
#[test]
fn changes_of_the_number_of_tasks_double_and_lose_nothing() {
    let mut host = Host::new(&generator(3));
    host.start();
    for tasks in [3_u32, 5, 1, 5, 3] {
        host.scratch.write("p.yaml", generator(tasks));
        host.reaches("in", "RUNNING", &vec!["RUNNING"; tasks as usize]);
        // Each task of this generation has written something before the next one comes.
        let before = made(&host);
        let grown = || {
            let now = made(&host);
            (0..u64::from(tasks)).all(|task| {
                now.get(&task).map_or(0, Vec::len) > before.get(&task).map_or(0, Vec::len)
            })
        };
        assert!(eventually(SOON, grown), "{}", host.said());
    }
    host.get(&["stop", "in"]);
    host.reaches("in", "STOPPED", &[]);
    let tasks = made(&host);
    assert_eq!(tasks.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    // Negative controls: a number that is there twice, and one that is not there, are found.
    let mut doubled = tasks.clone();
    doubled.get_mut(&2).unwrap().push(0);
    assert_eq!(broken(doubled), Some((2, 1)));
    let mut lost = tasks.clone();
    lost.get_mut(&0).unwrap().retain(|number| *number != 1);
    assert_eq!(broken(lost), Some((0, 1)));
    assert_eq!(broken(tasks), None);

    host.scratch.write("p.yaml", KEPT);
    let left = || host.get(&["describe", "in"])["left"] == true;
    assert!(eventually(SOON, left), "{}", host.said());
    host.get(&["delete", "in", "--yes"]);
    host.scratch.write("p.yaml", generator(1));
    let one = eventually(SOON, || {
        let row = host.call(&["describe", "in"]);
        row.stdout.contains("RUNNING")
    });
    assert!(one, "{}", host.said());
    host.reaches("in", "RUNNING", &["RUNNING"]);
    // It knows no position either: its first number is there a second time.
    let anew = eventually(SOON, || broken(made(&host)) == Some((0, 1)));
    assert!(anew, "{}", host.said());
    assert_eq!(host.signal("TERM"), Some(143));
}

/// (T1) Filters by topic, by tombstone and by header, each also negated: exact counts.
#[test]
fn filters_by_topic_tombstone_and_header_pass_exactly_what_they_should() {
    let sink = |name: &str, predicate: &str, negate: bool| {
        format!(
            "  {name}: {{ connector: blackhole-sink, topics: [even, odd], check: none, predicates: {{ p: {{ {predicate} }} }}, \
             transforms: [ {{ name: f, type: Filter, predicate: p, negate: {negate} }} ] }}\n"
        )
    };
    let mut yaml = "topics: { even: {}, odd: {} }\nconnectors:\n".to_owned();
    let cases = [
        ("topic", "type: TopicNameMatches, pattern: ev.*", 4),
        ("dead", "type: RecordIsTombstone", 3),
        ("header", "type: HasHeaderKey, name: mark", 2),
    ];
    for (name, predicate, _) in cases {
        yaml += &sink(name, predicate, false);
        yaml += &sink(&format!("not-{name}"), predicate, true);
    }
    // Ten records: four of `even`, three tombstones, two with the header.
    let records: Vec<String> = (0..10)
        .map(|n| {
            let value = if n < 3 {
                Value::Null
            } else {
                json!(format!("v{n}"))
            };
            let headers = if n >= 8 {
                json!([["mark", "x"]])
            } else {
                json!([])
            };
            json!({ "key": n.to_string(), "value": value, "headers": headers }).to_string()
        })
        .collect();
    let mut host = Host::new(&yaml);
    host.start();
    for (topic, share) in [("even", &records[..4]), ("odd", &records[4..])] {
        host.scratch
            .write(&format!("{topic}.jsonl"), share.join("\n") + "\n");
        let file = host.scratch.path(&format!("{topic}.jsonl"));
        host.call(&["produce", topic, "--file", file.to_str().unwrap()])
            .expect_code(0);
    }
    for (name, _, matching) in cases {
        for (name, dropped) in [
            (name.to_owned(), matching),
            (format!("not-{name}"), 10 - matching),
        ] {
            let mut row = Value::Null;
            let done = eventually(SOON, || {
                row = host.get(&["describe", &name]);
                row["filtered"] == dropped && row["records"] == 10 - dropped
            });
            assert!(done, "{name}: {dropped} dropped of 10: {row}");
        }
    }
    assert_eq!(host.signal("TERM"), Some(143));
}
