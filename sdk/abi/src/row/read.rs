//! Reading a row in place.

use super::{
    bitmap_len, is_null_at,
    validate::{count, flag, skip_body},
};
use crate::{
    cursor::Cursor,
    error::{RowError, RowProblem},
    schema::{Field, Kind, Schema},
};

/// A value inside of a row.
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'a> {
    /// No value.
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
    String(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An array.
    Array(ArrayRef<'a>),
    /// A map.
    Map(MapRef<'a>),
    /// A struct.
    Struct(RowRef<'a>),
}

impl ValueRef<'_> {
    /// Returns whether there is no value.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// A struct inside of a row. Fields are found by walking over those before them.
#[derive(Debug, Clone, Copy)]
pub struct RowRef<'a> {
    fields: &'a [Field],
    bitmap: &'a [u8],
    body: &'a [u8],
}

/// The items of an array inside of a row.
#[derive(Debug, Clone, Copy)]
pub struct ArrayRef<'a> {
    items: &'a Schema,
    count: usize,
    body: &'a [u8],
}

/// The pairs of a map inside of a row.
#[derive(Debug, Clone, Copy)]
pub struct MapRef<'a> {
    keys: &'a Schema,
    values: &'a Schema,
    count: usize,
    body: &'a [u8],
}

#[cold]
fn truncated() -> RowError {
    RowError::new(RowProblem::Truncated)
}

impl<'a> RowRef<'a> {
    /// Looks at a typed value whose schema is a struct; `None` where it is null.
    ///
    /// # Errors
    /// The schema must be a struct's and the bytes long enough for its bitmap.
    pub fn new(schema: &'a Schema, row: &'a [u8]) -> Result<Option<Self>, RowError> {
        let Kind::Struct(fields) = &schema.kind else {
            return Err(RowError::new(RowProblem::Type {
                expected: "struct",
                found: schema.type_name(),
            }));
        };
        let mut cursor = Cursor::new(row);
        if schema.nullable() && !flag(&mut cursor)? {
            return Ok(None);
        }
        let bitmap = cursor
            .take(bitmap_len(fields.len()))
            .ok_or_else(truncated)?;
        Ok(Some(Self {
            fields,
            bitmap,
            body: cursor.rest(),
        }))
    }

    /// Returns the fields of the schema.
    #[must_use]
    pub const fn schema_fields(&self) -> &'a [Field] {
        self.fields
    }

    /// Returns a field's value by name.
    ///
    /// # Errors
    /// The schema must have the field, and the row must be valid up to it.
    pub fn get(&self, name: &str) -> Result<ValueRef<'a>, RowError> {
        let position = self.fields.iter().position(|field| field.name == name);
        self.at(position.unwrap_or(usize::MAX))
            .map_err(|error| error.in_field(name))
    }

    /// Returns a field's value by position.
    ///
    /// # Errors
    /// As [`RowRef::get`].
    pub fn at(&self, position: usize) -> Result<ValueRef<'a>, RowError> {
        let field = self
            .fields
            .get(position)
            .ok_or_else(|| RowError::new(RowProblem::NoField))?;
        if is_null_at(self.bitmap, position) {
            return Ok(ValueRef::Null);
        }
        let mut cursor = Cursor::new(self.body);
        for (before, field) in self.fields.iter().enumerate().take(position) {
            if !is_null_at(self.bitmap, before) {
                skip_body(&field.schema, &mut cursor)?;
            }
        }
        read_body(&field.schema, &mut cursor)
    }

    /// Returns all fields with their values, in schema order; stops at the first that is not valid.
    #[must_use]
    pub const fn iter(&self) -> Fields<'a> {
        Fields {
            row: *self,
            cursor: Cursor::new(self.body),
            next: 0,
        }
    }
}

impl<'a> IntoIterator for &RowRef<'a> {
    type Item = Result<(&'a Field, ValueRef<'a>), RowError>;
    type IntoIter = Fields<'a>;

    fn into_iter(self) -> Fields<'a> {
        self.iter()
    }
}

/// The fields of a row, see [`RowRef::iter`].
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    row: RowRef<'a>,
    cursor: Cursor<'a>,
    next: usize,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a Field, ValueRef<'a>), RowError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let position = self.next;
        let field = self.row.fields.get(position)?;
        self.next += 1;
        if is_null_at(self.row.bitmap, position) {
            return Some(Ok((field, ValueRef::Null)));
        }
        match read_body(&field.schema, &mut self.cursor) {
            Ok(value) => Some(Ok((field, value))),
            Err(error) => {
                self.next = usize::MAX;
                Some(Err(error.in_field(&field.name)))
            }
        }
    }
}

