//! Connections: one for each task, opened with the options of address and configuration, looked after while it waits.
//!
//! Not here: what is said over a connection (see `catalog`, `sink`).

mod bound;
mod open;
mod options;
mod params;
mod watch;

use linkspan_sdk::tracing;
use linkspan_sdk::{Checked, ConfigProblem, Error};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, SqliteConnection};

pub(crate) use options::{ConnectionOptions, TlsMode};
pub(crate) use params::Fate;

use crate::dialect::Dialect;
use crate::errors::{At, Class, SqlError};
use crate::url::ServerUrl;

/// Opens connections to one database.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) url: ServerUrl,
    options: ConnectionOptions,
    /// The address without a password, for messages.
    pub(crate) shown: String,
    pub(crate) user: Option<String>,
    /// What the server shows as the name of the program.
    program: String,
    /// Whether a file of SQLite that is not there is made.
    creates: bool,
}

/// An open connection.
pub(crate) enum Connection {
    Postgres(Box<PgConnection>),
    MySql(Box<MySqlConnection>),
    Sqlite(Box<SqliteConnection>),
}

/// What names a connection on its server, so that another one can ask about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session(pub(crate) Option<i64>);

impl Connector {
    /// Takes the options of a checked configuration.
    ///
    /// # Errors
    /// The address does not parse.
    pub(crate) fn new(options: &ConnectionOptions, connector: &str) -> Result<Self, Error> {
        let url = ServerUrl::parse(&options.url)
            .map_err(|error| Error::config_invalid(format!("`connection.url` {error}")))?;
        let user = options.user.clone().or_else(|| url.user.clone());
        Ok(Self {
            shown: url.to_string(),
            user: user.filter(|_| url.dialect != Dialect::Sqlite),
            url,
            options: options.clone(),
            program: format!("linkspan {connector}"),
            creates: false,
        })
    }

    /// Makes the file of SQLite, and its folder, where it is not there.
    pub(crate) const fn creating(mut self) -> Self {
        self.creates = true;
        self
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.url.dialect
    }

    /// Returns where errors of this database happened.
    pub(crate) fn at(&self) -> At<'_> {
        At::server(&self.shown, self.user.as_deref())
    }

    /// Says once what becomes of the address's query options.
    pub(crate) fn log_params(&self) {
        for (name, fate) in params::fates(&self.url) {
            match fate {
                Fate::Mapped => {}
                Fate::Ignored(why) => {
                    tracing::info!("`connection.url`: the option `{name}` is ignored: {why}")
                }
                Fate::Unsupported(why) => {
                    tracing::warn!("`connection.url`: the option `{name}` cannot be met: {why}")
                }
                Fate::Unknown => tracing::warn!(
                    "`connection.url`: nobody knows the option `{name}`; it is ignored"
                ),
            }
        }
    }

    /// Opens a connection; several hosts are tried in order.
    pub(crate) async fn connect(&self) -> Result<Connection, SqlError> {
        let mut first = None;
        for host in self.hosts() {
            match tokio::time::timeout(self.options.timeout, self.open(host)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => first = first.or(Some(error)),
                Err(_) => {
                    let message = format!("no answer in {:?}", self.options.timeout);
                    first = first.or(Some(SqlError::plain(
                        self.dialect(),
                        Class::Unavailable,
                        message,
                    )));
                }
            }
        }
        Err(first.unwrap_or_else(|| {
            SqlError::plain(self.dialect(), Class::Unavailable, "no host is named")
        }))
    }
}

/// Connects and asks the least there is, for `linkspan validate --connect`. A file of SQLite that is not there stays so.
///
/// # Errors
/// The address does not parse.
pub(crate) async fn look(options: &ConnectionOptions) -> Result<Checked, Error> {
    let server = Connector::new(options, "validate")?;
    let asked = match server.connect().await {
        Ok(mut connection) => {
            let asked = connection.run("SELECT 1").await;
            connection.close().await;
            asked
        }
        Err(error) => Err(error),
    };
    let tried = Checked::tried(format!("connected to {}", server.shown));
    Ok(match asked {
        Ok(_) => tried,
        Err(error) => {
            let error = error.into_error(&server.at());
            Checked::tried("").problem(ConfigProblem::new("connection.url", error.chain()))
        }
    })
}

impl Connection {
    pub(crate) const fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::MySql(_) => Dialect::MySql,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    /// Runs statements that return no rows; returns how many rows they changed.
    pub(crate) async fn run(&mut self, sql: &str) -> Result<u64, SqlError> {
        let dialect = self.dialect();
        let statement = sqlx::raw_sql(AssertSqlSafe(sql));
        match self {
            Self::Postgres(c) => statement
                .execute(&mut **c)
                .await
                .map(|done| done.rows_affected()),
            Self::MySql(c) => statement
                .execute(&mut **c)
                .await
                .map(|done| done.rows_affected()),
            Self::Sqlite(c) => statement
                .execute(&mut **c)
                .await
                .map(|done| done.rows_affected()),
        }
        .map_err(|error| SqlError::new(dialect, &error))
    }

    /// Begins a transaction that is going to write.
    pub(crate) async fn begin(&mut self) -> Result<(), SqlError> {
        let sql = match self {
            Self::Postgres(_) | Self::MySql(_) => "BEGIN",
            // Taken at once: a read that becomes a write cannot wait for another writer.
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
        };
        self.run(sql).await.map(drop)
    }

    pub(crate) async fn commit(&mut self) -> Result<(), SqlError> {
        self.run("COMMIT").await.map(drop)
    }

    pub(crate) async fn rollback(&mut self) -> Result<(), SqlError> {
        self.run("ROLLBACK").await.map(drop)
    }

    /// Returns what names this connection on its server.
    pub(crate) async fn session(&mut self) -> Result<Session, SqlError> {
        let dialect = self.dialect();
        let id: Result<i64, sqlx::Error> = match self {
            Self::Postgres(c) => {
                sqlx::query_scalar("SELECT pg_backend_pid()::bigint")
                    .fetch_one(&mut **c)
                    .await
            }
            Self::MySql(c) => {
                sqlx::query_scalar("SELECT CAST(CONNECTION_ID() AS SIGNED)")
                    .fetch_one(&mut **c)
                    .await
            }
            Self::Sqlite(_) => return Ok(Session(None)),
        };
        id.map(|id| Session(Some(id)))
            .map_err(|error| SqlError::new(dialect, &error))
    }

    /// Says goodbye to the server.
    pub(crate) async fn close(self) {
        let closed = match self {
            Self::Postgres(c) => c.close().await,
            Self::MySql(c) => c.close().await,
            Self::Sqlite(c) => c.close().await,
        };
        if let Err(error) = closed {
            // The server notices by itself.
            tracing::debug!(%error, "a connection did not close in good order");
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({})", self.dialect().name())
    }
}
