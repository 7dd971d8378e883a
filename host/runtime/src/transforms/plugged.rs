//! A step or predicate of a plugin, as one task uses it.
//!
//! Each has an instance of its own, made and closed on the task's thread. A record crosses alone, in a batch of a sink's form;
//! what comes back is a batch of a source's form and is checked in full before anything of it is used.

use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_convert::TimestampType;
use linkspan_convert::transform::ClassUse;
use linkspan_plugin::batch::{GroupKey, Limits, SinkBatchWriter, SourceBatch};
use linkspan_plugin::{ErrorKind, PluginError, Registry, SourceBuf, Task};
use serde_json::json;

use super::frames::Frames;
use super::{InstalledClasses, View, at_step};
use crate::error::TaskError;
use crate::services::Services;
use crate::task::TaskShared;

/// The most records that a step may make of one.
const RECORDS_OUT_MAX: u32 = 10_000;
/// The most bytes that a step may make of one record: what one commit of a source takes.
const BYTES_OUT_MAX: usize = 16 << 20;
/// What stands for the offset of a record that has none yet, since it comes from a source.
const NO_OFFSET: i64 = -1;
/// What stands for the partition that has not been chosen yet.
const NO_PARTITION: i32 = -1;

/// What the steps of a task are opened with.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) services: &'a Arc<Services>,
    pub(crate) task: &'a Arc<TaskShared>,
    pub(crate) bounded: bool,
    /// Decides the century of two-digit years.
    pub(crate) now_ms: i64,
}

/// An open instance of a class.
#[derive(Debug)]
pub(super) struct Plugged {
    name: Arc<str>,
    /// Closed before its number is forgotten: fields go in this order.
    task: Task,
    number: Number,
    writer: SinkBatchWriter,
    batches: u64,
    limits: Limits,
}

/// The host's number of an instance, known to the services as long as this lives.
#[derive(Debug)]
struct Number {
    services: Arc<Services>,
    task: Arc<TaskShared>,
    instance: u64,
}

impl Drop for Number {
    fn drop(&mut self) {
        self.services.leave(self.instance);
    }
}

