//! Row → JSON, without a tree in between.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    decimal, keys_are_names,
    text::{find_special, is_plain_ascii},
    time,
};
use crate::{
    cursor::Cursor,
    error::{RowError, RowProblem},
    row::{ValueRef, bitmap_len, is_null_at, read_scalar},
    schema::{Field, Kind, Logical, Schema},
};

/// Appends the JSON of a typed value. A value that is null at its top is `null`.
///
/// # Errors
/// The bytes must be a valid row of the schema; on an error what was appended is garbage.
pub fn row_to_json(schema: &Schema, row: &[u8], out: &mut Vec<u8>) -> Result<(), RowError> {
    let mut cursor = Cursor::new(row);
    value(schema, &mut cursor, out)?;
    match cursor.rest().len() {
        0 => Ok(()),
        left => Err(RowError::new(RowProblem::Trailing(left))),
    }
}

#[cold]
fn truncated() -> RowError {
    RowError::new(RowProblem::Truncated)
}

fn value(schema: &Schema, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), RowError> {
    if !schema.nullable() {
        return body(schema, cursor, out);
    }
    match cursor.u8() {
        Some(0) => {
            out.extend_from_slice(b"null");
            Ok(())
        }
        Some(1) => body(schema, cursor, out),
        Some(other) => Err(RowError::new(RowProblem::Flag(other))),
        None => Err(truncated()),
    }
}

#[inline]
fn body(schema: &Schema, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), RowError> {
    match &schema.kind {
        Kind::Struct(fields) => structure(schema, fields, cursor, out),
        Kind::Array(items) => array(items, cursor, out),
        Kind::Map(keys, values) if keys_are_names(keys) => object(keys, values, cursor, out),
        Kind::Map(keys, values) => pairs(keys, values, cursor, out),
        Kind::String => text(cursor.sized().ok_or_else(truncated)?, out),
        _ if schema.name.is_some() => logical(schema, cursor, out),
        _ => plain(schema, cursor, out),
    }
}

/// Appends a value of a primitive type, straight from its bytes.
#[inline]
fn plain(schema: &Schema, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), RowError> {
    let number = match &schema.kind {
        Kind::Int8 => cursor.i8().map(i64::from),
        Kind::Int16 => cursor.i16().map(i64::from),
        Kind::Int32 => cursor.i32().map(i64::from),
        Kind::Int64 => cursor.i64(),
        Kind::Float64 => {
            float64(cursor.f64().ok_or_else(truncated)?, out);
            return Ok(());
        }
        _ => {
            scalar(read_scalar(schema, cursor)?, out);
            return Ok(());
        }
    };
    integer(number.ok_or_else(truncated)?, out);
    Ok(())
}

fn structure(
    schema: &Schema,
    fields: &[Field],
    cursor: &mut Cursor<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    let bitmap = cursor
        .take(bitmap_len(fields.len()))
        .ok_or_else(truncated)?;
    if fields.is_empty() {
        out.extend_from_slice(b"{}");
        return Ok(());
    }
    let names = schema.names(fields);
    for (position, (field, name)) in fields.iter().zip(names.iter()).enumerate() {
        out.extend_from_slice(name);
        if is_null_at(bitmap, position) {
            out.extend_from_slice(b"null");
        } else {
            body(&field.schema, cursor, out).map_err(|error| error.in_field(&field.name))?;
        }
    }
    out.push(b'}');
    Ok(())
}

fn array(items: &Schema, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), RowError> {
    out.push(b'[');
    for index in 0..count(cursor)? {
        if index > 0 {
            out.push(b',');
        }
        value(items, cursor, out).map_err(|error| error.in_item(index))?;
    }
    out.push(b']');
    Ok(())
}

fn object(
    keys: &Schema,
    values: &Schema,
    cursor: &mut Cursor<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    out.push(b'{');
    for index in 0..count(cursor)? {
        if index > 0 {
            out.push(b',');
        }
        value(keys, cursor, out).map_err(|error| error.in_item(index))?;
        out.push(b':');
        value(values, cursor, out).map_err(|error| error.in_item(index))?;
    }
    out.push(b'}');
    Ok(())
}

fn pairs(
    keys: &Schema,
    values: &Schema,
    cursor: &mut Cursor<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    out.push(b'[');
    for index in 0..count(cursor)? {
        out.extend_from_slice(if index > 0 { b",[" } else { b"[" });
        value(keys, cursor, out).map_err(|error| error.in_item(index))?;
        out.push(b',');
        value(values, cursor, out).map_err(|error| error.in_item(index))?;
        out.push(b']');
    }
    out.push(b']');
    Ok(())
}

