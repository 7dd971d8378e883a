//! The description of a fixed-width file: `fixed.layout`.
//!
//! ```yaml
//! fixed:
//!   record.end: none
//!   layout:
//!     header:  { when: { at: 1, is: H }, emit: false, fields: [ { length: 1, value: H }, { name: day, length: 8, type: date, format: yyyyMMdd } ], length: 40 }
//!     detail:
//!       when: { at: 1, is: D }
//!       fields:
//!         - { name: kind, length: 1 }
//!         - { name: account, length: 6 }
//!         - { name: holder, length: 10, pad: wide }
//!         - { name: balance, start: 18, length: 9, type: "decimal(9,2)", sign: zoned }
//! ```
//!
//! It travels as JSON text whose scalars may all be strings.

use linkspan_sdk::prelude::*;
use linkspan_sdk::serde_json::{Map, Value as Json};

use super::dates::{LETTERS, Pattern};
use super::field::{Field, Pad, Side};
use super::number::Sign;
use crate::column::{ColumnType, TYPE_WORDS};
use crate::encoding::{Fallback, TextEncoding};

/// The longest record, as for every other format.
const RECORD_BYTES_MAX: usize = 16 << 20;
/// More fields than any row may sensibly have.
const FIELDS_MAX: usize = 10_000;

/// How records end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum RecordEnd {
    Lf,
    Crlf,
    None,
}

impl RecordEnd {
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
            Self::None => b"",
        }
    }
}

/// All types of a file.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) types: Vec<RecordType>,
}

/// One type of record.
#[derive(Debug, Clone)]
pub(crate) struct RecordType {
    pub(crate) name: String,
    pub(crate) when: Option<When>,
    /// Bytes without the record's end.
    pub(crate) len: usize,
    pub(crate) fields: Vec<Field>,
    /// Its records are handed out.
    pub(crate) emit: bool,
    /// Where they go, if not where all go.
    pub(crate) topic: Option<TopicName>,
}

/// Bytes at a position that tell a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) at: usize,
    pub(crate) any: Vec<Vec<u8>>,
}

impl When {
    pub(crate) fn matches(&self, record: &[u8]) -> bool {
        self.any
            .iter()
            .any(|bytes| record.get(self.at..self.at + bytes.len()) == Some(bytes))
    }

    /// Bytes that must be in sight to tell.
    pub(crate) fn reach(&self) -> usize {
        self.at + self.any.iter().map(Vec::len).max().unwrap_or(0)
    }
}

impl RecordType {
    /// Returns the schema of its rows, named like the type.
    pub(crate) fn schema(&self) -> Schema {
        self.named()
            .fold(SchemaBuilder::structure(), |schema, (name, field)| {
                schema.field(name, field.kind.schema().optional().build())
            })
            .name(&self.name)
            .build()
    }

    /// The fields that a row has, in their order.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.fields
            .iter()
            .filter_map(|field| Some((field.name.as_deref()?, field)))
    }
}

