//! What all followers of a task share: the connection, as this connector's sessions are.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use linkspan_sdk::prelude::*;

use super::micros;
use crate::connect::{Connection, Connector, Session};
use crate::dialect::Dialect;
use crate::errors::SqlError;
use crate::source::horizon::Lookback;
use crate::source::options::{Mode, SqlSourceOptions};

/// What is waited for in MySQL where nothing is said.
const MYSQL_LOOKBACK: Duration = Duration::from_secs(10);

/// What all followers of a task share.
pub(crate) struct Desk {
    pub(crate) ctx: SourceContext,
    pub(crate) options: Arc<SqlSourceOptions>,
    pub(crate) connector: Arc<Connector>,
    pub(crate) connection: Option<(Connection, Session)>,
    pub(crate) fields: Vec<Option<Range<usize>>>,
}

impl Desk {
    /// Returns the connection, opened where there is none.
    pub(super) async fn connection(&mut self) -> Result<(Connection, Session), SqlError> {
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

    pub(super) fn lookback(&self) -> Lookback {
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
