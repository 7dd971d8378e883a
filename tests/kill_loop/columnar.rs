//! Rows go CSV → log → Parquet or Avro files while the process is killed at moments that the finished files choose.
//!
//! In the end every row is in exactly one finished file; a second job reads the files back to count. Every start rolls its files at
//! another count, so that no file written twice hides behind an equal name. The negative control forgets the sink's position at each
//! start, and the same check must then find doubled rows.
//!
//! Settings: `KILL_COLUMNAR_ROUNDS` (kills that land for each format, 2), `KILL_SEED`.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use crate::rounds::Settings;
use crate::support::{Random, Scratch, eventually, linkspan, run, start};

/// Rows of the input.
const ROWS: u32 = 6_000;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(30);
/// Attempts for each kill that must land.
const ATTEMPTS_PER_KILL: u32 = 4;

struct Table {
    scratch: Scratch,
    random: Random,
    format: &'static str,
}

impl Table {
    fn new(seed: u64, format: &'static str) -> Self {
        let scratch = Scratch::new();
        let mut text = "n,name\n".to_owned();
        for n in 0..ROWS {
            writeln!(text, "{n},서울 {n}").unwrap();
        }
        scratch.write("in.csv", text);
        Self {
            scratch,
            random: Random(seed),
            format,
        }
    }

    fn job(&mut self, skip_position: bool) -> std::process::Command {
        let (format, roll) = (self.format, 40 + self.random.below(160));
        self.scratch.write(
            "pipeline.yaml",
            format!(
                "topics:\n  rows: {{ partitions: 2 }}\nconnectors:\n  \
                 in: {{ connector: file-source, path: in.csv, format: csv, csv.types: {{ n: int32 }}, topic: rows, batch.records: 150 }}\n  \
                 out: {{ connector: columnar-sink, path: out, format: {format}, topics: [rows], roll.records: {roll}, roll.interval: 20ms }}\n"
            ),
        );
        let mut command = linkspan(&["run", "--once"]);
        command.arg(self.scratch.path("pipeline.yaml"));
        if skip_position {
            command.env("LINKSPAN_TEST_SKIP_POSITION", "1");
        }
        command
    }

    /// How many finished files there are.
    fn written(&self) -> u64 {
        let Ok(entries) = fs::read_dir(self.scratch.path("out/rows")) else {
            return 0;
        };
        let is_finished = |name: &str| name.ends_with(self.format);
        let names = entries.flatten().map(|entry| entry.file_name());
        let found = names.filter(|name| is_finished(&name.to_string_lossy()));
        u64::try_from(found.count()).unwrap()
    }

    fn kill_again_and_again(&mut self, rounds: u32, skip_position: bool) -> u32 {
        let (mut landed, mut kills) = (0, 0);
        while landed < rounds && kills < rounds * ATTEMPTS_PER_KILL {
            // The first file of a partition has the same name in every run and takes its forerunner's place: only where one of
            // the two partitions has a second file do doubled rows show.
            let wanted = self.written() + 3 + self.random.below(4);
            let mut job = start(
                &mut self.job(skip_position),
                &self.scratch.path("stdout"),
                &self.scratch.path("stderr"),
            );
            eventually(ROUND_LIMIT, || {
                self.written() >= wanted || job.try_wait().unwrap().is_some()
            });
            job.kill().unwrap();
            let status = job.wait().unwrap();
            kills += 1;
            if status.code().is_none() {
                landed += 1;
            } else {
                assert!(status.success(), "{}", self.scratch.read("stderr"));
                break;
            }
        }
        landed
    }

    /// Reads the files with another job, which knows nothing of the first.
    fn verdict(&self) -> Result<(), String> {
        let yaml = self.scratch.write(
            "back/pipeline.yaml",
            format!(
                "connectors:\n  in: {{ connector: columnar-source, path: '../out/rows/*.{}', topic: rows }}\n  \
                 out: {{ connector: file-sink, path: rows.jsonl, format: jsonl, topics: [rows] }}\n",
                self.format
            ),
        );
        run(linkspan(&["run", "--once"]).arg(yaml)).expect_code(0);
        let mut times = vec![0_u32; ROWS as usize];
        for line in self.scratch.read("back/rows.jsonl").lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let n = usize::try_from(row["n"].as_u64().unwrap()).unwrap();
            if row["name"] != format!("서울 {n}") {
                return Err(format!("`{line}` is none of the input"));
            }
            *times.get_mut(n).ok_or("a row that was never there")? += 1;
        }
        match times.iter().enumerate().find(|(_, times)| **times != 1) {
            None => Ok(()),
            Some((n, times)) => Err(format!("row {n} is there {times} times")),
        }
    }
}

#[test]
fn rows_arrive_in_one_columnar_file_each_however_often_the_process_is_killed() {
    let seed = Settings::from_environment().seed;
    let rounds = std::env::var("KILL_COLUMNAR_ROUNDS").map_or(2, |text| text.parse().unwrap());
    for format in ["parquet", "avro"] {
        let mut table = Table::new(seed, format);
        let landed = table.kill_again_and_again(rounds, false);
        run(&mut table.job(false)).expect_code(0);
        let outcome = table.verdict();
        println!("{format}: {landed} kills landed over {ROWS} rows (seed {seed}): {outcome:?}");
        assert_eq!(outcome, Ok(()), "{format}, seed {seed}");
        assert!(landed >= 1, "no kill landed");
    }
}

#[test]
fn columnar_files_without_the_sinks_position_fail_the_same_check() {
    if !cfg!(debug_assertions) {
        return crate::support::skip(
            "negative control of columnar files",
            "the switch exists in debug builds only",
        );
    }
    let mut table = Table::new(Settings::from_environment().seed, "avro");
    let landed = table.kill_again_and_again(2, true);
    run(&mut table.job(false)).expect_code(0);
    let outcome = table.verdict();
    println!("negative control: {landed} kills landed, and the check says: {outcome:?}");
    assert!(
        outcome.is_err(),
        "the check would not notice a lost position"
    );
}
