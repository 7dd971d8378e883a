//! The first records of a source that does not run: a task of its own is opened, polled and closed.
//!
//! Nothing is written, and no record is ever said to be durable, so that the source acknowledges nothing upstream. The task has a
//! name of its own: it starts where a new connector would, and disturbs no running one of the same configuration.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linkspan_plugin::batch::{self, Limits, SourceBatch, SourceRecord};
use linkspan_plugin::{PluginError, Registry, Task};
use serde_json::json;

use crate::conceal::conceal;
use crate::convert::{Converters, SourceConverter};
use crate::error::TaskError;
use crate::services::Services;
use crate::spec::ConnectorSpec;
use crate::stop::Pulse;
use crate::task::TaskShared;
use crate::transforms::{Chain, Incoming, Opening, StoredRecord, stored};

/// Bytes that one poll is asked for.
const POLL_BYTES: u64 = 256 << 10;
/// What came and is followed by nothing for so long is all for now.
const SETTLE: Duration = Duration::from_millis(500);
/// The longest wait of one poll.
const POLL_WAIT: Duration = Duration::from_secs(1);

/// How much a trial may take.
#[derive(Debug, Clone, Copy)]
pub struct TrialLimits {
    /// Records.
    pub records: usize,
    /// Time, from the first poll on.
    pub time: Duration,
}

/// What a trial found.
#[derive(Debug, Default)]
pub struct Tried {
    /// The first records, as they would be stored; partition −1: by key.
    pub records: Vec<StoredRecord>,
    /// Records that the transforms dropped.
    pub filtered: usize,
    /// The source has no more.
    pub ended: bool,
}

/// Tries a source.
///
/// # Errors
/// What the plugin says, or what is wrong with a record; secrets concealed.
pub fn try_source(
    spec: &ConnectorSpec,
    registry: &Registry,
    services: &Arc<Services>,
    limits: TrialLimits,
    now_ms: i64,
) -> Result<Tried, TaskError> {
    let invalid = |message| TaskError::permanent("LS0211", "config_invalid", message);
    let resolved = (spec.resolve)().map_err(invalid)?;
    let class = registry
        .class(&spec.class)
        .ok_or_else(|| invalid(format!("no plugin offers the class `{}`", spec.class)))?;
    let name = format!("{}-trial", spec.name);
    let task = Arc::new(TaskShared::new(&name, 0, Pulse::default()));
    task.set_concealed(resolved.concealed.clone());
    let instance = services.enter(&task);
    let attempt = || {
        let opening = Opening {
            registry,
            services,
            task: &task,
            bounded: false,
            now_ms,
        };
        let converters = Converters::from_config(&resolved.config).map_err(|problems| {
            TaskError::permanent("LS0210", "config_invalid", problems.join("; "))
        })?;
        let mut attempt = Attempt {
            chain: Chain::open(&resolved.config, &opening)?,
            writer: SourceConverter::new(
                Arc::clone(services.schemas()),
                &spec.key_fields,
                converters,
            ),
            limits,
            now_ms,
            found: Tried::default(),
        };
        let mut config = resolved.config.clone();
        config.extend(
            class
                .task_configs(&config, 1)?
                .into_iter()
                .next()
                .unwrap_or_default(),
        );
        let document = json!({
            "connector": name, "task": 0, "class": class.name(), "bounded": false, "config": config,
        });
        let plugin = class.create_task(instance, &document.to_string())?;
        let polled = attempt.poll(&plugin, &task, services);
        let closed = plugin.close().map_err(TaskError::from);
        polled.and(closed).map(|()| attempt.found)
    };
    let outcome = attempt();
    services.leave(instance);
    outcome.map_err(|error| TaskError {
        message: conceal(&error.message, &resolved.concealed),
        ..error
    })
}

struct Attempt {
    chain: Option<Chain>,
    writer: SourceConverter,
    limits: TrialLimits,
    now_ms: i64,
    found: Tried,
}

impl Attempt {
    fn is_full(&self) -> bool {
        self.found.records.len() >= self.limits.records
    }

    fn poll(
        &mut self,
        plugin: &Task,
        task: &Arc<TaskShared>,
        services: &Services,
    ) -> Result<(), TaskError> {
        plugin.open()?;
        let end = Instant::now() + self.limits.time;
        let mut first: Option<Instant> = None;
        let most = u32::try_from(self.limits.records).unwrap_or(u32::MAX);
        while !self.is_full() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let polled = plugin.poll(most, POLL_BYTES, left.min(POLL_WAIT));
            let polled = polled.map_err(|error: PluginError| TaskError::from(error))?;
            let batch = SourceBatch::parse_and_validate(
                &polled,
                &Limits::default(),
                services.schemas().as_ref(),
            )
            .map_err(|error| {
                let message = format!("the plugin returned a batch that is not valid: {error}");
                TaskError::internal(message)
            })?;
            for record in batch.records() {
                if self.is_full() {
                    break;
                }
                self.record(&batch, &record)?;
            }
            if !self.found.records.is_empty() {
                first.get_or_insert_with(Instant::now);
            }
            let flags = batch.flags();
            if flags & batch::END != 0 {
                self.found.ended = true;
                break;
            }
            if flags & batch::IDLE != 0 {
                let asked = Duration::from_millis(u64::from(batch.poll_after_ms()));
                // Who found nothing waits for something; who found something only as long as more follows at once.
                let settled = first.is_some_and(|first| first.elapsed() + asked > SETTLE);
                if settled {
                    break;
                }
                task.stop.rest(asked.min(left));
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        batch: &SourceBatch<'_>,
        record: &SourceRecord<'_>,
    ) -> Result<(), TaskError> {
        let topic = batch.topics().get(usize::from(record.topic)).copied();
        let base = StoredRecord {
            topic: topic.unwrap_or_default().to_owned(),
            partition: record.partition,
            timestamp: record.timestamp.unwrap_or(self.now_ms),
            ..StoredRecord::default()
        };
        let Some(chain) = &mut self.chain else {
            let headers = record.headers.clone();
            let made = stored(
                &mut self.writer,
                base,
                (&record.key, &record.value),
                headers,
            )?;
            self.found.records.push(made);
            return Ok(());
        };
        let incoming = Incoming::of_source(&base.topic, record);
        let headers: Vec<_> = record.headers.clone().collect();
        let n = chain.apply(&incoming, &headers)?;
        self.found.filtered += usize::from(n == 0);
        for at in 0..n {
            let Some(outgoing) = chain.outgoing(at, &incoming) else {
                return Err(TaskError::internal("a transformed record is not there"));
            };
            let made = outgoing.stored(&mut self.writer, &base)?;
            self.found.records.push(made);
        }
        Ok(())
    }
}
