//! One segment of a partition: an append-only file of Kafka record batches.
//!
//! ```text
//! topics/<topic id>-<partition>/00000000000000042000.log        base offset in the name
//! | batch | batch | ... | bytes beyond the recorded length      plain RecordBatch v2, readable by Kafka's own tools
//! ```
//!
//! Here: what is known about a segment and where its batches begin. `append` fills segments, `read` reads them.
//! Not here: who decides that a partition is written out (`flush`), which length counts (`snapshot`).
//!
//! # Invariants
//! - INV-S1: a batch is in a segment only after the journal frame that holds it is durable (with `durability: fsync`),
//!   and it leaves the journal only after a checkpoint has recorded it here.
//! - INV-S2: bytes up to the recorded length are final, until compaction replaces the whole file by another generation.
//! - INV-S3: offsets grow inside a segment. A segment as it was appended (generation 0) has no holes; one that compaction
//!   wrote may have them, and may end before `next`.
//! - The index is derived and never evidence: it lives in memory, comes from the batches or from a file (`index_file`).
//!
//! # Recovery
//! Cut to the length in the checkpoint, then replay the journal. A bad batch below that length is corruption: reads of
//! its range fail with the file and offset, other ranges go on, nothing is cut.

mod append;
pub(crate) mod index_file;
mod read;
mod scan;

pub(crate) use append::Appender;
pub(crate) use read::{Stop, walk_batches};
pub(crate) use scan::{Piece, Scan, scan};

use crate::snapshot::SegmentRecord;

/// Bytes between two entries of an index; few in this crate's own tests, whose segments are small.
const INDEX_GAP: u64 = if cfg!(test) { 512 } else { 64 * 1024 };
/// The most bytes that one call writes into a segment.
const WRITE_BYTES_MAX: usize = 8 << 20;
/// The most segment files that wait for their sync one by one; beyond it the whole file system is synced.
pub(crate) const UNSYNCED_FILES_MAX: usize = 64;

/// A point of a segment where a batch begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexEntry {
    pub(crate) offset: i64,
    pub(crate) position: u64,
    pub(crate) max_timestamp: i64,
}

impl IndexEntry {
    fn start(base: i64) -> Self {
        Self {
            offset: base,
            position: 0,
            max_timestamp: -1,
        }
    }
}

/// What is known about a segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) base: i64,
    pub(crate) next: i64,
    pub(crate) len: u64,
    pub(crate) max_timestamp: i64,
    /// 0 as appended; else the number of the compaction that wrote the file.
    pub(crate) generation: u32,
    /// The file still has the name of its generation: only while a stopped directory is read.
    pub(crate) unswapped: bool,
    /// The time of the first batch, by which `segment.ms` counts; `None` until it was read from the file.
    pub(crate) first_timestamp: Option<i64>,
    /// No batch is added any more.
    pub(crate) sealed: bool,
    index: Vec<IndexEntry>,
    /// The index covers the file from its start.
    indexed: bool,
    /// The index came from a file, and nothing has confirmed it.
    doubtful: bool,
}

/// Where to begin reading a segment.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) base: i64,
    /// The offset behind the segment.
    pub(crate) next: i64,
    pub(crate) len: u64,
    pub(crate) generation: u32,
    unswapped: bool,
    from: IndexEntry,
    indexed: bool,
    doubtful: bool,
    epochs: Vec<(i32, i64)>,
}

impl Place {
    #[cfg(test)]
    pub(crate) fn indexed(&self) -> bool {
        self.indexed
    }

    /// Returns the leader epoch that a batch of this offset must have.
    fn epoch_at(&self, offset: i64) -> Option<i32> {
        let mut epochs = self.epochs.iter().rev();
        epochs
            .find(|(_, start)| *start <= offset)
            .map(|(epoch, _)| *epoch)
    }
}

/// Returns the name of a segment's file.
pub(crate) fn name(base: i64) -> String {
    format!("{base:020}.log")
}

/// Returns the name that a segment has until compaction has put it in the place of the old one.
pub(crate) fn cleaned_name(base: i64, generation: u32) -> String {
    format!("{base:020}.{generation}{CLEANED}")
}

/// How the names of such files end.
pub(crate) const CLEANED: &str = ".cleaned";

/// Reads the base offset out of a file's name.
pub(crate) fn parse_name(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// Whether a file's name is that of an index or a half-written file beside a segment: derived, never evidence.
pub(crate) fn is_derived(name: &str) -> bool {
    let Some((digits, _)) = name.split_once('.') else {
        return false;
    };
    digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())
}

impl Segment {
    pub(crate) fn new(base: i64) -> Self {
        Self {
            base,
            next: base,
            len: 0,
            max_timestamp: -1,
            generation: 0,
            unswapped: false,
            first_timestamp: None,
            sealed: false,
            index: Vec::new(),
            indexed: true,
            doubtful: false,
        }
    }

    pub(crate) fn recorded(record: SegmentRecord) -> Self {
        let SegmentRecord {
            base,
            next,
            len,
            max_timestamp,
        } = record;
        Self {
            base,
            next,
            len,
            max_timestamp,
            generation: 0,
            unswapped: false,
            first_timestamp: None,
            sealed: false,
            index: Vec::new(),
            indexed: len == 0,
            doubtful: false,
        }
    }

    pub(crate) fn record(&self) -> SegmentRecord {
        SegmentRecord {
            base: self.base,
            next: self.next,
            len: self.len,
            max_timestamp: self.max_timestamp,
        }
    }

    pub(crate) fn add(&mut self, base: i64, next: i64, len: usize, max_timestamp: i64) {
        if self.indexed
            && self
                .index
                .last()
                .is_none_or(|last| self.len - last.position >= INDEX_GAP)
        {
            self.index.push(IndexEntry {
                offset: base,
                position: self.len,
                max_timestamp: self.max_timestamp,
            });
        }
        if self.len == 0 {
            self.first_timestamp = Some(max_timestamp);
        }
        self.len += len as u64;
        self.next = next;
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
    }

    pub(crate) fn place(&self, from: i64, epochs: &[(i32, i64)]) -> Place {
        let entry = self
            .index
            .partition_point(|entry| entry.offset <= from)
            .checked_sub(1);
        let from = entry.and_then(|at| self.index.get(at)).copied();
        Place {
            from: from.unwrap_or(IndexEntry::start(self.base)),
            ..self.whole(epochs)
        }
    }

    /// Returns the whole segment as a place.
    pub(crate) fn whole(&self, epochs: &[(i32, i64)]) -> Place {
        Place {
            base: self.base,
            next: self.next,
            len: self.len,
            generation: self.generation,
            unswapped: self.unswapped,
            from: IndexEntry::start(self.base),
            indexed: self.indexed,
            doubtful: self.doubtful,
            epochs: epochs.to_vec(),
        }
    }

    /// Returns the last index entry before which no record reaches the time.
    pub(crate) fn place_for_time(&self, timestamp_ms: i64) -> i64 {
        let at = self
            .index
            .partition_point(|entry| entry.max_timestamp < timestamp_ms)
            .checked_sub(1);
        at.and_then(|at| self.index.get(at))
            .map_or(self.base, |entry| entry.offset)
    }
}

#[cfg(test)]
mod tests;
