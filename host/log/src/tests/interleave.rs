//! What happens in the middle of something else: deletions under a checkpoint, under a read, under a look at figures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use linkspan_types::{GroupId, OwnerId, PartitionId, TopicName};

use super::compaction::quiet;
use super::gate::Gate;
use super::support::{append, commit, open_mem, open_on};
use crate::conformance::{block_on, read_all};
use crate::partition::snug;
use crate::{
    Assignor, Commit, ConsumerOptions, Error, Event, Local, LocalOptions, LogBackend, MemFs, Start,
    Topic, TopicSpec, checkpoint,
};

const PATIENCE: Duration = Duration::from_secs(30);

fn name(text: &str) -> TopicName {
    TopicName::try_new(text).unwrap()
}

/// Test records are of 1970: retention would take them.
fn topic(log: &dyn LogBackend, text: &str, partitions: i32) -> Topic {
    let spec = TopicSpec {
        partitions,
        settings: BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]),
    };
    log.create_topic(&name(text), &spec).unwrap()
}

fn rows(log: &dyn LogBackend, topic: &Topic) -> Vec<String> {
    let rows = read_all(log, &topic.id, 0).unwrap();
    rows.into_iter().map(|(_, text)| text).collect()
}

fn send(log: &dyn LogBackend, topic: &Topic, texts: &[&str]) {
    let producer = log.open_producer(&OwnerId::from("test")).unwrap();
    let ticket = producer.submit(commit(topic, 0, texts)).unwrap();
    ticket.wait().unwrap();
}

/// Takes a checkpoint, holds it while it writes the first segment of `a`, does `meanwhile`, lets it go on, and returns
/// what a kill right behind it leaves.
fn checkpoint_with(
    fs: &Gate,
    log: &Arc<Local>,
    a: &Topic,
    meanwhile: impl FnOnce(&Local),
) -> MemFs {
    send(&**log, a, &["a"]);
    fs.close(&a.id.to_string(), 0);
    let taken = std::thread::scope(|scope| {
        let taking = scope.spawn(|| log.checkpoint());
        fs.wait_for_somebody();
        meanwhile(log);
        // A deletion asks for a checkpoint of its own: it must not cover what this one left open.
        fs.close("meta-", 1);
        taking.join().unwrap()
    });
    taken.unwrap();
    let left = fs.mem.copy();
    fs.open_door();
    left
}

fn check_gone(left: &MemFs, a: &Topic) {
    let log = open_mem(left, quiet()).unwrap();
    assert_eq!(log.topic(&name("b")).unwrap(), None);
    assert_eq!(rows(&*log, a), ["a"]);
    log.close().unwrap();
}

#[test]
fn a_topic_deleted_while_a_checkpoint_writes_hinders_no_start() {
    let fs = Gate::default();
    let log = open_on(Arc::new(fs.clone()), quiet());
    let (a, b) = (topic(&*log, "a", 1), topic(&*log, "b", 1));
    send(&*log, &b, &["before the checkpoint"]);
    let left = checkpoint_with(&fs, &log, &a, |log| {
        send(log, &b, &["behind it"]);
        log.delete_topic(&name("b")).unwrap();
    });
    check_gone(&left, &a);
}

#[test]
fn a_topic_deleted_while_a_new_base_is_written_hinders_no_start() {
    let fs = Gate::default();
    let log = open_on(Arc::new(fs.clone()), quiet());
    let (a, b) = (topic(&*log, "a", 1), topic(&*log, "b", 1));
    send(&*log, &b, &["in a segment"]);
    // Deltas up to their bound: the next checkpoint writes everything anew.
    for n in 0..17 {
        log.declare_reader(&"g".into(), &[name(&format!("t{n}"))])
            .unwrap();
        log.checkpoint().unwrap();
    }
    let left = checkpoint_with(&fs, &log, &a, |log| {
        send(log, &b, &["behind it"]);
        log.delete_topic(&name("b")).unwrap();
    });
    check_gone(&left, &a);
}

