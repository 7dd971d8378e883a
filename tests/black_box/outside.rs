//! `validate --connect`: what connectors need outside is tried, all that fails is said at once, and nothing is made.

use serde_json::Value;

use crate::support::{Scratch, linkspan, run};

const PIPELINE: &str = "connectors:
  in: { connector: file-source, path: [in.txt, IN], topic: t }
  rows: { connector: sql-source, connection.url: \"sqlite:DB\", table.whitelist: [x], mode: bulk, topic.prefix: r- }
  made: { connector: generator-source, topic: t, count: 1 }
  out: { connector: file-sink, topics: [t], path: OUT }
";

fn validate(scratch: &Scratch, yaml: &str, more: &[&str]) -> crate::support::Ran {
    let yaml = scratch.write("p.yaml", yaml);
    let mut command = linkspan(&["validate", "-o", "json"]);
    run(command.args(more).arg(yaml))
}

#[test]
fn everything_that_is_not_there_is_said_at_once_and_only_when_it_is_asked_for() {
    let scratch = Scratch::new();
    scratch.write("in.txt", "a\n");
    scratch.write("file", "no folder");
    let bad = PIPELINE
        .replace("IN", "missing.txt")
        .replace("DB", "missing.db")
        .replace("OUT", "file/out.txt");
    // It is a right configuration, and offline nothing is known of the places.
    validate(&scratch, &bad, &[]).expect_code(0);
    let ran = validate(&scratch, &bad, &["--connect"]).expect_code(3);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["valid"], true, "{said}");
    let of = |name: &str| {
        let rows = said["connect"].as_array().unwrap().iter();
        let mut rows = rows.filter(|row| row["connector"] == name);
        rows.next().unwrap().clone()
    };
    for (name, ok) in [
        ("in", false),
        ("rows", false),
        ("made", true),
        ("out", false),
    ] {
        assert_eq!(of(name)["ok"], ok, "{name}: {said}");
    }
    assert_eq!(of("made")["tried"], Value::Null, "{said}");
    let problems: Vec<&Value> = said["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|problem| problem["code"] == "LS0708")
        .collect();
    assert_eq!(problems.len(), 3, "{said}");
    for (line, told) in [
        (2, "missing.txt` names no file that is there"),
        (3, "missing.db"),
        (5, "file` is no folder"),
    ] {
        let found = problems.iter().any(|problem| {
            problem["line"] == line && problem["message"].as_str().unwrap().contains(told)
        });
        assert!(found, "{line} {told}: {said}");
    }
    assert!(!scratch.path("missing.db").try_exists().unwrap());
}

#[test]
fn what_is_there_is_found_and_nothing_is_made() {
    let scratch = Scratch::new();
    for name in ["in.txt", "more.txt", "rows.db"] {
        scratch.write(name, "");
    }
    let good = PIPELINE
        .replace("IN", "more.txt")
        .replace("DB", "rows.db")
        .replace("OUT", "deep/out.txt");
    let before = std::fs::read_dir(scratch.path(".")).unwrap().count();
    let ran = validate(&scratch, &good, &["--connect"]).expect_code(0);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    let tried: Vec<&str> = said["connect"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["tried"].as_str())
        .collect();
    assert_eq!(tried.len(), 3, "{said}");
    for told in [
        "2 files found and opened",
        "connected to ",
        " may be written to",
    ] {
        assert!(
            tried.iter().any(|tried| tried.contains(told)),
            "{told}: {said}"
        );
    }
    let after = std::fs::read_dir(scratch.path(".")).unwrap().count();
    assert_eq!(after, before + 1, "the YAML file and nothing else");
}
