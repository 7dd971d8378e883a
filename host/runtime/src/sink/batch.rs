//! Fetched record batches to the batch that crosses the boundary.

use linkspan_log::FetchedBatch;
use linkspan_plugin::batch::{GroupKey, SinkBatchWriter};
use linkspan_types::{LeaderEpoch, Offset};
use linkspan_wire::{Batches, TimestampType};

use crate::convert::{Named, SinkConverter, kept_headers, plain};
use crate::error::TaskError;

/// Builds one `put`; keeps its buffers.
#[derive(Debug)]
pub(crate) struct PutBuilder {
    writer: SinkBatchWriter,
    converter: SinkConverter,
    scratch: Vec<u8>,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl PutBuilder {
    pub(crate) fn new(converter: SinkConverter) -> Self {
        Self {
            writer: SinkBatchWriter::new(),
            converter,
            scratch: Vec::new(),
            records: 0,
            bytes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Adds all records of `fetched` from its `from` offset on; `epoch` hears each batch's base offset and leader epoch.
    pub(crate) fn add(
        &mut self,
        fetched: &FetchedBatch,
        mut epoch: impl FnMut(Offset, LeaderEpoch),
    ) -> Result<(), TaskError> {
        for batch in Batches::new(&fetched.bytes) {
            let batch = batch.map_err(|error| place(fetched, Offset(-1), &error.to_string()))?;
            let header = batch.header();
            if header.is_control() || header.last_offset() < fetched.from.0 {
                continue;
            }
            epoch(Offset(header.base_offset), LeaderEpoch(header.leader_epoch));
            let append_time = header.timestamp_type() == TimestampType::LogAppendTime;
            let group = GroupKey {
                topic: fetched.partition.topic.as_str(),
                original_topic: fetched.partition.topic.as_str(),
                topic_id: fetched.topic_id.0,
                partition: fetched.partition.partition.0,
                leader_epoch: header.leader_epoch,
                timestamp_type: u8::from(append_time),
            };
            self.writer
                .begin_group(&group, header.base_offset)
                .map_err(too_large)?;
            let records = batch
                .records(&mut self.scratch)
                .map_err(|error| place(fetched, Offset(header.base_offset), &error.to_string()))?;
            for record in records {
                let record = record.map_err(|error| {
                    place(fetched, Offset(header.base_offset), &error.to_string())
                })?;
                if record.offset < fetched.from.0 {
                    continue;
                }
                let size = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
                push(&mut self.writer, &mut self.converter, &record)
                    .map_err(|error| place(fetched, Offset(record.offset), &error.message))?;
                self.records += 1;
                self.bytes += size as u64;
            }
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
    if record.headers.is_empty() {
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
    let handles = converter.prepare(record, &names)?;
    let key = converter.key(record, &handles);
    let value = converter.value(record, &handles);
    let headers = kept_headers(record, kept)?;
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
