//! Jobs that another process hands to the host: `run --once` on a data directory that a host holds.
//!
//! The answer to `POST /api/v1/jobs` is a stream of JSON lines that lasts as long as the job: progress, and at the end what
//! became of it. A caller that goes away ends its job, as a killed `run --once` would end.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::api::{Host, parse};
use crate::refusal::Refusal;
use crate::view::HostView;

/// What a job tells while it works; the sender ends it when the receiver is gone.
pub type JobEvents = mpsc::Receiver<Value>;

pub(crate) async fn list(State(host): State<Host>) -> Response {
    match tokio::task::spawn_blocking(move || host.view.jobs()).await {
        Ok(value) => Json(value).into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

pub(crate) async fn start(State(host): State<Host>, body: Bytes) -> Response {
    let request: Value = match parse(&body) {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(),
    };
    let view: Arc<dyn HostView> = host.view;
    // Reading configurations and asking plugins about them may block.
    match tokio::task::spawn_blocking(move || view.start_job(request)).await {
        Ok(Ok(events)) => stream(events),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "starting the job panicked").into_response(),
    }
}

fn stream(events: JobEvents) -> Response {
    let lines = ReceiverStream::new(events)
        .map(|event| Ok::<Bytes, std::io::Error>(Bytes::from(format!("{event}\n"))));
    (
        [(header::CONTENT_TYPE, "application/x-ndjson")],
        Body::from_stream(lines),
    )
        .into_response()
}

pub(crate) async fn cancel(State(host): State<Host>, Path(id): Path<String>) -> Response {
    match host.view.cancel_job(&id) {
        Ok(done) => Json(done).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
