//! Compaction against a model: what is the newest record of a key must stay, what is not must go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use linkspan_types::{ManualClock, PartitionId, TopicName};
use linkspan_wire::{BatchBuilder, Batches, Compression};

use super::support::{dir, open_mem, producer, tiny};
use crate::{
    Append, Commit, Error, FaultOp, Local, LocalOptions, LogBackend, MemFs, Topic, TopicSpec,
    open_local, open_read_only,
};

/// Offset, key, value; the value `None` is a tombstone.
pub(super) type Row = (i64, String, Option<String>);

/// No thread of the log does anything by itself.
pub(super) fn quiet() -> LocalOptions {
    LocalOptions {
        flush_age: Duration::from_secs(3600),
        idle_marker: Duration::ZERO,
        compaction_interval: Duration::from_secs(3600),
        checkpoint_interval: Duration::from_secs(3600),
        checkpoint_bytes: 1 << 30,
        ..tiny()
    }
}

pub(super) fn open_at(fs: &MemFs, clock: &Arc<ManualClock>, options: LocalOptions) -> Arc<Local> {
    let clock: Arc<ManualClock> = Arc::clone(clock);
    open_local(Arc::new(fs.clone()), clock, options).unwrap()
}

pub(super) fn keyed_topic(log: &dyn LogBackend, settings: &[(&str, &str)]) -> Topic {
    let mut spec = TopicSpec::with_partitions(1);
    for (name, value) in [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0"),
    ]
    .iter()
    .chain(settings)
    {
        spec.settings.insert((*name).into(), (*value).into());
    }
    log.create_topic(&TopicName::try_new("t").unwrap(), &spec)
        .unwrap()
}

pub(super) fn keyed_batch(
    codec: Compression,
    at_ms: i64,
    rows: &[(&str, Option<&str>)],
) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for (key, value) in rows {
        let headers = [("h", Some(key.as_bytes()))];
        let value = value.map(str::as_bytes);
        let key = (!key.is_empty()).then_some(key.as_bytes());
        builder.push(at_ms, key, value, headers).unwrap();
    }
    builder.finish().unwrap()
}

pub(super) fn commit_of(topic: &Topic, batch: Vec<u8>) -> Commit {
    let append = Append {
        topic: topic.id,
        partition: PartitionId(0),
        batch,
    };
    Commit {
        appends: vec![append],
        puts: Vec::new(),
    }
}

/// Reads everything from log start on, and checks that offsets grow.
pub(super) fn rows(log: &dyn LogBackend, topic: &Topic) -> Result<Vec<Row>, Error> {
    let marks = log.offsets(&topic.id, PartitionId(0))?;
    let mut rows: Vec<Row> = Vec::new();
    let mut from = marks.log_start;
    while from < marks.high_watermark {
        let fetched = log.fetch(&topic.id, PartitionId(0), from, 1 << 20)?;
        assert!(fetched.next > from, "no progress at {from}");
        for batch in Batches::verified(&fetched.bytes) {
            let mut scratch = Vec::new();
            for record in batch.unwrap().records(&mut scratch).unwrap() {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let key = record.key.map(text).unwrap_or_default();
                assert!(rows.last().is_none_or(|last| last.0 < record.offset));
                let header = record
                    .headers
                    .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)));
                assert_eq!(
                    header.collect::<Vec<_>>(),
                    [(b"h".to_vec(), Some(key.clone().into_bytes()))],
                    "headers stay"
                );
                if record.offset >= from.0 {
                    rows.push((record.offset, key, record.value.map(text)));
                }
            }
        }
        from = fetched.next;
    }
    Ok(rows)
}

/// The newest record of every key.
pub(super) fn newest(rows: &[Row]) -> BTreeMap<String, (i64, Option<String>)> {
    let newest = rows.iter().cloned();
    newest
        .map(|(offset, key, value)| (key, (offset, value)))
        .collect()
}

fn segments(log: &dyn LogBackend) -> u32 {
    log.stat().unwrap().topics[0].partitions[0].segments
}

fn write_rounds(log: &dyn LogBackend, topic: &Topic, rounds: std::ops::Range<u32>, keys: u32) {
    let writer = producer(log);
    for round in rounds {
        for key in 0..keys {
            let key = format!("k{key}");
            let value = format!("{key} in round {round} {}", "x".repeat(120));
            let batch = keyed_batch(Compression::None, 1000, &[(&key, Some(&value))]);
            writer
                .submit(commit_of(topic, batch))
                .unwrap()
                .wait()
                .unwrap();
        }
    }
}

