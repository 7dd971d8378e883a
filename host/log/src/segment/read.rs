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
            let read = read_batches(&*file, &path, &place, wanted, max_bytes, wait);
            if matches!(read, Err(Error::Corrupt { .. })) && place.doubtful {
                // Perhaps the index lies, not the segment.
                if !wait {
                    return Ok(None);
                }
                self.confirm_index(core, &place);
                continue;
            }
            match read? {
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
        let is_there = || self.lock().segments.iter().any(|s| place.is_of(s));
        if !is_there() {
            return Ok(None);
        }
        let path = self.path_of(place);
        let file = core
            .files
            .open(core, self, place.base, place.generation, &path)?;
        // Deleted while it was opened: kept among the open files it would keep its space.
        if !is_there() {
            core.files.forget(self, place.base, place.generation);
        }
        Ok(Some(file))
    }

    /// Makes the index of a segment that was written in an earlier life: from its file, or by walking over the batches.
    pub(crate) fn index(&self, core: &Core, place: &Place) -> Result<()> {
        let max_timestamp = {
            let state = self.lock();
            let found = state.segments.iter().find(|segment| place.is_of(segment));
            let Some(segment) = found.filter(|segment| !segment.indexed) else {
                return Ok(());
            };
            segment.max_timestamp
        };
        let known = self.read_index(core, place, max_timestamp);
        let walked = known.as_ref().is_none_or(|known| known.len < place.len);
        let built = match walked {
            true => self.walk_index(core, place, known)?,
            false => known,
        };
        if let Some(built) = built {
            self.set_index(core, place, built, walked);
        }
        Ok(())
    }

    /// Builds the index again from the batches. If these cannot be walked, the index that there is has to do.
    fn confirm_index(&self, core: &Core, place: &Place) {
        if let Ok(Some(built)) = self.walk_index(core, place, None) {
            return self.set_index(core, place, built, true);
        }
        let mut state = self.lock();
        let mut segments = state.segments.iter_mut();
        if let Some(segment) = segments.find(|segment| place.is_of(segment)) {
            segment.doubtful = false;
        }
    }

    /// Walks over the batches behind what is known, or over all. `None` when the segment was replaced or deleted meanwhile.
    fn walk_index(
        &self,
        core: &Core,
        place: &Place,
        known: Option<Segment>,
    ) -> Result<Option<Segment>> {
        let path = self.path_of(place);
        let Some(file) = self.file(core, place)? else {
            return Ok(None);
        };
        let mut built = known.unwrap_or(Segment::new(place.base));
        let rest = Place {
            from: IndexEntry {
                offset: built.next,
                position: built.len,
                max_timestamp: built.max_timestamp,
            },
            ..place.clone()
        };
        walk(&*file, &path, &rest, |_, header| {
            built.add(
                header.base_offset,
                header.next_offset(),
                header.size(),
                header.max_timestamp,
            );
        })?;
        Ok(Some(built))
    }

    fn set_index(&self, core: &Core, place: &Place, built: Segment, walked: bool) {
        let mut state = self.lock();
        let sealed = state.segments.last().is_some_and(|last| !place.is_of(last));
        let Some(segment) = state
            .segments
            .iter_mut()
            .find(|segment| place.is_of(segment))
        else {
            return;
        };
        // A last segment may have grown meanwhile: then its index has a gap there, which costs a read a longer way. To walk
        // again until nothing grows would keep readers waiting for as long as something is written.
        if !segment.indexed || segment.doubtful {
            (segment.doubtful, segment.index) = (built.doubtful, built.index);
            segment.indexed = true;
        }
        let (segment, epochs) = (segment.clone(), state.epochs.clone());
        drop(state);
        if walked && sealed {
            self.write_index(core, &segment, &epochs);
        }
    }
}

impl Place {
    fn is_of(&self, segment: &Segment) -> bool {
        segment.base == self.base && segment.generation == self.generation
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
    // An entry of the index names the batch that begins there.
    let named = place.from.position > 0 && expected == place.from.offset;
    let in_order = if place.generation == 0 || named {
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
    let epoch = place.epoch_at(base);
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
