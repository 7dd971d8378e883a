//! A newcomer's first command, on a copy of `configs/`: its output is checked by Python's csv module, not by our own code.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::pipeline::{records, summary};
use crate::support::{Scratch, linkspan, repository, run, run_once, skip_outside_ci};

/// Reads the CSV as Python understands it and compares each row with a line of the output, in order.
const COMPARE: &str = r"
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1], encoding='utf-8', newline='')))
kinds = {'lat': float, 'lon': float, 'alt': int, 'tz': int}
want = [{k: None if v == 'NA' else kinds.get(k, str)(v) for k, v in row.items()} for row in rows]
got = [json.loads(line) for line in open(sys.argv[2], encoding='utf-8')]
assert got == want, next((g, w) for g, w in zip(got + [None], want + [None]) if g != w)
assert [list(g) for g in got] == [list(w) for w in want], 'the order of the columns'
print(len(got))
";

#[test]
fn quickstart_turns_every_row_into_a_line_and_says_so() {
    let scratch = copy_of_configs();
    let yaml = scratch.path("configs/quickstart.yaml");
    let first = run(linkspan(&["run", "--once"]).arg(&yaml)).expect_code(0);
    let data = scratch.path("configs/linkspan-data");
    let data = data.canonicalize().unwrap().display().to_string();
    let opening = first.stderr.lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        opening,
        format!("linkspan {} · data {data} (new)", env!("CARGO_PKG_VERSION"))
    );
    let said = format!("{}{}", first.stdout, first.stderr);
    for text in [
        "airports-in",
        "airports-out",
        "linkspan consume airports",
        "--data",
    ] {
        assert!(said.contains(text), "`{text}` is not in\n{said}");
    }
    let total = said
        .lines()
        .find(|line| line.starts_with("ok: "))
        .unwrap_or_default();
    assert!(
        total.starts_with("ok: 1,458 read = 1,458 written + 0 filtered + 0 dead letters · ")
            && total.contains(" s · run "),
        "{said}"
    );

    let output = scratch.path("configs/out/airports.jsonl");
    match Command::new("python3")
        .args(["-c", COMPARE])
        .arg(scratch.path("configs/data/airports.csv"))
        .arg(&output)
        .output()
    {
        Err(error) => skip_outside_ci(
            "comparison of the quickstart's output",
            &format!("python3: {error}"),
        ),
        Ok(compared) => {
            assert!(
                compared.status.success(),
                "{}",
                String::from_utf8_lossy(&compared.stderr)
            );
            assert_eq!(String::from_utf8_lossy(&compared.stdout).trim(), "1458");
        }
    }

    let before = fs::read(&output).unwrap();
    let again = run(linkspan(&["run", "--once"]).arg(&yaml))
        .expect_code(0)
        .says(&["(resumed)", "nothing new", "start over"]);
    assert!(!again.stderr.contains("error"), "{}", again.stderr);
    assert_eq!(fs::read(&output).unwrap(), before);
}

#[test]
fn summary_has_exactly_the_promised_shape() {
    let scratch = copy_of_configs();
    let yaml = scratch.path("configs/quickstart.yaml");
    let ran = run_once(&yaml, &[]).expect_code(0);
    let summary = summary(&ran);
    let top = [
        "run_id",
        "status",
        "started",
        "ended",
        "duration_ms",
        "data_dir",
        "config_sha256",
        "params",
        "connectors",
        "warnings",
    ];
    assert_eq!(keys(&summary), top);
    assert_eq!(
        (&summary["status"], &summary["params"], &summary["warnings"]),
        (&"ok".into(), &"{}".parse().unwrap(), &"[]".parse().unwrap())
    );
    assert_eq!(
        summary["run_id"].as_str().unwrap().as_bytes()[14],
        b'7',
        "a UUID of version 7"
    );
    for time in ["started", "ended"] {
        let text = summary[time].as_str().unwrap();
        assert!(
            text.len() == 24 && text.ends_with('Z') && text.as_bytes()[19] == b'.',
            "RFC 3339 with milliseconds: {text}"
        );
    }
    assert_eq!(summary["config_sha256"].as_str().unwrap().len(), 64);

    for (name, kind, file) in [
        ("airports-in", "source", "data/airports.csv"),
        ("airports-out", "sink", "out/airports.jsonl"),
    ] {
        check_connector(&summary, name, kind, &scratch.path("configs").join(file));
    }
}

/// The entry of one connector, and of its one file, that handled every airport.
fn check_connector(summary: &Value, name: &str, kind: &str, path: &Path) {
    let connectors = summary["connectors"].as_array().unwrap();
    let connector = connectors.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(
        keys(connector),
        [
            "name", "type", "state", "records", "filtered", "dlq", "bytes", "files", "error"
        ]
    );
    assert_eq!(
        (&connector["type"], &connector["state"]),
        (&kind.into(), &"COMPLETED".into())
    );
    assert_eq!(
        (
            records(summary, name),
            &connector["filtered"],
            &connector["dlq"]
        ),
        (1458, &0.into(), &0.into())
    );
    assert_eq!(connector["error"], Value::Null);

    let files = connector["files"].as_array().unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(keys(&files[0]), ["path", "sha256", "bytes", "records"]);
    assert_eq!(files[0]["bytes"], path.metadata().unwrap().len());
    assert_eq!(files[0]["records"], 1458);
    if let Ok(judge) = Command::new("sha256sum").arg(path).output() {
        let said = String::from_utf8_lossy(&judge.stdout).into_owned();
        assert_eq!(files[0]["sha256"], said.split(' ').next().unwrap());
    }
}

fn keys(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn copy_of_configs() -> Scratch {
    let scratch = Scratch::new();
    for file in ["quickstart.yaml", "data/airports.csv"] {
        scratch.write(
            &format!("configs/{file}"),
            fs::read(repository().join("configs").join(file)).unwrap(),
        );
    }
    scratch
}
