//! From stored bytes to what a sink's plugin sees.

use std::sync::Arc;

use linkspan_convert::{Converter, PrimitiveConverter, Stage};
use linkspan_log::LogBackend;
use linkspan_plugin::batch::Data;
use linkspan_plugin::{json, row};
use linkspan_wire::Record;
use serde::de::IgnoredAny;

use super::registered::RegisteredTask;
use super::typed::{Form, Models, data_error};
use super::{Converters, KEY_SCHEMA_HEADER, ROW_SUFFIX, VALUE_SCHEMA_HEADER};
use crate::error::TaskError;
use crate::schemas::{Registered, SchemaRegistry};

/// Scratch space and caches of one sink task.
#[derive(Debug)]
pub(crate) struct SinkConverter {
    schemas: Arc<SchemaRegistry>,
    log: Arc<dyn LogBackend>,
    converters: Converters,
    models: Models,
    registered: RegisteredTask,
    recent: Vec<Arc<Registered>>,
    key: Vec<u8>,
    value: Vec<u8>,
    headers: Vec<u8>,
    /// Where each kept header's value lies.
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    part: Part,
    from: usize,
    to: usize,
}

/// Where a part of the record in hand lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The stored bytes, in this form.
    Stored(Form),
    /// Written to the scratch space, in this form.
    Scratch(Form),
}

