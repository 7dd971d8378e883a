//! A configuration with mistakes: all of them in one report, each with its place, exit code 2, nothing created.

use crate::support::{Scratch, linkspan, run, run_once};

/// One mistake: the YAML, the place `line:column` that must be named, and words that the report must hold.
struct Case {
    what: &'static str,
    yaml: &'static str,
    place: &'static str,
    words: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "misspelt section",
        yaml: "conectors:\n  in:\n    connector: file-source\n",
        place: "1:1",
        words: &["conectors", "connectors"],
    },
    Case {
        what: "misspelt option",
        yaml: "connectors:\n  in:\n    connector: file-source\n    pth: a.txt\n    path: b.txt\n    topic: t\n",
        place: "4:5",
        words: &["pth", "path"],
    },
    Case {
        what: "wrong type",
        yaml: "topics:\n  t: { partitions: many }\nconnectors: {}\n",
        place: "2:20",
        words: &["partitions", "many"],
    },
    Case {
        what: "duplicate key",
        yaml: "connectors:\n  in:\n    connector: file-source\n    path: a.txt\n    topic: t\n    topic: u\n",
        place: "6:5",
        words: &["topic", "5:5"],
    },
    Case {
        what: "tab",
        yaml: "connectors:\n\tin:\n\t\tconnector: file-source\n",
        place: "2:1",
        words: &["tab"],
    },
    Case {
        what: "two connectors of one name",
        yaml: "connectors:\n  in: { connector: file-source, path: a, topic: t }\n  in: { connector: file-source, path: b, topic: t }\n",
        place: "3:3",
        words: &["in", "2:3"],
    },
    Case {
        what: "unknown connector class",
        yaml: "connectors:\n  in:\n    connector: file-sorce\n    path: a.txt\n",
        place: "3:16",
        words: &["file-sorce", "file-source"],
    },
    Case {
        what: "missing option",
        yaml: "connectors:\n  in:\n    connector: file-source\n    topic: t\n",
        place: "2:3",
        words: &["path"],
    },
    Case {
        what: "duration without a unit",
        yaml: "connectors:\n  in:\n    connector: file-source\n    path: a\n    topic: t\n    poll.interval: 5\n",
        place: "6:20",
        words: &["poll.interval", "unit"],
    },
    Case {
        what: "an option that a later version builds",
        yaml: "connectors:\n  out:\n    connector: file-sink\n    topics: [t]\n    path: a\n    isolation: process\n",
        place: "6:",
        words: &["isolation"],
    },
    Case {
        what: "both spellings of a nested option",
        yaml: "connectors:\n  in:\n    connector: file-source\n    path: a\n    topic: t\n    format: csv\n    csv: { null.values: [a] }\n    csv.null.values: [b]\n",
        place: "8:5",
        words: &["csv.null.values"],
    },
    Case {
        what: "unset placeholder",
        yaml: "connectors:\n  in: { connector: file-source, topic: t, path: \"${param:nowhere}\" }\n",
        place: "2:",
        words: &["nowhere"],
    },
];

#[test]
fn each_mistake_is_named_with_its_place_code_and_exit_2() {
    for case in CASES {
        let scratch = Scratch::new();
        let yaml = scratch.write("bad.yaml", case.yaml);
        let ran = run_once(&yaml, &[]);
        println!("--- {}\n{}", case.what, ran.stderr);
        let ran = ran.expect_code(2).says(case.words);
        let place = format!("bad.yaml:{}", case.place);
        assert!(
            ran.stderr.contains(&place),
            "{}: no `{place}` in\n{}",
            case.what,
            ran.stderr
        );
        assert!(
            has_code(&ran.stderr),
            "{}: no LS code in\n{}",
            case.what,
            ran.stderr
        );
        let summary: serde_json::Value = serde_json::from_str(ran.stdout.trim()).unwrap();
        assert_eq!(summary["status"], "failed", "{}", case.what);
        assert!(!summary["error"].is_null(), "{}", case.what);
        assert!(
            !scratch.path("linkspan-data").exists_now(),
            "{}: a data directory was made",
            case.what
        );
    }
}

