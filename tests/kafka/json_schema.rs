//! The converter `json-schema` with a real registry, judged by Python's `jsonschema`; schemas that others wrote; what is bad.

use std::process::Command;

use serde_json::{Value, json};

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name};
use crate::registry::registry;
use crate::support::skip_outside_ci;

/// Validates values, one JSON a line, against a schema.
const JUDGE: &str = "
import json, sys, jsonschema
schema = json.loads(sys.argv[1])
validator = jsonschema.validators.validator_for(schema, jsonschema.Draft7Validator)
validator.check_schema(schema)
for line in sys.argv[2].splitlines():
    print('VALID' if validator(schema).is_valid(json.loads(line)) else 'INVALID')
";

/// What the judge says of each value; `None` where there is no judge, which is noted.
fn judge(what: &str, schema: &str, values: &[String]) -> Option<Vec<String>> {
    let mut missing = String::new();
    for python in ["python3", "/usr/bin/python3"] {
        let ran = Command::new(python)
            .args(["-c", JUDGE, schema, &values.join("\n")])
            .output();
        match ran {
            Ok(ran) if ran.status.success() => {
                let said = String::from_utf8_lossy(&ran.stdout).into_owned();
                return Some(said.lines().map(str::to_owned).collect());
            }
            Ok(ran) => missing = String::from_utf8_lossy(&ran.stderr).into_owned(),
            Err(error) => missing = format!("{python}: {error}"),
        }
    }
    assert!(
        missing.contains("No module") || missing.contains("python3:"),
        "{missing}"
    );
    skip_outside_ci(what, &missing);
    None
}

fn to_file(servers: &str, topic: &str, converter: &str, url: &str, more: &str) -> String {
    format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{servers}', topics: [{topic}] }}
  out:
    connector: file-sink
    path: out.jsonl
    format: jsonl
    topics: [{topic}]
    value.converter: {converter}
    value.converter.schema.registry.url: {url}
{more}"
    )
}

#[test]
fn a_source_writes_json_that_fits_the_schema_it_registers_and_a_sink_reads_it_typed() {
    const WHAT: &str = "JSON Schema written by us, validated by Python";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("json-out");
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in:
    connector: file-source
    path: in.csv
    format: csv
    csv.types: {{ id: int64, price: 'decimal(9,2)', day: date, at: timestamp }}
    topic: {topic}
    value.converter: io.confluent.connect.json.JsonSchemaConverter
    value.converter.schema.registry.url: {url}
    value.converter.decimal.format: NUMERIC
  out: {{ connector: kafka-sink, bootstrap.servers: '{servers}', topics: [{topic}], transactional.id: {topic} }}
",
        url = registry.url(),
        servers = broker.plain
    ));
    pipeline.scratch.write("in.csv", "id,name,price,day,at\n1,김,-0.05,2013-01-31,2013-01-31T05:15:00.123Z\n2,,1234567.89,1969-12-31,1969-12-31T23:59:59.999Z\n");
    pipeline.run(&[]).expect_code(0);
    let stored = broker.read(&topic);
    let mut values = Vec::new();
    let mut ids = Vec::new();
    for row in &stored {
        let bytes = row.value.as_ref().unwrap();
        let [0, a, b, c, d, text @ ..] = bytes.as_slice() else {
            panic!("{bytes:?}")
        };
        ids.push(i32::from_be_bytes([*a, *b, *c, *d]));
        values.push(String::from_utf8(text.to_vec()).unwrap());
    }
    values.sort();
    assert_eq!(
        values,
        [
            r#"{"id":1,"name":"김","price":-0.05,"day":15736,"at":1359609300123}"#,
            r#"{"id":2,"name":null,"price":1234567.89,"day":-1,"at":-1}"#,
        ]
    );
    let (schema, schema_type) = registry.schema(ids[0]);
    assert_eq!(schema_type, "JSON");
    let parsed: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(
        parsed["properties"]["id"]["oneOf"][1]["connect.type"], "int64",
        "{schema}"
    );
    // The judge takes what was written, and not what does not fit.
    let mut judged = values.clone();
    judged.push(r#"{"id":"one"}"#.to_owned());
    if let Some(said) = judge(WHAT, &schema, &judged) {
        assert_eq!(said, ["VALID", "VALID", "INVALID"]);
    }

    let url = registry.url();
    let pipeline = Pipeline::new(&to_file(&broker.plain, &topic, "json-schema", &url, ""));
    pipeline.run(&[]).expect_code(0);
    let written = pipeline.scratch.read("out.jsonl");
    let mut lines: Vec<&str> = written.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            r#"{"id":1,"name":"김","price":"-0.05","day":"2013-01-31","at":"2013-01-31T05:15:00.123Z"}"#,
            r#"{"id":2,"name":null,"price":"1234567.89","day":"1969-12-31","at":"1969-12-31T23:59:59.999Z"}"#,
        ]
    );
}

