//! Tables are made from schemas, extended and widened.

use super::*;

fn all_types() -> Arc<Schema> {
    let optional =
        |name: &str, builder: SchemaBuilder| (name.to_owned(), builder.optional().build());
    let fields = [
        ("id".to_owned(), SchemaBuilder::int64().build()),
        optional("i8", SchemaBuilder::int8()),
        optional("i16", SchemaBuilder::int16()),
        optional("i32", SchemaBuilder::int32()),
        optional("f32", SchemaBuilder::float32()),
        optional("f64", SchemaBuilder::float64()),
        optional("flag", SchemaBuilder::boolean()),
        optional("txt", SchemaBuilder::string()),
        optional("raw", SchemaBuilder::bytes()),
        optional("dcm", SchemaBuilder::decimal(2)),
        optional("d", SchemaBuilder::date()),
        optional("tm", SchemaBuilder::time()),
        optional("ts", SchemaBuilder::timestamp()),
        optional("micros", SchemaBuilder::timestamp_micros()),
        optional(
            "wall",
            SchemaBuilder::int64().name("io.debezium.time.MicroTimestamp"),
        ),
        optional("uid", SchemaBuilder::string().name("io.debezium.data.Uuid")),
        optional("js", SchemaBuilder::string().name("io.debezium.data.Json")),
        optional("list", SchemaBuilder::array(SchemaBuilder::int32().build())),
        optional(
            "nested",
            SchemaBuilder::structure().field("a", SchemaBuilder::int32().build()),
        ),
    ];
    Arc::new(
        fields
            .into_iter()
            .fold(SchemaBuilder::structure(), |builder, (name, schema)| {
                builder.field(&name, schema)
            })
            .build(),
    )
}

fn full(schema: &Arc<Schema>, id: i64) -> TestRecord {
    let nested = Arc::clone(&schema.fields()[18].schema);
    let values: Vec<Value> = vec![
        id.into(),
        (-5_i8).into(),
        300_i16.into(),
        70_000.into(),
        1.5_f32.into(),
        (-2.25_f64).into(),
        true.into(),
        "ä 표\n\\".into(),
        Value::Bytes(vec![0, 255]),
        Value::decimal(-12_345),
        Value::date(15_706),
        Value::time(18_900_000),
        Value::timestamp(1_357_017_300_250),
        Value::Int64(1_357_017_300_000_001),
        Value::Int64(1_357_017_300_000_001),
        "123e4567-e89b-12d3-a456-426614174000".into(),
        r#"{"a": 1}"#.into(),
        Value::Array(vec![1.into(), 2.into()]),
        Value::Struct(Struct::from_values(nested, vec![7.into()]).unwrap()),
    ];
    TestRecord::new("t", row(schema, values)).key(format!("{id}").as_str())
}

