//! The chain of transforms of one task, between the plugin boundary and the converters.
//!
//! ```text
//! source:  plugin's record ─► chain ─► converter ─► log        sink:  log ─► converter ─► chain ─► plugin's record
//!
//! chain:   record ─► stage ─► 0..n records ─► stage ─► …
//! stage:   [a plugin's predicate?] ─► built-in steps in a row, or one step of a plugin
//! ```
//! Only what a stage touches becomes a value: with a router or a header step keys and values stay the bytes they are, and a
//! plugin gets the bytes as they came. Without steps there is no chain at all.
//!
//! A record goes through alone, so that what a step refuses is one record with its coordinates, and what it makes of it
//! stands or falls with it: nothing of a record is handed on before its last step has taken it.

mod frames;
mod installed;
mod mend;
mod plugged;
mod trial;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use linkspan_convert::transform::{Step, StepConfig, Touches, read_steps};
use linkspan_convert::{
    Coordinates, Error, Headers, Record, SchemaAndValue, Stage as RecordStage, TimestampType, Value,
};
use linkspan_plugin::Registry;
use linkspan_plugin::batch::{Data, SourceRecord};

use self::frames::{Frame, Frames};
pub use self::installed::InstalledClasses;
pub(crate) use self::mend::stored;
pub use self::mend::{Mending, StoredRecord};
pub(crate) use self::plugged::Opening;
use self::plugged::Plugged;
pub use self::trial::{Trial, TrialStep};
use crate::convert::Models;
use crate::error::{Site, TaskError};

/// The steps of one task, with their buffers.
#[derive(Debug)]
pub(crate) struct Chain {
    stages: Vec<Stage>,
    models: Models,
    /// What the last stage made.
    out: Frames,
    /// What goes into a later stage.
    spare: Frames,
    /// The topic met last: it rarely changes from record to record.
    topic: Arc<str>,
    /// Records that came out.
    passed: Arc<AtomicU64>,
}

/// Steps that a record passes without being written down between them.
#[derive(Debug)]
struct Stage {
    /// A plugin's predicate, and whether it is negated: what it is not for passes as it is.
    gate: Option<(Plugged, bool)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    BuiltIn { steps: Vec<Step>, touches: Touches },
    Plugin(Box<PluginStep>),
}

/// A step of a plugin, with a condition that is built in.
#[derive(Debug)]
struct PluginStep {
    condition: Option<linkspan_convert::transform::Condition>,
    step: Plugged,
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
    /// Where a sink's record lies in the log.
    pub(crate) origin: Option<Origin>,
}

impl<'a> Incoming<'a> {
    /// Returns a record as its source hands it over.
    pub(crate) fn of_source(topic: &'a str, record: &SourceRecord<'a>) -> Self {
        Self {
            topic,
            partition: (record.partition >= 0).then_some(record.partition),
            timestamp: record.timestamp,
            timestamp_type: TimestampType::NoTimestamp,
            key: record.key,
            value: record.value,
            origin: None,
        }
    }
}

/// Where a record was read from; the topic's name is the one it came in with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) topic_id: [u8; 16],
    pub(crate) partition: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) offset: i64,
}

/// A record between two stages.
#[derive(Debug)]
struct View<'a> {
    topic: &'a Arc<str>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    timestamp_type: TimestampType,
    key: Data<'a>,
    value: Data<'a>,
    headers: &'a [(&'a str, Data<'a>)],
    origin: Option<(&'a Arc<str>, Origin)>,
}

/// One of the records that became of the one applied last.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a Arc<str>,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Data<'a>,
    pub(crate) value: Data<'a>,
    frame: &'a Frame,
    frames: &'a Frames,
}

impl<'a> Outgoing<'a> {
    /// Its headers.
    pub(crate) fn headers(&self) -> impl ExactSizeIterator<Item = (&'a str, Data<'a>)> {
        self.frames.headers(self.frame)
    }

    /// Bytes of key, value and headers.
    pub(crate) fn size(&self) -> usize {
        let headers = self.headers();
        let headers = headers.map(|(name, data)| name.len() + data.len());
        self.key.len() + self.value.len() + headers.sum::<usize>()
    }
}

