//! What every implementation of [`LogBackend`] must do, as programs: the contract of [`crate::backend`] in action.
//!
//! Call [`run`] with a function that opens an empty log. Behaviour across restarts and crashes is each log's own to test.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use linkspan_types::{
    FenceEpoch, GroupId, LeaderEpoch, Offset, OwnerId, PartitionId, TopicId, TopicName,
    TopicPartition,
};
use linkspan_wire::{BatchBuilder, Batches, Compression};

use crate::assign::Assignor;
use crate::backend::{
    Append, Assignment, Commit, Consumer, ConsumerOptions, Event, FetchedBatch, GroupOffset, KvPut,
    LogBackend, Start, Store, Topic, TopicSpec, list_group,
};
use crate::error::{Error, Result};

mod groups;

/// How long an event may take before the suite calls it missing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A check of one promise.
pub type Case = fn(&Arc<dyn LogBackend>) -> Result<()>;

/// All checks, by what they promise.
pub const CASES: [(&str, Case); 14] = [
    (
        "topics are made once, listed and grown",
        topics_are_made_once,
    ),
    (
        "a commit is visible as a whole with dense offsets",
        commits_are_whole,
    ),
    (
        "an invalid commit is refused and harms nothing",
        invalid_commits_are_refused,
    ),
    (
        "puts are ordered, deletable and scanned by prefix",
        puts_are_ordered,
    ),
    (
        "an older generation is fenced",
        older_generations_are_fenced,
    ),
    (
        "after a failed ticket all later ones fail",
        tickets_fail_in_order,
    ),
    ("a group resumes where it committed", groups_resume),
    (
        "partitions move between members after release",
        groups_rebalance,
    ),
    (
        "a consumer seeks, pauses and resumes",
        consumers_seek_and_pause,
    ),
    ("a dropped next loses nothing", next_is_cancel_safe),
    (
        "new topics and partitions reach waiting consumers",
        new_topics_are_found,
    ),
    (
        "a fenced consumer loses its partitions",
        fenced_consumers_lose,
    ),
    (
        "positions are checked against history",
        positions_are_checked,
    ),
    ("offsets are found by time", offsets_by_time),
];

/// Runs all checks, each on a new log.
///
/// # Panics
/// With the name of the promise that is not kept.
pub fn run(open: &dyn Fn() -> Arc<dyn LogBackend>) {
    for (name, case) in CASES.into_iter().chain(groups::CASES) {
        let log = open();
        let result = case(&log);
        assert!(result.is_ok(), "{name}: {result:?}");
        let closed = log.close();
        assert!(closed.is_ok(), "{name}: close: {closed:?}");
    }
}

/// Builds a batch of one record per text, all of one timestamp.
#[must_use]
pub fn batch(timestamp: i64, texts: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Compression::None);
    for text in texts {
        let pushed = builder.push_plain(timestamp, None, Some(text.as_bytes()));
        assert!(pushed.is_ok(), "push a record: {pushed:?}");
    }
    let built = builder.finish();
    assert!(built.is_ok(), "build a batch: {built:?}");
    built.unwrap_or_default()
}

/// Returns offset and value of every record in whole batches, from an offset on.
#[must_use]
pub fn records(bytes: &[u8], from: Offset) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let mut scratch = Vec::new();
    for batch in Batches::verified(bytes) {
        assert!(batch.is_ok(), "a delivered batch is damaged: {batch:?}");
        let Some(records) = batch
            .ok()
            .and_then(|batch| batch.records(&mut scratch).ok())
        else {
            continue;
        };
        for record in records {
            assert!(record.is_ok(), "a delivered record is damaged: {record:?}");
            let Ok(record) = record else { continue };
            if record.offset >= from.0 {
                let value = record
                    .value
                    .map(String::from_utf8_lossy)
                    .unwrap_or_default();
                found.push((record.offset, value.into_owned()));
            }
        }
    }
    found
}

