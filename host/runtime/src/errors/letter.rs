//! Dead letters: the record as it was, with headers that say why it failed, in a topic of their own.
//!
//! ```text
//! __connect.errors.*                 Connect's, see `linkspan_convert::error_headers`
//! linkspan.errors.code               our stable code
//! linkspan.errors.topic              of a source's record: the topic it was for
//! linkspan.errors.source.partition   of a source's record: where it came from, JSON
//! linkspan.errors.source.offset      of a source's record: the position behind its batch, JSON
//! linkspan.errors.source.index       of a source's record: its place in the batch
//! ```
//! [`MARK`] + id of the topic in `Store::Meta` says that a topic holds dead letters; its value is the topic's name.

use std::collections::BTreeMap;

use linkspan_convert::{Coordinates, Exception, Failure, Stage, error_headers};
use linkspan_log::{Append, KvPut, LogBackend, Store, Topic, TopicSpec};
use linkspan_types::{PartitionId, TopicName};
use linkspan_wire::{BatchBuilder, Compression, Partitioner};

use super::policy::ErrorPolicy;
use crate::error::{Site, TaskError};
use crate::task::TaskShared;

/// The longest message in a header, in bytes: what a plugin says has no bound of its own.
const MESSAGE_BYTES_MAX: usize = 4096;
/// A letter is its record and what is told about it: the topic takes more than a record's topic does.
const LETTER_BYTES_MAX: usize = 16 << 20;
/// What the key of a topic's mark begins with; the command line finds dead letters by it.
const MARK: &[u8] = b"letters/";
/// About so many bytes go into one batch.
const BATCH_BYTES: usize = 1 << 20;

/// Where a record came from.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// A record of the log, on its way to a sink.
    Log(Coordinates),
    /// A record of a source.
    Source {
        topic: &'a str,
        partition: &'a str,
        offset: Option<&'a str>,
        index: usize,
    },
}

/// What is told about one failed record.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) headers: Vec<(&'static str, Option<String>)>,
}

impl Letter {
    /// Tells about a failure, without any value of the record; logs it if that is wanted.
    pub(crate) fn about(
        task: &TaskShared,
        policy: &ErrorPolicy,
        place: &Place<'_>,
        error: &TaskError,
    ) -> Self {
        let nowhere = Site {
            stage: match place {
                Place::Log(_) => Stage::TaskPut,
                Place::Source { .. } => Stage::KafkaProduce,
            },
            step: String::new(),
        };
        let site = error.site.as_deref().unwrap_or(&nowhere);
        let class = policy.class_of(site);
        let message = shortened(task.conceal(&error.message));
        if policy.log {
            tracing::warn!(
                task = task.name(),
                connector = task.connector,
                code = error.code,
                "error encountered in task {}: stage {} with class `{class}`, {place}: {message}",
                task.name(),
                site.stage.name(),
            );
        }
        if !policy.letter_headers {
            return Self {
                headers: Vec::new(),
            };
        }
        let trace = format!("{} {}: {message}", error.code, error.kind);
        let mut headers = error_headers(&Failure {
            origin: place.origin(),
            connector: &task.connector,
            task: task.index,
            stage: site.stage,
            executing_class: class,
            exception: Some(Exception {
                class: error.exception.unwrap_or_else(|| java_class(&error.kind)),
                message: Some(&message),
                trace: &trace,
            }),
        });
        headers.push(("linkspan.errors.code", Some(error.code.to_owned())));
        if let Place::Source {
            topic,
            partition,
            offset,
            index,
        } = place
        {
            let offset = offset.map(str::to_owned);
            headers.push(("linkspan.errors.topic", Some((*topic).to_owned())));
            headers.push((
                "linkspan.errors.source.partition",
                Some((*partition).to_owned()),
            ));
            headers.push(("linkspan.errors.source.offset", offset));
            headers.push(("linkspan.errors.source.index", Some(index.to_string())));
        }
        Self { headers }
    }
}

impl Place<'_> {
    fn origin(&self) -> Option<&Coordinates> {
        match self {
            Self::Log(origin) => Some(origin),
            Self::Source { .. } => None,
        }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Log(at) => write!(
                f,
                "topic `{}` partition {} offset {}",
                at.topic, at.partition, at.offset
            ),
            Self::Source {
                topic,
                partition,
                index,
                ..
            } => write!(
                f,
                "source partition {partition}, record {index} of the batch, for topic `{topic}`"
            ),
        }
    }
}

