//! Checks that the numbers of a generator arrive without a gap and without a repeat.
//!
//! A number is `task * 10^12 + n`; each generator task counts `n` from 0. What can be said depends on how many partitions
//! the sink sees:
//! - all of a topic with one partition: each number is the one before plus one;
//! - otherwise the numbers of a generator task are spread over partitions, so each partition sees them grow, with
//!   holes. Whether the holes of one partition are filled by the others is seen from the totals: as many numbers as the
//!   range from the lowest to the highest has, with the same sum.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Numbers that one generator task has; as the generator counts.
const NUMBERS_PER_TASK: u64 = 1_000_000_000_000;

/// Digits of a number in a payload.
const NUMBER_DIGITS: usize = 16;

/// What one partition has seen of one generator task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    first: u64,
    last: u64,
    count: u64,
    /// Of all numbers, wrapping: tells a gap and a repeat that cancel out in the count.
    sum: u64,
}

/// A number that must not come here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// `42`, or `more than 42` where holes are allowed.
    pub(crate) expected: String,
    pub(crate) found: u64,
    pub(crate) what: &'static str,
}

/// The counters of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// By generator task.
    seen: BTreeMap<u64, Seen>,
    /// Whether all numbers come through this partition.
    alone: bool,
    /// Whether the partition is read from its first record, so that the first number must be 0.
    from_start: bool,
}

impl Sequence {
    /// Starts with the counters in `metadata`; `from_start` says that nothing was read of the partition before.
    pub(crate) fn new(metadata: &str, from_start: bool) -> Self {
        Self {
            seen: parse(metadata).unwrap_or_default(),
            alone: false,
            from_start,
        }
    }

    /// Says whether the sink sees all of the topic in this one partition.
    pub(crate) fn set_alone(&mut self, alone: bool) {
        self.alone = alone;
    }

    /// Takes the next number.
    #[inline]
    pub(crate) fn check(&mut self, number: u64) -> Result<(), Violation> {
        let task = number / NUMBERS_PER_TASK;
        let Some(seen) = self.seen.get_mut(&task) else {
            let first = task * NUMBERS_PER_TASK;
            if self.alone && self.from_start && number != first {
                return Err(Violation {
                    expected: first.to_string(),
                    found: number,
                    what: "a gap",
                });
            }
            self.seen.insert(
                task,
                Seen {
                    first: number,
                    last: number,
                    count: 1,
                    sum: number,
                },
            );
            return Ok(());
        };
        let next = seen.last + 1;
        if number < next || (self.alone && number != next) {
            let what = if number < next { "a repeat" } else { "a gap" };
            let expected = if self.alone {
                next.to_string()
            } else {
                format!("more than {}", seen.last)
            };
            return Err(Violation {
                expected,
                found: number,
                what,
            });
        }
        seen.last = number;
        seen.count += 1;
        seen.sum = seen.sum.wrapping_add(number);
        Ok(())
    }

    /// Returns the counters as metadata: `{"seen": {"0": [first, last, count, sum]}}`.
    pub(crate) fn to_metadata(&self) -> String {
        let seen: Map<String, Value> = self
            .seen
            .iter()
            .map(|(task, seen)| {
                (
                    task.to_string(),
                    json!([seen.first, seen.last, seen.count, seen.sum]),
                )
            })
            .collect();
        json!({ "seen": seen }).to_string()
    }
}

fn parse(metadata: &str) -> Option<BTreeMap<u64, Seen>> {
    let value: Value = serde_json::from_str(metadata).ok()?;
    let mut all = BTreeMap::new();
    for (task, seen) in value.get("seen")?.as_object()? {
        let number = |i: usize| seen.get(i).and_then(Value::as_u64);
        let seen = Seen {
            first: number(0)?,
            last: number(1)?,
            count: number(2)?,
            sum: number(3)?,
        };
        all.insert(task.parse().ok()?, seen);
    }
    Some(all)
}

/// What all partitions of a topic together have seen of one generator task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) task: u64,
    pub(crate) count: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Each number of `first..=last` came exactly once.
    pub(crate) complete: bool,
}

/// Adds up the partitions of a topic.
pub(crate) fn totals<'a>(partitions: impl Iterator<Item = &'a Sequence>) -> Vec<Total> {
    let mut all: BTreeMap<u64, Seen> = BTreeMap::new();
    for (&task, seen) in partitions.flat_map(|sequence| &sequence.seen) {
        all.entry(task)
            .and_modify(|total| {
                total.first = total.first.min(seen.first);
                total.last = total.last.max(seen.last);
                total.count += seen.count;
                total.sum = total.sum.wrapping_add(seen.sum);
            })
            .or_insert(*seen);
    }
    let total = |(task, seen): (u64, Seen)| {
        let complete =
            seen.count == seen.last - seen.first + 1 && seen.sum == sum_of(seen.first, seen.last);
        Total {
            task,
            count: seen.count,
            first: seen.first,
            last: seen.last,
            complete,
        }
    };
    all.into_iter().map(total).collect()
}

