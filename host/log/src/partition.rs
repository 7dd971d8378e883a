//! One partition: what is committed, what is in memory, which segments hold the rest.
//!
//! ```text
//!  log_start                 flushed_next                 high_watermark
//!      │ segment │ segment │ segment │ ...                      │
//!                    │ chunk │ chunk │ chunk │ chunk │ chunk │ chunk │      (tail cache; front ones may be in segments too)
//! ```
//!
//! # Invariants
//! - INV-P1: chunks are contiguous and end at the high watermark; everything from `flushed_next` on is among them.
//! - INV-P2: only the journal's writer assigns offsets and publishes; only the holder of `appender` writes segments.
//! - Locks: `appender` before `names` before `state`; no other lock is taken under `state`.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use linkspan_types::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName};

use crate::backend::Watermarks;
use crate::compaction::state::{Cleaning, Written};
use crate::compaction::swap::Pending;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::producers::{Claim, Producers};
use crate::segment::{Appender, Place, Segment};
use crate::snapshot::Manifest;
use crate::stat::PartitionStat;
use crate::watchers::Watchers;

/// Neighbouring batches in memory are handed out together up to this size.
const JOIN_BYTES_MAX: usize = 64 * 1024;
/// A batch from this size on is handed out as it is, without a copy.
const JOIN_BATCH_BYTES_MAX: usize = 16 * 1024;

/// A partition by topic id; prints as the name of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PartitionKey {
    pub(crate) topic: TopicId,
    pub(crate) partition: PartitionId,
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl PartitionKey {
    /// Reads the name of a directory.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        Some(Self {
            topic: topic.parse().ok()?,
            partition: PartitionId(partition.parse().ok()?),
        })
    }
}

/// A committed batch in memory.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) base: i64,
    pub(crate) next: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) bytes: Bytes,
}

impl Chunk {
    /// What it takes of memory: a topic with a record a second is all small batches, and most of their memory is not bytes.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + CHUNK_OVERHEAD
    }
}

/// A [`Chunk`], its place in the order of the cache, the counters of its [`Bytes`], and the allocator's part of two blocks;
/// queues have up to twice the room that they use.
const CHUNK_OVERHEAD: usize = 192;

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) flushed_next: i64,
    pub(crate) chunks: VecDeque<Chunk>,
    pub(crate) segments: Vec<Segment>,
    /// Leader epoch and the first offset that carries it.
    pub(crate) epochs: Vec<(i32, i64)>,
    pub(crate) unflushed_bytes: usize,
    unflushed_since: Option<Instant>,
    /// In the list of partitions that wait for their segment.
    queued: bool,
    /// In the list of partitions that changed since the last checkpoint.
    touched: bool,
    /// What is remembered of idempotent producers, as of `high_watermark`.
    pub(crate) producers: Producers,
    /// Offsets below it have been through compaction.
    pub(crate) cleaned_to: i64,
    /// The last generation that a file got.
    pub(crate) generation: u32,
    /// New segments of compaction that do not count yet.
    pub(crate) pending: Option<Pending>,
    /// Compaction met damage.
    pub(crate) uncleanable: bool,
}

/// One partition.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) id: PartitionKey,
    pub(crate) topic: TopicName,
    pub(crate) dir: PathBuf,
    segment_bytes: AtomicU64,
    segment_ms: AtomicI64,
    /// Its topic was deleted: nothing is read from it or written to it any more.
    deleted: AtomicBool,
    next_offset: AtomicI64,
    pub(crate) appender: Mutex<Appender>,
    /// Held to open a segment by its name (shared) or to change what a name means.
    pub(crate) names: RwLock<()>,
    state: Mutex<State>,
    /// Whom to wake when data arrives.
    pub(crate) watchers: Watchers,
}

/// Whole batches, and where reading goes on.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) bytes: Bytes,
    pub(crate) next: i64,
}

/// Where the batches from an offset on are.
#[derive(Debug)]
pub(crate) enum Located {
    End,
    Memory(Read),
    Disk(Place),
}

impl Partition {
    pub(crate) fn new(id: PartitionKey, topic: TopicName, dir: PathBuf) -> Self {
        Self {
            id,
            topic,
            dir,
            segment_bytes: AtomicU64::new(u64::from(u32::MAX >> 1)),
            segment_ms: AtomicI64::new(i64::MAX),
            deleted: AtomicBool::new(false),
            next_offset: AtomicI64::new(0),
            appender: Mutex::default(),
            names: RwLock::default(),
            state: Mutex::default(),
            watchers: Watchers::default(),
        }
    }

