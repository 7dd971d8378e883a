//! What `linkspan validate --connect` tries: whether the cluster answers, takes the credentials, and has the topics.
//!
//! Metadata is asked for, by a consumer that joins nothing and creates nothing.

use std::sync::{Mutex, PoisonError};

use linkspan_sdk::prelude::*;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::connection::Connection;
use crate::error;
use crate::metadata::partitions;

/// The longest wait for the cluster.
const LIMIT: Duration = Duration::from_secs(15);
/// How long one slice of a question takes: what the client complains of is looked at between two.
const SLICE: Duration = Duration::from_millis(500);
/// Most topics that are looked for.
const TOPICS_MAX: usize = 100;

/// A client that only asks, and keeps what went wrong.
#[derive(Debug, Default)]
struct Asking(Mutex<Option<(Code, String)>>);

impl ClientContext for Asking {
    /// What matters comes back as the answer.
    fn log(&self, _level: RDKafkaLogLevel, _facility: &str, _message: &str) {}

    fn error(&self, failed: KafkaError, reason: &str) {
        let Some(code) = failed.rdkafka_error_code() else {
            return;
        };
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers are down" follows what says why.
        if code != Code::AllBrokersDown || last.is_none() {
            *last = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Asking {}

/// Asks the cluster for its brokers, then for each topic.
pub(crate) fn look(connection: &Connection, topics: &[String]) -> Checked {
    let place = connection.servers();
    let mut config = connection.client_config("validate");
    config
        .set("allow.auto.create.topics", "false")
        .set("statistics.interval.ms", "0");
    let problem = |option: &str, error: &Error| {
        let problem = ConfigProblem::new(option, error.chain());
        Checked::tried("").problem(problem)
    };
    let client = config.create_with_context(Asking::default());
    let client: BaseConsumer<Asking> = match client {
        Ok(client) => client,
        Err(failed) => {
            let failed = error::from_call(&failed, &place, "make a client", None);
            return problem("bootstrap.servers", &failed);
        }
    };
    let limit = connection.request_timeout.min(LIMIT);
    let brokers = match ask(&client, &place, "reach the cluster", limit, None) {
        Ok(metadata) => metadata.brokers().len(),
        Err(failed) => return problem("bootstrap.servers", &failed),
    };
    let mut checked = Checked::tried(format!(
        "connected to Kafka at {place}, brokers: {brokers}, topics looked for: {}",
        topics.len().min(TOPICS_MAX)
    ));
    for topic in topics.iter().take(TOPICS_MAX) {
        let doing = format!("look for topic `{topic}`");
        let found = ask(&client, &place, &doing, limit, Some(topic));
        let found = found.and_then(|metadata| {
            let found = metadata.topics().first().map(partitions).transpose();
            found.map_err(|code| error::from_code(code, &place, &doing, ""))
        });
        let message = match found {
            Ok(Some(Some(_))) => continue,
            Ok(_) => format!(
                "Kafka at {place}: topic `{topic}` does not exist; create it, or correct `topics`"
            ),
            Err(failed) => failed.chain(),
        };
        checked = checked.problem(ConfigProblem::new("topics", message));
    }
    checked
}

/// Asks in slices, until there is an answer, no time or no hope left.
fn ask(
    client: &BaseConsumer<Asking>,
    place: &str,
    doing: &str,
    limit: Duration,
    topic: Option<&str>,
) -> Result<rdkafka::metadata::Metadata> {
    let slices = limit.as_millis().div_ceil(SLICE.as_millis()).max(1);
    for slice in 1..=slices {
        let failed = match client.fetch_metadata(topic, SLICE) {
            Ok(metadata) => return Ok(metadata),
            Err(failed) => failed,
        };
        // Lets the client say what it knows.
        for _ in 0..16 {
            if client.poll(Duration::ZERO).is_none() {
                break;
            }
        }
        let last = client.context().0.lock();
        let last = last.unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((code, reason)) = &last
            && !error::of(*code).temporary
        {
            return Err(error::from_code(*code, place, doing, reason));
        }
        let waits = matches!(
            failed.rdkafka_error_code(),
            Some(Code::OperationTimedOut | Code::BrokerTransportFailure | Code::InProgress)
        );
        if !waits || slice == slices {
            return Err(error::from_call(&failed, place, doing, last));
        }
    }
    Err(Error::internal("a question without a slice"))
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;
    use crate::options::SourceOptions;

    fn options(servers: &str) -> SourceOptions {
        let config = [
            ("bootstrap.servers", servers),
            ("topics", "there,missing"),
            ("request.timeout", "10s"),
        ];
        let config = config.map(|(name, value)| (name.to_owned(), value.to_owned()));
        SourceOptions::from_config(&config.into()).unwrap()
    }

    #[test]
    fn a_cluster_that_answers_and_the_topic_that_it_does_not_have() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("there", 2, 1).unwrap();
        let options = options(&cluster.bootstrap_servers());
        let checked = look(&options.connection, &options.topics);
        assert!(checked.tried.contains("brokers: 1"), "{checked:?}");
        let [problem] = checked.problems.as_slice() else {
            panic!("{checked:?}")
        };
        assert!(
            problem.option == "topics"
                && problem.message.contains("topic `missing` does not exist"),
            "{problem:?}"
        );
    }

    #[test]
    fn a_cluster_that_is_not_there_is_said_with_its_place() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = free.local_addr().unwrap().to_string();
        drop(free);
        let mut options = options(&place);
        options.connection.request_timeout = Duration::from_secs(1);
        let checked = look(&options.connection, &options.topics);
        assert!(checked.tried.is_empty(), "{checked:?}");
        let [problem] = checked.problems.as_slice() else {
            panic!("{checked:?}")
        };
        assert_eq!(problem.option, "bootstrap.servers");
        assert!(problem.message.contains(&place), "{problem:?}");
    }
}
