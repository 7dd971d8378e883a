//! Topics that are changed and deleted, records that are deleted, and what a crash makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use linkspan_types::{GroupId, Offset, TopicName};

use super::support::{append, commit, open_mem, producer, tiny};
use crate::conformance::{block_on, read_all};
use crate::{
    Commit, ConsumerOptions, Error, Event, GroupOffset, LogBackend, MemFs, Start, Store, Topic,
    TopicSpec, list_group,
};

const PATIENCE: Duration = Duration::from_secs(10);

fn name(text: &str) -> TopicName {
    TopicName::try_new(text).unwrap()
}

/// Test records are of 1970: retention would take them.
fn for_ever(partitions: i32) -> TopicSpec {
    TopicSpec {
        partitions,
        settings: BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]),
    }
}

fn topic(log: &dyn LogBackend, text: &str, partitions: i32) -> Topic {
    log.create_topic(&name(text), &for_ever(partitions))
        .unwrap()
}

fn fill(log: &dyn LogBackend, made: &Topic, texts: usize) {
    let producer = producer(log);
    for n in 0..texts {
        let text = format!("{n}-{}", "x".repeat(300));
        producer
            .submit(commit(made, 0, &[&text]))
            .unwrap()
            .wait()
            .unwrap();
    }
}

fn consumer(log: &dyn LogBackend, topic: &str) -> Box<dyn crate::Consumer> {
    log.open_consumer(ConsumerOptions {
        group: GroupId::from("g"),
        member: "m".to_owned(),
        topics: vec![name(topic)],
        assignor: crate::Assignor::default(),
        start: Start::Earliest,
        max_bytes: 1 << 20,
        fence: None,
        pattern: None,
    })
    .unwrap()
}

fn next(consumer: &mut Box<dyn crate::Consumer>) -> Event {
    block_on(consumer.next(), PATIENCE).unwrap().unwrap()
}

fn position(made: &Topic, next: i64) -> GroupOffset {
    GroupOffset {
        topic_id: made.id,
        next: Offset(next),
        leader_epoch: 0.into(),
        metadata: String::new(),
        commit_ts: 0,
    }
}

