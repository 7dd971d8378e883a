//! The columns of a table or a query, as the server's catalog has them.

mod indexed;
mod mysql;
mod postgres;
mod sqlite;

pub(crate) use self::indexed::{begins_an_index, create_index};

use super::tables::Table;
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::SqlError;
use crate::types::read::ReadType;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    Table(Table),
    Query(String),
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ReadType,
    /// Whether the catalog allows null.
    pub(crate) nullable: bool,
    /// What is put behind the name to get a type that can be read, such as `::text`.
    pub(crate) cast: &'static str,
    /// The place in the primary key, from 0.
    pub(crate) key: Option<u16>,
    /// Whether the database numbers it.
    pub(crate) numbered: bool,
}

impl Column {
    /// Returns the column in a list of a SELECT.
    pub(crate) fn select(&self, dialect: Dialect) -> String {
        format!("{}{}", dialect.quote(&self.name), self.cast)
    }

    /// Whether a record's field may be null: MySQL's zero dates are, also in a column that is NOT NULL.
    pub(crate) const fn is_optional(&self, dialect: Dialect) -> bool {
        let may_be_zero = matches!(dialect, Dialect::MySql)
            && matches!(
                self.kind,
                ReadType::Date | ReadType::Wall | ReadType::Instant
            );
        self.nullable || may_be_zero
    }

    /// Whether it can say which rows are new.
    pub(crate) const fn is_whole_number(&self) -> bool {
        matches!(
            self.kind,
            ReadType::Int8
                | ReadType::Int16
                | ReadType::Int32
                | ReadType::Int64
                | ReadType::Unsigned(_)
                | ReadType::Decimal { scale: ..=0, .. }
                | ReadType::Numeric
        )
    }

    /// Whether it can say which rows have changed.
    pub(crate) const fn is_timestamp(&self) -> bool {
        matches!(self.kind, ReadType::Wall | ReadType::Instant)
    }
}

/// Returns the columns; empty where there is no such table.
pub(crate) async fn read(
    connection: &mut Connection,
    from: &From,
    tiny_boolean: bool,
) -> Result<Vec<Column>, SqlError> {
    let dialect = connection.dialect();
    let columns = match (connection, from) {
        (Connection::Postgres(c), From::Table(table)) => postgres::of_table(c, table).await,
        (Connection::Postgres(c), From::Query(query)) => postgres::of_query(c, query).await,
        (Connection::MySql(c), From::Table(table)) => mysql::of_table(c, table, tiny_boolean).await,
        (Connection::MySql(c), From::Query(query)) => mysql::of_query(c, query, tiny_boolean).await,
        (Connection::Sqlite(c), From::Table(table)) => sqlite::of_table(c, table).await,
        (Connection::Sqlite(c), From::Query(query)) => sqlite::of_query(c, query).await,
    };
    columns.map_err(|error| SqlError::new(dialect, &error))
}
