//! The power goes: at every call of a script, at random calls of random ones, and again while recovery runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkspan_types::{SystemClock, error_chain};

use super::oracle::{Model, Op};
use super::script::{self, Runner};
use super::{Random, Row, every};
use crate::journal::file::DATA_START;
use crate::tests::support::{dir, open_mem, tiny};
use crate::{Durability, Fs, LocalOptions, LogBackend, MemFs, open_read_only};

/// Opens a log on what a crash left, checks it, and lets `write` go on; returns what the next crash leaves.
fn life(
    fs: &MemFs,
    model: &mut Model,
    crash_at: u64,
    seed: u64,
    write: impl FnOnce(&mut Runner<'_>, &mut Model) -> crate::Result<()>,
) -> Result<MemFs, String> {
    if crash_at > 0 {
        fs.crash_at(fs.calls() + crash_at);
    }
    match open_mem(fs, tiny()) {
        Ok(log) => {
            match model.check(&*log) {
                // The power went while it was read.
                Err(why) if crash_at > 0 && why.starts_with("read: ") => return Ok(fs.crash(seed)),
                other => other?,
            }
            let result = Runner::new(&log).and_then(|mut runner| write(&mut runner, model));
            if crash_at == 0 {
                result.map_err(|e| format!("without a crash: {}", error_chain(&e)))?;
            }
            let after = fs.crash(seed);
            drop(log);
            Ok(after)
        }
        Err(error) if crash_at == 0 => Err(format!("open: {}", error_chain(&error))),
        Err(_) => Ok(fs.crash(seed)),
    }
}

/// Opens for the last time: read-only first, which must say the same and write nothing.
pub(super) fn last(fs: &MemFs, model: &mut Model) -> Result<(), String> {
    let calls = fs.calls();
    let clock = Arc::new(SystemClock::default());
    // A crash before the directory was made leaves nothing to read.
    if let Ok(log) = open_read_only(Arc::new(fs.clone()), clock, dir()) {
        model
            .clone()
            .check(&*log)
            .map_err(|why| format!("read-only: {why}"))?;
        let mut problems = log.verify().problems;
        // A write that failed half-way may leave one copy like that; it is told, and does no harm.
        problems.retain(|problem| !problem.what.ends_with("the other one is used"));
        if !problems.is_empty() {
            return Err(format!("verify: {problems:?}"));
        }
    }
    if fs.calls() != calls {
        return Err("reading wrote something".into());
    }
    let living = script::open(fs, model).map_err(|e| format!("open: {}", error_chain(&e)))?;
    model.check(&*living.log)?;
    script::send_again(&living.log, &model.expected())?;
    model.check(&*living.log)?;
    let closed = living.log.close();
    closed.map_err(|e| format!("close: {}", error_chain(&e)))?;
    drop(living);
    let living = script::open(fs, model).map_err(|e| format!("open again: {}", error_chain(&e)))?;
    model.check(&*living.log)?;
    script::send_again(&living.log, &model.expected())
}

/// How many calls a script makes in one life, close included.
pub(super) fn calls_of(ops: &[Op], start: &Model) -> u64 {
    let (fs, mut model) = (MemFs::new(), start.clone());
    let living = script::open(&fs, &model).unwrap();
    Runner::on(&living).unwrap().run(ops, &mut model).unwrap();
    living.log.close().unwrap();
    fs.calls()
}

/// Runs a script in a new directory until the power goes, and returns what is left.
pub(super) fn crashed(ops: &[Op], crash_at: u64, model: &mut Model) -> MemFs {
    let fs = MemFs::new();
    fs.crash_at(crash_at);
    let Ok(living) = script::open(&fs, model) else {
        return fs.crash(crash_at);
    };
    let result = Runner::on(&living).and_then(|mut runner| runner.run(ops, model));
    if result.is_ok() {
        // The power may go while it is closed.
        drop(living.log.close());
    }
    let after = fs.crash(crash_at);
    drop(living);
    after
}

#[test]
fn power_loss_at_every_call_of_a_script() {
    let mut row = Row::new("power loss at every call of a script");
    let ops = script::fixed();
    let total = calls_of(&ops, &Model::default());
    assert!(total > 120, "the script makes only {total} calls");
    for crash_at in 1..=total {
        let mut model = Model::default();
        let after = crashed(&ops, crash_at, &mut model);
        let result = last(&after, &mut model);
        row.control(
            model.acknowledged() == 0
                || model
                    .with_a_lost_commit()
                    .check(&*open_mem(&after, tiny()).unwrap())
                    .is_err(),
        );
        row.case(|| format!("call {crash_at} of {total}"), result);
    }
    row.finish(100);
}

#[test]
fn power_loss_at_every_call_of_the_recovery_from_one() {
    let mut row = Row::new("power loss while recovery runs");
    let ops = script::fixed();
    let total = calls_of(&ops, &Model::default());
    for crash_at in 1..=total {
        let mut model = Model::default();
        let after = crashed(&ops, crash_at, &mut model);
        // Every 21st crash is recovered from with a second crash at each of its calls (every third in the long form), the
        // others at one of them.
        let opening = {
            let copy = after.copy();
            drop(open_mem(&copy, tiny()));
            copy.calls()
        };
        let mut random = Random(crash_at);
        let whole = if every() { 3 } else { 21 };
        let seconds: Vec<u64> = match crash_at % whole {
            0 => (1..=opening).collect(),
            _ => vec![1 + random.below(opening)],
        };
        for second in seconds {
            let (copy, mut model) = (after.copy(), model.clone());
            copy.crash_at(second);
            drop(open_mem(&copy, tiny()));
            let again = copy.crash(second * 31 + crash_at);
            let result = last(&again, &mut model);
            row.case(
                || format!("call {crash_at}, then {second} of recovery"),
                result,
            );
        }
    }
    lying_syncs(&mut row, &script::fixed(), &Model::default());
    row.finish(50);
}

/// The control of all crash tests: a disk that says "done" and does nothing must be noticed.
pub(super) fn lying_syncs(row: &mut Row, ops: &[Op], start: &Model) {
    for seed in 0..40 {
        let (fs, mut model) = (MemFs::new(), start.clone());
        let living = script::open(&fs, &model).unwrap();
        let mut runner = Runner::on(&living).unwrap();
        runner.run(&ops[..4], &mut model).unwrap();
        fs.lie_about_sync();
        runner.run(&ops[4..], &mut model).unwrap();
        let after = fs.crash(seed);
        drop(living);
        row.control(last(&after, &mut model).is_err());
    }
}

#[test]
fn without_replay_or_without_waiting_for_the_disk_commits_are_lost_and_that_is_noticed() {
    let mut row = Row::new("controls: no replay, durability os");
    for seed in 0..40 {
        let (fs, mut model) = (MemFs::new(), Model::default());
        let log = open_mem(&fs, tiny()).unwrap();
        let ops = script::fixed();
        let n = 5 + usize::try_from(seed).unwrap() % 6;
        Runner::new(&log)
            .unwrap()
            .run(&ops[..n], &mut model)
            .unwrap();
        let after = fs.crash(seed);
        drop(log);
        row.case(
            || format!("seed {seed}"),
            last(&after.copy(), &mut model.clone()),
        );
        // A recovery that replays nothing: the same as a journal whose files have headers and no frames.
        for path in after
            .files()
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "wal"))
        {
            let mut bytes = after.contents(path).unwrap();
            bytes
                .iter_mut()
                .skip(usize::try_from(DATA_START).unwrap())
                .for_each(|byte| *byte = 0);
            after.set_contents(path, bytes);
        }
        row.control(last(&after, &mut model).is_err());
    }
    // Durability `os` may lose the last commits when the power goes, but each of them whole and in order.
    for seed in 0..40 {
        let (fs, mut model) = (MemFs::new(), Model::default());
        let options = LocalOptions {
            durability: Durability::Os,
            ..tiny()
        };
        let log = open_mem(&fs, options).unwrap();
        let ops = script::fixed();
        let (create, rest) = ops.split_at(2);
        let mut runner = Runner::new(&log).unwrap();
        runner.run(create, &mut model).unwrap();
        log.checkpoint().unwrap();
        let commits: Vec<Op> = rest
            .iter()
            .filter(|op| matches!(op, Op::Commit { number: 0..8, .. }))
            .cloned()
            .collect();
        runner.run(&commits, &mut model).unwrap();
        let after = fs.crash(seed);
        drop(log);
        let all: Vec<Op> = create.iter().chain(&commits).cloned().collect();
        let result = last(&after, &mut Model::without_answers(&all));
        row.case(|| format!("durability os, seed {seed}"), result);
        row.control(last(&after, &mut model).is_err());
    }
    row.finish(40);
}

