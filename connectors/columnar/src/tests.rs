//! Both classes together: what the sink writes, the source reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SinkTest, SourceTest, TestData, TestHost, TestRecord};

use crate::options::{ColumnarSinkOptions, ColumnarSourceOptions};
use crate::parquet::shortest;
use crate::sink::ColumnarSink;
use crate::source::ColumnarSource;

const T0: (&str, i32) = ("t", 0);

fn schema() -> Arc<Schema> {
    let field = |builder: SchemaBuilder| builder.optional().build();
    Arc::new(
        SchemaBuilder::structure()
            .field("i8", field(SchemaBuilder::int8()))
            .field("i16", field(SchemaBuilder::int16()))
            .field("i32", field(SchemaBuilder::int32()))
            .field("i64", field(SchemaBuilder::int64()))
            .field("f32", field(SchemaBuilder::float32()))
            .field("f64", field(SchemaBuilder::float64()))
            .field("b", field(SchemaBuilder::boolean()))
            .field("s", field(SchemaBuilder::string()))
            .field("raw", field(SchemaBuilder::bytes()))
            .field("d", field(SchemaBuilder::decimal(2)))
            .field("day", field(SchemaBuilder::date()))
            .field("time", field(SchemaBuilder::time()))
            .field("ms", field(SchemaBuilder::timestamp()))
            .field("us", field(SchemaBuilder::timestamp_micros()))
            .field("ns", field(SchemaBuilder::timestamp_nanos()))
            .field(
                "list",
                field(SchemaBuilder::array(SchemaBuilder::string().build())),
            )
            .build(),
    )
}

fn row(n: i64) -> TestRecord {
    let schema = schema();
    let values = if n % 3 == 2 {
        vec![Value::Null; schema.fields().len()]
    } else {
        vec![
            Value::Int8(-8),
            Value::Int16(-16),
            Value::Int32(i32::MIN),
            Value::Int64(n),
            Value::Float32(0.1),
            Value::Float64(-1.5e300),
            Value::Boolean(n % 2 == 0),
            Value::String(format!("서울 {n}")),
            Value::Bytes(vec![0, 255]),
            Value::decimal(i128::from(-n) * 100 - 1),
            Value::date(19_000),
            Value::time(86_399_999),
            Value::timestamp(-1),
            Value::Int64(1_700_000_000_000_001),
            Value::Int64(1_700_000_000_000_000_001),
            Value::Array(vec![Value::String("a\"".to_owned())]),
        ]
    };
    let value = Value::Struct(Struct::from_values(Arc::clone(&schema), values).unwrap());
    TestRecord::new("t", TestData::Typed(schema, value))
}

