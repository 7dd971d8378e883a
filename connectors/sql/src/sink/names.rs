//! From topics to tables.

use std::collections::BTreeMap;

use crate::dialect::{Dialect, TableName};
use crate::sink::options::SinkOptions;

/// How tables are named.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    dialect: Dialect,
    format: String,
    by_topic: BTreeMap<String, String>,
    normalize: bool,
    fold: bool,
    /// Debezium's sink writes topic `a.b` to table `a_b`; the others read a schema and a table in it.
    dots_are_underscores: bool,
}

/// The origin of a Debezium event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) database: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) table: Option<String>,
}

impl Names {
    pub(crate) fn new(options: &SinkOptions, dialect: Dialect, class: &str) -> Self {
        let pairs = options
            .topics_to_tables_mapping
            .iter()
            .filter_map(|pair| pair.split_once(':'));
        Self {
            dialect,
            format: options.table_name_format.clone(),
            by_topic: pairs
                .map(|(topic, table)| (topic.trim().to_owned(), table.trim().to_owned()))
                .collect(),
            normalize: options.table_name_normalize,
            fold: options.folds(),
            dots_are_underscores: class.contains("debezium"),
        }
    }

    /// Whether the table of a topic is known without a record.
    pub(crate) fn is_by_topic(&self) -> bool {
        !self.format.contains("${source.")
    }

    /// Returns the table of a topic's records.
    pub(crate) fn table(&self, topic: &str, origin: &Origin) -> Result<TableName, String> {
        let said = |error: String| {
            format!(
                "the table's name for topic `{topic}` {error}; see `table.name.format` and `topics.to.tables.mapping`"
            )
        };
        if let Some(table) = self.by_topic.get(topic) {
            return TableName::parse(table, self.dialect).map_err(|error| said(error.to_string()));
        }
        let topic_part = if self.dots_are_underscores {
            topic.replace('.', "_")
        } else {
            topic.to_owned()
        };
        let mut text = self.format.replace("${topic}", &topic_part);
        let parts = [
            ("${source.db}", &origin.database),
            ("${source.schema}", &origin.schema),
            ("${source.table}", &origin.table),
        ];
        for (place, part) in parts {
            if text.contains(place) {
                let Some(part) = part else {
                    return Err(said(format!(
                        "needs {place}, and the record is no Debezium event that names it"
                    )));
                };
                text = text.replace(place, part);
            }
        }
        let name =
            TableName::parse(&text, self.dialect).map_err(|error| said(error.to_string()))?;
        let part = |text: &str| {
            let text = if self.normalize {
                normalized(text)
            } else {
                text.to_owned()
            };
            if self.fold && self.dialect == Dialect::Postgres {
                text.to_lowercase()
            } else {
                text
            }
        };
        Ok(TableName {
            schema: name.schema.as_deref().map(part),
            name: part(&name.name),
        })
    }
}

fn normalized(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '_' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use linkspan_sdk::Options as _;

    use super::*;

    fn check(config: &[(&str, &str)], class: &str, topic: &str, expected: &str) {
        let base = [("connection.url", "postgres://h/d")];
        let config = base
            .iter()
            .chain(config)
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let options = SinkOptions::from_config(&config).unwrap();
        let origin = Origin {
            table: Some("Orders".to_owned()),
            schema: Some("s".to_owned()),
            database: None,
        };
        let found = Names::new(&options, Dialect::Postgres, class).table(topic, &origin);
        assert_eq!(
            found.map_or_else(|error| error, |name| name.quoted(Dialect::Postgres)),
            expected
        );
    }

    #[test]
    fn tables_are_named_by_topics() {
        check(&[], "sql-sink", "orders", r#""orders""#);
        check(
            &[("table.name.format", "kafka_${topic}")],
            "sql-sink",
            "orders",
            r#""kafka_orders""#,
        );
        check(&[], "sql-sink", "shop.orders", r#""shop"."orders""#);
        check(
            &[],
            "io.debezium.connector.jdbc.JdbcSinkConnector",
            "server.shop.orders",
            r#""server_shop_orders""#,
        );
        check(
            &[("table.name.normalize", "true")],
            "sql-sink",
            "a-b",
            r#""a_b""#,
        );
        check(
            &[("topics.to.tables.mapping", "a:x.y,b:z")],
            "sql-sink",
            "a",
            r#""x"."y""#,
        );
        check(
            &[("table.name.format", "${source.schema}.${source.table}")],
            "sql-sink",
            "t",
            r#""s"."Orders""#,
        );
        check(
            &[
                ("table.name.format", "S.${topic}"),
                ("quote.identifiers", "never"),
            ],
            "sql-sink",
            "Orders",
            r#""s"."orders""#,
        );
        check(
            &[("table.name.format", "t\"; DROP TABLE x; --${topic}")],
            "sql-sink",
            "a",
            r#""t""; DROP TABLE x; --a""#,
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let config = [
            ("connection.url", "postgres://h/d"),
            ("table.name.format", "${source.db}"),
        ];
        let config = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let options = SinkOptions::from_config(&config).unwrap();
        let error = Names::new(&options, Dialect::Postgres, "")
            .table("t", &Origin::default())
            .unwrap_err();
        assert!(
            error.contains("${source.db}") && error.contains("`t`"),
            "{error}"
        );
    }
}
