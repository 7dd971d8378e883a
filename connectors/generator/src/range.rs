//! How `count` is shared among tasks, and how many records a rate allows by now.

use std::time::Duration;

/// The share of task `task` of `tasks` in `count` records; the shares add up to `count`.
pub(crate) fn share(count: u64, task: u64, tasks: u64) -> u64 {
    let tasks = tasks.max(1);
    count / tasks + u64::from(task < count % tasks)
}

/// Records that a task may have made after `elapsed`, so that `rate` a second is never passed by more than one.
pub(crate) fn allowed(rate: u64, elapsed: Duration) -> u64 {
    let records = u128::from(rate) * elapsed.as_micros() / 1_000_000;
    u64::try_from(records).unwrap_or(u64::MAX).saturating_add(1)
}

/// Time from the start until record number `made` (from 0) is due.
pub(crate) fn due(rate: u64, made: u64) -> Duration {
    let micros = u128::from(made) * 1_000_000 / u128::from(rate.max(1));
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{allowed, due, share};

    #[test]
    fn shares_add_up() {
        for (count, tasks) in [(0, 1), (1, 3), (10, 3), (1_000_000, 7), (2, 5)] {
            let shares: Vec<u64> = (0..tasks).map(|task| share(count, task, tasks)).collect();
            assert_eq!(shares.iter().sum::<u64>(), count, "{shares:?}");
            assert!(
                shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1,
                "{shares:?}"
            );
        }
    }

    #[test]
    fn a_rate_is_kept() {
        assert_eq!(allowed(1000, Duration::ZERO), 1);
        assert_eq!(allowed(1000, Duration::from_secs(2)), 2001);
        assert_eq!(due(1000, 2000), Duration::from_secs(2));
        for made in 0..100 {
            assert!(
                allowed(7, due(7, made)) >= made,
                "record {made} is due but not allowed"
            );
        }
    }
}
