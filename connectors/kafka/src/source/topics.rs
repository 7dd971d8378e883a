//! Which topics and partitions a source reads, and what they are called here.

use std::collections::BTreeMap;

use linkspan_sdk::{prelude::*, tracing};
use rdkafka::consumer::Consumer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::KafkaSource;
use super::start::{Key, Start};
use super::track::Track;
use crate::error;
use crate::metadata::partitions;
use crate::options::{fill, split_partition};

impl KafkaSource {
    /// Asks the cluster which partitions the wanted topics have.
    pub(super) fn topics(&self) -> Result<BTreeMap<String, Vec<i32>>> {
        let mut found = BTreeMap::new();
        let idle = self.tracks.is_empty();
        let pump = || {
            if idle {
                self.pump();
            }
        };
        if let Some(regex) = &self.regex {
            let question = self.question("list the topics");
            let metadata = question.ask(pump, |limit| self.consumer.fetch_metadata(None, limit))?;
            for topic in metadata.topics() {
                let name = topic.name();
                if name.starts_with("__") || !regex.is_match(name).unwrap_or(false) {
                    continue;
                }
                if let Ok(Some(partitions)) = partitions(topic) {
                    found.insert(name.to_owned(), partitions);
                }
            }
            return Ok(found);
        }
        for name in &self.options.topics {
            let doing = format!("look for topic `{name}`");
            let question = self.question(&doing);
            let metadata = question.ask(pump, |limit| {
                self.consumer.fetch_metadata(Some(name), limit)
            })?;
            let topic = metadata.topics().first().map(partitions).transpose();
            let topic = topic.map_err(|code| error::from_code(code, &self.place, &doing, ""))?;
            let Some(partitions) = topic.flatten() else {
                return Err(self.no_topic(name));
            };
            found.insert(name.clone(), partitions);
        }
        self.check_start_offsets(&found)?;
        Ok(found)
    }

    /// An offset for what is not read would be left out in silence.
    fn check_start_offsets(&self, found: &BTreeMap<String, Vec<i32>>) -> Result<()> {
        for named in self.options.start_offsets.keys() {
            let Some((topic, partition)) = split_partition(named) else {
                continue;
            };
            let why = match found.get(topic) {
                None => format!("topic `{topic}` is not one of `topics`"),
                Some(all) if !all.contains(&partition) => {
                    format!("topic `{topic}` has {} partitions, from 0 on", all.len())
                }
                Some(_) => continue,
            };
            return Err(Error::config_invalid(format!(
                "Kafka at {}: `start.offsets` names `{named}`, and {why}; correct it",
                self.place
            )));
        }
        Ok(())
    }

    #[cold]
    fn no_topic(&self, name: &str) -> Error {
        let read: Vec<String> = self.tracks.positions_of(name);
        let gone = if read.is_empty() {
            "does not exist; create it, or correct `topics`".to_owned()
        } else {
            format!(
                "is gone, it was read up to {}; create it and reset the connector's offsets, or take it out of `topics`",
                read.join(", ")
            )
        };
        Error::not_found(format!("Kafka at {}: topic `{name}` {gone}", self.place))
    }

    /// Looks for topics and partitions that are new, and begins to read those that are this task's.
    pub(super) fn refresh(&mut self) -> Result<()> {
        self.refresh_at = tokio::time::Instant::now() + self.options.refresh_interval;
        let topics = self.topics()?;
        if topics.is_empty() && self.tracks.is_empty() {
            tracing::info!(regex = self.options.topics_regex, "no topic matches yet");
        }
        let mut new = Vec::new();
        for (topic, partitions) in &topics {
            let mine = partitions
                .iter()
                .filter(|partition| self.is_mine(topic, **partition));
            let keys = mine.map(|partition| (topic.clone(), *partition));
            let before = new.len();
            new.extend(keys.filter(|key| !self.tracks.contains(key)));
            if new.len() > before {
                self.prepare_target(topic, partitions)?;
            }
        }
        self.begin(&new)
    }

