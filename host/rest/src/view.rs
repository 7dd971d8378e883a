//! What `/api/v1` asks of the program around it. Methods block: they are called on threads that may.

use std::collections::BTreeMap;
use std::fmt;

use linkspan_log::KvPut;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::connectors::ConnectorCommand;
use crate::fleet::Look;
use crate::jobs::JobEvents;
use crate::produce::NewRecord;
use crate::refusal::Refusal;

/// Lines of a connector's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WantedLines {
    /// How many at most.
    pub limit: Option<usize>,
    /// Only those behind this one, the first of them; without it the last ones.
    pub after: Option<u64>,
    /// The least grave level.
    pub level: Option<String>,
}

/// Steps of transforms that are open: dead letters go through them on their way back.
pub trait Steps: fmt::Debug {
    /// Sends a record of a place through them; returns what becomes of it, each with its topic.
    ///
    /// # Errors
    /// It cannot be read, or a step refuses it.
    fn apply(
        &mut self,
        topic: &str,
        place: (i32, i64),
        record: &NewRecord,
    ) -> Result<Vec<(String, NewRecord)>, Refusal>;

    /// What has to be stored with the records that came out.
    fn schemas(&mut self) -> Vec<KvPut>;
}

fn not_here() -> Refusal {
    Refusal::new(
        409,
        "LS0615",
        "this is a job of `run --once`; a lasting `run` answers this",
    )
}

/// What the router shows of the host beyond its log.
pub trait HostView: Send + Sync + fmt::Debug + 'static {
    /// Connectors with their states, as JSON.
    fn connectors(&self) -> Value;

    /// The same as values: it is asked every second, and the detour by way of JSON is most of what a thousand idle
    /// connectors would cost.
    fn looks(&self) -> Vec<Look> {
        match self.connectors() {
            Value::Array(rows) => rows.into_iter().map(Look::of).collect(),
            _ => Vec::new(),
        }
    }

    /// What to do about an error of this code, where that is known.
    fn remedy(&self, code: &str) -> Option<String> {
        let _ = code;
        None
    }

    /// What a code of a message means and what to do, in a language (`en`, `ko`): `{"code", "title", "text"}`.
    fn explain(&self, code: &str, language: &str) -> Option<Value> {
        let _ = (code, language);
        None
    }

    /// What of the host only the program knows: `{"commit", "ready", "starting", "disk", "listen"}`.
    fn about(&self) -> Value {
        json!({})
    }

    /// What `linkspan doctor` finds of the host's machine: `{"findings": [{"check", "status", "found", "remedy"}]}`.
    ///
    /// # Errors
    /// The host is still starting.
    fn doctor(&self) -> Result<Value, Refusal> {
        Err(not_here())
    }

    /// Opens steps of transforms.
    ///
    /// # Errors
    /// An option is not right, or the host is still starting.
    fn steps(&self, options: &BTreeMap<String, String>) -> Result<Box<dyn Steps>, Refusal> {
        let _ = options;
        Err(not_here())
    }

    /// A connector's options as they may be shown.
    fn config(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }

    /// What the host said of a connector lately.
    fn logs(&self, name: &str, wanted: &WantedLines) -> Value {
        let _ = (name, wanted);
        json!({ "lines": [], "dropped": 0, "next": 0 })
    }

    /// The latest records of runs, newest first.
    ///
    /// # Errors
    /// They cannot be read.
    fn runs(&self, limit: usize) -> Result<Value, Refusal> {
        let _ = limit;
        Err(not_here())
    }

    /// One record, by its id or the beginning of it.
    ///
    /// # Errors
    /// There is none, or more than one.
    fn run(&self, id: &str) -> Result<Value, Refusal> {
        let _ = id;
        Err(not_here())
    }

    /// The classes of all plugins.
    ///
    /// # Errors
    /// The host is still starting.
    fn plugins(&self) -> Result<Value, Refusal> {
        Err(not_here())
    }

    /// One class with its options.
    ///
    /// # Errors
    /// No plugin offers it.
    fn plugin(&self, class: &str) -> Result<Value, Refusal> {
        let _ = class;
        Err(not_here())
    }

    /// A record before and after each step of a connector, or of the steps of given options.
    ///
    /// # Errors
    /// Nobody knows the connector, an option is not right, or the record is none.
    fn try_transforms(&self, request: Value) -> Result<Value, Refusal> {
        drop(request);
        Err(not_here())
    }

    /// The first records of a source that does not run.
    ///
    /// # Errors
    /// Its options are not right, or the source says why not.
    fn try_source(&self, request: Value) -> Result<Value, Refusal> {
        drop(request);
        Err(not_here())
    }

    /// Everything that is wrong with the options of a connector, as `ConfigInfos`; with `connect` also what its connector
    /// cannot reach.
    ///
    /// # Errors
    /// No plugin offers the class.
    fn validate(&self, request: Value, connect: bool) -> Result<Value, Refusal> {
        let _asked = (request, connect);
        Err(not_here())
    }

    /// What [`HostView::apply`] would do; nothing changes.
    ///
    /// # Errors
    /// The files cannot be read.
    fn plan(&self) -> Result<Value, Refusal> {
        Err(not_here())
    }

    /// All connectors as YAML, secrets hidden.
    ///
    /// # Errors
    /// The host is still starting.
    fn export(&self) -> Result<Value, Refusal> {
        Err(not_here())
    }

    /// Takes over the changed files that the host runs; answers with what that did to which connector.
    ///
    /// # Errors
    /// They are not valid, and nothing changed; or this host takes over nothing.
    fn apply(&self) -> Result<Value, Refusal> {
        Err(Refusal::new(
            409,
            "LS0615",
            "a job of `run --once` does what its files said at its start",
        ))
    }

    /// Performs a command to one connector. Blocks for disk syncs.
    ///
    /// # Errors
    /// Nobody knows the connector, or it cannot do that now.
    fn command(&self, name: &str, command: ConnectorCommand) -> Result<Value, Refusal> {
        let _ = (name, command);
        Err(Refusal::new(
            409,
            "LS0615",
            "the connectors of `run --once` take no commands; those of a lasting `run` do",
        ))
    }

    /// What is measured of every task: `{"buckets_us": […], "tasks": [{"connector", "task", "polled", …, "poll": {"counts", "sum_us"}}]}`.
    fn measures(&self) -> Value {
        json!({})
    }

    /// The jobs of this host, those that are scheduled and those that work now, as JSON.
    fn jobs(&self) -> Value {
        json!([])
    }

    /// Starts a job that another process hands over. Blocks while the configuration is read.
    ///
    /// # Errors
    /// This host takes no jobs, or not this one.
    fn start_job(&self, request: Value) -> Result<JobEvents, Refusal> {
        drop(request);
        Err(Refusal::new(
            409,
            "LS0616",
            "the data directory belongs to a run that takes no jobs (`run --once` or `run --dev`)",
        ))
    }

    /// Ends a job before its time.
    ///
    /// # Errors
    /// No job of this id works now.
    fn cancel_job(&self, id: &str) -> Result<Value, Refusal> {
        Err(Refusal::new(
            404,
            "LS0222",
            format!("no job `{id}` works now"),
        ))
    }
}
