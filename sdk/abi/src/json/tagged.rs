//! Self-describing values as JSON: the forms of typed rows, without a schema to read them back by.

use super::{
    decimal, time,
    write::{scalar, string},
};
use crate::{row::ValueRef, tagged::Tagged};

/// Appends the JSON of a value that was decoded, and with it checked.
pub(crate) fn tagged_to_json(value: &Tagged, out: &mut Vec<u8>) {
    match value {
        Tagged::Null => out.extend_from_slice(b"null"),
        Tagged::Boolean(v) => scalar(ValueRef::Boolean(*v), out),
        Tagged::Int8(v) => scalar(ValueRef::Int8(*v), out),
        Tagged::Int16(v) => scalar(ValueRef::Int16(*v), out),
        Tagged::Int32(v) => scalar(ValueRef::Int32(*v), out),
        Tagged::Int64(v) => scalar(ValueRef::Int64(*v), out),
        Tagged::Float32(v) => scalar(ValueRef::Float32(*v), out),
        Tagged::Float64(v) => scalar(ValueRef::Float64(*v), out),
        Tagged::String(v) => string(v, out),
        Tagged::Bytes(v) => scalar(ValueRef::Bytes(v), out),
        Tagged::Array(items) => {
            let mut before = b'[';
            for item in items {
                out.push(before);
                before = b',';
                tagged_to_json(item, out);
            }
            out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
        }
        Tagged::Map(pairs) => map(pairs, out),
        Tagged::Decimal { unscaled, scale } => {
            quoted(out, |out| decimal::format(unscaled, *scale, out));
        }
        Tagged::Date(days) => quoted(out, |out| time::format_date(i64::from(*days), out)),
        Tagged::Time(ms) => quoted(out, |out| time::format_time(i64::from(*ms), 3, out)),
        Tagged::Timestamp(units) => quoted(out, |out| time::format_timestamp(*units, 3, out)),
        Tagged::TimestampMicros(units) => quoted(out, |out| time::format_timestamp(*units, 6, out)),
        Tagged::TimestampNanos(units) => quoted(out, |out| time::format_timestamp(*units, 9, out)),
    }
}

fn map(pairs: &[(Tagged, Tagged)], out: &mut Vec<u8>) {
    if pairs.is_empty() {
        out.extend_from_slice(b"{}");
        return;
    }
    let named = pairs
        .iter()
        .all(|(key, _)| matches!(key, Tagged::String(_)));
    let (open, close) = if named { (b'{', b'}') } else { (b'[', b']') };
    let mut before = open;
    for (key, value) in pairs {
        out.push(before);
        before = b',';
        if !named {
            out.push(b'[');
        }
        tagged_to_json(key, out);
        out.push(if named { b':' } else { b',' });
        tagged_to_json(value, out);
        if !named {
            out.push(b']');
        }
    }
    out.push(close);
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}
