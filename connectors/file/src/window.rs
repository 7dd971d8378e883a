//! A window over one file: the bytes that were read ahead and not yet handed out.
//!
//! One buffer serves all files of a task, one after the other. Reads are positional, so the window and not the
//! file handle knows where it is.

use std::io;

use crate::content::{Content, read_full};

/// How much is read at once, and the size a window starts with.
pub(crate) const CHUNK_BYTES: usize = 1 << 20;

/// Bytes `position ..` of a file, as far as they were read.
#[derive(Debug, Default)]
pub(crate) struct Window {
    buf: Vec<u8>,
    start: usize,
    end: usize,
    position: u64,
}

impl Window {
    /// Forgets what was read and continues at `position`, in whatever file the next `fill` names.
    pub(crate) fn seek(&mut self, position: u64) {
        self.start = 0;
        self.end = 0;
        self.position = position;
    }

    /// Returns the place in the file of the first byte of `bytes`.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Returns the place in the file after the last byte of `bytes`.
    pub(crate) fn read_position(&self) -> u64 {
        self.position + self.bytes().len() as u64
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Hands out the first `n` bytes; more than there are hands out all.
    pub(crate) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.position += n as u64;
    }

    /// Reads on from `content`, to byte `end` at most; returns how many bytes came, 0 at the end.
    ///
    /// A full window doubles, so the caller bounds the longest record by looking at `bytes` before each call.
    pub(crate) fn fill(&mut self, content: &dyn Content, end: u64) -> io::Result<usize> {
        if self.start > 0 {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buf.len() {
            let larger = (self.buf.len() * 2).max(CHUNK_BYTES);
            self.buf.resize(larger, 0);
        }
        let at = self.position + self.end as u64;
        let left = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let to = self.buf.len().min(self.end.saturating_add(left));
        let Some(room) = self
            .buf
            .get_mut(self.end..to)
            .filter(|room| !room.is_empty())
        else {
            return Ok(0);
        };
        let n = content.read_at(room, at)?;
        self.end += n;
        Ok(n)
    }
}

/// Counts lines as bad records are met, each line once.
#[derive(Debug, Default)]
pub(crate) struct LineCounter {
    at: u64,
    newlines: u64,
}

impl LineCounter {
    /// Starts over at byte `start`, which begins line 1.
    pub(crate) fn reset(&mut self, start: u64) {
        *self = Self {
            at: start,
            newlines: 0,
        };
    }

    /// Takes note of bytes that were passed; for content that is not read twice.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        self.newlines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        self.at += bytes.len() as u64;
    }

    /// Returns the line that byte `position` is in, from 1; reads the bytes in between.
    pub(crate) fn line_of(
        &mut self,
        content: &dyn Content,
        start: u64,
        position: u64,
    ) -> io::Result<u64> {
        if position < self.at {
            if content.is_sequential() {
                return Err(io::ErrorKind::NotSeekable.into());
            }
            self.reset(start);
        }
        let mut buf = vec![0; 1 << 16];
        while self.at < position {
            let wanted = usize::try_from(position - self.at).unwrap_or(usize::MAX);
            let wanted = wanted.min(buf.len());
            let room = buf.get_mut(..wanted).unwrap_or_default();
            let n = content.read_at(room, self.at)?;
            if n == 0 {
                break;
            }
            self.pass(buf.get(..n).unwrap_or_default());
        }
        Ok(self.newlines + 1)
    }
}
/// Returns the bytes of the line end that follows `before`, the last byte handed out: 0 when that was a line end itself.
pub(crate) fn late_newline(content: &dyn Content, before: u64) -> io::Result<u64> {
    let mut around = [0; 3];
    let n = read_full(content, &mut around, before)?;
    Ok(match around.get(..n) {
        Some([b'\n', ..]) => 0,
        Some([_, b'\n', ..]) => 1,
        Some([_, b'\r', b'\n']) => 2,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_BYTES, LineCounter, Window, late_newline};

    #[test]
    fn window_slides_over_a_file_larger_than_itself() {
        let content: Vec<u8> = (0..CHUNK_BYTES * 2 + 77)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        let mut window = Window::default();
        let mut seen = Vec::new();
        while window.fill(&content, u64::MAX).unwrap() > 0 {
            let take = window.bytes().len() - 5.min(window.bytes().len());
            seen.extend_from_slice(&window.bytes()[..take]);
            window.consume(take);
            assert_eq!(window.position(), seen.len() as u64);
        }
        seen.extend_from_slice(window.bytes());
        assert_eq!(window.read_position(), content.len() as u64);
        assert!(seen == content, "what came out differs from the file");
    }

    #[test]
    fn a_record_longer_than_the_window_makes_it_grow() {
        let content = vec![b'x'; CHUNK_BYTES * 3];
        let mut window = Window::default();
        while window.fill(&content, u64::MAX).unwrap() > 0 {}
        assert_eq!(window.bytes().len(), CHUNK_BYTES * 3);
        window.seek(CHUNK_BYTES as u64 * 3 - 2);
        assert_eq!(window.fill(&content, u64::MAX).unwrap(), 2);
    }

    #[test]
    fn a_window_stops_where_it_is_told() {
        let content = b"abcdef".to_vec();
        let mut window = Window::default();
        assert_eq!(window.fill(&content, 4).unwrap(), 4);
        assert_eq!(window.fill(&content, 4).unwrap(), 0);
        window.consume(4);
        assert_eq!(window.fill(&content, 6).unwrap(), 2);
    }

    #[test]
    fn a_late_newline_ends_the_line_before_it() {
        let content = b"a\nb\r\nc".to_vec();
        let late: Vec<u64> = (0..7)
            .map(|at| late_newline(&content, at).unwrap())
            .collect();
        assert_eq!(late, [1, 0, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn line_number_counts_newlines_before_the_byte() {
        let content = b"a\nbb\n\nc".to_vec();
        let mut counter = LineCounter::default();
        let mut line = |at| counter.line_of(&content, 0, at).unwrap();
        let lines: Vec<u64> = (0..8).map(&mut line).collect();
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4, 4]);
        // Going back counts anew.
        assert_eq!(line(1), 1);
    }
}
