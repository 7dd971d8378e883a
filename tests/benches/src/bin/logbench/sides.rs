//! What the log and the skeleton can both do, and how producers drive them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use linkspan_log::{
    Append, Commit, DiskFs, Local, LocalOptions, LogBackend, Producer, Topic, TopicSpec, open_local,
};
use linkspan_types::{PartitionId, SystemClock, TopicName};
use linkspan_wire::{BatchBuilder, Compression};

use crate::table::float;

pub(crate) const PRODUCERS: usize = 8;
pub(crate) const PARTITIONS: i32 = 16;
pub(crate) const WINDOW: usize = 5;
pub(crate) const RECORDS: usize = 100;

pub(crate) fn build(
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
pub(crate) trait Side: Sync {
    fn producer(&self, number: usize) -> Result<Box<dyn Submit + '_>>;
    /// Brings background work to an end, so that it does not burden the other side.
    fn settle(&self) -> Result<()>;
}

pub(crate) trait Submit: Send {
    fn submit(&mut self, partition: i32) -> Result<()>;
    fn wait_oldest(&mut self) -> Result<()>;
    fn in_flight(&self) -> usize;
}

/// How long a run takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Seconds(f64),
    Commits(u64),
}

/// Runs all producers; returns acknowledged commits per second, and then lets background work end.
pub(crate) fn run(side: &dyn Side, until: Until) -> Result<f64> {
    let acknowledged = AtomicU64::new(0);
    let submitted = AtomicU64::new(0);
    let limit = match until {
        Until::Seconds(_) => u64::MAX,
        Until::Commits(limit) => limit,
    };
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let elapsed = std::thread::scope(|scope| -> Result<Duration> {
        let mut threads = Vec::new();
        for number in 0..PRODUCERS {
            let mut producer = side.producer(number)?;
            let (stop, acknowledged, submitted) = (&stop, &acknowledged, &submitted);
            threads.push(scope.spawn(move || -> Result<()> {
                let mut partition = i32::try_from(number)? * 2;
                while !stop.load(Ordering::Relaxed)
                    && submitted.fetch_add(1, Ordering::Relaxed) < limit
                {
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
        if let Until::Seconds(seconds) = until {
            std::thread::sleep(Duration::from_secs_f64(seconds));
            stop.store(true, Ordering::Relaxed);
        }
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

pub(crate) struct LogSide {
    pub(crate) log: Arc<Local>,
    pub(crate) topic: Topic,
    record_bytes: usize,
    records: usize,
}

impl LogSide {
    pub(crate) fn with_records(mut self, records: usize) -> Self {
        self.records = records;
        self
    }

    pub(crate) fn open(dir: &Path, record_bytes: usize) -> Result<Self> {
        Self::open_with(LocalOptions::new(dir), record_bytes)
    }

    pub(crate) fn open_with(options: LocalOptions, record_bytes: usize) -> Result<Self> {
        let log = open_local(Arc::new(DiskFs), Arc::new(SystemClock::default()), options)?;
        let topic = log.create_topic(
            &TopicName::try_new("bench")?,
            &TopicSpec::with_partitions(PARTITIONS),
        )?;
        Ok(Self {
            log,
            topic,
            record_bytes,
            records: RECORDS,
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
            self.side.records,
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
