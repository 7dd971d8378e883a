//! Building what a source hands out.

use std::collections::HashMap;

use super::{
    BATCH_BYTES_MAX, FORMAT, HEADER_LEN, HEADERS_MAX, MAPPED, NO_SOURCE_PARTITION,
    OFFSET_JSON_BYTES_MAX, PARTITION_BY_KEY, PARTITIONS_MAX, RECORDS_MAX, TOPIC_BYTES_MAX,
    TOPICS_MAX,
    read::{limit, malformed},
    record::{
        Data, KIND_BYTES, KIND_JSON, KIND_TAGGED, KIND_TYPED, KIND_UTF8, RECORD_HAS_TIMESTAMP,
        len_u32, too_long, write_header,
    },
};
use crate::error::BatchError;

/// Bytes of a source record before its key: length, topic, partition, source partition, flags, timestamp.
const FIXED: usize = 4 + 2 + 4 + 4 + 1 + 8;

/// Builds a source batch. Reusable: [`SourceBatchWriter::finish`] leaves it empty, with the last batch's size as its next room.
#[derive(Debug, Default)]
pub struct SourceBatchWriter {
    buf: Vec<u8>,
    room: usize,
    topics: Vec<String>,
    topic_index: HashMap<String, u16>,
    partitions: Vec<Partition>,
    partition_index: HashMap<String, u32>,
    last_partition: usize,
    scratch: Vec<u8>,
    flags: u32,
    poll_after_ms: u32,
    count: u32,
}

#[derive(Debug)]
struct Partition {
    json: String,
    offset: String,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Set,
    Delete,
    Unchanged,
}

/// How bytes that are written in place are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Bytes without meaning.
    Bytes,
    /// Text; whoever writes it keeps it UTF-8.
    Utf8,
    /// A JSON text.
    Json,
    /// A row of a registered schema.
    Typed(u32),
    /// A self-describing value.
    Tagged,
}

impl SourceBatchWriter {
    /// Returns an empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a topic's index in this batch.
    ///
    /// # Errors
    /// The name must have 1 to 249 bytes, and a batch names at most [`TOPICS_MAX`].
    pub fn topic(&mut self, name: &str) -> Result<u16, BatchError> {
        if let Some(last) = self.topics.last() {
            if last == name {
                return u16::try_from(self.topics.len() - 1).map_err(|_| too_many_topics());
            }
        }
        if let Some(index) = self.topic_index.get(name) {
            return Ok(*index);
        }
        if name.is_empty() {
            return Err(malformed("a topic name is empty", 0));
        }
        limit("bytes of a topic name", name.len(), TOPIC_BYTES_MAX)?;
        let index = u16::try_from(self.topics.len()).map_err(|_| too_many_topics())?;
        if u32::from(index) >= TOPICS_MAX {
            return Err(too_many_topics());
        }
        self.topics.push(name.to_owned());
        self.topic_index.insert(name.to_owned(), index);
        Ok(index)
    }

    /// Returns a source partition's index in this batch; its offset stays as it is.
    ///
    /// # Errors
    /// At most [`PARTITIONS_MAX`] partitions of at most [`OFFSET_JSON_BYTES_MAX`] bytes.
    pub fn source_partition(&mut self, partition_json: &str) -> Result<u32, BatchError> {
        let position = self.partition(partition_json)?;
        u32::try_from(position).map_err(|_| too_many_partitions(position))
    }

    /// Sets the offset of a source partition; the last one of a batch wins.
    ///
    /// # Errors
    /// As [`SourceBatchWriter::source_partition`]; the offset is bounded as the partition is.
    pub fn source_partition_offset(
        &mut self,
        partition_json: &str,
        offset_json: &str,
    ) -> Result<u32, BatchError> {
        limit(
            "bytes of a source offset",
            offset_json.len(),
            OFFSET_JSON_BYTES_MAX,
        )?;
        let position = self.partition(partition_json)?;
        if let Some(entry) = self.partitions.get_mut(position) {
            entry.offset.clear();
            entry.offset.push_str(offset_json);
            entry.change = Change::Set;
        }
        u32::try_from(position).map_err(|_| too_many_partitions(position))
    }

