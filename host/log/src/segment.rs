//! One segment of a partition: an append-only file of Kafka record batches.
//!
//! ```text
//! topics/<topic id>-<partition>/00000000000000042000.log        base offset in the name
//! | batch | batch | ... | bytes beyond the recorded length      plain RecordBatch v2, readable by Kafka's own tools
//! ```
//!
//! Not here: who decides that a partition is written out (`flush`), which length counts (`snapshot`).
//!
//! # Invariants
//! - INV-S1: a batch is in a segment only after the journal frame that holds it is durable (with `durability: fsync`),
//!   and it leaves the journal only after a checkpoint has recorded it here.
//! - INV-S2: bytes up to the recorded length are final.
//! - The index is derived: it lives in memory, is built from the batches, and is never evidence.
//!
//! # Recovery
//! Cut to the length in the checkpoint, then replay the journal. A bad batch below that length is corruption: reads of
//! its range fail with the file and offset, other ranges go on, nothing is cut.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use linkspan_wire::Batches;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Open};
use crate::partition::{Chunk, Located, Partition, Read};
use crate::snapshot::SegmentRecord;

/// Bytes between two entries of an index.
const INDEX_GAP: u64 = 64 * 1024;
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

/// What is known about a segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) base: i64,
    pub(crate) next: i64,
    pub(crate) len: u64,
    pub(crate) max_timestamp: i64,
    index: Vec<IndexEntry>,
    /// The index covers the file from its start.
    indexed: bool,
}

/// Where to begin reading a segment.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) base: i64,
    pub(crate) len: u64,
    from: IndexEntry,
    indexed: bool,
    at: usize,
    epochs: Vec<(i32, i64)>,
}

/// The writing side of a partition.
#[derive(Debug, Default)]
pub(crate) struct Appender {
    /// Files with writes that no sync has covered yet, by base offset.
    pub(crate) unsynced: BTreeMap<i64, Arc<dyn File>>,
    /// Files or the directory itself were made since the last checkpoint.
    pub(crate) new_names: bool,
    dir_made: bool,
}

/// Returns the name of a segment's file.
pub(crate) fn name(base: i64) -> String {
    format!("{base:020}.log")
}

