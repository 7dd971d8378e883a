//! A log keeps its id.

use std::path::Path;
use std::sync::Arc;

use linkspan_log::{LocalOptions, MemFs, open_local};
use linkspan_types::SystemClock;

use super::*;

fn open(fs: &Arc<MemFs>) -> Arc<dyn LogBackend> {
    let options = LocalOptions {
        journal_file_bytes: 3 << 20,
        commit_bytes_max: 1 << 20,
        ..LocalOptions::new(Path::new("/data"))
    };
    let clock = Arc::new(SystemClock::default());
    open_local(Arc::clone(fs) as _, clock, options).unwrap()
}

#[test]
fn a_log_keeps_its_id_and_shares_it_with_no_other() {
    let (one, other) = (Arc::new(MemFs::new()), Arc::new(MemFs::new()));
    let log = open(&one);
    let id = log_id(log.as_ref()).unwrap();
    assert_eq!(id.len(), 32, "{id}");
    assert_eq!(log_id(log.as_ref()).unwrap(), id);
    log.close().unwrap();
    drop(log);
    assert_eq!(log_id(open(&one).as_ref()).unwrap(), id);
    assert_ne!(log_id(open(&other).as_ref()).unwrap(), id);
}
