//! What every assignor promises, on random groups that change.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::{TopicName, TopicPartition};
use proptest::prelude::*;

use super::{AssignError, Assignment, Assignor, Member, Partitions, assign};

fn topic(number: usize) -> TopicName {
    TopicName::try_new(format!("t{number}")).unwrap()
}

fn topics(counts: &[i32]) -> BTreeMap<TopicName, Partitions> {
    let partitions = |count: &i32| Partitions {
        count: *count,
        racks: Vec::new(),
    };
    counts
        .iter()
        .enumerate()
        .map(|(number, count)| (topic(number), partitions(count)))
        .collect()
}

fn member(number: usize, reads: u8) -> Member {
    Member {
        id: format!("m{number}"),
        topics: (0..4)
            .filter(|bit| reads & (1 << bit) != 0)
            .map(topic)
            .collect(),
        ..Member::default()
    }
}

/// Everything that somebody reads.
fn wanted(
    members: &[Member],
    topics: &BTreeMap<TopicName, Partitions>,
) -> BTreeSet<TopicPartition> {
    topics
        .iter()
        .filter(|(name, _)| members.iter().any(|m| m.topics.contains(*name)))
        .flat_map(|(name, partitions)| super::all_of(name, partitions))
        .collect()
}

/// Nobody has what it does not read, nothing is given twice; returns all that is given.
fn check_disjoint(members: &[Member], assignment: &Assignment) -> BTreeSet<TopicPartition> {
    let mut given = BTreeSet::new();
    assert_eq!(assignment.len(), members.len(), "every member is answered");
    for member in members {
        for partition in &assignment[&member.id] {
            assert!(
                member.topics.contains(&partition.topic),
                "{} does not read {partition}",
                member.id
            );
            assert!(
                given.insert(partition.clone()),
                "{partition} is given twice"
            );
        }
    }
    given
}

fn loads(assignment: &Assignment) -> (usize, usize) {
    let lens = || assignment.values().map(Vec::len);
    (lens().min().unwrap_or(0), lens().max().unwrap_or(0))
}

/// Nobody could take a partition from somebody who has at least two more.
fn check_even(members: &[Member], assignment: &Assignment) {
    for member in members {
        let mine = assignment[&member.id].len();
        for (other, theirs) in assignment {
            let takes = theirs.iter().any(|tp| member.topics.contains(&tp.topic));
            assert!(
                !takes || theirs.len() <= mine + 1,
                "{} has {mine}, {other} has {}",
                member.id,
                theirs.len()
            );
        }
    }
}

fn own(members: &mut [Member], assignment: &Assignment, generation: i32) {
    for member in members {
        if let Some(list) = assignment.get(&member.id) {
            member.owned.clone_from(list);
            member.generation = Some(generation);
        }
    }
}

fn group() -> impl Strategy<Value = (Vec<u8>, Vec<i32>)> {
    (
        prop::collection::vec(1u8..16, 1..7),
        prop::collection::vec(0i32..12, 4),
    )
}