/// Reads a whole partition through `fetch`.
///
/// # Errors
/// Those of `fetch`.
pub fn read_all(
    log: &dyn LogBackend,
    topic: &TopicId,
    partition: i32,
) -> Result<Vec<(i64, String)>> {
    let mut found = Vec::new();
    let mut next = log.offsets(topic, PartitionId(partition))?.log_start;
    loop {
        let fetched = log.fetch(topic, PartitionId(partition), next, 64 * 1024)?;
        if fetched.bytes.is_empty() {
            return Ok(found);
        }
        found.extend(records(&fetched.bytes, next));
        next = fetched.next;
    }
}

/// Runs a future on this thread, for at most some time; `None` if it takes longer.
pub fn block_on<T>(future: impl Future<Output = T>, patience: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut ctx = Context::from_waker(&waker);
    let mut future = pin!(future);
    let deadline = Instant::now() + patience;
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut ctx) {
            return Some(value);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

fn name(text: &str) -> Result<TopicName> {
    TopicName::try_new(text).map_err(|e| Error::InvalidCommit { why: e.to_string() })
}

fn make(log: &Arc<dyn LogBackend>, text: &str, partitions: i32) -> Result<Topic> {
    log.create_topic(&name(text)?, &TopicSpec::with_partitions(partitions))
}

fn append(topic: &Topic, partition: i32, texts: &[&str]) -> Append {
    Append {
        topic: topic.id,
        partition: PartitionId(partition),
        batch: batch(1000, texts),
    }
}

fn put(store: Store, key: &str, value: Option<&str>) -> KvPut {
    let value = value.map(|value| Bytes::copy_from_slice(value.as_bytes()));
    KvPut {
        store,
        key: Bytes::copy_from_slice(key.as_bytes()),
        value,
    }
}

fn write(
    log: &Arc<dyn LogBackend>,
    topic: &Topic,
    partition: i32,
    texts: &[&str],
) -> Result<Offset> {
    let owner = OwnerId::from("suite");
    let producer = match log.current_fence(&owner)? {
        FenceEpoch(0) => log.open_producer(&owner)?,
        epoch => log.producer_at(&owner, epoch)?,
    };
    let commit = Commit {
        appends: vec![append(topic, partition, texts)],
        puts: Vec::new(),
    };
    let committed = producer.submit(commit)?.wait()?;
    Ok(committed
        .base_offsets
        .first()
        .copied()
        .unwrap_or(Offset(-1)))
}

fn options(group: &str, member: &str, topics: &[&str]) -> Result<ConsumerOptions> {
    Ok(ConsumerOptions {
        group: GroupId::from(group),
        member: member.to_owned(),
        topics: topics
            .iter()
            .map(|topic| name(topic))
            .collect::<Result<_>>()?,
        assignor: Assignor::default(),
        start: Start::Earliest,
        max_bytes: 64 * 1024,
        fence: None,
        pattern: None,
    })
}

fn next(consumer: &mut Box<dyn Consumer>) -> Result<Event> {
    let event = block_on(consumer.next(), PATIENCE);
    assert!(event.is_some(), "no event came in {PATIENCE:?}");
    event.unwrap_or(Err(Error::Closed))
}

fn quiet(consumer: &mut Box<dyn Consumer>) {
    let event = block_on(consumer.next(), Duration::from_millis(50));
    assert!(event.is_none(), "nothing was due, but {event:?} came");
}

fn next_assigned(consumer: &mut Box<dyn Consumer>) -> Result<Vec<Assignment>> {
    let event = next(consumer)?;
    let Event::Assigned(assigned) = event else {
        assert!(
            matches!(event, Event::Assigned(_)),
            "an assignment was due, but {event:?} came"
        );
        return Ok(Vec::new());
    };
    Ok(assigned)
}

fn next_batch(consumer: &mut Box<dyn Consumer>) -> Result<FetchedBatch> {
    let event = next(consumer)?;
    let Event::Batch(batch) = event else {
        assert!(
            matches!(event, Event::Batch(_)),
            "a batch was due, but {event:?} came"
        );
        return Err(Error::Closed);
    };
    Ok(batch)
}

fn partitions(assigned: &[Assignment]) -> Vec<i32> {
    assigned
        .iter()
        .map(|assignment| assignment.partition.partition.0)
        .collect()
}

fn owned(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter()
        .map(|(offset, text)| (*offset, (*text).to_owned()))
        .collect()
}

fn topics_are_made_once(log: &Arc<dyn LogBackend>) -> Result<()> {
    let settings = BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]);
    let made = log.create_topic(
        &name("b")?,
        &TopicSpec {
            partitions: 2,
            settings,
        },
    )?;
    let other = make(log, "a", 1)?;
    assert_ne!(made.id, other.id);
    assert!(matches!(make(log, "b", 2), Err(Error::TopicExists { .. })));
    assert!(matches!(make(log, "c", 0), Err(Error::InvalidTopic { .. })));
    assert_eq!(log.topics()?, vec![other, made.clone()]);
    let grown = log.add_partitions(&name("b")?, 3)?;
    assert_eq!(
        grown,
        Topic {
            partitions: 3,
            ..made.clone()
        }
    );
    assert_eq!(log.topic(&name("b")?)?, Some(grown.clone()));
    assert_eq!(log.add_partitions(&name("b")?, 3)?, grown);
    assert!(matches!(
        log.add_partitions(&name("b")?, 2),
        Err(Error::InvalidTopic { .. })
    ));
    assert!(matches!(
        log.add_partitions(&name("zz")?, 2),
        Err(Error::UnknownTopic { .. })
    ));
    assert_eq!(
        log.offsets(&made.id, PartitionId(2))?.high_watermark,
        Offset(0)
    );
    assert!(matches!(
        log.offsets(&made.id, PartitionId(3)),
        Err(Error::UnknownPartition { .. })
    ));
    Ok(())
}

