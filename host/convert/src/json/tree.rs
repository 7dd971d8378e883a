//! From text to a tree, strict where Jackson is strict and lenient where it is lenient.
//!
//! Lenient: UTF-16 and UTF-32 are recognised, a byte order mark is skipped, numbers may begin with zeros, a name that
//! stands twice has its last value. Numbers keep their text, so no digit is lost.

use std::borrow::Cow;

use indexmap::IndexMap;

use crate::schema::NESTING_MAX;
use crate::{Decimal, Error, Refusal};

/// The longest number, as Jackson bounds it.
const NUMBER_MAX: usize = 1_000;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Boolean(bool),
    /// Digits with a sign.
    Integer(&'a str),
    /// A number with a point or an exponent.
    Fraction(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(IndexMap<Cow<'a, str>, Node<'a>>),
}

impl<'a> Node<'a> {
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "boolean",
            Self::Integer(_) | Self::Fraction(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// Returns a member, `None` where this is no object or has no such member.
    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// Returns text that is the same for equal trees and for no others.
    pub(crate) fn to_key(&self) -> Box<str> {
        format!("{self:?}").into()
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Brings bytes to UTF-8: the encoding is guessed from a byte order mark or from where zeros stand.
pub(crate) fn tree_text(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    let utf8 = |bytes| {
        std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| invalid(error.valid_up_to(), "UTF-8"))
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0, 0, 0, _, ..] => utf32(bytes, u32::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(bytes, u32::from_le_bytes),
        [0, _, ..] => utf16(bytes, u16::from_be_bytes),
        [_, 0, ..] => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(invalid(bytes.len(), "UTF-16"));
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .map(Cow::Owned)
        .map_err(|_| invalid(0, "UTF-16"))
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Result<Cow<'static, str>, Error> {
    let (fours, rest) = bytes.as_chunks::<4>();
    let text: Option<String> = fours
        .iter()
        .map(|four| char::from_u32(unit(*four)))
        .collect();
    match text {
        Some(text) if rest.is_empty() => Ok(Cow::Owned(text)),
        _ => Err(invalid(0, "UTF-32")),
    }
}

#[cold]
fn invalid(at: usize, expected: &str) -> Error {
    Error::data(format!("not valid JSON at byte {at}: expected {expected}"))
}

/// Reads a JSON text; `None` where it is empty or blank.
///
/// # Errors
/// Says at which byte the text stops being JSON. A second value behind the first is refused.
pub(crate) fn parse(text: &str) -> Result<Option<Node<'_>>, Error> {
    let mut parser = Parser { text, at: 0 };
    parser.blanks();
    if parser.peek().is_none() {
        return Ok(None);
    }
    let node = parser.value(0)?;
    let end = parser.at;
    parser.blanks();
    match parser.peek() {
        None => Ok(Some(node)),
        Some(_)
            if end == parser.at
                && !matches!(node, Node::Array(_) | Node::Object(_) | Node::String(_)) =>
        {
            Err(invalid(end, "the end of the value"))
        }
        Some(_) => Err(Error::refused(
            Refusal::TextAfterToken,
            format!("text follows the JSON value at byte {}", parser.at),
        )),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn slice(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Node<'a>, Error> {
        if depth >= NESTING_MAX {
            return Err(Error::data(format!(
                "JSON nested deeper than {NESTING_MAX}"
            )));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Node::String(self.string()?)),
            Some(b't') => self.word("true", Node::Boolean(true)),
            Some(b'f') => self.word("false", Node::Boolean(false)),
            Some(b'n') => self.word("null", Node::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(invalid(self.at, "a value")),
        }
    }

    fn word(&mut self, word: &'static str, node: Node<'a>) -> Result<Node<'a>, Error> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(invalid(self.at, word));
        }
        self.at += word.len();
        if matches!(
            self.peek(),
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$')
        ) {
            return Err(invalid(self.at, "the end of the word"));
        }
        Ok(node)
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if start == self.at {
            return Err(invalid(self.at, "a digit"));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Node<'a>, Error> {
        let start = self.at;
        self.eat(b'-');
        self.digits()?;
        let mut fraction = false;
        if self.eat(b'.') {
            fraction = true;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            fraction = true;
            self.at += 1;
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.digits()?;
        }
        let text = self.slice(start);
        if text.len() > NUMBER_MAX {
            return Err(Error::data(format!(
                "the number at byte {start} has more than {NUMBER_MAX} characters"
            )));
        }
        if !fraction {
            return Ok(Node::Integer(text));
        }
        // An exponent that no decimal can have.
        Decimal::parse(text).map_err(|_| invalid(start, "a number"))?;
        Ok(Node::Fraction(text))
    }

    fn array(&mut self, depth: usize) -> Result<Node<'a>, Error> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Ok(Node::Array(items));
        }
        loop {
            self.blanks();
            items.push(self.value(depth + 1)?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Node::Array(items));
            }
            if !self.eat(b',') {
                return Err(invalid(self.at, "a comma or `]`"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node<'a>, Error> {
        self.at += 1;
        let mut members = IndexMap::new();
        self.blanks();
        if self.eat(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(invalid(self.at, "a name in quotes"));
            }
            let name = self.string()?;
            self.blanks();
            if !self.eat(b':') {
                return Err(invalid(self.at, "a colon"));
            }
            self.blanks();
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            self.blanks();
            if self.eat(b'}') {
                return Ok(Node::Object(members));
            }
            if !self.eat(b',') {
                return Err(invalid(self.at, "a comma or `}`"));
            }
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        self.at += 1;
        let mut start = self.at;
        let mut owned: Option<String> = None;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = self.slice(start);
                    self.at += 1;
                    return Ok(match owned {
                        None => Cow::Borrowed(rest),
                        Some(mut text) => {
                            text.push_str(rest);
                            Cow::Owned(text)
                        }
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(self.text.get(start..self.at).unwrap_or_default());
                    self.at += 1;
                    let character = self.escape()?;
                    owned.get_or_insert_default().push(character);
                    start = self.at;
                }
                Some(0..=0x1f) | None => return Err(invalid(self.at, "the end of the string")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Error> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(invalid(self.at - 1, "an escape")),
        })
    }

    fn unicode(&mut self) -> Result<char, Error> {
        let at = self.at;
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            if !(self.eat(b'\\') && self.eat(b'u')) {
                return Err(invalid(at, "both halves of a surrogate pair"));
            }
            let second = self.hex4()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(invalid(at, "both halves of a surrogate pair"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| invalid(at, "both halves of a surrogate pair"))
    }

    fn hex4(&mut self) -> Result<u32, Error> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or_else(|| invalid(self.at, "four hex digits"))?;
        self.at += 4;
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn jacksons_leniency_and_no_more() {
        let good =
            |text: &str, node: Node<'_>| assert_eq!(parse(text).unwrap(), Some(node), "{text}");
        good(" 007 ", Node::Integer("007"));
        good("-1.50e+3", Node::Fraction("-1.50e+3"));
        good(r#""a\u0041\ud83d\ude00\/""#, Node::String("aA😀/".into()));
        assert_eq!(parse(" \n").unwrap(), None);
        let twice = parse(r#"{"a":1,"b":2,"a":3}"#).unwrap().unwrap();
        assert_eq!(twice.get("a"), Some(&Node::Integer("3")));
        for bad in [
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "tru",
            "truex",
            "5x",
            "\"\t\"",
            "\"\\x\"",
            "\"\\ud83d\"",
            "'a'",
            "NaN",
            "[1",
            "\"a",
            "1e99999999999",
            "// c\n1",
        ] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.refusal(), None, "{bad}");
        }
        for dropped in ["5 6", "{} x", "[1]2", "\"a\"b"] {
            let error = parse(dropped).unwrap_err();
            assert_eq!(error.refusal(), Some(Refusal::TextAfterToken), "{dropped}");
        }
        let deep = "[".repeat(100_000);
        assert!(
            parse(&deep)
                .unwrap_err()
                .to_string()
                .contains("nested deeper")
        );
    }

    #[test]
    fn encodings_are_recognised() {
        for bytes in [
            b"\xef\xbb\xbf1".as_slice(),
            b"\x001",
            b"1\0",
            b"\xfe\xff\x001",
            b"\xff\xfe1\0",
            b"\0\0\x001",
            b"1\0\0\0",
            b"\0\0\xfe\xff\0\0\x001",
        ] {
            assert_eq!(tree_text(bytes).unwrap(), "1", "{bytes:?}");
        }
        assert!(tree_text(b"\"\xc3\"").is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\untrf \u{e9}]{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _any = parse(&text);
            let _any = tree_text(&bytes).map(|text| parse(&text).is_ok());
        }
    }
}