    /// Sets when a segment is closed: `segment.bytes` and `segment.ms`.
    pub(crate) fn set_segment_limits(&self, bytes: u64, ms: i64) {
        self.segment_bytes.store(bytes, Ordering::Relaxed);
        self.segment_ms.store(ms, Ordering::Relaxed);
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn segment_ms(&self) -> i64 {
        self.segment_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what a checkpoint says about the partition.
    pub(crate) fn load(&self, manifest: &Manifest) {
        let mut state = self.lock();
        state.log_start = manifest.log_start;
        state.high_watermark = manifest.next;
        state.flushed_next = manifest.next;
        state.epochs.clone_from(&manifest.epochs);
        state.segments = manifest
            .segments
            .iter()
            .map(|s| Segment::recorded(*s))
            .collect();
        let cleaning = &manifest.cleaning;
        state.producers.clone_from(&manifest.producers);
        state.cleaned_to = cleaning.cleaned_to;
        state.generation = cleaning.generation;
        for segment in &mut state.segments {
            if let Some(w) = cleaning.segments.iter().find(|w| w.base == segment.base) {
                segment.generation = w.generation;
                segment.unswapped = w.swap;
            }
        }
        self.next_offset.store(manifest.next, Ordering::Relaxed);
    }

    /// Returns what a checkpoint should say. Only the holder of `appender` may call this, see INV-P2.
    pub(crate) fn manifest(&self) -> Manifest {
        let state = self.lock();
        let (segments, cleaned_to) = state.after_pending();
        let written = segments.iter().filter(|(s, _)| s.generation > 0);
        let written = written.map(|(segment, is_new)| Written {
            base: segment.base,
            generation: segment.generation,
            swap: *is_new || segment.unswapped,
        });
        Manifest {
            log_start: state.log_start,
            next: state.flushed_next,
            epochs: state
                .epochs
                .iter()
                .copied()
                .filter(|(_, start)| *start < state.flushed_next)
                .collect(),
            segments: segments.iter().map(|(s, _)| s.record()).collect(),
            producers: state.producers.clone(),
            cleaning: Cleaning {
                cleaned_to,
                generation: state.generation,
                segments: written.collect(),
            },
        }
    }

    /// Returns a number for a new file of compaction.
    pub(crate) fn next_generation(&self) -> u32 {
        let mut state = self.lock();
        state.generation += 1;
        state.generation
    }

    /// Assigns the offsets of the next batch. Only the journal's writer and recovery may.
    pub(crate) fn assign(&self, offsets: i64) -> i64 {
        self.next_offset.fetch_add(offsets, Ordering::Relaxed)
    }

    /// Makes a committed batch visible.
    pub(crate) fn publish(
        self: &Arc<Self>,
        core: &Core,
        base: Offset,
        batch: Vec<u8>,
        max_timestamp: i64,
        epoch: i32,
    ) {
        let bytes = Bytes::from(snug(batch));
        let len = bytes.len();
        let header = linkspan_wire::BatchHeader::read(&bytes);
        let next = header.map_or(base.0, |header| header.next_offset());
        let mut state = self.lock();
        if let Some(claim) = header.as_ref().and_then(Claim::of) {
            state.producers.note(&claim, base.0);
        }
        if state.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            state.epochs.push((epoch, base.0));
        }
        let chunk = Chunk {
            base: base.0,
            next,
            max_timestamp,
            bytes,
        };
        let weight = chunk.weight();
        state.chunks.push_back(chunk);
        state.high_watermark = next;
        state.unflushed_bytes += len;
        if state.unflushed_since.is_none() {
            state.unflushed_since = Some(Instant::now());
        }
        let queue = !std::mem::replace(&mut state.queued, true);
        let touch = !std::mem::replace(&mut state.touched, true);
        let waiting = state.unflushed_bytes;
        drop(state);
        core.space.add(len as u64);
        core.flush.published(self, len, waiting, queue, touch);
        core.cache.add(self, base.0, weight);
        self.watchers.wake();
    }

    /// Returns the offset that `assign` gives next. Only the journal's writer may ask.
    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset.load(Ordering::Relaxed)
    }