/// Returns the classes of the steps and predicates in a connector's options, built-in ones among them.
pub(crate) fn classes(config: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    let of_step = |key: &&String| {
        (key.starts_with("transforms.") || key.starts_with("predicates.")) && key.ends_with(".type")
    };
    let found = config.iter().filter(move |(key, _)| of_step(key));
    found.map(|(_, class)| class.trim())
}

/// Says what is wrong with the steps of a connector's options, each as a fragment that names its option.
pub(crate) fn problems(config: &BTreeMap<String, String>, registry: &Registry) -> Vec<String> {
    read_steps(config, &InstalledClasses::new(registry))
        .problems
        .iter()
        .map(|problem| format!("`{}` {}", problem.key, problem.message))
        .collect()
}

impl Chain {
    /// Builds the steps of a connector's options and opens those of plugins; `None` where there are none. On the task's thread.
    pub(crate) fn open(
        config: &BTreeMap<String, String>,
        opening: &Opening<'_>,
    ) -> Result<Option<Self>, TaskError> {
        let invalid = |problems: Vec<String>| {
            TaskError::permanent("LS0210", "config_invalid", problems.join("; "))
        };
        let problems = problems(config, opening.registry);
        if !problems.is_empty() {
            return Err(invalid(problems));
        }
        opening.task.forget_helpers();
        let read = read_steps(config, &InstalledClasses::new(opening.registry));
        let mut stages: Vec<Stage> = Vec::new();
        for step in &read.steps {
            add(&mut stages, stage(step, opening)?);
        }
        if stages.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            stages,
            models: Models::new(Arc::clone(opening.services.schemas())),
            out: Frames::default(),
            spare: Frames::default(),
            topic: Arc::from(""),
            passed: Arc::default(),
        }))
    }

    /// The chain, counting what comes out.
    pub(crate) fn counted(mut self, passed: Arc<AtomicU64>) -> Self {
        self.passed = passed;
        self
    }

    /// Sends a record through the steps; returns how many became of it. They lie in the chain until the next call, see
    /// [`Chain::outgoing`].
    pub(crate) fn apply(
        &mut self,
        incoming: &Incoming<'_>,
        headers: &[(&str, Data<'_>)],
    ) -> Result<usize, TaskError> {
        if *self.topic != *incoming.topic {
            self.topic = Arc::from(incoming.topic);
        }
        let Self {
            stages,
            models,
            out,
            spare,
            topic,
            passed,
        } = self;
        let topic = &*topic;
        out.clear();
        let Some((first, rest)) = stages.split_first_mut() else {
            return Ok(0);
        };
        let origin = incoming.origin.map(|origin| (topic, origin));
        let view = View {
            topic,
            partition: incoming.partition,
            timestamp: incoming.timestamp,
            timestamp_type: incoming.timestamp_type,
            key: incoming.key,
            value: incoming.value,
            headers,
            origin,
        };
        first.run(models, &view, out)?;
        for stage in rest {
            std::mem::swap(out, spare);
            out.clear();
            for frame in spare.iter() {
                let headers: Vec<_> = spare.headers(frame).collect();
                let view = View {
                    topic: &frame.topic,
                    partition: frame.partition,
                    timestamp: frame.timestamp,
                    timestamp_type: incoming.timestamp_type,
                    key: spare.data(frame.key).unwrap_or(incoming.key),
                    value: spare.data(frame.value).unwrap_or(incoming.value),
                    headers: &headers,
                    origin,
                };
                let made = out.len();
                stage.run(models, &view, out)?;
                out.carry(made, frame, spare);
            }
        }
        passed.fetch_add(out.len() as u64, Ordering::Relaxed);
        Ok(out.len())
    }

    /// Returns one of the records that became of `incoming`, the one applied last.
    pub(crate) fn outgoing<'a>(
        &'a self,
        at: usize,
        incoming: &Incoming<'a>,
    ) -> Option<Outgoing<'a>> {
        let frame = self.out.get(at)?;
        Some(Outgoing {
            topic: &frame.topic,
            partition: frame.partition,
            timestamp: frame.timestamp,
            key: self.out.data(frame.key).unwrap_or(incoming.key),
            value: self.out.data(frame.value).unwrap_or(incoming.value),
            frame,
            frames: &self.out,
        })
    }
}

