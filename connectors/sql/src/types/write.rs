//! From a value to what a database takes: COPY text for PostgreSQL, tagged values to bind for the others.
//!
//! ```text
//! PostgreSQL   COPY text without the delimiter: `\N`, `a\tb` escaped                       any type by the server's own input function
//! others       tag: 0 null · 1 i64 · 2 f64 · 3 text { u32 len | utf8 } · 4 bytes { u32 len | bytes } · 5 u64
//! ```
//!
//! What a server would take but change silently (a fraction into a whole number, a text into SQLite's integer) is refused here.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cell::{Cell, Moment, Unfit};
use super::column::{Column, ColumnKind};
use super::zone::{Zone, instant_of, parse_time};
use super::{json, text, tree};
use crate::dialect::Dialect;

/// How text of a null looks in COPY.
const COPY_NULL: &[u8] = b"\\N";

/// Turns values into what one database takes.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) dialect: Dialect,
    pub(crate) zone: Zone,
    scratch: String,
}

/// A value to bind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
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

    fn date(&mut self, days: i32, kind: &ColumnKind) -> Fitted<'static> {
        self.scratch.clear();
        let moment = Moment {
            seconds: i64::from(days) * 86_400,
            nanos: 0,
        };
        if matches!(kind, ColumnKind::Timestamp { .. }) {
            self.push_moment(moment);
        } else {
            self.push_date(moment);
        }
        Fitted::Scratch
    }

    fn instant(&mut self, moment: Moment, kind: &ColumnKind) -> Fitted<'static> {
        self.scratch.clear();
        match kind {
            ColumnKind::Timestamp { zone: true } => {
                self.push_moment(moment);
                if self.dialect == Dialect::Postgres {
                    self.push_zone();
                }
            }
            ColumnKind::Timestamp { zone: false }
            | ColumnKind::Any
            | ColumnKind::Decimal { .. } => {
                let local = self.zone.local(moment);
                self.push_moment(local);
            }
            ColumnKind::Date => {
                let local = self.zone.local(moment);
                self.push_date(local);
            }
            ColumnKind::Time { .. } => text::push_clock(self.zone.local(moment), &mut self.scratch),
            ColumnKind::Int { .. } => {
                return Fitted::Int(
                    moment.seconds.saturating_mul(1_000) + i64::from(moment.nanos / 1_000_000),
                );
            }
            _ => {
                let quote = matches!(kind, ColumnKind::Json);
                if quote {
                    self.scratch.push('"');
                }
                text::push_moment(moment, 'T', &mut self.scratch);
                self.scratch.push_str(if quote { "Z\"" } else { "Z" });
            }
        }
        Fitted::Scratch
    }

    fn local(&mut self, moment: Moment, kind: &ColumnKind) -> Fitted<'static> {
        self.scratch.clear();
        match kind {
            ColumnKind::Timestamp { zone: true } => {
                let instant = self.zone.instant(moment);
                return self.instant(instant, kind);
            }
            ColumnKind::Timestamp { zone: false } => self.push_moment(moment),
            ColumnKind::Date => self.push_date(moment),
            ColumnKind::Time { .. } => text::push_clock(moment, &mut self.scratch),
            _ => text::push_moment(moment, 'T', &mut self.scratch),
        }
        Fitted::Scratch
    }

    /// A time in text: what the database would misread (an offset on a column without zone) or refuse is converted.
    fn time_text<'a>(&mut self, text: &'a str, zone: bool) -> Fitted<'a> {
        let Some((moment, offset)) = parse_time(text) else {
            // `infinity`, `now`, a date alone: the server judges.
            return Fitted::Text(text);
        };
        let moment = match (offset, zone) {
            (Some(offset), true) => instant_of(moment, offset),
            (Some(offset), false) => self.zone.local(instant_of(moment, offset)),
            (None, true) => self.zone.instant(moment),
            (None, false) => moment,
        };
        self.scratch.clear();
        self.push_moment(moment);
        if zone && self.dialect == Dialect::Postgres {
            self.push_zone();
        }
        Fitted::Scratch
    }

    fn duration(&mut self, micros: i64, kind: &ColumnKind) -> Fitted<'static> {
        match kind {
            ColumnKind::Interval => {
                self.scratch.clear();
                text::push_int(micros, &mut self.scratch);
                self.scratch.push_str(" microseconds");
                Fitted::Scratch
            }
            ColumnKind::Time { .. } => {
                self.scratch.clear();
                text::push_time(micros.saturating_mul(1_000), &mut self.scratch);
                Fitted::Scratch
            }
            _ => Fitted::Int(micros),
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

    fn array(&mut self, cells: &[Cell<'_>], column: &Column) -> Result<Fitted<'static>, Unfit> {
        let mut literal = String::new();
        match &column.kind {
            ColumnKind::Array(item) if self.dialect == Dialect::Postgres => {
                literal.push('{');
                let inner = Column {
                    kind: item.as_ref().clone(),
                    length_max: None,
                    ..column.clone()
                };
                for (n, cell) in cells.iter().enumerate() {
                    if n > 0 {
                        literal.push(',');
                    }
                    let fitted = self.fit(cell, &inner)?;
                    fitted.push_item(&self.scratch, &mut literal)?;
                }
                literal.push('}');
            }
            _ => {
                literal.push('[');
                let inner = Column {
                    kind: ColumnKind::Text,
                    length_max: None,
                    ..column.clone()
                };
                for (n, cell) in cells.iter().enumerate() {
                    if n > 0 {
                        literal.push(',');
                    }
                    let bare = matches!(
                        cell,
                        Cell::Bool(_)
                            | Cell::Int(_)
                            | Cell::Number(_)
                            | Cell::Float32(_)
                            | Cell::Float64(_)
                    );
                    let fitted = self.fit(cell, &inner)?;
                    fitted.push_json(&self.scratch, bare, &mut literal);
                }
                literal.push(']');
            }
        }
        self.scratch = literal;
        Ok(Fitted::Scratch)
    }

    fn push_moment(&mut self, moment: Moment) {
        let (year, ..) = text::civil(text::day_of(moment));
        if self.dialect == Dialect::Postgres && year < 1 {
            self.push_before_christ(moment, true);
        } else {
            text::push_moment(moment, ' ', &mut self.scratch);
        }
    }

    fn push_date(&mut self, moment: Moment) {
        let (year, ..) = text::civil(text::day_of(moment));
        if self.dialect == Dialect::Postgres && year < 1 {
            self.push_before_christ(moment, false);
        } else {
            text::push_date(text::day_of(moment), &mut self.scratch);
        }
    }

    /// PostgreSQL counts years before 1 as BC, from 1 on.
    fn push_before_christ(&mut self, moment: Moment, clock: bool) {
        let (year, month, day) = text::civil(text::day_of(moment));
        self.scratch
            .push_str(&format!("{:04}-{month:02}-{day:02}", 1 - year));
        if clock {
            self.scratch.push(' ');
            text::push_clock(moment, &mut self.scratch);
        }
        self.scratch.push_str(" BC");
    }

    /// The zone stands before ` BC`.
    fn push_zone(&mut self) {
        match self.scratch.strip_suffix(" BC").map(str::len) {
            Some(len) => {
                self.scratch.truncate(len);
                self.scratch.push_str("+00 BC");
            }
            None => self.scratch.push_str("+00"),
        }
    }
}

/// What a column takes; `Scratch` is the text in the encoder's scratch.
#[derive(Debug)]
enum Fitted<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(&'a str),
    Scratch,
    Bytes(&'a [u8]),
    OwnedBytes(Vec<u8>),
}

impl Fitted<'_> {
    fn plain<'s>(&'s self, scratch: &'s str) -> Cow<'s, str> {
        match self {
            Self::Null => Cow::Borrowed("NULL"),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::UInt(number) => Cow::Owned(number.to_string()),
            Self::Float(number) => Cow::Owned(ryu::Buffer::new().format(*number).to_owned()),
            Self::Text(text) => Cow::Borrowed(text),
            Self::Scratch => Cow::Borrowed(scratch),
            Self::Bytes(bytes) => Cow::Owned(hex(bytes)),
            Self::OwnedBytes(bytes) => Cow::Owned(hex(bytes)),
        }
    }

    /// Appends an item of PostgreSQL's array literal.
    fn push_item(&self, scratch: &str, out: &mut String) -> Result<(), Unfit> {
        if matches!(self, Self::Null) {
            out.push_str("NULL");
            return Ok(());
        }
        push_quoted(&self.plain(scratch), out);
        Ok(())
    }

    fn push_json(&self, scratch: &str, bare: bool, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            _ if bare => out.push_str(&self.plain(scratch)),
            Self::Bytes(bytes) => tree::write_text(&STANDARD.encode(bytes), out),
            _ => tree::write_text(&self.plain(scratch), out),
        }
    }
}

fn push_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// Appends a JSON array as PostgreSQL's array literal; arrays inside are further dimensions.
fn array_of_json(text: &str, item: &ColumnKind, out: &mut String) -> Result<(), Unfit> {
    let items = json::items(text).map_err(|fault| Unfit(fault.to_string().into()))?;
    out.push('{');
    for (n, value) in items.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        match value {
            json::Json::Null => out.push_str("NULL"),
            json::Json::Array(inner) if !matches!(item, ColumnKind::Json) => {
                array_of_json(inner, item, out)?
            }
            json::Json::Bool(flag) => out.push_str(if flag { "true" } else { "false" }),
            json::Json::Number(digits) => out.push_str(digits),
            json::Json::Text(text) if matches!(item, ColumnKind::Json) => {
                let mut json = String::new();
                tree::write_text(&text, &mut json);
                push_quoted(&json, out);
            }
            json::Json::Text(text) => push_quoted(&text, out),
            json::Json::Object(text) | json::Json::Array(text) => push_quoted(text, out),
        }
    }
    out.push('}');
    Ok(())
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

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + bytes.len() * 2);
    text.push_str("\\x");
    for byte in bytes {
        text.push(char::from(digit(byte >> 4)));
        text.push(char::from(digit(byte & 15)));
    }
    text
}

