//! Bringing rows to the server: COPY, statements with many rows, statements with one.
//!
//! ```text
//! PostgreSQL   insert           COPY t FROM STDIN
//!              upsert, update   COPY into a temporary table, then one INSERT … ON CONFLICT or UPDATE … FROM
//!              delete           COPY keys into a temporary table, then one DELETE … USING
//! others       insert, upsert   INSERT … VALUES (…), (…), … [ON DUPLICATE KEY UPDATE | ON CONFLICT]
//!              update           UPDATE … row by row
//!              delete           DELETE … WHERE (k) IN (…)
//! ```
//! Not here: which rows these are (see `batch`), and what happens to a bad one (see `blame`).

use std::collections::HashMap;
use std::ops::Range;

use super::batch::TableBatch;
use super::options::{InsertMode, WritePath};
use super::rows::Rows;
use super::target::Target;
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};
use crate::types::Bound;
use crate::types::write::{bound, unescape};

/// The most bytes of one statement with many rows: below what servers take by default (`max_allowed_packet`).
const STATEMENT_BYTES_MAX: usize = 4 << 20;

/// Bytes of COPY that are handed to the socket at once.
const COPY_CHUNK: usize = 128 << 10;

/// Temporary tables that a connection keeps.
const STAGES_MAX: usize = 64;

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
}

