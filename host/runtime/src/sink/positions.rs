//! Where a sink task stands in each of its partitions.

use std::collections::BTreeMap;

use linkspan_log::{Assignment, GroupOffset};
use linkspan_types::{LeaderEpoch, Offset, TopicPartition};
use serde_json::json;

use super::aside::{Aside, At, Failed};
use super::midway::Reach;
use super::reply::{Progress, Reply};
use crate::error::TaskError;

#[derive(Debug, Clone)]
struct Position {
    assignment: Assignment,
    /// First offset not yet handed to the plugin.
    fetched: Offset,
    /// Behind the last record that the plugin was given: what lies between here and `fetched`, transforms dropped.
    given: Offset,
    /// What the group has durably.
    committed: Option<(Offset, String)>,
    /// Where each leader epoch among the records put begins: a position belongs to the epoch of the record before it.
    epochs: Vec<(Offset, LeaderEpoch)>,
}

impl Position {
    /// Where a restart begins.
    fn at(&self) -> Offset {
        let committed = self.committed.as_ref();
        committed.map_or(self.assignment.next, |(offset, _)| *offset)
    }

    /// The leader epoch of the last record before `next`; without one, that of the position the task began at.
    fn epoch_before(&self, next: Offset) -> LeaderEpoch {
        self.epochs
            .iter()
            .rev()
            .find(|(begin, _)| *begin < next)
            .map_or(self.assignment.leader_epoch, |(_, epoch)| *epoch)
    }
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
                given: assignment.next,
                committed,
                epochs: Vec::new(),
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

    pub(crate) fn seek(&mut self, partition: &TopicPartition, to: Offset, epoch: LeaderEpoch) {
        if let Some(position) = self.map.get_mut(partition) {
            position.fetched = to;
            position.given = to;
            position.assignment.leader_epoch = epoch;
            position.epochs.clear();
        }
    }

    /// First offset of the partition that the plugin has not got; `None` for a partition that is not assigned.
    pub(crate) fn fetched(&self, partition: &TopicPartition) -> Option<Offset> {
        self.map.get(partition).map(|position| position.fetched)
    }

    /// Takes note of the leader epoch of a batch that goes to the plugin.
    pub(crate) fn note_epoch(
        &mut self,
        partition: &TopicPartition,
        base: Offset,
        epoch: LeaderEpoch,
    ) {
        if let Some(position) = self.map.get_mut(partition)
            && position
                .epochs
                .last()
                .is_none_or(|(_, last)| *last != epoch)
        {
            position.epochs.push((base, epoch));
        }
    }

    pub(crate) fn advance(&mut self, partition: &TopicPartition, next: Offset) {
        if let Some(position) = self.map.get_mut(partition) {
            position.fetched = next;
            position.given = next;
        }
    }

    /// The same where transforms may have dropped records: `kept` is behind the last one that was not.
    pub(crate) fn advance_past(
        &mut self,
        partition: &TopicPartition,
        next: Offset,
        kept: Option<Offset>,
    ) {
        if let Some(position) = self.map.get_mut(partition) {
            position.fetched = next;
            position.given = kept.unwrap_or(position.given);
        }
    }