fn commits_are_whole(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 2)?;
    let producer = log.open_producer(&OwnerId::from("o"))?;
    let commit = Commit {
        appends: vec![
            append(&topic, 0, &["a", "b"]),
            append(&topic, 1, &["c"]),
            append(&topic, 0, &["d"]),
        ],
        puts: vec![put(Store::SourceOffsets, "k", Some("1"))],
    };
    let committed = producer.submit(commit)?.wait()?;
    assert_eq!(committed.base_offsets, [Offset(0), Offset(0), Offset(2)]);
    assert_eq!(
        read_all(&**log, &topic.id, 0)?,
        owned(&[(0, "a"), (1, "b"), (2, "d")])
    );
    assert_eq!(read_all(&**log, &topic.id, 1)?, owned(&[(0, "c")]));
    assert_eq!(
        log.get(Store::SourceOffsets, b"k")?.as_deref(),
        Some(&b"1"[..])
    );
    let fetched = log.fetch(&topic.id, PartitionId(0), Offset(1), 10)?;
    assert_eq!(
        records(&fetched.bytes, Offset(1)).first(),
        Some(&(1, "b".to_owned()))
    );
    let marks = log.offsets(&topic.id, PartitionId(0))?;
    assert_eq!(
        (marks.log_start, marks.high_watermark),
        (Offset(0), Offset(3))
    );
    let beyond = log.fetch(&topic.id, PartitionId(0), Offset(4), 10);
    assert!(
        matches!(beyond, Err(Error::OffsetOutOfRange { .. })),
        "{beyond:?}"
    );
    // Many in flight, answered in order.
    let tickets: Result<Vec<_>> = (0..100)
        .map(|n| {
            producer.submit(Commit {
                appends: vec![append(&topic, 1, &[&n.to_string()])],
                puts: Vec::new(),
            })
        })
        .collect();
    for (n, ticket) in (1..).zip(tickets?) {
        assert_eq!(ticket.wait()?.base_offsets, [Offset(n)]);
    }
    Ok(())
}

