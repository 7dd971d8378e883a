//! One connector's tasks: their threads, restarts and configuration.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use linkspan_log::{Health, LogBackend};
use linkspan_plugin::{Class, Registry, Task};
use linkspan_types::{Clock, FenceEpoch, OwnerId};
use serde_json::json;

use crate::budget::{Budget, Share};
use crate::convert::Converters;
use crate::error::TaskError;
use crate::errors::ErrorPolicy;
use crate::services::Services;
use crate::source::{Boundary, TopicCreation};
use crate::spec::{ConnectorSpec, KindOfConnector, Settings};
use crate::task::{TaskShared, TaskState};
use crate::transforms::{Chain, Opening};
use crate::{sink, source};

/// First pause before a retry or a restart; doubles up to the connector's `restart.delay.max.ms`.
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

/// Longest pause that a plugin may ask for with `retry_after`.
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// A class that says itself where its transactions end.
pub(crate) const FEATURE_TRANSACTIONS: &str = "transactions";

/// How often a source that waits for room in the log looks for it.
const ROOM_INTERVAL: Duration = Duration::from_millis(500);

/// A sink whose position is no longer in the log, or belongs to another history: only a person can say where to go on.
const POSITION_GONE: [&str; 2] = ["LS0420", "LS0515"];

/// What all tasks of the host share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) log: Arc<dyn LogBackend>,
    pub(crate) services: Arc<Services>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tokio: tokio::runtime::Handle,
    pub(crate) budget: Arc<Budget>,
    /// Replaced as a whole when plugins were rebuilt.
    pub(crate) registry: RwLock<Arc<Registry>>,
}

impl Shared {
    /// Returns the plugins of this moment.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Everything one task's thread works with.
#[derive(Debug)]
pub(crate) struct TaskContext {
    pub(crate) runtime: Arc<Shared>,
    pub(crate) spec: Arc<ConnectorSpec>,
    pub(crate) task: Arc<TaskShared>,
    pub(crate) class: Class,
    /// The keys that `task_configs` added for this task.
    pub(crate) task_config: BTreeMap<String, String>,
    /// The connector's generation: commits of an older one are refused.
    pub(crate) fence: FenceEpoch,
    pub(crate) bounded: bool,
}

/// Growing pauses between attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    attempts: u32,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            attempts: 0,
            longest,
        }
    }

    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let doubled = BACKOFF_FIRST
            .saturating_mul(1_u32 << self.attempts.min(16))
            .min(self.longest);
        self.attempts = self.attempts.saturating_add(1);
        // A plugin that says when knows the other side better than a rule does; only a storm of attempts is not its to ask for.
        asked.map_or(doubled, |asked| asked.clamp(BACKOFF_FIRST, ASKED_MAX))
    }

    /// Starts over; returns whether there had been an attempt before.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.attempts) > 0
    }
}

impl TaskContext {
    /// Creates the plugin's task with its configuration, placeholders filled in for this call only.
    pub(crate) fn create_task(&self, instance: u64) -> Result<Task, TaskError> {
        let resolved = (self.spec.resolve)()
            .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
        self.task.set_concealed(resolved.concealed);
        self.task.begin_life();
        let mut config = resolved.config;
        config.extend(self.task_config.clone());
        let document = json!({
            "connector": self.spec.name, "task": self.task.index, "class": self.class.name(),
            "bounded": self.bounded, "config": config,
        });
        Ok(self.class.create_task(instance, &document.to_string())?)
    }

    /// Returns the converters that the configuration names.
    pub(crate) fn converters(&self) -> Result<Converters, TaskError> {
        let resolved = (self.spec.resolve)()
            .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
        Converters::from_config(&resolved.config).map_err(|problems| {
            TaskError::permanent("LS0210", "config_invalid", problems.join("; "))
        })
    }

