//! How many bytes of record batches the log holds, counted as they come and go.
//!
//! What counts is what `log.max.bytes` bounds: batches in segments and batches that still wait for theirs. The journal and
//! the key-value stores have bounds of their own and are not part of it. A batch that was deleted no longer counts, even
//! if its file goes with the next checkpoint only.

use std::sync::atomic::{AtomicU64, Ordering};

/// The count.
#[derive(Debug, Default)]
pub(crate) struct Space {
    bytes: AtomicU64,
}

impl Space {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: u64) {
        // A count that went wrong must not wrap around to a full log.
        let mut held = self.bytes();
        while let Err(now) = self.bytes.compare_exchange_weak(
            held,
            held.saturating_sub(bytes),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            held = now;
        }
    }
}
