//! What a group looks like from outside: for `groups list`, `groups describe`, REST and tests.

use linkspan_types::{
    GroupId, LeaderEpoch, Offset, PartitionId, TopicId, TopicName, TopicPartition,
};

use crate::assign::Assignor;

/// The state of a group, in Kafka's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// It has committed offsets and no members.
    Empty,
    /// Every member has what it should have.
    Stable,
    /// Partitions are on their way between members.
    Rebalancing,
    /// Its last member has left without a committed offset; it goes when that member's last commit is answered.
    Dead,
}

impl GroupState {
    /// Returns Kafka's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Stable => "Stable",
            Self::Rebalancing => "Rebalancing",
            Self::Dead => "Dead",
        }
    }
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    /// The group.
    pub group: GroupId,
    /// Its state.
    pub state: GroupState,
    /// How many members it has.
    pub members: usize,
}

/// A group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDescription {
    /// The group.
    pub group: GroupId,
    /// Its state.
    pub state: GroupState,
    /// How its members divide partitions; `None` without members.
    pub assignor: Option<Assignor>,
    /// Its members, by name.
    pub members: Vec<GroupMember>,
    /// A row for each committed position, and one for each partition that a member reads or may read; by topic and partition.
    pub offsets: Vec<GroupPosition>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its name.
    pub member: String,
    /// The topics it reads.
    pub topics: Vec<TopicName>,
    /// The partitions that it has now.
    pub assigned: Vec<TopicPartition>,
}

/// Where a group is in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPosition {
    /// The topic.
    pub topic: TopicName,
    /// Its identity. A deleted topic keeps its rows until the group is deleted or the rows are removed.
    pub topic_id: TopicId,
    /// The partition inside it.
    pub partition: PartitionId,
    /// The offset to read next; `None` when nothing was committed.
    pub committed: Option<Offset>,
    /// The leader epoch that was committed with it.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The metadata that was committed with it.
    pub metadata: String,
    /// When it was committed, in milliseconds since 1970.
    pub commit_ts: Option<i64>,
    /// Where the partition begins; `None` when this log does not have it (any more).
    pub log_start: Option<Offset>,
    /// Where the partition ends (exclusive); `None` as above.
    pub log_end: Option<Offset>,
    /// How many offsets the group is behind; `None` without a committed position or without the partition.
    pub lag: Option<u64>,
}
