//! A batch with some of its records taken out, as Kafka's log cleaner writes it.
//!
//! Offsets, last offset, producer, epoch, sequence, leader epoch, codec, keys, values, headers and record times stay.
//! The base timestamp becomes that of the first record kept, or the delete horizon once one is set (attribute bit 6).
//! A batch that is kept without records (for its producer's sequence) has count 0, base timestamp -1 and no codec.
//! Nothing changes when every record stays and no delete horizon is due: the caller copies the bytes then.

use crate::batch::{Batch, seal};
use crate::compress::{self, Compression};
use crate::error::Error;
use crate::header::{BatchHeader, DELETE_HORIZON, HEADER_LEN, LOG_OVERHEAD, TimestampType};
use crate::record::Record;
use crate::varint;

const CODEC_MASK: i16 = 0x07;

/// What remains of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retained {
    /// Every byte, as it was.
    Whole,
    /// These bytes instead.
    Rewritten(Vec<u8>),
    /// No record.
    Nothing,
}

/// Keeps the records that `keep` wants; `delete_horizon_ms` is set into the batch if one of them is a tombstone and it
/// has no horizon yet.
///
/// `scratch` is overwritten. `max_decompressed` bounds it.
///
/// # Errors
/// As [`Batch::records_bounded`]; [`Error::Compress`] or [`Error::TooLarge`] when the rest cannot be encoded.
pub fn retain_records(
    batch: &Batch<'_>,
    scratch: &mut Vec<u8>,
    max_decompressed: usize,
    delete_horizon_ms: i64,
    mut keep: impl FnMut(&Record<'_>) -> bool,
) -> Result<Retained, Error> {
    let header = batch.header();
    let mut kept = Vec::new();
    let mut has_tombstone = false;
    let mut n_records = 0_usize;
    for record in batch.records_bounded(scratch, max_decompressed)? {
        let record = record?;
        n_records += 1;
        if keep(&record) {
            has_tombstone |= record.value.is_none();
            kept.push(record);
        }
    }
    let Some(first) = kept.first() else {
        return Ok(Retained::Nothing);
    };
    let new_horizon = has_tombstone && header.delete_horizon_ms().is_none();
    if kept.len() == n_records && !new_horizon {
        return Ok(Retained::Whole);
    }
    let horizon = if new_horizon {
        Some(delete_horizon_ms)
    } else {
        header.delete_horizon_ms()
    };
    let base_timestamp = horizon.unwrap_or(first.timestamp);
    let mut records = Vec::new();
    for record in &kept {
        encode(&mut records, record, header.base_offset, base_timestamp)?;
    }
    let max_timestamp = match header.timestamp_type() {
        TimestampType::LogAppendTime => header.max_timestamp,
        TimestampType::CreateTime => kept.iter().map(|r| r.timestamp).max().unwrap_or(-1),
    };
    let new = BatchHeader {
        attributes: header.attributes | horizon.map_or(0, |_| DELETE_HORIZON),
        base_timestamp,
        max_timestamp,
        record_count: i32::try_from(kept.len()).unwrap_or(i32::MAX),
        ..*header
    };
    finish(new, header.compression()?, &records).map(Retained::Rewritten)
}

/// Returns the batch without any record: it still tells its producer's last sequence and offset.
///
/// # Errors
/// None in practice: 61 bytes always fit.
pub fn without_records(header: &BatchHeader) -> Result<Vec<u8>, Error> {
    let new = BatchHeader {
        attributes: header.attributes & !(CODEC_MASK | DELETE_HORIZON),
        base_timestamp: -1,
        record_count: 0,
        ..*header
    };
    finish(new, Compression::None, &[])
}

/// Puts header and records together, with length and checksum.
pub(crate) fn finish(
    mut header: BatchHeader,
    codec: Compression,
    records: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut out = compress::packed(codec, records, HEADER_LEN)
        .map_err(|source| Error::Compress { codec, source })?;
    header.batch_len = i32::try_from(out.len() - LOG_OVERHEAD).map_err(|_| too_large())?;
    if let Some(place) = out.first_chunk_mut::<HEADER_LEN>() {
        *place = header.to_bytes();
    }
    seal(&mut out);
    Ok(out)
}

/// Appends one record, relative to another base timestamp.
pub(crate) fn encode(
    out: &mut Vec<u8>,
    record: &Record<'_>,
    base_offset: i64,
    base_timestamp: i64,
) -> Result<(), Error> {
    let mut body = Vec::with_capacity(
        32 + record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len),
    );
    body.push(0);
    varint::write_i64(&mut body, record.timestamp.wrapping_sub(base_timestamp));
    let delta = i32::try_from(record.offset.wrapping_sub(base_offset)).map_err(|_| too_large())?;
    varint::write_i32(&mut body, delta);
    put_field(&mut body, record.key)?;
    put_field(&mut body, record.value)?;
    let headers = record.headers;
    varint::write_i32(
        &mut body,
        i32::try_from(headers.count_left()).map_err(|_| too_large())?,
    );
    for (name, value) in headers {
        put_field(&mut body, Some(name))?;
        put_field(&mut body, value)?;
    }
    varint::write_i32(out, i32::try_from(body.len()).map_err(|_| too_large())?);
    out.extend_from_slice(&body);
    Ok(())
}

fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) -> Result<(), Error> {
    let len = field.map_or(Ok(-1), |bytes| {
        i32::try_from(bytes.len()).map_err(|_| too_large())
    })?;
    varint::write_i32(out, len);
    out.extend_from_slice(field.unwrap_or_default());
    Ok(())
}

fn too_large() -> Error {
    Error::TooLarge {
        limit: i32::MAX as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, MAX_DECOMPRESSED_DEFAULT, set_base_offset_and_epoch, set_producer};

    type Row = (i64, i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

    fn rows(bytes: &[u8]) -> Vec<Row> {
        let batch = Batch::parse(bytes).unwrap();
        batch.verify_crc().unwrap();
        let mut scratch = Vec::new();
        let records = batch.records(&mut scratch).unwrap();
        records
            .map(Result::unwrap)
            .map(|r| {
                (
                    r.offset,
                    r.timestamp,
                    r.key.map(<[u8]>::to_vec),
                    r.value.map(<[u8]>::to_vec),
                    r.headers.count_left(),
                )
            })
            .collect()
    }

    /// Six records from offset 40 on, with a header each; every third is a tombstone.
    fn built(codec: Compression) -> Vec<u8> {
        let mut builder = BatchBuilder::new(codec);
        for n in 0..6_i64 {
            let key = format!("k{n}");
            let value = (n % 3 != 1).then(|| format!("v{n}").repeat(20));
            builder
                .push(
                    1000 + n,
                    Some(key.as_bytes()),
                    value.as_ref().map(String::as_bytes),
                    [("h", Some(b"x")), ("h", None)],
                )
                .unwrap();
        }
        let mut bytes = builder.finish().unwrap();
        set_producer(&mut bytes, 7, 2, 100).unwrap();
        set_base_offset_and_epoch(&mut bytes, 40, 3).unwrap();
        bytes
    }

    fn retain(bytes: &[u8], keep: impl Fn(i64) -> bool) -> Retained {
        let batch = Batch::parse(bytes).unwrap();
        let mut scratch = Vec::new();
        let keep = |record: &Record<'_>| keep(record.offset);
        retain_records(&batch, &mut scratch, MAX_DECOMPRESSED_DEFAULT, 9_999, keep).unwrap()
    }

    #[test]
    fn kept_records_keep_everything_and_the_batch_its_place() {
        for codec in [
            Compression::None,
            Compression::Gzip,
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd,
        ] {
            let bytes = built(codec);
            let before = rows(&bytes);
            // No tombstone among them: offsets 41 and 44 are.
            let Retained::Rewritten(new) = retain(&bytes, |offset| offset == 42 || offset == 45)
            else {
                panic!()
            };
            assert_eq!(rows(&new), [before[2].clone(), before[5].clone()]);
            let (old, new) = (
                BatchHeader::read(&bytes).unwrap(),
                BatchHeader::read(&new).unwrap(),
            );
            let expected = BatchHeader {
                batch_len: new.batch_len,
                crc: new.crc,
                base_timestamp: 1002,
                record_count: 2,
                ..old
            };
            assert_eq!(new, expected, "{codec}");
        }
    }

    #[test]
    fn tombstones_get_a_horizon_once() {
        let bytes = built(Compression::Lz4);
        let before = rows(&bytes);
        let Retained::Rewritten(first) = retain(&bytes, |_| true) else {
            panic!()
        };
        assert_eq!(rows(&first), before);
        let header = BatchHeader::read(&first).unwrap();
        assert_eq!(header.delete_horizon_ms(), Some(9_999));
        assert_eq!(header.max_timestamp, 1005);
        assert_eq!(retain(&first, |_| true), Retained::Whole);
        // The horizon stays with the batch, also without its tombstones, as Kafka does it.
        let Retained::Rewritten(second) = retain(&first, |offset| offset == 40) else {
            panic!()
        };
        assert_eq!(rows(&second), [before[0].clone()]);
        let header = BatchHeader::read(&second).unwrap();
        assert_eq!(header.delete_horizon_ms(), Some(9_999));
    }

    #[test]
    fn an_empty_batch_keeps_its_sequence() {
        let bytes = built(Compression::Zstd);
        assert_eq!(retain(&bytes, |_| false), Retained::Nothing);
        let old = BatchHeader::read(&bytes).unwrap();
        let empty = without_records(&old).unwrap();
        assert_eq!(empty.len(), HEADER_LEN);
        assert_eq!(rows(&empty), []);
        let header = BatchHeader::read(&empty).unwrap();
        assert_eq!(
            (
                header.base_offset,
                header.last_offset(),
                header.last_sequence()
            ),
            (40, 45, 105)
        );
        assert_eq!((header.base_timestamp, header.max_timestamp), (-1, 1005));
        assert_eq!((header.attributes, header.record_count), (0, 0));
        assert_eq!((header.producer_id, header.producer_epoch), (7, 2));
    }
}
