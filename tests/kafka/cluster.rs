//! One of three brokers is killed while records go Kafka → log → Kafka: the end is exact, and meanwhile it is said what is tried.
//!
//! The broker that dies leads a partition that is written to, so the transfer cannot pass it by.
//! Settings: `KAFKA_CLUSTER_RECORDS` (3000; the long form is 200000).

use std::env;
use std::fs;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use crate::broker::Broker;
use crate::client::Row;
use crate::pipeline::{Pipeline, name};
use crate::support::{eventually, linkspan, run, skip_outside_ci, start};

const PARTITIONS: i32 = 3;
/// How long the cluster may take to choose a new leader, and the transfer to go on; generous for busy machines.
const LIMIT: Duration = Duration::from_secs(110);

fn rows(range: std::ops::Range<i32>) -> Vec<Row> {
    range
        .map(|number| Row::of(&number.to_string()).at(number % PARTITIONS, 0))
        .collect()
}

fn leader(broker: &Broker, topic: &str) -> i32 {
    let seen = broker.asking().fetch_metadata(Some(topic), LIMIT).unwrap();
    seen.topics()[0].partitions()[0].leader()
}

#[test]
fn a_cluster_that_loses_a_broker_loses_and_doubles_nothing() {
    let cluster = match Broker::cluster() {
        Ok(cluster) => cluster,
        Err(why) => return skip_outside_ci("one of three brokers killed", &why),
    };
    let count: i32 = env::var("KAFKA_CLUSTER_RECORDS").map_or(3_000, |text| text.parse().unwrap());
    let (from, to) = (name("from"), name("to"));
    for topic in [&from, &to] {
        cluster.topic(topic, PARTITIONS, &[("min.insync.replicas", "2")]);
    }
    cluster.write(&from, &rows(0..count));
    let pipeline = Pipeline::new(&format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}], batch.records: 100 }}
  out:
    connector: kafka-sink
    bootstrap.servers: '{0}'
    topics: [{from}]
    topic.rename: {to}
    preserve.partition: true
    delivery.timeout: 1s
    request.timeout: 2s
",
        cluster.plain
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
    let said = || fs::read_to_string(&err).unwrap();
    let begun = eventually(LIMIT, || cluster.end_offsets(&to) > 0);
    assert!(begun, "nothing arrives:\n{}", said());

    let killed = leader(&cluster, &to);
    cluster.kill(killed);
    // More arrives while the cluster notices; the partitions that another broker leads take it at once.
    let more = count..2 * count;
    cluster.write(&from, &rows(more));
    let retrying = eventually(LIMIT, || {
        let mut command = linkspan(&["get", "-o", "json", "--data"]);
        run(command.arg(pipeline.data()))
            .stdout
            .contains("RETRYING")
    });
    let elected = eventually(LIMIT, || {
        let now = leader(&cluster, &to);
        now >= 0 && now != killed
    });
    let wanted = usize::try_from(2 * count).unwrap();
    let arrived = eventually(LIMIT, || cluster.read(&to).len() >= wanted);
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(retrying, "no task was RETRYING:\n{}", said());
    assert!(elected && arrived, "the transfer stands still:\n{}", said());

    let mut numbers: Vec<i32> = Vec::with_capacity(wanted);
    for partition in 0..PARTITIONS {
        let of_it = cluster.read(&to).into_iter();
        let of_it: Vec<i32> = of_it
            .filter(|row| row.partition == partition)
            .map(|row| row.text().parse().unwrap())
            .collect();
        assert!(of_it.is_sorted(), "partition {partition} is out of order");
        numbers.extend(of_it);
    }
    numbers.sort_unstable();
    let expected: Vec<i32> = (0..2 * count).collect();
    assert!(numbers == expected, "{} of {wanted} records", numbers.len());
}
