//! The converter `json`: Connect's JsonConverter.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use indexmap::IndexMap;

use crate::json::{
    DecimalFormat, DefaultForNull, Dialect, Node, Writer, parse, read_schema, read_value,
    tree_text, write_schema,
};
use crate::options::{ConfigProblem, OptionDef, Rule, Settings};
use crate::{Error, Schema, SchemaAndValue, Value};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::boolean(
        "schemas.enable",
        "true",
        "Whether each value stands in an envelope `{\"schema\":…,\"payload\":…}`.",
    ),
    OptionDef::int(
        "schemas.cache.size",
        "How many schemas are kept ready in each direction.",
    )
    .default("1000"),
    OptionDef::string(
        "decimal.format",
        "How decimals are written; both forms are read.",
    )
    .default("BASE64")
    .rule(Rule::OneOfIgnoringCase(&["BASE64", "NUMERIC"])),
    crate::options::REPLACE_NULL,
    OptionDef::string(
        "schema.content",
        "The schema JSON of all values that are read, instead of one in each envelope.",
    ),
];

const SCHEMA: &str = "schema";
const PAYLOAD: &str = "payload";

/// JSON with or without an envelope.
#[derive(Debug)]
pub struct JsonConverter {
    envelope: bool,
    writer: Writer,
    /// The schema of everything that is read.
    fixed: Option<Arc<Schema>>,
    /// By address: the entry holds the schema, so that its address stays its own.
    written: Cache<usize, (Arc<Schema>, Arc<str>)>,
    read: Cache<Box<str>, Option<Arc<Schema>>>,
}

impl JsonConverter {
    /// Returns a converter from its options.
    ///
    /// # Errors
    /// `schema.content` must be schema JSON.
    pub fn new(settings: &Settings) -> Result<Self, ConfigProblem> {
        let nulls = if settings.boolean("replace.null.with.default") {
            DefaultForNull::Default
        } else {
            DefaultForNull::Null
        };
        let numeric = settings
            .text_or_empty("decimal.format")
            .eq_ignore_ascii_case("NUMERIC");
        let decimals = if numeric {
            DecimalFormat::Numeric
        } else {
            DecimalFormat::Base64
        };
        let cache_size = settings.int("schemas.cache.size").unwrap_or_default();
        let cache_size = usize::try_from(cache_size).unwrap_or(0);
        let content = settings.text_or_empty("schema.content");
        let fixed = if content.is_empty() {
            None
        } else {
            fixed_schema(content, nulls)
                .map_err(|error| ConfigProblem::new("schema.content", error.to_string()))?
        };
        Ok(Self {
            envelope: settings.boolean("schemas.enable"),
            writer: Writer {
                decimals,
                nulls,
                dialect: Dialect::Connect,
            },
            fixed,
            written: Cache::new(cache_size),
            read: Cache::new(cache_size),
        })
    }

    /// Returns whether values stand bare, without an envelope: JSON text is stored as it is.
    #[must_use]
    pub const fn is_bare(&self) -> bool {
        !self.envelope
    }

    /// Returns the JSON of a value; null only where there is neither schema nor value.
    ///
    /// # Errors
    /// Names the place where the value does not fit its schema.
    pub fn from_connect(
        &self,
        schema: Option<&Arc<Schema>>,
        value: &Value,
    ) -> Result<Option<Bytes>, Error> {
        if schema.is_none() && value.is_null() {
            return Ok(None);
        }
        let mut out = String::new();
        if self.envelope {
            out.push_str("{\"schema\":");
            match schema {
                Some(schema) => out.push_str(&self.schema_text(schema)?),
                None => out.push_str("null"),
            }
            out.push_str(",\"payload\":");
        }
        self.writer
            .write(schema.map(|schema| &**schema), value, &mut out)?;
        if self.envelope {
            out.push('}');
        }
        Ok(Some(Bytes::from(out)))
    }

    /// Returns the JSON of a schema alone.
    ///
    /// # Errors
    /// A default must be writable.
    pub fn schema_text(&self, schema: &Arc<Schema>) -> Result<Arc<str>, Error> {
        let key = Arc::as_ptr(schema).addr();
        if let Some((_, text)) = self.written.get(&key) {
            return Ok(text);
        }
        let mut text = String::new();
        write_schema(Some(schema), self.writer, &mut text)?;
        let text: Arc<str> = text.into();
        self.written
            .put(key, (Arc::clone(schema), Arc::clone(&text)));
        Ok(text)
    }

    /// Returns the value of a JSON text.
    ///
    /// # Errors
    /// Says what the text is not, or which value does not fit the schema.
    pub fn to_connect(&self, bytes: Option<&[u8]>) -> Result<SchemaAndValue, Error> {
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue::NULL);
        };
        let text = tree_text(bytes)?;
        let node = parse(&text)?;
        if !self.envelope {
            let value = read_value(None, node.as_ref(), self.writer.reading())?;
            return Ok(SchemaAndValue::schemaless(value));
        }
        if let Some(schema) = &self.fixed {
            let Some(node) = &node else {
                return Err(Error::refused(
                    crate::Refusal::JsonType,
                    "expected a JSON value, got an empty text",
                ));
            };
            let value = read_value(Some(schema), Some(node), self.writer.reading())?;
            return Ok(SchemaAndValue::new(Some(Arc::clone(schema)), value));
        }
        let parts = node.as_ref().and_then(|node| match node {
            Node::Object(members) if members.len() == 2 => {
                Some((members.get(SCHEMA)?, members.get(PAYLOAD)?))
            }
            _ => None,
        });
        let Some((schema, payload)) = parts else {
            return Err(Error::data(
                "with `schemas.enable` the value must be an object of exactly `schema` and `payload`; \
                 for plain JSON set `schemas.enable` to false",
            ));
        };
        let schema = self.schema_of(schema)?;
        let value = read_value(schema.as_ref(), Some(payload), self.writer.reading());
        let value = value.map_err(|error| error.in_field(PAYLOAD))?;
        Ok(SchemaAndValue::new(schema, value))
    }

    fn schema_of(&self, node: &Node<'_>) -> Result<Option<Arc<Schema>>, Error> {
        if matches!(node, Node::Null) {
            return Ok(None);
        }
        let key = node.to_key();
        if let Some(schema) = self.read.get(&*key) {
            return Ok(schema);
        }
        let schema =
            read_schema(node, self.writer.nulls).map_err(|error| error.in_field(SCHEMA))?;
        self.read.put(key, schema.clone());
        Ok(schema)
    }
}

fn fixed_schema(content: &str, nulls: DefaultForNull) -> Result<Option<Arc<Schema>>, Error> {
    match parse(content)? {
        Some(node) => read_schema(&node, nulls),
        None => Err(Error::data("the schema is an empty text")),
    }
}

/// A bounded map: full, it forgets the oldest entry.
#[derive(Debug)]
struct Cache<K, V> {
    entries: Mutex<IndexMap<K, V>>,
    size: usize,
}

impl<K: std::hash::Hash + Eq, V: Clone> Cache<K, V> {
    fn new(size: usize) -> Self {
        Self {
            entries: Mutex::new(IndexMap::new()),
            size,
        }
    }

    fn get<Q: std::hash::Hash + indexmap::Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        if self.size == 0 {
            return;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.size {
            entries.shift_remove_index(0);
        }
        entries.insert(key, value);
    }
}
