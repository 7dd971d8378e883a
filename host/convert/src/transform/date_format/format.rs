//! From a moment to text.

use std::fmt::Write as _;

use super::calendar::Moment;
use super::{DateFormat, Item, MONTHS, WEEKDAYS};

impl DateFormat {
    /// Writes milliseconds since 1970 by the pattern.
    pub(crate) fn format(&self, ms: i64) -> String {
        let moment = Moment::from_ms(ms);
        let mut out = String::with_capacity(32);
        for item in &self.items {
            match item {
                Item::Text(text) => out.push_str(text),
                Item::Field { letter, count } => field(&mut out, &moment, *letter, *count),
            }
        }
        out
    }
}

fn name(out: &mut String, names: &[&str], index: i64) {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    out.push_str(names.get(index).copied().unwrap_or_default());
}

/// A number with zeros in front.
fn number(out: &mut String, value: i64, digits: usize) {
    // Writing to a string cannot fail.
    let _ok = write!(out, "{value:0digits$}");
}

/// A year: `yy` are its last two digits, everything else the whole number.
fn year(out: &mut String, value: i64, count: usize) {
    if count == 2 {
        number(out, value.rem_euclid(100), 2);
    } else {
        number(out, value, count);
    }
}

fn field(out: &mut String, moment: &Moment, letter: char, count: usize) {
    let hour = moment.time / 3_600_000;
    match letter {
        'G' => out.push_str(if moment.bce { "BCE" } else { "CE" }),
        'y' => year(out, moment.year, count),
        'Y' => year(out, moment.week().1, count),
        'M' | 'L' if count >= 3 => name(out, &MONTHS, moment.month),
        'M' | 'L' => number(out, moment.month + 1, count),
        'w' => number(out, moment.week().0, count),
        'W' => number(out, moment.week_of_month(), count),
        'D' => number(out, moment.day_of_year, count),
        'd' => number(out, moment.day, count),
        'F' => number(out, (moment.day - 1) / 7 + 1, count),
        'E' => name(out, &WEEKDAYS, moment.weekday),
        'u' => number(out, (moment.weekday + 6) % 7 + 1, count),
        'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
        'H' => number(out, hour, count),
        'k' => number(out, if hour == 0 { 24 } else { hour }, count),
        'K' => number(out, hour % 12, count),
        'h' => number(out, (hour + 11) % 12 + 1, count),
        'm' => number(out, moment.time / 60_000 % 60, count),
        's' => number(out, moment.time / 1000 % 60, count),
        'S' => number(out, moment.time % 1000, count),
        'z' if count >= 4 => out.push_str("Coordinated Universal Time"),
        'z' => out.push_str("UTC"),
        'Z' => out.push_str("+0000"),
        // `X`; the pattern has no other letters.
        _ => out.push('Z'),
    }
}
