//! The commands of a running host. Each is durable before it returns; what follows from it happens soon after.

use std::sync::{Arc, PoisonError};

use linkspan_log::LogBackend;
use serde_json::{Value, json};

use super::decide::State;
use super::slot::Slot;
use super::target::{self, Target};
use super::worker::{self, has_failed};
use super::{ConnectorStatus, Control, Refused, Restart, ownership};
use crate::offsets_admin::{self, Altered, Subject};

impl Control {
    /// Holds the connector still: a source polls no more, a sink commits what was put and gets no more; what they have
    /// open stays open. Of a stopped connector no task comes back. Again is fine.
    ///
    /// # Errors
    /// Nobody knows it, or the log refuses the write.
    pub fn pause(&self, name: &str) -> Result<(), Refused> {
        self.target(name, Target::Paused)
    }

    /// Lets a paused or stopped connector work. Again is fine.
    ///
    /// # Errors
    /// As [`Control::pause`].
    pub fn resume(&self, name: &str) -> Result<(), Refused> {
        self.target(name, Target::Started)
    }

    /// Stops the connector: its tasks are gone, its offsets may be changed. Again is fine; works from FAILED too.
    ///
    /// # Errors
    /// As [`Control::pause`].
    pub fn stop_connector(&self, name: &str) -> Result<(), Refused> {
        self.target(name, Target::Stopped)
    }

    fn target(&self, name: &str, target: Target) -> Result<(), Refused> {
        let slot = self.inner.slot(name)?;
        let order = slot.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.wish().target != target {
            let put = target::put(name, target, self.inner.now_ms());
            self.inner.keeper.put(vec![put])?;
        }
        slot.wish().target = target;
        drop(order);
        worker::kick(&self.inner, &slot);
        Ok(())
    }

    /// Restarts the connector, its tasks, or what of them has failed. Returns the connector with everything that restarts
    /// shown as RESTARTING; nothing is when there is nothing to do.
    ///
    /// # Errors
    /// Nobody knows it.
    pub fn restart(&self, name: &str, restart: Restart) -> Result<ConnectorStatus, Refused> {
        let slot = self.inner.slot(name)?;
        let mut shown = ConnectorStatus::of(&slot);
        if shown.state == State::Stopped.word() {
            return Ok(shown);
        }
        let restarting = State::Restarting.word();
        if !restart.only_failed || shown.state == State::Failed.word() {
            shown.state = restarting.to_owned();
        }
        for task in &mut shown.tasks {
            let picked = !restart.only_failed || task.connect_state == "FAILED";
            if restart.include_tasks && picked {
                task.state = restarting.to_owned();
                task.connect_state = restarting.to_owned();
            }
        }
        {
            let mut wish = slot.wish();
            let greater = wish
                .restart
                .is_none_or(|waiting| waiting.impact() < restart.impact());
            if greater {
                wish.restart = Some(restart);
            }
        }
        worker::kick(&self.inner, &slot);
        Ok(shown)
    }

    /// Restarts one task.
    ///
    /// # Errors
    /// Nobody knows the connector or the task.
    pub fn restart_task(&self, name: &str, task: u32) -> Result<(), Refused> {
        let slot = self.inner.slot(name)?;
        if slot.shown().tasks.iter().all(|known| known.index != task) {
            return Err(
                Refused::new(404, "LS0610", format!("Unknown task: {name}-{task}"))
                    .help(format!("`linkspan describe {name}` shows its tasks")),
            );
        }
        slot.wish().restart_tasks.push(task);
        worker::kick(&self.inner, &slot);
        Ok(())
    }

    /// Forgets a connector that no file names any more: its offsets, target state and status, and retention no longer waits
    /// for it. Waits until its tasks have stopped.
    ///
    /// # Errors
    /// Nobody knows it; a file owns it; its tasks do not stop; the log refuses.
    pub fn delete(&self, name: &str) -> Result<(), Refused> {
        let slot = self.inner.slot(name)?;
        let order = slot.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.wish().spec.is_some() {
            return Err(owned(name, &slot));
        }
        self.wait_idle(&[Arc::clone(&slot)]);
        ownership::forget(
            self.inner.runtime.shared.log.as_ref(),
            &self.inner.keeper,
            name,
        )?;
        self.inner
            .slots
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        drop(order);
        Ok(())
    }

