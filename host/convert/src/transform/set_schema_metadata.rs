//! `SetSchemaMetadata`: another name or version of a struct's schema.

use std::sync::Arc;

use super::Transform;
use super::side::{SchemaCache, Side, StructBuilder, field_at};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Settings};
use crate::{Error, Record, Type, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string("schema.name", "The new name."),
    OptionDef::int("schema.version", "The new version."),
    REPLACE_NULL,
];

#[derive(Debug)]
pub(super) struct SetSchemaMetadata {
    side: Side,
    name: Option<Arc<str>>,
    version: Option<i32>,
    with_default: bool,
    schemas: SchemaCache,
}

impl SetSchemaMetadata {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let name = settings.text("schema.name").map(Arc::from);
        let version = settings.int("schema.version");
        if name.is_none() && version.is_none() {
            let message = "neither `schema.name` nor `schema.version` is set";
            return Err(vec![ConfigProblem::new("schema.name", message)]);
        }
        Ok(Self {
            side,
            name,
            version,
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        })
    }
}

impl Transform for SetSchemaMetadata {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record);
        let schema = match (&part.schema, &part.value) {
            (None, Value::Null) => return Ok(Some(record)),
            (None, _) => return Err(Error::data("there is no schema whose name could be set")),
            (Some(schema), _) => schema,
        };
        if schema.schema_type() != Type::Struct {
            return Err(Error::data(format!(
                "the schema is of type {}, only that of a struct can get a name here",
                schema.schema_type().name()
            )));
        }
        let (name, version) = (&self.name, self.version);
        let updated = self.schemas.get(schema, |schema| {
            let mut updated = (**schema).clone();
            if name.is_some() {
                updated.name.clone_from(name);
            }
            updated.version = version.or(updated.version);
            Ok(Arc::new(updated))
        })?;
        let value = match &part.value {
            Value::Struct(row) => {
                let mut built = StructBuilder::new(Arc::clone(&updated));
                for position in 0..row.values().len() {
                    built.push(field_at(row, position, self.with_default).clone())?;
                }
                built.finish()?
            }
            value => value.clone(),
        };
        self.side.set(&mut record, Some(updated), value);
        Ok(Some(record))
    }
}
