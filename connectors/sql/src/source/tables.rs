//! Which tables there are, and which of them are meant.

use fancy_regex::Regex;
use sqlx::{MySqlConnection, PgConnection, Row as _, SqliteConnection};

use super::options::{SqlSourceOptions, whole};
use crate::connect::Connection;
use crate::dialect::{Dialect, TableName};
use crate::errors::SqlError;

/// Tables that linkspan itself keeps in a database begin so; they are read only where they are asked for.
const OWN_PREFIX: &str = "_linkspan_";

/// A table of a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub(crate) struct Table {
    /// The database; SQLite has none.
    pub(crate) database: Option<String>,
    /// PostgreSQL's schema.
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

impl Table {
    /// Returns the name for SQL.
    pub(crate) fn sql_name(&self, dialect: Dialect) -> TableName {
        let schema = match dialect {
            Dialect::Postgres => self.schema.as_deref(),
            Dialect::MySql => self.database.as_deref(),
            Dialect::Sqlite => None,
        };
        TableName::new(schema, &self.name)
    }

    /// Returns the whole name, as offsets have it: `db.schema.table`, `db.table` or `table`.
    pub(crate) fn qualified(&self) -> String {
        self.names().pop().unwrap_or_default()
    }

    /// Returns the names that a pattern may match, shortest first.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = vec![self.name.clone()];
        for part in [&self.schema, &self.database].into_iter().flatten() {
            let longest = names.last().map(String::as_str).unwrap_or_default();
            names.push(format!("{part}.{longest}"));
        }
        names
    }

    /// Returns the topic of its records.
    pub(crate) fn topic(&self, prefix: &str, format: &str) -> String {
        let name = format
            .replace("${table}", &self.name)
            .replace("${schema}", self.schema.as_deref().unwrap_or_default())
            .replace("${database}", self.database.as_deref().unwrap_or_default());
        format!("{prefix}{name}")
    }
}

/// Lists the tables of a server that the options mean, in the order of their names; and how many others there are.
pub(crate) async fn list(
    connection: &mut Connection,
    options: &SqlSourceOptions,
) -> Result<(Vec<Table>, usize), SqlError> {
    let all = everything(connection, options).await?;
    let filter = Filter::new(options);
    let seen = all.len();
    let mut tables: Vec<Table> = all
        .into_iter()
        .filter(|table| filter.keeps(table))
        .collect();
    tables.sort();
    let others = seen - tables.len();
    Ok((tables, others))
}

/// Include and exclude, compiled.
struct Filter {
    include: Vec<Regex>,
    exclude: Vec<Regex>,
}

impl Filter {
    /// The patterns were checked with the options; one that does not compile matches nothing.
    fn new(options: &SqlSourceOptions) -> Self {
        let any_case = if options.any_case() { "(?i)" } else { "" };
        let compile = |patterns: &[String]| {
            patterns
                .iter()
                .filter_map(|pattern| whole(&format!("{any_case}{}", pattern.trim())).ok())
                .collect()
        };
        Self {
            include: compile(&options.include),
            exclude: compile(&options.exclude),
        }
    }

    fn keeps(&self, table: &Table) -> bool {
        let names = table.names();
        let matches = |patterns: &[Regex]| {
            patterns.iter().any(|pattern| {
                names
                    .iter()
                    .any(|name| pattern.is_match(name).unwrap_or(false))
            })
        };
        let included = if self.include.is_empty() {
            !table.name.starts_with(OWN_PREFIX)
        } else {
            matches(&self.include)
        };
        included && !matches(&self.exclude)
    }
}

/// Whether the options ask for tables of a type.
fn is_wanted(options: &SqlSourceOptions, kind: &str) -> bool {
    options
        .table_types
        .iter()
        .any(|word| word.eq_ignore_ascii_case(kind))
}

async fn everything(
    connection: &mut Connection,
    options: &SqlSourceOptions,
) -> Result<Vec<Table>, SqlError> {
    let dialect = connection.dialect();
    let listed = match connection {
        Connection::Postgres(c) => of_postgres(c, options).await,
        Connection::MySql(c) => of_mysql(c, options).await,
        Connection::Sqlite(c) => of_sqlite(c, options).await,
    };
    listed.map_err(|error| SqlError::new(dialect, &error))
}

