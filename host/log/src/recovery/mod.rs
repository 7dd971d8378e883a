//! Opening a data directory: what the last life left, made into a log again.
//!
//! ```text
//!  newer good slot ► snapshots ► cut segments to their recorded lengths ► replay journal frames from replay_lsn on
//! ```
//!
//! The journal ends at the first frame that cannot be read. What follows decides why:
//! - Nothing readable of this generation, here or in later files: the end, or a torn tail. It is cut (and logged).
//! - A later frame that was written before this one was known durable: it was a part of the same unsynced group. Cut.
//! - A later frame whose `durable_lsn` says that this one *was* durable: acknowledged data is damaged. Refuse.
//!
//! Zeros and frames of an earlier generation are normal, file lengths prove nothing. The very last group has no later
//! frame to vouch for it until the log falls idle (the witness frame): damage there looks like a torn tail.
//!
//! Recovery may be interrupted anywhere and done again: it only cuts segments to recorded lengths and appends to them,
//! until a new checkpoint replaces the old one in a single sector; the journal is not touched before that.
//!
//! Who does what: `format` says whether this is a data directory, `slots` which checkpoint counts and which journal files
//! there are, `load` brings back what that checkpoint names, `replay` what came after it.

mod format;
mod load;
mod replay;
mod slots;

use std::path::PathBuf;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::compaction::swap;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::journal::file;
use crate::journal::ring::Found;
use crate::stat::{RecoveryStat, TornStat};

pub(crate) use format::{FORMAT_VERSION, check_format};
pub(crate) use load::{cut_segments, load_snapshots};
pub(crate) use replay::Replay;
pub(crate) use slots::{later_journal, list_journal, read_journal};

/// A range of the journal that was cut because it was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The journal file.
    pub path: PathBuf,
    /// Where the cut begins.
    pub offset: u64,
    /// The frame that would have been there.
    pub lsn: u64,
}

/// What a directory turned out to be.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) new: bool,
    pub(crate) unclean: bool,
    pub(crate) next_lsn: u64,
    pub(crate) replayed: u64,
    /// Bytes of the replayed frames.
    pub(crate) replayed_bytes: u64,
    pub(crate) torn: Option<TornTail>,
    pub(crate) journal: Found,
}

/// What opening found, for `LogStat`.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) recovery: RecoveryStat,
    /// Bytes and number of the journal's files as they were found.
    pub(crate) journal: (u64, u32),
}

impl Recovered {
    /// Sums up what opening found; it took so long.
    pub(crate) fn past(&self, took: Duration) -> Past {
        let files = &self.journal.files;
        Past {
            recovery: RecoveryStat {
                unclean: self.unclean,
                took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                frames: self.replayed,
                bytes: self.replayed_bytes,
                torn: self.torn.as_ref().map(|torn| TornStat {
                    path: torn.path.display().to_string(),
                    offset: torn.offset,
                    lsn: torn.lsn,
                }),
            },
            journal: (
                files.iter().map(|file| file.len).sum(),
                u32::try_from(files.len()).unwrap_or(u32::MAX),
            ),
        }
    }
}

/// Whether recovery may repair what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    ReadOnly,
}

/// A journal file with a readable header.
#[derive(Clone, Debug)]
pub(crate) struct UsedFile {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) header: file::Header,
}

/// Brings the state of the last life into `core`.
pub(crate) fn recover(core: &Core, mode: Mode) -> Result<Recovered> {
    let dir = &core.options.dir;
    for sub in ["journal", "topics"].map(|name| dir.join(name)) {
        if mode == Mode::Write {
            core.fs
                .create_dir(&sub)
                .map_err(|e| Error::io("make directory", &sub, e))?;
        }
    }
    let (files, mut journal) = list_journal(&*core.fs, &dir.join("journal"))?;
    let slot = slots::newest_slot(core, &files)?;
    let Some(slot) = slot else {
        return Ok(Recovered {
            new: true,
            unclean: false,
            next_lsn: 1,
            replayed: 0,
            replayed_bytes: 0,
            torn: None,
            journal,
        });
    };
    journal.durable_seq = slot.journal_seq;
    load_snapshots(core, &slot)?;
    core.set_leader_epoch(slot.leader_epoch);
    core.replay_lsn.store(slot.replay_lsn, Ordering::Relaxed);
    {
        // Compaction may have been cut short before its files had their names.
        let chain = &core.checkpoints.chain;
        let chain = chain.lock().unwrap_or_else(PoisonError::into_inner);
        swap::finish(core, &chain.manifests, mode == Mode::Write)?;
    }
    let unclean = !slot.clean || files.iter().any(|f| f.header.seq > slot.journal_seq);
    let mut replay = Replay::new(core, mode, slot.replay_lsn);
    if unclean {
        if mode == Mode::Write {
            cut_segments(core)?;
        }
        // A group that was torn in an earlier life may have left frames that are whole: they were cut and stay cut.
        let live: Vec<UsedFile> = files
            .into_iter()
            .filter(|file| file.header.seq >= slot.first_journal_seq)
            .collect();
        replay.files(&live)?;
    }
    let next_lsn = replay.need;
    core.published_lsn.store(next_lsn - 1, Ordering::Release);
    core.gone.load(core);
    if let Some(torn) = &replay.torn {
        tracing::warn!(path = %torn.path.display(), offset = torn.offset, lsn = torn.lsn, "cut a torn tail that was never acknowledged");
    }
    Ok(Recovered {
        new: false,
        unclean,
        next_lsn,
        replayed: replay.replayed,
        replayed_bytes: replay.replayed_bytes,
        torn: replay.torn,
        journal,
    })
}
