//! The sparse index of a segment on disk, `<base>.idx` beside `<base>.log`: where batches begin, and how young records are before.
//!
//! Derived, rebuildable, never evidence. Little-endian:
//! ```text
//!   0  magic u32 "LSIX" · version u16 (1) · reserved u16 (0)
//!   8  topic id 16 · partition i32 · generation u32       whose it is
//!  32  base i64 · next i64 · len u64 · max timestamp i64  what it covers, as a checkpoint records a segment
//!  64  leader epoch i32 of the last batch · n u32
//!  72  n × { offset i64 · position u64 · max timestamp of everything before it i64 }
//!      crc32c u32 of all bytes before
//! ```
//!
//! Written when a segment is full, and for a last segment of some size when the log is closed; by the segment writer, never
//! synced. Read by the first read of a segment of an earlier life; a part that it does not cover (a last segment that grew) is
//! walked. Removed with its segment, and by recovery when it cuts the segment. A segment with fewer than
//! [`ENTRIES_MIN`] entries has none: walking it costs no more.
//!
//! # Corruption
//! Missing, short, garbled, of another segment or of another generation of it: the segment is walked and the file written anew.
//! An index whose checksum and identity are right is believed, but not blindly: a batch that does not begin where it says, with
//! the offset that it says, makes the reader walk the segment before it speaks of damage. Only a forged *time* with a right
//! checksum would mislead (a search by time, not a read by offset); `verify` compares all of it.

use std::io::{self, IoSlice};
use std::path::PathBuf;

use super::{IndexEntry, Place, Segment};
use crate::core::Core;
use crate::fs::{Open, read_file};
use crate::journal::frame::{u32_at, u64_at};
use crate::partition::Partition;

const MAGIC: u32 = u32::from_le_bytes(*b"LSIX");
const VERSION: u16 = 1;
const HEADER_LEN: usize = 72;
const ENTRY_LEN: usize = 24;
/// An index with fewer entries is not written.
const ENTRIES_MIN: usize = 2;
/// A last segment with fewer entries is not worth a file when the log is closed.
const ENTRIES_MIN_AT_CLOSE: usize = 16;
/// No index is larger: 2 GiB of segment with an entry for each 64 KiB are less than 1 MiB.
const FILE_BYTES_MAX: usize = 4 << 20;

/// Returns the name of a segment's index.
pub(crate) fn name(base: i64) -> String {
    format!("{base:020}.idx")
}

/// Reads the base offset out of a file's name.
pub(crate) fn parse_name(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".idx")?;
    super::parse_name(&format!("{digits}.log"))
}

/// What an index file must agree with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    topic: [u8; 16],
    partition: i32,
}

impl Identity {
    fn of(partition: &Partition) -> Self {
        Self {
            topic: partition.id.topic.0,
            partition: partition.id.partition.0,
        }
    }
}

fn encode(identity: Identity, segment: &Segment, leader_epoch: i32) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN + segment.index.len() * ENTRY_LEN + 4);
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&identity.topic);
    out.extend_from_slice(&identity.partition.to_le_bytes());
    out.extend_from_slice(&segment.generation.to_le_bytes());
    out.extend_from_slice(&segment.base.to_le_bytes());
    out.extend_from_slice(&segment.next.to_le_bytes());
    out.extend_from_slice(&segment.len.to_le_bytes());
    out.extend_from_slice(&segment.max_timestamp.to_le_bytes());
    out.extend_from_slice(&leader_epoch.to_le_bytes());
    let n = u32::try_from(segment.index.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&n.to_le_bytes());
    for entry in &segment.index {
        out.extend_from_slice(&entry.offset.to_le_bytes());
        out.extend_from_slice(&entry.position.to_le_bytes());
        out.extend_from_slice(&entry.max_timestamp.to_le_bytes());
    }
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Reads an index; `None` when it is not a good one of this segment, or of a first part of it.
pub(crate) fn decode(
    bytes: &[u8],
    identity: Identity,
    place: &Place,
    max_timestamp: i64,
) -> Option<Segment> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (u32::from_le_bytes(*crc) == crc32c::crc32c(body)).then_some(())?;
    let (header, entries) = body.split_at_checked(HEADER_LEN)?;
    let word = |at: usize| u32_at(header, at);
    let i32_at = |at: usize| word(at).map(u32::cast_signed);
    let i64_at = |at: usize| u64_at(header, at).map(u64::cast_signed);
    let ours = word(0)? == MAGIC
        && word(4)? == u32::from(VERSION)
        && header.get(8..24)? == identity.topic
        && i32_at(24)? == identity.partition
        && word(28)? == place.generation
        && i64_at(32)? == place.base;
    ours.then_some(())?;
    // Only the index of it is used.
    let mut segment = Segment {
        next: i64_at(40)?,
        len: u64_at(header, 48)?,
        max_timestamp: i64_at(56)?,
        generation: place.generation,
        doubtful: true,
        ..Segment::new(place.base)
    };
    let whole = (segment.next, segment.len, segment.max_timestamp)
        == (place.next, place.len, max_timestamp);
    let part = segment.next < place.next
        && segment.len < place.len
        && segment.max_timestamp <= max_timestamp
        && segment.generation == 0;
    let epoch = place.epoch_at(segment.next.checked_sub(1)?);
    ((whole || part) && epoch.is_none_or(|epoch| Some(epoch) == i32_at(64))).then_some(())?;
    let n = usize::try_from(word(68)?).ok()?;
    (entries.len() == n.checked_mul(ENTRY_LEN)? && n > 0).then_some(())?;
    for entry in entries.chunks_exact(ENTRY_LEN) {
        segment.index.push(IndexEntry {
            offset: u64_at(entry, 0)?.cast_signed(),
            position: u64_at(entry, 8)?,
            max_timestamp: u64_at(entry, 16)?.cast_signed(),
        });
    }
    segment.is_in_order().then_some(segment)
}

