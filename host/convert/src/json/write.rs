//! From a value to text.

use std::fmt::Write as _;

use crate::{Error, Kind, Logical, Map, Schema, Struct, Type, Value, base64, java, logical};

use super::{DefaultForNull, Dialect, Reading};
use crate::json_schema::ONE_OF;
use crate::schema::NESTING_MAX;

/// How decimals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecimalFormat {
    /// The unscaled number's bytes in base64.
    Base64,
    /// A JSON number, maybe with an exponent.
    Numeric,
}

/// Writes values as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer {
    pub(crate) decimals: DecimalFormat,
    pub(crate) nulls: DefaultForNull,
    pub(crate) dialect: Dialect,
}

impl Writer {
    /// Returns how what this writes is read.
    pub(crate) const fn reading(self) -> Reading {
        Reading {
            nulls: self.nulls,
            dialect: self.dialect,
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// Names the place where the value does not fit its schema.
    pub(crate) fn write(
        &self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut String,
    ) -> Result<(), Error> {
        self.at(schema, value, out, 0)
    }

    fn at(
        &self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut String,
        depth: usize,
    ) -> Result<(), Error> {
        if depth > NESTING_MAX {
            return Err(Error::data(format!("nested deeper than {NESTING_MAX}")));
        }
        if value.is_null() {
            return self.null(schema, out, depth);
        }
        if let Some((schema, logical)) = schema.and_then(|schema| Some((schema, schema.logical()?)))
        {
            return self.logical(schema, logical, value, out);
        }
        // Without a schema the value's own type decides; decimals and dates have none.
        let found = type_of(value);
        let expected = schema.map_or(found, |schema| Some(schema.schema_type()));
        if found.is_none() || found != expected {
            return Err(mismatch(schema, value));
        }
        match value {
            Value::Array(items) => {
                let items_schema = schema.and_then(item_schema);
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    self.at(items_schema, item, out, depth + 1)
                        .map_err(|error| error.in_item(index))?;
                }
                out.push(']');
                Ok(())
            }
            Value::Map(map) => self.map(schema, map, out, depth),
            Value::Struct(row) => self.structure(schema, row, out, depth),
            _ => {
                scalar(value, out);
                Ok(())
            }
        }
    }

    fn null(&self, schema: Option<&Schema>, out: &mut String, depth: usize) -> Result<(), Error> {
        if let Some(schema) = schema {
            match &schema.default {
                Some(default) if self.nulls == DefaultForNull::Default => {
                    return self.at(Some(schema), default, out, depth + 1);
                }
                _ if !schema.optional => {
                    return Err(Error::data(
                        "null for a required field without a default in use",
                    ));
                }
                _ => {}
            }
        }
        out.push_str("null");
        Ok(())
    }

    fn logical(
        &self,
        schema: &Schema,
        logical: Logical,
        value: &Value,
        out: &mut String,
    ) -> Result<(), Error> {
        let _infallible = match logical {
            Logical::Decimal if self.decimals == DecimalFormat::Numeric => {
                write!(out, "{}", logical::decimal(value)?)
            }
            Logical::Decimal => {
                out.push('"');
                base64::encode(&logical::decimal_bytes(schema, value)?, out);
                write!(out, "\"")
            }
            Logical::Date => write!(out, "{}", logical::date_days(schema, value)?),
            Logical::Time => write!(out, "{}", logical::time_ms(schema, value)?),
            Logical::Timestamp => write!(out, "{}", logical::timestamp_ms(schema, value)?),
        };
        Ok(())
    }

    /// Writes an object where the key schema is a string's or, without a schema, all keys are strings; else pairs.
    fn map(
        &self,
        schema: Option<&Schema>,
        map: &Map,
        out: &mut String,
        depth: usize,
    ) -> Result<(), Error> {
        let (keys, values) = match schema.map(|schema| &schema.kind) {
            Some(Kind::Map(keys, values)) => (keys.as_deref(), values.as_deref()),
            _ => (None, None),
        };
        let object = match keys {
            Some(keys) => matches!(keys.kind, Kind::String),
            None => map.iter().all(|(key, _)| matches!(key, Value::String(_))),
        };
        out.push(if object { '{' } else { '[' });
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            if object {
                self.name(keys, key, out, depth)?;
                out.push(':');
                self.at(values, value, out, depth + 1)
                    .map_err(Error::in_map_value)?;
            } else {
                let (begin, between, end) = match self.dialect {
                    Dialect::Connect => ("[", ",", "]"),
                    Dialect::JsonSchema => ("{\"key\":", ",\"value\":", "}"),
                };
                out.push_str(begin);
                self.at(keys, key, out, depth + 1)
                    .map_err(Error::in_map_key)?;
                out.push_str(between);
                self.at(values, value, out, depth + 1)
                    .map_err(Error::in_map_value)?;
                out.push_str(end);
            }
        }
        out.push(if object { '}' } else { ']' });
        Ok(())
    }

