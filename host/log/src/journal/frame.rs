//! One commit in the journal: a frame of entries that counts as a whole or not at all.
//!
//! Format 1, all numbers little-endian; a frame begins at a multiple of 8 and one *group* (what one disk sync covers)
//! at a multiple of 4096, so that no acknowledged sector is ever written again.
//!
//! ```text
//! frame    0  magic u32  "LSF1"
//!          4  len u32          bytes of the frame without padding
//!          8  crc u32          CRC-32C of bytes 12..len, seeded with the file's generation
//!         12  flags u16        none defined: must be 0
//!         14  n_entries u16    0 = a witness, written when the log falls idle
//!         16  lsn u64          1, 2, 3 … over all files
//!         24  durable_lsn u64  the highest lsn known to be on the disk when this frame was written
//!         32  entries
//! entry    0  kind u8 · reserved u8 (0) · reserved u16 (0) · len u32 (of the body)
//! Append   1  topic id 16 · partition i32 · reserved u32 (0) · base offset i64 · record batch v2
//! KvPut    2  store u8 · flags u8 (1 = delete) · key length u16 · key · value
//! reserved 3 ProducerState · 4 Marker · 5 AbortedTxn · 6 AppendRef · 7 TrimPrefix · 8 ReplaceSegments
//! ```
//!
//! Written by `journal::writer`, read by `recovery` and `verify`. A frame whose checksum fails is, for the reader, no frame:
//! a torn tail, bytes of an earlier use of the file, or damage; `recovery` tells these apart by `durable_lsn` of later frames.
//! A reserved or unknown kind in a good frame is from a later version: the reader names it and refuses.

use bytes::Bytes;
use linkspan_types::TopicId;

use crate::backend::{KvPut, Store};

/// "LSF1".
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"LSF1");
/// Bytes in front of the entries.
pub(crate) const HEADER_LEN: usize = 32;
/// Where the checksum stands.
pub(crate) const CRC_AT: usize = 8;
/// The first byte that it covers.
pub(crate) const CRC_FROM: usize = 12;
/// Frames begin at multiples of this.
pub(crate) const ALIGN: usize = 8;
/// Groups begin at multiples of this.
pub(crate) const GROUP_ALIGN: usize = 4096;
/// Bytes of an append entry in front of its batch.
pub(crate) const APPEND_OVERHEAD: usize = 8 + 32;
/// Bytes of a put entry in front of its key.
pub(crate) const PUT_OVERHEAD: usize = 8 + 4;

/// Bytes of an entry in front of its body.
const ENTRY_HEADER_LEN: usize = 8;
const KIND_APPEND: u8 = 1;
const KIND_PUT: u8 = 2;
const PUT_DELETES: u8 = 1;
const RESERVED_KINDS: [(u8, &str); 6] = [
    (3, "ProducerState"),
    (4, "Marker"),
    (5, "AbortedTxn"),
    (6, "AppendRef"),
    (7, "TrimPrefix"),
    (8, "ReplaceSegments"),
];

/// Turns a file's generation into the start value of its checksums.
pub(crate) fn seed(generation: &[u8; 16]) -> u32 {
    crc32c::crc32c(generation)
}

/// Writes the header of a frame with an open checksum; [`set_crc`] closes it.
pub(crate) fn put_header(out: &mut Vec<u8>, len: u32, n_entries: u16, lsn: u64, durable_lsn: u64) {
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&0_u16.to_le_bytes());
    out.extend_from_slice(&n_entries.to_le_bytes());
    out.extend_from_slice(&lsn.to_le_bytes());
    out.extend_from_slice(&durable_lsn.to_le_bytes());
}

/// Stores the checksum into the header that starts at `at`.
pub(crate) fn set_crc(out: &mut [u8], at: usize, crc: u32) {
    if let Some(place) = out.get_mut(at + 8..at + 12) {
        place.copy_from_slice(&crc.to_le_bytes());
    }
}

