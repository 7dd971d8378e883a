//! One table, query or range of a table, followed from round to round.
//!
//! ```text
//! due ─► columns ─► what is settled ─► SELECT … ─► rows: emit, known, full ─► complete ─► due again
//!                                          └─ error: back to what was handed out last, a new round
//! ```

mod desk;
mod prepare;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use tokio::time::Instant;

pub(crate) use self::desk::Desk;
pub(crate) use self::prepare::extent;
use super::columns::From;
use super::horizon::Settled;
use super::reader::{Next, RowStream};
use super::shape::{BadCell, Shape, place};
use super::state::{Progress, Verdict};
use crate::connect::Session;
use crate::dialect::TableName;
use crate::errors::SqlError;

/// The pause before a round that could remember no more.
const FULL_PAUSE: Duration = Duration::from_millis(200);

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

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn bad_place(from: &From, bad: &BadCell) -> Error {
    Error::data_invalid(format!(
        "{}, column `{}`: {}",
        place(from),
        bad.column,
        bad.error
    ))
}
