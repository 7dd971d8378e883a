//! Range: each topic in consecutive pieces, the first members get one more; near replicas first where racks are known (KIP-881).

use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::{PartitionId, TopicName, TopicPartition};

use super::{Assignment, Member, Partitions, in_order, nothing_yet};

/// One topic while it is divided.
struct Topic<'a> {
    name: &'a TopicName,
    partitions: &'a Partitions,
    readers: Vec<&'a Member>,
    /// By number.
    unassigned: BTreeSet<i32>,
    /// By member.
    given: BTreeMap<&'a str, usize>,
    each: usize,
    /// How many members may still get one more.
    extra: usize,
    by_rack: bool,
}

pub(super) fn assign(members: &[Member], topics: &BTreeMap<TopicName, Partitions>) -> Assignment {
    let ordered = in_order(members);
    let mut states: Vec<Topic<'_>> = topics
        .iter()
        .filter_map(|(name, partitions)| Topic::new(name, partitions, &ordered))
        .collect();
    let mut assignment = nothing_yet(members);
    if states.iter().any(|topic| topic.by_rack) {
        by_rack(&mut states, &mut assignment);
    }
    for topic in &mut states {
        topic.give_ranges(&mut assignment, |_, _, _| true);
    }
    for list in assignment.values_mut() {
        list.sort();
    }
    assignment
}

/// Gives near partitions first: topics of equal readers and size together, so that they stay co-partitioned.
fn by_rack(states: &mut [Topic<'_>], assignment: &mut Assignment) {
    let mut alike: BTreeMap<(Vec<&str>, i32), Vec<usize>> = BTreeMap::new();
    for (at, topic) in states.iter().enumerate() {
        let readers = topic.readers.iter().map(|m| m.id.as_str()).collect();
        let key = (readers, topic.partitions.count);
        alike.entry(key).or_default().push(at);
    }
    for ((_, count), together) in alike {
        if let [one] = together.as_slice() {
            if let Some(topic) = states.get_mut(*one).filter(|topic| topic.by_rack) {
                topic.give_ranges(assignment, Topic::is_near);
            }
            continue;
        }
        let mut chosen: Vec<&mut Topic<'_>> = states
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| together.contains(at))
            .map(|(_, topic)| topic)
            .collect();
        let readers = chosen
            .first()
            .map(|topic| topic.readers.clone())
            .unwrap_or_default();
        for number in 0..count {
            let near = readers.iter().find(|member| {
                chosen
                    .iter()
                    .all(|topic| topic.is_near(member, number) && topic.room(member) > 0)
            });
            if let Some(member) = near {
                for topic in &mut chosen {
                    topic.give(member, &[number], assignment);
                }
            }
        }
    }
}

impl<'a> Topic<'a> {
    fn new(
        name: &'a TopicName,
        partitions: &'a Partitions,
        ordered: &[&'a Member],
    ) -> Option<Self> {
        let readers: Vec<&Member> = ordered
            .iter()
            .copied()
            .filter(|member| member.topics.contains(name))
            .collect();
        let count = usize::try_from(partitions.count).ok()?;
        Some(Self {
            each: count.checked_div(readers.len())?,
            extra: count.checked_rem(readers.len())?,
            by_rack: racks_matter(partitions, &readers),
            unassigned: (0..partitions.count).collect(),
            given: readers.iter().map(|m| (m.id.as_str(), 0)).collect(),
            name,
            partitions,
            readers,
        })
    }

    fn room(&self, member: &Member) -> usize {
        let given = self.given.get(member.id.as_str()).copied().unwrap_or(0);
        (self.each + usize::from(self.extra > 0)).saturating_sub(given)
    }

    fn is_near(&self, member: &Member, number: i32) -> bool {
        let Some(rack) = &member.rack else {
            return true;
        };
        usize::try_from(number)
            .ok()
            .and_then(|at| self.partitions.racks.get(at))
            .is_some_and(|racks| racks.contains(rack))
    }

    fn give_ranges(
        &mut self,
        assignment: &mut Assignment,
        may: impl Fn(&Self, &Member, i32) -> bool,
    ) {
        for member in self.readers.clone() {
            let room = self.room(member);
            let numbers: Vec<i32> = self
                .unassigned
                .iter()
                .copied()
                .filter(|number| may(self, member, *number))
                .take(room)
                .collect();
            self.give(member, &numbers, assignment);
        }
    }

    fn give(&mut self, member: &'a Member, numbers: &[i32], assignment: &mut Assignment) {
        if numbers.is_empty() {
            return;
        }
        let given = self.given.entry(&member.id).or_default();
        *given += numbers.len();
        if *given > self.each {
            self.extra = self.extra.saturating_sub(1);
        }
        let list = assignment.entry(member.id.clone()).or_default();
        for number in numbers {
            self.unassigned.remove(number);
            list.push(TopicPartition::new(self.name.clone(), PartitionId(*number)));
        }
    }
}

/// Racks change nothing when nobody has one, none match, or every partition is on every rack.
fn racks_matter(partitions: &Partitions, readers: &[&Member]) -> bool {
    let count = usize::try_from(partitions.count).unwrap_or(0);
    let Some(racks) = partitions
        .racks
        .get(..count)
        .filter(|racks| !racks.is_empty())
    else {
        return false;
    };
    let all: BTreeSet<&String> = racks.iter().flatten().collect();
    let some_match = readers
        .iter()
        .any(|member| member.rack.as_ref().is_some_and(|rack| all.contains(rack)));
    some_match && racks.iter().any(|some| some.len() != all.len())
}
