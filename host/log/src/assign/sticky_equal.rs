//! Sticky when all members read the same topics: everybody's share is known, so each partition is looked at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use linkspan_types::{PartitionId, TopicName, TopicPartition};

use super::Assignment;
use super::sticky::{Claims, Divided};

/// The shares while they are filled.
struct Shares {
    /// What everybody gets at least.
    least: usize,
    /// What some get: the same, or one more.
    most: usize,
    /// How many members may still get one more than the least.
    more: usize,
    assignment: Assignment,
    /// Below the least, by id.
    short: Vec<String>,
    /// At the least and may get one more, by id.
    even: VecDeque<String>,
    assigned: BTreeSet<TopicPartition>,
    given_up: BTreeSet<TopicPartition>,
}

pub(super) fn divide(topics: &BTreeMap<&TopicName, i32>, claims: Claims) -> Divided {
    let all: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|(topic, count)| {
            (0..*count).map(|n| TopicPartition::new((*topic).clone(), PartitionId(n)))
        })
        .collect();
    let members = claims.owned.len().max(1);
    let (least, more) = (all.len() / members, all.len() % members);
    let mut shares = Shares {
        least,
        most: least + usize::from(more > 0),
        more,
        assignment: Assignment::new(),
        short: Vec::new(),
        even: VecDeque::new(),
        assigned: BTreeSet::new(),
        given_up: BTreeSet::new(),
    };
    for (member, mut owned) in claims.owned {
        owned.retain(|partition| !claims.disputed.contains(partition));
        owned.sort_by(|a, b| (a.partition, &a.topic).cmp(&(b.partition, &b.topic)));
        shares.keep(member, owned);
    }
    let mut moving = BTreeMap::new();
    let mut turn = 0;
    for partition in all {
        if shares.assigned.contains(&partition) {
            continue;
        }
        let Some(member) = shares.next(&mut turn) else {
            break;
        };
        if shares.given_up.contains(&partition) || claims.disputed.contains(&partition) {
            moving.insert(partition.clone(), member.clone());
        }
        shares.give(member, partition, &mut turn);
    }
    Divided {
        assignment: shares.assignment,
        moving,
    }
}

impl Shares {
    /// Leaves a member what it owns, up to its share.
    fn keep(&mut self, member: String, mut owned: Vec<TopicPartition>) {
        let given_up = if owned.len() < self.least {
            self.short.push(member.clone());
            Vec::new()
        } else if owned.len() >= self.most && self.more > 0 {
            self.more -= 1;
            if self.more == 0 {
                self.even.clear();
            }
            owned.split_off(self.most)
        } else {
            if self.more > 0 {
                self.even.push_back(member.clone());
            }
            owned.split_off(self.least)
        };
        self.given_up.extend(given_up);
        self.assigned.extend(owned.iter().cloned());
        self.assignment.insert(member, owned);
    }

    /// Whose turn it is: those below the least in turn, then those who may get one more.
    fn next(&mut self, turn: &mut usize) -> Option<String> {
        if self.short.is_empty() {
            return self.even.pop_front();
        }
        if *turn >= self.short.len() {
            *turn = 0;
        }
        self.short.get(*turn).cloned()
    }

    fn give(&mut self, member: String, partition: TopicPartition, turn: &mut usize) {
        let was_short = self.short.get(*turn) == Some(&member);
        let list = self.assignment.entry(member.clone()).or_default();
        list.push(partition);
        let reached = list.len() >= self.least;
        if !was_short {
            return;
        }
        if reached {
            self.short.remove(*turn);
            self.even.push_back(member);
        } else {
            *turn += 1;
        }
    }
}