#[test]
fn the_newest_record_of_every_key_stays_and_segments_become_few() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet()).unwrap();
    let made = keyed_topic(&*log, &[]);
    write_rounds(&*log, &made, 0..30, 8);
    log.checkpoint().unwrap();
    let before = rows(&*log, &made).unwrap();
    let segments_before = segments(&*log);
    assert!(segments_before > 8, "{segments_before} segments");
    let done = log.run_compaction_now().unwrap();
    assert_eq!(done.len(), 1, "{done:?}");
    assert!(
        done[0].records.1 < 20 && done[0].without_key == 0,
        "{done:?}"
    );
    log.close().unwrap();
    let log = open_mem(&fs, quiet()).unwrap();
    assert!(segments(&*log) <= 3, "{} segments", segments(&*log));
    let after = rows(&*log, &made).unwrap();
    assert_eq!(newest(&after), newest(&before));
    assert!(after.len() < 8 + 30, "{} rows", after.len());
    assert!(after.iter().all(|row| before.contains(row)), "nothing new");
    // Any old position goes on with the next record that is left.
    for from in 0..240 {
        let fetched = log.fetch(&made.id, 0.into(), from.into(), 1).unwrap();
        let wanted = after.iter().find(|row| row.0 >= from).unwrap();
        let batch = Batches::new(&fetched.bytes).next().unwrap().unwrap();
        assert!(batch.header().last_offset() >= wanted.0, "from {from}");
        assert!(batch.header().base_offset <= wanted.0, "from {from}");
    }
    // There is nothing to do until something is written.
    assert_eq!(log.run_compaction_now().unwrap(), []);
    log.close().unwrap();
    drop(log);
    let stopped = open_read_only(
        Arc::new(fs.clone()),
        Arc::new(linkspan_types::SystemClock::default()),
        dir(),
    )
    .unwrap();
    assert_eq!(stopped.verify().problems, []);
    assert_eq!(rows(&*stopped, &made).unwrap(), after);
    let names: Vec<_> = fs.files();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().ends_with(".cleaned")),
        "{names:?}"
    );
}

#[test]
fn the_active_segment_young_records_and_clean_logs_are_left_alone() {
    let fs = MemFs::new();
    let clock = Arc::new(ManualClock::at(1_000_000));
    let log = open_at(&fs, &clock, quiet());
    let made = keyed_topic(&*log, &[("min.compaction.lag.ms", "5000")]);
    let writer = producer(&*log);
    let write = |at_ms: i64| {
        for _ in 0..40 {
            let batch = keyed_batch(Compression::None, at_ms, &[("k", Some(&"v".repeat(200)))]);
            writer
                .submit(commit_of(&made, batch))
                .unwrap()
                .wait()
                .unwrap();
        }
        log.checkpoint().unwrap();
    };
    write(996_000);
    assert_eq!(log.run_compaction_now().unwrap(), [], "all are young");
    clock.advance(Duration::from_secs(5));
    write(1_004_000);
    let done = log.run_compaction_now().unwrap();
    assert_eq!(done.len(), 1);
    let left = rows(&*log, &made).unwrap();
    // 40 young ones, and what shares a segment with them.
    assert!(left.len() > 40 && left.len() < 65, "{} rows", left.len());
    assert_eq!(left.last().unwrap().0, 79);
    drop(log);
    // A ratio of one half: a few more records are not worth a pass, many are.
    let fs = MemFs::new();
    let log = open_at(&fs, &clock, quiet());
    let made = keyed_topic(
        &*log,
        &[
            ("min.cleanable.dirty.ratio", "0.5"),
            ("max.compaction.lag.ms", "60000"),
        ],
    );
    let now = 1_005_000;
    let write = |keys: u32| {
        let writer = producer(&*log);
        for key in 0..keys {
            let (key, value) = (format!("k{key}"), "v".repeat(200));
            let batch = keyed_batch(Compression::None, now, &[(&key, Some(&value))]);
            writer
                .submit(commit_of(&made, batch))
                .unwrap()
                .wait()
                .unwrap();
        }
        log.checkpoint().unwrap();
    };
    write(200);
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    write(60);
    assert_eq!(log.run_compaction_now().unwrap(), []);
    // But after `max.compaction.lag.ms` they are.
    clock.advance(Duration::from_secs(61));
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
}

