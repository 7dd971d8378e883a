//! The checks by name, and what came of them.

use std::{
    fmt,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// One check of the suite. The words of [`Check::as_str`] are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// The setup's configuration is taken; every option is documented once, takes its own default, is refused by name when it is
    /// wrong, out of range or missing, answers to its aliases; names that are no option are left alone.
    Config,
    /// A bounded run without trouble: it ends, it yields records; a sink brings out all of them, once and in order.
    Run,
    /// Killed after every durable batch, also with further batches in flight, and opened again with the committed offsets:
    /// no record lost, none twice, order kept. A sink that is at least once may repeat what had no committed progress.
    Resume,
    /// Asked to stop while it polls or puts, it comes back, and closes, within the limit of [`STOP_LIMIT`].
    Stop,
    /// A panic in each entry point becomes an error of kind `panicked`, and a new task opens and goes on although `close` was
    /// never called.
    Panic,
    /// Asked for few records at a time, with acknowledgements that come late: it does not give more than was asked for, and
    /// loses, repeats and reorders nothing.
    SlowHost,
    /// Opened and closed many times, threads, file descriptors and memory do not grow.
    Leak,
    /// Sink: a batch whose answer was lost comes again, also after a temporary error where the setup can play one.
    Redelivery,
    /// Sink: partitions are taken away and given back; what it had is outside, what follows comes once and in order.
    Revoke,
    /// Sink: progress only of assigned partitions, never backwards, never beyond what was put, complete after a flush.
    Progress,
    /// Sink: seeks name assigned partitions and offsets that were written; a sink that keeps its position outside finds it again
    /// although the host has lost it.
    Seeks,
    /// Sink: a record that it cannot take is refused by its coordinates, and its neighbours are brought out. Transform: it is
    /// refused as data, and nothing of it stays behind.
    Reject,
    /// Transform: what it makes of a record is the same alone as among others, and the same in a second step.
    OneByOne,
    /// Transform: tombstones, bytes that are no text, large values are taken, dropped or refused, and are never a defect.
    Strangers,
}

/// How long a task may take to come back once it was asked to stop, and again to close: 5 s, as the host's patience.
pub const STOP_LIMIT: Duration = Duration::from_secs(5);

impl Check {
    /// Returns its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Run => "run",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Panic => "panic",
            Self::SlowHost => "slow host",
            Self::Leak => "leak",
            Self::Redelivery => "redelivery",
            Self::Revoke => "revoke",
            Self::Progress => "progress",
            Self::Seeks => "seeks",
            Self::Reject => "reject",
            Self::OneByOne => "one by one",
            Self::Strangers => "strangers",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A check that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub check: Check,
    /// What was seen, one text for each thing that is wrong.
    pub problems: Vec<String>,
}

/// What came of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// The checks that found nothing.
    pub passed: Vec<Check>,
    /// The checks that could not be made, and why.
    pub skipped: Vec<(Check, &'static str)>,
    /// The checks that found something.
    pub failed: Vec<Failure>,
}

impl Verdict {
    /// Returns the checks that failed, in the order in which they were made.
    #[must_use]
    pub fn failed_checks(&self) -> Vec<Check> {
        self.failed.iter().map(|failure| failure.check).collect()
    }

    pub(super) fn skip(&mut self, check: Check, why: &'static str) {
        self.skipped.push((check, why));
    }

    /// Makes a check on a thread of its own; a check that panics or does not end in time has failed.
    pub(super) fn make(
        &mut self,
        check: Check,
        limit: Duration,
        body: impl FnOnce() -> Vec<String> + Send + 'static,
    ) -> bool {
        let (told, answer) = mpsc::channel();
        let name = format!("conformance {check}");
        let spawned = thread::Builder::new().name(name).spawn(move || {
            // Nobody listens any more after the limit.
            drop(told.send(body()));
        });
        let problems = match spawned {
            Err(error) => vec![format!("no thread for the check: {error}")],
            Ok(thread) => match answer.recv_timeout(limit) {
                Ok(problems) => {
                    drop(thread.join());
                    problems
                }
                Err(RecvTimeoutError::Timeout) => {
                    vec![format!("the connector did not come back within {limit:?}")]
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let text = thread.join().err().map(|payload| panic_text(&*payload));
                    vec![format!("the check panicked: {}", text.unwrap_or_default())]
                }
            },
        };
        let passed = problems.is_empty();
        if passed {
            self.passed.push(check);
        } else {
            self.failed.push(Failure { check, problems });
        }
        passed
    }
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no message)").to_owned()
}

/// Most problems of one check that are printed.
const PROBLEMS_SHOWN: usize = 8;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.passed {
            writeln!(f, "passed   {check}")?;
        }
        for (check, why) in &self.skipped {
            writeln!(f, "skipped  {check}: {why}")?;
        }
        for failure in &self.failed {
            writeln!(f, "FAILED   {}", failure.check)?;
            for problem in failure.problems.iter().take(PROBLEMS_SHOWN) {
                writeln!(f, "         {problem}")?;
            }
            let more = failure.problems.len().saturating_sub(PROBLEMS_SHOWN);
            if more > 0 {
                writeln!(f, "         and {more} more")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_hangs_or_panics_has_failed() {
        let mut verdict = Verdict::default();
        assert!(verdict.make(Check::Run, Duration::from_secs(60), Vec::new));
        verdict.make(Check::Stop, Duration::from_millis(20), || {
            thread::sleep(Duration::from_secs(60));
            Vec::new()
        });
        verdict.make(Check::Panic, Duration::from_secs(60), || panic!("boom"));
        assert_eq!(verdict.failed_checks(), [Check::Stop, Check::Panic]);
        let text = verdict.to_string();
        assert!(text.contains("passed   run"), "{text}");
        assert!(text.contains("did not come back within 20ms"), "{text}");
        assert!(text.contains("the check panicked: boom"), "{text}");
    }
}
