//! The tail cache: recent batches of all partitions, kept in memory within one bound.
//!
//! The batches themselves live in their partitions; this is the order in which they are let go, oldest first.
//! A batch that is not in its segment yet is never let go: readers have no other place to find it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::partition::Partition;

/// The order of all cached batches.
#[derive(Debug)]
pub(crate) struct TailCache {
    bytes: AtomicUsize,
    bytes_max: usize,
    /// Batches in memory. The order may have more entries: those that a partition let go of by itself.
    live: AtomicIsize,
    order: Mutex<VecDeque<(Arc<Partition>, i64)>>,
}

impl TailCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
            live: AtomicIsize::new(0),
            order: Mutex::default(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a batch that its partition has just taken in, and lets old ones go.
    pub(crate) fn add(&self, partition: &Arc<Partition>, base: i64, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.push_back((Arc::clone(partition), base));
        let live = usize::try_from(live).unwrap_or(0);
        if order.len() > live.saturating_mul(2).saturating_add(STALE_MAX) {
            order.retain(|(partition, base)| partition.holds(*base));
        }
        drop(order);
        self.trim();
    }

    /// Counts batches that their partition let go of by itself, and their bytes.
    pub(crate) fn dropped(&self, batches: usize, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        let batches = isize::try_from(batches).unwrap_or(isize::MAX);
        self.live.fetch_sub(batches, Ordering::Relaxed);
    }

    /// Returns how many entries the order has.
    #[cfg(test)]
    pub(crate) fn entries(&self) -> usize {
        let order = self.order.lock();
        order.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Lets old batches go while there are too many.
    pub(crate) fn trim(&self) {
        if self.bytes() <= self.bytes_max {
            return;
        }
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        // Batches of slow partitions may still wait for their segment: look past a few of them, not past all.
        let mut kept = Vec::new();
        while self.bytes() > self.bytes_max && kept.len() < KEPT_MAX {
            let Some((partition, base)) = order.pop_front() else {
                break;
            };
            match partition.forget(base) {
                Some(0) => {}
                Some(bytes) => self.dropped(1, bytes),
                None => kept.push((partition, base)),
            }
        }
        for entry in kept.into_iter().rev() {
            order.push_front(entry);
        }
    }
}

/// How many batches that cannot go yet one trim looks past.
const KEPT_MAX: usize = 64;
/// So many entries without a batch are never looked for.
const STALE_MAX: usize = 1024;
