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

mod decimal;
mod error;
mod headers;
mod map;
mod record;
mod schema;
mod structure;
mod value;

pub use decimal::Decimal;
pub use error::{Class, Error, Refusal};
pub use headers::{Header, Headers};
pub use map::Map;
pub use record::{Coordinates, Record, SchemaAndValue, TimestampType};
pub use schema::{Field, Fields, Kind, Logical, Parameters, Schema, Type};
pub use structure::Struct;
pub use value::Value;
