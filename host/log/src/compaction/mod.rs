//! Compaction of keyed topics (`cleanup.policy` with `compact`): the newest record of every key stays.
//!
//! ```text
//! policy    which closed segments of a partition are worth a pass
//! keys      key → last offset, of the dirty part; bounded, so that a large part takes several passes
//! rewrite   new segments, without what is not the last record of its key
//! swap      old segments out, new ones in, safe against a crash at any call
//! state     what a snapshot keeps about it
//! ```
//!
//! Never touched: the active (last) segment, and records younger than `min.compaction.lag.ms`. Offsets, keys, values,
//! headers and times never change; a position below a hole goes on with the next record.
//!
//! # Bounds
//! [`KEYS_MAX`] keys in memory; one decompressed batch (64 MiB at most) and 1 MiB of output; [`SWAP_BYTES_MAX`] of new
//! segments on the disk beside the old ones. One thread, `log-cleaner`, every `compaction_interval`.

pub(crate) mod keys;
pub(crate) mod policy;
mod rewrite;
pub(crate) mod state;
pub(crate) mod swap;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use linkspan_types::{TopicName, error_chain};
use linkspan_wire::{BatchHeader, HEADER_LEN};

use self::keys::KEYS_MAX;
use self::policy::{Policy, Range};
use self::rewrite::{Counts, Rewriter, read_keys};
use self::swap::{Pending, Swap, Waiting, remove_quietly};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::read_range;
use crate::partition::Partition;
use crate::segment::{Place, Segment, cleaned_name};
use crate::thread;

/// New segments of this size in all are swapped in before more are written.
const SWAP_BYTES_MAX: u64 = 256 << 20;
/// The default of `LocalOptions::compaction_keys_max`.
pub(crate) const KEYS_DEFAULT: usize = KEYS_MAX;

/// What one pass over a partition did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: i32,
    /// Segments read, and those that stand for them now.
    pub segments: (u64, u64),
    /// Bytes of these.
    pub bytes: (u64, u64),
    /// Records of these.
    pub records: (u64, u64),
    /// Records that were dropped because they have no key.
    pub without_key: u64,
}

#[derive(Debug, Default)]
struct Shared {
    closed: bool,
}

/// The cleaner: when to look for work, and one round at a time.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    shared: Mutex<Shared>,
    wake: Condvar,
    /// Held during a round.
    round: Mutex<()>,
}

impl Cleaner {
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, core: &Core) {
        loop {
            let mut shared = self.lock();
            if !shared.closed {
                let interval = core.options.compaction_interval;
                let waited = self.wake.wait_timeout(shared, interval);
                shared = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            if shared.closed {
                return;
            }
            drop(shared);
            if core.check_alive().is_err() {
                return;
            }
            core.expire_producers();
            if let Err(error) = round(core) {
                tracing::debug!(error = %error_chain(&error), "a round of compaction ended early");
            }
        }
    }
}

/// Starts the cleaner's thread.
pub(crate) fn spawn(core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    thread::spawn(core, "log-cleaner", |core| core.cleaner.run(core))
}

/// Looks at every compacted partition once and compacts those that need it.
///
/// A partition whose segments are damaged is left alone until the next start. A full disk ends the round.
pub(crate) fn round(core: &Core) -> Result<Vec<Compacted>> {
    let _one_at_a_time = core
        .cleaner
        .round
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut waiting = Waiting::default();
    let mut done = Vec::new();
    for (partition, policy) in compacted_partitions(core) {
        core.check_not_closing()?;
        match compact(core, &partition, &policy, &mut waiting) {
            Ok(None) => {}
            Ok(Some(compacted)) => done.push(compacted),
            // Deleted while it was read.
            Err(Error::UnknownPartition { .. }) => {}
            Err(error @ Error::Corrupt { .. }) => {
                tracing::error!(topic = %partition.topic, partition = partition.id.partition.0, error = %error_chain(&error),
                    "the partition is not compacted any more until the next start: run `linkspan log verify`");
                partition.lock().uncleanable = true;
            }
            Err(error) if error.is_shortage() => {
                tracing::warn!(error = %error_chain(&error), "no space for compaction");
                break;
            }
            Err(error) => return Err(error),
        }
    }
    commit(core, &mut waiting)?;
    Ok(done)
}

