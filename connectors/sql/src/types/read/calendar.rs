//! Days, times of day and zones: the proleptic Gregorian calendar, as databases use it.

use std::fmt::Write as _;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset as _, TimeZone as _};

pub(crate) const DAY_MICROS: i64 = 86_400_000_000;
const SECOND_MICROS: i64 = 1_000_000;

/// Returns the days since 1970-01-01 of a date; year 0 is 1 BC.
pub(crate) fn days_of(year: i64, month: u32, day: u32) -> Option<i32> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in(year, month) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last one.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let of_era_days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    i32::try_from(era * 146_097 + of_era_days - 719_468).ok()
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Returns year, month and day of days since 1970-01-01.
pub(crate) fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Returns `2013-01-31`.
pub(crate) fn date_text(days: i64) -> String {
    let (year, month, day) = date_of(days);
    if year < 0 {
        format!("-{:04}-{month:02}-{day:02}", -year)
    } else {
        format!("{year:04}-{month:02}-{day:02}")
    }
}

/// Returns `05:15:00` or `05:15:00.123456`; more than a day or a negative time is written as it is.
pub(crate) fn time_text(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    let (seconds, below) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    if below > 0 {
        // Writing to a string cannot fail.
        let _ok = write!(text, ".{below:06}");
    }
    text
}

/// Returns a date and time of day with a separator of choice, without a zone.
pub(crate) fn wall_text(micros: i64, between: char) -> String {
    let days = micros.div_euclid(DAY_MICROS);
    let time = time_text(micros.rem_euclid(DAY_MICROS));
    format!("{}{between}{time}", date_text(days))
}

/// Takes digits off the front of a text.
fn digits(text: &str, most: usize) -> Option<(i64, &str)> {
    let end = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (number, rest) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, rest))
}

/// Reads `2013-01-31`.
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let (days, rest) = date_prefix(text)?;
    rest.is_empty().then_some(days)
}

fn date_prefix(text: &str) -> Option<(i32, &str)> {
    let (year, rest) = digits(text, 6)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let days = days_of(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)?;
    Some((days, rest))
}

/// Reads `05:15`, `05:15:00` or `05:15:00.123456`, and returns what follows.
fn time_prefix(text: &str) -> Option<(i64, &str)> {
    let (hours, rest) = digits(text, 2)?;
    let (minutes, mut rest) = digits(rest.strip_prefix(':')?, 2)?;
    let mut seconds = 0;
    let mut below = 0;
    if let Some(after) = rest.strip_prefix(':') {
        (seconds, rest) = digits(after, 2)?;
        if let Some(after) = rest.strip_prefix('.') {
            let count = after.bytes().take_while(u8::is_ascii_digit).count();
            let (fraction, after) = after.split_at_checked(count)?;
            let six: String = fraction.chars().chain("000000".chars()).take(6).collect();
            // Digits beyond the microsecond must say nothing.
            if count == 0 || fraction.bytes().skip(6).any(|digit| digit != b'0') {
                return None;
            }
            below = six.parse().ok()?;
            rest = after;
        }
    }
    let fits = hours < 24 && minutes < 60 && seconds < 60;
    let micros = ((hours * 60 + minutes) * 60 + seconds) * SECOND_MICROS + below;
    fits.then_some((micros, rest))
}

/// Reads a time of day.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let (micros, rest) = time_prefix(text)?;
    rest.is_empty().then_some(micros)
}

/// Reads a date and, unless it stands alone, a time of day; returns what follows, the zone.
pub(crate) fn parse_wall(text: &str) -> Option<(i64, &str)> {
    let (days, rest) = date_prefix(text)?;
    let midnight = i64::from(days) * DAY_MICROS;
    if rest.is_empty() {
        return Some((midnight, rest));
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let (time, rest) = time_prefix(rest)?;
    Some((midnight + time, rest))
}

/// Reads `Z`, `+09:00`, `+0900` or `+09` as microseconds.
pub(crate) fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(text.get(1..)?, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = if rest.is_empty() {
        0
    } else {
        let (minutes, rest) = digits(rest, 2)?;
        rest.is_empty().then_some(minutes)?
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60 * SECOND_MICROS)
}

/// A zone whose wall clocks are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Named(chrono_tz::Tz),
    Fixed(FixedOffset),
}

impl FromStr for Zone {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(zone) = text.parse() {
            return Ok(Self::Named(zone));
        }
        parse_offset(text)
            .and_then(|micros| i32::try_from(micros / SECOND_MICROS).ok())
            .and_then(FixedOffset::east_opt)
            .map(Self::Fixed)
            .ok_or("a zone: `UTC`, an offset such as `+09:00` or a name such as `Asia/Seoul`")
    }
}

