//! Java's calendar: Julian before 1582-10-15, Gregorian from there on, always UTC.
//!
//! Days and milliseconds count from 1970-01-01T00:00:00Z.

use std::fmt::Write as _;

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// 1582-10-15, the first Gregorian day.
const CUTOVER_DAY: i64 = -141_427;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A moment taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    /// The year, 0 and below before the common era: 0 is 1 BC.
    pub(crate) year: i64,
    /// 1 to 12.
    pub(crate) month: i64,
    /// 1 to 31.
    pub(crate) day: i64,
    /// 0 to 23.
    pub(crate) hour: i64,
    /// 0 to 59.
    pub(crate) minute: i64,
    /// 0 to 59.
    pub(crate) second: i64,
    /// 0 to 999.
    pub(crate) millisecond: i64,
}

impl Civil {
    /// Takes a moment apart.
    pub(crate) fn from_ms(ms: i64) -> Self {
        let days = ms.div_euclid(DAY_MS);
        let rest = ms.rem_euclid(DAY_MS);
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1_000 % 60,
            millisecond: rest % 1_000,
        }
    }

    /// Puts a moment together, leniently: month 13 is January of the next year, hour 25 the next day.
    /// Saturates beyond 64 bits.
    pub(crate) fn to_ms(self) -> i64 {
        let clock = i128::from(self.hour) * 3_600_000
            + i128::from(self.minute) * 60_000
            + i128::from(self.second) * 1_000
            + i128::from(self.millisecond);
        let days = i128::from(days_of(self.year, self.month, self.day));
        let ms = days * i128::from(DAY_MS) + clock;
        i64::try_from(ms).unwrap_or(if ms < 0 { i64::MIN } else { i64::MAX })
    }
}

/// Returns year, month and day of a day number.
fn date_of(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the leap day comes last.
    let (era_years, era_days, shifted) = if days >= CUTOVER_DAY {
        (400, 146_097, days + 719_468)
    } else {
        (4, 1_461, days + 719_470)
    };
    let era = shifted.div_euclid(era_days);
    let day_of_era = shifted.rem_euclid(era_days);
    let year_of_era = if era_years == 400 {
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365
    } else {
        (day_of_era - day_of_era / 1_460) / 365
    };
    let leap_days = if era_years == 400 {
        year_of_era / 4 - year_of_era / 100
    } else {
        0
    };
    let day_of_year = day_of_era - (365 * year_of_era + leap_days);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * era_years + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// Returns the day number of a date whose month and day may lie outside of their ranges.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let months = month.saturating_sub(1);
    let year = year
        .saturating_add(months.div_euclid(12))
        .clamp(-300_000_000, 300_000_000);
    let month = months.rem_euclid(12) + 1;
    let gregorian = first_of_month(year, month, true).saturating_add(day.saturating_sub(1));
    if gregorian >= CUTOVER_DAY {
        return gregorian;
    }
    first_of_month(year, month, false).saturating_add(day.saturating_sub(1))
}

fn first_of_month(year: i64, month: i64, gregorian: bool) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5;
    if gregorian {
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    } else {
        let era = year.div_euclid(4);
        era * 1_461 + year.rem_euclid(4) * 365 + day_of_year - 719_470
    }
}

/// Returns the year as `yyyy` writes it: that of its era.
fn year_of_era(year: i64) -> i64 {
    if year > 0 { year } else { 1 - year }
}

/// Appends `yyyy-MM-dd`.
pub(crate) fn write_date(ms: i64, out: &mut String) {
    let civil = Civil::from_ms(ms);
    let _infallible = write!(
        out,
        "{:04}-{:02}-{:02}",
        year_of_era(civil.year),
        civil.month,
        civil.day
    );
}

/// Appends `HH:mm:ss.SSS'Z'`.
pub(crate) fn write_time(ms: i64, out: &mut String) {
    let civil = Civil::from_ms(ms);
    let _infallible = write!(
        out,
        "{:02}:{:02}:{:02}.{:03}Z",
        civil.hour, civil.minute, civil.second, civil.millisecond
    );
}

/// Appends the form of a date whose meaning is not known, as `Values.convertToString` chooses it: before the end of
/// 1970-01-01 a time, at midnight a date, else both.
pub(crate) fn write_by_magnitude(ms: i64, out: &mut String) {
    if ms < DAY_MS {
        write_time(ms, out);
    } else if ms % DAY_MS == 0 {
        write_date(ms, out);
    } else {
        write_date(ms, out);
        out.push('T');
        write_time(ms, out);
    }
}

