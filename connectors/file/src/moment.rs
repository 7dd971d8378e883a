//! Dates, times and timestamps: RFC 3339 text to the numbers that Connect's logical types store.

use std::str::FromStr;
use std::sync::Arc;

use tz::TimeZone;

const DAY_MS: i64 = 86_400_000;

/// The zone that zoneless timestamps are read in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Minutes east of UTC.
    Offset(i32),
    /// A zone of the system's database.
    Named(Arc<TimeZone>),
}

impl FromStr for Zone {
    type Err = ();

    /// Reads `UTC`, `Z`, `+09:00`, `UTC+09:00`, `-0330` or a name such as `Asia/Seoul`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let text = text.trim();
        let rest = text
            .strip_prefix("UTC")
            .or_else(|| text.strip_prefix("GMT"))
            .unwrap_or(text);
        if (rest.is_empty() && !text.is_empty()) || rest == "Z" {
            return Ok(Self::Offset(0));
        }
        if let Some((minutes, [])) = zone_offset(rest.as_bytes()) {
            return Ok(Self::Offset(minutes));
        }
        // A name of the database only: neither a path nor a rule.
        let named = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+')
            });
        if !named {
            return Err(());
        }
        TimeZone::from_posix_tz(text)
            .map(|zone| Self::Named(Arc::new(zone)))
            .map_err(|_| ())
    }
}

impl Zone {
    /// Returns the seconds between UTC and local time at `local`, in seconds of local time since 1970.
    ///
    /// A time that a change of clocks makes twice is the earlier one; one that it leaves out does not exist.
    pub(crate) fn offset_seconds(&self, local: i64) -> Option<i64> {
        let zone = match self {
            Self::Offset(minutes) => return Some(i64::from(*minutes) * 60),
            Self::Named(zone) => zone,
        };
        let at = |utc: i64| {
            zone.find_local_time_type(utc)
                .ok()
                .map(|kind| i64::from(kind.ut_offset()))
        };
        let around = [at(local - DAY_MS / 1000)?, at(local + DAY_MS / 1000)?];
        around
            .into_iter()
            .find(|offset| at(local - offset) == Some(*offset))
    }

    /// Returns the seconds between UTC and local time at `utc`, in seconds since 1970.
    pub(crate) fn offset_at(&self, utc: i64) -> i64 {
        match self {
            Self::Offset(minutes) => i64::from(*minutes) * 60,
            Self::Named(zone) => zone
                .find_local_time_type(utc)
                .map_or(0, |kind| i64::from(kind.ut_offset())),
        }
    }
}

/// Reads `2013-01-31` as days since 1970-01-01.
pub(crate) fn date(text: &str) -> Option<i32> {
    match take_date(text.as_bytes())? {
        (days, []) => i32::try_from(days).ok(),
        _ => None,
    }
}

/// Reads `05:15`, `05:15:00` or `05:15:00.123` as milliseconds since midnight.
pub(crate) fn time(text: &str) -> Option<i32> {
    match take_time(text.as_bytes())? {
        (ms, []) => i32::try_from(ms).ok(),
        _ => None,
    }
}

/// Reads RFC 3339 (a space may stand for the `T`) as milliseconds since 1970-01-01T00:00:00Z.
///
/// Text without a zone is read in `zone`, and refused when that is `None`.
pub(crate) fn timestamp(text: &str, zone: Option<&Zone>) -> Option<i64> {
    let (days, rest) = take_date(text.as_bytes())?;
    let ([b'T' | b't' | b' '], rest) = rest.split_at_checked(1)? else {
        return None;
    };
    let (ms, rest) = take_time(rest)?;
    let local = days * DAY_MS + ms;
    let offset_seconds = match rest {
        [] => zone?.offset_seconds(local.div_euclid(1000))?,
        [b'Z' | b'z'] => 0,
        _ => match zone_offset(rest)? {
            (minutes, []) => i64::from(minutes) * 60,
            _ => return None,
        },
    };
    Some(local - offset_seconds * 1000)
}

fn take_date(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (year, rest) = digits(bytes, 4)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(b"-")?, 2)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (1..=month_days)
        .contains(&day)
        .then(|| (days_from_civil(year, month, day), rest))
}

fn take_time(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = digits(bytes, 2)?;
    let (minute, mut rest) = digits(rest.strip_prefix(b":")?, 2)?;
    let (mut second, mut ms) = (0, 0);
    if let Some(after) = rest.strip_prefix(b":") {
        (second, rest) = digits(after, 2)?;
        if let Some(after) = rest.strip_prefix(b".") {
            (ms, rest) = fraction(after)?;
        }
    }
    // A leap second has no number of its own in these types.
    (hour < 24 && minute < 60 && second < 60)
        .then_some((((hour * 60 + minute) * 60 + second) * 1000 + ms, rest))
}

/// Reads the digits after the point as milliseconds; finer digits must be zero.
fn fraction(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let n = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = bytes.split_at_checked(n)?;
    if digits.is_empty() || digits.iter().skip(3).any(|&byte| byte != b'0') {
        return None;
    }
    let ms = (0..3).fold(0, |ms, i| {
        ms * 10 + i64::from(digits.get(i).map_or(0, |byte| byte - b'0'))
    });
    Some((ms, rest))
}

