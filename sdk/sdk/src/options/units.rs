//! Durations (`7d 1h 30m 5s 500ms`) and sizes (`1GiB 64KiB 10MB`) as text.

use std::time::Duration;

const NANOS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

const SIZES: [(&str, u64); 13] = [
    ("b", 1),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// Splits `7d 1h30m` into pairs of a number and a unit; `None` where it is not of this form.
fn pairs(text: &str) -> Option<Vec<(u64, String)>> {
    let mut rest = text.trim();
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(digits)?;
        let after = after.trim_start();
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        pairs.push((number.parse().ok()?, unit.to_ascii_lowercase()));
        rest = after.trim_start();
    }
    (!pairs.is_empty()).then_some(pairs)
}

/// Reads a duration; `plain_ms` allows a plain number of milliseconds.
pub(super) fn duration(text: &str, plain_ms: bool) -> Option<Duration> {
    let pairs = pairs(text)?;
    let alone = pairs.len() == 1;
    let mut nanos: u128 = 0;
    for (number, unit) in pairs {
        let unit = if unit.is_empty() && alone && plain_ms {
            "ms"
        } else {
            &unit
        };
        let (_, factor) = NANOS.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(u128::from(number).checked_mul(*factor)?)?;
    }
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let below = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, below))
}

/// Reads a size; `plain` allows a plain number of bytes.
pub(super) fn size(text: &str, plain: bool) -> Option<u64> {
    let pairs = pairs(text)?;
    let [(number, unit)] = pairs.as_slice() else {
        return None;
    };
    if unit.is_empty() {
        return plain.then_some(*number);
    }
    let (_, factor) = SIZES.iter().find(|(name, _)| name == unit)?;
    number.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let cases = [
            ("500ms", Some(Duration::from_millis(500))),
            ("7d", Some(Duration::from_secs(7 * 86_400))),
            ("1h 30m", Some(Duration::from_secs(5_400))),
            ("1h30m5s", Some(Duration::from_secs(5_405))),
            ("0s", Some(Duration::ZERO)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("99999999999999999999d", None),
            ("5 apples", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration(text, false), expected, "{text}");
        }
        assert_eq!(duration("250", true), Some(Duration::from_millis(250)));
        assert_eq!(duration("1s 5", true), None);
    }

    #[test]
    fn sizes_have_units() {
        let cases = [
            ("1GiB", Some(1 << 30)),
            ("64KiB", Some(65_536)),
            ("10MB", Some(10_000_000)),
            ("5 kB", Some(5_000)),
            ("1", None),
            ("1GiB 1KiB", None),
            ("9999999999TiB", None),
        ];
        for (text, expected) in cases {
            assert_eq!(size(text, false), expected, "{text}");
        }
        assert_eq!(size("1048576", true), Some(1 << 20));
    }
}
