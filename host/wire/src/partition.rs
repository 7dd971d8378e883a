//! Which partition a record goes to: the one that is asked for, its key's as every Java client computes it, or one for
//! records without a key.
//!
//! Kafka's clients differ in what they do without a key: `DefaultPartitioner` fills one partition per batch (sticky,
//! KIP-480), `RoundRobinPartitioner` takes turns. Both are here, as pure functions of what was picked before. Unlike
//! Kafka's, the sticky one goes round instead of drawing lots, so that a test knows where a record is, and the
//! round-robin one leaves keyed records where their key says, so that their order holds.

/// Returns Kafka's 32 bit murmur2 of `data` (`Utils.murmur2`, which is not quite the original).
#[must_use]
pub fn murmur2(data: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;

    // Java's array lengths are 32 bit; longer keys do not exist.
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ len;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (at, &byte) in tail.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * at);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash.cast_signed()
}

/// Returns the partition of `key` among `partitions`; fewer than one counts as one.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: i32) -> i32 {
    // Java's `toPositive` clears the sign bit; it is not the absolute value.
    (murmur2(key) & i32::MAX) % partitions.max(1)
}

/// How records without a key are spread over the partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Spread {
    /// All of one batch to the same partition, then the next one: large batches.
    #[default]
    Sticky,
    /// One after the other: even at once, with small batches.
    RoundRobin,
}

/// Returns the partition of a record among `partitions`: the `explicit` one, else that of the key, else the turn of
/// records without a key, which goes round. `None` when the explicit one does not exist, or there is none at all.
#[must_use]
pub fn choose_partition(
    explicit: Option<i32>,
    key: Option<&[u8]>,
    turn: i32,
    partitions: i32,
) -> Option<i32> {
    if partitions < 1 {
        return None;
    }
    match (explicit, key) {
        (Some(explicit), _) => (0..partitions).contains(&explicit).then_some(explicit),
        (None, Some(key)) => Some(partition_for_key(key, partitions)),
        (None, None) => Some(turn.rem_euclid(partitions)),
    }
}

/// Picks partitions for the records of one topic; it only remembers whose turn it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Partitioner {
    spread: Spread,
    turn: i32,
}

impl Partitioner {
    /// Starts at partition `first` (counted round), so that several producers do not all begin with the same one.
    #[must_use]
    pub fn new(spread: Spread, first: i32) -> Self {
        Self {
            spread,
            turn: first,
        }
    }

    /// Returns the partition of the next record, see [`choose_partition`].
    pub fn pick(
        &mut self,
        explicit: Option<i32>,
        key: Option<&[u8]>,
        partitions: i32,
    ) -> Option<i32> {
        let picked = choose_partition(explicit, key, self.turn, partitions)?;
        if self.spread == Spread::RoundRobin && explicit.is_none() && key.is_none() {
            self.turn = self.turn.wrapping_add(1);
        }
        Some(picked)
    }

    /// A batch is complete: with [`Spread::Sticky`] the next one goes elsewhere.
    pub fn next_batch(&mut self) {
        if self.spread == Spread::Sticky {
            self.turn = self.turn.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Explicit partition, key, turn, partitions.
    type Asked = (Option<i32>, Option<&'static [u8]>, i32, i32);

    #[test]
    fn the_explicit_partition_goes_first_then_the_key_then_the_turn() {
        let of_key = partition_for_key(b"k", 4);
        let cases: [(Asked, Option<i32>); 9] = [
            ((Some(2), Some(b"k"), 0, 4), Some(2)),
            ((Some(4), None, 0, 4), None),
            ((Some(-1), None, 0, 4), None),
            ((None, Some(b"k"), 3, 4), Some(of_key)),
            // An empty key is a key.
            ((None, Some(b""), 3, 12), Some(9)),
            ((None, None, 3, 4), Some(3)),
            ((None, None, 9, 4), Some(1)),
            ((None, None, -1, 4), Some(3)),
            ((Some(0), Some(b"k"), 0, 0), None),
        ];
        for ((explicit, key, turn, partitions), expected) in cases {
            assert_eq!(
                choose_partition(explicit, key, turn, partitions),
                expected,
                "{explicit:?} {key:?} {turn} of {partitions}"
            );
        }
    }

    /// Picks for three batches of records without a key, with one that has a key and one with a partition in each.
    fn three_batches(spread: Spread, first: i32) -> Vec<Vec<Option<i32>>> {
        let mut partitioner = Partitioner::new(spread, first);
        let batch = |_| {
            let mut picked = Vec::new();
            for _ in 0..4 {
                picked.push(partitioner.pick(None, None, 3));
                let keyed = partitioner.pick(None, Some(b"k"), 3);
                assert_eq!(keyed, Some(partition_for_key(b"k", 3)));
                assert_eq!(partitioner.pick(Some(1), None, 3), Some(1));
            }
            partitioner.next_batch();
            picked
        };
        (0..3).map(batch).collect()
    }

    #[test]
    fn sticky_keeps_a_batch_together_and_moves_on_with_the_next() {
        let expected: Vec<_> = [2, 0, 1].iter().map(|p| vec![Some(*p); 4]).collect();
        assert_eq!(three_batches(Spread::Sticky, 2), expected);
    }

    #[test]
    fn round_robin_takes_turns_whatever_the_batches_are() {
        let picked: Vec<_> = three_batches(Spread::RoundRobin, 2).concat();
        let expected: Vec<_> = (2..14).map(|turn| Some(turn % 3)).collect();
        assert_eq!(picked, expected);
    }

    #[test]
    fn a_turn_at_the_end_of_its_numbers_goes_on() {
        let mut partitioner = Partitioner::new(Spread::RoundRobin, i32::MAX);
        for _ in 0..4 {
            let picked = partitioner.pick(None, None, 3);
            assert!(picked.is_some_and(|at| (0..3).contains(&at)), "{picked:?}");
        }
    }

    #[test]
    fn hashes_are_those_of_the_java_client() {
        let cases: [(&[u8], i32); 14] = [
            (b"", 275_646_681),
            (b"\0", 375_494_588),
            (b"\x18\x34", -1_042_682_160),
            (b"\xff\xff\xff", 1_548_199_422),
            (b"\0\0\0\x80", -717_017_630),
            (b"\xff\xff\xff\xff\xff", -363_838_622),
            (b"\x80\0\0\0\0\0\0\0", 1_290_709_624),
            (b"user-1", 1_404_122_828),
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (
                b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key), hash, "{}", key.escape_ascii());
            assert_eq!(partition_for_key(key, 7), (hash & i32::MAX) % 7);
        }
        assert_eq!(partition_for_key(b"", 100), 81);
        assert_eq!(partition_for_key(b"foobar", 1000), 166);
        assert_eq!(partition_for_key(b"abc", 0), 0);
    }
}
