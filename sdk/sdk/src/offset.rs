//! Source partitions and source offsets: a source's own positions.
//!
//! Both are JSON objects. A partition names a part of the source (a file, a table), an offset a place in it. They are written by
//! [`crate::BatchBuilder::offset`] in the same atomic commit as the records, and read when a task opens.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The key under which a partition that is a bare text stands.
const BARE_KEY: &str = "partition";

/// Names a part of a source: a map, written as canonical JSON (keys sorted), so that equal maps are one partition.
///
/// # Examples
/// ```
/// use linkspan_sdk::SourcePartition;
///
/// assert_eq!(SourcePartition::from("clock").as_json(), r#"{"partition":"clock"}"#);
/// let file = SourcePartition::from([("filename", "a.csv")]);
/// assert_eq!(file.get_str("filename"), Some("a.csv"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SourcePartition {
    fields: BTreeMap<String, Value>,
    json: String,
}

impl SourcePartition {
    /// Makes a partition of a map.
    #[must_use]
    pub fn new(fields: BTreeMap<String, Value>) -> Self {
        let json = canonical(&fields);
        Self { fields, json }
    }

    /// Returns the canonical JSON.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// Returns a field.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key)
    }

    /// Returns a field that is a text.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }
}

impl fmt::Debug for SourcePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

impl Default for SourcePartition {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl From<&str> for SourcePartition {
    fn from(name: &str) -> Self {
        Self::from([(BARE_KEY, name)])
    }
}

impl From<String> for SourcePartition {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<&SourcePartition> for SourcePartition {
    fn from(partition: &SourcePartition) -> Self {
        partition.clone()
    }
}

impl<K: Into<String>, V: Into<OffsetValue>, const N: usize> From<[(K, V); N]> for SourcePartition {
    fn from(fields: [(K, V); N]) -> Self {
        Self::new(
            fields
                .into_iter()
                .map(|(key, value)| (key.into(), value.into().0))
                .collect(),
        )
    }
}

impl From<BTreeMap<String, Value>> for SourcePartition {
    fn from(fields: BTreeMap<String, Value>) -> Self {
        Self::new(fields)
    }
}

/// A value inside of a source partition or a source offset.
///
/// Wrap values of different types with it: `[("position", OffsetValue::from(5_u64)), ("head", "ab".into())]`.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetValue(pub(crate) Value);

macro_rules! offset_value {
    ($($from:ty),* $(,)?) => {$(
        impl From<$from> for OffsetValue {
            fn from(value: $from) -> Self {
                Self(Value::from(value))
            }
        }
    )*};
}

offset_value!(
    u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f64, bool, &str, String, Value
);

impl<T: Into<OffsetValue>> From<Option<T>> for OffsetValue {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self(Value::Null), Into::into)
    }
}

/// A committed offset as it is read back.
///
/// Reading it may have failed; then every accessor returns that error, so that a source never starts over by accident.
#[derive(Debug)]
pub struct OffsetView(Result<Option<Map<String, Value>>>);

impl OffsetView {
    pub(crate) const fn new(read: Result<Option<Map<String, Value>>>) -> Self {
        Self(read)
    }

    pub(crate) fn parse(json: &str) -> Result<Map<String, Value>> {
        serde_json::from_str(json).map_err(|error| Error::from(error).context("source offset"))
    }

    /// Returns the offset as it is stored, `None` where nothing is committed.
    ///
    /// # Errors
    /// The host could not read it.
    pub fn raw(&self) -> Result<Option<&Map<String, Value>>> {
        match &self.0 {
            Ok(map) => Ok(map.as_ref()),
            Err(error) => Err(Error::from_abi(&error.to_abi())),
        }
    }

    /// Returns whether an offset is committed.
    ///
    /// # Errors
    /// The host could not read it.
    pub fn is_some(&self) -> Result<bool> {
        Ok(self.raw()?.is_some())
    }

    fn field<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(map) = self.raw()? else {
            return Ok(None);
        };
        match map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| {
                Error::data_invalid(format!("source offset: `{key}` is not {wanted}"))
            }),
        }
    }

    /// Returns a field as a number without sign, `None` where nothing is committed or the field is missing.
    ///
    /// # Errors
    /// The field is something else, or the host could not read the offset.
    pub fn u64(&self, key: &str) -> Result<Option<u64>> {
        self.field(key, "a number without sign", Value::as_u64)
    }

    /// Returns a field as a whole number.
    ///
    /// # Errors
    /// As [`OffsetView::u64`].
    pub fn i64(&self, key: &str) -> Result<Option<i64>> {
        self.field(key, "a whole number", Value::as_i64)
    }

    /// Returns a field as a number.
    ///
    /// # Errors
    /// As [`OffsetView::u64`].
    pub fn f64(&self, key: &str) -> Result<Option<f64>> {
        self.field(key, "a number", Value::as_f64)
    }

    /// Returns a field as true or false.
    ///
    /// # Errors
    /// As [`OffsetView::u64`].
    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.field(key, "true or false", Value::as_bool)
    }

    /// Returns a field as a text.
    ///
    /// # Errors
    /// As [`OffsetView::u64`].
    pub fn str(&self, key: &str) -> Result<Option<String>> {
        self.field(key, "a text", |value| value.as_str().map(str::to_owned))
    }

    /// Reads the whole offset into a type of the author's.
    ///
    /// # Errors
    /// The offset does not fit the type, or the host could not read it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let Some(map) = self.raw()? else {
            return Ok(None);
        };
        serde_json::from_value(Value::Object(map.clone()))
            .map(Some)
            .map_err(|error| Error::from(error).context("source offset"))
    }
}

pub(crate) fn canonical(fields: &impl Serialize) -> String {
    // A map of JSON values with text keys always has a JSON form.
    serde_json::to_string(fields).unwrap_or_else(|_| "{}".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_partitions_have_one_json() {
        let a = SourcePartition::from([("b", OffsetValue::from(1_u64)), ("a", "x".into())]);
        let b = SourcePartition::from([("a", OffsetValue::from("x")), ("b", 1_u64.into())]);
        assert_eq!(a.as_json(), b.as_json());
        let read = serde_json::from_str(r#"{"b":1, "a":"x"}"#).unwrap();
        assert_eq!(SourcePartition::new(read), a);
    }

    #[test]
    fn a_field_of_another_type_is_an_error_not_a_fresh_start() {
        let view = OffsetView::new(OffsetView::parse(r#"{"next":"seven","at":7}"#).map(Some));
        assert!(view.u64("next").is_err());
        assert_eq!(view.u64("at").unwrap(), Some(7));
        assert_eq!(view.u64("other").unwrap(), None);
        let failed = OffsetView::new(Err(Error::unavailable("log closed")));
        assert!(failed.is_some().unwrap_err().is_temporary());
        assert!(failed.u64("next").is_err());
    }
}
