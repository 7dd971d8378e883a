//! Zig-zag varints as Kafka reads and writes them.
//!
//! Seven bits a byte, least significant first, the high bit says that another byte follows.
//! As in Kafka a number need not be in its shortest form, and bits of the last possible byte (the 5th of 32 bits,
//! the 10th of 64) that do not fit are dropped; a 6th or 11th byte is an error.

use crate::error::RecordFault;

/// The longest encoding of a 32 bit number.
pub const MAX_LEN_32: usize = 5;
/// The longest encoding of a 64 bit number.
pub const MAX_LEN_64: usize = 10;

/// Reads a 32 bit number and moves `buf` behind it.
///
/// # Errors
/// [`RecordFault::PastRecord`] if the bytes end too early, [`RecordFault::VarintTooLong`] for a 6th byte.
#[inline(always)]
pub fn read_i32(buf: &mut &[u8]) -> Result<i32, RecordFault> {
    let raw = match **buf {
        [a, ref rest @ ..] if a < 0x80 => {
            *buf = rest;
            u32::from(a)
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *buf = rest;
            u32::from(a & 0x7f) | u32::from(b) << 7
        }
        _ => read_u32_long(buf)?,
    };
    Ok(unzigzag_32(raw))
}

/// Reads a 64 bit number and moves `buf` behind it.
///
/// # Errors
/// [`RecordFault::PastRecord`] if the bytes end too early, [`RecordFault::VarintTooLong`] for an 11th byte.
#[inline(always)]
pub fn read_i64(buf: &mut &[u8]) -> Result<i64, RecordFault> {
    let raw = match **buf {
        [a, ref rest @ ..] if a < 0x80 => {
            *buf = rest;
            u64::from(a)
        }
        [a, b, ref rest @ ..] if b < 0x80 => {
            *buf = rest;
            u64::from(a & 0x7f) | u64::from(b) << 7
        }
        _ => read_u64_long(buf)?,
    };
    Ok(unzigzag_64(raw))
}

#[inline(never)]
fn read_u32_long(buf: &mut &[u8]) -> Result<u32, RecordFault> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = next(buf)?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(RecordFault::VarintTooLong)
}

#[inline(never)]
fn read_u64_long(buf: &mut &[u8]) -> Result<u64, RecordFault> {
    let mut value = 0u64;
    for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
        let byte = next(buf)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(RecordFault::VarintTooLong)
}

#[inline]
fn next(buf: &mut &[u8]) -> Result<u8, RecordFault> {
    let (&byte, rest) = buf.split_first().ok_or(RecordFault::PastRecord)?;
    *buf = rest;
    Ok(byte)
}

/// Returns how many bytes `value` takes as a 32 bit number.
#[inline]
#[must_use]
pub fn len_i32(value: i32) -> usize {
    len_u64(u64::from(zigzag_32(value)))
}

/// Returns how many bytes `value` takes as a 64 bit number.
#[inline]
#[must_use]
pub fn len_i64(value: i64) -> usize {
    len_u64(zigzag_64(value))
}

#[inline]
fn len_u64(value: u64) -> usize {
    // Bits in use, at least one, in groups of seven.
    let bits = 64 - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Appends a 32 bit number.
#[inline]
pub fn write_i32(out: &mut Vec<u8>, value: i32) {
    write_u64(out, u64::from(zigzag_32(value)));
}

/// Appends a 64 bit number.
#[inline]
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    write_u64(out, zigzag_64(value));
}

#[inline]
fn write_u64(out: &mut Vec<u8>, raw: u64) {
    let (word, len) = encode(raw);
    out.extend(word.to_le_bytes().iter().take(len));
}

/// Returns the encoding of a zig-zagged number, first byte lowest, and its length.
#[inline(always)]
pub(crate) fn encode(raw: u64) -> (u128, usize) {
    if raw < 0x80 {
        (u128::from(raw), 1)
    } else if raw < 0x4000 {
        (u128::from(raw & 0x7f | 0x80 | raw >> 7 << 8), 2)
    } else {
        encode_long(raw)
    }
}

#[inline(never)]
fn encode_long(mut raw: u64) -> (u128, usize) {
    let (mut word, mut len) = (0, 0);
    while raw >= 0x80 {
        word |= u128::from(raw & 0x7f | 0x80) << (8 * len);
        len += 1;
        raw >>= 7;
    }
    (word | u128::from(raw) << (8 * len), len + 1)
}

#[inline]
#[expect(clippy::cast_sign_loss, reason = "zig-zag moves the sign to bit 0")]
pub(crate) fn zigzag_32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

#[inline]
#[expect(clippy::cast_sign_loss, reason = "zig-zag moves the sign to bit 0")]
pub(crate) fn zigzag_64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn unzigzag_32(raw: u32) -> i32 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[inline]
fn unzigzag_64(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_in_their_shortest_form() {
        let values: &[(i64, &[u8])] = &[
            (0, &[0]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (-65, &[0x81, 1]),
            (8191, &[0xfe, 0x7f]),
            (8192, &[0x80, 0x80, 1]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (i64::MAX, &[0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            (i64::MIN, &[0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ];
        for (value, bytes) in values {
            let mut out = Vec::new();
            write_i64(&mut out, *value);
            assert_eq!(&out, bytes, "{value}");
            assert_eq!(len_i64(*value), bytes.len());
            assert_eq!(read_i64(&mut &out[..]), Ok(*value));
            if let Ok(narrow) = i32::try_from(*value) {
                let mut out = Vec::new();
                write_i32(&mut out, narrow);
                assert_eq!(&out, bytes);
                assert_eq!(len_i32(narrow), bytes.len());
                assert_eq!(read_i32(&mut &out[..]), Ok(narrow));
            }
        }
    }

    #[test]
    fn odd_forms_read_as_kafka_reads_them() {
        let cases: &[(&[u8], Result<i32, RecordFault>)] = &[
            (&[0x82, 0], Ok(1)),
            (&[0x82, 0x80, 0x80, 0x80, 0], Ok(1)),
            (&[0x82, 0x80, 0x80, 0x80, 0x70], Ok(1)),
            (
                &[0x82, 0x80, 0x80, 0x80, 0x80, 0],
                Err(RecordFault::VarintTooLong),
            ),
            (&[], Err(RecordFault::PastRecord)),
            (&[0x80], Err(RecordFault::PastRecord)),
            (&[0x80, 0x80], Err(RecordFault::PastRecord)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read_i32(&mut &bytes[..]), *expected, "{bytes:?}");
        }
        let nine = [0x80u8; 9];
        assert_eq!(read_i64(&mut &[&nine[..], &[0x7e]].concat()[..]), Ok(0));
        assert_eq!(
            read_i64(&mut &[&nine[..], &[0x80, 0]].concat()[..]),
            Err(RecordFault::VarintTooLong)
        );
    }
}
