//! The records of runs: `runs list`, `runs show`, and `--rerun`.

use serde_json::Value;

use crate::pipeline::{Pipeline, numbered, records, summary};
use crate::places::Place;
use crate::support::{Ran, Scratch, eventually, linkspan, run, run_once, start};

fn runs(data: &std::path::Path, words: &[&str]) -> Ran {
    run(linkspan(&["runs"]).args(words).arg("--data").arg(data))
}

#[track_caller]
fn json(ran: Ran) -> Value {
    let ran = ran.expect_code(0);
    serde_json::from_str(ran.stdout.trim())
        .unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}

#[test]
fn every_run_has_a_record_on_a_running_host_and_a_stopped_directory() {
    for place in Place::both() {
        let list = json(runs(&place.data, &["list", "-o", "json"]));
        let last = &list[list.as_array().unwrap().len() - 1];
        assert_eq!(last["status"], "ok");
        assert_eq!(last["job"], "pipeline");
        assert_eq!(last["trigger"], "command");
        let id = last["run_id"].as_str().unwrap();
        let record = json(runs(&place.data, &["show", id, "-o", "json"]));
        assert_eq!(records(&record, "in"), 1);
        assert_eq!(record["exit_code"], 0);
        assert_eq!(
            record["asked"]["paths"][0],
            place.pipeline.yaml.to_str().unwrap()
        );
        assert_eq!(
            record["connectors"][0]["files"][0]["sha256"]
                .as_str()
                .unwrap()
                .len(),
            64
        );
        // For people, and as YAML.
        runs(&place.data, &["list"])
            .expect_code(0)
            .says(&[id, "command", "ok"]);
        runs(&place.data, &["show", id])
            .expect_code(0)
            .says(&[id, "in.txt", "out.txt"]);
        runs(&place.data, &["show", id, "-o", "yaml"])
            .expect_code(0)
            .says(&["status: ok", "- name: in"]);
        runs(&place.data, &["show", "ffff"])
            .expect_code(2)
            .says(&["LS0222"]);
    }
}

#[test]
fn a_failed_run_and_one_that_could_not_start_are_recorded_with_their_error() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.run().expect_code(1);
    let data = pipeline.scratch.path("linkspan-data");
    let record = json(runs(&data, &["show", "last", "-o", "json"]));
    assert_eq!(record["status"], "failed");
    assert_eq!(record["exit_code"], 1);
    assert_eq!(record["connectors"][0]["error"]["code"], "LS0404");
    runs(&data, &["show", "last"])
        .expect_code(0)
        .says(&["LS0404", "in.txt"]);

    let topics = pipeline.scratch.write("topics.yaml", "topics: { lines: { partitions: 3 } }\nconnectors:\n  s:\n    connector: blackhole-sink\n    topics: [lines]\n");
    run_once(&topics, &["--timeout", "60s"]).expect_code(0);
    let fewer = pipeline.scratch.write("topics.yaml", "topics: { lines: { partitions: 2 } }\nconnectors:\n  s:\n    connector: blackhole-sink\n    topics: [lines]\n");
    run_once(&fewer, &[]).expect_code(2);
    let record = json(runs(&data, &["show", "last", "-o", "json"]));
    assert_eq!(record["error"]["code"], "LS0212");
    assert_eq!(record["status"], "failed");
}

#[test]
fn a_run_that_was_killed_is_lost_and_not_running() {
    let pipeline = Pipeline::new(&[], &[]);
    pipeline.input(numbered(0..300_000));
    let scratch = &pipeline.scratch;
    let mut command = linkspan(&["run", "--once"]);
    let mut job = start(
        command.arg(&pipeline.yaml),
        &scratch.path("o"),
        &scratch.path("e"),
    );
    let data = scratch.path("linkspan-data");
    let status = || {
        let ran = runs(&data, &["list", "-o", "json"]);
        serde_json::from_str::<Value>(ran.stdout.trim())
            .map_or(Value::Null, |list| list[0]["status"].clone())
    };
    let soon = std::time::Duration::from_secs(60);
    assert!(
        eventually(soon, || status() == "running"),
        "{}",
        scratch.read("e")
    );
    job.kill().unwrap();
    job.wait().unwrap();
    assert_eq!(status(), "lost");
    pipeline.run().expect_code(0);
    let list = json(runs(&data, &["list", "-o", "json"]));
    let words: Vec<&str> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["status"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["ok", "lost"]);
    assert_eq!(pipeline.output(), numbered(0..300_000));
}

fn with_params(scratch: &Scratch) -> std::path::PathBuf {
    scratch.write("day.yaml", "params: { day: { type: date, default: yesterday } }\nconnectors:\n  in:\n    connector: file-source\n    \
        path: \"in-${param:day}.txt\"\n    topic: lines\n  out:\n    connector: file-sink\n    topics: [lines]\n    path: out.txt\n")
}

fn rerun(scratch: &Scratch, id: &str, more: &[&str]) -> Ran {
    run(
        linkspan(&["run", "--once", "-o", "json", "--rerun", id, "--data"])
            .arg(scratch.path("linkspan-data"))
            .args(more),
    )
}

#[test]
fn a_rerun_has_the_files_and_parameters_of_the_run_it_repeats() {
    let scratch = Scratch::new();
    let yaml = with_params(&scratch);
    // The input is missing: the run fails, and its day is recorded although it was only a default.
    run_once(
        &yaml,
        &[
            "--set",
            "connectors.out.format=jsonl",
            "--param",
            "day=2026-11-01",
        ],
    )
    .expect_code(1);
    let first = json(runs(
        &scratch.path("linkspan-data"),
        &["show", "last", "-o", "json"],
    ));
    scratch.write("in-2026-11-01.txt", "a\nb\n");
    let again = rerun(&scratch, "last", &["--timeout", "60s"]).expect_code(0);
    let report = summary(&again);
    assert_eq!(records(&report, "in"), 2);
    assert_eq!(report["params"]["day"], "2026-11-01");
    assert_eq!(report["config_sha256"], first["config_sha256"]);
    assert_eq!(
        scratch.read("out.txt"),
        "\"a\"\n\"b\"\n",
        "--set holds again"
    );
    let record = json(runs(
        &scratch.path("linkspan-data"),
        &["show", "last", "-o", "json"],
    ));
    assert_eq!(record["rerun_of"], first["run_id"]);
    assert_ne!(record["run_id"], first["run_id"]);
    // And once more: nothing is moved twice.
    let id = first["run_id"].as_str().unwrap();
    let third = rerun(&scratch, id, &[]).expect_code(0);
    assert_eq!(records(&summary(&third), "in"), 0);
}

#[test]
fn a_rerun_of_a_changed_configuration_is_refused_unless_told() {
    let scratch = Scratch::new();
    let yaml = with_params(&scratch);
    scratch.write("in-2026-11-01.txt", "a\n");
    run_once(&yaml, &["--param", "day=2026-11-01"]).expect_code(0);
    let text = std::fs::read_to_string(&yaml).unwrap();
    std::fs::write(&yaml, text.replace("out.txt", "other.txt")).unwrap();
    let refused = rerun(&scratch, "last", &[])
        .expect_code(2)
        .says(&["LS0223", "--changed-config"]);
    assert_eq!(summary(&refused)["error"]["code"], "LS0223");
    assert!(!scratch.path("other.txt").try_exists().unwrap());
    rerun(&scratch, "last", &["--changed-config"])
        .expect_code(0)
        .says(&["LS0223"]);
    rerun(&scratch, "nonsense", &[])
        .expect_code(2)
        .says(&["LS0222"]);
}
