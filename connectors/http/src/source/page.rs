//! A page that is there: its records with what was found in them, on their way into batches.

use linkspan_sdk::prelude::*;
use serde_json::Value as Json;

use super::cursor::{self, CursorValue};
use super::decode::Decoded;
use super::state::Seen;
use super::stream::{Stream, hash};

/// A record of a page.
#[derive(Debug)]
struct Found {
    index: usize,
    key: Option<Vec<u8>>,
    timestamp: Option<i64>,
    /// The value of the cursor, and the hash by which the record is known again.
    mark: Option<(CursorValue, u64)>,
}

/// A page that is being handed out.
#[derive(Debug)]
pub(super) struct Page {
    decoded: Decoded,
    found: Vec<Found>,
    next: usize,
    /// What the last page's token leads to: the next page, or the end of the slice.
    pub(super) after: Option<String>,
}

/// What the records of a page are compared with.
#[derive(Debug)]
pub(super) struct Range<'a> {
    pub(super) start: Option<&'a CursorValue>,
    pub(super) end: Option<&'a CursorValue>,
}

impl Page {
    /// Looks into every record of a page, so that nothing is wrong any more when the first one is handed out. Returns also whether one of
    /// them is older than the slice.
    ///
    /// # Errors
    /// A record has no value for the cursor: of kind `data_invalid`, named by its place.
    pub(super) fn new(
        stream: &Stream,
        decoded: Decoded,
        number: u64,
        range: &Range<'_>,
        skip: u64,
    ) -> Result<(Self, bool)> {
        let options = &stream.options;
        let looks_inside = options.key_path.is_some()
            || options.timestamp_path.is_some()
            || options.cursor.field.is_some();
        let mut found = Vec::with_capacity(decoded.records.len());
        let mut older = false;
        for index in 0..decoded.records.len() {
            let text = decoded.record(index).unwrap_or_default();
            let mut one = Found {
                index,
                key: None,
                timestamp: None,
                mark: None,
            };
            if looks_inside {
                let value: Json = serde_json::from_str(text)?;
                one.key = options
                    .key_path
                    .as_deref()
                    .and_then(|path| key(value.pointer(path)?));
                one.timestamp = options
                    .timestamp_path
                    .as_deref()
                    .and_then(|path| timestamp(value.pointer(path)?));
                if let Some(field) = &options.cursor.field {
                    let mark = value
                        .pointer(field)
                        .and_then(|value| CursorValue::of_field(options.cursor.kind, value));
                    let mark = mark.ok_or_else(|| {
                        Error::data_invalid(format!("stream `{}`: record {} of page {} has no value of `cursor.type` at `cursor.field` `{field}`", stream.name, index + 1, number + 1))
                    })?;
                    if range.start.is_some_and(|start| mark < *start) {
                        older = true;
                        continue;
                    }
                    if range.end.is_some_and(|end| mark > *end) {
                        continue;
                    }
                    let key = one.key.as_deref().map(String::from_utf8_lossy);
                    let hash = hash(&[key.as_deref().unwrap_or(text), &mark.stored()]);
                    one.mark = Some((mark, hash));
                }
            }
            found.push(one);
        }
        let next = usize::try_from(skip).unwrap_or(usize::MAX).min(found.len());
        Ok((
            Self {
                decoded,
                found,
                next,
                after: None,
            },
            older,
        ))
    }

    /// Returns how many records were handed out or left out so far.
    pub(super) fn done(&self) -> u64 {
        u64::try_from(self.next).unwrap_or(u64::MAX)
    }

    pub(super) const fn is_done(&self) -> bool {
        self.next >= self.found.len()
    }

    /// Hands records out until the batch is full or the page is done. Records that were seen before are left out; `mark` is told of the
    /// others' values.
    ///
    /// # Errors
    /// A record does not fit into a batch.
    pub(super) fn hand_out(
        &mut self,
        stream: &Stream,
        seen: &mut Seen,
        mut mark: impl FnMut(&mut Seen, CursorValue, u64),
        out: &mut BatchBuilder,
    ) -> Result<()> {
        while let Some(one) = self.found.get_mut(self.next) {
            if !out.is_empty() && out.is_full() {
                return Ok(());
            }
            self.next += 1;
            if let Some((value, hash)) = one.mark.take() {
                if seen.holds(hash) {
                    continue;
                }
                mark(seen, value, hash);
            }
            let mut record = out.to(&stream.topic);
            if let Some(key) = &one.key {
                record = record.key_bytes(key);
            }
            if let Some(time) = one.timestamp {
                record = record.timestamp(time);
            }
            let text = self.decoded.record(one.index).unwrap_or("null");
            record
                .raw_json(text.as_bytes())
                .map_err(|error| error.context(format!("stream `{}`", stream.name)))?;
        }
        Ok(())
    }
}

fn key(value: &Json) -> Option<Vec<u8>> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone().into_bytes()),
        other => Some(other.to_string().into_bytes()),
    }
}

fn timestamp(value: &Json) -> Option<i64> {
    let micros = match value {
        Json::String(text) => cursor::time(text),
        Json::Number(number) => cursor::time(&number.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }?;
    Some(micros.div_euclid(1_000))
}
