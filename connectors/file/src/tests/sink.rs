//! `file-sink`.

use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SinkTest, TestData, TestHost, TestRecord};

use super::{Folder, config, told};
use crate::sink::FileSink;

const T0: (&str, i32) = ("t", 0);
const T1: (&str, i32) = ("t", 1);

fn sink(folder: &Folder, more: &[(&str, &str)]) -> SinkTest<FileSink> {
    TestHost::sink::<FileSink>(config(&folder.path("out/o.txt"), more))
}

fn record(partition: i32, value: impl Into<TestData>) -> TestRecord {
    TestRecord::new("t", value).partition(partition)
}

fn texts(values: &[&str]) -> Vec<TestRecord> {
    values.iter().map(|value| record(0, *value)).collect()
}

fn row(values: Vec<Value>) -> TestData {
    let schema = Arc::new(
        SchemaBuilder::structure()
            .field("id", SchemaBuilder::int64().build())
            .field("name", SchemaBuilder::string().optional().build())
            .field("at", SchemaBuilder::timestamp().optional().build())
            .field(
                "tags",
                SchemaBuilder::array(SchemaBuilder::string().build())
                    .optional()
                    .build(),
            )
            .build(),
    );
    let value = Value::Struct(Struct::from_values(Arc::clone(&schema), values).unwrap());
    TestData::Typed(schema, value)
}

