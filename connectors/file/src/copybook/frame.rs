//! Where records begin and end.
//!
//! ```text
//! fixed   | record | record |                          all of one length, or of a length that OCCURS DEPENDING gives
//! rdw     | LL 00 | record | LL 00 | record |          variable records with their descriptor word
//! bdw     | LL 00 | LL 00 | record | LL 00 | … |       blocks of such records
//! lines   | record \n | record \n |                    LINE SEQUENTIAL
//! ```

use linkspan_sdk::prelude::*;

use super::{Fault, hex};

/// `copybook.record.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum RecordFormat {
    Fixed,
    Rdw,
    Bdw,
    Lines,
}

/// A descriptor word: two bytes of length and two of zeros.
const WORD: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frames {
    pub(crate) format: RecordFormat,
    pub(crate) little: bool,
    /// The length in a descriptor word counts the word.
    pub(crate) includes_word: bool,
}

/// The next record with its frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Framed {
    /// Bytes in front of the record.
    pub(crate) before: usize,
    pub(crate) body: usize,
    /// All bytes, with what stands before and behind the record.
    pub(crate) len: usize,
    /// What is left of the block behind it.
    pub(crate) block_left: usize,
}

impl Frames {
    /// Finds the record that `bytes` begin with, `block_left` bytes of its block being still to come; `Ok(None)`: not in sight.
    pub(crate) fn next(
        &self,
        bytes: &[u8],
        block_left: usize,
        last: bool,
        max: usize,
    ) -> Result<Option<Framed>, Fault> {
        match self.format {
            // The copybook tells the length.
            RecordFormat::Fixed => Ok(None),
            RecordFormat::Lines => Ok(line(bytes, last)),
            RecordFormat::Rdw => {
                let Some(body) = self.word(bytes, 0, last, max)? else {
                    return Ok(None);
                };
                whole(WORD, body, 0, bytes, last)
            }
            RecordFormat::Bdw => {
                let (at, left) = if block_left > 0 {
                    (0, block_left)
                } else {
                    match self.word(bytes, 0, last, BLOCK_MAX)? {
                        Some(left) => (WORD, left),
                        None => return Ok(None),
                    }
                };
                let Some(body) = self.word(bytes, at, last, max)? else {
                    return Ok(None);
                };
                let taken = WORD + body;
                let Some(left) = left.checked_sub(taken) else {
                    return Err(Fault::new(
                        at,
                        format!(
                            "the record of {body} bytes is longer than what is left of its block ({left})"
                        ),
                    ));
                };
                whole(at + WORD, body, left, bytes, last)
            }
        }
    }

    /// Reads the descriptor word at `at`: the bytes that follow it.
    fn word(
        &self,
        bytes: &[u8],
        at: usize,
        last: bool,
        max: usize,
    ) -> Result<Option<usize>, Fault> {
        let Some(word) = bytes.get(at..at + WORD) else {
            if last {
                let left = bytes.get(at..).unwrap_or_default();
                return Err(Fault::new(
                    at,
                    format!(
                        "the file ends inside a descriptor word: {} is left",
                        hex(left)
                    ),
                ));
            }
            return Ok(None);
        };
        let &[a, b, c, d] = word else { return Ok(None) };
        let length = if self.little {
            u16::from_le_bytes([a, b])
        } else {
            u16::from_be_bytes([a, b])
        };
        let own = if self.includes_word { WORD } else { 0 };
        match usize::from(length).checked_sub(own) {
            Some(body) if (c, d) == (0, 0) && body > 0 && body <= max => Ok(Some(body)),
            _ => Err(Fault::new(
                at,
                format!(
                    "{} is not a record descriptor word (length, then zeros): look at `copybook.record.format`, `copybook.rdw.order` and `copybook.rdw.includes.itself`",
                    hex(word)
                ),
            )),
        }
    }
}

/// A block's length has 15 bits, or all 16 in little files.
const BLOCK_MAX: usize = 65_535;

fn whole(
    before: usize,
    body: usize,
    block_left: usize,
    bytes: &[u8],
    last: bool,
) -> Result<Option<Framed>, Fault> {
    let len = before + body;
    if bytes.len() >= len {
        return Ok(Some(Framed {
            before,
            body,
            len,
            block_left,
        }));
    }
    if last {
        return Err(Fault::new(
            0,
            format!(
                "the file ends inside a record: {} of {body} bytes are there",
                bytes.len().saturating_sub(before)
            ),
        ));
    }
    Ok(None)
}

fn line(bytes: &[u8], last: bool) -> Option<Framed> {
    let (line, len) = match memchr::memchr(b'\n', bytes) {
        Some(at) => (bytes.get(..at).unwrap_or_default(), at + 1),
        None if last => (bytes, bytes.len()),
        None => return None,
    };
    let body = line.strip_suffix(b"\r").unwrap_or(line).len();
    Some(Framed {
        before: 0,
        body,
        len,
        block_left: 0,
    })
}
