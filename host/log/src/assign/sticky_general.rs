//! Sticky when members read different topics: start from what is owned, then move partitions as long as that helps.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::{PartitionId, TopicName, TopicPartition};

use super::sticky::{Divided, NO_GENERATION};
use super::{Assignment, Member};

/// The assignment while it changes.
struct Balance<'a> {
    topics: &'a BTreeMap<&'a TopicName, i32>,
    members: BTreeMap<&'a str, &'a Member>,
    readers: BTreeMap<&'a TopicName, BTreeSet<&'a str>>,
    assignment: Assignment,
    owner: BTreeMap<TopicPartition, String>,
    /// Members that may gain or lose something, fewest partitions first.
    by_load: BTreeSet<(usize, String)>,
    moves: Moves,
}

/// From whom to whom partitions moved; so that two partitions of a topic are not exchanged.
#[derive(Default)]
struct Moves {
    of: BTreeMap<TopicPartition, (String, String)>,
    between: BTreeMap<(TopicName, String, String), BTreeSet<TopicPartition>>,
}

pub(super) fn divide(
    members: &[&Member],
    topics: &BTreeMap<&TopicName, i32>,
    owned: BTreeMap<String, Vec<TopicPartition>>,
) -> Divided {
    let earlier = earlier_owners(members);
    let mut balance = Balance::new(members, topics);
    let must_revoke = balance.keep(owned);
    balance.by_load = balance
        .assignment
        .iter()
        .map(|(member, list)| (list.len(), member.clone()))
        .collect();
    balance.run(must_revoke, &earlier);
    let moving = moving(members, &balance.assignment);
    Divided {
        assignment: balance.assignment,
        moving,
    }
}

/// Who had a partition before the youngest generation.
fn earlier_owners(members: &[&Member]) -> BTreeMap<TopicPartition, String> {
    let generation = |member: &Member| member.generation.unwrap_or(NO_GENERATION);
    let youngest = members.iter().map(|m| generation(m)).max();
    let mut earlier: BTreeMap<TopicPartition, (i32, String)> = BTreeMap::new();
    for member in members {
        let mine = generation(member);
        if Some(mine) == youngest {
            continue;
        }
        for partition in &member.owned {
            let known = earlier.get(partition).map(|(generation, _)| *generation);
            if known.is_none_or(|known| mine > known) {
                earlier.insert(partition.clone(), (mine, member.id.clone()));
            }
        }
    }
    earlier
        .into_iter()
        .map(|(partition, (_, member))| (partition, member))
        .collect()
}

/// What is new to a member while its old owner has not let go of it.
fn moving(members: &[&Member], assignment: &Assignment) -> BTreeMap<TopicPartition, String> {
    let (mut added, mut revoked) = (BTreeMap::new(), BTreeSet::new());
    for member in members {
        let Some(now) = assignment.get(&member.id) else {
            continue;
        };
        let owned: BTreeSet<&TopicPartition> = member.owned.iter().collect();
        for partition in now.iter().filter(|partition| !owned.contains(partition)) {
            added.insert(partition.clone(), member.id.clone());
        }
        let now: BTreeSet<&TopicPartition> = now.iter().collect();
        revoked.extend(owned.difference(&now).map(|partition| (*partition).clone()));
    }
    added.retain(|partition, _| revoked.contains(partition));
    added
}

