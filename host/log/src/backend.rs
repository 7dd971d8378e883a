//! The contract between the host and a log: [`LogBackend`], [`Producer`], [`Consumer`].
//!
//! ```text
//!  source task ── submit(Commit) ──► Producer ──► one atomic, durable frame ──► Ticket → Committed
//!  sink task ◄── Event::Batch ───── Consumer ◄── committed data only
//!            ── commit(offsets) ──►          ──► the same kind of frame ──────► Ticket
//! ```
//!
//! Not here: how a log does it. The local log is [`crate::open_local`]; the suite in `conformance`
//! (a feature of that name) holds every implementation to what is written here.
//!
//! # Promises
//! - INV-L1: a commit is visible and survives a crash as a whole or not at all: appends, key-value puts and fence check.
//! - INV-L2: a ticket answers `Ok` only after the commit is durable (`durability: fsync`), and readers see only such data.
//! - INV-L3: tickets of one producer answer in order of submission; after a failed one all later ones of that producer fail.
//! - INV-L4: a commit by an older fence epoch of its owner is never written once a newer epoch was handed out.
//! - INV-L5: offsets of a partition grow, in commit order. They may have gaps.
//! - INV-L6: a position that this log does not hold is an error or an event, never a silent jump.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use linkspan_types::{
    FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, PartitionId, TopicId, TopicName,
    TopicPartition,
};

use crate::assign::Assignor;
use crate::backup::BackupReport;
use crate::error::{Error, Result};
use crate::fetch::{FetchRequest, FetchedPartition};
use crate::find_offset::{FoundOffset, OffsetQuery};
use crate::group::view::{GroupDescription, GroupSummary};
use crate::stat::LogStat;
use crate::ticket::Ticket;

/// The default and the greatest allowed size of a record batch (`max.message.bytes` counts the batch).
pub const BATCH_BYTES_DEFAULT: usize = 1_048_588;
/// No topic may raise its `max.message.bytes` above this.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// The greatest sum of batches, keys and values of one commit.
pub const COMMIT_BYTES_MAX: usize = 24 << 20;
/// The greatest number of appends and puts of one commit.
pub const COMMIT_ENTRIES_MAX: usize = 65_535;
/// The longest metadata that may travel with a group's offset.
pub const GROUP_METADATA_BYTES_MAX: usize = 4096;
/// The longest key of a key-value store.
pub const KEY_BYTES_MAX: usize = 65_535;
/// The greatest number of partitions of one topic.
pub const PARTITIONS_MAX: i32 = 10_000;

/// A boxed future of a trait method.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A partitioned log with key-value stores.
///
/// Any thread may call any method at any time. Methods block (some for a disk sync): call them from threads that may.
pub trait LogBackend: Send + Sync + fmt::Debug {
    /// Creates a topic; it is durable when this returns.
    ///
    /// # Errors
    /// [`Error::TopicExists`], [`Error::InvalidTopic`] (partitions outside of 1..=[`PARTITIONS_MAX`]),
    /// [`Error::InvalidSettings`] with everything that is wrong, or the write failed.
    fn create_topic(&self, name: &TopicName, spec: &TopicSpec) -> Result<Topic>;

    /// Raises the number of partitions to `total`; the same number again is fine and changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::InvalidTopic`] when the topic has more, or the write failed.
    fn add_partitions(&self, name: &TopicName, total: i32) -> Result<Topic>;

    /// Deletes a topic: it is gone, durably, when this returns; so are the positions of all groups in it.
    ///
    /// Consumers of its partitions hear [`Event::Lost`]; a commit that is under way fails for its records and leaves no
    /// position behind. The files go in the background. A topic made again under the name has another id.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], or the write failed.
    fn delete_topic(&self, name: &TopicName) -> Result<()>;

