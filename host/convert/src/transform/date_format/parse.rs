//! From text to a moment, leniently: blanks before a field are skipped, numbers may be out of their range, and what
//! follows the pattern is not looked at.

use super::resolve::{Field, Read};
use super::{DateFormat, Item, MONTHS, WEEKDAYS};

/// Zone names that are read, with their distance from UTC in minutes.
const ZONES: [(&str, i64); 13] = [
    ("Coordinated Universal Time", 0),
    ("Greenwich Mean Time", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
];

impl DateFormat {
    /// Reads milliseconds since 1970 from text; `None` where it does not follow the pattern.
    pub(crate) fn parse(&self, text: &str) -> Option<i64> {
        let text: Vec<char> = text.chars().take(super::PATTERN_BYTES_MAX * 4).collect();
        let mut read = Read::default();
        let mut at = 0;
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Text(literal) => {
                    for letter in literal.chars() {
                        if text.get(at) != Some(&letter) {
                            return None;
                        }
                        at += 1;
                    }
                }
                Item::Field { letter, count } => {
                    // A number right before another number takes no more digits than it has letters.
                    let bounded = self.items.get(index + 1).is_some_and(is_numeric);
                    let mut reader = Reader { text: &text, at };
                    reader.field(*letter, *count, bounded, self.century_start_ms, &mut read)?;
                    at = reader.at;
                }
            }
        }
        read.resolve(self.century_start_ms)
    }
}

fn is_numeric(item: &Item) -> bool {
    match item {
        Item::Text(_) => false,
        Item::Field {
            letter: 'M' | 'L',
            count,
        } => *count <= 2,
        Item::Field { letter, .. } => "ydHkmsSDFwWhKYu".contains(*letter),
    }
}

struct Reader<'a> {
    text: &'a [char],
    at: usize,
}

