//! Reading JSON without a tree: the fields of an object, each as the slice of text that it is.
//!
//! Digits stay as they were written, nested values stay text, and nothing is allocated for a text without escapes.

use std::borrow::Cow;

/// How deep values may nest.
const DEPTH_MAX: usize = 128;

/// A JSON value as it stands in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The digits as written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// The whole text of an object.
    Object(&'a str),
    /// The whole text of an array.
    Array(&'a str),
}

/// Why a text is no JSON, with the byte at which that shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no valid JSON at byte {at}: {what}")]
pub(crate) struct JsonFault {
    at: usize,
    what: &'static str,
}

type Fallible<T> = Result<T, JsonFault>;

impl<'a> Json<'a> {
    /// Reads one value, with nothing behind it.
    pub(crate) fn parse(text: &'a str) -> Fallible<Self> {
        let mut reader = Reader::new(text);
        let value = reader.value()?;
        reader.end()?;
        Ok(value)
    }
}

/// Reads the fields of an object, in order; a name that comes twice is a fault, as what it means is anybody's guess.
pub(crate) fn fields(text: &str) -> Fallible<Vec<(Cow<'_, str>, Json<'_>)>> {
    let mut reader = Reader::new(text);
    reader.space();
    let mut fields: Vec<(Cow<'_, str>, Json<'_>)> = Vec::new();
    reader.expect(b'{', "an object is wanted")?;
    reader.space();
    if reader.take(b'}') {
        reader.end()?;
        return Ok(fields);
    }
    loop {
        reader.space();
        let at = reader.at;
        let name = reader.text()?;
        if fields.iter().any(|(known, _)| *known == name) {
            return Err(JsonFault {
                at,
                what: "a field stands twice",
            });
        }
        reader.space();
        reader.expect(b':', "`:` is wanted")?;
        let value = reader.value()?;
        fields.push((name, value));
        reader.space();
        if reader.take(b'}') {
            reader.end()?;
            return Ok(fields);
        }
        reader.expect(b',', "`,` or `}` is wanted")?;
    }
}

/// Reads the items of an array.
pub(crate) fn items(text: &str) -> Fallible<Vec<Json<'_>>> {
    let mut reader = Reader::new(text);
    reader.space();
    let mut items = Vec::new();
    reader.expect(b'[', "an array is wanted")?;
    reader.space();
    if reader.take(b']') {
        reader.end()?;
        return Ok(items);
    }
    loop {
        items.push(reader.value()?);
        reader.space();
        if reader.take(b']') {
            reader.end()?;
            return Ok(items);
        }
        reader.expect(b',', "`,` or `]` is wanted")?;
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    const fn fault(&self, what: &'static str) -> JsonFault {
        JsonFault { at: self.at, what }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Fallible<()> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.fault(what))
        }
    }

    fn end(&mut self) -> Fallible<()> {
        self.space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            Err(self.fault("something follows the value"))
        }
    }

    fn slice(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn value(&mut self) -> Fallible<Json<'a>> {
        self.space();
        let from = self.at;
        match self.peek() {
            Some(b'"') => Ok(Json::Text(self.text()?)),
            Some(b'{') => {
                self.skip(0)?;
                Ok(Json::Object(self.slice(from)))
            }
            Some(b'[') => {
                self.skip(0)?;
                Ok(Json::Array(self.slice(from)))
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Ok(Json::Number(self.slice(from)))
            }
            Some(b't') => self.word("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.word("false").map(|()| Json::Bool(false)),
            Some(b'n') => self.word("null").map(|()| Json::Null),
            _ => Err(self.fault("a value is wanted")),
        }
    }

    fn word(&mut self, word: &'static str) -> Fallible<()> {
        if self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.fault("a value is wanted"))
        }
    }

    fn digits(&mut self) -> Fallible<()> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from {
            Err(self.fault("a digit is wanted"))
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Fallible<()> {
        self.take(b'-');
        if self.take(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.fault("a number does not begin with 0"));
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Passes a value; nested ones are checked too.
    fn skip(&mut self, depth: usize) -> Fallible<()> {
        if depth > DEPTH_MAX {
            return Err(self.fault("it is nested too deep"));
        }
        self.space();
        let (open, close) = match self.peek() {
            Some(b'{') => (b'{', b'}'),
            Some(b'[') => (b'[', b']'),
            Some(b'"') => return self.text().map(drop),
            _ => return self.value().map(drop),
        };
        self.at += 1;
        self.space();
        if self.take(close) {
            return Ok(());
        }
        loop {
            if open == b'{' {
                self.space();
                self.text()?;
                self.space();
                self.expect(b':', "`:` is wanted")?;
            }
            self.skip(depth + 1)?;
            self.space();
            if self.take(close) {
                return Ok(());
            }
            self.expect(b',', "`,` is wanted")?;
        }
    }

    fn text(&mut self) -> Fallible<Cow<'a, str>> {
        self.expect(b'"', "a text is wanted")?;
        let from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let text = self.slice(from);
                    self.at += 1;
                    return Ok(Cow::Borrowed(text));
                }
                Some(b'\\') => break,
                Some(0..=0x1f) | None => return Err(self.fault("a text is not closed")),
                Some(_) => self.at += 1,
            }
        }
        let mut text = self.slice(from).to_owned();
        loop {
            let plain = self.at;
            while !matches!(self.peek(), Some(b'"' | b'\\' | 0..=0x1f) | None) {
                self.at += 1;
            }
            text.push_str(self.slice(plain));
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return Err(self.fault("a text is not closed")),
            }
        }
    }

    fn escape(&mut self) -> Fallible<char> {
        let byte = self
            .peek()
            .ok_or_else(|| self.fault("a text is not closed"))?;
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    self.expect(b'\\', "half of a surrogate pair")?;
                    self.expect(b'u', "half of a surrogate pair")?;
                    let second = self.hex()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.fault("half of a surrogate pair"));
                    }
                    0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.fault("half of a surrogate pair"))?
            }
            _ => return Err(self.fault("an unknown escape")),
        })
    }

    fn hex(&mut self) -> Fallible<u32> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or_else(|| self.fault("four digits are wanted"))?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(self.fault("four digits are wanted"));
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.fault("four digits are wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_text() {
        let found = fields(r#" {"a": 12345678901234567890.10, "b":"x\n\u00e4\ud83d\ude00", "c":{"d":[1, "}"]}, "e":[ ], "f":null,"g":true} "#).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(name, value)| (name.as_ref(), value.clone()))
            .collect();
        assert_eq!(
            found,
            [
                ("a", Json::Number("12345678901234567890.10")),
                ("b", Json::Text(Cow::Borrowed("x\nä😀"))),
                ("c", Json::Object(r#"{"d":[1, "}"]}"#)),
                ("e", Json::Array("[ ]")),
                ("f", Json::Null),
                ("g", Json::Bool(true)),
            ]
        );
        assert_eq!(fields("{}").unwrap(), []);
        assert_eq!(
            items("[1,\"a\",[2]]").unwrap(),
            [
                Json::Number("1"),
                Json::Text("a".into()),
                Json::Array("[2]")
            ]
        );
    }

    /// serde_json is the judge of what is JSON; only a doubled field is our own rule.
    #[test]
    fn it_agrees_with_another_reader() {
        let cases = [
            "",
            "1",
            "-0",
            "01",
            "1.",
            ".5",
            "1e5",
            "1e",
            "-",
            "tru",
            "true",
            "null",
            "\"a",
            "\"\\x\"",
            "\"\\ud800\"",
            "[1,]",
            "[,]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "[1 2]",
            "{\"a\":{\"b\":}}",
            "[[[]]]",
            "{} x",
            "\"\u{1}\"",
            "[\"\\u00zz\"]",
            "[\"\\u+0a1\"]",
            "nul",
            "[tru]",
        ];
        for case in cases {
            let other = serde_json::from_str::<serde_json::Value>(case).is_ok();
            assert_eq!(Json::parse(case).is_ok(), other, "{case}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(Json::parse(&deep).is_err());
        assert!(fields(r#"{"a":1,"a":2}"#).is_err());
    }
}
