//! A database of one test's own, on each of the three; read and changed by the database's own client, a judge that is not ours.

use std::path::PathBuf;
use std::process::Command;

use crate::servers::{self, Server};
use crate::support::Scratch;

/// A database that no other test has.
pub(crate) enum Place {
    Server(&'static Server, String),
    File(PathBuf),
}

impl Place {
    /// Those that this machine has; a server that is missing is a counted skip. `SQLite`'s file is in the scratch folder.
    pub(crate) fn all(scratch: &Scratch) -> Vec<Self> {
        let servers = [servers::postgres(), servers::mariadb()];
        let mut places: Vec<Self> = servers.into_iter().flatten().map(Self::on).collect();
        if servers::program("sqlite3").is_some() {
            places.push(Self::File(scratch.path("target.db")));
        } else {
            servers::skip_outside_ci("SQLite", "sqlite3 not found");
        }
        places
    }

    pub(crate) fn on(server: &'static Server) -> Self {
        Self::Server(server, server.database())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Server(server, database) => server.url(database),
            Self::File(path) => format!("sqlite:{}", path.display()),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Server(server, _) if server.kind == servers::Kind::Postgres => "PostgreSQL",
            Self::Server(..) => "MariaDB",
            Self::File(_) => "SQLite",
        }
    }

    /// Runs SQL; returns rows as lines, columns with `|` between.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) -> String {
        self.try_sql(sql)
            .unwrap_or_else(|error| panic!("{}: {sql}: {error}", self.name()))
    }

    /// The same, with what the client says when it fails.
    pub(crate) fn try_sql(&self, sql: &str) -> Result<String, String> {
        match self {
            Self::Server(server, database) => server.try_sql(database, sql),
            Self::File(path) => {
                let output = Command::new(servers::program("sqlite3").unwrap())
                    .args(["-cmd", ".timeout 10000"])
                    .arg(path)
                    .arg(sql)
                    .output()
                    .unwrap();
                if output.status.success() {
                    let text = String::from_utf8_lossy(&output.stdout);
                    Ok(text.trim_end_matches('\n').to_owned())
                } else {
                    Err(String::from_utf8_lossy(&output.stderr).into_owned())
                }
            }
        }
    }

    /// How far the rows of table `letters` are, each number twice: about their number, and by an index.
    pub(crate) fn reached(&self) -> u64 {
        let most = self.sql("SELECT coalesce(max(n) + 1, 0) FROM letters");
        2 * most.trim().parse::<u64>().unwrap()
    }

    /// How many rows a table has.
    #[track_caller]
    pub(crate) fn count(&self, table: &str) -> u64 {
        let text = self.sql(&format!("SELECT count(*) FROM {table}"));
        text.trim()
            .parse()
            .unwrap_or_else(|_| panic!("a count: `{text}`"))
    }
}
