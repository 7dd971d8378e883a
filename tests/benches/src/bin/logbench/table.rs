//! Figures and how they are printed.

use std::time::Instant;

use anyhow::Result;

#[expect(clippy::print_stdout, reason = "the table is the program's output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints one row: what was measured, against what, and whether the goal is met.
pub(crate) fn row(name: &str, measured: &str, goal: &str, met: bool) {
    let verdict = if met { "ok" } else { "MISSED" };
    say(&format!("{name:<46} {measured:<88} {goal:<18} {verdict}"));
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

pub(crate) fn quantile(samples: &mut [f64], quantile: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index into a short list"
    )]
    let at = (float(samples.len().saturating_sub(1) as u64) * quantile) as usize;
    samples.get(at).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn float(n: u64) -> f64 {
    n as f64
}

/// Returns microseconds.
pub(crate) fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

/// The processor time of the calling thread: what a shared machine takes away in between does not count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu(u64);

impl Cpu {
    pub(crate) fn now() -> Result<Self> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let nanos = text.split(' ').next().unwrap_or_default();
        Ok(Self(nanos.parse()?))
    }

    pub(crate) fn seconds(self) -> Result<f64> {
        Ok(float(Self::now()?.0 - self.0) / 1e9)
    }
}
