//! Writing a row in place.

use super::{
    bitmap_len, is_null_at,
    validate::{check_bytes, check_int32, skip_body},
    value::write_body,
};
use crate::{
    cursor::Cursor,
    error::{RowError, RowProblem},
    schema::{Field, Kind, Schema},
    value::Value,
};

/// Writes a struct, field by field. Schema order is the fast way; other orders are sorted at [`RowWriter::finish`].
///
/// A field that is not set is null where its schema allows it. On an error the bytes written so far are garbage: whoever owns the
/// buffer takes them back.
#[derive(Debug)]
pub struct RowWriter<'s, 'o> {
    fields: &'s [Field],
    out: &'o mut Vec<u8>,
    start: usize,
    next: usize,
    late: Vec<(usize, Vec<u8>)>,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($type:ty): $kind:ident, $words:literal, $write:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// The schema must have a field of this type at the position, set once.
        #[inline]
        pub fn $name(&mut self, position: usize, value: $type) -> Result<&mut Self, RowError> {
            let field = self.field(position)?;
            if !matches!(field.schema.kind, Kind::$kind) {
                return Err(type_error(field, $words));
            }
            let write: fn(&Schema, $type, &mut Vec<u8>) -> Result<(), RowError> = $write;
            self.set(position, |out| write(&field.schema, value, out))?;
            Ok(self)
        }
    )*};
}

impl<'s, 'o> RowWriter<'s, 'o> {
    /// Begins a struct at the end of `out`.
    ///
    /// # Errors
    /// The schema must be a struct's.
    pub fn struct_row(schema: &'s Schema, out: &'o mut Vec<u8>) -> Result<Self, RowError> {
        let Kind::Struct(fields) = &schema.kind else {
            return Err(RowError::new(RowProblem::Type {
                expected: schema.type_name(),
                found: "struct",
            }));
        };
        if schema.nullable() {
            out.push(1);
        }
        Ok(Self::body(fields, out))
    }

    fn body(fields: &'s [Field], out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        out.resize(start + bitmap_len(fields.len()), 0);
        Self {
            fields,
            out,
            start,
            next: 0,
            late: Vec::new(),
        }
    }

    /// Returns a field's position, for the setters.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    setters! {
        /// Sets an int8.
        int8(i8): Int8, "int8", |_, value, out| { out.extend_from_slice(&value.to_le_bytes()); Ok(()) };
        /// Sets an int16.
        int16(i16): Int16, "int16", |_, value, out| { out.extend_from_slice(&value.to_le_bytes()); Ok(()) };
        /// Sets an int32, a date (days) or a time (milliseconds).
        int32(i32): Int32, "int32", append_int32;
        /// Sets an int64 or a timestamp.
        int64(i64): Int64, "int64", |_, value, out| { out.extend_from_slice(&value.to_le_bytes()); Ok(()) };
        /// Sets a float.
        float32(f32): Float32, "float", |_, value, out| { append_float32(value, out); Ok(()) };
        /// Sets a double.
        float64(f64): Float64, "double", |_, value, out| { append_float64(value, out); Ok(()) };
        /// Sets a boolean.
        boolean(bool): Boolean, "boolean", |_, value, out| { append_boolean(value, out); Ok(()) };
        /// Sets a string.
        string(&str): String, "string", |_, value, out| append_string(value, out);
        /// Sets bytes, or a decimal's unscaled number.
        bytes(&[u8]): Bytes, "bytes", append_bytes;
    }

    /// Sets an integer of any width.
    ///
    /// # Errors
    /// The field must be an integer that holds the number, set once.
    pub fn int(&mut self, position: usize, value: i64) -> Result<&mut Self, RowError> {
        let field = self.field(position)?;
        let range =
            || RowError::new(RowProblem::Range(field.schema.type_name())).in_field(&field.name);
        match field.schema.kind {
            Kind::Int8 => self.int8(position, value.try_into().map_err(|_| range())?),
            Kind::Int16 => self.int16(position, value.try_into().map_err(|_| range())?),
            Kind::Int32 => self.int32(position, value.try_into().map_err(|_| range())?),
            Kind::Int64 => self.int64(position, value),
            _ => Err(type_error(field, "int64")),
        }
    }

    /// Sets a field to null.
    ///
    /// # Errors
    /// The field must be nullable and not set.
    pub fn null(&mut self, position: usize) -> Result<&mut Self, RowError> {
        let field = self.field(position)?;
        if !field.schema.nullable() {
            return Err(RowError::new(RowProblem::Missing).in_field(&field.name));
        }
        if position >= self.next {
            self.skip_to(position);
            self.set_null(position);
            self.next = position + 1;
        } else if !self.is_free(position) {
            return Err(RowError::new(RowProblem::Twice).in_field(&field.name));
        }
        Ok(self)
    }

    /// Sets a field to a value of any type.
    ///
    /// # Errors
    /// The value must fit the field's schema, and the field be set once.
    pub fn value(&mut self, position: usize, value: &Value) -> Result<&mut Self, RowError> {
        if value.is_null() {
            return self.null(position);
        }
        let field = self.field(position)?;
        self.set(position, |out| write_body(&field.schema, value, out))?;
        Ok(self)
    }

    /// Sets a field to a struct.
    ///
    /// # Errors
    /// The field must be a struct; what `write` answers.
    pub fn nested<E: From<RowError>>(
        &mut self,
        position: usize,
        write: impl FnOnce(&mut RowWriter<'_, '_>) -> Result<(), E>,
    ) -> Result<&mut Self, E> {
        let field = self.field(position)?;
        let Kind::Struct(fields) = &field.schema.kind else {
            return Err(type_error(field, "struct").into());
        };
        let mut failed = None;
        let set = self.set(position, |out| {
            let mut row = RowWriter::body(fields, out);
            if let Err(error) = write(&mut row) {
                failed = Some(error);
                return Ok(());
            }
            row.finish()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        set?;
        Ok(self)
    }

    #[inline]
    fn field(&self, position: usize) -> Result<&'s Field, RowError> {
        self.fields
            .get(position)
            .ok_or_else(|| RowError::new(RowProblem::NoField))
    }

    #[inline]
    fn set(
        &mut self,
        position: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        let written = if position >= self.next {
            self.skip_to(position);
            self.next = position + 1;
            write(self.out)
        } else {
            self.set_late(position, write)
        };
        written.map_err(|error| match self.fields.get(position) {
            Some(field) => error.in_field(&field.name),
            None => error,
        })
    }

    #[cold]
    fn set_late(
        &mut self,
        position: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), RowError>,
    ) -> Result<(), RowError> {
        if !self.is_free(position) {
            return Err(RowError::new(RowProblem::Twice));
        }
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        self.late.push((position, bytes));
        Ok(())
    }

    /// Returns whether a position before `next` has no value yet.
    fn is_free(&self, position: usize) -> bool {
        let bitmap = self.out.get(self.start..).unwrap_or_default();
        is_null_at(bitmap, position) && self.late.iter().all(|(late, _)| *late != position)
    }

    #[inline]
    fn skip_to(&mut self, position: usize) {
        for skipped in self.next..position {
            self.set_null(skipped);
        }
    }

    fn set_null(&mut self, position: usize) {
        if let Some(byte) = self.out.get_mut(self.start + position / 8) {
            *byte |= 1 << (position % 8);
        }
    }

    /// Ends the struct.
    ///
    /// # Errors
    /// A field that must have a value must have been set.
    pub fn finish(mut self) -> Result<(), RowError> {
        self.skip_to(self.fields.len());
        if !self.late.is_empty() {
            self.sort()?;
        }
        let bitmap = self.out.get(self.start..).unwrap_or_default();
        for (n, byte) in bitmap
            .iter()
            .take(bitmap_len(self.fields.len()))
            .enumerate()
        {
            if *byte != 0 {
                check_nulls(self.fields, bitmap, n * 8)?;
            }
        }
        Ok(())
    }

    /// Puts late fields into their places.
    #[cold]
    fn sort(&mut self) -> Result<(), RowError> {
        let len = bitmap_len(self.fields.len());
        let written = self.out.split_off(self.start + len);
        let mut cursor = Cursor::new(&written);
        for (position, field) in self.fields.iter().enumerate() {
            if let Some((_, bytes)) = self.late.iter().find(|(late, _)| *late == position) {
                self.out.extend_from_slice(bytes);
                if let Some(byte) = self.out.get_mut(self.start + position / 8) {
                    *byte &= !(1 << (position % 8));
                }
                continue;
            }
            let bitmap = self.out.get(self.start..).unwrap_or_default();
            if is_null_at(bitmap, position) {
                continue;
            }
            let before = cursor.rest();
            skip_body(&field.schema, &mut cursor)?;
            let len = before.len() - cursor.rest().len();
            self.out
                .extend_from_slice(before.get(..len).unwrap_or_default());
        }
        Ok(())
    }
}

