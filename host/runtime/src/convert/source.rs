//! From a plugin's record to the bytes that are stored.

use std::sync::Arc;

use linkspan_plugin::batch::Data;
use linkspan_plugin::{json, tagged};

use super::{KEY_SCHEMA_HEADER, VALUE_SCHEMA_HEADER, header};
use crate::error::TaskError;
use crate::keys::KeyFields;
use crate::schemas::{Registered, SchemaRegistry};

/// A key or value as it is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stored {
    /// Null bytes.
    Null,
    /// The bytes lie in the scratch buffer or the plugin's batch; see [`SourceConverter::bytes`].
    Scratch,
    /// The plugin's bytes as they are.
    Borrowed,
}

/// Scratch space and caches of one source task; nothing is allocated per record once they have grown.
#[derive(Debug)]
pub(crate) struct SourceConverter {
    schemas: Arc<SchemaRegistry>,
    key_fields: Option<KeyFields>,
    /// Last schema met; a task rarely mixes them.
    recent: Vec<Arc<Registered>>,
    /// Schemas named by records of the batch in hand.
    pub(crate) used: Vec<Arc<Registered>>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    header_bytes: Vec<u8>,
    header_spans: Vec<(usize, Option<(usize, usize)>)>,
}

/// The converted record: where its parts lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Converted {
    pub(crate) key: Stored,
    pub(crate) value: Stored,
}

impl SourceConverter {
    pub(crate) fn new(schemas: Arc<SchemaRegistry>, key_fields: &[String]) -> Self {
        let key_fields = (!key_fields.is_empty()).then(|| KeyFields::new(key_fields));
        Self {
            schemas,
            key_fields,
            recent: Vec::new(),
            used: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            header_bytes: Vec::new(),
            header_spans: Vec::new(),
        }
    }

    fn lookup(&mut self, handle: u32) -> Result<Arc<Registered>, TaskError> {
        if let Some(found) = self.recent.iter().find(|entry| entry.handle == handle) {
            return Ok(Arc::clone(found));
        }
        let found = self
            .schemas
            .by_handle(handle)
            .ok_or_else(|| TaskError::internal("record names an unknown schema handle"))?;
        if self.recent.len() >= 16 {
            self.recent.clear();
        }
        self.recent.push(Arc::clone(&found));
        Ok(found)
    }

    fn note_used(&mut self, entry: &Arc<Registered>) {
        if !self.used.iter().any(|used| used.handle == entry.handle) {
            self.used.push(Arc::clone(entry));
        }
    }

