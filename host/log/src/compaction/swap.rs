//! From old segments to new ones, so that a crash at any call leaves one or the other.
//!
//! ```text
//! 1 <base>.<generation>.cleaned is written and synced, its name too      old segments count
//! 2 a checkpoint names the new segments and marks them as a swap         new segments count, recovery renames
//! 3 a second checkpoint does so too: now both slots know the swap
//! 4 rename to <base>.log; memory follows; sync the directory             readers that hold an old file go on with it
//! 5 remove the other old files; the next checkpoint drops the mark
//! ```
//!
//! The generation in the name makes the mark unambiguous: length alone would not tell an old file from a new one, and a
//! file of another generation is never taken for this one. Step 3 keeps the rule that the older slot can be fallen back
//! to when the newer one is unreadable. Recovery renames a marked file if it is still there, and removes all others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use crate::checkpoint;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::partition::{Partition, PartitionKey, State};
use crate::segment::{self, Segment};
use crate::snapshot::Manifest;

/// Some neighbouring segments and the one that replaces them; `None` = no record is left.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    /// Base offset and generation of the old ones.
    pub(crate) sources: Vec<(i64, u32)>,
    pub(crate) new: Option<Segment>,
}

/// New segments whose files are written, but do not count yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    pub(crate) swaps: Vec<Swap>,
    /// Compaction has reached this offset once all of them count.
    pub(crate) cleaned_to: Option<i64>,
}

impl State {
    /// Returns the segments as they will be after what is pending, which of them are new, and how far compaction is then.
    ///
    /// A swap whose sources are not all there any more (deleted meanwhile) does not happen.
    pub(crate) fn after_pending(&self) -> (Vec<(&Segment, bool)>, i64) {
        let Some(pending) = &self.pending else {
            let segments = self.segments.iter().map(|segment| (segment, false));
            return (segments.collect(), self.cleaned_to);
        };
        let mut segments = Vec::with_capacity(self.segments.len());
        let mut n_swaps = 0;
        let mut rest = self.segments.as_slice();
        while let Some((first, after)) = rest.split_first() {
            let swap = pending.swaps.iter().find(|swap| swap.begins(rest));
            let Some(swap) = swap else {
                segments.push((first, false));
                rest = after;
                continue;
            };
            n_swaps += 1;
            segments.extend(swap.new.iter().map(|new| (new, true)));
            rest = rest.get(swap.sources.len()..).unwrap_or_default();
        }
        let cleaned_to = pending
            .cleaned_to
            .filter(|_| n_swaps == pending.swaps.len());
        (segments, cleaned_to.unwrap_or(self.cleaned_to))
    }
}

impl Swap {
    fn begins(&self, segments: &[Segment]) -> bool {
        segments.len() >= self.sources.len()
            && self
                .sources
                .iter()
                .zip(segments)
                .all(|(source, segment)| *source == (segment.base, segment.generation))
    }
}

/// Partitions whose new segments wait to be swapped in, together: their checkpoints are shared.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    partitions: Vec<Arc<Partition>>,
    pub(super) bytes: u64,
}

impl Waiting {
    pub(super) fn add(&mut self, partition: &Arc<Partition>, bytes: u64) {
        self.bytes += bytes;
        if !self.partitions.iter().any(|p| Arc::ptr_eq(p, partition)) {
            self.partitions.push(Arc::clone(partition));
        }
    }

    /// Makes the new segments count, and waits until they do. After an error they may or may not: they stay pending.
    pub(super) fn commit(&mut self, core: &Core) -> Result<()> {
        let partitions = std::mem::take(&mut self.partitions);
        self.bytes = 0;
        if partitions.is_empty() {
            return Ok(());
        }
        both_slots(core, &partitions)?;
        let mut unused = Vec::new();
        for partition in &partitions {
            unused.extend(partition.apply_pending(core)?);
        }
        core.flush.touch_again(&partitions);
        if !unused.is_empty() {
            // A slot may name them: they go when none does.
            both_slots(core, &partitions)?;
            unused
                .iter()
                .for_each(|path| remove_quietly(&*core.fs, path));
        }
        Ok(())
    }
}

/// Takes two checkpoints that mention these partitions.
fn both_slots(core: &Core, partitions: &[Arc<Partition>]) -> Result<()> {
    for _ in 0..2 {
        core.flush.touch_again(partitions);
        checkpoint::checkpoint(core, false)?;
    }
    Ok(())
}

/// Removes a file that nothing needs.
pub(super) fn remove_quietly(fs: &dyn Fs, path: &Path) {
    if let Err(error) = fs.remove(path) {
        // Only space is lost, until the next start sweeps it.
        tracing::debug!(%error, path = %path.display(), "could not remove a segment of compaction");
    }
}

