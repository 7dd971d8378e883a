//! What a log checks before it takes a batch from a client, and what it changes in it: Kafka's rules for Produce.
//!
//! In this order, the first that fails counts:
//! ```text
//! nothing there, or only a part of a batch                     InvalidRecord
//! a length below 14, a format above 2, a wrong checksum        Corrupt
//! format 0 or 1, a base offset that is not 0                   InvalidRecord
//! more bytes than `max.message.bytes`                          TooLarge (before the checksum, as Kafka does it)
//! a count that is not last offset delta + 1, or not positive   InvalidRecord
//! a control batch, a producer without a sequence               InvalidRecord
//! records that do not decompress, an unknown codec             Unreadable (Kafka: UNKNOWN_SERVER_ERROR)
//! records that do not decode                                   InvalidRecord
//! no key on a compacted topic, a time outside of the window    InvalidRecord, InvalidTimestamp; each record is named
//! ```
//! Changed: the greatest timestamp if it was wrong, the time of the log with LogAppendTime, the codec if the topic has one.
//! Offset deltas and attributes of records are not checked, as in Kafka.

use crate::batch::{Batch, Batches, seal};
use crate::compress::Compression;
use crate::error::{Error, ErrorClass};
use crate::header::{APPEND_TIME, BatchHeader, HEADER_LEN, MAGIC, MAGIC_AT};
use crate::retain;

const CODEC_MASK: i16 = 0x07;
/// How many records are named in one refusal.
pub const RECORD_FAULTS_MAX: usize = 100;

/// What a topic asks of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProduceRules {
    /// `max.message.bytes`: of the whole batch, header included.
    pub bytes_max: usize,
    /// Every record needs a key: the topic is compacted.
    pub keys: bool,
    /// `message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    /// `message.timestamp.before.max.ms`.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms`.
    pub after_max_ms: i64,
    /// `compression.type`; `None` keeps the producer's.
    pub compression: Option<Compression>,
    /// How many bytes the records may have once they are decompressed.
    pub decompressed_max: usize,
}

/// A batch that may be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Exactly one batch, base offset 0.
    pub batch: Vec<u8>,
    /// The time that all records got from the log.
    pub append_time_ms: Option<i64>,
}

/// Why a batch is refused. Names follow Kafka's error codes.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// CORRUPT_MESSAGE: the bytes are not those that were sent.
    #[error("the batch is damaged")]
    Corrupt(#[source] Error),
    /// INVALID_RECORD.
    #[error("the batch is not valid: {why}")]
    InvalidRecord {
        /// What is wrong with the batch.
        why: String,
        /// Which records are wrong, if single ones are; at most [`RECORD_FAULTS_MAX`].
        records: Vec<(usize, String)>,
    },
    /// INVALID_TIMESTAMP.
    #[error("records have times outside of the topic's window, the first is record {}", records.first().map_or(0, |r| r.0))]
    InvalidTimestamp {
        /// Which records, at most [`RECORD_FAULTS_MAX`].
        records: Vec<(usize, String)>,
    },
    /// MESSAGE_TOO_LARGE.
    #[error("the batch has {size} bytes, the topic's `max.message.bytes` is {limit}")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// UNKNOWN_SERVER_ERROR in Kafka: the records cannot be decompressed.
    #[error("the records cannot be read")]
    Unreadable(#[source] Error),
}

impl ProduceError {
    /// Returns Kafka's name of the error.
    #[must_use]
    pub fn kafka_name(&self) -> &'static str {
        match self {
            Self::Corrupt(_) => "CORRUPT_MESSAGE",
            Self::InvalidRecord { .. } => "INVALID_RECORD",
            Self::InvalidTimestamp { .. } => "INVALID_TIMESTAMP",
            Self::TooLarge { .. } => "MESSAGE_TOO_LARGE",
            Self::Unreadable(_) => "UNKNOWN_SERVER_ERROR",
        }
    }

    fn invalid(why: impl Into<String>) -> Self {
        Self::InvalidRecord {
            why: why.into(),
            records: Vec::new(),
        }
    }

    fn of_records(error: Error) -> Self {
        match error {
            Error::UnsupportedCompression { .. }
            | Error::Decompress { .. }
            | Error::DecompressedTooLarge { .. } => Self::Unreadable(error),
            other => Self::invalid(other.to_string()),
        }
    }
}

