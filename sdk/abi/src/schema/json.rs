//! Connect's schema JSON, as its `JsonConverter` writes it inside of an envelope.
//!
//! Key order: `type`, then `items` | `keys`, `values` | `fields`, then `optional`, `name`, `version`, `doc`, `parameters` (sorted),
//! `default`, `field`; absent ones are left out. Defaults are in physical form: numbers, base64 for bytes and decimals.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value as Json;

use super::{DEPTH_MAX, FIELDS_MAX, Field, JSON_BYTES_MAX, Kind, Logical, Schema};
use crate::{
    error::SchemaError,
    value::{Struct, Value},
};

/// Writes the canonical form.
pub(super) fn write(schema: &Schema) -> String {
    let mut out = String::with_capacity(256);
    write_schema(schema, None, &mut out);
    out
}

fn write_schema(schema: &Schema, field: Option<&str>, out: &mut String) {
    out.push_str("{\"type\":\"");
    out.push_str(schema.type_name());
    out.push('"');
    match &schema.kind {
        Kind::Array(items) => {
            out.push_str(",\"items\":");
            write_schema(items, None, out);
        }
        Kind::Map(keys, values) => {
            out.push_str(",\"keys\":");
            write_schema(keys, None, out);
            out.push_str(",\"values\":");
            write_schema(values, None, out);
        }
        Kind::Struct(fields) => {
            out.push_str(",\"fields\":[");
            for (n, field) in fields.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_schema(&field.schema, Some(&field.name), out);
            }
            out.push(']');
        }
        _ => {}
    }
    out.push_str(if schema.optional {
        ",\"optional\":true"
    } else {
        ",\"optional\":false"
    });
    if let Some(name) = &schema.name {
        member("name", &quoted(name), out);
    }
    if let Some(version) = schema.version {
        member("version", &version.to_string(), out);
    }
    if let Some(doc) = &schema.doc {
        member("doc", &quoted(doc), out);
    }
    if !schema.parameters.is_empty() {
        let pairs: Vec<String> = schema
            .parameters
            .iter()
            .map(|(key, value)| format!("{}:{}", quoted(key), quoted(value)))
            .collect();
        member("parameters", &format!("{{{}}}", pairs.join(",")), out);
    }
    if let Some(default) = &schema.default {
        member("default", &to_physical(default).to_string(), out);
    }
    if let Some(field) = field {
        member("field", &quoted(field), out);
    }
    out.push('}');
}

fn member(key: &str, json: &str, out: &mut String) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    out.push_str(json);
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

/// Writes a value in physical form.
fn to_physical(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int8(v) => Json::from(*v),
        Value::Int16(v) => Json::from(*v),
        Value::Int32(v) => Json::from(*v),
        Value::Int64(v) => Json::from(*v),
        // Through its shortest decimal form, so that 0.1 stays 0.1.
        Value::Float32(v) => float(v.is_finite(), &v.to_string(), f64::from(*v)),
        Value::Float64(v) => float(v.is_finite(), &v.to_string(), *v),
        Value::Boolean(v) => Json::from(*v),
        Value::String(v) => Json::from(v.as_str()),
        Value::Bytes(v) => Json::from(STANDARD.encode(v)),
        Value::Array(items) => Json::Array(items.iter().map(to_physical).collect()),
        Value::Map(pairs) => {
            if pairs.iter().all(|(key, _)| matches!(key, Value::String(_))) {
                Json::Object(
                    pairs
                        .iter()
                        .map(|(key, value)| match key {
                            Value::String(key) => (key.clone(), to_physical(value)),
                            _ => (String::new(), to_physical(value)),
                        })
                        .collect(),
                )
            } else {
                Json::Array(
                    pairs
                        .iter()
                        .map(|(key, value)| Json::Array(vec![to_physical(key), to_physical(value)]))
                        .collect(),
                )
            }
        }
        Value::Struct(row) => Json::Object(
            row.iter()
                .map(|(name, value)| (name.to_owned(), to_physical(value)))
                .collect(),
        ),
    }
}

