//! Records as a test sees and makes them: owned and decoded.

use std::sync::Arc;

use linkspan_abi::{
    RowError,
    batch::Data,
    json::row_to_json,
    row::{read_value, write_value},
    schema::{Schema, SchemaLookup as _},
    tagged::{self, Tagged},
    value::Value,
};

use crate::host::shared;

/// A record, out of a source or into a sink.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TestRecord {
    /// The topic.
    pub topic: String,
    /// The partition; out of a source `None` where the key decides, into a sink 0 then.
    pub partition: Option<i32>,
    /// Out of a source: the JSON of the source partition it is stamped with.
    pub source_partition: Option<String>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: TestData,
    /// The value.
    pub value: TestData,
    /// The headers, in order.
    pub headers: Vec<(String, TestData)>,
}

impl TestRecord {
    /// Makes a record of a value.
    #[must_use]
    pub fn new(topic: &str, value: impl Into<TestData>) -> Self {
        Self {
            topic: topic.to_owned(),
            value: value.into(),
            ..Self::default()
        }
    }

    /// Sets the partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<TestData>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets the time.
    #[must_use]
    pub fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<TestData>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// A key, a value or a header's value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum TestData {
    /// No value.
    #[default]
    Null,
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Utf8(String),
    /// A JSON text.
    Json(String),
    /// A typed value with its schema.
    Typed(Arc<Schema>, Value),
    /// A self-describing value.
    Tagged(Tagged),
}

impl From<&str> for TestData {
    fn from(text: &str) -> Self {
        Self::Utf8(text.to_owned())
    }
}

impl From<String> for TestData {
    fn from(text: String) -> Self {
        Self::Utf8(text)
    }
}

impl From<&[u8]> for TestData {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for TestData {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<serde_json::Value> for TestData {
    fn from(json: serde_json::Value) -> Self {
        Self::Json(json.to_string())
    }
}

impl From<(&Arc<Schema>, Value)> for TestData {
    fn from((schema, value): (&Arc<Schema>, Value)) -> Self {
        Self::Typed(Arc::clone(schema), value)
    }
}

impl TestData {
    /// Returns what a person would read: text and JSON as they are, bytes as text where they are UTF-8, the JSON of a typed value,
    /// `null`.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Utf8(text) | Self::Json(text) => text.clone(),
            Self::Typed(schema, value) => {
                typed_json(schema, value).unwrap_or_else(|error| format!("({error})"))
            }
            Self::Tagged(value) => format!("{value:?}"),
        }
    }

    /// Returns the value of a typed one.
    #[must_use]
    pub const fn typed(&self) -> Option<&Value> {
        match self {
            Self::Typed(_, value) => Some(value),
            _ => None,
        }
    }

    /// Decodes what a batch holds. The batch was checked in full before, so that only a wrong schema can fail here.
    pub(crate) fn decode(data: Data<'_>) -> Result<Self, String> {
        Ok(match data {
            Data::Null => Self::Null,
            Data::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Data::Utf8(text) => Self::Utf8(text.to_owned()),
            Data::Json(json) => Self::Json(String::from_utf8_lossy(json).into_owned()),
            Data::Typed { schema, row } => {
                let known = shared()
                    .schema(schema)
                    .ok_or_else(|| format!("no schema {schema}"))?;
                let value = read_value(&known, row).map_err(|error| error.to_string())?;
                Self::Typed(known, value)
            }
            Data::Tagged(bytes) => {
                Self::Tagged(tagged::decode(bytes).map_err(|error| error.to_string())?)
            }
        })
    }

    /// Encodes for a batch; what has to be encoded is appended to `room`.
    pub(crate) fn encode(&self) -> Result<Encoded<'_>, RowError> {
        let mut row = Vec::new();
        Ok(match self {
            Self::Typed(schema, value) => {
                write_value(schema, value, &mut row)?;
                Encoded::Typed(shared().register(schema), row)
            }
            Self::Tagged(value) => {
                tagged::encode(value, &mut row)?;
                Encoded::Tagged(row)
            }
            Self::Null => Encoded::Plain(Data::Null),
            Self::Bytes(bytes) => Encoded::Plain(Data::Bytes(bytes)),
            Self::Utf8(text) => Encoded::Plain(Data::Utf8(text)),
            Self::Json(json) => Encoded::Plain(Data::Json(json.as_bytes())),
        })
    }
}

/// A value ready for a batch.
pub(crate) enum Encoded<'a> {
    Plain(Data<'a>),
    Typed(u32, Vec<u8>),
    Tagged(Vec<u8>),
}

impl Encoded<'_> {
    pub(crate) fn data(&self) -> Data<'_> {
        match self {
            Self::Plain(data) => *data,
            Self::Typed(schema, row) => Data::Typed {
                schema: *schema,
                row,
            },
            Self::Tagged(bytes) => Data::Tagged(bytes),
        }
    }
}

fn typed_json(schema: &Schema, value: &Value) -> Result<String, RowError> {
    let (mut row, mut json) = (Vec::new(), Vec::new());
    write_value(schema, value, &mut row)?;
    row_to_json(schema, &row, &mut json)?;
    Ok(String::from_utf8_lossy(&json).into_owned())
}