    /// Sets the offset that `assign` gives next; for recovery.
    pub(crate) fn set_next_offset(&self, next: i64) {
        self.next_offset.store(next, Ordering::Relaxed);
    }

    /// Marks the partition as waiting for its segment again; `true` if its caller must put it into the list.
    pub(crate) fn take_queued(&self) -> bool {
        std::mem::replace(&mut self.lock().queued, false)
    }

    pub(crate) fn set_queued(&self) -> bool {
        !std::mem::replace(&mut self.lock().queued, true)
    }

    pub(crate) fn set_touched(&self, touched: bool) -> bool {
        std::mem::replace(&mut self.lock().touched, touched)
    }

    /// Returns how many bytes wait for their segment, and since when.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        let state = self.lock();
        (state.unflushed_bytes, state.unflushed_since)
    }

    /// Whether the batch that begins at `base` is in memory.
    pub(crate) fn holds(&self, base: i64) -> bool {
        let state = self.lock();
        let found = state.chunks.binary_search_by_key(&base, |chunk| chunk.base);
        found.is_ok()
    }

    /// Lets a batch in memory go; `None` while it is not in its segment. Returns the bytes freed.
    pub(crate) fn forget(&self, base: i64) -> Option<usize> {
        let mut state = self.lock();
        let Some(front) = state.chunks.front() else {
            return Some(0);
        };
        if front.base > base {
            return Some(0);
        }
        if front.next > state.flushed_next {
            return None;
        }
        state.chunks.pop_front().map(|chunk| chunk.weight())
    }

    pub(crate) fn watermarks(&self, leader_epoch: LeaderEpoch) -> Watermarks {
        let state = self.lock();
        Watermarks {
            log_start: Offset(state.log_start),
            high_watermark: Offset(state.high_watermark),
            leader_epoch,
        }
    }

    /// Finds the batches from `from` on.
    pub(crate) fn locate(&self, from: i64, max_bytes: usize) -> Result<Located> {
        let state = self.lock();
        if from < state.log_start || from > state.high_watermark {
            return Err(Error::OffsetOutOfRange {
                wanted: Offset(from),
                log_start: Offset(state.log_start),
                high_watermark: Offset(state.high_watermark),
            });
        }
        if from == state.high_watermark {
            return Ok(Located::End);
        }
        if state.chunks.front().is_some_and(|chunk| chunk.base <= from) {
            return Ok(Located::Memory(state.join(from, max_bytes)));
        }
        if let Some(place) = state.place(from) {
            return Ok(Located::Disk(place));
        }
        // What was here is gone: a repair left a hole behind the last segment.
        let next = state.chunks.front().map(|chunk| chunk.base);
        Ok(next.map_or(Located::End, |next| {
            Located::Memory(state.join(next, max_bytes))
        }))
    }

    /// Returns the offset at which the history of `epoch` ends.
    pub(crate) fn epoch_end(&self, epoch: i32) -> i64 {
        let state = self.lock();
        let later = state.epochs.iter().find(|(e, _)| *e > epoch);
        later.map_or(state.high_watermark, |(_, start)| *start)
    }

    /// Returns the leader epoch of an offset, if the history knows it.
    pub(crate) fn epoch_of(&self, offset: i64) -> Option<i32> {
        let state = self.lock();
        let after = state.epochs.partition_point(|(_, start)| *start <= offset);
        let at = after.checked_sub(1)?;
        state.epochs.get(at).map(|(epoch, _)| *epoch)
    }

    /// Returns figures; looks into a segment for the time of its first batch while `looks` is above zero.
    pub(crate) fn stat(&self, core: &Core, looks: &mut usize) -> PartitionStat {
        let state = self.lock();
        let unknown = state
            .segments
            .first()
            .filter(|segment| segment.first_timestamp.is_none())
            .map(|segment| segment.whole(&[]));
        let mut stat = self.stat_of(&state);
        drop(state);
        if let Some(place) = unknown
            && *looks > 0
        {
            *looks -= 1;
            let found = self.first_timestamp(core, &place).ok();
            stat.oldest_ms = found.filter(|time| *time >= 0);
        }
        stat
    }

    fn stat_of(&self, state: &State) -> PartitionStat {
        let (oldest, newest) = state.times();
        PartitionStat {
            oldest_ms: oldest.filter(|time| *time >= 0),
            newest_ms: newest.filter(|time| *time >= 0),
            partition: self.id.partition.0,
            log_start: state.log_start,
            high_watermark: state.high_watermark,
            segments: u32::try_from(state.segments.len()).unwrap_or(u32::MAX),
            bytes: state.segments.iter().map(|s| s.len).sum(),
            unflushed_bytes: state.unflushed_bytes as u64,
            lost: 0,
        }
    }
}

