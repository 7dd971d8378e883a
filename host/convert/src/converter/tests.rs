use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{Decimal, Field, Map, Struct};

fn converter(class: &str, options: &[(&str, &str)]) -> Converter {
    let options = options
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let class = ConverterClass::find(class).unwrap();
    class
        .configure(&options.collect::<BTreeMap<_, _>>())
        .unwrap()
}

#[test]
fn classes_are_found_by_every_name_that_users_know() {
    let check = |name: &str, expected: &str| {
        assert_eq!(
            ConverterClass::find(name).map(|class| class.name),
            Some(expected),
            "{name}"
        );
    };
    check("json", "json");
    check("org.apache.kafka.connect.json.JsonConverter", "json");
    check("JsonConverter", "json");
    check("Json", "json");
    check("ByteArrayConverter", "bytes");
    check(
        "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        "simple",
    );
    check("auto", "auto");
    assert!(ConverterClass::find("").is_none());
    check("io.confluent.connect.avro.AvroConverter", "avro");
    check(
        "io.confluent.connect.json.JsonSchemaConverter",
        "json-schema",
    );
    check("JsonSchema", "json-schema");
    assert!(ConverterClass::find("io.confluent.connect.protobuf.ProtobufConverter").is_none());
    assert!(!ConverterClass::find("avro").unwrap().serves(Role::Header));
    assert!(!ConverterClass::find("simple").unwrap().serves(Role::Value));
}

#[test]
fn encodings_write_a_question_mark_for_what_they_lack() {
    let check = |encoding: &str, text: &str, bytes: &[u8], back: &str| {
        let converter = converter("string", &[("converter.encoding", encoding)]);
        let stored = converter
            .from_connect(None, &Value::string(text))
            .unwrap()
            .unwrap();
        assert_eq!(stored, bytes, "{encoding}");
        let read = converter.to_connect(Some(bytes)).unwrap();
        assert_eq!(read.value, Value::string(back), "{encoding}");
    };
    check("UTF-8", "é€", "é€".as_bytes(), "é€");
    check("iso-8859-1", "é€", b"\xe9?", "é?");
    check("US-ASCII", "aé", b"a?", "a?");
    check("UTF-16", "a", b"\xfe\xff\0a", "a");
    check("UTF-16LE", "a", b"a\0", "a");
    check("EUC-KR", "한😀", b"\xc7\xd1?", "한?");
    check("windows-1252", "€", b"\x80", "€");
}

#[test]
fn a_full_schema_cache_forgets_and_goes_on() {
    let json = converter("json", &[("schemas.cache.size", "1")]);
    let none = converter("json", &[("schemas.cache.size", "0")]);
    for version in 0..5 {
        let schema = Arc::new(Schema::new(crate::Kind::Int32).with_version(version));
        let value = Value::Int32(version);
        let stored = json.from_connect(Some(&schema), &value).unwrap();
        assert_eq!(stored, none.from_connect(Some(&schema), &value).unwrap());
        for converter in [&json, &none] {
            let read = converter.to_connect(stored.as_deref()).unwrap();
            assert_eq!(
                read,
                SchemaAndValue::new(Some(Arc::clone(&schema)), value.clone())
            );
        }
    }
}

/// A schema with a value of it, a few levels deep.
fn typed() -> impl Strategy<Value = (Schema, Value)> {
    use crate::Kind;
    let leaf = prop_oneof![
        any::<i8>().prop_map(|v| (Schema::new(Kind::Int8), Value::Int8(v))),
        any::<i32>().prop_map(|v| (Schema::optional(Kind::Int32), Value::Int32(v))),
        any::<i64>().prop_map(|v| (Schema::new(Kind::Int64), Value::Int64(v))),
        any::<bool>().prop_map(|v| (Schema::new(Kind::Boolean), Value::Boolean(v))),
        ".{0,8}".prop_map(|v| (Schema::new(Kind::String), Value::string(v))),
        proptest::num::f64::NORMAL.prop_map(|v| (Schema::new(Kind::Float64), Value::Float64(v))),
        proptest::num::f32::NORMAL.prop_map(|v| (Schema::new(Kind::Float32), Value::Float32(v))),
        proptest::collection::vec(any::<u8>(), 0..8)
            .prop_map(|v| (Schema::new(Kind::Bytes), Value::bytes(v))),
        any::<i64>().prop_map(|v| (Schema::decimal(3), Value::from(Decimal::new(v, 3)))),
        any::<i32>().prop_map(|v| (Schema::date(), Value::Instant(i64::from(v) * 86_400_000))),
        any::<i64>().prop_map(|v| (Schema::timestamp(), Value::Instant(v))),
        Just((Schema::optional(Kind::String), Value::Null)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|(schema, value)| (
                Schema::new(Kind::Array(Some(Arc::new(schema)))),
                Value::array(vec![value.clone(), value]),
            )),
            (inner.clone(), ".{0,5}").prop_map(|((schema, value), key)| (
                Schema::new(Kind::Map(
                    Some(Arc::new(Schema::new(Kind::String))),
                    Some(Arc::new(schema)),
                )),
                Value::from([(Value::string(key), value)].into_iter().collect::<Map>()),
            )),
            (inner.clone(), inner).prop_map(|((a, x), (b, y))| {
                let fields = vec![Field::new("a", a), Field::new("b", b)];
                let schema = Schema::structure(fields).unwrap();
                let row = Struct::from_values(Arc::new(schema.clone()), vec![x, y]).unwrap();
                (schema, Value::from(row))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn json_with_schemas_survives_the_round_trip((schema, value) in typed(), numeric in any::<bool>()) {
        let format = if numeric { "numeric" } else { "base64" };
        let json = converter("json", &[("decimal.format", format)]);
        let schema = Arc::new(schema);
        let stored = json.from_connect(Some(&schema), &value).unwrap();
        let read = json.to_connect(stored.as_deref()).unwrap();
        prop_assert_eq!(read, SchemaAndValue::new(Some(schema), value));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,40}") {
        for class in CLASSES.iter().filter(|class| !["auto", "row", "avro", "json-schema"].contains(&class.name)) {
            let converter = class.configure(&BTreeMap::new()).unwrap();
            for input in [&bytes[..], text.as_bytes()] {
                if let Ok(read) = converter.to_connect(Some(input)) {
                    converter.from_connect(read.schema.as_ref(), &read.value).unwrap();
                }
            }
        }
    }

    #[test]
    fn headers_survive_as_text(number in any::<i64>(), text in "[a-z \"\\\\]{0,10}") {
        let simple = converter("simple", &[]);
        let stored = simple.from_connect(None, &Value::Int64(number)).unwrap();
        let read = simple.to_connect(stored.as_deref()).unwrap();
        let schema = Schema::new(crate::Kind::Int64);
        let back = crate::values::convert_to(&schema, None, &read.value).unwrap();
        prop_assert_eq!(back, Value::Int64(number));
        let stored = simple.from_connect(None, &Value::string(text.as_str())).unwrap();
        prop_assert_eq!(stored.as_deref(), Some(text.as_bytes()));
    }
}
