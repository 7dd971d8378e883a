//! `GET /api/v1/events`: the fleet as server-sent events. A reader gets who it is, the host and all connectors once, so that a page
//! needs no other request; then those that changed, at most once a second, and the host's figures now and then. What a slow
//! reader did not take in time is skipped, never queued. Without readers nothing is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State as Of};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::row::{Row, Totals};
use super::{Fleet, LOOK_EVERY};
use crate::api::Host;
use crate::listen::Scheme;
use crate::refusal::Refusal;
use crate::role::Caller;

/// Readers at a time.
const READERS_MAX: usize = 100;
/// A reader gets the host's figures this often, also where nothing changes, so that either side notices that the other is gone.
const HOST_EVERY: Duration = Duration::from_secs(10);

static READERS: AtomicUsize = AtomicUsize::new(0);

/// A reader's place.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = READERS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |readers| {
            (readers < READERS_MAX).then_some(readers + 1)
        });
        taken.ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        READERS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What one reader has.
#[derive(Debug, Default)]
pub(super) struct Reader {
    begun: bool,
    seq: u64,
    rows: BTreeMap<String, Row>,
    /// The last event that it knows.
    last: Option<u64>,
}

impl Reader {
    /// A reader that knows events up to one.
    pub(super) fn after(last: Option<u64>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// Returns what is new for it, nothing where nothing is.
    pub(super) fn news(&mut self, fleet: &Fleet) -> String {
        let state = fleet.fresh();
        let mut out = String::new();
        // A reader that comes without a number wants what happens from now on.
        let last = *self.last.get_or_insert(state.events.last());
        let (missed, events) = state.events.after(last);
        if missed > 0 {
            push(&mut out, "gap", None, &json!({ "missed": missed }));
        }
        for event in &events {
            push(&mut out, "state", Some(event.id), &json!(event));
        }
        self.last = Some(state.events.last());
        if self.begun && self.seq == state.seq {
            return out;
        }
        self.seq = state.seq;
        let mut changed = Vec::new();
        for row in &state.rows {
            // How long ago something was changes by itself; the reader can count.
            let mut still = row.clone();
            still.freshness_s = None;
            if self.rows.get(&row.name) != Some(&still) {
                changed.push(row);
                self.rows.insert(row.name.clone(), still);
            }
        }
        let gone = |name: &String| !state.rows.iter().any(|row| row.name == *name);
        let removed: Vec<String> = self.rows.keys().filter(|n| gone(n)).cloned().collect();
        for name in &removed {
            self.rows.remove(name);
        }
        if self.begun && changed.is_empty() && removed.is_empty() {
            return out;
        }
        let told = json!({
            "seq": state.seq, "full": !self.begun, "now_ms": state.now_ms,
            "totals": Totals::of(&state.rows), "connectors": changed, "removed": removed,
        });
        self.begun = true;
        push(&mut out, "fleet", None, &told);
        out
    }
}

fn push(out: &mut String, event: &str, id: Option<u64>, data: &serde_json::Value) {
    if let Some(id) = id {
        out.push_str(&format!("id: {id}\n"));
    }
    // JSON has no line ends outside of escapes.
    out.push_str(&format!("event: {event}\ndata: {data}\n\n"));
}

#[derive(Debug, Deserialize)]
pub(crate) struct Since {
    last: Option<u64>,
}

pub(crate) async fn events(
    Of(host): Of<Host>,
    Query(since): Query<Since>,
    caller: Option<Extension<Caller>>,
    scheme: Option<Extension<Scheme>>,
    headers: HeaderMap,
) -> Response {
    let Some(place) = Place::take() else {
        let message = format!("{READERS_MAX} programs read this stream already");
        return Refusal::new(503, "LS0625", message)
            .help("ask /api/v1/fleet now and then")
            .into_response();
    };
    let sent = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let (sender, receiver) = mpsc::channel(1);
    let told = Told {
        tls: scheme.is_some_and(|Extension(scheme)| scheme.0 == "https"),
        caller: caller.map_or_else(Caller::local, |Extension(caller)| caller),
        host,
        reader: Reader::after(sent.or(since.last)),
        since_host: None,
    };
    tokio::spawn(send(told, sender, place));
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<Bytes, std::io::Error>));
    let head = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (head, body).into_response()
}

/// One reader and what it is told of.
struct Told {
    host: Host,
    caller: Caller,
    tls: bool,
    reader: Reader,
    /// When it was last told of the host.
    since_host: Option<Instant>,
}

impl Told {
    /// Returns what there is to say now. Blocks: the log is asked.
    fn news(&mut self) -> String {
        let mut out = String::new();
        if self.since_host.is_none() {
            push(&mut out, "who", None, &json!(self.caller));
        }
        if self.since_host.is_none_or(|at| at.elapsed() >= HOST_EVERY) {
            self.since_host = Some(Instant::now());
            match crate::about::describe(&self.host, self.tls, self.caller.auth) {
                Ok(about) => push(&mut out, "host", None, &about),
                // A log that tells no figures is not the reader's; it still hears that somebody is here.
                Err(_) => out.push_str(": still here\n\n"),
            }
        }
        out.push_str(&self.reader.news(&self.host.fleet));
        out
    }
}

async fn send(mut told: Told, sender: mpsc::Sender<Bytes>, place: Place) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut text = "retry: 2000\n\n".to_owned();
    loop {
        tokio::select! {
            () = sender.closed() => break,
            _ = ticks.tick() => {}
        }
        let asked = tokio::task::spawn_blocking(move || {
            let news = told.news();
            (told, news)
        });
        let Ok((back, news)) = asked.await else { break };
        told = back;
        text.push_str(&news);
        if text.is_empty() {
            continue;
        }
        // Waits for a slow reader; what happens meanwhile it gets in one piece.
        if sender.send(std::mem::take(&mut text).into()).await.is_err() {
            break;
        }
    }
    drop(place);
}
