//! Many threads that commit as fast as they can and say what was acknowledged.
//!
//! Each thread goes on behind its stored position, so a commit is written once however often the process dies.

use std::collections::VecDeque;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use linkspan_log::{
    Append, Commit, DiskFs, Durability, Error, Fs, Health, KvPut, Local, LocalOptions, LogBackend,
    Opened, Store, Ticket, Topic, TopicSpec, open_local,
};
use linkspan_types::{Clock, Offset, PartitionId, SystemClock, TopicName};
use linkspan_wire::Compression;

use crate::ack::{Ack, Line};
use crate::careless::Careless;
use crate::plan::{Plan, topic_name};

/// How often a full disk is asked again, and the health is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// A thread makes a topic after each so many commits …
const TOPIC_EVERY: u64 = 300;
/// … but no more than so many in one life.
const TOPICS_MAX: u64 = 3;

/// Which clock the log gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clocks {
    /// The machine's.
    #[default]
    System,
    /// One whose wall clock jumps by a day, back and forth, with every look.
    Jumping,
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Load {
    /// How to open the log.
    pub options: LocalOptions,
    /// How many threads commit.
    pub threads: u32,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Commits in flight per thread.
    pub window: usize,
    /// When to stop by itself.
    pub duration: Duration,
    /// The negative control: says "acknowledged" when the commit was only queued.
    pub ack_early: bool,
    /// The negative control of failed syncs: they are taken for successful ones.
    pub ignore_sync_errors: bool,
    /// How batches are compressed.
    pub compression: Compression,
    /// Which clock.
    pub clock: Clocks,
}

/// Options with small files, so that files are rolled, synced and used again many times a second.
#[must_use]
pub fn small_options(dir: impl Into<PathBuf>) -> LocalOptions {
    let mut options = LocalOptions::new(dir);
    options.commit_bytes_max = 1 << 20;
    options.journal_file_bytes = 2 << 20;
    options.journal_first_bytes = 64 << 10;
    options.journal_bytes_max = 8 << 20;
    options.checkpoint_bytes = 1 << 20;
    options.checkpoint_interval = Duration::from_millis(100);
    options.segment_bytes = 1 << 20;
    options.flush_bytes = 64 << 10;
    options.flush_age = Duration::from_millis(100);
    options.tail_cache_bytes = 4 << 20;
    options.idle_marker = Duration::from_millis(20);
    options.sync_interval = Duration::from_millis(200);
    options
}