fn compacted_partitions(core: &Core) -> Vec<(Arc<Partition>, Policy)> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let compacted = catalog.all().filter(|entry| entry.settings.compact);
    compacted
        .flat_map(|entry| {
            let policy = Policy::of(&entry.settings);
            let partitions = entry.partitions.iter();
            partitions.map(move |partition| (Arc::clone(partition), policy))
        })
        .collect()
}

/// Swaps in what waits. Whether it counts is unknown after an error, so that anything but a shortage stops the log.
fn commit(core: &Core, waiting: &mut Waiting) -> Result<()> {
    let result = waiting.commit(core);
    if let Err(error) = &result
        && !error.is_shortage()
    {
        core.poison(error);
    }
    result
}

/// Compacts one partition, in as many passes as its keys need; the last one's swap may be left to `waiting`.
fn compact(
    core: &Core,
    partition: &Arc<Partition>,
    policy: &Policy,
    waiting: &mut Waiting,
) -> Result<Option<Compacted>> {
    let mut total = Counts::default();
    let mut passes = 0;
    // The ratio is asked once: a further pass finishes what the first one began.
    let mut policy = *policy;
    let mut until = i64::MAX;
    loop {
        let state = partition.lock();
        if state.uncleanable || partition.is_deleted() {
            break;
        }
        if state.pending.is_some() {
            drop(state);
            waiting.add(partition, 0);
            commit(core, waiting)?;
            continue;
        }
        let (segments, cleaned_to) = (state.segments.clone(), state.cleaned_to);
        let epochs = state.epochs.clone();
        drop(state);
        let first_timestamp = |segment: &Segment| first_timestamp(core, partition, segment);
        let range = policy.range(&segments, cleaned_to, &*core.clock, first_timestamp);
        let Some(range) = range.filter(|range| range.first_dirty < until) else {
            break;
        };
        let closed = segments.get(..range.n_segments).unwrap_or_default();
        let sources: Vec<Place> = closed.iter().map(|s| s.whole(&epochs)).collect();
        let (counts, complete) = pass(core, partition, &policy, &sources, range, waiting)?;
        total = add(total, counts);
        passes += 1;
        if complete {
            break;
        }
        commit(core, waiting)?;
        policy.dirty_ratio_min = -1.0;
        until = until.min(range.end);
    }
    Ok((passes > 0).then(|| report(core, partition, &total)))
}

fn report(core: &Core, partition: &Partition, counts: &Counts) -> Compacted {
    if counts.without_key > 0 {
        tracing::warn!(topic = %partition.topic, partition = partition.id.partition.0, records = counts.without_key,
            "records without a key were dropped by compaction");
    }
    tracing::debug!(topic = %partition.topic, partition = partition.id.partition.0, ?counts, "compacted");
    core.counters
        .compacted(counts.bytes_read - counts.bytes_written.min(counts.bytes_read));
    Compacted {
        topic: partition.topic.clone(),
        partition: partition.id.partition.0,
        segments: (counts.segments_read, counts.segments_written),
        bytes: (counts.bytes_read, counts.bytes_written),
        records: (counts.records_read, counts.records_kept),
        without_key: counts.without_key,
    }
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        segments_read: a.segments_read + b.segments_read,
        segments_written: a.segments_written + b.segments_written,
        bytes_read: a.bytes_read + b.bytes_read,
        bytes_written: a.bytes_written + b.bytes_written,
        records_read: a.records_read + b.records_read,
        records_kept: a.records_kept + b.records_kept,
        without_key: a.without_key + b.without_key,
    }
}