impl Layout {
    /// Reads the JSON of the option; all problems at once.
    pub(crate) fn parse(
        json: &str,
        encoding: TextEncoding,
        zoned: bool,
    ) -> Result<Self, Vec<String>> {
        let map: Map<String, Json> = match linkspan_sdk::serde_json::from_str(json) {
            Ok(map) => map,
            Err(error) => return Err(vec![format!("is not a map of record types: {error}")]),
        };
        let mut reader = Reader {
            problems: Vec::new(),
            encoding,
            zoned,
        };
        let types: Vec<RecordType> = map
            .iter()
            .map(|(name, body)| reader.record_type(name, body))
            .collect();
        if types.is_empty() {
            reader.problem("", "has no record type");
        }
        let open = types.iter().filter(|kind| kind.when.is_none()).count();
        if types.len() > 1 && open > 1 {
            reader.problem(
                "",
                "has several record types without `when`: each but one needs bytes that tell it",
            );
        }
        if types.iter().all(|kind| !kind.emit) && !types.is_empty() {
            reader.problem("", "hands out no record type: all have `emit: false`");
        }
        if reader.problems.is_empty() {
            Ok(Self { types })
        } else {
            Err(reader.problems)
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.types.iter().position(|kind| kind.name == name)
    }

    /// Tells the type of a record. `None`: no type matches.
    pub(crate) fn tell(&self, record: &[u8]) -> Option<usize> {
        let told = self
            .types
            .iter()
            .position(|kind| kind.when.as_ref().is_some_and(|when| when.matches(record)));
        told.or_else(|| self.types.iter().position(|kind| kind.when.is_none()))
    }

    /// Bytes that must be in sight to tell the type.
    pub(crate) fn reach(&self) -> usize {
        self.types
            .iter()
            .filter_map(|kind| kind.when.as_ref())
            .map(When::reach)
            .max()
            .unwrap_or(0)
    }

    /// The length that all types have, if they do.
    pub(crate) fn common_len(&self) -> Option<usize> {
        let first = self.types.first()?.len;
        self.types
            .iter()
            .all(|kind| kind.len == first)
            .then_some(first)
    }
}

struct Reader {
    problems: Vec<String>,
    encoding: TextEncoding,
    /// A time zone is set, so that timestamps have a meaning.
    zoned: bool,
}

impl Reader {
    fn problem(&mut self, place: &str, what: impl std::fmt::Display) {
        self.problems.push(if place.is_empty() {
            what.to_string()
        } else {
            format!("{place}: {what}")
        });
    }

    fn record_type(&mut self, name: &str, body: &Json) -> RecordType {
        let empty = Map::new();
        let body = body.as_object().unwrap_or_else(|| {
            self.problem(name, "must be a map with `fields`");
            &empty
        });
        self.known(name, body, &["when", "length", "fields", "emit", "topic"]);
        let items: &[Json] = body
            .get("fields")
            .and_then(Json::as_array)
            .map_or(&[], Vec::as_slice);
        if items.is_empty() || items.len() > FIELDS_MAX {
            self.problem(name, "`fields` must be a list of fields");
        }
        let mut fields: Vec<Field> = Vec::new();
        for (index, item) in items.iter().take(FIELDS_MAX).enumerate() {
            let next = fields.last().map_or(0, Field::end);
            let place = match item.get("name").and_then(Json::as_str) {
                Some(field) => format!("{name}.{field}"),
                None => format!("{name}, field {}", index + 1),
            };
            let Some(field) = self.field(&place, item, next) else {
                continue;
            };
            if field.name.is_some() && fields.iter().any(|other| other.name == field.name) {
                self.problem(&place, "is there twice");
            }
            fields.push(field);
        }
        fields.sort_by_key(|field| field.start);
        for pair in fields.windows(2) {
            if let [a, b] = pair
                && b.start < a.end()
            {
                self.problem(
                    name,
                    format_args!("{} and {} overlap", a.place(), b.place()),
                );
            }
        }
        let reach = fields.iter().map(Field::end).max().unwrap_or(0);
        let len = match self.size(name, body, "length") {
            Some(len) if len < reach => {
                self.problem(
                    name,
                    format_args!("`length` is {len}, but its fields take {reach} bytes"),
                );
                len
            }
            Some(len) => len,
            None => reach,
        };
        if len == 0 || len > RECORD_BYTES_MAX {
            self.problem(
                name,
                format_args!("a record has 1 to {RECORD_BYTES_MAX} bytes"),
            );
        }
        let topic = body.get("topic").and_then(Json::as_str).and_then(|text| {
            let topic: Result<TopicName, _> = text.parse();
            topic
                .map_err(|error| self.problem(name, format_args!("`topic`: {error}")))
                .ok()
        });
        RecordType {
            name: name.to_owned(),
            when: body.get("when").and_then(|when| self.when(name, when, len)),
            len,
            fields,
            emit: self.flag(name, body, "emit").unwrap_or(true),
            topic,
        }
    }

