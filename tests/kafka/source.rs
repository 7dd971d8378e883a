//! `kafka-source`: what arrives in a topic here, and where it goes on.

use serde_json::{Value, json};

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name, records};

fn source(servers: &str, topics: &str, more: &str) -> String {
    format!(
        "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {servers}\n    topics: [{topics}]\n{more}"
    )
}

#[test]
fn partition_time_key_headers_and_nulls_arrive_as_they_are() {
    let Some(broker) = broker("kafka-source keeps records as they are") else {
        return;
    };
    let topic = name("orders");
    broker.topic(&topic, 3, &[]);
    let tombstone = Row {
        key: Some(b"k2".to_vec()),
        ..Row::default()
    };
    broker.write(
        &topic,
        &[
            Row::of("a")
                .key("k1")
                .at(2, 1_700_000_000_123)
                .header("h", Some(b"1"))
                .header("h", Some(b"2"))
                .header("n", None),
            Row::of("b").at(2, 1_700_000_000_124),
            tombstone.at(0, 1_700_000_000_125),
            Row {
                key: Some(Vec::new()),
                value: Some(Vec::new()),
                ..Row::default()
            }
            .at(0, 1_700_000_000_126),
            Row {
                value: Some(vec![0xff, 0x00]),
                ..Row::default()
            }
            .at(0, 1_700_000_000_127),
        ],
    );
    let pipeline = Pipeline::new(&source(&broker.plain, &topic, ""));
    let ran = pipeline.run(&[]).expect_code(0);
    assert_eq!(records(&ran, "in"), 5);
    let mut found = pipeline.consume(&topic);
    found.sort_by_key(|row| (row["partition"].as_i64(), row["offset"].as_i64()));
    let row = |partition: i32,
               offset: i64,
               timestamp: i64,
               key: Value,
               value: Value,
               headers: Value| {
        json!({"topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp, "key": key, "value": value, "headers": headers})
    };
    assert_eq!(
        found,
        [
            row(0, 0, 1_700_000_000_125, json!("k2"), Value::Null, json!([])),
            row(0, 1, 1_700_000_000_126, json!(""), json!(""), json!([])),
            row(
                0,
                2,
                1_700_000_000_127,
                Value::Null,
                json!({"base64": "/wA="}),
                json!([])
            ),
            row(
                2,
                0,
                1_700_000_000_123,
                json!("k1"),
                json!("a"),
                json!([["h", "1"], ["h", "2"], ["n", null]])
            ),
            row(2, 1, 1_700_000_000_124, Value::Null, json!("b"), json!([])),
        ]
    );
    // Nothing new, then only what is new, also in a partition that was not there.
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 0);
    broker.write(&topic, &[Row::of("c").at(1, 1)]);
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 1);
    assert_eq!(pipeline.consume(&topic).len(), 6);
}

#[test]
fn transactions_count_when_they_are_committed() {
    let Some(broker) = broker("kafka-source and transactions") else {
        return;
    };
    let topic = name("tx");
    broker.topic(&topic, 1, &[]);
    broker.write_transaction(&topic, &[Row::of("kept")], true);
    broker.write_transaction(&topic, &[Row::of("undone")], false);
    let pipeline = Pipeline::new(&source(&broker.plain, &topic, ""));
    // The topic ends with marks that are no records; the job ends all the same.
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 1);
    let all = Pipeline::new(&source(
        &broker.plain,
        &topic,
        "    isolation.level: read_uncommitted\n",
    ));
    assert_eq!(records(&all.run(&[]).expect_code(0), "in"), 2);
}

#[test]
fn topics_by_pattern_get_other_names_here() {
    let Some(broker) = broker("kafka-source with a pattern") else {
        return;
    };
    let stem = name("eu");
    for (topic, count) in [("a", 2), ("b", 1)] {
        let topic = format!("{stem}.{topic}");
        broker.topic(&topic, count, &[]);
        broker.write(&topic, &[Row::of(&topic), Row::of("2"), Row::of("3")]);
    }
    let yaml = format!(
        "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {}\n    topics.regex: '{stem}\\..*'\n    source.alias: east\n    topic.rename: '{{alias}}.{{topic}}'\n",
        broker.plain
    );
    let pipeline = Pipeline::new(&yaml);
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 6);
    let found = pipeline.consume(&format!("east.{stem}.a"));
    assert_eq!(found.len(), 3);
    assert_eq!(
        found[1]["headers"],
        json!([["linkspan.src", format!("east/{stem}.a/0/1")]])
    );
    assert_eq!(pipeline.consume(&format!("east.{stem}.b")).len(), 3);
}

#[test]
fn a_source_begins_at_a_time_or_an_offset() {
    let Some(broker) = broker("kafka-source begins where it is told to") else {
        return;
    };
    let topic = name("starts");
    broker.topic(&topic, 2, &[]);
    let rows: Vec<Row> = (0..10)
        .map(|number: i32| {
            Row::of(&number.to_string())
                .at(number % 2, 1_700_000_000_000 + i64::from(number) * 1000)
        })
        .collect();
    broker.write(&topic, &rows);
    for (more, expected) in [
        ("    start.from: 2023-11-14T22:13:26Z\n".to_owned(), 4),
        ("    start.from: latest\n".to_owned(), 0),
        (
            format!("    start.from: latest\n    start.offsets: {{ {topic}-1: 3 }}\n"),
            2,
        ),
        (format!("    start.offsets: {{ {topic}-0: 4 }}\n"), 6),
    ] {
        let pipeline = Pipeline::new(&source(&broker.plain, &topic, &more));
        assert_eq!(
            records(&pipeline.run(&[]).expect_code(0), "in"),
            expected,
            "{more}"
        );
    }
    // `latest` is remembered although nothing was read.
    let pipeline = Pipeline::new(&source(&broker.plain, &topic, "    start.from: latest\n"));
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 0);
    broker.write(&topic, &[Row::of("late").at(1, 1)]);
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 1);
}
