//! Directories written by earlier versions stay readable for ever: everything in `tests/fixtures/log-v1`.
//!
//! - `plain` is of the first days of format 1: segments, a snapshot with a delta, both slots, a journal to replay, its witness.
//! - `full` has what came later: a compacted segment, indexes, a deleted and a trimmed topic, an idempotent producer, group
//!   offsets, a declared reader, keys in every store; and it was killed with commits to replay.
//!
//! Both were made by the tests here with `LINKSPAN_WRITE_FIXTURE=DIR`, which writes `DIR/plain` and `DIR/full`. A new
//! format gets a new directory; old ones are never rewritten.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkspan_types::{ManualClock, Offset, PartitionId, SystemClock, TopicName, TopicPartition};
use linkspan_wire::{Compression, set_producer};

use super::compaction::{commit_of, keyed_batch, keyed_topic, newest, rows};
use super::support::{append, commit, open_on, producer, put, tiny, topic};
use crate::conformance::{batch, read_all};
use crate::{
    Commit, DiskFs, Error, KvPut, Local, LocalOptions, LogBackend, Opened, Store, Topic,
    list_group, open_local, open_read_only,
};

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

/// Copies a fixture, or makes it anew if that was asked for, to where it may be changed.
fn fixture(name: &str, write: impl FnOnce(&Path, &Path)) -> (tempfile::TempDir, PathBuf) {
    if let Some(dir) = std::env::var_os("LINKSPAN_WRITE_FIXTURE") {
        // The log is copied while it lives, as a kill would leave it.
        let live = tempfile::tempdir().unwrap();
        write(live.path(), &PathBuf::from(dir).join(name));
    }
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/log-v1");
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    copy(&fixture.join(name), &data);
    (place, data)
}

fn stopped(data: &Path) -> Arc<crate::ReadOnly> {
    open_read_only(Arc::new(DiskFs), Arc::new(SystemClock::default()), data).unwrap()
}

#[test]
fn a_plain_directory_of_format_1_opens_with_everything_in_it() {
    let (_place, data) = fixture("plain", write_and_copy);
    let log = stopped(&data);
    check(&*log);
    assert_eq!(log.verify().problems, []);
    drop(log);
    let clock = Arc::new(SystemClock::default());
    let log = open_local(Arc::new(DiskFs), clock, LocalOptions::new(&data)).unwrap();
    let opened = log.opened();
    let expected = Opened::Resumed {
        unclean: true,
        replayed: 4,
        torn: None,
    };
    assert_eq!(*opened, expected);
    check(&*log);
    log.close().unwrap();
}

const FULL_MS: i64 = 1_700_000_000_000;
const PRODUCER_ID: i64 = 4711;
const FULL_COMMITS: i64 = 24;

fn name(text: &str) -> TopicName {
    TopicName::try_new(text).unwrap()
}

fn open_full(dir: &Path) -> Arc<Local> {
    let options = LocalOptions {
        dir: dir.to_owned(),
        checkpoint_bytes: 1 << 30,
        checkpoint_interval: Duration::from_secs(3600),
        compaction_interval: Duration::from_secs(3600),
        idle_marker: Duration::ZERO,
        segment_bytes: 1024,
        ..tiny()
    };
    open_local(
        Arc::new(DiskFs),
        Arc::new(ManualClock::at(FULL_MS)),
        options,
    )
    .unwrap()
}

fn numbered(sequence: i64) -> Vec<u8> {
    let mut bytes = batch(FULL_MS, &[&format!("n{sequence}")]);
    set_producer(&mut bytes, PRODUCER_ID, 2, i32::try_from(sequence).unwrap()).unwrap();
    bytes
}

/// Sends a batch to partition 0; answers its offset and whether it was there already.
fn send(log: &Local, topic: &Topic, batch: Vec<u8>) -> Result<(i64, bool), Error> {
    let answer = log
        .open_producer(&"full".into())?
        .submit(commit_of(topic, batch))?
        .wait()?;
    Ok((answer.base_offsets[0].0, answer.duplicates[0]))
}

fn keyed(n: i64) -> (String, Option<String>) {
    let value = (n % 8 != 6).then(|| format!("{n}{}", "v".repeat(200)));
    (format!("k{}", n % 5), value)
}

