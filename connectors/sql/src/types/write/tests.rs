//! One table for each database: value, column, what it becomes.

use std::borrow::Cow;

use linkspan_sdk::OptionValue as _;

use super::copy::COPY_NULL;
use super::*;
use crate::types::cell::Moment;

fn column(dialect: Dialect, type_name: &str) -> Column {
    Column {
        name: "c".to_owned(),
        type_name: type_name.to_owned(),
        base_type: type_name.to_owned(),
        kind: dialect.column_kind(type_name),
        nullable: true,
        has_default: false,
        generated: false,
        numbered: false,
        identity_always: false,
        length_max: None,
        words: Vec::new(),
        charset: None,
        folds_text: false,
    }
}

fn encode(
    dialect: Dialect,
    zone: &str,
    cell: &Cell<'_>,
    type_name: &str,
) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::new();
    let mut encoder = Encoder::new(dialect, Zone::parse("", zone).unwrap());
    encoder
        .encode(cell, &column(dialect, type_name), &mut out)
        .map(|()| out)
}

#[track_caller]
fn copy(cell: &Cell<'_>, type_name: &str, expected: &str) {
    let found = encode(Dialect::Postgres, "Asia/Seoul", cell, type_name)
        .map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(
        found.unwrap_or_else(|unfit| format!("! {unfit}")),
        expected,
        "{cell:?} into {type_name}"
    );
}

#[track_caller]
fn binds(dialect: Dialect, cell: &Cell<'_>, type_name: &str, expected: Option<Bound<'_>>) {
    let found = encode(dialect, "Asia/Seoul", cell, type_name);
    assert_eq!(
        found.as_deref().ok().map(bound),
        expected,
        "{cell:?} into {type_name}: {found:?}"
    );
}

const MOMENT: Moment = Moment {
    seconds: 1_357_017_300,
    nanos: 250_000_000,
};

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.into())
}

fn loose(text: &str) -> Cell<'_> {
    Cell::Loose(text.into())
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn postgres_gets_copy_text() {
    copy(&Cell::Null, "integer", "\\N");
    copy(&text("\\N"), "text", "\\\\N");
    copy(&text("a\tb\nc\\"), "text", "a\\tb\\nc\\\\");
    copy(
        &text("a\0"),
        "text",
        "! holds U+0000, which PostgreSQL stores in no text; take it out with a transform, or use bytea",
    );
    copy(&Cell::Bool(true), "boolean", "t");
    copy(&Cell::Bool(true), "integer", "1");
    copy(
        &Cell::Float64(1.5),
        "integer",
        "! has a fraction or is too large, where a whole number is wanted",
    );
    copy(&Cell::Float64(2.0), "integer", "2");
    copy(&Cell::Float64(f64::NAN), "double precision", "NaN");
    copy(
        &Cell::Number("12345678901234567890.10"),
        "numeric",
        "12345678901234567890.10",
    );
    copy(&Cell::Number("1e3"), "integer", "1000");
    copy(
        &Cell::Int(5),
        "date",
        "! is a number, where a date or time is wanted: a transform (TimestampConverter) or a schema says what it counts",
    );
    copy(&Cell::Bytes(Cow::Borrowed(&[0, 255])), "bytea", "\\\\x00ff");
    copy(
        &Cell::Bytes(Cow::Borrowed(&[255])),
        "text",
        "! is no UTF-8, where text is wanted",
    );
    copy(&loose("AP8="), "bytea", "\\\\x00ff");
    copy(&loose("\\x00ff"), "bytea", "\\\\x00ff");
    copy(&text("AP8="), "bytea", "\\\\x4150383d");
    copy(&Cell::Date(15_706), "date", "2013-01-01");
    copy(
        &Cell::Date(15_706),
        "timestamp without time zone",
        "2013-01-01 00:00:00",
    );
    copy(&Cell::Date(-735_000), "date", "0044-08-22 BC");
    copy(
        &Cell::Time(18_900_000_000_000),
        "time without time zone",
        "05:15:00",
    );
    copy(
        &Cell::Instant(MOMENT),
        "timestamp with time zone",
        "2013-01-01 05:15:00.250+00",
    );
    copy(
        &Cell::Instant(MOMENT),
        "timestamp without time zone",
        "2013-01-01 14:15:00.250",
    );
    copy(&Cell::Instant(MOMENT), "text", "2013-01-01T05:15:00.250Z");
    copy(
        &Cell::Local(MOMENT),
        "timestamp without time zone",
        "2013-01-01 05:15:00.250",
    );
    copy(
        &Cell::Local(MOMENT),
        "timestamp with time zone",
        "2012-12-31 20:15:00.250+00",
    );
    copy(
        &loose("2013-01-01T05:15:00+09:00"),
        "timestamp without time zone",
        "2013-01-01 05:15:00",
    );
    copy(
        &loose("2013-01-01T05:15:00Z"),
        "timestamp without time zone",
        "2013-01-01 14:15:00",
    );
    copy(
        &loose("2013-01-01 05:15:00"),
        "timestamp with time zone",
        "2012-12-31 20:15:00+00",
    );
    copy(&loose("infinity"), "timestamp with time zone", "infinity");
    copy(
        &Cell::Duration(1_500_000),
        "interval",
        "1500000 microseconds",
    );
    copy(&Cell::Bits(&[0b101]), "bit(4)", "0101");
    copy(
        &Cell::Json("{\"a\":\"x\\n\"}".into()),
        "jsonb",
        "{\"a\":\"x\\\\n\"}",
    );
    copy(&Cell::Json("[1,null,2]".into()), "integer[]", "{1,NULL,2}");
    copy(
        &Cell::Json("[[\"a\"],[\"b\\\"\"]]".into()),
        "text[]",
        "{{\"a\"},{\"b\\\\\"\"}}",
    );
    copy(
        &Cell::Array(vec![Cell::Int(1), Cell::Null, text("NULL")]),
        "text[]",
        "{\"1\",NULL,\"NULL\"}",
    );
    copy(
        &Cell::Array(vec![Cell::Int(1), Cell::Null, text("a\"b")]),
        "jsonb",
        "[1,null,\"a\\\\\"b\"]",
    );
    copy(
        &Cell::Decimal {
            unscaled: Cow::Borrowed(&[100]),
            scale: 2,
        },
        "integer",
        "1",
    );
    copy(
        &Cell::Decimal {
            unscaled: Cow::Borrowed(&[101]),
            scale: 2,
        },
        "integer",
        "! has a fraction, where a whole number is wanted",
    );
}

