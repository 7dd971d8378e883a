//! From one validated plugin batch to one commit: record batches per partition, offsets, new schemas.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use linkspan_convert::Stage;
use linkspan_log::{Append, Commit, KvPut, LogBackend, Store, Topic};
use linkspan_plugin::batch::{Data, OffsetChange, REJECTED_HEADER, SourceBatch, SourceRecord};
use linkspan_types::{PartitionId, TopicName};
use linkspan_wire::{BatchBuilder, Compression, Partitioner, Spread};

use super::aside::{FailedAt, SourceAside};
use super::creation::TopicCreation;
use crate::convert::SourceConverter;
use crate::error::TaskError;
use crate::errors::{Attempts, Verdict};
use crate::offsets::offset_key;
use crate::schemas::Registered;
use crate::transforms::{Chain, Incoming};

/// Kafka's default of `max.message.bytes`: most bytes of one stored record batch.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_048_588;
/// A record's own framing inside a batch, at most: lengths, deltas and counts as varints.
pub(crate) const RECORD_OVERHEAD_MAX: usize = 48;

/// One topic this task writes.
#[derive(Debug)]
struct Target {
    topic: Topic,
    batch_bytes_max: usize,
    partitioner: Partitioner,
    builders: Vec<BatchBuilder>,
    compression: Compression,
    /// Partitions with a builder in use, in the order of their first record.
    open: Vec<usize>,
}

/// Builds commits; keeps its buffers from one to the next.
#[derive(Debug)]
pub(crate) struct Assembler {
    log: Arc<dyn LogBackend>,
    connector: String,
    creation: TopicCreation,
    first_partition: i32,
    compression: Compression,
    pub(crate) converter: SourceConverter,
    chain: Option<Chain>,
    aside: SourceAside,
    targets: HashMap<String, Target>,
}

/// A commit and what it counts for.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) commit: Commit,
    pub(crate) records: u64,
    /// Of these, dropped by transforms.
    pub(crate) filtered: u64,
    /// Of these, dead letters or skipped.
    pub(crate) aside: u64,
    /// Whether those are dead letters.
    pub(crate) letters: bool,
    pub(crate) bytes: u64,
    pub(crate) schemas: Vec<Arc<Registered>>,
    /// Topics that it writes.
    pub(crate) topics: Vec<TopicName>,
}

impl Assembled {
    /// Whether there is neither a record nor anything else to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0 && self.commit.appends.is_empty() && self.commit.puts.is_empty()
    }

    /// Adds what came after it in the same transaction.
    pub(crate) fn append(&mut self, mut next: Self) {
        self.commit.appends.append(&mut next.commit.appends);
        self.commit.puts.append(&mut next.commit.puts);
        self.records += next.records;
        self.filtered += next.filtered;
        self.aside += next.aside;
        self.letters |= next.letters;
        self.bytes += next.bytes;
        self.schemas.append(&mut next.schemas);
    }

    /// A void transaction: its offsets move on, its records and letters are nowhere.
    #[must_use]
    pub(crate) fn without_records(mut self) -> Self {
        self.commit.appends.clear();
        self.filtered = self.records;
        self.aside = 0;
        self.bytes = 0;
        self
    }
}

impl Assembler {
    pub(crate) fn new(
        log: Arc<dyn LogBackend>,
        connector: &str,
        creation: TopicCreation,
        task_index: u32,
        converter: SourceConverter,
        chain: Option<Chain>,
        aside: SourceAside,
    ) -> Self {
        Self {
            log,
            connector: connector.to_owned(),
            creation,
            first_partition: i32::try_from(task_index).unwrap_or(0),
            compression: Compression::None,
            converter,
            chain,
            aside,
            targets: HashMap::new(),
        }
    }

    /// Converts a batch whole, or says which record could not be.
    pub(crate) fn assemble(
        &mut self,
        batch: &SourceBatch<'_>,
        now_ms: i64,
    ) -> Result<Assembled, TaskError> {
        let mut appends = Vec::new();
        self.converter.used.clear();
        let counts = self.records(batch, now_ms, &mut appends)?;
        let mut schemas = std::mem::take(&mut self.converter.used);
        self.aside.finish(&mut schemas, &mut appends)?;
        let mut puts: Vec<KvPut> = schemas
            .iter()
            .filter_map(|schema| schema.put_if_new())
            .collect();
        if counts.aside > 0 {
            puts.extend(self.aside.mark());
        }
        self.add_offsets(batch, &mut puts)?;
        Ok(Assembled {
            commit: Commit { appends, puts },
            records: counts.records,
            filtered: counts.filtered,
            aside: counts.aside,
            letters: self.aside.writes(),
            bytes: counts.bytes,
            schemas,
            topics: counts.topics,
        })
    }