#[test]
fn tombstones_stay_until_their_horizon_and_then_go() {
    let fs = MemFs::new();
    let clock = Arc::new(ManualClock::at(1_000_000));
    let mut log = open_at(&fs, &clock, quiet());
    let made = keyed_topic(&*log, &[("delete.retention.ms", "10000")]);
    let fill = |log: &Local| {
        let writer = producer(log);
        for n in 0..40 {
            let value = format!("{n}{}", "v".repeat(200));
            let batch = keyed_batch(Compression::Lz4, 500, &[("other", Some(&value))]);
            writer
                .submit(commit_of(&made, batch))
                .unwrap()
                .wait()
                .unwrap();
        }
        log.checkpoint().unwrap();
    };
    let writer = producer(&*log);
    for batch in [
        keyed_batch(
            Compression::Lz4,
            500,
            &[("a", Some("1")), ("b", Some("2")), ("c", Some("3"))],
        ),
        keyed_batch(
            Compression::Lz4,
            501,
            &[("a", None), ("b", Some("4")), ("b", None)],
        ),
    ] {
        writer
            .submit(commit_of(&made, batch))
            .unwrap()
            .wait()
            .unwrap();
    }
    fill(&log);
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    let tombstones = |log: &Local| {
        let rows = rows(log, &made).unwrap();
        let of = |key: &str| {
            rows.iter()
                .filter(|row| row.1 == key)
                .map(|row| row.2.clone())
                .collect::<Vec<_>>()
        };
        (of("a"), of("b"), of("c"))
    };
    let kept = (vec![None], vec![None], vec![Some("3".to_owned())]);
    assert_eq!(tombstones(&log), kept);
    // The horizon is that of the first compaction, also after a restart.
    clock.advance(Duration::from_millis(9_999));
    log.close().unwrap();
    log = open_at(&fs, &clock, quiet());
    fill(&log);
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    assert_eq!(tombstones(&log), kept);
    clock.advance(Duration::from_millis(1));
    fill(&log);
    assert_eq!(log.run_compaction_now().unwrap().len(), 1);
    assert_eq!(tombstones(&log), (vec![], vec![], kept.2));
}

#[test]
fn more_keys_than_fit_take_several_passes() {
    for keys_max in [1, 3, 7] {
        let options = LocalOptions {
            compaction_keys_max: keys_max,
            ..quiet()
        };
        let log = open_mem(&MemFs::new(), options).unwrap();
        let made = keyed_topic(&*log, &[]);
        write_rounds(&*log, &made, 0..12, 10);
        log.checkpoint().unwrap();
        let before = rows(&*log, &made).unwrap();
        log.run_compaction_now().unwrap();
        let after = rows(&*log, &made).unwrap();
        assert_eq!(newest(&after), newest(&before), "keys_max {keys_max}");
        let active = 25;
        assert!(
            after.len() <= 10 + active,
            "{} rows with keys_max {keys_max}",
            after.len()
        );
        assert_eq!(log.run_compaction_now().unwrap(), []);
    }
}

#[test]
fn random_histories_agree_with_a_map() {
    for seed in 0..25_u64 {
        let mut random = super::suite::Random(seed * 31 + 7);
        let clock = Arc::new(ManualClock::at(1_000_000));
        let fs = MemFs::new();
        let options = LocalOptions {
            compaction_keys_max: 4 + usize::try_from(random.below(30)).unwrap(),
            ..quiet()
        };
        let mut log = open_at(&fs, &clock, options.clone());
        let made = keyed_topic(&*log, &[("delete.retention.ms", "100")]);
        let mut written: Vec<Row> = Vec::new();
        for _ in 0..60 {
            match random.below(10) {
                0 => log.checkpoint().unwrap(),
                1 => drop(log.run_compaction_now().unwrap()),
                2 => clock.advance(Duration::from_millis(random.below(200))),
                3 if random.below(4) == 0 => {
                    log.close().unwrap();
                    log = open_at(&fs, &clock, options.clone());
                }
                _ => {
                    let codecs = [Compression::None, Compression::Zstd, Compression::Gzip];
                    let codec = codecs[usize::try_from(random.below(3)).unwrap()];
                    let rows: Vec<(String, Option<String>)> = (0..1 + random.below(9))
                        .map(|_| {
                            let value = format!("{}{}", random.below(1 << 40), "z".repeat(60));
                            let key = format!("k{}", random.below(20));
                            (key, (random.below(5) > 0).then_some(value))
                        })
                        .collect();
                    let refs: Vec<_> = rows
                        .iter()
                        .map(|(k, v)| (k.as_str(), v.as_deref()))
                        .collect();
                    let batch = keyed_batch(codec, clock_ms(&clock), &refs);
                    let ticket = producer(&*log).submit(commit_of(&made, batch)).unwrap();
                    let base = ticket.wait().unwrap().base_offsets[0].0;
                    written.extend(rows.into_iter().zip(base..).map(|((k, v), o)| (o, k, v)));
                }
            }
            let live = |rows: &[Row]| {
                let mut newest = newest(rows);
                newest.retain(|_, (_, value)| value.is_some());
                newest
            };
            let read = rows(&*log, &made).unwrap();
            assert_eq!(live(&read), live(&written), "seed {seed}");
            assert!(read.iter().all(|row| written.contains(row)), "seed {seed}");
        }
        drop(log);
    }
}

fn clock_ms(clock: &ManualClock) -> i64 {
    linkspan_types::Clock::now_ms(clock)
}