/// Reads an index as one of the segment that its own header names.
#[cfg(test)]
pub(crate) fn decodes_for_test(bytes: &[u8]) -> bool {
    let word = |at: usize| u32_at(bytes, at).unwrap_or_default();
    let long = |at: usize| u64_at(bytes, at).unwrap_or_default();
    let topic = bytes.get(8..24).and_then(|topic| topic.try_into().ok());
    let identity = Identity {
        topic: topic.unwrap_or_default(),
        partition: word(24).cast_signed(),
    };
    let segment = Segment {
        next: long(40).cast_signed(),
        len: long(48),
        generation: word(28),
        ..Segment::new(long(32).cast_signed())
    };
    decode(bytes, identity, &segment.whole(&[]), long(56).cast_signed()).is_some()
}

impl Segment {
    /// Whether the entries are possible.
    fn is_in_order(&self) -> bool {
        let first = self.index.first();
        let begins = first
            .is_some_and(|e| e.position == 0 && e.offset >= self.base && e.max_timestamp == -1);
        let grows = self.index.windows(2).all(|pair| match pair {
            [a, b] => {
                a.offset < b.offset && a.position < b.position && a.max_timestamp <= b.max_timestamp
            }
            _ => false,
        });
        let last = self.index.last();
        let ends = last.is_some_and(|e| {
            e.offset < self.next && e.position < self.len && e.max_timestamp <= self.max_timestamp
        });
        begins && grows && ends
    }
}

impl Partition {
    /// Returns the path of a segment's index.
    pub(crate) fn index_path(&self, base: i64) -> PathBuf {
        self.dir.join(name(base))
    }

    /// Writes the index of a segment, if it is worth a file. A failure costs the next life a walk, nothing else.
    pub(super) fn write_index(&self, core: &Core, segment: &Segment, epochs: &[(i32, i64)]) {
        // Whoever only reads a stopped directory writes nothing.
        if core.volume.get().is_none() || !segment.indexed || segment.index.len() < ENTRIES_MIN {
            return;
        }
        let epoch = segment
            .whole(epochs)
            .epoch_at(segment.next - 1)
            .unwrap_or(-1);
        let bytes = encode(Identity::of(self), segment, epoch);
        let path = self.index_path(segment.base);
        let write = || -> io::Result<()> {
            let file = core.fs.open(&path, Open::Create)?;
            file.truncate(0)?;
            file.write_at(&[IoSlice::new(&bytes)], 0)
        };
        if let Err(error) = write() {
            tracing::debug!(%error, path = %path.display(), "could not write an index");
        }
    }

    /// Writes the index of the last segment, if it is large; the log is being closed.
    pub(crate) fn write_last_index(&self, core: &Core) {
        let state = self.lock();
        let last = state
            .segments
            .last()
            .filter(|segment| segment.index.len() >= ENTRIES_MIN_AT_CLOSE)
            .cloned();
        let epochs = state.epochs.clone();
        drop(state);
        if let Some(segment) = last {
            self.write_index(core, &segment, &epochs);
        }
    }

    /// Reads the index of a segment, if there is a good one.
    pub(super) fn read_index(
        &self,
        core: &Core,
        place: &Place,
        max_timestamp: i64,
    ) -> Option<Segment> {
        let bytes = read_file(&*core.fs, &self.index_path(place.base), FILE_BYTES_MAX).ok()?;
        decode(&bytes, Identity::of(self), place, max_timestamp)
    }
}

/// Compares an index that says it is a good one with what the segment holds; returns what is wrong with it.
pub(crate) fn check(
    core: &Core,
    partition: &Partition,
    place: &Place,
    max_timestamp: i64,
    walked: &[(i64, u64, i64)],
) -> Option<String> {
    let index = partition.read_index(core, place, max_timestamp)?;
    let wrong = index.index.iter().find(|entry| {
        let at = walked.partition_point(|(offset, ..)| *offset < entry.offset);
        walked.get(at) != Some(&(entry.offset, entry.position, entry.max_timestamp))
    })?;
    Some(format!(
        "the index says that a batch of offset {} begins at byte {} of the segment; that is not so (the index is derived: delete it)",
        wrong.offset, wrong.position
    ))
}
