//! Building a batch of a source.

use std::fmt;

use linkspan_abi::batch::{
    self, Data, Encoding, NO_SOURCE_PARTITION, REJECTED_HEADER, RecordWriter, SourceBatchWriter,
};
use linkspan_abi::row::{RowWriter, write_value};
use serde::Serialize;

use crate::{
    Error, Result, RowSchema, Value,
    durable::Seq,
    offset::{OffsetValue, SourcePartition, canonical},
};

/// What a source's `poll` fills: records, and with them how far each source partition is.
///
/// All of one batch becomes durable together. Buffers are reused from poll to poll.
///
/// # Examples
/// ```
/// use linkspan_sdk::prelude::*;
///
/// fn fill(out: &mut BatchBuilder, orders: &RowSchema) -> Result<()> {
///     out.to("raw").bytes(b"any bytes")?;
///     out.to("events").key_utf8("k1").timestamp(1_700_000_000_000).json(&["a", "b"])?;
///     out.to("orders").partition(3).header("trace", Data::Utf8("t-1")).row(orders, |row| {
///         row.int64(0, 42)?.string(1, "ship")?;
///         Ok(())
///     })?;
///     out.offset([("table", "orders")], [("id", 42)]);
///     Ok(())
/// }
/// ```
pub struct BatchBuilder {
    writer: SourceBatchWriter,
    stamp: u32,
    seq: u64,
    max_records: u32,
    max_bytes: u64,
    /// The first failed offset; told when the batch ends, since `offset` itself answers nothing.
    failed: Option<Error>,
}

impl BatchBuilder {
    pub(crate) fn new() -> Self {
        Self {
            writer: SourceBatchWriter::new(),
            stamp: NO_SOURCE_PARTITION,
            seq: 1,
            max_records: u32::MAX,
            max_bytes: u64::MAX,
            failed: None,
        }
    }

    /// Starts a record for a topic. It is written by the last call of the chain, the one that gives its value.
    #[must_use = "a record is written when its value is"]
    #[inline]
    pub fn to(&mut self, topic: &(impl AsRef<str> + ?Sized)) -> RecordBuilder<'_> {
        RecordBuilder::new(Writing::begin(&mut self.writer, topic.as_ref(), self.stamp))
    }

    /// Hands over a record that could not be read: what was read, raw, and why it is no use. With `errors.tolerance: all` it
    /// becomes a dead letter (or is skipped) and the source goes on; otherwise it fails the task, and with it the whole batch,
    /// so ask [`crate::TaskContext::tolerates_bad_records`] first. `topic` is the one it was for.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`].
    ///
    /// # Examples
    /// ```
    /// use linkspan_sdk::prelude::*;
    ///
    /// fn bad_line(out: &mut BatchBuilder, line: &[u8]) -> Result<()> {
    ///     out.reject("orders", Data::Bytes(line), &Error::data_invalid("orders.txt line 3, byte 40: not a number"))
    /// }
    /// ```
    pub fn reject(
        &mut self,
        topic: &(impl AsRef<str> + ?Sized),
        value: Data<'_>,
        error: &Error,
    ) -> Result<()> {
        let about = serde_json::json!({"kind": error.kind().as_str(), "message": error.chain()})
            .to_string();
        self.to(topic)
            .header(REJECTED_HEADER, Data::Json(about.as_bytes()))
            .value_data(value)
    }

    /// Says how far a source partition is once this batch is durable. The last one of a batch wins.
    ///
    /// What is wrong with it (larger than 64 KiB, more than 10,000 partitions) fails the poll.
    pub fn offset<K: Into<String>, V: Into<OffsetValue>>(
        &mut self,
        partition: impl Into<SourcePartition>,
        offset: impl IntoIterator<Item = (K, V)>,
    ) {
        let fields: serde_json::Map<String, serde_json::Value> = offset
            .into_iter()
            .map(|(key, value)| (key.into(), value.into().0))
            .collect();
        self.set_offset(&partition.into(), &canonical(&fields));
    }

    /// Says how far a source partition is, as a struct that serde writes as a JSON object.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub fn offset_from(
        &mut self,
        partition: impl Into<SourcePartition>,
        offset: &impl Serialize,
    ) -> Result<()> {
        let json = serde_json::to_string(offset)?;
        self.set_offset(&partition.into(), &json);
        Ok(())
    }

    fn set_offset(&mut self, partition: &SourcePartition, json: &str) {
        let set = self
            .writer
            .source_partition_offset(partition.as_json(), json);
        self.keep_failure(set.map(|_| ()));
    }

    /// Deletes the offset of a source partition, such as a file that is gone.
    pub fn delete_offset(&mut self, partition: impl Into<SourcePartition>) {
        let deleted = self.writer.delete_offset(partition.into().as_json());
        self.keep_failure(deleted.map(|_| ()));
    }

    /// Marks the records that follow as coming from a source partition: a bad record is then named by it. The mark changes no
    /// offset and ends with the batch.
    pub fn stamp(&mut self, partition: impl Into<SourcePartition>) {
        match self.writer.source_partition(partition.into().as_json()) {
            Ok(index) => self.stamp = index,
            Err(error) => self.keep_failure(Err(error)),
        }
    }

    fn keep_failure(&mut self, outcome: Result<(), linkspan_abi::BatchError>) {
        if let Err(error) = outcome {
            self.failed.get_or_insert(Error::from(error));
        }
    }

    /// Returns the number that this batch has when it is handed out, for [`crate::Durable`].
    #[must_use]
    pub const fn seq(&self) -> Seq {
        Seq(self.seq)
    }

    /// Returns the number of records so far.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.writer.count()
    }

    /// Returns whether there is no record so far.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of the records so far.
    #[must_use]
    pub fn bytes_len(&self) -> usize {
        self.writer.len_bytes()
    }

    /// Returns whether the batch has as much as the host asked for. One more record does no harm.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= self.max_records
            || u64::try_from(self.bytes_len()).is_ok_and(|bytes| bytes >= self.max_bytes)
    }

    /// Returns how many records the host asked for at most.
    #[must_use]
    pub const fn max_records(&self) -> u32 {
        self.max_records
    }

    /// Returns how many bytes the host asked for at most.
    #[must_use]
    pub const fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Says that the records of this batch belong to a transaction that goes on with the next one. Without this word a batch
    /// ends its transaction.
    ///
    /// Holds with `transaction.boundary: connector`, for classes with the feature `transactions`; otherwise the host decides. A
    /// transaction is in the log as a whole or not at all, with the offsets of all its batches; one is at most 16 MiB. What is
    /// not closed when the task stops is not written, and its offsets are not committed.
    pub fn transaction_goes_on(&mut self) {
        self.writer.set_flags(batch::TXN_OPEN);
    }

    /// Makes the open transaction void, this batch with it: its records are not written, its offsets are committed. See
    /// [`transaction_goes_on`](Self::transaction_goes_on).
    pub fn abort_transaction(&mut self) {
        self.writer.set_flags(batch::TXN_ABORT);
    }

    /// Starts a batch, with the host's wishes.
    pub(crate) fn begin(&mut self, max_records: u32, max_bytes: u64) {
        self.writer.clear();
        self.stamp = NO_SOURCE_PARTITION;
        self.failed = None;
        self.max_records = max_records;
        self.max_bytes = max_bytes;
    }

    pub(crate) const fn writer(&mut self) -> &mut SourceBatchWriter {
        &mut self.writer
    }

    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failed.take()
    }

    pub(crate) const fn next_seq(&mut self) {
        self.seq += 1;
    }
}

