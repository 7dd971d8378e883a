//! What the catalogs of real servers say.

use linkspan_sdk::Options as _;

use super::servers::{self, Server};
use crate::catalog::{self, Table, TableKind};
use crate::connect::{Connection, ConnectionOptions, Connector};
use crate::dialect::{Dialect, TableName};
use crate::errors::Class;
use crate::types::ColumnKind;

/// Connects as a task would.
pub(crate) fn connector(url: &str) -> Connector {
    let config = [("connection.url".to_owned(), url.to_owned())].into();
    Connector::new(&ConnectionOptions::from_config(&config).unwrap(), "test")
        .unwrap()
        .creating()
}

pub(crate) fn on<T>(url: &str, work: impl AsyncFnOnce(&mut Connection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = connector(url).connect().await.unwrap();
        let done = work(&mut connection).await;
        connection.close().await;
        done
    })
}

fn read(url: &str, name: &str, dialect: Dialect) -> Option<Table> {
    let name = TableName::parse(name, dialect).unwrap();
    on(url, async |connection| {
        catalog::table(connection, &name).await.unwrap()
    })
}

fn kinds(table: &Table) -> Vec<(&str, ColumnKind)> {
    table
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.kind.clone()))
        .collect()
}

fn postgres() -> Option<(&'static Server, String)> {
    let server = servers::postgres()?;
    Some((server, server.database()))
}

#[test]
fn postgres_tables_are_described() {
    let Some((server, database)) = postgres() else {
        return;
    };
    server.sql(
        &database,
        "CREATE SCHEMA \"S x\"; CREATE TYPE mood AS ENUM ('sad', 'it''s'); CREATE DOMAIN small AS varchar(5) NOT NULL;
         CREATE TABLE \"S x\".\"T\"\"q\" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n numeric(12,2), m mood, d small,
           a int[], ts timestamptz, doubled numeric GENERATED ALWAYS AS (n * 2) STORED, s serial, b text DEFAULT 'x' UNIQUE);
         CREATE UNIQUE INDEX part ON \"S x\".\"T\"\"q\" (n) WHERE n > 0",
    );
    let url = server.url(&database);
    let table = read(&url, "\"S x\".\"T\"\"q\"", Dialect::Postgres).unwrap();
    assert_eq!(table.primary_key, ["id"]);
    assert_eq!(
        kinds(&table),
        [
            ("id", ColumnKind::INT64),
            (
                "n",
                ColumnKind::Decimal {
                    precision: Some(12),
                    scale: 2
                }
            ),
            ("m", ColumnKind::Enum),
            ("d", ColumnKind::Text),
            ("a", ColumnKind::Array(Box::new(ColumnKind::INT32))),
            ("ts", ColumnKind::Timestamp { zone: true }),
            (
                "doubled",
                ColumnKind::Decimal {
                    precision: None,
                    scale: 0
                }
            ),
            ("s", ColumnKind::INT32),
            ("b", ColumnKind::Text),
        ]
    );
    let id = table.column("id").unwrap();
    assert!(id.identity_always && id.numbered && id.has_default && !id.nullable);
    assert_eq!(table.column("m").unwrap().words, ["sad", "it's"]);
    assert!(!table.column("d").unwrap().nullable);
    assert!(
        table.column("doubled").unwrap().generated && !table.column("doubled").unwrap().has_default
    );
    assert!(table.column("s").unwrap().numbered);
    assert!(table.unique_on(&["b".to_owned()]).is_some());
    assert!(
        table.unique_on(&["n".to_owned()]).is_none(),
        "a partial index is no key"
    );
    assert_eq!(read(&url, "none", Dialect::Postgres), None);
    assert_eq!(read(&url, "nowhere.none", Dialect::Postgres), None);
    let tables = on(&url, async |connection| {
        catalog::tables(connection, true).await.unwrap()
    });
    assert_eq!(
        tables,
        [(TableName::new(Some("S x"), "T\"q"), TableKind::Table)]
    );
}

