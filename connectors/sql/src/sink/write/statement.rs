//! The SQL of writing, put together from quoted names.

use super::super::target::Target;
use super::Writer;
use crate::dialect::Dialect;

impl Writer {
    pub(super) fn upsert_from(
        &self,
        target: &Target,
        columns: &[usize],
        list: &str,
        stage: &str,
    ) -> String {
        let dialect = Dialect::Postgres;
        let key = column_list(target, &target.key, dialect);
        let (distinct, order) = if self.distinct {
            // The last row of a key wins: a later row of the temporary table has a greater ctid.
            (
                format!("DISTINCT ON ({key}) "),
                format!(" ORDER BY {key}, ctid DESC"),
            )
        } else {
            (String::new(), String::new())
        };
        let overriding = overriding(target, columns);
        let conflict = on_conflict(target, columns, dialect);
        format!(
            "INSERT INTO {} ({list}) {overriding}SELECT {distinct}{list} FROM {stage}{order}{conflict}",
            target.quoted
        )
    }
}

pub(super) fn names<'t>(
    target: &'t Target,
    columns: &'t [usize],
    dialect: Dialect,
) -> impl Iterator<Item = String> + 't {
    columns
        .iter()
        .filter_map(|&at| target.table.columns.get(at))
        .map(move |column| dialect.quote(&column.name))
}

pub(super) fn column_list(target: &Target, columns: &[usize], dialect: Dialect) -> String {
    names(target, columns, dialect)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a temporary table is for: these columns with these types, which may have been widened since another one was made.
pub(super) fn stage_key(target: &Target, columns: &[usize]) -> String {
    let columns = columns
        .iter()
        .filter_map(|&at| target.table.columns.get(at))
        .map(|column| format!("{:?} {}", column.name, column.type_name));
    format!(
        "{}({})",
        target.quoted,
        columns.collect::<Vec<_>>().join(", ")
    )
}

pub(super) fn overriding(target: &Target, columns: &[usize]) -> &'static str {
    let always = columns
        .iter()
        .filter_map(|&at| target.table.columns.get(at))
        .any(|column| column.identity_always);
    if always {
        "OVERRIDING SYSTEM VALUE "
    } else {
        ""
    }
}

/// The columns that an upsert or update sets: all but the key.
pub(super) fn settable<'t>(target: &'t Target, columns: &'t [usize]) -> Vec<usize> {
    columns
        .iter()
        .copied()
        .filter(|column| !target.key.contains(column))
        .collect()
}

pub(super) fn on_conflict(target: &Target, columns: &[usize], dialect: Dialect) -> String {
    let set = settable(target, columns);
    match dialect {
        Dialect::MySql => {
            // Without anything to set, setting the key to itself is the statement that changes nothing.
            let names: Vec<String> = if set.is_empty() {
                names(target, target.key.get(..1).unwrap_or_default(), dialect)
                    .map(|name| format!("{name} = {name}"))
                    .collect()
            } else {
                names(target, &set, dialect)
                    .map(|name| format!("{name} = VALUES({name})"))
                    .collect()
            };
            format!(" ON DUPLICATE KEY UPDATE {}", names.join(", "))
        }
        Dialect::Postgres | Dialect::Sqlite => {
            let key = column_list(target, &target.key, dialect);
            if set.is_empty() {
                return format!(" ON CONFLICT ({key}) DO NOTHING");
            }
            let set: Vec<String> = names(target, &set, dialect)
                .map(|name| format!("{name} = EXCLUDED.{name}"))
                .collect();
            format!(" ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", "))
        }
    }
}

pub(super) fn update_from(target: &Target, columns: &[usize], stage: &str) -> Option<String> {
    let dialect = Dialect::Postgres;
    let columns = settable(target, columns);
    if columns.is_empty() {
        return None;
    }
    let set: Vec<String> = names(target, &columns, dialect)
        .map(|name| format!("{name} = s.{name}"))
        .collect();
    let equal: Vec<String> = names(target, &target.key, dialect)
        .map(|name| format!("t.{name} = s.{name}"))
        .collect();
    Some(format!(
        "UPDATE {} AS t SET {} FROM {stage} AS s WHERE {}",
        target.quoted,
        set.join(", "),
        equal.join(" AND ")
    ))
}

/// A placeholder; for PostgreSQL a text that its own input function reads. The cast has no length, so that nothing is cut silently.
pub(super) fn placeholder(
    number: usize,
    column: usize,
    target: &Target,
    dialect: Dialect,
) -> String {
    match (dialect, target.table.columns.get(column)) {
        (Dialect::Postgres, Some(column)) => format!("${number}::text::{}", column.base_type),
        _ => "?".to_owned(),
    }
}

pub(super) fn push_rows(
    sql: &mut String,
    count: usize,
    columns: &[usize],
    target: &Target,
    dialect: Dialect,
) {
    let mut number = 0;
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for (at, &column) in columns.iter().enumerate() {
            if at > 0 {
                sql.push_str(", ");
            }
            number += 1;
            sql.push_str(&placeholder(number, column, target, dialect));
        }
        sql.push(')');
    }
}
