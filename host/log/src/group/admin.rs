//! Looking at groups and changing their positions from outside.
//!
//! A change is one frame, checked as a whole before it is written. While it is on its way the group is *held*: a member
//! that joins waits for it, so that no member can start from the old position and commit over the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use linkspan_types::{
    GroupId, LeaderEpoch, Offset, PartitionId, TopicId, TopicName, TopicPartition,
};

use super::{Group, Groups};
use crate::assign::Assignor;
use crate::backend::{GroupOffset, KvPut, Store, group_offset_key};
use crate::core::Core;
use crate::declared;
use crate::error::{Error, Result};
use crate::group::view::{GroupDescription, GroupMember, GroupPosition, GroupState, GroupSummary};
use crate::group_offset::{group_prefix, split_key};
use crate::journal::queue::FenceRule;
use crate::partition::Partition;
use crate::submit::put_and_wait;

/// How many positions one frame deletes.
const DELETES_PER_FRAME: usize = 50_000;

/// A stored position with its key.
struct Position {
    key: Bytes,
    topic: TopicName,
    partition: PartitionId,
    offset: GroupOffset,
}

/// The living side of a group.
struct Living {
    state: GroupState,
    assignor: Option<Assignor>,
    members: Vec<GroupMember>,
}

#[derive(Debug)]
/// Keeps a group without members; dropping it lets members in.
pub(super) struct Hold {
    groups: Groups,
    group: GroupId,
}

/// Returns all groups that have members or committed offsets, by name.
pub(crate) fn list(core: &Core) -> Vec<GroupSummary> {
    let mut found: BTreeMap<GroupId, GroupSummary> = BTreeMap::new();
    for group in stored_groups(core) {
        let summary = GroupSummary {
            group: group.clone(),
            state: GroupState::Empty,
            members: 0,
        };
        found.insert(group, summary);
    }
    let state = core.groups.lock();
    for (name, group) in &state.groups {
        let stored = found.contains_key(name);
        let Some(state) = group.state(stored) else {
            continue;
        };
        let summary = GroupSummary {
            group: name.clone(),
            state,
            members: group.members.len(),
        };
        found.insert(name.clone(), summary);
    }
    found.into_values().collect()
}

/// Describes a group; `None` when it has neither members nor committed offsets.
pub(crate) fn describe(core: &Core, group: &GroupId) -> Result<Option<GroupDescription>> {
    let stored = positions(core, group)?;
    let living = core.groups.living(group, !stored.is_empty());
    let Some(living) = living.or_else(|| {
        (!stored.is_empty()).then(|| Living {
            state: GroupState::Empty,
            assignor: None,
            members: Vec::new(),
        })
    }) else {
        return Ok(None);
    };

    let mut offsets = BTreeMap::new();
    for tp in wanted(core, &living.members) {
        let Ok(partition) = core.partition_by_name(&tp) else {
            continue;
        };
        let id = partition.id.topic;
        offsets.insert((tp.clone(), id), row(core, tp, id, None));
    }
    for position in stored {
        let tp = TopicPartition::new(position.topic, position.partition);
        let id = position.offset.topic_id;
        offsets.insert((tp.clone(), id), row(core, tp, id, Some(position.offset)));
    }
    Ok(Some(GroupDescription {
        group: group.clone(),
        state: living.state,
        assignor: living.assignor,
        members: living.members,
        offsets: offsets.into_values().collect(),
    }))
}

/// Returns all partitions of the topics that members read.
fn wanted(core: &Core, members: &[GroupMember]) -> Vec<TopicPartition> {
    let topics: BTreeSet<&TopicName> = members.iter().flat_map(|m| &m.topics).collect();
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let entries = topics.into_iter().filter_map(|name| catalog.by_name(name));
    entries
        .flat_map(|entry| entry.partitions.iter())
        .map(|partition| TopicPartition::new(partition.topic.clone(), partition.id.partition))
        .collect()
}

