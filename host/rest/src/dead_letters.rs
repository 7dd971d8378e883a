//! Dead letters for people: which there are, what they say, and writing their records back.
//!
//! A replay writes the record as it was, without what was told about its failure, to the topic it was on its way from (or for).
//! Topics of dead letters are marked (`letters/` + topic id in `Store::Meta`, written with the first letter); those of earlier
//! versions are known by what their first record tells.
//!
//! Which letters were replayed to which topic is stored in the same commit, so that a replay never writes one twice:
//! ```text
//! Store::Meta  key    replayed/ + id of the letters' topic (16 bytes) + partition (i32, big-endian) + name of the target
//!              value  [3,17]: offsets of letters, in order
//! ```

mod replay;

use std::collections::BTreeMap;

use linkspan_log::{LogBackend, Store, Topic};
use linkspan_types::{Offset, PartitionId};
use linkspan_wire::{Batches, Record};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(crate) use self::replay::replay;
use crate::produce::NewRecord;
use crate::records::ViewValue;
use crate::refusal::Refusal;
use crate::topics;

/// Headers that were added to a record when it became a dead letter.
const ADDED: [&str; 2] = ["__connect.errors.", "linkspan.errors."];
/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;
/// Letters that are shown at most.
const SHOWN_MAX: usize = 10_000;

/// Which letters of a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letters {
    /// `OFFSET` or `PARTITION:OFFSET`; empty = all.
    #[serde(default)]
    pub offsets: Vec<String>,
    /// The code of the failure.
    #[serde(default)]
    pub code: Option<String>,
    /// How many at most, when they are shown.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Where a replay writes; without it the topic each record came from.
    #[serde(default)]
    pub to: Option<String>,
    /// Whether a replay only says what it would write.
    #[serde(default)]
    pub preview: bool,
    /// Steps that a record goes through on its way back: `transforms`, `transforms.NAME.type` and so on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub transforms: BTreeMap<String, String>,
    /// Whether keys and values are left out.
    #[serde(skip)]
    pub hidden: bool,
}

/// One dead letter.
struct Letter {
    partition: i32,
    offset: i64,
    record: NewRecord,
    told: BTreeMap<String, String>,
}

impl Letter {
    fn of(partition: i32, record: &Record<'_>) -> Self {
        let mut told = BTreeMap::new();
        let mut headers = Vec::new();
        for (name, value) in record.headers {
            let name = String::from_utf8_lossy(name).into_owned();
            match ADDED.iter().find_map(|prefix| name.strip_prefix(prefix)) {
                // Of a letter of a letter the last word counts.
                Some(short) => {
                    let text = String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
                    let short = match name.strip_prefix("linkspan.errors.topic") {
                        Some("") => "for.topic",
                        _ => short,
                    };
                    told.insert(short.to_owned(), text);
                }
                None => headers.push((name, value.map(<[u8]>::to_vec))),
            }
        }
        Self {
            partition,
            offset: record.offset,
            record: NewRecord {
                line: 0,
                partition: None,
                timestamp: Some(record.timestamp),
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers,
            },
            told,
        }
    }

    fn is_letter(&self) -> bool {
        !self.told.is_empty()
    }

    fn told(&self, name: &str) -> Option<&str> {
        self.told.get(name).map(String::as_str)
    }

    /// The topic the record was on its way from, or for.
    fn home(&self) -> Option<&str> {
        self.told("topic").or_else(|| self.told("for.topic"))
    }

    fn view(&self, hidden: bool) -> Value {
        let from = match (self.told("topic"), self.told("source.partition")) {
            (Some(topic), _) => format!(
                "{topic}-{}@{}",
                self.told("partition").unwrap_or("?"),
                self.told("offset").unwrap_or("?")
            ),
            (None, Some(partition)) => format!(
                "{partition} record {}",
                self.told("source.index").unwrap_or("?")
            ),
            (None, None) => "unknown".to_owned(),
        };
        let part = |bytes: Option<&[u8]>| match hidden {
            true => json!({ "hidden": true }),
            false => json!(ViewValue::of(bytes)),
        };
        json!({
            "partition": self.partition, "offset": self.offset, "timestamp": self.record.timestamp,
            "from": from, "connector": self.told("connector.name"), "stage": self.told("stage"),
            "code": self.told("code"), "class": self.told("class.name"),
            "message": self.told("exception.message"), "topic": self.home(),
            "key": part(self.record.key.as_deref()),
            "value": part(self.record.value.as_deref()),
            "headers": if hidden { json!({ "hidden": true }) } else { headers(&self.record) },
        })
    }
}