fn zone_offset(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let (sign, rest) = bytes.split_first()?;
    let (hours, rest) = digits(rest, 2)?;
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() {
        (0, rest)
    } else {
        digits(rest, 2)?
    };
    if hours > 18 || minutes > 59 {
        return None;
    }
    let offset = i32::try_from(hours * 60 + minutes).ok()?;
    match sign {
        b'+' => Some((offset, rest)),
        b'-' => Some((-offset, rest)),
        _ => None,
    }
}

fn digits(bytes: &[u8], n: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(n)?;
    let mut value = 0;
    for byte in number {
        value = value * 10 + i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
    }
    Some((value, rest))
}

/// Howard Hinnant's days_from_civil: days since 1970-01-01 of a proleptic Gregorian date.
pub(crate) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Howard Hinnant's civil_from_days: the date of a day since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// A time of day in some zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
}

/// Takes a time apart as the clocks of a zone show it.
pub(crate) fn local_parts(milliseconds: i64, zone: &Zone) -> Parts {
    let utc = milliseconds.div_euclid(1000);
    let local = utc.saturating_add(zone.offset_at(utc));
    let (year, month, day) = civil_from_days(local.div_euclid(86_400));
    let of_day = local.rem_euclid(86_400);
    Parts {
        year,
        month,
        day,
        hour: of_day / 3600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
    }
}

/// Returns the date of a time in UTC as `2013-01-31`.
pub(crate) fn day_text(milliseconds: i64) -> String {
    let (year, month, day) = civil_from_days(milliseconds.div_euclid(86_400_000));
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::{Zone, date, time, timestamp};

    #[test]
    fn dates_count_days() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2013-01-01", 15_706),
            ("2000-02-29", 11_016),
            ("1969-12-31", -1),
        ] {
            assert_eq!(date(text), Some(days), "{text}");
        }
        for text in [
            "2013-02-29",
            "1900-02-29",
            "2013-13-01",
            "2013-00-01",
            "2013-01-00",
            "2013-1-1",
            "13-01-01",
            "2013-01-01x",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn times_count_milliseconds() {
        for (text, ms) in [
            ("00:00", 0),
            ("05:15:00", 18_900_000),
            ("23:59:59.999", 86_399_999),
            ("00:00:00.5", 500),
            ("00:00:00.123000", 123),
        ] {
            assert_eq!(time(text), Some(ms), "{text}");
        }
        for text in [
            "24:00",
            "12:60",
            "12:00:60",
            "12:00:00.",
            "12:00:00.1234",
            "1:00",
            "12:00Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_need_a_zone() {
        let at = 1_357_017_300_000;
        for text in [
            "2013-01-01T05:15:00Z",
            "2013-01-01 05:15:00.000z",
            "2013-01-01T14:15:00+09:00",
            "2013-01-01T01:45:00-0330",
            "2013-01-01T05:15Z",
        ] {
            assert_eq!(timestamp(text, None), Some(at), "{text}");
        }
        for text in [
            "2013-01-01T05:15:00",
            "2013-01-01",
            "2013-01-01T05:15:00 Z",
            "2013-01-01T05:15:00+25:00",
            "2013-01-01T05:15:00.000001Z",
        ] {
            assert_eq!(timestamp(text, None), None, "{text}");
        }
    }

    #[test]
    fn zones_are_utc_an_offset_or_a_name() {
        for (text, minutes) in [
            ("UTC", 0),
            ("Z", 0),
            ("+09:00", 540),
            ("GMT-03:30", -210),
            ("+05", 300),
        ] {
            assert_eq!(text.parse(), Ok(Zone::Offset(minutes)), "{text}");
        }
        for text in [
            "",
            "UTC+9:00",
            "Mars/Olympus",
            "+19:00",
            "09:00",
            "../etc/passwd",
            "/etc/localtime",
            "EST5EDT,M3.2.0,M11.1.0",
        ] {
            assert_eq!(text.parse::<Zone>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_named_zone_knows_its_clock_changes() {
        // Without a zone database there is nothing to test here; offsets are tested above.
        let Ok(zone) = "America/New_York".parse::<Zone>() else {
            return;
        };
        for (local, utc) in [
            ("2013-01-01T05:00:00", Some("2013-01-01T10:00:00Z")),
            ("2013-07-01T05:00:00", Some("2013-07-01T09:00:00Z")),
            ("2013-03-10T02:30:00", None),
            ("2013-11-03T01:30:00", Some("2013-11-03T05:30:00Z")),
            ("2050-07-01T00:00:00", Some("2050-07-01T04:00:00Z")),
        ] {
            assert_eq!(
                timestamp(local, Some(&zone)),
                utc.and_then(|utc| timestamp(utc, None)),
                "{local}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn days_follow_each_other(year in 1..9999_i64, month in 1..=12_i64, day in 1..=31_i64) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            if let Some(days) = date(&text) {
                let next = [(year, month, day + 1), (year, month + 1, 1), (year + 1, 1, 1)]
                    .iter().find_map(|(y, m, d)| date(&format!("{y:04}-{m:02}-{d:02}")));
                proptest::prop_assert!(year == 9998 || next == Some(days + 1), "{text}");
            }
        }
    }
}
