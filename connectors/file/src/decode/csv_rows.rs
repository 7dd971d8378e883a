//! `format: csv` and `tsv`: a record is a row, typed by its column.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use serde_json::{Map, Value as Json};

use super::csv::{Cut, Splitter};
use super::infer::infer;
use super::lines::check_len;
use super::table::{Columns, CsvSettings};
use super::{Decode, Drained, Piece, Problem, Start, Target, behind_line};
use crate::column::ColumnType;
use crate::format::{Bad, Reason};

/// What some programs begin a UTF-8 file with.
pub(super) const BOM: &str = "\u{feff}";

/// Cuts CSV, with the columns of the file at hand.
#[derive(Debug)]
pub(crate) struct CsvRows {
    settings: CsvSettings,
    splitter: Splitter,
    ctx: SourceContext,
    table: Option<Table>,
    /// Types that the file's first rows gave to columns without one.
    inferred: Option<BTreeMap<String, ColumnType>>,
}

/// The columns of a file and the schema that its rows are written with.
#[derive(Debug)]
struct Table {
    columns: Columns,
    schema: RowSchema,
}

impl CsvRows {
    pub(crate) fn new(settings: CsvSettings, ctx: SourceContext) -> Self {
        let splitter = Splitter::new(settings.dialect);
        Self {
            settings,
            splitter,
            ctx,
            table: None,
            inferred: None,
        }
    }
}

impl Decode for CsvRows {
    fn begin(&mut self, start: &Start<'_>) -> Result<(), Problem> {
        self.table = None;
        self.inferred = start.state.and_then(stored_types);
        Ok(())
    }

    fn needs_first_record(&self) -> bool {
        true
    }

    fn take_first_record(&mut self, text: &str, last: bool) -> Result<bool, Problem> {
        Ok(self.take_columns(text, last)?.is_some())
    }

    fn drain(
        &mut self,
        piece: Piece<'_>,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Drained {
        let text = piece.text();
        let mut drained = Drained::default();
        if position == 0 && text.starts_with(BOM) {
            drained.consumed = BOM.len();
        }
        while !target.is_full() {
            let rest = text.get(drained.consumed..).unwrap_or_default();
            let at = position + drained.consumed as u64;
            match self.next(rest, at, last, target) {
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

    /// To the end of the record where its quotes tell one, to the end of its line otherwise.
    fn extent(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        match self.splitter.split_bytes(bytes, last) {
            Ok(Cut::Record(len) | Cut::Blank(len)) => Some(len),
            Ok(Cut::More) => None,
            Err(_) => match self.settings.dialect.end {
                b'\n' => behind_line(bytes, last),
                end => memchr::memchr(end, bytes)
                    .map(|at| at + 1)
                    .or_else(|| last.then_some(bytes.len())),
            },
        }
    }

    fn state(&self) -> Option<Json> {
        let types = self.inferred.as_ref()?;
        let types: Map<String, Json> = types
            .iter()
            .map(|(column, kind)| (column.clone(), kind.to_string().into()))
            .collect();
        Some(serde_json::json!({ "types": types }))
    }

    fn joins_lines(&self) -> bool {
        true
    }
}

impl CsvRows {
    /// Uses the first record of `text`: its bytes and how many records it made; `None` when its end is not in sight.
    #[inline]
    fn next(
        &mut self,
        text: &str,
        position: u64,
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
        check_len(len, target.line_bytes_max, true)?;
        let (found, expected) = (self.splitter.field_count(), table.columns.len());
        if found > expected || (found < expected && !self.settings.pad) {
            return Err(Bad::at(0, Reason::FieldCount { found, expected }).into());
        }
        let mut bad = None;
        let sent = target.record(position).row(&table.schema, |row| {
            table
                .columns
                .write_row(&self.settings, &self.splitter, text, row, &mut bad)
        });
        match (sent, bad) {
            (Ok(()), _) => Ok(Some((len, 1))),
            (Err(_), Some(reason)) => Err(Bad::at(0, reason).into()),
            (Err(error), None) => Err(Problem::Batch(error)),
        }
    }

    /// Makes the table of the first record of a file; returns how many bytes that takes up.
    fn take_columns(&mut self, text: &str, last: bool) -> Result<Option<usize>, Problem> {
        let mut at = if text.starts_with(BOM) { BOM.len() } else { 0 };
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let len = match self.splitter.split(rest, last)? {
                Cut::Blank(len) => {
                    at += len;
                    continue;
                }
                Cut::More => return Ok(None),
                Cut::Record(len) => len,
            };
            let names: Vec<String> = if self.settings.header {
                let fields = self.splitter.fields(rest);
                fields.map(|name| name.into_owned()).collect()
            } else {
                Columns::names_without_header(&self.settings, self.splitter.field_count())
            };
            if self.settings.infer && self.inferred.is_none() {
                let rows = if self.settings.header {
                    rest.get(len..).unwrap_or_default()
                } else {
                    rest
                };
                match infer(&self.settings, &names, rows, last) {
                    Some(types) => self.inferred = Some(types),
                    None => return Ok(None),
                }
            }
            let inferred = self.inferred.clone().unwrap_or_default();
            let columns =
                Columns::new(names, &self.settings, &inferred).map_err(Problem::Header)?;
            let schema = self
                .ctx
                .register_schema(columns.schema())
                .map_err(Problem::Batch)?;
            self.table = Some(Table { columns, schema });
            return Ok(Some(at + len));
        }
    }
}

/// Reads the types that were inferred when the file was begun.
fn stored_types(state: &Json) -> Option<BTreeMap<String, ColumnType>> {
    let types = state.get("types")?.as_object()?;
    types
        .iter()
        .map(|(column, word)| Some((column.clone(), word.as_str()?.parse().ok()?)))
        .collect()
}
