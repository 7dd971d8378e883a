//! JSON → row, without a tree in between.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    decimal, keys_are_names,
    scan::{Scanner, syntax, unescape},
    time,
};
use crate::{
    batch::NESTING_MAX,
    error::{JsonError, JsonProblem},
    row::{append_boolean, append_float32, append_float64, bitmap_len, len_u32},
    schema::{Field, Kind, Logical, Schema},
};

/// Appends the row of a JSON text.
///
/// # Errors
/// The text must be JSON of the schema, see the module docs; on an error what was appended is garbage.
pub fn json_to_row(schema: &Schema, json: &[u8], out: &mut Vec<u8>) -> Result<(), JsonError> {
    if let Err(error) = std::str::from_utf8(json) {
        return Err(syntax(error.valid_up_to(), "UTF-8"));
    }
    let mut scanner = Scanner::new(json);
    value(schema, &mut scanner, out)?;
    if scanner.at_end() {
        Ok(())
    } else {
        Err(syntax(scanner.at, "the end of the text"))
    }
}

fn value(schema: &Schema, scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let nullable = schema.nullable();
    if scanner.peek() == Some(b'n') {
        scanner.literal("null")?;
        if !nullable {
            return Err(JsonError::new(JsonProblem::Missing));
        }
        out.push(0);
        return Ok(());
    }
    if nullable {
        out.push(1);
    }
    body(schema, scanner, out)
}

#[inline]
fn body(schema: &Schema, scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    match &schema.kind {
        Kind::Struct(fields) => {
            if scanner.peek() != Some(b'{') {
                return Err(mismatch("struct", scanner));
            }
            structure(schema, fields, scanner, out)
        }
        Kind::Array(items) => {
            opening(b'[', schema, scanner)?;
            sequence(scanner, b']', out, |scanner, out| {
                value(items, scanner, out)
            })
        }
        Kind::Map(keys, values) if keys_are_names(keys) => {
            opening(b'{', schema, scanner)?;
            sequence(scanner, b'}', out, |scanner, out| {
                text(scanner, out)?;
                scanner.expect(b':', "a colon")?;
                value(values, scanner, out)
            })
        }
        Kind::Map(keys, values) => {
            opening(b'[', schema, scanner)?;
            sequence(scanner, b']', out, |scanner, out| {
                scanner.expect(b'[', "a pair of key and value")?;
                value(keys, scanner, out)?;
                scanner.expect(b',', "a comma")?;
                value(values, scanner, out)?;
                scanner.expect(b']', "the end of the pair")
            })
        }
        _ if schema.name.is_some() => match schema.logical() {
            Some(logical) => logical_value(schema, logical, scanner, out),
            None => scalar(schema, scanner, out),
        },
        _ => scalar(schema, scanner, out),
    }
}

fn opening(byte: u8, schema: &Schema, scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
    if scanner.eat(byte) {
        return Ok(());
    }
    Err(mismatch(schema.type_name(), scanner))
}

/// Says what stands where a value of another type should.
#[cold]
fn mismatch(expected: &'static str, scanner: &mut Scanner<'_>) -> JsonError {
    let found = match scanner.peek() {
        Some(b'"') => "string",
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "number",
        _ => return syntax(scanner.at, "a value"),
    };
    JsonError::new(JsonProblem::Type {
        expected,
        found,
        at: scanner.at,
    })
}

#[cold]
fn invalid(expected: &'static str, at: usize) -> JsonError {
    JsonError::new(JsonProblem::Value { expected, at })
}

/// Reads items up to a closing byte, with their count in front.
fn sequence<'a>(
    scanner: &mut Scanner<'a>,
    closing: u8,
    out: &mut Vec<u8>,
    mut item: impl FnMut(&mut Scanner<'a>, &mut Vec<u8>) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    if scanner.eat(closing) {
        return Ok(());
    }
    let mut count = 0_usize;
    loop {
        item(scanner, out).map_err(|error| error.in_item(count))?;
        count += 1;
        if scanner.eat(closing) {
            break;
        }
        scanner.expect(b',', "a comma or the end")?;
    }
    let count = len_u32(count)?;
    let slot = out.get_mut(start..);
    if let Some(slot) = slot.and_then(<[u8]>::first_chunk_mut::<4>) {
        *slot = count;
    }
    Ok(())
}

