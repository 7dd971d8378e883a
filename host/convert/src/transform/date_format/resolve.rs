//! From the fields that a text gave to a moment: which of them count, as Java's `Calendar` decides it.

use super::calendar::{DAY_MS, Moment, day_number, weekday};

/// What a pattern can give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Year,
    WeekYear,
    Month,
    WeekOfYear,
    WeekOfMonth,
    DayOfYear,
    Day,
    Weekday,
    WeekdayInMonth,
    Half,
    Hour,
    HalfHour,
    Minute,
    Second,
    Millisecond,
}

/// How many fields there are.
const FIELDS: usize = 16;

/// The fields read so far. A stamp says when a field was set last; 0 is never.
#[derive(Debug, Default)]
pub(super) struct Read {
    values: [i64; FIELDS],
    stamps: [u32; FIELDS],
    clock: u32,
    zone_minutes: i64,
    /// A two-digit year equal to that of the century's start: whether it is in this century only the date decides.
    ambiguous: bool,
}

impl Read {
    pub(super) fn set(&mut self, field: Field, value: i64) {
        self.clock += 1;
        let index = field as usize;
        if let (Some(slot), Some(stamp)) = (self.values.get_mut(index), self.stamps.get_mut(index))
        {
            *slot = value;
            *stamp = self.clock;
        }
    }

    pub(super) fn zone(&mut self, minutes: i64) {
        self.zone_minutes = minutes;
    }

    /// Sets a year; one of two digits is put into the hundred years from the century's start on.
    pub(super) fn year(&mut self, field: Field, value: i64, short: bool, century_start_ms: i64) {
        let mut year = value;
        if short {
            let start = Moment::from_ms(century_start_ms).year;
            let turn = start % 100;
            self.ambiguous = value == turn;
            year = start / 100 * 100 + value + if value < turn { 100 } else { 0 };
        }
        self.set(field, year);
    }

    fn stamp(&self, field: Field) -> u32 {
        self.stamps.get(field as usize).copied().unwrap_or(0)
    }

    fn get(&self, field: Field) -> i64 {
        self.values.get(field as usize).copied().unwrap_or(0)
    }

    fn or(&self, field: Field, default: i64) -> i64 {
        if self.stamp(field) == 0 {
            default
        } else {
            self.get(field)
        }
    }

    /// Two fields that only count together: when the later one was set, 0 where one is missing.
    fn both(&self, a: Field, b: Field) -> u32 {
        let (a, b) = (self.stamp(a), self.stamp(b));
        if a == 0 || b == 0 { 0 } else { a.max(b) }
    }

    pub(super) fn resolve(&self, century_start_ms: i64) -> Option<i64> {
        let moment = self.moment(0)?;
        if self.ambiguous && moment < century_start_ms {
            return self.moment(100);
        }
        Some(moment)
    }

    /// The moment, with the year moved on.
    fn moment(&self, more_years: i64) -> Option<i64> {
        let year = self.or(Field::Year, 1970) + more_years;
        let year = if self.or(Field::Era, 0) == 1 {
            1 - year
        } else {
            year
        };
        let time = self.time();
        let day = if self.stamp(Field::WeekYear) > self.stamp(Field::Year) {
            week_date(
                self.get(Field::WeekYear) + more_years,
                self.or(Field::WeekOfYear, 1),
                self.or(Field::Weekday, 0),
            )
        } else {
            self.day(year)
        };
        day.checked_mul(DAY_MS)?
            .checked_add(time)?
            .checked_sub(self.zone_minutes * 60_000)
    }

    fn time(&self) -> i64 {
        let whole = self.stamp(Field::Hour);
        let mut halves = self.both(Field::HalfHour, Field::Half);
        if whole == 0 && halves == 0 {
            halves = self.stamp(Field::HalfHour).max(self.stamp(Field::Half));
        }
        let hours = if whole >= halves {
            self.get(Field::Hour)
        } else {
            self.get(Field::HalfHour) + 12 * self.get(Field::Half)
        };
        ((hours * 60 + self.get(Field::Minute)) * 60 + self.get(Field::Second)) * 1000
            + self.get(Field::Millisecond)
    }

