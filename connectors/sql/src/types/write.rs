//! From a value to what a database takes: COPY text for PostgreSQL, tagged values to bind for the others.
//!
//! ```text
//! PostgreSQL   COPY text without the delimiter: `\N`, `a\tb` escaped                       any type by the server's own input function
//!              COPY's binary form, see `binary`                                           the types that are the same on both sides
//! others       tag: 0 null · 1 i64 · 2 f64 · 3 text { u32 len | utf8 } · 4 bytes { u32 len | bytes } · 5 u64
//! ```
//!
//! What a server would take but change silently (a fraction into a whole number, a text into SQLite's integer) is refused here.

mod array;
pub(crate) mod binary;
mod bind;
mod copy;
mod fitted;
mod hex;
mod moment;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) use self::binary::Binary;
pub(crate) use self::bind::{Bound, bound};
pub(crate) use self::copy::{escape, unescape};

use self::array::array_of_json;
use self::bind::bind;
use self::copy::copy_text;
use self::fitted::Fitted;
use self::hex::unhex;
use super::cell::{Cell, Unfit};
use super::column::{Column, ColumnKind};
use super::text;
use super::zone::Zone;
use crate::dialect::Dialect;

/// Turns values into what one database takes.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) dialect: Dialect,
    pub(crate) zone: Zone,
    scratch: String,
}

impl Encoder {
    pub(crate) const fn new(dialect: Dialect, zone: Zone) -> Self {
        Self {
            dialect,
            zone,
            scratch: String::new(),
        }
    }

    /// Appends a value for a column.
    pub(crate) fn encode(
        &mut self,
        cell: &Cell<'_>,
        column: &Column,
        out: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        let value = self.fit(cell, column)?;
        match self.dialect {
            Dialect::Postgres => copy_text(&value, out),
            Dialect::MySql | Dialect::Sqlite => bind(&value, out),
        }
        if let Fitted::Scratch = value {
            match self.dialect {
                Dialect::Postgres => escape(self.scratch.as_bytes(), out),
                Dialect::MySql | Dialect::Sqlite => bind(&Fitted::Text(&self.scratch), out),
            }
        }
        Ok(())
    }

    /// Finds the form of a value that the column takes.
    fn fit<'a>(&mut self, cell: &'a Cell<'_>, column: &Column) -> Result<Fitted<'a>, Unfit> {
        let kind = &column.kind;
        let fitted = match cell {
            Cell::Null => Fitted::Null,
            Cell::Bool(flag) => self.boolean(*flag, kind),
            Cell::Int(number) => self.whole(*number, kind)?,
            Cell::Float32(number) => self.float(f64::from(*number), Some(*number), kind)?,
            Cell::Float64(number) => self.float(*number, None, kind)?,
            Cell::Number(digits) => self.digits(digits, kind)?,
            Cell::Decimal { unscaled, scale } => {
                self.scratch.clear();
                text::push_decimal(unscaled, *scale, &mut self.scratch);
                if matches!(kind, ColumnKind::Int { .. }) {
                    drop_zero_fraction(&mut self.scratch)?;
                }
                Fitted::Scratch
            }
            Cell::Text(text) => self.text(text, false, column)?,
            Cell::Loose(text) => self.text(text, true, column)?,
            Cell::Bytes(bytes) => self.bytes(bytes, column)?,
            Cell::Date(days) => self.date(*days, kind),
            Cell::Time(nanos) => {
                self.scratch.clear();
                text::push_time(*nanos, &mut self.scratch);
                Fitted::Scratch
            }
            Cell::Instant(moment) => self.instant(*moment, kind),
            Cell::Local(moment) => self.local(*moment, kind),
            Cell::Duration(micros) => self.duration(*micros, kind),
            Cell::Bits(bits) => self.bits(bits, kind)?,
            Cell::Json(text) => match kind {
                ColumnKind::Array(item) if self.dialect == Dialect::Postgres => {
                    let item = item.clone();
                    self.scratch.clear();
                    array_of_json(text, &item, &mut self.scratch)?;
                    Fitted::Scratch
                }
                _ => self.plain(text, column)?,
            },
            Cell::Array(cells) => self.array(cells, column)?,
        };
        Ok(fitted)
    }