fn first_timestamp(core: &Core, partition: &Partition, segment: &Segment) -> Option<i64> {
    let place = segment.whole(&[]);
    let file = partition.file(core, &place).ok()??;
    let bytes = read_range(&*file, 0, HEADER_LEN).ok()?;
    BatchHeader::read(&bytes).map(|header| header.max_timestamp)
}

/// One pass: as many keys as fit, over all closed segments. Tells whether it reached the end of the range.
fn pass(
    core: &Core,
    partition: &Arc<Partition>,
    policy: &Policy,
    sources: &[Place],
    range: Range,
    waiting: &mut Waiting,
) -> Result<(Counts, bool)> {
    let (keys, keys_end) = read_keys(core, partition, sources, range.first_dirty, range.end)?;
    let mut rewriter = Rewriter {
        core,
        partition,
        keys: &keys,
        keys_end,
        now_ms: core.clock.now_ms(),
        delete_retention_ms: policy.delete_retention_ms,
        producers: partition.lock().producers.last_offsets(),
        counts: Counts::default(),
    };
    let touched = sources
        .iter()
        .take_while(|place| place.base < keys_end)
        .count();
    let mut groups = Groups {
        rest: sources.get(..touched).unwrap_or_default(),
        segment_bytes: partition.segment_bytes(),
    };
    let mut swaps: Vec<Swap> = Vec::new();
    let mut result = Ok(());
    for group in groups.by_ref() {
        let generation = partition.next_generation();
        match rewriter.rewrite(group, generation) {
            Ok(Some(swap)) => {
                waiting.bytes += swap.new.as_ref().map_or(0, |new| new.len);
                swaps.push(swap);
            }
            Ok(None) => {}
            Err(error) => {
                result = Err(error);
                break;
            }
        }
        if waiting.bytes >= SWAP_BYTES_MAX {
            result = hold(core, partition, std::mem::take(&mut swaps), None)
                .map(|()| waiting.add(partition, 0))
                .and_then(|()| commit(core, waiting));
            if result.is_err() {
                break;
            }
        }
    }
    if let Err(error) = result {
        discard(core, partition, &swaps);
        return Err(error);
    }
    let counts = rewriter.counts;
    hold(core, partition, swaps, Some(keys_end))?;
    waiting.add(partition, 0);
    Ok((counts, keys_end == range.end))
}

/// Lets the next checkpoint name new segments whose names are durable; after an error nothing of them is left.
///
/// The names of appended segments are in the same directory. If they could not be synced the log stops, for the next sync
/// would not tell again.
fn hold(
    core: &Core,
    partition: &Partition,
    swaps: Vec<Swap>,
    cleaned_to: Option<i64>,
) -> Result<()> {
    if let Err(error) = partition.sync_names(core) {
        if !error.is_shortage() && !matches!(error, Error::UnknownPartition { .. }) {
            core.poison(&error);
        }
        discard(core, partition, &swaps);
        return Err(error);
    }
    // Manifests are made by the holder of this lock.
    let _appender = partition
        .appender
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    partition.lock().pending = Some(Pending { swaps, cleaned_to });
    Ok(())
}

/// Removes new segments that no checkpoint can have named.
fn discard(core: &Core, partition: &Partition, swaps: &[Swap]) {
    for new in swaps.iter().filter_map(|swap| swap.new.as_ref()) {
        let name = cleaned_name(new.base, new.generation);
        remove_quietly(&*core.fs, &partition.dir.join(name));
    }
}

/// Neighbouring segments that fit into one.
struct Groups<'a> {
    rest: &'a [Place],
    segment_bytes: u64,
}

impl<'a> Iterator for Groups<'a> {
    type Item = &'a [Place];

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.rest.first()?;
        let mut bytes = 0;
        let n = self
            .rest
            .iter()
            .take_while(|place| {
                bytes += place.len;
                bytes <= self.segment_bytes && i32::try_from(place.next - first.base).is_ok()
            })
            .count()
            .max(1);
        let (group, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(group)
    }
}
