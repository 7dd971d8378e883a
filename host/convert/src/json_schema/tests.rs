use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::{Decimal, Field, Kind, Map, Struct, Type};

/// Writes the schema and the value, reads both back, and expects the same; returns the JSON of both.
#[track_caller]
fn there_and_back(schema: Schema, value: &Value) -> (Json, Json) {
    let schema = Arc::new(schema);
    let written = JsonSchema::of(&schema, JsonMapping::default()).unwrap();
    let mut bytes = Vec::new();
    encode(JsonMapping::default(), &schema, value, &mut bytes).unwrap();
    let read = JsonSchema::parse(written.json(), &[]).unwrap();
    assert_eq!(**read.schema(), *schema, "{}", written.json());
    assert_eq!(
        decode(read.schema(), &bytes).unwrap(),
        *value,
        "{}",
        written.json()
    );
    (
        serde_json::from_str(written.json()).unwrap(),
        serde_json::from_slice(&bytes).unwrap(),
    )
}

fn field(name: &str, schema: Schema) -> Field {
    Field::new(name, schema)
}

fn map(entries: &[(Value, Value)]) -> Value {
    Value::from(entries.iter().cloned().collect::<Map>())
}

/// Each value with its schema, in the form that Confluent's own tests of its JsonSchemaData have, and back.
#[track_caller]
fn has_form(rows: impl IntoIterator<Item = (Schema, Value, Json, Json)>) {
    for (schema, value, form, data) in rows {
        assert_eq!(there_and_back(schema, &value), (form, data));
    }
}

fn integer(connect: &str) -> Json {
    json!({"type": "integer", "connect.type": connect})
}

#[test]
fn every_primitive_has_confluents_form_and_goes_there_and_back() {
    let number = |connect: &str| json!({"type": "number", "connect.type": connect});
    has_form([
        (
            Schema::new(Kind::Boolean),
            Value::Boolean(true),
            json!({"type": "boolean"}),
            json!(true),
        ),
        (
            Schema::new(Kind::Int8),
            Value::Int8(12),
            integer("int8"),
            json!(12),
        ),
        (
            Schema::new(Kind::Int16),
            Value::Int16(12),
            integer("int16"),
            json!(12),
        ),
        (
            Schema::new(Kind::Int32),
            Value::Int32(12),
            integer("int32"),
            json!(12),
        ),
        (
            Schema::new(Kind::Int64),
            Value::Int64(i64::MIN),
            integer("int64"),
            json!(i64::MIN),
        ),
        (
            Schema::new(Kind::Float32),
            Value::Float32(12.5),
            number("float32"),
            json!(12.5),
        ),
        (
            Schema::new(Kind::Float64),
            Value::Float64(12.2),
            number("float64"),
            json!(12.2),
        ),
        (
            Schema::new(Kind::String),
            Value::string("달"),
            json!({"type": "string"}),
            json!("달"),
        ),
        (
            Schema::new(Kind::Bytes),
            Value::bytes(b"foo".to_vec()),
            json!({"type": "string", "connect.type": "bytes"}),
            json!("Zm9v"),
        ),
    ]);
}

#[test]
fn every_logical_type_has_confluents_form_and_goes_there_and_back() {
    let logical = |name: &str, connect: &str| json!({"type": "integer", "connect.type": connect, "title": format!("org.apache.kafka.connect.data.{name}"), "connect.version": 1});
    has_form([
        (
            Schema::date(),
            Value::Instant(86_400_000),
            logical("Date", "int32"),
            json!(1),
        ),
        (
            Schema::time(),
            Value::Instant(7),
            logical("Time", "int32"),
            json!(7),
        ),
        (
            Schema::timestamp(),
            Value::Instant(-1),
            logical("Timestamp", "int64"),
            json!(-1),
        ),
        (
            Schema::decimal(2),
            Value::from(Decimal::new(156, 2)),
            json!({"type": "number", "connect.type": "bytes", "title": "org.apache.kafka.connect.data.Decimal",
                   "connect.version": 1, "connect.parameters": {"scale": "2"}}),
            json!("AJw="),
        ),
    ]);
}

