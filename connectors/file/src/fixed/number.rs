//! Numbers as legacy files write them: signs in front, behind or in the last digit, decimals without a point.

/// Where the sign of a number is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sign {
    /// No sign: a negative number cannot be written.
    None,
    /// `-` or `+` in front.
    #[default]
    Leading,
    /// `-` or `+` behind the last digit.
    Trailing,
    /// In the last digit, as IBM machines print it: `{ABCDEFGHI` is +0 to +9, `}JKLMNOPQR` is -0 to -9.
    Zoned,
    /// In the last digit, as Micro Focus and GnuCOBOL write it in ASCII: digits are positive, `p` to `y` is -0 to -9.
    ZonedAscii,
}

impl Sign {
    /// The words of a layout.
    pub(crate) const WORDS: [(&'static str, Self); 5] = [
        ("none", Self::None),
        ("leading", Self::Leading),
        ("trailing", Self::Trailing),
        ("zoned", Self::Zoned),
        ("zoned-ascii", Self::ZonedAscii),
    ];
}

/// Reads digits with their sign; `None`: it is no such number.
///
/// `point` says that a decimal point is written; otherwise the last `scale` digits are the decimals.
pub(crate) fn parse(text: &[u8], sign: Sign, scale: u8, point: bool) -> Option<i128> {
    let (negative, digits, last) = split(text, sign)?;
    let mut value: i128 = 0;
    let mut decimals: Option<u8> = None;
    let mut seen = false;
    for &byte in digits.iter().chain(last.iter()) {
        if byte == b'.' && point && decimals.is_none() {
            decimals = Some(0);
            continue;
        }
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        seen = true;
        if let Some(count) = &mut decimals {
            if *count == scale {
                // Digits beyond the scale are not dropped, unless they are zeros.
                if digit != 0 {
                    return None;
                }
                continue;
            }
            *count += 1;
        }
        value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
    }
    if !seen {
        return None;
    }
    if point {
        let missing = scale - decimals.unwrap_or(0);
        value = value.checked_mul(10_i128.checked_pow(u32::from(missing))?)?;
    }
    Some(if negative { -value } else { value })
}

/// Splits off the sign: whether it is negative, the digits, and a last digit that carried the sign.
fn split(text: &[u8], sign: Sign) -> Option<(bool, &[u8], Option<u8>)> {
    match sign {
        Sign::None => Some((false, text, None)),
        Sign::Leading => Some(match text.split_first()? {
            (b'-', digits) => (true, digits, None),
            (b'+', digits) => (false, digits, None),
            _ => (false, text, None),
        }),
        Sign::Trailing => Some(match text.split_last()? {
            (b'-', digits) => (true, digits, None),
            (b'+' | b' ', digits) => (false, digits, None),
            _ => (false, text, None),
        }),
        Sign::Zoned | Sign::ZonedAscii => {
            let (&last, digits) = text.split_last()?;
            let (negative, digit) = overpunch(last)?;
            Some((negative, digits, Some(digit)))
        }
    }
}

/// Reads a digit that carries a sign, of either convention.
fn overpunch(byte: u8) -> Option<(bool, u8)> {
    Some(match byte {
        b'0'..=b'9' => (false, byte),
        b'{' => (false, b'0'),
        b'A'..=b'I' => (false, byte - b'A' + b'1'),
        b'}' => (true, b'0'),
        b'J'..=b'R' => (true, byte - b'J' + b'1'),
        b'p'..=b'y' => (true, byte - b'p' + b'0'),
        _ => return None,
    })
}

/// Writes a number into exactly `width` bytes, filled up in front with `fill`, or into as many as it needs where `width` is 0;
/// `None`: it does not fit, or has no sign to show.
pub(crate) fn format(
    unscaled: i128,
    sign: Sign,
    scale: u8,
    point: bool,
    width: usize,
    fill: u8,
) -> Option<Vec<u8>> {
    let negative = unscaled < 0;
    if negative && sign == Sign::None {
        return None;
    }
    let mut digits = unscaled.unsigned_abs().to_string().into_bytes();
    let scale = usize::from(scale);
    while digits.len() <= scale && point {
        digits.insert(0, b'0');
    }
    if point && scale > 0 {
        digits.insert(digits.len() - scale, b'.');
    }
    match sign {
        Sign::Zoned => {
            let last = digits.pop()?;
            let digit = last - b'0';
            digits.push(match (negative, digit) {
                (false, 0) => b'{',
                (false, digit) => b'A' + digit - 1,
                (true, 0) => b'}',
                (true, digit) => b'J' + digit - 1,
            });
        }
        Sign::ZonedAscii if negative => {
            let last = digits.pop()?;
            digits.push(last - b'0' + b'p');
        }
        Sign::Trailing => digits.push(if negative { b'-' } else { b' ' }),
        _ => {}
    }
    let minus = negative && sign == Sign::Leading;
    let natural = digits.len() + usize::from(minus);
    let fillers = if width == 0 {
        0
    } else {
        width.checked_sub(natural)?
    };
    let mut out = Vec::with_capacity(width);
    // A zero stands behind the minus, a space in front of it.
    if minus && fill == b'0' {
        out.push(b'-');
    }
    out.extend(std::iter::repeat_n(fill, fillers));
    if minus && fill != b'0' {
        out.push(b'-');
    }
    out.extend_from_slice(&digits);
    Some(out)
}

/// Returns a number with its decimals, for people.
pub(crate) fn text(unscaled: i128, scale: u32) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = scale as usize;
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, decimals) = digits
        .split_at_checked(digits.len() - scale)
        .unwrap_or((&digits, ""));
    format!("{sign}{whole}.{decimals}")
}

/// Gives a number another scale; `None` where digits would be lost.
pub(crate) fn rescale(unscaled: i128, from: u32, to: u32) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(10_i128.checked_pow(to - from)?);
    }
    let divisor = 10_i128.checked_pow(from - to)?;
    (unscaled % divisor == 0).then(|| unscaled / divisor)
}
