//! `kafka-sink`: a batch is a transaction (`exactly-once`), or a batch of an idempotent producer (`at-least-once`).
//!
//! ```text
//! exactly-once:  begin ─► records ─► positions ─► commit          one task; what is refused undoes the batch
//! at-least-once: records ─► wait for all of them                  any number of tasks; what is refused is reported
//! ```
//! A transaction of which nobody knows how it ended closes the producer: a new one fences it, and the positions say what
//! was committed; records that were are left out when the batch comes again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::Producer as _;

use crate::error;
use crate::metadata::Question;
use crate::options::{Delivery, SinkOptions, fill};
use crate::origin;
use crate::positions::{self, Position, Positions, Reader};
use crate::producer::{Outgoing, Sender, Undelivered, headers};
use crate::target::{Creation, Topics};

/// What a position that was stored here is marked with, so that one that was set by hand can be told.
const METADATA: &str = "kafka";
/// How long one try of a transaction's end takes.
const SLICE: Duration = Duration::from_millis(500);

/// What the connector does as a whole.
pub(crate) struct KafkaSinkConnector;

impl SinkConnector for KafkaSinkConnector {
    type Options = SinkOptions;

    async fn task_configs(options: &SinkOptions, max: u32) -> Result<Vec<TaskConfig>> {
        // Fencing is by the connector's one transactional id: a partition that moves between tasks would need all their ids.
        let count = if options.delivery == Delivery::ExactlyOnce {
            1
        } else {
            max.max(1)
        };
        Ok((0..count).map(|_| TaskConfig::new()).collect())
    }
}

/// A task of `kafka-sink`.
pub(crate) struct KafkaSink {
    options: SinkOptions,
    ctx: SinkContext,
    place: String,
    topics: Topics,
    /// `None` after a transaction whose end nobody knows.
    sender: Option<Sender>,
    /// Positions in Kafka, with `exactly-once`.
    positions: Positions,
    /// Partitions whose offset was set by hand and not written behind yet: Kafka's position of these is the old one.
    by_hand: BTreeSet<(String, i32)>,
    /// The ids of the topics here.
    topic_ids: HashMap<String, String>,
    /// Partitions of the topics in Kafka.
    known: HashMap<String, i32>,
    opened: u64,
    skipped_origins: u64,
}

impl SinkTask for KafkaSink {
    type Options = SinkOptions;

    async fn open(options: SinkOptions, ctx: SinkContext) -> Result<Self> {
        let place = options.connection.servers();
        let topics = Topics {
            config: options.connection.client_config(ctx.connector()),
            ctx: (*ctx).clone(),
            place: place.clone(),
            limit: options.connection.request_timeout,
        };
        let mut sink = Self {
            options,
            ctx,
            place,
            topics,
            sender: None,
            positions: Positions::new(),
            by_hand: BTreeSet::new(),
            topic_ids: HashMap::new(),
            known: HashMap::new(),
            opened: 0,
            skipped_origins: 0,
        };
        sink.connect().await?;
        Ok(sink)
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let mut seeks = Seeks::none();
        for assigned in partitions {
            self.topic_ids.insert(
                assigned.topic.as_str().to_owned(),
                assigned.topic_id.clone(),
            );
            let at = (assigned.topic.as_str().to_owned(), assigned.partition);
            let by_hand = assigned.metadata != METADATA;
            match self.positions.get(&at) {
                Some(position) if position.topic_id != assigned.topic_id => {
                    return Err(self.foreign_position(assigned, position));
                }
                Some(position) if !by_hand => {
                    if assigned.next != position.next {
                        seeks.to(assigned.topic_partition(), position.next);
                    }
                    continue;
                }
                Some(position) => {
                    // Set or reset by hand, here: that is what is wanted now.
                    tracing::info!(topic = %assigned.topic, partition = assigned.partition, next = assigned.next, in_kafka = position.next, "the offset was set by hand, the position in Kafka gives way");
                    self.positions.remove(&at);
                    self.by_hand.insert(at);
                }
                None => {}
            }
            if self.options.delivery == Delivery::ExactlyOnce && by_hand {
                // Before the first record: from here on an offset without this mark was set by hand.
                seeks.commit(assigned.topic_partition(), assigned.next, METADATA);
            }
        }
        Ok(seeks)
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        if records.len() == 0 {
            if let Some(sender) = &self.sender {
                sender.inner().poll(Duration::ZERO);
            }
            return Ok(Progress::none());
        }
        if self.sender.is_none() {
            self.connect().await?;
        }
        self.find_targets(&records).await?;
        match self.options.delivery {
            Delivery::ExactlyOnce => self.put_once(records),
            Delivery::AtLeastOnce => self.put_at_least_once(records, report),
        }
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            tracing::debug!(%partition, "given up");
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        if self.skipped_origins > 0 {
            tracing::info!(
                records = self.skipped_origins,
                "records that came from this cluster were not written back"
            );
        }
        self.sender = None;
        Ok(())
    }
}

