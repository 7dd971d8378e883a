//! A text format on top of encoded bytes: lines become text, and a place in the text becomes a place in the bytes again.
//!
//! Positions in offsets and errors are bytes of the file, whatever its encoding. A line's end is found in the bytes, where no
//! encoding here lets it be part of a character; so each line is decoded by itself.

use super::utf16::Order;
use super::{TextEncoding, Undecodable, ebcdic};
use crate::charset::{Charset, Decoded};
use crate::fixed::hex;

/// Decodes the text of one file, one piece after the other.
#[derive(Debug)]
pub(crate) struct TextLayer {
    label: TextEncoding,
    /// As the file's byte order mark says.
    encoding: TextEncoding,
    /// The end of each line, in the text and in the bytes.
    ends: Vec<(usize, usize)>,
}

impl TextLayer {
    pub(crate) fn new(encoding: TextEncoding) -> Self {
        Self {
            label: encoding,
            encoding,
            ends: Vec::new(),
        }
    }

    /// Decodes the whole lines of `bytes`, or all of them where the file ends with them; of a line that goes on, what is there.
    fn lines(
        &mut self,
        bytes: &[u8],
        last: bool,
        text: &mut String,
    ) -> (usize, Option<Undecodable>) {
        let start = text.len();
        let mut at = self.mark(bytes);
        self.ends.clear();
        if at > 0 {
            self.ends.push((0, at));
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let whole = self.line_len(rest);
            let len = whole.unwrap_or(rest.len());
            let before = text.len();
            let decoded = self.line(rest.get(..len).unwrap_or_default(), text);
            match decoded {
                Ok(()) => at += len,
                // The rest of a character may follow.
                Err(bad) if whole.is_none() && !last && bad.at + bad.len >= len => {
                    text.truncate(before);
                    // What was decoded before it decodes again without it.
                    if bad.at > 0
                        && self
                            .line(rest.get(..bad.at).unwrap_or_default(), text)
                            .is_ok()
                    {
                        at += bad.at;
                        self.ends.push((text.len() - start, at));
                    } else {
                        text.truncate(before);
                    }
                    return (at, None);
                }
                Err(bad) => {
                    text.truncate(before);
                    return (
                        at,
                        Some(Undecodable {
                            at: at + bad.at,
                            ..bad
                        }),
                    );
                }
            }
            self.ends.push((text.len() - start, at));
        }
        (at, None)
    }

    /// The length of a byte order mark, which is no text.
    fn mark(&mut self, bytes: &[u8]) -> usize {
        let TextEncoding::Utf16(order) = self.label else {
            return 0;
        };
        let (settled, mark) = order.settle(bytes);
        if mark > 0 {
            self.encoding = TextEncoding::Utf16(settled);
        }
        mark
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

    fn line(&self, line: &[u8], text: &mut String) -> Result<(), Undecodable> {
        if let (TextEncoding::Ebcdic(page), Some((end, body))) = (self.encoding, line.split_last())
            && ebcdic::LINE_ENDS.contains(end)
        {
            page.decode(body, text)?;
            text.push('\n');
            return Ok(());
        }
        self.encoding.decode(line, text)
    }

    /// Returns the length of the first line with its end.
    fn line_len(&self, bytes: &[u8]) -> Option<usize> {
        match self.encoding {
            TextEncoding::Utf16(_) => {
                let newline = self.newline();
                let mut at = 0;
                loop {
                    let found = memchr::memmem::find(bytes.get(at..)?, newline)? + at;
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

impl Charset for TextLayer {
    fn begin(&mut self, start: &[u8]) {
        self.encoding = self.label;
        if let TextEncoding::Utf16(order) = self.label {
            self.encoding = TextEncoding::Utf16(order.settle(start).0);
        }
    }

    fn needs_start(&self) -> bool {
        matches!(self.label, TextEncoding::Utf16(_))
    }

    fn decode(&mut self, bytes: &[u8], last: bool, text: &mut String) -> Decoded {
        let (used, bad) = self.lines(bytes, last, text);
        let why = |bad: Undecodable| {
            let shown = bytes.get(bad.at..bad.at + bad.len).unwrap_or_default();
            (
                bad.at,
                format!("the bytes {} are no character of the encoding", hex(shown)),
            )
        };
        Decoded {
            used,
            bad: bad.map(why),
        }
    }

    fn raw_len(&mut self, bytes: &[u8], n: usize) -> usize {
        if n == 0 {
            return match self.ends.first() {
                // A mark alone, where nothing of the text was used.
                Some(&(0, mark)) if self.ends.len() == 1 => mark,
                _ => 0,
            };
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

    fn newline(&self) -> &[u8] {
        match self.encoding {
            TextEncoding::Utf16(Order::Big) => &[0, b'\n'],
            TextEncoding::Utf16(_) => &[b'\n', 0],
            TextEncoding::Ebcdic(_) => &[0x25],
            _ => b"\n",
        }
    }
}
