//! From a batch to rows that are committed: gathered, written, and what went wrong told apart.
//!
//! ```text
//! deliver ─ gather ─ settle what is under way ─┬─ launch          a large batch: the host makes the next one ready meanwhile
//!                                              └─ write or blame  a small one, or one with records at fault
//! ```

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use super::blame::{self, BLAMED_MAX, Blamed};
use super::link::{Link, Unwritten};
use super::position::Positions;
use super::work::{Moves, Parcel, Places, Work, moves};
use super::{PAUSE_MAX, SqlSink};
use crate::dialect::TableName;
use crate::errors::{At, Class, SqlError};

/// Encoded rows from which on a batch is written in the background: more is waiting behind one that is as large.
const BACKGROUND_BYTES: usize = 128 << 10;

/// Why a batch was not written.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may work later, or somebody has to mend something.
    Server(SqlError, Option<TableName>),
    /// Said in full already.
    Said(Error),
    /// These records are at fault.
    Records(Vec<(usize, Error)>),
}

impl SqlSink {
    /// Opens the connection if there is none, and finds out what became of the last transaction.
    pub(super) async fn linked(&mut self) -> Result<(), Failure> {
        if self.line.link.is_some() || self.line.is_flying() {
            return Ok(());
        }
        let plain = |error: SqlError| Failure::Server(error, None);
        let mut link = Link::open(&self.server, &self.options)
            .await
            .map_err(plain)?;
        if let Some(positions) = &mut self.positions {
            positions
                .read_again(&mut link.connection)
                .await
                .map_err(plain)?;
        }
        self.line.link = Some(link);
        Ok(())
    }

    /// Writes a batch, or begins to: what is written for good is in `done` afterwards.
    pub(super) async fn deliver(&mut self, records: &Records<'_>) -> Result<(), Failure> {
        self.pay().await?;
        let idle_before = self.line.link.is_some();
        match self.attempt(records).await {
            // A connection that was idle may have been dead for long: once more, with a new one.
            Err(Failure::Server(error, _))
                if idle_before
                    && error.breaks_connection()
                    && self.line.link.is_none()
                    && self.failures == 0 =>
            {
                tracing::info!("the connection was lost, opening a new one");
                self.failures = 1;
                self.attempt(records).await
            }
            other => other,
        }
    }

    async fn attempt(&mut self, records: &Records<'_>) -> Result<(), Failure> {
        self.linked().await?;
        let done = match self.freely {
            Some(_) => {
                let moves = moves(records);
                let done = self.run_freely(records, &moves).await;
                if done.is_ok() {
                    self.written(&moves, records.progress());
                }
                done
            }
            None => self.write_rows(records).await,
        };
        self.mend(&done).await;
        done
    }

    /// After a failure: what is left of a transaction is rolled back, and a connection that is of no use dropped.
    async fn mend(&mut self, done: &Result<(), Failure>) {
        match done {
            Err(Failure::Server(error, _)) => self.recover(error).await,
            // What was asked about a table had no answer: whatever became of the connection, the next attempt has a new one.
            Err(Failure::Said(error)) if error.is_temporary() => self.line.link = None,
            _ => {}
        }
    }

    async fn recover(&mut self, error: &SqlError) {
        if let Some(link) = &mut self.line.link
            && !link.recover(error).await
        {
            self.line.link = None;
        }
    }

    async fn write_rows(&mut self, records: &Records<'_>) -> Result<(), Failure> {
        let Self {
            line,
            gatherer,
            server,
            options,
            positions,
            ..
        } = self;
        let written = Positions::written(positions.as_ref());
        let gathered = gatherer
            .gather(line, server, options, records, written)
            .await;
        // All that can be done before: from here to the launch the server has nothing to do.
        let moves = moves(records);
        let parcel = gathered.map(|gathered| {
            let parcel = Parcel {
                work: gathered.work,
                moves,
                progress: records.progress(),
                places: Places::of(records),
            };
            (parcel, gathered.bad)
        });
        let settled = self.settle().await;
        let (mut parcel, bad) = match (parcel, settled) {
            (Ok(made), Ok(())) => made,
            // What was written before is to blame for what could not be asked after it.
            (made, Err(failure)) => {
                if let Ok((parcel, _)) = made {
                    self.gatherer.give_back(parcel.work);
                }
                return Err(failure);
            }
            (Err(error), Ok(())) => return Err(Failure::Said(error)),
        };
        if !bad.is_empty() && !self.tolerant {
            self.gatherer.give_back(parcel.work);
            return Err(Failure::Records(bad.into_iter().take(1).collect()));
        }
        // With tolerance the host is waiting to hear which records are at fault.
        if bad.is_empty() && !self.tolerant && parcel.work.byte_len() >= BACKGROUND_BYTES {
            self.launch(parcel);
            return Ok(());
        }
        let Parcel { work, moves, .. } = &mut parcel;
        let written = self.write_or_blame(work, moves, bad).await;
        self.gatherer.give_back(parcel.work);
        written?;
        self.written(&parcel.moves, parcel.progress);
        Ok(())
    }

