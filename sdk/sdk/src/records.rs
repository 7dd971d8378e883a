//! Records into a sink or a transform, read in place.

use std::sync::Arc;

use linkspan_abi::{
    batch::{Data, Headers, SinkBatch, SinkRecord, SinkRecords},
    row::{ValueRef, is_null},
    tagged,
};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::{
    Error, Progress, Result, Row, Schema, TopicName, TopicPartition, Value, row::schema_of,
    tagged_value::to_value,
};

/// The records of one call: an iterator that copies nothing. Clone it to go over them twice.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    records: SinkRecords<'a, 'a>,
    next_index: u32,
}

impl<'a> Records<'a> {
    pub(crate) fn new(batch: &'a SinkBatch<'a>) -> Self {
        Self {
            records: batch.records(),
            next_index: 0,
        }
    }

    /// Returns the progress of a sink that has brought all of these records outside: per partition the offset after its last
    /// record here. Call it before iterating.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::none();
        let mut last: Option<SinkRecord<'a>> = None;
        for record in self.records.clone() {
            if let Some(done) = last.filter(|last| last.group != record.group) {
                note(&mut progress, &done);
            }
            last = Some(record);
        }
        if let Some(done) = last {
            note(&mut progress, &done);
        }
        progress
    }
}

/// Two groups of one partition may follow each other: the greater offset counts.
fn note(progress: &mut Progress, record: &SinkRecord<'_>) {
    let at = TopicPartition::new(TopicName::trusted(record.original_topic), record.partition);
    let next = record.offset.saturating_add(1);
    if progress.next(&at).is_none_or(|known| known < next) {
        progress.set(at, next, "");
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        let inner = self.records.next()?;
        let index = self.next_index;
        self.next_index += 1;
        Some(Record { inner, index })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl ExactSizeIterator for Records<'_> {}

impl<'a> IntoIterator for &Records<'a> {
    type Item = Record<'a>;
    type IntoIter = Records<'a>;

    fn into_iter(self) -> Records<'a> {
        self.clone()
    }
}

/// A record with its coordinates.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    inner: SinkRecord<'a>,
    index: u32,
}

impl<'a> Record<'a> {
    /// Returns the topic that the record has now; a transform may have changed it.
    #[must_use]
    pub const fn topic(&self) -> &'a str {
        self.inner.topic
    }

    /// Returns the topic that the record was read from: with partition and offset, its coordinates.
    #[must_use]
    pub const fn original_topic(&self) -> &'a str {
        self.inner.original_topic
    }

    /// Returns the id of the topic that the record was read from.
    #[must_use]
    pub const fn topic_id(&self) -> [u8; 16] {
        self.inner.topic_id
    }

    /// Returns the partition that the record was read from.
    #[must_use]
    pub const fn partition(&self) -> i32 {
        self.inner.partition
    }

    /// Returns the offset that the record was read from.
    #[must_use]
    pub const fn offset(&self) -> i64 {
        self.inner.offset
    }

    /// Returns the leader epoch of the record's batch.
    #[must_use]
    pub const fn leader_epoch(&self) -> i32 {
        self.inner.leader_epoch
    }

    /// Returns the time in milliseconds since 1970.
    #[must_use]
    pub const fn timestamp(&self) -> Option<i64> {
        self.inner.timestamp
    }

    /// Returns original topic and partition: what progress is reported for.
    #[must_use]
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(TopicName::trusted(self.original_topic()), self.partition())
    }

    /// Returns the key.
    #[must_use]
    pub const fn key(&self) -> Datum<'a> {
        Datum(self.inner.key)
    }

    /// Returns the value.
    #[must_use]
    pub const fn value(&self) -> Datum<'a> {
        Datum(self.inner.value)
    }

    /// Returns the headers, in order, duplicates kept.
    #[must_use]
    pub fn headers(&self) -> RecordHeaders<'a> {
        RecordHeaders(self.inner.headers.clone())
    }

    /// Returns the last header of a name, as Kafka's `lastHeader`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Datum<'a>> {
        self.headers()
            .filter(|(found, _)| *found == name)
            .last()
            .map(|(_, value)| value)
    }

    /// Returns the value as a typed row.
    ///
    /// # Errors
    /// The value is not typed, or its schema is unknown.
    pub fn row(&self) -> Result<Row<'a>> {
        self.value().row()
    }

    /// Reads the value's JSON into a type of the author's.
    ///
    /// # Errors
    /// The value is not JSON or does not fit the type.
    pub fn value_json<T: DeserializeOwned>(&self) -> Result<T> {
        self.value().json()
    }

    /// Reads the key's JSON into a type of the author's.
    ///
    /// # Errors
    /// The key is not JSON or does not fit the type.
    pub fn key_json<T: DeserializeOwned>(&self) -> Result<T> {
        self.key().json()
    }

    /// Returns the index of the record's group and its index in it.
    pub(crate) const fn place(&self) -> (u32, u32) {
        (self.inner.group, self.inner.index)
    }

    /// Returns the record's index in its batch.
    pub(crate) const fn index(&self) -> u32 {
        self.index
    }
}

