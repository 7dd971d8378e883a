//! The chain of transforms of one task, between the plugin boundary and the converters.
//!
//! ```text
//! source:  plugin's record ─► chain ─► converter ─► log        sink:  log ─► converter ─► chain ─► plugin's record
//! ```
//! Only what a step touches becomes a value: with a router or a header step keys and values stay the bytes they are, and
//! without steps there is no chain at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use linkspan_convert::transform::{Step, Touches, read_steps};
use linkspan_convert::{
    Coordinates, Error, Header, Headers, Record, SchemaAndValue, Stage, TimestampType, Value,
};
use linkspan_plugin::batch::Data;

use crate::convert::{Form, Models};
use crate::error::{Site, TaskError};
use crate::schemas::SchemaRegistry;

/// The steps of one task, with their buffers.
#[derive(Debug)]
pub(crate) struct Chain {
    steps: Vec<Step>,
    touches: Touches,
    models: Models,
    key: Vec<u8>,
    value: Vec<u8>,
    headers: Vec<u8>,
    spans: Vec<Span>,
    /// The topic met last: it rarely changes from record to record.
    topic: Arc<str>,
    /// Records that came out.
    passed: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Span {
    name: Arc<str>,
    form: Form,
    from: usize,
    to: usize,
}

/// A record on its way in.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) key: Data<'a>,
    pub(crate) value: Data<'a>,
    /// Partition and offset of a sink's record; the topic is `topic`.
    pub(crate) origin: Option<(i32, i64)>,
}

/// What became of it; the halves lie in the chain, see [`Chain::key`] and [`Chain::value`].
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    key: Option<Form>,
    value: Option<Form>,
}

impl Chain {
    /// Builds the steps of a connector's options; `None` where there are none.
    pub(crate) fn from_config(
        config: &std::collections::BTreeMap<String, String>,
        registry: &Arc<SchemaRegistry>,
        now_ms: i64,
    ) -> Result<Option<Self>, Vec<String>> {
        let read = read_steps(config, &|_| false);
        let mut problems: Vec<String> = read
            .problems
            .iter()
            .map(|problem| format!("`{}` {}", problem.key, problem.message))
            .collect();
        let mut steps = Vec::with_capacity(read.steps.len());
        for step in &read.steps {
            match step.build(now_ms) {
                Ok(Some(built)) => steps.push(built),
                Ok(None) => {
                    problems.push(format!("`transforms.{}.type` is no transform", step.name))
                }
                // Said above, with its key.
                Err(_) => {}
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        if steps.is_empty() {
            return Ok(None);
        }
        let touches = steps
            .iter()
            .fold(Touches::NOTHING, |touches, step| touches.or(step.touches));
        Ok(Some(Self {
            steps,
            touches,
            models: Models::new(Arc::clone(registry)),
            key: Vec::new(),
            value: Vec::new(),
            headers: Vec::new(),
            spans: Vec::new(),
            topic: Arc::from(""),
            passed: Arc::default(),
        }))
    }

    /// The chain, counting what comes out.
    pub(crate) fn counted(mut self, passed: Arc<AtomicU64>) -> Self {
        self.passed = passed;
        self
    }

    /// Sends a record through the steps; `None` where one drops it.
    pub(crate) fn apply<'h>(
        &mut self,
        incoming: &Incoming<'_>,
        headers: impl Iterator<Item = (&'h str, Data<'h>)>,
    ) -> Result<Option<Outgoing>, TaskError> {
        let mut record = self.record(incoming, headers)?;
        for step in &mut self.steps {
            match step.apply(record) {
                Ok(Some(next)) => record = next,
                Ok(None) => return Ok(None),
                Err(error) => return Err(refused(step, &error)),
            }
        }
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.write(&record).map(Some)
    }

    fn record<'h>(
        &mut self,
        incoming: &Incoming<'_>,
        headers: impl Iterator<Item = (&'h str, Data<'h>)>,
    ) -> Result<Record, TaskError> {
        if *self.topic != *incoming.topic {
            self.topic = Arc::from(incoming.topic);
        }
        let mut read = Headers::new();
        for (name, data) in headers {
            read.add(name, self.models.read(&data)?);
        }
        Ok(Record {
            topic: Arc::clone(&self.topic),
            partition: incoming.partition,
            timestamp: incoming.timestamp,
            timestamp_type: incoming.timestamp_type,
            key: half(&mut self.models, &incoming.key, self.touches.key)?,
            value: half(&mut self.models, &incoming.value, self.touches.value)?,
            headers: read,
            origin: incoming.origin.map(|(partition, offset)| Coordinates {
                topic: Arc::clone(&self.topic),
                partition,
                offset,
            }),
        })
    }

    fn write(&mut self, record: &Record) -> Result<Outgoing, TaskError> {
        let mut put = |touched: bool, part: &SchemaAndValue, out: &mut Vec<u8>| {
            out.clear();
            touched.then(|| self.models.write(part, out)).transpose()
        };
        let key = put(self.touches.key, &record.key, &mut self.key)?;
        let value = put(self.touches.value, &record.value, &mut self.value)?;
        self.headers.clear();
        self.spans.clear();
        for Header { name, value } in record.headers.iter() {
            let from = self.headers.len();
            let form = self.models.write(value, &mut self.headers)?;
            self.spans.push(Span {
                name: Arc::clone(name),
                form,
                from,
                to: self.headers.len(),
            });
        }
        Ok(Outgoing {
            topic: Arc::clone(&record.topic),
            partition: record.partition,
            timestamp: record.timestamp,
            key,
            value,
        })
    }

    /// The key of the record applied last; `before` is what it was.
    pub(crate) fn key<'a>(&'a self, outgoing: &Outgoing, before: Data<'a>) -> Data<'a> {
        outgoing.key.map_or(before, |form| data(form, &self.key))
    }

    /// The value of the record applied last; `before` is what it was.
    pub(crate) fn value<'a>(&'a self, outgoing: &Outgoing, before: Data<'a>) -> Data<'a> {
        outgoing
            .value
            .map_or(before, |form| data(form, &self.value))
    }

    /// The headers of the record applied last.
    pub(crate) fn headers(&self) -> impl ExactSizeIterator<Item = (&str, Data<'_>)> {
        self.spans.iter().map(|span| {
            let bytes = self.headers.get(span.from..span.to).unwrap_or_default();
            (&*span.name, data(span.form, bytes))
        })
    }
}

/// A half as a value, or what stands for one that nobody looks into.
fn half(models: &mut Models, data: &Data<'_>, touched: bool) -> Result<SchemaAndValue, TaskError> {
    match data {
        Data::Null => Ok(SchemaAndValue::NULL),
        data if touched => models.read(data),
        _ => Ok(SchemaAndValue::schemaless(Value::bytes(Vec::new()))),
    }
}

fn data(form: Form, bytes: &[u8]) -> Data<'_> {
    match form {
        Form::Null => Data::Null,
        Form::Bytes => Data::Bytes(bytes),
        // Written from text.
        Form::Utf8 => Data::Utf8(std::str::from_utf8(bytes).unwrap_or_default()),
        Form::Json => Data::Json(bytes),
        Form::Typed(schema) => Data::Typed { schema, row: bytes },
        Form::Tagged => Data::Tagged(bytes),
    }
}

#[cold]
fn refused(step: &Step, error: &Error) -> TaskError {
    let site = Site {
        stage: Stage::Transformation,
        step: step.name.to_string(),
    };
    TaskError {
        site: Some(Box::new(site)),
        exception: Some(error.class().java()),
        ..TaskError::data(format!("transform `{}`: {error}", step.name))
    }
}
