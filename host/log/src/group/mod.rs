//! Consumer groups inside one process: who is a member, who should have which partition, who has it.
//!
//! Each topic is divided by range, as Kafka's range assignor does: members in the order of their names, consecutive
//! partitions, the first members get one more. A partition moves in two steps: its owner hears `Revoked`, finishes and
//! calls `next` again, which releases it; only then, and when the old owner's commits have been answered, the new owner
//! claims it. A consumer that is dropped releases everything at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use linkspan_types::{GroupId, PartitionId, TopicName, TopicPartition};
use tokio::sync::Notify;

use crate::error::{Error, Result};
use crate::topics::Catalog;

pub(crate) mod admin;
pub(crate) mod view;

#[derive(Debug)]
struct Member {
    id: u64,
    topics: Vec<TopicName>,
    notify: Arc<Notify>,
    target: BTreeSet<TopicPartition>,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    member: u64,
    /// Released, but commits are still on their way.
    leaving: bool,
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeMap<String, Member>,
    owners: BTreeMap<TopicPartition, Owner>,
    /// Commits on their way, by member.
    in_flight: HashMap<u64, usize>,
    /// Its positions are being changed from outside: nobody may join now.
    held: bool,
}

#[derive(Debug, Default)]
struct State {
    groups: HashMap<GroupId, Group>,
    last_member: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A group is not held any more.
    let_go: Condvar,
}

/// All groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups(Arc<Shared>);

/// A member's hold on its group; dropping it leaves.
#[derive(Debug)]
pub(crate) struct Membership {
    groups: Groups,
    group: GroupId,
    name: String,
    id: u64,
    pub(crate) notify: Arc<Notify>,
}

/// A commit on its way; dropping it says that it was answered.
#[derive(Debug)]
pub(crate) struct InFlight {
    groups: Weak<Shared>,
    group: GroupId,
    member: u64,
}

/// What a member should do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Revoke(Vec<TopicPartition>),
    /// These were free and are the member's now.
    Claimed(Vec<TopicPartition>),
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.0.let_go.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_waiting(&self) {
        self.0.let_go.notify_all();
    }

    /// Waits while the group is held. Nothing else may be locked: what it is held for needs the other locks.
    pub(crate) fn wait_until_let_go(&self, group: &GroupId) {
        let mut state = self.lock();
        while state.is_held(group) {
            state = self.wait(state);
        }
    }

    /// Adds a member; `None` while the group is held.
    pub(crate) fn join(
        &self,
        group: &GroupId,
        name: &str,
        topics: &[TopicName],
        catalog: &Catalog,
    ) -> Result<Option<Membership>> {
        let mut state = self.lock();
        if state.is_held(group) {
            return Ok(None);
        }
        state.last_member += 1;
        let id = state.last_member;
        let joined = state.groups.entry(group.clone()).or_default();
        if joined.members.contains_key(name) {
            return Err(Error::MemberExists {
                group: group.to_string(),
                member: name.to_owned(),
            });
        }
        let notify = Arc::new(Notify::new());
        let member = Member {
            id,
            topics: topics.to_vec(),
            notify: Arc::clone(&notify),
            target: BTreeSet::new(),
        };
        joined.members.insert(name.to_owned(), member);
        joined.assign(catalog);
        Ok(Some(Membership {
            groups: self.clone(),
            group: group.clone(),
            name: name.to_owned(),
            id,
            notify,
        }))
    }

    /// Divides again after topics were made or grew.
    pub(crate) fn topics_changed(&self, catalog: &Catalog) {
        for group in self.lock().groups.values_mut() {
            group.assign(catalog);
        }
    }

    /// Wakes every member, to look at the log's health or its fence.
    pub(crate) fn wake_all(&self) {
        for group in self.lock().groups.values() {
            group.wake();
        }
    }
}

impl State {
    fn is_held(&self, group: &GroupId) -> bool {
        self.groups.get(group).is_some_and(|group| group.held)
    }

    fn forget_if_idle(&mut self, name: &GroupId) {
        let idle =
            |group: &Group| group.members.is_empty() && group.owners.is_empty() && !group.held;
        if self.groups.get(name).is_some_and(idle) {
            self.groups.remove(name);
        }
    }
}

impl Group {
    fn assign(&mut self, catalog: &Catalog) {
        let mut targets: BTreeMap<String, BTreeSet<TopicPartition>> = BTreeMap::new();
        let topics: BTreeSet<TopicName> = self
            .members
            .values()
            .flat_map(|m| m.topics.iter().cloned())
            .collect();
        for topic in topics {
            let count = catalog
                .by_name(&topic)
                .map_or(0, |entry| entry.partitions.len());
            let readers: Vec<&String> = self
                .members
                .iter()
                .filter(|(_, m)| m.topics.contains(&topic))
                .map(|(name, _)| name)
                .collect();
            for (member, range) in range(count, readers.len()).into_iter().enumerate() {
                let Some(name) = readers.get(member) else {
                    continue;
                };
                let target = targets.entry((*name).clone()).or_default();
                target.extend(range.filter_map(|p| {
                    Some(TopicPartition::new(
                        topic.clone(),
                        PartitionId(i32::try_from(p).ok()?),
                    ))
                }));
            }
        }
        for (name, member) in &mut self.members {
            member.target = targets.remove(name).unwrap_or_default();
        }
        self.wake();
    }

    fn wake(&self) {
        for member in self.members.values() {
            member.notify.notify_one();
        }
    }

