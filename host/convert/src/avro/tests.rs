use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::{Decimal, Field, Kind, Map, Schema, Struct, Type, Value};

fn parse(json: &Json) -> AvroSchema {
    AvroSchema::parse(&json.to_string(), &[]).unwrap()
}

/// Writes with the schema made of Connect's, reads with what comes back, and expects the same.
#[track_caller]
fn there_and_back(schema: Schema, value: &Value) -> AvroSchema {
    let avro = avro_schema(&schema, Mapping::default()).unwrap();
    let mut bytes = Vec::new();
    avro.encode(Some(&schema), value, &mut bytes).unwrap();
    let back = avro.to_connect(Mapping::default()).unwrap();
    assert_eq!(*back, schema, "{}", avro.json());
    assert_eq!(
        avro.decode(&back, &bytes).unwrap(),
        *value,
        "{}",
        avro.json()
    );
    avro
}

fn field(name: &str, schema: Schema) -> Field {
    Field::new(name, schema)
}

fn optional(mut schema: Schema) -> Schema {
    schema.optional = true;
    schema
}

#[test]
fn every_type_goes_there_and_back() {
    let day = 86_400_000;
    for (schema, value) in [
        (Schema::new(Kind::Int8), Value::Int8(-128)),
        (Schema::new(Kind::Int16), Value::Int16(300)),
        (Schema::new(Kind::Int32), Value::Int32(i32::MIN)),
        (Schema::new(Kind::Int64), Value::Int64(i64::MIN)),
        (Schema::new(Kind::Int64), Value::Int64(i64::MAX)),
        (Schema::new(Kind::Float32), Value::Float32(1.5)),
        (Schema::new(Kind::Float64), Value::Float64(f64::NAN)),
        (Schema::new(Kind::Boolean), Value::Boolean(true)),
        (Schema::new(Kind::String), Value::string("dal 달")),
        (Schema::new(Kind::Bytes), Value::bytes(vec![0, 255])),
        (Schema::decimal(2), Value::from(Decimal::new(-12_345, 2))),
        (Schema::date(), Value::Instant(-day)),
        (Schema::time(), Value::Instant(day - 1)),
        (Schema::timestamp(), Value::Instant(-1)),
        (optional(Schema::timestamp()), Value::Null),
        (optional(Schema::new(Kind::String)), Value::string("")),
        (
            Schema::new(Kind::Array(Schema::shared(Type::Int32, true))),
            Value::array(vec![Value::Int32(1), Value::Null]),
        ),
        (
            Schema::new(Kind::Map(
                Schema::shared(Type::String, false),
                Schema::shared(Type::Int64, false),
            )),
            Value::from([("a", 1_i64), ("b", 2)].into_iter().fold(
                Map::new(),
                |mut map, (key, value)| {
                    map.insert(Value::from(key), Value::from(value));
                    map
                },
            )),
        ),
        (
            Schema::new(Kind::Map(
                Schema::shared(Type::Int32, false),
                Schema::shared(Type::String, true),
            )),
            Value::from({
                let mut map = Map::new();
                map.insert(Value::Int32(7), Value::Null);
                map
            }),
        ),
    ] {
        there_and_back(schema, &value);
    }
}

