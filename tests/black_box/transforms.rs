//! Transforms of a connector: what arrives, what is counted, what is refused, what `transform try` shows.

use serde_json::{Value, json};

use crate::pipeline::{Pipeline, records, summary};
use crate::support::{Ran, Scratch, linkspan, run};

const FLIGHTS: &str = "carrier,flight,tail\nUA,1545,N14228\nAA,1141,N619AA\nUA,1714,N24211\n";
const TYPES: &str = "csv: { types: { flight: int32 } }";

fn filtered(summary: &Value, connector: &str) -> u64 {
    let connectors = summary["connectors"].as_array().unwrap();
    let found = connectors.iter().find(|found| found["name"] == connector);
    found.unwrap()["filtered"].as_u64().unwrap()
}

fn lines(pipeline: &Pipeline) -> Vec<Value> {
    let output = pipeline.output();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn steps_of_source_and_sink_run_in_their_order() {
    let pipeline = Pipeline::csv(
        &[
            TYPES,
            "transforms: [ { name: names, type: ReplaceField, of: value, renames: [\"carrier:airline\"] }, { name: cast, type: Cast$Value, spec: \"flight:string\" } ]",
        ],
        &[
            "transforms: [ { name: at, type: InsertField, of: value, offset.field: at, topic.field: from }, { name: hide, type: Mask, of: value, fields: [tail], method: partial, keep.first: 1 }, { name: mark, type: InsertHeader, header: h, value.literal: 5 } ]",
        ],
    );
    pipeline.input(FLIGHTS);
    let done = summary(&pipeline.run().expect_code(0));
    assert_eq!(records(&done, "out"), 3);
    assert_eq!(
        lines(&pipeline)[0],
        json!({"airline": "UA", "flight": "1545", "tail": "N*****", "from": "lines", "at": 0})
    );
}

#[test]
fn connects_own_spelling_does_the_same() {
    let pipeline = Pipeline::csv(
        &[
            "transforms: up,drop",
            "transforms.up.type: org.apache.kafka.connect.transforms.HoistField$Value",
            "transforms.up.field: row",
            "transforms.drop.type: org.apache.kafka.connect.transforms.DropHeaders",
            "transforms.drop.headers: a,b",
        ],
        &[],
    );
    pipeline.input(FLIGHTS);
    pipeline.run().expect_code(0);
    assert_eq!(
        lines(&pipeline)[1],
        json!({"row": {"carrier": "AA", "flight": "1141", "tail": "N619AA"}})
    );
}

#[test]
fn dropped_records_are_counted_and_their_offsets_pass() {
    let everything = "transforms: [ { name: none, type: Filter, predicate: here } ]";
    let predicate = "predicates: { here: { type: TopicNameMatches, pattern: \"li.*\" } }";
    let pipeline = Pipeline::new(&[], &[everything, predicate]);
    pipeline.input("a\nb\nc\n");
    let done = summary(&pipeline.run().expect_code(0));
    assert_eq!((records(&done, "out"), filtered(&done, "out")), (0, 3));
    // Negative control: the same files without the filter have nothing left to read, for the offsets were committed.
    pipeline.edit(&[], &[]);
    let again = summary(&pipeline.run().expect_code(0));
    assert_eq!((records(&again, "out"), filtered(&again, "out")), (0, 0));
    assert_eq!(pipeline.output(), "");

    let at_source = Pipeline::new(&["transforms: [ { name: none, type: Filter } ]"], &[]);
    at_source.input("a\nb\n");
    let done = summary(&at_source.run().expect_code(0));
    assert_eq!((records(&done, "in"), filtered(&done, "in")), (2, 2));
    assert_eq!(records(&done, "out"), 0);
    let again = summary(&at_source.run().expect_code(0));
    assert_eq!((records(&again, "in"), filtered(&again, "in")), (0, 0));
}

#[test]
fn everything_wrong_with_steps_is_said_at_once_and_with_its_place() {
    let pipeline = Pipeline::new(
        &[
            "transforms: [ { name: a, type: HoistFeild, of: value, field: x }, { name: b, type: Filter, predicate: nope } ]",
        ],
        &[
            "transforms: [ { name: c, type: RegexRouter, regex: \"(\", replacement: x }, { name: d, type: RegexRouter, regex: a, replacment: x } ]",
        ],
    );
    pipeline.input("a\n");
    pipeline.run().expect_code(2).says(&[
        "`transforms.a.type` `HoistFeild` is no transform",
        "`transforms.b.predicate` names `nope`",
        "`transforms.c.regex` is not a valid regular expression",
        "`transforms.d.replacement` is required",
        "did you mean `transforms.d.replacement`?",
        "pipeline.yaml:",
    ]);
}

#[test]
fn a_record_that_a_step_refuses_is_named_without_its_values() {
    let pipeline = Pipeline::csv(
        &[],
        &["transforms: [ { name: cast, type: Cast, of: value, spec: \"carrier:int32\" } ]"],
    );
    pipeline.input(FLIGHTS);
    let ran =
        pipeline
            .run()
            .expect_code(1)
            .says(&["transform `cast`", "field `carrier`", "offset 0"]);
    assert!(!ran.stderr.contains("UA"), "{}", ran.stderr);
}

fn try_record(yaml: &str, record: &str, more: &[&str]) -> Ran {
    let scratch = Scratch::new();
    let path = scratch.write("p.yaml", yaml);
    let input = scratch.write("record.json", record);
    scratch.write("in.txt", "");
    run(linkspan(&["transform", "try"])
        .arg(&path)
        .arg("--record")
        .arg(&input)
        .args(more))
}

#[test]
fn transform_try_shows_a_record_before_and_after_each_step() {
    let yaml = "connectors:\n  out:\n    connector: file-sink\n    topics: [orders]\n    path: out.txt\n    transforms:\n      - { name: wrap, type: HoistField$Value, field: f }\n      - { name: cast, type: Cast$Value, spec: \"f:int8\" }\n      - { name: gone, type: Filter }\n";
    let ran = try_record(yaml, r#"{"topic":"orders","value":"5"}"#, &["-o", "json"]).expect_code(0);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(shown["connector"], "out");
    let values: Vec<&Value> = shown["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["record"]["value"])
        .collect();
    assert_eq!(
        values,
        [
            &json!("5"),
            &json!({"f": "5"}),
            &json!({"f": 5}),
            &Value::Null
        ]
    );
    try_record(yaml, r#"{"value":"x"}"#, &[])
        .expect_code(1)
        .says(&[
            "after wrap (HoistField$Value)",
            "refused: field `f`: the text is no number that fits int8",
        ]);
    try_record(yaml, "{}", &["--connector", "nope"])
        .expect_code(2)
        .says(&["there is no connector `nope`"]);
}
