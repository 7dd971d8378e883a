//! Zip archives: the members in the order of the directory, each read as a file of its own.
//!
//! A member's name never becomes a path, but one that tries to (`../x`, `/x`) marks an archive that means harm: it is refused whole,
//! like one whose members overlap, which is how small archives unpack to petabytes.

use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use super::{Compression, stretch, whole_stream};
use crate::storage::Handle;

/// An archive may not have more members.
const MEMBERS_MAX: usize = 65_536;

/// One member of an archive, or a whole compressed file.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: Option<String>,
    /// Unpacked bytes; `u64::MAX` where only unpacking tells.
    pub(super) size: u64,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Whole(Compression),
    Stored(Place),
    Deflated(Place),
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: u64,
    end: u64,
    crc: u32,
}

impl Member {
    pub(super) fn whole(compression: Compression) -> Self {
        Self {
            name: None,
            size: u64::MAX,
            how: How::Whole(compression),
        }
    }

    pub(super) fn stream(&self, handle: &Rc<dyn Handle>) -> io::Result<Box<dyn Read>> {
        let checked = |inner: Box<dyn Read>, place: &Place| Checked {
            inner,
            name: self.name.clone().unwrap_or_default(),
            left: self.size,
            wanted: place.crc,
            crc: flate2::Crc::new(),
        };
        Ok(match &self.how {
            How::Whole(compression) => whole_stream(handle, *compression)?,
            How::Stored(place) => {
                let bytes = stretch(handle, place.start, place.end);
                Box::new(checked(Box::new(bytes), place))
            }
            How::Deflated(place) => {
                let bytes = stretch(handle, place.start, place.end);
                let inner = flate2::bufread::DeflateDecoder::new(bytes);
                Box::new(checked(Box::new(inner), place))
            }
        })
    }
}

/// Checks the length and the checksum that the directory promises.
struct Checked {
    inner: Box<dyn Read>,
    name: String,
    left: u64,
    wanted: u32,
    crc: flate2::Crc,
}

impl Read for Checked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        let damaged = |what: &str| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("member `{}` {what}", self.name),
            )
        };
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| damaged("is longer than the archive says"))?;
        self.crc.update(buf.get(..n).unwrap_or_default());
        if self.left > 0 && n == 0 && !buf.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("member `{}` is shorter than the archive says", self.name),
            ));
        }
        // The reader asks for no byte beyond the last, so that this is where the member ends.
        if self.left == 0 && self.crc.sum() != self.wanted {
            return Err(damaged("has another checksum than the archive says"));
        }
        Ok(n)
    }
}

/// Reads the directory of an archive.
pub(super) fn members(handle: &Rc<dyn Handle>) -> io::Result<Vec<Member>> {
    let size = handle.meta()?.size;
    let mut archive = zip::ZipArchive::new(Whole {
        handle: Rc::clone(handle),
        at: 0,
        size,
    })
    .map_err(damaged)?;
    if archive.len() > MEMBERS_MAX {
        return Err(refused(&format!(
            "it has {} members, at most {MEMBERS_MAX} are read",
            archive.len()
        )));
    }
    let mut members = Vec::new();
    let mut places: Vec<(u64, u64)> = Vec::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(damaged)?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        if file.is_dir() {
            continue;
        }
        if is_unsafe(&name) {
            return Err(refused(&format!(
                "its member `{name}` names a place outside the archive"
            )));
        }
        if file.is_symlink() {
            return Err(refused(&format!("its member `{name}` is a link")));
        }
        if file.encrypted() {
            return Err(refused(&format!("its member `{name}` is encrypted")));
        }
        let start = file
            .data_start()
            .ok_or_else(|| refused(&format!("its member `{name}` has no data")))?;
        let end = start.saturating_add(file.compressed_size());
        if end > size {
            return Err(refused(&format!(
                "its member `{name}` ends behind the end of the file: the archive is cut off"
            )));
        }
        places.push((start, end));
        let place = Place {
            start,
            end,
            crc: file.crc32(),
        };
        let how = match file.compression() {
            zip::CompressionMethod::Stored => How::Stored(place),
            zip::CompressionMethod::Deflated => How::Deflated(place),
            other => {
                return Err(refused(&format!(
                    "its member `{name}` is packed with {other}; stored and deflated are read"
                )));
            }
        };
        // An empty member has no byte that a position could stand at.
        if file.size() > 0 {
            members.push(Member {
                name: Some(name),
                size: file.size(),
                how,
            });
        }
    }
    places.sort_unstable();
    let overlap = places
        .windows(2)
        .any(|pair| matches!(pair, [(_, end), (start, _)] if start < end));
    if overlap {
        return Err(refused("its members overlap, as in an archive bomb"));
    }
    Ok(members)
}

/// Says whether a name would lead out of a folder that the archive is unpacked in.
fn is_unsafe(name: &str) -> bool {
    let name = name.replace('\\', "/");
    name.starts_with('/')
        || name.contains('\0')
        || name.split('/').any(|part| part == "..")
        || name.as_bytes().get(1) == Some(&b':')
}

fn damaged(error: zip::result::ZipError) -> io::Error {
    match error {
        zip::result::ZipError::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

fn refused(why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the archive is refused: {why}"),
    )
}

/// A handle with a place, as the directory's reader wants it.
struct Whole {
    handle: Rc<dyn Handle>,
    at: u64,
    size: u64,
}

impl Read for Whole {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.handle.read_at(buf, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Whole {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(delta) => self.size.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.at.checked_add_signed(delta),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
