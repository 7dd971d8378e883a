//! Cells of PostgreSQL in its binary format, as `COPY … (FORMAT binary)` sends them.
//!
//! Types without an entry here are read as text: the query casts them.

use std::borrow::Cow;

use super::calendar::time_text;
use super::{Cell, CellError, Number, ReadType, fixed, text};

/// 2000-01-01, PostgreSQL's first day, in days and microseconds since 1970.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// The most dimensions of an array, as the server has it.
const DIMENSIONS_MAX: i32 = 6;
/// What `numeric` says instead of a sign.
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const INFINITY: u16 = 0xD000;
const MINUS_INFINITY: u16 = 0xF000;

pub(super) fn cell<'a>(kind: &ReadType, raw: &'a [u8]) -> Result<Cell<'a>, CellError> {
    Ok(match kind {
        ReadType::Bool => Cell::Bool(fixed::<1>(raw, "boolean")? != [0]),
        ReadType::Int8 => Cell::Int(i64::from(i8::from_be_bytes(fixed(raw, "char")?))),
        ReadType::Int16 => Cell::Int(i64::from(i16::from_be_bytes(fixed(raw, "smallint")?))),
        ReadType::Int32 | ReadType::Year => {
            Cell::Int(i64::from(i32::from_be_bytes(fixed(raw, "integer")?)))
        }
        // An oid has 4 bytes without a sign.
        ReadType::Int64 if raw.len() == 4 => {
            Cell::Int(i64::from(u32::from_be_bytes(fixed(raw, "oid")?)))
        }
        ReadType::Int64 => Cell::Int(i64::from_be_bytes(fixed(raw, "bigint")?)),
        ReadType::Unsigned(_) => {
            return Err(CellError::Misfit(
                "the server has no numbers without a sign",
            ));
        }
        ReadType::Float32 => Cell::Float32(f32::from_be_bytes(fixed(raw, "real")?)),
        ReadType::Float64 => Cell::Float64(f64::from_be_bytes(fixed(raw, "double precision")?)),
        ReadType::Decimal { .. } | ReadType::Numeric => numeric(raw)?,
        ReadType::Bytes => Cell::Bytes(Cow::Borrowed(raw)),
        ReadType::Date => match i32::from_be_bytes(fixed(raw, "date")?) {
            i32::MAX => Cell::Endless("infinity"),
            i32::MIN => Cell::Endless("-infinity"),
            days => Cell::Date(
                days.checked_add(EPOCH_DAYS)
                    .ok_or(CellError::Misfit("the date is out of range"))?,
            ),
        },
        ReadType::Time => Cell::Time(i64::from_be_bytes(fixed(raw, "time")?)),
        ReadType::ZonedTime => zoned_time(raw)?,
        ReadType::Wall | ReadType::Instant => match i64::from_be_bytes(fixed(raw, "timestamp")?) {
            i64::MAX => Cell::Endless("infinity"),
            i64::MIN => Cell::Endless("-infinity"),
            micros => Cell::Timestamp(
                micros
                    .checked_add(EPOCH_MICROS)
                    .ok_or(CellError::Misfit("the timestamp is out of range"))?,
            ),
        },
        ReadType::Interval => interval(raw)?,
        ReadType::Uuid => Cell::Text(Cow::Owned(
            uuid::Uuid::from_bytes(fixed(raw, "uuid")?)
                .hyphenated()
                .to_string(),
        )),
        ReadType::Bits(_) => bits(raw)?,
        ReadType::Array(items) => array(items, raw)?,
        ReadType::Text
        | ReadType::Json
        | ReadType::Xml
        | ReadType::Enum(_)
        | ReadType::EnumSet(_) => Cell::Text(Cow::Borrowed(text(raw)?)),
    })
}

/// `digits, weight, sign, scale`, then the digits, all 16 bits wide.
fn numeric(raw: &[u8]) -> Result<Cell<'static>, CellError> {
    let refuse = || CellError::Length(raw.len(), "numeric");
    let (words, rest) = raw.as_chunks::<2>();
    let [count, weight, sign, scale, digits @ ..] = words else {
        return Err(refuse());
    };
    let word = |bytes: &[u8; 2]| u16::from_be_bytes(*bytes);
    if !rest.is_empty() || usize::from(word(count)) != digits.len() {
        return Err(refuse());
    }
    let negative = match word(sign) {
        0 => false,
        NEGATIVE => true,
        NAN => return Ok(Cell::NotFinite("NaN")),
        INFINITY => return Ok(Cell::NotFinite("Infinity")),
        MINUS_INFINITY => return Ok(Cell::NotFinite("-Infinity")),
        _ => return Err(CellError::Text("numeric")),
    };
    Ok(Cell::Number(Number::of_base_10000(
        digits.iter().map(word),
        i32::from(i16::from_be_bytes(*weight)),
        negative,
        i32::from(word(scale)),
    )))
}

