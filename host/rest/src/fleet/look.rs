//! What the host tells of one connector at one look, and the one word for how it does.

use serde::Deserialize;
use serde_json::{Value, json};

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

/// A connector's status as the host tells it; what is not told is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Look {
    /// The instance's name.
    pub name: String,
    /// `source` or `sink`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its class.
    pub class: String,
    /// `file:line` of the file that owns it.
    pub origin: String,
    /// No file of this run names it.
    pub left: bool,
    /// RUNNING, PAUSED or STOPPED.
    pub target: String,
    /// Kafka Connect's word for the connector.
    pub state: String,
    /// Code and message of its own error.
    pub trace: Option<String>,
    /// By number.
    pub tasks: Vec<Task>,
    /// Since the host started.
    pub starts: u64,
    /// Durable (source) or put (sink) since the host started.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Records that transforms dropped.
    pub filtered: u64,
    /// Records that became dead letters.
    pub dead_letters: u64,
    /// Bad records that were skipped.
    pub skipped: u64,
    /// After failures.
    pub restarts: u64,
    /// Records that were gone before this sink had read them.
    pub lost: u64,
    /// Tasks that did not stop in time.
    pub zombies: u64,
    /// What its plugin keeps the host waiting with.
    pub stage: Option<String>,
    /// That it has used.
    pub topics: Vec<String>,
    /// The bounded job it belongs to.
    pub job: Option<String>,
}

/// A task's status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Task {
    /// Its number.
    pub id: u32,
    /// Our word, finer than Kafka Connect's.
    pub state: String,
    /// Kafka Connect's word.
    pub connect_state: String,
    /// Code and message of its error.
    pub trace: Option<String>,
    /// Since the host started.
    pub starts: u64,
    /// After failures.
    pub restarts: u64,
    /// Since the host started.
    pub records: u64,
    /// RETRYING: milliseconds until the next attempt.
    pub next_attempt_ms: Option<u64>,
    /// Milliseconds without a sign of life.
    pub hung_ms: Option<u64>,
}

impl Look {
    /// Reads one from JSON; a row that is not of this shape keeps its name and state.
    pub fn of(mut row: Value) -> Self {
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

pub(super) fn rank(health: &str) -> usize {
    let place = HEALTH_WORDS.iter().position(|word| *word == health);
    place.unwrap_or(HEALTH_WORDS.len())
}
