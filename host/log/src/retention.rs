//! The thread that deletes: what retention allows, and the files of deleted topics.
//!
//! It sleeps until its check is due (`log.retention.check.interval.ms`) or somebody asks, and looks at memory only, so an
//! idle log pays one short walk over its partitions each five minutes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::core::Core;
use crate::error::Result;
use crate::thread;

#[derive(Debug, Default)]
struct Requests {
    wanted: bool,
    closed: bool,
}

/// When to look.
#[derive(Debug, Default)]
pub(crate) struct Retention {
    requests: Mutex<Requests>,
    wake: Condvar,
    /// One round at a time.
    round: Mutex<()>,
}

impl Retention {
    /// Asks for a round soon.
    pub(crate) fn request(&self) {
        self.lock().wanted = true;
        self.wake.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, core: &Core) {
        let interval = core.options.retention_check_interval;
        loop {
            let mut requests = self.lock();
            if !requests.wanted && !requests.closed {
                requests = self
                    .wake
                    .wait_timeout(requests, interval)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            if requests.closed {
                return;
            }
            requests.wanted = false;
            drop(requests);
            if core.check_alive().is_err() {
                return;
            }
            if let Err(error) = round(core) {
                // The next round tries again; the log itself says what is wrong with it.
                tracing::debug!(%error, "retention could not finish");
            }
        }
    }
}

/// Does everything that is due, on the caller's thread.
pub(crate) fn round(core: &Core) -> Result<()> {
    let _one_at_a_time = core
        .retention
        .round
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    core.gone.clean(core)
}

/// Starts the thread.
pub(crate) fn spawn(core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    thread::spawn(core, "log-retention", |core| core.retention.run(core))
}
