//! The thread that writes committed batches into segments, beside the journal.
//!
//! It wakes for a partition with enough unwritten bytes, for old ones, and under memory pressure. It never syncs: that is
//! the checkpoint's work. The journal's writer waits for it only when the unwritten bytes reach their bound.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::condition::Needs;
use crate::core::Core;
use crate::error::Result;
use crate::partition::Partition;
use crate::segment::UNSYNCED_FILES_MAX;
use crate::thread;

#[derive(Debug, Default)]
struct Lists {
    /// Partitions with unwritten batches.
    queued: Vec<Arc<Partition>>,
    /// Those of them that have enough to be written now.
    due: Vec<Arc<Partition>>,
    /// Partitions that changed since the last checkpoint.
    touched: Vec<Arc<Partition>>,
    closed: bool,
}

/// What waits for the segment writer and for the next checkpoint.
#[derive(Debug)]
pub(crate) struct Flush {
    lists: Mutex<Lists>,
    wake: Condvar,
    room: Condvar,
    unflushed: AtomicUsize,
    unflushed_max: usize,
    /// An eighth of the bound: from here on everything is written, however little of it each partition has.
    pressure: usize,
    partition_bytes: usize,
    urgent: AtomicBool,
    /// How often all partitions with unwritten batches were looked at.
    sweeps: AtomicU64,
    unsynced_files: AtomicUsize,
    /// Some file with unsynced writes is not kept open: sync the whole file system.
    sync_everything: AtomicBool,
}

impl Flush {
    pub(crate) fn new(unflushed_max: usize, partition_bytes: usize) -> Self {
        Self {
            lists: Mutex::default(),
            wake: Condvar::new(),
            room: Condvar::new(),
            unflushed: AtomicUsize::new(0),
            unflushed_max,
            pressure: unflushed_max / 8,
            partition_bytes,
            urgent: AtomicBool::new(false),
            sweeps: AtomicU64::new(0),
            unsynced_files: AtomicUsize::new(0),
            sync_everything: AtomicBool::new(false),
        }
    }

    /// Notes a batch that its partition has just taken in, with which `waiting` bytes of it wait.
    pub(crate) fn published(
        &self,
        partition: &Arc<Partition>,
        bytes: usize,
        waiting: usize,
        queue: bool,
        touch: bool,
    ) {
        self.unflushed.fetch_add(bytes, Ordering::Relaxed);
        let due = waiting >= self.partition_bytes && waiting - bytes < self.partition_bytes;
        if queue || touch || due {
            let mut lists = self.lock();
            if due {
                lists.due.push(Arc::clone(partition));
                self.urgent.store(true, Ordering::Release);
            }
            if queue {
                lists.queued.push(Arc::clone(partition));
            }
            if touch {
                lists.touched.push(Arc::clone(partition));
            }
        }
    }

    /// Notes bytes that reached their segment.
    pub(crate) fn written(&self, bytes: usize) {
        self.unflushed.fetch_sub(bytes, Ordering::Relaxed);
        // The lock orders this with a waiter's check before its wait.
        drop(self.lock());
        self.room.notify_all();
    }

    /// Wakes the segment writer if there is something to write; called once per group.
    pub(crate) fn wake_if_needed(&self) {
        if self.is_pressed() {
            self.urgent.store(true, Ordering::Release);
        }
        if self.urgent.load(Ordering::Acquire) {
            // The lock orders this with the writer's check before its wait.
            drop(self.lock());
            self.wake.notify_one();
        }
    }

    fn is_pressed(&self) -> bool {
        self.unflushed.load(Ordering::Relaxed) >= self.pressure
    }

    /// How often all partitions with unwritten batches were looked at.
    #[cfg(test)]
    pub(crate) fn sweeps(&self) -> u64 {
        self.sweeps.load(Ordering::Relaxed)
    }

