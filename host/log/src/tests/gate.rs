//! A file system whose calls can be held at a door, so that a test decides what happens in the middle of another call.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::fs::{File, Fs, Lock, LockMode, MemFs, Open, Volume};

/// How long a test waits for somebody to come to the door.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Door {
    /// Opening a file whose path contains this waits …
    path: Option<String>,
    /// … after so many went through.
    free: usize,
    waiting: usize,
}

/// A [`MemFs`] with a door before `open`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    pub(crate) mem: MemFs,
    door: Arc<(Mutex<Door>, Condvar)>,
}

impl Gate {
    /// Closes the door for files whose path contains `path`, after `free` of them went through.
    pub(crate) fn close(&self, path: &str, free: usize) {
        let mut door = self.lock();
        (door.path, door.free) = (Some(path.to_owned()), free);
        drop(door);
        // Who stands at the old door may go.
        self.door.1.notify_all();
    }

    /// Waits until somebody stands at the door.
    pub(crate) fn wait_for_somebody(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut door = self.lock();
        while door.waiting == 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "nobody came to the door");
            door = self.door.1.wait_timeout(door, left).unwrap().0;
        }
    }

    /// Lets everybody through.
    pub(crate) fn open_door(&self) {
        self.lock().path = None;
        self.door.1.notify_all();
    }

    fn pass(&self, path: &Path) {
        let path = path.to_string_lossy();
        let mut door = self.lock();
        let held = |door: &Door| door.path.as_ref().is_some_and(|part| path.contains(part));
        if held(&door) && door.free > 0 {
            door.free -= 1;
            return;
        }
        while held(&door) {
            door.waiting += 1;
            self.door.1.notify_all();
            door = self.door.1.wait(door).unwrap();
            door.waiting -= 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Door> {
        self.door.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fs for Gate {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.mem.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.mem.list(dir)
    }

    fn try_exists(&self, path: &Path) -> io::Result<bool> {
        self.mem.try_exists(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn File>> {
        self.pass(path);
        self.mem.open(path, how)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mem.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.mem.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.mem.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.mem.sync_dir(dir)
    }

    fn volume(&self, dir: &Path) -> io::Result<Arc<dyn Volume>> {
        self.mem.volume(dir)
    }

    fn try_lock(&self, path: &Path, mode: LockMode) -> io::Result<Option<Box<dyn Lock>>> {
        self.mem.try_lock(path, mode)
    }
}
