//! librdkafka as the judge: what the tests write to Kafka and read from it, apart from the program under test.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::{Header, Headers as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::broker::Broker;

/// How long a question may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A record in Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Row {
    pub(crate) fn of(value: &str) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    pub(crate) fn key(mut self, key: &str) -> Self {
        self.key = Some(key.into());
        self
    }

    pub(crate) fn at(mut self, partition: i32, timestamp: i64) -> Self {
        (self.partition, self.timestamp) = (partition, timestamp);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.map(<[u8]>::to_vec)));
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or(b"(null)")).into_owned()
    }
}

impl Broker {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.plain);
        config
    }

    /// Creates a topic and waits until it can be used.
    pub(crate) fn topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        self.topic_with(name, partitions, self.replicas, settings);
    }

    /// As [`Broker::topic`], with another number of replicas.
    pub(crate) fn topic_with(
        &self,
        name: &str,
        partitions: i32,
        replicas: i32,
        settings: &[(&str, &str)],
    ) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replicas));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let made = runtime
            .block_on(admin.create_topics([&topic], &AdminOptions::new()))
            .unwrap();
        made.into_iter().for_each(|one| drop(one.unwrap()));
        let asking = self.asking();
        let begin = Instant::now();
        while begin.elapsed() < LIMIT {
            let seen = asking.fetch_metadata(Some(name), LIMIT).unwrap();
            let ready = seen.topics().iter().all(|topic| {
                topic.partitions().len() == usize::try_from(partitions).unwrap()
                    && topic.partitions().iter().all(|one| one.leader() >= 0)
            });
            if ready {
                return;
            }
        }
        panic!("topic {name} is not there");
    }

    /// Deletes a topic and waits until it is gone.
    pub(crate) fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let gone = runtime
            .block_on(admin.delete_topics(&[name], &AdminOptions::new()))
            .unwrap();
        gone.into_iter().for_each(|one| drop(one.unwrap()));
        let begin = Instant::now();
        while self.has(name) {
            assert!(begin.elapsed() < LIMIT, "topic {name} is still there");
        }
    }

    /// Deletes the records of a partition below an offset.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(before))
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime
            .block_on(admin.delete_records(&list, &AdminOptions::new()))
            .unwrap();
    }

    /// Writes records to the partitions they name.
    pub(crate) fn write(&self, topic: &str, rows: &[Row]) {
        let producer: BaseProducer = self.config().set("linger.ms", "5").create().unwrap();
        send(&producer, topic, rows);
        producer.flush(LIMIT).unwrap();
    }

    /// Writes records in a transaction that is committed, or not.
    pub(crate) fn write_transaction(&self, topic: &str, rows: &[Row], commit: bool) {
        let id = format!("judge-{}", uuid::Uuid::new_v4());
        let producer: BaseProducer = self.config().set("transactional.id", id).create().unwrap();
        producer.init_transactions(LIMIT).unwrap();
        producer.begin_transaction().unwrap();
        send(&producer, topic, rows);
        producer.flush(LIMIT).unwrap();
        if commit {
            producer.commit_transaction(LIMIT).unwrap();
        } else {
            producer.abort_transaction(LIMIT).unwrap();
        }
    }

    /// Whether a topic exists; asking does not create it.
    pub(crate) fn has(&self, topic: &str) -> bool {
        let all = self.asking().fetch_metadata(None, LIMIT).unwrap();
        all.topics().iter().any(|one| one.name() == topic)
    }

    /// Returns the sum of a topic's end offsets; marks of transactions count.
    pub(crate) fn end_offsets(&self, topic: &str) -> i64 {
        let asking = self.asking();
        let metadata = asking.fetch_metadata(Some(topic), LIMIT).unwrap();
        let partitions = metadata.topics()[0].partitions().iter();
        partitions
            .map(|one| asking.fetch_watermarks(topic, one.id(), LIMIT).unwrap().1)
            .sum()
    }

    /// Returns the sum of the offsets that a group has committed of a topic; -1 while its coordinator does not answer yet.
    pub(crate) fn committed(&self, group: &str, topic: &str) -> i64 {
        let consumer: BaseConsumer = self.config().set("group.id", group).create().unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), LIMIT).unwrap();
        let mut list = TopicPartitionList::new();
        for partition in metadata.topics()[0].partitions() {
            list.add_partition(topic, partition.id());
        }
        let Ok(committed) = consumer.committed_offsets(list, LIMIT) else {
            return -1;
        };
        let offsets = committed.elements();
        offsets
            .iter()
            .filter_map(|one| one.offset().to_raw())
            .filter(|offset| *offset > 0)
            .sum()
    }

    /// Reads everything of a topic, as `read_committed` unless said otherwise, partition by partition. Partitions without a
    /// leader cannot be read and are left out.
    pub(crate) fn read(&self, topic: &str) -> Vec<Row> {
        self.read_as(topic, "read_committed")
    }

    pub(crate) fn read_as(&self, topic: &str, isolation: &str) -> Vec<Row> {
        let consumer: BaseConsumer = self
            .config()
            .set("group.id", "judge")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", isolation)
            .create()
            .unwrap();
        let metadata = consumer.fetch_metadata(Some(topic), LIMIT).unwrap();
        let mut list = TopicPartitionList::new();
        let partitions = metadata.topics()[0].partitions().iter();
        for partition in partitions.filter(|one| one.leader() >= 0) {
            list.add_partition_offset(topic, partition.id(), Offset::Beginning)
                .unwrap();
        }
        consumer.assign(&list).unwrap();
        let (mut rows, mut ended) = (Vec::new(), 0);
        let begin = Instant::now();
        while ended < list.count() {
            assert!(
                begin.elapsed() < LIMIT * 4,
                "{topic} has no end: {} records",
                rows.len()
            );
            match consumer.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => rows.push(Row {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis().unwrap_or(-1),
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                    headers: message.headers().map_or_else(Vec::new, |headers| {
                        headers
                            .iter()
                            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                            .collect()
                    }),
                }),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ended += 1,
                // A broker of a cluster went; librdkafka turns to the others, and the limit above holds.
                Some(Err(error))
                    if matches!(
                        error.rdkafka_error_code(),
                        Some(Code::BrokerTransportFailure | Code::AllBrokersDown)
                    ) => {}
                Some(Err(error)) => panic!("{topic}: {error}"),
                None => {}
            }
        }
        rows.sort_by_key(|row| (row.partition, row.offset));
        rows
    }
}

fn send(producer: &BaseProducer, topic: &str, rows: &[Row]) {
    for row in rows {
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic).partition(row.partition);
        record.timestamp = (row.timestamp > 0).then_some(row.timestamp);
        record.key = row.key.as_deref();
        record.payload = row.value.as_deref();
        if !row.headers.is_empty() {
            let mut headers = OwnedHeaders::new();
            for (key, value) in &row.headers {
                headers = headers.insert(Header {
                    key,
                    value: value.as_deref(),
                });
            }
            record.headers = Some(headers);
        }
        while let Err((error, again)) = producer.send(record) {
            assert!(
                error.rdkafka_error_code() == Some(Code::QueueFull),
                "{error}"
            );
            producer.poll(Duration::from_millis(5));
            record = again;
        }
    }
}