#[test]
fn writers_and_readers_go_on_while_a_topic_is_compacted() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    let made = keyed_topic(&*log, &[]);
    write_rounds(&*log, &made, 0..10, 8);
    log.checkpoint().unwrap();
    // A reader that has found its place and opened its file before the swap.
    let partition = log.partition_for_test(&made.id, 0);
    let old = partition.lock().segments[0].clone();
    let held = partition
        .file(log.core_for_test(), &old.whole(&[]))
        .unwrap()
        .unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| write_rounds(&*log, &made, 10..60, 8));
        let reading = scope.spawn(|| {
            let mut reads = 0;
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                let rows = rows(&*log, &made).unwrap();
                assert_eq!(newest(&rows).len(), 8);
                reads += 1;
            }
            reads
        });
        let mut passes = 0;
        while !writing.is_finished() || passes < 3 {
            passes += log.run_compaction_now().unwrap().len();
            if writing.is_finished() && passes < 3 {
                log.checkpoint().unwrap();
                write_rounds(&*log, &made, 60..70, 8);
            }
        }
        done.store(true, std::sync::atomic::Ordering::Release);
        assert!(reading.join().unwrap() > 0);
        assert!(passes >= 3);
    });
    let mut bytes = vec![0; usize::try_from(old.len).unwrap()];
    assert_eq!(held.read_at(&mut bytes, 0).unwrap(), bytes.len());
    let first = Batches::verified(&bytes).next().unwrap().unwrap();
    assert_eq!(first.header().base_offset, 0, "the old file is still whole");
    // And one that found its place, but has not opened the file yet, looks again.
    assert!(
        partition
            .file(log.core_for_test(), &old.whole(&[]))
            .unwrap()
            .is_none()
    );
    let rows = rows(&*log, &made).unwrap();
    assert!(newest(&rows).values().all(|(_, value)| value.is_some()));
}

#[test]
fn a_record_without_a_key_is_refused_with_its_place() {
    let log = open_mem(&MemFs::new(), quiet()).unwrap();
    let made = keyed_topic(&*log, &[]);
    let writer = producer(&*log);
    for codec in [Compression::None, Compression::Gzip] {
        let batch = keyed_batch(codec, 1, &[("a", Some("1")), ("", Some("2"))]);
        let error = writer.submit(commit_of(&made, batch)).unwrap_err();
        let Error::NullKey {
            topic,
            partition,
            index,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!((topic.as_str(), partition.0, index), ("t", 0, &1));
        assert!(error.to_string().contains("key.fields"), "{error}");
    }
    // Nothing else is harmed; an empty key is a key.
    let mut builder = BatchBuilder::new(Compression::None);
    builder.push_plain(1, Some(b""), Some(b"v")).unwrap();
    let batch = builder.finish().unwrap();
    writer
        .submit(commit_of(&made, batch))
        .unwrap()
        .wait()
        .unwrap();
}

#[test]
fn damage_is_not_compacted_away() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet()).unwrap();
    let made = keyed_topic(&*log, &[]);
    write_rounds(&*log, &made, 0..12, 8);
    log.close().unwrap();
    drop(log);
    let first = fs
        .files()
        .into_iter()
        .find(|f| f.extension().is_some_and(|e| e == "log"))
        .unwrap();
    let mut bytes = fs.contents(&first).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs.set_contents(&first, bytes.clone());
    let log = open_mem(&fs, quiet()).unwrap();
    let before = segments(&*log);
    assert_eq!(log.run_compaction_now().unwrap(), []);
    assert_eq!(segments(&*log), before);
    assert_eq!(fs.contents(&first).unwrap(), bytes);
    assert!(matches!(rows(&*log, &made), Err(Error::Corrupt { .. })));
    assert!(
        fs.files()
            .iter()
            .all(|f| !f.to_string_lossy().contains(".cleaned"))
    );
}

#[test]
fn a_full_disk_ends_a_pass_and_harms_nothing() {
    let fs = MemFs::new();
    let log = open_mem(&fs, quiet()).unwrap();
    let made = keyed_topic(&*log, &[]);
    write_rounds(&*log, &made, 0..20, 8);
    log.checkpoint().unwrap();
    let before = rows(&*log, &made).unwrap();
    for path in [".cleaned", ".snap"] {
        fs.fail(FaultOp::Write, path, 0, 1, std::io::ErrorKind::StorageFull);
        let result = log.run_compaction_now();
        fs.heal();
        assert!(!matches!(result, Err(Error::Poisoned { .. })), "{result:?}");
        assert_eq!(rows(&*log, &made).unwrap(), before, "{path}");
    }
    log.run_compaction_now().unwrap();
    let after = rows(&*log, &made).unwrap();
    assert_eq!(newest(&after), newest(&before));
    assert!(after.len() < before.len() / 2);
    write_rounds(&*log, &made, 20..21, 8);
}