    /// Days since 1970, by the group of fields that was set last.
    fn day(&self, year: i64) -> i64 {
        let weekday_stamp = self.stamp(Field::Weekday);
        let mut day = self.stamp(Field::Day);
        let mut week_of_month = self.both(Field::WeekOfMonth, Field::Weekday);
        let mut in_month = self.both(Field::WeekdayInMonth, Field::Weekday);
        let day_of_year = self.stamp(Field::DayOfYear);
        let mut week_of_year = self.both(Field::WeekOfYear, Field::Weekday);
        let latest = |day: u32, a: u32, b: u32, c: u32| day.max(a).max(b).max(day_of_year).max(c);
        let mut best = latest(day, week_of_month, in_month, week_of_year);
        if best == 0 {
            week_of_month = self.stamp(Field::WeekOfMonth);
            in_month = self.stamp(Field::WeekdayInMonth).max(weekday_stamp);
            week_of_year = self.stamp(Field::WeekOfYear);
            best = week_of_month.max(in_month).max(week_of_year);
            if best == 0 {
                day = self.stamp(Field::Month);
                best = day;
            }
        }
        let month = self.or(Field::Month, 0);
        let in_week_of_year = self.stamp(Field::WeekOfYear);
        if best == day {
            let day = self.or(Field::Day, 1);
            return day_number(year, month, |first| first + day - 1, false);
        }
        if best == week_of_month && self.stamp(Field::WeekOfMonth) >= in_week_of_year
            || best == in_month && self.stamp(Field::WeekdayInMonth) >= in_week_of_year
        {
            let by_week = if week_of_month == in_month {
                self.stamp(Field::WeekOfMonth) >= self.stamp(Field::WeekdayInMonth)
            } else {
                best == week_of_month
            };
            return self.day_by_week(year, month, by_week);
        }
        if best == day_of_year {
            let day = self.get(Field::DayOfYear);
            return day_number(year, 0, |first| first + day - 1, true);
        }
        week_date(
            year,
            self.get(Field::WeekOfYear),
            self.or(Field::Weekday, 0),
        )
    }

    fn day_by_week(&self, year: i64, month: i64, by_week: bool) -> i64 {
        let weekday_set = self.stamp(Field::Weekday) != 0;
        let wanted = self.or(Field::Weekday, 0);
        if by_week {
            let week = self.get(Field::WeekOfMonth);
            return day_number(
                year,
                month,
                |first| first_week(first, weekday_set.then_some(wanted)) + 7 * (week - 1),
                false,
            );
        }
        let nth = self.or(Field::WeekdayInMonth, 1);
        if nth >= 0 {
            return day_number(
                year,
                month,
                |first| on_or_before(first + 7 * nth - 1, wanted),
                false,
            );
        }
        let next = day_number(year, month + 1, |first| first, false);
        on_or_before(next - 1 + 7 * (nth + 1), wanted)
    }
}

/// The last day on or before a day that is this weekday.
fn on_or_before(day: i64, wanted: i64) -> i64 {
    day - (weekday(day) - wanted).rem_euclid(7)
}

/// The first day of the week that holds the first day, or the wanted weekday of that week.
fn first_week(first: i64, wanted: Option<i64>) -> i64 {
    let sunday = on_or_before(first, 0);
    wanted.map_or(sunday, |wanted| on_or_before(sunday + 6, wanted))
}

/// The weekday of a week of a year.
fn week_date(year: i64, week: i64, wanted: i64) -> i64 {
    day_number(
        year,
        0,
        |first| first_week(first, Some(wanted)) + 7 * (week - 1),
        true,
    )
}