/// Appends `java.util.Date.toString`.
pub(crate) fn date_to_string(ms: i64, out: &mut String) {
    let civil = Civil::from_ms(ms);
    let weekday = usize::try_from(ms.div_euclid(DAY_MS).rem_euclid(7)).unwrap_or(0);
    let month = usize::try_from(civil.month - 1).unwrap_or(0);
    let _infallible = write!(
        out,
        "{} {} {:02} {:02}:{:02}:{:02} UTC {}",
        WEEKDAYS.get(weekday).copied().unwrap_or_default(),
        MONTHS.get(month).copied().unwrap_or_default(),
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        year_of_era(civil.year)
    );
}

/// Reads `yyyy-MM-dd` as a lenient `SimpleDateFormat` does; what follows is ignored.
pub(crate) fn read_date(text: &str) -> Option<i64> {
    let mut reader = Reader(text);
    Some(reader.date()?.to_ms())
}

/// Reads `HH:mm:ss.SSS'Z'`.
pub(crate) fn read_time(text: &str) -> Option<i64> {
    let mut reader = Reader(text);
    let date = Civil::from_ms(0);
    Some(reader.clock(date)?.to_ms())
}

/// Reads `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`.
pub(crate) fn read_timestamp(text: &str) -> Option<i64> {
    let mut reader = Reader(text);
    let date = reader.date()?;
    reader.literal('T')?;
    Some(reader.clock(date)?.to_ms())
}

/// What is left of a text.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn literal(&mut self, expected: char) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Reads a number with blanks in front and a minus, as `DecimalFormat` does.
    fn number(&mut self) -> Option<i64> {
        let text = self.0.trim_start_matches([' ', '\t']);
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let (number, rest) = digits.split_at_checked(end)?;
        let number: i64 = number.parse().ok()?;
        self.0 = rest;
        Some(if negative { -number } else { number })
    }

    fn date(&mut self) -> Option<Civil> {
        let year = self.number()?;
        self.literal('-')?;
        let month = self.number()?;
        self.literal('-')?;
        let day = self.number()?;
        Some(Civil {
            year,
            month,
            day,
            ..Civil::from_ms(0)
        })
    }

    fn clock(&mut self, date: Civil) -> Option<Civil> {
        let hour = self.number()?;
        self.literal(':')?;
        let minute = self.number()?;
        self.literal(':')?;
        let second = self.number()?;
        self.literal('.')?;
        let millisecond = self.number()?;
        self.literal('Z')?;
        Some(Civil {
            hour,
            minute,
            second,
            millisecond,
            ..date
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_calendar_changes_in_1582() {
        let check = |days: i64, year: i64, month: i64, day: i64| {
            assert_eq!(date_of(days), (year, month, day));
            assert_eq!(days_of(year, month, day), days);
        };
        check(0, 1970, 1, 1);
        check(-1, 1969, 12, 31);
        check(11_016, 2000, 2, 29);
        check(CUTOVER_DAY, 1582, 10, 15);
        check(CUTOVER_DAY - 1, 1582, 10, 4);
        // Julian: 1500 was a leap year.
        check(days_of(1500, 2, 28) + 1, 1500, 2, 29);
        check(-719_164, 1, 1, 1);
    }

    #[test]
    fn texts_are_javas() {
        let check = |ms: i64, text: &str, java: &str| {
            let mut out = String::new();
            write_by_magnitude(ms, &mut out);
            assert_eq!(out, text);
            out.clear();
            date_to_string(ms, &mut out);
            assert_eq!(out, java);
        };
        check(0, "00:00:00.000Z", "Thu Jan 01 00:00:00 UTC 1970");
        check(-1, "23:59:59.999Z", "Wed Dec 31 23:59:59 UTC 1969");
        check(
            19_000 * DAY_MS,
            "2022-01-08",
            "Sat Jan 08 00:00:00 UTC 2022",
        );
        check(
            1_700_000_000_123,
            "2023-11-14T22:13:20.123Z",
            "Tue Nov 14 22:13:20 UTC 2023",
        );
    }

    #[test]
    fn reading_is_lenient() {
        assert_eq!(read_date("2019-13-01"), read_date("2020-01-01"));
        assert_eq!(read_time("24:00:00.000Z"), Some(DAY_MS));
        assert_eq!(
            read_timestamp("2019-08-23T14:34:54.346Z"),
            Some(1_566_570_894_346)
        );
        assert_eq!(read_timestamp("2019-08-23T14:34:54.346z"), None);
        assert_eq!(read_date("2019/08/23"), None);
    }

    proptest! {
        #[test]
        fn moments_survive_the_round_trip(ms in -100_000_000_000_000_i64..400_000_000_000_000) {
            prop_assert_eq!(Civil::from_ms(ms).to_ms(), ms);
        }

        #[test]
        fn no_moment_panics(ms in any::<i64>(), text in ".{0,30}") {
            let mut out = String::new();
            write_by_magnitude(ms, &mut out);
            date_to_string(ms, &mut out);
            let _any = (read_date(&text), read_time(&text), read_timestamp(&text));
        }
    }
}
