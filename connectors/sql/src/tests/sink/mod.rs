//! `sql-sink` on each of the three databases, read back by the database's own client.

mod background;
mod bad;
mod binary;
mod commit;
mod create;
mod direct;
mod faults;
mod loose;
mod modes;
mod position;
mod temporary;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use linkspan_sdk::{Schema, SchemaBuilder, Struct, Value};
use linkspan_testkit::{SinkTest, TestData, TestHost, TestRecord};

use super::servers::{self, Server};
use crate::sink::SqlSink;

/// A database of one test.
pub(super) struct Db {
    place: Place,
    name: String,
}

enum Place {
    Server(&'static Server),
    File {
        file: PathBuf,
        _folder: tempfile::TempDir,
    },
}

impl Db {
    pub(super) fn on(server: &'static Server) -> Self {
        Self {
            name: server.database(),
            place: Place::Server(server),
        }
    }

    /// A database of the PostgreSQL server, if there is one here.
    pub(super) fn postgres() -> Option<Self> {
        servers::postgres().map(Self::on)
    }

    pub(super) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("folder/d.db");
        std::fs::create_dir(folder.path().join("folder")).unwrap();
        Self {
            name: "sqlite".to_owned(),
            place: Place::File {
                file,
                _folder: folder,
            },
        }
    }

    pub(super) fn url(&self) -> String {
        match &self.place {
            Place::Server(server) => server.url(&self.name),
            Place::File { file, .. } => format!("sqlite:{}", file.display()),
        }
    }

    /// Runs SQL and returns rows as lines, columns with `|` between; null is what the client makes of it.
    #[track_caller]
    pub(super) fn sql(&self, sql: &str) -> String {
        match &self.place {
            Place::Server(server) => server.sql(&self.name, sql),
            Place::File { file, .. } => {
                let output = Command::new("sqlite3")
                    .args(["-cmd", ".timeout 5000"])
                    .arg(file)
                    .arg(sql)
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "{sql}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                String::from_utf8_lossy(&output.stdout)
                    .trim_end()
                    .to_owned()
            }
        }
    }

    pub(super) fn config(
        &self,
        more: &[(&str, &str)],
    ) -> std::collections::BTreeMap<String, String> {
        let mut config: std::collections::BTreeMap<String, String> =
            [("connection.url".to_owned(), self.url())].into();
        config.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        config
    }

    /// Opens a sink with partition 0 of topic `t`.
    #[track_caller]
    pub(super) fn sink(&self, more: &[(&str, &str)]) -> SinkTest<SqlSink> {
        let mut sink = TestHost::sink::<SqlSink>(self.config(more));
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        sink
    }
}

/// Runs a test on each database that is here.
pub(super) fn everywhere(test: impl Fn(&Db)) {
    for db in databases() {
        test(&db);
    }
}

pub(super) fn databases() -> Vec<Db> {
    let mut all = vec![Db::sqlite()];
    all.extend(Db::postgres());
    all.extend(servers::mariadb().map(Db::on));
    all
}

/// A row of `{id int64, name string?, n int32?}`.
pub(super) fn schema() -> Arc<Schema> {
    Arc::new(
        SchemaBuilder::structure()
            .field("id", SchemaBuilder::int64().build())
            .field("name", SchemaBuilder::string().optional().build())
            .field("n", SchemaBuilder::int32().optional().build())
            .build(),
    )
}

pub(super) fn row(schema: &Arc<Schema>, values: Vec<Value>) -> TestData {
    TestData::Typed(
        Arc::clone(schema),
        Value::Struct(Struct::from_values(Arc::clone(schema), values).unwrap()),
    )
}

pub(super) fn person(id: i64, name: &str, n: i32) -> TestRecord {
    TestRecord::new("t", row(&schema(), vec![id.into(), name.into(), n.into()]))
        .key(format!("{id}").as_str())
}

pub(super) fn tombstone(id: i64) -> TestRecord {
    TestRecord {
        topic: "t".to_owned(),
        ..TestRecord::default()
    }
    .key(format!("{id}").as_str())
}

/// The table of [`person`] with a key.
pub(super) const TABLE: &str =
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INTEGER)";
