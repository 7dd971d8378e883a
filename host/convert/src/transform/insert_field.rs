//! `InsertField`: adds fields with the record's topic, partition, offset, time, or fixed text.

use std::sync::Arc;

use super::Transform;
use super::side::{
    SchemaCache, Side, StructBuilder, copy_basics, field_at, require_map, require_struct,
    struct_kind,
};
use crate::options::{ConfigProblem, OptionDef, REPLACE_NULL, Settings};
use crate::{Error, Field, Kind, Record, Refusal, Schema, Value};

const SUFFIX: &str =
    "The field's name; with `!` at its end the field is required, with `?` or nothing optional.";

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::string("topic.field", SUFFIX),
    OptionDef::string("partition.field", SUFFIX),
    OptionDef::string("offset.field", SUFFIX),
    OptionDef::string("timestamp.field", SUFFIX),
    OptionDef::string("static.field", SUFFIX),
    OptionDef::string("static.value", "The text of `static.field`."),
    REPLACE_NULL,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static,
}

#[derive(Debug)]
struct Insertion {
    source: Source,
    name: Arc<str>,
    optional: bool,
}

#[derive(Debug)]
pub(super) struct InsertField {
    side: Side,
    insertions: Vec<Insertion>,
    text: Value,
    with_default: bool,
    schemas: SchemaCache,
}

impl InsertField {
    pub(super) fn configure(settings: &Settings, side: Side) -> Result<Self, Vec<ConfigProblem>> {
        let mut insertions = Vec::new();
        for (option, source) in [
            ("topic.field", Source::Topic),
            ("partition.field", Source::Partition),
            ("offset.field", Source::Offset),
            ("timestamp.field", Source::Timestamp),
            ("static.field", Source::Static),
        ] {
            if let Some(text) = settings.text(option) {
                insertions.push(insertion(source, text));
            }
        }
        let text = settings.text("static.value");
        let problem = |option: &str, message: &str| Err(vec![ConfigProblem::new(option, message)]);
        match (settings.text("static.field"), text) {
            (Some(_), None) => return problem("static.value", "is required beside `static.field`"),
            (None, Some(_)) => return problem("static.field", "is required beside `static.value`"),
            _ => {}
        }
        if insertions.is_empty() {
            return problem(
                "topic.field",
                "no field to insert; set at least one of topic.field, partition.field, offset.field, timestamp.field, static.field",
            );
        }
        Ok(Self {
            side,
            insertions,
            text: text.map_or(Value::Null, Value::string),
            with_default: settings.boolean("replace.null.with.default"),
            schemas: SchemaCache::default(),
        })
    }

    /// `__deleted`, as Debezium's unwrapping adds it.
    pub(super) fn fixed(name: &str, text: &str, with_default: bool) -> Self {
        Self {
            side: Side::Value,
            insertions: vec![insertion(Source::Static, name)],
            text: Value::string(text),
            with_default,
            schemas: SchemaCache::default(),
        }
    }

    /// What an insertion takes from a record; in a map a time is a plain number.
    fn value(&self, source: Source, record: &Record, in_map: bool) -> Result<Value, Error> {
        Ok(match source {
            Source::Topic => Value::String(Arc::clone(&record.topic)),
            Source::Partition => record.partition.map_or(Value::Null, Value::Int32),
            Source::Offset => match &record.origin {
                Some(origin) => Value::Int64(origin.offset),
                None => {
                    return Err(Error::data(
                        "`offset.field` needs the record of a sink; a source's record has no offset yet",
                    ));
                }
            },
            Source::Timestamp if in_map => record.timestamp.map_or(Value::Null, Value::Int64),
            Source::Timestamp => record.timestamp.map_or(Value::Null, Value::Instant),
            Source::Static => self.text.clone(),
        })
    }

    fn updated_schema(&self, schema: &Arc<Schema>) -> Result<Arc<Schema>, Error> {
        let mut fields: Vec<Field> = schema.fields().to_vec();
        for insertion in &self.insertions {
            let inserted = match insertion.source {
                Source::Topic | Source::Static => Schema::new(Kind::String),
                Source::Partition => Schema::new(Kind::Int32),
                Source::Offset => Schema::new(Kind::Int64),
                Source::Timestamp => Schema::timestamp(),
            };
            let inserted = inserted.with_optional(insertion.optional);
            fields.push(Field::new(Arc::clone(&insertion.name), inserted));
        }
        Ok(Arc::new(copy_basics(schema, struct_kind(fields)?)))
    }
}

fn insertion(source: Source, text: &str) -> Insertion {
    let (name, optional) = match text.strip_suffix('!') {
        Some(name) => (name, false),
        None => (text.strip_suffix('?').unwrap_or(text), true),
    };
    Insertion {
        source,
        name: Arc::from(name),
        optional,
    }
}

impl Transform for InsertField {
    fn apply(&mut self, mut record: Record) -> Result<Option<Record>, Error> {
        let part = self.side.of(&record).clone();
        if part.value.is_null() {
            return Ok(Some(record));
        }
        match &part.schema {
            None => {
                let mut map = (**require_map(&part.value, self.side)?).clone();
                for insertion in &self.insertions {
                    let value = self.value(insertion.source, &record, true)?;
                    if !value.is_null() {
                        map.insert(Value::String(Arc::clone(&insertion.name)), value);
                    }
                }
                self.side.set(&mut record, None, Value::from(map));
            }
            Some(schema) => {
                let row = require_struct(&part.value, self.side)?;
                let mut schemas = std::mem::take(&mut self.schemas);
                let updated = schemas.get(schema, |schema| self.updated_schema(schema));
                self.schemas = schemas;
                let updated = updated?;
                let mut built = StructBuilder::new(Arc::clone(&updated));
                for position in 0..row.schema().fields().len() {
                    built.push(field_at(row, position, self.with_default).clone())?;
                }
                for insertion in &self.insertions {
                    let value = self.value(insertion.source, &record, false)?;
                    if value.is_null() && !insertion.optional {
                        let message = "the field is required, and the record has nothing for it";
                        let error = Error::refused(Refusal::MissingField, message);
                        return Err(error.in_field(&insertion.name));
                    }
                    built.push(value)?;
                }
                self.side.set(&mut record, Some(updated), built.finish()?);
            }
        }
        Ok(Some(record))
    }
}
