//! Copies of plugins, named after their content.
//!
//! ```text
//! target/debug/libacme.so ─► TMP/linkspan-dev-PID/3f0c…9a1e/libacme.so     what the loader gets
//! ```
//!
//! A loaded library stays mapped for ever. Loaded in place, a file that is written again would change under running code, and the
//! loader would hand out the old library for the same file. A copy is never written again, and other bytes are another file.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Bytes of the digest in a folder's name.
const NAME_BYTES: usize = 8;

/// A folder of copies, deleted at the end.
#[derive(Debug)]
pub(super) struct Copies {
    folder: PathBuf,
    /// Of each original the digest that was copied last.
    taken: BTreeMap<PathBuf, String>,
}

impl Copies {
    /// Makes the folder, for this process's user alone.
    pub(super) fn new() -> io::Result<Self> {
        let name = format!(
            "linkspan-dev-{}-{}",
            std::process::id(),
            uuid::Uuid::now_v7().simple()
        );
        let folder = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self {
            folder,
            taken: BTreeMap::new(),
        })
    }

    /// Copies a plugin; `None` where its bytes are those that were copied last.
    pub(super) fn take(&mut self, original: &Path) -> io::Result<Option<PathBuf>> {
        let bytes = fs::read(original)?;
        let digest = Sha256::digest(&bytes);
        let digest: String = digest
            .iter()
            .take(NAME_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let known = self.taken.insert(original.to_path_buf(), digest.clone());
        if known.as_deref() == Some(digest.as_str()) {
            return Ok(None);
        }
        let folder = self.folder.join(digest);
        let copy = folder.join(original.file_name().unwrap_or_default());
        // The same bytes were there before: the loader knows them, and they are never written again.
        if !copy.try_exists()? {
            fs::create_dir_all(&folder)?;
            fs::write(&copy, bytes)?;
        }
        Ok(Some(copy))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // A leftover in the folder for temporary files harms nobody; what is mapped stays mapped.
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("libx.so");
        let mut copies = Copies::new().unwrap();
        fs::write(&original, "one").unwrap();
        let first = copies.take(&original).unwrap().unwrap();
        assert!(copies.take(&original).unwrap().is_none());
        fs::write(&original, "two").unwrap();
        let second = copies.take(&original).unwrap().unwrap();
        assert_ne!(first, second);
        assert_eq!(
            fs::read_to_string(&first).unwrap(),
            "one",
            "what is mapped never changes"
        );
        fs::write(&original, "one").unwrap();
        assert_eq!(copies.take(&original).unwrap().unwrap(), first);
        let kept = copies.folder.clone();
        drop(copies);
        assert!(!kept.try_exists().unwrap());
    }
}
