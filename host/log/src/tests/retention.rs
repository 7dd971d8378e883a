//! Retention against a model, against crashes, against clocks that lie; and the log that is full.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use linkspan_types::{ManualClock, Offset, PartitionId, TopicName};
use proptest::prelude::*;

use super::support::{tiny, topic};
use crate::conformance::{batch, read_all};
use crate::{
    Append, Commit, Error, GroupOffset, Health, KvPut, Local, LocalOptions, LogBackend, MemFs,
    Store, Topic, TopicSpec, group_offset_key, open_local,
};

const START_MS: i64 = 1_700_000_000_000;
const PARTITIONS: i32 = 2;
/// Bytes of a batch header and one record with a value of up to 63 bytes beyond the value.
const TEXT: usize = 40;

fn open(fs: &MemFs, clock: &Arc<ManualClock>, options: LocalOptions) -> Arc<Local> {
    let clock: Arc<dyn linkspan_types::Clock> = Arc::clone(clock) as _;
    open_local(Arc::new(fs.clone()), clock, options).unwrap()
}

fn options() -> LocalOptions {
    LocalOptions {
        segment_bytes: 1000,
        ..tiny()
    }
}

fn name() -> TopicName {
    TopicName::try_new("t").unwrap()
}

fn submit(log: &dyn LogBackend, appends: Vec<Append>, puts: Vec<KvPut>) -> crate::Result<()> {
    let producer = log.open_producer(&"test".into())?;
    producer.submit(Commit { appends, puts })?.wait()?;
    Ok(())
}

fn record(made: &Topic, partition: i32, timestamp: i64, n: i64) -> Append {
    let text = format!("{n:0TEXT$}");
    Append {
        topic: made.id,
        partition: PartitionId(partition),
        batch: batch(timestamp, &[&text]),
    }
}

fn append(log: &dyn LogBackend, made: &Topic, partition: i32, timestamp: i64) -> i64 {
    let next = end(log, made, partition);
    submit(
        log,
        vec![record(made, partition, timestamp, next)],
        Vec::new(),
    )
    .unwrap();
    next
}

fn position(made: &Topic, group: &str, partition: i32, next: i64) -> KvPut {
    let offset = GroupOffset {
        topic_id: made.id,
        next: Offset(next),
        leader_epoch: 0.into(),
        metadata: String::new(),
        commit_ts: 0,
    };
    KvPut {
        store: Store::GroupOffsets,
        key: group_offset_key(&group.into(), &made.id, PartitionId(partition)),
        value: Some(offset.encode(&made.name)),
    }
}

fn start(log: &dyn LogBackend, made: &Topic, partition: i32) -> i64 {
    let marks = log.offsets(&made.id, PartitionId(partition)).unwrap();
    marks.log_start.0
}

fn end(log: &dyn LogBackend, made: &Topic, partition: i32) -> i64 {
    let marks = log.offsets(&made.id, PartitionId(partition)).unwrap();
    marks.high_watermark.0
}

fn set(log: &dyn LogBackend, pairs: &[(&str, String)]) {
    let changes: BTreeMap<String, Option<String>> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Some(value.clone())))
        .collect();
    log.alter_topic(&name(), &changes).unwrap();
}

/// Everything is in segments, then retention looks.
fn retain(log: &Local) {
    log.checkpoint().unwrap();
    log.run_retention_now().unwrap();
}

fn lost(log: &dyn LogBackend, partition: usize) -> u64 {
    log.stat().unwrap().topics[0].partitions[partition].lost
}

