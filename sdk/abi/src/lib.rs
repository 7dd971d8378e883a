//! The stable boundary between the linkspan host and its plugins.
//!
//! Two halves. The *tables* ([`tables`], [`root`], [`kind`]) are `repr(C)` function-pointer tables that only grow at their end;
//! this is the one crate that names `abi_stable`, and everything of it that the other side needs is re-exported here.
//! The *bytes* ([`batch`], [`row`], [`schema`], [`json`], [`tagged`], [`manifest`]) are what crosses through those tables:
//! contiguous, position independent, checked in full before use.
//!
//! Not here: the author's traits (`linkspan-sdk`), finding and opening a plugin file (`linkspan-plugin`).
//!
//! Its version starts at 1.0.0 and its major number never moves: the layout check compares it.

#[cfg(test)]
mod arbitrary;
pub mod batch;
mod cursor;
mod error;
pub mod json;
pub mod kind;
pub mod manifest;
pub mod root;
pub mod row;
pub mod schema;
pub mod tables;
pub mod tagged;
pub mod value;

pub use abi_stable::std_types::{
    RErr, RNone, ROk, ROption, RResult, RSlice, RSome, RStr, RString, RVec,
};
pub use error::{
    BatchError, JsonError, JsonFault, JsonProblem, Path, RowError, RowFault, RowProblem,
    SchemaError,
};
pub use kind::{AbiError, ErrorKind, R};
pub use tables::{
    BatchBuf, BatchRef, HostApi, HostApi_Ref, Plugin, Plugin_Ref, TaskHandle, TaskPtr, TaskVt,
    TaskVt_Ref,
};

/// The version of this crate, as a plugin's manifest names it in `abi_version`.
pub const ABI_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The highest batch format this build reads and writes.
pub const BATCH_FORMAT: u16 = batch::FORMAT;
