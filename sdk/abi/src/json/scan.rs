//! A JSON scanner: finds the end of values and strings, allocates nothing.

use super::text::find_special;
use crate::error::{JsonError, JsonProblem};

/// A position in a JSON text that is known to be UTF-8.
#[derive(Debug, Clone)]
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    pub(super) at: usize,
}

#[cold]
pub(super) fn syntax(at: usize, what: &'static str) -> JsonError {
    JsonError::new(JsonProblem::Syntax { at, what })
}

impl<'a> Scanner<'a> {
    #[inline]
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Returns the next byte that is not white space, without passing it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if byte > b' ' {
                return Some(byte);
            }
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Passes a byte if it is next.
    #[inline]
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// Passes a byte that must be next.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), JsonError> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(syntax(self.at, what))
        }
    }

    /// Passes a literal that must be next.
    pub(super) fn literal(&mut self, literal: &'static str) -> Result<(), JsonError> {
        self.peek();
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(literal.as_bytes()) {
            self.at += literal.len();
            Ok(())
        } else {
            Err(syntax(self.at, "a literal"))
        }
    }

    /// Passes the rest of white space and says whether the text ends there.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Passes these very bytes if they are next, white space not passed over.
    #[inline]
    pub(super) fn eat_all(&mut self, bytes: &[u8]) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = rest.starts_with(bytes);
        if found {
            self.at += bytes.len();
        }
        found
    }

    /// Passes a string that must be next; returns what stands between its quotes and whether there are escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<(&'a [u8], bool), JsonError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let found = find_special(rest).ok_or_else(|| syntax(start, "the end of a string"))?;
            self.at += found + 1;
            match rest.get(found) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                }
                _ => return Err(syntax(start, "an escape for a control character")),
            }
        }
        let inner = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok((inner, escaped))
    }

    /// Passes a number; returns its text and whether it is an integer's.
    #[inline]
    pub(super) fn number(&mut self) -> Result<(&'a [u8], bool), JsonError> {
        self.peek();
        let start = self.at;
        let bad = || syntax(start, "a number");
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(bad()),
        }
        let mut integer = true;
        if self.byte() == Some(b'.') {
            integer = false;
            self.at += 1;
            self.some_digits().ok_or_else(bad)?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            integer = false;
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits().ok_or_else(bad)?;
        }
        Ok((self.text.get(start..self.at).unwrap_or_default(), integer))
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    fn digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Option<()> {
        let start = self.at;
        self.digits();
        (self.at > start).then_some(())
    }

    /// Passes a value of any type, nested at most `depth` deep.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth == 0 {
            return Err(syntax(self.at, "less nesting"));
        }
        match self.peek() {
            Some(b'"') => {
                let (inner, escaped) = self.string()?;
                if escaped {
                    unescape(inner, self.at, &mut Vec::new())?;
                }
                Ok(())
            }
            Some(b'{') => self.skip_object(depth),
            Some(b'[') => self.skip_array(depth),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => self.number().map(|_| ()),
        }
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), JsonError> {
        self.expect(b'{', "an object")?;
        if self.eat(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(syntax(self.at, "a key"));
            }
            self.skip(1)?;
            self.expect(b':', "a colon")?;
            self.skip(depth - 1)?;
            if self.eat(b'}') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), JsonError> {
        self.expect(b'[', "an array")?;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.skip(depth - 1)?;
            if self.eat(b']') {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the array")?;
        }
    }
}

/// Appends a string's text, given what stands between its quotes.
pub(super) fn unescape(inner: &[u8], at: usize, out: &mut Vec<u8>) -> Result<(), JsonError> {
    let bad = || syntax(at, "a valid escape");
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let plain = match bytes.next().ok_or_else(bad)? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = escaped_character(&mut bytes).ok_or_else(bad)?;
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
                continue;
            }
            _ => return Err(bad()),
        };
        out.push(plain);
    }
    Ok(())
}

/// Reads what follows `\u`: four hex digits, and the other half of a surrogate pair.
fn escaped_character(bytes: &mut impl Iterator<Item = u8>) -> Option<char> {
    let first = hex4(bytes)?;
    if !(0xd800..0xe000).contains(&first) {
        return char::from_u32(first);
    }
    if first >= 0xdc00 || bytes.next() != Some(b'\\') || bytes.next() != Some(b'u') {
        return None;
    }
    let second = hex4(bytes)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
}

fn hex4(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let mut unit = 0_u32;
    for _ in 0..4 {
        unit = unit * 16 + char::from(bytes.next()?).to_digit(16)?;
    }
    Some(unit)
}

/// Returns whether UTF-8 bytes are exactly one JSON object, nested at most `depth` deep.
pub(crate) fn is_object(text: &[u8], depth: usize) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.peek() == Some(b'{') && scanner.skip(depth).is_ok() && scanner.at_end()
}