    /// Returns the transforms that the configuration names, if there are any, opened on this thread.
    pub(crate) fn chain(&self) -> Result<Option<Chain>, TaskError> {
        let resolved = (self.spec.resolve)()
            .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
        let opening = Opening {
            registry: &self.runtime.registry(),
            services: &self.runtime.services,
            task: &self.task,
            bounded: self.bounded,
            now_ms: self.runtime.clock.now_ms(),
        };
        let chain = Chain::open(&resolved.config, &opening)?;
        let passed = &self.task.measures.transformed;
        Ok(chain.map(|chain| chain.counted(Arc::clone(passed))))
    }

    /// Returns the task's door to the memory that all tasks share; what it holds is measured.
    pub(crate) fn share(&self) -> Share {
        let share = self.runtime.budget.share();
        self.task.measures.holds(share.held());
        share
    }

    /// Returns what the configuration says about failing records.
    pub(crate) fn error_policy(&self) -> Result<Arc<ErrorPolicy>, TaskError> {
        let resolved = (self.spec.resolve)()
            .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
        ErrorPolicy::from_config(&resolved.config, &self.spec.class)
            .map(Arc::new)
            .map_err(|problems| {
                TaskError::permanent("LS0210", "config_invalid", problems.join("; "))
            })
    }

    /// Returns how topics are made that a source writes.
    pub(crate) fn topic_creation(&self) -> Result<TopicCreation, TaskError> {
        let resolved = (self.spec.resolve)()
            .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
        TopicCreation::from_config(&resolved.config, self.runtime.settings.num_partitions)
    }

    /// Returns what one commit of a source holds.
    pub(crate) fn boundary(&self) -> Result<Boundary, TaskError> {
        let resolved = (self.spec.resolve)()
            .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
        let defines = self.class.has_feature(FEATURE_TRANSACTIONS);
        Boundary::from_config(&resolved.config, self.spec.flush_interval, defines)
            .map_err(|problem| TaskError::permanent("LS0210", "config_invalid", problem))
    }

    pub(crate) fn running(&self) {
        self.task.restart_pending.store(false, Ordering::Relaxed);
        self.task.set_state(TaskState::Running, None);
    }

    /// Where a task that is told to pause waits, holding nothing that is not durable; returns whether it was told to stop.
    pub(crate) fn pause_point(&self) -> bool {
        self.task.touch();
        if self.task.stop.is_paused() && !self.task.stop.is_set() {
            self.task.set_state(TaskState::Paused, None);
            if !self.task.stop.wait_while_paused() {
                self.running();
            }
        }
        self.task.stop.is_set()
    }

    /// Shows the error, waits for the next attempt; returns whether the task was told to stop meanwhile.
    pub(crate) fn retry_after(&self, error: &TaskError, backoff: &mut Backoff) -> bool {
        let error = self.task.conceal_error(error.clone());
        let errors = &self.task.measures.errors_retriable;
        errors.fetch_add(1, Ordering::Relaxed);
        let pause = backoff.next(error.retry_after);
        tracing::warn!(
            task = self.task.name(),
            code = error.code,
            "{error}; next attempt in {} s",
            pause.as_secs()
        );
        self.task.set_retrying(error, pause);
        self.task.stop.sleep(pause)
    }

    /// Waits while the log may not grow; shows it. Returns at once when the task is told to stop.
    pub(crate) fn wait_for_room(&self) {
        let mut waited = false;
        while let Health::DiskBound { why } = self.runtime.log.health() {
            if !std::mem::replace(&mut waited, true) {
                let error = TaskError {
                    temporary: true,
                    ..TaskError::permanent(
                        "LS0519",
                        "unavailable",
                        format!("the log is full: {why}"),
                    )
                };
                self.task.set_state(TaskState::DiskBound, Some(error));
            }
            if self.task.stop.sleep(ROOM_INTERVAL) {
                return;
            }
        }
        if waited {
            self.running();
        }
    }

