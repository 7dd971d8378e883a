//! Building what a sink, or a transform, takes in.

use std::collections::HashMap;

use super::{
    BATCH_BYTES_MAX, HEADER_LEN, HEADERS_MAX, PARTITIONS_MAX, RECORDS_MAX, TOPICS_MAX,
    read::{limit, malformed},
    record::{Data, RECORD_HAS_TIMESTAMP, len_u32, too_long, write_header},
    source_writer::HeaderBytes,
};
use crate::error::BatchError;

/// What the records of a group share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupKey<'a> {
    /// The topic that the record has now; a transform may have changed it.
    pub topic: &'a str,
    /// The topic that it was read from.
    pub original_topic: &'a str,
    /// The id of the topic that it was read from.
    pub topic_id: [u8; 16],
    /// The partition that it was read from.
    pub partition: i32,
    /// The leader epoch of its batch.
    pub leader_epoch: i32,
    /// 0 create time, 1 log append time.
    pub timestamp_type: u8,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    topic: u16,
    original_topic: u16,
    topic_id: [u8; 16],
    partition: i32,
    leader_epoch: i32,
    base_offset: i64,
    timestamp_type: u8,
    n_records: u32,
}

/// Builds a sink batch. Reusable, see [`SinkBatchWriter::recycle`].
#[derive(Debug, Default)]
pub struct SinkBatchWriter {
    buf: Vec<u8>,
    topics: Vec<String>,
    topic_index: HashMap<String, u16>,
    groups: Vec<Group>,
    count: u32,
}

impl SinkBatchWriter {
    /// Returns an empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a group; the records that follow belong to it.
    ///
    /// # Errors
    /// A batch has bounds for topics and groups.
    pub fn begin_group(&mut self, key: &GroupKey<'_>, base_offset: i64) -> Result<(), BatchError> {
        let group = Group {
            topic: self.topic(key.topic)?,
            original_topic: self.topic(key.original_topic)?,
            topic_id: key.topic_id,
            partition: key.partition,
            leader_epoch: key.leader_epoch,
            base_offset,
            timestamp_type: key.timestamp_type,
            n_records: 0,
        };
        self.push(group)
    }

    fn push(&mut self, group: Group) -> Result<(), BatchError> {
        // A group without records would only cost room.
        if self.groups.last().is_some_and(|last| last.n_records == 0) {
            self.groups.pop();
        }
        let limit = usize::try_from(PARTITIONS_MAX).unwrap_or(usize::MAX);
        super::read::limit("groups of a batch", self.groups.len() + 1, limit)?;
        self.groups.push(group);
        Ok(())
    }

    fn topic(&mut self, name: &str) -> Result<u16, BatchError> {
        if let Some(index) = self.topic_index.get(name) {
            return Ok(*index);
        }
        let limit_max = usize::try_from(TOPICS_MAX).unwrap_or(usize::MAX);
        limit("topics of a batch", self.topics.len() + 1, limit_max)?;
        limit("bytes of a topic name", name.len(), super::TOPIC_BYTES_MAX)?;
        let index = u16::try_from(self.topics.len())
            .map_err(|_| malformed("too many topics", self.buf.len()))?;
        self.topics.push(name.to_owned());
        self.topic_index.insert(name.to_owned(), index);
        Ok(index)
    }

