//! Where a sink task stands in each of its partitions.

use std::collections::BTreeMap;

use linkspan_log::{Assignment, GroupOffset};
use linkspan_types::{Offset, TopicPartition};
use serde_json::json;

use super::reply::Progress;
use crate::error::TaskError;

#[derive(Debug, Clone)]
struct Position {
    assignment: Assignment,
    /// First offset not yet handed to the plugin.
    fetched: Offset,
    /// What the group has durably.
    committed: Option<(Offset, String)>,
}

/// The assigned partitions of one task.
#[derive(Debug, Default)]
pub(crate) struct Positions {
    map: BTreeMap<TopicPartition, Position>,
}

impl Positions {
    pub(crate) fn assign(&mut self, assigned: &[Assignment]) {
        for assignment in assigned {
            let committed = assignment
                .stored
                .then(|| (assignment.next, assignment.metadata.clone()));
            let position = Position {
                assignment: assignment.clone(),
                fetched: assignment.next,
                committed,
            };
            self.map.insert(assignment.partition.clone(), position);
        }
    }

    pub(crate) fn remove(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.map.remove(partition);
        }
    }

    pub(crate) fn all(&self) -> Vec<TopicPartition> {
        self.map.keys().cloned().collect()
    }

    /// The JSON that `open_partitions` takes.
    pub(crate) fn assigned_json(assigned: &[Assignment]) -> String {
        let list: Vec<_> = assigned
            .iter()
            .map(|a| {
                json!({
                    "topic": a.partition.topic.as_str(), "topic_id": a.topic_id.to_string(), "partition": a.partition.partition.0,
                    "leader_epoch": a.leader_epoch.0, "next": a.next.0, "metadata": a.metadata,
                    "fence_epoch": a.fence_epoch.0, "stored": a.stored,
                })
            })
            .collect();
        serde_json::Value::from(list).to_string()
    }

    /// The JSON that `close_partitions` takes.
    pub(crate) fn partitions_json(partitions: &[TopicPartition]) -> String {
        let list: Vec<_> = partitions
            .iter()
            .map(|tp| json!({ "topic": tp.topic.as_str(), "partition": tp.partition.0 }))
            .collect();
        serde_json::Value::from(list).to_string()
    }

    pub(crate) fn find(&self, topic: &str, partition: i32) -> Option<TopicPartition> {
        self.map
            .keys()
            .find(|tp| tp.partition.0 == partition && tp.topic.as_str() == topic)
            .cloned()
    }

    pub(crate) fn seek(&mut self, partition: &TopicPartition, to: Offset) {
        if let Some(position) = self.map.get_mut(partition) {
            position.fetched = to;
        }
    }

    /// Whether a fetched batch continues where the plugin stands; a batch fetched before a seek or a revoke does not.
    pub(crate) fn expects(&self, partition: &TopicPartition, from: Offset) -> bool {
        self.map
            .get(partition)
            .is_some_and(|position| position.fetched == from)
    }

    pub(crate) fn advance(&mut self, partition: &TopicPartition, next: Offset) {
        if let Some(position) = self.map.get_mut(partition) {
            position.fetched = next;
        }
    }

    /// What of the plugin's progress is new, as group offsets. Progress beyond what was put is a defect of the plugin.
    pub(crate) fn news(
        &self,
        progress: &[Progress],
        now_ms: i64,
    ) -> Result<Vec<(TopicPartition, GroupOffset)>, TaskError> {
        let mut news = Vec::new();
        for report in progress {
            let Some((partition, position)) = self.map.iter().find(|(tp, _)| {
                tp.partition.0 == report.partition && tp.topic.as_str() == report.topic
            }) else {
                // The partition was revoked meanwhile; its new owner goes on from the committed offset.
                continue;
            };
            let next = Offset(report.offset);
            if next > position.fetched {
                return Err(TaskError::internal(format!(
                    "the sink reports offset {} of `{}`-{}, only records below {} were put",
                    report.offset, report.topic, report.partition, position.fetched
                )));
            }
            let same = position
                .committed
                .as_ref()
                .is_some_and(|(offset, metadata)| *offset == next && *metadata == report.metadata);
            if !same {
                news.push((
                    partition.clone(),
                    GroupOffset {
                        topic_id: position.assignment.topic_id,
                        next,
                        leader_epoch: position.assignment.leader_epoch,
                        metadata: report.metadata.clone(),
                        commit_ts: now_ms,
                    },
                ));
            }
        }
        Ok(news)
    }

    pub(crate) fn committed(&mut self, offsets: &[(TopicPartition, GroupOffset)]) {
        for (partition, offset) in offsets {
            if let Some(position) = self.map.get_mut(partition) {
                position.committed = Some((offset.next, offset.metadata.clone()));
            }
        }
    }

    /// Whether everything up to `ends` is committed.
    pub(crate) fn passed(&self, ends: &BTreeMap<TopicPartition, Offset>) -> bool {
        self.map
            .iter()
            .all(|(partition, position)| match ends.get(partition) {
                None => true,
                Some(end) => {
                    let at = position
                        .committed
                        .as_ref()
                        .map_or(position.assignment.next, |(offset, _)| *offset);
                    at >= *end
                }
            })
    }

    /// Whether everything up to `ends` has been put, so that a flush can end the job.
    pub(crate) fn fetched_all(&self, ends: &BTreeMap<TopicPartition, Offset>) -> bool {
        self.map.iter().all(|(partition, position)| {
            ends.get(partition)
                .is_none_or(|end| position.fetched >= *end)
        })
    }
}
