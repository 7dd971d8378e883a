//! The steps of a connector, one after the other, without a connector: `linkspan transform try`.

use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_convert::transform::read_steps;
use linkspan_convert::{Headers, Record};
use linkspan_plugin::Registry;
use linkspan_plugin::batch::Data;

use super::frames::Frames;
use super::plugged::Opening;
use super::{Body, InstalledClasses, Origin, Stage, View, problems, refused, stage};
use crate::convert::{Form, Models, data};
use crate::error::TaskError;
use crate::services::Services;
use crate::stop::Pulse;
use crate::task::TaskShared;

/// The steps of one connector, opened one by one.
#[derive(Debug)]
pub struct Trial {
    steps: Vec<TrialStep>,
    models: Models,
}

/// One step.
#[derive(Debug)]
pub struct TrialStep {
    /// Its name.
    pub name: String,
    /// Its class, as it was written.
    pub class: String,
    stage: Stage,
}

impl Trial {
    /// Opens the steps of a connector's options, placeholders filled in.
    ///
    /// # Errors
    /// An option is not right, a step cannot be made, or its plugin does not open it.
    pub fn open(
        connector: &str,
        config: &BTreeMap<String, String>,
        registry: &Registry,
        services: &Arc<Services>,
        now_ms: i64,
    ) -> Result<Self, TaskError> {
        let problems = problems(config, registry);
        if !problems.is_empty() {
            return Err(TaskError::permanent(
                "LS0210",
                "config_invalid",
                problems.join("; "),
            ));
        }
        let task = Arc::new(TaskShared::new(connector, 0, Pulse::default()));
        let opening = Opening {
            registry,
            services,
            task: &task,
            bounded: true,
            now_ms,
        };
        let read = read_steps(config, &InstalledClasses::new(registry));
        let mut steps = Vec::with_capacity(read.steps.len());
        for step in &read.steps {
            steps.push(TrialStep {
                name: step.name.clone(),
                class: step.class.clone(),
                stage: stage(step, &opening)?,
            });
        }
        Ok(Self {
            steps,
            models: Models::new(Arc::clone(services.schemas())),
        })
    }

    /// Returns the steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[TrialStep] {
        &self.steps
    }

    /// Sends a record through the step at a place; returns what becomes of it.
    ///
    /// # Errors
    /// The step refuses the record.
    pub fn apply(&mut self, at: usize, record: Record) -> Result<Vec<Record>, TaskError> {
        let Some(TrialStep { stage, .. }) = self.steps.get_mut(at) else {
            return Ok(vec![record]);
        };
        if let (
            None,
            Body::BuiltIn {
                steps,
                touches: _any,
            },
        ) = (&stage.gate, &mut stage.body)
        {
            let mut record = record;
            for step in steps {
                match step.apply(record) {
                    Ok(Some(next)) => record = next,
                    Ok(None) => return Ok(Vec::new()),
                    Err(error) => return Err(refused(&step.name, &error)),
                }
            }
            return Ok(vec![record]);
        }
        across(stage, &mut self.models, record)
    }
}

/// Through the bytes of the plugin boundary, as a task does it.
fn across(
    stage: &mut Stage,
    models: &mut Models,
    record: Record,
) -> Result<Vec<Record>, TaskError> {
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let key_form = models.write(&record.key, &mut key)?;
    let value_form = models.write(&record.value, &mut value)?;
    let mut buffers: Vec<(Form, Vec<u8>)> = Vec::new();
    for header in record.headers.iter() {
        let mut bytes = Vec::new();
        let form = models.write(&header.value, &mut bytes)?;
        buffers.push((form, bytes));
    }
    let headers: Vec<(&str, Data<'_>)> = record
        .headers
        .iter()
        .zip(&buffers)
        .map(|(header, (form, bytes))| (&*header.name, data(*form, bytes)))
        .collect();
    let origin = record.origin.as_ref().map(|origin| {
        let place = Origin {
            topic_id: [0; 16],
            partition: origin.partition,
            leader_epoch: 0,
            offset: origin.offset,
        };
        (&origin.topic, place)
    });
    let view = View {
        topic: &record.topic,
        partition: record.partition,
        timestamp: record.timestamp,
        timestamp_type: record.timestamp_type,
        key: data(key_form, &key),
        value: data(value_form, &value),
        headers: &headers,
        origin,
    };
    let mut out = Frames::default();
    stage.run(models, &view, &mut out)?;
    let mut made = Vec::with_capacity(out.len());
    for frame in out.iter() {
        let mut headers = Headers::new();
        for (name, data) in out.headers(frame) {
            headers.add(name, models.read(&data)?);
        }
        let half = |part, before: &linkspan_convert::SchemaAndValue, models: &mut Models| {
            out.data(part)
                .map_or_else(|| Ok(before.clone()), |data| models.read(&data))
        };
        made.push(Record {
            topic: Arc::clone(&frame.topic),
            partition: frame.partition,
            timestamp: frame.timestamp,
            key: half(frame.key, &record.key, models)?,
            value: half(frame.value, &record.value, models)?,
            headers,
            ..record.clone()
        });
    }
    Ok(made)
}
