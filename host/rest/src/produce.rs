//! Writing records for people: the JSON that `consume` prints, read back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine;
use linkspan_log::{Append, Commit, Error, LogBackend, Producer, Topic};
use linkspan_types::topic_settings::{TopicCompression, TopicSettings};
use linkspan_types::{Clock, OwnerId, PartitionId, SystemClock};
use linkspan_wire::{BatchBuilder, Compression, partition_for_key};
use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::topics;

/// Who writes on behalf of people.
const OWNER: &str = "linkspan-produce";
/// Batches are closed at about this size.
const BATCH_BYTES: usize = 512 * 1024;

/// A header: name and value.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// A record to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Where it was read, for messages: a line of the input.
    pub line: u64,
    /// The partition; by key without it.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; now without it.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Names and values, in order.
    pub headers: Vec<Header>,
}

impl NewRecord {
    /// Reads the object that `consume -o json` prints; `topic` and `offset` are passed over.
    ///
    /// # Errors
    /// What is wrong with it; it names the line.
    pub fn from_json(line: u64, text: &str) -> Result<Self, Refusal> {
        let bad = |what: String| {
            Refusal::new(400, "LS0525", format!("line {line}: {what}")).help(
                "one JSON object a line, as `consume -o json` prints it: {\"key\":…,\"value\":…,\"headers\":[[name,value]]}; values are strings, null or {\"base64\":…}",
            )
        };
        let value: Value =
            serde_json::from_str(text).map_err(|error| bad(format!("not JSON: {error}")))?;
        let Value::Object(fields) = value else {
            return Err(bad("not a JSON object".to_owned()));
        };
        let mut record = Self {
            line,
            ..Self::default()
        };
        for (name, value) in fields {
            match name.as_str() {
                "topic" | "offset" => {}
                "partition" => {
                    let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
                    record.partition = Some(
                        number
                            .ok_or_else(|| bad(format!("`partition` is {value}, not a number")))?,
                    );
                }
                "timestamp" => {
                    let number = value.as_i64();
                    record.timestamp = Some(number.ok_or_else(|| {
                        bad("`timestamp` is not a number of milliseconds".to_owned())
                    })?);
                }
                "key" => record.key = bytes(&value).map_err(|what| bad(format!("`key` {what}")))?,
                "value" => {
                    record.value = bytes(&value).map_err(|what| bad(format!("`value` {what}")))?;
                }
                "headers" => {
                    record.headers =
                        headers(&value).map_err(|what| bad(format!("`headers` {what}")))?;
                }
                other => return Err(bad(format!("unknown field `{other}`"))),
            }
        }
        Ok(record)
    }

    /// Writes the object that [`NewRecord::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let headers: Vec<Value> = self
            .headers
            .iter()
            .map(|(name, value)| json!([name, text(value.as_deref())]))
            .collect();
        let mut fields = json!({
            "key": text(self.key.as_deref()), "value": text(self.value.as_deref()), "headers": headers,
        });
        if let Some(fields) = fields.as_object_mut() {
            if let Some(partition) = self.partition {
                fields.insert("partition".to_owned(), partition.into());
            }
            if let Some(timestamp) = self.timestamp {
                fields.insert("timestamp".to_owned(), timestamp.into());
            }
        }
        fields
    }
}

fn text(bytes: Option<&[u8]>) -> Value {
    match bytes {
        None => Value::Null,
        Some(bytes) => std::str::from_utf8(bytes).map_or_else(
            |_| json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
            Value::from,
        ),
    }
}

/// Text, null, or `{"base64":…}`.
fn bytes(value: &Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone().into_bytes())),
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("base64") => {
            let text = fields.get("base64").and_then(Value::as_str);
            let text = text.ok_or("has a `base64` that is no string")?;
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            decoded
                .map(Some)
                .map_err(|error| format!("is no base64: {error}"))
        }
        _ => Err(
            "is not a string, null or {\"base64\":…}; a JSON document is given as its text".into(),
        ),
    }
}

fn headers(value: &Value) -> Result<Vec<Header>, String> {
    let rows = value.as_array().ok_or("is not a list")?;
    let pair = |row: &Value| match row.as_array().map(Vec::as_slice) {
        Some([Value::String(name), value]) => Ok((name.clone(), bytes(value)?)),
        _ => Err("has an entry that is not [name, value]".to_owned()),
    };
    rows.iter().map(pair).collect()
}

/// Writes records in one commit per partition batch; durable when it returns.
pub(crate) fn produce(
    log: &dyn LogBackend,
    name: &str,
    records: &[NewRecord],
) -> Result<Value, Refusal> {
    let topic = topics::find(log, name)?;
    let settings = TopicSettings::parse(&topic.settings).unwrap_or_default();
    let batches = batches(&topic, &settings, records)?;
    let mut commit = Commit::default();
    for (partition, batch) in batches {
        commit.appends.push(Append {
            topic: topic.id,
            partition,
            batch,
        });
    }
    let places: Vec<PartitionId> = commit
        .appends
        .iter()
        .map(|append| append.partition)
        .collect();
    let written = if places.is_empty() {
        Vec::new()
    } else {
        let producer = producer(log)?;
        let committed = producer
            .submit(commit)
            .and_then(linkspan_log::Ticket::wait)
            .map_err(Refusal::from)?;
        committed.base_offsets
    };
    let rows: Vec<Value> = places
        .iter()
        .zip(written)
        .map(|(partition, base)| json!({ "partition": partition.0, "base_offset": base.0 }))
        .collect();
    Ok(json!({ "topic": topic.name.as_str(), "records": records.len(), "batches": rows }))
}

