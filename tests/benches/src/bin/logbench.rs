//! The log against the disk: every figure is a ratio to a bare program that does the same system calls in the same run.
//!
//! ```text
//! logbench [calibrate] [append] [sync] [atomic] [--dir DIR] [--rounds N] [--seconds S]      (no name = all)
//! ```
//!
//! - `calibrate`: a large sequential write with one final sync — what the disk can do.
//! - `append`: 8 producers, 16 partitions, 5 commits in flight each, batches of 100 records of 1 KB and of 100 B; beside it
//!   the *skeleton*: threads and a queue of the same shape, one vectored write into prewritten, reused files, one
//!   fdatasync per group, the same bytes again into 16 segment files with writeback hints, and a sync of these every
//!   64 MiB. No codec, no checksums, no offsets, no state, no recovery.
//! - `sync`: one producer that waits for each commit, beside a 4 KiB prewritten write + fdatasync.
//! - `atomic`: one commit over 64 partitions beside one over 1.
//!
//! Rounds alternate between the two sides, so that both meet the same noise; medians are printed.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use linkspan_log::{
    Append, Commit, DiskFs, File, Fs, Local, LocalOptions, LogBackend, Open, Producer, Topic,
    TopicSpec, open_local,
};
use linkspan_types::{PartitionId, SystemClock, TopicName};
use linkspan_wire::{BatchBuilder, Compression};

const PRODUCERS: usize = 8;
const PARTITIONS: i32 = 16;
const WINDOW: usize = 5;
const RECORDS: usize = 100;
const JOURNAL_FILE: u64 = 64 << 20;
const UNFLUSHED_MAX: u64 = 64 << 20;

#[derive(Debug)]
struct Args {
    dir: PathBuf,
    rounds: usize,
    seconds: f64,
    names: Vec<String>,
}

fn args() -> Result<Args> {
    let mut parsed = Args {
        dir: PathBuf::from("target/logbench"),
        rounds: 11,
        seconds: 1.0,
        names: Vec::new(),
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--dir" => parsed.dir = value()?.into(),
            "--rounds" => parsed.rounds = value()?.parse()?,
            "--seconds" => parsed.seconds = value()?.parse()?,
            "calibrate" | "append" | "sync" | "atomic" => parsed.names.push(arg),
            other => bail!("unknown argument `{other}`"),
        }
    }
    Ok(parsed)
}

#[expect(clippy::print_stdout, reason = "the table is the program's output")]
fn say(line: &str) {
    println!("{line}");
}

fn main() -> Result<()> {
    let args = args()?;
    let wants = |name: &str| args.names.is_empty() || args.names.iter().any(|n| n == name);
    std::fs::create_dir_all(&args.dir)?;
    let raw = calibrate(&args)?;
    say(&format!(
        "raw sequential write + final fdatasync: {raw:.0} MB/s"
    ));
    if wants("append") {
        append_table(&args, raw)?;
    }
    if wants("sync") {
        sync_table(&args)?;
    }
    if wants("atomic") {
        atomic_table(&args)?;
    }
    std::fs::remove_dir_all(&args.dir)?;
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn float(n: u64) -> f64 {
    n as f64
}

fn calibrate(args: &Args) -> Result<f64> {
    let path = args.dir.join("calibrate");
    let chunk = vec![0x5a_u8; 1 << 20];
    let mut rates = Vec::new();
    for _ in 0..3 {
        let file = DiskFs.open(&path, Open::Create)?;
        file.truncate(0)?;
        let start = Instant::now();
        for n in 0..256 {
            file.write_at(&[IoSlice::new(&chunk)], n << 20)?;
        }
        file.sync_data()?;
        rates.push(float(256 << 20) / start.elapsed().as_secs_f64() / 1e6);
        DiskFs.remove(&path)?;
    }
    Ok(median(&mut rates))
}

fn build(
    record_bytes: usize,
    n: usize,
    builder: &mut BatchBuilder,
    value: &[u8],
) -> Result<Vec<u8>> {
    builder.reserve(n * (record_bytes + 24));
    for index in 0..n {
        let key = u64::try_from(index)?.to_be_bytes();
        builder.push_plain(1_700_000_000_000, Some(&key), Some(value))?;
    }
    Ok(builder.finish()?)
}

/// What both sides can do: take a batch for a partition, answer later.
trait Side: Sync {
    fn producer(&self, number: usize) -> Result<Box<dyn Submit + '_>>;
    /// Brings background work to an end, so that it does not burden the other side.
    fn settle(&self) -> Result<()>;
}

trait Submit: Send {
    fn submit(&mut self, partition: i32) -> Result<()>;
    fn wait_oldest(&mut self) -> Result<()>;
    fn in_flight(&self) -> usize;
}

/// Runs all producers for a while; returns acknowledged commits per second.
fn run(side: &dyn Side, seconds: f64) -> Result<f64> {
    let acknowledged = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let elapsed = std::thread::scope(|scope| -> Result<Duration> {
        let mut threads = Vec::new();
        for number in 0..PRODUCERS {
            let mut producer = side.producer(number)?;
            let (stop, acknowledged) = (&stop, &acknowledged);
            threads.push(scope.spawn(move || -> Result<()> {
                let mut partition = i32::try_from(number)? * 2;
                while !stop.load(Ordering::Relaxed) {
                    partition = (partition + 1) % PARTITIONS;
                    producer.submit(partition)?;
                    if producer.in_flight() >= WINDOW {
                        producer.wait_oldest()?;
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    }
                }
                while producer.in_flight() > 0 {
                    producer.wait_oldest()?;
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            }));
        }
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow!("a producer panicked"))??;
        }
        Ok(start.elapsed())
    })?;
    side.settle()?;
    Ok(float(acknowledged.load(Ordering::Relaxed)) / elapsed.as_secs_f64())
}

