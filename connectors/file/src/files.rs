//! The files of a task: which there are, how far each was read, and which has something to read now.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;

use crate::identity::{Change, Identity, Position, fnv1a};
use crate::paths::{self, PathError};

/// The handles of this many followed files stay open, so that what was written just before a rename is
/// still read.
const OPEN_FILES_MAX: usize = 512;

/// One file and how far it was read.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) name: String,
    pub(crate) position: Position,
    pub(crate) handle: Option<File>,
    /// The path names another file by now: the open one will not grow, and the other is next.
    pub(crate) renamed: bool,
    /// Left alone: it was replaced and `on.replaced` is `skip`.
    skipped: bool,
    /// Records read by this task.
    pub(crate) records: u64,
    /// Size and modification time when the visit at hand began: what came later is found by the next scan.
    opened: Option<(u64, i64)>,
    /// The same of the last visit that read it to its end.
    visited: Option<(u64, i64)>,
}

/// The files of a task, and the queue of those to visit.
#[derive(Debug)]
pub(crate) struct Files {
    patterns: Vec<String>,
    globs: bool,
    share: (u64, u64),
    tracked: Vec<Tracked>,
    by_name: HashMap<String, usize>,
    queue: VecDeque<usize>,
}

impl Files {
    /// The files that `patterns` name, of which those with this share (index, count) belong to the task.
    pub(crate) fn matching(patterns: Vec<String>, share: (u64, u64)) -> Self {
        Self {
            patterns,
            globs: true,
            share,
            tracked: Vec::new(),
            by_name: HashMap::new(),
            queue: VecDeque::new(),
        }
    }

    /// One file.
    pub(crate) fn one(name: String) -> Self {
        Self {
            globs: false,
            ..Self::matching(vec![name], (0, 1))
        }
    }

    /// Looks for new and changed files and queues them in order; returns the entries of `path` that name none.
    ///
    /// `stored` gives the position of a file that is seen for the first time.
    pub(crate) fn scan<E: From<PathError>>(
        &mut self,
        mut stored: impl FnMut(&str) -> Result<Option<Position>, E>,
    ) -> Result<Vec<String>, E> {
        let found = paths::find(&self.patterns, self.globs)?;
        for name in found.files {
            if self.share.1 > 1 && fnv1a(name.as_bytes()) % self.share.1 != self.share.0 {
                continue;
            }
            if !self.by_name.contains_key(&name) {
                let position = stored(&name)?.unwrap_or_default();
                self.by_name.insert(name.clone(), self.tracked.len());
                self.tracked.push(Tracked::new(name, position));
            }
        }
        for (index, tracked) in self.tracked.iter_mut().enumerate() {
            if tracked.has_news() {
                self.queue.push_back(index);
            }
        }
        Ok(found.without_match)
    }

    /// Takes the next file to visit.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.queue.pop_front()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Tracked> {
        self.tracked.get_mut(index)
    }

    /// Returns a file to the front of the queue: its visit could not begin.
    pub(crate) fn put_back(&mut self, index: usize) {
        self.queue.push_front(index);
    }

    /// Says whether a file waits to be visited.
    pub(crate) fn has_next(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Ends a visit: the file was read to its end. A renamed file makes way for the one that has its name now.
    pub(crate) fn visited(&mut self, index: usize, keep_open: bool) {
        let Some(tracked) = self.tracked.get_mut(index) else {
            return;
        };
        tracked.visited = tracked.opened.take();
        if tracked.renamed {
            tracked.renamed = false;
            tracked.visited = None;
            tracked.handle = None;
            self.queue.push_front(index);
        } else if !keep_open || index >= OPEN_FILES_MAX {
            tracked.handle = None;
        }
    }
}

/// What opening a file found.
#[derive(Debug)]
pub(crate) enum Opened {
    /// It is open and is read from its position.
    Ready,
    /// Nothing has that name now.
    Gone,
    /// It is not the file, or not the bytes, that were read before.
    Replaced(Change),
}

impl Tracked {
    fn new(name: String, position: Position) -> Self {
        Self {
            name,
            position,
            handle: None,
            renamed: false,
            skipped: false,
            records: 0,
            opened: None,
            visited: None,
        }
    }

    /// Says whether a visit may find something; cheap enough to be asked of every file, every time.
    fn has_news(&mut self) -> bool {
        if self.skipped {
            return false;
        }
        let now = fs::metadata(&self.name).ok();
        if let Some(open) = self.handle.as_ref().and_then(|file| file.metadata().ok()) {
            self.renamed = now
                .as_ref()
                .is_none_or(|now| now.ino() != open.ino() || now.dev() != open.dev());
            if now.is_none() {
                // The name is gone and may come back; what the open file still has is read now.
                self.renamed = false;
                return self.visited != Some(stamp(&open));
            }
        }
        now.is_some_and(|now| self.renamed || self.visited != Some(stamp(&now)))
    }

    /// Opens the file unless it is open, and compares it with what was read of it.
    pub(crate) fn open(&mut self) -> io::Result<Opened> {
        if self.handle.is_none() {
            match File::open(&self.name) {
                Ok(file) => self.handle = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Gone),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.handle else {
            return Ok(Opened::Gone);
        };
        self.opened = Some(stamp(&file.metadata()?));
        match self.position.change(file)? {
            Change::None => Ok(Opened::Ready),
            change => Ok(Opened::Replaced(change)),
        }
    }

    /// Forgets what was read: the file is read from its start.
    pub(crate) fn restart(&mut self) {
        self.position = Position::default();
    }

    /// Leaves the file alone from now on.
    pub(crate) fn skip(&mut self) {
        self.skipped = true;
        self.handle = None;
    }

    /// Takes note of how the file looks, for the offsets that are stored from now on.
    pub(crate) fn identify(&mut self) -> io::Result<()> {
        if let Some(file) = &self.handle {
            self.position.identity = Some(Identity::of(file)?);
        }
        Ok(())
    }
}

fn stamp(meta: &fs::Metadata) -> (u64, i64) {
    (
        meta.len(),
        meta.mtime()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(meta.mtime_nsec()),
    )
}
