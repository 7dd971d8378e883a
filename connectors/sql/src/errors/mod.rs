//! What a database said, in one shape: where, table, column, SQLSTATE, and the SQL that mends it.
//!
//! ```text
//! sqlx::Error ─ SqlError::new ─► SqlError { class, code, … } ─ into_error ─► linkspan_sdk::Error (kind, status, message)
//! ```
//!
//! Values of records stand in a server's messages (`invalid input syntax for type numeric: "abc"`). They are left out unless
//! the configuration asks for them; a password never comes here.

mod class;
mod remedy;
mod text;

use std::borrow::Cow;

use linkspan_sdk::Error;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

pub(crate) use class::Class;

use crate::dialect::{Dialect, TableName};

/// Characters of a statement that are shown from the place on at which a server stumbled.
const MARKED_MAX: usize = 40;

/// An error of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) class: Class,
    pub(crate) dialect: Dialect,
    /// SQLSTATE; MySQL's number and SQLite's code stand before or instead of it.
    pub(crate) code: String,
    message: String,
    detail: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) constraint: Option<String>,
    /// The line of a COPY, or the row of a statement with several, counted from 1.
    pub(crate) line: Option<u64>,
    /// The character of the statement at which the server stumbled, counted from 1.
    pub(crate) position: Option<usize>,
}

/// Where something went wrong, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    /// The address without a password, see [`crate::url::ServerUrl`].
    pub(crate) server: &'a str,
    pub(crate) user: Option<&'a str>,
    pub(crate) table: Option<&'a TableName>,
    pub(crate) column: Option<&'a str>,
    /// Whether values of records may be shown.
    pub(crate) show_values: bool,
}

impl<'a> At<'a> {
    pub(crate) const fn server(server: &'a str, user: Option<&'a str>) -> Self {
        Self {
            server,
            user,
            table: None,
            column: None,
            show_values: false,
        }
    }

    pub(crate) const fn table(mut self, table: &'a TableName) -> Self {
        self.table = Some(table);
        self
    }
}

impl SqlError {
    pub(crate) fn new(dialect: Dialect, error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_database(dialect, error.as_ref()),
            other => Self::plain(dialect, class::of_driver(other), other.to_string()),
        }
    }

    /// An error that no server sent.
    pub(crate) fn plain(dialect: Dialect, class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            dialect,
            code: String::new(),
            message: message.into(),
            detail: None,
            column: None,
            constraint: None,
            line: None,
            position: None,
        }
    }

    fn of_database(dialect: Dialect, error: &dyn DatabaseError) -> Self {
        let code = error.code().unwrap_or(Cow::Borrowed("")).into_owned();
        let mut made = Self::plain(dialect, Class::Internal, error.message());
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            made.class = class::of_postgres(&code);
            made.detail = error.detail().map(str::to_owned);
            made.column = error.column().map(str::to_owned);
            made.constraint = error.constraint().map(str::to_owned);
            if let Some(place) = error.r#where() {
                let copy = text::copy_context(place);
                made.line = copy.as_ref().map(|copy| copy.line);
                made.column = made.column.or(copy.and_then(|copy| copy.column));
            }
            made.position = match error.position() {
                Some(PgErrorPosition::Original(at)) => Some(at),
                Some(PgErrorPosition::Internal { .. }) | None => None,
            };
            made.code = code;
        } else if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
            made.class = class::of_mysql(error.number());
            made.column = text::mysql_column(error.message());
            made.line = text::mysql_row(error.message());
            made.code = if code.is_empty() {
                error.number().to_string()
            } else {
                format!("{code}, error {}", error.number())
            };
        } else {
            let number: u32 = code.parse().unwrap_or(0);
            made.class = class::of_sqlite(number, error.message());
            made.column = text::sqlite_column(error.message());
            made.code = code;
        }
        made
    }

    /// Adds where in a statement the server stumbled, with what stands there.
    pub(crate) fn marked_in(mut self, statement: &str) -> Self {
        let Some(at) = self.position else { return self };
        let skipped = at.saturating_sub(1);
        let rest: String = statement.chars().skip(skipped).take(MARKED_MAX).collect();
        if !rest.is_empty() {
            let before = statement.chars().take(skipped);
            let line = 1 + before.filter(|c| *c == '\n').count();
            let rest = rest.lines().next().unwrap_or_default();
            self.message
                .push_str(&format!(", at character {at} (line {line}): ⟶ {rest}"));
        }
        self
    }

    /// Leaves out what the server says about a statement that must not be shown: it quotes from it.
    pub(crate) fn wordless(mut self) -> Self {
        if !self.class.is_temporary() && self.class != Class::Login {
            self.message = "the server refuses the statement, and what it says is not shown, as it quotes from it".to_owned();
            self.detail = None;
        }
        self
    }

    /// Whether one record is at fault, not the whole.
    pub(crate) const fn is_of_record(&self) -> bool {
        self.class.is_of_record()
    }

    /// Whether the connection must not be used again.
    pub(crate) const fn breaks_connection(&self) -> bool {
        matches!(self.class, Class::Unavailable | Class::Protocol)
    }

    /// Returns the error as the host gets it.
    pub(crate) fn into_error(self, at: &At<'_>) -> Error {
        let message = self.render(at);
        let error = Error::new(self.class.kind(), message);
        if self.class.is_temporary() {
            error.temporary()
        } else {
            error
        }
    }

    /// `mysql://h:3306/d as u: table t, column c: message (SQLSTATE 22001); remedy`
    pub(crate) fn render(&self, at: &At<'_>) -> String {
        let mut out = String::from(at.server);
        if let Some(user) = at.user {
            out.push_str(" as ");
            out.push_str(user);
        }
        if let Some(table) = at.table {
            out.push_str(": table `");
            out.push_str(&table.to_string());
            out.push('`');
        }
        let column = self.column.as_deref().or(at.column);
        if let Some(column) = column {
            out.push_str(if at.table.is_some() {
                ", column `"
            } else {
                ": column `"
            });
            out.push_str(column);
            out.push('`');
        }
        out.push_str(": ");
        out.push_str(&self.said(at.show_values));
        if !self.code.is_empty() {
            let word = if self.dialect == Dialect::Sqlite {
                "SQLite code"
            } else {
                "SQLSTATE"
            };
            out.push_str(&format!(" ({word} {})", self.code));
        }
        if let Some(remedy) = remedy::of(self, at, column) {
            out.push_str("; ");
            out.push_str(&remedy);
        }
        out
    }

    /// What the server said, with or without what records hold.
    fn said(&self, show_values: bool) -> String {
        if show_values || !self.class.may_show_values() {
            return match &self.detail {
                Some(detail) => text::shortened(&format!("{}: {detail}", self.message)),
                None => text::shortened(&self.message),
            };
        }
        let mut said = text::without_values(&self.message);
        if let Some(key) = self.detail.as_deref().and_then(text::key_columns) {
            said.push_str(": key (");
            said.push_str(&key);
            said.push(')');
        }
        text::shortened(&said)
    }
}

#[cfg(test)]
mod tests;