fn invalid_commits_are_refused(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let producer = log.open_producer(&OwnerId::from("o"))?;
    let submit = |append: Append| {
        producer.submit(Commit {
            appends: vec![append],
            puts: Vec::new(),
        })
    };
    let with = |batch: Vec<u8>| Append {
        topic: topic.id,
        partition: PartitionId(0),
        batch,
    };
    let mut moved = batch(0, &["x"]);
    moved.splice(..8, 5_i64.to_be_bytes());
    let mut twice = batch(0, &["x"]);
    twice.extend(batch(0, &["y"]));
    let mut torn = batch(0, &["x"]);
    torn.pop();
    for (what, bytes) in [
        ("moved", moved),
        ("twice", twice),
        ("torn", torn),
        ("empty", Vec::new()),
    ] {
        let refused = submit(with(bytes));
        assert!(
            matches!(refused, Err(Error::InvalidCommit { .. })),
            "{what}: {refused:?}"
        );
    }
    let large = submit(with(batch(
        0,
        &["x".repeat(crate::backend::BATCH_BYTES_DEFAULT).as_str()],
    )));
    assert!(matches!(large, Err(Error::TooLarge { .. })), "{large:?}");
    let unknown = submit(Append {
        topic: TopicId::random(),
        partition: PartitionId(0),
        batch: batch(0, &["x"]),
    });
    assert!(
        matches!(unknown, Err(Error::UnknownPartition { .. })),
        "{unknown:?}"
    );
    let own = producer.submit(Commit {
        appends: Vec::new(),
        puts: vec![put(Store::Fences, "o", None)],
    });
    assert!(matches!(own, Err(Error::InvalidCommit { .. })), "{own:?}");
    assert_eq!(
        submit(with(batch(0, &["good"])))?.wait()?.base_offsets,
        [Offset(0)]
    );
    Ok(())
}

