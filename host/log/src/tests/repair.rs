//! Repairs: what they say is what they do, what is left is true, and everything that was cut is kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use linkspan_types::{
    GroupId, LeaderEpoch, Offset, PartitionId, SystemClock, TopicName, TopicPartition,
};

use super::damage::{View, files, flip, killed, read_only, used, view};
use super::support::{commit, dir, open_mem, producer, tiny, topic};
use crate::conformance::read_all;
use crate::fs::Fs as _;
use crate::{Error, LogBackend, MemFs, Repair, Report, repair, verify};

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::default())
}

fn fix(fs: &MemFs, yes: bool) -> Result<Repair, Error> {
    repair(Arc::new(fs.clone()), clock(), &dir(), yes)
}

fn check(fs: &MemFs) -> Result<Report, Error> {
    verify(Arc::new(fs.clone()), clock(), &dir())
}

fn contents(fs: &MemFs) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = fs.files().into_iter();
    all.filter(|path| !path.ends_with("lock"))
        .map(|path| {
            let bytes = fs.contents(&path).unwrap();
            (path, bytes)
        })
        .collect()
}

/// Repairs a damaged copy and holds the result against what was there; answers what was said and what is left.
fn repaired(damaged: &MemFs, whole: &View, case: &str) -> (Repair, View) {
    let before = contents(damaged);
    let dry = fix(damaged, false).unwrap_or_else(|e| panic!("{case}: {e:?}"));
    assert!(!dry.problems.is_empty(), "{case}: nothing is found");
    assert_eq!(contents(damaged), before, "{case}: a dry run writes");
    let done = fix(damaged, true).unwrap_or_else(|e| panic!("{case}: {e:?}"));
    assert_eq!(
        (&done.problems, &done.cuts, &done.positions),
        (&dry.problems, &dry.cuts, &dry.positions),
        "{case}"
    );
    let after = check(damaged).unwrap();
    assert_eq!(after.problems, [], "{case}");
    assert_eq!(fix(damaged, true).unwrap().problems, [], "{case}: again");
    // Everything is still somewhere: as it was, or in the folder of what was kept.
    let now = contents(damaged);
    let kept = done.kept_in.unwrap();
    for (path, bytes) in before {
        let copy = kept.join(path.strip_prefix(dir()).unwrap());
        let here = now
            .get(&path)
            .or_else(|| now.get(&copy))
            .is_some_and(|found| found.starts_with(&bytes) || now.get(&copy) == Some(&bytes));
        // The index of a segment that is gone is derived, and goes with it.
        let unrecorded = path
            .extension()
            .is_some_and(|extension| extension == "log" || extension == "idx");
        assert!(
            here || unrecorded || now.get(&copy) == Some(&bytes),
            "{case}: {} is gone",
            path.display()
        );
    }
    let log = open_mem(damaged, tiny()).unwrap_or_else(|e| panic!("{case}: {e:?}"));
    assert!(
        log.leader_epoch() >= LeaderEpoch(done.leader_epoch),
        "{case}"
    );
    let left = view(&*log).unwrap_or_else(|e| panic!("{case}: {e:?}"));
    for (at, found) in left.partitions.iter().enumerate() {
        let mut original = whole.partitions[at].iter();
        assert!(
            found
                .iter()
                .all(|record| original.any(|known| known == record)),
            "{case}: {left:?}"
        );
    }
    // Life goes on.
    let names = log.topics().unwrap();
    if let Some(made) = names.first() {
        let ticket = producer(&*log).submit(commit(made, 0, &["new"])).unwrap();
        let base = ticket.wait().unwrap().base_offsets[0];
        let read = read_all(&*log, &made.id, 0).unwrap();
        assert_eq!(read.last(), Some(&(base.0, "new".to_owned())), "{case}");
        let epoch = read.len();
        assert_eq!(epoch, left.partitions[0].len() + 1, "{case}");
    }
    log.close().unwrap();
    assert_eq!(
        check(damaged).unwrap().problems,
        [],
        "{case}: after another life"
    );
    (dry, left)
}

#[test]
fn a_sound_log_has_nothing_to_repair() {
    let fs = killed(8);
    let before = contents(&fs);
    let report = check(&fs).unwrap();
    assert_eq!(report.problems, []);
    assert!(report.records > 0 && report.frames > 0);
    let answer = fix(&fs, true).unwrap();
    assert!(
        !answer.done && answer.cuts.is_empty() && answer.problems.is_empty(),
        "{answer:?}"
    );
    assert_eq!(contents(&fs), before);
}

