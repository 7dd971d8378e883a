//! The header converter `simple`: Connect's SimpleHeaderConverter.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, Kind, Schema, SchemaAndValue, Value, values};

/// Returns the text of a header value, null for null.
///
/// # Errors
/// Every value has a text; an error is a bug of the caller's value.
pub(super) fn from_connect(value: &Value) -> Result<Option<Bytes>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(Bytes::from(values::to_string(value))))
}

/// Reads the text of a header value; an empty one is an empty string.
///
/// # Errors
/// Text after a finished value is refused.
pub(super) fn to_connect(bytes: Option<&[u8]>) -> Result<SchemaAndValue, Error> {
    let Some(bytes) = bytes else {
        return Ok(SchemaAndValue::NULL);
    };
    let text = String::from_utf8_lossy(bytes);
    if text.is_empty() {
        let schema = Arc::new(Schema::new(Kind::String));
        return Ok(SchemaAndValue::new(Some(schema), Value::string("")));
    }
    values::parse_string(&text)
}
