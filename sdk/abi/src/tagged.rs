//! Self-describing values: what a schemaless record holds besides bytes, text and JSON.
//!
//! ```text
//! value  u8 tag | payload
//! tags   0 null · 1 false · 2 true · 3 int8 · 4 int16 · 5 int32 · 6 int64 · 7 float · 8 double
//!        9 string { u32 len | utf8 } · 10 bytes { u32 len | bytes } · 11 array { u32 count | value* } · 12 map { u32 count | { value value }* }
//!        13 decimal { i32 scale | u32 len | unscaled, big-endian two's complement } · 14 date i32 days · 15 time i32 ms
//!        16 timestamp i64 ms · 17 timestamp i64 µs · 18 timestamp i64 ns
//! ```

use crate::{
    batch::NESTING_MAX,
    cursor::Cursor,
    error::{RowError, RowProblem},
    row::len_u32,
    value::Value,
};

/// A self-describing value.
#[derive(Debug, Clone, PartialEq)]
pub enum Tagged {
    /// No value.
    Null,
    /// A boolean.
    Boolean(bool),
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
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    Array(Vec<Tagged>),
    /// Pairs in order.
    Map(Vec<(Tagged, Tagged)>),
    /// `unscaled` times 10 to the power of minus `scale`.
    Decimal {
        /// Big-endian two's complement.
        unscaled: Vec<u8>,
        /// Digits after the point.
        scale: i32,
    },
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since midnight.
    Time(i32),
    /// Milliseconds since 1970.
    Timestamp(i64),
    /// Microseconds since 1970.
    TimestampMicros(i64),
    /// Nanoseconds since 1970.
    TimestampNanos(i64),
}

/// Appends the bytes of a value.
///
/// # Errors
/// A value is nested at most [`NESTING_MAX`] deep, and no part is longer than 4 GiB.
pub fn encode(value: &Tagged, out: &mut Vec<u8>) -> Result<(), RowError> {
    encode_at(value, out, 0)
}

fn encode_at(value: &Tagged, out: &mut Vec<u8>, depth: usize) -> Result<(), RowError> {
    if depth >= NESTING_MAX {
        return Err(RowError::new(RowProblem::Depth));
    }
    let mut fixed = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend_from_slice(bytes);
    };
    match value {
        Tagged::Null => fixed(0, &[]),
        Tagged::Boolean(v) => fixed(if *v { 2 } else { 1 }, &[]),
        Tagged::Int8(v) => fixed(3, &v.to_le_bytes()),
        Tagged::Int16(v) => fixed(4, &v.to_le_bytes()),
        Tagged::Int32(v) => fixed(5, &v.to_le_bytes()),
        Tagged::Int64(v) => fixed(6, &v.to_le_bytes()),
        Tagged::Float32(v) => fixed(7, &v.to_le_bytes()),
        Tagged::Float64(v) => fixed(8, &v.to_le_bytes()),
        Tagged::Date(v) => fixed(14, &v.to_le_bytes()),
        Tagged::Time(v) => fixed(15, &v.to_le_bytes()),
        Tagged::Timestamp(v) => fixed(16, &v.to_le_bytes()),
        Tagged::TimestampMicros(v) => fixed(17, &v.to_le_bytes()),
        Tagged::TimestampNanos(v) => fixed(18, &v.to_le_bytes()),
        Tagged::String(v) => {
            fixed(9, &len_u32(v.len())?);
            out.extend_from_slice(v.as_bytes());
        }
        Tagged::Bytes(v) => {
            fixed(10, &len_u32(v.len())?);
            out.extend_from_slice(v);
        }
        Tagged::Array(items) => {
            fixed(11, &len_u32(items.len())?);
            for item in items {
                encode_at(item, out, depth + 1)?;
            }
        }
        Tagged::Map(pairs) => {
            fixed(12, &len_u32(pairs.len())?);
            for (key, value) in pairs {
                encode_at(key, out, depth + 1)?;
                encode_at(value, out, depth + 1)?;
            }
        }
        Tagged::Decimal { unscaled, scale } => {
            fixed(13, &scale.to_le_bytes());
            out.extend_from_slice(&len_u32(unscaled.len())?);
            out.extend_from_slice(unscaled);
        }
    }
    Ok(())
}

#[cold]
fn truncated() -> RowError {
    RowError::new(RowProblem::Truncated)
}

/// Checks the bytes of a value in full.
///
/// # Errors
/// Never panics and never allocates for valid bytes.
pub fn validate(bytes: &[u8]) -> Result<(), RowError> {
    let mut cursor = Cursor::new(bytes);
    check(&mut cursor, 0)?;
    end(&cursor)
}

fn end(cursor: &Cursor<'_>) -> Result<(), RowError> {
    match cursor.rest().len() {
        0 => Ok(()),
        left => Err(RowError::new(RowProblem::Trailing(left))),
    }
}

