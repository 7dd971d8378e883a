//! Options of `sql-source`, and of `JdbcSourceConnector` with that connector's defaults.

mod check;
mod jdbc;
mod mapping;
mod values;

#[cfg(test)]
mod tests;

use linkspan_sdk::prelude::*;

pub(crate) use self::jdbc::JdbcSourceOptions;
pub(crate) use self::mapping::whole;
pub(crate) use self::values::{Calendar, Mode, Quote};

use self::mapping::ColumnsOf;
use self::values::{AnyCase, Isolation};
use crate::connect::ConnectionOptions;
use crate::types::read::{Granularity, Mapping, NumericMapping, Zone};

/// Reads tables or a query of PostgreSQL, MySQL, MariaDB or SQLite: all rows, or those that are new or changed.
#[derive(Debug, Clone, Options)]
#[options(validate = "SqlSourceOptions::check")]
#[expect(
    dead_code,
    reason = "some options are accepted for the sake of configurations that have them"
)]
pub(crate) struct SqlSourceOptions {
    #[option(nest = "")]
    pub(crate) connection: ConnectionOptions,
    /// `bulk` reads everything each time. `incrementing` reads rows with a greater number in one column, so it finds new ones.
    /// `timestamp` reads rows with a later timestamp, so it finds changed ones too; `timestamp+incrementing` does so and
    /// knows rows of the same timestamp apart.
    #[option(importance = "high")]
    pub(crate) mode: Mode,
    /// The tables to read: regular expressions that match a whole name, with or without schema and database before it
    /// (`orders`, `public\.orders`, `sales_.*`). Unset: all tables.
    #[option(
        name = "table.include.list",
        alias = "table.whitelist",
        default = "[]",
        importance = "high",
        group = "tables"
    )]
    pub(crate) include: Vec<String>,
    /// The tables to leave out, written as in `table.include.list`.
    #[option(
        name = "table.exclude.list",
        alias = "table.blacklist",
        default = "[]",
        group = "tables"
    )]
    pub(crate) exclude: Vec<String>,
    /// Only tables of schemas (PostgreSQL) whose name is like this, with `%` and `_` as in SQL. Unset: all but the system's.
    #[option(group = "tables")]
    pub(crate) schema_pattern: Option<String>,
    /// Only tables of databases (MySQL) whose name is like this. Unset: the database that the URL names.
    #[option(group = "tables")]
    pub(crate) catalog_pattern: Option<String>,
    /// What counts as a table: `TABLE`, `VIEW`, `MATERIALIZED VIEW`, `PARTITIONED TABLE`, `FOREIGN TABLE`.
    #[option(default = "[\"TABLE\",\"PARTITIONED TABLE\"]", group = "tables")]
    pub(crate) table_types: Vec<String>,
    /// How often new and removed tables are looked for.
    #[option(
        name = "table.poll.interval.ms",
        default = "60000",
        min = "1s",
        group = "tables"
    )]
    pub(crate) table_poll_interval: Duration,
    /// A table whose numbers span more than twice this many is read in ranges of this length when `tasks.max` leaves tasks over;
    /// numbers, not rows.
    #[option(default = "1000000", min = 1000, group = "tables", importance = "low")]
    pub(crate) table_split_size: i64,
    /// A query instead of tables. It may have WHERE, GROUP BY, UNION: it is read as a table, `SELECT … FROM (query)`.
    #[option(importance = "high", group = "query")]
    pub(crate) query: Option<String>,
    /// The same as `query`, for one that holds a secret: it is never shown.
    #[option(name = "query.masked", group = "query", importance = "low")]
    pub(crate) query_masked: Option<Secret>,
    /// Appended to each statement, such as `FOR SHARE` or `LIMIT 1000`.
    #[option(
        name = "query.suffix",
        default = "",
        group = "query",
        importance = "low"
    )]
    pub(crate) suffix: String,
    /// The column with a growing number, for `incrementing`. Unset: the one column of the primary key, or the one that numbers itself.
    #[option(
        name = "incrementing.column.name",
        default = "",
        importance = "high",
        group = "mode"
    )]
    pub(crate) incrementing: String,
    /// `regex:column` for tables that have another one.
    #[option(name = "incrementing.column.mapping", default = "[]", group = "mode")]
    pub(crate) incrementing_mapping: Vec<String>,
    /// Rows with a greater number are read at the first start. Unset: all.
    #[option(group = "mode")]
    pub(crate) incrementing_initial: Option<i64>,
    /// The columns with a timestamp, for `timestamp`; the first one that is not null counts.
    #[option(
        name = "timestamp.column.name",
        default = "[]",
        importance = "high",
        group = "mode"
    )]
    pub(crate) timestamp: Vec<String>,
    /// `regex:[column|column]` for tables that have others.
    #[option(name = "timestamp.columns.mapping", default = "[]", group = "mode")]
    pub(crate) timestamp_mapping: Vec<String>,
    /// Rows with a later timestamp are read at the first start: milliseconds since 1970, RFC 3339, or -1 for now. Unset: all.
    #[option(
        name = "timestamp.initial.ms",
        alias = "timestamp.initial",
        group = "mode"
    )]
    pub(crate) timestamp_initial: Option<String>,
    /// Rows younger than this are left for the next time, so that transactions which take that long are not overtaken.
    #[option(name = "timestamp.delay.interval.ms", default = "0", group = "mode")]
    pub(crate) timestamp_delay: Duration,
    /// Rows are looked for again until they are this old: a transaction that took a number or timestamp early may commit late.
    /// Unset: PostgreSQL is asked which transactions are still open, SQLite has one writer at a time, and for MySQL it is 10s.
    #[option(name = "lookback.ms", group = "mode")]
    pub(crate) lookback: Option<Duration>,
    /// So many numbers below the greatest one are looked for again.
    #[option(name = "lookback.rows", default = "0", min = 0, group = "mode")]
    pub(crate) lookback_rows: i64,
    /// A column of the mode that may be null is refused: its rows would never be found.
    #[option(name = "validate.non.null", default = "true", group = "mode")]
    pub(crate) validate_non_null: bool,
    /// How often a table is asked for new rows.
    #[option(name = "poll.interval.ms", default = "5000")]
    pub(crate) poll_interval: Duration,
    /// The most rows in a batch.
    #[option(name = "batch.max.rows", default = "100000", min = 1)]
    pub(crate) batch_rows: u32,
    /// The most bytes of rows that are read ahead of the log.
    #[option(
        name = "fetch.bytes",
        default = "1MiB",
        min = "64KiB",
        max = "64MiB",
        importance = "low"
    )]
    pub(crate) fetch_bytes: ByteSize,
    /// Records of a table go to this prefix and the table's name; with `query` the prefix is the whole name.
    #[option(name = "topic.prefix", default = "", importance = "high")]
    pub(crate) topic_prefix: String,
    /// What follows the prefix: `${table}`, `${schema}` and `${database}` are replaced.
    #[option(name = "topic.name.format", default = "${table}")]
    pub(crate) topic_format: String,
    /// The columns that make the key. Unset: those of the primary key. `none`: no key.
    #[option(name = "key.columns", default = "[]")]
    pub(crate) key_columns: Vec<String>,
    /// How numbers with a declared precision are mapped: `none` keeps them exact, `precision_only` makes whole ones integers,
    /// `best_fit` those with a fraction doubles too, `best_fit_eager_double` all with a fraction, `string` texts.
    #[option(name = "numeric.mapping", default = "none", group = "types")]
    pub(crate) numeric: AnyCase<NumericMapping>,
    /// The older form of `numeric.mapping: precision_only`.
    #[option(
        name = "numeric.precision.mapping",
        default = "false",
        group = "types",
        importance = "low"
    )]
    pub(crate) numeric_precision: bool,
    /// What timestamps are: `micros`, `connect_logical` (milliseconds), `nanos`, `iso_string`, or a plain number or its
    /// digits (`micros_long`, `micros_string`, `nanos_long`, `nanos_string`).
    #[option(name = "timestamp.granularity", default = "micros", group = "types")]
    pub(crate) granularity: AnyCase<Granularity>,
    /// The zone of timestamps that have none: `UTC`, an offset such as `+09:00`, a name such as `Asia/Seoul`. Unset: they
    /// stay wall clocks of no zone, and none of them can be the timestamp of a mode.
    #[option(name = "db.timezone", group = "types")]
    pub(crate) timezone: Option<String>,
    /// `tinyint(1)` of MySQL, which is also its `boolean`, is a boolean; otherwise a whole number as any `tinyint`.
    #[option(name = "tinyint1.as.bool", default = "false", group = "types")]
    pub(crate) tiny_boolean: bool,
    /// `DEFAULT`, `READ_UNCOMMITTED`, `READ_COMMITTED`, `REPEATABLE_READ` or `SERIALIZABLE`.
    #[option(
        name = "transaction.isolation.mode",
        default = "DEFAULT",
        group = "query",
        importance = "low"
    )]
    pub(crate) isolation: AnyCase<Isolation>,
    /// A statement that takes longer is given up and tried again.
    #[option(
        name = "statement.timeout.ms",
        default = "600000",
        min = "1s",
        group = "query",
        importance = "low"
    )]
    pub(crate) statement_timeout: Duration,
    /// The JDBC connector counts its attempts; here the host tries again with growing pauses until it works. No effect.
    #[option(
        name = "connection.attempts",
        default = "3",
        group = "ignored",
        importance = "low"
    )]
    pub(crate) attempts: i64,
    /// See `connection.attempts`; the host's pauses grow up to `restart.delay.max.ms`. No effect.
    #[option(
        name = "connection.backoff.ms",
        default = "10000",
        group = "ignored",
        importance = "low"
    )]
    pub(crate) backoff: Duration,
    /// See `connection.attempts`. No effect.
    #[option(
        name = "query.retry.attempts",
        default = "-1",
        group = "ignored",
        importance = "low"
    )]
    pub(crate) query_attempts: i64,
    /// The URL says which database it is. No effect.
    #[option(
        name = "dialect.name",
        default = "",
        group = "ignored",
        importance = "low"
    )]
    pub(crate) dialect_name: String,
    /// Names are quoted in every statement, so that any of them works. `never` (also `false`) finds tables and columns that the
    /// options name whatever the case of their letters, as a server does with names that are not quoted.
    #[option(
        name = "quote.sql.identifiers",
        alias = "sql.quote.identifiers",
        default = "always",
        group = "query",
        importance = "low"
    )]
    pub(crate) quote: AnyCase<Quote>,
    /// Tables are named in full in every statement. No effect.
    #[option(
        name = "table.names.qualify",
        default = "true",
        group = "ignored",
        importance = "low"
    )]
    pub(crate) qualify: bool,
    /// Dates are those of the Gregorian calendar, as the databases have them. Only `proleptic_gregorian` is offered.
    #[option(
        name = "date.calendar.system",
        default = "proleptic_gregorian",
        group = "ignored",
        importance = "low"
    )]
    pub(crate) calendar: AnyCase<Calendar>,
    /// What this task reads. Set by the connector.
    #[option(
        name = "task.work",
        default = "",
        importance = "low",
        group = "ignored"
    )]
    pub(crate) work: String,
}

