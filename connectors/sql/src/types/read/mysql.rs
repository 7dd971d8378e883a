//! Cells of MySQL and MariaDB in the binary format of prepared statements: numbers little-endian, times with their length in
//! front, decimals and texts as text.

use std::borrow::Cow;

use super::calendar::{DAY_MICROS, days_of};
use super::{Cell, CellError, Number, ReadType, fixed, text};

pub(super) fn cell<'a>(kind: &ReadType, raw: &'a [u8]) -> Result<Cell<'a>, CellError> {
    Ok(match kind {
        ReadType::Bool => Cell::Bool(raw.iter().any(|byte| *byte != 0)),
        ReadType::Int8 | ReadType::Int16 | ReadType::Int32 | ReadType::Int64 | ReadType::Year => {
            int(raw)?
        }
        ReadType::Unsigned(_) => {
            let value = unsigned(raw)?;
            i64::try_from(value).map_or(Cell::UInt(value), Cell::Int)
        }
        ReadType::Float32 => Cell::Float32(f32::from_le_bytes(fixed(raw, "float")?)),
        ReadType::Float64 => Cell::Float64(f64::from_le_bytes(fixed(raw, "double")?)),
        ReadType::Decimal { .. } | ReadType::Numeric => Cell::Number(Number::parse(text(raw)?)?),
        ReadType::Bytes => Cell::Bytes(Cow::Borrowed(raw)),
        // The server sends the highest byte first, Connect's `Bits` has the lowest first.
        ReadType::Bits(_) => Cell::Bytes(Cow::Owned(raw.iter().rev().copied().collect())),
        ReadType::Date => match moment(raw)? {
            Some((days, _)) => Cell::Date(days),
            None => Cell::ZeroDate,
        },
        ReadType::Wall | ReadType::Instant => match moment(raw)? {
            Some((days, time)) => Cell::Timestamp(i64::from(days) * DAY_MICROS + time),
            None => Cell::ZeroDate,
        },
        ReadType::Time => Cell::Time(time(raw)?),
        ReadType::Text
        | ReadType::Json
        | ReadType::Xml
        | ReadType::Uuid
        | ReadType::ZonedTime
        | ReadType::Interval
        | ReadType::Enum(_)
        | ReadType::EnumSet(_) => Cell::Text(Cow::Borrowed(text(raw)?)),
        ReadType::Array(_) => return Err(CellError::Misfit("the server has no arrays")),
    })
}

fn int(raw: &[u8]) -> Result<Cell<'static>, CellError> {
    Ok(Cell::Int(match raw.len() {
        1 => i64::from(i8::from_le_bytes(fixed(raw, "tinyint")?)),
        2 => i64::from(i16::from_le_bytes(fixed(raw, "smallint")?)),
        4 => i64::from(i32::from_le_bytes(fixed(raw, "int")?)),
        _ => i64::from_le_bytes(fixed(raw, "bigint")?),
    }))
}

fn unsigned(raw: &[u8]) -> Result<u64, CellError> {
    Ok(match raw.len() {
        1 => u64::from(u8::from_le_bytes(fixed(raw, "tinyint")?)),
        2 => u64::from(u16::from_le_bytes(fixed(raw, "smallint")?)),
        4 => u64::from(u32::from_le_bytes(fixed(raw, "int")?)),
        _ => u64::from_le_bytes(fixed(raw, "bigint")?),
    })
}

/// Length, year, month, day, hour, minute, second, microseconds; what is zero at the end is left out. `None` is a zero date.
fn moment(raw: &[u8]) -> Result<Option<(i32, i64)>, CellError> {
    let refuse = || CellError::Length(raw.len(), "date");
    let (&length, rest) = raw.split_first().ok_or_else(refuse)?;
    if usize::from(length) != rest.len() || !matches!(length, 0 | 4 | 7 | 11) {
        return Err(refuse());
    }
    let at = |n: usize| i64::from(rest.get(n).copied().unwrap_or(0));
    let year = at(0) + at(1) * 256;
    let days = days_of(
        year,
        u32::from(rest.get(2).copied().unwrap_or(0)),
        u32::from(rest.get(3).copied().unwrap_or(0)),
    );
    let micros = at(7) + (at(8) << 8) + (at(9) << 16) + (at(10) << 24);
    let time = ((at(4) * 60 + at(5)) * 60 + at(6)) * 1_000_000 + micros;
    // Year, month or day may be zero: such a date does not exist.
    Ok(days.filter(|_| year > 0).map(|days| (days, time)))
}

/// Length, sign, days, hour, minute, second, microseconds.
fn time(raw: &[u8]) -> Result<i64, CellError> {
    let refuse = || CellError::Length(raw.len(), "time");
    let (&length, rest) = raw.split_first().ok_or_else(refuse)?;
    if usize::from(length) != rest.len() || !matches!(length, 0 | 8 | 12) {
        return Err(refuse());
    }
    let at = |n: usize| i64::from(rest.get(n).copied().unwrap_or(0));
    let days = at(1) + (at(2) << 8) + (at(3) << 16) + (at(4) << 24);
    let seconds = ((days * 24 + at(5)) * 60 + at(6)) * 60 + at(7);
    let micros = seconds * 1_000_000 + at(8) + (at(9) << 8) + (at(10) << 16) + (at(11) << 24);
    Ok(if at(0) == 1 { -micros } else { micros })
}
