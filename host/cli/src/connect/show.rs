//! What is shown of a connector.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use base64::Engine as _;
use linkspan_rest::Refusal;
use linkspan_rest::connect::{ConnectorInfo, ConnectorState, Expand, Listed, TaskInfo, TaskState};
use linkspan_runtime::ConnectorStatus;
use serde_json::{Value, json};

use super::{Config, Hub, unknown};

impl Hub {
    /// The identity of the log: that of its data directory, as 22 letters, like a cluster's.
    pub(super) fn cluster_id(&self) -> String {
        if let Some(known) = self.cluster.get() {
            return known.clone();
        }
        let id = linkspan_runtime::log_id(self.log.as_ref());
        let id = id.ok().and_then(|id| uuid::Uuid::parse_str(&id).ok());
        match id {
            Some(id) => {
                let letters = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id);
                self.cluster.get_or_init(|| letters).clone()
            }
            // A log that cannot be written has none yet; the next one who asks tries again.
            None => "linkspan-local".to_owned(),
        }
    }

    /// All connectors, from one look at their states and one at their configurations.
    pub(super) fn show_all(&self, wanted: Expand) -> Result<Vec<Listed>, Refusal> {
        let control = self.control()?;
        let bare = |name| Listed {
            name,
            status: None,
            info: None,
        };
        if wanted == Expand::default() {
            return Ok(control.names().into_iter().map(bare).collect());
        }
        let statuses = control.statuses();
        let made = self.made();
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        let mut versions: BTreeMap<String, String> = BTreeMap::new();
        let listed = statuses.into_iter().map(|status| {
            let mut one = bare(status.name.clone());
            if wanted.info {
                let config = made.get(&one.name).or_else(|| files.get(&one.name));
                one.info = Some(info_of(&status, config.cloned().unwrap_or_default()));
            }
            if wanted.status {
                let version = versions
                    .entry(status.class.clone())
                    .or_insert_with_key(|class| self.version_of(class));
                one.status = Some(self.state_of(status, version));
            }
            one
        });
        Ok(listed.collect())
    }

    pub(super) fn show_info(&self, name: &str) -> Result<ConnectorInfo, Refusal> {
        let status = self.control()?.status(name).map_err(|_| unknown(name))?;
        Ok(info_of(&status, self.config(name).unwrap_or_default()))
    }

    pub(super) fn show_state(&self, status: ConnectorStatus) -> ConnectorState {
        let version = self.version_of(&status.class);
        self.state_of(status, &version)
    }

    fn state_of(&self, status: ConnectorStatus, version: &str) -> ConnectorState {
        let state = |id, state: String, trace| TaskState {
            id,
            state,
            worker_id: self.worker_id.clone(),
            version: version.to_owned(),
            trace,
        };
        ConnectorState {
            connector: state(None, status.state, status.trace),
            tasks: status
                .tasks
                .into_iter()
                .map(|task| state(Some(task.id), task.connect_state, task.trace))
                .collect(),
            kind: status.kind,
            name: status.name,
        }
    }

    /// Each task with the connector's configuration and the class of its task; placeholders stay.
    pub(super) fn show_tasks(&self, name: &str) -> Result<Value, Refusal> {
        let status = self.control()?.status(name).map_err(|_| unknown(name))?;
        let mut config = self.config(name).unwrap_or_default();
        config.insert("task.class".to_owned(), self.task_class(&status.class));
        Ok(status
            .planned
            .iter()
            .map(|task| json!({ "id": { "connector": name, "task": task }, "config": config }))
            .collect())
    }
}

fn info_of(status: &ConnectorStatus, config: Config) -> ConnectorInfo {
    let tasks = status.planned.iter().map(|&task| TaskInfo {
        connector: status.name.clone(),
        task,
    });
    ConnectorInfo {
        config,
        tasks: tasks.collect(),
        kind: status.kind.clone(),
        name: status.name.clone(),
    }
}
