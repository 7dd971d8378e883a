//! `sql-sink`: records into tables, exactly once.
//!
//! ```text
//! put   gather   each record → a row or a deletion of a table; tables are made and widened      before the transaction
//!       apply    BEGIN · move the positions · tables in the order of their first records · COMMIT
//!       blame    a row at fault: ROLLBACK, find out which ones, say so; nothing was applied
//! ```
//! One `put` is one transaction. Its error means that nothing of it was applied; records at fault are named with it, the host sets
//! them aside and puts the rest again.

mod batch;
mod blame;
mod free;
mod freely;
mod gather;
mod names;
mod options;
mod position;
mod record;
mod rows;
mod target;
mod write;

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use self::batch::TableBatch;
use self::blame::{BLAMED_MAX, Blamed};
use self::freely::Freely;
use self::gather::Gatherer;
use self::options::Delivery;
pub(crate) use self::options::SinkOptions;
use self::position::Positions;
use self::target::Target;
use self::write::{Part, Writer};
use crate::connect::{Connection, Connector, Session};
use crate::dialect::{Dialect, TableName};
use crate::errors::{Class, SqlError};

/// The longest pause before another try: after an outage of any length work goes on within seconds.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// `sql-sink` as a whole.
///
/// It has no `deleted`: a connector that is deleted over REST leaves its offsets in the log, and so its rows in `offsets.table`
/// stay as well. Without them one of the same name would begin at the log's offset, which may lie before the last transaction.
#[derive(Debug)]
pub(crate) struct SqlSinkConnector;

impl SinkConnector for SqlSinkConnector {
    type Options = SinkOptions;

    async fn check(options: &SinkOptions) -> Result<Checked> {
        let server = Connector::new(&options.connection, "validate")?;
        if server.dialect() == Dialect::Sqlite {
            // The task makes a database that is not there.
            return Ok(Checked::nothing());
        }
        crate::connect::look(&options.connection).await
    }
}

/// A task of `sql-sink`.
#[derive(Debug)]
pub(crate) struct SqlSink {
    options: SinkOptions,
    server: Connector,
    link: Option<Link>,
    gatherer: Gatherer,
    freely: Option<Freely>,
    writer: Writer,
    /// Without exactly-once there are none.
    positions: Option<Positions>,
    /// Bad records are set aside by the host, so all of a batch are looked for.
    tolerant: bool,
    /// Whether the host's log may show what records hold.
    show_values: bool,
    /// Failures in a row that may pass by themselves.
    failures: u32,
}

/// An open connection.
#[derive(Debug)]
struct Link {
    connection: Connection,
    session: Session,
}

/// What a transaction writes.
#[derive(Debug)]
pub(super) struct Work {
    /// In the order of their first records.
    tables: Vec<(Target, TableBatch)>,
}

impl Work {
    fn table(&self, at: usize) -> Option<(&Target, &TableBatch)> {
        self.tables.get(at).map(|(target, batch)| (target, batch))
    }

    /// All that is to be done, in order.
    fn units(&self) -> Vec<(usize, usize, Part)> {
        let mut units = Vec::new();
        for (table, (_, batch)) in self.tables.iter().enumerate() {
            for (at, phase) in batch.phases.iter().enumerate() {
                if phase.truncate.is_some() {
                    units.push((table, at, Part::Truncate));
                }
                if phase.deletes.alive() > 0 {
                    units.push((table, at, Part::Deletes));
                }
                let groups = phase
                    .groups
                    .iter()
                    .enumerate()
                    .filter(|(_, group)| group.rows.alive() > 0);
                units.extend(groups.map(|(group, _)| (table, at, Part::Group(group))));
            }
        }
        units
    }
}

/// Where the partitions of a batch stand once it is written, with the leader epoch of the last record.
type Moves = Vec<(TopicPartition, i64, i32)>;

/// Why a batch was not written.
#[derive(Debug)]
enum Failure {
    /// It may work later, or somebody has to mend something.
    Server(SqlError, Option<TableName>),
    /// Said in full already.
    Said(Error),
    /// These records are at fault.
    Records(Vec<(usize, Error)>),
}

impl SinkTask for SqlSink {
    type Options = SinkOptions;