impl Reader<'_> {
    fn field(
        &mut self,
        letter: char,
        count: usize,
        bounded: bool,
        century_start_ms: i64,
        read: &mut Read,
    ) -> Option<()> {
        let began = self.at;
        while matches!(self.text.get(self.at)?, ' ' | '\t') {
            self.at += 1;
        }
        let limit = bounded.then(|| began + count);
        match letter {
            'G' => {
                let era = self.name(&["BCE", "CE"])?;
                read.set(Field::Era, i64::from(era == 0));
            }
            'y' | 'Y' => {
                let start = self.at;
                let value = self.number(limit)?;
                let short = count <= 2
                    && self.at - start == 2
                    && self.text.get(start).is_some_and(char::is_ascii_digit);
                let field = if letter == 'y' {
                    Field::Year
                } else {
                    Field::WeekYear
                };
                read.year(field, value, short, century_start_ms);
            }
            'M' | 'L' if count <= 2 => {
                let month = self.number(limit)? - 1;
                read.set(Field::Month, month);
            }
            'M' | 'L' => {
                let month = self.name(&MONTHS)?;
                read.set(Field::Month, i64::try_from(month).ok()?);
            }
            'E' => {
                let day = self.name(&WEEKDAYS)?;
                read.set(Field::Weekday, i64::try_from(day).ok()?);
            }
            'a' => {
                let half = self.name(&["AM", "PM"])?;
                read.set(Field::Half, i64::try_from(half).ok()?);
            }
            'z' | 'Z' => {
                let minutes = self.zone()?;
                read.zone(minutes);
            }
            'X' => {
                let minutes = self.iso_zone(count)?;
                read.zone(minutes);
            }
            _ => {
                let value = self.number(limit)?;
                plain(letter, value, read);
            }
        }
        Some(())
    }

    /// An integer of 32 bits, as `Number.intValue`; digits of any script, a minus in front.
    fn number(&mut self, limit: Option<usize>) -> Option<i64> {
        let end = match limit {
            Some(limit) if limit > self.text.len() => return None,
            Some(limit) => limit,
            None => self.text.len(),
        };
        let mut at = self.at;
        let negative = self.text.get(at) == Some(&'-') && at < end;
        if negative {
            at += 1;
        }
        let first = at;
        let mut value: i64 = 0;
        let mut overflow = false;
        while at < end {
            let Some(digit) = self
                .text
                .get(at)
                .and_then(|letter| crate::decimal::digit_of(*letter))
                .and_then(|digit| digit.to_digit(10))
            else {
                break;
            };
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(i64::from(digit)))
                .unwrap_or_else(|| {
                    overflow = true;
                    0
                });
            at += 1;
        }
        if at == first {
            return None;
        }
        self.at = at;
        if overflow {
            // Java reads on as a float, which stops at the bounds.
            return Some(i64::from(if negative { i32::MIN } else { i32::MAX }));
        }
        let value = if negative { -value } else { value };
        // `Long.intValue` keeps the low 32 bits.
        let [a, b, c, d, ..] = value.to_le_bytes();
        Some(i64::from(i32::from_le_bytes([a, b, c, d])))
    }

    /// The longest of the names that stands here, upper or lower case.
    fn name(&mut self, names: &[&str]) -> Option<usize> {
        let mut best: Option<(usize, usize)> = None;
        for (index, name) in names.iter().enumerate() {
            if self.starts_with(name) && best.is_none_or(|(_, length)| name.len() > length) {
                best = Some((index, name.len()));
            }
        }
        let (index, length) = best?;
        self.at += length;
        Some(index)
    }

    fn starts_with(&self, name: &str) -> bool {
        let here = self.text.get(self.at..).unwrap_or_default();
        here.len() >= name.len()
            && name
                .chars()
                .zip(here)
                .all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// `+hhmm`, `GMT`, `GMT+h:mm` or a name.
    fn zone(&mut self) -> Option<i64> {
        if let Some(sign) = self.sign() {
            return self.offset(sign, 0, false);
        }
        if self.starts_with("GMT") {
            self.at += 3;
            return match self.sign() {
                Some(sign) => self.offset(sign, 0, true),
                None => Some(0),
            };
        }
        let (name, minutes) = ZONES.iter().find(|(name, _)| self.starts_with(name))?;
        self.at += name.len();
        Some(*minutes)
    }

    /// `Z`, `+hh`, `+hhmm` or `+hh:mm`.
    fn iso_zone(&mut self, count: usize) -> Option<i64> {
        if self.text.get(self.at) == Some(&'Z') {
            self.at += 1;
            return Some(0);
        }
        let sign = self.sign()?;
        self.offset(sign, count, count == 3)
    }

    fn sign(&mut self) -> Option<i64> {
        let sign = match self.text.get(self.at)? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        self.at += 1;
        Some(sign)
    }

    fn digit(&mut self) -> Option<i64> {
        let digit = self.text.get(self.at)?.to_digit(10)?;
        self.at += 1;
        Some(i64::from(digit))
    }

    fn offset(&mut self, sign: i64, count: usize, colon: bool) -> Option<i64> {
        let mut hours = self.digit()?;
        match self.digit() {
            Some(digit) => hours = hours * 10 + digit,
            // Two digits are needed where there is no colon.
            None if count > 0 || !colon => return None,
            None => {}
        }
        if hours > 23 {
            return None;
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                if self.text.get(self.at) != Some(&':') {
                    return None;
                }
                self.at += 1;
            }
            minutes = self.digit()? * 10 + self.digit()?;
            if minutes > 59 {
                return None;
            }
        }
        Some(sign * (hours * 60 + minutes))
    }
}

fn plain(letter: char, value: i64, read: &mut Read) {
    match letter {
        'w' => read.set(Field::WeekOfYear, value),
        'W' => read.set(Field::WeekOfMonth, value),
        'D' => read.set(Field::DayOfYear, value),
        'd' => read.set(Field::Day, value),
        'F' => read.set(Field::WeekdayInMonth, value),
        // 1 is Monday, 7 is Sunday.
        'u' => read.set(Field::Weekday, value.rem_euclid(7)),
        'H' => read.set(Field::Hour, value),
        'k' => read.set(Field::Hour, if value == 24 { 0 } else { value }),
        'K' => read.set(Field::HalfHour, value),
        'h' => read.set(Field::HalfHour, if value == 12 { 0 } else { value }),
        'm' => read.set(Field::Minute, value),
        's' => read.set(Field::Second, value),
        // `S`.
        _ => read.set(Field::Millisecond, value),
    }
}
