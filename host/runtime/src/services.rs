//! What the host offers to plugins while they run: logging, schemas, offsets, reports.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use linkspan_log::{LogBackend, Store, TopicSpec};
use linkspan_plugin::{HostServices, PluginError};
use linkspan_types::TopicName;
use serde_json::{Map, Value};

use crate::error::TaskError;
use crate::log_id::log_id;
use crate::offsets;
use crate::report::FileReport;
use crate::schemas::SchemaRegistry;
use crate::task::TaskShared;

/// The host's side of the plugin boundary. One per process: plugins are given it when they are loaded, the log when a run starts.
#[derive(Debug, Default)]
pub struct Services {
    schemas: Arc<SchemaRegistry>,
    log: OnceLock<Arc<dyn LogBackend>>,
    tasks: RwLock<HashMap<u64, Arc<TaskShared>>>,
    next_instance: AtomicU64,
    level: AtomicU32,
}

impl Services {
    /// Creates services that forward plugin events up to `level` (1 error … 5 trace).
    #[must_use]
    pub fn new(level: u32) -> Arc<Self> {
        let services = Self::default();
        services.level.store(level, Ordering::Relaxed);
        services.next_instance.store(1, Ordering::Relaxed);
        Arc::new(services)
    }

    pub(crate) fn schemas(&self) -> &Arc<SchemaRegistry> {
        &self.schemas
    }

    /// Binds the log that offsets are read from. The first call wins.
    pub(crate) fn bind(&self, log: Arc<dyn LogBackend>) {
        self.log.get_or_init(|| log);
    }

    pub(crate) fn enter(&self, task: &Arc<TaskShared>) -> u64 {
        let instance = self.next_instance.fetch_add(1, Ordering::Relaxed);
        self.tasks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(instance, Arc::clone(task));
        instance
    }

    pub(crate) fn leave(&self, instance: u64) {
        self.tasks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&instance);
    }

    fn task(&self, instance: u64) -> Option<Arc<TaskShared>> {
        self.tasks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&instance)
            .map(Arc::clone)
    }

    fn known(&self, instance: u64) -> Result<(Arc<TaskShared>, &Arc<dyn LogBackend>), PluginError> {
        let task = self
            .task(instance)
            .ok_or_else(|| PluginError::internal("no task of this instance number is running"))?;
        let log = self
            .log
            .get()
            .ok_or_else(|| PluginError::internal("no log is open"))?;
        Ok((task, log))
    }
}

/// A topic that a source is going to fill by the number of the partition.
#[derive(Debug, serde::Deserialize)]
struct WantedTopic {
    topic: String,
    partitions: i32,
}

/// Creates a topic, or adds the partitions that it lacks.
fn ensure_topic(log: &dyn LogBackend, wanted: &WantedTopic) -> Result<(), TaskError> {
    let name =
        TopicName::try_new(&wanted.topic).map_err(|error| TaskError::data(error.to_string()))?;
    let partitions = wanted.partitions.max(1);
    let found = log.topic(&name)?;
    let grown = match &found {
        Some(topic) if topic.partitions >= partitions => return Ok(()),
        Some(_) => log.add_partitions(&name, partitions),
        None => log.create_topic(&name, &TopicSpec::with_partitions(partitions)),
    };
    let Err(error) = grown else { return Ok(()) };
    // Another task may have been faster.
    match log.topic(&name)? {
        Some(topic) if topic.partitions >= partitions => Ok(()),
        Some(_) if found.is_none() => log
            .add_partitions(&name, partitions)
            .map(|_| ())
            .map_err(TaskError::from),
        _ => Err(error.into()),
    }
}

fn to_plugin(error: &TaskError) -> PluginError {
    if error.temporary {
        PluginError::temporary("unavailable", error.message.clone())
    } else {
        PluginError::permanent(&error.kind, error.message.clone())
    }
}

