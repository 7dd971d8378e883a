//! `file-sink` with many files, and packed output.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use linkspan_testkit::{SinkTest, TestHost, TestRecord};

use super::{Folder, config, told};
use crate::sink::FileSink;

const T0: (&str, i32) = ("t", 0);

fn sink(folder: &Folder, path: &str, more: &[(&str, &str)]) -> SinkTest<FileSink> {
    TestHost::sink::<FileSink>(config(&folder.path(path), more))
}

fn record(offset: i64, value: &str) -> TestRecord {
    // 2013-01-01T00:00:00Z and an hour for each offset.
    TestRecord::new("t", value).timestamp(1_356_998_400_000 + offset * 3_600_000)
}

/// All files below a folder with their content, the folder's name left out.
fn files(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    fn walk(root: &Path, at: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(folder.0.path(), folder.0.path(), &mut found);
    found
}

fn texts(folder: &Folder) -> Vec<(String, String)> {
    files(folder)
        .into_iter()
        .map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap()))
        .collect()
}

fn check(folder: &Folder, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(texts(folder), expected);
}

#[test]
fn files_roll_by_records_and_are_named_by_their_first() {
    let folder = Folder::new();
    let mut sink = sink(
        &folder,
        "{topic}/{partition:02}-{start_offset:05}.txt",
        &[("roll.records", "2")],
    );
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let records: Vec<_> = (0..5).map(|n| record(n, &n.to_string())).collect();
    let put = sink.put(&records).unwrap();
    // What is in no finished file is not reported.
    assert_eq!(put.progress[&("t".to_owned(), 0)].0, 4);
    check(
        &folder,
        &[
            ("t/00-00000.txt", "0\n1\n"),
            ("t/00-00002.txt", "2\n3\n"),
            ("t/00-00004.txt.inprogress", ""),
        ],
    );
    assert_eq!(sink.flush().unwrap().progress[&("t".to_owned(), 0)].0, 5);
    assert_eq!(
        texts(&folder)[2],
        ("t/00-00004.txt".to_owned(), "4\n".to_owned())
    );
}

#[test]
fn files_roll_by_bytes_and_by_time() {
    let path = "{partition}-{start_offset}.txt";
    let by_bytes = Folder::new();
    let mut bytes = sink(&by_bytes, path, &[("roll.bytes", "10")]);
    bytes.open().unwrap();
    bytes.assign(&[T0]).unwrap();
    let records: Vec<_> = (0..5).map(|n| record(n, &format!("{n}aaa"))).collect();
    let put = bytes.put(&records).unwrap();
    assert_eq!(put.progress[&("t".to_owned(), 0)].0, 4);
    check(
        &by_bytes,
        &[
            ("0-0.txt", "0aaa\n1aaa\n"),
            ("0-2.txt", "2aaa\n3aaa\n"),
            ("0-4.txt.inprogress", ""),
        ],
    );
    // An hour is not over, twenty milliseconds are.
    for (interval, finished) in [("1h", None), ("20ms", Some(2))] {
        let by_time = Folder::new();
        let mut time = sink(&by_time, path, &[("roll.interval", interval)]);
        time.open().unwrap();
        time.assign(&[T0]).unwrap();
        time.put(&[record(0, "a")]).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        let put = time.put(&[record(1, "b")]).unwrap();
        let progress = put.progress.get(&("t".to_owned(), 0));
        assert_eq!(progress.map(|progress| progress.0), finished, "{interval}");
    }
}

