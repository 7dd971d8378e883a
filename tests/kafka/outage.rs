//! A lone broker goes away in the middle of a transfer Kafka → log → Kafka and comes back on the same data.
//!
//! It is stopped (SIGSTOP: connections stand, nobody answers) and killed (SIGKILL). Both connectors say that they are trying
//! again and when, go on by themselves soon after it is back, and the end is exact.
//! The negative control writes at least once to a broker that is stopped: the same check must then find doubled records.

use std::fs;
use std::io::Write as _;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::broker::Broker;
use crate::exact;
use crate::pipeline::{Pipeline, name};
use crate::support::{eventually, linkspan, run, skip_outside_ci, start};

const PARTITIONS: i32 = 3;
/// How long a step may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(110);
/// How soon after the broker answers again records must arrive.
const GO_ON: Duration = Duration::from_secs(10);
/// Records that are written before and in each outage.
const SHARE: u32 = 3_000;
/// Outages until the control must have seen a doubled record.
const CONTROLS_MAX: u32 = 10;
/// The one broker's id.
const NODE: i32 = 1;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outage {
    Stopped,
    Killed,
}

#[test]
fn a_lone_broker_that_goes_and_comes_back_loses_and_doubles_nothing() {
    let Some(mut transfer) = Transfer::new("a lone broker that goes away", "exactly-once") else {
        return;
    };
    for outage in [Outage::Stopped, Outage::Killed] {
        transfer.flow();
        transfer.away(outage);
        transfer.both_retrying(outage);
        let went_on = transfer.back(outage);
        println!(
            "{outage:?}: records arrive {:.1} s after the broker answers again",
            went_on.as_secs_f64()
        );
        assert!(
            went_on <= GO_ON,
            "{outage:?}: {went_on:?}\n{}",
            transfer.said()
        );
        transfer.all_arrived();
        assert_eq!(transfer.verdict(), Ok(()), "{outage:?}");
    }
}

#[test]
fn at_least_once_the_same_check_finds_doubled_records() {
    const WHAT: &str = "negative control of a lone broker that goes away";
    let Some(mut transfer) = Transfer::new(WHAT, "at-least-once") else {
        return;
    };
    for outages in 1..=CONTROLS_MAX {
        transfer.flow();
        transfer.away(Outage::Stopped);
        transfer.retrying("out");
        transfer.back(Outage::Stopped);
        transfer.all_arrived();
        if let Err(found) = transfer.verdict() {
            println!("negative control: after {outages} outages the check says: {found}");
            assert!(
                found.contains("doubled") && !found.starts_with("0 "),
                "{found}"
            );
            return;
        }
    }
    panic!(
        "{CONTROLS_MAX} outages and no doubled record: the check would not notice a lost position"
    );
}

struct Transfer {
    broker: Broker,
    pipeline: Pipeline,
    from: String,
    to: String,
    /// A topic here that a file fills: what a sink has to write while the broker is away.
    lines: String,
    written: u32,
    appended: u32,
    host: Child,
}

impl Transfer {
    fn new(what: &str, delivery: &str) -> Option<Self> {
        let broker = match Broker::alone() {
            Ok(broker) => broker,
            Err(why) => {
                skip_outside_ci(what, &why);
                return None;
            }
        };
        let (from, lines) = (name("from"), name("lines"));
        let to = format!("{from}-to");
        for topic in [&from, &to] {
            broker.topic(topic, PARTITIONS, &[]);
        }
        let pipeline = Pipeline::new(&format!(
            "connectors:
  in: {{ connector: kafka-source, bootstrap.servers: '{0}', topics: [{from}], batch.records: 50, request.timeout: 5s }}
  more: {{ connector: file-source, path: more.txt, topic: {lines}, poll.interval: 100ms }}
  out:
    connector: kafka-sink
    bootstrap.servers: '{0}'
    topics: [{from}, {lines}]
    topic.rename: '{{topic}}-to'
    preserve.partition: true
    delivery: {delivery}
    delivery.timeout: 2s
    request.timeout: 5s
",
            broker.plain
        ));
        pipeline.scratch.write("more.txt", "0\n");
        let (out, err) = (
            pipeline.scratch.path("stdout"),
            pipeline.scratch.path("stderr"),
        );
        let host = start(
            linkspan(&["run", "--listen", "none"]).arg(pipeline.yaml()),
            &out,
            &err,
        );
        Some(Self {
            broker,
            pipeline,
            from,
            to,
            lines,
            written: 0,
            appended: 1,
            host,
        })
    }

