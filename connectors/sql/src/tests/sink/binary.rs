//! COPY's binary form: the same rows as by text, for every type that has one; and columns that change under it.

use linkspan_sdk::ErrorKind;

use super::*;

/// Rows of a batch that is written in the background.
const ROWS: i64 = 2_000;

const TABLE_OF_ALL: &str = "CREATE TABLE t (id BIGINT, flag BOOLEAN, tiny SMALLINT, small SMALLINT, whole INTEGER, big BIGINT, single REAL, \
     double DOUBLE PRECISION, word VARCHAR(30), story TEXT, raw BYTEA, day DATE, at TIMESTAMPTZ(3), precise TIMESTAMPTZ, wall TIMESTAMP)";

fn schema_of_all() -> Arc<Schema> {
    let wall = SchemaBuilder::int64().name("io.debezium.time.MicroTimestamp");
    Arc::new(
        SchemaBuilder::structure()
            .field("id", SchemaBuilder::int64().build())
            .field("flag", SchemaBuilder::boolean().optional().build())
            .field("tiny", SchemaBuilder::int8().optional().build())
            .field("small", SchemaBuilder::int16().optional().build())
            .field("whole", SchemaBuilder::int32().optional().build())
            .field("big", SchemaBuilder::int64().optional().build())
            .field("single", SchemaBuilder::float32().optional().build())
            .field("double", SchemaBuilder::float64().optional().build())
            .field("word", SchemaBuilder::string().optional().build())
            .field("story", SchemaBuilder::string().optional().build())
            .field("raw", SchemaBuilder::bytes().optional().build())
            .field("day", SchemaBuilder::date().optional().build())
            .field("at", SchemaBuilder::timestamp().optional().build())
            .field(
                "precise",
                SchemaBuilder::timestamp_micros().optional().build(),
            )
            .field("wall", wall.optional().build())
            .build(),
    )
}

/// The values of a row, different ones for each number below some thousands, extremes among them.
fn values(id: i64, n: i64) -> Vec<Value> {
    let pick = |list: &[f64]| list[usize::try_from(n).unwrap() % list.len()];
    let texts = [
        "",
        "a\tb\\\n\r",
        "\\N",
        "ä 표 🚢",
        "plain",
        "\u{1}\u{7f}",
        "NULL",
    ];
    let text = texts[usize::try_from(n).unwrap() % texts.len()];
    // From 4713 BC on.
    let days = i32::try_from(n * 1_237 % 2_900_000 - 2_400_000).unwrap();
    let micros = i64::from(days) * 86_400_000_000 + n * 1_000_003 + n % 7;
    let mut values: Vec<Value> = vec![
        (n % 2 == 0).into(),
        Value::Int8([i8::MIN, i8::MAX, 0, -1][usize::try_from(n).unwrap() % 4]),
        Value::Int16([i16::MIN, i16::MAX, 0, -1][usize::try_from(n).unwrap() % 4]),
        Value::Int32([i32::MIN, i32::MAX, 0, 77][usize::try_from(n).unwrap() % 4]),
        Value::Int64([i64::MIN, i64::MAX, 0, n][usize::try_from(n).unwrap() % 4]),
        #[expect(clippy::cast_possible_truncation, reason = "any number does")]
        Value::Float32(pick(&[
            0.1,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::from(f32::MIN_POSITIVE),
            3.4e38,
        ]) as f32),
        Value::Float64(pick(&[
            0.1,
            -0.0,
            f64::NAN,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
        ])),
        text.into(),
        format!("{text}{n}").as_str().into(),
        Value::Bytes(vec![0, 255, u8::try_from(n % 256).unwrap(), b'\\']),
        Value::Int32(days),
        Value::Int64(micros / 1_000),
        Value::Int64(micros),
        Value::Int64(micros - 1),
    ];
    for (at, value) in values.iter_mut().enumerate() {
        if n % 23 == i64::try_from(at).unwrap() {
            *value = Value::Null;
        }
    }
    values.insert(0, id.into());
    values
}

fn batch(schema: &Arc<Schema>, from: i64) -> Vec<TestRecord> {
    (0..ROWS)
        .map(|n| TestRecord::new("t", row(schema, values(from + n, n))))
        .collect()
}

#[test]
fn rows_are_the_same_in_both_forms() {
    let Some(db) = Db::postgres() else {
        return;
    };
    db.sql(TABLE_OF_ALL);
    let schema = schema_of_all();
    let mut sink = db.sink(&[]);
    // The first two go as text: until the first has arrived nobody knows whether COPY works.
    for from in 0..4 {
        sink.put(&batch(&schema, from * ROWS)).unwrap();
    }
    sink.flush().unwrap();
    let different = format!(
        "SELECT count(*) FROM t a JOIN t b ON b.id % {ROWS} = a.id WHERE a.id < {ROWS} AND (to_jsonb(a) - 'id' IS DISTINCT FROM to_jsonb(b) - 'id' \
         OR float8send(a.double) IS DISTINCT FROM float8send(b.double) OR float4send(a.single) IS DISTINCT FROM float4send(b.single))"
    );
    assert_eq!(db.sql(&different), "0");
    assert_eq!(
        db.sql("SELECT count(*), count(flag), count(wall), min(day), max(tiny) FROM t"),
        format!(
            "{}|{}|{}|4602-01-09 BC|127",
            4 * ROWS,
            4 * (ROWS - 87),
            4 * (ROWS - 87)
        )
    );
    // And they did go in two forms: the bytes of a whole number are not taken for a fraction.
    db.sql("ALTER TABLE t ALTER big TYPE DOUBLE PRECISION");
    let put = sink
        .put(&batch(&schema, 4 * ROWS))
        .and_then(|_| sink.flush());
    let error = put.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    assert!(
        error.to_string().contains("column `big` has changed"),
        "{error}"
    );
    assert_eq!(db.sql("SELECT count(*) FROM t"), (4 * ROWS).to_string());
    // A new task, as the host makes one, reads the table again.
    drop(sink);
    let mut sink = db.sink(&[("delivery", "at_least_once")]);
    for from in 4..7 {
        sink.put(&batch(&schema, from * ROWS)).unwrap();
    }
    sink.flush().unwrap();
    assert_eq!(
        db.sql("SELECT count(*), max(big) FROM t WHERE big > 3e18"),
        format!("{}|9.223372036854776e+18", 7 * (ROWS / 4 - 21))
    );
}

/// Batches before it have arrived, so this one is binary.
#[test]
fn a_row_at_fault_is_found_in_the_binary_form() {
    let Some(db) = Db::postgres() else {
        return;
    };
    db.sql("CREATE TABLE t (id BIGINT, name VARCHAR(300), n INTEGER CHECK (n < 1000))");
    let mut sink = db.sink(&[]);
    let good = |from: i64| -> Vec<TestRecord> {
        (from..from + ROWS)
            .map(|id| person(id, &"x".repeat(100), 1))
            .collect()
    };
    for round in 0..4 {
        sink.put(&good(round * ROWS)).unwrap();
    }
    sink.flush().unwrap();
    let mut bad = good(4 * ROWS);
    bad[1_234] = person(1_234, "bad", 5_000);
    let put = sink.put(&bad).and_then(|_| sink.flush());
    let error = put.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DataInvalid, "{error}");
    assert!(
        error.to_string().contains(&format!("{}", 4 * ROWS + 1_234)),
        "names the offset: {error}"
    );
    assert_eq!(db.sql("SELECT count(*) FROM t"), (4 * ROWS).to_string());
}
