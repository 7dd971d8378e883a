//! What the host knows of one task, shared between its thread, the supervisor and the services.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use linkspan_plugin::TaskControl;
use serde::Serialize;

use crate::conceal::conceal;
use crate::error::TaskError;
use crate::job::JobEnds;
use crate::measure::{Measures, TaskMeasure};
use crate::report::FileReport;
use crate::sink::{Message, Midway, Waker};
use crate::stop::{Pulse, StopToken};
use crate::told::Told;
use crate::used::UsedTopics;

/// How much of a refused metric's name is shown.
const SHOWN_CHARS: usize = 60;

/// Where a task stands. Kafka Connect's words, and `Completed` for a task of a bounded job that has done its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskState {
    /// Its thread is being started.
    Starting,
    /// `open` returned; it works.
    Running,
    /// It was told to pause: nothing is polled or put, what it holds stays open.
    Paused,
    /// It waits for its next attempt after a temporary error.
    Retrying,
    /// A source that waits until the log, which holds as much as it may, has room.
    #[serde(rename = "DISK_BOUND")]
    DiskBound,
    /// Nothing is left to do in this job.
    Completed,
    /// It stopped by an error and does not restart by itself.
    Failed,
    /// A sink whose position is gone from the log: going on would jump over records. It waits for its offsets to be set.
    Degraded,
    /// It was told to stop and did.
    Stopped,
}

impl TaskState {
    /// Whether the task's thread has ended or is about to.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Degraded | Self::Stopped
        )
    }

    /// Whether it ended by an error.
    #[must_use]
    pub fn is_failed(self) -> bool {
        matches!(self, Self::Failed | Self::Degraded)
    }

    /// Kafka Connect's word for it. A retry in place is RUNNING there, `restart_pending` is FAILED.
    #[must_use]
    pub fn connect_word(self, restart_pending: bool) -> &'static str {
        match self {
            Self::Retrying if restart_pending => "FAILED",
            Self::Running | Self::Retrying | Self::DiskBound | Self::Completed => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed | Self::Degraded => "FAILED",
            Self::Starting | Self::Stopped => "UNASSIGNED",
        }
    }

    /// Our own word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "STARTING",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Retrying => "RETRYING",
            Self::DiskBound => "DISK_BOUND",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Degraded => "DEGRADED",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Counters of one task; each only grows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Records durable (source) or put without rejection (sink).
    pub(crate) records: AtomicU64,
    /// Bytes of these records as polled or put.
    pub(crate) bytes: AtomicU64,
    /// Records that transforms dropped.
    pub(crate) filtered: AtomicU64,
    /// Records that became dead letters.
    pub(crate) dead_letters: AtomicU64,
    /// Bad records that were skipped, as there is no topic for dead letters.
    pub(crate) skipped: AtomicU64,
    /// Restarts after failures.
    pub(crate) restarts: AtomicU64,
    /// Records that were gone from the log before this sink had read them.
    pub(crate) lost: AtomicU64,
}

