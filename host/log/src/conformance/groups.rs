//! Groups seen and changed from outside, and offsets found by word.

use std::sync::Arc;

use linkspan_types::{GroupId, LeaderEpoch, Offset, OwnerId, PartitionId, TopicId, TopicPartition};

use super::{Case, append, batch, make, name, next_assigned, options, position, quiet, write};
use crate::assign::Assignor;
use crate::backend::{
    Append, Commit, GroupOffset, KvPut, LogBackend, Store, Topic, group_offset_key,
};
use crate::error::{Error, Result};
use crate::find_offset::{FoundOffset, OffsetQuery};
use crate::group::view::{GroupPosition, GroupState, GroupSummary};

pub(super) const CASES: [(&str, Case); 5] = [
    ("groups are listed and described", groups_are_described),
    (
        "positions of a group without members can be set",
        positions_are_set,
    ),
    (
        "setting a position mends one of another history",
        setting_mends_another_history,
    ),
    ("a group without members can be deleted", groups_are_deleted),
    ("offsets are found by word", offsets_by_word),
];

fn tp(topic: &Topic, partition: i32) -> TopicPartition {
    TopicPartition::new(topic.name.clone(), PartitionId(partition))
}

fn summary(group: &str, state: GroupState, members: usize) -> GroupSummary {
    GroupSummary {
        group: GroupId::from(group),
        state,
        members,
    }
}

fn rows(log: &Arc<dyn LogBackend>, group: &str) -> Result<Vec<GroupPosition>> {
    let described = log.describe_group(&GroupId::from(group))?;
    Ok(described.map(|group| group.offsets).unwrap_or_default())
}

/// Partition, committed, log start, log end, lag.
type Row = (i32, Option<i64>, Option<i64>, Option<i64>, Option<u64>);

fn short(rows: &[GroupPosition]) -> Vec<Row> {
    let row = |row: &GroupPosition| {
        (
            row.partition.0,
            row.committed.map(|offset| offset.0),
            row.log_start.map(|offset| offset.0),
            row.log_end.map(|offset| offset.0),
            row.lag,
        )
    };
    rows.iter().map(row).collect()
}

fn groups_are_described(log: &Arc<dyn LogBackend>) -> Result<()> {
    assert_eq!(log.groups()?, []);
    assert_eq!(log.describe_group(&GroupId::from("g"))?, None);
    let topic = make(log, "t", 2)?;
    write(log, &topic, 0, &["a", "b", "c"])?;

    let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    assert_eq!(log.groups()?, [summary("g", GroupState::Rebalancing, 1)]);
    next_assigned(&mut consumer)?;
    let committed = GroupOffset {
        commit_ts: 77,
        ..position(&topic, 1, "here")
    };
    consumer
        .commit(&[(tp(&topic, 0), committed)], Commit::default())?
        .wait()?;
    assert_eq!(log.groups()?, [summary("g", GroupState::Stable, 1)]);

    let described = log.describe_group(&GroupId::from("g"))?;
    let Some(described) = described else {
        return Err(Error::UnknownGroup {
            group: GroupId::from("g"),
        });
    };
    assert_eq!(described.state, GroupState::Stable);
    assert_eq!(described.assignor, Some(Assignor::Range));
    let members: Vec<_> = described
        .members
        .iter()
        .map(|m| (m.member.as_str(), m.topics.clone(), m.assigned.clone()))
        .collect();
    let assigned = vec![tp(&topic, 0), tp(&topic, 1)];
    assert_eq!(members, [("m", vec![topic.name.clone()], assigned)]);
    assert_eq!(
        short(&described.offsets),
        [
            (0, Some(1), Some(0), Some(3), Some(2)),
            (1, None, Some(0), Some(0), None)
        ]
    );
    let first = described.offsets.first().cloned();
    let details = first.map(|row| (row.topic_id, row.metadata, row.leader_epoch, row.commit_ts));
    let expected = (topic.id, "here".to_owned(), Some(LeaderEpoch(0)), Some(77));
    assert_eq!(details, Some(expected));

    drop(consumer);
    assert_eq!(log.groups()?, [summary("g", GroupState::Empty, 0)]);
    let left = log.describe_group(&GroupId::from("g"))?;
    let left = left.map(|group| (group.state, group.assignor, group.members.len()));
    assert_eq!(left, Some((GroupState::Empty, None, 0)));
    assert_eq!(
        short(&rows(log, "g")?),
        [(0, Some(1), Some(0), Some(3), Some(2))]
    );
    Ok(())
}

