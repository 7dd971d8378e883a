//! Cuts text into CSV records (RFC 4180 with a choice of delimiter, quote and escape) without copying a field.
//!
//! A field in quotes may hold delimiters and newlines; a quote inside it is doubled, or stands after the escape
//! character when one is set. A quote in the middle of an unquoted field is text. A record may end with `\n` or
//! `\r\n`, or, for old Macintosh files, with `\r` alone. Blank lines and comments are not records.

use std::borrow::Cow;

use crate::format::{Bad, Reason};

/// The characters that give CSV its form; all ASCII, so that no UTF-8 sequence is ever cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    /// `None`: a quote is a character like any other.
    pub(crate) quote: Option<u8>,
    pub(crate) escape: Option<u8>,
    /// A line that begins with this byte is passed.
    pub(crate) comment: Option<u8>,
    /// A quote inside a quoted field that ends neither the field nor is doubled is text.
    pub(crate) lazy: bool,
    /// Blanks around a field are no part of it.
    pub(crate) trim: bool,
    /// The last byte of a record: `\n`, or `\r`.
    pub(crate) end: u8,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comment: None,
            lazy: false,
            trim: false,
            end: b'\n',
        }
    }
}

/// A field of the record that was cut last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    start: usize,
    end: usize,
    /// Holds doubled or escaped characters.
    escaped: bool,
}

impl Field {
    /// The same field without the blanks at its ends.
    fn trimmed(self, bytes: &[u8]) -> Self {
        let text = bytes.get(self.start..self.end).unwrap_or_default();
        let before = blanks(text);
        let after = text
            .iter()
            .rev()
            .take(text.len() - before)
            .take_while(|byte| is_blank(**byte))
            .count();
        Self {
            start: self.start + before,
            end: self.end - after,
            ..self
        }
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Counts the blanks that `bytes` begin with; a tab may be the delimiter, and then options do not let fields be trimmed.
fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_blank(**byte)).count()
}

/// Cuts records and remembers where the fields of the last one are; reused for every record of a file.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    dialect: Dialect,
    fields: Vec<Field>,
}

/// What `Splitter::split` found at the start of the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A record of this many bytes, its line end included; its fields can be asked for.
    Record(usize),
    /// A blank line of this many bytes.
    Blank(usize),
    /// The end of the record is not in the text.
    More,
}

