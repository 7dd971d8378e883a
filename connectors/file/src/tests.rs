//! Behaviour of the classes, through the same shims and bytes as under the host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use linkspan_sdk::Error;

mod conformance;
mod formats;
mod legacy;
mod many;
mod readme;
mod rotation;
mod sink;
mod source;
mod spool;
mod stream;

/// A folder of the test's own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn config(path: &Path, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut config = BTreeMap::from([("path".to_owned(), path.to_str().unwrap().to_owned())]);
    config.extend(
        more.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    config
}

/// The kind and the message of an error, with the folder's name left out.
fn told(error: &Error, folder: &Folder) -> (&'static str, String) {
    (
        error.kind().as_str(),
        error
            .chain()
            .replace(folder.0.path().to_str().unwrap(), "DIR"),
    )
}
