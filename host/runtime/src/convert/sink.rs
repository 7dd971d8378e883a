//! From stored bytes to what a sink's plugin sees.

use std::sync::Arc;

use linkspan_log::LogBackend;
use linkspan_plugin::batch::Data;
use linkspan_plugin::json;
use linkspan_wire::Record;

use super::{KEY_SCHEMA_HEADER, VALUE_SCHEMA_HEADER};
use crate::error::TaskError;
use crate::schemas::{Registered, SchemaRegistry};

/// Scratch space and caches of one sink task.
#[derive(Debug)]
pub(crate) struct SinkConverter {
    schemas: Arc<SchemaRegistry>,
    log: Arc<dyn LogBackend>,
    recent: Vec<Arc<Registered>>,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// The schemas that a record's headers name.
#[derive(Debug, Default)]
pub(crate) struct Named<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Named<'a> {
    /// Takes note of one header; returns whether it is the host's own and to be stripped.
    pub(crate) fn note(&mut self, name: &[u8], value: Option<&'a [u8]>) -> bool {
        if name == VALUE_SCHEMA_HEADER.as_bytes() {
            self.value = value;
            true
        } else if name == KEY_SCHEMA_HEADER.as_bytes() {
            self.key = value;
            true
        } else {
            false
        }
    }

    pub(crate) fn of(record: &Record<'a>) -> (Self, usize) {
        let mut named = Self::default();
        let mut kept = 0;
        for (name, value) in record.headers {
            if !named.note(name, value) {
                kept += 1;
            }
        }
        (named, kept)
    }
}

impl SinkConverter {
    pub(crate) fn new(schemas: Arc<SchemaRegistry>, log: Arc<dyn LogBackend>) -> Self {
        Self {
            schemas,
            log,
            recent: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    fn by_id(&mut self, id: &[u8]) -> Result<Arc<Registered>, TaskError> {
        if let Some(found) = self.recent.iter().find(|entry| entry.id.as_bytes() == id) {
            return Ok(Arc::clone(found));
        }
        let text =
            std::str::from_utf8(id).map_err(|_| TaskError::data("schema header is not text"))?;
        let found = self.schemas.by_stored_id(text, self.log.as_ref())?;
        if self.recent.len() >= 16 {
            self.recent.clear();
        }
        self.recent.push(Arc::clone(&found));
        Ok(found)
    }

    /// Fills the scratch rows for a record that names schemas; returns the handles of key and value.
    pub(crate) fn prepare(
        &mut self,
        record: &Record<'_>,
        named: &Named<'_>,
    ) -> Result<Handles, TaskError> {
        let key = match named.key {
            None => None,
            Some(id) => {
                let entry = self.by_id(id)?;
                self.key.clear();
                read(&entry, record.key, &mut self.key)?;
                Some(entry.handle)
            }
        };
        let value = match named.value {
            None => None,
            Some(id) => {
                let entry = self.by_id(id)?;
                self.value.clear();
                read(&entry, record.value, &mut self.value)?;
                Some(entry.handle)
            }
        };
        Ok(Handles { key, value })
    }

    pub(crate) fn key<'s>(&'s self, record: &Record<'s>, handles: &Handles) -> Data<'s> {
        part(handles.key, record.key, &self.key)
    }

    pub(crate) fn value<'s>(&'s self, record: &Record<'s>, handles: &Handles) -> Data<'s> {
        part(handles.value, record.value, &self.value)
    }
}

/// Schema handles of a record's parts; `None` where the bytes stay as they are.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    key: Option<u32>,
    value: Option<u32>,
}

fn part<'a>(handle: Option<u32>, stored: Option<&'a [u8]>, row: &'a [u8]) -> Data<'a> {
    match (handle, stored) {
        (Some(schema), _) => Data::Typed { schema, row },
        (None, Some(bytes)) => Data::Bytes(bytes),
        (None, None) => Data::Null,
    }
}

/// Stored JSON to a row; stored null is the JSON `null`, valid where the schema is optional.
fn read(entry: &Registered, stored: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), TaskError> {
    json::json_to_row(&entry.schema, stored.unwrap_or(b"null"), out).map_err(|error| {
        TaskError::data(format!(
            "stored row does not fit schema `{}`: {error}",
            entry.id
        ))
    })
}

/// A part without a schema header: bytes as they are.
pub(crate) fn plain(stored: Option<&[u8]>) -> Data<'_> {
    stored.map_or(Data::Null, Data::Bytes)
}

/// The headers of a record without the host's own.
pub(crate) fn kept_headers<'a>(
    record: &Record<'a>,
    kept: usize,
) -> Result<Vec<(&'a str, Data<'a>)>, TaskError> {
    let mut headers = Vec::with_capacity(kept);
    for (name, value) in record.headers {
        if !Named::default().note(name, value) {
            let name = std::str::from_utf8(name)
                .map_err(|_| TaskError::data("header name is not UTF-8"))?;
            headers.push((name, plain(value)));
        }
    }
    Ok(headers)
}
