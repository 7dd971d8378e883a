//! Schemaless JSON fitted to the table's columns, and Debezium's events as they are.

use serde_json::json;

use super::*;

fn plain(value: serde_json::Value) -> TestRecord {
    TestRecord::new("t", value).key("1")
}

#[test]
fn json_is_fitted_to_the_columns() {
    everywhere(|db| {
        let (uuid, js, raw) = match () {
            () if db.url().starts_with("postgres") => ("UUID", "JSONB", "BYTEA"),
            () if db.url().starts_with("mysql") => ("CHAR(36)", "JSON", "BLOB"),
            () => ("TEXT", "TEXT", "BLOB"),
        };
        let big = if db.url().starts_with("sqlite") {
            "TEXT"
        } else {
            "NUMERIC(30,10)"
        };
        db.sql(&format!(
            "CREATE TABLE t (id BIGINT, big {big}, flag BOOLEAN, d DATE, ts TIMESTAMP NULL, u {uuid}, js {js}, raw {raw}, r DOUBLE PRECISION, name VARCHAR(20))"
        ));
        let text = r#"{"id":9007199254740993,"big":12345678901234567890.1234567890,"flag":true,"d":"2013-01-01","ts":"2013-01-01T05:15:00+09:00",
            "u":"123e4567-e89b-12d3-a456-426614174000","js":{"a":[1,"x\n"]},"raw":"AP8=","r":1e-3,"NAME":"b\u00e4"}"#;
        let mut sink = db.sink(&[]);
        sink.put(&[
            TestRecord::new("t", TestData::Json(text.to_owned())),
            TestRecord::new("t", "{\"id\": 2}"),
            plain(json!({"id": 3, "name": null})),
        ])
        .unwrap();
        let hex = if db.url().starts_with("postgres") {
            "encode(raw, 'hex')"
        } else {
            "lower(hex(raw))"
        };
        let found = db.sql(&format!(
            "SELECT id, big, d, ts, u, {hex}, r, name FROM t WHERE name IS NOT NULL"
        ));
        assert_eq!(
            found,
            "9007199254740993|12345678901234567890.1234567890|2013-01-01|2012-12-31 20:15:00|123e4567-e89b-12d3-a456-426614174000|00ff|0.001|bä"
        );
        assert_eq!(db.sql("SELECT count(*) FROM t"), "3");
    });
}

#[test]
fn what_connects_json_converter_writes_is_unwrapped() {
    everywhere(|db| {
        db.sql(TABLE);
        let mut sink = db.sink(&[]);
        sink.put(&[plain(
            json!({"schema": {"type": "struct"}, "payload": {"id": 1, "name": "a", "n": 2}}),
        )])
        .unwrap();
        assert_eq!(db.sql("SELECT * FROM t"), "1|a|2");
    });
}

#[test]
fn debezium_events_are_consumed_as_they_are() {
    everywhere(|db| {
        db.sql(TABLE);
        let event = |op: &str, before: serde_json::Value, after: serde_json::Value| {
            TestRecord::new(
                "t",
                json!({"op": op, "before": before, "after": after, "source": {"db": "x", "schema": "s", "table": "t"}, "ts_ms": 1}),
            )
        };
        let key = |id: i64| TestData::Json(json!({ "id": id }).to_string());
        let config = [
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("pk.fields", "id"),
            ("delete.enabled", "true"),
            ("table.name.format", "${source.table}"),
        ];
        let mut sink = db.sink(&config);
        sink.put(&[
            event("c", json!(null), json!({"id": 1, "name": "a", "n": 1})).key(key(1)),
            event("r", json!(null), json!({"id": 2, "name": "b", "n": 2})).key(key(2)),
            event(
                "u",
                json!({"id": 1, "name": "a", "n": 1}),
                json!({"id": 1, "name": "__debezium_unavailable_value", "n": 9}),
            )
            .key(key(1)),
            event("d", json!({"id": 2, "name": "b", "n": 2}), json!(null)).key(key(2)),
            event("m", json!(null), json!({"x": 1})).key(key(5)),
        ])
        .unwrap();
        assert_eq!(
            db.sql("SELECT * FROM t"),
            "1|a|9",
            "a value that did not change is kept"
        );
    });
}

/// The same as typed rows, as an Avro or JSON converter with schemas delivers them.
#[test]
fn typed_debezium_events_are_consumed_too() {
    everywhere(|db| {
        let inner = SchemaBuilder::structure()
            .field("id", SchemaBuilder::int64().build())
            .field("name", SchemaBuilder::string().optional().build())
            .optional()
            .build();
        let inner = Arc::new(inner);
        let source = Arc::new(
            SchemaBuilder::structure()
                .field("table", SchemaBuilder::string().build())
                .build(),
        );
        let envelope = Arc::new(
            SchemaBuilder::structure()
                .field("before", Arc::clone(&inner))
                .field("after", Arc::clone(&inner))
                .field("source", Arc::clone(&source))
                .field("op", SchemaBuilder::string().build())
                .name("server.t.Envelope")
                .build(),
        );
        let of = |id: i64, name: &str| {
            Value::Struct(
                Struct::from_values(Arc::clone(&inner), vec![id.into(), name.into()]).unwrap(),
            )
        };
        let event = |op: &str, before: Value, after: Value, id: i64| {
            let source =
                Value::Struct(Struct::from_values(Arc::clone(&source), vec!["t".into()]).unwrap());
            TestRecord::new("t", row(&envelope, vec![before, after, source, op.into()]))
                .key(TestData::Json(serde_json::json!({ "id": id }).to_string()))
        };
        let config = [
            ("insert.mode", "upsert"),
            ("pk.mode", "record_key"),
            ("pk.fields", "id"),
            ("delete.enabled", "true"),
            ("auto.create", "true"),
            ("table.name.format", "made"),
        ];
        let mut sink = db.sink(&config);
        sink.put(&[
            event("c", Value::Null, of(1, "a"), 1),
            event("c", Value::Null, of(2, "b"), 2),
            event("d", of(1, "a"), Value::Null, 1),
        ])
        .unwrap();
        assert_eq!(db.sql("SELECT id, name FROM made"), "2|b");
    });
}
