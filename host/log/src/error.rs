//! What can go wrong with a log, in one enum.
//!
//! Retry or give up: [`Error::is_temporary`]. Everything else is for people.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkspan_types::topic_settings::SettingErrors;
use linkspan_types::{
    FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, PartitionId, TopicId, TopicName,
    TopicPartition,
};

use crate::assign::Assignor;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with a log. Cloneable, because one failed write fails every commit of its group.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A topic of this name exists.
    #[error("topic `{name}` exists already")]
    TopicExists {
        /// The name.
        name: TopicName,
    },
    /// No topic has this name.
    #[error("there is no topic `{name}`")]
    UnknownTopic {
        /// The name.
        name: TopicName,
    },
    /// No topic has this id, or it has fewer partitions.
    #[error("topic id {topic} has no partition {partition} in this log")]
    UnknownPartition {
        /// The topic.
        topic: TopicId,
        /// The partition.
        partition: PartitionId,
    },
    /// A topic's specification makes no sense.
    #[error("topic `{name}`: {why}")]
    InvalidTopic {
        /// The name.
        name: TopicName,
        /// What is wrong.
        why: String,
    },
    /// Settings of a topic are wrong; all of them are named.
    #[error("topic `{name}`: {errors}")]
    InvalidSettings {
        /// The topic.
        name: TopicName,
        /// What is wrong, and what to do.
        errors: SettingErrors,
    },
    /// Records of a compacted topic are not deleted by offset.
    #[error(
        "topic `{name}` is compacted: its records go by key; set `cleanup.policy` to `compact,delete` first"
    )]
    CompactedTopic {
        /// The topic.
        name: TopicName,
    },
    /// A commit breaks a rule: a batch that is not one record batch, a reserved store, …
    #[error("invalid commit: {why}")]
    InvalidCommit {
        /// What is wrong.
        why: String,
    },
    /// An idempotent producer's batch does not follow its last one: a batch before it is missing.
    #[error(
        "producer {producer_id} (epoch {epoch}) sent sequence {found} to `{topic}` partition {partition}, {expected} was due: \
         a batch before it was lost, begin again with a new producer epoch"
    )]
    OutOfOrderSequence {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionId,
        /// The producer.
        producer_id: i64,
        /// Its epoch.
        epoch: i16,
        /// The first sequence of the batch.
        found: i32,
        /// The sequence that would follow.
        expected: i32,
    },
    /// An idempotent producer has a newer epoch: this one must not write any more.
    #[error(
        "producer {producer_id} was fenced on `{topic}` partition {partition}: its epoch {found} is older than {current}"
    )]
    ProducerFenced {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionId,
        /// The producer.
        producer_id: i64,
        /// The epoch of the batch.
        found: i16,
        /// The newest epoch.
        current: i16,
    },
    /// A batch breaks a rule of its topic's settings.
    #[error("the batch for `{topic}` partition {partition} is refused ({kafka}): {why}")]
    RefusedBatch {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionId,
        /// Kafka's name of the error.
        kafka: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A record without a key for a topic that keeps the newest record of every key.
    #[error(
        "record {index} of the batch for `{topic}` partition {partition} has no key, and the topic is compacted: \
         give it a key (a source's `key.fields`), or set the topic's `cleanup.policy` to `delete`"
    )]
    NullKey {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionId,
        /// Which record of the batch, from 0 on.
        index: usize,
    },
    /// A batch, commit or metadata is larger than its limit.
    #[error("{what} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A newer generation of the owner exists: stop, this one must not write any more.
    #[error("`{owner}` was fenced: fence epoch {found} is older than {current}")]
    Fenced {
        /// Who writes.
        owner: OwnerId,
        /// The epoch of the refused producer or consumer.
        found: FenceEpoch,
        /// The durable epoch.
        current: FenceEpoch,
    },
    /// An earlier commit of the same producer failed. Open another producer and start again at the last durable offset.
    #[error("an earlier commit of this producer failed")]
    Aborted,
    /// The consumer does not own the partition (any more).
    #[error("{partition} is not assigned to this consumer")]
    NotAssigned {
        /// The partition.
        partition: TopicPartition,
    },
    /// The group has a member of this name.
    #[error("group `{group}` has a member `{member}` already")]
    MemberExists {
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// The members of a group divide partitions in one way.
    #[error(
        "member `{member}` wants assignor `{wanted}`, but group `{group}` divides by `{current}`: give all members the same"
    )]
    OtherAssignor {
        /// The group.
        group: GroupId,
        /// The member.
        member: String,
        /// What it asked for.
        wanted: Assignor,
        /// What the others use.
        current: Assignor,
    },
    /// Nothing is known of the group.
    #[error("there is no group `{group}`: it has neither members nor committed offsets")]
    UnknownGroup {
        /// The group.
        group: GroupId,
    },
    /// The group has members, and only they may move its positions.
    #[error("group `{group}` has {members} members, stop them first")]
    GroupActive {
        /// The group.
        group: GroupId,
        /// How many members it has.
        members: usize,
    },
    /// The offset lies outside of what the partition holds.
    #[error("offset {wanted} is outside of {log_start}..{high_watermark}")]
    OffsetOutOfRange {
        /// The offset that was asked for.
        wanted: Offset,
        /// The first offset there is.
        log_start: Offset,
        /// The next offset that will be committed.
        high_watermark: Offset,
    },
    /// A position belongs to another history: another data directory, a repaired log, a topic made anew.
    #[error(
        "{partition}: position {next} of leader epoch {leader_epoch} is not in this log ({why})"
    )]
    UnknownPosition {
        /// The partition.
        partition: TopicPartition,
        /// The position's next offset.
        next: Offset,
        /// The position's leader epoch.
        leader_epoch: LeaderEpoch,
        /// What does not fit.
        why: String,
    },
    /// Stored bytes fail their check. Reads of other ranges go on.
    #[error("`{path}` is corrupt at byte {offset}: {what}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// Acknowledged data is damaged, so that the log refuses to open.
    #[error("acknowledged data is damaged, refusing to open: `{path}` at byte {offset}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// Sound bytes that only a later version can read.
    #[error("refusing to open: `{path}` at byte {offset}: {what}")]
    LaterVersion {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// Another process holds the data directory.
    #[error("data directory `{dir}` is in use by process {pid}")]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Its holder, 0 when unknown.
        pid: u32,
    },
    /// The directory was written by a later version.
    #[error("`{path}` has format version {found}, this build reads up to {supported}")]
    NewerFormat {
        /// The file that names the version.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version that this build reads.
        supported: u32,
    },
    /// The directory exists and is not a data directory.
    #[error("`{dir}` is not a data directory: {why}")]
    NotADataDirectory {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        why: String,
    },
    /// An option has a value that cannot work.
    #[error("option `{option}`: {why}")]
    InvalidOption {
        /// Its name.
        option: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The disk is full: commits are refused, reads go on, and the log resumes by itself when there is space.
    #[error("the disk of `{dir}` is full")]
    DiskFull {
        /// The data directory.
        dir: PathBuf,
    },
    /// No file descriptor is left: commits are refused, reads of open files go on, and the log resumes by itself.
    #[error(
        "no file descriptor is left for `{dir}`: raise the limit of open files (`ulimit -n`, `LimitNOFILE`)"
    )]
    OutOfFiles {
        /// The data directory.
        dir: PathBuf,
    },
    /// The log holds as much as `log.max.bytes` allows: appends are refused, commits without appends and reads go on, and
    /// the log resumes by itself when something was deleted.
    #[error("the log of `{dir}` is full: {why}")]
    DiskBound {
        /// The data directory.
        dir: PathBuf,
        /// How much it holds, and what to do.
        why: String,
    },
    /// A write or sync failed; what is on the disk is unknown until the next start has read it. Never retried.
    #[error("the log stopped after a failed write, restart to recover: {why}")]
    Poisoned {
        /// The first failure.
        why: String,
    },
    /// A folder that must be empty is not.
    #[error("`{dir}` is not empty, it has `{found}`")]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// A backup is incomplete, damaged, or not one at all.
    #[error("`{dir}` is not a complete backup: {why}")]
    InvalidBackup {
        /// The backup.
        dir: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// This kind of log does not do that.
    #[error("this log does not offer {what}")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
    },
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The log was opened read-only.
    #[error("the log is open read-only")]
    ReadOnly,
    /// The system refused an operation.
    #[error("could not {op} `{path}`")]
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: Arc<io::Error>,
    },
}

impl Error {
    /// Wraps a system error with the operation and the file.
    pub fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            op,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Whether the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::DiskFull { .. }
                | Self::DiskBound { .. }
                | Self::OutOfFiles { .. }
                | Self::Aborted
        )
    }

    /// Whether the cause is something that comes back: disk space, quota, file descriptors.
    pub(crate) fn is_shortage(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_no_space(source) || self.is_no_files(),
            Self::DiskFull { .. } | Self::OutOfFiles { .. } => true,
            _ => false,
        }
    }

    /// Whether the process or the system has no file descriptor left.
    pub(crate) fn is_no_files(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
            }
            Self::OutOfFiles { .. } => true,
            _ => false,
        }
    }
}

/// Whether a system error is a full disk or quota.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
