//! `config show --origin` and `config schema`.

use serde_json::Value;

use crate::support::{Ran, Scratch, linkspan, repository, run};

fn files() -> Scratch {
    let scratch = Scratch::new();
    scratch.write(
        "p.yaml",
        "host: { num.partitions: 2 }\nparams: { day: { type: date, default: 2026-11-01 }, who: x }\ndefaults:\n  file-source: { poll.interval: 7s }\nconnectors:\n  \
         in:\n    connector: file-source\n    path: \"in-${env:NAME:-x}.txt\"\n    topic: lines\n  out:\n    connector: file-sink\n    topics: [lines]\n    path: out.txt\n",
    );
    scratch
}

fn show(scratch: &Scratch, more: &[&str]) -> Ran {
    run(linkspan(&["config", "show", "--origin"])
        .arg(scratch.path("p.yaml"))
        .args(more))
}

#[test]
fn every_value_says_where_it_comes_from() {
    let scratch = files();
    let more = [
        "-o",
        "json",
        "--set",
        "connectors.out.format=jsonl",
        "--param",
        "who=y",
    ];
    let ran = show(&scratch, &more).expect_code(0);
    let rows: Vec<Value> = serde_json::from_str(ran.stdout.trim()).unwrap();
    for (key, value, from, origin) in [
        ("connectors.in.topic", "lines", "file", "p.yaml:9:12"),
        ("connectors.in.poll.interval", "7s", "file", "p.yaml:4:33"),
        (
            "connectors.in.batch.records",
            "100000",
            "default",
            "default of file-source",
        ),
        (
            "connectors.in.tasks.max",
            "1",
            "default",
            "default of every connector",
        ),
        (
            "connectors.in.path",
            "in-${env:NAME:-x}.txt",
            "file",
            "resolved when it is used",
        ),
        (
            "connectors.out.format",
            "jsonl",
            "set",
            "--set connectors.out.format",
        ),
        ("host.num.partitions", "2", "file", "p.yaml:1:25"),
        (
            "host.log.durability",
            "fsync",
            "default",
            "default of the host",
        ),
        (
            "params.day",
            "2026-11-01",
            "default",
            "default of the parameter",
        ),
        ("params.who", "y", "param", "--param who"),
    ] {
        let row = rows.iter().find(|row| row["key"] == key);
        let row = row.unwrap_or_else(|| panic!("no {key} in {}", ran.stdout));
        assert!(row["value"].as_str().unwrap().ends_with(value), "{row}");
        assert_eq!(row["from"], from, "{row}");
        assert!(row["origin"].as_str().unwrap().contains(origin), "{row}");
    }
    // For people, and without the origins.
    show(&scratch, &[])
        .expect_code(0)
        .says(&["origin", "default of file-source"]);
    let plain = run(linkspan(&["config", "show"]).arg(scratch.path("p.yaml"))).expect_code(0);
    assert!(!plain.stdout.contains("default of"), "{}", plain.stdout);
    show(&scratch, &["--set", "connectors.in.pth=x"])
        .expect_code(2)
        .says(&["LS0103"]);
}

#[test]
fn the_schema_knows_the_options_of_all_installed_classes() {
    let ran = run(&mut linkspan(&["config", "schema"])).expect_code(0);
    let schema: Value = serde_json::from_str(&ran.stdout).unwrap();
    let source = &schema["definitions"]["file-source"];
    for (name, says) in [
        ("path", "description"),
        ("csv.header", "default"),
        ("csv", "properties"),
        ("tasks.max", "anyOf"),
        ("errors", "properties"),
    ] {
        assert!(
            !source["properties"][name][says].is_null(),
            "{name}: {}",
            source["properties"][name]
        );
    }
    assert!(source["properties"]["topics"].is_null(), "a sink's option");
    let required = source["required"].as_array().unwrap();
    assert!(required.contains(&"topic".into()), "{required:?}");
    let rules = schema["properties"]["connectors"]["additionalProperties"]["allOf"]
        .as_array()
        .unwrap();
    let names: Vec<String> = rules
        .iter()
        .map(|rule| rule["then"]["$ref"].to_string())
        .collect();
    for class in [
        "file-source",
        "file-sink",
        "generator-source",
        "blackhole-sink",
    ] {
        assert!(names.iter().any(|name| name.contains(class)), "{names:?}");
    }
}

#[test]
fn the_schema_accepts_every_shipped_pipeline_that_validate_accepts() {
    let Some(python) = python_with_jsonschema() else {
        return crate::support::skip(
            "the schema against the shipped pipelines",
            "python3 with jsonschema and yaml is missing",
        );
    };
    let scratch = Scratch::new();
    let ran = run(&mut linkspan(&["config", "schema"])).expect_code(0);
    let schema = scratch.write("schema.json", &ran.stdout);
    let check = scratch.write(
        "check.py",
        "import json, sys, yaml, jsonschema\nschema = json.load(open(sys.argv[1]))\njsonschema.Draft7Validator.check_schema(schema)\n\
         for path in sys.argv[2:]:\n    jsonschema.validate(yaml.safe_load(open(path)), schema)\n",
    );
    let mut command = std::process::Command::new(python);
    command.arg(&check).arg(&schema);
    let mut count = 0;
    for entry in std::fs::read_dir(repository().join("configs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml")
            && run(linkspan(&["validate"]).arg(&path)).status.success()
        {
            command.arg(path);
            count += 1;
        }
    }
    assert!(count >= 4, "{count} pipelines");
    run(&mut command).expect_code(0);
    // The negative control.
    let bad = scratch.write(
        "bad.yaml",
        "connectors: { x: { connector: file-source, pth: a, topic: t } }\n",
    );
    run(std::process::Command::new(python)
        .arg(check)
        .arg(schema)
        .arg(bad))
    .expect_code(1);
}

/// The first Python that has both modules: packages of the system reach its own only.
fn python_with_jsonschema() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        std::process::Command::new(python)
            .args(["-c", "import jsonschema, yaml"])
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    })
}
