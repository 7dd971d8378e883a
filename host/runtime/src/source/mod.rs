//! Source tasks: from a plugin's `poll` to durable records and offsets.
//!
//! One OS thread per task polls, converts and submits; several commits are in flight, bounded by bytes. Tickets are
//! awaited on the shared async runtime ([`acks`]), which tells the plugin what is durable even while its `poll` waits.

mod acks;
mod aside;
mod assemble;
mod creation;
mod flight;
mod task;
mod thrift;
mod transaction;
mod trial;

pub(crate) use self::assemble::{MESSAGE_BYTES_MAX, RECORD_OVERHEAD_MAX};
pub(crate) use self::creation::TopicCreation;
pub(crate) use self::task::run;
pub(crate) use self::transaction::Boundary;
pub use self::trial::{TrialLimits, Tried, try_source};
