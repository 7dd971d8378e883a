//! Kafka Connect's own files: what they give, and what becomes of every key.

use std::fs;

use super::*;
use crate::KeyFate;

fn load_file(name: &str, text: &str) -> (Option<Plan>, Diagnostics) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    let request = Request {
        paths: vec![PathBuf::from(name)],
        cwd: folder.path().to_owned(),
        now_ms: NOW_MS,
        run: true,
        ..Request::default()
    };
    load(&request, &catalog())
}

#[track_caller]
fn plan_of(name: &str, text: &str) -> Plan {
    let (plan, diagnostics) = load_file(name, text);
    plan.unwrap_or_else(|| panic!("{}", diagnostics.render(false)))
}

fn option_of(plan: &Plan, name: &str) -> Option<String> {
    plan.connectors[0].config.get(name).cloned()
}

#[test]
fn properties_are_read_as_java_reads_them() {
    let text = "# a comment\n! another\n  name = orders-in\nconnector.class:file-source\npath /data/a\\u0062.csv\ntopic\\\n   =orders\n\nformat=csv   \nheader.a\\=b=x\\ty\\\n    z\n";
    let plan = plan_of("orders.properties", text);
    assert_eq!(plan.connectors[0].name, "orders-in");
    for (option, value) in [
        ("path", "/data/ab.csv"),
        ("topic", "orders"),
        ("format", "csv"),
        ("header.a=b", "x\tyz"),
    ] {
        assert_eq!(option_of(&plan, option).as_deref(), Some(value), "{option}");
    }
}

#[test]
fn every_key_of_a_file_is_accounted_for() {
    let text = "name=orders-in\nconnector.class=file-source\nfile=/data/a\ntopic=orders\npoll.intervall=1s\nconsumer.override.x=1\n";
    let (plan, diagnostics) = load_file("orders.properties", text);
    let fates: Vec<(&str, KeyFate, usize)> = diagnostics
        .keys()
        .iter()
        .map(|report| {
            (
                report.key.as_str(),
                report.fate.clone(),
                report.location.line,
            )
        })
        .collect();
    assert_eq!(
        fates,
        [
            ("name", KeyFate::Used, 1),
            ("connector.class", KeyFate::Used, 2),
            ("file", KeyFate::Mapped("path".to_owned()), 3),
            ("topic", KeyFate::Used, 4),
            ("poll.intervall", KeyFate::Ignored, 5),
            ("consumer.override.x", KeyFate::Ignored, 6),
        ]
    );
    assert!(
        diagnostics.keys()[4]
            .why
            .contains("did you mean `poll.interval`?")
    );
    assert!(diagnostics.keys()[5].why.contains("there is none"));
    assert!(plan.is_some(), "{}", diagnostics.render(false));
}

#[test]
fn an_unknown_key_is_a_warning_as_in_connect() {
    let text = "name=a\nconnector.class=file-source\nfile=/a\ntopic=t\nvendor.hint=7\n";
    let (plan, diagnostics) = load_file("a.properties", text);
    assert!(plan.is_some(), "{}", diagnostics.render(false));
    assert_eq!(
        (diagnostics.error_count(), diagnostics.warning_count()),
        (0, 1)
    );
}

