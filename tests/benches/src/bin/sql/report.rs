//! What was measured, and how it is shown.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

/// One run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    /// The peak of resident memory of the host; 0 for what stands beside.
    pub(crate) peak_kib: u64,
    /// Records that the host's summary names.
    pub(crate) records: u64,
}

/// Runs of one kind, over all rounds.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<Measured>);

impl Runs {
    pub(crate) fn push(&mut self, run: Measured) {
        self.0.push(run);
    }

    pub(crate) fn push_seconds(&mut self, seconds: f64) {
        self.0.push(Measured {
            seconds,
            ..Measured::default()
        });
    }

    pub(crate) fn seconds(&self) -> f64 {
        let mut all: Vec<f64> = self.0.iter().map(|run| run.seconds).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn peak_kib(&self) -> u64 {
        self.0.iter().map(|run| run.peak_kib).max().unwrap_or(0)
    }
}

/// Prints a line; `beside` are the runs it is compared with, with their names and what is promised of the ratio, 0 for nothing.
pub(crate) fn line(name: &str, runs: &Runs, rows: u32, beside: &[(&str, &Runs, f64)]) {
    let seconds = runs.seconds();
    let peak = match runs.peak_kib() {
        0 => String::new(),
        kib => format!(
            "{:>6.1} MiB peak",
            f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
        ),
    };
    let mut ratios = String::new();
    for (other, others, promised) in beside {
        let ratio = others.seconds() / seconds;
        ratios.push_str(&format!("  {ratio:.2} of {other}"));
        if *promised > 0.0 {
            let verdict = if ratio >= *promised { "" } else { ", BELOW" };
            ratios.push_str(&format!(" (budget {promised}{verdict})"));
        }
    }
    println!(
        "  {name:<34} {:>10.0} rows/s  {peak:<16}{ratios}",
        f64::from(rows) / seconds
    );
}

/// Runs a program to its end; returns the seconds it took.
pub(crate) fn timed(command: &mut Command) -> Result<f64> {
    let begin = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(begin.elapsed().as_secs_f64())
}
