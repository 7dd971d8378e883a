//! Which partition a record goes to: an explicit one, its key's (Java's murmur2), or the sticky one of this batch.

use linkspan_wire::partition_for_key;

/// Picks partitions for one topic. Records without a key stay together for one poll, then move on: large batches, even spread.
#[derive(Debug, Default)]
pub(crate) struct Partitioner {
    sticky: i32,
}

impl Partitioner {
    /// Starts at `first` so that several tasks do not all begin with partition 0.
    pub(crate) fn new(first: i32) -> Self {
        Self { sticky: first }
    }

    /// Returns the partition for a record, or `None` when the explicit one does not exist.
    pub(crate) fn pick(&self, explicit: i32, key: Option<&[u8]>, partitions: i32) -> Option<i32> {
        if explicit >= 0 {
            return (explicit < partitions).then_some(explicit);
        }
        Some(match key {
            Some(key) => partition_for_key(key, partitions),
            None => self.sticky.rem_euclid(partitions.max(1)),
        })
    }

    /// Moves the sticky partition on; called once per polled batch.
    pub(crate) fn next_batch(&mut self) {
        self.sticky = self.sticky.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_partition_wins_and_must_exist() {
        let partitioner = Partitioner::default();
        assert_eq!(partitioner.pick(2, Some(b"k"), 4), Some(2));
        assert_eq!(partitioner.pick(4, None, 4), None);
    }

    #[test]
    fn records_without_a_key_stay_together_for_one_batch() {
        let mut partitioner = Partitioner::new(3);
        assert_eq!(partitioner.pick(-1, None, 4), Some(3));
        assert_eq!(partitioner.pick(-1, None, 4), Some(3));
        partitioner.next_batch();
        assert_eq!(partitioner.pick(-1, None, 4), Some(0));
    }
}
