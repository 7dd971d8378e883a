//! The same with bad lines: each becomes a dead letter, exactly once however often the process is killed.
//!
//! Letters are written ahead of the offset that covers them, so a kill between the two is what would double one. The negative
//! control switches the memory of their coordinates off.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::rounds::Settings;
use crate::support::{Random, Scratch, eventually, linkspan, run, start};

/// Of so many lines one is bad.
const ONE_IN: u32 = 5;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

struct Mail {
    scratch: Scratch,
    lines: u32,
    random: Random,
}

impl Mail {
    fn new(seed: u64) -> Self {
        let scratch = Scratch::new();
        scratch.write(
            "pipeline.yaml",
            "connectors:\n  in: { connector: file-source, path: in.txt, format: lines, topic: lines, batch.records: 50 }\n  \
             out:\n    connector: file-sink\n    path: out.txt\n    topics: [lines]\n    value.converter: json\n    \
             value.converter.schemas.enable: false\n    errors: { tolerance: all, deadletterqueue.topic.name: letters }\n",
        );
        File::create(scratch.path("in.txt")).unwrap();
        Self {
            scratch,
            lines: 0,
            random: Random(seed),
        }
    }

    fn add(&mut self, more: u32) {
        let text: String = (self.lines..self.lines + more)
            .map(|n| match n % ONE_IN {
                2 => format!("bad {n}\n"),
                _ => format!("{{\"n\":{n}}}\n"),
            })
            .collect();
        let path = self.scratch.path("in.txt");
        let mut input = OpenOptions::new().append(true).open(path).unwrap();
        input.write_all(text.as_bytes()).unwrap();
        self.lines += more;
    }

    fn job(&self, forgetful: bool) -> Command {
        let mut command = linkspan(&["run", "--once"]);
        command.arg(self.scratch.path("pipeline.yaml"));
        if forgetful {
            command.env("LINKSPAN_TEST_SKIP_ASIDE", "1");
        }
        command
    }

    fn written(&self) -> u64 {
        let path = self.scratch.path("out.txt");
        path.metadata().map_or(0, |data| data.len())
    }

    /// Kills one job in the middle of its work, or right after letters became durable; returns whether it was alive.
    fn kill_one(&mut self, forgetful: bool, after_letters: bool) -> bool {
        let before = self.written();
        let mut command = self.job(forgetful);
        if after_letters {
            command.env("LINKSPAN_TEST_DIE_AFTER_LETTERS", "1");
        }
        let (stdout, stderr) = (self.scratch.path("stdout"), self.scratch.path("stderr"));
        let mut job = start(&mut command, &stdout, &stderr);
        let more = self.random.below(8_000);
        let begun = Instant::now();
        eventually(ROUND_LIMIT, || {
            let moment = !after_letters && self.written() > before + more;
            moment || job.try_wait().unwrap().is_some() || begun.elapsed() > ROUND_LIMIT
        });
        let ended = job.try_wait().unwrap();
        job.kill().unwrap();
        job.wait().unwrap();
        // The switch aborts the process by itself.
        ended.is_none_or(|status| status.code().is_none())
    }

    /// How often each bad line is among the letters, and each good one in the output, where that is not once.
    fn wrong(&self) -> Vec<String> {
        let data = self.scratch.path("linkspan-data");
        let ran = run(linkspan(&[
            "consume", "letters", "--from", "earliest", "--exit", "-o", "json", "--data",
        ])
        .arg(data))
        .expect_code(0);
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for line in ran.stdout.lines() {
            let letter: Value = serde_json::from_str(line).unwrap();
            *counts
                .entry(letter["value"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        for line in self.scratch.read("out.txt").lines() {
            *counts.entry(line.to_owned()).or_default() += 1;
        }
        let input = self.scratch.read("in.txt");
        let mut wrong: Vec<String> = input
            .lines()
            .filter_map(|line| match counts.remove(line) {
                Some(1) => None,
                count => Some(format!("{line}: {} times", count.unwrap_or(0))),
            })
            .collect();
        wrong.extend(
            counts
                .into_keys()
                .map(|line| format!("{line}: nobody wrote it")),
        );
        wrong
    }
}

#[test]
fn every_bad_line_becomes_one_letter_however_often_the_process_is_killed() {
    let settings = Settings::from_environment();
    let mut mail = Mail::new(settings.seed);
    let mut landed = 0;
    for round in 0..settings.rounds {
        mail.add(settings.lines / settings.rounds / 20);
        let after_letters = cfg!(debug_assertions) && round % 2 == 0;
        landed += u32::from(mail.kill_one(false, after_letters));
    }
    // Something is left for the last job, wherever the last kill fell.
    mail.add(50);
    run(&mut mail.job(false)).expect_code(4);
    let wrong = mail.wrong();
    println!(
        "letters: {landed} of {} kills landed in {} lines (seed {}): {} wrong",
        settings.rounds,
        mail.lines,
        settings.seed,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(landed >= settings.rounds / 2, "only {landed} kills landed");
}

#[test]
fn without_the_coordinates_the_same_check_finds_doubled_letters() {
    if !cfg!(debug_assertions) {
        return crate::support::skip(
            "negative control of the letters' kill loop",
            "the switch exists in debug builds only",
        );
    }
    let mut mail = Mail::new(1);
    mail.add(500);
    assert!(mail.kill_one(true, true), "it did not die");
    run(&mut mail.job(true)).expect_code(4);
    let wrong = mail.wrong();
    assert!(
        wrong
            .iter()
            .any(|line| line.starts_with("bad ") && line.ends_with(": 2 times")),
        "the check would not notice a doubled letter: {wrong:?}"
    );
}
