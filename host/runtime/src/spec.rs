//! What the runtime is told to run. Configuration files are read elsewhere; this is their outcome.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use linkspan_log::{LogBackend, TopicPattern, TopicSpec};
use linkspan_types::TopicName;

use crate::control::Target;

/// Declared topics and their settings.
pub type TopicSpecs = BTreeMap<TopicName, TopicSpec>;

/// Gives a connector's configuration with its placeholders filled in; called for each use, nothing resolved is kept.
pub type ResolveConfig = Arc<dyn Fn() -> Result<Resolved, String> + Send + Sync>;

/// A configuration as a task gets it. `Debug` shows no value.
#[derive(Clone, Default)]
pub struct Resolved {
    /// The flat options.
    pub config: BTreeMap<String, String>,
    /// Secrets and the values of placeholders: none of them may show in an error or log line.
    pub concealed: Vec<String>,
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("options", &self.config.len())
            .finish_non_exhaustive()
    }
}

/// Whether a connector reads from outside or writes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindOfConnector {
    /// Reads from outside into topics.
    Source,
    /// Writes topics to the outside.
    Sink,
}

impl KindOfConnector {
    /// `source` or `sink`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }
}

/// One connector to run.
#[derive(Clone)]
pub struct ConnectorSpec {
    /// The instance's name, unique in the host.
    pub name: String,
    /// The class as the plugin names it.
    pub class: String,
    /// Source or sink.
    pub kind: KindOfConnector,
    /// The flat configuration, placeholders filled in when called.
    pub resolve: ResolveConfig,
    /// `tasks.max`.
    pub tasks_max: u32,
    /// Topics a sink reads; empty for sources.
    pub topics: Vec<TopicName>,
    /// `topics.regex`: what a sink reads beside them, also topics that are made later.
    pub topics_regex: Option<TopicPattern>,
    /// Columns that make up a record's key; empty keeps the key of the plugin.
    pub key_fields: Vec<String>,
    /// `offset.flush.interval.ms`: how often a sink is asked for its progress.
    pub flush_interval: Duration,
    /// `restart.policy`: whether a task that failed temporarily or by a defect starts again by itself.
    pub restarts: bool,
    /// `restart.delay.max.ms`: longest pause between two attempts.
    pub restart_delay_max: Duration,
    /// `tasks.max.enforce`: whether a class that makes more tasks than asked for is refused.
    pub tasks_max_enforced: bool,
    /// `no.progress.timeout.ms`: how long one call of the plugin may last before the task is shown as hung.
    pub hung_after: Option<Duration>,
    /// `initial.state`: what a connector is to be that was not here before.
    pub initial_state: Target,
    /// `moved.from`: the former name whose offsets it takes over.
    pub moved_from: Option<String>,
    /// Hash of the configuration, placeholders unresolved: another one restarts the connector.
    pub fingerprint: String,
    /// `file:line` where it stands.
    pub origin: String,
    /// In a bounded job: it starts when all of an earlier stage is through. 0 starts first.
    pub stage: u32,
}

impl ConnectorSpec {
    /// Whether a sink reads this topic.
    #[must_use]
    pub fn reads(&self, topic: &TopicName) -> bool {
        let pattern = self.topics_regex.as_ref();
        self.topics.contains(topic) || pattern.is_some_and(|pattern| pattern.matches(topic))
    }

    /// Returns the topics that a sink reads now: those it names, and those there are that its pattern matches.
    pub(crate) fn topics_now(&self, log: &dyn LogBackend) -> linkspan_log::Result<Vec<TopicName>> {
        let mut topics = self.topics.clone();
        if let Some(pattern) = &self.topics_regex {
            let found = log.topics()?.into_iter().map(|topic| topic.name);
            topics.extend(found.filter(|name| pattern.matches(name)));
            topics.sort();
            topics.dedup();
        }
        Ok(topics)
    }

    /// One that cannot run: it fails with `why` when it starts, and is shown so.
    #[must_use]
    pub fn broken(
        name: &str,
        class: &str,
        kind: KindOfConnector,
        origin: &str,
        why: Arc<str>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            class: class.to_owned(),
            kind,
            resolve: Arc::new(move || Err(why.to_string())),
            tasks_max: 1,
            topics: Vec::new(),
            topics_regex: None,
            key_fields: Vec::new(),
            flush_interval: Duration::from_secs(1),
            restarts: false,
            restart_delay_max: Duration::from_secs(1),
            tasks_max_enforced: true,
            hung_after: None,
            initial_state: Target::default(),
            moved_from: None,
            fingerprint: String::new(),
            origin: origin.to_owned(),
            stage: 0,
        }
    }
}

impl fmt::Debug for ConnectorSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorSpec")
            .field("name", &self.name)
            .field("class", &self.class)
            .field("tasks_max", &self.tasks_max)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

/// How long a run lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until it is told to stop.
    Continuous,
    /// A `--once` job: until the sources are exhausted and the sinks have passed their ends.
    Bounded {
        /// `--timeout`.
        timeout: Option<Duration>,
    },
}

/// Bounds of the runtime, each in one place.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Partitions of a topic that nobody declared.
    pub num_partitions: i32,
    /// Most bytes asked of one `poll`.
    pub poll_bytes_max: usize,
    /// Most records asked of one `poll`.
    pub poll_records_max: u32,
    /// Bytes that one source task may have submitted but not durable.
    pub in_flight_bytes_max: usize,
    /// Bytes that one sink task may have fetched but not put.
    pub fetch_buffer_bytes_max: usize,
    /// Bytes of records that all tasks together may hold, see [`crate::Settings::in_flight_bytes_max`] and
    /// [`crate::Settings::fetch_buffer_bytes_max`]; each task may hold one batch in any case.
    pub memory_bytes_max: usize,
    /// Bytes aimed at in one `put`; up to four times as many while much is waiting and the plugin is quick.
    pub put_bytes: usize,
    /// How long a stopping task may take before its thread is given up.
    pub stop_deadline: Duration,
    /// Restarts of a panicked or internally failed task in a bounded job.
    pub job_restarts_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            num_partitions: 1,
            poll_bytes_max: 1 << 20,
            poll_records_max: 65_536,
            in_flight_bytes_max: 16 << 20,
            fetch_buffer_bytes_max: 8 << 20,
            memory_bytes_max: 256 << 20,
            put_bytes: 1 << 20,
            stop_deadline: Duration::from_secs(10),
            job_restarts_max: 3,
        }
    }
}
