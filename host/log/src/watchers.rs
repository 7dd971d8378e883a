//! Who wants to be woken: consumers and fetches that wait for data, or for the end of the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

/// A list of those who wait. Waking leaves a permit with each, so nobody who is about to wait misses it.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    list: Mutex<Vec<Weak<Notify>>>,
}

impl Watchers {
    /// Adds somebody, once.
    pub(crate) fn watch(&self, notify: &Arc<Notify>) {
        let mut list = self.lock();
        list.retain(|watcher| watcher.strong_count() > 0);
        let known = list
            .iter()
            .any(|watcher| std::ptr::eq(watcher.as_ptr(), Arc::as_ptr(notify)));
        if !known {
            list.push(Arc::downgrade(notify));
        }
    }

    /// Ends `watch`.
    pub(crate) fn unwatch(&self, notify: &Arc<Notify>) {
        self.lock()
            .retain(|watcher| !std::ptr::eq(watcher.as_ptr(), Arc::as_ptr(notify)));
    }

    /// Wakes all of them.
    pub(crate) fn wake(&self) {
        for watcher in self.lock().iter().filter_map(Weak::upgrade) {
            watcher.notify_one();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Notify>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
