//! Fixed-width and copybook files, encodings and control totals, through the reader and the sink.

use std::fs;

use linkspan_sdk::prelude::*;
use linkspan_testkit::{SinkTest, SourceTest, TestData, TestHost, TestRecord};
use serde_json::{Value as Json, json};

use super::{Folder, config, told};
use crate::encoding::{Fallback, TextEncoding};
use crate::sink::FileSink;
use crate::source::FileSource;

fn source(folder: &Folder, more: &[(&str, &str)]) -> SourceTest<FileSource> {
    let mut config = config(&folder.path("in.dat"), more);
    config.insert("topic".to_owned(), "t".to_owned());
    TestHost::source::<FileSource>(config)
}

/// All records until the end, or until the failure that is returned with them.
fn read(source: &mut SourceTest<FileSource>) -> (Vec<TestRecord>, Option<Error>) {
    let (records, _, failure) = read_all(source);
    (records, failure)
}

/// Records, bad records with what is said of them, and the failure.
fn read_all(
    source: &mut SourceTest<FileSource>,
) -> (Vec<TestRecord>, Vec<(TestRecord, String)>, Option<Error>) {
    let (mut records, mut bad) = (Vec::new(), Vec::new());
    if let Err(error) = source.reopen() {
        return (records, bad, Some(error));
    }
    loop {
        match source.poll() {
            Ok(polled) => {
                source.commit(&polled).unwrap();
                records.extend(polled.records);
                bad.extend(polled.rejected);
                if polled.poll == Poll::Exhausted {
                    return (records, bad, None);
                }
            }
            Err(error) => return (records, bad, Some(error)),
        }
    }
}

fn texts(records: &[TestRecord]) -> Vec<String> {
    records.iter().map(|record| record.value.text()).collect()
}

fn check(folder: &Folder, more: &[(&str, &str)], expected: &[&str]) {
    for most in [1_000_000, 1] {
        let (records, failure) = read(&mut source(folder, more).asking(most, 4 << 20));
        assert!(failure.is_none(), "{failure:?}");
        assert_eq!(texts(&records), expected, "{most} records a batch");
    }
}

fn failure(folder: &Folder, more: &[(&str, &str)], n_records: usize) -> String {
    let (records, failure) = read(&mut source(folder, more));
    assert_eq!(records.len(), n_records, "{:?}", texts(&records));
    told(&failure.expect("no failure"), folder).1
}

fn cp949(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    TextEncoding::for_label("cp949")
        .unwrap()
        .encode(text, Fallback::Refuse, &mut out)
        .unwrap();
    out
}

const MASTER: &str = r#"{
    "H":{"when":{"at":"1","is":"H"},"emit":"false","fields":[{"length":"1","value":"H"},{"name":"day","length":"8","type":"date"}],"length":"30"},
    "D":{"when":{"at":"1","is":"D"},"fields":[{"length":"1","value":"D"},{"name":"account","length":"6"},{"name":"holder","length":"10","pad":"wide"},{"name":"balance","start":"18","length":"9","type":"decimal(9,2)","sign":"zoned"}],"length":"30"},
    "T":{"when":{"at":"1","is":"T"},"emit":"false","fields":[{"length":"1","value":"T"},{"name":"cnt","length":"7","type":"int32"},{"name":"amt","length":"12","type":"decimal(12,2)","sign":"zoned"}],"length":"30"}}"#;

/// A master file in CP949: two accounts, and a trailer with these totals.
fn master(count: &str, amount: &str) -> Vec<u8> {
    let record = |text: &str| {
        let mut record = cp949(text);
        record.resize(30, b' ');
        record
    };
    [
        record("H20260101"),
        record("DA00001김철수　　00001234E"),
        record("DA00002똠방각하　00000050}"),
        record(&format!("T{count}{amount}")),
    ]
    .concat()
}

fn master_options<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut options = vec![
        ("format", "fixed"),
        ("encoding", "cp949"),
        ("fixed.layout", MASTER),
        ("fixed.record.end", "none"),
    ];
    options.extend(more);
    options
}

const ROWS: [&str; 2] = [
    r#"{"account":"A00001","holder":"김철수","balance":"123.45"}"#,
    r#"{"account":"A00002","holder":"똠방각하","balance":"-5.00"}"#,
];

