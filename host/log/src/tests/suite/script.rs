//! Scripts: fixed and random operations, and how they are run against a log.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use std::path::PathBuf;
use std::sync::Arc;

use linkspan_types::{ManualClock, Offset, OwnerId, TopicName, TopicPartition};
use linkspan_wire::{Compression, set_producer};

use super::Random;
use super::oracle::{AGING, KEYED, Model, NUMBERED, Op, RETENTION_MS, State};
use crate::conformance::batch;
use crate::tests::compaction::keyed_batch;
use crate::tests::support::{append, open_mem, put, tiny};
use crate::{
    Append, Commit, Error, Health, KvPut, Local, LocalOptions, LogBackend, MemFs, Producer, Result,
    Store, Ticket, Topic, TopicSpec, open_local,
};

/// The groups whose positions scripts set.
pub(super) const GROUPS: [&str; 2] = ["g0", "g1"];
/// How many commits are on their way at most.
const IN_FLIGHT: usize = 3;
/// The id of the idempotent producer.
const PRODUCER_ID: i64 = 4711;

/// A log, and the clock that it lives by if that is not the machine's.
#[derive(Debug)]
pub(super) struct Living {
    pub(super) log: Arc<Local>,
    clock: Option<Arc<ManualClock>>,
}

/// Opens a log as the model says: with small files, by its clock.
///
/// # Errors
/// The log's.
pub(super) fn open(fs: &MemFs, model: &Model) -> Result<Living> {
    let now_ms = model.expected().now_ms();
    if now_ms == 0 {
        let log = open_mem(fs, tiny())?;
        return Ok(Living { log, clock: None });
    }
    let clock = Arc::new(ManualClock::at(now_ms));
    let options = LocalOptions {
        segment_bytes: 1024,
        ..tiny()
    };
    let log = open_local(
        Arc::new(fs.clone()),
        Arc::<ManualClock>::clone(&clock),
        options,
    )?;
    let clock = Some(clock);
    Ok(Living { log, clock })
}

fn commit(number: u64, records: Vec<(&str, i32, String)>) -> Op {
    let records = records
        .into_iter()
        .map(|(topic, partition, text)| (topic.to_owned(), partition, text))
        .collect();
    let deleted = format!("k{}", (number + 3) % 7);
    Op::Commit {
        number,
        records,
        puts: vec![
            ("count".into(), Some(number.to_string())),
            (format!("k{}", number % 7), Some(number.to_string())),
            (deleted, None),
        ],
    }
}

/// A short script that makes the log do everything once: roll segments, use journal files again, write deltas.
pub(super) fn fixed() -> Vec<Op> {
    let create = |topic: &str, partitions| Op::Create {
        topic: topic.into(),
        partitions,
    };
    let mut ops = vec![create("a", 2), create("b", 1)];
    for number in 0..8 {
        ops.push(commit(
            number,
            vec![
                (
                    "a",
                    i32::from(number % 2 == 0),
                    format!("{number}.0{}", "x".repeat(900)),
                ),
                ("b", 0, format!("{number}.1")),
            ],
        ));
    }
    ops.push(Op::Checkpoint);
    ops.push(Op::Position {
        group: "g0".into(),
        topic: "a".into(),
        partition: 0,
        next: 2,
    });
    ops.push(Op::Grow {
        topic: "b".into(),
        partitions: 3,
    });
    for number in 8..14 {
        let size = if number == 9 { 9000 } else { 1500 };
        ops.push(commit(
            number,
            vec![
                ("a", 0, format!("{number}.0{}", "x".repeat(size))),
                ("b", 2, format!("{number}.1")),
                ("a", 0, format!("{number}.2")),
            ],
        ));
    }
    ops.push(Op::Forget { group: "g0".into() });
    ops.push(create("gone", 2));
    ops.push(commit(
        20,
        vec![("gone", 1, format!("20{}", "x".repeat(700)))],
    ));
    ops.push(Op::Alter {
        topic: "a".into(),
        bytes_max: 500_000,
    });
    ops.push(Op::Trim {
        topic: "a".into(),
        partition: 0,
        before: 7,
    });
    ops.push(Op::Delete {
        topic: "gone".into(),
    });
    ops.push(Op::Checkpoint);
    ops.push(Op::Retention);
    for number in 14..18 {
        ops.push(commit(
            number,
            vec![("b", 1, format!("{number}{}", "x".repeat(600)))],
        ));
    }
    ops
}

