//! `FileStreamSource` and `FileStreamSink`.

use linkspan_sdk::prelude::*;
use linkspan_testkit::{TestData, TestHost, TestRecord};
use serde_json::json;

use super::{Folder, told};
use crate::stream::{StreamSink, StreamSource};

#[test]
fn positions_are_kafkas_and_count_bytes() {
    let folder = Folder::new();
    folder.write("we[i]rd.txt", "가\nb\nunfinished");
    let file = folder.text("we[i]rd.txt");
    let partition = json!({ "filename": file });
    let mut source = TestHost::source::<StreamSource>([
        ("file", file.as_str()),
        ("topic", "t"),
        ("batch.size", "1"),
    ])
    .bounded(false)
    .waiting(Duration::ZERO);
    let texts = |records: Vec<TestRecord>| {
        records
            .iter()
            .map(|record| record.value.text())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(source.run(100).unwrap()), ["가", "b"]);
    assert_eq!(source.committed(&partition), Some(json!({ "position": 6 })));
    // An altered offset re-reads from there.
    let mut altered = TestHost::source::<StreamSource>([("file", file.as_str()), ("topic", "t")])
        .bounded(false)
        .waiting(Duration::ZERO)
        .committed_before(&partition, &json!({ "position": 4 }));
    assert_eq!(texts(altered.run(100).unwrap()), ["b"]);
}

#[test]
fn standard_streams_are_refused() {
    let folder = Folder::new();
    let error = TestHost::source::<StreamSource>([("topic", "t")])
        .open()
        .unwrap_err();
    let message = "`file` must be set: without it Kafka's connector takes standard input, which here belongs to the host";
    assert_eq!(
        told(&error, &folder),
        ("config_invalid", message.to_owned())
    );
    assert!(
        TestHost::sink::<StreamSink>([("topics", "t")])
            .open()
            .is_err()
    );
}

#[test]
fn values_are_appended_as_text() {
    let folder = Folder::new();
    folder.write("o.txt", "before\n");
    let mut sink = TestHost::sink::<StreamSink>([("file", folder.text("o.txt"))]);
    sink.open().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    let records = [
        TestRecord::new("t", "a\nb"),
        TestRecord::new("t", TestData::Null),
    ];
    assert!(sink.put(&records).unwrap().progress.is_empty());
    let done = sink.put(&[]).unwrap();
    assert_eq!(done.progress[&("t".to_owned(), 0)], (2, String::new()));
    assert_eq!(folder.read("o.txt"), "before\na\nb\nnull\n");
}