impl Counters {
    pub(crate) fn add(&self, records: u64, bytes: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bad records: dead letters, or skipped ones.
    pub(crate) fn set_aside(&self, letters: bool, records: u64) {
        let counter = if letters {
            &self.dead_letters
        } else {
            &self.skipped
        };
        counter.fetch_add(records, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Status {
    state: TaskState,
    error: Option<TaskError>,
    /// While it is [`TaskState::Retrying`].
    next_attempt: Option<Instant>,
}

/// Files that a task reads or writes, on their way into the record of the run.
#[derive(Debug, Default)]
struct Files {
    /// Said by the running instance, not yet durable.
    reported: BTreeMap<String, FileReport>,
    /// Of the running instance.
    durable: BTreeMap<String, FileReport>,
    /// Of instances before it.
    earlier: BTreeMap<String, FileReport>,
}

/// One task as others see it.
#[derive(Debug)]
pub(crate) struct TaskShared {
    pub(crate) connector: String,
    pub(crate) index: u32,
    pub(crate) stop: StopToken,
    pub(crate) counters: Counters,
    pub(crate) measures: Measures,
    /// What the running instance tells of itself.
    told: Told,
    /// A value that was told and not taken has been said.
    told_refused: AtomicBool,
    /// Topics since the connector last looked.
    pub(crate) used: UsedTopics,
    pulse: Pulse,
    status: Mutex<Status>,
    /// Its thread has ended a life by an error and waits for the next one.
    pub(crate) restart_pending: AtomicBool,
    /// When its thread was last seen between two calls of the plugin.
    seen: Mutex<Instant>,
    /// The plugin's instance while it is open; guards `stop` and `durable` against a closed task.
    control: Mutex<Option<TaskControl>>,
    /// The instances of its transforms and predicates; a closed one's does nothing.
    helpers: Mutex<Vec<TaskControl>>,
    files: Mutex<Files>,
    /// Secrets and placeholder values of the running instance.
    concealed: Mutex<Vec<String>>,
    /// Where a bounded job ends for this sink.
    pub(crate) ends: JobEnds,
    waker: Mutex<Option<Waker>>,
    /// Of a sink: commits that its plugin asks for while it works.
    midway: Mutex<Option<Arc<Midway>>>,
    /// What splits the connector's work anew; there is nothing in a bounded job.
    reconfigure: OnceLock<Reconfigure>,
}

/// Asks the control plane for a new split of the work.
struct Reconfigure(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Reconfigure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reconfigure")
    }
}

impl TaskShared {
    pub(crate) fn new(connector: &str, index: u32, pulse: Pulse) -> Self {
        Self {
            connector: connector.to_owned(),
            index,
            stop: StopToken::default(),
            counters: Counters::default(),
            measures: Measures::default(),
            told: Told::default(),
            told_refused: AtomicBool::new(false),
            used: UsedTopics::default(),
            pulse,
            status: Mutex::new(Status {
                state: TaskState::Starting,
                error: None,
                next_attempt: None,
            }),
            restart_pending: AtomicBool::new(false),
            seen: Mutex::new(Instant::now()),
            control: Mutex::new(None),
            helpers: Mutex::new(Vec::new()),
            files: Mutex::new(Files::default()),
            concealed: Mutex::new(Vec::new()),
            ends: JobEnds::default(),
            waker: Mutex::new(None),
            midway: Mutex::new(None),
            reconfigure: OnceLock::new(),
        }
    }

    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.connector, self.index)
    }

    /// Returns everything that is measured of the task.
    pub(crate) fn measure(&self) -> TaskMeasure {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counters, measures) = (&self.counters, &self.measures);
        TaskMeasure {
            connector: self.connector.clone(),
            task: self.index,
            polled: read(&measures.polled),
            written: read(&measures.written),
            transformed: read(&measures.transformed),
            buffer_bytes: measures.held_bytes(),
            committed: read(&counters.records),
            bytes: read(&counters.bytes),
            filtered: read(&counters.filtered),
            dead_letters: read(&counters.dead_letters),
            skipped: read(&counters.skipped),
            restarts: read(&counters.restarts),
            errors_retriable: read(&measures.errors_retriable),
            errors_fatal: read(&measures.errors_fatal),
            last_record_ms: measures.last_record.age_ms(),
            last_commit_ms: measures.last_commit.age_ms(),
            poll: measures.poll.read(),
            put: measures.put.read(),
            commit: measures.commit.read(),
            end_to_end: measures.end_to_end.read(),
            told: self.told.read(),
        }
    }

    /// Takes what the plugin tells of itself. Refusals are its author's business and said once.
    pub(crate) fn tell(&self, name: &str, value: f64, labels: &str) {
        let Err(why) = self.told.tell(name, value, labels) else {
            return;
        };
        if !self.told_refused.swap(true, Ordering::Relaxed) {
            let metric: String = name.escape_debug().take(SHOWN_CHARS).collect();
            tracing::warn!(
                task = self.name(),
                metric,
                "a metric of the plugin is not taken: {why}"
            );
        }
    }

    /// Takes note that the task's thread moves on: the watchdog counts from here.
    pub(crate) fn touch(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long the task's thread has been inside one call of its plugin, as far as anybody can tell.
    pub(crate) fn silent_for(&self) -> Duration {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    pub(crate) fn on_reconfigure(&self, ask: impl Fn() + Send + Sync + 'static) {
        self.reconfigure.get_or_init(|| Reconfigure(Box::new(ask)));
    }

    /// Asks for the connector's work to be split anew. A bounded job does what was there at its start.
    pub(crate) fn request_reconfiguration(&self) {
        match self.reconfigure.get() {
            Some(Reconfigure(ask)) => ask(),
            None => tracing::debug!(
                task = self.name(),
                "asked for its work to be split anew, which a job does not do"
            ),
        }
    }

    /// Asks the task to pause, or to go on.
    pub(crate) fn request_pause(&self, pause: bool) {
        self.stop.set_paused(pause);
        if pause && let Some(control) = self.control() {
            // A source that waits for records answers now, and finds the pause.
            control.wake();
        }
        self.wake();
    }

    /// Shows that the next attempt comes after a pause, and why.
    pub(crate) fn set_retrying(&self, error: TaskError, pause: Duration) {
        let next_attempt = Some(Instant::now() + pause);
        self.set_status(TaskState::Retrying, Some(error), next_attempt);
    }

    pub(crate) fn set_state(&self, state: TaskState, error: Option<TaskError>) {
        self.set_status(state, error, None);
    }

    fn set_status(
        &self,
        state: TaskState,
        error: Option<TaskError>,
        next_attempt: Option<Instant>,
    ) {
        self.touch();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let news = status.state != state;
        *status = Status {
            state,
            error,
            next_attempt,
        };
        drop(status);
        if news {
            tracing::info!(task = self.name(), connector = self.connector, "{state:?}");
        }
        self.pulse.beat();
    }

    pub(crate) fn state(&self) -> TaskState {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .state
    }

    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next_attempt
    }

    pub(crate) fn error(&self) -> Option<TaskError> {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .error
            .clone()
    }

    pub(crate) fn set_control(&self, control: Option<TaskControl>) {
        self.told.clear();
        *self.control.lock().unwrap_or_else(PoisonError::into_inner) = control;
        if self.stop.is_set() {
            self.wake_plugin();
        }
    }

    /// Asks the task to stop: sets the flag its thread sleeps on and ends a waiting `poll`.
    pub(crate) fn request_stop(&self) {
        self.stop.set();
        self.wake_plugin();
        self.wake();
    }

    pub(crate) fn set_waker(&self, waker: Option<Waker>) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = waker;
    }