fn puts_are_ordered(log: &Arc<dyn LogBackend>) -> Result<()> {
    let producer = log.open_producer(&OwnerId::from("o"))?;
    let commit = |puts: Vec<KvPut>| {
        producer
            .submit(Commit {
                appends: Vec::new(),
                puts,
            })?
            .wait()
    };
    commit(vec![
        put(Store::Configs, "a/1", Some("x")),
        put(Store::Configs, "a/2", Some("y")),
        put(Store::Configs, "b/1", Some("z")),
        put(Store::Status, "a/1", Some("other")),
        put(Store::Configs, "a/2", Some("last")),
    ])?;
    let keys = |prefix: &str| -> Result<Vec<(String, String)>> {
        let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(log
            .scan(Store::Configs, prefix.as_bytes())?
            .iter()
            .map(|(k, v)| (text(k), text(v)))
            .collect())
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(keys("a/")?, [pair("a/1", "x"), pair("a/2", "last")]);
    commit(vec![
        put(Store::Configs, "a/1", None),
        put(Store::Configs, "nothing", None),
    ])?;
    assert_eq!(keys("")?, [pair("a/2", "last"), pair("b/1", "z")]);
    assert_eq!(log.get(Store::Configs, b"a/1")?, None);
    Ok(())
}

fn older_generations_are_fenced(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let owner = OwnerId::from("o");
    assert_eq!(log.current_fence(&owner)?, FenceEpoch(0));
    let old = log.open_producer(&owner)?;
    let sibling = log.producer_at(&owner, old.fence_epoch())?;
    let other = log.open_producer(&OwnerId::from("another"))?;
    let new = log.open_producer(&owner)?;
    assert!(new.fence_epoch() > old.fence_epoch());
    assert_eq!(log.current_fence(&owner)?, new.fence_epoch());
    for zombie in [&old, &sibling] {
        let commit = Commit {
            appends: vec![append(&topic, 0, &["zombie"])],
            puts: vec![put(Store::Status, "z", Some("1"))],
        };
        let refused = zombie.submit(commit).and_then(crate::Ticket::wait);
        assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    }
    assert!(matches!(
        log.producer_at(&owner, old.fence_epoch()),
        Err(Error::Fenced { .. })
    ));
    for alive in [&new, &other] {
        alive
            .submit(Commit {
                appends: vec![append(&topic, 0, &["alive"])],
                puts: Vec::new(),
            })?
            .wait()?;
    }
    assert_eq!(
        read_all(&**log, &topic.id, 0)?,
        owned(&[(0, "alive"), (1, "alive")])
    );
    assert_eq!(log.get(Store::Status, b"z")?, None);
    Ok(())
}

fn tickets_fail_in_order(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let owner = OwnerId::from("o");
    let producer = log.open_producer(&owner)?;
    let commit = || Commit {
        appends: vec![append(&topic, 0, &["x"])],
        puts: Vec::new(),
    };
    producer.submit(commit())?.wait()?;
    let newer = log.open_producer(&owner)?;
    let failed = producer.submit(commit()).and_then(crate::Ticket::wait);
    assert!(matches!(failed, Err(Error::Fenced { .. })), "{failed:?}");
    let later = producer.submit(commit()).and_then(crate::Ticket::wait);
    assert!(
        matches!(later, Err(Error::Aborted | Error::Fenced { .. })),
        "{later:?}"
    );
    newer.submit(commit())?.wait()?;
    assert_eq!(
        log.offsets(&topic.id, PartitionId(0))?.high_watermark,
        Offset(2)
    );
    Ok(())
}

fn position(topic: &Topic, next: i64, metadata: &str) -> GroupOffset {
    GroupOffset {
        topic_id: topic.id,
        next: Offset(next),
        leader_epoch: LeaderEpoch(0),
        metadata: metadata.to_owned(),
        commit_ts: 7,
    }
}

fn groups_resume(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let other = make(log, "u", 1)?;
    write(log, &topic, 0, &["a", "b", "c"])?;
    let tp = TopicPartition::new(topic.name.clone(), PartitionId(0));
    let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    let assigned = next_assigned(&mut consumer)?;
    assert_eq!(
        assigned.first().map(|a| (a.next, a.stored, a.topic_id)),
        Some((Offset(0), false, topic.id))
    );
    let batch = next_batch(&mut consumer)?;
    assert_eq!(
        records(&batch.bytes, batch.from),
        owned(&[(0, "a"), (1, "b"), (2, "c")])
    );
    assert_eq!((batch.next, batch.high_watermark), (Offset(3), Offset(3)));
    let long = "x".repeat(crate::backend::GROUP_METADATA_BYTES_MAX + 1);
    let refused = consumer.commit(
        &[(tp.clone(), position(&topic, 2, &long))],
        Commit::default(),
    );
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    let committed = [(tp.clone(), position(&topic, 2, "here"))];
    consumer
        .commit(
            &committed,
            Commit {
                appends: vec![append(&other, 0, &["answer"])],
                puts: vec![put(Store::Status, "with", Some("it"))],
            },
        )?
        .wait()?;
    assert_eq!(
        log.get(Store::Status, b"with")?.as_deref(),
        Some(&b"it"[..])
    );
    assert_eq!(read_all(&**log, &other.id, 0)?, owned(&[(0, "answer")]));
    drop(consumer);
    let mut again = log.open_consumer(options("g", "m", &["t"])?)?;
    let assigned = next_assigned(&mut again)?;
    let found = assigned
        .first()
        .map(|a| (a.next, a.stored, a.metadata.as_str()));
    assert_eq!(found, Some((Offset(2), true, "here")));
    let batch = next_batch(&mut again)?;
    assert_eq!(records(&batch.bytes, batch.from), owned(&[(2, "c")]));
    assert_eq!(again.end_offsets()?, vec![(tp, Offset(3))]);
    let listed = list_group(&**log, &GroupId::from("g"))?;
    assert_eq!(
        listed,
        vec![(
            topic.name.clone(),
            PartitionId(0),
            position(&topic, 2, "here")
        )]
    );
    let mut latest = log.open_consumer(ConsumerOptions {
        start: Start::Latest,
        ..options("other", "m", &["t"])?
    })?;
    assert_eq!(
        next_assigned(&mut latest)?.first().map(|a| a.next),
        Some(Offset(3))
    );
    quiet(&mut latest);
    Ok(())
}

fn groups_rebalance(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 3)?;
    let tp = |n| TopicPartition::new(topic.name.clone(), PartitionId(n));
    let mut a = log.open_consumer(options("g", "a", &["t"])?)?;
    assert_eq!(partitions(&next_assigned(&mut a)?), [0, 1, 2]);
    let twin = log.open_consumer(options("g", "a", &["t"])?);
    assert!(matches!(twin, Err(Error::MemberExists { .. })));
    let mut b = log.open_consumer(options("g", "b", &["t"])?)?;
    // Its partition is not free before its owner has finished.
    quiet(&mut b);
    let event = next(&mut a)?;
    assert!(
        matches!(&event, Event::Revoked(gone) if *gone == [tp(2)]),
        "{event:?}"
    );
    quiet(&mut b);
    a.commit(
        &[(tp(2), position(&topic, 0, "handed over"))],
        Commit::default(),
    )?
    .wait()?;
    quiet(&mut a);
    let assigned = next_assigned(&mut b)?;
    assert_eq!(
        assigned
            .first()
            .map(|a| (a.partition.clone(), a.metadata.as_str())),
        Some((tp(2), "handed over"))
    );
    let refused = a.commit(&[(tp(2), position(&topic, 0, ""))], Commit::default());
    assert!(
        matches!(refused, Err(Error::NotAssigned { .. })),
        "{refused:?}"
    );
    drop(a);
    let mut got = partitions(&next_assigned(&mut b)?);
    got.sort_unstable();
    assert_eq!(got, [0, 1]);
    Ok(())
}