#[test]
fn every_flipped_bit_that_matters_is_found_and_repaired() {
    let fs = killed(8);
    let whole = view(&*read_only(&fs).unwrap()).unwrap();
    let (mut sound, mut lossless, mut cut) = (0, 0, 0);
    for path in files(&fs, "/data/")
        .into_iter()
        .filter(|path| !path.ends_with("lock"))
    {
        let bytes = fs.contents(&path).unwrap();
        let places = (0..used(&fs, &path)).filter(|at| bytes[*at] != 0 && at % 5 == 0);
        for at in places {
            let damaged = flip(&fs, &path, at, u8::try_from(at % 8).unwrap());
            let case = format!("byte {at} of {}", path.display());
            let Ok(report) = check(&damaged) else {
                continue;
            };
            if report.problems.is_empty() {
                let found = view(&*read_only(&damaged).unwrap()).unwrap();
                assert_eq!(found, whole, "{case}");
                sound += 1;
                continue;
            }
            let (said, left) = repaired(&damaged, &whole, &case);
            if left == whole {
                lossless += 1;
            } else {
                assert!(!said.cuts.is_empty(), "{case}: lost without a word");
                cut += 1;
            }
        }
    }
    println!("sound {sound}, repaired without loss {lossless}, with cuts {cut}");
    assert!(
        lossless > 20 && cut > 50,
        "sound {sound}, lossless {lossless}, cut {cut}"
    );
}

#[test]
fn every_missing_file_is_found_and_repaired() {
    let fs = killed(8);
    let whole = view(&*read_only(&fs).unwrap()).unwrap();
    let mut n = 0;
    for path in files(&fs, "/data/")
        .into_iter()
        .filter(|path| !path.ends_with("lock"))
    {
        let damaged = fs.copy();
        damaged.remove(&path).unwrap();
        if check(&damaged).unwrap().problems.is_empty() {
            // Known limit: the journal files that came into use last are not missed when they go together.
            let last = path
                .parent()
                .is_some_and(|parent| parent.ends_with("journal"));
            let same = view(&*read_only(&damaged).unwrap()).unwrap() == whole;
            assert!(same || last, "{}", path.display());
            continue;
        }
        repaired(&damaged, &whole, &format!("without {}", path.display()));
        n += 1;
    }
    assert!(n >= 5, "{n} files matter");
}