/// Checks the records of one partition of a Produce request, and returns the batch as it is to be stored.
///
/// # Errors
/// See [`ProduceError`].
pub fn check_produce_batch(
    bytes: &[u8],
    rules: &ProduceRules,
    now_ms: i64,
) -> Result<Accepted, ProduceError> {
    let batch = only_batch(bytes)?;
    let header = *batch.header();
    if header.base_offset != 0 {
        let why = format!("its base offset is {}, not 0", header.base_offset);
        return Err(ProduceError::invalid(why));
    }
    check_size(batch.bytes(), rules)?;
    batch.verify_crc().map_err(ProduceError::Corrupt)?;
    check_header(&header)?;
    let mut scratch = Vec::new();
    let max_timestamp = check_records(&batch, &mut scratch, rules, now_ms)?;
    let codec = header.compression().map_err(ProduceError::of_records)?;
    let (append_time_ms, max_timestamp) = if rules.log_append_time {
        (Some(now_ms), now_ms)
    } else {
        (None, max_timestamp)
    };
    let mut new = BatchHeader {
        max_timestamp,
        attributes: if rules.log_append_time {
            header.attributes | APPEND_TIME
        } else {
            header.attributes & !APPEND_TIME
        },
        ..header
    };
    let batch = match rules.compression.filter(|wanted| *wanted != codec) {
        Some(wanted) => {
            new.attributes = new.attributes & !CODEC_MASK | wanted.attribute_bits();
            let stored = recoded(&batch, &mut scratch, new, wanted, rules)?;
            check_size(&stored, rules)?;
            stored
        }
        None => patched(batch.bytes(), &header, &new),
    };
    Ok(Accepted {
        batch,
        append_time_ms,
    })
}

/// Finds the one batch of a request.
fn only_batch(bytes: &[u8]) -> Result<Batch<'_>, ProduceError> {
    let mut batches = Batches::new(bytes);
    let first = batches.next();
    let legacy = bytes.get(MAGIC_AT).map(|byte| byte.cast_signed());
    let is_whole = !matches!(first, None | Some(Err(Error::Length { .. })));
    if let Some(magic) = legacy.filter(|magic| *magic < MAGIC && is_whole) {
        let why = format!("its format is {magic}, only 2 is taken");
        return Err(ProduceError::invalid(why));
    }
    let first = match first {
        None => return Err(ProduceError::invalid("there is no whole batch")),
        Some(Err(error)) if error.class() == ErrorClass::BadRecords => {
            return Err(ProduceError::of_records(error));
        }
        Some(Err(error)) => return Err(ProduceError::Corrupt(error)),
        Some(Ok(batch)) => batch,
    };
    match batches.next() {
        None => Ok(first),
        Some(_) => Err(ProduceError::invalid("there is more than one batch")),
    }
}

fn check_size(bytes: &[u8], rules: &ProduceRules) -> Result<(), ProduceError> {
    let (size, limit) = (bytes.len(), rules.bytes_max);
    if size > limit {
        return Err(ProduceError::TooLarge { size, limit });
    }
    Ok(())
}

fn check_header(header: &BatchHeader) -> Result<(), ProduceError> {
    let (count, delta) = (header.record_count, header.last_offset_delta);
    if count < 1 || delta.checked_add(1) != Some(count) {
        let why = format!("it counts {count} records and its last offset delta is {delta}");
        return Err(ProduceError::invalid(why));
    }
    if header.is_control() {
        return Err(ProduceError::invalid(
            "clients may not write control records",
        ));
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        let why = format!("producer {} sends no sequence", header.producer_id);
        return Err(ProduceError::invalid(why));
    }
    Ok(())
}

/// Checks every record; returns the greatest timestamp, -1 when there is none.
fn check_records(
    batch: &Batch<'_>,
    scratch: &mut Vec<u8>,
    rules: &ProduceRules,
    now_ms: i64,
) -> Result<i64, ProduceError> {
    let mut max_timestamp = -1;
    let (mut faults, mut bad_time) = (Vec::new(), false);
    let records = batch
        .records_bounded(scratch, rules.decompressed_max)
        .map_err(ProduceError::of_records)?;
    for (index, record) in records.enumerate() {
        let record = record.map_err(ProduceError::of_records)?;
        max_timestamp = max_timestamp.max(record.timestamp);
        let early = now_ms.saturating_sub(record.timestamp) > rules.before_max_ms;
        let late = record.timestamp.saturating_sub(now_ms) > rules.after_max_ms;
        let fault = if rules.keys && record.key.is_none() {
            "it has no key, and the topic is compacted".to_owned()
        } else if !rules.log_append_time && record.timestamp != -1 && (early || late) {
            bad_time = true;
            format!(
                "its time {} is outside of the window around {now_ms}",
                record.timestamp
            )
        } else {
            continue;
        };
        if faults.len() < RECORD_FAULTS_MAX {
            faults.push((index, fault));
        }
    }
    if faults.is_empty() {
        return Ok(max_timestamp);
    }
    if bad_time {
        return Err(ProduceError::InvalidTimestamp { records: faults });
    }
    Err(ProduceError::InvalidRecord {
        why: format!("{} of its records are not", faults.len()),
        records: faults,
    })
}

/// The same records with another codec and consecutive offsets.
fn recoded(
    batch: &Batch<'_>,
    scratch: &mut Vec<u8>,
    mut header: BatchHeader,
    codec: Compression,
    rules: &ProduceRules,
) -> Result<Vec<u8>, ProduceError> {
    let mut out = Vec::new();
    let records = batch
        .records_bounded(scratch, rules.decompressed_max)
        .map_err(ProduceError::of_records)?;
    for (offset, record) in (0..).zip(records) {
        let mut record = record.map_err(ProduceError::of_records)?;
        record.offset = offset;
        if offset == 0 {
            header.base_timestamp = record.timestamp;
        }
        retain::encode(&mut out, &record, 0, header.base_timestamp)
            .map_err(ProduceError::of_records)?;
    }
    retain::finish(header, codec, &out).map_err(ProduceError::of_records)
}