/// Reads the fields of an object: as we write them straight into the row, otherwise by their places in the text.
fn structure(
    schema: &Schema,
    fields: &[Field],
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let start = out.len();
    let begin = scanner.at;
    out.resize(start + bitmap_len(fields.len()), 0);
    let names = schema.names(fields);
    let mut as_written = !fields.is_empty();
    for (position, (field, name)) in fields.iter().zip(names.iter()).enumerate() {
        if !scanner.eat_all(name) {
            as_written = false;
            break;
        }
        field_value(field, position, start, scanner, out)?;
    }
    if as_written && scanner.eat(b'}') {
        return Ok(());
    }
    out.truncate(start);
    scanner.at = begin;
    any_order(fields, scanner, out)
}

#[inline]
fn field_value(
    field: &Field,
    position: usize,
    start: usize,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    if scanner.peek() == Some(b'n') {
        scanner.literal("null")?;
        return null(field, position, start, out);
    }
    body(&field.schema, scanner, out).map_err(|error| error.in_field(&field.name))
}

fn null(field: &Field, position: usize, start: usize, out: &mut [u8]) -> Result<(), JsonError> {
    if !field.schema.nullable() {
        return Err(JsonError::new(JsonProblem::Missing).in_field(&field.name));
    }
    if let Some(byte) = out.get_mut(start + position / 8) {
        *byte |= 1 << (position % 8);
    }
    Ok(())
}

#[cold]
fn any_order(
    fields: &[Field],
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let mut places: Vec<Option<usize>> = vec![None; fields.len()];
    let mut name = Vec::new();
    scanner.expect(b'{', "an object")?;
    if !scanner.eat(b'}') {
        loop {
            name.clear();
            plain_text(scanner, &mut name)?;
            scanner.expect(b':', "a colon")?;
            let position = fields
                .iter()
                .position(|field| field.name.as_bytes() == name);
            let slot = position.and_then(|position| places.get_mut(position));
            let problem = match slot {
                Some(slot @ None) => {
                    *slot = Some(scanner.at);
                    None
                }
                Some(Some(_)) => Some(JsonProblem::Twice),
                None => Some(JsonProblem::Unknown),
            };
            if let Some(problem) = problem {
                return Err(JsonError::new(problem).in_field(&String::from_utf8_lossy(&name)));
            }
            scanner.skip(NESTING_MAX * 2)?;
            if scanner.eat(b'}') {
                break;
            }
            scanner.expect(b',', "a comma or the end of the object")?;
        }
    }
    let end = scanner.at;
    let start = out.len();
    out.resize(start + bitmap_len(fields.len()), 0);
    for (position, (field, place)) in fields.iter().zip(places).enumerate() {
        match place {
            Some(place) => {
                scanner.at = place;
                field_value(field, position, start, scanner, out)?;
            }
            None => null(field, position, start, out)?,
        }
    }
    scanner.at = end;
    Ok(())
}

