//! Names, ids and units shared by the host's crates.
//!
//! Not here: anything that does I/O, anything async, anything that belongs to one component only.
//!
//! Start with [`TopicName`] and [`TopicPartition`]; time comes from a [`Clock`], so that tests can own it.

mod bytes;
mod clock;
mod ids;
mod topic;
pub mod topic_creation;
pub mod topic_settings;
pub mod units;

pub use bytes::{ByteCount, ByteCountError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use ids::{FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, PartitionId};
pub use topic::{
    NameError, TOPIC_NAME_BYTES_MAX, TopicId, TopicIdError, TopicName, TopicPartition,
};

use std::error::Error;
use std::fmt::Write as _;

/// What stands in the place of a secret, everywhere: Kafka's word for it.
pub const HIDDEN: &str = "[hidden]";

/// Prints an error and all its sources as `a: b: c`.
///
/// Error texts of this project never contain the text of their source; this is the one place that joins them.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        // Writing to a `String` cannot fail.
        if write!(text, ": {source}").is_err() {
            break;
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
