//! The running host's connectors behind the socket.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, OnceLock};

use linkspan_rest::{
    ConnectorCommand, HostView, JobEvents, Look, Refusal, Steps, TaskLook, WantedLines,
};
use linkspan_runtime::{
    BUCKETS_US, ConnectorStatus, Control, OffsetsChange, Refused, Restart, TaskStatus,
};
use serde_json::{Value, json};

use super::hosted::Jobs;
use super::inspect::refused;
use super::reload::Reload;
use crate::connect::Hub;
use crate::connectors::{offsets_change, refusal};
use crate::logging;

/// A host on its way: it answers from the first moment on, and takes commands once its connectors are there.
#[derive(Debug, Default)]
pub(crate) struct Starting(OnceLock<Commands>);

impl Starting {
    /// From here on commands are taken.
    pub(super) fn started(
        &self,
        control: Control,
        jobs: Arc<Jobs>,
        reload: Arc<Reload>,
        hub: Arc<Hub>,
    ) {
        self.0.get_or_init(|| Commands {
            control,
            jobs,
            reload,
            hub,
        });
    }

    fn commands(&self) -> Result<&Commands, Refusal> {
        self.0.get().ok_or_else(|| {
            Refusal::new(503, "LS0615", "the host is still starting").help("try again in a moment")
        })
    }
}

impl HostView for Starting {
    fn connectors(&self) -> Value {
        self.0.get().map_or_else(|| json!([]), Commands::connectors)
    }

    fn looks(&self) -> Vec<Look> {
        self.0.get().map_or_else(Vec::new, Commands::looks)
    }

    fn remedy(&self, code: &str) -> Option<String> {
        linkspan_config::codes::find(code).map(|code| code.explanation.to_owned())
    }

    fn explain(&self, code: &str, language: &str) -> Option<Value> {
        let known = linkspan_config::codes::find(code)?;
        let korean = linkspan_config::codes::korean(known).filter(|_| language == "ko");
        let (title, text) = korean.unwrap_or((known.title, known.explanation));
        Some(json!({ "code": known.code, "title": title, "text": text }))
    }

    fn about(&self) -> Value {
        self.0.get().map_or_else(
            || json!({ "ready": false, "starting": "it brings its connectors to their states" }),
            Commands::about,
        )
    }

    fn doctor(&self) -> Result<Value, Refusal> {
        Ok(self.commands()?.doctor())
    }

    fn steps(&self, options: &BTreeMap<String, String>) -> Result<Box<dyn Steps>, Refusal> {
        self.commands()?.steps(options)
    }

    fn config(&self, name: &str) -> Option<Value> {
        let config = self.0.get()?.hub.shown_options(name)?;
        Some(json!(config))
    }

    fn logs(&self, name: &str, wanted: &WantedLines) -> Value {
        logging::recent_lines(name, wanted)
    }

    fn runs(&self, limit: usize) -> Result<Value, Refusal> {
        self.commands()?.runs(limit)
    }

    fn run(&self, id: &str) -> Result<Value, Refusal> {
        self.commands()?.run(id)
    }

    fn plugins(&self) -> Result<Value, Refusal> {
        Ok(self.commands()?.hub.list_classes())
    }

    fn plugin(&self, class: &str) -> Result<Value, Refusal> {
        self.commands()?.hub.describe_class(class)
    }

    fn try_transforms(&self, request: Value) -> Result<Value, Refusal> {
        self.commands()?.try_transforms(request)
    }

    fn try_source(&self, request: Value) -> Result<Value, Refusal> {
        self.commands()?.try_source(request)
    }

    fn validate(&self, request: Value, connect: bool) -> Result<Value, Refusal> {
        self.commands()?.validate(request, connect)
    }

    fn plan(&self) -> Result<Value, Refusal> {
        self.commands()?.reload.plan().map_err(refused)
    }

    fn export(&self) -> Result<Value, Refusal> {
        self.commands()?.hub.export()
    }

    fn command(&self, name: &str, command: ConnectorCommand) -> Result<Value, Refusal> {
        let commands = self.commands()?;
        commands.perform(name, command).map_err(refusal)
    }

    fn measures(&self) -> Value {
        self.0.get().map_or_else(
            || json!({}),
            |commands| json!({ "buckets_us": BUCKETS_US, "tasks": commands.control.measures() }),
        )
    }

    fn jobs(&self) -> Value {
        self.0
            .get()
            .map_or_else(|| json!([]), |commands| commands.jobs.list())
    }

