//! What people do around connectors: read what the host says of them, look at runs and plugins, try transforms and
//! configurations. The program around this crate knows all of it ([`crate::HostView`]); here are only the requests.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::api::{Host, parse};
use crate::refusal::Refusal;
use crate::view::{HostView, WantedLines};

/// Runs that are listed unless told otherwise.
const RUNS_SHOWN: usize = 50;
/// The most runs of one answer.
const RUNS_MAX: usize = 1_000;

/// Asks on a thread that may block.
async fn ask(
    host: Host,
    what: impl FnOnce(&dyn HostView) -> Result<Value, Refusal> + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(move || what(&*host.view)).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

/// `GET /api/v1/connectors/{name}/logs`
pub(crate) async fn logs(
    State(host): State<Host>,
    Path(name): Path<String>,
    Query(wanted): Query<WantedLines>,
) -> Response {
    if let Some(level) = &wanted.level
        && level.parse::<tracing::Level>().is_err()
    {
        let message = format!("`level={}` is no level", level.escape_debug());
        return Refusal::argument(message)
            .help("error, warn, info, debug or trace")
            .into_response();
    }
    ask(host, move |view| Ok(view.logs(&name, &wanted))).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct Limit {
    limit: Option<usize>,
}

/// `GET /api/v1/runs`
pub(crate) async fn runs(State(host): State<Host>, Query(query): Query<Limit>) -> Response {
    let limit = query.limit.unwrap_or(RUNS_SHOWN).min(RUNS_MAX);
    ask(host, move |view| view.runs(limit)).await
}

/// `GET /api/v1/runs/{id}`
pub(crate) async fn run(State(host): State<Host>, Path(id): Path<String>) -> Response {
    ask(host, move |view| view.run(&id)).await
}

/// `GET /api/v1/plugins`
pub(crate) async fn plugins(State(host): State<Host>) -> Response {
    ask(host, |view| view.plugins()).await
}

/// `GET /api/v1/plugins/{class}`
pub(crate) async fn plugin(State(host): State<Host>, Path(class): Path<String>) -> Response {
    ask(host, move |view| view.plugin(&class)).await
}

/// `GET /api/v1/doctor`
pub(crate) async fn doctor(State(host): State<Host>) -> Response {
    ask(host, |view| view.doctor()).await
}

/// `POST /api/v1/transforms/try`
pub(crate) async fn try_transforms(State(host): State<Host>, body: Bytes) -> Response {
    ask(host, move |view| view.try_transforms(parse(&body)?)).await
}

/// `POST /api/v1/sources/try`
pub(crate) async fn try_source(State(host): State<Host>, body: Bytes) -> Response {
    ask(host, move |view| view.try_source(parse(&body)?)).await
}

#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    connect: Option<bool>,
}

/// `POST /api/v1/validate`
pub(crate) async fn validate(
    State(host): State<Host>,
    Query(query): Query<Attempt>,
    body: Bytes,
) -> Response {
    let connect = query.connect.unwrap_or(false);
    ask(host, move |view| view.validate(parse(&body)?, connect)).await
}

/// `GET /api/v1/config/plan`
pub(crate) async fn plan(State(host): State<Host>) -> Response {
    ask(host, |view| view.plan()).await
}

/// `POST /api/v1/config/apply`
pub(crate) async fn apply(State(host): State<Host>) -> Response {
    ask(host, |view| view.apply()).await
}

/// `GET /api/v1/config/export`
pub(crate) async fn export(State(host): State<Host>) -> Response {
    ask(host, |view| view.export()).await
}
