//! Who reads which partition: Kafka's assignors as pure functions.
//!
//! ```text
//!  members (topics, what each owns) ─┐
//!                                    ├─► assign(assignor) ─► member → partitions
//!  topics (how many partitions) ─────┘
//! ```
//!
//! # Where the rules come from
//! They are those of Kafka's assignors (`RangeAssignor`, `RoundRobinAssignor`, `StickyAssignor`,
//! `CooperativeStickyAssignor`), as their documentation and these proposals describe them; the text here is our own, and
//! what it does is judged by recorded answers of Kafka 4.3 (`golden_log`, class `groups`).
//! - [KIP-54](https://cwiki.apache.org/confluence/display/KAFKA/KIP-54+-+Sticky+Partition+Assignment+Strategy): even first,
//!   then as few moves as possible.
//! - [KIP-429](https://cwiki.apache.org/confluence/display/KAFKA/KIP-429%3A+Kafka+Consumer+Incremental+Rebalance+Protocol):
//!   a partition is given up in one round and taken in the next (`cooperative-sticky`).
//! - [KIP-881](https://cwiki.apache.org/confluence/display/KAFKA/KIP-881%3A+Rack-aware+Partition+Assignment+for+Kafka+Consumers):
//!   near replicas first, as long as the assignment stays even.
//!
//! Two differences: members are always taken in the order of their ids where Kafka's result depends on a hash map, and
//! racks count for `range` only, since a log on one machine has none.
//! Not here: how a partition moves from one member to another without two readers at a time (`group`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use linkspan_types::{PartitionId, TopicName, TopicPartition};

mod range;
mod round_robin;
mod sticky;
mod sticky_equal;
mod sticky_general;
#[cfg(test)]
mod tests;

/// How the members of a group divide the partitions among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Assignor {
    /// Consecutive partitions of each topic: partitions of the same number of several topics stay together.
    #[default]
    Range,
    /// All partitions of all topics in turn.
    RoundRobin,
    /// Balanced, and everybody keeps what it has as far as possible.
    Sticky,
    /// As sticky; a partition is first given up by its old owner and goes to the new one in the next round.
    CooperativeSticky,
}

/// No assignor has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no assignor `{0}`: it is one of range, roundrobin, sticky, cooperative-sticky")]
pub struct UnknownAssignor(pub String);

/// A member of a group that wants partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its id, unique in the group.
    pub id: String,
    /// The name of a static member; those come first, by this name.
    pub instance_id: Option<String>,
    /// Where it runs.
    pub rack: Option<String>,
    /// What it reads. Topics that do not exist are passed over.
    pub topics: BTreeSet<TopicName>,
    /// What it had in its last generation.
    pub owned: Vec<TopicPartition>,
    /// The number of that generation; a younger one wins when two members claim a partition.
    pub generation: Option<i32>,
}

/// The partitions of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitions {
    /// How many.
    pub count: i32,
    /// The racks of the replicas, by partition; fewer entries than partitions mean no racks.
    pub racks: Vec<BTreeSet<String>>,
}

/// What every member gets.
pub type Assignment = BTreeMap<String, Vec<TopicPartition>>;

/// An assignment cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssignError {
    /// Partitions of a topic never become fewer, so the member speaks of another topic of that name.
    #[error(
        "member `{member}` says that it owns {partition}, but the topic has {count} partitions: let it join anew without owned partitions"
    )]
    NoSuchPartition {
        /// The member.
        member: String,
        /// What it claims.
        partition: TopicPartition,
        /// How many partitions the topic has.
        count: i32,
    },
}

/// Divides the partitions of `topics` among `members`. Every member is in the answer, with nothing if need be.
///
/// With [`Assignor::CooperativeSticky`] partitions that must leave their old owner first are in nobody's list.
///
/// # Errors
/// [`AssignError`], from the sticky assignors only.
pub fn assign(
    assignor: Assignor,
    members: &[Member],
    topics: &BTreeMap<TopicName, Partitions>,
) -> Result<Assignment, AssignError> {
    match assignor {
        Assignor::Range => Ok(range::assign(members, topics)),
        Assignor::RoundRobin => Ok(round_robin::assign(members, topics)),
        Assignor::Sticky => sticky::assign(members, topics),
        Assignor::CooperativeSticky => sticky::assign_cooperative(members, topics),
    }
}

/// Static members by instance id, then the others by id.
fn in_order(members: &[Member]) -> Vec<&Member> {
    let mut ordered: Vec<&Member> = members.iter().collect();
    ordered.sort_by_key(|member| {
        (
            member.instance_id.is_none(),
            &member.instance_id,
            &member.id,
        )
    });
    ordered
}

fn nothing_yet(members: &[Member]) -> Assignment {
    let nothing = |member: &Member| (member.id.clone(), Vec::new());
    members.iter().map(nothing).collect()
}

fn all_of<'a>(
    topic: &'a TopicName,
    partitions: &Partitions,
) -> impl Iterator<Item = TopicPartition> + use<'a> {
    (0..partitions.count).map(|number| TopicPartition::new(topic.clone(), PartitionId(number)))
}

impl Assignor {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Range,
        Self::RoundRobin,
        Self::Sticky,
        Self::CooperativeSticky,
    ];

    /// Returns Kafka's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
            Self::Sticky => "sticky",
            Self::CooperativeSticky => "cooperative-sticky",
        }
    }
}

impl fmt::Display for Assignor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Assignor {
    type Err = UnknownAssignor;

    fn from_str(name: &str) -> Result<Self, UnknownAssignor> {
        let found = Self::ALL
            .into_iter()
            .find(|assignor| assignor.as_str() == name);
        found.ok_or_else(|| UnknownAssignor(name.to_owned()))
    }
}
