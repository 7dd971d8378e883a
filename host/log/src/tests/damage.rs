//! Damage done to files of a stopped log: the answer is the same data, a refusal, or an error for a range — never silence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use linkspan_types::{SystemClock, TopicName};

use super::support::{append, commit, dir, open_mem, producer, put, tiny, topic};
use crate::conformance::read_all;
use crate::fs::{Fs as _, Open};
use crate::journal::file::{self, HeaderState};
use crate::journal::frame::{self, Frame};
use crate::{
    Commit, Error, LocalOptions, LogBackend, MemFs, ReadOnly, Report, Store, open_read_only,
};

/// All that a reader can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct View {
    pub(super) partitions: Vec<Vec<(i64, String)>>,
    pub(super) keys: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(super) fn view(log: &dyn LogBackend) -> Result<View, Error> {
    let mut partitions = Vec::new();
    for topic in log.topics()? {
        for partition in 0..topic.partitions {
            partitions.push(read_all(log, &topic.id, partition)?);
        }
    }
    let keys = log
        .scan(Store::SourceOffsets, b"")?
        .into_iter()
        .map(|(k, v)| (k.to_vec(), v.to_vec()))
        .collect();
    Ok(View { partitions, keys })
}

pub(super) fn read_only(fs: &MemFs) -> Result<Arc<ReadOnly>, Error> {
    open_read_only(
        Arc::new(fs.clone()),
        Arc::new(SystemClock::default()),
        dir(),
    )
}

/// A log whose last commits are in the journal only, vouched for by a witness; its host was killed.
pub(super) fn killed(commits: usize) -> MemFs {
    killed_with(commits, tiny())
}