    /// Changes settings of a topic: `Some` sets, `None` goes back to the default. What is not named stays.
    ///
    /// # Errors
    /// [`Error::UnknownTopic`], [`Error::InvalidSettings`] with everything that is wrong, or the write failed.
    fn alter_topic(
        &self,
        name: &TopicName,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Topic>;

    /// Deletes the records below `before`, or all that are committed (`None`); returns the partition's first offset.
    ///
    /// Durable when this returns; the disk space follows. An offset at or below the first one changes nothing. Declared
    /// readers are not asked: this is a deliberate act, what they had not read is counted like what retention deletes.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`], [`Error::OffsetOutOfRange`] (negative, or above the high watermark),
    /// [`Error::CompactedTopic`] when `cleanup.policy` is `compact` alone, or the write failed.
    fn delete_records(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        before: Option<Offset>,
    ) -> Result<Offset>;

    /// Declares that `group` reads `topics`, durably, until [`LogBackend::forget_reader`]; replaces what was declared.
    ///
    /// Retention never passes the committed position of a declared reader while the topic's `keep.unread` is true; a
    /// reader without a position keeps everything. Topics need not exist. The same again writes nothing.
    ///
    /// # Errors
    /// The write failed.
    fn declare_reader(&self, group: &GroupId, topics: &[TopicName]) -> Result<()>;

    /// Ends [`LogBackend::declare_reader`]; an unknown group is fine. [`LogBackend::delete_group`] does it, too.
    ///
    /// # Errors
    /// The write failed.
    fn forget_reader(&self, group: &GroupId) -> Result<()>;

    /// Returns all declared readers with their topics.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn readers(&self) -> Result<Vec<(GroupId, Vec<TopicName>)>>;

    /// Returns a topic by name.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn topic(&self, name: &TopicName) -> Result<Option<Topic>>;

    /// Returns all topics, by name.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn topics(&self) -> Result<Vec<Topic>>;

    /// Returns the committed value of a key.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn get(&self, store: Store, key: &[u8]) -> Result<Option<Bytes>>;

    /// Returns all committed keys that begin with `prefix`, in byte order, with their values.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn scan(&self, store: Store, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>>;

    /// Starts a new generation of `owner`: raises its fence epoch, durably, and returns a producer of that epoch.
    /// From here on every commit of an older producer of the owner fails with [`Error::Fenced`].
    ///
    /// Read the owner's committed offsets *after* this call: nobody else can change them any more.
    ///
    /// # Errors
    /// The write failed.
    fn open_producer(&self, owner: &OwnerId) -> Result<Arc<dyn Producer>>;

    /// Returns the owner's durable fence epoch, 0 if it never opened a producer.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn current_fence(&self, owner: &OwnerId) -> Result<FenceEpoch>;

    /// Returns another producer of an existing generation: for a further task of the same connector, or after a
    /// producer failed. Changes nothing.
    ///
    /// # Errors
    /// [`Error::Fenced`] when `epoch` is not the current one.
    fn producer_at(&self, owner: &OwnerId, epoch: FenceEpoch) -> Result<Arc<dyn Producer>>;

    /// Joins a group. The first events tell what is assigned. Topics that do not exist yet are picked up when they are created.
    ///
    /// # Errors
    /// [`Error::MemberExists`], [`Error::OtherAssignor`], or [`Error::Fenced`] when `options.fence` is not current.
    fn open_consumer(&self, options: ConsumerOptions) -> Result<Box<dyn Consumer>>;

    /// Reads for tools: whole committed batches around `from`, at least one if there is any, about `max_bytes` in all.
    /// The first batch may start below `from`. Nothing there yet is an empty answer.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`], [`Error::OffsetOutOfRange`], [`Error::Corrupt`].
    fn fetch(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        from: Offset,
        max_bytes: usize,
    ) -> Result<Fetched>;

    /// Reads many partitions at once: whole batches within the limits, waiting for `min_bytes` if need be (KIP-74).
    ///
    /// The answer has one entry per partition asked for, in their order; an error of one partition is in its entry and
    /// answers at once. Where it waits it must run inside a tokio runtime with a timer. A stopped log never waits.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`].
    ///
    /// # Cancel safety
    /// The future may be dropped at any point: nothing is taken out of the log.
    fn fetch_many(&self, request: FetchRequest) -> BoxFuture<'_, Result<Vec<FetchedPartition>>>;

    /// Returns where a partition begins and ends.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`].
    fn offsets(&self, topic: &TopicId, partition: PartitionId) -> Result<Watermarks>;

    /// Finds an offset by time or by word. The first offset of a partition may lie inside a batch.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`], [`Error::Corrupt`].
    fn find_offset(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        query: OffsetQuery,
    ) -> Result<Option<FoundOffset>>;

    /// Returns the offset of the first record, in offset order, whose timestamp is not below `timestamp_ms`.
    ///
    /// # Errors
    /// Those of [`LogBackend::find_offset`].
    fn offset_for_time(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        timestamp_ms: i64,
    ) -> Result<Option<Offset>> {
        let found = self.find_offset(topic, partition, OffsetQuery::Time(timestamp_ms))?;
        Ok(found.map(|found| found.offset))
    }

    /// Returns all groups that have members or committed offsets, by name.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn groups(&self) -> Result<Vec<GroupSummary>>;

    /// Describes a group; `None` when it has neither members nor committed offsets.
    ///
    /// # Errors
    /// A stored position is damaged.
    fn describe_group(&self, group: &GroupId) -> Result<Option<GroupDescription>>;

    /// Sets positions of a group without members, or removes them (`None`), all or none; durable when this returns.
    ///
    /// A new position has no metadata. Positions in an earlier topic of the same name are removed with it, so this is
    /// also the remedy for [`Error::UnknownPosition`]. Setting makes the group if need be. A member that joins meanwhile
    /// waits and starts at the new positions. Where to go by time or by word is [`LogBackend::find_offset`]'s to say.
    ///
    /// # Errors
    /// [`Error::GroupActive`] while it has members; [`Error::UnknownGroup`] when everything is to be removed and there is
    /// nothing; [`Error::UnknownTopic`], [`Error::UnknownPartition`]; [`Error::OffsetOutOfRange`] below log start or above
    /// the high watermark; or the write failed.
    fn set_group_offsets(
        &self,
        group: &GroupId,
        changes: &[(TopicPartition, Option<Offset>)],
    ) -> Result<()>;

    /// Deletes a group without members with all its positions; durable when this returns.
    ///
    /// A declared reader ([`LogBackend::declare_reader`]) is forgotten with it: nobody reads for this group any more, and it
    /// would keep its topics for ever. A sink that still has a file declares itself again at the next start.
    ///
    /// # Errors
    /// [`Error::GroupActive`] while it has members, [`Error::UnknownGroup`] (nor declared), or the write failed.
    fn delete_group(&self, group: &GroupId) -> Result<()>;

    /// Checks that an external position (a row in a sink's database, a file's recorded length) lies in this log's history.
    ///
    /// # Errors
    /// [`Error::UnknownPosition`] when the topic id is unknown, or the leader epoch `leader_epoch` of this log never
    /// reached `next`: whoever holds the position must not skip what comes now.
    fn check_position(
        &self,
        topic: &TopicId,
        partition: PartitionId,
        leader_epoch: LeaderEpoch,
        next: Offset,
    ) -> Result<()>;

    /// Hands out a producer id that nobody has, with its first epoch: for batches with a producer, see [`Append::batch`].
    ///
    /// # Errors
    /// The write failed.
    fn init_producer_id(&self) -> Result<(i64, i16)>;

    /// Returns the idempotent producers that a partition remembers, by id.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`].
    fn producers(&self, topic: &TopicId, partition: PartitionId) -> Result<Vec<ProducerStateView>>;

    /// Returns figures about the log for people.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn stat(&self) -> Result<LogStat>;

    /// Returns whether the log takes commits. Cheap.
    fn health(&self) -> Health;

    /// Copies the log into the empty or missing folder `target` of the same machine, as of one commit, while it goes on.
    /// [`crate::restore`] makes a data directory of it.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], [`Error::Unsupported`], stored data is damaged, or the system's.
    fn backup(&self, target: &Path) -> Result<BackupReport> {
        let _ = target;
        Err(Error::Unsupported { what: "backups" })
    }

    /// Shuts down: takes no further commits, finishes those submitted, flushes, and marks the log clean. Again is fine.
    ///
    /// # Errors
    /// Something could not be written; the next open will recover.
    fn close(&self) -> Result<()>;
}

/// What a new topic should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSpec {
    /// How many partitions.
    pub partitions: i32,
    /// Kafka's topic settings, by name: those of [`linkspan_types::topic_settings::TABLE`]. Stored in canonical form.
    pub settings: BTreeMap<String, String>,
}