    fn boolean(&self, flag: bool, kind: &ColumnKind) -> Fitted<'static> {
        match (kind, self.dialect) {
            (ColumnKind::Text | ColumnKind::Json | ColumnKind::Enum | ColumnKind::Other, _) => {
                Fitted::Text(if flag { "true" } else { "false" })
            }
            (ColumnKind::Boolean, Dialect::Postgres) => Fitted::Text(if flag { "t" } else { "f" }),
            _ => Fitted::Int(i64::from(flag)),
        }
    }

    fn whole(&mut self, number: i64, kind: &ColumnKind) -> Result<Fitted<'static>, Unfit> {
        match kind {
            ColumnKind::Date | ColumnKind::Time { .. } | ColumnKind::Timestamp { .. }
                if self.dialect != Dialect::Sqlite =>
            {
                Err(Unfit::new(
                    "is a number, where a date or time is wanted: a transform (TimestampConverter) or a schema says what it counts",
                ))
            }
            ColumnKind::Text | ColumnKind::Json if self.dialect == Dialect::Sqlite => {
                self.scratch.clear();
                text::push_int(number, &mut self.scratch);
                Ok(Fitted::Scratch)
            }
            _ => Ok(Fitted::Int(number)),
        }
    }

    fn float(
        &mut self,
        number: f64,
        single: Option<f32>,
        kind: &ColumnKind,
    ) -> Result<Fitted<'static>, Unfit> {
        if let ColumnKind::Int { .. } = kind {
            // Beyond 2^53 not every whole number has a float of its own, but this one has.
            #[expect(clippy::cast_possible_truncation, reason = "the bounds are checked")]
            return if number.fract() == 0.0 && number.abs() < 9.2e18 {
                Ok(Fitted::Int(number as i64))
            } else {
                Err(Unfit::new(
                    "has a fraction or is too large, where a whole number is wanted",
                ))
            };
        }
        if !number.is_finite() {
            return match (self.dialect, kind) {
                (Dialect::Postgres, _) | (_, ColumnKind::Text) => {
                    Ok(Fitted::Text(text::not_finite(number)))
                }
                (Dialect::Sqlite, _) if !number.is_nan() => Ok(Fitted::Float(number)),
                _ => Err(Unfit::new(
                    "is NaN or infinite, which this database does not store",
                )),
            };
        }
        let as_text = self.dialect == Dialect::Postgres
            || matches!(
                kind,
                ColumnKind::Decimal { .. } | ColumnKind::Text | ColumnKind::Json
            );
        if !as_text {
            return Ok(Fitted::Float(number));
        }
        self.scratch.clear();
        let mut buffer = ryu::Buffer::new();
        self.scratch.push_str(match single {
            Some(single) => buffer.format_finite(single),
            None => buffer.format_finite(number),
        });
        Ok(Fitted::Scratch)
    }

    fn digits<'a>(&mut self, digits: &'a str, kind: &ColumnKind) -> Result<Fitted<'a>, Unfit> {
        let is_whole = !digits.contains(['.', 'e', 'E']);
        match kind {
            ColumnKind::Int { .. } | ColumnKind::Year => match digits.parse::<i64>() {
                Ok(number) => Ok(Fitted::Int(number)),
                // Larger than 64 bits with sign: perhaps MySQL's unsigned ones; the server knows the bounds.
                Err(_) if is_whole => Ok(Fitted::Text(digits)),
                Err(_) => self.float(
                    digits.parse().map_err(|_| Unfit::new("is no number"))?,
                    None,
                    kind,
                ),
            },
            ColumnKind::Date | ColumnKind::Time { .. } | ColumnKind::Timestamp { .. } => {
                self.whole(0, kind).map(|_| Fitted::Text(digits))
            }
            ColumnKind::Float32 | ColumnKind::Float64 if self.dialect != Dialect::Postgres => {
                digits
                    .parse()
                    .map(Fitted::Float)
                    .map_err(|_| Unfit::new("is no number"))
            }
            ColumnKind::Any if self.dialect == Dialect::Sqlite => Ok(match digits.parse::<i64>() {
                Ok(number) => Fitted::Int(number),
                Err(_) => digits.parse().map_or(Fitted::Text(digits), Fitted::Float),
            }),
            _ => Ok(Fitted::Text(digits)),
        }
    }

    fn text<'a>(
        &mut self,
        text: &'a str,
        loose: bool,
        column: &Column,
    ) -> Result<Fitted<'a>, Unfit> {
        match &column.kind {
            ColumnKind::Bytes if loose => {
                let bytes = match text.strip_prefix("\\x").and_then(unhex) {
                    Some(bytes) => bytes,
                    None => STANDARD.decode(text).map_err(|_| Unfit::new("is neither base64 nor `\\x` and hexadecimal digits, where bytes are wanted"))?,
                };
                Ok(Fitted::OwnedBytes(bytes))
            }
            ColumnKind::Bytes => Ok(Fitted::Bytes(text.as_bytes())),
            ColumnKind::Timestamp { zone } => Ok(self.time_text(text, *zone)),
            ColumnKind::Array(item)
                if self.dialect == Dialect::Postgres && text.trim_start().starts_with('[') =>
            {
                let item = item.clone();
                self.scratch.clear();
                array_of_json(text, &item, &mut self.scratch)?;
                Ok(Fitted::Scratch)
            }
            ColumnKind::Boolean if self.dialect != Dialect::Postgres => match text.trim() {
                "1" => Ok(Fitted::Int(1)),
                "0" => Ok(Fitted::Int(0)),
                word if word.eq_ignore_ascii_case("true") => Ok(Fitted::Int(1)),
                word if word.eq_ignore_ascii_case("false") => Ok(Fitted::Int(0)),
                _ => Err(Unfit::new("is neither true nor false")),
            },
            ColumnKind::Int { .. } if self.dialect == Dialect::Sqlite => text
                .trim()
                .parse()
                .map(Fitted::Int)
                .map_err(|_| Unfit::new("is no whole number")),
            ColumnKind::Float32 | ColumnKind::Float64 if self.dialect == Dialect::Sqlite => text
                .trim()
                .parse()
                .map(Fitted::Float)
                .map_err(|_| Unfit::new("is no number")),
            _ => self.plain(text, column),
        }
    }

    /// A text as it is, if the column has room for it.
    fn plain<'a>(&self, text: &'a str, column: &Column) -> Result<Fitted<'a>, Unfit> {
        if self.dialect == Dialect::Postgres && text.contains('\0') {
            return Err(Unfit::new(
                "holds U+0000, which PostgreSQL stores in no text; take it out with a transform, or use bytea",
            ));
        }
        if let (ColumnKind::Text, Some(max)) = (&column.kind, column.length_max) {
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            if text.len() > max && text.chars().count() > max {
                return Err(Unfit(
                    format!(
                        "is longer than the {max} characters of `{}`",
                        column.type_name
                    )
                    .into(),
                ));
            }
        }
        Ok(Fitted::Text(text))
    }

    fn bytes<'a>(&mut self, bytes: &'a [u8], column: &Column) -> Result<Fitted<'a>, Unfit> {
        match &column.kind {
            ColumnKind::Uuid if bytes.len() == 16 => {
                let id = uuid::Uuid::from_slice(bytes).map_err(|_| Unfit::new("is no UUID"))?;
                self.scratch.clear();
                self.scratch.push_str(
                    id.hyphenated()
                        .encode_lower(&mut uuid::Uuid::encode_buffer()),
                );
                Ok(Fitted::Scratch)
            }
            ColumnKind::Bytes | ColumnKind::Any => Ok(Fitted::Bytes(bytes)),
            _ => {
                let text = std::str::from_utf8(bytes)
                    .map_err(|_| Unfit::new("is no UTF-8, where text is wanted"))?;
                self.plain(text, column)
            }
        }
    }

    fn bits(&mut self, bits: &[u8], kind: &ColumnKind) -> Result<Fitted<'static>, Unfit> {
        if !matches!(kind, ColumnKind::Bit { .. }) {
            return Ok(Fitted::OwnedBytes(bits.to_vec()));
        }
        if self.dialect == Dialect::Postgres {
            let length = match kind {
                ColumnKind::Bit { length } if *length > 0 => {
                    usize::try_from(*length).unwrap_or(usize::MAX)
                }
                _ => bits.len() * 8,
            };
            self.scratch.clear();
            for n in (0..length).rev() {
                let byte = bits.get(n / 8).copied().unwrap_or(0);
                self.scratch
                    .push(if byte & (1 << (n % 8)) == 0 { '0' } else { '1' });
            }
            return Ok(Fitted::Scratch);
        }
        if bits.len() > 8 {
            return Err(Unfit::new("has more than 64 bits"));
        }
        let number = bits
            .iter()
            .rev()
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        Ok(Fitted::UInt(number))
    }
}

fn drop_zero_fraction(digits: &mut String) -> Result<(), Unfit> {
    let Some((whole, fraction)) = digits.split_once('.') else {
        return Ok(());
    };
    if fraction.bytes().any(|digit| digit != b'0') {
        return Err(Unfit::new("has a fraction, where a whole number is wanted"));
    }
    let len = whole.len();
    digits.truncate(len);
    Ok(())
}

#[cfg(test)]
mod tests;
