//! `HeaderFrom`: moves or copies fields into headers.

use std::sync::Arc;

use super::Transform;
use super::side::{
    SchemaCache, Side, StructBuilder, copy_basics, field_at, require_map, require_struct,
    struct_kind,
};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Rule, Settings};
use crate::{Class, Error, Field, Record, Schema, SchemaAndValue, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::list("fields", "The fields whose values become headers.")
        .required()
        .rule(Rule::NotEmpty),
    OptionDef::list(
        "headers",
        "The headers' names, as many as fields and in their order.",
    )
    .required()
    .rule(Rule::NotEmpty),
    OptionDef::string(
        "operation",
        "Whether the fields stay (`copy`) or go (`move`).",
    )
    .required()
    .rule(Rule::OneOf(&["move", "copy"])),
    REPLACE_NULL,
];

#[derive(Debug)]
pub(super) struct HeaderFrom {
    side: Side,
    /// Field and header.
    pairs: Vec<(String, Arc<str>)>,
    moves: bool,
    with_default: bool,
    schemas: SchemaCache,
}

impl HeaderFrom {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let (fields, headers) = (settings.list("fields"), settings.list("headers"));
        if fields.len() != headers.len() {
            return Err(vec![ConfigProblem::new(
                "headers",
                format!(
                    "has {} names for {} fields; they must be as many",
                    headers.len(),
                    fields.len()
                ),
            )]);
        }
        let pairs = fields.iter().zip(headers);
        Ok(Self {
            side,
            pairs: pairs
                .map(|(field, header)| (field.clone(), Arc::from(header.as_str())))
                .collect(),
            moves: settings.text("operation") == Some("move"),
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        })
    }

    fn takes(&self, name: &str) -> bool {
        self.moves && self.pairs.iter().any(|(field, _)| field == name)
    }
}

impl Transform for HeaderFrom {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record).clone();
        match &part.schema {
            None => {
                let map = require_map(&part.value, self.side)?;
                for (field, header) in &self.pairs {
                    let value = map.get_str(field).cloned().unwrap_or_default();
                    let value = SchemaAndValue::schemaless(value);
                    record.headers.add(Arc::clone(header), value);
                }
                if self.moves {
                    let mut map = (**map).clone();
                    for (field, _) in &self.pairs {
                        map.remove(&Value::string(field.as_str()));
                    }
                    self.side.set(&mut record, None, Value::from(map));
                }
            }
            Some(schema) => {
                let row = require_struct(&part.value, self.side)?;
                for (name, header) in &self.pairs {
                    let known = row.schema().fields().position(name);
                    let (Some(position), Some(field)) = (known, schema.field(name)) else {
                        return Err(Error::new(
                            Class::NullPointer,
                            format!("the schema has no field `{name}`"),
                        ));
                    };
                    let value = field_at(row, position, self.with_default).clone();
                    let value = SchemaAndValue::new(Some(Arc::clone(&field.schema)), value);
                    record.headers.add(Arc::clone(header), value);
                }
                if self.moves {
                    let mut schemas = std::mem::take(&mut self.schemas);
                    let updated = schemas.get(schema, |schema| self.without(schema));
                    self.schemas = schemas;
                    let updated = updated?;
                    let mut built = StructBuilder::new(Arc::clone(&updated));
                    for (position, field) in row.schema().fields().iter().enumerate() {
                        if !self.takes(&field.name) {
                            built.push(field_at(row, position, self.with_default).clone())?;
                        }
                    }
                    self.side.set(&mut record, Some(updated), built.finish()?);
                }
            }
        }
        Ok(Some(record))
    }
}

impl HeaderFrom {
    fn without(&self, schema: &Arc<Schema>) -> Result<Arc<Schema>, Error> {
        let fields: Vec<Field> = schema
            .fields()
            .iter()
            .filter(|field| !self.takes(&field.name))
            .cloned()
            .collect();
        Ok(Arc::new(copy_basics(schema, struct_kind(fields)?)))
    }
}
