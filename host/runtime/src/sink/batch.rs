//! Fetched record batches to the batch that crosses the boundary.

use linkspan_log::FetchedBatch;
use linkspan_plugin::batch::{GroupKey, SinkBatchWriter};
use linkspan_types::{LeaderEpoch, Offset};
use linkspan_wire::{Batch, Batches, TimestampType};

use crate::convert::{Named, SinkConverter, plain};
use crate::error::TaskError;

/// What a record weighs in a `put` beyond its bytes, so that many empty ones are bounded too.
const RECORD_WEIGHT: u64 = 32;

/// Builds one `put`; keeps its buffers.
#[derive(Debug)]
pub(crate) struct PutBuilder {
    writer: SinkBatchWriter,
    converter: SinkConverter,
    scratch: Vec<u8>,
    /// Bytes and weight aimed at.
    limit: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl PutBuilder {
    pub(crate) fn new(converter: SinkConverter, limit: usize) -> Self {
        Self {
            writer: SinkBatchWriter::new(),
            converter,
            scratch: Vec::new(),
            limit: limit as u64,
            records: 0,
            bytes: 0,
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
            let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
            push(&mut self.writer, &mut self.converter, &record)
                .map_err(|error| place(fetched, Offset(record.offset), &error.message))?;
            self.records += 1;
            self.bytes += size as u64;
        }
        Ok(())
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
