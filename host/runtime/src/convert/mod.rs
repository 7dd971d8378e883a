//! Values between the plugin boundary and the log: the converters `auto` and `row`, and the way to all others.
//!
//! ```text
//! bytes, utf8, json  ─► the same bytes                                ─► bytes
//! typed row          ─► JSON + header `linkspan.schema` = schema id   ─► typed row
//! self-describing    ─► JSON                                          ─► bytes
//! null               ─► null                                          ─► null
//! ```
//! `row` stores the binary row; its header ends in `.row`, so that both read what either wrote.
//! Every other converter is `linkspan-convert`'s: a tree is built for it, except where the bytes pass as they are. `avro` and
//! `json-schema` ask a schema registry besides.
//! Keys likewise, with the header `linkspan.schema.key`. Both headers are stripped before a sink sees the record.

mod converters;
mod header;
mod registered;
mod sink;
mod source;
mod typed;

pub(crate) use self::converters::Converters;
pub(crate) use self::sink::{Named, SinkConverter, plain};
pub(crate) use self::source::SourceConverter;
pub(crate) use self::typed::{Form, Models, data};

/// Record header that names the schema of a value.
pub(crate) const VALUE_SCHEMA_HEADER: &str = "linkspan.schema";
/// Record header that names the schema of a key.
pub(crate) const KEY_SCHEMA_HEADER: &str = "linkspan.schema.key";
/// What follows the schema's id in these headers where the row is stored in binary.
const ROW_SUFFIX: &str = ".row";
