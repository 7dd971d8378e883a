//! The host itself: who asks, what it is, what its codes mean.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use linkspan_types::{Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Host;
use crate::listen::Scheme;
use crate::metrics::Process;
use crate::refusal::Refusal;
use crate::role::Caller;

/// Who asks.
pub(crate) async fn whoami(caller: Option<Extension<Caller>>) -> Json<Caller> {
    Json(caller.map_or_else(Caller::local, |Extension(caller)| caller))
}

pub(crate) async fn host(
    State(host): State<Host>,
    caller: Option<Extension<Caller>>,
    scheme: Option<Extension<Scheme>>,
) -> Response {
    let auth = caller.is_some_and(|Extension(caller)| caller.auth);
    let tls = scheme.is_some_and(|Extension(scheme)| scheme.0 == "https");
    match tokio::task::spawn_blocking(move || describe(&host, tls, auth)).await {
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(refusal)) => refusal.into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

/// What the host is. Whether its listener has TLS and users the host says itself, as this may be asked over its socket; `tls` and
/// `auth` are those of the request.
pub(crate) fn describe(host: &Host, tls: bool, auth: bool) -> Result<Value, Refusal> {
    let stat = host.log.stat()?;
    let process = Process::read();
    let now_ms = SystemClock::default().now_ms();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds since 1970 are far below 2^53"
    )]
    let started_ms = process.started.map(|at| (at * 1000.0) as i64);
    let sync = &stat.syncs.latency;
    let about = host.view.about();
    let own = |name: &str| about.get(name).cloned().unwrap_or_default();
    let has = |name: &str| own(name).as_bool().unwrap_or(false);
    let (tls, auth) = (tls || has("tls"), auth || has("auth"));
    Ok(json!({
        "name": "linkspan", "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(),
        "started_ms": started_ms,
        "uptime_s": started_ms.map(|at| (now_ms - at).max(0) / 1000),
        "data_dir": stat.dir, "commit": own("commit"), "ready": own("ready"), "starting": own("starting"),
        "log": {
            "health": stat.health, "topics": stat.topics.len(), "disk_bytes": stat.disk_bytes,
            "log_bytes": stat.log_bytes, "log_bytes_max": stat.log_bytes_max, "commits": stat.commits,
            "fsync": { "count": sync.count, "p50_us": sync.p50_us, "p99_us": sync.p99_us, "max_us": sync.max_us },
        },
        "memory": { "rss_bytes": process.memory_bytes, "open_files": process.open_files, "threads": process.threads },
        "disk": own("disk"), "listen": { "address": own("address"), "tls": tls, "auth": auth },
    }))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Language {
    lang: Option<String>,
}

pub(crate) async fn explain(
    State(host): State<Host>,
    Path(code): Path<String>,
    Query(language): Query<Language>,
) -> Response {
    let language = language.lang.as_deref().unwrap_or("en");
    if !matches!(language, "en" | "ko") {
        let message = format!("`lang={}`: there are en and ko", language.escape_debug());
        return Refusal::argument(message).into_response();
    }
    match host.view.explain(&code, language) {
        Some(told) => Json(told).into_response(),
        None => Refusal::new(
            404,
            "LS0220",
            format!("`{}` is no code of a message", code.escape_debug()),
        )
        .help("codes look like LS0103; `linkspan explain all` lists them")
        .into_response(),
    }
}
