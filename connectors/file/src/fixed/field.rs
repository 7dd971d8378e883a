//! One field of a fixed-width record: bytes to a value and back, without guessing and without loss.

use linkspan_sdk::prelude::*;

use super::dates::{self, Pattern};
use super::number::{self, Sign};
use super::scalar::Scalar;
use super::{Fault, hex};
use crate::column::{Cell, ColumnType};
use crate::encoding::{Fallback, TextEncoding};
use crate::moment::Zone;

/// Which end of a field is filled up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// What a field is filled up with, in the file's encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pad {
    /// One byte, or the two of a full-width space.
    pub(crate) unit: Vec<u8>,
    /// The pad is the digit zero, part of a number's digits.
    pub(crate) zero: bool,
}

/// What all fields of a file share.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) encoding: TextEncoding,
    pub(crate) zone: Option<Zone>,
    /// What is written for a character that the encoding lacks.
    pub(crate) fallback: Fallback,
}

/// The description of a field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// `None`: a filler, which no row has.
    pub(crate) name: Option<String>,
    /// Bytes before it in the record.
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) kind: ColumnType,
    pub(crate) pad: Pad,
    pub(crate) side: Side,
    pub(crate) sign: Sign,
    /// A decimal point is written.
    pub(crate) point: bool,
    pub(crate) pattern: Option<Pattern>,
    /// Texts that stand for null; the first is what null is written as.
    pub(crate) nulls: Vec<String>,
    /// What is written where a row has no value.
    pub(crate) constant: Option<String>,
    /// A character that the field's edge cuts is dropped, and a text that is too long is cut between characters.
    pub(crate) trims: bool,
    /// The words for true and false.
    pub(crate) words: (String, String),
}

impl Field {
    pub(crate) fn end(&self) -> usize {
        self.start + self.len
    }

    /// The field in an error: its name and its bytes, counted from 1.
    pub(crate) fn place(&self) -> String {
        let name = self.name.as_deref().unwrap_or("filler");
        format!(
            "field `{name}` (bytes {} to {})",
            self.start + 1,
            self.end()
        )
    }

    pub(crate) fn fault(&self, what: impl std::fmt::Display) -> Fault {
        Fault::new(self.start, format!("{}: {what}", self.place()))
    }