/// The record itself, for `errors.log.include.messages`.
pub(crate) fn log_record(task: &TaskShared, key: Option<&[u8]>, value: Option<&[u8]>) {
    let text = |part: Option<&[u8]>| {
        part.map_or_else(
            || "null".to_owned(),
            |bytes| shortened(String::from_utf8_lossy(bytes).into_owned()),
        )
    };
    tracing::warn!(
        task = task.name(),
        connector = task.connector,
        "the failed record: key {}, value {}",
        text(key),
        text(value)
    );
}

/// Connect's exceptions for the kinds of the plugin boundary: who reads dead letters looks for these names.
fn java_class(kind: &str) -> &'static str {
    match kind {
        "data_invalid" => "org.apache.kafka.connect.errors.DataException",
        "unavailable" | "rate_limited" => "org.apache.kafka.connect.errors.RetriableException",
        _ => "org.apache.kafka.connect.errors.ConnectException",
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MESSAGE_BYTES_MAX {
        let mut end = MESSAGE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Makes sure that a topic for dead letters exists: with one partition, unless it was declared otherwise.
pub(crate) fn ensure_topic(
    log: &dyn LogBackend,
    name: &TopicName,
) -> Result<Topic, linkspan_log::Error> {
    if let Some(topic) = log.topic(name)? {
        return Ok(topic);
    }
    let mut spec = TopicSpec::with_partitions(1);
    spec.settings
        .insert("max.message.bytes".to_owned(), LETTER_BYTES_MAX.to_string());
    match log.create_topic(name, &spec) {
        Ok(topic) => Ok(topic),
        // Another task created it in between.
        Err(error) => log.topic(name)?.ok_or(error),
    }
}

/// The topic that dead letters of one task go to.
#[derive(Debug)]
pub(crate) struct LetterTopic {
    topic: Topic,
    partitioner: Partitioner,
    builders: BTreeMap<i32, BatchBuilder>,
    marked: bool,
}

impl LetterTopic {
    pub(crate) fn open(log: &dyn LogBackend, name: &TopicName) -> Result<Self, TaskError> {
        Ok(Self {
            topic: ensure_topic(log, name)?,
            partitioner: Partitioner::default(),
            builders: BTreeMap::new(),
            marked: false,
        })
    }

    /// Returns once what marks the topic as one of dead letters, also where they carry no headers: to be in a commit of theirs.
    pub(crate) fn mark(&mut self) -> Option<KvPut> {
        if std::mem::replace(&mut self.marked, true) {
            return None;
        }
        let mut key = MARK.to_vec();
        key.extend_from_slice(&self.topic.id.0);
        Some(KvPut {
            store: Store::Meta,
            key: key.into(),
            value: Some(self.topic.name.as_str().as_bytes().to_vec().into()),
        })
    }

    /// Adds a letter; full batches go to `appends`.
    pub(crate) fn push<'h>(
        &mut self,
        timestamp: i64,
        (key, value): (Option<&[u8]>, Option<&[u8]>),
        headers: impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)>,
        letter: &'h Letter,
        appends: &mut Vec<Append>,
    ) -> Result<(), TaskError> {
        let told = letter.headers.iter();
        let told = told.map(|(name, text)| (name.as_bytes(), text.as_deref().map(str::as_bytes)));
        let headers: Vec<(&[u8], Option<&[u8]>)> = headers.chain(told).collect();
        let size = key.map_or(0, <[u8]>::len)
            + value.map_or(0, <[u8]>::len)
            + headers
                .iter()
                .map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len) + 10)
                .sum::<usize>();
        let partition = self
            .partitioner
            .pick(None, key, self.topic.partitions)
            .unwrap_or(0);
        let builder = self
            .builders
            .entry(partition)
            .or_insert_with(|| BatchBuilder::new(Compression::None));
        if !builder.is_empty() && builder.estimated_bytes() + size > BATCH_BYTES {
            appends.push(finish(&self.topic, partition, builder)?);
        }
        builder
            .push(timestamp, key, value, headers)
            .map_err(|error| TaskError::data(error.to_string()))
    }

    /// Hands over what was added.
    pub(crate) fn flush(&mut self, appends: &mut Vec<Append>) -> Result<(), TaskError> {
        for (partition, builder) in &mut self.builders {
            if !builder.is_empty() {
                appends.push(finish(&self.topic, *partition, builder)?);
            }
        }
        self.partitioner.next_batch();
        Ok(())
    }
}

fn finish(topic: &Topic, partition: i32, builder: &mut BatchBuilder) -> Result<Append, TaskError> {
    Ok(Append {
        topic: topic.id,
        partition: PartitionId(partition),
        batch: builder
            .finish()
            .map_err(|error| TaskError::internal(error.to_string()))?,
    })
}
