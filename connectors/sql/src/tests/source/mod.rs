//! `sql-source` on all three databases.

mod conformance;
mod errors;
mod faults;
mod late;
mod modes;
mod tables;
mod types;

use linkspan_sdk::Poll;
use linkspan_testkit::{SourceTest, TestHost, TestRecord};
use tempfile::TempDir;

use super::catalog::on;
use super::servers::{self, Server};
use crate::dialect::Dialect;
use crate::source::SqlSource;

/// A database of a test's own.
pub(super) struct Database {
    pub(super) dialect: Dialect,
    pub(super) url: String,
    server: Option<(&'static Server, String)>,
    _folder: Option<TempDir>,
}

impl Database {
    pub(super) fn new(dialect: Dialect) -> Option<Self> {
        let shared = match dialect {
            Dialect::Postgres => Some(servers::postgres()?),
            Dialect::MySql => Some(servers::mariadb()?),
            Dialect::Sqlite => None,
        };
        Some(match shared {
            Some(server) => {
                let database = server.database();
                Self {
                    dialect,
                    url: server.url(&database),
                    server: Some((server, database)),
                    _folder: None,
                }
            }
            None => {
                let folder = tempfile::tempdir().unwrap();
                Self {
                    dialect,
                    url: format!("sqlite:{}", folder.path().join("a.db").display()),
                    server: None,
                    _folder: Some(folder),
                }
            }
        })
    }

    /// Those that are installed.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite]
            .into_iter()
            .filter_map(Self::new)
    }

    #[track_caller]
    pub(super) fn sql(&self, sql: &str) {
        match &self.server {
            Some((server, database)) => {
                server.sql(database, sql);
            }
            None => on(&self.url, async |connection| {
                connection.run(sql).await.map(drop)
            })
            .unwrap(),
        }
    }

    pub(super) fn source(&self, more: &[(&str, &str)]) -> SourceTest<SqlSource> {
        let base = [
            ("connection.url", self.url.as_str()),
            ("topic.prefix", "p-"),
            ("poll.interval.ms", "10"),
            ("lookback.ms", "0"),
        ];
        let mut config: std::collections::BTreeMap<String, String> = base
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        config.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        TestHost::source::<SqlSource>(config)
    }
}

/// Runs one bounded job after what is committed; returns the records.
#[track_caller]
pub(super) fn job(source: &mut SourceTest<SqlSource>) -> Vec<TestRecord> {
    source.reopen().unwrap();
    let mut records = Vec::new();
    loop {
        let polled = source.poll().unwrap_or_else(|error| panic!("{error:?}"));
        source.commit(&polled).unwrap();
        records.extend(polled.records);
        if polled.poll == Poll::Exhausted {
            return records;
        }
    }
}

/// The values as JSON texts.
pub(super) fn values(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(|record| record.value.text()).collect()
}

/// The one error of opening or polling.
#[track_caller]
pub(super) fn failure(source: &mut SourceTest<SqlSource>) -> linkspan_sdk::Error {
    if let Err(error) = source.reopen() {
        return error;
    }
    for _ in 0..100 {
        match source.poll() {
            Ok(polled) => assert!(polled.poll != Poll::Exhausted, "no failure"),
            Err(error) => return error,
        }
    }
    panic!("no failure in 100 polls");
}