#[test]
fn mariadb_tables_are_described() {
    let Some(server) = servers::mariadb() else {
        return;
    };
    let database = server.database();
    server.sql(
        &database,
        "CREATE TABLE `T``q` (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, v VARCHAR(5) CHARACTER SET latin1, e ENUM('a','it''s'),
           d DECIMAL(12,2) NOT NULL, g DECIMAL(12,2) AS (d * 2) PERSISTENT, t DATETIME(6), flag TINYINT(1) DEFAULT 0,
           UNIQUE KEY u (v, d), UNIQUE KEY p (e, v(2))) ENGINE=InnoDB;
         CREATE TABLE old (a INT) ENGINE=MyISAM",
    );
    let url = server.url(&database);
    let table = read(&url, "`T``q`", Dialect::MySql).unwrap();
    assert_eq!(table.primary_key, ["id"]);
    assert_eq!(table.engine.as_deref(), Some("InnoDB"));
    assert_eq!(
        kinds(&table),
        [
            (
                "id",
                ColumnKind::Int {
                    bits: 32,
                    unsigned: true
                }
            ),
            ("v", ColumnKind::Text),
            ("e", ColumnKind::Enum),
            (
                "d",
                ColumnKind::Decimal {
                    precision: Some(12),
                    scale: 2
                }
            ),
            (
                "g",
                ColumnKind::Decimal {
                    precision: Some(12),
                    scale: 2
                }
            ),
            ("t", ColumnKind::Timestamp { zone: false }),
            ("flag", ColumnKind::Boolean),
        ]
    );
    let v = table.column("v").unwrap();
    assert_eq!(
        (v.charset.as_deref(), v.length_max),
        (Some("latin1"), Some(5))
    );
    assert!(table.column("g").unwrap().generated && table.column("id").unwrap().numbered);
    assert!(table.unique_on(&["d".to_owned(), "v".to_owned()]).is_some());
    assert!(
        table.unique_on(&["e".to_owned(), "v".to_owned()]).is_none(),
        "an index on a prefix is no key"
    );
    assert_eq!(
        read(&url, "old", Dialect::MySql).unwrap().engine.as_deref(),
        Some("MyISAM")
    );
    assert_eq!(read(&url, "none", Dialect::MySql), None);
}

#[test]
fn sqlite_tables_are_described() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("new/folder/d.db").display());
    on(&url, async |connection| {
        connection
            .run("CREATE TABLE \"T\"\"q\" (id INTEGER PRIMARY KEY, v VARCHAR(5) NOT NULL DEFAULT 'x', n NUMERIC, g AS (n * 2), UNIQUE (v, n)); \
                  CREATE TABLE two (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID")
            .await
            .unwrap();
    });
    let table = read(&url, "\"t\"\"Q\"", Dialect::Sqlite).unwrap();
    assert_eq!(
        (table.name.name.as_str(), table.primary_key.as_slice()),
        ("T\"q", ["id".to_owned()].as_slice())
    );
    assert!(table.column("id").unwrap().numbered && table.column("g").unwrap().generated);
    assert!(
        table.unique_on(&["id".to_owned()]).is_some()
            && table.unique_on(&["n".to_owned(), "v".to_owned()]).is_some()
    );
    assert_eq!(
        read(&url, "two", Dialect::Sqlite).unwrap().primary_key,
        ["b", "a"]
    );
    assert_eq!(read(&url, "none", Dialect::Sqlite), None);
}

/// What cannot be reached may come, what is refused may not.
#[test]
fn errors_of_connecting_are_told_apart() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let class = |url: &str| {
        runtime
            .block_on(connector(url).connect())
            .err()
            .map(|error| (error.class, error.render(&connector(url).at())))
    };
    let (nobody, text) = class(&format!(
        "postgres://u:geheim@127.0.0.1:{}/d",
        servers::free_port()
    ))
    .unwrap();
    assert_eq!(nobody, Class::Unavailable);
    assert!(
        text.contains("127.0.0.1") && !text.contains("geheim"),
        "{text}"
    );
    if let Some(server) = servers::postgres() {
        assert_eq!(
            class(&server.url("nowhere")).unwrap().0,
            Class::MissingDatabase
        );
    }
    if let Some(server) = servers::mariadb() {
        assert_eq!(
            class(&server.url("nowhere")).unwrap().0,
            Class::MissingDatabase
        );
        let wrong = server.url("").replace("linkspan@", "nobody:geheim@");
        let (refused, text) = class(&wrong).unwrap();
        assert_eq!(refused, Class::Login);
        assert!(
            text.contains("nobody") && !text.contains("geheim"),
            "{text}"
        );
    }
}
