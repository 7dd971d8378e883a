//! JSON as Connect's JsonConverter reads and writes it (Jackson's rules), with values and schemas of the model.
//!
//! ```text
//! text ──tree──► Node ──read──► Value        Value ──write──► text
//!                  └──schema──► Schema       Schema ─schema─► text
//! ```
//! Not here: the JSON of a typed row at rest, which is `linkspan-abi`'s own.

mod read;
mod schema;
mod tree;
mod write;

pub(crate) use read::{DefaultForNull, Reading, read_value};
pub(crate) use schema::{read_schema, write_schema};
pub(crate) use tree::{Node, parse, tree_text};
pub(crate) use write::{DecimalFormat, Writer};

/// Whose JSON it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Connect's JsonConverter: an entry of a map whose keys are no text is a pair.
    Connect,
    /// Confluent's JsonSchemaConverter: such an entry is an object of `key` and `value`, and a union is its one member.
    JsonSchema,
}