/// Returns a producer of the generation that all writers on behalf of people share.
pub(crate) fn producer(log: &dyn LogBackend) -> Result<Arc<dyn Producer>, Refusal> {
    let owner = OwnerId::from(OWNER);
    let epoch = log.current_fence(&owner)?;
    if epoch.0 == 0 {
        return Ok(log.open_producer(&owner)?);
    }
    match log.producer_at(&owner, epoch) {
        // Somebody else was the first, in between.
        Err(Error::Fenced { .. }) => {
            let epoch = log.current_fence(&owner)?;
            Ok(log.producer_at(&owner, epoch)?)
        }
        other => Ok(other?),
    }
}

pub(crate) fn batches(
    topic: &Topic,
    settings: &TopicSettings,
    records: &[NewRecord],
) -> Result<Vec<(PartitionId, Vec<u8>)>, Refusal> {
    /// Where records without a key go, request by request.
    static TURN: AtomicU32 = AtomicU32::new(0);
    let count = topic.partitions.max(1);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let sticky = i32::try_from(turn % count.unsigned_abs()).unwrap_or(0);
    let compression = match settings.compression {
        TopicCompression::Producer | TopicCompression::Uncompressed => Compression::None,
        TopicCompression::Lz4 => Compression::Lz4,
        TopicCompression::Zstd => Compression::Zstd,
    };
    let now = SystemClock::default().now_ms();
    let mut open: BTreeMap<PartitionId, BatchBuilder> = BTreeMap::new();
    let mut done = Vec::new();
    for record in records {
        let place = |refusal: Refusal| Refusal {
            message: format!("line {}: {}", record.line, refusal.message),
            ..refusal
        };
        if record.key.is_none() && settings.compact {
            let message = format!(
                "topic `{}` is compacted: each record needs a key",
                topic.name
            );
            return Err(place(Refusal::new(400, "LS0522", message).help(
                "`--key`, `--key-separator`, or `key` in the JSON; compaction keeps the last record of each key",
            )));
        }
        let number = match (record.partition, &record.key) {
            (Some(number), _) => number,
            (None, Some(key)) => partition_for_key(key, count),
            (None, None) => sticky,
        };
        let number = topics::partition(topic, number).map_err(place)?;
        let builder = open
            .entry(number)
            .or_insert_with(|| BatchBuilder::new(compression));
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_deref()));
        let timestamp = record.timestamp.unwrap_or(now);
        builder
            .push(
                timestamp,
                record.key.as_deref(),
                record.value.as_deref(),
                headers,
            )
            .map_err(|error| place(Refusal::new(413, "LS0514", error.to_string())))?;
        if builder.estimated_bytes() >= BATCH_BYTES
            && let Some(mut full) = open.remove(&number)
        {
            done.push((number, finish(topic, settings, &mut full, record.line)?));
        }
    }
    let last = records.last().map_or(0, |record| record.line);
    for (number, mut builder) in open {
        done.push((number, finish(topic, settings, &mut builder, last)?));
    }
    Ok(done)
}

fn finish(
    topic: &Topic,
    settings: &TopicSettings,
    builder: &mut BatchBuilder,
    line: u64,
) -> Result<Vec<u8>, Refusal> {
    let batch = builder
        .finish()
        .map_err(|error| Refusal::new(500, "LS0501", error.to_string()))?;
    let limit = settings
        .max_message_bytes
        .unwrap_or(linkspan_log::backend::BATCH_BYTES_DEFAULT);
    if batch.len() > limit {
        let message = format!(
            "line {line}: a record batch of {} bytes, topic `{}` takes {limit}",
            batch.len(),
            topic.name
        );
        return Err(Refusal::new(413, "LS0514", message).help(
            "raise it with `topic alter --set max.message.bytes=…` (at most 16 MiB), or make the records smaller",
        ));
    }
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_consume_prints_is_read_back_as_it_was() {
        let record = NewRecord {
            line: 1,
            partition: Some(3),
            timestamp: Some(1_700_000_000_000),
            key: Some(vec![0xff, 0]),
            value: Some("서울 {\"a\": 1}".into()),
            headers: vec![("a".into(), None), ("a".into(), Some(b"x".to_vec()))],
        };
        let text = record.to_json().to_string();
        assert_eq!(NewRecord::from_json(1, &text), Ok(record));
    }

    #[test]
    fn malformed_lines_are_named() {
        for (text, says) in [
            ("plain", "line 7: not JSON"),
            ("[1]", "not a JSON object"),
            (r#"{"value": 5}"#, "`value` is not a string"),
            (r#"{"value": {"base64": "%"}}"#, "no base64"),
            (r#"{"partition": 4000000000}"#, "`partition`"),
            (r#"{"headers": [["a"]]}"#, "`headers`"),
            (r#"{"vaule": "x"}"#, "unknown field `vaule`"),
        ] {
            let refusal = NewRecord::from_json(7, text).unwrap_err();
            assert!(refusal.message.contains(says), "{text}: {refusal:?}");
            assert_eq!(refusal.code, "LS0525");
        }
    }
}
