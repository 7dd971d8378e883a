//! What differs between the three databases: quoting, placeholders, type names, limits.
//!
//! Everything that becomes SQL text passes through [`Dialect::quote`] or [`TableName::quoted`]; values are always bound or go
//! through COPY.

mod mysql;
mod name;
mod postgres;
mod sqlite;

pub(crate) use name::TableName;

use crate::types::{Column, ColumnKind, Wanted};

/// One of the databases that linkspan speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dialect {
    Postgres,
    /// MySQL and MariaDB.
    MySql,
    Sqlite,
}

impl Dialect {
    /// Returns the name that people use.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL/MariaDB",
            Self::Sqlite => "SQLite",
        }
    }

    /// Returns the port where a server listens if nothing else is said.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::MySql => 3306,
            Self::Sqlite => 0,
        }
    }

    /// Returns the most parameters of one statement.
    pub(crate) const fn binds_max(self) -> usize {
        match self {
            Self::Postgres | Self::MySql => 65_535,
            Self::Sqlite => 32_766,
        }
    }

    /// Returns the longest identifier: in bytes for PostgreSQL, in characters for MySQL.
    pub(crate) const fn identifier_max(self) -> usize {
        match self {
            Self::Postgres => 63,
            Self::MySql => 64,
            Self::Sqlite => 1024,
        }
    }

    /// Returns an identifier in quotes, whatever it holds.
    pub(crate) fn quote(self, identifier: &str) -> String {
        let quote = self.quote_char();
        let mut quoted = String::with_capacity(identifier.len() + 2);
        quoted.push(quote);
        for c in identifier.chars() {
            if c == quote {
                quoted.push(quote);
            }
            quoted.push(c);
        }
        quoted.push(quote);
        quoted
    }

    const fn quote_char(self) -> char {
        match self {
            Self::Postgres | Self::Sqlite => '"',
            Self::MySql => '`',
        }
    }

    /// Returns the placeholder of a parameter, counted from 1.
    pub(crate) fn placeholder(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::MySql | Self::Sqlite => "?".to_owned(),
        }
    }

    /// Returns a text as a literal.
    pub(crate) fn literal(self, text: &str) -> String {
        let escaped = text.replace('\'', "''");
        match self {
            Self::MySql => format!("'{}'", escaped.replace('\\', "\\\\")),
            Self::Postgres | Self::Sqlite => format!("'{escaped}'"),
        }
    }

    /// Returns the type with which a column is created for a value.
    pub(crate) fn column_type(self, wanted: &Wanted) -> String {
        match self {
            Self::Postgres => postgres::column_type(wanted),
            Self::MySql => mysql::column_type(wanted),
            Self::Sqlite => sqlite::column_type(wanted),
        }
    }

    /// Returns the meaning of a column's type, from its name as the catalog has it.
    pub(crate) fn column_kind(self, type_name: &str) -> ColumnKind {
        match self {
            Self::Postgres => postgres::column_kind(type_name),
            Self::MySql => mysql::column_kind(type_name),
            Self::Sqlite => sqlite::column_kind(type_name),
        }
    }

    /// Returns the statement that changes a column's type, where the database can.
    pub(crate) fn alter_type(
        self,
        table: &TableName,
        column: &Column,
        new_type: &str,
    ) -> Option<String> {
        let (table, name) = (table.quoted(self), self.quote(&column.name));
        match self {
            Self::Postgres => Some(format!(
                "ALTER TABLE {table} ALTER COLUMN {name} TYPE {new_type}"
            )),
            Self::MySql => {
                let null = if column.nullable { "NULL" } else { "NOT NULL" };
                Some(format!(
                    "ALTER TABLE {table} MODIFY COLUMN {name} {new_type} {null}"
                ))
            }
            // Types of SQLite are hints: nothing has to be widened.
            Self::Sqlite => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_cannot_leave_their_quotes() {
        let evil = r#"a"; DROP TABLE x; --`'"#;
        assert_eq!(
            Dialect::Postgres.quote(evil),
            r#""a""; DROP TABLE x; --`'""#
        );
        assert_eq!(Dialect::MySql.quote(evil), r#"`a"; DROP TABLE x; --``'`"#);
        assert_eq!(Dialect::Sqlite.quote("ä ö"), "\"ä ö\"");
        assert_eq!(Dialect::Postgres.literal("it's \\"), "'it''s \\'");
        assert_eq!(Dialect::MySql.literal("it's \\"), "'it''s \\\\'");
    }

    #[test]
    fn placeholders_are_each_databases_own() {
        assert_eq!(Dialect::Postgres.placeholder(3), "$3");
        assert_eq!(Dialect::MySql.placeholder(3), "?");
        assert_eq!(Dialect::Sqlite.placeholder(3), "?");
    }
}
