//! The records of a batch, borrowed from its (decompressed) bytes.
//!
//! ```text
//! varint length, i8 attributes, varlong timestamp delta, varint offset delta,
//! varint key length (negative = null), key, varint value length (negative = null), value,
//! varint header count, per header: varint name length, name, varint value length (negative = null), value
//! ```
//!
//! The attributes byte and the order of offsets are not checked, as in Kafka: compaction leaves gaps, and the log that
//! stores a batch decides what it accepts.

use crate::error::{Error, RecordFault};
use crate::header::{BatchHeader, TimestampType, sequence_at};
use crate::varint;

/// One record, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub offset: i64,
    pub timestamp: i64,
    /// -1 without a producer id.
    pub sequence: i32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Headers<'a>,
}

/// The headers of a record: order and duplicates as stored. Cheap to copy; decoded as it is iterated.
///
/// [`Records`] has checked the bytes, so iterating cannot fail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    count: usize,
    rest: &'a [u8],
}

impl Headers<'_> {
    /// Returns how many headers are left.
    #[must_use]
    pub fn count_left(&self) -> usize {
        self.count
    }

    /// Tells whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let name = nullable(&mut self.rest).ok()??;
        let value = nullable(&mut self.rest).ok()?;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

/// The key of a control record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlKey {
    pub version: i16,
    /// 0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer, 5 KRaft version, 6 KRaft voters; an open set.
    pub kind: i16,
}

impl ControlKey {
    /// Reads the key; bytes behind its four are left to later versions.
    #[must_use]
    pub fn parse(key: &[u8]) -> Option<Self> {
        let [a, b, c, d] = *key.first_chunk::<4>()?;
        let version = i16::from_be_bytes([a, b]);
        (version >= 0).then_some(Self {
            version,
            kind: i16::from_be_bytes([c, d]),
        })
    }
}

/// The records of one batch, in order.
///
/// Ends after the first error. Bytes left behind the last record are reported in its place: such a batch is not what its
/// writer meant, so its last record is not handed out either.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    count: i32,
    next: i32,
    base_offset: i64,
    base_timestamp: i64,
    base_sequence: i32,
    append_time: Option<i64>,
    control: bool,
}

impl<'a> Records<'a> {
    pub(crate) fn new(header: &BatchHeader, rest: &'a [u8]) -> Result<Self, Error> {
        let count = header.record_count;
        if count < 0 {
            return Err(Error::RecordCount { count });
        }
        if count == 0 && !rest.is_empty() {
            return Err(Error::SpareRecordBytes {
                count,
                spare: rest.len(),
            });
        }
        Ok(Self {
            rest,
            count,
            next: 0,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            base_sequence: header.base_sequence,
            append_time: match header.timestamp_type() {
                TimestampType::CreateTime => None,
                TimestampType::LogAppendTime => Some(header.max_timestamp),
            },
            control: header.is_control(),
        })
    }

    #[inline(always)]
    fn decode(&mut self) -> Result<Record<'a>, RecordFault> {
        let mut rest = self.rest;
        let len = varint::read_i32(&mut rest).map_err(past_batch)?;
        let len = usize::try_from(len).map_err(|_| RecordFault::NegativeLength)?;
        let (mut body, rest) = rest.split_at_checked(len).ok_or(RecordFault::PastBatch)?;
        self.rest = rest;

        let (_attributes, fields) = body.split_first().ok_or(RecordFault::PastRecord)?;
        body = fields;
        let timestamp_delta = varint::read_i64(&mut body)?;
        let offset_delta = varint::read_i32(&mut body)?;
        let key = nullable(&mut body)?;
        let value = nullable(&mut body)?;
        let headers = if let [0] = body {
            Headers::default()
        } else {
            read_headers(body)?
        };
        Ok(Record {
            offset: self.base_offset.wrapping_add(i64::from(offset_delta)),
            timestamp: match self.append_time {
                Some(append_time) => append_time,
                None => self.base_timestamp.wrapping_add(timestamp_delta),
            },
            sequence: sequence_at(self.base_sequence, offset_delta),
            key,
            value,
            headers,
        })
    }

    #[inline(always)]
    fn step(&mut self) -> Result<Record<'a>, Error> {
        let index = self.next;
        self.next += 1;
        let record = self
            .decode()
            .map_err(|fault| Error::Record { index, fault })?;
        if self.control && record.key.and_then(ControlKey::parse).is_none() {
            return Err(Error::Record {
                index,
                fault: RecordFault::ControlKey,
            });
        }
        if self.next == self.count && !self.rest.is_empty() {
            return Err(Error::SpareRecordBytes {
                count: self.count,
                spare: self.rest.len(),
            });
        }
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            self.next = self.count;
        }
        Some(step)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // A record takes at least 7 bytes, so a lying count reserves no more than its bytes can hold.
        let declared = usize::try_from(self.count.saturating_sub(self.next)).unwrap_or(0);
        (0, Some(declared.min(self.rest.len() / 7 + 1)))
    }
}

/// A varint that ends too early where the record's length stands passes the batch, not the record.
fn past_batch(fault: RecordFault) -> RecordFault {
    if fault == RecordFault::PastRecord {
        RecordFault::PastBatch
    } else {
        fault
    }
}

/// Reads a length and that many bytes; any negative length is null.
#[inline(always)]
fn nullable<'a>(body: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordFault> {
    let Ok(len) = usize::try_from(varint::read_i32(body)?) else {
        return Ok(None);
    };
    let (bytes, rest) = body.split_at_checked(len).ok_or(RecordFault::PastRecord)?;
    *body = rest;
    Ok(Some(bytes))
}

/// Checks the headers, which must fill `body` to its end.
#[inline(never)]
fn read_headers(body: &[u8]) -> Result<Headers<'_>, RecordFault> {
    let mut rest = body;
    let count = varint::read_i32(&mut rest)?;
    let count = usize::try_from(count).map_err(|_| RecordFault::HeaderCount)?;
    if count > rest.len() {
        return Err(RecordFault::HeaderCount);
    }
    let headers = Headers { count, rest };
    for _ in 0..count {
        nullable(&mut rest)?.ok_or(RecordFault::HeaderName)?;
        nullable(&mut rest)?;
    }
    if rest.is_empty() {
        Ok(headers)
    } else {
        Err(RecordFault::SpareBytes)
    }
}
