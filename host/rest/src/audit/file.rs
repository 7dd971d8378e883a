//! The files of the trail: appended to, turned over at [`FILE_BYTES_MAX`], [`OLD_FILES`] old ones kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// At which size a file is turned over.
pub(super) const FILE_BYTES_MAX: u64 = 8 << 20;
/// How many old ones are kept.
pub(super) const OLD_FILES: u32 = 4;

#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    /// Open once something was written.
    file: Option<File>,
    bytes: u64,
}

fn current(dir: &Path) -> PathBuf {
    dir.join("audit.jsonl")
}

fn old(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("audit.{number}.jsonl"))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

impl Files {
    /// The files of a folder, which is made when there is something to write.
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            file: None,
            bytes: 0,
        }
    }

    /// Opens the newest file for appending.
    fn begin(&mut self) -> io::Result<File> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let path = current(&self.dir);
        let mut file = open(&path)?;
        self.bytes = file.metadata()?.len();
        // A process that was killed may have left half a line.
        if self.bytes > 0 && !fs::read(&path)?.ends_with(b"\n") {
            file.write_all(b"\n")?;
            self.bytes += 1;
        }
        Ok(file)
    }

    /// The lines of the newest file and the one before, oldest first.
    pub(super) fn lines(&self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        for path in [old(&self.dir, 1), current(&self.dir)] {
            let mut bytes = Vec::new();
            match File::open(&path) {
                Ok(file) => {
                    // Nothing here is larger; somebody else's file might be.
                    file.take(2 * FILE_BYTES_MAX).read_to_end(&mut bytes)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
        }
        Ok(lines)
    }

    /// Appends a line in one piece.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.begin()?,
        };
        if self.bytes > 0 && self.bytes + length > FILE_BYTES_MAX {
            file = self.turn()?;
        }
        file.write_all(line)?;
        self.file = Some(file);
        self.bytes += length;
        Ok(())
    }

    fn turn(&mut self) -> io::Result<File> {
        for number in (1..OLD_FILES).rev() {
            match fs::rename(old(&self.dir, number), old(&self.dir, number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(current(&self.dir), old(&self.dir, 1))?;
        self.bytes = 0;
        open(&current(&self.dir))
    }
}
