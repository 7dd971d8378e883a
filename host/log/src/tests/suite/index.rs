//! Indexes on disk are derived: whatever is in their files, reads by offset are the same, and the files are made anew.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use linkspan_types::SystemClock;

use super::Row;
use super::oracle::State;
use crate::conformance::batch;
use crate::tests::support::{dir, open_mem, producer, tiny, topic};
use crate::{Append, Commit, Error, LocalOptions, LogBackend, MemFs, Topic, open_read_only};

fn options() -> LocalOptions {
    LocalOptions {
        segment_bytes: 16 * 1024,
        checkpoint_bytes: 1 << 30,
        checkpoint_interval: Duration::from_secs(3600),
        journal_first_bytes: 96 * 1024,
        ..tiny()
    }
}

/// A stopped log with several full segments, in which each record is 10 ms younger than the one before.
fn stopped() -> (MemFs, Topic) {
    let fs = MemFs::new();
    let log = open_mem(&fs, options()).unwrap();
    let made = topic(&*log, "t", 2);
    let writer = producer(&*log);
    for n in 0..240_i64 {
        let appends = vec![Append {
            topic: made.id,
            partition: i32::try_from(n % 2).unwrap().into(),
            batch: batch(n * 10, &[&format!("{n}{}", "x".repeat(300))]),
        }];
        let ticket = writer.submit(Commit {
            appends,
            puts: Vec::new(),
        });
        ticket.unwrap().wait().unwrap();
    }
    log.close().unwrap();
    (fs, made)
}

fn indexes(fs: &MemFs) -> Vec<PathBuf> {
    let files = fs.files().into_iter();
    files
        .filter(|path| path.extension().is_some_and(|e| e == "idx"))
        .collect()
}

/// Everything by offset, from the front and from the middle, and every tenth record by time.
fn read(log: &dyn LogBackend, made: &Topic) -> Result<(State, Vec<i64>), Error> {
    let mut found = Vec::new();
    for partition in 0..2 {
        let end = log.offsets(&made.id, partition.into())?.high_watermark.0;
        for from in (0..end).rev().step_by(7) {
            let fetched = log.fetch(&made.id, partition.into(), from.into(), 1)?;
            let first = linkspan_wire::BatchHeader::read(&fetched.bytes);
            found.push(first.map_or(-1, |header| header.base_offset));
        }
    }
    Ok((State::read(log)?, found))
}

fn by_time(log: &dyn LogBackend, made: &Topic) -> Vec<Option<i64>> {
    (0..240)
        .step_by(9)
        .map(|n| {
            let found =
                log.offset_for_time(&made.id, i32::try_from(n % 2).unwrap().into(), n * 10 - 5);
            found.unwrap().map(|offset| offset.0)
        })
        .collect()
}

fn damaged(fs: &MemFs, path: &Path, bytes: Vec<u8>) -> MemFs {
    let copy = fs.copy();
    copy.set_contents(path, bytes);
    copy
}

/// Stores the right checksum under changed bytes.
fn forge(mut bytes: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn add_at(bytes: &mut [u8], at: usize, by: i64) {
    let field: &mut [u8; 8] = (&mut bytes[at..at + 8]).try_into().unwrap();
    *field = (i64::from_le_bytes(*field) + by).to_le_bytes();
}

/// All ways in which an index may be wrong; `true` = a forged time, which only `verify` can tell.
fn lies(good: &[u8], other: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut lies = vec![
        ("empty".to_owned(), Vec::new()),
        ("of another segment".to_owned(), other.to_vec()),
        ("zeros".to_owned(), vec![0; good.len()]),
        ("too long".to_owned(), [good, &[0; 24]].concat()),
        ("huge".to_owned(), vec![7; 5 << 20]),
    ];
    for len in 0..good.len() {
        lies.push((format!("cut at {len}"), good[..len].to_vec()));
        let mut flipped = good.to_vec();
        flipped[len] ^= 1 << (len % 8);
        lies.push((format!("byte {len} flipped"), flipped));
    }
    let n = (good.len() - 76) / 24;
    for entry in 1..n {
        let at = 72 + entry * 24;
        let mut lie = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            lies.push((
                format!("{what} of entry {entry} forged"),
                forge(good.to_vec(), change),
            ));
        };
        lie("offset + 1", &|bytes| add_at(bytes, at, 1));
        lie("offset - 1", &|bytes| add_at(bytes, at, -1));
        lie("position + 1", &|bytes| add_at(bytes, at + 8, 1));
        lie("position + one batch", &|bytes| {
            let next = u64::from_le_bytes(good[at + 8..at + 16].try_into().unwrap());
            add_at(bytes, at + 8, i64::from(next > 0) * 374);
        });
        lie("everything", &|bytes| bytes[at..at + 24].fill(3));
        lie("absence", &|bytes| {
            bytes.drain(at..at + 24);
            let count: u32 = u32::try_from(n - 1).unwrap();
            bytes[68..72].copy_from_slice(&count.to_le_bytes());
        });
    }
    for (what, at) in [
        ("topic", 8),
        ("partition", 24),
        ("generation", 28),
        ("base", 32),
        ("next", 40),
        ("len", 48),
    ] {
        lies.push((
            format!("{what} forged"),
            forge(good.to_vec(), |bytes| bytes[at] ^= 1),
        ));
    }
    lies
}

