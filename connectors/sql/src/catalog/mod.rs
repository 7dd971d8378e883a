//! What a database has: tables, their columns, their keys.
//!
//! Read through the connection that is used anyway, with values bound and identifiers quoted.

mod mysql;
mod postgres;
mod sqlite;

use crate::connect::Connection;
use crate::dialect::TableName;
use crate::errors::SqlError;
use crate::types::Column;

/// A table as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// As it was found, with the schema it is in.
    pub(crate) name: TableName,
    pub(crate) kind: TableKind,
    pub(crate) columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    pub(crate) primary_key: Vec<String>,
    /// All unique indexes, the primary key's too.
    pub(crate) unique: Vec<UniqueIndex>,
    /// MySQL's storage engine.
    pub(crate) engine: Option<String>,
    /// Triggers run at writes.
    pub(crate) has_triggers: bool,
}

/// Tables and what looks like them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    Table,
    Partitioned,
    View,
    Foreign,
}

/// An index that allows no two equal rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UniqueIndex {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) primary: bool,
    /// It covers some rows only, or has an expression, or may be checked late: nothing that a conflict can name.
    pub(crate) special: bool,
}

impl Table {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the source, which follows, asks by name")
    )]
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns the unique index on exactly these columns, in any order.
    pub(crate) fn unique_on(&self, columns: &[String]) -> Option<&UniqueIndex> {
        self.unique.iter().find(|index| {
            !index.special
                && index.columns.len() == columns.len()
                && columns.iter().all(|column| index.columns.contains(column))
        })
    }
}

/// Reads one table; `None` where there is none of that name.
pub(crate) async fn table(
    connection: &mut Connection,
    name: &TableName,
) -> Result<Option<Table>, SqlError> {
    let dialect = connection.dialect();
    match connection {
        Connection::Postgres(c) => postgres::table(c, name).await,
        Connection::MySql(c) => mysql::table(c, name).await,
        Connection::Sqlite(c) => sqlite::table(c, name).await,
    }
    .map_err(|error| SqlError::new(dialect, &error))
}

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the source, which follows, lists tables")
)]
/// Lists the tables, partitioned tables and, where `views` says so, views that the user's own schemas have, in the order of their names.
pub(crate) async fn tables(
    connection: &mut Connection,
    views: bool,
) -> Result<Vec<(TableName, TableKind)>, SqlError> {
    let dialect = connection.dialect();
    match connection {
        Connection::Postgres(c) => postgres::tables(c, views).await,
        Connection::MySql(c) => mysql::tables(c, views).await,
        Connection::Sqlite(c) => sqlite::tables(c, views).await,
    }
    .map_err(|error| SqlError::new(dialect, &error))
}
