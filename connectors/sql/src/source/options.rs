//! Options of `sql-source`, and of `JdbcSourceConnector` with that connector's defaults.

use fancy_regex::Regex;
use linkspan_sdk::options::{OptionDef, Reader};
use linkspan_sdk::prelude::*;

use crate::connect::ConnectionOptions;
use crate::types::read::{Granularity, Mapping, NumericMapping, Zone, parse_instant};

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

/// How rows are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Mode {
    Bulk,
    Incrementing,
    Timestamp,
    #[option(name = "timestamp+incrementing")]
    TimestampIncrementing,
}

impl Mode {
    pub(crate) const fn has_id(self) -> bool {
        matches!(self, Self::Incrementing | Self::TimestampIncrementing)
    }

    pub(crate) const fn has_timestamp(self) -> bool {
        matches!(self, Self::Timestamp | Self::TimestampIncrementing)
    }
}

/// A word in any case of its letters: the JDBC connector takes `ALWAYS` as well as `always`, the host would not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyCase<T>(pub(crate) T);

impl<T: OptionValue> OptionValue for AnyCase<T> {
    const KIND: &'static str = T::KIND;

    fn parse(name: &str, text: &str) -> std::result::Result<Self, String> {
        T::parse(name, text).map(Self)
    }
}

/// How strictly transactions are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Isolation {
    Default,
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl Isolation {
    /// Returns its words in SQL, `None` for the server's own.
    pub(crate) const fn sql(self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::ReadUncommitted => Some("READ UNCOMMITTED"),
            Self::ReadCommitted => Some("READ COMMITTED"),
            Self::RepeatableRead => Some("REPEATABLE READ"),
            Self::Serializable => Some("SERIALIZABLE"),
        }
    }
}

/// Whether identifiers are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Quote {
    Always,
    Never,
    /// The words of Aiven's connector.
    True,
    False,
}

/// The calendar of dates before 1582.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Calendar {
    ProlepticGregorian,
}

/// The types of tables that are told apart.
pub(crate) const TABLE_TYPES: [&str; 5] = [
    "TABLE",
    "PARTITIONED TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
];

impl SqlSourceOptions {
    fn check(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut problem = |option: &str, message: String| {
            problems.push(ConfigProblem::new(option, message));
        };
        for (option, patterns) in [
            ("table.include.list", &self.include),
            ("table.exclude.list", &self.exclude),
        ] {
            for pattern in patterns {
                if let Err(error) = whole(pattern) {
                    problem(
                        option,
                        format!("has `{pattern}`, which is no regular expression: {error}"),
                    );
                }
            }
        }
        for (option, pairs) in [
            ("incrementing.column.mapping", &self.incrementing_mapping),
            ("timestamp.columns.mapping", &self.timestamp_mapping),
        ] {
            for pair in pairs {
                if ColumnsOf::parse(pair).is_none() {
                    problem(option, format!("has `{pair}`, which is not `regex:column`"));
                }
            }
        }
        for word in &self.table_types {
            if !TABLE_TYPES
                .iter()
                .any(|known| known.eq_ignore_ascii_case(word))
            {
                problem(
                    "table.types",
                    format!("has `{word}`; known are {}", TABLE_TYPES.join(", ")),
                );
            }
        }
        self.check_query(&mut problem);
        self.check_mode(&mut problem);
        if self.poll_interval.is_zero() {
            problem("poll.interval.ms", "must be longer than nothing".to_owned());
        }
        if self
            .timezone
            .as_deref()
            .is_some_and(|text| text.parse::<Zone>().is_err())
        {
            problem("db.timezone", "is neither `UTC`, nor an offset such as `+09:00`, nor a zone's name such as `Asia/Seoul`".to_owned());
        }
        for placeholder in placeholders(&self.topic_format) {
            if !["table", "schema", "database"].contains(&placeholder) {
                problem(
                    "topic.name.format",
                    format!(
                        "has `${{{placeholder}}}`; known are `${{table}}`, `${{schema}}` and `${{database}}`"
                    ),
                );
            }
        }
        problems
    }