#[test]
fn a_data_directory_in_new_folders_survives_the_loss_of_power() {
    let mut row = Row::new("a data directory in folders that are new");
    // The host may have been killed right after it had made the folder; the names are in the cache only.
    for killed_before in [false, true] {
        for seed in 0..20 {
            let (fs, mut model) = (MemFs::new(), Model::default());
            let deep = PathBuf::from("/new/deep/data");
            if killed_before {
                fs.create_dir(&deep).unwrap();
                fs.sync_dir(Path::new("/new")).unwrap();
                fs.sync_dir(Path::new("/")).unwrap();
            }
            let options = LocalOptions {
                dir: deep,
                ..tiny()
            };
            let log = open_mem(&fs, options.clone()).unwrap();
            let mut runner = Runner::new(&log).unwrap();
            runner.run(&script::fixed()[..5], &mut model).unwrap();
            let after = fs.crash(seed);
            drop(log);
            let opened = open_mem(&after, options).map_err(|e| error_chain(&e));
            let mut wrong = model.with_a_lost_commit();
            row.control(wrong.check(&**opened.as_ref().unwrap()).is_err());
            let result = opened.and_then(|log| model.check(&*log));
            row.case(|| format!("seed {seed}, {killed_before}"), result);
        }
    }
    row.finish(100);
}

