//! Reading the vectors, and comparing.

use std::fmt::{Debug, Display};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use libtest_mimic::Failed;
use serde_json::Value;

/// Reads a file of one JSON value a line; an empty one is an error.
pub(crate) fn lines(path: &Path) -> Result<Vec<Value>, String> {
    let about = |error: &dyn Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| about(&error))?;
    let values: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    match values {
        Ok(values) if values.is_empty() => Err(about(&"no vector")),
        Ok(values) => Ok(values),
        Err(error) => Err(about(&error)),
    }
}

pub(crate) fn same<T: PartialEq + Debug>(
    what: &str,
    found: &T,
    expected: &T,
) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}").into())
}

/// An error with all its causes, as one line.
pub(crate) fn chain(error: impl std::error::Error) -> Failed {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text.into()
}

/// The form of bytes in the vectors.
pub(crate) fn encoded(bytes: Option<&[u8]>) -> Value {
    bytes.map_or(Value::Null, |bytes| BASE64.encode(bytes).into())
}

/// The inverse of [`encoded`].
pub(crate) fn bytes(json: &Value) -> Result<Option<Vec<u8>>, Failed> {
    match json {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(BASE64.decode(text)?)),
        other => Err(format!("`{other}` are no bytes").into()),
    }
}

pub(crate) fn field<'a>(json: &'a Value, name: &str) -> Result<&'a Value, Failed> {
    json.get(name)
        .ok_or_else(|| format!("the vector has no `{name}`").into())
}

pub(crate) fn number<T>(json: &Value, name: &str) -> Result<T, Failed>
where
    T: TryFrom<i64>,
    T::Error: Display,
{
    let value = field(json, name)?
        .as_i64()
        .ok_or_else(|| format!("`{name}` is no integer"))?;
    T::try_from(value).map_err(|error| format!("`{name}`: {error}").into())
}

pub(crate) fn text<'a>(json: &'a Value, name: &str) -> Result<&'a str, Failed> {
    field(json, name)?
        .as_str()
        .ok_or_else(|| format!("`{name}` is no text").into())
}

pub(crate) fn list<'a>(json: &'a Value, name: &str) -> Result<&'a Vec<Value>, Failed> {
    field(json, name)?
        .as_array()
        .ok_or_else(|| format!("`{name}` is no list").into())
}
