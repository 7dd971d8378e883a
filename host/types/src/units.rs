//! Durations and sizes as people write them: `500ms`, `7d`, `1GiB`.

use std::time::Duration;

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// A number alone.
    NoUnit,
    /// Something else.
    Malformed,
    /// More than 64 bits hold.
    TooLarge,
}

const DURATIONS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A text that is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number with a unit, such as 500ms, 30s, 5m, 2h or 7d")]
pub struct DurationError;

/// Reads a duration of a command line: `500ms`, `30s`, `1h30m`, `7d`.
///
/// # Errors
/// The text is not a number with a unit, or too large.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    duration_ms(text)
        .map(Duration::from_millis)
        .map_err(|_| DurationError)
}

/// Reads `500ms`, `1s`, `1h30m`, `7d` as milliseconds.
///
/// # Errors
/// The text has no unit, is something else, or too large.
pub fn duration_ms(text: &str) -> Result<u64, UnitError> {
    let mut rest = text;
    let mut total = 0_u64;
    if text.is_empty() {
        return Err(UnitError::Malformed);
    }
    while !rest.is_empty() {
        let (number, after) = number(rest)?;
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after
            .split_at_checked(letters)
            .ok_or(UnitError::Malformed)?;
        if unit.is_empty() {
            return Err(if next.is_empty() && rest.len() == text.len() {
                UnitError::NoUnit
            } else {
                UnitError::Malformed
            });
        }
        let factor = DURATIONS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or(UnitError::Malformed)?
            .1;
        let part = number.checked_mul(factor).ok_or(UnitError::TooLarge)?;
        total = total.checked_add(part).ok_or(UnitError::TooLarge)?;
        rest = next.trim_start();
    }
    Ok(total)
}

/// Reads `64KiB`, `10MB`, `1GiB`, `512B` as bytes.
///
/// # Errors
/// The text has no unit, is something else, or too large.
pub fn bytes(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = number(text)?;
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" => return Err(UnitError::NoUnit),
        "b" => 1,
        "kb" => 1000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(UnitError::Malformed),
    };
    number.checked_mul(factor).ok_or(UnitError::TooLarge)
}

fn number(text: &str) -> Result<(u64, &str), UnitError> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits).ok_or(UnitError::Malformed)?;
    if number.is_empty() {
        return Err(UnitError::Malformed);
    }
    Ok((number.parse().map_err(|_| UnitError::TooLarge)?, rest))
}

/// Returns milliseconds as the shortest text that [`duration_ms`] reads back.
#[must_use]
pub fn duration_text(ms: i64) -> String {
    let Ok(value) = u64::try_from(ms) else {
        return format!("{ms}ms");
    };
    let (unit, factor) = DURATIONS
        .iter()
        .rev()
        .find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor))
        .unwrap_or(&("ms", 1));
    format!("{}{unit}", value / factor)
}