    /// Returns `{"offsets": [{"partition", "offset"}]}`.
    ///
    /// # Errors
    /// Nobody knows the connector, or the log cannot be read.
    pub fn offsets(&self, name: &str) -> Result<Value, Refused> {
        let slot = self.inner.slot(name)?;
        let log = self.inner.runtime.shared.log.as_ref();
        offsets_admin::get(log, &subject(log, &slot))
    }

    /// Changes offsets of a stopped connector, see [`offsets_admin`](crate::OffsetsChange).
    ///
    /// # Errors
    /// Nobody knows the connector, it is not STOPPED, what is asked is malformed or outside of the log.
    pub fn change_offsets(&self, name: &str, change: &Altered) -> Result<Value, Refused> {
        let slot = self.inner.slot(name)?;
        if !is_stopped(&slot) {
            return Err(offsets_admin::not_stopped(name));
        }
        let seen = self.ask_class(&slot, change)?;
        // A resume that comes meanwhile waits, and starts at the new offsets.
        let order = slot.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_stopped(&slot) {
            return Err(offsets_admin::not_stopped(name));
        }
        // What it still commits would go over the change.
        let zombies = slot
            .shown()
            .zombies
            .iter()
            .any(|task| !task.state().is_over());
        if zombies {
            return Err(offsets_admin::not_closed(name));
        }
        let log = self.inner.runtime.shared.log.as_ref();
        let changed = offsets_admin::change(log, &subject(log, &slot), change, seen);
        drop(order);
        changed
    }

    /// Says what a change of offsets would do, also while the connector works: `{"preview", "stopped", "changes"}`. The class
    /// is not asked.
    ///
    /// # Errors
    /// Nobody knows the connector, what is asked is malformed or outside of the log.
    pub fn preview_offsets(&self, name: &str, change: &Altered) -> Result<Value, Refused> {
        let slot = self.inner.slot(name)?;
        let log = self.inner.runtime.shared.log.as_ref();
        let changes = offsets_admin::preview(log, &subject(log, &slot), change)?;
        Ok(json!({ "preview": true, "stopped": is_stopped(&slot), "changes": changes }))
    }

    /// Asks the class about offsets that are to be set; returns whether it has looked at them.
    fn ask_class(&self, slot: &Slot, change: &Altered) -> Result<bool, Refused> {
        let log = self.inner.runtime.shared.log.as_ref();
        let Some(offsets) = offsets_admin::asked(log, &subject(log, slot), change)? else {
            return Ok(false);
        };
        let Some(spec) = slot.wish().spec.clone() else {
            return Ok(false);
        };
        self.inner.runtime.alter_offsets(&spec, &offsets)
    }

    /// Numbers of the tasks that have failed, in Connect's sense.
    ///
    /// # Errors
    /// Nobody knows the connector.
    pub fn failed_tasks(&self, name: &str) -> Result<Vec<u32>, Refused> {
        let slot = self.inner.slot(name)?;
        let shown = slot.shown();
        Ok(shown
            .tasks
            .iter()
            .filter(|task| has_failed(task))
            .map(|task| task.index)
            .collect())
    }
}

fn is_stopped(slot: &Slot) -> bool {
    let wish = slot.wish();
    let shown = slot.shown();
    (wish.target == Target::Stopped || wish.spec.is_none())
        && shown.state == State::Stopped
        && shown.tasks.is_empty()
}

fn subject(log: &dyn LogBackend, slot: &Slot) -> Subject {
    let record = slot.record();
    Subject {
        name: slot.name.clone(),
        kind: record.kind(),
        topics: ownership::topics_of(log, &slot.name, &record),
    }
}

pub(super) fn owned(name: &str, slot: &Slot) -> Refused {
    let origin = slot.record().origin;
    Refused::new(
        409,
        "LS0611",
        format!("connector {name} stands in {origin}, which owns it"),
    )
    .help("remove it from its file and start the host without it; then it can be deleted")
}