proptest! {
    #[test]
    fn everything_is_given_once((reads, counts) in group()) {
        let members: Vec<Member> = reads.iter().enumerate().map(|(n, r)| member(n, *r)).collect();
        let topics = topics(&counts);
        for assignor in Assignor::ALL {
            let assignment = assign(assignor, &members, &topics).unwrap();
            let given = check_disjoint(&members, &assignment);
            prop_assert_eq!(given, wanted(&members, &topics), "{}", assignor);
        }
    }

    #[test]
    fn sticky_is_even_and_what_is_even_stays((reads, counts) in group()) {
        let mut members: Vec<Member> = reads.iter().enumerate().map(|(n, r)| member(n, *r)).collect();
        let topics = topics(&counts);
        let first = assign(Assignor::Sticky, &members, &topics).unwrap();
        check_even(&members, &first);
        own(&mut members, &first, 1);
        let second = assign(Assignor::Sticky, &members, &topics).unwrap();
        for (member, list) in &first {
            let (now, before): (BTreeSet<_>, BTreeSet<_>) = (second[member].iter().collect(), list.iter().collect());
            prop_assert_eq!(now, before, "{}", member);
        }
    }

    #[test]
    fn with_equal_readers_only_the_surplus_moves(n in 2usize..7, counts in prop::collection::vec(0i32..12, 4)) {
        let topics = topics(&counts);
        let all: i32 = counts.iter().sum();
        let all = usize::try_from(all).unwrap();
        let mut members: Vec<Member> = (0..n).map(|n| member(n, 15)).collect();
        let before = assign(Assignor::Sticky, &members, &topics).unwrap();
        let (least, most) = loads(&before);
        prop_assert!(most - least <= 1);

        own(&mut members, &before, 1);
        members.push(member(n, 15));
        let after = assign(Assignor::Sticky, &members, &topics).unwrap();
        let moved = members.iter().flat_map(|m| m.owned.iter().map(move |tp| (m, tp)))
            .filter(|(m, tp)| !after[&m.id].contains(tp)).count();
        let share = after[&format!("m{n}")].len();
        prop_assert_eq!(moved, share, "what moves is what the new member gets");
        prop_assert!(share <= all / (n + 1) + 1);
        let gained = members.iter().take(n).any(|m| after[&m.id].iter().any(|tp| !m.owned.contains(tp)));
        prop_assert!(!gained, "an old member got something new");
    }

    #[test]
    fn cooperative_rounds_never_take_before_it_was_given_up((reads, counts) in group(), later in prop::collection::vec(1u8..16, 1..7)) {
        let topics = topics(&counts);
        let mut members: Vec<Member> = reads.iter().enumerate().map(|(n, r)| member(n, *r)).collect();
        let first = assign(Assignor::CooperativeSticky, &members, &topics).unwrap();
        own(&mut members, &first, 1);
        // Members change what they read, some leave, some are new.
        let mut next: Vec<Member> = later.iter().enumerate().map(|(n, r)| member(n + 2, *r)).collect();
        for changed in &mut next {
            if let Some(old) = members.iter().find(|old| old.id == changed.id) {
                changed.owned.clone_from(&old.owned);
                changed.generation = old.generation;
            }
        }
        for round in 2..20 {
            let owner: BTreeMap<TopicPartition, String> = next.iter()
                .flat_map(|m| m.owned.iter().map(|tp| (tp.clone(), m.id.clone()))).collect();
            let now = assign(Assignor::CooperativeSticky, &next, &topics).unwrap();
            let given = check_disjoint(&next, &now);
            for (member, list) in &now {
                for partition in list {
                    prop_assert!(owner.get(partition).is_none_or(|owner| owner == member),
                        "{partition} was taken by {member} in one step");
                }
            }
            if given == wanted(&next, &topics) {
                return Ok(());
            }
            own(&mut next, &now, round);
        }
        prop_assert!(false, "does not settle");
    }
}

#[test]
fn an_owned_partition_that_cannot_be_is_an_error_that_names_it() {
    let mut one = member(0, 1);
    one.owned = super::all_of(
        &topic(0),
        &Partitions {
            count: 3,
            racks: Vec::new(),
        },
    )
    .collect();
    one.generation = Some(1);
    let fewer = topics(&[2]);
    for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
        let refused = assign(assignor, std::slice::from_ref(&one), &fewer).unwrap_err();
        let AssignError::NoSuchPartition { member, count, .. } = &refused;
        assert_eq!((member.as_str(), *count), ("m0", 2));
        assert!(refused.to_string().contains("t0-2"), "{refused}");
    }
    assert!(assign(Assignor::Range, &[one], &fewer).is_ok());
}

#[test]
fn ten_thousand_partitions_are_divided_in_time() {
    let topics = topics(&[10_000, 3, 1, 0]);
    for assignor in Assignor::ALL {
        for reads in [[1, 1, 1], [1, 3, 7]] {
            let members: Vec<Member> = reads
                .iter()
                .enumerate()
                .map(|(n, r)| member(n, *r))
                .collect();
            let started = std::time::Instant::now();
            let assignment = assign(assignor, &members, &topics).unwrap();
            check_disjoint(&members, &assignment);
            let took = started.elapsed();
            assert!(took.as_secs() < 20, "{assignor} took {took:?}");
        }
    }
}

#[test]
fn names_are_kafkas() {
    for assignor in Assignor::ALL {
        assert_eq!(assignor.as_str().parse(), Ok(assignor));
    }
    assert!("Range".parse::<Assignor>().is_err());
}
