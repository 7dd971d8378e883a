use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    arbitrary::any_typed,
    row::{read_value, write_value},
    schema::SchemaBuilder,
    value::{Struct, Value},
};

fn row(schema: &Schema, value: &Value) -> Vec<u8> {
    let mut row = Vec::new();
    write_value(schema, value, &mut row).unwrap();
    row
}

fn check(schema: SchemaBuilder, value: Value, expected: &str) {
    let schema = schema.build();
    let bytes = row(&schema, &value);
    let mut json = Vec::new();
    row_to_json(&schema, &bytes, &mut json).unwrap();
    assert_eq!(String::from_utf8(json.clone()).unwrap(), expected);
    let mut back = Vec::new();
    json_to_row(&schema, &json, &mut back).unwrap();
    assert_eq!(back, bytes, "{expected}");
}

fn refused(schema: SchemaBuilder, json: &str, expected: &str) {
    let error = json_to_row(&schema.build(), json.as_bytes(), &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), expected, "{json}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn row_to_json_to_row_is_equal((schema, value) in any_typed()) {
        let bytes = row(&schema, &value);
        let mut json = Vec::new();
        row_to_json(&schema, &bytes, &mut json).unwrap();
        let parsed: Result<serde_json::Value, _> = serde_json::from_slice(&json);
        prop_assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&json));
        let mut back = Vec::new();
        json_to_row(&schema, &json, &mut back).unwrap();
        prop_assert_eq!(back, bytes);
    }

    #[test]
    fn rewritten_json_gives_the_same_row((schema, value) in any_typed()) {
        // Another writer's order, white space and escapes. Numbers go through text, so that they stay exact.
        let bytes = row(&schema, &value);
        let mut json = Vec::new();
        row_to_json(&schema, &bytes, &mut json).unwrap();
        let shuffled = shuffle(&schema, &json);
        let mut back = Vec::new();
        json_to_row(&schema, shuffled.as_bytes(), &mut back).unwrap();
        prop_assert_eq!(back, bytes);
    }

    #[test]
    fn foreign_text_never_panics((schema, value) in any_typed(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = Vec::new();
        row_to_json(&schema, &row(&schema, &value), &mut json).unwrap();
        let at = at.index(json.len());
        json[at] = byte;
        let mut out = Vec::new();
        if json_to_row(&schema, &json, &mut out).is_ok() {
            crate::row::validate_row(&schema, &out).unwrap();
        }
        json.truncate(at);
        // Half a number may be a number; half of anything else is nothing.
        let is_number = schema.logical().is_none()
            && matches!(schema.type_name(), "int8" | "int16" | "int32" | "int64" | "float" | "double");
        prop_assert!(json_to_row(&schema, &json, &mut Vec::new()).is_err() || is_number);
    }
}

/// Writes the top-level fields in reverse order with white space, leaving out nulls.
fn shuffle(schema: &Schema, json: &[u8]) -> String {
    let text = String::from_utf8(json.to_vec()).unwrap();
    if schema.fields().len() < 2 || text == "null" {
        return format!(" {text}\n");
    }
    let mut parts = Vec::new();
    let mut scanner = scan::Scanner::new(json);
    scanner.expect(b'{', "").unwrap();
    loop {
        let start = scanner.at;
        scanner.skip(64).unwrap();
        scanner.expect(b':', "").unwrap();
        let value = scanner.at;
        scanner.skip(64).unwrap();
        let part = |from: usize, to: usize| text.get(from..to).unwrap().to_owned();
        if part(value, scanner.at) != "null" {
            parts.push(part(start, scanner.at));
        }
        if scanner.eat(b'}') {
            break;
        }
        scanner.expect(b',', "").unwrap();
    }
    parts.reverse();
    format!("{{ {} }}", parts.join(" ,\n\t"))
}

#[test]
fn every_type_has_its_form() {
    check(SchemaBuilder::int8(), Value::Int8(-128), "-128");
    check(
        SchemaBuilder::int64(),
        Value::Int64(9_007_199_254_740_993),
        "9007199254740993",
    );
    check(
        SchemaBuilder::int64(),
        Value::Int64(i64::MIN),
        "-9223372036854775808",
    );
    check(SchemaBuilder::float32(), Value::Float32(0.1), "0.1");
    check(SchemaBuilder::float64(), Value::Float64(0.1), "0.1");
    check(
        SchemaBuilder::float64(),
        Value::Float64(f64::NAN),
        "\"NaN\"",
    );
    check(
        SchemaBuilder::float64(),
        Value::Float64(f64::INFINITY),
        "\"Infinity\"",
    );
    check(
        SchemaBuilder::float32(),
        Value::Float32(f32::NEG_INFINITY),
        "\"-Infinity\"",
    );
    check(SchemaBuilder::float64(), Value::Float64(-0.0), "-0.0");
    check(SchemaBuilder::boolean(), Value::Boolean(true), "true");
    check(
        SchemaBuilder::string(),
        Value::from("a\"b\\c\n\u{1}한"),
        "\"a\\\"b\\\\c\\n\\u0001한\"",
    );
    check(SchemaBuilder::bytes(), Value::from(&b"hi"[..]), "\"aGk=\"");
}