/// The hexadecimal digit of a number below 16.
const fn digit(number: u8) -> u8 {
    if number < 10 {
        b'0' + number
    } else {
        b'a' + number - 10
    }
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect()
}

fn copy_text(value: &Fitted<'_>, out: &mut Vec<u8>) {
    match value {
        Fitted::Null => out.extend_from_slice(COPY_NULL),
        Fitted::Int(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes())
        }
        Fitted::UInt(number) => {
            out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes())
        }
        Fitted::Float(number) => {
            out.extend_from_slice(ryu::Buffer::new().format(*number).as_bytes())
        }
        Fitted::Text(text) => escape(text.as_bytes(), out),
        Fitted::Bytes(bytes) => copy_bytes(bytes, out),
        Fitted::OwnedBytes(bytes) => copy_bytes(bytes, out),
        Fitted::Scratch => {}
    }
}

/// A backslash is doubled on its way through COPY.
fn copy_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\\\x");
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

/// Appends text as COPY reads it.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest
        .iter()
        .position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t'))
    {
        let (plain, after) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&byte, after)) = after.split_first() else {
            return;
        };
        out.push(b'\\');
        out.push(match byte {
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            other => other,
        });
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// The text behind what [`escape`] wrote; `None` is null.
pub(crate) fn unescape(copied: &[u8]) -> Option<Vec<u8>> {
    if copied == COPY_NULL {
        return None;
    }
    let mut text = Vec::with_capacity(copied.len());
    let mut bytes = copied.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => text.push(b'\n'),
            Some(b'r') => text.push(b'\r'),
            Some(b't') => text.push(b'\t'),
            Some(&other) => text.push(other),
            None => {}
        }
    }
    Some(text)
}

