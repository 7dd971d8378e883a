//! The file that a sink writes: buffered, undone when a write fails, and durable when it says so.
//!
//! All writes are positional. What the host was told about counts, not what lies behind it in the file: a failed
//! batch leaves bytes past the length, and the next try, or the next start, writes over them or cuts them off.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// Encoded bytes are written when there are this many.
const BUFFER_BYTES: usize = 256 << 10;

/// What a sink needs of a file; the tests have one that fills up.
pub(crate) trait Disk {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize>;
    fn cut(&mut self, len: u64) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
}

impl Disk for File {
    fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, at)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// An output file of a known length, with the bytes that are still in memory.
#[derive(Debug)]
pub(crate) struct Output<D> {
    disk: D,
    /// Bytes of the file that are right; the buffer goes behind them.
    written: u64,
    buf: Vec<u8>,
    /// Where the batch at hand began.
    mark: u64,
    synced: u64,
    broken: bool,
}

/// Why bytes could not be made durable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Nothing of the batch counts; the same batch may come again.
    #[error("write to the file")]
    Write { source: io::Error },
    /// The system may have dropped bytes it had taken: only a new start from the recorded length is safe.
    #[error("make the written bytes durable")]
    Sync { source: io::Error },
    /// Somebody else cut the file, or put another one in its place.
    #[error(
        "{written} bytes were written to it, now {found} are there: it was cut, removed or replaced meanwhile"
    )]
    Cut { written: u64, found: u64 },
    #[error("another file has taken its place since it was opened")]
    Replaced,
    #[error("an earlier fsync failed; a new start from the recorded length is needed")]
    Broken,
}

impl<D: Disk> Output<D> {
    /// Continues a file at `len`; whatever it holds behind that is cut off.
    pub(crate) fn at(mut disk: D, len: u64) -> io::Result<Self> {
        disk.cut(len)?;
        Ok(Self {
            disk,
            written: len,
            buf: Vec::new(),
            mark: len,
            synced: len,
            broken: false,
        })
    }

    /// Returns the length with all that was accepted so far.
    pub(crate) fn len(&self) -> u64 {
        self.written + self.buf.len() as u64
    }

    /// Returns the length that a crash leaves.
    pub(crate) fn synced(&self) -> u64 {
        self.synced
    }

    /// Marks the start of a batch, to which `undo` returns.
    pub(crate) fn begin(&mut self) {
        self.mark = self.len();
    }

    /// Returns where encoded records go.
    pub(crate) fn buf(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    /// Writes the buffer when it is large enough to be worth a call.
    pub(crate) fn spill(&mut self) -> Result<(), OutputError> {
        if self.buf.len() >= BUFFER_BYTES {
            self.write()
        } else {
            Ok(())
        }
    }

    /// Takes back all since `begin`.
    pub(crate) fn undo(&mut self) {
        match self.mark.checked_sub(self.written) {
            Some(kept) => self
                .buf
                .truncate(usize::try_from(kept).unwrap_or(usize::MAX)),
            None => {
                self.buf.clear();
                self.written = self.mark;
            }
        }
    }

    /// Writes what is buffered and makes all of it durable; returns the length.
    pub(crate) fn sync(&mut self) -> Result<u64, OutputError> {
        self.write()?;
        if self.synced != self.written {
            if let Err(source) = self.disk.sync() {
                self.broken = true;
                return Err(OutputError::Sync { source });
            }
            self.synced = self.written;
        }
        Ok(self.synced)
    }

    /// Fails when the file no longer holds what was written: writing on would leave a hole of zeros.
    fn check_length(&self) -> Result<(), OutputError> {
        let found = self
            .disk
            .len()
            .map_err(|source| OutputError::Write { source })?;
        if found < self.written {
            return Err(OutputError::Cut {
                written: self.written,
                found,
            });
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), OutputError> {
        if self.broken {
            return Err(OutputError::Broken);
        }
        self.check_length()?;
        let mut done = 0;
        while let Some(rest) = self.buf.get(done..).filter(|rest| !rest.is_empty()) {
            match self.disk.write_at(rest, self.written + done as u64) {
                Ok(0) => {
                    return Err(OutputError::Write {
                        source: io::ErrorKind::WriteZero.into(),
                    });
                }
                Ok(n) => done += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // `written` and the buffer stay as they were, so the next try writes the same bytes to the same place.
                Err(source) => return Err(OutputError::Write { source }),
            }
        }
        self.written += self.buf.len() as u64;
        self.buf.clear();
        Ok(())
    }
}

/// Makes a folder, and those above it. Where a file stands in the way the system says that it exists: what is missing is
/// the folder.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| {
        let mut above = folder.ancestors();
        match above.find(|at| at.is_file()) {
            Some(file) => io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "`{}` is a file, and a folder is wanted there: move it away, or choose another path",
                    file.display()
                ),
            ),
            None => error,
        }
    })
}

/// Opens `path` for writing, with its folder, and makes its name durable; returns its length and inode too.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64, u64)> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_folder(folder)?;
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
        // A file system without locks has the other checks left.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    if meta.len() == 0 {
        // A new name is lost in a crash unless its folder is synced.
        File::open(folder)?.sync_all()?;
    }
    Ok((file, meta.len(), meta.ino()))
}

