//! Reading back: from memory, from segments, across rolls and restarts, and positions that are not there any more.

use std::time::Duration;

use super::support::{commit, open_mem, producer, put, tiny, topic};
use crate::conformance::{block_on, read_all, records};
use crate::{
    Assignor, Commit, Consumer, ConsumerOptions, Error, Event, GroupOffset, KvPut, LocalOptions,
    LogBackend, MemFs, Start, Store, group_offset_key,
};

fn join(log: &dyn LogBackend, max_bytes: usize) -> Box<dyn Consumer> {
    let options = ConsumerOptions {
        group: "g".into(),
        member: "m".into(),
        topics: vec![linkspan_types::TopicName::try_new("t").unwrap()],
        assignor: Assignor::default(),
        start: Start::Earliest,
        max_bytes,
        fence: None,
        pattern: None,
    };
    log.open_consumer(options).unwrap()
}

fn next(consumer: &mut Box<dyn Consumer>) -> Result<Event, Error> {
    block_on(consumer.next(), Duration::from_secs(20)).expect("an event")
}

fn texts(n: u32) -> Vec<String> {
    (0..n)
        .map(|n| format!("{n}{}", "y".repeat(usize::try_from(n * 37 % 800).unwrap())))
        .collect()
}

#[test]
fn a_consumer_reads_the_same_from_memory_and_from_segments() {
    let fs = MemFs::new();
    let texts = texts(120);
    let mut log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    let writer = producer(&*log);
    for text in &texts {
        writer
            .submit(commit(&made, 0, &[text]))
            .unwrap()
            .wait()
            .unwrap();
    }
    for max_bytes in [1, 700, 5_000, 1 << 20] {
        for _ in 0..2 {
            let mut consumer = join(&*log, max_bytes);
            let mut found = Vec::new();
            while found.len() < texts.len() {
                match next(&mut consumer).unwrap() {
                    Event::Batch(batch) => {
                        assert_eq!(batch.from.0, i64::try_from(found.len()).unwrap());
                        found.extend(
                            records(&batch.bytes, batch.from)
                                .into_iter()
                                .map(|(_, text)| text),
                        );
                    }
                    Event::Assigned(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(found, texts, "max_bytes {max_bytes}");
            drop(consumer);
            // The second time nothing is in memory, and no index either.
            log.close().unwrap();
            log = open_mem(&fs, tiny()).unwrap();
        }
    }
    assert!(log.stat().unwrap().topics[0].partitions[0].segments > 5);
    // Any offset can be the first.
    for from in 0..120 {
        let fetched = log.fetch(&made.id, 0.into(), from.into(), 10).unwrap();
        assert_eq!(records(&fetched.bytes, from.into())[0].0, from);
    }
}

#[test]
fn a_position_below_log_start_is_told_and_reading_goes_on_at_log_start() {
    let log = open_mem(&MemFs::new(), tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    let writer = producer(&*log);
    for text in ["a", "b", "c"] {
        writer
            .submit(commit(&made, 0, &[text]))
            .unwrap()
            .wait()
            .unwrap();
    }
    let position = GroupOffset {
        topic_id: made.id,
        next: 1.into(),
        leader_epoch: 0.into(),
        metadata: String::new(),
        commit_ts: 0,
    };
    let key = group_offset_key(&"g".into(), &made.id, 0.into());
    let stored = KvPut {
        store: Store::GroupOffsets,
        key,
        value: Some(position.encode(&made.name)),
    };
    writer
        .submit(Commit {
            appends: Vec::new(),
            puts: vec![stored],
        })
        .unwrap()
        .wait()
        .unwrap();
    // What retention will do.
    log.partition_for_test(&made.id, 0).lock().log_start = 2;
    let mut consumer = join(&*log, 1000);
    let Event::Assigned(assigned) = next(&mut consumer).unwrap() else {
        panic!()
    };
    assert_eq!(assigned[0].next.0, 2);
    let Event::OffsetLost {
        wanted, log_start, ..
    } = next(&mut consumer).unwrap()
    else {
        panic!()
    };
    assert_eq!((wanted.0, log_start.0), (1, 2));
    let Event::Batch(batch) = next(&mut consumer).unwrap() else {
        panic!()
    };
    assert_eq!(records(&batch.bytes, batch.from), [(2, "c".to_owned())]);
    assert_eq!(read_all(&*log, &made.id, 0).unwrap().len(), 1);
}

#[test]
fn a_position_of_another_history_is_an_error_and_not_a_jump() {
    let log = open_mem(&MemFs::new(), tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    let writer = producer(&*log);
    writer
        .submit(commit(&made, 0, &["a"]))
        .unwrap()
        .wait()
        .unwrap();
    let stale = |id, next: i64| {
        let offset = GroupOffset {
            topic_id: id,
            next: next.into(),
            leader_epoch: 0.into(),
            metadata: String::new(),
            commit_ts: 0,
        };
        let value = Some(offset.encode(&made.name));
        let put = KvPut {
            store: Store::GroupOffsets,
            key: group_offset_key(&"g".into(), &id, 0.into()),
            value,
        };
        writer
            .submit(Commit {
                appends: Vec::new(),
                puts: vec![put],
            })
            .unwrap()
            .wait()
            .unwrap();
    };
    // Beyond the end.
    stale(made.id, 5);
    for _ in 0..2 {
        let error = next(&mut join(&*log, 1000)).unwrap_err();
        assert!(matches!(error, Error::UnknownPosition { .. }), "{error:?}");
    }
    // Of an earlier topic with the same name.
    let key = group_offset_key(&"g".into(), &made.id, 0.into());
    let gone = KvPut {
        store: Store::GroupOffsets,
        key,
        value: None,
    };
    writer
        .submit(Commit {
            appends: Vec::new(),
            puts: vec![gone, put("x", "y")],
        })
        .unwrap()
        .wait()
        .unwrap();
    stale(linkspan_types::TopicId::random(), 1);
    let error = next(&mut join(&*log, 1000)).unwrap_err();
    assert!(matches!(error, Error::UnknownPosition { .. }), "{error:?}");
}

#[test]
fn ten_thousand_partitions_cost_no_file_until_they_are_written() {
    let fs = MemFs::new();
    let options = LocalOptions {
        commit_bytes_max: 2 << 20,
        journal_file_bytes: 3 << 20,
        journal_bytes_max: 9 << 20,
        ..tiny()
    };
    let log = open_mem(&fs, options.clone()).unwrap();
    let made = topic(&*log, "t", 10_000);
    let writer = producer(&*log);
    assert!(fs.files().len() < 10);
    // One atomic commit over many of them; then more dirty files than are kept open.
    let appends = (0..300)
        .map(|p| super::support::append(&made, p, &["x"]))
        .collect();
    writer
        .submit(Commit {
            appends,
            puts: Vec::new(),
        })
        .unwrap()
        .wait()
        .unwrap();
    log.checkpoint().unwrap();
    assert!(fs.files().len() >= 300);
    let fs = fs.crash(3);
    drop(log);
    let log = open_mem(&fs, options).unwrap();
    for partition in [0, 150, 299] {
        assert_eq!(read_all(&*log, &made.id, partition).unwrap().len(), 1);
    }
    assert_eq!(read_all(&*log, &made.id, 9_999).unwrap().len(), 0);
}
