//! Damage: bytes of every file flipped; the last group cut at bytes and in every subset of its sectors.
//!
//! By default positions are sampled by a fixed rule: the first and last 64 bytes of each file and of each of its 4 KiB
//! pages (headers, slots, the starts of groups), and every seventh position elsewhere; of the last group, every position
//! near its start, every eleventh elsewhere, and every third subset of its sectors. `LINKSPAN_FAULTS_ALL=1` takes every
//! position and subset.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use linkspan_types::SystemClock;

use super::oracle::{Model, Op, State};
use super::power::last;
use super::script::{self, Runner};
use super::{Row, every};
use crate::tests::support::{dir, open_mem, tiny};
use crate::{Error, LocalOptions, LogBackend, MemFs, open_read_only};

/// A log after the fixed script, killed, with a witness behind its last commit.
fn killed() -> (MemFs, Model) {
    let (fs, mut model) = (MemFs::new(), Model::default());
    let options = LocalOptions {
        idle_marker: Duration::from_millis(1),
        ..tiny()
    };
    let log = open_mem(&fs, options).unwrap();
    Runner::new(&log)
        .unwrap()
        .run(&script::fixed(), &mut model)
        .unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !log.stat().unwrap().witnessed {
        assert!(std::time::Instant::now() < deadline, "no witness");
        std::thread::yield_now();
    }
    let copy = fs.copy();
    drop(log);
    (copy, model)
}

/// Whether the short form flips the byte at `at` of `used`.
fn sampled(at: usize, used: usize) -> bool {
    const NEAR: usize = 64;
    let page = at % 4096;
    !(NEAR..4096 - NEAR).contains(&page) || at + NEAR >= used || at.is_multiple_of(7)
}