    /// All records of a batch: written, dropped by transforms, or set aside.
    fn records(
        &mut self,
        batch: &SourceBatch<'_>,
        now_ms: i64,
        appends: &mut Vec<Append>,
    ) -> Result<Counts, TaskError> {
        let mut counts = Counts::default();
        // Transforms may route to topics of their own.
        let mut written: Vec<Arc<str>> = Vec::new();
        if self.chain.is_none() {
            for name in batch.topics() {
                self.ensure_target(name)?;
            }
        }
        for (index, record) in batch.records().enumerate() {
            let name = *batch
                .topics()
                .get(usize::from(record.topic))
                .ok_or_else(|| TaskError::internal("topic index out of range"))?;
            let taken = match rejected(&record) {
                Some(error) => Err(error),
                None => self.send(name, &record, now_ms, &mut written, appends),
            };
            let sent = match taken {
                Err(error) if error.temporary => {
                    self.send_again(error, name, &record, now_ms, &mut written, appends)
                }
                sent => sent,
            };
            match sent {
                Ok(Written { records: 0, .. }) => {
                    counts.records += 1;
                    counts.filtered += 1;
                }
                // Each counts that came of it, so that what is written, dropped and set aside adds up.
                Ok(Written { records, bytes }) => {
                    counts.records += records;
                    counts.bytes += bytes;
                }
                Err(error) if self.aside.tolerates(&error) => {
                    let at = FailedAt {
                        batch,
                        index,
                        topic: name,
                        now_ms,
                    };
                    self.aside.add(&at, &record, &error, appends)?;
                    counts.records += 1;
                    counts.aside += 1;
                }
                Err(error) => {
                    return Err(locate(error, &self.connector, index, batch, &record, name));
                }
            }
        }
        let plain = batch.topics().iter().filter(|_| self.chain.is_none());
        for name in plain.copied().chain(written.iter().map(|name| &**name)) {
            if let Some(target) = self.targets.get_mut(name) {
                target.flush(appends)?;
                target.partitioner.next_batch();
                counts.topics.push(target.topic.name.clone());
            }
        }
        Ok(counts)
    }

    /// One record; returns what was written of it, nothing where transforms dropped it.
    fn send(
        &mut self,
        topic: &str,
        record: &SourceRecord<'_>,
        now_ms: i64,
        written: &mut Vec<Arc<str>>,
        appends: &mut Vec<Append>,
    ) -> Result<Written, TaskError> {
        if self.chain.is_some() {
            return self.transform_one(topic, record, now_ms, written, appends);
        }
        if record.partition >= 0 {
            self.grow(topic, record.partition)?;
        }
        let Some(target) = self.targets.get_mut(topic) else {
            return Err(TaskError::internal(format!(
                "topic `{topic}` was not prepared"
            )));
        };
        let sent = Sent {
            partition: record.partition,
            timestamp: record.timestamp.unwrap_or(now_ms),
            key: record.key,
            value: record.value,
        };
        push(
            target,
            &mut self.converter,
            &sent,
            record.headers.clone(),
            appends,
        )
        .map(Written::one)
    }

    #[cold]
    fn send_again(
        &mut self,
        mut error: TaskError,
        topic: &str,
        record: &SourceRecord<'_>,
        now_ms: i64,
        written: &mut Vec<Arc<str>>,
        appends: &mut Vec<Append>,
    ) -> Result<Written, TaskError> {
        let retrier = self.aside.retrier.clone();
        let mut attempts = Attempts::default();
        loop {
            match retrier.again(&mut attempts, error) {
                Verdict::Again => {}
                Verdict::GiveUp(error) => return Err(error),
                Verdict::Stopped => return Err(TaskError::stopped()),
            }
            match self.send(topic, record, now_ms, written, appends) {
                Err(again) if again.temporary => error = again,
                sent => {
                    retrier.done(&attempts);
                    return sent;
                }
            }
        }
    }