    fn start_job(&self, request: Value) -> Result<JobEvents, Refusal> {
        self.commands()?.jobs.start(request)
    }

    fn cancel_job(&self, id: &str) -> Result<Value, Refusal> {
        self.commands()?.jobs.cancel(id)
    }

    fn apply(&self) -> Result<Value, Refusal> {
        let applied = self.commands()?.reload.now();
        applied
            .map(|applied| json!(applied))
            .map_err(|failure| Refusal::new(400, failure.code, failure.message))
    }
}

/// Commands to the connectors and jobs of a run that lasts.
#[derive(Debug)]
pub(super) struct Commands {
    pub(super) control: Control,
    pub(super) jobs: Arc<Jobs>,
    reload: Arc<Reload>,
    pub(super) hub: Arc<Hub>,
}

impl Commands {
    /// The host's own connectors, and those that wait for the time of their job.
    fn connectors(&self) -> Value {
        let (own, scheduled) = self.own_and_scheduled();
        let rows = own.iter().map(|status| json!(status));
        Value::Array(rows.chain(scheduled).collect())
    }

    /// The same for the look that is taken every second, not by way of JSON.
    fn looks(&self) -> Vec<Look> {
        let (own, scheduled) = self.own_and_scheduled();
        let own = own.into_iter().map(look_of);
        own.chain(scheduled.into_iter().map(Look::of)).collect()
    }

    /// A connector that left its file and waits for its job now is shown as the job's.
    fn own_and_scheduled(&self) -> (Vec<ConnectorStatus>, Vec<Value>) {
        let mut own = self.control.statuses();
        let scheduled = self.jobs.connectors();
        let names: HashSet<&str> = scheduled
            .iter()
            .filter_map(|row| row.get("name")?.as_str())
            .collect();
        own.retain(|status| !status.left || !names.contains(status.name.as_str()));
        (own, scheduled)
    }

    fn perform(&self, name: &str, command: ConnectorCommand) -> Result<Value, Refused> {
        let control = &self.control;
        if let ConnectorCommand::Preview(of) = &command {
            return match offsets_change(of) {
                Some(change) => control.preview_offsets(name, &change),
                None => Ok(json!(control.status(name)?)),
            };
        }
        let change = |change| control.change_offsets(name, &change);
        match command {
            ConnectorCommand::Describe | ConnectorCommand::Preview(_) => {}
            ConnectorCommand::Pause => control.pause(name)?,
            ConnectorCommand::Resume => control.resume(name)?,
            ConnectorCommand::Stop => control.stop_connector(name)?,
            ConnectorCommand::Restart {
                include_tasks,
                only_failed,
            } => {
                let restart = Restart {
                    include_tasks,
                    only_failed,
                };
                return Ok(json!(control.restart(name, restart)?));
            }
            ConnectorCommand::RestartTask(task) => control.restart_task(name, task)?,
            ConnectorCommand::Delete => {
                control.delete(name)?;
                return Ok(json!({ "deleted": name }));
            }
            ConnectorCommand::Offsets => return control.offsets(name),
            ConnectorCommand::AlterOffsets(body) => return change(OffsetsChange::Set(body)),
            ConnectorCommand::ResetOffsets => return change(OffsetsChange::Reset),
            ConnectorCommand::RewindOffsets(time) => return change(OffsetsChange::Rewind(time)),
        }
        Ok(json!(control.status(name)?))
    }
}

fn look_of(status: ConnectorStatus) -> Look {
    Look {
        name: status.name,
        kind: status.kind,
        class: status.class,
        origin: status.origin,
        left: status.left,
        target: status.target,
        state: status.state,
        trace: status.trace,
        tasks: status.tasks.into_iter().map(task_look).collect(),
        starts: status.starts,
        records: status.records,
        bytes: status.bytes,
        filtered: status.filtered,
        dead_letters: status.dead_letters,
        skipped: status.skipped,
        restarts: status.restarts,
        lost: status.lost,
        zombies: status.zombies,
        stage: status.stage,
        topics: status.topics,
        job: None,
    }
}

fn task_look(task: TaskStatus) -> TaskLook {
    TaskLook {
        id: task.id,
        state: task.state,
        connect_state: task.connect_state,
        trace: task.trace,
        starts: task.starts,
        restarts: task.restarts,
        records: task.records,
        next_attempt_ms: task.next_attempt_ms,
        hung_ms: task.hung_ms,
    }
}
