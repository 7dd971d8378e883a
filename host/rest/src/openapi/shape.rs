//! JSON Schema in few words.

use serde_json::{Map, Value, json};

/// A name and what it stands for.
pub(super) type Shape = (&'static str, Value);

/// Where named shapes are in the document.
pub(super) const PLACE: &str = "#/components/schemas/";

/// An object; a field whose name ends with `?` may be absent.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let name = |field: &str| field.trim_end_matches('?').to_owned();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(field, shape)| (name(field), shape.clone()))
        .collect();
    let required: Vec<&str> = fields
        .iter()
        .map(|(field, _)| *field)
        .filter(|field| !field.ends_with('?'))
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

/// The shape with further fields.
pub(super) fn extended(base: &Value, fields: &[(&str, Value)]) -> Value {
    let mut all = base.clone();
    let more = object(fields);
    let fields = more.get("properties").and_then(Value::as_object);
    if let Some(properties) = all.get_mut("properties").and_then(Value::as_object_mut) {
        properties.extend(fields.cloned().unwrap_or_default());
    }
    let required = more.get("required").and_then(Value::as_array);
    if let Some(all) = all.get_mut("required").and_then(Value::as_array_mut) {
        for name in required.into_iter().flatten() {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
    }
    all
}

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn integer() -> Value {
    json!({ "type": "integer" })
}

pub(super) fn number() -> Value {
    json!({ "type": "number" })
}

pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// Whatever JSON there is.
pub(super) fn any() -> Value {
    json!({})
}

/// One of these words.
pub(super) fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

pub(super) fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object with free names.
pub(super) fn map(of: Value) -> Value {
    json!({ "type": "object", "additionalProperties": of })
}

pub(super) fn or_null(shape: Value) -> Value {
    json!({ "anyOf": [shape, { "type": "null" }] })
}

pub(super) fn either(shapes: &[Value]) -> Value {
    json!({ "anyOf": shapes })
}

pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("{PLACE}{name}") })
}
