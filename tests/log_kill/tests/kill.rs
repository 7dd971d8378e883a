//! SIGKILL at random moments: while commits are written, while files are rolled, while the journal is replayed.
//!
//! Most rounds are judged without writing, so that the next process has to recover what the kill left.

use std::time::{Duration, Instant};

use linkspan_log_kill::{Judge, Line};

use crate::support::{
    Random, Running, eventually, judge, judge_read_only, logload, scratch, setting,
};

/// Longest life after the log is open.
const LIFE_MS: u64 = 500;
/// One kill in so many comes during start and recovery.
const EARLY_ONE_IN: u64 = 4;
/// … within so many milliseconds.
const EARLY_MS: u64 = 40;

#[test]
fn nothing_acknowledged_is_lost_however_often_the_process_is_killed() {
    let rounds = setting("LOG_KILL_ROUNDS", 20);
    let outcome = kill_again_and_again(rounds, &["--durability", "fsync"]);
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn a_killed_process_loses_nothing_without_sync_either() {
    let rounds = setting("LOG_KILL_ROUNDS", 20).div_ceil(4);
    let outcome = kill_again_and_again(rounds, &["--durability", "os"]);
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[test]
fn an_acknowledgement_before_the_write_is_noticed() {
    let outcome = kill_again_and_again(6, &["--ack-early"]);
    let text = outcome
        .expect_err("the judge would not notice lost commits")
        .to_string();
    println!("negative control: {text}");
    assert!(text.contains("lost:"), "{text}");
}

fn kill_again_and_again(rounds: u64, options: &[&str]) -> anyhow::Result<()> {
    let seed = setting("LOG_KILL_SEED", u64::from(std::process::id()));
    let mut random = Random(seed);
    let scratch = scratch();
    let dir = scratch.path().join("data");
    let mut promises = Judge::default();
    let (mut early, mut unclean, mut slowest) = (0, 0, 0);
    let begin = Instant::now();
    for round in 0..rounds {
        let mut process = Running::start(&mut logload(&dir, options));
        if random.below(EARLY_ONE_IN) == 0 {
            early += 1;
            let moment = Duration::from_millis(random.below(EARLY_MS));
            eventually(moment, || false);
        } else {
            assert!(
                process.wait_for(|line| matches!(line, Line::Ack(_))),
                "no commit in time"
            );
            let moment = Duration::from_millis(20 + random.below(LIFE_MS));
            eventually(moment, || false);
        }
        assert!(!process.has_ended(), "{}", process.kill().stderr);
        let left = process.kill();
        for line in &left.lines {
            if let Line::Opened { how, micros, .. } = line {
                unclean += u64::from(how == "unclean");
                slowest = slowest.max(*micros);
            }
        }
        promises.promised(&left.lines);
        if round % 5 == 4 {
            judge(&mut promises, &dir)?;
        } else if round > 0 || dir.join("ckpt.a").is_file() {
            judge_read_only(&mut promises, &dir)?;
        }
    }
    // Somebody who has seen nothing yet must come to the same verdict.
    let verdict = judge(&mut promises.anew(), &dir)?;
    println!(
        "{rounds} kills ({early} during start), {unclean} recoveries, slowest open {:.0} ms, {verdict:?}, {:.0} s (seed {seed}, {})",
        Duration::from_micros(slowest).as_secs_f64() * 1e3,
        begin.elapsed().as_secs_f64(),
        options.join(" "),
    );
    anyhow::ensure!(
        verdict.acknowledged > rounds * 10,
        "only {} commits were acknowledged: nothing was tested",
        verdict.acknowledged
    );
    Ok(())
}
