//! What a poll says instead of a record: brokers that are away, and positions that are not in Kafka any more.

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaSource;
use super::start::{Key, LostPosition};
use crate::error;

impl KafkaSource {
    /// What a poll said instead of a message.
    pub(super) fn trouble(&mut self, failed: &KafkaError) -> Result<()> {
        if let KafkaError::PartitionEOF(partition) = failed {
            self.tracks.reached_end(*partition);
            return Ok(());
        }
        let Some(code) = failed.rdkafka_error_code() else {
            return Err(error::from_call(failed, &self.place, "read", None));
        };
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => {
                self.look_for_lost = true;
                Ok(())
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition
                if !self.in_group() && !self.ctx.bounded() =>
            {
                // Says which topic it is, where it really is gone.
                self.refresh()
            }
            Code::PollExceeded => {
                tracing::warn!(
                    "the group gave this task up because it did not poll in time; it joins again"
                );
                Ok(())
            }
            code if error::of(code).temporary => {
                tracing::debug!(%failed, "librdkafka tries again");
                Ok(())
            }
            code => {
                let last = self.consumer.context().events().last();
                let reason = last
                    .filter(|(known, _)| *known == code)
                    .map(|(_, reason)| reason);
                Err(error::from_code(
                    code,
                    &self.place,
                    "read",
                    &reason.unwrap_or_default(),
                ))
            }
        }
    }

    /// Finds the partitions whose position is not in Kafka any more.
    pub(super) fn lost(&mut self) -> Result<()> {
        for (key, next) in self.tracks.positions() {
            let (low, high) = self.starts.bounds(&*self.consumer, &key)?;
            if (low..=high).contains(&next) {
                continue;
            }
            let (topic, partition) = &key;
            let what = if next < low {
                format!(
                    "the {} records before offset {low} were deleted unread",
                    low - next
                )
            } else {
                format!("the topic ends at offset {high}: it was made anew or records were lost")
            };
            let go_on = match self.options.on_lost_position {
                LostPosition::Fail => {
                    return Err(Error::data_invalid(format!(
                        "Kafka at {}: topic `{topic}` partition {partition}: position {next} is gone, {what}; \
                         set `on.lost.position: earliest` or `latest` to go on, or set the offset by hand",
                        self.place
                    )));
                }
                LostPosition::Earliest => low,
                LostPosition::Latest => high,
            };
            tracing::warn!(
                topic,
                partition,
                position = next,
                go_on,
                "a position is gone, {what}"
            );
            self.tracks.move_to(&key, go_on);
            self.read_from(
                &[(key.clone(), Offset::Offset(go_on))],
                "go on after a lost position",
            )?;
            self.pinned.push((key, go_on));
        }
        self.look_for_lost = false;
        Ok(())
    }

    /// Reads partitions that are assigned already from other offsets on.
    pub(super) fn read_from(&self, places: &[(Key, Offset)], doing: &str) -> Result<()> {
        let protocol = self.consumer.rebalance_protocol();
        let whole = self.in_group() && !matches!(protocol, RebalanceProtocol::Cooperative);
        let moved = if whole {
            // A group's older protocol knows the assignment as a whole only.
            let all = self.tracks.places();
            list_of(all).and_then(|all| self.consumer.assign(&all))
        } else {
            let of = |(key, at): &'_ (Key, Offset)| (key.clone(), *at);
            list_of(places.iter().map(of)).and_then(|list| {
                self.consumer.incremental_unassign(&list)?;
                self.consumer.incremental_assign(&list)
            })
        };
        moved.map_err(|failed| error::from_call(&failed, &self.place, doing, None))
    }

    /// No broker answered: finds out whether that is still so. Until one does, every poll asks again.
    pub(super) fn probe(&mut self) -> Result<()> {
        self.away = true;
        let question = self.question("reach a broker");
        let topic = self.tracks.any_topic();
        let asked = question.ask(
            || {},
            |limit| self.consumer.fetch_metadata(topic.as_deref(), limit),
        );
        asked?;
        self.away = false;
        Ok(())
    }
}

fn list_of(places: impl Iterator<Item = (Key, Offset)>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for ((topic, partition), at) in places {
        list.add_partition_offset(&topic, partition, at)?;
    }
    Ok(list)
}