fn with_bytes(fs: &MemFs, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> MemFs {
    let copy = fs.copy();
    let mut bytes = fs.contents(path).unwrap();
    change(&mut bytes);
    copy.set_contents(path, bytes);
    copy
}

/// The same data, a refusal, or an error for a range; never other data.
fn read(fs: &MemFs, path: &Path, whole: &State, seen: &mut [u64; 3]) -> Result<(), String> {
    let log = open_read_only(
        Arc::new(fs.clone()),
        Arc::new(SystemClock::default()),
        dir(),
    );
    let Ok(log) = log else {
        seen[1] += 1;
        return Ok(());
    };
    match State::read(&*log) {
        Ok(found) if found == *whole => seen[0] += 1,
        Ok(found) => return Err(found.difference(whole)),
        Err(Error::Corrupt { path: named, .. }) if named != path => {
            return Err(format!("{} is named", named.display()));
        }
        Err(Error::Corrupt { .. }) => {
            seen[2] += 1;
            if log.verify().problems.is_empty() {
                return Err("`verify` finds nothing".into());
            }
        }
        Err(error) => return Err(format!("{error:?}")),
    }
    Ok(())
}

#[test]
fn bytes_of_every_file_flipped() {
    let every = every();
    let mut row = Row::new(match every {
        true => "every byte of every file flipped",
        false => "sampled bytes of every file flipped",
    });
    let (fs, model) = killed();
    let whole = model.expected();
    let mut seen = [0; 3];
    let files: Vec<PathBuf> = fs
        .files()
        .into_iter()
        .filter(|path| !path.ends_with("lock"))
        .collect();
    for path in &files {
        let bytes = fs.contents(path).unwrap();
        let used = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
        // Padding and long runs of one letter are dull: every 64th byte of them will do.
        let dull = |at: usize| at > 0 && bytes[at] == bytes[at - 1] && !at.is_multiple_of(64);
        for at in (0..used).filter(|at| !dull(*at) && (every || sampled(*at, used))) {
            for mask in [1_u8 << (at % 8), 0xff] {
                let damaged = with_bytes(&fs, path, |bytes| bytes[at] ^= mask);
                let result = read(&damaged, path, &whole, &mut seen);
                row.case(
                    || format!("byte {at} of {} ^ {mask:#x}", path.display()),
                    result,
                );
            }
            if at % 61 == 0 {
                // Opened for writing, the answer must be of the same kinds.
                let damaged = with_bytes(&fs, path, |bytes| bytes[at] ^= 0x10);
                if let Ok(log) = open_mem(&damaged, tiny()) {
                    let result = match State::read(&*log) {
                        Ok(found) if found != whole => Err(found.difference(&whole)),
                        Ok(_) | Err(Error::Corrupt { .. }) => Ok(()),
                        Err(error) => Err(format!("{error:?}")),
                    };
                    row.case(
                        || format!("byte {at} of {}, opened for writing", path.display()),
                        result,
                    );
                }
            }
        }
    }
    // The control: damage whose checksum was made right again. The comparison must see it.
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
    {
        let forged = with_bytes(&fs, path, |bytes| {
            let end = linkspan_wire::BatchHeader::read(bytes).unwrap().size();
            bytes[end - 2] ^= 1;
            let crc = crc32c::crc32c(&bytes[21..end]);
            bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        });
        row.control(read(&forged, path, &whole, &mut [0; 3]).is_err());
    }
    // A segment that was made after the last checkpoint is not read: the journal has what it holds.
    let [same, refused, range] = seen;
    row.note = format!("{same} same data, {refused} refused, {range} range errors");
    assert!(same > 50 && refused > 200 && range > 50, "{}", row.note);
    row.finish(75);
}

/// A log whose last commit has no witness; returns it, where the last group lies, and what it holds with or without it.
fn unwitnessed() -> (MemFs, PathBuf, std::ops::Range<usize>, Model) {
    let (fs, mut model) = (MemFs::new(), Model::default());
    let options = LocalOptions {
        idle_marker: Duration::ZERO,
        checkpoint_bytes: 1 << 30,
        journal_first_bytes: 64 * 1024,
        ..tiny()
    };
    let log = open_mem(&fs, options).unwrap();
    let ops = script::fixed();
    let (first, rest) = ops.split_at(5);
    let mut runner = Runner::new(&log).unwrap();
    runner.run(first, &mut model).unwrap();
    let before = fs.copy();
    let commit = rest
        .iter()
        .find_map(|op| match op {
            Op::Commit {
                records,
                puts,
                number,
            } => Some(Op::Commit {
                number: *number,
                records: records
                    .iter()
                    .map(|(topic, _, text)| {
                        (topic.clone(), 0, format!("{text}{}", "yz".repeat(600)))
                    })
                    .collect(),
                puts: puts.clone(),
            }),
            _ => None,
        })
        .unwrap();
    let mut with = model.clone();
    runner
        .run(std::slice::from_ref(&commit), &mut with)
        .unwrap();
    let after = fs.copy();
    drop(log);
    model.submit(&commit);
    let (path, range) = after
        .files()
        .into_iter()
        .filter(|path| path.starts_with(dir().join("journal")))
        .find_map(|path| {
            let (old, new) = (before.contents(&path)?, after.contents(&path)?);
            let differs: Vec<usize> = (0..old.len().min(new.len()))
                .filter(|at| old[*at] != new[*at])
                .collect();
            Some((path, *differs.first()?..differs.last()? + 1))
        })
        .unwrap();
    (after, path, range, model)
}

#[test]
fn a_tail_torn_at_bytes_and_in_subsets_of_sectors() {
    let every = every();
    let mut row = Row::new(match every {
        true => "torn tails: bytes, sectors; 4 fillings",
        false => "sampled torn tails; 4 fillings",
    });
    let (fs, path, range, model) = unwitnessed();
    assert!(range.len() > 2000, "{range:?}");
    // What the place may have held before: frames of another generation at the same place, whole and good in themselves.
    let (other_fs, other_path, ..) = unwitnessed();
    let stale = other_fs.contents(&other_path).unwrap();
    let whole = fs.contents(&path).unwrap();
    let fillings: [fn(usize, &[u8]) -> u8; 4] = [
        |_, _| 0,
        |_, _| 0xa5,
        |at, _| u8::try_from((at * 7919) % 251).unwrap(),
        |at, stale| stale[at],
    ];
    let check = |what: String, bytes: Vec<u8>, row: &mut Row| {
        let (damaged, mut model) = (fs.copy(), model.clone());
        damaged.set_contents(&path, bytes);
        let result = last(&damaged, &mut model).and_then(|()| {
            if !row.cases.is_multiple_of(8) {
                return Ok(());
            }
            // Life goes on behind the cut, and a second recovery agrees.
            let log = open_mem(&damaged, tiny()).map_err(|e| format!("{e:?}"))?;
            let mut runner = Runner::new(&log).map_err(|e| format!("{e:?}"))?;
            let next = Op::Commit {
                number: 99,
                records: vec![("a".into(), 0, "next".into())],
                puts: vec![("count".into(), Some("99".into()))],
            };
            runner
                .run(&[next], &mut model)
                .map_err(|e| format!("{e:?}"))?;
            let killed = damaged.copy();
            drop(log);
            last(&killed, &mut model)
        });
        row.case(|| what, result);
    };
    for (number, filling) in fillings.iter().enumerate() {
        // Each place with one of the fillings, each near the start with all.
        let step = if every { 4 } else { 44 };
        for cut in
            (range.start..range.end).filter(|cut| cut % step == number || *cut < range.start + 64)
        {
            let mut bytes = whole.clone();
            for (at, byte) in bytes.iter_mut().enumerate().take(range.end).skip(cut) {
                *byte = filling(at, &stale);
            }
            check(format!("cut at {cut}, filling {number}"), bytes, &mut row);
        }
        let sectors = range.len().div_ceil(512).min(6);
        for lost in (1..1_usize << sectors).filter(|lost| every || lost % 3 == number % 3) {
            let mut bytes = whole.clone();
            for (at, byte) in bytes
                .iter_mut()
                .enumerate()
                .take(range.end)
                .skip(range.start)
            {
                if lost >> ((at - range.start) / 512).min(sectors - 1) & 1 == 1 {
                    *byte = filling(at, &stale);
                }
            }
            check(
                format!("sectors {lost:#b} lost, filling {number}"),
                bytes,
                &mut row,
            );
        }
    }
    // The control: the same damage one group earlier hits what was acknowledged.
    for at in [4096 + 20, 4096 + 40, 8192 + 20, 8192 + 60] {
        let damaged = with_bytes(&fs, &path, |bytes| bytes[at] ^= 0x5a);
        row.control(last(&damaged, &mut model.clone()).is_err());
    }
    row.finish(100);
}