/// The wrapping sum of `first..=last`.
fn sum_of(first: u64, last: u64) -> u64 {
    let count = u128::from(last - first) + 1;
    let doubled = (u128::from(first) + u128::from(last)).wrapping_mul(count);
    // Only the low half counts: the sums of the partitions wrap as well.
    u64::try_from((doubled / 2) & u128::from(u64::MAX)).unwrap_or_default()
}

/// Reads the number at the start of a generated payload: 16 digits, then a colon or the end.
#[inline]
pub(crate) fn number(payload: &[u8]) -> Option<u64> {
    let (digits, rest) = payload.split_at_checked(NUMBER_DIGITS)?;
    if rest.first().is_some_and(|&byte| byte != b':') {
        return None;
    }
    let mut value: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS_PER_TASK, Sequence, Violation, number, totals};

    fn run(alone: bool, from_start: bool, numbers: &[u64]) -> Result<Sequence, Violation> {
        let mut sequence = Sequence::new("", from_start);
        sequence.set_alone(alone);
        numbers
            .iter()
            .try_for_each(|&n| sequence.check(n))
            .map(|()| sequence)
    }

    fn check(
        alone: bool,
        from_start: bool,
        numbers: &[u64],
        expected: Option<(&str, u64, &'static str)>,
    ) {
        let found = run(alone, from_start, numbers).err();
        let expected = expected.map(|(expected, found, what)| Violation {
            expected: expected.into(),
            found,
            what,
        });
        assert_eq!(found, expected, "{numbers:?}");
    }

    #[test]
    fn one_partition_sees_every_number_once() {
        let b = NUMBERS_PER_TASK;
        check(true, true, &[0, 1, 2, b, 3, b + 1], None);
        check(true, false, &[7, 8], None);
        check(true, true, &[1], Some(("0", 1, "a gap")));
        check(true, true, &[0, 1, 3], Some(("2", 3, "a gap")));
        check(true, true, &[0, 1, 1], Some(("2", 1, "a repeat")));
        check(
            true,
            true,
            &[0, b, 1, b],
            Some(("1000000000001", b, "a repeat")),
        );
    }

    #[test]
    fn one_of_several_partitions_sees_numbers_grow() {
        check(false, true, &[3, 4, 9], None);
        check(
            false,
            true,
            &[3, 4, 4],
            Some(("more than 4", 4, "a repeat")),
        );
        check(false, true, &[9, 3], Some(("more than 9", 3, "a repeat")));
    }

    #[test]
    fn partitions_together_have_no_gap() {
        let complete = |partitions: &[&[u64]]| {
            let all: Vec<Sequence> = partitions
                .iter()
                .map(|numbers| run(false, true, numbers).unwrap())
                .collect();
            totals(all.iter())
                .iter()
                .map(|total| (total.count, total.complete))
                .collect::<Vec<_>>()
        };
        assert_eq!(complete(&[&[0, 1, 4], &[2, 3]]), [(5, true)]);
        assert_eq!(complete(&[&[0, 1, 4], &[2]]), [(4, false)]);
        assert_eq!(complete(&[&[0, 1, 4], &[2, 3, 4]]), [(6, false)]);
        assert_eq!(complete(&[&[0, 1, 4], &[1, 2]]), [(5, false)]);
        assert_eq!(complete(&[&[], &[]]), []);
        let b = NUMBERS_PER_TASK;
        assert_eq!(complete(&[&[0, b + 1], &[b, 1]]), [(2, true), (2, true)]);
    }

    #[test]
    fn a_restart_goes_on_with_the_stored_counters() {
        let before = run(true, true, &[0, 1, NUMBERS_PER_TASK]).unwrap();
        assert_eq!(
            before.to_metadata(),
            r#"{"seen":{"0":[0,1,2,1],"1":[1000000000000,1000000000000,1,1000000000000]}}"#
        );
        let mut after = Sequence::new(&before.to_metadata(), false);
        after.set_alone(true);
        assert_eq!(
            after.check(3),
            Err(Violation {
                expected: "2".into(),
                found: 3,
                what: "a gap"
            })
        );
        assert_eq!(after.check(2), Ok(()));
    }

    #[test]
    fn a_payload_begins_with_a_number() {
        assert_eq!(number(b"0000000000000042:abc"), Some(42));
        assert_eq!(number(b"0003000000000007"), Some(3 * NUMBERS_PER_TASK + 7));
        for other in [
            &b""[..],
            b"42:",
            b"000000000000042a:",
            b"00000000000000042:",
            b"+000000000000042:",
        ] {
            assert_eq!(number(other), None, "{other:?}");
        }
    }
}
