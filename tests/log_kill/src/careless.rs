//! A disk whose failed syncs are ignored: for the negative control only.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use linkspan_log::{DiskFs, File, Fs, Lock, LockMode, Open, Volume};

/// The real disk, whose syncs always "succeed".
#[derive(Debug)]
pub(crate) struct Careless;

#[derive(Debug)]
struct CarelessFile(Arc<dyn File>);

impl Fs for Careless {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DiskFs.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        DiskFs.list(dir)
    }

    fn try_exists(&self, path: &Path) -> io::Result<bool> {
        DiskFs.try_exists(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(CarelessFile(DiskFs.open(path, how)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFs.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        DiskFs.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        DiskFs.remove_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        DiskFs.sync_dir(dir).or(Ok(()))
    }

    fn volume(&self, dir: &Path) -> io::Result<Arc<dyn Volume>> {
        DiskFs.volume(dir)
    }

    fn try_lock(&self, path: &Path, mode: LockMode) -> io::Result<Option<Box<dyn Lock>>> {
        DiskFs.try_lock(path, mode)
    }
}

impl File for CarelessFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }

    fn read_at_nowait(&self, buf: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        self.0.read_at_nowait(buf, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.0.write_at(slices, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data().or(Ok(()))
    }

    fn start_writeback(&self, offset: u64, len: u64) {
        self.0.start_writeback(offset, len);
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}
