//! JSON of nested typed values, for columns that hold JSON.
//!
//! The same forms as the host stores: decimals and times as text, bytes as base64, maps with text keys as objects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linkspan_sdk::{Kind, Logical, Schema, ValueRef};

use super::cell::{Moment, Unfit};
use super::meaning::Unit;
use super::text;

/// Appends a value as JSON.
pub(super) fn write(schema: &Schema, value: &ValueRef<'_>, out: &mut String) -> Result<(), Unfit> {
    match value {
        ValueRef::Null => out.push_str("null"),
        ValueRef::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        ValueRef::String(text) => write_text(text, out),
        ValueRef::Bytes(bytes) => match schema.logical() {
            Some(Logical::Decimal { scale }) => {
                out.push('"');
                text::push_decimal(bytes, scale, out);
                out.push('"');
            }
            _ => write_text(&STANDARD.encode(bytes), out),
        },
        ValueRef::Float32(number) if !number.is_finite() => {
            write_text(text::not_finite(f64::from(*number)), out)
        }
        ValueRef::Float64(number) if !number.is_finite() => {
            write_text(text::not_finite(*number), out)
        }
        ValueRef::Float32(number) => out.push_str(ryu::Buffer::new().format_finite(*number)),
        ValueRef::Float64(number) => out.push_str(ryu::Buffer::new().format_finite(*number)),
        ValueRef::Int8(number) => text::push_int(i64::from(*number), out),
        ValueRef::Int16(number) => text::push_int(i64::from(*number), out),
        ValueRef::Int32(number) => match schema.logical() {
            Some(Logical::Date) => quoted(out, |out| text::push_date(i64::from(*number), out)),
            Some(Logical::Time) => quoted(out, |out| {
                text::push_time(i64::from(*number) * 1_000_000, out)
            }),
            _ => text::push_int(i64::from(*number), out),
        },
        ValueRef::Int64(number) => match schema.logical() {
            Some(Logical::Timestamp) => instant(*number, Unit::Millis, out),
            Some(Logical::TimestampMicros) => instant(*number, Unit::Micros, out),
            Some(Logical::TimestampNanos) => instant(*number, Unit::Nanos, out),
            _ => text::push_int(*number, out),
        },
        ValueRef::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                comma(n, out);
                let item = item.map_err(|error| Unfit(error.to_string().into()))?;
                write(items.item_schema(), &item, out)?;
            }
            out.push(']');
        }
        ValueRef::Map(pairs) => write_map(pairs, out)?,
        ValueRef::Struct(row) => {
            out.push('{');
            for (n, field) in row.iter().enumerate() {
                let (field, value) = field.map_err(|error| Unfit(error.to_string().into()))?;
                comma(n, out);
                write_text(&field.name, out);
                out.push(':');
                write(&field.schema, &value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_map(pairs: &linkspan_sdk::MapRef<'_>, out: &mut String) -> Result<(), Unfit> {
    let (keys, values) = pairs.schemas();
    let named = matches!(keys.kind, Kind::String);
    out.push(if named { '{' } else { '[' });
    for (n, pair) in pairs.iter().enumerate() {
        let (key, value) = pair.map_err(|error| Unfit(error.to_string().into()))?;
        comma(n, out);
        if named {
            write(keys, &key, out)?;
            out.push(':');
            write(values, &value, out)?;
        } else {
            out.push('[');
            write(keys, &key, out)?;
            out.push(',');
            write(values, &value, out)?;
            out.push(']');
        }
    }
    out.push(if named { '}' } else { ']' });
    Ok(())
}

fn comma(n: usize, out: &mut String) {
    if n > 0 {
        out.push(',');
    }
}

fn quoted(out: &mut String, write: impl FnOnce(&mut String)) {
    out.push('"');
    write(out);
    out.push('"');
}

fn instant(value: i64, unit: Unit, out: &mut String) {
    quoted(out, |out| {
        text::push_moment(Moment::from_units(value, unit), 'T', out);
        out.push('Z');
    });
}

/// Appends a text as JSON.
pub(super) fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