impl KafkaSink {
    #[cold]
    fn foreign_position(&self, assigned: &Assigned, position: &Position) -> Error {
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
            config.set("transactional.id", self.transactional_id()).set(
                "transaction.timeout.ms",
                options.transaction_timeout.as_millis().to_string(),
            );
            // librdkafka refuses a delivery that may outlast its transaction.
            timeout = timeout.min(options.transaction_timeout);
        }
        config.set("message.timeout.ms", timeout.as_millis().to_string());
        config
    }

    fn transactional_id(&self) -> String {
        let id = self.options.transactional_id.clone();
        id.unwrap_or_else(|| format!("linkspan-{}", self.ctx.connector()))
    }

    /// Makes a producer; with `exactly-once` it fences its predecessors and reads the positions back.
    async fn connect(&mut self) -> Result<()> {
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
        let id = self.transactional_id();
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

    /// Finds, or creates, the topics of a batch.
    async fn find_targets(&mut self, records: &Records<'_>) -> Result<()> {
        let mut last = "";
        for record in records {
            if record.topic() == last {
                continue;
            }
            last = record.topic();
            let target = self.target(last);
            if self.known.contains_key(&target) {
                continue;
            }
            TopicName::try_new(&target).map_err(|error| {
                Error::config_invalid(format!(
                    "`topic.rename` makes `{target}` of topic `{last}`: {error}"
                ))
            })?;
            let creation = self.options.topic_creation_enable.then(|| Creation {
                partitions: self.options.topic_creation_partitions,
                replication: self.options.topic_creation_replication_factor,
                config: self.options.topic_creation_config.clone(),
            });
            let count = self.topics.ensure(&target, creation.as_ref()).await?;
            self.known.insert(target, count);
        }
        Ok(())
    }

    fn target(&self, topic: &str) -> String {
        fill(&self.options.topic_rename, &[("topic", topic)])
    }

    /// Records and positions in one transaction.
    fn put_once(&mut self, records: Records<'_>) -> Result<Progress> {
        let progress = records.progress().with_metadata(METADATA);
        let Some(sender) = self.sender.take() else {
            return Err(Error::internal("a batch without a producer"));
        };
        let done = self.transact(&sender, &records);
        match done {
            Ok(positions) => {
                self.by_hand.retain(|at| !positions.contains_key(at));
                self.positions.extend(positions);
                self.sender = Some(sender);
                Ok(progress)
            }
            Err(Ended { error, known }) => {
                if known {
                    self.sender = Some(sender);
                } else {
                    tracing::debug!("the producer is closed, its transaction may have any end");
                }
                Err(error)
            }
        }
    }

    fn transact(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
    ) -> std::result::Result<Positions, Ended> {
        begin(sender).map_err(Ended::unknown)?;
        let sent = self.send_all(sender, records);
        let positions = match sent {
            Ok((positions, refused)) => match self.refusal(sender, records, &refused) {
                None => positions,
                Some(error) => return Err(abort(sender, error)),
            },
            Err(error) => return Err(abort(sender, error)),
        };
        for ((topic, partition), position) in &positions {
            let written = positions::entry(self.ctx.connector(), topic, *partition, position)
                .and_then(|entry| send_entry(sender, self.options.position_topic.as_str(), &entry));
            if let Err(error) = written {
                return Err(abort(sender, error));
            }
        }
        let undelivered = sender.settle(true).map_err(Ended::unknown)?;
        if let Some(error) = self.refusal(sender, records, &undelivered) {
            return Err(abort(sender, error));
        }
        self.commit(sender)
            .map(|()| positions)
            .map_err(Ended::unknown)
    }

    /// Hands the records to the client; returns the positions behind them, and what was refused at once.
    fn send_all(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
    ) -> Result<(Positions, Vec<Undelivered>)> {
        let mut positions = Positions::new();
        let mut refused = Vec::new();
        let mut names: Option<(&str, String)> = None;
        let mut scratch = (Vec::new(), Vec::new());
        for (index, record) in records.into_iter().enumerate() {
            let (topic, partition) = (record.original_topic(), record.partition());
            if self.options.delivery == Delivery::ExactlyOnce {
                let at = (topic.to_owned(), partition);
                // The batch comes again after a transaction that was committed after all.
                if self
                    .positions
                    .get(&at)
                    .is_some_and(|position| record.offset() < position.next)
                {
                    continue;
                }
                let topic_id = self.topic_ids.get(topic).cloned().unwrap_or_default();
                let next = record.offset().saturating_add(1);
                positions.insert(
                    at,
                    Position {
                        topic_id,
                        leader_epoch: record.leader_epoch(),
                        next,
                    },
                );
            }
            if self.came_from_there(&record) {
                self.skipped_origins += 1;
                continue;
            }
            if names.as_ref().is_none_or(|(of, _)| *of != record.topic()) {
                names = Some((record.topic(), self.target(record.topic())));
            }
            let target = names.as_ref().map_or("", |(_, target)| target.as_str());
            match self.send(sender, index, target, &record, &mut scratch) {
                Ok(()) => {}
                Err(Some(code)) => refused.push(Undelivered { index, code }),
                Err(None) => return Err(Error::stopped("the task was asked to stop")),
            }
        }
        Ok((positions, refused))
    }

    fn send(
        &self,
        sender: &Sender,
        index: usize,
        target: &str,
        record: &Record<'_>,
        (key_json, value_json): &mut (Vec<u8>, Vec<u8>),
    ) -> std::result::Result<(), Option<Code>> {
        let key = bytes(record.key(), key_json).ok_or(Some(Code::KeySerialization))?;
        let value = bytes(record.value(), value_json).ok_or(Some(Code::ValueSerialization))?;
        let all: Vec<(&str, Option<&[u8]>)> = record
            .headers()
            .map(|(name, value)| (name, value.as_bytes()))
            .collect();
        let partition = self.options.preserve_partition.then(|| record.partition());
        // librdkafka queues a record for a partition that does not exist in the hope that it will; here it never does.
        if partition.is_some_and(|partition| {
            self.known
                .get(target)
                .is_some_and(|count| partition >= *count)
        }) {
            return Err(Some(Code::UnknownPartition));
        }
        let outgoing = Outgoing {
            topic: target,
            partition,
            timestamp: record.timestamp(),
            key,
            value,
            headers: headers(all.into_iter()),
        };
        sender.send(index, outgoing)
    }

    fn came_from_there(&self, record: &Record<'_>) -> bool {
        let Some(target) = &self.options.target_alias else {
            return false;
        };
        record.headers().any(|(name, value)| {
            name == origin::HEADER
                && value.as_bytes().and_then(origin::alias) == Some(target.as_str())
        })
    }

    /// Makes one error of what was refused: the first decides, what follows it follows from it.
    fn refusal(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
        refused: &[Undelivered],
    ) -> Option<Error> {
        let one = refused.first()?;
        let record = records.into_iter().nth(one.index);
        Some(self.refused(sender, one.code, record.as_ref()))
    }

    /// A topic that is gone is looked for again, and created again where that is wanted.
    fn is_temporary(&self, code: Code) -> bool {
        error::of(code).temporary
            || matches!(code, Code::UnknownTopicOrPartition | Code::UnknownTopic)
    }

    fn refused(&mut self, sender: &Sender, code: Code, record: Option<&Record<'_>>) -> Error {
        let (target, place) = match record {
            Some(record) => {
                let target = self.target(record.topic());
                let place = format!(
                    "write to topic `{target}` (record of `{}` partition {} offset {})",
                    record.original_topic(),
                    record.partition(),
                    record.offset()
                );
                (target, place)
            }
            None => (
                String::new(),
                format!("write to topic `{}`", self.options.position_topic),
            ),
        };
        match code {
            Code::KeySerialization | Code::ValueSerialization => Error::data_invalid(format!(
                "{place}: the value cannot be written as bytes or JSON"
            )),
            Code::UnknownPartition if self.options.preserve_partition => {
                let count = self.known.get(&target).copied().unwrap_or_default();
                Error::data_invalid(format!(
                    "Kafka at {}: {place}: the topic there has {count} partitions; add partitions, or set `preserve.partition: false`",
                    sender.place()
                ))
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => {
                self.known.clear();
                Error::unavailable(format!(
                    "Kafka at {}: {place}: the topic is gone; it is looked for again",
                    sender.place()
                ))
            }
            Code::MessageSizeTooLarge => {
                let size = record.map_or(0, |record| {
                    record.key().as_bytes().map_or(0, <[u8]>::len)
                        + record.value().as_bytes().map_or(0, <[u8]>::len)
                });
                error::from_code(
                    code,
                    sender.place(),
                    &format!("{place}, {size} bytes of key and value"),
                    "",
                )
            }
            Code::MessageTimedOut | Code::TimedOutQueue => {
                let last = sender.events().last();
                let reason = last.map_or_else(
                    || "no broker took it in time".to_owned(),
                    |(_, reason)| reason,
                );
                error::from_code(code, sender.place(), &place, &reason)
            }
            code => error::from_code(code, sender.place(), &place, ""),
        }
    }

    fn put_at_least_once(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let progress = records.progress();
        let Some(sender) = self.sender.take() else {
            return Err(Error::internal("a batch without a producer"));
        };
        let outcome = self.deliver(&sender, &records, report);
        // A fatal error ends the producer; the next batch makes another.
        if sender.inner().client().fatal_error().is_none() {
            self.sender = Some(sender);
        }
        outcome.map(|()| progress)
    }

    fn deliver(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
        report: &mut Report,
    ) -> Result<()> {
        let (_, mut refused) = match self.send_all(sender, records) {
            Ok(sent) => sent,
            Err(error) => {
                sender.purge();
                return Err(error);
            }
        };
        refused.extend(sender.settle(false)?);
        refused = self.alone(sender, records, refused)?;
        if let Some(one) = refused.iter().find(|one| self.is_temporary(one.code)) {
            let record = records.into_iter().nth(one.index);
            return Err(self.refused(sender, one.code, record.as_ref()));
        }
        refused.sort_unstable_by_key(|one| one.index);
        let mut refused = refused.into_iter().peekable();
        for (index, record) in records.into_iter().enumerate() {
            let Some(one) = refused.next_if(|one| one.index == index) else {
                continue;
            };
            let error = self.refused(sender, one.code, Some(&record));
            if error.kind() != ErrorKind::DataInvalid {
                return Err(error);
            }
            report.reject(&record, error);
        }
        Ok(())
    }

    /// A broker refuses a whole batch for one record that is too large: each is sent again alone, and the good ones pass.
    fn alone(
        &mut self,
        sender: &Sender,
        records: &Records<'_>,
        refused: Vec<Undelivered>,
    ) -> Result<Vec<Undelivered>> {
        let (mut left, mut scratch) = (Vec::new(), (Vec::new(), Vec::new()));
        for one in refused {
            let record = records.into_iter().nth(one.index);
            let Some(record) = record.filter(|_| one.code == Code::MessageSizeTooLarge) else {
                left.push(one);
                continue;
            };
            let target = self.target(record.topic());
            match self.send(sender, one.index, &target, &record, &mut scratch) {
                Ok(()) => left.extend(sender.settle(false)?),
                Err(Some(code)) => left.push(Undelivered {
                    index: one.index,
                    code,
                }),
                Err(None) => return Err(Error::stopped("the task was asked to stop")),
            }
        }
        Ok(left)
    }

    /// Commits; a try that ran out of time goes on where it was.
    fn commit(&self, sender: &Sender) -> Result<()> {
        let undelivered = sender.settle(true)?;
        if let Some(one) = undelivered.first() {
            return Err(error::from_code(
                one.code,
                sender.place(),
                "write a position",
                "",
            ));
        }
        let doing = "commit a transaction";
        let slices = self
            .options
            .delivery_timeout
            .as_millis()
            .div_ceil(SLICE.as_millis())
            .max(1);
        for _ in 0..slices {
            match sender.inner().commit_transaction(SLICE) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(failed)) if failed.is_retriable() => sender.serve(),
                Err(failed) => {
                    return Err(error::from_call(
                        &failed,
                        sender.place(),
                        doing,
                        sender.events().last(),
                    ));
                }
            }
            if self.ctx.stopped() {
                return Err(Error::stopped("the task was asked to stop"));
            }
        }
        let why = sender
            .events()
            .last()
            .map_or_else(|| "no answer".to_owned(), |(_, reason)| reason);
        Err(Error::unavailable(format!(
            "Kafka at {}: {doing}: {why}; the batch is tried again",
            sender.place()
        )))
    }
}

