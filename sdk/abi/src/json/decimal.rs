//! Decimals between unscaled big-endian two's complement bytes and text with exactly `scale` digits after the point.

use crate::{
    schema::{DECIMAL_BYTES_MAX, DECIMAL_SCALE_MAX},
    value::{decimal_bytes, decimal_unscaled},
};

/// The longest text of a decimal: digits of the longest number, zeros of the largest scale, sign and point.
const TEXT_MAX: usize = DECIMAL_BYTES_MAX * 5 / 2 + 2_002;
const LIMB: u64 = 1_000_000_000;

/// Appends the text of a decimal.
pub(super) fn format(bytes: &[u8], scale: i32, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    match decimal_unscaled(bytes) {
        Some(number) => {
            let digits = buffer.format(number.unsigned_abs());
            point(number < 0, digits.as_bytes(), scale, out);
        }
        None => {
            let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
            let digits = big_digits(&magnitude(bytes, negative));
            point(negative, &digits, scale, out);
        }
    }
}

fn point(negative: bool, digits: &[u8], scale: i32, out: &mut Vec<u8>) {
    if negative {
        out.push(b'-');
    }
    let places = usize::try_from(scale.unsigned_abs()).unwrap_or(0);
    if scale <= 0 {
        out.extend_from_slice(digits);
        if digits != b"0" {
            out.resize(out.len() + places, b'0');
        }
        return;
    }
    if let Some(missing) = places.checked_sub(digits.len()) {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + missing, b'0');
        out.extend_from_slice(digits);
        return;
    }
    let (whole, fraction) = digits
        .split_at_checked(digits.len() - places)
        .unwrap_or_default();
    out.extend_from_slice(whole);
    out.push(b'.');
    out.extend_from_slice(fraction);
}

/// Returns the absolute value, big-endian.
fn magnitude(bytes: &[u8], negative: bool) -> Vec<u8> {
    let mut magnitude = bytes.to_vec();
    if negative {
        negate(&mut magnitude);
    }
    magnitude
}

/// Negates in two's complement.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
        *byte = sum;
        carry = over;
    }
}

/// Returns the decimal digits of a big-endian number.
fn big_digits(bytes: &[u8]) -> Vec<u8> {
    let mut limbs: Vec<u64> = Vec::new();
    for byte in bytes {
        multiply_add(&mut limbs, 256, u64::from(*byte));
    }
    let mut digits = Vec::with_capacity(limbs.len() * 9);
    for limb in limbs.iter().rev() {
        let text = limb.to_string();
        if !digits.is_empty() {
            digits.resize(digits.len() + 9_usize.saturating_sub(text.len()), b'0');
        }
        digits.extend_from_slice(text.as_bytes());
    }
    if digits.is_empty() {
        digits.push(b'0');
    }
    digits
}

/// Multiplies a number of base-10^9 limbs, least first, and adds.
fn multiply_add(limbs: &mut Vec<u64>, factor: u64, add: u64) {
    let mut carry = add;
    for limb in limbs.iter_mut() {
        let product = *limb * factor + carry;
        *limb = product % LIMB;
        carry = product / LIMB;
    }
    if carry > 0 {
        limbs.push(carry);
    }
}

/// Returns the shortest bytes of a decimal's text: digits with at most `scale` of them after the point.
pub(super) fn parse(text: &[u8], scale: i32) -> Option<Vec<u8>> {
    if text.len() > TEXT_MAX || scale.unsigned_abs() > DECIMAL_SCALE_MAX.unsigned_abs() {
        return None;
    }
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let dot = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = match dot {
        Some(dot) => (text.get(..dot)?, text.get(dot + 1..)?),
        None => (text, &[][..]),
    };
    let good = |digits: &[u8]| digits.iter().all(u8::is_ascii_digit);
    if whole.is_empty() || !good(whole) || !good(fraction) || (dot.is_some() && fraction.is_empty())
    {
        return None;
    }
    let places = usize::try_from(scale.unsigned_abs()).ok()?;
    let mut digits = whole.to_vec();
    digits.extend_from_slice(fraction);
    if scale >= 0 {
        digits.resize(digits.len() + places.checked_sub(fraction.len())?, b'0');
    } else if digits.iter().any(|digit| *digit != b'0') {
        let keep = digits.len().checked_sub(places)?;
        let zeros = digits.split_off(keep);
        if !fraction.is_empty() || zeros.iter().any(|digit| *digit != b'0') {
            return None;
        }
    }
    unscaled_bytes(negative, &digits)
}

fn unscaled_bytes(negative: bool, digits: &[u8]) -> Option<Vec<u8>> {
    if digits.len() <= 38 {
        let mut number = 0_i128;
        for digit in digits {
            number = number * 10 + i128::from(digit - b'0');
        }
        return Some(decimal_bytes(if negative { -number } else { number }));
    }
    // Base 256, least first; nine digits at a time.
    let mut bytes: Vec<u8> = Vec::new();
    for chunk in digits.chunks(9) {
        let factor = 10_u64.pow(u32::try_from(chunk.len()).ok()?);
        let mut carry = chunk
            .iter()
            .fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        for byte in &mut bytes {
            let product = u64::from(*byte) * factor + carry;
            *byte = u8::try_from(product & 0xff).ok()?;
            carry = product >> 8;
        }
        while carry > 0 {
            bytes.push(u8::try_from(carry & 0xff).ok()?);
            carry >>= 8;
        }
    }
    bytes.push(0);
    bytes.reverse();
    if negative {
        negate(&mut bytes);
    }
    let bytes = crate::value::minimal(&bytes);
    (bytes.len() <= DECIMAL_BYTES_MAX).then(|| bytes.to_vec())
}
