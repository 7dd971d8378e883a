//! Figures about a log, for people and for JSON.

use serde::{Deserialize, Serialize};

/// Figures about the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Bytes held in the tail cache.
    pub cache_bytes: u64,
    /// Bytes of record batches that the log holds; what `log.max.bytes` bounds.
    #[serde(default)]
    pub log_bytes: u64,
    /// `log.max.bytes`, if there is a limit.
    #[serde(default)]
    pub log_bytes_max: Option<u64>,
    /// Bytes in segment files.
    pub segment_bytes: u64,
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
    /// All topics, by name.
    pub topics: Vec<TopicStat>,
    /// Entries per key-value store.
    pub stores: Vec<StoreStat>,
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
