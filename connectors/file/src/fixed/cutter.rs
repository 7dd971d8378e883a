//! Finds the records of a fixed-width file: their type, their bytes and their end.

use super::layout::{Layout, RecordEnd};
use super::{Fault, hex};

/// A DOS end-of-file mark, accepted behind the last record.
const END_OF_FILE: u8 = 0x1a;

/// What stands at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record of this type: its own bytes, and those with its end.
    Record {
        kind: usize,
        body: usize,
        len: usize,
    },
    /// Nothing but an end-of-file mark, of so many bytes.
    End(usize),
    /// The record's end is not in sight.
    More,
}

/// Cuts records.
#[derive(Debug, Clone)]
pub(crate) struct Cutter {
    pub(crate) layout: Layout,
    pub(crate) end: RecordEnd,
    /// A record that ends too early is filled up with spaces.
    pub(crate) pads_short: bool,
}

impl Cutter {
    /// Looks at the first record of `bytes`, which are not empty; `last`: the file ends with them.
    pub(crate) fn next(&self, bytes: &[u8], last: bool) -> Result<Step, Fault> {
        if bytes.first() == Some(&END_OF_FILE) && bytes.iter().all(|byte| *byte == END_OF_FILE) {
            return Ok(if last {
                Step::End(bytes.len())
            } else {
                Step::More
            });
        }
        match self.end {
            RecordEnd::None => self.unended(bytes, last),
            RecordEnd::Lf | RecordEnd::Crlf => self.ended(bytes, last),
        }
    }

    fn unended(&self, bytes: &[u8], last: bool) -> Result<Step, Fault> {
        if bytes.len() < self.layout.reach() && !last {
            return Ok(Step::More);
        }
        let kind = self.tell(bytes)?;
        let len = self.layout.types.get(kind).map_or(0, |kind| kind.len);
        if bytes.len() >= len {
            return Ok(Step::Record {
                kind,
                body: len,
                len,
            });
        }
        if !last {
            return Ok(Step::More);
        }
        Err(Fault::new(
            0,
            format!(
                "the file ends inside a record: {} bytes are left, a record `{}` has {len}",
                bytes.len(),
                self.name(kind)
            ),
        ))
    }

    fn ended(&self, bytes: &[u8], last: bool) -> Result<Step, Fault> {
        let (line, len) = match memchr::memchr(b'\n', bytes) {
            Some(at) => (bytes.get(..at).unwrap_or_default(), at + 1),
            None if last => {
                let end = bytes
                    .iter()
                    .rposition(|byte| *byte != END_OF_FILE)
                    .map_or(0, |at| at + 1);
                (bytes.get(..end).unwrap_or_default(), bytes.len())
            }
            None => return Ok(Step::More),
        };
        let body = match self.end {
            RecordEnd::Crlf => match line.strip_suffix(b"\r") {
                Some(body) => body,
                None if len == bytes.len() && last => line,
                None => {
                    return Err(Fault::new(
                        line.len(),
                        "the record ends with LF alone; `fixed.record.end: lf` reads that",
                    ));
                }
            },
            RecordEnd::Lf | RecordEnd::None => line,
        };
        let kind = self.tell(body)?;
        let expected = self.layout.types.get(kind).map_or(0, |kind| kind.len);
        let fits = body.len() == expected || (self.pads_short && body.len() < expected);
        if fits {
            return Ok(Step::Record {
                kind,
                body: body.len(),
                len,
            });
        }
        let hint = if body.len() == expected + 1 && body.ends_with(b"\r") {
            "; it ends with CRLF, which `fixed.record.end: crlf` reads"
        } else if body.len() < expected {
            "; `fixed.short.records: pad` fills it up with spaces"
        } else {
            ""
        };
        Err(Fault::new(
            0,
            format!(
                "the record has {} bytes, a record `{}` has {expected}{hint}",
                body.len(),
                self.name(kind)
            ),
        ))
    }

    fn tell(&self, record: &[u8]) -> Result<usize, Fault> {
        self.layout.tell(record).ok_or_else(|| {
            let at = self
                .layout
                .types
                .iter()
                .find_map(|kind| kind.when.as_ref())
                .map_or(0, |when| when.at);
            let shown = record
                .get(at..self.layout.reach().min(record.len()))
                .unwrap_or_default();
            Fault::new(
                at,
                format!(
                    "no record type of the layout matches: byte {} of the record begins with {}",
                    at + 1,
                    hex(shown)
                ),
            )
        })
    }

    fn name(&self, kind: usize) -> &str {
        self.layout
            .types
            .get(kind)
            .map_or("", |kind| kind.name.as_str())
    }

    /// How many bytes to pass to get behind a bad record; `None`: its end cannot be found.
    pub(crate) fn extent(&self, bytes: &[u8], last: bool) -> Option<usize> {
        match self.end {
            RecordEnd::Lf | RecordEnd::Crlf => match memchr::memchr(b'\n', bytes) {
                Some(at) => Some(at + 1),
                None => last.then_some(bytes.len()),
            },
            RecordEnd::None => {
                let len = match self.layout.tell(bytes) {
                    Some(kind) => self.layout.types.get(kind)?.len,
                    None => self.layout.common_len()?,
                };
                if bytes.len() >= len {
                    Some(len)
                } else {
                    last.then_some(bytes.len())
                }
            }
        }
    }
}
