//! Writes the host's own records: target states, remembered connectors, statuses.

use std::sync::{Arc, Mutex, PoisonError};

use linkspan_log::{Commit, Error, KvPut, LogBackend, Producer, Result};
use linkspan_types::OwnerId;

/// The owner of these writes; no connector's name has a slash.
const OWNER: &str = "/control";

/// One writer for all connectors; any thread may use it.
#[derive(Debug)]
pub(crate) struct Keeper {
    log: Arc<dyn LogBackend>,
    producer: Mutex<Option<Arc<dyn Producer>>>,
}

impl Keeper {
    pub(crate) fn new(log: Arc<dyn LogBackend>) -> Self {
        Self {
            log,
            producer: Mutex::new(None),
        }
    }

    /// Makes puts durable, all or none. Nothing to put is fine.
    pub(crate) fn put(&self, puts: Vec<KvPut>) -> Result<()> {
        if puts.is_empty() {
            return Ok(());
        }
        match self.write(puts.clone()) {
            // A job in the same process has a writer of its own, and whoever wrote last fences the other. Nothing was put.
            Err(Error::Fenced { .. }) => self.write(puts),
            done => done,
        }
    }

    fn write(&self, puts: Vec<KvPut>) -> Result<()> {
        let commit = Commit {
            appends: Vec::new(),
            puts,
        };
        let done = self.producer().and_then(|producer| {
            let ticket = producer.submit(commit)?;
            ticket.wait()?;
            Ok(())
        });
        if done.is_err() {
            // A producer whose ticket failed fails for ever: the next write takes a new one.
            *self.producer.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        done
    }

    fn producer(&self) -> Result<Arc<dyn Producer>> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(producer) = producer.as_ref() {
            return Ok(Arc::clone(producer));
        }
        let new = self.log.open_producer(&OwnerId::from(OWNER))?;
        *producer = Some(Arc::clone(&new));
        Ok(new)
    }
}
