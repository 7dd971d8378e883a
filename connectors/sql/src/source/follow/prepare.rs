//! How a round begins: the columns, what is settled, and the statement.

use std::sync::Arc;
use std::time::Duration;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use tokio::time::Instant;

use super::desk::Desk;
use super::{FULL_PAUSE, Follower, Round, Unit, micros};
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::SqlError;
use crate::source::columns::{self, Column, From};
use crate::source::horizon::{Horizon, Lookback, Settled};
use crate::source::options::{Mode, SqlSourceOptions};
use crate::source::position::Position;
use crate::source::query::{Bounds, Select};
use crate::source::reader::{Reading, RowStream};
use crate::source::shape::{Shape, place};
use crate::source::state::Progress;
use crate::types::read::parse_instant;

/// Chunks that `fetch.bytes` is divided into: those on their way and the one being read.
const CHUNKS_AHEAD: usize = 4;
/// From so many numbers on it pays to wait for what is there to settle before the first read: unsettled rows are read twice.
const FIRST_READ_LARGE: i64 = 50_000;
/// How long the first read waits at most.
const FIRST_READ_WAIT: Duration = Duration::from_secs(12);

impl Follower {
    /// Starts a round; false where there is nothing to be gained by one now.
    pub(super) async fn start(&mut self, desk: &mut Desk) -> Result<bool> {
        let (mut connection, session) = desk
            .connection()
            .await
            .map_err(|error| self.error(desk, error))?;
        let connector = Arc::clone(&desk.connector);
        let prepared = connector
            .watched(session, self.prepare(desk, &mut connection))
            .await;
        let (sql, settled) = match prepared.map_err(|error| self.error(desk, error))? {
            Ok(Some(ready)) => ready,
            Ok(None) => {
                desk.connection = Some((connection, session));
                self.due = Instant::now() + FULL_PAUSE;
                return Ok(false);
            }
            Err(error) => {
                desk.connection = Some((connection, session));
                return Err(error);
            }
        };
        let reading = Reading {
            connector,
            session,
            timeout: desk.options.statement_timeout,
            chunk_bytes: desk.options.fetch_bytes.as_usize() / CHUNKS_AHEAD,
        };
        let stream = RowStream::start(&desk.ctx, reading, connection, sql)?;
        self.round = Some(Round {
            stream,
            session,
            settled,
        });
        Ok(true)
    }

    /// Asks for columns and horizon and returns the statement; `None` where no row could be remembered.
    ///
    /// The outer error is the database's, the inner one ours.
    #[expect(
        clippy::too_many_lines,
        reason = "a chain of questions, each of which needs the answers before it"
    )]
    async fn prepare(
        &mut self,
        desk: &Desk,
        connection: &mut Connection,
    ) -> Result<Result<Option<(String, Settled)>>, SqlError> {
        let options = &desk.options;
        let found = columns::read(connection, &self.unit.from, options.tiny_boolean)
            .await
            .map_err(|error| match &options.query {
                _ if options.query_masked.is_some() => error.wordless(),
                Some(query) => error.marked_in(query),
                None => error,
            })?;
        if let Err(error) = self.reshape(desk, found) {
            return Ok(Err(error.context(&desk.connector.shown)));
        }
        let Some(shape) = &self.shape else {
            return Ok(Err(Error::internal("the columns are not known")));
        };
        if !std::mem::replace(&mut self.index_looked_for, true) {
            look_for_index(connection, &self.unit.from, shape, &desk.connector.shown).await?;
        }
        let select = Select {
            dialect: shape.dialect,
            from: &self.unit.from,
            columns: &shape.columns,
            order: &shape.order,
            suffix: &options.suffix,
        };
        let mut bounds = Bounds {
            from_id: self.unit.from_id,
            to_id: self.unit.to_id,
            ..Bounds::default()
        };
        if options.mode == Mode::Bulk {
            return Ok(Ok(Some((select.rows(&bounds), Settled::All))));
        }
        let of_timestamps = options.mode.has_timestamp();
        let asks =
            connection.dialect() == Dialect::Postgres || desk.lookback() != Lookback::default();
        // The greatest number is asked for first: who takes a smaller one is in a transaction that the horizon knows.
        let (least, greatest) = if asks && !of_timestamps {
            extent(connection, &select).await?
        } else {
            (None, None)
        };
        let horizon = Horizon::read(connection, of_timestamps).await?;
        let progress = match &mut self.progress {
            Some(progress) => progress,
            none => match first(&self.unit, shape, options, &horizon) {
                Ok(progress) => {
                    self.handed = Some(progress.clone());
                    none.insert(progress)
                }
                Err(error) => return Ok(Err(error)),
            },
        };
        if of_timestamps {
            bounds.until =
                Some(shape.wall(horizon.now.saturating_sub(micros(options.timestamp_delay))));
        }
        let end = self.unit.to_id.map(|to| to - 1);
        let read_through = match bounds.until {
            Some(until) => Some(until - 1),
            None => greatest.map(|greatest| end.map_or(greatest, |end| end.min(greatest))),
        };
        let full = progress.seen.is_full();
        let mut settled = progress
            .settling
            .round(&horizon, read_through, desk.lookback());
        if let (Some(open_from), Settled::Through(through)) = (horizon.open_from(), settled)
            && !full
        {
            settled = Settled::Through(through.min(shape.wall(open_from) - 1));
        }
        if full && !any_settled(progress, settled) {
            if !std::mem::replace(&mut self.told_full, true) {
                tracing::warn!(
                    "{}: reading waits until open transactions end or `lookback.ms` is over; no more late rows can be remembered",
                    place(&self.unit.from)
                );
            }
            return Ok(Ok(None));
        }
        self.told_full = false;
        let may_wait = progress.seen.is_empty() && self.begun.elapsed() < FIRST_READ_WAIT;
        let unsettled = read_through.is_some_and(|through| !settled.covers(through));
        if may_wait && unsettled && is_large(progress.position.id.or(least), greatest) {
            return Ok(Ok(None));
        }
        bounds.after = progress.position;
        Ok(Ok(Some((select.rows(&bounds), settled))))
    }

    /// Works out anew what rows become, where the columns are others than before.
    fn reshape(&mut self, desk: &Desk, found: Vec<Column>) -> Result<()> {
        if found.is_empty() {
            return Err(Error::not_found(format!(
                "{} does not exist any more, or the user may not see it",
                place(&self.unit.from)
            )));
        }
        if self
            .shape
            .as_ref()
            .is_none_or(|shape| shape.columns != found)
        {
            let in_ranges = self.unit.from_id.is_some() || self.unit.to_id.is_some();
            let shape = Shape::new(
                &desk.ctx,
                &desk.options,
                desk.connector.dialect(),
                &self.unit.from,
                found,
                in_ranges,
            )?;
            self.shape = Some(shape);
        }
        Ok(())
    }
}

