//! How much goes into one `put`: more as long as much is waiting and the plugin is quick with it.
//!
//! A sink that writes each `put` in a transaction pays for the transaction, so a backlog goes in large ones. What is large for a
//! slow sink is a `put` that lasts minutes and holds up a pause or a stop, so there it stays small. The room beyond the smallest
//! is of the half of the host's budget for records that others may spare, and is not waited for.

use std::time::Duration;

use crate::budget::{Held, Share};

/// How many times the smallest aim the largest is.
const GROWN_MAX: usize = 4;
/// A full `put` that took less may be followed by one of twice the size.
const QUICK: Duration = Duration::from_millis(100);
/// A `put` that took more is followed by one of the smallest size.
const SLOW: Duration = Duration::from_millis(500);

/// The size aimed at, in bytes.
#[derive(Debug)]
pub(super) struct Aim {
    least: usize,
    now: usize,
    share: Share,
    /// The room of `now` beyond `least`.
    room: Vec<Held>,
}

impl Aim {
    /// `share` is a door to the budget that nothing else uses: what the aim holds must not keep its task from fetching.
    pub(super) const fn new(least: usize, share: Share) -> Self {
        Self {
            least,
            now: least,
            share,
            room: Vec::new(),
        }
    }

    /// Returns the size aimed at.
    pub(super) const fn bytes(&self) -> usize {
        self.now
    }

    /// Takes note of a `put` of `weight` bytes, and changes the aim for the next one.
    pub(super) fn put(&mut self, weight: usize, took: Duration) {
        let drained = weight < self.least;
        if drained || took > SLOW {
            self.now = self.least;
            self.room.clear();
        } else if weight >= self.now
            && took < QUICK
            && self.now < self.least.saturating_mul(GROWN_MAX)
            && let Some(room) = self.share.spare(self.now)
        {
            self.room.push(room);
            self.now = self.now.saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn grows_while_puts_are_full_and_quick_and_no_further() {
        let budget = Budget::new(20_000);
        let mut aim = Aim::new(100, budget.share());
        let mut seen = Vec::new();
        for _ in 0..4 {
            aim.put(aim.bytes() + 7, MS);
            seen.push(aim.bytes());
        }
        assert_eq!(seen, [200, 400, 400, 400]);
        // Neither quick nor slow, or less than it could have been: it stays.
        aim.put(400, 300 * MS);
        aim.put(150, MS);
        assert_eq!(aim.bytes(), 400);
        let rest = budget.share().spare(9_700).unwrap();
        assert!(
            budget.share().spare(1).is_none(),
            "300 bytes of the budget are held"
        );
        drop(rest);
        // Nothing is waiting any more.
        aim.put(99, MS);
        assert_eq!(aim.bytes(), 100);
        assert!(budget.share().spare(10_000).is_some());
    }

    #[test]
    fn a_slow_put_is_followed_by_a_small_one() {
        let mut aim = Aim::new(100, Budget::new(20_000).share());
        aim.put(100, MS);
        assert_eq!(aim.bytes(), 200);
        aim.put(200, 501 * MS);
        assert_eq!(aim.bytes(), 100);
    }

    #[test]
    fn without_room_in_the_budget_it_stays_small() {
        let budget = Budget::new(300);
        let mut aim = Aim::new(100, budget.share());
        aim.put(100, MS);
        aim.put(200, MS);
        assert_eq!(aim.bytes(), 200, "100 more fit, 200 more do not");
        let mut other = Aim::new(100, budget.share());
        other.put(100, MS);
        assert_eq!(other.bytes(), 100);
    }
}
