//! The rounds: more input, start, kill at a random moment of the transfer; then one run to the end and the verdict.
//!
//! Each round adds its share of the lines, so that source and sink are both at work in every round.
//! A kill counts as landed when the job was alive and its output still lacked lines that the input had.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::judge::{line, number, verdict};
use crate::support::{Random, Scratch, eventually, linkspan, run, start};

const PARTITIONS: i32 = 4;
/// Small batches: many commits, so that kills fall between and into them and every partition gets its share.
const BATCH_RECORDS: u32 = 200;
/// Attempts for each kill that must land: a machine that is too fast for the share of lines fails visibly.
const ATTEMPTS_PER_KILL: u32 = 4;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

#[test]
fn every_line_arrives_once_and_in_order_however_often_the_process_is_killed() {
    let settings = Settings::from_environment();
    let mut transfer = Transfer::new(settings.seed, "on.existing: fail");
    let landed = transfer.kill_again_and_again(&settings, false);
    let lines = transfer.lines;
    transfer.finish();
    let outcome = transfer.verdict();
    println!(
        "kill loop: {landed} of {} kills landed in the transfer of {lines} lines (seed {}): {outcome:?}",
        transfer.kills, settings.seed
    );
    assert_eq!(outcome, Ok(()));
    assert!(
        landed >= settings.rounds,
        "only {landed} kills landed, {} were wanted",
        settings.rounds
    );
}

#[test]
fn without_the_committed_position_the_same_check_fails() {
    if !cfg!(debug_assertions) {
        return crate::support::skip(
            "negative control of the kill loop",
            "the switch exists in debug builds only",
        );
    }
    let settings = Settings {
        rounds: 3,
        lines: 30_000,
        ..Settings::from_environment()
    };
    let mut transfer = Transfer::new(settings.seed, "on.existing: append");
    let landed = transfer.kill_again_and_again(&settings, true);
    transfer.finish();
    let outcome = transfer.verdict();
    println!("negative control: {landed} kills landed, and the check says: {outcome:?}");
    assert!(
        outcome.is_err(),
        "the check would not notice a lost position"
    );
}

pub(crate) struct Settings {
    pub(crate) rounds: u32,
    pub(crate) lines: u32,
    pub(crate) seed: u64,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let number = |name: &str, default: u64| {
            env::var(name).map_or(default, |text| {
                text.parse()
                    .unwrap_or_else(|_| panic!("{name}={text} is no number"))
            })
        };
        let seed = number("KILL_SEED", u64::from(std::process::id()));
        Self {
            rounds: u32::try_from(number("KILL_ROUNDS", 8)).unwrap(),
            lines: u32::try_from(number("KILL_LINES", 100_000)).unwrap(),
            seed,
        }
    }
}

struct Transfer {
    scratch: Scratch,
    yaml: PathBuf,
    random: Random,
    /// Lines in the input so far.
    lines: u32,
    kills: u32,
}

impl Transfer {
    fn new(seed: u64, on_existing: &str) -> Self {
        let scratch = Scratch::new();
        let yaml = scratch.write(
            "pipeline.yaml",
            format!(
                "topics:\n  lines: {{ partitions: {PARTITIONS} }}\nconnectors:\n  in:\n    connector: file-source\n    path: in.txt\n    \
                 format: lines\n    topic: lines\n    batch.records: {BATCH_RECORDS}\n  out:\n    connector: file-sink\n    path: out.txt\n    format: lines\n    \
                 topics: [lines]\n    {on_existing}\n"
            ),
        );
        File::create(scratch.path("in.txt")).unwrap();
        Self {
            scratch,
            yaml,
            random: Random(seed),
            lines: 0,
            kills: 0,
        }
    }

    /// Returns how many kills landed.
    fn kill_again_and_again(&mut self, settings: &Settings, skip_position: bool) -> u32 {
        let share = settings.lines / settings.rounds;
        let mut landed = 0;
        while landed < settings.rounds && self.kills < settings.rounds * ATTEMPTS_PER_KILL {
            let more = if landed + 1 == settings.rounds {
                settings.lines.saturating_sub(self.lines).max(share)
            } else {
                share
            };
            self.add_lines(more);
            landed += u32::from(self.kill_one(skip_position));
        }
        landed
    }

