//! The thread that writes committed batches into segments, beside the journal.
//!
//! It wakes for a partition with enough unwritten bytes, for old ones, and under memory pressure. It never syncs: that is
//! the checkpoint's work. The journal's writer waits for it only when the unwritten bytes reach their bound.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::partition::Partition;
use crate::segment::UNSYNCED_FILES_MAX;

/// How long to wait before asking a full disk again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
struct Lists {
    /// Partitions with unwritten batches.
    queued: Vec<Arc<Partition>>,
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
    /// Half of the bound: from here on the writer hurries.
    pressure: usize,
    partition_bytes: usize,
    urgent: AtomicBool,
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
            unsynced_files: AtomicUsize::new(0),
            sync_everything: AtomicBool::new(false),
        }
    }

    /// Notes a batch that its partition has just taken in.
    pub(crate) fn published(
        &self,
        partition: &Arc<Partition>,
        bytes: usize,
        queue: bool,
        touch: bool,
    ) {
        self.unflushed.fetch_add(bytes, Ordering::Relaxed);
        if queue || touch {
            let mut lists = self.lock();
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
        self.room.notify_all();
    }

    /// Wakes the segment writer if much waits; called once per group.
    pub(crate) fn wake_if_needed(&self) {
        if self.unflushed.load(Ordering::Relaxed) >= self.pressure.min(self.partition_bytes * 8) {
            self.hurry();
        }
    }

    fn hurry(&self) {
        if !self.urgent.swap(true, Ordering::AcqRel) {
            // The lock orders this with the writer's check before its wait.
            drop(self.lock());
            self.wake.notify_one();
        }
    }

    /// Blocks while too many bytes wait for their segments.
    pub(crate) fn wait_for_room(&self, core: &Core) -> Result<()> {
        if self.unflushed.load(Ordering::Relaxed) <= self.unflushed_max {
            return Ok(());
        }
        let mut lists = self.lock();
        while self.unflushed.load(Ordering::Relaxed) > self.unflushed_max {
            core.check_alive()?;
            core.check_not_stuck()?;
            self.urgent.store(true, Ordering::Release);
            self.wake.notify_one();
            lists = self
                .room
                .wait_timeout(lists, RETRY_INTERVAL)
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
            let queued = std::mem::take(&mut lists.queued);
            drop(lists);
            self.urgent.store(false, Ordering::Release);
            if let Err(error) = self.round(core, queued) {
                if !error.is_no_space() {
                    core.poison(&error);
                    return;
                }
                core.disk_full(&error);
                let lists = self.lock();
                if !lists.closed {
                    drop(
                        self.wake
                            .wait_timeout(lists, RETRY_INTERVAL)
                            .unwrap_or_else(PoisonError::into_inner),
                    );
                }
            }
        }
    }

    fn round(&self, core: &Core, queued: Vec<Arc<Partition>>) -> Result<()> {
        let hurry = self.unflushed.load(Ordering::Relaxed) >= self.pressure;
        let mut failed = None;
        for partition in queued {
            let (bytes, since) = partition.waiting();
            let old = since.is_some_and(|since| since.elapsed() >= core.options.flush_age);
            let now = bytes >= self.partition_bytes || old || hurry || core.is_disk_full();
            partition.take_queued();
            if failed.is_none() && now && bytes > 0 {
                match partition.write_out(core) {
                    Ok(_) => core.cache.trim(),
                    Err(error) => failed = Some(error),
                }
            }
            // What came in meanwhile has queued itself; what still waits has not.
            if partition.waiting().0 > 0 && partition.set_queued() {
                self.lock().queued.push(partition);
            }
        }
        match failed {
            Some(error) => Err(error),
            None => {
                core.space_found();
                Ok(())
            }
        }
    }
}

/// Starts the segment writer.
pub(crate) fn spawn(core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    let core_of_thread = Arc::clone(core);
    std::thread::Builder::new()
        .name("log-segments".into())
        .spawn(move || core_of_thread.flush.run(&core_of_thread))
        .map_err(|e| Error::io("start a thread for", &core.options.dir, e))
}
