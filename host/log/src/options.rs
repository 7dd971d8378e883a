//! The local log's options, with their bounds.

use std::path::PathBuf;
use std::time::Duration;

use crate::backend::{BATCH_BYTES_DEFAULT, COMMIT_BYTES_MAX};
use crate::error::{Error, Result};

/// When a commit is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After the disk has confirmed it: what was acknowledged survives a power loss.
    #[default]
    Fsync,
    /// After it was handed to the operating system, which is asked to write each second. A killed process loses
    /// nothing; a power loss may shorten the log.
    Os,
}

/// The local log's options. Start with [`LocalOptions::new`] and change what you must.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The data directory; made when missing.
    pub dir: PathBuf,
    /// When a commit is acknowledged.
    pub durability: Durability,
    /// The size of a journal file.
    pub journal_file_bytes: u64,
    /// The size of the first journal file, small so that a cold start does not wait for zeros.
    pub journal_first_bytes: u64,
    /// The most bytes of all journal files: commits wait for a checkpoint there.
    pub journal_bytes_max: u64,
    /// The most bytes of commits that wait for the journal: `submit` blocks there.
    pub queue_bytes_max: usize,
    /// The most bytes that one disk sync covers, about.
    pub group_bytes_max: usize,
    /// The bytes of recent batches kept in memory for readers, and the most that may wait for their segments.
    pub tail_cache_bytes: usize,
    /// The size at which a segment is closed and the next one begins (`segment.bytes` of a topic goes first).
    pub segment_bytes: u64,
    /// Bytes of journal between two checkpoints.
    pub checkpoint_bytes: u64,
    /// Time between two checkpoints of a log that changes.
    pub checkpoint_interval: Duration,
    /// A partition with this many unwritten bytes is written to its segment.
    pub flush_bytes: usize,
    /// Unwritten batches this old are written to their segment.
    pub flush_age: Duration,
    /// An idle log writes a witness of its last commit after this time; zero never does.
    pub idle_marker: Duration,
    /// How long commits that are already queued wait for space on a full disk before they are refused.
    pub space_wait: Duration,
    /// How long a thread that found no space or no descriptor waits before it tries again.
    pub space_retry: Duration,
    /// The sync interval of [`Durability::Os`].
    pub sync_interval: Duration,
    /// The largest batch of a topic without `max.message.bytes`.
    pub batch_bytes_max: usize,
    /// The largest commit.
    pub commit_bytes_max: usize,
    /// The most segment files that are kept open.
    pub open_files_max: usize,
    /// The most bytes of record batches that the log holds (see `space`); appends are refused there. At most the queue
    /// ([`LocalOptions::queue_bytes_max`]) more, which was taken in before.
    pub log_bytes_max: Option<u64>,
    /// Time between two looks for what retention may delete.
    pub retention_check_interval: Duration,
    /// How long a partition remembers an idempotent producer after its last record (`producer.id.expiration.ms`).
    pub producer_id_expiration: Duration,
    /// Time between two looks for topics that need compaction.
    pub compaction_interval: Duration,
    /// The most keys that one pass of compaction holds in memory (about 32 bytes each); more take several passes.
    pub compaction_keys_max: usize,
}

/// Room in a journal file beside the commit itself: file header, frame and entry headers, padding.
pub(crate) const JOURNAL_OVERHEAD: u64 = 64 * 1024;

impl LocalOptions {
    /// The defaults, for a data directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            durability: Durability::Fsync,
            journal_file_bytes: 64 << 20,
            journal_first_bytes: 1 << 20,
            journal_bytes_max: 1 << 30,
            queue_bytes_max: 32 << 20,
            group_bytes_max: 8 << 20,
            tail_cache_bytes: 64 << 20,
            segment_bytes: 256 << 20,
            checkpoint_bytes: 64 << 20,
            checkpoint_interval: Duration::from_secs(30),
            flush_bytes: 256 << 10,
            flush_age: Duration::from_secs(2),
            idle_marker: Duration::from_millis(100),
            space_wait: Duration::from_secs(10),
            space_retry: Duration::from_millis(500),
            sync_interval: Duration::from_secs(1),
            batch_bytes_max: BATCH_BYTES_DEFAULT,
            commit_bytes_max: COMMIT_BYTES_MAX,
            open_files_max: 512,
            log_bytes_max: None,
            retention_check_interval: Duration::from_secs(300),
            producer_id_expiration: Duration::from_secs(24 * 60 * 60),
            compaction_interval: Duration::from_secs(15),
            compaction_keys_max: crate::compaction::KEYS_DEFAULT,
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let invalid = |option: &'static str, why: String| Err(Error::InvalidOption { option, why });
        if self.commit_bytes_max > COMMIT_BYTES_MAX {
            return invalid("commit_bytes_max", format!("at most {COMMIT_BYTES_MAX}"));
        }
        let commit = self.commit_bytes_max as u64;
        // Entry headers of a commit with very many small puts are bounded with the commit's bytes (see `journal::writer`).
        if self.journal_file_bytes < commit + JOURNAL_OVERHEAD {
            return invalid(
                "journal_file_bytes",
                format!("one commit of {commit} bytes must fit"),
            );
        }
        if self.journal_first_bytes < 16 * 1024
            || self.journal_first_bytes > self.journal_file_bytes
        {
            return invalid(
                "journal_first_bytes",
                "from 16 KiB up to journal_file_bytes".to_owned(),
            );
        }
        if self.journal_bytes_max < 3 * self.journal_file_bytes {
            return invalid(
                "journal_bytes_max",
                "at least three journal files must fit".to_owned(),
            );
        }
        if self.segment_bytes == 0 || self.segment_bytes > u64::from(u32::MAX >> 1) {
            return invalid("segment_bytes", "from 1 up to 2147483647".to_owned());
        }
        Ok(())
    }
}
