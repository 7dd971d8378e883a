//! Commands to connectors, in one enum: the command line turns one into a request, the router back into one, and the host
//! performs it. On a stopped data directory the command line performs it itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Host, HostView, parse};
use crate::operation::segment;
use crate::refusal::Refusal;

/// What is asked of one connector.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectorCommand {
    /// Its state, and that of its tasks.
    Describe,
    /// Hold still.
    Pause,
    /// Work.
    Resume,
    /// Have no tasks.
    Stop,
    /// Start again: the connector, its tasks, or what has failed.
    Restart {
        /// Tasks too.
        include_tasks: bool,
        /// Only what has failed.
        only_failed: bool,
    },
    /// Start one task again.
    RestartTask(u32),
    /// Be forgotten, with all offsets.
    Delete,
    /// Its offsets.
    Offsets,
    /// Set offsets: `{"offsets": [{"partition", "offset"}]}`.
    AlterOffsets(Value),
    /// Remove all offsets.
    ResetOffsets,
    /// Set a sink's offsets to a time, in milliseconds since 1970.
    RewindOffsets(i64),
}

impl ConnectorCommand {
    /// Whether it changes something.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Describe | Self::Offsets)
    }

    /// Returns method, path and body of the request to a running host.
    #[must_use]
    pub fn request(&self, name: &str) -> (&'static str, String, Option<String>) {
        let path = |rest: &str| format!("/api/v1/connectors/{}{rest}", segment(name));
        match self {
            Self::Describe => ("GET", path(""), None),
            Self::Pause => ("PUT", path("/pause"), None),
            Self::Resume => ("PUT", path("/resume"), None),
            Self::Stop => ("PUT", path("/stop"), None),
            Self::Restart {
                include_tasks,
                only_failed,
            } => (
                "POST",
                path(&format!(
                    "/restart?includeTasks={include_tasks}&onlyFailed={only_failed}"
                )),
                None,
            ),
            Self::RestartTask(task) => ("POST", path(&format!("/tasks/{task}/restart")), None),
            Self::Delete => ("DELETE", path(""), None),
            Self::Offsets => ("GET", path("/offsets"), None),
            Self::AlterOffsets(body) => ("PATCH", path("/offsets"), Some(body.to_string())),
            Self::ResetOffsets => ("DELETE", path("/offsets"), None),
            Self::RewindOffsets(time) => (
                "POST",
                path("/offsets/rewind"),
                Some(json!({ "to_ms": time }).to_string()),
            ),
        }
    }

    /// The status of a success, as Kafka Connect has it.
    fn success(&self) -> StatusCode {
        match self {
            Self::Pause | Self::Resume => StatusCode::ACCEPTED,
            Self::Restart {
                include_tasks,
                only_failed,
            } if *include_tasks || *only_failed => StatusCode::ACCEPTED,
            _ => StatusCode::OK,
        }
    }
}

/// Performs a command on a thread that may block: it waits for a disk sync, a deletion also for tasks.
async fn perform(host: Host, name: String, command: ConnectorCommand) -> Response {
    let success = command.success();
    let view: Arc<dyn HostView> = host.view;
    match tokio::task::spawn_blocking(move || view.command(&name, command)).await {
        Ok(Ok(value)) => (success, Json(value)).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the command panicked").into_response(),
    }
}

/// Takes over changed files, on a thread that may block: plugins are asked, tasks stop.
pub(crate) async fn apply(State(host): State<Host>) -> Response {
    match tokio::task::spawn_blocking(move || host.view.apply()).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the command panicked").into_response(),
    }
}

pub(crate) async fn list(State(host): State<Host>) -> Response {
    Json(host.view.connectors()).into_response()
}

pub(crate) async fn describe(State(host): State<Host>, Path(name): Path<String>) -> Response {
    let told = tokio::task::spawn_blocking(move || {
        let told = host.view.command(&name, ConnectorCommand::Describe)?;
        Ok::<_, Refusal>(host.fleet.detail(&name, told))
    });
    match told.await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the command panicked").into_response(),
    }
}

pub(crate) async fn delete(State(host): State<Host>, Path(name): Path<String>) -> Response {
    perform(host, name, ConnectorCommand::Delete).await
}

pub(crate) async fn pause(State(host): State<Host>, Path(name): Path<String>) -> Response {
    perform(host, name, ConnectorCommand::Pause).await
}

pub(crate) async fn resume(State(host): State<Host>, Path(name): Path<String>) -> Response {
    perform(host, name, ConnectorCommand::Resume).await
}

pub(crate) async fn stop(State(host): State<Host>, Path(name): Path<String>) -> Response {
    perform(host, name, ConnectorCommand::Stop).await
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RestartQuery {
    #[serde(default)]
    include_tasks: bool,
    #[serde(default)]
    only_failed: bool,
}

pub(crate) async fn restart(
    State(host): State<Host>,
    Path(name): Path<String>,
    Query(query): Query<RestartQuery>,
) -> Response {
    let command = ConnectorCommand::Restart {
        include_tasks: query.include_tasks,
        only_failed: query.only_failed,
    };
    perform(host, name, command).await
}

pub(crate) async fn restart_task(
    State(host): State<Host>,
    Path((name, task)): Path<(String, String)>,
) -> Response {
    match task.parse() {
        Ok(task) => perform(host, name, ConnectorCommand::RestartTask(task)).await,
        Err(_) => {
            Refusal::new(404, "LS0610", format!("Unknown task: {name}-{task}")).into_response()
        }
    }
}

pub(crate) async fn offsets(State(host): State<Host>, Path(name): Path<String>) -> Response {
    perform(host, name, ConnectorCommand::Offsets).await
}

pub(crate) async fn alter(
    State(host): State<Host>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    match serde_json::from_slice(&body) {
        Ok(body) => perform(host, name, ConnectorCommand::AlterOffsets(body)).await,
        Err(error) => {
            Refusal::new(400, "LS0613", format!("the body is not JSON: {error}")).into_response()
        }
    }
}

pub(crate) async fn reset(State(host): State<Host>, Path(name): Path<String>) -> Response {
    perform(host, name, ConnectorCommand::ResetOffsets).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RewindBody {
    to_ms: i64,
}

pub(crate) async fn rewind(
    State(host): State<Host>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    match parse::<RewindBody>(&body) {
        Ok(body) => perform(host, name, ConnectorCommand::RewindOffsets(body.to_ms)).await,
        Err(refusal) => refusal.into_response(),
    }
}