/// Headers for people, in order.
fn headers(record: &NewRecord) -> Value {
    let headers = record.headers.iter();
    headers
        .map(|(name, value)| json!([name, ViewValue::of(value.as_deref())]))
        .collect()
}

impl Letters {
    fn wants(&self, letter: &Letter) -> bool {
        let at = letter.offset.to_string();
        let place = format!("{}:{at}", letter.partition);
        let offset =
            self.offsets.is_empty() || self.offsets.iter().any(|o| *o == at || *o == place);
        let code = self.code.as_deref();
        offset && code.is_none_or(|code| letter.told("code") == Some(code))
    }

    fn check(&self) -> Result<(), Refusal> {
        for text in &self.offsets {
            let number = text
                .split_once(':')
                .map_or(text.as_str(), |(partition, offset)| {
                    if partition.parse::<i32>().is_ok() {
                        offset
                    } else {
                        ""
                    }
                });
            if number.parse::<i64>().is_err() {
                return Err(Refusal::argument(format!(
                    "offset `{text}`: write OFFSET or PARTITION:OFFSET"
                )));
            }
        }
        Ok(())
    }
}

/// Whether the topic is marked as one of dead letters.
fn is_marked(log: &dyn LogBackend, topic: &Topic) -> Result<bool, Refusal> {
    let mut key = b"letters/".to_vec();
    key.extend_from_slice(&topic.id.0);
    Ok(log.get(Store::Meta, &key)?.is_some())
}

/// All topics that hold dead letters: marked, or by the first record of a partition.
pub(crate) fn list(log: &dyn LogBackend) -> Result<Value, Refusal> {
    let mut rows = Vec::new();
    for topic in log.topics()? {
        let (mut held, mut letters) = (0, is_marked(log, &topic)?);
        for partition in (0..topic.partitions).map(PartitionId) {
            let marks = log.offsets(&topic.id, partition)?;
            held += marks.high_watermark.0 - marks.log_start.0;
            if marks.high_watermark > marks.log_start && !letters {
                each(log, &topic, partition, marks.log_start, 1, |letter| {
                    letters = letter.is_letter();
                    Ok(false)
                })?;
            }
        }
        if letters {
            rows.push(json!({ "topic": topic.name.as_str(), "letters": held }));
        }
    }
    Ok(json!(rows))
}

/// The letters of one topic.
pub(crate) fn show(log: &dyn LogBackend, name: &str, which: &Letters) -> Result<Value, Refusal> {
    which.check()?;
    let topic = topics::find(log, name)?;
    let all = is_marked(log, &topic)?;
    let limit = which.limit.unwrap_or(SHOWN_MAX).min(SHOWN_MAX);
    let mut rows = Vec::new();
    let mut more = false;
    for partition in (0..topic.partitions).map(PartitionId) {
        let start = log.offsets(&topic.id, partition)?.log_start;
        each(log, &topic, partition, start, READ_BYTES, |letter| {
            if (all || letter.is_letter()) && which.wants(&letter) {
                more = rows.len() >= limit;
                if !more {
                    rows.push(letter.view(which.hidden));
                }
            }
            Ok(!more)
        })?;
    }
    Ok(json!({ "topic": topic.name.as_str(), "letters": rows, "more": more }))
}

/// Goes through the records of a partition as of now, until `visit` answers false.
fn each(
    log: &dyn LogBackend,
    topic: &Topic,
    partition: PartitionId,
    start: Offset,
    bytes: usize,
    mut visit: impl FnMut(Letter) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let end = log.offsets(&topic.id, partition)?.high_watermark;
    let damaged = |at: Offset, error: linkspan_wire::Error| {
        Refusal::new(
            500,
            "LS0513",
            format!(
                "topic `{}` partition {} near offset {}: {error}",
                topic.name, partition.0, at.0
            ),
        )
    };
    let mut next = start;
    let mut scratch = Vec::new();
    while next < end {
        let fetched = log.fetch(&topic.id, partition, next, bytes)?;
        if fetched.next <= next {
            break;
        }
        for batch in Batches::new(&fetched.bytes) {
            let batch = batch.map_err(|error| damaged(next, error))?;
            if batch.header().is_control() {
                continue;
            }
            let records = batch.records(&mut scratch);
            for record in records.map_err(|error| damaged(next, error))? {
                let record = record.map_err(|error| damaged(next, error))?;
                if record.offset >= next.0
                    && record.offset < end.0
                    && !visit(Letter::of(partition.0, &record))?
                {
                    return Ok(());
                }
            }
        }
        next = fetched.next;
    }
    Ok(())
}
