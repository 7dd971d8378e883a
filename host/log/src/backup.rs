//! A consistent copy of a log, taken while it runs.
//!
//! ```text
//!  1 checkpoint ► 2 hold the chain: copy slot, snapshots, and the frames from the checkpoint up to the last one written
//!        ► 3 let go; copy each segment up to its recorded length, checking every batch ► 4 backup.json, last
//! ```
//!
//! A checkpoint alone is not a point in time: segments and snapshot may be ahead of it, each by another bit. The frames
//! behind it make it one: replayed, they lead to the state as of the last copied frame, all appends and puts of every
//! commit up to there and nothing of any later one.
//!
//! Commits go on meanwhile; only the next checkpoint waits during step 2. Segments are append-only, so a recorded length
//! stays true while a file grows. A segment that retention or compaction took away under the copy is noticed (it is gone,
//! or its batches are not those recorded) and the backup begins again at step 1, keeping what it has.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backup_manifest::{self, Entry, Manifest};
use crate::checkpoint::{self, Slot};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::fs::{File, Fs, Open, make_dir, read_file};
use crate::journal::extract::{self, Range};
use crate::partition::PartitionKey;
use crate::recovery::FORMAT_VERSION;
use crate::segment::{self, Segment, walk_batches};
use crate::snapshot::{self, SegmentRecord};

/// How often a backup begins again because segments were taken away under it.
const ROUNDS_MAX: u32 = 10;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 1 << 20;
/// The largest record of a run that is copied.
const RUN_BYTES_MAX: usize = 64 << 20;

/// What a backup came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// Where it is.
    pub dir: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Segment files among them.
    pub segments: u64,
    /// Records in segments; those of the journal's end are not counted.
    pub records: u64,
    /// The last commit that the backup holds.
    pub last_lsn: u64,
    /// The leader epoch at that moment.
    pub leader_epoch: i32,
    /// How often the plan was made anew, because segments were deleted or compacted meanwhile; 1 = never.
    pub rounds: u32,
    /// How long it took.
    pub duration_ms: u64,
}

struct Plan {
    slot: Slot,
    last_lsn: u64,
    segments: BTreeMap<(PartitionKey, i64), Named>,
}

/// A segment as the checkpoint names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    record: SegmentRecord,
    /// The number of the compaction that wrote it, 0 = none.
    generation: u32,
    /// Its file may still have the name of its generation.
    unswapped: bool,
    epochs: Vec<(i32, i64)>,
}

struct Copied {
    of: (SegmentRecord, u32),
    entry: Entry,
    records: u64,
}

/// Copies the log of `core` into the empty or missing folder `target`.
///
/// # Errors
/// [`Error::NotEmpty`], the log is damaged, or the system's.
pub(crate) fn run(core: &Core, target: &Path) -> Result<BackupReport> {
    let started = Instant::now();
    let fs = &*core.fs;
    prepare(core, target)?;
    let mut copied = BTreeMap::new();
    let mut small = Vec::new();
    let mut rounds = 0;
    let plan = loop {
        rounds += 1;
        for entry in small.drain(..) {
            let Entry { path, .. } = entry;
            remove(fs, &target.join(path))?;
        }
        let plan = plan(core, target, &mut small)?;
        match copy_segments(core, target, &plan, &mut copied)? {
            None => break plan,
            Some(error) if rounds == ROUNDS_MAX => return Err(error),
            Some(error) => {
                tracing::info!(error = %linkspan_types::error_chain(&error), "a segment changed under the backup, which begins again")
            }
        }
    };
    copy_runs(core, target, &mut small)?;
    sync_names(core, target, &copied)?;
    finish(core, target, &plan, small, copied, (rounds, started))
}