    /// Blocks while too many bytes wait for their segments.
    pub(crate) fn wait_for_room(&self, core: &Core) -> Result<()> {
        if self.unflushed.load(Ordering::Relaxed) <= self.unflushed_max {
            return Ok(());
        }
        let mut lists = self.lock();
        while self.unflushed.load(Ordering::Relaxed) > self.unflushed_max {
            core.check_worth_waiting()?;
            self.urgent.store(true, Ordering::Release);
            self.wake.notify_one();
            lists = self
                .room
                .wait_timeout(lists, core.options.space_retry)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        drop(lists);
        Ok(())
    }

    /// Whether a partition may keep a file with unsynced writes open; counts it if so.
    pub(crate) fn keep_unsynced(&self) -> bool {
        if self.unsynced_files.fetch_add(1, Ordering::Relaxed) < UNSYNCED_FILES_MAX {
            return true;
        }
        self.sync_everything.store(true, Ordering::Release);
        false
    }

    /// Begins a checkpoint: takes the changed partitions.
    pub(crate) fn take_touched(&self) -> Vec<Arc<Partition>> {
        let touched = std::mem::take(&mut self.lock().touched);
        for partition in &touched {
            partition.set_touched(false);
        }
        touched
    }

    /// Gives partitions back to the next checkpoint.
    pub(crate) fn touch_again(&self, partitions: &[Arc<Partition>]) {
        for partition in partitions {
            if !partition.set_touched(true) {
                self.lock().touched.push(Arc::clone(partition));
            }
        }
    }

    /// Starts a new count of unsynced files; returns whether the old one needs a sync of the whole file system.
    pub(crate) fn take_sync_everything(&self) -> bool {
        self.unsynced_files.store(0, Ordering::Release);
        self.sync_everything.swap(false, Ordering::AcqRel)
    }

    /// Returns how many bytes wait for their segments.
    pub(crate) fn unflushed(&self) -> usize {
        self.unflushed.load(Ordering::Relaxed)
    }

    /// Writes everything out on the caller's thread; for recovery.
    pub(crate) fn write_all_out(&self, core: &Core) -> Result<()> {
        let queued = std::mem::take(&mut self.lock().queued);
        for partition in queued {
            partition.take_queued();
            partition.write_out(core)?;
            core.cache.trim();
        }
        Ok(())
    }

    /// Ends the segment writer and every wait.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment writer's thread.
    pub(crate) fn run(&self, core: &Core) {
        let mut swept = Instant::now();
        loop {
            let mut lists = self.lock();
            if !lists.closed && !self.urgent.load(Ordering::Acquire) {
                lists = self
                    .wake
                    .wait_timeout(lists, core.options.flush_age / 2)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            if lists.closed {
                return;
            }
            let short = core.condition.lacks(Needs::Segments);
            let sweep = short || self.is_pressed() || swept.elapsed() >= core.options.flush_age / 2;
            let due = std::mem::take(&mut lists.due);
            let queued = if sweep {
                swept = Instant::now();
                self.sweeps.fetch_add(1, Ordering::Relaxed);
                std::mem::take(&mut lists.queued)
            } else {
                Vec::new()
            };
            drop(lists);
            self.urgent.store(false, Ordering::Release);
            let result = self.write_due(core, &due);
            match self.sweep(core, queued, result, short) {
                // While it is short, a sweep writes everything that waits: it had what it needs.
                Ok(()) if short => core.condition.enough(Needs::Segments),
                Ok(()) => {}
                Err(error) if error.is_shortage() => {
                    core.condition.short(Needs::Segments, &error);
                    let lists = self.lock();
                    if !lists.closed {
                        drop(
                            self.wake
                                .wait_timeout(lists, core.options.space_retry)
                                .unwrap_or_else(PoisonError::into_inner),
                        );
                    }
                }
                Err(error) => return core.poison(&error),
            }
        }
    }

    /// Writes the partitions that have enough. They stay in the list of those with unwritten batches until the next sweep.
    fn write_due(&self, core: &Core, due: &[Arc<Partition>]) -> Result<()> {
        for partition in due {
            if partition.waiting().0 >= self.partition_bytes {
                partition.write_out(core)?;
                core.cache.trim();
            }
        }
        Ok(())
    }

    /// Looks at all partitions with unwritten batches and writes those that have waited long enough, or all.
    fn sweep(
        &self,
        core: &Core,
        queued: Vec<Arc<Partition>>,
        mut result: Result<()>,
        short: bool,
    ) -> Result<()> {
        let all = short || self.is_pressed();
        for partition in queued {
            let (bytes, since) = partition.waiting();
            let old = since.is_some_and(|since| since.elapsed() >= core.options.flush_age);
            let now = all || bytes >= self.partition_bytes || old;
            partition.take_queued();
            if result.is_ok() && now && bytes > 0 {
                result = partition.write_out(core).map(|_| core.cache.trim());
            }
            // What came in meanwhile has queued itself; what still waits has not.
            if partition.waiting().0 > 0 && partition.set_queued() {
                self.lock().queued.push(partition);
            }
        }
        result
    }
}

/// Starts the segment writer.
pub(crate) fn spawn(core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    thread::spawn(core, "log-segments", |core| core.flush.run(core))
}
