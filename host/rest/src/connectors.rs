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

use crate::api::{Host, parse};
use crate::operation::segment;
use crate::refusal::Refusal;
use crate::view::HostView;

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
    /// Say what one of the three would do; nothing changes.
    Preview(Box<Self>),
}

impl ConnectorCommand {
    /// Whether it changes something.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self, Self::Describe | Self::Offsets | Self::Preview(_))
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
            Self::Preview(of) => {
                let (method, path, body) = of.request(name);
                (method, format!("{path}?preview=true"), body)
            }
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
    // A thousand of them cost milliseconds, which others who are read here would wait for.
    match tokio::task::spawn_blocking(move || host.view.connectors()).await {
        Ok(value) => Json(value).into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the command panicked").into_response(),
    }
}

pub(crate) async fn describe(State(host): State<Host>, Path(name): Path<String>) -> Response {
    let told = tokio::task::spawn_blocking(move || {
        let told = host.view.command(&name, ConnectorCommand::Describe)?;
        let mut told = host.fleet.detail(&name, told);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("config".to_owned(), json!(host.view.config(&name)));
        }
        Ok::<_, Refusal>(told)
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

#[derive(Debug, Deserialize)]
pub(crate) struct PreviewQuery {
    /// Says what would be done, and does nothing.
    #[serde(default)]
    preview: bool,
}

impl PreviewQuery {
    fn of(&self, command: ConnectorCommand) -> ConnectorCommand {
        if self.preview {
            return ConnectorCommand::Preview(Box::new(command));
        }
        command
    }
}

pub(crate) async fn alter(
    State(host): State<Host>,
    Path(name): Path<String>,
    Query(query): Query<PreviewQuery>,
    body: Bytes,
) -> Response {
    match serde_json::from_slice(&body) {
        Ok(body) => {
            let command = query.of(ConnectorCommand::AlterOffsets(body));
            perform(host, name, command).await
        }
        Err(error) => {
            Refusal::new(400, "LS0613", format!("the body is not JSON: {error}")).into_response()
        }
    }
}

pub(crate) async fn reset(
    State(host): State<Host>,
    Path(name): Path<String>,
    Query(query): Query<PreviewQuery>,
) -> Response {
    perform(host, name, query.of(ConnectorCommand::ResetOffsets)).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RewindBody {
    to_ms: i64,
}

pub(crate) async fn rewind(
    State(host): State<Host>,
    Path(name): Path<String>,
    Query(query): Query<PreviewQuery>,
    body: Bytes,
) -> Response {
    match parse::<RewindBody>(&body) {
        Ok(body) => {
            let command = query.of(ConnectorCommand::RewindOffsets(body.to_ms));
            perform(host, name, command).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_the_same_request_and_changes_nothing() {
        let rewind = ConnectorCommand::RewindOffsets(5);
        let preview = ConnectorCommand::Preview(Box::new(rewind.clone()));
        assert!(rewind.writes() && !preview.writes());
        let (method, path, body) = preview.request("a/b");
        assert_eq!(method, "POST");
        assert_eq!(path, "/api/v1/connectors/a%2Fb/offsets/rewind?preview=true");
        assert_eq!(body, rewind.request("a/b").2);
    }
}
