//! Reading a segment that may be damaged: what is good in it, and where good batches begin again behind damage.

use std::path::Path;

use linkspan_wire::Batch;

use super::{IndexEntry, Place, walk_batches};
use crate::error::{Error, Result};
use crate::fs::{File, read_range};
use crate::snapshot::SegmentRecord;

/// The greatest batch that is looked for.
const BATCH_BYTES_MAX: usize = crate::backend::BATCH_BYTES_MAX + 1024;
/// How much is read at a time while looking for the next good batch.
const WINDOW: usize = 2 * BATCH_BYTES_MAX;

/// A run of good batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) base: i64,
    pub(crate) next: i64,
    pub(crate) max_timestamp: i64,
}

/// A range without readable batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The first offset that is not readable.
    pub(crate) first: i64,
    /// The next one that is.
    pub(crate) next: i64,
    pub(crate) what: String,
}

/// What a segment turned out to hold.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Base offset, position, and the greatest timestamp before it, of every good batch.
    pub(crate) begins: Vec<(i64, u64, i64)>,
    youngest: i64,
}

/// Checks every batch of a segment up to its recorded length; goes on behind damage.
pub(crate) fn scan(file: &dyn File, path: &Path, place: &Place) -> Result<Scan> {
    let len = file.len().map_err(|e| Error::io("read segment", path, e))?;
    let mut out = Scan {
        youngest: -1,
        ..Scan::default()
    };
    let mut start = IndexEntry::start(place.base);
    loop {
        let here = Place {
            from: start,
            len: place.len.min(len),
            ..place.clone()
        };
        let (at, what) = match run(file, path, &here, &mut out)? {
            None if len >= place.len => return Ok(out),
            None => (
                len,
                format!("the file ends {} bytes early", place.len - len),
            ),
            Some(fault) => fault,
        };
        let first = out
            .pieces
            .last()
            .map_or(place.base, |piece| piece.next)
            .max(start.offset);
        let found = resume(file, path, &here, at, first)?;
        let (to, next) = found.unwrap_or((place.len, place.next));
        out.faults.push(Fault {
            from: at,
            to,
            first,
            next,
            what,
        });
        if found.is_none() {
            return Ok(out);
        }
        start = IndexEntry {
            offset: next,
            position: to,
            max_timestamp: -1,
        };
    }
}

/// Reads good batches from a place on; answers where and why it stopped before the end.
fn run(
    file: &dyn File,
    path: &Path,
    place: &Place,
    out: &mut Scan,
) -> Result<Option<(u64, String)>> {
    let mut scratch = Vec::new();
    let mut piece: Option<Piece> = None;
    let (mut batches, mut records) = (0, 0);
    let (mut begins, mut youngest) = (std::mem::take(&mut out.begins), out.youngest);
    let walked = walk_batches(file, path, place, |position, batch| {
        batch.verify_crc().map_err(|e| e.to_string())?;
        let mut n = 0;
        for record in batch.records(&mut scratch).map_err(|e| e.to_string())? {
            record.map_err(|e| e.to_string())?;
            n += 1;
        }
        records += n;
        batches += 1;
        let header = batch.header();
        begins.push((header.base_offset, position, youngest));
        youngest = youngest.max(header.max_timestamp);
        let piece = piece.get_or_insert(Piece {
            from: position,
            to: position,
            base: header.base_offset,
            next: header.base_offset,
            max_timestamp: -1,
        });
        piece.to = position + header.size() as u64;
        piece.next = header.next_offset();
        piece.max_timestamp = piece.max_timestamp.max(header.max_timestamp);
        Ok(())
    });
    (out.begins, out.youngest) = (begins, youngest);
    out.batches += batches;
    out.records += records;
    out.bytes += piece.map_or(0, |piece| piece.to - piece.from);
    out.pieces.extend(piece);
    match walked {
        Ok(()) => Ok(None),
        Err(Error::Corrupt { offset, what, .. }) => Ok(Some((offset, what))),
        Err(error) => Err(error),
    }
}

/// Finds the next good batch behind `at` whose offsets fit; returns its position and base offset.
fn resume(
    file: &dyn File,
    path: &Path,
    place: &Place,
    at: u64,
    expected: i64,
) -> Result<Option<(u64, i64)>> {
    let mut window_at = at + 1;
    while window_at < place.len {
        let left = usize::try_from(place.len - window_at).unwrap_or(usize::MAX);
        let bytes = read_range(file, window_at, WINDOW.min(left))
            .map_err(|e| Error::io("read segment", path, e))?;
        // A batch that begins in the second half may end behind the window: the next one has it whole.
        let starts = if left > WINDOW {
            BATCH_BYTES_MAX
        } else {
            bytes.len()
        };
        for start in 0..starts.min(bytes.len()) {
            let Some(rest) = bytes.get(start..) else {
                break;
            };
            if let Some(base) = good_batch(rest, place, expected) {
                return Ok(Some((window_at + start as u64, base)));
            }
        }
        window_at += starts as u64;
        if starts == 0 {
            break;
        }
    }
    Ok(None)
}

fn good_batch(bytes: &[u8], place: &Place, expected: i64) -> Option<i64> {
    // Cheap tests first: the magic byte, an offset of this segment, a length that fits.
    if *bytes.get(16)? != 2 {
        return None;
    }
    let base = i64::from_be_bytes(*bytes.first_chunk::<8>()?);
    if base < expected || base >= place.next {
        return None;
    }
    let len = u32::from_be_bytes(*bytes.get(8..)?.first_chunk::<4>()?);
    let size = usize::try_from(len).ok()?.checked_add(12)?;
    let batch = Batch::parse(bytes.get(..size)?).ok()?;
    let fits = batch.header().next_offset() <= place.next && batch.verify_crc().is_ok();
    fits.then_some(base)
}

impl Scan {
    /// A segment whose file is not there.
    pub(crate) fn gone(record: SegmentRecord) -> Self {
        let fault = Fault {
            from: 0,
            to: record.len,
            first: record.base,
            next: record.next,
            what: "the segment is gone".to_owned(),
        };
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

impl Piece {
    /// Returns how the piece is recorded as a segment of its own.
    pub(crate) fn record(&self) -> SegmentRecord {
        SegmentRecord {
            base: self.base,
            next: self.next,
            len: self.to - self.from,
            max_timestamp: self.max_timestamp,
        }
    }
}
