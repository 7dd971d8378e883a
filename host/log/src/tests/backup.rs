//! Backups of a log under load, and what a restored log is: all of every commit up to one, nothing of any later one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use linkspan_types::{LeaderEpoch, Offset, PartitionId, SystemClock, TopicName};

use super::support::{append, commit, dir, open_mem, producer, put, tiny, topic};
use crate::backup_manifest;
use crate::conformance::read_all;
use crate::{
    Commit, DiskFs, Error, Fs, Local, LocalOptions, LogBackend, MemFs, Store, open_local,
    open_read_only, restore,
};

const NOW_MS: i64 = 1_767_225_600_000;

/// What is written at full speed during one backup; the file system is memory.
const BURST: u64 = 400;

fn target() -> PathBuf {
    PathBuf::from("/backup")
}

#[derive(Default)]
struct Load {
    stop: AtomicBool,
    allowed: AtomicU64,
    acked: AtomicU64,
}

impl Load {
    fn start(log: &Arc<Local>) -> (Arc<Self>, std::thread::JoinHandle<()>) {
        let (shared, log) = (Arc::<Self>::default(), Arc::clone(log));
        let mine = Arc::clone(&shared);
        (shared, std::thread::spawn(move || load(&log, &mine)))
    }

    fn allow(&self, commits: u64) {
        self.allowed.fetch_add(commits, Ordering::AcqRel);
    }

    fn acked(&self) -> u64 {
        self.acked.load(Ordering::Acquire)
    }

    fn wait_for(&self, n: u64) {
        while self.acked() < n {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Commits until told to stop; each writes its number to two partitions and a key. Returns how many were acknowledged.
fn load(
    log: &Local,
    Load {
        stop,
        allowed,
        acked,
    }: &Load,
) {
    let made = topic(log, "t", 2);
    let producer = producer(log);
    let mut n = 0_u64;
    while !stop.load(Ordering::Acquire) {
        if n >= allowed.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_micros(100));
            continue;
        }
        let text = n.to_string();
        let ticket = producer.submit(Commit {
            appends: vec![append(&made, 0, &[&text]), append(&made, 1, &[&text])],
            puts: vec![put("n", &text)],
        });
        ticket.unwrap().wait().unwrap();
        n += 1;
        acked.store(n, Ordering::Release);
    }
}

/// Returns how many commits the log holds, or what of them does not agree.
fn commits(log: &dyn LogBackend) -> Result<u64, String> {
    let made = log
        .topic(&TopicName::try_new("t").unwrap())
        .unwrap()
        .unwrap();
    let expected = |n: usize| (0..n).map(|n| (i64::try_from(n).unwrap(), n.to_string()));
    let a = read_all(log, &made.id, 0).map_err(|e| e.to_string())?;
    let b = read_all(log, &made.id, 1).map_err(|e| e.to_string())?;
    let key = log.get(Store::SourceOffsets, b"n").unwrap();
    let key = key.map_or(0, |text| {
        String::from_utf8_lossy(&text).parse::<usize>().unwrap() + 1
    });
    if !expected(a.len()).eq(a.iter().cloned()) || !expected(b.len()).eq(b.iter().cloned()) {
        return Err("records are not those that were written".into());
    }
    if a.len() != key || b.len() != key {
        return Err(format!("{} and {} records, key {key}", a.len(), b.len()));
    }
    Ok(key as u64)
}

fn open_copy(fs: &MemFs, place: &str) -> Result<Arc<Local>, Error> {
    open_mem(
        fs,
        LocalOptions {
            dir: PathBuf::from(place),
            ..tiny()
        },
    )
}

#[test]
fn a_backup_under_load_is_one_point_in_time() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let (load, writer) = Load::start(&log);
    load.allow(10);
    load.wait_for(10);
    let mut torn_without_the_journal = 0;
    // The control depends on where commits and checkpoint meet: usually each round shows it.
    for round in 0..60 {
        if round >= 10 && torn_without_the_journal > 0 {
            break;
        }
        let before = load.acked();
        load.allow(BURST);
        load.wait_for(before + 5);
        let target = PathBuf::from(format!("/backup-{round}"));
        let report = log.backup(&target).unwrap();
        let data = format!("/restored-{round}");
        restore(&fs, &target, Path::new(&data), NOW_MS).unwrap();
        let restored = open_copy(&fs, &data).unwrap();
        let held = commits(&*restored).unwrap_or_else(|what| panic!("round {round}: {what}"));
        assert!(held >= before, "{held} commits, {before} were acknowledged");
        assert!(report.bytes > 0 && report.files > 4, "{report:?}");
        drop(restored);
        // Negative control: the same files without the frames behind the checkpoint are no point in time.
        let without = format!("/without-{round}");
        restore(&fs, &target, Path::new(&without), NOW_MS).unwrap();
        for name in fs.list(&Path::new(&without).join("journal")).unwrap() {
            let path = Path::new(&without).join("journal").join(name);
            let mut bytes = fs.contents(&path).unwrap();
            bytes[4096..].fill(0);
            fs.set_contents(&path, bytes);
        }
        torn_without_the_journal += usize::from(match open_copy(&fs, &without) {
            Ok(log) => commits(&*log).is_err(),
            Err(_) => true,
        });
    }
    load.wait_for(load.allowed.load(Ordering::Acquire));
    load.stop.store(true, Ordering::Release);
    writer.join().unwrap();
    assert!(torn_without_the_journal > 0, "the check cannot fail");
    // The log itself goes on as before.
    assert_eq!(commits(&*log), Ok(load.acked()));
}

