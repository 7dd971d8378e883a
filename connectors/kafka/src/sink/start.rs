//! Where a sink begins: a producer, and with `exactly-once` the fence and the positions that were committed.

use std::collections::BTreeMap;

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::producer::Producer as _;

use super::KafkaSink;
use super::transaction::{begin, send_entry};
use crate::metadata::Question;
use crate::options::{Delivery, SinkOptions};
use crate::positions::{self, Position, Reader};
use crate::producer::Sender;
use crate::target::Creation;

impl KafkaSink {
    #[cold]
    pub(super) fn foreign_position(&self, assigned: &Assigned, position: &Position) -> Error {
        Error::conflict(format!(
            "Kafka at {}: topic `{}` holds a position of `{}` partition {} in another log or of another topic of that name (id {}, here {}); \
             give this connector another name, or delete the position there to begin anew",
            self.place,
            self.options.position_topic,
            assigned.topic,
            assigned.partition,
            position.topic_id,
            assigned.topic_id
        ))
    }

    fn config(&self) -> rdkafka::ClientConfig {
        let options = &self.options;
        let mut config = self.topics.config.clone();
        config
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", options.compression_type.word())
            .set(
                "message.max.bytes",
                options.max_request_bytes.as_u64().to_string(),
            );
        let mut timeout = options.delivery_timeout;
        if options.delivery == Delivery::ExactlyOnce {
            config.set("transactional.id", &self.transactional_id).set(
                "transaction.timeout.ms",
                options.transaction_timeout.as_millis().to_string(),
            );
            // librdkafka refuses a delivery that may outlast its transaction.
            timeout = timeout.min(options.transaction_timeout);
        }
        config.set("message.timeout.ms", timeout.as_millis().to_string());
        config
    }

    /// Makes a producer; with `exactly-once` it fences its predecessors and reads the positions back.
    pub(super) async fn connect(&mut self) -> Result<()> {
        self.sender = None;
        if self.options.delivery == Delivery::ExactlyOnce {
            let creation = Creation {
                partitions: 1,
                replication: self.options.topic_creation_replication_factor,
                config: BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]),
            };
            // Also the first question: a wrong address or password ends the start here.
            self.topics
                .ensure(self.options.position_topic.as_str(), Some(&creation))
                .await?;
        }
        let sender = Sender::new(&self.config(), (*self.ctx).clone(), &self.place)?;
        if self.options.delivery == Delivery::ExactlyOnce {
            self.fence(&sender)?;
        } else {
            self.question(&sender, "reach a broker").ask(
                || sender.serve(),
                |limit| {
                    sender
                        .inner()
                        .client()
                        .fetch_metadata(Some(self.options.position_topic.as_str()), limit)
                        .map(|_| ())
                },
            )?;
        }
        self.sender = Some(sender);
        Ok(())
    }

    /// Between batches: serves the client, and finds out whether brokers that went away are back.
    pub(super) fn look_around(&mut self) -> Result<()> {
        let Some(sender) = &self.sender else {
            return Ok(());
        };
        sender.serve();
        if !sender.events().take_down() && !self.away {
            return Ok(());
        }
        self.away = true;
        self.question(sender, "reach a broker").ask(
            || sender.serve(),
            |limit| sender.inner().client().fetch_metadata(None, limit),
        )?;
        self.away = false;
        Ok(())
    }

    fn question<'a>(&'a self, sender: &'a Sender, doing: &'a str) -> Question<'a> {
        Question {
            events: sender.events(),
            place: &self.place,
            doing,
            limit: self.options.connection.request_timeout,
        }
    }

    /// Ends what older producers of this connector left, and reads the positions.
    fn fence(&mut self, sender: &Sender) -> Result<()> {
        let id = self.transactional_id.clone();
        let doing = format!("begin with transactional id `{id}`");
        self.question(sender, &doing).ask(
            || sender.serve(),
            |limit| sender.inner().init_transactions(limit),
        )?;
        self.opened += 1;
        // Unique among all starts of this connector: no two processes run on one data directory at a time.
        let opened = format!(
            "{}-{}-{}",
            std::process::id(),
            chrono::Utc::now().timestamp_micros(),
            self.opened
        );
        let mark = positions::mark(self.ctx.connector(), &opened)?;
        begin(sender)?;
        send_entry(sender, self.options.position_topic.as_str(), &mark)?;
        self.commit(sender)?;
        let reader = Reader {
            config: &self.topics.config,
            ctx: &self.ctx,
            place: &self.place,
            topic: self.options.position_topic.as_str(),
            limit: self.options.transaction_timeout + self.options.connection.request_timeout,
        };
        let read = reader.read(self.ctx.connector(), &opened)?;
        tracing::debug!(
            positions = read.len(),
            transactional_id = id,
            "positions read"
        );
        self.positions = read;
        self.positions.retain(|at, _| !self.by_hand.contains(at));
        Ok(())
    }
}

/// Returns the id by which Kafka fences older producers of this connector: of this log, so that connectors of one name in two
/// data directories do not fence each other.
///
/// # Errors
/// The host's log cannot say who it is.
pub(super) fn transactional_id(options: &SinkOptions, ctx: &SinkContext) -> Result<String> {
    if let Some(id) = &options.transactional_id {
        return Ok(id.clone());
    }
    if options.delivery == Delivery::AtLeastOnce {
        return Ok(String::new());
    }
    match ctx.log_id() {
        Ok(log) => Ok(format!("linkspan-{}-{log}", ctx.connector())),
        // An older host: the name alone, as it was with that one.
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Ok(format!("linkspan-{}", ctx.connector()))
        }
        Err(error) => Err(error),
    }
}
