//! Checking a batch in full, once; what was checked is read again without checks.

#![expect(
    unsafe_code,
    reason = "text of a batch that was checked in full is not checked again"
)]

use std::sync::Arc;

use super::{
    FORMAT, HEADER_LEN, Limits, NESTING_MAX, TOPIC_BYTES_MAX,
    record::{
        Data, KIND_BYTES, KIND_JSON, KIND_NULL, KIND_TAGGED, KIND_TYPED, KIND_UTF8,
        RECORD_HAS_TIMESTAMP,
    },
};
use crate::{
    cursor::{Cursor, is_utf8},
    error::BatchError,
    json,
    row::validate_row,
    schema::{Schema, SchemaLookup},
    tagged,
};

/// The header, with the counts already within the limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) header_len: usize,
    pub(super) flags: u32,
    pub(super) poll_after_ms: u32,
    pub(super) n_topics: u32,
    pub(super) n_partitions: u32,
    pub(super) n_records: u32,
    pub(super) tables_at: usize,
}

/// A record after its own first fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail<'a> {
    pub(super) timestamp: Option<i64>,
    pub(super) key: Data<'a>,
    pub(super) value: Data<'a>,
    pub(super) n_headers: u16,
    pub(super) headers: &'a [u8],
}

pub(super) const fn truncated(what: &'static str, at: usize) -> BatchError {
    BatchError::Truncated { what, at }
}

pub(super) const fn malformed(what: &'static str, at: usize) -> BatchError {
    BatchError::Malformed { what, at }
}

pub(super) fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), BatchError> {
    if found <= limit {
        return Ok(());
    }
    Err(BatchError::Limit {
        what,
        found: u64::try_from(found).unwrap_or(u64::MAX),
        limit: u64::try_from(limit).unwrap_or(u64::MAX),
    })
}

fn limit_u32(what: &'static str, found: u32, limit: u32) -> Result<(), BatchError> {
    if found <= limit {
        return Ok(());
    }
    Err(BatchError::Limit {
        what,
        found: u64::from(found),
        limit: u64::from(limit),
    })
}

impl Header {
    /// Reads the header and checks lengths and counts against the limits.
    pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Self, BatchError> {
        limit("bytes of a batch", bytes.len(), limits.bytes)?;
        let short = || truncated("the header", 0);
        let mut cursor = Cursor::new(bytes);
        let header_len = cursor.u16().ok_or_else(short)?;
        let format = cursor.u16().ok_or_else(short)?;
        if format == 0 || format > FORMAT {
            return Err(BatchError::Format {
                found: format,
                supported: FORMAT,
            });
        }
        let mut word = || cursor.u32().ok_or_else(short);
        let header = Self {
            header_len: usize::from(header_len),
            flags: word()?,
            poll_after_ms: word()?,
            n_topics: word()?,
            n_partitions: word()?,
            n_records: word()?,
            tables_at: usize::try_from(word()?).map_err(|_| short())?,
        };
        if header_len < HEADER_LEN {
            return Err(malformed("the header is too short", 0));
        }
        if header.header_len > header.tables_at || header.tables_at > bytes.len() {
            return Err(malformed(
                "the place of the tables is outside of the batch",
                24,
            ));
        }
        limit_u32("topics of a batch", header.n_topics, limits.topics)?;
        limit_u32(
            "source partitions or groups of a batch",
            header.n_partitions,
            limits.partitions,
        )?;
        limit_u32("records of a batch", header.n_records, limits.records)?;
        Ok(header)
    }
}

/// Reads the table of topics.
pub(super) fn topics<'a>(
    cursor: &mut Cursor<'a>,
    base: usize,
    count: u32,
) -> Result<Vec<&'a str>, BatchError> {
    // A topic has at least 2 bytes, so that a count cannot make us allocate beyond the input.
    let mut topics = Vec::with_capacity(capacity(count, cursor.rest().len() / 2));
    for _ in 0..count {
        let at = base + cursor.at();
        let name = cursor
            .u16()
            .and_then(|len| cursor.take(usize::from(len)))
            .ok_or_else(|| truncated("the table of topics", at))?;
        limit("bytes of a topic name", name.len(), TOPIC_BYTES_MAX)?;
        topics.push(text(name, at)?);
    }
    Ok(topics)
}