#[test]
fn commits_go_on_while_segments_are_copied() {
    // A checkpoint may not wait for the copy either: with three small journal files commits would soon stop.
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let (load, writer) = Load::start(&log);
    load.allow(2 * BURST);
    load.wait_for(BURST / 2);
    log.backup(&target()).unwrap();
    load.wait_for(2 * BURST);
    load.stop.store(true, Ordering::Release);
    writer.join().unwrap();
}

#[test]
fn a_backup_that_was_not_finished_is_refused() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 2);
    for n in 0..50 {
        let text = n.to_string();
        let ticket = producer(&*log).submit(commit(&made, 0, &[&text])).unwrap();
        ticket.wait().unwrap();
    }
    log.backup(&target()).unwrap();
    let data = PathBuf::from("/restored");
    let whole = fs.copy();
    whole.remove(&target().join(backup_manifest::NAME)).unwrap();
    let error = restore(&whole, &target(), &data, NOW_MS).unwrap_err();
    assert!(
        matches!(&error, Error::InvalidBackup { why, .. } if why.contains("backup.json")),
        "{error:?}"
    );
    assert!(!whole.try_exists(&data).unwrap(), "nothing was written");
    // Every file counts: missing, shorter, or with one other bit.
    let names: Vec<PathBuf> = fs
        .files()
        .into_iter()
        .filter(|p| p.starts_with(target()) && !p.ends_with(backup_manifest::NAME))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        let bytes = fs.contents(&name).unwrap();
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damage in [None, Some(bytes[..bytes.len() - 1].to_vec()), Some(flipped)] {
            let damaged = fs.copy();
            match damage {
                None => damaged.remove(&name).unwrap(),
                Some(bytes) => damaged.set_contents(&name, bytes),
            }
            let error = restore(&damaged, &target(), &data, NOW_MS).unwrap_err();
            let Error::InvalidBackup { why, .. } = &error else {
                panic!("{}: {error:?}", name.display())
            };
            assert!(
                why.contains(&*name.file_name().unwrap().to_string_lossy()),
                "{why}"
            );
        }
    }
    // Negative control: untouched, it is accepted.
    restore(&fs, &target(), &data, NOW_MS).unwrap();
}

#[test]
fn neither_backup_nor_restore_writes_over_anything() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    log.backup(&target()).unwrap();
    for result in [
        log.backup(&target()).map(|_| ()),
        restore(&fs, &target(), &target(), NOW_MS).map(|_| ()),
    ] {
        assert!(matches!(result, Err(Error::NotEmpty { .. })), "{result:?}");
    }
    let inside = log.backup(&dir().join("backup")).unwrap_err();
    assert!(matches!(inside, Error::InvalidOption { .. }), "{inside:?}");
}

