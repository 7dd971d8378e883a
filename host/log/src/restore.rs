//! A data directory made from a backup.
//!
//! Everything is checked before anything is written, and the file `format` is written last: a restore that was
//! interrupted is not a data directory and is refused as one.
//!
//! # The leader epoch of a restored log
//! The log that was backed up may have gone on, under later leader epochs, and positions of those are out there: in the
//! database of a sink, in a file's recorded length. A restored log must not take one of them for its own. So its next
//! epoch is beyond any that the other life can have reached: the number of minutes since 2020, which grows faster than
//! anybody restarts a host uncleanly.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backup::{empty_directory, write_whole};
use crate::backup_manifest::{self, Manifest};
use crate::checkpoint::{self, Slot, SlotState};
use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_range};

/// 2020-01-01T00:00:00Z in milliseconds since 1970.
const YEAR_2020_MS: i64 = 1_577_836_800_000;
const MINUTE_MS: i64 = 60_000;
/// How much is copied at a time.
const COPY_BYTES: usize = 1 << 20;

/// What a restore came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// The data directory.
    pub dir: String,
    /// Files written.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the backup was made, in milliseconds since 1970.
    pub made_ms: i64,
    /// The data directory it was made of.
    pub source: String,
    /// The last commit in it.
    pub last_lsn: u64,
    /// The leader epoch that the log will have when it is opened.
    pub leader_epoch: i32,
}

/// Makes the data directory `dir`, which must be missing or empty, from the backup in `backup`.
///
/// # Errors
/// [`Error::InvalidBackup`] (incomplete, or a file is not what the manifest says), [`Error::NotEmpty`],
/// [`Error::NewerFormat`], or the system's.
pub fn restore(fs: &dyn Fs, backup: &Path, dir: &Path, now_ms: i64) -> Result<RestoreReport> {
    let manifest = backup_manifest::read(fs, backup)?;
    check_files(fs, backup, &manifest)?;
    empty_directory(fs, dir)?;
    for entry in manifest.files.iter().filter(|e| e.path != "format") {
        let (Some(from), Some(to)) = (entry.below(backup), entry.below(dir)) else {
            continue;
        };
        if let Some(parent) = to.parent() {
            fs.create_dir(parent)
                .map_err(|e| Error::io("make directory", parent, e))?;
        }
        copy(fs, &from, &to)?;
    }
    for sub in ["journal", "topics"].map(|name| dir.join(name)) {
        fs.create_dir(&sub)
            .map_err(|e| Error::io("make directory", &sub, e))?;
    }
    let leader_epoch = begin_epoch(fs, dir, now_ms)?;
    sync_names(fs, dir, &manifest)?;
    let format = backup.join("format");
    let text =
        crate::fs::read_file(fs, &format, 4096).map_err(|e| Error::io("read", &format, e))?;
    write_whole(fs, &dir.join("format"), &text)?;
    fs.sync_dir(dir)
        .map_err(|e| Error::io("sync directory", dir, e))?;
    Ok(RestoreReport {
        dir: dir.display().to_string(),
        files: manifest.files.len() as u64,
        bytes: manifest.bytes,
        made_ms: manifest.made_ms,
        source: manifest.source,
        last_lsn: manifest.last_lsn,
        leader_epoch,
    })
}

/// Compares every file with the manifest; names all that differ.
fn check_files(fs: &dyn Fs, backup: &Path, manifest: &Manifest) -> Result<()> {
    const NAMED_MAX: usize = 5;
    let mut wrong = Vec::new();
    for entry in &manifest.files {
        let path = backup.join(&entry.path);
        match backup_manifest::hash(fs, &path) {
            Ok((bytes, sha256)) if bytes == entry.bytes && sha256 == entry.sha256 => {}
            Ok((bytes, _)) if bytes != entry.bytes => wrong.push(format!(
                "`{}` has {bytes} bytes, not {}",
                entry.path, entry.bytes
            )),
            Ok(_) => wrong.push(format!("`{}` has another sha256", entry.path)),
            Err(error) => wrong.push(linkspan_types::error_chain(&error)),
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let n = wrong.len();
    wrong.truncate(NAMED_MAX);
    if n > NAMED_MAX {
        wrong.push(format!("and {} more", n - NAMED_MAX));
    }
    Err(Error::InvalidBackup {
        dir: backup.to_owned(),
        why: wrong.join(", "),
    })
}

fn copy(fs: &dyn Fs, from: &Path, to: &Path) -> Result<()> {
    let source = fs
        .open(from, Open::Read)
        .map_err(|e| Error::io("open", from, e))?;
    let target = fs
        .open(to, Open::Create)
        .map_err(|e| Error::io("make", to, e))?;
    let mut at = 0;
    loop {
        let bytes = read_range(&*source, at, COPY_BYTES).map_err(|e| Error::io("read", from, e))?;
        if bytes.is_empty() {
            return target.sync_data().map_err(|e| Error::io("sync", to, e));
        }
        target
            .write_at(&[std::io::IoSlice::new(&bytes)], at)
            .map_err(|e| Error::io("write", to, e))?;
        at += bytes.len() as u64;
    }
}

fn sync_names(fs: &dyn Fs, dir: &Path, manifest: &Manifest) -> Result<()> {
    let parents = manifest.files.iter().filter_map(|entry| entry.below(dir));
    let mut dirs: BTreeSet<PathBuf> = parents
        .filter_map(|path| path.parent().map(Path::to_owned))
        .collect();
    dirs.extend(["journal", "topics"].map(|name| dir.join(name)));
    for dir in &dirs {
        fs.sync_dir(dir)
            .map_err(|e| Error::io("sync directory", dir, e))?;
    }
    Ok(())
}

/// Sets the epoch that the first open will raise by one; returns the raised one.
fn begin_epoch(fs: &dyn Fs, dir: &Path, now_ms: i64) -> Result<i32> {
    let mut best: Option<Slot> = None;
    for path in [checkpoint::slot_path(dir, 0), checkpoint::slot_path(dir, 1)] {
        if let SlotState::Good(slot) = checkpoint::read_slot(fs, &path)?
            && best.is_none_or(|best| slot.seq > best.seq)
        {
            best = Some(slot);
        }
    }
    let slot = best.ok_or_else(|| Error::InvalidBackup {
        dir: dir.to_owned(),
        why: "it has no checkpoint".into(),
    })?;
    let leader_epoch = next_epoch(slot.leader_epoch, now_ms);
    for seq in [slot.seq + 1, slot.seq + 2] {
        let slot = Slot {
            seq,
            leader_epoch: leader_epoch - 1,
            ..slot
        };
        checkpoint::write_slot(fs, dir, &slot)?;
    }
    Ok(leader_epoch)
}

fn next_epoch(old: i32, now_ms: i64) -> i32 {
    let minutes = (now_ms - YEAR_2020_MS) / MINUTE_MS;
    i32::try_from(minutes)
        .unwrap_or(0)
        .max(old.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_log_leaves_all_epochs_of_the_other_life_behind() {
        let year_2026 = 1_767_225_600_000;
        assert_eq!(next_epoch(3, year_2026), 3_156_480);
        // A clock that is wrong, and a restore within the same minute.
        assert_eq!(next_epoch(3, 0), 4);
        assert_eq!(next_epoch(3_156_480, year_2026), 3_156_481);
    }
}