#[test]
fn record_types_without_line_ends_are_told_apart() {
    let folder = Folder::new();
    folder.write("in.dat", master("0000002", "00000001184E"));
    check(&folder, &master_options(&[]), &ROWS);
    folder.write(
        "in.dat",
        [master("0000002", "00000001184E"), b"\x1a".to_vec()].concat(),
    );
    check(&folder, &master_options(&[]), &ROWS);
}

#[test]
fn bad_fixed_records_name_record_and_byte_and_go_aside_with_their_raw_bytes() {
    let folder = Folder::new();
    let mut bytes = master("0000002", "00000001184E");
    bytes[30 + 20] = b'x';
    folder.write("in.dat", &bytes);
    let message = "`DIR/in.dat` record 2, byte 47: field `balance` (bytes 18 to 26): 303030783132333445 is not of type `decimal(9,2)`";
    assert_eq!(failure(&folder, &master_options(&[]), 0), message);
    let tolerant = master_options(&[("errors.tolerance", "all")]);
    let (records, bad, none) = read_all(&mut source(&folder, &tolerant));
    assert!(none.is_none());
    assert_eq!(texts(&records), &ROWS[1..]);
    assert!(bad[0].1.contains("record 2, byte 47"), "{}", bad[0].1);
    assert_eq!(bad[0].0.value, TestData::Bytes(bytes[30..60].to_vec()));
    assert_eq!(bad.len(), 1);
    // Where the type cannot be told and nothing marks the end, the next record cannot be found: all have one length here.
    bytes[30] = b'?';
    folder.write("in.dat", &bytes);
    let told = failure(&folder, &master_options(&[]), 0);
    assert_eq!(
        told,
        "`DIR/in.dat` record 2, byte 30: no record type of the layout matches: byte 1 of the record begins with 3F"
    );
}

