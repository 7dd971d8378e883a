//! A file system in memory that can lose power.
//!
//! It is as unkind as POSIX allows: a crash keeps any subset of the 512-byte sectors that were written and not synced,
//! and for every directory some first part of the name changes that were not followed by `sync_dir` — also when the file
//! itself was synced. [`MemFs::crash`] returns what a restart would find; the crashed machine itself refuses every call.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Fs, Lock, LockMode, Open, Volume};

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// A kind of call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultOp {
    /// `File::write_at` and `truncate`.
    Write,
    /// `File::sync_data` and `Volume::sync`.
    Sync,
    /// `File::read_at`.
    Read,
    /// Calls that change names, and `Fs::sync_dir`.
    Name,
    /// Everything that needs a descriptor: `Fs::open` of any kind, `list`, `sync_dir`, `volume`, `try_lock`.
    Open,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// With an error of this kind.
    Kind(io::ErrorKind),
    /// With this number of the system (`EMFILE`, …).
    Os(i32),
    /// With this number, after a first part of a write went well; any other call fails at once.
    Short(i32),
    /// It panics, which no file system should: for tests of what then happens.
    Panic,
}

impl From<io::ErrorKind> for Failure {
    fn from(kind: io::ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

/// A file system in memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemFs(Arc<Mutex<Machine>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Debug)]
struct Fault {
    op: FaultOp,
    /// Matches paths that contain this text.
    path: String,
    /// How many matching calls succeed first.
    after: u64,
    /// How many fail then.
    times: u64,
    failure: Failure,
}

#[derive(Debug, Default)]
struct Machine {
    inodes: HashMap<u64, Inode>,
    names: BTreeMap<PathBuf, Node>,
    durable_names: BTreeMap<PathBuf, Node>,
    pending: Vec<NameChange>,
    locks: HashMap<PathBuf, i64>,
    faults: Vec<Fault>,
    len_limits: Vec<(String, u64)>,
    faults_hit: u64,
    bytes_read: u64,
    /// The call that failed last was a write of which a part went well.
    short: bool,
    calls: u64,
    crash_at: Option<u64>,
    off: bool,
    sync_lies: bool,
    last_inode: u64,
    /// Counts failed write-backs, each of which a volume reports once if it was open then.
    lost_writebacks: u64,
}

impl MemFs {
    /// Makes an empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many changing calls were made: writes, syncs, name changes.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Cuts the power at the changing call with this number (the first is 1): it and all later calls fail.
    pub fn crash_at(&self, call: u64) {
        self.lock().crash_at = Some(call);
    }

    /// Cuts the power now.
    pub fn power_off(&self) {
        self.lock().off = true;
    }

    /// Makes every sync return at once without doing anything: the negative control of crash tests.
    pub fn lie_about_sync(&self) {
        self.lock().sync_lies = true;
    }

    /// Lets `times` calls of a kind fail on paths that contain `path`, after `after` such calls went well.
    pub fn fail(
        &self,
        op: FaultOp,
        path: &str,
        after: u64,
        times: u64,
        failure: impl Into<Failure>,
    ) {
        self.lock().faults.push(Fault {
            op,
            path: path.to_owned(),
            after,
            times,
            failure: failure.into(),
        });
    }

    /// Lets a write-back fail in the background: the volumes that are open now report it at their next sync, once.
    pub fn lose_a_writeback(&self) {
        self.lock().lost_writebacks += 1;
    }

    /// Lets every write fail as on a full disk that would make a file whose path contains `path` longer than `len`.
    pub fn limit_len(&self, path: &str, len: u64) {
        self.lock().len_limits.push((path.to_owned(), len));
    }

    /// Returns how many bytes were read so far.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.lock().bytes_read
    }

    /// Returns how many calls failed because of `fail`.
    #[must_use]
    pub fn faults_hit(&self) -> u64 {
        self.lock().faults_hit
    }

    /// Takes back all of `fail` and `limit_len`.
    pub fn heal(&self) {
        let mut machine = self.lock();
        machine.faults.clear();
        machine.len_limits.clear();
    }

    /// Returns the bytes of a file as programs see them.
    #[must_use]
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let machine = self.lock();
        let Some(Node::File(id)) = machine.names.get(path) else {
            return None;
        };
        machine.inodes.get(id).map(|inode| inode.now.clone())
    }

