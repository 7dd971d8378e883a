//! A source in a consumer group: its tasks share the partitions, and the group's offsets in Kafka follow what is durable here.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broker::broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name};
use crate::support::{eventually, linkspan, start};

/// How long the group may take to settle and read. Members that died are waited for, by default for 45 s; one that died while
/// it joined can be counted in once more and hold partitions for as long again. [`SESSION`] makes that short.
const LIMIT: Duration = Duration::from_secs(90);
/// The shortest session that a broker takes by default.
const SESSION: &str = "librdkafka.session.timeout.ms: 6000";

#[test]
fn tasks_of_a_group_share_partitions_and_nothing_is_doubled() {
    let Some(broker) = broker("kafka-source in a consumer group") else {
        return;
    };
    let (topic, group) = (name("grouped"), name("group"));
    broker.topic(&topic, 4, &[]);
    let rows = |from: i32| {
        (from..from + 400)
            .map(|number| Row::of(&number.to_string()).at(number % 4, 0))
            .collect::<Vec<_>>()
    };
    broker.write(&topic, &rows(0));
    let pipeline = Pipeline::new(&format!(
        "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {}\n    topics: [{topic}]\n    group.id: {group}\n    {SESSION}\n    tasks.max: 2\n",
        broker.plain
    ));
    let (out, err) = (
        pipeline.scratch.path("stdout"),
        pipeline.scratch.path("stderr"),
    );
    let mut host = start(
        linkspan(&["run", "--listen", "none"]).arg(pipeline.yaml()),
        &out,
        &err,
    );
    let settled = eventually(LIMIT, || broker.committed(&group, &topic) == 400);
    // A second life of the group begins where the first ended; more arrives while it starts.
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(
        settled,
        "committed {}\n{}",
        broker.committed(&group, &topic),
        std::fs::read_to_string(&err).unwrap()
    );
    broker.write(&topic, &rows(400));
    let mut host = start(
        linkspan(&["run", "--listen", "none"]).arg(pipeline.yaml()),
        &out,
        &err,
    );
    let settled = eventually(LIMIT, || broker.committed(&group, &topic) == 800);
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(
        settled,
        "committed {}\n{}",
        broker.committed(&group, &topic),
        std::fs::read_to_string(&err).unwrap()
    );
    let found = pipeline.consume(&topic);
    let numbers: BTreeSet<i64> = found
        .iter()
        .map(|row| row["value"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!((found.len(), numbers.len()), (800, 800));
}

#[test]
fn what_a_partitions_last_owner_did_not_commit_its_next_owner_does() {
    let Some(broker) = broker("offsets of a consumer group after its partitions moved") else {
        return;
    };
    let (topic, group) = (name("moved"), name("group"));
    broker.topic(&topic, 4, &[]);
    let rows: Vec<Row> = (0..400)
        .map(|number| Row::of(&number.to_string()).at(number % 4, 0))
        .collect();
    broker.write(&topic, &rows);
    let pipeline = Pipeline::new(&format!(
        "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {}\n    topics: [{topic}]\n    group.id: {group}\n    {SESSION}\n    tasks.max: 2\n",
        broker.plain
    ));
    // A job reads everything and never joins the group: its positions are here, and Kafka knows of none.
    pipeline.run(&[]).expect_code(0);
    assert!(eventually(LIMIT, || broker.committed(&group, &topic) == 0));
    // The group's members have nothing to read; they still say how far this is.
    let (out, err) = (
        pipeline.scratch.path("stdout"),
        pipeline.scratch.path("stderr"),
    );
    let mut host = start(
        linkspan(&["run", "--listen", "none"]).arg(pipeline.yaml()),
        &out,
        &err,
    );
    let settled = eventually(LIMIT, || broker.committed(&group, &topic) == 400);
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(
        settled,
        "committed {}\n{}",
        broker.committed(&group, &topic),
        std::fs::read_to_string(&err).unwrap()
    );
    assert_eq!(pipeline.consume(&topic).len(), 400);
}

#[test]
fn every_strategy_of_assignment_gives_each_partition_to_one_task() {
    let Some(broker) = broker("strategies of assignment") else {
        return;
    };
    // All at once: what takes long is that a group settles.
    let lives: Vec<_> = ["range", "roundrobin", "cooperative-sticky"]
        .into_iter()
        .map(|strategy| {
            let (topic, group) = (name(strategy), name("group"));
            broker.topic(&topic, 4, &[]);
            let rows: Vec<Row> = (0..200)
                .map(|number| Row::of(&number.to_string()).at(number % 4, 0))
                .collect();
            broker.write(&topic, &rows);
            let pipeline = Pipeline::new(&format!(
                "connectors:\n  in:\n    connector: kafka-source\n    bootstrap.servers: {}\n    topics: [{topic}]\n    group.id: {group}\n    {SESSION}\n    librdkafka.partition.assignment.strategy: {strategy}\n    tasks.max: 2\n",
                broker.plain
            ));
            let (out, err) = (
                pipeline.scratch.path("stdout"),
                pipeline.scratch.path("stderr"),
            );
            let host = start(
                linkspan(&["run", "--listen", "none"]).arg(pipeline.yaml()),
                &out,
                &err,
            );
            (strategy, topic, group, pipeline, err, host)
        })
        .collect();
    for (strategy, topic, group, pipeline, err, mut host) in lives {
        let settled = eventually(LIMIT, || broker.committed(&group, &topic) == 200);
        host.kill().unwrap();
        host.wait().unwrap();
        let said = std::fs::read_to_string(&err).unwrap();
        assert!(settled, "{strategy}\n{said}");
        assert_eq!(pipeline.consume(&topic).len(), 200, "{strategy}");
    }
}
