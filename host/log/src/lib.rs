//! The partitioned log: the trait [`LogBackend`] and the local log behind it.
//!
//! What it is not: it knows no connectors, no tasks, no schemas; values are bytes to it. A log over a Kafka cluster is
//! another implementation of the same trait.
//!
//! ```text
//!  DATA/format  lock  ckpt.a  ckpt.b  meta-*.snap          who reads it: lock, checkpoint, snapshot
//!       journal/j-000000.wal …                             one stream of commits, synced before they are acknowledged
//!       topics/<topic id>-<partition>/<20 digits>.log      plain record batches v2, written later, readable by Kafka's tools
//! ```
//!
//! Start with [`backend`], the contract. Then `local` (the parts and their threads), `journal` (how a commit becomes
//! durable), `recovery` (what a crash may leave), `checkpoint` (how the journal is freed), `consumer` (how data is read).

mod admin;
pub mod assign;
pub mod backend;
mod backup;
mod backup_manifest;
mod cache;
mod checkpoint;
mod compaction;
mod condition;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod consumer;
mod core;
mod declared;
mod dump;
mod error;
mod examine;
mod fetch;
mod figures;
mod files;
mod find_offset;
mod flush;
mod fs;
mod group;
mod group_offset;
mod journal;
mod local;
mod lock;
mod options;
mod partition;
mod produce;
mod producers;
mod query;
mod read_only;
mod readers;
mod recovery;
mod repair;
mod reset;
mod restore;
mod retention;
mod retention_clock;
mod segment;
mod snapshot;
mod space;
mod stat;
mod store;
mod submit;
mod syscall;
mod thread;
mod ticket;
mod topics;
mod trim;
mod verify;
mod watchers;

pub use assign::Assignor;
pub use backend::{
    Append, Assignment, Commit, Committed, Consumer, ConsumerOptions, Event, Fetched, FetchedBatch,
    GroupOffset, Health, KvPut, LogBackend, Producer, ProducerStateView, Start, Store, Topic,
    TopicPattern, TopicSpec, Watermarks, group_offset_key, list_group,
};
pub use backup::BackupReport;
pub use compaction::Compacted;
pub use dump::{DumpedPut, JournalFrame, dump_journal, dump_segment};
pub use error::{Error, Result};
pub use fetch::{FetchPartition, FetchRequest, FetchedPartition};
pub use find_offset::{FoundOffset, OffsetQuery};
pub use fs::{DiskFs, Failure, FaultOp, File, Fs, Lock, LockMode, MemFs, Open, Volume};
pub use group::view::{GroupDescription, GroupMember, GroupPosition, GroupState, GroupSummary};
pub use local::{Local, Opened, open_local};
pub use options::{Durability, LocalOptions};
pub use produce::produce_rules;
pub use read_only::{ReadOnly, open_read_only};
pub use recovery::TornTail;
pub use repair::{Cut, PositionChange, Repair, repair};
pub use reset::{Beginning, Reset, UnknownReset, beginning};
pub use restore::{RestoreReport, restore};
pub use stat::{
    LatencyBucket, LatencyStat, LogStat, PartitionStat, RecoveryStat, StoreStat, SyncStat,
    TopicStat, TornStat,
};
pub use ticket::{Promise, Ticket};
pub use verify::{Problem, Report, verify};

#[cfg(test)]
mod tests;
