//! The files of a task: which there are, how far each was read, and which has something to read now.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use crate::content::Content;
use crate::identity::{Change, Identity, Position, fnv1a};
use crate::paths::{self, Found, FoundFile, PathError, Patterns};
use crate::rotation::family;
use crate::spool::Looks;
use crate::storage::{Handle, Meta, Storage};

/// The handles of this many followed files stay open, so that what was written just before a rename is
/// still read.
const OPEN_FILES_MAX: usize = 512;

/// One file and how far it was read.
#[derive(Debug)]
pub(crate) struct Tracked {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) position: Position,
    /// It was read under this name before, by this task or an earlier one.
    pub(crate) is_known: bool,
    pub(crate) handle: Option<Rc<dyn Handle>>,
    pub(crate) content: Option<Box<dyn Content>>,
    /// The path names another file by now: the open one is read to its end first, and the other is next.
    pub(crate) renamed: Option<Renamed>,
    /// Left alone: it was replaced and `on.replaced` is `skip`, or it cannot be read.
    skipped: bool,
    /// Records read by this task.
    pub(crate) records: u64,
    /// Of these, such as could not be read.
    pub(crate) rejected: u64,
    /// What the last scan found under its name.
    pub(crate) seen: Option<Meta>,
    pub(crate) looks: Looks,
    /// It is on its way to where files go that were read.
    pub(crate) put_away: bool,
    /// A look at it found it not ready to be read.
    pub(crate) waits: bool,
    /// When bytes came last that did not end a record yet.
    pub(crate) grown_at: Option<Instant>,
    /// Since when it is as it was at the last look.
    pub(crate) stands_since: Option<Instant>,
    stands_as: Option<(u64, i64)>,
    /// Size and modification time when the visit at hand began: what came later is found by the next scan.
    opened: Option<(u64, i64)>,
    /// The same of the last visit that read it to its end.
    visited: Option<(u64, i64)>,
}

/// A file whose name was given to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renamed {
    /// Since when nothing came any more.
    pub(crate) quiet_since: Instant,
    /// It has another name now; otherwise it was deleted, as when a new file is moved over an old one.
    pub(crate) lives_on: bool,
    /// It will not be waited for any longer.
    pub(crate) is_over: bool,
    /// Its new name is one of ours, whose own file is read to its end first.
    is_held: bool,
}

/// An open file on its way from one name to another.
#[derive(Debug)]
pub(crate) struct Held {
    position: Position,
    handle: Option<Rc<dyn Handle>>,
    content: Option<Box<dyn Content>>,
    grown_at: Option<Instant>,
    visited: Option<(u64, i64)>,
}

/// How files are shared among tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Rotated names belong to one task.
    ByFamily,
    /// Files of the same bytes belong to one task, which knows that they came before.
    ByBytes,
}

/// The files of a task, and the queue of those to visit.
#[derive(Debug)]
pub(crate) struct Files {
    storage: Rc<dyn Storage>,
    patterns: Patterns,
    share: (u64, u64),
    shared: Share,
    /// A file that was read to its end and is still there is put away.
    cleans: bool,
    others: HashMap<String, (u64, i64)>,
    tracked: Vec<Tracked>,
    by_name: HashMap<String, usize>,
    queue: VecDeque<usize>,
}

impl Files {
    /// The files that `patterns` name, of which those with this share (index, count) belong to the task.
    pub(crate) fn matching(
        storage: Rc<dyn Storage>,
        patterns: Patterns,
        share: (u64, u64),
        shared: Share,
    ) -> Self {
        Self {
            storage,
            patterns,
            share,
            shared,
            cleans: false,
            others: HashMap::new(),
            tracked: Vec::new(),
            by_name: HashMap::new(),
            queue: VecDeque::new(),
        }
    }

    /// Visits files that were read to their end in an earlier run, so that they are put away.
    pub(crate) fn cleaning(self, cleans: bool) -> Self {
        Self { cleans, ..self }
    }

    pub(crate) fn storage(&self) -> &Rc<dyn Storage> {
        &self.storage
    }

    /// Looks for new and changed files and queues them in order.
    ///
    /// `stored` gives the position of a file that is seen for the first time; `ready` says whether a file may be visited.
    pub(crate) fn scan<E: From<PathError>>(
        &mut self,
        mut stored: impl FnMut(&str) -> Result<Option<Position>, E>,
        mut ready: impl FnMut(&mut Tracked) -> Result<bool, E>,
    ) -> Result<Found, E> {
        let mut found = paths::find(self.storage.as_ref(), &self.patterns)?;
        for tracked in &mut self.tracked {
            tracked.seen = None;
        }
        let mut order = Vec::with_capacity(found.files.len());
        for file in std::mem::take(&mut found.files) {
            if let Some(&index) = self.by_name.get(&file.name) {
                if let Some(tracked) = self.tracked.get_mut(index) {
                    tracked.seen = Some(file.meta);
                }
                order.push(index);
                continue;
            }
            if !self.is_mine(&file)? {
                continue;
            }
            let position = stored(&file.name)?;
            let index = self.tracked.len();
            self.by_name.insert(file.name.clone(), index);
            self.tracked.push(Tracked::new(file, position));
            order.push(index);
        }
        // Files that are gone may still be open; they come after those that are there.
        for (index, tracked) in self.tracked.iter_mut().enumerate() {
            let stamp = tracked.seen.map(|seen| seen.stamp());
            if stamp.is_none() {
                order.push(index);
            }
            if tracked.stands_as != stamp || tracked.stands_since.is_none() {
                tracked.stands_as = stamp;
                tracked.stands_since = Some(Instant::now());
            }
        }
        for index in order {
            let Some(tracked) = self.tracked.get_mut(index) else {
                continue;
            };
            if tracked.has_news(self.cleans) && ready(tracked)? {
                self.queue.push_back(index);
            }
        }
        Ok(found)
    }