/// The headers of a record.
#[derive(Debug, Clone)]
pub struct RecordHeaders<'a>(Headers<'a>);

impl<'a> Iterator for RecordHeaders<'a> {
    type Item = (&'a str, Datum<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, data)| (name, Datum(data)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for RecordHeaders<'_> {}

/// A key, a value or a header's value, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datum<'a>(Data<'a>);

impl<'a> Datum<'a> {
    /// Returns the form it has on the wire.
    #[must_use]
    #[inline]
    pub const fn data(&self) -> Data<'a> {
        self.0
    }

    /// Returns whether there is no value; also a typed value may be null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        match self.0 {
            Data::Null => true,
            Data::Typed { schema, row } => {
                schema_of(schema).is_ok_and(|schema| is_null(&schema, row))
            }
            Data::Bytes(_) | Data::Utf8(_) | Data::Json(_) | Data::Tagged(_) => false,
        }
    }

    /// Returns the bytes of bytes, text or JSON; null, typed and self-describing values have none.
    #[must_use]
    #[inline]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        self.0.plain()
    }

    /// Returns bytes, text or JSON as text, where it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&'a str> {
        match self.0 {
            Data::Utf8(text) => Some(text),
            Data::Bytes(bytes) | Data::Json(bytes) => std::str::from_utf8(bytes).ok(),
            Data::Null | Data::Typed { .. } | Data::Tagged(_) => None,
        }
    }

    /// Returns the schema of a typed value.
    ///
    /// # Errors
    /// The host does not know the schema.
    pub fn schema(&self) -> Result<Option<Arc<Schema>>> {
        match self.0 {
            Data::Typed { schema, .. } => schema_of(schema).map(Some),
            Data::Null | Data::Bytes(_) | Data::Utf8(_) | Data::Json(_) | Data::Tagged(_) => {
                Ok(None)
            }
        }
    }

    /// Returns a typed value as a row.
    ///
    /// # Errors
    /// The value is not typed, or the host does not know its schema.
    pub fn row(&self) -> Result<Row<'a>> {
        match self.0 {
            Data::Typed { schema, row } => Ok(Row::new(schema_of(schema)?, row)),
            Data::Null | Data::Bytes(_) | Data::Utf8(_) | Data::Json(_) | Data::Tagged(_) => Err(
                Error::data_invalid("the value has no schema, and a typed row is wanted"),
            ),
        }
    }

    /// Returns a typed value as a tree; bytes, text and JSON as bytes and text.
    ///
    /// # Errors
    /// The bytes do not fit the schema.
    pub fn to_value(&self) -> Result<Value> {
        Ok(match self.0 {
            Data::Null => Value::Null,
            Data::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Data::Utf8(text) => Value::String(text.to_owned()),
            Data::Json(json) => Value::String(std::str::from_utf8(json)?.to_owned()),
            Data::Typed { .. } => self.row()?.to_value()?,
            Data::Tagged(bytes) => to_value(tagged::decode(bytes)?),
        })
    }

    /// Reads JSON (bytes, text, a typed row's JSON) into a type of the author's; null reads as JSON's null.
    ///
    /// # Errors
    /// The value is not JSON or does not fit the type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(match self.as_bytes() {
            Some(bytes) => serde_json::from_slice(bytes)?,
            None => {
                let mut json = Vec::new();
                self.write_json(&mut json)?;
                serde_json::from_slice(&json)?
            }
        })
    }

    /// Appends the value as one line of JSON: a typed value by its schema; what is JSON as it is, without line breaks; other text
    /// as a JSON string; null as `null`.
    ///
    /// # Errors
    /// Bytes are neither JSON nor UTF-8, or a row does not fit its schema. Nothing is appended then.
    pub fn write_json(&self, out: &mut Vec<u8>) -> Result<()> {
        match self.0 {
            Data::Null => {
                out.extend_from_slice(b"null");
                Ok(())
            }
            Data::Typed { .. } => {
                let row = self.row()?;
                row.write_json(out)
            }
            Data::Tagged(bytes) => {
                let start = out.len();
                Ok(tagged::to_json(bytes, out).inspect_err(|_| out.truncate(start))?)
            }
            Data::Bytes(bytes) | Data::Json(bytes) => write_plain(bytes, out),
            Data::Utf8(text) => write_plain(text.as_bytes(), out),
        }
    }
}

