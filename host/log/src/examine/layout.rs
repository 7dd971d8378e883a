//! The small files: format, slots, headers of journal files, snapshots.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Examination, list};
use crate::checkpoint::{self, Slot, SlotState};
use crate::error::{Error, Result};
use crate::fs::Open;
use crate::journal::file::{self, HeaderState};
use crate::recovery::{self, Mode, UsedFile};
use crate::snapshot;

impl Examination {
    pub(super) fn format(&mut self) -> Result<()> {
        let dir = self.dir().to_owned();
        let Err(error) = recovery::check_format(&*self.core.fs, &dir, Mode::ReadOnly) else {
            return Ok(());
        };
        let Error::NotADataDirectory { why, .. } = &error else {
            return Err(error);
        };
        // Only what is clearly ours is worth a repair.
        let slot = (0..2).any(|seq| {
            let path = checkpoint::slot_path(&dir, seq);
            matches!(
                checkpoint::read_slot(&*self.core.fs, &path),
                Ok(SlotState::Good(_))
            )
        });
        if !slot {
            return Err(error);
        }
        let why = why.clone();
        self.bad_format = true;
        self.damage(&dir.join("format"), 0, why);
        Ok(())
    }

    pub(super) fn slots(&mut self) -> Result<()> {
        let dir = self.dir().to_owned();
        let mut best: Option<Slot> = None;
        for path in [
            checkpoint::slot_path(&dir, 0),
            checkpoint::slot_path(&dir, 1),
        ] {
            match checkpoint::read_slot(&*self.core.fs, &path)? {
                SlotState::Missing => {}
                SlotState::Broken => {
                    self.highest.slot_lost = true;
                    self.problem(&path, 0, "the checkpoint slot fails its checksum");
                }
                SlotState::Good(slot) => {
                    self.highest.slot_seq = self.highest.slot_seq.max(slot.seq);
                    self.highest.leader_epoch = self.highest.leader_epoch.max(slot.leader_epoch);
                    if best.is_none_or(|best| slot.seq > best.seq) {
                        best = Some(slot);
                    }
                }
            }
        }
        self.slot = best;
        Ok(())
    }

    pub(super) fn journal(&mut self) -> Result<()> {
        let dir = self.dir().join("journal");
        let mut due = 0;
        for name in list(&*self.core.fs, &dir)? {
            let Some(number) = file::parse_name(&name) else {
                continue;
            };
            while due < number {
                self.damage(&dir.join(file::name(due)), 0, "the journal file is gone");
                due += 1;
            }
            due = number + 1;
            self.journal_file(&dir.join(name))?;
        }
        self.files.sort_by_key(|found| found.header.seq);
        let latest = self.files.last().map_or(0, |found| found.header.seq);
        self.highest.journal_seq = latest;
        let Some(slot) = self.slot else {
            return Ok(());
        };
        self.highest.journal_seq = latest.max(slot.journal_seq);
        if latest < slot.journal_seq {
            let what = format!(
                "the journal file of use {} is gone, the latest is {latest}",
                slot.journal_seq
            );
            self.damage(&dir, 0, what);
        }
        let covered = self.files.iter().map(|f| f.header.covered_lsn).max();
        if covered.is_some_and(|covered| covered >= slot.replay_lsn) {
            let path = checkpoint::slot_path(self.dir(), slot.seq + 1);
            let what = "the newer checkpoint is lost, and the journal was reused after it";
            self.highest.slot_lost = true;
            self.damage(&path, 0, what);
            self.trusted = false;
        }
        Ok(())
    }

    fn journal_file(&mut self, path: &Path) -> Result<()> {
        let io = |e| Error::io("read journal file", path, e);
        let open = self.core.fs.open(path, Open::Read).map_err(io)?;
        let len = open.len().map_err(io)?;
        match file::read_header(&*open).map_err(io)? {
            HeaderState::Blank => {}
            HeaderState::Later(version) => return Err(recovery::later_journal(path, version)),
            HeaderState::Broken => {
                let what = "both copies of the journal file's header are broken";
                self.damage(path, 0, what);
            }
            HeaderState::Good(header) => {
                if header.complete && len < header.len {
                    let what = format!(
                        "the journal file ends early, it should have {} bytes",
                        header.len
                    );
                    self.damage(path, len, what);
                }
                let path = path.to_owned();
                self.files.push(UsedFile { path, len, header });
            }
        }
        Ok(())
    }

    /// Loads the snapshots that the slot names, or else the newest readable chain.
    pub(super) fn snapshots(&mut self) -> Result<()> {
        let dir = self.dir().to_owned();
        let mut there = BTreeMap::new();
        for name in list(&*self.core.fs, &dir)? {
            if let Some(seq) = snapshot::parse_name(&name) {
                self.highest.snapshot = self.highest.snapshot.max(seq);
                there.insert(seq, None);
            }
        }
        let named = self
            .slot
            .map(|slot| (slot.snapshot_base, slot.snapshot_last));
        if let Some((base, last)) = named
            && base > 0
        {
            for seq in base..=last {
                let path = snapshot::path(&dir, seq);
                if !there.contains_key(&seq) {
                    self.trusted = false;
                    self.damage(&path, 0, "the snapshot is gone");
                } else if let Err(error) = snapshot::read(&*self.core.fs, &path, seq, seq == base) {
                    self.trusted = false;
                    self.damaged_or(&path, error)?;
                }
            }
        }
        let something = !there.is_empty() || !self.files.is_empty() && self.highest.slot_lost;
        if self.slot.is_none() && something {
            self.trusted = false;
            self.highest.slot_lost = true;
            self.damage(&dir.join("ckpt.a"), 0, "no checkpoint slot is readable");
        }
        let mut slot = self.slot.unwrap_or_default();
        if !self.trusted {
            let chosen = self.newest_chain(&mut there);
            if named.is_some_and(|named| named != chosen) || self.slot.is_none() {
                self.fell_back(named, chosen);
            }
            (slot.snapshot_base, slot.snapshot_last) = chosen;
        }
        if self.slot.is_some() || slot.snapshot_base > 0 {
            recovery::load_snapshots(&self.core, &slot)?;
        }
        self.core.set_leader_epoch(self.highest.leader_epoch);
        Ok(())
    }

    fn newest_chain(&self, there: &mut BTreeMap<u64, Option<bool>>) -> (u64, u64) {
        let readable = |seq: u64, base: bool| {
            let path = snapshot::path(self.dir(), seq);
            snapshot::read(&*self.core.fs, &path, seq, base).is_ok()
        };
        let seqs: Vec<u64> = there.keys().rev().copied().collect();
        for last in seqs {
            let mut at = last;
            loop {
                if readable(at, true) {
                    return (at, last);
                }
                if at <= 1 || !readable(at, false) {
                    break;
                }
                at -= 1;
            }
        }
        (0, 0)
    }

    fn fell_back(&mut self, named: Option<(u64, u64)>, (_, last): (u64, u64)) {
        let to = if last == 0 {
            "they begin empty, and topics get names made of their ids".to_owned()
        } else {
            format!("those of snapshot {last} count")
        };
        let path = snapshot::path(self.dir(), named.map_or(last, |(_, last)| last));
        self.cuts.push(crate::repair::Cut {
            path,
            from: 0,
            what: format!(
                "key-value stores (topics, positions, schemas): {to}; what was put later counts only as far as the journal still has it"
            ),
            topic: None,
            partition: None,
            first: None,
            next: None,
            records: None,
        });
    }
}
