//! Checkpoints: from time to time, segments and snapshot take over from the journal, so that its files can be used again.
//!
//! ```text
//!  1 note the last published frame C ► 2 write changed partitions into segments ► 3 sync them
//!        ► 4 write and sync a snapshot of what changed ► 5 write and sync a slot ► 6 free journal files up to C
//! ```
//!
//! Partitions and stores may be ahead of C when they are noted: replaying from C + 1 skips batches that a segment has
//! (by offset) and puts keys again in the same order. Ahead of the *durable* journal they may not be, see step 3.
//! Stores are noted after partitions: a partition that step 2 left out because its topic was deleted meanwhile is then
//! deleted in the snapshot too, and the replay knows to skip its records.
//!
//! # Slots
//! `ckpt.a` and `ckpt.b` are written in turn, in place; the valid one with the greater `seq` counts. Little-endian:
//! ```text
//!   0  magic u32 "LSCK" · version u16 (1) · flags u16 (1 = clean shutdown)
//!   8  seq u64 · replay_lsn u64 (the first frame to replay)
//!  24  snapshot base u64 · snapshot last u64 (0 = no snapshot)
//!  40  journal_seq u64 (the latest use of a journal file when this was written)
//!  48  leader epoch i32 · first_journal_seq u64 (journal uses before it belong to finished lives) · reserved 64 bytes (0)
//! 124  crc32c u32 of bytes 0..124
//! ```
//! A slot fits into one sector: a crash leaves the old one or the new one, or with it broken the other slot, whose journal
//! files are freed only after this one is durable.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use crate::backend::KvPut;
use crate::condition::Needs;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Fs, Open, read_file};
use crate::journal::frame::{u32_at, u64_at};
use crate::options::Durability;
use crate::partition::{Partition, PartitionKey};
use crate::segment::{Appender, UNSYNCED_FILES_MAX};
use crate::snapshot::{self, Content, Manifest};
use crate::store::Stores;
use crate::thread;
use crate::trim::Retired;

const MAGIC: u32 = u32::from_le_bytes(*b"LSCK");
const VERSION: u16 = 1;
const FLAG_CLEAN: u16 = 1;
const CRC_AT: usize = 124;
const SLOT_LEN: usize = 4096;
/// A new base is written when the deltas since the last one are more, or larger than it.
const DELTAS_MAX: u64 = 16;
/// Deltas below this size never cause a new base by their size.
const DELTA_BYTES_FREE: u64 = 256 * 1024;
/// How many keys a new base takes at a time: commits wait no longer than that takes.
const COPY_KEYS: usize = 4096;

/// A checkpoint's slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) clean: bool,
    pub(crate) seq: u64,
    pub(crate) replay_lsn: u64,
    pub(crate) snapshot_base: u64,
    pub(crate) snapshot_last: u64,
    pub(crate) journal_seq: u64,
    pub(crate) leader_epoch: i32,
    /// Uses of journal files before this one belong to finished lives: what they hold beyond `replay_lsn` was cut.
    pub(crate) first_journal_seq: u64,
}

impl Slot {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(SLOT_LEN);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(if self.clean { FLAG_CLEAN } else { 0 }).to_le_bytes());
        for number in [
            self.seq,
            self.replay_lsn,
            self.snapshot_base,
            self.snapshot_last,
            self.journal_seq,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.leader_epoch.to_le_bytes());
        out.extend_from_slice(&self.first_journal_seq.to_le_bytes());
        out.resize(CRC_AT, 0);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.resize(SLOT_LEN, 0);
        out
    }

    /// Returns the version of a sound slot that only a later build can read.
    fn later_version(bytes: &[u8]) -> Option<u16> {
        let body = bytes.get(..CRC_AT)?;
        let sound = u32_at(bytes, CRC_AT)? == crc32c::crc32c(body) && u32_at(body, 0)? == MAGIC;
        let version = u16::from_le_bytes(body.get(4..6)?.try_into().ok()?);
        (sound && version > VERSION).then_some(version)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let body = bytes.get(..CRC_AT)?;
        (u32_at(bytes, CRC_AT)? == crc32c::crc32c(body)).then_some(())?;
        (u32_at(body, 0)? == MAGIC).then_some(())?;
        let word = |at: usize| {
            body.get(at..at + 2)
                .and_then(|b| b.try_into().ok())
                .map(u16::from_le_bytes)
        };
        (word(4)? == VERSION).then_some(())?;
        Some(Self {
            clean: word(6)? & FLAG_CLEAN != 0,
            seq: u64_at(body, 8)?,
            replay_lsn: u64_at(body, 16)?,
            snapshot_base: u64_at(body, 24)?,
            snapshot_last: u64_at(body, 32)?,
            journal_seq: u64_at(body, 40)?,
            leader_epoch: i32::from_le_bytes(body.get(48..52)?.try_into().ok()?),
            first_journal_seq: u64_at(body, 52)?,
        })
    }
}

