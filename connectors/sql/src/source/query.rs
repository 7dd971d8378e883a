//! The SELECT of one round: columns, rows after a place, order.
//!
//! Names are quoted by the dialect, and literals are numbers or timestamps that this module writes itself: no text of a
//! record or a topic gets here.

use super::columns::{Column, From};
use super::position::Position;
use crate::dialect::Dialect;
use crate::types::read::{ReadType, wall_text};

/// The columns that give the order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Order {
    pub(crate) id: Option<String>,
    /// The first one that is not null counts.
    pub(crate) timestamps: Vec<String>,
    /// The type of the timestamps.
    pub(crate) timestamp_kind: Option<ReadType>,
}

impl Order {
    /// Returns how many columns stand behind those of the row, for the place of each row.
    pub(crate) const fn extra(&self) -> usize {
        (if self.id.is_some() { 1 } else { 0 }) + (if self.timestamps.is_empty() { 0 } else { 1 })
    }
}

/// What bounds a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    /// Rows behind this place.
    pub(crate) after: Position,
    /// Rows with a timestamp below this, in microseconds.
    pub(crate) until: Option<i64>,
    /// Rows with at least this number.
    pub(crate) from_id: Option<i64>,
    /// Rows with a number below this.
    pub(crate) to_id: Option<i64>,
}

/// Everything that a statement is made of.
#[derive(Debug)]
pub(crate) struct Select<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) from: &'a From,
    pub(crate) columns: &'a [Column],
    pub(crate) order: &'a Order,
    pub(crate) suffix: &'a str,
}