    /// One record through the transforms: all that became of it is written, or nothing.
    fn transform_one(
        &mut self,
        topic: &str,
        record: &SourceRecord<'_>,
        now_ms: i64,
        written: &mut Vec<Arc<str>>,
        appends: &mut Vec<Append>,
    ) -> Result<Written, TaskError> {
        let Some(chain) = &mut self.chain else {
            return Ok(Written::default());
        };
        let incoming = Incoming::of_source(topic, record);
        let headers: Vec<_> = record.headers.clone().collect();
        let made = chain.apply(&incoming, &headers)?;
        if made > 1 {
            // What cannot be written must be found before anything of the record is.
            for at in 0..made {
                self.write_one(&incoming, at, now_ms, Doing::Trying, appends)?;
            }
        }
        let mut written_of_it = Written::default();
        for at in 0..made {
            let doing = Doing::Writing(&mut *written);
            let size = self.write_one(&incoming, at, now_ms, doing, appends);
            written_of_it.add(size.map_err(|error| if at > 0 { halfway(error) } else { error })?);
        }
        Ok(written_of_it)
    }

    /// Writes one of the records that became of `incoming`, or finds out whether it can be written.
    fn write_one(
        &mut self,
        incoming: &Incoming<'_>,
        at: usize,
        now_ms: i64,
        doing: Doing<'_>,
        appends: &mut Vec<Append>,
    ) -> Result<usize, TaskError> {
        let outgoing = self.chain.as_ref().and_then(|chain| {
            let outgoing = chain.outgoing(at, incoming)?;
            Some((Arc::clone(outgoing.topic), outgoing.partition))
        });
        let Some((topic, partition)) = outgoing else {
            return Err(TaskError::internal("a transformed record is not there"));
        };
        self.ensure_target(&topic)?;
        self.grow(&topic, partition.unwrap_or(-1))?;
        let outgoing = self
            .chain
            .as_ref()
            .and_then(|chain| chain.outgoing(at, incoming));
        let (Some(outgoing), Some(target)) = (outgoing, self.targets.get_mut(&*topic)) else {
            return Err(TaskError::internal("a topic was not prepared"));
        };
        let sent = Sent {
            partition: partition.unwrap_or(-1),
            timestamp: outgoing.timestamp.unwrap_or(now_ms),
            key: outgoing.key,
            value: outgoing.value,
        };
        match doing {
            Doing::Trying => fits(target, &mut self.converter, &sent, outgoing.headers()),
            Doing::Writing(written) => {
                if !written.contains(&topic) {
                    written.push(topic);
                }
                push(
                    target,
                    &mut self.converter,
                    &sent,
                    outgoing.headers(),
                    appends,
                )
            }
        }
    }

    fn add_offsets(&self, batch: &SourceBatch<'_>, puts: &mut Vec<KvPut>) -> Result<(), TaskError> {
        for position in batch.source_partitions() {
            let value = match position.offset {
                OffsetChange::Set(offset) => Some(Bytes::copy_from_slice(offset.as_bytes())),
                OffsetChange::Delete => None,
                OffsetChange::Unchanged => continue,
            };
            let key = offset_key(&self.connector, position.partition).ok_or_else(|| {
                TaskError::data(format!(
                    "connector `{}`: a source partition is a JSON object of scalars",
                    self.connector
                ))
            })?;
            puts.push(KvPut {
                store: Store::SourceOffsets,
                key: Bytes::from(key),
                value,
            });
        }
        Ok(())
    }

    fn ensure_target(&mut self, name: &str) -> Result<(), TaskError> {
        if self.targets.contains_key(name) {
            return Ok(());
        }
        let topic = self.topic(name)?;
        let batch_bytes_max = topic
            .settings
            .get("max.message.bytes")
            .and_then(|text| text.parse().ok())
            .unwrap_or(MESSAGE_BYTES_MAX);
        let compression = match topic.settings.get("compression.type").map(String::as_str) {
            Some("lz4") => Compression::Lz4,
            Some("zstd") => Compression::Zstd,
            _ => self.compression,
        };
        let count = usize::try_from(topic.partitions).unwrap_or(1);
        let builders = (0..count).map(|_| BatchBuilder::new(compression)).collect();
        let partitioner = Partitioner::new(Spread::Sticky, self.first_partition);
        self.targets.insert(
            name.to_owned(),
            Target {
                topic,
                batch_bytes_max,
                partitioner,
                builders,
                compression,
                open: Vec::new(),
            },
        );
        Ok(())
    }

