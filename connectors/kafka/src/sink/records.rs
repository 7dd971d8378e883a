//! A batch's records on their way to the client: their topics, what is left out, what is refused at once.

use linkspan_sdk::prelude::*;
use rdkafka::error::RDKafkaErrorCode as Code;

use super::KafkaSink;
use crate::options::{Delivery, fill};
use crate::origin;
use crate::positions::{Position, Positions};
use crate::producer::{Outgoing, Sender, Undelivered, headers};
use crate::target::Creation;

impl KafkaSink {
    /// Finds, or creates, the topics of a batch.
    pub(super) async fn find_targets(&mut self, records: &Records<'_>) -> Result<()> {
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

    pub(super) fn target(&self, topic: &str) -> String {
        fill(&self.options.topic_rename, &[("topic", topic)])
    }

    /// Hands the records to the client; returns the positions behind them, and what was refused at once.
    pub(super) fn send_all(
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

    pub(super) fn send(
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
