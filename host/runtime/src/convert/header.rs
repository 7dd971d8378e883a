//! Header values as text, in the manner of Connect's `SimpleHeaderConverter`.

use linkspan_plugin::batch::Data;
use linkspan_plugin::schema::Kind;

use crate::error::TaskError;
use crate::schemas::SchemaRegistry;

/// Appends the stored form of a header value to `out`; returns whether it is null.
pub(crate) fn write(
    data: &Data<'_>,
    schemas: &SchemaRegistry,
    out: &mut Vec<u8>,
) -> Result<bool, TaskError> {
    match data {
        Data::Null => return Ok(true),
        Data::Bytes(bytes) | Data::Json(bytes) => out.extend_from_slice(bytes),
        Data::Utf8(text) => out.extend_from_slice(text.as_bytes()),
        Data::Typed { schema, row } => {
            let entry = schemas
                .by_handle(*schema)
                .ok_or_else(|| TaskError::internal("header names an unknown schema"))?;
            let start = out.len();
            linkspan_plugin::json::row_to_json(&entry.schema, row, out)
                .map_err(|error| TaskError::data(format!("header: {error}")))?;
            if out.get(start..) == Some(b"null") {
                out.truncate(start);
                return Ok(true);
            }
            if matches!(entry.schema.kind, Kind::String) && entry.schema.name.is_none() {
                unquote(out, start);
            }
        }
        Data::Tagged(bytes) => {
            let start = out.len();
            linkspan_plugin::tagged::to_json(bytes, out)
                .map_err(|error| TaskError::data(format!("header: {error}")))?;
            if out.get(start) == Some(&b'"') {
                unquote(out, start);
            }
        }
    }
    Ok(false)
}

/// Replaces the JSON string that begins at `start` by its text.
fn unquote(out: &mut Vec<u8>, start: usize) {
    let text: Option<String> = out
        .get(start..)
        .and_then(|json| serde_json::from_slice(json).ok());
    if let Some(text) = text {
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
}
