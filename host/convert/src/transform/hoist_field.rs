//! `HoistField`: wraps the whole key or value into a struct, or a map, of one field.

use std::sync::Arc;

use super::Transform;
use super::side::{SchemaCache, Side, StructBuilder, struct_kind};
use crate::options::{OptionDef, Settings};
use crate::{Error, Field, Map, Record, Schema, Value};

pub(super) const OPTIONS: &[OptionDef] =
    &[OptionDef::string("field", "The name of the field.").required()];

#[derive(Debug)]
pub(super) struct HoistField {
    side: Side,
    field: Arc<str>,
    schemas: SchemaCache,
}

impl HoistField {
    pub(super) fn configure(settings: &Settings, side: Side) -> Self {
        Self {
            side,
            field: Arc::from(settings.text_or_empty("field")),
            schemas: SchemaCache::default(),
        }
    }
}

impl Transform for HoistField {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = std::mem::take(self.side.of_mut(&mut record));
        let (schema, value) = match part.schema {
            None => {
                let entry = (Value::String(Arc::clone(&self.field)), part.value);
                (None, Value::from([entry].into_iter().collect::<Map>()))
            }
            Some(schema) => {
                let field = &self.field;
                let updated = self.schemas.get(&schema, |schema| {
                    let fields = vec![Field::new(Arc::clone(field), Arc::clone(schema))];
                    Ok(Arc::new(Schema::new(struct_kind(fields)?)))
                })?;
                let mut built = StructBuilder::new(Arc::clone(&updated));
                built.push(part.value)?;
                (Some(updated), built.finish()?)
            }
        };
        self.side.set(&mut record, schema, value);
        Ok(Some(record))
    }
}
