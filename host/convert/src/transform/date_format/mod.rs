//! Java's `SimpleDateFormat`, as Connect uses it: time zone UTC, root locale, lenient parsing.
//!
//! ```text
//! G era     y year     Y week year   M L month      w week of year   W week of month
//! D day of year   d day of month   F weekday in month   E weekday name   u weekday number (1 Monday)
//! a AM/PM   H hour 0-23   k 1-24   K 0-11   h 1-12   m minute   s second   S millisecond
//! z zone name   Z +hhmm   X Z|+hh|+hhmm|+hh:mm     'text'   '' a quote
//! ```
//! The root locale knows the short English names of months and weekdays, also where a pattern asks for long ones, and
//! writes eras as `CE` and `BCE`.

pub(crate) mod calendar;
mod format;
mod parse;
mod resolve;

/// Short names of the months.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// Short names of the weekdays.
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 1024;

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateFormat {
    items: Vec<Item>,
    /// Years of two digits lie in the hundred years from this one's date on.
    century_start_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Text(String),
    Field { letter: char, count: usize },
}

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    /// A letter without a meaning.
    #[error("`{0}` has no meaning in a date pattern; text belongs between quotes, such as 'T'")]
    Letter(char),
    /// A quote without an end.
    #[error("a quote is not closed; a quote itself is written ''")]
    Quote,
    /// Too many `X`.
    #[error("`X` may stand at most three times in a row, it stands {0} times")]
    Zone(usize),
    /// Too long.
    #[error("a date pattern has at most 1024 bytes")]
    Long,
}

impl DateFormat {
    /// Compiles a pattern. Years of two digits are read as at most 80 years before `now_ms` and at most 20 after.
    pub(crate) fn new(pattern: &str, now_ms: i64) -> Result<Self, PatternError> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::Long);
        }
        let mut items = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(letter) = chars.next() {
            if letter == '\'' {
                quoted(&mut chars, &mut items)?;
            } else if letter.is_ascii_alphabetic() {
                let mut count = 1;
                while chars.next_if_eq(&letter).is_some() {
                    count += 1;
                }
                if !"GyMdkHmsSEDFwWahKzZYuXL".contains(letter) {
                    return Err(PatternError::Letter(letter));
                }
                if letter == 'X' && count > 3 {
                    return Err(PatternError::Zone(count));
                }
                items.push(Item::Field { letter, count });
            } else {
                text(&mut items, letter);
            }
        }
        Ok(Self {
            items,
            century_start_ms: century_start(now_ms),
        })
    }
}

/// 80 years before a moment, on the same date.
fn century_start(now_ms: i64) -> i64 {
    let moment = calendar::Moment::from_ms(now_ms);
    let first = calendar::first_of(moment.year - 80, moment.month);
    (first + moment.day - 1)
        .saturating_mul(calendar::DAY_MS)
        .saturating_add(moment.time)
}

fn text(items: &mut Vec<Item>, letter: char) {
    if let Some(Item::Text(known)) = items.last_mut() {
        known.push(letter);
    } else {
        items.push(Item::Text(letter.to_string()));
    }
}

fn quoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    items: &mut Vec<Item>,
) -> Result<(), PatternError> {
    if chars.next_if_eq(&'\'').is_some() {
        text(items, '\'');
        return Ok(());
    }
    loop {
        match chars.next() {
            None => return Err(PatternError::Quote),
            Some('\'') if chars.next_if_eq(&'\'').is_some() => text(items, '\''),
            Some('\'') => return Ok(()),
            Some(letter) => text(items, letter),
        }
    }
}

#[cfg(test)]
mod tests;
