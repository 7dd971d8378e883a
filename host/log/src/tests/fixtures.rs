//! Directories written by earlier versions stay readable for ever.
//!
//! `fixtures/log-v1` was made by this test with `LINKSPAN_WRITE_FIXTURE=DIR`: a killed log with segments, a snapshot with a
//! delta, both slots, a replayable journal and its witness. A new format gets a new directory; old ones are never rewritten.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkspan_types::{SystemClock, TopicName};

use super::support::{append, open_on, producer, put, tiny, topic};
use crate::conformance::read_all;
use crate::{Commit, DiskFs, LocalOptions, LogBackend, Opened, Store, open_local, open_read_only};

const COMMITS: usize = 9;

fn write_and_copy(dir: &Path, target: &Path) {
    let options = LocalOptions {
        dir: dir.to_owned(),
        checkpoint_bytes: 1 << 30,
        idle_marker: Duration::from_millis(50),
        ..tiny()
    };
    let log = open_on(Arc::new(DiskFs), options);
    let made = topic(&*log, "fixture", 2);
    let producer = producer(&*log);
    for n in 0..COMMITS {
        let appends = vec![
            append(&made, 0, &[&format!("a{n}")]),
            append(&made, 1, &[&"b".repeat(n * 300), "c"]),
        ];
        producer
            .submit(Commit {
                appends,
                puts: vec![put("n", &n.to_string())],
            })
            .unwrap()
            .wait()
            .unwrap();
        if n == 3 || n == 5 {
            log.checkpoint().unwrap();
        }
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !log.stat().unwrap().witnessed {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    copy(dir, target);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, target) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

fn check(log: &dyn LogBackend) {
    let topic = log
        .topic(&TopicName::try_new("fixture").unwrap())
        .unwrap()
        .unwrap();
    let a: Vec<(i64, String)> = (0..COMMITS)
        .map(|n| (i64::try_from(n).unwrap(), format!("a{n}")))
        .collect();
    assert_eq!(read_all(log, &topic.id, 0).unwrap(), a);
    let b = read_all(log, &topic.id, 1).unwrap();
    assert_eq!(b.len(), COMMITS * 2);
    assert_eq!(b[14], (14, "b".repeat(2100)));
    assert_eq!(
        log.get(Store::SourceOffsets, b"n").unwrap().as_deref(),
        Some(&b"8"[..])
    );
    assert_eq!(log.current_fence(&"test".into()).unwrap().0, 1);
}

#[test]
fn a_directory_of_format_1_opens_with_everything_in_it() {
    if let Some(dir) = std::env::var_os("LINKSPAN_WRITE_FIXTURE") {
        // The log is copied while it lives, as a kill would leave it.
        let live = tempfile::tempdir().unwrap();
        write_and_copy(live.path(), &PathBuf::from(dir));
    }
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/log-v1");
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    copy(&fixture, &data);
    let log = open_read_only(Arc::new(DiskFs), Arc::new(SystemClock::default()), &data).unwrap();
    check(&*log);
    assert_eq!(log.verify().problems, []);
    drop(log);
    let log = open_local(
        Arc::new(DiskFs),
        Arc::new(SystemClock::default()),
        LocalOptions::new(&data),
    )
    .unwrap();
    assert!(
        matches!(
            log.opened(),
            Opened::Resumed {
                unclean: true,
                replayed: 4,
                torn: None
            }
        ),
        "{:?}",
        log.opened()
    );
    check(&*log);
    log.close().unwrap();
}
