//! Folders of files, and services that remember.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use linkspan_plugin::{Finding, HostServices, PluginError, Registry, Search};
use tempfile::TempDir;

/// A file that cargo made from `examples/` of this crate.
pub(crate) fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests
        .parent()
        .and_then(Path::parent)
        .unwrap()
        .join("examples");
    let path = folder.join(name);
    assert!(
        path.try_exists().unwrap(),
        "`cargo test` builds {}",
        path.display()
    );
    path
}

pub(crate) fn good() -> PathBuf {
    example("libfixture_good.so")
}

/// A folder that is gone at the end of the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Copies a plugin; a byte after its end makes another file of it that loads all the same.
    pub(crate) fn plugin(&self, name: &str, more: &[u8]) -> PathBuf {
        let mut bytes = fs::read(good()).unwrap();
        bytes.extend_from_slice(more);
        self.write(name, bytes)
    }
}

/// What plugins asked of the host.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) logged: Mutex<Vec<String>>,
}

impl HostServices for Services {
    fn log(&self, plugin: &str, instance: u64, level: u32, target: &str, message: &str) {
        let line = format!("{plugin} {instance} {level} {target} {message}");
        self.logged.lock().unwrap().push(line);
    }

    fn log_level(&self) -> u32 {
        3
    }

    fn metric(&self, _: &str, _: u64, _: &str, _: f64, _: &str) {}

    fn register_schema(&self, json: &str) -> Result<u32, PluginError> {
        assert_eq!(json, "{\"type\":\"int8\"}");
        Ok(42)
    }

    fn schema_json(&self, _: u32) -> Option<String> {
        None
    }

    fn read_offset(&self, instance: u64, partition: &str) -> Result<Option<String>, PluginError> {
        match instance {
            13 => Err(PluginError::temporary("unavailable", "the log is away")),
            _ => Ok(Some(format!("{instance} {partition}"))),
        }
    }

    fn request(&self, _: u64, op: &str, _: &[u8]) -> Result<Vec<u8>, PluginError> {
        assert_ne!(op, "panic", "the test wants it so");
        Ok(Vec::new())
    }
}

pub(crate) fn search(explicit: &[&Path], implicit: &[&Path]) -> Search {
    Search {
        explicit: explicit.iter().map(|path| path.to_path_buf()).collect(),
        implicit: implicit.iter().map(|path| path.to_path_buf()).collect(),
        cache: None,
        probe: example("probe_host"),
    }
}

pub(crate) fn discover(search: &Search) -> (Registry, Vec<Finding>) {
    Registry::discover(search, Arc::new(Services::default()))
}