/// How a transaction failed, and whether it is known to be undone.
struct Ended {
    error: Error,
    known: bool,
}

impl Ended {
    const fn unknown(error: Error) -> Self {
        Self {
            error,
            known: false,
        }
    }
}

fn begin(sender: &Sender) -> Result<()> {
    let begun = sender.inner().begin_transaction();
    begun.map_err(|failed| {
        error::from_call(
            &failed,
            sender.place(),
            "begin a transaction",
            sender.events().last(),
        )
    })
}

/// Undoes a transaction.
fn abort(sender: &Sender, error: Error) -> Ended {
    sender.purge();
    let aborted = sender.inner().abort_transaction(SLICE * 20);
    let known = aborted.is_ok();
    if let Err(failed) = aborted {
        tracing::debug!(%failed, "a transaction could not be aborted");
        // Fenced: that is the news, not the record that came in between.
        let why = crate::error::from_call(&failed, sender.place(), "abort a transaction", None);
        if why.kind() == ErrorKind::Conflict {
            return Ended::unknown(why);
        }
    }
    Ended { error, known }
}

fn send_entry(sender: &Sender, topic: &str, entry: &positions::Entry) -> Result<()> {
    let outgoing = Outgoing {
        topic,
        partition: Some(positions::PARTITION),
        timestamp: None,
        key: Some(&entry.key),
        value: Some(&entry.value),
        headers: None,
    };
    // No record of a batch has this number, so that a failure names the position topic.
    let sent = sender.send(usize::MAX, outgoing);
    sent.map_err(|code| match code {
        Some(code) => error::from_code(
            code,
            sender.place(),
            &format!("write to position topic `{topic}`"),
            "",
        ),
        None => Error::stopped("the task was asked to stop"),
    })
}

/// Returns the bytes of a key or value: as they are, or a row's JSON. The outer `None`: there are none.
fn bytes<'a>(datum: Datum<'a>, scratch: &'a mut Vec<u8>) -> Option<Option<&'a [u8]>> {
    if let Some(bytes) = datum.as_bytes() {
        return Some(Some(bytes));
    }
    if datum.is_null() {
        return Some(None);
    }
    scratch.clear();
    datum.write_json(scratch).ok()?;
    Some(Some(scratch))
}
