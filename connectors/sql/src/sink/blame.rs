//! Finding the rows at fault.
//!
//! In a transaction that is rolled back at the end, rows are written in pieces between savepoints. PostgreSQL's COPY and some of
//! MySQL's messages name the row; otherwise a piece that fails is halved, and a half that is fine puts the fault into the other.
//! Rows that are fine stay in the transaction, so that what comes behind them sees them.
//!
//! An upsert of PostgreSQL is one statement over a temporary table, which names no row. Each try of it leaves dead entries behind in
//! the indexes of the table, so for a CHECK the row is asked for elsewhere first: see [`Writer::line_of_check`].

use super::work::Work;
use super::write::{Part, Writer};
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::SqlError;

/// Rows at fault that are looked for in one batch; the rest of them shows when the batch comes again without these.
pub(super) const BLAMED_MAX: usize = 1_000;

/// SQLSTATE of a row that a CHECK refuses.
const CHECK_VIOLATION: &str = "23514";

/// A record at fault.
#[derive(Debug)]
pub(super) struct Blamed {
    /// Its place in the batch.
    pub(super) record: usize,
    pub(super) table: usize,
    pub(super) error: SqlError,
}

/// Finds the records at fault in the order in which they are written; at most `most`.
pub(super) async fn blame(
    connection: &mut Connection,
    writer: &mut Writer,
    work: &Work,
    most: usize,
) -> Result<Vec<Blamed>, SqlError> {
    connection.begin().await?;
    let found = search(connection, writer, work, most).await;
    let ended = connection.rollback().await;
    writer.ended();
    let found = found?;
    ended?;
    Ok(found)
}

#[expect(
    clippy::too_many_lines,
    reason = "one search whose state means nothing outside of its loop"
)]
async fn search(
    connection: &mut Connection,
    writer: &mut Writer,
    work: &Work,
    most: usize,
) -> Result<Vec<Blamed>, SqlError> {
    if connection.dialect() == Dialect::Postgres {
        // What is checked at the end of the transaction would name no row.
        connection.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
    }
    let mut blamed = Vec::new();
    for (table, phase, part) in work.units() {
        let Some((target, batch)) = work.table(table) else {
            continue;
        };
        let rows = match part {
            Part::Truncate => {
                writer
                    .write(connection, target, batch, (phase, part), 0..0)
                    .await?;
                continue;
            }
            Part::Deletes => batch.phases.get(phase).map(|phase| &phase.deletes),
            Part::Group(at) => batch
                .phases
                .get(phase)
                .and_then(|phase| phase.groups.get(at))
                .map(|group| &group.rows),
        };
        let Some(rows) = rows else { continue };
        let live: Vec<usize> = rows.live(0..rows.len()).collect();
        let (mut at, mut size) = (0, live.len());
        // So many rows from `at` on hold one at fault, as far as is known; 0: nothing is known.
        let mut faulty = 0_usize;
        let mut asks = true;
        while at < live.len() {
            size = size.clamp(1, live.len() - at);
            let range = range_of(&live, at, size);
            connection.run("SAVEPOINT linkspan_piece").await?;
            let Err(error) = writer
                .write(connection, target, batch, (phase, part), range)
                .await
            else {
                connection.run("RELEASE SAVEPOINT linkspan_piece").await?;
                at += size;
                faulty = faulty.saturating_sub(size);
                // A row alone that is fine after all: nothing is known any more, and what named it is not asked again.
                asks &= faulty > 0 || size > 1;
                size = if faulty > 0 {
                    faulty.div_ceil(2)
                } else {
                    live.len()
                };
                continue;
            };
            if !error.is_of_record() {
                return Err(error);
            }
            connection
                .run("ROLLBACK TO SAVEPOINT linkspan_piece")
                .await?;
            faulty = size;
            let mut line = error.line;
            if line.is_none() && size > 1 && asks && error.code == CHECK_VIOLATION {
                let range = range_of(&live, at, size);
                line = writer
                    .line_of_check(connection, target, batch, (phase, part), range)
                    .await?;
                asks = line.is_some();
            }
            let named = line
                .and_then(|line| usize::try_from(line).ok())
                .filter(|&line| line >= 1 && line <= size);
            match named {
                // The rows before it are fine as far as is known; they are tried without it.
                Some(line) if line > 1 => {
                    size = line - 1;
                    faulty = line;
                }
                // Named elsewhere: alone it says itself what is wrong with it.
                Some(_) if error.line.is_none() && size > 1 => {
                    size = 1;
                    faulty = 1;
                }
                None if size > 1 => size /= 2,
                Some(_) | None => {
                    let Some(&row) = live.get(at) else { break };
                    blamed.push(Blamed {
                        record: rows.record(row),
                        table,
                        error,
                    });
                    if blamed.len() >= most {
                        return Ok(blamed);
                    }
                    at += 1;
                    size = live.len();
                    faulty = 0;
                }
            }
        }
    }
    Ok(blamed)
}

fn range_of(live: &[usize], at: usize, size: usize) -> std::ops::Range<usize> {
    let first = live.get(at).copied().unwrap_or(0);
    let last = live.get(at + size - 1).copied().unwrap_or(first);
    first..last + 1
}
