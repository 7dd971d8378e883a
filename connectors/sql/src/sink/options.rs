//! Options of `sql-sink`, with the names that the JDBC sinks of Confluent, Aiven and Debezium have for them.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use crate::connect::ConnectionOptions;
use crate::dialect::{Dialect, TableName};
use crate::sink::free::Statement;
use crate::types::Zone;
use crate::url::ServerUrl;

/// Writes records into tables of PostgreSQL, MySQL/MariaDB or SQLite, exactly once.
#[derive(Debug, Clone, Options)]
#[options(validate = "SinkOptions::check")]
pub(crate) struct SinkOptions {
    #[option(nest = "")]
    pub(crate) connection: ConnectionOptions,
    /// `insert` adds rows, `upsert` replaces those with the same key, `update` changes those that are there.
    #[option(
        default = "insert",
        importance = "high",
        group = "writes",
        values("insert", "upsert", "update", "multi")
    )]
    pub(crate) insert_mode: InsertMode,
    /// Where a row's key comes from: `none`, `kafka` (topic, partition and offset), `record_key`, `record_value`, `record_header`.
    #[option(
        default = "none",
        alias = "primary.key.mode",
        importance = "high",
        group = "writes"
    )]
    pub(crate) pk_mode: PkMode,
    /// The columns of the key. `record_key` and `record_value`: the fields to take, none means all of the key's; `kafka`: three names.
    #[option(
        default = "[]",
        alias = "primary.key.fields",
        importance = "high",
        group = "writes"
    )]
    pub(crate) pk_fields: Vec<String>,
    /// A record without value (a tombstone) deletes the row of its key. Needs `pk.mode: record_key`.
    #[option(default = "false", group = "writes")]
    pub(crate) delete_enabled: bool,
    /// A Debezium event of kind `t` empties the table.
    #[option(default = "false", group = "writes")]
    pub(crate) truncate_enabled: bool,
    /// How rows reach the server. `auto`: COPY for PostgreSQL, statements with many rows elsewhere. `copy`, `multi`, `row` choose.
    #[option(default = "auto", group = "writes", importance = "low")]
    pub(crate) write_path: WritePath,
    /// The most rows of one statement with many rows. COPY has no such bound; a batch is always one transaction.
    #[option(default = "3000", min = 1, max = 65_535, group = "writes")]
    pub(crate) batch_size: u32,
    /// The table of a record. `${topic}` is its topic; `${source.db}`, `${source.schema}`, `${source.table}` are a Debezium event's.
    /// A dot separates schema and table.
    #[option(
        default = "${topic}",
        alias = "collection.name.format",
        importance = "high",
        group = "tables"
    )]
    pub(crate) table_name_format: String,
    /// Topics with a table of their own: `topic:table`.
    #[option(default = "[]", group = "tables")]
    pub(crate) topics_to_tables_mapping: Vec<String>,
    /// Replaces what is neither letter, digit nor `_` in a table's name by `_`.
    #[option(default = "false", group = "tables")]
    pub(crate) table_name_normalize: bool,
    /// Makes a table that is not there, from the schema of its first record.
    #[option(default = "false", importance = "high", group = "tables")]
    pub(crate) auto_create: bool,
    /// Adds columns for fields that the table lacks.
    #[option(default = "false", importance = "high", group = "tables")]
    pub(crate) auto_evolve: bool,
    /// Widens columns that are too narrow: whole numbers, floats, texts with a length. Needs `auto.evolve`.
    #[option(default = "false", group = "tables")]
    pub(crate) auto_evolve_widen: bool,
    /// Debezium's word for the two: `basic` makes tables and adds columns, `none` does neither.
    #[option(group = "tables", importance = "low", values("none", "basic"))]
    pub(crate) schema_evolution: Option<String>,
    /// Only these fields are written (`field`, or `topic:field`); the key's always are.
    #[option(
        default = "[]",
        alias = "fields.whitelist",
        alias = "field.include.list",
        group = "fields"
    )]
    pub(crate) fields_include_list: Vec<String>,
    /// These fields are not written (`field`, or `topic:field`).
    #[option(
        default = "[]",
        alias = "fields.blacklist",
        alias = "field.exclude.list",
        group = "fields"
    )]
    pub(crate) fields_exclude_list: Vec<String>,
    /// Fields with a column of another name: `{"field": "column"}`.
    #[option(default = "{}", group = "fields")]
    pub(crate) field_mapping: BTreeMap<String, String>,
    /// A null becomes the default of its schema, where there is one.
    #[option(default = "true", group = "fields")]
    pub(crate) replace_null_with_default: bool,
    /// The zone of columns that have none, and of texts that name none.
    #[option(
        default = "UTC",
        alias = "use.time.zone",
        alias = "database.time_zone",
        group = "fields"
    )]
    pub(crate) db_timezone: Zone,
    /// `exactly_once` keeps the position in a table of the database, in the transaction of the rows. `at_least_once` does not: after
    /// a crash some rows come again.
    #[option(default = "exactly_once", importance = "high", group = "delivery")]
    pub(crate) delivery: Delivery,
    /// The table of the positions; made if need be.
    #[option(default = "_linkspan_offsets", group = "delivery", importance = "low")]
    pub(crate) offsets_table: String,
    /// After so many failures in a row that may pass by themselves the task fails. Unset: it tries for ever.
    #[option(
        alias = "flush.max.retries",
        min = 0,
        group = "delivery",
        importance = "low"
    )]
    pub(crate) max_retries: Option<u32>,
    /// The first pause before another try. It doubles, up to five seconds, so that work goes on soon after the server is back.
    #[option(
        default = "1s",
        alias = "flush.retry.delay.ms",
        group = "delivery",
        importance = "low"
    )]
    pub(crate) retry_backoff_ms: Duration,
    /// SQL of your own for each record, instead of rows in a table: `INSERT INTO t (a) VALUES (:name)`. `:field` is a field of the value,
    /// `:__key`, `:__value`, `:__topic`, `:__partition`, `:__offset`, `:__timestamp` are the record's.
    #[option(group = "writes", importance = "low")]
    pub(crate) query: Option<String>,
    /// When identifiers are put in quotes. They always are; `never` only makes unquoted ones of the format lower or upper case as the
    /// database does.
    #[option(
        default = "always",
        alias = "quote.sql.identifiers",
        alias = "sql.quote.identifiers",
        group = "tables",
        importance = "low",
        values("always", "never", "true", "false")
    )]
    pub(crate) quote_identifiers: String,
    #[option(nest = "")]
    pub(crate) foreign: ForeignOptions,
}

