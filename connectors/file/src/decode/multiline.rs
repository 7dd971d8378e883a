//! `multiline.start.pattern`: a record is a line that matches, with the lines up to the next one that does.
//!
//! Stack traces are the usual case. Lines before the first match are a record of their own. The last record of a file that grows
//! goes out when the next one begins, or when nothing came for `multiline.timeout`.

use fancy_regex::Regex;

use super::lines::{check_len, split};
use super::{Decode, Drained, Piece, Problem, Start, Target};

/// Joins lines.
#[derive(Debug)]
pub(crate) struct Multiline {
    start: Regex,
}

impl Multiline {
    pub(crate) fn new(start: Regex) -> Self {
        Self { start }
    }

    /// A pattern that needs too much of the machine to decide matches nothing.
    fn begins(&self, line: &str) -> bool {
        self.start.is_match(line).unwrap_or(false)
    }

    /// Returns the bytes of the first record of `text`; `None` when its end is not in sight.
    fn record_len(&self, text: &str, last: bool) -> Option<usize> {
        let mut at = split(text, last)?.len;
        while let Some(line) = split(text.get(at..).unwrap_or_default(), last) {
            if self.begins(line.text) {
                return Some(at);
            }
            at += line.len;
        }
        // A line whose end is not there yet may be the first of the next record.
        (last && at == text.len()).then_some(at)
    }
}

impl Decode for Multiline {
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
        while !target.is_full() {
            let rest = text.get(drained.consumed..).unwrap_or_default();
            let Some(len) = self.record_len(rest, last) else {
                break;
            };
            let lines = rest.get(..len).unwrap_or_default();
            let record = lines.strip_suffix('\n').unwrap_or(lines);
            let record = record.strip_suffix('\r').unwrap_or(record);
            let at = position + drained.consumed as u64;
            let sent = check_len(len, target.line_bytes_max, false)
                .map_err(Problem::Bad)
                .and_then(|()| target.record(at).utf8(record).map_err(Problem::Batch));
            if let Err(problem) = sent {
                drained.bad = Some(problem);
                break;
            }
            drained.consumed += len;
            drained.records += 1;
        }
        drained
    }

    fn joins_lines(&self) -> bool {
        true
    }

    fn holds_back(&self) -> bool {
        true
    }
}
