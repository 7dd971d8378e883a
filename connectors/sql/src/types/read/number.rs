//! Exact decimal numbers of any size.

use num_bigint::BigInt;

use super::CellError;

/// The most digits that one step of scaling may add; PostgreSQL's largest scale is 16,383.
const SCALE_MAX: i32 = 20_000;

/// An exact number: `unscaled` times ten to the power of minus `scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Number {
    unscaled: Unscaled,
    scale: i32,
}

/// Most numbers fit into 128 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unscaled {
    Small(i128),
    Big(BigInt),
}

impl Number {
    pub(crate) const fn small(unscaled: i128, scale: i32) -> Self {
        Self {
            unscaled: Unscaled::Small(unscaled),
            scale,
        }
    }

    /// Reads `-12.50`, `1e10`, `.5`; anything else is refused.
    pub(crate) fn parse(text: &str) -> Result<Self, CellError> {
        let refuse = || CellError::Text("number");
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                (mantissa, exponent.parse::<i32>().map_err(|_| refuse())?)
            }
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.as_bytes().first() {
            Some(b'-') => (true, mantissa.get(1..).unwrap_or_default()),
            Some(b'+') => (false, mantissa.get(1..).unwrap_or_default()),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction)
        {
            return Err(refuse());
        }
        let scale = i32::try_from(fraction.len())
            .ok()
            .and_then(|scale| scale.checked_sub(exponent))
            .filter(|scale| (-SCALE_MAX..=SCALE_MAX).contains(scale))
            .ok_or_else(refuse)?;
        // 38 digits always fit into 128 bits.
        let unscaled = if whole.len() + fraction.len() <= 38 {
            let digits = whole.bytes().chain(fraction.bytes());
            let number = digits.fold(0_i128, |number, digit| {
                number * 10 + i128::from(digit - b'0')
            });
            Unscaled::Small(if negative { -number } else { number })
        } else {
            let number = BigInt::parse_bytes(format!("{whole}{fraction}").as_bytes(), 10)
                .ok_or_else(refuse)?;
            Unscaled::Big(if negative { -number } else { number })
        };
        Ok(Self { unscaled, scale })
    }

    /// Builds a number of PostgreSQL's digits: each is worth four decimal ones, the first 10000 to the power of `weight`.
    pub(crate) fn of_base_10000(
        digits: impl ExactSizeIterator<Item = u16>,
        weight: i32,
        negative: bool,
        scale: i32,
    ) -> Self {
        let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
        // What the last digit is worth, as a power of ten.
        let exponent = weight
            .saturating_add(1)
            .saturating_sub(count)
            .saturating_mul(4);
        let mut number = Self {
            unscaled: if count <= 9 {
                let value = digits.fold(0_i128, |value, digit| value * 10_000 + i128::from(digit));
                Unscaled::Small(if negative { -value } else { value })
            } else {
                let value = digits.fold(BigInt::ZERO, |value, digit| value * 10_000_u32 + digit);
                Unscaled::Big(if negative { -value } else { value })
            },
            scale: exponent.saturating_neg(),
        };
        // Trailing zeros of the last digit are cut, missing ones are added: `scale` digits are shown.
        if let Some(rescaled) = number.rescaled(scale) {
            number = rescaled;
        }
        number
    }

    pub(crate) const fn scale(&self) -> i32 {
        self.scale
    }

    /// Returns the same number with another scale, `None` where digits would be lost.
    pub(crate) fn rescaled(&self, scale: i32) -> Option<Self> {
        let by = scale.checked_sub(self.scale)?;
        if by == 0 {
            return Some(self.clone());
        }
        if by.abs() > SCALE_MAX {
            return None;
        }
        let unscaled = if by > 0 {
            self.times_ten_to(by.unsigned_abs())
        } else {
            self.divided_by_ten_to(by.unsigned_abs())?
        };
        Some(Self { unscaled, scale })
    }

    fn times_ten_to(&self, power: u32) -> Unscaled {
        if let Unscaled::Small(number) = self.unscaled
            && let Some(product) = 10_i128
                .checked_pow(power)
                .and_then(|ten| number.checked_mul(ten))
        {
            return Unscaled::Small(product);
        }
        Unscaled::Big(self.big() * BigInt::from(10).pow(power))
    }

    fn divided_by_ten_to(&self, power: u32) -> Option<Unscaled> {
        if let Unscaled::Small(number) = self.unscaled {
            return match 10_i128.checked_pow(power) {
                Some(ten) => (number % ten == 0).then_some(Unscaled::Small(number / ten)),
                None => (number == 0).then_some(Unscaled::Small(0)),
            };
        }
        let ten = BigInt::from(10).pow(power);
        let number = self.big();
        ((&number % &ten) == BigInt::ZERO).then(|| Unscaled::Big(number / ten))
    }

    fn big(&self) -> BigInt {
        match &self.unscaled {
            Unscaled::Small(number) => BigInt::from(*number),
            Unscaled::Big(number) => number.clone(),
        }
    }

    /// Returns the unscaled number as Connect's Decimal wants it.
    pub(crate) fn unscaled_bytes(&self) -> Vec<u8> {
        match &self.unscaled {
            Unscaled::Small(number) => shortest(*number),
            Unscaled::Big(number) => number.to_signed_bytes_be(),
        }
    }

    /// Returns the number where it is whole and fits.
    pub(crate) fn to_i64(&self) -> Option<i64> {
        match self.rescaled(0)?.unscaled {
            Unscaled::Small(number) => i64::try_from(number).ok(),
            Unscaled::Big(number) => i64::try_from(number).ok(),
        }
    }

    /// Returns the nearest double.
    pub(crate) fn to_f64(&self) -> f64 {
        // Through the text: its reader rounds correctly.
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

/// Returns the shortest two's complement form, as Java's `BigInteger.toByteArray`.
fn shortest(number: i128) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let mut start = 0;
    while let (Some(&first), Some(&second)) = (bytes.get(start), bytes.get(start + 1)) {
        if first != sign || (second ^ sign) & 0x80 != 0 {
            break;
        }
        start += 1;
    }
    bytes.get(start..).unwrap_or_default().to_vec()
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match &self.unscaled {
            Unscaled::Small(number) => number.to_string(),
            Unscaled::Big(number) => number.to_string(),
        };
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.as_str()),
        };
        let Ok(scale) = usize::try_from(self.scale) else {
            let zeros = usize::try_from(self.scale.unsigned_abs()).unwrap_or(0);
            let zeros = if digits == "0" { 0 } else { zeros };
            return write!(f, "{sign}{digits}{}", "0".repeat(zeros));
        };
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = if digits.len() <= scale {
            format!("{}{digits}", "0".repeat(scale + 1 - digits.len()))
        } else {
            digits.to_owned()
        };
        let (whole, fraction) = padded
            .split_at_checked(padded.len() - scale)
            .unwrap_or((&padded, ""));
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_at_any_size() {
        let check = |text: &str, shown: &str| {
            assert_eq!(Number::parse(text).unwrap().to_string(), shown, "{text}");
        };
        check("12.50", "12.50");
        check("-0.001", "-0.001");
        check(".5", "0.5");
        check("1e3", "1000");
        check("-12.5e-3", "-0.0125");
        let huge = format!("{}.{}", "9".repeat(100), "7".repeat(50));
        check(&huge, &huge);
        for bad in ["", ".", "x", "1.2.3", "1e", "--1", "1e999999"] {
            assert!(Number::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scales_change_only_where_nothing_is_lost() {
        let number = Number::parse("12.50").unwrap();
        assert_eq!(number.rescaled(1).unwrap().to_string(), "12.5");
        assert_eq!(number.rescaled(4).unwrap().to_string(), "12.5000");
        assert_eq!(number.rescaled(0), None);
        let big = Number::parse(&"1".repeat(60)).unwrap();
        assert_eq!(
            big.rescaled(2).unwrap().rescaled(0).unwrap().to_string(),
            "1".repeat(60)
        );
        assert_eq!(Number::parse("12.00").unwrap().to_i64(), Some(12));
        assert_eq!(Number::parse("1e30").unwrap().to_i64(), None);
    }

    #[test]
    fn postgres_digits_are_numbers() {
        let check = |digits: &[u16], weight, negative, scale, expected: &str| {
            let number = Number::of_base_10000(digits.iter().copied(), weight, negative, scale);
            assert_eq!(
                (number.to_string().as_str(), number.scale()),
                (expected, scale)
            );
        };
        check(&[1, 2345, 6000], 1, false, 1, "12345.6");
        check(&[1, 2345, 6000], 1, true, 4, "-12345.6000");
        check(&[5000], -1, false, 2, "0.50");
        check(&[], 0, false, 3, "0.000");
        check(&[1], 2, false, 0, "100000000");
        check(
            &[1; 12],
            11,
            false,
            0,
            "0001".repeat(12).trim_start_matches('0'),
        );
    }

    #[test]
    fn bytes_are_those_of_java() {
        for (number, bytes) in [
            (0, vec![0]),
            (-1, vec![255]),
            (128, vec![0, 128]),
            (-129, vec![255, 127]),
            (256, vec![1, 0]),
        ] {
            assert_eq!(Number::small(number, 0).unscaled_bytes(), bytes, "{number}");
            assert_eq!(BigInt::from(number).to_signed_bytes_be(), bytes, "{number}");
        }
    }
}
