//! Converters, `Values`, projection, error headers, the partitioner's hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use linkspan_convert::{
    Class, Converter, ConverterClass, Coordinates, Error, Exception, Failure, Kind, Schema,
    SchemaAndValue, Stage, error_headers, values,
};
use linkspan_wire::{murmur2, partition_for_key};
use serde_json::Value as Json;

use crate::vector::{Outcome, Vector, same, schema_and_value, value};

/// Makes the vector's converter; options that are wrong are Connect's ConfigException.
fn converter(vector: &Vector) -> Result<Converter, Error> {
    let options: BTreeMap<String, String> = vector.config("config").into_iter().collect();
    let class = ConverterClass::find(&vector.class).unwrap();
    class.configure(&options).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::new(Class::Config, problems.join("; "))
    })
}

/// Reads an answer of stored text or bytes.
fn bytes(answer: &Json) -> Option<Vec<u8>> {
    match answer {
        Json::Null => None,
        Json::String(text) => Some(text.as_bytes().to_vec()),
        other => Some(
            BASE64
                .decode(other.get("bytes").and_then(Json::as_str).unwrap())
                .unwrap(),
        ),
    }
}

/// Shows stored bytes as text where they are some, so that a failure can be read.
fn shown(bytes: Option<impl AsRef<[u8]>>) -> Option<String> {
    bytes.map(|bytes| match std::str::from_utf8(bytes.as_ref()) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{:?}", bytes.as_ref()),
    })
}

pub(crate) fn from_connect(vector: &Vector) -> Outcome {
    let given = schema_and_value(&vector.json, "schema", "value");
    let stored = converter(vector)
        .and_then(|converter| converter.from_connect(given.schema.as_ref(), &given.value));
    vector.compare("out", stored.map(shown), |answer| shown(bytes(answer)))
}

pub(crate) fn to_connect(vector: &Vector) -> Outcome {
    let stored = bytes(vector.get("in"));
    let read = converter(vector).and_then(|converter| converter.to_connect(stored.as_deref()));
    vector.compare("out", read, read_answer)
}

fn read_answer(answer: &Json) -> SchemaAndValue {
    schema_and_value(answer, "schema", "value")
}

pub(crate) fn json_schema(vector: &Vector) -> Outcome {
    let schema = vector.some_schema("schema");
    let Ok(Converter::Json(json)) = converter(vector) else {
        panic!("{}: not the JSON converter", vector.id);
    };
    let text = json.schema_text(&schema).map(|text| text.to_string());
    vector.compare("out", text, |answer| answer.as_str().unwrap().to_owned())
}

/// `ok: true` or an error at the top of the vector.
pub(crate) fn config(vector: &Vector) -> Outcome {
    let expected = vector.get("ok").as_bool() == Some(true);
    let made = converter(vector);
    if expected == made.is_ok() {
        return Outcome::Same;
    }
    Outcome::Differs {
        expected: format!("ok: {expected}"),
        found: format!("{made:?}"),
    }
}

pub(crate) fn parse(vector: &Vector) -> Outcome {
    let read = match vector.get("in").as_str() {
        None => Ok(SchemaAndValue::NULL),
        Some(text) => values::parse_string(text),
    };
    vector.compare("out", read, read_answer)
}

pub(crate) fn to_string(vector: &Vector) -> Outcome {
    let given = schema_and_value(&vector.json, "schema", "value");
    let text = (!given.value.is_null()).then(|| values::to_string(&given.value));
    let outcome = vector.compare("out", Ok(text), text_of);
    if !matches!(outcome, Outcome::Same) {
        return outcome;
    }
    let class = ConverterClass::find("simple").unwrap();
    let simple = class.configure(&BTreeMap::new()).unwrap();
    let stored = simple.from_connect(given.schema.as_ref(), &given.value);
    vector.compare("header", stored.map(shown), text_of)
}

fn text_of(answer: &Json) -> Option<String> {
    answer.as_str().map(str::to_owned)
}

