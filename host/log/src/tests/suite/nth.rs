//! The Nth call of each kind fails, for every N of a script: while it is opened, recovered, used and closed.
//!
//! Whatever fails, and wherever: what was acknowledged is there at the next start, what was refused is not, and the log
//! either goes on by itself (space, descriptors) or says that it has stopped.

use std::io::ErrorKind;

use linkspan_types::error_chain;

use super::Row;
use super::oracle::{Model, Op};
use super::power::last;
use super::script::{self, Runner};
use super::upkeep::restored;
use crate::{Failure, FaultOp, Health, LogBackend, MemFs};

/// A directory whose host was killed, with a journal to replay, what it holds, and what the next life runs.
pub(super) struct Start {
    pub(super) fs: MemFs,
    model: Model,
    more: Vec<Op>,
}

impl Start {
    pub(super) fn after(ops: &[Op], mut model: Model) -> Self {
        let fs = MemFs::new();
        let living = script::open(&fs, &model).unwrap();
        Runner::on(&living).unwrap().run(ops, &mut model).unwrap();
        let copy = fs.copy();
        drop(living);
        let made = |op: &&Op| !matches!(op, Op::Create { .. } | Op::Grow { .. });
        let more = ops.iter().filter(made).cloned().collect();
        Self {
            fs: copy,
            model,
            more,
        }
    }
}

/// Opens, runs, closes; a fault may be on its way. Returns whether all went well.
fn use_it(fs: &MemFs, model: &mut Model, more: &[Op]) -> Result<bool, String> {
    let Ok(living) = script::open(fs, model) else {
        return Ok(false);
    };
    let log = &living.log;
    let result = Runner::on(&living).and_then(|mut runner| runner.run(more, model));
    let health = log.health();
    if let Err(error) = &result
        && !matches!(health, Health::Poisoned { .. })
    {
        return Err(format!(
            "{} but the state is {health:?}",
            error_chain(error)
        ));
    }
    // Reads go on, whatever happened. What is visible was durable.
    let mut seen = model.clone();
    match seen.check(&**log) {
        // The fault has waited for this read: it is told, and that is all.
        Err(why) if health == Health::Ok && !why.starts_with("read: ") => {
            return Err(format!("a living log shows: {why}"));
        }
        Ok(()) | Err(_) => {}
    }
    let closed = log.close();
    Ok(result.is_ok() && closed.is_ok())
}

/// Lets the Nth call fail, for N = 0, `step`, … until no call is left to fail. Returns the last model.
pub(super) fn sweep(
    row: &mut Row,
    start: &Start,
    op: FaultOp,
    failure: Failure,
    (times, step): (u64, usize),
) -> Model {
    for n in (0..).step_by(step) {
        let (fs, mut model) = (start.fs.copy(), start.model.clone());
        fs.fail(op, "", n, times, failure);
        let what = || format!("{op:?} {n}, {times} times {failure:?}");
        let result = use_it(&fs, &mut model, &start.more).and_then(|_| {
            let hit = fs.faults_hit();
            fs.heal();
            // The process is killed, or the power goes with it.
            let after = match n % 2 {
                0 => fs.crash(n),
                _ => fs.copy(),
            };
            let mut wrong = model.with_a_lost_commit();
            row.control(
                script::open(&after.copy(), &model)
                    .is_ok_and(|living| wrong.check(&*living.log).is_err()),
            );
            last(&after, &mut model)?;
            restored(&after, &model).map(|()| hit)
        });
        let hit = result.clone().unwrap_or(1);
        row.case(what, result.map(drop));
        if hit == 0 || row.failures.len() > 50 {
            return model;
        }
    }
    Model::default()
}

#[test]
fn the_nth_write_sync_read_or_name_fails_with_an_error() {
    let mut row = Row::new("EIO at the Nth call, for every N");
    let start = Start::after(&script::fixed(), Model::default());
    for op in [
        FaultOp::Write,
        FaultOp::Sync,
        FaultOp::Read,
        FaultOp::Name,
        FaultOp::Open,
    ] {
        sweep(&mut row, &start, op, Failure::Os(libc::EIO), (1, 1));
    }
    row.finish(100);
}

#[test]
fn the_nth_call_finds_no_space_or_no_descriptor() {
    let mut row = Row::new("ENOSPC, EDQUOT, EMFILE at the Nth call");
    let start = Start::after(&script::fixed(), Model::default());
    for times in [1, 4] {
        sweep(
            &mut row,
            &start,
            FaultOp::Write,
            ErrorKind::StorageFull.into(),
            (times, 1),
        );
        sweep(
            &mut row,
            &start,
            FaultOp::Name,
            ErrorKind::StorageFull.into(),
            (times, 1),
        );
        sweep(
            &mut row,
            &start,
            FaultOp::Open,
            Failure::Os(libc::EMFILE),
            (times, 1),
        );
    }
    sweep(
        &mut row,
        &start,
        FaultOp::Sync,
        ErrorKind::StorageFull.into(),
        (1, 1),
    );
    sweep(
        &mut row,
        &start,
        FaultOp::Write,
        ErrorKind::QuotaExceeded.into(),
        (2, 1),
    );
    row.finish(100);
}

#[test]
fn the_nth_write_is_short() {
    let mut row = Row::new("short write at the Nth call, then an error");
    let start = Start::after(&script::fixed(), Model::default());
    sweep(
        &mut row,
        &start,
        FaultOp::Write,
        Failure::Short(libc::EIO),
        (1, 1),
    );
    sweep(
        &mut row,
        &start,
        FaultOp::Write,
        Failure::Short(libc::ENOSPC),
        (1, 1),
    );
    row.finish(100);
}