    /// Looks at the topic again where a record asks for a partition that it did not have: it may have grown.
    fn grow(&mut self, name: &str, partition: i32) -> Result<(), TaskError> {
        let Some(target) = self.targets.get_mut(name) else {
            return Ok(());
        };
        if partition < target.topic.partitions {
            return Ok(());
        }
        let topic_name =
            TopicName::try_new(name).map_err(|error| TaskError::data(error.to_string()))?;
        let Some(topic) = self
            .log
            .topic(&topic_name)?
            .filter(|topic| topic.id == target.topic.id)
        else {
            return Ok(());
        };
        let count = usize::try_from(topic.partitions).unwrap_or(1);
        let compression = target.compression;
        target
            .builders
            .resize_with(count.max(target.builders.len()), || {
                BatchBuilder::new(compression)
            });
        target.topic = topic;
        Ok(())
    }

    fn topic(&self, name: &str) -> Result<Topic, TaskError> {
        let name = TopicName::try_new(name)
            .map_err(|error| TaskError::data(format!("connector `{}`: {error}", self.connector)))?;
        if let Some(topic) = self.log.topic(&name)? {
            return Ok(topic);
        }
        let spec = self.creation.spec_of(&name);
        match self.log.create_topic(&name, &spec) {
            Ok(topic) => Ok(topic),
            Err(error) => match self.log.topic(&name)? {
                // Another task created it in between.
                Some(topic) => Ok(topic),
                None => Err(error.into()),
            },
        }
    }
}

/// What became of the records of one batch.
#[derive(Debug, Default)]
struct Counts {
    records: u64,
    filtered: u64,
    aside: u64,
    bytes: u64,
    topics: Vec<TopicName>,
}

impl Target {
    fn flush(&mut self, appends: &mut Vec<Append>) -> Result<(), TaskError> {
        for slot in std::mem::take(&mut self.open) {
            self.finish(slot, appends)?;
        }
        Ok(())
    }

    fn finish(&mut self, slot: usize, appends: &mut Vec<Append>) -> Result<(), TaskError> {
        let Some(builder) = self.builders.get_mut(slot) else {
            return Ok(());
        };
        if builder.is_empty() {
            return Ok(());
        }
        let batch = builder
            .finish()
            .map_err(|error| TaskError::internal(error.to_string()))?;
        let partition = PartitionId(i32::try_from(slot).unwrap_or(i32::MAX));
        appends.push(Append {
            topic: self.topic.id,
            partition,
            batch,
        });
        Ok(())
    }
}

/// What was written of one record of a source.
#[derive(Debug, Default, Clone, Copy)]
struct Written {
    records: u64,
    bytes: u64,
}

impl Written {
    fn one(bytes: usize) -> Self {
        let mut one = Self::default();
        one.add(bytes);
        one
    }

    fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }
}

/// What is to be done with a record that transforms made.
enum Doing<'a> {
    /// Only see whether it can be written.
    Trying,
    /// Write it, and take note of its topic.
    Writing(&'a mut Vec<Arc<str>>),
}

/// Some of the records that became of one are written already: it cannot be set aside any more.
#[cold]
fn halfway(error: TaskError) -> TaskError {
    TaskError::internal(format!(
        "not all that transforms made of a record could be written: {}",
        error.message
    ))
}

/// A record as it goes to its topic.
struct Sent<'a> {
    /// -1: the partitioner decides.
    partition: i32,
    timestamp: i64,
    key: Data<'a>,
    value: Data<'a>,
}

