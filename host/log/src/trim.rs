//! Deleting from the front of a partition, and whole topics: what is stored about it, and when files may go.
//!
//! ```text
//!  Store::Meta   start/<topic id>-<n>   the first offset there is (i64 as text)
//!                lost/<topic id>-<n>    records that were deleted before a declared sink had read them (u64 as text)
//!                was-topic/<topic id>   number of partitions of a deleted topic whose files may still be there
//! ```
//!
//! The put is the deletion: from its frame on nothing below is readable, in this life and after any crash. Files follow
//! behind it, never ahead: a segment's file goes when a checkpoint is durable that no longer names it, a topic's
//! directories when the journal up to its deletion is covered. A crash in between leaves files that no checkpoint names;
//! the next open removes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use linkspan_types::TopicId;

use crate::backend::{KvPut, Store};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::journal::queue::FenceRule;
use crate::partition::{Partition, PartitionKey};
use crate::segment::{self, Appender};
use crate::submit::put_and_wait;
use crate::topics::Catalog;

/// Keys of the first offsets.
pub(crate) const START_PREFIX: &str = "start/";
/// Keys of the counts of deliberate loss.
pub(crate) const LOST_PREFIX: &str = "lost/";
/// Keys of deleted topics. They sort behind those of topics: a snapshot copies keys in order while frames come in, and one
/// that has no topic any more must say so here, or a replay from before the deletion would not know its records.
pub(crate) const GONE_PREFIX: &str = "was-topic/";
/// The most puts of one frame that cleans up.
const PUTS_MAX: usize = 1000;

fn meta(key: String, value: Option<String>) -> KvPut {
    KvPut {
        store: Store::Meta,
        key: key.into(),
        value: value.map(Into::into),
    }
}

/// Returns the put that lets a partition begin at `start`.
pub(crate) fn start_put(partition: PartitionKey, start: i64) -> KvPut {
    meta(
        format!("{START_PREFIX}{partition}"),
        Some(start.to_string()),
    )
}

/// Returns the put that counts lost records.
pub(crate) fn lost_put(partition: PartitionKey, lost: u64) -> KvPut {
    meta(format!("{LOST_PREFIX}{partition}"), Some(lost.to_string()))
}

/// Returns how many records of a partition were deleted before a declared sink had read them.
pub(crate) fn lost(core: &Core, partition: PartitionKey) -> u64 {
    let key = format!("{LOST_PREFIX}{partition}");
    core.get(Store::Meta, key.as_bytes())
        .and_then(|text| String::from_utf8_lossy(&text).parse().ok())
        .unwrap_or(0)
}

/// Returns the puts that delete what is stored about a topic's partitions, and remember that files are left.
pub(crate) fn forget_puts(topic: &TopicId, partitions: &[Arc<Partition>]) -> Vec<KvPut> {
    let key = format!("{GONE_PREFIX}{topic}");
    let mut puts = vec![meta(key, Some(partitions.len().to_string()))];
    for prefix in [START_PREFIX, LOST_PREFIX] {
        puts.extend(
            partitions
                .iter()
                .map(|partition| meta(format!("{prefix}{}", partition.id), None)),
        );
    }
    puts
}

/// Follows a put of a first offset; returns the partition that begins later now.
pub(crate) fn follow(catalog: &Catalog, put: &KvPut) -> Option<Arc<Partition>> {
    let name = put.key.strip_prefix(START_PREFIX.as_bytes())?;
    let key = PartitionKey::parse(&String::from_utf8_lossy(name))?;
    let start = String::from_utf8_lossy(put.value.as_ref()?).parse().ok()?;
    let partition = catalog.partition(&key.topic, key.partition)?;
    partition.raise_start(start).then(|| Arc::clone(partition))
}

/// Reads the topic out of the put that remembers its deletion.
pub(crate) fn deleted_topic(put: &KvPut) -> Option<TopicId> {
    let is_ours = put.store == Store::Meta && put.value.is_some();
    let text = put.key.strip_prefix(GONE_PREFIX.as_bytes())?;
    is_ours
        .then(|| String::from_utf8_lossy(text).parse().ok())
        .flatten()
}