/// Whether so many numbers are to be read that reading them twice is worth avoiding.
fn is_large(begins: Option<i64>, greatest: Option<i64>) -> bool {
    let span = greatest
        .zip(begins)
        .map(|(greatest, begins)| greatest.saturating_sub(begins));
    span.is_some_and(|span| span > FIRST_READ_LARGE)
}

/// Whether something that is remembered is settled now, so that a round makes room.
fn any_settled(progress: &Progress, settled: Settled) -> bool {
    let mut rest = progress.seen.clone();
    match settled {
        Settled::All => return true,
        Settled::Through(through) => rest.forget_through(through),
    }
    !rest.is_full()
}

/// Returns the least and the greatest number.
pub(crate) async fn extent(
    connection: &mut Connection,
    select: &Select<'_>,
) -> Result<(Option<i64>, Option<i64>), SqlError> {
    let Some(sql) = select.extent() else {
        return Ok((None, None));
    };
    let dialect = connection.dialect();
    let sql = sqlx::AssertSqlSafe(sql);
    match connection {
        Connection::Postgres(c) => sqlx::query_as(sql).fetch_one(&mut **c).await,
        Connection::MySql(c) => sqlx::query_as(sql).fetch_one(&mut **c).await,
        Connection::Sqlite(c) => sqlx::query_as(sql).fetch_one(&mut **c).await,
    }
    .map_err(|error| SqlError::new(dialect, &error))
}

/// Warns where no index begins with the column that gives the order. Several timestamps are put together, which no index serves.
async fn look_for_index(
    connection: &mut Connection,
    from: &From,
    shape: &Shape,
    shown: &str,
) -> Result<(), SqlError> {
    let From::Table(table) = from else {
        return Ok(());
    };
    let column = match shape.order.timestamps.as_slice() {
        [] => shape.order.id.as_ref(),
        [only] => Some(only),
        _ => None,
    };
    let Some(column) = column else { return Ok(()) };
    match columns::begins_an_index(connection, table, column).await {
        Ok(Some(false)) => tracing::warn!(
            "{shown}: {}: no index begins with column `{column}`, so each round reads the whole table; {}",
            place(from),
            columns::create_index(shape.dialect, table, column)
        ),
        Ok(Some(true) | None) => {}
        Err(error) if error.breaks_connection() => return Err(error),
        // The rows can be read all the same.
        Err(error) => tracing::debug!(?error, "whether there is an index is not known"),
    }
    Ok(())
}

/// Where a unit begins: at its offset, else where the options say.
fn first(
    unit: &Unit,
    shape: &Shape,
    options: &SqlSourceOptions,
    horizon: &Horizon,
) -> Result<Progress> {
    let of_timestamps = options.mode.has_timestamp();
    if let Some(offset) = &unit.offset {
        let mut progress =
            Progress::of_offset(offset, shape.zone, of_timestamps).ok_or_else(|| {
                Error::data_invalid(format!(
                    "the stored offset of {} is none of this connector's; reset it",
                    place(&unit.from)
                ))
            })?;
        if shape.order.id.is_none() {
            // Within the timestamp the number decided, which nothing does now: it is read again.
            if let Position {
                micros: Some(micros),
                id: Some(_),
            } = progress.position
            {
                progress.position = Position::through(micros - 1);
            }
            progress.position.id = None;
        }
        return Ok(progress);
    }
    let position = if of_timestamps {
        let initial = options
            .timestamp_initial
            .as_deref()
            .and_then(|text| match text {
                "-1" => Some(horizon.now),
                text => parse_instant(text),
            });
        Position {
            micros: initial.map(|instant| shape.wall(instant)),
            id: None,
        }
    } else {
        Position {
            micros: None,
            // -1 is what the JDBC connector says for "from the start".
            id: options.incrementing_initial.filter(|id| *id != -1),
        }
    };
    Ok(Progress::new(position, of_timestamps))
}
