//! Groups across restarts, on a stopped directory, and while they are changed.

use std::sync::Arc;

use linkspan_types::{GroupId, Offset, PartitionId, SystemClock, TopicPartition};

use super::support::{commit, dir, open_mem, producer, tiny, topic};
use crate::{Error, GroupState, LogBackend, MemFs, OffsetQuery, open_read_only};

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
