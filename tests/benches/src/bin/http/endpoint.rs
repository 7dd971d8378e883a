//! Bare axum: takes bodies and counts them. A process of its own, `http --endpoint`, which prints its address.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
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
        let count = Arc::new(AtomicU64::new(0));
        let router = Router::new()
            .route(
                "/post",
                post(async |State(count): State<Arc<AtomicU64>>, _body: Bytes| {
                    count.fetch_add(1, Ordering::Relaxed);
                    StatusCode::ACCEPTED
                }),
            )
            .route(
                "/count",
                get(async |State(count): State<Arc<AtomicU64>>| {
                    count.load(Ordering::Relaxed).to_string()
                }),
            )
            .with_state(count);
        axum::serve(listener, router).await?;
        Ok(())
    })
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
