//! The same system calls without a log around them: one vectored write into prewritten, reused files, one fdatasync per group,
//! the same bytes again into segment files with writeback hints, and a sync of these every 64 MiB.
//!
//! No codec, no checksums, no offsets, no state, no recovery.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use linkspan_log::{DiskFs, File, Fs as _, Open};

use crate::sides::{PARTITIONS, PRODUCERS, Side, Submit, WINDOW};

const JOURNAL_FILE: u64 = 64 << 20;
const UNFLUSHED_MAX: u64 = 64 << 20;

/// The same system calls without a log around them.
pub(crate) struct Skeleton {
    queue: SyncSender<Job>,
    shared: Arc<SkeletonShared>,
    batch_bytes: usize,
    partitions: usize,
}

/// Where the bytes of a batch go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// Into the journal, and later into their segment: what the log does.
    Journal,
    /// Into their segment, which is synced; the journal only gets a reference (`AppendRef`).
    Segment,
}

struct Job {
    partition: usize,
    bytes: Vec<u8>,
    done: SyncSender<()>,
}

struct SkeletonShared {
    segments: Vec<Arc<dyn File>>,
    lengths: Vec<AtomicU64>,
    waiting: Mutex<Vec<(usize, Vec<u8>)>>,
    unflushed: AtomicU64,
    changed: Condvar,
    sync_wanted: AtomicBool,
}

impl Skeleton {
    pub(crate) fn open(dir: &Path, batch_bytes: usize, first: First) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let zeros = vec![0; 1 << 20];
        let mut journal = Vec::new();
        for n in 0..4 {
            let file = DiskFs.open(&dir.join(format!("journal-{n}")), Open::Create)?;
            for mib in 0..JOURNAL_FILE >> 20 {
                file.write_at(&[IoSlice::new(&zeros)], mib << 20)?;
            }
            file.sync_data()?;
            journal.push(file);
        }
        let segments: Result<Vec<_>, _> = (0..PARTITIONS)
            .map(|p| DiskFs.open(&dir.join(format!("segment-{p}")), Open::Create))
            .collect();
        let shared = Arc::new(SkeletonShared {
            segments: segments?,
            lengths: (0..PARTITIONS).map(|_| AtomicU64::new(0)).collect(),
            waiting: Mutex::default(),
            unflushed: AtomicU64::new(0),
            changed: Condvar::new(),
            sync_wanted: AtomicBool::new(false),
        });
        let (queue, jobs) = sync_channel(PRODUCERS * WINDOW);
        let of_writer = Arc::clone(&shared);
        std::thread::spawn(move || of_writer.write_journal(&journal, &jobs, first));
        let of_segments = Arc::clone(&shared);
        std::thread::spawn(move || of_segments.write_segments());
        let of_syncs = Arc::clone(&shared);
        std::thread::spawn(move || of_syncs.sync_segments());
        Ok(Self {
            queue,
            shared,
            batch_bytes,
            partitions: usize::try_from(PARTITIONS)?,
        })
    }

    /// Uses fewer partitions.
    pub(crate) fn over(mut self, partitions: usize) -> Self {
        self.partitions = partitions;
        self
    }
}

