//! Records that a sink writes into the log.

use serde_json::json;

use crate::{Progress, TopicName};

/// A record for a topic of the log, see [`SinkContext::commit`](crate::SinkContext::commit).
///
/// # Examples
/// ```
/// use linkspan_sdk::NewRecord;
///
/// let topic = "answers".parse().unwrap();
/// let record = NewRecord::to(&topic).key("42").value("{\"ok\":true}").header("http.status", "200");
/// assert_eq!(record.bytes(), 2 + 11 + 11 + 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    topic: TopicName,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl NewRecord {
    /// Begins a record without key, value and headers, with the host's time.
    #[must_use]
    pub fn to(topic: &TopicName) -> Self {
        Self {
            topic: topic.clone(),
            timestamp: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// Sets the time, in milliseconds since 1970.
    #[must_use]
    pub const fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }

    /// Sets the key, which decides on the partition.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the value.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// Returns how many bytes key, value and headers have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let data = |data: &Option<Vec<u8>>| data.as_ref().map_or(0, Vec::len);
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + data(value)).sum();
        data(&self.key) + data(&self.value) + headers
    }
}

/// Writes a request `sink.commit`: a line of JSON with the lengths of all keys, values and headers, then their bytes.
pub(crate) fn commit_body(progress: &Progress, records: &[NewRecord]) -> Vec<u8> {
    let progress: Vec<_> = progress
        .iter()
        .map(|(at, next, metadata)| {
            json!({"topic": at.topic.as_str(), "partition": at.partition, "offset": next, "metadata": metadata})
        })
        .collect();
    let length = |data: &Option<Vec<u8>>| data.as_ref().map(Vec::len);
    let heads: Vec<_> = records
        .iter()
        .map(|record| {
            let headers: Vec<_> = record
                .headers
                .iter()
                .map(|(name, value)| json!([name, length(value)]))
                .collect();
            json!({
                "topic": record.topic.as_str(), "timestamp": record.timestamp,
                "key": length(&record.key), "value": length(&record.value), "headers": headers,
            })
        })
        .collect();
    let mut body = json!({"progress": progress, "records": heads})
        .to_string()
        .into_bytes();
    body.push(b'\n');
    for record in records {
        let parts = [&record.key, &record.value].into_iter();
        let parts = parts.chain(record.headers.iter().map(|(_, value)| value));
        for part in parts.flatten() {
            body.extend_from_slice(part);
        }
    }
    body
}
