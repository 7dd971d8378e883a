//! Looking at a data directory that may be damaged: everything that can be read, everything that cannot, and the state
//! that a repair would leave. Changes nothing; refuses only what a later version wrote.
//!
//! ```text
//!  format ► slots ► journal headers ► snapshots ► segments, batch by batch ► journal frames, in order ► positions
//! ```
//!
//! It does what recovery does where nothing is damaged, with the same code, and goes on where recovery refuses:
//! - No usable slot, or the newer one lost: the newest readable snapshot chain on the disk counts. The frames of all
//!   journal files are replayed; what a snapshot and a segment have already is skipped by offset.
//! - A snapshot that is unreadable: the chain before it. Segments then count as far as their batches are good and follow
//!   each other, because a batch is in a segment only after it was durable.
//! - Damage inside a segment: the range is left out, the batches behind it stay. Offsets are never given out again.
//! - A frame that is missing although a later one says that it was durable: the log ends before it. Everything behind goes,
//!   because a commit may build on any before it.

mod frames;
mod layout;
mod positions;
mod segments;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use linkspan_types::Clock;

use crate::checkpoint::Slot;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{Fs, Open};
use crate::options::LocalOptions;
use crate::partition::PartitionKey;
use crate::recovery::UsedFile;
use crate::repair::{Cut, PositionChange};
use crate::segment::Piece;
use crate::verify::{Problem, Report};

/// What was found.
#[derive(Debug)]
pub(crate) struct Examination {
    /// The state as far as it is good, in memory.
    pub(crate) core: Core,
    pub(crate) report: Report,
    pub(crate) cuts: Vec<Cut>,
    pub(crate) positions: Vec<PositionChange>,
    /// Something must be changed before the log can be opened or read in full.
    pub(crate) needs_repair: bool,
    pub(crate) bad_format: bool,
    pub(crate) rebuilds: Vec<Rebuild>,
    pub(crate) bad_indexes: Vec<PathBuf>,
    pub(crate) highest: Highest,
    slot: Option<Slot>,
    /// The slot and its snapshots say how long every segment is.
    trusted: bool,
    files: Vec<UsedFile>,
    frames: BTreeMap<u64, frames::Found>,
    /// Offsets that are not readable, by partition.
    holes: Vec<(PartitionKey, i64, i64)>,
}

/// A segment that a repair writes anew, in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Rebuild {
    pub(crate) path: PathBuf,
    pub(crate) pieces: Vec<Piece>,
}

/// The greatest numbers seen: what a repair writes is beyond them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Highest {
    pub(crate) slot_seq: u64,
    pub(crate) snapshot: u64,
    pub(crate) journal_seq: u64,
    pub(crate) lsn: u64,
    pub(crate) leader_epoch: i32,
    /// A slot is gone, and with it perhaps an epoch.
    pub(crate) slot_lost: bool,
}

/// Examines the directory; its lock is the caller's business.
///
/// # Errors
/// [`Error::NotADataDirectory`], [`Error::NewerFormat`], [`Error::LaterVersion`], or the system's.
pub(crate) fn examine(
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    dir: &Path,
    how: Open,
) -> Result<Examination> {
    let core = Core::new(fs, clock, LocalOptions::new(dir), how);
    let mut found = Examination {
        core,
        report: Report::default(),
        cuts: Vec::new(),
        positions: Vec::new(),
        needs_repair: false,
        bad_format: false,
        rebuilds: Vec::new(),
        bad_indexes: Vec::new(),
        highest: Highest::default(),
        slot: None,
        trusted: true,
        files: Vec::new(),
        frames: BTreeMap::new(),
        holes: Vec::new(),
    };
    found.format()?;
    found.slots()?;
    found.journal()?;
    found.snapshots()?;
    found.index()?;
    found.segments()?;
    found.frames()?;
    found.positions();
    Ok(found)
}

impl Examination {
    fn dir(&self) -> &Path {
        &self.core.options.dir
    }

    fn problem(&mut self, path: &Path, offset: u64, what: impl Into<String>) {
        self.report.problems.push(Problem {
            path: path.to_owned(),
            offset,
            what: what.into(),
            topic: None,
            partition: None,
            record_offset: None,
        });
    }

    /// A problem that keeps the log from being opened or read.
    fn damage(&mut self, path: &Path, offset: u64, what: impl Into<String>) {
        self.needs_repair = true;
        self.problem(path, offset, what);
    }

    /// Passes on what a later version wrote, and the system's errors; makes anything else a damage.
    fn damaged_or(&mut self, path: &Path, error: Error) -> Result<()> {
        match error {
            Error::Damaged { path, offset, what } | Error::Corrupt { path, offset, what } => {
                self.damage(&path, offset, what);
                Ok(())
            }
            error @ (Error::LaterVersion { .. } | Error::NewerFormat { .. }) => Err(error),
            Error::Io { .. } => Err(error),
            other => {
                self.damage(path, 0, linkspan_types::error_chain(&other));
                Ok(())
            }
        }
    }

    fn set_state(&self, next_lsn: u64) {
        self.core
            .published_lsn
            .store(next_lsn.saturating_sub(1), Ordering::Release);
        self.core.replay_lsn.store(next_lsn, Ordering::Release);
    }
}

fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<String>> {
    match fs.try_exists(dir) {
        Ok(true) => {}
        Ok(false) => return Ok(Vec::new()),
        Err(e) => return Err(Error::io("look for", dir, e)),
    }
    let mut names = fs.list(dir).map_err(|e| Error::io("list", dir, e))?;
    names.sort();
    Ok(names)
}