impl Partition {
    /// Makes the names in the partition's directory durable.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`] when it was deleted meanwhile.
    pub(super) fn sync_names(&self, core: &Core) -> Result<()> {
        match sync_dir(&*core.fs, &self.dir) {
            Err(_) if self.is_deleted() => Err(Error::UnknownPartition {
                topic: self.id.topic,
                partition: self.id.partition,
            }),
            result => result,
        }
    }

    /// Puts new segments in the place of old ones: both checkpoint slots name them. Returns new files that are not used,
    /// because retention was faster.
    fn apply_pending(&self, core: &Core) -> Result<Vec<PathBuf>> {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody opens a segment by its name meanwhile.
        let names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.lock();
        let Some(pending) = state.pending.take() else {
            return Ok(Vec::new());
        };
        state.pending = Some(pending.clone());
        let (segments, cleaned_to) = state.after_pending();
        let mut renamed = Ok(());
        let mut new = Vec::with_capacity(segments.len());
        let mut used = Vec::new();
        for (segment, is_new) in segments {
            let mut segment = segment.clone();
            if is_new {
                let result = self.rename(&*core.fs, &segment);
                segment.unswapped = result.is_err();
                used.push(segment.generation);
                renamed = renamed.and(result);
            }
            new.push(segment);
        }
        let old = std::mem::replace(&mut state.segments, new);
        let kept: Vec<i64> = state.segments.iter().map(|segment| segment.base).collect();
        state.cleaned_to = cleaned_to;
        state.pending = None;
        // Memory may hold what the segments have lost.
        let batches = state.chunks.len();
        let freed = state.forget_below(cleaned_to);
        let batches = batches - state.chunks.len();
        let bytes = |segments: &[Segment]| segments.iter().map(|s| s.len).sum::<u64>();
        core.space.add(bytes(&state.segments));
        core.space.remove(bytes(&old));
        drop(state);
        core.cache.dropped(batches, freed);
        for (base, generation) in pending.swaps.iter().flat_map(|swap| &swap.sources) {
            appender.unsynced.remove(base);
            core.files.forget(self, *base, *generation);
        }
        drop(names);
        renamed?;
        match self.sync_names(core) {
            Err(Error::UnknownPartition { .. }) => return Ok(Vec::new()),
            result => result?,
        }
        for segment in old.iter().filter(|segment| !kept.contains(&segment.base)) {
            remove_quietly(&*core.fs, &self.segment_path(segment.base));
            remove_quietly(&*core.fs, &self.index_path(segment.base));
        }
        let new = pending.swaps.iter().filter_map(|swap| swap.new.as_ref());
        let unused = new.filter(|new| !used.contains(&new.generation));
        let name = |new: &Segment| segment::cleaned_name(new.base, new.generation);
        Ok(unused.map(|new| self.dir.join(name(new))).collect())
    }

    fn rename(&self, fs: &dyn Fs, segment: &Segment) -> Result<()> {
        let from = self
            .dir
            .join(segment::cleaned_name(segment.base, segment.generation));
        fs.rename(&from, &self.segment_path(segment.base))
            .map_err(|e| Error::io("rename segment", &from, e))
    }
}

fn sync_dir(fs: &dyn Fs, dir: &Path) -> Result<()> {
    fs.sync_dir(dir)
        .map_err(|e| Error::io("sync directory", dir, e))
}

/// Does after a restart what step 4 had to do; without `write` it only finds out which name a file has.
pub(crate) fn finish(
    core: &Core,
    manifests: &BTreeMap<PartitionKey, Manifest>,
    write: bool,
) -> Result<()> {
    let topics = core.options.dir.join("topics");
    for (key, manifest) in manifests {
        let dir = topics.join(key.to_string());
        let mut renamed = false;
        for written in manifest.cleaning.segments.iter().filter(|w| w.swap) {
            let from = dir.join(segment::cleaned_name(written.base, written.generation));
            let waits = core
                .fs
                .try_exists(&from)
                .map_err(|e| Error::io("look for", &from, e))?;
            if waits && write {
                let to = dir.join(segment::name(written.base));
                core.fs
                    .rename(&from, &to)
                    .map_err(|e| Error::io("rename segment", &from, e))?;
                renamed = true;
            }
            if let Ok(partition) = core.partition(&key.topic, key.partition) {
                let mut state = partition.lock();
                let mut segments = state.segments.iter_mut();
                if let Some(found) = segments.find(|s| s.base == written.base) {
                    found.unswapped = waits && !write;
                }
                drop(state);
                if write {
                    core.flush.touch_again(&[partition]);
                }
            }
        }
        if renamed {
            sync_dir(&*core.fs, &dir)?;
        }
    }
    Ok(())
}
