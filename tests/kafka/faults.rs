//! What is said when something is wrong, and what happens to the records.

use crate::broker::{PASSWORD, USER, broker, free_port};
use crate::client::Row;
use crate::pipeline::{Pipeline, name, records};

fn source(servers: &str, topic: &str, more: &str) -> String {
    format!(
        "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {servers}\n    topics: [{topic}]\n{more}"
    )
}

#[test]
fn a_broker_that_is_away_is_named_and_waited_for() {
    // Needs no broker, only the port of none.
    let servers = format!("127.0.0.1:{}", free_port());
    let pipeline = Pipeline::new(&source(&servers, "t", "    request.timeout: 2s\n"));
    let ran = pipeline.run(&["--timeout", "6s"]).expect_code(1);
    ran.says(&[&servers, "reach a broker", "Connection refused"]);
}

#[test]
fn a_wrong_password_is_said_at_once_and_never_shown() {
    let Some(broker) = broker("wrong credentials") else {
        return;
    };
    let topic = name("auth");
    broker.topic(&topic, 1, &[]);
    broker.write(&topic, &[Row::of("1")]);
    let sasl = |password: &str| {
        let more = format!(
            "    security.protocol: sasl_plaintext\n    sasl.mechanism: PLAIN\n    sasl.username: {USER}\n    sasl.password: {password}\n"
        );
        Pipeline::new(&source(&broker.sasl, &topic, &more))
    };
    let ran = sasl("wrong-horse")
        .run(&[])
        .expect_code(1)
        .says(&[&broker.sasl, "sasl.password"]);
    assert!(
        !format!("{}{}", ran.stdout, ran.stderr).contains("wrong-horse"),
        "{}",
        ran.stderr
    );
    let ran = sasl(PASSWORD).run(&[]).expect_code(0);
    assert_eq!(records(&ran, "in"), 1);
    assert!(
        !format!("{}{}", ran.stdout, ran.stderr).contains(PASSWORD),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_topic_that_is_missing_is_named_on_both_sides() {
    let Some(broker) = broker("missing topics") else {
        return;
    };
    let topic = name("nobody");
    Pipeline::new(&source(&broker.plain, &topic, ""))
        .run(&[])
        .expect_code(1)
        .says(&[&topic, "does not exist", "create it"]);
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in: {{ connector: file-source, path: in.txt, topic: {topic} }}
  out: {{ connector: kafka-sink, bootstrap.servers: '{}', topics: [{topic}], topic.creation.enable: false, transactional.id: {topic} }}
",
        broker.plain
    ));
    pipeline.scratch.write("in.txt", "one\n");
    pipeline
        .run(&[])
        .expect_code(1)
        .says(&[&topic, "does not exist", "topic.creation.enable"]);
}

#[test]
fn a_topic_that_was_deleted_is_named_and_a_sink_makes_it_again() {
    let Some(broker) = broker("topics that were deleted") else {
        return;
    };
    let (from, to) = (name("deleted-from"), name("deleted-to"));
    broker.topic(&from, 1, &[]);
    broker.write(&from, &[Row::of("1")]);
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}] }}
  out: {{ connector: kafka-sink, bootstrap.servers: '{0}', topics: [{from}], topic.rename: {to} }}
",
        broker.plain
    ));
    pipeline.run(&[]).expect_code(0);
    broker.delete_topic(&to);
    broker.write(&from, &[Row::of("2")]);
    pipeline.run(&[]).expect_code(0);
    // What went with the topic does not come again: the position stands.
    let texts: Vec<String> = broker.read(&to).iter().map(Row::text).collect();
    assert_eq!(texts, ["2"]);
    broker.delete_topic(&from);
    pipeline
        .run(&[])
        .expect_code(1)
        .says(&[&broker.plain, &from, "does not exist", "create it"]);
    // Made anew with fewer records than were read, it is another topic, and that is said.
    broker.topic(&from, 1, &[]);
    broker.write(&from, &[Row::of("3")]);
    pipeline
        .run(&[])
        .expect_code(1)
        .says(&[&from, "partition 0", "position 2 is gone"]);
}

#[test]
fn a_position_that_is_gone_is_no_silent_jump() {
    let Some(broker) = broker("a lost position") else {
        return;
    };
    let topic = name("lost");
    broker.topic(&topic, 1, &[]);
    let rows: Vec<Row> = (0..20).map(|number| Row::of(&number.to_string())).collect();
    broker.write(&topic, &rows[..5]);
    let mut pipeline = Pipeline::new(&source(&broker.plain, &topic, ""));
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 5);
    broker.write(&topic, &rows[5..]);
    broker.delete_records(&topic, 0, 12);
    pipeline.run(&[]).expect_code(1).says(&[
        &topic,
        "partition 0",
        "position 5 is gone",
        "7 records",
        "on.lost.position",
    ]);
    assert_eq!(pipeline.consume(&topic).len(), 5);
    pipeline.becomes(&source(
        &broker.plain,
        &topic,
        "    on.lost.position: earliest\n",
    ));
    assert_eq!(records(&pipeline.run(&[]).expect_code(0), "in"), 8);
}