    fn is_mine(&self, topic: &str, partition: i32) -> bool {
        let (index, count) = self.share;
        // FNV-1a, written out because it must never change: with another one a partition would have two readers for a while.
        let hash = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash.wrapping_add(u64::from(partition.unsigned_abs())) % count == index
    }

    /// Assigns partitions from their starts on.
    fn begin(&mut self, keys: &[Key]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let starts = self.starts.of(&*self.consumer, keys)?;
        let mut list = TopicPartitionList::with_capacity(starts.len());
        for start in &starts {
            let (topic, partition) = &start.key;
            list.add_partition_offset(topic, *partition, start.offset)
                .map_err(|failed| error::from_call(&failed, &self.place, "begin to read", None))?;
        }
        let assigned = self.consumer.incremental_assign(&list);
        assigned.map_err(|failed| error::from_call(&failed, &self.place, "begin to read", None))?;
        for start in starts {
            self.track(start, None);
        }
        Ok(())
    }

    pub(super) fn track(&mut self, start: Start, end: Option<i64>) {
        if let Some(next) = start.pin {
            self.pinned.push((start.key.clone(), next));
        }
        let target = self.target(&start.key.0);
        self.tracks
            .insert(start.key, Track::new(start.offset, end, target));
    }

    fn target(&self, topic: &str) -> String {
        let alias = self.options.source_alias.as_deref().unwrap_or_default();
        fill(
            &self.options.topic_rename,
            &[("topic", topic), ("alias", alias)],
        )
    }

    /// Makes sure that the topic here has room for the numbers of the partitions there.
    pub(super) fn prepare_target(&self, topic: &str, partitions: &[i32]) -> Result<()> {
        if !self.options.preserve_partition {
            return Ok(());
        }
        let count = partitions
            .iter()
            .max()
            .map_or(1, |highest| highest.saturating_add(1));
        let target = self.target(topic);
        TopicName::try_new(&target).map_err(|error| {
            Error::config_invalid(format!(
                "`topic.rename` makes `{target}` of topic `{topic}`: {error}"
            ))
        })?;
        match self.ctx.ensure_topic(&target, count) {
            // A host without this creates topics as it likes; a partition that is missing is its error.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            answer => answer,
        }
    }

    /// A job goes on to its next topic; returns whether there is one.
    pub(super) fn next_topic(&mut self) -> Result<bool> {
        while let Some(topic) = self.ahead.pop_front() {
            let all = self.topics_of(&topic)?;
            let mine: Vec<Key> = all
                .iter()
                .filter(|partition| self.is_mine(&topic, **partition))
                .map(|partition| (topic.clone(), *partition))
                .collect();
            if mine.is_empty() {
                continue;
            }
            self.prepare_target(&topic, &all)?;
            self.tracks.clear();
            let mut list = TopicPartitionList::new();
            for start in self.starts.of(&*self.consumer, &mine)? {
                let (low, high) = self.starts.bounds(&*self.consumer, &start.key)?;
                let first = match start.offset {
                    Offset::Offset(next) => next,
                    _ => low,
                };
                if first != high {
                    list.add_partition_offset(&topic, start.key.1, Offset::Offset(first))
                        .map_err(|failed| {
                            error::from_call(&failed, &self.place, "begin to read", None)
                        })?;
                }
                // A position beyond the end is not a finished partition but a lost one.
                let start = Start {
                    offset: Offset::Offset(first),
                    ..start
                };
                self.track(start, Some(high));
            }
            let assigned = self.consumer.assign(&list);
            assigned
                .map_err(|failed| error::from_call(&failed, &self.place, "begin to read", None))?;
            return Ok(true);
        }
        Ok(false)
    }

    fn topics_of(&self, topic: &str) -> Result<Vec<i32>> {
        let doing = format!("look for topic `{topic}`");
        let question = self.question(&doing);
        let metadata = question.ask(
            || {},
            |limit| self.consumer.fetch_metadata(Some(topic), limit),
        )?;
        let found = metadata.topics().first().map(partitions).transpose();
        let found = found.map_err(|code| error::from_code(code, &self.place, &doing, ""))?;
        found.flatten().ok_or_else(|| self.no_topic(topic))
    }
}
