//! Schemas: Connect's types, logical types and schema JSON.
//!
//! A schema is registered once with the host and then named by a handle; rows carry positions only.
//! [`Schema::to_json`] is *canonical*: the same schema gives the same text, whose hash is [`Schema::id`].

mod build;
mod json;
mod logical;
mod names;

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use sha2::{Digest as _, Sha256};

pub use build::SchemaBuilder;
pub use logical::Logical;
pub(crate) use logical::{DAY_MS, DECIMAL_BYTES_MAX, DECIMAL_SCALE_MAX};
pub(crate) use names::Rendered;

use crate::{
    error::{RowError, RowProblem, SchemaError},
    value::Value,
};

/// How deep schemas, and with them typed values, may nest.
pub const DEPTH_MAX: usize = 32;
/// How many fields a struct may have.
pub const FIELDS_MAX: usize = 10_000;
/// How long a schema's JSON may be.
pub const JSON_BYTES_MAX: usize = 4 << 20;

/// The schema of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// The type.
    pub kind: Kind,
    /// Whether the value may be null.
    pub optional: bool,
    /// The name; names of logical types give the value its meaning, see [`Schema::logical`].
    pub name: Option<String>,
    /// The version.
    pub version: Option<i32>,
    /// What it is, for people.
    pub doc: Option<String>,
    /// Free parameters, such as a decimal's `scale`.
    pub parameters: BTreeMap<String, String>,
    /// The value that a missing one stands for. A field with a default may be null.
    pub default: Option<Value>,
    /// Field names for JSON. To change a schema that was used already, clone it first.
    names: names::Names,
}

/// The type of a schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A signed 8-bit integer.
    Int8,
    /// A signed 16-bit integer.
    Int16,
    /// A signed 32-bit integer.
    Int32,
    /// A signed 64-bit integer.
    Int64,
    /// A 32-bit float, `float` in JSON.
    Float32,
    /// A 64-bit float, `double` in JSON.
    Float64,
    /// A boolean.
    Boolean,
    /// UTF-8 text.
    String,
    /// Bytes.
    Bytes,
    /// Items of one schema.
    Array(Arc<Schema>),
    /// Pairs of a key and a value.
    Map(Arc<Schema>, Arc<Schema>),
    /// Named fields.
    Struct(Vec<Field>),
}

/// A field of a struct schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name, unique in its struct.
    pub name: String,
    /// The schema.
    pub schema: Arc<Schema>,
}

impl Schema {
    /// Returns a required schema of a kind, without name or default.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            optional: false,
            name: None,
            version: None,
            doc: None,
            parameters: BTreeMap::new(),
            default: None,
            names: names::Names::new(),
        }
    }

    /// Returns an optional schema of a kind.
    #[must_use]
    pub const fn optional(kind: Kind) -> Self {
        let mut schema = Self::new(kind);
        schema.optional = true;
        schema
    }

    /// Returns whether a value may be null: it is optional or has a default, as Connect's `Struct.validate` says.
    #[must_use]
    pub const fn nullable(&self) -> bool {
        self.optional || self.default.is_some()
    }

    /// Returns the name of the type, as Connect writes it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Int8 => "int8",
            Kind::Int16 => "int16",
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Float32 => "float",
            Kind::Float64 => "double",
            Kind::Boolean => "boolean",
            Kind::String => "string",
            Kind::Bytes => "bytes",
            Kind::Array(_) => "array",
            Kind::Map(..) => "map",
            Kind::Struct(_) => "struct",
        }
    }

    /// Returns the fields, none where this is not a struct.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        match &self.kind {
            Kind::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// Returns the fields' names as JSON opens them.
    #[inline]
    pub(crate) fn names<'a>(&'a self, fields: &[Field]) -> std::borrow::Cow<'a, Rendered> {
        match self.names.of(fields) {
            Some(rendered) => std::borrow::Cow::Borrowed(rendered),
            None => std::borrow::Cow::Owned(Rendered::new(fields)),
        }
    }

    /// Returns a field's position.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.name == name)
    }

    /// Returns the first 8 bytes of the SHA-256 of the canonical JSON, as 16 hex digits.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = Sha256::digest(self.to_json().as_bytes());
        digest
            .iter()
            .take(8)
            .fold(String::with_capacity(16), |mut id, byte| {
                // Writing to a string cannot fail.
                let _ok = write!(id, "{byte:02x}");
                id
            })
    }

    /// Returns Connect's schema JSON in canonical form.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// Reads Connect's schema JSON, canonical or not.
    ///
    /// # Errors
    /// Refuses what is no schema, is nested deeper than [`DEPTH_MAX`] or contradicts a logical type.
    pub fn from_json(text: &str) -> Result<Self, SchemaError> {
        json::read(text)
    }

    /// Checks the type of a value, one level deep; rows are checked in full when they are encoded.
    pub(crate) fn accepts(&self, value: &Value) -> Result<(), RowError> {
        let fits = match (&self.kind, value) {
            (_, Value::Null) => {
                return if self.nullable() {
                    Ok(())
                } else {
                    Err(RowError::new(RowProblem::Missing))
                };
            }
            (Kind::Int8, Value::Int8(_))
            | (Kind::Int16, Value::Int16(_))
            | (Kind::Int32, Value::Int32(_))
            | (Kind::Int64, Value::Int64(_))
            | (Kind::Float32, Value::Float32(_))
            | (Kind::Float64, Value::Float64(_))
            | (Kind::Boolean, Value::Boolean(_))
            | (Kind::String, Value::String(_))
            | (Kind::Bytes, Value::Bytes(_))
            | (Kind::Array(_), Value::Array(_))
            | (Kind::Map(..), Value::Map(_)) => true,
            (Kind::Struct(fields), Value::Struct(row)) => {
                row.schema().fields() == fields.as_slice()
            }
            _ => false,
        };
        if fits {
            Ok(())
        } else {
            Err(RowError::new(RowProblem::Type {
                expected: self.type_name(),
                found: value.type_name(),
            }))
        }
    }
}

/// Finds registered schemas by their process-local handle.
pub trait SchemaLookup {
    /// Returns the schema of a handle.
    fn schema(&self, handle: u32) -> Option<Arc<Schema>>;
}

/// Knows no schema: for batches without typed values.
#[derive(Debug, Clone, Copy)]
pub struct NoSchemas;

impl SchemaLookup for NoSchemas {
    fn schema(&self, _handle: u32) -> Option<Arc<Schema>> {
        None
    }
}

#[cfg(test)]
mod tests;