/// Whether a topic was deleted and its cleaning up is not finished: the journal may still hold its records.
pub(crate) fn is_gone(core: &Core, topic: &TopicId) -> bool {
    let key = format!("{GONE_PREFIX}{topic}");
    core.get(Store::Meta, key.as_bytes()).is_some()
}

impl Partition {
    /// Lets the partition begin later; the space follows with [`Partition::trim`]. Tells whether there is something to follow.
    pub(crate) fn raise_start(&self, start: i64) -> bool {
        let mut state = self.lock();
        let later = start > state.log_start;
        state.log_start = state.log_start.max(start);
        // A checkpoint may have seen the new start and the old segments.
        let below = |segment: &segment::Segment| segment.next <= state.log_start;
        later || state.segments.first().is_some_and(below)
    }

    /// Lets go of segments that lie below the start. Their files go with the next checkpoint.
    pub(crate) fn trim(&self, core: &Core) {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        self.trim_held(core, &mut appender);
    }

    /// [`Partition::trim`] for who holds the appender: nobody writes into the last segment meanwhile.
    pub(crate) fn trim_held(&self, core: &Core, appender: &mut Appender) {
        let mut state = self.lock();
        let below = state
            .segments
            .iter()
            .take_while(|segment| segment.next <= state.log_start)
            .count();
        let removed: Vec<_> = state.segments.drain(..below).collect();
        drop(state);
        for segment in removed {
            core.space.remove(segment.len);
            core.files.forget(self, segment.base, segment.generation);
            appender.unsynced.remove(&segment.base);
            appender.retired.push(segment.base);
        }
    }

    /// Lets go of everything: the topic was deleted.
    pub(crate) fn discard(&self, core: &Core, appender: &mut Appender) {
        let mut state = self.lock();
        let batches = state.chunks.len();
        let (bytes, unflushed) = state.drop_chunks();
        let in_segments: u64 = std::mem::take(&mut state.segments)
            .iter()
            .map(|segment| segment.len)
            .sum();
        drop(state);
        core.cache.dropped(batches, bytes);
        core.flush.written(unflushed);
        core.space.remove(in_segments + unflushed as u64);
        core.files.forget_all(self);
        appender.unsynced.clear();
        appender.retired.clear();
        appender.new_names = false;
    }
}

/// Files of segments that a checkpoint no longer names once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Retired(Vec<(Arc<Partition>, Vec<i64>)>);

impl Retired {
    pub(crate) fn add(&mut self, partition: &Arc<Partition>, appender: &mut Appender) {
        let bases = std::mem::take(&mut appender.retired);
        if !bases.is_empty() {
            self.0.push((Arc::clone(partition), bases));
        }
    }

    /// Gives them to the next checkpoint: this one failed.
    pub(crate) fn give_back(self) {
        for (partition, bases) in self.0 {
            let mut appender = partition
                .appender
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            appender.retired.extend(bases);
        }
    }

    /// Removes the files.
    pub(crate) fn remove(self, fs: &dyn Fs) {
        for (partition, bases) in self.0 {
            for base in bases {
                remove_quietly(fs, &partition.segment_path(base));
                remove_quietly(fs, &partition.index_path(base));
            }
        }
    }
}

fn remove_quietly(fs: &dyn Fs, path: &Path) {
    match fs.remove(path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        // Only space is lost, until the next open that finds it.
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "could not remove the file of a deleted segment");
        }
    }
}

/// A deleted topic whose files are there.
#[derive(Clone, Debug)]
struct Leftover {
    partitions: i32,
    /// The last frame that may hold records of it.
    last_lsn: u64,
}

/// Deleted topics whose files are there.
#[derive(Debug, Default)]
pub(crate) struct Gone(Mutex<BTreeMap<TopicId, Leftover>>);

impl Gone {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TopicId, Leftover>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a topic that was deleted by a frame that is published.
    pub(crate) fn add(&self, core: &Core, topic: TopicId, partitions: i32) {
        let last_lsn = core.published_lsn.load(Ordering::Acquire);
        self.lock().insert(
            topic,
            Leftover {
                partitions,
                last_lsn,
            },
        );
    }

