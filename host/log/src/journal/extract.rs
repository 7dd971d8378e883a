//! A range of frames, copied out of the journal into a journal file of its own: the end of a backup.
//!
//! The frames are the same but for their checksums, which are seeded with the generation of the new file. A witness
//! follows them, so that damage to any of them is told from a torn tail.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use super::file::{self, DATA_START, Header};
use super::frame::{self, ALIGN, GROUP_ALIGN, HEADER_LEN};
use super::search::search;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Fs, Open};
use crate::recovery::{self, UsedFile};

/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;

/// Which frames go where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// The first frame to copy.
    pub(crate) from_lsn: u64,
    /// The last one, inclusive; one less than `from_lsn` copies none.
    pub(crate) to_lsn: u64,
    /// Uses of journal files before this one belong to finished lives.
    pub(crate) first_seq: u64,
}

/// Copies the frames of `range` into a new file at `target`, synced.
///
/// # Errors
/// A frame of the range is unreadable, or the system's.
pub(crate) fn extract(core: &Core, range: Range, target: &Path) -> Result<()> {
    let dir = core.options.dir.join("journal");
    let (files, _) = recovery::list_journal(&*core.fs, &dir)?;
    let header = Header {
        seq: 1,
        generation: linkspan_types::TopicId::random().0,
        covered_lsn: range.from_lsn.saturating_sub(1),
        len: 0,
        complete: true,
    };
    let mut out = Output::new(&*core.fs, target, frame::seed(&header.generation))?;
    let mut expected = range.from_lsn;
    for found in files.iter().filter(|f| f.header.seq >= range.first_seq) {
        if expected > range.to_lsn {
            break;
        }
        expected = copy_file(core, found, range, expected, &mut out)?;
    }
    if expected != range.to_lsn + 1 {
        return Err(Error::Damaged {
            path: dir,
            offset: 0,
            what: format!("frame {expected} is unreadable"),
        });
    }
    out.witness(range.to_lsn + 1, range.to_lsn);
    out.finish(header)
}

/// Copies what one file has of the range; returns the frame that must come next.
fn copy_file(
    core: &Core,
    found: &UsedFile,
    range: Range,
    mut expected: u64,
    out: &mut Output,
) -> Result<u64> {
    let bytes = recovery::read_journal(core, found)?;
    let seed = frame::seed(&found.header.generation);
    let mut at = usize::try_from(DATA_START).unwrap_or(0);
    while let Some((start, frame)) = search(&bytes, at, seed) {
        at = start + frame.len;
        if frame.lsn > range.to_lsn {
            break;
        }
        if frame.lsn == expected {
            out.put(bytes.get(start..at).unwrap_or_default())?;
            expected += 1;
        }
    }
    Ok(expected)
}

struct Output {
    file: Arc<dyn File>,
    path: std::path::PathBuf,
    seed: u32,
    staged: Vec<u8>,
    position: u64,
}

impl Output {
    fn new(fs: &dyn Fs, path: &Path, seed: u32) -> Result<Self> {
        let file = fs
            .open(path, Open::Create)
            .map_err(|e| Error::io("make", path, e))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            seed,
            staged: Vec::with_capacity(WRITE_BYTES),
            position: DATA_START,
        })
    }

    fn put(&mut self, frame: &[u8]) -> Result<()> {
        let start = self.staged.len();
        self.staged.extend_from_slice(frame);
        self.close_frame(start);
        if self.staged.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn witness(&mut self, lsn: u64, durable_lsn: u64) {
        let start = self.staged.len();
        let len = u32::try_from(HEADER_LEN).unwrap_or(0);
        frame::put_header(&mut self.staged, len, 0, lsn, durable_lsn);
        self.close_frame(start);
    }

    fn close_frame(&mut self, start: usize) {
        let body = self.staged.get(start + 12..).unwrap_or_default();
        let crc = crc32c::crc32c_append(self.seed, body);
        frame::set_crc(&mut self.staged, start, crc);
        // What is written so far is a multiple of the alignment, so the buffer's length decides.
        let padded = frame::align(self.staged.len(), ALIGN);
        self.staged.resize(padded, 0);
    }

    fn write(&mut self) -> Result<()> {
        self.file
            .write_at(&[IoSlice::new(&self.staged)], self.position)
            .map_err(|e| Error::io("write", &self.path, e))?;
        self.position += self.staged.len() as u64;
        self.staged.clear();
        Ok(())
    }

    fn finish(mut self, mut header: Header) -> Result<()> {
        let padded = frame::align(self.staged.len(), GROUP_ALIGN);
        self.staged.resize(padded, 0);
        self.write()?;
        header.len = self.position;
        file::put_header(&*self.file, header).map_err(|e| Error::io("write", &self.path, e))?;
        self.file
            .sync_data()
            .map_err(|e| Error::io("sync", &self.path, e))
    }
}
