//! Opening a connection to each of the three.

use std::path::Path;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, MySqlConnection, PgConnection, SqliteConnection};

use super::{Connection, Connector, TlsMode};
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};
use crate::url::Place;

/// How long a task waits for another one that writes the same file of SQLite.
const SQLITE_BUSY: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps.
const STATEMENTS_KEPT: usize = 64;

impl Connector {
    /// The hosts to try; SQLite has a file instead, which is tried once.
    pub(super) fn hosts(&self) -> Vec<Option<(&str, u16)>> {
        match &self.url.place {
            Place::Server { hosts, .. } => hosts
                .iter()
                .map(|(host, port)| Some((host.as_str(), *port)))
                .collect(),
            Place::File(_) | Place::Memory => vec![None],
        }
    }

    pub(super) async fn open(&self, host: Option<(&str, u16)>) -> Result<Connection, SqlError> {
        let failed = |error: sqlx::Error| {
            let mut error = SqlError::new(self.dialect(), &error);
            // A name that does not resolve, a port where nobody listens: it may come.
            if error.class == Class::Protocol {
                error.class = Class::Unavailable;
            }
            error
        };
        match self.dialect() {
            Dialect::Postgres => self
                .open_postgres(host)
                .await
                .map(|c| Connection::Postgres(Box::new(c)))
                .map_err(failed),
            Dialect::MySql => self
                .open_mysql(host)
                .await
                .map(|c| Connection::MySql(Box::new(c)))
                .map_err(failed),
            Dialect::Sqlite => self
                .open_sqlite()
                .await
                .map(|c| Connection::Sqlite(Box::new(c)))
                .map_err(failed),
        }
    }

    /// What of TLS is wanted: the option, else the address in the words of either driver.
    pub(super) fn tls_mode(&self) -> TlsMode {
        if let Some(mode) = self.options.tls {
            return mode;
        }
        let param = |name: &str| self.url.param(name).map(str::to_ascii_lowercase);
        let is_true =
            |name: &str| param(name).is_some_and(|value| value == "true" || value.is_empty());
        if let Some(mode) = param("sslmode").or_else(|| param("ssl-mode")) {
            return match mode.as_str() {
                "disable" | "disabled" => TlsMode::Disable,
                "require" | "required" | "trust" => TlsMode::Require,
                "verify-ca" | "verify_ca" => TlsMode::VerifyCa,
                "verify-full" | "verify_identity" => TlsMode::VerifyFull,
                _ => TlsMode::Prefer,
            };
        }
        match self.dialect() {
            // The Java driver checks the certificate when it is told no more than this.
            Dialect::Postgres if is_true("ssl") => TlsMode::VerifyFull,
            Dialect::MySql if is_true("verifyServerCertificate") => TlsMode::VerifyCa,
            Dialect::MySql if is_true("requireSSL") => TlsMode::Require,
            Dialect::MySql if param("useSSL").is_some_and(|value| value == "false") => {
                TlsMode::Disable
            }
            Dialect::Postgres | Dialect::MySql | Dialect::Sqlite => TlsMode::Prefer,
        }
    }

