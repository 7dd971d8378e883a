//! Cells of each database and what becomes of them, as tables.

use linkspan_sdk::Value;

use super::*;

const NONE: Mapping = Mapping {
    numeric: NumericMapping::None,
    granularity: Granularity::Micros,
    zone: None,
};

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Int8(v) => v.to_string(),
        Value::Int16(v) => v.to_string(),
        Value::Int32(v) => v.to_string(),
        Value::Int64(v) => v.to_string(),
        Value::Float32(v) => v.to_string(),
        Value::Float64(v) => v.to_string(),
        Value::Boolean(v) => v.to_string(),
        Value::String(v) => v.clone(),
        Value::Bytes(v) => format!("{v:?}"),
        Value::Array(v) => format!("[{}]", v.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Struct(v) => v.values().iter().map(show).collect::<Vec<_>>().join("/"),
        Value::Map(_) => "map".to_owned(),
    }
}

fn read(dialect: Dialect, kind: &ReadType, raw: &[u8], mapping: &Mapping) -> String {
    let form = Form::of(kind, mapping);
    let value = cell(dialect, kind, raw).and_then(|cell| form.value(&cell));
    value.map_or_else(|error| format!("error: {error}"), |value| show(&value))
}

#[test]
fn postgres_cells() {
    let check = |kind: ReadType, raw: &[u8], expected: &str| {
        assert_eq!(
            read(Dialect::Postgres, &kind, raw, &NONE),
            expected,
            "{kind:?} {raw:?}"
        );
    };
    check(ReadType::Int16, &[255, 254], "-2");
    check(ReadType::Int64, &[0, 0, 1, 0], "256");
    check(ReadType::Int32, &[0, 0], "error: 2 bytes are no integer");
    check(ReadType::Date, &0_i32.to_be_bytes(), "10957");
    check(ReadType::Date, &i32::MAX.to_be_bytes(), "null");
    check(ReadType::Wall, &1_i64.to_be_bytes(), "946684800000001");
    check(
        ReadType::Wall,
        &(i64::MAX - 1).to_be_bytes(),
        "error: the timestamp is out of range",
    );
    check(
        ReadType::Uuid,
        &[0x11; 16],
        "11111111-1111-1111-1111-111111111111",
    );
    check(ReadType::Text, b"\xff", "error: the text is not UTF-8");
    // 1 year 2 months, 3 days, 4:05:06.7
    let interval = [
        &14_706_700_000_i64.to_be_bytes()[..],
        &3_i32.to_be_bytes(),
        &14_i32.to_be_bytes(),
    ]
    .concat();
    check(ReadType::Interval, &interval, "P1Y2M3DT4H5M6.7S");
    check(ReadType::Interval, &[0; 16], "PT0S");
    let negative = [&(-500_000_i64).to_be_bytes()[..], &[0; 8]].concat();
    check(ReadType::Interval, &negative, "PT-0.5S");
    let zoned = [
        &18_900_000_000_i64.to_be_bytes()[..],
        &(-32_400_i32).to_be_bytes(),
    ]
    .concat();
    check(ReadType::ZonedTime, &zoned, "05:15:00+09:00");
    // B'101' and B'1 10000001'
    check(ReadType::Bits(3), &[0, 0, 0, 3, 0b1010_0000], "[5]");
    check(
        ReadType::Bits(9),
        &[0, 0, 0, 9, 0b1100_0000, 0b1000_0000],
        "[129, 1]",
    );
    check(ReadType::Bits(1), &[0, 0, 0, 1, 0x80], "true");
    let array = [
        &1_i32.to_be_bytes()[..],
        &[0, 0, 0, 1, 0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1],
        &[0, 0, 0, 4, 0, 0, 0, 7],
        &[255; 4],
    ]
    .concat();
    check(
        ReadType::Array(Box::new(ReadType::Int32)),
        &array,
        "[7, null]",
    );
    let huge = [
        &1_i32.to_be_bytes()[..],
        &[0; 8],
        &[127, 255, 255, 255, 0, 0, 0, 1],
    ]
    .concat();
    check(
        ReadType::Array(Box::new(ReadType::Int32)),
        &huge,
        "error: 20 bytes are no array",
    );
}