/// Microseconds since midnight, then the offset in seconds, west positive.
fn zoned_time(raw: &[u8]) -> Result<Cell<'static>, CellError> {
    let (Some((time, rest)), 12) = (raw.split_first_chunk::<8>(), raw.len()) else {
        return Err(CellError::Length(raw.len(), "time with time zone"));
    };
    let west = i32::from_be_bytes(fixed(rest, "zone")?);
    let (sign, offset) = if west <= 0 {
        ('+', west.unsigned_abs())
    } else {
        ('-', west.unsigned_abs())
    };
    let mut shown = format!(
        "{}{sign}{:02}:{:02}",
        time_text(i64::from_be_bytes(*time)),
        offset / 3600,
        offset / 60 % 60
    );
    if offset % 60 != 0 {
        shown.push_str(&format!(":{:02}", offset % 60));
    }
    Ok(Cell::Text(Cow::Owned(shown)))
}

/// Microseconds, days and months become ISO 8601's `P1Y2M3DT4H5M6.7S`.
fn interval(raw: &[u8]) -> Result<Cell<'static>, CellError> {
    let refuse = || CellError::Length(raw.len(), "interval");
    let (micros, rest) = raw.split_first_chunk::<8>().ok_or_else(refuse)?;
    let (days, months) = rest.split_first_chunk::<4>().ok_or_else(refuse)?;
    let micros = i64::from_be_bytes(*micros);
    let days = i32::from_be_bytes(*days);
    let months = i32::from_be_bytes(fixed(months, "interval")?);
    let mut shown = "P".to_owned();
    let mut part = |number: i64, unit: char| {
        if number != 0 {
            shown.push_str(&format!("{number}{unit}"));
        }
    };
    part(i64::from(months / 12), 'Y');
    part(i64::from(months % 12), 'M');
    part(i64::from(days), 'D');
    if micros != 0 {
        part_of_day(&mut shown, micros);
    }
    if shown == "P" {
        shown.push_str("T0S");
    }
    Ok(Cell::Text(Cow::Owned(shown)))
}

fn part_of_day(shown: &mut String, micros: i64) {
    shown.push('T');
    let seconds = micros / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours != 0 {
        shown.push_str(&format!("{hours}H"));
    }
    if minutes != 0 {
        shown.push_str(&format!("{minutes}M"));
    }
    let below = micros % 1_000_000;
    if below != 0 {
        let sign = if micros < 0 { "-" } else { "" };
        let fraction = format!("{:06}", below.unsigned_abs());
        shown.push_str(&format!(
            "{sign}{}.{}S",
            seconds.unsigned_abs(),
            fraction.trim_end_matches('0')
        ));
    } else if seconds != 0 {
        shown.push_str(&format!("{seconds}S"));
    }
}

/// A count of bits, then the bits, the first one highest; Connect's `Bits` has the lowest byte first.
fn bits(raw: &[u8]) -> Result<Cell<'static>, CellError> {
    let refuse = || CellError::Length(raw.len(), "bit string");
    let (count, bytes) = raw.split_first_chunk::<4>().ok_or_else(refuse)?;
    let count = usize::try_from(i32::from_be_bytes(*count)).map_err(|_| refuse())?;
    if bytes.len() != count.div_ceil(8) {
        return Err(refuse());
    }
    // The last bit is the lowest one: the padding behind it is shifted out.
    let padding = bytes.len() * 8 - count;
    let mut low_first: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut above = 0_u8;
    for &byte in bytes {
        let shifted = if padding == 0 {
            byte
        } else {
            (byte >> padding) | above
        };
        above = if padding == 0 {
            0
        } else {
            byte << (8 - padding)
        };
        low_first.push(shifted);
    }
    low_first.reverse();
    Ok(Cell::Bytes(Cow::Owned(low_first)))
}

/// Dimensions, a flag for nulls, the type of the items; per dimension its length and lower bound; then the items.
fn array<'a>(items: &ReadType, raw: &'a [u8]) -> Result<Cell<'a>, CellError> {
    let refuse = || CellError::Length(raw.len(), "array");
    let mut rest = raw;
    let int = |rest: &mut &'a [u8]| {
        let (bytes, after) = rest.split_first_chunk::<4>().ok_or_else(refuse)?;
        *rest = after;
        Ok(i32::from_be_bytes(*bytes))
    };
    let dimensions = int(&mut rest)?;
    let _nulls = int(&mut rest)?;
    let _item_type = int(&mut rest)?;
    match dimensions {
        0 => return Ok(Cell::Array(Vec::new())),
        1 => {}
        2..=DIMENSIONS_MAX => {
            return Err(CellError::Misfit(
                "an array of several dimensions has no Connect type; cast it to text in a query",
            ));
        }
        _ => return Err(refuse()),
    }
    let count = usize::try_from(int(&mut rest)?).map_err(|_| refuse())?;
    let _lower_bound = int(&mut rest)?;
    // Each item has at least its length: a made-up count reserves nothing.
    let mut cells = Vec::with_capacity(count.min(rest.len() / 4));
    for _ in 0..count {
        match usize::try_from(int(&mut rest)?) {
            Ok(length) => {
                let (item, after) = rest.split_at_checked(length).ok_or_else(refuse)?;
                rest = after;
                cells.push(Some(cell(items, item)?));
            }
            Err(_) => cells.push(None),
        }
    }
    Ok(Cell::Array(cells))
}
