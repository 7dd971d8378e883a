//! The journal's frames, in order, up to the first that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use linkspan_types::PartitionId;

use super::Examination;
use crate::backend::{KvPut, Store};
use crate::error::{Error, Result};
use crate::journal::file::{self, DATA_START};
use crate::journal::frame::{self, Entry, Frame};
use crate::journal::search::search;
use crate::recovery::{self, Mode, Replay};
use crate::repair::Cut;
use crate::topics::KEY_PREFIX;

/// A good frame, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    durable_lsn: u64,
    file: usize,
    start: usize,
    len: usize,
}

impl Examination {
    pub(super) fn frames(&mut self) -> Result<()> {
        let frames = std::mem::take(&mut self.frames);
        let last = frames.keys().next_back().copied().unwrap_or(0);
        let clean = self.slot.is_some_and(|slot| {
            slot.clean && self.files.iter().all(|f| f.header.seq <= slot.journal_seq)
        });
        let mut need = match self.slot {
            Some(slot) if self.trusted => slot.replay_lsn,
            // Nobody knows what the snapshot covers: the oldest frames are in it already, again is the same.
            _ => frames.keys().next().copied().unwrap_or(1),
        };
        self.highest.lsn = last.max(need.saturating_sub(1));
        if !(clean && self.trusted) {
            need = self.replay(&frames, need)?;
        }
        self.set_state(need);
        self.core.gone.load(&self.core);
        Ok(())
    }

    /// Reads every journal file and checks every frame; keeps where those of this life are.
    pub(super) fn index(&mut self) -> Result<()> {
        let first_seq = self.slot.map_or(0, |slot| slot.first_journal_seq);
        let mut frames = BTreeMap::new();
        for at in 0..self.files.len() {
            let Some(found) = self.files.get(at).cloned() else {
                continue;
            };
            let bytes = recovery::read_journal(&self.core, &found)?;
            for copy in file::broken_copies(&bytes) {
                let what = "one copy of the journal file's header is broken, the other one is used";
                self.problem(&found.path, copy, what);
            }
            let seed = frame::seed(&found.header.generation);
            let mut position = usize::try_from(DATA_START).unwrap_or(0);
            while let Some((start, frame)) = search(&bytes, position, seed) {
                self.report.frames += 1;
                position = start + frame.len;
                frame.entries().map_err(|what| Error::LaterVersion {
                    path: found.path.clone(),
                    offset: start as u64,
                    what,
                })?;
                if found.header.seq >= first_seq {
                    let place = Found {
                        durable_lsn: frame.durable_lsn,
                        file: at,
                        start,
                        len: frame.len,
                    };
                    frames.insert(frame.lsn, place);
                }
            }
        }
        self.frames = frames;
        Ok(())
    }

    /// Returns the descriptions of topics that the journal has.
    pub(super) fn topic_puts(&mut self) -> Result<Vec<KvPut>> {
        let (mut puts, mut open) = (Vec::new(), None);
        for found in self.frames.values().copied() {
            let bytes = self.bytes(found.file, &mut open)?;
            let Some(frame) = self.frame(&bytes, found) else {
                continue;
            };
            for entry in frame.entries().unwrap_or_default() {
                if let Entry::Put { store, key, value } = entry
                    && store == Store::Meta
                    && key.starts_with(KEY_PREFIX.as_bytes())
                {
                    puts.push(Entry::to_put(store, key, value));
                }
            }
        }
        Ok(puts)
    }

