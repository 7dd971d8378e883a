//! The control plane: what connectors are to be, and the workers that bring them there.
//!
//! ```text
//! command ─► target state, durable ─► the connector's wish ─► its worker ─► tasks
//!                                                               │ decide(wanted, actual), again and again
//! everybody ◄── status ◄── shown ◄────────────────────────────── ┘
//! ```
//!
//! Any thread may command. A command writes what is wanted and returns; a worker of the connector's own does it, so a
//! plugin that blocks holds up its own connector only. No lock is held while a plugin is called, but that of its worker.
//!
//! Not here: bounded jobs ([`crate::Run`]), HTTP, files.

mod commands;
mod decide;
mod keeper;
mod made;
mod offline;
pub(crate) mod ownership;
mod prepare;
mod record;
mod refused;
mod slot;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use linkspan_plugin::Registry;
use serde::Serialize;

pub use self::decide::Restart;
use self::decide::State;
pub use self::made::made_connectors;
pub use self::offline::Offline;
pub use self::record::Record;
pub use self::refused::Refused;
pub use self::status::{ConnectorStatus, TaskStatus};
pub use self::target::Target;

pub(crate) use self::keeper::Keeper;
use self::ownership::Settled;
use self::prepare::Prepared;
use self::slot::{Slot, Wish};
use crate::error::StartError;
use crate::measure::TaskMeasure;
use crate::spec::{ConnectorSpec, KindOfConnector, TopicSpecs};
use crate::stop::Pulse;
use crate::supervisor::Runtime;
use crate::used::UsedTopics;

/// All connectors of a host, under control. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Control {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) runtime: Runtime,
    pub(crate) pulse: Pulse,
    keeper: Keeper,
    slots: RwLock<BTreeMap<String, Arc<Slot>>>,
    /// Connectors that were made over the network; no file names them.
    made: Mutex<BTreeMap<String, ConnectorSpec>>,
    /// The watcher of statuses ends.
    ended: AtomicBool,
    /// Held while a set of connectors is applied: one after the other.
    applying: Mutex<()>,
}

/// What a new set of connectors came to, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// New ones.
    pub started: Vec<String>,
    /// Those whose options or plugin changed.
    pub restarted: Vec<String>,
    /// Those that no file names any more: stopped, with their offsets kept.
    pub left: Vec<String>,
    /// How many were not touched.
    pub unchanged: usize,
}

impl Inner {
    fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .map(Arc::clone)
            .collect()
    }

    fn slot(&self, name: &str) -> Result<Arc<Slot>, Refused> {
        self.slots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .map(Arc::clone)
            .ok_or_else(|| Refused::unknown(name))
    }

    fn now_ms(&self) -> i64 {
        self.runtime.shared.clock.now_ms()
    }
}

impl Control {
    /// Checks the whole set (`made`: what was made over the network), takes over what was renamed, and brings every connector to its target state: the stored one,
    /// or for a new connector that of its file. Connectors that no file names any more are shown, stopped.
    ///
    /// # Errors
    /// [`StartError::Invalid`] with every problem before anything runs; the log refuses.
    pub fn start(
        runtime: &Runtime,
        specs: Vec<ConnectorSpec>,
        made: Vec<ConnectorSpec>,
        topics: &TopicSpecs,
    ) -> Result<Self, StartError> {
        let inner = Arc::new(Inner {
            runtime: runtime.clone(),
            pulse: Pulse::default(),
            keeper: Keeper::new(Arc::clone(&runtime.shared.log)),
            slots: RwLock::default(),
            made: Mutex::new(
                made.into_iter()
                    .map(|spec| (spec.name.clone(), spec))
                    .collect(),
            ),
            ended: AtomicBool::new(false),
            applying: Mutex::new(()),
        });
        let control = Self { inner };
        control.apply(specs, topics)?;
        watch::start(&control.inner)?;
        Ok(control)
    }