impl State {
    /// Returns the time of the oldest batch, if it is known, and the greatest of all.
    fn times(&self) -> (Option<i64>, Option<i64>) {
        let in_memory = self
            .chunks
            .partition_point(|chunk| chunk.next <= self.flushed_next);
        let unflushed = self.chunks.range(in_memory..).map(|c| c.max_timestamp);
        let oldest = match self.segments.first() {
            Some(segment) => segment.first_timestamp,
            None => unflushed.clone().next(),
        };
        let flushed = self.segments.iter().map(|s| s.max_timestamp);
        (oldest, flushed.chain(unflushed).max())
    }

    /// Returns batches that wait for their segment, at most `bytes_max` and at least one if any.
    pub(crate) fn unflushed(&self, bytes_max: usize) -> Vec<Chunk> {
        let from = self
            .chunks
            .partition_point(|chunk| chunk.next <= self.flushed_next);
        let mut bytes = 0;
        let mut chunks = Vec::new();
        for chunk in self.chunks.range(from..) {
            bytes += chunk.bytes.len();
            if !chunks.is_empty() && bytes > bytes_max {
                break;
            }
            chunks.push(chunk.clone());
        }
        chunks
    }

    /// Notes that batches up to `next` are in their segment.
    pub(crate) fn flushed(&mut self, next: i64, bytes: usize) {
        self.flushed_next = next;
        self.unflushed_bytes -= bytes.min(self.unflushed_bytes);
        if self.unflushed_bytes == 0 {
            self.unflushed_since = None;
        }
    }

    /// Lets all batches in memory go; returns their bytes, and how many of these waited for a segment.
    pub(crate) fn drop_chunks(&mut self) -> (usize, usize) {
        let bytes = self.chunks.drain(..).map(|chunk| chunk.weight()).sum();
        self.flushed_next = self.high_watermark;
        self.unflushed_since = None;
        (bytes, std::mem::take(&mut self.unflushed_bytes))
    }

    /// Lets batches in memory go that lie below `end`, which are in segments; returns their bytes.
    pub(crate) fn forget_below(&mut self, end: i64) -> usize {
        let end = end.min(self.flushed_next);
        let n = self.chunks.partition_point(|chunk| chunk.next <= end);
        self.chunks.drain(..n).map(|chunk| chunk.weight()).sum()
    }

    fn join(&self, from: i64, max_bytes: usize) -> Read {
        let at = self.chunks.partition_point(|chunk| chunk.next <= from);
        let mut chunks = self.chunks.range(at..);
        let Some(first) = chunks.next() else {
            return Read {
                bytes: Bytes::new(),
                next: from,
            };
        };
        let limit = max_bytes.min(JOIN_BYTES_MAX);
        let alone = first.bytes.len() >= JOIN_BATCH_BYTES_MAX
            || self
                .chunks
                .get(at + 1)
                .is_none_or(|second| first.bytes.len() + second.bytes.len() > limit);
        if alone {
            return Read {
                bytes: first.bytes.clone(),
                next: first.next,
            };
        }
        let mut bytes = BytesMut::with_capacity(limit);
        bytes.extend_from_slice(&first.bytes);
        let mut next = first.next;
        for chunk in chunks {
            if bytes.len() + chunk.bytes.len() > limit {
                break;
            }
            bytes.extend_from_slice(&chunk.bytes);
            next = chunk.next;
        }
        Read {
            bytes: bytes.freeze(),
            next,
        }
    }

    fn place(&self, from: i64) -> Option<Place> {
        let at = self
            .segments
            .partition_point(|segment| segment.next <= from);
        let segment = self.segments.get(at)?;
        Some(segment.place(from, &self.epochs))
    }
}

/// Gives back what a batch does not fill: the cache counts its bytes, and they must be about what it takes in memory.
/// A batch grows in a buffer that doubles, and some callers make one for more than comes.
pub(crate) fn snug(mut batch: Vec<u8>) -> Vec<u8> {
    let spare = batch.capacity() - batch.len();
    if spare > batch.len() / 2 {
        batch.shrink_to_fit();
    }
    batch
}
