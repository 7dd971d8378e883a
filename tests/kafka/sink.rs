//! `kafka-sink`: what arrives in Kafka, once.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name, records};
use crate::support::{eventually, linkspan, start};

/// How long a running host may take to write a record.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Lines of a file go to Kafka.
fn lines(servers: &str, topic: &str, more: &str) -> String {
    format!(
        "topics: {{ {topic}: {{ partitions: 2 }} }}
connectors:
  in: {{ connector: file-source, path: in.txt, topic: {topic} }}
  out:
    connector: kafka-sink
    bootstrap.servers: {servers}
    topics: [{topic}]
{more}"
    )
}

fn numbered(range: std::ops::Range<usize>) -> String {
    range.map(|number| format!("line {number}\n")).collect()
}

#[test]
fn lines_arrive_once_and_only_what_is_new_follows() {
    let Some(broker) = broker("kafka-sink writes exactly once") else {
        return;
    };
    let topic = name("lines");
    let pipeline = Pipeline::new(&lines(
        &broker.plain,
        &topic,
        &format!("    topic.creation.partitions: 3\n    transactional.id: {topic}\n"),
    ));
    pipeline.scratch.write("in.txt", numbered(0..5000));
    let ran = pipeline.run(&[]).expect_code(0);
    assert_eq!(records(&ran, "out"), 5000);
    let mut texts: Vec<String> = broker.read(&topic).iter().map(Row::text).collect();
    texts.sort();
    let mut expected: Vec<String> = numbered(0..5000).lines().map(str::to_owned).collect();
    expected.sort();
    assert!(texts == expected, "{} records", texts.len());
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "out"), 0);
    pipeline.scratch.write("in.txt", numbered(0..5010));
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "out"), 10);
    assert_eq!(broker.read(&topic).len(), 5010);
}

#[test]
fn at_least_once_writes_them_too() {
    let Some(broker) = broker("kafka-sink writes at least once") else {
        return;
    };
    let topic = name("alo");
    let pipeline = Pipeline::new(&lines(
        &broker.plain,
        &topic,
        "    delivery: at-least-once\n    tasks.max: 2\n    compression.type: zstd\n",
    ));
    pipeline.scratch.write("in.txt", numbered(0..3000));
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "out"), 3000);
    assert_eq!(broker.read(&topic).len(), 3000);
}

#[test]
fn a_key_has_the_partition_that_java_gives_it() {
    let Some(broker) = broker("kafka-sink partitions as the Java client") else {
        return;
    };
    let (from, to) = (name("keys"), name("placed"));
    broker.topic(&from, 1, &[]);
    broker.topic(&to, 7, &[]);
    // Recorded answers of Kafka's own partitioner.
    let golden = crate::support::repository().join("tests/golden/log/murmur2.jsonl");
    let mut expected: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
    for line in std::fs::read_to_string(golden).unwrap().lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        if let Some((key, partition)) = golden_key(&vector) {
            expected.insert(key, partition);
        }
    }
    assert!(expected.len() > 50, "{} keys", expected.len());
    let rows: Vec<Row> = expected
        .keys()
        .map(|key| Row {
            key: Some(key.clone()),
            ..Row::of("v")
        })
        .collect();
    broker.write(&from, &rows);
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}] }}
  out: {{ connector: kafka-sink, bootstrap.servers: '{0}', topics: [{from}], topic.rename: {to}, transactional.id: {to} }}
",
        broker.plain
    ));
    pipeline.run(&[]).expect_code(0);
    let found: BTreeMap<Vec<u8>, i32> = broker
        .read(&to)
        .into_iter()
        .map(|row| (row.key.unwrap(), row.partition))
        .collect();
    assert_eq!(found, expected);
}

/// The key of a vector, and its partition among seven.
fn golden_key(vector: &Value) -> Option<(Vec<u8>, i32)> {
    let key = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        vector["key"].as_str()?,
    )
    .ok()?;
    Some((
        key,
        i32::try_from(vector["partition_of"]["7"].as_i64()?).ok()?,
    ))
}

#[test]
fn everything_of_a_record_goes_there_and_back() {
    let Some(broker) = broker("Kafka to Kafka keeps records as they are") else {
        return;
    };
    let (from, to) = (name("from"), name("to"));
    broker.topic(&from, 3, &[]);
    broker.topic(&to, 3, &[]);
    let rows = [
        Row::of("a")
            .key("k")
            .at(2, 1_700_000_000_001)
            .header("x", Some(b"\x00\xff"))
            .header("x", None)
            .header("x", Some(b"")),
        Row {
            key: Some(b"gone".to_vec()),
            ..Row::default()
        }
        .at(0, 1_700_000_000_002),
        Row {
            value: Some(Vec::new()),
            ..Row::default()
        }
        .at(1, 1_700_000_000_003),
    ];
    broker.write(&from, &rows);
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}] }}
  out: {{ connector: kafka-sink, bootstrap.servers: '{0}', topics: [{from}], topic.rename: {to}, preserve.partition: true, transactional.id: {to} }}
",
        broker.plain
    ));
    pipeline.run(&[]).expect_code(0);
    assert_eq!(broker.read(&to), broker.read(&from));
}

#[test]
fn two_data_directories_with_one_connector_name_do_not_fence_each_other() {
    let Some(broker) = broker("connectors of one name in two data directories") else {
        return;
    };
    // Nothing but the topic differs; with one `transactional.id` for both, the second start fences the first.
    let outcome = |id: &str| {
        let topics = [name("one"), name("two")];
        let [one, two] = topics.each_ref().map(|topic| {
            let pipeline = Pipeline::new(&lines(&broker.plain, topic, id));
            pipeline.scratch.write("in.txt", "1\n");
            pipeline
        });
        let (out, err) = (one.scratch.path("stdout"), one.scratch.path("stderr"));
        let mut host = start(
            linkspan(&["run", "--listen", "none"]).arg(one.yaml()),
            &out,
            &err,
        );
        let begun = eventually(LIMIT, || {
            broker.has(&topics[0]) && broker.read(&topics[0]).len() == 1
        });
        two.run(&[]).expect_code(0);
        one.scratch.write("in.txt", "1\n2\n");
        let said = || std::fs::read_to_string(&err).unwrap();
        let mut arrived = false;
        let ended = eventually(LIMIT, || {
            arrived = broker.read(&topics[0]).len() == 2;
            arrived || said().contains("transactional.id")
        });
        host.kill().unwrap();
        host.wait().unwrap();
        assert!(begun && ended, "{}", said());
        arrived
    };
    assert!(outcome(""), "one data directory fenced the other");
    let shared = format!("    transactional.id: {}\n", name("shared"));
    assert!(!outcome(&shared), "the negative control fences nobody");
}
