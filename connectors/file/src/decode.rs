//! From the text of a file to records in a batch.

use linkspan_sdk::prelude::*;

use crate::csv::{Cut, Splitter};
use crate::format::{Bad, Reason};
use crate::lines;
use crate::table::{Columns, CsvSettings, HeaderError};

const BOM: &str = "\u{feff}";

/// How a file is cut into records.
#[derive(Debug)]
pub(crate) enum Decoder {
    Lines,
    Csv(Box<CsvDecoder>),
}

/// Cuts CSV, with the columns of the file at hand.
#[derive(Debug)]
pub(crate) struct CsvDecoder {
    settings: CsvSettings,
    splitter: Splitter,
    ctx: SourceContext,
    table: Option<Table>,
}

/// The columns of a file and the schema that its rows are written with.
#[derive(Debug)]
struct Table {
    columns: Columns,
    schema: RowSchema,
}

/// Where records go, and how many fit.
pub(crate) struct Target<'a> {
    pub(crate) out: &'a mut BatchBuilder,
    pub(crate) topic: &'a TopicName,
    pub(crate) records_max: u32,
    pub(crate) bytes_max: usize,
    pub(crate) line_bytes_max: usize,
}

impl Target<'_> {
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.out.len() >= self.records_max
            || self.out.bytes_len() >= self.bytes_max
            || self.out.is_full()
    }
}

/// How far a piece of text was used.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    /// Bytes of whole records, to be read past.
    pub(crate) consumed: usize,
    /// Records handed out.
    pub(crate) records: u64,
    /// The first record behind `consumed` cannot be used.
    pub(crate) bad: Option<Problem>,
}

/// What is wrong with the next record, or with the file as a whole.
#[derive(Debug)]
pub(crate) enum Problem {
    Bad(Bad),
    Header(HeaderError),
    Batch(Error),
}

impl From<Bad> for Problem {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

impl Decoder {
    pub(crate) fn csv(settings: CsvSettings, ctx: SourceContext) -> Self {
        let splitter = Splitter::new(settings.dialect);
        Self::Csv(Box::new(CsvDecoder {
            settings,
            splitter,
            ctx,
            table: None,
        }))
    }

    /// Prepares for a file that is read from its start.
    pub(crate) fn begin(&mut self) {
        if let Self::Csv(csv) = self {
            csv.table = None;
        }
    }

    /// Says whether records are CSV, so that a file that is read from its middle needs its first record.
    pub(crate) fn is_csv(&self) -> bool {
        matches!(self, Self::Csv(_))
    }

    /// Takes the columns from the first record of a file that is read from its middle; `false`: not in this text.
    pub(crate) fn take_first_record(&mut self, text: &str, last: bool) -> Result<bool, Problem> {
        match self {
            Self::Lines => Ok(true),
            Self::Csv(csv) => Ok(csv.take_columns(text, last)?.is_some()),
        }
    }

    /// Hands out records of `text`, which begins at `position` of the file, until it is used up or the batch is full.
    ///
    /// `last` says that the file ends with `text`.
    pub(crate) fn drain(
        &mut self,
        text: &str,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Drained {
        match self {
            Self::Lines => drain_lines(text, last, target),
            Self::Csv(csv) => csv.drain(text, position, last, target),
        }
    }
}

fn drain_lines(text: &str, last: bool, target: &mut Target<'_>) -> Drained {
    let mut drained = Drained::default();
    while !target.is_full() {
        let Some(line) = text
            .get(drained.consumed..)
            .and_then(|rest| lines::split(rest, last))
        else {
            break;
        };
        let sent = lines::check_len(line.text.len(), target.line_bytes_max, false)
            .map_err(Problem::Bad)
            .and_then(|()| {
                target
                    .out
                    .to(target.topic)
                    .utf8(line.text)
                    .map_err(Problem::Batch)
            });
        if let Err(problem) = sent {
            drained.bad = Some(problem);
            break;
        }
        drained.consumed += line.len;
        drained.records += 1;
    }
    drained
}

impl CsvDecoder {
    fn drain(&mut self, text: &str, position: u64, last: bool, target: &mut Target<'_>) -> Drained {
        let mut drained = Drained::default();
        if position == 0 && text.starts_with(BOM) {
            drained.consumed = BOM.len();
        }
        while !target.is_full() {
            match self.next(
                text.get(drained.consumed..).unwrap_or_default(),
                last,
                target,
            ) {
                Ok(Some((len, records))) => {
                    drained.consumed += len;
                    drained.records += records;
                }
                Ok(None) => break,
                Err(problem) => {
                    drained.bad = Some(problem);
                    break;
                }
            }
        }
        drained
    }

    /// Uses the first record of `text`: its bytes and how many records it made; `None` when its end is not in sight.
    #[inline]
    fn next(
        &mut self,
        text: &str,
        last: bool,
        target: &mut Target<'_>,
    ) -> Result<Option<(usize, u64)>, Problem> {
        let Some(table) = &self.table else {
            // The columns come first; a file without a header gets them from its first record, which is used again.
            return Ok(self
                .take_columns(text, last)?
                .map(|len| (if self.settings.header { len } else { 0 }, 0)));
        };
        let len = match self.splitter.split(text, last)? {
            Cut::Record(len) => len,
            Cut::Blank(len) => return Ok(Some((len, 0))),
            Cut::More => return Ok(None),
        };
        lines::check_len(len, target.line_bytes_max, true)?;
        let (found, expected) = (self.splitter.field_count(), table.columns.len());
        if found != expected {
            return Err(Bad {
                at: 0,
                reason: Reason::FieldCount { found, expected },
            }
            .into());
        }
        let mut bad = None;
        let sent = target.out.to(target.topic).row(&table.schema, |row| {
            table
                .columns
                .write_row(&self.settings, &self.splitter, text, row, &mut bad)
        });
        match (sent, bad) {
            (Ok(()), _) => Ok(Some((len, 1))),
            (Err(_), Some(reason)) => Err(Bad { at: 0, reason }.into()),
            (Err(error), None) => Err(Problem::Batch(error)),
        }
    }

    /// Makes the table of the first record of a file; returns how many bytes that takes up.
    fn take_columns(&mut self, text: &str, last: bool) -> Result<Option<usize>, Problem> {
        let mut at = if text.starts_with(BOM) { BOM.len() } else { 0 };
        loop {
            let rest = text.get(at..).unwrap_or_default();
            match self.splitter.split(rest, last)? {
                Cut::Blank(len) => at += len,
                Cut::More => return Ok(None),
                Cut::Record(len) => {
                    let names = if self.settings.header {
                        self.splitter
                            .fields(rest)
                            .map(|name| name.into_owned())
                            .collect()
                    } else {
                        Columns::names_without_header(&self.settings, self.splitter.field_count())
                    };
                    let columns = Columns::new(names, &self.settings).map_err(Problem::Header)?;
                    let schema = self
                        .ctx
                        .register_schema(columns.schema())
                        .map_err(Problem::Batch)?;
                    self.table = Some(Table { columns, schema });
                    return Ok(Some(at + len));
                }
            }
        }
    }
}

/// Returns the valid front of `bytes` and where invalid UTF-8 begins behind it.
///
/// A sequence that is cut off at the end is invalid only when the file ends there.
pub(crate) fn valid_utf8(bytes: &[u8], last: bool) -> (&str, Option<usize>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.valid_up_to();
            let text = bytes
                .get(..at)
                .and_then(|front| std::str::from_utf8(front).ok())
                .unwrap_or_default();
            (text, (last || error.error_len().is_some()).then_some(at))
        }
    }
}
