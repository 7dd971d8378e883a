//! SQL of the user's own with named parameters: `INSERT INTO t (a, at) VALUES (:name, :__timestamp)`.
//!
//! A name is taken as a parameter outside of quotes and comments; `::type` is PostgreSQL's cast.

use crate::dialect::Dialect;

/// The most parameters of a statement.
const PARAMETERS_MAX: usize = 1_000;

/// A statement with its parameters replaced by the database's placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The text before each parameter, and behind the last.
    fragments: Vec<String>,
    /// What each parameter stands for, in order.
    pub(crate) parameters: Vec<Parameter>,
}

/// What a parameter stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parameter {
    Field(String),
    Key,
    Value,
    Topic,
    Partition,
    Offset,
    Timestamp,
}

/// Why a text is no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("is empty")]
    Empty,
    #[error("has a quote or comment that is not closed")]
    Open,
    #[error("has parentheses that do not pair")]
    Parentheses,
    #[error(
        "has the parameter `:{0}`, which is none of `:__key`, `:__value`, `:__topic`, `:__partition`, `:__offset`, `:__timestamp`"
    )]
    Unknown(String),
    #[error("has more than {PARAMETERS_MAX} parameters")]
    TooMany,
}

impl Statement {
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, Fault> {
        let text = text.trim().trim_end_matches(';');
        if text.is_empty() {
            return Err(Fault::Empty);
        }
        let mut statement = Self {
            fragments: Vec::new(),
            parameters: Vec::new(),
        };
        let mut fragment = String::new();
        let mut depth = 0_i64;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let len = match c {
                '\'' | '"' | '`' => quoted(rest, c, dialect)?,
                '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => rest.find("*/").ok_or(Fault::Open)? + 2,
                '$' if dialect == Dialect::Postgres => dollar_quoted(rest)?,
                ':' if rest.starts_with("::") => 2,
                ':' => {
                    let name: String = rest
                        .chars()
                        .skip(1)
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                        1
                    } else {
                        let len = 1 + name.len();
                        statement.parameters.push(Parameter::named(name)?);
                        if statement.parameters.len() > PARAMETERS_MAX {
                            return Err(Fault::TooMany);
                        }
                        statement.fragments.push(std::mem::take(&mut fragment));
                        rest = rest.get(len..).unwrap_or_default();
                        continue;
                    }
                }
                '(' => {
                    depth += 1;
                    1
                }
                ')' => {
                    depth -= 1;
                    1
                }
                other => other.len_utf8(),
            };
            let (taken, after) = rest.split_at_checked(len).ok_or(Fault::Open)?;
            fragment.push_str(taken);
            rest = after;
        }
        statement.fragments.push(fragment);
        if depth == 0 {
            Ok(statement)
        } else {
            Err(Fault::Parentheses)
        }
    }

    /// Returns the SQL with a text for each parameter, counted from 0.
    pub(crate) fn sql(&self, parameter: impl Fn(usize) -> String) -> String {
        let mut sql = String::new();
        for (n, fragment) in self.fragments.iter().enumerate() {
            sql.push_str(fragment);
            if n < self.parameters.len() {
                sql.push_str(&parameter(n));
            }
        }
        sql
    }
}

impl Parameter {
    fn named(name: String) -> Result<Self, Fault> {
        Ok(match name.as_str() {
            "__key" => Self::Key,
            "__value" => Self::Value,
            "__topic" => Self::Topic,
            "__partition" => Self::Partition,
            "__offset" => Self::Offset,
            "__timestamp" => Self::Timestamp,
            other if other.starts_with("__") => return Err(Fault::Unknown(name)),
            _ => Self::Field(name),
        })
    }
}

/// The bytes of a quoted text at the start; a doubled quote is part of it, a backslash hides one for MySQL.
fn quoted(text: &str, quote: char, dialect: Dialect) -> Result<usize, Fault> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && dialect == Dialect::MySql && quote != '`' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return Ok(at + 1),
            }
        }
    }
    Err(Fault::Open)
}

/// The bytes of `$tag$ … $tag$` at the start, or of the dollar sign alone.
fn dollar_quoted(text: &str) -> Result<usize, Fault> {
    let Some(end) = text
        .get(1..)
        .and_then(|rest| rest.find('$'))
        .map(|at| at + 2)
    else {
        return Ok(1);
    };
    let Some(tag) = text.get(..end).filter(|tag| {
        tag.trim_matches('$')
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_')
    }) else {
        return Ok(1);
    };
    let body = text.get(end..).unwrap_or_default();
    body.find(tag)
        .map(|at| end + at + tag.len())
        .ok_or(Fault::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: Dialect, text: &str, expected: &str, parameters: usize) {
        let statement =
            Statement::parse(text, dialect).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        let sql = statement.sql(|n| dialect.placeholder(n + 1));
        assert_eq!(
            (sql.as_str(), statement.parameters.len()),
            (expected, parameters),
            "{text}"
        );
    }

    #[test]
    fn names_become_placeholders_outside_of_quotes() {
        use Dialect::{MySql, Postgres, Sqlite};
        check(
            Postgres,
            "INSERT INTO t VALUES (:a, :b::jsonb, ':c', \":d\", :a);",
            "INSERT INTO t VALUES ($1, $2::jsonb, ':c', \":d\", $3)",
            3,
        );
        check(
            MySql,
            "INSERT INTO t VALUES (:a, 'it\\':b', `:c`) -- :d",
            "INSERT INTO t VALUES (?, 'it\\':b', `:c`) -- :d",
            1,
        );
        check(
            Sqlite,
            "SELECT /* :x */ ':y' || :z",
            "SELECT /* :x */ ':y' || ?",
            1,
        );
        check(
            Postgres,
            "SELECT $q$ :a $q$, :b",
            "SELECT $q$ :a $q$, $1",
            1,
        );
        check(Postgres, "SELECT a[1:2], :이름", "SELECT a[1:2], $1", 1);
    }

    #[test]
    fn faults_are_found_before_a_server_is_asked() {
        let fault = |text: &str| Statement::parse(text, Dialect::Postgres).unwrap_err();
        assert_eq!(fault(" ; "), Fault::Empty);
        assert_eq!(fault("SELECT 'a"), Fault::Open);
        assert_eq!(fault("SELECT (:a"), Fault::Parentheses);
        assert_eq!(
            fault("SELECT :__ofset"),
            Fault::Unknown("__ofset".to_owned())
        );
    }
}
