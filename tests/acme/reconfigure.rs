//! A task asks for the work to be split anew, and `tasks.max`. Names in brackets are those of Kafka Connect's own tests.

use std::time::Duration;

use serde_json::Value;

use crate::hosted::{Hosted, rogue};
use crate::support::eventually;

const SOON: Duration = Duration::from_secs(60);

fn yaml(more: &str) -> String {
    format!(
        "connectors:\n  parts: {{ connector: rogue-parts, topic: parts, parts: PARTS, tasks.max: 4{more} }}\n  \
         kept: {{ connector: file-sink, topics: [parts], path: out.txt, format: lines }}\n"
    )
}

fn host(more: &str, parts: &str) -> Hosted {
    let mut host = Hosted::new("");
    let file = host.scratch.write("parts.txt", parts);
    let yaml = yaml(more).replace("PARTS", file.to_str().unwrap());
    host.scratch.write("p.yaml", yaml);
    host.start(&["--plugin-path", rogue().to_str().unwrap()]);
    host
}

/// How often each task was started.
fn starts(row: &Value) -> Vec<u64> {
    let tasks = row["tasks"].as_array().unwrap();
    let starts = tasks.iter().map(|task| task["starts"].as_u64().unwrap());
    starts.collect()
}

#[test]
fn a_request_of_a_task_restarts_the_tasks_whose_share_changed_and_no_other() {
    let mut host = host("", "a\nb\n");
    let running = ["RUNNING"; 4];
    host.reaches("parts", "RUNNING", &running[..2]);
    // The file, how often each task was started then, and all that was said in order.
    let table: [(&str, &[u64], &str); 5] = [
        ("a\nb\nc\n", &[1, 1, 1], "a b c"),
        ("a\nx\nc\n", &[1, 2, 1], "a b c x"),
        ("a\nx\nc\nd\n", &[1, 2, 1, 1], "a b c d x"),
        ("a\n", &[1], "a b c d x"),
        ("a\ny\n", &[1, 3], "a b c d x y"),
    ];
    for (parts, expected, said) in table {
        host.scratch.write("parts.txt", parts);
        let mut row = Value::Null;
        let reached = eventually(SOON, || {
            row = host.get(&["describe", "parts"]);
            starts(&row) == expected
        });
        assert!(reached, "{parts:?}: {row}\n{}", host.said());
        host.reaches("parts", "RUNNING", &running[..expected.len()]);
        let mut lines = Vec::new();
        let all = eventually(SOON, || {
            let text = host.scratch.read("out.txt");
            lines = text.lines().map(str::to_owned).collect();
            lines.sort_unstable();
            lines.join(" ") == said
        });
        assert!(all, "{parts:?}: {lines:?}\n{}", host.said());
    }
    // A new task of a paused connector waits like the others.
    host.get(&["pause", "parts"]);
    host.reaches("parts", "PAUSED", &["PAUSED"; 2]);
    host.get(&["resume", "parts"]);
    host.reaches("parts", "RUNNING", &running[..2]);
    assert_eq!(host.signal("TERM"), Some(143));
}

#[test]
fn a_split_that_fails_for_now_is_tried_again_with_the_tasks_as_they_are() {
    let mut host = host("", "a\n");
    host.reaches("parts", "RUNNING", &["RUNNING"]);
    host.scratch.write("parts.txt", "not now");
    let mut row = Value::Null;
    let told = eventually(SOON, || {
        row = host.get(&["describe", "parts"]);
        row["trace"]
            .as_str()
            .is_some_and(|trace| trace.contains("being counted"))
    });
    assert!(told, "{row}\n{}", host.said());
    assert_eq!(
        (&row["state"], starts(&row)),
        (&"RUNNING".into(), vec![1]),
        "{row}"
    );
    host.scratch.write("parts.txt", "a\nb\n");
    let row = host.reaches("parts", "RUNNING", &["RUNNING"; 2]);
    assert_eq!(starts(&row), [1, 1], "{row}");
    assert_eq!(row["trace"], Value::Null, "{row}");
    assert_eq!(host.signal("TERM"), Some(143));
}

/// (W16) A class that makes too many: refused at the start and at a new split, where what runs goes on; allowed if wanted.
#[test]
fn more_tasks_than_asked_for_fail_the_connector_unless_that_is_not_enforced() {
    let mut host = host("", "a\nb\n");
    host.reaches("parts", "RUNNING", &["RUNNING"; 2]);
    host.scratch.write("parts.txt", "too many\na\nb\nc\nd\ne\n");
    let row = host.reaches("parts", "FAILED", &["RUNNING"; 2]);
    let trace = row["trace"].as_str().unwrap();
    assert!(
        trace.contains("The connector parts has generated 5 tasks, which is greater than 4"),
        "{trace}"
    );
    // Mended, and restarted.
    host.scratch.write("parts.txt", "a\nb\n");
    host.get(&["restart", "parts"]);
    host.reaches("parts", "RUNNING", &["RUNNING"; 2]);
    // (W4) Up and down with `tasks.max`, in the file of a host that runs.
    host.scratch.write("parts.txt", "a\nb\nc\nd\n");
    host.reaches("parts", "RUNNING", &["RUNNING"; 4]);
    let yaml = host.scratch.read("p.yaml");
    for (max, tasks) in [(1, 1), (3, 3), (2, 2)] {
        host.scratch.write(
            "p.yaml",
            yaml.replace("tasks.max: 4", &format!("tasks.max: {max}")),
        );
        host.reaches("parts", "RUNNING", &["RUNNING"; 4][..tasks]);
    }
    // Not enforced: all of them.
    host.scratch.write("parts.txt", "too many\na\nb\nc\nd\ne\n");
    host.scratch.write(
        "p.yaml",
        yaml.replace("tasks.max: 4", "tasks.max: 4, tasks.max.enforce: false"),
    );
    host.reaches("parts", "RUNNING", &["RUNNING"; 5]);
    assert_eq!(host.signal("TERM"), Some(143));
}
