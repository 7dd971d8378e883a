//! A window over one file: the bytes that were read ahead and not yet handed out.
//!
//! One buffer serves all files of a task, one after the other. Reads are positional, so the window and not the
//! file handle knows where it is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

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

    /// Reads on from `file`; returns how many bytes came, 0 at its end.
    ///
    /// A full window doubles, so the caller bounds the longest record by looking at `bytes` before each call.
    pub(crate) fn fill(&mut self, file: &File) -> io::Result<usize> {
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
        let Some(room) = self.buf.get_mut(self.end..) else {
            return Ok(0);
        };
        loop {
            match file.read_at(room, at) {
                Ok(n) => {
                    self.end += n;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Counts the line that byte `position` of `file` is in, from 1. Reads the file up to there: only for error texts.
pub(crate) fn line_number(file: &File, position: u64) -> io::Result<u64> {
    let mut buf = vec![0; 1 << 16];
    let (mut at, mut lines) = (0_u64, 1_u64);
    while at < position {
        let n = file.read_at(&mut buf, at)? as u64;
        if n == 0 {
            break;
        }
        let wanted = usize::try_from(n.min(position - at)).unwrap_or(buf.len());
        lines += memchr::memchr_iter(b'\n', buf.get(..wanted).unwrap_or_default()).count() as u64;
        at += n;
    }
    Ok(lines)
}

/// Returns the bytes of the line end that follows `before`, the last byte handed out: 0 when that was a line end itself.
pub(crate) fn late_newline(file: &File, before: u64) -> io::Result<u64> {
    let mut around = [0; 3];
    let n = file.read_at(&mut around, before)?;
    Ok(match around.get(..n) {
        Some([b'\n', ..]) => 0,
        Some([_, b'\n', ..]) => 1,
        Some([_, b'\r', b'\n']) => 2,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{CHUNK_BYTES, Window, late_newline, line_number};

    #[test]
    fn window_slides_over_a_file_larger_than_itself() {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..CHUNK_BYTES * 2 + 77)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        file.write_all(&content).unwrap();
        let mut window = Window::default();
        let mut seen = Vec::new();
        while window.fill(&file).unwrap() > 0 {
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
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![b'x'; CHUNK_BYTES * 3]).unwrap();
        let mut window = Window::default();
        while window.fill(&file).unwrap() > 0 {}
        assert_eq!(window.bytes().len(), CHUNK_BYTES * 3);
        window.seek(CHUNK_BYTES as u64 * 3 - 2);
        assert_eq!(window.fill(&file).unwrap(), 2);
    }

    #[test]
    fn a_late_newline_ends_the_line_before_it() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nb\r\nc").unwrap();
        let late: Vec<u64> = (0..7).map(|at| late_newline(&file, at).unwrap()).collect();
        assert_eq!(late, [1, 0, 2, 1, 0, 0, 0]);
    }

    #[test]
    fn line_number_counts_newlines_before_the_byte() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nbb\n\nc").unwrap();
        let lines: Vec<u64> = (0..8).map(|at| line_number(&file, at).unwrap()).collect();
        assert_eq!(lines, [1, 1, 2, 2, 2, 3, 4, 4]);
    }
}