/// The two parts of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts {
    key: Part,
    value: Part,
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
    pub(crate) fn new(
        schemas: Arc<SchemaRegistry>,
        log: Arc<dyn LogBackend>,
        converters: Converters,
    ) -> Self {
        Self {
            models: Models::new(Arc::clone(&schemas)),
            registered: RegisteredTask::default(),
            schemas,
            log,
            converters,
            recent: Vec::new(),
            key: Vec::new(),
            value: Vec::new(),
            headers: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Whether a record without headers passes as it is.
    pub(crate) fn passes_plain(&self) -> bool {
        self.converters.all_host()
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

    /// Converts key, value and headers of a record into the scratch space.
    pub(crate) fn prepare(
        &mut self,
        record: &Record<'_>,
        named: &Named<'_>,
    ) -> Result<Parts, TaskError> {
        let mut key = std::mem::take(&mut self.key);
        let mut value = std::mem::take(&mut self.value);
        key.clear();
        value.clear();
        let key_part = if self.converters.key.is_host() {
            self.host(named.key, record.key, &mut key)
        } else {
            let converter = self.converters.key.clone();
            self.foreign(&converter, record.key, &mut key)
        };
        let value_part = if self.converters.value.is_host() {
            self.host(named.value, record.value, &mut value)
        } else {
            let converter = self.converters.value.clone();
            self.foreign(&converter, record.value, &mut value)
        };
        self.key = key;
        self.value = value;
        let parts = Parts {
            key: key_part.map_err(|error| within("key", error).at(Stage::KeyConverter))?,
            value: value_part.map_err(|error| within("value", error).at(Stage::ValueConverter))?,
        };
        self.prepare_headers(record)
            .map_err(|error| error.at(Stage::HeaderConverter))?;
        Ok(parts)
    }

    /// `auto` and `row`: what the header names, else the bytes.
    fn host(
        &mut self,
        id: Option<&[u8]>,
        stored: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Part, TaskError> {
        let Some(id) = id else {
            return Ok(Part::Stored(plain_form(stored)));
        };
        let binary = id.strip_suffix(ROW_SUFFIX.as_bytes());
        let entry = self.by_id(binary.unwrap_or(id))?;
        match (binary, stored) {
            (Some(_), Some(bytes)) => {
                row::validate_row(&entry.schema, bytes)
                    .map_err(|error| no_row(&entry, &error.to_string()))?;
                out.extend_from_slice(bytes);
            }
            // Null is the JSON `null`, valid where the schema is optional.
            (_, stored) => json::json_to_row(&entry.schema, stored.unwrap_or(b"null"), out)
                .map_err(|error| no_row(&entry, &error.to_string()))?,
        }
        Ok(Part::Scratch(Form::Typed(entry.handle)))
    }

    fn foreign(
        &mut self,
        converter: &Converter,
        stored: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<Part, TaskError> {
        if let Some(form) = stored.and_then(|bytes| as_stored(converter, bytes)) {
            return Ok(Part::Stored(form));
        }
        let value = match converter {
            Converter::Registered(options) => self.registered.read(options, stored)?,
            _ => converter
                .to_connect(stored)
                .map_err(|error| data_error(&error))?,
        };
        self.models.write(&value, out).map(Part::Scratch)
    }

    fn prepare_headers(&mut self, record: &Record<'_>) -> Result<(), TaskError> {
        self.spans.clear();
        if self.converters.header.is_host() {
            return Ok(());
        }
        let converter = self.converters.header.clone();
        let mut bytes = std::mem::take(&mut self.headers);
        bytes.clear();
        let mut outcome = Ok(());
        for (name, value) in record.headers {
            if Named::default().note(name, value) {
                continue;
            }
            let from = bytes.len();
            match self.foreign(&converter, value, &mut bytes) {
                Ok(part) => self.spans.push(Span {
                    part,
                    from,
                    to: bytes.len(),
                }),
                Err(error) => {
                    let name = String::from_utf8_lossy(name);
                    outcome = Err(within(&format!("header `{name}`"), error));
                    break;
                }
            }
        }
        self.headers = bytes;
        outcome
    }

    pub(crate) fn key<'s>(&'s self, record: &Record<'s>, parts: &Parts) -> Data<'s> {
        data(parts.key, record.key, &self.key)
    }

    pub(crate) fn value<'s>(&'s self, record: &Record<'s>, parts: &Parts) -> Data<'s> {
        data(parts.value, record.value, &self.value)
    }

    /// The headers of the record prepared last, without the host's own.
    pub(crate) fn kept_headers<'s>(
        &'s self,
        record: &Record<'s>,
        kept: usize,
    ) -> Result<Vec<(&'s str, Data<'s>)>, TaskError> {
        let mut headers = Vec::with_capacity(kept);
        for (name, value) in record.headers {
            if Named::default().note(name, value) {
                continue;
            }
            let name = std::str::from_utf8(name).map_err(|_| {
                TaskError::data("header name is not UTF-8").at(Stage::HeaderConverter)
            })?;
            let value = match self.spans.get(headers.len()) {
                Some(span) => {
                    let scratch = self.headers.get(span.from..span.to).unwrap_or_default();
                    data(span.part, value, scratch)
                }
                None => plain(value),
            };
            headers.push((name, value));
        }
        Ok(headers)
    }
}

#[cold]
fn no_row(entry: &Registered, error: &str) -> TaskError {
    TaskError::data(format!(
        "stored row does not fit schema `{}`: {error}",
        entry.id
    ))
}

#[cold]
fn within(part: &str, error: TaskError) -> TaskError {
    TaskError {
        message: format!("{part}: {}", error.message),
        ..error
    }
}

/// The form in which a converter hands stored bytes on untouched.
fn as_stored(converter: &Converter, bytes: &[u8]) -> Option<Form> {
    match converter {
        Converter::Primitive(PrimitiveConverter::Bytes) => Some(Form::Bytes),
        Converter::String(text) if text.is_utf8() => {
            std::str::from_utf8(bytes).is_ok().then_some(Form::Utf8)
        }
        // Strict JSON is handed on with every digit; what Connect reads beyond it is read by the converter.
        Converter::Json(json) if json.is_bare() => {
            let strict = serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
            strict.then_some(Form::Json)
        }
        _ => None,
    }
}

fn plain_form(stored: Option<&[u8]>) -> Form {
    stored.map_or(Form::Null, |_| Form::Bytes)
}

fn data<'a>(part: Part, stored: Option<&'a [u8]>, scratch: &'a [u8]) -> Data<'a> {
    let (form, bytes) = match part {
        Part::Stored(form) => (form, stored.unwrap_or_default()),
        Part::Scratch(form) => (form, scratch),
    };
    match form {
        Form::Null => Data::Null,
        Form::Bytes => Data::Bytes(bytes),
        // Checked where the form was chosen.
        Form::Utf8 => Data::Utf8(std::str::from_utf8(bytes).unwrap_or_default()),
        Form::Json => Data::Json(bytes),
        Form::Typed(schema) => Data::Typed { schema, row: bytes },
        Form::Tagged => Data::Tagged(bytes),
    }
}

/// A part without a schema header: bytes as they are.
pub(crate) fn plain(stored: Option<&[u8]>) -> Data<'_> {
    stored.map_or(Data::Null, Data::Bytes)
}
