//! Kafka Connect's data model between bytes and typed values.
//!
//! ```text
//! stored bytes ─► converter ─► SchemaAndValue ─► transforms ─► SchemaAndValue ─► converter ─► stored bytes
//! plugin's row ─────────────►        │                              │           ─────────────► plugin's row
//!                                    └── a Record holds key, value and headers of one ──┘
//! ```
//! Everything here is a pure function of its input: no files, no log, no threads, no clock.
//! A record whose bytes pass as they are never becomes a tree; the runtime builds one only for a transform or a
//! converter that needs it.
//!
//! The model is Connect's own, not that of the plugin boundary (`linkspan-abi`), because they differ where it matters:
//! a schemaless decimal or date is a value of its own here; an array's items may have no schema; a struct may carry
//! another schema than the one in context; parameters keep their order; and clones are cheap, since transforms share
//! most of what they pass on.

pub mod avro;
mod base64;
pub mod boundary;
mod calendar;
pub mod converter;
mod decimal;
mod error;
mod errors;
mod headers;
mod java;
mod json;
pub mod json_schema;
mod logical;
mod map;
pub mod options;
pub mod predicate;
mod project;
mod record;
pub mod registered;
mod schema;
mod structure;
pub mod transform;
mod value;
pub mod values;

pub use converter::{
    Converter, ConverterClass, JsonConverter, PrimitiveConverter, Role, StringConverter,
};
pub use decimal::Decimal;
pub use error::{Class, Error, Refusal};
pub use errors::{Exception, Failure, Stage, error_headers};
pub use headers::{Header, Headers};
pub use map::Map;
pub use record::{Coordinates, Record, SchemaAndValue, TimestampType};
pub use schema::{Field, Fields, Kind, Logical, Parameters, Schema, Type};
pub use structure::Struct;
pub use transform::{pattern_problem, whole_match};
pub use value::Value;
