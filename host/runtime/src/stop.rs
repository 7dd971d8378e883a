//! A stop flag that a thread can sleep on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
struct Flags {
    stop: bool,
    pause: bool,
}

/// Tells one task, or all of a run, to stop, or to pause. Cheap to clone; a stop stays set.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopToken {
    inner: Arc<(Mutex<Flags>, Condvar)>,
}

impl StopToken {
    pub(crate) fn set(&self) {
        let (flags, woken) = &*self.inner;
        flags.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        woken.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        self.inner
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .stop
    }

    /// Asks for a pause, or ends one.
    pub(crate) fn set_paused(&self, pause: bool) {
        let (flags, woken) = &*self.inner;
        flags.lock().unwrap_or_else(PoisonError::into_inner).pause = pause;
        woken.notify_all();
    }

    /// Whether the task is to pause.
    pub(crate) fn is_paused(&self) -> bool {
        self.inner
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pause
    }

    /// Waits until the pause is over or the token is set; returns whether it is set.
    pub(crate) fn wait_while_paused(&self) -> bool {
        let (flags, woken) = &*self.inner;
        let flags = flags.lock().unwrap_or_else(PoisonError::into_inner);
        woken
            .wait_while(flags, |flags| flags.pause && !flags.stop)
            .unwrap_or_else(PoisonError::into_inner)
            .stop
    }

    /// Sleeps for `duration` or until the token is set; returns whether it is set.
    pub(crate) fn sleep(&self, duration: Duration) -> bool {
        self.sleep_while(duration, |flags| !flags.stop)
    }

    /// The same, but a pause that is asked for meanwhile ends it too.
    pub(crate) fn rest(&self, duration: Duration) -> bool {
        self.sleep_while(duration, |flags| !flags.stop && !flags.pause)
    }

    fn sleep_while(&self, duration: Duration, asleep: impl Fn(&Flags) -> bool) -> bool {
        let (flags, woken) = &*self.inner;
        let flags = flags.lock().unwrap_or_else(PoisonError::into_inner);
        let (flags, _) = woken
            .wait_timeout_while(flags, duration, |flags| asleep(flags))
            .unwrap_or_else(PoisonError::into_inner);
        flags.stop
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
