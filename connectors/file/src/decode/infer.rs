//! Types of CSV columns by what their first fields hold.
//!
//! A type is taken only when every field of the sample has it and nothing is lost by it: `007` and `+1` stay text, as does a number
//! with more digits than a float keeps. The types found are stored with the file's position, so that a file keeps them however it
//! grows; a later field of another type is a bad record.

use std::collections::BTreeMap;

use super::csv::{Cut, Splitter};
use super::table::CsvSettings;
use crate::column::{Cell, ColumnType};

/// A float keeps this many decimal digits.
const FLOAT_DIGITS_MAX: usize = 15;

/// What is tried for a column, in this order; text is what is left.
const CANDIDATES: [ColumnType; 6] = [
    ColumnType::Int64,
    ColumnType::Float64,
    ColumnType::Boolean,
    ColumnType::Date,
    ColumnType::Time,
    ColumnType::Timestamp,
];

/// Looks at the rows that `text` begins with; `None` when there is not one whole row yet.
pub(crate) fn infer(
    settings: &CsvSettings,
    names: &[String],
    text: &str,
    last: bool,
) -> Option<BTreeMap<String, ColumnType>> {
    let mut splitter = Splitter::new(settings.dialect);
    let mut guesses: Vec<Guess> = names.iter().map(|_| Guess::default()).collect();
    let (mut at, mut rows) = (0, 0);
    while rows < settings.infer_records {
        let rest = text.get(at..).unwrap_or_default();
        match splitter.split(rest, last) {
            Ok(Cut::Record(len)) => {
                for (field, guess) in splitter.fields(rest).zip(&mut guesses) {
                    if !settings.is_null(&field) {
                        guess.see(settings, &field);
                    }
                }
                at += len;
                rows += 1;
            }
            Ok(Cut::Blank(len)) => at += len,
            // A bad row says nothing about types; it is met again, and named, when it is read.
            Ok(Cut::More) | Err(_) => break,
        }
    }
    if rows == 0 && !last {
        return None;
    }
    let typed = names.iter().zip(guesses).filter_map(|(name, guess)| {
        let kind = guess.best()?;
        (!settings.has_type(name)).then(|| (name.clone(), kind))
    });
    Some(typed.collect())
}

/// What is still possible for one column.
#[derive(Debug)]
struct Guess {
    possible: [bool; CANDIDATES.len()],
    seen: bool,
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            possible: [true; CANDIDATES.len()],
            seen: false,
        }
    }
}

impl Guess {
    fn see(&mut self, settings: &CsvSettings, field: &str) {
        self.seen = true;
        for (possible, kind) in self.possible.iter_mut().zip(CANDIDATES) {
            *possible = *possible && fits(settings, kind, field);
        }
    }

    /// Returns the type that all fields have; `None` for text and for a column without a value.
    fn best(&self) -> Option<ColumnType> {
        let mut left = self.possible.iter().zip(CANDIDATES);
        let found = left.find(|(possible, _)| **possible);
        found.filter(|_| self.seen).map(|(_, kind)| kind)
    }
}

/// Says whether a field has a type and comes back from it as it was.
fn fits(settings: &CsvSettings, kind: ColumnType, field: &str) -> bool {
    let text = if kind.is_number() {
        settings.number(field.into())
    } else {
        field.into()
    };
    let Some(cell) = kind.parse(&text, settings.zone.as_ref()) else {
        return false;
    };
    match cell {
        Cell::Int64(number) => number.to_string() == *text,
        Cell::Float64(_) => is_plain_number(&text),
        // 0 and 1 are numbers; `t` and `f` may be anything.
        Cell::Boolean(_) => text.len() > 1,
        _ => true,
    }
}

/// Says whether a text is a decimal number whose digits a float keeps, without a leading zero or a sign `+`.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let leading = whole.len() > 1 && whole.starts_with('0');
    !whole.is_empty()
        && numeric(whole)
        && numeric(fraction)
        && !leading
        && whole.len() + fraction.len() <= FLOAT_DIGITS_MAX
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use linkspan_sdk::prelude::Options;

    use super::infer;
    use crate::decode::table::CsvSettings;
    use crate::options::CsvOptions;

    fn check(config: &[(&str, &str)], text: &str, expected: &str) {
        let config: BTreeMap<String, String> = config
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let settings = CsvSettings::new(&CsvOptions::from_config(&config).unwrap());
        let (header, rows) = text.split_once('\n').unwrap();
        let names: Vec<String> = header.split(',').map(str::to_owned).collect();
        let types = infer(&settings, &names, rows, true).unwrap();
        let found: Vec<String> = names
            .iter()
            .map(|name| types.get(name).map_or("-".to_owned(), ToString::to_string))
            .collect();
        assert_eq!(found.join(" "), expected, "{text:?}");
    }

    #[test]
    fn a_type_is_taken_when_every_field_has_it() {
        check(
            &[],
            "a,b,c,d\n1,1.5,true,2013-01-31\n-20,2,FALSE,2013-02-01\n",
            "int64 float64 boolean date",
        );
        check(
            &[],
            "a,b\n05:15:00,2013-01-01T00:00:00Z\n",
            "time timestamp",
        );
        check(&[], "a,b\n1,\n,\n", "int64 -");
        check(&[], "a\n1\nx\n", "-");
    }

    #[test]
    fn nothing_is_lost_by_a_type() {
        check(
            &[],
            "a,b,c,d\n007,+1,1e400,0.12345678901234567\n",
            "- - - -",
        );
        check(&[], "a,b,c\n1,0,t\n0,1,f\n", "int64 int64 -");
        check(&[], "a\n9223372036854775808\n", "-");
    }

    #[test]
    fn settings_come_first() {
        check(&[("types", r#"{"a":"int8"}"#)], "a,b\n1,2\n", "- int64");
        check(&[("null.values", "NA")], "a\nNA\n3\n", "int64");
        check(
            &[
                ("decimal.separator", ","),
                ("group.separator", "."),
                ("delimiter", ";"),
            ],
            "a\n1.234,5\n",
            "float64",
        );
        check(&[("infer.records", "1")], "a\n1\nx\n", "int64");
    }
}
