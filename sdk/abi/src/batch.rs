//! The wire format of a batch, format 1: what crosses `poll`, `put` and `apply`.
//!
//! Written by the sdk ([`SourceBatchWriter`]) and by the host ([`SinkBatchWriter`]), read by the other side. Position
//! independent, so the same bytes serve in-process, over a socket and in tests. All integers are little-endian.
//!
//! ```text
//! header   u16 header_len (28) | u16 format (1) | u32 flags | u32 poll_after_ms
//!          | u32 n_topics | u32 n_partitions (source) or n_groups (sink) | u32 n_records | u32 tables_at
//! records  n_records times, from byte header_len to byte tables_at
//! tables   topics, then source partitions or groups, from byte tables_at to the end
//!
//! topic             u16 len | utf8
//! source partition  u32 len | JSON object | u8 op (0 offset, 1 delete, 2 unchanged) | u32 len | JSON object (op 0 only)
//! group             u16 topic | u16 original topic | [16] topic id | i32 partition | i32 leader epoch
//!                   | i64 base offset | u8 timestamp type | u32 n_records
//!
//! source record     u32 len | u16 topic | i32 partition (-1: by key) | u32 source partition (MAX: none) | TAIL
//! sink record       u32 len | u32 offset delta | TAIL
//! TAIL              u8 flags (1: has a timestamp) | i64 timestamp | DATA key | DATA value
//!                   | u16 n_headers | { u16 len | name | DATA }*
//! DATA              u8 kind: 0 null · 1 bytes, 2 utf8, 3 json { u32 len | bytes }
//!                   · 4 typed { u32 schema handle | u32 len | row } · 5 self-describing { u32 len | tagged }
//! ```
//!
//! The tables follow the records so that a writer never moves record bytes. `header_len` lets the header grow: a reader skips
//! what it does not know. Unknown flags of the header are ignored; everything else that is unknown is refused.
//!
//! With the flag [`MAPPED`] a source batch is a transform's answer: the *source partition* of a record is the index of the
//! input record that it came from, and the table of source partitions is empty.
//!
//! JSON values are checked for UTF-8, not for syntax; the JSON of source partitions and offsets is checked in full, since it
//! becomes keys and values of the host's stores.

mod read;
mod record;
mod sink;
mod sink_writer;
mod source;
mod source_writer;

#[cfg(test)]
mod tests;

pub use record::{Data, Headers};
pub use sink::{Group, SinkBatch, SinkRecord, SinkRecords};
pub use sink_writer::{GroupKey, SinkBatchWriter};
pub use source::{OffsetChange, SourceBatch, SourcePartition, SourceRecord, SourceRecords};
pub use source_writer::{Encoding, RecordWriter, SourceBatchWriter};

/// The format that this build writes, and the highest it reads.
pub const FORMAT: u16 = 1;
/// The length of the header that this build writes.
pub const HEADER_LEN: u16 = 28;

/// Header flag: the source has no more records, ever.
pub const END: u32 = 1;
/// Header flag: the source has nothing right now; ask again after `poll_after_ms`.
pub const IDLE: u32 = 2;
/// Header flag: the records belong to a transaction that goes on in the next batch.
pub const TXN_OPEN: u32 = 4;
/// Header flag: the open transaction, with this batch, is void.
pub const TXN_ABORT: u32 = 8;
/// Header flag: the answer of a transform, see the module docs.
pub const MAPPED: u32 = 16;

/// The source partition index of a record that has none.
pub const NO_SOURCE_PARTITION: u32 = u32::MAX;
/// The partition of a record whose key decides.
pub const PARTITION_BY_KEY: i32 = -1;

/// The name of a source record's first header when the plugin could not read the record: its value is what was read, raw, and
/// the header JSON `{"kind", "message"}`. Such a record is a bad record from the start: it becomes a dead letter, is skipped or
/// fails the task, as the connector's `errors.tolerance` says, and never reaches its topic.
pub const REJECTED_HEADER: &str = "linkspan.rejected";

/// A batch may not be longer.
pub const BATCH_BYTES_MAX: usize = 64 << 20;
/// A batch may not hold more records.
pub const RECORDS_MAX: u32 = 1_000_000;
/// A batch may not name more topics.
pub const TOPICS_MAX: u32 = 10_000;
/// A batch may not name more source partitions, or hold more groups.
pub const PARTITIONS_MAX: u32 = 10_000;
/// The longest topic name, Kafka's.
pub const TOPIC_BYTES_MAX: usize = 249;
/// The longest JSON of a source partition or a source offset.
pub const OFFSET_JSON_BYTES_MAX: usize = 64 << 10;
/// A record may not have more headers.
pub const HEADERS_MAX: usize = 1_000;
/// How deep a self-describing value, and the JSON of an offset, may nest.
pub const NESTING_MAX: usize = 32;

/// Bounds that a reader enforces; the defaults are the constants of this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// [`BATCH_BYTES_MAX`].
    pub bytes: usize,
    /// [`RECORDS_MAX`].
    pub records: u32,
    /// [`TOPICS_MAX`].
    pub topics: u32,
    /// [`PARTITIONS_MAX`].
    pub partitions: u32,
    /// [`OFFSET_JSON_BYTES_MAX`].
    pub offset_json_bytes: usize,
    /// [`HEADERS_MAX`].
    pub headers: usize,
}

impl Limits {
    /// The constants of this module.
    pub const DEFAULT: Self = Self {
        bytes: BATCH_BYTES_MAX,
        records: RECORDS_MAX,
        topics: TOPICS_MAX,
        partitions: PARTITIONS_MAX,
        offset_json_bytes: OFFSET_JSON_BYTES_MAX,
        headers: HEADERS_MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