fn control() -> Vec<(&'static str, &'static str)> {
    master_options(&[
        ("control.count", "T.cnt"),
        ("control.sum", r#"{"balance":"T.amt"}"#),
    ])
}

#[test]
fn control_totals_let_a_file_out_only_when_they_match() {
    let folder = Folder::new();
    folder.write("in.dat", master("0000002", "00000001184E"));
    check(&folder, &control(), &ROWS);
    let refused = |bytes: Vec<u8>, expected: &str| {
        folder.write("in.dat", bytes);
        assert_eq!(
            failure(&folder, &control(), 0),
            format!("`DIR/in.dat`: {expected}")
        );
    };
    refused(
        master("0000003", "00000001184E"),
        "the control totals do not match: records 2, `T.cnt` says 3; sum of `balance` 118.45, `T.amt` says 118.45. No record of the file was handed out",
    );
    refused(
        master("0000002", "00000001184D"),
        "the control totals do not match: records 2, `T.cnt` says 2; sum of `balance` 118.45, `T.amt` says 118.44. No record of the file was handed out",
    );
    let whole = master("0000002", "00000001184E");
    refused(
        whole[..90].to_vec(),
        "the file has no trailer, so its control totals cannot match: records 2, `T.cnt` says nothing; sum of `balance` 118.45, `T.amt` says nothing. No record of the file was handed out",
    );
    let late = [&whole[..], &whole[30..60]].concat();
    assert!(failure_of(&folder, late).contains("records follow the trailer: records 3"));
    let twice = [&whole[..], &whole[90..]].concat();
    assert!(failure_of(&folder, twice).contains("the file has several trailers"));
    let mut bad = whole.clone();
    bad[50] = b'x';
    assert!(failure_of(&folder, bad).contains("1 records could not be read in full"));
    assert!(
        failure_of(&folder, whole[..100].to_vec()).contains("1 records could not be read in full")
    );
}

fn failure_of(folder: &Folder, bytes: Vec<u8>) -> String {
    folder.write("in.dat", bytes);
    failure(folder, &control(), 0)
}

#[test]
fn a_file_whose_totals_differ_is_quarantined_and_fails_the_job_after_the_others() {
    let folder = Folder::new();
    folder.write("in1.dat", master("0000009", "00000001184E"));
    folder.write("in2.dat", master("0000002", "00000001184E"));
    let bad = folder.text("bad");
    let mut config = config(&folder.path("in*.dat"), &control());
    for (key, value) in [("topic", "t"), ("mode", "spool"), ("error.path", &bad)] {
        config.insert(key.to_owned(), value.to_owned());
    }
    let mut source = TestHost::source::<FileSource>(config);
    let (records, failure) = read(&mut source);
    assert_eq!(texts(&records), ROWS);
    let message = told(&failure.unwrap(), &folder).1;
    assert!(
        message.contains("in1.dat") && message.contains("records 2, `T.cnt` says 9"),
        "{message}"
    );
    let names: Vec<_> = fs::read_dir(folder.path("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(names.iter().any(|name| name == "in1.dat"), "{names:?}");
    assert!(!fs::exists(folder.path("in1.dat")).unwrap());
}

#[test]
fn text_formats_in_other_encodings() {
    let folder = Folder::new();
    folder.write("in.dat", cp949("이름,값\n김철수,1\n똠방각하,2\n"));
    let csv = [
        ("format", "csv"),
        ("encoding", "cp949"),
        ("csv.types", r#"{"값":"int32"}"#),
    ];
    check(
        &folder,
        &csv,
        &[
            r#"{"이름":"김철수","값":1}"#,
            r#"{"이름":"똠방각하","값":2}"#,
        ],
    );
    let strict = [("format", "csv"), ("encoding", "euc-kr-strict")];
    assert_eq!(
        failure(&folder, &strict, 1),
        "`DIR/in.dat` line 3, byte 17: the bytes 8C are no character of the encoding"
    );
    for (label, mark) in [
        ("utf-16", &b"\xff\xfe"[..]),
        ("utf-16be", b""),
        ("utf-16le", b""),
    ] {
        let mut bytes = mark.to_vec();
        TextEncoding::for_label(label)
            .unwrap()
            .encode("가나\r\n\n😀", Fallback::Refuse, &mut bytes)
            .unwrap();
        folder.write("in.dat", &bytes);
        check(&folder, &[("encoding", label)], &["가나", "", "😀"]);
    }
    folder.write("in.dat", b"\xc1\x25\xc2\x15\xc3");
    check(&folder, &[("encoding", "cp037")], &["A", "B", "C"]);
    folder.write("in.dat", [&b"a"[..], b"\xc9\xa1\xfe\xfe\n"].concat());
    check(
        &folder,
        &[
            ("encoding", "cp949"),
            ("encoding.user.defined", "private_use"),
        ],
        &["a\u{e000}\u{e0bb}"],
    );
    assert_eq!(
        failure(&folder, &[("encoding", "cp949")], 0),
        "`DIR/in.dat` line 1, byte 1: the bytes C9A1 are no character of the encoding"
    );
    // A bad line is one bad record, by its raw bytes; the others go on.
    folder.write("in.dat", b"ok\n\xff\xffx\nmore\n");
    let tolerant = [("encoding", "cp949"), ("errors.tolerance", "all")];
    let (records, bad, none) = read_all(&mut source(&folder, &tolerant));
    assert!(none.is_none());
    assert_eq!(texts(&records), ["ok", "more"]);
    assert_eq!(bad[0].0.value, TestData::Bytes(b"\xff\xffx\n".to_vec()));
}

const BOOK: &str = "01 TX.\n 05 KIND PIC X.\n 05 ACCT PIC X(6).\n 05 AMT PIC S9(7)V99 COMP-3.\n 05 N PIC 9.\n 05 LINE-T OCCURS 0 TO 3 DEPENDING ON N.\n  10 NOTE PIC X(4).";

fn transaction(n: u8, amount: &[u8; 5]) -> Vec<u8> {
    let mut record = b"DA00001".to_vec();
    record.extend_from_slice(amount);
    record.push(b'0' + n);
    (0..n).for_each(|i| record.extend_from_slice(format!("nt{i} ").as_bytes()));
    record
}

fn with_words(records: &[Vec<u8>], includes: usize) -> Vec<u8> {
    let word = |len: usize| {
        [
            u8::try_from(len >> 8).unwrap(),
            u8::try_from(len & 0xff).unwrap(),
            0,
            0,
        ]
    };
    records
        .iter()
        .flat_map(|record| [&word(record.len() + includes)[..], record].concat())
        .collect()
}

const FIVE: &[u8; 5] = b"\x00\x00\x00\x50\x0d";

#[test]
fn copybook_records_in_all_frames() {
    let folder = Folder::new();
    let records = [
        transaction(2, FIVE),
        transaction(0, b"\x00\x00\x12\x34\x5c"),
    ];
    let rows = [
        r#"{"kind":"D","acct":"A00001","amt":"-5.00","n":2,"line_t":[{"note":"nt0"},{"note":"nt1"}]}"#,
        r#"{"kind":"D","acct":"A00001","amt":"123.45","n":0,"line_t":[]}"#,
    ];
    let base = [
        ("format", "copybook"),
        ("encoding", "ascii"),
        ("copybook.text", BOOK),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    folder.write("in.dat", records.concat());
    check(&folder, &with(&[]), &rows);
    folder.write("in.dat", with_words(&records, 4));
    check(&folder, &with(&[("copybook.record.format", "rdw")]), &rows);
    folder.write("in.dat", with_words(&records, 0));
    check(
        &folder,
        &with(&[
            ("copybook.record.format", "rdw"),
            ("copybook.rdw.includes.itself", "false"),
        ]),
        &rows,
    );
    let block = with_words(&[with_words(&records, 4)], 4);
    folder.write("in.dat", [block.clone(), block].concat());
    check(
        &folder,
        &with(&[("copybook.record.format", "bdw")]),
        &[rows, rows].concat(),
    );
}

#[test]
fn bad_copybook_records_name_record_field_byte_and_hex() {
    let folder = Folder::new();
    let base = [
        ("format", "copybook"),
        ("encoding", "ascii"),
        ("copybook.text", BOOK),
        ("copybook.record.format", "rdw"),
    ];
    let records = [
        transaction(0, FIVE),
        transaction(1, b"\x00\x00\x1a\x34\x5c"),
        transaction(1, FIVE),
    ];
    folder.write("in.dat", with_words(&records, 4));
    let message = "`DIR/in.dat` record 2, byte 28: AMT (bytes 8 to 12): 00001A345C is no packed number of 9 digits";
    assert_eq!(failure(&folder, &base, 1), message);
    let tolerant = [&base[..], &[("errors.tolerance", "all")]].concat();
    let (found, bad, none) = read_all(&mut source(&folder, &tolerant));
    assert!(none.is_none());
    assert_eq!((found.len(), bad.len()), (2, 1));
    assert_eq!(
        bad[0].0.value,
        TestData::Bytes(with_words(&records[1..2], 4))
    );
    assert!(bad[0].1.contains("record 2, byte 28"), "{}", bad[0].1);
    // A file that was cut, and a length that does not divide it.
    let cut = with_words(&records[..1], 4);
    folder.write("in.dat", &cut[..10]);
    assert!(
        failure(&folder, &base, 0)
            .contains("record 1, byte 0: the file ends inside a record: 6 of 13 bytes are there")
    );
    let plain = [
        ("format", "copybook"),
        ("encoding", "ascii"),
        ("copybook.text", "01 R.\n 05 A PIC X(127)."),
    ];
    folder.write("in.dat", vec![b'a'; 300]);
    assert_eq!(
        failure(&folder, &plain, 2),
        "`DIR/in.dat` record 3, byte 254: the record length 127 of the copybook does not divide the file: 46 bytes are left at its end"
    );
}

#[test]
fn the_number_of_a_record_is_known_after_a_restart() {
    let folder = Folder::new();
    let base = [
        ("format", "copybook"),
        ("encoding", "ascii"),
        ("copybook.text", "01 R.\n 05 A PIC 9(3)."),
    ];
    folder.write("in.dat", "001002003");
    let mut source = source(&folder, &base);
    assert_eq!(
        texts(&read(&mut source).0),
        [r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]
    );
    let stored: Json = source
        .committed(&json!({ "filename": folder.text("in.dat") }))
        .unwrap();
    assert_eq!(stored["position"], json!(9));
    folder.write("in.dat", "0010020030040x5");
    let (records, failure) = read(&mut source);
    assert_eq!(texts(&records), [r#"{"a":4}"#]);
    let told = told(&failure.unwrap(), &folder).1;
    assert_eq!(
        told,
        "`DIR/in.dat` record 5, byte 12: A (bytes 1 to 3): 307835 is no number of 3 digits"
    );
}

#[test]
fn segments_and_control_totals_of_a_copybook() {
    let folder = Folder::new();
    let book = "01 R.\n 05 K PIC X.\n 05 DTL.\n  10 AMT PIC S9(3).\n 05 TRL REDEFINES DTL.\n  10 CNT PIC 9(2).\n  10 TOT PIC S9(1) COMP-3.";
    let base = [
        ("format", "copybook"),
        ("encoding", "ascii"),
        ("copybook.text", book),
        ("copybook.groups", "flat"),
        ("copybook.segments", r#"{"k":{"D":"DTL","T":"TRL"}}"#),
        ("copybook.skip.segments", "TRL"),
        ("control.count", "TRL.cnt"),
        ("control.sum", r#"{"amt":"TRL.tot"}"#),
    ];
    folder.write("in.dat", b"D005D00qT02\x4c");
    check(
        &folder,
        &base,
        &[
            r#"{"k":"D","amt":5,"cnt":null,"tot":null}"#,
            r#"{"k":"D","amt":-1,"cnt":null,"tot":null}"#,
        ],
    );
    folder.write("in.dat", b"D005D00qT03\x4c");
    assert!(
        failure(&folder, &base, 0)
            .contains("records 2, `TRL.cnt` says 3; sum of `amt` 4, `TRL.tot` says 4")
    );
}

#[test]
fn options_are_all_checked_at_once() {
    let problems = |more: &[(&str, &str)]| {
        let mut config = config(std::path::Path::new("a"), more);
        config.insert("topic".to_owned(), "t".to_owned());
        let wrong = crate::options::FileSourceOptions::from_config(&config)
            .err()
            .unwrap_or_default();
        let mut options: Vec<_> = wrong.iter().map(|problem| problem.option.clone()).collect();
        options.sort();
        options
    };
    assert_eq!(problems(&[("encoding", "klingon")]), ["encoding"]);
    assert_eq!(problems(&[("format", "fixed")]), ["fixed.layout"]);
    assert_eq!(problems(&[("format", "copybook")]), ["copybook.file"]);
    assert_eq!(
        problems(&[
            ("format", "copybook"),
            ("copybook.text", "01 A.\n 05 B PIC Q.\n 05 C.")
        ]),
        ["copybook.text"]
    );
    assert_eq!(problems(&[("control.count", "T.cnt")]), ["control.count"]);
    let wrong = [
        ("control.count", "cnt"),
        ("control.sum", r#"{"nothing":"T.amt"}"#),
        ("fixed.timezone", "Mars"),
    ];
    assert_eq!(
        problems(&master_options(&wrong)),
        ["control.count", "control.sum", "fixed.timezone"]
    );
}

fn sink(folder: &Folder, more: &[(&str, &str)]) -> SinkTest<FileSink> {
    TestHost::sink::<FileSink>(config(&folder.path("out.dat"), more))
}

/// Writes records and returns the file, with what was rejected.
fn written(
    folder: &Folder,
    more: &[(&str, &str)],
    records: &[TestRecord],
) -> (Vec<u8>, Vec<String>) {
    fs::remove_file(folder.path("out.dat")).ok();
    let mut sink = sink(folder, more);
    sink.open().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    let put = sink.put(records).unwrap();
    sink.flush().unwrap();
    let rejected = put
        .rejected
        .iter()
        .map(|one| one.error.message.clone())
        .collect();
    (fs::read(folder.path("out.dat")).unwrap(), rejected)
}

fn there_and_back(folder: &Folder, bytes: &[u8], more: &[(&str, &str)]) {
    folder.write("in.dat", bytes);
    let (records, failure) = read(&mut source(folder, more));
    assert!(failure.is_none(), "{failure:?}");
    assert!(!records.is_empty());
    let records: Vec<_> = records
        .into_iter()
        .map(|record| TestRecord::new("t", record.value).partition(0))
        .collect();
    let (back, rejected) = written(folder, more, &records);
    assert_eq!(
        (rejected.len(), back.len()),
        (0, bytes.len()),
        "{rejected:?}"
    );
    assert!(back == bytes, "other bytes came back");
}

#[test]
fn what_was_read_is_written_back_byte_for_byte() {
    let folder = Folder::new();
    let all = MASTER.replace(r#""emit":"false","#, "");
    let fixed = [
        ("format", "fixed"),
        ("encoding", "cp949"),
        ("fixed.layout", all.as_str()),
        ("fixed.record.end", "none"),
    ];
    there_and_back(&folder, &master("0000002", "00000001184E"), &fixed);
    let lines: Vec<u8> = master("0000002", "00000001184E")
        .chunks(30)
        .flat_map(|record| [record, b"\r\n"].concat())
        .collect();
    let crlf = [
        ("format", "fixed"),
        ("encoding", "cp949"),
        ("fixed.layout", all.as_str()),
        ("fixed.record.end", "crlf"),
    ];
    there_and_back(&folder, &lines, &crlf);
    let records = [
        transaction(2, FIVE),
        transaction(0, b"\x00\x00\x12\x34\x5c"),
    ];
    for groups in ["nested", "flat"] {
        let book = [
            ("format", "copybook"),
            ("encoding", "ascii"),
            ("copybook.text", BOOK),
            ("copybook.groups", groups),
        ];
        there_and_back(&folder, &records.concat(), &book);
        there_and_back(
            &folder,
            &with_words(&records, 4),
            &[&book[..], &[("copybook.record.format", "rdw")]].concat(),
        );
    }
    // Text formats in another encoding: CSV continues its header after a restart.
    let csv = [("format", "csv"), ("encoding", "cp949")];
    there_and_back(&folder, &cp949("이름,값\n김철수,1\n똠방각하,2\n"), &csv);
}

/// A row of a table: an account's number, name and balance.
fn table_row(name: &str) -> TestRecord {
    let schema = std::sync::Arc::new(
        SchemaBuilder::structure()
            .field("kind", SchemaBuilder::string().build())
            .field("account", SchemaBuilder::string().optional().build())
            .field("holder", SchemaBuilder::string().optional().build())
            .field("balance", SchemaBuilder::decimal(2).optional().build())
            .build(),
    );
    let values = vec![
        Value::from("D"),
        Value::from("A00001"),
        Value::from(name),
        Value::decimal(12_345),
    ];
    let row = Value::Struct(Struct::from_values(std::sync::Arc::clone(&schema), values).unwrap());
    TestRecord::new("t", TestData::Typed(schema, row)).partition(0)
}

#[test]
fn what_the_encoding_lacks_keeps_the_record_length_or_goes_aside() {
    let folder = Folder::new();
    let layout = MASTER.replace(r#""pad":"wide""#, r#""pad":"space""#);
    let with = |label: &'static str, word: &'static str| {
        vec![
            ("format", "fixed"),
            ("encoding", label),
            ("fixed.layout", layout.as_str()),
            ("fixed.record.end", "none"),
            ("fixed.type.column", "kind"),
            ("on.unmappable", word),
            ("errors.tolerance", "all"),
        ]
    };
    let records = ["a—b", "똠", "김"].map(table_row);
    let line = |name: &[u8]| {
        let mut record = b"DA00001".to_vec();
        record.extend_from_slice(name);
        record.resize(17, b' ');
        record.extend_from_slice(b"00001234E    ");
        record
    };
    let (bytes, rejected) = written(&folder, &with("cp949", "replace(?)"), &records);
    assert_eq!(
        bytes,
        [line(b"a?b"), line(b"\x8c\x63"), line(b"\xb1\xe8")].concat()
    );
    assert!(rejected.is_empty());
    let (bytes, rejected) = written(&folder, &with("euc-kr-strict", "dlq"), &records);
    assert_eq!(bytes, line(b"\xb1\xe8"));
    assert_eq!(rejected.len(), 2);
    assert!(
        rejected[0].contains("no code for U+2014") && rejected[1].contains("no code for U+B620"),
        "{rejected:?}"
    );
    // `fail` stops the task, whatever is tolerated.
    let mut failing = sink(&folder, &with("cp949", "fail"));
    fs::remove_file(folder.path("out.dat")).unwrap();
    failing.open().unwrap();
    failing.assign(&[("t", 0)]).unwrap();
    let error = failing.put(&records).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // Text formats likewise.
    let lines = [("encoding", "euc-kr-strict"), ("on.unmappable", "dlq")];
    let texts = ["가", "똠"].map(|text| TestRecord::new("t", text).partition(0));
    let (bytes, rejected) = written(&folder, &lines, &texts);
    assert_eq!((bytes.as_slice(), rejected.len()), (&b"\xb0\xa1\n"[..], 1));
}

#[test]
fn all_user_defined_codes_survive_a_file() {
    let folder = Folder::new();
    let codes: Vec<u8> = [0xc9, 0xfe_u8]
        .iter()
        .flat_map(|lead| (0xa1..=0xfe_u8).flat_map(move |trail| [*lead, trail, b'\n']))
        .collect();
    assert_eq!(codes.len(), 188 * 3);
    let options = [
        ("encoding", "cp949"),
        ("encoding.user.defined", "private_use"),
    ];
    there_and_back(&folder, &codes, &options);
}
