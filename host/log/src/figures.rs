//! Counting what a running log does, and timing its syncs.
//!
//! Everything here is relaxed: a figure orders nothing, and one that is read may be a moment behind its neighbour. The
//! histogram has a fixed number of buckets, so that a log of any age takes the same memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::stat::{LatencyBucket, LatencyStat, SyncStat};

/// The longest time of each bucket, in microseconds; one more bucket holds what took longer.
const BUCKETS_US: [u64; 19] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000,
    500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// How often something took how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    max_us: AtomicU64,
}

impl Histogram {
    pub(crate) fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BUCKETS_US.partition_point(|longest| *longest < us);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.max_us.fetch_max(us, Ordering::Relaxed);
    }

    pub(crate) fn stat(&self) -> LatencyStat {
        let max_us = self.max_us.load(Ordering::Relaxed);
        let longest = BUCKETS_US.iter().copied().map(Some).chain([None]);
        let buckets: Vec<LatencyBucket> = longest
            .zip(&self.buckets)
            .map(|(up_to_us, count)| LatencyBucket {
                up_to_us,
                count: count.load(Ordering::Relaxed),
            })
            .filter(|bucket| bucket.count > 0)
            .collect();
        LatencyStat {
            count: buckets.iter().map(|bucket| bucket.count).sum(),
            p50_us: percentile(&buckets, 50, max_us),
            p99_us: percentile(&buckets, 99, max_us),
            max_us,
            buckets,
        }
    }
}

/// Returns the longest time of the bucket that holds the percentile; no more than the greatest time measured.
fn percentile(buckets: &[LatencyBucket], percent: u64, max_us: u64) -> u64 {
    let count: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    let rank = count.saturating_mul(percent).div_ceil(100);
    let mut seen = 0;
    for bucket in buckets {
        seen += bucket.count;
        if seen >= rank {
            return bucket.up_to_us.unwrap_or(max_us).min(max_us);
        }
    }
    max_us
}

/// Syncs of the journal.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    latency: Histogram,
    /// Those that made commits durable; the witness frame of an idle log is synced, too.
    with_commits: AtomicU64,
    commits: AtomicU64,
    commits_max: AtomicU64,
}

impl Syncs {
    /// Counts a sync that took so long and made so many commits durable.
    pub(crate) fn record(&self, took: Duration, commits: u64) {
        self.latency.record(took);
        if commits > 0 {
            self.with_commits.fetch_add(1, Ordering::Relaxed);
            self.commits.fetch_add(commits, Ordering::Relaxed);
            self.commits_max.fetch_max(commits, Ordering::Relaxed);
        }
    }

    pub(crate) fn stat(&self) -> SyncStat {
        let syncs = self.with_commits.load(Ordering::Relaxed);
        let commits = self.commits.load(Ordering::Relaxed);
        SyncStat {
            latency: self.latency.stat(),
            with_commits: syncs,
            commits_mean: ratio(commits, syncs).unwrap_or(0.0),
            commits_max: self.commits_max.load(Ordering::Relaxed),
        }
    }
}

/// Divides two counts; `None` while there is nothing to divide by.
#[expect(
    clippy::cast_precision_loss,
    reason = "a figure for people: 2^53 is more than any count here"
)]
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(times_us: &[u64]) -> LatencyStat {
        let histogram = Histogram::default();
        for us in times_us {
            histogram.record(Duration::from_micros(*us));
        }
        histogram.stat()
    }

    #[test]
    fn times_fall_into_the_bucket_that_ends_at_or_above_them() {
        let stat = after(&[0, 10, 11, 500, 501, 10_000_000, 10_000_001]);
        let buckets: Vec<_> = stat.buckets.iter().map(|b| (b.up_to_us, b.count)).collect();
        assert_eq!(
            buckets,
            [
                (Some(10), 2),
                (Some(20), 1),
                (Some(500), 1),
                (Some(1_000), 1),
                (Some(10_000_000), 1),
                (None, 1)
            ]
        );
        assert_eq!((stat.count, stat.max_us), (7, 10_000_001));
    }

    #[test]
    fn percentiles_name_the_end_of_their_bucket_and_never_more_than_was_measured() {
        let mut times = vec![150; 98];
        times.extend([7_000, 90_000]);
        let stat = after(&times);
        assert_eq!(
            (stat.p50_us, stat.p99_us, stat.max_us),
            (200, 10_000, 90_000)
        );
        let one = after(&[130]);
        assert_eq!((one.p50_us, one.p99_us, one.max_us), (130, 130, 130));
        let none = after(&[]);
        assert_eq!((none.count, none.p50_us, none.p99_us), (0, 0, 0));
    }

    #[test]
    fn a_sync_without_commits_is_timed_but_is_no_group() {
        let syncs = Syncs::default();
        for commits in [1, 0, 5, 0] {
            syncs.record(Duration::from_micros(100), commits);
        }
        let stat = syncs.stat();
        assert_eq!((stat.latency.count, stat.with_commits), (4, 2));
        assert!((stat.commits_mean - 3.0).abs() < 1e-9, "{stat:?}");
        assert_eq!(stat.commits_max, 5);
    }
}
