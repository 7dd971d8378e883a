//! A source that burns processor time and brings nothing is asked less often.
//!
//! ```text
//! polls that bring something        ─► never slowed
//! empty polls                       ─► [`FREE`] of processor time in a row is its own; then the pause before the next
//!                                      poll is [`PAUSE_FACTOR`] times what the last one used, [`PAUSE_MAX`] at most
//! ```
//! Threads of one process share the processors, and a priority that was lowered cannot be raised again without privileges;
//! a pause can be ended at any moment, so a plugin that recovers is served at once. Not here: one `poll` that never comes
//! back, and threads of the plugin's own.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of empty polls in a row that costs nothing.
const FREE: Duration = Duration::from_millis(100);
/// A task that is slowed uses one part in this many, plus one, of a processor.
const PAUSE_FACTOR: u32 = 19;
/// The longest pause: what comes after it waits no longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A pause that is worth a word in the log.
const NOTICED: Duration = Duration::from_millis(100);

/// What the polls of one task cost.
#[derive(Debug, Default)]
pub(crate) struct Thrift {
    /// Of empty polls since the last one that brought something.
    spent: Duration,
    said: bool,
}

/// Returns the processor time that the calling thread has used.
pub(crate) fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

impl Thrift {
    /// Takes note of a poll that began when the thread had used `begun`; returns how long the next one has to wait at least,
    /// and says so the first time that it is noticeable.
    pub(crate) fn after(&mut self, begun: Duration, empty: bool, task: &str) -> Duration {
        let cost = used().saturating_sub(begun);
        let pause = self.learn(cost, empty);
        if pause >= NOTICED && !std::mem::replace(&mut self.said, true) {
            tracing::warn!(
                task,
                "polls that bring nothing use much processor time ({} ms); they are slowed so that others keep theirs",
                cost.as_millis()
            );
        }
        pause
    }

    fn learn(&mut self, cost: Duration, empty: bool) -> Duration {
        if !empty {
            self.spent = Duration::ZERO;
            return Duration::ZERO;
        }
        self.spent = self.spent.saturating_add(cost);
        if self.spent <= FREE {
            return Duration::ZERO;
        }
        cost.saturating_mul(PAUSE_FACTOR).min(PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn only_empty_polls_that_cost_much_are_slowed_and_one_record_ends_it() {
        let mut thrift = Thrift::default();
        for _ in 0..5 {
            assert_eq!(thrift.learn(ms(20), true), NONE);
        }
        assert_eq!(thrift.learn(ms(20), true), ms(380));
        assert_eq!(thrift.learn(ms(500), true), PAUSE_MAX);
        assert_eq!(thrift.learn(ms(500), false), NONE);
        assert_eq!(thrift.learn(ms(20), true), NONE);
    }

    #[test]
    fn waiting_costs_nothing_and_computing_does() {
        let begin = used();
        std::thread::sleep(ms(30));
        assert!(used() - begin < ms(25));
        let mut sum = 0_u64;
        while used() - begin < ms(30) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let cheap = Thrift::default().learn(NONE, true);
        assert_eq!(cheap, NONE);
    }
}