fn float(finite: bool, text: &str, value: f64) -> Json {
    if finite {
        text.parse::<f64>().map_or(Json::Null, Json::from)
    } else if value.is_nan() {
        Json::from("NaN")
    } else if value > 0.0 {
        Json::from("Infinity")
    } else {
        Json::from("-Infinity")
    }
}

/// Reads a schema.
pub(super) fn read(text: &str) -> Result<Schema, SchemaError> {
    if text.len() > JSON_BYTES_MAX {
        return Err(shape(&[], format!("longer than {JSON_BYTES_MAX} bytes")));
    }
    let json: Json =
        serde_json::from_str(text).map_err(|error| SchemaError::Json(error.to_string()))?;
    read_schema(&json, &mut Vec::new())
}

fn shape(place: &[&str], what: impl Into<String>) -> SchemaError {
    SchemaError::Shape {
        place: if place.is_empty() {
            "(top)".to_owned()
        } else {
            place.join(".")
        },
        what: what.into(),
    }
}

fn read_schema<'a>(json: &'a Json, place: &mut Vec<&'a str>) -> Result<Schema, SchemaError> {
    if place.len() >= DEPTH_MAX {
        return Err(shape(place, format!("nested deeper than {DEPTH_MAX}")));
    }
    let Json::Object(object) = json else {
        return Err(shape(place, "a schema is a JSON object"));
    };
    let kind = read_kind(object, place)?;
    let mut schema = Schema::new(kind);
    schema.optional = match object.get("optional") {
        None | Some(Json::Null) => false,
        Some(Json::Bool(optional)) => *optional,
        Some(_) => return Err(shape(place, "`optional` is not a boolean")),
    };
    schema.name = text_member(object, "name", place)?;
    schema.doc = text_member(object, "doc", place)?;
    schema.version = match object.get("version") {
        None | Some(Json::Null) => None,
        Some(json) => Some(
            json.as_i64()
                .and_then(|version| i32::try_from(version).ok())
                .ok_or_else(|| shape(place, "`version` is not an int32"))?,
        ),
    };
    schema.parameters = read_parameters(object.get("parameters"), place)?;
    if schema.name.as_deref() == Some(Logical::DECIMAL)
        && schema.kind == Kind::Bytes
        && schema.logical().is_none()
    {
        return Err(shape(
            place,
            "a decimal needs the parameter `scale`, a number from -2000 to 2000",
        ));
    }
    schema.default = match object.get("default") {
        None | Some(Json::Null) => None,
        Some(json) => Some(
            from_physical(&schema, json)
                .ok_or_else(|| shape(place, "`default` does not fit the type"))?,
        ),
    };
    Ok(schema)
}

fn read_kind<'a>(
    object: &'a serde_json::Map<String, Json>,
    place: &mut Vec<&'a str>,
) -> Result<Kind, SchemaError> {
    let name = object
        .get("type")
        .and_then(Json::as_str)
        .ok_or_else(|| shape(place, "`type` is missing"))?;
    let kind = match name {
        "int8" => Kind::Int8,
        "int16" => Kind::Int16,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "float" => Kind::Float32,
        "double" => Kind::Float64,
        "boolean" => Kind::Boolean,
        "string" => Kind::String,
        "bytes" => Kind::Bytes,
        "array" => Kind::Array(part(object, "items", place)?),
        "map" => Kind::Map(part(object, "keys", place)?, part(object, "values", place)?),
        "struct" => Kind::Struct(read_fields(object, place)?),
        other => return Err(shape(place, format!("unknown type `{other}`"))),
    };
    Ok(kind)
}

fn part<'a>(
    object: &'a serde_json::Map<String, Json>,
    key: &'static str,
    place: &mut Vec<&'a str>,
) -> Result<Arc<Schema>, SchemaError> {
    let json = object
        .get(key)
        .ok_or_else(|| shape(place, format!("`{key}` is missing")))?;
    place.push(key);
    let schema = read_schema(json, place)?;
    place.pop();
    Ok(Arc::new(schema))
}

