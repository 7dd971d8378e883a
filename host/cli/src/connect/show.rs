//! What is shown of a connector.

use base64::Engine as _;
use linkspan_rest::Refusal;
use linkspan_rest::connect::{ConnectorInfo, ConnectorState, TaskInfo, TaskState};
use linkspan_runtime::ConnectorStatus;
use serde_json::{Value, json};

use super::{Hub, unknown};

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

    pub(super) fn show_info(&self, name: &str) -> Result<ConnectorInfo, Refusal> {
        let status = self.control()?.status(name).map_err(|_| unknown(name))?;
        Ok(ConnectorInfo {
            config: self.config(name).unwrap_or_default(),
            tasks: status
                .planned
                .iter()
                .map(|&task| TaskInfo {
                    connector: name.to_owned(),
                    task,
                })
                .collect(),
            kind: status.kind,
            name: name.to_owned(),
        })
    }

    pub(super) fn show_state(&self, status: ConnectorStatus) -> ConnectorState {
        let version = self.version_of(&status.class);
        let state = |id, state: String, trace| TaskState {
            id,
            state,
            worker_id: self.worker_id.clone(),
            version: version.clone(),
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
