//! What a log does to itself, under every fault: compaction and its swap, retention that deletes, a backup while it
//! runs; and the state of an idempotent producer, whose batches are sent again after every recovery.
//!
//! The oracle of `power` holds for all of it, with two freedoms: of a compacted topic the newest values are compared, and
//! a topic that forgets may begin anywhere between what readers have seen and what its age allows. A backup that was
//! acknowledged must restore to the state of its time; one that was not may be refused, but nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use linkspan_types::{ManualClock, error_chain};

use super::nth::{Start, sweep};
use super::oracle::{AGING, Model, Op, State};
use super::power::{calls_of, crashed, last, lying_syncs};
use super::script::{self, upkeep};
use super::{Random, Row, every};
use crate::tests::support::tiny;
use crate::{Failure, FaultOp, LocalOptions, MemFs, open_local, restore};

const START_MS: i64 = 1_700_000_000_000;

fn start() -> Model {
    Model::at(START_MS)
}

/// The directory after the script and a killed host.
pub(super) fn killed() -> MemFs {
    Start::after(&upkeep(), start()).fs
}

/// Restores every backup that was begun, and compares.
pub(super) fn restored(fs: &MemFs, model: &Model) -> Result<(), String> {
    for (backup, made, state) in &model.backups {
        let fs = fs.copy();
        let dir = PathBuf::from("/restored");
        match restore(&fs, backup, &dir, START_MS) {
            Err(_) if !made => continue,
            Err(error) => {
                let why = error_chain(&error);
                return Err(format!("an acknowledged backup is refused: {why}"));
            }
            Ok(_) => {}
        }
        let clock = Arc::new(ManualClock::at(state.now_ms()));
        let options = LocalOptions { dir, ..tiny() };
        let log = open_local(Arc::new(fs.clone()), clock, options)
            .map_err(|e| format!("open what was restored: {}", error_chain(&e)))?;
        let found = State::read(&*log).map_err(|e| format!("read: {}", error_chain(&e)))?;
        if !state.is_seen_in(&found) {
            return Err(format!("a backup holds {}", found.difference(state)));
        }
        script::send_again(&log, state).map_err(|why| format!("in the backup: {why}"))?;
    }
    Ok(())
}

/// Counts cases in which the work was really done.
#[derive(Default)]
struct Done {
    compacted: u64,
    forgotten: u64,
    backups: u64,
}

impl Done {
    fn count(&mut self, model: &Model) {
        let state = model.expected();
        self.compacted += u64::from(model.compacted > 0);
        self.forgotten += u64::from(state.partitions(AGING) > 0 && state.start(AGING, 0) > 0);
        self.backups += u64::from(model.backups.iter().any(|(_, made, _)| *made));
    }

    /// Each must have happened in a good part of the cases.
    fn note(&self, row: &mut Row) {
        let Self {
            compacted,
            forgotten,
            backups,
        } = self;
        row.note =
            format!("{compacted} compacted, {forgotten} deleted by age, {backups} backed up");
        let few = row.cases / 8;
        assert!(
            *compacted > few && *forgotten > few && *backups > few,
            "of {}: {}",
            row.cases,
            row.note
        );
    }
}

fn wrong_is_noticed(fs: &MemFs, model: &Model) -> bool {
    model.acknowledged() == 0
        || script::open(fs, model)
            .is_ok_and(|living| model.with_a_lost_commit().check(&*living.log).is_err())
}

#[test]
fn power_loss_at_every_call_of_upkeep() {
    let mut row = Row::new("power loss: compaction, age, backup");
    let (ops, mut done) = (upkeep(), Done::default());
    let total = calls_of(&ops, &start());
    for crash_at in 1..=total {
        let mut model = start();
        let after = crashed(&ops, crash_at, &mut model);
        let result = last(&after, &mut model).and_then(|()| restored(&after, &model));
        row.control(wrong_is_noticed(&after, &model));
        row.case(|| format!("call {crash_at} of {total}"), result);
        done.count(&model);
    }
    done.note(&mut row);
    lying_syncs(&mut row, &ops, &start());
    row.finish(75);
}

#[test]
fn power_loss_while_recovery_from_upkeep_runs() {
    let mut row = Row::new("power loss while it is recovered from");
    let (ops, mut done) = (upkeep(), Done::default());
    let total = calls_of(&ops, &start());
    for crash_at in 1..=total {
        let mut model = start();
        let after = crashed(&ops, crash_at, &mut model);
        let copy = after.copy();
        drop(script::open(&copy, &model));
        let mut random = Random(crash_at);
        let second = 1 + random.below(copy.calls().max(1));
        let copy = after.copy();
        copy.crash_at(second);
        drop(script::open(&copy, &model));
        let again = copy.crash(second * 31 + crash_at);
        let result = last(&again, &mut model).and_then(|()| restored(&again, &model));
        row.control(wrong_is_noticed(&again, &model));
        row.case(
            || format!("call {crash_at} of {total}, then {second} of recovery"),
            result,
        );
        done.count(&model);
    }
    done.note(&mut row);
    row.finish(100);
}

#[test]
fn errors_at_calls_of_upkeep() {
    let step = if every() { 1 } else { 5 };
    let mut row = Row::new(match every() {
        true => "EIO, ENOSPC, EMFILE at the Nth call of it",
        false => "EIO, ENOSPC, EMFILE at every 5th call",
    });
    let start = Start::after(&upkeep(), start());
    let mut done = Done::default();
    for (op, failure, times) in [
        (FaultOp::Write, Failure::Os(libc::EIO), 1),
        (FaultOp::Sync, Failure::Os(libc::EIO), 1),
        (FaultOp::Name, Failure::Os(libc::EIO), 1),
        (FaultOp::Read, Failure::Os(libc::EIO), 1),
        (FaultOp::Write, Failure::Os(libc::ENOSPC), 2),
        (FaultOp::Name, Failure::Os(libc::ENOSPC), 2),
        (FaultOp::Open, Failure::Os(libc::EMFILE), 2),
    ] {
        done.count(&sweep(&mut row, &start, op, failure, (times, step)));
    }
    // The last of each sweep met no fault: everything was done in it.
    assert_eq!((done.compacted, done.forgotten, done.backups), (7, 7, 7));
    row.finish(100);
}

#[test]
fn a_batch_sent_again_is_noticed_when_the_producers_are_forgotten() {
    let mut row = Row::new("control: producers forgotten, backup altered");
    let mut model = start();
    let ops = upkeep();
    let fs = crashed(&ops, u64::MAX, &mut model);
    row.case(|| "all of it".into(), restored(&fs, &model));
    let living = script::open(&fs, &model).unwrap();
    let state = model.expected();
    row.case(
        || "sent again".into(),
        script::send_again(&living.log, &state),
    );
    let name = linkspan_types::TopicName::try_new(super::oracle::NUMBERED).unwrap();
    let topic = crate::LogBackend::topic(&*living.log, &name)
        .unwrap()
        .unwrap();
    living
        .log
        .partition_for_test(&topic.id, 0)
        .lock()
        .producers
        .clear();
    row.control(script::send_again(&living.log, &state).is_err());
    let (_, _, of_backup) = &mut model.backups[0];
    of_backup.apply(&Op::Numbered {
        text: "never".into(),
    });
    row.control(restored(&fs, &model).is_err());
    row.finish(100);
}