/// What a slot's file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotState {
    /// No such file, or an empty one.
    Missing,
    Good(Slot),
    Broken,
}

/// Returns the path of the slot that checkpoint `seq` goes to.
pub(crate) fn slot_path(dir: &Path, seq: u64) -> PathBuf {
    dir.join(if seq.is_multiple_of(2) {
        "ckpt.a"
    } else {
        "ckpt.b"
    })
}

/// Reads one slot.
pub(crate) fn read_slot(fs: &dyn Fs, path: &Path) -> Result<SlotState> {
    if !fs
        .try_exists(path)
        .map_err(|e| Error::io("look for", path, e))?
    {
        return Ok(SlotState::Missing);
    }
    let bytes =
        read_file(fs, path, SLOT_LEN * 4).map_err(|e| Error::io("read checkpoint", path, e))?;
    if let Some(version) = Slot::later_version(&bytes) {
        let what =
            format!("the checkpoint has version {version}, this build reads up to {VERSION}");
        return Err(Error::LaterVersion {
            path: path.to_owned(),
            offset: 4,
            what,
        });
    }
    Ok(match Slot::decode(&bytes) {
        Some(slot) => SlotState::Good(slot),
        None if bytes.iter().all(|b| *b == 0) => SlotState::Missing,
        None => SlotState::Broken,
    })
}

/// Writes one slot, durable when this returns.
pub(crate) fn write_slot(fs: &dyn Fs, dir: &Path, slot: &Slot) -> Result<()> {
    let path = slot_path(dir, slot.seq);
    let failed = |op, error| Error::io(op, &path, error);
    let file = fs
        .open(&path, Open::Create)
        .map_err(|e| failed("open checkpoint", e))?;
    let new = file.is_empty().map_err(|e| failed("read checkpoint", e))?;
    file.write_at(&[IoSlice::new(&slot.encode())], 0)
        .map_err(|e| failed("write checkpoint", e))?;
    file.sync_data().map_err(|e| failed("sync checkpoint", e))?;
    if new {
        sync_dir(fs, dir)?;
    }
    Ok(())
}

/// Makes names durable. A second try would not report what the first one lost, so a failure is final.
fn sync_dir(fs: &dyn Fs, dir: &Path) -> Result<()> {
    fs.sync_dir(dir)
        .map_err(|e| failed_sync(Error::io("sync directory", dir, e)))
}

/// What the next checkpoint builds on.
#[derive(Debug, Default)]
pub(crate) struct Chain {
    pub(crate) slot: Slot,
    /// Snapshots from here on are named by the slot before, which a crash may fall back to.
    pub(crate) previous_base: u64,
    pub(crate) base_bytes: u64,
    pub(crate) delta_bytes: u64,
    pub(crate) manifests: BTreeMap<PartitionKey, Manifest>,
}

#[derive(Debug, Default)]
struct Requests {
    wanted: bool,
    closed: bool,
}

/// When to checkpoint, and what was said last.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    requests: Mutex<Requests>,
    wake: Condvar,
    pub(crate) chain: Mutex<Chain>,
}

