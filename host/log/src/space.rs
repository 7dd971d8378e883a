//! How many bytes of record batches the log holds, counted as they come and go.
//!
//! What counts is what `log.max.bytes` bounds: batches in segments and batches that still wait for theirs. The journal and
//! the key-value stores have bounds of their own and are not part of it. A batch that was deleted no longer counts, even
//! if its file goes with the next checkpoint only.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linkspan_types::ByteCount;

use crate::core::Core;
use crate::error::{Error, Result};

/// The count.
#[derive(Debug, Default)]
pub(crate) struct Space {
    bytes: AtomicU64,
    /// `log.max.bytes` was reached when somebody last looked.
    bound: AtomicBool,
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

/// Share of `log.max.bytes` that is kept for what lets other things be deleted, see [`crate::Producer::submit_reserved`].
const RESERVED_SHARE: u64 = 8;
/// The least that is kept for it.
const RESERVED_BYTES_MIN: u64 = 16 << 20;

impl Core {
    /// As [`Core::room`], with what is kept in reserve on top.
    pub(crate) fn reserved_room(&self) -> Result<()> {
        let full = self.room();
        let reserve = |max: u64| (max / RESERVED_SHARE).max(RESERVED_BYTES_MIN);
        let within = self
            .options
            .log_bytes_max
            .is_some_and(|max| self.space.bytes() < max.saturating_add(reserve(max)));
        if within { Ok(()) } else { full }
    }

    /// Fails while the log holds as much as it may. Says so once when that begins, and once when it ends.
    pub(crate) fn room(&self) -> Result<()> {
        let Some(max) = self.options.log_bytes_max else {
            return Ok(());
        };
        let held = self.space.bytes();
        if held < max {
            if self.space.bound.swap(false, Ordering::AcqRel) {
                tracing::info!("the log has room again: appends are taken");
            }
            return Ok(());
        }
        let why = format!(
            "it holds {} of {} (`log.max.bytes`); raise it, shorten `retention.ms` or `retention.bytes` of a topic, start sinks that lag, or delete records or a topic",
            ByteCount(held),
            ByteCount(max)
        );
        if !self.space.bound.swap(true, Ordering::AcqRel) {
            tracing::error!("the log is full, sources wait: {why}");
            // What may go should go now.
            self.retention.request();
        }
        Err(Error::DiskBound {
            dir: self.options.dir.clone(),
            why,
        })
    }
}
