//! Bringing rows to the server: COPY, statements with many rows, statements with one.
//!
//! ```text
//! PostgreSQL   insert           COPY t FROM STDIN
//!              upsert           COPY t FROM STDIN as long as all rows are new
//!              upsert, update   COPY into a temporary table, then one INSERT … ON CONFLICT or UPDATE … FROM
//!              delete           COPY keys into a temporary table, then one DELETE … USING
//! others       insert, upsert   INSERT … VALUES (…), (…), … [ON DUPLICATE KEY UPDATE | ON CONFLICT]
//!              update           UPDATE … row by row
//!              delete           DELETE … WHERE (k) IN (…)
//! ```
//! `direct` tries whether all rows are new, `stages` are the temporary tables, `many` the statements with rows in them, `statement` the SQL of both.
//! Not here: which rows these are (see `batch`), and what happens to a bad one (see `blame`).

mod binary;
mod direct;
mod many;
mod stages;
mod statement;

use std::collections::HashMap;
use std::ops::Range;

use self::binary::types_are;
use self::direct::Trials;
use self::many::update_rows;
use self::stages::{Stage, copy};
use self::statement::{column_list, update_from};
use super::batch::TableBatch;
use super::options::{InsertMode, WritePath};
use super::rows::{Form, Rows};
use super::target::Target;
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::SqlError;

/// Which rows of a table's batch are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Truncate,
    Deletes,
    Group(usize),
}

/// How rows are written; one for each connection.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) mode: InsertMode,
    path: WritePath,
    batch_size: usize,
    /// Temporary tables by what they are for.
    stages: HashMap<String, Stage>,
    /// Whether temporary tables may be made.
    stages_allowed: bool,
    /// Equal keys that differ as text came in one statement: the server sorts them out from now on.
    pub(super) distinct: bool,
    trials: Trials,
}

impl Writer {
    pub(super) fn new(mode: InsertMode, path: WritePath, batch_size: u32) -> Self {
        Self {
            mode,
            path,
            batch_size: usize::try_from(batch_size).unwrap_or(usize::MAX),
            stages: HashMap::new(),
            stages_allowed: true,
            distinct: false,
            trials: Trials::default(),
        }
    }

    /// A transaction has ended: temporary tables are empty again.
    pub(super) fn ended(&mut self) {
        for stage in self.stages.values_mut() {
            stage.used = false;
        }
    }

    fn copies(&self, target: &Target, dialect: Dialect) -> bool {
        dialect == Dialect::Postgres
            && match self.path {
                WritePath::Auto => target.copies,
                WritePath::Copy => true,
                WritePath::Multi | WritePath::Row => false,
            }
    }

    fn stages(&self, target: &Target, dialect: Dialect) -> bool {
        self.copies(target, dialect) && self.stages_allowed
    }

    /// Makes the temporary tables that a batch needs; before the transaction, which they outlive.
    pub(super) async fn prepare(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        batch: &TableBatch,
    ) -> Result<(), SqlError> {
        if !self.stages(target, connection.dialect()) {
            return Ok(());
        }
        for phase in &batch.phases {
            if phase.deletes.alive() > 0 {
                self.stage(connection, target, &target.key).await?;
            }
            let staged = self.mode != InsertMode::Insert;
            for group in phase
                .groups
                .iter()
                .filter(|group| staged && group.rows.alive() > 0)
            {
                self.stage(connection, target, &group.columns).await?;
            }
        }
        Ok(())
    }

    /// Writes the live rows of a range. The line of an error counts those rows from 1.
    pub(super) async fn write(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        batch: &TableBatch,
        (phase, part): (usize, Part),
        range: Range<usize>,
    ) -> Result<(), SqlError> {
        let Some(phase) = batch.phases.get(phase) else {
            return Ok(());
        };
        match part {
            Part::Truncate => {
                let sql = match connection.dialect() {
                    Dialect::Postgres => format!("TRUNCATE TABLE {}", target.quoted),
                    // TRUNCATE of MySQL ends the transaction.
                    Dialect::MySql | Dialect::Sqlite => format!("DELETE FROM {}", target.quoted),
                };
                connection.run(&sql).await.map(drop)
            }
            Part::Deletes => self.delete(connection, target, &phase.deletes, range).await,
            Part::Group(at) => {
                let Some(group) = phase.groups.get(at) else {
                    return Ok(());
                };
                self.put(connection, target, &group.columns, &group.rows, range)
                    .await
            }
        }
    }

    async fn put(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        columns: &[usize],
        rows: &Rows,
        range: Range<usize>,
    ) -> Result<(), SqlError> {
        let dialect = connection.dialect();
        let list = column_list(target, columns, dialect);
        if self.mode == InsertMode::Insert && self.copies(target, dialect) {
            if let Form::Binary(forms) = rows.form() {
                types_are(connection, target, columns, forms).await?;
            }
            let into = format!("{} ({list})", target.quoted);
            return copy(connection, &into, rows, range).await;
        }
        if self.mode != InsertMode::Insert && self.stages(target, dialect) {
            if self.mode == InsertMode::Upsert
                && self
                    .add_new(connection, target, columns, rows, range.clone())
                    .await?
            {
                return Ok(());
            }
            let stage = self.fill(connection, target, columns, rows, range).await?;
            let sql = match self.mode {
                InsertMode::Upsert | InsertMode::Insert => {
                    self.upsert_from(target, columns, &list, &stage)
                }
                InsertMode::Update => match update_from(target, columns, &stage) {
                    Some(sql) => sql,
                    None => return Ok(()),
                },
            };
            return connection.run(&sql).await.map(drop);
        }
        if self.mode == InsertMode::Update {
            return update_rows(connection, target, columns, rows, range).await;
        }
        self.insert_many(connection, target, columns, rows, range)
            .await
    }
}