    /// Notes what an earlier life left.
    pub(crate) fn load(&self, core: &Core) {
        let found = core
            .stores
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .scan(Store::Meta, GONE_PREFIX.as_bytes());
        for (key, value) in found {
            let topic = key
                .strip_prefix(GONE_PREFIX.as_bytes())
                .and_then(|text| String::from_utf8_lossy(text).parse().ok());
            let partitions = String::from_utf8_lossy(&value).parse().ok();
            if let (Some(topic), Some(partitions)) = (topic, partitions) {
                self.add(core, topic, partitions);
            }
        }
    }

    /// Whether something waits for [`Gone::clean`].
    pub(crate) fn is_waiting(&self, core: &Core) -> bool {
        let replay_lsn = core.replay_lsn.load(Ordering::Acquire);
        self.lock().values().any(|left| left.last_lsn < replay_lsn)
    }

    /// Removes files and the last traces of topics whose deletion a checkpoint has covered.
    ///
    /// # Errors
    /// The traces could not be written; they are tried again.
    pub(crate) fn clean(&self, core: &Core) -> Result<()> {
        let replay_lsn = core.replay_lsn.load(Ordering::Acquire);
        let ready: Vec<(TopicId, Leftover)> = self
            .lock()
            .iter()
            .filter(|(_, left)| left.last_lsn < replay_lsn)
            .map(|(topic, left)| (*topic, left.clone()))
            .collect();
        for (topic, left) in ready {
            remove_directories(core, &topic, left.partitions);
            let mut puts = offset_puts(core, &topic);
            puts.push(meta(format!("{GONE_PREFIX}{topic}"), None));
            for puts in puts.chunks(PUTS_MAX) {
                put_and_wait(core, puts.to_vec(), FenceRule::None)?;
            }
            self.lock().remove(&topic);
        }
        Ok(())
    }
}

/// Returns the puts that delete all groups' positions in a topic.
pub(crate) fn offset_puts(core: &Core, topic: &TopicId) -> Vec<KvPut> {
    let stores = core.stores.read().unwrap_or_else(PoisonError::into_inner);
    let all = stores.scan(Store::GroupOffsets, b"");
    drop(stores);
    all.into_iter()
        .filter(|(key, _)| offset_topic(key) == Some(*topic))
        .map(|(key, _)| KvPut {
            store: Store::GroupOffsets,
            key,
            value: None,
        })
        .collect()
}

/// Reads the topic out of the key of a group's position.
pub(crate) fn offset_topic(key: &[u8]) -> Option<TopicId> {
    let (rest, _partition) = key.split_last_chunk::<4>()?;
    let (_group, topic) = rest.split_last_chunk::<16>()?;
    Some(TopicId(*topic))
}

fn remove_directories(core: &Core, topic: &TopicId, partitions: i32) {
    let topics = core.options.dir.join("topics");
    for number in 0..partitions {
        let key = PartitionKey {
            topic: *topic,
            partition: number.into(),
        };
        if let Err(error) = remove_directory(&*core.fs, &topics.join(key.to_string())) {
            tracing::warn!(%error, topic = %topic, partition = number, "could not remove the directory of a deleted topic");
        }
    }
    if let Err(error) = core.fs.sync_dir(&topics) {
        // The names come back after a power loss, as leftovers that nobody reads.
        tracing::debug!(%error, "could not sync the directory of topics");
    }
}

fn remove_directory(fs: &dyn Fs, dir: &Path) -> Result<()> {
    let exists = fs
        .try_exists(dir)
        .map_err(|e| Error::io("look for", dir, e))?;
    if !exists {
        return Ok(());
    }
    for name in fs.list(dir).map_err(|e| Error::io("list", dir, e))? {
        if segment::parse_name(&name).is_some() || segment::is_derived(&name) {
            remove_quietly(fs, &dir.join(name));
        }
    }
    fs.remove_dir(dir)
        .map_err(|e| Error::io("remove directory", dir, e))
}

#[cfg(test)]
mod tests {
    use super::GONE_PREFIX;
    use crate::topics::KEY_PREFIX;

    #[test]
    fn a_deleted_topic_is_copied_after_topics() {
        assert!(GONE_PREFIX > KEY_PREFIX);
    }
}
