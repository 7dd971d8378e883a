//! The data directory's lock: `flock` on the directory itself, so that nobody can delete it from below a host; the file
//! `lock` names the holder.

use std::io::IoSlice;
use std::path::Path;

use crate::error::{Error, Result};
use crate::fs::{Fs, Lock, LockMode, Open, read_file};

/// Takes the directory for this process, and writes its id into the file.
pub(crate) fn exclusive(fs: &dyn Fs, dir: &Path) -> Result<Box<dyn Lock>> {
    let lock = take(fs, dir, LockMode::Exclusive)?;
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