    /// Applies a new set of connectors: what is new starts, what changed restarts, what left stops and keeps its offsets;
    /// everything else is not touched, and its plugin not asked.
    ///
    /// # Errors
    /// As [`Control::start`]; then nothing has changed.
    pub fn apply(
        &self,
        specs: Vec<ConnectorSpec>,
        topics: &TopicSpecs,
    ) -> Result<Applied, StartError> {
        let inner = &self.inner;
        let _order = inner
            .applying
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let made = self.made_beside(&specs);
        // One that is not right any more, for want of its plugin maybe, holds up nobody: it becomes FAILED with its reason.
        let lenient: BTreeSet<String> = made.iter().map(|spec| spec.name.clone()).collect();
        let (same, changed): (Vec<_>, Vec<_>) = specs
            .into_iter()
            .chain(made)
            .partition(|spec| self.is_same(spec));
        let mut applied = Applied {
            unchanged: same.len(),
            ..Applied::default()
        };
        let same: Vec<Arc<ConnectorSpec>> = same.into_iter().map(Arc::new).collect();
        let every = changed.iter().chain(same.iter().map(Arc::as_ref));
        let mut problems = ownership::check_moves(every);
        let prepared = prepare::plan(&inner.runtime, changed, &lenient)
            .inspect_err(|errors| problems.extend(errors.iter().cloned()))
            .unwrap_or_default();
        if !problems.is_empty() {
            return Err(StartError::Invalid(problems));
        }
        inner.runtime.make_topics(topics)?;
        for prepared in &prepared {
            let planned = prepared.planned.as_ref();
            let letters = planned.and_then(|planned| planned.letters.as_ref());
            inner.runtime.ensure_sink_topics(&prepared.spec, letters)?;
        }
        let specs: Vec<Arc<ConnectorSpec>> = prepared
            .iter()
            .map(|prepared| &prepared.spec)
            .chain(&same)
            .map(Arc::clone)
            .collect();
        applied.left = self.stop_left(&specs);
        inner.runtime.adopt(&inner.keeper, &specs)?;
        for prepared in &prepared {
            inner.runtime.declare_sink(&prepared.spec)?;
        }
        let log = inner.runtime.shared.log.as_ref();
        let settled = ownership::settle(log, &inner.keeper, &specs, inner.now_ms())?;
        self.forget_moved(&settled);
        for (name, record) in settled.left {
            self.slot_of_left(&name, record)?;
        }
        for spec in same {
            self.move_origin(&spec);
        }
        // A sink that is there before its source sees records sooner; the order does not matter otherwise.
        let (sinks, sources): (Vec<_>, Vec<_>) = prepared
            .into_iter()
            .partition(|prepared| prepared.spec.kind == KindOfConnector::Sink);
        for prepared in sinks.into_iter().chain(sources) {
            let name = prepared.spec.name.clone();
            let target = settled.targets.get(&name).copied().unwrap_or_default();
            if self.wish_for(prepared, target)? {
                applied.restarted.push(name);
            } else {
                applied.started.push(name);
            }
        }
        Ok(applied)
    }

    /// Says what [`Control::apply`] would do with a set of connectors; no plugin is asked.
    #[must_use]
    pub fn compare(&self, specs: Vec<ConnectorSpec>) -> Applied {
        let made = self.made_beside(&specs);
        let specs: Vec<ConnectorSpec> = specs.into_iter().chain(made).collect();
        let mut applied = Applied::default();
        for slot in self.inner.slots() {
            let there = specs.iter().any(|spec| spec.name == slot.name);
            if !there && slot.wish().spec.is_some() {
                applied.left.push(slot.name.clone());
            }
        }
        for spec in specs {
            if self.is_same(&spec) {
                applied.unchanged += 1;
                continue;
            }
            let slot = self.inner.slot(&spec.name);
            if slot.is_ok_and(|slot| slot.wish().spec.is_some()) {
                applied.restarted.push(spec.name);
            } else {
                applied.started.push(spec.name);
            }
        }
        applied
    }

