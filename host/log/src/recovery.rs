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

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use linkspan_types::PartitionId;

use crate::backend::{KvPut, Store};
use crate::checkpoint::{self, Chain, Slot, SlotState};
use crate::compaction::swap;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_file};
use crate::journal::file::{self, DATA_START, HeaderState};
use crate::journal::frame::{self, ALIGN, Entry, Frame, GROUP_ALIGN};
use crate::journal::ring::{Found, Idle};
use crate::journal::search::{frame_near, search};
use crate::snapshot;
use crate::stat::{RecoveryStat, TornStat};
use crate::{topics, trim};

/// The version of the data directory that this build reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 1;
/// While replaying, segments are written when this much waits for them.
const REPLAY_BYTES_MAX: usize = 16 << 20;
/// Names that may be in a directory that is not a data directory yet.
const FOREIGN_NAMES: [&str; 5] = [
    "format.tmp",
    "lock",
    "linkspan.sock",
    "plugins.cache",
    "runs",
];

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

/// Checks or writes the file `format`; returns whether the directory is new.
pub(crate) fn check_format(fs: &dyn Fs, dir: &Path, mode: Mode) -> Result<bool> {
    let path = dir.join("format");
    if fs
        .try_exists(&path)
        .map_err(|e| Error::io("look for", &path, e))?
    {
        let text = read_file(fs, &path, 4096).map_err(|e| Error::io("read", &path, e))?;
        let text = String::from_utf8_lossy(&text);
        let version = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("linkspan-data "));
        return match version.and_then(|version| version.trim().parse::<u32>().ok()) {
            Some(FORMAT_VERSION) => Ok(false),
            Some(found) => Err(Error::NewerFormat {
                path,
                found,
                supported: FORMAT_VERSION,
            }),
            None => Err(Error::NotADataDirectory {
                dir: dir.to_owned(),
                why: "its file `format` is not ours".into(),
            }),
        };
    }
    let names = fs.list(dir).map_err(|e| Error::io("list", dir, e))?;
    if let Some(name) = names
        .iter()
        .find(|name| !FOREIGN_NAMES.contains(&name.as_str()))
    {
        let why = format!("it has no file `format`, but `{name}`");
        return Err(Error::NotADataDirectory {
            dir: dir.to_owned(),
            why,
        });
    }
    if mode == Mode::ReadOnly {
        return Err(Error::NotADataDirectory {
            dir: dir.to_owned(),
            why: "it has no file `format`".into(),
        });
    }
    let temporary = dir.join("format.tmp");
    let failed = |op, error| Error::io(op, &temporary, error);
    let file = fs
        .open(&temporary, Open::Create)
        .map_err(|e| failed("make", e))?;
    file.truncate(0).map_err(|e| failed("write", e))?;
    let text = format!("linkspan-data {FORMAT_VERSION}\n");
    file.write_at(&[std::io::IoSlice::new(text.as_bytes())], 0)
        .map_err(|e| failed("write", e))?;
    file.sync_data().map_err(|e| failed("sync", e))?;
    fs.rename(&temporary, &path)
        .map_err(|e| failed("rename", e))?;
    // Folders without this file are nobody's: its name is durable before they are made.
    fs.sync_dir(dir)
        .map_err(|e| Error::io("sync directory", dir, e))?;
    Ok(true)
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
    let slot = newest_slot(core, &files)?;
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

