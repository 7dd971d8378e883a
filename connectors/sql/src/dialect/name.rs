//! Names of tables: how they are read from text, and how they become SQL.

use std::fmt;

use super::Dialect;

/// A table, with the schema (PostgreSQL), database (MySQL) or attached database (SQLite) before it, where one is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TableName {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}

/// Why a text is no table's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NameProblem {
    #[error("is empty")]
    Empty,
    #[error("has a NUL character")]
    Nul,
    #[error("has the part `{part}`, which is longer than the {max} that {dialect} allows")]
    TooLong {
        part: String,
        max: usize,
        dialect: &'static str,
    },
    #[error("has more than three parts")]
    Parts,
    #[error("has a quote that is not closed")]
    Quote,
}

impl TableName {
    pub(crate) fn new(schema: Option<&str>, name: &str) -> Self {
        Self {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// Reads `table`, `schema.table` or `database.schema.table` (the database is dropped: a connection has one). A part in the
    /// quotes of the dialect, or in double quotes, may hold dots.
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, NameProblem> {
        let mut parts = split(text)?;
        for part in &parts {
            check_part(part, dialect)?;
        }
        let name = parts.pop().ok_or(NameProblem::Empty)?;
        let schema = parts.pop();
        if parts.len() > 1 {
            return Err(NameProblem::Parts);
        }
        Ok(Self { schema, name })
    }

    /// Returns the name as SQL.
    pub(crate) fn quoted(&self, dialect: Dialect) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", dialect.quote(schema), dialect.quote(&self.name)),
            None => dialect.quote(&self.name),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Checks one identifier.
pub(crate) fn check_part(part: &str, dialect: Dialect) -> Result<(), NameProblem> {
    if part.is_empty() {
        return Err(NameProblem::Empty);
    }
    if part.contains('\0') {
        return Err(NameProblem::Nul);
    }
    let length = match dialect {
        Dialect::Postgres => part.len(),
        Dialect::MySql | Dialect::Sqlite => part.chars().count(),
    };
    if length > dialect.identifier_max() {
        // PostgreSQL would cut the name silently, and two topics could end in one table.
        return Err(NameProblem::TooLong {
            part: part.to_owned(),
            max: dialect.identifier_max(),
            dialect: dialect.name(),
        });
    }
    Ok(())
}

fn split(text: &str) -> Result<Vec<String>, NameProblem> {
    let mut parts = vec![String::new()];
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(part) = parts.last_mut() else {
            return Err(NameProblem::Empty);
        };
        match quote {
            Some(open) if c == open => {
                if chars.peek() == Some(&open) {
                    chars.next();
                    part.push(open);
                } else {
                    quote = None;
                }
            }
            Some(_) => part.push(c),
            None if (c == '"' || c == '`') && part.is_empty() => quote = Some(c),
            None if c == '.' => parts.push(String::new()),
            None => part.push(c),
        }
    }
    if quote.is_some() {
        return Err(NameProblem::Quote);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = TableName::parse(text, Dialect::Postgres).map_or_else(
            |error| error.to_string(),
            |name| name.quoted(Dialect::Postgres),
        );
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn names_have_up_to_three_parts() {
        check("t", r#""t""#);
        check("s.t", r#""s"."t""#);
        check("d.s.t", r#""s"."t""#);
        check("a.b.c.d", "has more than three parts");
        check(r#""a.b".t"#, r#""a.b"."t""#);
        check(r#""a""b""#, r#""a""b""#);
        check("`a.b`", r#""a.b""#);
        check("", "is empty");
        check("s.", "is empty");
        check(r#""s.t"#, "has a quote that is not closed");
        check(r#"t"; DROP TABLE x; --"#, r#""t""; DROP TABLE x; --""#);
        check("a\0b", "has a NUL character");
    }

    #[test]
    fn a_name_that_would_be_cut_is_refused() {
        let long = "x".repeat(64);
        assert!(matches!(
            TableName::parse(&long, Dialect::Postgres),
            Err(NameProblem::TooLong { .. })
        ));
        assert!(TableName::parse(&long, Dialect::MySql).is_ok());
        let korean = "표".repeat(22);
        assert!(TableName::parse(&korean, Dialect::Postgres).is_err());
        assert!(TableName::parse(&korean, Dialect::MySql).is_ok());
    }
}