impl Splitter {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            fields: Vec::new(),
        }
    }

    /// Cuts the first record off `text`; `last` says that the file ends with `text`.
    pub(crate) fn split(&mut self, text: &str, last: bool) -> Result<Cut, Bad> {
        self.split_bytes(text.as_bytes(), last)
    }

    /// As `split`, for bytes of which not all may be text.
    pub(crate) fn split_bytes(&mut self, bytes: &[u8], last: bool) -> Result<Cut, Bad> {
        self.fields.clear();
        let (end, len) = match memchr::memchr(self.dialect.end, bytes) {
            Some(at) => (at, at + 1),
            None if last && !bytes.is_empty() => (bytes.len(), bytes.len()),
            // A quoted field cannot be judged either before its record's end is in sight.
            None => return Ok(Cut::More),
        };
        let line = bytes.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty()
            || (self.dialect.comment.is_some() && line.first().copied() == self.dialect.comment)
        {
            return Ok(Cut::Blank(len));
        }
        if let Some(quote) = self.dialect.quote
            && memchr::memchr(quote, line).is_some()
        {
            return self.split_quoted(bytes, quote, last);
        }
        let mut start = 0;
        for at in memchr::memchr_iter(self.dialect.delimiter, line) {
            self.fields.push(Field {
                start,
                end: at,
                escaped: false,
            });
            start = at + 1;
        }
        self.fields.push(Field {
            start,
            end: line.len(),
            escaped: false,
        });
        if self.dialect.trim {
            for field in &mut self.fields {
                *field = field.trimmed(bytes);
            }
        }
        Ok(Cut::Record(len))
    }

    fn split_quoted(&mut self, bytes: &[u8], quote: u8, last: bool) -> Result<Cut, Bad> {
        let mut at = 0;
        loop {
            if self.dialect.trim {
                at += blanks(bytes.get(at..).unwrap_or_default());
            }
            let quoted = bytes.get(at) == Some(&quote);
            let field = if quoted {
                self.quoted_field(bytes, at, quote, last)?
            } else {
                self.plain_field(bytes, at, last)
            };
            let Some((field, after)) = field else {
                return Ok(Cut::More);
            };
            self.fields.push(field);
            match bytes.get(after) {
                Some(&byte) if byte == self.dialect.delimiter => at = after + 1,
                Some(b'\r') if self.dialect.end == b'\n' => return Ok(Cut::Record(after + 2)),
                Some(_) => return Ok(Cut::Record(after + 1)),
                None => return Ok(Cut::Record(after)),
            }
        }
    }

    /// Returns the field that starts at `start` and where its delimiter or line end is; `None` when not in sight.
    fn plain_field(&self, bytes: &[u8], start: usize, last: bool) -> Option<(Field, usize)> {
        let rest = bytes.get(start..)?;
        let (end, after) = match memchr::memchr2(self.dialect.delimiter, self.dialect.end, rest) {
            Some(n) if rest.get(n) == Some(&b'\n') && n > 0 && rest.get(n - 1) == Some(&b'\r') => {
                (start + n - 1, start + n - 1)
            }
            Some(n) => (start + n, start + n),
            None if last && rest.last() == Some(&b'\r') => (bytes.len() - 1, bytes.len()),
            None if last => (bytes.len(), bytes.len()),
            None => return None,
        };
        let field = Field {
            start,
            end,
            escaped: false,
        };
        let field = if self.dialect.trim {
            field.trimmed(bytes)
        } else {
            field
        };
        Some((field, after))
    }

    fn quoted_field(
        &self,
        bytes: &[u8],
        open: usize,
        quote: u8,
        last: bool,
    ) -> Result<Option<(Field, usize)>, Bad> {
        let start = open + 1;
        let escape = self.dialect.escape.unwrap_or(quote);
        let (mut at, mut escaped) = (start, false);
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = memchr::memchr2(quote, escape, rest) else {
                return if last {
                    Err(Bad::at(open, Reason::UnclosedQuote))
                } else {
                    Ok(None)
                };
            };
            let here = at + found;
            let next = bytes.get(here + 1).copied();
            let escapes =
                bytes.get(here) == Some(&escape) && (escape != quote || next == Some(quote));
            if escapes && next.is_some() {
                escaped = true;
                at = here + 2;
                continue;
            }
            if escapes && last {
                return Err(Bad::at(open, Reason::UnclosedQuote));
            }
            // The closing quote, unless the text ends here and the next byte doubles it.
            let field = Field {
                start,
                end: here,
                escaped,
            };
            let mut after = here + 1;
            if self.dialect.trim {
                after += blanks(bytes.get(after..).unwrap_or_default());
            }
            return match bytes.get(after).copied() {
                None if last => Ok(Some((field, after))),
                None => Ok(None),
                Some(byte) if byte == self.dialect.delimiter || byte == self.dialect.end => {
                    Ok(Some((field, after)))
                }
                Some(b'\r') if self.dialect.lazy => match bytes.get(after + 1) {
                    Some(b'\n') => Ok(Some((field, after))),
                    None if last => Ok(Some((field, bytes.len()))),
                    None => Ok(None),
                    Some(_) => {
                        at = here + 1;
                        continue;
                    }
                },
                Some(_) if self.dialect.lazy => {
                    escaped = true;
                    at = here + 1;
                    continue;
                }
                Some(b'\r') => match bytes.get(after + 1) {
                    Some(b'\n') => Ok(Some((field, after))),
                    None if last => Ok(Some((field, bytes.len()))),
                    None => Ok(None),
                    Some(_) => Err(Bad::at(after, Reason::AfterQuote)),
                },
                Some(_) => Err(Bad::at(after, Reason::AfterQuote)),
            };
        }
    }

    pub(crate) fn field_count(&self) -> usize {
        self.fields.len()
    }

    /// Returns the fields of the record that was cut off `text` last.
    pub(crate) fn fields<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Cow<'a, str>> + 'a {
        self.fields.iter().map(move |field| {
            let raw = text.get(field.start..field.end).unwrap_or_default();
            if field.escaped {
                Cow::Owned(self.unescape(raw))
            } else {
                Cow::Borrowed(raw)
            }
        })
    }

    fn unescape(&self, raw: &str) -> String {
        let quote = self.dialect.quote.unwrap_or(b'"');
        let escape = char::from(self.dialect.escape.unwrap_or(quote));
        let doubled = self.dialect.escape.is_none();
        let mut out = String::with_capacity(raw.len());
        let mut chars = raw.chars().peekable();
        while let Some(c) = chars.next() {
            // A lone quote of a lazy file stands for itself.
            let lone = doubled && chars.peek() != Some(&escape);
            out.push(if c == escape && !lone {
                chars.next().unwrap_or(c)
            } else {
                c
            });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::{Cut, Dialect, Splitter};
    use crate::format::Reason;

    fn records(dialect: Dialect, text: &str, last: bool) -> (Vec<Vec<String>>, usize) {
        let mut splitter = Splitter::new(dialect);
        let (mut records, mut at) = (Vec::new(), 0);
        while at < text.len() {
            match splitter.split(text.get(at..).unwrap(), last).unwrap() {
                Cut::Record(len) => {
                    records.push(
                        splitter
                            .fields(text.get(at..).unwrap())
                            .map(|f| f.into_owned())
                            .collect(),
                    );
                    at += len;
                }
                Cut::Blank(len) => at += len,
                Cut::More => break,
            }
        }
        (records, at)
    }

    fn check(text: &str, expected: &[&[&str]]) {
        let (found, at) = records(Dialect::default(), text, true);
        assert_eq!(found, expected, "{text:?}");
        assert_eq!(at, text.len(), "{text:?}");
        // Whatever prefix has been read so far: a record is either cut right or not yet.
        for cut in 0..text.len() {
            let Some(prefix) = text.get(..cut) else {
                continue;
            };
            let (early, _) = records(Dialect::default(), prefix, false);
            assert_eq!(early, expected[..early.len()], "{prefix:?}");
        }
    }

    #[test]
    fn plain_records() {
        check("a,b\nc,d\n", &[&["a", "b"], &["c", "d"]]);
        check("a,b\r\nc,d", &[&["a", "b"], &["c", "d"]]);
        check(",\n,,\n", &[&["", ""], &["", "", ""]]);
        check("\n\r\na\n\n", &[&["a"]]);
        check("서울,똠방각하\n", &[&["서울", "똠방각하"]]);
    }

    #[test]
    fn quoted_records() {
        check("\"a,b\",c\n", &[&["a,b", "c"]]);
        check("\"a\nb\r\nc\",d\r\n", &[&["a\nb\r\nc", "d"]]);
        check("\"say \"\"hi\"\"\",\"\"\n", &[&["say \"hi\"", ""]]);
        check("x,\"\"\"\"\n\"\"\n", &[&["x", "\""], &[""]]);
        check("5\" pipe,b\n", &[&["5\" pipe", "b"]]);
        check("a,\"b\"", &[&["a", "b"]]);
        check("\"a\",b\r", &[&["a", "b"]]);
        check("a,\"b\"\r", &[&["a", "b"]]);
        check("\"가\n나\",다\n", &[&["가\n나", "다"]]);
    }

    #[test]
    fn other_dialects() {
        let tab = Dialect {
            delimiter: b'\t',
            quote: Some(b'\''),
            escape: Some(b'\\'),
            ..Dialect::default()
        };
        let (found, _) = records(tab, "a\t'b\\'s\t\\\\'\n\"x\ty\n", true);
        assert_eq!(found, [["a", "b's\t\\"], ["\"x", "y"]]);
    }

    #[test]
    fn dialects_of_the_wild() {
        let check = |dialect: Dialect, text: &str, expected: &[&[&str]]| {
            let (found, at) = records(dialect, text, true);
            assert_eq!(found, expected, "{dialect:?} {text:?}");
            assert_eq!(at, text.len());
        };
        let base = Dialect::default();
        let bare = Dialect {
            quote: None,
            ..base
        };
        check(bare, "a,\"b\"c\n\"x\n", &[&["a", "\"b\"c"], &["\"x"]]);
        let comment = Dialect {
            comment: Some(b'#'),
            ..base
        };
        check(comment, "# made by x\na,#b\n#\n", &[&["a", "#b"]]);
        let lazy = Dialect { lazy: true, ..base };
        check(
            lazy,
            "\"5\" pipe\",\"a \"\"b\"\" \"c\" d\"\n",
            &[&["5\" pipe", "a \"b\" \"c\" d"]],
        );
        check(lazy, "\"a\"\r\n\"b\"x\",c\r\n", &[&["a"], &["b\"x", "c"]]);
        let trim = Dialect { trim: true, ..base };
        check(
            trim,
            " a , \" b \" ,c\t\r\n  ,x\n",
            &[&["a", " b ", "c"], &["", "x"]],
        );
        let mac = Dialect { end: b'\r', ..base };
        check(mac, "a,\"b\rc\"\rd,e\r", &[&["a", "b\rc"], &["d", "e"]]);
        check(mac, "a,\"b\"", &[&["a", "b"]]);
    }

    #[test]
    fn broken_quotes_are_named() {
        let bad = |text: &str, last| {
            Splitter::default()
                .split(text, last)
                .map_err(|bad| (bad.at, bad.reason))
        };
        assert_eq!(bad("a,\"b\"c\n", false), Err((5, Reason::AfterQuote)));
        assert_eq!(bad("a,\"b\"\rc\n", false), Err((5, Reason::AfterQuote)));
        assert_eq!(bad("a,\"b\nc\n", true), Err((2, Reason::UnclosedQuote)));
        assert_eq!(bad("a,\"b\nc\n", false), Ok(Cut::More));
    }

    proptest::proptest! {
        #[test]
        fn what_was_quoted_comes_back(rows in proptest::collection::vec(
            proptest::collection::vec("[a-c,\"\n\r é]{0,6}", 2..4), 0..6)) {
            let mut text = String::new();
            for row in &rows {
                let quoted: Vec<String> = row.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
                text += &quoted.join(",");
                text += "\r\n";
            }
            let (found, at) = records(Dialect::default(), &text, true);
            proptest::prop_assert_eq!(found, rows);
            proptest::prop_assert_eq!(at, text.len());
        }
    }
}
