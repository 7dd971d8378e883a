//! The runtime: connectors, their tasks, and the records between plugins and the log.
//!
//! ```text
//! source task thread:  poll ─► validate ─► convert ─► submit ─► (acks) ─► durable(seq)
//! sink task thread:    fetch (async, bounded) ─► convert ─► put ─► commit progress
//! ```
//!
//! Here: life cycle of connectors and tasks, offsets, the schemas store, values at rest, bounded jobs and their summary.
//! Not here: which log stores the records (only the trait [`linkspan_log::LogBackend`] is used), how a plugin is found and
//! called (`linkspan-plugin`), what a YAML file means (`linkspan-config`).
//!
//! Start reading at [`Runtime`], then `source/task.rs` and `sink/task.rs`.

mod budget;
mod conceal;
mod connector;
mod control;
mod convert;
mod error;
mod errors;
mod job;
mod keys;
mod log_id;
mod measure;
mod offsets;
mod offsets_admin;
mod report;
mod schemas;
mod services;
mod sink;
mod source;
mod spec;
mod stop;
mod summary;
mod supervisor;
mod task;
mod told;
mod transforms;
mod used;
mod whole;

pub use crate::conceal::conceal;
pub use crate::control::{
    Applied, ConnectorStatus, Control, Offline, Record, Refused, Restart, Target, TaskStatus,
    made_connectors,
};
pub use crate::error::{StartError, TaskError};
pub use crate::job::Outcome;
pub use crate::log_id::log_id;
pub use crate::measure::{BUCKETS_US, Histogram, TaskMeasure};
pub use crate::offsets::{offset_key, prefix_of};
pub use crate::offsets_admin::Altered as OffsetsChange;
pub use crate::report::{ConnectorReport, FileReport, RunReport, WarningReport};
pub use crate::schemas::SchemaRegistry;
pub use crate::services::Services;
pub use crate::source::{TrialLimits, Tried, try_source};
pub use crate::spec::{
    ConnectorSpec, KindOfConnector, Mode, ResolveConfig, Resolved, Settings, TopicSpecs,
};
pub use crate::supervisor::{Run, Runtime, Snapshot};
pub use crate::task::TaskState;
pub use crate::told::ToldSeries;
pub use crate::transforms::{InstalledClasses, Mending, StoredRecord, Trial, TrialStep};