impl Select<'_> {
    /// Returns the statement of a round.
    pub(crate) fn rows(&self, bounds: &Bounds) -> String {
        let mut list: Vec<String> = self
            .columns
            .iter()
            .map(|column| column.select(self.dialect))
            .collect();
        let (id, time) = (self.id(), self.time());
        list.extend(time.clone());
        list.extend(id.clone());
        let mut sql = format!("SELECT {} FROM {}", list.join(", "), self.source_sql());
        let conditions = self.conditions(bounds, id.as_deref(), time.as_deref());
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        let order: Vec<String> = time.into_iter().chain(id).collect();
        if !order.is_empty() {
            sql.push_str(" ORDER BY ");
            sql.push_str(&order.join(", "));
        }
        if !self.suffix.trim().is_empty() {
            sql.push(' ');
            sql.push_str(self.suffix.trim());
        }
        match self.dialect {
            Dialect::Postgres => format!("COPY ({sql}) TO STDOUT (FORMAT binary)"),
            Dialect::MySql | Dialect::Sqlite => sql,
        }
    }

    /// Returns the statement for the least and the greatest number.
    pub(crate) fn extent(&self) -> Option<String> {
        let id = self.id()?;
        let cast = match self.dialect {
            Dialect::Postgres => "::bigint",
            Dialect::MySql | Dialect::Sqlite => "",
        };
        let (least, greatest) = match self.dialect {
            Dialect::MySql => (
                format!("CAST(MIN({id}) AS SIGNED)"),
                format!("CAST(MAX({id}) AS SIGNED)"),
            ),
            Dialect::Postgres | Dialect::Sqlite => {
                (format!("min({id}){cast}"), format!("max({id}){cast}"))
            }
        };
        Some(format!(
            "SELECT {least}, {greatest} FROM {}",
            self.source_sql()
        ))
    }

    fn source_sql(&self) -> String {
        match self.from {
            From::Table(table) => table.sql_name(self.dialect).quoted(self.dialect),
            // The newline ends a comment that the query may end with.
            From::Query(query) => {
                format!("({query}\n) AS {}", self.dialect.quote("linkspan_query"))
            }
        }
    }

    fn id(&self) -> Option<String> {
        self.order
            .id
            .as_deref()
            .map(|name| self.dialect.quote(name))
    }

    /// The timestamp as it is compared.
    fn time(&self) -> Option<String> {
        let names: Vec<String> = self
            .order
            .timestamps
            .iter()
            .map(|name| self.dialect.quote(name))
            .collect();
        let one = match names.as_slice() {
            [] => return None,
            [one] => one.clone(),
            several => format!("COALESCE({})", several.join(", ")),
        };
        Some(match self.dialect {
            // Text in any of SQLite's forms, or milliseconds: both become milliseconds.
            Dialect::Sqlite => format!(
                "CASE typeof({one}) WHEN 'text' THEN CAST(round((julianday({one}) - 2440587.5) * 86400000.0) AS INTEGER) ELSE {one} END"
            ),
            Dialect::Postgres | Dialect::MySql => one,
        })
    }

    fn conditions(&self, bounds: &Bounds, id: Option<&str>, time: Option<&str>) -> Vec<String> {
        let mut conditions = Vec::new();
        if let Some(time) = time {
            if let Some(until) = bounds.until {
                conditions.push(format!("{time} < {}", self.timestamp(until)));
            }
            match (
                bounds.after.micros.map(|micros| self.timestamp(micros)),
                bounds.after.id,
                id,
            ) {
                (Some(at), Some(after), Some(id)) => {
                    conditions.push(format!(
                        "{time} >= {at} AND ({time} > {at} OR {id} > {after})"
                    ));
                }
                (Some(at), _, _) => conditions.push(format!("{time} > {at}")),
                (None, _, _) => conditions.push(format!("{time} IS NOT NULL")),
            }
        } else if let Some(id) = id {
            match bounds.after.id {
                Some(after) => conditions.push(format!("{id} > {after}")),
                None => conditions.push(format!("{id} IS NOT NULL")),
            }
        }
        if let Some(id) = id {
            if let Some(from) = bounds.from_id {
                conditions.push(format!("{id} >= {from}"));
            }
            if let Some(to) = bounds.to_id {
                conditions.push(format!("{id} < {to}"));
            }
        }
        conditions
    }

    /// A timestamp as a literal of the column's type.
    fn timestamp(&self, micros: i64) -> String {
        let text = wall_text(micros, ' ');
        match (self.dialect, &self.order.timestamp_kind) {
            (Dialect::Postgres, Some(ReadType::Instant)) => format!("'{text}+00'::timestamptz"),
            (Dialect::Postgres, _) => format!("'{text}'::timestamp"),
            (Dialect::MySql, _) => format!("TIMESTAMP '{text}'"),
            (Dialect::Sqlite, _) => micros.div_euclid(1000).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tables::Table;

    fn select(dialect: Dialect, from: &From, order: &Order, bounds: &Bounds) -> String {
        let column = |name: &str, cast| Column {
            name: name.to_owned(),
            kind: ReadType::Text,
            nullable: false,
            cast,
            key: None,
            numbered: false,
        };
        let columns = [column("id", ""), column("we\"ird", "::text")];
        let columns = if dialect == Dialect::Postgres {
            &columns[..]
        } else {
            &columns[..1]
        };
        Select {
            dialect,
            from,
            columns,
            order,
            suffix: "",
        }
        .rows(bounds)
    }

    fn table() -> From {
        From::Table(Table {
            database: Some("d".to_owned()),
            schema: Some("s".to_owned()),
            name: "t".to_owned(),
        })
    }

    #[test]
    fn rows_after_a_number() {
        let order = Order {
            id: Some("id".to_owned()),
            ..Order::default()
        };
        let bounds = Bounds {
            after: Position::id(7),
            to_id: Some(100),
            ..Bounds::default()
        };
        assert_eq!(
            select(Dialect::Postgres, &table(), &order, &bounds),
            r#"COPY (SELECT "id", "we""ird"::text, "id" FROM "s"."t" WHERE "id" > 7 AND "id" < 100 ORDER BY "id") TO STDOUT (FORMAT binary)"#
        );
        assert_eq!(
            select(Dialect::MySql, &table(), &order, &Bounds::default()),
            "SELECT `id`, `id` FROM `d`.`t` WHERE `id` IS NOT NULL ORDER BY `id`"
        );
    }

    #[test]
    fn rows_after_a_timestamp_and_a_number() {
        let order = Order {
            id: Some("id".to_owned()),
            timestamps: vec!["changed".to_owned(), "made".to_owned()],
            timestamp_kind: Some(ReadType::Instant),
        };
        let bounds = Bounds {
            after: Position {
                micros: Some(1),
                id: Some(7),
            },
            until: Some(2_000_000),
            ..Bounds::default()
        };
        let sql = select(Dialect::Postgres, &table(), &order, &bounds);
        for part in [
            r#"COALESCE("changed", "made") < '1970-01-01 00:00:02+00'::timestamptz"#,
            r#">= '1970-01-01 00:00:00.000001+00'::timestamptz AND (COALESCE("changed", "made") > '1970-01-01 00:00:00.000001+00'::timestamptz OR "id" > 7)"#,
            r#"ORDER BY COALESCE("changed", "made"), "id""#,
        ] {
            assert!(sql.contains(part), "{part}\n{sql}");
        }
    }

    #[test]
    fn a_query_is_read_as_a_table() {
        let from = From::Query("SELECT a FROM b WHERE c UNION SELECT 1 -- all".to_owned());
        assert_eq!(
            select(
                Dialect::Sqlite,
                &from,
                &Order::default(),
                &Bounds::default()
            ),
            "SELECT \"id\" FROM (SELECT a FROM b WHERE c UNION SELECT 1 -- all\n) AS \"linkspan_query\""
        );
    }
}