impl fmt::Debug for BatchBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchBuilder")
            .field("seq", &self.seq)
            .field("records", &self.len())
            .field("bytes", &self.bytes_len())
            .finish_non_exhaustive()
    }
}

/// A record that is being written in place, or why it cannot be.
pub(crate) struct Writing<'b>(Result<RecordWriter<'b>>);

impl<'b> Writing<'b> {
    #[inline]
    pub(crate) fn begin(writer: &'b mut SourceBatchWriter, topic: &str, source: u32) -> Self {
        let topic = match writer.topic(topic) {
            Ok(topic) => topic,
            Err(error) => return Self(Err(error.into())),
        };
        Self(writer.begin(topic, source).map_err(Error::from))
    }
}

/// A record of a batch, from its topic to its value.
///
/// What goes wrong on the way (a key that has no JSON form) is the error of the last call. A record that fails is not part of the
/// batch.
#[must_use = "a record is written when its value is"]
pub struct RecordBuilder<'b>(Result<RecordWriter<'b>>);

impl<'b> RecordBuilder<'b> {
    #[inline]
    pub(crate) fn new(writing: Writing<'b>) -> Self {
        Self(writing.0)
    }

    #[inline]
    fn and(self, write: impl FnOnce(&mut RecordWriter<'b>) -> Result<()>) -> Self {
        Self(self.0.and_then(|mut writer| {
            write(&mut writer)?;
            Ok(writer)
        }))
    }

    /// Chooses the topic's partition; without it the key decides, and without a key the host.
    #[inline]
    pub fn partition(self, partition: i32) -> Self {
        self.and(|writer| {
            writer.partition(partition);
            Ok(())
        })
    }

    /// Sets the time in milliseconds since 1970; without it the host's clock at the poll counts.
    #[inline]
    pub fn timestamp(self, milliseconds: i64) -> Self {
        self.and(|writer| {
            writer.timestamp(milliseconds);
            Ok(())
        })
    }

    /// Sets the key.
    #[inline]
    pub fn key(self, key: Data<'_>) -> Self {
        self.and(|writer| Ok(writer.key(key)?))
    }

    /// Sets the key to bytes.
    #[inline]
    pub fn key_bytes(self, key: &[u8]) -> Self {
        self.key(Data::Bytes(key))
    }

    /// Sets the key to a text.
    #[inline]
    pub fn key_utf8(self, key: &str) -> Self {
        self.key(Data::Utf8(key))
    }

    /// Sets the key to the JSON of a value.
    pub fn key_json(self, key: &(impl Serialize + ?Sized)) -> Self {
        self.and(|writer| writer.key_with(Encoding::Json, |buf| write_json(key, buf)))
    }

    /// Sets the key to a typed row.
    pub fn key_row(
        self,
        schema: &RowSchema,
        write: impl FnOnce(&mut RowWriter<'_, '_>) -> Result<()>,
    ) -> Self {
        let encoding = Encoding::Typed(schema.handle());
        self.and(|writer| writer.key_with(encoding, |buf| write_row(schema, buf, write)))
    }

    /// Sets the key to a typed value of any type.
    pub fn key_value(self, schema: &RowSchema, value: &Value) -> Self {
        let encoding = Encoding::Typed(schema.handle());
        self.and(|writer| {
            writer.key_with(encoding, |buf| {
                Ok::<_, Error>(write_value(schema.schema(), value, buf)?)
            })
        })
    }

    /// Adds a header. Order and duplicates are kept.
    pub fn header(self, name: &str, value: Data<'_>) -> Self {
        self.and(|writer| Ok(writer.header(name, value)?))
    }

    /// Writes the record with bytes as its value.
    ///
    /// # Errors
    /// The batch would pass its bounds, or a part of the record before failed.
    #[inline]
    pub fn bytes(self, value: &[u8]) -> Result<()> {
        self.value_data(Data::Bytes(value))
    }

    /// Writes the record with a text as its value.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`].
    #[inline]
    pub fn utf8(self, value: &str) -> Result<()> {
        self.value_data(Data::Utf8(value))
    }

    /// Writes the record without a value: a tombstone.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`].
    pub fn null(self) -> Result<()> {
        self.value_data(Data::Null)
    }

    /// Writes the record with the JSON of a value.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`], or the value has no JSON form.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.0?
            .value_with(Encoding::Json, |buf| write_json(value, buf))
    }

