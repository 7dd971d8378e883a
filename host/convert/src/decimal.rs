//! Decimal numbers of any size: Java's `BigDecimal`, as far as Connect uses it.

use std::fmt;

use num_bigint::{BigInt, Sign};

use crate::{Class, Error};

/// The largest absolute scale that is spelled out in digits: beyond, a few bytes would become megabytes.
pub(crate) const SCALE_MAX: u32 = 10_000;
/// The longest text of a number that is read.
const TEXT_MAX: usize = 20_000;
/// The most bytes of an unscaled number.
const UNSCALED_BYTES_MAX: usize = 8_192;

/// `unscaled` times 10 to the power of minus `scale`. Equality is `equals`: `1.0` is not `1.00`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

impl Decimal {
    /// Returns a decimal from its parts.
    #[must_use]
    pub fn new(unscaled: impl Into<BigInt>, scale: i32) -> Self {
        Self {
            unscaled: unscaled.into(),
            scale,
        }
    }

    /// Returns a decimal from the big-endian two's complement of its unscaled number.
    ///
    /// # Errors
    /// There must be at least one byte, and at most 8192.
    pub fn from_bytes(unscaled: &[u8], scale: i32) -> Result<Self, Error> {
        if unscaled.is_empty() {
            return Err(Error::new(
                Class::NumberFormat,
                "a decimal needs at least one byte",
            ));
        }
        if unscaled.len() > UNSCALED_BYTES_MAX {
            return Err(Error::new(
                Class::NumberFormat,
                format!("a decimal of more than {UNSCALED_BYTES_MAX} bytes"),
            ));
        }
        Ok(Self::new(BigInt::from_signed_bytes_be(unscaled), scale))
    }