/// A record in Confluent's wire format.
fn framed(id: i32, data: &[u8]) -> Row {
    Row {
        value: Some([&[0][..], &id.to_be_bytes(), data].concat()),
        ..Row::default()
    }
}

#[test]
fn a_schema_with_references_that_others_registered_is_read_and_bad_values_are_set_aside() {
    const WHAT: &str = "JSON Schema with references";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("json-in");
    broker.topic(&topic, 1, &[]);
    let address =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let address_subject = format!("{topic}-address");
    registry.register(&address_subject, "JSON", &address.to_string(), &[]);
    let order = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "ship": {"$ref": "address.json"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"type": ["string", "null"]}
        },
        "required": ["id", "ship"]
    });
    let subject = format!("{topic}-value");
    let references = [("address.json", address_subject.as_str())];
    let id = registry.register(&subject, "JSON", &order.to_string(), &references);
    broker.write(
        &topic,
        &[
            framed(id, br#"{"id":1,"ship":{"city":"Busan"},"tags":["a"]}"#),
            framed(id, br#"{"id":"2","ship":{"city":"Busan"}}"#),
            framed(id, br#"{"id":3"#),
            Row::of("{\"id\":4}"),
            framed(id, br#"{"id":5,"ship":{"city":"Ulsan"},"note":"x"}"#),
        ],
    );
    let more = "    errors: { tolerance: all, deadletterqueue.topic.name: dead }\n";
    let url = registry.url();
    let yaml = to_file(&broker.plain, &topic, "json-schema", &url, more);
    let pipeline = Pipeline::new(&yaml);
    pipeline.run(&[]).expect_code(4);
    assert_eq!(
        pipeline.scratch.read("out.jsonl"),
        "{\"id\":1,\"ship\":{\"city\":\"Busan\"},\"tags\":[\"a\"],\"note\":null}\n{\"id\":5,\"ship\":{\"city\":\"Ulsan\"},\"tags\":null,\"note\":\"x\"}\n"
    );
    let dead = pipeline.consume("dead");
    let reasons: Vec<String> = dead
        .iter()
        .map(|letter| letter["headers"].to_string())
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for (reason, says) in
        reasons
            .iter()
            .zip(["expected int64", "not valid JSON", "first byte is 0x7b"])
    {
        assert!(reason.contains(says), "`{says}` in {reason}");
    }
}

#[test]
fn a_schema_of_another_kind_says_which_converter_reads_it() {
    const WHAT: &str = "schemas of other kinds";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let url = registry.url();
    for (schema_type, schema, converter, says) in [
        (
            "JSON",
            r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
            "avro",
            "use the converter `json-schema`",
        ),
        (
            "AVRO",
            r#""string""#,
            "json-schema",
            "use the converter `avro`",
        ),
        (
            "PROTOBUF",
            "syntax = \"proto3\"; message Order { int32 id = 1; }",
            "avro",
            "`bytes` takes the data as it is",
        ),
    ] {
        let topic = name("kind");
        broker.topic(&topic, 1, &[]);
        let id = registry.register(&format!("{topic}-value"), schema_type, schema, &[]);
        broker.write(&topic, &[framed(id, b"\"x\"")]);
        let yaml = to_file(&broker.plain, &topic, converter, &url, "");
        Pipeline::new(&yaml)
            .run(&[])
            .expect_code(1)
            .says(&[schema_type, says, &topic, "offset 0"]);
    }
}

#[test]
fn protobuf_is_refused_with_what_works_instead() {
    for class in [
        "io.confluent.connect.protobuf.ProtobufConverter",
        "protobuf",
    ] {
        let yaml = to_file("127.0.0.1:1", "t", class, "http://127.0.0.1:1", "");
        Pipeline::new(&yaml).run(&[]).expect_code(2).says(&[
            "value.converter",
            "Protobuf, which is not there yet",
            "`json-schema`",
            "`bytes`",
        ]);
    }
}
