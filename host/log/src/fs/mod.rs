//! The file system as the log sees it, so that tests can lose power.
//!
//! [`DiskFs`] is the real one. [`MemFs`] keeps files in memory, forgets what was not synced when it crashes, and fails on demand.
//! The log never assumes more than this contract: bytes count after `sync_data` of their file, names after `sync_dir` of
//! their directory, and a write that was not synced may survive in any subset of its 512-byte sectors.

mod disk;
mod mem;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use disk::DiskFs;
pub use mem::{Failure, FaultOp, MemFs};

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    Write,
    /// For reading and writing; made empty, with mode 0600, when it does not exist.
    Create,
}

/// Who else may hold a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody.
    Exclusive,
    /// Other holders of a shared lock.
    Shared,
}

/// A file system.
pub trait Fs: Send + Sync + fmt::Debug {
    /// Makes a directory (mode 0700) and its parents; an existing one is fine. Durable after `sync_dir` of the parent.
    ///
    /// # Errors
    /// The system's.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Returns the names in a directory, in no particular order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Returns whether a path exists.
    ///
    /// # Errors
    /// The system's.
    fn try_exists(&self, path: &Path) -> io::Result<bool>;

    /// Opens a file. A created one is durable after `sync_dir` of its directory.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>>;

    /// Renames a file over another of the same directory. Durable after `sync_dir`.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable after `sync_dir`.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory. Durable after `sync_dir` of its parent.
    ///
    /// # Errors
    /// The system's; something is in it.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Opens the file system that holds a directory, to sync it as a whole. Open it before the first write: it reports the
    /// write-back errors since it was opened, and a later one would not know of an error that somebody else was told of.
    ///
    /// # Errors
    /// The system's.
    fn volume(&self, dir: &Path) -> io::Result<Arc<dyn Volume>>;

    /// Takes a lock on an existing file, or returns `None` when another holder is in the way. It ends with the value or the process.
    ///
    /// # Errors
    /// The system's.
    fn try_lock(&self, path: &Path, mode: LockMode) -> io::Result<Option<Box<dyn Lock>>>;
}

/// A whole file system, held open.
pub trait Volume: Send + Sync + fmt::Debug {
    /// Makes everything on it durable: one call instead of many `sync_data`.
    ///
    /// # Errors
    /// The system's; also a write-back that failed since it was opened.
    fn sync(&self) -> io::Result<()>;
}

/// An open file. Any thread may call any method.
pub trait File: Send + Sync + fmt::Debug {
    /// Reads up to `buf.len()` bytes; fewer only at the end of the file.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads as `read_at` if that needs no wait for the disk, else returns `None`.
    ///
    /// # Errors
    /// The system's.
    fn read_at_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<Option<usize>>;

    /// Writes all slices one after the other.
    ///
    /// # Errors
    /// The system's; a part may have been written.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// The system's. What is on the disk is then unknown, and a second call may lie: never retry.
    fn sync_data(&self) -> io::Result<()>;

    /// Asks the system to begin writing a range out; promises nothing.
    fn start_writeback(&self, offset: u64, len: u64);

    /// Cuts or extends the file. Durable after `sync_data`.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Returns the file's length.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> io::Result<u64>;

    /// Returns whether the file has no bytes.
    ///
    /// # Errors
    /// The system's.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
}

/// A held lock; dropping it lets go.
pub trait Lock: Send + Sync + fmt::Debug {}

/// Makes a directory and its missing parents, all of them durable when this returns. The name of an existing one is made
/// durable too: whoever made it may have been killed before that.
///
/// # Errors
/// The call that failed, its path, and the system's error.
pub(crate) fn make_dir(fs: &dyn Fs, dir: &Path) -> Result<(), (&'static str, PathBuf, io::Error)> {
    let mut unsure = Vec::new();
    for ancestor in dir.ancestors().filter(|a| !a.as_os_str().is_empty()) {
        let exists = fs
            .try_exists(ancestor)
            .map_err(|e| ("look for", ancestor.to_owned(), e))?;
        if !exists || unsure.is_empty() {
            unsure.push((ancestor, exists));
        }
        if exists {
            break;
        }
    }
    fs.create_dir(dir)
        .map_err(|e| ("make directory", dir.to_owned(), e))?;
    for (made, existed) in unsure.into_iter().rev() {
        let parent = match made.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) => Path::new("."),
            None => continue,
        };
        match fs.sync_dir(parent) {
            // Made by somebody with more rights, who has not been us.
            Err(e) if existed && e.kind() == io::ErrorKind::PermissionDenied => {}
            result => result.map_err(|e| ("sync directory", parent.to_owned(), e))?,
        }
    }
    Ok(())
}

/// Reads exactly `len` bytes at `offset`, or as many as the file has.
pub(crate) fn read_range(file: &dyn File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let n = file.read_at(&mut bytes, offset)?;
    bytes.truncate(n);
    Ok(bytes)
}

/// Reads a whole file, at most `max` bytes.
pub(crate) fn read_file(fs: &dyn Fs, path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let file = fs.open(path, Open::Read)?;
    let len = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    if len > max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file has {len} bytes, at most {max} make sense"),
        ));
    }
    read_range(&*file, 0, len)
}
