//! A value of any of Connect's types, with or without a schema.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;

use crate::{Decimal, Map, Struct};

/// A value. Clones are cheap: whatever is large is shared, and copied when one owner changes it ([`Arc::make_mut`]).
///
/// Equality is Java's `equals`: NaN equals NaN, 0.0 is not −0.0, `1.0` is not `1.00`, a map has no order.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// A signed 8-bit integer.
    Int8(i8),
    /// A signed 16-bit integer.
    Int16(i16),
    /// A signed 32-bit integer.
    Int32(i32),
    /// A signed 64-bit integer.
    Int64(i64),
    /// A 32-bit float.
    Float32(f32),
    /// A 64-bit float.
    Float64(f64),
    /// A boolean.
    Boolean(bool),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Bytes),
    /// A decimal number, Java's `BigDecimal`: the value of the logical type Decimal.
    Decimal(Arc<Decimal>),
    /// Milliseconds since 1970-01-01T00:00:00Z, Java's `java.util.Date`: the value of Date (midnight of the day),
    /// of Time (that time on 1970-01-01) and of Timestamp. Which one it is, only the schema says.
    Instant(i64),
    /// Items in order.
    Array(Arc<Vec<Value>>),
    /// Keys with their values; the order is kept but takes no part in equality.
    Map(Arc<Map>),
    /// The fields of a struct schema.
    Struct(Arc<Struct>),
}

impl Value {
    /// Returns text as a value.
    #[must_use]
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// Returns bytes as a value.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// Returns items as a value.
    #[must_use]
    pub fn array(items: Vec<Self>) -> Self {
        Self::Array(Arc::new(items))
    }

    /// Returns whether this is [`Value::Null`].
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the text, `None` where this is not a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the name of the value's type, for messages.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int8(_) => "int8",
            Self::Int16(_) => "int16",
            Self::Int32(_) => "int32",
            Self::Int64(_) => "int64",
            Self::Float32(_) => "float32",
            Self::Float64(_) => "float64",
            Self::Boolean(_) => "boolean",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Decimal(_) => "decimal",
            Self::Instant(_) => "date or timestamp",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Struct(_) => "struct",
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Int8(a), Self::Int8(b)) => a == b,
            (Self::Int16(a), Self::Int16(b)) => a == b,
            (Self::Int32(a), Self::Int32(b)) => a == b,
            (Self::Int64(a), Self::Int64(b)) | (Self::Instant(a), Self::Instant(b)) => a == b,
            (Self::Float32(a), Self::Float32(b)) => float32_bits(*a) == float32_bits(*b),
            (Self::Float64(a), Self::Float64(b)) => float64_bits(*a) == float64_bits(*b),
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Struct(a), Self::Struct(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Int8(v) => v.hash(state),
            Self::Int16(v) => v.hash(state),
            Self::Int32(v) => v.hash(state),
            Self::Int64(v) | Self::Instant(v) => v.hash(state),
            Self::Float32(v) => float32_bits(*v).hash(state),
            Self::Float64(v) => float64_bits(*v).hash(state),
            Self::Boolean(v) => v.hash(state),
            Self::String(v) => v.hash(state),
            Self::Bytes(v) => v.hash(state),
            Self::Decimal(v) => v.hash(state),
            Self::Array(v) => v.hash(state),
            // Equal maps have as many entries; their order must not count.
            Self::Map(v) => v.len().hash(state),
            Self::Struct(v) => v.values().hash(state),
        }
    }
}

/// Every NaN is one NaN, as `Float.floatToIntBits`.
fn float32_bits(value: f32) -> u32 {
    if value.is_nan() { f32::NAN } else { value }.to_bits()
}

fn float64_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN } else { value }.to_bits()
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
    i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, f32 => Float32, f64 => Float64, bool => Boolean,
    &str => String, String => String, Arc<str> => String, Bytes => Bytes, Vec<u8> => Bytes,
    Decimal => Decimal, Vec<Value> => Array, Map => Map, Struct => Struct,
}
