//! Consumer groups inside one process: who is a member, who should have which partition, who has it.
//!
//! ```text
//!  join, leave, topics change ─► assign ─► every member's target
//!                                             │ surplus: Revoked, flush, release, commits answered
//!                                             ▼
//!                                           free ─► claimed by the member whose target it is
//! ```
//!
//! A partition moves in two steps: its owner hears `Revoked`, finishes and calls `next` again, which releases it; only
//! then, and when the old owner's commits *of this partition* have been answered, the new owner claims it. So every
//! assignor is cooperative here, and `cooperative-sticky` has the targets of `sticky`. A consumer that is dropped
//! releases everything at once.
//!
//! # Invariants
//! - INV-G1: a partition has one owner, who keeps it until released and until its commits of it are answered.
//! - INV-G2: all members of a group divide by the same assignor.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use linkspan_types::{GroupId, TopicName, TopicPartition};
use tokio::sync::Notify;

use crate::assign::{self, Assignor, Partitions};
use crate::backend::TopicPattern;
use crate::error::{Error, Result};
use crate::topics::Catalog;

pub(crate) mod admin;
mod membership;
#[cfg(test)]
mod tests;
pub(crate) mod view;

pub(crate) use membership::{Change, InFlight, Membership};

#[derive(Debug)]
struct Member {
    id: u64,
    /// The topics that it named.
    named: Vec<TopicName>,
    pattern: Option<TopicPattern>,
    /// The topics that it reads: those it named, and what its pattern matches now.
    topics: Vec<TopicName>,
    notify: Arc<Notify>,
    target: BTreeSet<TopicPartition>,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    member: u64,
    /// Released, but commits are still on their way.
    leaving: bool,
    /// The owner's commits of this partition that are on their way.
    commits: usize,
}

#[derive(Debug, Default)]
struct Group {
    assignor: Assignor,
    members: BTreeMap<String, Member>,
    owners: BTreeMap<TopicPartition, Owner>,
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

/// Who wants to join.
#[derive(Debug)]
pub(crate) struct Joining<'a> {
    pub(crate) group: &'a GroupId,
    pub(crate) name: &'a str,
    pub(crate) topics: &'a [TopicName],
    pub(crate) pattern: Option<&'a TopicPattern>,
    pub(crate) assignor: Assignor,
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
        joining: &Joining<'_>,
        catalog: &Catalog,
    ) -> Result<Option<Membership>> {
        let Joining {
            group,
            name,
            topics,
            pattern,
            assignor,
        } = *joining;
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
        if joined.members.is_empty() {
            joined.assignor = assignor;
        } else if joined.assignor != assignor {
            return Err(Error::OtherAssignor {
                group: group.clone(),
                member: name.to_owned(),
                wanted: assignor,
                current: joined.assignor,
            });
        }
        let notify = Arc::new(Notify::new());
        let member = Member {
            id,
            named: topics.to_vec(),
            pattern: pattern.cloned(),
            topics: topics.to_vec(),
            notify: Arc::clone(&notify),
            target: BTreeSet::new(),
        };
        joined.members.insert(name.to_owned(), member);
        joined.assign(catalog);
        drop(state);
        let (group, name) = (group.clone(), name.to_owned());
        Ok(Some(Membership::new(self, group, name, id, notify)))
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

impl Member {
    fn follow_pattern(&mut self, catalog: &Catalog) {
        let Some(pattern) = &self.pattern else {
            return;
        };
        let names = catalog.all().map(|entry| &entry.topic.name);
        let mut topics: BTreeSet<TopicName> = names
            .filter(|name| pattern.matches(name))
            .cloned()
            .collect();
        topics.extend(self.named.iter().cloned());
        self.topics = topics.into_iter().collect();
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
    /// Gives every member a new target.
    fn assign(&mut self, catalog: &Catalog) {
        for member in self.members.values_mut() {
            member.follow_pattern(catalog);
        }
        let mut topics = BTreeMap::new();
        for name in self.members.values().flat_map(|m| &m.topics) {
            if let Some(entry) = catalog.by_name(name) {
                let partitions = Partitions {
                    count: i32::try_from(entry.partitions.len()).unwrap_or(i32::MAX),
                    racks: Vec::new(),
                };
                topics.insert(name.clone(), partitions);
            }
        }
        let members: Vec<assign::Member> = self
            .members
            .iter()
            .map(|(name, member)| assign::Member {
                id: name.clone(),
                topics: member.topics.iter().cloned().collect(),
                owned: self.existing(member.id, &topics),
                ..assign::Member::default()
            })
            .collect();
        let assignor = match self.assignor {
            // Partitions are released before they are claimed anyway, so there is no need for a second round.
            Assignor::CooperativeSticky => Assignor::Sticky,
            other => other,
        };
        match assign::assign(assignor, &members, &topics) {
            Ok(mut targets) => {
                for (name, member) in &mut self.members {
                    let target = targets.remove(name).unwrap_or_default();
                    member.target = target.into_iter().collect();
                }
            }
            // Only partitions that exist are named as owned, so this cannot be.
            Err(error) => tracing::error!(%error, "could not divide the partitions of a group"),
        }
        self.wake();
    }

    /// Returns what a member owns of the partitions that there are.
    fn existing(
        &self,
        member: u64,
        topics: &BTreeMap<TopicName, Partitions>,
    ) -> Vec<TopicPartition> {
        let mut owned = self.owned_by(member);
        owned.retain(|tp| {
            let count = topics
                .get(&tp.topic)
                .map_or(0, |partitions| partitions.count);
            (0..count).contains(&tp.partition.0)
        });
        owned
    }

    fn owned_by(&self, member: u64) -> Vec<TopicPartition> {
        self.owners
            .iter()
            .filter(|(_, owner)| owner.member == member && !owner.leaving)
            .map(|(tp, _)| tp.clone())
            .collect()
    }

    fn wake(&self) {
        for member in self.members.values() {
            member.notify.notify_one();
        }
    }

    /// Frees what was let go of and has no commit on its way.
    fn settle(&mut self) {
        let before = self.owners.len();
        self.owners
            .retain(|_, owner| !owner.leaving || owner.commits > 0);
        if self.owners.len() != before {
            self.wake();
        }
    }
}