    fn frame<'b>(&self, bytes: &'b [u8], found: Found) -> Option<Frame<'b>> {
        let used = self.files.get(found.file)?;
        let seed = frame::seed(&used.header.generation);
        Frame::read(bytes.get(found.start..)?, seed)
    }

    /// Applies frames from `need` on; answers the first that is not there.
    fn replay(&mut self, frames: &BTreeMap<u64, Found>, mut need: u64) -> Result<u64> {
        let mut open: Option<(usize, Arc<Vec<u8>>)> = None;
        while let Some(found) = frames.get(&need).copied() {
            let bytes = self.bytes(found.file, &mut open)?;
            let applied = self.apply(&bytes, found, need)?;
            if !applied {
                self.cut_frames(frames, need)?;
                return Ok(need);
            }
            need += 1;
        }
        let later = frames.range(need..).map(|(_, found)| found.durable_lsn);
        // A frame that no later one calls durable was never acknowledged: a torn tail, which the next start cuts.
        if later.max().is_some_and(|durable| durable >= need) {
            let (path, offset) = self.end_of(frames, need);
            let by = frames.keys().next_back().copied().unwrap_or(0);
            let what =
                format!("frame {need} is unreadable, but frame {by} says that it was durable");
            self.damage(&path, offset, what);
            self.cut_frames(frames, need)?;
        }
        Ok(need)
    }

    fn bytes(&self, file: usize, open: &mut Option<(usize, Arc<Vec<u8>>)>) -> Result<Arc<Vec<u8>>> {
        if let Some((at, bytes)) = open
            && *at == file
        {
            return Ok(Arc::clone(bytes));
        }
        let found = self.files.get(file).ok_or(Error::Closed)?;
        let bytes = Arc::new(recovery::read_journal(&self.core, found)?);
        *open = Some((file, Arc::clone(&bytes)));
        Ok(bytes)
    }

    fn apply(&mut self, bytes: &[u8], found: Found, lsn: u64) -> Result<bool> {
        let Some(used) = self.files.get(found.file) else {
            return Ok(false);
        };
        let path = used.path.clone();
        let Some(frame) = self.frame(bytes, found) else {
            return Ok(false);
        };
        for entry in frame.entries().unwrap_or_default() {
            if let Entry::Append { batch, .. } = entry
                && let Some(header) = linkspan_wire::BatchHeader::read(batch)
            {
                self.highest.leader_epoch = self.highest.leader_epoch.max(header.leader_epoch);
            }
        }
        let mut replay = Replay::new(&self.core, Mode::ReadOnly, lsn);
        match replay.apply(&frame, &path, found.start) {
            Ok(()) => Ok(true),
            Err(error) => {
                self.damaged_or(&path, error)?;
                Ok(false)
            }
        }
    }

    /// Returns where frame `lsn` would be.
    fn end_of(&self, frames: &BTreeMap<u64, Found>, lsn: u64) -> (std::path::PathBuf, u64) {
        let before = frames.range(..lsn).next_back().map(|(_, found)| *found);
        let place = before.or_else(|| frames.range(lsn..).next().map(|(_, found)| *found));
        let path = place.and_then(|place| self.files.get(place.file));
        let offset = before.map_or(DATA_START, |place| (place.start + place.len) as u64);
        (
            path.map_or_else(|| self.dir().join("journal"), |file| file.path.clone()),
            offset,
        )
    }

    /// Says what goes with the frames from `lsn` on, as far as they are readable.
    fn cut_frames(&mut self, frames: &BTreeMap<u64, Found>, lsn: u64) -> Result<()> {
        let mut appended: BTreeMap<_, (i64, i64)> = BTreeMap::new();
        let mut keys = BTreeSet::new();
        let mut open = None;
        let n = frames.range(lsn..).count();
        for found in frames.range(lsn..).map(|(_, found)| *found) {
            let bytes = self.bytes(found.file, &mut open)?;
            let Some(frame) = self.frame(&bytes, found) else {
                continue;
            };
            for entry in frame.entries().unwrap_or_default() {
                match entry {
                    Entry::Append {
                        topic,
                        partition,
                        batch,
                        ..
                    } => {
                        if let Some(header) = linkspan_wire::BatchHeader::read(batch) {
                            let next = header.next_offset();
                            appended
                                .entry((topic, partition))
                                .and_modify(|range| range.1 = next)
                                .or_insert((header.base_offset, next));
                        }
                    }
                    Entry::Put {
                        store: store @ (Store::SourceOffsets | Store::GroupOffsets),
                        key,
                        value,
                    } => {
                        keys.insert((store, key.to_vec(), value.map(<[u8]>::to_vec)));
                    }
                    Entry::Put { .. } => {}
                }
            }
        }
        let (path, from) = self.end_of(frames, lsn);
        let last = frames.keys().next_back().copied().unwrap_or(lsn);
        let cut = Cut {
            path,
            from,
            what: format!("commits {lsn}..={last}, {n} of them readable"),
            topic: None,
            partition: None,
            first: None,
            next: None,
            records: None,
        };
        self.cuts.push(cut.clone());
        for ((topic, partition), (first, next)) in appended {
            // The unreadable frame may have held offsets before these.
            let (name, have) = match self.core.partition(&topic, PartitionId(partition)) {
                Ok(found) => (found.topic.to_string(), found.lock().high_watermark),
                Err(_) => (topic.to_string(), first),
            };
            let first = have.min(first);
            self.cuts.push(Cut {
                what: "records of these commits".to_owned(),
                topic: Some(name),
                partition: Some(partition),
                first: Some(first),
                next: Some(next),
                records: u64::try_from(next - first).ok(),
                ..cut.clone()
            });
        }
        self.went_back(keys);
        Ok(())
    }
}
