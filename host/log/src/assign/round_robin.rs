//! Round robin: all partitions in order, each to the next member that reads its topic (the rule of Kafka's `RoundRobinAssignor`).

use std::collections::BTreeMap;

use linkspan_types::TopicName;

use super::{Assignment, Member, Partitions, all_of, in_order, nothing_yet};

pub(super) fn assign(members: &[Member], topics: &BTreeMap<TopicName, Partitions>) -> Assignment {
    let ordered = in_order(members);
    let mut assignment = nothing_yet(members);
    let mut turn = 0;
    for (topic, partitions) in topics {
        for partition in all_of(topic, partitions) {
            let reader = (turn..turn + ordered.len()).find_map(|at| {
                let member = ordered.get(at % ordered.len())?;
                member.topics.contains(topic).then_some((at, member))
            });
            let Some((at, member)) = reader else {
                break;
            };
            turn = (at + 1) % ordered.len();
            assignment
                .entry(member.id.clone())
                .or_default()
                .push(partition);
        }
    }
    assignment
}
