//! Where a member begins in a partition that is its own now.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use linkspan_types::{FenceEpoch, LeaderEpoch, Offset, TopicPartition};

use super::{Assigned, LocalConsumer};
use crate::backend::{Assignment, Event, GroupOffset, Start, Store, group_offset_key};
use crate::error::{Error, Result};
use crate::group_offset::{group_prefix, split_key};
use crate::partition::Partition;

/// Positions of the group by the name of the topic, whichever topic of that name they belong to.
/// Made once for all partitions of a claim, and only when one of them has no position of its own.
type OtherLives = BTreeMap<TopicPartition, GroupOffset>;

impl LocalConsumer {
    /// Finds out where to begin in partitions that are ours now.
    pub(super) fn claim(&mut self, partitions: &[TopicPartition]) -> Result<Event> {
        let mut assignments = Vec::with_capacity(partitions.len());
        let mut lives = None;
        for partition in partitions {
            match self.start(partition, &mut lives) {
                Ok(assignment) => assignments.push(assignment),
                Err(error) => {
                    // Nothing was announced: give all of them back, the next call fails again.
                    for assignment in &assignments {
                        self.forget(&assignment.partition);
                    }
                    self.events.clear();
                    self.membership.release(partitions);
                    return Err(error);
                }
            }
        }
        Ok(Event::Assigned(assignments))
    }

    fn start(&mut self, tp: &TopicPartition, lives: &mut Option<OtherLives>) -> Result<Assignment> {
        let partition = self.core.partition_by_name(tp)?;
        let topic_id = partition.id.topic;
        let marks = partition.watermarks(self.core.leader_epoch());
        let key = group_offset_key(&self.options.group, &topic_id, tp.partition);
        let stored = self.core.get(Store::GroupOffsets, &key);
        let (next, leader_epoch, metadata, found) = match stored {
            Some(value) => {
                let (offset, _) = GroupOffset::decode(topic_id, &value)?;
                check_position(&partition, tp, offset.leader_epoch, offset.next)?;
                if offset.next < marks.log_start {
                    self.events.push_back(Event::OffsetLost {
                        partition: tp.clone(),
                        wanted: offset.next,
                        log_start: marks.log_start,
                    });
                }
                (
                    offset.next.max(marks.log_start),
                    offset.leader_epoch,
                    offset.metadata,
                    true,
                )
            }
            None => {
                let lives = lives.get_or_insert_with(|| self.other_lives());
                check_no_other_life(lives, tp)?;
                let next = match self.options.start {
                    Start::Earliest => marks.log_start,
                    Start::Latest => marks.high_watermark,
                };
                (next, self.core.leader_epoch(), String::new(), false)
            }
        };
        partition.watchers.watch(&self.membership.notify);
        self.assigned.insert(
            tp.clone(),
            Assigned {
                partition,
                next: next.0,
                paused: false,
            },
        );
        self.turn.push_back(tp.clone());
        Ok(Assignment {
            partition: tp.clone(),
            topic_id,
            leader_epoch,
            next,
            metadata,
            fence_epoch: self
                .fence
                .as_ref()
                .map_or(FenceEpoch(0), |(_, epoch)| *epoch),
            stored: found,
        })
    }

    fn other_lives(&self) -> OtherLives {
        let prefix = group_prefix(&self.options.group);
        let stores = self.core.stores.read();
        let stored = stores
            .unwrap_or_else(PoisonError::into_inner)
            .scan(Store::GroupOffsets, &prefix);
        let position = |(key, value): (bytes::Bytes, bytes::Bytes)| {
            let (id, partition) = split_key(&key, prefix.len())?;
            let (offset, topic) = GroupOffset::decode(id, &value).ok()?;
            Some((TopicPartition::new(topic, partition), offset))
        };
        stored.into_iter().filter_map(position).collect()
    }
}

/// A position of the group in an earlier topic of this name means that the topic was made anew.
fn check_no_other_life(lives: &OtherLives, tp: &TopicPartition) -> Result<()> {
    let Some(offset) = lives.get(tp) else {
        return Ok(());
    };
    Err(Error::UnknownPosition {
        partition: tp.clone(),
        next: offset.next,
        leader_epoch: offset.leader_epoch,
        why: "the topic was made anew since it was committed".to_owned(),
    })
}

/// Checks a position against the history of a partition.
pub(crate) fn check_position(
    partition: &Partition,
    tp: &TopicPartition,
    leader_epoch: LeaderEpoch,
    next: Offset,
) -> Result<()> {
    let end = partition.epoch_end(leader_epoch.0);
    if next.0 <= end && next.0 >= 0 {
        return Ok(());
    }
    let why = format!("that leader epoch ends at offset {end}");
    Err(Error::UnknownPosition {
        partition: tp.clone(),
        next,
        leader_epoch,
        why,
    })
}
