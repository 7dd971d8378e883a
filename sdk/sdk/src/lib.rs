//! Write a linkspan connector: traits, values, options, errors, export macro.
//!
//! A plugin is a `cdylib` crate with this one line in `[dependencies]`. It implements [`SourceTask`], [`SinkTask`] or [`Transform`],
//! declares options with [`#[derive(Options)]`](options), and ends with [`export_plugin!`]. Start with the example at
//! [`SourceTask`], then [`SinkTask`]; `linkspan-testkit` runs them without a host.
//!
//! ```text
//! your task ── traits of this crate ──► shims (export) ── stable ABI, bytes ──► host
//!    Poll, BatchBuilder, Records           panic walls, one runtime per plugin
//! ```
//!
//! Not here: the bytes and tables of the boundary (`linkspan-abi`), which no author needs.
//!
//! # Threads and runtime
//! Each task has a thread of the host's for itself; the futures of its methods run there and need not be `Send`. Each plugin library
//! has one small tokio runtime, so that timers, sockets and [`TaskContext::spawn`] work everywhere. Never start a runtime of your
//! own, and never call `block_on`.
//!
//! # Panics
//! A panic is caught, becomes an error of kind `panicked` with its file and line, and poisons the task, which the host then
//! replaces. A plugin built with `panic = "abort"` does not compile.
//!
//! # Logs
//! Events of `tracing` reach the host's log, filtered at the source. Never log a record's value or a secret.

extern crate self as linkspan_sdk;

mod batch;
mod connector;
mod context;
mod durable;
mod error;
mod export;
mod macros;
mod names;
mod new_record;
mod offset;
pub mod options;
pub mod prelude;
mod records;
mod row;
mod shared;
mod sink;
mod source;
mod tagged_value;
mod transform;

pub use batch::{BatchBuilder, RecordBuilder};
pub use connector::{Checked, OffsetChange, SinkConnector, SourceConnector, TaskConfig};
pub use context::{SinkContext, SourceContext, TaskContext, TransformContext};
pub use durable::{Durable, Seq};
pub use error::{Error, ErrorKind, Result};
pub use linkspan_abi::{
    BatchError, JsonError, RowError, SchemaError,
    batch::{Data, Encoding},
    row::{ArrayRef, MapRef, RowRef, RowWriter, ValueRef},
    schema::{Field as SchemaField, Kind, Logical, Schema, SchemaBuilder},
    tagged::{self, Tagged},
    value::{Struct, Value},
};
pub use linkspan_derive::{OptionEnum, Options};
pub use names::{NameError, TOPIC_NAME_BYTES_MAX, TopicName, TopicPartition};
pub use new_record::NewRecord;
pub use offset::{OffsetValue, OffsetView, SourcePartition};
pub use options::{ByteSize, ConfigProblem, OptionDef, OptionValue, Options, PathList, Secret};
pub use records::{Datum, Record, RecordHeaders, Records, ValueRefExt};
pub use row::{Row, RowSchema};
pub use sink::{Assigned, METADATA_BYTES_MAX, Progress, Report, Seeks, SinkTask};
pub use source::{Poll, SourceTask};
pub use transform::{Applied, Transform};

pub use serde;
pub use serde_json;
pub use tracing;

/// What macros expand to. Not for authors: it may change in any version.
#[doc(hidden)]
pub mod __private {
    pub use crate::{
        export::{Class, LocalControl, LocalTask, PluginDef, init_host, make_plugin},
        options::{
            ConfigProblem, Described, Field, OptionDef, OptionValue, Options, Reader, define,
            one_of, problems_with_prefix, with_prefix,
        },
    };
    pub use linkspan_abi as abi;
}
