//! The one thread that writes the journal.
//!
//! ```text
//!  take all that waits ► check fences ► assign offsets, stamp leader epoch ► one frame per commit
//!        ► one write, padded to 4 KiB ► one fdatasync ► publish key-value state, then high watermarks ► answer tickets
//! ```
//!
//! There is no linger: while one group is on its way to the disk, the next one gathers in the queue. Large batches are
//! not copied: the write takes them from where the producer built them, and the same memory then serves the tail cache.
//! A failed write or sync poisons the log: this thread ends, everything that waits fails, nothing is retried.

use std::collections::HashSet;
use std::io::IoSlice;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use linkspan_types::{Offset, OwnerId, TopicId, TopicName};

use super::file::{DATA_START, JournalFile};
use super::frame::{self, ALIGN, APPEND_OVERHEAD, GROUP_ALIGN, HEADER_LEN, PUT_OVERHEAD};
use super::queue::{FenceRule, PendingAppend, Queue, Submission, Work};
use super::ring::Ring;
use crate::backend::{Append, Committed, KvPut, Store};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::options::Durability;
use crate::producers::trial::Unpublished;
use crate::{thread, topics, trim};

/// Batches from this size on are written from their own memory instead of being copied into the group's buffer.
const DIRECT_BYTES_MIN: usize = 8 * 1024;

/// Returns the bytes that a commit takes in the journal, at most.
pub(crate) fn journal_bytes(appends: &[Append], puts: &[KvPut]) -> usize {
    let appends: usize = appends
        .iter()
        .map(|a| APPEND_OVERHEAD + a.batch.len())
        .sum();
    let puts: usize = puts.iter().map(put_bytes).sum();
    appends + puts + HEADER_LEN + ALIGN
}

/// Returns the bytes of the put that the writer adds to raise a fence.
pub(crate) fn raise_bytes(owner: &OwnerId) -> usize {
    PUT_OVERHEAD + owner.as_str().len() + 8
}

fn put_bytes(put: &KvPut) -> usize {
    PUT_OVERHEAD + put.key.len() + put.value.as_ref().map_or(0, Bytes::len)
}

/// The state of the writing thread.
pub(crate) struct Writer {
    core: Arc<Core>,
    queue: Arc<Queue>,
    ring: Arc<Ring>,
    active: JournalFile,
    position: u64,
    next_lsn: u64,
    durable_lsn: u64,
    /// Whether a later frame vouches for the last commit.
    witnessed: bool,
    last_sync: Instant,
    /// Commits that no sync has made durable yet.
    unsynced_commits: u64,
    group: Group,
    /// Topics that were deleted in this life of the log.
    deleted: HashSet<TopicId>,
    /// What idempotent producers wrote into the unfinished group.
    unpublished: Unpublished,
}

/// Frames that one write will carry.
#[derive(Default)]
struct Group {
    staged: Vec<u8>,
    /// At this position of `staged`, this append's batch follows.
    cuts: Vec<Cut>,
    direct_bytes: usize,
    members: Vec<Member>,
}

#[derive(Clone, Copy)]
struct Cut {
    at: usize,
    member: usize,
    append: usize,
}

struct Member {
    submission: Submission,
    outcome: Result<Vec<Offset>>,
}

impl Group {
    fn len(&self) -> usize {
        self.staged.len() + self.direct_bytes
    }

    fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(self.cuts.len() * 2 + 1);
        let mut from = 0;
        for cut in &self.cuts {
            slices.push(IoSlice::new(
                self.staged.get(from..cut.at).unwrap_or_default(),
            ));
            slices.push(IoSlice::new(self.batch(*cut)));
            from = cut.at;
        }
        slices.push(IoSlice::new(self.staged.get(from..).unwrap_or_default()));
        slices
    }

    fn batch(&self, cut: Cut) -> &[u8] {
        let member = self.members.get(cut.member);
        member
            .and_then(|m| m.submission.appends.get(cut.append))
            .map_or(&[], |append| &append.batch)
    }
}

impl Writer {
    pub(crate) fn new(
        core: Arc<Core>,
        queue: Arc<Queue>,
        ring: Arc<Ring>,
        active: JournalFile,
        next_lsn: u64,
    ) -> Self {
        Self {
            core,
            queue,
            ring,
            active,
            position: DATA_START,
            next_lsn,
            durable_lsn: next_lsn - 1,
            witnessed: true,
            last_sync: Instant::now(),
            unsynced_commits: 0,
            group: Group::default(),
            unpublished: Unpublished::default(),
            deleted: HashSet::new(),
        }
    }

