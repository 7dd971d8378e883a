//! System calls of an unmodified process that fail or kill, by strace: the Nth write, sync, open, cut or removal of each thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use linkspan_log_kill::{Judge, Line};

use crate::support::{
    Left, Random, Running, judge, judge_read_only, program, scratch, setting, skip, which,
};

/// How long one process writes when nothing stops it.
const LIFE: &str = "0.7";
const LIFE_LIMIT: Duration = Duration::from_secs(60);
/// Commits that all threads together have in flight: so many may still be reported after the failure.
const IN_FLIGHT_MAX: usize = 6 * 8;
/// Half of the points are among the first calls, where start and recovery are.
const FIRST_CALLS: u64 = 12;

/// Where a process dies: a call, and how often one thread makes it in one life, about.
const DEATHS: &[(&str, u64)] = &[
    ("pwritev", 80),
    ("fdatasync", 80),
    ("fsync", 12),
    ("openat", 30),
    ("unlink", 4),
    ("ftruncate", 6),
    ("sync_file_range", 25),
    ("mkdir", 3),
    ("pread64", 6),
];

/// What fails, and whether the log may go on afterwards.
const ERRORS: &[(&str, &str, u64)] = &[
    ("pwritev", "EIO", 250),
    ("pwritev", "ENOSPC", 250),
    ("fsync", "EIO", 25),
    ("openat", "EIO", 40),
    ("openat", "EMFILE", 40),
    ("openat", "ENOSPC", 40),
    ("ftruncate", "EIO", 12),
    ("unlink", "EIO", 8),
    ("sync_file_range", "EIO", 60),
    ("mkdir", "ENOSPC", 5),
    ("pread64", "EIO", 12),
];

#[test]
fn the_log_recovers_from_a_death_at_any_call() {
    let Some(mut sweep) = Sweep::new("a death at the Nth call") else {
        return;
    };
    let (mut died, points) = (0, setting("LOG_CALL_POINTS", 18));
    for point in 0..points {
        let (call, n) = sweep.pick(DEATHS, point, |(call, max)| (*call, *max));
        let left = sweep.run(call, &format!("inject={call}:signal=SIGKILL:when={n}"), &[]);
        died += u64::from(left.status.code().is_none());
        sweep.check(&format!("SIGKILL at {call} {n}"), &left);
    }
    let verdict = sweep.finish();
    println!(
        "{points} points, {died} deaths: {verdict} (seed {})",
        sweep.seed
    );
    assert!(
        died * 3 > points,
        "only {died} of {points} points were reached"
    );
}

#[test]
fn a_failing_call_loses_nothing_and_a_restart_recovers() {
    let Some(mut sweep) = Sweep::new("an error of the Nth call") else {
        return;
    };
    let points = setting("LOG_CALL_POINTS", 18);
    let mut outcomes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for point in 0..points {
        let ((call, error), n) =
            sweep.pick(ERRORS, point, |(call, error, max)| ((*call, *error), *max));
        let left = sweep.run(call, &format!("inject={call}:error={error}:when={n}"), &[]);
        let outcome = outcomes.entry(format!("{call} {error}")).or_default();
        if left.status.success() {
            outcome.0 += 1;
        } else {
            outcome.1 += 1;
        }
        sweep.check(&format!("{error} of {call} {n}"), &left);
    }
    println!("{points} points: {} (seed {})", sweep.finish(), sweep.seed);
    for (what, (went_on, stopped)) in outcomes {
        println!("  {what}: went on {went_on}, stopped {stopped}");
    }
}

#[test]
fn nothing_is_acknowledged_after_a_failed_sync_and_the_sync_is_not_tried_again() {
    let Some(mut sweep) = Sweep::new("a failed sync") else {
        return;
    };
    let points = setting("LOG_CALL_POINTS", 18).div_ceil(3);
    let mut failed = 0;
    for point in 0..points {
        let n = 1 + sweep
            .random
            .below(if point % 2 == 0 { 300 } else { FIRST_CALLS });
        let calls = "fdatasync,fsync,syncfs,write";
        let (error, left, trace) = sweep.sync_failure(calls, n, &[]);
        let seen = stopped_at_the_failure(&trace, &left);
        assert!(
            seen.is_ok(),
            "{error} of fdatasync {n}: {seen:?}\n{}",
            left.stderr
        );
        failed += u64::from(seen.is_ok_and(|seen| seen));
        sweep.check(&format!("{error} of fdatasync {n}"), &left);
    }
    println!(
        "{points} points, {failed} failed syncs: {} (seed {})",
        sweep.finish(),
        sweep.seed
    );
    assert!(
        failed * 2 > points,
        "only {failed} of {points} syncs failed"
    );
}

#[test]
fn a_log_that_ignores_a_failed_sync_is_noticed() {
    let Some(mut sweep) = Sweep::new("the control of a failed sync") else {
        return;
    };
    let (_, left, trace) = sweep.sync_failure(
        "fdatasync,fsync,syncfs,write",
        20,
        &["--ignore-sync-errors"],
    );
    let seen = stopped_at_the_failure(&trace, &left);
    let error = seen.expect_err("the check would not notice an ignored sync");
    println!("negative control: {error:#}");
}