impl TopicSpec {
    /// A topic without settings of its own.
    #[must_use]
    pub fn with_partitions(partitions: i32) -> Self {
        Self {
            partitions,
            settings: BTreeMap::new(),
        }
    }
}

/// A topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Its identity.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: i32,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
}

/// The key-value stores. The codes are part of the disk format and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Store {
    /// Connector configurations.
    Configs = 1,
    /// Positions of sources in their external systems.
    SourceOffsets = 2,
    /// Positions of groups in partitions; see [`group_offset_key`].
    GroupOffsets = 3,
    /// States of connectors and tasks.
    Status = 4,
    /// Schemas by id.
    Schemas = 5,
    /// Records of runs.
    Runs = 6,
    /// Fence epochs by owner; written by [`LogBackend::open_producer`] only.
    Fences = 7,
    /// The log's own: keys that begin with `topic/`, `start/`, `lost/`, `was-topic/` or `reader/` are written by the methods
    /// of [`LogBackend`] only.
    Meta = 8,
}

impl Store {
    /// All stores, by code.
    pub const ALL: [Self; 8] = [
        Self::Configs,
        Self::SourceOffsets,
        Self::GroupOffsets,
        Self::Status,
        Self::Schemas,
        Self::Runs,
        Self::Fences,
        Self::Meta,
    ];

