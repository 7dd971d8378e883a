//! Bad records of a source: dead letters in the same commit as the offsets of their batch, or skipped.
//!
//! A source's record has no place in the log yet: its letter names the source partition and the place in the batch. What it
//! carries is what the plugin gave, as it would have been stored without transforms and with the converter `auto`.

use std::sync::Arc;

use linkspan_log::{Append, KvPut, LogBackend};
use linkspan_plugin::batch::{OffsetChange, REJECTED_HEADER, SourceBatch, SourceRecord};

use crate::connector::TaskContext;
use crate::convert::{Converters, SourceConverter};
use crate::error::TaskError;
use crate::errors::{Letter, LetterTopic, Place, Retrier, log_record};
use crate::schemas::Registered;

/// Where a record failed.
#[derive(Debug)]
pub(crate) struct FailedAt<'a> {
    pub(crate) batch: &'a SourceBatch<'a>,
    pub(crate) index: usize,
    pub(crate) topic: &'a str,
    pub(crate) now_ms: i64,
}

/// Sets bad records of one source task aside.
#[derive(Debug)]
pub(crate) struct SourceAside {
    pub(crate) retrier: Retrier,
    converter: SourceConverter,
    letters: Option<LetterTopic>,
}

impl SourceAside {
    pub(crate) fn open(ctx: &TaskContext) -> Result<Self, TaskError> {
        let policy = ctx.error_policy()?;
        let log: &dyn LogBackend = ctx.runtime.log.as_ref();
        let letters = match &policy.letters {
            Some(name) if policy.tolerant => Some(LetterTopic::open(log, name)?),
            _ => None,
        };
        let schemas = Arc::clone(ctx.runtime.services.schemas());
        Ok(Self {
            retrier: Retrier {
                task: Arc::clone(&ctx.task),
                policy,
            },
            converter: SourceConverter::new(schemas, &[], Converters::default()),
            letters,
        })
    }

    /// Whether records become dead letters; they are skipped otherwise.
    pub(crate) fn writes(&self) -> bool {
        self.letters.is_some()
    }

    pub(crate) fn tolerates(&self, error: &TaskError) -> bool {
        self.retrier.policy.tolerates(error)
    }

    pub(crate) fn add(
        &mut self,
        at: &FailedAt<'_>,
        record: &SourceRecord<'_>,
        error: &TaskError,
        appends: &mut Vec<Append>,
    ) -> Result<(), TaskError> {
        let position = usize::try_from(record.source_partition)
            .ok()
            .and_then(|index| at.batch.source_partitions().get(index));
        let place = Place::Source {
            topic: at.topic,
            partition: position.map_or("null", |position| position.partition),
            offset: position.and_then(|position| match position.offset {
                OffsetChange::Set(offset) => Some(offset),
                OffsetChange::Delete | OffsetChange::Unchanged => None,
            }),
            index: at.index,
        };
        let policy = Arc::clone(&self.retrier.policy);
        let task = &self.retrier.task;
        let letter = Letter::about(task, &policy, &place, error);
        let logs_record = policy.log && policy.log_messages;
        if self.letters.is_none() && !logs_record {
            return Ok(());
        }
        let headers = record
            .headers
            .clone()
            .filter(|(name, _)| *name != REJECTED_HEADER);
        let whole = self
            .converter
            .convert(at.topic, &record.key, &record.value, headers);
        // A header may be what is wrong; the key and the value are kept then.
        let converted = match whole {
            Ok(converted) => converted,
            Err(_) => {
                self.converter
                    .convert(at.topic, &record.key, &record.value, std::iter::empty())?
            }
        };
        let key = SourceConverter::bytes(converted.key, &self.converter.key, &record.key);
        let value = SourceConverter::bytes(converted.value, &self.converter.value, &record.value);
        if logs_record {
            log_record(task, key, value);
        }
        let Some(letters) = &mut self.letters else {
            return Ok(());
        };
        let timestamp = record.timestamp.unwrap_or(at.now_ms);
        letters.push(
            timestamp,
            (key, value),
            self.converter.headers(),
            &letter,
            appends,
        )
    }

    /// What marks the topic of the letters, once.
    pub(crate) fn mark(&mut self) -> Option<KvPut> {
        self.letters.as_mut().and_then(LetterTopic::mark)
    }

    /// Hands over the letters of a batch and the schemas they name.
    pub(crate) fn finish(
        &mut self,
        schemas: &mut Vec<Arc<Registered>>,
        appends: &mut Vec<Append>,
    ) -> Result<(), TaskError> {
        for schema in self.converter.used.drain(..) {
            if !schemas.iter().any(|used| used.handle == schema.handle) {
                schemas.push(schema);
            }
        }
        match &mut self.letters {
            Some(letters) => letters.flush(appends),
            None => Ok(()),
        }
    }
}
