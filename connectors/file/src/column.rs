//! The types a CSV column can have, and how its text is read.
//!
//! Nothing is guessed and nothing is dropped: a number that does not fit, a decimal with more digits than its
//! scale, or a timestamp finer than a millisecond is refused, never rounded.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;

use crate::moment::{self, Zone};

/// The words that `csv.types` takes, for error texts.
pub(crate) const TYPE_WORDS: &str = "`int8`, `int16`, `int32`, `int64`, `float32`, `float64`, `boolean`, `string`, `bytes`, \
     `decimal(precision,scale)`, `date`, `time`, `timestamp`";

/// Decimals are kept in an `i128`, which holds any number of 38 digits.
const PRECISION_MAX: u8 = 38;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Text,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    /// Base64, as bytes are written in JSON.
    Bytes,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Date,
    Time,
    Timestamp,
}

/// A parsed field, in the form that a row stores.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Text(&'a str),
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Float32(f32),
    Float64(f64),
    Boolean(bool),
    Bytes(Vec<u8>),
    /// The unscaled value.
    Decimal(i128),
    /// Days since 1970-01-01.
    Date(i32),
    /// Milliseconds since midnight.
    Time(i32),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl ColumnType {
    /// Reads `text`; `None` when it is not of this type.
    #[inline]
    pub(crate) fn parse<'a>(self, text: &'a str, zone: Option<&Zone>) -> Option<Cell<'a>> {
        Some(match self {
            Self::Text => Cell::Text(text),
            Self::Int8 => Cell::Int8(text.parse().ok()?),
            Self::Int16 => Cell::Int16(text.parse().ok()?),
            Self::Int32 => Cell::Int32(text.parse().ok()?),
            Self::Int64 => Cell::Int64(text.parse().ok()?),
            Self::Float32 => Cell::Float32(float(text, f32::is_infinite)?),
            Self::Float64 => Cell::Float64(float(text, f64::is_infinite)?),
            Self::Boolean => Cell::Boolean(boolean(text)?),
            Self::Bytes => Cell::Bytes(
                base64::engine::general_purpose::STANDARD
                    .decode(text)
                    .ok()?,
            ),
            Self::Decimal { precision, scale } => Cell::Decimal(decimal(text, precision, scale)?),
            Self::Date => Cell::Date(moment::date(text)?),
            Self::Time => Cell::Time(moment::time(text)?),
            Self::Timestamp => Cell::Timestamp(moment::timestamp(text, zone)?),
        })
    }

    /// Says whether its text is a number, whose separators a file may choose.
    pub(crate) fn is_number(self) -> bool {
        matches!(
            self,
            Self::Int8
                | Self::Int16
                | Self::Int32
                | Self::Int64
                | Self::Float32
                | Self::Float64
                | Self::Decimal { .. }
        )
    }

    /// Says what a field should have been, to follow "column `x` is not".
    pub(crate) fn expectation(self, zone: Option<&Zone>) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Bytes => "`bytes` (base64)".to_owned(),
            Self::Decimal { precision, scale } => {
                format!(
                    "a `decimal({precision},{scale})`: digits, at most {scale} behind the point, no exponent; blanks around it \
                     only with `csv.trim`"
                )
            }
            Self::Date => "a `date` (2013-01-31)".to_owned(),
            Self::Time => "a `time` (05:15:00.000, at most milliseconds)".to_owned(),
            Self::Timestamp if zone.is_none() => {
                "a `timestamp` (2013-01-31T05:15:00.000Z, at most milliseconds; without a zone only where \
                 `csv.timezone` is set)"
                    .to_owned()
            }
            Self::Timestamp => "a `timestamp` (2013-01-31T05:15:00.000, at most milliseconds)".to_owned(),
            other => format!("of type `{other}`"),
        }
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "string",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Boolean => "boolean",
            Self::Bytes => "bytes",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Decimal { precision, scale } => return write!(f, "decimal({precision},{scale})"),
        })
    }
}

impl FromStr for ColumnType {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Ok(match word.trim() {
            "string" => Self::Text,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "float32" => Self::Float32,
            "float64" => Self::Float64,
            "boolean" => Self::Boolean,
            "bytes" => Self::Bytes,
            "date" => Self::Date,
            "time" => Self::Time,
            "timestamp" => Self::Timestamp,
            other => {
                let inner = other
                    .strip_prefix("decimal(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .ok_or(())?;
                let (precision, scale) = inner.split_once(',').ok_or(())?;
                let precision: u8 = precision.trim().parse().map_err(|_| ())?;
                let scale: u8 = scale.trim().parse().map_err(|_| ())?;
                if precision == 0 || precision > PRECISION_MAX || scale > precision {
                    return Err(());
                }
                Self::Decimal { precision, scale }
            }
        })
    }
}