    /// Returns the code in files.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// Returns the store of a code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|store| store.code() == code)
    }

    /// Returns the name that people see.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configs => "configs",
            Self::SourceOffsets => "source-offsets",
            Self::GroupOffsets => "group-offsets",
            Self::Status => "status",
            Self::Schemas => "schemas",
            Self::Runs => "runs",
            Self::Fences => "fences",
            Self::Meta => "meta",
        }
    }
}

/// Writes for one generation of an owner.
///
/// Any thread may submit; the order of submission is the order of commit.
pub trait Producer: Send + Sync + fmt::Debug {
    /// Returns the fence epoch of this generation.
    fn fence_epoch(&self) -> FenceEpoch;

    /// Queues one commit and returns at once, or blocks while the queue is full: that is the back-pressure.
    ///
    /// Offsets and leader epoch are assigned when the frame is written, in the order of submission.
    /// Several may be in flight. When a ticket fails, all later ones of this producer fail too (with [`Error::Aborted`]
    /// or the same cause): take a new one from [`LogBackend::producer_at`] and start again behind the last durable commit.
    ///
    /// # Errors
    /// The commit was not queued and later ones are not affected: [`Error::InvalidCommit`], [`Error::TooLarge`],
    /// [`Error::UnknownPartition`], [`Error::DiskFull`], [`Error::DiskBound`] (only commits with appends),
    /// [`Error::OutOfFiles`], [`Error::Poisoned`], [`Error::Closed`], [`Error::Aborted`].
    ///
    /// A ticket answers in bounded time also on a full disk: a commit that was queued before the disk was known to be full
    /// waits a while for space (see `LocalOptions::space_wait`), then fails with [`Error::DiskFull`]; nothing of it was
    /// written. The log resumes by itself: try again with a new producer of the same generation.
    fn submit(&self, commit: Commit) -> Result<Ticket>;

    /// As [`Producer::submit`], for what must be written so that something else can be deleted: dead letters of a sink, whose
    /// progress lets retention work. It may pass `log.max.bytes` by an eighth, at least 16 MiB.
    ///
    /// # Errors
    /// As [`Producer::submit`]; [`Error::DiskBound`] once that is used up too.
    fn submit_reserved(&self, commit: Commit) -> Result<Ticket> {
        self.submit(commit)
    }
}

/// One atomic commit: becomes durable and visible as a whole or not at all.
#[derive(Debug, Default)]
pub struct Commit {
    /// Batches, in order; a partition may occur more than once.
    pub appends: Vec<Append>,
    /// Key-value puts, in order; the last put of a key wins.
    pub puts: Vec<KvPut>,
}

