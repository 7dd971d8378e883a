//! Values between the plugin boundary and the log: the `auto` converter.
//!
//! ```text
//! bytes, utf8, json  ─► the same bytes                                ─► bytes
//! typed row          ─► JSON + header `linkspan.schema` = schema id   ─► typed row
//! self-describing    ─► JSON                                          ─► bytes
//! null               ─► null                                          ─► null
//! ```
//! Keys likewise, with the header `linkspan.schema.key`. Both headers are stripped before a sink sees the record.

mod header;
mod sink;
mod source;

pub(crate) use self::sink::{Named, SinkConverter, kept_headers, plain};
pub(crate) use self::source::SourceConverter;

/// Record header that names the schema of a value.
pub(crate) const VALUE_SCHEMA_HEADER: &str = "linkspan.schema";
/// Record header that names the schema of a key.
pub(crate) const KEY_SCHEMA_HEADER: &str = "linkspan.schema.key";