fn positions_are_set(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 2)?;
    write(log, &topic, 0, &["a", "b", "c"])?;
    let group = GroupId::from("g");
    let set = |changes: &[(TopicPartition, Option<Offset>)]| log.set_group_offsets(&group, changes);
    let (first, second) = (tp(&topic, 0), tp(&topic, 1));

    let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    next_assigned(&mut consumer)?;
    let refused = set(&[(first.clone(), Some(Offset(1)))]);
    assert!(
        matches!(refused, Err(Error::GroupActive { members: 1, .. })),
        "{refused:?}"
    );
    drop(consumer);

    let refused = set(&[(first.clone(), None)]);
    assert!(
        matches!(refused, Err(Error::UnknownGroup { .. })),
        "{refused:?}"
    );
    for (changes, what) in [
        (vec![(first.clone(), Some(Offset(4)))], "range"),
        (vec![(first.clone(), Some(Offset(-1)))], "range"),
        (
            vec![
                (first.clone(), Some(Offset(1))),
                (second.clone(), Some(Offset(1))),
            ],
            "range",
        ),
        (vec![(tp(&topic, 2), Some(Offset(0)))], "partition"),
        (
            vec![(
                TopicPartition::new(name("nope")?, PartitionId(0)),
                Some(Offset(0)),
            )],
            "topic",
        ),
    ] {
        let refused = set(&changes);
        let found = match &refused {
            Err(Error::OffsetOutOfRange { .. }) => "range",
            Err(Error::UnknownPartition { .. }) => "partition",
            Err(Error::UnknownTopic { .. }) => "topic",
            _ => "?",
        };
        assert_eq!(found, what, "{changes:?}: {refused:?}");
        assert_eq!(
            log.groups()?,
            [],
            "a refused change left something: {changes:?}"
        );
    }

    set(&[
        (first.clone(), Some(Offset(2))),
        (second.clone(), Some(Offset(0))),
    ])?;
    assert_eq!(
        short(&rows(log, "g")?),
        [
            (0, Some(2), Some(0), Some(3), Some(1)),
            (1, Some(0), Some(0), Some(0), Some(0))
        ]
    );
    let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    let assigned: Vec<_> = next_assigned(&mut consumer)?
        .into_iter()
        .map(|a| (a.partition.partition.0, a.next.0, a.stored))
        .collect();
    assert_eq!(assigned, [(0, 2, true), (1, 0, true)]);
    drop(consumer);

    set(&[(second, None)])?;
    assert_eq!(
        short(&rows(log, "g")?),
        [(0, Some(2), Some(0), Some(3), Some(1))]
    );
    set(&[(first, None)])?;
    assert_eq!(log.describe_group(&group)?, None);
    Ok(())
}

