//! Limits of the machine: a disk that is full and has space again, few descriptors, a second process, a clock that jumps.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use linkspan_log_kill::{Judge, Line};

use crate::support::{
    LIMIT, Running, eventually, judge, judge_read_only, logload, program, scratch, setting, skip,
    which,
};

const MIB: u64 = 1 << 20;
/// How long nothing may be acknowledged while the disk is full.
const FULL_FOR: Duration = Duration::from_millis(1500);
/// The log must go on by itself within this time after there is space (reference R7).
const RESUME_LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_full_disk_stops_commits_but_not_reads_and_space_starts_them_again() {
    let scratch = scratch();
    let Some(disk) = SmallDisk::new(scratch.path(), 24 * MIB) else {
        return;
    };
    let data = disk.path.join("data");
    let cycles = setting("LOG_FULL_CYCLES", 2);
    let mut process = Running::start(&mut logload(&data, &[]));
    let health =
        |state: &'static str| move |line: &&Line| matches!(line, Line::Health(now) if now == state);
    let acks = |line: &&Line| matches!(line, Line::Ack(_));
    let reads = |line: &&Line| matches!(line, Line::Read(_));
    let mut slowest = Duration::ZERO;
    for cycle in 1..=cycles {
        let nth = usize::try_from(cycle).unwrap();
        assert!(
            eventually(LIMIT, || process.count(health("full")) >= nth),
            "never full"
        );
        // What was in flight is answered now or never.
        eventually(Duration::from_millis(500), || false);
        let (acked, read) = (process.count(acks), process.count(reads));
        eventually(FULL_FOR, || false);
        assert!(!process.has_ended(), "{}", process.kill().stderr);
        // The control of what follows: without space nothing resumes.
        let (still, full) = (process.count(acks), process.count(health("full")));
        assert!(
            still <= acked + 48,
            "{} commits on a full disk",
            still - acked
        );
        assert!(
            process.count(reads) > read,
            "nobody could read while the disk was full"
        );
        let begin = std::time::Instant::now();
        disk.resize(24 * MIB + cycle * 8 * MIB);
        assert!(
            eventually(RESUME_LIMIT, || process.count(acks) > still + 48),
            "no commit within {RESUME_LIMIT:?} after there was space (full was said {full} times)"
        );
        slowest = slowest.max(begin.elapsed());
    }
    assert!(eventually(LIMIT, || process.count(health("full"))
        > usize::try_from(cycles).unwrap()));
    let left = process.kill();
    let mut promises = Judge::default();
    promises.promised(&left.lines);
    let read_only = judge_read_only(&mut promises, &data).unwrap();
    // A start on a full disk may refuse, but must not harm anything.
    let on_full = judge(&mut promises.anew(), &data);
    disk.resize(96 * MIB);
    let verdict = judge(&mut promises.anew(), &data).unwrap();
    println!(
        "{cycles} times full, resumed within {:.1} s, {verdict:?}; a start while full: {}",
        slowest.as_secs_f64(),
        on_full.map_or_else(
            |error| format!("refused ({error:#})"),
            |_| "works".to_owned()
        )
    );
    assert_eq!(read_only, verdict);
}

#[test]
fn with_few_descriptors_nothing_acknowledged_is_lost() {
    if which("prlimit").is_none() {
        return skip("few descriptors", "no `prlimit` here");
    }
    let scratch = scratch();
    let data = scratch.path().join("data");
    let mut promises = Judge::default();
    let mut ended = Vec::new();
    for limit in ["64", "24"] {
        let mut command = Command::new("prlimit");
        command
            .arg(format!("--nofile={limit}:{limit}"))
            .arg(program())
            .arg("run")
            .arg(&data)
            .args([
                "--partitions",
                "150",
                "--segment-bytes",
                "8192",
                "--seconds",
                "2",
            ]);
        let left = Running::start(&mut command).finish(LIMIT);
        promises.promised(&left.lines);
        assert!(!left.stderr.contains("panicked"), "{}", left.stderr);
        ended.push(format!("{limit}: {} {}", left.status, left.stderr.trim()));
    }
    let verdict = judge(&mut promises, &data).unwrap();
    println!("few descriptors: {verdict:?}; {}", ended.join("; "));
    assert!(verdict.acknowledged > 100);
}

#[test]
fn a_second_process_is_refused_and_does_no_harm() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    let mut first = Running::start(&mut logload(&data, &[]));
    assert!(first.wait_for(|line| matches!(line, Line::Ack(_))));
    for _ in 0..3 {
        let before = first.count(|line| matches!(line, Line::Ack(_)));
        let second = Running::start(&mut logload(&data, &["--seconds", "1"])).finish(LIMIT);
        assert_eq!(second.status.code(), Some(1), "{}", second.stderr);
        assert!(
            second.stderr.contains(&first.id().to_string()),
            "{}",
            second.stderr
        );
        assert_eq!(second.lines, Vec::new());
        assert!(eventually(LIMIT, || first
            .count(|line| matches!(line, Line::Ack(_)))
            > before));
    }
    let left = first.kill();
    let mut promises = Judge::default();
    promises.promised(&left.lines);
    judge(&mut promises, &data).unwrap();
    // The control: without the first the same command works.
    let third = Running::start(&mut logload(&data, &["--seconds", "0.3"])).finish(LIMIT);
    assert!(third.status.success(), "{}", third.stderr);
    promises.promised(&third.lines);
    judge(&mut promises.anew(), &data).unwrap();
}

#[test]
fn a_clock_that_jumps_by_days_disturbs_nothing() {
    let scratch = scratch();
    let data = scratch.path().join("data");
    let mut promises = Judge::default();
    for _ in 0..4 {
        let mut process = Running::start(&mut logload(&data, &["--jumping-clock"]));
        assert!(process.wait_for(|line| matches!(line, Line::Ack(_))));
        eventually(Duration::from_millis(250), || false);
        let left = process.kill();
        promises.promised(&left.lines);
        judge_read_only(&mut promises, &data).unwrap();
    }
    let verdict = judge(&mut promises.anew(), &data).unwrap();
    println!("4 lives with a clock that jumps by a day: {verdict:?}");
}

/// A file system of a size, in memory.
struct SmallDisk {
    path: std::path::PathBuf,
}

impl SmallDisk {
    fn new(under: &Path, bytes: u64) -> Option<Self> {
        let path = under.join("small");
        std::fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(&path)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            skip("a full disk", "needs root to mount a tmpfs");
            return None;
        }
        Some(Self { path })
    }

    fn resize(&self, bytes: u64) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,size={bytes}")])
            .arg(&self.path)
            .status();
        assert!(done.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.path).status();
        if !done.is_ok_and(|status| status.success()) {
            println!("left behind: {}", self.path.display());
        }
    }
}
