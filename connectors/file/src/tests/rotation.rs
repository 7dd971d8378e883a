//! Logs that are rotated while they are followed, and all their names match `path`.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use linkspan_testkit::SourceTest;

use super::Folder;
use super::source::{next, source};
use crate::source::FileSource;

fn follow(folder: &Folder, wait: &str) -> SourceTest<FileSource> {
    let config = [("poll.interval", "1ms"), ("rotate.wait", wait)];
    source(&folder.path("a.log*"), &config)
        .bounded(false)
        .waiting(Duration::ZERO)
}

fn drain(source: &mut SourceTest<FileSource>) -> Vec<String> {
    let mut all = Vec::new();
    let mut quiet = 0;
    while quiet < 4 {
        let more = next(source);
        quiet = if more.is_empty() { quiet + 1 } else { 0 };
        all.extend(more);
    }
    all
}

fn append(folder: &Folder, name: &str, text: &str) {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(folder.path(name))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn rename(folder: &Folder, from: &str, to: &str) {
    fs::rename(folder.path(from), folder.path(to)).unwrap();
}

#[test]
fn every_line_of_four_rotations_comes_once_and_in_order() {
    for wait in ["0s", "5s"] {
        let folder = Folder::new();
        append(&folder, "a.log", "1\n");
        let mut source = follow(&folder, wait);
        source.open().unwrap();
        assert_eq!(drain(&mut source), ["1"]);
        for round in 0..4 {
            append(&folder, "a.log", &format!("{round} before\n"));
            for number in (1..=round).rev() {
                rename(
                    &folder,
                    &format!("a.log.{number}"),
                    &format!("a.log.{}", number + 1),
                );
            }
            rename(&folder, "a.log", "a.log.1");
            // The writer has the old file open still.
            append(&folder, "a.log.1", &format!("{round} late\n"));
            append(&folder, "a.log", &format!("{round} after\n"));
            let expected = ["before", "late", "after"].map(|what| format!("{round} {what}"));
            assert_eq!(drain(&mut source), expected, "wait {wait}");
            append(&folder, "a.log.1", &format!("{round} later\n"));
            assert_eq!(drain(&mut source), [format!("{round} later")]);
        }
        // The positions go with the names: what comes while nobody looks is found under them.
        source.close().unwrap();
        append(&folder, "a.log.2", "stray\n");
        append(&folder, "a.log", "end\n");
        source.open().unwrap();
        let mut found = drain(&mut source);
        found.sort();
        assert_eq!(found, ["end", "stray"], "wait {wait}");
    }
}

#[test]
fn a_name_that_comes_back_later_is_a_new_file() {
    let folder = Folder::new();
    append(&folder, "a.log", "1\n");
    let mut source = follow(&folder, "5s");
    source.open().unwrap();
    assert_eq!(drain(&mut source), ["1"]);
    rename(&folder, "a.log", "a.log.1");
    append(&folder, "a.log.1", "2\n");
    assert_eq!(drain(&mut source), ["2"]);
    append(&folder, "a.log", "1\n");
    assert_eq!(drain(&mut source), ["1"]);
}

#[test]
fn the_oldest_log_is_read_to_its_end_when_the_next_one_takes_its_name() {
    for wait in ["0s", "5s"] {
        let folder = Folder::new();
        append(&folder, "a.log.1", "old\n");
        append(&folder, "a.log", "new\n");
        let mut source = follow(&folder, wait);
        source.open().unwrap();
        let mut found = drain(&mut source);
        found.sort();
        assert_eq!(found, ["new", "old"]);
        append(&folder, "a.log.1", "old 2\n");
        append(&folder, "a.log", "new 2\n");
        rename(&folder, "a.log", "a.log.1");
        append(&folder, "a.log", "newer\n");
        let mut found = drain(&mut source);
        found.extend(drain(&mut source));
        found.sort();
        assert_eq!(found, ["new 2", "newer", "old 2"], "wait {wait}");
    }
}

#[test]
fn several_rotations_while_nobody_looked_lose_and_double_nothing() {
    let folder = Folder::new();
    append(&folder, "a.log.1", "one\n");
    append(&folder, "a.log", "two\n");
    let mut source = follow(&folder, "0s");
    source.open().unwrap();
    drain(&mut source);
    source.close().unwrap();
    append(&folder, "a.log.1", "one more\n");
    append(&folder, "a.log", "two more\n");
    rename(&folder, "a.log.1", "a.log.2");
    rename(&folder, "a.log", "a.log.1");
    append(&folder, "a.log", "three\n");
    source.open().unwrap();
    let mut found = drain(&mut source);
    found.sort();
    assert_eq!(found, ["one more", "three", "two more"]);
    source.reopen().unwrap();
    assert!(drain(&mut source).is_empty());
}

#[test]
fn a_log_that_is_packed_or_copied_while_it_is_followed_is_read_once() {
    for way in ["gzip", "copytruncate"] {
        let folder = Folder::new();
        append(&folder, "a.log", "1\n2\n");
        let mut source = follow(&folder, "60s");
        source.open().unwrap();
        assert_eq!(drain(&mut source), ["1", "2"], "{way}");
        if way == "gzip" {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(b"1\n2\n").unwrap();
            let packed = packed.finish().unwrap();
            // As gzip writes it: the packed file grows beside the old one, which is removed at last.
            fs::write(folder.path("a.log.1.gz"), &packed[..9]).unwrap();
            assert!(drain(&mut source).is_empty(), "half of it");
            fs::write(folder.path("a.log.1.gz"), &packed).unwrap();
            assert!(drain(&mut source).is_empty(), "both are there");
            fs::remove_file(folder.path("a.log")).unwrap();
        } else {
            fs::write(folder.path("a.log.1"), "1\n").unwrap();
            assert!(drain(&mut source).is_empty(), "half of it");
            fs::write(folder.path("a.log.1"), "1\n2\n").unwrap();
            assert!(drain(&mut source).is_empty(), "both are there");
            fs::write(folder.path("a.log"), "").unwrap();
        }
        assert!(drain(&mut source).is_empty(), "{way}");
        append(&folder, "a.log", "3\n");
        assert_eq!(drain(&mut source), ["3"], "{way}");
    }
}