impl Checkpoints {
    /// Asks for a checkpoint soon.
    pub(crate) fn request(&self) {
        self.lock().wanted = true;
        self.wake.notify_all();
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checkpoint thread.
    pub(crate) fn run(&self, core: &Core) {
        let interval = core.options.checkpoint_interval;
        loop {
            let mut requests = self.lock();
            if !requests.wanted && !requests.closed {
                requests = self
                    .wake
                    .wait_timeout(requests, interval)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            if requests.closed {
                return;
            }
            requests.wanted = false;
            drop(requests);
            if core.check_alive().is_err() {
                return;
            }
            match checkpoint(core, false) {
                Ok(()) => core.condition.enough(Needs::Checkpoints),
                Err(error) if error.is_shortage() => {
                    core.condition.short(Needs::Checkpoints, &error);
                    let mut requests = self.lock();
                    requests.wanted = true;
                    if !requests.closed {
                        drop(
                            self.wake
                                .wait_timeout(requests, core.options.space_retry)
                                .unwrap_or_else(PoisonError::into_inner),
                        );
                    }
                }
                Err(_) => return,
            }
        }
    }
}

/// Starts the checkpoint thread.
pub(crate) fn spawn(core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    thread::spawn(core, "log-checkpoint", |core| core.checkpoints.run(core))
}

/// Takes one checkpoint on the caller's thread; `clean` marks the log as shut down.
///
/// # Errors
/// A shortage, after which another try is fine; anything else has poisoned the log.
pub(crate) fn checkpoint(core: &Core, clean: bool) -> Result<()> {
    take(core, clean, None)
}

/// Takes the first checkpoint of a life, even when nothing changed: it makes the new leader epoch durable, and that uses
/// of journal files before `first_journal_seq` are over.
pub(crate) fn begin_life(core: &Core, first_journal_seq: u64) -> Result<()> {
    take(core, false, Some(first_journal_seq))
}

/// Takes a checkpoint of a state that a repair has put together, marked clean.
pub(crate) fn take_repaired(core: &Core, first_journal_seq: u64) -> Result<()> {
    take(core, true, Some(first_journal_seq))
}

fn take(core: &Core, clean: bool, first_journal_seq: Option<u64>) -> Result<()> {
    let mut chain = core
        .checkpoints
        .chain
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    // Whoever waited here while the log was closed must not write any more: the directory may be somebody else's. And the
    // checkpoint before may have failed to sync what this one would name.
    core.check_alive()?;
    let covered_lsn = core.published_lsn.load(Ordering::Acquire);
    let touched = core.flush.take_touched();
    let has_puts = core
        .stores
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .has_changes();
    let nothing = touched.is_empty() && !has_puts && covered_lsn + 1 == chain.slot.replay_lsn;
    if nothing && clean == chain.slot.clean && first_journal_seq.is_none() {
        return Ok(());
    }
    let mut puts = Vec::new();
    let mut retired = Retired::default();
    let life = Life {
        covered_lsn,
        clean,
        first_journal_seq: first_journal_seq.unwrap_or(chain.slot.first_journal_seq),
    };
    let result = chain.take_over(core, life, &touched, &mut puts, &mut retired);
    if let Err(error) = &result {
        // Before the chain is let go: whoever waits for it must see this.
        if !error.is_shortage() {
            core.poison(error);
        }
        retired.give_back();
        core.flush.touch_again(&touched);
        core.stores
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .give_back(&puts);
        return result;
    }
    retired.remove(&*core.fs);
    core.replay_lsn.store(covered_lsn + 1, Ordering::Release);
    core.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
    if let Some(ring) = core.ring.get() {
        ring.release(covered_lsn);
    }
    if core.gone.is_waiting(core) {
        core.retention.request();
    }
    Ok(())
}

/// Copies the stores a part at a time, without keeping writers out for long; `between` runs after each part.
///
/// What is put meanwhile may be in the copy or not: it is in frames after C, which a replay puts again in order, and it
/// belongs to the next delta.
fn copy_stores(stores: &RwLock<Stores>, mut between: impl FnMut(())) -> Vec<KvPut> {
    let mut all = Vec::new();
    loop {
        let part = stores
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .part(all.last(), COPY_KEYS);
        if part.is_empty() {
            return all;
        }
        all.extend(part);
        between(());
    }
}

/// What the slot of a checkpoint says about the log's life.
#[derive(Clone, Copy, Debug)]
struct Life {
    covered_lsn: u64,
    clean: bool,
    first_journal_seq: u64,
}

impl Chain {
    fn wants_base(&self) -> bool {
        let slot = &self.slot;
        slot.snapshot_base == 0
            || slot.snapshot_last - slot.snapshot_base >= DELTAS_MAX
            || self.delta_bytes > self.base_bytes.max(DELTA_BYTES_FREE)
    }

    fn take_over(
        &mut self,
        core: &Core,
        life: Life,
        touched: &[Arc<Partition>],
        puts: &mut Vec<KvPut>,
        retired: &mut Retired,
    ) -> Result<()> {
        let manifests = write_out_and_sync(core, touched, retired)?;
        self.forget_deleted(core);
        // Not before: whatever was left out as deleted is deleted in these.
        *puts = core
            .stores
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take_changes();
        let all = self.wants_base().then(|| copy_stores(&core.stores, drop));
        if core.options.durability == Durability::Os {
            // Segments and snapshot must not know more than the journal, or half a commit could survive.
            core.sync_journal()?;
        }
        let mut slot = self.slot;
        slot.seq += 1;
        slot.clean = life.clean;
        slot.first_journal_seq = life.first_journal_seq;
        slot.replay_lsn = life.covered_lsn + 1;
        slot.leader_epoch = core.leader_epoch().0;
        slot.journal_seq = core
            .ring
            .get()
            .map_or(slot.journal_seq, |ring| ring.durable_seq());
        let mut written = 0;
        let base = all.is_some();
        // A new log has nothing to say yet.
        let empty = slot.snapshot_base == 0
            && manifests.is_empty()
            && all.as_ref().is_none_or(Vec::is_empty);
        if !empty && (base || !manifests.is_empty() || !puts.is_empty()) {
            slot.snapshot_last += 1;
            let seq = slot.snapshot_last;
            if base {
                slot.snapshot_base = seq;
            }
            let content = match all {
                Some(puts) => {
                    let mut partitions = self.manifests.clone();
                    partitions.extend(manifests.iter().cloned());
                    Content {
                        puts,
                        partitions: partitions.into_iter().collect(),
                    }
                }
                None => Content {
                    puts: puts.clone(),
                    partitions: manifests.clone(),
                },
            };
            let dir = &core.options.dir;
            written = snapshot::write(&*core.fs, &snapshot::path(dir, seq), seq, base, &content)?;
            sync_dir(&*core.fs, dir)?;
        }
        write_slot(&*core.fs, &core.options.dir, &slot)?;
        self.manifests.extend(manifests);
        if base && !empty {
            (self.base_bytes, self.delta_bytes) = (written, 0);
        } else {
            self.delta_bytes += written;
        }
        core.counters
            .snapshot_bytes
            .store(self.base_bytes + self.delta_bytes, Ordering::Relaxed);
        let unneeded = self.previous_base..self.slot.snapshot_base.min(slot.snapshot_base);
        self.previous_base = self.slot.snapshot_base;
        self.slot = slot;
        remove_snapshots(core, unneeded);
        Ok(())
    }
}

impl Chain {
    /// Deleted topics are left out of the next base; a delta cannot say so, and an open knows it from the catalogue.
    fn forget_deleted(&mut self, core: &Core) {
        let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
        self.manifests
            .retain(|key, _| catalog.partition(&key.topic, key.partition).is_some());
    }
}

/// Removes the files that neither slot names any more.
fn remove_snapshots(core: &Core, unneeded: std::ops::Range<u64>) {
    for seq in unneeded.filter(|seq| *seq > 0) {
        let path = snapshot::path(&core.options.dir, seq);
        if let Err(error) = core.fs.remove(&path) {
            // Only space is lost.
            tracing::debug!(%error, path = %path.display(), "could not remove an old snapshot");
        }
    }
}

fn write_out_and_sync(
    core: &Core,
    touched: &[Arc<Partition>],
    retired: &mut Retired,
) -> Result<Vec<(PartitionKey, Manifest)>> {
    let mut manifests = Vec::with_capacity(touched.len());
    // A full disk stops this loop, before anything is taken out of an appender.
    for partition in touched {
        partition.write_out(core)?;
    }
    let mut unsynced = Unsynced::default();
    for partition in touched {
        let mut appender = partition
            .appender
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if partition.is_deleted() {
            continue;
        }
        partition.trim_held(core, &mut appender);
        manifests.push((partition.id, partition.manifest()));
        retired.add(partition, &mut appender);
        unsynced.take(partition, &mut appender);
    }
    unsynced.sync(core).inspect_err(|error| {
        // No descriptor was left for a directory: nothing was synced by halves, the next checkpoint does it.
        if error.is_shortage() {
            unsynced.new_names.iter().for_each(|partition| {
                partition
                    .appender
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .new_names = true;
            });
        }
    })?;
    Ok(manifests)
}

/// What a checkpoint must make durable before it may name it.
#[derive(Default)]
struct Unsynced {
    files: Vec<(PathBuf, Arc<dyn File>)>,
    new_names: Vec<Arc<Partition>>,
}

impl Unsynced {
    fn take(&mut self, partition: &Arc<Partition>, appender: &mut Appender) {
        let files = std::mem::take(&mut appender.unsynced);
        self.files.extend(
            files
                .into_iter()
                .map(|(base, file)| (partition.segment_path(base), file)),
        );
        if std::mem::take(&mut appender.new_names) {
            self.new_names.push(Arc::clone(partition));
        }
    }

    /// Syncs files, then names. A failed sync is final; a shortage means that all files were synced and a name was not.
    fn sync(&self, core: &Core) -> Result<()> {
        let synced = if core.flush.take_sync_everything() || self.files.len() > UNSYNCED_FILES_MAX {
            core.sync_everything()
        } else {
            self.files.iter().try_for_each(|(path, file)| {
                file.sync_data()
                    .map_err(|e| Error::io("sync segment", path, e))
            })
        };
        synced.map_err(|error| poisoned(&error))?;
        for partition in &self.new_names {
            sync_dir(&*core.fs, &partition.dir)?;
        }
        if !self.new_names.is_empty() {
            sync_dir(&*core.fs, &core.options.dir.join("topics"))?;
        }
        Ok(())
    }
}

/// A failed sync is never retried, whatever its reason; one that could not even begin may be.
fn failed_sync(error: Error) -> Error {
    if error.is_no_files() {
        return error;
    }
    poisoned(&error)
}

fn poisoned(error: &Error) -> Error {
    Error::Poisoned {
        why: linkspan_types::error_chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Store;

    #[test]
    fn a_new_base_lets_writers_in_while_it_is_copied() {
        let put = |key: usize| KvPut {
            store: if key.is_multiple_of(2) {
                Store::Runs
            } else {
                Store::Status
            },
            key: format!("{key:08}").into(),
            value: Some("v".into()),
        };
        let stores = RwLock::new(Stores::default());
        for key in 0..COPY_KEYS * 3 {
            stores.write().unwrap().apply(&put(key));
        }
        let mut let_in = 0;
        let all = copy_stores(&stores, |()| {
            let mut writer = stores
                .try_write()
                .expect("a writer gets in between two parts");
            let_in += 1;
            // Behind what was copied: it may be in the copy, and is in the next delta.
            writer.apply(&put(COPY_KEYS * 4 + let_in));
        });
        assert!(let_in >= 3, "{let_in} parts");
        let mut keys: Vec<_> = all.iter().map(|put| (put.store, put.key.clone())).collect();
        assert!(keys.len() >= COPY_KEYS * 3);
        keys.dedup();
        assert_eq!(keys.len(), all.len(), "no key twice");
    }
}