impl SqlSourceOptions {
    /// Returns the query, without a semicolon at its end.
    pub(crate) fn query_text(&self) -> Option<&str> {
        let masked = self.query_masked.as_ref().map(Secret::expose);
        let query = self.query.as_deref().or(masked)?;
        Some(query.trim_end().trim_end_matches(';'))
    }

    /// Whether the case of letters in names does not matter.
    pub(crate) const fn any_case(&self) -> bool {
        matches!(self.quote.0, Quote::Never | Quote::False)
    }

    /// Whether a name of the options means a name of the database.
    pub(crate) fn means(&self, wanted: &str, found: &str) -> bool {
        wanted == found || (self.any_case() && wanted.eq_ignore_ascii_case(found))
    }

    /// Returns how types are mapped.
    pub(crate) fn mapping(&self) -> Mapping {
        let numeric = match self.numeric.0 {
            NumericMapping::None if self.numeric_precision => NumericMapping::PrecisionOnly,
            other => other,
        };
        Mapping {
            numeric,
            granularity: self.granularity.0,
            zone: self.zone(),
        }
    }

    pub(crate) fn zone(&self) -> Option<Zone> {
        self.timezone.as_deref().and_then(|text| text.parse().ok())
    }

    /// Returns the columns of the mode of one table: the first mapping that matches, else those for all.
    pub(crate) fn columns_for(&self, names: &[String]) -> (Option<String>, Vec<String>) {
        let mapped = |pairs: &[String]| {
            pairs
                .iter()
                .filter_map(|pair| ColumnsOf::parse(pair))
                .find(|pair| pair.matches(names))
                .map(|pair| pair.columns)
        };
        let id = mapped(&self.incrementing_mapping)
            .and_then(|columns| columns.into_iter().next())
            .or_else(|| Some(self.incrementing.clone()).filter(|name| !name.is_empty()));
        let timestamps = mapped(&self.timestamp_mapping).unwrap_or_else(|| self.timestamp.clone());
        (id, timestamps)
    }
}