/// Returns how much room a count may reserve.
pub(super) fn capacity(count: u32, at_most: usize) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX).min(at_most)
}

pub(super) fn text(bytes: &[u8], at: usize) -> Result<&str, BatchError> {
    std::str::from_utf8(bytes).map_err(|_| malformed("text is not UTF-8", at))
}

/// Checks that bytes are one JSON object and returns them as text.
pub(super) fn object<'a>(
    bytes: &'a [u8],
    at: usize,
    limits: &Limits,
) -> Result<&'a str, BatchError> {
    limit(
        "bytes of a source partition or offset",
        bytes.len(),
        limits.offset_json_bytes,
    )?;
    let object = text(bytes, at)?;
    if !json::is_object(bytes, NESTING_MAX) {
        return Err(malformed(
            "a source partition or offset is not a JSON object",
            at,
        ));
    }
    Ok(object)
}

/// Checks values; keeps the schemas of the last two typed ones at hand: keys and values take turns.
pub(super) struct Checker<'s> {
    schemas: Option<&'s dyn SchemaLookup>,
    recent: [Option<(u32, Arc<Schema>)>; 2],
    limits: Limits,
    pub(super) record: u32,
}

impl<'s> Checker<'s> {
    /// Without schemas, typed values are checked when they are read.
    pub(super) const fn new(limits: &Limits, schemas: Option<&'s dyn SchemaLookup>) -> Self {
        Self {
            schemas,
            recent: [None, None],
            limits: *limits,
            record: 0,
        }
    }

    /// Checks the tail of a record up to its last byte.
    #[inline]
    pub(super) fn tail(&mut self, mut cursor: Cursor<'_>, at: usize) -> Result<(), BatchError> {
        if quick_tail(cursor.rest()) {
            return Ok(());
        }
        let flags = cursor.u8().ok_or_else(|| truncated("a record", at))?;
        if flags & !RECORD_HAS_TIMESTAMP != 0 {
            return Err(malformed("a record has unknown flags", at));
        }
        cursor.i64().ok_or_else(|| truncated("a record", at))?;
        self.data(&mut cursor, "key", at)?;
        self.data(&mut cursor, "value", at)?;
        let headers = cursor.u16().ok_or_else(|| truncated("a record", at))?;
        if headers > 0 {
            self.headers(&mut cursor, headers, at)?;
        }
        if cursor.rest().is_empty() {
            Ok(())
        } else {
            Err(malformed("a record is longer than its parts", at))
        }
    }

    fn headers(
        &mut self,
        cursor: &mut Cursor<'_>,
        count: u16,
        at: usize,
    ) -> Result<(), BatchError> {
        limit(
            "headers of a record",
            usize::from(count),
            self.limits.headers,
        )?;
        for _ in 0..count {
            let name = cursor
                .u16()
                .and_then(|len| cursor.take(usize::from(len)))
                .ok_or_else(|| truncated("a header", at))?;
            text(name, at)?;
            self.data(cursor, "header", at)?;
        }
        Ok(())
    }

    #[inline]
    fn data(
        &mut self,
        cursor: &mut Cursor<'_>,
        part: &'static str,
        at: usize,
    ) -> Result<(), BatchError> {
        let short = || truncated("a key, value or header", at);
        match cursor.u8().ok_or_else(short)? {
            KIND_NULL => Ok(()),
            KIND_BYTES => cursor.sized().map(|_| ()).ok_or_else(short),
            KIND_UTF8 | KIND_JSON => text(cursor.sized().ok_or_else(short)?, at).map(|_| ()),
            KIND_TYPED => {
                let handle = cursor.u32().ok_or_else(short)?;
                let row = cursor.sized().ok_or_else(short)?;
                self.typed(handle, row, part)
            }
            KIND_TAGGED => tagged::validate(cursor.sized().ok_or_else(short)?).map_err(|source| {
                BatchError::Row {
                    record: self.record,
                    part,
                    source,
                }
            }),
            _ => Err(malformed("a value is of an unknown kind", at)),
        }
    }