    /// What was made over the network. A file's connector of the same name wins.
    fn made_beside(&self, files: &[ConnectorSpec]) -> Vec<ConnectorSpec> {
        let made = self
            .inner
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        made.values()
            .filter(|spec| files.iter().all(|file| file.name != spec.name))
            .cloned()
            .collect()
    }

    /// Puts other plugins in place of those that were used so far; the next [`Control::apply`] restarts what is of them.
    pub fn use_plugins(&self, registry: Arc<Registry>) {
        self.inner.runtime.use_plugins(registry);
    }

    /// Whether the connector runs just as `spec` says: same options, also behind its placeholders, and same plugin.
    fn is_same(&self, spec: &ConnectorSpec) -> bool {
        let Ok(slot) = self.inner.slot(&spec.name) else {
            return false;
        };
        let (have, plugins) = {
            let wish = slot.wish();
            (wish.spec.clone(), wish.plugins.clone())
        };
        let Some(have) = have else {
            return false;
        };
        have.fingerprint == spec.fingerprint
            && have.class == spec.class
            && self.inner.runtime.plugins_of(spec) == plugins
            && match ((have.resolve)(), (spec.resolve)()) {
                (Ok(have), Ok(new)) => have.config == new.config,
                (have, new) => have.is_err() == new.is_err(),
            }
    }

    /// The lines of a file move without a change of what stands in them.
    fn move_origin(&self, spec: &ConnectorSpec) {
        if let Ok(slot) = self.inner.slot(&spec.name) {
            *slot.record.lock().unwrap_or_else(PoisonError::into_inner) = Record::of(spec);
        }
    }

