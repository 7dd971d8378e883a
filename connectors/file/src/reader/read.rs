//! One visit to one file: from bytes to records, until the batch is full or the file has no more.

use linkspan_sdk::prelude::*;

use super::Settings;
use crate::charset::{Charset, behind_newline};
use crate::content::Content;
use crate::decode::{Decode, Drained, Piece, Problem, Start, Target, Wants, valid_utf8};
use crate::error::{self, At};
use crate::format::{Bad, Reason};
use crate::window::{LineCounter, Window};

/// Text is checked for UTF-8 and cut in pieces of this size, which the caches hold.
const PIECE_BYTES: usize = 64 << 10;
/// Of a record that is too long to be kept, this much goes with the report of it.
const EXCERPT_BYTES: usize = 64 << 10;

/// How a visit to a file ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Visit {
    BatchFull,
    AtEnd,
}

/// One visit to one file.
pub(super) struct Read<'a> {
    pub(super) settings: &'a Settings,
    pub(super) decoder: &'a mut dyn Decode,
    pub(super) charset: Option<&'a mut (dyn Charset + 'static)>,
    pub(super) window: &'a mut Window,
    pub(super) lines: &'a mut LineCounter,
    pub(super) content: &'a dyn Content,
    pub(super) name: &'a str,
    pub(super) tolerant: bool,
    /// The file is complete, so that its last record needs no line end.
    pub(super) ends: bool,
    /// What is held back goes out: nothing came for a while.
    pub(super) flushes: bool,
    pub(super) records: u64,
    /// Of these, such as could not be read.
    pub(super) rejected: u64,
}

/// What the bytes at hand are, as the decoder wants them.
struct Front {
    /// Where what is wrong begins, in bytes of the file from the window's start.
    invalid: Option<(usize, Reason)>,
    /// Bytes of the file that were shown to the decoder.
    shown: usize,
}

