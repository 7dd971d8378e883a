//! Leader epochs: an unclean start begins a new one, and positions of the one before are known by where it ended.

use super::support::{commit, open_mem, producer, tiny, topic};
use crate::conformance::block_on;
use crate::{LogBackend, MemFs, Opened};

#[test]
fn an_unclean_open_starts_a_leader_epoch_and_a_clean_one_does_not() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!((log.opened(), log.leader_epoch().0), (&Opened::New, 0));
    let made = topic(&*log, "t", 1);
    producer(&*log)
        .submit(commit(&made, 0, &["a"]))
        .unwrap()
        .wait()
        .unwrap();
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    assert!(matches!(
        log.opened(),
        Opened::Resumed { unclean: false, .. }
    ));
    assert_eq!(log.leader_epoch().0, 0);
    producer(&*log)
        .submit(commit(&made, 0, &["b"]))
        .unwrap()
        .wait()
        .unwrap();
    let fs = fs.crash(1);
    drop(log);
    let log = open_mem(&fs, tiny()).unwrap();
    assert!(
        matches!(
            log.opened(),
            Opened::Resumed {
                unclean: true,
                replayed: 1..,
                torn: None
            }
        ),
        "{:?}",
        log.opened()
    );
    assert_eq!(log.leader_epoch().0, 1);
    producer(&*log)
        .submit(commit(&made, 0, &["c"]))
        .unwrap()
        .wait()
        .unwrap();
    let check =
        |epoch: i32, next: i64| log.check_position(&made.id, 0.into(), epoch.into(), next.into());
    check(0, 2).unwrap();
    check(1, 3).unwrap();
    assert!(matches!(
        check(0, 3),
        Err(crate::Error::UnknownPosition { .. })
    ));
    // Still so when the table comes from a snapshot.
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    let check =
        |epoch: i32, next: i64| log.check_position(&made.id, 0.into(), epoch.into(), next.into());
    check(1, 3).unwrap();
    assert!(matches!(
        check(0, 3),
        Err(crate::Error::UnknownPosition { .. })
    ));
    let ticket = producer(&*log).submit(commit(&made, 0, &["d"])).unwrap();
    assert_eq!(
        block_on(ticket, std::time::Duration::from_secs(5))
            .unwrap()
            .unwrap()
            .base_offsets[0]
            .0,
        3
    );
}
