//! `topic` and `produce`, on a stopped directory and on a running host.

use serde_json::{Value, json};

use crate::places::{Place, values};
use crate::support::{Scratch, linkspan, run, run_once};

#[test]
fn topics_are_made_described_altered_and_deleted() {
    for place in Place::both() {
        let create = ["topic", "create", "orders", "--partitions", "2", "--set"];
        let made = place.json(&[&create[..], &["retention.ms=7d"]].concat());
        assert_eq!(
            (&made["name"], &made["partitions"]),
            (&json!("orders"), &json!(2))
        );
        assert_eq!(made["settings"]["retention.ms"], "604800000");
        let listed = place.json(&["topic", "list"]);
        let names: Vec<&Value> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|t| &t["name"])
            .collect();
        assert_eq!(names, ["lines", "orders"]);
        assert_eq!(listed[0]["records"], 1);

        let alter = ["topic", "alter", "orders", "--partitions", "3"];
        let more = ["--set", "max.message.bytes=2000", "--unset", "retention.ms"];
        place.json(&[&alter[..], &more[..]].concat());
        let described = place.json(&["topic", "describe", "orders"]);
        assert_eq!(described["partitions"].as_array().unwrap().len(), 3);
        let setting = |name: &str| {
            let rows = described["settings"].as_array().unwrap();
            rows.iter().find(|row| row["name"] == name).unwrap().clone()
        };
        assert_eq!(setting("max.message.bytes")["value"], "2000");
        assert_eq!(setting("retention.ms")["default"], true);
        place
            .run(&["topic", "describe", "orders"])
            .expect_code(0)
            .says(&["max.message.bytes", "high_watermark"]);

        // Nobody can be asked: nothing is deleted.
        place
            .run(&["topic", "delete", "orders"])
            .expect_code(2)
            .says(&["LS0221", "--yes"]);
        place
            .run(&["topic", "delete", "orders", "--yes"])
            .expect_code(0);
        place.run(&["topic", "describe", "orders"]).expect_code(2);
    }
}

#[expect(clippy::too_many_lines, reason = "one table")]
#[test]
fn mistakes_about_topics_are_one_error_each_with_a_remedy() {
    for place in Place::both() {
        for (words, code, says) in [
            (
                &["topic", "describe", "lynes"][..],
                "LS0516",
                "did you mean `lines`?",
            ),
            (&["topic", "create", "lines"], "LS0523", "topic alter"),
            (&["topic", "create", "a/b"], "LS0517", "a/b"),
            (
                &["topic", "create", "x", "--partitions", "0"],
                "LS0517",
                "from 1 up to",
            ),
            (
                &["topic", "create", "x", "--partitions", "10001"],
                "LS0517",
                "10000",
            ),
            (
                &["topic", "create", "x", "--set", "retention.mss=1"],
                "LS0517",
                "retention.ms",
            ),
            (
                &["topic", "create", "x", "--set", "segment.bytes=-5"],
                "LS0517",
                "segment.bytes",
            ),
            (
                &["topic", "create", "x", "--set", "novalue"],
                "LS0220",
                "NAME=VALUE",
            ),
            (
                &["topic", "alter", "lines", "--partitions", "0"],
                "LS0517",
                "from 1 up to",
            ),
            (&["topic", "alter", "lines"], "LS0220", "nothing to change"),
            (&["topic", "delete", "lynes", "--yes"], "LS0516", "lines"),
            (
                &[
                    "topic",
                    "delete-records",
                    "lines",
                    "--before",
                    "99",
                    "--yes",
                ],
                "LS0515",
                "99",
            ),
            (
                &[
                    "topic",
                    "delete-records",
                    "lines",
                    "--partition",
                    "7",
                    "--yes",
                ],
                "LS0516",
                "partition 7",
            ),
        ] {
            let ran = place.run(words).expect_code(2).says(&[code, says]);
            let errors = ran.stderr.lines().filter(|line| line.starts_with("error["));
            assert_eq!(errors.count(), 1, "{words:?}: {}", ran.stderr);
        }
        assert_eq!(
            place.consume("lines", &[]).len(),
            1,
            "nothing else was harmed"
        );
    }
    let nowhere = run(&mut linkspan(&[
        "topic",
        "list",
        "--data",
        "does-not-exist",
    ]));
    nowhere.expect_code(3).says(&["LS0703", "--data"]);
}

#[test]
fn records_are_deleted_from_the_front() {
    for place in Place::both() {
        place
            .produce("lines", "a\nb\nc\n", &["--partition", "0"])
            .expect_code(0);
        place.json(&["topic", "delete-records", "lines", "--before", "2", "--yes"]);
        assert_eq!(values(&place.consume("lines", &[])), ["b", "c"]);
    }
}

#[test]
fn produced_lines_come_back_with_keys_headers_and_partitions() {
    for place in Place::both() {
        place.json(&["topic", "create", "orders", "--partitions", "3"]);
        let more = [
            "--key-separator",
            "\\t",
            "--header",
            "from=test",
            "--header",
            "n=",
        ];
        place
            .produce("orders", "k1\tone\nk2\ttwo\nk1\tthree\tx\n", &more)
            .expect_code(0)
            .says(&["3 records"]);
        let records = place.consume("orders", &[]);
        assert_eq!(records.len(), 3);
        let of_k1: Vec<&Value> = records
            .iter()
            .filter(|record| record["key"] == "k1")
            .collect();
        assert_eq!(
            (&of_k1[0]["value"], &of_k1[1]["value"]),
            (&json!("one"), &json!("three\tx"))
        );
        assert_eq!(of_k1[0]["partition"], of_k1[1]["partition"]);
        assert_eq!(of_k1[0]["headers"], json!([["from", "test"], ["n", ""]]));
        place
            .produce("orders", "here\n", &["--partition", "2", "--key", "k9"])
            .expect_code(0);
        let last = place.consume("orders", &[]);
        let last = last
            .iter()
            .find(|record| record["value"] == "here")
            .unwrap();
        assert_eq!(
            (&last["partition"], &last["key"]),
            (&json!(2), &json!("k9"))
        );
    }
}