impl Load {
    /// The defaults of the tests, for a data directory.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            options: small_options(dir),
            threads: 6,
            partitions: 4,
            window: 8,
            duration: Duration::from_secs(3600),
            ack_early: false,
            ignore_sync_errors: false,
            compression: Compression::None,
            clock: Clocks::System,
        }
    }

    /// Sets the log's durability.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// Runs until the time is over or the log stops.
    ///
    /// # Errors
    /// The log could not be opened or closed, or a thread failed.
    pub fn run(&self) -> Result<()> {
        let clock: Arc<dyn Clock> = match self.clock {
            Clocks::System => Arc::new(SystemClock::default()),
            Clocks::Jumping => Arc::new(JumpingClock::default()),
        };
        let begin = Instant::now();
        let fs: Arc<dyn Fs> = if self.ignore_sync_errors {
            Arc::new(Careless)
        } else {
            Arc::new(DiskFs)
        };
        let log = open_local(fs, clock, self.options.clone())?;
        say(&opened(&log, begin.elapsed()))?;
        let topic = topic(&log, self.partitions)?;
        let stop = AtomicBool::new(false);
        let result = std::thread::scope(|scope| -> Result<()> {
            let (log, topic, stop) = (&log, &topic, &stop);
            let watching = scope.spawn(move || watch(log, stop));
            let reading = scope.spawn(move || read(log, topic, stop));
            let writing: Vec<_> = (0..self.threads)
                .map(|thread| scope.spawn(move || self.write(log, topic, thread, stop)))
                .collect();
            while begin.elapsed() < self.duration && writing.iter().any(|w| !w.is_finished()) {
                std::thread::sleep(LOOK_AGAIN);
            }
            stop.store(true, Ordering::Release);
            let mut result = Ok(());
            for thread in writing.into_iter().chain([watching, reading]) {
                let ended = thread.join().map_err(|_| anyhow!("a thread panicked"));
                if let Err(error) = ended.and_then(|ended| ended) {
                    say(&Line::Failed(format!("{error:#}")))?;
                    result = Err(error);
                }
            }
            result
        });
        result.and(log.close().map_err(Into::into))?;
        say(&Line::Done)
    }

    fn write(&self, log: &Local, topic: &Topic, thread: u32, stop: &AtomicBool) -> Result<()> {
        let owner = format!("load-{thread}").into();
        let mut producer = log.open_producer(&owner)?;
        let stored = log.get(Store::SourceOffsets, &position_key(thread))?;
        let mut seq = match stored {
            Some(value) => u64::from_le_bytes(value.as_ref().try_into().context("a position")?),
            None => 0,
        };
        let mut made = 0;
        let mut in_flight: VecDeque<(u64, Ticket)> = VecDeque::new();
        while !stop.load(Ordering::Acquire) {
            let submitted = producer.submit(self.commit(topic, thread, seq)?);
            let mut failed = None;
            match submitted {
                Ok(ticket) => {
                    if self.ack_early {
                        say(&ack(thread, seq, Vec::new()))?;
                    }
                    in_flight.push_back((seq, ticket));
                    seq += 1;
                    if in_flight.len() >= self.window {
                        failed = self.settle_one(thread, &mut in_flight)?;
                    }
                }
                Err(error) => failed = Some(error),
            }
            if let Some(error) = failed {
                // Everything behind the first failure fails too; go on behind the last durable commit.
                while !in_flight.is_empty() {
                    self.settle_one(thread, &mut in_flight)?;
                }
                if !passes(&error) {
                    return Err(error.into());
                }
                std::thread::sleep(LOOK_AGAIN);
                producer = log.producer_at(&owner, producer.fence_epoch())?;
                let stored = log.get(Store::SourceOffsets, &position_key(thread))?;
                seq = match stored {
                    Some(value) => {
                        u64::from_le_bytes(value.as_ref().try_into().context("a position")?)
                    }
                    None => 0,
                };
            }
            if seq % TOPIC_EVERY == TOPIC_EVERY - 1 && made < TOPICS_MAX {
                made += 1;
                make_topic(log, thread, seq)?;
            }
        }
        while !in_flight.is_empty() {
            if let Some(error) = self.settle_one(thread, &mut in_flight)?
                && !passes(&error)
            {
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Waits for the oldest commit; returns the log's refusal, if it was one.
    fn settle_one(
        &self,
        thread: u32,
        in_flight: &mut VecDeque<(u64, Ticket)>,
    ) -> Result<Option<Error>> {
        let Some((seq, ticket)) = in_flight.pop_front() else {
            return Ok(None);
        };
        match ticket.wait() {
            Ok(committed) => {
                let bases: Vec<i64> = committed.base_offsets.iter().map(|o| o.0).collect();
                if !self.ack_early {
                    say(&ack(thread, seq, self.places(thread, seq, &bases)))?;
                }
                Ok(None)
            }
            Err(error) => Ok(Some(error)),
        }
    }

    fn places(&self, thread: u32, seq: u64, bases: &[i64]) -> Vec<(i32, i64)> {
        let parts = Plan::new(thread, seq, self.partitions).parts;
        let partitions = parts.iter().map(|part| part.partition);
        partitions.zip(bases.iter().copied()).collect()
    }

    fn commit(&self, topic: &Topic, thread: u32, seq: u64) -> Result<Commit> {
        let plan = Plan::new(thread, seq, topic.partitions);
        let appends: Result<Vec<Append>> = plan
            .parts
            .iter()
            .map(|part| {
                Ok(Append {
                    topic: topic.id,
                    partition: PartitionId(part.partition),
                    batch: plan.batch(part, self.compression)?,
                })
            })
            .collect();
        let position = KvPut {
            store: Store::SourceOffsets,
            key: Bytes::from(position_key(thread)),
            value: Some(Bytes::copy_from_slice(&(seq + 1).to_le_bytes())),
        };
        Ok(Commit {
            appends: appends?,
            puts: vec![position],
        })
    }
}

/// Whether the log will take commits again by itself.
fn passes(error: &Error) -> bool {
    matches!(
        error,
        Error::DiskFull { .. }
            | Error::DiskBound { .. }
            | Error::OutOfFiles { .. }
            | Error::Aborted
    )
}

/// The key under which a thread keeps the number of its next commit.
pub(crate) fn position_key(thread: u32) -> Vec<u8> {
    format!("logload/{thread}").into_bytes()
}

fn ack(thread: u32, seq: u64, places: Vec<(i32, i64)>) -> Line {
    Line::Ack(Ack {
        thread,
        seq,
        places,
    })
}

/// Says one line in one system call: a pipe takes it as a whole.
fn say(line: &Line) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(line.text().as_bytes())?;
    Ok(out.flush()?)
}

fn opened(log: &Local, took: Duration) -> Line {
    let (how, replayed) = match log.opened() {
        Opened::New => ("new", 0),
        Opened::Resumed {
            unclean, replayed, ..
        } => (if *unclean { "unclean" } else { "clean" }, *replayed),
    };
    Line::Opened {
        how: how.to_owned(),
        replayed,
        micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    }
}

fn topic(log: &Local, partitions: i32) -> Result<Topic> {
    let name = topic_name()?;
    match log.topic(&name)? {
        Some(topic) => Ok(topic),
        None => Ok(log.create_topic(&name, &TopicSpec::with_partitions(partitions))?),
    }
}

fn make_topic(log: &Local, thread: u32, seq: u64) -> Result<()> {
    let name = format!("extra-{thread}-{seq}");
    let made = log.create_topic(
        &TopicName::try_new(name.as_str())?,
        &TopicSpec::with_partitions(2),
    );
    match made {
        Ok(_) => say(&Line::Topic(name)),
        // An earlier life made it and died before it could say so.
        Err(Error::TopicExists { .. }) => Ok(()),
        Err(error) if passes(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Says when the log's health changes.
fn watch(log: &Local, stop: &AtomicBool) -> Result<()> {
    let mut last = "ok";
    while !stop.load(Ordering::Acquire) {
        let now = match log.health() {
            Health::Ok => "ok",
            Health::DiskFull { .. } => "full",
            Health::Poisoned { .. } => "poisoned",
            _ => "waits",
        };
        if now != last {
            last = now;
            say(&Line::Health(now.to_owned()))?;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Reads all partitions from their start, again and again, while others write.
fn read(log: &Local, topic: &Topic, stop: &AtomicBool) -> Result<()> {
    let mut total = 0_u64;
    let mut next = vec![Offset(0); usize::try_from(topic.partitions)?];
    while !stop.load(Ordering::Acquire) {
        let before = total;
        for (partition, next) in (0..).zip(&mut next) {
            let read = match log.fetch(&topic.id, PartitionId(partition), *next, 256 << 10) {
                Ok(read) => read,
                Err(error) if passes(&error) => continue,
                Err(error) => return Err(error.into()),
            };
            total += u64::try_from(read.next.0 - next.0)?;
            // At the end it starts over: old data must be readable all the time.
            *next = if read.bytes.is_empty() {
                Offset(0)
            } else {
                read.next
            };
        }
        if total != before {
            say(&Line::Read(total))?;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// A clock whose wall clock is wrong by a day in turn.
#[derive(Debug, Default)]
struct JumpingClock {
    real: SystemClock,
    looks: AtomicU64,
}

impl Clock for JumpingClock {
    fn now_ms(&self) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        match self.looks.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => self.real.now_ms() - DAY_MS,
            1 => self.real.now_ms() + DAY_MS,
            _ => self.real.now_ms(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }
}
