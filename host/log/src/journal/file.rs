//! One file of the journal: a header, then groups of frames, then zeros or bytes of an earlier use.
//!
//! ```text
//! j-000007.wal
//!     0  header copy A (64 bytes)     the number in the name never changes, `seq` grows with every use
//!  2048  header copy B
//!  4096  group | group | … | zeros or stale frames of an earlier generation
//!
//! header   0  magic u32 "LSJ1" · version u16 (1) · reserved u16
//!          8  seq u64              order of use over all files
//!         16  generation 16 bytes  random per use; seeds every frame's checksum, so that stale frames fail
//!         32  covered_lsn u64      frames up to here were in segments and snapshot when this use began
//!         40  file length u64      a shorter file was cut by somebody else
//!         48  reserved 8 bytes (0)
//!         56  crc32c u32 of bytes 0..56 · reserved u32
//! ```
//!
//! In a file that is used again, copy A is synced before copy B is written, and B before the first frame; in a new file
//! B may become durable as late as with the first group. So a crash leaves a good copy, a flipped bit in one is survived,
//! and a use in which any frame was acknowledged had both. When they differ, A counts, and B if A is broken. Both zero:
//! the file was being made. Both broken otherwise: damage, recovery refuses. The length counts once both agree.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result, is_no_space};
use crate::fs::{File, Fs, Open, read_range};
use crate::journal::frame::{self, u32_at, u64_at};

const MAGIC: u32 = u32::from_le_bytes(*b"LSJ1");
pub(crate) const VERSION: u16 = 1;
const HEADER_LEN: usize = 64;
const COPY_B: u64 = 2048;
/// Where the first group begins.
pub(crate) const DATA_START: u64 = 4096;
/// How many zeros one call writes.
const ZEROS_LEN: usize = 1 << 20;

/// A file ready to take groups, or taken.
#[derive(Debug)]
pub(crate) struct JournalFile {
    pub(crate) file: Arc<dyn File>,
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) seed: u32,
    /// The last frame written into it, set when the file is full.
    pub(crate) last_lsn: u64,
}

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) seq: u64,
    pub(crate) generation: [u8; 16],
    pub(crate) covered_lsn: u64,
    pub(crate) len: u64,
    /// Both copies are there and equal; not stored.
    pub(crate) complete: bool,
}

/// What stands at the start of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderState {
    Good(Header),
    /// All zero: the file was being made when the power went.
    Blank,
    Broken,
    /// Sound, and of a version that only a later build can read.
    Later(u16),
}

impl Header {
    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(&MAGIC.to_le_bytes());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.generation);
        out.extend_from_slice(&self.covered_lsn.to_le_bytes());
        out.extend_from_slice(&self.len.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        let mut header = [0; HEADER_LEN];
        header.copy_from_slice(&out);
        header
    }

    fn decode(bytes: &[u8]) -> HeaderState {
        let read = || {
            let body = bytes.get(..56)?;
            (u32_at(bytes, 56)? == crc32c::crc32c(body)).then_some(())?;
            let version = u16::from_le_bytes(body.get(4..6)?.try_into().ok()?);
            (u32_at(body, 0)? == MAGIC && version == VERSION).then_some(())?;
            Some(Self {
                seq: u64_at(body, 8)?,
                generation: body.get(16..32)?.try_into().ok()?,
                covered_lsn: u64_at(body, 32)?,
                len: u64_at(body, 40)?,
                complete: false,
            })
        };
        let later = || {
            let body = bytes.get(..56)?;
            let sound = u32_at(bytes, 56)? == crc32c::crc32c(body) && u32_at(body, 0)? == MAGIC;
            let version = u16::from_le_bytes(body.get(4..6)?.try_into().ok()?);
            (sound && version > VERSION).then_some(version)
        };
        if let Some(version) = later() {
            return HeaderState::Later(version);
        }
        match read() {
            Some(header) => HeaderState::Good(header),
            None if bytes
                .get(..HEADER_LEN)
                .is_none_or(|b| b.iter().all(|b| *b == 0)) =>
            {
                HeaderState::Blank
            }
            None => HeaderState::Broken,
        }
    }
}

/// Returns a file's name.
pub(crate) fn name(number: u32) -> String {
    format!("j-{number:06}.wal")
}

