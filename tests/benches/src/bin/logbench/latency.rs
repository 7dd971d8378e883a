//! How long a commit takes: alone, among 64, at half of the greatest rate, over 64 partitions.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use linkspan_log::{Append, Commit, LogBackend as _, Producer, TopicSpec};
use linkspan_types::{PartitionId, TopicId, TopicName};
use linkspan_wire::{BatchBuilder, Compression};

use crate::Args;
use crate::raw::Page;
use crate::sides::{LogSide, PRODUCERS, RECORDS, Until, build, run};
use crate::table::{float, median, quantile, row, timed};

const SAMPLES_PER_ROUND: usize = 150;
const MANY: usize = 64;

pub(crate) fn table(args: &Args) -> Result<()> {
    let dir = args.dir.join("latency");
    let log = LogSide::open(&dir, 1024)?;
    let mut page = Page::new(&args.dir)?;
    single_and_many(args, &log, &mut page)?;
    paced(args, &log, &mut page)?;
    wide(args, &log)?;
    log.log.close()?;
    drop(log);
    Ok(std::fs::remove_dir_all(dir)?)
}

fn commit_of(
    topic: TopicId,
    partitions: i32,
    records: usize,
    builder: &mut BatchBuilder,
) -> Result<Commit> {
    let appends: Result<Vec<Append>> = (0..partitions)
        .map(|partition| {
            Ok(Append {
                topic,
                partition: PartitionId(partition),
                batch: build(1024, records, builder, &[b'v'; 1024])?,
            })
        })
        .collect();
    Ok(Commit {
        appends: appends?,
        puts: Vec::new(),
    })
}

fn commit_time(producer: &dyn Producer, commit: Commit) -> Result<f64> {
    timed(|| {
        producer.submit(commit)?.wait()?;
        Ok(())
    })
}