    /// Converts key, value and headers of one record into the scratch buffers.
    pub(crate) fn convert<'a>(
        &mut self,
        key: &Data<'_>,
        value: &Data<'_>,
        headers: impl Iterator<Item = (&'a str, Data<'a>)>,
    ) -> Result<Converted, TaskError> {
        self.header_bytes.clear();
        self.header_spans.clear();
        for (name, data) in headers {
            self.push_header(name, &data)?;
        }
        let stored_value = self.data(value, true)?;
        let stored_key = if self.key_fields.is_some() {
            self.key_from_value(value)?
        } else {
            self.data(key, false)?
        };
        Ok(Converted {
            key: stored_key,
            value: stored_value,
        })
    }

    fn data(&mut self, data: &Data<'_>, is_value: bool) -> Result<Stored, TaskError> {
        match data {
            Data::Null => Ok(Stored::Null),
            Data::Bytes(_) | Data::Json(_) | Data::Utf8(_) => Ok(Stored::Borrowed),
            Data::Typed { schema, row } => {
                let entry = self.lookup(*schema)?;
                let scratch = if is_value {
                    &mut self.value
                } else {
                    &mut self.key
                };
                scratch.clear();
                json::row_to_json(&entry.schema, row, scratch)
                    .map_err(|error| TaskError::data(error.to_string()))?;
                let null = scratch.as_slice() == b"null";
                self.schema_header(
                    if is_value {
                        VALUE_SCHEMA_HEADER
                    } else {
                        KEY_SCHEMA_HEADER
                    },
                    &entry,
                );
                Ok(if null { Stored::Null } else { Stored::Scratch })
            }
            Data::Tagged(bytes) => {
                let scratch = if is_value {
                    &mut self.value
                } else {
                    &mut self.key
                };
                scratch.clear();
                tagged::to_json(bytes, scratch)
                    .map_err(|error| TaskError::data(error.to_string()))?;
                Ok(Stored::Scratch)
            }
        }
    }

    fn key_from_value(&mut self, value: &Data<'_>) -> Result<Stored, TaskError> {
        let Some(mut fields) = self.key_fields.take() else {
            return Ok(Stored::Null);
        };
        let outcome = match value {
            Data::Typed { schema, row } => {
                let entry = self.lookup(*schema)?;
                fields
                    .write_typed(&self.schemas, &entry, row, &mut self.key)
                    .map(Some)
            }
            Data::Json(bytes) => fields.write_json(bytes, &mut self.key).map(|()| None),
            _ => Err(TaskError::data(
                "`key.fields` needs a row or a JSON object as the value, this record has neither",
            )),
        };
        self.key_fields = Some(fields);
        if let Some(entry) = outcome? {
            self.schema_header(KEY_SCHEMA_HEADER, &entry);
        }
        Ok(Stored::Scratch)
    }

    fn schema_header(&mut self, name: &'static str, entry: &Arc<Registered>) {
        self.note_used(entry);
        self.span(name, Some(entry.id.as_bytes()));
    }

    fn push_header(&mut self, name: &str, data: &Data<'_>) -> Result<(), TaskError> {
        if name == VALUE_SCHEMA_HEADER || name == KEY_SCHEMA_HEADER {
            return Err(TaskError::data(format!(
                "header `{name}` belongs to the host, a plugin may not set it"
            )));
        }
        let name_start = self.header_bytes.len();
        self.header_bytes.extend_from_slice(name.as_bytes());
        let value_start = self.header_bytes.len();
        let null = header::write(data, &self.schemas, &mut self.header_bytes)?;
        let value = (!null).then_some((value_start, self.header_bytes.len()));
        self.header_spans.push((name_start, value));
        if null {
            // The name ends where the next header begins; an empty value keeps that readable.
            debug_assert_eq!(value_start, self.header_bytes.len());
        }
        Ok(())
    }

    fn span(&mut self, name: &str, value: Option<&[u8]>) {
        let name_start = self.header_bytes.len();
        self.header_bytes.extend_from_slice(name.as_bytes());
        let value_start = self.header_bytes.len();
        if let Some(value) = value {
            self.header_bytes.extend_from_slice(value);
        }
        self.header_spans.push((
            name_start,
            value.map(|_| (value_start, self.header_bytes.len())),
        ));
    }

    /// Bytes that the headers of the record converted last take, framing included; 0 without headers.
    pub(crate) fn header_len(&self) -> usize {
        const FRAMING: usize = 10;
        self.header_bytes.len() + self.header_spans.len() * FRAMING
    }

    /// The headers of the record converted last, in order.
    pub(crate) fn headers(&self) -> impl ExactSizeIterator<Item = (&[u8], Option<&[u8]>)> {
        self.header_spans
            .iter()
            .enumerate()
            .map(|(index, (start, value))| {
                let name_end = match value {
                    Some((value_start, _)) => *value_start,
                    None => self
                        .header_spans
                        .get(index + 1)
                        .map_or(self.header_bytes.len(), |next| next.0),
                };
                let name = self.header_bytes.get(*start..name_end).unwrap_or_default();
                let value =
                    value.map(|(from, to)| self.header_bytes.get(from..to).unwrap_or_default());
                (name, value)
            })
    }

    /// The stored bytes of a part: from scratch, or from the plugin's own buffer.
    pub(crate) fn bytes<'a>(
        stored: Stored,
        scratch: &'a [u8],
        data: &Data<'a>,
    ) -> Option<&'a [u8]> {
        match stored {
            Stored::Null => None,
            Stored::Scratch => Some(scratch),
            Stored::Borrowed => match data {
                Data::Bytes(bytes) | Data::Json(bytes) => Some(bytes),
                Data::Utf8(text) => Some(text.as_bytes()),
                Data::Null | Data::Typed { .. } | Data::Tagged(_) => None,
            },
        }
    }
}
