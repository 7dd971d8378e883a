//! What is measured of a task: counters, durations, and when something last happened. Only atomics, so that the threads that
//! do the work pay nanoseconds and whoever reads never waits.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::told::ToldSeries;

/// Upper ends of the buckets of every histogram of durations, in microseconds; one more holds the rest.
pub const BUCKETS_US: [u64; 14] = [
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    pub(crate) fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BUCKETS_US.partition_point(|end| *end < us);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Histogram {
        Histogram {
            counts: self
                .buckets
                .iter()
                .map(|bucket| bucket.load(Ordering::Relaxed))
                .collect(),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

/// A histogram as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// Of each bucket of [`BUCKETS_US`], then of the rest: how many fell into it.
    pub counts: Vec<u64>,
    /// All durations together, in microseconds.
    pub sum_us: u64,
}

/// When something last happened.
#[derive(Debug)]
pub(crate) struct Last {
    base: Instant,
    /// Milliseconds after `base`, plus one; 0: never.
    at: AtomicU64,
}

impl Default for Last {
    fn default() -> Self {
        Self {
            base: Instant::now(),
            at: AtomicU64::new(0),
        }
    }
}

impl Last {
    pub(crate) fn now(&self) {
        let ms = u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.at.fetch_max(ms + 1, Ordering::Relaxed);
    }

    /// How long ago, in milliseconds.
    pub(crate) fn age_ms(&self) -> Option<u64> {
        let at = self.at.load(Ordering::Relaxed).checked_sub(1)?;
        let now = u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(now.saturating_sub(at))
    }
}

/// What a task's thread measures beyond the counters that make up a connector's status.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    /// Records that a source's plugin handed over.
    pub(crate) polled: AtomicU64,
    /// Records that a sink's plugin took.
    pub(crate) written: AtomicU64,
    /// Records that came out of the transforms; the chain counts them.
    pub(crate) transformed: Arc<AtomicU64>,
    /// Bytes that the task holds, of its last start.
    held: Mutex<Option<Arc<AtomicUsize>>>,
    /// Failures that were tried again.
    pub(crate) errors_retriable: AtomicU64,
    /// Failures that ended the task.
    pub(crate) errors_fatal: AtomicU64,
    pub(crate) poll: Durations,
    pub(crate) put: Durations,
    pub(crate) commit: Durations,
    /// From the youngest timestamp of a `put` to its end.
    pub(crate) end_to_end: Durations,
    pub(crate) last_record: Last,
    pub(crate) last_commit: Last,
}

impl Measures {
    /// From here on these are the bytes that the task holds.
    pub(crate) fn holds(&self, held: Arc<AtomicUsize>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// Bytes that the task holds.
    pub(crate) fn held_bytes(&self) -> u64 {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = held.as_ref().map_or(0, |held| held.load(Ordering::Relaxed));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// A poll brought this many records.
    pub(crate) fn polled(&self, records: u64) {
        if records > 0 {
            self.polled.fetch_add(records, Ordering::Relaxed);
            self.last_record.now();
        }
    }
}

/// One task's measures as they were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TaskMeasure {
    /// The connector.
    pub connector: String,
    /// The task's number.
    pub task: u32,
    /// Records that a source's plugin handed over.
    pub polled: u64,
    /// Records that a sink's plugin took.
    pub written: u64,
    /// Records that came out of transforms, those of batches that were tried again once more.
    pub transformed: u64,
    /// Bytes of records that it holds now: fetched and not put, or submitted and not durable.
    pub buffer_bytes: u64,
    /// Records that are durable (source), or taken and committed (sink).
    pub committed: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Records that transforms dropped.
    pub filtered: u64,
    /// Records that became dead letters.
    pub dead_letters: u64,
    /// Bad records that were skipped.
    pub skipped: u64,
    /// Restarts after failures.
    pub restarts: u64,
    /// Failures that were tried again.
    pub errors_retriable: u64,
    /// Failures that ended the task.
    pub errors_fatal: u64,
    /// Milliseconds since it last saw a record.
    pub last_record_ms: Option<u64>,
    /// Milliseconds since its last commit was durable.
    pub last_commit_ms: Option<u64>,
    /// Calls of a source's `poll`, its wait for records included.
    pub poll: Histogram,
    /// Calls of a sink's `put`.
    pub put: Histogram,
    /// From handing a commit to the log until it is durable.
    pub commit: Histogram,
    /// From a record's timestamp until a sink took it: of each `put` its youngest record.
    pub end_to_end: Histogram,
    /// What its plugin tells of itself.
    pub told: Vec<ToldSeries>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_that_ends_at_or_above_it() {
        let durations = Durations::default();
        for us in [0, 250, 251, 1_000_000, 400_000_000] {
            durations.observe(Duration::from_micros(us));
        }
        let read = durations.read();
        assert_eq!(read.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(read.sum_us, 401_000_501);
    }

    #[test]
    fn nothing_happened_has_no_age() {
        let last = Last::default();
        assert_eq!(last.age_ms(), None);
        last.now();
        assert!(last.age_ms().is_some_and(|age| age < 60_000));
    }
}
