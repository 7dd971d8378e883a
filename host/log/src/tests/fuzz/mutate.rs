//! Changes to bytes: flips, cuts, copies, and length fields at their extremes.

use crate::tests::suite::Random;

/// What numbers in a format are set to.
const EXTREMES: [i64; 12] = [
    0,
    1,
    -1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    i64::MAX,
    i64::MIN,
];

fn place(bytes: &[u8], random: &mut Random) -> usize {
    let len = bytes.len() as u64;
    // Headers come first, and have most of the fields.
    let within = match random.below(3) {
        0 => len.min(64),
        _ => len,
    };
    usize::try_from(random.below(within.max(1))).unwrap()
}

/// Changes `bytes` in one to four places.
pub(super) fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    for _ in 0..=random.below(4) {
        let at = place(bytes, random);
        match random.below(8) {
            0 | 1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.below(8);
                }
            }
            2 | 3 => set_number(bytes, at, random),
            4 => bytes.truncate(at),
            5 => {
                let n = usize::try_from(random.below(40)).unwrap();
                let end = bytes.len().min(at + n);
                let copy = bytes[at.min(end)..end].to_vec();
                let to = place(bytes, random);
                bytes.splice(to..to, copy);
            }
            6 => {
                let end = bytes
                    .len()
                    .min(at + usize::try_from(random.below(24)).unwrap());
                bytes.drain(at.min(end)..end);
            }
            _ => {
                let from = place(other, random);
                let n = usize::try_from(random.below(200)).unwrap();
                let part = other.iter().skip(from).take(n);
                for (byte, new) in bytes.iter_mut().skip(at).zip(part) {
                    *byte = *new;
                }
            }
        }
    }
}

fn set_number(bytes: &mut [u8], at: usize, random: &mut Random) {
    let width = [1, 2, 4, 8][usize::try_from(random.below(4)).unwrap()];
    let pick = usize::try_from(random.below(EXTREMES.len() as u64)).unwrap();
    let near = i64::try_from(random.below(5)).unwrap() - 2;
    let number = match random.below(3) {
        0 => i64::try_from(bytes.len()).unwrap() - i64::try_from(at).unwrap() + near,
        _ => EXTREMES[pick],
    };
    let little = number.to_le_bytes();
    let mut field = little[..width].to_vec();
    if random.below(2) == 0 {
        field.reverse();
    }
    for (byte, new) in bytes.iter_mut().skip(at).zip(field) {
        *byte = new;
    }
}
