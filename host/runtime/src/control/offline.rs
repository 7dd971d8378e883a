//! The same commands on a data directory that no host holds: they take effect when one starts.

use linkspan_log::LogBackend;
use serde_json::{Value, json};

use super::keeper::Keeper;
use super::ownership;
use super::record::{self, Record};
use super::refused::Refused;
use super::status::{self, ConnectorStatus};
use super::target::{self, Target};
use crate::offsets_admin::{self, Altered, Subject};

/// A stopped data directory's connectors.
#[derive(Debug)]
pub struct Offline {
    log: std::sync::Arc<dyn LogBackend>,
}

impl Offline {
    /// Looks at a log that this process has opened.
    #[must_use]
    pub fn new(log: std::sync::Arc<dyn LogBackend>) -> Self {
        Self { log }
    }

    /// Returns every known connector as it was last seen.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn statuses(&self) -> Result<Vec<ConnectorStatus>, Refused> {
        record::all(self.log.as_ref())?
            .into_iter()
            .map(|(name, record)| self.status_of(&name, record))
            .collect()
    }

    /// Returns one connector as it was last seen.
    ///
    /// # Errors
    /// Nobody knows it, or the log cannot be read.
    pub fn status(&self, name: &str) -> Result<ConnectorStatus, Refused> {
        self.status_of(name, self.known(name)?)
    }

    fn known(&self, name: &str) -> Result<Record, Refused> {
        record::read(self.log.as_ref(), name)?.ok_or_else(|| Refused::unknown(name))
    }

    fn status_of(&self, name: &str, record: Record) -> Result<ConnectorStatus, Refused> {
        let log = self.log.as_ref();
        let target = target::read(log, name)?.unwrap_or_default();
        let stored = status::read(log, name)?;
        let seen = stored.map(ConnectorStatus::at_rest);
        let state = match target {
            Target::Started => "UNASSIGNED",
            Target::Paused | Target::Stopped => target.word(),
        };
        let mut status = seen.unwrap_or_else(|| ConnectorStatus {
            name: name.to_owned(),
            kind: String::new(),
            class: String::new(),
            origin: String::new(),
            left: false,
            target: String::new(),
            state: state.to_owned(),
            trace: None,
            tasks: Vec::new(),
            planned: Vec::new(),
            starts: 0,
            records: 0,
            bytes: 0,
            filtered: 0,
            dead_letters: 0,
            skipped: 0,
            restarts: 0,
            lost: 0,
            zombies: 0,
            stage: None,
            stage_ms: None,
            next_attempt_ms: None,
            topics: Vec::new(),
            error: None,
        });
        if status.target != target.word() {
            // Commanded since.
            state.clone_into(&mut status.state);
            if target == Target::Stopped {
                status.tasks.clear();
            }
        }
        target.word().clone_into(&mut status.target);
        (status.kind, status.class, status.origin) = (record.kind, record.class, record.origin);
        Ok(status)
    }

    /// Writes a target state; it holds from the next start of a host on.
    ///
    /// # Errors
    /// Nobody knows the connector, or the write failed.
    pub fn set_target(&self, name: &str, target: Target, now_ms: i64) -> Result<(), Refused> {
        self.known(name)?;
        Keeper::new(std::sync::Arc::clone(&self.log))
            .put(vec![target::put(name, target, now_ms)])?;
        Ok(())
    }

    /// Forgets a connector with its offsets. If a file still names it, it starts as a new one.
    ///
    /// # Errors
    /// Nobody knows it, or the write failed.
    pub fn delete(&self, name: &str) -> Result<(), Refused> {
        self.known(name)?;
        let keeper = Keeper::new(std::sync::Arc::clone(&self.log));
        ownership::forget(self.log.as_ref(), &keeper, name)
    }

    /// Returns `{"offsets": [{"partition", "offset"}]}`.
    ///
    /// # Errors
    /// Nobody knows it, or the log cannot be read.
    pub fn offsets(&self, name: &str) -> Result<Value, Refused> {
        offsets_admin::get(self.log.as_ref(), &self.subject(name)?)
    }

    /// Changes offsets; without a host nothing runs, whatever the target state is.
    ///
    /// # Errors
    /// Nobody knows it, what is asked is malformed or outside of the log, or the write failed.
    pub fn change_offsets(&self, name: &str, change: &Altered) -> Result<Value, Refused> {
        offsets_admin::change(self.log.as_ref(), &self.subject(name)?, change, false)
    }

    /// Says what a change of offsets would do: `{"preview", "stopped", "changes"}`.
    ///
    /// # Errors
    /// As [`Offline::change_offsets`], but for a write.
    pub fn preview_offsets(&self, name: &str, change: &Altered) -> Result<Value, Refused> {
        let changes = offsets_admin::preview(self.log.as_ref(), &self.subject(name)?, change)?;
        Ok(json!({ "preview": true, "stopped": true, "changes": changes }))
    }

    /// Connectors of `run --once` jobs are not remembered: what they left behind tells which kind they were.
    fn subject(&self, name: &str) -> Result<Subject, Refused> {
        let log = self.log.as_ref();
        if let Some(record) = record::read(log, name)? {
            return Ok(Subject {
                name: name.to_owned(),
                kind: record.kind(),
                topics: ownership::topics_of(log, name, &record),
            });
        }
        offsets_admin::guess(log, name)?.ok_or_else(|| Refused::unknown(name))
    }
}
