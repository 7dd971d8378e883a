//! The sticky assignors (KIP-54, KIP-429): what members say that they own, and which of two algorithms divides the rest.
//!
//! When all members read the same topics the result is known from the start: everybody gets `n / members`, some one more
//! (`sticky_equal`). Else partitions are moved as long as that makes the assignment more even (`sticky_general`).

use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::{TopicName, TopicPartition};

use super::{AssignError, Assignment, Member, Partitions, sticky_equal, sticky_general};

/// The generation of a member that names none.
pub(super) const NO_GENERATION: i32 = -1;

/// What the members own, after conflicting claims were settled.
pub(super) struct Claims {
    /// By member: every member is here.
    pub(super) owned: BTreeMap<String, Vec<TopicPartition>>,
    /// Claimed by several members of one generation.
    pub(super) disputed: BTreeSet<TopicPartition>,
}

/// An assignment, and what changes hands in it.
pub(super) struct Divided {
    pub(super) assignment: Assignment,
    /// Partitions that their new owner may not have before the old one has let go.
    pub(super) moving: BTreeMap<TopicPartition, String>,
}

pub(super) fn assign(
    members: &[Member],
    topics: &BTreeMap<TopicName, Partitions>,
) -> Result<Assignment, AssignError> {
    divide(members, topics).map(|divided| divided.assignment)
}

pub(super) fn assign_cooperative(
    members: &[Member],
    topics: &BTreeMap<TopicName, Partitions>,
) -> Result<Assignment, AssignError> {
    let Divided {
        mut assignment,
        moving,
    } = divide(members, topics)?;
    for (partition, member) in moving {
        if let Some(list) = assignment.get_mut(&member) {
            list.retain(|other| *other != partition);
        }
    }
    Ok(assignment)
}

fn divide(
    members: &[Member],
    topics: &BTreeMap<TopicName, Partitions>,
) -> Result<Divided, AssignError> {
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by(|a, b| a.id.cmp(&b.id));
    let read: BTreeMap<&TopicName, i32> = topics
        .iter()
        .filter(|(name, _)| members.iter().any(|member| member.topics.contains(*name)))
        .map(|(name, partitions)| (name, partitions.count))
        .collect();
    let claims = claims(&members, &read)?;
    let equal = members
        .windows(2)
        .all(|pair| matches!(pair, [a, b] if a.topics == b.topics));
    Ok(if equal {
        sticky_equal::divide(&read, claims)
    } else {
        sticky_general::divide(&members, &read, claims.owned)
    })
}

/// Takes every claim to an existing topic; of two claims to a partition the one of the younger generation counts.
fn claims(members: &[&Member], read: &BTreeMap<&TopicName, i32>) -> Result<Claims, AssignError> {
    let mut claims = Claims {
        owned: BTreeMap::new(),
        disputed: BTreeSet::new(),
    };
    let mut owner: BTreeMap<&TopicPartition, (&str, i32)> = BTreeMap::new();
    for member in members {
        claims.owned.insert(member.id.clone(), Vec::new());
        let generation = member.generation.unwrap_or(NO_GENERATION);
        for partition in &member.owned {
            let Some(count) = read.get(&partition.topic) else {
                continue;
            };
            if !(0..*count).contains(&partition.partition.0) {
                return Err(AssignError::NoSuchPartition {
                    member: member.id.clone(),
                    partition: partition.clone(),
                    count: *count,
                });
            }
            if let Some((other, others)) = owner.get(partition).copied() {
                if others == generation {
                    claims.disputed.insert(partition.clone());
                }
                if others >= generation {
                    continue;
                }
                if let Some(list) = claims.owned.get_mut(other) {
                    list.retain(|mine| mine != partition);
                }
            }
            owner.insert(partition, (&member.id, generation));
            if let Some(list) = claims.owned.get_mut(&member.id) {
                list.push(partition.clone());
            }
        }
    }
    Ok(claims)
}
