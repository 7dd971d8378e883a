//! Packed, zoned and binary numbers, in both directions.

use crate::fixed::number::Sign;

/// Reads a packed number of `digits` digits; `None`: a digit or the sign is none.
pub(crate) fn unpack(bytes: &[u8], digits: u8) -> Option<i128> {
    let (last, front) = bytes.split_last()?;
    let digit = |nibble: u8| (nibble <= 9).then_some(i128::from(nibble));
    let mut value: i128 = 0;
    for byte in front {
        for nibble in [byte >> 4, byte & 0x0f] {
            value = value.checked_mul(10)?.checked_add(digit(nibble)?)?;
        }
    }
    value = value.checked_mul(10)?.checked_add(digit(last >> 4)?)?;
    // With an even number of digits the first half byte is not one of them.
    if value >= 10_i128.checked_pow(u32::from(digits)).unwrap_or(i128::MAX) {
        return None;
    }
    match last & 0x0f {
        0x0a | 0x0c | 0x0e | 0x0f => Some(value),
        0x0b | 0x0d => Some(-value),
        _ => None,
    }
}

/// Writes a packed number: C and D are the signs, F is that of a number without one.
pub(crate) fn pack(value: i128, digits: u8, signed: bool) -> Option<Vec<u8>> {
    let mut text = checked(value, digits, signed)?;
    if text.len() % 2 == 0 {
        text.insert(0, b'0');
    }
    let sign = match (signed, value < 0) {
        (false, _) => 0x0f,
        (true, false) => 0x0c,
        (true, true) => 0x0d,
    };
    let mut nibbles: Vec<u8> = text.iter().map(|digit| digit - b'0').collect();
    nibbles.push(sign);
    Some(
        nibbles
            .chunks(2)
            .map(|pair| pair.first().unwrap_or(&0) << 4 | pair.get(1).unwrap_or(&0))
            .collect(),
    )
}

/// Exactly `digits` digits of a number; `None`: it has more, or a sign that cannot be written.
fn checked(value: i128, digits: u8, signed: bool) -> Option<Vec<u8>> {
    if value < 0 && !signed {
        return None;
    }
    let text = value.unsigned_abs().to_string();
    let width = usize::from(digits);
    (text.len() <= width).then(|| format!("{text:0>width$}").into_bytes())
}

/// How a DISPLAY number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zoned {
    pub(crate) ebcdic: bool,
    pub(crate) leading: bool,
    pub(crate) separate: bool,
    pub(crate) signed: bool,
}

/// Reads a DISPLAY number; `None`: a byte is no digit.
pub(crate) fn unzone(bytes: &[u8], zoned: Zoned) -> Option<i128> {
    let (mut digits, mut negative) = (bytes, false);
    if zoned.separate {
        let (sign, rest) = if zoned.leading {
            bytes.split_first()?
        } else {
            bytes.split_last()?
        };
        let (plus, minus) = if zoned.ebcdic {
            (0x4e, 0x60)
        } else {
            (b'+', b'-')
        };
        negative = *sign == minus;
        if !negative && *sign != plus {
            return None;
        }
        digits = rest;
    }
    let carrier = if zoned.leading {
        0
    } else {
        digits.len().checked_sub(1)?
    };
    let mut value: i128 = 0;
    for (at, byte) in digits.iter().enumerate() {
        let carries = zoned.signed && !zoned.separate && at == carrier;
        let (minus, digit) = if carries {
            signed_digit(*byte, zoned.ebcdic)?
        } else {
            (false, plain_digit(*byte, zoned.ebcdic)?)
        };
        negative |= minus;
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    Some(if negative { -value } else { value })
}

fn plain_digit(byte: u8, ebcdic: bool) -> Option<u8> {
    let zero = if ebcdic { 0xf0 } else { b'0' };
    byte.checked_sub(zero).filter(|digit| *digit <= 9)
}

fn signed_digit(byte: u8, ebcdic: bool) -> Option<(bool, u8)> {
    if ebcdic {
        let digit = byte & 0x0f;
        let minus = match byte >> 4 {
            0x0c | 0x0f | 0x0a | 0x0e => false,
            0x0d | 0x0b => true,
            _ => return None,
        };
        return (digit <= 9).then_some((minus, digit));
    }
    Some(match byte {
        b'0'..=b'9' => (false, byte - b'0'),
        b'{' => (false, 0),
        b'A'..=b'I' => (false, byte - b'A' + 1),
        b'}' => (true, 0),
        b'J'..=b'R' => (true, byte - b'J' + 1),
        b'p'..=b'y' => (true, byte - b'p'),
        _ => return None,
    })
}

/// Writes a DISPLAY number; in ASCII the sign is written as `sign` says.
pub(crate) fn zone(value: i128, digits: u8, zoned: Zoned, sign: Sign) -> Option<Vec<u8>> {
    let mut text = checked(value, digits, zoned.signed)?;
    let negative = value < 0;
    if zoned.ebcdic {
        text.iter_mut()
            .for_each(|digit| *digit = *digit - b'0' + 0xf0);
    }
    if zoned.separate {
        let (plus, minus) = if zoned.ebcdic {
            (0x4e, 0x60)
        } else {
            (b'+', b'-')
        };
        let byte = if negative { minus } else { plus };
        text.insert(if zoned.leading { 0 } else { text.len() }, byte);
        return Some(text);
    }
    if zoned.signed {
        let carrier = if zoned.leading {
            text.first_mut()?
        } else {
            text.last_mut()?
        };
        let digit = *carrier & 0x0f;
        *carrier = match (zoned.ebcdic, sign, negative) {
            (true, _, false) => 0xc0 | digit,
            (true, _, true) => 0xd0 | digit,
            (false, Sign::Zoned, false) if digit == 0 => b'{',
            (false, Sign::Zoned, false) => b'A' + digit - 1,
            (false, Sign::Zoned, true) if digit == 0 => b'}',
            (false, Sign::Zoned, true) => b'J' + digit - 1,
            (false, _, false) => b'0' + digit,
            (false, _, true) => b'p' + digit,
        };
    }
    Some(text)
}

/// Reads a binary number.
pub(crate) fn from_binary(bytes: &[u8], signed: bool, little: bool) -> i128 {
    let mut value: i128 = 0;
    let mut take = |byte: u8| value = value << 8 | i128::from(byte);
    if little {
        bytes.iter().rev().copied().for_each(&mut take);
    } else {
        bytes.iter().copied().for_each(&mut take);
    }
    let bits = bytes.len() * 8;
    let negative = signed && bits > 0 && value >> (bits - 1) & 1 == 1;
    if negative { value - (1 << bits) } else { value }
}

/// Writes a binary number of `len` bytes; `None`: it does not fit.
pub(crate) fn to_binary(value: i128, len: usize, signed: bool, little: bool) -> Option<Vec<u8>> {
    let bits = u32::try_from(len * 8).ok()?;
    let (least, most) = if signed {
        (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1)
    } else {
        (0, (1_i128 << bits) - 1)
    };
    if !(least..=most).contains(&value) {
        return None;
    }
    let all = value.to_be_bytes();
    let mut bytes = all.get(16 - len..)?.to_vec();
    if little {
        bytes.reverse();
    }
    Some(bytes)
}
