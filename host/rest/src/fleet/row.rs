//! One connector as the fleet shows it, made of the host's status of it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::lag::Lag;

/// What makes a connector worth a look, worst first.
pub(crate) const HEALTH_WORDS: [&str; 10] = [
    "failed",
    "degraded",
    "hung",
    "retrying",
    "waiting",
    "starting",
    "running",
    "paused",
    "stopped",
    "completed",
];

/// The file in the origin of connectors that were made over the network; the line and column behind it are those of the request.
const MADE_BY_REST: &str = "REST";

/// A connector's status as the host tells it; what is not told is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) class: String,
    pub(super) origin: String,
    pub(super) left: bool,
    pub(super) target: String,
    pub(super) state: String,
    pub(super) trace: Option<String>,
    pub(super) tasks: Vec<Task>,
    pub(super) starts: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) filtered: u64,
    pub(super) dead_letters: u64,
    pub(super) skipped: u64,
    pub(super) restarts: u64,
    pub(super) lost: u64,
    pub(super) zombies: u64,
    pub(super) stage: Option<String>,
    pub(super) topics: Vec<String>,
    pub(super) job: Option<String>,
}

/// A task's status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Task {
    id: u32,
    state: String,
    connect_state: String,
    trace: Option<String>,
    starts: u64,
    restarts: u64,
    records: u64,
    next_attempt_ms: Option<u64>,
    hung_ms: Option<u64>,
}

impl Status {
    /// Reads one; a row that is not of this shape keeps its name and state.
    pub(super) fn of(mut row: Value) -> Self {
        // A bounded job tells the states of its tasks alone.
        let tasks = row.get_mut("tasks").and_then(Value::as_array_mut);
        for (id, task) in tasks.into_iter().flatten().enumerate() {
            if let Some(state) = task.as_str() {
                *task = json!({ "id": id, "state": state, "connect_state": state });
            }
        }
        let text = |name: &str| {
            let text = row.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let bare = Self {
            name: text("name"),
            kind: text("type"),
            state: text("state"),
            ..Self::default()
        };
        let mut status: Self = serde_json::from_value(row).unwrap_or(bare);
        if status.state.is_empty() && !status.tasks.is_empty() {
            "RUNNING".clone_into(&mut status.state);
        }
        status
    }

    /// One word for the connector and its tasks: that of the worst.
    pub(super) fn health(&self) -> &'static str {
        let own = match self.state.as_str() {
            "FAILED" => "failed",
            "PAUSED" => return self.worst_task().unwrap_or("paused"),
            "STOPPED" => "stopped",
            "RUNNING" => return self.worst_task().unwrap_or("running"),
            "COMPLETED" => "completed",
            "WAITING" => "waiting",
            _ => "starting",
        };
        let worst = self.worst_task().unwrap_or(own);
        if rank(worst) < rank(own) { worst } else { own }
    }

    fn worst_task(&self) -> Option<&'static str> {
        let words = self.tasks.iter().map(Task::health);
        words.min_by_key(|word| rank(word))
    }
}

impl Task {
    fn health(&self) -> &'static str {
        match self.state.as_str() {
            _ if self.hung_ms.is_some() => "hung",
            "FAILED" => "failed",
            "DEGRADED" => "degraded",
            "RETRYING" => "retrying",
            "DISK_BOUND" => "waiting",
            "RUNNING" => "running",
            "PAUSED" => "paused",
            "STOPPED" => "stopped",
            "COMPLETED" => "completed",
            _ => "starting",
        }
    }
}

fn rank(health: &str) -> usize {
    let place = HEALTH_WORDS.iter().position(|word| *word == health);
    place.unwrap_or(HEALTH_WORDS.len())
}

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
        status: Status,
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
