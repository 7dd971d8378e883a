//! Answers of a real Kafka, compared with ours: every file of `tests/golden/log` is read by one module here.
//!
//! ```text
//!  segments/*.log + .json      segments     record batches read, refused and encoded
//!  consumer-behaviour.json     config       settings of a topic, taken or refused
//!  murmur2.jsonl               murmur2      the partition of a key
//!  groups.jsonl                groups       who gets which partition
//!  sequence.json               sequence     idempotent producers, duplicates, restarts
//!  consumer-behaviour.json     produce      what a broker takes and how it stores it; also `produce` in segments/bad-*
//!  consumer-behaviour.json     reading      times, reset, fetch
//!  consumer-behaviour.json     changes      deleteRecords, partitions
//!  consumer-behaviour.json     positions    commits
//!  consumer-behaviour.json     topics       names, create, delete, retention, roll; accounts for the rest
//! ```
//!
//! Besides the usual lines it prints for each class `CLASS: N passed, M failed`, then what differs on purpose, by rule
//! with its reason, and what is not asked here at all because it belongs to the Kafka listener.
//! A case that differs on purpose counts as passed only when it differs in exactly the described way.

#![expect(clippy::print_stdout, reason = "a test program reports on stdout")]

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Arguments;

mod changes;
mod config;
mod groups;
mod json;
mod murmur2;
mod place;
mod positions;
mod produce;
mod reading;
mod segments;
mod sequence;
mod suite;
mod topics;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/log");
    let mut suite = suite::Suite::default();
    segments::add(&mut suite, &dir.join("segments"));
    murmur2::add(&mut suite, &dir);
    config::add(&mut suite, &dir);
    groups::add(&mut suite, &dir);
    sequence::add(&mut suite, &dir);
    produce::add(&mut suite, &dir);
    reading::add(&mut suite, &dir);
    changes::add(&mut suite, &dir);
    positions::add(&mut suite, &dir);
    topics::add(&mut suite, &dir);
    suite.run(&arguments)
}
