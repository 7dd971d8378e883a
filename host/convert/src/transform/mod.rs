//! Single message transforms: each takes a record and hands on one, changed or not, or none.
//!
//! ```text
//! record ─► [predicate?] ─► transform ─► [predicate?] ─► transform ─► … ─► record, or dropped
//! ```
//! Every transform of Kafka Connect 4.3 by its names and options, Debezium's `ExtractNewRecordState` and `EventRouter`,
//! and `mask` for personal data. One file per transform; `registry` lists them with their option tables, `steps`
//! builds a chain from a connector's options.
//!
//! A transform is a pure function of the record: no input, no output, no clock but the one it is built with. Its
//! errors name fields, types and options, never values.

mod cast;
pub(crate) mod date_format;
mod drop_headers;
mod event_router;
mod event_router_json;
mod extract_field;
mod extract_new_record_state;
mod field_path;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
pub(crate) mod java_regex;
mod mask;
mod mask_field;
mod number;
mod regex_router;
mod registry;
mod replace_field;
mod set_schema_metadata;
mod side;
mod steps;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

use std::fmt;
use std::sync::Arc;

pub use crate::options::{ConfigProblem, OptionDef, OptionType, Rule, Settings};
pub use java_regex::{pattern_problem, whole_match};
pub use registry::{TransformClass, TransformName, find_transform, transform_classes};
pub use side::Side;
pub use steps::{
    ClassUse, Condition, KeyProblem, NoPlugins, PluginClasses, PredicateConfig, Step, StepConfig,
    StepsConfig, UnknownKey, read_steps,
};

use crate::{Error, Record};

/// One step of a chain.
pub trait Transform: fmt::Debug + Send {
    /// Says which halves of a record this needs as values; the rest may pass as bytes.
    fn touches(&self) -> Touches {
        Touches::ALL
    }

    /// Takes a record and hands on what becomes of it, `None` where it is dropped. Called from one thread at a time.
    ///
    /// # Errors
    /// The record is refused; nothing of it may be assumed applied.
    fn apply(&mut self, record: Record) -> Result<Option<Record>, Error>;

    /// Returns the topic that records of `topic` go to, `None` where each record decides. Asked of a configuration, before
    /// any record is there.
    fn routed(&mut self, topic: &Arc<str>) -> Option<Arc<str>> {
        Some(Arc::clone(topic))
    }
}

/// Which halves of a record are looked at or changed. A half that is not comes as null or as empty bytes and stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touches {
    /// The key.
    pub key: bool,
    /// The value.
    pub value: bool,
}

impl Touches {
    /// Topic, headers and timestamp only, and whether the halves are null.
    pub const NOTHING: Self = Self {
        key: false,
        value: false,
    };
    /// Key and value.
    pub const ALL: Self = Self {
        key: true,
        value: true,
    };

    /// Returns what is touched by either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            key: self.key || other.key,
            value: self.value || other.value,
        }
    }

    const fn only(side: Side) -> Self {
        match side {
            Side::Key => Self {
                key: true,
                value: false,
            },
            Side::Value => Self {
                key: false,
                value: true,
            },
        }
    }
}
