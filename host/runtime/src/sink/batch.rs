//! Fetched record batches to the batch that crosses the boundary.

use linkspan_convert::TimestampType as TimeKind;
use linkspan_log::FetchedBatch;
use linkspan_plugin::batch::{GroupKey, SinkBatchWriter};
use linkspan_types::{LeaderEpoch, Offset, TopicPartition};
use linkspan_wire::{Batch, Batches, TimestampType};

use crate::convert::{Named, SinkConverter, plain};
use crate::error::TaskError;
use crate::transforms::{Chain, Incoming};

/// What a record weighs in a `put` beyond its bytes, so that many empty ones are bounded too.
const RECORD_WEIGHT: u64 = 32;

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
    kept: Vec<(TopicPartition, Offset)>,
}

impl PutBuilder {
    pub(crate) fn new(converter: SinkConverter, chain: Option<Chain>, limit: usize) -> Self {
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
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether the batch in hand is as large as one `put` should be.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes + self.records * RECORD_WEIGHT >= self.limit
    }

    /// Adds the records of `fetched` from `from` on, whole batches at a time, until the `put` is full; returns where to
    /// go on then. `epoch` hears each batch's base offset and leader epoch.
    pub(crate) fn add(
        &mut self,
        fetched: &FetchedBatch,
        from: Offset,
        mut epoch: impl FnMut(Offset, LeaderEpoch),
    ) -> Result<Option<Offset>, TaskError> {
        let mut next = from;
        for batch in Batches::new(&fetched.bytes) {
            let batch = batch.map_err(|error| place(fetched, next, &error.to_string()))?;
            let header = batch.header();
            if header.is_control() || header.last_offset() < from.0 {
                continue;
            }
            if self.is_full() {
                return Ok(Some(next));
            }
            epoch(Offset(header.base_offset), LeaderEpoch(header.leader_epoch));
            self.add_batch(fetched, &batch, from)?;
            next = Offset(header.next_offset());
        }
        Ok(None)
    }

    fn add_batch(
        &mut self,
        fetched: &FetchedBatch,
        batch: &Batch<'_>,
        from: Offset,
    ) -> Result<(), TaskError> {
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
        let unreadable = |error: linkspan_wire::Error| {
            place(fetched, Offset(header.base_offset), &error.to_string())
        };
        for record in batch.records(&mut self.scratch).map_err(unreadable)? {
            let record = record.map_err(unreadable)?;
            if record.offset < from.0 {
                continue;
            }
            if let Some(chain) = &mut self.chain {
                let parts = (&mut self.writer, &mut self.converter, chain);
                let sent = push_transformed(parts, &group, header.base_offset, &record);
                match sent.map_err(|error| place(fetched, Offset(record.offset), &error.message))? {
                    Some(size) => {
                        self.records += 1;
                        self.bytes += size as u64;
                        note_kept(&mut self.kept, &fetched.partition, record.offset + 1);
                    }
                    None => self.filtered += 1,
                }
                continue;
            }
            let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            push(&mut self.writer, &mut self.converter, &record)
                .map_err(|error| place(fetched, Offset(record.offset), &error.message))?;
            self.records += 1;
            self.bytes += size as u64;
        }
        Ok(())
    }

    /// Whether transforms may drop records.
    pub(crate) const fn transforms(&self) -> bool {
        self.chain.is_some()
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

    /// Gives a buffer back for the next `put`.
    pub(crate) fn recycle(&mut self, buffer: Vec<u8>) {
        self.writer.recycle(buffer);
    }
}

fn push(
    writer: &mut SinkBatchWriter,
    converter: &mut SinkConverter,
    record: &linkspan_wire::Record<'_>,
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

/// One record through the transforms; returns its size, `None` where it was dropped. A record that is routed elsewhere
/// begins a group of its topic; its place in the log stays that of the batch.
fn push_transformed(
    (writer, converter, chain): (&mut SinkBatchWriter, &mut SinkConverter, &mut Chain),
    group: &GroupKey<'_>,
    base_offset: i64,
    record: &linkspan_wire::Record<'_>,
) -> Result<Option<usize>, TaskError> {
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
        origin: Some((group.partition, record.offset)),
    };
    let Some(outgoing) = chain.apply(&incoming, headers.into_iter())? else {
        return Ok(None);
    };
    let routed = GroupKey {
        topic: &outgoing.topic,
        ..*group
    };
    writer
        .begin_group(&routed, base_offset)
        .map_err(too_large)?;
    let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    writer
        .record(
            record.offset,
            outgoing.timestamp,
            chain.key(&outgoing, key),
            chain.value(&outgoing, value),
            chain.headers(),
        )
        .map_err(too_large)?;
    Ok(Some(size))
}

fn too_large(error: impl std::fmt::Display) -> TaskError {
    TaskError::internal(error.to_string())
}

fn place(fetched: &FetchedBatch, offset: Offset, message: &str) -> TaskError {
    TaskError::data(format!(
        "topic `{}` partition {} offset {}: {message}",
        fetched.partition.topic, fetched.partition.partition.0, offset.0
    ))
}

#[cfg(test)]
mod tests;
