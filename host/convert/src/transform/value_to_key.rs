//! `ValueToKey`: a key made of fields of the value.

use std::sync::Arc;

use super::Transform;
use super::side::{
    SchemaCache, Side, StructBuilder, field_at, require_map, require_struct, struct_kind,
};
use crate::options::{OptionDef, REPLACE_NULL, Rule, Settings};
use crate::{Error, Field, Map, Record, Schema, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::list("fields", "The fields of the value that make up the key.")
        .required()
        .rule(Rule::NotEmpty),
    REPLACE_NULL,
];

#[derive(Debug)]
pub(super) struct ValueToKey {
    fields: Vec<String>,
    with_default: bool,
    schemas: SchemaCache,
}

impl ValueToKey {
    pub(super) fn configure(settings: &Settings) -> Self {
        Self {
            fields: settings.list("fields").to_vec(),
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        }
    }
}

impl Transform for ValueToKey {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let (schema, key) = if record.value.schema.is_none() {
            let map = require_map(&record.value.value, Side::Value)?;
            let entries = self.fields.iter().map(|field| {
                let value = map.get_str(field).cloned().unwrap_or_default();
                (Value::string(field.as_str()), value)
            });
            (None, Value::from(entries.collect::<Map>()))
        } else {
            let row = require_struct(&record.value.value, Side::Value)?;
            let names = &self.fields;
            let updated = self
                .schemas
                .get(row.schema(), |schema| key_schema(schema, names))?;
            let mut built = StructBuilder::new(Arc::clone(&updated));
            for name in &self.fields {
                let position = row.schema().fields().position(name);
                let value =
                    position.map_or(&Value::Null, |at| field_at(row, at, self.with_default));
                built.push(value.clone())?;
            }
            (Some(updated), built.finish()?)
        };
        Side::Key.set(&mut record, schema, key);
        Ok(Some(record))
    }
}

fn key_schema(value: &Arc<Schema>, names: &[String]) -> Result<Arc<Schema>, Error> {
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        let field = value
            .field(name)
            .ok_or_else(|| Error::data(format!("the value has no field `{name}`")))?;
        fields.push(Field::clone(field));
    }
    Ok(Arc::new(Schema::new(struct_kind(fields)?)))
}
