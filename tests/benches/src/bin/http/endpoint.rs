//! Bare axum: takes bodies and counts them. A process of its own, `http --endpoint`, which prints its address.
//!
//! Where a request says in `x-time` when its record was written (ms since 1970), its age is kept: `GET /ages`.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};

/// Serves until it is killed.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let mut out = std::io::stdout();
        writeln!(out, "{}", listener.local_addr()?)?;
        out.flush()?;
        let router = Router::new()
            .route("/post", post(take))
            .route(
                "/count",
                get(async |State(seen): State<Arc<Seen>>| {
                    seen.count.load(Ordering::Relaxed).to_string()
                }),
            )
            .route("/ages", get(ages))
            .with_state(Arc::new(Seen::default()));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

/// What came.
#[derive(Default)]
struct Seen {
    count: AtomicU64,
    ages_ms: Mutex<Vec<u64>>,
}

async fn take(State(seen): State<Arc<Seen>>, headers: HeaderMap, _body: Bytes) -> StatusCode {
    seen.count.fetch_add(1, Ordering::Relaxed);
    let written = headers
        .get("x-time")
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let Some(written) = written {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0));
        let mut ages = seen.ages_ms.lock().unwrap_or_else(PoisonError::into_inner);
        ages.push(now.saturating_sub(written));
    }
    StatusCode::ACCEPTED
}

/// Median and 99th percentile of the ages so far, in ms; forgets them.
async fn ages(State(seen): State<Arc<Seen>>) -> String {
    let mut ages =
        std::mem::take(&mut *seen.ages_ms.lock().unwrap_or_else(PoisonError::into_inner));
    ages.sort_unstable();
    let at = |percent: usize| {
        ages.get(ages.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    format!("{} {}", at(50), at(99))
}

/// An endpoint in a process of its own, killed when this is dropped.
pub(crate) struct Endpoint {
    child: Child,
    pub(crate) address: String,
}

impl Endpoint {
    pub(crate) fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--endpoint")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().context("no output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
        Ok(Self {
            child,
            address: line.trim().to_owned(),
        })
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _gone = self.child.kill().is_ok() && self.child.wait().is_ok();
    }
}
