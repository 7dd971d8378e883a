//! Scripts: fixed and random operations, and how they are run against a log.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use linkspan_types::{Offset, OwnerId, TopicName, TopicPartition};

use super::Random;
use super::oracle::{Model, Op, State};
use crate::tests::support::{append, put};
use crate::{Commit, Health, KvPut, Local, LogBackend, Producer, Result, Store, Ticket, TopicSpec};

/// The groups whose positions scripts set.
pub(super) const GROUPS: [&str; 2] = ["g0", "g1"];
/// How many commits are on their way at most.
const IN_FLIGHT: usize = 3;

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

/// One random operation that makes sense after `state`.
#[expect(clippy::too_many_lines, reason = "one arm for each operation")]
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
        _ => {
            let records = (0..1 + random.below(4))
                .map(|index| {
                    let topic = pick(random);
                    let n = u64::try_from(state.partitions(&topic)).unwrap();
                    let partition = i32::try_from(random.below(n)).unwrap();
                    let size = if random.below(8) == 0 {
                        9000
                    } else {
                        random.below(300)
                    };
                    let text = format!(
                        "{number}.{index}{}",
                        "x".repeat(usize::try_from(size).unwrap())
                    );
                    (topic, partition, text)
                })
                .collect::<Vec<_>>();
            let records = records
                .iter()
                .map(|(t, p, x)| (t.as_str(), *p, x.clone()))
                .collect();
            commit(number, records)
        }
    }
}

/// A log, its producer, and the commits that have no answer yet.
pub(super) struct Runner<'a> {
    log: &'a Local,
    producer: std::sync::Arc<dyn Producer>,
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
            producer,
            tickets: VecDeque::new(),
            refused: 0,
        })
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
        if let Op::Commit { records, puts, .. } = op {
            let commit = self.commit(records, puts)?;
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
        match self.administer(op) {
            Ok(()) => model.acknowledge(),
            Err(error) if error.is_temporary() => {
                model.refused();
                self.refused += 1;
                self.wait_until_well()?;
            }
            // These change nothing that is seen, and a later one does their work.
            Err(error) if matches!(op, Op::Checkpoint | Op::Retention) && error.is_shortage() => {
                model.acknowledge();
                self.wait_until_well()?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn commit(
        &self,
        records: &[(String, i32, String)],
        puts: &[(String, Option<String>)],
    ) -> Result<Commit> {
        let mut appends = Vec::new();
        for (name, partition, text) in records {
            let topic = self.log.topic(&TopicName::try_new(name).unwrap())?;
            let topic = topic.expect("the script appends to what it made");
            appends.push(append(&topic, *partition, &[text]));
        }
        let puts = puts
            .iter()
            .map(|(key, value)| match value {
                Some(value) => put(key, value),
                None => KvPut {
                    store: Store::SourceOffsets,
                    key: key.clone().into(),
                    value: None,
                },
            })
            .collect();
        Ok(Commit { appends, puts })
    }

    fn administer(&self, op: &Op) -> Result<()> {
        let name = |text: &str| TopicName::try_new(text).unwrap();
        match op {
            Op::Create { topic, partitions } => {
                let spec = TopicSpec {
                    partitions: *partitions,
                    // The records are of 1970.
                    settings: [("retention.ms".to_owned(), "-1".to_owned())].into(),
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
            Op::Retention => self.log.run_retention_now(),
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
            Op::Commit { .. } => Ok(()),
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
