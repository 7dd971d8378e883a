//! A record on its way through transforms, Connect's `ConnectRecord`.

use std::sync::Arc;

use crate::{Headers, Schema, Value};

/// A value with its schema; without one it is *schemaless*.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaAndValue {
    /// The schema.
    pub schema: Option<Arc<Schema>>,
    /// The value; it may be null although there is a schema.
    pub value: Value,
}

impl SchemaAndValue {
    /// Neither schema nor value: a tombstone's value.
    pub const NULL: Self = Self {
        schema: None,
        value: Value::Null,
    };

    /// Returns a value with its schema.
    #[must_use]
    pub const fn new(schema: Option<Arc<Schema>>, value: Value) -> Self {
        Self { schema, value }
    }

    /// Returns a value without a schema.
    #[must_use]
    pub const fn schemaless(value: Value) -> Self {
        Self {
            schema: None,
            value,
        }
    }
}

/// What a record's timestamp means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// There is none.
    #[default]
    NoTimestamp,
    /// When the record was made.
    CreateTime,
    /// When the log took it.
    LogAppendTime,
}

/// A place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coordinates {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A record; clones share topic, schemas and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The topic; transforms may route to another.
    pub topic: Arc<str>,
    /// The partition, `None` where the partitioner decides.
    pub partition: Option<i32>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// What the timestamp means; of a sink's record only.
    pub timestamp_type: TimestampType,
    /// The key.
    pub key: SchemaAndValue,
    /// The value.
    pub value: SchemaAndValue,
    /// The headers.
    pub headers: Headers,
    /// Where a sink's record was read, before any transform (KIP-793); `None` on the way from a source.
    pub origin: Option<Coordinates>,
}

impl Record {
    /// Returns whether the value is null, with or without a schema.
    #[must_use]
    pub const fn is_tombstone(&self) -> bool {
        self.value.value.is_null()
    }
}