#[test]
fn both_forms_of_json_are_read() {
    let flat = r#"{"name": "a", "connector.class": "file-source", "file": "/d/\u00e4\/x", "topic": "t", "lines.max": 7, "csv.header": true}"#;
    let long = format!(r#"{{"name": "a", "config": {flat}, "initial_state": "RUNNING"}}"#);
    for text in [flat, long.as_str()] {
        let plan = plan_of("a.json", text);
        for (option, value) in [
            ("path", "/d/ä/x"),
            ("lines.max", "7"),
            ("csv.header", "true"),
        ] {
            assert_eq!(
                option_of(&plan, option).as_deref(),
                Some(value),
                "{option} of {text}"
            );
        }
    }
}

#[test]
fn the_initial_state_is_an_option_in_any_case() {
    for (written, expected) in [
        ("stopped", "STOPPED"),
        ("PAUSED", "PAUSED"),
        ("Running", "RUNNING"),
    ] {
        let text = format!(
            r#"{{"name": "a", "config": {{"connector.class": "file-source", "file": "/a", "topic": "t"}}, "initial_state": "{written}"}}"#
        );
        let plan = plan_of("a.json", &text);
        assert_eq!(option_of(&plan, "initial.state").as_deref(), Some(expected));
    }
}

#[test]
fn a_configuration_of_ours_may_be_json() {
    let text = r#"{"connectors": {"a": {"connector": "file-source", "path": "/a", "topic": "t", "pth": 1}}}"#;
    let (_, diagnostics) = load_file("a.json", text);
    assert!(
        diagnostics.render(false).contains("LS0103"),
        "strict: {}",
        diagnostics.render(false)
    );
}

#[test]
fn what_is_wrong_in_them_has_its_place() {
    for (name, text, expected) in [
        ("a.json", "{\"name\": \"a\",}", "a.json:1:14"),
        (
            "a.json",
            "{\"name\": \"a\", \"connector.class\": \"file-source\", \"topic\": [\"t\"]}",
            "`topic` takes a text",
        ),
        (
            "a.json",
            "{\"config\": {\"connector.class\": \"file-source\"}}",
            "lacks `name`",
        ),
        ("a.json", "[1]", "is an object"),
        (
            "a.json",
            "{\"name\": \"a\", \"config\": {}, \"initial_state\": 1}",
            "`initial_state` takes a text",
        ),
        (
            "a.json",
            "{\"name\": \"a\", \"config\": {\"connector.class\": \"file-source\", \"topic\": \"t\", \"file\": \"/a\"}, \"initial_state\": \"HALTED\"}",
            "PAUSED",
        ),
        (
            "a.properties",
            "name=a\ntopic=t\n",
            "lacks `connector.class`",
        ),
        (
            "a.properties",
            "connector.class=file-source\n",
            "lacks `name`",
        ),
        (
            "a.properties",
            "name=a\nconnector.class=file-source\ntopic=t\nfile=\\u12x4\n",
            "a.properties:4:6",
        ),
        (
            "a.properties",
            "name=a\nconnector.class=file-source\ntopic=t\nfile=/a\nlines.max=x\n",
            "a.properties:5:11",
        ),
    ] {
        let (plan, diagnostics) = load_file(name, text);
        let said = diagnostics.render(false);
        assert!(plan.is_none() && said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn a_workers_file_gives_what_has_a_counterpart_and_says_why_the_rest_has_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("worker.properties"),
        "bootstrap.servers=localhost:9092\nplugin.path=/opt/a, /opt/b\noffset.storage.file.filename=/tmp/o\nstrange=1\n\
         value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n",
    )
    .unwrap();
    fs::write(
        folder.path().join("a.properties"),
        "name=a\nconnector.class=file-source\nfile=/a\ntopic=t\n",
    )
    .unwrap();
    let request = Request {
        paths: vec!["worker.properties".into(), "a.properties".into()],
        cwd: folder.path().to_owned(),
        now_ms: NOW_MS,
        run: true,
        ..Request::default()
    };
    let (plan, diagnostics) = load(&request, &catalog());
    let plan = plan.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
    assert_eq!(
        plan.host.plugin_paths,
        [PathBuf::from("/opt/a"), PathBuf::from("/opt/b")]
    );
    let fates: Vec<&str> = diagnostics
        .keys()
        .iter()
        .filter(|key| key.location.file.starts_with('w'))
        .map(|key| key.fate.word())
        .collect();
    assert_eq!(
        fates,
        [
            "unsupported",
            "mapped",
            "ignored",
            "ignored",
            "mapped",
            "mapped"
        ]
    );
    let lent = &plan.connectors[0].config["value.converter.schemas.enable"];
    assert_eq!(lent, "false");
    assert!(
        diagnostics
            .keys()
            .iter()
            .all(|key| key.fate == KeyFate::Used
                || key.fate.word() == "mapped"
                || !key.why.is_empty())
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "[a-z=:# \\\\u\\n\\t\"{}\\[\\],0-9]{0,80}") {
        for name in ["a.json", "a.properties"] {
            drop(load_file(name, &text));
        }
    }
}