fn finish(
    core: &Core,
    target: &Path,
    plan: &Plan,
    small: Vec<Entry>,
    copied: BTreeMap<(PartitionKey, i64), Copied>,
    (rounds, started): (u32, Instant),
) -> Result<BackupReport> {
    let segments = copied.len() as u64;
    let records = copied.values().map(|copied| copied.records).sum();
    let mut files = small;
    files.extend(copied.into_values().map(|copied| copied.entry));
    let bytes = files.iter().map(|entry| entry.bytes).sum();
    let topics = core
        .catalog
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .all()
        .count() as u64;
    let manifest = Manifest {
        made_ms: linkspan_types::Clock::now_ms(&linkspan_types::SystemClock::default()),
        source: core.options.dir.display().to_string(),
        leader_epoch: plan.slot.leader_epoch,
        last_lsn: plan.last_lsn,
        topics,
        records,
        bytes,
        files,
        ..Manifest::default()
    };
    backup_manifest::write(&*core.fs, target, &manifest)?;
    Ok(BackupReport {
        dir: target.display().to_string(),
        files: manifest.files.len() as u64,
        bytes,
        segments,
        records,
        last_lsn: plan.last_lsn,
        leader_epoch: plan.slot.leader_epoch,
        rounds,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Makes the folder, which must be empty and not inside of the data directory.
fn prepare(core: &Core, target: &Path) -> Result<()> {
    let fs = &*core.fs;
    if target.starts_with(&core.options.dir) {
        return Err(Error::InvalidOption {
            option: "backup",
            why: format!("`{}` is inside of the data directory", target.display()),
        });
    }
    empty_directory(fs, target)?;
    for sub in ["journal", "topics"].map(|name| target.join(name)) {
        fs.create_dir(&sub)
            .map_err(|e| Error::io("make directory", &sub, e))?;
    }
    Ok(())
}

/// Makes a folder, durably, or checks that an existing one is empty.
pub(crate) fn empty_directory(fs: &dyn Fs, dir: &Path) -> Result<()> {
    make_dir(fs, dir).map_err(|(op, path, e)| Error::io(op, &path, e))?;
    let names = fs.list(dir).map_err(|e| Error::io("list", dir, e))?;
    match names.into_iter().next() {
        None => Ok(()),
        Some(found) => Err(Error::NotEmpty {
            dir: dir.to_owned(),
            found,
        }),
    }
}

/// Steps 1 and 2.
fn plan(core: &Core, target: &Path, small: &mut Vec<Entry>) -> Result<Plan> {
    let fs = &*core.fs;
    if core.ring.get().is_some() {
        checkpoint::checkpoint(core, false)?;
    }
    let chain = core
        .checkpoints
        .chain
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let slot = chain.slot;
    if slot.seq == 0 {
        return Err(Error::NotADataDirectory {
            dir: core.options.dir.clone(),
            why: "it was made and never used".into(),
        });
    }
    // Whatever segments and snapshot are ahead of the checkpoint came from frames up to here.
    let last_lsn = core.written_lsn();
    let mut add = |relative: &str| -> Result<()> {
        small.push(Entry::of(fs, target, relative)?);
        Ok(())
    };
    if slot.snapshot_base > 0 {
        for seq in slot.snapshot_base..=slot.snapshot_last {
            let path = snapshot::path(target, seq);
            copy_whole(fs, &snapshot::path(&core.options.dir, seq), &path)?;
            snapshot::read(fs, &path, seq, seq == slot.snapshot_base)?;
            add(&snapshot::name(seq))?;
        }
    }
    let range = Range {
        from_lsn: slot.replay_lsn,
        to_lsn: last_lsn,
        first_seq: slot.first_journal_seq,
    };
    let journal = format!("journal/{}", crate::journal::file::name(0));
    extract::extract(core, range, &target.join(&journal))?;
    add(&journal)?;
    let copy = Slot {
        clean: false,
        journal_seq: 1,
        first_journal_seq: 1,
        ..slot
    };
    for seq in [slot.seq, slot.seq + 1] {
        checkpoint::write_slot(fs, target, &Slot { seq, ..copy })?;
    }
    for name in ["ckpt.a", "ckpt.b"] {
        add(name)?;
    }
    write_whole(
        fs,
        &target.join("format"),
        format!("linkspan-data {FORMAT_VERSION}\n").as_bytes(),
    )?;
    add("format")?;
    let mut segments = BTreeMap::new();
    for (key, manifest) in &chain.manifests {
        for record in &manifest.segments {
            let written = manifest.cleaning.segments.iter();
            let written = written.copied().find(|written| written.base == record.base);
            let named = Named {
                record: *record,
                generation: written.map_or(0, |written| written.generation),
                unswapped: written.is_some_and(|written| written.swap),
                epochs: manifest.epochs.clone(),
            };
            segments.insert((*key, record.base), named);
        }
    }
    Ok(Plan {
        slot,
        last_lsn,
        segments,
    })
}

/// Step 3. Answers the first segment that could not be copied as it was recorded, if any.
fn copy_segments(
    core: &Core,
    target: &Path,
    plan: &Plan,
    copied: &mut BTreeMap<(PartitionKey, i64), Copied>,
) -> Result<Option<Error>> {
    let fs = &*core.fs;
    let gone: Vec<_> = copied
        .iter()
        .filter(|(at, old)| {
            plan.segments
                .get(at)
                .is_none_or(|new| (new.record, new.generation) != old.of)
        })
        .map(|(at, _)| *at)
        .collect();
    for at in gone {
        copied.remove(&at);
        remove(fs, &target.join(relative(at)))?;
    }
    let mut changed = None;
    for (at, named) in &plan.segments {
        if copied.contains_key(at) {
            continue;
        }
        match copy_segment(core, target, *at, named) {
            Ok(done) => {
                copied.insert(*at, done);
            }
            Err(Failed::Source(error)) => {
                remove(fs, &target.join(relative(*at)))?;
                changed.get_or_insert(error);
            }
            Err(Failed::Target(error)) => return Err(error),
        }
    }
    Ok(changed)
}

enum Failed {
    /// The segment is not what was recorded: it changed, or it is damaged.
    Source(Error),
    Target(Error),
}

fn relative((key, base): (PartitionKey, i64)) -> String {
    format!("topics/{key}/{}", segment::name(base))
}

fn copy_segment(
    core: &Core,
    target: &Path,
    at: (PartitionKey, i64),
    named: &Named,
) -> Result<Copied, Failed> {
    let fs = &*core.fs;
    let relative = relative(at);
    let (mut source, path) = (core.options.dir.join(&relative), target.join(&relative));
    // Compaction names its file in two steps; the copy has the last name.
    let unswapped = source.with_file_name(segment::cleaned_name(at.1, named.generation));
    if named.unswapped && matches!(fs.try_exists(&unswapped), Ok(true)) {
        source = unswapped;
    }
    let file = fs
        .open(&source, Open::Read)
        .map_err(|e| Failed::Source(Error::io("open segment", &source, e)))?;
    let dir = target.join("topics").join(at.0.to_string());
    fs.create_dir(&dir)
        .map_err(|e| Failed::Target(Error::io("make directory", &dir, e)))?;
    let mut copy = Copy::new(fs, &path).map_err(Failed::Target)?;
    let mut segment = Segment::recorded(named.record);
    segment.generation = named.generation;
    let (place, record) = (segment.whole(&named.epochs), named.record);
    let (mut records, mut next) = (0, record.base);
    let walked = walk_batches(&*file, &source, &place, |_, batch| {
        batch.verify_crc().map_err(|e| e.to_string())?;
        records += u64::try_from(batch.header().record_count).unwrap_or(0);
        next = batch.header().next_offset();
        copy.put(batch.bytes());
        Ok(())
    });
    let (bytes, sha256) = copy.finish().map_err(Failed::Target)?;
    walked.map_err(Failed::Source)?;
    if next > record.next || bytes != record.len {
        let what = format!("it ends at offset {next}, {} was recorded", record.next);
        let (path, offset) = (source, record.len);
        return Err(Failed::Source(Error::Corrupt { path, offset, what }));
    }
    let entry = Entry {
        path: relative,
        bytes,
        sha256,
    };
    Ok(Copied {
        of: (record, named.generation),
        entry,
        records,
    })
}

/// A file being written, hashed on the way. The first failure is kept and ends it.
struct Copy {
    file: Arc<dyn File>,
    path: PathBuf,
    staged: Vec<u8>,
    position: u64,
    sha: Sha256,
    failed: Option<Error>,
}

impl Copy {
    fn new(fs: &dyn Fs, path: &Path) -> Result<Self> {
        let file = fs
            .open(path, Open::Create)
            .map_err(|e| Error::io("make", path, e))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            staged: Vec::new(),
            position: 0,
            sha: Sha256::new(),
            failed: None,
        })
    }

    fn put(&mut self, bytes: &[u8]) {
        self.staged.extend_from_slice(bytes);
        if self.staged.len() >= WRITE_BYTES {
            self.write();
        }
    }

    fn write(&mut self) {
        self.sha.update(&self.staged);
        let slices = [IoSlice::new(&self.staged)];
        if self.failed.is_none()
            && let Err(e) = self.file.write_at(&slices, self.position)
        {
            self.failed = Some(Error::io("write", &self.path, e));
        }
        self.position += self.staged.len() as u64;
        self.staged.clear();
    }

    fn finish(mut self) -> Result<(u64, String)> {
        self.write();
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.file
            .sync_data()
            .map_err(|e| Error::io("sync", &self.path, e))?;
        Ok((self.position, backup_manifest::hex(&self.sha.finalize())))
    }
}

/// Copies the records of finished runs: they are files of their own beside the log.
fn copy_runs(core: &Core, target: &Path, small: &mut Vec<Entry>) -> Result<()> {
    let fs = &*core.fs;
    let runs = core.options.dir.join("runs");
    let exists = fs
        .try_exists(&runs)
        .map_err(|e| Error::io("look for", &runs, e))?;
    if !exists {
        return Ok(());
    }
    let folder = target.join("runs");
    fs.create_dir(&folder)
        .map_err(|e| Error::io("make directory", &folder, e))?;
    for name in fs.list(&runs).map_err(|e| Error::io("list", &runs, e))? {
        // Files that are being written have other names.
        if name.ends_with(".json") {
            let path = runs.join(&name);
            let bytes =
                read_file(fs, &path, RUN_BYTES_MAX).map_err(|e| Error::io("read", &path, e))?;
            write_whole(fs, &folder.join(&name), &bytes)?;
            small.push(Entry::of(fs, target, &format!("runs/{name}"))?);
        }
    }
    fs.sync_dir(&folder)
        .map_err(|e| Error::io("sync directory", &folder, e))
}

fn sync_names(
    core: &Core,
    target: &Path,
    copied: &BTreeMap<(PartitionKey, i64), Copied>,
) -> Result<()> {
    let topics = target.join("topics");
    let mut dirs: Vec<PathBuf> = copied
        .keys()
        .map(|(key, _)| topics.join(key.to_string()))
        .collect();
    dirs.dedup();
    dirs.extend([topics, target.join("journal"), target.to_owned()]);
    for dir in &dirs {
        core.fs
            .sync_dir(dir)
            .map_err(|e| Error::io("sync directory", dir, e))?;
    }
    Ok(())
}

fn copy_whole(fs: &dyn Fs, from: &Path, to: &Path) -> Result<()> {
    let bytes = read_file(fs, from, usize::MAX).map_err(|e| Error::io("read", from, e))?;
    write_whole(fs, to, &bytes)
}

/// Writes a small file, synced but for its name.
pub(crate) fn write_whole(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |op, e| Error::io(op, path, e);
    let file = fs.open(path, Open::Create).map_err(|e| failed("make", e))?;
    file.truncate(0).map_err(|e| failed("write", e))?;
    file.write_at(&[IoSlice::new(bytes)], 0)
        .map_err(|e| failed("write", e))?;
    file.sync_data().map_err(|e| failed("sync", e))
}

fn remove(fs: &dyn Fs, path: &Path) -> Result<()> {
    match fs.remove(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}
