//! Which half of a record a transform works on, and what is asked of it there.

use std::sync::Arc;

use crate::{Class, Error, Field, Kind, Map, Record, Schema, SchemaAndValue, Struct, Value};

/// `$Key` or `$Value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The record's key.
    Key,
    /// The record's value.
    Value,
}

impl Side {
    /// Returns the word of the option `of`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Value => "value",
        }
    }

    pub(crate) const fn of(self, record: &Record) -> &SchemaAndValue {
        match self {
            Self::Key => &record.key,
            Self::Value => &record.value,
        }
    }

    pub(crate) const fn of_mut(self, record: &mut Record) -> &mut SchemaAndValue {
        match self {
            Self::Key => &mut record.key,
            Self::Value => &mut record.value,
        }
    }

    pub(crate) fn set(self, record: &mut Record, schema: Option<Arc<Schema>>, value: Value) {
        *self.of_mut(record) = SchemaAndValue::new(schema, value);
    }
}

/// Returns the struct, or says what is there instead.
pub(crate) fn require_struct(value: &Value, side: Side) -> Result<&Arc<Struct>, Error> {
    match value {
        Value::Struct(row) => Ok(row),
        other => Err(Error::data(format!(
            "the {} must be a struct here, it is {}",
            side.word(),
            other.type_name()
        ))),
    }
}

/// Returns the map, or says what is there instead.
pub(crate) fn require_map(value: &Value, side: Side) -> Result<&Arc<Map>, Error> {
    match value {
        Value::Map(map) => Ok(map),
        other => Err(Error::data(format!(
            "the {} without a schema must be a map here, it is {}",
            side.word(),
            other.type_name()
        ))),
    }
}

/// Name, version, documentation and parameters of a schema on another type.
pub(crate) fn copy_basics(schema: &Schema, kind: Kind) -> Schema {
    let mut copy = Schema::new(kind);
    copy.name.clone_from(&schema.name);
    copy.version = schema.version;
    copy.doc.clone_from(&schema.doc);
    copy.parameters = schema.parameters.clone();
    copy
}

/// The type of a struct of fields, none of which may have an empty name.
pub(crate) fn struct_kind(fields: Vec<Field>) -> Result<Kind, Error> {
    if fields.iter().any(|field| field.name.is_empty()) {
        return Err(Error::new(
            Class::SchemaBuilder,
            "a field's name must not be empty",
        ));
    }
    Ok(Schema::structure(fields)?.kind)
}

/// The value at a position as Connect's `get` or, without defaults, `getWithoutDefault` gives it.
pub(crate) fn field_at(row: &Struct, position: usize, with_default: bool) -> &Value {
    if with_default {
        row.at(position)
    } else {
        row.values().get(position).unwrap_or(&Value::Null)
    }
}

/// A struct under construction: each value is checked against its field as it is put.
pub(crate) struct StructBuilder {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl StructBuilder {
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        let values = Vec::with_capacity(schema.fields().len());
        Self { schema, values }
    }

    /// Puts the next field's value.
    pub(crate) fn push(&mut self, value: Value) -> Result<(), Error> {
        if let Some(field) = self.schema.fields().get(self.values.len()) {
            check(&field.schema, &value).map_err(|error| error.in_field(&field.name))?;
        }
        self.values.push(value);
        Ok(())
    }

    /// Leaves the next field missing.
    pub(crate) fn skip(&mut self) {
        self.values.push(Value::Null);
    }

    pub(crate) fn finish(self) -> Result<Value, Error> {
        Ok(Value::from(Struct::from_values(self.schema, self.values)?))
    }
}

/// Checks a value against a schema; a struct that shares the schema is not compared with it field by field.
fn check(schema: &Arc<Schema>, value: &Value) -> Result<(), Error> {
    match value {
        Value::Struct(row) if Arc::ptr_eq(row.schema(), schema) => row.validate(),
        value => schema.validate(value),
    }
}

/// Remembers what became of the schemas met last; a step rarely meets many.
#[derive(Debug)]
pub(crate) struct SchemaCache<T = Arc<Schema>> {
    entries: Vec<(Arc<Schema>, T)>,
}

/// How many schemas a step remembers.
const CACHED_MAX: usize = 16;

impl<T> Default for SchemaCache<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<T: Clone> SchemaCache<T> {
    /// Returns what was made of a schema, or makes it.
    pub(crate) fn get(
        &mut self,
        schema: &Arc<Schema>,
        make: impl FnOnce(&Arc<Schema>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let known = self
            .entries
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, schema))
            .or_else(|| self.entries.iter().find(|(known, _)| known == schema));
        if let Some((_, made)) = known {
            return Ok(made.clone());
        }
        let made = make(schema)?;
        if self.entries.len() >= CACHED_MAX {
            self.entries.remove(0);
        }
        self.entries.push((Arc::clone(schema), made.clone()));
        Ok(made)
    }
}