fn setting_mends_another_history(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    write(log, &topic, 0, &["a", "b", "c"])?;
    let group = GroupId::from("g");
    let producer = log.open_producer(&OwnerId::from("o"))?;
    let other_topic = GroupOffset {
        topic_id: TopicId([9; 16]),
        ..position(&topic, 2, "old")
    };
    let other_epoch = GroupOffset {
        leader_epoch: LeaderEpoch(0),
        ..position(&topic, 99, "old")
    };
    for stored in [other_topic, other_epoch] {
        let put = KvPut {
            store: Store::GroupOffsets,
            key: group_offset_key(&group, &stored.topic_id, PartitionId(0)),
            value: Some(stored.encode(&topic.name)),
        };
        producer
            .submit(Commit {
                appends: Vec::new(),
                puts: vec![put],
            })?
            .wait()?;
        let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
        let refused = next_assigned(&mut consumer);
        assert!(
            matches!(refused, Err(Error::UnknownPosition { .. })),
            "{refused:?}"
        );
        drop(consumer);

        log.set_group_offsets(&group, &[(tp(&topic, 0), Some(Offset(3)))])?;
        let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
        let assigned = next_assigned(&mut consumer)?;
        let found = assigned.first().map(|a| (a.next.0, a.metadata.as_str()));
        assert_eq!(found, Some((3, "")));
        quiet(&mut consumer);
        assert_eq!(rows(log, "g")?.len(), 1, "the old position is gone");
    }
    Ok(())
}

fn groups_are_deleted(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    write(log, &topic, 0, &["a"])?;
    let (group, other) = (GroupId::from("g"), GroupId::from("g2"));
    for known in [&group, &other] {
        log.set_group_offsets(known, &[(tp(&topic, 0), Some(Offset(1)))])?;
    }
    let consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    let refused = log.delete_group(&group);
    assert!(
        matches!(refused, Err(Error::GroupActive { members: 1, .. })),
        "{refused:?}"
    );
    drop(consumer);
    log.delete_group(&group)?;
    assert_eq!(log.groups()?, [summary("g2", GroupState::Empty, 0)]);
    let refused = log.delete_group(&group);
    assert!(
        matches!(refused, Err(Error::UnknownGroup { .. })),
        "{refused:?}"
    );
    let mut again = log.open_consumer(options("g", "m", &["t"])?)?;
    let assigned = next_assigned(&mut again)?;
    let found = assigned.first().map(|a| (a.next.0, a.stored));
    assert_eq!(found, Some((0, false)));
    Ok(())
}

fn offsets_by_word(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 2)?;
    let epoch = log.offsets(&topic.id, PartitionId(0))?.leader_epoch;
    let producer = log.open_producer(&OwnerId::from("o"))?;
    for (time, texts) in [
        (1000, &["a", "b"][..]),
        (5000, &["c", "d"]),
        (5000, &["e"]),
        (2000, &["f"]),
    ] {
        let append = Append {
            batch: batch(time, texts),
            ..append(&topic, 0, &["x"])
        };
        producer
            .submit(Commit {
                appends: vec![append],
                puts: Vec::new(),
            })?
            .wait()?;
    }
    for (partition, query, expected) in [
        (0, OffsetQuery::Earliest, Some((0, -1))),
        (0, OffsetQuery::Latest, Some((6, -1))),
        (0, OffsetQuery::MaxTimestamp, Some((2, 5000))),
        (0, OffsetQuery::Time(1001), Some((2, 5000))),
        (0, OffsetQuery::Time(-5), Some((0, 1000))),
        (0, OffsetQuery::Time(5001), None),
        (1, OffsetQuery::Earliest, Some((0, -1))),
        (1, OffsetQuery::Latest, Some((0, -1))),
        (1, OffsetQuery::MaxTimestamp, None),
        (1, OffsetQuery::Time(0), None),
    ] {
        let found = log.find_offset(&topic.id, PartitionId(partition), query)?;
        let expected = expected.map(|(offset, timestamp_ms)| FoundOffset {
            offset: Offset(offset),
            timestamp_ms,
            leader_epoch: epoch,
        });
        assert_eq!(found, expected, "partition {partition}, {query:?}");
    }
    for (id, partition) in [(TopicId([7; 16]), 0), (topic.id, 2)] {
        let refused = log.find_offset(&id, PartitionId(partition), OffsetQuery::Latest);
        assert!(
            matches!(refused, Err(Error::UnknownPartition { .. })),
            "{refused:?}"
        );
    }
    Ok(())
}
