//! Who reads which partition: Kafka's assignors as pure functions.

use std::fmt;

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

impl Assignor {
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