fn directories(fs: &MemFs) -> Vec<String> {
    fs.files()
        .iter()
        .filter_map(|path| path.to_str()?.strip_prefix("/data/topics/"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_deleted_topic_takes_positions_and_files_with_it_and_can_be_made_anew() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let (old, other) = (topic(&*log, "t", 2), topic(&*log, "other", 1));
    fill(&*log, &old, 60);
    fill(&*log, &other, 3);
    let mut consumer = consumer(&*log, "t");
    let Event::Assigned(assigned) = next(&mut consumer) else {
        panic!("not assigned");
    };
    let partition = assigned[0].partition.clone();
    let commit = consumer.commit(&[(partition.clone(), position(&old, 5))], Commit::default());
    commit.unwrap().wait().unwrap();
    assert!(!list_group(&*log, &"g".into()).unwrap().is_empty());

    log.delete_topic(&name("t")).unwrap();
    assert_eq!(log.topic(&name("t")).unwrap(), None);
    assert!(list_group(&*log, &"g".into()).unwrap().is_empty());
    assert!(matches!(
        log.offsets(&old.id, 0.into()),
        Err(Error::UnknownPartition { .. })
    ));
    assert!(matches!(
        log.delete_topic(&name("t")),
        Err(Error::UnknownTopic { .. })
    ));
    // The consumer may still hear of batches that were on their way, then that it is over.
    let lost = loop {
        match next(&mut consumer) {
            Event::Lost(lost) => break lost,
            Event::Batch(_) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lost.len(), 2);
    let late = consumer.commit(&[(partition, position(&old, 6))], Commit::default());
    assert!(matches!(late, Err(Error::NotAssigned { .. })), "{late:?}");

    let new = topic(&*log, "t", 1);
    assert_ne!(new.id, old.id);
    fill(&*log, &new, 1);
    let Event::Assigned(assigned) = next(&mut consumer) else {
        panic!("the new topic is not assigned");
    };
    assert_eq!((assigned[0].topic_id, assigned[0].next.0), (new.id, 0));
    assert_eq!(read_all(&*log, &new.id, 0).unwrap().len(), 1);

    log.checkpoint().unwrap();
    log.run_retention_now().unwrap();
    let left = directories(&fs);
    assert!(
        left.iter()
            .all(|path| !path.starts_with(&old.id.to_string())),
        "{left:?}"
    );
    assert!(log.scan(Store::Meta, b"was-topic/").unwrap().is_empty());
    assert_eq!(read_all(&*log, &other.id, 0).unwrap().len(), 3);
    drop(consumer);
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!(log.topics().unwrap().len(), 2);
    assert_eq!(read_all(&*log, &new.id, 0).unwrap().len(), 1);
}

#[test]
fn records_in_flight_when_their_topic_goes_are_refused_and_harm_nothing() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let (old, other) = (topic(&*log, "t", 1), topic(&*log, "other", 1));
    let writing = {
        let (log, old) = (Arc::clone(&log), old.clone());
        std::thread::spawn(move || {
            let producer = producer(&*log);
            for n in 0.. {
                let appends = vec![append(&old, 0, &[&n.to_string()])];
                let puts = Vec::new();
                match producer
                    .submit(Commit { appends, puts })
                    .and_then(crate::Ticket::wait)
                {
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
            unreachable!()
        })
    };
    while log.offsets(&old.id, 0.into()).unwrap().high_watermark.0 < 20 {
        std::thread::yield_now();
    }
    log.delete_topic(&name("t")).unwrap();
    let error = writing.join().unwrap();
    assert!(matches!(error, Error::UnknownPartition { .. }), "{error:?}");
    fill(&*log, &other, 2);
    // The journal has records of the topic, its deletion and what came later.
    let fs = fs.crash(3);
    drop(log);
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!(log.topics().unwrap(), std::slice::from_ref(&other));
    assert_eq!(read_all(&*log, &other.id, 0).unwrap().len(), 2);
    log.checkpoint().unwrap();
    log.run_retention_now().unwrap();
    assert!(log.scan(Store::Meta, b"was-topic/").unwrap().is_empty());
}

#[test]
fn power_loss_at_every_call_leaves_a_topic_whole_or_gone() {
    let script = |fs: &MemFs| -> crate::Result<(Topic, Topic)> {
        let log = open_mem(fs, tiny())?;
        let spec = for_ever(1);
        let old = log.create_topic(&name("t"), &spec)?;
        let kept = log.create_topic(&name("kept"), &spec)?;
        let producer = log.open_producer(&"p".into())?;
        for n in 0..12 {
            let text = format!("{n}{}", "x".repeat(800));
            producer.submit(commit(&old, 0, &[&text]))?.wait()?;
            producer.submit(commit(&kept, 0, &[&text]))?.wait()?;
        }
        log.checkpoint()?;
        log.delete_records(&kept.id, 0.into(), Some(Offset(7)))?;
        log.delete_topic(&name("t"))?;
        producer.submit(commit(&kept, 0, &["last"]))?.wait()?;
        log.checkpoint()?;
        log.run_retention_now()?;
        log.close()?;
        Ok((old, kept))
    };
    let total = {
        let fs = MemFs::new();
        script(&fs).unwrap();
        fs.calls()
    };
    let (mut gone, mut there) = (0, 0);
    for at in 1..=total {
        let fs = MemFs::new();
        fs.crash_at(at);
        drop(script(&fs));
        let fs = fs.crash(at);
        let log = open_mem(&fs, tiny()).unwrap_or_else(|e| panic!("call {at} of {total}: {e:?}"));
        if let Some(kept) = log.topic(&name("kept")).unwrap() {
            let marks = log.offsets(&kept.id, 0.into()).unwrap();
            assert!([0, 7].contains(&marks.log_start.0), "call {at}: {marks:?}");
            let found = read_all(&*log, &kept.id, 0).unwrap();
            let expected: Vec<i64> = (marks.log_start.0..marks.high_watermark.0).collect();
            let offsets: Vec<i64> = found.iter().map(|(offset, _)| *offset).collect();
            assert_eq!(offsets, expected, "call {at}");
            gone += u32::from(marks.log_start.0 == 7 && log.topic(&name("t")).unwrap().is_none());
        }
        if let Some(old) = log.topic(&name("t")).unwrap() {
            let marks = log.offsets(&old.id, 0.into()).unwrap();
            let found = read_all(&*log, &old.id, 0).unwrap();
            assert_eq!(found.len() as i64, marks.high_watermark.0, "call {at}");
            there += 1;
        }
        log.checkpoint().unwrap();
        log.run_retention_now().unwrap();
        assert!(log.scan(Store::Meta, b"was-topic/").unwrap().is_empty());
        let known: Vec<String> = log
            .topics()
            .unwrap()
            .iter()
            .map(|topic| topic.id.to_string())
            .collect();
        for path in directories(&fs) {
            assert!(
                known.iter().any(|id| path.starts_with(id)),
                "call {at}: {path} is nobody's"
            );
        }
        log.close().unwrap();
    }
    assert!(gone > 0 && there > 0, "{gone} gone, {there} there");
}

#[test]
fn records_below_an_offset_go_and_the_rest_stays() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    fill(&*log, &made, 40);
    log.checkpoint().unwrap();
    let before = directories(&fs).len();
    let delete = |to: Option<i64>| log.delete_records(&made.id, 0.into(), to.map(Offset));
    for (to, start) in [(Some(0), 0), (Some(3), 3), (Some(2), 3), (Some(30), 30)] {
        assert_eq!(delete(to).unwrap().0, start, "{to:?}");
    }
    for to in [-2, 41, i64::MAX] {
        let refused = delete(Some(to));
        assert!(
            matches!(refused, Err(Error::OffsetOutOfRange { .. })),
            "{to}: {refused:?}"
        );
    }
    let offsets = |log: &dyn LogBackend| -> Vec<i64> {
        let found = read_all(log, &made.id, 0).unwrap();
        found.iter().map(|(offset, _)| *offset).collect()
    };
    assert_eq!(offsets(&*log), (30..40).collect::<Vec<_>>());
    assert!(matches!(
        log.fetch(&made.id, 0.into(), Offset(29), 100),
        Err(Error::OffsetOutOfRange { .. })
    ));
    log.checkpoint().unwrap();
    assert!(directories(&fs).len() < before, "no file went away");
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!(offsets(&*log), (30..40).collect::<Vec<_>>());
    assert_eq!(log.delete_records(&made.id, 0.into(), None).unwrap().0, 40);
    fill(&*log, &made, 1);
    assert_eq!(offsets(&*log), [40]);
    let fs = fs.crash(1);
    drop(log);
    assert_eq!(offsets(&*open_mem(&fs, tiny()).unwrap()), [40]);
}

#[test]
fn a_group_whose_position_was_deleted_hears_how_much() {
    let log = open_mem(&MemFs::new(), tiny()).unwrap();
    let made = topic(&*log, "t", 1);
    fill(&*log, &made, 10);
    log.declare_reader(&"g".into(), &[name("t")]).unwrap();
    log.delete_records(&made.id, 0.into(), Some(Offset(4)))
        .unwrap();
    let lost = format!("lost/{}-0", made.id);
    let lost = log.get(Store::Meta, lost.as_bytes()).unwrap().unwrap();
    assert_eq!(&lost[..], b"4");
    let mut consumer = consumer(&*log, "t");
    let Event::Assigned(assigned) = next(&mut consumer) else {
        panic!("not assigned");
    };
    assert_eq!(assigned[0].next.0, 4);
}

#[test]
fn settings_are_checked_changed_and_unset() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let changes = |pairs: &[(&str, Option<&str>)]| -> BTreeMap<String, Option<String>> {
        let owned =
            |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(str::to_owned));
        pairs.iter().map(owned).collect()
    };
    let bad = TopicSpec {
        partitions: 1,
        settings: [
            ("retention.ms", "-2"),
            ("segment.ms", "0"),
            ("colour", "red"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
    };
    let Err(Error::InvalidSettings { errors, .. }) = log.create_topic(&name("t"), &bad) else {
        panic!("bad settings were taken");
    };
    assert_eq!(errors.0.len(), 3, "{errors}");
    let made = topic(&*log, "t", 1);
    let alter = |pairs| log.alter_topic(&name("t"), &changes(pairs));
    let altered = alter(&[
        ("retention.ms", Some("7d")),
        ("max.message.bytes", Some("200")),
    ]);
    let altered = altered.unwrap();
    assert_eq!(
        (altered.id, altered.settings["retention.ms"].as_str()),
        (made.id, "604800000")
    );
    let refused = producer(&*log).submit(commit(&made, 0, &[&"x".repeat(300)]));
    assert!(
        matches!(refused, Err(Error::TooLarge { .. })),
        "{refused:?}"
    );
    for (pairs, n) in [
        (
            vec![("retention.ms", Some("x")), ("preallocate", Some("yes"))],
            2,
        ),
        (vec![("no.such", None)], 1),
        (vec![("internal.segment.bytes", None)], 0),
    ] {
        let found = match log.alter_topic(&name("t"), &changes(&pairs)) {
            Ok(_) => 0,
            Err(Error::InvalidSettings { errors, .. }) => errors.0.len(),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(found, n, "{pairs:?}");
    }
    let back = alter(&[("max.message.bytes", None)]).unwrap();
    assert_eq!(back.settings.len(), 1, "{back:?}");
    fill(&*log, &made, 1);
    assert!(matches!(
        log.alter_topic(&name("nope"), &BTreeMap::new()),
        Err(Error::UnknownTopic { .. })
    ));
    alter(&[("cleanup.policy", Some("compact"))]).unwrap();
    let refused = log.delete_records(&made.id, 0.into(), None);
    assert!(
        matches!(refused, Err(Error::CompactedTopic { .. })),
        "{refused:?}"
    );
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    let stored = log.topic(&name("t")).unwrap().unwrap();
    assert_eq!(stored.settings["cleanup.policy"], "compact");
}

#[test]
fn readers_are_declared_until_they_are_forgotten() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    log.declare_reader(&"b".into(), &[name("y"), name("x"), name("x")])
        .unwrap();
    log.declare_reader(&"a".into(), &[name("x")]).unwrap();
    let commits = log.stat().unwrap().commits;
    log.declare_reader(&"a".into(), &[name("x")]).unwrap();
    assert_eq!(
        log.stat().unwrap().commits,
        commits,
        "the same again is free"
    );
    log.forget_reader(&"nobody".into()).unwrap();
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    let expected = [
        (GroupId::from("a"), vec![name("x")]),
        (GroupId::from("b"), vec![name("x"), name("y")]),
    ];
    assert_eq!(log.readers().unwrap(), expected);
    log.forget_reader(&"a".into()).unwrap();
    assert_eq!(log.readers().unwrap(), expected[1..]);
}