async fn of_postgres(
    c: &mut PgConnection,
    options: &SqlSourceOptions,
) -> Result<Vec<Table>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT current_database()::text, n.nspname::text, c.relname::text, c.relkind::text \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
         AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' \
         AND ($1::text IS NULL OR n.nspname LIKE $1)",
    )
    .bind(options.schema_pattern.as_deref())
    .fetch_all(c)
    .await?;
    let mut tables = Vec::new();
    for row in rows {
        let kind: String = row.try_get(3)?;
        let kind = match kind.as_str() {
            "r" => "TABLE",
            "p" => "PARTITIONED TABLE",
            "v" => "VIEW",
            "m" => "MATERIALIZED VIEW",
            _ => "FOREIGN TABLE",
        };
        if is_wanted(options, kind) {
            tables.push(Table {
                database: Some(row.try_get(0)?),
                schema: Some(row.try_get(1)?),
                name: row.try_get(2)?,
            });
        }
    }
    Ok(tables)
}

async fn of_mysql(
    c: &mut MySqlConnection,
    options: &SqlSourceOptions,
) -> Result<Vec<Table>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT CAST(TABLE_SCHEMA AS CHAR), CAST(TABLE_NAME AS CHAR), CAST(TABLE_TYPE AS CHAR) \
         FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema') \
         AND CASE WHEN ? IS NOT NULL THEN TABLE_SCHEMA LIKE ? ELSE TABLE_SCHEMA = COALESCE(DATABASE(), TABLE_SCHEMA) END",
    )
    .bind(options.catalog_pattern.as_deref())
    .bind(options.catalog_pattern.as_deref())
    .fetch_all(c)
    .await?;
    let mut tables = Vec::new();
    for row in rows {
        let kind: String = row.try_get(2)?;
        if is_wanted(options, if kind == "VIEW" { "VIEW" } else { "TABLE" }) {
            tables.push(Table {
                database: Some(row.try_get(0)?),
                schema: None,
                name: row.try_get(1)?,
            });
        }
    }
    Ok(tables)
}

async fn of_sqlite(
    c: &mut SqliteConnection,
    options: &SqlSourceOptions,
) -> Result<Vec<Table>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_all(c)
    .await?;
    let mut tables = Vec::new();
    for row in rows {
        let kind: String = row.try_get(1)?;
        if is_wanted(options, &kind) {
            tables.push(Table {
                database: None,
                schema: None,
                name: row.try_get(0)?,
            });
        }
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use linkspan_sdk::prelude::*;

    use super::*;

    fn check(config: &[(&str, &str)], expected: &[&str]) {
        let base = [("connection.url", "postgres://h/d"), ("mode", "bulk")];
        let config = base
            .iter()
            .chain(config)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let filter = Filter::new(&SqlSourceOptions::from_config(&config).unwrap());
        let table = |schema: &str, name: &str| Table {
            database: Some("shop".to_owned()),
            schema: Some(schema.to_owned()),
            name: name.to_owned(),
        };
        let kept: Vec<String> = [
            table("public", "orders"),
            table("public", "orders_old"),
            table("hr", "people"),
            table("public", "_linkspan_offsets"),
        ]
        .iter()
        .filter(|table| filter.keeps(table))
        .map(Table::qualified)
        .collect();
        assert_eq!(kept, expected, "{config:?}");
    }

    #[test]
    fn patterns_match_whole_names() {
        let (orders, old, people) = (
            "shop.public.orders",
            "shop.public.orders_old",
            "shop.hr.people",
        );
        check(&[], &[orders, old, people]);
        check(&[("table.whitelist", "orders")], &[orders]);
        check(
            &[("table.include.list", "orders.*, hr.people")],
            &[orders, old, people],
        );
        check(
            &[
                ("table.include.list", "shop\\.public\\..*"),
                ("table.exclude.list", ".*_old,_linkspan_.*"),
            ],
            &[orders],
        );
        check(
            &[("table.include.list", "_linkspan_offsets")],
            &["shop.public._linkspan_offsets"],
        );
        check(&[("table.include.list", "ORDERS")], &[]);
        check(
            &[
                ("table.include.list", "ORDERS"),
                ("quote.sql.identifiers", "never"),
            ],
            &[orders],
        );
    }

    #[test]
    fn topics_are_prefix_and_name() {
        let table = Table {
            database: Some("shop".to_owned()),
            schema: Some("public".to_owned()),
            name: "orders".to_owned(),
        };
        assert_eq!(table.topic("pg-", "${table}"), "pg-orders");
        assert_eq!(
            table.topic("", "${database}.${schema}.${table}"),
            "shop.public.orders"
        );
    }
}
