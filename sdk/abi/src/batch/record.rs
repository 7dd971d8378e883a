//! What source and sink records share: values, headers, and the tail of a record.

#![expect(
    unsafe_code,
    reason = "text of a batch that was checked in full is not checked again"
)]

use super::read::{Tail, data_unchecked};
use crate::{cursor::Cursor, error::BatchError};

/// A key, a value or a header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// No value.
    Null,
    /// Bytes without meaning.
    Bytes(&'a [u8]),
    /// Text.
    Utf8(&'a str),
    /// A JSON text; its syntax is not checked here.
    Json(&'a [u8]),
    /// A typed value: row bytes of a registered schema, see [`crate::row`].
    Typed {
        /// The process-local handle.
        schema: u32,
        /// The row.
        row: &'a [u8],
    },
    /// A self-describing value, see [`crate::tagged`].
    Tagged(&'a [u8]),
}

pub(super) const KIND_NULL: u8 = 0;
pub(super) const KIND_BYTES: u8 = 1;
pub(super) const KIND_UTF8: u8 = 2;
pub(super) const KIND_JSON: u8 = 3;
pub(super) const KIND_TYPED: u8 = 4;
pub(super) const KIND_TAGGED: u8 = 5;

pub(super) const RECORD_HAS_TIMESTAMP: u8 = 1;

impl<'a> Data<'a> {
    /// Returns the bytes as they rest in the log without converter: text, JSON and bytes as they are, null as `None`.
    /// Typed and self-describing values have no such form.
    #[must_use]
    pub const fn plain(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) | Self::Json(bytes) => Some(bytes),
            Self::Utf8(text) => Some(text.as_bytes()),
            Self::Null | Self::Typed { .. } | Self::Tagged(_) => None,
        }
    }

    /// Returns whether this is [`Data::Null`].
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns how many bytes the value itself has.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Bytes(bytes) | Self::Json(bytes) | Self::Tagged(bytes) => bytes.len(),
            Self::Utf8(text) => text.len(),
            Self::Typed { row, .. } => row.len(),
        }
    }

    /// Returns whether the value has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the wire form.
    #[inline]
    pub(super) fn write(self, out: &mut Vec<u8>) -> Result<(), BatchError> {
        let (kind, bytes) = match self {
            Self::Null => {
                out.push(KIND_NULL);
                return Ok(());
            }
            Self::Bytes(bytes) => (KIND_BYTES, bytes),
            Self::Utf8(text) => (KIND_UTF8, text.as_bytes()),
            Self::Json(bytes) => (KIND_JSON, bytes),
            Self::Tagged(bytes) => (KIND_TAGGED, bytes),
            Self::Typed { schema, row } => {
                let [a, b, c, d] = schema.to_le_bytes();
                let [e, f, g, h] = len_u32(row.len())?.to_le_bytes();
                out.extend_from_slice(&[KIND_TYPED, a, b, c, d, e, f, g, h]);
                out.extend_from_slice(row);
                return Ok(());
            }
        };
        let [a, b, c, d] = len_u32(bytes.len())?.to_le_bytes();
        out.extend_from_slice(&[kind, a, b, c, d]);
        out.extend_from_slice(bytes);
        Ok(())
    }
}

/// Returns a length as its wire form, if it fits in a batch at all.
#[inline]
pub(super) fn len_u32(len: usize) -> Result<u32, BatchError> {
    if len > super::BATCH_BYTES_MAX {
        return Err(too_long(len));
    }
    u32::try_from(len).map_err(|_| too_long(len))
}

#[cold]
pub(super) fn too_long(len: usize) -> BatchError {
    BatchError::Limit {
        what: "bytes of a batch",
        found: u64::try_from(len).unwrap_or(u64::MAX),
        limit: u64::try_from(super::BATCH_BYTES_MAX).unwrap_or(u64::MAX),
    }
}

/// Appends a header.
#[inline]
pub(super) fn write_header(
    name: &str,
    data: Data<'_>,
    out: &mut Vec<u8>,
) -> Result<(), BatchError> {
    let len = u16::try_from(name.len()).map_err(|_| BatchError::Limit {
        what: "bytes of a header name",
        found: u64::try_from(name.len()).unwrap_or(u64::MAX),
        limit: u64::from(u16::MAX),
    })?;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    data.write(out)
}

/// The headers of a record, in order, duplicates kept.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    cursor: Cursor<'a>,
    left: u16,
}

impl<'a> Headers<'a> {
    pub(super) const fn of(tail: &Tail<'a>) -> Self {
        Self {
            cursor: Cursor::new(tail.headers),
            left: tail.n_headers,
        }
    }

    fn read(&mut self) -> Option<(&'a str, Data<'a>)> {
        let len = self.cursor.u16()?;
        let name = self.cursor.take(usize::from(len))?;
        // SAFETY: `Tail` comes only from a batch whose reader checked all texts, header names among them.
        let name = unsafe { std::str::from_utf8_unchecked(name) };
        // SAFETY: as above, for the header's value.
        let data = unsafe { data_unchecked(&mut self.cursor) }?;
        Some((name, data))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a str, Data<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let header = self.read();
        debug_assert!(header.is_some(), "the batch was checked in full");
        header
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::from(self.left), Some(usize::from(self.left)))
    }
}

impl ExactSizeIterator for Headers<'_> {}