fn check(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), RowError> {
    if depth >= NESTING_MAX {
        return Err(RowError::new(RowProblem::Depth));
    }
    let read = match cursor.u8().ok_or_else(truncated)? {
        0..=2 => Some(()),
        3 => cursor.u8().map(drop),
        4 => cursor.u16().map(drop),
        5 | 7 | 14 => cursor.u32().map(drop),
        6 | 8 | 16..=18 => cursor.i64().map(drop),
        9 => {
            let text = cursor.sized().ok_or_else(truncated)?;
            std::str::from_utf8(text).map_err(|_| RowError::new(RowProblem::Utf8))?;
            Some(())
        }
        10 => cursor.sized().map(drop),
        11 => return check_items(cursor, 1, depth),
        12 => return check_items(cursor, 2, depth),
        13 => {
            let scale = cursor.i32().ok_or_else(truncated)?;
            let unscaled = cursor.sized().ok_or_else(truncated)?;
            let max = crate::schema::DECIMAL_SCALE_MAX;
            if unscaled.is_empty()
                || unscaled.len() > crate::schema::DECIMAL_BYTES_MAX
                || !(-max..=max).contains(&scale)
            {
                return Err(RowError::new(RowProblem::Range("decimal")));
            }
            Some(())
        }
        15 => {
            let time = cursor.i32().ok_or_else(truncated)?;
            if !(0..crate::schema::DAY_MS).contains(&time) {
                return Err(RowError::new(RowProblem::Range("time")));
            }
            Some(())
        }
        other => return Err(RowError::new(RowProblem::Flag(other))),
    };
    read.ok_or_else(truncated)
}

fn check_items(cursor: &mut Cursor<'_>, each: u32, depth: usize) -> Result<(), RowError> {
    let count = cursor.u32().ok_or_else(truncated)?;
    for index in 0..count {
        for _ in 0..each {
            check(cursor, depth + 1)
                .map_err(|error| error.in_item(usize::try_from(index).unwrap_or(usize::MAX)))?;
        }
    }
    Ok(())
}

/// Reads a value.
///
/// # Errors
/// The bytes must be one valid value.
pub fn decode(bytes: &[u8]) -> Result<Tagged, RowError> {
    validate(bytes)?;
    let mut cursor = Cursor::new(bytes);
    read(&mut cursor).ok_or_else(truncated)
}

/// Reads a value that was checked.
fn read(cursor: &mut Cursor<'_>) -> Option<Tagged> {
    Some(match cursor.u8()? {
        0 => Tagged::Null,
        1 => Tagged::Boolean(false),
        2 => Tagged::Boolean(true),
        3 => Tagged::Int8(cursor.i8()?),
        4 => Tagged::Int16(cursor.i16()?),
        5 => Tagged::Int32(cursor.i32()?),
        6 => Tagged::Int64(cursor.i64()?),
        7 => Tagged::Float32(cursor.f32()?),
        8 => Tagged::Float64(cursor.f64()?),
        9 => Tagged::String(std::str::from_utf8(cursor.sized()?).ok()?.to_owned()),
        10 => Tagged::Bytes(cursor.sized()?.to_vec()),
        11 => {
            let count = cursor.u32()?;
            Tagged::Array((0..count).map(|_| read(cursor)).collect::<Option<_>>()?)
        }
        12 => {
            let count = cursor.u32()?;
            Tagged::Map(
                (0..count)
                    .map(|_| Some((read(cursor)?, read(cursor)?)))
                    .collect::<Option<_>>()?,
            )
        }
        13 => {
            let scale = cursor.i32()?;
            Tagged::Decimal {
                unscaled: cursor.sized()?.to_vec(),
                scale,
            }
        }
        14 => Tagged::Date(cursor.i32()?),
        15 => Tagged::Time(cursor.i32()?),
        16 => Tagged::Timestamp(cursor.i64()?),
        17 => Tagged::TimestampMicros(cursor.i64()?),
        18 => Tagged::TimestampNanos(cursor.i64()?),
        _ => return None,
    })
}

/// Appends a value as JSON, in the forms of [`crate::json`]: scalars keep their text, maps with string keys are objects.
///
/// # Errors
/// The bytes must be one valid value; on an error what was appended is garbage.
pub fn to_json(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RowError> {
    let value = decode(bytes)?;
    crate::json::tagged_to_json(&value, out);
    Ok(())
}

impl From<&Value> for Tagged {
    /// Drops the schema of structs: they become maps with string keys.
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int8(v) => Self::Int8(*v),
            Value::Int16(v) => Self::Int16(*v),
            Value::Int32(v) => Self::Int32(*v),
            Value::Int64(v) => Self::Int64(*v),
            Value::Float32(v) => Self::Float32(*v),
            Value::Float64(v) => Self::Float64(*v),
            Value::Boolean(v) => Self::Boolean(*v),
            Value::String(v) => Self::String(v.clone()),
            Value::Bytes(v) => Self::Bytes(v.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Map(pairs) => Self::Map(
                pairs
                    .iter()
                    .map(|(key, value)| (Self::from(key), Self::from(value)))
                    .collect(),
            ),
            Value::Struct(row) => Self::Map(
                row.iter()
                    .map(|(name, value)| (Self::String(name.to_owned()), Self::from(value)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