    /// Reads the field of a record; `None` is null. `half` says that the field before ended inside a character, and gets to know
    /// whether this one does.
    pub(crate) fn read<'a>(
        &self,
        record: &'a [u8],
        ctx: &Context,
        half: &mut bool,
        scratch: &'a mut String,
    ) -> Result<Option<Cell<'a>>, Fault> {
        let raw = record
            .get(self.start..self.end())
            .ok_or_else(|| self.fault("the record ends before it"))?;
        let begins_inside = std::mem::take(half);
        match self.kind {
            ColumnType::Bytes => return Ok(Some(Cell::Bytes(raw.to_vec()))),
            ColumnType::Text => {
                let raw = if begins_inside {
                    raw.get(1..).unwrap_or_default()
                } else {
                    raw
                };
                return self.read_text(raw, ctx, half, scratch);
            }
            _ => {}
        }
        let stripped = self.strip(raw, true);
        let text = if ctx.encoding.is_ascii_compatible() {
            stripped
        } else {
            scratch.clear();
            if ctx.encoding.decode(stripped, scratch).is_err() {
                return Err(self.unreadable(raw));
            }
            scratch.as_bytes()
        };
        if text.iter().all(|byte| *byte == b' ') || self.is_null(text) {
            return Ok(None);
        }
        self.cell(text, ctx)
            .map(Some)
            .ok_or_else(|| self.unreadable(raw))
    }

    fn read_text<'a>(
        &self,
        raw: &[u8],
        ctx: &Context,
        half: &mut bool,
        scratch: &'a mut String,
    ) -> Result<Option<Cell<'a>>, Fault> {
        let stripped = self.strip(raw, false);
        scratch.clear();
        if let Err(bad) = ctx.encoding.decode(stripped, scratch) {
            let at_edge = stripped.len() == raw.len() || self.side == Side::Left;
            let cut = at_edge && bad.at + bad.len == stripped.len() && bad.len == 1;
            if !(cut && self.trims) {
                let bytes = stripped.get(bad.at..bad.at + bad.len).unwrap_or_default();
                let what = if cut {
                    format!(
                        "ends inside a character, its last byte is {}; `cut: trim` drops it",
                        hex(bytes)
                    )
                } else {
                    format!("the bytes {} are no character of the encoding", hex(bytes))
                };
                let lead = stripped.as_ptr() as usize - raw.as_ptr() as usize;
                return Err(Fault::new(
                    self.end() - raw.len() + lead + bad.at,
                    format!("{}: {what}", self.place()),
                ));
            }
            *half = true;
        }
        if !self.nulls.is_empty() && self.is_null(scratch.as_bytes()) {
            return Ok(None);
        }
        Ok(Some(Cell::Text(scratch)))
    }

    fn is_null(&self, text: &[u8]) -> bool {
        self.nulls.iter().any(|null| null.as_bytes() == text)
    }

    fn unreadable(&self, raw: &[u8]) -> Fault {
        self.fault(format_args!("{} is not {}", hex(raw), self.expectation()))
    }

    fn expectation(&self) -> String {
        match (self.kind, &self.pattern) {
            (ColumnType::Boolean, _) => format!("`{}` or `{}`", self.words.0, self.words.1),
            (ColumnType::Date | ColumnType::Time | ColumnType::Timestamp, Some(_)) => {
                format!("a `{}` of its `format`", self.kind)
            }
            (kind, _) => format!(
                "of type `{kind}`{}",
                if self.point { " with a point" } else { "" }
            ),
        }
    }

    /// Takes the pad off. The zeros in front of a number are digits.
    fn strip<'a>(&self, raw: &'a [u8], number: bool) -> &'a [u8] {
        if number && self.pad.zero && self.side == Side::Left {
            return raw;
        }
        let unit = self.pad.unit.as_slice();
        let mut rest = raw;
        if unit.len() == 2 && self.side == Side::Right && raw.len() % 2 == 1 {
            // What full-width spaces leave over is a plain space.
            rest = rest.strip_suffix(b" ").unwrap_or(rest);
        }
        loop {
            let shorter = match self.side {
                Side::Right => rest.strip_suffix(unit),
                Side::Left => rest.strip_prefix(unit),
            };
            match shorter {
                Some(shorter) if !unit.is_empty() => rest = shorter,
                _ => return rest,
            }
        }
    }

    fn cell<'a>(&self, text: &[u8], ctx: &Context) -> Option<Cell<'a>> {
        let whole = || number::parse(text, self.sign, 0, self.point);
        Some(match self.kind {
            ColumnType::Int8 => Cell::Int8(whole()?.try_into().ok()?),
            ColumnType::Int16 => Cell::Int16(whole()?.try_into().ok()?),
            ColumnType::Int32 => Cell::Int32(whole()?.try_into().ok()?),
            ColumnType::Int64 => Cell::Int64(whole()?.try_into().ok()?),
            ColumnType::Decimal { precision, scale } => {
                let unscaled = number::parse(text, self.sign, scale, self.point)?;
                fits(unscaled, precision).then_some(Cell::Decimal(unscaled))?
            }
            ColumnType::Boolean if text == self.words.0.as_bytes() => Cell::Boolean(true),
            ColumnType::Boolean if text == self.words.1.as_bytes() => Cell::Boolean(false),
            ColumnType::Date => {
                Cell::Date(i32::try_from(self.pattern.as_ref()?.read(text)?.0).ok()?)
            }
            ColumnType::Time => {
                Cell::Time(i32::try_from(self.pattern.as_ref()?.read(text)?.1).ok()?)
            }
            ColumnType::Timestamp => {
                let (days, millis) = self.pattern.as_ref()?.read(text)?;
                Cell::Timestamp(dates::to_utc(days, millis, ctx.zone.as_ref()?)?)
            }
            ColumnType::Float32 | ColumnType::Float64 => {
                self.float(std::str::from_utf8(text).ok()?, ctx)?
            }
            ColumnType::Boolean | ColumnType::Text | ColumnType::Bytes => return None,
        })
    }

    fn float<'a>(&self, text: &str, ctx: &Context) -> Option<Cell<'a>> {
        match self.kind.parse(text.trim(), ctx.zone.as_ref())? {
            Cell::Float32(float) => Some(Cell::Float32(float)),
            Cell::Float64(float) => Some(Cell::Float64(float)),
            _ => None,
        }
    }

    /// Appends the field, exactly its length.
    pub(crate) fn write(
        &self,
        value: Option<&Scalar<'_>>,
        ctx: &Context,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let start = out.len();
        match (value, &self.constant) {
            (Some(value), _) => self.write_value(value, ctx, out)?,
            (None, Some(constant)) => self.write_text(constant, ctx, out)?,
            (None, None) => match self.nulls.first() {
                Some(null) if !null.is_empty() => self.write_text(null, ctx, out)?,
                _ => self.write_blank(ctx, out),
            },
        }
        debug_assert_eq!(
            out.len(),
            start + self.len,
            "{} has its length",
            self.place()
        );
        Ok(())
    }

    fn write_value(
        &self,
        value: &Scalar<'_>,
        ctx: &Context,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let refused = || {
            self.fault(format_args!(
                "the value does not fit: it is not {}, or is too long",
                self.expectation()
            ))
        };
        match self.kind {
            ColumnType::Text => {
                let text = value
                    .text()
                    .ok_or_else(|| self.fault("the value is no text"))?;
                return self.write_text(&text, ctx, out);
            }
            ColumnType::Bytes => {
                let Scalar::Bytes(bytes) = value else {
                    return Err(self.fault("the value is not bytes"));
                };
                return self.fill(bytes, out);
            }
            _ => {}
        }
        let text = self.ascii(value, ctx).ok_or_else(refused)?;
        if ctx.encoding.is_ascii_compatible() {
            return self.fill(&text, out);
        }
        let text = String::from_utf8(text).map_err(|_| refused())?;
        self.write_text(&text, ctx, out)
    }

    /// The digits and letters of a value that is no text.
    fn ascii(&self, value: &Scalar<'_>, ctx: &Context) -> Option<Vec<u8>> {
        let (scale, precision) = match self.kind {
            ColumnType::Decimal { precision, scale } => (scale, precision),
            _ => (0, 38),
        };
        match self.kind {
            ColumnType::Int8
            | ColumnType::Int16
            | ColumnType::Int32
            | ColumnType::Int64
            | ColumnType::Decimal { .. } => {
                let unscaled = value.number(u32::from(scale))?;
                if !fits(unscaled, precision) {
                    return None;
                }
                let width = if self.side == Side::Left && self.pad.unit.len() == 1 {
                    self.len
                } else {
                    0
                };
                let fill = if self.pad.zero { b'0' } else { b' ' };
                number::format(unscaled, self.sign, scale, self.point, width, fill)
            }
            ColumnType::Boolean => {
                let flag = match value {
                    Scalar::Boolean(flag) => *flag,
                    other => match other.number(0)? {
                        0 => false,
                        1 => true,
                        _ => return None,
                    },
                };
                let word = if flag { &self.words.0 } else { &self.words.1 };
                Some(word.clone().into_bytes())
            }
            ColumnType::Float32 | ColumnType::Float64 => {
                Some(value.text()?.into_owned().into_bytes())
            }
            ColumnType::Date | ColumnType::Time | ColumnType::Timestamp => self.moment(value, ctx),
            ColumnType::Text | ColumnType::Bytes => None,
        }
    }

    fn moment(&self, value: &Scalar<'_>, ctx: &Context) -> Option<Vec<u8>> {
        let (days, millis) = match (self.kind, value) {
            (ColumnType::Date, value) => (value.days()?, 0),
            (ColumnType::Time, Scalar::Time(millis)) => (0, *millis),
            (ColumnType::Time, Scalar::Text(text)) => (0, i64::from(crate::moment::time(text)?)),
            (_, Scalar::Timestamp(ms)) => dates::from_utc(*ms, ctx.zone.as_ref()?),
            (_, Scalar::Text(text)) => {
                let zone = ctx.zone.as_ref();
                dates::from_utc(crate::moment::timestamp(text, zone)?, zone?)
            }
            _ => return None,
        };
        let mut out = Vec::new();
        self.pattern.as_ref()?.write(days, millis, &mut out)?;
        Some(out)
    }

    fn write_text(&self, text: &str, ctx: &Context, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut encoded = Vec::with_capacity(self.len);
        let unmappable = |bad: crate::encoding::Unmappable| {
            self.fault(format_args!(
                "the encoding has no code for U+{:04X}; `on.unmappable` says what to do then",
                u32::from(bad.character)
            ))
        };
        ctx.encoding
            .encode(text, ctx.fallback, &mut encoded)
            .map_err(unmappable)?;
        let mut rest = text;
        while encoded.len() > self.len {
            if !self.trims {
                return Err(self.fault(format_args!(
                    "the text has {} bytes; `cut: trim` cuts it between characters",
                    encoded.len()
                )));
            }
            let mut characters = rest.chars();
            characters.next_back();
            rest = characters.as_str();
            encoded.clear();
            ctx.encoding
                .encode(rest, ctx.fallback, &mut encoded)
                .map_err(unmappable)?;
        }
        self.fill(&encoded, out)
    }

    /// Appends bytes, padded to the field's length.
    fn fill(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let Some(missing) = self.len.checked_sub(bytes.len()) else {
            return Err(self.fault(format_args!("the value has {} bytes", bytes.len())));
        };
        if self.side == Side::Left {
            self.pad(missing, out);
        }
        out.extend_from_slice(bytes);
        if self.side == Side::Right {
            self.pad(missing, out);
        }
        Ok(())
    }

    fn pad(&self, n: usize, out: &mut Vec<u8>) {
        let unit = &self.pad.unit;
        if let &[byte] = unit.as_slice() {
            out.extend(std::iter::repeat_n(byte, n));
            return;
        }
        for _ in 0..n / unit.len().max(1) {
            out.extend_from_slice(unit);
        }
        out.extend(std::iter::repeat_n(b' ', n % unit.len().max(1)));
    }

    fn write_blank(&self, ctx: &Context, out: &mut Vec<u8>) {
        if self.pad.zero {
            let space = ctx.encoding.space();
            for at in 0..self.len {
                out.push(space.get(at % space.len()).copied().unwrap_or(b' '));
            }
        } else {
            self.pad(self.len, out);
        }
    }
}