    /// Writes a key as a name: a null one is the name `null`, or the default of its schema.
    fn name(
        &self,
        keys: Option<&Schema>,
        key: &Value,
        out: &mut String,
        depth: usize,
    ) -> Result<(), Error> {
        let start = out.len();
        self.at(keys, key, out, depth + 1)
            .map_err(Error::in_map_key)?;
        let written = out.get(start..).unwrap_or_default();
        if !written.starts_with('"') {
            let name = format!("\"{written}\"");
            out.truncate(start);
            out.push_str(&name);
        }
        Ok(())
    }

    fn structure(
        &self,
        schema: Option<&Schema>,
        row: &Struct,
        out: &mut String,
        depth: usize,
    ) -> Result<(), Error> {
        let same = schema.is_some_and(|schema| {
            std::ptr::eq(schema, &raw const **row.schema()) || *schema == **row.schema()
        });
        if !same {
            return Err(Error::data(
                "the struct has another schema than the one expected here",
            ));
        }
        if self.dialect == Dialect::JsonSchema && row.schema().is_named(ONE_OF) {
            return self.union(row, out, depth);
        }
        out.push('{');
        for (index, (field, value)) in row.schema().fields().iter().zip(row.values()).enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_string(&field.name, out);
            out.push(':');
            self.at(Some(&field.schema), value, out, depth + 1)
                .map_err(|error| error.in_field(&field.name))?;
        }
        out.push('}');
        Ok(())
    }
}

impl Writer {
    /// A union is its one member that is set.
    fn union(&self, row: &Struct, out: &mut String, depth: usize) -> Result<(), Error> {
        let mut members = row.schema().fields().iter().zip(row.values());
        match members.find(|(_, value)| !value.is_null()) {
            Some((field, value)) => self
                .at(Some(&field.schema), value, out, depth + 1)
                .map_err(|error| error.in_field(&field.name)),
            None => self.null(Some(row.schema()), out, depth),
        }
    }
}

fn item_schema(schema: &Schema) -> Option<&Schema> {
    match &schema.kind {
        Kind::Array(items) => items.as_deref(),
        _ => None,
    }
}

/// Returns the type that a value has by itself, `None` for decimals and dates.
const fn type_of(value: &Value) -> Option<Type> {
    Some(match value {
        Value::Int8(_) => Type::Int8,
        Value::Int16(_) => Type::Int16,
        Value::Int32(_) => Type::Int32,
        Value::Int64(_) => Type::Int64,
        Value::Float32(_) => Type::Float32,
        Value::Float64(_) => Type::Float64,
        Value::Boolean(_) => Type::Boolean,
        Value::String(_) => Type::String,
        Value::Bytes(_) => Type::Bytes,
        Value::Array(_) => Type::Array,
        Value::Map(_) => Type::Map,
        Value::Struct(_) => Type::Struct,
        Value::Null | Value::Decimal(_) | Value::Instant(_) => return None,
    })
}

#[cold]
fn mismatch(schema: Option<&Schema>, value: &Value) -> Error {
    match schema {
        Some(schema) => Error::data(format!(
            "expected {}, got {}",
            schema.schema_type().name(),
            value.type_name()
        )),
        None => Error::data(format!(
            "a {} without a schema has no JSON form",
            value.type_name()
        )),
    }
}

fn scalar(value: &Value, out: &mut String) {
    let _infallible = match value {
        Value::Int8(v) => write!(out, "{v}"),
        Value::Int16(v) => write!(out, "{v}"),
        Value::Int32(v) => write!(out, "{v}"),
        Value::Int64(v) => write!(out, "{v}"),
        Value::Boolean(v) => write!(out, "{v}"),
        Value::Float32(v) => {
            quoted_unless(v.is_finite(), out, |out| java::float32(*v, out));
            Ok(())
        }
        Value::Float64(v) => {
            quoted_unless(v.is_finite(), out, |out| java::float64(*v, out));
            Ok(())
        }
        Value::String(text) => {
            write_string(text, out);
            Ok(())
        }
        Value::Bytes(bytes) => {
            quoted_unless(false, out, |out| base64::encode(bytes, out));
            Ok(())
        }
        _ => Ok(()),
    };
}

fn quoted_unless(plain: bool, out: &mut String, write: impl FnOnce(&mut String)) {
    if plain {
        write(out);
    } else {
        out.push('"');
        write(out);
        out.push('"');
    }
}

/// Appends a string as Jackson does: what lies beyond the basic plane as two escapes, all else that may stand as it is.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' | '\u{10000}'.. => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _infallible = write!(out, "\\u{unit:04X}");
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}