    /// Deletes the offset of a source partition.
    ///
    /// # Errors
    /// As [`SourceBatchWriter::source_partition`].
    pub fn delete_offset(&mut self, partition_json: &str) -> Result<u32, BatchError> {
        let position = self.partition(partition_json)?;
        if let Some(entry) = self.partitions.get_mut(position) {
            entry.change = Change::Delete;
        }
        u32::try_from(position).map_err(|_| too_many_partitions(position))
    }

    fn partition(&mut self, json: &str) -> Result<usize, BatchError> {
        let last = self.partitions.get(self.last_partition);
        if last.is_some_and(|entry| entry.json == json) {
            return Ok(self.last_partition);
        }
        if let Some(index) = self.partition_index.get(json) {
            self.last_partition = usize::try_from(*index).unwrap_or(0);
            return Ok(self.last_partition);
        }
        limit(
            "bytes of a source partition",
            json.len(),
            OFFSET_JSON_BYTES_MAX,
        )?;
        let position = self.partitions.len();
        let index = u32::try_from(position).map_err(|_| too_many_partitions(position))?;
        if index >= PARTITIONS_MAX {
            return Err(too_many_partitions(position));
        }
        self.partitions.push(Partition {
            json: json.to_owned(),
            offset: String::new(),
            change: Change::Unchanged,
        });
        self.partition_index.insert(json.to_owned(), index);
        self.last_partition = position;
        Ok(position)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// A batch that would pass its bounds keeps what it had before.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of a record; `begin` is the form with names"
    )]
    #[inline]
    pub fn record<'h>(
        &mut self,
        topic: u16,
        partition: i32,
        source_partition: u32,
        timestamp: Option<i64>,
        key: Data<'_>,
        value: Data<'_>,
        headers: impl ExactSizeIterator<Item = (&'h str, Data<'h>)>,
    ) -> Result<(), BatchError> {
        let mut record = self.begin(topic, source_partition)?;
        record.partition(partition);
        if let Some(timestamp) = timestamp {
            record.timestamp(timestamp);
        }
        record.key(key)?;
        for (name, data) in headers {
            record.header(name, data)?;
        }
        record.value(value)
    }

    /// Begins a record whose parts are written in place; dropping it without a value takes it back.
    ///
    /// # Errors
    /// The topic must be an index of this batch; at most [`RECORDS_MAX`] records.
    #[inline]
    pub fn begin(
        &mut self,
        topic: u16,
        source_partition: u32,
    ) -> Result<RecordWriter<'_>, BatchError> {
        if usize::from(topic) >= self.topics.len() {
            return Err(malformed(
                "a record names a topic outside of the table",
                self.buf.len(),
            ));
        }
        if self.count >= RECORDS_MAX {
            return Err(BatchError::Limit {
                what: "records of a batch",
                found: u64::from(self.count) + 1,
                limit: u64::from(RECORDS_MAX),
            });
        }
        if self.buf.is_empty() {
            self.start();
        }
        self.scratch.clear();
        let start = self.buf.len();
        let mut fixed = [0_u8; FIXED];
        let [_, _, _, _, t0, t1, p0, p1, p2, p3, s0, s1, s2, s3, ..] = &mut fixed;
        [*t0, *t1] = topic.to_le_bytes();
        [*p0, *p1, *p2, *p3] = PARTITION_BY_KEY.to_le_bytes();
        [*s0, *s1, *s2, *s3] = source_partition.to_le_bytes();
        self.buf.extend_from_slice(&fixed);
        Ok(RecordWriter {
            writer: self,
            start,
            n_headers: 0,
            has_key: false,
            done: false,
        })
    }

    fn start(&mut self) {
        self.buf.reserve(self.room.max(usize::from(HEADER_LEN)));
        self.buf.resize(usize::from(HEADER_LEN), 0);
    }

    /// Sets flags of the header, see [`super::END`] and its neighbours.
    pub const fn set_flags(&mut self, flags: u32) {
        self.flags |= flags;
    }

    /// Says how long the host should wait before it polls again.
    pub const fn poll_after(&mut self, milliseconds: u32) {
        self.poll_after_ms = milliseconds;
    }

    /// Makes this a transform's answer: source partitions of records are indexes of input records.
    pub const fn set_mapped(&mut self) {
        self.flags |= MAPPED;
    }

    /// Returns the bytes of the records so far.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.buf.len()
    }

    /// Returns the number of records so far.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Returns whether the batch says nothing: no record, no offset, no flag.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.partitions.is_empty() && self.flags == 0
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        self.buf.clear();
        self.reset();
    }

    fn reset(&mut self) {
        self.topics.clear();
        self.topic_index.clear();
        self.partitions.clear();
        self.partition_index.clear();
        self.last_partition = 0;
        self.flags = 0;
        self.poll_after_ms = 0;
        self.count = 0;
    }

    /// Returns the batch and starts anew.
    ///
    /// # Errors
    /// The batch with its tables must stay within [`BATCH_BYTES_MAX`]; on an error it is dropped.
    pub fn finish(&mut self) -> Result<Vec<u8>, BatchError> {
        if self.buf.is_empty() {
            self.start();
        }
        let tables_at = self.buf.len();
        for topic in &self.topics {
            let len = u16::try_from(topic.len()).map_err(|_| too_many_topics())?;
            self.buf.extend_from_slice(&len.to_le_bytes());
            self.buf.extend_from_slice(topic.as_bytes());
        }
        for entry in &self.partitions {
            sized(&entry.json, &mut self.buf)?;
            match entry.change {
                Change::Set => {
                    self.buf.push(0);
                    sized(&entry.offset, &mut self.buf)?;
                }
                Change::Delete => self.buf.push(1),
                Change::Unchanged => self.buf.push(2),
            }
        }
        let header = HeaderBytes {
            flags: self.flags,
            poll_after_ms: self.poll_after_ms,
            n_topics: self.topics.len(),
            n_partitions: self.partitions.len(),
            n_records: self.count,
            tables_at,
        };
        let written = header.write(&mut self.buf);
        self.reset();
        let bytes = std::mem::take(&mut self.buf);
        self.room = bytes.len() + bytes.len() / 8;
        written.map(|()| bytes)
    }
}