fn write_plain(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        write_compact(bytes, out);
        return Ok(());
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Error::data_invalid("the value is neither JSON nor UTF-8 text"))?;
    Ok(serde_json::to_writer(out, text)?)
}

/// Appends valid JSON; line breaks can only stand between tokens, where they mean nothing.
fn write_compact(json: &[u8], out: &mut Vec<u8>) {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if json.iter().any(is_break) {
        out.extend(json.iter().copied().filter(|byte| !is_break(byte)));
    } else {
        out.extend_from_slice(json);
    }
}

/// A field of a row, read into a Rust type.
///
/// # Examples
/// ```
/// use linkspan_sdk::prelude::*;
///
/// fn amount(record: &Record<'_>) -> Result<f64> {
///     let row = record.row()?;
///     row.get("amount")?.as_f64().ok_or_else(|| Error::data_invalid("`amount` is no number"))
/// }
/// ```
pub trait ValueRefExt<'a> {
    /// Returns a text.
    fn as_str(&self) -> Option<&'a str>;
    /// Returns an integer of any width.
    fn as_i64(&self) -> Option<i64>;
    /// Returns a float or an integer.
    fn as_f64(&self) -> Option<f64>;
    /// Returns a boolean.
    fn as_bool(&self) -> Option<bool>;
    /// Returns bytes.
    fn as_bytes(&self) -> Option<&'a [u8]>;
}

impl<'a> ValueRefExt<'a> for ValueRef<'a> {
    fn as_str(&self) -> Option<&'a str> {
        match self {
            ValueRef::String(text) => Some(text),
            _ => None,
        }
    }

    fn as_i64(&self) -> Option<i64> {
        match self {
            ValueRef::Int8(number) => Some(i64::from(*number)),
            ValueRef::Int16(number) => Some(i64::from(*number)),
            ValueRef::Int32(number) => Some(i64::from(*number)),
            ValueRef::Int64(number) => Some(*number),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a float is asked for")]
    fn as_f64(&self) -> Option<f64> {
        match self {
            ValueRef::Float32(number) => Some(f64::from(*number)),
            ValueRef::Float64(number) => Some(*number),
            _ => self.as_i64().map(|number| number as f64),
        }
    }

    fn as_bool(&self) -> Option<bool> {
        match self {
            ValueRef::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }

    fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            ValueRef::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use linkspan_abi::tagged::Tagged;

    use super::*;

    #[test]
    fn a_value_becomes_one_line_of_json() {
        let check = |data: Data<'_>, expected: &str| {
            let mut out = Vec::new();
            Datum(data).write_json(&mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(Data::Null, "null");
        check(Data::Utf8("12"), "12");
        check(Data::Utf8("a \"b\"\n"), r#""a \"b\"\n""#);
        check(Data::Bytes(b"{\n \"a\": 1\r\n}"), "{ \"a\": 1}");
        check(Data::Json(br#"{"a":"x\ny"}"#), r#"{"a":"x\ny"}"#);
        let mut tagged = Vec::new();
        let map = vec![(Tagged::String("d".to_owned()), Tagged::Date(0))];
        tagged::encode(&Tagged::Map(map), &mut tagged).unwrap();
        check(Data::Tagged(&tagged), r#"{"d":"1970-01-01"}"#);
        let days = Value::Map(vec![(Value::from("d"), Value::Int32(0))]);
        assert_eq!(Datum(Data::Tagged(&tagged)).to_value().unwrap(), days);
        assert!(
            Datum(Data::Bytes(b"\xff"))
                .write_json(&mut Vec::new())
                .is_err()
        );
    }
}
