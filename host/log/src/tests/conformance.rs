//! The suite of the contract, on both file systems.

use std::sync::Arc;

use super::support::{open_mem, open_on, tiny};
use crate::conformance::run;
use crate::{DiskFs, LocalOptions, MemFs};

#[test]
fn on_disk() {
    let dirs = std::sync::Mutex::new(Vec::new());
    run(&|| {
        let dir = tempfile::tempdir().unwrap();
        let log = open_on(Arc::new(DiskFs), LocalOptions::new(dir.path().join("data")));
        dirs.lock().unwrap().push(dir);
        log
    });
}

#[test]
fn in_memory() {
    run(&|| {
        open_mem(
            &MemFs::new(),
            LocalOptions {
                journal_first_bytes: 64 * 1024,
                ..LocalOptions::new("/data")
            },
        )
        .unwrap()
    });
}

#[test]
fn in_memory_with_everything_tiny() {
    run(&|| {
        open_mem(
            &MemFs::new(),
            crate::LocalOptions {
                commit_bytes_max: 2 << 20,
                journal_file_bytes: 3 << 20,
                journal_bytes_max: 9 << 20,
                ..tiny()
            },
        )
        .unwrap()
    });
}
