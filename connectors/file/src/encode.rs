//! From a record's value to bytes of the output.

mod xml;

use std::fmt;
use std::sync::Arc;

use crate::options::{FileSinkOptions, SinkFormat};
use linkspan_sdk::Kind;
use linkspan_sdk::prelude::*;
use serde::de::{
    DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor, value,
};

use crate::copybook::encoder::CopybookEncoder;
use crate::encoding::TextEncoding;
use crate::fixed::encoder::{FixedEncoder, OnUnmappable};

/// How values are written: `format`.
#[derive(Debug)]
pub(crate) enum Encoder {
    Lines,
    Jsonl,
    Csv(CsvEncoder),
    /// The elements of an array; `true`: one was written.
    Json(bool),
    /// Elements of a document; `true`: one was written.
    Xml(bool),
    Raw,
    Fixed(Box<FixedEncoder>),
    Copybook(Box<CopybookEncoder>),
    /// Text in another encoding than UTF-8.
    Encoded(Box<Encoded>),
}

/// A text format, and the encoding it is written in.
#[derive(Debug)]
pub(crate) struct Encoded {
    inner: Encoder,
    encoding: TextEncoding,
    on_unmappable: OnUnmappable,
    text: Vec<u8>,
}

/// Why a value is not written.
#[derive(Debug)]
pub(crate) enum Refused {
    /// This record alone; others go on.
    Record(Error),
    /// The file as a whole cannot go on.
    File(Error),
}

impl Encoder {
    /// Begins a file.
    pub(crate) fn new(options: &FileSinkOptions) -> Result<Self> {
        Self::continued(options, None)
    }

    /// Goes on in a file; `columns` are those of a CSV file's header.
    pub(crate) fn continued(
        options: &FileSinkOptions,
        columns: Option<Vec<String>>,
    ) -> Result<Self> {
        let encoding = options.text_encoding()?;
        let inner = match options.format {
            SinkFormat::Lines => Self::Lines,
            SinkFormat::Jsonl => Self::Jsonl,
            SinkFormat::Csv => Self::Csv(CsvEncoder::new(options.delimiter(), columns)),
            SinkFormat::Json => return Ok(Self::Json(false)),
            SinkFormat::Xml => return Ok(Self::Xml(false)),
            SinkFormat::Raw => return Ok(Self::Raw),
            SinkFormat::Fixed => {
                let fixed = options.fixed_encoder(encoding)?;
                return Ok(Self::Fixed(Box::new(fixed)));
            }
            SinkFormat::Copybook => {
                let copybook = options.copybook_encoder(encoding)?;
                return Ok(Self::Copybook(Box::new(copybook)));
            }
        };
        Ok(if encoding == TextEncoding::Utf8 {
            inner
        } else {
            Self::Encoded(Box::new(Encoded {
                inner,
                encoding,
                on_unmappable: options.on_unmappable,
                text: Vec::new(),
            }))
        })
    }

    /// Begins the file again: it is empty.
    pub(crate) fn restart(&mut self) {
        match self {
            Self::Csv(csv) => csv.restart(),
            Self::Encoded(encoded) => encoded.inner.restart(),
            _ => {}
        }
    }

    /// Appends what ends a file, and what begins one that has no record.
    pub(crate) fn end(&self, out: &mut Vec<u8>) {
        match self {
            Self::Json(true) => out.extend_from_slice(b"\n]\n"),
            Self::Json(false) => out.extend_from_slice(b"[]\n"),
            Self::Xml(begun) => {
                if !begun {
                    out.extend_from_slice(xml::HEAD);
                }
                out.extend_from_slice(xml::END);
            }
            _ => {}
        }
    }