fn push<'h>(
    target: &mut Target,
    converter: &mut SourceConverter,
    record: &Sent<'_>,
    headers: impl Iterator<Item = (&'h str, Data<'h>)>,
    appends: &mut Vec<Append>,
) -> Result<usize, TaskError> {
    let converted = converter.convert(
        target.topic.name.as_str(),
        &record.key,
        &record.value,
        headers,
    )?;
    let key = SourceConverter::bytes(converted.key, &converter.key, &record.key);
    let partitions = target.topic.partitions;
    let explicit = (record.partition >= 0).then_some(record.partition);
    let Some(partition) = target.partitioner.pick(explicit, key, partitions) else {
        return Err(no_partition(target, record));
    };
    let slot = usize::try_from(partition).unwrap_or(0);
    let value = SourceConverter::bytes(converted.value, &converter.value, &record.value);
    let size = sized(target, key, value, converter.header_len())?;
    let Some(builder) = target.builders.get_mut(slot) else {
        return Err(TaskError::internal("partition without a builder"));
    };
    if !builder.is_empty()
        && builder.estimated_bytes() + size + RECORD_OVERHEAD_MAX > target.batch_bytes_max
    {
        target.finish(slot, appends)?;
    }
    let Some(builder) = target.builders.get_mut(slot) else {
        return Err(TaskError::internal("partition without a builder"));
    };
    if builder.is_empty() && !target.open.contains(&slot) {
        target.open.push(slot);
    }
    let timestamp = record.timestamp;
    let pushed = if converter.header_len() == 0 {
        builder.push_plain(timestamp, key, value)
    } else {
        builder.push(timestamp, key, value, converter.headers())
    };
    pushed.map_err(|error| TaskError::data(error.to_string()))?;
    Ok(size)
}

/// Finds out whether a record can be written, without writing it; returns its size.
fn fits<'h>(
    target: &Target,
    converter: &mut SourceConverter,
    record: &Sent<'_>,
    headers: impl Iterator<Item = (&'h str, Data<'h>)>,
) -> Result<usize, TaskError> {
    let converted = converter.convert(
        target.topic.name.as_str(),
        &record.key,
        &record.value,
        headers,
    )?;
    if record.partition >= target.topic.partitions {
        return Err(no_partition(target, record));
    }
    let key = SourceConverter::bytes(converted.key, &converter.key, &record.key);
    let value = SourceConverter::bytes(converted.value, &converter.value, &record.value);
    sized(target, key, value, converter.header_len())
}

#[cold]
fn no_partition(target: &Target, record: &Sent<'_>) -> TaskError {
    TaskError::data(format!(
        "asks for partition {}, topic `{}` has {}",
        record.partition, target.topic.name, target.topic.partitions
    ))
}

/// Returns how many bytes a record has, if a batch of its topic takes so many.
fn sized(
    target: &Target,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: usize,
) -> Result<usize, TaskError> {
    let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len) + headers;
    if size + RECORD_OVERHEAD_MAX + linkspan_wire::HEADER_LEN > target.batch_bytes_max {
        return Err(TaskError::permanent(
            "LS0413",
            "data_invalid",
            format!(
                "has {size} bytes, topic `{}` takes {} in one batch; raise its `max.message.bytes` (at most 16 MiB)",
                target.topic.name, target.batch_bytes_max
            ),
        ));
    }
    Ok(size)
}

/// Returns what the plugin says about a record that it could not read, `None` for a sound one.
fn rejected(record: &SourceRecord<'_>) -> Option<TaskError> {
    let (name, data) = record.headers.clone().next()?;
    if name != REJECTED_HEADER {
        return None;
    }
    let told = match data {
        Data::Json(bytes) => serde_json::from_slice::<serde_json::Value>(bytes).ok(),
        _ => None,
    };
    let message = told
        .as_ref()
        .and_then(|told| told.get("message"))
        .and_then(serde_json::Value::as_str)
        .unwrap_or("the connector could not read it");
    Some(TaskError::data(message).at(Stage::TaskPoll))
}

/// Says which record of which source partition it was.
fn locate(
    mut error: TaskError,
    connector: &str,
    index: usize,
    batch: &SourceBatch<'_>,
    record: &SourceRecord<'_>,
    topic: &str,
) -> TaskError {
    let position = usize::try_from(record.source_partition)
        .ok()
        .and_then(|at| batch.source_partitions().get(at))
        .map_or_else(String::new, |position| {
            format!(", source partition {}", position.partition)
        });
    error.message = format!(
        "connector `{connector}`: record {index} of the batch for topic `{topic}`{position}: {}",
        error.message
    );
    error
}
