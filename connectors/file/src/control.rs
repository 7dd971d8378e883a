//! Control totals: what the trailer of a file says it holds, against what it holds.
//!
//! A complete file is read once from its start to its end before any of its records goes out, in constant memory. Where a figure
//! differs nothing of the file goes out at all, and the error shows both figures.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use serde_json::{Value as Json, json};

use crate::content::{Content, Part};
use crate::decode::Problem;
use crate::fixed::Fault;
use crate::fixed::number;
use crate::window::Window;

/// Which fields of which record hold the totals: `control.count`, `control.sum`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) count: Option<Declared>,
    /// The field that is added up, and where its sum is declared.
    pub(crate) sums: Vec<(String, Declared)>,
}

/// A field of a record type, written `T.cnt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) record: String,
    pub(crate) field: String,
}

impl Declared {
    fn parse(text: &str) -> Option<Self> {
        let (record, field) = text.trim().split_once('.')?;
        let named = !record.is_empty() && !field.is_empty();
        named.then(|| Self {
            record: record.to_owned(),
            field: field.to_owned(),
        })
    }
}

impl std::fmt::Display for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}.{}`", self.record, self.field)
    }
}

impl Control {
    /// Reads the options; what is wrong is told with the option's name.
    pub(crate) fn parse(
        count: Option<&str>,
        sums: &BTreeMap<String, String>,
        problem: &mut impl FnMut(&str, String),
    ) -> Self {
        let mut declared = |option: &str, text: &str| {
            let found = Declared::parse(text);
            if found.is_none() {
                problem(
                    option,
                    format!("`{text}` must be `RECORD.FIELD`: a record type and a field of it"),
                );
            }
            found
        };
        let count = count.and_then(|text| declared("control.count", text));
        let sums = sums
            .iter()
            .filter_map(|(field, text)| Some((field.clone(), declared("control.sum", text)?)))
            .collect();
        Self { count, sums }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.count.is_some() || !self.sums.is_empty()
    }

    fn declared(&self) -> impl Iterator<Item = &Declared> {
        self.count
            .iter()
            .chain(self.sums.iter().map(|(_, declared)| declared))
    }
}

/// What stands at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Record(usize),
    Skip(usize),
    More,
}

/// A format whose records can be counted and added up.
pub(crate) trait Totalled {
    /// Prepares for a file from its start.
    fn rewind(&mut self);

    /// Finds the first record of `bytes`; the other functions are about this record.
    fn look(&mut self, bytes: &[u8], last: bool) -> Result<Look, Fault>;

    /// Passes a record that `look` could not use; `None`: its end is not in sight.
    fn pass(&mut self, bytes: &[u8], last: bool) -> Option<usize>;

    /// Whether its record is of this type.
    fn is(&self, record: &str) -> bool;

    /// Whether its record is handed out.
    fn is_handed_out(&self) -> bool;

    /// Returns a field of its record as a number with its scale; `None`: it has no such field, or null.
    fn number(&mut self, bytes: &[u8], field: &str) -> Result<Option<(i128, u32)>, Fault>;
}

/// A number with its decimals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    unscaled: i128,
    scale: u32,
}

impl Sum {
    fn add(&mut self, (unscaled, scale): (i128, u32)) -> Option<()> {
        let common = self.scale.max(scale);
        let mine = number::rescale(self.unscaled, self.scale, common)?;
        self.unscaled = mine.checked_add(number::rescale(unscaled, scale, common)?)?;
        self.scale = common;
        Some(())
    }

    fn equals(self, (unscaled, scale): (i128, u32)) -> bool {
        let common = self.scale.max(scale);
        let mine = number::rescale(self.unscaled, self.scale, common);
        mine.is_some() && mine == number::rescale(unscaled, scale, common)
    }

    fn text(self) -> String {
        number::text(self.unscaled, self.scale)
    }
}

/// What one pass found.
#[derive(Debug, Default)]
struct Totals {
    count: i128,
    sums: Vec<Sum>,
    /// The figures of the record that declares them.
    declared_count: Option<(i128, u32)>,
    declared_sums: Vec<Option<(i128, u32)>>,
    trailers: u64,
    /// Records behind the one that declares the totals.
    behind: u64,
    unreadable: u64,
}

/// Reads a file, or an archive's member, once and compares; returns the figures for the record of the run.
pub(crate) fn check(
    control: &Control,
    records: &mut dyn Totalled,
    content: &dyn Content,
    part: &Part,
    record_bytes_max: usize,
) -> Result<Json, Problem> {
    let totals = pass(control, records, content, part, record_bytes_max)?;
    totals
        .compare(control)
        .map_err(|why| Problem::File(Error::data_invalid(why)))
}

fn pass(
    control: &Control,
    records: &mut dyn Totalled,
    content: &dyn Content,
    part: &Part,
    record_bytes_max: usize,
) -> Result<Totals, Problem> {
    let failed = |what: String| {
        Problem::File(Error::data_invalid(format!(
            "the control totals cannot be checked: {what}"
        )))
    };
    let mut totals = Totals {
        sums: vec![Sum::default(); control.sums.len()],
        declared_sums: vec![None; control.sums.len()],
        ..Totals::default()
    };
    let mut window = Window::default();
    window.seek(part.start);
    records.rewind();
    let mut last = false;
    loop {
        let bytes = window.bytes();
        if bytes.is_empty() && last {
            return Ok(totals);
        }
        let looked = if bytes.is_empty() {
            Ok(Look::More)
        } else {
            records.look(bytes, last)
        };
        let passed = match looked {
            Ok(Look::Record(len)) => {
                totals.add(control, records, bytes);
                Some(len)
            }
            Ok(Look::Skip(len)) => Some(len),
            Ok(Look::More) => None,
            Err(fault) => {
                let found = records.pass(bytes, last);
                if found.is_some() {
                    totals.count += 1;
                    totals.unreadable += 1;
                }
                if found.is_none() && last {
                    return Err(failed(fault.message));
                }
                found
            }
        };
        match passed {
            Some(len) => window.consume(len),
            None if last || bytes.len() > record_bytes_max.saturating_mul(2) => {
                return Err(failed(format!(
                    "the record at byte {} has no end",
                    window.position() - part.start
                )));
            }
            None => {
                let read = window.fill(content, part.end);
                last = read.map_err(|error| Problem::File(Error::from(error)))? == 0;
            }
        }
    }
}

impl Totals {
    fn add(&mut self, control: &Control, records: &mut dyn Totalled, bytes: &[u8]) {
        let mut readable = true;
        let declares = control
            .declared()
            .any(|declared| records.is(&declared.record));
        if declares {
            self.trailers += 1;
            let mut read = |declared: &Declared, slot: &mut Option<(i128, u32)>| {
                if records.is(&declared.record) {
                    match records.number(bytes, &declared.field) {
                        Ok(found) => *slot = found,
                        Err(_) => readable = false,
                    }
                }
            };
            if let Some(declared) = &control.count {
                read(declared, &mut self.declared_count);
            }
            for ((_, declared), slot) in control.sums.iter().zip(&mut self.declared_sums) {
                read(declared, slot);
            }
        } else if records.is_handed_out() {
            self.count += 1;
            self.behind += u64::from(self.trailers > 0);
            for ((field, _), sum) in control.sums.iter().zip(&mut self.sums) {
                match records.number(bytes, field) {
                    Ok(Some(number)) => readable &= sum.add(number).is_some(),
                    Ok(None) => {}
                    Err(_) => readable = false,
                }
            }
        }
        self.unreadable += u64::from(!readable);
    }

    /// Compares; the error shows all figures.
    fn compare(&self, control: &Control) -> Result<Json, String> {
        let count = Sum {
            unscaled: self.count,
            scale: 0,
        };
        let mut figures = Vec::new();
        let mut equal = true;
        let mut sums = serde_json::Map::new();
        let mut compare =
            |what: String, found: Sum, says: Option<(i128, u32)>, declared: &Declared| {
                equal &= says.is_some_and(|says| found.equals(says));
                let says = says.map_or_else(
                    || "nothing".to_owned(),
                    |(unscaled, scale)| number::text(unscaled, scale),
                );
                figures.push(format!("{what} {}, {declared} says {says}", found.text()));
            };
        if let Some(declared) = &control.count {
            compare("records".to_owned(), count, self.declared_count, declared);
        }
        for (((field, declared), sum), says) in
            control.sums.iter().zip(&self.sums).zip(&self.declared_sums)
        {
            compare(format!("sum of `{field}`"), *sum, *says, declared);
            sums.insert(field.clone(), json!(sum.text()));
        }
        let what = match self.trailers {
            0 => "the file has no trailer, so its control totals cannot match",
            1 if self.behind > 0 => "records follow the trailer",
            1 if equal => return Ok(json!({"count": count.text(), "sums": sums})),
            1 => "the control totals do not match",
            _ => "the file has several trailers",
        };
        let unreadable = match self.unreadable {
            0 => String::new(),
            n => format!("; {n} records could not be read in full"),
        };
        Err(format!(
            "{what}: {}{unreadable}. No record of the file was handed out",
            figures.join("; ")
        ))
    }
}