fn count(cursor: &mut Cursor<'_>) -> Result<usize, RowError> {
    let count = cursor.u32().and_then(|count| usize::try_from(count).ok());
    count
        .filter(|count| *count <= cursor.rest().len())
        .ok_or_else(truncated)
}

fn logical(schema: &Schema, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), RowError> {
    let value = read_scalar(schema, cursor)?;
    let quoted = |out: &mut Vec<u8>, write: &dyn Fn(&mut Vec<u8>)| {
        out.push(b'"');
        write(out);
        out.push(b'"');
    };
    match (schema.logical(), value) {
        (Some(Logical::Decimal { scale }), ValueRef::Bytes(bytes)) => {
            if bytes.is_empty() || bytes.len() > crate::schema::DECIMAL_BYTES_MAX {
                return Err(RowError::new(RowProblem::Range("decimal")));
            }
            quoted(out, &|out| decimal::format(bytes, scale, out));
        }
        (Some(Logical::Date), ValueRef::Int32(days)) => {
            quoted(out, &|out| time::format_date(i64::from(days), out));
        }
        (Some(Logical::Time), ValueRef::Int32(ms)) => {
            if !(0..crate::schema::DAY_MS).contains(&ms) {
                return Err(RowError::new(RowProblem::Range("time")));
            }
            quoted(out, &|out| time::format_time(i64::from(ms), 3, out));
        }
        (Some(Logical::Timestamp), ValueRef::Int64(units)) => {
            quoted(out, &|out| time::format_timestamp(units, 3, out));
        }
        (Some(Logical::TimestampMicros), ValueRef::Int64(units)) => {
            quoted(out, &|out| time::format_timestamp(units, 6, out));
        }
        (Some(Logical::TimestampNanos), ValueRef::Int64(units)) => {
            quoted(out, &|out| time::format_timestamp(units, 9, out));
        }
        (_, value) => scalar(value, out),
    }
    Ok(())
}

#[inline]
pub(super) fn scalar(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Int8(v) => integer(i64::from(v), out),
        ValueRef::Int16(v) => integer(i64::from(v), out),
        ValueRef::Int32(v) => integer(i64::from(v), out),
        ValueRef::Int64(v) => integer(v, out),
        ValueRef::Float32(v) => {
            if v.is_finite() {
                out.extend_from_slice(ryu::Buffer::new().format_finite(v).as_bytes());
            } else {
                special(f64::from(v), out);
            }
        }
        ValueRef::Float64(v) => float64(v, out),
        ValueRef::Boolean(true) => out.extend_from_slice(b"true"),
        ValueRef::Boolean(false) => out.extend_from_slice(b"false"),
        ValueRef::String(v) => string(v, out),
        ValueRef::Bytes(v) => base64(v, out),
        // Nested values never come here: `body` has written them.
        ValueRef::Null | ValueRef::Array(_) | ValueRef::Map(_) | ValueRef::Struct(_) => {
            out.extend_from_slice(b"null");
        }
    }
}

#[inline]
fn float64(number: f64, out: &mut Vec<u8>) {
    if number.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
    } else {
        special(number, out);
    }
}

#[inline]
fn integer(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn special(number: f64, out: &mut Vec<u8>) {
    let text: &[u8] = if number.is_nan() {
        b"\"NaN\""
    } else if number > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.extend_from_slice(text);
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    let room = bytes.len().div_ceil(3) * 4;
    out.resize(start + room, 0);
    let slot = out.get_mut(start..).unwrap_or_default();
    let written = STANDARD.encode_slice(bytes, slot).unwrap_or(0);
    debug_assert_eq!(written, room, "padded base64 has 4 characters for 3 bytes");
    out.push(b'"');
}

/// Appends a JSON string.
pub(crate) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    if find_special(bytes).is_none() {
        out.extend_from_slice(bytes);
    } else {
        escape(bytes, out);
    }
    out.push(b'"');
}

/// Appends a string of a row, whose bytes may be no UTF-8.
#[inline]
fn text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), RowError> {
    if is_plain_ascii(bytes) {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
        return Ok(());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| RowError::new(RowProblem::Utf8))?;
    string(text, out);
    Ok(())
}

#[cold]
fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        let short = match byte {
            b'"' | b'\\' => *byte,
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..=31 => {
                out.extend_from_slice(b"\\u00");
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
}
