//! Kafka → log → Kafka while the process is killed with SIGKILL again and again; the end is transactional.
//!
//! In the end a reader of committed records finds each input record once, each partition in its order.
//! The negative control writes at least once: the same check must then find doubled records.
//!
//! Settings: `KAFKA_KILL_ROUNDS` (kills that land in a transfer, 5; the long form is 30), `KAFKA_KILL_RECORDS` (a round, 4000),
//! `KAFKA_KILL_SEED`.

use std::time::Duration;

use crate::broker::{Broker, broker};
use crate::exact;
use crate::pipeline::{Pipeline, name};
use crate::support::{eventually, linkspan, start};

const PARTITIONS: i32 = 3;
/// Attempts for each kill that must land: a machine that is too fast fails visibly.
const ATTEMPTS_PER_KILL: u32 = 4;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

#[test]
fn every_record_is_committed_once_however_often_the_process_is_killed() {
    let Some(broker) = broker("kill loop of Kafka to Kafka") else {
        return;
    };
    let rounds = number("KAFKA_KILL_ROUNDS", 5);
    let mut transfer = Transfer::new(broker, "exactly-once");
    let mut landed = 0;
    while landed < rounds && transfer.kills < rounds * ATTEMPTS_PER_KILL {
        landed += u32::from(transfer.round());
    }
    transfer.finish();
    let outcome = transfer.verdict();
    println!(
        "kill loop: {landed} of {} kills landed in a transfer of {} records (seed {}): {outcome:?}; {} records with what was undone",
        transfer.kills,
        transfer.records,
        transfer.seed,
        broker.read_as(&transfer.to, "read_uncommitted").len()
    );
    assert_eq!(outcome, Ok(()));
    assert!(
        landed >= rounds,
        "only {landed} kills landed, {rounds} were wanted"
    );
}

#[test]
fn at_least_once_the_same_check_finds_doubled_records() {
    let Some(broker) = broker("negative control of the kill loop of Kafka to Kafka") else {
        return;
    };
    let mut transfer = Transfer::new(broker, "at-least-once");
    for kill in 1..=20 {
        transfer.round();
        transfer.finish();
        if let Err(found) = transfer.verdict() {
            println!("negative control: after {kill} kills the check says: {found}");
            assert!(found.contains("doubled"), "{found}");
            return;
        }
    }
    panic!("20 kills and no doubled record: the check would not notice a lost position");
}

struct Transfer {
    broker: &'static Broker,
    pipeline: Pipeline,
    from: String,
    to: String,
    records: u32,
    kills: u32,
    seed: u64,
    random: u64,
}

impl Transfer {
    fn new(broker: &'static Broker, delivery: &str) -> Self {
        let (from, to) = (name("kill-from"), name("kill-to"));
        for topic in [&from, &to] {
            broker.topic(topic, PARTITIONS, &[]);
        }
        let id = if delivery == "exactly-once" {
            format!("    transactional.id: {to}\n")
        } else {
            String::new()
        };
        let pipeline = Pipeline::new(&format!(
            "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}], batch.records: 100 }}
  out:
    connector: kafka-sink
    bootstrap.servers: '{0}'
    topics: [{from}]
    topic.rename: {to}
    preserve.partition: true
    delivery: {delivery}
{id}",
            broker.plain
        ));
        let seed = u64::from(number("KAFKA_KILL_SEED", std::process::id()));
        Self {
            broker,
            pipeline,
            from,
            to,
            records: 0,
            kills: 0,
            seed,
            random: seed | 1,
        }
    }

    /// xorshift
    fn random(&mut self, below: u32) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        u32::try_from(self.random % u64::from(below)).unwrap()
    }

    /// More input, a start, a kill at a random moment of the transfer; returns whether it landed in it.
    fn round(&mut self) -> bool {
        let share = number("KAFKA_KILL_RECORDS", 4_000);
        let rows = exact::numbers(self.records..self.records + share, PARTITIONS);
        self.broker.write(&self.from, &rows);
        self.records += share;
        let before = self.broker.end_offsets(&self.to);
        let moment = before + i64::from(self.random(share));
        let (out, err) = (
            self.pipeline.scratch.path("stdout"),
            self.pipeline.scratch.path("stderr"),
        );
        let mut command = linkspan(&["run", "--once", "-o", "json"]);
        let mut child = start(command.arg(self.pipeline.yaml()), &out, &err);
        let reached = eventually(ROUND_LIMIT, || {
            self.broker.end_offsets(&self.to) > moment || child.try_wait().unwrap().is_some()
        });
        assert!(
            reached,
            "the transfer stands still:\n{}",
            std::fs::read_to_string(&err).unwrap()
        );
        let alive = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 1;
        // Marks of transactions count as offsets, too: what is still missing is the better witness.
        alive && self.broker.read(&self.to).len() < usize::try_from(self.records).unwrap()
    }

    fn finish(&self) {
        self.pipeline.run(&["--timeout", "110s"]).expect_code(0);
    }

    fn verdict(&self) -> Result<(), String> {
        exact::verdict(&self.broker.read(&self.to), self.records)
    }
}
