//! The converter `avro` with a real registry, judged by a Java client with Apicurio's serde, both ways; and what is bad.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::broker::{broker, free_port};
use crate::client::Row;
use crate::pipeline::{Pipeline, name, records};
use crate::registry::registry;

const TYPES: &str = "{ id: int64, price: 'decimal(9,2)', day: date, at: timestamp }";

#[test]
fn a_java_client_reads_what_a_source_wrote_as_avro() {
    const WHAT: &str = "Avro written by us, read by Java";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("avro-out");
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in:
    connector: file-source
    path: in.csv
    format: csv
    csv.types: {TYPES}
    topic: {topic}
    key.fields: [id]
    key.converter: avro
    key.converter.schema.registry.url: {url}
    value.converter: avro
    value.converter.schema.registry.url: {url}
  out: {{ connector: kafka-sink, bootstrap.servers: '{servers}', topics: [{topic}], transactional.id: {topic} }}
",
        url = registry.url(),
        servers = broker.plain
    ));
    pipeline.scratch.write("in.csv", "id,name,price,day,at\n1,김,-0.05,2013-01-31,2013-01-31T05:15:00.123Z\n2,,1234567.89,1969-12-31,1969-12-31T23:59:59.999Z\n");
    pipeline.run(&[]).expect_code(0);
    let stored = broker.read(&topic);
    assert!(
        stored
            .iter()
            .all(|row| row.value.as_ref().unwrap()[0] == 0 && row.key.as_ref().unwrap()[0] == 0),
        "{stored:?}"
    );
    let Some(ran) = registry.peer(WHAT, &broker.plain, &["read", &topic, "2"]) else {
        return;
    };
    let mut lines: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("RECORD "))
        .collect();
    lines.sort_unstable();
    // A date and a timestamp with their Avro logical types, a decimal with its scale, a missing text as null.
    assert_eq!(lines.len(), 2, "{}\n{}", ran.stdout, ran.stderr);
    for (line, parts) in lines.iter().zip([
        [
            "id=1 ",
            "name=김 ",
            "price=-0.05 ",
            "day=15736:date",
            "at=1359609300123:timestamp-millis",
        ],
        [
            "id=2 ",
            "name=null",
            "price=1234567.89 ",
            "day=-1:date",
            "at=-1:timestamp-millis",
        ],
    ]) {
        for part in parts {
            assert!(line.contains(part), "`{part}` in {line}");
        }
    }
}

#[test]
fn a_sink_reads_what_a_java_client_wrote_as_avro() {
    const WHAT: &str = "Avro written by Java, read by us";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("avro-in");
    broker.topic(&topic, 1, &[]);
    if registry
        .peer(WHAT, &broker.plain, &["write", &topic])
        .is_none()
    {
        return;
    }
    let pipeline = Pipeline::new(&to_file(&broker.plain, &topic, &registry.url(), ""));
    pipeline.run(&[]).expect_code(0);
    let found: Vec<Value> = pipeline
        .scratch
        .read("out.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let order = |id: u64,
                 customer: Value,
                 amount: &str,
                 day: &str,
                 ms: u32,
                 state: &str,
                 tags: Value,
                 x: u32,
                 ship: Value| {
        json!({"id": id, "customer": customer, "amount": amount, "day": day, "at": format!("2023-11-14T22:13:20.{ms}Z"),
               "state": state, "tags": tags, "counts": {"x": x}, "ship": ship})
    };
    assert_eq!(
        found,
        [
            order(
                2_147_483_647,
                json!("김 0"),
                "-1.00",
                "2022-01-08",
                123,
                "NEW",
                json!([]),
                0,
                Value::Null
            ),
            order(
                2_147_483_648,
                Value::Null,
                "0.00",
                "2022-01-09",
                124,
                "PAID",
                json!(["a", "b1"]),
                1,
                Value::Null
            ),
            order(
                2_147_483_649,
                json!("김 2"),
                "1.00",
                "2022-01-10",
                125,
                "PAID",
                json!(["a", "b2"]),
                2,
                json!({"city": "Busan", "weight": 1.5})
            ),
        ]
    );
}

fn to_file(servers: &str, topic: &str, url: &str, more: &str) -> String {
    format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{servers}', topics: [{topic}] }}
  out:
    connector: file-sink
    path: out.jsonl
    format: jsonl
    topics: [{topic}]
    value.converter: io.confluent.connect.avro.AvroConverter
    value.converter.schema.registry.url: {url}
{more}"
    )
}

