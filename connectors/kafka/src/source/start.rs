//! Where a source begins with a partition.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use rdkafka::consumer::Consumer;
use rdkafka::{Offset, TopicPartitionList};

use super::client::SourceClient;
use crate::error;
use crate::metadata::Question;

/// Fields of a stored position: the next offset to read, and the id of the cluster that it was read from.
pub(crate) const OFFSET: &str = "offset";
pub(crate) const CLUSTER: &str = "cluster";

/// Topic and partition in Kafka.
pub(crate) type Key = (String, i32);

/// Where to begin without a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartFrom {
    Earliest,
    Latest,
    /// Milliseconds since 1970.
    Time(i64),
}

/// What to do when the position is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OptionEnum)]
pub(crate) enum LostPosition {
    Fail,
    Earliest,
    Latest,
}

impl StartFrom {
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => chrono::DateTime::parse_from_rfc3339(text)
                .map(|time| Self::Time(time.timestamp_millis()))
                .map_err(|_| {
                    format!(
                        "is `{}`; it must be `earliest`, `latest` or a time such as `2026-01-31T00:00:00Z`",
                        text.escape_debug()
                    )
                }),
        }
    }
}

/// Names a partition in the host's store of source offsets.
pub(crate) fn source_partition(topic: &str, partition: i32) -> SourcePartition {
    SourcePartition::from([
        ("topic", OffsetValue::from(topic)),
        ("partition", OffsetValue::from(partition)),
    ])
}

/// Where a partition begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) key: Key,
    pub(crate) offset: Offset,
    /// The position that is stored here.
    pub(crate) stored: Option<i64>,
    /// The offset that has to be stored although nothing was read yet, because asking again would answer otherwise.
    pub(crate) pin: Option<i64>,
}

/// What decides about starts.
#[derive(Debug)]
pub(crate) struct Starts {
    pub(crate) ctx: SourceContext,
    pub(crate) place: String,
    pub(crate) limit: Duration,
    pub(crate) from: StartFrom,
    pub(crate) offsets: BTreeMap<String, String>,
    /// Whether a consumer group may have positions of its own.
    pub(crate) group: bool,
    /// The cluster that is being read.
    pub(crate) cluster: Option<String>,
}

impl Starts {
    /// Returns the stored position.
    fn stored(&self, (topic, partition): &Key) -> Result<Option<i64>> {
        let view = self.ctx.offset(source_partition(topic, *partition));
        let Some(offset) = view.i64(OFFSET)? else {
            return Ok(None);
        };
        let cluster = view.str(CLUSTER)?;
        if let (Some(then), Some(now)) = (&cluster, &self.cluster)
            && then != now
        {
            return Err(Error::conflict(format!(
                "Kafka at {}: the position of `{topic}` partition {partition} was read from cluster `{then}`, and this is cluster `{now}`; \
                 point `bootstrap.servers` back, or reset the connector's offsets to begin anew",
                self.place
            )));
        }
        Ok(Some(offset))
    }

    /// Finds the start of each partition: the stored position, else the group's, else what the options say.
    pub(crate) fn of(
        &self,
        consumer: &impl Consumer<SourceClient>,
        keys: &[Key],
    ) -> Result<Vec<Start>> {
        let mut starts = Vec::with_capacity(keys.len());
        let mut open = Vec::new();
        for key in keys {
            match self.stored(key)? {
                Some(next) => starts.push(Start {
                    key: key.clone(),
                    offset: Offset::Offset(next),
                    stored: Some(next),
                    pin: None,
                }),
                None => open.push(key.clone()),
            }
        }
        if self.group && !open.is_empty() {
            open = self.of_group(consumer, &open, &mut starts)?;
        }
        open.retain(|(topic, partition)| {
            let said = self.offsets.get(&format!("{topic}-{partition}"));
            let Some(offset) = said.and_then(|text| text.parse().ok()) else {
                return true;
            };
            starts.push(Start {
                key: (topic.clone(), *partition),
                offset: Offset::Offset(offset),
                stored: None,
                pin: None,
            });
            false
        });
        match self.from {
            StartFrom::Earliest => {
                starts.extend(open.into_iter().map(|key| Start {
                    key,
                    offset: Offset::Beginning,
                    stored: None,
                    pin: None,
                }));
            }
            StartFrom::Latest => {
                for key in open {
                    let (_, high) = self.bounds(consumer, &key)?;
                    starts.push(Start {
                        key,
                        offset: Offset::Offset(high),
                        stored: None,
                        pin: Some(high),
                    });
                }
            }
            StartFrom::Time(ms) => self.of_time(consumer, &open, ms, &mut starts)?,
        }
        Ok(starts)
    }