#[test]
fn the_others_get_values_to_bind() {
    use Dialect::{MySql, Sqlite};
    binds(MySql, &Cell::Null, "int(11)", Some(Bound::Null));
    binds(MySql, &Cell::Bool(true), "tinyint(1)", Some(Bound::Int(1)));
    binds(
        MySql,
        &Cell::Instant(MOMENT),
        "timestamp(6)",
        Some(Bound::Text("2013-01-01 05:15:00.250")),
    );
    binds(
        MySql,
        &Cell::Instant(MOMENT),
        "datetime(6)",
        Some(Bound::Text("2013-01-01 14:15:00.250")),
    );
    binds(
        MySql,
        &loose("2013-01-01T05:15:00Z"),
        "datetime(6)",
        Some(Bound::Text("2013-01-01 14:15:00")),
    );
    binds(
        MySql,
        &Cell::Number("18446744073709551615"),
        "bigint(20) unsigned",
        Some(Bound::Text("18446744073709551615")),
    );
    binds(MySql, &Cell::Number("1.5"), "int(11)", None);
    binds(MySql, &Cell::Float64(f64::INFINITY), "double", None);
    binds(
        MySql,
        &Cell::Float64(1.5),
        "decimal(9,2)",
        Some(Bound::Text("1.5")),
    );
    binds(MySql, &Cell::Bits(&[5]), "bit(3)", Some(Bound::UInt(5)));
    binds(MySql, &loose("true"), "tinyint(1)", Some(Bound::Int(1)));
    binds(MySql, &loose("yes"), "tinyint(1)", None);
    binds(MySql, &text("ab"), "blob", Some(Bound::Bytes(b"ab")));
    binds(Sqlite, &text("12"), "INTEGER", Some(Bound::Int(12)));
    binds(Sqlite, &text("twelve"), "INTEGER", None);
    binds(
        Sqlite,
        &Cell::Number("1.50"),
        "TEXT",
        Some(Bound::Text("1.50")),
    );
    binds(Sqlite, &Cell::Number("1.5"), "", Some(Bound::Float(1.5)));
    binds(Sqlite, &Cell::Float64(f64::NAN), "REAL", None);
    binds(Sqlite, &Cell::Int(7), "TEXT", Some(Bound::Text("7")));
    binds(
        Sqlite,
        &Cell::Bytes(Cow::Borrowed(&[1])),
        "BLOB",
        Some(Bound::Bytes(&[1])),
    );
}

#[test]
fn a_text_that_is_too_long_is_found_before_the_server() {
    let mut short = column(Dialect::Postgres, "character varying(3)");
    short.length_max = Some(3);
    let mut encoder = Encoder::new(Dialect::Postgres, Zone::UTC);
    let mut out = Vec::new();
    assert!(encoder.encode(&text("äöü"), &short, &mut out).is_ok());
    assert!(
        encoder
            .encode(&text("abcd"), &short, &mut out)
            .unwrap_err()
            .to_string()
            .contains("3 characters")
    );
}

#[test]
fn copy_text_goes_back_and_forth() {
    for sample in ["", "a", "\\N", "a\\b\nc\td\r", "\\.", "ä\u{1}"] {
        let mut out = Vec::new();
        escape(sample.as_bytes(), &mut out);
        assert_eq!(
            unescape(&out).as_deref(),
            Some(sample.as_bytes()),
            "{sample:?}"
        );
    }
    assert_eq!(unescape(COPY_NULL), None);
}