/// Reads the base offset out of a file's name.
pub(crate) fn parse_name(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

impl Segment {
    fn new(base: i64) -> Self {
        Self {
            base,
            next: base,
            len: 0,
            max_timestamp: -1,
            index: Vec::new(),
            indexed: true,
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
            index: Vec::new(),
            indexed: len == 0,
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

    fn add(&mut self, base: i64, next: i64, len: usize, max_timestamp: i64) {
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
        self.len += len as u64;
        self.next = next;
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
    }

    pub(crate) fn place(&self, from: i64, at: usize, epochs: &[(i32, i64)]) -> Place {
        let entry = self
            .index
            .partition_point(|entry| entry.offset <= from)
            .checked_sub(1);
        let start = IndexEntry {
            offset: self.base,
            position: 0,
            max_timestamp: -1,
        };
        let from = entry
            .and_then(|at| self.index.get(at))
            .copied()
            .unwrap_or(start);
        Place {
            base: self.base,
            len: self.len,
            from,
            indexed: self.indexed,
            at,
            epochs: epochs.to_vec(),
        }
    }

    /// Returns the whole segment as a place.
    pub(crate) fn whole(&self, at: usize, epochs: &[(i32, i64)]) -> Place {
        let from = IndexEntry {
            offset: self.base,
            position: 0,
            max_timestamp: -1,
        };
        Place {
            base: self.base,
            len: self.len,
            from,
            indexed: self.indexed,
            at,
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

impl Partition {
    /// Returns the path of a segment.
    pub(crate) fn segment_path(&self, base: i64) -> PathBuf {
        self.dir.join(name(base))
    }

    /// Writes all waiting batches into segments; returns how many bytes.
    pub(crate) fn write_out(&self, core: &Core) -> Result<usize> {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        loop {
            let state = self.lock();
            let chunks = state.unflushed(WRITE_BYTES_MAX);
            let last = state
                .segments
                .last()
                .map(|segment| (segment.base, segment.len));
            drop(state);
            let Some(first) = chunks.first() else {
                return Ok(total);
            };
            let (base, len) = match last {
                Some((base, len)) if fits(base, len, first, self.segment_bytes) => (base, len),
                _ => (first.base, 0),
            };
            let n = batches_that_fit(base, len, &chunks, self.segment_bytes);
            total += self.write_chunks(
                core,
                &mut appender,
                base,
                len,
                chunks.get(..n).unwrap_or_default(),
            )?;
        }
    }

    fn write_chunks(
        &self,
        core: &Core,
        appender: &mut Appender,
        base: i64,
        len: u64,
        chunks: &[Chunk],
    ) -> Result<usize> {
        let path = self.segment_path(base);
        let file = self.open_segment(core, appender, base, len == 0)?;
        let slices: Vec<IoSlice<'_>> = chunks
            .iter()
            .map(|chunk| IoSlice::new(&chunk.bytes))
            .collect();
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        file.write_at(&slices, len)
            .map_err(|e| Error::io("write segment", &path, e))?;
        file.start_writeback(len, bytes as u64);
        if !appender.unsynced.contains_key(&base) && core.flush.keep_unsynced() {
            appender.unsynced.insert(base, file);
        }
        let mut state = self.lock();
        if state
            .segments
            .last()
            .is_none_or(|segment| segment.base != base)
        {
            state.segments.push(Segment::new(base));
        }
        if let Some(segment) = state.segments.last_mut() {
            for chunk in chunks {
                segment.add(
                    chunk.base,
                    chunk.next,
                    chunk.bytes.len(),
                    chunk.max_timestamp,
                );
            }
        }
        if let Some(last) = chunks.last() {
            state.flushed(last.next, bytes);
        }
        drop(state);
        core.flush.written(bytes);
        Ok(bytes)
    }

    fn open_segment(
        &self,
        core: &Core,
        appender: &mut Appender,
        base: i64,
        new: bool,
    ) -> Result<Arc<dyn File>> {
        if let Some(file) = appender.unsynced.get(&base) {
            return Ok(Arc::clone(file));
        }
        if !new {
            return core.files.get(core, self, base);
        }
        if !appender.dir_made {
            core.fs
                .create_dir(&self.dir)
                .map_err(|e| Error::io("make directory", &self.dir, e))?;
            appender.dir_made = true;
        }
        let path = self.segment_path(base);
        appender.new_names = true;
        let file = core
            .fs
            .open(&path, Open::Create)
            .map_err(|e| Error::io("make segment", &path, e))?;
        // What an earlier life of the log left there is not part of it.
        if !file
            .is_empty()
            .map_err(|e| Error::io("read segment", &path, e))?
        {
            file.truncate(0)
                .map_err(|e| Error::io("cut segment", &path, e))?;
        }
        core.files.put(self, base, &file);
        Ok(file)
    }

    /// Reads committed batches from `from` on, at least one if there is any. `None` when `wait` is false and the disk is needed.
    pub(crate) fn read(
        &self,
        core: &Core,
        from: i64,
        max_bytes: usize,
        wait: bool,
    ) -> Result<Option<Read>> {
        let mut wanted = from;
        loop {
            let place = match self.locate(wanted, max_bytes)? {
                Located::End => {
                    return Ok(Some(Read {
                        bytes: Bytes::new(),
                        next: from,
                    }));
                }
                Located::Memory(read) => return Ok(Some(read)),
                Located::Disk(place) => place,
            };
            if !place.indexed {
                if !wait {
                    return Ok(None);
                }
                self.index(core, &place)?;
                continue;
            }
            let path = self.segment_path(place.base);
            let file = core.files.get(core, self, place.base)?;
            match read_batches(&*file, &path, &place, wanted, max_bytes, wait)? {
                Outcome::Found(read) => return Ok(Some(read)),
                Outcome::WouldWait => return Ok(None),
                // Everything up to here has gone from this segment; the next one goes on.
                Outcome::Nothing => {
                    wanted = self
                        .next_segment(place.at)
                        .unwrap_or(place.from.offset)
                        .max(wanted + 1)
                }
            }
        }
    }

    fn next_segment(&self, at: usize) -> Option<i64> {
        let state = self.lock();
        state.segments.get(at + 1).map(|segment| segment.base)
    }

    /// Builds the index of a segment that was written in an earlier life.
    pub(crate) fn index(&self, core: &Core, place: &Place) -> Result<()> {
        let path = self.segment_path(place.base);
        let file = core.files.get(core, self, place.base)?;
        let mut built = Segment::new(place.base);
        let whole = Place {
            from: IndexEntry {
                offset: place.base,
                position: 0,
                max_timestamp: -1,
            },
            ..place.clone()
        };
        walk(&*file, &path, &whole, |_, header| {
            built.add(
                header.base_offset,
                header.next_offset(),
                header.size(),
                header.max_timestamp,
            );
        })?;
        let mut state = self.lock();
        if let Some(segment) = state.segments.get_mut(place.at)
            && segment.base == place.base
            && !segment.indexed
        {
            segment.index = built.index;
            segment.indexed = true;
        }
        Ok(())
    }
}

fn fits(base: i64, len: u64, chunk: &Chunk, segment_bytes: u64) -> bool {
    let room = len == 0 || len + chunk.bytes.len() as u64 <= segment_bytes;
    room && i32::try_from(chunk.next - base).is_ok()
}

fn batches_that_fit(base: i64, mut len: u64, chunks: &[Chunk], segment_bytes: u64) -> usize {
    let mut n = 0;
    for chunk in chunks {
        if !fits(base, len, chunk, segment_bytes) {
            break;
        }
        len += chunk.bytes.len() as u64;
        n += 1;
    }
    n.max(1)
}

enum Outcome {
    Found(Read),
    Nothing,
    WouldWait,
}

/// Checks that a batch continues the log: offsets without holes (this version makes none) and the leader epoch of its time.
fn check_place(
    header: &linkspan_wire::BatchHeader,
    expected: i64,
    epochs: &[(i32, i64)],
) -> Result<(), String> {
    if header.base_offset != expected || header.next_offset() <= expected {
        return Err(format!(
            "a batch of offsets {}..{} where {expected} was due",
            header.base_offset,
            header.next_offset()
        ));
    }
    let epoch = epochs
        .iter()
        .rev()
        .find(|(_, start)| *start <= expected)
        .map(|(epoch, _)| *epoch);
    if epoch.is_some_and(|epoch| epoch != header.leader_epoch) {
        return Err(format!(
            "offset {expected} has leader epoch {}, expected {epoch:?}",
            header.leader_epoch
        ));
    }
    Ok(())
}

fn read_batches(
    file: &dyn File,
    path: &Path,
    place: &Place,
    from: i64,
    max_bytes: usize,
    wait: bool,
) -> Result<Outcome> {
    let corrupt = |offset: u64, what: String| Error::Corrupt {
        path: path.to_owned(),
        offset,
        what,
    };
    let mut position = place.from.position;
    let mut expected = place.from.offset;
    let gap = usize::try_from(INDEX_GAP).unwrap_or(usize::MAX);
    let mut want = max_bytes.clamp(4096, WRITE_BYTES_MAX) + gap;
    while position < place.len {
        let n = want.min(usize::try_from(place.len - position).unwrap_or(usize::MAX));
        let Some(buf) = read_exactly(file, path, position, n, wait)? else {
            return Ok(Outcome::WouldWait);
        };
        let mut batches = Batches::new(&buf);
        let mut range: Option<(usize, usize)> = None;
        let mut at = 0;
        for batch in batches.by_ref() {
            let batch = batch.map_err(|e| corrupt(position + at as u64, e.to_string()))?;
            let header = batch.header();
            let after = at + header.size();
            check_place(header, expected, &place.epochs)
                .map_err(|what| corrupt(position + at as u64, what))?;
            if header.next_offset() > from {
                if range.is_some_and(|(start, _)| after - start > max_bytes) {
                    break;
                }
                batch
                    .verify_crc()
                    .map_err(|e| corrupt(position + at as u64, e.to_string()))?;
                range = Some((range.map_or(at, |(start, _)| start), after));
            }
            expected = header.next_offset();
            at = after;
        }
        if let Some((start, end)) = range {
            return Ok(Outcome::Found(Read {
                bytes: Bytes::from(buf).slice(start..end),
                next: expected,
            }));
        }
        if at == 0 {
            let needed = batches.needed().unwrap_or(n + 1);
            if needed as u64 > place.len - position {
                return Err(corrupt(
                    position,
                    format!("a batch of {needed} bytes passes the end of the segment"),
                ));
            }
            want = needed;
        }
        position += at as u64;
    }
    Ok(Outcome::Nothing)
}

fn read_exactly(
    file: &dyn File,
    path: &Path,
    position: u64,
    n: usize,
    wait: bool,
) -> Result<Option<Vec<u8>>> {
    let mut buf = vec![0; n];
    let read = if wait {
        Some(
            file.read_at(&mut buf, position)
                .map_err(|e| Error::io("read segment", path, e))?,
        )
    } else {
        file.read_at_nowait(&mut buf, position)
            .map_err(|e| Error::io("read segment", path, e))?
    };
    match read {
        None => Ok(None),
        Some(got) if got == n => Ok(Some(buf)),
        Some(got) => Err(Error::Corrupt {
            path: path.to_owned(),
            offset: position + got as u64,
            what: format!("the file ends {} bytes early", n - got),
        }),
    }
}

/// Visits every batch of a segment from a place on, with its position; checks order but not checksums.
pub(crate) fn walk(
    file: &dyn File,
    path: &Path,
    place: &Place,
    mut visit: impl FnMut(u64, &linkspan_wire::BatchHeader),
) -> Result<()> {
    walk_batches(file, path, place, |position, batch| {
        visit(position, batch.header());
        Ok(())
    })
}

/// Visits every batch of a segment, with its position.
pub(crate) fn walk_batches(
    file: &dyn File,
    path: &Path,
    place: &Place,
    mut visit: impl FnMut(u64, &linkspan_wire::Batch<'_>) -> Result<(), String>,
) -> Result<()> {
    let corrupt = |offset: u64, what: String| Error::Corrupt {
        path: path.to_owned(),
        offset,
        what,
    };
    let mut position = place.from.position;
    let mut expected = place.from.offset;
    let mut want = 1 << 20;
    while position < place.len {
        let n = want.min(usize::try_from(place.len - position).unwrap_or(usize::MAX));
        let buf = read_exactly(file, path, position, n, true)?.unwrap_or_default();
        let mut batches = Batches::new(&buf);
        let mut at = 0;
        for batch in batches.by_ref() {
            let here = position + at as u64;
            let batch = batch.map_err(|e| corrupt(here, e.to_string()))?;
            check_place(batch.header(), expected, &place.epochs)
                .map_err(|what| corrupt(here, what))?;
            visit(here, &batch).map_err(|what| corrupt(here, what))?;
            expected = batch.header().next_offset();
            at += batch.header().size();
        }
        if at == 0 {
            let needed = batches.needed().unwrap_or(n + 1);
            if needed as u64 > place.len - position {
                return Err(corrupt(
                    position,
                    format!("a batch of {needed} bytes passes the end of the segment"),
                ));
            }
            want = needed;
        }
        position += at as u64;
    }
    Ok(())
}