    /// Says whether a new file belongs to this task.
    fn is_mine(&mut self, file: &FoundFile) -> Result<bool, PathError> {
        let (index, count) = self.share;
        if count <= 1 {
            return Ok(true);
        }
        let hash = match self.shared {
            Share::ByFamily => fnv1a(family(&file.name).as_bytes()),
            Share::ByBytes => {
                if self.others.get(&file.name) == Some(&file.meta.stamp()) {
                    return Ok(false);
                }
                let hash = self.bytes_hash(file).map_err(|source| PathError::Look {
                    path: file.path.clone(),
                    source,
                })?;
                // It is gone again: another task has put it away.
                let Some(hash) = hash else {
                    return Ok(false);
                };
                hash
            }
        };
        let mine = hash % count == index;
        if !mine && self.shared == Share::ByBytes {
            self.others.insert(file.name.clone(), file.meta.stamp());
        }
        Ok(mine)
    }

    fn bytes_hash(&self, file: &FoundFile) -> io::Result<Option<u64>> {
        let handle = match self.storage.open(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let identity = Identity::of(handle.as_ref())?;
        let mut key = identity.head.to_le_bytes().to_vec();
        key.extend_from_slice(&file.meta.size.to_le_bytes());
        Ok(Some(fnv1a(&key)))
    }

    /// Says which open files are found under another of our names now, as (from, to), the oldest file of a chain first.
    ///
    /// A name whose own file is still open keeps it until that is read; whoever comes after it waits.
    pub(crate) fn moves(&mut self) -> Vec<(usize, usize)> {
        let mut moves = Vec::new();
        let mut names = None;
        for (from, tracked) in self.tracked.iter().enumerate() {
            let Some(open) = tracked.handle.as_ref().and_then(|file| file.meta().ok()) else {
                continue;
            };
            if tracked.seen.is_some_and(|now| now.is_same_file(&open)) {
                continue;
            }
            let names = names.get_or_insert_with(|| {
                let seen = self.tracked.iter().enumerate();
                seen.filter_map(|(to, tracked)| Some((tracked.seen?.file(), to)))
                    .collect::<HashMap<_, _>>()
            });
            if let Some(&to) = names.get(&open.file()) {
                moves.push((from, to));
            }
        }
        for renamed in self
            .tracked
            .iter_mut()
            .filter_map(|file| file.renamed.as_mut())
        {
            renamed.is_held = false;
        }
        let mut free = Vec::with_capacity(moves.len());
        loop {
            let next = moves.iter().position(|&(_, to)| {
                let is_open = |file: &Tracked| file.handle.is_some();
                free.iter().any(|&(from, _)| from == to)
                    || !self.tracked.get(to).is_some_and(is_open)
            });
            match next {
                Some(at) => free.push(moves.swap_remove(at)),
                None => break,
            }
        }
        for (from, _) in moves {
            if let Some(renamed) = self.get_mut(from).and_then(|file| file.renamed.as_mut()) {
                renamed.is_held = true;
            }
        }
        free
    }

    /// Returns whose open file has the name of `index` now.
    pub(crate) fn holder(&self, index: usize) -> Option<usize> {
        let file = self.tracked.get(index)?.handle.as_ref()?.meta().ok()?;
        self.tracked
            .iter()
            .enumerate()
            .position(|(other, tracked)| {
                let open = tracked
                    .handle
                    .as_ref()
                    .filter(|_| tracked.renamed.is_some());
                let open = open.and_then(|open| open.meta().ok());
                other != index && open.is_some_and(|open| open.is_same_file(&file))
            })
    }

    /// Brings moved files to the front of the queue, as their bytes are in time: the rest of the old file before the new one.
    pub(crate) fn visit_first(&mut self, moves: &[(usize, usize)]) {
        let mut first = Vec::with_capacity(moves.len() + 1);
        for index in moves.iter().flat_map(|&(from, to)| [to, from]) {
            if !first.contains(&index) {
                first.push(index);
            }
        }
        self.queue.retain(|index| !first.contains(index));
        for index in first.into_iter().rev() {
            self.queue.push_front(index);
        }
    }

    /// Takes the next file to visit.
    pub(crate) fn next(&mut self) -> Option<usize> {
        self.queue.pop_front()
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Tracked> {
        self.tracked.get_mut(index)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Tracked> {
        self.tracked.get(index)
    }

    /// Returns the other files of the same family.
    pub(crate) fn relatives(&self, index: usize) -> Vec<usize> {
        let Some(name) = self.tracked.get(index).map(|tracked| family(&tracked.name)) else {
            return Vec::new();
        };
        let others = self.tracked.iter().enumerate();
        others
            .filter(|(other, tracked)| *other != index && family(&tracked.name) == name)
            .map(|(other, _)| other)
            .collect()
    }

    /// Returns whether any file is looked at again because it was not ready.
    pub(crate) fn some_wait(&self) -> bool {
        self.tracked.iter().any(|tracked| tracked.waits)
    }

    pub(crate) fn is_tracked(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
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
        match tracked.renamed {
            Some(renamed) if renamed.is_over && !renamed.is_held => {
                tracked.renamed = None;
                tracked.visited = None;
                tracked.close();
                if renamed.lives_on {
                    // All of it was read, and it is still there: nothing was replaced.
                    tracked.restart();
                }
                self.queue.push_front(index);
            }
            Some(_) => {}
            None if !keep_open || index >= OPEN_FILES_MAX => tracked.close(),
            None => {}
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
    fn new(file: FoundFile, position: Option<Position>) -> Self {
        Self {
            name: file.name,
            path: file.path,
            is_known: position.is_some(),
            position: position.unwrap_or_default(),
            handle: None,
            content: None,
            renamed: None,
            skipped: false,
            records: 0,
            rejected: 0,
            seen: Some(file.meta),
            looks: Looks::default(),
            put_away: false,
            waits: false,
            grown_at: None,
            stands_since: None,
            stands_as: None,
            opened: None,
            visited: None,
        }
    }

    /// Says whether a visit may find something; cheap enough to be asked of every file, every time.
    fn has_news(&mut self, cleans: bool) -> bool {
        if self.skipped {
            return false;
        }
        let now = self.seen;
        if let Some(done) = &self.position.done
            && self.handle.is_none()
        {
            return now.is_some_and(|now| {
                let size = self.position.identity.as_ref().map(|known| known.size);
                let is_other = size != Some(now.size) || done.modified_ns != now.modified_ns;
                is_other || (cleans && !self.put_away)
            });
        }
        if let Some(open) = self.handle.as_ref().and_then(|file| file.meta().ok()) {
            let other = now.is_some_and(|now| !now.is_same_file(&open));
            if other && self.renamed.is_none() {
                self.renamed = Some(Renamed {
                    quiet_since: Instant::now(),
                    lives_on: open.names > 0,
                    is_over: false,
                    is_held: false,
                });
            }
            if now.is_none() {
                // The name is gone and may come back; what the open file still has is read now.
                return self.visited != Some(open.stamp()) || self.grown_at.is_some();
            }
        }
        now.is_some_and(|now| {
            self.renamed.is_some() || self.grown_at.is_some() || self.visited != Some(now.stamp())
        })
    }

    /// Opens the file unless it is open, and compares it with what was read of it.
    pub(crate) fn open(&mut self, storage: &dyn Storage) -> io::Result<Opened> {
        if self.handle.is_none() {
            match storage.open(&self.path) {
                Ok(file) => self.handle = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Opened::Gone),
                Err(error) => return Err(error),
            }
        }
        let Some(file) = &self.handle else {
            return Ok(Opened::Gone);
        };
        self.opened = Some(file.meta()?.stamp());
        match self.position.change(file.as_ref())? {
            Change::None => Ok(Opened::Ready),
            change => Ok(Opened::Replaced(change)),
        }
    }

    /// Gives the open file away; what has the name now was never read.
    pub(crate) fn let_go(&mut self) -> Held {
        self.renamed = None;
        self.is_known = false;
        self.opened = None;
        Held {
            position: std::mem::take(&mut self.position),
            handle: self.handle.take(),
            content: self.content.take(),
            grown_at: self.grown_at.take(),
            visited: self.visited.take(),
        }
    }

    /// Goes on with a file that was read under another name.
    pub(crate) fn go_on_with(&mut self, file: Held) {
        self.renamed = None;
        self.is_known = true;
        self.position = file.position;
        self.handle = file.handle;
        self.content = file.content;
        self.grown_at = file.grown_at;
        self.visited = file.visited;
    }

    /// Forgets what was read: the file is read from its start.
    pub(crate) fn restart(&mut self) {
        self.position = Position::default();
        self.content = None;
    }

    /// Leaves the file alone from now on.
    pub(crate) fn skip(&mut self) {
        self.skipped = true;
        self.waits = false;
        self.close();
    }

    /// Closes the file.
    pub(crate) fn close(&mut self) {
        self.handle = None;
        self.content = None;
    }

    /// Takes note of how the file looks, for the offsets that are stored from now on.
    pub(crate) fn identify(&mut self) -> io::Result<()> {
        if let Some(file) = &self.handle {
            self.position.identity = Some(Identity::of(file.as_ref())?);
        }
        Ok(())
    }
}
