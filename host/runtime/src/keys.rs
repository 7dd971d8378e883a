//! `key.fields`: the key of a record made from columns of its value.
//!
//! The key is a struct of these columns, in the order of the option, stored as `key.converter` says: by default as JSON,
//! like every typed row. Its partition is murmur2 over these bytes, so a Java client that writes other typed bytes for the same columns chooses another one.

use std::collections::HashMap;
use std::sync::Arc;

use linkspan_plugin::row;
use linkspan_plugin::schema::{Field, Kind, Schema};
use linkspan_plugin::value::{Struct, Value};

use crate::error::TaskError;
use crate::schemas::{Registered, SchemaRegistry};

/// The columns and, per value schema, the schema of the key.
#[derive(Debug)]
pub(crate) struct KeyFields {
    names: Vec<String>,
    schemas: HashMap<u32, Arc<Registered>>,
}

impl KeyFields {
    pub(crate) fn new(names: &[String]) -> Self {
        Self {
            names: names.to_vec(),
            schemas: HashMap::new(),
        }
    }

    /// Writes the key of a typed row as a row of its own; returns the key's schema.
    pub(crate) fn write_typed(
        &mut self,
        registry: &SchemaRegistry,
        value: &Arc<Registered>,
        row: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Arc<Registered>, TaskError> {
        let entry = match self.schemas.get(&value.handle) {
            Some(entry) => Arc::clone(entry),
            None => {
                let entry = registry.intern(self.key_schema(&value.schema)?)?;
                self.schemas.insert(value.handle, Arc::clone(&entry));
                entry
            }
        };
        let whole = row::read_value(&value.schema, row)
            .map_err(|error| TaskError::data(error.to_string()))?;
        let Value::Struct(whole) = whole else {
            return Err(TaskError::data(
                "`key.fields` needs a row, this value is null",
            ));
        };
        let values = self
            .names
            .iter()
            .map(|name| whole.get(name).cloned().unwrap_or(Value::Null))
            .collect();
        let key = Struct::from_values(Arc::clone(&entry.schema), values)
            .map_err(|error| TaskError::data(format!("key: {error}")))?;
        out.clear();
        row::write_value(&entry.schema, &Value::Struct(key), out)
            .map_err(|error| TaskError::data(format!("key: {error}")))?;
        Ok(entry)
    }

    fn key_schema(&self, value: &Schema) -> Result<Schema, TaskError> {
        let Kind::Struct(columns) = &value.kind else {
            return Err(TaskError::data(
                "`key.fields` needs a row, this value has no columns",
            ));
        };
        let mut fields = Vec::with_capacity(self.names.len());
        for name in &self.names {
            let Some(column) = columns.iter().find(|column| column.name == *name) else {
                let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
                return Err(TaskError::permanent(
                    "LS0412",
                    "config_invalid",
                    format!(
                        "`key.fields` names column `{name}`, which the rows do not have; they have: {}",
                        known.join(", ")
                    ),
                ));
            };
            fields.push(Field {
                name: name.clone(),
                schema: Arc::clone(&column.schema),
            });
        }
        Ok(Schema::new(Kind::Struct(fields)))
    }

    /// Writes the key of a JSON object.
    pub(crate) fn write_json(&self, value: &[u8], out: &mut Vec<u8>) -> Result<(), TaskError> {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(value)
            .map_err(|_| TaskError::data("`key.fields` needs a JSON object as the value"))?;
        let mut key = serde_json::Map::new();
        for name in &self.names {
            let field = object.get(name).ok_or_else(|| {
                TaskError::data(format!(
                    "`key.fields` names field `{name}`, which this record does not have"
                ))
            })?;
            key.insert(name.clone(), field.clone());
        }
        out.clear();
        serde_json::to_writer(out, &key).map_err(|error| TaskError::internal(error.to_string()))
    }
}