pub(crate) fn convert(vector: &Vector) -> Outcome {
    let target = Arc::new(match vector.class.as_str() {
        "boolean" => Schema::optional(Kind::Boolean),
        "int8" => Schema::optional(Kind::Int8),
        "int16" => Schema::optional(Kind::Int16),
        "int32" => Schema::optional(Kind::Int32),
        "int64" => Schema::optional(Kind::Int64),
        "float32" => Schema::optional(Kind::Float32),
        "float64" => Schema::optional(Kind::Float64),
        "string" => Schema::optional(Kind::String),
        "list" => Schema::new(Kind::Array(None)),
        "map" => Schema::new(Kind::Map(None, None)),
        "struct" => Schema::structure(Vec::new()).unwrap(),
        "date" => Schema::date(),
        "time" => Schema::time(),
        "timestamp" => Schema::timestamp(),
        other => match other.strip_prefix("decimal") {
            Some(scale) => Schema::decimal(scale.parse().unwrap()),
            None => panic!("unknown target {other}"),
        },
    });
    let given = schema_and_value(&vector.json, "schema", "value");
    let converted = values::convert_to(&target, given.schema.as_deref(), &given.value);
    vector.compare("out", converted, |answer| {
        value(answer.get("value").unwrap(), Some(&target))
    })
}

pub(crate) fn project(vector: &Vector) -> Outcome {
    let source = vector.some_schema("source");
    let target = vector.some_schema("target");
    let given = value(vector.get("value"), Some(&source));
    let projected = source.project(&given, &target);
    vector.compare("out", projected, |answer| {
        value(answer.get("value").unwrap(), Some(&target))
    })
}

pub(crate) fn hash(vector: &Vector) -> Outcome {
    let key = BASE64.decode(vector.get("key").as_str().unwrap()).unwrap();
    let number = |json: &Json| i32::try_from(json.as_i64().unwrap()).unwrap();
    let hash = murmur2(&key);
    let expected = (number(vector.get("hash")), number(vector.get("positive")));
    let outcome = same(&expected, &(hash, hash & i32::MAX));
    if !matches!(outcome, Outcome::Same) {
        return outcome;
    }
    for (count, partition) in vector.get("partition_of").as_object().unwrap() {
        let found = partition_for_key(&key, count.parse().unwrap());
        if found != number(partition) {
            return same(&(count, number(partition)), &(count, found));
        }
    }
    Outcome::Same
}

/// The error headers alone: that the record is written, awaited and counted is the runtime's.
///
/// The exception of a vector that a test threw on purpose is taken from its answer; only its place among the headers and
/// the rest of them is asked.
pub(crate) fn error_headers_of(vector: &Vector) -> Outcome {
    let option = |name: &str| {
        let found = vector.get("connector").get(name).and_then(Json::as_str);
        found.unwrap_or_default().trim()
    };
    let dlq = vector.get("dlq");
    let topic = option("errors.deadletterqueue.topic.name");
    if topic.is_empty() {
        return same(&true, &dlq.is_null());
    }
    let given = vector.get("in");
    let number = |json: &Json, key: &str| json.get(key).and_then(Json::as_i64);
    let origin = Coordinates {
        topic: given.get("topic").and_then(Json::as_str).unwrap().into(),
        partition: i32::try_from(number(given, "partition").unwrap()).unwrap(),
        offset: number(given, "offset").unwrap(),
    };
    let recorded: Vec<(String, Option<String>)> = list(dlq);
    let of = |name: &str| {
        let name = format!("__connect.errors.exception.{name}");
        recorded
            .iter()
            .find(|(found, _)| *found == name)
            .and_then(|(_, text)| text.clone())
    };
    let (class, message, trace) = (of("class.name"), of("message"), of("stacktrace"));
    let failure = Failure {
        origin: Some(&origin),
        connector: option("name"),
        task: u32::try_from(vector.get("task").as_u64().unwrap()).unwrap(),
        stage: Stage::from_name(vector.get("stage").as_str().unwrap()).unwrap(),
        executing_class: vector.get("stage_class").as_str().unwrap(),
        exception: class.as_deref().map(|class| Exception {
            class,
            message: message.as_deref(),
            trace: trace.as_deref().unwrap_or_default(),
        }),
    };
    let mut found = list(given);
    if option("errors.deadletterqueue.context.headers.enable") == "true" {
        let added = error_headers(&failure).into_iter();
        found.extend(added.map(|(name, text)| (name.to_owned(), text)));
    }
    same(&recorded, &found)
}

/// Reads the headers of a raw record: bytes in base64, text as it is.
fn list(record: &Json) -> Vec<(String, Option<String>)> {
    let headers = record
        .get("headers")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let headers = headers.map(|header| {
        let content = header.get("value").unwrap();
        let text = content.get("string").or_else(|| content.get("bytes"));
        let name = header.get("name").and_then(Json::as_str).unwrap();
        (
            name.to_owned(),
            text.and_then(Json::as_str).map(str::to_owned),
        )
    });
    headers.collect()
}
