//! One table, query or range of a table, followed from round to round.
//!
//! ```text
//! due ─► columns ─► what is settled ─► SELECT … ─► rows: emit, known, full ─► complete ─► due again
//!                                          └─ error: back to what was handed out last, a new round
//! ```

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use tokio::time::Instant;

use super::columns::{self, Column, From};
use super::horizon::{Horizon, Lookback, Settled};
use super::options::{Mode, SqlSourceOptions};
use super::position::Position;
use super::query::{Bounds, Select};
use super::reader::{Next, Reading, RowStream};
use super::shape::{BadCell, Shape, place};
use super::state::{Progress, Verdict};
use crate::connect::{Connection, Connector, Session};
use crate::dialect::{Dialect, TableName};
use crate::errors::SqlError;
use crate::types::read::parse_instant;

/// The pause before a round that could remember no more.
const FULL_PAUSE: Duration = Duration::from_millis(200);
/// What is waited for in MySQL where nothing is said.
const MYSQL_LOOKBACK: Duration = Duration::from_secs(10);
/// Chunks that `fetch.bytes` is divided into: those on their way and the one being read.
const CHUNKS_AHEAD: usize = 4;
/// From so many numbers on it pays to wait for what is there to settle before the first read: unsettled rows are read twice.
const FIRST_READ_LARGE: i64 = 50_000;
/// How long the first read waits at most.
const FIRST_READ_WAIT: Duration = Duration::from_secs(12);

/// What is read by one follower.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) from: From,
    pub(crate) topic: String,
    /// Where its offset stands; a bulk read has none.
    pub(crate) partition: Option<SourcePartition>,
    /// Numbers from … to below ….
    pub(crate) from_id: Option<i64>,
    pub(crate) to_id: Option<i64>,
    /// Offsets that this one replaces.
    pub(crate) replaces: Vec<SourcePartition>,
    /// The offset that was committed.
    pub(crate) offset: Option<serde_json::Map<String, serde_json::Value>>,
}

/// What all followers of a task share.
pub(crate) struct Desk {
    pub(crate) ctx: SourceContext,
    pub(crate) options: Arc<SqlSourceOptions>,
    pub(crate) connector: Arc<Connector>,
    pub(crate) connection: Option<(Connection, Session)>,
    pub(crate) fields: Vec<Option<Range<usize>>>,
}

/// A unit and how far it is.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) unit: Unit,
    shape: Option<Shape>,
    progress: Option<Progress>,
    /// The progress that the last batch handed out, to go back to.
    handed: Option<Progress>,
    /// The offset that was written last.
    written: Option<serde_json::Map<String, serde_json::Value>>,
    round: Option<Round>,
    pub(crate) due: Instant,
    /// Nothing comes any more: a bounded job has read it, or a range has ended.
    pub(crate) finished: bool,
    /// Columns whose values became null, told once.
    lost: Vec<String>,
    /// What the next step answers.
    failure: Option<Error>,
    /// That it waits was said.
    told_full: bool,
    /// Whether an index serves the order was asked, and said if not.
    index_looked_for: bool,
    /// When the task began with it.
    begun: Instant,
}

/// One statement under way.
#[derive(Debug)]
struct Round {
    stream: RowStream,
    session: Session,
    settled: Settled,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The batch has enough.
    Full,
    /// Rows are on their way.
    Waiting,
    /// The round is over.
    Over,
}

impl Desk {
    /// Returns the connection, opened where there is none.
    async fn connection(&mut self) -> Result<(Connection, Session), SqlError> {
        if let Some(open) = self.connection.take() {
            return Ok(open);
        }
        let mut connection = self.connector.connect().await?;
        if let Some(level) = self.options.isolation.0.sql() {
            let sql = match connection.dialect() {
                Dialect::Postgres => {
                    format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
                }
                Dialect::MySql => format!("SET SESSION TRANSACTION ISOLATION LEVEL {level}"),
                Dialect::Sqlite => String::new(),
            };
            if !sql.is_empty() {
                connection.run(&sql).await?;
            }
        }
        match connection.dialect() {
            // What is cast to text reads the same everywhere.
            Dialect::Postgres => connection.run("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'iso_8601'").await?,
            // While the log has no room the server waits for us, longer than its default of a minute.
            Dialect::MySql => connection.run("SET SESSION net_write_timeout = 86400, time_zone = '+00:00'").await?,
            Dialect::Sqlite => 0,
        };
        let session = connection.session().await?;
        Ok((connection, session))
    }

    fn lookback(&self) -> Lookback {
        let default = match self.connector.dialect() {
            Dialect::MySql => MYSQL_LOOKBACK,
            Dialect::Postgres | Dialect::Sqlite => Duration::ZERO,
        };
        let time = self.options.lookback.unwrap_or(default);
        Lookback {
            micros: micros(time),
            rows: if self.options.mode == Mode::Incrementing {
                self.options.lookback_rows
            } else {
                0
            },
        }
    }
}

impl Follower {
    pub(crate) fn new(unit: Unit) -> Self {
        Self {
            unit,
            shape: None,
            progress: None,
            handed: None,
            written: None,
            round: None,
            due: Instant::now(),
            finished: false,
            lost: Vec::new(),
            failure: None,
            told_full: false,
            index_looked_for: false,
            begun: Instant::now(),
        }
    }

    pub(crate) const fn is_reading(&self) -> bool {
        self.round.is_some()
    }

    /// Goes back to what was handed out last.
    pub(crate) fn rewind(&mut self) {
        self.round = None;
        self.progress = self.handed.clone();
        self.due = Instant::now();
    }

    /// The batch was handed out.
    pub(crate) fn hand_out(&mut self) {
        self.handed.clone_from(&self.progress);
    }

