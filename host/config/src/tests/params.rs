//! `params:`, `--param` and placeholders.

use super::{Case, source};

fn with(declaration: &str, body: &str) -> String {
    format!("params: {{ {declaration} }}\n{}", source(body))
}

#[test]
fn dates_are_decided_in_their_time_zone() {
    for (declaration, expected) in [
        (
            "day: { type: date, default: yesterday, timezone: Asia/Seoul }",
            "2026-11-24",
        ),
        (
            "day: { type: date, default: today, timezone: Asia/Seoul }",
            "2026-11-25",
        ),
        ("day: { type: date, default: today }", "2026-11-24"),
        (
            "day: { type: date, default: today-30, timezone: '+09:00' }",
            "2026-10-26",
        ),
        (
            "day: { type: date, default: tomorrow, timezone: America/New_York }",
            "2026-11-25",
        ),
        ("day: { type: date, default: 2024-02-29 }", "2024-02-29"),
        ("day: { default: 007 }", "007"),
        ("day: x", "x"),
    ] {
        assert_eq!(
            Case::one(&with(declaration, "")).plan().params["day"],
            expected,
            "{declaration}"
        );
    }
}

#[test]
fn a_parameter_of_the_command_line_is_checked() {
    let text = with(
        "day: { type: date }, n: { type: int, default: 1 }",
        "format: csv",
    );
    let case = || Case::one(&text);
    assert_eq!(
        case()
            .param("day", "2026-11-01")
            .param("n", "5")
            .plan()
            .params["n"],
        "5"
    );
    assert_eq!(
        case().lines(),
        ["LS0133 a.yaml:1:11 parameter `day` has no value"]
    );
    for (name, value, expected) in [
        (
            "day",
            "2026-13-01",
            "LS0132 --param:1:5 parameter `day` takes a date such as 2026-11-01, today, yesterday, tomorrow or today-7, found `2026-13-01`",
        ),
        (
            "dya",
            "1",
            "LS0130 --param:1:1 no parameter is called `dya`",
        ),
        (
            "n",
            "1.5",
            "LS0132 --param:1:3 parameter `n` takes a whole number, found `1.5`",
        ),
    ] {
        let lines = if name == "day" {
            case().param(name, value).lines()
        } else {
            case().param("day", "today").param(name, value).lines()
        };
        assert_eq!(lines, [expected]);
    }
    let zone = with(
        "day: { type: date, default: today, timezone: Mars/Base }",
        "",
    );
    assert_eq!(
        Case::one(&zone).lines(),
        ["LS0132 a.yaml:1:56 parameter `day`: no such time zone"]
    );
}

#[test]
fn placeholders_are_resolved_only_at_the_edge() {
    let text = with(
        "day: x",
        "csv.null.values: [\"${env:A}\", 'q\"${param:day}']\napi.key: ${file:s.properties:db.key}\nlogin.password: ${file:s.json:a.b}\nheader.x: $${kept}\nlines.max: ${env:NONE:-9}",
    );
    let case = Case::new(&[
        ("a.yaml", &text),
        ("s.properties", "# c\ndb.key = p\\u00e4 ss\n"),
        ("s.json", "{\"a\": {\"b\": 007}}"),
    ])
    .paths(&["a.yaml"])
    .env("A", "a\"b");
    let plan = case.plan();
    let connector = &plan.connectors[0];
    assert_eq!(connector.config["api.key"], "${file:s.properties:db.key}");
    let resolved = connector.resolved(&plan.resolver).unwrap().0;
    assert_eq!(resolved["csv.null.values"], r#"["a\"b","q\"x"]"#);
    assert_eq!(resolved["api.key"], "pä ss");
    assert_eq!(resolved["login.password"], "007");
    assert_eq!(resolved["header.x"], "${kept}");
    assert_eq!(resolved["lines.max"], "9");
}

#[test]
fn a_path_that_begins_with_a_placeholder_is_completed_late() {
    let text = "connectors: { in: { connector: file-source, topic: t, path: \"${env:DIR}/x\" } }";
    let case = Case::one(text).env("DIR", "in");
    let plan = case.plan();
    let base = plan.base_dir.join("in/x").to_string_lossy().into_owned();
    assert_eq!(
        plan.connectors[0].resolved(&plan.resolver).unwrap().0["path"],
        base
    );
    let plan = Case::one(text).env("DIR", "/abs").plan();
    assert_eq!(
        plan.connectors[0].resolved(&plan.resolver).unwrap().0["path"],
        "/abs/x"
    );
}

#[test]
fn a_placeholder_without_a_value_has_a_place() {
    for (body, expected) in [
        (
            "format: a${env:NOPE}",
            "LS0152 a.yaml:6:14 connector `in`: environment variable `NOPE` is not set",
        ),
        (
            "format: '${env:NOPE'",
            "LS0150 a.yaml:6:14 connector `in`: a placeholder is not complete",
        ),
        (
            "format: ${NOPE}",
            "LS0150 a.yaml:6:13 connector `in`: a placeholder is not complete",
        ),
        (
            "format: ${vault:a}",
            "LS0151 a.yaml:6:13 connector `in`: no provider is called `vault`",
        ),
        (
            "format: ${param:day}",
            "LS0130 a.yaml:6:13 connector `in`: no parameter is called `day`",
        ),
        (
            "format: ${file:a.yaml:nope}",
            "LS0153 a.yaml:6:13 connector `in`: file `a.yaml` has no key `nope`",
        ),
        (
            "csv: { null.values: [x, \"${env:NOPE}\"] }",
            "LS0152 a.yaml:6:30 connector `in`: environment variable `NOPE` is not set",
        ),
    ] {
        assert_eq!(Case::one(&source(body)).lines(), [expected]);
    }
    let mut validate = Case::one(&source("format: ${env:NOPE}"));
    validate.request.run = false;
    let (plan, said) = validate.load();
    assert_eq!((said.error_count(), said.warning_count()), (0, 1));
    let plan = plan.unwrap();
    let error = plan.connectors[0].resolved(&plan.resolver).unwrap_err();
    assert_eq!(error.location.unwrap().to_string(), "a.yaml:6:13");
}

#[test]
fn an_env_file_fills_what_the_environment_lacks() {
    let mut case = Case::new(&[
        ("a.yaml", &source("format: ${env:F}\nheader.x: ${env:G}")),
        ("env", "# c\nexport F=\"csv\"\nG=file\n"),
    ])
    .paths(&["a.yaml"])
    .env("G", "outer");
    case.request.env_file = Some("env".into());
    let plan = case.plan();
    let resolved = plan.connectors[0].resolved(&plan.resolver).unwrap().0;
    assert_eq!(
        (resolved["format"].as_str(), resolved["header.x"].as_str()),
        ("csv", "outer")
    );
    std::fs::write(case.path("env"), "F=csv\nhunter2 words\n").unwrap();
    let (_, said) = case.load();
    assert!(said.render(false).contains("LS0156") && !said.render(false).contains("hunter2"));
}