struct LogSide {
    log: Arc<Local>,
    topic: Topic,
    record_bytes: usize,
}

impl LogSide {
    fn open(dir: &Path, record_bytes: usize) -> Result<Self> {
        let log = open_local(
            Arc::new(DiskFs),
            Arc::new(SystemClock::default()),
            LocalOptions::new(dir),
        )?;
        let topic = log.create_topic(
            &TopicName::try_new("bench")?,
            &TopicSpec::with_partitions(PARTITIONS),
        )?;
        Ok(Self {
            log,
            topic,
            record_bytes,
        })
    }
}

impl Side for LogSide {
    fn producer(&self, number: usize) -> Result<Box<dyn Submit + '_>> {
        let producer = self
            .log
            .open_producer(&format!("producer-{number}").into())?;
        Ok(Box::new(LogProducer {
            side: self,
            producer,
            builder: BatchBuilder::new(Compression::None),
            value: vec![b'v'; self.record_bytes],
            tickets: VecDeque::new(),
        }))
    }

    fn settle(&self) -> Result<()> {
        Ok(self.log.checkpoint()?)
    }
}

struct LogProducer<'a> {
    side: &'a LogSide,
    producer: Arc<dyn Producer>,
    builder: BatchBuilder,
    value: Vec<u8>,
    tickets: VecDeque<linkspan_log::Ticket>,
}

impl Submit for LogProducer<'_> {
    fn submit(&mut self, partition: i32) -> Result<()> {
        let batch = build(
            self.side.record_bytes,
            RECORDS,
            &mut self.builder,
            &self.value,
        )?;
        let append = Append {
            topic: self.side.topic.id,
            partition: PartitionId(partition),
            batch,
        };
        let commit = Commit {
            appends: vec![append],
            puts: Vec::new(),
        };
        self.tickets.push_back(self.producer.submit(commit)?);
        Ok(())
    }

    fn wait_oldest(&mut self) -> Result<()> {
        if let Some(ticket) = self.tickets.pop_front() {
            ticket.wait()?;
        }
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.tickets.len()
    }
}

/// The same system calls without a log around them.
struct Skeleton {
    queue: SyncSender<Job>,
    shared: Arc<SkeletonShared>,
    batch_bytes: usize,
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
    fn open(dir: &Path, batch_bytes: usize) -> Result<Self> {
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
        std::thread::spawn(move || of_writer.write_journal(&journal, &jobs));
        let of_segments = Arc::clone(&shared);
        std::thread::spawn(move || of_segments.write_segments());
        let of_syncs = Arc::clone(&shared);
        std::thread::spawn(move || of_syncs.sync_segments());
        Ok(Self {
            queue,
            shared,
            batch_bytes,
        })
    }
}

