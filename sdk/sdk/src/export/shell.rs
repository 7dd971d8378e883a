//! What stands behind the host's task pointer.

use std::{
    sync::{Arc, Mutex, TryLockError},
    time::Duration,
};

use linkspan_abi::{BatchBuf, R, RErr, ROk};

use super::{guard::guard, log::Entered, runtime};
use crate::{Error, ErrorKind, Result, shared::Shared};

/// How long closing waits for background work that does not end by itself.
const BACKGROUND_JOIN: Duration = Duration::from_secs(1);

/// A task of any class. What a class does not do is `unsupported`. All on the task's thread.
pub(crate) trait Task {
    fn open(&mut self) -> Result<()>;

    fn poll(&mut self, _max_records: u32, _max_bytes: u64, _wait: Duration) -> Result<BatchBuf> {
        Err(unsupported("poll"))
    }

    fn open_partitions(&mut self, _assigned: &str) -> Result<String> {
        Err(unsupported("open_partitions"))
    }

    fn put(&mut self, _batch: &[u8]) -> Result<Vec<u8>> {
        Err(unsupported("put"))
    }

    fn flush(&mut self) -> Result<Vec<u8>> {
        Err(unsupported("flush"))
    }

    fn close_partitions(&mut self, _revoked: &str) -> Result<()> {
        Err(unsupported("close_partitions"))
    }

    fn apply(&mut self, _batch: &[u8]) -> Result<BatchBuf> {
        Err(unsupported("apply"))
    }

    /// Runs the author's `close`; called at most once, never after a panic.
    fn close(&mut self) -> Result<()>;
}

pub(crate) fn unsupported(what: &str) -> Error {
    Error::unsupported(format!("this class does not offer `{what}`"))
}

pub(crate) fn not_open() -> Error {
    Error::internal("the task is not open")
}

/// A task with its walls.
pub(crate) struct Shell {
    pub(crate) shared: Arc<Shared>,
    /// Held during a call. The host calls one at a time; if it does not, the second call fails instead of tearing memory.
    task: Mutex<Box<dyn Task>>,
}

impl Shell {
    pub(crate) fn new(shared: Arc<Shared>, task: Box<dyn Task>) -> Self {
        Self {
            shared,
            task: Mutex::new(task),
        }
    }

    /// Runs one call on the task.
    pub(crate) fn call<T>(&self, run: impl FnOnce(&mut dyn Task) -> Result<T>) -> R<T> {
        if self.shared.is_poisoned() {
            return RErr(
                Error::new(
                    ErrorKind::Panicked,
                    "the task panicked before and is of no more use",
                )
                .to_abi(),
            );
        }
        let mut task = match self.task.try_lock() {
            Ok(task) => task,
            Err(TryLockError::Poisoned(task)) => task.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return RErr(Error::internal("two calls at a time on one task").to_abi());
            }
        };
        let _entered = Entered::new(self.shared.instance);
        let outcome = guard(|| run(&mut **task));
        self.told(outcome)
    }

    fn told<T>(&self, outcome: Result<T>) -> R<T> {
        match outcome {
            Ok(value) => ROk(value),
            Err(error) => {
                if error.kind() == ErrorKind::Panicked {
                    self.shared.poison();
                }
                // The error's own texts are the author's code too.
                match guard(|| Ok(error.to_abi())) {
                    Ok(error) => RErr(error),
                    Err(panicked) => {
                        self.shared.poison();
                        RErr(panicked.to_abi())
                    }
                }
            }
        }
    }

    /// Closes the task and drops it, whatever happens on the way.
    pub(crate) fn close(self) -> R<()> {
        self.shared.stop();
        let closed = if self.shared.is_poisoned() {
            ROk(())
        } else {
            self.call(|task| task.close())
        };
        let Self { shared, task } = self;
        let _entered = Entered::new(shared.instance);
        let dropped = guard(|| {
            drop(task);
            Ok(())
        });
        join_background(&shared);
        match (closed, dropped) {
            (RErr(error), _) => RErr(error),
            (ROk(()), Err(error)) => RErr(error.to_abi()),
            (ROk(()), Ok(())) => ROk(()),
        }
    }
}

fn join_background(shared: &Shared) {
    let handles = shared.take_background();
    if handles.is_empty() {
        return;
    }
    let joined = guard(|| {
        runtime::block_on(async {
            let all = async {
                for handle in handles {
                    // A panic in it was logged when it happened.
                    let _ended = handle.await;
                }
            };
            Ok(tokio::time::timeout(BACKGROUND_JOIN, all).await?)
        })
    });
    if joined.is_err() {
        tracing::warn!("background work of the task did not end in time");
    }
}