    fn check_query(&self, problem: &mut impl FnMut(&str, String)) {
        let query = self.query_text();
        if self.query.is_some() && self.query_masked.is_some() {
            problem(
                "query.masked",
                "and `query` say the same thing; set one".to_owned(),
            );
        }
        let Some(query) = query else { return };
        if query.trim().is_empty() {
            problem("query", "is empty".to_owned());
        }
        if !self.include.is_empty() || !self.exclude.is_empty() {
            problem(
                "query",
                "is read instead of tables; unset `table.include.list` and `table.exclude.list`"
                    .to_owned(),
            );
        }
        if self.topic_prefix.is_empty() {
            problem(
                "topic.prefix",
                "is the topic of a query, and missing".to_owned(),
            );
        }
        if self.mode.has_id() && self.incrementing.is_empty() {
            problem(
                "incrementing.column.name",
                "is missing: a query has no primary key to take it from".to_owned(),
            );
        }
    }

    fn check_mode(&self, problem: &mut impl FnMut(&str, String)) {
        if self.mode.has_timestamp()
            && self.timestamp.is_empty()
            && self.timestamp_mapping.is_empty()
        {
            problem(
                "timestamp.column.name",
                "is missing: the mode needs it".to_owned(),
            );
        }
        if let Some(text) = &self.timestamp_initial
            && text != "-1"
            && parse_instant(text).is_none()
        {
            problem(
                "timestamp.initial.ms",
                "is neither milliseconds since 1970, nor RFC 3339, nor -1".to_owned(),
            );
        }
    }

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

/// `regex:column` or `regex:[column|column]`.
struct ColumnsOf {
    pattern: Regex,
    columns: Vec<String>,
}

impl ColumnsOf {
    fn parse(text: &str) -> Option<Self> {
        let (pattern, columns) = text.rsplit_once(':')?;
        let columns: Vec<String> = columns
            .trim()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .split('|')
            .map(|column| column.trim().to_owned())
            .collect();
        if columns.iter().any(String::is_empty) {
            return None;
        }
        Some(Self {
            pattern: whole(pattern.trim()).ok()?,
            columns,
        })
    }