#[test]
fn a_topic_altered_filled_and_deleted_while_a_checkpoint_writes_hinders_no_start() {
    let fs = Gate::default();
    let log = open_on(Arc::new(fs.clone()), quiet());
    let (a, b) = (topic(&*log, "a", 1), topic(&*log, "b", 1));
    send(&*log, &b, &["in a segment"]);
    log.checkpoint().unwrap();
    let left = checkpoint_with(&fs, &log, &a, |log| {
        let changes = BTreeMap::from([("segment.ms".to_owned(), Some("1000".to_owned()))]);
        log.alter_topic(&b.name, &changes).unwrap();
        send(log, &b, &["behind it"]);
        log.delete_topic(&b.name).unwrap();
    });
    check_gone(&left, &a);
}

#[test]
fn a_name_that_is_used_again_while_a_checkpoint_writes_means_the_new_topic() {
    let fs = Gate::default();
    let log = open_on(Arc::new(fs.clone()), quiet());
    let (a, b) = (topic(&*log, "a", 1), topic(&*log, "b", 1));
    send(&*log, &b, &["old"]);
    log.checkpoint().unwrap();
    let left = checkpoint_with(&fs, &log, &a, |log| {
        send(log, &b, &["old too"]);
        log.delete_topic(&b.name).unwrap();
        let new = topic(log, "b", 1);
        send(log, &new, &["new"]);
    });
    let log = open_mem(&left, quiet()).unwrap();
    let new = log.topic(&b.name).unwrap().unwrap();
    assert_ne!(new.id, b.id);
    assert_eq!(rows(&*log, &new), ["new"]);
    let stat = log.stat().unwrap();
    let of = |p: &crate::PartitionStat| p.bytes + p.unflushed_bytes;
    let held: u64 = stat.topics.iter().flat_map(|t| &t.partitions).map(of).sum();
    assert_eq!(stat.log_bytes, held);
    log.close().unwrap();
}

#[test]
fn looking_at_figures_never_stops_the_log() {
    let log = open_mem(&MemFs::new(), quiet()).unwrap();
    topic(&*log, "t", 200);
    let (done, both) = mpsc::channel();
    let (looking, writing) = (Arc::clone(&log), Arc::clone(&log));
    let looked = done.clone();
    std::thread::spawn(move || {
        for _ in 0..300 {
            looking.stat().unwrap();
        }
        looked.send(()).unwrap();
    });
    std::thread::spawn(move || {
        for n in 0..300 {
            let topics = [name(&format!("t{n}"))];
            writing.declare_reader(&"g".into(), &topics).unwrap();
        }
        done.send(()).unwrap();
    });
    for _ in 0..2 {
        both.recv_timeout(PATIENCE)
            .expect("somebody waits for ever");
    }
}

fn consumer(log: &dyn LogBackend) -> Box<dyn crate::Consumer> {
    let options = ConsumerOptions {
        group: "g".into(),
        member: "m".into(),
        topics: vec![name("t")],
        assignor: Assignor::default(),
        start: Start::Earliest,
        max_bytes: 1 << 20,
        fence: None,
        pattern: None,
    };
    log.open_consumer(options).unwrap()
}

#[test]
fn records_deleted_while_they_are_read_are_told_and_their_file_is_let_go_of() {
    let fs = Gate::default();
    let log = open_on(Arc::new(fs.clone()), quiet());
    let made = topic(&*log, "t", 1);
    for _ in 0..3 {
        send(&*log, &made, &["x"]);
    }
    log.close().unwrap();
    drop(log);

    let log = open_on(Arc::new(fs.clone()), quiet());
    let partition = log.partition_for_test(&made.id, 0);
    let mut consumer = consumer(&*log);
    let next = block_on(consumer.next(), PATIENCE).unwrap().unwrap();
    assert!(matches!(next, Event::Assigned(_)), "{next:?}");
    fs.close(".log", 0);
    // No checkpoint removes the file yet.
    let chain = log.core_for_test().checkpoints.chain.lock();
    let next = std::thread::scope(|scope| {
        let reading = scope.spawn(|| block_on(consumer.next(), PATIENCE));
        fs.wait_for_somebody();
        log.delete_records(&made.id, PartitionId(0), None).unwrap();
        fs.open_door();
        reading.join().unwrap()
    });
    let next = next.expect("an event").unwrap();
    let Event::OffsetLost { log_start, .. } = next else {
        panic!("{next:?}");
    };
    assert_eq!(log_start.0, 3);
    let kept = log.core_for_test().files.cached(&partition, 0, 0);
    assert!(
        kept.is_none(),
        "an open file keeps the space of a deleted segment"
    );
    drop(chain);
    log.close().unwrap();
}

