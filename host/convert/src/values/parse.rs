//! From text to a value, `Values.parseString`.

use std::sync::Arc;

use super::convert_to;
use super::merge::Merger;
use super::token::{Tokens, is_blank, trim};
use crate::schema::NESTING_MAX;
use crate::{Decimal, Error, Kind, Map, Refusal, Schema, SchemaAndValue, Value, calendar};

/// `HH:mm:ss.SSS'Z'`
const TIME_LEN: usize = 13;
/// `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`
const TIMESTAMP_LEN: usize = 24;
/// `yyyy-MM-dd`
const DATE_LEN: usize = 10;
/// The largest power of ten that an integer of 64 bits can hold; beyond, a number is a decimal or a float.
const LONG_DIGITS: i64 = 19;

/// Reads a text: `null`, booleans, the smallest integer type that fits, floats and decimals, dates and times, lists and
/// maps of these; everything else is the string itself.
///
/// # Errors
/// Connect drops what follows a finished value; that is refused.
pub fn parse_string(text: &str) -> Result<SchemaAndValue, Error> {
    if text.is_empty() {
        return Ok(string(text));
    }
    let mut parser = Parser {
        tokens: Tokens::new(text),
    };
    let (parsed, whole) = parser.top();
    if !whole && !is_blank(parser.tokens.rest()) {
        return Err(Error::refused(
            Refusal::TextAfterToken,
            format!(
                "text follows a value of type {} at byte {}",
                parsed.value.type_name(),
                parser.tokens.mark()
            ),
        ));
    }
    Ok(parsed)
}

fn string(text: &str) -> SchemaAndValue {
    plain(Kind::String, Value::string(text))
}

fn plain(kind: Kind, value: Value) -> SchemaAndValue {
    SchemaAndValue::new(Some(Arc::new(Schema::new(kind))), value)
}

/// Says that the text is no list or map after all; the whole becomes a string.
struct NoValue;

struct Parser<'a> {
    tokens: Tokens<'a>,
}

impl Parser<'_> {
    /// Reads a value at the top; the flag says that it is the whole text whatever was taken.
    fn top(&mut self) -> (SchemaAndValue, bool) {
        let found = self.literal(false).or_else(|| self.nested(0));
        if let Some(found) = found {
            return (found, false);
        }
        let token = self.tokens.next();
        if is_blank(token) {
            return (string(token), false);
        }
        match self.token(trim(token)) {
            Some(found) => (found, false),
            None => (string(self.tokens.text()), true),
        }
    }

    /// Reads an item of a list, or a key or value of a map.
    fn embedded(&mut self, depth: usize) -> Result<SchemaAndValue, NoValue> {
        if depth > NESTING_MAX {
            return Err(NoValue);
        }
        if !self.tokens.has_next() {
            return Ok(SchemaAndValue::NULL);
        }
        if self.tokens.take("\"") {
            return Ok(self.quoted());
        }
        if let Some(found) = self.literal(true).or_else(|| self.nested(depth)) {
            return Ok(found);
        }
        let token = self.tokens.next();
        if is_blank(token) {
            return Ok(string(token));
        }
        self.token(trim(token)).ok_or(NoValue)
    }

    /// Reads `null`, `true` or `false`; at the top nothing may follow.
    fn literal(&mut self, embedded: bool) -> Option<SchemaAndValue> {
        let start = self.tokens.mark();
        let words = [("null", None), ("true", Some(true)), ("false", Some(false))];
        for (word, value) in words {
            if self.tokens.take(word) && (embedded || !self.tokens.has_next()) {
                return Some(match value {
                    None => SchemaAndValue::NULL,
                    Some(value) => plain(Kind::Boolean, Value::Boolean(value)),
                });
            }
            self.tokens.rewind(start);
        }
        None
    }

    fn nested(&mut self, depth: usize) -> Option<SchemaAndValue> {
        let start = self.tokens.mark();
        let read = if self.tokens.take("[") {
            self.array(depth)
        } else if self.tokens.take("{") {
            self.map(depth)
        } else {
            return None;
        };
        if read.is_err() {
            self.tokens.rewind(start);
        }
        read.ok()
    }

    fn array(&mut self, depth: usize) -> Result<SchemaAndValue, NoValue> {
        let mut items = Vec::new();
        let mut merger = Merger::default();
        while self.tokens.has_next() {
            if self.tokens.take("]") {
                let item = merger.schema().cloned();
                let items = align(item.as_ref(), items)?;
                return Ok(plain(Kind::Array(item), Value::array(items)));
            }
            if self.tokens.take(",") {
                return Err(NoValue);
            }
            let item = self.embedded(depth + 1)?;
            merger.add(&item);
            items.push(item.value);
            let place = self.tokens.mark();
            if self.tokens.take("]") {
                self.tokens.rewind(place);
            } else if !self.tokens.take(",") {
                return Err(NoValue);
            }
        }
        Err(NoValue)
    }

    fn map(&mut self, depth: usize) -> Result<SchemaAndValue, NoValue> {
        let mut map = Map::new();
        let mut keys = Merger::default();
        let mut values = Merger::default();
        while self.tokens.has_next() {
            if self.tokens.take("}") {
                let (keys, values) = (keys.schema().cloned(), values.schema().cloned());
                // Without a schema of the keys Connect gives none to the values either.
                let values = keys.as_ref().and(values);
                let map = align_map(keys.as_ref(), values.as_ref(), &map)?;
                return Ok(plain(Kind::Map(keys, values), Value::from(map)));
            }
            if self.tokens.take(",") {
                return Err(NoValue);
            }
            let key = self.embedded(depth + 1)?;
            if key.value.is_null() || !self.tokens.take(":") {
                return Err(NoValue);
            }
            let value = self.embedded(depth + 1)?;
            keys.add(&key);
            values.add(&value);
            map.insert(key.value, value.value);
            self.tokens.take(",");
        }
        Err(NoValue)
    }

    /// Reads up to the closing quote; escapes stay as they are.
    fn quoted(&mut self) -> SchemaAndValue {
        let mut content = String::new();
        while self.tokens.has_next() && !self.tokens.take("\"") {
            content.push_str(self.tokens.next());
        }
        temporal(&content).unwrap_or_else(|| string(&content))
    }

    /// Reads a date, a time, which a colon divides into five tokens, or a number.
    fn token(&mut self, token: &str) -> Option<SchemaAndValue> {
        let first = token.chars().next()?;
        let digit = crate::decimal::digit_of(first).is_some();
        if digit {
            let place = self.tokens.mark();
            if let Some(rest) = self.tokens.next_text(4) {
                if let Some(found) = temporal(&format!("{token}{rest}")) {
                    return Some(found);
                }
                self.tokens.rewind(place);
            }
            if let Some(found) = temporal(token) {
                return Some(found);
            }
        }
        if digit || matches!(first, '+' | '-') {
            return number(token);
        }
        None
    }
}