    fn typed(&mut self, handle: u32, row: &[u8], part: &'static str) -> Result<(), BatchError> {
        let Some(schemas) = self.schemas else {
            return Ok(());
        };
        let record = self.record;
        let is =
            |kept: &Option<(u32, Arc<Schema>)>| matches!(kept, Some((kept, _)) if *kept == handle);
        let [first, second] = &mut self.recent;
        if !is(first) {
            std::mem::swap(first, second);
            if !is(first) {
                let schema = schemas
                    .schema(handle)
                    .ok_or(BatchError::UnknownSchema { record, handle })?;
                *first = Some((handle, schema));
            }
        }
        let Some((_, schema)) = first else {
            return Ok(());
        };
        validate_row(schema, row).map_err(|source| BatchError::Row {
            record,
            part,
            source,
        })
    }
}

/// Accepts the tails of most records: plain values, no headers. What it does not accept may be good all the same.
#[inline]
fn quick_tail(tail: &[u8]) -> bool {
    let Some(([flags, _, _, _, _, _, _, _, _], mut rest)) = tail.split_first_chunk::<9>() else {
        return false;
    };
    if *flags > RECORD_HAS_TIMESTAMP {
        return false;
    }
    for _ in 0..2 {
        let Some((kind, after)) = rest.split_first() else {
            return false;
        };
        rest = after;
        if *kind == KIND_NULL {
            continue;
        }
        let Some((len, after)) = rest.split_first_chunk::<4>() else {
            return false;
        };
        let Some((value, after)) = usize::try_from(u32::from_le_bytes(*len))
            .ok()
            .and_then(|len| after.split_at_checked(len))
        else {
            return false;
        };
        rest = after;
        let is_text = *kind == KIND_UTF8 || *kind == KIND_JSON;
        if *kind > KIND_JSON || (is_text && !is_utf8(value)) {
            return false;
        }
    }
    rest == [0, 0]
}

/// Reads the tail of a record that was checked.
///
/// # Safety
/// [`Checker::tail`] must have accepted the bytes.
#[inline(always)]
pub(super) unsafe fn tail_unchecked<'a>(cursor: &mut Cursor<'a>) -> Option<Tail<'a>> {
    let flags = cursor.u8()?;
    let timestamp = cursor.i64()?;
    // SAFETY: the caller's promise.
    let key = unsafe { data_unchecked(cursor) }?;
    // SAFETY: the caller's promise.
    let value = unsafe { data_unchecked(cursor) }?;
    let n_headers = cursor.u16()?;
    Some(Tail {
        timestamp: (flags & RECORD_HAS_TIMESTAMP != 0).then_some(timestamp),
        key,
        value,
        n_headers,
        headers: cursor.rest(),
    })
}

/// Reads a value that was checked.
///
/// # Safety
/// [`Checker`] must have accepted the bytes: text is UTF-8.
#[inline(always)]
pub(super) unsafe fn data_unchecked<'a>(cursor: &mut Cursor<'a>) -> Option<Data<'a>> {
    Some(match cursor.u8()? {
        KIND_NULL => Data::Null,
        KIND_BYTES => Data::Bytes(cursor.sized()?),
        // SAFETY: the caller's promise.
        KIND_UTF8 => Data::Utf8(unsafe { std::str::from_utf8_unchecked(cursor.sized()?) }),
        KIND_JSON => Data::Json(cursor.sized()?),
        KIND_TYPED => Data::Typed {
            schema: cursor.u32()?,
            row: cursor.sized()?,
        },
        KIND_TAGGED => Data::Tagged(cursor.sized()?),
        _ => return None,
    })
}