#[test]
fn a_record_that_is_too_large_goes_to_the_dead_letters_alone() {
    let Some(broker) = broker("records that are too large") else {
        return;
    };
    for delivery in ["exactly-once", "at-least-once"] {
        let topic = name("large");
        let id = format!("transactional.id: {topic}");
        let line = if delivery == "exactly-once" {
            id.as_str()
        } else {
            "delivery: at-least-once"
        };
        // The client's own bound would refuse it first; here it is the topic's.
        broker.topic(&topic, 1, &[("max.message.bytes", "20000")]);
        let pipeline = Pipeline::new(&format!(
            "connectors:
  in: {{ connector: file-source, path: in.txt, topic: {topic} }}
  out:
    connector: kafka-sink
    bootstrap.servers: {}
    topics: [{topic}]
    {line}
    librdkafka: {{ batch.size: 1000 }}
    errors: {{ tolerance: all, deadletterqueue.topic.name: dead }}
",
            broker.plain
        ));
        pipeline
            .scratch
            .write("in.txt", format!("one\n{}\nthree\n", "x".repeat(30_000)));
        pipeline.run(&[]).expect_code(4);
        assert_eq!(
            broker
                .read(&topic)
                .iter()
                .map(Row::text)
                .collect::<Vec<_>>(),
            ["one", "three"],
            "{delivery}"
        );
        let dead = pipeline.consume("dead");
        assert_eq!(dead.len(), 1, "{delivery}");
        let headers = dead[0]["headers"].to_string();
        assert!(
            headers.contains("max.message.bytes") && headers.contains(&topic),
            "{headers}"
        );
        // A letter that nothing good follows is written once, however often the job comes again.
        let more = format!("one\n{0}\nthree\n{0}\n", "x".repeat(30_000));
        pipeline.scratch.write("in.txt", more);
        pipeline.run(&[]).expect_code(4);
        pipeline.run(&[]).expect_code(0);
        assert_eq!(pipeline.consume("dead").len(), 2, "{delivery}");
        assert_eq!(broker.read(&topic).len(), 2, "{delivery}");
    }
}

#[test]
fn a_partition_that_does_not_exist_is_named() {
    let Some(broker) = broker("unknown partitions") else {
        return;
    };
    let topic = name("narrow");
    broker.topic(&topic, 1, &[]);
    let pipeline = Pipeline::new(&format!(
        "topics: {{ {topic}: {{ partitions: 8 }} }}
connectors:
  in: {{ connector: file-source, path: in.txt, topic: {topic}, batch.records: 1 }}
  out: {{ connector: kafka-sink, bootstrap.servers: '{}', topics: [{topic}], preserve.partition: true, transactional.id: {topic} }}
",
        broker.plain
    ));
    pipeline.scratch.write("in.txt", "1\n2\n3\n4\n");
    pipeline.run(&["--timeout", "60s"]).expect_code(1).says(&[
        &topic,
        "has 1 partitions",
        "preserve.partition",
    ]);
}

#[test]
fn an_offset_for_what_is_not_read_is_no_silent_miss() {
    let Some(broker) = broker("start offsets of unknown partitions") else {
        return;
    };
    let topic = name("starts");
    broker.topic(&topic, 1, &[]);
    broker.write(&topic, &[Row::of("1"), Row::of("2")]);
    let run = |named: &str, offset: u32| {
        let more = format!("    start.offsets: {{ {named}: {offset} }}\n");
        Pipeline::new(&source(&broker.plain, &topic, &more)).run(&[])
    };
    run(&format!("{topic}-9"), 5).expect_code(2).says(&[
        "start.offsets",
        "has 1 partitions",
        &broker.plain,
    ]);
    run("other-0", 5)
        .expect_code(2)
        .says(&["start.offsets", "`other` is not one of `topics`"]);
    let ran = run(&format!("{topic}-0"), 1).expect_code(0);
    assert_eq!(records(&ran, "in"), 1);
}

#[test]
fn a_build_without_tls_says_how_to_get_it() {
    let pipeline = Pipeline::new(&source(
        "127.0.0.1:1",
        "t",
        "    security.protocol: ssl\n    request.timeout: 1s\n",
    ));
    let ran = pipeline.run(&["--timeout", "5s"]);
    if ran.stderr.contains("--features kafka-ssl") {
        ran.expect_code(2).says(&["security.protocol"]);
    } else {
        // A build with it gets as far as the port.
        ran.expect_code(1).says(&["127.0.0.1:1"]);
    }
}