    fn of_group(
        &self,
        consumer: &impl Consumer<SourceClient>,
        keys: &[Key],
        starts: &mut Vec<Start>,
    ) -> Result<Vec<Key>> {
        let question = self.question(consumer, "read the group's committed offsets");
        let committed =
            question.ask(|| {}, |limit| consumer.committed_offsets(list(keys), limit))?;
        let mut open = Vec::new();
        for element in committed.elements() {
            let key = (element.topic().to_owned(), element.partition());
            match element.offset() {
                Offset::Offset(next) => starts.push(Start {
                    key,
                    offset: Offset::Offset(next),
                    stored: None,
                    pin: None,
                }),
                _ => open.push(key),
            }
        }
        Ok(open)
    }

    fn of_time(
        &self,
        consumer: &impl Consumer<SourceClient>,
        keys: &[Key],
        ms: i64,
        starts: &mut Vec<Start>,
    ) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut wanted = TopicPartitionList::with_capacity(keys.len());
        for (topic, partition) in keys {
            wanted
                .add_partition_offset(topic, *partition, Offset::Offset(ms.max(0)))
                .map_err(|failed| error::from_call(&failed, &self.place, "look a time up", None))?;
        }
        let question = self.question(consumer, "look a time up");
        let found = question.ask(
            || {},
            |limit| consumer.offsets_for_times(wanted.clone(), limit),
        )?;
        for element in found.elements() {
            let key = (element.topic().to_owned(), element.partition());
            let next = match element.offset() {
                Offset::Offset(next) => next,
                // No record is that young.
                _ => self.bounds(consumer, &key)?.1,
            };
            starts.push(Start {
                key,
                offset: Offset::Offset(next),
                stored: None,
                pin: Some(next),
            });
        }
        Ok(())
    }

    /// Returns the first offset of a partition and the one after its last.
    pub(crate) fn bounds(
        &self,
        consumer: &impl Consumer<SourceClient>,
        key: &Key,
    ) -> Result<(i64, i64)> {
        let (topic, partition) = key;
        let doing = format!("read the bounds of topic `{topic}` partition {partition}");
        self.question(consumer, &doing).ask(
            || {},
            |limit| consumer.fetch_watermarks(topic, *partition, limit),
        )
    }

    fn question<'a>(
        &'a self,
        consumer: &'a impl Consumer<SourceClient>,
        doing: &'a str,
    ) -> Question<'a> {
        Question {
            events: consumer.context().events(),
            place: &self.place,
            doing,
            limit: self.limit,
        }
    }
}

/// Makes librdkafka's list of partitions.
pub(crate) fn list(keys: &[Key]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(keys.len());
    for (topic, partition) in keys {
        list.add_partition(topic, *partition);
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_a_word_or_a_time() {
        assert_eq!(StartFrom::parse("earliest"), Ok(StartFrom::Earliest));
        assert_eq!(
            StartFrom::parse("1970-01-01T00:00:01Z"),
            Ok(StartFrom::Time(1000))
        );
        assert_eq!(
            StartFrom::parse("1970-01-01T09:00:00+09:00"),
            Ok(StartFrom::Time(0))
        );
        assert!(
            StartFrom::parse("2026-01-31")
                .unwrap_err()
                .contains("a time such as")
        );
    }
}