/// A script of what a log does to itself: compaction, retention, a backup; and of a producer that numbers its batches.
pub(super) fn upkeep() -> Vec<Op> {
    let create = |topic: &str| Op::Create {
        topic: topic.into(),
        partitions: 1,
    };
    let round = |numbers: std::ops::Range<u32>| {
        numbers.flat_map(|n| {
            [
                Op::Keyed {
                    key: format!("k{}", n % 3),
                    value: (n % 5 != 4).then(|| format!("{n}{}", "v".repeat(250))),
                },
                Op::Numbered {
                    text: format!("{n}"),
                },
                Op::Aging {
                    text: format!("{n}{}", "x".repeat(250)),
                },
            ]
        })
    };
    let mut ops = vec![create(KEYED), create(NUMBERED), create(AGING)];
    ops.extend(round(0..9));
    ops.push(Op::Checkpoint);
    ops.push(Op::Age {
        by_ms: 2 * RETENTION_MS,
    });
    ops.extend(round(9..12));
    ops.push(Op::Checkpoint);
    ops.extend([Op::Compact, Op::Retention, Op::Backup]);
    ops.extend(round(12..17));
    ops.push(Op::Checkpoint);
    ops.push(Op::Age {
        by_ms: 2 * RETENTION_MS,
    });
    ops.extend([Op::Retention, Op::Compact, Op::Checkpoint]);
    ops.extend(round(17..19));
    ops
}

/// A batch of now: a producer whose last one is older than a day is forgotten, as Kafka does.
fn numbered(sequence: i64, now_ms: i64, text: &str) -> Vec<u8> {
    let mut bytes = batch(now_ms, &[text]);
    set_producer(&mut bytes, PRODUCER_ID, 0, i32::try_from(sequence).unwrap()).unwrap();
    bytes
}

fn of(topic: &Topic, batch: Vec<u8>) -> Append {
    Append {
        topic: topic.id,
        partition: 0.into(),
        batch,
    }
}

/// The idempotent producer sends its last batches again, as after a lost answer: none may be stored twice.
///
/// # Errors
/// What is wrong.
pub(super) fn send_again(log: &Local, state: &State) -> std::result::Result<(), String> {
    let end = match state.partitions(NUMBERED) {
        0 => 0,
        _ => state.end(NUMBERED, 0),
    };
    let name = TopicName::try_new(NUMBERED).unwrap();
    let Some(topic) = log.topic(&name).ok().flatten().filter(|_| end > 0) else {
        return Ok(());
    };
    let send = |sequence: i64| {
        let producer = log.open_producer(&OwnerId::from("again"))?;
        let commit = Commit {
            appends: vec![of(&topic, numbered(sequence, state.now_ms(), "again"))],
            puts: Vec::new(),
        };
        producer.submit(commit)?.wait()
    };
    for sequence in (0..end).rev().take(5) {
        match send(sequence) {
            Ok(answer) if answer.duplicates == [true] && answer.base_offsets[0].0 == sequence => {}
            // Only the last batch of a producer is remembered in all cases.
            Err(Error::OutOfOrderSequence { .. }) if sequence < end - 1 => {}
            other => return Err(format!("batch {sequence} of {end} sent again: {other:?}")),
        }
    }
    match send(end + 1) {
        Err(Error::OutOfOrderSequence { .. }) => Ok(()),
        other => Err(format!("batch {end} is missing, but {other:?}")),
    }
}

