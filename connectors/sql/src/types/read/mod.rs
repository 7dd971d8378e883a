//! A server's value as a value of Connect's.
//!
//! ```text
//! bytes of one cell ── postgres | mysql | sqlite ──► Cell ── form ──► field of a row
//!                        by ReadType                   by Form
//! ```
//! A [`ReadType`] is what the catalog says of a column. With the options ([`Mapping`]) it becomes a [`Form`]: a schema and
//! how to write a cell as one. Nothing is rounded or guessed on the way: what does not fit is a [`CellError`].

mod calendar;
mod form;
mod mysql;
mod number;
mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub(crate) use calendar::{Zone, micros_of_instant, parse_instant, wall_text};
pub(crate) use form::{Form, Granularity, Mapping, NumericMapping};
pub(crate) use number::Number;

use crate::dialect::Dialect;

/// What a column of a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadType {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    /// A whole number without a sign, of so many bits: it takes the next larger signed type.
    Unsigned(u8),
    Float32,
    Float64,
    /// A number with a declared precision and scale.
    Decimal {
        precision: u32,
        scale: i32,
    },
    /// A number of any size and scale.
    Numeric,
    Text,
    Bytes,
    Date,
    Time,
    ZonedTime,
    /// A date and time of day of no known zone.
    Wall,
    /// A point in time.
    Instant,
    Interval,
    Uuid,
    Json,
    Xml,
    /// One of some words, with commas between them.
    Enum(String),
    EnumSet(String),
    Bits(u32),
    Year,
    Array(Box<Self>),
}

/// One value as a server sent it, taken apart; null is the absence of a cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float32(f32),
    Float64(f64),
    Number(Number),
    /// `NaN`, `Infinity` or `-Infinity` of a decimal type.
    NotFinite(&'static str),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight; MySQL's may be negative or longer than a day.
    Time(i64),
    /// Microseconds since 1970: of an instant, or of a wall clock as if it stood in UTC.
    Timestamp(i64),
    /// `infinity` or `-infinity` of PostgreSQL.
    Endless(&'static str),
    /// `0000-00-00` of MySQL, whole or in part.
    ZeroDate,
    Array(Vec<Option<Self>>),
}

/// Why a cell cannot become a field. Never with the value itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CellError {
    #[error("{0} bytes are no {1}")]
    Length(usize, &'static str),
    #[error("the text is not UTF-8")]
    Utf8,
    #[error("the text is no {0}")]
    Text(&'static str),
    #[error("{0}")]
    Misfit(&'static str),
    #[error("a value of type {found} stands in a column for {expected}")]
    Class {
        found: &'static str,
        expected: &'static str,
    },
    #[error("the row could not be written: {0}")]
    Row(String),
}

/// Reads one cell.
pub(crate) fn cell<'a>(
    dialect: Dialect,
    kind: &ReadType,
    raw: &'a [u8],
) -> Result<Cell<'a>, CellError> {
    match dialect {
        Dialect::Postgres => postgres::cell(kind, raw),
        Dialect::MySql => mysql::cell(kind, raw),
        Dialect::Sqlite => sqlite::cell(kind, raw),
    }
}

pub(crate) use sqlite::{TAG_BLOB, TAG_INTEGER, TAG_REAL, TAG_TEXT};

fn text(raw: &[u8]) -> Result<&str, CellError> {
    std::str::from_utf8(raw).map_err(|_| CellError::Utf8)
}

/// Takes bytes of a fixed length.
fn fixed<const N: usize>(raw: &[u8], what: &'static str) -> Result<[u8; N], CellError> {
    raw.try_into()
        .map_err(|_| CellError::Length(raw.len(), what))
}
