//! Groups across restarts, on a stopped directory, and while they are changed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use linkspan_types::{GroupId, Offset, PartitionId, SystemClock, TopicName, TopicPartition};

use super::support::{commit, dir, open_mem, producer, tiny, topic};
use crate::conformance::block_on;
use crate::{
    Assignor, ConsumerOptions, Error, Event, GroupState, LogBackend, MemFs, OffsetQuery, Start,
    open_read_only,
};

#[test]
fn positions_set_from_outside_survive_a_restart_and_are_shown_by_a_stopped_log() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    producer(&*log)
        .submit(commit(&made, 0, &["a", "b"]))
        .unwrap()
        .wait()
        .unwrap();
    let group = GroupId::from("g");
    let tp = TopicPartition::new(made.name.clone(), PartitionId(0));
    log.set_group_offsets(&group, &[(tp.clone(), Some(Offset(1)))])
        .unwrap();
    let before = log.describe_group(&group).unwrap();
    log.close().unwrap();
    drop(log);

    let stopped = open_read_only(
        Arc::new(fs.clone()),
        Arc::new(SystemClock::default()),
        dir(),
    )
    .unwrap();
    let listed = stopped.groups().unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|g| (g.group.as_str(), g.state, g.members))
            .collect::<Vec<_>>(),
        [("g", GroupState::Empty, 0)]
    );
    assert_eq!(stopped.describe_group(&group).unwrap(), before);
    let found = stopped
        .find_offset(&made.id, PartitionId(0), OffsetQuery::Latest)
        .unwrap();
    assert_eq!(found.map(|found| found.offset), Some(Offset(2)));
    let refused = stopped.set_group_offsets(&group, &[(tp, None)]);
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    let refused = stopped.delete_group(&group);
    assert!(matches!(refused, Err(Error::ReadOnly)), "{refused:?}");
    drop(stopped);

    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!(log.describe_group(&group).unwrap(), before);
    log.delete_group(&group).unwrap();
    log.close().unwrap();
    drop(log);
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!(log.groups().unwrap(), []);
}

#[test]
fn a_claim_scans_the_positions_of_its_group_once() {
    let log = open_mem(&MemFs::new(), tiny()).unwrap();
    let old = topic(&*log, "old", 50);
    topic(&*log, "t", 50);
    let group = GroupId::from("g");
    let changes: Vec<_> = (0..50)
        .map(|n| {
            (
                TopicPartition::new(old.name.clone(), PartitionId(n)),
                Some(Offset(0)),
            )
        })
        .collect();
    log.set_group_offsets(&group, &changes).unwrap();
    let core = log.core_for_test();
    let scans = || core.stores.read().unwrap().scans.load(Ordering::Relaxed);
    let before = scans();
    let mut consumer = log
        .open_consumer(ConsumerOptions {
            group,
            member: "m".into(),
            topics: vec![TopicName::try_new("t").unwrap()],
            assignor: Assignor::default(),
            start: Start::Earliest,
            max_bytes: 1,
            fence: None,
            pattern: None,
        })
        .unwrap();
    let event = block_on(consumer.next(), Duration::from_secs(20))
        .unwrap()
        .unwrap();
    assert!(
        matches!(&event, Event::Assigned(list) if list.len() == 50),
        "{event:?}"
    );
    assert_eq!(scans() - before, 1);
}
