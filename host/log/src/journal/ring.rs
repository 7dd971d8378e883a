//! Where the journal's files come from and go to: made once, filled, freed by a checkpoint, used again.
//!
//! ```text
//!  make ──► ready ──► (writer fills it) ──► full ──► checkpoint covers it ──► free ──► recycle ──► ready
//! ```
//!
//! One thread prepares files ahead of the writer, because zeroing or syncing a header in the writer would stop all commits.
//! The first file is small and each new one four times larger, up to the configured size.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::file::{self, Header, JournalFile};
use crate::condition::Needs;
use crate::core::Core;
use crate::error::{Error, Result, is_no_space};
use crate::fs::Fs;
use crate::options::LocalOptions;
use crate::thread;

/// A new file is this much larger than the last one made.
const GROWTH: u64 = 4;
/// A file without a current use.
#[derive(Clone, Debug)]
pub(crate) struct Idle {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    pub(crate) last_lsn: u64,
}

#[derive(Debug)]
struct State {
    ready: VecDeque<JournalFile>,
    full: Vec<Idle>,
    free: Vec<Idle>,
    /// The writer wants a file of at least this size.
    wanted: Option<u64>,
    next_number: u32,
    next_seq: u64,
    /// The latest use whose header is known to be durable.
    durable_seq: u64,
    last_made: u64,
    total_bytes: u64,
    n_files: u32,
    covered_lsn: u64,
    /// Counts releases, so that one that comes while a file is being prepared is not slept through.
    releases: u64,
    closed: bool,
}

/// All files of the journal but the one being written.
#[derive(Debug)]
pub(crate) struct Ring {
    dir: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

/// What the directory held when the log was opened.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) files: Vec<Idle>,
    pub(crate) next_number: u32,
    pub(crate) next_seq: u64,
    /// The latest use that a checkpoint knows.
    pub(crate) durable_seq: u64,
}

