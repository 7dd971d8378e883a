//! The tail cache: recent batches of all partitions, kept in memory within one bound.
//!
//! The batches themselves live in their partitions; this is the order in which they are let go, oldest first.
//! A batch that is not in its segment yet is never let go: readers have no other place to find it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::partition::Partition;

/// The order of all cached batches.
#[derive(Debug)]
pub(crate) struct TailCache {
    bytes: AtomicUsize,
    bytes_max: usize,
    order: Mutex<VecDeque<(Arc<Partition>, i64)>>,
}

impl TailCache {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes: AtomicUsize::new(0),
            bytes_max,
            order: Mutex::default(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Counts a batch that its partition has just taken in, and lets old ones go.
    pub(crate) fn add(&self, partition: &Arc<Partition>, base: i64, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.order
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back((Arc::clone(partition), base));
        self.trim();
    }

    /// Counts batches that their partition let go of by itself.
    pub(crate) fn dropped(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
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
                Some(bytes) => {
                    self.bytes.fetch_sub(bytes, Ordering::Relaxed);
                }
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