    /// What of the plugin's progress is new, as group offsets. Progress beyond what was put is a defect of the plugin.
    pub(crate) fn news(
        &self,
        progress: &[Progress],
        aside: &Aside,
        now_ms: i64,
    ) -> Result<Vec<(TopicPartition, GroupOffset)>, TaskError> {
        let mut news: Vec<(TopicPartition, GroupOffset)> = Vec::new();
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
            let next = if aside.is_empty() {
                next
            } else {
                aside.pass(partition, next).min(position.fetched)
            };
            // What was dropped behind the last record given is passed with it.
            let next = if next >= position.given {
                position.fetched
            } else {
                next
            };
            let same = position
                .committed
                .as_ref()
                .is_some_and(|(offset, metadata)| *offset == next && *metadata == report.metadata);
            // A batch that was put in parts has a word for each.
            news.retain(|(known, _)| known != partition);
            if !same {
                news.push((
                    partition.clone(),
                    GroupOffset {
                        topic_id: position.assignment.topic_id,
                        next,
                        leader_epoch: position.epoch_before(next),
                        metadata: report.metadata.clone(),
                        commit_ts: now_ms,
                    },
                ));
            }
        }
        self.dropped_news(&mut news, now_ms);
        Ok(news)
    }

    /// How far the plugin may commit by itself in a call; `pending` says where the partitions of a `put` end, the others end
    /// behind what was given before.
    pub(crate) fn reach(&self, pending: &[(TopicPartition, Offset)]) -> Vec<Reach> {
        let of = |(partition, position): (&TopicPartition, &Position)| {
            let ends = pending.iter().filter(|(at, _)| at == partition);
            Reach {
                partition: partition.clone(),
                topic_id: position.assignment.topic_id,
                at: position.at(),
                up_to: ends.map(|(_, end)| *end).max().unwrap_or(position.given),
                epochs: position.epochs.clone(),
                epoch_before: position.assignment.leader_epoch,
            }
        };
        self.map.iter().map(of).collect()
    }

    /// What a sink rejects, with its place in the log.
    pub(crate) fn rejected(&self, reply: &Reply) -> Result<Vec<Failed>, TaskError> {
        let mut failed = Vec::with_capacity(reply.rejected.len());
        for rejected in &reply.rejected {
            let found = self.map.iter().find(|(tp, _)| {
                tp.partition.0 == rejected.partition && tp.topic.as_str() == rejected.topic
            });
            let Some((partition, position)) = found else {
                return Err(TaskError::internal(format!(
                    "the sink rejects offset {} of `{}`-{}, which is not assigned to it",
                    rejected.offset, rejected.topic, rejected.partition
                )));
            };
            failed.push(Failed {
                at: At {
                    partition: partition.clone(),
                    topic_id: position.assignment.topic_id,
                    offset: rejected.offset,
                },
                error: rejected.error(),
            });
        }
        Ok(failed)
    }

    /// Partitions whose plugin has nothing left to report, because transforms dropped all that came: the host passes it.
    fn dropped_news(&self, news: &mut Vec<(TopicPartition, GroupOffset)>, now_ms: i64) {
        for (partition, position) in &self.map {
            let (at, metadata) = match &position.committed {
                Some((offset, metadata)) => (*offset, metadata),
                None => (position.assignment.next, &position.assignment.metadata),
            };
            let known = news.iter().any(|(reported, _)| reported == partition);
            if !known && at >= position.given && position.fetched > at {
                news.push((
                    partition.clone(),
                    GroupOffset {
                        topic_id: position.assignment.topic_id,
                        next: position.fetched,
                        leader_epoch: position.epoch_before(position.fetched),
                        metadata: metadata.clone(),
                        commit_ts: now_ms,
                    },
                ));
            }
        }
    }

    pub(crate) fn committed(&mut self, offsets: &[(TopicPartition, GroupOffset)]) {
        for (partition, offset) in offsets {
            if let Some(position) = self.map.get_mut(partition) {
                position.committed = Some((offset.next, offset.metadata.clone()));
                // Of the epochs that ended before the position only the last is needed again.
                let ended = position
                    .epochs
                    .iter()
                    .filter(|(begin, _)| *begin < offset.next)
                    .count();
                position.epochs.drain(..ended.saturating_sub(1));
            }
        }
    }

    /// Where the partitions stand behind all that was put.
    pub(crate) fn marks(&self) -> Vec<(TopicPartition, Offset)> {
        self.map
            .iter()
            .map(|(partition, position)| (partition.clone(), position.fetched))
            .collect()
    }

    /// Whether these marks are committed; a partition that was given back was so before.
    pub(crate) fn are_committed(&self, marks: &[(TopicPartition, Offset)]) -> bool {
        marks.iter().all(|(partition, end)| {
            self.map
                .get(partition)
                .is_none_or(|position| position.at() >= *end)
        })
    }

    /// Whether everything that was put is committed.
    pub(crate) fn all_committed(&self) -> bool {
        self.map
            .values()
            .all(|position| position.at() >= position.fetched)
    }

    /// Whether everything up to `ends` is committed.
    pub(crate) fn passed(&self, ends: &BTreeMap<TopicPartition, Offset>) -> bool {
        self.map
            .iter()
            .all(|(partition, position)| match ends.get(partition) {
                None => true,
                Some(end) => position.at() >= *end,
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

#[cfg(test)]
mod tests {
    use linkspan_types::{FenceEpoch, PartitionId, TopicId, TopicName};

    use super::*;

    fn assigned() -> (Positions, TopicPartition) {
        let partition = TopicPartition::new(TopicName::try_new("t").unwrap(), PartitionId(0));
        let mut positions = Positions::default();
        positions.assign(&[Assignment {
            partition: partition.clone(),
            topic_id: TopicId([1; 16]),
            leader_epoch: LeaderEpoch(0),
            next: Offset(10),
            metadata: String::new(),
            fence_epoch: FenceEpoch(1),
            stored: true,
        }]);
        (positions, partition)
    }

    fn report(offset: i64) -> Vec<Progress> {
        vec![Progress {
            topic: "t".to_owned(),
            partition: 0,
            offset,
            metadata: String::new(),
        }]
    }

    /// A host that was killed continues in a new leader epoch; a position behind its records belongs to that one.
    #[test]
    fn position_carries_the_leader_epoch_of_the_record_before_it() {
        let (mut positions, partition) = assigned();
        positions.note_epoch(&partition, Offset(10), LeaderEpoch(0));
        positions.note_epoch(&partition, Offset(20), LeaderEpoch(3));
        positions.note_epoch(&partition, Offset(30), LeaderEpoch(3));
        positions.advance(&partition, Offset(40));
        for (next, epoch) in [(15, 0), (20, 0), (21, 3), (40, 3)] {
            let news = positions.news(&report(next), &Aside::default(), 0).unwrap();
            assert_eq!(news[0].1.leader_epoch, LeaderEpoch(epoch), "next {next}");
        }
        let news = positions.news(&report(25), &Aside::default(), 0).unwrap();
        positions.committed(&news);
        assert_eq!(
            positions.news(&report(40), &Aside::default(), 0).unwrap()[0]
                .1
                .leader_epoch,
            LeaderEpoch(3)
        );
    }

    #[test]
    fn progress_beyond_what_was_put_is_refused() {
        let (positions, _) = assigned();
        assert!(positions.news(&report(11), &Aside::default(), 0).is_err());
        assert!(
            positions
                .news(&report(10), &Aside::default(), 0)
                .unwrap()
                .is_empty()
        );
    }
}