    fn when(&mut self, name: &str, when: &Json, len: usize) -> Option<When> {
        let empty = Map::new();
        let map = when.as_object().unwrap_or(&empty);
        self.known(name, map, &["at", "is"]);
        let at = self.size(name, map, "at").filter(|at| *at > 0).unwrap_or(1) - 1;
        let words: Vec<&str> = match map.get("is") {
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(word)) => vec![word],
            _ => Vec::new(),
        };
        let any: Vec<Vec<u8>> = words
            .iter()
            .filter_map(|word| self.bytes(word))
            .filter(|bytes| !bytes.is_empty())
            .collect();
        if any.is_empty() || any.len() != words.len() {
            self.problem(name, "`when` must be `{at: POSITION, is: TEXT}`, the text in the file's encoding or as 0x…");
            return None;
        }
        let when = When { at, any };
        if when.reach() > len {
            self.problem(name, "`when` looks behind the record's end");
        }
        Some(when)
    }

    /// A text in the file's encoding, or bytes as `0x4132`.
    fn bytes(&self, word: &str) -> Option<Vec<u8>> {
        if let Some(digits) = word.strip_prefix("0x") {
            let pairs = digits.as_bytes().chunks(2);
            return pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect();
        }
        let mut out = Vec::new();
        self.encoding
            .encode(word, Fallback::Refuse, &mut out)
            .ok()?;
        Some(out)
    }

    fn field(&mut self, place: &str, item: &Json, next: usize) -> Option<Field> {
        let Some(map) = item.as_object() else {
            self.problem(place, "must be a map with `length`");
            return None;
        };
        self.known(
            place,
            map,
            &[
                "name", "start", "length", "type", "pad", "side", "sign", "point", "format",
                "null", "value", "cut", "true", "false",
            ],
        );
        let word = |key: &str| map.get(key).and_then(Json::as_str);
        let Some(len) = self
            .size(place, map, "length")
            .filter(|len| (1..=RECORD_BYTES_MAX).contains(len))
        else {
            self.problem(place, "needs a `length` in bytes");
            return None;
        };
        let start = self.start(place, map, next);
        let kind = self.kind(place, map);
        let numeric = matches!(
            kind,
            ColumnType::Int8
                | ColumnType::Int16
                | ColumnType::Int32
                | ColumnType::Int64
                | ColumnType::Decimal { .. }
        );
        let pad = self.pad(
            place,
            word("pad").unwrap_or(if numeric { "zero" } else { "space" }),
        );
        let side = self.choice(
            place,
            map,
            "side",
            if numeric { Side::Left } else { Side::Right },
            &[("left", Side::Left), ("right", Side::Right)],
        );
        let sign = self.choice(place, map, "sign", Sign::default(), &Sign::WORDS);
        let point = self.choice(
            place,
            map,
            "point",
            false,
            &[("implied", false), ("written", true)],
        );
        let trims = self.choice(place, map, "cut", false, &[("fail", false), ("trim", true)]);
        let nulls = match map.get("null") {
            Some(Json::Array(list)) => list
                .iter()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
            Some(Json::String(null)) => vec![null.clone()],
            _ => Vec::new(),
        };
        Some(Field {
            name: word("name").map(str::to_owned),
            start,
            len,
            kind,
            pad,
            side,
            sign,
            point,
            pattern: self.pattern(place, kind, word("format"), len),
            nulls,
            constant: word("value").map(str::to_owned),
            trims,
            words: (
                word("true").unwrap_or("Y").to_owned(),
                word("false").unwrap_or("N").to_owned(),
            ),
        })
    }

    fn pad(&mut self, place: &str, word: &str) -> Pad {
        let encoded = |text: &str| {
            let mut out = Vec::new();
            let done = self.encoding.encode(text, Fallback::Refuse, &mut out);
            done.is_ok().then_some(out)
        };
        let unit = match word {
            "space" => Some(self.encoding.space().to_vec()),
            "zero" => encoded("0"),
            "nul" => Some(vec![0]),
            // A full-width space.
            "wide" => encoded("\u{3000}").filter(|unit| unit.len() == 2),
            other => other
                .strip_prefix("0x")
                .and_then(|_| self.bytes(other))
                .filter(|unit| (1..=2).contains(&unit.len())),
        };
        let unit = unit.unwrap_or_else(|| {
            self.problem(place, format_args!("`pad: {word}` must be `space`, `zero`, `nul`, `wide` (in an encoding that has a full-width space) or a byte such as 0x40"));
            vec![b' ']
        });
        Pad {
            zero: word == "zero",
            unit,
        }
    }

