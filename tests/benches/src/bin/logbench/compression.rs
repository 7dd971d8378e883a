//! Compression of text and JSON on the way through the log: producers encode, a reader decodes, in the same process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use linkspan_log::{Append, Commit, LocalOptions, LogBackend as _};
use linkspan_types::{Offset, PartitionId};
use linkspan_wire::{BatchBuilder, Batches, Compression};

use crate::Args;
use crate::sides::{LogSide, PARTITIONS};
use crate::table::{float, median, row};

/// Producers: as many as the cores of a small machine.
const PRODUCERS: usize = 2;
const LINES: usize = 20_000;
const KINDS: [(&str, Compression); 3] = [
    ("none", Compression::None),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

pub(crate) fn table(args: &Args) -> Result<()> {
    for (what, lines, records) in [
        ("CSV lines of 100 B", csv_lines(), 1000),
        ("JSON of 1 KB", json_lines(), 100),
    ] {
        let average = lines.iter().map(Vec::len).sum::<usize>() / lines.len();
        let mut results: Vec<(Vec<f64>, f64)> = vec![(vec![], 0.0); KINDS.len()];
        for round in 0..=args.rounds.min(7) {
            for ((name, kind), result) in KINDS.iter().zip(&mut results) {
                let dir = args.dir.join(format!("compression-{name}"));
                let (rate, stored) = through(&dir, *kind, &lines, records, args.seconds.min(3.0))?;
                if round > 0 {
                    result.0.push(rate);
                    result.1 = stored;
                }
            }
        }
        let none = results
            .first()
            .map_or(f64::NAN, |(rates, _)| median(&mut rates.clone()));
        for ((name, _), (mut rates, stored)) in KINDS.iter().zip(results) {
            let rate = median(&mut rates);
            row(
                &format!("{what} ({average} B) x {records}, {name}"),
                &format!(
                    "{:.2} M rec/s in and out = {:.2} of none; {stored:.1} B on disk each",
                    rate / 1e6,
                    rate / none
                ),
                "measured",
                true,
            );
        }
    }
    Ok(())
}

/// Returns records per second, read back too, and stored bytes per record.
fn through(
    dir: &Path,
    compression: Compression,
    lines: &[Vec<u8>],
    records: usize,
    seconds: f64,
) -> Result<(f64, f64)> {
    let side = LogSide::open_with(LocalOptions::new(dir), 0)?;
    let (stop, written, stored) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let begin = Instant::now();
    std::thread::scope(|scope| -> Result<()> {
        let (side, stop, written, stored) = (&side, &stop, &written, &stored);
        let reader = scope.spawn(move || read(side, stop, written));
        let mut writers = Vec::new();
        for number in 0..PRODUCERS {
            let producer = side.log.open_producer(&format!("in-{number}").into())?;
            writers.push(scope.spawn(move || -> Result<()> {
                let mut builder = BatchBuilder::new(compression);
                let mut tickets = std::collections::VecDeque::new();
                let (mut at, mut partition) = (number * LINES / PRODUCERS, i32::try_from(number)?);
                while !stop.load(Ordering::Relaxed) {
                    for line in lines.iter().cycle().skip(at).take(records) {
                        builder.push_plain(1_700_000_000_000, None, Some(line))?;
                    }
                    at = (at + records) % lines.len();
                    partition = (partition + 1) % PARTITIONS;
                    let batch = builder.finish()?;
                    stored.fetch_add(batch.len() as u64, Ordering::Relaxed);
                    tickets.push_back(producer.submit(Commit {
                        appends: vec![Append {
                            topic: side.topic.id,
                            partition: PartitionId(partition),
                            batch,
                        }],
                        puts: Vec::new(),
                    })?);
                    written.fetch_add(records as u64, Ordering::Relaxed);
                    if tickets.len() >= 5
                        && let Some(ticket) = tickets.pop_front()
                    {
                        ticket.wait()?;
                    }
                }
                for ticket in tickets {
                    ticket.wait()?;
                }
                Ok(())
            }));
        }
        std::thread::sleep(Duration::from_secs_f64(seconds));
        stop.store(true, Ordering::Relaxed);
        for thread in writers.into_iter().chain([reader]) {
            thread.join().map_err(|_| anyhow!("a thread panicked"))??;
        }
        Ok(())
    })?;
    let seconds = begin.elapsed().as_secs_f64();
    let n = float(written.into_inner());
    side.log.close()?;
    drop(side);
    std::fs::remove_dir_all(dir)?;
    Ok((n / seconds, float(stored.into_inner()) / n))
}

/// Reads every record of every partition until the writers have ended and all of theirs was seen.
fn read(side: &LogSide, stop: &AtomicBool, written: &AtomicU64) -> Result<()> {
    let mut next = vec![Offset(0); usize::try_from(PARTITIONS)?];
    let (mut seen, mut bytes, mut scratch) = (0, 0_usize, Vec::new());
    loop {
        let ending = stop.load(Ordering::Acquire);
        let before = seen;
        for (partition, next) in (0..).zip(&mut next) {
            let read = side
                .log
                .fetch(&side.topic.id, PartitionId(partition), *next, 1 << 20)?;
            for batch in Batches::new(&read.bytes) {
                for record in batch?.records(&mut scratch)? {
                    bytes += record?.value.map_or(0, <[u8]>::len);
                    seen += 1;
                }
            }
            *next = read.next;
        }
        if seen == before {
            if ending && seen >= written.load(Ordering::Acquire) {
                ensure!(bytes > 0, "nothing was read");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let at = usize::try_from(self.below(words.len() as u64)).unwrap_or_default();
        words.get(at).copied().unwrap_or_default()
    }
}

const CARRIERS: [&str; 8] = ["UA", "AA", "B6", "DL", "EV", "MQ", "US", "WN"];
const AIRPORTS: [&str; 12] = [
    "EWR", "LGA", "JFK", "IAH", "MIA", "BQN", "ATL", "ORD", "FLL", "IAD", "MCO", "LAX",
];
const WORDS: [&str; 16] = [
    "order",
    "delayed",
    "at",
    "the",
    "gate",
    "because",
    "of",
    "weather",
    "over",
    "the",
    "bay",
    "crew",
    "change",
    "late",
    "aircraft",
    "turnaround",
];

/// Departures, as in the flights of `configs/data`.
fn csv_lines() -> Vec<Vec<u8>> {
    let mut random = Random(1);
    (0..LINES)
        .map(|_| {
            format!(
                "2013,{},{},{},{},{},{},{},{},N{:05},{},{},{},{},2013-{:02}-{:02}T{:02}:00:00Z,{:.4}",
                1 + random.below(12),
                1 + random.below(28),
                500 + random.below(1800),
                500 + random.below(1800),
                random.below(60),
                random.below(2400),
                random.of(&CARRIERS),
                random.below(6000),
                random.below(99_999),
                random.of(&AIRPORTS),
                random.of(&AIRPORTS),
                random.below(400),
                random.below(3000),
                1 + random.below(12),
                1 + random.below(28),
                random.below(24),
                float(random.below(1_000_000)) / 1e4,
            )
            .into_bytes()
        })
        .collect()
}

fn json_lines() -> Vec<Vec<u8>> {
    let mut random = Random(2);
    (0..LINES)
        .map(|n| {
            let note: Vec<&str> = (0..60).map(|_| random.of(&WORDS)).collect();
            let items: Vec<String> = (0..4)
                .map(|_| {
                    format!(
                        "{{\"sku\":\"{:08x}\",\"quantity\":{},\"price\":\"{}.{:02}\",\"gift\":{}}}",
                        random.below(1 << 32),
                        1 + random.below(9),
                        random.below(500),
                        random.below(100),
                        random.below(2) == 0
                    )
                })
                .collect();
            format!(
                "{{\"id\":{n},\"customer\":\"{:016x}\",\"time\":\"2024-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\",\"carrier\":\"{}\",\"from\":\"{}\",\"to\":\"{}\",\"latitude\":{:.6},\"longitude\":{:.6},\"items\":[{}],\"note\":\"{}\"}}",
                random.below(u64::MAX),
                1 + random.below(12),
                1 + random.below(28),
                random.below(24),
                random.below(60),
                random.below(60),
                random.below(1000),
                random.of(&CARRIERS),
                random.of(&AIRPORTS),
                random.of(&AIRPORTS),
                float(random.below(180_000_000)) / 1e6 - 90.0,
                float(random.below(360_000_000)) / 1e6 - 180.0,
                items.join(","),
                note.join(" "),
            )
            .into_bytes()
        })
        .collect()
}
