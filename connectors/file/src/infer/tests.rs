//! Proposals for files of known shape: what is proposed reads the file.

use linkspan_sdk::prelude::*;

use super::{guess, propose};
use crate::encoding::TextEncoding;

fn proposal(bytes: &[u8], label: Option<&str>) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.dat");
    std::fs::write(&path, bytes).unwrap();
    let found = propose(&path, label).unwrap();
    (found.notes.join("\n"), found.yaml)
}

fn check(bytes: &[u8], label: Option<&str>, parts: &[&str]) {
    let (notes, yaml) = proposal(bytes, label);
    let all = format!("{notes}\n{yaml}");
    for part in parts {
        assert!(all.contains(part), "{part:?} is not in\n{all}");
    }
}

#[test]
fn text_formats_are_told() {
    check(
        b"id,name,amount\n1,a,1.50\n2,b,20.25\n",
        None,
        &[
            "format: csv",
            "id: int32",
            "amount: 'decimal(18,2)'",
            "encoding: utf-8",
        ],
    );
    check(
        b"007;2026-01-31\n008;2026-02-01\n",
        None,
        &["delimiter: ';'", "header: false", "column2: date"],
    );
    check(b"{\"a\":1}\n{\"a\":2}\n", None, &["format: jsonl"]);
    check(b"<a><b/></a>", None, &["format: xml"]);
    check(b"one\nthree\n", None, &["format: lines"]);
    let korean = encoding_rs::EUC_KR
        .encode("이름,값\n김철수,1\n")
        .0
        .into_owned();
    check(&korean, None, &["encoding: cp949", "format: csv"]);
}

const MASTER: &[u8] = include_bytes!("../../../../configs/legacy/data/master-2026-01-31.dat");
const TRANSACTIONS: &[u8] =
    include_bytes!("../../../../configs/legacy/data/transactions-2026-01-31.dat");

#[test]
fn fixed_records_get_a_ruler_types_and_fields() {
    check(
        MASTER,
        None,
        &[
            "encoding: cp949",
            "record.end: none",
            "records of 60 bytes",
            "record type `D`: 4 records",
            "when: { at: 1, is: T }",
            "type: date",
            "sign: zoned",
            "pad: wide",
            "         1         2",
        ],
    );
    // The layout that is proposed is one that can be read.
    let (_, yaml) = proposal(MASTER, None);
    assert!(
        yaml.contains("        D:\n          when: { at: 1, is: D }\n          length: 60\n"),
        "{yaml}"
    );
}

#[test]
fn descriptor_words_are_told() {
    check(
        TRANSACTIONS,
        None,
        &[
            "encoding: cp933",
            "format: copybook",
            "record.format: rdw",
            "rdw.includes.itself: true",
        ],
    );
}

#[test]
fn cut_characters_and_bad_digits_are_marked() {
    let mut bytes = Vec::new();
    for n in 0..30_u32 {
        let line = if n == 17 {
            b"0001x234 abcd\n".to_vec()
        } else {
            format!("{n:08} abcd\n").into_bytes()
        };
        bytes.extend(line);
    }
    check(
        &bytes,
        Some("ascii"),
        &[
            "! bytes 1 to 8: 1 of 30 records hold no `int32`, the first is record 18: 3030303178323334",
        ],
    );
    let mut korean = Vec::new();
    for n in 0..20_u32 {
        korean.extend(format!("{n:04}").into_bytes());
        // One name begins a byte earlier than the others.
        korean.extend(if n == 3 {
            b"\xb0\xa1\xb3\xaa  ".to_vec()
        } else {
            b"  \xb0\xa1\xb3\xaa".to_vec()
        });
        korean.extend(format!("{n:04}\n").into_bytes());
    }
    let encoding = TextEncoding::for_label("cp949").unwrap();
    assert!(matches!(
        guess::shape(&korean, encoding, true, korean.len() as u64),
        guess::Shape::Fixed { len: 14, .. }
    ));
}

#[test]
fn what_is_no_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        propose(folder.path(), None).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(
        propose(&folder.path().join("none"), None)
            .unwrap_err()
            .kind(),
        ErrorKind::NotFound
    );
    std::fs::write(folder.path().join("e"), b"").unwrap();
    assert_eq!(
        propose(&folder.path().join("e"), None).unwrap_err().kind(),
        ErrorKind::DataInvalid
    );
    std::fs::write(folder.path().join("a"), b"a").unwrap();
    assert_eq!(
        propose(&folder.path().join("a"), Some("klingon"))
            .unwrap_err()
            .kind(),
        ErrorKind::ConfigInvalid
    );
}