/// Reads a float; a number too large for the type is refused, a written infinity is not.
fn float<T: FromStr + Copy>(text: &str, infinite: fn(T) -> bool) -> Option<T> {
    let value: T = text.parse().ok()?;
    let overflow = infinite(value) && text.bytes().any(|byte| byte.is_ascii_digit());
    (!overflow).then_some(value)
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") || is("t") || text == "1" {
        Some(true)
    } else if is("false") || is("f") || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// Reads `-12.30` as the unscaled value of a decimal; zeros beyond the scale are no loss and are accepted.
fn decimal(text: &str, precision: u8, scale: u8) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let (kept, dropped) = fraction
        .split_at_checked(usize::from(scale))
        .unwrap_or((fraction, ""));
    if dropped.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let mut unscaled: i128 = 0;
    for byte in whole.bytes().chain(kept.bytes()) {
        unscaled = unscaled
            .checked_mul(10)?
            .checked_add(i128::from(byte - b'0'))?;
    }
    let missing = usize::from(scale) - kept.len();
    unscaled = unscaled.checked_mul(10_i128.checked_pow(u32::try_from(missing).ok()?)?)?;
    if unscaled >= 10_i128.checked_pow(u32::from(precision))? {
        return None;
    }
    Some(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
mod tests {
    use super::{Cell, ColumnType};
    use crate::moment::Zone;

    fn check(word: &str, text: &str, expected: Option<Cell<'_>>) {
        let column: ColumnType = word.parse().unwrap();
        assert_eq!(column.parse(text, None), expected, "{word} {text:?}");
        assert_eq!(column.to_string(), word);
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        check("int8", "-128", Some(Cell::Int8(-128)));
        check("int8", "128", None);
        check("int16", "004", Some(Cell::Int16(4)));
        check("int32", "2147483648", None);
        check(
            "int64",
            "9007199254740993",
            Some(Cell::Int64(9_007_199_254_740_993)),
        );
        check("int64", "1.0", None);
        check("int64", " 1", None);
        check("int64", "", None);
        check("float32", "1e39", None);
        check("float32", "0.1", Some(Cell::Float32(0.1)));
        check("float64", "-inf", Some(Cell::Float64(f64::NEG_INFINITY)));
        check("float64", "1e400", None);
        check("float64", "1,5", None);
    }

    #[test]
    fn decimals_lose_no_digit() {
        check("decimal(5,2)", "123.45", Some(Cell::Decimal(12_345)));
        check("decimal(5,2)", "-1.5", Some(Cell::Decimal(-150)));
        check("decimal(5,2)", "+.5", Some(Cell::Decimal(50)));
        check("decimal(5,2)", "7.", Some(Cell::Decimal(700)));
        check("decimal(5,2)", "1.2300", Some(Cell::Decimal(123)));
        check("decimal(5,2)", "1.234", None);
        check("decimal(5,2)", "1000", None);
        check("decimal(5,2)", ".", None);
        check("decimal(5,2)", "-", None);
        check("decimal(5,2)", "1e2", None);
        check(
            "decimal(38,0)",
            &"9".repeat(38),
            Some(Cell::Decimal(10_i128.pow(38) - 1)),
        );
        check("decimal(38,0)", &"9".repeat(39), None);
        check("decimal(38,38)", "1", None);
    }

    #[test]
    fn booleans_and_bytes() {
        for (text, expected) in [
            ("true", true),
            ("T", true),
            ("1", true),
            ("FALSE", false),
            ("f", false),
            ("0", false),
        ] {
            check("boolean", text, Some(Cell::Boolean(expected)));
        }
        check("boolean", "yes", None);
        check("bytes", "AP8=", Some(Cell::Bytes(vec![0, 255])));
        check("bytes", "AP8", None);
    }

    #[test]
    fn unknown_type_words_are_refused() {
        for word in [
            "int",
            "decimal",
            "decimal(39,0)",
            "decimal(2,3)",
            "decimal(0,0)",
            "decimal(5)",
            "timestamptz",
            "",
        ] {
            assert_eq!(word.parse::<ColumnType>(), Err(()), "{word}");
        }
        assert_eq!(
            "decimal( 10 , 2 )".parse(),
            Ok(ColumnType::Decimal {
                precision: 10,
                scale: 2
            })
        );
    }

    #[test]
    fn a_zone_lets_zoneless_timestamps_in() {
        let zone: Zone = "+09:00".parse().unwrap();
        let text = "2013-01-01T05:15:00";
        assert_eq!(ColumnType::Timestamp.parse(text, None), None);
        assert_eq!(
            ColumnType::Timestamp.parse(text, Some(&zone)),
            Some(Cell::Timestamp(1_356_984_900_000))
        );
    }
}
