//! All connectors at one look: what each is, how it does, how fast it is and how far behind; what failed comes first.
//!
//! ```text
//! every second, every fifth while nobody looks:
//!                statuses of the host + positions of the log ─► one sample ─► rates over [`RATE_OVER`], since when, freshness
//! GET /api/v1/fleet ◄── the last sample        GET /api/v1/pipelines ◄── the same as a graph
//! GET /api/v1/events ◄── what changed since   GET /api/v1/connectors/{name} ◄── one, with its last hour
//! ```
//! Not here: connectors themselves (the host is asked through [`HostView`]).

mod detail;
mod events;
mod graph;
mod history;
mod lag;
mod look;
mod row;
mod stream;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State as Of;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use linkspan_log::LogBackend;
use linkspan_types::{Clock as _, SystemClock};
use serde_json::{Value, json};

pub(crate) use self::detail::events as events_of;
use self::events::Events;
use self::history::History;
pub(crate) use self::look::HEALTH_WORDS;
pub use self::look::{Look, Task};
pub(crate) use self::row::Row;
use self::row::{Problem, Totals};
pub(crate) use self::stream::events as stream;
use crate::api::Host;
use crate::listen::Scheme;
use crate::refusal::Refusal;
use crate::role::Caller;
use crate::view::HostView;

/// How often connectors are looked at while somebody looks at the fleet.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often for the hour's history and the times of changes, while nobody does.
const LOOK_UNSEEN: Duration = Duration::from_secs(5);
/// So long after a question somebody is taken to look.
const SEEN_FOR: Duration = Duration::from_secs(60);
/// A look that takes long makes the next one wait this many times as long.
const REST_FACTOR: u32 = 50;
/// Rates are means over this time.
const RATE_OVER: Duration = Duration::from_secs(10);
/// Samples of one connector or topic that are kept for its rate.
const SAMPLES_MAX: usize = 16;

/// Watches the connectors of one host.
#[derive(Debug)]
pub struct Fleet {
    log: Arc<dyn LogBackend>,
    view: Arc<dyn HostView>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seq: u64,
    at: Option<Instant>,
    /// When the fleet was last asked for; metrics do not count.
    asked: Option<Instant>,
    now_ms: i64,
    rows: Vec<Row>,
    connectors: BTreeMap<String, Track>,
    topics: BTreeMap<String, Rate>,
    events: Events,
}

/// What is remembered of a connector between looks.
#[derive(Debug, Default)]
struct Track {
    health: &'static str,
    since_ms: i64,
    records: u64,
    last_record_ms: Option<i64>,
    records_rate: Rate,
    bytes_rate: Rate,
    problem: Option<Problem>,
    history: History,
}

/// A counter over the last seconds.
#[derive(Debug, Default)]
struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// Takes a sample; returns the mean growth in one second, 0 before there are two.
    fn add(&mut self, at: Instant, count: u64) -> f64 {
        // A counter that went back belongs to something new.
        if self.0.back().is_some_and(|(_, last)| *last > count) {
            self.0.clear();
        }
        self.0.push_back((at, count));
        while self.0.len() > SAMPLES_MAX
            || self
                .0
                .get(1)
                .is_some_and(|(second, _)| at.duration_since(*second) >= RATE_OVER)
        {
            self.0.pop_front();
        }
        self.mean()
    }

    fn mean(&self) -> f64 {
        let (Some((from, first)), Some((to, last))) = (self.0.front(), self.0.back()) else {
            return 0.0;
        };
        let seconds = to.duration_since(*from).as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is a rounded figure for people"
        )]
        let grown = (last - first) as f64;
        (grown / seconds * 10.0).round() / 10.0
    }
}

impl Fleet {
    /// A fleet that is looked at when somebody asks.
    pub fn new(log: Arc<dyn LogBackend>, view: Arc<dyn HostView>) -> Arc<Self> {
        Arc::new(Self {
            log,
            view,
            state: Mutex::default(),
        })
    }