#[test]
fn a_struct_is_a_record_with_connects_properties() {
    let mut amount = Schema::decimal(2);
    amount.parameters.set("connect.decimal.precision", "9");
    let schema = Schema::structure(vec![
        field("id", Schema::new(Kind::Int64)),
        field("small", optional(Schema::new(Kind::Int16))),
        field("amount", optional(amount)),
        field(
            "state",
            Schema::new(Kind::String)
                .with_default(Value::from("new"))
                .unwrap(),
        ),
        field("at", optional(Schema::timestamp())),
    ])
    .unwrap()
    .with_name("shop.Order")
    .with_version(3);
    let value = Struct::from_values(
        Arc::new(schema.clone()),
        vec![
            Value::Int64(1),
            Value::Int16(2),
            Value::from(Decimal::new(999, 2)),
            Value::from("paid"),
            Value::Null,
        ],
    );
    let avro = there_and_back(schema, &Value::from(value.unwrap()));
    let written: Json = serde_json::from_str(avro.json()).unwrap();
    assert_eq!(
        written,
        json!({
            "type": "record", "name": "Order", "namespace": "shop",
            "fields": [
                {"name": "id", "type": "long"},
                {"name": "small", "type": ["null", {"type": "int", "connect.type": "int16"}], "default": null},
                {"name": "amount", "default": null, "type": ["null", {
                    "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2, "connect.version": 1,
                    "connect.parameters": {"scale": "2", "connect.decimal.precision": "9"},
                    "connect.name": "org.apache.kafka.connect.data.Decimal"}]},
                {"name": "state", "type": {"type": "string", "connect.default": "new"}, "default": "new"},
                {"name": "at", "default": null, "type": ["null", {
                    "type": "long", "logicalType": "timestamp-millis", "connect.version": 1,
                    "connect.name": "org.apache.kafka.connect.data.Timestamp"}]},
            ],
            "connect.version": 3, "connect.name": "shop.Order"
        })
    );
}

