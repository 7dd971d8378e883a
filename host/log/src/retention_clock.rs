//! The time by which retention judges age: never ahead of what really passed.
//!
//! Deleting early is final, deleting late costs space. So the wall clock is believed only as far as the monotonic clock
//! agrees:
//!
//! - When the wall clock jumps forward by more than [`JUMP_MS`], the jump does not count; time goes on at its old pace. A
//!   jump that nobody takes back within [`BELIEF`] was a correction and counts from then on (so does a machine that slept).
//! - When it jumps back, time goes back with it: everything looks younger and stays longer.
//! - What it says when the log is opened is believed. A machine that starts with a wrong clock has no witness against it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use linkspan_types::Clock;

/// How far the wall clock may run ahead of the monotonic one between two looks.
const JUMP_MS: i64 = 60_000;
/// After this time a jump forward is believed.
const BELIEF: Duration = Duration::from_secs(3600);

#[derive(Debug, Clone, Copy)]
struct Anchor {
    wall_ms: i64,
    monotonic: Duration,
    /// Since when the wall clock has been ahead.
    ahead_since: Option<Duration>,
}

/// The clock.
#[derive(Debug, Default)]
pub(crate) struct RetentionClock(Mutex<Option<Anchor>>);

impl RetentionClock {
    /// Returns the time in milliseconds since 1970. The first call believes the wall clock.
    pub(crate) fn now_ms(&self, clock: &dyn Clock) -> i64 {
        let (wall_ms, monotonic) = (clock.now_ms(), clock.monotonic());
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Anchor {
            wall_ms,
            monotonic,
            ahead_since: None,
        };
        let anchor = state.get_or_insert(fresh);
        let passed = monotonic.saturating_sub(anchor.monotonic);
        let passed_ms = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
        let expected_ms = anchor.wall_ms.saturating_add(passed_ms);
        if wall_ms.saturating_sub(expected_ms) <= JUMP_MS {
            *anchor = fresh;
            return wall_ms;
        }
        let since = *anchor.ahead_since.get_or_insert(monotonic);
        if monotonic.saturating_sub(since) >= BELIEF {
            tracing::info!(
                ahead_ms = wall_ms - expected_ms,
                "the clock has stayed where it jumped to: retention follows it"
            );
            *anchor = fresh;
            return wall_ms;
        }
        if since == monotonic {
            tracing::warn!(
                ahead_ms = wall_ms - expected_ms,
                "the clock jumped forward: retention does not follow it for an hour"
            );
        }
        expected_ms
    }
}

#[cfg(test)]
mod tests {
    use linkspan_types::ManualClock;

    use super::*;

    const DAY_MS: i64 = 24 * 3_600_000;

    #[test]
    fn a_jump_forward_counts_only_after_it_has_lasted() {
        let (clock, trusted) = (ManualClock::at(DAY_MS), RetentionClock::default());
        let now = || trusted.now_ms(&clock);
        assert_eq!(now(), DAY_MS);
        clock.advance(Duration::from_secs(10));
        assert_eq!(now(), DAY_MS + 10_000);
        clock.jump_to(9 * DAY_MS);
        assert_eq!(now(), DAY_MS + 10_000);
        clock.advance(Duration::from_secs(3000));
        assert_eq!(now(), DAY_MS + 3_010_000);
        clock.advance(Duration::from_secs(601));
        assert_eq!(now(), 9 * DAY_MS + 3_601_000);
    }

    #[test]
    fn a_jump_that_is_taken_back_never_counted() {
        let (clock, trusted) = (ManualClock::at(DAY_MS), RetentionClock::default());
        let now = || trusted.now_ms(&clock);
        now();
        clock.jump_to(9 * DAY_MS);
        assert_eq!(now(), DAY_MS);
        clock.advance(Duration::from_secs(60));
        clock.jump_to(DAY_MS + 60_000);
        assert_eq!(now(), DAY_MS + 60_000);
        // A later jump has to last for its own hour.
        clock.jump_to(9 * DAY_MS);
        clock.advance(Duration::from_secs(3599));
        assert_eq!(now(), DAY_MS + 60_000 + 3_599_000);
    }

    #[test]
    fn a_jump_back_makes_everything_younger() {
        let (clock, trusted) = (ManualClock::at(9 * DAY_MS), RetentionClock::default());
        let now = || trusted.now_ms(&clock);
        now();
        clock.jump_to(DAY_MS);
        assert_eq!(now(), DAY_MS);
        // And the way forward again is a jump like any other.
        clock.jump_to(9 * DAY_MS);
        assert_eq!(now(), DAY_MS);
    }
}