    /// Appends a record. What a refused record had appended is the caller's to cut off.
    #[inline]
    pub(crate) fn encode(&mut self, value: &Datum<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        match self {
            Self::Lines => line(value, out).map_err(Refused::Record)?,
            Self::Jsonl => value.write_json(out).map_err(Refused::Record)?,
            Self::Csv(csv) => return csv.encode(value, out),
            Self::Json(begun) => {
                out.extend_from_slice(if *begun { b",\n" } else { b"[\n" });
                value.write_json(out).map_err(Refused::Record)?;
                *begun = true;
                return Ok(());
            }
            Self::Xml(begun) => {
                if !*begun {
                    out.extend_from_slice(xml::HEAD);
                }
                xml::record(value, out).map_err(Refused::Record)?;
                *begun = true;
                return Ok(());
            }
            Self::Raw => return raw(value, out).map_err(Refused::Record),
            Self::Fixed(fixed) => return fixed.encode(value, out),
            Self::Copybook(copybook) => return copybook.encode(value, out),
            Self::Encoded(encoded) => return encoded.encode(value, out),
        }
        out.push(b'\n');
        Ok(())
    }
}

impl Encoded {
    fn encode(&mut self, value: &Datum<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        self.text.clear();
        self.inner.encode(value, &mut self.text)?;
        let text = std::str::from_utf8(&self.text).map_err(|_| {
            Refused::Record(Error::data_invalid(
                "the value is not UTF-8, so it cannot be written in another encoding",
            ))
        })?;
        let encoded = self
            .encoding
            .encode(text, self.on_unmappable.fallback(), out);
        encoded.map(|_| ()).map_err(|bad| {
            let character = u32::from(bad.character);
            let message = format!("the encoding has no code for U+{character:04X}; `on.unmappable` says what to do then");
            match self.on_unmappable {
                // Of a kind that no tolerance of bad records covers.
                OnUnmappable::Fail => Refused::File(Error::unsupported(message)),
                OnUnmappable::Dlq | OnUnmappable::Replace(_) => Refused::Record(Error::data_invalid(message)),
            }
        })
    }
}

/// Appends a value as one line: null is empty.
#[inline]
fn line(value: &Datum<'_>, out: &mut Vec<u8>) -> Result<()> {
    match value.data() {
        Data::Null => Ok(()),
        Data::Bytes(bytes) | Data::Json(bytes) => plain_line(bytes, out),
        Data::Utf8(text) => plain_line(text.as_bytes(), out),
        Data::Typed { .. } | Data::Tagged(_) if value.is_null() => Ok(()),
        Data::Typed { .. } | Data::Tagged(_) => {
            let start = out.len();
            text(value, out)?;
            check_line(out.get(start..).unwrap_or_default())
        }
    }
}

/// Appends a value's bytes as they are; a row as its JSON, null as nothing.
fn raw(value: &Datum<'_>, out: &mut Vec<u8>) -> Result<()> {
    if value.is_null() {
        return Ok(());
    }
    text(value, out)
}

#[inline]
fn plain_line(bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
    check_line(bytes)?;
    out.extend_from_slice(bytes);
    Ok(())
}

#[inline]
fn check_line(bytes: &[u8]) -> Result<()> {
    if memchr::memchr(b'\n', bytes).is_some() {
        return Err(Error::data_invalid(
            "the value holds a newline, so it is not one line; `format: jsonl` writes it as JSON",
        ));
    }
    Ok(())
}