    /// Reads a number as `new BigDecimal(text)` does: sign, digits, point, exponent.
    ///
    /// # Errors
    /// The text must be such a number, of at most 20000 characters, with a scale that fits 32 bits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::new(Class::NumberFormat, "the text is not a decimal number");
        if text.len() > TEXT_MAX {
            return Err(bad());
        }
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => {
                let (mantissa, rest) = text.split_at(at);
                (
                    mantissa,
                    exponent(rest.get(1..).unwrap_or_default()).ok_or_else(bad)?,
                )
            }
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return Err(bad());
        }
        let mut digits = String::with_capacity(mantissa.len() + 1);
        if negative {
            digits.push('-');
        }
        let mut places = 0_i64;
        for digit in whole.chars() {
            digits.push(digit_of(digit).ok_or_else(bad)?);
        }
        for digit in fraction.chars() {
            digits.push(digit_of(digit).ok_or_else(bad)?);
            places += 1;
        }
        let scale = i32::try_from(places - exponent).map_err(|_| bad())?;
        let unscaled = BigInt::parse_bytes(digits.as_bytes(), 10).ok_or_else(bad)?;
        Ok(Self { unscaled, scale })
    }

    /// Returns the number without its point.
    #[must_use]
    pub const fn unscaled(&self) -> &BigInt {
        &self.unscaled
    }

    /// Returns the shortest big-endian two's complement of the unscaled number.
    #[must_use]
    pub fn unscaled_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }

    /// Returns how many digits stand after the point; negative: how many zeros are left out before it.
    #[must_use]
    pub const fn scale(&self) -> i32 {
        self.scale
    }

    /// Returns the same number with another scale.
    ///
    /// # Errors
    /// `None` where digits would be lost or the number would grow beyond 10000 digits.
    #[must_use]
    pub fn with_scale(&self, scale: i32) -> Option<Self> {
        let up = i64::from(scale) - i64::from(self.scale);
        let steps = u32::try_from(up.unsigned_abs()).ok()?;
        if self.unscaled.sign() == Sign::NoSign {
            return Some(Self::new(0, scale));
        }
        if steps > SCALE_MAX {
            return None;
        }
        let power = BigInt::from(10).pow(steps);
        if up >= 0 {
            return Some(Self::new(&self.unscaled * power, scale));
        }
        let whole = &self.unscaled / &power;
        (&whole * power == self.unscaled).then(|| Self::new(whole, scale))
    }

    /// Returns the text without an exponent, `BigDecimal.toPlainString`.
    ///
    /// # Errors
    /// The scale must be within 10000.
    pub fn to_plain_string(&self) -> Result<String, Error> {
        let places = self.scale.unsigned_abs();
        if places > SCALE_MAX {
            return Err(Error::data(format!(
                "a decimal with a scale beyond {SCALE_MAX} is not spelled out"
            )));
        }
        let places = usize::try_from(places).unwrap_or(usize::MAX);
        let (sign, mut digits) = self.digits();
        if self.scale <= 0 {
            if digits != "0" {
                digits.extend(std::iter::repeat_n('0', places));
            }
            return Ok(format!("{sign}{digits}"));
        }
        Ok(format!("{sign}{}", with_point(&digits, places)))
    }

    fn digits(&self) -> (&'static str, String) {
        let sign = if self.unscaled.sign() == Sign::Minus {
            "-"
        } else {
            ""
        };
        (sign, self.unscaled.magnitude().to_str_radix(10))
    }

    /// Returns the integer part's low 64 bits, `BigDecimal.longValue`.
    #[must_use]
    pub fn to_i64_wrapping(&self) -> i64 {
        // Below 10^64 and above: the low 64 bits of a multiple of 2^64 are zero.
        if self.scale <= -64 {
            return 0;
        }
        self.integer_part().map_or(0, |whole| low_bits(&whole))
    }

    /// Returns the integer part, `None` where it needs more than 64 bits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        if self.unscaled.sign() != Sign::NoSign && self.scale < -19 {
            return None;
        }
        let whole = self.integer_part().unwrap_or_default();
        i64::try_from(&whole).ok()
    }

    /// Returns the integer part, `None` where all of it lies behind the point; the scale is above -65.
    fn integer_part(&self) -> Option<BigInt> {
        let (_, digits) = self.digits();
        let digits = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        if self.unscaled.sign() == Sign::NoSign || digits <= i64::from(self.scale) {
            return None;
        }
        let power = BigInt::from(10).pow(self.scale.unsigned_abs());
        Some(if self.scale >= 0 {
            &self.unscaled / power
        } else {
            &self.unscaled * power
        })
    }

    /// Returns the nearest 64-bit float.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// Returns the nearest 32-bit float.
    #[must_use]
    pub fn to_f32(&self) -> f32 {
        self.to_string().parse().unwrap_or(f32::NAN)
    }
}

/// `BigDecimal.toString`: with an exponent where the plain text would have needless zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, digits) = self.digits();
        f.write_str(sign)?;
        if self.scale == 0 {
            return f.write_str(&digits);
        }
        let count = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let adjusted = count - 1 - i64::from(self.scale);
        if self.scale >= 0 && adjusted >= -6 {
            let places = usize::try_from(self.scale).unwrap_or(0);
            return f.write_str(&with_point(&digits, places));
        }
        let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
        f.write_str(first)?;
        if !rest.is_empty() {
            write!(f, ".{rest}")?;
        }
        if adjusted != 0 {
            write!(f, "E{adjusted:+}")?;
        }
        Ok(())
    }
}

/// Puts the point `places` digits from the right, with zeros in front where they are too few.
fn with_point(digits: &str, places: usize) -> String {
    match digits.len().checked_sub(places) {
        Some(at) if at > 0 => {
            let (whole, fraction) = digits.split_at_checked(at).unwrap_or((digits, ""));
            if fraction.is_empty() {
                whole.to_owned()
            } else {
                format!("{whole}.{fraction}")
            }
        }
        _ => format!("0.{digits:0>places$}"),
    }
}