/// Every type goes into a table that was made for it, and what the server's client reads is what was sent.
#[test]
fn a_table_is_made_for_every_type() {
    everywhere(|db| {
        let schema = all_types();
        for path in ["auto", "multi"] {
            db.sql("DROP TABLE IF EXISTS t");
            let config = [
                ("auto.create", "true"),
                ("insert.mode", "upsert"),
                ("pk.mode", "record_key"),
                ("pk.fields", "id"),
                ("write.path", path),
                ("delivery", "at_least_once"),
            ];
            let mut sink = db.sink(&config);
            let mut nulls: Vec<Value> = vec![Value::Null; 19];
            nulls[0] = 2_i64.into();
            sink.put(&[
                full(&schema, 1),
                TestRecord::new("t", row(&schema, nulls)).key("2"),
            ])
            .unwrap();
            sink.put(&[full(&schema, 1)]).unwrap();
            assert_eq!(db.sql("SELECT count(*) FROM t"), "2", "{path}");
            assert_eq!(
                db.sql(
                    "SELECT count(i8) + count(raw) + count(nested) + count(ts) FROM t WHERE id = 2"
                ),
                "0"
            );
            let plain = "SELECT i8, i16, i32, f32, f64, dcm, d, tm, uid FROM t WHERE id = 1";
            let (plain, extra, shown) = if db.url().starts_with("postgres") {
                (
                    db.sql(plain),
                    db.sql("SELECT flag, encode(raw, 'hex'), ts, micros, wall, js->>'a', list, nested->>'a', length(txt) FROM t WHERE id = 1"),
                    "t|00ff|2013-01-01 05:15:00.25|2013-01-01 05:15:00.000001+00|2013-01-01 05:15:00.000001|1|{1,2}|7|5",
                )
            } else if db.url().starts_with("mysql") {
                (
                    db.sql(plain).replace("05:15:00.000000", "05:15:00"),
                    db.sql("SELECT flag, hex(raw), ts, micros, wall, json_extract(js, '$.a'), json_extract(list, '$[1]'), json_extract(nested, '$.a'), char_length(txt) FROM t WHERE id = 1"),
                    "1|00FF|2013-01-01 05:15:00.250000|2013-01-01 05:15:00.000001|2013-01-01 05:15:00.000001|1|2|7|5",
                )
            } else {
                (
                    db.sql(plain),
                    db.sql("SELECT flag, hex(raw), ts, micros, wall, json_extract(js, '$.a'), json_extract(list, '$[1]'), json_extract(nested, '$.a'), length(txt) FROM t WHERE id = 1"),
                    "1|00FF|2013-01-01 05:15:00.250|2013-01-01 05:15:00.000001|2013-01-01 05:15:00.000001|1|2|7|5",
                )
            };
            assert_eq!(
                plain,
                "-5|300|70000|1.5|-2.25|-123.45|2013-01-01|05:15:00|123e4567-e89b-12d3-a456-426614174000"
            );
            // PostgreSQL's client shows instants in its own zone, which the test's is not.
            assert_eq!(extra.replace("+00", ""), shown.replace("+00", ""), "{path}");
        }
    });
}

#[test]
fn columns_are_added_and_widened() {
    everywhere(|db| {
        db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(3))");
        let config = [
            ("auto.evolve", "true"),
            ("auto.evolve.widen", "true"),
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
        ];
        let mut sink = db.sink(&config);
        sink.put(&[person(1, "abc", 7)]).unwrap();
        sink.put(&[person(5_000_000_000, "a longer name", 8)])
            .unwrap();
        assert_eq!(
            db.sql("SELECT id, name, n FROM t ORDER BY id"),
            "1|abc|7\n5000000000|a longer name|8"
        );
        // Without the options the same is a fault of the record.
        db.sql("DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(3))");
        let mut sink = db.sink(&[
            ("insert.mode", "upsert"),
            ("pk.mode", "record_value"),
            ("pk.fields", "id"),
            ("delivery", "at_least_once"),
        ]);
        assert!(
            sink.put(&[person(1, "abc", 7)])
                .unwrap_err()
                .message()
                .contains("no column `n`")
        );
    });
}

#[test]
fn two_tasks_that_make_one_table_do_not_trip() {
    everywhere(|db| {
        let schema = all_types();
        let threads: Vec<_> = (0..3_i32)
            .map(|n| {
                let (config, schema) = (db.config(&[("auto.create", "true")]), Arc::clone(&schema));
                std::thread::spawn(move || {
                    let mut sink = TestHost::sink::<SqlSink>(config);
                    // The file of SQLite takes one writer at a time; the host tries again.
                    for _ in 0..20 {
                        match sink.open() {
                            Ok(_) => break,
                            Err(error) => assert!(error.is_temporary(), "{error}"),
                        }
                    }
                    sink.assign(&[("t", n)]).unwrap();
                    for _ in 0..20 {
                        match sink.put(&[full(&schema, i64::from(n)).partition(n)]) {
                            Ok(_) => return,
                            Err(error) => assert!(error.is_temporary(), "{error}"),
                        }
                    }
                    panic!("it never worked");
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(db.sql("SELECT count(*) FROM t"), "3");
    });
}