    fn matches(&self, names: &[String]) -> bool {
        names
            .iter()
            .any(|name| self.pattern.is_match(name).unwrap_or(false))
    }
}

/// A regular expression that has to match a whole name.
pub(crate) fn whole(pattern: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    Regex::new(&format!("^(?:{})$", pattern.trim())).map_err(Box::new)
}

fn placeholders(format: &str) -> impl Iterator<Item = &str> {
    format
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// The same source under the names of the JDBC connector, with that connector's defaults: timestamps in milliseconds,
/// zoneless ones in UTC, no keys, views only where asked for.
#[derive(Debug, Clone)]
pub(crate) struct JdbcSourceOptions(pub(crate) SqlSourceOptions);

/// What the JDBC connector does where nothing is said.
const JDBC_DEFAULTS: [(&str, &str); 3] = [
    ("db.timezone", "UTC"),
    ("timestamp.granularity", "connect_logical"),
    ("key.columns", "none"),
];

impl Options for JdbcSourceOptions {
    const DOCS: &'static str = "`sql-source` under the name of the JDBC source connector, with that one's option names, offsets and defaults.";

    fn definitions() -> Vec<OptionDef> {
        let mut definitions = SqlSourceOptions::definitions();
        for definition in &mut definitions {
            if let Some((_, default)) = JDBC_DEFAULTS
                .iter()
                .find(|(name, _)| *name == definition.name)
            {
                definition.default = Some((*default).to_owned());
            }
        }
        definitions
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        SqlSourceOptions::read(reader).map(Self)
    }

    fn from_config(
        config: &std::collections::BTreeMap<String, String>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut config = config.clone();
        for (name, default) in JDBC_DEFAULTS {
            config
                .entry(name.to_owned())
                .or_insert_with(|| default.to_owned());
        }
        SqlSourceOptions::from_config(&config).map(Self)
    }

    fn check(&self) -> Vec<ConfigProblem> {
        self.0.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(config: &[(&str, &str)]) -> Vec<String> {
        let base = [("connection.url", "postgres://h/d"), ("topic.prefix", "t-")];
        let config = base
            .iter()
            .chain(config)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let mut options: Vec<String> = SqlSourceOptions::from_config(&config)
            .err()
            .unwrap_or_default()
            .into_iter()
            .map(|problem| problem.option)
            .collect();
        options.sort();
        options
    }

    fn check(config: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(problems(config), expected, "{config:?}");
    }

    #[test]
    fn all_options_are_checked_at_once() {
        check(&[("mode", "bulk")], &[]);
        check(
            &[("mode", "incrementing"), ("table.whitelist", "a, b")],
            &[],
        );
        check(&[("mode", "timestamp")], &["timestamp.column.name"]);
        check(
            &[
                ("mode", "timestamp+incrementing"),
                ("table.include.list", "a(,b"),
                ("db.timezone", "Mars"),
                ("timestamp.initial", "yesterday"),
                ("table.types", "TABLE,SYNONYM"),
            ],
            &[
                "db.timezone",
                "table.include.list",
                "table.types",
                "timestamp.column.name",
                "timestamp.initial.ms",
            ],
        );
        check(
            &[
                ("mode", "incrementing"),
                ("query", "SELECT 1"),
                ("table.blacklist", "a"),
            ],
            &["incrementing.column.name", "query"],
        );
        check(
            &[("mode", "bulk"), ("topic.name.format", "${tabel}")],
            &["topic.name.format"],
        );
        check(
            &[("mode", "bulk"), ("quote.sql.identifiers", "sometimes")],
            &["quote.sql.identifiers"],
        );
    }

    #[test]
    fn columns_of_a_table_come_from_the_first_mapping_that_matches() {
        let config = [
            ("connection.url", "postgres://h/d"),
            ("mode", "timestamp+incrementing"),
            ("incrementing.column.name", "id"),
            ("incrementing.column.mapping", "public\\.a.*:no"),
            ("timestamp.columns.mapping", ".*orders:[changed|created]"),
        ];
        let config = config
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let options = SqlSourceOptions::from_config(&config).unwrap();
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            options.columns_for(&names)
        };
        assert_eq!(
            of(&["ab", "public.ab"]),
            (Some("no".to_owned()), Vec::new())
        );
        assert_eq!(
            of(&["orders"]),
            (
                Some("id".to_owned()),
                vec!["changed".to_owned(), "created".to_owned()]
            )
        );
    }

    #[test]
    fn the_jdbc_names_bring_the_jdbc_defaults() {
        let config = [
            ("connection.url", "jdbc:postgresql://h/d"),
            ("mode", "bulk"),
            ("topic.prefix", "t-"),
        ];
        let config = config
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let jdbc = JdbcSourceOptions::from_config(&config).unwrap().0;
        assert_eq!(jdbc.granularity.0, Granularity::ConnectLogical);
        assert_eq!(jdbc.timezone.as_deref(), Some("UTC"));
        assert_eq!(jdbc.key_columns, ["none"]);
        let ours = SqlSourceOptions::from_config(&config).unwrap();
        assert_eq!(
            (ours.granularity.0, ours.timezone),
            (Granularity::Micros, None)
        );
        let shown = JdbcSourceOptions::definitions();
        let zone = shown
            .iter()
            .find(|option| option.name == "db.timezone")
            .unwrap();
        assert_eq!(zone.default.as_deref(), Some("UTC"));
    }
}