    /// Writes the record with a JSON text that the author vouches for.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`].
    pub fn raw_json(self, value: &[u8]) -> Result<()> {
        self.value_data(Data::Json(value))
    }

    /// Writes the record with a typed row, field by field in schema order.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`]; a field does not fit its schema; what `write` answers.
    #[inline]
    pub fn row(
        self,
        schema: &RowSchema,
        write: impl FnOnce(&mut RowWriter<'_, '_>) -> Result<()>,
    ) -> Result<()> {
        let encoding = Encoding::Typed(schema.handle());
        self.0?
            .value_with(encoding, |buf| write_row(schema, buf, write))
    }

    /// Writes the record with a typed value of any type: the simplest form, and the slowest.
    ///
    /// # Errors
    /// As [`RecordBuilder::row`].
    pub fn value(self, schema: &RowSchema, value: &Value) -> Result<()> {
        let encoding = Encoding::Typed(schema.handle());
        self.0?.value_with(encoding, |buf| {
            Ok::<_, Error>(write_value(schema.schema(), value, buf)?)
        })
    }

    /// Writes the record with a value as it came from elsewhere.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`].
    #[inline]
    pub fn value_data(self, value: Data<'_>) -> Result<()> {
        Ok(self.0?.value(value)?)
    }

    /// Writes the record with bytes that `write` appends in place, read as `encoding` says.
    ///
    /// # Errors
    /// As [`RecordBuilder::bytes`]; what `write` answers.
    #[inline]
    pub fn value_with(
        self,
        encoding: Encoding,
        write: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        self.0?.value_with(encoding, write)
    }
}

impl fmt::Debug for RecordBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordBuilder").finish_non_exhaustive()
    }
}

fn write_json(value: &(impl Serialize + ?Sized), buf: &mut Vec<u8>) -> Result<()> {
    Ok(serde_json::to_writer(buf, value)?)
}

fn write_row(
    schema: &RowSchema,
    buf: &mut Vec<u8>,
    write: impl FnOnce(&mut RowWriter<'_, '_>) -> Result<()>,
) -> Result<()> {
    let mut row = RowWriter::struct_row(schema.schema(), buf)?;
    write(&mut row)?;
    Ok(row.finish()?)
}