    /// Runs until the queue is closed and empty, or something fails.
    pub(crate) fn run(mut self) {
        let core = Arc::clone(&self.core);
        thread::guard(&core, "log-journal", || {
            if let Err(error) = self.write_all() {
                core.poison(&error);
            }
        });
        let why = self.core.check_alive().err().unwrap_or(Error::Closed);
        for member in self.group.members.drain(..) {
            member.submission.promise.complete(Err(why.clone()));
        }
        for submission in self.queue.abandon() {
            submission.promise.complete(Err(why.clone()));
        }
        self.core.journal_ended();
    }

    fn write_all(&mut self) -> Result<()> {
        loop {
            let work = self
                .queue
                .take(self.core.options.group_bytes_max, self.timeout());
            match work {
                Work::Commits(commits) => self.commit(commits)?,
                Work::Idle => self.idle()?,
                Work::Sync => self.sync()?,
                Work::Closed => return self.sync(),
            }
            self.core.check_alive()?;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let options = &self.core.options;
        if self.durable_lsn + 1 < self.next_lsn {
            return Some(
                options
                    .sync_interval
                    .saturating_sub(self.last_sync.elapsed()),
            );
        }
        (!self.witnessed && !options.idle_marker.is_zero()).then_some(options.idle_marker)
    }

    fn idle(&mut self) -> Result<()> {
        if self.durable_lsn + 1 < self.next_lsn {
            return self.sync();
        }
        match self.make_room(HEADER_LEN + ALIGN) {
            // Without room there is no witness; the next commit brings one.
            Err(error) if error.is_shortage() => {
                self.witnessed = true;
                return Ok(());
            }
            other => other?,
        }
        let lsn = self.take_lsn();
        let (start, first_cut) = (self.group.staged.len(), self.group.cuts.len());
        frame::put_header(&mut self.group.staged, 32, 0, lsn, self.durable_lsn);
        self.finish_frame(start, first_cut, &[]);
        self.write_group()?;
        self.witnessed = true;
        Ok(())
    }

    fn commit(&mut self, commits: Vec<Submission>) -> Result<()> {
        let mut commits = commits.into_iter();
        if let Err(error) = self.core.flush.wait_for_room(&self.core) {
            return self.refuse(commits, error);
        }
        while let Some(submission) = commits.next() {
            if let Err(error) = self.make_room(submission.bytes) {
                return self.refuse(std::iter::once(submission).chain(commits), error);
            }
            self.add(submission);
        }
        self.write_group()?;
        self.witnessed = false;
        if self.durable_lsn + 1 < self.next_lsn
            && self.last_sync.elapsed() >= self.core.options.sync_interval
        {
            self.sync()?;
        }
        Ok(())
    }

    /// Fails commits of which nothing was written. That space is short is no reason to stop.
    fn refuse(&mut self, commits: impl Iterator<Item = Submission>, error: Error) -> Result<()> {
        for submission in commits {
            if let Some(lane) = &submission.lane {
                lane.fail();
            }
            self.group.members.push(Member {
                submission,
                outcome: Err(error.clone()),
            });
        }
        if !error.is_shortage() {
            return Err(error);
        }
        // What came before them in this group has been written: `make_room` does that before it waits.
        self.write_group()
    }

    /// Makes sure that a frame of `bytes` fits into the active file, together with the group so far.
    fn make_room(&mut self, bytes: usize) -> Result<()> {
        let needed = frame::align(self.group.len() + bytes, GROUP_ALIGN) as u64;
        if self.position + needed <= self.active.len {
            return Ok(());
        }
        self.write_group()?;
        let alone = frame::align(bytes, GROUP_ALIGN) as u64;
        if self.position + alone <= self.active.len {
            return Ok(());
        }
        self.sync()?;
        let next = self.ring.take(&self.core, DATA_START + alone)?;
        let mut full = std::mem::replace(&mut self.active, next);
        full.last_lsn = self.next_lsn - 1;
        self.ring.retire(full);
        self.position = DATA_START;
        Ok(())
    }

    fn add(&mut self, mut submission: Submission) {
        let outcome = self
            .check(&mut submission)
            .and_then(|()| self.unpublished.judge(&mut submission.appends))
            .map(|()| self.encode(&mut submission));
        if outcome.is_ok() {
            self.note_deletions(&submission.puts);
        }
        if outcome.is_err()
            && let Some(lane) = &submission.lane
        {
            lane.fail();
        }
        self.group.members.push(Member {
            submission,
            outcome,
        });
    }

    /// From the frame that deletes a topic on, nothing more of it may be written: a replay would not know it.
    fn note_deletions(&mut self, puts: &[KvPut]) {
        for put in puts.iter().filter(|put| put.store == Store::Meta) {
            let name = put.key.strip_prefix(topics::KEY_PREFIX.as_bytes());
            let (Some(name), None) = (name, &put.value) else {
                continue;
            };
            let Ok(name) = TopicName::try_new(String::from_utf8_lossy(name)) else {
                continue;
            };
            let catalog = self
                .core
                .catalog
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(entry) = catalog.by_name(&name) {
                // Readers and checkpoints hear of it when the frame is durable: until then the topic is there.
                self.deleted.insert(entry.topic.id);
            }
        }
    }

    /// Refuses records of a deleted topic, and leaves out positions in one: whoever reads it is about to hear that it is gone.
    fn check_deleted(&self, submission: &mut Submission) -> Result<()> {
        let gone = submission.appends.iter().find(|append| {
            append.partition.is_deleted() || self.deleted.contains(&append.partition.id.topic)
        });
        if let Some(append) = gone {
            return Err(Error::UnknownPartition {
                topic: append.partition.id.topic,
                partition: append.partition.id.partition,
            });
        }
        if !self.deleted.is_empty() {
            submission.puts.retain(|put| {
                put.store != Store::GroupOffsets
                    || put.value.is_none()
                    || trim::offset_topic(&put.key).is_none_or(|id| !self.deleted.contains(&id))
            });
        }
        Ok(())
    }

    fn check(&self, submission: &mut Submission) -> Result<()> {
        if submission
            .lane
            .as_ref()
            .is_some_and(|lane| lane.has_failed())
        {
            return Err(Error::Aborted);
        }
        self.check_deleted(submission)?;
        match &submission.fence {
            FenceRule::None => {}
            FenceRule::Check(fence, epoch) => {
                let current = fence.written.load(Ordering::Acquire);
                if current != epoch.0 {
                    return Err(Error::Fenced {
                        owner: fence.owner.clone(),
                        found: *epoch,
                        current: current.into(),
                    });
                }
            }
            FenceRule::Raise(fence) => {
                let raised = fence.written.fetch_add(1, Ordering::AcqRel) + 1;
                submission.puts.push(KvPut {
                    store: Store::Fences,
                    key: Bytes::copy_from_slice(fence.owner.as_str().as_bytes()),
                    value: Some(Bytes::copy_from_slice(&raised.to_be_bytes())),
                });
            }
        }
        Ok(())
    }

    /// Writes a frame into the group; batches that are stored already are left out, and a frame of nothing else too.
    fn encode(&mut self, submission: &mut Submission) -> Vec<Offset> {
        let n_new = submission
            .appends
            .iter()
            .filter(|append| append.duplicate_of.is_none())
            .count();
        if n_new == 0 && !submission.appends.is_empty() && submission.puts.is_empty() {
            let offsets = submission.appends.iter().filter_map(|a| a.duplicate_of);
            return offsets.map(Offset).collect();
        }
        let lsn = self.take_lsn();
        let epoch = self.core.leader_epoch();
        let appends: usize = submission
            .appends
            .iter()
            .filter(|append| append.duplicate_of.is_none())
            .map(|a| APPEND_OVERHEAD + a.batch.len())
            .sum();
        let puts: usize = submission.puts.iter().map(put_bytes).sum();
        let len = u32::try_from(HEADER_LEN + appends + puts).unwrap_or(u32::MAX);
        let n_entries = u16::try_from(n_new + submission.puts.len()).unwrap_or(u16::MAX);
        let (start, first_cut) = (self.group.staged.len(), self.group.cuts.len());
        let staged = &mut self.group.staged;
        frame::put_header(staged, len, n_entries, lsn, self.durable_lsn);
        let mut base_offsets = Vec::with_capacity(submission.appends.len());
        for (index, append) in submission.appends.iter_mut().enumerate() {
            if let Some(base) = append.duplicate_of {
                base_offsets.push(Offset(base));
                continue;
            }
            let base = append.partition.assign(append.offsets);
            if let Err(error) =
                linkspan_wire::set_base_offset_and_epoch(&mut append.batch, base, epoch.0)
            {
                // Checked at submit; nobody else has had the bytes since.
                debug_assert!(false, "a checked batch became unreadable: {error}");
            }
            let id = &append.partition.id;
            frame::put_append(
                staged,
                &id.topic,
                id.partition.0,
                base,
                u32::try_from(append.batch.len()).unwrap_or(0),
            );
            if append.batch.len() >= DIRECT_BYTES_MIN {
                self.group.cuts.push(Cut {
                    at: staged.len(),
                    member: self.group.members.len(),
                    append: index,
                });
                self.group.direct_bytes += append.batch.len();
            } else {
                staged.extend_from_slice(&append.batch);
            }
            base_offsets.push(Offset(base));
        }
        for put in &submission.puts {
            frame::put_put(staged, put);
        }
        self.finish_frame(start, first_cut, &submission.appends);
        base_offsets
    }

    /// Stores a frame's checksum and pads it.
    fn finish_frame(&mut self, start: usize, first_cut: usize, appends: &[PendingAppend]) {
        let Group {
            staged,
            cuts,
            direct_bytes,
            ..
        } = &mut self.group;
        let mut crc = self.active.seed;
        let mut from = start + 12;
        for cut in cuts.get(first_cut..).unwrap_or_default() {
            crc = crc32c::crc32c_append(crc, staged.get(from..cut.at).unwrap_or_default());
            crc = crc32c::crc32c_append(
                crc,
                appends.get(cut.append).map_or(&[], |append| &append.batch),
            );
            from = cut.at;
        }
        crc = crc32c::crc32c_append(crc, staged.get(from..).unwrap_or_default());
        frame::set_crc(staged, start, crc);
        let len = staged.len() + *direct_bytes;
        staged.resize(staged.len() + frame::align(len, ALIGN) - len, 0);
    }

    /// Writes, syncs, publishes and answers the group.
    fn write_group(&mut self) -> Result<()> {
        let has_frames = self.group.len() > 0;
        if has_frames {
            let len = self.group.len();
            let padded = frame::align(len, GROUP_ALIGN);
            self.group
                .staged
                .resize(self.group.staged.len() + padded - len, 0);
            self.active
                .file
                .write_at(&self.group.slices(), self.position)
                .map_err(|e| Error::io("write journal", &self.active.path, e))?;
            self.position += padded as u64;
            let commits = self.group.members.iter().filter(|m| m.outcome.is_ok());
            self.unsynced_commits += commits.count() as u64;
            if self.core.options.durability == Durability::Fsync {
                self.sync_active()?;
            }
            self.core
                .journal_written(self.next_lsn - 1, self.durable_lsn, padded as u64);
            self.core
                .witnessed
                .store(self.group.members.is_empty(), Ordering::Release);
            if self.position * 4 > self.active.len {
                self.ring.hint();
            }
        }
        self.publish();
        self.group.staged.clear();
        self.group.cuts.clear();
        self.group.direct_bytes = 0;
        Ok(())
    }

    /// Makes the group visible: state first, because data may refer to it; then answers in order.
    fn publish(&mut self) {
        let epoch = self.core.leader_epoch().0;
        let members = std::mem::take(&mut self.group.members);
        let written = members.iter().filter(|m| m.outcome.is_ok());
        self.core
            .counters
            .commits
            .fetch_add(written.clone().count() as u64, Ordering::Relaxed);
        let batches = written.clone().flat_map(|m| &m.submission.appends);
        let bytes: usize = batches.map(|append| append.batch.len()).sum();
        self.core
            .counters
            .bytes_in
            .fetch_add(bytes as u64, Ordering::Relaxed);
        self.core
            .apply_puts(written.flat_map(|m| &m.submission.puts));
        let mut answers = Vec::with_capacity(members.len());
        for Member {
            submission,
            outcome,
        } in members
        {
            let Submission {
                fence,
                appends,
                promise,
                in_flight,
                ..
            } = submission;
            let outcome = outcome.map(|base_offsets| {
                let duplicates = appends.iter().map(|a| a.duplicate_of.is_some()).collect();
                for (append, base) in appends.into_iter().zip(&base_offsets) {
                    if append.duplicate_of.is_some() {
                        continue;
                    }
                    append.partition.publish(
                        &self.core,
                        *base,
                        append.batch,
                        append.max_timestamp,
                        epoch,
                    );
                }
                if let FenceRule::Raise(fence) = &fence {
                    fence
                        .durable
                        .store(fence.written.load(Ordering::Acquire), Ordering::Release);
                }
                Committed {
                    base_offsets,
                    duplicates,
                }
            });
            answers.push((promise, outcome, in_flight));
        }
        self.unpublished.clear();
        self.core
            .published_lsn
            .store(self.next_lsn - 1, Ordering::Release);
        for (promise, outcome, in_flight) in answers {
            promise.complete(outcome);
            drop(in_flight);
        }
        self.core.flush.wake_if_needed();
    }

    fn sync(&mut self) -> Result<()> {
        if self.durable_lsn + 1 < self.next_lsn {
            self.sync_active()?;
        }
        self.last_sync = Instant::now();
        self.core
            .journal_written(self.next_lsn - 1, self.durable_lsn, 0);
        Ok(())
    }

    /// Makes everything written so far durable, and counts how long that took.
    fn sync_active(&mut self) -> Result<()> {
        let started = Instant::now();
        let synced = self.active.file.sync_data();
        synced.map_err(|error| Error::io("sync journal", &self.active.path, error))?;
        let commits = std::mem::take(&mut self.unsynced_commits);
        self.core.counters.syncs.record(started.elapsed(), commits);
        self.durable_lsn = self.next_lsn - 1;
        Ok(())
    }

    fn take_lsn(&mut self) -> u64 {
        self.next_lsn += 1;
        self.next_lsn - 1
    }
}