fn row(
    core: &Core,
    tp: TopicPartition,
    topic_id: TopicId,
    stored: Option<GroupOffset>,
) -> GroupPosition {
    let marks = core
        .partition(&topic_id, tp.partition)
        .ok()
        .map(|partition| partition.watermarks(LeaderEpoch(0)));
    let committed = stored.as_ref().map(|offset| offset.next);
    let lag = committed.zip(marks).map(|(next, marks)| {
        let behind = marks.high_watermark.0.saturating_sub(next.0);
        u64::try_from(behind).unwrap_or(0)
    });
    GroupPosition {
        topic: tp.topic,
        topic_id,
        partition: tp.partition,
        committed,
        leader_epoch: stored.as_ref().map(|offset| offset.leader_epoch),
        commit_ts: stored.as_ref().map(|offset| offset.commit_ts),
        metadata: stored.map(|offset| offset.metadata).unwrap_or_default(),
        log_start: marks.map(|marks| marks.log_start),
        log_end: marks.map(|marks| marks.high_watermark),
        lag,
    }
}

/// Sets or removes positions of a group without members, all or none.
pub(crate) fn set_offsets(
    core: &Core,
    group: &GroupId,
    changes: &[(TopicPartition, Option<Offset>)],
) -> Result<()> {
    let _hold = core.groups.hold(group)?;
    let mut stored: BTreeMap<TopicPartition, Vec<Position>> = BTreeMap::new();
    for position in positions(core, group)? {
        let tp = TopicPartition::new(position.topic.clone(), position.partition);
        stored.entry(tp).or_default().push(position);
    }
    let removes_only = changes.iter().all(|(_, to)| to.is_none());
    if stored.is_empty() && removes_only {
        return Err(Error::UnknownGroup {
            group: group.clone(),
        });
    }

    let mut puts = Vec::new();
    for (tp, to) in changes {
        let found = stored.get(tp).map(Vec::as_slice).unwrap_or_default();
        // A position in an earlier topic of this name goes too: it would stop the next member that reads this one.
        puts.extend(found.iter().map(|position| delete(position.key.clone())));
        match to {
            Some(to) => puts.push(position_put(core, group, tp, *to)?),
            None if found.is_empty() => core.partition_by_name(tp).map(|_| ())?,
            None => {}
        }
    }
    if puts.is_empty() {
        return Ok(());
    }
    put_and_wait(core, puts, FenceRule::None)
}

/// Deletes all positions of a group without members, and forgets it as a declared reader.
///
/// The reader goes with the last position: without a position it keeps everything, so a failure in between deletes nothing.
pub(crate) fn delete_group(core: &Core, group: &GroupId) -> Result<()> {
    let _hold = core.groups.hold(group)?;
    let keys = core
        .stores
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .scan(Store::GroupOffsets, &group_prefix(group));
    let mut puts: Vec<KvPut> = keys.into_iter().map(|(key, _)| delete(key)).collect();
    puts.extend(declared::forget_put(core, group));
    if puts.is_empty() {
        return Err(Error::UnknownGroup {
            group: group.clone(),
        });
    }
    for puts in puts.chunks(DELETES_PER_FRAME) {
        put_and_wait(core, puts.to_vec(), FenceRule::None)?;
    }
    Ok(())
}

fn delete(key: Bytes) -> KvPut {
    KvPut {
        store: Store::GroupOffsets,
        key,
        value: None,
    }
}

