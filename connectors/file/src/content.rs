//! What a file holds, as the decoders see it: its bytes, or what they unpack to.
//!
//! A file consists of parts: an archive has one for each member, everything else is one part. Positions count the unpacked bytes of all
//! parts, one after the other.

use std::fmt;
use std::io;
use std::rc::Rc;

use crate::storage::Handle;

/// The unpacked bytes of a file, read by position.
pub(crate) trait Content: fmt::Debug {
    /// Reads from `at`; 0 at the end of the file. A reader stops at the end of the part that `at` lies in.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;

    /// Going back is expensive: the file is unpacked from its start again.
    fn is_sequential(&self) -> bool {
        false
    }

    /// Returns the part that the byte at `at` lies in; at the end of a part, the next one where there is one.
    fn part(&self, _at: u64) -> Part {
        Part::default()
    }
}

/// A piece of a file that is decoded by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The member's name in its archive.
    pub(crate) name: Option<String>,
    /// Where it begins.
    pub(crate) start: u64,
    /// Where it ends; `u64::MAX` where only reading tells.
    pub(crate) end: u64,
    /// Another part follows this one.
    pub(crate) has_next: bool,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            name: None,
            start: 0,
            end: u64::MAX,
            has_next: false,
        }
    }
}

/// A file as it is.
#[derive(Debug)]
pub(crate) struct Plain(pub(crate) Rc<dyn Handle>);

impl Content for Plain {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buf, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// Bytes in memory.
#[cfg(test)]
impl Content for Vec<u8> {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let rest = self.get(at..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..n), rest.get(..n)) {
            to.copy_from_slice(from);
        }
        Ok(n)
    }
}

/// Fills `buf` from `at` as far as there are bytes; returns how many.
pub(crate) fn read_full(content: &dyn Content, buf: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = buf.get_mut(filled..).filter(|room| !room.is_empty()) {
        match content.read_at(room, at + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}
