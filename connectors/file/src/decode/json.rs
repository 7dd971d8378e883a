//! `format: json`: the elements of one array of a JSON document, wherever it lies, or the documents of the file one after the other.
//!
//! The document is never in memory as a whole: the way to the array is gone byte by byte, and then each element is cut out and
//! checked. Bounded by `max.line.bytes` for each element; what is passed on the way has no bound.
//!
//! ```text
//! json.path: /data/items     {"meta": {…}, "data": {"items": [ {record}, {record} ], "next": 3}}
//! json.path unset            [ {record}, {record} ]   or   {record} {record}
//! ```

use linkspan_sdk::prelude::*;
use serde_json::Value as Json;

use super::lines::{check_json, check_len};
use super::{Decode, Drained, Piece, Problem, Start, Target};
use crate::format::{Bad, Reason};

/// Where in the document the reader is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Before a value at this depth of the path.
    Value(usize),
    /// In an object of the path, before a name or its end; `true`: a comma came.
    Member(usize),
    /// In a value that is passed.
    Pass { level: usize, skip: Skip },
    /// In the array, before an element, a comma or its end.
    Array,
    /// Between documents.
    Documents,
    /// Behind the array.
    Rest,
}

/// How far a value that is passed has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Skip {
    depth: u32,
    in_text: bool,
    escaped: bool,
    /// A byte of it was seen.
    begun: bool,
}

/// Hands out the elements of an array.
#[derive(Debug)]
pub(crate) struct JsonRecords {
    path: Vec<String>,
    place: Place,
}

impl JsonRecords {
    /// Takes a JSON pointer: `/data/items`, or nothing for the document itself.
    pub(crate) fn new(pointer: &str) -> Self {
        let names = pointer.split('/').skip(1);
        Self {
            path: names
                .map(|name| name.replace("~1", "/").replace("~0", "~"))
                .collect(),
            place: Place::Value(0),
        }
    }
}

impl Decode for JsonRecords {
    fn begin(&mut self, start: &Start<'_>) -> Result<(), Problem> {
        let stored = start.state.and_then(|state| state.get("in"));
        self.place = match stored.and_then(Json::as_str) {
            Some("array") => Place::Array,
            Some("documents") => Place::Documents,
            Some("rest") => Place::Rest,
            _ => Place::Value(0),
        };
        Ok(())
    }

    fn drain(
        &mut self,
        piece: Piece<'_>,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Drained {
        let text = piece.text();
        let mut drained = Drained::default();
        if position == 0 && text.starts_with(super::csv_rows::BOM) {
            drained.consumed = super::csv_rows::BOM.len();
        }
        while !target.is_full() {
            let rest = text.get(drained.consumed..).unwrap_or_default();
            let at = position + drained.consumed as u64;
            match self.step(rest, at, last, target) {
                Ok(Some((len, records))) => {
                    drained.consumed += len;
                    drained.records += records;
                }
                Ok(None) => break,
                Err(problem) => {
                    drained.bad = Some(problem);
                    break;
                }
            }
        }
        drained
    }

    fn extent(&mut self, bytes: &[u8], last: bool) -> Option<usize> {
        let before = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace() || **byte == b',')
            .count();
        let value = bytes.get(before..).unwrap_or_default();
        value_end(value, last).map(|len| before + len.max(1).min(value.len()))
    }

    fn finish(&mut self, _target: &mut Target<'_>) -> Result<(), Problem> {
        let why = match &self.place {
            Place::Documents | Place::Rest => return Ok(()),
            // An empty file has no record, as in every format.
            Place::Value(0) => return Ok(()),
            Place::Array => "the file ends inside the array of records".to_owned(),
            Place::Value(_) | Place::Member(_) | Place::Pass { .. } => format!(
                "the file ends before the array `/{}` (json.path)",
                self.path.join("/")
            ),
        };
        Err(Problem::File(Error::data_invalid(why)))
    }

    fn state(&self) -> Option<Json> {
        let place = match &self.place {
            Place::Array => "array",
            Place::Documents => "documents",
            Place::Rest => "rest",
            Place::Value(_) | Place::Member(_) | Place::Pass { .. } => return None,
        };
        Some(serde_json::json!({ "in": place }))
    }

    fn is_resumable(&self) -> bool {
        matches!(self.place, Place::Array | Place::Documents | Place::Rest)
    }

    fn joins_lines(&self) -> bool {
        true
    }
}

impl JsonRecords {
    /// Goes one step: bytes used and records made; `None` when more bytes are needed.
    fn step(
        &mut self,
        text: &str,
        position: u64,
        last: bool,
        target: &mut Target<'_>,
    ) -> Result<Option<(usize, u64)>, Problem> {
        if self.place == Place::Rest {
            return Ok((!text.is_empty()).then_some((text.len(), 0)));
        }
        if let Place::Pass { level, skip } = &mut self.place {
            let (level, used, done) = {
                let (used, done) = skip.pass(text.as_bytes());
                (*level, used, done)
            };
            if done {
                self.place = Place::Member(level);
            }
            return Ok((used > 0 || done).then_some((used, 0)));
        }
        let blank = text.len() - text.trim_start().len();
        if blank > 0 {
            return Ok(Some((blank, 0)));
        }
        let Some(first) = text.as_bytes().first().copied() else {
            return Ok(None);
        };
        match self.place.clone() {
            Place::Value(level) => self.value(level, first).map(Some),
            Place::Member(level) => self.member(level, text, last),
            Place::Array => match first {
                b']' => {
                    self.place = if self.path.is_empty() {
                        Place::Documents
                    } else {
                        Place::Rest
                    };
                    Ok(Some((1, 0)))
                }
                b',' => Ok(Some((1, 0))),
                _ => record(text, position, last, target),
            },
            Place::Documents => record(text, position, last, target),
            Place::Pass { .. } | Place::Rest => Ok(None),
        }
    }