#[test]
fn logical_and_nested_types_have_their_forms() {
    check(SchemaBuilder::decimal(2), Value::decimal(-5), "\"-0.05\"");
    check(SchemaBuilder::decimal(0), Value::decimal(120), "\"120\"");
    check(SchemaBuilder::decimal(-2), Value::decimal(12), "\"1200\"");
    check(
        SchemaBuilder::decimal(3),
        Value::decimal(i128::MIN),
        "\"-170141183460469231731687303715884105.728\"",
    );
    check(SchemaBuilder::date(), Value::date(15_706), "\"2013-01-01\"");
    check(
        SchemaBuilder::date(),
        Value::date(-719_529),
        "\"-0001-12-31\"",
    );
    check(
        SchemaBuilder::date(),
        Value::date(2_932_897),
        "\"+10000-01-01\"",
    );
    check(
        SchemaBuilder::time(),
        Value::time(18_900_000),
        "\"05:15:00.000\"",
    );
    check(
        SchemaBuilder::timestamp(),
        Value::timestamp(1_357_017_300_000),
        "\"2013-01-01T05:15:00.000Z\"",
    );
    check(
        SchemaBuilder::timestamp(),
        Value::timestamp(-1),
        "\"1969-12-31T23:59:59.999Z\"",
    );
    check(
        SchemaBuilder::timestamp_micros(),
        Value::Int64(1),
        "\"1970-01-01T00:00:00.000001Z\"",
    );
    check(
        SchemaBuilder::timestamp_nanos(),
        Value::Int64(1),
        "\"1970-01-01T00:00:00.000000001Z\"",
    );
    check(
        SchemaBuilder::array(SchemaBuilder::int8().optional()),
        Value::Array(vec![Value::Int8(1), Value::Null]),
        "[1,null]",
    );
    check(
        SchemaBuilder::map(SchemaBuilder::string(), SchemaBuilder::int32()),
        Value::Map(vec![
            (Value::from("b"), Value::Int32(1)),
            (Value::from("a"), Value::Int32(2)),
        ]),
        "{\"b\":1,\"a\":2}",
    );
    check(
        SchemaBuilder::map(SchemaBuilder::int32(), SchemaBuilder::boolean()),
        Value::Map(vec![(Value::Int32(1), Value::Boolean(false))]),
        "[[1,false]]",
    );
    check(SchemaBuilder::string().optional(), Value::Null, "null");
    check(
        SchemaBuilder::structure(),
        Value::Struct(Struct::new(Arc::new(SchemaBuilder::structure().build())).unwrap()),
        "{}",
    );
}

#[test]
fn errors_name_the_place() {
    let orders = || {
        SchemaBuilder::structure()
            .field("id", SchemaBuilder::int32())
            .field(
                "lines",
                SchemaBuilder::array(
                    SchemaBuilder::structure().field("price", SchemaBuilder::decimal(2)),
                )
                .optional(),
            )
    };
    refused(
        orders(),
        r#"{"id":"7"}"#,
        "field `id`: expected int32, got string at byte 6",
    );
    refused(
        orders(),
        r#"{"id":1.0}"#,
        "field `id`: not a valid int32 at byte 6",
    );
    refused(
        orders(),
        r#"{"id":3000000000}"#,
        "field `id`: not a valid int32 at byte 6",
    );
    refused(
        orders(),
        "{}",
        "field `id`: null or missing, and the schema is not optional",
    );
    refused(
        orders(),
        r#"{"id":1,"ids":2}"#,
        "field `ids`: the schema has no such field",
    );
    refused(
        orders(),
        r#"{"id":1,"id":2}"#,
        "field `id`: the field stands twice",
    );
    refused(
        orders(),
        r#"{"id":1,"lines":[{"price":"1.00"},{"price":"1.234"}]}"#,
        "field `lines[1].price`: not a valid decimal at byte 43",
    );
    refused(
        orders(),
        r#"{"id":1"#,
        "field `(top)`: not valid JSON at byte 7: a comma or the end of the object",
    );
    refused(
        orders(),
        r#"[1]"#,
        "field `(top)`: expected struct, got array at byte 0",
    );
    refused(
        SchemaBuilder::string(),
        "\"\\ud800\"",
        "field `(top)`: not valid JSON at byte 0: a valid escape",
    );
    refused(
        SchemaBuilder::date(),
        "\"2013-02-29\"",
        "field `(top)`: not a valid date at byte 0",
    );
    refused(
        SchemaBuilder::int8(),
        "01",
        "field `(top)`: not valid JSON at byte 1: the end of the text",
    );
}

#[test]
fn escapes_are_read() {
    let schema = Arc::new(SchemaBuilder::string().build());
    let mut out = Vec::new();
    json_to_row(&schema, br#""\ud83d\ude00\u00e9\/\t""#, &mut out).unwrap();
    assert_eq!(read_value(&schema, &out).unwrap(), Value::from("😀é/\t"));
}

#[test]
fn objects_are_told_from_other_json() {
    assert!(is_object(br#" {"a":[1,{"b":"\n"}]} "#, 32));
    for bad in [
        "",
        "[]",
        "{",
        "{}{}",
        "{\"a\"}",
        "{\"a\":1,}",
        "{a:1}",
        "nul",
        "{\"a\":01}",
        "{\"a\":\"\\x\"}",
    ] {
        assert!(!is_object(bad.as_bytes(), 32), "{bad}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    assert!(!is_object(deep.as_bytes(), 32));
}
