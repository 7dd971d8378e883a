//! From a Connect schema to JSON Schema, with what JSON Schema has no word for in `connect.*`.

use serde_json::{Map as JsonMap, Value as Json, json};

use super::{ENUM, JsonMapping, NAMESPACE, ONE_OF};
use crate::json::DecimalFormat;
use crate::schema::NESTING_MAX;
use crate::{Error, Kind, Logical, Schema};

/// Returns the JSON Schema of the values of a Connect schema.
///
/// # Errors
/// Names the part that has no schema.
pub(super) fn json_schema(schema: &Schema, mapping: JsonMapping) -> Result<Json, Error> {
    write(schema, mapping, None, 0)
}

/// A schema, beside null where it is optional; `index` is the place of a field in its struct.
fn write(
    schema: &Schema,
    mapping: JsonMapping,
    index: Option<usize>,
    depth: usize,
) -> Result<Json, Error> {
    if depth > NESTING_MAX {
        return Err(Error::data(format!(
            "a schema that nests deeper than {NESTING_MAX}"
        )));
    }
    let nothing = || json!({"type": "null"});
    let mut object = if schema.is_named(ONE_OF) {
        let mut members: Vec<Json> = schema.optional.then(nothing).into_iter().collect();
        for (position, field) in schema.fields().iter().enumerate() {
            let member = (*field.schema).clone().with_optional(false);
            members.push(write(&member, mapping, Some(position), depth + 1)?);
        }
        JsonMap::from_iter([("oneOf".to_owned(), Json::Array(members))])
    } else {
        let own = base(schema, mapping, depth)?;
        match schema.optional {
            true => JsonMap::from_iter([(
                "oneOf".to_owned(),
                Json::Array(vec![nothing(), Json::Object(own)]),
            )]),
            false => own,
        }
    };
    if let Some(index) = index {
        object.insert("connect.index".to_owned(), json!(index));
    }
    Ok(Json::Object(object))
}

fn base(
    schema: &Schema,
    mapping: JsonMapping,
    depth: usize,
) -> Result<JsonMap<String, Json>, Error> {
    let mut object = JsonMap::new();
    let mut set = |name: &str, value: Json| drop(object.insert(name.to_owned(), value));
    let part = |part: Option<&std::sync::Arc<Schema>>, what: &str, index| match part {
        Some(part) => write(part, mapping, index, depth + 1),
        None => Err(Error::data(format!(
            "{what} have no schema, which JSON Schema needs"
        ))),
    };
    match &schema.kind {
        Kind::Boolean => set("type", json!("boolean")),
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => set("type", json!("integer")),
        Kind::Float32 | Kind::Float64 => set("type", json!("number")),
        Kind::String => match symbols(schema) {
            Some(symbols) => set("enum", symbols),
            None => set("type", json!("string")),
        },
        Kind::Bytes if schema.logical() == Some(Logical::Decimal) => set("type", json!("number")),
        Kind::Bytes => set("type", json!("string")),
        Kind::Array(items) => {
            set("type", json!("array"));
            set("items", part(items.as_ref(), "an array's items", None)?);
        }
        Kind::Map(keys, values) => {
            let named = keys
                .as_ref()
                .is_some_and(|keys| matches!(keys.kind, Kind::String) && !keys.optional);
            if named {
                let values = part(values.as_ref(), "a map's values", None)?;
                set("type", json!("object"));
                set("additionalProperties", values);
            } else {
                let key = part(keys.as_ref(), "a map's keys", Some(0))?;
                let value = part(values.as_ref(), "a map's values", Some(1))?;
                let entry = json!({"type": "object", "properties": {"key": key, "value": value}});
                set("type", json!("array"));
                set("items", entry);
            }
        }
        Kind::Struct(fields) => {
            let mut properties = JsonMap::new();
            for (position, field) in fields.iter().enumerate() {
                let written = write(&field.schema, mapping, Some(position), depth + 1)
                    .map_err(|error| error.in_field(&field.name))?;
                properties.insert(field.name.to_string(), written);
            }
            set("type", json!("object"));
            set("properties", Json::Object(properties));
            if mapping.lists_required {
                let required = fields.iter().filter(|field| !field.schema.optional);
                let required: Vec<&str> = required.map(|field| &*field.name).collect();
                set("required", json!(required));
            }
            if !mapping.additional_properties {
                set("additionalProperties", json!(false));
            }
        }
    }
    details(schema, mapping, &mut object)?;
    Ok(object)
}

/// What stands beside the type.
fn details(
    schema: &Schema,
    mapping: JsonMapping,
    object: &mut JsonMap<String, Json>,
) -> Result<(), Error> {
    let mut set = |name: &str, value: Json| drop(object.insert(name.to_owned(), value));
    match &schema.kind {
        Kind::Boolean | Kind::String | Kind::Array(_) | Kind::Struct(_) => {}
        _ => set("connect.type", json!(schema.schema_type().name())),
    }
    if let Some(name) = &schema.name {
        set("title", json!(**name));
    }
    if let Some(version) = schema.version {
        set("connect.version", json!(version));
    }
    if let Some(doc) = &schema.doc {
        set("description", json!(**doc));
    }
    let parameters = schema.parameters.iter();
    let parameters: JsonMap<String, Json> = parameters
        .filter(|(name, _)| !name.starts_with(NAMESPACE))
        .map(|(name, text)| (name.to_owned(), json!(text)))
        .collect();
    if !parameters.is_empty() {
        set("connect.parameters", Json::Object(parameters));
    }
    if let Some(default) = &schema.default {
        let mut writer = mapping.writer();
        writer.decimals = DecimalFormat::Numeric;
        let mut text = String::new();
        writer.write(Some(schema), default, &mut text)?;
        let value = serde_json::from_str(&text)
            .map_err(|error| Error::data(format!("a default that is no JSON: {error}")))?;
        set("default", value);
    }
    Ok(())
}

/// The symbols of an enum, as its parameters name them.
fn symbols(schema: &Schema) -> Option<Json> {
    schema.parameters.get(ENUM)?;
    let symbols = schema.parameters.iter().filter_map(|(name, text)| {
        let symbol = name.strip_prefix(ENUM)?.strip_prefix('.')?;
        (!symbol.is_empty()).then(|| json!(text))
    });
    Some(symbols.collect())
}
