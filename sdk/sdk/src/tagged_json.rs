//! The JSON of self-describing values: as a typed row's of the same type.

use linkspan_abi::{json::row_to_json, row::write_value, tagged::Tagged};

use crate::{Result, Schema, SchemaBuilder, Value};

/// Returns a scalar as a schema and a value of it, `None` for arrays and maps.
pub(crate) fn scalar(value: &Tagged) -> Option<(Schema, Value)> {
    let (builder, value) = match value {
        Tagged::Null | Tagged::Array(_) | Tagged::Map(_) => return None,
        Tagged::Boolean(flag) => (SchemaBuilder::boolean(), Value::Boolean(*flag)),
        Tagged::Int8(number) => (SchemaBuilder::int8(), Value::Int8(*number)),
        Tagged::Int16(number) => (SchemaBuilder::int16(), Value::Int16(*number)),
        Tagged::Int32(number) => (SchemaBuilder::int32(), Value::Int32(*number)),
        Tagged::Int64(number) => (SchemaBuilder::int64(), Value::Int64(*number)),
        Tagged::Float32(number) => (SchemaBuilder::float32(), Value::Float32(*number)),
        Tagged::Float64(number) => (SchemaBuilder::float64(), Value::Float64(*number)),
        Tagged::String(text) => (SchemaBuilder::string(), Value::String(text.clone())),
        Tagged::Bytes(bytes) => (SchemaBuilder::bytes(), Value::Bytes(bytes.clone())),
        Tagged::Decimal { unscaled, scale } => (
            SchemaBuilder::decimal(*scale),
            Value::Bytes(unscaled.clone()),
        ),
        Tagged::Date(days) => (SchemaBuilder::date(), Value::Int32(*days)),
        Tagged::Time(ms) => (SchemaBuilder::time(), Value::Int32(*ms)),
        Tagged::Timestamp(ms) => (SchemaBuilder::timestamp(), Value::Int64(*ms)),
        Tagged::TimestampMicros(us) => (SchemaBuilder::timestamp_micros(), Value::Int64(*us)),
        Tagged::TimestampNanos(ns) => (SchemaBuilder::timestamp_nanos(), Value::Int64(*ns)),
    };
    Some((builder.build(), value))
}

/// Appends the JSON. Maps whose keys are all texts are objects, others are arrays of pairs.
pub(crate) fn write_tagged(value: &Tagged, out: &mut Vec<u8>) -> Result<()> {
    match value {
        Tagged::Null => out.extend_from_slice(b"null"),
        Tagged::Array(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                comma(n, out);
                write_tagged(item, out)?;
            }
            out.push(b']');
        }
        Tagged::Map(pairs) => write_map(pairs, out)?,
        _ => write_scalar(value, out)?,
    }
    Ok(())
}

fn write_map(pairs: &[(Tagged, Tagged)], out: &mut Vec<u8>) -> Result<()> {
    let object = pairs
        .iter()
        .all(|(key, _)| matches!(key, Tagged::String(_)));
    out.push(if object { b'{' } else { b'[' });
    for (n, (key, value)) in pairs.iter().enumerate() {
        comma(n, out);
        if object {
            write_tagged(key, out)?;
            out.push(b':');
            write_tagged(value, out)?;
        } else {
            out.push(b'[');
            write_tagged(key, out)?;
            out.push(b',');
            write_tagged(value, out)?;
            out.push(b']');
        }
    }
    out.push(if object { b'}' } else { b']' });
    Ok(())
}

fn write_scalar(value: &Tagged, out: &mut Vec<u8>) -> Result<()> {
    if let Some((schema, value)) = scalar(value) {
        let mut row = Vec::new();
        write_value(&schema, &value, &mut row)?;
        row_to_json(&schema, &row, out)?;
    }
    Ok(())
}

fn comma(n: usize, out: &mut Vec<u8>) {
    if n > 0 {
        out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_values_have_json() {
        let value = Tagged::Map(vec![
            (Tagged::String("d".to_owned()), Tagged::Date(0)),
            (
                Tagged::String("xs".to_owned()),
                Tagged::Array(vec![Tagged::Int8(1), Tagged::Null, Tagged::Boolean(true)]),
            ),
            (
                Tagged::String("odd".to_owned()),
                Tagged::Map(vec![(Tagged::Int32(1), Tagged::Float64(0.5))]),
            ),
        ]);
        let mut out = Vec::new();
        write_tagged(&value, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"d":"1970-01-01","xs":[1,null,true],"odd":[[1,0.5]]}"#
        );
    }
}
