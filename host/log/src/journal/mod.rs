//! The shared journal: one stream of frames, in prewritten and recycled files, written by one thread.
//!
//! Read [`frame`] for the format of a commit, [`file`] for that of a file, `ring` for where files come from and go to,
//! `queue` for what waits, and `writer` for the thread that turns waiting commits into groups.

pub(crate) mod extract;
pub(crate) mod file;
pub(crate) mod frame;
pub(crate) mod queue;
pub(crate) mod ring;
pub(crate) mod search;
pub(crate) mod writer;
