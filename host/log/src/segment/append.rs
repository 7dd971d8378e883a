//! Filling segments: waiting batches of a partition become bytes at the end of its last file.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::{Segment, WRITE_BYTES_MAX, name};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Open};
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
        let segment_bytes = self.segment_bytes();
        let mut total = 0;
        loop {
            let state = self.lock();
            let chunks = state.unflushed(WRITE_BYTES_MAX);
            let last = state
                .segments
                .last()
                .map(|segment| (segment.base, segment.len, segment.generation));
            drop(state);
            let Some(first) = chunks.first() else {
                return Ok(total);
            };
            let (base, len, generation) = match last {
                Some((base, len, generation)) if fits(base, len, first, segment_bytes) => {
                    (base, len, generation)
                }
                _ => (first.base, 0, 0),
            };
            let n = batches_that_fit(base, len, &chunks, segment_bytes);
            total += self.write_chunks(
                core,
                &mut appender,
                (base, generation),
                len,
                chunks.get(..n).unwrap_or_default(),
            )?;
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