#[test]
fn schemas_of_others_are_read() {
    let avro = parse(&json!({
        "type": "record", "name": "User", "namespace": "com.x", "doc": "a user",
        "fields": [
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
            {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 2}},
            {"name": "again", "type": ["null", "Hash"], "default": null},
            {"name": "day", "type": {"type": "int", "logicalType": "date"}},
            {"name": "micros", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "either", "type": ["null", "string", "long"]},
        ]
    }));
    let schema = avro.to_connect(Mapping::default()).unwrap();
    assert_eq!(schema.name.as_deref(), Some("com.x.User"));
    assert_eq!(schema.doc.as_deref(), Some("a user"));
    let kind = &schema.field("kind").unwrap().schema;
    assert_eq!(
        (kind.name.as_deref(), kind.parameters.get(ENUM)),
        (Some("com.x.Kind"), Some("com.x.Kind"))
    );
    assert_eq!(
        schema.field("micros").unwrap().schema.schema_type(),
        Type::Int64
    );
    let either = &schema.field("either").unwrap().schema;
    assert_eq!(
        (either.name.as_deref(), either.optional),
        (Some(UNION), true)
    );
    // B, [1, 2], null, day 1, 2 µs, long 5.
    let bytes = [2, 1, 2, 0, 2, 4, 4, 10];
    let value = avro.decode(&schema, &bytes).unwrap();
    let Value::Struct(user) = &value else {
        panic!("{value:?}")
    };
    assert_eq!(user.get("kind").unwrap(), &Value::from("B"));
    assert_eq!(user.get("day").unwrap(), &Value::Instant(86_400_000));
    let Value::Struct(chosen) = user.get("either").unwrap() else {
        panic!()
    };
    assert_eq!(
        (chosen.get("string").unwrap(), chosen.get("long").unwrap()),
        (&Value::Null, &Value::Int64(5))
    );
    let mut again = Vec::new();
    avro.encode(Some(&schema), &value, &mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn references_and_namespaces_are_followed() {
    let address = json!({"type": "record", "name": "Address", "namespace": "n", "fields": [{"name": "street", "type": "string"}]});
    let user = json!({"type": "record", "name": "User", "namespace": "n", "fields": [
        {"name": "home", "type": "Address"}, {"name": "work", "type": ["null", "n.Address"]}]});
    let avro = AvroSchema::parse(&user.to_string(), &[address.to_string()]).unwrap();
    let schema = avro.to_connect(Mapping::default()).unwrap();
    assert_eq!(
        schema
            .field("work")
            .unwrap()
            .schema
            .field("street")
            .unwrap()
            .schema
            .schema_type(),
        Type::String
    );
    let missing = AvroSchema::parse(&user.to_string(), &[]).unwrap_err();
    assert!(missing.to_string().contains("n.Address"), "{missing}");
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let list = json!({"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]});
    for (text, says) in [
        (list.to_string(), "contains itself"),
        ("{".to_owned(), "not JSON"),
        (
            json!({"type": "record", "name": "R"}).to_string(),
            "needs `fields`",
        ),
        (
            json!({"type": "record", "name": "R", "fields": [{"name": "a"}]}).to_string(),
            "no `type`",
        ),
        (json!([["int"]]).to_string(), "union"),
        (json!("Nobody").to_string(), "`Nobody`"),
    ] {
        let error = AvroSchema::parse(&text, &[]).unwrap_err();
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
    let bad = Schema::structure(vec![field("first name", Schema::new(Kind::String))]).unwrap();
    let error = avro_schema(&bad, Mapping::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`first name` is no name that Avro allows"),
        "{error}"
    );
}

#[test]
fn a_registrys_schema_takes_fields_by_name_and_fills_defaults_in() {
    let avro = parse(&json!({"type": "record", "name": "R", "fields": [
        {"name": "b", "type": "long"}, {"name": "a", "type": "int"}, {"name": "c", "type": "string", "default": "x"}]}));
    let schema = Schema::structure(vec![
        field("a", Schema::new(Kind::Int32)),
        field("b", Schema::new(Kind::Int32)),
    ])
    .unwrap();
    let value = Value::from(
        Struct::from_values(
            Arc::new(schema.clone()),
            vec![Value::Int32(1), Value::Int32(2)],
        )
        .unwrap(),
    );
    let mut bytes = Vec::new();
    avro.encode(Some(&schema), &value, &mut bytes).unwrap();
    assert_eq!(bytes, [4, 2, 2, b'x']);
    let more = Schema::structure(vec![
        field("a", Schema::new(Kind::Int32)),
        field("b", Schema::new(Kind::Int32)),
        field("lost", Schema::new(Kind::Int32)),
    ])
    .unwrap();
    let value = Value::from(
        Struct::from_values(
            Arc::new(more.clone()),
            vec![Value::Int32(1), Value::Int32(2), Value::Int32(3)],
        )
        .unwrap(),
    );
    let error = avro
        .encode(Some(&more), &value, &mut Vec::new())
        .unwrap_err();
    assert!(error.to_string().contains("lost"), "{error}");
}

#[test]
fn damaged_bytes_are_refused_without_a_large_allocation() {
    let avro = parse(&json!({"type": "array", "items": "null"}));
    let schema = avro.to_connect(Mapping::default());
    assert!(schema.is_err(), "a null alone has no schema");
    let avro =
        parse(&json!({"type": "array", "items": {"type": "record", "name": "E", "fields": []}}));
    let schema = avro.to_connect(Mapping::default()).unwrap();
    let mut bytes = vec![0xfe, 0xff, 0xff, 0xff, 0x0f, 0];
    assert!(
        avro.decode(&schema, &bytes)
            .unwrap_err()
            .to_string()
            .contains("items are announced")
    );
    bytes = vec![2, 0, 7];
    assert!(
        avro.decode(&schema, &bytes)
            .unwrap_err()
            .to_string()
            .contains("left over")
    );
    let text = parse(&json!("string"));
    let schema = text.to_connect(Mapping::default()).unwrap();
    for bytes in [
        &[0xfe, 0xff, 0xff, 0xff, 0x0f][..],
        &[1][..],
        &[4, 0xff, 0xff][..],
        &[0xff; 12][..],
        &[][..],
    ] {
        assert!(text.decode(&schema, bytes).is_err(), "{bytes:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let avro = parse(&json!({"type": "record", "name": "R", "fields": [
            {"name": "a", "type": {"type": "array", "items": ["null", "string", "long"]}},
            {"name": "m", "type": {"type": "map", "values": "double"}},
            {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "scale": 2}},
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["X"]}}]}));
        let schema = avro.to_connect(Mapping::default()).unwrap();
        if let Ok(value) = avro.decode(&schema, &bytes) {
            let mut again = Vec::new();
            avro.encode(Some(&schema), &value, &mut again).unwrap();
            prop_assert_eq!(avro.decode(&schema, &again).unwrap(), value);
        }
    }

    #[test]
    fn any_text_is_a_schema_or_refused(text in "[\\{\\}\\[\\]\":,a-z0-9]{0,80}") {
        drop(AvroSchema::parse(&text, &[]));
    }
}