/// Reads a trace: after the first failed sync of a file no sync of that file begins, and no more is acknowledged than was
/// in flight. `false` when no sync failed.
fn stopped_at_the_failure(trace: &str, left: &Left) -> Result<bool> {
    let lines: Vec<&str> = trace.lines().collect();
    let Some(at) = lines.iter().position(|line| line.contains("(INJECTED)")) else {
        return Ok(false);
    };
    let path = path_of_call(&lines, at).context("a failed sync without its file")?;
    let after = lines.get(at + 1..).unwrap_or_default();
    // A segment and a checkpoint slot are other files: their own failures are looked at when they come first.
    let again = after
        .iter()
        .find(|line| is_sync(line) && line.contains(path));
    ensure!(again.is_none(), "`{path}` was synced again: {again:?}");
    let acknowledged = after.iter().filter(|line| line.contains(", \"A ")).count();
    ensure!(
        acknowledged <= IN_FLIGHT_MAX,
        "{acknowledged} commits were acknowledged after the failed sync of `{path}`"
    );
    ensure!(
        !left.status.success(),
        "the process ended as if nothing had happened"
    );
    Ok(true)
}

fn is_sync(line: &str) -> bool {
    ["fdatasync(", "fsync(", "syncfs("]
        .iter()
        .any(|call| line.contains(call))
}

/// Returns the file of the call that ends in a line: it stands there, or where the thread began the call.
fn path_of_call<'a>(lines: &[&'a str], at: usize) -> Option<&'a str> {
    let thread = lines.get(at)?.split(' ').next()?;
    let begun = lines
        .get(..=at)?
        .iter()
        .rev()
        .find(|line| line.starts_with(thread) && is_sync(line))?;
    begun
        .split_once('<')?
        .1
        .split_once('>')
        .map(|(path, _)| path)
}

/// One directory that meets fault after fault.
struct Sweep {
    scratch: tempfile::TempDir,
    promises: Judge,
    random: Random,
    seed: u64,
    looks: u64,
}

impl Sweep {
    fn new(what: &str) -> Option<Self> {
        let works = which("strace").is_some()
            && Command::new("strace")
                .args(["-f", "-qq", "-o", "/dev/null", "true"])
                .status()
                .is_ok_and(|status| status.success());
        if !works {
            skip(what, "no working strace here");
            return None;
        }
        let seed = setting("LOG_KILL_SEED", u64::from(std::process::id()));
        Some(Self {
            scratch: scratch(),
            promises: Judge::default(),
            random: Random(seed),
            seed,
            looks: 0,
        })
    }

    fn pick<T, U>(&mut self, table: &[T], point: u64, read: impl Fn(&T) -> (U, u64)) -> (U, u64) {
        let at = usize::try_from(point).unwrap() % table.len();
        let (what, max) = read(&table[at]);
        let max = if self.random.below(2) == 0 {
            max.min(FIRST_CALLS)
        } else {
            max
        };
        (what, 1 + self.random.below(max))
    }

    fn data(&self) -> std::path::PathBuf {
        self.scratch.path().join("data")
    }

    fn run(&self, calls: &str, inject: &str, more: &[&str]) -> Left {
        let trace = self.scratch.path().join("trace");
        let mut command = Command::new("strace");
        if !inject.contains("signal=") {
            // Stops at the traced calls only, which is faster; strace 6.1 sends no signals that way.
            command.arg("--seccomp-bpf");
        }
        command
            .args(["-f", "-qq", "-y", "-s", "8", "-o"])
            .arg(&trace)
            .arg(format!("-etrace={calls}"))
            .arg(format!("-e{inject}"))
            .arg(program())
            .arg("run")
            .arg(self.data())
            .args(["--seconds", LIFE])
            .args(more);
        Running::start(&mut command).finish(LIFE_LIMIT)
    }

    fn sync_failure(&mut self, calls: &str, n: u64, more: &[&str]) -> (&'static str, Left, String) {
        let error = if self.random.below(4) == 0 {
            "ENOSPC"
        } else {
            "EIO"
        };
        let left = self.run(
            calls,
            &format!("inject=fdatasync:error={error}:when={n}"),
            more,
        );
        let trace = std::fs::read_to_string(self.scratch.path().join("trace")).unwrap();
        (error, left, trace)
    }

    fn check(&mut self, what: &str, left: &Left) {
        self.promises.promised(&left.lines);
        let dir = self.data();
        self.looks += 1;
        let verdict = if !dir.join("format").is_file() {
            Ok(linkspan_log_kill::Verdict::default())
        } else if self.looks.is_multiple_of(4) {
            judge(&mut self.promises, &dir)
        } else {
            // The next process has to recover what this fault left.
            judge_read_only(&mut self.promises, &dir)
        };
        if let Err(error) = verdict {
            let kept = keep(self.scratch.path());
            panic!(
                "{what}: {error:#}\n{}\nkept in {kept}, seed {}",
                left.stderr, self.seed
            );
        }
        let failed = left
            .lines
            .iter()
            .any(|line| matches!(line, Line::Failed(_)));
        assert!(
            !left.stderr.contains("panicked"),
            "{what} ({failed}):\n{}",
            left.stderr
        );
    }

    fn finish(&self) -> String {
        match judge(&mut self.promises.anew(), &self.data()) {
            Ok(verdict) => format!("{verdict:?}"),
            Err(error) => panic!("{error:#} (seed {})", self.seed),
        }
    }
}

/// Keeps a directory for whoever looks for the cause.
fn keep(dir: &Path) -> String {
    let to = dir.with_extension("kept");
    std::fs::rename(dir, &to).map_or_else(|error| error.to_string(), |()| to.display().to_string())
}
