//! Packed files: gzip (also of several members), zstd, bzip2, and zip archives.
//!
//! A packed file is unpacked as it is read, in constant memory. Its positions are those of the unpacked bytes; resuming unpacks from
//! the start of the file, or of the archive's member, and passes what was read.

mod zip;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use linkspan_sdk::prelude::*;

use self::zip::Member;
use crate::content::{Content, Part, Plain};
use crate::storage::Handle;

/// Packed bytes are read in pieces of this size.
const READ_BYTES: usize = 256 << 10;
/// What is passed is unpacked into a buffer of this size.
const SKIP_BYTES: usize = 64 << 10;

/// How files are packed: `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum Compression {
    /// By the first bytes of each file.
    Auto,
    None,
    Gzip,
    Zstd,
    Bz2,
    Zip,
}

/// Most bytes that unpacking may make of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnpackLimit {
    pub(crate) bytes_max: u64,
}

/// Opens the content of a file; which packing it has is told by its first bytes, or by the option.
pub(crate) fn open(
    handle: &Rc<dyn Handle>,
    compression: Compression,
    limit: UnpackLimit,
) -> io::Result<Box<dyn Content>> {
    let found = match compression {
        Compression::Auto => detect(handle.as_ref())?,
        other => other,
    };
    let parts = match found {
        Compression::Auto | Compression::None => return Ok(Box::new(Plain(Rc::clone(handle)))),
        Compression::Gzip | Compression::Zstd | Compression::Bz2 => vec![Member::whole(found)],
        Compression::Zip => zip::members(handle)?,
    };
    Ok(Box::new(Unpacked {
        handle: Rc::clone(handle),
        limit,
        state: RefCell::new(State {
            parts,
            ..State::default()
        }),
    }))
}

/// Tells how a file is packed by its first bytes.
fn detect(handle: &dyn Handle) -> io::Result<Compression> {
    let mut head = [0; 10];
    let n = handle.read_at(&mut head, 0)?;
    let head = head.get(..n).unwrap_or_default();
    Ok(match head {
        [0x1f, 0x8b, 8, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        [
            b'B',
            b'Z',
            b'h',
            b'1'..=b'9',
            0x31,
            0x41,
            0x59,
            0x26,
            0x53,
            0x59,
        ] => Compression::Bz2,
        [b'P', b'K', 3, 4, ..] => Compression::Zip,
        [b'P', b'K', 5, 6, ..] => Compression::Zip,
        _ => Compression::None,
    })
}

/// A file that is unpacked as it is read.
struct Unpacked {
    handle: Rc<dyn Handle>,
    limit: UnpackLimit,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    parts: Vec<Member>,
    /// The part that `stream` unpacks.
    current: usize,
    stream: Option<Box<dyn Read>>,
    /// Unpacked bytes before what `stream` gives next.
    at: u64,
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacked")
            .field("parts", &self.state.borrow().parts.len())
            .finish_non_exhaustive()
    }
}

impl Content for Unpacked {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        let state = &mut *self.state.borrow_mut();
        state.seek(&self.handle, at)?;
        let n = state.read(buf)?;
        if state.at > self.limit.bytes_max {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "it unpacks to more than `max.unpacked.bytes` ({}): raise that option if this is no archive bomb",
                    self.limit.bytes_max
                ),
            ));
        }
        Ok(n)
    }

    fn is_sequential(&self) -> bool {
        true
    }

    fn part(&self, at: u64) -> Part {
        let state = self.state.borrow();
        let index = state.index_of(at);
        let start = state.start_of(index);
        state
            .parts
            .get(index)
            .map_or_else(Part::default, |member| Part {
                name: member.name.clone(),
                start,
                end: start.saturating_add(member.size),
                has_next: index + 1 < state.parts.len(),
            })
    }
}

impl State {
    /// Returns the part that holds the byte at `at`: only an archive has more than one, and its members' sizes are known.
    fn index_of(&self, at: u64) -> usize {
        let mut end = 0_u64;
        for (index, member) in self.parts.iter().enumerate() {
            end = end.saturating_add(member.size);
            if at < end {
                return index;
            }
        }
        self.parts.len().saturating_sub(1)
    }

    fn start_of(&self, index: usize) -> u64 {
        let before = self.parts.iter().take(index);
        before.fold(0_u64, |sum, member| sum.saturating_add(member.size))
    }

    /// Brings the stream to `at`.
    fn seek(&mut self, handle: &Rc<dyn Handle>, at: u64) -> io::Result<()> {
        let index = self.index_of(at);
        if self.stream.is_none() || self.current != index || self.at > at {
            let Some(member) = self.parts.get(index) else {
                return Ok(());
            };
            self.stream = Some(member.stream(handle)?);
            self.current = index;
            self.at = self.start_of(index);
        }
        if self.at == at {
            return Ok(());
        }
        let mut passed = vec![0; SKIP_BYTES];
        while self.at < at {
            let wanted = usize::try_from(at - self.at).unwrap_or(SKIP_BYTES);
            let room = passed.get_mut(..wanted.min(SKIP_BYTES)).unwrap_or_default();
            if self.read(room)? == 0 {
                break;
            }
        }
        Ok(())
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(stream) = &mut self.stream else {
            return Ok(0);
        };
        loop {
            match stream.read(buf) {
                Ok(n) => {
                    self.at += n as u64;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // What the stream holds cannot be trusted any more.
                    self.stream = None;
                    return Err(error);
                }
            }
        }
    }
}

/// Reads a handle from one place to another, as a stream.
struct Stretch {
    handle: Rc<dyn Handle>,
    at: u64,
    end: u64,
}

impl Read for Stretch {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = wanted.min(buf.len());
        let Some(room) = buf.get_mut(..wanted) else {
            return Ok(0);
        };
        let n = self.handle.read_at(room, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

fn stretch(handle: &Rc<dyn Handle>, at: u64, end: u64) -> BufReader<Stretch> {
    BufReader::with_capacity(
        READ_BYTES,
        Stretch {
            handle: Rc::clone(handle),
            at,
            end,
        },
    )
}

/// Unpacks a whole file that is one compressed stream, or several one after the other.
fn whole_stream(handle: &Rc<dyn Handle>, compression: Compression) -> io::Result<Box<dyn Read>> {
    let bytes = stretch(handle, 0, u64::MAX);
    Ok(match compression {
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
        Compression::Bz2 => Box::new(bzip2::bufread::MultiBzDecoder::new(bytes)),
        Compression::Auto | Compression::None | Compression::Zip => Box::new(bytes),
    })
}
