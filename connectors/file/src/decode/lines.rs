//! `format: lines` and `jsonl`: a record is a line.

use serde::de::IgnoredAny;

use super::{Decode, Drained, Piece, Problem, Start, Target};
use crate::format::{Bad, Reason};

/// What a line has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Text,
    Json,
}

/// Hands out each line.
#[derive(Debug)]
pub(crate) struct Lines(Content);

impl Lines {
    /// Any text; a blank line is a record too.
    pub(crate) const TEXT: Self = Self(Content::Text);
    /// One JSON value on each line; blank lines are passed.
    pub(crate) const JSON: Self = Self(Content::Json);
}

impl Decode for Lines {
    fn begin(&mut self, _start: &Start<'_>) -> Result<(), Problem> {
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
        if self.0 == Content::Json && position == 0 && text.starts_with(super::csv_rows::BOM) {
            drained.consumed = super::csv_rows::BOM.len();
        }
        while !target.is_full() {
            let Some(line) = text
                .get(drained.consumed..)
                .and_then(|rest| split(rest, last))
            else {
                break;
            };
            let at = position + drained.consumed as u64;
            let sent = match self.0 {
                Content::Text => send_text(&line, at, target).map(|()| 1),
                Content::Json => send_json(&line, at, target),
            };
            match sent {
                Ok(records) => {
                    drained.consumed += line.len;
                    drained.records += records;
                }
                Err(problem) => {
                    drained.bad = Some(problem);
                    break;
                }
            }
        }
        drained
    }
}

#[inline]
fn send_text(line: &Line<'_>, at: u64, target: &mut Target<'_>) -> Result<(), Problem> {
    check_len(line.text.len(), target.line_bytes_max, false)?;
    target.record(at).utf8(line.text).map_err(Problem::Batch)
}

fn send_json(line: &Line<'_>, at: u64, target: &mut Target<'_>) -> Result<u64, Problem> {
    let text = line.text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    check_len(text.len(), target.line_bytes_max, false)?;
    check_json(text, 0)?;
    let sent = target.record(at).raw_json(text.as_bytes());
    sent.map_err(Problem::Batch).map(|()| 1)
}

/// Checks one JSON value that begins `before` bytes into its record.
pub(super) fn check_json(text: &str, before: usize) -> Result<(), Bad> {
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|error| {
            let line_start = text
                .split_inclusive('\n')
                .take(error.line().saturating_sub(1))
                .map(str::len)
                .sum::<usize>();
            Bad::at(
                before + line_start + error.column().saturating_sub(1),
                Reason::Json(json_reason(&error)),
            )
        })
}

/// What is wrong, without the place, which the reader tells in terms of the file.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// A line and how much of the text it takes up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// The line without its `\n` or `\r\n`.
    pub(crate) text: &'a str,
    /// Bytes up to the start of the next line.
    pub(crate) len: usize,
}

/// Takes the first line of `text`; `None` when its end is not in sight.
///
/// `last` says that the file ends with `text`: then a line needs no newline.
#[inline]
pub(crate) fn split(text: &str, last: bool) -> Option<Line<'_>> {
    let (end, len) = match memchr::memchr(b'\n', text.as_bytes()) {
        Some(at) => (at, at + 1),
        None if last && !text.is_empty() => (text.len(), text.len()),
        None => return None,
    };
    let line = text.get(..end)?;
    Some(Line {
        text: line.strip_suffix('\r').unwrap_or(line),
        len,
    })
}

/// Refuses a line longer than the limit.
#[inline]
pub(crate) fn check_len(len: usize, max: usize, csv: bool) -> Result<(), Bad> {
    if len > max {
        Err(Bad::too_long(max, csv))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    fn check(text: &str, last: bool, expected: &[&str], rest: &str) {
        let (mut lines, mut at) = (Vec::new(), 0);
        while let Some(line) = split(text.get(at..).unwrap(), last) {
            lines.push(line.text);
            at += line.len;
        }
        assert_eq!(
            (lines.as_slice(), text.get(at..).unwrap()),
            (expected, rest),
            "{text:?}"
        );
    }

    #[test]
    fn lines_end_with_lf_or_crlf() {
        check("a\nb\r\n\n\r\nc\n", false, &["a", "b", "", "", "c"], "");
        check("가나\n똠방각하\n", false, &["가나", "똠방각하"], "");
        check("a\rb\n", false, &["a\rb"], "");
    }

    #[test]
    fn last_line_without_newline_waits_until_the_file_ends() {
        check("a\nb", false, &["a"], "b");
        check("a\nb", true, &["a", "b"], "");
        check("a\r", true, &["a"], "");
        check("", true, &[], "");
    }
}