impl<'a> Balance<'a> {
    fn new(members: &[&'a Member], topics: &'a BTreeMap<&'a TopicName, i32>) -> Self {
        let readers = |topic: &TopicName| {
            let readers = members.iter().filter(|m| m.topics.contains(topic));
            readers.map(|m| m.id.as_str()).collect()
        };
        Self {
            readers: topics
                .keys()
                .map(|topic| (*topic, readers(topic)))
                .collect(),
            topics,
            members: members.iter().map(|m| (m.id.as_str(), *m)).collect(),
            assignment: Assignment::new(),
            owner: BTreeMap::new(),
            by_load: BTreeSet::new(),
            moves: Moves::default(),
        }
    }

    /// Starts from what is owned; returns whether something must go because its topic is not read any more.
    fn keep(&mut self, owned: BTreeMap<String, Vec<TopicPartition>>) -> bool {
        let mut must_revoke = false;
        for (member, mut list) in owned {
            let reads = self.members.get(member.as_str());
            let before = list.len();
            list.retain(|tp| reads.is_some_and(|member| member.topics.contains(&tp.topic)));
            must_revoke |= list.len() != before;
            for partition in &list {
                self.owner.insert(partition.clone(), member.clone());
            }
            self.assignment.insert(member, list);
        }
        must_revoke
    }

    /// All partitions, those with the fewest readers first.
    fn in_order(&self) -> Vec<TopicPartition> {
        let mut topics: Vec<(usize, &TopicName, i32)> = self
            .topics
            .iter()
            .map(|(topic, count)| (self.reader_count(topic), *topic, *count))
            .collect();
        topics.sort();
        topics
            .into_iter()
            .flat_map(|(_, topic, count)| {
                (0..count).map(|n| TopicPartition::new(topic.clone(), PartitionId(n)))
            })
            .collect()
    }

    fn run(&mut self, must_revoke: bool, earlier: &BTreeMap<TopicPartition, String>) {
        let fresh = self.owner.is_empty();
        let mut all = self.in_order();
        let mut unassigned: Vec<TopicPartition> = all
            .iter()
            .filter(|partition| !self.owner.contains_key(*partition))
            .cloned()
            .collect();
        for partition in &unassigned {
            if let Some(member) = self.least_loaded_reader(partition) {
                self.give(partition.clone(), member);
            }
        }

        all.retain(|partition| self.reader_count(&partition.topic) > 1);
        unassigned.retain(|partition| self.reader_count(&partition.topic) > 1);
        let fixed: Vec<String> = self
            .assignment
            .keys()
            .filter(|member| !self.can_change(member))
            .cloned()
            .collect();
        for member in fixed {
            let load = self.load(&member);
            self.by_load.remove(&(load, member));
        }

        let before = (self.assignment.clone(), self.owner.clone());
        if !must_revoke {
            self.improve(&unassigned, earlier);
        }
        let changed = self.improve(&all, earlier);
        if !fresh && changed && self.score(&self.assignment) >= self.score(&before.0) {
            (self.assignment, self.owner) = before;
        }
    }

    /// Moves partitions until no move makes the assignment more even.
    fn improve(
        &mut self,
        partitions: &[TopicPartition],
        earlier: &BTreeMap<TopicPartition, String>,
    ) -> bool {
        let mut changed = false;
        loop {
            let mut modified = false;
            let mut balanced = self.is_balanced();
            for partition in partitions {
                if balanced {
                    break;
                }
                let Some(to) = self.better_owner(partition, earlier) else {
                    continue;
                };
                self.hand_over(partition, &to);
                modified = true;
                balanced = self.is_balanced();
            }
            changed |= modified;
            if !modified {
                return changed;
            }
        }
    }

    /// Who should have a partition instead: an earlier owner if that helps, else the reader with the fewest.
    fn better_owner(
        &self,
        partition: &TopicPartition,
        earlier: &BTreeMap<TopicPartition, String>,
    ) -> Option<String> {
        let load = self.load(self.owner.get(partition)?);
        let helps = |other: &str| load > self.load(other) + 1;
        let reads = |member: &&String| {
            self.readers
                .get(&partition.topic)
                .is_some_and(|readers| readers.contains(member.as_str()))
        };
        if let Some(member) = earlier.get(partition).filter(reads).filter(|m| helps(m)) {
            return Some(member.clone());
        }
        self.least_loaded_reader(partition)
            .filter(|member| helps(member))
    }

    /// Nobody could take a partition from somebody who has at least two more.
    fn is_balanced(&self) -> bool {
        let (Some((fewest, _)), Some((most, _))) = (self.by_load.first(), self.by_load.last())
        else {
            return true;
        };
        if fewest + 1 >= *most {
            return true;
        }
        self.by_load.iter().all(|(load, member)| {
            let topics = self.members.get(member.as_str()).map(|m| &m.topics);
            let mut wanted = topics.into_iter().flatten().filter_map(|topic| {
                let count = self.topics.get(topic)?;
                Some((0..*count).map(|n| TopicPartition::new(topic.clone(), PartitionId(n))))
            });
            *load == self.most_for(member)
                || wanted.all(|mut partitions| {
                    partitions.all(|partition| {
                        let owner = self.owner.get(&partition);
                        owner.is_none_or(|owner| owner == member || *load >= self.load(owner))
                    })
                })
        })
    }

    fn can_change(&self, member: &str) -> bool {
        let owned = self.assignment.get(member);
        self.load(member) < self.most_for(member)
            || owned
                .into_iter()
                .flatten()
                .any(|partition| self.reader_count(&partition.topic) > 1)
    }

    /// The sum of the differences between all pairs.
    fn score(&self, assignment: &Assignment) -> usize {
        let loads: Vec<usize> = self
            .by_load
            .iter()
            .filter_map(|(_, member)| assignment.get(member).map(Vec::len))
            .collect();
        let pairs = loads.iter().enumerate().flat_map(|(at, a)| {
            let rest = loads.get(at + 1..).unwrap_or_default();
            rest.iter().map(move |b| a.abs_diff(*b))
        });
        pairs.sum()
    }

    fn hand_over(&mut self, partition: &TopicPartition, to: &str) {
        let Some(from) = self.owner.get(partition).cloned() else {
            return;
        };
        let partition = self.moves.instead_of(partition, &from, to);
        let Some(from) = self.owner.get(&partition).cloned() else {
            return;
        };
        self.moves.add(&partition, &from, to);
        let load = self.load(&from);
        if let Some(list) = self.assignment.get_mut(&from) {
            list.retain(|other| *other != partition);
        }
        if self.by_load.remove(&(load, from.clone())) {
            self.by_load.insert((self.load(&from), from));
        }
        self.give(partition, to.to_owned());
    }

    fn give(&mut self, partition: TopicPartition, to: String) {
        let load = self.load(&to);
        let list = self.assignment.entry(to.clone()).or_default();
        list.push(partition.clone());
        if self.by_load.remove(&(load, to.clone())) {
            self.by_load.insert((load + 1, to.clone()));
        }
        self.owner.insert(partition, to);
    }

    fn least_loaded_reader(&self, partition: &TopicPartition) -> Option<String> {
        let readers = self.readers.get(&partition.topic)?;
        let mut by_load = self.by_load.iter();
        let found = by_load.find(|(_, member)| readers.contains(member.as_str()));
        found.map(|(_, member)| member.clone())
    }

    fn reader_count(&self, topic: &TopicName) -> usize {
        self.readers.get(topic).map_or(0, BTreeSet::len)
    }

    fn load(&self, member: &str) -> usize {
        self.assignment.get(member).map_or(0, Vec::len)
    }

    fn most_for(&self, member: &str) -> usize {
        let topics = self.members.get(member).map(|member| &member.topics);
        let counts = topics
            .into_iter()
            .flatten()
            .filter_map(|topic| self.topics.get(topic));
        counts
            .map(|count| usize::try_from(*count).unwrap_or(0))
            .sum()
    }
}

impl Moves {
    /// Returns what to move so that partitions of a topic do not move both ways between two members.
    fn instead_of(&self, partition: &TopicPartition, from: &str, to: &str) -> TopicPartition {
        let first = self.of.get(partition).map_or(from, |(first, _)| first);
        let back = (partition.topic.clone(), to.to_owned(), first.to_owned());
        let moved_back = self.between.get(&back).and_then(BTreeSet::first);
        moved_back.unwrap_or(partition).clone()
    }

    fn add(&mut self, partition: &TopicPartition, from: &str, to: &str) {
        let topic = &partition.topic;
        let first = match self.of.remove(partition) {
            Some((first, last)) => {
                let key = (topic.clone(), first.clone(), last);
                if let Some(moved) = self.between.get_mut(&key) {
                    moved.remove(partition);
                }
                first
            }
            None => from.to_owned(),
        };
        if first == to {
            return;
        }
        let key = (topic.clone(), first.clone(), to.to_owned());
        self.between
            .entry(key)
            .or_default()
            .insert(partition.clone());
        self.of.insert(partition.clone(), (first, to.to_owned()));
    }
}
