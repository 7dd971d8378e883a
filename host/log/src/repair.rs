//! Making a damaged data directory usable: says what it cuts, keeps all of it, and does nothing before it is told to.
//!
//! ```text
//!  1 damaged and changed files ► DATA/repair-<n>.bak/, same paths     2 segments anew, in good pieces
//!    3 batches of the journal into segments    4 a new base snapshot    5 both slots    6 journal files ► .bak
//! ```
//!
//! The first slot of step 5 is the moment at which the repaired state counts. Before it an interrupted repair leaves a log
//! that is refused as before, with what is missing in the `.bak` folder, and may be run again.
//! The repaired log begins a new leader epoch: external positions beyond what is left are refused, not skipped.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use linkspan_types::Clock;
use serde::Serialize;

use crate::checkpoint::{self, Slot};
use crate::compaction::swap;
use crate::error::{Error, Result};
use crate::examine::{Examination, Rebuild, examine};
use crate::fs::{Fs, Open, read_range};
use crate::lock;
use crate::recovery::{self, FORMAT_VERSION};
use crate::segment;
use crate::snapshot;
use crate::verify::Problem;

/// Bytes copied at a time.
const COPY_BYTES: usize = 1 << 20;
/// The most folders of earlier repairs that may stand beside each other.
const BACKUPS_MAX: u32 = 1000;

/// What a repair would do, or did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// Whether it was done.
    pub done: bool,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is cut.
    pub cuts: Vec<Cut>,
    /// Positions that pointed to what is cut.
    pub positions: Vec<PositionChange>,
    /// The leader epoch that the log has afterwards.
    pub leader_epoch: i32,
    /// Where everything that was cut or changed is kept; not there yet when nothing was done.
    pub kept_in: Option<PathBuf>,
}

/// Something that a repair leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The file.
    pub path: PathBuf,
    /// From which byte.
    pub from: u64,
    /// What it is.
    pub what: String,
    /// Whose records these are.
    pub topic: Option<String>,
    /// Of which partition.
    pub partition: Option<i32>,
    /// The first offset.
    pub first: Option<i64>,
    /// The offset behind the last.
    pub next: Option<i64>,
    /// How many records at most; compaction may have left fewer.
    pub records: Option<u64>,
}

/// A position that becomes another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PositionChange {
    /// `group` or `source`.
    pub kind: String,
    /// Group and partition, or connector and source partition.
    pub name: String,
    /// What it was; null if it did not exist.
    pub from: Option<String>,
    /// What it becomes; null if it is gone.
    pub to: Option<String>,
}

/// Examines a stopped data directory, and with `yes` repairs it.
///
/// # Errors
/// [`Error::Locked`], [`Error::NotADataDirectory`], [`Error::NewerFormat`], [`Error::LaterVersion`], or the system's.
pub fn repair(fs: Arc<dyn Fs>, clock: Arc<dyn Clock>, dir: &Path, yes: bool) -> Result<Repair> {
    if !fs
        .try_exists(dir)
        .map_err(|e| Error::io("look for", dir, e))?
    {
        return Err(Error::NotADataDirectory {
            dir: dir.to_owned(),
            why: "it does not exist".into(),
        });
    }
    let _lock = if yes {
        lock::exclusive(&*fs, dir)?
    } else {
        lock::shared(&*fs, dir)?
    };
    let found = examine(
        Arc::clone(&fs),
        clock,
        dir,
        if yes { Open::Write } else { Open::Read },
    )?;
    let leader_epoch = found.highest.leader_epoch + if found.highest.slot_lost { 2 } else { 1 };
    let mut answer = Repair {
        done: false,
        problems: found.report.problems.clone(),
        cuts: found.cuts.clone(),
        positions: found.positions.clone(),
        leader_epoch,
        kept_in: None,
    };
    if answer.problems.is_empty() {
        answer.leader_epoch = found.highest.leader_epoch;
        return Ok(answer);
    }
    let kept_in = free_name(&*fs, dir)?;
    if yes {
        Work {
            found: &found,
            fs: &*fs,
            dir,
            kept_in: &kept_in,
        }
        .apply(leader_epoch)?;
        answer.done = true;
    }
    answer.kept_in = Some(kept_in);
    Ok(answer)
}

fn free_name(fs: &dyn Fs, dir: &Path) -> Result<PathBuf> {
    for n in 1..BACKUPS_MAX {
        let path = dir.join(format!("repair-{n}.bak"));
        if !fs
            .try_exists(&path)
            .map_err(|e| Error::io("look for", &path, e))?
        {
            return Ok(path);
        }
    }
    Err(Error::NotEmpty {
        dir: dir.to_owned(),
        found: format!("repair-{}.bak", BACKUPS_MAX - 1),
    })
}

struct Work<'a> {
    found: &'a Examination,
    fs: &'a dyn Fs,
    dir: &'a Path,
    kept_in: &'a Path,
}

