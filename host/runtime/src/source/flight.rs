//! How much of a source task is submitted but not yet durable.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::error::TaskError;

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    commits: usize,
    failed: Option<TaskError>,
}

/// Bounds the bytes in flight and carries the first failure back to the polling thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flight {
    inner: Arc<(Mutex<State>, Condvar)>,
}

impl Flight {
    /// Counts a commit in. Call [`Flight::land`] or [`Flight::fail`] for each.
    pub(crate) fn take_off(&self, bytes: usize) {
        let mut state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += bytes;
        state.commits += 1;
    }

    pub(crate) fn land(&self, bytes: usize) {
        let mut state = self.inner.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes = state.bytes.saturating_sub(bytes);
        state.commits = state.commits.saturating_sub(1);
        drop(state);
        self.inner.1.notify_all();
    }

    pub(crate) fn fail(&self, bytes: usize, error: TaskError) {
        self.inner
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failed
            .get_or_insert(error);
        self.land(bytes);
    }

    /// Waits until at most `limit` bytes are in flight (0 = nothing at all).
    ///
    /// # Errors
    /// The first failure of any commit of this task.
    pub(crate) fn wait_below(
        &self,
        limit: usize,
        stopped: impl Fn() -> bool,
    ) -> Result<(), TaskError> {
        let (state, moved) = &*self.inner;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            let clear = if limit == 0 {
                state.commits == 0
            } else {
                state.bytes <= limit
            };
            if clear || (limit > 0 && stopped()) {
                return Ok(());
            }
            // The time limit only bounds how late a stop is noticed; landings wake the thread at once.
            state = moved
                .wait_timeout(state, Duration::from_millis(100))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
