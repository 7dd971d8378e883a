//! Java's calendar: Julian before 1582-10-15, Gregorian from then on, always UTC.
//!
//! Weeks begin on Sunday and the first week of a year is the one with 1 January, as in Java's root locale.

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Days from 1970-01-01 to 1582-10-15, the first Gregorian day.
const CUTOVER_DAY: i64 = -141_427;
/// The year of that day.
const CUTOVER_YEAR: i64 = 1582;
/// Days from 0000-03-01 to 1970-01-01 in the Gregorian calendar.
const GREGORIAN_EPOCH: i64 = 719_468;
/// The same in the Julian calendar, two days behind in that century.
const JULIAN_EPOCH: i64 = 719_470;

/// A moment taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Before year 1?
    pub(crate) bce: bool,
    /// From 1 on, in either era.
    pub(crate) year: i64,
    /// From 0 on.
    pub(crate) month: i64,
    /// From 1 on.
    pub(crate) day: i64,
    /// From 1 on.
    pub(crate) day_of_year: i64,
    /// 0 is Sunday.
    pub(crate) weekday: i64,
    /// Milliseconds since midnight.
    pub(crate) time: i64,
}

impl Moment {
    /// Takes milliseconds since 1970 apart.
    pub(crate) fn from_ms(ms: i64) -> Self {
        let days = ms.div_euclid(DAY_MS);
        let (year, month, day) = date_of(days);
        Self {
            bce: year <= 0,
            year: if year <= 0 { 1 - year } else { year },
            month,
            day,
            day_of_year: days - first_of(year, 0) + 1,
            weekday: weekday(days),
            time: ms.rem_euclid(DAY_MS),
        }
    }

    /// Returns the week of the year and the year it belongs to.
    pub(crate) fn week(&self) -> (i64, i64) {
        let year = if self.bce { 1 - self.year } else { self.year };
        let first = (self.weekday - (self.day_of_year - 1)).rem_euclid(7);
        let week = (self.day_of_year - 1 + first) / 7 + 1;
        let length = first_of(year + 1, 0) - first_of(year, 0);
        // The days from the last Sunday on belong to next year's first week, if 1 January is among them.
        let next_first = weekday(first_of(year + 1, 0));
        if next_first != 0 && self.day_of_year > length - next_first {
            (1, year + 1)
        } else {
            (week, year)
        }
    }

    /// Returns the week of the month.
    pub(crate) fn week_of_month(&self) -> i64 {
        let first = (self.weekday - (self.day - 1)).rem_euclid(7);
        (self.day - 1 + first) / 7 + 1
    }
}

/// 0 is Sunday; 1970-01-01 was a Thursday.
pub(crate) const fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// Returns (year, month from 0, day from 1); year 0 is 1 BCE.
fn date_of(days: i64) -> (i64, i64, i64) {
    if days >= CUTOVER_DAY {
        let shifted = days + GREGORIAN_EPOCH;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        from_march(era * 400 + year_of_era, day_of_year)
    } else {
        let shifted = days + JULIAN_EPOCH;
        let era = shifted.div_euclid(1461);
        let day_of_era = shifted.rem_euclid(1461);
        let year_of_era = (day_of_era - day_of_era / 1460) / 365;
        from_march(era * 4 + year_of_era, day_of_era - 365 * year_of_era)
    }
}

/// From a year that begins in March to one that begins in January.
fn from_march(year: i64, day_of_year: i64) -> (i64, i64, i64) {
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    if month < 10 {
        (year, month + 2, day)
    } else {
        (year + 1, month - 10, day)
    }
}

/// Days from 1970 to the first of a month, whichever calendar holds there; months outside of 0 to 11 move the year.
pub(crate) fn first_of(year: i64, month: i64) -> i64 {
    day_number(year, month, |first| first, false)
}

/// Days from 1970 to the date that `rule` finds from the first of a month.
///
/// The rule is asked in the calendar that holds at its answer: Java's `GregorianCalendar.computeTime`. `within_year` says
/// that the date is counted from the beginning of the year, so that the year of the change is a Julian one.
pub(crate) fn day_number(
    year: i64,
    month: i64,
    rule: impl Fn(i64) -> i64,
    within_year: bool,
) -> i64 {
    let asked = year;
    let year = year.saturating_add(month.div_euclid(12));
    let month = month.rem_euclid(12);
    let gregorian = || rule(gregorian_first(year, month));
    let julian = || rule(julian_first(year, month));
    if asked > CUTOVER_YEAR {
        let day = gregorian();
        if day >= CUTOVER_DAY { day } else { julian() }
    } else if asked < CUTOVER_YEAR {
        let day = julian();
        if day < CUTOVER_DAY { day } else { gregorian() }
    } else {
        let (day, old) = (gregorian(), julian());
        if !within_year && day >= CUTOVER_DAY {
            day
        } else {
            old
        }
    }
}

fn march_days(year: i64, month: i64) -> (i64, i64) {
    let (year, month) = if month < 2 {
        (year - 1, month + 10)
    } else {
        (year, month - 2)
    };
    (year, (153 * month + 2) / 5)
}

fn gregorian_first(year: i64, month: i64) -> i64 {
    let (year, days) = march_days(year, month);
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days
        - GREGORIAN_EPOCH
}

fn julian_first(year: i64, month: i64) -> i64 {
    let (year, days) = march_days(year, month);
    365 * year + year.div_euclid(4) + days - JULIAN_EPOCH
}
