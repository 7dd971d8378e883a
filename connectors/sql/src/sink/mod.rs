//! `sql-sink`: records into tables, exactly once.
//!
//! ```text
//! put   gather   each record → a row or a deletion of a table; tables are made and widened      before the transaction
//!       apply    BEGIN · move the positions · tables in the order of their first records · COMMIT
//!       blame    a row at fault: ROLLBACK, find out which ones, say so; nothing was applied
//! ```
//! One `put` is one transaction. Its error means that nothing of it was applied; records at fault are named with it, the host sets
//! them aside and puts the rest again. A large batch is written in the background, see `flight`: its error is that of the next call,
//! which applies nothing either.
//!
//! `deliver` is the way of a batch, `gather` makes rows of records, `link` and `flight` write them, `position` is exactly-once.

mod batch;
mod blame;
mod deliver;
mod flight;
mod free;
mod freely;
mod gather;
mod link;
mod names;
mod options;
mod position;
mod record;
mod rows;
mod target;
mod work;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use self::deliver::Failure;
use self::flight::Line;
use self::freely::Freely;
use self::gather::Gatherer;
use self::options::Delivery;
pub(crate) use self::options::SinkOptions;
use self::position::Positions;
use self::work::Parcel;
use crate::connect::Connector;
use crate::dialect::{Dialect, TableName};

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
    server: Arc<Connector>,
    line: Line,
    gatherer: Gatherer,
    freely: Option<Freely>,
    /// A batch that was written in the background and did not arrive: it goes before all others.
    owed: Option<Parcel>,
    /// What is written for good, and not told to the host yet.
    done: Progress,
    /// Without exactly-once there are none.
    positions: Option<Positions>,
    /// Bad records are set aside by the host, so all of a batch are looked for.
    tolerant: bool,
    /// Whether the host's log may show what records hold.
    show_values: bool,
    /// Failures in a row that may pass by themselves.
    failures: u32,
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
            tolerant: is("errors.tolerance", "all"),
            show_values: is("errors.log.include.messages", "true"),
            options,
            server: Arc::new(server),
            line: Line::default(),
            owed: None,
            done: Progress::none(),
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
        self.all_written().await?;
        let failed = self.linked().await.err();
        if let Some(failure) = failed {
            return Err(self.given_up(failure));
        }
        self.look_at_tables(partitions).await?;
        let (Some(positions), Some(link)) = (&mut self.positions, &mut self.line.link) else {
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
            self.all_written().await?;
            return Ok(self.done.take());
        }
        match self.deliver(&records).await {
            Ok(()) => {
                self.failures = 0;
                Ok(self.done.take())
            }
            Err(Failure::Records(bad)) => Err(refuse(&records, bad, report)),
            Err(other) => Err(self.given_up(other)),
        }
    }

    async fn flush(&mut self) -> Result<Progress> {
        self.all_written().await?;
        Ok(self.done.take())
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        if let Some(positions) = &mut self.positions {
            positions.give_up(partitions);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.line.close().await;
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
            first = Some(at_record(
                record.original_topic(),
                record.partition(),
                record.offset(),
                &error,
                count - 1,
            ));
        }
        report.reject(&record, error);
    }
    first.unwrap_or_else(|| Error::internal("a record at fault was not found again"))
}

/// The error of a batch, by its first record at fault and how many more there are.
fn at_record(topic: &str, partition: i32, offset: i64, error: &Error, more: usize) -> Error {
    let others = match more {
        0 => String::new(),
        more => format!(" (and {more} more of the same batch)"),
    };
    let message = format!(
        "topic `{topic}` partition {partition} offset {offset}: {}{others}",
        error.message()
    );
    Error::new(error.kind(), message)
}

impl SqlSink {
    /// Waits until all that was put is written.
    async fn all_written(&mut self) -> Result<()> {
        match self.settle().await {
            Ok(()) => {
                self.failures = 0;
                Ok(())
            }
            Err(failure) => Err(self.given_up(failure)),
        }
    }

    /// Looks at tables whose names are known from the topics, so that traps show at the start.
    async fn look_at_tables(&mut self, partitions: &[Assigned]) -> Result<()> {
        let Some(link) = self.line.link.as_mut().filter(|_| self.freely.is_none()) else {
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
}
