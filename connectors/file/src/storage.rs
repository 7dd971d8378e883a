//! Where files are: what the rest of the plugin needs of a file system, and the local one.
//!
//! A storage over SFTP or an object store implements [`Storage`] and [`Handle`]; nothing else in the plugin opens, lists, moves or
//! publishes a file. The exception is a sink with one growing file (see `output`), which needs locks and cuts that only a local
//! file system has.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::output::make_folder;

/// What lies under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    File,
    Folder,
    Fifo,
    Socket,
    Device,
    Other,
}

impl Entry {
    /// Names it in a message, with its article.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Folder => "a folder",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "not a regular file",
        }
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) entry: Entry,
    pub(crate) size: u64,
    /// Last modification, in nanoseconds since 1970.
    pub(crate) modified_ns: i64,
    /// Device and inode; zero where the storage has none.
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Names that the file has; 0 when it was deleted while open.
    pub(crate) names: u64,
}

impl Meta {
    /// Says whether two looks found the same file, whatever it is called.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.file() == other.file()
    }

    /// Device and inode.
    pub(crate) fn file(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Size and time: what changes when somebody writes to the file.
    pub(crate) fn stamp(&self) -> (u64, i64) {
        (self.size, self.modified_ns)
    }
}

/// An open file, read by position.
pub(crate) trait Handle: fmt::Debug {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;
    fn meta(&self) -> io::Result<Meta>;
}

/// A place that holds files.
pub(crate) trait Storage: fmt::Debug {
    /// Looks at a name; a link is followed. `None`: nothing has that name.
    ///
    /// # Errors
    /// The name cannot be looked at: a link that leads to itself, a folder that may not be searched.
    fn meta(&self, path: &Path) -> io::Result<Option<Meta>>;

    /// Lists the names in a folder, in no order.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;

    fn open(&self, path: &Path) -> io::Result<Rc<dyn Handle>>;

    /// Moves a file under another name; folders on the way are made, and a file of that name is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a file; one that is gone is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Begins a file that nobody sees under its name before [`Draft::publish`].
    fn create(&self, path: &Path, suffix: &str) -> io::Result<Box<dyn Draft>>;
}

/// A file that is being written.
pub(crate) trait Draft: fmt::Debug {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes durable, then gives the file its name, then makes the name durable.
    fn publish(&mut self) -> io::Result<()>;

    /// Deletes what was written.
    fn discard(&mut self) -> io::Result<()>;
}

/// Files of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Local;

impl Storage for Local {
    fn meta(&self, path: &Path) -> io::Result<Option<Meta>> {
        match fs::metadata(path) {
            Ok(meta) => Ok(Some(convert(&meta))),
            Err(error) if is_absent(&error) => match fs::symlink_metadata(path) {
                // A link to nothing: as absent as what it names.
                Ok(_) | Err(_) => Ok(None),
            },
            Err(error) => Err(error),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(PathBuf::from(entry?.file_name()));
        }
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Rc<dyn Handle>> {
        let file = File::open(path)?;
        Ok(Rc::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let folder = folder_of(to);
        make_folder(folder)?;
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                move_by_copy(from, to)?;
            }
            other => other?,
        }
        sync_folder(folder)?;
        sync_folder(folder_of(from))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn create(&self, path: &Path, suffix: &str) -> io::Result<Box<dyn Draft>> {
        make_folder(folder_of(path))?;
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(suffix);
        let temporary = PathBuf::from(temporary);
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&temporary)?;
        Ok(Box::new(LocalDraft {
            file,
            temporary,
            path: path.to_owned(),
        }))
    }
}

impl Handle for File {
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, at)
    }

    fn meta(&self) -> io::Result<Meta> {
        Ok(convert(&self.metadata()?))
    }
}

#[derive(Debug)]
struct LocalDraft {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
}

impl Draft for LocalDraft {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn publish(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        fs::rename(&self.temporary, &self.path)?;
        sync_folder(folder_of(&self.path))
    }

    fn discard(&mut self) -> io::Result<()> {
        Local.remove(&self.temporary)
    }
}

/// Copies into the other file system under a name of its own, so that a crash leaves the old file and no half new one.
fn move_by_copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut temporary = to.as_os_str().to_owned();
    temporary.push(".moving");
    let temporary = PathBuf::from(temporary);
    fs::copy(from, &temporary)?;
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, to)?;
    sync_folder(folder_of(to))?;
    fs::remove_file(from)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns the folder of a path, `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn convert(meta: &fs::Metadata) -> Meta {
    let kind = meta.file_type();
    let entry = if kind.is_file() {
        Entry::File
    } else if kind.is_dir() {
        Entry::Folder
    } else if kind.is_fifo() {
        Entry::Fifo
    } else if kind.is_socket() {
        Entry::Socket
    } else if kind.is_block_device() || kind.is_char_device() {
        Entry::Device
    } else {
        Entry::Other
    };
    Meta {
        entry,
        size: meta.len(),
        modified_ns: meta
            .mtime()
            .wrapping_mul(1_000_000_000)
            .wrapping_add(meta.mtime_nsec()),
        device: meta.dev(),
        inode: meta.ino(),
        names: meta.nlink(),
    }
}
