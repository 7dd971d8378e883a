//! Sink tasks: from the log to a plugin's `put`, and its progress back into the group's offsets.
//!
//! Fetching is an async task of its own with a buffer bounded in bytes, so a slow `put` never loses the group. The task's
//! OS thread converts, puts, and commits what the plugin reports as progress.

mod aim;
mod aside;
mod batch;
mod bisect;
mod fetch;
mod midway;
mod positions;
mod put;
mod reply;
mod task;
mod uncounted;

pub(crate) use self::aside::prefix as letters_prefix;
pub(crate) use self::fetch::{Message, Waker};
pub(crate) use self::midway::Midway;
pub(crate) use self::task::{group_of, run};
