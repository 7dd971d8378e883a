//! A connector as people and scripts see it, and its stored form in [`Store::Status`].

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkspan_log::{KvPut, LogBackend, Store};
use serde::{Deserialize, Serialize};

use super::slot::Slot;
use crate::error::TaskError;
use crate::task::{TaskShared, TaskState};

/// Prefix of the keys.
const PREFIX: &str = "connector/";
/// What lasts shorter is not worth a word.
const STAGE_SHOWN_AFTER: Duration = Duration::from_secs(1);

/// One connector at this moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectorStatus {
    /// The instance's name.
    pub name: String,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its class.
    pub class: String,
    /// `file:line` of the file that owns it.
    pub origin: String,
    /// No file of this run names it: it stays stopped and keeps its offsets.
    #[serde(default)]
    pub left: bool,
    /// What it is to be: RUNNING, PAUSED or STOPPED.
    pub target: String,
    /// Kafka Connect's word for the connector.
    pub state: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Its tasks, by number.
    pub tasks: Vec<TaskStatus>,
    /// The numbers of the tasks of its last plan, also while they change over to the next one, as Kafka Connect lists them.
    #[serde(skip)]
    pub planned: Vec<u32>,
    /// How often it was started since the host started.
    pub starts: u64,
    /// Records that are durable (source) or put (sink) since the host started.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that transforms dropped.
    pub filtered: u64,
    /// Records that became dead letters since the host started.
    #[serde(default)]
    pub dead_letters: u64,
    /// Bad records that were skipped since the host started.
    #[serde(default)]
    pub skipped: u64,
    /// Restarts after failures.
    pub restarts: u64,
    /// Records that were gone before this sink had read them.
    pub lost: u64,
    /// Tasks that did not stop in time; each costs a thread until it ends.
    pub zombies: u64,
    /// What its plugin keeps the host waiting with, if that takes longer than a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// Milliseconds of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage_ms: Option<u64>,
    /// Milliseconds until a failed start is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_ms: Option<u64>,
    /// Topics that it has used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// The first error of its tasks, or its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One task at this moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its number.
    pub id: u32,
    /// Our word, finer than Connect's: RETRYING, DISK_BOUND, COMPLETED, DEGRADED among them.
    pub state: String,
    /// Kafka Connect's word.
    pub connect_state: String,
    /// Code and message of its error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// How often it was started since the host started.
    pub starts: u64,
    /// Restarts after failures.
    pub restarts: u64,
    /// Records.
    pub records: u64,
    /// RETRYING: milliseconds until the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_ms: Option<u64>,
    /// Milliseconds without a sign of life, where that is longer than `no.progress.timeout.ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hung_ms: Option<u64>,
}

pub(crate) fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

pub(crate) fn trace(error: &TaskError) -> String {
    format!("{}: {}", error.code, error.message)
}

