//! Filling segments: waiting batches of a partition become bytes at the end of its last file.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use linkspan_wire::{BatchHeader, HEADER_LEN};

use super::{Place, Segment, WRITE_BYTES_MAX, name};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Open, read_range};
use crate::partition::{Chunk, Partition};

/// The writing side of a partition.
#[derive(Debug, Default)]
pub(crate) struct Appender {
    /// Files with writes that no sync has covered yet, by base offset.
    pub(crate) unsynced: BTreeMap<i64, Arc<dyn File>>,
    /// Files or the directory itself were made since the last checkpoint.
    pub(crate) new_names: bool,
    /// Segments whose files go after the next checkpoint.
    pub(crate) retired: Vec<i64>,
    dir_made: bool,
}
impl Partition {
    /// Returns the path of a segment.
    pub(crate) fn segment_path(&self, base: i64) -> PathBuf {
        self.dir.join(name(base))
    }

    /// Writes all waiting batches into segments; returns how many bytes.
    pub(crate) fn write_out(&self, core: &Core) -> Result<usize> {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_deleted() {
            self.discard(core, &mut appender);
            return Ok(0);
        }
        let limits = Limits {
            bytes: self.segment_bytes(),
            ms: self.segment_ms(),
        };
        let mut total = 0;
        loop {
            let state = self.lock();
            let chunks = state.unflushed(WRITE_BYTES_MAX);
            let last = state.segments.last().filter(|segment| !segment.sealed);
            // A repair may have left a hole in front of the batch; a segment as it is appended has none.
            let last = last.filter(|segment| {
                let first = chunks.first();
                first.is_none_or(|first| first.base == segment.next)
            });
            let last = last.map(|segment| (segment.whole(&[]), segment.first_timestamp));
            drop(state);
            let Some(first) = chunks.first() else {
                return Ok(total);
            };
            let fresh = Tail {
                base: first.base,
                len: 0,
                generation: 0,
                first_timestamp: first.max_timestamp,
            };
            let tail = match last {
                Some((place, known)) => Tail {
                    base: place.base,
                    len: place.len,
                    generation: place.generation,
                    first_timestamp: match known {
                        Some(timestamp) => timestamp,
                        None => self.first_timestamp(core, &place)?,
                    },
                },
                None => fresh,
            };
            let tail = if tail.takes(first, limits) {
                tail
            } else {
                fresh
            };
            let n = tail.batches_that_fit(&chunks, limits);
            total += self.write_chunks(
                core,
                &mut appender,
                (tail.base, tail.generation),
                tail.len,
                chunks.get(..n).unwrap_or_default(),
            )?;
        }
    }

    /// Reads the time of a segment's first batch, and remembers it.
    pub(crate) fn first_timestamp(&self, core: &Core, place: &Place) -> Result<i64> {
        // What cannot be read is for readers to report; for closing the segment it has no time.
        let header = match self.file(core, place)? {
            Some(file) => read_range(&*file, 0, HEADER_LEN).unwrap_or_default(),
            None => Vec::new(),
        };
        let timestamp = BatchHeader::read(&header).map_or(-1, |header| header.max_timestamp);
        let mut state = self.lock();
        let same = |s: &&mut Segment| s.base == place.base && s.generation == place.generation;
        if let Some(segment) = state.segments.iter_mut().find(same) {
            segment.first_timestamp = Some(timestamp);
        }
        Ok(timestamp)
    }

    /// Closes a last segment whose `segment.ms` has passed by the clock, though nothing was written: compaction and
    /// retention work on closed segments.
    pub(crate) fn seal_old(&self, now_ms: i64) {
        let mut state = self.lock();
        if let Some(last) = state.segments.last_mut() {
            // What is not known yet is no younger than the newest record.
            let since = last.first_timestamp.unwrap_or(last.max_timestamp);
            last.sealed |= since >= 0 && now_ms.saturating_sub(since) > self.segment_ms();
        }
    }

    fn write_chunks(
        &self,
        core: &Core,
        appender: &mut Appender,
        (base, generation): (i64, u32),
        len: u64,
        chunks: &[Chunk],
    ) -> Result<usize> {
        let path = self.segment_path(base);
        let file = self.open_segment(core, appender, (base, generation), len == 0)?;
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
        let mut sealed = None;
        let mut state = self.lock();
        if state
            .segments
            .last()
            .is_none_or(|segment| segment.base != base)
        {
            sealed = state
                .segments
                .last()
                .map(|segment| (segment.clone(), state.epochs.clone()));
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
        if let Some((segment, epochs)) = sealed {
            self.write_index(core, &segment, &epochs);
        }
        core.flush.written(bytes);
        Ok(bytes)
    }

    fn open_segment(
        &self,
        core: &Core,
        appender: &mut Appender,
        (base, generation): (i64, u32),
        new: bool,
    ) -> Result<Arc<dyn File>> {
        if let Some(file) = appender.unsynced.get(&base) {
            return Ok(Arc::clone(file));
        }
        if !new {
            if let Some(file) = core.files.cached(self, base, generation) {
                return Ok(file);
            }
            let path = self.segment_path(base);
            return core.files.open(core, self, base, generation, &path);
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
        core.files.put(self, base, generation, &file);
        Ok(file)
    }
}

/// When a segment is closed.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: u64,
    ms: i64,
}

/// The segment that is being filled.
#[derive(Clone, Copy, Debug)]
struct Tail {
    base: i64,
    len: u64,
    generation: u32,
    first_timestamp: i64,
}

impl Tail {
    /// Whether a batch still belongs into this segment. By time it does not when it is *more* than `segment.ms` newer than
    /// the first one; batches without a time never close a segment.
    fn takes(&self, chunk: &Chunk, limits: Limits) -> bool {
        let room = self.len == 0 || self.len + chunk.bytes.len() as u64 <= limits.bytes;
        let timed = self.first_timestamp >= 0 && chunk.max_timestamp >= 0;
        let late = timed && chunk.max_timestamp.saturating_sub(self.first_timestamp) > limits.ms;
        room && !late && i32::try_from(chunk.next - self.base).is_ok()
    }

    fn batches_that_fit(mut self, chunks: &[Chunk], limits: Limits) -> usize {
        let mut n = 0;
        for chunk in chunks {
            if !self.takes(chunk, limits) {
                break;
            }
            self.len += chunk.bytes.len() as u64;
            n += 1;
        }
        n.max(1)
    }
}