fn config(folder: &Path, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut config = BTreeMap::from([("path".to_owned(), folder.display().to_string())]);
    config.extend(
        more.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    config
}

fn sink(folder: &Path, more: &[(&str, &str)]) -> SinkTest<ColumnarSink> {
    TestHost::sink::<ColumnarSink>(config(folder, more))
}

fn source(glob: &Path, more: &[(&str, &str)]) -> SourceTest<ColumnarSource> {
    let mut config = BTreeMap::from([
        ("path".to_owned(), glob.display().to_string()),
        ("topic".to_owned(), "t".to_owned()),
    ]);
    config.extend(
        more.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    TestHost::source::<ColumnarSource>(config)
}

/// Writes rows, a file for each 7 of them.
fn write(folder: &Path, format: &str, packing: &str, rows: i64) {
    let options = [
        ("format", format),
        ("compression", packing),
        ("roll.records", "7"),
        ("row.group.records", "3"),
    ];
    let mut sink = sink(folder, &options);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let records: Vec<_> = (0..rows).map(row).collect();
    for batch in records.chunks(4) {
        sink.put(batch).unwrap();
    }
    assert_eq!(
        sink.flush()
            .unwrap()
            .progress
            .get(&("t".to_owned(), 0))
            .map_or(rows, |(next, _)| *next),
        rows
    );
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.join("t"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn rows_come_back_as_they_were() {
    for format in ["parquet", "avro"] {
        for packing in ["none", "snappy", "zstd"] {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), format, packing, 10);
            assert_eq!(
                names(folder.path()),
                [
                    format!("00000-00000000000000000000.{format}"),
                    format!("00000-00000000000000000007.{format}")
                ]
            );
            let mut source = source(&folder.path().join("t/*"), &[]);
            let found: Vec<String> = source
                .run(100)
                .unwrap()
                .iter()
                .map(|record| record.value.text())
                .collect();
            assert_eq!(found.len(), 10);
            let expected = r#"{"i8":-8,"i16":-16,"i32":-2147483648,"i64":4,"f32":0.1,"f64":-1.5e300,"b":true,"s":"서울 4","raw":"AP8=","d":"-4.01","day":"2022-01-08","time":"23:59:59.999","ms":"1969-12-31T23:59:59.999Z","us":"2023-11-14T22:13:20.000001Z","ns":"2023-11-14T22:13:20.000000001Z","list":"[\"a\\\"\"]"}"#;
            assert_eq!(found[4], expected, "{format} {packing}");
            assert!(found[5].starts_with(r#"{"i8":null,"#), "{}", found[5]);
            // Read to the end, there is nothing more.
            source.reopen().unwrap();
            assert!(source.run(100).unwrap().is_empty());
        }
    }
}

#[test]
fn reading_goes_on_at_any_row() {
    for format in ["parquet", "avro"] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), format, "snappy", 14);
        let mut source = source(&folder.path().join("t/*"), &[]).asking(2, 1 << 20);
        let mut found = Vec::new();
        loop {
            source.reopen().unwrap();
            let polled = source.poll().unwrap();
            source.commit(&polled).unwrap();
            found.extend(polled.records.iter().map(|record| record.value.text()));
            if polled.poll == Poll::Exhausted {
                break;
            }
        }
        assert_eq!(found.len(), 14, "{format}");
        let numbers: Vec<i64> = found
            .iter()
            .filter_map(|text| {
                serde_json::from_str::<serde_json::Value>(text).unwrap()["i64"].as_i64()
            })
            .collect();
        assert_eq!(numbers, [0, 1, 3, 4, 6, 7, 9, 10, 12, 13], "{format}");
    }
}

#[test]
fn a_crash_makes_the_same_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), &[]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    assert!(
        sink.put(&[row(0), row(1)]).unwrap().progress.is_empty(),
        "nothing counts yet"
    );
    // Dies, and the rows come again with more.
    sink.reopen().unwrap();
    sink.assign(&[T0]).unwrap();
    sink.rewind("t", 0, 0);
    sink.put(&[row(0), row(1), row(3), TestRecord::new("t", "no row")])
        .unwrap();
    assert_eq!(sink.flush().unwrap().progress[&("t".to_owned(), 0)].0, 4);
    assert_eq!(names(folder.path()), ["00000-00000000000000000000.parquet"]);
    assert_eq!(
        source(&folder.path().join("t/*"), &[])
            .run(9)
            .unwrap()
            .len(),
        3
    );
}

