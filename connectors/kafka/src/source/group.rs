//! A source in a consumer group: what it asks for, and what rebalances give and take.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use rdkafka::Offset;
use rdkafka::consumer::Consumer as _;

use super::KafkaSource;
use super::client::Change;
use super::start::Key;
use crate::error;

impl KafkaSource {
    pub(super) fn subscribe(&mut self) -> Result<()> {
        // A wrong address or password is an error of the start; the group would only wait.
        let topics = self.topics()?;
        for (topic, partitions) in &topics {
            self.prepare_target(topic, partitions)?;
        }
        let pattern;
        let mut names: Vec<&str> = self.options.topics.iter().map(String::as_str).collect();
        if let Some(regex) = &self.options.topics_regex {
            // librdkafka takes what begins with `^` as a pattern.
            pattern = format!("^({regex})$");
            names = vec![&pattern];
        }
        let subscribed = self.consumer.subscribe(&names);
        subscribed.map_err(|failed| error::from_call(&failed, &self.place, "subscribe", None))
    }

    /// What rebalances changed; returns the partitions that are gone. What is wrong waits for its turn.
    pub(super) fn rebalanced(&mut self) -> Vec<Key> {
        let mut gone = Vec::new();
        for change in self.consumer.context().changes() {
            match change {
                Change::Assigned(starts) => {
                    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
                    for start in starts {
                        topics
                            .entry(start.key.0.clone())
                            .or_default()
                            .push(start.key.1);
                        self.track(start, None);
                    }
                    for (topic, partitions) in topics {
                        if let Err(error) = self.prepare_target(&topic, &partitions) {
                            self.pending.get_or_insert(error);
                        }
                    }
                }
                Change::Unstarted(keys) => self.unstarted.extend(keys),
                Change::Revoked(keys) => {
                    self.unstarted.retain(|key| !keys.contains(key));
                    for key in keys {
                        self.tracks.remove(&key);
                        self.pinned.retain(|(pinned, _)| *pinned != key);
                        gone.push(key);
                    }
                }
                Change::Failed(error) => {
                    self.pending.get_or_insert(error);
                }
            }
        }
        gone
    }

    /// Begins with the partitions whose starts could not be found out when the group gave them.
    pub(super) fn start_late(&mut self) -> Result<()> {
        if self.unstarted.is_empty() {
            return Ok(());
        }
        let starts = self.starts.of(&*self.consumer, &self.unstarted)?;
        self.unstarted.clear();
        self.consumer.context().started(&starts);
        let places: Vec<(Key, Offset)> = starts
            .iter()
            .map(|start| (start.key.clone(), start.offset))
            .collect();
        for start in starts {
            self.track(start, None);
        }
        self.read_from(&places, "begin to read")
    }
}