#[test]
fn what_is_optional_or_holds_others_has_confluents_form_and_goes_there_and_back() {
    let string = || Schema::shared(Type::String, false);
    let int = || Schema::shared(Type::Int32, false);
    has_form([
        (
            Schema::optional(Kind::Boolean),
            Value::Null,
            json!({"oneOf": [{"type": "null"}, {"type": "boolean"}]}),
            Json::Null,
        ),
        (
            Schema::new(Kind::Array(int())),
            Value::array(vec![Value::Int32(1)]),
            json!({"type": "array", "items": integer("int32")}),
            json!([1]),
        ),
        (
            Schema::new(Kind::Map(string(), int())),
            map(&[(Value::string("a"), Value::Int32(12))]),
            json!({"type": "object", "connect.type": "map", "additionalProperties": integer("int32")}),
            json!({"a": 12}),
        ),
        (
            Schema::new(Kind::Map(int(), string())),
            map(&[(Value::Int32(1), Value::string("x"))]),
            json!({"type": "array", "connect.type": "map", "items": {"type": "object", "properties": {
                "key": {"type": "integer", "connect.type": "int32", "connect.index": 0},
                "value": {"type": "string", "connect.index": 1}}}}),
            json!([{"key": 1, "value": "x"}]),
        ),
    ]);
}

#[test]
fn a_struct_keeps_order_optional_fields_names_and_defaults() {
    let mut documented = Schema::new(Kind::String)
        .with_default(Value::string("new"))
        .unwrap();
    documented.doc = Some("the state".into());
    documented.parameters.set("colour", "red");
    let schema = Schema::structure(vec![
        field("z", Schema::new(Kind::Int64)),
        field("a", Schema::optional(Kind::Int16)),
        field("state", documented),
    ])
    .unwrap()
    .with_name("shop.Order")
    .with_version(3);
    let row = Struct::from_values(
        Arc::new(schema.clone()),
        vec![Value::Int64(1), Value::Null, Value::string("paid")],
    );
    let (form, data) = there_and_back(schema.clone(), &Value::from(row.unwrap()));
    assert_eq!(
        form,
        json!({"type": "object", "title": "shop.Order", "connect.version": 3, "properties": {
            "z": {"type": "integer", "connect.type": "int64", "connect.index": 0},
            "a": {"oneOf": [{"type": "null"}, {"type": "integer", "connect.type": "int16"}], "connect.index": 1},
            "state": {"type": "string", "description": "the state", "connect.parameters": {"colour": "red"},
                      "default": "new", "connect.index": 2}}})
    );
    assert_eq!(data, json!({"z": 1, "a": null, "state": "paid"}));
    let strict = JsonMapping {
        additional_properties: false,
        lists_required: true,
        numeric_decimals: true,
    };
    let schema = Arc::new(schema);
    let strict = JsonSchema::of(&schema, strict).unwrap();
    let form: Json = serde_json::from_str(strict.json()).unwrap();
    assert_eq!(form["required"], json!(["z", "state"]));
    assert_eq!(form["additionalProperties"], json!(false));
    assert_eq!(strict.title(), Some("shop.Order"));
    assert_eq!(
        JsonSchema::parse(strict.json(), &[]).unwrap().schema(),
        &schema
    );
}

#[test]
fn an_optional_struct_an_enum_and_a_union_go_there_and_back() {
    let inner = Schema::structure(vec![field("c", Schema::new(Kind::Int8))]).unwrap();
    let schema = Schema::structure(vec![field("in", inner.with_optional(true))]).unwrap();
    let row = Struct::new(Arc::new(schema.clone())).unwrap();
    there_and_back(schema, &Value::from(row));

    let mut symbols = Schema::new(Kind::String);
    symbols.parameters.set(ENUM, "");
    symbols.parameters.set(format!("{ENUM}.one"), "one");
    symbols.parameters.set(format!("{ENUM}.two"), "two");
    let (form, _) = there_and_back(symbols, &Value::string("two"));
    assert_eq!(form, json!({"enum": ["one", "two"]}));

    let members = vec![
        field(&member_name(0), Schema::optional(Kind::Int32)),
        field(&member_name(1), Schema::optional(Kind::String)),
    ];
    let union = Schema::structure(members).unwrap().with_name(ONE_OF);
    for (values, data) in [
        (vec![Value::Int32(12), Value::Null], json!(12)),
        (vec![Value::Null, Value::string("x")], json!("x")),
    ] {
        let row = Struct::from_values(Arc::new(union.clone()), values).unwrap();
        let (form, written) = there_and_back(union.clone(), &Value::from(row));
        assert_eq!(written, data);
        assert_eq!(
            form,
            json!({"oneOf": [{"type": "integer", "connect.type": "int32", "connect.index": 0},
                             {"type": "string", "connect.index": 1}]})
        );
    }
}

