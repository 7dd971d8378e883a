//! The real file system.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::FlockOperation;
use rustix::io::{Errno, ReadWriteFlags};

use super::{File, Fs, Lock, LockMode, Open, Volume};
use crate::syscall;

/// Most slices that one system call takes (`IOV_MAX`).
const SLICES_MAX: usize = 1024;

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiskFs;

#[derive(Debug)]
struct DiskFile(fs::File);

#[derive(Debug)]
struct DiskLock(#[expect(dead_code, reason = "the lock lives as long as the descriptor")] fs::File);

impl Lock for DiskLock {}

#[derive(Debug)]
struct DiskVolume(fs::File);

impl Volume for DiskVolume {
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

impl Fs for DiskFs {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(dir)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    fn try_exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options
            .read(true)
            .write(how != Open::Read)
            .create(how == Open::Create)
            .mode(0o600);
        Ok(Arc::new(DiskFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }

    fn volume(&self, dir: &Path) -> io::Result<Arc<dyn Volume>> {
        Ok(Arc::new(DiskVolume(fs::File::open(dir)?)))
    }

    fn try_lock(&self, path: &Path, mode: LockMode) -> io::Result<Option<Box<dyn Lock>>> {
        let file = fs::File::open(path)?;
        let operation = match mode {
            LockMode::Exclusive => FlockOperation::NonBlockingLockExclusive,
            LockMode::Shared => FlockOperation::NonBlockingLockShared,
        };
        match rustix::fs::flock(&file, operation) {
            Ok(()) => Ok(Some(Box::new(DiskLock(file)))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl File for DiskFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        read_all(buf, offset, |buf, offset| self.0.read_at(buf, offset))
    }

    fn read_at_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        let len = buf.len();
        match rustix::io::preadv2(
            &self.0,
            &mut [IoSliceMut::new(buf)],
            offset,
            ReadWriteFlags::NOWAIT,
        ) {
            // A short answer may mean "the rest is not cached".
            Ok(n) if n < len => Ok(None),
            Ok(n) => Ok(Some(n)),
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR | Errno::NOSYS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        write_all(slices, offset, |slices, offset| {
            Ok(rustix::io::pwritev(&self.0, slices, offset)?)
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn start_writeback(&self, offset: u64, len: u64) {
        syscall::start_writeback(&self.0, offset, len);
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// Reads until the buffer is full or the file ends; a signal may interrupt any call.
fn read_all(
    mut buf: &mut [u8],
    mut offset: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut total = 0;
    while !buf.is_empty() {
        match read(buf, offset) {
            Ok(0) => break,
            Ok(n) => {
                total += n;
                offset += n as u64;
                buf = buf.get_mut(n..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Writes until nothing is left; a signal may interrupt any call, or end it early.
fn write_all(
    slices: &[IoSlice<'_>],
    mut offset: u64,
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut copy: Vec<IoSlice<'_>> = slices.to_vec();
    let mut left = copy.as_mut_slice();
    IoSlice::advance_slices(&mut left, 0);
    while !left.is_empty() {
        let now = left.get(..SLICES_MAX).unwrap_or(left);
        match write(now, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                IoSlice::advance_slices(&mut left, n);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A device that is interrupted before every call that does something, and does 7 bytes at a time.
    struct Slow {
        bytes: Vec<u8>,
        interrupt: bool,
        interrupted: u32,
    }

    impl Slow {
        fn new(bytes: Vec<u8>) -> Self {
            Self {
                bytes,
                interrupt: false,
                interrupted: 0,
            }
        }

        fn begin(&mut self) -> io::Result<()> {
            self.interrupt = !self.interrupt;
            if self.interrupt {
                self.interrupted += 1;
                return Err(Errno::INTR.into());
            }
            Ok(())
        }

        fn read(&mut self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            self.begin()?;
            let from = self.bytes.get(usize::try_from(offset).unwrap()..).unwrap();
            let n = from.len().min(buf.len()).min(7);
            buf[..n].copy_from_slice(&from[..n]);
            Ok(n)
        }

        fn write(&mut self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
            self.begin()?;
            assert_eq!(offset, self.bytes.len() as u64);
            let all = slices.iter().flat_map(|slice| slice.iter().copied());
            let before = self.bytes.len();
            self.bytes.extend(all.take(7));
            Ok(self.bytes.len() - before)
        }
    }

    #[test]
    fn interrupted_and_short_calls_are_continued() {
        let data: Vec<u8> = (0..100).collect();
        let mut device = Slow::new(Vec::new());
        let slices = [&data[..10], &[], &data[10..33], &data[33..]].map(IoSlice::new);
        write_all(&slices, 0, |slices, offset| device.write(slices, offset)).unwrap();
        assert_eq!((&device.bytes, device.interrupted), (&data, 15));

        let mut device = Slow::new(data.clone());
        let mut buf = [0; 64];
        let n = read_all(&mut buf, 50, |buf, offset| device.read(buf, offset)).unwrap();
        assert_eq!((n, &buf[..n]), (50, &data[50..]));
        assert!(device.interrupted > 7);
    }

    #[test]
    fn any_other_error_ends_a_call_at_once() {
        let mut calls = 0;
        let mut fail = || {
            calls += 1;
            Err::<usize, _>(Errno::IO.into())
        };
        let error = write_all(&[IoSlice::new(b"abc")], 0, |_, _| fail()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        let error = read_all(&mut [0; 3], 0, |_, _| fail()).unwrap_err();
        assert_eq!((error.raw_os_error(), calls), (Some(libc::EIO), 2));
        let error = write_all(&[IoSlice::new(b"abc")], 0, |_, _| Ok(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
