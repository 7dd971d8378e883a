//! Statements with many rows in them, and those with one.

use std::ops::Range;

use super::super::options::{InsertMode, WritePath};
use super::super::rows::Rows;
use super::super::target::Target;
use super::Writer;
use super::statement::{
    column_list, names, on_conflict, overriding, placeholder, push_rows, settable,
};
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::SqlError;
use crate::types::Bound;
use crate::types::write::{bound, unescape};

/// The most bytes of one statement with many rows: below what servers take by default (`max_allowed_packet`).
const STATEMENT_BYTES_MAX: usize = 4 << 20;

impl Writer {
    /// Statements with many rows, in steps of few sizes so that the server knows each statement already.
    pub(super) async fn insert_many(
        &self,
        connection: &mut Connection,
        target: &Target,
        columns: &[usize],
        rows: &Rows,
        range: Range<usize>,
    ) -> Result<(), SqlError> {
        let dialect = connection.dialect();
        let list = column_list(target, columns, dialect);
        let head = format!(
            "INSERT INTO {} ({list}) {}VALUES ",
            target.quoted,
            overriding(target, columns)
        );
        let tail = if self.mode == InsertMode::Upsert {
            on_conflict(target, columns, dialect)
        } else {
            String::new()
        };
        let live: Vec<usize> = rows.live(range).collect();
        let most = self.rows_max(columns.len(), dialect);
        let mut done = 0;
        while done < live.len() {
            let chunk = step(&live, done, most, rows, columns.len());
            let mut sql = head.clone();
            push_rows(&mut sql, chunk.len(), columns, target, dialect);
            sql.push_str(&tail);
            execute_rows(connection, &sql, rows, chunk, columns.len())
                .await
                .map_err(|error| behind(error, done, chunk.len()))?;
            done += chunk.len();
        }
        Ok(())
    }

    const fn rows_max(&self, width: usize, dialect: Dialect) -> usize {
        if matches!(self.path, WritePath::Row) {
            return 1;
        }
        let width = if width == 0 { 1 } else { width };
        let by_binds = dialect.binds_max() / width;
        if by_binds < self.batch_size {
            by_binds
        } else {
            self.batch_size
        }
    }

    pub(super) async fn delete(
        &mut self,
        connection: &mut Connection,
        target: &Target,
        keys: &Rows,
        range: Range<usize>,
    ) -> Result<(), SqlError> {
        let dialect = connection.dialect();
        let list = column_list(target, &target.key, dialect);
        if self.stages(target, dialect) {
            let stage = self
                .fill(connection, target, &target.key, keys, range)
                .await?;
            let equal: Vec<String> = names(target, &target.key, dialect)
                .map(|name| format!("t.{name} = s.{name}"))
                .collect();
            let sql = format!(
                "DELETE FROM {} AS t USING {stage} AS s WHERE {}",
                target.quoted,
                equal.join(" AND ")
            );
            return connection.run(&sql).await.map(drop);
        }
        let width = target.key.len();
        let live: Vec<usize> = keys.live(range).collect();
        let most = self.rows_max(width, dialect);
        let mut done = 0;
        while done < live.len() {
            let chunk = step(&live, done, most, keys, width);
            // Row values with one member need no parentheses, and SQLite takes none of several but in VALUES.
            let columns = if width == 1 {
                list.clone()
            } else {
                format!("({list})")
            };
            let mut sql = format!("DELETE FROM {} WHERE {columns} IN (", target.quoted);
            if dialect == Dialect::Sqlite {
                sql.push_str("VALUES ");
            }
            push_rows(&mut sql, chunk.len(), &target.key, target, dialect);
            sql.push(')');
            execute_rows(connection, &sql, keys, chunk, width)
                .await
                .map_err(|error| behind(error, done, chunk.len()))?;
            done += chunk.len();
        }
        Ok(())
    }
}

/// The rows of the next statement: the largest size that fits, all of them sizes that come again.
fn step<'l>(live: &'l [usize], done: usize, most: usize, rows: &Rows, width: usize) -> &'l [usize] {
    let left = live.get(done..).unwrap_or_default();
    let mut size = if left.len() >= most {
        most
    } else {
        1 << left.len().ilog2().min(30)
    };
    // Large rows: halve until the statement is small enough.
    let bytes = |size: usize| -> usize {
        left.iter()
            .take(size)
            .map(|&row| {
                (0..width)
                    .map(|column| rows.cell(row, column).len())
                    .sum::<usize>()
            })
            .sum()
    };
    while size > 1 && bytes(size) > STATEMENT_BYTES_MAX {
        size = (size / 2).max(1);
    }
    left.get(..size).unwrap_or(left)
}

/// Puts an error's row behind the rows of the statements before it. Without a row of its own a statement of one row names it.
fn behind(mut error: SqlError, done: usize, chunk: usize) -> SqlError {
    let before = u64::try_from(done).unwrap_or(0);
    error.line = match error.line {
        Some(line) => Some(before + line),
        None if chunk == 1 => Some(before + 1),
        None => None,
    };
    error
}

async fn execute_rows(
    connection: &mut Connection,
    sql: &str,
    rows: &Rows,
    chunk: &[usize],
    width: usize,
) -> Result<u64, SqlError> {
    let cells = chunk
        .iter()
        .flat_map(|&row| (0..width).map(move |column| (row, column)));
    execute_cells(connection, sql, rows, cells).await
}

async fn execute_cells(
    connection: &mut Connection,
    sql: &str,
    rows: &Rows,
    cells: impl Iterator<Item = (usize, usize)>,
) -> Result<u64, SqlError> {
    if connection.dialect() == Dialect::Postgres {
        let texts: Vec<Option<String>> = cells
            .map(|(row, column)| {
                unescape(rows.cell(row, column))
                    .map(|text| String::from_utf8_lossy(&text).into_owned())
            })
            .collect();
        let bound = texts
            .iter()
            .map(|text| text.as_deref().map_or(Bound::Null, Bound::Text));
        return connection.execute(sql, bound).await;
    }
    connection
        .execute(
            sql,
            cells.map(|(row, column)| bound(rows.cell(row, column))),
        )
        .await
}

pub(super) async fn update_rows(
    connection: &mut Connection,
    target: &Target,
    columns: &[usize],
    rows: &Rows,
    range: Range<usize>,
) -> Result<(), SqlError> {
    let dialect = connection.dialect();
    let set = settable(target, columns);
    if set.is_empty() {
        return Ok(());
    }
    let order: Vec<usize> = set.iter().chain(&target.key).copied().collect();
    let part = |columns: &[usize], first: usize, between: &str| {
        let parts: Vec<String> = names(target, columns, dialect)
            .zip(columns)
            .enumerate()
            .map(|(n, (name, &column))| {
                format!(
                    "{name} = {}",
                    placeholder(first + n, column, target, dialect)
                )
            })
            .collect();
        parts.join(between)
    };
    let sql = format!(
        "UPDATE {} SET {} WHERE {}",
        target.quoted,
        part(&set, 1, ", "),
        part(&target.key, set.len() + 1, " AND ")
    );
    // Where in the row each value stands.
    let at: Vec<usize> = order
        .iter()
        .filter_map(|column| columns.iter().position(|known| known == column))
        .collect();
    for (n, row) in rows.live(range).enumerate() {
        execute_cells(
            connection,
            &sql,
            rows,
            at.iter().map(|&column| (row, column)),
        )
        .await
        .map_err(|error| behind(error, n, 1))?;
    }
    Ok(())
}
