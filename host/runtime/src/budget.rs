//! How many bytes of records all tasks of a host may hold at a time: fetched and not put, or submitted and not durable.
//!
//! Every task may hold one batch whatever the others hold, so that a sink that hangs with a full buffer takes room from its
//! neighbours and never their progress. What is held is therefore at most the budget and one batch for each task.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How late a thread that waits notices that it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// `host.memory.max.bytes`, and what of it is in use.
#[derive(Debug)]
pub(crate) struct Budget {
    max: usize,
    used: Mutex<usize>,
    /// For threads.
    freed: Condvar,
    /// For the async halves of sinks.
    woken: Notify,
}

/// One task's door to the budget.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    held: Arc<AtomicUsize>,
}

/// Bytes that are in use until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    share: Share,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: Mutex::new(0),
            freed: Condvar::new(),
            woken: Notify::new(),
        })
    }

    /// Returns the door of one task.
    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share {
            budget: Arc::clone(self),
            held: Arc::default(),
        }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, usize> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// What the task holds, for whoever measures it.
    pub(crate) fn held(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.held)
    }

    /// Takes bytes for what could do without, if half of the budget stays for what could not.
    pub(crate) fn spare(&self, bytes: usize) -> Option<Held> {
        let mut used = self.budget.used();
        let fits = used.saturating_add(bytes) <= self.budget.max / 2;
        fits.then(|| self.take_if(bytes, true, &mut used))?
    }

    /// Takes bytes if there is room, or if the task holds nothing.
    fn try_take(&self, bytes: usize) -> Option<Held> {
        self.take_if(bytes, false, &mut self.budget.used())
    }

    fn take_if(&self, bytes: usize, anyway: bool, used: &mut usize) -> Option<Held> {
        let first = self.held.load(Ordering::Relaxed) == 0;
        if !anyway && !first && used.saturating_add(bytes) > self.budget.max {
            return None;
        }
        *used += bytes;
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Some(Held {
            share: self.clone(),
            bytes,
        })
    }

    /// Waits for room.
    ///
    /// # Cancel safety
    /// Dropping the future takes nothing.
    pub(crate) async fn take(&self, bytes: usize) -> Held {
        loop {
            let woken = self.budget.woken.notified();
            tokio::pin!(woken);
            // From here on no release is missed.
            woken.as_mut().enable();
            if let Some(held) = self.try_take(bytes) {
                return held;
            }
            woken.await;
        }
    }

    /// Waits for room, on a thread; a task that is to stop need not wait: what it holds goes soon.
    pub(crate) fn take_blocking(&self, bytes: usize, stopped: impl Fn() -> bool) -> Held {
        let mut used = self.budget.used();
        loop {
            if let Some(held) = self.take_if(bytes, stopped(), &mut used) {
                return held;
            }
            used = self
                .budget
                .freed
                .wait_timeout(used, LOOK_EVERY)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let budget = &self.share.budget;
        let mut used = budget.used();
        *used = used.saturating_sub(self.bytes);
        self.share.held.fetch_sub(self.bytes, Ordering::Relaxed);
        drop(used);
        budget.freed.notify_all();
        budget.woken.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_waits_for_room_and_holds_one_batch_whatever_the_others_hold() {
        let budget = Budget::new(100);
        let (hog, other) = (budget.share(), budget.share());
        let first = hog.try_take(80).unwrap();
        let second = hog.try_take(20).unwrap();
        assert!(hog.try_take(1).is_none(), "the budget is used up");
        // The other one has its first batch all the same, and no more.
        let own = other.try_take(50).unwrap();
        assert!(other.try_take(1).is_none());
        drop((first, second));
        let more = other.try_take(50).unwrap();
        assert!(other.try_take(1).is_none());
        drop((own, more));
        assert_eq!(*budget.used(), 0);
    }

    #[test]
    fn who_waits_goes_on_when_there_is_room_and_when_it_is_to_stop() {
        let budget = Budget::new(100);
        let share = budget.share();
        let full = share.try_take(100).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(share.take_blocking(60, || false)));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let also = share.clone();
            let fetching =
                scope.spawn(move || runtime.block_on(async { drop(also.take(60).await) }));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!waiting.is_finished() && !fetching.is_finished());
            drop(full);
            waiting.join().unwrap();
            fetching.join().unwrap();
        });
        let full = share.try_take(100).unwrap();
        let stopping = share.take_blocking(60, || true);
        assert_eq!(*budget.used(), 160);
        drop((full, stopping));
    }
}