/// Three lives with random operations, each ended by a power loss, some of them while it is being opened.
fn history(seed: u64) -> Result<(), String> {
    let (mut model, mut random) = (Model::default(), Random(seed * 7919 + 3));
    let mut fs = MemFs::new();
    for _ in 0..3 {
        let crash_at = match random.below(5) {
            0 => 1 + random.below(12),
            _ => 1 + random.below(300),
        };
        let mut dice = random.clone();
        fs = life(
            &fs,
            &mut model,
            crash_at,
            random.below(u64::MAX),
            |runner, model| {
                for _ in 0..40 {
                    let op = script::random(dice.below(1 << 40), &model.expected(), &mut dice);
                    runner.step(&op, model)?;
                }
                runner.run(&[], model)
            },
        )?;
        random.below(2);
    }
    last(&fs, &mut model)
}

#[test]
fn random_histories_with_random_power_losses() {
    let seeds: u64 = std::env::var("LINKSPAN_CRASH_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2000);
    let first: u64 = std::env::var("LINKSPAN_CRASH_FIRST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut row = Row::new("random histories, random power losses");
    let failures = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                scope.spawn(move || {
                    let seeds = (first..first + seeds).filter(|seed| seed % 2 == half);
                    seeds
                        .filter_map(|seed| {
                            history(seed).err().map(|why| format!("seed {seed}: {why}"))
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect::<Vec<_>>()
    });
    row.cases = seeds;
    row.failures = failures;
    row.note = format!("seeds {first}..{}", first + seeds);
    lying_syncs(&mut row, &script::fixed(), &Model::default());
    row.finish(50);
}
