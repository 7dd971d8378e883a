//! Remembers what probing a file said, so that a start does not run it again in a child.
//!
//! One JSON file, `{"version": 1, "host_abi": "1.0.0", "files": {PATH: {"inode", "size", "mtime_ns", "manifest"}}}`. Only files that
//! were accepted are remembered. A cache that cannot be read, or is another host's, is as good as empty; it is replaced as a whole by
//! a rename, and a failure to write it costs the next start a few milliseconds and nothing else.

use std::os::unix::fs::OpenOptionsExt as _;
use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use linkspan_abi::{ABI_VERSION, manifest::Manifest};
use serde_json::{Map, Value as Json, json};

const VERSION: u64 = 1;
/// A larger file is not ours.
const BYTES_MAX: u64 = 64 << 20;

/// What tells a file from another, or from itself after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    mtime_ns: i128,
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: i128::from(metadata.mtime()) * 1_000_000_000
                + i128::from(metadata.mtime_nsec()),
        })
    }

    fn fields(&self) -> [String; 4] {
        [
            self.device.to_string(),
            self.inode.to_string(),
            self.size.to_string(),
            self.mtime_ns.to_string(),
        ]
    }
}

/// The probes of earlier starts.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    path: Option<PathBuf>,
    files: BTreeMap<String, ([String; 4], Manifest)>,
    changed: bool,
}

impl Cache {
    /// Reads the cache; whatever is wrong with it makes it empty.
    pub(crate) fn open(path: Option<&Path>) -> Self {
        let files = path.and_then(read).unwrap_or_default();
        Self {
            path: path.map(Path::to_path_buf),
            files,
            changed: false,
        }
    }

    pub(crate) fn get(&self, path: &Path, stamp: &Stamp) -> Option<Manifest> {
        let (known, manifest) = self.files.get(path.to_str()?)?;
        (*known == stamp.fields()).then(|| manifest.clone())
    }

    pub(crate) fn put(&mut self, path: &Path, stamp: &Stamp, manifest: &Manifest) {
        let Some(path) = path.to_str() else { return };
        self.files
            .insert(path.to_owned(), (stamp.fields(), manifest.clone()));
        self.changed = true;
    }

    /// Writes the cache if there is news, without files that are gone.
    pub(crate) fn save(mut self) {
        let Some(path) = self.path.take().filter(|_| self.changed) else {
            return;
        };
        self.files
            .retain(|file, _| Path::new(file).try_exists().unwrap_or(false));
        if let Err(error) = self.write(&path) {
            tracing::debug!(%error, path = %path.display(), "could not write the plugin cache");
        }
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let files: Map<String, Json> = self
            .files
            .iter()
            .map(|(file, (stamp, manifest))| {
                let manifest = manifest.to_json();
                (
                    file.clone(),
                    json!({ "stamp": stamp, "manifest": manifest }),
                )
            })
            .collect();
        let text = json!({ "version": VERSION, "host_abi": ABI_VERSION, "files": files });
        // The name is this process's own: two hosts that start together do not write into one file.
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .and_then(|mut file| file.write_all(text.to_string().as_bytes()))
            .and_then(|()| fs::rename(&fresh, path));
        if written.is_err() {
            // What is left over would only take room.
            let _gone = fs::remove_file(&fresh).is_ok();
        }
        written
    }
}

fn read(path: &Path) -> Option<BTreeMap<String, ([String; 4], Manifest)>> {
    if fs::metadata(path).ok()?.len() > BYTES_MAX {
        return None;
    }
    let json: Json = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    if json.get("version")?.as_u64()? != VERSION || json.get("host_abi")?.as_str()? != ABI_VERSION {
        return None;
    }
    let mut files = BTreeMap::new();
    for (file, entry) in json.get("files")?.as_object()? {
        let stamp = entry.get("stamp")?.as_array()?;
        let stamp: Vec<String> = stamp
            .iter()
            .map(|part| part.as_str().map(str::to_owned))
            .collect::<Option<_>>()?;
        let manifest = Manifest::from_json(entry.get("manifest")?.as_str()?).ok()?;
        files.insert(file.clone(), (stamp.try_into().ok()?, manifest));
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            name: "acme".to_owned(),
            version: "1.0.0".to_owned(),
            batch_format: 1,
            ..Manifest::default()
        }
    }

    #[test]
    fn a_file_is_known_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, file) = (
            folder.path().join("plugins.cache"),
            folder.path().join("a.so"),
        );
        fs::write(&file, "one").unwrap();
        let stamp = Stamp::of(&file).unwrap();
        let mut fresh = Cache::open(Some(&cache));
        assert_eq!(fresh.get(&file, &stamp), None);
        fresh.put(&file, &stamp, &manifest());
        fresh.save();
        assert_eq!(
            Cache::open(Some(&cache)).get(&file, &stamp),
            Some(manifest())
        );
        fs::write(&file, "three").unwrap();
        let changed = Stamp::of(&file).unwrap();
        assert_eq!(Cache::open(Some(&cache)).get(&file, &changed), None);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 2, "no file is left over from writing");
    }

    #[test]
    fn a_corrupt_or_foreign_cache_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("plugins.cache");
        let foreign = r#"{"version":1,"host_abi":"0.0.1","files":{"/a.so":{"stamp":["1","1","1","1"],"manifest":"{}"}}}"#;
        let wrong = format!(
            r#"{{"version":1,"host_abi":"{ABI_VERSION}","files":{{"/a.so":{{"stamp":["1"],"manifest":"x"}}}}}}"#
        );
        for text in ["", "{", "[]", "{\"version\":9}", foreign, wrong.as_str()] {
            fs::write(&cache, text).unwrap();
            assert!(Cache::open(Some(&cache)).files.is_empty(), "{text}");
        }
    }
}
