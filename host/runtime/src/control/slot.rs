//! One connector under control: what is wanted of it, and what is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use linkspan_plugin::Class;
use linkspan_types::FenceEpoch;

use super::decide::{Actual, Restart, State, Wanted};
use super::record::Record;
use super::target::Target;
use crate::connector::Backoff;
use crate::error::TaskError;
use crate::spec::ConnectorSpec;
use crate::supervisor::Planned;
use crate::task::TaskShared;
use crate::used::UsedTopics;

/// What somebody wants of the connector. Locked for moments only, never while a plugin is called.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    /// `None`: no file names it any more.
    pub(crate) spec: Option<Arc<ConnectorSpec>>,
    /// Checked already when the set was applied, so the plugin need not be asked again.
    pub(crate) prepared: Option<Planned>,
    pub(crate) target: Target,
    pub(crate) revision: u64,
    pub(crate) tasks_while_paused: bool,
    pub(crate) restart: Option<Restart>,
    pub(crate) restart_tasks: Vec<u32>,
    /// A task asked to have the work split anew; not before this moment.
    pub(crate) reconfigure: Option<Instant>,
    /// The files of the plugins that `spec` was checked with: other ones restart the connector.
    pub(crate) plugins: Vec<PathBuf>,
    /// The host is stopping.
    pub(crate) closing: bool,
    /// A worker's thread exists.
    pub(crate) busy: bool,
}

/// A task and its thread.
#[derive(Debug)]
pub(crate) struct TaskSlot {
    pub(crate) shared: Arc<TaskShared>,
    pub(crate) thread: Option<JoinHandle<()>>,
    pub(crate) config: BTreeMap<String, String>,
}

/// The tasks of one start of a connector. Only the connector's worker touches it.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) spec: Arc<ConnectorSpec>,
    pub(crate) class: Class,
    pub(crate) fence: FenceEpoch,
    pub(crate) tasks: Vec<TaskSlot>,
}

/// What is, for everybody to see.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) state: State,
    pub(crate) error: Option<TaskError>,
    pub(crate) revision: Option<u64>,
    pub(crate) held: bool,
    pub(crate) tasks: Vec<Arc<TaskShared>>,
    /// The numbers of the tasks of its last plan: they stay while it changes over to the next one.
    pub(crate) planned: Vec<u32>,
    /// Tasks that did not stop in time and whose threads were given up.
    pub(crate) zombies: Vec<Arc<TaskShared>>,
    /// How often the connector was started, and each of its tasks.
    pub(crate) starts: u64,
    pub(crate) task_starts: BTreeMap<u32, u64>,
    /// Counts of tasks that are no more.
    pub(crate) past: Past,
    /// When a failed start is tried again.
    pub(crate) retry_at: Option<Instant>,
    /// What its worker is doing that depends on the plugin, and since when.
    pub(crate) stage: Option<(&'static str, Instant)>,
}

/// Sums of tasks that are no more.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Past {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) filtered: u64,
    pub(crate) restarts: u64,
    pub(crate) lost: u64,
    pub(crate) dead_letters: u64,
    pub(crate) skipped: u64,
}

/// One connector.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) record: Mutex<Record>,
    /// Held while a command is written and becomes a wish, so that both have one order. A plugin is never called under it.
    pub(crate) commands: Mutex<()>,
    wish: Mutex<Wish>,
    shown: Mutex<Shown>,
    /// Topics that it has used.
    pub(crate) used: UsedTopics,
    pub(crate) work: Mutex<Work>,
}

/// What only the worker uses.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) generation: Option<Generation>,
    pub(crate) backoff: Option<Backoff>,
    /// Of a reconfiguration that could not be made.
    pub(crate) replanning: Option<Backoff>,
    pub(crate) replanned: Option<Instant>,
}

impl Slot {
    pub(crate) fn new(name: &str, record: Record, wish: Wish) -> Self {
        let state = if wish.spec.is_none() {
            State::Stopped
        } else {
            State::Unassigned
        };
        Self {
            name: name.to_owned(),
            record: Mutex::new(record),
            commands: Mutex::new(()),
            wish: Mutex::new(wish),
            shown: Mutex::new(Shown {
                state,
                ..Shown::default()
            }),
            used: UsedTopics::default(),
            work: Mutex::new(Work {
                generation: None,
                backoff: None,
                replanning: None,
                replanned: None,
            }),
        }
    }

    pub(crate) fn wish(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self) -> Record {
        self.record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Both halves of a decision, as they are now.
    pub(crate) fn view(&self, wish: &Wish) -> (Wanted, Actual) {
        let mut shown = self.shown();
        shown.zombies.retain(|task| !task.state().is_over());
        let wanted = Wanted {
            target: wish.target,
            present: wish.spec.is_some() && !wish.closing,
            revision: wish.revision,
            tasks_while_paused: wish.tasks_while_paused,
            restart: wish.restart.is_some() || !wish.restart_tasks.is_empty(),
            retry_due: shown.retry_at.is_some_and(|at| at <= Instant::now()),
            reconfigure: wish.reconfigure.is_some_and(|at| at <= Instant::now()),
        };
        let actual = Actual {
            state: shown.state,
            revision: shown.revision,
            has_tasks: !shown.tasks.is_empty(),
            held: shown.held,
        };
        (wanted, actual)
    }

    /// Whether nothing happens here by itself any more: every task has ended, and nobody asked for anything.
    pub(crate) fn is_over(&self) -> bool {
        let wish = self.wish();
        let shown = self.shown();
        let ended =
            !shown.tasks.is_empty() && shown.tasks.iter().all(|task| task.state().is_over());
        wish.target == Target::Started && !wish.busy && (shown.state == State::Failed || ended)
    }
}
