//! Trying again: Connect's pauses, 300 ms doubled each time, bounded by `errors.retry.timeout`.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::policy::{ErrorPolicy, RetryLimit};
use crate::error::TaskError;
use crate::task::{TaskShared, TaskState};

/// Connect's first pause.
const FIRST: Duration = Duration::from_millis(300);
/// No pause is longer, whatever a plugin asks for or the configuration allows.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// The attempts at one call.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    begun: Option<Instant>,
    failed: u32,
}

/// Decides on another attempt and waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Retrier {
    pub(crate) task: Arc<TaskShared>,
    pub(crate) policy: Arc<ErrorPolicy>,
}

/// Whether to go on.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Try again: the pause is over.
    Again,
    /// The error as it stands now.
    GiveUp(TaskError),
    /// The task was told to stop.
    Stopped,
}

impl Retrier {
    /// After a failure of a call: waits for the next attempt, showing RETRYING with its time and the reason, or gives up.
    pub(crate) fn again(&self, attempts: &mut Attempts, error: TaskError) -> Verdict {
        let Some(limit) = self.policy.retry.filter(|_| error.temporary) else {
            return Verdict::GiveUp(error);
        };
        let elapsed = attempts.begun.get_or_insert_with(Instant::now).elapsed();
        let pause = pause(
            attempts.failed,
            self.policy.retry_delay_max,
            elapsed,
            limit,
            RandomState::new().hash_one(attempts.failed),
        );
        attempts.failed = attempts.failed.saturating_add(1);
        let Some(mut pause) = pause else {
            return Verdict::GiveUp(exhausted(error, attempts.failed, elapsed));
        };
        if let (Some(asked), RetryLimit::Unlimited) = (error.retry_after, limit) {
            pause = pause.max(asked).min(PAUSE_MAX);
        }
        let mut error = self.task.conceal_error(error);
        error.message = format!(
            "{} (attempt {} failed, the next one in {:.1} s)",
            error.message,
            attempts.failed,
            pause.as_secs_f64()
        );
        tracing::warn!(task = self.task.name(), code = error.code, "{error}");
        let errors = &self.task.measures.errors_retriable;
        errors.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.task.set_retrying(error, pause);
        if self.task.stop.sleep(pause) {
            Verdict::Stopped
        } else {
            Verdict::Again
        }
    }

    /// After a call that worked: shows that the task runs again, if it had been retrying.
    pub(crate) fn done(&self, attempts: &Attempts) {
        if attempts.failed > 0 {
            self.task.set_state(TaskState::Running, None);
        }
    }
}

/// It is final now: neither another attempt nor a restart of the task would be what was configured.
fn exhausted(error: TaskError, attempts: u32, elapsed: Duration) -> TaskError {
    TaskError {
        code: "LS0421",
        temporary: false,
        message: format!(
            "gave up after {attempts} attempts in {:.1} s (`errors.retry.timeout`): {}",
            elapsed.as_secs_f64(),
            error.message
        ),
        exhausted: true,
        ..error
    }
}

/// The pause before the next attempt; `None` when the time is up. Above the longest pause it varies between half of it and
/// all of it, so that many tasks do not come back in step (Connect draws from zero on, which can be no pause at all).
fn pause(
    failed: u32,
    longest: Duration,
    elapsed: Duration,
    limit: RetryLimit,
    random: u64,
) -> Option<Duration> {
    let doubled = FIRST.saturating_mul(1_u32 << failed.min(20));
    let wanted = if doubled > longest {
        let half = longest / 2;
        let share = u32::try_from(random % 1001).unwrap_or(0);
        half + half / 1000 * share
    } else {
        doubled
    };
    match limit {
        RetryLimit::Unlimited => Some(wanted),
        RetryLimit::For(limit) => {
            let left = limit.checked_sub(elapsed).filter(|left| !left.is_zero())?;
            Some(wanted.min(left))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Connect's own test: 6 seconds, no bound on a pause.
    #[test]
    fn pauses_are_connects() {
        let limit = RetryLimit::For(Duration::from_secs(6));
        let mut elapsed = Duration::ZERO;
        let mut pauses = Vec::new();
        while let Some(next) = pause(
            u32::try_from(pauses.len()).unwrap(),
            Duration::from_secs(60),
            elapsed,
            limit,
            0,
        ) {
            elapsed += next;
            pauses.push(next.as_millis());
        }
        assert_eq!(pauses, [300, 600, 1200, 2400, 1500]);
    }

    #[test]
    fn no_time_is_one_attempt_and_unlimited_never_ends() {
        let none = RetryLimit::For(Duration::ZERO);
        let minute = Duration::from_secs(60);
        assert_eq!(pause(0, minute, Duration::ZERO, none, 0), None);
        let long = Duration::from_secs(1 << 30);
        assert!(pause(u32::MAX, minute, long, RetryLimit::Unlimited, 0).is_some());
    }

    #[test]
    fn above_the_longest_pause_it_varies_within_bounds() {
        let longest = Duration::from_secs(1);
        for random in 0..2000 {
            let pause = pause(5, longest, Duration::ZERO, RetryLimit::Unlimited, random).unwrap();
            assert!(
                pause >= longest / 2 && pause <= longest,
                "{random}: {pause:?}"
            );
        }
    }
}
