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
mod record;
mod refused;
mod slot;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod watch;
mod worker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

pub use self::decide::Restart;
pub use self::made::made_connectors;
pub use self::offline::Offline;
pub use self::record::Record;
pub use self::refused::Refused;
pub use self::status::{ConnectorStatus, TaskStatus};
pub use self::target::Target;

pub(crate) use self::keeper::Keeper;
use self::slot::{Slot, Wish};
use crate::error::StartError;
use crate::spec::{ConnectorSpec, KindOfConnector, Mode, TopicSpecs};
use crate::stop::Pulse;
use crate::supervisor::{Planned, Runtime};

/// A connector with its plan; without one it is not right, and its worker will say why.
type MaybePlanned = (Arc<ConnectorSpec>, Option<Planned>);

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
        });
        let control = Self { inner };
        control.apply(specs, topics)?;
        watch::start(&control.inner)?;
        Ok(control)
    }

    /// Applies a new set of connectors: what is new starts, what changed restarts, what left stops and keeps its offsets;
    /// everything else is not touched.
    ///
    /// # Errors
    /// As [`Control::start`]; then nothing has changed.
    pub fn apply(&self, specs: Vec<ConnectorSpec>, topics: &TopicSpecs) -> Result<(), StartError> {
        let inner = &self.inner;
        let mut planned: Vec<MaybePlanned> = inner
            .runtime
            .prepare(specs, topics, Mode::Continuous)?
            .into_iter()
            .map(|planned| (Arc::clone(&planned.spec), Some(planned)))
            .collect();
        planned.extend(self.plan_made(&planned)?);
        let specs: Vec<Arc<ConnectorSpec>> =
            planned.iter().map(|(spec, _)| Arc::clone(spec)).collect();
        self.stop_left(&specs);
        inner.runtime.adopt(&inner.keeper, &specs)?;
        inner
            .runtime
            .declare_sinks(planned.iter().filter_map(|(_, planned)| planned.as_ref()))?;
        let log = inner.runtime.shared.log.as_ref();
        let settled = ownership::settle(log, &inner.keeper, &specs, inner.now_ms())?;
        for (name, record) in settled.left {
            self.slot_of_left(&name, record)?;
        }
        // A sink that is there before its source sees records sooner; the order does not matter otherwise.
        let (sinks, sources): (Vec<_>, Vec<_>) = planned
            .into_iter()
            .partition(|(spec, _)| spec.kind == KindOfConnector::Sink);
        for (spec, planned) in sinks.into_iter().chain(sources) {
            let target = settled.targets.get(&spec.name).copied();
            self.wish_for(spec, planned, target.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Plans what was made over the network. One that is not right any more, for want of its plugin maybe, holds up nobody:
    /// it becomes FAILED with its reason. A file's connector of the same name wins.
    fn plan_made(&self, files: &[MaybePlanned]) -> Result<Vec<MaybePlanned>, StartError> {
        let made = self
            .inner
            .made
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut plans = Vec::new();
        for spec in made.values() {
            if files.iter().any(|(file, _)| file.name == spec.name) {
                continue;
            }
            let one = vec![spec.clone()];
            match self
                .inner
                .runtime
                .prepare(one, &TopicSpecs::new(), Mode::Continuous)
            {
                Ok(planned) => plans.extend(
                    planned
                        .into_iter()
                        .map(|planned| (Arc::clone(&planned.spec), Some(planned))),
                ),
                Err(StartError::Invalid(_)) => plans.push((Arc::new(spec.clone()), None)),
                Err(error) => return Err(error),
            }
        }
        Ok(plans)
    }

    /// Stops what runs and is not in the set, and waits for it: its offsets may be taken over by a new name next.
    fn stop_left(&self, specs: &[Arc<ConnectorSpec>]) {
        let left: Vec<_> = self
            .inner
            .slots()
            .into_iter()
            .filter(|slot| specs.iter().all(|spec| spec.name != slot.name))
            .collect();
        for slot in &left {
            slot.wish().spec = None;
            worker::kick(&self.inner, slot);
        }
        self.wait_idle(&left);
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

    fn wish_for(
        &self,
        spec: Arc<ConnectorSpec>,
        planned: Option<Planned>,
        target: Target,
    ) -> linkspan_log::Result<()> {
        let log = self.inner.runtime.shared.log.as_ref();
        let had_tasks = status::read(log, &spec.name)?
            .is_some_and(|status| status.target == "PAUSED" && !status.tasks.is_empty());
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
                Arc::new(Slot::new(&spec.name, Record::of(&spec), wish))
            });
            Arc::clone(slot)
        };
        *slot.record.lock().unwrap_or_else(PoisonError::into_inner) = Record::of(&spec);
        {
            let mut wish = slot.wish();
            let same = wish.spec.as_ref().is_some_and(|have| {
                have.fingerprint == spec.fingerprint && have.class == spec.class
            });
            wish.target = target;
            if same {
                return Ok(());
            }
            wish.spec = Some(spec);
            wish.prepared = planned;
            wish.revision += 1;
        }
        worker::kick(&self.inner, &slot);
        Ok(())
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

    /// The tasks that did not stop in time; their threads were given up.
    #[must_use]
    pub fn stuck(&self) -> Vec<String> {
        self.inner
            .slots()
            .iter()
            .flat_map(|slot| {
                let shown = slot.shown();
                let names: Vec<_> = shown
                    .zombies
                    .iter()
                    .filter(|task| !task.state().is_over())
                    .map(|task| task.name())
                    .collect();
                names
            })
            .collect()
    }
}
