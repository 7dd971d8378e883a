//! Power lost at every call of a compaction, also while the recovery from it runs.

use std::sync::Arc;

use linkspan_types::{ManualClock, SystemClock, error_chain};
use linkspan_wire::Compression;

use super::compaction::{Row, commit_of, keyed_batch, keyed_topic, newest, open_at, quiet, rows};
use super::support::{dir, open_mem, producer};
use crate::{LogBackend, MemFs, Topic, open_read_only};

/// A log with several segments, all of it acknowledged; returns what was written.
fn prepared(fs: &MemFs) -> (Arc<crate::Local>, Topic, Vec<Row>) {
    let clock = Arc::new(ManualClock::at(1_000_000));
    let log = open_at(fs, &clock, quiet());
    let made = keyed_topic(&*log, &[("delete.retention.ms", "0")]);
    let mut written = Vec::new();
    let writer = producer(&*log);
    for n in 0..70_u32 {
        let key = format!("k{}", n % 7);
        let value = (n % 11 != 5).then(|| format!("{n} {}", "v".repeat(150)));
        let batch = keyed_batch(Compression::None, 1000, &[(&key, value.as_deref())]);
        let ticket = writer.submit(commit_of(&made, batch)).unwrap();
        let offset = ticket.wait().unwrap().base_offsets[0].0;
        written.push((offset, key, value));
        // The last ones are in the journal only.
        if n == 60 {
            log.checkpoint().unwrap();
        }
    }
    (log, made, written)
}

/// What is the newest of its key is there, unless it is a tombstone; nothing is there that was not written.
fn check(log: &dyn LogBackend, topic: &Topic, written: &[Row]) -> Result<(), String> {
    let read = rows(log, topic).map_err(|e| error_chain(&e))?;
    if let Some(row) = read.iter().find(|row| !written.contains(row)) {
        return Err(format!("row {row:?} was never written"));
    }
    let left = newest(&read);
    for (key, (offset, value)) in newest(written) {
        let found = left.get(&key);
        if value.is_some() && found != Some(&(offset, value)) {
            return Err(format!("key {key}: {found:?}, expected offset {offset}"));
        }
    }
    Ok(())
}

fn reopen(fs: &MemFs, topic: &Topic, written: &[Row]) -> Result<(), String> {
    let stopped = open_read_only(
        Arc::new(fs.clone()),
        Arc::new(SystemClock::default()),
        dir(),
    )
    .map_err(|e| format!("read-only: {}", error_chain(&e)))?;
    check(&*stopped, topic, written).map_err(|what| format!("read-only: {what}"))?;
    let problems = stopped.verify().problems;
    if !problems.is_empty() {
        return Err(format!("verify: {problems:?}"));
    }
    drop(stopped);
    let log = open_mem(fs, quiet()).map_err(|e| format!("open: {}", error_chain(&e)))?;
    check(&*log, topic, written)?;
    let leftovers: Vec<_> = fs
        .files()
        .into_iter()
        .filter(|path| path.to_string_lossy().ends_with(".cleaned"))
        .collect();
    if !leftovers.is_empty() {
        return Err(format!("left behind: {leftovers:?}"));
    }
    // It can be done again, and then there is nothing left to do.
    log.run_compaction_now().map_err(|e| error_chain(&e))?;
    check(&*log, topic, written)?;
    log.close().map_err(|e| error_chain(&e))
}

/// Calls that a compaction makes.
fn calls() -> u64 {
    let fs = MemFs::new();
    let (log, ..) = prepared(&fs);
    let before = fs.calls();
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    log.close().unwrap();
    fs.calls() - before
}

#[test]
fn power_loss_at_every_call_of_a_compaction_loses_no_newest_record() {
    let total = calls();
    assert!(total > 15, "a compaction makes only {total} calls");
    let mut unfinished = 0;
    for crash_at in 1..=total {
        for seed in 0..6 {
            let fs = MemFs::new();
            let (log, made, written) = prepared(&fs);
            fs.crash_at(fs.calls() + crash_at);
            unfinished += u64::from(log.run_compaction_now().is_err());
            let _closed_or_not = log.close();
            let mut after = fs.crash(seed * 101 + crash_at);
            drop(log);
            // The recovery is crashed too.
            for nested in 1..4 {
                let again = after.copy();
                again.crash_at(nested * 3 + seed);
                drop(open_mem(&again, quiet()));
                after = again.crash(seed + nested);
            }
            reopen(&after, &made, &written)
                .unwrap_or_else(|what| panic!("call {crash_at} of {total}, seed {seed}: {what}"));
        }
    }
    assert!(
        unfinished > 20,
        "only {unfinished} compactions were cut short"
    );
}

#[test]
fn negative_control_a_swap_without_sync_loses_records() {
    let total = calls();
    let mut noticed = 0;
    for crash_at in 1..=total {
        for seed in 0..6 {
            let fs = MemFs::new();
            let (log, made, written) = prepared(&fs);
            fs.lie_about_sync();
            fs.crash_at(fs.calls() + crash_at);
            let _cut_short = log.run_compaction_now();
            let after = fs.crash(seed * 101 + crash_at);
            drop(log);
            noticed += u64::from(reopen(&after, &made, &written).is_err());
        }
    }
    assert!(
        noticed > 20,
        "only {noticed} swaps without sync were noticed"
    );
}

#[test]
fn losing_either_slot_after_a_swap_is_noticed_or_harmless() {
    let fs = MemFs::new();
    let (log, made, written) = prepared(&fs);
    log.run_compaction_now().unwrap();
    let fs = fs.crash(1);
    drop(log);
    for name in ["ckpt.a", "ckpt.b"] {
        let copy = fs.copy();
        copy.set_contents(&dir().join(name), vec![7; 4096]);
        match open_mem(&copy, quiet()) {
            // The other slot knows the swap too.
            Ok(log) => check(&*log, &made, &written).unwrap(),
            Err(error) => assert!(matches!(error, crate::Error::Damaged { .. }), "{error:?}"),
        }
    }
}
