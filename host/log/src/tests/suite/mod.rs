//! One script against every fault: power loss at every call, errors at the Nth call, damage to every byte.
//!
//! ```text
//!  oracle   what a log holds after the first n operations, and whether a log agrees with some n it may have
//!  script   operations, fixed or random, run against a log; the oracle learns what was submitted and acknowledged
//!  power    the power goes at every call, at random ones, and again while recovery runs
//!  threads  the same with several producers at a time
//!  nth      the Nth call of each kind fails: EIO, ENOSPC, EMFILE, short writes, a panic; also during recovery and close
//!  flips    bytes of every file flipped, tails cut with garbage, zeros, stale bytes
//!  index    indexes that are missing, cut, garbled, of another segment, or lie: the same reads
//!  upkeep   compaction, retention that deletes, backups, numbered batches: power, errors, recovery cut short
//!  clock    the wall clock jumps by days in both directions
//! ```
//!
//! Each family prints one row (`cargo test -p linkspan-log suite -- --nocapture | grep 'fault |'`): cases run, failures,
//! and its negative control: the same check on a log that is wrong on purpose must notice.
//!
//! `LINKSPAN_CRASH_SEEDS` sets how many random histories `power` tries (default 2000), from `LINKSPAN_CRASH_FIRST_SEED` on.
//! `LINKSPAN_FAULTS_ALL=1` runs the long forms of `flips` and `upkeep`, which take a sample by default.

mod clock;
mod flips;
mod index;
mod nth;
mod oracle;
mod power;
mod script;
mod threads;
mod upkeep;

use std::time::Instant;

/// The files of a log on which everything was done once, as a killed host leaves them: seeds of the fuzz targets.
pub(super) fn upkeep_files() -> crate::MemFs {
    upkeep::killed()
}

/// Whether the long forms were asked for.
fn every() -> bool {
    std::env::var_os("LINKSPAN_FAULTS_ALL").is_some_and(|value| value == "1")
}

/// The outcome of one family.
pub(super) struct Row {
    family: &'static str,
    began: Instant,
    cases: u64,
    /// The first few failures.
    failures: Vec<String>,
    controls: u64,
    noticed: u64,
    note: String,
}

impl Row {
    fn new(family: &'static str) -> Self {
        Self {
            family,
            began: Instant::now(),
            cases: 0,
            failures: Vec::new(),
            controls: 0,
            noticed: 0,
            note: String::new(),
        }
    }

    /// Counts a case.
    fn case(&mut self, what: impl FnOnce() -> String, result: Result<(), String>) {
        self.cases += 1;
        if let Err(why) = result {
            self.failures.push(format!("{}: {why}", what()));
        }
    }

    /// Counts a run that is wrong on purpose.
    fn control(&mut self, noticed: bool) {
        self.controls += 1;
        self.noticed += u64::from(noticed);
    }

    /// Prints the row, and fails on any failure, and when less than `share` percent of the controls were noticed.
    fn finish(self, share: u64) {
        println!(
            "fault | {:<38} | {:>7} cases | {:>3} failures | {:>4} of {:>4} controls noticed | {:>6.1} s | {}",
            self.family,
            self.cases,
            self.failures.len(),
            self.noticed,
            self.controls,
            self.began.elapsed().as_secs_f64(),
            self.note
        );
        let n = self.failures.len();
        let shown: Vec<_> = self.failures.into_iter().take(5).collect();
        assert!(
            shown.is_empty(),
            "{}: {n} failures, first {shown:#?}",
            self.family
        );
        assert!(self.cases > 0 && self.controls > 0, "{}", self.family);
        assert!(
            self.noticed * 100 >= self.controls * share,
            "{}: only {} of {} controls were noticed",
            self.family,
            self.noticed,
            self.controls
        );
    }
}

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}