impl Read<'_> {
    pub(super) fn run(&mut self, out: &mut BatchBuilder) -> Result<Visit> {
        loop {
            let part = self.content.part(self.window.position());
            let name = error::place_name(self.name, part.name.as_deref());
            if self.window.position() == part.start && !self.pass_header(part.end)? {
                return Ok(Visit::AtEnd);
            }
            match self.run_part(out, &name, part.start, part.end)? {
                Visit::BatchFull => return Ok(Visit::BatchFull),
                Visit::AtEnd => {}
            }
            if self.ends {
                self.finish(out, &name, part.start)?;
            }
            if !part.has_next || self.window.position() < part.end {
                return Ok(Visit::AtEnd);
            }
            self.lines.reset(part.end);
            let next = self.content.part(part.end);
            let name = error::place_name(self.name, next.name.as_deref());
            let start = Start {
                name: &name,
                position: 0,
                state: None,
            };
            if let Err(problem) = self.decoder.begin(&start) {
                return Err(self.error(problem, &name, part.end, part.end));
            }
        }
    }

    /// Checks what only the end of a complete file shows.
    fn finish(&mut self, out: &mut BatchBuilder, name: &str, start: u64) -> Result<()> {
        let finished = self.decoder.finish(&mut target(self.settings, out, name));
        finished.map_err(|problem| {
            let position = self.window.position();
            self.error(problem, name, start, position)
        })
    }

    /// Passes the lines before the first record; `false`: they are not all there yet.
    fn pass_header(&mut self, end: u64) -> Result<bool> {
        let mut left = self.settings.header_lines;
        let mut last = false;
        while left > 0 {
            let bytes = self.window.bytes();
            if let Some(len) = header_line(self.charset.as_deref(), bytes, last) {
                if len == 0 {
                    break;
                }
                // The window is brought back to the start unless all of them are there.
                self.pass(len);
                left -= 1;
                continue;
            }
            if bytes.len() > self.settings.line_bytes_max.saturating_mul(2) {
                return Err(Error::data_invalid(format!(
                    "`{}`: a line of `skip.header.lines` is longer than `max.line.bytes`",
                    self.name
                )));
            }
            last = self.fill(end)? == 0;
            if last && !self.ends {
                let part = self.content.part(self.window.position());
                self.window.seek(part.start);
                self.lines.reset(part.start);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands out records until the batch is full or the part has no more.
    fn run_part(
        &mut self,
        out: &mut BatchBuilder,
        name: &str,
        start: u64,
        end: u64,
    ) -> Result<Visit> {
        let (mut piece, mut at_end) = (PIECE_BYTES, false);
        let mut text = String::new();
        loop {
            if target(self.settings, out, name).is_full() {
                return Ok(Visit::BatchFull);
            }
            let all = self.window.bytes();
            let usable = all
                .get(..usable(all, self.settings.footer_lines))
                .unwrap_or_default();
            let whole = usable.len() <= piece;
            let last = at_end && whole;
            let shown = usable.get(..piece).unwrap_or(usable);
            let position = self.window.position() - start;
            let mut to = target(self.settings, out, name);
            let (drained, front) = drain(
                self.decoder,
                self.charset.as_deref_mut(),
                &mut text,
                shown,
                usable.len(),
                position,
                last,
                &mut to,
            );
            self.pass(drained.consumed);
            self.records += drained.records;
            if let Some(problem) = drained.bad {
                self.bad(problem, out, name, start, end)?;
                piece = PIECE_BYTES;
                continue;
            }
            if drained.consumed > 0 {
                piece = PIECE_BYTES;
                continue;
            }
            // The next record does not end in this piece.
            let max = self.settings.line_bytes_max;
            let reason = match front.invalid {
                Some((at, reason)) => Some(Bad::at(at, reason)),
                None => (front.shown > max && self.decoder.wants() == Wants::Text)
                    .then(|| Bad::too_long(max, self.decoder.joins_lines())),
            };
            if let Some(bad) = reason {
                self.bad(Problem::Bad(bad), out, name, start, end)?;
                piece = PIECE_BYTES;
                continue;
            }
            if !whole {
                piece = piece.saturating_mul(2);
                continue;
            }
            if at_end {
                // What is left is the footer.
                let rest = self.window.bytes().len();
                self.pass(if self.settings.footer_lines > 0 {
                    rest
                } else {
                    0
                });
                return Ok(Visit::AtEnd);
            }
            if self.fill(end)? == 0 {
                let complete = self.ends || self.flushes || self.window.read_position() >= end;
                if !complete || self.window.bytes().is_empty() {
                    return Ok(Visit::AtEnd);
                }
                at_end = true;
            }
        }
    }

    fn fill(&mut self, end: u64) -> Result<usize> {
        match self.window.fill(self.content, end) {
            Ok(n) => Ok(n),
            // A packed file that grows is cut off somewhere for now.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !self.ends => Ok(0),
            Err(error) => Err(error::content(
                error,
                self.name,
                self.window.read_position(),
                self.content.is_sequential(),
            )),
        }
    }

    fn pass(&mut self, n: usize) {
        if self.content.is_sequential() {
            // It is not read twice, so lines are counted as they go by.
            let bytes = self.window.bytes();
            self.lines.pass(bytes.get(..n).unwrap_or(bytes));
        }
        self.window.consume(n);
    }

    fn error(&mut self, problem: Problem, name: &str, start: u64, position: u64) -> Error {
        let at = At {
            content: self.content,
            name,
            start,
            position,
        };
        error::problem(problem, &at, self.lines)
    }

    /// Passes a bad record where records may be bad, or fails.
    fn bad(
        &mut self,
        problem: Problem,
        out: &mut BatchBuilder,
        name: &str,
        start: u64,
        end: u64,
    ) -> Result<()> {
        let is_record = matches!(problem, Problem::Bad(_));
        let is_too_long = matches!(
            &problem,
            Problem::Bad(Bad {
                reason: Reason::TooLong { .. },
                ..
            })
        );
        let position = self.window.position();
        let error = self.error(problem, name, start, position);
        if !is_record || !self.tolerant {
            return Err(error);
        }
        let excerpt_max = if is_too_long {
            EXCERPT_BYTES
        } else {
            self.settings.line_bytes_max.saturating_mul(2)
        };
        let mut raw = Vec::new();
        let mut last = false;
        loop {
            let bytes = self.window.bytes();
            let extent = extent(self.decoder, self.charset.as_deref(), bytes, last);
            let taken = match extent {
                Some(len) => len,
                // A record without an end in sight is passed piece by piece, in constant memory.
                None if is_too_long => bytes.len(),
                None => 0,
            };
            let room = excerpt_max.saturating_sub(raw.len()).min(taken);
            raw.extend_from_slice(bytes.get(..room).unwrap_or_default());
            self.pass(taken);
            if extent.is_some() {
                break;
            }
            if last {
                break;
            }
            last = self.fill(end)? == 0;
            if last && !self.ends {
                // The end of it is not written yet: it is met again when the file has grown.
                self.window.seek(position);
                self.lines.reset(start);
                return Err(error);
            }
        }
        self.records += 1;
        self.rejected += 1;
        out.reject(&self.settings.topic, Data::Bytes(&raw), &error)
    }
}

fn target<'t>(settings: &'t Settings, out: &'t mut BatchBuilder, name: &'t str) -> Target<'t> {
    Target {
        out,
        topic: &settings.topic,
        records_max: settings.records_max,
        bytes_max: settings.bytes_max,
        line_bytes_max: settings.line_bytes_max,
        place: settings.record_headers.then_some(name),
    }
}