    /// A fleet that is looked at all the time, so that rates and times are right whenever somebody asks. The thread ends
    /// with the fleet.
    ///
    /// # Errors
    /// The system has no thread.
    pub fn watched(
        log: Arc<dyn LogBackend>,
        view: Arc<dyn HostView>,
    ) -> std::io::Result<Arc<Self>> {
        let fleet = Self::new(log, view);
        let weak = Arc::downgrade(&fleet);
        std::thread::Builder::new()
            .name("fleet".to_owned())
            .spawn(move || {
                loop {
                    let Some(fleet) = weak.upgrade() else { return };
                    let took = fleet.look();
                    let asked = fleet.state().asked;
                    drop(fleet);
                    let seen = asked.is_some_and(|asked| asked.elapsed() < SEEN_FOR);
                    let pause = if seen { LOOK_EVERY } else { LOOK_UNSEEN };
                    std::thread::sleep(pause.max(took * REST_FACTOR));
                }
            })?;
        Ok(fleet)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one sample; returns how long that took.
    fn look(&self) -> Duration {
        let began = Instant::now();
        let now_ms = SystemClock::default().now_ms();
        let statuses = self.view.looks();
        let lags: Vec<Option<lag::Lag>> = statuses
            .iter()
            .map(|status| (status.kind == "sink").then(|| lag::of(&*self.log, status, now_ms))?)
            .collect();
        // The log is not asked while the state is locked.
        let ends = graph::ends(&*self.log);
        let mut state = self.state();
        let at = Instant::now();
        let state_of = &mut *state;
        let events = &mut state_of.events;
        let names: HashSet<&str> = statuses.iter().map(|status| status.name.as_str()).collect();
        state_of.connectors.retain(|name, track| {
            let stays = names.contains(name.as_str());
            if !stays {
                events.note(now_ms, "removed", name, (Some(track.health), None), None);
            }
            stays
        });
        state_of.topics.retain(|name, _| ends.contains_key(name));
        for (name, end) in ends {
            state_of.topics.entry(name).or_default().add(at, end);
        }
        let mut rows: Vec<Row> = statuses
            .into_iter()
            .zip(lags)
            .map(|(status, lag)| {
                let track = state_of.connectors.entry(status.name.clone()).or_default();
                let before = (track.health, track.problem.take());
                let row = self.row(status, lag, track, at, now_ms);
                track.problem.clone_from(&row.error);
                track.history.add(at, now_ms, &row);
                tell(&mut state_of.events, now_ms, before, &row);
                row
            })
            .collect();
        // They come by name but for those of jobs; the place of a word among all is not looked for at each comparison.
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        rows.sort_by_cached_key(Row::rank);
        state_of.rows = rows;
        state_of.seq += 1;
        state_of.now_ms = now_ms;
        state_of.at = Some(at);
        began.elapsed()
    }

    fn row(
        &self,
        status: Look,
        lag: Option<lag::Lag>,
        track: &mut Track,
        at: Instant,
        now_ms: i64,
    ) -> Row {
        let health = status.health();
        if track.health != health {
            track.health = health;
            track.since_ms = now_ms;
        }
        if status.records > track.records {
            track.last_record_ms = Some(now_ms);
        }
        track.records = status.records;
        let records_per_s = track.records_rate.add(at, status.records);
        let bytes_per_s = track.bytes_rate.add(at, status.bytes);
        let remedy = |code: &str| self.view.remedy(code);
        let mut row = Row::of(status, health, &remedy);
        row.since_ms = track.since_ms;
        row.rate.records_per_s = records_per_s;
        row.rate.bytes_per_s = bytes_per_s;
        row.last_record_ms = track.last_record_ms;
        row.freshness_s = track
            .last_record_ms
            .map(|last| row::seconds(now_ms.saturating_sub(last)));
        row.lag = lag;
        row
    }

    /// Looks, if the last sample is older than a second: a fleet that nobody watches is looked at on demand.
    fn fresh(&self) -> MutexGuard<'_, State> {
        let mut state = self.recent();
        state.asked = Some(Instant::now());
        state
    }

    fn recent(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        let old = state.at.is_none_or(|at| at.elapsed() > 2 * LOOK_EVERY);
        if !old {
            return state;
        }
        drop(state);
        self.look();
        self.state()
    }

    /// Calls `each` with every connector.
    pub(crate) fn each_row(&self, each: &mut dyn FnMut(&Row)) {
        for row in &self.recent().rows {
            each(row);
        }
    }

    fn page(&self) -> Value {
        let state = self.fresh();
        json!({
            "now_ms": state.now_ms, "seq": state.seq,
            "totals": Totals::of(&state.rows), "connectors": state.rows,
        })
    }

    fn graph(&self) -> Value {
        let topics = crate::topics::list(&*self.log).unwrap_or_default();
        let letters = crate::dead_letters::list(&*self.log).unwrap_or_default();
        let state = self.fresh();
        graph::draw(&state.rows, &topics, &letters, |topic| {
            state.topics.get(topic).map_or(0.0, Rate::mean)
        })
    }
}

/// Notes what is other about a connector than a second ago.
fn tell(events: &mut Events, now_ms: i64, before: (&'static str, Option<Problem>), row: &Row) {
    let (health, problem) = before;
    let error = row.error.as_ref();
    if health.is_empty() {
        events.note(now_ms, "added", &row.name, (None, Some(row.health)), error);
    } else if health != row.health {
        let change = (Some(health), Some(row.health));
        events.note(now_ms, "connector", &row.name, change, error);
    } else if error.is_some() && problem.as_ref() != error {
        let change = (Some(health), Some(row.health));
        events.note(now_ms, "error", &row.name, change, error);
    }
}

pub(crate) async fn fleet(
    Of(host): Of<Host>,
    caller: Option<Extension<Caller>>,
    scheme: Option<Extension<Scheme>>,
) -> Response {
    let auth = caller.is_some_and(|Extension(caller)| caller.auth);
    let tls = scheme.is_some_and(|Extension(scheme)| scheme.0 == "https");
    let told = tokio::task::spawn_blocking(move || {
        let mut page = host.fleet.page();
        if let Some(fields) = page.as_object_mut() {
            // Whoever looks at all connectors looks at what they run in as well.
            let about = crate::about::describe(&host, tls, auth).unwrap_or_default();
            fields.insert("host".to_owned(), about);
        }
        page
    });
    match told.await {
        Ok(value) => Json(value).into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

pub(crate) async fn pipelines(Of(host): Of<Host>) -> Response {
    ask(host, Fleet::graph).await
}

/// A look reads the log, on a thread that may block.
async fn ask(host: Host, what: fn(&Fleet) -> Value) -> Response {
    match tokio::task::spawn_blocking(move || what(&host.fleet)).await {
        Ok(value) => Json(value).into_response(),
        Err(_) => Refusal::new(500, "LS0499", "the operation panicked").into_response(),
    }
}

#[cfg(test)]
mod tests;