fn write_full(dir: &Path, target: &Path) {
    let log = open_full(dir);
    let compacted = keyed_topic(&*log, &[("delete.retention.ms", "0")]);
    let numbers = topic(&*log, "numbers", 1);
    let text = topic(&*log, "text", 2);
    let gone = topic(&*log, "gone", 1);
    let writer = producer(&*log);
    let put_in = |store: Store, key: &str| KvPut {
        store,
        ..put(key, &format!("{store:?}"))
    };
    let settings = [("retention.ms".to_owned(), Some("-1".to_owned()))].into();
    log.alter_topic(&name("text"), &settings).unwrap();
    for n in 0..FULL_COMMITS {
        let (key, value) = keyed(n);
        let batch = keyed_batch(Compression::Lz4, FULL_MS, &[(&key, value.as_deref())]);
        send(&log, &compacted, batch).unwrap();
        send(&log, &numbers, numbered(n)).unwrap();
        let long = format!("t{n}{}", "x".repeat(300));
        writer
            .submit(commit(&text, 0, &[&long]))
            .unwrap()
            .wait()
            .unwrap();
        if n == 3 {
            writer
                .submit(commit(&gone, 0, &["gone"]))
                .unwrap()
                .wait()
                .unwrap();
        }
        if n == 15 {
            log.checkpoint().unwrap();
            log.delete_topic(&name("gone")).unwrap();
            log.delete_records(&text.id, 0.into(), Some(Offset(5)))
                .unwrap();
            assert_eq!(log.run_compaction_now().unwrap().len(), 1);
        }
    }
    let stores = [
        Store::Configs,
        Store::SourceOffsets,
        Store::Status,
        Store::Schemas,
        Store::Runs,
    ];
    let puts = stores.map(|store| put_in(store, "fixture")).to_vec();
    let appends = Vec::new();
    writer
        .submit(Commit { appends, puts })
        .unwrap()
        .wait()
        .unwrap();
    log.declare_reader(&"sink".into(), &[name("text")]).unwrap();
    let at = TopicPartition::new(name("text"), 0.into());
    log.set_group_offsets(&"sink".into(), &[(at, Some(Offset(9)))])
        .unwrap();
    copy(dir, target);
}

/// What can be read without writing.
fn check_full(log: &dyn LogBackend) {
    let found = |text: &str| log.topic(&name(text)).unwrap();
    let names: Vec<String> = log
        .topics()
        .unwrap()
        .iter()
        .map(|t| t.name.to_string())
        .collect();
    assert_eq!(names, ["numbers", "t", "text"]);
    let compacted = found("t").unwrap();
    let wanted: Vec<_> = (0..FULL_COMMITS)
        .map(|n| {
            let (key, value) = keyed(n);
            (n, key, value)
        })
        .collect();
    let read = rows(log, &compacted).unwrap();
    assert!(read.len() < wanted.len(), "{} rows are left", read.len());
    assert!(read.iter().all(|row| wanted.contains(row)));
    for (key, (offset, value)) in newest(&wanted) {
        if value.is_some() {
            assert_eq!(newest(&read).get(&key), Some(&(offset, value)));
        }
    }
    let numbers = found("numbers").unwrap();
    let all: Vec<_> = (0..FULL_COMMITS).map(|n| (n, format!("n{n}"))).collect();
    assert_eq!(read_all(log, &numbers.id, 0).unwrap(), all);
    let seen = log.producers(&numbers.id, PartitionId(0)).unwrap();
    let seen: Vec<_> = seen
        .iter()
        .map(|p| (p.producer_id, p.epoch, p.last_sequence))
        .collect();
    assert_eq!(seen, [(PRODUCER_ID, 2, 23)]);
    let text = found("text").unwrap();
    assert_eq!(
        text.settings.get("retention.ms").map(String::as_str),
        Some("-1")
    );
    assert_eq!(
        log.offsets(&text.id, 0.into()).unwrap().log_start,
        Offset(5)
    );
    assert_eq!(read_all(log, &text.id, 0).unwrap().len(), 19);
    for store in [
        Store::Configs,
        Store::SourceOffsets,
        Store::Status,
        Store::Schemas,
        Store::Runs,
    ] {
        let value = log.get(store, b"fixture").unwrap();
        assert_eq!(value.as_deref(), Some(format!("{store:?}").as_bytes()));
    }
    assert_eq!(
        log.readers().unwrap(),
        [("sink".into(), vec![name("text")])]
    );
    let positions = list_group(log, &"sink".into()).unwrap();
    let positions: Vec<_> = positions
        .iter()
        .map(|(t, p, o)| (t.to_string(), p.0, o.next.0))
        .collect();
    assert_eq!(positions, [("text".to_owned(), 0, 9)]);
}

#[test]
fn a_full_directory_of_format_1_opens_with_everything_in_it() {
    let (_place, data) = fixture("full", write_full);
    let count = |extension: &str| {
        let folders = std::fs::read_dir(data.join("topics")).unwrap();
        let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
        files
            .filter(|file| {
                file.as_ref()
                    .unwrap()
                    .path()
                    .extension()
                    .is_some_and(|e| e == extension)
            })
            .count()
    };
    assert!(count("idx") > 1, "{} indexes", count("idx"));
    let log = stopped(&data);
    check_full(&*log);
    assert_eq!(log.verify().problems, []);
    drop(log);
    let log = open_full(&data);
    assert!(matches!(
        log.opened(),
        Opened::Resumed {
            unclean: true,
            replayed: 20..,
            torn: None
        }
    ));
    check_full(&*log);
    let numbers = log.topic(&name("numbers")).unwrap().unwrap();
    for sequence in FULL_COMMITS - 5..FULL_COMMITS {
        let answer = send(&log, &numbers, numbered(sequence)).unwrap();
        assert_eq!(answer, (sequence, true));
    }
    let gap = send(&log, &numbers, numbered(FULL_COMMITS + 1));
    assert!(
        matches!(gap, Err(Error::OutOfOrderSequence { .. })),
        "{gap:?}"
    );
    assert_eq!(
        send(&log, &numbers, numbered(FULL_COMMITS)).unwrap(),
        (FULL_COMMITS, false)
    );
    log.close().unwrap();
}
