//! Threads that wait for the disk so that consumers need not.
//!
//! Jobs are served in the order of their arrival. Where no thread can be started the caller reads by itself: slow, but it
//! goes on.

use std::collections::VecDeque;
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
    /// At most one per consumer and per partition of a fetch.
    jobs: VecDeque<Job>,
    closed: bool,
}

/// The reading threads; started by the first read that needs them.
#[derive(Debug)]
pub(crate) struct Readers {
    state: Mutex<State>,
    wake: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
    threads_max: usize,
}

impl Default for Readers {
    fn default() -> Self {
        Self::with_threads(THREADS)
    }
}

impl Readers {
    fn with_threads(threads_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            threads: Mutex::default(),
            threads_max,
        }
    }

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
            state.jobs.push_back(Job {
                core: Arc::clone(core),
                partition,
                from,
                max_bytes,
                answer,
            });
        }
        drop(state);
        if self.start() {
            self.wake.notify_one();
        } else {
            self.help();
        }
        receiver
    }

    /// Starts what threads are missing; returns whether there is one.
    fn start(self: &Arc<Self>) -> bool {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while threads.len() < self.threads_max {
            let readers = Arc::clone(self);
            match std::thread::Builder::new()
                .name("log-reader".into())
                .spawn(move || readers.run())
            {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    tracing::warn!(%error, "could not start a reading thread");
                    break;
                }
            }
        }
        !threads.is_empty()
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            let job = loop {
                if state.closed {
                    return;
                }
                if let Some(job) = state.jobs.pop_front() {
                    break job;
                }
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(state);
            job.run();
        }
    }

    /// Does on this thread what waits.
    fn help(&self) {
        loop {
            let job = self.lock().jobs.pop_front();
            let Some(job) = job else {
                return;
            };
            job.run();
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

impl Job {
    fn run(self) {
        let read = self
            .partition
            .read(&self.core, self.from, self.max_bytes, true);
        if self.answer.send(read).is_err() {
            tracing::trace!("a consumer gave up its read");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::conformance::block_on;
    use crate::tests::support::{commit, open_mem, producer, tiny, topic};
    use crate::{Local, LogBackend, MemFs};

    /// A log of three partitions with a record each.
    fn log() -> (Arc<Local>, Vec<Arc<Partition>>) {
        let log = open_mem(&MemFs::new(), tiny()).unwrap();
        let made = topic(&*log, "t", 3);
        let writer = producer(&*log);
        let partitions = (0..3)
            .map(|number| {
                writer
                    .submit(commit(&made, number, &["x"]))
                    .unwrap()
                    .wait()
                    .unwrap();
                log.partition_for_test(&made.id, number)
            })
            .collect();
        (log, partitions)
    }

    fn answer(
        receiver: oneshot::Receiver<Result<Option<Read>>>,
        patience: Duration,
    ) -> Option<i64> {
        let answer = block_on(receiver, patience)?;
        Some(answer.unwrap().unwrap().unwrap().next)
    }

    #[test]
    fn reads_are_served_in_the_order_of_their_arrival() {
        let (log, partitions) = log();
        let core = log.core_for_test();
        let readers = Arc::new(Readers::with_threads(1));
        let read = |at: usize| readers.read(core, Arc::clone(&partitions[at]), 0, 1);
        let (first_held, last_held) = (partitions[0].lock(), partitions[2].lock());
        let first = read(0);
        // The thread waits in the first one; `last` is the newest and would wait again.
        while !readers.lock().jobs.is_empty() {
            std::thread::yield_now();
        }
        let (second, last) = (read(1), read(2));
        drop(first_held);
        assert_eq!(answer(first, Duration::from_secs(20)), Some(1));
        assert_eq!(answer(second, Duration::from_secs(20)), Some(1));
        drop(last_held);
        assert_eq!(answer(last, Duration::from_secs(20)), Some(1));
        readers.close();
        log.close().unwrap();
    }

    #[test]
    fn without_a_thread_the_caller_reads() {
        let (log, partitions) = log();
        let core = log.core_for_test();
        let readers = Arc::new(Readers::with_threads(0));
        let read = readers.read(core, Arc::clone(&partitions[0]), 0, 1);
        assert_eq!(answer(read, Duration::from_secs(1)), Some(1));
    }
}