fn consumers_seek_and_pause(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    write(log, &topic, 0, &["a"])?;
    write(log, &topic, 0, &["b"])?;
    let tp = TopicPartition::new(topic.name.clone(), PartitionId(0));
    let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    next_assigned(&mut consumer)?;
    while next_batch(&mut consumer)?.next < Offset(2) {}
    consumer.seek(&tp, Offset(1))?;
    let batch = next_batch(&mut consumer)?;
    assert_eq!(records(&batch.bytes, batch.from), owned(&[(1, "b")]));
    assert!(matches!(
        consumer.seek(&tp, Offset(3)),
        Err(Error::OffsetOutOfRange { .. })
    ));
    let foreign = TopicPartition::new(name("zz")?, PartitionId(0));
    assert!(matches!(
        consumer.seek(&foreign, Offset(0)),
        Err(Error::NotAssigned { .. })
    ));
    consumer.pause(std::slice::from_ref(&tp));
    write(log, &topic, 0, &["c"])?;
    quiet(&mut consumer);
    consumer.resume(std::slice::from_ref(&tp));
    let batch = next_batch(&mut consumer)?;
    assert_eq!(records(&batch.bytes, batch.from), owned(&[(2, "c")]));
    Ok(())
}

fn next_is_cancel_safe(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let mut consumer = log.open_consumer(options("g", "m", &["t"])?)?;
    next_assigned(&mut consumer)?;
    for n in 0..20 {
        quiet_poll(&mut consumer);
        write(log, &topic, 0, &[&n.to_string()])?;
        let batch = next_batch(&mut consumer)?;
        assert_eq!(records(&batch.bytes, batch.from), vec![(n, n.to_string())]);
    }
    Ok(())
}

/// Polls once and drops the future.
fn quiet_poll(consumer: &mut Box<dyn Consumer>) {
    let mut ctx = Context::from_waker(Waker::noop());
    let polled = consumer.next().as_mut().poll(&mut ctx);
    assert!(polled.is_pending(), "nothing was due, but {polled:?} came");
}

fn new_topics_are_found(log: &Arc<dyn LogBackend>) -> Result<()> {
    let mut consumer = log.open_consumer(options("g", "m", &["later"])?)?;
    quiet(&mut consumer);
    let topic = make(log, "later", 1)?;
    assert_eq!(partitions(&next_assigned(&mut consumer)?), [0]);
    log.add_partitions(&topic.name, 2)?;
    assert_eq!(partitions(&next_assigned(&mut consumer)?), [1]);
    write(log, &topic, 1, &["x"])?;
    assert_eq!(
        next_batch(&mut consumer)?.partition.partition,
        PartitionId(1)
    );
    Ok(())
}