#[test]
fn postgres_numbers() {
    let words = |words: &[u16]| {
        words
            .iter()
            .flat_map(|word| word.to_be_bytes())
            .collect::<Vec<u8>>()
    };
    let check = |kind: ReadType, mapping: &Mapping, raw: &[u16], expected: &str| {
        assert_eq!(
            read(Dialect::Postgres, &kind, &words(raw), mapping),
            expected,
            "{kind:?} {raw:?}"
        );
    };
    let text = Mapping {
        numeric: NumericMapping::String,
        ..NONE
    };
    let price = ReadType::Decimal {
        precision: 12,
        scale: 2,
    };
    // 12345.60
    let number = [3, 1, 0, 2, 1, 2345, 6000];
    check(price.clone(), &text, &number, "12345.60");
    check(price.clone(), &NONE, &number, "[18, 214, 128]");
    check(ReadType::Numeric, &text, &[0, 0, 0xC000, 0], "NaN");
    check(ReadType::Numeric, &NONE, &[0, 0, 0xC000, 0], "null");
    check(ReadType::Numeric, &NONE, &number, "2/[18, 214, 128]");
    check(
        price.clone(),
        &NONE,
        &[3, 1, 0, 2, 1],
        "error: 10 bytes are no numeric",
    );
    let best = Mapping {
        numeric: NumericMapping::BestFit,
        ..NONE
    };
    check(price, &best, &number, "12345.6");
    check(
        ReadType::Decimal {
            precision: 9,
            scale: 0,
        },
        &best,
        &[1, 0, 0, 0, 42],
        "42",
    );
}

#[test]
fn mysql_cells() {
    let check = |kind: ReadType, raw: &[u8], expected: &str| {
        assert_eq!(
            read(Dialect::MySql, &kind, raw, &NONE),
            expected,
            "{kind:?} {raw:?}"
        );
    };
    check(ReadType::Unsigned(32), &[255; 4], "4294967295");
    check(
        ReadType::Unsigned(64),
        &[255; 8],
        "[0, 255, 255, 255, 255, 255, 255, 255, 255]",
    );
    check(ReadType::Int8, &[255], "-1");
    check(
        ReadType::Decimal {
            precision: 5,
            scale: 2,
        },
        b"-1.50",
        "[255, 106]",
    );
    check(ReadType::Date, &[4, 221, 7, 1, 31], "15736");
    check(ReadType::Date, &[0], "null");
    check(ReadType::Date, &[4, 221, 7, 0, 0], "null");
    check(
        ReadType::Wall,
        &[7, 221, 7, 1, 1, 5, 15, 0],
        "1357017300000000",
    );
    check(
        ReadType::Wall,
        &[11, 221, 7, 1, 1, 5, 15, 0, 1, 0, 0, 0],
        "1357017300000001",
    );
    check(ReadType::Wall, &[9, 1], "error: 2 bytes are no date");
    check(
        ReadType::Time,
        &[8, 1, 34, 0, 0, 0, 22, 59, 59],
        "-3020399000000",
    );
    check(ReadType::Bits(9), &[1, 2], "[2, 1]");
    check(ReadType::Year, &[221, 7], "2013");
}

