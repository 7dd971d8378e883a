//! What all parts of the local log share: state, options, health. No behaviour of its own.
//!
//! Lock order, outer first: `checkpoints.chain` → `stores` → `catalog` → a partition's `appender` → its `state`;
//! the lists of `flush`, `cache`, `files`, `ring`, `queue` and `groups` are innermost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use linkspan_types::{Clock, LeaderEpoch, OwnerId, PartitionId, TopicId, TopicPartition};

use crate::backend::{Health, KvPut, Store};
use crate::cache::TailCache;
use crate::checkpoint::Checkpoints;
use crate::compaction::Cleaner;
use crate::condition::Condition;
use crate::error::{Error, Result};
use crate::figures::Syncs;
use crate::files::Files;
use crate::flush::Flush;
use crate::fs::{Fs, Open, Volume};
use crate::group::Groups;
use crate::journal::queue::{OwnerFence, Queue};
use crate::journal::ring::Ring;
use crate::options::LocalOptions;
use crate::partition::Partition;
use crate::producers::ids::ProducerIds;
use crate::recovery::Past;
use crate::retention::Retention;
use crate::space::Space;
use crate::store::Stores;
use crate::topics::{Catalog, Followed};
use crate::trim::Gone;
use crate::watchers::Watchers;

/// How far the journal is.
#[derive(Debug, Default)]
struct Progress {
    written_lsn: u64,
    durable_lsn: u64,
    ended: bool,
}

/// Counts since the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commits: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    /// Reads that the tail cache answered, and those that needed a segment.
    pub(crate) cache_hits: AtomicU64,
    pub(crate) cache_misses: AtomicU64,
    /// Partitions compacted, and bytes that this freed.
    pub(crate) compactions: AtomicU64,
    pub(crate) compacted_bytes: AtomicU64,
    /// Bytes of batches committed, and handed to readers.
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) journal_bytes_written: AtomicU64,
    /// Of the current base and its deltas.
    pub(crate) snapshot_bytes: AtomicU64,
    pub(crate) syncs: Syncs,
    journal_bytes: AtomicU64,
}

impl Counters {
    /// Counts bytes that a reader gets.
    pub(crate) fn handed_out(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a compacted partition.
    pub(crate) fn compacted(&self, bytes_freed: u64) {
        self.compactions.fetch_add(1, Ordering::Relaxed);
        self.compacted_bytes
            .fetch_add(bytes_freed, Ordering::Relaxed);
    }
}

/// The shared parts.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) opened_ms: i64,
    pub(crate) options: LocalOptions,
    pub(crate) stores: RwLock<Stores>,
    pub(crate) catalog: RwLock<Catalog>,
    pub(crate) files: Files,
    pub(crate) cache: TailCache,
    pub(crate) flush: Flush,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) cleaner: Cleaner,
    pub(crate) producer_ids: ProducerIds,
    pub(crate) groups: Groups,
    pub(crate) queue: Arc<Queue>,
    pub(crate) ring: OnceLock<Arc<Ring>>,
    pub(crate) counters: Counters,
    /// What opening found; set once.
    pub(crate) past: OnceLock<Past>,
    pub(crate) retention: Retention,
    pub(crate) space: Space,
    /// Deleted topics whose files are still there.
    pub(crate) gone: Gone,
    /// How many topics were deleted in this life: consumers look again when it moves.
    pub(crate) deletions: AtomicU64,
    /// The last frame whose commit is visible as a whole.
    pub(crate) published_lsn: AtomicU64,
    pub(crate) replay_lsn: AtomicU64,
    /// Whether a later frame says of every commit that it is durable.
    pub(crate) witnessed: AtomicBool,
    fences: Mutex<HashMap<OwnerId, Arc<OwnerFence>>>,
    leader_epoch: AtomicI32,
    progress: Mutex<Progress>,
    progressed: Condvar,
    /// Fetches that wait.
    pub(crate) fetches: Watchers,
    pub(crate) condition: Condition,
    /// The file system as a whole, open since before the first write; a stopped log that is only read has none.
    pub(crate) volume: OnceLock<Arc<dyn Volume>>,
}

