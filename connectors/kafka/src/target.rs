//! Topics in Kafka that a sink writes to: found, or created as the options say.

use std::collections::BTreeMap;

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{ClientConfig, ClientContext};

use crate::client::Events;
use crate::error;
use crate::metadata::{Question, partitions};

/// How often a topic that was just created is looked for, and how long it waits in between.
const LOOKS_MAX: u32 = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How a missing topic is made.
#[derive(Debug, Clone)]
pub(crate) struct Creation {
    pub(crate) partitions: i32,
    pub(crate) replication: i32,
    pub(crate) config: BTreeMap<String, String>,
}

/// What is needed to look at topics.
#[derive(Debug)]
pub(crate) struct Topics {
    pub(crate) config: ClientConfig,
    pub(crate) ctx: TaskContext,
    pub(crate) place: String,
    pub(crate) limit: Duration,
}

/// Context of a client that only asks.
struct Asking(Events);

impl ClientContext for Asking {
    fn log(&self, level: rdkafka::config::RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn error(&self, failed: rdkafka::error::KafkaError, reason: &str) {
        self.0.error(failed, reason);
    }

    fn stats(&self, _statistics: rdkafka::Statistics) {}
}

impl rdkafka::consumer::ConsumerContext for Asking {}

impl Topics {
    /// Returns how many partitions a topic has, creating it where `creation` says how.
    pub(crate) async fn ensure(&self, topic: &str, creation: Option<&Creation>) -> Result<i32> {
        // Asked by a consumer: a producer's question makes brokers create the topic their way.
        let mut config = self.config.clone();
        config.set("allow.auto.create.topics", "false");
        let consumer: BaseConsumer<Asking> = config
            .create_with_context(Asking(Events::new(self.ctx.clone())))
            .map_err(|failed| error::from_call(&failed, &self.place, "make a client", None))?;
        if let Some(count) = self.count(&consumer, topic)? {
            return Ok(count);
        }
        let Some(creation) = creation else {
            return Err(Error::not_found(format!(
                "Kafka at {}: topic `{topic}` does not exist; create it, or set `topic.creation.enable: true`",
                self.place
            )));
        };
        self.create(topic, creation).await?;
        for _ in 0..LOOKS_MAX {
            if let Some(count) = self.count(&consumer, topic)?.filter(|count| *count > 0) {
                tracing::info!(topic, partitions = count, "topic created in Kafka");
                return Ok(count);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Err(error::away(format!(
            "Kafka at {}: topic `{topic}` was created, but no broker knows it yet",
            self.place
        )))
    }

    fn count(&self, consumer: &BaseConsumer<Asking>, topic: &str) -> Result<Option<i32>> {
        let doing = format!("look for topic `{topic}`");
        let question = Question {
            events: &consumer.context().0,
            place: &self.place,
            doing: &doing,
            limit: self.limit,
        };
        let pump = || {
            for _ in 0..16 {
                if consumer.poll(Duration::ZERO).is_none() {
                    break;
                }
            }
        };
        let metadata = question.ask(pump, |limit| consumer.fetch_metadata(Some(topic), limit))?;
        let found = metadata.topics().first().map(partitions).transpose();
        let found = found.map_err(|code| error::from_code(code, &self.place, &doing, ""))?;
        Ok(found
            .flatten()
            .map(|partitions| i32::try_from(partitions.len()).unwrap_or(i32::MAX)))
    }

    async fn create(&self, topic: &str, creation: &Creation) -> Result<()> {
        let doing = format!("create topic `{topic}`");
        let admin: AdminClient<Asking> = self
            .config
            .create_with_context(Asking(Events::new(self.ctx.clone())))
            .map_err(|failed| error::from_call(&failed, &self.place, "make a client", None))?;
        let mut wanted = NewTopic::new(
            topic,
            creation.partitions,
            TopicReplication::Fixed(creation.replication),
        );
        for (name, value) in &creation.config {
            wanted = wanted.set(name, value);
        }
        let options = AdminOptions::new()
            .request_timeout(Some(self.limit))
            .operation_timeout(Some(self.limit));
        let answer = admin.create_topics([&wanted], &options).await;
        let answer =
            answer.map_err(|failed| error::from_call(&failed, &self.place, &doing, None))?;
        match answer.into_iter().next() {
            // Another task was faster.
            Some(Ok(_)) | Some(Err((_, Code::TopicAlreadyExists))) | None => Ok(()),
            Some(Err((_, code))) => Err(error::from_code(code, &self.place, &doing, "")),
        }
    }
}
