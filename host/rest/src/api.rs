//! `/api/v1` as far as the command line needs it: topics, records, the log's figures, connectors.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use linkspan_log::LogBackend;
use linkspan_types::{TopicName, error_chain};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::records::{ReadError, RecordReader};
use crate::start::From;

/// Chunks of records on their way to one slow reader.
const RECORD_CHUNKS_MAX: usize = 4;
/// How often a following reader looks for new records.
const FOLLOW_EVERY: Duration = Duration::from_millis(100);

/// What the router shows of the host beyond its log.
pub trait HostView: Send + Sync + fmt::Debug + 'static {
    /// Connectors with their states, as JSON.
    fn connectors(&self) -> Value;
}

#[derive(Debug, Clone)]
struct Host {
    log: Arc<dyn LogBackend>,
    view: Arc<dyn HostView>,
}

/// Returns the router over a log and a view of the host.
pub fn router(log: Arc<dyn LogBackend>, view: Arc<dyn HostView>) -> Router {
    Router::new()
        .route("/api/v1/topics", get(topics))
        .route("/api/v1/topics/{topic}/records", get(records))
        .route("/api/v1/log/stat", get(log_stat))
        .route("/api/v1/connectors", get(connectors))
        .fallback(|| async { failure(StatusCode::NOT_FOUND, "there is nothing at this path") })
        .with_state(Host { log, view })
}

fn failure(status: StatusCode, message: impl Into<String>) -> Response {
    (
        status,
        Json(json!({ "error_code": status.as_u16(), "message": message.into() })),
    )
        .into_response()
}

fn log_failure(error: &linkspan_log::Error) -> Response {
    failure(StatusCode::INTERNAL_SERVER_ERROR, error_chain(error))
}

async fn topics(State(host): State<Host>) -> Response {
    #[derive(Serialize)]
    struct Shown {
        name: String,
        id: String,
        partitions: i32,
        settings: std::collections::BTreeMap<String, String>,
    }
    match host.log.topics() {
        Err(error) => log_failure(&error),
        Ok(topics) => Json(
            topics
                .into_iter()
                .map(|topic| Shown {
                    name: topic.name.to_string(),
                    id: topic.id.to_string(),
                    partitions: topic.partitions,
                    settings: topic.settings,
                })
                .collect::<Vec<_>>(),
        )
        .into_response(),
    }
}

async fn log_stat(State(host): State<Host>) -> Response {
    match host.log.stat() {
        Ok(stat) => Json(stat).into_response(),
        Err(error) => log_failure(&error),
    }
}

async fn connectors(State(host): State<Host>) -> Response {
    Json(host.view.connectors()).into_response()
}

#[derive(Debug, Deserialize)]
struct RecordQuery {
    from: Option<String>,
    /// Ends at the end of the topic instead of waiting for more.
    #[serde(default)]
    exit: bool,
}

/// Streams records as JSON lines until their end, or until the reader goes away.
async fn records(
    State(host): State<Host>,
    Path(topic): Path<String>,
    Query(query): Query<RecordQuery>,
) -> Response {
    let name = match TopicName::try_new(&topic) {
        Ok(name) => name,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let from = match query.from.as_deref().unwrap_or("earliest").parse::<From>() {
        Ok(from) => from,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error.to_string()),
    };
    let reader = match RecordReader::open(host.log, &name, from) {
        Ok(reader) => reader,
        Err(error @ ReadError::UnknownTopic(_)) => {
            return failure(StatusCode::NOT_FOUND, error.to_string());
        }
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, error_chain(&error)),
    };
    let (sender, receiver) = mpsc::channel(RECORD_CHUNKS_MAX);
    tokio::task::spawn_blocking(move || send_records(reader, query.exit, &sender));
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<Bytes, std::io::Error>));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

fn send_records(mut reader: RecordReader, exit: bool, sender: &mpsc::Sender<Bytes>) {
    loop {
        let chunk = match reader.read() {
            Ok(chunk) => chunk,
            Err(error) => {
                let line = json!({ "error": error_chain(&error) }).to_string() + "\n";
                // A reader that went away needs no error.
                drop(sender.blocking_send(line.into()));
                return;
            }
        };
        if chunk.is_empty() {
            if exit || sender.is_closed() {
                return;
            }
            std::thread::sleep(FOLLOW_EVERY);
            continue;
        }
        let mut lines = Vec::new();
        for record in &chunk {
            if serde_json::to_writer(&mut lines, record).is_err() {
                return;
            }
            lines.push(b'\n');
        }
        if sender.blocking_send(lines.into()).is_err() {
            return;
        }
    }
}
