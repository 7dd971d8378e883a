//! Which journal files there are, and which checkpoint slot counts: the newer good one, if the journal does not contradict it.

use std::path::{Path, PathBuf};

use super::UsedFile;
use crate::checkpoint::{self, Slot, SlotState};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_file};
use crate::journal::file::{self, DATA_START, HeaderState};
use crate::journal::frame;
use crate::journal::ring::{Found, Idle};
use crate::journal::search::search;

/// Returns the journal's files in order of use, and what the ring needs to know.
pub(crate) fn list_journal(fs: &dyn Fs, dir: &Path) -> Result<(Vec<UsedFile>, Found)> {
    let mut names = fs.list(dir).map_err(|e| Error::io("list", dir, e))?;
    names.sort();
    let mut files = Vec::new();
    let mut found = Found {
        next_number: 0,
        next_seq: 1,
        durable_seq: 0,
        files: Vec::new(),
    };
    for name in names {
        let Some(number) = file::parse_name(&name) else {
            continue;
        };
        let path = dir.join(name);
        if number != found.next_number {
            let path = dir.join(file::name(found.next_number));
            let what = "the journal file is gone".to_owned();
            return Err(Error::Damaged {
                path,
                offset: 0,
                what,
            });
        }
        found.next_number += 1;
        let open = fs
            .open(&path, Open::Read)
            .map_err(|e| Error::io("open journal file", &path, e))?;
        let len = open
            .len()
            .map_err(|e| Error::io("read journal file", &path, e))?;
        let header =
            file::read_header(&*open).map_err(|e| Error::io("read journal file", &path, e))?;
        found.files.push(Idle {
            path: path.clone(),
            len,
            last_lsn: 0,
        });
        match header {
            HeaderState::Good(header) if header.complete && len < header.len => {
                let what = format!(
                    "the journal file ends early, it should have {} bytes",
                    header.len
                );
                return Err(Error::Damaged {
                    path,
                    offset: len,
                    what,
                });
            }
            HeaderState::Good(header) => {
                found.next_seq = found.next_seq.max(header.seq + 1);
                files.push(UsedFile { path, len, header });
            }
            HeaderState::Blank => {}
            HeaderState::Later(version) => {
                return Err(later_journal(&path, version));
            }
            HeaderState::Broken => {
                return Err(Error::Damaged {
                    path,
                    offset: 0,
                    what: "both copies of the journal file's header are broken".into(),
                });
            }
        }
    }
    files.sort_by_key(|f| f.header.seq);
    Ok((files, found))
}

/// A journal file that only a later build can read.
pub(crate) fn later_journal(path: &Path, version: u16) -> Error {
    let what = format!(
        "the journal file has version {version}, this build reads up to {}",
        file::VERSION
    );
    Error::LaterVersion {
        path: path.to_owned(),
        offset: 4,
        what,
    }
}

pub(super) fn newest_slot(core: &Core, files: &[UsedFile]) -> Result<Option<Slot>> {
    let dir = &core.options.dir;
    let paths = [checkpoint::slot_path(dir, 0), checkpoint::slot_path(dir, 1)];
    let mut best: Option<Slot> = None;
    let mut broken = None;
    for path in &paths {
        match checkpoint::read_slot(&*core.fs, path)? {
            SlotState::Missing => {}
            SlotState::Broken => broken = Some(path.clone()),
            SlotState::Good(slot) if best.is_none_or(|best| slot.seq > best.seq) => {
                best = Some(slot)
            }
            SlotState::Good(_) => {}
        }
    }
    let [first, _] = paths;
    let Some(slot) = best else {
        let damaged = |path: PathBuf, what: &str| Error::Damaged {
            path,
            offset: 0,
            what: what.to_owned(),
        };
        if let Some(path) = broken {
            return Err(damaged(path, "no checkpoint slot is readable"));
        }
        // The first checkpoint comes before the first commit: nothing may be here yet.
        if first_frame(core, files)?.is_some() {
            return Err(damaged(
                first,
                "the checkpoint slots are gone, but the journal has frames",
            ));
        }
        let topics = dir.join("topics");
        if !core
            .fs
            .list(&topics)
            .map_err(|e| Error::io("list", &topics, e))?
            .is_empty()
        {
            return Err(damaged(
                first,
                "the checkpoint slots are gone, but there are segments",
            ));
        }
        return Ok(None);
    };
    let covered = files
        .iter()
        .map(|f| f.header.covered_lsn)
        .max()
        .unwrap_or(0);
    if covered >= slot.replay_lsn {
        let path = broken.unwrap_or_else(|| checkpoint::slot_path(dir, slot.seq + 1));
        let what = format!(
            "the journal was reused after a checkpoint at frame {covered}, this one is unreadable"
        );
        return Err(Error::Damaged {
            path,
            offset: 0,
            what,
        });
    }
    let latest = files.iter().map(|f| f.header.seq).max().unwrap_or(0);
    if latest < slot.journal_seq {
        let what = format!(
            "the journal file of use {} is gone, the latest is {latest}",
            slot.journal_seq
        );
        return Err(Error::Damaged {
            path: dir.join("journal"),
            offset: 0,
            what,
        });
    }
    Ok(Some(slot))
}

fn first_frame(core: &Core, files: &[UsedFile]) -> Result<Option<u64>> {
    for found in files {
        let bytes = read_journal(core, found)?;
        let seed = frame::seed(&found.header.generation);
        let start = usize::try_from(DATA_START).unwrap_or(0);
        if let Some((_, frame)) = search(&bytes, start, seed) {
            return Ok(Some(frame.lsn));
        }
    }
    Ok(None)
}

pub(crate) fn read_journal(core: &Core, found: &UsedFile) -> Result<Vec<u8>> {
    let max = usize::try_from(found.len).unwrap_or(usize::MAX);
    read_file(&*core.fs, &found.path, max)
        .map_err(|e| Error::io("read journal file", &found.path, e))
}