    async fn open_postgres(&self, host: Option<(&str, u16)>) -> Result<PgConnection, sqlx::Error> {
        let mut options = PgConnectOptions::new_without_pgpass()
            .application_name(
                self.url
                    .param("ApplicationName")
                    .or_else(|| self.url.param("application_name"))
                    .unwrap_or(&self.program),
            )
            .statement_cache_capacity(STATEMENTS_KEPT)
            .ssl_mode(match self.tls_mode() {
                TlsMode::Disable => PgSslMode::Disable,
                TlsMode::Prefer => PgSslMode::Prefer,
                TlsMode::Require => PgSslMode::Require,
                TlsMode::VerifyCa => PgSslMode::VerifyCa,
                TlsMode::VerifyFull => PgSslMode::VerifyFull,
            });
        if let Some((host, port)) = host {
            options = match self.url.param("host").filter(|path| path.starts_with('/')) {
                Some(folder) => options.socket(folder).port(port),
                None => options.host(host).port(port),
            };
        }
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = self
            .options
            .password
            .as_ref()
            .or(self.url.password.as_ref())
        {
            options = options.password(password.expose());
        }
        if let Some(database) = self.url.database() {
            options = options.database(database);
        }
        if let Some(schema) = self
            .url
            .param("currentSchema")
            .or_else(|| self.url.param("search_path"))
        {
            options = options.options([("search_path", schema)]);
        }
        if let Some(ca) = self.file(self.options.tls_ca.as_deref(), "sslrootcert") {
            options = options.ssl_root_cert(ca);
        }
        if let Some(cert) = self.file(self.options.tls_cert.as_deref(), "sslcert") {
            options = options.ssl_client_cert(cert);
        }
        if let Some(key) = self.file(self.options.tls_key.as_deref(), "sslkey") {
            options = options.ssl_client_key(key);
        }
        options.disable_statement_logging().connect().await
    }

    async fn open_mysql(&self, host: Option<(&str, u16)>) -> Result<MySqlConnection, sqlx::Error> {
        let mut options = MySqlConnectOptions::new()
            .charset("utf8mb4")
            .pipes_as_concat(false)
            .statement_cache_capacity(STATEMENTS_KEPT)
            .ssl_mode(match self.tls_mode() {
                TlsMode::Disable => MySqlSslMode::Disabled,
                TlsMode::Prefer => MySqlSslMode::Preferred,
                TlsMode::Require => MySqlSslMode::Required,
                TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
                TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
            });
        if let Some((host, port)) = host {
            options = options.host(host).port(port);
        }
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = self
            .options
            .password
            .as_ref()
            .or(self.url.password.as_ref())
        {
            options = options.password(password.expose());
        }
        if let Some(database) = self.url.database() {
            options = options.database(database);
        }
        if let Some(ca) = self.file(self.options.tls_ca.as_deref(), "ssl-ca") {
            options = options.ssl_ca(ca);
        }
        if let Some(cert) = self.file(self.options.tls_cert.as_deref(), "ssl-cert") {
            options = options.ssl_client_cert(cert);
        }
        if let Some(key) = self.file(self.options.tls_key.as_deref(), "ssl-key") {
            options = options.ssl_client_key(key);
        }
        options.disable_statement_logging().connect().await
    }

    async fn open_sqlite(&self) -> Result<SqliteConnection, sqlx::Error> {
        let mut options = SqliteConnectOptions::new()
            .create_if_missing(self.creates)
            .foreign_keys(
                self.url
                    .param("foreign_keys")
                    .is_none_or(|value| !value.eq_ignore_ascii_case("off") && value != "false"),
            )
            .synchronous(SqliteSynchronous::Full)
            .statement_cache_capacity(STATEMENTS_KEPT)
            .busy_timeout(
                self.url
                    .param("busy_timeout")
                    .and_then(|value| value.parse().ok())
                    .map_or(SQLITE_BUSY, Duration::from_millis),
            );
        // Whoever only reads leaves the file as it is.
        if self.creates {
            options = options.journal_mode(SqliteJournalMode::Wal);
        }
        match &self.url.place {
            Place::File(path) => {
                if self.creates
                    && let Some(folder) = path
                        .parent()
                        .filter(|folder| !folder.as_os_str().is_empty())
                {
                    std::fs::create_dir_all(folder)?;
                }
                options = options.filename(path);
            }
            Place::Memory | Place::Server { .. } => options = options.in_memory(true),
        }
        options.disable_statement_logging().connect().await
    }

    /// A file of TLS: the option, else the address.
    fn file<'a>(&'a self, option: Option<&'a Path>, param: &str) -> Option<&'a Path> {
        option.or_else(|| self.url.param(param).map(Path::new))
    }
}