impl Work<'_> {
    fn apply(&self, leader_epoch: i32) -> Result<()> {
        let core = &self.found.core;
        self.make_dir(self.kept_in)?;
        for name in ["ckpt.a", "ckpt.b", "format"] {
            self.keep_copy(&self.dir.join(name))?;
        }
        self.found
            .rebuilds
            .iter()
            .try_for_each(|rebuild| self.rebuild(rebuild))?;
        for index in &self.found.bad_indexes {
            self.keep(index)?;
        }
        for sub in ["journal", "topics"] {
            self.make_dir(&self.dir.join(sub))?;
        }
        {
            let chain = core.checkpoints.chain.lock();
            let chain = chain.unwrap_or_else(PoisonError::into_inner);
            swap::finish(core, &chain.manifests, true)?;
        }
        recovery::cut_segments(core)?;
        core.flush.write_all_out(core)?;
        core.set_leader_epoch(leader_epoch);
        let highest = self.found.highest;
        let first = highest.journal_seq + 1;
        {
            let mut chain = core
                .checkpoints
                .chain
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Beyond what a lost slot may have said; no base, so that one is written.
            chain.slot = Slot {
                seq: highest.slot_seq + 2,
                snapshot_base: 0,
                snapshot_last: highest.snapshot,
                journal_seq: 0,
                first_journal_seq: first,
                leader_epoch,
                ..Slot::default()
            };
        }
        core.published_lsn.store(
            highest.lsn.max(core.written_lsn()),
            std::sync::atomic::Ordering::Release,
        );
        for _slot in 0..2 {
            // Old snapshots are moved away below, not removed.
            let mut chain = core
                .checkpoints
                .chain
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            chain.previous_base = u64::MAX;
            drop(chain);
            checkpoint::take_repaired(core, first)?;
        }
        self.put_away()?;
        if self.found.bad_format {
            let text = format!("linkspan-data {FORMAT_VERSION}\n");
            crate::backup::write_whole(self.fs, &self.dir.join("format"), text.as_bytes())?;
        }
        self.sync(self.dir)
    }

    /// Moves the journal and the old snapshots out of the way.
    fn put_away(&self) -> Result<()> {
        let journal = self.dir.join("journal");
        let names = self
            .fs
            .list(&journal)
            .map_err(|e| Error::io("list", &journal, e))?;
        for name in names {
            self.keep(&journal.join(name))?;
        }
        let names = self
            .fs
            .list(self.dir)
            .map_err(|e| Error::io("list", self.dir, e))?;
        let old = |name: &&String| {
            snapshot::parse_name(name).is_some_and(|seq| seq <= self.found.highest.snapshot)
        };
        for name in names.iter().filter(old) {
            self.keep(&self.dir.join(name))?;
        }
        self.sync(&journal)
    }

    /// Writes the good pieces of a segment as segments of their own.
    fn rebuild(&self, rebuild: &Rebuild) -> Result<()> {
        let path = &rebuild.path;
        let exists = self
            .fs
            .try_exists(path)
            .map_err(|e| Error::io("look for", path, e))?;
        let (true, Some(parent)) = (exists, path.parent()) else {
            return Ok(());
        };
        let kept = self.keep(path)?;
        // The index beside it is of the file as it was.
        let index = path.with_extension("idx");
        if self
            .fs
            .try_exists(&index)
            .map_err(|e| Error::io("look for", &index, e))?
        {
            self.keep(&index)?;
        }
        let source = self
            .fs
            .open(&kept, Open::Read)
            .map_err(|e| Error::io("open", &kept, e))?;
        for piece in &rebuild.pieces {
            let target = parent.join(segment::name(piece.base));
            // What an interrupted compaction or repair left under that name does not count.
            if self
                .fs
                .try_exists(&target)
                .map_err(|e| Error::io("look for", &target, e))?
            {
                self.keep(&target)?;
            }
            let file = self
                .fs
                .open(&target, Open::Create)
                .map_err(|e| Error::io("make segment", &target, e))?;
            let mut at = piece.from;
            while at < piece.to {
                let n = COPY_BYTES.min(usize::try_from(piece.to - at).unwrap_or(COPY_BYTES));
                let bytes = read_range(&*source, at, n).map_err(|e| Error::io("read", &kept, e))?;
                if bytes.is_empty() {
                    break;
                }
                file.write_at(&[IoSlice::new(&bytes)], at - piece.from)
                    .map_err(|e| Error::io("write segment", &target, e))?;
                at += bytes.len() as u64;
            }
            file.sync_data()
                .map_err(|e| Error::io("sync segment", &target, e))?;
        }
        self.sync(parent)
    }

    /// Moves a file to the kept ones; returns where it is.
    fn keep(&self, path: &Path) -> Result<PathBuf> {
        let target = self.kept(path)?;
        self.fs
            .rename(path, &target)
            .map_err(|e| Error::io("keep", path, e))?;
        if let Some(parent) = target.parent() {
            self.sync(parent)?;
        }
        Ok(target)
    }

    /// Copies a small file that is changed in place.
    fn keep_copy(&self, path: &Path) -> Result<()> {
        let exists = self
            .fs
            .try_exists(path)
            .map_err(|e| Error::io("look for", path, e))?;
        if !exists {
            return Ok(());
        }
        let target = self.kept(path)?;
        let bytes =
            crate::fs::read_file(self.fs, path, 1 << 20).map_err(|e| Error::io("read", path, e))?;
        crate::backup::write_whole(self.fs, &target, &bytes)?;
        self.sync(self.kept_in)
    }

    fn kept(&self, path: &Path) -> Result<PathBuf> {
        let target = self
            .kept_in
            .join(path.strip_prefix(self.dir).unwrap_or(path));
        if let Some(parent) = target.parent() {
            self.make_dir(parent)?;
        }
        Ok(target)
    }

    fn make_dir(&self, dir: &Path) -> Result<()> {
        self.fs
            .create_dir(dir)
            .map_err(|e| Error::io("make directory", dir, e))
    }

    fn sync(&self, dir: &Path) -> Result<()> {
        self.fs
            .sync_dir(dir)
            .map_err(|e| Error::io("sync directory", dir, e))
    }
}