impl Ring {
    pub(crate) fn new(dir: PathBuf, found: Found, covered_lsn: u64) -> Self {
        let total_bytes = found.files.iter().map(|f| f.len).sum();
        let last_made = found.files.iter().map(|f| f.len).max().unwrap_or(0);
        let n_files = u32::try_from(found.files.len()).unwrap_or(u32::MAX);
        let state = State {
            ready: VecDeque::new(),
            full: Vec::new(),
            free: found.files,
            wanted: None,
            next_number: found.next_number,
            next_seq: found.next_seq,
            durable_seq: found.durable_seq,
            last_made,
            total_bytes,
            n_files,
            covered_lsn,
            releases: 0,
            closed: false,
        };
        Self {
            dir,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Prepares the first file on the caller's thread.
    pub(crate) fn first(&self, core: &Core) -> Result<JournalFile> {
        self.prepare(core, core.options.journal_first_bytes)?;
        self.lock().ready.pop_front().ok_or(Error::Closed)
    }

    /// Tells the preparing thread that another file will be needed soon.
    pub(crate) fn hint(&self) {
        let mut state = self.lock();
        if state.ready.is_empty() && state.wanted.is_none() {
            state.wanted = Some(0);
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Takes a file with room for `len_min` bytes; waits until there is one.
    pub(crate) fn take(&self, core: &Core, len_min: u64) -> Result<JournalFile> {
        let mut state = self.lock();
        loop {
            while let Some(file) = state.ready.pop_front() {
                if file.len >= len_min {
                    return Ok(file);
                }
                state.free.push(Idle {
                    path: file.path,
                    len: file.len,
                    last_lsn: 0,
                });
            }
            if state.closed {
                return Err(Error::Closed);
            }
            core.check_worth_waiting()?;
            state.wanted = Some(len_min.max(state.wanted.unwrap_or(0)));
            self.changed.notify_all();
            state = self
                .changed
                .wait_timeout(state, core.options.space_retry)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Puts a filled file aside until a checkpoint covers its last frame.
    pub(crate) fn retire(&self, file: JournalFile) {
        let mut state = self.lock();
        state.full.push(Idle {
            path: file.path,
            len: file.len,
            last_lsn: file.last_lsn,
        });
    }

    /// Frees the files whose frames a checkpoint has covered.
    pub(crate) fn release(&self, covered_lsn: u64) {
        let mut state = self.lock();
        state.covered_lsn = state.covered_lsn.max(covered_lsn);
        state.releases += 1;
        let (free, full) = std::mem::take(&mut state.full)
            .into_iter()
            .partition(|f| f.last_lsn <= covered_lsn);
        state.full = full;
        let free: Vec<Idle> = free;
        state.free.extend(free);
        drop(state);
        self.changed.notify_all();
    }

    /// Returns bytes and number of all files.
    pub(crate) fn size(&self) -> (u64, u32) {
        let state = self.lock();
        (state.total_bytes, state.n_files)
    }

    /// Returns the number of the latest use whose header is durable.
    pub(crate) fn durable_seq(&self) -> u64 {
        self.lock().durable_seq
    }

    /// Ends the preparing thread and every wait.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The preparing thread: keeps one file ready when asked to.
    pub(crate) fn run(&self, core: &Core) {
        loop {
            let mut state = self.lock();
            let len_min = loop {
                if state.closed {
                    return;
                }
                if let Some(len_min) = state.wanted {
                    break len_min;
                }
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            let releases = state.releases;
            drop(state);
            match self.prepare(core, len_min) {
                Ok(true) => {
                    core.condition.enough(Needs::JournalFiles);
                    self.changed.notify_all();
                    continue;
                }
                // At the cap: a checkpoint must free a file first.
                Ok(false) => core.checkpoints.request(),
                // The same, if the disk sets the cap. A checkpoint that finds no space either says so itself.
                Err(error) if error.is_shortage() && self.may_be_freed() => {
                    core.checkpoints.request();
                }
                Err(error) if error.is_shortage() => {
                    core.condition.short(Needs::JournalFiles, &error)
                }
                Err(error) => return core.poison(&error),
            }
            let state = self.lock();
            if !state.closed && state.releases == releases {
                drop(
                    self.changed
                        .wait_timeout(state, core.options.space_retry)
                        .unwrap_or_else(PoisonError::into_inner),
                );
            }
        }
    }

    /// Whether a checkpoint would free a file that is full, while none is free.
    fn may_be_freed(&self) -> bool {
        let state = self.lock();
        state.free.is_empty() && !state.full.is_empty()
    }

    /// Makes or recycles one file; `false` when the cap is reached and no file is free that would do.
    fn prepare(&self, core: &Core, len_min: u64) -> Result<bool> {
        let mut state = self.lock();
        let header = Header {
            seq: state.next_seq,
            generation: random_generation(),
            covered_lsn: state.covered_lsn,
            len: 0,
            complete: true,
        };
        if let Some((idle, len)) = state.take_idle(len_min, &core.options) {
            state.next_seq += 1;
            drop(state);
            let result = file::recycle(&*core.fs, &idle.path, len, len_min, header);
            return self.add(header.seq, Some(idle), result);
        }
        let Some(len) = state.new_len(len_min, &core.options) else {
            return Ok(false);
        };
        let path = self.dir.join(file::name(state.next_number));
        state.next_seq += 1;
        drop(state);
        let smallest = core.options.journal_first_bytes.max(len_min).min(len);
        let made = file::make(&*core.fs, &path, len, header)
            .or_else(|error| match is_no_space(&error) && smallest < len {
                true => {
                    remove_unfinished(&*core.fs, &path);
                    file::make(&*core.fs, &path, smallest, header)
                }
                false => Err(error),
            })
            .and_then(|made| core.fs.sync_dir(&self.dir).map(|()| made))
            .map_err(|e| Error::io("prepare journal file", &path, e));
        if made.is_err() {
            remove_unfinished(&*core.fs, &path);
        }
        self.add(header.seq, None, made)
    }

    fn add(&self, seq: u64, old: Option<Idle>, result: Result<JournalFile>) -> Result<bool> {
        let mut state = self.lock();
        match result {
            Ok(file) => {
                state.total_bytes += file.len - old.as_ref().map_or(0, |old| old.len.min(file.len));
                state.durable_seq = state.durable_seq.max(seq);
                if old.is_none() {
                    // Numbers have no gaps: a missing file is damage.
                    state.next_number += 1;
                    state.n_files += 1;
                    state.last_made = file.len;
                }
                // The writer may have asked for a larger one meanwhile.
                state.wanted = state.wanted.filter(|wanted| *wanted > file.len);
                state.ready.push_back(file);
                Ok(true)
            }
            Err(error) => {
                if let Some(old) = old {
                    state.free.insert(0, old);
                }
                Err(error)
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the file that has been free longest and has room for `len_min` bytes, or may grow to it; returns it with the
    /// length that it should get. What an earlier life left behind is overwritten first that way.
    fn take_idle(&mut self, len_min: u64, options: &LocalOptions) -> Option<(Idle, u64)> {
        let room = options.journal_bytes_max.saturating_sub(self.total_bytes);
        let may_be = |idle: &Idle| idle.len.saturating_add(room);
        let at = self
            .free
            .iter()
            .position(|idle| may_be(idle) >= len_min)
            // Nothing that a checkpoint could free would be larger: a commit that fits into a file goes before the cap.
            .or_else(|| (self.full.is_empty() && !self.free.is_empty()).then_some(0))?;
        let idle = self.free.remove(at);
        let grown = idle
            .len
            .saturating_mul(GROWTH)
            .min(options.journal_file_bytes)
            .min(may_be(&idle))
            .max(idle.len)
            .max(len_min);
        Some((idle, grown))
    }

    /// Returns the length of a further file; `None` at the cap.
    fn new_len(&self, len_min: u64, options: &LocalOptions) -> Option<u64> {
        let len = match self.last_made {
            0 => options.journal_first_bytes,
            last => last.saturating_mul(GROWTH).min(options.journal_file_bytes),
        };
        let len = len.max(len_min);
        (self.total_bytes + len <= options.journal_bytes_max).then_some(len)
    }
}

fn remove_unfinished(fs: &dyn Fs, path: &Path) {
    if let Err(error) = fs.remove(path) {
        // Perhaps there is none; otherwise it is overwritten soon, or found and used at the next start.
        tracing::debug!(%error, path = %path.display(), "could not remove an unfinished journal file");
    }
}

fn random_generation() -> [u8; 16] {
    linkspan_types::TopicId::random().0
}

/// Starts the preparing thread.
pub(crate) fn spawn(ring: &Arc<Ring>, core: &Arc<Core>) -> Result<std::thread::JoinHandle<()>> {
    let ring = Arc::clone(ring);
    thread::spawn(core, "log-journal-files", move |core| ring.run(core))
}
