//! What can be wrong with a batch, and the six classes a reader tells apart.

use std::io;

use crate::compress::Compression;
use crate::header::{HEADER_LEN, LENGTH_MIN};

/// Why a batch could not be read or built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes end before the batch does.
    #[error("batch needs {needed} bytes, only {available} are there")]
    Truncated { needed: usize, available: usize },
    /// More bytes follow the one batch that was expected.
    #[error("{spare} bytes follow the batch")]
    TrailingBytes { spare: usize },
    /// The length field cannot belong to any batch, so the next batch cannot be found either.
    #[error("batch length `{length}` is below the smallest possible `{LENGTH_MIN}`")]
    Length { length: i32 },
    /// The format number is not 2; the batch is otherwise intact.
    #[error("batch format (magic) `{magic}` is not supported, expected `2`")]
    UnsupportedMagic { magic: i8 },
    /// The length field leaves no room for the header.
    #[error("batch of {size} bytes is shorter than its {HEADER_LEN} byte header")]
    HeaderTooShort { size: usize },
    /// Stored and computed checksum differ.
    #[error("batch checksum is `{computed:08x}`, expected `{stored:08x}`")]
    Checksum { stored: u32, computed: u32 },
    /// The codec number has no meaning (5 to 7).
    #[error("compression codec `{codec}` is not supported")]
    UnsupportedCompression { codec: u8 },
    /// The compressed records are damaged.
    #[error("could not decompress {codec} records")]
    Decompress {
        codec: Compression,
        #[source]
        source: io::Error,
    },
    /// The records would be larger than the caller allows.
    #[error("{codec} records decompress to more than {limit} bytes")]
    DecompressedTooLarge { codec: Compression, limit: usize },
    /// The record count is negative.
    #[error("record count is `{count}`")]
    RecordCount { count: i32 },
    /// Bytes are left after the last record.
    #[error("{spare} bytes follow the last of {count} records")]
    SpareRecordBytes { count: i32, spare: usize },
    /// A record is damaged; `index` counts from 0 within the batch.
    #[error("record {index} of the batch {fault}")]
    Record { index: i32, fault: RecordFault },
    /// A batch without records was asked for.
    #[error("batch holds no records")]
    EmptyBatch,
    /// The next record or the finished batch would pass the format's 2 GiB.
    #[error("batch would pass the {limit} bytes that its format can hold")]
    TooLarge { limit: usize },
    /// The records could not be compressed.
    #[error("could not compress records with {codec}")]
    Compress {
        codec: Compression,
        #[source]
        source: io::Error,
    },
}

/// What is wrong with one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The batch ends inside the record.
    #[error("passes the end of the batch")]
    PastBatch,
    /// A field ends behind the record.
    #[error("holds a field that passes its end")]
    PastRecord,
    /// The record's own length is negative.
    #[error("has a negative length")]
    NegativeLength,
    /// A varint has more bytes than its type allows.
    #[error("holds a number that is too long")]
    VarintTooLong,
    /// The header count is negative or larger than the record.
    #[error("has an impossible number of headers")]
    HeaderCount,
    /// A header has no name.
    #[error("has a header without a name")]
    HeaderName,
    /// The record's fields end before the record does.
    #[error("has spare bytes after its headers")]
    SpareBytes,
    /// A control record's key is missing, shorter than 4 bytes or of a negative version.
    #[error("has no valid control key")]
    ControlKey,
}

/// The kinds of failure that a reader treats differently, in the order in which they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The bytes end inside a batch: a torn tail if it is the last one.
    Truncated,
    /// The length field is impossible; nothing behind it can be found.
    BadFraming,
    /// An intact batch of another format.
    BadHeader,
    /// The bytes are not those that were written.
    BadChecksum,
    /// Header and checksum are good, the records are not.
    BadRecords,
    /// What the caller passed in cannot be encoded.
    BadInput,
}

impl ErrorClass {
    /// Returns the name used in messages and recorded verdicts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadFraming => "bad-framing",
            Self::BadHeader => "bad-header",
            Self::BadChecksum => "bad-checksum",
            Self::BadRecords => "bad-records",
            Self::BadInput => "bad-input",
        }
    }
}

impl Error {
    /// Returns the class of this error.
    ///
    /// A batch too short for its header counts as a bad checksum, as in Kafka: its length field is plausible,
    /// so the frame can be skipped, but nothing vouches for its bytes.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Truncated { .. } => ErrorClass::Truncated,
            Self::Length { .. } | Self::TrailingBytes { .. } => ErrorClass::BadFraming,
            Self::UnsupportedMagic { .. } => ErrorClass::BadHeader,
            Self::HeaderTooShort { .. } | Self::Checksum { .. } => ErrorClass::BadChecksum,
            Self::UnsupportedCompression { .. }
            | Self::Decompress { .. }
            | Self::DecompressedTooLarge { .. }
            | Self::RecordCount { .. }
            | Self::SpareRecordBytes { .. }
            | Self::Record { .. } => ErrorClass::BadRecords,
            Self::EmptyBatch | Self::TooLarge { .. } | Self::Compress { .. } => {
                ErrorClass::BadInput
            }
        }
    }
}
