//! The partitioned log: trait [`LogBackend`] and the local log behind it.

pub mod backend;
mod error;
mod group_offset;
mod stat;
mod ticket;

pub use backend::{
    Append, Assignment, Commit, Committed, Consumer, ConsumerOptions, Event, Fetched, FetchedBatch,
    GroupOffset, Health, KvPut, LogBackend, Producer, Start, Store, Topic, TopicSpec, Watermarks,
    group_offset_key, list_group,
};
pub use error::{Error, Result};
pub use stat::{LogStat, PartitionStat, StoreStat, TopicStat};
pub use ticket::{Promise, Ticket};
