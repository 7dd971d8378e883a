//! Sequences of requests that a real Kafka Connect answered, replayed against this host: every `*.jsonl` of
//! `tests/golden/rest`.
//!
//! ```text
//! file ─► scenarios of one mode ─► LANES hosts of their own, each with its share ─► compare ─► per area: N passed, M failed
//! ```
//! Status, content type, `Location`, `Allow` and the JSON must agree; texts for people need not. 400 stands for 500 where
//! Kafka Connect could not read the input. What differs on purpose is a rule with its reason in [`differs`]; a line that
//! a rule covers and that does not differ is a failure, too.

#![expect(clippy::print_stdout, reason = "a test program reports on stdout")]
#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test program may fail at what it recorded itself"
)]

mod client;
mod compare;
mod differs;
mod host;
mod line;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use crate::host::Host;
use crate::line::Line;

/// Hosts that work side by side; the sequences wait more than they compute.
const LANES: usize = 4;

/// What became of the lines of one area.
#[derive(Debug, Default)]
struct Area {
    passed: usize,
    differs: usize,
    failed: Vec<String>,
}

fn main() -> ExitCode {
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/rest");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("the folder of sequences")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
        .collect();
    files.sort();
    let mut reasons: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut areas: BTreeMap<String, Area> = BTreeMap::new();
    for file in &files {
        for mode in ["distributed", "standalone"] {
            for (line, outcome) in replay(file, mode, &only) {
                let area = areas.entry(format!("{mode} {}", line.area)).or_default();
                match outcome {
                    Outcome::Passed => area.passed += 1,
                    Outcome::Differs(reason) => {
                        area.differs += 1;
                        *reasons.entry(reason).or_default() += 1;
                    }
                    Outcome::Failed(why) => area.failed.push(format!("{}: {why}", line.tag())),
                }
            }
        }
    }
    report(&areas, &reasons)
}

fn report(areas: &BTreeMap<String, Area>, reasons: &BTreeMap<&'static str, usize>) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for (name, area) in areas {
        for line in &area.failed {
            println!("failed: {name} {line}");
        }
        println!(
            "{name}: {} passed, {} failed, {} differ on purpose",
            area.passed,
            area.failed.len(),
            area.differs
        );
        passed += area.passed + area.differs;
        failed += area.failed.len();
    }
    for (reason, lines) in reasons {
        println!("differs on purpose ({lines}): {reason}");
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What became of one line.
#[derive(Debug)]
enum Outcome {
    Passed,
    Differs(&'static str),
    Failed(String),
}

fn replay(file: &Path, mode: &str, only: &[String]) -> Vec<(Line, Outcome)> {
    let text = std::fs::read_to_string(file).expect("a sequence file");
    let mut scenarios: Vec<Vec<Line>> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).expect("a line of a sequence");
        let wanted = only.is_empty() || only.iter().any(|word| line.scenario.contains(word));
        if line.mode != mode || !wanted {
            continue;
        }
        match scenarios.last_mut() {
            Some(last) if last.first().is_some_and(|l| l.scenario == line.scenario) => {
                last.push(line)
            }
            _ => scenarios.push(vec![line]),
        }
    }
    // Scenarios that leave connectors behind come last, as when they were recorded.
    scenarios.sort_by_key(|lines| {
        lines
            .first()
            .is_some_and(|line| line.scenario.starts_with("zz-"))
    });
    let queue = Mutex::new(scenarios.into_iter());
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let next = || queue.lock().expect("no lane panics").next();
                let mut host = None;
                while let Some(lines) = next() {
                    let host = host.get_or_insert_with(Host::start);
                    host.clean();
                    for line in lines {
                        let outcome = play(host, &line);
                        done.lock().expect("no lane panics").push((line, outcome));
                    }
                }
            });
        }
    });
    done.into_inner().expect("no lane panics")
}

fn play(host: &Host, line: &Line) -> Outcome {
    let waited: Vec<String> = line
        .before
        .iter()
        .filter(|act| !host.act(act))
        .map(|act| format!("(a wait before it ended without success: {act})"))
        .collect();
    let why = match host.ask(line) {
        Ok(answer) => compare::compare(line, &answer),
        Err(error) => vec![format!("no answer: {error}")],
    };
    match (why.is_empty(), differs::reason(line)) {
        (true, None) => Outcome::Passed,
        (false, Some(reason)) => Outcome::Differs(reason),
        // Only sometimes seen: Kafka Connect's answer depends on the moment.
        (true, Some(reason)) if reason.starts_with(differs::SOMETIMES) => Outcome::Passed,
        (true, Some(reason)) => Outcome::Failed(format!("does not differ any more: {reason}")),
        (false, None) => Outcome::Failed([why, waited].concat().join("; ")),
    }
}
