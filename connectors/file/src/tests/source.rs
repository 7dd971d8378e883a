//! `file-source`.

use std::fs;
use std::path::Path;

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SourceTest, TestHost};
use serde_json::{Value as Json, json};

use super::{Folder, config, told};
use crate::source::{FileSource, FileSourceConnector};

pub(super) fn source(path: &Path, more: &[(&str, &str)]) -> SourceTest<FileSource> {
    let mut config = config(path, more);
    config.insert("topic".to_owned(), "t".to_owned());
    TestHost::source::<FileSource>(config)
}

/// All records until the end, or until the failure that is returned with them.
pub(super) fn read(source: &mut SourceTest<FileSource>) -> (Vec<String>, Option<Error>) {
    let (mut texts, mut failure) = (Vec::new(), None);
    match source.reopen() {
        Ok(()) => {}
        Err(error) => return (texts, Some(error)),
    }
    loop {
        match source.poll() {
            Ok(polled) => {
                source.commit(&polled).unwrap();
                texts.extend(polled.records.iter().map(|record| record.value.text()));
                if polled.poll == Poll::Exhausted {
                    break;
                }
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    (texts, failure)
}

pub(super) fn check(source: &mut SourceTest<FileSource>, expected: &[&str]) {
    let (texts, failure) = read(source);
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(texts, expected);
}

pub(super) fn check_failure(
    source: &mut SourceTest<FileSource>,
    folder: &Folder,
    texts: &[&str],
    kind: &'static str,
    message: &str,
) {
    let (found, failure) = read(source);
    assert_eq!(found, texts);
    assert_eq!(
        told(&failure.expect("no failure"), folder),
        (kind, message.to_owned())
    );
}

/// One poll of a source that follows.
pub(super) fn next(source: &mut SourceTest<FileSource>) -> Vec<String> {
    let polled = source.poll().unwrap();
    source.commit(&polled).unwrap();
    polled
        .records
        .iter()
        .map(|record| record.value.text())
        .collect()
}

#[test]
fn lines_come_once_and_the_last_needs_no_newline() {
    let folder = Folder::new();
    folder.write("a.txt", "a\r\n가나\n\nlast");
    let path = folder.path("a.txt");
    // One record a poll: every position in the file is resumed from.
    let mut source = source(&path, &[]).asking(1, 1);
    check(&mut source, &["a", "가나", "", "last"]);
    check(&mut source, &[]);
    let stored = source
        .committed(&json!({ "filename": folder.text("a.txt") }))
        .unwrap();
    let keys: Vec<_> = stored.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["position", "inode", "head", "size", "tail"]);
    assert_eq!(
        (&stored["position"], &stored["size"]),
        (&json!(15), &json!(15))
    );
    // The newline that was missing is not an empty line when it comes.
    folder.write("a.txt", "a\r\n가나\n\nlast\r\nnew\n");
    check(&mut source, &["new"]);
    assert_eq!(source.files()[&folder.text("a.txt")].bytes, 21);
}

#[test]
fn files_of_a_list_and_a_glob_are_read_in_order() {
    let folder = Folder::new();
    for name in ["b.txt", "a.txt", "z.txt"] {
        folder.write(name, name);
    }
    let list = json!([folder.text("z.txt"), folder.text("*.txt")]).to_string();
    check(
        &mut source(Path::new(&list), &[]),
        &["z.txt", "a.txt", "b.txt"],
    );
}

#[test]
fn a_long_file_is_cut_the_same_whatever_a_batch_holds() {
    let folder = Folder::new();
    let lines: Vec<String> = (0..40_000)
        .map(|i| format!("{i}-{}", "é".repeat(i % 120)))
        .collect();
    folder.write("a.txt", lines.join("\n"));
    for (records, bytes) in [(u32::MAX, 4 << 20), (7_001, 4 << 20), (u32::MAX, 100_000)] {
        let mut source = source(&folder.path("a.txt"), &[]).asking(records, bytes);
        let (texts, failure) = read(&mut source);
        assert!(failure.is_none());
        assert!(
            texts == lines,
            "wrong lines with {records} records and {bytes} bytes a batch"
        );
    }
}

#[test]
fn bad_bytes_and_long_lines_name_their_place() {
    let folder = Folder::new();
    let path = folder.path("a.txt");
    let check = |content: &[u8], texts: &[&str], message: &str| {
        folder.write("a.txt", content);
        check_failure(
            &mut source(&path, &[("max.line.bytes", "70000")]),
            &folder,
            texts,
            "data_invalid",
            message,
        );
    };
    check(
        b"ok\nbad \xff\nx\n",
        &["ok"],
        "`DIR/a.txt` line 2, byte 7: the bytes are not valid UTF-8",
    );
    check(
        b"ok\n\xea\xb0",
        &["ok"],
        "`DIR/a.txt` line 2, byte 3: the bytes are not valid UTF-8",
    );
    let long = "longer than `max.line.bytes` (70000); raise that option if it should be this long";
    check(
        &[b"ok\n".to_vec(), vec![b'x'; 64 << 20]].concat(),
        &["ok"],
        &format!("`DIR/a.txt` line 2, byte 3: {long}"),
    );
    check(
        &[vec![b'x'; 70_001], b"\n".to_vec()].concat(),
        &[],
        &format!("`DIR/a.txt` line 1, byte 0: {long}"),
    );
}

#[test]
fn a_replaced_file_fails_restarts_or_is_skipped() {
    for (new, what) in [
        ("b\n", "it has 2 bytes, but 4 were read of it"),
        (
            "b\nb\nc\n",
            "it begins with other bytes than when it was read",
        ),
    ] {
        for (word, expected) in [("restart", new.lines().collect()), ("skip", Vec::new())] {
            let folder = Folder::new();
            let path = folder.path("a.txt");
            folder.write("a.txt", "a\nb\n");
            let mut failing = source(&path, &[]);
            check(&mut failing, &["a", "b"]);
            let stored = failing
                .committed(&json!({ "filename": folder.text("a.txt") }))
                .unwrap();
            folder.write("a.txt", new);
            let hint =
                "set `on.replaced: restart` to read it from its start, or `skip` to leave it alone";
            check_failure(
                &mut failing,
                &folder,
                &[],
                "conflict",
                &format!("`DIR/a.txt` was cut or replaced: {what}; {hint}"),
            );
            let partition = json!({ "filename": folder.text("a.txt") });
            let mut other =
                source(&path, &[("on.replaced", word)]).committed_before(&partition, &stored);
            check(&mut other, &expected);
        }
    }
}

#[test]
fn a_job_without_input_fails_unless_that_is_ok() {
    let folder = Folder::new();
    let path = folder.path("x*.txt");
    check_failure(
        &mut source(&path, &[]),
        &folder,
        &[],
        "not_found",
        "no file matches `DIR/x*.txt`; set `on.no.input: ok` if that is right",
    );
    check(&mut source(&path, &[("on.no.input", "ok")]), &[]);
}

#[test]
fn growing_and_new_files_are_followed() {
    let folder = Folder::new();
    let mut source = source(
        &folder.path("*.log"),
        &[
            ("poll.interval", "1ms"),
            ("on.replaced", "restart"),
            ("rotate.wait", "0s"),
        ],
    )
    .bounded(false)
    .waiting(Duration::ZERO);
    source.open().unwrap();
    let none: [&str; 0] = [];
    assert_eq!(next(&mut source), none);
    folder.write("a.log", "a\nb");
    assert_eq!(next(&mut source), ["a"]);
    assert_eq!(next(&mut source), none);
    folder.write("a.log", "a\nb\nc\n");
    assert_eq!(next(&mut source), ["b", "c"]);
    folder.write("b.log", "new file\n");
    assert_eq!(next(&mut source), ["new file"]);
    // Rotation: what the old file still has comes first, its last line complete or not.
    folder.write("a.log", "a\nb\nc\ntail");
    fs::rename(folder.path("a.log"), folder.path("a.log.1")).unwrap();
    folder.write("a.log", "x\n");
    let mut rest = next(&mut source);
    rest.extend(next(&mut source));
    assert_eq!(rest, ["tail", "x"]);
}

const FLIGHTS: &[(&str, &str)] = &[
    ("format", "csv"),
    ("csv.null.values", r#"["","NA"]"#),
    (
        "csv.types",
        r#"{"n":"int32","price":"decimal(6,2)","at":"timestamp","day":"date","ok":"boolean","raw":"bytes","f":"float64"}"#,
    ),
];

#[test]
fn csv_rows_are_typed() {
    let folder = Folder::new();
    folder.write("a.csv", "\u{feff}n,price,at,day,ok,raw,f,text\r\n1,-12.5,2013-01-01T05:00:00+09:00,2013-01-31,TRUE,AP8=,0.1,\"a\nb, \"\"c\"\"\"\r\n\r\nNA,,NA,,,,,서울\r\n");
    let mut source = source(&folder.path("a.csv"), FLIGHTS).asking(1, 1);
    check(
        &mut source,
        &[
            r#"{"n":1,"price":"-12.50","at":"2012-12-31T20:00:00.000Z","day":"2013-01-31","ok":true,"raw":"AP8=","f":0.1,"text":"a\nb, \"c\""}"#,
            r#"{"n":null,"price":null,"at":null,"day":null,"ok":null,"raw":null,"f":null,"text":"서울"}"#,
        ],
    );
    // Continued in the middle: the columns come from the head of the file.
    let grown = folder.read("a.csv") + "2,,,,,,,\r\n";
    folder.write("a.csv", grown);
    check(
        &mut source,
        &[r#"{"n":2,"price":null,"at":null,"day":null,"ok":null,"raw":null,"f":null,"text":null}"#],
    );
}

#[test]
fn csv_that_does_not_fit_names_file_line_byte_and_column() {
    let folder = Folder::new();
    let types = ("csv.types", r#"{"n":"int8","at":"timestamp"}"#);
    let check = |content: &str, records: usize, message: &str| {
        folder.write("a.csv", content);
        let mut source = source(&folder.path("a.csv"), &[("format", "csv"), types]);
        let (texts, failure) = read(&mut source);
        assert_eq!(texts.len(), records, "{content:?}");
        assert_eq!(
            told(&failure.expect("no failure"), &folder),
            ("data_invalid", format!("`DIR/a.csv` {message}"))
        );
    };
    check(
        "n,at\n1,\n\"2\n\",\n",
        1,
        "line 3, byte 8: column `n` is not of type `int8`",
    );
    check(
        "n,at\r1,\r2,\r",
        0,
        "line 1, byte 0: the header holds a carriage return without a line feed: the file's lines end in CR alone, write them with LF or CRLF, or set `csv.line.end: cr`",
    );
    check(
        "n,at\n1,\n2\n",
        1,
        "line 3, byte 8: too few fields: 1 where 2 are expected",
    );
    check(
        "n,at\n1,,\n",
        0,
        "line 2, byte 5: too many fields: 3 where 2 are expected",
    );
    check(
        "n,at\n1,\"x\n\n",
        0,
        "line 2, byte 7: the file ends inside a quoted field",
    );
    check(
        "n,at\n1,\"x\"y\n",
        0,
        "line 2, byte 10: a field goes on after its closing quote",
    );
    check(
        "n,at\n1,2013-01-01T00:00:00\n",
        0,
        "line 2, byte 5: column `at` is not a `timestamp` (2013-01-31T05:15:00.000Z, at most milliseconds; without a zone only where `csv.timezone` is set)",
    );
    check("n,at,n\n", 0, "line 1, byte 0: two columns are named `n`");
    check(
        "n,b\n1,2\n",
        0,
        "line 1, byte 0: `csv.types` names the column `at`, which the file does not have; its columns are `n`, `b`",
    );
}

#[test]
fn csv_without_header_gets_names() {
    let folder = Folder::new();
    folder.write("a.csv", "1;x\n2;y\n");
    let base = [
        ("format", "csv"),
        ("csv.header", "false"),
        ("csv.delimiter", ";"),
    ];
    check(
        &mut source(&folder.path("a.csv"), &base),
        &[
            r#"{"column1":"1","column2":"x"}"#,
            r#"{"column1":"2","column2":"y"}"#,
        ],
    );
    let named = [
        &base[..],
        &[
            ("csv.columns", "id,name"),
            ("csv.types", r#"{"id":"int64"}"#),
        ],
    ]
    .concat();
    check(
        &mut source(&folder.path("a.csv"), &named),
        &[r#"{"id":1,"name":"x"}"#, r#"{"id":2,"name":"y"}"#],
    );
}

#[test]
fn tasks_share_files_without_overlap() {
    let folder = Folder::new();
    let names: Vec<String> = (0..20).map(|i| format!("{i:02}.txt")).collect();
    for name in &names {
        folder.write(name, name);
    }
    let mut all = Vec::new();
    for share in ["0/3", "1/3", "2/3"] {
        let (texts, failure) = read(&mut source(&folder.path("*.txt"), &[("file.share", share)]));
        assert!(failure.is_none() && texts.len() < 20);
        all.extend(texts);
    }
    all.sort();
    assert_eq!(all, names);
}

#[test]
fn there_are_no_more_tasks_than_files() {
    let folder = Folder::new();
    let tasks = |n_files: usize, max: u32| {
        for i in 0..n_files {
            folder.write(&format!("{i}.csv"), "");
        }
        let mut config = config(&folder.path("*.csv"), &[]);
        config.insert("topic".to_owned(), "t".to_owned());
        let options = Options::from_config(&config).unwrap();
        // The future never waits.
        let mut future = std::pin::pin!(FileSourceConnector::task_configs(&options, max));
        let mut ctx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(configs) = future.as_mut().poll(&mut ctx) else {
            panic!("waits")
        };
        configs
            .unwrap()
            .iter()
            .map(|task| Json::from(task["file.share"].as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(tasks(0, 4), ["0/1"]);
    assert_eq!(tasks(3, 4), ["0/3", "1/3", "2/3"]);
    assert_eq!(tasks(3, 2), ["0/2", "1/2"]);
}