    pub(crate) fn set_midway(&self, midway: Option<Arc<Midway>>) {
        *self.midway.lock().unwrap_or_else(PoisonError::into_inner) = midway;
    }

    /// Returns what commits for a sink while its plugin works.
    pub(crate) fn midway(&self) -> Option<Arc<Midway>> {
        self.midway
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Tells a sink's thread to look around.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self
            .waker
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            // A closed channel means that the thread has ended.
            drop(waker.send(Message::Wake));
        }
    }

    fn control(&self) -> Option<TaskControl> {
        self.control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes note of an instance that works beside the connector's own, so that a stop reaches it too.
    pub(crate) fn add_helper(&self, helper: TaskControl) {
        self.lock_helpers().push(helper.clone());
        if self.stop.is_set() {
            helper.stop();
        }
    }

    /// A new life of the task has instances of its own.
    pub(crate) fn forget_helpers(&self) {
        self.lock_helpers().clear();
    }

    fn lock_helpers(&self) -> MutexGuard<'_, Vec<TaskControl>> {
        self.helpers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_plugin(&self) {
        if let Some(control) = self.control() {
            control.stop();
        }
        let helpers = self.lock_helpers().clone();
        for helper in helpers {
            helper.stop();
        }
    }

    /// Takes note of a file as the running instance reports it.
    pub(crate) fn report_file(&self, file: FileReport) {
        self.lock_files().reported.insert(file.path.clone(), file);
    }

    /// Takes what was reported since the last call: it becomes part of the record once the commit it belongs to is durable.
    pub(crate) fn take_reported(&self) -> Vec<FileReport> {
        std::mem::take(&mut self.lock_files().reported)
            .into_values()
            .collect()
    }

    /// Adds reports whose data is durable.
    pub(crate) fn keep_files(&self, reports: Vec<FileReport>) {
        let mut files = self.lock_files();
        for report in reports {
            files.durable.insert(report.path.clone(), report);
        }
    }

    /// A new instance counts from 0: what earlier ones did is added to what it reports.
    pub(crate) fn begin_life(&self) {
        let mut files = self.lock_files();
        files.reported.clear();
        for (path, file) in std::mem::take(&mut files.durable) {
            let (records, rejected) = (file.records, file.rejected);
            files
                .earlier
                .entry(path)
                .and_modify(|earlier| {
                    earlier.records += records;
                    earlier.rejected += rejected;
                })
                .or_insert(file);
        }
    }

    pub(crate) fn files(&self) -> Vec<FileReport> {
        let files = self.lock_files();
        let mut all = files.earlier.clone();
        for (path, file) in &files.durable {
            let earlier = all.get(path);
            let before = earlier.map_or(0, |earlier| earlier.records);
            let rejected_before = earlier.map_or(0, |earlier| earlier.rejected);
            all.insert(
                path.clone(),
                FileReport {
                    records: before + file.records,
                    rejected: rejected_before + file.rejected,
                    ..file.clone()
                },
            );
        }
        all.into_values().collect()
    }

    fn lock_files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_concealed(&self, values: Vec<String>) {
        *self
            .concealed
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = values;
    }

    /// Returns `text` without secrets and placeholder values.
    pub(crate) fn conceal(&self, text: &str) -> String {
        conceal(
            text,
            &self
                .concealed
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) fn conceal_error(&self, error: TaskError) -> TaskError {
        TaskError {
            message: self.conceal(&error.message),
            ..error
        }
    }

    pub(crate) fn beat(&self) {
        self.pulse.beat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64, records: u64) -> FileReport {
        FileReport {
            path: "/a".to_owned(),
            sha256: None,
            bytes,
            records,
            rejected: 0,
            sums: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_file_counts_over_restarts_and_only_what_is_durable() {
        let task = TaskShared::new("c", 0, Pulse::default());
        task.begin_life();
        task.report_file(file(10, 1));
        let kept = task.take_reported();
        task.report_file(file(20, 2));
        task.keep_files(kept);
        assert_eq!((task.files()[0].bytes, task.files()[0].records), (10, 1));
        task.begin_life();
        task.report_file(file(30, 2));
        task.keep_files(task.take_reported());
        assert_eq!((task.files()[0].bytes, task.files()[0].records), (30, 3));
    }
}