fn killed_with(commits: usize, options: LocalOptions) -> MemFs {
    let fs = MemFs::new();
    let log = open_mem(
        &fs,
        LocalOptions {
            idle_marker: Duration::from_millis(1),
            checkpoint_bytes: 1 << 30,
            ..options
        },
    )
    .unwrap();
    let made = topic(&*log, "t", 2);
    let producer = producer(&*log);
    for n in 0..commits {
        let appends = vec![
            append(&made, 0, &[&format!("a{n}")]),
            append(&made, 1, &[&format!("b{n}"), "c"]),
        ];
        producer
            .submit(Commit {
                appends,
                puts: vec![put("n", &n.to_string())],
            })
            .unwrap()
            .wait()
            .unwrap();
        if n == commits / 2 {
            log.checkpoint().unwrap();
        }
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !log.stat().unwrap().witnessed {
        assert!(Instant::now() < deadline, "no witness was written");
        std::thread::yield_now();
    }
    let copy = fs.copy();
    drop(log);
    copy
}

pub(super) fn files(fs: &MemFs, part: &str) -> Vec<PathBuf> {
    fs.files()
        .into_iter()
        .filter(|path| path.to_string_lossy().contains(part))
        .collect()
}

pub(super) fn flip(fs: &MemFs, path: &Path, at: usize, bit: u8) -> MemFs {
    let copy = fs.copy();
    let mut bytes = fs.contents(path).unwrap();
    bytes[at] ^= 1 << bit;
    copy.set_contents(path, bytes);
    copy
}

/// The bytes of a file that matter: up to the last one that is not zero.
pub(super) fn used(fs: &MemFs, path: &Path) -> usize {
    fs.contents(path)
        .unwrap()
        .iter()
        .rposition(|b| *b != 0)
        .map_or(0, |at| at + 1)
}

#[test]
fn damage_to_acknowledged_frames_names_file_and_offset() {
    let fs = killed_with(
        6,
        LocalOptions {
            journal_first_bytes: 64 * 1024,
            ..tiny()
        },
    );
    let path = files(&fs, "/journal/").remove(0);
    // A commit behind the checkpoint; how many witnesses there are depends on how idle the log was.
    let bytes = fs.contents(&path).unwrap();
    let at = bytes.windows(2).rposition(|pair| pair == b"a4").unwrap() / 4096 * 4096;
    let damaged = flip(&fs, &path, at + 40, 3);
    for result in [
        open_mem(&damaged, tiny()).map(|_| ()),
        read_only(&damaged).map(|_| ()),
    ] {
        let Err(Error::Damaged {
            path: named,
            offset,
            ..
        }) = result
        else {
            panic!("{result:?}")
        };
        assert_eq!(named, path);
        assert!(
            offset <= at as u64 && at as u64 <= offset + 4096,
            "byte {offset} is named, {at} was damaged"
        );
    }
}

#[test]
fn a_lost_file_is_noticed() {
    // Only a journal file that came into use after the last checkpoint could go unmissed: nothing names it.
    let fs = killed_with(
        6,
        LocalOptions {
            journal_first_bytes: 64 * 1024,
            ..tiny()
        },
    );
    let whole = view(&*read_only(&fs).unwrap()).unwrap();
    for path in files(&fs, "/data/")
        .into_iter()
        .filter(|path| !path.ends_with("lock"))
    {
        let damaged = fs.copy();
        crate::Fs::remove(&damaged, &path).unwrap();
        match read_only(&damaged).and_then(|log| view(&*log)) {
            Ok(found) => assert_eq!(found, whole, "without {}", path.display()),
            Err(error) => drop(error),
        }
        // A directory that lost only its oldest or its spare files may open; then it has everything.
        match open_mem(&damaged.copy(), tiny()) {
            Ok(log) => assert_eq!(view(&*log).unwrap(), whole, "without {}", path.display()),
            Err(error) => assert!(
                !matches!(error, Error::Io { .. }) || path.ends_with("format"),
                "{error:?}"
            ),
        }
    }
}

#[test]
fn a_damaged_segment_fails_its_range_only() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 2);
    let producer = producer(&*log);
    for n in 0..40 {
        producer
            .submit(commit(&made, n % 2, &[&"x".repeat(1000)]))
            .unwrap()
            .wait()
            .unwrap();
    }
    log.close().unwrap();
    let mut segments = files(&fs, &format!("{}-0/", made.id));
    segments.retain(|path| path.extension().is_some_and(|e| e == "log"));
    let segment = segments.remove(1);
    let damaged = flip(&fs, &segment, 500, 1);
    let log = open_mem(&damaged, tiny()).unwrap();
    assert_eq!(read_all(&*log, &made.id, 1).unwrap().len(), 20);
    let Err(Error::Corrupt {
        path, offset: 0, ..
    }) = read_all(&*log, &made.id, 0)
    else {
        panic!()
    };
    assert_eq!(path, segment);
    let second: i64 = segment
        .file_stem()
        .unwrap()
        .to_string_lossy()
        .parse()
        .unwrap();
    assert!(log.fetch(&made.id, 0.into(), 0.into(), 1 << 20).is_ok());
    assert!(
        log.fetch(&made.id, 0.into(), (second + 4).into(), 1 << 20)
            .is_ok(),
        "the range behind the damage reads"
    );
    log.close().unwrap();
    let report = read_only(&damaged).unwrap().verify();
    assert_eq!(
        report
            .problems
            .iter()
            .map(|p| (&p.path, p.offset))
            .collect::<Vec<_>>(),
        [(&segment, 0)]
    );
    let sound = read_only(&fs).unwrap().verify();
    assert_eq!(
        (sound.problems, sound.records),
        (Report::default().problems, 40)
    );
}

#[test]
fn later_and_foreign_directories_are_refused() {
    let fs = killed(2);
    fs.set_contents(&dir().join("format"), b"linkspan-data 7\n".to_vec());
    let Err(Error::NewerFormat {
        found: 7,
        supported: 1,
        ..
    }) = open_mem(&fs, tiny())
    else {
        panic!()
    };
    let fs = MemFs::new();
    crate::Fs::create_dir(&fs, &dir()).unwrap();
    crate::Fs::open(&fs, &dir().join("letters.txt"), crate::Open::Create).unwrap();
    let Err(Error::NotADataDirectory { why, .. }) = open_mem(&fs, tiny()) else {
        panic!()
    };
    assert!(why.contains("letters.txt"), "{why}");
    assert!(matches!(
        read_only(&fs),
        Err(Error::NotADataDirectory { .. })
    ));
}

#[test]
fn reading_a_stopped_directory_writes_nothing() {
    let fs = killed(6);
    let before = (
        fs.calls(),
        fs.files()
            .iter()
            .map(|path| fs.contents(path))
            .collect::<Vec<_>>(),
    );
    let log = read_only(&fs).unwrap();
    view(&*log).unwrap();
    assert_eq!(log.verify().problems, []);
    let name = TopicName::try_new("new").unwrap();
    assert!(matches!(
        log.create_topic(&name, &crate::TopicSpec::with_partitions(1)),
        Err(Error::ReadOnly)
    ));
    drop(log);
    assert_eq!(
        (
            fs.calls(),
            fs.files()
                .iter()
                .map(|path| fs.contents(path))
                .collect::<Vec<_>>()
        ),
        before
    );
}

