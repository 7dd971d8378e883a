//! Commits that wait for the journal, bounded in bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use linkspan_types::{FenceEpoch, OwnerId};

use crate::backend::KvPut;
use crate::group::InFlight;
use crate::partition::Partition;
use crate::producers::Claim;
use crate::ticket::Promise;

/// One owner's fence, shared by its producers and the journal's writer.
#[derive(Debug)]
pub(crate) struct OwnerFence {
    pub(crate) owner: OwnerId,
    /// The newest epoch in any frame written; only the writer raises it.
    pub(crate) written: AtomicU64,
    /// The newest durable epoch.
    pub(crate) durable: AtomicU64,
}

impl OwnerFence {
    pub(crate) fn current(&self) -> FenceEpoch {
        FenceEpoch(self.durable.load(Ordering::Acquire))
    }
}

/// The order of one producer's tickets: once one failed, the rest fails.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    failed: AtomicBool,
}

impl Lane {
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// An append whose partition is resolved and whose batch is checked.
#[derive(Debug)]
pub(crate) struct PendingAppend {
    pub(crate) partition: Arc<Partition>,
    pub(crate) batch: Vec<u8>,
    /// Offsets that the batch takes: its last offset delta + 1.
    pub(crate) offsets: i64,
    pub(crate) max_timestamp: i64,
    /// What its idempotent producer says about it.
    pub(crate) claim: Option<Claim>,
    /// It is stored already, from this offset on; the writer finds out.
    pub(crate) duplicate_of: Option<i64>,
}

/// What the frame does about a fence.
#[derive(Debug)]
pub(crate) enum FenceRule {
    None,
    /// Write only if this is still the owner's epoch.
    Check(Arc<OwnerFence>, FenceEpoch),
    /// Raise the owner's epoch by one; the put is added by the writer.
    Raise(Arc<OwnerFence>),
}

/// One commit on its way.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) fence: FenceRule,
    pub(crate) lane: Option<Arc<Lane>>,
    pub(crate) appends: Vec<PendingAppend>,
    pub(crate) puts: Vec<KvPut>,
    /// Bytes in the journal, headers included.
    pub(crate) bytes: usize,
    pub(crate) promise: Promise,
    /// Released (dropped) after the ticket was answered.
    pub(crate) in_flight: Option<InFlight>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Submission>,
    bytes: usize,
    closed: bool,
    sync_wanted: bool,
    writer_waits: bool,
}

/// The queue between `submit` and the writer.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    not_empty: Condvar,
    not_full: Condvar,
    bytes_max: usize,
}

/// What the writer should do next.
#[derive(Debug)]
pub(crate) enum Work {
    Commits(Vec<Submission>),
    /// Nothing came until the deadline.
    Idle,
    /// Somebody waits for a disk sync (`durability: os`).
    Sync,
    /// Closed, and everything that was submitted has been taken.
    Closed,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            state: Mutex::default(),
            not_empty: Condvar::new(),
            not_full: Condvar::new(),
            bytes_max,
        }
    }

    /// Waits for room and queues; `false` when the queue is closed.
    pub(crate) fn push(&self, submission: Submission) -> bool {
        let mut state = self.lock();
        while !state.closed && state.bytes > 0 && state.bytes + submission.bytes > self.bytes_max {
            state = self
                .not_full
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return false;
        }
        state.bytes += submission.bytes;
        state.waiting.push_back(submission);
        let wake = state.writer_waits;
        drop(state);
        if wake {
            self.not_empty.notify_one();
        }
        true
    }

    /// Takes waiting commits of about `bytes_max`, or waits for one until `timeout`.
    pub(crate) fn take(&self, bytes_max: usize, timeout: Option<Duration>) -> Work {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut state = self.lock();
        while state.waiting.is_empty() {
            if std::mem::take(&mut state.sync_wanted) {
                return Work::Sync;
            }
            if state.closed {
                return Work::Closed;
            }
            state.writer_waits = true;
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    state.writer_waits = false;
                    return Work::Idle;
                }
                state = self
                    .not_empty
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            } else {
                state = self
                    .not_empty
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            state.writer_waits = false;
        }
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(next) = state.waiting.front() {
            if !taken.is_empty() && bytes + next.bytes > bytes_max {
                break;
            }
            bytes += next.bytes;
            taken.extend(state.waiting.pop_front());
        }
        state.bytes -= bytes.min(state.bytes);
        drop(state);
        self.not_full.notify_all();
        Work::Commits(taken)
    }

    /// Asks the writer for a disk sync.
    pub(crate) fn want_sync(&self) {
        self.lock().sync_wanted = true;
        self.not_empty.notify_one();
    }

    /// Takes no more commits; those inside are still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.not_empty.notify_one();
        self.not_full.notify_all();
    }

    /// Closes and returns what is left inside.
    pub(crate) fn abandon(&self) -> VecDeque<Submission> {
        let mut state = self.lock();
        state.closed = true;
        state.bytes = 0;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        self.not_full.notify_all();
        left
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