/// What the other sinks have and this one does not need. Each is accepted and said to have no effect.
#[derive(Debug, Clone, Options)]
#[expect(
    dead_code,
    reason = "the fields are declared to be accepted, nobody reads them"
)]
pub(crate) struct ForeignOptions {
    /// Ignored: the address says it.
    #[option(name = "dialect.name", group = "ignored", importance = "low")]
    dialect_name: Option<String>,
    /// Ignored: views and partitioned tables are written to like tables.
    #[option(name = "table.types", group = "ignored", importance = "low")]
    table_types: Option<String>,
    /// Ignored: connecting is tried until it works, see `max.retries`.
    #[option(name = "connection.attempts", group = "ignored", importance = "low")]
    connection_attempts: Option<String>,
    /// Ignored: see `retry.backoff.ms`.
    #[option(name = "connection.backoff.ms", group = "ignored", importance = "low")]
    connection_backoff: Option<String>,
    /// Ignored: each task has one connection.
    #[option(name = "connection.provider", group = "ignored", importance = "low")]
    connection_provider: Option<String>,
    /// Ignored: each task has one connection.
    #[option(
        name = "connection.pool.min_size",
        group = "ignored",
        importance = "low"
    )]
    pool_min: Option<String>,
    /// Ignored: each task has one connection.
    #[option(
        name = "connection.pool.max_size",
        group = "ignored",
        importance = "low"
    )]
    pool_max: Option<String>,
    /// Ignored: each task has one connection.
    #[option(
        name = "connection.pool.acquire_increment",
        group = "ignored",
        importance = "low"
    )]
    pool_increment: Option<String>,
    /// Ignored: each task has one connection.
    #[option(
        name = "connection.pool.timeout",
        group = "ignored",
        importance = "low"
    )]
    pool_timeout: Option<String>,
    /// Ignored: a broken connection is always opened again.
    #[option(
        name = "connection.restart.on.errors",
        group = "ignored",
        importance = "low"
    )]
    restart_on_errors: Option<String>,
    /// Ignored: COPY is faster than UNNEST.
    #[option(
        name = "dialect.postgres.unnest.insert.enabled",
        group = "ignored",
        importance = "low"
    )]
    unnest: Option<String>,
    /// Ignored: rows of one key are always reduced to the last one within a batch.
    #[option(name = "use.reduction.buffer", group = "ignored", importance = "low")]
    reduction_buffer: Option<String>,
    /// Ignored: there is no SQL Server here.
    #[option(
        name = "mssql.use.merge.holdlock",
        group = "ignored",
        importance = "low"
    )]
    holdlock: Option<String>,
    /// Ignored: there is no SQL Server here.
    #[option(
        name = "dialect.sqlserver.identity.insert",
        group = "ignored",
        importance = "low"
    )]
    identity_insert: Option<String>,
    /// Ignored: no value of a record is ever logged.
    #[option(name = "trim.sensitive.log", group = "ignored", importance = "low")]
    trim_log: Option<String>,
    /// Ignored: times keep all their digits.
    #[option(
        name = "timestamp.precision.mode",
        group = "ignored",
        importance = "low"
    )]
    precision_mode: Option<String>,
    /// Ignored: names of tables come from `table.name.format`.
    #[option(
        name = "collection.naming.strategy",
        group = "ignored",
        importance = "low"
    )]
    naming: Option<String>,
    /// Ignored: names of columns come from the fields and `field.mapping`.
    #[option(name = "column.naming.strategy", group = "ignored", importance = "low")]
    column_naming: Option<String>,
}