fn sized(text: &str, out: &mut Vec<u8>) -> Result<(), BatchError> {
    out.extend_from_slice(&len_u32(text.len())?.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The header as it is written over the room that was left for it.
pub(super) struct HeaderBytes {
    pub(super) flags: u32,
    pub(super) poll_after_ms: u32,
    pub(super) n_topics: usize,
    pub(super) n_partitions: usize,
    pub(super) n_records: u32,
    pub(super) tables_at: usize,
}

impl HeaderBytes {
    pub(super) fn write(&self, out: &mut [u8]) -> Result<(), BatchError> {
        limit("bytes of a batch", out.len(), BATCH_BYTES_MAX)?;
        let words = [
            self.flags,
            self.poll_after_ms,
            len_u32(self.n_topics)?,
            len_u32(self.n_partitions)?,
            self.n_records,
            len_u32(self.tables_at)?,
        ];
        let bytes = HEADER_LEN
            .to_le_bytes()
            .into_iter()
            .chain(FORMAT.to_le_bytes())
            .chain(words.into_iter().flat_map(u32::to_le_bytes));
        for (slot, byte) in out.iter_mut().zip(bytes) {
            *slot = byte;
        }
        Ok(())
    }
}

#[cold]
fn too_many_topics() -> BatchError {
    BatchError::Limit {
        what: "topics of a batch",
        found: u64::from(TOPICS_MAX) + 1,
        limit: u64::from(TOPICS_MAX),
    }
}

#[cold]
fn too_many_partitions(position: usize) -> BatchError {
    BatchError::Limit {
        what: "source partitions of a batch",
        found: u64::try_from(position)
            .unwrap_or(u64::MAX)
            .saturating_add(1),
        limit: u64::from(PARTITIONS_MAX),
    }
}

/// A record being written: key at most once, headers whenever, the value last.
#[derive(Debug)]
pub struct RecordWriter<'w> {
    writer: &'w mut SourceBatchWriter,
    start: usize,
    n_headers: u16,
    has_key: bool,
    done: bool,
}

impl RecordWriter<'_> {
    /// Sets the partition; without it the key decides.
    #[inline]
    pub fn partition(&mut self, partition: i32) {
        self.patch(6, partition.to_le_bytes());
    }

    /// Sets the time, in milliseconds since 1970.
    #[inline]
    pub fn timestamp(&mut self, milliseconds: i64) {
        self.patch(14, [RECORD_HAS_TIMESTAMP]);
        self.patch(15, milliseconds.to_le_bytes());
    }

    #[inline]
    fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let slot = self.writer.buf.get_mut(self.start + at..);
        if let Some(slot) = slot.and_then(<[u8]>::first_chunk_mut::<N>) {
            *slot = bytes;
        }
    }

    /// Writes the key.
    ///
    /// # Errors
    /// A record has one key.
    #[inline]
    pub fn key(&mut self, key: Data<'_>) -> Result<(), BatchError> {
        self.one_key()?;
        key.write(&mut self.writer.buf)
    }

    /// Writes the key in place.
    ///
    /// # Errors
    /// A record has one key; what `write` answers.
    pub fn key_with<E: From<BatchError>>(
        &mut self,
        encoding: Encoding,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.one_key()?;
        in_place(&mut self.writer.buf, encoding, write)
    }

    fn one_key(&mut self) -> Result<(), BatchError> {
        if self.has_key {
            return Err(malformed("a record has two keys", self.start));
        }
        self.has_key = true;
        Ok(())
    }

    /// Appends a header.
    ///
    /// # Errors
    /// At most [`HEADERS_MAX`] headers, names of at most 64 KiB.
    pub fn header(&mut self, name: &str, data: Data<'_>) -> Result<(), BatchError> {
        limit(
            "headers of a record",
            usize::from(self.n_headers) + 1,
            HEADERS_MAX,
        )?;
        write_header(name, data, &mut self.writer.scratch)?;
        self.n_headers += 1;
        Ok(())
    }

    /// Writes the value, and with it the record.
    ///
    /// # Errors
    /// A batch that would pass [`BATCH_BYTES_MAX`] keeps what it had before the record.
    #[inline]
    pub fn value(mut self, value: Data<'_>) -> Result<(), BatchError> {
        self.key_or_null();
        value.write(&mut self.writer.buf)?;
        self.end()
    }

    /// Writes the value in place, and with it the record.
    ///
    /// # Errors
    /// As [`RecordWriter::value`]; what `write` answers.
    pub fn value_with<E: From<BatchError>>(
        mut self,
        encoding: Encoding,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.key_or_null();
        in_place(&mut self.writer.buf, encoding, write)?;
        Ok(self.end()?)
    }

    #[inline]
    fn key_or_null(&mut self) {
        if !self.has_key {
            self.writer.buf.push(0);
        }
    }

    #[inline]
    fn end(&mut self) -> Result<(), BatchError> {
        let writer = &mut *self.writer;
        writer.buf.extend_from_slice(&self.n_headers.to_le_bytes());
        if self.n_headers > 0 {
            writer.buf.extend_from_slice(&writer.scratch);
        }
        if writer.buf.len() > BATCH_BYTES_MAX {
            return Err(too_long(writer.buf.len()));
        }
        let len = len_u32(writer.buf.len() - self.start - 4)?;
        self.patch(0, len.to_le_bytes());
        self.writer.count += 1;
        self.done = true;
        Ok(())
    }
}

impl Drop for RecordWriter<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.writer.buf.truncate(self.start);
        }
    }
}

/// Writes a value whose length is known only afterwards.
fn in_place<E: From<BatchError>>(
    buf: &mut Vec<u8>,
    encoding: Encoding,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    match encoding {
        Encoding::Bytes => buf.push(KIND_BYTES),
        Encoding::Utf8 => buf.push(KIND_UTF8),
        Encoding::Json => buf.push(KIND_JSON),
        Encoding::Tagged => buf.push(KIND_TAGGED),
        Encoding::Typed(handle) => {
            buf.push(KIND_TYPED);
            buf.extend_from_slice(&handle.to_le_bytes());
        }
    }
    let at = buf.len();
    buf.extend_from_slice(&[0; 4]);
    write(buf)?;
    let len = buf
        .len()
        .checked_sub(at + 4)
        .ok_or_else(|| malformed("a value took back bytes that are not its own", at))?;
    let len = len_u32(len)?;
    if let Some(slot) = buf.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
        *slot = len.to_le_bytes();
    }
    Ok(())
}

/// Keeps the constant in use where a source has no partitions.
const _: () = assert!(NO_SOURCE_PARTITION > PARTITIONS_MAX);