    /// Appends a record to the current group.
    ///
    /// # Errors
    /// Offsets of a group do not go below its base; a batch that would pass its bounds keeps what it had before.
    #[inline]
    pub fn record<'h>(
        &mut self,
        offset: i64,
        timestamp: Option<i64>,
        key: Data<'_>,
        value: Data<'_>,
        headers: impl ExactSizeIterator<Item = (&'h str, Data<'h>)>,
    ) -> Result<(), BatchError> {
        let delta = self.delta(offset)?;
        let start = self.buf.len();
        let written = self.write(delta, timestamp, key, value, headers);
        if written.is_err() {
            self.buf.truncate(start);
        }
        written
    }

    /// Returns the offset's distance from the group's base, beginning the group anew where it is too far.
    #[inline]
    fn delta(&mut self, offset: i64) -> Result<u32, BatchError> {
        if self.buf.is_empty() {
            self.buf.resize(usize::from(HEADER_LEN), 0);
        }
        if self.count >= RECORDS_MAX {
            return Err(BatchError::Limit {
                what: "records of a batch",
                found: u64::from(self.count) + 1,
                limit: u64::from(RECORDS_MAX),
            });
        }
        let at = self.buf.len();
        let group = *self
            .groups
            .last()
            .ok_or_else(|| malformed("a record without a group", at))?;
        let distance = offset
            .checked_sub(group.base_offset)
            .filter(|far| *far >= 0);
        let distance = distance.ok_or_else(|| malformed("an offset below its group's base", at))?;
        if let Ok(delta) = u32::try_from(distance) {
            return Ok(delta);
        }
        self.push(Group {
            base_offset: offset,
            n_records: 0,
            ..group
        })?;
        Ok(0)
    }

    #[inline]
    fn write<'h>(
        &mut self,
        delta: u32,
        timestamp: Option<i64>,
        key: Data<'_>,
        value: Data<'_>,
        headers: impl ExactSizeIterator<Item = (&'h str, Data<'h>)>,
    ) -> Result<(), BatchError> {
        let start = self.buf.len();
        let mut fixed = [0_u8; 17];
        let [_, _, _, _, d0, d1, d2, d3, flags, time @ ..] = &mut fixed;
        [*d0, *d1, *d2, *d3] = delta.to_le_bytes();
        *flags = if timestamp.is_some() {
            RECORD_HAS_TIMESTAMP
        } else {
            0
        };
        *time = timestamp.unwrap_or(0).to_le_bytes();
        self.buf.extend_from_slice(&fixed);
        key.write(&mut self.buf)?;
        value.write(&mut self.buf)?;
        limit("headers of a record", headers.len(), HEADERS_MAX)?;
        let n_headers = u16::try_from(headers.len()).unwrap_or(u16::MAX);
        self.buf.extend_from_slice(&n_headers.to_le_bytes());
        for (name, data) in headers {
            write_header(name, data, &mut self.buf)?;
        }
        if self.buf.len() > BATCH_BYTES_MAX {
            return Err(too_long(self.buf.len()));
        }
        let len = len_u32(self.buf.len() - start - 4)?;
        let slot = self.buf.get_mut(start..);
        if let Some(slot) = slot.and_then(<[u8]>::first_chunk_mut::<4>) {
            *slot = len.to_le_bytes();
        }
        self.count += 1;
        if let Some(group) = self.groups.last_mut() {
            group.n_records += 1;
        }
        Ok(())
    }

    /// Returns the number of records so far.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Returns the bytes of the records so far.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.buf.len()
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.reset();
    }

    fn reset(&mut self) {
        self.topics.clear();
        self.topic_index.clear();
        self.groups.clear();
        self.count = 0;
    }

    /// Returns the batch and starts anew.
    ///
    /// # Errors
    /// The batch with its tables must stay within [`BATCH_BYTES_MAX`]; on an error it is dropped.
    pub fn finish(&mut self) -> Result<Vec<u8>, BatchError> {
        if self.buf.is_empty() {
            self.buf.resize(usize::from(HEADER_LEN), 0);
        }
        if self.groups.last().is_some_and(|last| last.n_records == 0) {
            self.groups.pop();
        }
        let tables_at = self.buf.len();
        for topic in &self.topics {
            let len = u16::try_from(topic.len()).unwrap_or(u16::MAX);
            self.buf.extend_from_slice(&len.to_le_bytes());
            self.buf.extend_from_slice(topic.as_bytes());
        }
        for group in &self.groups {
            let buf = &mut self.buf;
            buf.extend_from_slice(&group.topic.to_le_bytes());
            buf.extend_from_slice(&group.original_topic.to_le_bytes());
            buf.extend_from_slice(&group.topic_id);
            buf.extend_from_slice(&group.partition.to_le_bytes());
            buf.extend_from_slice(&group.leader_epoch.to_le_bytes());
            buf.extend_from_slice(&group.base_offset.to_le_bytes());
            buf.push(group.timestamp_type);
            buf.extend_from_slice(&group.n_records.to_le_bytes());
        }
        let header = HeaderBytes {
            flags: 0,
            poll_after_ms: 0,
            n_topics: self.topics.len(),
            n_partitions: self.groups.len(),
            n_records: self.count,
            tables_at,
        };
        let written = header.write(&mut self.buf);
        self.reset();
        let bytes = std::mem::take(&mut self.buf);
        written.map(|()| bytes)
    }

    /// Gives back a finished batch's buffer, so that the next batch needs no allocation.
    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.buf.is_empty() && bytes.capacity() > self.buf.capacity() {
            bytes.clear();
            self.buf = bytes;
        }
    }
}
