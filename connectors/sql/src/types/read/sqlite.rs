//! Cells of SQLite: a tag for the storage class of this very value, then the value.
//!
//! A column's declared type is a hint to SQLite, so every cell says what it is; one of another class than the column's is an
//! error, not a coercion.

use std::borrow::Cow;

use super::calendar::{parse_date, parse_time, parse_wall};
use super::{Cell, CellError, Number, ReadType, fixed, text};

pub(crate) const TAG_INTEGER: u8 = b'i';
pub(crate) const TAG_REAL: u8 = b'r';
pub(crate) const TAG_TEXT: u8 = b't';
pub(crate) const TAG_BLOB: u8 = b'b';

/// Whole doubles up to this are exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

pub(super) fn cell<'a>(kind: &ReadType, raw: &'a [u8]) -> Result<Cell<'a>, CellError> {
    let (&tag, value) = raw
        .split_first()
        .ok_or(CellError::Length(0, "SQLite value"))?;
    match tag {
        TAG_INTEGER => integer(kind, i64::from_le_bytes(fixed(value, "integer")?)),
        TAG_REAL => real(kind, f64::from_le_bytes(fixed(value, "real")?)),
        TAG_TEXT => of_text(kind, text(value)?),
        TAG_BLOB => match kind {
            ReadType::Bytes => Ok(Cell::Bytes(Cow::Borrowed(value))),
            _ => Err(other("BLOB", kind)),
        },
        _ => Err(CellError::Length(raw.len(), "SQLite value")),
    }
}

const fn expected(kind: &ReadType) -> &'static str {
    match kind {
        ReadType::Bool => "a boolean",
        ReadType::Float32 | ReadType::Float64 => "REAL",
        ReadType::Decimal { .. } | ReadType::Numeric => "NUMERIC",
        ReadType::Bytes => "BLOB",
        ReadType::Date => "a date",
        ReadType::Time => "a time",
        ReadType::Wall | ReadType::Instant => "a timestamp",
        ReadType::Int8
        | ReadType::Int16
        | ReadType::Int32
        | ReadType::Int64
        | ReadType::Unsigned(_)
        | ReadType::Year => "INTEGER",
        _ => "TEXT",
    }
}

const fn other(found: &'static str, kind: &ReadType) -> CellError {
    CellError::Class {
        found,
        expected: expected(kind),
    }
}

fn integer(kind: &ReadType, value: i64) -> Result<Cell<'static>, CellError> {
    Ok(match kind {
        ReadType::Bool if value == 0 || value == 1 => Cell::Bool(value == 1),
        ReadType::Int8
        | ReadType::Int16
        | ReadType::Int32
        | ReadType::Int64
        | ReadType::Unsigned(_)
        | ReadType::Year => Cell::Int(value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "the guard lets only exact numbers through"
        )]
        ReadType::Float32 | ReadType::Float64 if value.unsigned_abs() <= 1 << 53 => {
            Cell::Float64(value as f64)
        }
        ReadType::Decimal { .. } | ReadType::Numeric => {
            Cell::Number(Number::small(i128::from(value), 0))
        }
        // As the JDBC driver of SQLite stores them: milliseconds since 1970.
        ReadType::Wall | ReadType::Instant => Cell::Timestamp(
            value
                .checked_mul(1000)
                .ok_or(CellError::Misfit("the timestamp is out of range"))?,
        ),
        _ => return Err(other("INTEGER", kind)),
    })
}

fn real(kind: &ReadType, value: f64) -> Result<Cell<'static>, CellError> {
    Ok(match kind {
        ReadType::Float32 | ReadType::Float64 => Cell::Float64(value),
        // NUMERIC columns hold what has a fraction as REAL: its shortest text is what was written, up to 15 digits.
        ReadType::Decimal { .. } | ReadType::Numeric if value.abs() < EXACT_MAX => {
            Cell::Number(Number::parse(&format!("{value}"))?)
        }
        _ => return Err(other("REAL", kind)),
    })
}

fn of_text<'a>(kind: &ReadType, value: &'a str) -> Result<Cell<'a>, CellError> {
    let no = |what: &'static str| CellError::Text(what);
    Ok(match kind {
        ReadType::Date => match parse_date(value) {
            Some(days) => Cell::Date(days),
            None => return Err(no("date such as 2013-01-31")),
        },
        ReadType::Time => Cell::Time(parse_time(value).ok_or(no("time such as 05:15:00"))?),
        ReadType::Wall => match parse_wall(value) {
            Some((micros, "")) => Cell::Timestamp(micros),
            Some((_, zone)) if super::calendar::parse_offset(zone).is_some() => {
                return Err(CellError::Misfit(
                    "the timestamp has a zone, others of the column may have none; set `db.timezone` for those",
                ));
            }
            _ => return Err(no("timestamp such as 2013-01-31 05:15:00")),
        },
        ReadType::Decimal { .. } | ReadType::Numeric => Cell::Number(Number::parse(value)?),
        ReadType::Text
        | ReadType::Json
        | ReadType::Xml
        | ReadType::Uuid
        | ReadType::Interval
        | ReadType::ZonedTime
        | ReadType::Enum(_)
        | ReadType::EnumSet(_) => Cell::Text(Cow::Borrowed(value)),
        _ => return Err(other("TEXT", kind)),
    })
}
