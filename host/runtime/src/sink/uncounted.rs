//! What was put and is not counted yet: it counts once the committed positions are behind it, since a restart does the rest again.
//!
//! A sink that writes in the background reports each batch with the next call, so while much is waiting there is always something
//! that is not committed; each `put` is counted by itself.

use std::collections::VecDeque;

use linkspan_types::{Offset, TopicPartition};

/// Puts that are told apart; further ones are counted with the last.
const PUTS_MAX: usize = 64;

/// Where the partitions stood behind a `put`.
type Marks = Vec<(TopicPartition, Offset)>;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) bytes: u64,
    /// Dead letters, or skipped records where there is no topic for them.
    pub(super) aside: u64,
}

/// Tallies in the order of the puts.
#[derive(Debug, Default)]
pub(super) struct Uncounted {
    closed: VecDeque<(Tally, Marks)>,
    open: Tally,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.aside += other.aside;
    }
}

impl Uncounted {
    pub(super) fn put(&mut self, records: u64, bytes: u64) {
        self.open.records += records;
        self.open.bytes += bytes;
    }

    pub(super) const fn set_aside(&mut self, records: u64) {
        self.open.aside += records;
    }

    /// Takes back records that the plugin rejected, from the latest puts.
    pub(super) fn reject(&mut self, mut records: u64) {
        let earlier = self.closed.iter_mut().rev().map(|(tally, _)| tally);
        for tally in std::iter::once(&mut self.open).chain(earlier) {
            let here = records.min(tally.records);
            tally.records -= here;
            records -= here;
        }
    }

    /// Ends a `put`: what is open counts once these marks are committed.
    pub(super) fn close(&mut self, marks: Marks) {
        let open = std::mem::take(&mut self.open);
        if open == Tally::default() {
            return;
        }
        let full = self.closed.len() >= PUTS_MAX;
        match self.closed.back_mut() {
            Some((last, at)) if full => {
                last.add(open);
                *at = marks;
            }
            _ => self.closed.push_back((open, marks)),
        }
    }

    /// Takes the puts whose marks are committed.
    pub(super) fn take_covered(&mut self, committed: impl Fn(&Marks) -> bool) -> Tally {
        let ends = |(_, marks): &(Tally, Marks)| !committed(marks);
        let covered = self.closed.iter().position(ends);
        let covered = covered.unwrap_or(self.closed.len());
        let mut sum = Tally::default();
        for (tally, _) in self.closed.drain(..covered) {
            sum.add(tally);
        }
        sum
    }

    pub(super) fn take_all(&mut self) -> Tally {
        let mut sum = self.take_covered(|_| true);
        sum.add(std::mem::take(&mut self.open));
        sum
    }
}

#[cfg(test)]
mod tests {
    use linkspan_types::{PartitionId, TopicName};

    use super::*;

    fn marks(at: i64) -> Marks {
        let topic = TopicName::try_new("t").unwrap();
        vec![(TopicPartition::new(topic, PartitionId(0)), Offset(at))]
    }

    fn through(to: i64) -> impl Fn(&Marks) -> bool {
        move |marks| marks.iter().all(|(_, at)| at.0 <= to)
    }

    #[test]
    fn a_put_counts_when_its_marks_are_committed() {
        let mut uncounted = Uncounted::default();
        for at in [10, 20, 30] {
            uncounted.put(10, 100);
            uncounted.close(marks(at));
        }
        uncounted.put(5, 50);
        assert_eq!(uncounted.take_covered(through(9)), Tally::default());
        assert_eq!(uncounted.take_covered(through(25)).records, 20);
        // Of those that are left, the latest are taken back first.
        uncounted.set_aside(7);
        uncounted.reject(7);
        let rest = uncounted.take_all();
        assert_eq!((rest.records, rest.bytes, rest.aside), (8, 150, 7));
        assert_eq!(uncounted.take_all(), Tally::default());
    }

    #[test]
    fn many_puts_without_progress_are_counted_together() {
        let mut uncounted = Uncounted::default();
        for at in 1..=1_000 {
            uncounted.put(1, 1);
            uncounted.close(marks(at));
        }
        assert_eq!(uncounted.closed.len(), PUTS_MAX);
        assert_eq!(uncounted.take_covered(through(999)).records, 63);
        assert_eq!(uncounted.take_covered(through(1_000)).records, 937);
    }
}
