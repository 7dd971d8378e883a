//! One of three brokers is killed while records go Kafka → log → Kafka: the end is exact, and meanwhile it is said what is tried.
//!
//! The broker that dies leads a partition that is written to, so the transfer cannot pass it by.
//! The negative control writes to a topic with one replica: the same check must then find lost records.
//! Settings: `KAFKA_CLUSTER_RECORDS` (3000; the long form is 200000).

use std::env;
use std::fs;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use crate::broker::Broker;
use crate::exact;
use crate::pipeline::{Pipeline, name};
use crate::support::{eventually, linkspan, run, skip_outside_ci, start};

const PARTITIONS: i32 = 3;
/// How long the cluster may take to choose a new leader, and the transfer to go on; generous for busy machines.
const LIMIT: Duration = Duration::from_secs(110);
/// How long the transfer to a topic that lost its only replica is given.
const NO_LEADER: Duration = Duration::from_secs(15);

fn leader(broker: &Broker, topic: &str) -> i32 {
    let seen = broker.asking().fetch_metadata(Some(topic), LIMIT).unwrap();
    seen.topics()[0].partitions()[0].leader()
}

#[test]
fn a_cluster_that_loses_a_broker_loses_and_doubles_nothing() {
    let Some(outcome) = transfer("one of three brokers killed", 3, LIMIT) else {
        return;
    };
    assert!(outcome.elected, "no broker took over:\n{}", outcome.said);
    assert_eq!(outcome.verdict, Ok(()), "{}", outcome.said);
}

#[test]
fn with_one_replica_the_same_check_finds_lost_records() {
    const WHAT: &str = "negative control of one of three brokers killed";
    let Some(outcome) = transfer(WHAT, 1, NO_LEADER) else {
        return;
    };
    assert!(!outcome.elected, "a single replica has no successor");
    let found = outcome.verdict.unwrap_err();
    println!("negative control: with one replica the check says: {found}");
    assert!(!found.contains(" 0 lost"), "{found}");
}

struct Outcome {
    elected: bool,
    verdict: Result<(), String>,
    said: String,
}

/// Kills the leader of a partition in a transfer to a topic with so many replicas, and waits `limit` for its end.
fn transfer(what: &str, replicas: i32, limit: Duration) -> Option<Outcome> {
    let cluster = match Broker::cluster() {
        Ok(cluster) => cluster,
        Err(why) => {
            skip_outside_ci(what, &why);
            return None;
        }
    };
    let count: u32 = env::var("KAFKA_CLUSTER_RECORDS").map_or(3_000, |text| text.parse().unwrap());
    let (from, to) = (name("from"), name("to"));
    cluster.topic(&from, PARTITIONS, &[("min.insync.replicas", "2")]);
    let least = if replicas > 1 { "2" } else { "1" };
    cluster.topic_with(&to, PARTITIONS, replicas, &[("min.insync.replicas", least)]);
    cluster.write(&from, &exact::numbers(0..count, PARTITIONS));
    let pipeline = Pipeline::new(&yaml(&cluster.plain, &from, &to));
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
    cluster.write(&from, &exact::numbers(count..2 * count, PARTITIONS));
    let retrying = eventually(LIMIT, || {
        let mut command = linkspan(&["get", "-o", "json", "--data"]);
        run(command.arg(pipeline.data()))
            .stdout
            .contains("RETRYING")
    });
    let elected = eventually(limit, || {
        let now = leader(&cluster, &to);
        now >= 0 && now != killed
    });
    let wanted = usize::try_from(2 * count).unwrap();
    let _all_of_them = elected && eventually(limit, || cluster.read(&to).len() >= wanted);
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(retrying, "no task was RETRYING:\n{}", said());
    Some(Outcome {
        elected,
        verdict: exact::verdict(&cluster.read(&to), 2 * count),
        said: said(),
    })
}

fn yaml(servers: &str, from: &str, to: &str) -> String {
    format!(
        "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{servers}', topics: [{from}], batch.records: 100 }}
  out:
    connector: kafka-sink
    bootstrap.servers: '{servers}'
    topics: [{from}]
    topic.rename: {to}
    preserve.partition: true
    delivery.timeout: 1s
    request.timeout: 2s
"
    )
}