    /// Replaces the bytes of an existing file, durably: damage done by a test.
    pub fn set_contents(&self, path: &Path, bytes: Vec<u8>) {
        let mut machine = self.lock();
        let Some(Node::File(id)) = machine.names.get(path).copied() else {
            return;
        };
        machine.inodes.insert(
            id,
            Inode {
                durable: bytes.clone(),
                now: bytes,
                dirty: BTreeSet::new(),
            },
        );
    }

    /// Returns all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let machine = self.lock();
        machine
            .names
            .iter()
            .filter(|(_, node)| **node != Node::Dir)
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Cuts the power and returns what a restart finds. The same seed and history give the same answer.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let mut machine = self.lock();
        machine.off = true;
        let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15);
        let names = machine.surviving_names(&mut random);
        let mut after = Machine {
            last_inode: machine.last_inode,
            ..Machine::default()
        };
        let mut ids: Vec<u64> = names
            .values()
            .filter_map(|n| {
                if let Node::File(id) = n {
                    Some(*id)
                } else {
                    None
                }
            })
            .collect();
        ids.sort_unstable();
        for id in ids {
            let bytes = machine
                .inodes
                .get(&id)
                .map(|inode| inode.surviving(&mut random))
                .unwrap_or_default();
            after.inodes.insert(
                id,
                Inode {
                    durable: bytes.clone(),
                    now: bytes,
                    dirty: BTreeSet::new(),
                },
            );
        }
        after.durable_names.clone_from(&names);
        after.names = names;
        Self(Arc::new(Mutex::new(after)))
    }

    /// Returns an independent copy of the current state, everything in it durable.
    #[must_use]
    pub fn copy(&self) -> Self {
        let machine = self.lock();
        let mut after = Machine {
            last_inode: machine.last_inode,
            ..Machine::default()
        };
        for (id, inode) in &machine.inodes {
            let bytes = inode.now.clone();
            after.inodes.insert(
                *id,
                Inode {
                    durable: bytes.clone(),
                    now: bytes,
                    dirty: BTreeSet::new(),
                },
            );
        }
        after.names.clone_from(&machine.names);
        after.durable_names.clone_from(&machine.names);
        Self(Arc::new(Mutex::new(after)))
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Machine {
    fn power(&self) -> io::Result<()> {
        if self.off {
            Err(io::Error::other("the power is off"))
        } else {
            Ok(())
        }
    }

    fn begin(&mut self, op: FaultOp, path: &Path) -> io::Result<()> {
        self.power()?;
        if !matches!(op, FaultOp::Read | FaultOp::Open) {
            self.calls += 1;
            if self.crash_at.is_some_and(|at| self.calls >= at) {
                self.off = true;
                return self.power();
            }
        }
        let text = path.to_string_lossy();
        for fault in self
            .faults
            .iter_mut()
            .filter(|f| f.op == op && text.contains(&f.path))
        {
            if fault.after > 0 {
                fault.after -= 1;
            } else if fault.times > 0 {
                fault.times -= 1;
                self.faults_hit += 1;
                self.short = matches!(fault.failure, Failure::Short(_));
                return Err(match fault.failure {
                    Failure::Kind(kind) => kind.into(),
                    Failure::Os(number) | Failure::Short(number) => {
                        io::Error::from_raw_os_error(number)
                    }
                    #[expect(clippy::panic, reason = "the test asked for it")]
                    Failure::Panic => panic!("a test lets {op:?} of {text} panic"),
                });
            }
        }
        Ok(())
    }

    fn is_over_limit(&self, path: &Path, len: u64) -> bool {
        let text = path.to_string_lossy();
        self.len_limits
            .iter()
            .any(|(part, limit)| text.contains(part) && len > *limit)
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn surviving_names(&self, random: &mut Random) -> BTreeMap<PathBuf, Node> {
        let mut names = self.durable_names.clone();
        let mut left: HashMap<PathBuf, usize> = HashMap::new();
        for change in &self.pending {
            *left.entry(change.dir()).or_default() += 1;
        }
        let mut dirs: Vec<PathBuf> = left.keys().cloned().collect();
        dirs.sort();
        for dir in dirs {
            if let Some(n) = left.get_mut(&dir) {
                *n = random.below(*n + 1);
            }
        }
        for change in &self.pending {
            let n = left.entry(change.dir()).or_default();
            if *n > 0 {
                *n -= 1;
                change.apply(&mut names);
            }
        }
        // A file whose directory did not survive is gone.
        let all = names.clone();
        names.retain(|path, _| {
            path.ancestors().skip(1).all(|dir| {
                dir.as_os_str().is_empty() || dir == Path::new("/") || all.contains_key(dir)
            })
        });
        names
    }
}

impl NameChange {
    fn dir(&self) -> PathBuf {
        let (Self::Set(path, _) | Self::Remove(path) | Self::Rename(path, _)) = self;
        path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Set(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}

impl Inode {
    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if bytes.is_empty() {
            return;
        }
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        if let Some(target) = self.now.get_mut(offset..end) {
            target.copy_from_slice(bytes);
        }
        self.dirty.extend(offset / SECTOR..=(end - 1) / SECTOR);
    }

    fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&self.now, &mut self.durable, sector);
        }
    }

    fn surviving(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        // Some crashes lose everything, some nothing, most a part.
        let odds = match random.below(4) {
            0 => 0,
            1 => 100,
            _ => 50,
        };
        if self.now.len() != bytes.len() && (odds == 100 || random.below(2) == 0) {
            bytes.resize(self.now.len(), 0);
        }
        for sector in &self.dirty {
            if random.below(100) < odds {
                copy_sector(&self.now, &mut bytes, *sector);
            }
        }
        bytes
    }
}