    /// What was renamed is known under its new name only.
    fn forget_moved(&self, settled: &Settled) {
        self.inner
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|name, _| {
                settled.targets.contains_key(name) || settled.left.contains_key(name)
            });
    }

    /// Stops what runs and is not in the set, and waits for it: its offsets may be taken over by a new name next. Returns the
    /// names of those that had been in the set before.
    fn stop_left(&self, specs: &[Arc<ConnectorSpec>]) -> Vec<String> {
        let left: Vec<_> = self
            .inner
            .slots()
            .into_iter()
            .filter(|slot| specs.iter().all(|spec| spec.name != slot.name))
            .collect();
        let mut names = Vec::new();
        for slot in &left {
            if slot.wish().spec.take().is_some() {
                names.push(slot.name.clone());
            }
            worker::kick(&self.inner, slot);
        }
        self.wait_idle(&left);
        names
    }

    fn wait_idle(&self, slots: &[Arc<Slot>]) {
        let grace = Duration::from_secs(1);
        let deadline = Instant::now() + self.inner.runtime.shared.settings.stop_deadline + grace;
        let pulse = &self.inner.pulse;
        while slots.iter().any(|slot| slot.wish().busy) && Instant::now() < deadline {
            pulse.wait(pulse.now(), Duration::from_millis(50));
        }
    }

    fn slot_of_left(&self, name: &str, record: Record) -> linkspan_log::Result<()> {
        let log = self.inner.runtime.shared.log.as_ref();
        let target = target::read(log, name)?.unwrap_or_default();
        let mut slots = self
            .inner
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        slots.entry(name.to_owned()).or_insert_with(|| {
            let wish = Wish {
                target,
                ..Wish::default()
            };
            Arc::new(Slot::new(name, record, wish))
        });
        Ok(())
    }

    /// Wishes for a connector as it was prepared; returns whether it had been there before.
    fn wish_for(&self, prepared: Prepared, target: Target) -> linkspan_log::Result<bool> {
        let Prepared { spec, planned } = prepared;
        let log = self.inner.runtime.shared.log.as_ref();
        let before = status::read(log, &spec.name)?;
        let had_tasks = before
            .as_ref()
            .is_some_and(|status| status.target == "PAUSED" && !status.tasks.is_empty());
        let used = before.map(|status| status.topics).unwrap_or_default();
        let slot = {
            let mut slots = self
                .inner
                .slots
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let slot = slots.entry(spec.name.clone()).or_insert_with(|| {
                let wish = Wish {
                    tasks_while_paused: had_tasks,
                    ..Wish::default()
                };
                let slot = Slot::new(&spec.name, Record::of(&spec), wish);
                // Nobody has stopped it: clients that know no STOPPED look at what they have just made.
                if target != Target::Stopped {
                    slot.shown().state = State::Unassigned;
                }
                slot.used.absorb(&UsedTopics::of(&used));
                Arc::new(slot)
            });
            Arc::clone(slot)
        };
        *slot.record.lock().unwrap_or_else(PoisonError::into_inner) = Record::of(&spec);
        let plugins = self.inner.runtime.plugins_of(&spec);
        let before = {
            let mut wish = slot.wish();
            wish.target = target;
            wish.plugins = plugins;
            wish.prepared = planned;
            wish.revision += 1;
            wish.spec.replace(spec).is_some()
        };
        worker::kick(&self.inner, &slot);
        Ok(before)
    }

    /// Returns the names of all connectors.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let slots = self.inner.slots();
        slots.iter().map(|slot| slot.name.clone()).collect()
    }

    /// Returns every connector as it stands now, by name.
    #[must_use]
    pub fn statuses(&self) -> Vec<ConnectorStatus> {
        self.inner
            .slots()
            .iter()
            .map(|slot| ConnectorStatus::of(slot))
            .collect()
    }

    /// Returns one connector as it stands now.
    ///
    /// # Errors
    /// Nobody knows it.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, Refused> {
        Ok(ConnectorStatus::of(self.inner.slot(name)?.as_ref()))
    }

    /// Returns what is measured of every task that there is now.
    #[must_use]
    pub fn measures(&self) -> Vec<TaskMeasure> {
        let mut measures = Vec::new();
        for slot in self.inner.slots() {
            measures.extend(slot.shown().tasks.iter().map(|task| task.measure()));
        }
        measures
    }

    /// Whether every connector that is to run has ended, so that nothing is left that could.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.inner
            .slots()
            .iter()
            .filter(|slot| slot.wish().spec.is_some())
            .all(|slot| slot.is_over())
    }

    /// Waits until something changed since `seen`, at most `limit`; returns what to pass next time, first 0.
    pub fn wait_change(&self, seen: u64, limit: Duration) -> u64 {
        self.inner.pulse.wait(seen, limit)
    }

    /// Stops the sources, then the sinks, each round within the deadline of the settings. Target states stay as they are.
    pub fn stop(&self) {
        watch::write(&self.inner);
        self.inner.ended.store(true, Ordering::SeqCst);
        for sources in [true, false] {
            let round: Vec<_> = self
                .inner
                .slots()
                .into_iter()
                .filter(|slot| (slot.record().kind() == KindOfConnector::Source) == sources)
                .collect();
            for slot in &round {
                slot.wish().closing = true;
                worker::kick(&self.inner, slot);
            }
            self.wait_idle(&round);
        }
    }

    /// What did not stop in time and was given up: tasks, and connectors whose plugin does not answer.
    #[must_use]
    pub fn stuck(&self) -> Vec<String> {
        let mut stuck = Vec::new();
        for slot in self.inner.slots() {
            let busy = slot.wish().busy;
            let shown = slot.shown();
            let zombies = shown.zombies.iter().filter(|task| !task.state().is_over());
            stuck.extend(zombies.map(|task| task.name()));
            if let Some((stage, _)) = shown.stage.filter(|_| busy) {
                stuck.push(format!("{} ({stage})", slot.name));
            }
        }
        stuck
    }
}
