//! A member's side of its group: what to do next, what to let go, which commits are on their way.

use std::sync::{Arc, Weak};

use linkspan_types::{GroupId, TopicPartition};
use tokio::sync::Notify;

use super::{Group, Groups, Member, Owner, Shared};
use crate::error::{Error, Result};
use crate::topics::Catalog;

/// A member's hold on its group.
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
    partitions: Vec<TopicPartition>,
}

/// What a member should do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Nothing,
    Revoke(Vec<TopicPartition>),
    /// These were free and are the member's now.
    Claimed(Vec<TopicPartition>),
}

impl Membership {
    pub(super) fn new(
        groups: &Groups,
        group: GroupId,
        name: String,
        id: u64,
        notify: Arc<Notify>,
    ) -> Self {
        Self {
            groups: groups.clone(),
            group,
            name,
            id,
            notify,
        }
    }

    /// Returns the member, unless it has left. Somebody else may have its name by now.
    fn member<'a>(&self, group: &'a Group) -> Option<&'a Member> {
        let member = group.members.get(&self.name)?;
        (member.id == self.id).then_some(member)
    }

    /// Returns the next step towards the target: first what must go, then what is free.
    pub(crate) fn change(&self) -> Change {
        let mut state = self.groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return Change::Nothing;
        };
        let Some(member) = self.member(group) else {
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
            commits: 0,
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
        group.settle();
    }

    /// Begins a commit of partitions that the member must still own.
    pub(crate) fn begin_commit<'a>(
        &self,
        partitions: impl Iterator<Item = &'a TopicPartition> + Clone,
    ) -> Result<InFlight> {
        let mut state = self.groups.lock();
        let mut group = state.groups.get_mut(&self.group);
        for partition in partitions.clone() {
            let owner = group.as_ref().and_then(|group| group.owners.get(partition));
            if owner.is_none_or(|owner| owner.member != self.id || owner.leaving) {
                return Err(Error::NotAssigned {
                    partition: partition.clone(),
                });
            }
        }
        for partition in partitions.clone() {
            let owner = group.as_mut().and_then(|g| g.owners.get_mut(partition));
            if let Some(owner) = owner {
                owner.commits += 1;
            }
        }
        Ok(InFlight {
            groups: Arc::downgrade(&self.groups.0),
            group: self.group.clone(),
            member: self.id,
            partitions: partitions.cloned().collect(),
        })
    }

    /// Leaves the group; the rest divides again. Again is fine.
    pub(crate) fn leave(&self, catalog: &Catalog) {
        let mut state = self.groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return;
        };
        if self.member(group).is_none() {
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
        group.settle();
        group.assign(catalog);
        state.forget_if_idle(&self.group);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Some(groups) = self.groups.upgrade().map(Groups) else {
            return;
        };
        let mut state = groups.lock();
        let Some(group) = state.groups.get_mut(&self.group) else {
            return;
        };
        let mut freed = false;
        for partition in &self.partitions {
            if let Some(owner) = group.owners.get_mut(partition)
                && owner.member == self.member
            {
                owner.commits = owner.commits.saturating_sub(1);
                freed |= owner.leaving && owner.commits == 0;
            }
        }
        if freed {
            group.settle();
            state.forget_if_idle(&self.group);
        }
    }
}
