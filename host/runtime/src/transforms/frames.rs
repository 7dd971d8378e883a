//! Records between two stages of a chain, written down in one buffer that is used again and again.

use std::ops::Range;
use std::sync::Arc;

use linkspan_convert::transform::Touches;
use linkspan_convert::{Header, Record, SchemaAndValue};
use linkspan_plugin::batch::Data;

use super::View;
use crate::convert::{Form, Models, data};
use crate::error::TaskError;

/// What a stage made of one record.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    headers: Vec<Span>,
    frames: Vec<Frame>,
}

/// One record.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) topic: Arc<str>,
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    /// `None`: what it was before the stage.
    pub(super) key: Option<Part>,
    /// `None`: what it was before the stage.
    pub(super) value: Option<Part>,
    headers: Range<usize>,
}

/// A piece of the buffer, and what it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    form: Form,
    from: usize,
    to: usize,
}

#[derive(Debug)]
struct Span {
    /// Text.
    name: Range<usize>,
    part: Part,
}

impl Frames {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.headers.clear();
        self.frames.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Frame> {
        self.frames.get(at)
    }

    /// Returns a piece as what it is.
    pub(super) fn data(&self, part: Option<Part>) -> Option<Data<'_>> {
        part.map(|part| self.piece(part))
    }

    fn piece(&self, part: Part) -> Data<'_> {
        let bytes = self.bytes.get(part.from..part.to).unwrap_or_default();
        data(part.form, bytes)
    }

    /// Returns the headers of a record.
    pub(super) fn headers(&self, frame: &Frame) -> impl ExactSizeIterator<Item = (&str, Data<'_>)> {
        let spans = self.headers.get(frame.headers.clone()).unwrap_or_default();
        spans.iter().map(|span| {
            let name = self.bytes.get(span.name.clone()).unwrap_or_default();
            // Written from text.
            let name = std::str::from_utf8(name).unwrap_or_default();
            (name, self.piece(span.part))
        })
    }

    /// Writes what lies between the plugin and the log down as it is.
    fn copy(&mut self, data: &Data<'_>) -> Part {
        let (form, bytes) = match *data {
            Data::Null => (Form::Null, &[][..]),
            Data::Bytes(bytes) => (Form::Bytes, bytes),
            Data::Utf8(text) => (Form::Utf8, text.as_bytes()),
            Data::Json(text) => (Form::Json, text),
            Data::Typed { schema, row } => (Form::Typed(schema), row),
            Data::Tagged(bytes) => (Form::Tagged, bytes),
        };
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        Part {
            form,
            from,
            to: self.bytes.len(),
        }
    }

    fn write(&mut self, models: &mut Models, part: &SchemaAndValue) -> Result<Part, TaskError> {
        let from = self.bytes.len();
        let form = models.write(part, &mut self.bytes)?;
        Ok(Part {
            form,
            from,
            to: self.bytes.len(),
        })
    }

    fn name(&mut self, name: &str) -> Range<usize> {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        from..self.bytes.len()
    }

    fn copy_headers<'d>(
        &mut self,
        headers: impl Iterator<Item = (&'d str, Data<'d>)>,
    ) -> Range<usize> {
        let first = self.headers.len();
        for (name, value) in headers {
            let name = self.name(name);
            let part = self.copy(&value);
            self.headers.push(Span { name, part });
        }
        first..self.headers.len()
    }

    /// Adds a record that a stage left alone.
    pub(super) fn push_same(&mut self, view: &View<'_>) {
        let headers = self.copy_headers(view.headers.iter().copied());
        self.frames.push(Frame {
            topic: Arc::clone(view.topic),
            partition: view.partition,
            timestamp: view.timestamp,
            key: None,
            value: None,
            headers,
        });
    }

    /// Adds a record that came out of built-in steps.
    pub(super) fn push_record(
        &mut self,
        models: &mut Models,
        record: &Record,
        touches: Touches,
    ) -> Result<(), TaskError> {
        let mut half = |touched: bool, part: &SchemaAndValue| {
            touched.then(|| self.write(models, part)).transpose()
        };
        let key = half(touches.key, &record.key)?;
        let value = half(touches.value, &record.value)?;
        let first = self.headers.len();
        for Header { name, value } in record.headers.iter() {
            let name = self.name(name);
            let part = self.write(models, value)?;
            self.headers.push(Span { name, part });
        }
        self.frames.push(Frame {
            topic: Arc::clone(&record.topic),
            partition: record.partition,
            timestamp: record.timestamp,
            key,
            value,
            headers: first..self.headers.len(),
        });
        Ok(())
    }

    /// Adds a record that came out of a plugin.
    pub(super) fn push_data<'d>(
        &mut self,
        topic: Arc<str>,
        (partition, timestamp): (Option<i32>, Option<i64>),
        (key, value): (&Data<'d>, &Data<'d>),
        headers: impl Iterator<Item = (&'d str, Data<'d>)>,
    ) {
        let (key, value) = (self.copy(key), self.copy(value));
        let headers = self.copy_headers(headers);
        self.frames.push(Frame {
            topic,
            partition,
            timestamp,
            key: Some(key),
            value: Some(value),
            headers,
        });
    }

    /// What a stage left alone of `before` is kept: the records from `made` on were made of it.
    pub(super) fn carry(&mut self, made: usize, before: &Frame, from: &Self) {
        for at in made..self.frames.len() {
            let Some(frame) = self.frames.get(at) else {
                return;
            };
            let (keeps_key, keeps_value) = (frame.key.is_none(), frame.value.is_none());
            let key = from.data(before.key).filter(|_| keeps_key);
            let value = from.data(before.value).filter(|_| keeps_value);
            let key = key.map(|key| self.copy(&key));
            let value = value.map(|value| self.copy(&value));
            if let Some(frame) = self.frames.get_mut(at) {
                frame.key = frame.key.or(key);
                frame.value = frame.value.or(value);
            }
        }
    }
}
