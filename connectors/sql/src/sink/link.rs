//! The connection of a task, and the transaction that is written over it.

use linkspan_sdk::prelude::*;

use super::PAUSE_MAX;
use super::options::SinkOptions;
use super::position::Advance;
use super::work::Work;
use super::write::{Part, Writer};
use crate::connect::{Connection, Connector, Session};
use crate::dialect::Dialect;
use crate::errors::SqlError;

/// An open connection, and how rows are written over it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) session: Session,
    pub(super) writer: Writer,
}

/// Why a transaction was not written, and at which table.
pub(super) type Unwritten = (SqlError, Option<usize>);

impl Link {
    pub(super) async fn open(server: &Connector, options: &SinkOptions) -> Result<Self, SqlError> {
        let mut connection = server.connect().await?;
        if server.dialect() == Dialect::MySql {
            // What does not fit is an error, not a warning.
            connection
                .run("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00'")
                .await?;
        }
        let session = connection.session().await?;
        Ok(Self {
            connection,
            session,
            writer: Writer::new(options.insert_mode, options.write_path, options.batch_size),
        })
    }

    /// After an error: rolls back a transaction that is open. False where the connection is of no use any more.
    pub(super) async fn recover(&mut self, error: &SqlError) -> bool {
        self.writer.ended();
        if error.breaks_connection() {
            return false;
        }
        let sqlite = self.connection.dialect() == Dialect::Sqlite;
        let rollback = self.connection.rollback();
        matches!(tokio::time::timeout(PAUSE_MAX, rollback).await, Ok(Ok(()))) || sqlite
    }

    /// Writes all in one transaction, with the positions; without `commits` it is rolled back at the end.
    pub(super) async fn transact(
        &mut self,
        server: &Connector,
        work: &Work,
        advance: Option<&Advance>,
        commits: bool,
    ) -> Result<(), Unwritten> {
        let Self {
            connection,
            session,
            writer,
        } = self;
        let mut at = None;
        let steps = steps(connection, writer, work, advance, commits, &mut at);
        let done = server.watched(*session, steps).await;
        writer.ended();
        done.map_err(|error| (error, at))
    }
}

async fn steps(
    connection: &mut Connection,
    writer: &mut Writer,
    work: &Work,
    advance: Option<&Advance>,
    commits: bool,
    at: &mut Option<usize>,
) -> Result<(), SqlError> {
    for (table, (target, batch)) in work.tables.iter().enumerate() {
        *at = Some(table);
        writer.prepare(connection, target, batch).await?;
    }
    *at = None;
    connection.begin().await?;
    if let Some(advance) = advance {
        advance.run(connection).await?;
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
}