fn check_nulls(fields: &[Field], bitmap: &[u8], from: usize) -> Result<(), RowError> {
    for (position, field) in fields.iter().enumerate().skip(from).take(8) {
        if is_null_at(bitmap, position) && !field.schema.nullable() {
            return Err(RowError::new(RowProblem::Missing).in_field(&field.name));
        }
    }
    Ok(())
}

#[cold]
fn type_error(field: &Field, found: &'static str) -> RowError {
    RowError::new(RowProblem::Type {
        expected: field.schema.type_name(),
        found,
    })
    .in_field(&field.name)
}

/// Returns a length as its wire form.
#[inline]
pub(crate) fn len_u32(len: usize) -> Result<[u8; 4], RowError> {
    u32::try_from(len)
        .map(u32::to_le_bytes)
        .map_err(|_| RowError::new(RowProblem::TooLong))
}

#[inline]
pub(crate) fn append_int32(schema: &Schema, value: i32, out: &mut Vec<u8>) -> Result<(), RowError> {
    check_int32(schema, value)?;
    out.extend_from_slice(&value.to_le_bytes());
    Ok(())
}

#[inline]
pub(crate) fn append_float32(value: f32, out: &mut Vec<u8>) {
    let value = if value.is_nan() { f32::NAN } else { value };
    out.extend_from_slice(&value.to_le_bytes());
}

#[inline]
pub(crate) fn append_float64(value: f64, out: &mut Vec<u8>) {
    let value = if value.is_nan() { f64::NAN } else { value };
    out.extend_from_slice(&value.to_le_bytes());
}

#[inline]
pub(crate) fn append_boolean(value: bool, out: &mut Vec<u8>) {
    out.push(u8::from(value));
}

#[inline]
pub(crate) fn append_string(value: &str, out: &mut Vec<u8>) -> Result<(), RowError> {
    out.extend_from_slice(&len_u32(value.len())?);
    out.extend_from_slice(value.as_bytes());
    Ok(())
}

#[inline]
pub(crate) fn append_bytes(
    schema: &Schema,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    let value = check_bytes(schema, value)?;
    out.extend_from_slice(&len_u32(value.len())?);
    out.extend_from_slice(value);
    Ok(())
}