impl Zone {
    /// Returns the instant of a wall clock. Where clocks are set back the earlier instant counts, where they skip an hour the
    /// one that the old offset gives; both are said in the README.
    pub(crate) fn instant(self, wall: i64) -> Option<i64> {
        let naive = DateTime::from_timestamp_micros(wall)?.naive_utc();
        let offset = match self {
            Self::Fixed(offset) => i64::from(offset.local_minus_utc()),
            Self::Named(chrono_tz::Tz::UTC) => 0,
            Self::Named(zone) => named_offset(zone, naive)?,
        };
        wall.checked_sub(offset * SECOND_MICROS)
    }

    /// Returns what the wall clock says at an instant.
    pub(crate) fn wall(self, instant: i64) -> Option<i64> {
        let utc = DateTime::from_timestamp_micros(instant)?.naive_utc();
        let offset = match self {
            Self::Fixed(offset) => offset.local_minus_utc(),
            Self::Named(zone) => zone.offset_from_utc_datetime(&utc).fix().local_minus_utc(),
        };
        instant.checked_add(i64::from(offset) * SECOND_MICROS)
    }
}

fn named_offset(zone: chrono_tz::Tz, naive: NaiveDateTime) -> Option<i64> {
    let seconds = |offset: FixedOffset| i64::from(offset.local_minus_utc());
    if let Some(offset) = zone.offset_from_local_datetime(&naive).earliest() {
        return Some(seconds(offset.fix()));
    }
    // The hour was skipped: what the clock was before it.
    let before = naive.checked_sub_signed(chrono::Duration::hours(3))?;
    let offset = zone.offset_from_local_datetime(&before).earliest()?;
    Some(seconds(offset.fix()))
}

/// Returns the microseconds of a Connect offset's milliseconds and nanoseconds of the second.
pub(crate) fn micros_of_instant(millis: i64, nanos: Option<i64>) -> Option<i64> {
    match nanos {
        Some(nanos) => millis
            .div_euclid(1000)
            .checked_mul(SECOND_MICROS)?
            .checked_add(nanos / 1000),
        None => millis.checked_mul(1000),
    }
}

/// Reads an instant: RFC 3339, or milliseconds since 1970.
pub(crate) fn parse_instant(text: &str) -> Option<i64> {
    if let Ok(millis) = text.parse::<i64>() {
        return millis.checked_mul(1000);
    }
    let (wall, zone) = parse_wall(text)?;
    wall.checked_sub(parse_offset(zone)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_go_there_and_back() {
        assert_eq!(days_of(1970, 1, 1), Some(0));
        assert_eq!(days_of(2000, 2, 29), Some(11_016));
        assert_eq!(days_of(1900, 2, 29), None);
        assert_eq!(days_of(0, 1, 1), Some(-719_528));
        for days in (-1_000_000..3_000_000).step_by(997) {
            let (year, month, day) = date_of(days);
            let back = days_of(
                year,
                u32::try_from(month).unwrap(),
                u32::try_from(day).unwrap(),
            );
            assert_eq!(back.map(i64::from), Some(days));
        }
    }

    #[test]
    fn texts_are_read_to_the_microsecond_and_no_further() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(parse_instant(text), expected, "{text}");
        };
        check("1970-01-01T00:00:01Z", Some(1_000_000));
        check("1970-01-01 09:00:00.000001+09:00", Some(1));
        check("1970-01-01T00:00:00.0000010Z", Some(1));
        check("1970-01-01T00:00:00.0000001Z", None);
        check("1970-01-01T00:00:00", None);
        check("1970-02-30T00:00:00Z", None);
        check("1500", Some(1_500_000));
        assert_eq!(wall_text(-1, ' '), "1969-12-31 23:59:59.999999");
        assert_eq!(time_text(-3_020_399_000_000), "-838:59:59");
    }

    #[test]
    fn wall_clocks_become_instants_by_their_zone() {
        let wall = |text: &str| parse_wall(text).unwrap().0;
        let check = |zone: &str, text: &str, expected: &str| {
            let zone: Zone = zone.parse().unwrap();
            let instant = zone.instant(wall(text)).unwrap();
            assert_eq!(wall_text(instant, 'T'), expected, "{zone:?} {text}");
        };
        check("Asia/Seoul", "2013-01-01 09:00", "2013-01-01T00:00:00");
        check("+09:00", "2013-01-01 09:00", "2013-01-01T00:00:00");
        check("UTC", "2013-01-01 09:00", "2013-01-01T09:00:00");
        // Clocks were set back at 03:00: the first of two half past two.
        check("Europe/Berlin", "2013-10-27 02:30", "2013-10-27T00:30:00");
        // Clocks skipped from 02:00 to 03:00.
        check("Europe/Berlin", "2013-03-31 02:30", "2013-03-31T01:30:00");
        assert!("Mars/Olympus".parse::<Zone>().is_err());
        let seoul: Zone = "Asia/Seoul".parse().unwrap();
        assert_eq!(
            seoul.wall(0).map(|wall| wall_text(wall, ' ')),
            Some("1970-01-01 09:00:00".into())
        );
    }
}