fn read_fields<'a>(
    object: &'a serde_json::Map<String, Json>,
    place: &mut Vec<&'a str>,
) -> Result<Vec<Field>, SchemaError> {
    let Some(Json::Array(items)) = object.get("fields") else {
        return Err(shape(place, "`fields` is missing"));
    };
    if items.len() > FIELDS_MAX {
        return Err(shape(place, format!("more than {FIELDS_MAX} fields")));
    }
    let mut fields: Vec<Field> = Vec::with_capacity(items.len());
    let mut names = std::collections::HashSet::with_capacity(items.len());
    for item in items {
        let name = item
            .get("field")
            .and_then(Json::as_str)
            .ok_or_else(|| shape(place, "a field has no `field` name"))?;
        if !names.insert(name) {
            return Err(shape(place, format!("field `{name}` stands twice")));
        }
        place.push(name);
        let schema = read_schema(item, place)?;
        place.pop();
        fields.push(Field {
            name: name.to_owned(),
            schema: Arc::new(schema),
        });
    }
    Ok(fields)
}

fn read_parameters(
    json: Option<&Json>,
    place: &[&str],
) -> Result<BTreeMap<String, String>, SchemaError> {
    match json {
        None | Some(Json::Null) => Ok(BTreeMap::new()),
        Some(Json::Object(object)) => object
            .iter()
            .map(|(key, value)| match value {
                Json::String(value) => Ok((key.clone(), value.clone())),
                _ => Err(shape(place, format!("parameter `{key}` is not a string"))),
            })
            .collect(),
        Some(_) => Err(shape(place, "`parameters` is not an object")),
    }
}

fn text_member(
    object: &serde_json::Map<String, Json>,
    key: &str,
    place: &[&str],
) -> Result<Option<String>, SchemaError> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(shape(place, format!("`{key}` is not a string"))),
    }
}

/// Reads a value in physical form, `None` where it does not fit.
fn from_physical(schema: &Schema, json: &Json) -> Option<Value> {
    Some(match (&schema.kind, json) {
        (_, Json::Null) => return schema.nullable().then_some(Value::Null),
        (Kind::Int8, json) => Value::Int8(json.as_i64()?.try_into().ok()?),
        (Kind::Int16, json) => Value::Int16(json.as_i64()?.try_into().ok()?),
        (Kind::Int32, json) => Value::Int32(json.as_i64()?.try_into().ok()?),
        (Kind::Int64, json) => Value::Int64(json.as_i64()?),
        // The shortest decimal form names one float32.
        (Kind::Float32, json) => Value::Float32(match json {
            Json::Number(number) => number.to_string().parse().ok()?,
            other => special(other)?.to_string().parse().ok()?,
        }),
        (Kind::Float64, json) => Value::Float64(match json {
            Json::Number(number) => number.as_f64()?,
            other => special(other)?,
        }),
        (Kind::Boolean, json) => Value::Boolean(json.as_bool()?),
        (Kind::String, json) => Value::String(json.as_str()?.to_owned()),
        (Kind::Bytes, json) => Value::Bytes(STANDARD.decode(json.as_str()?).ok()?),
        (Kind::Array(items), Json::Array(list)) => Value::Array(
            list.iter()
                .map(|item| from_physical(items, item))
                .collect::<Option<_>>()?,
        ),
        (Kind::Map(keys, values), Json::Object(object)) if keys.kind == Kind::String => Value::Map(
            object
                .iter()
                .map(|(key, value)| {
                    Some((Value::String(key.clone()), from_physical(values, value)?))
                })
                .collect::<Option<_>>()?,
        ),
        (Kind::Map(keys, values), Json::Array(pairs)) => Value::Map(
            pairs
                .iter()
                .map(|pair| match pair.as_array()?.as_slice() {
                    [key, value] => {
                        Some((from_physical(keys, key)?, from_physical(values, value)?))
                    }
                    _ => None,
                })
                .collect::<Option<_>>()?,
        ),
        (Kind::Struct(fields), Json::Object(object)) => {
            let values = fields
                .iter()
                .map(|field| {
                    from_physical(
                        &field.schema,
                        object.get(&field.name).unwrap_or(&Json::Null),
                    )
                })
                .collect::<Option<Vec<_>>>()?;
            let mut plain = schema.clone();
            plain.default = None;
            Value::Struct(Struct::from_values(Arc::new(plain), values).ok()?)
        }
        _ => return None,
    })
}

fn special(json: &Json) -> Option<f64> {
    match json.as_str()? {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}