    fn add_lines(&mut self, more: u32) {
        let text: String = (self.lines..self.lines + more).map(line).collect();
        let mut input = OpenOptions::new()
            .append(true)
            .open(self.scratch.path("in.txt"))
            .unwrap();
        input.write_all(text.as_bytes()).unwrap();
        self.lines += more;
    }

    /// Starts a job and kills it: once in four at any moment after its start, else when part of the new lines is written.
    fn kill_one(&mut self, skip_position: bool) -> bool {
        let (before, wanted) = (self.written(), self.size("in.txt"));
        let missing = wanted.saturating_sub(before);
        let mut job = start(
            &mut self.job(skip_position),
            &self.scratch.path("stdout"),
            &self.scratch.path("stderr"),
        );
        if self.random.below(4) == 0 {
            let moment = Duration::from_millis(self.random.below(400));
            let begin = Instant::now();
            eventually(moment, || {
                begin.elapsed() >= moment || job.try_wait().unwrap().is_some()
            });
        } else {
            let threshold = before + self.random.below(missing.max(1));
            let reached = eventually(ROUND_LIMIT, || {
                self.written() > threshold || job.try_wait().unwrap().is_some()
            });
            assert!(
                reached,
                "no progress in {ROUND_LIMIT:?}:\n{}",
                self.scratch.read("stderr")
            );
        }
        let alive = job.try_wait().unwrap();
        job.kill().unwrap();
        let status = job.wait().unwrap();
        if let Some(ended) = alive {
            assert!(
                ended.success(),
                "the job failed by itself ({ended}):\n{}",
                self.scratch.read("stderr")
            );
        }
        self.kills += 1;
        status.code().is_none() && (skip_position || self.written() < wanted)
    }

    /// Runs to the end, with positions as always: without them a job cannot know that it is done.
    fn finish(&mut self) {
        run(&mut self.job(false)).expect_code(0);
    }

    fn verdict(&self) -> Result<(), String> {
        let data = self.scratch.path("linkspan-data");
        let consumed = self.scratch.path("consumed");
        let mut command = linkspan(&[
            "consume", "lines", "--from", "earliest", "--exit", "-o", "json", "--data",
        ]);
        let mut child = start(command.arg(data), &consumed, &self.scratch.path("stderr"));
        assert!(
            child.wait().unwrap().success(),
            "{}",
            self.scratch.read("stderr")
        );
        let text = self.scratch.read("consumed");
        let mut records: Vec<(i32, i64, u32)> = text.lines().map(record).collect();
        records.sort_unstable_by_key(|(partition, offset, _)| (*partition, *offset));
        let used = records.chunk_by(|a, b| a.0 == b.0).count();
        if i32::try_from(used) != Ok(PARTITIONS) {
            return Err(format!("{used} of {PARTITIONS} partitions were used"));
        }
        let records: Vec<(i32, u32)> = records
            .into_iter()
            .map(|(partition, _, number)| (partition, number))
            .collect();
        verdict(self.lines, &self.scratch.read("out.txt"), &records)
    }

    fn job(&self, skip_position: bool) -> std::process::Command {
        let mut command = linkspan(&["run", "--once"]);
        command.arg(&self.yaml);
        if skip_position {
            command.env("LINKSPAN_TEST_SKIP_POSITION", "1");
        }
        command
    }

    fn written(&self) -> u64 {
        self.size("out.txt")
    }

    fn size(&self, name: &str) -> u64 {
        self.scratch
            .path(name)
            .metadata()
            .map_or(0, |metadata| metadata.len())
    }
}

/// Partition, offset and line number of one object that `consume -o json` printed.
fn record(text: &str) -> (i32, i64, u32) {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let partition = i32::try_from(value["partition"].as_i64().unwrap()).unwrap();
    let line = value["value"].as_str().unwrap();
    (
        partition,
        value["offset"].as_i64().unwrap(),
        number(line).unwrap_or_else(|| panic!("no line of ours: `{line}`")),
    )
}
