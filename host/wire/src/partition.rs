//! The partition of a key, as every Java client computes it.

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

#[cfg(test)]
mod tests {
    use super::*;

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