#[test]
fn hive_paths_take_time_and_fields() {
    let folder = Folder::new();
    let path = "dt={timestamp:%Y-%m-%d}/c={field:c}/{partition}-{start_offset}";
    let mut sink = sink(
        &folder,
        path,
        &[("timezone", "Asia/Seoul"), ("format", "jsonl")],
    );
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let put = sink
        .put(&[
            record(0, r#"{"c":"KR"}"#),
            record(1, r#"{"c":"../x"}"#),
            record(2, r#"{"c":null}"#),
            record(3, r#"{"d":1}"#),
            record(15, r#"{"c":"KR"}"#),
            record(16, "no json"),
        ])
        .unwrap();
    let rejected: Vec<_> = put.rejected.iter().map(|one| one.offset).collect();
    assert_eq!(rejected, [3, 5]);
    assert_eq!(sink.flush().unwrap().progress[&("t".to_owned(), 0)].0, 6);
    check(
        &folder,
        &[
            ("dt=2013-01-01/c=..%2Fx/0-1", "{\"c\":\"../x\"}\n"),
            ("dt=2013-01-01/c=KR/0-0", "{\"c\":\"KR\"}\n"),
            (
                "dt=2013-01-01/c=__HIVE_DEFAULT_PARTITION__/0-2",
                "{\"c\":null}\n",
            ),
            ("dt=2013-01-02/c=KR/0-4", "{\"c\":\"KR\"}\n"),
        ],
    );
}

#[test]
fn formats_have_their_head_and_their_end() {
    let check = |format: &str, expected: &str| {
        let folder = Folder::new();
        let mut sink = sink(&folder, "{partition}-{start_offset}", &[("format", format)]);
        sink.open().unwrap();
        sink.assign(&[T0]).unwrap();
        sink.put(&[
            record(0, r#"{"a":1,"b c":["x<","y"],"@k":"v","n":null}"#),
            record(1, "2"),
        ])
        .unwrap();
        sink.flush().unwrap();
        assert_eq!(texts(&folder)[0].1, expected, "{format}");
    };
    check(
        "json",
        "[\n{\"a\":1,\"b c\":[\"x<\",\"y\"],\"@k\":\"v\",\"n\":null},\n2\n]\n",
    );
    check(
        "xml",
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<records xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\n<record k=\"v\"><a>1</a><field name=\"b c\">x&lt;</field><field name=\"b c\">y</field><n xsi:nil=\"true\"/></record>\n<record>2</record>\n</records>\n",
    );
    check(
        "raw",
        "{\"a\":1,\"b c\":[\"x<\",\"y\"],\"@k\":\"v\",\"n\":null}2",
    );
}

#[test]
fn a_crash_anywhere_makes_the_same_files_again() {
    let path = "c={field:c}/{partition}-{start_offset:03}.json";
    let value = |n: i64| {
        format!(
            "{{\"c\":\"{}\",\"n\":{n}}}",
            ["a", "b", "c"][usize::try_from(n * n % 3).unwrap()]
        )
    };
    let records: Vec<_> = (0..40).map(|n| record(n, &value(n))).collect();
    for kill_after in 0..14 {
        let folder = Folder::new();
        let rolls = [("format", "jsonl"), ("roll.records", "7")];
        let mut sink = sink(&folder, path, &rolls);
        sink.open().unwrap();
        sink.assign(&[T0]).unwrap();
        let mut next = 0_usize;
        let mut puts = 0;
        let mut killed = false;
        while next < records.len() {
            let until = (next + 5).min(records.len());
            sink.put(&records[next..until]).unwrap();
            puts += 1;
            next = until;
            if puts == kill_after && !killed {
                // The process dies: what was reported is committed, everything else comes again, cut in other batches.
                killed = true;
                sink.reopen().unwrap();
                sink.assign(&[T0]).unwrap();
                let (committed, _) = sink.position("t", 0).unwrap();
                sink.rewind("t", 0, committed);
                next = usize::try_from(committed).unwrap();
            }
        }
        sink.flush().unwrap();
        let mut all: Vec<i64> = Vec::new();
        for (name, text) in texts(&folder) {
            assert!(
                !name.ends_with(".inprogress") || text.is_empty() || killed,
                "{name}"
            );
            if name.ends_with(".inprogress") {
                continue;
            }
            for line in text.lines() {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                assert!(name.starts_with(&format!("c={}", row["c"].as_str().unwrap())));
                all.push(row["n"].as_i64().unwrap());
            }
        }
        all.sort_unstable();
        assert_eq!(
            all,
            (0..40).collect::<Vec<_>>(),
            "killed after {kill_after} puts"
        );
    }
}

/// INV-F5. The host dies at each commit of a batch that makes many sets of files, and the next start rolls elsewhere.
#[test]
fn a_crash_between_the_files_of_one_batch_loses_and_doubles_no_line() {
    const LINES: i64 = 40;
    let path = "c={field:c}/{partition}-{start_offset:03}.json";
    let value = |n: i64| {
        format!(
            "{{\"c\":\"{}\",\"n\":{n}}}",
            ["a", "b"][usize::from(n % 3 == 0)]
        )
    };
    // Of the second kind every fifth record is rejected: rolling waits for its dead letter.
    for rejects in [false, true] {
        let bad = |n: i64| rejects && n % 5 == 0;
        let records: Vec<_> = (0..LINES)
            .map(|n| {
                record(
                    n,
                    &if bad(n) {
                        "no json".to_owned()
                    } else {
                        value(n)
                    },
                )
            })
            .collect();
        let mut n_deaths = 0;
        for nth in 0..6 {
            for (rolls, then) in [("7", "5"), ("3", "100")] {
                let folder = Folder::new();
                let options = |rolls| [("format", "jsonl"), ("roll.records", rolls)];
                let mut sink = sink(&folder, path, &options(rolls));
                sink.open().unwrap();
                sink.assign(&[T0]).unwrap();
                sink.put(&records[..11]).unwrap();
                n_deaths += u32::from(sink.put_and_die(&records[11..], nth));
                let (committed, _) = sink.position("t", 0).unwrap();
                sink.set_config(config(&folder.path(path), &options(then)));
                sink.open().unwrap();
                sink.assign(&[T0]).unwrap();
                sink.rewind("t", 0, committed);
                for batch in records[usize::try_from(committed).unwrap()..].chunks(9) {
                    sink.put(batch).unwrap();
                }
                sink.flush().unwrap();
                let mut found: Vec<String> = texts(&folder)
                    .into_iter()
                    .filter(|(name, _)| !name.ends_with(".inprogress"))
                    .flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>())
                    .collect();
                found.sort_unstable();
                let mut expected: Vec<String> =
                    (0..LINES).filter(|n| !bad(*n)).map(value).collect();
                expected.sort_unstable();
                assert_eq!(
                    found, expected,
                    "rejects {rejects}, died at commit {nth}, rolled at {rolls}, then at {then}"
                );
            }
        }
        assert!(rejects || n_deaths >= 6, "{n_deaths}");
    }
}

#[test]
fn a_record_that_is_rejected_first_gives_a_file_no_name() {
    let folder = Folder::new();
    let mut sink = sink(&folder, "{partition}-{start_offset}", &[]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let put = sink
        .put(&[record(0, "two\nlines"), record(1, "one")])
        .unwrap();
    assert_eq!(put.rejected.len(), 1);
    sink.flush().unwrap();
    check(&folder, &[("0-1", "one\n")]);
}

#[test]
fn a_log_that_takes_no_commit_makes_the_task_begin_anew() {
    let folder = Folder::new();
    let mut sink = sink(
        &folder,
        "{partition}-{start_offset}",
        &[("roll.records", "3")],
    );
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    sink.put(&[record(0, "a"), record(1, "b")]).unwrap();
    sink.refuse_commits(Some("the log is full"));
    let error = sink.put(&[record(2, "c"), record(3, "d")]).unwrap_err();
    // A temporary error would bring this batch again to a task that has given up the records before it.
    assert!(!error.is_temporary());
    assert!(error.chain().contains("the log is full"), "{error}");
}

#[test]
fn a_file_that_nobody_recorded_is_not_written_over() {
    let folder = Folder::new();
    folder.write("0-0", "precious\n");
    let mut refused = sink(&folder, "{partition}-{start_offset}", &[]);
    refused.open().unwrap();
    refused.assign(&[T0]).unwrap();
    let error = refused.put(&[record(0, "x")]).unwrap_err();
    assert!(
        told(&error, &folder)
            .1
            .starts_with("`DIR/0-0` exists, but nothing is recorded")
    );
    let mut told_to = sink(
        &folder,
        "{partition}-{start_offset}",
        &[("on.existing", "truncate")],
    );
    told_to.open().unwrap();
    told_to.assign(&[T0]).unwrap();
    told_to.put(&[record(0, "x")]).unwrap();
    told_to.flush().unwrap();
    check(&folder, &[("0-0", "x\n")]);
}

#[test]
fn files_of_several_topics_need_the_topic_in_their_name() {
    let folder = Folder::new();
    let mut sink = sink(&folder, "{partition}-{start_offset}", &[]);
    sink.open().unwrap();
    let error = sink.assign(&[T0, ("u", 0)]).unwrap_err();
    assert_eq!(told(&error, &folder).0, "config_invalid");
}

fn unpacked(name: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    match name {
        "gzip" => flate2::read::MultiGzDecoder::new(bytes).read_to_string(&mut text),
        "zstd" => zstd::stream::read::Decoder::new(bytes)
            .unwrap()
            .read_to_string(&mut text),
        _ => bzip2::read::MultiBzDecoder::new(bytes).read_to_string(&mut text),
    }
    .unwrap();
    text
}

#[test]
fn packed_output_is_read_by_others() {
    for packing in ["gzip", "zstd", "bz2"] {
        let folder = Folder::new();
        let mut many = sink(
            &folder,
            "{partition}-{start_offset}",
            &[("compression", packing), ("format", "csv")],
        );
        many.open().unwrap();
        many.assign(&[T0]).unwrap();
        // A value without columns is no row: all are rejected, and no file is made of them.
        many.put(&[record(0, "x")]).unwrap();
        many.flush().unwrap();
        assert!(files(&folder).is_empty());
        // One file that grows, over a restart.
        let mut single = sink(&folder, "o.packed", &[("compression", packing)]);
        for (n, value) in ["서울", "b"].iter().enumerate() {
            single.reopen().unwrap();
            single.assign(&[T0]).unwrap();
            let (committed, _) = single.position("t", 0).unwrap();
            single.rewind("t", 0, committed);
            single
                .put(&[record(i64::try_from(n).unwrap(), value)])
                .unwrap();
            single.flush().unwrap();
            // Torn bytes behind the recorded length are cut at the next start.
            let path = folder.path("o.packed");
            let torn = [fs::read(&path).unwrap(), b"torn".to_vec()].concat();
            fs::write(&path, torn).unwrap();
        }
        single.reopen().unwrap();
        single.assign(&[T0]).unwrap();
        assert_eq!(
            unpacked(packing, &fs::read(folder.path("o.packed")).unwrap()),
            "서울\nb\n",
            "{packing}"
        );
    }
}