/// Reads what follows `e`: at most ten digits with a sign.
fn exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut number = 0_i64;
    let mut count = 0;
    for digit in digits.chars() {
        let digit = i64::from(digit_of(digit)?.to_digit(10)?);
        count += 1;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    let number = if negative { -number } else { number };
    (count > 0 && i32::try_from(number).is_ok()).then_some(number)
}

/// Returns a decimal digit of any script as ASCII, as `Character.digit(c, 10)`.
pub(crate) fn digit_of(character: char) -> Option<char> {
    if character.is_ascii_digit() {
        return Some(character);
    }
    /// Where Unicode's blocks of ten decimal digits begin, in the basic plane.
    const ZEROS: [u32; 36] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
        0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
        0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
        0xff10,
    ];
    let code = u32::from(character);
    let zero = ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))?;
    char::from_digit(code - zero, 10)
}

fn low_bits(number: &BigInt) -> i64 {
    let low = number.magnitude().iter_u64_digits().next().unwrap_or(0);
    let low = i64::from_ne_bytes(low.to_ne_bytes());
    if number.sign() == Sign::Minus {
        low.wrapping_neg()
    } else {
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_javas() {
        let check = |text: &str, shown: &str, plain: &str| {
            let number = Decimal::parse(text).unwrap();
            assert_eq!(number.to_string(), shown, "{text}");
            assert_eq!(number.to_plain_string().unwrap(), plain, "{text}");
        };
        check("0", "0", "0");
        check("+1.50", "1.50", "1.50");
        check("-0.001", "-0.001", "-0.001");
        check("1e3", "1E+3", "1000");
        check("1.25e3", "1.25E+3", "1250");
        check("0.0000001", "1E-7", "0.0000001");
        check("0.000001", "0.000001", "0.000001");
        check("123e-9", "1.23E-7", "0.000000123");
        check("0e5", "0E+5", "0");
        check("0.00", "0.00", "0.00");
        check(".5", "0.5", "0.5");
        check("5.", "5", "5");
        check("٣", "3", "3");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1 ",
            " 1",
            "--1",
            "1.2.3",
            "NaN",
            "1e99999999999",
            "1e2147483648",
            "0x1",
        ] {
            assert!(Decimal::parse(text).is_err(), "{text}");
        }
        // A few bytes never become megabytes.
        let large = Decimal::parse("1e2000000000").unwrap();
        assert_eq!(large.to_string(), "1E+2000000000");
        assert!(large.to_plain_string().is_err());
        assert_eq!(large.with_scale(0), None);
        assert_eq!(large.to_i64_wrapping(), 0);
        assert_eq!(large.to_i64(), None);
    }

    #[test]
    fn integers_keep_the_low_bits() {
        let check = |text: &str, low: i64, exact: Option<i64>| {
            let number = Decimal::parse(text).unwrap();
            assert_eq!(number.to_i64_wrapping(), low, "{text}");
            assert_eq!(number.to_i64(), exact, "{text}");
        };
        check("1.99", 1, Some(1));
        check("-1.99", -1, Some(-1));
        check("9223372036854775807", i64::MAX, Some(i64::MAX));
        check("9223372036854775808", i64::MIN, None);
        check("-9223372036854775808", i64::MIN, Some(i64::MIN));
        check("18446744073709551621", 5, None);
        check("1e2", 100, Some(100));
        check("0.5", 0, Some(0));
    }

    #[test]
    fn bytes_are_the_shortest() {
        let check = |text: &str, bytes: &[u8]| {
            let number = Decimal::parse(text).unwrap();
            assert_eq!(number.unscaled_bytes(), bytes, "{text}");
            assert_eq!(Decimal::from_bytes(bytes, number.scale()).unwrap(), number);
        };
        check("0", &[0]);
        check("1.27", &[127]);
        check("128", &[0, 128]);
        check("-1", &[255]);
        check("-129", &[255, 127]);
        assert!(Decimal::from_bytes(&[], 0).is_err());
    }
}