    fn said(&self) -> String {
        fs::read_to_string(self.pipeline.scratch.path("stderr")).unwrap()
    }

    fn write(&mut self) {
        let rows = exact::numbers(self.written..self.written + SHARE, PARTITIONS);
        self.broker.write(&self.from, &rows);
        self.written += SHARE;
    }

    /// Writes more and waits until it passes.
    fn flow(&mut self) {
        let before = self.broker.end_offsets(&self.to);
        self.write();
        let flows = eventually(LIMIT, || self.broker.end_offsets(&self.to) > before);
        assert!(flows, "nothing arrives:\n{}", self.said());
    }

    /// The broker goes, and the sink gets something to write.
    fn away(&mut self, outage: Outage) {
        let signal = match outage {
            Outage::Stopped => "-STOP",
            Outage::Killed => "-KILL",
        };
        self.broker.signal(NODE, signal);
        let mut more = fs::OpenOptions::new()
            .append(true)
            .open(self.pipeline.scratch.path("more.txt"))
            .unwrap();
        writeln!(more, "{}", self.appended).unwrap();
        self.appended += 1;
    }

    /// Brings the broker back; returns how long after its first answer a record arrived that was written after it.
    fn back(&mut self, outage: Outage) -> Duration {
        match outage {
            Outage::Stopped => self.broker.signal(NODE, "-CONT"),
            Outage::Killed => self.broker.start_again(NODE),
        }
        assert!(self.broker.answers(&self.to), "{}", self.broker.log());
        let begun = Instant::now();
        let before = self.written;
        self.write();
        let new = |row: &crate::client::Row| row.text().parse::<u32>().unwrap() >= before;
        let arrives = eventually(LIMIT, || self.broker.read(&self.to).iter().any(new));
        assert!(arrives, "{outage:?}: it does not go on:\n{}", self.said());
        begun.elapsed()
    }

    /// The one task of a connector, as `linkspan get` says it.
    fn state(&self, connector: &str) -> Value {
        let mut command = linkspan(&["get", "-o", "json", "--data"]);
        let ran = run(command.arg(self.pipeline.data()));
        let rows: Value = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
        let rows = rows.as_array().cloned().unwrap_or_default();
        let found = rows.into_iter().find(|row| row["name"] == connector);
        found.map_or(Value::Null, |row| row["tasks"][0].clone())
    }

    fn retrying(&self, connector: &str) {
        let mut last = Value::Null;
        let seen = eventually(LIMIT, || {
            last = self.state(connector);
            last["state"] == "RETRYING" && last["next_attempt_ms"].is_u64()
        });
        assert!(seen, "{connector} is not RETRYING: {last}\n{}", self.said());
        assert!(
            last.to_string().contains(&self.broker.plain),
            "the bootstrap address in {last}"
        );
    }

    /// Each shows its next attempt, and none turns to RUNNING while nobody answers.
    fn both_retrying(&self, outage: Outage) {
        for connector in ["in", "out"] {
            self.retrying(connector);
        }
        for _ in 0..10 {
            for connector in ["in", "out"] {
                let state = self.state(connector);
                assert_eq!(
                    state["state"],
                    "RETRYING",
                    "{outage:?}: {state}\n{}",
                    self.said()
                );
            }
        }
    }

    fn all_arrived(&self) {
        let wanted = usize::try_from(self.written).unwrap();
        let distinct = |topic: &str| {
            let rows = self.broker.read(topic);
            let texts: std::collections::BTreeSet<String> =
                rows.iter().map(crate::client::Row::text).collect();
            texts.len()
        };
        let lines = format!("{}-to", self.lines);
        let appended = usize::try_from(self.appended).unwrap();
        let arrived = eventually(LIMIT, || {
            distinct(&self.to) >= wanted && distinct(&lines) >= appended
        });
        assert!(
            arrived,
            "{} of {wanted}, {} of {appended}\n{}",
            distinct(&self.to),
            distinct(&lines),
            self.said()
        );
    }

    fn verdict(&self) -> Result<(), String> {
        let lines = self.broker.read(&format!("{}-to", self.lines));
        exact::verdict(&self.broker.read(&self.to), self.written)
            .and_then(|()| exact::verdict(&lines, self.appended))
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        // A test that failed ends its host, too.
        if self.host.kill().is_ok() {
            drop(self.host.wait());
        }
    }
}