fn bind(value: &Fitted<'_>, out: &mut Vec<u8>) {
    let mut sized = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        // A record is far below 4 GiB.
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(bytes);
    };
    match value {
        Fitted::Text(text) => sized(3, text.as_bytes()),
        Fitted::Bytes(bytes) => sized(4, bytes),
        Fitted::OwnedBytes(bytes) => sized(4, bytes),
        Fitted::Null => out.push(0),
        Fitted::Int(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Fitted::Float(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Fitted::UInt(number) => {
            out.push(5);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Fitted::Scratch => {}
    }
}

/// Reads what was written to bind.
pub(crate) fn bound(cell: &[u8]) -> Bound<'_> {
    let Some((&tag, rest)) = cell.split_first() else {
        return Bound::Null;
    };
    let word = rest.first_chunk::<8>().copied().unwrap_or_default();
    let payload = rest.get(4..).unwrap_or_default();
    match tag {
        1 => Bound::Int(i64::from_le_bytes(word)),
        2 => Bound::Float(f64::from_le_bytes(word)),
        3 => Bound::Text(std::str::from_utf8(payload).unwrap_or_default()),
        4 => Bound::Bytes(payload),
        5 => Bound::UInt(u64::from_le_bytes(word)),
        _ => Bound::Null,
    }
}

#[cfg(test)]
mod tests;
