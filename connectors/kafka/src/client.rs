//! What every client of librdkafka here has in common: its events on their way to the host's log, its last complaint, its
//! statistics as metrics.

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
}

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
            // A broker that is away is said once, by the error that follows from it.
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, "{message}")
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, "{message}");
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        report(&self.task, &statistics);
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

fn report(task: &TaskContext, statistics: &Statistics) {
    let metric = |name, value: i64| task.metric(name, number(value), &[]);
    metric(
        QUEUED_MESSAGES,
        i64::try_from(statistics.msg_cnt).unwrap_or(i64::MAX),
    );
    metric(RECEIVED_MESSAGES, statistics.rxmsgs);
    metric(RECEIVED_BYTES, statistics.rxmsg_bytes);
    metric(SENT_MESSAGES, statistics.txmsgs);
    metric(SENT_BYTES, statistics.txmsg_bytes);
    for broker in statistics
        .brokers
        .values()
        .filter(|broker| broker.nodeid >= 0)
    {
        if let Some(round_trip) = &broker.rtt {
            let broker = broker.nodeid.to_string();
            task.metric(
                ROUND_TRIP,
                number(round_trip.avg) / 1e6,
                &[("broker", &broker)],
            );
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
            let number_text = partition.partition.to_string();
            let labels = [
                ("topic", topic.topic.as_str()),
                ("partition", number_text.as_str()),
            ];
            task.metric(LAG_RECORDS, number(lag), &labels);
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a metric is a double; counts stay exact up to 2^53"
)]
fn number(value: i64) -> f64 {
    value as f64
}
