//! A spool of many small files, plain, packed and in EUC-KR, goes spool → log → files while the process is killed.
//!
//! In the end every line of every file is in exactly one finished output file, every input was put away, and none is left over. Every
//! start rolls its files at another count, so that no file written twice hides behind an equal name. The negative control forgets the
//! sink's position at each start, and the same check must then find doubled lines.
//!
//! Settings: `KILL_FILES` (files, 120) and `KILL_SPOOL_ROUNDS` (kills that land, 4). The long run is
//! `KILL_FILES=1000 KILL_SPOOL_ROUNDS=30 cargo test -p linkspan --test kill_loop spool`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::rounds::Settings;
use crate::support::{Random, Scratch, eventually, linkspan, run, start};

/// Lines of each file.
const LINES: u32 = 40;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(30);
/// Attempts for each kill that must land.
const ATTEMPTS_PER_KILL: u32 = 4;

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

struct Spool {
    scratch: Scratch,
    random: Random,
    files: u32,
    on_existing: &'static str,
}

/// Line `line` of file `file`, as text; two of three files say it in Korean.
fn text(file: u32, line: u32) -> String {
    match file % 3 {
        0 => format!("{file:05}-{line:03} plain"),
        _ => format!("{file:05}-{line:03} 서울"),
    }
}

/// A file's name and its bytes: plain, as two gzip members, or in EUC-KR.
fn content(file: u32) -> (String, Vec<u8>) {
    let lines =
        |from: u32, to: u32| -> String { (from..to).map(|line| text(file, line) + "\n").collect() };
    match file % 3 {
        0 => (format!("u{file:05}.txt"), lines(0, LINES).into_bytes()),
        1 => {
            let mut bytes = Vec::new();
            for (from, to) in [(0, LINES / 2), (LINES / 2, LINES)] {
                let mut packed =
                    flate2::write::GzEncoder::new(&mut bytes, flate2::Compression::fast());
                packed.write_all(lines(from, to).as_bytes()).unwrap();
                packed.finish().unwrap();
            }
            (format!("u{file:05}.txt.gz"), bytes)
        }
        _ => {
            let mut bytes = Vec::new();
            for piece in lines(0, LINES).split_inclusive("서울") {
                match piece.strip_suffix("서울") {
                    Some(before) => {
                        bytes.extend_from_slice(before.as_bytes());
                        bytes.extend_from_slice(b"\xbc\xad\xbf\xef");
                    }
                    None => bytes.extend_from_slice(piece.as_bytes()),
                }
            }
            (format!("k{file:05}.txt"), bytes)
        }
    }
}

impl Spool {
    fn new(seed: u64, files: u32, on_existing: &'static str) -> Self {
        let scratch = Scratch::new();
        fs::create_dir_all(scratch.path("in")).unwrap();
        for file in 0..files {
            let (name, bytes) = content(file);
            fs::write(scratch.path("in").join(name), bytes).unwrap();
        }
        Self {
            scratch,
            random: Random(seed),
            files,
            on_existing,
        }
    }

    /// Writes the pipeline anew, with files that roll after 100 to 299 records.
    fn write_pipeline(&mut self) {
        let source = "connector: file-source, mode: spool, topic: lines, cleanup: move, finished.path: done, on.no.input: ok, batch.records: 100";
        let roll = 100 + self.random.below(200);
        let on_existing = self.on_existing;
        self.scratch.write(
            "pipeline.yaml",
            format!(
                "topics:\n  lines: {{ partitions: 3 }}\nconnectors:\n  \
                 unicode: {{ {source}, path: in/u*, tasks.max: 2 }}\n  \
                 korean: {{ {source}, path: in/k*, encoding: euc-kr }}\n  \
                 out:\n    connector: file-sink\n    path: \"out/{{partition:02}}-{{start_offset:09}}.txt\"\n    topics: [lines]\n    \
                 roll.records: {roll}\n    roll.interval: 20ms\n    on.existing: {on_existing}\n"
            ),
        );
    }

    fn job(&mut self, skip_position: bool) -> std::process::Command {
        self.write_pipeline();
        let mut command = linkspan(&["run", "--once"]);
        command.arg(self.scratch.path("pipeline.yaml"));
        if skip_position {
            command.env("LINKSPAN_TEST_SKIP_POSITION", "1");
        }
        command
    }

    /// How many finished files there are.
    fn written(&self) -> u64 {
        count(&self.scratch.path("out"), |name| name.ends_with(".txt"))
    }

    fn kill_again_and_again(&mut self, rounds: u32, skip_position: bool) -> u32 {
        let (mut landed, mut kills) = (0, 0);
        while landed < rounds && kills < rounds * ATTEMPTS_PER_KILL {
            let wanted = self.written() + 1 + self.random.below(3);
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

    fn verdict(&self) -> Result<(), String> {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for entry in fs::read_dir(self.scratch.path("out")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "txt") {
                for line in fs::read_to_string(&path).unwrap().lines() {
                    *seen.entry(line.to_owned()).or_default() += 1;
                }
            }
        }
        for file in 0..self.files {
            for line in 0..LINES {
                let wanted = text(file, line);
                match seen.remove(&wanted) {
                    Some(1) => {}
                    Some(n) => return Err(format!("`{wanted}` is there {n} times")),
                    None => return Err(format!("`{wanted}` is missing")),
                }
            }
        }
        if let Some((line, _)) = seen.pop_first() {
            return Err(format!("`{line}` is none of the input"));
        }
        let left = count(&self.scratch.path("in"), |_| true);
        let done = count(&self.scratch.path("done"), |_| true);
        if (left, done) != (0, u64::from(self.files)) {
            return Err(format!("{left} files were left, {done} put away"));
        }
        Ok(())
    }
}

fn count(folder: &Path, wanted: impl Fn(&str) -> bool) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let found = names.filter(|name| wanted(&name.to_string_lossy())).count();
    u64::try_from(found).unwrap()
}

#[test]
fn a_spool_arrives_line_by_line_once_however_often_the_process_is_killed() {
    let seed = Settings::from_environment().seed;
    let files = setting("KILL_FILES", 120);
    let rounds = setting("KILL_SPOOL_ROUNDS", 4);
    let mut spool = Spool::new(seed, files, "fail");
    let landed = spool.kill_again_and_again(rounds, false);
    run(&mut spool.job(false)).expect_code(0);
    let outcome = spool.verdict();
    println!("spool: {landed} kills landed over {files} files (seed {seed}): {outcome:?}");
    assert_eq!(outcome, Ok(()));
    assert!(landed >= 1, "no kill landed");
}

#[test]
fn a_spool_without_the_sinks_position_fails_the_same_check() {
    if !cfg!(debug_assertions) {
        return crate::support::skip(
            "negative control of the spool",
            "the switch exists in debug builds only",
        );
    }
    let seed = Settings::from_environment().seed;
    let mut spool = Spool::new(seed, 120, "truncate");
    let landed = spool.kill_again_and_again(4, true);
    run(&mut spool.job(false)).expect_code(0);
    let outcome = spool.verdict();
    println!("negative control: {landed} kills landed, and the check says: {outcome:?}");
    assert!(
        outcome.is_err(),
        "the check would not notice a lost position"
    );
}
