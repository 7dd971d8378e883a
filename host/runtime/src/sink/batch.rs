//! Fetched record batches to the batch that crosses the boundary.

use linkspan_convert::TimestampType as TimeKind;
use linkspan_log::FetchedBatch;
use linkspan_plugin::batch::{GroupKey, SinkBatchWriter, SinkRecord};
use linkspan_types::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName, TopicPartition};
use linkspan_wire::{Batch, Batches, Record, TimestampType};

use super::aside::{Aside, At, Failed};
use crate::convert::{Named, SinkConverter, plain};
use crate::error::TaskError;
use crate::errors::{Attempts, Retrier, Verdict};
use crate::transforms::{Chain, Incoming, Origin};

/// What went into a batch of one record of the log.
#[derive(Debug, Default, Clone, Copy)]
struct Pushed {
    records: u64,
    bytes: u64,
}

/// What a record weighs in a `put` beyond its bytes, so that many empty ones are bounded too.
const RECORD_WEIGHT: u64 = 32;
/// How many times its aim a `put` may be before it ends inside of a batch, because steps make several records of one.
const SWOLLEN: u64 = 2;

/// Builds one `put`; keeps its buffers.
#[derive(Debug)]
pub(crate) struct PutBuilder {
    writer: SinkBatchWriter,
    converter: SinkConverter,
    chain: Option<Chain>,
    scratch: Vec<u8>,
    /// Bytes and weight aimed at.
    limit: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Records that transforms dropped since they were last asked for.
    pub(crate) filtered: u64,
    /// Behind the last record that was kept, of each partition with transforms.
    pub(crate) kept: Vec<(TopicPartition, Offset)>,
    retrier: Retrier,
    /// Records set aside, which the plugin does not get.
    pub(crate) aside: Aside,
    /// Records left out because they were set aside before.
    pub(crate) left_out: u64,
    /// Records that could not be converted.
    pub(crate) failed: Vec<Failed>,
    /// The youngest timestamp of what was added since it was last asked for, in milliseconds since 1970.
    pub(crate) youngest_ms: Option<i64>,
}