/// One record batch for one partition.
#[derive(Debug)]
pub struct Append {
    /// The topic.
    pub topic: TopicId,
    /// The partition inside it.
    pub partition: PartitionId,
    /// Exactly one encoded record batch v2 with base offset 0 and at least one record. The header is checked;
    /// the checksum is the encoder's word. With a producer id, its sequence is checked when the commit is written: a batch
    /// that one of the producer's last five batches equals is answered with the old offset, one that does not follow fails
    /// the commit with [`Error::OutOfOrderSequence`] or [`Error::ProducerFenced`]. The buffer is kept in the tail cache: no excess capacity, please.
    pub batch: Vec<u8>,
}

/// Sets or deletes one key.
#[derive(Clone, Debug)]
pub struct KvPut {
    /// In which store.
    pub store: Store,
    /// The key, at most [`KEY_BYTES_MAX`].
    pub key: Bytes,
    /// The new value; `None` deletes.
    pub value: Option<Bytes>,
}

/// Where a commit went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the first record of each append, in the order of [`Commit::appends`].
    pub base_offsets: Vec<Offset>,
    /// Of each append, whether it was stored before: nothing was written, and its offset is that of the first time.
    pub duplicates: Vec<bool>,
}

/// An idempotent producer as a partition remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerStateView {
    /// The producer.
    pub producer_id: i64,
    /// Its newest epoch.
    pub epoch: i16,
    /// The last sequence of that epoch.
    pub last_sequence: i32,
    /// The greatest timestamp of its last batch, in milliseconds since 1970.
    pub last_timestamp_ms: i64,
}

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that can be read.
    pub log_start: Offset,
    /// The next offset that will be committed (exclusive end).
    pub high_watermark: Offset,
    /// The leader epoch that new batches get.
    pub leader_epoch: LeaderEpoch,
}

/// Batches read by [`LogBackend::fetch`].
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Whole, verified record batches, or nothing.
    pub bytes: Bytes,
    /// The offset to fetch next.
    pub next: Offset,
    /// The partition's limits at that moment.
    pub watermarks: Watermarks,
}

/// Reads for one member of a group.
///
/// One task owns it. Dropping it leaves the group.
pub trait Consumer: Send + fmt::Debug {
    /// Waits for the next event. Event-driven: an idle consumer costs nothing.
    ///
    /// The call after a [`Event::Revoked`] tells the group that its partitions are released: flush and commit before it.
    /// A partition goes to its new owner only then, and after this member's submitted commits have been answered.
    ///
    /// # Errors
    /// [`Error::Fenced`] when a newer generation of `options.fence` exists; [`Error::Corrupt`] when stored data of an
    /// assigned partition is damaged (again at every call until `seek` or `pause`); [`Error::UnknownPosition`] when the
    /// committed offset is not in this log; [`Error::Poisoned`], [`Error::Closed`].
    ///
    /// # Cancel safety
    /// The future may be dropped at any point: no event is lost.
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Event>>;

    /// Continues an assigned partition at `to`, from log start up to the high watermark.
    ///
    /// # Errors
    /// [`Error::NotAssigned`], [`Error::OffsetOutOfRange`].
    fn seek(&mut self, partition: &TopicPartition, to: Offset) -> Result<()>;

    /// Delivers no batches of these partitions until `resume`; others go on.
    fn pause(&mut self, partitions: &[TopicPartition]);

    /// Ends a `pause`.
    fn resume(&mut self, partitions: &[TopicPartition]);

    /// Commits positions of assigned partitions, together with `with`, in one frame (fenced by `options.fence`). Appends go by
    /// the bound of [`Producer::submit_reserved`]: the position is what may make room.
    ///
    /// # Errors
    /// [`Error::NotAssigned`], and those of [`Producer::submit`]. A failed ticket does not affect later commits.
    fn commit(&self, offsets: &[(TopicPartition, GroupOffset)], with: Commit) -> Result<Ticket>;

    /// Returns the current end of every assigned partition.
    ///
    /// # Errors
    /// Only when the log cannot be read at all.
    fn end_offsets(&self) -> Result<Vec<(TopicPartition, Offset)>>;
}

