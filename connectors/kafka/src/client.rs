//! What every client of librdkafka here has in common: its events on their way to the host's log, its last complaint, its
//! statistics as metrics.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;

/// How far a source is behind, in records.
pub(crate) const LAG_RECORDS: &str = "linkspan_kafka_source_lag_records";
/// Messages that wait in a producer.
pub(crate) const QUEUED_MESSAGES: &str = "linkspan_kafka_client_queued_messages";
/// Messages and bytes that a client received and sent so far.
pub(crate) const RECEIVED_MESSAGES: &str = "linkspan_kafka_client_received_messages_total";
pub(crate) const RECEIVED_BYTES: &str = "linkspan_kafka_client_received_bytes_total";
pub(crate) const SENT_MESSAGES: &str = "linkspan_kafka_client_sent_messages_total";
pub(crate) const SENT_BYTES: &str = "linkspan_kafka_client_sent_bytes_total";
/// The mean time between a request and its answer.
pub(crate) const ROUND_TRIP: &str = "linkspan_kafka_broker_round_trip_seconds";

/// The events of one client.
#[derive(Debug)]
pub(crate) struct Events {
    task: TaskContext,
    complaint: Mutex<Complaint>,
    /// Labels of the partitions whose lag was told last.
    lagging: Mutex<BTreeSet<Labels>>,
}

/// Names and values.
type Labels = Vec<(&'static str, String)>;

#[derive(Debug, Default)]
struct Complaint {
    last: Option<(Code, String)>,
    /// No broker answers.
    down: bool,
}

impl Events {
    pub(crate) fn new(task: TaskContext) -> Self {
        Self {
            task,
            complaint: Mutex::default(),
            lagging: Mutex::default(),
        }
    }

    /// Returns what the client said last about its connections.
    pub(crate) fn last(&self) -> Option<(Code, String)> {
        self.lock().last.clone()
    }

    /// Returns what the client said last if that cannot pass by itself: credentials, TLS, rights.
    pub(crate) fn hopeless(&self) -> Option<(Code, String)> {
        self.last()
            .filter(|(code, _)| !crate::error::of(*code).temporary)
    }

    /// Returns whether no broker answered since this was asked last.
    pub(crate) fn take_down(&self) -> bool {
        std::mem::take(&mut self.lock().down)
    }

    /// Forgets complaints: the cluster answered.
    pub(crate) fn forget(&self) {
        *self.lock() = Complaint::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Complaint> {
        self.complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, name: &str, value: f64, labels: &[(&str, String)]) {
        let labels: Vec<(&str, &str)> = labels
            .iter()
            .map(|(label, of)| (*label, of.as_str()))
            .collect();
        self.task.metric(name, value, &labels);
    }

    pub(crate) const fn task(&self) -> &TaskContext {
        &self.task
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(facility, "{message}");
            }
            // A broker that is away is said by the error that follows from it, and not with every try to connect.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning
                if ["FAIL", "REQTMOUT", "GETPID"].contains(&facility) =>
            {
                tracing::debug!(facility, "{message}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, "{message}")
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, "{message}");
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        let told = measures(&statistics);
        for measure in &told {
            self.tell(measure.name, measure.value, &measure.labels);
        }
        let lagging = told.into_iter().filter(|one| one.name == LAG_RECORDS);
        let lagging: BTreeSet<Labels> = lagging.map(|one| one.labels).collect();
        let mut before = self.lagging.lock().unwrap_or_else(PoisonError::into_inner);
        // A partition that another task reads now has no lag here.
        for labels in before.difference(&lagging) {
            self.tell(LAG_RECORDS, f64::NAN, labels);
        }
        *before = lagging;
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut complaint = self.lock();
        let all_down = code == Code::AllBrokersDown;
        complaint.down |= all_down;
        // "All brokers are down" follows what says why.
        if !all_down || complaint.last.is_none() {
            complaint.last = Some((code, reason.to_owned()));
        }
    }
}

/// One value of a metric.
#[derive(Debug, PartialEq)]
struct Measure {
    name: &'static str,
    value: f64,
    labels: Labels,
}

impl Measure {
    const fn of(name: &'static str, value: f64, labels: Labels) -> Self {
        Self {
            name,
            value,
            labels,
        }
    }
}

/// Takes what is shown out of a client's statistics.
fn measures(statistics: &Statistics) -> Vec<Measure> {
    let waiting = i64::try_from(statistics.msg_cnt).unwrap_or(i64::MAX);
    let mut found: Vec<Measure> = [
        (QUEUED_MESSAGES, waiting),
        (RECEIVED_MESSAGES, statistics.rxmsgs),
        (RECEIVED_BYTES, statistics.rxmsg_bytes),
        (SENT_MESSAGES, statistics.txmsgs),
        (SENT_BYTES, statistics.txmsg_bytes),
    ]
    .map(|(name, value)| Measure::of(name, number(value), Vec::new()))
    .into();
    for broker in statistics
        .brokers
        .values()
        .filter(|broker| broker.nodeid >= 0)
    {
        if let Some(round_trip) = &broker.rtt {
            let labels = vec![("broker", broker.nodeid.to_string())];
            let seconds = number(round_trip.avg) / 1e6;
            found.push(Measure::of(ROUND_TRIP, seconds, labels));
        }
    }
    for topic in statistics.topics.values() {
        for partition in topic.partitions.values() {
            // Only what this client reads has a position.
            if partition.app_offset < 0 || partition.ls_offset < 0 {
                continue;
            }
            let lag = partition
                .ls_offset
                .saturating_sub(partition.app_offset)
                .max(0);
            let labels = vec![
                ("topic", topic.topic.clone()),
                ("partition", partition.partition.to_string()),
            ];
            found.push(Measure::of(LAG_RECORDS, number(lag), labels));
        }
    }
    found
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a double; counts stay exact up to 2^53"
)]
fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{Partition, Topic};

    use super::*;

    #[test]
    fn lag_is_told_for_each_partition_that_is_read() {
        let partition = |partition, app_offset, ls_offset| {
            let one = Partition {
                partition,
                app_offset,
                ls_offset,
                ..Partition::default()
            };
            (partition, one)
        };
        let topic = Topic {
            topic: "orders".to_owned(),
            // The third is another task's, the last one was read to beyond what the statistics know.
            partitions: [
                partition(0, 3, 10),
                partition(1, 10, 10),
                partition(2, -1001, 10),
                partition(3, 11, 10),
            ]
            .into(),
            ..Topic::default()
        };
        let statistics = Statistics {
            rxmsgs: 24,
            topics: [("orders".to_owned(), topic)].into(),
            ..Statistics::default()
        };
        let found = measures(&statistics);
        let mut lags: Vec<(String, f64)> = found
            .iter()
            .filter(|measure| measure.name == LAG_RECORDS)
            .map(|measure| {
                assert_eq!(measure.labels[0], ("topic", "orders".to_owned()));
                (measure.labels[1].1.clone(), measure.value)
            })
            .collect();
        lags.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(
            lags,
            [("0", 7.0), ("1", 0.0), ("3", 0.0)].map(|(of, lag)| (of.to_owned(), lag))
        );
        assert!(found.contains(&Measure::of(RECEIVED_MESSAGES, 24.0, Vec::new())));
    }
}