fn position_put(core: &Core, group: &GroupId, tp: &TopicPartition, to: Offset) -> Result<KvPut> {
    let partition = core.partition_by_name(tp)?;
    let marks = partition.watermarks(LeaderEpoch(0));
    if to < marks.log_start || to > marks.high_watermark {
        return Err(Error::OffsetOutOfRange {
            wanted: to,
            log_start: marks.log_start,
            high_watermark: marks.high_watermark,
        });
    }
    let position = GroupOffset {
        topic_id: partition.id.topic,
        next: to,
        leader_epoch: LeaderEpoch(epoch_before(core, &partition, to)),
        metadata: String::new(),
        commit_ts: core.clock.now_ms(),
    };
    Ok(KvPut {
        store: Store::GroupOffsets,
        key: group_offset_key(group, &partition.id.topic, tp.partition),
        value: Some(position.encode(&tp.topic)),
    })
}

/// Returns the leader epoch of the last record before an offset.
fn epoch_before(core: &Core, partition: &Arc<Partition>, next: Offset) -> i32 {
    partition
        .epoch_of(next.0 - 1)
        .unwrap_or(core.leader_epoch().0)
}

fn positions(core: &Core, group: &GroupId) -> Result<Vec<Position>> {
    let prefix = group_prefix(group);
    let stored = core
        .stores
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .scan(Store::GroupOffsets, &prefix);
    let mut found = Vec::with_capacity(stored.len());
    for (key, value) in stored {
        let Some((topic_id, partition)) = split_key(&key, prefix.len()) else {
            return Err(Error::InvalidCommit {
                why: format!("stored group offset of `{group}` has an odd key"),
            });
        };
        let (offset, topic) = GroupOffset::decode(topic_id, &value)?;
        found.push(Position {
            key,
            topic,
            partition,
            offset,
        });
    }
    Ok(found)
}

fn stored_groups(core: &Core) -> BTreeSet<GroupId> {
    let stores = core.stores.read().unwrap_or_else(PoisonError::into_inner);
    let keys = stores.keys(Store::GroupOffsets);
    keys.filter_map(|key| key.split(|byte| *byte == 0).next())
        .filter_map(|name| std::str::from_utf8(name).ok())
        .map(GroupId::from)
        .collect()
}

impl Groups {
    fn living(&self, group: &GroupId, stored: bool) -> Option<Living> {
        let state = self.lock();
        let group = state.groups.get(group)?;
        let member = |(name, member): (&String, &super::Member)| GroupMember {
            member: name.clone(),
            topics: member.topics.clone(),
            assigned: group.owned_by(member.id),
        };
        Some(Living {
            state: group.state(stored)?,
            assignor: (!group.members.is_empty()).then_some(group.assignor),
            members: group.members.iter().map(member).collect(),
        })
    }

    /// Takes a group without members for a change.
    pub(super) fn hold(&self, group: &GroupId) -> Result<Hold> {
        let mut state = self.lock();
        while state.is_held(group) {
            state = self.wait(state);
        }
        let members = state
            .groups
            .get(group)
            .map_or(0, |group| group.members.len());
        if members > 0 {
            return Err(Error::GroupActive {
                group: group.clone(),
                members,
            });
        }
        state.groups.entry(group.clone()).or_default().held = true;
        Ok(Hold {
            groups: self.clone(),
            group: group.clone(),
        })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.groups.lock();
        if let Some(group) = state.groups.get_mut(&self.group) {
            group.held = false;
        }
        state.forget_if_idle(&self.group);
        drop(state);
        self.groups.wake_waiting();
    }
}

impl Group {
    /// Returns the state; `None` when there is nothing to show.
    fn state(&self, stored: bool) -> Option<GroupState> {
        if self.members.is_empty() {
            return match (stored, self.owners.is_empty()) {
                (true, _) => Some(GroupState::Empty),
                (false, false) => Some(GroupState::Dead),
                (false, true) => None,
            };
        }
        let settled = self.members.values().all(|member| {
            let mut owned = self.owned_by(member.id);
            owned.sort();
            owned.iter().eq(member.target.iter())
        });
        let leaving = self.owners.values().any(|owner| owner.leaving);
        if settled && !leaving {
            Some(GroupState::Stable)
        } else {
            Some(GroupState::Rebalancing)
        }
    }
}
