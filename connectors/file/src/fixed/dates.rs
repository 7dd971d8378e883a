//! Dates and times by a pattern: `yyyyMMdd`, `yyMMdd`, `dd.MM.yyyy`, `yyyyMMddHHmmss`.

use crate::moment::{Zone, days_from_civil};

/// Two-digit years from here on are of the twentieth century.
const PIVOT: i64 = 70;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year4,
    Year2,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millis,
    Literal(u8),
}

/// A pattern, all parts of a fixed width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

/// What a pattern is made of, for error texts.
pub(crate) const LETTERS: &str = "yyyy or yy, MM, dd, HH, mm, ss, SSS";

impl Pattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        const WORDS: [(&str, Part); 8] = [
            ("yyyy", Part::Year4),
            ("yy", Part::Year2),
            ("MM", Part::Month),
            ("dd", Part::Day),
            ("HH", Part::Hour),
            ("mm", Part::Minute),
            ("ss", Part::Second),
            ("SSS", Part::Millis),
        ];
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(&byte) = rest.as_bytes().first() {
            let word = WORDS.iter().find(|(word, _)| rest.starts_with(word));
            let (len, part) = match word {
                Some((word, part)) => (word.len(), *part),
                None if byte.is_ascii() && !byte.is_ascii_alphanumeric() => {
                    (1, Part::Literal(byte))
                }
                None if byte == b'T' => (1, Part::Literal(byte)),
                None => return None,
            };
            if !matches!(part, Part::Literal(_)) && parts.contains(&part) {
                return None;
            }
            parts.push(part);
            rest = rest.get(len..)?;
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    pub(crate) fn has_date(&self) -> bool {
        let year = self.0.contains(&Part::Year4) || self.0.contains(&Part::Year2);
        year && self.0.contains(&Part::Month) && self.0.contains(&Part::Day)
    }

    pub(crate) fn has_time(&self) -> bool {
        self.0.contains(&Part::Hour)
    }

    /// Returns the length of a text of this pattern.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|part| part.width()).sum()
    }

    /// Reads a text: days since 1970-01-01 and milliseconds of the day.
    pub(crate) fn read(&self, text: &[u8]) -> Option<(i64, i64)> {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        let (mut hour, mut minute, mut second, mut millis) = (0, 0, 0, 0);
        let mut rest = text;
        for part in &self.0 {
            let (here, behind) = rest.split_at_checked(part.width())?;
            rest = behind;
            if let Part::Literal(byte) = part {
                if here != [*byte] {
                    return None;
                }
                continue;
            }
            let number = digits(here)?;
            match part {
                Part::Year4 => year = number,
                Part::Year2 => {
                    year = if number < PIVOT {
                        2000 + number
                    } else {
                        1900 + number
                    }
                }
                Part::Month => month = number,
                Part::Day => day = number,
                Part::Hour => hour = number,
                Part::Minute => minute = number,
                Part::Second => second = number,
                Part::Millis => millis = number,
                Part::Literal(_) => {}
            }
        }
        let valid = rest.is_empty()
            && (1..=12).contains(&month)
            && hour < 24 && minute < 60 && second < 60
            && day >= 1
            // The day before the first of the next month is the last one there is.
            && day <= month_days(year, month);
        valid.then(|| {
            let days = days_from_civil(year, month, day);
            (days, ((hour * 60 + minute) * 60 + second) * 1000 + millis)
        })
    }

    /// Appends the text of a day and a time; `None` where the pattern cannot say it.
    pub(crate) fn write(&self, days: i64, millis: i64, out: &mut Vec<u8>) -> Option<()> {
        let (year, month, day) = civil_from_days(days);
        let (second, milli) = (millis / 1000, millis % 1000);
        let shows = |part: Part, value: i64| value == 0 || self.0.contains(&part);
        let exact = shows(Part::Millis, milli)
            && shows(Part::Second, second % 60)
            && shows(Part::Minute, second / 60 % 60)
            && shows(Part::Hour, second / 3600);
        if !exact {
            return None;
        }
        for part in &self.0 {
            let number = match part {
                Part::Year4 => year,
                Part::Year2 if (1900 + PIVOT..2000 + PIVOT).contains(&year) => year % 100,
                Part::Year2 => return None,
                Part::Month => month,
                Part::Day => day,
                Part::Hour => second / 3600,
                Part::Minute => second / 60 % 60,
                Part::Second => second % 60,
                Part::Millis => milli,
                Part::Literal(byte) => {
                    out.push(*byte);
                    continue;
                }
            };
            let text = format!("{number:0>width$}", width = part.width());
            if text.len() != part.width() {
                return None;
            }
            out.extend_from_slice(text.as_bytes());
        }
        Some(())
    }
}

impl Part {
    fn width(self) -> usize {
        match self {
            Self::Year4 => 4,
            Self::Millis => 3,
            Self::Literal(_) => 1,
            _ => 2,
        }
    }
}

/// Milliseconds since 1970 of a local day and time; `None` where the clocks leave that time out.
pub(crate) fn to_utc(days: i64, millis: i64, zone: &Zone) -> Option<i64> {
    let local = days * DAY_MS + millis;
    Some(local - zone.offset_seconds(local.div_euclid(1000))? * 1000)
}

/// The local day and time of milliseconds since 1970.
pub(crate) fn from_utc(utc: i64, zone: &Zone) -> (i64, i64) {
    let local = utc + zone.offset_at(utc.div_euclid(1000)) * 1000;
    (local.div_euclid(DAY_MS), local.rem_euclid(DAY_MS))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        Some(value * 10 + i64::from(digit))
    })
}

fn month_days(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days_from_civil(next_year, next_month, 1) - days_from_civil(year, month, 1)
}

/// The proleptic Gregorian date of a day, the inverse of `days_from_civil`.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
