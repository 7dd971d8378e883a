//! Connect's class `Values`: between typed values and the text that shows their type.
//!
//! ```text
//! to_string     value ─► text      strings bare at the top, quoted inside; lists [a,b], maps {"k":v}; dates by magnitude
//! parse_string  text ─► value      the smallest integer type, dates, lists, maps; all else a string
//! convert_to    value ─► another type
//! ```

mod convert;
mod merge;
mod parse;
mod token;

pub use convert::convert_to;
pub use parse::parse_string;

use std::fmt::Write as _;

use crate::{Map, Value, base64, calendar, java};

/// Returns the text of a value, `Values.convertToString`; null is `null`.
#[must_use]
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    append(value, false, &mut out);
    out
}

fn append(value: &Value, embedded: bool, out: &mut String) {
    let _infallible = match value {
        Value::Null => write!(out, "null"),
        Value::Int8(v) => write!(out, "{v}"),
        Value::Int16(v) => write!(out, "{v}"),
        Value::Int32(v) => write!(out, "{v}"),
        Value::Int64(v) => write!(out, "{v}"),
        Value::Boolean(v) => write!(out, "{v}"),
        Value::Decimal(v) => write!(out, "{v}"),
        Value::Float32(v) => {
            java::float32(*v, out);
            Ok(())
        }
        Value::Float64(v) => {
            java::float64(*v, out);
            Ok(())
        }
        Value::String(text) => {
            text_value(text, embedded, out);
            Ok(())
        }
        Value::Bytes(bytes) => {
            if embedded {
                out.push('"');
            }
            base64::encode(bytes, out);
            if embedded {
                out.push('"');
            }
            Ok(())
        }
        Value::Instant(ms) => {
            calendar::write_by_magnitude(*ms, out);
            Ok(())
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                append(item, true, out);
            }
            out.push(']');
            Ok(())
        }
        Value::Map(map) => {
            entries(map, out);
            Ok(())
        }
        Value::Struct(row) => {
            out.push('{');
            for (index, field) in row.schema().fields().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                text_value(&field.name, true, out);
                out.push(':');
                append(row.at(index), true, out);
            }
            out.push('}');
            Ok(())
        }
    };
}

fn entries(map: &Map, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        append(key, true, out);
        out.push(':');
        append(value, true, out);
    }
    out.push('}');
}

fn text_value(text: &str, embedded: bool, out: &mut String) {
    if !embedded {
        out.push_str(text);
        return;
    }
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}