#[test]
fn all_mistakes_of_all_files_come_in_one_report() {
    let scratch = Scratch::new();
    let first = scratch.write(
        "first.yaml",
        "connectors:\n  a:\n    connector: file-sorce\n  b:\n    connector: file-source\n    pth: x\n    path: y\n    topic: t\n    topic: u\n",
    );
    let second = scratch.write(
        "second.yaml",
        "connectors:\n  a:\n    connector: file-sink\n    topics: [t]\n    pat: z\n",
    );
    for command in [
        &["validate"][..],
        &["run", "--once"],
        &["run", "--listen", "none"],
    ] {
        let ran = run(linkspan(command).arg(&first).arg(&second)).expect_code(2);
        ran.says(&[
            "first.yaml:3:16",
            "first.yaml:6:5",
            "first.yaml:9:5",
            "second.yaml:5:5",
            "second.yaml:2:3",
        ]);
    }
}

#[test]
fn what_a_connector_itself_refuses_names_its_line_before_anything_is_made() {
    let scratch = Scratch::new();
    let yaml = scratch.write(
        "bad.yaml",
        "connectors:\n  in:\n    connector: file-source\n    path: a\n    topic: t\n    format: csv\n    \
         csv: { types: { a: int33 } }\n",
    );
    let ran =
        run_once(&yaml, &[])
            .expect_code(2)
            .says(&["`in`", "csv.types", "int33", "bad.yaml:7:"]);
    assert!(has_code(&ran.stderr), "{}", ran.stderr);
    assert!(!scratch.path("linkspan-data").exists_now());
    let validated = run(linkspan(&["validate"]).arg(&yaml)).expect_code(2);
    assert!(
        validated.stderr.contains("bad.yaml:7:"),
        "{}",
        validated.stderr
    );
}

#[test]
fn what_a_connector_refuses_is_said_together_with_what_the_host_refuses_of_others() {
    let scratch = Scratch::new();
    let yaml = scratch.write(
        "bad.yaml",
        "connectors:\n  a: { connector: file-source, path: a, topic: t, modus: tail }\n  \
         b: { connector: file-source, path: b, topic: t, format: csv, csv.types: { a: int33 } }\n  \
         c: { connector: file-sink, topics: [t], path: 'o/{nope}/x.txt' }\n",
    );
    run(linkspan(&["validate"]).arg(&yaml))
        .expect_code(2)
        .says(&[
            "modus",
            "bad.yaml:2:",
            "int33",
            "bad.yaml:3:",
            "nope",
            "bad.yaml:4:",
        ]);
}

#[test]
fn a_missing_configuration_file_is_exit_2_and_a_good_one_validates() {
    let scratch = Scratch::new();
    run_once(&scratch.path("nowhere.yaml"), &[])
        .expect_code(2)
        .says(&["nowhere.yaml"]);
    let good = "connectors:\n  in: { connector: file-source, path: a.txt, topic: t }\n";
    let yaml = scratch.write("good.yaml", good);
    run(linkspan(&["validate"]).arg(&yaml)).expect_code(0);
    assert!(
        !scratch.path("linkspan-data").exists_now(),
        "`validate` has no side effects"
    );
}

fn has_code(text: &str) -> bool {
    text.split("LS")
        .skip(1)
        .any(|after| after.chars().take(4).filter(char::is_ascii_digit).count() == 4)
}

/// Whether something is there; unlike `Path::exists`, trouble to find out is a failure.
trait ExistsNow {
    fn exists_now(&self) -> bool;
}

impl ExistsNow for std::path::PathBuf {
    fn exists_now(&self) -> bool {
        self.try_exists().unwrap()
    }
}
