//! Groups without a log: who may join, and when a partition is free.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use linkspan_types::{GroupId, PartitionId, TopicName, TopicPartition};

use super::{Change, Groups, Joining, Membership};
use crate::assign::Assignor;
use crate::backend::TopicSpec;
use crate::error::{Error, Result};
use crate::options::LocalOptions;
use crate::topics::{self, Catalog};

fn topic() -> TopicName {
    TopicName::try_new("t").unwrap()
}

fn tp(number: i32) -> TopicPartition {
    TopicPartition::new(topic(), PartitionId(number))
}

fn catalog(partitions: i32) -> Catalog {
    let mut catalog = Catalog::default();
    if partitions > 0 {
        let made = topics::new_topic(&topic(), &TopicSpec::with_partitions(partitions)).unwrap();
        catalog
            .apply(&topics::put(&made), &LocalOptions::new("/data"))
            .unwrap();
    }
    catalog
}

fn try_join(
    groups: &Groups,
    name: &str,
    assignor: Assignor,
    catalog: &Catalog,
) -> Result<Option<Membership>> {
    groups.join(
        &Joining {
            group: &GroupId::from("g"),
            name,
            topics: &[topic()],
            pattern: None,
            assignor,
        },
        catalog,
    )
}

fn join(groups: &Groups, name: &str, assignor: Assignor, catalog: &Catalog) -> Membership {
    try_join(groups, name, assignor, catalog).unwrap().unwrap()
}

#[test]
fn nobody_joins_a_group_that_is_being_changed() {
    let (groups, group, catalog) = (Groups::default(), GroupId::from("g"), catalog(0));
    let hold = groups.hold(&group).unwrap();
    let refused = try_join(&groups, "m", Assignor::Range, &catalog).unwrap();
    assert!(refused.is_none());
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
    let _member = join(&groups, "m", Assignor::Range, &catalog);
    assert!(groups.hold(&group).is_err(), "it has a member now");
}

#[test]
fn a_partition_is_handed_over_when_its_own_commits_are_answered() {
    let (groups, catalog) = (Groups::default(), catalog(2));
    let old = join(&groups, "a", Assignor::Range, &catalog);
    assert_eq!(old.change(), Change::Claimed(vec![tp(0), tp(1)]));
    // The old owner always has a commit of the partition that it keeps on its way.
    let kept = old.begin_commit([tp(0)].iter()).unwrap();
    let moving = old.begin_commit([tp(1)].iter()).unwrap();
    let new = join(&groups, "b", Assignor::Range, &catalog);
    assert_eq!(old.change(), Change::Revoke(vec![tp(1)]));
    assert_eq!(new.change(), Change::Nothing);
    old.release(&[tp(1)]);
    assert_eq!(new.change(), Change::Nothing, "its commit is on its way");
    assert!(matches!(
        old.begin_commit([tp(1)].iter()),
        Err(Error::NotAssigned { .. })
    ));
    drop(moving);
    assert_eq!(new.change(), Change::Claimed(vec![tp(1)]));
    let again = old.begin_commit([tp(0)].iter()).unwrap();
    drop((kept, again));
    assert_eq!(old.change(), Change::Nothing);
}

#[test]
fn commits_of_a_member_that_left_hold_back_only_their_partition() {
    let (groups, catalog) = (Groups::default(), catalog(2));
    let old = join(&groups, "a", Assignor::Range, &catalog);
    old.change();
    let on_its_way = old.begin_commit([tp(0)].iter()).unwrap();
    old.leave(&catalog);
    let new = join(&groups, "a", Assignor::Range, &catalog);
    assert_eq!(new.change(), Change::Claimed(vec![tp(1)]));
    assert_eq!(old.change(), Change::Nothing, "its name is another's now");
    drop(on_its_way);
    assert_eq!(new.change(), Change::Claimed(vec![tp(0)]));
}

#[test]
fn a_group_divides_by_the_assignor_of_its_members() {
    let (groups, catalog) = (Groups::default(), catalog(4));
    let a = join(&groups, "a", Assignor::RoundRobin, &catalog);
    let refused = try_join(&groups, "b", Assignor::Sticky, &catalog);
    assert!(
        matches!(
            refused,
            Err(Error::OtherAssignor {
                wanted: Assignor::Sticky,
                current: Assignor::RoundRobin,
                ..
            })
        ),
        "{refused:?}"
    );
    let b = join(&groups, "b", Assignor::RoundRobin, &catalog);
    assert_eq!(a.change(), Change::Claimed(vec![tp(0), tp(2)]));
    assert_eq!(b.change(), Change::Claimed(vec![tp(1), tp(3)]));
}

#[test]
fn sticky_members_keep_what_they_have() {
    for assignor in [Assignor::Sticky, Assignor::CooperativeSticky] {
        let (groups, catalog) = (Groups::default(), catalog(6));
        let b = join(&groups, "b", assignor, &catalog);
        let all: Vec<TopicPartition> = (0..6).map(tp).collect();
        assert_eq!(b.change(), Change::Claimed(all));
        let a = join(&groups, "a", assignor, &catalog);
        assert_eq!(b.change(), Change::Revoke(vec![tp(3), tp(4), tp(5)]));
        b.release(&[tp(3), tp(4), tp(5)]);
        assert_eq!(a.change(), Change::Claimed(vec![tp(3), tp(4), tp(5)]));
        // Range would give 0..3 to `a`; here nothing moves.
        groups.topics_changed(&catalog);
        assert_eq!((a.change(), b.change()), (Change::Nothing, Change::Nothing));
        a.leave(&catalog);
        assert_eq!(b.change(), Change::Claimed(vec![tp(3), tp(4), tp(5)]));
    }
}