/// Writes everything of an append entry but the batch itself.
pub(crate) fn put_append(
    out: &mut Vec<u8>,
    topic: &TopicId,
    partition: i32,
    base_offset: i64,
    batch_len: u32,
) {
    put_entry(out, KIND_APPEND, batch_len + 32);
    out.extend_from_slice(&topic.0);
    out.extend_from_slice(&partition.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&base_offset.to_le_bytes());
}

/// Writes a whole put entry. Key length was checked at submit.
pub(crate) fn put_put(out: &mut Vec<u8>, put: &KvPut) {
    let value = put.value.as_deref().unwrap_or_default();
    let len = u32::try_from(4 + put.key.len() + value.len()).unwrap_or(u32::MAX);
    put_entry(out, KIND_PUT, len);
    out.push(put.store.code());
    out.push(if put.value.is_none() { PUT_DELETES } else { 0 });
    out.extend_from_slice(
        &u16::try_from(put.key.len())
            .unwrap_or(u16::MAX)
            .to_le_bytes(),
    );
    out.extend_from_slice(&put.key);
    out.extend_from_slice(value);
}

fn put_entry(out: &mut Vec<u8>, kind: u8, len: u32) {
    out.extend_from_slice(&[kind, 0, 0, 0]);
    out.extend_from_slice(&len.to_le_bytes());
}

/// A frame whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) lsn: u64,
    pub(crate) durable_lsn: u64,
    n_entries: u16,
    flags: u16,
    /// Bytes without padding.
    pub(crate) len: usize,
    entries: &'a [u8],
}

/// One entry, borrowed.
#[derive(Debug)]
pub(crate) enum Entry<'a> {
    Append {
        topic: TopicId,
        partition: i32,
        base_offset: i64,
        batch: &'a [u8],
    },
    Put {
        store: Store,
        key: &'a [u8],
        value: Option<&'a [u8]>,
    },
}

impl Entry<'_> {
    /// Copies a put out of the buffer.
    pub(crate) fn to_put(store: Store, key: &[u8], value: Option<&[u8]>) -> KvPut {
        KvPut {
            store,
            key: Bytes::copy_from_slice(key),
            value: value.map(Bytes::copy_from_slice),
        }
    }
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; `None` if there is none of this generation.
    pub(crate) fn read(bytes: &'a [u8], seed: u32) -> Option<Self> {
        let header = bytes.get(..HEADER_LEN)?;
        if u32_at(header, 0)? != MAGIC {
            return None;
        }
        let len = usize::try_from(u32_at(header, 4)?).ok()?;
        let entries = bytes.get(HEADER_LEN..len)?;
        let crc = crc32c::crc32c_append(seed, bytes.get(12..len)?);
        (crc == u32_at(header, 8)?).then_some(())?;
        Some(Self {
            lsn: u64_at(header, 16)?,
            durable_lsn: u64_at(header, 24)?,
            n_entries: u16::from_le_bytes(header.get(14..16)?.try_into().ok()?),
            flags: u16::from_le_bytes(header.get(12..14)?.try_into().ok()?),
            len,
            entries,
        })
    }

    /// Returns the entries.
    ///
    /// # Errors
    /// A text that says what this version cannot read.
    pub(crate) fn entries(&self) -> Result<Vec<Entry<'a>>, String> {
        if self.flags != 0 {
            return Err(format!(
                "frame {} has flags {:#06x} of a later version",
                self.lsn, self.flags
            ));
        }
        // No more room than there can be entries, whatever the count says.
        let most = self.entries.len() / ENTRY_HEADER_LEN;
        let mut entries = Vec::with_capacity(usize::from(self.n_entries).min(most));
        let mut rest = self.entries;
        for index in 0..self.n_entries {
            let (entry, after) = read_entry(rest)
                .map_err(|what| format!("frame {}, entry {index}: {what}", self.lsn))?;
            entries.push(entry);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(format!(
                "frame {}: {} bytes follow the last entry",
                self.lsn,
                rest.len()
            ));
        }
        Ok(entries)
    }
}

