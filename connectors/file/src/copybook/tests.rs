//! Copybooks, and records in both directions. What GnuCOBOL writes is in the black-box tests.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;

use super::decode::Stop;
use super::frame::{Framed, Frames, RecordFormat};
use super::number::{self, Zoned};
use super::parse::parse;
use super::picture::{self, Picture};
use super::plan::{Plan, Settings};
use crate::encoding::{Fallback, TextEncoding};
use crate::fixed::number::Sign;

fn settings(label: &str) -> Settings {
    Settings {
        encoding: TextEncoding::for_label(label).unwrap(),
        snake: true,
        flat: false,
        all_redefines: false,
        small_binary: false,
        native_little: true,
        segments: BTreeMap::new(),
        ascii_sign: Sign::ZonedAscii,
    }
}

fn plan(text: &str, settings: Settings) -> Plan {
    let items = parse(text).unwrap_or_else(|problems| panic!("{problems:?}"));
    Plan::new(&items, None, settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn ebcdic(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    TextEncoding::for_label("cp037")
        .unwrap()
        .encode(text, Fallback::Refuse, &mut out)
        .unwrap();
    out
}

/// The record as JSON, and back into bytes.
fn check(plan: &Plan, record: &[u8], expected: &str) {
    let decoded = plan
        .decode(record)
        .unwrap_or_else(|stop| panic!("{stop:?}"));
    assert_eq!(decoded.len, record.len());
    let schema = std::sync::Arc::new(plan.schema.clone());
    let row =
        Value::Struct(Struct::from_values(std::sync::Arc::clone(&schema), decoded.values).unwrap());
    assert_eq!(json(&row, &schema), expected);
    let mut back = Vec::new();
    plan.encode(&row, &schema, Fallback::Refuse, &mut back)
        .unwrap();
    assert_eq!(
        back,
        record,
        "{} is not {}",
        super::hex(&back),
        super::hex(record)
    );
}

fn json(value: &Value, schema: &Schema) -> String {
    match (value, schema.logical()) {
        (Value::Null, _) => "null".to_owned(),
        (Value::Bytes(bytes), Some(linkspan_sdk::Logical::Decimal { scale })) => {
            let number = crate::fixed::scalar::unscaled(bytes).unwrap();
            crate::fixed::number::text(number, u32::try_from(scale).unwrap())
        }
        (Value::Int32(n), _) => n.to_string(),
        (Value::Int64(n), _) => n.to_string(),
        (Value::String(text), _) => format!("{text:?}"),
        (Value::Array(items), _) => {
            let linkspan_sdk::Kind::Array(item) = &schema.kind else {
                panic!()
            };
            format!(
                "[{}]",
                items
                    .iter()
                    .map(|value| json(value, item))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        }
        (Value::Struct(row), _) => {
            let fields = row
                .iter()
                .zip(schema.fields())
                .map(|((name, value), field)| format!("{name}:{}", json(value, &field.schema)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn pictures() {
    for (text, expected) in [
        ("X(10)", Picture::Text { chars: 10 }),
        ("xx", Picture::Text { chars: 2 }),
        (
            "S9(7)V99",
            Picture::Number {
                digits: 9,
                scale: 2,
                signed: true,
            },
        ),
        (
            "9",
            Picture::Number {
                digits: 1,
                scale: 0,
                signed: false,
            },
        ),
        (
            "V9(3)",
            Picture::Number {
                digits: 3,
                scale: 3,
                signed: false,
            },
        ),
        ("G(5)", Picture::Double { chars: 5 }),
        ("N(2)", Picture::Double { chars: 2 }),
        ("ZZZ,ZZ9.99-", Picture::Text { chars: 11 }),
        ("9(4)V9X", Picture::Text { chars: 6 }),
    ] {
        assert_eq!(picture::parse(text), Ok(expected), "{text}");
    }
    for text in [
        "",
        "S",
        "9(",
        "9(x)",
        "9(40)",
        "9S9",
        "S9P(3)",
        "Q",
        "9V9V9",
        "X(99999999)",
    ] {
        assert!(picture::parse(text).is_err(), "{text}");
    }
}

#[test]
fn numbers_in_all_storages() {
    for (bytes, digits, expected) in [
        (&b"\x12\x34\x5c"[..], 5, Some(12_345)),
        (b"\x12\x34\x5d", 5, Some(-12_345)),
        (b"\x01\x23\x4f", 4, Some(1234)),
        (b"\x11\x23\x4c", 4, None),
        (b"\x1a\x2c", 3, None),
        (b"\x12\x34", 3, None),
        (b"\x40\x40", 3, None),
        (b"", 0, None),
    ] {
        assert_eq!(number::unpack(bytes, digits), expected, "{bytes:x?}");
    }
    assert_eq!(number::pack(-12_345, 5, true).unwrap(), b"\x12\x34\x5d");
    assert_eq!(number::pack(1234, 4, false).unwrap(), b"\x01\x23\x4f");
    assert_eq!(
        (number::pack(-1, 3, false), number::pack(1000, 3, true)),
        (None, None)
    );
    let zoned = |ebcdic, leading, separate| Zoned {
        ebcdic,
        leading,
        separate,
        signed: true,
    };
    for (bytes, kind, sign, expected) in [
        (
            &b"\xf1\xf2\xc3"[..],
            zoned(true, false, false),
            Sign::Zoned,
            123,
        ),
        (
            b"\xf1\xf2\xd3",
            zoned(true, false, false),
            Sign::Zoned,
            -123,
        ),
        (b"\xd1\xf2\xf3", zoned(true, true, false), Sign::Zoned, -123),
        (b"\x60\xf1\xf2", zoned(true, true, true), Sign::Zoned, -12),
        (b"12+", zoned(false, false, true), Sign::Zoned, 12),
        (b"12s", zoned(false, false, false), Sign::ZonedAscii, -123),
        (b"12L", zoned(false, false, false), Sign::Zoned, -123),
        (b"12{", zoned(false, false, false), Sign::Zoned, 120),
    ] {
        assert_eq!(number::unzone(bytes, kind), Some(expected), "{bytes:x?}");
        let digits = if kind.separate { 2 } else { 3 };
        assert_eq!(
            number::zone(expected, digits, kind, sign).unwrap(),
            bytes,
            "{bytes:x?}"
        );
    }
    assert_eq!(number::unzone(b"1 3", zoned(false, false, false)), None);
    assert_eq!(number::from_binary(b"\xff\xfe", true, false), -2);
    assert_eq!(number::from_binary(b"\xff\xfe", false, true), 0xfeff);
    assert_eq!(
        number::to_binary(-2, 4, true, true).unwrap(),
        b"\xfe\xff\xff\xff"
    );
    assert_eq!(
        (
            number::to_binary(-1, 2, false, false),
            number::to_binary(40_000, 2, true, false)
        ),
        (None, None)
    );
}

const ACCOUNT: &str = "
000100* An account, as a mainframe unloads it.
000200 01  ACCOUNT-RECORD.
000300     05  ACCT-NO          PIC X(6).                                       ACCT
000400     05  HOLDER.
000500         10  FIRST-NAME   PIC X(5).
000600         10  LAST-NAME    PIC X(5).
000700     05  BALANCE          PIC S9(5)V99 COMP-3.
000800     05  BRANCH           PIC 9(4) COMP.
000900     05  RATE             PIC SV9(4) USAGE IS COMP-5.
001000     05  FILLER           PIC X(2).
001100     05  LIMIT-AMT        PIC S9(3)V9.
001200         88 NO-LIMIT      VALUE 0, 999.9.
001300     05  N-MOVES          PIC 9.
001400     05  MOVE OCCURS 0 TO 3 TIMES DEPENDING ON N-MOVES
001410         INDEXED BY IX.
001500         10  MOVE-DAY     PIC 9(8).
001600         10  MOVE-AMT     PIC S9(5) COMP-3.
";

fn account(moves: usize) -> Vec<u8> {
    let mut record = ebcdic("A00001KIM  MINSU");
    record.extend_from_slice(b"\x00\x12\x34\x5d\x00\x2a\xe8\x03");
    record.extend(ebcdic("  123"));
    record.push(0xd4);
    record.extend(ebcdic(&moves.to_string()));
    for day in 1..=moves {
        record.extend(ebcdic(&format!("2026010{day}")));
        record.extend_from_slice(&[0, u8::try_from(day).unwrap(), 0x0c]);
    }
    record
}

#[test]
fn a_record_with_everything_goes_both_ways() {
    let nested = plan(ACCOUNT, settings("cp037"));
    assert!(nested.varies);
    check(
        &nested,
        &account(2),
        r#"{acct_no:"A00001",holder:{first_name:"KIM",last_name:"MINSU"},balance:-123.45,branch:42,rate:0.1000,limit_amt:-123.4,n_moves:2,move:[{move_day:20260101,move_amt:10},{move_day:20260102,move_amt:20}]}"#,
    );
    check(
        &nested,
        &account(0),
        r#"{acct_no:"A00001",holder:{first_name:"KIM",last_name:"MINSU"},balance:-123.45,branch:42,rate:0.1000,limit_amt:-123.4,n_moves:0,move:[]}"#,
    );
    assert_eq!(nested.measure(&account(3)), Ok(account(3).len()));
    assert!(matches!(
        nested.measure(&account(3)[..20]),
        Err(Stop::Short(_))
    ));
    let flat = plan(
        ACCOUNT,
        Settings {
            flat: true,
            snake: false,
            ..settings("cp037")
        },
    );
    check(
        &flat,
        &account(1),
        r#"{ACCT-NO:"A00001",FIRST-NAME:"KIM",LAST-NAME:"MINSU",BALANCE:-123.45,BRANCH:42,RATE:0.1000,LIMIT-AMT:-123.4,N-MOVES:1,MOVE-DAY_1:20260101,MOVE-AMT_1:10,MOVE-DAY_2:null,MOVE-AMT_2:null,MOVE-DAY_3:null,MOVE-AMT_3:null}"#,
    );
}

#[test]
fn bad_bytes_name_field_place_and_hex() {
    let plan = plan(ACCOUNT, settings("cp037"));
    let fault = |at: usize, byte: u8| {
        let mut record = account(1);
        record[at] = byte;
        match plan.decode(&record) {
            Err(Stop::Fault(fault)) => fault.message,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        fault(17, 0x1a),
        "BALANCE (bytes 17 to 20): 001A345D is no packed number of 7 digits"
    );
    assert_eq!(
        fault(27, 0x40),
        "LIMIT-AMT (bytes 27 to 30): F140F3D4 is no number of 4 digits"
    );
    assert_eq!(
        fault(30, 0xf7),
        "MOVE occurs 0 to 3 times, but the field it depends on is 7"
    );
}

const SEGMENTS: &str = "
       01 REC.
          05 KIND PIC X.
          05 COMPANY.
             10 COMPANY-NAME PIC X(6).
             10 TAX-NO PIC 9(4).
          05 PERSON REDEFINES COMPANY.
             10 PERSON-NAME PIC X(4).
          05 ADDR REDEFINES COMPANY.
             10 CITY PIC X(3).
";

#[test]
fn segments_are_chosen_by_a_field() {
    let rule = BTreeMap::from([
        ("C".to_owned(), "COMPANY".to_owned()),
        ("P".to_owned(), "PERSON".to_owned()),
    ]);
    let mut chosen = settings("ascii");
    chosen.segments = BTreeMap::from([("KIND".to_owned(), rule)]);
    let segmented = plan(SEGMENTS, chosen.clone());
    check(
        &segmented,
        b"CACME  0042",
        r#"{kind:"C",company:{company_name:"ACME",tax_no:42},person:null}"#,
    );
    check(
        &segmented,
        b"PKIM ",
        r#"{kind:"P",company:null,person:{person_name:"KIM"}}"#,
    );
    let flat = plan(
        SEGMENTS,
        Settings {
            flat: true,
            ..chosen
        },
    );
    check(
        &flat,
        b"PKIM ",
        r#"{kind:"P",company_name:null,tax_no:null,person_name:"KIM"}"#,
    );
    // Without a rule the first alternative is the field; all of them only when asked for.
    check(
        &plan(SEGMENTS, settings("ascii")),
        b"CACME  0042",
        r#"{kind:"C",company:{company_name:"ACME",tax_no:42}}"#,
    );
    let all = plan(
        SEGMENTS,
        Settings {
            all_redefines: true,
            ..settings("ascii")
        },
    );
    let decoded = all.decode(b"CACME  0042").unwrap();
    assert_eq!((decoded.values.len(), decoded.len), (4, 11));
    let mut unknown = settings("ascii");
    unknown.segments = BTreeMap::from([(
        "KIND".to_owned(),
        BTreeMap::from([("X".to_owned(), "NOBODY".to_owned())]),
    )]);
    let problems = Plan::new(&parse(SEGMENTS).unwrap(), None, unknown).unwrap_err();
    assert_eq!(
        problems,
        ["`copybook.segments` names `NOBODY`, which the record does not have"]
    );
}

#[test]
fn korean_text_with_shifts_and_double_byte_fields() {
    let book = "01 R.\n 05 A PIC X(10).\n 05 B PIC G(3) USAGE DISPLAY-1.\n 05 C PIC N(2) NATIONAL.\n 05 D PIC X(4) JUST RIGHT.";
    let plan = plan(book, settings("cp933"));
    let page = crate::encoding::Page::Cp933;
    let mut record = Vec::new();
    page.encode("A가나", Fallback::Refuse, &mut record).unwrap();
    record.resize(10, 0x40);
    page.encode_double("다라\u{3000}", &mut record).unwrap();
    record.extend_from_slice(b"\xac\x00\x00\x20\x40\x40\xc1\xc2");
    check(&plan, &record, r#"{a:"A가나",b:"다라",c:"가",d:"AB"}"#);
    record[1] = 0x41;
    assert!(
        matches!(plan.decode(&record), Err(Stop::Fault(fault)) if fault.message.starts_with("A (bytes 1 to 10): the bytes"))
    );
}

#[test]
fn copybooks_name_all_their_mistakes() {
    let problems = |text: &str| parse(text).unwrap_err().join("\n");
    let all = problems(
        "01 R.\n 05 A PIC S9(3) COMP-1.\n 05 B PIC 9(3) SYNC.\n 05 C OCCURS 1 TO 5 PIC X.\n 05 D PIC Q.\n COPY OTHER.\n 05 E PIC X OCCURS 5 TO 3 DEPENDING ON A.\n 50 F PIC X.",
    );
    for part in [
        "line 2: COMP-1",
        "line 3: SYNCHRONIZED",
        "line 4: OCCURS with TO",
        "line 5: `PIC Q`",
        "line 6: `COPY`",
        "line 7: OCCURS 5 TO 3",
        "line 8: level 50",
    ] {
        assert!(all.contains(part), "{part:?} is not in\n{all}");
    }
    let tree = problems(
        "01 R.\n 05 A.\n 05 B PIC X REDEFINES Z.\n 05 C PIC X COMP-3.\n 05 D PIC X.\n  10 E PIC X.",
    );
    for part in [
        "line 2: A has neither",
        "line 3: REDEFINES Z",
        "line 4: C is text",
        "line 5: D has a PIC and items",
    ] {
        assert!(tree.contains(part), "{part:?} is not in\n{tree}");
    }
    assert!(problems("").contains("describes nothing"));
    let two = parse("01 A. 05 X PIC X.\n01 B. 05 Y PIC X.").unwrap();
    assert!(
        Plan::new(&two, None, settings("ascii"))
            .unwrap_err()
            .join("")
            .contains("several records (A, B)")
    );
    assert_eq!(
        Plan::new(&two, Some("b"), settings("ascii"))
            .unwrap()
            .schema
            .name
            .as_deref(),
        Some("b")
    );
    // A fragment, in free form, with literals that hold periods and keywords.
    let free = plan(
        "05 a pic x(3) value 'a. PIC 9'. *> comment\n05 b pic 9(2) value 12.\n77 C PIC X.",
        settings("ascii"),
    );
    assert_eq!(
        free.schema
            .fields()
            .iter()
            .map(|field| field.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn frames_are_found_or_named() {
    let frames = |format, little, includes_word| Frames {
        format,
        little,
        includes_word,
    };
    let rdw = frames(RecordFormat::Rdw, false, true);
    assert_eq!(
        rdw.next(b"\0\x07\0\0abc\0", 0, false, 100),
        Ok(Some(Framed {
            before: 4,
            body: 3,
            len: 7,
            block_left: 0
        }))
    );
    assert_eq!(rdw.next(b"\0\x07\0\0a", 0, false, 100), Ok(None));
    assert_eq!(
        rdw.next(b"\0\x07\0\0a", 0, true, 100).unwrap_err().message,
        "the file ends inside a record: 1 of 3 bytes are there"
    );
    assert!(
        rdw.next(b"\0\x07\0\x01abc", 0, false, 100)
            .unwrap_err()
            .message
            .starts_with("00070001 is not a record descriptor word")
    );
    assert!(rdw.next(b"\0\x03\0\0", 0, false, 100).is_err());
    assert!(rdw.next(b"\xff\xff\0\0", 0, false, 100).is_err());
    assert!(
        rdw.next(b"\0\x07", 0, true, 100)
            .unwrap_err()
            .message
            .contains("inside a descriptor word: 0007")
    );
    let cobol = frames(RecordFormat::Rdw, true, false);
    assert_eq!(
        cobol.next(b"\x03\0\0\0abc", 0, false, 100),
        Ok(Some(Framed {
            before: 4,
            body: 3,
            len: 7,
            block_left: 0
        }))
    );
    let bdw = frames(RecordFormat::Bdw, false, true);
    let block = b"\0\x12\0\0\0\x07\0\0abc\0\x07\0\0def";
    assert_eq!(
        bdw.next(block, 0, false, 100),
        Ok(Some(Framed {
            before: 8,
            body: 3,
            len: 11,
            block_left: 7
        }))
    );
    assert_eq!(
        bdw.next(&block[11..], 7, false, 100),
        Ok(Some(Framed {
            before: 4,
            body: 3,
            len: 7,
            block_left: 0
        }))
    );
    assert!(
        bdw.next(&block[11..], 6, false, 100)
            .unwrap_err()
            .message
            .contains("longer than what is left of its block (6)")
    );
    let lines = frames(RecordFormat::Lines, false, false);
    assert_eq!(
        lines.next(b"ab\r\nc", 0, false, 100),
        Ok(Some(Framed {
            before: 0,
            body: 2,
            len: 4,
            block_left: 0
        }))
    );
    assert_eq!(lines.next(b"ab", 0, false, 100), Ok(None));
}
