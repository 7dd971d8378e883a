//! A line of progress on a terminal; nothing elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use linkspan_runtime::Run;

use crate::terminal;

/// How often the line is drawn anew.
const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Shows what has been read and written so far, and how fast.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    drawn: Instant,
}

impl Progress {
    /// A bar on a terminal; silent when stderr goes elsewhere.
    pub(crate) fn new() -> Self {
        let bar = terminal::takes_drawing().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar
        });
        Self {
            bar,
            started: Instant::now(),
            drawn: Instant::now(),
        }
    }

    /// Draws the counts of `run`, at most ten times a second.
    pub(crate) fn show(&mut self, run: &Run) {
        if self.bar.is_none() || self.drawn.elapsed() < REDRAW_EVERY {
            return;
        }
        let (read, written) = counts(run);
        self.show_counts(read, written);
    }

    /// Draws counts, at most ten times a second.
    pub(crate) fn show_counts(&mut self, read: u64, written: u64) {
        let Some(bar) = &self.bar else { return };
        if self.drawn.elapsed() < REDRAW_EVERY {
            return;
        }
        self.drawn = Instant::now();
        let tenths = u64::try_from(self.started.elapsed().as_millis() / 100)
            .unwrap_or(u64::MAX)
            .max(1);
        let rate = read.max(written).saturating_mul(10) / tenths;
        bar.set_message(format!(
            "{} read · {} written · {} records/s · {}",
            terminal::count(read),
            terminal::count(written),
            terminal::count(rate),
            terminal::duration(self.started.elapsed())
        ));
        bar.tick();
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Records that the sources of a run have read, and that its sinks have written.
pub(crate) fn counts(run: &Run) -> (u64, u64) {
    let (mut read, mut written) = (0_u64, 0_u64);
    for connector in run.snapshot() {
        if connector.kind == "source" {
            read += connector.records;
        } else {
            written += connector.records;
        }
    }
    (read, written)
}