fn check(format: &str, records: &[TestRecord], expected: &str, rejected: &[(i64, &str)]) {
    let folder = Folder::new();
    let mut sink = sink(&folder, &[("format", format)]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let put = sink.put(records).unwrap();
    sink.flush().unwrap();
    assert_eq!(folder.read("out/o.txt"), expected);
    let found: Vec<_> = put
        .rejected
        .iter()
        .map(|one| (one.offset, one.error.message.as_str()))
        .collect();
    assert_eq!(found, rejected);
}

#[test]
fn lines_are_values_and_newlines() {
    let records = [
        record(0, "a"),
        record(0, TestData::Null),
        record(0, "two\nlines"),
        record(0, &b"\xff"[1..]),
        record(
            0,
            row(vec![
                Value::Int64(1),
                Value::Null,
                Value::Int64(0),
                Value::Null,
            ]),
        ),
        record(0, "서울"),
    ];
    let expected =
        "a\n\n\n{\"id\":1,\"name\":null,\"at\":\"1970-01-01T00:00:00.000Z\",\"tags\":null}\n서울\n";
    let newline =
        "the value holds a newline, so it is not one line; `format: jsonl` writes it as JSON";
    check("lines", &records, expected, &[(2, newline)]);
}

#[test]
fn jsonl_is_json_or_a_string() {
    let records = [
        record(0, "{\"a\":\n1}"),
        record(0, "004"),
        record(0, TestData::Null),
        record(0, &b"\xff"[..]),
    ];
    check(
        "jsonl",
        &records,
        "{\"a\":1}\n\"004\"\nnull\n",
        &[(3, "the value is neither JSON nor UTF-8 text")],
    );
}

#[test]
fn csv_has_a_header_and_quotes_where_needed() {
    let text = |text: &str| Value::String(text.to_owned());
    let records = [
        record(
            0,
            row(vec![
                Value::Int64(i64::MAX),
                text("a,\"b\""),
                Value::Int64(1),
                Value::Array(vec![text("x"), text("y")]),
            ]),
        ),
        record(
            0,
            row(vec![Value::Int64(2), Value::Null, Value::Null, Value::Null]),
        ),
        record(
            0,
            row(vec![Value::Int64(3), text(""), Value::Null, Value::Null]),
        ),
        record(0, "no row"),
    ];
    let expected = "id,name,at,tags\n\
         9223372036854775807,\"a,\"\"b\"\"\",1970-01-01T00:00:00.001Z,\"[\"\"x\"\",\"\"y\"\"]\"\n2,,,\n3,\"\",,\n";
    check(
        "csv",
        &records,
        expected,
        &[(
            3,
            "the value is not a row with columns, as `csv` needs; text and JSON without a schema have none",
        )],
    );
}

#[test]
fn csv_goes_on_under_its_header_and_refuses_another() {
    let folder = Folder::new();
    let mut sink = sink(&folder, &[("format", "csv")]);
    let id = |n| row(vec![Value::Int64(n), Value::Null, Value::Null, Value::Null]);
    for n in 1..=2 {
        sink.reopen().unwrap();
        sink.assign(&[T0]).unwrap();
        sink.put(&[record(0, id(n))]).unwrap();
        sink.flush().unwrap();
    }
    assert_eq!(folder.read("out/o.txt"), "id,name,at,tags\n1,,,\n2,,,\n");
    let other = Arc::new(
        SchemaBuilder::structure()
            .field("other", SchemaBuilder::int64().build())
            .build(),
    );
    let value =
        Value::Struct(Struct::from_values(Arc::clone(&other), vec![Value::Int64(1)]).unwrap());
    let error = sink
        .put(&[record(0, TestData::Typed(other, value))])
        .unwrap_err();
    let message = "`DIR/out/o.txt`: the columns changed from id, name, at, tags to other: a CSV file has one header; write to another `path`";
    assert_eq!(told(&error, &folder), ("conflict", message.to_owned()));
    assert_eq!(folder.read("out/o.txt"), "id,name,at,tags\n1,,,\n2,,,\n");
}

#[test]
fn the_length_is_the_same_for_all_partitions() {
    let folder = Folder::new();
    let mut sink = sink(&folder, &[]);
    sink.open().unwrap();
    // Committed before anything is written.
    sink.assign(&[T0, T1]).unwrap();
    let (next, before) = sink.position("t", 1).unwrap();
    assert!(next == 0 && before.contains("\"length\":0"), "{before}");
    assert!(
        sink.put(&[record(1, "b"), record(0, "a"), record(0, "aa")])
            .unwrap()
            .progress
            .is_empty()
    );
    let tick = sink.put(&[]).unwrap();
    let lengths: Vec<_> = tick
        .progress
        .iter()
        .map(|((_, partition), (next, metadata))| (*partition, *next, metadata.clone()))
        .collect();
    let metadata = &lengths[0].2;
    assert!(
        metadata.contains("\"length\":7") && metadata.contains("\"inode\":"),
        "{metadata}"
    );
    assert_eq!(
        lengths,
        [(0, 2, metadata.clone()), (1, 1, metadata.clone())]
    );
    assert!(
        sink.put(&[]).unwrap().progress.is_empty(),
        "nothing new to report"
    );
    assert_eq!(sink.files()[&folder.text("out/o.txt")].bytes, 7);
}

#[test]
fn a_crash_neither_loses_nor_doubles_a_line() {
    let folder = Folder::new();
    let mut sink = sink(&folder, &[]);
    let big = "x".repeat(300_000);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    // More than the buffer: bytes are in the file, and no report covers them.
    sink.put(&texts(&["first", &big])).unwrap();
    assert!(folder.read("out/o.txt").len() > 300_000);
    for expected_next in [0, 3] {
        sink.reopen().unwrap();
        sink.assign(&[T0]).unwrap();
        let (next, _) = sink.position("t", 0).unwrap();
        assert_eq!(next, expected_next);
        sink.rewind("t", 0, next);
        if next == 0 {
            assert_eq!(
                folder.read("out/o.txt"),
                "",
                "what was not committed is cut"
            );
            sink.put(&texts(&["first", &big, "third"])).unwrap();
            sink.put(&[]).unwrap();
            sink.put(&texts(&["not reported", &big])).unwrap();
        }
    }
    assert_eq!(folder.read("out/o.txt"), format!("first\n{big}\nthird\n"));
}

#[test]
fn a_file_that_is_not_as_it_was_left_is_refused_unless_told() {
    let missing_hint = "put it back, or set `on.existing: append` to write behind what is there, `truncate` to empty it";
    let hint = "set `on.existing: append` to write behind what is there, `truncate` to empty it, or move it away";
    let no_position = "it holds 3 bytes, but no position is recorded for it: the data directory is new or was deleted, or the offsets were reset";
    let shorter =
        "4 bytes were written to it and recorded, but it holds 3: it was cut, deleted or replaced";
    for (recorded, message, hint) in [(false, no_position, hint), (true, shorter, missing_hint)] {
        for (word, expected) in [
            ("fail", "old"),
            ("append", "old\nnew\n"),
            ("truncate", "new\n"),
        ] {
            let folder = Folder::new();
            let mut sink = sink(&folder, &[("on.existing", word)]);
            sink.open().unwrap();
            sink.assign(&[T0]).unwrap();
            sink.put(&texts(&["one"])).unwrap();
            sink.flush().unwrap();
            if !recorded {
                sink.forget("t", 0);
            }
            folder.write("out/o.txt", "old");
            sink.reopen().unwrap();
            let assigned = sink.assign(&[T0]);
            if word == "fail" {
                assert_eq!(
                    told(&assigned.unwrap_err(), &folder),
                    ("conflict", format!("`DIR/out/o.txt`: {message}; {hint}"))
                );
            } else {
                assigned.unwrap();
                sink.put(&texts(&["new"])).unwrap();
                sink.flush().unwrap();
            }
            assert_eq!(
                folder.read("out/o.txt"),
                expected,
                "{word}, recorded {recorded}"
            );
        }
    }
}

#[test]
fn a_partition_that_comes_later_gets_the_committed_length() {
    let folder = Folder::new();
    let mut sink = sink(&folder, &[]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    sink.put(&texts(&["a"])).unwrap();
    sink.put(&[]).unwrap();
    sink.put(&texts(&["uncommitted"])).unwrap();
    sink.assign(&[T1]).unwrap();
    let metadata = |partition| sink.position("t", partition).unwrap().1.to_owned();
    assert_eq!(metadata(0), metadata(1));
    assert!(metadata(1).contains("\"length\":2"), "{}", metadata(1));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    folder.write("out", "a file, not a folder");
    let mut sink = sink(&folder, &[]);
    sink.open().unwrap();
    let (kind, message) = told(&sink.assign(&[T0]).unwrap_err(), &folder);
    assert_eq!(kind, "not_found");
    assert_eq!(
        message,
        "open `DIR/out/o.txt` for writing (nothing is lost: fix it and start again): `DIR/out` is a file, and a folder is wanted there: move it away, or choose another path"
    );
}

/// Writing on into a file that somebody cut would leave a hole of zeros and commit it.
#[test]
fn a_file_that_is_cut_removed_or_taken_while_it_is_written_stops_the_sink() {
    type Harm = fn(&Folder);
    let harms: [Harm; 3] = [
        |folder| folder.write("out/o.txt", ""),
        |folder| std::fs::remove_file(folder.path("out/o.txt")).unwrap(),
        |folder| {
            std::fs::rename(folder.path("out/o.txt"), folder.path("out/moved.txt")).unwrap();
            folder.write(
                "out/o.txt",
                "another file, longer than what was written to the first",
            );
        },
    ];
    for harm in harms {
        let folder = Folder::new();
        let mut sink = sink(&folder, &[]);
        sink.open().unwrap();
        sink.assign(&[T0]).unwrap();
        sink.put(&texts(&["one"])).unwrap();
        sink.flush().unwrap();
        harm(&folder);
        let outcome = sink.put(&texts(&["two"])).and_then(|_| sink.flush());
        assert_eq!(told(&outcome.unwrap_err(), &folder).0, "conflict");
    }
}

#[test]
fn one_file_has_one_writer() {
    let folder = Folder::new();
    let mut first = sink(&folder, &[]);
    first.open().unwrap();
    first.assign(&[T0]).unwrap();
    let mut second = sink(&folder, &[]);
    second.open().unwrap();
    let (kind, message) = told(&second.assign(&[T0]).unwrap_err(), &folder);
    assert_eq!(kind, "conflict");
    assert!(message.contains("one file has one writer"), "{message}");
}