/// Appends the text of a string that must be next, with its length in front.
#[inline]
fn text(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let at = scanner.at;
    let (inner, escaped) = scanner.string()?;
    if !escaped {
        out.extend_from_slice(&len_u32(inner.len())?);
        out.extend_from_slice(inner);
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    unescape(inner, at, out)?;
    let len = len_u32(out.len() - start - 4)?;
    let slot = out.get_mut(start..);
    if let Some(slot) = slot.and_then(<[u8]>::first_chunk_mut::<4>) {
        *slot = len;
    }
    Ok(())
}

/// Appends the text of a string that must be next.
fn plain_text(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let at = scanner.at;
    let (inner, escaped) = scanner.string()?;
    if escaped {
        return unescape(inner, at, out);
    }
    out.extend_from_slice(inner);
    Ok(())
}

#[inline]
fn scalar(schema: &Schema, scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    match &schema.kind {
        Kind::Int8 => {
            let number: i8 = integer("int8", scanner)?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Kind::Int16 => {
            let number: i16 = integer("int16", scanner)?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Kind::Int32 => {
            let number: i32 = integer("int32", scanner)?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Kind::Int64 => {
            let number: i64 = integer("int64", scanner)?;
            out.extend_from_slice(&number.to_le_bytes());
        }
        Kind::Float32 => {
            let number: f32 = float("float", f32::is_finite, scanner)?;
            append_float32(number, out);
        }
        Kind::Float64 => {
            let number: f64 = float("double", f64::is_finite, scanner)?;
            append_float64(number, out);
        }
        Kind::Boolean => match scanner.peek() {
            Some(b't') => {
                scanner.literal("true")?;
                append_boolean(true, out);
            }
            Some(b'f') => {
                scanner.literal("false")?;
                append_boolean(false, out);
            }
            _ => return Err(mismatch("boolean", scanner)),
        },
        Kind::String => {
            if scanner.peek() != Some(b'"') {
                return Err(mismatch("string", scanner));
            }
            text(scanner, out)?;
        }
        Kind::Bytes => base64(scanner, out)?,
        Kind::Array(_) | Kind::Map(..) | Kind::Struct(_) => {
            return Err(mismatch(schema.type_name(), scanner));
        }
    }
    Ok(())
}

/// Reads a number without fraction and exponent.
#[inline]
fn integer<N: TryFrom<i64>>(
    expected: &'static str,
    scanner: &mut Scanner<'_>,
) -> Result<N, JsonError> {
    if !matches!(scanner.peek(), Some(b'-' | b'0'..=b'9')) {
        return Err(mismatch(expected, scanner));
    }
    let at = scanner.at;
    let (digits, whole) = scanner.number()?;
    if !whole {
        return Err(invalid(expected, at));
    }
    let number = if digits.len() <= 18 {
        let (negative, digits) = match digits {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, digits),
        };
        let number = digits
            .iter()
            .fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Some(if negative { -number } else { number })
    } else {
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<i64>().ok())
    };
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| invalid(expected, at))
}

#[inline]
fn float<F: std::str::FromStr + Copy>(
    expected: &'static str,
    is_finite: fn(F) -> bool,
    scanner: &mut Scanner<'_>,
) -> Result<F, JsonError> {
    let at = scanner.at;
    let text = match scanner.peek() {
        Some(b'"') => match scanner.string()?.0 {
            b"NaN" => "NaN",
            b"Infinity" => "inf",
            b"-Infinity" => "-inf",
            _ => return Err(invalid(expected, at)),
        },
        Some(b'-' | b'0'..=b'9') => {
            let digits = std::str::from_utf8(scanner.number()?.0).unwrap_or_default();
            let number = digits.parse().ok().filter(|number| is_finite(*number));
            return number.ok_or_else(|| invalid(expected, at));
        }
        _ => return Err(mismatch(expected, scanner)),
    };
    text.parse().map_err(|_| invalid(expected, at))
}

fn base64(scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    if scanner.peek() != Some(b'"') {
        return Err(mismatch("bytes", scanner));
    }
    let at = scanner.at;
    let mut encoded = Vec::new();
    plain_text(scanner, &mut encoded)?;
    let bytes = STANDARD
        .decode(&encoded)
        .map_err(|_| invalid("base64 text", at))?;
    out.extend_from_slice(&len_u32(bytes.len())?);
    out.extend_from_slice(&bytes);
    Ok(())
}

fn logical_value(
    schema: &Schema,
    logical: Logical,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
) -> Result<(), JsonError> {
    let expected = match logical {
        Logical::Decimal { .. } => "decimal",
        Logical::Date => "date",
        Logical::Time => "time",
        Logical::Timestamp | Logical::TimestampMicros | Logical::TimestampNanos => "timestamp",
    };
    if scanner.peek() != Some(b'"') {
        return Err(mismatch(expected, scanner));
    }
    let at = scanner.at;
    let (text, _) = scanner.string()?;
    let wrong = || invalid(expected, at);
    match logical {
        Logical::Decimal { scale } => {
            let bytes = decimal::parse(text, scale).ok_or_else(wrong)?;
            crate::row::append_bytes(schema, &bytes, out)?;
        }
        Logical::Date => {
            let days = time::parse_date(text).and_then(|days| i32::try_from(days).ok());
            out.extend_from_slice(&days.ok_or_else(wrong)?.to_le_bytes());
        }
        Logical::Time => {
            let ms = time::parse_time(text, 3).and_then(|ms| i32::try_from(ms).ok());
            out.extend_from_slice(&ms.ok_or_else(wrong)?.to_le_bytes());
        }
        Logical::Timestamp => timestamp(text, 3, out).ok_or_else(wrong)?,
        Logical::TimestampMicros => timestamp(text, 6, out).ok_or_else(wrong)?,
        Logical::TimestampNanos => timestamp(text, 9, out).ok_or_else(wrong)?,
    }
    Ok(())
}

fn timestamp(text: &[u8], digits: u32, out: &mut Vec<u8>) -> Option<()> {
    let units = time::parse_timestamp(text, digits)?;
    out.extend_from_slice(&units.to_le_bytes());
    Some(())
}