/// Reads the number out of a file's name.
pub(crate) fn parse_name(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("j-")?.strip_suffix(".wal")?;
    (digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

/// Reads both copies of a file's header and decides.
pub(crate) fn read_header(file: &dyn File) -> io::Result<HeaderState> {
    let bytes = read_range(file, 0, 4096)?;
    let a = Header::decode(&bytes);
    let b = Header::decode(bytes.get(2048..).unwrap_or_default());
    Ok(match (a, b) {
        (HeaderState::Later(version), _) | (_, HeaderState::Later(version)) => {
            HeaderState::Later(version)
        }
        (HeaderState::Good(a), HeaderState::Good(b)) => HeaderState::Good(Header {
            complete: a == b,
            ..a
        }),
        (HeaderState::Good(header), other) | (other, HeaderState::Good(header)) => {
            // One copy is damaged, or was never written.
            HeaderState::Good(Header {
                complete: other == HeaderState::Broken,
                ..header
            })
        }
        (HeaderState::Blank, HeaderState::Blank) => HeaderState::Blank,
        _ => HeaderState::Broken,
    })
}

/// Returns where copies of the header stand that cannot be read.
pub(crate) fn broken_copies(bytes: &[u8]) -> Vec<u64> {
    let copy = |at: u64| {
        Header::decode(
            usize::try_from(at)
                .ok()
                .and_then(|at| bytes.get(at..))
                .unwrap_or_default(),
        )
    };
    [0, COPY_B]
        .into_iter()
        .filter(|at| copy(*at) == HeaderState::Broken)
        .collect()
}

/// Makes a new file of `len` zeros behind its header, all durable but for the name.
pub(crate) fn make(
    fs: &dyn Fs,
    path: &Path,
    len: u64,
    mut header: Header,
) -> io::Result<JournalFile> {
    let file = fs.open(path, Open::Create)?;
    write_zeros(&*file, DATA_START, len)?;
    header.len = len;
    let bytes = header.encode();
    file.write_at(&[IoSlice::new(&bytes)], 0)?;
    file.sync_data()?;
    file.write_at(&[IoSlice::new(&bytes)], COPY_B)?;
    Ok(use_as(file, path, header))
}

/// Gives an old file a new generation, and grows it to `len` if it is smaller. Durable when this returns.
///
/// When there is no space to grow, the file is used as it is, if it has `len_min` bytes.
///
/// # Errors
/// The system's; a failed sync is [`Error::Poisoned`], because zeros that it lost would not be written again.
pub(crate) fn recycle(
    fs: &dyn Fs,
    path: &Path,
    len: u64,
    len_min: u64,
    mut header: Header,
) -> Result<JournalFile> {
    let failed = |e| Error::io("prepare journal file", path, e);
    let sync = |file: &dyn File| {
        file.sync_data().map_err(|e| Error::Poisoned {
            why: linkspan_types::error_chain(&Error::io("sync journal file", path, e)),
        })
    };
    let file = fs.open(path, Open::Write).map_err(failed)?;
    header.len = file.len().map_err(failed)?;
    if header.len < len {
        match write_zeros(&*file, header.len.max(DATA_START), len) {
            // The header says how long the file is, so it must not become durable before that is true.
            Ok(()) => {
                sync(&*file)?;
                header.len = len;
            }
            Err(error) if is_no_space(&error) => {
                // Others need the space of a part more than this file does.
                file.truncate(header.len).map_err(failed)?;
                if header.len < len_min {
                    return Err(failed(error));
                }
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let bytes = header.encode();
    file.write_at(&[IoSlice::new(&bytes)], 0).map_err(failed)?;
    sync(&*file)?;
    file.write_at(&[IoSlice::new(&bytes)], COPY_B)
        .map_err(failed)?;
    sync(&*file)?;
    Ok(use_as(file, path, header))
}

/// Writes both copies of the header of a file whose frames are there already; not synced.
pub(crate) fn put_header(file: &dyn File, header: Header) -> io::Result<()> {
    let bytes = header.encode();
    file.write_at(&[IoSlice::new(&bytes)], 0)?;
    file.write_at(&[IoSlice::new(&bytes)], COPY_B)
}

fn use_as(file: Arc<dyn File>, path: &Path, header: Header) -> JournalFile {
    JournalFile {
        file,
        path: path.to_owned(),
        len: header.len,
        seed: frame::seed(&header.generation),
        last_lsn: 0,
    }
}

fn write_zeros(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_LEN];
    let mut at = from;
    while at < to {
        let n = usize::try_from(to - at).unwrap_or(ZEROS_LEN).min(ZEROS_LEN);
        file.write_at(&[IoSlice::new(zeros.get(..n).unwrap_or_default())], at)?;
        at += n as u64;
    }
    Ok(())
}
