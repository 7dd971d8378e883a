//! A value on its way into a column: what it is, before anybody asks which database.

use std::borrow::Cow;

use linkspan_sdk::{Schema, ValueRef, ValueRefExt as _};

use super::json::Json;
use super::meaning::{Meaning, Unit};
use super::tree;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float32(f32),
    Float64(f64),
    /// Digits of JSON as they were written.
    Number(&'a str),
    /// Big-endian two's complement, and digits after the point.
    Decimal {
        unscaled: Cow<'a, [u8]>,
        scale: i32,
    },
    Text(Cow<'a, str>),
    /// A text of schemaless JSON, which may stand for bytes, a date or an array.
    Loose(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// Days since 1970.
    Date(i32),
    /// Nanoseconds since midnight; may be negative or more than a day.
    Time(i64),
    /// An instant.
    Instant(Moment),
    /// A date and a time on some wall, as if it hung in Greenwich.
    Local(Moment),
    /// Microseconds.
    Duration(i64),
    /// Bits, the lowest byte first.
    Bits(&'a [u8]),
    /// JSON of an object, an array or anything.
    Json(Cow<'a, str>),
    Array(Vec<Cell<'a>>),
}

/// Seconds since 1970 and nanoseconds behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

/// Why a value is no value of its schema or column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(pub(crate) Cow<'static, str>);

impl Unfit {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }
}

impl Moment {
    pub(crate) fn from_units(value: i64, unit: Unit) -> Self {
        let (per_second, nanos_each) = match unit {
            Unit::Millis => (1_000, 1_000_000),
            Unit::Micros => (1_000_000, 1_000),
            Unit::Nanos => (1_000_000_000, 1),
        };
        Self {
            seconds: value.div_euclid(per_second),
            // Below a thousand millions, so it fits.
            nanos: u32::try_from(value.rem_euclid(per_second) * nanos_each).unwrap_or(0),
        }
    }
}

impl<'a> Cell<'a> {
    /// Reads a typed value by the meaning of its schema.
    pub(crate) fn typed(
        meaning: &Meaning,
        schema: &Schema,
        value: ValueRef<'a>,
    ) -> Result<Self, Unfit> {
        Ok(match (meaning, value) {
            (_, ValueRef::Null) => Self::Null,
            (Meaning::Date, ValueRef::Int32(days)) => Self::Date(days),
            (Meaning::Time(Unit::Millis), ValueRef::Int32(millis)) => {
                Self::Time(i64::from(millis) * 1_000_000)
            }
            (Meaning::Time(Unit::Micros), ValueRef::Int64(micros)) => {
                Self::Time(micros.saturating_mul(1_000))
            }
            (Meaning::Time(_), ValueRef::Int64(nanos)) => Self::Time(nanos),
            (Meaning::Timestamp(unit), ValueRef::Int64(value)) => {
                Self::Instant(Moment::from_units(value, *unit))
            }
            (Meaning::LocalTimestamp(unit), ValueRef::Int64(value)) => {
                Self::Local(Moment::from_units(value, *unit))
            }
            (Meaning::Duration, ValueRef::Int64(micros)) => Self::Duration(micros),
            (Meaning::Decimal { scale, .. }, ValueRef::Bytes(unscaled)) => Self::Decimal {
                unscaled: Cow::Borrowed(unscaled),
                scale: *scale,
            },
            (Meaning::VariableDecimal, ValueRef::Struct(row)) => {
                let (scale, value) = (row.get("scale"), row.get("value"));
                match (scale, value) {
                    (Ok(ValueRef::Int32(scale)), Ok(ValueRef::Bytes(unscaled))) => Self::Decimal {
                        unscaled: Cow::Borrowed(unscaled),
                        scale,
                    },
                    _ => {
                        return Err(Unfit::new(
                            "is no VariableScaleDecimal of `scale` and `value`",
                        ));
                    }
                }
            }
            (Meaning::Bits, ValueRef::Bytes(bits)) => Self::Bits(bits),
            (Meaning::Json, ValueRef::String(text)) => Self::Json(Cow::Borrowed(text)),
            (Meaning::Array(item), ValueRef::Array(items)) if item.is_scalar() => {
                let schema = items.item_schema();
                let mut cells = Vec::with_capacity(items.len());
                for value in items.iter() {
                    let value = value.map_err(|error| Unfit(error.to_string().into()))?;
                    cells.push(Self::typed(item, schema, value)?);
                }
                Self::Array(cells)
            }
            (_, ValueRef::Array(_) | ValueRef::Map(_) | ValueRef::Struct(_)) => {
                let mut json = String::new();
                tree::write(schema, &value, &mut json)?;
                Self::Json(Cow::Owned(json))
            }
            (_, ValueRef::Boolean(flag)) => Self::Bool(flag),
            (_, ValueRef::Float32(number)) => Self::Float32(number),
            (_, ValueRef::Float64(number)) => Self::Float64(number),
            (_, ValueRef::String(text)) => Self::Text(Cow::Borrowed(text)),
            (_, ValueRef::Bytes(bytes)) => Self::Bytes(Cow::Borrowed(bytes)),
            (_, value) => match value.as_i64() {
                Some(number) => Self::Int(number),
                None => return Err(Unfit::new("is of a type that linkspan does not know")),
            },
        })
    }

    /// Reads a value of JSON.
    pub(crate) fn json(value: Json<'a>) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(flag),
            Json::Number(digits) => Self::Number(digits),
            Json::Text(text) => Self::Loose(text),
            Json::Object(text) | Json::Array(text) => Self::Json(Cow::Borrowed(text)),
        }
    }

    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}