fn align(item: Option<&Arc<Schema>>, items: Vec<Value>) -> Result<Vec<Value>, NoValue> {
    let Some(item) = item else { return Ok(items) };
    let items = items
        .iter()
        .map(|value| convert_to(item, None, value).map_err(|_| NoValue));
    items.collect()
}

fn align_map(
    keys: Option<&Arc<Schema>>,
    values: Option<&Arc<Schema>>,
    map: &Map,
) -> Result<Map, NoValue> {
    let one = |schema: Option<&Arc<Schema>>, value: &Value| match schema {
        Some(schema) => convert_to(schema, None, value).map_err(|_| NoValue),
        None => Ok(value.clone()),
    };
    let entries = map
        .iter()
        .map(|(key, value)| Ok((one(keys, key)?, one(values, value)?)));
    entries.collect()
}

/// Reads an ISO 8601 date, time or timestamp, chosen by the length of the text.
fn temporal(text: &str) -> Option<SchemaAndValue> {
    let text = text.replace("\\:", ":");
    let (schema, ms) = match text.chars().map(char::len_utf16).sum::<usize>() {
        TIME_LEN => (Schema::time(), calendar::read_time(&text)?),
        TIMESTAMP_LEN => (Schema::timestamp(), calendar::read_timestamp(&text)?),
        DATE_LEN => (Schema::date(), calendar::read_date(&text)?),
        _ => return None,
    };
    Some(SchemaAndValue::new(
        Some(Arc::new(schema)),
        Value::Instant(ms),
    ))
}

/// Reads a number: the smallest integer type, else a float with a fraction or an exponent, else a decimal.
fn number(text: &str) -> Option<SchemaAndValue> {
    let number = Decimal::parse(text).ok()?;
    if let Some(whole) = whole(&number) {
        return Some(smallest_integer(whole));
    }
    if number.scale() != 0 {
        let float32 = number.to_f32();
        if float32.is_finite() {
            return Some(plain(Kind::Float32, Value::Float32(float32)));
        }
        let float64 = number.to_f64();
        if float64.is_finite() {
            return Some(plain(Kind::Float64, Value::Float64(float64)));
        }
    }
    let schema = Arc::new(Schema::decimal(number.scale()));
    Some(SchemaAndValue::new(Some(schema), Value::from(number)))
}

/// Returns the number if it is whole and has at most 64 bits.
fn whole(number: &Decimal) -> Option<i64> {
    if i64::from(number.scale()) < -LONG_DIGITS {
        // Zero with many zeros behind it is still zero.
        return (number.unscaled().sign() == num_bigint::Sign::NoSign).then_some(0);
    }
    let whole = number.with_scale(0)?;
    i64::try_from(whole.unscaled()).ok()
}

fn smallest_integer(whole: i64) -> SchemaAndValue {
    if let Ok(value) = i8::try_from(whole) {
        plain(Kind::Int8, Value::Int8(value))
    } else if let Ok(value) = i16::try_from(whole) {
        plain(Kind::Int16, Value::Int16(value))
    } else if let Ok(value) = i32::try_from(whole) {
        plain(Kind::Int32, Value::Int32(value))
    } else {
        plain(Kind::Int64, Value::Int64(whole))
    }
}
