//! Rows and deletions into the batch of their table, encoded; what does not fit says why.

use linkspan_sdk::prelude::*;

use super::key::Key;
use super::{Cells, Gatherer, Place, Refused};
use crate::dialect::Dialect;
use crate::sink::batch::TableBatch;
use crate::sink::options::InsertMode;
use crate::sink::rows::{Form, Rows};
use crate::sink::target::{self, Target};
use crate::types::{Binary, Encoder, Meaning, Unfit};

impl Gatherer {
    pub(super) async fn put(
        &mut self,
        place: &mut Place<'_>,
        target: &mut Target,
        batch: &mut TableBatch,
        (cells, form): (Cells<'_>, Form),
        index: usize,
    ) -> Result<(), Refused> {
        let columns: Vec<usize> = cells.iter().map(|(column, _)| *column).collect();
        if place.options.insert_mode != InsertMode::Update {
            self.check_required(place, target, &columns)?;
        }
        let tracks =
            place.options.insert_mode != InsertMode::Insert || place.options.delete_enabled;
        // A key that the row lacks would be any row's.
        for &column in &target.key {
            if !cells
                .iter()
                .any(|(known, cell)| *known == column && !cell.is_null())
            {
                let name = target
                    .table
                    .columns
                    .get(column)
                    .map_or("", |column| column.name.as_str());
                return Err(Refused::Record(Error::data_invalid(format!(
                    "the key's column `{name}` is missing or null"
                ))));
            }
        }
        loop {
            let encoder = &mut self.encoder;
            let encoded = batch.put(&columns, &form, index, tracks, |rows| match &form {
                Form::Binary(forms) => encode_binary(encoder, target, &cells, forms, rows),
                Form::Text | Form::Bound => encode(encoder, target, &cells, rows),
            });
            let Err((at, unfit)) = encoded else {
                return Ok(());
            };
            let column = columns.get(at).copied().unwrap_or(0);
            let too_long = target
                .table
                .columns
                .get(column)
                .is_some_and(|column| column.length_max.is_some());
            if place.options.auto_evolve_widen
                && too_long
                && target::widen(place.line, place.server, target, column, &Meaning::Text)
                    .await
                    .map_err(Refused::All)?
            {
                continue;
            }
            return Err(Refused::Record(self.unfit(place, target, column, &unfit)));
        }
    }

    fn unfit(&self, place: &Place<'_>, target: &Target, column: usize, unfit: &Unfit) -> Error {
        let found = target.table.columns.get(column);
        let name = found.map_or("", |column| column.name.as_str());
        let type_name = found.map_or("", |column| column.type_name.as_str());
        let remedy = match found {
            Some(column) if column.length_max.is_some() => {
                let dialect = place.server.dialect();
                let wider = match dialect {
                    Dialect::MySql => "LONGTEXT",
                    Dialect::Postgres | Dialect::Sqlite => "text",
                };
                match dialect.alter_type(&target.table.name, column, wider) {
                    Some(sql) => format!("; {sql}, or set `auto.evolve.widen: true`"),
                    None => String::new(),
                }
            }
            _ => String::new(),
        };
        Error::data_invalid(format!(
            "{}: table `{}`, column `{name}` ({type_name}): the value {unfit}{remedy}",
            place.server.shown, target.table.name
        ))
    }

    /// Says which column a row must have and lacks.
    fn check_required(
        &self,
        place: &Place<'_>,
        target: &Target,
        columns: &[usize],
    ) -> Result<(), Refused> {
        let Some(lacks) = target.required().find(|column| !columns.contains(column)) else {
            return Ok(());
        };
        let name = target
            .table
            .columns
            .get(lacks)
            .map_or("", |column| column.name.as_str());
        let dialect = place.server.dialect();
        let quoted = dialect.quote(name);
        let remedy = match dialect {
            Dialect::Postgres => format!(
                "; ALTER TABLE {} ALTER COLUMN {quoted} DROP NOT NULL, or SET DEFAULT …",
                target.quoted
            ),
            Dialect::MySql | Dialect::Sqlite => format!(
                "; allow null in {quoted} of {}, or give it a default",
                target.quoted
            ),
        };
        Err(Refused::Record(Error::data_invalid(format!(
            "{}: table `{}`, column `{name}`: takes no null and has no default, and the record has no such field (SQLSTATE 23502){remedy}",
            place.server.shown, target.table.name
        ))))
    }

    pub(super) fn delete(
        &mut self,
        target: &Target,
        batch: &mut TableBatch,
        key: &Key<'_>,
        index: usize,
    ) -> Result<(), Refused> {
        let encoder = &mut self.encoder;
        let last = target.key.len().saturating_sub(1);
        batch
            .delete(index, |rows| {
                for (at, (&column, (_, cell))) in target.key.iter().zip(&key.cells).enumerate() {
                    if let Some(column) = target.table.columns.get(column) {
                        encoder.encode(cell, column, rows.buffer())?;
                    }
                    rows.end_cell(at == last);
                }
                Ok(())
            })
            .map_err(|unfit: Unfit| {
                Refused::Record(Error::data_invalid(format!("the key {unfit}")))
            })
    }
}

/// Appends the cells of a row; the error names the cell.
fn encode(
    encoder: &mut Encoder,
    target: &Target,
    cells: &Cells<'_>,
    rows: &mut Rows,
) -> Result<(), (usize, Unfit)> {
    let last = cells.len().saturating_sub(1);
    for (at, (column, cell)) in cells.iter().enumerate() {
        if let Some(column) = target.table.columns.get(*column) {
            encoder
                .encode(cell, column, rows.buffer())
                .map_err(|unfit| (at, unfit))?;
        }
        rows.end_cell(at == last);
    }
    Ok(())
}

fn encode_binary(
    encoder: &Encoder,
    target: &Target,
    cells: &Cells<'_>,
    forms: &[Binary],
    rows: &mut Rows,
) -> Result<(), (usize, Unfit)> {
    for (at, ((column, cell), form)) in cells.iter().zip(forms).enumerate() {
        if let Some(column) = target.table.columns.get(*column) {
            encoder
                .encode_binary(cell, *form, column, rows.buffer())
                .map_err(|unfit| (at, unfit))?;
        }
        rows.end_cell(false);
    }
    Ok(())
}