/// Appends a value as text: a row as its JSON, a typed or self-describing string without quotes, null as `null`.
pub(crate) fn text(value: &Datum<'_>, out: &mut Vec<u8>) -> Result<()> {
    if let Some(bytes) = value.as_bytes() {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let is_string = match value.data() {
        Data::Typed { .. } => value
            .schema()?
            .is_some_and(|schema| matches!(schema.kind, Kind::String)),
        Data::Tagged(_) => true,
        Data::Null | Data::Bytes(_) | Data::Utf8(_) | Data::Json(_) => false,
    };
    if is_string && let Value::String(text) = value.to_value()? {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    value.write_json(out)
}

/// Writes rows as CSV with a header.
#[derive(Debug)]
pub(crate) struct CsvEncoder {
    delimiter: u8,
    /// The names in the file's header, once it has one.
    columns: Option<Vec<String>>,
    /// The schema that was compared with `columns` last.
    seen: Option<Arc<Schema>>,
    json: Vec<u8>,
}

impl CsvEncoder {
    /// Continues a file with this header, or begins one with none.
    pub(crate) fn new(delimiter: u8, columns: Option<Vec<String>>) -> Self {
        Self {
            delimiter,
            columns,
            seen: None,
            json: Vec::new(),
        }
    }

    /// Forgets the header: the file is empty again.
    pub(crate) fn restart(&mut self) {
        self.columns = None;
        self.seen = None;
    }

    fn encode(&mut self, value: &Datum<'_>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let row = match value.data() {
            Data::Typed { .. } if !value.is_null() => value.row().map_err(Refused::Record)?,
            _ => {
                return Err(Refused::Record(Error::data_invalid(
                    "the value is not a row with columns, as `csv` needs; text and JSON without a schema have none",
                )));
            }
        };
        if !self
            .seen
            .as_ref()
            .is_some_and(|seen| Arc::ptr_eq(seen, row.schema()))
        {
            self.take_schema(row.schema(), out)?;
        }
        self.json.clear();
        row.write_json(&mut self.json).map_err(Refused::Record)?;
        let mut json = serde_json::Deserializer::from_slice(&self.json);
        let cells = Cells {
            out,
            delimiter: self.delimiter,
        };
        json.deserialize_map(cells)
            .map_err(|error| Refused::Record(error.into()))
    }

    fn take_schema(&mut self, schema: &Arc<Schema>, out: &mut Vec<u8>) -> Result<(), Refused> {
        let Kind::Struct(fields) = &schema.kind else {
            return Err(Refused::Record(Error::data_invalid(
                "the value is not a row with columns, as `csv` needs; text and JSON without a schema have none",
            )));
        };
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        match &self.columns {
            Some(columns) if *columns != names => {
                return Err(Refused::File(Error::conflict(format!(
                    "the columns changed from {} to {}: a CSV file has one header; write to another `path`",
                    columns.join(", "),
                    names.join(", ")
                ))));
            }
            Some(_) => {}
            None => {
                for (i, name) in names.iter().enumerate() {
                    separate(i, self.delimiter, out);
                    cell(name, self.delimiter, out);
                }
                out.push(b'\n');
                self.columns = Some(names);
            }
        }
        self.seen = Some(Arc::clone(schema));
        Ok(())
    }
}

fn separate(i: usize, delimiter: u8, out: &mut Vec<u8>) {
    if i > 0 {
        out.push(delimiter);
    }
}

/// Appends a text field, in quotes where it needs them; an empty text has quotes, so that it is not a null.
fn cell(text: &str, delimiter: u8, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let plain = memchr::memchr3(b'"', b'\n', b'\r', bytes).is_none()
        && memchr::memchr(delimiter, bytes).is_none();
    if plain && !bytes.is_empty() {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for &byte in bytes {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Turns the JSON object of a row into a CSV record, so that each value has the same text as in JSON.
struct Cells<'o> {
    out: &'o mut Vec<u8>,
    delimiter: u8,
}

impl<'de> Visitor<'de> for Cells<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the JSON object of a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (start, mut count) = (self.out.len(), 0);
        while map.next_key::<IgnoredAny>()?.is_some() {
            separate(count, self.delimiter, self.out);
            map.next_value_seed(Cell {
                out: &mut *self.out,
                delimiter: self.delimiter,
            })?;
            count += 1;
        }
        if count == 1 && self.out.len() == start {
            // A record of one null would be a blank line, which readers skip.
            self.out.extend_from_slice(b"\"\"");
        }
        self.out.push(b'\n');
        Ok(())
    }
}

struct Cell<'o> {
    out: &'o mut Vec<u8>,
    delimiter: u8,
}

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.out
            .extend_from_slice(if flag { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        serde_json::to_writer(self.out, &number).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        serde_json::to_writer(self.out, &number).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        serde_json::to_writer(self.out, &number).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        cell(text, self.delimiter, self.out);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        nested(value::SeqAccessDeserializer::new(seq), self)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        nested(value::MapAccessDeserializer::new(map), self)
    }
}

/// Appends an array, map or struct as JSON in one field.
fn nested<'de, D: serde::Deserializer<'de>>(json: D, to: Cell<'_>) -> Result<(), D::Error> {
    let tree: serde_json::Value = serde::Deserialize::deserialize(json)?;
    cell(&tree.to_string(), to.delimiter, to.out);
    Ok(())
}
