//! Fixed-width files: records of a few types, each a row of fields at fixed **bytes**.
//!
//! ```text
//! H20260101CP949          header    one type is told from the others by bytes at a position
//! D000001김철수  00001234 detail    fields: start and length in bytes, pad, sign, implied decimals, dates
//! T0000010000012340       trailer   control totals, checked before a record goes out
//! ```
//!
//! [`layout`] reads the description, [`field`] is one field in both directions, [`cutter`] finds the records, [`decoder`] and
//! [`encoder`] turn them into rows and back. What was read is written back byte for byte, as long as the layout says how it was
//! written.

pub(crate) mod cutter;
pub(crate) mod dates;
pub(crate) mod decoder;
pub(crate) mod encoder;
pub(crate) mod field;
pub(crate) mod layout;
pub(crate) mod number;
pub(crate) mod records;
pub(crate) mod scalar;

#[cfg(test)]
mod tests;

/// What is wrong with a record: where in it, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Bytes from the start of the record.
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// The longest run of bytes that an error shows.
const SHOWN_BYTES_MAX: usize = 24;

/// Bytes as an error shows them: hex, and how many more there are.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text: String = bytes
        .iter()
        .take(SHOWN_BYTES_MAX)
        .map(|byte| format!("{byte:02X}"))
        .collect();
    if bytes.len() > SHOWN_BYTES_MAX {
        text.push('…');
    }
    text
}