#[test]
fn bad_avro_is_set_aside_with_its_reason() {
    const WHAT: &str = "bad Avro";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("bad-avro");
    // A schema that is there: written by a pipeline of ours.
    let good = Pipeline::new(&format!(
        "connectors:
  in:
    connector: file-source
    path: in.csv
    format: csv
    csv.types: {{ id: int64 }}
    topic: {topic}
    value.converter: avro
    value.converter.schema.registry.url: {}
  out: {{ connector: kafka-sink, bootstrap.servers: '{}', topics: [{topic}], topic.creation.partitions: 1, transactional.id: {topic} }}
",
        registry.url(),
        broker.plain
    ));
    good.scratch.write("in.csv", "id\n7\n");
    good.run(&[]).expect_code(0);
    let bytes = broker.read(&topic)[0].value.clone().unwrap();
    let damaged = Row {
        value: Some([&bytes[..5], &[0xff; 20]].concat()),
        ..Row::default()
    };
    let unknown = Row {
        value: Some(vec![0, 0x7f, 0, 0, 1, 2]),
        ..Row::default()
    };
    broker.write(
        &topic,
        &[
            Row::of("{\"id\":8}"),
            unknown,
            damaged,
            Row {
                value: None,
                ..Row::default()
            },
        ],
    );
    let more = "    errors: { tolerance: all, deadletterqueue.topic.name: dead }\n";
    let pipeline = Pipeline::new(&to_file(&broker.plain, &topic, &registry.url(), more));
    pipeline.run(&[]).expect_code(4);
    assert_eq!(pipeline.scratch.read("out.jsonl"), "{\"id\":7}\nnull\n");
    let dead = pipeline.consume("dead");
    let reasons: Vec<String> = dead
        .iter()
        .map(|letter| letter["headers"].to_string())
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for (reason, says) in reasons
        .iter()
        .zip(["first byte is 0x7b", "id 2130706433", "damaged"])
    {
        assert!(reason.contains(says), "`{says}` in {reason}");
    }
}