impl Core {
    pub(crate) fn new(
        fs: Arc<dyn Fs>,
        clock: Arc<dyn Clock>,
        options: LocalOptions,
        how: Open,
    ) -> Self {
        Self {
            stores: RwLock::default(),
            catalog: RwLock::default(),
            files: Files::new(options.open_files_max, how),
            cache: TailCache::new(options.tail_cache_bytes),
            flush: Flush::new(options.tail_cache_bytes, options.flush_bytes),
            checkpoints: Checkpoints::default(),
            groups: Groups::default(),
            queue: Arc::new(Queue::new(options.queue_bytes_max)),
            ring: OnceLock::new(),
            counters: Counters::default(),
            past: OnceLock::new(),
            retention: Retention::default(),
            space: Space::default(),
            gone: Gone::default(),
            deletions: AtomicU64::new(0),
            published_lsn: AtomicU64::new(0),
            replay_lsn: AtomicU64::new(1),
            witnessed: AtomicBool::new(false),
            fences: Mutex::default(),
            leader_epoch: AtomicI32::new(0),
            progress: Mutex::default(),
            progressed: Condvar::new(),
            fetches: Watchers::default(),
            condition: Condition::default(),
            volume: OnceLock::new(),
            fs,
            opened_ms: clock.now_ms(),
            clock,
            cleaner: Cleaner::default(),
            producer_ids: ProducerIds::default(),
            options,
        }
    }

    pub(crate) fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub(crate) fn set_leader_epoch(&self, epoch: i32) {
        self.leader_epoch.store(epoch, Ordering::Release);
    }