impl HostServices for Services {
    fn log(&self, plugin: &str, instance: u64, level: u32, target: &str, message: &str) {
        let task = self.task(instance);
        let connector = task.as_ref().map_or("", |task| task.connector.as_str());
        let message = task
            .as_ref()
            .map_or_else(|| message.to_owned(), |task| task.conceal(message));
        match level {
            1 => tracing::error!(target: "plugin", plugin, connector, from = target, "{message}"),
            2 => tracing::warn!(target: "plugin", plugin, connector, from = target, "{message}"),
            3 => tracing::info!(target: "plugin", plugin, connector, from = target, "{message}"),
            4 => tracing::debug!(target: "plugin", plugin, connector, from = target, "{message}"),
            _ => tracing::trace!(target: "plugin", plugin, connector, from = target, "{message}"),
        }
    }

    fn log_level(&self) -> u32 {
        self.level.load(Ordering::Relaxed)
    }

    fn metric(&self, _plugin: &str, instance: u64, name: &str, value: f64, labels: &str) {
        if let Some(task) = self.task(instance) {
            task.tell(name, value, labels);
        }
    }

    fn register_schema(&self, json: &str) -> Result<u32, PluginError> {
        self.schemas
            .register(json)
            .map_err(|error| to_plugin(&error))
    }

    fn schema_json(&self, handle: u32) -> Option<String> {
        self.schemas.json(handle)
    }

    fn read_offset(&self, instance: u64, partition: &str) -> Result<Option<String>, PluginError> {
        let (task, log) = self.known(instance)?;
        let key = offsets::offset_key(&task.connector, partition).ok_or_else(|| {
            PluginError::permanent(
                "data_invalid",
                "a source partition is a JSON object whose values are scalars",
            )
        })?;
        let found = log
            .get(Store::SourceOffsets, &key)
            .map_err(|error| to_plugin(&error.into()))?;
        match found {
            None => Ok(None),
            Some(bytes) => String::from_utf8(bytes.to_vec())
                .map(Some)
                .map_err(|_| PluginError::internal("a stored source offset is not UTF-8")),
        }
    }

    fn request(&self, instance: u64, op: &str, body: &[u8]) -> Result<Vec<u8>, PluginError> {
        let (task, log) = self.known(instance)?;
        match op {
            "offsets.list" => {
                let prefix: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
                    PluginError::permanent("data_invalid", format!("offset prefix: {error}"))
                })?;
                let found = offsets::list(log.as_ref(), &task.connector, &prefix)
                    .map_err(|error| to_plugin(&error.into()))?;
                serde_json::to_vec(&found).map_err(|error| PluginError::internal(error.to_string()))
            }
            "run.file" => {
                let file: FileReport = serde_json::from_slice(body).map_err(|error| {
                    PluginError::permanent("data_invalid", format!("file report: {error}"))
                })?;
                task.report_file(file);
                Ok(Vec::new())
            }
            "connector.reconfigure" => {
                task.request_reconfiguration();
                Ok(Vec::new())
            }
            "sink.commit" => {
                let midway = task.midway().ok_or_else(|| {
                    PluginError::permanent("unsupported", "this task is not a sink's at work")
                })?;
                // A plugin that goes on is not one that hangs, however long its `put` takes.
                task.touch();
                midway.commit(body).map_err(|error| to_plugin(&error))?;
                Ok(Vec::new())
            }
            "log.id" => {
                let id = log_id(log.as_ref()).map_err(|error| to_plugin(&error))?;
                Ok(id.into_bytes())
            }
            "topic.ensure" => {
                let wanted: WantedTopic = serde_json::from_slice(body).map_err(|error| {
                    PluginError::permanent("data_invalid", format!("wanted topic: {error}"))
                })?;
                ensure_topic(log.as_ref(), &wanted).map_err(|error| to_plugin(&error))?;
                Ok(Vec::new())
            }
            _ => Err(PluginError::permanent(
                "unsupported",
                format!("this host does not know the request `{op}`"),
            )),
        }
    }
}
