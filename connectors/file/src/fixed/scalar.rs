//! A sink's value as the number, text or moment that a legacy field can hold: rows come from tables too, whose types differ.

use linkspan_sdk::prelude::*;
use linkspan_sdk::{Logical, Schema};

use super::number;
use crate::moment;

/// A value that is not null.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Boolean(bool),
    /// An exact number: unscaled, and its scale.
    Number(i128, u32),
    Float(f64),
    /// Days since 1970-01-01.
    Date(i64),
    /// Milliseconds since midnight.
    Time(i64),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl<'a> Scalar<'a> {
    /// Reads a value by its schema; `Ok(None)` is null, `Err` what it is instead of a scalar.
    pub(crate) fn of(value: &ValueRef<'a>, schema: &Schema) -> Result<Option<Self>, &'static str> {
        let logical = schema.logical();
        Ok(Some(match (value, logical) {
            (ValueRef::Null, _) => return Ok(None),
            (ValueRef::String(text), _) => Self::Text(text),
            (ValueRef::Boolean(flag), _) => Self::Boolean(*flag),
            (ValueRef::Bytes(bytes), Some(Logical::Decimal { scale })) => {
                let unscaled = unscaled(bytes).ok_or("a decimal of more than 38 digits")?;
                let scale = u32::try_from(scale).map_err(|_| "a decimal with a negative scale")?;
                Self::Number(unscaled, scale)
            }
            (ValueRef::Bytes(bytes), _) => Self::Bytes(bytes),
            (ValueRef::Int32(days), Some(Logical::Date)) => Self::Date(i64::from(*days)),
            (ValueRef::Int32(millis), Some(Logical::Time)) => Self::Time(i64::from(*millis)),
            (ValueRef::Int64(ms), Some(Logical::Timestamp)) => Self::Timestamp(*ms),
            (ValueRef::Int64(us), Some(Logical::TimestampMicros)) => whole_ms(*us, 1000)?,
            (ValueRef::Int64(ns), Some(Logical::TimestampNanos)) => whole_ms(*ns, 1_000_000)?,
            (ValueRef::Int8(n), _) => Self::Number(i128::from(*n), 0),
            (ValueRef::Int16(n), _) => Self::Number(i128::from(*n), 0),
            (ValueRef::Int32(n), _) => Self::Number(i128::from(*n), 0),
            (ValueRef::Int64(n), _) => Self::Number(i128::from(*n), 0),
            (ValueRef::Float32(n), _) => Self::Float(f64::from(*n)),
            (ValueRef::Float64(n), _) => Self::Float(*n),
            (ValueRef::Array(_), _) => return Err("an array"),
            (ValueRef::Map(_), _) => return Err("a map"),
            (ValueRef::Struct(_), _) => return Err("a struct"),
        }))
    }

    /// The same of a tree's value.
    pub(crate) fn of_value(
        value: &'a Value,
        schema: &Schema,
    ) -> Result<Option<Self>, &'static str> {
        let reference = match value {
            Value::Null => ValueRef::Null,
            Value::Int8(n) => ValueRef::Int8(*n),
            Value::Int16(n) => ValueRef::Int16(*n),
            Value::Int32(n) => ValueRef::Int32(*n),
            Value::Int64(n) => ValueRef::Int64(*n),
            Value::Float32(n) => ValueRef::Float32(*n),
            Value::Float64(n) => ValueRef::Float64(*n),
            Value::Boolean(flag) => ValueRef::Boolean(*flag),
            Value::String(text) => ValueRef::String(text),
            Value::Bytes(bytes) => ValueRef::Bytes(bytes),
            Value::Array(_) => return Err("an array"),
            Value::Map(_) => return Err("a map"),
            Value::Struct(_) => return Err("a struct"),
        };
        Self::of(&reference, schema)
    }

    /// Returns the value as an exact number of this scale.
    pub(crate) fn number(&self, scale: u32) -> Option<i128> {
        match self {
            Self::Number(unscaled, from) => number::rescale(*unscaled, *from, scale),
            Self::Boolean(flag) => Some(i128::from(*flag)),
            Self::Text(text) => from_text(text.trim(), scale),
            // The shortest text that reads back as the same float.
            Self::Float(float) if float.is_finite() => from_text(&float.to_string(), scale),
            Self::Float(_)
            | Self::Bytes(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Timestamp(_) => None,
        }
    }

    /// Returns the value as text.
    pub(crate) fn text(&self) -> Option<std::borrow::Cow<'a, str>> {
        Some(match self {
            Self::Text(text) => (*text).into(),
            Self::Number(unscaled, scale) => number::text(*unscaled, *scale).into(),
            Self::Float(float) => float.to_string().into(),
            Self::Boolean(flag) => flag.to_string().into(),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.into(),
            Self::Date(_) | Self::Time(_) | Self::Timestamp(_) => return None,
        })
    }

    /// Returns the day; a timestamp has one only at midnight UTC.
    pub(crate) fn days(&self) -> Option<i64> {
        const DAY_MS: i64 = 86_400_000;
        match self {
            Self::Date(days) => Some(*days),
            Self::Timestamp(ms) if ms.rem_euclid(DAY_MS) == 0 => Some(ms.div_euclid(DAY_MS)),
            Self::Text(text) => moment::date(text).map(i64::from),
            _ => None,
        }
    }
}

fn whole_ms<'a>(value: i64, per_ms: i64) -> Result<Scalar<'a>, &'static str> {
    if value % per_ms == 0 {
        Ok(Scalar::Timestamp(value / per_ms))
    } else {
        Err("a timestamp finer than a millisecond")
    }
}

fn from_text(text: &str, scale: u32) -> Option<i128> {
    let scale = u8::try_from(scale).ok()?;
    number::parse(text.as_bytes(), number::Sign::Leading, scale, true)
}

/// Reads big-endian two's complement.
pub(crate) fn unscaled(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let fill = if first & 0x80 == 0 { 0 } else { 0xff };
    let significant = bytes.iter().skip_while(|byte| **byte == fill).count();
    if significant > 16 {
        return None;
    }
    let mut value = [fill; 16];
    let tail = bytes.get(bytes.len() - significant..)?;
    value.get_mut(16 - significant..)?.copy_from_slice(tail);
    let number = i128::from_be_bytes(value);
    ((number < 0) == (fill == 0xff)).then_some(number)
}
