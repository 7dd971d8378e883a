//! The host's HTTP face. For now `/api/v1` on the socket of the data directory, for the command line.
//!
//! Here: the router, the JSON shapes, and the reading of records for people ([`RecordReader`]), which a stopped data
//! directory is read with as well. Not here: the log itself, connectors and their life cycle.

mod api;
mod records;
mod start;

pub use crate::api::{HostView, router};
pub use crate::records::{ReadError, RecordReader, RecordView, ViewValue};
pub use crate::start::{From, FromError};