fn newest_slot(core: &Core, files: &[UsedFile]) -> Result<Option<Slot>> {
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

pub(crate) fn load_snapshots(core: &Core, slot: &Slot) -> Result<()> {
    let mut chain = Chain {
        slot: *slot,
        previous_base: slot.snapshot_base,
        ..Chain::default()
    };
    let mut stores = core.stores.write().unwrap_or_else(PoisonError::into_inner);
    if slot.snapshot_base > 0 {
        for seq in slot.snapshot_base..=slot.snapshot_last {
            let path = snapshot::path(&core.options.dir, seq);
            if !core
                .fs
                .try_exists(&path)
                .map_err(|e| Error::io("look for", &path, e))?
            {
                let what = "the snapshot is gone".to_owned();
                return Err(Error::Damaged {
                    path,
                    offset: 0,
                    what,
                });
            }
            let content = snapshot::read(&*core.fs, &path, seq, seq == slot.snapshot_base)?;
            content.puts.iter().for_each(|put| stores.load(put));
            chain.manifests.extend(content.partitions);
            let file = core
                .fs
                .open(&path, Open::Read)
                .map_err(|e| Error::io("open", &path, e))?;
            let len = file.len().map_err(|e| Error::io("read", &path, e))?;
            if seq == slot.snapshot_base {
                chain.base_bytes = len
            } else {
                chain.delta_bytes += len
            }
        }
    }
    let mut catalog = core.catalog.write().unwrap_or_else(PoisonError::into_inner);
    for (key, value) in stores.scan(Store::Meta, crate::topics::KEY_PREFIX.as_bytes()) {
        catalog.apply(
            &KvPut {
                store: Store::Meta,
                key,
                value: Some(value),
            },
            &core.options,
        )?;
    }
    // Those of deleted topics are not of this log any more.
    chain
        .manifests
        .retain(|key, _| catalog.partition(&key.topic, key.partition).is_some());
    for (key, manifest) in &chain.manifests {
        if let Some(partition) = catalog.partition(&key.topic, key.partition) {
            partition.load(manifest);
            core.space
                .add(manifest.segments.iter().map(|segment| segment.len).sum());
        }
    }
    let starts = stores.scan(Store::Meta, crate::trim::START_PREFIX.as_bytes());
    drop((catalog, stores));
    for (key, value) in starts {
        core.follow(&KvPut {
            store: Store::Meta,
            key,
            value: Some(value),
        })?;
    }
    core.counters
        .snapshot_bytes
        .store(chain.base_bytes + chain.delta_bytes, Ordering::Relaxed);
    *core
        .checkpoints
        .chain
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = chain;
    Ok(())
}

/// Cuts every segment to its recorded length and removes those that no checkpoint has recorded.
pub(crate) fn cut_segments(core: &Core) -> Result<()> {
    let chain = core
        .checkpoints
        .chain
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let topics = core.options.dir.join("topics");
    for name in core
        .fs
        .list(&topics)
        .map_err(|e| Error::io("list", &topics, e))?
    {
        let Some(key) = crate::partition::PartitionKey::parse(&name) else {
            continue;
        };
        let dir = topics.join(&name);
        let recorded = chain
            .manifests
            .get(&key)
            .map(|m| m.segments.as_slice())
            .unwrap_or_default();
        for file in core.fs.list(&dir).map_err(|e| Error::io("list", &dir, e))? {
            let base = crate::segment::parse_name(&file)
                .or_else(|| crate::segment::index_file::parse_name(&file));
            if base.is_none() && !file.ends_with(crate::segment::CLEANED) {
                continue;
            }
            // What compaction was about to write goes too: a file that counts has its own name by now.
            if !recorded.iter().any(|segment| Some(segment.base) == base) {
                let path = dir.join(file);
                core.fs
                    .remove(&path)
                    .map_err(|e| Error::io("remove", &path, e))?;
            }
        }
    }
    for (key, manifest) in &chain.manifests {
        for segment in &manifest.segments {
            let path = topics
                .join(key.to_string())
                .join(crate::segment::name(segment.base));
            let file = match core.fs.open(&path, Open::Write) {
                Ok(file) => file,
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::Damaged {
                        path,
                        offset: 0,
                        what: "the segment is gone".into(),
                    });
                }
                Err(e) => return Err(Error::io("open segment", &path, e)),
            };
            let len = file
                .len()
                .map_err(|e| Error::io("read segment", &path, e))?;
            if len < segment.len {
                let what = format!(
                    "the segment ends early, it should have {} bytes",
                    segment.len
                );
                return Err(Error::Damaged {
                    path,
                    offset: len,
                    what,
                });
            }
            if len > segment.len {
                file.truncate(segment.len)
                    .map_err(|e| Error::io("cut segment", &path, e))?;
                // It may know more than the segment has now.
                let index = path.with_file_name(crate::segment::index_file::name(segment.base));
                if let Err(e) = core.fs.remove(&index)
                    && e.kind() != std::io::ErrorKind::NotFound
                {
                    return Err(Error::io("remove", &index, e));
                }
            }
        }
    }
    Ok(())
}

/// Reads frames in order and applies those from `need` on.
pub(crate) struct Replay<'a> {
    core: &'a Core,
    mode: Mode,
    /// The next frame to apply.
    need: u64,
    /// The frame that should come next in the files, once one was seen.
    next: Option<u64>,
    replayed: u64,
    replayed_bytes: u64,
    torn: Option<TornTail>,
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

    fn files(&mut self, files: &[UsedFile]) -> Result<()> {
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
