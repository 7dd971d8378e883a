//! A text format on top of encoded bytes: whole lines become text, and a place in the text becomes a place in the bytes again.
//!
//! Positions in offsets and errors are bytes of the file, whatever its encoding. A line's end is found in the bytes, where no
//! encoding here lets it be part of a character; so each piece ends behind a line and is decoded by itself.

use super::utf16::Order;
use super::{TextEncoding, Undecodable, ebcdic};

/// Decodes lines of one file, one piece after the other.
#[derive(Debug)]
pub(crate) struct TextLayer {
    encoding: TextEncoding,
    text: String,
    /// The end of each line, in the text and in the bytes.
    ends: Vec<(usize, usize)>,
}

impl TextLayer {
    pub(crate) fn new(encoding: TextEncoding) -> Self {
        Self {
            encoding,
            text: String::new(),
            ends: Vec::new(),
        }
    }

    /// Prepares for a file that begins with these bytes; returns the length of a byte order mark.
    pub(crate) fn begin(&mut self, start: &[u8], encoding: TextEncoding) -> usize {
        self.encoding = encoding;
        match encoding {
            TextEncoding::Utf16(order) => {
                let (order, mark) = order.settle(start);
                self.encoding = TextEncoding::Utf16(order);
                mark
            }
            _ => 0,
        }
    }

    /// Decodes the whole lines of `bytes`, or all of them where the file ends with them. Returns the first bytes that are no
    /// text; what comes before their line is decoded.
    pub(crate) fn decode(&mut self, bytes: &[u8], last: bool) -> Option<Undecodable> {
        self.text.clear();
        self.ends.clear();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let len = match self.line_len(rest) {
                Some(len) => len,
                None if last => rest.len(),
                None => return None,
            };
            let before = self.text.len();
            let line = rest.get(..len).unwrap_or_default();
            if let Err(bad) = self.line(line) {
                self.text.truncate(before);
                return Some(Undecodable {
                    at: at + bad.at,
                    ..bad
                });
            }
            at += len;
            self.ends.push((self.text.len(), at));
        }
        None
    }

    /// Returns the text of the lines.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns how many of the bytes `n` bytes of the text are.
    pub(crate) fn raw_len(&self, n: usize, bytes: &[u8]) -> usize {
        if n == 0 {
            return 0;
        }
        let line = self.ends.partition_point(|(text, _)| *text < n);
        let (text_start, raw_start) =
            match line.checked_sub(1).and_then(|before| self.ends.get(before)) {
                Some(&end) => end,
                None => (0, 0),
            };
        match self.ends.get(line) {
            Some(&(text_end, raw_end)) if text_end == n => raw_end,
            Some(&(_, raw_end)) => {
                let raw = bytes.get(raw_start..raw_end).unwrap_or_default();
                raw_start + self.prefix(raw, n - text_start)
            }
            None => raw_start,
        }
    }

    /// Returns how many bytes of a line make its first `n` bytes of text.
    fn prefix(&self, raw: &[u8], n: usize) -> usize {
        let shifts = matches!(self.encoding, TextEncoding::Ebcdic(page) if page.has_double());
        let (mut at, mut text_len) = (0, 0);
        let mut text = String::new();
        while text_len < n && at < raw.len() {
            // The shortest front that is text by itself is one character, or one shifted part.
            let longest = if shifts { raw.len() - at } else { 4 };
            let step = (1..=longest).find(|len| {
                text.clear();
                let front = raw.get(at..at + len);
                front.is_some_and(|front| self.encoding.decode(front, &mut text).is_ok())
            });
            at += step.unwrap_or(1);
            text_len += text.len();
        }
        at
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Undecodable> {
        if let (TextEncoding::Ebcdic(page), Some((end, body))) = (self.encoding, line.split_last())
            && ebcdic::LINE_ENDS.contains(end)
        {
            page.decode(body, &mut self.text)?;
            self.text.push('\n');
            return Ok(());
        }
        self.encoding.decode(line, &mut self.text)
    }

    /// Returns the length of the first line with its end.
    fn line_len(&self, bytes: &[u8]) -> Option<usize> {
        match self.encoding {
            TextEncoding::Utf16(order) => {
                let newline: [u8; 2] = if order == Order::Big {
                    [0, b'\n']
                } else {
                    [b'\n', 0]
                };
                let mut at = 0;
                loop {
                    let found = memchr::memmem::find(bytes.get(at..)?, &newline)? + at;
                    if found % 2 == 0 {
                        return Some(found + 2);
                    }
                    at = found + 1;
                }
            }
            TextEncoding::Ebcdic(_) => {
                let [nl, lf] = ebcdic::LINE_ENDS;
                memchr::memchr2(nl, lf, bytes).map(|at| at + 1)
            }
            _ => memchr::memchr(b'\n', bytes).map(|at| at + 1),
        }
    }
}