#[derive(Clone, Debug)]
enum Step {
    /// So many records, so many milliseconds apart.
    Append(i32, u8, u16),
    Advance(u16),
    /// The declared reader gets this far, in parts of 8.
    Read(i32, u8),
    RetentionMs(i64),
    RetentionBytes(i64),
    SegmentMs(i64),
    KeepUnread(bool),
    Declare(bool),
    DeleteRecords(i32, u8),
    Retain,
    Reopen(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let partition = 0..PARTITIONS;
    let step = prop_oneof![
        6 => (partition.clone(), 1_u8..12, 0_u16..400).prop_map(|(p, n, ms)| Step::Append(p, n, ms)),
        3 => (1_u16..5000).prop_map(Step::Advance),
        3 => (partition.clone(), 0_u8..9).prop_map(|(p, eighth)| Step::Read(p, eighth)),
        1 => prop_oneof![Just(-1), 0_i64..8000].prop_map(Step::RetentionMs),
        1 => prop_oneof![Just(-1), 0_i64..6000].prop_map(Step::RetentionBytes),
        1 => (1_i64..4000).prop_map(Step::SegmentMs),
        1 => any::<bool>().prop_map(Step::KeepUnread),
        1 => any::<bool>().prop_map(Step::Declare),
        1 => (partition, 0_u8..9).prop_map(|(p, eighth)| Step::DeleteRecords(p, eighth)),
        5 => Just(Step::Retain),
        1 => any::<bool>().prop_map(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Clone, Debug)]
struct ModelSegment {
    next: i64,
    len: i64,
    first: Option<i64>,
    real_first: i64,
    newest: i64,
    sealed: bool,
}

#[derive(Clone, Debug, Default)]
struct ModelPartition {
    start: i64,
    end: i64,
    read: i64,
    lost: i64,
    segments: Vec<ModelSegment>,
}

#[derive(Clone, Debug)]
struct Model {
    now: i64,
    retention_ms: i64,
    retention_bytes: i64,
    segment_ms: i64,
    keep: bool,
    declared: bool,
    partitions: HashMap<i32, ModelPartition>,
}

impl Model {
    fn append(&mut self, partition: i32, len: i64, timestamp: i64) {
        let segment_ms = self.segment_ms;
        let model = self.partitions.get_mut(&partition).unwrap();
        model.end += 1;
        let end = model.end;
        if let Some(last) = model.segments.last_mut()
            && !last.sealed
        {
            last.first = Some(last.real_first);
            if last.len + len <= 1000 && timestamp - last.real_first <= segment_ms {
                last.next = end;
                last.len += len;
                last.newest = last.newest.max(timestamp);
                return;
            }
        }
        model.segments.push(ModelSegment {
            next: end,
            len,
            first: Some(timestamp),
            real_first: timestamp,
            newest: timestamp,
            sealed: false,
        });
    }

    fn trim(&mut self, partition: i32, to: i64) {
        let declared = self.declared;
        let model = self.partitions.get_mut(&partition).unwrap();
        if to <= model.start {
            return;
        }
        if declared {
            model.lost += (to - model.read.max(model.start)).max(0);
        }
        model.start = to;
        model.segments.retain(|segment| segment.next > to);
    }

    fn retain(&mut self) {
        for partition in 0..PARTITIONS {
            let model = &mut self.partitions.get_mut(&partition).unwrap();
            if let Some(last) = model.segments.last_mut() {
                let since = last.first.unwrap_or(last.newest);
                last.sealed |= self.now - since > self.segment_ms;
            }
            let model = &self.partitions[&partition];
            let mut segments = model.segments.clone();
            let mut to = model.start;
            let may_go = |segment: &ModelSegment| {
                !(self.declared && self.keep) || segment.next <= model.read
            };
            while let Some(first) = segments.first() {
                let old = self.retention_ms >= 0 && self.now - first.newest > self.retention_ms;
                let total: i64 = segments.iter().map(|s| s.len).sum();
                let much = self.retention_bytes >= 0 && total - first.len >= self.retention_bytes;
                if !(old || much) || !may_go(first) {
                    break;
                }
                to = first.next;
                segments.remove(0);
            }
            self.trim(partition, to);
        }
    }
}

fn check(log: &Local, made: &Topic, model: &Model) {
    for (partition, expected) in &model.partitions {
        let found = read_all(log, &made.id, *partition).unwrap();
        let expected_records: Vec<(i64, String)> = (expected.start..expected.end)
            .map(|n| (n, format!("{n:0TEXT$}")))
            .collect();
        assert_eq!(found, expected_records, "partition {partition}");
        assert_eq!(
            start(log, made, *partition),
            expected.start,
            "start of {partition}"
        );
        let index = usize::try_from(*partition).unwrap();
        assert_eq!(
            lost(log, index),
            u64::try_from(expected.lost).unwrap(),
            "lost in {partition}"
        );
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each kind of step")]
fn run(steps: &[Step]) {
    let clock = Arc::new(ManualClock::at(START_MS));
    let mut fs = MemFs::new();
    let mut log = open(&fs, &clock, options());
    let made = topic(&*log, "t", PARTITIONS);
    let week = 7 * 24 * 3_600_000;
    let mut model = Model {
        now: START_MS,
        retention_ms: week,
        retention_bytes: -1,
        segment_ms: week,
        keep: true,
        declared: false,
        partitions: (0..PARTITIONS)
            .map(|p| (p, ModelPartition::default()))
            .collect(),
    };
    let part = |of: i64, eighth: u8| of * i64::from(eighth) / 8;
    for step in steps {
        match step {
            Step::Append(partition, n, apart) => {
                for _ in 0..*n {
                    let passed = Duration::from_millis(u64::from(*apart));
                    clock.advance(passed);
                    model.now += i64::from(*apart);
                    let number = append(&*log, &made, *partition, model.now);
                    let len = record(&made, *partition, model.now, number).batch.len();
                    model.append(*partition, i64::try_from(len).unwrap(), model.now);
                }
            }
            Step::Advance(ms) => {
                clock.advance(Duration::from_millis(u64::from(*ms)));
                model.now += i64::from(*ms);
            }
            Step::Read(partition, eighth) => {
                let model = model.partitions.get_mut(partition).unwrap();
                model.read = part(model.end, *eighth);
                let put = position(&made, "g", *partition, model.read);
                submit(&*log, Vec::new(), vec![put]).unwrap();
            }
            Step::RetentionMs(ms) => {
                model.retention_ms = *ms;
                set(&*log, &[("retention.ms", ms.to_string())]);
            }
            Step::RetentionBytes(bytes) => {
                model.retention_bytes = *bytes;
                set(&*log, &[("retention.bytes", bytes.to_string())]);
            }
            Step::SegmentMs(ms) => {
                // What was written before is closed by the rule of its time.
                log.checkpoint().unwrap();
                model.segment_ms = *ms;
                set(&*log, &[("segment.ms", ms.to_string())]);
            }
            Step::KeepUnread(keep) => {
                model.keep = *keep;
                set(&*log, &[("keep.unread", keep.to_string())]);
            }
            Step::Declare(declared) => {
                model.declared = *declared;
                if *declared {
                    log.declare_reader(&"g".into(), &[name()]).unwrap();
                } else {
                    log.forget_reader(&"g".into()).unwrap();
                }
            }
            Step::DeleteRecords(partition, eighth) => {
                log.checkpoint().unwrap();
                let to = part(model.partitions[partition].end, *eighth);
                let partition_id = PartitionId(*partition);
                let answer = log.delete_records(&made.id, partition_id, Some(Offset(to)));
                model.trim(*partition, to);
                assert_eq!(answer.unwrap().0, model.partitions[partition].start);
            }
            Step::Retain => {
                retain(&log);
                model.retain();
                check(&log, &made, &model);
            }
            Step::Reopen(crash) => {
                log.checkpoint().unwrap();
                if *crash {
                    let after = fs.crash(model.now.unsigned_abs());
                    drop(log);
                    fs = after;
                } else {
                    log.close().unwrap();
                    drop(log);
                }
                log = open(&fs, &clock, options());
                for segment in model.partitions.values_mut().flat_map(|p| &mut p.segments) {
                    segment.sealed = false;
                    segment.first = None;
                }
                check(&log, &made, &model);
            }
        }
    }
    retain(&log);
    model.retain();
    check(&log, &made, &model);
    let held = log.stat().unwrap();
    let expected: i64 = model
        .partitions
        .values()
        .flat_map(|p| &p.segments)
        .map(|segment| segment.len)
        .sum();
    assert_eq!(held.log_bytes, u64::try_from(expected).unwrap());
    assert_eq!(held.segment_bytes, held.log_bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_log_and_the_model_agree(steps in steps()) {
        run(&steps);
    }
}

#[test]
fn the_model_notices_a_wrong_rule() {
    // A negative control: the same history, judged by a model that forgets the reader.
    let clock = Arc::new(ManualClock::at(START_MS));
    let log = open(&MemFs::new(), &clock, options());
    let made = topic(&*log, "t", PARTITIONS);
    log.declare_reader(&"g".into(), &[name()]).unwrap();
    for n in 0..30 {
        append(&*log, &made, 0, START_MS + n);
    }
    set(&*log, &[("retention.ms", "10".to_owned())]);
    clock.advance(Duration::from_secs(1));
    retain(&log);
    assert_eq!(start(&*log, &made, 0), 0, "the reader has read nothing");
    log.forget_reader(&"g".into()).unwrap();
    retain(&log);
    assert_eq!(start(&*log, &made, 0), 30, "nobody waits for it any more");
}

#[test]
fn power_loss_at_every_call_of_retention_keeps_what_is_unread() {
    let script = |fs: &MemFs, clock: &Arc<ManualClock>| -> crate::Result<()> {
        let shared: Arc<dyn linkspan_types::Clock> = Arc::clone(clock) as _;
        let log = open_local(Arc::new(fs.clone()), shared, options())?;
        let spec = TopicSpec {
            partitions: 1,
            settings: BTreeMap::from([("retention.ms".to_owned(), "50".to_owned())]),
        };
        let made = log.create_topic(&name(), &spec)?;
        log.declare_reader(&"g".into(), &[name()])?;
        for round in 0..4 {
            for n in 0..20 {
                let n = round * 20 + n;
                submit(&*log, vec![record(&made, 0, START_MS, n)], Vec::new())?;
            }
            // The reader is at two thirds of what there is.
            let read = position(&made, "g", 0, (round + 1) * 20 * 2 / 3);
            submit(&*log, Vec::new(), vec![read])?;
            log.checkpoint()?;
            log.run_retention_now()?;
        }
        log.close()
    };
    let total = {
        let fs = MemFs::new();
        let clock = Arc::new(ManualClock::at(START_MS + 1000));
        script(&fs, &clock).unwrap();
        fs.calls()
    };
    let mut deleted = 0;
    for at in 1..=total {
        let clock = Arc::new(ManualClock::at(START_MS + 1000));
        let fs = MemFs::new();
        fs.crash_at(at);
        drop(script(&fs, &clock));
        let fs = fs.crash(at * 31);
        let log = open(&fs, &clock, options());
        let Some(made) = log.topic(&name()).unwrap() else {
            continue;
        };
        let marks = log.offsets(&made.id, 0.into()).unwrap();
        let found = read_all(&*log, &made.id, 0).unwrap();
        let expected: Vec<(i64, String)> = (marks.log_start.0..marks.high_watermark.0)
            .map(|n| (n, format!("{n:0TEXT$}")))
            .collect();
        assert_eq!(found, expected, "call {at} of {total}");
        let read = crate::list_group(&*log, &"g".into()).unwrap();
        let read = read.first().map_or(0, |(_, _, offset)| offset.next.0);
        assert!(
            marks.log_start.0 <= read,
            "call {at}: {marks:?}, read up to {read}"
        );
        deleted += u32::from(marks.log_start.0 > 0);
        // And the life goes on.
        retain(&log);
        assert_eq!(lost(&*log, 0), 0);
        append(&*log, &made, 0, START_MS);
        let bytes = log.stat().unwrap().log_bytes;
        log.close().unwrap();
        assert_eq!(
            open(&fs, &clock, options()).stat().unwrap().log_bytes,
            bytes
        );
    }
    assert!(
        deleted > 20,
        "only {deleted} of {total} crashes came after a deletion"
    );
}

#[test]
fn a_clock_that_jumps_never_deletes_early() {
    let clock = Arc::new(ManualClock::at(START_MS));
    let log = open(&MemFs::new(), &clock, options());
    let made = topic(&*log, "t", 1);
    set(&*log, &[("retention.ms", "10000".to_owned())]);
    append(&*log, &made, 0, START_MS);
    retain(&log);
    clock.jump_to(START_MS + 30 * 24 * 3_600_000);
    retain(&log);
    assert_eq!(start(&*log, &made, 0), 0, "a jump forward counts as age");
    clock.jump_to(START_MS - 30 * 24 * 3_600_000);
    retain(&log);
    clock.jump_to(START_MS);
    retain(&log);
    assert_eq!(start(&*log, &made, 0), 0);
    // Real time counts.
    clock.advance(Duration::from_secs(3700));
    retain(&log);
    assert_eq!(start(&*log, &made, 0), 1);
}

#[test]
fn a_full_log_refuses_records_keeps_positions_and_reads_and_resumes() {
    let clock = Arc::new(ManualClock::at(START_MS));
    let fs = MemFs::new();
    let bounded = LocalOptions {
        log_bytes_max: Some(3000),
        ..options()
    };
    let log = open(&fs, &clock, bounded.clone());
    let made = topic(&*log, "t", 1);
    log.declare_reader(&"g".into(), &[name()]).unwrap();
    set(&*log, &[("retention.ms", "1000".to_owned())]);
    let mut taken = 0;
    let refused = loop {
        match submit(&*log, vec![record(&made, 0, START_MS, taken)], Vec::new()) {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::DiskBound { .. }), "{refused:?}");
    assert!(refused.is_temporary());
    let text = refused.to_string();
    assert!(
        text.contains("log.max.bytes") && text.contains("retention.ms"),
        "{text}"
    );
    assert!(matches!(log.health(), Health::DiskBound { .. }));
    assert_eq!(log.stat().unwrap().health, "disk-bound");
    assert!(taken > 10, "{taken}");
    // Old, but unread: nothing is deleted, also not for room.
    clock.advance(Duration::from_secs(60));
    retain(&log);
    assert_eq!(start(&*log, &made, 0), 0);
    assert_eq!(
        read_all(&*log, &made.id, 0).unwrap().len(),
        usize::try_from(taken).unwrap()
    );
    submit(&*log, Vec::new(), vec![position(&made, "g", 0, taken)]).unwrap();
    retain(&log);
    assert_eq!(start(&*log, &made, 0), taken);
    assert_eq!(log.health(), Health::Ok);
    submit(&*log, vec![record(&made, 0, START_MS, taken)], Vec::new()).unwrap();
    // The bound holds in a later life, and a deleted topic makes room.
    while submit(&*log, vec![record(&made, 0, START_MS, 0)], Vec::new()).is_ok() {}
    log.close().unwrap();
    drop(log);
    let log = open(&fs, &clock, bounded);
    assert!(matches!(log.health(), Health::DiskBound { .. }));
    log.delete_topic(&name()).unwrap();
    assert_eq!(
        (log.health(), log.stat().unwrap().log_bytes),
        (Health::Ok, 0)
    );
}

#[test]
fn deliberate_loss_is_counted_and_said() {
    let clock = Arc::new(ManualClock::at(START_MS));
    let fs = MemFs::new();
    let log = open(&fs, &clock, options());
    let made = topic(&*log, "t", 1);
    log.declare_reader(&"g".into(), &[name()]).unwrap();
    set(
        &*log,
        &[
            ("retention.ms", "1000".to_owned()),
            ("keep.unread", "false".to_owned()),
        ],
    );
    for _ in 0..20 {
        append(&*log, &made, 0, START_MS);
    }
    submit(&*log, Vec::new(), vec![position(&made, "g", 0, 5)]).unwrap();
    clock.advance(Duration::from_secs(10));
    retain(&log);
    assert_eq!((start(&*log, &made, 0), lost(&*log, 0)), (20, 15));
    log.close().unwrap();
    drop(log);
    assert_eq!(lost(&*open(&fs, &clock, options()), 0), 15);
}

/// What Kafka's broker did, in `golden/log`: setups `retention` and `roll`.
#[test]
fn segments_roll_and_go_as_in_kafka() {
    let clock = Arc::new(ManualClock::at(START_MS));
    let log = open(&MemFs::new(), &clock, options());
    let made = topic(&*log, "t", 1);
    set(&*log, &[("segment.ms", "60000".to_owned())]);
    let bases = || -> Vec<i64> {
        log.checkpoint().unwrap();
        let partition = log.partition_for_test(&made.id, 0);
        let state = partition.lock();
        state.segments.iter().map(|segment| segment.base).collect()
    };
    for (after, expected) in [
        (0, vec![0]),
        (60_000, vec![0]),
        (60_001, vec![0, 2]),
        (10, vec![0, 2]),
        (120_002, vec![0, 2, 4]),
    ] {
        append(&*log, &made, 0, START_MS + after);
        assert_eq!(bases(), expected, "after {after} ms");
    }
    // An idle segment closes by the clock.
    clock.advance(Duration::from_millis(180_100));
    retain(&log);
    append(&*log, &made, 0, START_MS + 120_003);
    assert_eq!(bases(), [0, 2, 4, 5]);
    // retention.bytes=1 leaves the last segment, 0 takes it, too.
    set(&*log, &[("retention.bytes", "1".to_owned())]);
    retain(&log);
    assert_eq!(bases(), [5]);
    set(&*log, &[("retention.bytes", "0".to_owned())]);
    retain(&log);
    assert_eq!((bases(), start(&*log, &made, 0)), (vec![], 6));
    append(&*log, &made, 0, START_MS);
    assert_eq!((end(&*log, &made, 0), bases()), (7, vec![6]));
}
