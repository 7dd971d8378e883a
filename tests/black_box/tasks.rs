//! Several tasks of one connector, what a result on a full stdout means, and values that must not show.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::support::{Scratch, linkspan, run, run_once};

const FEED: &str = "topics: { t: { partitions: 8 } }\nconnectors:\n  \
    in: { connector: generator-source, topic: t, count: 40000, size: 50B, tasks.max: 4 }\n";
const DRAIN: &str = "topics: { t: { partitions: 8 } }\nconnectors:\n  \
    out: { connector: blackhole-sink, topics: [t], check: sequence, tasks.max: 4 }\n";

/// Four members join while there are records to read: each join takes partitions from those before it.
#[test]
fn four_tasks_of_a_sink_share_the_partitions_and_lose_or_double_nothing() {
    let scratch = Scratch::new();
    let feed = scratch.write("feed.yaml", FEED);
    let drain = scratch.write("drain.yaml", DRAIN);
    let data = scratch.path("data");
    let data = data.to_str().unwrap();
    run_once(&feed, &["--data", data]).expect_code(0);
    for expected in [40_000, 0] {
        let ran = run_once(&drain, &["--data", data, "--timeout", "60s"]).expect_code(0);
        let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(summary["connectors"][0]["records"], expected, "{summary}");
    }
}

#[test]
fn a_result_that_stdout_does_not_take_is_no_success() {
    let scratch = Scratch::new();
    let feed = scratch.write("feed.yaml", FEED);
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = linkspan(&["run", "--once", "-o", "json"])
        .arg(&feed)
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn the_value_of_a_placeholder_shows_in_no_output_and_no_file() {
    let scratch = Scratch::new();
    let yaml = scratch.write(
        "secret.yaml",
        "connectors:\n  in: { connector: file-source, topic: t, path: \"${env:CANARY}/in.txt\" }\n",
    );
    let canary = "/canary-5f1c9a";
    let ran = run(linkspan(&["run", "--once", "-o", "json"])
        .arg(&yaml)
        .env("CANARY", canary))
    .expect_code(1);
    assert!(ran.stdout.contains("[hidden]/in.txt"), "{}", ran.stdout);
    assert!(
        !ran.stdout.contains(canary) && !ran.stderr.contains(canary),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let mut folders = vec![scratch.path("linkspan-data")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "sock") {
                files += 1;
                let bytes = std::fs::read(&path).unwrap();
                let found = bytes
                    .windows(canary.len())
                    .any(|window| window == canary.as_bytes());
                assert!(!found, "{} holds it", path.display());
            }
        }
    }
    assert!(files > 3, "the data directory was looked at");
}

#[test]
fn wrong_arguments_are_exit_2_and_json_where_it_was_asked_for() {
    let ran = run(&mut linkspan(&[
        "run",
        "--once",
        "--no-such-flag",
        "-o",
        "json",
    ]))
    .expect_code(2);
    let answer: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(answer["status"], "failed");
    assert_eq!(answer["error"]["code"], "LS0220");
    let ran = run(&mut linkspan(&["run", "--once", "--no-such-flag"])).expect_code(2);
    assert_eq!(ran.stdout, "");
}
