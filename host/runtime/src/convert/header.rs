//! Header values as stored bytes. `auto` keeps bytes, text and JSON and writes all else as `simple` does, the way of
//! Connect's `SimpleHeaderConverter`.

use linkspan_convert::{Converter, Value, values};
use linkspan_plugin::batch::Data;

use super::typed::{Models, data_error};
use crate::error::TaskError;

/// Appends the stored form of a header value to `out`; returns whether it is null.
pub(crate) fn write(
    data: &Data<'_>,
    converter: &Converter,
    models: &mut Models,
    out: &mut Vec<u8>,
) -> Result<bool, TaskError> {
    if converter.is_host() {
        match data {
            Data::Null => return Ok(true),
            Data::Bytes(bytes) | Data::Json(bytes) => out.extend_from_slice(bytes),
            Data::Utf8(text) => out.extend_from_slice(text.as_bytes()),
            Data::Typed { .. } | Data::Tagged(_) => match models.read(data)?.value {
                Value::Null => return Ok(true),
                value => out.extend_from_slice(values::to_string(&value).as_bytes()),
            },
        }
        return Ok(false);
    }
    let value = models.read(data)?;
    let stored = converter.from_connect(value.schema.as_ref(), &value.value);
    match stored.map_err(|error| data_error(&error))? {
        None => Ok(true),
        Some(bytes) => {
            out.extend_from_slice(&bytes);
            Ok(false)
        }
    }
}
