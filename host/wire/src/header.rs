//! The 61 bytes in front of the records of a batch.
//!
//! All numbers are big-endian.
//! The producer (or our task) writes the batch once; the log later changes only base offset and leader epoch,
//! which lie outside the checksum.
//!
//! ```text
//! at  bytes  field               note
//!  0      8  base offset         0 until the log assigns it
//!  8      4  length              of all that follows, so the batch has length + 12 bytes
//! 12      4  leader epoch        -1 until the log assigns it
//! 16      1  magic               2
//! 17      4  crc                 CRC-32C of everything from byte 21 to the end
//! 21      2  attributes          bits 0-2 codec, 3 append time, 4 transactional, 5 control, 6 delete horizon
//! 23      4  last offset delta   last offset = base + delta; offsets may have gaps
//! 27      8  base timestamp      of the first record, or the delete horizon
//! 35      8  max timestamp       or the append time of all records
//! 43      8  producer id         -1 without
//! 51      2  producer epoch      -1 without
//! 53      4  base sequence       -1 without
//! 57      4  record count
//! 61         records             compressed as one stream if a codec is set
//! ```
//!
//! Damage to bytes 12-20 that leaves a plausible length shows as a wrong checksum or magic; damage to base offset or
//! leader epoch cannot be seen here, the reader of the log compares them with its own state.

use crate::compress::Compression;
use crate::error::Error;

/// Bytes in front of the records.
pub const HEADER_LEN: usize = 61;
/// Bytes in front of the range that the length field counts.
pub const LOG_OVERHEAD: usize = 12;
/// The smallest length that any batch format ever had; below it the length field itself is damaged.
pub const LENGTH_MIN: i32 = 14;
/// The format this crate reads and writes.
pub const MAGIC: i8 = 2;

pub(crate) const LEADER_EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const PRODUCER_AT: usize = 43;

const CODEC_MASK: i16 = 0x07;
pub(crate) const APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
pub(crate) const DELETE_HORIZON: i16 = 0x40;

/// Whose clock the timestamps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// Each record has the time its producer gave it.
    CreateTime,
    /// All records have the time the log stored them.
    LogAppendTime,
}

/// The header of a batch, field by field as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    pub batch_len: i32,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl BatchHeader {
    /// Reads the first 61 bytes; checks nothing but that they are there.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        Some(Self {
            base_offset: i64::from_be_bytes(take(&mut rest)?),
            batch_len: i32::from_be_bytes(take(&mut rest)?),
            leader_epoch: i32::from_be_bytes(take(&mut rest)?),
            magic: i8::from_be_bytes(take(&mut rest)?),
            crc: u32::from_be_bytes(take(&mut rest)?),
            attributes: i16::from_be_bytes(take(&mut rest)?),
            last_offset_delta: i32::from_be_bytes(take(&mut rest)?),
            base_timestamp: i64::from_be_bytes(take(&mut rest)?),
            max_timestamp: i64::from_be_bytes(take(&mut rest)?),
            producer_id: i64::from_be_bytes(take(&mut rest)?),
            producer_epoch: i16::from_be_bytes(take(&mut rest)?),
            base_sequence: i32::from_be_bytes(take(&mut rest)?),
            record_count: i32::from_be_bytes(take(&mut rest)?),
        })
    }

    /// Returns the 61 bytes of this header.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        let mut rest = &mut out[..];
        put(&mut rest, &self.base_offset.to_be_bytes());
        put(&mut rest, &self.batch_len.to_be_bytes());
        put(&mut rest, &self.leader_epoch.to_be_bytes());
        put(&mut rest, &self.magic.to_be_bytes());
        put(&mut rest, &self.crc.to_be_bytes());
        put(&mut rest, &self.attributes.to_be_bytes());
        put(&mut rest, &self.last_offset_delta.to_be_bytes());
        put(&mut rest, &self.base_timestamp.to_be_bytes());
        put(&mut rest, &self.max_timestamp.to_be_bytes());
        put(&mut rest, &self.producer_id.to_be_bytes());
        put(&mut rest, &self.producer_epoch.to_be_bytes());
        put(&mut rest, &self.base_sequence.to_be_bytes());
        put(&mut rest, &self.record_count.to_be_bytes());
        out
    }

    /// Returns the offset of the last record, also of one that compaction has removed.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset
            .wrapping_add(i64::from(self.last_offset_delta))
    }

    /// Returns the offset behind the batch.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Returns the bytes of the whole batch; 0 for a negative length field, which no checked batch has.
    #[must_use]
    pub fn size(&self) -> usize {
        usize::try_from(self.batch_len).map_or(0, |len| len + LOG_OVERHEAD)
    }

    /// Returns the codec of the records.
    ///
    /// # Errors
    /// [`Error::UnsupportedCompression`] for codec 5 to 7.
    pub fn compression(&self) -> Result<Compression, Error> {
        Compression::from_attributes(self.attributes)
    }

    /// Returns whose clock the timestamps are.
    #[must_use]
    pub fn timestamp_type(&self) -> TimestampType {
        if self.attributes & APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Tells whether the batch belongs to a transaction.
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Tells whether the records are markers for the log rather than data.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Returns when the tombstones of this batch may go, if a cleaning has set it.
    #[must_use]
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp)
    }

    /// Returns the sequence number of the last offset, -1 without a producer.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        sequence_at(self.base_sequence, self.last_offset_delta)
    }
}

/// Returns the codec number of an attributes field.
pub(crate) fn codec_bits(attributes: i16) -> u8 {
    let [_, low] = (attributes & CODEC_MASK).to_be_bytes();
    low
}

/// Returns the sequence `delta` after `base`; sequences wrap from `i32::MAX` to 0, and -1 stays -1.
#[inline]
pub(crate) fn sequence_at(base: i32, delta: i32) -> i32 {
    if base < 0 {
        return -1;
    }
    match base.checked_add(delta) {
        Some(sequence) => sequence,
        None => delta.wrapping_sub(i32::MAX - base).wrapping_sub(1),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn put<const N: usize>(rest: &mut &mut [u8], bytes: &[u8; N]) {
    if let Some((head, tail)) = std::mem::take(rest).split_first_chunk_mut::<N>() {
        *head = *bytes;
        *rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        for (base, delta, expected) in [
            (-1, 5, -1),
            (0, 5, 5),
            (i32::MAX, 1, 0),
            (i32::MAX - 1, 3, 1),
            (5, -2, 3),
        ] {
            assert_eq!(sequence_at(base, delta), expected, "{base} + {delta}");
        }
    }

    #[test]
    fn every_field_has_its_own_place() {
        let bytes: Vec<u8> = (1..=61).collect();
        let header = BatchHeader::read(&bytes).unwrap();
        assert_eq!(header.to_bytes()[..], bytes[..]);
        assert_eq!(header.magic, 17);
        assert_eq!(header.record_count, i32::from_be_bytes([58, 59, 60, 61]));
        assert!(BatchHeader::read(&bytes[..60]).is_none());
    }
}
