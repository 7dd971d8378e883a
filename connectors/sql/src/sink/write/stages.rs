//! Temporary tables of PostgreSQL: rows go there by COPY, and from there into the table by one statement.
//!
//! A table is kept as long as its connection and emptied by the end of each transaction.

use std::ops::Range;

use super::super::batch::TableBatch;
use super::super::options::WritePath;
use super::super::rows::{Form, Rows};
use super::super::target::Target;
use super::statement::{column_list, stage_key};
use super::{Part, Writer};
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};
use crate::types::write::binary;

/// Bytes of COPY that are handed to the socket at once.
const COPY_CHUNK: usize = 128 << 10;

/// Temporary tables that a connection keeps.
const STAGES_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    /// It holds rows of this transaction.
    pub(super) used: bool,
}

impl Writer {
    pub(super) async fn stage(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        columns: &[usize],
    ) -> Result<(), SqlError> {
        let list = column_list(target, columns, Dialect::Postgres);
        let key = stage_key(target, columns);
        if self.stages.contains_key(&key) || !self.stages_allowed {
            return Ok(());
        }
        if self.stages.len() >= STAGES_MAX {
            connection.run("DISCARD TEMP").await?;
            self.stages.clear();
        }
        let name = format!("pg_temp._linkspan_{}", self.stages.len());
        let sql = format!(
            "CREATE TEMP TABLE {name} ON COMMIT DELETE ROWS AS SELECT {list} FROM {} WITH NO DATA",
            target.quoted
        );
        match connection.run(&sql).await {
            Ok(_) => {
                self.stages.insert(key, Stage { name, used: false });
                Ok(())
            }
            Err(error) if error.class == Class::Privilege && self.path == WritePath::Auto => {
                linkspan_sdk::tracing::info!(
                    "this user may make no temporary tables, so rows go in statements with many rows; faster is GRANT TEMPORARY ON DATABASE"
                );
                self.stages_allowed = false;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Fills the temporary table of these columns and returns its name.
    pub(super) async fn fill(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        columns: &[usize],
        rows: &Rows,
        range: Range<usize>,
    ) -> Result<String, SqlError> {
        let list = column_list(target, columns, Dialect::Postgres);
        let key = stage_key(target, columns);
        let Some(stage) = self.stages.get_mut(&key) else {
            return Err(SqlError::plain(
                Dialect::Postgres,
                Class::Internal,
                "a temporary table was not prepared",
            ));
        };
        if std::mem::replace(&mut stage.used, true) {
            connection.run(&format!("TRUNCATE {}", stage.name)).await?;
        }
        let name = stage.name.clone();
        copy(connection, &format!("{name} ({list})"), rows, range).await?;
        Ok(name)
    }

    /// Asks which row of a range a CHECK refuses, where the statement itself does not say: a temporary table with the same CHECKs gets
    /// the rows by COPY, which names the line. Only a hint: columns that the rows leave out are null there. The transaction is as
    /// before afterwards.
    pub(in crate::sink) async fn line_of_check(
        &self,
        connection: &mut Connection,
        target: &Target,
        batch: &TableBatch,
        (phase, part): (usize, Part),
        range: Range<usize>,
    ) -> Result<Option<u64>, SqlError> {
        let group = match (part, batch.phases.get(phase)) {
            (Part::Group(at), Some(phase)) => phase.groups.get(at),
            (Part::Group(_) | Part::Truncate | Part::Deletes, _) => None,
        };
        let dialect = connection.dialect();
        let Some(group) = group.filter(|_| self.stages(target, dialect)) else {
            return Ok(None);
        };
        let list = column_list(target, &group.columns, dialect);
        connection.run("SAVEPOINT linkspan_check").await?;
        let make = format!(
            "CREATE TEMP TABLE _linkspan_check (LIKE {} INCLUDING CONSTRAINTS)",
            target.quoted
        );
        let mut tried = connection.run(&make).await.map(drop);
        if tried.is_ok() {
            let into = format!("pg_temp._linkspan_check ({list})");
            tried = copy(connection, &into, &group.rows, range).await;
        }
        if let Err(error) = &tried
            && error.breaks_connection()
        {
            return tried.map(|()| None);
        }
        connection
            .run("ROLLBACK TO SAVEPOINT linkspan_check; RELEASE SAVEPOINT linkspan_check")
            .await?;
        Ok(tried.err().and_then(|error| error.line))
    }
}

/// Sends rows by COPY into these columns, in pieces so that the server works while the rest is on its way.
pub(super) async fn copy(
    connection: &mut Connection,
    into: &str,
    rows: &Rows,
    range: Range<usize>,
) -> Result<(), SqlError> {
    let Connection::Postgres(connection) = connection else {
        return Err(SqlError::plain(
            Dialect::Postgres,
            Class::Internal,
            "COPY on another database",
        ));
    };
    let (with, header, trailer) = match rows.form() {
        Form::Binary(_) => (" WITH (FORMAT binary)", binary::HEADER, binary::TRAILER),
        Form::Text | Form::Bound => ("", &b""[..], &b""[..]),
    };
    let lines = rows.lines(range);
    let sent = async {
        let mut copy = connection
            .copy_in_raw(&format!("COPY {into} FROM STDIN{with}"))
            .await?;
        let around = |bytes: &'static [u8]| (!bytes.is_empty()).then_some(bytes);
        let pieces = around(header)
            .into_iter()
            .chain(lines.chunks(COPY_CHUNK))
            .chain(around(trailer));
        for piece in pieces {
            copy.send(piece).await?;
        }
        copy.finish().await
    };
    sent.await
        .map(drop)
        .map_err(|error| SqlError::new(Dialect::Postgres, &error))
}