/// One random operation that makes sense after `state`.
pub(super) fn random(number: u64, state: &State, random: &mut Random) -> Op {
    let topics = state.topics();
    let pick = |random: &mut Random| {
        topics[usize::try_from(random.below(topics.len() as u64)).unwrap()].clone()
    };
    let dice = if topics.is_empty() {
        0
    } else {
        random.below(60)
    };
    let group = GROUPS[usize::try_from(random.below(2)).unwrap()].to_owned();
    match dice {
        0 if topics.len() < 4 => Op::Create {
            // The same name again after a deletion, sometimes.
            topic: (0..)
                .map(|n| format!("t{n}"))
                .find(|name| !topics.contains(name))
                .unwrap(),
            partitions: 1 + i32::try_from(random.below(3)).unwrap(),
        },
        1 => {
            let topic = pick(random);
            let partitions = state.partitions(&topic) + 1;
            match partitions > 5 {
                true => Op::Rest,
                false => Op::Grow { topic, partitions },
            }
        }
        2 | 3 => {
            let topic = pick(random);
            let n = u64::try_from(state.partitions(&topic)).unwrap();
            let partition = i32::try_from(random.below(n)).unwrap();
            let next = (state.start(&topic, partition) + state.end(&topic, partition)) / 2;
            Op::Position {
                group,
                topic,
                partition,
                next,
            }
        }
        4 if state.has_group(&group) => Op::Forget { group },
        5 => Op::Checkpoint,
        6 => Op::Rest,
        7 => Op::Retention,
        8 if topics.len() > 2 => Op::Delete {
            topic: pick(random),
        },
        9 | 10 => {
            let topic = pick(random);
            let n = u64::try_from(state.partitions(&topic)).unwrap();
            let partition = i32::try_from(random.below(n)).unwrap();
            let end = state.end(&topic, partition);
            let before = i64::try_from(random.below(1 + end.cast_unsigned())).unwrap();
            Op::Trim {
                topic,
                partition,
                before,
            }
        }
        11 => Op::Alter {
            topic: pick(random),
            bytes_max: 500_000 + u32::try_from(random.below(8)).unwrap(),
        },
        _ => random_commit(number, state, &topics, random),
    }
}

fn random_commit(number: u64, state: &State, topics: &[String], random: &mut Random) -> Op {
    let records = (0..1 + random.below(4))
        .map(|index| {
            let topic = &topics[usize::try_from(random.below(topics.len() as u64)).unwrap()];
            let n = u64::try_from(state.partitions(topic)).unwrap();
            let partition = i32::try_from(random.below(n)).unwrap();
            let size = if random.below(8) == 0 {
                9000
            } else {
                random.below(300)
            };
            let size = usize::try_from(size).unwrap();
            let text = format!("{number}.{index}{}", "x".repeat(size));
            (topic.as_str(), partition, text)
        })
        .collect();
    commit(number, records)
}

fn settings_of(topic: &str) -> std::collections::BTreeMap<String, String> {
    let settings: &[(&str, &str)] = match topic {
        KEYED => &[
            ("cleanup.policy", "compact"),
            ("min.cleanable.dirty.ratio", "0"),
            ("delete.retention.ms", "0"),
        ],
        AGING => &[("retention.ms", "60000")],
        // The records are of 1970.
        _ => &[("retention.ms", "-1")],
    };
    let settings = settings.iter();
    settings
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// A log, its producer, and the commits that have no answer yet.
pub(super) struct Runner<'a> {
    log: &'a Local,
    clock: Option<Arc<ManualClock>>,
    producer: Arc<dyn Producer>,
    tickets: VecDeque<Ticket>,
    /// Commits that were refused for lack of space; nothing of them is there.
    pub(super) refused: u64,
}

impl<'a> Runner<'a> {
    /// # Errors
    /// The log has stopped.
    pub(super) fn new(log: &'a Local) -> Result<Self> {
        let owner = OwnerId::from("script");
        let producer = retry(log, || log.open_producer(&owner))?;
        Ok(Self {
            log,
            clock: None,
            producer,
            tickets: VecDeque::new(),
            refused: 0,
        })
    }

