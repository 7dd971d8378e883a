//! Reading the journal behind a checkpoint, and telling its end from damage; the rules are in the module above.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use linkspan_types::PartitionId;

use super::{Mode, TornTail, UsedFile, read_journal};
use crate::backend::{KvPut, Store};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::journal::file::DATA_START;
use crate::journal::frame::{self, ALIGN, Entry, Frame, GROUP_ALIGN};
use crate::journal::search::{frame_near, search};
use crate::{topics, trim};

/// While replaying, segments are written when this much waits for them.
const REPLAY_BYTES_MAX: usize = 16 << 20;

/// Reads frames in order and applies those from `need` on.
pub(crate) struct Replay<'a> {
    core: &'a Core,
    mode: Mode,
    /// The next frame to apply.
    pub(super) need: u64,
    /// The frame that should come next in the files, once one was seen.
    next: Option<u64>,
    pub(super) replayed: u64,
    pub(super) replayed_bytes: u64,
    pub(super) torn: Option<TornTail>,
}

/// A place in the journal where no frame could be read.
struct Gap {
    path: PathBuf,
    offset: u64,
    /// Bytes there look like a frame of this generation.
    visible: bool,
}

impl<'a> Replay<'a> {
    /// Begins at frame `need`.
    pub(crate) fn new(core: &'a Core, mode: Mode, need: u64) -> Self {
        Self {
            core,
            mode,
            need,
            next: None,
            replayed: 0,
            replayed_bytes: 0,
            torn: None,
        }
    }

    pub(super) fn files(&mut self, files: &[UsedFile]) -> Result<()> {
        let mut gap: Option<Gap> = None;
        for found in files {
            let bytes = read_journal(self.core, found)?;
            let seed = frame::seed(&found.header.generation);
            let mut at = usize::try_from(DATA_START).unwrap_or(0);
            loop {
                let expected = self.next.unwrap_or(0);
                if let Some((start, frame)) = frame_near(&bytes, at, seed)
                    && gap.is_none()
                    && (self.next.is_none() && frame.lsn <= self.need || frame.lsn == expected)
                {
                    self.apply(&frame, &found.path, start)?;
                    at = start + frame.len;
                    continue;
                }
                // Something is missing here, or the frames of this file have ended.
                let Some((start, frame)) = search(&bytes, at, seed) else {
                    gap.get_or_insert_with(|| {
                        Gap::new(&found.path, at, &bytes, self.next.unwrap_or(self.need))
                    });
                    break;
                };
                let here = gap.get_or_insert_with(|| {
                    Gap::new(&found.path, at, &bytes, self.next.unwrap_or(self.need))
                });
                let missing = self.next.unwrap_or(0).max(self.need);
                if frame.lsn > missing && frame.durable_lsn >= missing {
                    let what = format!(
                        "frame {missing} is unreadable, but frame {} says that it was durable",
                        frame.lsn
                    );
                    return Err(Error::Damaged {
                        path: here.path.clone(),
                        offset: here.offset,
                        what,
                    });
                }
                if frame.lsn <= missing {
                    // What is missing before it is in segments and snapshot already, or nothing is missing: a new file.
                    gap = None;
                    self.apply(&frame, &found.path, start)?;
                } else {
                    here.visible = true;
                }
                at = start + frame.len;
            }
        }
        if let Some(gap) = gap.filter(|gap| gap.visible) {
            self.torn = Some(TornTail {
                path: gap.path,
                offset: gap.offset,
                lsn: self.need,
            });
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, frame: &Frame<'_>, path: &Path, at: usize) -> Result<()> {
        self.next = Some(frame.lsn + 1);
        if frame.lsn < self.need {
            return Ok(());
        }
        let damaged = |what: String| Error::Damaged {
            path: path.to_owned(),
            offset: at as u64,
            what,
        };
        let entries = frame.entries().map_err(|what| Error::LaterVersion {
            path: path.to_owned(),
            offset: at as u64,
            what,
        })?;
        let puts: Vec<KvPut> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Put { store, key, value } => Some(Entry::to_put(*store, key, *value)),
                Entry::Append { .. } => None,
            })
            .collect();
        for put in &puts {
            self.put(put, &puts)?;
        }
        for entry in entries {
            if let Entry::Append {
                topic,
                partition,
                base_offset,
                batch,
            } = entry
            {
                let header = linkspan_wire::BatchHeader::read(batch)
                    .ok_or_else(|| damaged("a batch is cut short".into()))?;
                let partition = match self.core.partition(&topic, PartitionId(partition)) {
                    Ok(partition) => partition,
                    // The snapshot, which may be ahead of the journal, or a frame before has deleted it.
                    Err(_) if trim::is_gone(self.core, &topic) => continue,
                    Err(error) => return Err(damaged(error.to_string())),
                };
                let have = partition.lock().high_watermark;
                if header.base_offset != base_offset || base_offset > have {
                    return Err(damaged(format!(
                        "a batch of offset {base_offset} where {have} was due"
                    )));
                }
                if base_offset < have {
                    continue;
                }
                partition.set_next_offset(header.next_offset());
                partition.publish(
                    self.core,
                    base_offset.into(),
                    batch.to_vec(),
                    header.max_timestamp,
                    header.leader_epoch,
                );
                self.write_out()?;
            }
        }
        self.need = frame.lsn + 1;
        self.replayed += 1;
        self.replayed_bytes += frame.len as u64;
        Ok(())
    }

    fn put(&self, put: &KvPut, frame: &[KvPut]) -> Result<()> {
        if put.store == Store::Meta && !self.is_overtaken(put, frame) {
            self.core.follow(put)?;
        }
        self.core
            .stores
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .apply(put);
        Ok(())
    }

    /// Whether the snapshot, which may be ahead of the frame, knows better about a topic: it was deleted since then, or its
    /// name belongs to another topic by now, whose segments are loaded.
    fn is_overtaken(&self, put: &KvPut, frame: &[KvPut]) -> bool {
        match topics::read(put) {
            Some((_, Some(id))) => trim::is_gone(self.core, &id),
            Some((name, None)) => {
                let catalog = self.core.catalog.read();
                let catalog = catalog.unwrap_or_else(PoisonError::into_inner);
                let current = catalog.by_name(&name).map(|entry| entry.topic.id);
                let mut deleted = frame.iter().filter_map(trim::deleted_topic).peekable();
                deleted.peek().is_some()
                    && current.is_some_and(|id| deleted.all(|other| other != id))
            }
            None => false,
        }
    }

    /// Keeps memory within bounds while replaying.
    fn write_out(&self) -> Result<()> {
        if self.mode == Mode::Write && self.core.flush.unflushed() > REPLAY_BYTES_MAX {
            self.core.flush.write_all_out(self.core)?;
        }
        Ok(())
    }
}

impl Gap {
    fn new(path: &Path, at: usize, bytes: &[u8], lsn: u64) -> Self {
        // A header with the right number whose checksum fails is a torn frame, not stale bytes.
        let torn = |at: usize| {
            bytes.get(at..).is_some_and(|rest| {
                frame::u32_at(rest, 0) == Some(frame::MAGIC) && frame::u64_at(rest, 16) == Some(lsn)
            })
        };
        let visible = torn(frame::align(at, ALIGN)) || torn(frame::align(at, GROUP_ALIGN));
        Self {
            path: path.to_owned(),
            offset: at as u64,
            visible,
        }
    }
}