    fn launch(&mut self, parcel: Parcel) {
        let Some(link) = self.line.link.take() else {
            self.owed = Some(parcel);
            return;
        };
        self.gatherer.keep(&parcel.work);
        let advance = self
            .positions
            .as_ref()
            .map(|positions| positions.advance(&parcel.moves));
        self.line.launch(&self.server, link, parcel, advance);
    }

    /// Waits for what is under way; what did not arrive is written again where that may help, or is owed from now on.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        let landed = self.line.settle().await.map_err(Failure::Said)?;
        if let Some((mut parcel, outcome)) = landed {
            let Err((error, table)) = outcome else {
                self.gatherer.proved(&parcel.work);
                self.written(&parcel.moves, parcel.progress);
                return Ok(());
            };
            self.recover(&error).await;
            let place = place(&parcel.work, table);
            let again = self.adapt(&error, &mut parcel.work, table) || error.is_of_record();
            self.owed = Some(parcel);
            if !again {
                return Err(Failure::Server(error, place));
            }
        }
        self.pay().await
    }

    /// Writes what is owed: a batch that the host has handed over for good, and that did not arrive.
    async fn pay(&mut self) -> Result<(), Failure> {
        let Some(mut parcel) = self.owed.take() else {
            return Ok(());
        };
        let paid = self.write_owed(&mut parcel).await;
        self.mend(&paid).await;
        match paid {
            Ok(()) => {
                self.gatherer.learn(&parcel.work);
                self.written(&parcel.moves, parcel.progress);
                Ok(())
            }
            Err(failure) => {
                let failure = match failure {
                    Failure::Records(bad) => Failure::Said(at_fault(&parcel.places, bad)),
                    other => other,
                };
                // It stays owed also where nothing but a new task can help: whoever calls again must not get past it.
                self.owed = Some(parcel);
                Err(failure)
            }
        }
    }

    async fn write_owed(&mut self, parcel: &mut Parcel) -> Result<(), Failure> {
        self.linked().await?;
        match &self.positions {
            Some(positions) if !positions.holds(&parcel.moves) => {
                Err(Failure::Said(Error::internal(
                    "partitions were taken away before what was put of them was written",
                )))
            }
            // Its COMMIT had arrived, only the answer had not.
            Some(positions) if positions.is_behind(&parcel.moves) => Ok(()),
            _ => {
                self.write_or_blame(&mut parcel.work, &parcel.moves, Vec::new())
                    .await
            }
        }
    }

    /// Takes note of a batch that is written for good.
    fn written(&mut self, moves: &Moves, progress: Progress) {
        let progress = match &mut self.positions {
            Some(positions) => {
                positions.advanced(moves);
                positions.mark(progress)
            }
            None => progress,
        };
        self.done.merge(progress);
    }

    async fn write_or_blame(
        &mut self,
        work: &mut Work,
        moves: &Moves,
        mut bad: Vec<(usize, Error)>,
    ) -> Result<(), Failure> {
        // With bad records the rest is only tried: the host sets the bad ones aside first.
        let commits = bad.is_empty();
        loop {
            let Err((error, table)) = self.transact(work, moves, commits).await else {
                break;
            };
            let place = place(work, table);
            if self.adapt(&error, work, table) {
                self.recover(&error).await;
                continue;
            }
            if !error.is_of_record() {
                return Err(Failure::Server(error, place));
            }
            self.recover(&error).await;
            let most = if self.tolerant { BLAMED_MAX } else { 1 };
            let blamed = self.find_blamed(work, most).await?;
            if blamed.is_empty() {
                // It came from none of the rows alone; the host looks for it by halving.
                return Err(Failure::Said(self.said(error, place.as_ref())));
            }
            for Blamed {
                record,
                table,
                error,
            } in blamed
            {
                let name = self::place(work, Some(table));
                bad.push((record, self.said(error, name.as_ref())));
            }
            break;
        }
        if bad.is_empty() {
            Ok(())
        } else {
            Err(Failure::Records(bad))
        }
    }

    async fn transact(
        &mut self,
        work: &Work,
        moves: &Moves,
        commits: bool,
    ) -> Result<(), Unwritten> {
        let Self {
            line,
            server,
            positions,
            ..
        } = self;
        let Some(link) = &mut line.link else {
            return Err((self.no_connection(), None));
        };
        let advance = positions.as_ref().map(|positions| positions.advance(moves));
        link.transact(server, work, advance.as_ref(), commits).await
    }

    fn no_connection(&self) -> SqlError {
        SqlError::plain(
            self.server.dialect(),
            Class::Unavailable,
            "the connection was lost",
        )
    }

    async fn find_blamed(&mut self, work: &Work, most: usize) -> Result<Vec<Blamed>, Failure> {
        let Self { line, server, .. } = self;
        let Some(Link {
            connection,
            session,
            writer,
        }) = &mut line.link
        else {
            return Err(Failure::Server(self.no_connection(), None));
        };
        let found = server
            .watched(*session, blame::blame(connection, writer, work, most))
            .await;
        found.map_err(|error| Failure::Server(error, None))
    }

    /// Another way for what this server or table does not do; returns whether to try again.
    fn adapt(&mut self, error: &SqlError, work: &mut Work, table: Option<usize>) -> bool {
        match error.class {
            Class::TwiceInOne => match &mut self.line.link {
                Some(link) => !std::mem::replace(&mut link.writer.distinct, true),
                None => false,
            },
            Class::Unsupported => {
                let Some((target, batch)) = table.and_then(|table| work.tables.get_mut(table))
                else {
                    return false;
                };
                if batch.is_binary() {
                    // Statements take no such rows. A new task reads their records again.
                    return false;
                }
                let copied = std::mem::replace(&mut target.copies, false);
                if copied {
                    tracing::info!(table = %target.table.name, "COPY is not possible here ({}), rows go in statements with many rows", error.render(&self.server.at()));
                }
                copied
            }
            _ => false,
        }
    }

    async fn run_freely(&mut self, records: &Records<'_>, moves: &Moves) -> Result<(), Failure> {
        let Self {
            line,
            freely,
            server,
            positions,
            tolerant,
            show_values,
            ..
        } = self;
        let (
            Some(Link {
                connection,
                session,
                ..
            }),
            Some(freely),
        ) = (&mut line.link, freely)
        else {
            return Err(Failure::Server(self.no_connection(), None));
        };
        let steps = freely.run(connection, positions.as_ref(), records, moves, *tolerant);
        let bad = server
            .watched(*session, steps)
            .await
            .map_err(|error| Failure::Server(error, None))?;
        if bad.is_empty() {
            return Ok(());
        }
        let at = At {
            show_values: *show_values,
            ..server.at()
        };
        Err(Failure::Records(
            bad.into_iter()
                .map(|(record, error)| (record, error.into_error(&at)))
                .collect(),
        ))
    }

    fn said(&self, error: SqlError, table: Option<&TableName>) -> Error {
        let at = At {
            table,
            show_values: self.show_values,
            ..self.server.at()
        };
        error.into_error(&at)
    }

    /// The error as the host gets it; with a pause that grows where the same may work later.
    pub(super) fn given_up(&mut self, failure: Failure) -> Error {
        let error = match failure {
            Failure::Server(error, table) => self.said(error, table.as_ref()),
            Failure::Said(error) => error,
            Failure::Records(bad) => {
                return bad.into_iter().next().map_or_else(
                    || Error::internal("no record is at fault"),
                    |(_, error)| error,
                );
            }
        };
        if !error.is_temporary() {
            return error;
        }
        self.failures = self.failures.saturating_add(1);
        if let Some(most) = self.options.max_retries
            && self.failures > most
        {
            return error
                .context(format!("given up after {most} retries (`max.retries`)"))
                .permanent();
        }
        let pause = self
            .options
            .retry_backoff_ms
            .saturating_mul(1 << self.failures.saturating_sub(1).min(16))
            .min(PAUSE_MAX);
        error.retry_after(pause)
    }
}

fn place(work: &Work, table: Option<usize>) -> Option<TableName> {
    table
        .and_then(|table| work.table(table))
        .map(|(target, _)| target.table.name.clone())
}

/// Names the first record at fault of a batch that is not at hand any more.
fn at_fault(places: &Places, bad: Vec<(usize, Error)>) -> Error {
    let Some((record, error)) = bad.into_iter().min_by_key(|(record, _)| *record) else {
        return Error::internal("no record is at fault");
    };
    match places.at(record) {
        Some((partition, offset)) => super::at_record(
            partition.topic.as_str(),
            partition.partition,
            offset,
            &error,
            0,
        ),
        None => error,
    }
}