/// Makes the first frame of the last group unreadable, where that group has whole frames behind it.
fn tear_last_group(fs: &MemFs) -> bool {
    let (path, bytes) = fs
        .files()
        .into_iter()
        .filter(|path| path.starts_with(dir().join("journal")))
        .map(|path| (path.clone(), fs.contents(&path).unwrap()))
        .max_by_key(|(_, bytes)| bytes.iter().filter(|byte| **byte != 0).count())
        .unwrap();
    let HeaderState::Good(header) =
        file::read_header(&*fs.open(&path, Open::Read).unwrap()).unwrap()
    else {
        return false;
    };
    let seed = frame::seed(&header.generation);
    let mut frames = Vec::new();
    for at in (0..bytes.len()).step_by(8) {
        if let Some(found) = Frame::read(&bytes[at..], seed) {
            frames.push((at, found.durable_lsn));
        }
    }
    let last = frames.iter().map(|(_, durable)| *durable).max().unwrap();
    let group: Vec<usize> = frames
        .iter()
        .filter(|(_, durable)| *durable == last)
        .map(|(at, _)| *at)
        .collect();
    if group.len() < 8 {
        return false;
    }
    let mut bytes = bytes;
    bytes[group[0] + 40] ^= 0x55;
    fs.set_contents(&path, bytes);
    true
}

fn journal_files(fs: &MemFs) -> usize {
    let journal = dir().join("journal");
    fs.files()
        .iter()
        .filter(|path| path.starts_with(&journal))
        .count()
}

/// A torn group may leave whole frames behind the unreadable one. They were cut, and no later life may take them for its
/// own, although its frames have the same numbers.
#[test]
fn frames_that_one_life_cut_never_come_back_in_a_later_one() {
    let options = || LocalOptions {
        idle_marker: Duration::from_secs(3600),
        checkpoint_bytes: 1 << 30,
        checkpoint_interval: Duration::from_secs(3600),
        journal_first_bytes: 256 * 1024,
        journal_file_bytes: 256 * 1024,
        journal_bytes_max: 1024 * 1024,
        ..tiny()
    };
    let text = "x".repeat(200);
    let torn = (0..100)
        .find_map(|_| {
            let fs = MemFs::new();
            let log = open_mem(&fs, options()).unwrap();
            let made = topic(&*log, "t", 1);
            let producer = producer(&*log);
            let tickets: Vec<_> = (0..400)
                .map(|_| producer.submit(commit(&made, 0, &[&text])).unwrap())
                .collect();
            for ticket in tickets {
                ticket.wait().unwrap();
            }
            // The next file is made ready in the background; it, not the torn one, is what the second life writes.
            let began = Instant::now();
            while journal_files(&fs) < 2 && began.elapsed() < Duration::from_secs(5) {
                std::thread::yield_now();
            }
            let killed = fs.copy();
            (journal_files(&killed) == 2 && tear_last_group(&killed)).then_some(killed)
        })
        .expect("400 commits in flight make a group of 8");
    let log = open_mem(&torn, options()).unwrap();
    let made = topic(&*log, "t", 1);
    let second = producer(&*log);
    for number in 0..10 {
        let offset = format!("{number}");
        let mut next = commit(&made, 0, &["second life"]);
        next.puts.push(put("position", &offset));
        second.submit(next).unwrap().wait().unwrap();
        if number == 4 {
            log.checkpoint().unwrap();
        }
    }
    let acknowledged = view(&*log).unwrap();
    let killed = torn.copy();
    drop((second, log));
    let log = open_mem(&killed, options()).unwrap();
    assert_eq!(view(&*log).unwrap(), acknowledged);
}

/// A host that is killed again and again without writing still begins a new leader epoch each time.
#[test]
fn every_unclean_open_begins_a_new_leader_epoch_even_with_nothing_to_replay() {
    let mut fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    producer(&*log)
        .submit(commit(&made, 0, &["one"]))
        .unwrap()
        .wait()
        .unwrap();
    log.checkpoint().unwrap();
    let mut last = log.leader_epoch();
    let mut log = log;
    for _ in 0..3 {
        let killed = fs.copy();
        drop(log);
        log = open_mem(&killed, tiny()).unwrap();
        assert!(
            log.leader_epoch() > last,
            "{:?} after {last:?}",
            log.leader_epoch()
        );
        last = log.leader_epoch();
        fs = killed;
    }
}