#[test]
fn sqlite_cells_say_what_they_are() {
    let check = |kind: ReadType, raw: &[u8], expected: &str| {
        assert_eq!(
            read(Dialect::Sqlite, &kind, raw, &NONE),
            expected,
            "{kind:?} {raw:?}"
        );
    };
    let number = |number: i64| [&[TAG_INTEGER][..], &number.to_le_bytes()].concat();
    let real = |number: f64| [&[TAG_REAL][..], &number.to_le_bytes()].concat();
    check(ReadType::Int64, &number(7), "7");
    check(
        ReadType::Int64,
        b"tseven",
        "error: a value of type TEXT stands in a column for INTEGER",
    );
    check(
        ReadType::Text,
        &number(7),
        "error: a value of type INTEGER stands in a column for TEXT",
    );
    check(ReadType::Float64, &number(7), "7");
    check(
        ReadType::Decimal {
            precision: 5,
            scale: 2,
        },
        &real(12.5),
        "[4, 226]",
    );
    check(
        ReadType::Decimal {
            precision: 5,
            scale: 1,
        },
        &real(12.55),
        "error: the number has more digits behind the point than the column declares",
    );
    check(ReadType::Wall, b"t2013-01-01 05:15:00", "1357017300000000");
    check(
        ReadType::Wall,
        b"t2013-01-01T05:15:00Z",
        "error: the timestamp has a zone, others of the column may have none; set `db.timezone` for those",
    );
    check(ReadType::Wall, &number(1_500), "1500000");
    check(
        ReadType::Date,
        b"t2013-02-30",
        "error: the text is no date such as 2013-01-31",
    );
    check(
        ReadType::Bool,
        &number(2),
        "error: a value of type INTEGER stands in a column for a boolean",
    );
    check(ReadType::Bytes, b"b\x01\x02", "[1, 2]");
    check(ReadType::Text, b"", "error: 0 bytes are no SQLite value");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn timestamps_in_every_granularity() {
    let check = |granularity: Granularity,
                 zone: Option<&str>,
                 kind: &ReadType,
                 expected: &str,
                 name: Option<&str>| {
        let mapping = Mapping {
            granularity,
            zone: zone.map(|zone| zone.parse().unwrap()),
            ..NONE
        };
        // 2000-01-01 00:00:00.5
        let raw = 500_000_i64.to_be_bytes();
        assert_eq!(
            read(Dialect::Postgres, kind, &raw, &mapping),
            expected,
            "{granularity:?} {zone:?} {kind:?}"
        );
        assert_eq!(
            Form::of(kind, &mapping).schema(false).name.as_deref(),
            name,
            "{granularity:?} {zone:?} {kind:?}"
        );
    };
    let (wall, instant) = (&ReadType::Wall, &ReadType::Instant);
    check(
        Granularity::Micros,
        None,
        wall,
        "946684800500000",
        Some("io.debezium.time.MicroTimestamp"),
    );
    check(
        Granularity::Micros,
        None,
        instant,
        "946684800500000",
        Some("linkspan.TimestampMicros"),
    );
    check(
        Granularity::Micros,
        Some("+01:00"),
        wall,
        "946681200500000",
        Some("linkspan.TimestampMicros"),
    );
    check(
        Granularity::ConnectLogical,
        None,
        wall,
        "946684800500",
        Some("io.debezium.time.Timestamp"),
    );
    check(
        Granularity::ConnectLogical,
        Some("UTC"),
        wall,
        "946684800500",
        Some("org.apache.kafka.connect.data.Timestamp"),
    );
    check(
        Granularity::Nanos,
        None,
        instant,
        "946684800500000000",
        Some("linkspan.TimestampNanos"),
    );
    check(
        Granularity::IsoString,
        None,
        wall,
        "2000-01-01T00:00:00.500000",
        None,
    );
    check(
        Granularity::IsoString,
        Some("Asia/Seoul"),
        wall,
        "1999-12-31T15:00:00.500000Z",
        Some("io.debezium.time.ZonedTimestamp"),
    );
    check(
        Granularity::IsoString,
        None,
        instant,
        "2000-01-01T00:00:00.500000Z",
        Some("io.debezium.time.ZonedTimestamp"),
    );
    check(
        Granularity::MicrosString,
        None,
        instant,
        "946684800500000",
        None,
    );
}

#[test]
fn foreign_bytes_never_panic() {
    let kinds = [
        ReadType::Bool,
        ReadType::Int8,
        ReadType::Int64,
        ReadType::Unsigned(64),
        ReadType::Numeric,
        ReadType::Date,
        ReadType::Time,
        ReadType::ZonedTime,
        ReadType::Wall,
        ReadType::Interval,
        ReadType::Uuid,
        ReadType::Bits(9),
        ReadType::Array(Box::new(ReadType::Numeric)),
        ReadType::Text,
    ];
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33).to_le_bytes()[0]
    };
    for _ in 0..20_000 {
        let length = usize::from(next() % 40);
        let raw: Vec<u8> = (0..length)
            .map(|_| if next() % 3 == 0 { next() } else { 0 })
            .collect();
        for kind in &kinds {
            for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
                let _shown = read(dialect, kind, &raw, &NONE);
            }
        }
    }
}