impl<'a> ArrayRef<'a> {
    /// Returns the number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is no item.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the schema of an item.
    #[must_use]
    pub const fn item_schema(&self) -> &'a Schema {
        self.items
    }

    /// Returns the items.
    pub fn iter(&self) -> impl Iterator<Item = Result<ValueRef<'a>, RowError>> + use<'a> {
        let mut cursor = Cursor::new(self.body);
        let items = self.items;
        (0..self.count).map(move |index| {
            read_nullable(items, &mut cursor).map_err(|error| error.in_item(index))
        })
    }
}

impl<'a> MapRef<'a> {
    /// Returns the number of pairs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is no pair.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the schemas of a key and of a value.
    #[must_use]
    pub const fn schemas(&self) -> (&'a Schema, &'a Schema) {
        (self.keys, self.values)
    }

    /// Returns the pairs.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = Result<(ValueRef<'a>, ValueRef<'a>), RowError>> + use<'a> {
        let mut cursor = Cursor::new(self.body);
        let (keys, values) = (self.keys, self.values);
        (0..self.count).map(move |index| {
            let key = read_nullable(keys, &mut cursor).map_err(|error| error.in_item(index))?;
            let value = read_nullable(values, &mut cursor).map_err(|error| error.in_item(index))?;
            Ok((key, value))
        })
    }
}

impl<'a> ValueRef<'a> {
    /// Looks at a typed value of any schema.
    ///
    /// # Errors
    /// The bytes must be valid; strings are checked for UTF-8, what is inside of arrays, maps and structs when it is read.
    pub fn new(schema: &'a Schema, row: &'a [u8]) -> Result<Self, RowError> {
        read_nullable(schema, &mut Cursor::new(row))
    }
}

/// Reads a value that a presence byte precedes where its schema is nullable.
#[inline]
fn read_nullable<'a>(
    schema: &'a Schema,
    cursor: &mut Cursor<'a>,
) -> Result<ValueRef<'a>, RowError> {
    if schema.nullable() && !flag(cursor)? {
        return Ok(ValueRef::Null);
    }
    read_body(schema, cursor)
}

/// Reads a value that is there.
#[inline]
fn read_body<'a>(schema: &'a Schema, cursor: &mut Cursor<'a>) -> Result<ValueRef<'a>, RowError> {
    if matches!(
        schema.kind,
        Kind::Array(_) | Kind::Map(..) | Kind::Struct(_)
    ) {
        return read_nested(schema, cursor);
    }
    read_scalar(schema, cursor)
}

/// Reads a value that is there and not nested.
#[inline]
pub(crate) fn read_scalar<'a>(
    schema: &Schema,
    cursor: &mut Cursor<'a>,
) -> Result<ValueRef<'a>, RowError> {
    let value = match &schema.kind {
        Kind::Int8 => cursor.i8().map(ValueRef::Int8),
        Kind::Int16 => cursor.i16().map(ValueRef::Int16),
        Kind::Int32 => cursor.i32().map(ValueRef::Int32),
        Kind::Int64 => cursor.i64().map(ValueRef::Int64),
        Kind::Float32 => cursor.f32().map(ValueRef::Float32),
        Kind::Float64 => cursor.f64().map(ValueRef::Float64),
        Kind::Boolean => Some(ValueRef::Boolean(flag(cursor)?)),
        Kind::String => match cursor.sized() {
            Some(bytes) => Some(ValueRef::String(
                std::str::from_utf8(bytes).map_err(|_| RowError::new(RowProblem::Utf8))?,
            )),
            None => None,
        },
        Kind::Bytes => cursor.sized().map(ValueRef::Bytes),
        Kind::Array(_) | Kind::Map(..) | Kind::Struct(_) => {
            return Err(RowError::new(RowProblem::Type {
                expected: "a value that is not nested",
                found: schema.type_name(),
            }));
        }
    };
    value.ok_or_else(truncated)
}

fn read_nested<'a>(schema: &'a Schema, cursor: &mut Cursor<'a>) -> Result<ValueRef<'a>, RowError> {
    let whole = *cursor;
    skip_body(schema, cursor)?;
    let len = cursor.at() - whole.at();
    let mut inner = Cursor::new(whole.rest().get(..len).ok_or_else(truncated)?);
    Ok(match &schema.kind {
        Kind::Array(items) => ValueRef::Array(ArrayRef {
            items,
            count: count(&mut inner)?,
            body: inner.rest(),
        }),
        Kind::Map(keys, values) => ValueRef::Map(MapRef {
            keys,
            values,
            count: count(&mut inner)?,
            body: inner.rest(),
        }),
        _ => {
            let fields = schema.fields();
            ValueRef::Struct(RowRef {
                fields,
                bitmap: inner.take(bitmap_len(fields.len())).ok_or_else(truncated)?,
                body: inner.rest(),
            })
        }
    })
}
