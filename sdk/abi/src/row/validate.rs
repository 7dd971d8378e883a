//! Checking the bytes of a row against its schema.

use super::{bitmap_len, is_null_at};
use crate::{
    cursor::{Cursor, is_utf8},
    error::{RowError, RowProblem},
    schema::{Field, Kind, Logical, Schema},
    value::minimal,
};

/// Checks a typed value in full.
///
/// # Errors
/// Names the place of the first fault. Never panics and never allocates for a valid row.
pub fn validate_row(schema: &Schema, row: &[u8]) -> Result<(), RowError> {
    let mut cursor = Cursor::new(row);
    if quick_value(schema, &mut cursor).is_some() && cursor.rest().is_empty() {
        return Ok(());
    }
    // Something is wrong: go again and say what and where.
    let mut cursor = Cursor::new(row);
    value(schema, &mut cursor)?;
    match cursor.rest().len() {
        0 => Ok(()),
        left => Err(RowError::new(RowProblem::Trailing(left))),
    }
}

/// Accepts what is valid; an answer without words is cheap on the way up.
fn quick_value(schema: &Schema, cursor: &mut Cursor<'_>) -> Option<()> {
    if schema.nullable() && !quick_flag(cursor)? {
        return Some(());
    }
    quick_body(schema, cursor)
}

#[inline]
fn quick_flag(cursor: &mut Cursor<'_>) -> Option<bool> {
    match cursor.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[inline]
fn quick_body(schema: &Schema, cursor: &mut Cursor<'_>) -> Option<()> {
    match &schema.kind {
        Kind::Int64 | Kind::Float64 => cursor.i64().map(drop),
        Kind::String => is_utf8(cursor.sized()?).then_some(()),
        Kind::Int32 if schema.name.is_none() => cursor.i32().map(drop),
        Kind::Bytes if schema.name.is_none() => cursor.sized().map(drop),
        Kind::Boolean => quick_flag(cursor).map(drop),
        Kind::Struct(fields) => {
            let bitmap = cursor.take(bitmap_len(fields.len()))?;
            for (position, field) in fields.iter().enumerate() {
                if !is_null_at(bitmap, position) {
                    quick_body(&field.schema, cursor)?;
                } else if !field.schema.nullable() {
                    return None;
                }
            }
            unused_bits(fields, bitmap).then_some(())
        }
        Kind::Array(items) => {
            for _ in 0..count(cursor).ok()? {
                quick_value(items, cursor)?;
            }
            Some(())
        }
        _ => body(schema, cursor).ok(),
    }
}

/// Returns whether the bits beyond the last field are clear.
fn unused_bits(fields: &[Field], bitmap: &[u8]) -> bool {
    let last = bitmap.last().copied().unwrap_or(0);
    match (fields.len(), fields.len() % 8) {
        (0, _) => last == 0,
        (_, 0) => true,
        (_, used) => last >> used == 0,
    }
}

/// Returns whether a typed value is null at its top.
#[must_use]
pub fn is_null(schema: &Schema, row: &[u8]) -> bool {
    schema.nullable() && row.first() == Some(&0)
}

#[cold]
fn truncated() -> RowError {
    RowError::new(RowProblem::Truncated)
}

/// Reads a flag byte.
#[inline]
pub(super) fn flag(cursor: &mut Cursor<'_>) -> Result<bool, RowError> {
    match cursor.u8() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(other) => Err(RowError::new(RowProblem::Flag(other))),
        None => Err(truncated()),
    }
}

/// Reads a count of items, each of which has at least one byte.
#[inline]
pub(super) fn count(cursor: &mut Cursor<'_>) -> Result<usize, RowError> {
    let count = cursor
        .u32()
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(truncated)?;
    if count > cursor.rest().len() {
        return Err(truncated());
    }
    Ok(count)
}

fn value(schema: &Schema, cursor: &mut Cursor<'_>) -> Result<(), RowError> {
    if schema.nullable() && !flag(cursor)? {
        return Ok(());
    }
    body(schema, cursor)
}