/// How to join a group.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The group.
    pub group: GroupId,
    /// This member's name, unique in the group; assignments go by its order.
    pub member: String,
    /// The topics to read.
    pub topics: Vec<TopicName>,
    /// Beside them every topic whose name it matches, also those that are made later.
    pub pattern: Option<TopicPattern>,
    /// How the group divides partitions; the same for all its members.
    pub assignor: Assignor,
    /// Where to begin without a committed offset.
    pub start: Start,
    /// The most bytes of one [`Event::Batch`]; a single larger batch comes whole.
    pub max_bytes: usize,
    /// Refuse work once a newer generation of this owner exists.
    pub fence: Option<(OwnerId, FenceEpoch)>,
}

/// Chooses topics by name. What a pattern means its maker decides; a log only asks.
#[derive(Clone)]
pub struct TopicPattern {
    text: Arc<str>,
    matches: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl TopicPattern {
    /// Makes one of its text, which messages show, and what decides about a name.
    pub fn new(text: &str, matches: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            text: text.into(),
            matches: Arc::new(matches),
        }
    }

    /// Returns true for a name that it matches; names of internal topics (`__…`) never are, as in Kafka.
    #[must_use]
    pub fn matches(&self, name: &TopicName) -> bool {
        !name.as_str().starts_with("__") && (self.matches)(name.as_str())
    }

    /// Returns the pattern as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopicPattern").field(&self.text).finish()
    }
}

/// Where to begin without a committed offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the first record there is.
    #[default]
    Earliest,
    /// Behind the last one.
    Latest,
}

/// What a consumer hears.
#[derive(Clone, Debug)]
pub enum Event {
    /// These partitions are this member's now.
    Assigned(Vec<Assignment>),
    /// Finish, commit, then call `next` again: these go to another member.
    Revoked(Vec<TopicPartition>),
    /// These are gone already (fenced, or their topic was deleted): nothing can be committed for them any more.
    Lost(Vec<TopicPartition>),
    /// Data.
    Batch(FetchedBatch),
    /// The records from `wanted` up to `log_start` were deleted. The consumer goes on at `log_start` unless told otherwise.
    OffsetLost {
        /// The partition.
        partition: TopicPartition,
        /// Where reading should have gone on.
        wanted: Offset,
        /// Where it goes on.
        log_start: Offset,
    },
}

/// A partition that a consumer may read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The partition.
    pub partition: TopicPartition,
    /// Its topic's identity.
    pub topic_id: TopicId,
    /// The leader epoch of the committed position, or the log's current one without it.
    pub leader_epoch: LeaderEpoch,
    /// Where reading starts.
    pub next: Offset,
    /// What was committed with the position.
    pub metadata: String,
    /// The owner's fence epoch, 0 without a fence.
    pub fence_epoch: FenceEpoch,
    /// Whether a committed position was found.
    pub stored: bool,
}

/// Whole record batches of one partition.
#[derive(Clone, Debug)]
pub struct FetchedBatch {
    /// The partition.
    pub partition: TopicPartition,
    /// Its topic's identity.
    pub topic_id: TopicId,
    /// At least one whole, verified record batch.
    pub bytes: Bytes,
    /// Skip records below this offset.
    pub from: Offset,
    /// The offset after the last record in `bytes`.
    pub next: Offset,
    /// The partition's end at that moment.
    pub high_watermark: Offset,
}

/// Whether the log takes commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Ok,
    /// No space: commits are refused, reads go on; it resumes by itself.
    DiskFull {
        /// What could not be written.
        why: String,
    },
    /// No file descriptor is left: commits are refused, reads of open files go on; it resumes by itself.
    OutOfFiles {
        /// What could not be opened.
        why: String,
    },
    /// The log holds as much as it may: appends are refused, all else goes on; it resumes by itself.
    DiskBound {
        /// How much it holds, and what to do.
        why: String,
    },
    /// A write failed: restart.
    Poisoned {
        /// The first failure.
        why: String,
    },
}

pub use crate::group_offset::{GroupOffset, group_offset_key, list_group};

/// Checks a group offset's metadata against [`GROUP_METADATA_BYTES_MAX`].
pub(crate) fn check_metadata(metadata: &str) -> Result<()> {
    if metadata.len() > GROUP_METADATA_BYTES_MAX {
        return Err(Error::TooLarge {
            what: "group metadata",
            size: metadata.len(),
            limit: GROUP_METADATA_BYTES_MAX,
        });
    }
    Ok(())
}
