//! Kafka's RecordBatch v2, from bytes and to bytes.
//!
//! This crate knows the format and nothing else: no files, no sockets, no clock, no threads.
//! The log stores these bytes, consumers read records borrowed from them, and a Kafka client could read them as they are.
//!
//! ```text
//! buffer ──► Batches ──► Batch ──► Records ──► Record<'a> { key, value, Headers<'a> }     (decode, borrowed)
//! records ──► BatchBuilder ──► Vec<u8> ──► set_base_offset_and_epoch / set_producer       (encode, then patch)
//! ```
//!
//! Start reading at [`header`] (the layout table), then [`Batches`] (what counts as an end, a torn tail or damage),
//! [`Records`] and [`BatchBuilder`].
//! Every decoder takes foreign bytes: it checks a length before it uses it, bounds what it allocates and never panics.

mod batch;
mod builder;
mod compress;
mod error;
pub mod header;
mod partition;
mod patch;
mod produce;
mod record;
mod retain;
pub mod varint;

pub use batch::{Batch, Batches};
pub use builder::BatchBuilder;
pub use compress::{Compression, MAX_DECOMPRESSED_DEFAULT};
pub use error::{Error, ErrorClass, RecordFault};
pub use header::{BatchHeader, HEADER_LEN, LOG_OVERHEAD, TimestampType};
pub use partition::{Partitioner, Spread, choose_partition, murmur2, partition_for_key};
pub use patch::{set_base_offset_and_epoch, set_producer};
pub use produce::{Accepted, ProduceError, ProduceRules, RECORD_FAULTS_MAX, check_produce_batch};
pub use record::{ControlKey, Headers, Record, Records};
pub use retain::{Retained, retain_records, without_records};

#[cfg(test)]
mod tests;