#[test]
fn without_any_slot_the_newest_snapshot_and_the_journal_are_enough() {
    let fs = killed(8);
    let whole = view(&*read_only(&fs).unwrap()).unwrap();
    for slots in [["ckpt.a", "ckpt.b"], ["ckpt.b", "ckpt.a"]] {
        for gone in [false, true] {
            let damaged = fs.copy();
            for slot in slots {
                let path = dir().join(slot);
                if gone {
                    damaged.remove(&path).unwrap();
                } else {
                    damaged.set_contents(&path, vec![0xee; 4096]);
                }
            }
            let (_, left) = repaired(&damaged, &whole, &format!("{slots:?} {gone}"));
            assert_eq!(left, whole);
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn one_bad_batch_costs_its_records_and_nothing_else() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    let texts: Vec<String> = (0..60)
        .map(|n| format!("{n}-{}", "x".repeat(200)))
        .collect();
    for text in &texts {
        let ticket = producer(&*log).submit(commit(&made, 0, &[text])).unwrap();
        ticket.wait().unwrap();
    }
    let tp = TopicPartition::new(TopicName::try_new("t").unwrap(), PartitionId(0));
    let (inside, behind) = (GroupId::from("inside"), GroupId::from("behind"));
    let set = |group: &GroupId, at: i64| {
        log.set_group_offsets(group, &[(tp.clone(), Some(Offset(at)))])
            .unwrap();
    };
    set(&behind, 40);
    log.close().unwrap();
    let whole = view(&*read_only(&fs).unwrap()).unwrap();
    let segments = files(&fs, ".log");
    assert!(segments.len() > 3, "{segments:?}");
    let middle = &segments[1];
    let base: i64 = middle
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    // The second batch of the segment.
    let second = usize::try_from(u32::from_be_bytes(
        fs.contents(middle).unwrap()[8..12].try_into().unwrap(),
    ))
    .unwrap()
        + 12;
    let log = open_mem(&fs, tiny()).unwrap();
    let ticket = log.set_group_offsets(&inside, &[(tp.clone(), Some(Offset(base + 1)))]);
    ticket.unwrap();
    log.close().unwrap();
    drop(log);
    let damaged = flip(&fs, middle, second + 100, 3);
    let report = check(&damaged).unwrap();
    let [problem] = &report.problems[..] else {
        panic!("{report:?}")
    };
    assert_eq!(
        (
            problem.path.as_path(),
            problem.offset,
            problem.topic.as_deref(),
            problem.partition,
            problem.record_offset
        ),
        (
            middle.as_path(),
            second as u64,
            Some("t"),
            Some(0),
            Some(base + 1)
        )
    );
    let (said, left) = repaired(&damaged, &whole, "second batch");
    let [cut] = &said.cuts[..] else {
        panic!("{said:?}")
    };
    assert_eq!(
        (cut.from, cut.first, cut.next, cut.records),
        (second as u64, Some(base + 1), Some(base + 2), Some(1))
    );
    let expected: Vec<_> = whole.partitions[0]
        .iter()
        .filter(|(at, _)| *at != base + 1)
        .cloned()
        .collect();
    assert_eq!(left.partitions[0], expected);
    let [moved] = &said.positions[..] else {
        panic!("{:?}", said.positions)
    };
    assert_eq!(moved.name, "inside t-0");
    assert_eq!(
        (moved.from.clone(), moved.to.clone()),
        (Some((base + 1).to_string()), Some((base + 2).to_string()))
    );
    // A segment that is gone altogether costs its own range.
    let damaged = fs.copy();
    damaged.remove(middle).unwrap();
    let (said, left) = repaired(&damaged, &whole, "segment gone");
    assert_eq!(said.cuts.len(), 1);
    assert!(left.partitions[0].len() > 30 && left.partitions[0].len() < 60);
}

#[test]
fn damage_in_the_journal_ends_the_log_before_it_and_refuses_positions_beyond() {
    let fs = killed(12);
    let whole = view(&*read_only(&fs).unwrap()).unwrap();
    let log = read_only(&fs).unwrap();
    let made = log
        .topic(&TopicName::try_new("t").unwrap())
        .unwrap()
        .unwrap();
    let epoch = log.stat().unwrap().leader_epoch;
    drop(log);
    let mut lost = 0;
    for path in files(&fs, "/journal/") {
        let bytes = fs.contents(&path).unwrap();
        let groups = (4096..bytes.len()).step_by(4096);
        for at in groups.filter(|at| bytes[*at..].starts_with(b"LSF1")) {
            let damaged = flip(&fs, &path, at + 40, 3);
            let report = check(&damaged).unwrap();
            if report.problems.is_empty() {
                continue;
            }
            assert_eq!(report.problems[0].path, path);
            let (said, left) = repaired(&damaged, &whole, &format!("group at {at}"));
            // All or nothing of each commit: both partitions and the key agree.
            let commits = left.partitions[0].len();
            assert_eq!(left.partitions[1].len(), 2 * commits);
            let named = said.cuts.iter().any(|cut| cut.what.contains("commits"));
            assert!(named && commits < 12, "{said:?}");
            let key = left.keys.iter().find(|(key, _)| key == b"n").unwrap();
            assert_eq!(key.1, (commits - 1).to_string().into_bytes());
            let log = open_mem(&damaged, tiny()).unwrap();
            let (epoch, next) = (LeaderEpoch(epoch), Offset(12));
            let beyond = log.check_position(&made.id, PartitionId(0), epoch, next);
            assert!(
                matches!(beyond, Err(Error::UnknownPosition { .. })),
                "{beyond:?}"
            );
            lost += 1;
        }
    }
    assert!(lost >= 3, "{lost}");
}

#[test]
fn what_a_later_version_wrote_is_not_repaired() {
    let fs = killed(4);
    let newer = fs.copy();
    newer.set_contents(&dir().join("format"), b"linkspan-data 2\n".to_vec());
    for result in [fix(&newer, true).map(|_| ()), check(&newer).map(|_| ())] {
        assert!(
            matches!(
                result,
                Err(Error::NewerFormat {
                    found: 2,
                    supported: 1,
                    ..
                })
            ),
            "{result:?}"
        );
    }
    let foreign = MemFs::new();
    foreign.create_dir(Path::new("/data")).unwrap();
    foreign.set_contents(&dir().join("notes.txt"), b"mine".to_vec());
    let result = fix(&foreign, true);
    assert!(
        matches!(result, Err(Error::NotADataDirectory { .. })),
        "{result:?}"
    );
}