    fn live_once(&self) -> Result<(), TaskError> {
        match self.spec.kind {
            KindOfConnector::Source => {
                let owner = OwnerId::from(self.spec.name.as_str());
                let producer = self.runtime.log.producer_at(&owner, self.fence)?;
                source::run(self, &producer)
            }
            KindOfConnector::Sink => sink::run(self, self.fence),
        }
    }

    /// Whether the restart policy gives the task another life after `error`.
    fn may_restart(&self, error: &TaskError, restarts: u64) -> bool {
        if !error.restarts() || !self.spec.restarts {
            return false;
        }
        error.temporary
            || !self.bounded
            || restarts < u64::from(self.runtime.settings.job_restarts_max)
    }

    /// The body of the task's thread: lives until it is done, stopped or failed for good.
    fn run(&self) {
        if self.task.stop.is_paused() {
            // Created while its connector is paused: it opens nothing before it may work.
            self.task.set_state(TaskState::Paused, None);
            if self.task.stop.wait_while_paused() {
                return self.stopped(None);
            }
            self.task.set_state(TaskState::Starting, None);
        }
        let mut backoff = Backoff::new(self.spec.restart_delay_max);
        loop {
            let born = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| self.live_once()))
                .unwrap_or_else(|_| Err(TaskError::host_panic()))
                .map_err(|error| self.task.conceal_error(error));
            if born.elapsed() > self.spec.restart_delay_max {
                // It had worked for a while: this failure is a new one.
                backoff.reset();
            }
            let restarts = self.task.counters.restarts.load(Ordering::Relaxed);
            match outcome {
                Ok(()) if self.task.stop.is_set() => return self.stopped(None),
                Ok(()) => return self.task.set_state(TaskState::Completed, None),
                Err(error) if self.task.stop.is_set() => return self.stopped(Some(error)),
                Err(error) if self.may_restart(&error, restarts) => {
                    self.task.counters.restarts.fetch_add(1, Ordering::Relaxed);
                    self.task.restart_pending.store(true, Ordering::Relaxed);
                    if self.retry_after(&error, &mut backoff) {
                        return self.stopped(Some(error));
                    }
                }
                Err(error) => return self.failed(error),
            }
        }
    }

    /// The task was told to stop. What it was struggling with at that moment stays visible.
    fn stopped(&self, error: Option<TaskError>) {
        let struggling = matches!(
            self.task.state(),
            TaskState::Retrying | TaskState::DiskBound
        )
        .then(|| self.task.error())
        .flatten();
        let error = error.filter(|error| !error.is_stopped()).or(struggling);
        if let Some(error) = &error {
            tracing::warn!(
                task = self.task.name(),
                code = error.code,
                "while stopping: {error}"
            );
        }
        self.task.set_state(TaskState::Stopped, error);
    }

    fn failed(&self, error: TaskError) {
        let errors = &self.task.measures.errors_fatal;
        errors.fetch_add(1, Ordering::Relaxed);
        if self.bounded {
            // The job's summary says it.
            tracing::debug!(
                task = self.task.name(),
                code = error.code,
                "task failed: {error}"
            );
        } else {
            tracing::error!(
                task = self.task.name(),
                code = error.code,
                "task failed: {error}"
            );
        }
        let state =
            if POSITION_GONE.contains(&error.code) && self.spec.kind == KindOfConnector::Sink {
                TaskState::Degraded
            } else {
                TaskState::Failed
            };
        self.task.set_state(state, Some(error));
    }

    /// Starts the task's thread.
    pub(crate) fn spawn(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name(self.task.name())
            .spawn(move || self.run())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_honour_what_was_asked() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        let seconds: Vec<u64> = (0..8).map(|_| backoff.next(None).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(backoff.reset());
        assert!(!backoff.reset());
        assert_eq!(backoff.next(Some(Duration::from_secs(7))).as_secs(), 7);
    }
}
