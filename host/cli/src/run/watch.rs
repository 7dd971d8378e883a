//! Which files a run looks at, and whether they changed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Endings of files that are read out of a folder of configurations.
const CONFIGURATIONS: &[&str] = &["yaml", "yml", "json", "properties"];

/// What a file looks like from outside; another one after every way of writing it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

type Stamps = BTreeMap<PathBuf, Stamp>;

/// Looks at files and folders. A change counts once two looks in a row see the same: nobody reads half a file.
#[derive(Debug)]
pub(super) struct Watch {
    places: Vec<PathBuf>,
    endings: &'static [&'static str],
    seen: Stamps,
    unsettled: Option<Stamps>,
}

impl Watch {
    /// Looks at configurations.
    pub(super) fn configurations(places: Vec<PathBuf>) -> Self {
        Self::new(places, CONFIGURATIONS)
    }

    /// Looks at plugins.
    pub(super) fn plugins(places: Vec<PathBuf>) -> Self {
        Self::new(places, &["so"])
    }

    fn new(places: Vec<PathBuf>, endings: &'static [&'static str]) -> Self {
        let seen = stamps(&places, endings);
        Self {
            places,
            endings,
            seen,
            unsettled: None,
        }
    }

    /// Returns whether something changed since the last time that this said so.
    pub(super) fn changed(&mut self) -> bool {
        let now = stamps(&self.places, self.endings);
        if now == self.seen {
            self.unsettled = None;
            return false;
        }
        if self.unsettled.as_ref() == Some(&now) {
            self.seen = now;
            self.unsettled = None;
            return true;
        }
        self.unsettled = Some(now);
        false
    }

    /// Takes the files as they are now for known.
    pub(super) fn take_note(&mut self) {
        self.seen = stamps(&self.places, self.endings);
        self.unsettled = None;
    }

    /// The files there are now.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        files(&self.places, self.endings)
    }
}

fn files(places: &[PathBuf], endings: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for place in places {
        let Ok(entries) = fs::read_dir(place) else {
            // A file, or nothing: what is missing has no stamp.
            files.push(place.clone());
            continue;
        };
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| has_ending(path, endings))
            .collect();
        found.sort();
        files.extend(found);
    }
    files
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.contains(&ending))
}

fn stamps(places: &[PathBuf], endings: &[&str]) -> Stamps {
    let stamp = |path: PathBuf| {
        let data = fs::metadata(&path).ok()?;
        let stamp = Stamp {
            modified: data.modified().ok(),
            bytes: data.len(),
            inode: data.ino(),
        };
        Some((path, stamp))
    };
    files(places, endings)
        .into_iter()
        .filter_map(stamp)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "a").unwrap();
        let mut watch = Watch::configurations(vec![folder.path().to_path_buf()]);
        assert!(!watch.changed());
        fs::write(folder.path().join("a.yaml"), "ab").unwrap();
        assert!(!watch.changed(), "it may still be written");
        fs::write(folder.path().join("a.yaml"), "abc").unwrap();
        assert!(!watch.changed(), "it is still written");
        assert!(watch.changed());
        assert!(!watch.changed(), "a change is told once");
        fs::write(folder.path().join("notes.txt"), "x").unwrap();
        assert!(!watch.changed() && !watch.changed(), "another kind of file");
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        assert!(
            !watch.changed() && watch.changed(),
            "a file that is gone is a change"
        );
    }
}
