//! Reads the records of a topic for people: stored bytes as they are, never parsed.

use std::sync::Arc;

use base64::Engine;
use linkspan_log::{LogBackend, Topic};
use linkspan_types::{Offset, PartitionId, TopicName};
use linkspan_wire::Batches;
use serde::{Serialize, Serializer};

use crate::start::From;

/// Bytes of one read from one partition.
const READ_BYTES: usize = 1 << 20;

/// Reading records failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such topic.
    #[error("there is no topic `{0}`")]
    UnknownTopic(TopicName),
    /// The log refuses.
    #[error("could not read topic `{topic}` partition {partition}")]
    Log {
        /// The topic.
        topic: TopicName,
        /// Its partition.
        partition: i32,
        /// Why.
        source: linkspan_log::Error,
    },
    /// A stored batch does not decode.
    #[error("topic `{topic}` partition {partition}, near offset {offset}")]
    Batch {
        /// The topic.
        topic: TopicName,
        /// Its partition.
        partition: i32,
        /// First offset that was wanted.
        offset: i64,
        /// Why.
        source: linkspan_wire::Error,
    },
}

/// A key, value or header value: text when it is UTF-8, else base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewValue {
    /// Null.
    Null,
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl ViewValue {
    /// Stored bytes for people.
    #[must_use]
    pub fn of(bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => Self::Null,
            Some(bytes) => std::str::from_utf8(bytes).map_or_else(
                |_| Self::Bytes(bytes.to_vec()),
                |text| Self::Text(text.to_owned()),
            ),
        }
    }

    /// Returns what a terminal shows.
    #[must_use]
    pub fn display(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => format!(
                "base64:{}",
                base64::engine::general_purpose::STANDARD.encode(bytes)
            ),
        }
    }
}

impl Serialize for ViewValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Encoded {
            base64: String,
        }
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => Encoded {
                base64: base64::engine::general_purpose::STANDARD.encode(bytes),
            }
            .serialize(serializer),
        }
    }
}

/// One record as `consume -o json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordView {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970 UTC.
    pub timestamp: i64,
    /// Its key.
    pub key: ViewValue,
    /// Its value.
    pub value: ViewValue,
    /// Names and values, in order, duplicates kept.
    pub headers: Vec<(String, ViewValue)>,
}

/// Reads all partitions of one topic from a start on.
#[derive(Debug)]
pub struct RecordReader {
    log: Arc<dyn LogBackend>,
    topic: Topic,
    /// Next offset per partition.
    next: Vec<i64>,
    /// What a person should know about the start.
    notes: Vec<String>,
    /// Partition to look at first, so that none starves.
    turn: usize,
}

impl RecordReader {
    /// Finds the topic and the start in each of its partitions.
    ///
    /// # Errors
    /// The topic does not exist or the log refuses.
    pub fn open(log: Arc<dyn LogBackend>, name: &TopicName, from: From) -> Result<Self, ReadError> {
        let failed = |partition: i32| {
            let topic = name.clone();
            move |source| ReadError::Log {
                topic,
                partition,
                source,
            }
        };
        let topic = log
            .topic(name)
            .map_err(failed(-1))?
            .ok_or_else(|| ReadError::UnknownTopic(name.clone()))?;
        let (mut next, mut notes) = (Vec::new(), Vec::new());
        for partition in 0..topic.partitions {
            let marks = log
                .offsets(&topic.id, PartitionId(partition))
                .map_err(failed(partition))?;
            let (start, end) = (marks.log_start.0, marks.high_watermark.0);
            if let From::Offset(offset) = from
                && !(start..=end).contains(&offset)
            {
                let (which, to) = if offset > end {
                    ("beyond the end", end)
                } else {
                    ("before the beginning", start)
                };
                notes.push(format!(
                    "partition {partition}: offset {offset} is {which}, reading begins at {to}"
                ));
            }
            next.push(match from {
                From::Earliest => marks.log_start.0,
                From::Latest => marks.high_watermark.0,
                From::Offset(offset) => offset.clamp(marks.log_start.0, marks.high_watermark.0),
                From::Time(time) => log
                    .offset_for_time(&topic.id, PartitionId(partition), time)
                    .map_err(failed(partition))?
                    .map_or(marks.high_watermark.0, |offset| offset.0),
            });
        }
        Ok(Self {
            log,
            topic,
            next,
            notes,
            turn: 0,
        })
    }

    /// Returns what a person should know about the start: an offset that is not there.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns records that are there now, empty at the end of all partitions.
    ///
    /// # Errors
    /// The log refuses or a batch is damaged; the message names topic, partition and offset.
    pub fn read(&mut self) -> Result<Vec<RecordView>, ReadError> {
        let partitions = self.next.len();
        for step in 0..partitions {
            let partition = (self.turn + step) % partitions;
            let records = self.read_partition(partition)?;
            if !records.is_empty() {
                self.turn = partition;
                return Ok(records);
            }
        }
        Ok(Vec::new())
    }

    fn read_partition(&mut self, index: usize) -> Result<Vec<RecordView>, ReadError> {
        let partition = i32::try_from(index).unwrap_or(i32::MAX);
        let mut records = Vec::new();
        let Some(next) = self.next.get_mut(index) else {
            return Ok(records);
        };
        let failed = |source| ReadError::Log {
            topic: self.topic.name.clone(),
            partition,
            source,
        };
        let marks = self
            .log
            .offsets(&self.topic.id, PartitionId(partition))
            .map_err(failed)?;
        // A batch may hold nothing that a reader wants (control, compacted): go on until a record or the end.
        while records.is_empty() && *next < marks.high_watermark.0 {
            let fetched = self
                .log
                .fetch(
                    &self.topic.id,
                    PartitionId(partition),
                    Offset(*next),
                    READ_BYTES,
                )
                .map_err(|source| ReadError::Log {
                    topic: self.topic.name.clone(),
                    partition,
                    source,
                })?;
            decode(
                &fetched.bytes,
                &self.topic.name,
                partition,
                *next,
                &mut records,
            )
            .map_err(|source| ReadError::Batch {
                topic: self.topic.name.clone(),
                partition,
                offset: *next,
                source,
            })?;
            if fetched.next.0 <= *next {
                break;
            }
            *next = fetched.next.0;
        }
        Ok(records)
    }
}

/// Decodes records from `from` on; control batches are passed over.
///
/// # Errors
/// A batch is damaged.
pub fn decode(
    bytes: &[u8],
    topic: &TopicName,
    partition: i32,
    from: i64,
    out: &mut Vec<RecordView>,
) -> Result<(), linkspan_wire::Error> {
    let mut scratch = Vec::new();
    for batch in Batches::new(bytes) {
        let batch = batch?;
        if batch.header().is_control() {
            continue;
        }
        for record in batch.records(&mut scratch)? {
            let record = record?;
            if record.offset < from {
                continue;
            }
            let headers = record
                .headers
                .map(|(name, value)| {
                    (
                        String::from_utf8_lossy(name).into_owned(),
                        ViewValue::of(value),
                    )
                })
                .collect();
            out.push(RecordView {
                topic: topic.to_string(),
                partition,
                offset: record.offset,
                timestamp: record.timestamp,
                key: ViewValue::of(record.key),
                value: ViewValue::of(record.value),
                headers,
            });
        }
    }
    Ok(())
}