    /// # Errors
    /// The log has stopped.
    pub(super) fn on(living: &'a Living) -> Result<Self> {
        let mut runner = Self::new(&living.log)?;
        runner.clock.clone_from(&living.clock);
        Ok(runner)
    }

    /// Runs operations; after an error what has no answer yet may have been done or not.
    ///
    /// # Errors
    /// The log has stopped.
    pub(super) fn run(&mut self, ops: &[Op], model: &mut Model) -> Result<()> {
        for op in ops {
            self.step(op, model)?;
        }
        self.drain(0, model)
    }

    /// # Errors
    /// The log has stopped.
    pub(super) fn step(&mut self, op: &Op, model: &mut Model) -> Result<()> {
        if !model.expected().allows(op) {
            return Ok(());
        }
        if let Some(commit) = self.commit(op, &model.expected())? {
            return match self.producer.submit(commit) {
                Ok(ticket) => {
                    model.submit(op);
                    self.tickets.push_back(ticket);
                    self.drain(IN_FLIGHT, model)
                }
                // An earlier ticket failed too: `drain` deals with both.
                Err(error) if error.is_temporary() => {
                    self.refused += 1;
                    self.drain(0, model)?;
                    self.wait_until_well()
                }
                Err(error) => Err(error),
            };
        }
        self.drain(0, model)?;
        if !model.expected().allows(op) {
            return Ok(());
        }
        model.submit(op);
        match self.administer(op, model) {
            Ok(()) => model.acknowledge(),
            Err(error) if error.is_temporary() => {
                model.refused();
                self.refused += 1;
                self.wait_until_well()?;
            }
            // These change nothing that is seen, and a later one does their work.
            Err(error)
                if matches!(
                    op,
                    Op::Checkpoint | Op::Retention | Op::Compact | Op::Backup
                ) && error.is_shortage() =>
            {
                model.acknowledge();
                self.wait_until_well()?;
            }
            // A backup or a rewrite that fails is told, and harms nothing else.
            Err(_) if matches!(op, Op::Backup | Op::Compact) && self.log.health() == Health::Ok => {
                model.acknowledge();
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The commit that an operation is, if it is one.
    fn commit(&self, op: &Op, state: &State) -> Result<Option<Commit>> {
        let topic = |name: &str| -> Result<Topic> {
            let topic = self.log.topic(&TopicName::try_new(name).unwrap())?;
            Ok(topic.expect("the script appends to what it made"))
        };
        let (mut appends, mut kv) = (Vec::new(), Vec::new());
        match op {
            Op::Commit { records, puts, .. } => {
                for (name, partition, text) in records {
                    appends.push(append(&topic(name)?, *partition, &[text]));
                }
                kv.extend(puts.iter().map(|(key, value)| match value {
                    Some(value) => put(key, value),
                    None => KvPut {
                        store: Store::SourceOffsets,
                        key: key.clone().into(),
                        value: None,
                    },
                }));
            }
            Op::Keyed { key, value } => {
                let rows = [(key.as_str(), value.as_deref())];
                let batch = keyed_batch(Compression::None, 1000, &rows);
                appends.push(of(&topic(KEYED)?, batch));
            }
            Op::Numbered { text } => {
                let batch = numbered(state.end(NUMBERED, 0), state.now_ms(), text);
                appends.push(of(&topic(NUMBERED)?, batch));
            }
            Op::Aging { text } => {
                let now_ms = state.now_ms();
                let batch = batch(now_ms, &[&format!("{now_ms}.{text}")]);
                appends.push(of(&topic(AGING)?, batch));
            }
            _ => return Ok(None),
        }
        Ok(Some(Commit { appends, puts: kv }))
    }

    fn administer(&self, op: &Op, model: &mut Model) -> Result<()> {
        let name = |text: &str| TopicName::try_new(text).unwrap();
        match op {
            Op::Create { topic, partitions } => {
                let spec = TopicSpec {
                    partitions: *partitions,
                    settings: settings_of(topic),
                };
                self.log.create_topic(&name(topic), &spec).map(drop)
            }
            Op::Grow { topic, partitions } => {
                self.log.add_partitions(&name(topic), *partitions).map(drop)
            }
            Op::Position {
                group,
                topic,
                partition,
                next,
            } => {
                let at = TopicPartition::new(name(topic), (*partition).into());
                self.log
                    .set_group_offsets(&group.as_str().into(), &[(at, Some(Offset(*next)))])
            }
            Op::Forget { group } => self.log.delete_group(&group.as_str().into()),
            Op::Checkpoint => self.log.checkpoint(),
            Op::Retention => {
                self.log.run_retention_now()?;
                // What is gone for readers stays gone.
                if let Some(topic) = self.log.topic(&name(AGING))? {
                    let start = self.log.offsets(&topic.id, 0.into())?.log_start;
                    model.base_mut().forgotten(start.0);
                }
                Ok(())
            }
            Op::Compact => {
                model.compacted += self.log.run_compaction_now()?.len();
                Ok(())
            }
            Op::Backup => {
                let target = PathBuf::from(format!("/backup-{}", model.backups.len()));
                let state = model.expected();
                model.backups.push((target.clone(), false, state));
                self.log.backup(&target)?;
                if let Some((_, made, _)) = model.backups.last_mut() {
                    *made = true;
                }
                Ok(())
            }
            Op::Age { by_ms } => {
                let by = Duration::from_millis(by_ms.cast_unsigned());
                self.clock
                    .as_ref()
                    .expect("a script of its own clock")
                    .advance(by);
                Ok(())
            }
            Op::Delete { topic } => self.log.delete_topic(&name(topic)),
            Op::Trim {
                topic,
                partition,
                before,
            } => {
                let found = self.log.topic(&name(topic))?.expect("the script made it");
                let before = Some(Offset(*before));
                self.log
                    .delete_records(&found.id, (*partition).into(), before)
                    .map(drop)
            }
            Op::Alter { topic, bytes_max } => {
                let text = Some(bytes_max.to_string());
                let changes = [("max.message.bytes".to_owned(), text)].into();
                self.log.alter_topic(&name(topic), &changes).map(drop)
            }
            Op::Rest => {
                std::thread::sleep(Duration::from_millis(5));
                Ok(())
            }
            Op::Commit { .. } | Op::Keyed { .. } | Op::Numbered { .. } | Op::Aging { .. } => Ok(()),
        }
    }

    /// Takes answers until at most `left` commits have none.
    fn drain(&mut self, left: usize, model: &mut Model) -> Result<()> {
        while self.tickets.len() > left {
            let Some(ticket) = self.tickets.pop_front() else {
                break;
            };
            match ticket.wait() {
                Ok(_) => model.acknowledge(),
                Err(error) if error.is_temporary() => {
                    // The rest of this producer fails with it, none of it was written.
                    for ticket in self.tickets.drain(..) {
                        let answer = ticket.wait();
                        assert!(
                            answer.is_err(),
                            "a later ticket went well: {answer:?} after {error:?}"
                        );
                    }
                    self.refused += u64::try_from(model.pending()).unwrap();
                    model.refused();
                    self.wait_until_well()?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until commits are taken again, and takes a new producer.
    fn wait_until_well(&mut self) -> Result<()> {
        let (log, epoch) = (self.log, self.producer.fence_epoch());
        self.producer = retry(log, || log.producer_at(&OwnerId::from("script"), epoch))?;
        Ok(())
    }
}

/// Tries until it is not for lack of space any more.
fn retry<T>(log: &Local, call: impl Fn() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match call() {
            Err(error) if error.is_temporary() => {}
            other => {
                if log.health() == Health::Ok
                    || other.is_err()
                    || matches!(log.health(), Health::Poisoned { .. })
                {
                    return other;
                }
            }
        }
        assert!(
            Instant::now() < deadline,
            "the log did not resume: {:?}",
            log.health()
        );
        std::thread::sleep(Duration::from_micros(500));
    }
}
