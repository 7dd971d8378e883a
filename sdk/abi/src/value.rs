//! Values as a tree, with Connect's types.
//!
//! The hot path has rows ([`crate::row`]); a tree is for defaults, transforms and authors who prefer it.

use std::sync::Arc;

use crate::{
    error::{RowError, RowProblem},
    schema::{Kind, Schema},
};

/// A value of one of Connect's types. Logical types are values of their physical type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A signed 8-bit integer.
    Int8(i8),
    /// A signed 16-bit integer.
    Int16(i16),
    /// A signed 32-bit integer; also a date (days) and a time (milliseconds).
    Int32(i32),
    /// A signed 64-bit integer; also a timestamp.
    Int64(i64),
    /// A 32-bit float.
    Float32(f32),
    /// A 64-bit float.
    Float64(f64),
    /// A boolean.
    Boolean(bool),
    /// UTF-8 text.
    String(String),
    /// Bytes; also a decimal (unscaled, big-endian two's complement).
    Bytes(Vec<u8>),
    /// Items of one schema.
    Array(Vec<Value>),
    /// Pairs in their order.
    Map(Vec<(Value, Value)>),
    /// Named fields of a struct schema.
    Struct(Struct),
}

impl Value {
    /// Returns the name of the value's type, as Connect writes it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int8(_) => "int8",
            Self::Int16(_) => "int16",
            Self::Int32(_) => "int32",
            Self::Int64(_) => "int64",
            Self::Float32(_) => "float",
            Self::Float64(_) => "double",
            Self::Boolean(_) => "boolean",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Struct(_) => "struct",
        }
    }

    /// Returns whether this is [`Value::Null`].
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns a decimal's physical value from its unscaled number; the scale belongs to the schema.
    #[must_use]
    pub fn decimal(unscaled: i128) -> Self {
        Self::Bytes(decimal_bytes(unscaled))
    }

    /// Returns a date's physical value: days since 1970-01-01.
    #[must_use]
    pub const fn date(days: i32) -> Self {
        Self::Int32(days)
    }

    /// Returns a time's physical value: milliseconds since midnight.
    #[must_use]
    pub const fn time(milliseconds: i32) -> Self {
        Self::Int32(milliseconds)
    }

    /// Returns a timestamp's physical value: milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn timestamp(milliseconds: i64) -> Self {
        Self::Int64(milliseconds)
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from! {
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, f32 => Float32, f64 => Float64,
    bool => Boolean, &str => String, String => String, Vec<u8> => Bytes, &[u8] => Bytes,
    Struct => Struct,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Returns the shortest big-endian two's complement form, as Java's `BigInteger.toByteArray`.
#[must_use]
pub fn decimal_bytes(unscaled: i128) -> Vec<u8> {
    minimal(&unscaled.to_be_bytes()).to_vec()
}

/// Returns the number behind decimal bytes, `None` where it needs more than 128 bits or the bytes are empty.
#[must_use]
pub fn decimal_unscaled(bytes: &[u8]) -> Option<i128> {
    let bytes = minimal(bytes);
    let first = *bytes.first()?;
    if bytes.len() > 16 {
        return None;
    }
    let mut number: i128 = if first & 0x80 == 0 { 0 } else { -1 };
    for byte in bytes {
        number = (number << 8) | i128::from(*byte);
    }
    Some(number)
}

/// Cuts leading bytes that only repeat the sign.
pub(crate) fn minimal(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes {
        let Some(second) = rest.first() else { break };
        let redundant =
            (*first == 0 && second & 0x80 == 0) || (*first == 0xff && second & 0x80 != 0);
        if !redundant {
            break;
        }
        bytes = rest;
    }
    bytes
}

/// A struct: the values of a struct schema, by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    schema: Arc<Schema>,
    values: Vec<Value>,
}

impl Struct {
    /// Returns a struct with all fields null.
    ///
    /// # Errors
    /// The schema must be a struct's.
    pub fn new(schema: Arc<Schema>) -> Result<Self, RowError> {
        let Kind::Struct(fields) = &schema.kind else {
            return Err(RowError::new(RowProblem::Type {
                expected: "struct",
                found: schema.type_name(),
            }));
        };
        let values = vec![Value::Null; fields.len()];
        Ok(Self { schema, values })
    }

    /// Returns a struct from its values in schema order; they are checked when the struct is encoded.
    ///
    /// # Errors
    /// The schema must be a struct's with as many fields.
    pub fn from_values(schema: Arc<Schema>, values: Vec<Value>) -> Result<Self, RowError> {
        let empty = Self::new(schema)?;
        if empty.values.len() != values.len() {
            return Err(RowError::new(RowProblem::NoField));
        }
        Ok(Self {
            schema: empty.schema,
            values,
        })
    }

    /// Returns the schema.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Returns the values in schema order.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// Returns a field's value, `None` where the schema has no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(self.schema.position(name)?)
    }

    /// Returns each field's name with its value, in schema order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.schema
            .fields()
            .iter()
            .map(|field| field.name.as_str())
            .zip(&self.values)
    }

    /// Sets a field's value.
    ///
    /// # Errors
    /// The schema must have the field, and the value must be of its type; `Null` only where the field may be null.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) -> Result<&mut Self, RowError> {
        self.set(name, value.into())?;
        Ok(self)
    }

    fn set(&mut self, name: &str, value: Value) -> Result<(), RowError> {
        let position = self
            .schema
            .position(name)
            .ok_or_else(|| RowError::new(RowProblem::NoField).in_field(name))?;
        let (Some(field), Some(slot)) = (
            self.schema.fields().get(position),
            self.values.get_mut(position),
        ) else {
            return Err(RowError::new(RowProblem::NoField).in_field(name));
        };
        field
            .schema
            .accepts(&value)
            .map_err(|error| error.in_field(name))?;
        *slot = value;
        Ok(())
    }
}
