//! Whether an index begins with a column: without one each round reads the whole table.

use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::SqlError;
use crate::source::tables::Table;

const OF_POSTGRES: &str = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
     WHERE i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL AND a.attname = $3) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'm')";

const OF_MYSQL: &str = "SELECT EXISTS (SELECT 1 FROM information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = t.TABLE_SCHEMA AND s.TABLE_NAME = t.TABLE_NAME \
     AND s.SEQ_IN_INDEX = 1 AND s.COLUMN_NAME = ?) FROM information_schema.TABLES t \
     WHERE t.TABLE_SCHEMA = COALESCE(?, DATABASE()) AND t.TABLE_NAME = ? AND t.TABLE_TYPE = 'BASE TABLE'";

/// The one INTEGER PRIMARY KEY is the row's own number.
const OF_SQLITE: &str = "SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1) l, pragma_index_info(l.name) i WHERE i.seqno = 0 AND l.partial = 0 AND i.name = ?2) \
     OR EXISTS (SELECT 1 FROM pragma_table_info(?1) c WHERE c.name = ?2 AND c.pk = 1 AND lower(c.type) = 'integer') \
     FROM sqlite_master WHERE type = 'table' AND name = ?1";

/// Returns whether an index of all rows begins with the column; `None` where that is no question, as for views.
pub(crate) async fn begins_an_index(
    connection: &mut Connection,
    table: &Table,
    column: &str,
) -> Result<Option<bool>, SqlError> {
    let dialect = connection.dialect();
    let found: Result<Option<bool>, sqlx::Error> = match connection {
        Connection::Postgres(c) => {
            sqlx::query_scalar(OF_POSTGRES)
                .bind(table.schema.as_deref().unwrap_or("public"))
                .bind(&table.name)
                .bind(column)
                .fetch_optional(&mut **c)
                .await
        }
        Connection::MySql(c) => {
            let found: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(OF_MYSQL)
                .bind(column)
                .bind(table.database.as_deref())
                .bind(&table.name)
                .fetch_optional(&mut **c)
                .await;
            found.map(|found| found.map(|found| found != 0))
        }
        Connection::Sqlite(c) => {
            let found: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar(OF_SQLITE)
                .bind(&table.name)
                .bind(column)
                .fetch_optional(&mut **c)
                .await;
            found.map(|found| found.map(|found| found != 0))
        }
    };
    found.map_err(|error| SqlError::new(dialect, &error))
}

/// The statement that makes such an index.
pub(crate) fn create_index(dialect: Dialect, table: &Table, column: &str) -> String {
    let name = format!("{}_{column}", table.name);
    format!(
        "CREATE INDEX {} ON {} ({})",
        dialect.quote(&name),
        table.sql_name(dialect).quoted(dialect),
        dialect.quote(column)
    )
}