/// Checks that `path` still names the file that is written, and that it holds all of it.
pub(crate) fn check_name(path: &Path, inode: u64, written: u64) -> Result<(), OutputError> {
    match fs::metadata(path) {
        Ok(meta) if meta.ino() == inode && meta.len() >= written => Ok(()),
        Ok(meta) if meta.ino() == inode => Err(OutputError::Cut {
            written,
            found: meta.len(),
        }),
        Ok(_) => Err(OutputError::Replaced),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OutputError::Cut { written, found: 0 })
        }
        Err(source) => Err(OutputError::Write { source }),
    }
}

/// Says whether the first `len` bytes end with a newline, or are none.
pub(crate) fn ends_line(file: &File, len: u64) -> io::Result<bool> {
    let Some(last) = len.checked_sub(1) else {
        return Ok(true);
    };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == [b'\n'])
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{BUFFER_BYTES, Disk, Output, OutputError};

    /// A disk with room for some bytes, whose fsync can be made to fail.
    #[derive(Debug, Default)]
    struct Small {
        bytes: Vec<u8>,
        room: usize,
        sync_fails: bool,
    }

    impl Disk for Small {
        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.len() as u64)
        }

        fn write_at(&mut self, bytes: &[u8], at: u64) -> io::Result<usize> {
            let at = usize::try_from(at).unwrap();
            let n = self.room.saturating_sub(at).min(bytes.len());
            if n == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.bytes.resize(self.bytes.len().max(at + n), 0);
            self.bytes[at..at + n].copy_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn cut(&mut self, len: u64) -> io::Result<()> {
            self.bytes.resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        }

        fn sync(&mut self) -> io::Result<()> {
            if self.sync_fails {
                Err(io::Error::other("EIO"))
            } else {
                Ok(())
            }
        }
    }

    fn put(output: &mut Output<Small>, lines: &[String]) -> Result<(), OutputError> {
        output.begin();
        let result = lines.iter().try_for_each(|line| {
            output.buf().extend_from_slice(line.as_bytes());
            output.spill()
        });
        if result.is_err() {
            output.undo();
        }
        result
    }

    #[test]
    fn a_full_disk_takes_the_batch_again_when_there_is_room() {
        let line = |c: char| format!("{}\n", String::from(c).repeat(99_999));
        let (first, second): (Vec<_>, Vec<_>) =
            (vec![line('a'); 2], "bcdefgh".chars().map(line).collect());
        for room in [250_000, 350_000, 650_000, 899_999] {
            let mut output = Output::at(
                Small {
                    room,
                    ..Small::default()
                },
                0,
            )
            .unwrap();
            put(&mut output, &first).unwrap();
            let accepted = output.len();
            let failed = put(&mut output, &second).and_then(|()| output.sync().map(|_| ()));
            assert!(
                matches!(failed, Err(OutputError::Write { .. })),
                "room {room}: {failed:?}"
            );
            let buffered_only = output.len() == 900_000;
            assert!(
                buffered_only || output.len() == accepted,
                "room {room}: {}",
                output.len()
            );
            output.disk.room = 1_000_000;
            if !buffered_only {
                put(&mut output, &second).unwrap();
            }
            assert_eq!(output.sync().unwrap(), 900_000);
            let expected = [first.concat(), second.concat()].concat();
            assert!(
                output.disk.bytes == expected.as_bytes(),
                "room {room}: wrong bytes"
            );
        }
    }

    #[test]
    fn a_failed_fsync_is_never_tried_again() {
        let mut output = Output::at(
            Small {
                room: 100,
                sync_fails: true,
                ..Small::default()
            },
            0,
        )
        .unwrap();
        put(&mut output, &["a\n".to_owned()]).unwrap();
        assert!(matches!(output.sync(), Err(OutputError::Sync { .. })));
        output.disk.sync_fails = false;
        put(&mut output, &["b\n".to_owned()]).unwrap();
        assert!(matches!(output.sync(), Err(OutputError::Broken)));
        assert_eq!(output.synced(), 0);
    }

    #[test]
    fn what_lies_behind_the_length_is_cut() {
        let mut output = Output::at(
            Small {
                bytes: b"a\nb\ntorn".to_vec(),
                room: 100,
                ..Small::default()
            },
            4,
        )
        .unwrap();
        put(&mut output, &["c\n".to_owned()]).unwrap();
        assert_eq!(output.sync().unwrap(), 6);
        assert_eq!(output.disk.bytes, b"a\nb\nc\n");
    }

    #[test]
    fn small_batches_wait_in_the_buffer() {
        let mut output = Output::at(
            Small {
                room: 2 * BUFFER_BYTES,
                ..Small::default()
            },
            0,
        )
        .unwrap();
        put(&mut output, &["a\n".to_owned()]).unwrap();
        assert_eq!(
            (output.disk.bytes.len(), output.len(), output.synced()),
            (0, 2, 0)
        );
    }
}
