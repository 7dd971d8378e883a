//! Looking after a statement that takes long: is the server still at it, or is the connection open on this side only?
//!
//! A server that vanished without a word (power, firewall, a pulled cable) leaves a connection on which an answer never comes.
//! No timeout can tell that from a long statement, but the server can: a second connection asks it.

use std::future::Future;

use super::{Connection, Connector, Session};
use crate::errors::{Class, SqlError};

/// So often in a row the server may not be reached before the connection counts as dead.
const UNREACHABLE_MAX: u32 = 2;

/// Idle counts only when it lasts: between two short statements a server is idle for a moment.
const POSTGRES_STATE: &str = "SELECT CASE WHEN state LIKE 'idle%' AND clock_timestamp() - state_change > interval '1 second' \
     THEN 'idle' ELSE 'busy' END FROM pg_stat_activity WHERE pid = $1";
const MYSQL_STATE: &str = "SELECT CASE WHEN COMMAND = 'Sleep' AND TIME > 1 THEN 'idle' ELSE 'busy' END \
     FROM information_schema.PROCESSLIST WHERE ID = ?";

/// What a second connection learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The server works on it, or waits for a lock.
    Busy,
    /// The server does not know the connection, or waits for us.
    Gone,
    Unreachable,
}

impl Connector {
    /// Waits for what is said over the connection of `session`, and gives it up when the server is not at it any more.
    ///
    /// After an error of class `Unavailable` the connection is dropped by the caller.
    pub(crate) async fn watched<T>(
        &self,
        session: Session,
        work: impl Future<Output = Result<T, SqlError>>,
    ) -> Result<T, SqlError> {
        let Session(Some(id)) = session else {
            return work.await;
        };
        let mut work = std::pin::pin!(work);
        let (mut unreachable, mut gone) = (0, 0);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(self.options.watch) => {}
            }
            let seen = tokio::select! {
                biased;
                done = &mut work => return done,
                seen = self.look(id) => seen,
            };
            match seen {
                Seen::Busy => (unreachable, gone) = (0, 0),
                // Between two statements the server waits for us: only twice in a row it is a sign.
                Seen::Gone if gone > 0 => {
                    return Err(self.half_open("the server does not work on it any more"));
                }
                Seen::Gone => gone += 1,
                Seen::Unreachable => {
                    unreachable += 1;
                    if unreachable >= UNREACHABLE_MAX {
                        return Err(self.half_open("the server cannot be reached any more"));
                    }
                }
            }
        }
    }

    fn half_open(&self, why: &str) -> SqlError {
        SqlError::plain(
            self.dialect(),
            Class::Unavailable,
            format!("a statement got no answer, and {why}; the connection was given up"),
        )
    }

    async fn look(&self, id: i64) -> Seen {
        match self.connect().await {
            Ok(mut connection) => {
                let seen =
                    tokio::time::timeout(self.options.timeout, busy(&mut connection, id)).await;
                connection.close().await;
                match seen {
                    Ok(Ok(true)) => Seen::Busy,
                    Ok(Ok(false)) => Seen::Gone,
                    Ok(Err(_)) | Err(_) => Seen::Unreachable,
                }
            }
            // It answers, it only has no room for one more.
            Err(error) if error.class == Class::Crowded => Seen::Busy,
            Err(_) => Seen::Unreachable,
        }
    }
}

/// Whether the server works for the connection with this number.
async fn busy(connection: &mut Connection, id: i64) -> Result<bool, SqlError> {
    let found: Result<Option<String>, sqlx::Error> = match connection {
        Connection::Postgres(c) => {
            sqlx::query_scalar(POSTGRES_STATE)
                .bind(i32::try_from(id).unwrap_or_default())
                .fetch_optional(&mut **c)
                .await
        }
        Connection::MySql(c) => {
            sqlx::query_scalar(MYSQL_STATE)
                .bind(id)
                .fetch_optional(&mut **c)
                .await
        }
        Connection::Sqlite(_) => return Ok(true),
    };
    let state = found.map_err(|error| SqlError::new(connection.dialect(), &error))?;
    Ok(state.is_some_and(|state| state == "busy"))
}