    /// Frees what a member let go of, unless its commits are still on their way.
    fn settle(&mut self, member: u64) {
        if self.in_flight.get(&member).is_some_and(|n| *n > 0) {
            return;
        }
        self.in_flight.remove(&member);
        let before = self.owners.len();
        self.owners
            .retain(|_, owner| owner.member != member || !owner.leaving);
        if self.owners.len() != before {
            self.wake();
        }
    }
}

/// Divides partitions among members as Kafka's range assignor does.
fn range(partitions: usize, members: usize) -> Vec<std::ops::Range<usize>> {
    let (each, more) = (
        partitions.checked_div(members).unwrap_or(0),
        partitions.checked_rem(members).unwrap_or(0),
    );
    let start = |member: usize| member * each + member.min(more);
    (0..members)
        .map(|member| start(member)..start(member + 1))
        .collect()
}

impl Membership {
    /// Returns the next step towards the target: first what must go, then what is free.
    pub(crate) fn change(&self) -> Change {
        let mut state = self.groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return Change::Nothing;
        };
        let Some(member) = group.members.get(&self.name) else {
            return Change::Nothing;
        };
        let owned = |owner: &Owner| owner.member == self.id && !owner.leaving;
        let surplus: Vec<TopicPartition> = group
            .owners
            .iter()
            .filter(|(partition, owner)| owned(owner) && !member.target.contains(*partition))
            .map(|(partition, _)| partition.clone())
            .collect();
        if !surplus.is_empty() {
            return Change::Revoke(surplus);
        }
        let free: Vec<TopicPartition> = member
            .target
            .iter()
            .filter(|partition| !group.owners.contains_key(partition))
            .cloned()
            .collect();
        if free.is_empty() {
            return Change::Nothing;
        }
        let owner = Owner {
            member: self.id,
            leaving: false,
        };
        group
            .owners
            .extend(free.iter().map(|partition| (partition.clone(), owner)));
        Change::Claimed(free)
    }

    /// Lets partitions go.
    pub(crate) fn release<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        let mut state = self.groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return;
        };
        for partition in partitions {
            if let Some(owner) = group.owners.get_mut(partition)
                && owner.member == self.id
            {
                owner.leaving = true;
            }
        }
        group.settle(self.id);
    }

    /// Begins a commit of partitions that the member must still own.
    pub(crate) fn begin_commit<'a>(
        &self,
        partitions: impl IntoIterator<Item = &'a TopicPartition>,
    ) -> Result<InFlight> {
        let mut state = self.groups.lock();
        let group = state.groups.entry(self.group.clone()).or_default();
        for partition in partitions {
            let owned = group
                .owners
                .get(partition)
                .is_some_and(|owner| owner.member == self.id && !owner.leaving);
            if !owned {
                return Err(Error::NotAssigned {
                    partition: partition.clone(),
                });
            }
        }
        *group.in_flight.entry(self.id).or_default() += 1;
        Ok(InFlight {
            groups: Arc::downgrade(&self.groups.0),
            group: self.group.clone(),
            member: self.id,
        })
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Some(groups) = self.groups.upgrade() else {
            return;
        };
        let groups = Groups(groups);
        let mut state = groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return;
        };
        if let Some(n) = group.in_flight.get_mut(&self.member) {
            *n = n.saturating_sub(1);
        }
        group.settle(self.member);
        state.forget_if_idle(&self.group);
    }
}

impl Membership {
    /// Leaves the group; the rest divides again.
    pub(crate) fn leave(&self, catalog: &Catalog) {
        let mut state = self.groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return;
        };
        if group
            .members
            .get(&self.name)
            .is_none_or(|member| member.id != self.id)
        {
            return;
        }
        group.members.remove(&self.name);
        for owner in group
            .owners
            .values_mut()
            .filter(|owner| owner.member == self.id)
        {
            owner.leaving = true;
        }
        group.settle(self.id);
        group.assign(catalog);
        state.forget_if_idle(&self.group);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use linkspan_types::GroupId;

    use super::{Groups, range};
    use crate::topics::Catalog;

    #[test]
    fn nobody_joins_a_group_that_is_being_changed() {
        let (groups, group) = (Groups::default(), GroupId::from("g"));
        let hold = groups.hold(&group).unwrap();
        let catalog = Catalog::default();
        assert!(groups.join(&group, "m", &[], &catalog).unwrap().is_none());
        let (tell, told) = channel();
        let waiting = {
            let (groups, group) = (groups.clone(), group.clone());
            std::thread::spawn(move || {
                groups.wait_until_let_go(&group);
                tell.send(()).unwrap();
            })
        };
        let early = told.recv_timeout(Duration::from_millis(50));
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        drop(hold);
        told.recv_timeout(Duration::from_secs(20)).unwrap();
        waiting.join().unwrap();
        let member = groups.join(&group, "m", &[], &catalog).unwrap();
        assert!(member.is_some());
        assert!(groups.hold(&group).is_err(), "it has a member now");
    }

    #[test]
    fn ranges_are_those_of_kafka() {
        for (partitions, members, expected) in [
            (7, 3, vec![0..3, 3..5, 5..7]),
            (2, 3, vec![0..1, 1..2, 2..2]),
            (5, 2, vec![0..3, 3..5]),
            (0, 2, vec![0..0, 0..0]),
        ] {
            assert_eq!(
                range(partitions, members),
                expected,
                "{partitions} partitions, {members} members"
            );
        }
    }
}