#[test]
fn what_consume_prints_produce_takes() {
    for place in Place::both() {
        for topic in ["from", "to"] {
            place.json(&["topic", "create", topic, "--partitions", "2"]);
        }
        let lines = [
            json!({"key": "k", "value": "\u{c11c}\u{c6b8} {\"a\": 1}", "timestamp": 1_700_000_000_000_i64}),
            json!({"key": null, "value": null, "partition": 1, "headers": [["a", null], ["a", "x"]]}),
            json!({"key": {"base64": "/wA="}, "value": {"base64": "gIGC"}, "partition": 0}),
            json!({"value": ""}),
        ];
        let text: String = lines.iter().map(|line| format!("{line}\n\n")).collect();
        place.produce("from", &text, &["-o", "json"]).expect_code(0);
        let printed = run(&mut place.command(&["consume", "from", "--exit", "-o", "json"]));
        let printed = printed.expect_code(0).stdout;
        place
            .produce("to", &printed, &["-o", "json"])
            .expect_code(0);
        let same = |topic: &str| {
            let mut records = place.consume(topic, &[]);
            for record in &mut records {
                record["topic"] = Value::Null;
            }
            records
        };
        assert_eq!(same("from"), same("to"));
        assert_eq!(same("from").len(), 4);
    }
}

#[test]
fn mistakes_in_records_name_the_line_and_what_was_written() {
    for place in Place::both() {
        place.json(&[
            "topic",
            "create",
            "users",
            "--set",
            "cleanup.policy=compact",
        ]);
        place.json(&["topic", "create", "small", "--set", "max.message.bytes=200"]);
        let long = "x".repeat(500);
        for (topic, lines, more, code, says) in [
            ("lynes", "a\n", &[][..], "LS0516", "did you mean `lines`?"),
            ("users", "a\n", &[], "LS0522", "line 1"),
            (
                "lines",
                "a\n",
                &["--partition", "4"],
                "LS0516",
                "partition 4",
            ),
            (
                "lines",
                "novalue\n",
                &["--key-separator", ":"],
                "LS0525",
                "line 1",
            ),
            (
                "lines",
                "{\"value\":\"a\"}\n{\"value\":5}\n",
                &["-o", "json"],
                "LS0525",
                "line 2",
            ),
            ("small", long.as_str(), &[], "LS0514", "max.message.bytes"),
        ] {
            place
                .produce(topic, lines, more)
                .expect_code(2)
                .says(&[code, says]);
        }
        assert_eq!(
            place.consume("users", &[]).len() + place.consume("small", &[]).len(),
            0
        );
        // Negative control.
        place
            .produce("users", "a\n", &["--key", "k"])
            .expect_code(0);
        assert_eq!(place.consume("users", &[]).len(), 1);
    }
}

#[test]
fn consume_says_when_an_offset_is_not_there() {
    for place in Place::both() {
        let ran = place
            .run(&["consume", "lines", "--exit", "--from", "500"])
            .expect_code(0);
        ran.says(&["partition 0: offset 500 is beyond the end", "begins at 1"]);
        let ran = place.run(&["consume", "lynes", "--exit"]).expect_code(2);
        ran.says(&["LS0516", "did you mean `lines`?"]);
    }
}

#[test]
fn a_topic_that_a_source_writes_first_is_made_as_its_group_says() {
    let scratch = Scratch::new();
    scratch.write("a.txt", "line\n");
    let source = |name: &str, topic: &str, creation: &str| {
        format!(
            "  {name}:\n    connector: file-source\n    format: lines\n    path: a.txt\n    topic: {topic}\n{creation}"
        )
    };
    let creation = "    topic.creation:\n      groups: [wide]\n      wide: { include: ['ord.+', x], exclude: 'ordinary', \
                    partitions: 4, retention.ms: 1h }\n      default: { partitions: 2, replication.factor: 3 }\n";
    let yaml = scratch.write(
        "p.yaml",
        format!(
            "connectors:\n{}{}{}",
            source("a", "orders", creation),
            source("b", "ordinary", creation),
            source("c", "plain", "")
        ),
    );
    run_once(&yaml, &[]).expect_code(0);
    for (topic, partitions, retention) in [
        ("orders", 4, "3600000"),
        ("ordinary", 2, "604800000"),
        ("plain", 1, "604800000"),
    ] {
        let mut describe = linkspan(&["topic", "describe", topic, "-o", "json", "--data"]);
        let ran = run(describe.arg(scratch.path("linkspan-data"))).expect_code(0);
        let described: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
        let rows = described["settings"].as_array().unwrap();
        let set = rows
            .iter()
            .find(|row| row["name"] == "retention.ms")
            .unwrap();
        assert_eq!(
            described["partitions"].as_array().unwrap().len(),
            partitions,
            "{topic}"
        );
        assert_eq!(set["value"], retention, "{topic}");
    }
    // Everything that is wrong is said at once, and nothing runs.
    let wrong = "    topic.creation: { groups: [w], w.include: '[', v.include: a, default.partitions: 0 }\n";
    let yaml = scratch.write(
        "w.yaml",
        format!("connectors:\n{}", source("a", "t", wrong)),
    );
    run_once(&yaml, &[]).expect_code(2).says(&[
        "LS0205",
        "default.partitions` is a whole number",
        "default.replication.factor` is missing",
        "w.include` is not a valid regular expression",
        "v.include` belongs to no group",
    ]);
}