    fn error(&self, desk: &Desk, error: SqlError) -> Error {
        let at = desk.connector.at();
        match &self.unit.from {
            From::Table(table) => {
                let name: TableName = table.sql_name(desk.connector.dialect());
                error.into_error(&at.table(&name))
            }
            From::Query(_) => error.into_error(&at),
        }
    }

    /// Reads on: starts a round where none is under way, and takes rows until the batch is full or they are not here yet.
    pub(crate) async fn step(&mut self, desk: &mut Desk, out: &mut BatchBuilder) -> Result<Step> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        if self.round.is_none() && !self.start(desk).await? {
            return Ok(Step::Over);
        }
        if let Some(partition) = &self.unit.partition {
            out.stamp(partition);
        }
        loop {
            if out.is_full() || out.len() >= desk.options.batch_rows {
                return Ok(Step::Full);
            }
            let Some(round) = &mut self.round else {
                return Ok(Step::Over);
            };
            let next = round.stream.next(&mut desk.fields, out.is_empty()).await;
            match next {
                Ok(Next::Row) => {
                    if !self.row(desk, out)? {
                        self.over(desk, false);
                        return Ok(Step::Over);
                    }
                }
                Ok(Next::Waiting) => return Ok(Step::Waiting),
                Ok(Next::End(connection)) => {
                    desk.connection = Some((connection, round.session));
                    self.over(desk, true);
                    return Ok(Step::Over);
                }
                Err(error) => {
                    // What the server calls the columns may have changed.
                    self.shape = None;
                    return Err(self.error(desk, error));
                }
            }
        }
    }

    /// Starts a round; false where there is nothing to be gained by one now.
    async fn start(&mut self, desk: &mut Desk) -> Result<bool> {
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

    /// Takes the row in the desk's fields; false ends the round.
    fn row(&mut self, desk: &Desk, out: &mut BatchBuilder) -> Result<bool> {
        let (Some(shape), Some(round)) = (&self.shape, &self.round) else {
            return Ok(false);
        };
        let (rows, fields) = (&round.stream, desk.fields.as_slice());
        if fields.len() != shape.columns.len() + shape.order.extra() {
            return Err(Error::internal(format!(
                "{}: a row has another number of columns than was asked for",
                place(&self.unit.from)
            )));
        }
        let mut taken = None;
        if let Some(progress) = &mut self.progress {
            let at = shape
                .position(rows, fields)
                .map_err(|bad| bad_place(&self.unit.from, &bad))?;
            let identity = if at.id.is_none() && at.micros.is_some() {
                shape.identity(rows, fields)
            } else {
                0
            };
            match progress.verdict(at, identity, round.settled) {
                Verdict::Emit => taken = Some((at, identity)),
                Verdict::Known => {
                    progress.take(at, identity, round.settled);
                    return Ok(true);
                }
                Verdict::Full => return Ok(false),
            }
        }
        let lost = &mut self.lost;
        let from = &self.unit.from;
        let told = |column: &str| {
            if !lost.iter().any(|known| known == column) {
                lost.push(column.to_owned());
                tracing::warn!(
                    "{}: column `{column}` holds values that its type cannot say (a zero date, NaN, infinity); they become null",
                    place(from)
                );
            }
        };
        if let Err(bad) = shape.write(rows, fields, &self.unit.topic, out, told)? {
            let error = bad_place(from, &bad);
            if !desk.ctx.tolerates_bad_records() {
                // What came before is handed over; the error is the next answer.
                if out.is_empty() {
                    return Err(error);
                }
                self.failure = Some(error);
                return Ok(false);
            }
            let raw = shape.raw_json(rows, fields);
            out.reject(&self.unit.topic, Data::Json(raw.as_bytes()), &error)?;
        }
        if let (Some(progress), Some((at, identity))) = (&mut self.progress, taken) {
            progress.take(at, identity, round.settled);
        }
        Ok(true)
    }

    /// Ends a round, read to its end or cut.
    fn over(&mut self, desk: &Desk, complete: bool) {
        let settled = self
            .round
            .take()
            .map_or(Settled::All, |round| round.settled);
        self.due = Instant::now()
            + if complete {
                desk.options.poll_interval
            } else {
                FULL_PAUSE.min(desk.options.poll_interval)
            };
        if self.failure.is_some() {
            self.due = Instant::now();
        }
        let Some(progress) = &mut self.progress else {
            self.finished = desk.ctx.bounded();
            return;
        };
        if !complete {
            progress.round_cut();
            return;
        }
        progress.round_complete(settled);
        if let Some(to) = self.unit.to_id
            && settled.covers(to - 1)
        {
            progress.done = true;
        }
        self.finished = desk.ctx.bounded() || progress.done;
    }

    /// Adds the offset to the batch, where it changed.
    pub(crate) fn write_offset(&mut self, out: &mut BatchBuilder) -> Result<()> {
        let (Some(partition), Some(progress)) = (&self.unit.partition, &self.progress) else {
            return Ok(());
        };
        let zone = self.shape.as_ref().and_then(|shape| shape.zone);
        let offset = progress.to_offset(zone);
        let written = self.written.as_ref().or(self.unit.offset.as_ref());
        if written == Some(&offset) || (written.is_none() && offset.is_empty()) {
            return Ok(());
        }
        out.offset_from(partition, &offset)?;
        for old in self.unit.replaces.drain(..) {
            out.delete_offset(old);
        }
        self.written = Some(offset);
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

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
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

fn bad_place(from: &From, bad: &BadCell) -> Error {
    Error::data_invalid(format!(
        "{}, column `{}`: {}",
        place(from),
        bad.column,
        bad.error
    ))
}