fn fits(unscaled: i128, precision: u8) -> bool {
    10_u128
        .checked_pow(u32::from(precision))
        .is_none_or(|limit| unscaled.unsigned_abs() < limit)
}

/// Sets a field of a row to what was read.
pub(crate) fn set(row: &mut RowWriter<'_, '_>, at: usize, cell: Option<&Cell<'_>>) -> Result<()> {
    let Some(cell) = cell else {
        row.null(at)?;
        return Ok(());
    };
    match cell {
        Cell::Text(text) => row.string(at, text)?,
        Cell::Int8(n) => row.int8(at, *n)?,
        Cell::Int16(n) => row.int16(at, *n)?,
        Cell::Int32(n) | Cell::Date(n) | Cell::Time(n) => row.int32(at, *n)?,
        Cell::Int64(n) | Cell::Timestamp(n) => row.int64(at, *n)?,
        Cell::Float32(n) => row.float32(at, *n)?,
        Cell::Float64(n) => row.float64(at, *n)?,
        Cell::Boolean(flag) => row.boolean(at, *flag)?,
        Cell::Bytes(bytes) => row.bytes(at, bytes)?,
        Cell::Decimal(unscaled) => row.bytes(at, shortest(&unscaled.to_be_bytes()))?,
    };
    Ok(())
}

/// The shortest two's complement of the same number, as Java writes it.
pub(crate) fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let mut rest: &[u8] = bytes;
    while let [first, second, ..] = *rest {
        let redundant = (first == 0 && second < 0x80) || (first == 0xff && second >= 0x80);
        if !redundant {
            break;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    rest
}