#[test]
fn a_registry_that_is_away_is_waited_for_and_named() {
    const WHAT: &str = "a registry that is away";
    let Some(broker) = broker(WHAT) else { return };
    let topic = name("away");
    broker.topic(&topic, 1, &[]);
    broker.write(
        &topic,
        &[Row {
            value: Some(vec![0, 0, 0, 0, 1, 2]),
            ..Row::default()
        }],
    );
    let url = format!("http://user:hidden-word@127.0.0.1:{}", free_port());
    let pipeline = Pipeline::new(&to_file(&broker.plain, &topic, &url, ""));
    let ran = pipeline
        .run(&["--timeout", "8s"])
        .expect_code(1)
        .says(&["schema registry at", "schema with id 1"]);
    assert!(
        !format!("{}{}", ran.stdout, ran.stderr).contains("hidden-word"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_schema_that_is_not_compatible_is_shown_beside_the_registrys() {
    const WHAT: &str = "an incompatible schema";
    let Some(registry) = registry(WHAT) else {
        return;
    };
    let topic = name("evolve");
    let yaml = |types: &str| {
        format!(
            "connectors:
  in:
    connector: file-source
    path: in.csv
    format: csv
    csv.types: {types}
    on.replaced: restart
    topic: {topic}
    value.converter: avro
    value.converter.schema.registry.url: {}
",
            registry.url()
        )
    };
    let mut pipeline = Pipeline::new(&yaml("{ a: int64 }"));
    pipeline.scratch.write("in.csv", "a\n1\n");
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 1);
    registry.compatibility(&format!("{topic}-value"), "BACKWARD");
    pipeline.becomes(&yaml("{ a: boolean }"));
    pipeline.scratch.write("in.csv", "a\ntrue\n");
    pipeline.run(&[]).expect_code(1).says(&[
        &format!("{topic}-value"),
        "the data's schema",
        "boolean",
        "the registry's (version 1)",
        "long",
    ]);
}

/// A CSV file with one column into a topic as Avro.
fn from_csv(topic: &str, url: &str, types: &str, more: &str) -> String {
    format!(
        "connectors:
  in:
    connector: file-source
    path: in.csv
    format: csv
    csv.types: {types}
    on.replaced: restart
    topic: {topic}
    value.converter: avro
    value.converter.schema.registry.url: {url}
{more}"
    )
}

#[test]
fn subjects_are_named_by_the_strategy() {
    const WHAT: &str = "names of subjects";
    let Some(registry) = registry(WHAT) else {
        return;
    };
    let record = "io.confluent.connect.avro.ConnectDefault";
    for (strategy, subject) in [
        ("TopicNameStrategy", "{topic}-value".to_owned()),
        (
            "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy",
            format!("{{topic}}-{record}"),
        ),
        ("RecordNameStrategy", record.to_owned()),
    ] {
        let topic = name("subject");
        let subject = format!("\"{}\"", subject.replace("{topic}", &topic));
        let more = format!("    value.converter.value.subject.name.strategy: {strategy}\n");
        let pipeline = Pipeline::new(&from_csv(&topic, &registry.url(), "{ a: int64 }", &more));
        pipeline.scratch.write("in.csv", "a\n1\n");
        assert!(
            strategy == "RecordNameStrategy" || !registry.subjects().contains(&subject),
            "{subject} was there before"
        );
        pipeline.run(&[]).expect_code(0);
        let subjects = registry.subjects();
        assert!(subjects.contains(&subject), "{subject} in {subjects}");
    }
}

#[test]
fn what_may_not_be_registered_is_said_and_the_latest_version_is_written_with() {
    const WHAT: &str = "registries that are only read";
    let Some(registry) = registry(WHAT) else {
        return;
    };
    let (topic, url) = (name("latest"), registry.url());
    let subject = format!("{topic}-value");
    let never = "    value.converter.auto.register.schemas: false\n";
    let latest = format!("{never}    value.converter.use.latest.version: true\n");
    let mut pipeline = Pipeline::new(&from_csv(&topic, &url, "{ a: int64 }", never));
    pipeline.scratch.write("in.csv", "a\n1\n");
    pipeline
        .run(&[])
        .expect_code(1)
        .says(&[&subject, "auto.register.schemas"]);
    pipeline.becomes(&from_csv(&topic, &url, "{ a: int64 }", ""));
    pipeline.run(&[]).expect_code(0);
    assert_eq!(registry.versions(&subject), 1);
    // A row of another schema: refused as it is, written with the subject's version where that is wanted.
    for (more, code) in [(never, 1), (latest.as_str(), 0)] {
        pipeline.becomes(&from_csv(&topic, &url, "{ a: int32 }", more));
        pipeline.scratch.write("in.csv", "a\n7\n");
        pipeline.run(&[]).expect_code(code);
        assert_eq!(registry.versions(&subject), 1, "{more}");
    }
}

#[test]
fn a_schema_is_asked_for_once_however_many_records_have_it() {
    const WHAT: &str = "requests to a registry";
    let Some(registry) = registry(WHAT) else {
        return;
    };
    let (topic, (url, requests)) = (name("cached"), registry.counted());
    let yaml = format!(
        "{}    batch.records: 10
  out:
    connector: file-sink
    path: out.jsonl
    format: jsonl
    topics: [{topic}]
    value.converter: avro
    value.converter.schema.registry.url: {url}
",
        from_csv(&topic, &url, "{ a: int64 }", "")
    );
    let pipeline = Pipeline::new(&yaml);
    let lines = |count: usize| {
        let numbers: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        format!("a\n{}\n", numbers.join("\n"))
    };
    let mut asked = Vec::new();
    for count in [10, 2_000] {
        pipeline.scratch.write("in.csv", lines(count));
        let before = requests.load(Ordering::SeqCst);
        let ran = pipeline.run(&[]).expect_code(0);
        assert!(records(&ran, "out") >= 10);
        asked.push(requests.load(Ordering::SeqCst) - before);
    }
    // A new process asks again, which shows that the counter counts; two hundred batches ask no more than one.
    assert!(
        asked[0] >= 2 && asked[1] >= 1 && asked[1] <= asked[0],
        "{asked:?}"
    );
    assert!(asked[0] <= 4, "{asked:?}");
    let written = std::fs::read_to_string(pipeline.scratch.path("out.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 2_000, "{asked:?}");
}

/// A record in Confluent's wire format.
fn framed(id: i32, data: &[u8]) -> Row {
    Row {
        value: Some([&[0][..], &id.to_be_bytes(), data].concat()),
        ..Row::default()
    }
}

#[test]
fn a_schema_with_references_is_read() {
    const WHAT: &str = "Avro with references";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("referring");
    broker.topic(&topic, 1, &[]);
    let address = json!({"type": "record", "name": "Address", "namespace": "shop", "fields": [{"name": "city", "type": "string"}]});
    let address_subject = format!("{topic}-address");
    registry.register(&address_subject, "AVRO", &address.to_string(), &[]);
    let order = json!({"type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "id", "type": "long"}, {"name": "home", "type": "shop.Address"}, {"name": "work", "type": ["null", "shop.Address"]}]});
    let id = registry.register(
        &format!("{topic}-value"),
        "AVRO",
        &order.to_string(),
        &[("shop.Address", &address_subject)],
    );
    // 7, "Ulsan", no second address.
    let data = [&[14, 10][..], b"Ulsan", &[0]].concat();
    broker.write(&topic, &[framed(id, &data)]);
    let pipeline = Pipeline::new(&to_file(&broker.plain, &topic, &registry.url(), ""));
    pipeline.run(&[]).expect_code(0);
    let found: Value = serde_json::from_str(pipeline.scratch.read("out.jsonl").trim()).unwrap();
    assert_eq!(
        found,
        json!({"id": 7, "home": {"city": "Ulsan"}, "work": null})
    );
}

#[test]
fn an_unknown_id_is_asked_for_once_however_many_records_have_it() {
    const WHAT: &str = "requests for an unknown id";
    let (Some(broker), Some(registry)) = (broker(WHAT), registry(WHAT)) else {
        return;
    };
    let topic = name("unknown");
    broker.topic(&topic, 1, &[]);
    let (url, requests) = registry.counted();
    let rows: Vec<Row> = (0..300).map(|_| framed(0x7f00_0001, &[2])).collect();
    broker.write(&topic, &rows);
    let more = "    errors: { tolerance: all, deadletterqueue.topic.name: dead }\n";
    let pipeline = Pipeline::new(&to_file(&broker.plain, &topic, &url, more));
    pipeline.run(&[]).expect_code(4);
    assert_eq!(pipeline.consume("dead").len(), 300);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}