fn fenced_consumers_lose(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let owner = OwnerId::from("sink");
    let tp = TopicPartition::new(topic.name.clone(), PartitionId(0));
    let epoch = log.open_producer(&owner)?.fence_epoch();
    let fenced = |epoch| -> Result<ConsumerOptions> {
        Ok(ConsumerOptions {
            fence: Some((owner.clone(), epoch)),
            ..options("g", "m", &["t"])?
        })
    };
    let mut old = log.open_consumer(fenced(epoch)?)?;
    assert_eq!(
        next_assigned(&mut old)?.first().map(|a| a.fence_epoch),
        Some(epoch)
    );
    let mut idle = log.open_consumer(ConsumerOptions {
        member: "n".to_owned(),
        ..fenced(epoch)?
    })?;
    let newer = log.open_producer(&owner)?.fence_epoch();
    let refused = next(&mut idle);
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    let group = log.describe_group(&GroupId::from("g"))?;
    let members = group.map(|group| group.members.into_iter().map(|m| m.member));
    let members: Vec<String> = members.into_iter().flatten().collect();
    assert_eq!(
        members,
        ["m"],
        "a fenced member without partitions has left"
    );
    let refused = old
        .commit(
            &[(tp.clone(), position(&topic, 0, "zombie"))],
            Commit::default(),
        )
        .and_then(crate::Ticket::wait);
    assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
    let event = next(&mut old)?;
    assert!(
        matches!(&event, Event::Lost(gone) if *gone == [tp]),
        "{event:?}"
    );
    assert!(matches!(next(&mut old), Err(Error::Fenced { .. })));
    assert!(matches!(
        log.open_consumer(fenced(epoch)?),
        Err(Error::Fenced { .. })
    ));
    let mut new = log.open_consumer(fenced(newer)?)?;
    assert_eq!(
        next_assigned(&mut new)?.first().map(|a| a.stored),
        Some(false)
    );
    Ok(())
}

fn positions_are_checked(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    write(log, &topic, 0, &["a", "b"])?;
    let epoch = log.offsets(&topic.id, PartitionId(0))?.leader_epoch;
    let check = |id: &TopicId, epoch: i32, next: i64| {
        log.check_position(id, PartitionId(0), LeaderEpoch(epoch), Offset(next))
    };
    check(&topic.id, epoch.0, 0)?;
    check(&topic.id, epoch.0, 2)?;
    for (id, epoch, next) in [
        (topic.id, epoch.0, 3),
        (topic.id, epoch.0 + 1, 1),
        (TopicId::random(), epoch.0, 0),
        (topic.id, epoch.0, -1),
    ] {
        let refused = check(&id, epoch, next);
        assert!(
            matches!(refused, Err(Error::UnknownPosition { .. })),
            "{refused:?}"
        );
    }
    Ok(())
}

fn offsets_by_time(log: &Arc<dyn LogBackend>) -> Result<()> {
    let topic = make(log, "t", 1)?;
    let producer = log.open_producer(&OwnerId::from("o"))?;
    for (time, texts) in [
        (1000, &["a", "b"][..]),
        (3000, &["c"]),
        (2000, &["d"]),
        (5000, &["e"]),
    ] {
        let append = Append {
            topic: topic.id,
            partition: PartitionId(0),
            batch: batch(time, texts),
        };
        producer
            .submit(Commit {
                appends: vec![append],
                puts: Vec::new(),
            })?
            .wait()?;
    }
    for (time, expected) in [
        (0, Some(0)),
        (1000, Some(0)),
        (1001, Some(2)),
        (3001, Some(4)),
        (5001, None),
    ] {
        let found = log.offset_for_time(&topic.id, PartitionId(0), time)?;
        assert_eq!(found, expected.map(Offset), "time {time}");
    }
    Ok(())
}