impl ConnectorStatus {
    pub(crate) fn of(slot: &Slot) -> Self {
        let record = slot.record();
        let wish = slot.wish();
        let shown = slot.shown();
        let patience = wish.spec.as_ref().and_then(|spec| spec.hung_after);
        let tasks: Vec<TaskStatus> = shown
            .tasks
            .iter()
            .map(|task| {
                let starts = shown.task_starts.get(&task.index).copied().unwrap_or(0);
                task_status(task, starts, patience)
            })
            .collect();
        let sum = |past: u64, of: fn(&TaskShared) -> u64| {
            past + shown.tasks.iter().map(|task| of(task)).sum::<u64>()
        };
        for task in &shown.tasks {
            slot.used.absorb(&task.used);
        }
        let own = shown.error.as_ref();
        let stage = shown
            .stage
            .filter(|(_, since)| since.elapsed() > STAGE_SHOWN_AFTER);
        let error = own
            .cloned()
            .or_else(|| shown.tasks.iter().find_map(|task| task.error()));
        Self {
            name: slot.name.clone(),
            kind: record.kind,
            class: record.class,
            origin: record.origin,
            left: wish.spec.is_none(),
            target: wish.target.word().to_owned(),
            state: shown.state.word().to_owned(),
            trace: own.map(trace),
            starts: shown.starts,
            records: sum(shown.past.records, |t| {
                t.counters.records.load(Ordering::Relaxed)
            }),
            bytes: sum(shown.past.bytes, |t| {
                t.counters.bytes.load(Ordering::Relaxed)
            }),
            filtered: sum(shown.past.filtered, |t| {
                t.counters.filtered.load(Ordering::Relaxed)
            }),
            dead_letters: sum(shown.past.dead_letters, |t| {
                t.counters.dead_letters.load(Ordering::Relaxed)
            }),
            skipped: sum(shown.past.skipped, |t| {
                t.counters.skipped.load(Ordering::Relaxed)
            }),
            restarts: sum(shown.past.restarts, |t| {
                t.counters.restarts.load(Ordering::Relaxed)
            }),
            lost: sum(shown.past.lost, |t| t.counters.lost.load(Ordering::Relaxed)),
            zombies: shown
                .zombies
                .iter()
                .filter(|task| !task.state().is_over())
                .count() as u64,
            stage: stage.map(|(stage, _)| stage.to_owned()),
            stage_ms: stage.map(|(_, since)| millis(since.elapsed())),
            next_attempt_ms: shown.retry_at.map(left_until),
            topics: slot.used.names(),
            error: error.map(|error| error.message),
            planned: shown.planned.clone(),
            tasks,
        }
    }

    /// What of it is worth a write: everything but figures that grow all the time.
    pub(crate) fn worth(&self) -> Self {
        let mut worth = self.clone();
        (worth.records, worth.bytes, worth.filtered) = (0, 0, 0);
        (worth.dead_letters, worth.skipped) = (0, 0);
        (worth.stage_ms, worth.next_attempt_ms) = (None, None);
        for task in &mut worth.tasks {
            task.records = 0;
            task.hung_ms = task.hung_ms.map(|_| 0);
            task.next_attempt_ms = None;
        }
        worth
    }

    pub(crate) fn put(&self) -> KvPut {
        KvPut {
            store: Store::Status,
            key: key(&self.name).into(),
            // A struct of texts and numbers always serializes.
            value: Some(serde_json::to_vec(self).unwrap_or_default().into()),
        }
    }

    /// As it is while no host runs: what worked then is UNASSIGNED now.
    pub(crate) fn at_rest(mut self) -> Self {
        let rest = |state: &mut String| {
            if !matches!(state.as_str(), "FAILED" | "DEGRADED" | "PAUSED" | "STOPPED") {
                *state = "UNASSIGNED".to_owned();
            }
        };
        rest(&mut self.state);
        for task in &mut self.tasks {
            rest(&mut task.state);
            rest(&mut task.connect_state);
            task.hung_ms = None;
            task.next_attempt_ms = None;
        }
        (self.stage, self.stage_ms, self.next_attempt_ms) = (None, None, None);
        self.zombies = 0;
        self
    }
}

fn task_status(task: &TaskShared, starts: u64, patience: Option<Duration>) -> TaskStatus {
    let state = task.state();
    let pending = task.restart_pending.load(Ordering::Relaxed);
    let silent = task.silent_for();
    let working = matches!(state, TaskState::Starting | TaskState::Running);
    let hung = patience.is_some_and(|patience| working && silent > patience);
    TaskStatus {
        id: task.index,
        state: state.word().to_owned(),
        connect_state: state.connect_word(pending).to_owned(),
        trace: task.error().as_ref().map(trace),
        starts,
        restarts: task.counters.restarts.load(Ordering::Relaxed),
        records: task.counters.records.load(Ordering::Relaxed),
        next_attempt_ms: task.next_attempt().map(left_until),
        hung_ms: hung.then(|| millis(silent)),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn left_until(at: Instant) -> u64 {
    millis(at.saturating_duration_since(Instant::now()))
}

/// Returns the stored status of a connector.
pub(crate) fn read(
    log: &dyn LogBackend,
    name: &str,
) -> linkspan_log::Result<Option<ConnectorStatus>> {
    Ok(log
        .get(Store::Status, &key(name))?
        .and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}