    async fn open(options: SinkOptions, ctx: SinkContext) -> Result<Self> {
        let server = Connector::new(&options.connection, ctx.connector())?.creating();
        server.log_params();
        if ctx.task_index() == 0 {
            for name in options.foreign.set(ctx.config()) {
                tracing::info!("`{name}` is accepted and has no effect here");
            }
        }
        let dialect = server.dialect();
        let positions = match options.delivery {
            Delivery::ExactlyOnce => {
                let table = TableName::parse(&options.offsets_table, dialect)
                    .map_err(|error| Error::config_invalid(format!("`offsets.table` {error}")))?;
                Some(Positions::new(table, dialect, ctx.connector()))
            }
            Delivery::AtLeastOnce => None,
        };
        let is = |name: &str, word: &str| ctx.config().get(name).is_some_and(|value| value == word);
        let mut task = Self {
            gatherer: Gatherer::new(&options, dialect, ctx.class()),
            freely: options
                .query
                .as_deref()
                .map(|query| Freely::new(query, dialect, options.db_timezone))
                .transpose()?,
            writer: Writer::new(options.insert_mode, options.write_path, options.batch_size),
            tolerant: is("errors.tolerance", "all"),
            show_values: is("errors.log.include.messages", "true"),
            options,
            server,
            link: None,
            positions,
            failures: 0,
        };
        task.linked()
            .await
            .map_err(|failure| task.given_up(failure))?;
        Ok(task)
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        if partitions.is_empty() {
            return Ok(Seeks::none());
        }
        let failed = self.linked().await.err();
        if let Some(failure) = failed {
            return Err(self.given_up(failure));
        }
        self.look_at_tables(partitions).await?;
        let (Some(positions), Some(link)) = (&mut self.positions, &mut self.link) else {
            return Ok(Seeks::none());
        };
        positions
            .prepare(&mut link.connection)
            .await
            .map_err(|error| error.into_error(&self.server.at()))?;
        positions
            .take_over(&mut link.connection, &self.server, partitions)
            .await
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        if records.len() == 0 {
            return Ok(Progress::none());
        }
        let progress = records.progress();
        match self.deliver(&records).await {
            Ok(()) => {
                self.failures = 0;
                Ok(match &self.positions {
                    Some(positions) => positions.mark(progress),
                    None => progress,
                })
            }
            Err(Failure::Records(bad)) => Err(refuse(&records, bad, report)),
            Err(other) => Err(self.given_up(other)),
        }
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        if let Some(positions) = &mut self.positions {
            positions.give_up(partitions);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(link) = self.link.take() {
            link.connection.close().await;
        }
        Ok(())
    }
}

/// Names the records at fault to the host, and says in one error that nothing was applied.
fn refuse(records: &Records<'_>, bad: Vec<(usize, Error)>, report: &mut Report) -> Error {
    let mut bad: BTreeMap<usize, Error> = bad.into_iter().collect();
    let count = bad.len();
    let mut first = None;
    for (at, record) in records.clone().enumerate() {
        let Some(error) = bad.remove(&at) else {
            continue;
        };
        if first.is_none() {
            let others = if count > 1 {
                format!(" (and {} more of the same batch)", count - 1)
            } else {
                String::new()
            };
            let message = format!(
                "topic `{}` partition {} offset {}: {}{others}",
                record.original_topic(),
                record.partition(),
                record.offset(),
                error.message()
            );
            first = Some(Error::new(error.kind(), message));
        }
        report.reject(&record, error);
    }
    first.unwrap_or_else(|| Error::internal("a record at fault was not found again"))
}

impl SqlSink {
    /// Opens the connection if there is none, and finds out what became of the last transaction.
    async fn linked(&mut self) -> Result<(), Failure> {
        if self.link.is_some() {
            return Ok(());
        }
        let plain = |error: SqlError| Failure::Server(error, None);
        let mut connection = self.server.connect().await.map_err(plain)?;
        if self.server.dialect() == Dialect::MySql {
            // What does not fit is an error, not a warning.
            connection
                .run("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00'")
                .await
                .map_err(plain)?;
        }
        let session = connection.session().await.map_err(plain)?;
        self.writer.reconnected();
        if let Some(positions) = &mut self.positions {
            positions.read_again(&mut connection).await.map_err(plain)?;
        }
        self.link = Some(Link {
            connection,
            session,
        });
        Ok(())
    }