impl SkeletonShared {
    fn write_journal(&self, journal: &[Arc<dyn File>], jobs: &Receiver<Job>) -> Result<()> {
        let (mut at, mut position, mut since_sync) = (0, 4096, 0_u64);
        let padding = vec![0; 4096];
        while let Ok(first) = jobs.recv() {
            let group: Vec<Job> = std::iter::once(first).chain(jobs.try_iter()).collect();
            let bytes: usize = group.iter().map(|job| job.bytes.len()).sum();
            let padded = u64::try_from(bytes.next_multiple_of(4096))?;
            if position + padded > JOURNAL_FILE {
                (at, position) = ((at + 1) % journal.len(), 4096);
            }
            let mut slices: Vec<IoSlice<'_>> =
                group.iter().map(|job| IoSlice::new(&job.bytes)).collect();
            let pad = usize::try_from(padded)? - bytes;
            slices.push(IoSlice::new(padding.get(..pad).unwrap_or_default()));
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
            partition: usize::try_from(partition)?,
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

fn append_table(args: &Args, raw: f64) -> Result<()> {
    say(
        "durable append, 8 producers, 16 partitions, 5 in flight      log MB/s  records/s  skeleton MB/s  log/skeleton  log/raw",
    );
    for record_bytes in [1024, 100] {
        let (log_dir, skeleton_dir) = (args.dir.join("log"), args.dir.join("skeleton"));
        let log = LogSide::open(&log_dir, record_bytes)?;
        let batch = build(
            record_bytes,
            RECORDS,
            &mut BatchBuilder::new(Compression::None),
            &vec![b'v'; record_bytes],
        )?;
        let skeleton = Skeleton::open(&skeleton_dir, batch.len())?;
        let (mut logs, mut skeletons, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        run(&log, args.seconds)?;
        run(&skeleton, args.seconds)?;
        for _ in 0..args.rounds {
            let a = run(&log, args.seconds)?;
            let b = run(&skeleton, args.seconds)?;
            logs.push(a);
            skeletons.push(b);
            ratios.push(a / b);
        }
        let bytes = float(u64::try_from(batch.len())?);
        let rate = median(&mut logs) * bytes / 1e6;
        say(&format!(
            "  {record_bytes:>5} B x {RECORDS}/batch                                      {rate:>10.0} {:>10.0} {:>14.0} {:>13.2} {:>8.2}",
            median(&mut logs) * float(u64::try_from(RECORDS)?),
            median(&mut skeletons) * bytes / 1e6,
            median(&mut ratios),
            rate / raw,
        ));
        log.log.close()?;
        drop((log, skeleton));
        std::fs::remove_dir_all(log_dir)?;
        std::fs::remove_dir_all(skeleton_dir)?;
    }
    Ok(())
}

fn micros(samples: &mut [f64], quantile: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a short list"
    )]
    let at = (float(samples.len() as u64 - 1) * quantile) as usize;
    samples.get(at).copied().unwrap_or(f64::NAN)
}

fn timed(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

fn sync_table(args: &Args) -> Result<()> {
    let dir = args.dir.join("sync");
    let log = LogSide::open(&dir, 1024)?;
    let mut producer = log.producer(0)?;
    let file = DiskFs.open(&args.dir.join("prewritten"), Open::Create)?;
    file.write_at(&[IoSlice::new(&vec![0; 8 << 20])], 0)?;
    file.sync_data()?;
    let page = vec![0x5a; 4096];
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    let owner = log.log.open_producer(&"single".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    for round in 0..u64::try_from(args.rounds)? {
        for n in 0..150 {
            let batch = build(1024, 1, &mut builder, &[b'v'; 1024])?;
            ours.push(timed(|| {
                let batch = batch.clone();
                let append = Append {
                    topic: log.topic.id,
                    partition: PartitionId(0),
                    batch,
                };
                owner
                    .submit(Commit {
                        appends: vec![append],
                        puts: Vec::new(),
                    })?
                    .wait()?;
                Ok(())
            })?);
            let at = ((round * 150 + n) % 2048) * 4096;
            bare.push(timed(|| {
                file.write_at(&[IoSlice::new(&page)], at)?;
                Ok(file.sync_data()?)
            })?);
        }
    }
    while producer.in_flight() > 0 {
        producer.wait_oldest()?;
    }
    say(
        "one synchronous producer, 1 KB                                log p50   log p99   4 KiB write+fdatasync p50   p99   p50 ratio",
    );
    say(&format!(
        "                                                            {:>8.0}us {:>7.0}us {:>24.0}us {:>5.0}us {:>10.2}",
        micros(&mut ours, 0.5),
        micros(&mut ours, 0.99),
        micros(&mut bare, 0.5),
        micros(&mut bare, 0.99),
        micros(&mut ours, 0.5) / micros(&mut bare, 0.5),
    ));
    drop(producer);
    Ok(log.log.close()?)
}

fn atomic_table(args: &Args) -> Result<()> {
    let dir = args.dir.join("atomic");
    let log = LogSide::open(&dir, 1024)?;
    let wide = log.log.create_topic(
        &TopicName::try_new("wide")?,
        &TopicSpec::with_partitions(64),
    )?;
    let producer = log.log.open_producer(&"atomic".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    let (mut one, mut many) = (Vec::new(), Vec::new());
    for _ in 0..args.rounds {
        for (partitions, samples) in [(1, &mut one), (64, &mut many)] {
            for _ in 0..60 {
                let appends: Result<Vec<Append>> = (0..partitions)
                    .map(|p| {
                        let batch = build(1024, 1, &mut builder, &[b'v'; 1024])?;
                        Ok(Append {
                            topic: wide.id,
                            partition: PartitionId(p),
                            batch,
                        })
                    })
                    .collect();
                let mut commit = Some(Commit {
                    appends: appends?,
                    puts: Vec::new(),
                });
                samples.push(timed(|| {
                    if let Some(commit) = commit.take() {
                        producer.submit(commit)?.wait()?;
                    }
                    Ok(())
                })?);
            }
        }
    }
    let (one, many) = (micros(&mut one, 0.5), micros(&mut many, 0.5));
    say(
        "one atomic commit, 1 KB to each partition                     1 partition p50   64 partitions p50   ratio",
    );
    say(&format!(
        "                                                            {one:>15.0}us {many:>17.0}us {:>7.2}",
        many / one
    ));
    Ok(log.log.close()?)
}