impl ForeignOptions {
    /// Returns the names of those that are set.
    pub(crate) fn set(&self, config: &BTreeMap<String, String>) -> Vec<String> {
        let known = Self::definitions();
        known
            .into_iter()
            .map(|definition| definition.name)
            .filter(|name| config.contains_key(name))
            .collect()
    }
}

/// How rows get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum InsertMode {
    /// Aiven's `multi` is an insert with many rows in a statement, which every insert is here.
    #[option(alias = "multi")]
    Insert,
    Upsert,
    Update,
}

/// Where the key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum PkMode {
    None,
    Kafka,
    RecordKey,
    RecordValue,
    RecordHeader,
}

/// How rows reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum WritePath {
    Auto,
    Copy,
    Multi,
    Row,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Delivery {
    ExactlyOnce,
    AtLeastOnce,
}

impl SinkOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem =
            |option: &str, message: &str| problems.push(ConfigProblem::new(option, message));
        let Ok(url) = ServerUrl::parse(&self.connection.url) else {
            return Vec::new();
        };
        let dialect = url.dialect;
        if matches!(self.insert_mode, InsertMode::Upsert | InsertMode::Update)
            && self.pk_mode == PkMode::None
            && self.query.is_none()
        {
            problem(
                "pk.mode",
                "must say where the key comes from when `insert.mode` is `upsert` or `update`",
            );
        }
        if self.delete_enabled && self.pk_mode != PkMode::RecordKey {
            problem(
                "delete.enabled",
                "needs `pk.mode: record_key`: a tombstone has nothing but its key",
            );
        }
        if self.pk_mode == PkMode::Kafka && !self.pk_fields.is_empty() && self.pk_fields.len() != 3
        {
            problem(
                "pk.fields",
                "must be three names for topic, partition and offset when `pk.mode` is `kafka`, or empty",
            );
        }
        if self.pk_mode == PkMode::RecordHeader && self.pk_fields.is_empty() {
            problem(
                "pk.fields",
                "must name the headers that make up the key when `pk.mode` is `record_header`",
            );
        }
        if self.write_path == WritePath::Copy && dialect != Dialect::Postgres {
            problem("write.path", "can be `copy` for PostgreSQL only");
        }
        if self.auto_evolve_widen && !self.evolves() {
            problem("auto.evolve.widen", "needs `auto.evolve: true`");
        }
        if let Err(error) = TableName::parse(&self.offsets_table, dialect) {
            problem("offsets.table", &error.to_string());
        }
        if self.table_name_format.is_empty() {
            problem("table.name.format", "is empty");
        }
        for pair in &self.topics_to_tables_mapping {
            let table = pair.split_once(':').map(|(_, table)| table);
            match table.map(|table| TableName::parse(table, dialect)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => problem(
                    "topics.to.tables.mapping",
                    &format!("has `{pair}`, whose table {error}"),
                ),
                None => problem(
                    "topics.to.tables.mapping",
                    &format!("has `{pair}`, which is not `topic:table`"),
                ),
            }
        }
        if let Some(query) = &self.query {
            if let Err(error) = Statement::parse(query, dialect) {
                problem("query", &error.to_string());
            }
            if self.pk_mode != PkMode::None || self.delete_enabled || self.auto_create {
                problem(
                    "query",
                    "does all by itself; `pk.mode`, `delete.enabled` and `auto.create` have no meaning beside it",
                );
            }
        }
        problems
    }

    pub(crate) fn creates(&self) -> bool {
        self.auto_create || self.schema_evolution.as_deref() == Some("basic")
    }

    pub(crate) fn evolves(&self) -> bool {
        self.auto_evolve || self.schema_evolution.as_deref() == Some("basic")
    }

    /// Whether the identifiers of the format are folded as the database folds unquoted ones.
    pub(crate) fn folds(&self) -> bool {
        matches!(self.quote_identifiers.as_str(), "never" | "false")
    }

    /// The columns that hold topic, partition and offset.
    pub(crate) fn kafka_columns(&self) -> [&str; 3] {
        match self.pk_fields.as_slice() {
            [topic, partition, offset] => [topic, partition, offset],
            _ => ["__connect_topic", "__connect_partition", "__connect_offset"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &[(&str, &str)], expected: &[&str]) {
        let base = [("connection.url", "postgres://h/d")];
        let config = base
            .iter()
            .chain(config)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let problems = SinkOptions::from_config(&config).err().unwrap_or_default();
        let mut options: Vec<_> = problems
            .iter()
            .map(|problem| problem.option.as_str())
            .collect();
        options.sort_unstable();
        assert_eq!(options, expected, "{config:?}: {problems:?}");
    }

    #[test]
    fn what_does_not_fit_together_is_said_at_once() {
        check(&[], &[]);
        check(&[("insert.mode", "upsert")], &["pk.mode"]);
        check(
            &[
                ("insert.mode", "upsert"),
                ("pk.mode", "record_key"),
                ("pk.fields", "id,b"),
            ],
            &[],
        );
        check(
            &[
                ("delete.enabled", "true"),
                ("pk.mode", "record_value"),
                ("offsets.table", "a.b.c.d"),
            ],
            &["delete.enabled", "offsets.table"],
        );
        check(
            &[("pk.mode", "kafka"), ("pk.fields", "a,b")],
            &["pk.fields"],
        );
        check(
            &[("topics.to.tables.mapping", "a:b,c")],
            &["topics.to.tables.mapping"],
        );
        check(
            &[
                ("query", "INSERT INTO t VALUES (:a"),
                ("auto.create", "true"),
            ],
            &["query", "query"],
        );
        check(
            &[("connection.url", "mysql://h/d"), ("write.path", "copy")],
            &["write.path"],
        );
        check(&[("db.timezone", "Mars")], &["db.timezone"]);
    }

    #[test]
    fn names_of_other_sinks_work() {
        check(
            &[
                ("primary.key.mode", "record_key"),
                ("primary.key.fields", "id"),
                ("collection.name.format", "x_${topic}"),
                ("schema.evolution", "basic"),
                ("connection.username", "u"),
                ("use.time.zone", "Asia/Seoul"),
                ("insert.mode", "upsert"),
                ("connection.pool.max_size", "5"),
            ],
            &[],
        );
        check(
            &[
                ("insert.mode", "multi"),
                ("fields.whitelist", "a,b"),
                ("quote.sql.identifiers", "never"),
            ],
            &[],
        );
    }
}
