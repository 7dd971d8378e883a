//! `mode: spool`, and logs that are rotated.

use std::fs;
use std::time::Duration;

use linkspan_sdk::Poll;
use linkspan_testkit::SourceTest;
use serde_json::json;

use super::source::{check, check_failure, next, read, source};
use super::{Folder, told};
use crate::source::FileSource;

const SPOOL: (&str, &str) = ("mode", "spool");

fn spool(folder: &Folder, more: &[(&str, &str)]) -> SourceTest<FileSource> {
    let config = [&[SPOOL], more].concat();
    source(&folder.path("*.txt"), &config)
}

fn names(folder: &Folder, under: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path(under))
        .map(|entries| {
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn files_are_put_away_only_when_their_records_are_durable() {
    for cleanup in ["move", "move_by_date", "delete", "none"] {
        let folder = Folder::new();
        folder.write("a.txt", "1\n2");
        let done = folder.text("done");
        let mut source = spool(&folder, &[("cleanup", cleanup), ("finished.path", &done)]);
        source.open().unwrap();
        let first = source.poll().unwrap();
        assert_eq!((first.records.len(), first.poll), (2, Poll::More));
        // Nothing is durable yet.
        assert_eq!(names(&folder, ""), ["a.txt"]);
        source.commit(&first).unwrap();
        assert_eq!(source.poll().unwrap().poll, Poll::Exhausted);
        let left: &[&str] = match cleanup {
            "delete" => &[],
            "none" => &["a.txt"],
            _ => &["done"],
        };
        assert_eq!(names(&folder, ""), left, "{cleanup}");
        if cleanup == "move" {
            assert_eq!(names(&folder, "done"), ["a.txt"]);
        }
        // Run again it finds nothing new.
        let again = [
            ("cleanup", cleanup),
            ("on.no.input", "ok"),
            ("finished.path", &done),
        ];
        let (texts, failure) = {
            let stored = source
                .committed(&json!({"filename": folder.text("a.txt")}))
                .unwrap();
            assert_eq!(stored["done"], true);
            let partition = json!({"filename": folder.text("a.txt")});
            read(&mut spool(&folder, &again).committed_before(&partition, &stored))
        };
        assert!(
            texts.is_empty() && failure.is_none(),
            "{texts:?} {failure:?}"
        );
    }
}

#[test]
fn a_crash_between_durable_and_put_away_is_made_good() {
    let folder = Folder::new();
    folder.write("a.txt", "1\n");
    let mut source = spool(&folder, &[("cleanup", "delete")]);
    source.open().unwrap();
    let first = source.poll().unwrap();
    source.commit(&first).unwrap();
    // The task dies before it deletes the file; the next one does.
    source.reopen().unwrap();
    let polled = source.poll().unwrap();
    assert!(polled.records.is_empty());
    source.commit(&polled).unwrap();
    assert_eq!(source.poll().unwrap().poll, Poll::Exhausted);
    assert!(names(&folder, "").is_empty());
}

#[test]
fn a_file_waits_for_its_marker_its_age_and_a_size_that_stands_still() {
    let folder = Folder::new();
    folder.write("a.txt", "1\n");
    folder.write("b.txt", "2\n");
    folder.write("b.txt.done", "");
    let marker = [("done.marker", ".done"), ("cleanup", "delete")];
    check(&mut spool(&folder, &marker), &["2"]);
    assert_eq!(names(&folder, ""), ["a.txt"]);
    check(
        &mut spool(
            &folder,
            &[("min.file.age", "30ms"), ("poll.interval", "10ms")],
        ),
        &["1"],
    );
    let looks = [("stable.size.checks", "2"), ("poll.interval", "1ms")];
    let mut source = spool(&folder, &looks);
    source.open().unwrap();
    let mut polls = 0;
    while source.poll().unwrap().records.is_empty() {
        polls += 1;
        assert!(polls < 100);
    }
    assert!(polls >= 2, "it was read at look {polls}");
}

/// What a delivery brings when `b.txt` held other bytes before, or when other files held the same.
fn deliver(
    before: Option<&str>,
    other: Option<&str>,
    now: &str,
    config: &[(&str, &str)],
) -> Result<Vec<String>, String> {
    let folder = Folder::new();
    let mut first = spool(&folder, &[("on.no.input", "ok")]);
    for (name, content) in [("a.txt", other), ("b.txt", before)] {
        if let Some(content) = content {
            folder.write(name, content);
        }
    }
    let (_, failure) = read(&mut first);
    assert!(failure.is_none(), "{failure:?}");
    folder.write("b.txt", now);
    let mut second = spool(&folder, config);
    for name in ["a.txt", "b.txt"] {
        let partition = json!({ "filename": folder.text(name) });
        if let Some(stored) = first.committed(&partition) {
            second = second.committed_before(&partition, &stored);
        }
    }
    let (texts, failure) = read(&mut second);
    match failure {
        None => Ok(texts),
        Some(error) => {
            assert!(texts.is_empty());
            let (kind, message) = told(&error, &folder);
            assert_eq!(kind, "conflict");
            Err(message)
        }
    }
}

#[test]
fn delivered_twice_in_every_combination() {
    for replaced in ["fail", "restart", "skip"] {
        for duplicate in ["fail", "skip", "again"] {
            let config = [("on.replaced", replaced), ("on.duplicate", duplicate)];
            let says = |expected: &str, found: Result<Vec<String>, String>| match found {
                Ok(texts) => assert_eq!(texts.join(","), expected, "{config:?}"),
                Err(message) => {
                    assert!(message.contains(expected), "{config:?}: {message}");
                    assert!(!expected.is_empty());
                }
            };
            // The same bytes under the same name: nothing to do, whatever is set.
            says("", deliver(Some("1\n"), None, "1\n", &config));
            // Other bytes under the same name.
            let new = match replaced {
                "fail" => "`DIR/b.txt` was cut or replaced",
                "restart" => "2",
                _ => "",
            };
            says(new, deliver(Some("1\n"), None, "2\n", &config));
            // The same bytes under another name.
            let copy = match duplicate {
                "fail" => "`DIR/b.txt` holds the same bytes as `DIR/a.txt`",
                "skip" => "",
                _ => "7",
            };
            says(copy, deliver(None, Some("7\n"), "7\n", &config));
            // Both: the name held other bytes, and another name held these.
            let both = match (replaced, duplicate) {
                ("fail", _) => "`DIR/b.txt` was cut or replaced",
                ("skip", _) => "",
                (_, "fail") => "`DIR/b.txt` holds the same bytes as `DIR/a.txt`",
                (_, "skip") => "",
                (_, _) => "7",
            };
            says(both, deliver(Some("1\n"), Some("7\n"), "7\n", &config));
        }
    }
    // Alike at both ends and as long, but not the same.
    let file = |c: char| format!("{}{c}{}\n", "x\n".repeat(2000), "y\n".repeat(2000));
    let message = deliver(Some(&file('a')), None, &file('b'), &[]).unwrap_err();
    assert!(
        message.contains("it holds other bytes than when it was read (another SHA-256)"),
        "{message}"
    );
    // Empty files are all alike.
    assert_eq!(deliver(None, Some(""), "", &[]), Ok(Vec::new()));
}

#[test]
fn duplicates_within_one_run_are_found_by_any_number_of_tasks() {
    let folder = Folder::new();
    for n in 0..6 {
        folder.write(&format!("{n}.txt"), format!("content {}\n", n / 2));
    }
    let mut all = Vec::new();
    for share in ["0/3", "1/3", "2/3"] {
        let (texts, failure) = read(&mut spool(
            &folder,
            &[("on.duplicate", "skip"), ("file.share", share)],
        ));
        assert!(failure.is_none());
        all.extend(texts);
    }
    all.sort();
    assert_eq!(all, ["content 0", "content 1", "content 2"]);
}

#[test]
fn what_cannot_be_read_is_taken_out_of_the_way_and_fails_the_job_at_its_end() {
    let folder = Folder::new();
    folder.write("a.txt", b"1\n\xff\n");
    folder.write("b.txt", "2\n");
    let bad = folder.text("bad");
    let mut source = spool(&folder, &[("error.path", &bad)]);
    check_failure(
        &mut source,
        &folder,
        &["1", "2"],
        "data_invalid",
        "put into `error.path`, because it could not be read: `DIR/a.txt` line 2, byte 2: the bytes are not valid UTF-8; records of it that were handed out before: 1, up to byte 2. Deliver only the rest again, under another name: with the whole file they would come twice",
    );
    assert_eq!(names(&folder, ""), ["b.txt", "bad"]);
    assert_eq!(names(&folder, "bad"), ["a.txt", "a.txt.error.txt"]);
    assert!(
        folder
            .read("bad/a.txt.error.txt")
            .contains("not valid UTF-8")
    );
}

#[test]
fn of_a_damaged_packed_file_nothing_goes_out_and_the_repaired_one_is_read_whole() {
    use std::io::Write;
    let folder = Folder::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let lines: Vec<String> = (0..5000).map(|n| format!("line {n}")).collect();
    encoder.write_all(lines.join("\n").as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    folder.write("a.txt", &whole[..whole.len() - 9]);
    folder.write("b.txt", "2\n");
    let bad = folder.text("bad");
    let mut source = spool(&folder, &[("error.path", &bad)]);
    let (texts, failure) = read(&mut source);
    assert_eq!(texts, ["2"]);
    let (_, message) = told(&failure.unwrap(), &folder);
    assert!(
        message.contains("cannot be unpacked, behind byte")
            && message.ends_with("; no record of it was handed out"),
        "{message}"
    );
    folder.write("a.txt", &whole);
    let (texts, failure) = read(&mut source);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(texts, lines);
}

#[test]
fn what_is_long_gone_is_forgotten() {
    let folder = Folder::new();
    folder.write("b.txt", "2\n");
    let partition = json!({ "filename": folder.text("a.txt") });
    let old = json!({"position": 2, "inode": 1, "size": 2, "head": "0", "sha256": "x", "done": true, "modified": 1, "at": 1});
    let mut source = spool(&folder, &[]).committed_before(&partition, &old);
    check(&mut source, &["2"]);
    assert_eq!(source.committed(&partition), None);
    assert_eq!(source.committed_count(), 1);
}

fn follow(folder: &Folder, glob: &str, more: &[(&str, &str)]) -> SourceTest<FileSource> {
    let config = [&[("poll.interval", "1ms"), ("rotate.wait", "0s")], more].concat();
    source(&folder.path(glob), &config)
        .bounded(false)
        .waiting(Duration::ZERO)
}

fn drain(source: &mut SourceTest<FileSource>) -> Vec<String> {
    let mut texts = Vec::new();
    let mut quiet = 0;
    while quiet < 4 {
        let more = next(source);
        quiet = if more.is_empty() { quiet + 1 } else { 0 };
        texts.extend(more);
    }
    texts
}

#[test]
fn a_renamed_log_is_read_to_its_end_and_its_successor_from_its_start() {
    let folder = Folder::new();
    folder.write("a.log", "1\n2\n");
    let mut source = follow(&folder, "a.log", &[]);
    source.open().unwrap();
    assert_eq!(drain(&mut source), ["1", "2"]);
    folder.write("a.log", "1\n2\n3\n");
    fs::rename(folder.path("a.log"), folder.path("a.log.1")).unwrap();
    folder.write("a.log", "4\n");
    assert_eq!(drain(&mut source), ["3", "4"]);
    // A file that is moved over the old one replaces it: nothing says that this is a log.
    folder.write("new", "5\n");
    fs::rename(folder.path("new"), folder.path("a.log")).unwrap();
    let error = (0..9).find_map(|_| source.poll().err()).unwrap();
    assert!(
        told(&error, &folder)
            .1
            .starts_with("`DIR/a.log` was cut or replaced")
    );
}

#[test]
fn a_log_rotated_while_nobody_looked_loses_and_doubles_nothing() {
    // By rename, by copy and truncate, and packed after the rename.
    for way in ["rename", "copytruncate", "gzip"] {
        let folder = Folder::new();
        folder.write("a.log", "1\n2\n");
        let mut source = follow(&folder, "a.log*", &[]);
        source.open().unwrap();
        assert_eq!(drain(&mut source), ["1", "2"], "{way}");
        source.close().unwrap();
        folder.write("a.log", "1\n2\n3\n");
        match way {
            "rename" => fs::rename(folder.path("a.log"), folder.path("a.log.1")).unwrap(),
            "copytruncate" => {
                fs::copy(folder.path("a.log"), folder.path("a.log.1")).unwrap();
            }
            _ => {
                use std::io::Write;
                let mut packed =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(b"1\n2\n3\n").unwrap();
                folder.write("a.log.1.gz", packed.finish().unwrap());
                fs::remove_file(folder.path("a.log")).unwrap();
            }
        }
        folder.write("a.log", "4\n");
        source.open().unwrap();
        let mut texts = drain(&mut source);
        texts.sort();
        assert_eq!(texts, ["3", "4"], "{way}");
        source.reopen().unwrap();
        assert!(drain(&mut source).is_empty(), "{way}");
    }
}

#[test]
fn a_log_may_be_followed_from_its_end() {
    let folder = Folder::new();
    folder.write("a.log", "old\n");
    let mut source = follow(&folder, "*.log", &[("read.from", "end")]);
    source.open().unwrap();
    assert!(drain(&mut source).is_empty());
    folder.write("a.log", "old\nnew\n");
    folder.write("b.log", "born later\n");
    assert_eq!(drain(&mut source), ["new", "born later"]);
}

#[test]
fn ten_thousand_files_are_read_once_each() {
    let folder = Folder::new();
    for n in 0..10_000 {
        folder.write(&format!("{n:05}.txt"), format!("{n}\n"));
    }
    let mut source = spool(&folder, &[]).asking(u32::MAX, 4 << 20);
    let (texts, failure) = read(&mut source);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(texts.len(), 10_000);
    assert_eq!(source.committed_count(), 10_000);
    check(&mut source, &[]);
}
