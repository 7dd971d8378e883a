//! JSON Schema: what Confluent's JsonSchemaConverter makes of Connect's schemas, and the reverse.
//!
//! ```text
//! Connect schema ─► JSON Schema      `from_connect`     int32 is {"type":"integer","connect.type":"int32"}
//! JSON Schema    ─► Connect schema   `to_connect`
//! Connect value  ─► JSON ─► Connect value                as the converter `json` without an envelope, see `crate::json`
//! ```
//! Where ids and texts come from is not here: see [`crate::registered`].
//!
//! # Limits
//! A value is not validated against what is no type (`pattern`, `minimum`, `format` and the like).
//! A schema that contains itself, an array without `items`, and a schema that allows anything have no Connect schema here
//! and are refused. Members that a schema does not name are left out.

mod from_connect;
mod to_connect;

use std::sync::Arc;

use crate::json::{DecimalFormat, DefaultForNull, Dialect, Writer, parse, read_value, tree_text};
use crate::{Error, Schema, Value};

/// What begins the names of parameters that are this converter's own.
const NAMESPACE: &str = "io.confluent.connect.json";
/// The parameter that marks an enum; its symbols stand behind a dot.
const ENUM: &str = "io.confluent.connect.json.Enum";
/// The struct that stands for a union.
pub(crate) const ONE_OF: &str = "io.confluent.connect.json.OneOf";
/// The most nodes of a schema when every reference is followed: a few lines could otherwise become billions.
const NODES_MAX: usize = 100_000;

/// How schemas and values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonMapping {
    /// Whether decimals are numbers; base64 otherwise. Both are read.
    pub numeric_decimals: bool,
    /// Whether objects may have members that the schema does not name.
    pub additional_properties: bool,
    /// Whether fields that are not optional are listed as `required`.
    pub lists_required: bool,
}

impl Default for JsonMapping {
    fn default() -> Self {
        Self {
            numeric_decimals: false,
            additional_properties: true,
            lists_required: false,
        }
    }
}

impl JsonMapping {
    const fn writer(self) -> Writer {
        Writer {
            decimals: if self.numeric_decimals {
                DecimalFormat::Numeric
            } else {
                DecimalFormat::Base64
            },
            nulls: DefaultForNull::Default,
            dialect: Dialect::JsonSchema,
        }
    }
}

/// A JSON Schema with the Connect schema of its values.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonSchema {
    json: String,
    title: Option<String>,
    schema: Arc<Schema>,
}

impl JsonSchema {
    /// Returns the JSON Schema of a Connect schema.
    ///
    /// # Errors
    /// Items, keys or values without a schema; a default that cannot be written.
    pub fn of(schema: &Arc<Schema>, mapping: JsonMapping) -> Result<Self, Error> {
        Ok(Self {
            json: from_connect::json_schema(schema, mapping)?.to_string(),
            title: schema.name.as_deref().map(str::to_owned),
            schema: Arc::clone(schema),
        })
    }

    /// Reads a JSON Schema; `references` are the names and texts of the documents that it refers to.
    ///
    /// # Errors
    /// Says where the text is no JSON Schema, or none that has a Connect schema.
    pub fn parse(text: &str, references: &[(String, String)]) -> Result<Self, Error> {
        let schema = to_connect::connect_schema(text, references)?;
        Ok(Self {
            json: text.to_owned(),
            title: schema.name.as_deref().map(str::to_owned),
            schema: Arc::new(schema),
        })
    }

    /// Returns the text.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Returns the title, which names the record.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// Returns the Connect schema.
    #[must_use]
    pub const fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }
}

/// Appends the JSON of a value.
///
/// # Errors
/// Names the place where the value does not fit its schema.
pub(crate) fn encode(
    mapping: JsonMapping,
    schema: &Schema,
    value: &Value,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut text = String::new();
    mapping.writer().write(Some(schema), value, &mut text)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Reads the JSON of a value.
///
/// # Errors
/// Says where the text is no JSON, or where the value does not fit the schema.
pub(crate) fn decode(schema: &Arc<Schema>, bytes: &[u8]) -> Result<Value, Error> {
    let text = tree_text(bytes)?;
    let node = parse(&text)?;
    if node.is_none() {
        return Err(Error::data("there is no JSON behind the schema's id"));
    }
    let reading = JsonMapping::default().writer().reading();
    read_value(Some(schema), node.as_ref(), reading)
}

/// Names the member of a union at a position.
fn member_name(position: usize) -> String {
    format!("{ONE_OF}.field.{position}")
}

#[cfg(test)]
mod tests;