#[test]
fn positions_beyond_the_backup_are_refused_in_the_restored_log() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    let send = |log: &dyn LogBackend, text: &str| {
        let ticket = producer(log).submit(commit(&made, 0, &[text])).unwrap();
        ticket.wait().unwrap();
    };
    (0..5).for_each(|n| send(&*log, &n.to_string()));
    log.backup(&target()).unwrap();
    // The old log goes on, is killed twice, and a sink elsewhere remembers positions of each of its lives.
    (5..8).for_each(|n| send(&*log, &n.to_string()));
    let mut positions = vec![(log.leader_epoch(), Offset(8))];
    let mut killed = fs.copy();
    for next in [9, 10] {
        let log = open_mem(&killed, tiny()).unwrap();
        send(&*log, "later");
        positions.push((log.leader_epoch(), Offset(next)));
        killed = killed.copy();
    }
    restore(&fs, &target(), Path::new("/restored"), NOW_MS).unwrap();
    let restored = open_copy(&fs, "/restored").unwrap();
    assert!(restored.leader_epoch() > positions.last().unwrap().0);
    (0..20).for_each(|n| send(&*restored, &format!("new {n}")));
    let check = |epoch: LeaderEpoch, next: Offset| {
        restored.check_position(&made.id, PartitionId(0), epoch, next)
    };
    for (epoch, next) in positions {
        let result = check(epoch, next);
        assert!(
            matches!(result, Err(Error::UnknownPosition { .. })),
            "{epoch} {next}: {result:?}"
        );
    }
    // Negative control: what the backup holds, and what came after it, is known.
    check(LeaderEpoch(0), Offset(5)).unwrap();
    check(restored.leader_epoch(), Offset(25)).unwrap();
}

#[test]
fn a_stopped_directory_is_backed_up_without_a_byte_written_into_it() {
    for clean in [true, false] {
        let fs = MemFs::new();
        let log = open_mem(&fs, tiny()).unwrap();
        let made = topic(&*log, "t", 2);
        for n in 0..40 {
            let text = n.to_string();
            let commit = Commit {
                appends: vec![append(&made, 0, &[&text]), append(&made, 1, &[&text])],
                puts: vec![put("n", &text)],
            };
            producer(&*log).submit(commit).unwrap().wait().unwrap();
        }
        let fs = if clean {
            log.close().unwrap();
            fs
        } else {
            fs.copy()
        };
        let clock = Arc::new(SystemClock::default());
        let stopped = open_read_only(Arc::new(fs.clone()), clock, dir()).unwrap();
        let before: Vec<_> = files_of(&fs);
        stopped.backup(&target()).unwrap();
        assert_eq!(files_of(&fs), before);
        restore(&fs, &target(), Path::new("/restored"), NOW_MS).unwrap();
        assert_eq!(
            commits(&*open_copy(&fs, "/restored").unwrap()),
            Ok(40),
            "clean: {clean}"
        );
    }
}

fn files_of(fs: &MemFs) -> Vec<(PathBuf, Vec<u8>)> {
    let mine = fs.files().into_iter().filter(|p| p.starts_with(dir()));
    mine.map(|path| {
        let bytes = fs.contents(&path).unwrap();
        (path, bytes)
    })
    .collect()
}

#[test]
fn manifests_of_the_future_and_with_paths_elsewhere_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let log = open_local(
        Arc::new(DiskFs),
        Arc::new(SystemClock::default()),
        LocalOptions::new(&data),
    )
    .unwrap();
    let backup = place.path().join("backup");
    log.backup(&backup).unwrap();
    let path = backup.join(backup_manifest::NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let restored = place.path().join("restored");
    for (from, to, says) in [
        ("\"format\": 1", "\"format\": 2", "format version 2"),
        (
            "\"data_format\": 1",
            "\"data_format\": 7",
            "format version 7",
        ),
        ("\"ckpt.a\"", "\"../ckpt.a\"", "../ckpt.a"),
        ("\"ckpt.a\"", "\"/etc/passwd\"", "/etc/passwd"),
    ] {
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let error = restore(&DiskFs, &backup, &restored, NOW_MS).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!restored.try_exists().unwrap());
    }
    std::fs::write(&path, text).unwrap();
    restore(&DiskFs, &backup, &restored, NOW_MS).unwrap();
}
