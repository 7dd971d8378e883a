//! The audit trail: who changed what and when, one line for each call that can change something.
//!
//! ```text
//! DATA/audit/audit.jsonl       the newest lines; at 8 MiB it becomes audit.1.jsonl, and that audit.2.jsonl, ...
//! {"seq":7,"t_ms":…,"user":"anna","role":"admin","from":"192.0.2.7","method":"PUT","path":"/connectors/x/pause","status":202}
//! ```
//! A line is written before its call is answered, in one piece, so it survives a kill of the process; half a line can only be
//! the last one and is skipped. Of a request only method and path are kept: no query, no header, no body, and no name of a user
//! who is not known. Refused attempts stand here as well. Not here: what only reads, and the polls and commits of readers.

mod file;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Query, Request};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use linkspan_types::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::file::Files;
use crate::role::Caller;

/// Entries that can be asked for; the files hold more.
const SHOWN_MAX: usize = 1000;
/// Characters of a path that are kept.
const PATH_CHARS_MAX: usize = 512;
/// Where a request came from that came over the data directory's socket.
const SOCKET: &str = "socket";

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    seq: u64,
    t_ms: i64,
    /// `None`: nobody who is known.
    user: Option<String>,
    role: Option<String>,
    from: String,
    method: String,
    path: String,
    status: u16,
}

#[derive(Debug)]
struct State {
    files: Files,
    last: VecDeque<Entry>,
    next: u64,
}

/// The trail of one data directory.
#[derive(Debug)]
pub struct Audit(Mutex<State>);

impl Audit {
    /// Opens the trail in a data directory, and reads its end.
    ///
    /// # Errors
    /// What is there cannot be read.
    pub fn open(data: &Path) -> io::Result<Self> {
        let files = Files::new(&data.join("audit"));
        let mut last = VecDeque::new();
        for line in files.lines()? {
            // What cannot be read is half a line of a process that was killed.
            if let Ok(entry) = serde_json::from_str::<Entry>(&line) {
                last.push_back(entry);
                if last.len() > SHOWN_MAX {
                    last.pop_front();
                }
            }
        }
        let next = last.back().map_or(1, |entry| entry.seq + 1);
        Ok(Self(Mutex::new(State { files, last, next })))
    }

    /// Adds a call. Blocks for the file.
    fn add(&self, mut entry: Entry) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entry.seq = state.next;
        state.next += 1;
        let mut line = serde_json::to_vec(&entry).unwrap_or_default();
        line.push(b'\n');
        if let Err(error) = state.files.append(&line) {
            // The call has been done; who watches the log learns that the trail has a hole.
            tracing::error!(%error, code = "LS0704", seq = entry.seq, "the audit trail could not be written");
        }
        state.last.push_back(entry);
        if state.last.len() > SHOWN_MAX {
            state.last.pop_front();
        }
    }

    fn last(&self, limit: usize) -> Vec<Entry> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = state.last.len().saturating_sub(limit);
        state.last.iter().skip(skipped).cloned().collect()
    }

    /// Notes a call that was answered; waits until it is in the file.
    pub(crate) async fn note(self: &Arc<Self>, call: Call, caller: Option<&Caller>, status: u16) {
        let entry = Entry {
            seq: 0,
            t_ms: SystemClock::default().now_ms(),
            user: caller.map(|caller| caller.user.clone()),
            role: caller.map(|caller| caller.role.word().to_owned()),
            from: call.from,
            method: call.method,
            path: call.path,
            status,
        };
        let audit = Arc::clone(self);
        // A panic in there would be one of the file's; the call itself is done.
        drop(tokio::task::spawn_blocking(move || audit.add(entry)).await);
    }
}

/// What is kept of a request.
#[derive(Debug)]
pub(crate) struct Call {
    from: String,
    method: String,
    path: String,
}

impl Call {
    /// What a request may change; `None` where it only reads.
    pub(crate) fn of<B>(request: &Request<B>, from: &str) -> Option<Self> {
        let (method, path) = (request.method(), request.uri().path());
        changes(method, path).then(|| Self {
            from: from.to_owned(),
            method: crate::metrics::word(method).to_owned(),
            path: path.chars().take(PATH_CHARS_MAX).collect(),
        })
    }
}

/// Whether a call can change something. A reader's polls and commits come many times a second and are no administration.
fn changes(method: &Method, path: &str) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    let reads = match path.strip_prefix("/api/v1/") {
        Some(path) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            (path.starts_with("groups/") && matches!(last, "poll" | "commit"))
                || (path.starts_with("dlq/") && last == "show")
                || matches!(path, "validate" | "transforms/try")
        }
        None => path.starts_with("/connector-plugins/"),
    };
    !reads
}

/// Notes what comes over the socket of the data directory, and lets the trail be read there.
pub fn audited(api: Router, audit: Arc<Audit>) -> Router {
    let trail = Arc::clone(&audit);
    api.layer(from_fn(move |request: Request<Body>, next: Next| {
        let audit = Arc::clone(&trail);
        async move {
            let call = Call::of(&request, SOCKET);
            let response = next.run(request).await;
            if let Some(call) = call {
                let status = response.status().as_u16();
                audit.note(call, Some(&Caller::local()), status).await;
            }
            response
        }
    }))
    .layer(Extension(audit))
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuditQuery {
    #[serde(default = "limit")]
    limit: usize,
}

fn limit() -> usize {
    100
}

/// `GET /api/v1/audit`: the latest entries, the newest last.
pub(crate) async fn list(
    audit: Option<Extension<Arc<Audit>>>,
    Query(query): Query<AuditQuery>,
) -> Response {
    let entries = audit.map(|Extension(audit)| audit.last(query.limit.min(SHOWN_MAX)));
    Json(json!({ "entries": entries.unwrap_or_default() })).into_response()
}

#[cfg(test)]
mod tests;
