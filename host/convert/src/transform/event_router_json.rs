//! From the JSON text of an outbox event to a struct with a schema found from the text.
//!
//! Objects become structs of optional fields, arrays must hold one type of items. Text that is no such JSON, or has
//! something around it, stays text.

use std::sync::Arc;

use serde_json::Value as Json;

use super::side::struct_kind;
use crate::{Field, Kind, Schema, SchemaAndValue, Struct, Value};

/// What a null inside of the text becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    /// No field.
    Ignored,
    /// A field of optional bytes.
    OptionalBytes,
}

#[derive(Debug)]
pub(super) struct Expander {
    nulls: Nulls,
}

impl Expander {
    pub(super) const fn new(nulls: Nulls) -> Self {
        Self { nulls }
    }

    /// Returns the struct or array, `None` where the text stays as it is.
    pub(super) fn expand(&self, name: &str, text: &str) -> Option<SchemaAndValue> {
        if !text.starts_with(['{', '[']) {
            return None;
        }
        let json: Json = serde_json::from_str(text).ok()?;
        let Some(schema) = self.schema(Some(name), &json).ok()? else {
            // An empty array has no schema; Debezium hands the text on without one.
            return Some(SchemaAndValue::schemaless(Value::string(text)));
        };
        let value = value(&json, &schema)?;
        Some(SchemaAndValue::new(Some(schema), value))
    }

    /// The schema of a node, `None` where it gets no field.
    fn schema(&self, name: Option<&str>, node: &Json) -> Result<Option<Arc<Schema>>, Unfit> {
        let kind = match node {
            Json::String(_) => Kind::String,
            Json::Bool(_) => Kind::Boolean,
            Json::Number(number) => match number.as_i64() {
                Some(number) if i32::try_from(number).is_ok() => Kind::Int32,
                Some(_) => Kind::Int64,
                None if number.is_u64() => return Err(Unfit),
                None => Kind::Float64,
            },
            Json::Null if self.nulls == Nulls::OptionalBytes => Kind::Bytes,
            Json::Null => return Ok(None),
            Json::Array(items) if items.is_empty() => return Ok(None),
            Json::Array(items) => Kind::Array(Some(self.items(name, items)?)),
            Json::Object(members) => {
                let mut fields: Vec<Field> = Vec::new();
                for (member, node) in members {
                    let inner = match name.filter(|name| !name.trim().is_empty()) {
                        Some(name) => format!("{name}.{member}"),
                        None => member.clone(),
                    };
                    if let Some(schema) = self.schema(Some(&inner), node)? {
                        fields.push(Field::new(member.as_str(), schema));
                    }
                }
                let mut schema = Schema::optional(struct_kind(fields).map_err(|_| Unfit)?);
                schema.name = name.map(Arc::from);
                return Ok(Some(Arc::new(schema)));
            }
        };
        Ok(Some(Arc::new(Schema::optional(kind))))
    }

    /// The one schema of an array's items.
    fn items(&self, name: Option<&str>, items: &[Json]) -> Result<Arc<Schema>, Unfit> {
        let sample = items.iter().find(|item| !item.is_null());
        let sample = sample.unwrap_or(&Json::Null);
        let same_type = |item: &&Json| {
            std::mem::discriminant(*item) == std::mem::discriminant(sample) || item.is_null()
        };
        if !items.iter().all(|item| same_type(&item)) {
            return Err(Unfit);
        }
        if !sample.is_object() {
            let schema = self.schema(None, sample)?.ok_or(Unfit)?;
            for item in items.iter().filter(|item| item.is_number()) {
                if self.schema(None, item)?.as_ref() != Some(&schema) {
                    return Err(Unfit);
                }
            }
            return Ok(schema);
        }
        let mut merged: Option<Arc<Schema>> = None;
        for item in items.iter().filter(|item| item.is_object()) {
            let Some(schema) = self.schema(name, item)? else {
                continue;
            };
            merged = Some(match merged {
                None => schema,
                Some(known) if known == schema => known,
                Some(known) => merge(&known, &schema)?,
            });
        }
        merged.ok_or(Unfit)
    }
}

/// The text has no schema of this kind.
#[derive(Debug)]
struct Unfit;

/// The fields of both; where they differ, anything but the bytes of a null counts more.
fn merge(left: &Schema, right: &Schema) -> Result<Arc<Schema>, Unfit> {
    let mut fields = left.fields().to_vec();
    for field in right.fields().iter() {
        match fields.iter_mut().find(|known| known.name == field.name) {
            None => fields.push(field.clone()),
            Some(known) => {
                if matches!(known.schema.kind, Kind::Bytes)
                    && !matches!(field.schema.kind, Kind::Bytes)
                {
                    *known = field.clone();
                }
            }
        }
    }
    let mut merged = Schema::new(struct_kind(fields).map_err(|_| Unfit)?);
    merged.name.clone_from(&left.name);
    Ok(Arc::new(merged))
}

/// The value of a node; `None` where it does not fit the schema found.
fn value(node: &Json, schema: &Arc<Schema>) -> Option<Value> {
    Some(match (node, &schema.kind) {
        (Json::Null, _) if schema.optional => Value::Null,
        (Json::String(text), Kind::String) => Value::string(text.as_str()),
        (Json::Bool(value), Kind::Boolean) => Value::Boolean(*value),
        (Json::Number(number), Kind::Int32) => Value::Int32(i32::try_from(number.as_i64()?).ok()?),
        (Json::Number(number), Kind::Int64) => Value::Int64(number.as_i64()?),
        (Json::Number(number), Kind::Float64) => Value::Float64(number.as_f64()?),
        (Json::Array(items), Kind::Array(Some(item_schema))) => {
            let items = items.iter().map(|item| value(item, item_schema));
            Value::array(items.collect::<Option<Vec<Value>>>()?)
        }
        (Json::Object(members), Kind::Struct(fields)) => {
            let mut values = Vec::with_capacity(fields.len());
            for field in fields.iter() {
                values.push(match members.get(&*field.name) {
                    Some(node) => value(node, &field.schema)?,
                    None => Value::Null,
                });
            }
            Value::from(Struct::from_values(Arc::clone(schema), values).ok()?)
        }
        _ => return None,
    })
}
