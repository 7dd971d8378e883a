//! What Kafka Connect's interface asks of a host. Methods block: they are called on threads that may.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::connectors::ConnectorCommand;
use crate::refusal::Refusal;

/// `GET /`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerInfo {
    /// The program's version.
    pub version: String,
    /// What it was built from.
    pub commit: String,
    /// The identity of the log.
    pub kafka_cluster_id: String,
}

/// What a connector is when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InitialState {
    /// It works.
    #[default]
    Running,
    /// It has no tasks until it is resumed.
    Paused,
    /// It has no tasks, and its offsets may be set.
    Stopped,
}

impl InitialState {
    /// Reads the word in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Running, Self::Paused, Self::Stopped]
            .into_iter()
            .find(|state| state.word().eq_ignore_ascii_case(text))
    }

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A task's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskInfo {
    /// The connector.
    pub connector: String,
    /// The number.
    pub task: u32,
}

/// `GET /connectors/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorInfo {
    /// The name.
    pub name: String,
    /// The configuration as it was given, placeholders unresolved.
    pub config: BTreeMap<String, String>,
    /// Its tasks.
    pub tasks: Vec<TaskInfo>,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// State of the connector itself, or of a task (`id`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TaskState {
    /// The task's number; the connector itself has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Kafka Connect's word.
    pub state: String,
    /// Where it runs.
    pub worker_id: String,
    /// The version of the plugin.
    pub version: String,
    /// Why it failed; the key is absent when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// `GET /connectors/NAME/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConnectorState {
    /// The name.
    pub name: String,
    /// The connector itself.
    pub connector: TaskState,
    /// Its tasks, by number.
    pub tasks: Vec<TaskState>,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What `GET /connectors` is to show beside the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expand {
    /// Each connector's state.
    pub status: bool,
    /// Each connector's configuration and tasks.
    pub info: bool,
}

/// One connector of `GET /connectors?expand=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The name, which stands before the rest.
    #[serde(skip)]
    pub name: String,
    /// Its state, where it was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ConnectorState>,
    /// Its configuration and tasks, where they were wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<ConnectorInfo>,
}

/// One line of `GET /connector-plugins`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginRow {
    /// The class.
    pub class: String,
    /// `source`, `sink`, `converter`, `header_converter`, `transformation` or `predicate`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The version.
    pub version: String,
}

/// A level of the host's own log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggerLevel {
    /// `TRACE` … `ERROR`, `OFF`.
    pub level: String,
    /// Milliseconds since 1970; null = as the host was started.
    pub last_modified: Option<i64>,
}

/// What a `PUT …/config` did.
#[derive(Debug)]
pub struct Created {
    /// Nobody had the name before.
    pub new: bool,
    /// The connector.
    pub info: ConnectorInfo,
}

/// A host with connectors.
pub trait ConnectHost: Send + Sync + fmt::Debug + 'static {
    /// Who answers.
    fn server(&self) -> ServerInfo;

    /// Whether connectors can be asked for. Unlike all others it must not block: probes are answered where requests are read.
    ///
    /// # Errors
    /// What it is doing instead, as a sentence.
    fn ready(&self) -> Result<(), String>;

    /// All connectors, with what is wanted of each: one look at all of them, not one look a connector.
    ///
    /// # Errors
    /// The host is still starting.
    fn list(&self, wanted: Expand) -> Result<Vec<Listed>, Refusal>;

    /// One connector.
    ///
    /// # Errors
    /// Nobody knows it.
    fn info(&self, name: &str) -> Result<ConnectorInfo, Refusal>;

    /// The options of a class that are secret.
    fn secrets(&self, class: &str) -> Vec<String> {
        let _ = class;
        Vec::new()
    }

    /// One connector's state.
    ///
    /// # Errors
    /// Nobody knows it.
    fn state(&self, name: &str) -> Result<ConnectorState, Refusal>;

    /// Each task with its configuration, secrets unresolved: `[{"id": {"connector", "task"}, "config"}]`.
    ///
    /// # Errors
    /// Nobody knows the connector.
    fn tasks(&self, name: &str) -> Result<Value, Refusal>;

    /// Topics the connector has used.
    fn topics(&self, name: &str) -> Vec<String>;

    /// Forgets which topics were used.
    fn reset_topics(&self, name: &str);

    /// Makes or changes a connector; durable when it returns. With `only_new` an existing name is 409.
    ///
    /// # Errors
    /// 400 with every problem; 409: it exists, or a file owns it.
    fn configure(
        &self,
        name: &str,
        config: BTreeMap<String, String>,
        initial: InitialState,
        only_new: bool,
    ) -> Result<Created, Refusal>;

    /// Changes some options of a connector; null removes one.
    ///
    /// # Errors
    /// As [`ConnectHost::configure`]; 404: nobody knows it.
    fn patch(
        &self,
        name: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<ConnectorInfo, Refusal>;

    /// Removes a connector; its offsets stay.
    ///
    /// # Errors
    /// Nobody knows it; 409: a file owns it.
    fn remove(&self, name: &str) -> Result<(), Refusal>;

    /// Restarts the connector, its tasks, or what has failed; shows what restarts as RESTARTING.
    ///
    /// # Errors
    /// Nobody knows it.
    fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<ConnectorState, Refusal>;

    /// A command to one connector.
    ///
    /// # Errors
    /// Nobody knows it, or it cannot do that now.
    fn act(&self, name: &str, command: ConnectorCommand) -> Result<Value, Refusal>;

    /// Installed plugins.
    fn plugins(&self, connectors_only: bool) -> Vec<PluginRow>;

    /// Option definitions of a plugin of any kind, as `ConfigKeyInfo`.
    ///
    /// # Errors
    /// Nobody offers it.
    fn plugin_config(&self, plugin: &str) -> Result<Value, Refusal>;

    /// `ConfigInfos`: every option with its value and what is wrong with it. `connect`: also with what the class finds outside.
    ///
    /// # Errors
    /// Nobody offers the class, or the configuration names another.
    fn validate(
        &self,
        plugin: &str,
        config: BTreeMap<String, Option<String>>,
        connect: bool,
    ) -> Result<Value, Refusal>;

    /// Levels of the host's log.
    fn loggers(&self) -> BTreeMap<String, LoggerLevel>;

    /// Sets a level; returns the loggers that changed.
    ///
    /// # Errors
    /// No such level.
    fn set_logger(&self, logger: &str, level: &str) -> Result<Vec<String>, Refusal>;
}