/// The numbers in all files of the folder.
fn numbers(folder: &Path) -> Vec<i64> {
    let mut numbers: Vec<i64> = source(&folder.join("t/*[!s]"), &[])
        .run(1000)
        .unwrap()
        .iter()
        .filter_map(|record| {
            let row: serde_json::Value = serde_json::from_str(&record.value.text()).unwrap();
            row["i64"].as_i64()
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

/// A row without nulls.
fn full(n: i64) -> TestRecord {
    let schema = Arc::new(
        SchemaBuilder::structure()
            .field("i64", SchemaBuilder::int64().build())
            .build(),
    );
    let row = Struct::from_values(Arc::clone(&schema), vec![Value::Int64(n)]).unwrap();
    TestRecord::new("t", TestData::Typed(schema, Value::Struct(row)))
}

/// The same with another column.
fn wide(n: i64) -> TestRecord {
    let schema = Arc::new(
        SchemaBuilder::structure()
            .field("i64", SchemaBuilder::int64().build())
            .field("more", SchemaBuilder::boolean().build())
            .build(),
    );
    let values = vec![Value::Int64(n), Value::Boolean(true)];
    let row = Struct::from_values(Arc::clone(&schema), values).unwrap();
    TestRecord::new("t", TestData::Typed(schema, Value::Struct(row)))
}

/// INV-C3. The host dies at each commit of a batch that makes many files, and the next start rolls elsewhere.
#[test]
fn a_crash_between_the_files_of_one_batch_loses_and_doubles_no_row() {
    const ROWS: i64 = 40;
    let kinds: [fn(i64) -> TestRecord; 3] = [
        full,
        // Columns change within files and batches.
        |n| if n / 4 % 2 == 0 { full(n) } else { wide(n) },
        // Every fifth record is rejected; rolling waits for its dead letter.
        |n| {
            if n % 5 == 0 {
                TestRecord::new("t", "no row")
            } else {
                full(n)
            }
        },
    ];
    for (kind, record) in kinds.into_iter().enumerate() {
        let records: Vec<_> = (0..ROWS).map(record).collect();
        let mut n_deaths = 0;
        for nth in 0..6 {
            for (rolls, then) in [("7", "5"), ("3", "100")] {
                let folder = tempfile::tempdir().unwrap();
                let mut first = sink(folder.path(), &[("roll.records", rolls)]);
                first.open().unwrap();
                first.assign(&[T0]).unwrap();
                first.put(&records[..11]).unwrap();
                n_deaths += u32::from(first.put_and_die(&records[11..], nth));
                let (committed, _) = first.position("t", 0).unwrap_or((0, ""));
                let mut second = first;
                second.set_config(config(folder.path(), &[("roll.records", then)]));
                second.open().unwrap();
                second.assign(&[T0]).unwrap();
                second.rewind("t", 0, committed);
                for batch in records[usize::try_from(committed).unwrap()..].chunks(9) {
                    second.put(batch).unwrap();
                }
                second.flush().unwrap();
                let expected: Vec<i64> = (0..ROWS).filter(|n| kind != 2 || n % 5 != 0).collect();
                assert_eq!(
                    numbers(folder.path()),
                    expected,
                    "kind {kind}, died at commit {nth}, rolled at {rolls}, then at {then}"
                );
            }
        }
        assert!(kind == 2 || n_deaths >= 6, "{n_deaths}");
    }
}

#[test]
fn a_row_that_is_rejected_first_gives_a_file_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), &[]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    let schema = Arc::new(
        SchemaBuilder::structure()
            .field("d", SchemaBuilder::decimal(0).build())
            .build(),
    );
    let decimal = |digits: Vec<u8>| {
        let row = Struct::from_values(Arc::clone(&schema), vec![Value::Bytes(digits)]).unwrap();
        TestRecord::new(
            "t",
            TestData::Typed(Arc::clone(&schema), Value::Struct(row)),
        )
    };
    // A decimal that is too long is found when its file is there already.
    let put = sink.put(&[decimal(vec![1; 17]), decimal(vec![1])]).unwrap();
    assert_eq!(put.rejected.len(), 1);
    sink.flush().unwrap();
    assert_eq!(names(folder.path()), ["00000-00000000000000000001.parquet"]);
}

#[test]
fn a_log_that_takes_no_commit_makes_the_task_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), &[("roll.records", "3")]);
    sink.open().unwrap();
    sink.assign(&[T0]).unwrap();
    sink.put(&[full(0), full(1)]).unwrap();
    sink.refuse_commits(Some("the log is full"));
    let error = sink.put(&[full(2), full(3)]).unwrap_err();
    // A temporary error would bring this batch again to a task that has given up the rows before it.
    assert!(!error.is_temporary());
    assert!(error.chain().contains("the log is full"), "{error}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |name: &str, bytes: &[u8], kind: ErrorKind, expected: &str| {
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = source(&folder.path().join(name), &[]).run(9).unwrap_err();
        assert_eq!(error.kind(), kind);
        let text = error
            .chain()
            .replace(folder.path().to_str().unwrap(), "DIR");
        assert!(text.starts_with(expected), "{text}");
    };
    fails(
        "x",
        b"hello",
        ErrorKind::DataInvalid,
        "`DIR/x`: it is neither a Parquet nor an Avro file",
    );
    fails(
        "cut",
        b"PAR1 and no more",
        ErrorKind::DataInvalid,
        "`DIR/cut`: the Parquet file cannot be read",
    );
    fails(
        "cut.avro",
        b"Obj\x01\x02",
        ErrorKind::DataInvalid,
        "`DIR/cut.avro`: the Avro file cannot be read",
    );
    let error = source(&folder.path().join("none*"), &[])
        .run(9)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // A file that changes after it was read.
    write(folder.path(), "avro", "none", 3);
    let file = folder.path().join("t/00000-00000000000000000000.avro");
    let mut read = source(&file, &[]);
    assert_eq!(read.run(9).unwrap().len(), 3);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, [bytes, vec![0]].concat()).unwrap();
    read.reopen().unwrap();
    assert_eq!(read.run(9).unwrap_err().kind(), ErrorKind::Conflict);
}

#[test]
fn numbers_lose_only_what_says_nothing() {
    assert_eq!(shortest(&[0, 0, 1]), [1]);
    assert_eq!(shortest(&[0xff, 0xff, 0x80]), [0x80]);
    assert_eq!(shortest(&[0, 0x80]), [0, 0x80]);
    assert_eq!(shortest(&[0, 0]), [0]);
}

#[test]
fn tables_are_complete() {
    fn check<O: Options>(heading: &str) {
        let readme = include_str!("../README.md");
        let start = readme.find(&format!("## `{heading}`")).unwrap() + 3;
        let section = readme.get(start..).unwrap().split("\n## ").next().unwrap();
        for option in O::definitions() {
            let row = section
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", option.name)));
            let row = row.unwrap_or_else(|| panic!("{heading}: README lacks `{}`", option.name));
            if let Some(default) = option.default {
                assert!(
                    row.contains(&format!("| `{default}` |")),
                    "{heading}: {row}"
                );
            }
        }
    }
    check::<ColumnarSourceOptions>("columnar-source");
    check::<ColumnarSinkOptions>("columnar-sink");
}
