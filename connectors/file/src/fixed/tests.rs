//! Fields, layouts and records, in both directions.

#![expect(clippy::too_many_lines, reason = "tables of cases")]

use super::cutter::{Cutter, Step};
use super::dates::Pattern;
use super::field::{Context, Field};
use super::layout::{Layout, RecordEnd};
use super::number::{self, Sign};
use super::scalar::Scalar;
use crate::column::Cell;
use crate::encoding::{Fallback, TextEncoding};

fn ctx(label: &str) -> Context {
    Context {
        encoding: TextEncoding::for_label(label).unwrap(),
        zone: "+09:00".parse().ok(),
        fallback: Fallback::Refuse,
    }
}

fn layout(label: &str, json: &str) -> Layout {
    Layout::parse(json, TextEncoding::for_label(label).unwrap(), true)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn field(label: &str, body: &str) -> Field {
    let json = format!(r#"{{"r":{{"fields":[{{"name":"f",{body}}}]}}}}"#);
    layout(label, &json).types.remove(0).fields.remove(0)
}

/// Reads a field and shows the cell.
fn read(label: &str, body: &str, bytes: &[u8]) -> Result<String, String> {
    let mut scratch = String::new();
    let cell = field(label, body).read(bytes, &ctx(label), &mut false, &mut scratch);
    cell.map(|cell| match cell {
        None => "null".to_owned(),
        Some(Cell::Text(text)) => format!("{text:?}"),
        Some(cell) => format!("{cell:?}"),
    })
    .map_err(|fault| fault.message)
}

fn write(label: &str, body: &str, value: Option<Scalar<'_>>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let field = field(label, body);
    field
        .write(value.as_ref(), &ctx(label), &mut out)
        .map(|()| out)
        .map_err(|fault| fault.message)
}

#[test]
fn numbers_in_all_their_forms() {
    for (text, sign, scale, point, expected) in [
        ("00123", Sign::Leading, 2, false, Some(123)),
        ("-0123", Sign::Leading, 2, false, Some(-123)),
        ("0123-", Sign::Trailing, 0, false, Some(-123)),
        ("0123 ", Sign::Trailing, 0, false, Some(123)),
        ("012C", Sign::Zoned, 0, false, Some(123)),
        ("012}", Sign::Zoned, 0, false, Some(-120)),
        ("012{", Sign::Zoned, 0, false, Some(120)),
        ("012r", Sign::ZonedAscii, 0, false, Some(-122)),
        ("0123", Sign::ZonedAscii, 0, false, Some(123)),
        ("12.30", Sign::Leading, 2, true, Some(1230)),
        ("12.3", Sign::Leading, 2, true, Some(1230)),
        ("12.345", Sign::Leading, 2, true, None),
        ("12.30", Sign::Leading, 2, false, None),
        ("-1", Sign::None, 0, false, None),
        ("1 2", Sign::Leading, 0, false, None),
        ("-", Sign::Leading, 0, false, None),
        ("", Sign::Leading, 0, false, None),
    ] {
        assert_eq!(
            number::parse(text.as_bytes(), sign, scale, point),
            expected,
            "{text} {sign:?}"
        );
    }
    for (value, sign, scale, point, width, fill, expected) in [
        (123, Sign::Leading, 2, false, 5, b'0', Some("00123")),
        (-123, Sign::Leading, 0, false, 5, b'0', Some("-0123")),
        (-123, Sign::Leading, 0, false, 6, b' ', Some("  -123")),
        (-123, Sign::Trailing, 0, false, 5, b'0', Some("0123-")),
        (123, Sign::Zoned, 0, false, 4, b'0', Some("012C")),
        (-120, Sign::Zoned, 0, false, 4, b'0', Some("012}")),
        (-122, Sign::ZonedAscii, 0, false, 4, b'0', Some("012r")),
        (5, Sign::Leading, 2, true, 5, b' ', Some(" 0.05")),
        (-1, Sign::None, 0, false, 5, b'0', None),
        (123_456, Sign::Leading, 0, false, 5, b'0', None),
        (-7, Sign::Leading, 0, false, 0, b'0', Some("-7")),
    ] {
        let text = number::format(value, sign, scale, point, width, fill)
            .map(|text| String::from_utf8(text).unwrap());
        assert_eq!(text.as_deref(), expected, "{value} {sign:?}");
    }
    assert_eq!(number::text(-5, 2), "-0.05");
    assert_eq!(number::text(1234, 2), "12.34");
    assert_eq!(number::rescale(1230, 2, 1), Some(123));
    assert_eq!(number::rescale(1234, 2, 1), None);
}

#[test]
fn dates_by_pattern() {
    let check = |pattern: &str, text: &str, expected: Option<(i64, i64)>| {
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern.read(text.as_bytes()), expected, "{text}");
        if let Some((days, millis)) = expected {
            let mut out = Vec::new();
            assert_eq!(pattern.write(days, millis, &mut out), Some(()));
            assert_eq!(out, text.as_bytes());
        }
    };
    check("yyyyMMdd", "19700102", Some((1, 0)));
    check("yyyyMMdd", "20240229", Some((19_782, 0)));
    check("yyyyMMdd", "20230229", None);
    check("yyyyMMdd", "20231301", None);
    check("yyyyMMdd", "00000000", None);
    check("yyMMdd", "691231", Some((36_524, 0)));
    check("yyMMdd", "700101", Some((0, 0)));
    check("dd.MM.yyyy", "31.12.1999", Some((10_956, 0)));
    check("yyyyMMddHHmmss", "19700101235959", Some((0, 86_399_000)));
    check("HH:mm", "24:00", None);
    check(
        "yyyy-MM-ddTHH:mm:ss.SSS",
        "1969-12-31T00:00:00.001",
        Some((-1, 1)),
    );
    for bad in ["", "yyyymmdd", "yyyyMMddMM", "QQ"] {
        let parsed = Pattern::parse(bad);
        assert!(parsed.is_none_or(|pattern| !pattern.has_date()), "{bad}");
    }
    // What the pattern cannot say is refused, not cut.
    let day = Pattern::parse("yyyyMMddHH").unwrap();
    assert_eq!(day.write(0, 60_000, &mut Vec::new()), None);
    assert_eq!(
        Pattern::parse("yyMMdd")
            .unwrap()
            .write(30_000, 0, &mut Vec::new()),
        Some(())
    );
    assert_eq!(
        Pattern::parse("yyMMdd")
            .unwrap()
            .write(-1, 0, &mut Vec::new()),
        None
    );
}

#[test]
fn fields_are_read_without_guessing() {
    let ok = |label, body, bytes: &[u8], expected: &str| {
        assert_eq!(read(label, body, bytes).as_deref(), Ok(expected), "{body}")
    };
    ok(
        "cp949",
        r#""length":8"#,
        b"\xb0\xa1\xb3\xaaA   ",
        "\"가나A\"",
    );
    ok(
        "cp949",
        r#""length":"8","pad":"wide""#,
        b"\xb0\xa1\xb3\xaa\xa1\xa1\xa1\xa1",
        "\"가나\"",
    );
    ok(
        "cp949",
        r#""length":7,"pad":"wide""#,
        b"\xb0\xa1\xb3\xaa\xa1\xa1 ",
        "\"가나\"",
    );
    ok("cp949", r#""length":5,"pad":"nul""#, b"ab\0\0\0", "\"ab\"");
    ok(
        "cp949",
        r#""length":5,"pad":"zero","side":"left""#,
        b"00ab0",
        "\"ab0\"",
    );
    ok("ascii", r#""length":5"#, b"     ", "\"\"");
    ok("ascii", r#""length":5,"null":["NA"]"#, b"NA   ", "null");
    ok(
        "ascii",
        r#""length":5,"type":"int32""#,
        b"00042",
        "Int32(42)",
    );
    ok("ascii", r#""length":5,"type":"int32""#, b"     ", "null");
    ok(
        "ascii",
        r#""length":5,"type":"int32","pad":"space""#,
        b"   42",
        "Int32(42)",
    );
    ok(
        "ascii",
        r#""length":7,"type":"decimal(7,2)","sign":"zoned""#,
        b"001234N",
        "Decimal(-12345)",
    );
    ok(
        "cp037",
        r#""length":4,"type":"decimal(4,2)","sign":"zoned""#,
        b"\xf0\xf1\xf2\xd3",
        "Decimal(-123)",
    );
    ok(
        "ascii",
        r#""length":8,"type":"date""#,
        b"19700103",
        "Date(2)",
    );
    ok(
        "ascii",
        r#""length":8,"type":"date","null":["00000000"]"#,
        b"00000000",
        "null",
    );
    ok(
        "ascii",
        r#""length":14,"type":"timestamp""#,
        b"19700101090001",
        "Timestamp(1000)",
    );
    ok(
        "ascii",
        r#""length":1,"type":"boolean","true":"1","false":"0""#,
        b"1",
        "Boolean(true)",
    );
    ok(
        "ascii",
        r#""length":2,"type":"bytes""#,
        b"\xff\0",
        "Bytes([255, 0])",
    );
    let bad = |label, body, bytes: &[u8], expected: &str| {
        assert_eq!(read(label, body, bytes), Err(expected.to_owned()), "{body}")
    };
    bad(
        "cp949",
        r#""length":3"#,
        b"\xb0\xa1\xb3",
        "field `f` (bytes 1 to 3): ends inside a character, its last byte is B3; `cut: trim` drops it",
    );
    bad(
        "cp949",
        r#""length":4"#,
        b"a\xff\xffb",
        "field `f` (bytes 1 to 4): the bytes FFFF are no character of the encoding",
    );
    bad(
        "ascii",
        r#""length":5,"type":"int32""#,
        b"12x45",
        "field `f` (bytes 1 to 5): 3132783435 is not of type `int32`",
    );
    bad(
        "ascii",
        r#""length":5,"type":"int8""#,
        b"00300",
        "field `f` (bytes 1 to 5): 3030333030 is not of type `int8`",
    );
    bad(
        "ascii",
        r#""length":8,"type":"date""#,
        b"20230229",
        "field `f` (bytes 1 to 8): 3230323330323239 is not a `date` of its `format`",
    );
    bad(
        "ascii",
        r#""length":5"#,
        b"abc",
        "field `f` (bytes 1 to 5): the record ends before it",
    );
}

#[test]
fn a_cut_character_is_dropped_on_both_sides_of_the_edge_only_when_asked() {
    let json = r#"{"r":{"fields":[{"name":"a","length":3,"cut":"trim"},{"name":"b","length":3}]}}"#;
    let layout = layout("cp949", json);
    let record = b"\xb0\xa1\xb3\xaaxy";
    let (mut half, mut scratch) = (false, String::new());
    let mut texts = Vec::new();
    for field in &layout.types[0].fields {
        match field.read(record, &ctx("cp949"), &mut half, &mut scratch) {
            Ok(Some(Cell::Text(text))) => texts.push(text.to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(texts, ["가", "xy"]);
}

#[test]
fn what_the_encoding_lacks_keeps_the_length_or_is_refused() {
    let ten = r#""length":10"#;
    assert_eq!(
        write("cp949", ten, Some(Scalar::Text("똠a"))).unwrap(),
        b"\x8c\x63a       "
    );
    let refused = |label, text| write(label, ten, Some(Scalar::Text(text))).unwrap_err();
    assert!(refused("cp949", "a—b").contains("no code for U+2014"));
    assert!(refused("euc-kr-strict", "똠").contains("no code for U+B620"));
    for (label, text, expected) in [
        ("cp949", "a—b", &b"a?b       "[..]),
        ("euc-kr-strict", "똠", b"?         "),
    ] {
        let ctx = Context {
            fallback: Fallback::Byte(b'?'),
            ..ctx(label)
        };
        let mut out = Vec::new();
        field(label, ten)
            .write(Some(&Scalar::Text(text)), &ctx, &mut out)
            .unwrap();
        assert_eq!(out, expected);
    }
    assert!(refused("cp949", "가나다라마바").contains("the text has 12 bytes"));
    let trimmed = write(
        "cp949",
        r#""length":5,"cut":"trim""#,
        Some(Scalar::Text("가나다")),
    );
    assert_eq!(trimmed.unwrap(), b"\xb0\xa1\xb3\xaa ");
}

#[test]
fn values_of_tables_are_written_exactly_or_refused() {
    let ok = |body, value, expected: &str| {
        assert_eq!(
            write("ascii", body, value).as_deref(),
            Ok(expected.as_bytes()),
            "{body}"
        )
    };
    let money = r#""length":9,"type":"decimal(9,2)""#;
    ok(money, Some(Scalar::Number(12_345, 2)), "000012345");
    ok(money, Some(Scalar::Number(123, 0)), "000012300");
    ok(money, Some(Scalar::Number(123_400, 4)), "000001234");
    ok(money, Some(Scalar::Text("-12.5")), "-00001250");
    ok(money, Some(Scalar::Float(0.1)), "000000010");
    ok(money, None, "         ");
    ok(
        r#""length":8,"type":"date","null":["00000000"]"#,
        None,
        "00000000",
    );
    ok(
        r#""length":8,"type":"date""#,
        Some(Scalar::Text("2024-02-29")),
        "20240229",
    );
    ok(
        r#""length":8,"type":"date""#,
        Some(Scalar::Timestamp(86_400_000)),
        "19700102",
    );
    ok(
        r#""length":14,"type":"timestamp""#,
        Some(Scalar::Timestamp(1000)),
        "19700101090001",
    );
    ok(
        r#""length":1,"type":"boolean""#,
        Some(Scalar::Number(1, 0)),
        "Y",
    );
    ok(r#""length":5,"value":"D""#, None, "D    ");
    ok(r#""length":5"#, Some(Scalar::Number(-12, 0)), "-12  ");
    for (body, value) in [
        (money, Scalar::Number(12_345, 3)),
        (money, Scalar::Number(10_000_000_000, 2)),
        (money, Scalar::Text("x")),
        (r#""length":8,"type":"date""#, Scalar::Timestamp(1)),
        (r#""length":2,"type":"int32""#, Scalar::Number(123, 0)),
        (r#""length":2,"type":"bytes""#, Scalar::Text("ab")),
    ] {
        assert!(
            write("ascii", body, Some(value.clone())).is_err(),
            "{body} {value:?}"
        );
    }
}

#[test]
fn layouts_name_all_their_mistakes() {
    let parse = |json: &str| {
        Layout::parse(json, TextEncoding::Utf8, false)
            .unwrap_err()
            .join("\n")
    };
    let all = parse(
        r#"{"d":{"when":{"at":90,"is":"D"},"fields":[{"name":"a","length":4},{"name":"a","start":3,"length":4},{"name":"t","length":3,"type":"date"},
        {"name":"x","type":"int99","length":"1","colour":"red"},{"name":"y"}]},"e":{"fields":[{"length":1,"pad":"blue","side":"up","sign":"maybe","cut":"yes","point":"x"}]}}"#,
    );
    for part in [
        "d.a: is there twice",
        "overlap",
        "`format: yyyyMMdd` is longer than the field's 3 bytes",
        "d.x: `type` must be one of",
        "unknown key `colour`",
        "d.y: needs a `length`",
        "`when` looks behind",
        "`pad: blue`",
        "`side` must be",
        "`sign` must be",
        "`cut` must be",
        "`point` must be",
    ] {
        assert!(all.contains(part), "{part:?} is not in\n{all}");
    }
    assert!(parse("[]").contains("is not a map"));
    assert!(parse("{}").contains("no record type"));
    assert!(
        parse(r#"{"a":{"fields":[{"length":1}]},"b":{"fields":[{"length":1}]}}"#)
            .contains("without `when`")
    );
    assert!(parse(r#"{"a":{"emit":"false","fields":[{"length":1}]}}"#).contains("hands out no"));
    assert!(
        parse(r#"{"a":{"fields":[{"length":14,"type":"timestamp"}]}}"#).contains("fixed.timezone")
    );
}

#[test]
fn records_are_cut_by_length_and_by_line_end() {
    let json = r#"{"h":{"when":{"at":1,"is":"H"},"length":4,"fields":[{"length":1}]},"d":{"when":{"at":1,"is":["D","E"]},"length":6,"fields":[{"length":1}]}}"#;
    let cutter = |end, pads_short| Cutter {
        layout: layout("ascii", json),
        end,
        pads_short,
    };
    let none = cutter(RecordEnd::None, false);
    assert_eq!(
        none.next(b"HxxxDyyyyy", false),
        Ok(Step::Record {
            kind: 0,
            body: 4,
            len: 4
        })
    );
    assert_eq!(none.next(b"Eyy", false), Ok(Step::More));
    assert_eq!(
        none.next(b"Eyy", true).unwrap_err().message,
        "the file ends inside a record: 3 bytes are left, a record `d` has 6"
    );
    assert_eq!(none.next(b"\x1a\x1a", true), Ok(Step::End(2)));
    assert_eq!(none.next(b"\x1a", false), Ok(Step::More));
    assert_eq!(
        none.next(b"Zyy", true).unwrap_err().message,
        "no record type of the layout matches: byte 1 of the record begins with 5A"
    );
    assert_eq!(
        (
            none.extent(b"Zyy", false),
            none.extent(b"Zyy", true),
            none.extent(b"Dyyyyyy", false)
        ),
        (None, None, Some(6))
    );
    let lf = cutter(RecordEnd::Lf, false);
    assert_eq!(
        lf.next(b"Hxxx\nD", false),
        Ok(Step::Record {
            kind: 0,
            body: 4,
            len: 5
        })
    );
    assert_eq!(lf.next(b"Hxxx", false), Ok(Step::More));
    assert_eq!(
        lf.next(b"Hxxx\x1a", true),
        Ok(Step::Record {
            kind: 0,
            body: 4,
            len: 5
        })
    );
    assert!(
        lf.next(b"Hxxx\r\n", false)
            .unwrap_err()
            .message
            .contains("`fixed.record.end: crlf`")
    );
    assert!(
        lf.next(b"Dx\n", false)
            .unwrap_err()
            .message
            .contains("the record has 2 bytes, a record `d` has 6; `fixed.short.records: pad`")
    );
    assert_eq!(
        cutter(RecordEnd::Lf, true).next(b"Dx\n", false),
        Ok(Step::Record {
            kind: 1,
            body: 2,
            len: 3
        })
    );
    let crlf = cutter(RecordEnd::Crlf, false);
    assert_eq!(
        crlf.next(b"Hxxx\r\n", false),
        Ok(Step::Record {
            kind: 0,
            body: 4,
            len: 6
        })
    );
    assert!(
        crlf.next(b"Hxxx\n", false)
            .unwrap_err()
            .message
            .contains("LF alone")
    );
}