#[test]
fn indexes_that_are_wrong_change_no_read() {
    let mut row = Row::new("index missing, cut, garbled, foreign, lying");
    let (fs, made) = stopped();
    let all = indexes(&fs);
    assert!(all.len() >= 2, "{all:?}");
    let clock = || Arc::new(SystemClock::default());
    let whole = {
        let log = open_read_only(Arc::new(fs.copy()), clock(), dir()).unwrap();
        assert_eq!(log.verify().problems, []);
        (read(&*log, &made).unwrap(), by_time(&*log, &made))
    };
    let (path, good) = (&all[0], fs.contents(&all[0]).unwrap());
    let other = fs.contents(&all[all.len() - 1]).unwrap();
    let mut cases = lies(&good, &other);
    cases.push(("nothing wrong".to_owned(), good.clone()));
    for (number, (what, bytes)) in cases.into_iter().enumerate() {
        let copy = damaged(&fs, path, bytes);
        let check = |log: &dyn LogBackend| match read(log, &made) {
            Ok(found) if found == whole.0 => match by_time(log, &made) == whole.1 {
                true => Ok(()),
                false => Err("searches by time differ".to_owned()),
            },
            Ok((found, _)) => Err(found.difference(&whole.0.0)),
            Err(error) => Err(format!("{error:?}")),
        };
        let log = open_read_only(Arc::new(copy.clone()), clock(), dir()).unwrap();
        row.case(|| format!("{what}, read only"), check(&*log));
        drop(log);
        if number % 3 == 0 {
            let log = open_mem(&copy, options()).unwrap();
            let result = check(&*log).and_then(|()| match copy.contents(path) {
                Some(now) if now == good => Ok(()),
                // One that leaves something out is slower, not wrong; a lie is met by those who use the entry.
                Some(_) if what.contains("of entry") => Ok(()),
                now => Err(format!(
                    "the index is not made anew: {:?}",
                    now.map(|b| b.len())
                )),
            });
            row.case(|| what.clone(), result);
        }
    }
    let gone = fs.copy();
    all.iter()
        .for_each(|path| crate::Fs::remove(&gone, path).unwrap());
    let log = open_mem(&gone, options()).unwrap();
    row.case(
        || "all missing".into(),
        match read(&*log, &made) {
            Ok(found) if found == whole.0 && by_time(&*log, &made) == whole.1 => Ok(()),
            other => Err(format!("{:?}", other.map(|_| "other data"))),
        },
    );
    // All but those of the two last segments, which still grow.
    let segments = gone.files().into_iter();
    let segments = segments.filter(|path| path.extension().is_some_and(|e| e == "log"));
    assert_eq!(
        indexes(&gone).len(),
        segments.count() - 2,
        "they are made anew"
    );
    drop(log);
    // The control: the same damage in the segment must not be explained away, whatever the index says.
    let segment = path.with_extension("log");
    for at in [8, 12, 400, 5000, 9000] {
        let mut bytes = fs.contents(&segment).unwrap();
        bytes[at] ^= 0x20;
        let log = open_read_only(Arc::new(damaged(&fs, &segment, bytes)), clock(), dir()).unwrap();
        row.control(matches!(read(&*log, &made), Err(Error::Corrupt { .. })));
    }
    // A time that was forged with a right checksum is what `verify` is for.
    let forged = forge(good, |bytes| add_at(bytes, 72 + 24 + 16, -1));
    let log = open_read_only(Arc::new(damaged(&fs, path, forged)), clock(), dir()).unwrap();
    row.control(
        log.verify()
            .problems
            .iter()
            .any(|problem| problem.path == *path),
    );
    row.finish(100);
}

#[test]
fn an_index_saves_the_first_read_and_a_search_by_time_the_walk() {
    let (fs, made) = stopped();
    let bare = fs.copy();
    indexes(&bare)
        .iter()
        .for_each(|path| crate::Fs::remove(&bare, path).unwrap());
    let bytes = |fs: &MemFs, work: &dyn Fn(&dyn LogBackend)| {
        let log = open_read_only(
            Arc::new(fs.clone()),
            Arc::new(SystemClock::default()),
            dir(),
        )
        .unwrap();
        let before = fs.bytes_read();
        work(&*log);
        fs.bytes_read() - before
    };
    // Offset 38 stands near the end of the first segment, which has 16 KiB.
    let fetch: &dyn Fn(&dyn LogBackend) =
        &|log| drop(log.fetch(&made.id, 0.into(), 38.into(), 1).unwrap());
    let search: &dyn Fn(&dyn LogBackend) = &|log| {
        let found = log.offset_for_time(&made.id, 0.into(), 38 * 20).unwrap();
        assert_eq!(found, Some(38.into()));
    };
    for (what, work) in [("fetch", fetch), ("search", search)] {
        let (with, without) = (bytes(&fs, work), bytes(&bare, work));
        assert!(
            with < without,
            "{what}: {with} bytes with, {without} without an index"
        );
    }
}

#[test]
fn an_index_goes_with_its_segment() {
    let (fs, made) = stopped();
    let log = open_mem(&fs, options()).unwrap();
    let before = indexes(&fs).len();
    let end = log.offsets(&made.id, 0.into()).unwrap().high_watermark;
    log.delete_records(&made.id, 0.into(), Some(end)).unwrap();
    log.checkpoint().unwrap();
    let left = indexes(&fs);
    assert!(left.len() < before, "{left:?}");
    for index in &left {
        assert!(
            fs.contents(&index.with_extension("log")).is_some(),
            "{}",
            index.display()
        );
    }
}
