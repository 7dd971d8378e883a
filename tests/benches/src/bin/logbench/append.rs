//! Throughput: sustained, in a burst, with small records; each beside the skeleton and the raw disk, in turn.

use std::time::Instant;

use anyhow::Result;
use linkspan_log::{LocalOptions, LogBackend as _};
use linkspan_wire::{BatchBuilder, Compression};

use crate::Args;
use crate::raw;
use crate::sides::{LogSide, RECORDS, Until, build, run};
use crate::skeleton::{First, Skeleton};
use crate::table::{float, median, row};

/// A burst that the journal's files (64 MiB each, 1 GiB at most) take in without waiting for a checkpoint.
const BURST_BYTES: u64 = 192 << 20;

pub(crate) fn table(args: &Args) -> Result<()> {
    for (record_bytes, records, goal) in [
        (1024, RECORDS, 0.40),
        (100, RECORDS, 0.22),
        (100, 1000, 0.22),
    ] {
        sustained(args, record_bytes, records, goal)?;
    }
    burst(args)
}

fn sustained(args: &Args, record_bytes: usize, records: usize, goal: f64) -> Result<()> {
    let (log_dir, skeleton_dir) = (args.dir.join("log"), args.dir.join("skeleton"));
    let log = LogSide::open(&log_dir, record_bytes)?.with_records(records);
    let batch = build(
        record_bytes,
        records,
        &mut BatchBuilder::new(Compression::None),
        &vec![b'v'; record_bytes],
    )?;
    let skeleton = Skeleton::open(&skeleton_dir, batch.len(), First::Journal)?;
    let bytes = float(u64::try_from(batch.len())?);
    let (mut logs, mut skeletons, mut to_skeleton, mut to_raw) = (vec![], vec![], vec![], vec![]);
    let begin = Instant::now();
    for round in 0..=args.rounds {
        let log_rate = run(&log, Until::Seconds(args.seconds))?;
        let skeleton_rate = run(&skeleton, Until::Seconds(args.seconds))?;
        let raw = raw::sequential(&args.dir)?;
        // The first round makes the files.
        if round > 0 {
            logs.push(log_rate);
            skeletons.push(skeleton_rate);
            to_skeleton.push(log_rate / skeleton_rate);
            to_raw.push(log_rate * bytes / 1e6 / raw);
        }
    }
    let (ratio, to_skeleton) = (median(&mut to_raw), median(&mut to_skeleton));
    let rate = median(&mut logs);
    let n = float(u64::try_from(records)?);
    row(
        &format!(
            "sustained {record_bytes} B x {records}, {:.0} s each",
            begin.elapsed().as_secs_f64() / 2.2
        ),
        &format!(
            "{:.0} MB/s, {:.2} M rec/s; skeleton {:.0} MB/s; log/skeleton {to_skeleton:.2}; log/R {ratio:.2}",
            rate * bytes / 1e6,
            rate * n / 1e6,
            median(&mut skeletons) * bytes / 1e6,
        ),
        &format!(">= {goal:.2} R, 0.85 sk"),
        ratio >= goal && to_skeleton >= 0.85,
    );
    log.log.close()?;
    drop((log, skeleton));
    std::fs::remove_dir_all(log_dir)?;
    Ok(std::fs::remove_dir_all(skeleton_dir)?)
}

fn burst(args: &Args) -> Result<()> {
    let dir = args.dir.join("burst");
    let log = LogSide::open_with(LocalOptions::new(&dir), 1024)?;
    let batch = build(
        1024,
        RECORDS,
        &mut BatchBuilder::new(Compression::None),
        &[b'v'; 1024],
    )?;
    let bytes = float(u64::try_from(batch.len())?);
    let commits = BURST_BYTES / u64::try_from(batch.len())?;
    let (mut rates, mut ratios) = (vec![], vec![]);
    for round in 0..=args.rounds {
        let rate = run(&log, Until::Commits(commits))? * bytes / 1e6;
        let raw = raw::sequential(&args.dir)?;
        if round > 1 {
            rates.push(rate);
            ratios.push(rate / raw);
        }
    }
    let ratio = median(&mut ratios);
    row(
        "burst of 192 MiB, 1 KB x 100",
        &format!("{:.0} MB/s; log/R {ratio:.2}", median(&mut rates)),
        ">= 0.65 R",
        ratio >= 0.65,
    );
    log.log.close()?;
    drop(log);
    Ok(std::fs::remove_dir_all(dir)?)
}

/// The trial of `AppendRef`: the skeleton with its first copy in the journal, beside one that writes straight into segments.
pub(crate) fn direct(args: &Args) -> Result<()> {
    for (what, batch_bytes, partitions) in [
        ("1 KB x 100, 16 partitions", 104_000, 16),
        ("100 B x 1000, 16 partitions", 115_000, 16),
        ("1 MiB batches, 16 partitions", 1 << 20, 16),
        ("1 MiB batches, 1 partition", 1 << 20, 1),
    ] {
        let dirs = [
            args.dir.join("journal-first"),
            args.dir.join("segment-first"),
        ];
        let [journal, segment] = &dirs;
        let journal = Skeleton::open(journal, batch_bytes, First::Journal)?.over(partitions);
        let segment = Skeleton::open(segment, batch_bytes, First::Segment)?.over(partitions);
        let bytes = float(u64::try_from(batch_bytes)?) / 1e6;
        let (mut first, mut second, mut ratios) = (vec![], vec![], vec![]);
        for round in 0..=args.rounds {
            let a = run(&journal, Until::Seconds(args.seconds))?;
            let b = run(&segment, Until::Seconds(args.seconds))?;
            if round > 0 {
                first.push(a * bytes);
                second.push(b * bytes);
                ratios.push(b / a);
            }
        }
        row(
            &format!("AppendRef, {what}"),
            &format!(
                "journal first {:.0} MB/s, segment first {:.0} MB/s = {:.2} x",
                median(&mut first),
                median(&mut second),
                median(&mut ratios)
            ),
            "measured",
            true,
        );
        drop((journal, segment));
        for dir in &dirs {
            std::fs::remove_dir_all(dir)?;
        }
    }
    Ok(())
}
