//! Self-describing values as values of Connect's types.

use linkspan_abi::tagged::Tagged;

use crate::Value;

/// Returns the value; arrays and maps keep their structure, logical types become their physical ones.
pub(crate) fn to_value(value: Tagged) -> Value {
    match value {
        Tagged::Null => Value::Null,
        Tagged::Boolean(flag) => Value::Boolean(flag),
        Tagged::Int8(number) => Value::Int8(number),
        Tagged::Int16(number) => Value::Int16(number),
        Tagged::Int32(number) | Tagged::Date(number) | Tagged::Time(number) => Value::Int32(number),
        Tagged::Int64(number)
        | Tagged::Timestamp(number)
        | Tagged::TimestampMicros(number)
        | Tagged::TimestampNanos(number) => Value::Int64(number),
        Tagged::Float32(number) => Value::Float32(number),
        Tagged::Float64(number) => Value::Float64(number),
        Tagged::String(text) => Value::String(text),
        Tagged::Bytes(bytes)
        | Tagged::Decimal {
            unscaled: bytes, ..
        } => Value::Bytes(bytes),
        Tagged::Array(items) => Value::Array(items.into_iter().map(to_value).collect()),
        Tagged::Map(pairs) => {
            let pairs = pairs
                .into_iter()
                .map(|(key, value)| (to_value(key), to_value(value)));
            Value::Map(pairs.collect())
        }
    }
}
