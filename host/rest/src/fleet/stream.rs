//! `GET /api/v1/events`: the fleet as server-sent events. A reader gets all connectors once, then those that changed, at most
//! once a second; what a slow reader did not take in time is skipped, never queued. Without readers nothing is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

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
use crate::refusal::Refusal;

/// Readers at a time.
const READERS_MAX: usize = 100;
/// A reader that gets nothing else gets a comment this often, so that a dead one is noticed.
const BEAT_EVERY: Duration = Duration::from_secs(15);

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
    tokio::spawn(send(
        host.fleet,
        Reader::after(sent.or(since.last)),
        sender,
        place,
    ));
    let body = Body::from_stream(ReceiverStream::new(receiver).map(Ok::<Bytes, std::io::Error>));
    let head = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    (head, body).into_response()
}

async fn send(fleet: Arc<Fleet>, mut reader: Reader, sender: mpsc::Sender<Bytes>, place: Place) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut text = "retry: 2000\n\n".to_owned();
    let mut quiet = Duration::ZERO;
    loop {
        tokio::select! {
            () = sender.closed() => break,
            _ = ticks.tick() => {}
        }
        let of = Arc::clone(&fleet);
        let asked = tokio::task::spawn_blocking(move || {
            let news = reader.news(&of);
            (reader, news)
        });
        let Ok((back, news)) = asked.await else { break };
        reader = back;
        text.push_str(&news);
        quiet += LOOK_EVERY;
        if text.is_empty() && quiet >= BEAT_EVERY {
            text.push_str(": still here\n\n");
        }
        if text.is_empty() {
            continue;
        }
        quiet = Duration::ZERO;
        // Waits for a slow reader; what happens meanwhile it gets in one piece.
        if sender.send(std::mem::take(&mut text).into()).await.is_err() {
            break;
        }
    }
    drop(place);
}
