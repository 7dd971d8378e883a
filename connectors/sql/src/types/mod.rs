//! Types on both sides: what a Connect schema means, what a column holds, and how one becomes the other.
//!
//! `read` (a server's value → Connect) belongs to the source, `write` (Connect → a server's value) to the sink.

mod cell;
mod column;
pub(crate) mod json;
mod meaning;
pub(crate) mod read;
mod text;
mod tree;
pub(crate) mod write;
mod zone;

pub(crate) use cell::{Cell, Unfit};
pub(crate) use column::{Column, ColumnKind};
pub(crate) use meaning::{Meaning, Unit, Wanted};
pub(crate) use write::{Binary, Bound, Encoder};
pub(crate) use zone::Zone;
