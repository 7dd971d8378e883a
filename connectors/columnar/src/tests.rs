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

fn sink(folder: &Path, more: &[(&str, &str)]) -> SinkTest<ColumnarSink> {
    let mut config = BTreeMap::from([("path".to_owned(), folder.display().to_string())]);
    config.extend(
        more.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
    );
    TestHost::sink::<ColumnarSink>(config)
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
