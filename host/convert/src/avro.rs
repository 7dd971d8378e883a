//! Avro: its schemas, its binary form, and what Connect's `AvroData` makes of both.
//!
//! ```text
//! Connect schema ─► writer's schema (JSON)      `from_connect`
//! Connect value  ─► binary                      `encode`        by a writer's schema, ours or a registry's
//! binary         ─► Connect value               `decode`        by the writer's schema
//! Avro schema    ─► Connect schema              `to_connect`
//! ```
//! What stands before the binary, and how a registry is used, is not here: see [`crate::registered`].
//!
//! # Limits
//! A schema that contains itself has no Connect schema here and is refused.

mod decode;
mod encode;
mod from_connect;
mod schema;
mod to_connect;

pub use from_connect::avro_schema;
pub use schema::{AvroSchema, SCHEMA_BYTES_MAX};

/// The namespace of names that Connect's converter makes up.
pub(crate) const NAMESPACE: &str = "io.confluent.connect.avro";
/// The name of a struct that has none.
pub(crate) const DEFAULT_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
/// The record that stands for an entry of a map whose keys are no text.
pub(crate) const MAP_ENTRY: &str = "MapEntry";
/// The struct that stands for a union.
pub(crate) const UNION: &str = "io.confluent.connect.avro.Union";
/// The parameter that names an enum, and its symbols behind a dot.
pub(crate) const ENUM: &str = "io.confluent.connect.avro.Enum";
/// The parameter that holds a decimal's precision, where it is not 64.
pub(crate) const PRECISION: &str = "connect.decimal.precision";
/// The precision of a decimal that says none.
pub(crate) const PRECISION_DEFAULT: i64 = 64;
/// The parameter that holds the size of an Avro `fixed`.
pub(crate) const FIXED_SIZE: &str = "connect.fixed.size";

/// How schemas are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// Whether Connect's own properties are written.
    pub meta_data: bool,
    /// Whether enums stay enums, and union members have full names.
    pub enhanced: bool,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            meta_data: true,
            enhanced: false,
        }
    }
}

#[cfg(test)]
mod tests;
