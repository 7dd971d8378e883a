//! From a plugin's record to the bytes that are stored.

use std::sync::Arc;

use linkspan_convert::{Converter, PrimitiveConverter, Stage};
use linkspan_plugin::batch::Data;
use linkspan_plugin::{json, row, tagged};

use super::registered::RegisteredTask;
use super::typed::{Models, data_error};
use super::{Converters, KEY_SCHEMA_HEADER, ROW_SUFFIX, VALUE_SCHEMA_HEADER, header};
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
    converters: Converters,
    models: Models,
    registered: RegisteredTask,
    key_fields: Option<KeyFields>,
    /// Last schema met; a task rarely mixes them.
    recent: Vec<Arc<Registered>>,
    /// Schemas named by records of the batch in hand.
    pub(crate) used: Vec<Arc<Registered>>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    /// The key made by `key.fields`, before its converter.
    key_row: Vec<u8>,
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
    pub(crate) fn new(
        schemas: Arc<SchemaRegistry>,
        key_fields: &[String],
        converters: Converters,
    ) -> Self {
        let key_fields = (!key_fields.is_empty()).then(|| KeyFields::new(key_fields));
        Self {
            models: Models::new(Arc::clone(&schemas)),
            registered: RegisteredTask::default(),
            schemas,
            converters,
            key_fields,
            recent: Vec::new(),
            used: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            key_row: Vec::new(),
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
        topic: &str,
        key: &Data<'_>,
        value: &Data<'_>,
        headers: impl Iterator<Item = (&'a str, Data<'a>)>,
    ) -> Result<Converted, TaskError> {
        self.header_bytes.clear();
        self.header_spans.clear();
        for (name, data) in headers {
            self.push_header(name, &data)
                .map_err(|error| error.at(Stage::HeaderConverter))?;
        }
        let stored_value = self
            .data(topic, value, true)
            .map_err(|error| error.at(Stage::ValueConverter))?;
        let stored_key = if self.key_fields.is_some() {
            self.key_from_value(topic, value)
        } else {
            self.data(topic, key, false)
        }
        .map_err(|error| error.at(Stage::KeyConverter))?;
        Ok(Converted {
            key: stored_key,
            value: stored_value,
        })
    }

    fn data(&mut self, topic: &str, data: &Data<'_>, is_value: bool) -> Result<Stored, TaskError> {
        let converter = if is_value {
            &self.converters.value
        } else {
            &self.converters.key
        };
        match (converter, data) {
            (Converter::Auto, _) => self.auto(data, is_value),
            (Converter::Row, Data::Typed { schema, row }) => self.row(*schema, row, is_value),
            (Converter::Row, _) => self.auto(data, is_value),
            (Converter::Registered(options), _) => {
                let value = self.models.read(data)?;
                let scratch = if is_value {
                    &mut self.value
                } else {
                    &mut self.key
                };
                scratch.clear();
                let written = self
                    .registered
                    .write(options, topic, is_value, &value, scratch)?;
                Ok(if written {
                    Stored::Scratch
                } else {
                    Stored::Null
                })
            }
            _ if passes(converter, data) => Ok(Stored::Borrowed),
            _ => {
                let value = self.models.read(data)?;
                let stored = converter.from_connect(value.schema.as_ref(), &value.value);
                let Some(stored) = stored.map_err(|error| data_error(&error))? else {
                    return Ok(Stored::Null);
                };
                let scratch = if is_value {
                    &mut self.value
                } else {
                    &mut self.key
                };
                scratch.clear();
                scratch.extend_from_slice(&stored);
                Ok(Stored::Scratch)
            }
        }
    }

    /// Stores a row in binary.
    fn row(&mut self, schema: u32, bytes: &[u8], is_value: bool) -> Result<Stored, TaskError> {
        let entry = self.lookup(schema)?;
        let (scratch, header) = if is_value {
            (&mut self.value, VALUE_SCHEMA_HEADER)
        } else {
            (&mut self.key, KEY_SCHEMA_HEADER)
        };
        scratch.clear();
        scratch.extend_from_slice(bytes);
        self.note_used(&entry);
        self.span(header, Some(&format!("{}{ROW_SUFFIX}", entry.id)));
        Ok(if row::is_null(&entry.schema, bytes) {
            Stored::Null
        } else {
            Stored::Scratch
        })
    }

    fn auto(&mut self, data: &Data<'_>, is_value: bool) -> Result<Stored, TaskError> {
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

    fn key_from_value(&mut self, topic: &str, value: &Data<'_>) -> Result<Stored, TaskError> {
        let Some(mut fields) = self.key_fields.take() else {
            return Ok(Stored::Null);
        };
        let outcome = match value {
            Data::Typed { schema, row } => {
                let entry = self.lookup(*schema)?;
                let mut key = std::mem::take(&mut self.key_row);
                let key_entry = fields.write_typed(&self.schemas, &entry, row, &mut key);
                let stored = key_entry.and_then(|entry| {
                    let schema = entry.handle;
                    self.data(topic, &Data::Typed { schema, row: &key }, false)
                });
                self.key_row = key;
                stored
            }
            Data::Json(bytes) => {
                let mut key = std::mem::take(&mut self.key_row);
                let stored = fields
                    .write_json(bytes, &mut key)
                    .and_then(|()| self.data(topic, &Data::Json(&key), false));
                if matches!(stored, Ok(Stored::Borrowed)) {
                    self.key.clear();
                    self.key.extend_from_slice(&key);
                }
                self.key_row = key;
                stored.map(|_| Stored::Scratch)
            }
            _ => Err(TaskError::data(
                "`key.fields` needs a row or a JSON object as the value, this record has neither",
            )),
        };
        self.key_fields = Some(fields);
        outcome
    }

    fn schema_header(&mut self, name: &'static str, entry: &Arc<Registered>) {
        self.note_used(entry);
        self.span(name, Some(&entry.id));
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
        let null = header::write(
            data,
            &self.converters.header,
            &mut self.models,
            &mut self.header_bytes,
        )
        .map_err(|error| TaskError {
            message: format!("header `{name}`: {}", error.message),
            ..error
        })?;
        let value = (!null).then_some((value_start, self.header_bytes.len()));
        self.header_spans.push((name_start, value));
        if null {
            // The name ends where the next header begins; an empty value keeps that readable.
            debug_assert_eq!(value_start, self.header_bytes.len());
        }
        Ok(())
    }

    fn span(&mut self, name: &str, value: Option<&str>) {
        let name_start = self.header_bytes.len();
        self.header_bytes.extend_from_slice(name.as_bytes());
        let value_start = self.header_bytes.len();
        if let Some(value) = value {
            self.header_bytes.extend_from_slice(value.as_bytes());
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

/// Whether a converter stores what the plugin gave as it is.
fn passes(converter: &Converter, data: &Data<'_>) -> bool {
    match (converter, data) {
        (Converter::Primitive(PrimitiveConverter::Bytes), Data::Bytes(_)) => true,
        (Converter::String(text), Data::Utf8(_)) => text.is_utf8(),
        (Converter::Json(json), Data::Json(_)) => json.is_bare(),
        _ => false,
    }
}