    fn value(&mut self, level: usize, first: u8) -> Result<(usize, u64), Problem> {
        if level < self.path.len() {
            if first != b'{' {
                return Err(self.no_array(level, "is no object"));
            }
            self.place = Place::Member(level);
            return Ok((1, 0));
        }
        if first == b'[' {
            self.place = Place::Array;
            return Ok((1, 0));
        }
        if !self.path.is_empty() {
            return Err(self.no_array(level, "is no array"));
        }
        self.place = Place::Documents;
        Ok((0, 0))
    }

    fn member(
        &mut self,
        level: usize,
        text: &str,
        last: bool,
    ) -> Result<Option<(usize, u64)>, Problem> {
        match text.as_bytes().first() {
            Some(b',') => return Ok(Some((1, 0))),
            Some(b'}') => return Err(self.no_array(level, "has no such member")),
            Some(b'"') => {}
            _ => return Err(self.no_array(level, "is no JSON object")),
        }
        let Some(len) = value_end(text.as_bytes(), last) else {
            return Ok(None);
        };
        let name: String = serde_json::from_str(text.get(..len).unwrap_or_default())
            .map_err(|_| self.no_array(level, "has a name that is not JSON"))?;
        let behind = text.get(len..).unwrap_or_default();
        let blank = behind.len() - behind.trim_start().len();
        match behind.trim_start().as_bytes().first() {
            None if last => return Err(self.no_array(level, "ends behind a name")),
            None => return Ok(None),
            Some(b':') => {}
            Some(_) => return Err(self.no_array(level, "has a name without a colon")),
        }
        self.place = if self.path.get(level) == Some(&name) {
            Place::Value(level + 1)
        } else {
            Place::Pass {
                level,
                skip: Skip::default(),
            }
        };
        Ok(Some((len + blank + 1, 0)))
    }

    fn no_array(&self, level: usize, what: &str) -> Problem {
        let here: Vec<&str> = self.path.iter().take(level).map(String::as_str).collect();
        Problem::File(Error::data_invalid(format!(
            "there is no array at `json.path` /{}: `/{}` {what}",
            self.path.join("/"),
            here.join("/")
        )))
    }
}

/// Hands out the value that `text` begins with.
fn record(
    text: &str,
    position: u64,
    last: bool,
    target: &mut Target<'_>,
) -> Result<Option<(usize, u64)>, Problem> {
    let Some(len) = value_end(text.as_bytes(), last) else {
        return Ok(None);
    };
    let value = text.get(..len).unwrap_or_default();
    check_len(len, target.line_bytes_max, true)?;
    if value.is_empty() {
        return Err(Bad::at(0, Reason::Json("a value is expected".to_owned())).into());
    }
    check_json(value, 0)?;
    target
        .record(position)
        .raw_json(value.as_bytes())
        .map_err(Problem::Batch)?;
    Ok(Some((len, 1)))
}

/// Returns the length of the JSON value that `bytes` begin with, by its brackets and quotes alone; `None`: not in sight.
fn value_end(bytes: &[u8], last: bool) -> Option<usize> {
    let mut skip = Skip::default();
    let (used, done) = skip.pass(bytes);
    (done || last).then_some(used)
}

impl Skip {
    /// Passes bytes of a value; returns how many belong to it and whether it ends with them.
    fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.in_text {
                if self.escaped {
                    self.escaped = false;
                } else if byte == b'\\' {
                    self.escaped = true;
                } else if byte == b'"' {
                    self.in_text = false;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                at += 1;
                continue;
            }
            match byte {
                b'"' => {
                    self.in_text = true;
                    self.begun = true;
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.begun = true;
                }
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                // What ends a number or a word belongs to what is around it.
                b',' | b'}' | b']' if self.depth == 0 => return (at, true),
                byte if byte.is_ascii_whitespace() && self.depth == 0 && self.begun => {
                    return (at, true);
                }
                byte if byte.is_ascii_whitespace() => {}
                _ => self.begun = true,
            }
            at += 1;
        }
        (at, false)
    }
}

#[cfg(test)]
mod tests {
    use super::{JsonRecords, value_end};

    #[test]
    fn values_are_cut_by_brackets_and_quotes() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(value_end(text.as_bytes(), false), expected, "{text}");
        };
        check(r#"{"a":"}"}, 2"#, Some(9));
        check(r#"[[1],"\"]"] x"#, Some(11));
        check("12,", Some(2));
        check("true ]", Some(4));
        check(r#""a\\" "#, Some(5));
        check("12", None);
        check(r#"{"a":"#, None);
    }

    #[test]
    fn a_pointer_is_taken_apart() {
        let records = JsonRecords::new("/a~1b/c~0d/");
        assert_eq!(records.path, ["a/b", "c~d", ""]);
        assert!(JsonRecords::new("").path.is_empty());
    }
}
