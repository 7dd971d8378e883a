//! Types on both sides: what a Connect schema means, what a column holds, and how one becomes the other.
//!
//! `read` (a server's value → Connect) belongs to the source, `write` (Connect → a server's value) to the sink.

mod column;
mod meaning;
pub(crate) mod read;

pub(crate) use column::{Column, ColumnKind};
pub(crate) use meaning::{Meaning, Wanted};
