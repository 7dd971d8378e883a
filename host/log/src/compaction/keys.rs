//! The last offset of every key in the dirty part of a partition, bounded in memory.
//!
//! Keys are held as 128 bits of a keyed hash, as Kafka holds an MD5: two keys of one hash would lose the older one's
//! record. The hash key is random for each map, so that nobody can aim for that, and chance needs 2^64 keys.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// How many keys one pass holds by default: about 32 MiB. With more distinct keys, compaction takes several passes.
pub(crate) const KEYS_MAX: usize = 1 << 20;

/// Key → last offset.
#[derive(Debug)]
pub(crate) struct KeyOffsets {
    offsets: HashMap<[u64; 2], i64>,
    hashers: [RandomState; 2],
    keys_max: usize,
}

impl KeyOffsets {
    pub(crate) fn new(keys_max: usize) -> Self {
        Self {
            offsets: HashMap::new(),
            hashers: [RandomState::new(), RandomState::new()],
            keys_max: keys_max.max(1),
        }
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        [self.hashers[0].hash_one(key), self.hashers[1].hash_one(key)]
    }

    /// Notes that the key has a record at `offset`; `false` when it is a new key and the map is full.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) -> bool {
        let hash = self.hash(key);
        let full = self.offsets.len() >= self.keys_max;
        match self.offsets.get_mut(&hash) {
            Some(last) => *last = (*last).max(offset),
            None if full => return false,
            None => {
                self.offsets.insert(hash, offset);
            }
        }
        true
    }

    /// Returns the last offset of the key in the part that was read.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        self.offsets.get(&self.hash(key)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_offset_counts_and_the_bound_holds() {
        let mut keys = KeyOffsets::new(2);
        assert!(keys.put(b"a", 1) && keys.put(b"b", 2) && keys.put(b"a", 3));
        assert!(!keys.put(b"c", 4), "the third key does not fit");
        assert!(keys.put(b"b", 5), "known keys always fit");
        assert_eq!(
            [&b"a"[..], b"b", b"c"].map(|key| keys.get(key)),
            [Some(3), Some(5), None]
        );
    }
}
