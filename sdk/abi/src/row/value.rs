//! Between rows and trees.

use std::sync::Arc;

use super::{
    ValueRef, append_boolean, append_bytes, append_float32, append_float64, append_int32,
    append_string, bitmap_len, len_u32, validate::flag,
};
use crate::{
    cursor::Cursor,
    error::{RowError, RowProblem},
    row::{is_null_at, read_scalar},
    schema::{Field, Kind, Schema},
    value::{Struct, Value},
};

/// Appends the bytes of a value.
///
/// # Errors
/// The value must fit the schema; on an error the bytes written so far are garbage.
pub fn write_value(schema: &Schema, value: &Value, out: &mut Vec<u8>) -> Result<(), RowError> {
    if !schema.nullable() {
        return write_body(schema, value, out);
    }
    if value.is_null() {
        out.push(0);
        return Ok(());
    }
    out.push(1);
    write_body(schema, value, out)
}

/// Appends a value without a presence byte.
pub(super) fn write_body(
    schema: &Schema,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    match (&schema.kind, value) {
        (Kind::Int8, Value::Int8(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Kind::Int16, Value::Int16(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Kind::Int32, Value::Int32(v)) => append_int32(schema, *v, out)?,
        (Kind::Int64, Value::Int64(v)) => out.extend_from_slice(&v.to_le_bytes()),
        (Kind::Float32, Value::Float32(v)) => append_float32(*v, out),
        (Kind::Float64, Value::Float64(v)) => append_float64(*v, out),
        (Kind::Boolean, Value::Boolean(v)) => append_boolean(*v, out),
        (Kind::String, Value::String(v)) => append_string(v, out)?,
        (Kind::Bytes, Value::Bytes(v)) => append_bytes(schema, v, out)?,
        (Kind::Array(items), Value::Array(values)) => {
            out.extend_from_slice(&len_u32(values.len())?);
            for (index, value) in values.iter().enumerate() {
                write_value(items, value, out).map_err(|error| error.in_item(index))?;
            }
        }
        (Kind::Map(keys, values), Value::Map(pairs)) => {
            out.extend_from_slice(&len_u32(pairs.len())?);
            for (index, (key, value)) in pairs.iter().enumerate() {
                write_value(keys, key, out).map_err(|error| error.in_item(index))?;
                write_value(values, value, out).map_err(|error| error.in_item(index))?;
            }
        }
        (Kind::Struct(fields), Value::Struct(row)) => write_struct(fields, row, out)?,
        (_, Value::Null) => return Err(RowError::new(RowProblem::Missing)),
        _ => {
            return Err(RowError::new(RowProblem::Type {
                expected: schema.type_name(),
                found: value.type_name(),
            }));
        }
    }
    Ok(())
}

fn write_struct(fields: &[Field], row: &Struct, out: &mut Vec<u8>) -> Result<(), RowError> {
    if row.values().len() != fields.len() {
        return Err(RowError::new(RowProblem::NoField));
    }
    let start = out.len();
    out.resize(start + bitmap_len(fields.len()), 0);
    for (position, (field, value)) in fields.iter().zip(row.values()).enumerate() {
        if value.is_null() {
            if !field.schema.nullable() {
                return Err(RowError::new(RowProblem::Missing).in_field(&field.name));
            }
            if let Some(byte) = out.get_mut(start + position / 8) {
                *byte |= 1 << (position % 8);
            }
            continue;
        }
        write_body(&field.schema, value, out).map_err(|error| error.in_field(&field.name))?;
    }
    Ok(())
}

/// Reads a typed value into a tree.
///
/// # Errors
/// The bytes must be a valid row of the schema, to their end.
pub fn read_value(schema: &Arc<Schema>, row: &[u8]) -> Result<Value, RowError> {
    let mut cursor = Cursor::new(row);
    let value = read_tree(schema, &mut cursor)?;
    match cursor.rest().len() {
        0 => Ok(value),
        left => Err(RowError::new(RowProblem::Trailing(left))),
    }
}

fn read_tree(schema: &Arc<Schema>, cursor: &mut Cursor<'_>) -> Result<Value, RowError> {
    if schema.nullable() && !flag(cursor)? {
        return Ok(Value::Null);
    }
    read_tree_body(schema, cursor)
}

fn read_tree_body(schema: &Arc<Schema>, cursor: &mut Cursor<'_>) -> Result<Value, RowError> {
    match &schema.kind {
        Kind::Array(items) => {
            let count = super::validate::count(cursor)?;
            let mut values = Vec::new();
            for index in 0..count {
                values.push(read_tree(items, cursor).map_err(|error| error.in_item(index))?);
            }
            Ok(Value::Array(values))
        }
        Kind::Map(keys, values) => {
            let count = super::validate::count(cursor)?;
            let mut pairs = Vec::new();
            for index in 0..count {
                let key = read_tree(keys, cursor).map_err(|error| error.in_item(index))?;
                let value = read_tree(values, cursor).map_err(|error| error.in_item(index))?;
                pairs.push((key, value));
            }
            Ok(Value::Map(pairs))
        }
        Kind::Struct(fields) => {
            let bitmap = cursor
                .take(bitmap_len(fields.len()))
                .ok_or_else(|| RowError::new(RowProblem::Truncated))?;
            let mut values = Vec::with_capacity(fields.len());
            for (position, field) in fields.iter().enumerate() {
                values.push(if is_null_at(bitmap, position) {
                    Value::Null
                } else {
                    read_tree_body(&field.schema, cursor)
                        .map_err(|error| error.in_field(&field.name))?
                });
            }
            Struct::from_values(Arc::clone(schema), values).map(Value::Struct)
        }
        _ => read_scalar(schema, cursor).map(scalar),
    }
}

fn scalar(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Int8(v) => Value::Int8(v),
        ValueRef::Int16(v) => Value::Int16(v),
        ValueRef::Int32(v) => Value::Int32(v),
        ValueRef::Int64(v) => Value::Int64(v),
        ValueRef::Float32(v) => Value::Float32(v),
        ValueRef::Float64(v) => Value::Float64(v),
        ValueRef::Boolean(v) => Value::Boolean(v),
        ValueRef::String(v) => Value::String(v.to_owned()),
        ValueRef::Bytes(v) => Value::Bytes(v.to_vec()),
        ValueRef::Null | ValueRef::Array(_) | ValueRef::Map(_) | ValueRef::Struct(_) => Value::Null,
    }
}
