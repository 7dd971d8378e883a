//! What a generated record holds: its sequence number, then filler.
//!
//! ```text
//! 0003000000000042:Vd0k…      16 digits, a colon, printable filler up to `size`
//! |task|number in task|       number = task * 10^12 + n, so the numbers of two tasks never meet
//! ```
//!
//! The filler is cut out of a pool that the seed decides, at a place that the number decides: the same seed and number
//! give the same bytes, and making a record costs a copy.

/// Bytes in front of the filler: 16 digits and a colon.
pub(crate) const PREFIX_BYTES: usize = 17;

/// How many numbers one task has.
pub(crate) const NUMBERS_PER_TASK: u64 = 1_000_000_000_000;

/// Larger than the window of the compressors in use, so that filler does not compress by repetition.
const POOL_BYTES: usize = 1 << 20;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes payloads of one size.
#[derive(Debug)]
pub(crate) struct Payloads {
    seed: u64,
    pool: Vec<u8>,
    buf: Vec<u8>,
}

impl Payloads {
    /// Makes the pool for payloads of `size` bytes; `size` is at least `PREFIX_BYTES`.
    pub(crate) fn new(seed: u64, size: usize) -> Self {
        let filler = size.saturating_sub(PREFIX_BYTES);
        let mut pool = Vec::with_capacity(POOL_BYTES + filler + 16);
        let mut word = 0;
        while pool.len() < POOL_BYTES + filler {
            let mut bits = mix(seed ^ mix(word));
            word += 1;
            // Ten characters of six bits each out of one word.
            for _ in 0..10 {
                pool.push(*ALPHABET.get((bits & 63) as usize).unwrap_or(&b'A'));
                bits >>= 6;
            }
        }
        Self {
            seed,
            pool,
            buf: vec![b':'; size.max(PREFIX_BYTES)],
        }
    }

    /// Returns the payload of `number`; all of it is ASCII.
    #[inline]
    pub(crate) fn payload(&mut self, number: u64) -> &[u8] {
        let start = self.filler_start(number);
        let (prefix, filler) = self
            .buf
            .split_at_mut_checked(PREFIX_BYTES)
            .unwrap_or_default();
        write_number(prefix, number);
        if let Some(from) = self.pool.get(start..start + filler.len()) {
            filler.copy_from_slice(from);
        }
        &self.buf
    }

    /// Returns the filler of `number` alone, for rows that have the number in a field.
    #[inline]
    pub(crate) fn filler(&self, number: u64) -> &[u8] {
        let start = self.filler_start(number);
        self.pool
            .get(start..start + self.buf.len() - PREFIX_BYTES)
            .unwrap_or_default()
    }

    fn filler_start(&self, number: u64) -> usize {
        usize::try_from(mix(self.seed ^ number) % POOL_BYTES as u64).unwrap_or_default()
    }
}

/// Writes 16 decimal digits at the front of `out`.
#[inline]
fn write_number(out: &mut [u8], number: u64) {
    let mut rest = number;
    for digit in out.iter_mut().take(PREFIX_BYTES - 1).rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
}

/// SplitMix64's finisher: spreads neighbouring numbers over all of `u64`.
#[inline]
pub(crate) fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests {
    use super::{NUMBERS_PER_TASK, PREFIX_BYTES, Payloads};

    #[test]
    fn a_payload_starts_with_its_number() {
        let mut payloads = Payloads::new(1, 100);
        let payload = payloads.payload(3 * NUMBERS_PER_TASK + 42).to_vec();
        assert_eq!(payload.len(), 100);
        assert_eq!(&payload[..PREFIX_BYTES], b"0003000000000042:");
        assert!(
            payload[PREFIX_BYTES..]
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
        );
    }

    #[test]
    fn the_seed_and_the_number_decide_the_bytes() {
        let bytes = |seed, number| Payloads::new(seed, 64).payload(number).to_vec();
        assert_eq!(bytes(1, 7), bytes(1, 7));
        assert_ne!(bytes(1, 7)[PREFIX_BYTES..], bytes(2, 7)[PREFIX_BYTES..]);
        assert_ne!(bytes(1, 7)[PREFIX_BYTES..], bytes(1, 8)[PREFIX_BYTES..]);
        let mut payloads = Payloads::new(1, 64);
        assert_eq!(
            payloads.payload(7)[PREFIX_BYTES..].to_vec(),
            payloads.filler(7)
        );
    }

    #[test]
    fn the_smallest_payload_is_only_a_number() {
        assert_eq!(
            Payloads::new(0, PREFIX_BYTES).payload(0),
            b"0000000000000000:"
        );
    }
}