fn copy_sector(from: &[u8], to: &mut [u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(from.len()).min(to.len());
    if let (Some(from), Some(to)) = (from.get(start..end), to.get_mut(start..end)) {
        to.copy_from_slice(from);
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        usize::try_from(z % u64::try_from(n.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

#[derive(Debug)]
struct MemFile {
    fs: MemFs,
    inode: u64,
    path: PathBuf,
}

impl MemFile {
    fn with<T>(&self, op: Option<FaultOp>, f: impl FnOnce(&mut Inode, bool) -> T) -> io::Result<T> {
        let mut machine = self.fs.lock();
        match op {
            Some(op) => machine.begin(op, &self.path)?,
            None => machine.power()?,
        }
        let lies = machine.sync_lies;
        Ok(f(machine.inodes.entry(self.inode).or_default(), lies))
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl File for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.with(Some(FaultOp::Read), |inode, _| {
            let bytes = inode.now.get(at(offset)..).unwrap_or_default();
            let n = bytes.len().min(buf.len());
            if let (Some(to), Some(from)) = (buf.get_mut(..n), bytes.get(..n)) {
                to.copy_from_slice(from);
            }
            n
        })?;
        self.fs.lock().bytes_read += n as u64;
        Ok(n)
    }

    fn read_at_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        let n = self.read_at(buf, offset)?;
        Ok((n == buf.len()).then_some(n))
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let end = offset + slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
        if self.fs.lock().is_over_limit(&self.path, end) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut machine = self.fs.lock();
        let result = machine.begin(FaultOp::Write, &self.path);
        let part = match result.is_ok() {
            true => usize::MAX,
            false if std::mem::take(&mut machine.short) => at(end - offset) / 2,
            false => 0,
        };
        let inode = machine.inodes.entry(self.inode).or_default();
        let (mut position, mut left) = (at(offset), part);
        for slice in slices {
            let n = slice.len().min(left);
            inode.write(slice.get(..n).unwrap_or_default(), position);
            (position, left) = (position + n, left - n);
        }
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(Some(FaultOp::Sync), |inode, lies| {
            if !lies {
                inode.sync();
            }
        })
    }

    fn start_writeback(&self, _offset: u64, _len: u64) {}

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.with(Some(FaultOp::Write), |inode, _| {
            let (old, new) = (inode.now.len(), at(len));
            inode.now.resize(new, 0);
            let (low, high) = (old.min(new), old.max(new));
            if low != high {
                inode.dirty.extend(low / SECTOR..=(high - 1) / SECTOR);
            }
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(None, |inode, _| inode.now.len() as u64)
    }
}

#[derive(Debug)]
struct MemVolume {
    fs: MemFs,
    dir: PathBuf,
    /// The failed write-backs that this one has reported, or that were before its time.
    seen: Mutex<u64>,
}

impl Volume for MemVolume {
    fn sync(&self) -> io::Result<()> {
        let mut machine = self.fs.lock();
        machine.begin(FaultOp::Sync, &self.dir)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = machine.lost_writebacks;
        if std::mem::replace(&mut *seen, lost) < lost {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        if machine.sync_lies {
            return Ok(());
        }
        for inode in machine.inodes.values_mut() {
            inode.sync();
        }
        machine.pending.clear();
        machine.durable_names = machine.names.clone();
        Ok(())
    }
}

#[derive(Debug)]
struct MemLock {
    fs: MemFs,
    path: PathBuf,
    mode: LockMode,
}

impl Lock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        let mut machine = self.fs.lock();
        let holders = machine.locks.entry(self.path.clone()).or_default();
        match self.mode {
            LockMode::Exclusive => *holders = 0,
            LockMode::Shared => *holders -= 1,
        }
    }
}

impl Fs for MemFs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Name, dir)?;
        let mut missing: Vec<&Path> = dir
            .ancestors()
            .filter(|d| {
                !d.as_os_str().is_empty() && *d != Path::new("/") && !machine.names.contains_key(*d)
            })
            .collect();
        while let Some(dir) = missing.pop() {
            machine.change(NameChange::Set(dir.to_path_buf(), Node::Dir));
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Open, dir)?;
        if machine.names.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inside = machine
            .names
            .keys()
            .filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn try_exists(&self, path: &Path) -> io::Result<bool> {
        let machine = self.lock();
        machine.power()?;
        Ok(machine.names.contains_key(path))
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Open, path)?;
        let inode = match machine.names.get(path) {
            Some(Node::File(inode)) => *inode,
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            None if how == Open::Create => {
                machine.begin(FaultOp::Name, path)?;
                if path
                    .parent()
                    .is_some_and(|dir| machine.names.get(dir) != Some(&Node::Dir))
                {
                    return Err(io::ErrorKind::NotFound.into());
                }
                machine.last_inode += 1;
                let inode = machine.last_inode;
                machine.inodes.insert(inode, Inode::default());
                machine.change(NameChange::Set(path.to_path_buf(), Node::File(inode)));
                inode
            }
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(MemFile {
            fs: self.clone(),
            inode,
            path: path.to_path_buf(),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Name, from)?;
        if !machine.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        machine.change(NameChange::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Name, path)?;
        if !machine.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        machine.change(NameChange::Remove(path.to_path_buf()));
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Name, dir)?;
        if machine.names.get(dir) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if machine.names.keys().any(|path| path.parent() == Some(dir)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        machine.change(NameChange::Remove(dir.to_path_buf()));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Open, dir)?;
        machine.begin(FaultOp::Name, dir)?;
        if machine.sync_lies {
            return Ok(());
        }
        let (synced, pending) = std::mem::take(&mut machine.pending)
            .into_iter()
            .partition(|change| change.dir() == dir);
        machine.pending = pending;
        let synced: Vec<NameChange> = synced;
        for change in synced {
            change.apply(&mut machine.durable_names);
        }
        Ok(())
    }

    fn volume(&self, dir: &Path) -> io::Result<Arc<dyn Volume>> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Open, dir)?;
        Ok(Arc::new(MemVolume {
            fs: self.clone(),
            dir: dir.to_path_buf(),
            seen: Mutex::new(machine.lost_writebacks),
        }))
    }

    fn try_lock(&self, path: &Path, mode: LockMode) -> io::Result<Option<Box<dyn Lock>>> {
        let mut machine = self.lock();
        machine.begin(FaultOp::Open, path)?;
        let holders = machine.locks.entry(path.to_path_buf()).or_default();
        match mode {
            LockMode::Exclusive if *holders == 0 => *holders = -1,
            LockMode::Shared if *holders >= 0 => *holders += 1,
            LockMode::Exclusive | LockMode::Shared => return Ok(None),
        }
        Ok(Some(Box::new(MemLock {
            fs: self.clone(),
            path: path.to_path_buf(),
            mode,
        })))
    }
}
