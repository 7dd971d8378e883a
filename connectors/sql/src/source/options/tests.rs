//! Options as people write them.

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