    /// Applies committed puts, and lets the catalogue follow.
    pub(crate) fn apply_puts<'a>(&self, puts: impl Iterator<Item = &'a KvPut>) {
        let mut puts = puts.peekable();
        if puts.peek().is_none() {
            return;
        }
        let mut topics_changed = false;
        let mut stores = self.stores.write().unwrap_or_else(PoisonError::into_inner);
        for put in puts {
            stores.apply(put);
            if put.store == Store::Meta {
                match self.follow(put) {
                    Ok(changed) => topics_changed |= changed,
                    // Only the log writes these keys, and recovery has refused a damaged one.
                    Err(error) => tracing::error!(%error, "a stored topic is unreadable"),
                }
            }
        }
        drop(stores);
        if topics_changed {
            let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
            self.groups.topics_changed(&catalog);
        }
    }

    /// Lets the catalogue follow a put of `Store::Meta`; returns whether topics changed.
    pub(crate) fn follow(&self, put: &KvPut) -> Result<bool> {
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        let followed = catalog.apply(put, &self.options)?;
        drop(catalog);
        match followed {
            Followed::Nothing => return Ok(false),
            Followed::Changed => {}
            Followed::Deleted => drop(self.deletions.fetch_add(1, Ordering::Release)),
            Followed::Trimmed(partition) => {
                self.flush.touch_again(&[partition]);
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn get(&self, store: Store, key: &[u8]) -> Option<Bytes> {
        self.stores
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(store, key)
    }

    pub(crate) fn partition(
        &self,
        topic: &TopicId,
        partition: PartitionId,
    ) -> Result<Arc<Partition>> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        let found = catalog.partition(topic, partition).map(Arc::clone);
        found.ok_or(Error::UnknownPartition {
            topic: *topic,
            partition,
        })
    }

    /// Returns a partition by the name of its topic.
    pub(crate) fn partition_by_name(&self, tp: &TopicPartition) -> Result<Arc<Partition>> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        let entry = catalog
            .by_name(&tp.topic)
            .ok_or_else(|| Error::UnknownTopic {
                name: tp.topic.clone(),
            })?;
        let found = usize::try_from(tp.partition.0)
            .ok()
            .and_then(|n| entry.partitions.get(n));
        found.map(Arc::clone).ok_or(Error::UnknownPartition {
            topic: entry.topic.id,
            partition: tp.partition,
        })
    }

    /// Forgets what a restart does not remember about idempotent producers, see `producers`.
    pub(crate) fn forget_producers(&self, unclean: bool) {
        let (now, age) = (self.clock.now_ms(), self.producer_age_ms());
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        for partition in catalog.all().flat_map(|entry| &entry.partitions) {
            let mut state = partition.lock();
            if state.log_start == state.high_watermark {
                state.producers.clear();
            }
            if !unclean {
                state.producers.keep_last_batches();
            }
            state.producers.expire(now, age);
        }
    }

    /// Forgets idempotent producers that have not written for long.
    pub(crate) fn expire_producers(&self) {
        let (now, age) = (self.clock.now_ms(), self.producer_age_ms());
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        for partition in catalog.all().flat_map(|entry| &entry.partitions) {
            partition.lock().producers.expire(now, age);
        }
    }

    fn producer_age_ms(&self) -> i64 {
        i64::try_from(self.options.producer_id_expiration.as_millis()).unwrap_or(i64::MAX)
    }

    /// Returns an owner's fence.
    pub(crate) fn fence(&self, owner: &OwnerId) -> Arc<OwnerFence> {
        let mut fences = self.fences.lock().unwrap_or_else(PoisonError::into_inner);
        let fence = fences.entry(owner.clone()).or_insert_with(|| {
            let stored = self.get(Store::Fences, owner.as_str().as_bytes());
            let epoch = stored
                .and_then(|bytes| bytes.first_chunk::<8>().map(|b| u64::from_be_bytes(*b)))
                .unwrap_or(0);
            Arc::new(OwnerFence {
                owner: owner.clone(),
                written: AtomicU64::new(epoch),
                durable: AtomicU64::new(epoch),
            })
        });
        Arc::clone(fence)
    }

    /// Notes what the journal's writer did.
    pub(crate) fn journal_written(&self, written_lsn: u64, durable_lsn: u64, bytes: u64) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.written_lsn = written_lsn;
        progress.durable_lsn = durable_lsn;
        drop(progress);
        self.progressed.notify_all();
        if bytes > 0 {
            self.counters.groups.fetch_add(1, Ordering::Relaxed);
            self.counters
                .journal_bytes_written
                .fetch_add(bytes, Ordering::Relaxed);
            let before = self
                .counters
                .journal_bytes
                .fetch_add(bytes, Ordering::Relaxed);
            if before + bytes >= self.options.checkpoint_bytes {
                self.counters.journal_bytes.store(0, Ordering::Relaxed);
                self.checkpoints.request();
            }
        }
    }

    /// Returns the last frame handed to the system. What any reader can see is in frames up to it.
    pub(crate) fn written_lsn(&self) -> u64 {
        let written = self
            .progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .written_lsn;
        // A log that was only read has written nothing in this life.
        written.max(self.published_lsn.load(Ordering::Acquire))
    }

    /// The journal's writer has ended.
    pub(crate) fn journal_ended(&self) {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended = true;
        self.progressed.notify_all();
    }

    /// Waits until every frame written so far is durable.
    pub(crate) fn sync_journal(&self) -> Result<()> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let target = progress.written_lsn;
        while progress.durable_lsn < target {
            if progress.ended {
                return self.check_alive().and(Err(Error::Closed));
            }
            drop(progress);
            self.queue.want_sync();
            progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
            if progress.durable_lsn < target && !progress.ended {
                progress = self
                    .progressed
                    .wait(progress)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        Ok(())
    }

    /// Fails when the log was closed or has stopped.
    pub(crate) fn check_alive(&self) -> Result<()> {
        self.condition.check_alive()
    }

    /// Fails when the log does not take commits.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.condition.check_writable(&self.options)
    }

    /// Fails when there is no point in waiting for space any longer.
    pub(crate) fn check_worth_waiting(&self) -> Result<()> {
        self.condition.check_worth_waiting(&self.options)
    }

    /// Fails once the log is being closed: long work ends early.
    pub(crate) fn check_not_closing(&self) -> Result<()> {
        self.condition.check_not_closing()
    }

    pub(crate) fn health(&self) -> Health {
        match (self.condition.health(), self.room()) {
            (Health::Ok, Err(Error::DiskBound { why, .. })) => Health::DiskBound { why },
            (health, _) => health,
        }
    }

    /// Stops the log for good: what is on the disk is unknown until the next start has read it.
    pub(crate) fn poison(&self, error: &Error) {
        if self.condition.poison(error) {
            self.wake_everything();
        }
    }

    /// Makes everything on the file system durable.
    pub(crate) fn sync_everything(&self) -> Result<()> {
        let dir = &self.options.dir;
        let synced = match self.volume.get() {
            Some(volume) => volume.sync(),
            None => self.fs.volume(dir).and_then(|volume| volume.sync()),
        };
        synced.map_err(|e| Error::io("sync the file system of", dir, e))
    }

    /// Ends every wait of every thread of the log.
    pub(crate) fn wake_everything(&self) {
        self.queue.close();
        self.flush.close();
        self.checkpoints.close();
        self.retention.close();
        self.cleaner.close();
        if let Some(ring) = self.ring.get() {
            ring.close();
        }
        self.progressed.notify_all();
        self.groups.wake_all();
        self.fetches.wake();
    }
}
