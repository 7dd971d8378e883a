//! Reading segments: from an offset, or batch by batch.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use linkspan_wire::{BatchHeader, Batches};

use super::{INDEX_GAP, IndexEntry, Place, Segment, WRITE_BYTES_MAX, cleaned_name};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::File;
use crate::partition::{Located, Partition, Read};

impl Partition {
    /// Reads committed batches from `from` on, at least one if there is any. `None` when `wait` is false and the disk is needed.
    pub(crate) fn read(
        &self,
        core: &Core,
        from: i64,
        max_bytes: usize,
        wait: bool,
    ) -> Result<Option<Read>> {
        match self.read_located(core, from, max_bytes, wait) {
            // The segment went away while it was read: say what holds now.
            Err(Error::Io { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound && self.is_trimmed(from) =>
            {
                self.read_located(core, from, max_bytes, wait)
            }
            Err(_) if self.is_deleted() => Ok(Some(Read {
                bytes: Bytes::new(),
                next: from,
            })),
            other => other,
        }
    }

    fn is_trimmed(&self, from: i64) -> bool {
        from < self.lock().log_start
    }

    fn read_located(
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
                Located::Memory(read) => {
                    core.counters.cache_hits.fetch_add(1, Ordering::Relaxed);
                    return Ok(Some(read));
                }
                Located::Disk(place) => place,
            };
            if !place.indexed {
                if !wait {
                    return Ok(None);
                }
                self.index(core, &place)?;
                continue;
            }
            let path = self.path_of(&place);
            let Some(file) = self.file(core, &place)? else {
                continue;
            };
            match read_batches(&*file, &path, &place, wanted, max_bytes, wait)? {
                Outcome::Found(read) => {
                    core.counters.cache_misses.fetch_add(1, Ordering::Relaxed);
                    return Ok(Some(read));
                }
                Outcome::WouldWait => return Ok(None),
                // Everything up to here has gone from this segment; the next one goes on.
                Outcome::Nothing => wanted = place.next.max(wanted + 1),
            }
        }
    }

    /// Returns the path of a place's file.
    pub(crate) fn path_of(&self, place: &Place) -> PathBuf {
        if place.unswapped {
            self.dir.join(cleaned_name(place.base, place.generation))
        } else {
            self.segment_path(place.base)
        }
    }

    /// Opens the file of a place; `None` when the segment was replaced or deleted since the place was found.
    pub(crate) fn file(&self, core: &Core, place: &Place) -> Result<Option<Arc<dyn File>>> {
        if let Some(file) = core.files.cached(self, place.base, place.generation) {
            return Ok(Some(file));
        }
        // No file changes its name while this is held.
        let _names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let state = self.lock();
        let is_there = state
            .segments
            .iter()
            .any(|s| s.base == place.base && s.generation == place.generation);
        drop(state);
        if !is_there {
            return Ok(None);
        }
        let path = self.path_of(place);
        core.files
            .open(core, self, place.base, place.generation, &path)
            .map(Some)
    }

    /// Builds the index of a segment that was written in an earlier life.
    pub(crate) fn index(&self, core: &Core, place: &Place) -> Result<()> {
        let path = self.path_of(place);
        // Replaced or deleted meanwhile: the caller looks again.
        let Some(file) = self.file(core, place)? else {
            return Ok(());
        };
        let mut built = Segment::new(place.base);
        let whole = Place {
            from: IndexEntry::start(place.base),
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
        let same = |segment: &&mut Segment| {
            segment.base == place.base && segment.generation == place.generation
        };
        if let Some(segment) = state.segments.iter_mut().find(same)
            && !segment.indexed
        {
            segment.index = built.index;
            segment.indexed = true;
        }
        Ok(())
    }
}
pub(super) enum Outcome {
    Found(Read),
    Nothing,
    WouldWait,
}

/// Checks that a batch continues the log: its offsets lie at or behind `expected` and inside the segment, without a hole
/// unless compaction wrote the segment, and it has the leader epoch of its time. Base offset and leader epoch lie outside
/// of a batch's checksum: this is what notices damage to them.
fn check_place(header: &BatchHeader, expected: i64, place: &Place) -> Result<(), String> {
    let (base, next) = (header.base_offset, header.next_offset());
    let in_order = if place.generation == 0 {
        base == expected
    } else {
        base >= expected
    };
    if !in_order || next <= base || next > place.next {
        return Err(format!(
            "a batch of offsets {base}..{next} where {expected} was due, in a segment up to {}",
            place.next
        ));
    }
    let epoch = place
        .epochs
        .iter()
        .rev()
        .find(|(_, start)| *start <= base)
        .map(|(epoch, _)| *epoch);
    if epoch.is_some_and(|epoch| epoch != header.leader_epoch) {
        return Err(format!(
            "offset {base} has leader epoch {}, expected {epoch:?}",
            header.leader_epoch
        ));
    }
    Ok(())
}

pub(super) fn read_batches(
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
            check_place(header, expected, place)
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
fn walk(
    file: &dyn File,
    path: &Path,
    place: &Place,
    mut visit: impl FnMut(u64, &BatchHeader),
) -> Result<()> {
    walk_batches(file, path, place, |position, batch| {
        visit(position, batch.header());
        Ok(())
    })
}

/// Why a visitor of batches does not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The batch is not as it should be.
    Corrupt(String),
    /// Something else failed.
    Failed(Error),
}

impl From<String> for Stop {
    fn from(what: String) -> Self {
        Self::Corrupt(what)
    }
}

/// Visits every batch of a segment, with its position.
pub(crate) fn walk_batches(
    file: &dyn File,
    path: &Path,
    place: &Place,
    mut visit: impl FnMut(u64, &linkspan_wire::Batch<'_>) -> Result<(), Stop>,
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
            check_place(batch.header(), expected, place).map_err(|what| corrupt(here, what))?;
            visit(here, &batch).map_err(|stop| match stop {
                Stop::Corrupt(what) => corrupt(here, what),
                Stop::Failed(error) => error,
            })?;
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
