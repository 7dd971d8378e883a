//! Converters of bytes, numbers and booleans: Kafka's serializers, big-endian.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, Schema, SchemaAndValue, Type, Value};

/// Which type is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrimitiveConverter {
    /// Bytes as they are.
    Bytes,
    /// One byte.
    Boolean,
    /// Two bytes.
    Int16,
    /// Four bytes.
    Int32,
    /// Eight bytes.
    Int64,
    /// Four bytes.
    Float32,
    /// Eight bytes.
    Float64,
}

impl PrimitiveConverter {
    /// Returns the stored bytes, null for null.
    ///
    /// # Errors
    /// The value must be of the type; for bytes and booleans the schema too.
    pub fn from_connect(
        self,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, Error> {
        let strict = match self {
            Self::Bytes => Some(Type::Bytes),
            Self::Boolean => Some(Type::Boolean),
            // The number converters of Connect look at the value alone.
            _ => None,
        };
        if let (Some(expected), Some(schema)) = (strict, schema)
            && schema.schema_type() != expected
        {
            return Err(mismatch(self, schema.schema_type().name()));
        }
        let bytes = match (self, value) {
            (_, Value::Null) => return Ok(None),
            (Self::Bytes, Value::Bytes(bytes)) => bytes.clone(),
            (Self::Boolean, Value::Boolean(v)) => Bytes::copy_from_slice(&[u8::from(*v)]),
            (Self::Int16, Value::Int16(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Self::Int32, Value::Int32(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Self::Int64, Value::Int64(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Self::Float32, Value::Float32(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            (Self::Float64, Value::Float64(v)) => Bytes::copy_from_slice(&v.to_be_bytes()),
            _ => return Err(mismatch(self, value.type_name())),
        };
        Ok(Some(bytes))
    }

    /// Returns the value with an optional schema; null for null.
    ///
    /// # Errors
    /// The number of bytes must be the type's; a boolean is 0 or 1.
    pub fn to_connect(self, bytes: Option<&[u8]>) -> Result<SchemaAndValue, Error> {
        let value = match bytes {
            None => Value::Null,
            Some(bytes) => self.read(bytes).ok_or_else(|| {
                Error::data(format!(
                    "{} bytes are no value of the converter `{}`",
                    bytes.len(),
                    self.name()
                ))
            })?,
        };
        Ok(SchemaAndValue::new(
            Schema::shared(self.schema_type(), true),
            value,
        ))
    }

    fn read(self, bytes: &[u8]) -> Option<Value> {
        Some(match self {
            Self::Bytes => Value::bytes(bytes.to_vec()),
            Self::Boolean => match bytes {
                [0] => Value::Boolean(false),
                [1] => Value::Boolean(true),
                _ => return None,
            },
            Self::Int16 => Value::Int16(i16::from_be_bytes(bytes.try_into().ok()?)),
            Self::Int32 => Value::Int32(i32::from_be_bytes(bytes.try_into().ok()?)),
            Self::Int64 => Value::Int64(i64::from_be_bytes(bytes.try_into().ok()?)),
            Self::Float32 => Value::Float32(f32::from_be_bytes(bytes.try_into().ok()?)),
            Self::Float64 => Value::Float64(f64::from_be_bytes(bytes.try_into().ok()?)),
        })
    }

    const fn schema_type(self) -> Type {
        match self {
            Self::Bytes => Type::Bytes,
            Self::Boolean => Type::Boolean,
            Self::Int16 => Type::Int16,
            Self::Int32 => Type::Int32,
            Self::Int64 => Type::Int64,
            Self::Float32 => Type::Float32,
            Self::Float64 => Type::Float64,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Boolean => "boolean",
            Self::Int16 => "short",
            Self::Int32 => "integer",
            Self::Int64 => "long",
            Self::Float32 => "float",
            Self::Float64 => "double",
        }
    }
}

#[cold]
fn mismatch(converter: PrimitiveConverter, found: &str) -> Error {
    Error::data(format!(
        "the converter `{}` cannot store {found}",
        converter.name()
    ))
}
