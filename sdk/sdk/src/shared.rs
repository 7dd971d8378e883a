//! What a task shares with other threads: stop, durable, poisoned, and its background work.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

/// The part of a task that any thread may touch.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The host's number of the task; 0 is the plugin itself.
    pub(crate) instance: u64,
    stopped: AtomicBool,
    stop: watch::Sender<bool>,
    durable: watch::Sender<u64>,
    /// Holds at most one permit: a wake that nobody waits for ends the next wait.
    woken: Notify,
    poisoned: AtomicBool,
    /// Guards the list only; never held across a wait.
    background: Mutex<Vec<JoinHandle<()>>>,
}

impl Shared {
    pub(crate) fn new(instance: u64) -> Self {
        Self {
            instance,
            stopped: AtomicBool::new(false),
            stop: watch::Sender::new(false),
            durable: watch::Sender::new(0),
            woken: Notify::new(),
            poisoned: AtomicBool::new(false),
            background: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.stop.send_replace(true);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits until the task is asked to stop.
    pub(crate) async fn cancelled(&self) {
        // The sender lives in `self`, so that this ends only with a stop.
        let mut stop = self.stop.subscribe();
        let _ended = stop.wait_for(|stop| *stop).await.is_ok();
    }

    pub(crate) fn wake(&self) {
        self.woken.notify_one();
    }

    /// Waits until the host wants an answer.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }

    pub(crate) fn set_durable(&self, seq: u64) {
        self.durable.send_if_modified(|highest| {
            let grows = seq > *highest;
            if grows {
                *highest = seq;
            }
            grows
        });
    }

    pub(crate) fn watch_durable(&self) -> watch::Receiver<u64> {
        self.durable.subscribe()
    }

    pub(crate) fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    pub(crate) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    pub(crate) fn keep(&self, handle: JoinHandle<()>) {
        let mut list = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.retain(|other| !other.is_finished());
        list.push(handle);
    }

    pub(crate) fn take_background(&self) -> Vec<JoinHandle<()>> {
        std::mem::take(
            &mut *self
                .background
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}