fn read_entry(bytes: &[u8]) -> Result<(Entry<'_>, &[u8]), String> {
    let short = || "is cut short".to_owned();
    let (header, rest) = bytes.split_at_checked(8).ok_or_else(short)?;
    let kind = header.first().copied().ok_or_else(short)?;
    let len = u32_at(header, 4)
        .and_then(|len| usize::try_from(len).ok())
        .ok_or_else(short)?;
    let (body, after) = rest.split_at_checked(len).ok_or_else(short)?;
    let entry = match kind {
        KIND_APPEND => read_append(body).ok_or_else(short)?,
        KIND_PUT => read_put(body)?,
        _ => {
            let name = RESERVED_KINDS
                .iter()
                .find(|(code, _)| *code == kind)
                .map_or("unknown", |(_, name)| name);
            return Err(format!(
                "kind {kind} ({name}) is not readable by this version"
            ));
        }
    };
    Ok((entry, after))
}

fn read_append(body: &[u8]) -> Option<Entry<'_>> {
    let (topic, rest) = body.split_first_chunk::<16>()?;
    let (partition, rest) = rest.split_first_chunk::<4>()?;
    let (_reserved, rest) = rest.split_first_chunk::<4>()?;
    let (base_offset, batch) = rest.split_first_chunk::<8>()?;
    Some(Entry::Append {
        topic: TopicId(*topic),
        partition: i32::from_le_bytes(*partition),
        base_offset: i64::from_le_bytes(*base_offset),
        batch,
    })
}

fn read_put(body: &[u8]) -> Result<Entry<'_>, String> {
    let (head, rest) = body.split_first_chunk::<4>().ok_or("is cut short")?;
    let [code, flags, low, high] = *head;
    let store = Store::from_code(code)
        .ok_or_else(|| format!("store {code} is not known to this version"))?;
    let (key, value) = rest
        .split_at_checked(usize::from(u16::from_le_bytes([low, high])))
        .ok_or("has a key beyond its end")?;
    let value = (flags & PUT_DELETES == 0).then_some(value);
    Ok(Entry::Put { store, key, value })
}

/// Returns the length that a header claims if a frame could be like that, without looking at its checksum.
pub(crate) fn plausible_len(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER_LEN)?;
    let len = usize::try_from(u32_at(header, 4)?).ok()?;
    let n_entries = usize::from(u16::from_le_bytes(header.get(14..16)?.try_into().ok()?));
    let (lsn, durable_lsn) = (u64_at(header, 16)?, u64_at(header, 24)?);
    let fits = len <= bytes.len() && len >= HEADER_LEN + n_entries * ENTRY_HEADER_LEN;
    (fits && durable_lsn < lsn).then_some(len)
}

/// Reads a little-endian number out of checked bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk::<4>()
        .map(|b| u32::from_le_bytes(*b))
}

/// Reads a little-endian number out of checked bytes.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk::<8>()
        .map(|b| u64::from_le_bytes(*b))
}

