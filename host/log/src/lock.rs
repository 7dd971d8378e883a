//! The data directory's lock: `flock` on the directory itself, so that nobody can delete it from below a host; the file
//! `lock` names the holder.
//!
//! Who only reads a stopped directory shares it for a moment. A host that starts meanwhile waits for such readers, and is
//! refused at once by another host.

use std::io::IoSlice;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::fs::{Fs, Lock, LockMode, Open, read_file};

/// How long a host waits for those who only read.
const READERS_WAIT: Duration = Duration::from_secs(5);
/// How often it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// Takes the directory for this process, and writes its id into the file.
pub(crate) fn exclusive(fs: &dyn Fs, dir: &Path) -> Result<Box<dyn Lock>> {
    let begin = Instant::now();
    let lock = loop {
        let refused = match take(fs, dir, LockMode::Exclusive) {
            Ok(lock) => break lock,
            Err(error @ Error::Locked { .. }) => error,
            Err(error) => return Err(error),
        };
        // Whoever shares it with us is a reader; a host does not share.
        let read_only = take(fs, dir, LockMode::Shared).is_ok();
        if !read_only || begin.elapsed() > READERS_WAIT {
            return Err(refused);
        }
        std::thread::sleep(ASK_AGAIN);
    };
    let path = dir.join("lock");
    let file = fs
        .open(&path, Open::Create)
        .map_err(|e| Error::io("open", &path, e))?;
    let pid = format!("{}\n", std::process::id());
    file.truncate(0).map_err(|e| Error::io("write", &path, e))?;
    file.write_at(&[IoSlice::new(pid.as_bytes())], 0)
        .map_err(|e| Error::io("write", &path, e))?;
    Ok(lock)
}

/// Keeps writers out while a stopped directory is read. Writes nothing.
pub(crate) fn shared(fs: &dyn Fs, dir: &Path) -> Result<Box<dyn Lock>> {
    take(fs, dir, LockMode::Shared)
}

fn take(fs: &dyn Fs, dir: &Path, mode: LockMode) -> Result<Box<dyn Lock>> {
    match fs.try_lock(dir, mode) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => {
            let text = read_file(fs, &dir.join("lock"), 64).unwrap_or_default();
            let pid = String::from_utf8_lossy(&text).trim().parse().unwrap_or(0);
            Err(Error::Locked {
                dir: dir.to_owned(),
                pid,
            })
        }
        Err(error) => Err(Error::io("lock", dir, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::DiskFs;

    #[test]
    fn a_host_waits_for_readers_and_is_refused_by_a_host() {
        let dir = tempfile::tempdir().unwrap();
        let reader = shared(&DiskFs, dir.path()).unwrap();
        let waited = std::thread::scope(|scope| {
            let host = scope.spawn(|| exclusive(&DiskFs, dir.path()));
            std::thread::sleep(Duration::from_millis(100));
            assert!(!host.is_finished(), "it waits for the reader");
            drop(reader);
            host.join().unwrap()
        });
        let begin = Instant::now();
        let refused = exclusive(&DiskFs, dir.path()).map(drop);
        assert!(matches!(refused, Err(Error::Locked { .. })), "{refused:?}");
        assert!(
            begin.elapsed() < READERS_WAIT,
            "a host is no reader to wait for"
        );
        drop(waited.unwrap());
        exclusive(&DiskFs, dir.path()).unwrap();
    }
}
