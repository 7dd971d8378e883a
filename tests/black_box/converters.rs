//! Converters of a connector, by Connect's names: what rests in the topic, what a sink gets back, what is refused.

use serde_json::{Value, json};

use crate::pipeline::{Pipeline, records, summary};
use crate::support::{linkspan, run};

const FLIGHTS: &str = "year,carrier,price\n2013,UA,12.50\n2013,AA,\n";
const TYPES: &str = "csv: { types: { year: int32, price: \"decimal(8,2)\" } }";

/// The records of the topic as `consume` prints them.
fn stored(pipeline: &Pipeline) -> Vec<Value> {
    let data = pipeline.scratch.path("linkspan-data");
    let ran = run(linkspan(&[
        "consume", "lines", "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(&data))
    .expect_code(0);
    ran.stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The value of a record, which is JSON text at rest.
#[track_caller]
fn parsed(record: &Value, part: &str) -> Value {
    serde_json::from_str(record[part].as_str().unwrap()).unwrap()
}

#[test]
fn typed_rows_become_connects_envelope_and_come_back_typed() {
    let json = "value.converter: org.apache.kafka.connect.json.JsonConverter";
    let pipeline = Pipeline::csv(
        &[TYPES, json, "value.converter.decimal.format: numeric"],
        &[json],
    );
    pipeline.input(FLIGHTS);
    let done = summary(&pipeline.run().expect_code(0));
    assert_eq!(records(&done, "out"), 2);

    let at_rest = stored(&pipeline);
    let envelope = parsed(&at_rest[0], "value");
    assert_eq!(envelope["schema"]["type"], "struct");
    assert_eq!(envelope["schema"]["fields"][0]["field"], "year");
    assert_eq!(envelope["schema"]["fields"][0]["type"], "int32");
    assert_eq!(
        envelope["payload"],
        json!({"year": 2013, "carrier": "UA", "price": 12.5})
    );
    // No header of the host's own: any Kafka client reads it.
    assert_eq!(at_rest[0]["headers"], json!([]));

    // The sink got rows: a decimal has its two digits again.
    assert_eq!(
        pipeline.output(),
        "{\"year\":2013,\"carrier\":\"UA\",\"price\":\"12.50\"}\n{\"year\":2013,\"carrier\":\"AA\",\"price\":null}\n"
    );
}

#[test]
fn schemaless_json_stays_schemaless() {
    let options = [
        "value.converter: json",
        "value.converter.schemas.enable: false",
    ];
    let source: Vec<&str> = [TYPES].into_iter().chain(options).collect();
    let pipeline = Pipeline::csv(&source, &options);
    pipeline.input(FLIGHTS);
    pipeline.run().expect_code(0);
    let at_rest = stored(&pipeline);
    assert_eq!(
        at_rest[0]["value"],
        r#"{"year":2013,"carrier":"UA","price":"BOI="}"#
    );
    assert_eq!(at_rest[0]["headers"], json!([]));
    assert_eq!(
        pipeline.output().lines().next(),
        Some(r#"{"year":2013,"carrier":"UA","price":"BOI="}"#)
    );
}

#[test]
fn keys_have_a_converter_of_their_own() {
    let pipeline = Pipeline::csv(
        &[TYPES, "key.fields: [carrier]", "key.converter: string"],
        &["key.converter: string"],
    );
    pipeline.input(FLIGHTS);
    pipeline.run().expect_code(0);
    let at_rest = stored(&pipeline);
    assert_eq!(at_rest[0]["key"], "Struct{carrier=UA}");
    assert_eq!(at_rest[1]["key"], "Struct{carrier=AA}");
    // The value is still the host's: plain JSON, its schema named by a header.
    assert_eq!(parsed(&at_rest[0], "value")["price"], "12.50");
    assert_eq!(at_rest[0]["headers"][0][0], "linkspan.schema");
    assert_eq!(at_rest[0]["headers"].as_array().unwrap().len(), 1);
}

#[test]
fn binary_rows_come_back_whatever_the_sink_says() {
    for sink in [
        &["value.converter: row"][..],
        &["value.converter: auto"],
        &[],
    ] {
        let pipeline = Pipeline::csv(&[TYPES, "value.converter: row"], sink);
        pipeline.input(FLIGHTS);
        pipeline.run().expect_code(0);
        let at_rest = stored(&pipeline);
        let header = at_rest[0]["headers"][0][1].as_str().unwrap();
        assert!(header.ends_with(".row"), "{header}");
        assert!(!at_rest[0]["value"].to_string().contains("carrier"));
        assert_eq!(
            pipeline.output().lines().next(),
            Some(r#"{"year":2013,"carrier":"UA","price":"12.50"}"#),
            "{sink:?}"
        );
    }
}

#[test]
fn text_in_another_encoding_is_text_again_at_the_sink() {
    let latin = [
        "value.converter: string",
        "value.converter.converter.encoding: ISO-8859-1",
    ];
    let pipeline = Pipeline::new(&latin, &latin);
    pipeline.input("café\n");
    pipeline.run().expect_code(0);
    assert_eq!(stored(&pipeline)[0]["value"], json!({"base64": "Y2Fm6Q=="}));
    assert_eq!(pipeline.output(), "café\n");
}

#[test]
fn a_record_that_a_converter_cannot_read_is_named_by_its_place_and_never_shown() {
    let pipeline = Pipeline::new(&[], &["value.converter: json"]);
    pipeline.input("{\"schema\":null,\"payload\":1}\nhunter2 is no JSON\n");
    let ran = pipeline.run().expect_code(1);
    assert!(
        !ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"),
        "{ran:?}"
    );
    ran.says(&[
        "topic `lines` partition 0 offset 1",
        "not valid JSON at byte 0",
    ]);
}

#[test]
fn wrong_converters_and_options_are_refused_with_their_place() {
    let check = |source: &[&str], said: &[&str]| {
        let pipeline = Pipeline::new(source, &[]);
        pipeline.input("a\n");
        pipeline.run().expect_code(2).says(said);
    };
    check(
        &["value.converter: jsn"],
        &["pipeline.yaml:7:22", "did you mean `json`?"],
    );
    check(
        &[
            "value.converter: json",
            "value.converter.schemas.enabel: false",
        ],
        &["pipeline.yaml:8:", "did you mean `schemas.enable`?"],
    );
    check(
        &[
            "value.converter: json",
            "value.converter.decimal.format: hex",
        ],
        &["`value.converter.decimal.format` is one of BASE64, NUMERIC"],
    );
    check(
        &["key.converter: simple"],
        &["names no converter for this use"],
    );
    check(
        &["value.converter.schemas.enable: false"],
        &["is no option of the converter `auto`"],
    );
}
