//! Text that is not UTF-8: the layer between a file's bytes and the decoders of text.

use std::fmt;

/// How far bytes were decoded.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Bytes that became text; a character that is cut off at the end is left for the next call.
    pub(crate) used: usize,
    /// Where, in the bytes given, a character is that cannot be decoded, and why.
    pub(crate) bad: Option<(usize, String)>,
}

/// One encoding of text. It has no state beyond one call: every call begins at a record.
pub(crate) trait Charset: fmt::Debug {
    /// Prepares for a file that begins with these bytes.
    fn begin(&mut self, _start: &[u8]) {}

    /// The first bytes of a file say how the others are read, so that a file that is continued is first shown them again.
    fn needs_start(&self) -> bool {
        false
    }

    /// Appends the text of `bytes` as far as they can be decoded; `last` says that the file ends with them.
    fn decode(&mut self, bytes: &[u8], last: bool, text: &mut String) -> Decoded;

    /// Returns how many of `bytes` the first `text_len` bytes of their text were.
    fn raw_len(&mut self, bytes: &[u8], text_len: usize) -> usize;

    /// Returns the bytes of a line end; they are looked for at multiples of their length.
    fn newline(&self) -> &[u8] {
        b"\n"
    }
}

/// Returns the place behind the first line end in `bytes`.
pub(crate) fn behind_newline(bytes: &[u8], newline: &[u8]) -> Option<usize> {
    let width = newline.len().max(1);
    if width == 1 {
        let byte = *newline.first().unwrap_or(&b'\n');
        return memchr::memchr(byte, bytes).map(|at| at + 1);
    }
    bytes
        .chunks_exact(width)
        .position(|unit| unit == newline)
        .map(|at| (at + 1) * width)
}
