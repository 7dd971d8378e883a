//! One connector as the fleet shows it, made of the host's status of it.

use serde::Serialize;

use super::lag::Lag;
use super::look::{Look, rank};

/// The file in the origin of connectors that were made over the network; the line and column behind it are those of the request.
const MADE_BY_REST: &str = "REST";

/// An error with its code and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    pub(super) code: String,
    pub(super) message: String,
    remedy: Option<String>,
}

impl Problem {
    /// Reads `LSnnnn: message`.
    fn of(trace: &str, remedy: &dyn Fn(&str) -> Option<String>) -> Self {
        let (code, message) = match trace.split_once(": ") {
            Some((code, message)) if code.starts_with("LS") => (code, message),
            _ => ("", trace),
        };
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            remedy: remedy(code),
        }
    }
}

/// Means over the last seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Speed {
    pub(crate) records_per_s: f64,
    pub(crate) bytes_per_s: f64,
}

/// A task in a row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TaskRow {
    id: u32,
    state: String,
    connect_state: String,
    starts: u64,
    restarts: u64,
    records: u64,
    error: Option<Problem>,
    next_attempt_ms: Option<u64>,
    hung_ms: Option<u64>,
}

/// One connector.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) class: String,
    pub(crate) health: &'static str,
    state: String,
    target: String,
    /// Since when it has this health; when the host began to look, if it had it then.
    pub(crate) since_ms: i64,
    origin: String,
    owner: &'static str,
    left: bool,
    tasks: Vec<TaskRow>,
    pub(super) error: Option<Problem>,
    records: u64,
    bytes: u64,
    filtered: u64,
    pub(crate) dlq: u64,
    skipped: u64,
    pub(crate) lost: u64,
    pub(crate) restarts: u64,
    starts: u64,
    pub(crate) zombies: u64,
    pub(crate) rate: Speed,
    pub(crate) lag: Option<Lag>,
    pub(crate) last_record_ms: Option<i64>,
    pub(crate) freshness_s: Option<f64>,
    pub(crate) topics: Vec<String>,
    job: Option<String>,
    stage: Option<String>,
}

impl Row {
    pub(super) fn of(
        status: Look,
        health: &'static str,
        remedy: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        let tasks: Vec<TaskRow> = status
            .tasks
            .into_iter()
            .map(|task| TaskRow {
                error: task
                    .trace
                    .as_deref()
                    .map(|trace| Problem::of(trace, remedy)),
                id: task.id,
                state: task.state,
                connect_state: task.connect_state,
                starts: task.starts,
                restarts: task.restarts,
                records: task.records,
                next_attempt_ms: task.next_attempt_ms,
                hung_ms: task.hung_ms,
            })
            .collect();
        let own = status
            .trace
            .as_deref()
            .map(|trace| Problem::of(trace, remedy));
        let error = own.or_else(|| tasks.iter().find_map(|task| task.error.clone()));
        let owner = match status.origin.split(':').next() {
            _ if status.left => "none",
            Some(MADE_BY_REST) => "rest",
            _ => "file",
        };
        Self {
            name: status.name,
            kind: status.kind,
            class: status.class,
            health,
            state: status.state,
            target: status.target,
            since_ms: 0,
            origin: status.origin,
            owner,
            left: status.left,
            tasks,
            error,
            records: status.records,
            bytes: status.bytes,
            filtered: status.filtered,
            dlq: status.dead_letters,
            skipped: status.skipped,
            lost: status.lost,
            restarts: status.restarts,
            starts: status.starts,
            zombies: status.zombies,
            rate: Speed::default(),
            lag: None,
            last_record_ms: None,
            freshness_s: None,
            topics: status.topics,
            job: status.job,
            stage: status.stage,
        }
    }

    /// Where it stands in the list: failures first.
    pub(super) fn rank(&self) -> usize {
        rank(self.health)
    }
}

/// Milliseconds as seconds, to a tenth; a clock that was set back counts as none.
pub(super) fn seconds(ms: i64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "tenths of seconds of a few years are exact"
    )]
    let tenths = (ms.max(0) / 100) as f64;
    tenths / 10.0
}

/// Sums over all connectors.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Totals {
    connectors: usize,
    failed: usize,
    degraded: usize,
    hung: usize,
    retrying: usize,
    waiting: usize,
    starting: usize,
    running: usize,
    paused: usize,
    stopped: usize,
    completed: usize,
    tasks: usize,
    tasks_failed: usize,
    records_per_s: f64,
    bytes_per_s: f64,
    lag_records: u64,
    dlq: u64,
    restarts: u64,
}

impl Totals {
    pub(super) fn of(rows: &[Row]) -> Self {
        let with = |health: &str| rows.iter().filter(|row| row.health == health).count();
        let tasks = || rows.iter().flat_map(|row| &row.tasks);
        let tenth = |figure: f64| (figure * 10.0).round() / 10.0;
        Self {
            connectors: rows.len(),
            failed: with("failed"),
            degraded: with("degraded"),
            hung: with("hung"),
            retrying: with("retrying"),
            waiting: with("waiting"),
            starting: with("starting"),
            running: with("running"),
            paused: with("paused"),
            stopped: with("stopped"),
            completed: with("completed"),
            tasks: tasks().count(),
            tasks_failed: tasks()
                .filter(|task| task.connect_state == "FAILED")
                .count(),
            records_per_s: tenth(rows.iter().map(|row| row.rate.records_per_s).sum()),
            bytes_per_s: tenth(rows.iter().map(|row| row.rate.bytes_per_s).sum()),
            lag_records: rows
                .iter()
                .flat_map(|row| &row.lag)
                .map(|lag| lag.records)
                .sum(),
            dlq: rows.iter().map(|row| row.dlq).sum(),
            restarts: rows.iter().map(|row| row.restarts).sum(),
        }
    }
}