#[derive(Debug)]
struct Stage {
    name: String,
    /// It holds rows of this transaction.
    used: bool,
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
        }
    }

    /// Forgets what belonged to a connection.
    pub(super) fn reconnected(&mut self) {
        self.stages.clear();
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

    async fn stage(
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
            return copy(
                connection,
                &format!("COPY {} ({list}) FROM STDIN", target.quoted),
                &rows.lines(range),
            )
            .await;
        }
        if self.mode != InsertMode::Insert && self.stages(target, dialect) {
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

    /// Fills the temporary table of these columns and returns its name.
    async fn fill(
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
        copy(
            connection,
            &format!("COPY {name} ({list}) FROM STDIN"),
            &rows.lines(range),
        )
        .await?;
        Ok(name)
    }

    /// Asks which row of a range a CHECK refuses, where the statement itself does not say: a temporary table with the same CHECKs gets
    /// the rows by COPY, which names the line. Only a hint: columns that the rows leave out are null there. The transaction is as
    /// before afterwards.
    pub(super) async fn line_of_check(
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
            let fill = format!("COPY pg_temp._linkspan_check ({list}) FROM STDIN");
            tried = copy(connection, &fill, &group.rows.lines(range)).await;
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

    fn upsert_from(&self, target: &Target, columns: &[usize], list: &str, stage: &str) -> String {
        let dialect = Dialect::Postgres;
        let key = column_list(target, &target.key, dialect);
        let (distinct, order) = if self.distinct {
            // The last row of a key wins: a later row of the temporary table has a greater ctid.
            (
                format!("DISTINCT ON ({key}) "),
                format!(" ORDER BY {key}, ctid DESC"),
            )
        } else {
            (String::new(), String::new())
        };
        let overriding = overriding(target, columns);
        let conflict = on_conflict(target, columns, dialect);
        format!(
            "INSERT INTO {} ({list}) {overriding}SELECT {distinct}{list} FROM {stage}{order}{conflict}",
            target.quoted
        )
    }

    /// Statements with many rows, in steps of few sizes so that the server knows each statement already.
    async fn insert_many(
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

    async fn delete(
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

fn names<'t>(
    target: &'t Target,
    columns: &'t [usize],
    dialect: Dialect,
) -> impl Iterator<Item = String> + 't {
    columns
        .iter()
        .filter_map(|&at| target.table.columns.get(at))
        .map(move |column| dialect.quote(&column.name))
}

fn column_list(target: &Target, columns: &[usize], dialect: Dialect) -> String {
    names(target, columns, dialect)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a temporary table is for: these columns with these types, which may have been widened since another one was made.
fn stage_key(target: &Target, columns: &[usize]) -> String {
    let columns = columns
        .iter()
        .filter_map(|&at| target.table.columns.get(at))
        .map(|column| format!("{:?} {}", column.name, column.type_name));
    format!(
        "{}({})",
        target.quoted,
        columns.collect::<Vec<_>>().join(", ")
    )
}

fn overriding(target: &Target, columns: &[usize]) -> &'static str {
    let always = columns
        .iter()
        .filter_map(|&at| target.table.columns.get(at))
        .any(|column| column.identity_always);
    if always {
        "OVERRIDING SYSTEM VALUE "
    } else {
        ""
    }
}

/// The columns that an upsert or update sets: all but the key.
fn settable<'t>(target: &'t Target, columns: &'t [usize]) -> Vec<usize> {
    columns
        .iter()
        .copied()
        .filter(|column| !target.key.contains(column))
        .collect()
}

fn on_conflict(target: &Target, columns: &[usize], dialect: Dialect) -> String {
    let set = settable(target, columns);
    match dialect {
        Dialect::MySql => {
            // Without anything to set, setting the key to itself is the statement that changes nothing.
            let names: Vec<String> = if set.is_empty() {
                names(target, target.key.get(..1).unwrap_or_default(), dialect)
                    .map(|name| format!("{name} = {name}"))
                    .collect()
            } else {
                names(target, &set, dialect)
                    .map(|name| format!("{name} = VALUES({name})"))
                    .collect()
            };
            format!(" ON DUPLICATE KEY UPDATE {}", names.join(", "))
        }
        Dialect::Postgres | Dialect::Sqlite => {
            let key = column_list(target, &target.key, dialect);
            if set.is_empty() {
                return format!(" ON CONFLICT ({key}) DO NOTHING");
            }
            let set: Vec<String> = names(target, &set, dialect)
                .map(|name| format!("{name} = EXCLUDED.{name}"))
                .collect();
            format!(" ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", "))
        }
    }
}

fn update_from(target: &Target, columns: &[usize], stage: &str) -> Option<String> {
    let dialect = Dialect::Postgres;
    let columns = settable(target, columns);
    if columns.is_empty() {
        return None;
    }
    let set: Vec<String> = names(target, &columns, dialect)
        .map(|name| format!("{name} = s.{name}"))
        .collect();
    let equal: Vec<String> = names(target, &target.key, dialect)
        .map(|name| format!("t.{name} = s.{name}"))
        .collect();
    Some(format!(
        "UPDATE {} AS t SET {} FROM {stage} AS s WHERE {}",
        target.quoted,
        set.join(", "),
        equal.join(" AND ")
    ))
}

/// A placeholder; for PostgreSQL a text that its own input function reads. The cast has no length, so that nothing is cut silently.
fn placeholder(number: usize, column: usize, target: &Target, dialect: Dialect) -> String {
    match (dialect, target.table.columns.get(column)) {
        (Dialect::Postgres, Some(column)) => format!("${number}::text::{}", column.base_type),
        _ => "?".to_owned(),
    }
}

fn push_rows(sql: &mut String, count: usize, columns: &[usize], target: &Target, dialect: Dialect) {
    let mut number = 0;
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for (at, &column) in columns.iter().enumerate() {
            if at > 0 {
                sql.push_str(", ");
            }
            number += 1;
            sql.push_str(&placeholder(number, column, target, dialect));
        }
        sql.push(')');
    }
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

async fn update_rows(
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

/// Sends COPY lines, in pieces so that the server works while the rest is on its way.
async fn copy(connection: &mut Connection, sql: &str, lines: &[u8]) -> Result<(), SqlError> {
    let Connection::Postgres(connection) = connection else {
        return Err(SqlError::plain(
            Dialect::Postgres,
            Class::Internal,
            "COPY on another database",
        ));
    };
    let sent = async {
        let mut copy = connection.copy_in_raw(sql).await?;
        for chunk in lines.chunks(COPY_CHUNK) {
            copy.send(chunk).await?;
        }
        copy.finish().await
    };
    sent.await
        .map(drop)
        .map_err(|error| SqlError::new(Dialect::Postgres, &error))
}
