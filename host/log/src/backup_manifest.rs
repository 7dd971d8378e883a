//! `backup.json`: what a backup holds, written last, so that a backup without it is known to be incomplete.
//!
//! ```text
//! {"format":1,"data_format":1,"made_ms":…,"source":"/var/lib/linkspan","leader_epoch":3,"last_lsn":812,
//!  "topics":2,"records":…,"bytes":…,"files":[{"path":"ckpt.a","bytes":4096,"sha256":"…"}, …]}
//! ```

use std::io::IoSlice;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::fs::{Fs, Open, read_file, read_range};
use crate::recovery::FORMAT_VERSION;

/// The manifest's name in a backup.
pub(crate) const NAME: &str = "backup.json";
/// The version of the manifest that this build reads and writes.
const VERSION: u32 = 1;
/// No manifest is larger.
const MANIFEST_BYTES_MAX: usize = 256 << 20;
/// How much is read at a time.
const READ_BYTES: usize = 1 << 20;

/// What a backup holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) data_format: u32,
    pub(crate) made_ms: i64,
    pub(crate) source: String,
    pub(crate) leader_epoch: i32,
    pub(crate) last_lsn: u64,
    pub(crate) topics: u64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) files: Vec<Entry>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Relative to the backup.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
}

impl Entry {
    /// Reads a file of a backup and describes it.
    pub(crate) fn of(fs: &dyn Fs, root: &Path, relative: &str) -> Result<Self> {
        let (bytes, sha256) = hash(fs, &root.join(relative))?;
        Ok(Self {
            path: relative.to_owned(),
            bytes,
            sha256,
        })
    }

    /// Returns where the file is below `root`; `None` for a path that leads elsewhere.
    pub(crate) fn below(&self, root: &Path) -> Option<PathBuf> {
        let path = Path::new(&self.path);
        let normal = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        (normal && !self.path.is_empty()).then(|| root.join(path))
    }
}

/// Returns length and hash of a file.
pub(crate) fn hash(fs: &dyn Fs, path: &Path) -> Result<(u64, String)> {
    let failed = |e| Error::io("read", path, e);
    let file = fs.open(path, Open::Read).map_err(failed)?;
    let mut sha = Sha256::new();
    let mut at = 0;
    loop {
        let bytes = read_range(&*file, at, READ_BYTES).map_err(failed)?;
        if bytes.is_empty() {
            return Ok((at, hex(&sha.finalize())));
        }
        sha.update(&bytes);
        at += bytes.len() as u64;
    }
}

/// Writes bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Writes the manifest, durable with its name.
pub(crate) fn write(fs: &dyn Fs, root: &Path, manifest: &Manifest) -> Result<()> {
    let manifest = Manifest {
        format: VERSION,
        data_format: FORMAT_VERSION,
        ..manifest.clone()
    };
    // A struct of numbers and strings always serializes.
    let mut text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    text.push(b'\n');
    let temporary = root.join(format!("{NAME}.tmp"));
    let failed = |op, e| Error::io(op, &temporary, e);
    let file = fs
        .open(&temporary, Open::Create)
        .map_err(|e| failed("make", e))?;
    file.write_at(&[IoSlice::new(&text)], 0)
        .map_err(|e| failed("write", e))?;
    file.sync_data().map_err(|e| failed("sync", e))?;
    fs.rename(&temporary, &root.join(NAME))
        .map_err(|e| failed("rename", e))?;
    fs.sync_dir(root)
        .map_err(|e| Error::io("sync directory", root, e))
}

/// Reads and checks the manifest of a backup.
///
/// # Errors
/// [`Error::InvalidBackup`], [`Error::NewerFormat`].
pub(crate) fn read(fs: &dyn Fs, root: &Path) -> Result<Manifest> {
    let invalid = |why: String| Error::InvalidBackup {
        dir: root.to_owned(),
        why,
    };
    let path = root.join(NAME);
    match fs.try_exists(&path) {
        Ok(true) => {}
        Ok(false) => {
            return Err(invalid(format!(
                "it has no `{NAME}`, which is written when a backup is complete"
            )));
        }
        Err(e) => return Err(Error::io("look for", &path, e)),
    }
    let text = read_file(fs, &path, MANIFEST_BYTES_MAX).map_err(|e| Error::io("read", &path, e))?;
    #[derive(Deserialize)]
    struct Versions {
        format: u32,
        data_format: u32,
    }
    let bad = |e: serde_json::Error| invalid(format!("`{NAME}` is unreadable: {e}"));
    let versions: Versions = serde_json::from_slice(&text).map_err(bad)?;
    for (found, supported) in [
        (versions.format, VERSION),
        (versions.data_format, FORMAT_VERSION),
    ] {
        if found > supported {
            return Err(Error::NewerFormat {
                path,
                found,
                supported,
            });
        }
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(bad)?;
    if let Some(entry) = manifest.files.iter().find(|e| e.below(root).is_none()) {
        return Err(invalid(format!(
            "`{NAME}` names `{}`, which is no file of a backup",
            entry.path
        )));
    }
    Ok(manifest)
}