fn body(schema: &Schema, cursor: &mut Cursor<'_>) -> Result<(), RowError> {
    match &schema.kind {
        Kind::Int8 => cursor.u8().map(|_| ()).ok_or_else(truncated),
        Kind::Int16 => cursor.u16().map(|_| ()).ok_or_else(truncated),
        Kind::Int32 => {
            let number = cursor.i32().ok_or_else(truncated)?;
            check_int32(schema, number)
        }
        Kind::Int64 | Kind::Float64 => cursor.i64().map(|_| ()).ok_or_else(truncated),
        Kind::Float32 => cursor.i32().map(|_| ()).ok_or_else(truncated),
        Kind::Boolean => flag(cursor).map(|_| ()),
        Kind::String => {
            let bytes = cursor.sized().ok_or_else(truncated)?;
            std::str::from_utf8(bytes)
                .map(|_| ())
                .map_err(|_| RowError::new(RowProblem::Utf8))
        }
        Kind::Bytes => {
            let bytes = cursor.sized().ok_or_else(truncated)?;
            let checked = check_bytes(schema, bytes)?;
            if checked.len() == bytes.len() {
                Ok(())
            } else {
                Err(RowError::new(RowProblem::Range(
                    "decimal in its shortest form",
                )))
            }
        }
        Kind::Array(items) => {
            for index in 0..count(cursor)? {
                value(items, cursor).map_err(|error| error.in_item(index))?;
            }
            Ok(())
        }
        Kind::Map(keys, values) => {
            for index in 0..count(cursor)? {
                value(keys, cursor).map_err(|error| error.in_item(index))?;
                value(values, cursor).map_err(|error| error.in_item(index))?;
            }
            Ok(())
        }
        Kind::Struct(fields) => structure(fields, cursor),
    }
}

fn structure(fields: &[Field], cursor: &mut Cursor<'_>) -> Result<(), RowError> {
    let bitmap = cursor
        .take(bitmap_len(fields.len()))
        .ok_or_else(truncated)?;
    for (position, field) in fields.iter().enumerate() {
        if !is_null_at(bitmap, position) {
            body(&field.schema, cursor).map_err(|error| error.in_field(&field.name))?;
        } else if !field.schema.nullable() {
            return Err(RowError::new(RowProblem::Missing).in_field(&field.name));
        }
    }
    // Bits beyond the last field say nothing and must not: a row has one encoding.
    if unused_bits(fields, bitmap) {
        Ok(())
    } else {
        let last = bitmap.last().copied().unwrap_or(0);
        Err(RowError::new(RowProblem::Flag(last)))
    }
}

/// Checks an int32's logical range.
#[inline]
pub(super) fn check_int32(schema: &Schema, number: i32) -> Result<(), RowError> {
    if schema.name.is_some()
        && schema.logical() == Some(Logical::Time)
        && !(0..crate::schema::DAY_MS).contains(&number)
    {
        return Err(RowError::new(RowProblem::Range("time")));
    }
    Ok(())
}

/// Checks bytes' logical range and returns their shortest form.
#[inline]
pub(super) fn check_bytes<'a>(schema: &Schema, bytes: &'a [u8]) -> Result<&'a [u8], RowError> {
    if schema.name.is_none() {
        return Ok(bytes);
    }
    match schema.logical() {
        Some(Logical::Decimal { .. }) => {
            let bytes = minimal(bytes);
            if bytes.is_empty() || bytes.len() > crate::schema::DECIMAL_BYTES_MAX {
                return Err(RowError::new(RowProblem::Range("decimal")));
            }
            Ok(bytes)
        }
        _ => Ok(bytes),
    }
}

/// Moves the cursor behind a value, checking lengths only.
pub(super) fn skip_body(schema: &Schema, cursor: &mut Cursor<'_>) -> Result<(), RowError> {
    let skipped = match &schema.kind {
        Kind::Int8 | Kind::Boolean => cursor.u8().map(|_| ()),
        Kind::Int16 => cursor.u16().map(|_| ()),
        Kind::Int32 | Kind::Float32 => cursor.u32().map(|_| ()),
        Kind::Int64 | Kind::Float64 => cursor.i64().map(|_| ()),
        Kind::String | Kind::Bytes => cursor.sized().map(|_| ()),
        Kind::Array(items) => {
            for _ in 0..count(cursor)? {
                skip_value(items, cursor)?;
            }
            Some(())
        }
        Kind::Map(keys, values) => {
            for _ in 0..count(cursor)? {
                skip_value(keys, cursor)?;
                skip_value(values, cursor)?;
            }
            Some(())
        }
        Kind::Struct(fields) => {
            let bitmap = cursor
                .take(bitmap_len(fields.len()))
                .ok_or_else(truncated)?;
            for (position, field) in fields.iter().enumerate() {
                if !is_null_at(bitmap, position) {
                    skip_body(&field.schema, cursor)?;
                }
            }
            Some(())
        }
    };
    skipped.ok_or_else(truncated)
}

fn skip_value(schema: &Schema, cursor: &mut Cursor<'_>) -> Result<(), RowError> {
    if schema.nullable() && !flag(cursor)? {
        return Ok(());
    }
    skip_body(schema, cursor)
}