/// The same bytes with another header, if it is another one.
fn patched(bytes: &[u8], old: &BatchHeader, new: &BatchHeader) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if old != new
        && let Some(place) = out.first_chunk_mut::<HEADER_LEN>()
    {
        *place = new.to_bytes();
        seal(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, MAX_DECOMPRESSED_DEFAULT, TimestampType, set_base_offset_and_epoch};

    const RULES: ProduceRules = ProduceRules {
        bytes_max: 1000,
        keys: false,
        log_append_time: false,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        compression: None,
        decompressed_max: MAX_DECOMPRESSED_DEFAULT,
    };
    const NOW: i64 = 1_000_000;

    fn built(codec: Compression, times: &[i64]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(codec);
        for (n, time) in times.iter().enumerate() {
            let key = (n % 2 == 1).then_some(&b"k"[..]);
            builder
                .push(*time, key, Some(&[b'v'; 60]), [("h", Some("x"))])
                .unwrap();
        }
        builder.finish().unwrap()
    }

    fn refused(bytes: &[u8], rules: ProduceRules) -> (&'static str, Vec<usize>) {
        let error = check_produce_batch(bytes, &rules, NOW).unwrap_err();
        let records = match &error {
            ProduceError::InvalidRecord { records, .. }
            | ProduceError::InvalidTimestamp { records } => records.iter().map(|r| r.0).collect(),
            _ => Vec::new(),
        };
        (error.kafka_name(), records)
    }

    #[test]
    fn a_good_batch_is_stored_as_it_is() {
        let bytes = built(Compression::Lz4, &[NOW, -1, 5]);
        let accepted = check_produce_batch(&bytes, &RULES, NOW).unwrap();
        assert_eq!((accepted.batch, accepted.append_time_ms), (bytes, None));
    }

    #[test]
    fn every_rule_refuses_by_its_own_name() {
        let bytes = built(Compression::None, &[NOW, NOW, NOW]);
        let mut moved = bytes.clone();
        set_base_offset_and_epoch(&mut moved, 5, 0).unwrap();
        let mut flipped = bytes.clone();
        flipped[70] ^= 1;
        let twice = [bytes.clone(), bytes.clone()].concat();
        let window = ProduceRules {
            before_max_ms: 100,
            after_max_ms: 100,
            ..RULES
        };
        let keys = ProduceRules {
            keys: true,
            ..RULES
        };
        for (bytes, rules, expected) in [
            (&[][..], RULES, ("INVALID_RECORD", vec![])),
            (&bytes[..80], RULES, ("INVALID_RECORD", vec![])),
            (&moved, RULES, ("INVALID_RECORD", vec![])),
            (&twice, RULES, ("INVALID_RECORD", vec![])),
            (&flipped, RULES, ("CORRUPT_MESSAGE", vec![])),
            (
                &flipped,
                ProduceRules {
                    bytes_max: 99,
                    ..RULES
                },
                ("MESSAGE_TOO_LARGE", vec![]),
            ),
            (&bytes, keys, ("INVALID_RECORD", vec![0, 2])),
            (
                &built(Compression::Gzip, &[NOW, NOW - 101, NOW + 101, -1]),
                window,
                ("INVALID_TIMESTAMP", vec![1, 2]),
            ),
        ] {
            assert_eq!(refused(bytes, rules), expected);
        }
    }

    #[test]
    fn append_time_and_codec_of_the_topic_are_put_in() {
        let bytes = built(Compression::None, &[7, 3]);
        let rules = ProduceRules {
            log_append_time: true,
            compression: Some(Compression::Zstd),
            ..RULES
        };
        let accepted = check_produce_batch(&bytes, &rules, NOW).unwrap();
        assert_eq!(accepted.append_time_ms, Some(NOW));
        let batch = Batch::parse(&accepted.batch).unwrap();
        batch.verify_crc().unwrap();
        assert_eq!(
            batch.header().timestamp_type(),
            TimestampType::LogAppendTime
        );
        assert_eq!(batch.header().compression().unwrap(), Compression::Zstd);
        let mut scratch = Vec::new();
        let records: Vec<_> = batch
            .records(&mut scratch)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(
            records
                .iter()
                .map(|r| (r.offset, r.timestamp))
                .collect::<Vec<_>>(),
            [(0, NOW), (1, NOW)]
        );
        assert_eq!(
            (records[1].key, records[0].headers.count_left()),
            (Some(&b"k"[..]), 1)
        );
        // And a wrong greatest time is put right.
        let mut wrong = bytes.clone();
        wrong[35..43].copy_from_slice(&99_i64.to_be_bytes());
        seal(&mut wrong);
        assert_eq!(
            check_produce_batch(&wrong, &RULES, NOW).unwrap().batch,
            bytes
        );
    }
}