impl PutBuilder {
    pub(crate) fn new(
        converter: SinkConverter,
        chain: Option<Chain>,
        limit: usize,
        retrier: Retrier,
    ) -> Self {
        Self {
            writer: SinkBatchWriter::new(),
            converter,
            chain,
            scratch: Vec::new(),
            limit: limit as u64,
            records: 0,
            bytes: 0,
            filtered: 0,
            kept: Vec::new(),
            retrier,
            aside: Aside::default(),
            left_out: 0,
            failed: Vec::new(),
            youngest_ms: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether the batch in hand is as large as one `put` should be.
    pub(crate) fn is_full(&self) -> bool {
        self.weighs() >= self.limit
    }

    /// Returns what the batch in hand weighs, in bytes: more than its records, of which there may be many empty ones.
    pub(crate) fn weight(&self) -> usize {
        usize::try_from(self.weighs()).unwrap_or(usize::MAX)
    }

    fn weighs(&self) -> u64 {
        let records = self.records + self.failed.len() as u64 + self.left_out;
        self.bytes + records * RECORD_WEIGHT
    }

    /// Changes what a `put` is to weigh.
    pub(crate) fn aim(&mut self, limit: usize) {
        self.limit = limit as u64;
    }

    /// Whether steps have made much more of a batch than a `put` should be.
    fn is_swollen(&self) -> bool {
        let weight = self.bytes + self.records * RECORD_WEIGHT;
        self.chain.is_some() && weight >= self.limit.saturating_mul(SWOLLEN)
    }

    /// Adds the records of `fetched` from `from` on, whole batches at a time, until the `put` is full; returns where to
    /// go on then. Inside of a batch it ends where steps make much of little. `epoch` hears each batch's base offset and leader epoch.
    pub(crate) fn add(
        &mut self,
        fetched: &FetchedBatch,
        from: Offset,
        mut epoch: impl FnMut(Offset, LeaderEpoch),
    ) -> Result<Option<Offset>, TaskError> {
        let mut next = from;
        let mut rest = None;
        for batch in Batches::new(&fetched.bytes) {
            let batch = batch.map_err(|error| unreadable(fetched, next, &error))?;
            let header = batch.header();
            if header.is_control() || header.last_offset() < from.0 {
                continue;
            }
            if self.is_full() {
                rest = Some(next);
                break;
            }
            epoch(Offset(header.base_offset), LeaderEpoch(header.leader_epoch));
            self.youngest_ms = self.youngest_ms.max(Some(header.max_timestamp));
            rest = self.add_batch(fetched, &batch, from)?;
            if rest.is_some() {
                break;
            }
            next = Offset(header.next_offset());
        }
        Ok(rest)
    }

    /// Builds a smaller batch of records that were put before: as they were converted then, nothing is decoded again.
    pub(crate) fn again(&mut self, records: &[SinkRecord<'_>]) -> Result<(), TaskError> {
        self.kept.clear();
        let mut group = None;
        for record in records {
            if group.replace(record.group) != Some(record.group) {
                let key = GroupKey {
                    topic: record.topic,
                    original_topic: record.original_topic,
                    topic_id: record.topic_id,
                    partition: record.partition,
                    leader_epoch: record.leader_epoch,
                    timestamp_type: record.timestamp_type,
                };
                self.writer
                    .begin_group(&key, record.offset)
                    .map_err(too_large)?;
            }
            let headers = record.headers.clone();
            self.writer
                .record(
                    record.offset,
                    record.timestamp,
                    record.key,
                    record.value,
                    headers,
                )
                .map_err(too_large)?;
            self.records += 1;
            self.bytes += (record.key.len() + record.value.len()) as u64;
            if self.tracks() {
                let at = place(record)?;
                note_kept(&mut self.kept, &at.partition, record.offset + 1);
            }
        }
        Ok(())
    }

    fn add_batch(
        &mut self,
        fetched: &FetchedBatch,
        batch: &Batch<'_>,
        from: Offset,
    ) -> Result<Option<Offset>, TaskError> {
        let header = batch.header();
        let group = GroupKey {
            topic: fetched.partition.topic.as_str(),
            original_topic: fetched.partition.topic.as_str(),
            topic_id: fetched.topic_id.0,
            partition: fetched.partition.partition.0,
            leader_epoch: header.leader_epoch,
            timestamp_type: u8::from(header.timestamp_type() == TimestampType::LogAppendTime),
        };
        self.writer
            .begin_group(&group, header.base_offset)
            .map_err(too_large)?;
        let base = Offset(header.base_offset);
        let mut scratch = std::mem::take(&mut self.scratch);
        let records = batch.records(&mut scratch);
        let mut rest = None;
        for record in records.map_err(|error| unreadable(fetched, base, &error))? {
            let record = record.map_err(|error| unreadable(fetched, base, &error))?;
            if record.offset < from.0 {
                continue;
            }
            if self.is_swollen() {
                rest = Some(Offset(record.offset));
                break;
            }
            self.add_record(fetched, &group, header.base_offset, &record)?;
        }
        self.scratch = scratch;
        Ok(rest)
    }

    fn add_record(
        &mut self,
        fetched: &FetchedBatch,
        group: &GroupKey<'_>,
        base_offset: i64,
        record: &Record<'_>,
    ) -> Result<(), TaskError> {
        if !self.aside.is_empty() && self.aside.contains(&fetched.partition, record.offset) {
            self.left_out += 1;
            return Ok(());
        }
        let pushed = match self.push(group, base_offset, record) {
            Err(error) if error.temporary => self.push_again(error, group, base_offset, record),
            pushed => pushed,
        };
        match pushed {
            Ok(Pushed { records: 0, .. }) => self.filtered += 1,
            Ok(Pushed { records, bytes }) => {
                self.records += records;
                self.bytes += bytes;
                if self.tracks() {
                    note_kept(&mut self.kept, &fetched.partition, record.offset + 1);
                }
            }
            Err(error) if self.retrier.policy.tolerates(&error) => self.failed.push(Failed {
                at: at(fetched, record),
                error,
            }),
            Err(error) => {
                let message = located(fetched, Offset(record.offset), &error.message);
                return Err(TaskError { message, ..error });
            }
        }
        Ok(())
    }

    /// Converts one record into the batch; returns what came of it, nothing where a transform dropped it.
    fn push(
        &mut self,
        group: &GroupKey<'_>,
        base_offset: i64,
        record: &Record<'_>,
    ) -> Result<Pushed, TaskError> {
        if let Some(chain) = &mut self.chain {
            let parts = (&mut self.writer, &mut self.converter, chain);
            return push_transformed(parts, group, base_offset, record);
        }
        push(&mut self.writer, &mut self.converter, record)?;
        let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        Ok(Pushed {
            records: 1,
            bytes: size as u64,
        })
    }

    #[cold]
    fn push_again(
        &mut self,
        error: TaskError,
        group: &GroupKey<'_>,
        base_offset: i64,
        record: &Record<'_>,
    ) -> Result<Pushed, TaskError> {
        let retrier = self.retrier.clone();
        let mut attempts = Attempts::default();
        let mut error = error;
        loop {
            match retrier.again(&mut attempts, error) {
                Verdict::Again => {}
                Verdict::GiveUp(error) => return Err(error),
                Verdict::Stopped => return Err(TaskError::stopped()),
            }
            match self.push(group, base_offset, record) {
                Err(again) if again.temporary => error = again,
                pushed => {
                    retrier.done(&attempts);
                    return pushed;
                }
            }
        }
    }

    /// Whether records may be left out: dropped by transforms, or set aside.
    pub(crate) fn tracks(&self) -> bool {
        self.chain.is_some() || self.retrier.policy.tolerant
    }

    /// Returns where the records of a partition end that were kept since this was last asked; `None` where none was.
    pub(crate) fn take_kept(&mut self, partition: &TopicPartition) -> Option<Offset> {
        let at = self.kept.iter().position(|(known, _)| known == partition)?;
        Some(self.kept.swap_remove(at).1)
    }

    /// Returns the finished bytes and the number of records, and starts anew.
    pub(crate) fn finish(&mut self) -> Result<(Vec<u8>, u64, u64), TaskError> {
        let bytes = self.writer.finish().map_err(too_large)?;
        let counted = (self.records, self.bytes);
        self.records = 0;
        self.bytes = 0;
        Ok((bytes, counted.0, counted.1))
    }

    /// Gives a buffer back for the next `put`, if it is not much larger than that will be.
    pub(crate) fn recycle(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() as u64 <= self.limit.saturating_mul(2 * SWOLLEN) {
            self.writer.recycle(buffer);
        }
    }
}

fn push(
    writer: &mut SinkBatchWriter,
    converter: &mut SinkConverter,
    record: &Record<'_>,
) -> Result<(), TaskError> {
    let timestamp = Some(record.timestamp);
    if record.headers.is_empty() && converter.passes_plain() {
        return writer
            .record(
                record.offset,
                timestamp,
                plain(record.key),
                plain(record.value),
                std::iter::empty(),
            )
            .map_err(too_large);
    }
    let (names, kept) = Named::of(record);
    let parts = converter.prepare(record, &names)?;
    let key = converter.key(record, &parts);
    let value = converter.value(record, &parts);
    let headers = converter.kept_headers(record, kept)?;
    writer
        .record(record.offset, timestamp, key, value, headers.into_iter())
        .map_err(too_large)
}

fn note_kept(kept: &mut Vec<(TopicPartition, Offset)>, partition: &TopicPartition, next: i64) {
    match kept.iter_mut().find(|(known, _)| known == partition) {
        Some((_, known)) => *known = Offset(next),
        None => kept.push((partition.clone(), Offset(next))),
    }
}

/// One record through the transforms; returns what was made of it, nothing where it was dropped. A record that is routed
/// elsewhere begins a group of its topic; its place in the log stays that of the batch, and all that became of one record has
/// its place.
fn push_transformed(
    (writer, converter, chain): (&mut SinkBatchWriter, &mut SinkConverter, &mut Chain),
    group: &GroupKey<'_>,
    base_offset: i64,
    record: &Record<'_>,
) -> Result<Pushed, TaskError> {
    let (names, kept) = Named::of(record);
    let parts = converter.prepare(record, &names)?;
    let (key, value) = (
        converter.key(record, &parts),
        converter.value(record, &parts),
    );
    let headers = converter.kept_headers(record, kept)?;
    let incoming = Incoming {
        topic: group.original_topic,
        partition: Some(group.partition),
        timestamp: Some(record.timestamp),
        timestamp_type: if group.timestamp_type == 1 {
            TimeKind::LogAppendTime
        } else {
            TimeKind::CreateTime
        },
        key,
        value,
        origin: Some(Origin {
            topic_id: group.topic_id,
            partition: group.partition,
            leader_epoch: group.leader_epoch,
            offset: record.offset,
        }),
    };
    let made = chain.apply(&incoming, &headers)?;
    let mut pushed = Pushed::default();
    for at in 0..made {
        let Some(outgoing) = chain.outgoing(at, &incoming) else {
            return Err(TaskError::internal("a transformed record is not there"));
        };
        let routed = GroupKey {
            topic: outgoing.topic,
            ..*group
        };
        writer
            .begin_group(&routed, base_offset)
            .map_err(too_large)?;
        writer
            .record(
                record.offset,
                outgoing.timestamp,
                outgoing.key,
                outgoing.value,
                outgoing.headers(),
            )
            .map_err(too_large)?;
        pushed.records += 1;
        pushed.bytes += outgoing.size() as u64;
    }
    Ok(pushed)
}

/// Where a record of a built batch lies in the log.
pub(super) fn place(record: &SinkRecord<'_>) -> Result<At, TaskError> {
    let topic = TopicName::try_new(record.original_topic)
        .map_err(|error| TaskError::internal(error.to_string()))?;
    Ok(At {
        partition: TopicPartition::new(topic, PartitionId(record.partition)),
        topic_id: TopicId(record.topic_id),
        offset: record.offset,
    })
}

fn too_large(error: impl std::fmt::Display) -> TaskError {
    TaskError::internal(error.to_string())
}

fn at(fetched: &FetchedBatch, record: &Record<'_>) -> At {
    At {
        partition: fetched.partition.clone(),
        topic_id: fetched.topic_id,
        offset: record.offset,
    }
}

/// Stored bytes that are no records: damage of the log, never a record's fault.
#[cold]
fn unreadable(fetched: &FetchedBatch, offset: Offset, error: &linkspan_wire::Error) -> TaskError {
    TaskError::permanent(
        "LS0513",
        "data_invalid",
        located(fetched, offset, &error.to_string()),
    )
}

fn located(fetched: &FetchedBatch, offset: Offset, message: &str) -> String {
    format!(
        "topic `{}` partition {} offset {}: {message}",
        fetched.partition.topic, fetched.partition.partition.0, offset.0
    )
}

#[cfg(test)]
mod tests;