    fn pattern(
        &mut self,
        place: &str,
        kind: ColumnType,
        text: Option<&str>,
        len: usize,
    ) -> Option<Pattern> {
        let default = match kind {
            ColumnType::Date => "yyyyMMdd",
            ColumnType::Time => "HHmmss",
            ColumnType::Timestamp => "yyyyMMddHHmmss",
            _ => {
                if text.is_some() {
                    self.problem(place, "`format` is for `date`, `time` and `timestamp`");
                }
                return None;
            }
        };
        let text = text.unwrap_or(default);
        let Some(pattern) = Pattern::parse(text) else {
            self.problem(
                place,
                format_args!("`format: {text}` must be made of {LETTERS}"),
            );
            return None;
        };
        let fits = match kind {
            ColumnType::Date => pattern.has_date() && !pattern.has_time(),
            ColumnType::Time => pattern.has_time() && !pattern.has_date(),
            _ => pattern.has_date() && pattern.has_time(),
        };
        if !fits {
            self.problem(
                place,
                format_args!("`format: {text}` does not make a `{kind}`"),
            );
        }
        if pattern.width() > len {
            self.problem(
                place,
                format_args!("`format: {text}` is longer than the field's {len} bytes"),
            );
        }
        if kind == ColumnType::Timestamp && !self.zoned {
            self.problem(place, "a `timestamp` needs `fixed.timezone`");
        }
        Some(pattern)
    }

    /// Bytes before the field; without `start` it follows the one before it.
    fn start(&mut self, place: &str, map: &Map<String, Json>, next: usize) -> usize {
        match self.size(place, map, "start") {
            Some(0) => {
                self.problem(place, "`start` counts from 1");
                0
            }
            Some(start) => start - 1,
            None => next,
        }
    }

    fn kind(&mut self, place: &str, map: &Map<String, Json>) -> ColumnType {
        let word = map.get("type").and_then(Json::as_str);
        match word.map(str::parse::<ColumnType>) {
            None => ColumnType::Text,
            Some(Ok(kind)) => kind,
            Some(Err(())) => {
                self.problem(place, format_args!("`type` must be one of {TYPE_WORDS}"));
                ColumnType::Text
            }
        }
    }

    /// One of some words.
    fn choice<T: Copy>(
        &mut self,
        place: &str,
        map: &Map<String, Json>,
        key: &str,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let Some(found) = map.get(key) else {
            return default;
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| found == word) {
            return *value;
        }
        let names: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        self.problem(
            place,
            format_args!("`{key}` must be {}", names.join(" or ")),
        );
        default
    }

    fn known(&mut self, place: &str, map: &Map<String, Json>, keys: &[&str]) {
        for key in map.keys().filter(|key| !keys.contains(&key.as_str())) {
            self.problem(
                place,
                format_args!("unknown key `{key}`; there are {}", keys.join(", ")),
            );
        }
    }

    fn size(&mut self, place: &str, map: &Map<String, Json>, key: &str) -> Option<usize> {
        let found = map.get(key)?;
        let number = match found {
            Json::Number(number) => number.as_u64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number <= RECORD_BYTES_MAX);
        if number.is_none() {
            self.problem(
                place,
                format_args!("`{key}` must be a number of bytes, {RECORD_BYTES_MAX} at most"),
            );
        }
        number
    }

    fn flag(&mut self, place: &str, map: &Map<String, Json>, key: &str) -> Option<bool> {
        match map.get(key)? {
            Json::Bool(flag) => Some(*flag),
            Json::String(text) if text == "true" => Some(true),
            Json::String(text) if text == "false" => Some(false),
            _ => {
                self.problem(place, format_args!("`{key}` must be `true` or `false`"));
                None
            }
        }
    }
}