impl SkeletonShared {
    fn write_journal(
        &self,
        journal: &[Arc<dyn File>],
        jobs: &Receiver<Job>,
        goes: First,
    ) -> Result<()> {
        let (mut at, mut position, mut since_sync) = (0, 4096, 0_u64);
        let padding = vec![0; 4096];
        while let Ok(first) = jobs.recv() {
            let group: Vec<Job> = std::iter::once(first).chain(jobs.try_iter()).collect();
            let bytes: usize = group.iter().map(|job| job.bytes.len()).sum();
            let bytes = if goes == First::Journal { bytes } else { 4096 };
            let padded = u64::try_from(bytes.next_multiple_of(4096))?;
            if position + padded > JOURNAL_FILE {
                (at, position) = ((at + 1) % journal.len(), 4096);
            }
            let pad = usize::try_from(padded)? - bytes;
            let mut slices: Vec<IoSlice<'_>> = Vec::new();
            if goes == First::Journal {
                slices.extend(group.iter().map(|job| IoSlice::new(&job.bytes)));
                slices.push(IoSlice::new(padding.get(..pad).unwrap_or_default()));
            } else {
                self.write_through(&group)?;
                slices.push(IoSlice::new(&padding));
            }
            let file = journal.get(at).context("journal file")?;
            file.write_at(&slices, position)?;
            file.sync_data()?;
            position += padded;
            since_sync += padded;
            if since_sync >= JOURNAL_FILE {
                since_sync = 0;
                self.sync_wanted.store(true, Ordering::Release);
                self.changed.notify_all();
            }
            if goes == First::Segment {
                for job in group {
                    if job.done.send(()).is_err() {
                        return Ok(());
                    }
                }
                continue;
            }
            let mut waiting = self.waiting.lock().map_err(|_| anyhow!("poisoned"))?;
            while self.unflushed.load(Ordering::Relaxed) > UNFLUSHED_MAX {
                waiting = self
                    .changed
                    .wait(waiting)
                    .map_err(|_| anyhow!("poisoned"))?;
            }
            self.unflushed
                .fetch_add(u64::try_from(bytes)?, Ordering::Relaxed);
            for Job {
                partition,
                bytes,
                done,
            } in group
            {
                waiting.push((partition, bytes));
                if done.send(()).is_err() {
                    return Ok(());
                }
            }
            drop(waiting);
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Writes a group into its segments and syncs each of them.
    fn write_through(&self, group: &[Job]) -> Result<()> {
        let mut runs: Vec<&Job> = group.iter().collect();
        runs.sort_by_key(|job| job.partition);
        let runs: Vec<&[&Job]> = runs.chunk_by(|a, b| a.partition == b.partition).collect();
        let file = |run: &[&Job]| {
            let partition = run.first().map_or(0, |job| job.partition);
            self.segments
                .get(partition)
                .zip(self.lengths.get(partition))
        };
        for run in &runs {
            let slices: Vec<IoSlice<'_>> = run.iter().map(|job| IoSlice::new(&job.bytes)).collect();
            let bytes = u64::try_from(run.iter().map(|job| job.bytes.len()).sum::<usize>())?;
            if let Some((file, length)) = file(run) {
                let at = length.fetch_add(bytes, Ordering::Relaxed);
                file.write_at(&slices, at)?;
                file.start_writeback(at, bytes);
            }
        }
        for run in &runs {
            if let Some((file, _)) = file(run) {
                file.sync_data()?;
            }
        }
        Ok(())
    }

    fn write_segments(&self) -> Result<()> {
        loop {
            let mut waiting = self.waiting.lock().map_err(|_| anyhow!("poisoned"))?;
            while self.unflushed.load(Ordering::Relaxed) < 2 << 20 {
                let (again, timeout) = self
                    .changed
                    .wait_timeout(waiting, Duration::from_millis(200))
                    .map_err(|_| anyhow!("poisoned"))?;
                waiting = again;
                if timeout.timed_out() {
                    break;
                }
            }
            let mut taken = std::mem::take(&mut *waiting);
            drop(waiting);
            taken.sort_by_key(|(partition, _)| *partition);
            for run in taken.chunk_by(|a, b| a.0 == b.0) {
                let partition = run.first().map_or(0, |(partition, _)| *partition);
                let slices: Vec<IoSlice<'_>> =
                    run.iter().map(|(_, bytes)| IoSlice::new(bytes)).collect();
                let bytes = u64::try_from(run.iter().map(|(_, bytes)| bytes.len()).sum::<usize>())?;
                let (Some(file), Some(length)) =
                    (self.segments.get(partition), self.lengths.get(partition))
                else {
                    continue;
                };
                let at = length.fetch_add(bytes, Ordering::Relaxed);
                file.write_at(&slices, at)?;
                file.start_writeback(at, bytes);
                self.unflushed.fetch_sub(bytes, Ordering::Relaxed);
            }
            self.changed.notify_all();
        }
    }

    fn sync_segments(&self) -> Result<()> {
        loop {
            let waiting = self.waiting.lock().map_err(|_| anyhow!("poisoned"))?;
            drop(
                self.changed
                    .wait_timeout(waiting, Duration::from_millis(50))
                    .map_err(|_| anyhow!("poisoned"))?,
            );
            if self.sync_wanted.swap(false, Ordering::AcqRel) {
                self.segments.iter().try_for_each(|file| file.sync_data())?;
            }
        }
    }
}

impl Side for Skeleton {
    fn producer(&self, _number: usize) -> Result<Box<dyn Submit + '_>> {
        Ok(Box::new(SkeletonProducer {
            side: self,
            template: vec![b'v'; self.batch_bytes],
            answers: VecDeque::new(),
        }))
    }

    fn settle(&self) -> Result<()> {
        while self.shared.unflushed.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.shared
            .segments
            .iter()
            .try_for_each(|file| file.sync_data())?;
        Ok(())
    }
}

struct SkeletonProducer<'a> {
    side: &'a Skeleton,
    template: Vec<u8>,
    answers: VecDeque<Receiver<()>>,
}

impl Submit for SkeletonProducer<'_> {
    fn submit(&mut self, partition: i32) -> Result<()> {
        let (done, answer) = sync_channel(1);
        let job = Job {
            partition: usize::try_from(partition)? % self.side.partitions,
            bytes: self.template.clone(),
            done,
        };
        self.side
            .queue
            .send(job)
            .map_err(|_| anyhow!("the skeleton's writer ended"))?;
        self.answers.push_back(answer);
        Ok(())
    }

    fn wait_oldest(&mut self) -> Result<()> {
        if let Some(answer) = self.answers.pop_front() {
            answer.recv()?;
        }
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.answers.len()
    }
}
