//! Threads that wait for the disk so that consumers need not.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::core::Core;
use crate::error::Result;
use crate::partition::{Partition, Read};

/// How many threads read segments that the page cache does not hold.
const THREADS: usize = 2;

#[derive(Debug)]
struct Job {
    core: Arc<Core>,
    partition: Arc<Partition>,
    from: i64,
    max_bytes: usize,
    answer: oneshot::Sender<Result<Option<Read>>>,
}

#[derive(Debug, Default)]
struct State {
    /// At most one per consumer.
    jobs: Vec<Job>,
    closed: bool,
}

/// The reading threads; started by the first read that needs them.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    state: Mutex<State>,
    wake: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Reads on another thread.
    pub(crate) fn read(
        self: &Arc<Self>,
        core: &Arc<Core>,
        partition: Arc<Partition>,
        from: i64,
        max_bytes: usize,
    ) -> oneshot::Receiver<Result<Option<Read>>> {
        let (answer, receiver) = oneshot::channel();
        let mut state = self.lock();
        // A dropped sender tells the consumer that the log is closed.
        if !state.closed {
            state.jobs.push(Job {
                core: Arc::clone(core),
                partition,
                from,
                max_bytes,
                answer,
            });
        }
        drop(state);
        self.start();
        self.wake.notify_one();
        receiver
    }

    fn start(self: &Arc<Self>) {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while threads.len() < THREADS {
            let readers = Arc::clone(self);
            match std::thread::Builder::new()
                .name("log-reader".into())
                .spawn(move || readers.run())
            {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    tracing::warn!(%error, "could not start a reading thread");
                    return;
                }
            }
        }
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            let job = loop {
                if state.closed {
                    return;
                }
                if let Some(job) = state.jobs.pop() {
                    break job;
                }
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            let read = job.partition.read(&job.core, job.from, job.max_bytes, true);
            if job.answer.send(read).is_err() {
                tracing::trace!("a consumer gave up its read");
            }
        }
    }

    /// Ends the threads.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.jobs.clear();
        drop(state);
        self.wake.notify_all();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reading thread panicked");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
