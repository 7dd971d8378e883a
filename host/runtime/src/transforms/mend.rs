//! Stored records through steps and back to what is stored, without a connector: how dead letters are mended.
//!
//! What a record's header names a schema for is a typed row, before and after. Other bytes are what they look like: a JSON object
//! or array, else text, else bytes. What no step touches comes out byte for byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_convert::TimestampType;
use linkspan_log::{KvPut, LogBackend};
use linkspan_plugin::Registry;
use linkspan_plugin::batch::Data;
use linkspan_wire::{BatchBuilder, Batches, Compression, Record};
use serde::de::IgnoredAny;

use super::plugged::Opening;
use super::{Chain, Incoming, Origin, Outgoing};
use crate::convert::{Converters, Named, SinkConverter, SourceConverter};
use crate::error::TaskError;
use crate::services::Services;
use crate::stop::Pulse;
use crate::task::TaskShared;

/// Steps that are open, and the way in and out.
#[derive(Debug)]
pub struct Mending {
    chain: Chain,
    reader: SinkConverter,
    writer: SourceConverter,
}

/// A record as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// Names and values, in order, the host's own among them.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Mending {
    /// Opens the steps of `transforms`, `transforms.NAME.type` and so on.
    ///
    /// # Errors
    /// An option is not right, there is no step, or a plugin does not open one.
    pub fn open(
        options: &BTreeMap<String, String>,
        registry: &Registry,
        services: &Arc<Services>,
        log: &Arc<dyn LogBackend>,
        now_ms: i64,
    ) -> Result<Self, TaskError> {
        let task = Arc::new(TaskShared::new("", 0, Pulse::default()));
        let opening = Opening {
            registry,
            services,
            task: &task,
            bounded: true,
            now_ms,
        };
        let chain = Chain::open(options, &opening)?.ok_or_else(|| {
            let message = "the options name no step: `transforms` lists them".to_owned();
            TaskError::permanent("LS0210", "config_invalid", message)
        })?;
        let schemas = services.schemas();
        let converters = Converters::default;
        Ok(Self {
            chain,
            reader: SinkConverter::new(Arc::clone(schemas), Arc::clone(log), converters()),
            writer: SourceConverter::new(Arc::clone(schemas), &[], converters()),
        })
    }

    /// Sends a record through the steps; returns what becomes of it.
    ///
    /// # Errors
    /// It cannot be read, or a step refuses it.
    pub fn apply(&mut self, record: &StoredRecord) -> Result<Vec<StoredRecord>, TaskError> {
        let mut batch = BatchBuilder::new(Compression::None);
        let headers = record.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_deref()));
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        batch
            .push(record.timestamp, key, value, headers)
            .map_err(unreadable)?;
        let bytes = batch.finish().map_err(unreadable)?;
        let mut scratch = Vec::new();
        let mut made = Vec::new();
        for batch in Batches::new(&bytes) {
            let batch = batch.map_err(unreadable)?;
            for stored in batch.records(&mut scratch).map_err(unreadable)? {
                self.through(record, &stored.map_err(unreadable)?, &mut made)?;
            }
        }
        Ok(made)
    }

    fn through(
        &mut self,
        whole: &StoredRecord,
        stored: &Record<'_>,
        made: &mut Vec<StoredRecord>,
    ) -> Result<(), TaskError> {
        let Self {
            chain,
            reader,
            writer,
        } = self;
        let (names, kept) = Named::of(stored);
        let parts = reader.prepare(stored, &names)?;
        let headers = reader.kept_headers(stored, kept)?;
        let incoming = Incoming {
            topic: &whole.topic,
            partition: Some(whole.partition),
            timestamp: Some(whole.timestamp),
            timestamp_type: TimestampType::CreateTime,
            key: legible(reader.key(stored, &parts)),
            value: legible(reader.value(stored, &parts)),
            origin: Some(Origin {
                topic_id: [0; 16],
                partition: whole.partition,
                leader_epoch: 0,
                offset: whole.offset,
            }),
        };
        let n = chain.apply(&incoming, &headers)?;
        for at in 0..n {
            let Some(outgoing) = chain.outgoing(at, &incoming) else {
                return Err(TaskError::internal("a transformed record is not there"));
            };
            made.push(outgoing.stored(writer, whole)?);
        }
        Ok(())
    }

    /// The schemas that what was made names, as far as the log may not have them yet; to be stored with it.
    pub fn schemas(&mut self) -> Vec<KvPut> {
        let used = self.writer.used.drain(..);
        used.filter_map(|schema| schema.put_if_new()).collect()
    }
}

fn unreadable(error: linkspan_wire::Error) -> TaskError {
    TaskError::data(error.to_string())
}

/// Bytes as what they look like.
fn legible(data: Data<'_>) -> Data<'_> {
    let Data::Bytes(bytes) = data else {
        return data;
    };
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let open = matches!(first, Some(b'{' | b'['));
    if open && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        return Data::Json(bytes);
    }
    std::str::from_utf8(bytes).map_or(data, Data::Utf8)
}

impl Outgoing<'_> {
    /// The record that came out as it is stored, in the place of the one that went in.
    pub(crate) fn stored(
        &self,
        writer: &mut SourceConverter,
        before: &StoredRecord,
    ) -> Result<StoredRecord, TaskError> {
        let base = StoredRecord {
            topic: self.topic.to_string(),
            partition: self.partition.unwrap_or(before.partition),
            offset: before.offset,
            timestamp: self.timestamp.unwrap_or(before.timestamp),
            ..StoredRecord::default()
        };
        stored(writer, base, (&self.key, &self.value), self.headers())
    }
}

/// Converts key, value and headers into what is stored of a record.
pub(crate) fn stored<'a>(
    writer: &mut SourceConverter,
    record: StoredRecord,
    (key, value): (&Data<'_>, &Data<'_>),
    headers: impl Iterator<Item = (&'a str, Data<'a>)>,
) -> Result<StoredRecord, TaskError> {
    let converted = writer.convert(&record.topic, key, value, headers)?;
    let bytes =
        |part, scratch, data| SourceConverter::bytes(part, scratch, data).map(<[u8]>::to_vec);
    let headers = writer.headers().map(|(name, value)| {
        let name = String::from_utf8_lossy(name).into_owned();
        (name, value.map(<[u8]>::to_vec))
    });
    Ok(StoredRecord {
        key: bytes(converted.key, &writer.key, key),
        value: bytes(converted.value, &writer.value, value),
        headers: headers.collect(),
        ..record
    })
}