/// Rounds up to a multiple of `to`.
pub(crate) fn align(n: usize, to: usize) -> usize {
    n.div_ceil(to) * to
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: u32 = 77;

    fn frame(entries: &[(u8, Vec<u8>)], lsn: u64, durable_lsn: u64) -> Vec<u8> {
        let len = HEADER_LEN
            + entries
                .iter()
                .map(|(_, body)| 8 + body.len())
                .sum::<usize>();
        let mut out = Vec::new();
        put_header(
            &mut out,
            u32::try_from(len).unwrap(),
            u16::try_from(entries.len()).unwrap(),
            lsn,
            durable_lsn,
        );
        for (kind, body) in entries {
            put_entry(&mut out, *kind, u32::try_from(body.len()).unwrap());
            out.extend_from_slice(body);
        }
        let crc = crc32c::crc32c_append(SEED, &out[12..]);
        set_crc(&mut out, 0, crc);
        out
    }

    #[test]
    fn entries_come_back_as_they_were_put() {
        let put = |value: Option<&'static str>| KvPut {
            store: Store::Runs,
            key: "key".into(),
            value: value.map(Bytes::from),
        };
        let mut body = Vec::new();
        put_append(&mut body, &TopicId([9; 16]), 3, 42, 5);
        body.extend_from_slice(b"batch");
        put_put(&mut body, &put(Some("value")));
        put_put(&mut body, &put(None));
        let mut bytes = Vec::new();
        put_header(
            &mut bytes,
            u32::try_from(HEADER_LEN + body.len()).unwrap(),
            3,
            7,
            6,
        );
        bytes.extend_from_slice(&body);
        let crc = crc32c::crc32c_append(SEED, &bytes[12..]);
        set_crc(&mut bytes, 0, crc);
        let frame = Frame::read(&bytes, SEED).unwrap();
        assert_eq!(
            (frame.lsn, frame.durable_lsn, frame.len),
            (7, 6, bytes.len())
        );
        let entries = frame.entries().unwrap();
        let [
            Entry::Append {
                topic,
                partition: 3,
                base_offset: 42,
                batch: b"batch",
            },
            with,
            without,
        ] = &entries[..]
        else {
            panic!("{entries:?}")
        };
        assert_eq!(*topic, TopicId([9; 16]));
        assert!(
            matches!(
                with,
                Entry::Put {
                    store: Store::Runs,
                    key: b"key",
                    value: Some(b"value")
                }
            ),
            "{with:?}"
        );
        assert!(
            matches!(without, Entry::Put { value: None, .. }),
            "{without:?}"
        );
        assert!(
            Frame::read(&bytes, SEED + 1).is_none(),
            "a frame of another generation is no frame"
        );
    }

    #[test]
    fn reserved_and_unknown_kinds_are_named_and_refused() {
        for (kind, name) in [
            (3, "ProducerState"),
            (4, "Marker"),
            (5, "AbortedTxn"),
            (6, "AppendRef"),
            (7, "TrimPrefix"),
            (8, "ReplaceSegments"),
            (99, "unknown"),
        ] {
            let bytes = frame(&[(kind, vec![1, 2, 3])], 5, 4);
            let what = Frame::read(&bytes, SEED).unwrap().entries().unwrap_err();
            assert_eq!(
                what,
                format!("frame 5, entry 0: kind {kind} ({name}) is not readable by this version")
            );
        }
    }

    #[test]
    fn damage_inside_a_good_checksum_is_an_error() {
        for (entries, expected) in [
            (vec![(KIND_APPEND, vec![0; 31])], "is cut short"),
            (
                vec![(KIND_PUT, vec![6, 0, 9, 0, b'k'])],
                "has a key beyond its end",
            ),
            (
                vec![(KIND_PUT, vec![200, 0, 0, 0])],
                "store 200 is not known to this version",
            ),
        ] {
            let bytes = frame(&entries, 1, 0);
            let what = Frame::read(&bytes, SEED).unwrap().entries().unwrap_err();
            assert_eq!(what, format!("frame 1, entry 0: {expected}"));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(kinds in prop::collection::vec((0_u8..12, prop::collection::vec(any::<u8>(), 0..60)), 0..6), cut in 0_usize..200, noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = frame(&kinds, 1, 0);
            if let Some(frame) = Frame::read(&bytes, SEED) {
                drop(frame.entries());
            }
            bytes.truncate(cut);
            prop_assert!(Frame::read(&bytes, SEED).is_none() || cut >= HEADER_LEN);
            prop_assert!(Frame::read(&noise, SEED).is_none());
        }
    }
}