#[test]
fn an_index_of_a_segment_that_grew_meanwhile_is_good_enough() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet()).unwrap();
    let made = topic(&*log, "t", 1);
    send(&*log, &made, &["1", "2"]);
    log.close().unwrap();
    drop(log);

    let log = open_mem(&fs, quiet()).unwrap();
    let partition = log.partition_for_test(&made.id, 0);
    let place = |from| match partition.locate(from, 1).unwrap() {
        crate::partition::Located::Disk(place) => place,
        other => panic!("{other:?}"),
    };
    let before = place(0);
    assert!(!before.indexed());
    // What a busy producer does while somebody walks over the segment.
    send(&*log, &made, &["3"]);
    log.checkpoint().unwrap();
    partition.index(log.core_for_test(), &before).unwrap();
    assert!(place(0).indexed(), "the reader would walk again, and again");
    assert_eq!(rows(&*log, &made), ["1", "2", "3"]);
    log.close().unwrap();
}

#[test]
fn a_log_that_was_closed_takes_no_checkpoint() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet()).unwrap();
    let made = topic(&*log, "t", 1);
    send(&*log, &made, &["x"]);
    let partition = log.partition_for_test(&made.id, 0);
    log.close().unwrap();
    let calls = fs.calls();
    // Somebody who compacts or backs up while the host goes down comes here after the directory was let go of.
    log.core_for_test().flush.touch_again(&[partition]);
    let late = checkpoint::checkpoint(log.core_for_test(), false);
    assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    assert_eq!(
        fs.calls(),
        calls,
        "it wrote into a directory that is not its own"
    );
}

#[test]
fn a_deleted_group_is_no_declared_reader_any_more() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet()).unwrap();
    let group = GroupId::from("sink");
    topic(&*log, "t", 1);
    log.declare_reader(&group, &[name("t")]).unwrap();
    let mut consumer = log
        .open_consumer(ConsumerOptions {
            group: group.clone(),
            member: "m".into(),
            topics: vec![name("t")],
            assignor: Assignor::default(),
            start: Start::Earliest,
            max_bytes: 1,
            fence: None,
            pattern: None,
        })
        .unwrap();
    drop(block_on(consumer.next(), PATIENCE));
    let active = log.delete_group(&group);
    assert!(
        matches!(active, Err(Error::GroupActive { .. })),
        "{active:?}"
    );
    assert_eq!(log.readers().unwrap().len(), 1);
    drop(consumer);
    // It never committed: there is nothing of it but the declaration, which would keep the topic for ever.
    log.delete_group(&group).unwrap();
    assert_eq!(log.readers().unwrap(), []);
    let again = log.delete_group(&group);
    assert!(
        matches!(again, Err(Error::UnknownGroup { .. })),
        "{again:?}"
    );
    let left = fs.copy();
    let log = open_mem(&left, quiet()).unwrap();
    assert_eq!(log.readers().unwrap(), []);
}

#[test]
fn batches_that_their_partition_lets_go_of_leave_nothing_in_the_cache() {
    let options = LocalOptions {
        tail_cache_bytes: 64 << 20,
        ..quiet()
    };
    let log = open_mem(&MemFs::new(), options).unwrap();
    let producer = log.open_producer(&OwnerId::from("test")).unwrap();
    for _ in 0..6 {
        let made = topic(&*log, "t", 1);
        for _ in 0..10 {
            let appends = (0..100).map(|_| append(&made, 0, &["x"])).collect();
            let puts = Vec::new();
            let ticket = producer.submit(Commit { appends, puts }).unwrap();
            ticket.wait().unwrap();
        }
        log.delete_topic(&made.name).unwrap();
    }
    let entries = log.core_for_test().cache.entries();
    assert!(entries < 3000, "{entries} entries for no batch at all");
}

#[test]
fn a_batch_takes_no_more_memory_than_the_cache_counts() {
    let mut roomy = Vec::with_capacity(1 << 20);
    roomy.extend_from_slice(&[7; 50_000]);
    let kept = snug(roomy);
    assert_eq!(kept, [7; 50_000]);
    assert!(kept.capacity() <= 75_000, "{}", kept.capacity());
}