/// Makes the stage of one step.
fn stage(step: &StepConfig, opening: &Opening<'_>) -> Result<Stage, TaskError> {
    // What can be wrong was said before, with its key.
    let refused = |_| {
        let message = format!("transform `{}` could not be made", step.name);
        TaskError::permanent("LS0210", "config_invalid", message)
    };
    let gate = match &step.condition {
        Some(condition) if !condition.builtin => {
            let gate = Plugged::predicate(
                opening,
                &condition.name,
                &condition.class,
                &condition.options,
            );
            Some((gate?, condition.negate))
        }
        _ => None,
    };
    let body = match step.build(opening.now_ms).map_err(refused)? {
        Some(step) => Body::BuiltIn {
            touches: step.touches,
            steps: vec![step],
        },
        None => Body::Plugin(Box::new(PluginStep {
            condition: step.build_condition().map_err(refused)?,
            step: Plugged::transform(opening, &step.name, &step.class, &step.options)?,
        })),
    };
    Ok(Stage { gate, body })
}

/// Adds a stage; built-in steps in a row become one.
fn add(stages: &mut Vec<Stage>, mut stage: Stage) {
    if let (None, Body::BuiltIn { steps, touches }) = (&stage.gate, &mut stage.body)
        && let Some(Stage {
            body:
                Body::BuiltIn {
                    steps: before,
                    touches: touched,
                },
            gate: None,
        }) = stages.last_mut()
    {
        before.append(steps);
        *touched = touched.or(*touches);
        return;
    }
    stages.push(stage);
}

impl Stage {
    fn run(
        &mut self,
        models: &mut Models,
        view: &View<'_>,
        out: &mut Frames,
    ) -> Result<(), TaskError> {
        if let Some((predicate, negate)) = &mut self.gate
            && predicate.holds(view)? == *negate
        {
            out.push_same(view);
            return Ok(());
        }
        match &mut self.body {
            Body::Plugin(plugged) => {
                let PluginStep { condition, step } = plugged.as_mut();
                if let Some(condition) = condition {
                    let record = record(models, view, Touches::NOTHING)?;
                    let meant = condition.holds(&record);
                    if !meant.map_err(|error| refused(step.name(), &error))? {
                        out.push_same(view);
                        return Ok(());
                    }
                }
                step.apply(view, out)
            }
            Body::BuiltIn { steps, touches } => {
                let mut record = record(models, view, *touches)?;
                for step in steps {
                    match step.apply(record) {
                        Ok(Some(next)) => record = next,
                        Ok(None) => return Ok(()),
                        Err(error) => return Err(refused(&step.name, &error)),
                    }
                }
                out.push_record(models, &record, *touches)
            }
        }
    }
}

fn record(models: &mut Models, view: &View<'_>, touches: Touches) -> Result<Record, TaskError> {
    let mut headers = Headers::new();
    for (name, data) in view.headers {
        headers.add(*name, models.read(data)?);
    }
    Ok(Record {
        topic: Arc::clone(view.topic),
        partition: view.partition,
        timestamp: view.timestamp,
        timestamp_type: view.timestamp_type,
        key: half(models, &view.key, touches.key)?,
        value: half(models, &view.value, touches.value)?,
        headers,
        origin: view.origin.map(|(topic, origin)| Coordinates {
            topic: Arc::clone(topic),
            partition: origin.partition,
            offset: origin.offset,
        }),
    })
}

/// A half as a value, or what stands for one that nobody looks into.
fn half(models: &mut Models, data: &Data<'_>, touched: bool) -> Result<SchemaAndValue, TaskError> {
    match data {
        Data::Null => Ok(SchemaAndValue::NULL),
        data if touched => models.read(data),
        _ => Ok(SchemaAndValue::schemaless(Value::bytes(Vec::new()))),
    }
}

#[cold]
fn refused(step: &str, error: &Error) -> TaskError {
    TaskError {
        exception: Some(error.class().java()),
        ..at_step(step, TaskError::data(error.to_string()))
    }
}

/// Says in which step a record failed.
#[cold]
fn at_step(step: &str, error: TaskError) -> TaskError {
    let site = Site {
        stage: RecordStage::Transformation,
        step: step.to_owned(),
    };
    TaskError {
        site: Some(Box::new(site)),
        message: format!("transform `{step}`: {}", error.message),
        ..error
    }
}
