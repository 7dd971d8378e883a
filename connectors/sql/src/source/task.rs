//! The task: one connection, followers in turn.

use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use tokio::time::Instant;

use super::follow::{Desk, Follower, Step};
use super::options::{JdbcSourceOptions, SqlSourceOptions};
use super::plan::{self, Work};
use super::tables;
use crate::connect::Connector;

/// The first pause before a server is tried again, and the longest: it is back within this time.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// The pause between attempts to start: nothing runs yet that would be disturbed.
const START_RETRY: Duration = Duration::from_secs(2);

/// A task of `sql-source`.
pub(crate) struct SqlSource {
    desk: Desk,
    followers: Vec<Follower>,
    /// Whose turn it is.
    turn: usize,
    /// Temporary errors in a row.
    failures: u32,
    /// The tables when the work was split, and when they are looked at next; only one task does.
    tables: Option<(Vec<String>, Instant)>,
}

impl std::fmt::Debug for SqlSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlSource")
            .field("followers", &self.followers.len())
            .finish_non_exhaustive()
    }
}

impl SourceTask for SqlSource {
    type Options = SqlSourceOptions;

    async fn open(options: SqlSourceOptions, ctx: SourceContext) -> Result<Self> {
        let connector = Arc::new(Connector::new(&options.connection, ctx.connector())?);
        let mut followers = Vec::new();
        let mut tables = None;
        if let Some(query) = options.query_text() {
            followers.push(Follower::new(plan::query_unit(&ctx, &options, query)?));
        } else {
            let work = work(&options).await?;
            let more_tasks = ctx
                .config()
                .get("tasks.max")
                .is_some_and(|most| most != "1");
            if options.work.is_empty()
                && more_tasks
                && !ctx.bounded()
                && let Err(error) = ctx.request_reconfiguration()
            {
                tracing::info!(%error, "one task reads all tables");
            }
            for share in &work.tables {
                let units = plan::units(&ctx, &options, share)?;
                followers.extend(units.into_iter().map(Follower::new));
            }
            if ctx.task_index() == 0 && !ctx.bounded() {
                tables = Some((work.all, Instant::now() + options.table_poll_interval));
            }
        }
        Ok(Self {
            desk: Desk {
                options: Arc::new(options),
                connector,
                connection: None,
                fields: Vec::new(),
                ctx,
            },
            followers,
            turn: 0,
            failures: 0,
            tables,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        match self.read_anew(out).await {
            Ok(poll) => {
                self.followers.iter_mut().for_each(Follower::hand_out);
                self.failures = 0;
                Ok(poll)
            }
            Err(error) => {
                self.go_back();
                if self.desk.ctx.stopped() {
                    // The reader in the background ends with the task, and what it leaves behind looks like a fault.
                    return Err(Error::stopped("the task was asked to stop"));
                }
                if !error.is_temporary() || error.retry_delay().is_some() {
                    return Err(error);
                }
                let pause = RETRY_FIRST.saturating_mul(1 << self.failures.min(8));
                self.failures = self.failures.saturating_add(1);
                Err(error.retry_after(pause.min(RETRY_MAX)))
            }
        }
    }

    async fn close(&mut self) -> Result<()> {
        self.followers.clear();
        if let Some((connection, _)) = self.desk.connection.take() {
            connection.close().await;
        }
        Ok(())
    }
}

/// Gives an error of the start a pause, as those of reading have one: the host's own would grow to a minute, and a server that is
/// back waits for nobody.
fn soon(error: Error) -> Error {
    if error.is_temporary() && error.retry_delay().is_none() {
        return error.retry_after(START_RETRY);
    }
    error
}

/// What the connector gave this task to do; a task that runs alone asks for itself.
async fn work(options: &SqlSourceOptions) -> Result<Work> {
    if options.work.is_empty() {
        return Ok(plan::split(options, 1)
            .await
            .map_err(soon)?
            .into_iter()
            .next()
            .unwrap_or_default());
    }
    serde_json::from_str(&options.work).map_err(|error| {
        Error::config_invalid(format!(
            "`task.work` is not what the connector wrote: {error}"
        ))
    })
}

impl SqlSource {
    /// Reads on; a connection that was idle may have been dead for long, which is no news: once more, with a new one.
    async fn read_anew(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let idle_before = self.desk.connection.is_some();
        match self.read(out).await {
            Err(error)
                if idle_before
                    && self.failures == 0
                    && out.is_empty()
                    && error.is_temporary()
                    && error.kind() == ErrorKind::Unavailable
                    && !self.desk.ctx.stopped() =>
            {
                tracing::info!("the connection was lost, opening a new one");
                self.failures = 1;
                self.go_back();
                self.read(out).await
            }
            read => read,
        }
    }

    /// Drops the connection and all that was read over it; what was handed out stays.
    fn go_back(&mut self) {
        self.desk.connection = None;
        self.followers.iter_mut().for_each(Follower::rewind);
    }

    async fn read(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let poll = loop {
            let Some(at) = self.next_follower() else {
                break self.rest();
            };
            let Some(follower) = self.followers.get_mut(at) else {
                break Poll::More;
            };
            match follower.step(&mut self.desk, out).await? {
                Step::Full | Step::Waiting => break Poll::More,
                Step::Over => {
                    self.turn = at + 1;
                    if !out.is_empty() {
                        break Poll::More;
                    }
                }
            }
        };
        for follower in &mut self.followers {
            follower.write_offset(out)?;
        }
        if out.is_empty() && matches!(poll, Poll::Idle(_)) {
            self.look_at_tables().await?;
        }
        Ok(poll)
    }

    /// One that is reading goes on, since it has the connection; else the next one that is due.
    fn next_follower(&self) -> Option<usize> {
        if let Some(reading) = self.followers.iter().position(Follower::is_reading) {
            return Some(reading);
        }
        let now = Instant::now();
        let count = self.followers.len();
        (0..count).map(|n| (self.turn + n) % count).find(|at| {
            self.followers
                .get(*at)
                .is_some_and(|follower| !follower.finished && follower.due <= now)
        })
    }

    fn rest(&self) -> Poll {
        let due = self
            .followers
            .iter()
            .filter(|follower| !follower.finished)
            .map(|follower| follower.due)
            .min();
        match due {
            Some(due) => Poll::Idle(due.saturating_duration_since(Instant::now())),
            None if self.desk.ctx.bounded() => Poll::Exhausted,
            // Ranges that are read leave their tasks nothing to do.
            None => Poll::Idle(self.desk.options.table_poll_interval),
        }
    }

    /// Looks whether tables came or went, and asks for the work to be split anew.
    async fn look_at_tables(&mut self) -> Result<()> {
        let Some((known, at)) = &mut self.tables else {
            return Ok(());
        };
        if *at > Instant::now() {
            return Ok(());
        }
        *at = Instant::now() + self.desk.options.table_poll_interval;
        let failed = |error: crate::errors::SqlError| error.into_error(&self.desk.connector.at());
        let mut connection = self.desk.connector.connect().await.map_err(failed)?;
        let listed = tables::list(&mut connection, &self.desk.options).await;
        connection.close().await;
        let found: Vec<String> = listed
            .map_err(failed)?
            .0
            .iter()
            .map(tables::Table::qualified)
            .collect();
        if found == *known || found.is_empty() {
            return Ok(());
        }
        let came: Vec<&String> = found
            .iter()
            .filter(|table| !known.contains(table))
            .collect();
        let went: Vec<&String> = known
            .iter()
            .filter(|table| !found.contains(table))
            .collect();
        tracing::info!(
            "{}: the tables changed: {came:?} came, {went:?} went",
            self.desk.connector.shown
        );
        if let Err(error) = self.desk.ctx.request_reconfiguration() {
            tracing::warn!(%error, "the work cannot be split anew while it runs; restart the connector to read the tables that came");
        }
        *known = found;
        Ok(())
    }
}

/// `sql-source` as a whole: splits its tables among tasks.
#[derive(Debug)]
pub(crate) struct SqlSourceConnector;

impl SourceConnector for SqlSourceConnector {
    type Options = SqlSourceOptions;

    async fn check(options: &SqlSourceOptions) -> Result<Checked> {
        crate::connect::look(&options.connection).await
    }

    async fn task_configs(options: &SqlSourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let works = match plan::split(options, max).await {
            Ok(works) => works,
            // The server is away: one task waits for it, and asks for the split when it is back.
            Err(error) if error.is_temporary() => return Ok(vec![TaskConfig::new()]),
            Err(error) => return Err(error),
        };
        let configs = works.iter().map(|work| {
            let text = serde_json::to_string(work)?;
            Ok(TaskConfig::from([("task.work".to_owned(), text)]))
        });
        configs.collect()
    }
}

/// The same under the names of the JDBC connector, with that one's defaults.
#[derive(Debug)]
pub(crate) struct JdbcSource(SqlSource);

impl SourceTask for JdbcSource {
    type Options = JdbcSourceOptions;

    async fn open(options: JdbcSourceOptions, ctx: SourceContext) -> Result<Self> {
        SqlSource::open(options.0, ctx).await.map(Self)
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.0.poll(out).await
    }

    async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}

/// See [`JdbcSource`].
#[derive(Debug)]
pub(crate) struct JdbcSourceConnector;

impl SourceConnector for JdbcSourceConnector {
    type Options = JdbcSourceOptions;

    async fn check(options: &JdbcSourceOptions) -> Result<Checked> {
        SqlSourceConnector::check(&options.0).await
    }

    async fn task_configs(options: &JdbcSourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        SqlSourceConnector::task_configs(&options.0, max).await
    }
}