/// Shows bytes to the decoder, as text or as they are; how far they were used comes back in bytes of the file.
#[expect(
    clippy::too_many_arguments,
    reason = "borrows of different fields of one visit, used once"
)]
fn drain(
    decoder: &mut dyn Decode,
    charset: Option<&mut (dyn Charset + 'static)>,
    text: &mut String,
    bytes: &[u8],
    available: usize,
    position: u64,
    last: bool,
    target: &mut Target<'_>,
) -> (Drained, Front) {
    if decoder.wants() == Wants::Bytes {
        let drained = decoder.drain(Piece::Bytes(bytes), position, last, target);
        let front = Front {
            invalid: None,
            shown: bytes.len() - drained.consumed.min(bytes.len()),
        };
        return (drained, front);
    }
    let Some(charset) = charset else {
        let (front, invalid) = valid_utf8(bytes, last);
        let ends_here = last && front.len() == available;
        let drained = decoder.drain(Piece::Text(front), position, ends_here, target);
        let left = front.len() - drained.consumed;
        let invalid = invalid.map(|_| (left, Reason::InvalidUtf8));
        return (
            drained,
            Front {
                invalid,
                shown: left,
            },
        );
    };
    text.clear();
    let decoded = charset.decode(bytes, last, text);
    let ends_here = last && decoded.used == available;
    let mut drained = decoder.drain(Piece::Text(text), position, ends_here, target);
    let in_text = drained.consumed;
    drained.consumed = charset.raw_len(bytes, in_text);
    if let Some(Problem::Bad(bad)) = &mut drained.bad {
        let at = charset.raw_len(bytes, in_text.saturating_add(bad.at));
        bad.at = at - drained.consumed.min(at);
    }
    let left = decoded.used - drained.consumed.min(decoded.used);
    let invalid = decoded
        .bad
        .map(|(at, why)| (at - drained.consumed.min(at), Reason::Charset(why)));
    (
        drained,
        Front {
            invalid,
            shown: left,
        },
    )
}

/// Returns where the bad record ends that `bytes` begin with.
fn extent(
    decoder: &mut dyn Decode,
    charset: Option<&(dyn Charset + 'static)>,
    bytes: &[u8],
    last: bool,
) -> Option<usize> {
    match charset {
        // What is not text cannot be cut by the rules of a text format: to the end of the line.
        Some(charset) if decoder.wants() == Wants::Text => {
            behind_newline(bytes, charset.newline()).or_else(|| last.then_some(bytes.len()))
        }
        _ => decoder.extent(bytes, last),
    }
}

/// Returns the length of the line that `bytes` begin with; at the end of a file, of what is left.
pub(super) fn header_line(
    charset: Option<&(dyn Charset + 'static)>,
    bytes: &[u8],
    last: bool,
) -> Option<usize> {
    let newline = charset.map_or(&b"\n"[..], |charset| charset.newline());
    behind_newline(bytes, newline).or_else(|| last.then_some(bytes.len()))
}

/// Returns how many bytes lie before the last `footer` lines.
fn usable(bytes: &[u8], footer: u32) -> usize {
    if footer == 0 {
        return bytes.len();
    }
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let mut ends = memchr::memrchr_iter(b'\n', body);
    let before = usize::try_from(footer)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    ends.nth(before).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::usable;

    #[test]
    fn the_last_lines_are_held_back() {
        let check = |text: &str, footer: u32, expected: &str| {
            let n = usable(text.as_bytes(), footer);
            assert_eq!(text.get(..n), Some(expected), "{text:?} {footer}");
        };
        check("a\nb\nc\n", 0, "a\nb\nc\n");
        check("a\nb\nc\n", 1, "a\nb\n");
        check("a\nb\nc", 2, "a\n");
        check("a\n", 1, "");
        check("a\n", 3, "");
    }
}
