//! The Nth call of each kind fails, for every N of a script: while it is opened, recovered, used and closed.
//!
//! Whatever fails, and wherever: what was acknowledged is there at the next start, what was refused is not, and the log
//! either goes on by itself (space, descriptors) or says that it has stopped.

use std::io::ErrorKind;

use linkspan_types::error_chain;

use super::Row;
use super::oracle::Model;
use super::power::last;
use super::script::{self, Runner};
use crate::tests::support::{open_mem, tiny};
use crate::{Failure, FaultOp, Health, LogBackend, MemFs};

/// A directory whose host was killed, with a journal to replay, and what it holds.
fn killed() -> (MemFs, Model) {
    let (fs, mut model) = (MemFs::new(), Model::default());
    let log = open_mem(&fs, tiny()).unwrap();
    Runner::new(&log)
        .unwrap()
        .run(&script::fixed(), &mut model)
        .unwrap();
    let copy = fs.copy();
    drop(log);
    (copy, model)
}

/// The part of the script that a second life runs.
fn more() -> Vec<super::oracle::Op> {
    let ops = script::fixed();
    ops.into_iter()
        .filter(|op| {
            !matches!(
                op,
                super::oracle::Op::Create { .. } | super::oracle::Op::Grow { .. }
            )
        })
        .collect()
}

/// Opens, runs, closes; a fault may be on its way. Returns whether all went well.
fn use_it(fs: &MemFs, model: &mut Model) -> Result<bool, String> {
    let Ok(log) = open_mem(fs, tiny()) else {
        return Ok(false);
    };
    let result = Runner::new(&log).and_then(|mut runner| runner.run(&more(), model));
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
    match seen.check(&*log) {
        // The fault has waited for this read: it is told, and that is all.
        Err(why) if health == Health::Ok && !why.starts_with("read: ") => {
            return Err(format!("a living log shows: {why}"));
        }
        Ok(()) | Err(_) => {}
    }
    let closed = log.close();
    Ok(result.is_ok() && closed.is_ok())
}

fn sweep(row: &mut Row, op: FaultOp, failure: Failure, times: u64) {
    let (start, model) = killed();
    let mut n = 0;
    loop {
        let (fs, mut model) = (start.copy(), model.clone());
        fs.fail(op, "", n, times, failure);
        let what = || format!("{op:?} {n}, {times} times {failure:?}");
        let result = use_it(&fs, &mut model).and_then(|_| {
            let hit = fs.faults_hit();
            fs.heal();
            // The process is killed, or the power goes with it.
            let after = match n % 2 {
                0 => fs.crash(n),
                _ => fs.copy(),
            };
            let mut wrong = model.with_a_lost_commit();
            row.control(
                open_mem(&after.copy(), tiny()).is_ok_and(|log| wrong.check(&*log).is_err()),
            );
            last(&after, &mut model).map(|()| hit)
        });
        let hit = result.clone().unwrap_or(1);
        row.case(what, result.map(drop));
        if hit == 0 || row.failures.len() > 50 {
            return;
        }
        n += 1;
    }
}

#[test]
fn the_nth_write_sync_read_or_name_fails_with_an_error() {
    let mut row = Row::new("EIO at the Nth call, for every N");
    for op in [
        FaultOp::Write,
        FaultOp::Sync,
        FaultOp::Read,
        FaultOp::Name,
        FaultOp::Open,
    ] {
        sweep(&mut row, op, Failure::Os(libc::EIO), 1);
    }
    row.finish(100);
}

#[test]
fn the_nth_call_finds_no_space_or_no_descriptor() {
    let mut row = Row::new("ENOSPC, EDQUOT, EMFILE at the Nth call");
    for times in [1, 4] {
        sweep(
            &mut row,
            FaultOp::Write,
            ErrorKind::StorageFull.into(),
            times,
        );
        sweep(
            &mut row,
            FaultOp::Name,
            ErrorKind::StorageFull.into(),
            times,
        );
        sweep(&mut row, FaultOp::Open, Failure::Os(libc::EMFILE), times);
    }
    sweep(&mut row, FaultOp::Sync, ErrorKind::StorageFull.into(), 1);
    sweep(&mut row, FaultOp::Write, ErrorKind::QuotaExceeded.into(), 2);
    row.finish(100);
}

#[test]
fn the_nth_write_is_short() {
    let mut row = Row::new("short write at the Nth call, then an error");
    sweep(&mut row, FaultOp::Write, Failure::Short(libc::EIO), 1);
    sweep(&mut row, FaultOp::Write, Failure::Short(libc::ENOSPC), 1);
    row.finish(100);
}