impl Plugged {
    /// Opens a step.
    pub(super) fn transform(
        opening: &Opening<'_>,
        name: &str,
        class: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, TaskError> {
        Self::open(opening, ClassUse::Transform, name, class, options)
    }

    /// Opens a predicate.
    pub(super) fn predicate(
        opening: &Opening<'_>,
        name: &str,
        class: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, TaskError> {
        Self::open(opening, ClassUse::Predicate, name, class, options)
    }

    fn open(
        opening: &Opening<'_>,
        class_use: ClassUse,
        name: &str,
        class: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<Self, TaskError> {
        let what = class_use.word();
        let said = |error: PluginError| {
            let error = TaskError::from(error);
            TaskError {
                message: format!("{what} `{name}`: {}", error.message),
                ..error
            }
        };
        let installed = InstalledClasses::new(opening.registry);
        let Some(found) = installed.find(class_use, class) else {
            let message = format!("{what} `{name}`: no plugin offers the class `{class}` any more");
            return Err(TaskError::permanent("LS0201", "config_invalid", message));
        };
        let number = Number {
            services: Arc::clone(opening.services),
            task: Arc::clone(opening.task),
            instance: opening.services.enter(opening.task),
        };
        let document = json!({
            "connector": opening.task.connector, "task": opening.task.index, "class": found.name(),
            "bounded": opening.bounded, "step": name, "config": options,
        });
        let task = found
            .create_task(number.instance, &document.to_string())
            .map_err(said)?;
        opening.task.add_helper(task.control());
        task.open().map_err(said)?;
        Ok(Self {
            name: Arc::from(name),
            task,
            number,
            writer: SinkBatchWriter::new(),
            batches: 0,
            limits: Limits {
                bytes: BYTES_OUT_MAX,
                records: RECORDS_OUT_MAX,
                ..Limits::DEFAULT
            },
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends a record through the step.
    pub(super) fn apply(&mut self, view: &View<'_>, out: &mut Frames) -> Result<(), TaskError> {
        let answer = self.ask(view)?;
        let batch = self.read(&answer)?;
        let mut topics: Vec<Arc<str>> = Vec::new();
        for record in batch.records() {
            let at = usize::from(record.topic);
            let name = *batch.topics().get(at).unwrap_or(&"");
            let topic = if **view.topic == *name {
                Arc::clone(view.topic)
            } else if let Some(known) = topics.iter().find(|known| ***known == *name) {
                Arc::clone(known)
            } else {
                let topic: Arc<str> = Arc::from(name);
                topics.push(Arc::clone(&topic));
                topic
            };
            // What the plugin does not choose stays as it was.
            let partition = Some(record.partition)
                .filter(|partition| *partition >= 0)
                .or(view.partition);
            let timestamp = record.timestamp.or(view.timestamp);
            out.push_data(
                topic,
                (partition, timestamp),
                (&record.key, &record.value),
                record.headers.clone(),
            );
        }
        Ok(())
    }

    /// Asks a predicate: it holds for a record that it keeps.
    pub(super) fn holds(&mut self, view: &View<'_>) -> Result<bool, TaskError> {
        let answer = self.ask(view)?;
        Ok(!self.read(&answer)?.is_empty())
    }

    fn ask(&mut self, view: &View<'_>) -> Result<SourceBuf, TaskError> {
        let bytes = self.write(view)?;
        self.batches += 1;
        // The watchdog counts from here: each record is a call of its own.
        self.number.task.touch();
        let answer = self.task.apply(&bytes, 1, self.batches);
        self.writer.recycle(bytes);
        answer.map_err(|error| self.failed(error))
    }

    fn write(&mut self, view: &View<'_>) -> Result<Vec<u8>, TaskError> {
        let (original_topic, topic_id, partition, leader_epoch, offset) = match view.origin {
            Some((topic, origin)) => (
                topic,
                origin.topic_id,
                origin.partition,
                origin.leader_epoch,
                origin.offset,
            ),
            None => {
                let partition = view.partition.unwrap_or(NO_PARTITION);
                (view.topic, [0; 16], partition, 0, NO_OFFSET)
            }
        };
        let group = GroupKey {
            topic: view.topic,
            original_topic,
            topic_id,
            partition,
            leader_epoch,
            timestamp_type: u8::from(view.timestamp_type == TimestampType::LogAppendTime),
        };
        let headers = view.headers.iter().copied();
        let written = self
            .writer
            .begin_group(&group, offset)
            .and_then(|()| {
                self.writer
                    .record(offset, view.timestamp, view.key, view.value, headers)
            })
            .and_then(|()| self.writer.finish());
        // A record that does not fit into a batch alone.
        written.map_err(|error| at_step(&self.name, TaskError::data(error.to_string())))
    }

    fn read<'b>(&self, answer: &'b SourceBuf) -> Result<SourceBatch<'b>, TaskError> {
        if answer.count() > RECORDS_OUT_MAX || answer.len() > BYTES_OUT_MAX {
            let message = format!(
                "made {} records of {} bytes of one record, {RECORDS_OUT_MAX} and {BYTES_OUT_MAX} are the most",
                answer.count(),
                answer.len()
            );
            return Err(at_step(&self.name, TaskError::data(message)));
        }
        let schemas = self.number.services.schemas().as_ref();
        SourceBatch::parse_mapped(answer, 1, &self.limits, schemas).map_err(|error| {
            let message = format!("the plugin answered a batch that is not valid: {error}");
            at_step(&self.name, TaskError::internal(message))
        })
    }

    /// What the plugin answered instead. It was about this one record, unless its kind says otherwise.
    #[cold]
    fn failed(&self, error: PluginError) -> TaskError {
        let of_record = [
            ErrorKind::NOT_FOUND,
            ErrorKind::CONFLICT,
            ErrorKind::UNSUPPORTED,
        ];
        let temporary = error.is_temporary();
        if !temporary && of_record.contains(&error.kind) {
            let message = format!("{}: {}", error.kind, error.message);
            return at_step(&self.name, TaskError::data(message));
        }
        at_step(&self.name, TaskError::from(error))
    }
}
