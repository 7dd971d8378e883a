//! Statements with values bound to them, whatever the database.

use sqlx::{Arguments as _, AssertSqlSafe, Row as _};
use sqlx::{mysql::MySqlArguments, postgres::PgArguments, sqlite::SqliteArguments};

use super::Connection;
use crate::errors::SqlError;
use crate::types::Bound;

/// Rows of text.
pub(crate) type TextRows = Vec<Vec<Option<String>>>;

macro_rules! arguments {
    ($name:ident, $type:ty, $unsigned:expr) => {
        fn $name<'b>(values: impl Iterator<Item = Bound<'b>>) -> Result<$type, sqlx::Error> {
            let mut arguments = <$type>::default();
            for value in values {
                match value {
                    Bound::Null => arguments.add(None::<&str>),
                    Bound::Int(number) => arguments.add(number),
                    Bound::UInt(number) => ($unsigned)(&mut arguments, number),
                    Bound::Float(number) => arguments.add(number),
                    Bound::Text(text) => arguments.add(text),
                    Bound::Bytes(bytes) => arguments.add(bytes),
                }
                .map_err(sqlx::Error::Encode)?;
            }
            Ok(arguments)
        }
    };
}

arguments!(
    of_postgres,
    PgArguments,
    |arguments: &mut PgArguments, number: u64| arguments.add(number.to_string())
);
arguments!(
    of_mysql,
    MySqlArguments,
    |arguments: &mut MySqlArguments, number: u64| arguments.add(number)
);
arguments!(
    of_sqlite,
    SqliteArguments,
    |arguments: &mut SqliteArguments, number: u64| arguments.add(number.cast_signed())
);

impl Connection {
    /// Runs a prepared statement; returns how many rows it changed.
    pub(crate) async fn execute<'b>(
        &mut self,
        sql: &str,
        values: impl Iterator<Item = Bound<'b>>,
    ) -> Result<u64, SqlError> {
        let dialect = self.dialect();
        let sql = AssertSqlSafe(sql.to_owned());
        let done = match self {
            Self::Postgres(c) => match of_postgres(values) {
                Ok(values) => sqlx::query_with(sql, values)
                    .execute(&mut **c)
                    .await
                    .map(|done| done.rows_affected()),
                Err(error) => Err(error),
            },
            Self::MySql(c) => match of_mysql(values) {
                Ok(values) => sqlx::query_with(sql, values)
                    .execute(&mut **c)
                    .await
                    .map(|done| done.rows_affected()),
                Err(error) => Err(error),
            },
            Self::Sqlite(c) => match of_sqlite(values) {
                Ok(values) => sqlx::query_with(sql, values)
                    .execute(&mut **c)
                    .await
                    .map(|done| done.rows_affected()),
                Err(error) => Err(error),
            },
        };
        done.map_err(|error| SqlError::new(dialect, &error))
    }

    /// Runs a query whose columns are all text.
    pub(crate) async fn rows<'b>(
        &mut self,
        sql: &str,
        values: impl Iterator<Item = Bound<'b>>,
    ) -> Result<TextRows, SqlError> {
        macro_rules! fetch {
            ($connection:expr, $values:expr) => {
                async {
                    let rows = sqlx::query_with(AssertSqlSafe(sql.to_owned()), $values?)
                        .fetch_all(&mut **$connection)
                        .await?;
                    rows.iter()
                        .map(|row| (0..row.len()).map(|at| row.try_get(at)).collect())
                        .collect()
                }
                .await
            };
        }
        let dialect = self.dialect();
        let found: Result<TextRows, sqlx::Error> = match self {
            Self::Postgres(c) => fetch!(c, of_postgres(values)),
            Self::MySql(c) => fetch!(c, of_mysql(values)),
            Self::Sqlite(c) => fetch!(c, of_sqlite(values)),
        };
        found.map_err(|error| SqlError::new(dialect, &error))
    }
}