/// As libraries of other languages write them: definitions, references, required lists, formats, lists of types.
#[test]
fn schemas_that_connect_did_not_write_are_read() {
    let text = json!({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object",
        "properties": {
            "id": {"type": "integer", "minimum": 1},
            "customer": {"$ref": "#/definitions/Customer"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
            "tags": {"type": "array", "items": {"type": ["string", "null"]}},
            "amounts": {"type": "object", "additionalProperties": {"type": "number"}},
            "state": {"type": "string", "enum": ["NEW", "PAID"]},
            "when": {"type": "string", "format": "date-time"},
            "ship": {"allOf": [{"$ref": "address.json"}, {"properties": {"floor": {"type": "integer"}}}]}
        },
        "required": ["id", "customer", "tags"],
        "definitions": {"Customer": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}
    });
    let address = json!({"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}, "required": ["city"],
                         "$defs": {"City": {"type": "string"}}});
    let references = [("address.json".to_owned(), address.to_string())];
    let read = JsonSchema::parse(&text.to_string(), &references).unwrap();
    let told: Vec<String> = read
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let optional = if field.schema.optional { "?" } else { "" };
            format!(
                "{}:{}{optional}",
                field.name,
                field.schema.schema_type().name()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "id:int64",
            "customer:struct",
            "note:string?",
            "tags:array",
            "amounts:map?",
            "state:string?",
            "when:string?",
            "ship:struct?"
        ]
    );
    let data = br#"{"id":5,"customer":{"name":"K","more":1},"tags":["a",null],"amounts":{"x":1.5},"ship":{"city":"Busan"}}"#;
    let value = decode(read.schema(), data).unwrap();
    let mut again = Vec::new();
    encode(JsonMapping::default(), read.schema(), &value, &mut again).unwrap();
    let again: Json = serde_json::from_slice(&again).unwrap();
    assert_eq!(
        again,
        json!({"id": 5, "customer": {"name": "K"}, "note": null, "tags": ["a", null], "amounts": {"x": 1.5},
               "state": null, "when": null, "ship": {"city": "Busan", "floor": null}})
    );
    for (data, says) in [
        (&br#"{"customer":{"name":"K"},"tags":[]}"#[..], "id"),
        (br#"{"id":"5","customer":{"name":"K"},"tags":[]}"#, "int64"),
        (b"{\"id\":", "not valid JSON"),
        (b"", "no JSON"),
    ] {
        let error = decode(read.schema(), data).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn what_has_no_connect_schema_is_refused_with_its_place() {
    for (schema, says) in [
        (
            json!({"type": "object", "properties": {"next": {"$ref": "#"}}}),
            "contains itself",
        ),
        (
            json!({"type": "object", "properties": {"a": {}}}),
            "says nothing of its type",
        ),
        (json!({"type": "array"}), "`items`"),
        (json!({"type": "null"}), "only null"),
        (json!({"$ref": "#/definitions/none"}), "#/definitions/none"),
        (json!({"$ref": "other.json"}), "other.json"),
        (json!({"type": "thing"}), "`thing`"),
        (json!({"enum": [1, "a"]}), "several types"),
        (json!({"type": "integer", "default": "x"}), "default"),
        (
            json!({"allOf": [{"type": "string"}, {"type": "integer"}]}),
            "allOf",
        ),
    ] {
        let error = JsonSchema::parse(&schema.to_string(), &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains(says), "{schema}: {error}");
    }
    assert!(JsonSchema::parse("", &[]).is_err());
    // Ten levels of ten references each are more than there may be.
    let mut definitions = serde_json::Map::new();
    for level in 0..10 {
        let next = json!({"$ref": format!("#/definitions/l{}", level + 1)});
        let properties: serde_json::Map<String, Json> =
            (0..10).map(|n| (format!("p{n}"), next.clone())).collect();
        definitions.insert(
            format!("l{level}"),
            json!({"type": "object", "properties": properties}),
        );
    }
    definitions.insert("l10".to_owned(), json!({"type": "string"}));
    let bomb = json!({"$ref": "#/definitions/l0", "definitions": definitions});
    assert!(JsonSchema::parse(&bomb.to_string(), &[]).is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_schema_or_refused(text in "[\\{\\}\\[\\]\":,a-z0-9$#/]{0,80}", data in "\\PC{0,40}") {
        if let Ok(schema) = JsonSchema::parse(&text, &[]) {
            drop(decode(schema.schema(), data.as_bytes()));
        }
    }
}