    /// Looks at tables whose names are known from the topics, so that traps show at the start.
    async fn look_at_tables(&mut self, partitions: &[Assigned]) -> Result<()> {
        let Some(link) = self.link.as_mut().filter(|_| self.freely.is_none()) else {
            return Ok(());
        };
        let mut topics: Vec<&str> = partitions.iter().map(|one| one.topic.as_str()).collect();
        topics.dedup();
        for topic in topics {
            self.gatherer
                .look(&mut link.connection, &self.server, &self.options, topic)
                .await?;
        }
        Ok(())
    }

    async fn deliver(&mut self, records: &Records<'_>) -> Result<(), Failure> {
        let idle_before = self.link.is_some();
        match self.attempt(records).await {
            // A connection that was idle may have been dead for long: once more, with a new one.
            Err(Failure::Server(error, _))
                if idle_before
                    && error.breaks_connection()
                    && self.link.is_none()
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
        let moves = self.moves(records);
        let done = match self.freely {
            Some(_) => self.run_freely(records, &moves).await,
            None => self.write_rows(records, &moves).await,
        };
        match &done {
            Err(Failure::Server(error, _)) => self.recover(error).await,
            // What was asked about a table had no answer: whatever became of the connection, the next attempt has a new one.
            Err(Failure::Said(error)) if error.is_temporary() => {
                self.writer.ended();
                self.link = None;
            }
            _ => {}
        }
        if done.is_ok()
            && let Some(positions) = &mut self.positions
        {
            positions.advanced(&moves);
        }
        done
    }

    /// After an error: a transaction that is open is rolled back, a connection that is broken dropped.
    async fn recover(&mut self, error: &SqlError) {
        self.writer.ended();
        let Some(link) = &mut self.link else { return };
        let keeps = !error.breaks_connection() && {
            let rollback = link.connection.rollback();
            matches!(tokio::time::timeout(PAUSE_MAX, rollback).await, Ok(Ok(())))
                || self.server.dialect() == Dialect::Sqlite
        };
        if !keeps {
            self.link = None;
        }
    }

    async fn write_rows(&mut self, records: &Records<'_>, moves: &Moves) -> Result<(), Failure> {
        let Self {
            link,
            gatherer,
            server,
            options,
            positions,
            ..
        } = self;
        let Some(link) = link else { return Ok(()) };
        let skip = |record: &Record<'_>| {
            positions
                .as_ref()
                .and_then(|positions| positions.next(&record.topic_partition()))
                .is_some_and(|next| record.offset() < next)
        };
        let gathered = gatherer
            .gather(&mut link.connection, server, options, records, skip)
            .await
            .map_err(Failure::Said)?;
        let bad = gathered.bad;
        if !bad.is_empty() && !self.tolerant {
            gatherer.give_back(gathered.work);
            return Err(Failure::Records(bad.into_iter().take(1).collect()));
        }
        let mut work = gathered.work;
        let written = self.write_or_blame(&mut work, moves, bad).await;
        self.gatherer.give_back(work);
        written
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
            let place = table
                .and_then(|table| work.table(table))
                .map(|(target, _)| target.table.name.clone());
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
                let name = work
                    .table(table)
                    .map(|(target, _)| target.table.name.clone());
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

    async fn find_blamed(&mut self, work: &Work, most: usize) -> Result<Vec<Blamed>, Failure> {
        let Self {
            link,
            writer,
            server,
            ..
        } = self;
        let Some(link) = link else {
            return Ok(Vec::new());
        };
        let Link {
            connection,
            session,
        } = link;
        let found = server
            .watched(*session, blame::blame(connection, writer, work, most))
            .await;
        found.map_err(|error| Failure::Server(error, None))
    }

    /// Another way for what this server or table does not do; returns whether to try again.
    fn adapt(&mut self, error: &SqlError, work: &mut Work, table: Option<usize>) -> bool {
        match error.class {
            Class::TwiceInOne if !self.writer.distinct => {
                self.writer.distinct = true;
                true
            }
            Class::Unsupported => {
                let Some((target, _)) = table.and_then(|table| work.tables.get_mut(table)) else {
                    return false;
                };
                let copied = std::mem::replace(&mut target.copies, false);
                if copied {
                    tracing::info!(table = %target.table.name, "COPY is not possible here ({}), rows go in statements with many rows", error.render(&self.server.at()));
                }
                copied
            }
            _ => false,
        }
    }

    /// Writes all in one transaction; without `commits` it is rolled back at the end.
    async fn transact(
        &mut self,
        work: &Work,
        moves: &Moves,
        commits: bool,
    ) -> Result<(), (SqlError, Option<usize>)> {
        let Self {
            link,
            writer,
            server,
            positions,
            ..
        } = self;
        let Some(Link {
            connection,
            session,
        }) = link
        else {
            return Ok(());
        };
        let mut at = None;
        let done = {
            let at = &mut at;
            let steps = async {
                for (table, (target, batch)) in work.tables.iter().enumerate() {
                    *at = Some(table);
                    writer.prepare(connection, target, batch).await?;
                }
                *at = None;
                connection.begin().await?;
                if let Some(positions) = positions {
                    positions.advance(connection, moves).await?;
                }
                for (table, phase, part) in work.units() {
                    *at = Some(table);
                    let Some((target, batch)) = work.table(table) else {
                        continue;
                    };
                    let rows = match part {
                        Part::Truncate => 0,
                        Part::Deletes => batch
                            .phases
                            .get(phase)
                            .map_or(0, |phase| phase.deletes.len()),
                        Part::Group(group) => batch
                            .phases
                            .get(phase)
                            .and_then(|phase| phase.groups.get(group))
                            .map_or(0, |group| group.rows.len()),
                    };
                    writer
                        .write(connection, target, batch, (phase, part), 0..rows)
                        .await?;
                }
                *at = None;
                if commits {
                    connection.commit().await
                } else {
                    connection.rollback().await
                }
            };
            server.watched(*session, steps).await
        };
        writer.ended();
        done.map_err(|error| (error, at))
    }

    async fn run_freely(&mut self, records: &Records<'_>, moves: &Moves) -> Result<(), Failure> {
        let Self {
            link,
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
            }),
            Some(freely),
        ) = (link, freely)
        else {
            return Ok(());
        };
        let steps = freely.run(connection, positions.as_ref(), records, moves, *tolerant);
        let bad = server
            .watched(*session, steps)
            .await
            .map_err(|error| Failure::Server(error, None))?;
        if bad.is_empty() {
            return Ok(());
        }
        let at = crate::errors::At {
            show_values: *show_values,
            ..server.at()
        };
        Err(Failure::Records(
            bad.into_iter()
                .map(|(record, error)| (record, error.into_error(&at)))
                .collect(),
        ))
    }

    /// Where each partition stands behind these records.
    fn moves(&self, records: &Records<'_>) -> Moves {
        let mut moves: Moves = Vec::new();
        let mut last: Option<Record<'_>> = None;
        let mut note = |record: &Record<'_>| {
            let partition = record.topic_partition();
            match moves.iter_mut().find(|(known, ..)| *known == partition) {
                Some((_, next, epoch)) => {
                    (*next, *epoch) = (record.offset() + 1, record.leader_epoch())
                }
                None => moves.push((partition, record.offset() + 1, record.leader_epoch())),
            }
        };
        for record in records.clone() {
            if let Some(before) = &last
                && (before.partition() != record.partition()
                    || before.leader_epoch() != record.leader_epoch()
                    || before.original_topic() != record.original_topic())
            {
                note(before);
            }
            last = Some(record);
        }
        if let Some(record) = &last {
            note(record);
        }
        moves
    }

    fn said(&self, error: SqlError, table: Option<&TableName>) -> Error {
        let at = crate::errors::At {
            table,
            show_values: self.show_values,
            ..self.server.at()
        };
        error.into_error(&at)
    }

    /// The error as the host gets it; with a pause that grows where the same may work later.
    fn given_up(&mut self, failure: Failure) -> Error {
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
