//! Figures about a log, for people and for JSON.

use serde::{Deserialize, Serialize};

/// Figures about the whole log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogStat {
    /// The data directory.
    pub dir: String,
    /// The version of its format.
    pub format: u32,
    /// When this life of the log began, in milliseconds since 1970.
    pub opened_ms: i64,
    /// The current leader epoch.
    pub leader_epoch: i32,
    /// `ok`, `disk-full`, `out-of-files` or `poisoned`.
    pub health: String,
    /// The last committed frame.
    pub last_lsn: u64,
    /// A later frame vouches for every commit: damage to any of them is told from a torn tail. So once the log is idle.
    pub witnessed: bool,
    /// The first frame that a restart would replay.
    pub replay_lsn: u64,
    /// Bytes that the journal's files occupy.
    pub journal_bytes: u64,
    /// How many files these are.
    pub journal_files: u32,
    /// What the batches in the tail cache take of memory, their entries included.
    pub cache_bytes: u64,
    /// Bytes of record batches that the log holds; what `log.max.bytes` bounds.
    #[serde(default)]
    pub log_bytes: u64,
    /// `log.max.bytes`, if there is a limit.
    #[serde(default)]
    pub log_bytes_max: Option<u64>,
    /// Bytes in segment files.
    pub segment_bytes: u64,
    /// How many segment files there are.
    #[serde(default)]
    pub segments: u64,
    /// Bytes of the journal, the segments and the current snapshots; not of indexes and of files that are about to go.
    #[serde(default)]
    pub disk_bytes: u64,
    /// Checkpoints since the log was opened.
    pub checkpoints: u64,
    /// Commits since the log was opened.
    pub commits: u64,
    /// Groups (disk syncs) that these needed.
    pub groups: u64,
    /// Reads that the tail cache answered since the log was opened.
    #[serde(default)]
    pub cache_hits: u64,
    /// Reads that needed a segment.
    #[serde(default)]
    pub cache_misses: u64,
    /// The part of all reads that the tail cache answered, 0 to 1; `None` before the first one.
    #[serde(default)]
    pub cache_hit_rate: Option<f64>,
    /// Bytes of record batches committed since the log was opened.
    #[serde(default)]
    pub bytes_in: u64,
    /// Bytes of record batches handed to readers since the log was opened.
    #[serde(default)]
    pub bytes_out: u64,
    /// Bytes written into the journal since the log was opened: batches, puts, headers and padding.
    #[serde(default)]
    pub journal_bytes_written: u64,
    /// Syncs of the journal since the log was opened.
    #[serde(default)]
    pub syncs: SyncStat,
    /// What opening the log took.
    #[serde(default)]
    pub recovery: RecoveryStat,
    /// All topics, by name.
    pub topics: Vec<TopicStat>,
    /// Entries per key-value store.
    pub stores: Vec<StoreStat>,
}

/// Figures about the syncs of the journal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncStat {
    /// How long they took.
    pub latency: LatencyStat,
    /// Those that made commits durable; the others are the witness frames of an idle log.
    pub with_commits: u64,
    /// Commits per such sync, on average.
    pub commits_mean: f64,
    /// The most commits that one sync made durable.
    pub commits_max: u64,
}

/// How often something took how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyStat {
    /// How often it was measured.
    pub count: u64,
    /// Half of all took no longer, in microseconds: the end of the bucket that holds the median.
    pub p50_us: u64,
    /// 99 of 100 took no longer, in microseconds: the end of the bucket that holds the percentile.
    pub p99_us: u64,
    /// The longest, in microseconds; exact.
    pub max_us: u64,
    /// The buckets that hold something, shortest first.
    pub buckets: Vec<LatencyBucket>,
}

/// One bucket of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyBucket {
    /// Its longest time in microseconds; `None` in the last bucket, which has no end.
    pub up_to_us: Option<u64>,
    /// How many are in it, and in no shorter one.
    pub count: u64,
}

/// What opening the log took and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryStat {
    /// The log was not shut down: the journal was replayed.
    pub unclean: bool,
    /// How long opening took, in microseconds, until the log took commits or could be read.
    pub took_us: u64,
    /// Frames of the journal that were replayed.
    pub frames: u64,
    /// Bytes of these frames.
    pub bytes: u64,
    /// What was cut from the journal's end because it was never acknowledged.
    pub torn: Option<TornStat>,
}

/// Where the journal was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TornStat {
    /// The journal file.
    pub path: String,
    /// The byte where the cut begins.
    pub offset: u64,
    /// The frame that would have been there.
    pub lsn: u64,
}

/// Figures about one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicStat {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// All partitions, by number.
    pub partitions: Vec<PartitionStat>,
}

/// Figures about one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionStat {
    /// Its number.
    pub partition: i32,
    /// The first offset.
    pub log_start: i64,
    /// The next offset.
    pub high_watermark: i64,
    /// How many segment files it has.
    pub segments: u32,
    /// Bytes in them.
    pub bytes: u64,
    /// Bytes that are in the journal only so far.
    pub unflushed_bytes: u64,
    /// The time of the oldest batch that is held, in milliseconds since 1970: the greatest of its records. `None` when
    /// it has none, or while its segment has not been looked at yet (a few are by each call).
    #[serde(default)]
    pub oldest_ms: Option<i64>,
    /// The greatest time of all records that are held, in milliseconds since 1970; `None` when they have none.
    #[serde(default)]
    pub newest_ms: Option<i64>,
    /// Records that were deleted before a declared sink had read them: by `keep.unread: false`, or by hand.
    #[serde(default)]
    pub lost: u64,
}

/// Figures about one key-value store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStat {
    /// Its name.
    pub name: String,
    /// How many keys it has.
    pub keys: u64,
}