fn single_and_many(args: &Args, log: &LogSide, page: &mut Page) -> Result<()> {
    let (mut alone, mut bare, mut many) = (vec![], vec![], vec![]);
    let (mut rates, mut times, mut per_sync) = (vec![], vec![], vec![]);
    let producer = log.log.open_producer(&"single".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..args.rounds {
        let mut this_round = Vec::new();
        for _ in 0..SAMPLES_PER_ROUND {
            let commit = commit_of(log.topic.id, 1, 1, &mut builder)?;
            this_round.push(commit_time(&*producer, commit)?);
            bare.push(page.sync()?);
        }
        // Rates of both, so that a moment in which the machine was away counts for both.
        let alone_rate = 1e6 * float(this_round.len() as u64) / this_round.iter().sum::<f64>();
        alone.append(&mut this_round);
        let before = log.log.stat()?;
        let (rate, mut samples) = sixty_four(log, args.seconds.min(2.0))?;
        let after = log.log.stat()?;
        let groups = float(after.groups - before.groups).max(1.0);
        per_sync.push(float(after.commits - before.commits) / groups);
        many.append(&mut samples);
        times.push(rate / alone_rate);
        rates.push(rate);
    }
    let (s50, s99) = (quantile(&mut bare, 0.5), quantile(&mut bare, 0.99));
    let (p50, p99) = (quantile(&mut alone, 0.5), quantile(&mut alone, 0.99));
    row(
        "S: 4 KiB prewritten write + fdatasync",
        &format!("p50 {s50:.0} us, p99 {s99:.0} us"),
        "the measure",
        true,
    );
    row(
        "one synchronous producer, 1 KB",
        &format!(
            "p50 {p50:.0} us = {:.2} S50; p99 {p99:.0} us = {:.2} S99",
            p50 / s50,
            p99 / s99
        ),
        "<= 1.5 S50, 2 S99",
        p50 <= 1.5 * s50 && p99 <= 2.0 * s99,
    );
    let (p99, times) = (quantile(&mut many, 0.99), median(&mut times));
    row(
        "64 synchronous producers, 1 KB",
        &format!(
            "{:.1} k/s = {times:.1} x one; p99 {p99:.0} us = {:.2} S99; {:.0} commits per sync",
            median(&mut rates) / 1e3,
            p99 / s99,
            median(&mut per_sync),
        ),
        ">= 20 x, <= 3 S99",
        times >= 20.0 && p99 <= 3.0 * s99,
    );
    Ok(())
}

/// Returns commits per second and their times.
fn sixty_four(log: &LogSide, seconds: f64) -> Result<(f64, Vec<f64>)> {
    let stop = AtomicBool::new(false);
    let all = Mutex::new(Vec::new());
    let begin = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        for number in 0..MANY {
            let producer = log.log.open_producer(&format!("many-{number}").into())?;
            let (stop, all) = (&stop, &all);
            threads.push(scope.spawn(move || -> Result<()> {
                let mut builder = BatchBuilder::new(Compression::None);
                let mut samples = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let commit = commit_of(log.topic.id, 1, 1, &mut builder)?;
                    samples.push(commit_time(&*producer, commit)?);
                }
                all.lock()
                    .map_err(|_| anyhow!("poisoned"))?
                    .append(&mut samples);
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
        Ok(())
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let all = all.into_inner().map_err(|_| anyhow!("poisoned"))?;
    Ok((float(all.len() as u64) / seconds, all))
}

/// Producers keep a pace of half of the greatest rate; a commit's time counts from when it was due.
fn paced(args: &Args, log: &LogSide, page: &mut Page) -> Result<()> {
    let (mut times, mut bare, mut max) = (vec![], vec![], vec![]);
    let before = log.log.stat()?.checkpoints;
    for _ in 0..args.rounds.min(5) {
        for _ in 0..SAMPLES_PER_ROUND {
            bare.push(page.sync()?);
        }
        let rate = run(log, Until::Seconds(args.seconds.min(3.0)))?;
        max.push(rate);
        times.append(&mut at_pace(log, rate / 2.0, args.seconds.max(2.0))?);
    }
    let s99 = quantile(&mut bare, 0.99);
    let (p50, p99) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99));
    row(
        "1 KB x 100 at 50 % of the greatest rate",
        &format!(
            "{:.0} commits/s; p50 {p50:.0} us, p99 {p99:.0} us = {:.2} S99 ({s99:.0} us); {} checkpoints",
            median(&mut max) / 2.0,
            p99 / s99,
            log.log.stat()?.checkpoints - before,
        ),
        "<= 5 S99",
        p99 <= 5.0 * s99,
    );
    Ok(())
}

fn at_pace(log: &LogSide, rate: f64, seconds: f64) -> Result<Vec<f64>> {
    let step = Duration::from_secs_f64(float(PRODUCERS as u64) / rate);
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| -> Result<()> {
        let mut threads = Vec::new();
        for number in 0..PRODUCERS {
            let producer = log.log.open_producer(&format!("paced-{number}").into())?;
            let all = &all;
            threads.push(scope.spawn(move || -> Result<()> {
                let mut builder = BatchBuilder::new(Compression::None);
                let begin = Instant::now();
                let mut due = begin + step.mul_f64(float(number as u64) / float(PRODUCERS as u64));
                let mut samples = Vec::new();
                while begin.elapsed().as_secs_f64() < seconds {
                    let commit = commit_of(log.topic.id, 1, RECORDS, &mut builder)?;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    producer.submit(commit)?.wait()?;
                    samples.push(due.elapsed().as_secs_f64() * 1e6);
                    due += step;
                }
                all.lock()
                    .map_err(|_| anyhow!("poisoned"))?
                    .append(&mut samples);
                Ok(())
            }));
        }
        for thread in threads {
            thread
                .join()
                .map_err(|_| anyhow!("a producer panicked"))??;
        }
        Ok(())
    })?;
    all.into_inner().map_err(|_| anyhow!("poisoned"))
}

fn wide(args: &Args, log: &LogSide) -> Result<()> {
    let topic = log.log.create_topic(
        &TopicName::try_new("wide")?,
        &TopicSpec::with_partitions(i32::try_from(MANY)?),
    )?;
    let producer = log.log.open_producer(&"atomic".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    let mut bare = Page::of_bytes(&args.dir, 72 << 10)?;
    let (mut one, mut many, mut pages) = (vec![], vec![], vec![]);
    for _ in 0..args.rounds {
        for _ in 0..60 {
            let commit = commit_of(topic.id, 1, 1, &mut builder)?;
            one.push(commit_time(&*producer, commit)?);
            let commit = commit_of(topic.id, i32::try_from(MANY)?, 1, &mut builder)?;
            many.push(commit_time(&*producer, commit)?);
            pages.push(bare.sync()?);
        }
    }
    let (one, many) = (median(&mut one), median(&mut many));
    row(
        "one commit over 64 partitions, 1 KB each",
        &format!(
            "{many:.0} us against {one:.0} us over 1 = {:.2} x; 72 KiB write + fdatasync alone {:.0} us",
            many / one,
            median(&mut pages)
        ),
        "<= 2 x",
        many <= 2.0 * one,
    );
    Ok(())
}
