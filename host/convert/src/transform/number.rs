//! Numbers as Java's `parseInt` and `parseDouble` read them.

/// Reads a whole number of 64 bits: a sign, digits of any script, nothing else.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() {
        return None;
    }
    // Negative all along, because that side reaches one further.
    let mut number = 0_i64;
    for letter in digits.chars() {
        let digit = crate::decimal::digit_of(letter)?.to_digit(10)?;
        number = number.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative {
        Some(number)
    } else {
        number.checked_neg()
    }
}

/// Reads a 64-bit float: blanks around, a sign, `NaN`, `Infinity`, hexadecimal, a suffix `f` or `d`.
pub(crate) fn parse_f64(text: &str) -> Option<f64> {
    match read(text)? {
        Read::Word(value) => Some(value),
        Read::Decimal(text) => text.parse().ok(),
        Read::Hex(negative, bits, exponent) => {
            let value = scale(bits as f64, exponent);
            Some(if negative { -value } else { value })
        }
    }
}

/// Reads a 32-bit float, by the same rules.
pub(crate) fn parse_f32(text: &str) -> Option<f32> {
    match read(text)? {
        #[expect(clippy::cast_possible_truncation, reason = "NaN and infinities only")]
        Read::Word(value) => Some(value as f32),
        Read::Decimal(text) => text.parse().ok(),
        Read::Hex(negative, bits, exponent) => {
            // Rounded once: a value of 32 bits, times a power of two.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the nearest 32-bit float is meant"
            )]
            let value = scale(f64::from(bits as f32), exponent) as f32;
            Some(if negative { -value } else { value })
        }
    }
}

enum Read {
    Word(f64),
    /// Text that Rust reads as Java does.
    Decimal(String),
    /// Sign, the first 64 bits and the power of two they are to be multiplied with.
    Hex(bool, u64, i64),
}

fn read(text: &str) -> Option<Read> {
    let text = crate::options::trim(text);
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let signed = |value: f64| if negative { -value } else { value };
    match rest {
        "NaN" => return Some(Read::Word(f64::NAN)),
        "Infinity" => return Some(Read::Word(signed(f64::INFINITY))),
        _ => {}
    }
    let digits = rest.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(rest);
    if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let (bits, exponent) = hexadecimal(hex)?;
        return Some(Read::Hex(negative, bits, exponent));
    }
    is_decimal(digits)
        .then(|| Read::Decimal(format!("{}{digits}", if negative { "-" } else { "" })))
}

/// Digits, a point, an exponent; at least one digit before the exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => {
            let (mantissa, exponent) = text.split_at(at);
            (mantissa, exponent.get(1..))
        }
        None => (text, None),
    };
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all(digits)
    });
    all(whole) && all(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

/// `1.8p3`, with the exponent that Java asks for.
fn hexadecimal(text: &str) -> Option<(u64, i64)> {
    let text = text
        .strip_suffix(['f', 'F', 'd', 'D'])
        .filter(|rest| rest.contains(['p', 'P']))
        .unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut exponent: i64 = exponent
        .parse::<i64>()
        .unwrap_or(if exponent.starts_with('-') {
            -100_000
        } else {
            100_000
        });
    exponent = exponent.clamp(-100_000, 100_000);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits = 0_u64;
    let fraction_from = whole.chars().count();
    for (index, letter) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(letter.to_digit(16)?);
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
            exponent -= if index >= fraction_from { 4 } else { 0 };
        } else {
            // What no longer fits only decides a tie.
            bits |= u64::from(digit != 0);
            exponent += if index < fraction_from { 4 } else { 0 };
        }
    }
    Some((bits, exponent))
}

fn scale(mut value: f64, exponent: i64) -> f64 {
    const STEP: i64 = 1000;
    let mut left = exponent;
    while left != 0 && value != 0.0 && value.is_finite() {
        let step = left.clamp(-STEP, STEP);
        value *= 2_f64.powi(i32::try_from(step).unwrap_or(0));
        left -= step;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_javas() {
        let check =
            |text: &str, expected: Option<i64>| assert_eq!(parse_int(text), expected, "{text}");
        check("5", Some(5));
        check("+5", Some(5));
        check("-9223372036854775808", Some(i64::MIN));
        check("9223372036854775808", None);
        check("\u{967}\u{968}", Some(12));
        for text in ["", "+", "--5", " 5", "1.5", "1e3", "0x1F", "1_000"] {
            check(text, None);
        }
    }

    #[test]
    fn floats_are_javas() {
        let check = |text: &str, expected: Option<f64>| {
            assert_eq!(parse_f64(text), expected, "{text}");
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the same number in 32 bits"
            )]
            let small = expected.map(|value| value as f32);
            assert_eq!(parse_f32(text), small, "{text}");
        };
        check(" 5 ", Some(5.0));
        check("1f", Some(1.0));
        check("1.5e3D", Some(1500.0));
        check(".5", Some(0.5));
        check("5.", Some(5.0));
        check("0x1p3", Some(8.0));
        check("-0x.8P-1f", Some(-0.25));
        check("0x123456789abcdef01p0", Some(20_988_295_479_420_645_121.0));
        check("+Infinity", Some(f64::INFINITY));
        check("1e400", Some(f64::INFINITY));
        check("-0", Some(-0.0));
        for text in [
            "", ".", "e5", "1e", "inf", "nan", "infinity", "1_000", "0x1F", "0xp1", "\u{ff15}",
            "--5",
        ] {
            check(text, None);
        }
        assert!(parse_f64("NaN").is_some_and(f64::is_nan));
    }
}
