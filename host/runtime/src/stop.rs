//! A stop flag that a thread can sleep on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Tells one task, or all of a run, to stop. Cheap to clone; once set it stays set.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopToken {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl StopToken {
    pub(crate) fn set(&self) {
        let (flag, woken) = &*self.inner;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        woken.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for `duration` or until the token is set; returns whether it is set.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        let (flag, woken) = &*self.inner;
        let set = flag.lock().unwrap_or_else(PoisonError::into_inner);
        let (set, _) = woken
            .wait_timeout_while(set, duration, |set| !*set)
            .unwrap_or_else(PoisonError::into_inner);
        *set
    }
}

/// A counter that moves whenever something a watcher cares about has changed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse {
    inner: Arc<(Mutex<u64>, Condvar)>,
}

impl Pulse {
    pub(crate) fn beat(&self) {
        let (count, woken) = &*self.inner;
        *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        woken.notify_all();
    }

    pub(crate) fn now(&self) -> u64 {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the count differs from `seen`, at most `limit`; returns the count.
    pub(crate) fn wait(&self, seen: u64, limit: Duration) -> u64 {
        let (count, woken) = &*self.inner;
        let guard = count.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = woken
            .wait_timeout_while(guard, limit, |count| *count == seen)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}
