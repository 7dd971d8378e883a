//! What a log must hold: the state after the first n operations, for some n from the acknowledged to the submitted ones.

use std::collections::BTreeMap;

use crate::conformance::read_all;
use crate::{LogBackend, Store, list_group};

/// One operation of a script. Each is atomic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Create {
        topic: String,
        partitions: i32,
    },
    Grow {
        topic: String,
        partitions: i32,
    },
    /// Records for partitions of topics, and puts that travel with them.
    Commit {
        number: u64,
        records: Vec<(String, i32, String)>,
        puts: Vec<(String, Option<String>)>,
    },
    /// A group's position, set by an operator.
    Position {
        group: String,
        topic: String,
        partition: i32,
        next: i64,
    },
    Forget {
        group: String,
    },
    Delete {
        topic: String,
    },
    /// Records below an offset go.
    Trim {
        topic: String,
        partition: i32,
        before: i64,
    },
    /// A setting that is not seen in the records.
    Alter {
        topic: String,
        bytes_max: u32,
    },
    /// Changes nothing that a reader sees.
    Retention,
    /// Changes nothing that a reader sees.
    Checkpoint,
    Rest,
}

/// All that a reader can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Records of each partition with their offsets, from log start to high watermark.
    topics: BTreeMap<String, Vec<Partition>>,
    /// `max.message.bytes` of the topics that have it.
    settings: BTreeMap<String, String>,
    keys: BTreeMap<String, String>,
    /// By group, topic and partition.
    positions: BTreeMap<(String, String, i32), i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Partition {
    start: i64,
    end: i64,
    records: Vec<(i64, String)>,
}

impl State {
    /// Applies an operation that went well.
    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create { topic, partitions } | Op::Grow { topic, partitions } => {
                let n = usize::try_from(*partitions).unwrap();
                self.topics
                    .entry(topic.clone())
                    .or_default()
                    .resize(n, Partition::default());
            }
            Op::Commit { records, puts, .. } => {
                for (topic, partition, text) in records {
                    let found = self
                        .topics
                        .get_mut(topic)
                        .and_then(|all| all.get_mut(usize::try_from(*partition).unwrap()))
                        .expect("the script appends to what it made");
                    found.records.push((found.end, text.clone()));
                    found.end += 1;
                }
                for (key, value) in puts {
                    match value {
                        Some(value) => self.keys.insert(key.clone(), value.clone()),
                        None => self.keys.remove(key),
                    };
                }
            }
            Op::Position {
                group,
                topic,
                partition,
                next,
            } => {
                let key = (group.clone(), topic.clone(), *partition);
                self.positions.insert(key, *next);
            }
            Op::Forget { group } => self.positions.retain(|(name, ..), _| name != group),
            Op::Delete { topic } => {
                self.topics.remove(topic);
                self.settings.remove(topic);
                self.positions.retain(|(_, name, _), _| name != topic);
            }
            Op::Trim {
                topic,
                partition,
                before,
            } => {
                let all = self.topics.get_mut(topic).expect("the script knows it");
                let found = &mut all[usize::try_from(*partition).unwrap()];
                found.start = found.start.max(*before);
                found.records.retain(|(offset, _)| offset >= before);
            }
            Op::Alter { topic, bytes_max } => {
                let text = bytes_max.to_string();
                self.settings.insert(topic.clone(), text);
            }
            Op::Checkpoint | Op::Rest | Op::Retention => {}
        }
    }

    pub(super) fn partitions(&self, topic: &str) -> i32 {
        let n = self.topics.get(topic).map_or(0, Vec::len);
        i32::try_from(n).unwrap()
    }

    pub(super) fn end(&self, topic: &str, partition: i32) -> i64 {
        self.topics[topic][usize::try_from(partition).unwrap()].end
    }

    pub(super) fn start(&self, topic: &str, partition: i32) -> i64 {
        self.topics[topic][usize::try_from(partition).unwrap()].start
    }

    pub(super) fn topics(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    pub(super) fn has_group(&self, group: &str) -> bool {
        self.positions.keys().any(|(name, ..)| name == group)
    }

    /// Whether an operation makes sense: what it is about may have been refused.
    pub(super) fn allows(&self, op: &Op) -> bool {
        match op {
            Op::Forget { group } => self.has_group(group),
            Op::Create { topic, .. } => !self.topics.contains_key(topic),
            Op::Grow { topic, .. } | Op::Delete { topic } | Op::Alter { topic, .. } => {
                self.topics.contains_key(topic)
            }
            Op::Trim {
                topic,
                partition,
                before,
            } => self.partitions(topic) > *partition && self.end(topic, *partition) >= *before,
            Op::Position {
                topic,
                partition,
                next,
                ..
            } => {
                self.partitions(topic) > *partition
                    && (self.start(topic, *partition)..=self.end(topic, *partition)).contains(next)
            }
            Op::Commit { records, .. } => records
                .iter()
                .all(|(topic, partition, _)| self.partitions(topic) > *partition),
            Op::Retention | Op::Checkpoint | Op::Rest => true,
        }
    }

    /// Reads everything out of a log.
    pub(super) fn read(log: &dyn LogBackend) -> Result<Self, crate::Error> {
        let mut state = Self::default();
        for topic in log.topics()? {
            let mut partitions = Vec::new();
            for number in 0..topic.partitions {
                let marks = log.offsets(&topic.id, number.into())?;
                partitions.push(Partition {
                    start: marks.log_start.0,
                    end: marks.high_watermark.0,
                    records: read_all(log, &topic.id, number)?,
                });
            }
            if let Some(text) = topic.settings.get("max.message.bytes") {
                state.settings.insert(topic.name.to_string(), text.clone());
            }
            state.topics.insert(topic.name.to_string(), partitions);
        }
        for (key, value) in log.scan(Store::SourceOffsets, b"")? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            state.keys.insert(text(&key), text(&value));
        }
        for group in super::script::GROUPS {
            for (topic, partition, offset) in list_group(log, &group.into())? {
                let key = (group.to_owned(), topic.to_string(), partition.0);
                state.positions.insert(key, offset.next.0);
            }
        }
        Ok(state)
    }

    /// Says where two states differ, shortly.
    pub(super) fn difference(&self, expected: &Self) -> String {
        let short = |list: &[(i64, String)]| -> Vec<String> {
            let text = |(offset, text): &(i64, String)| {
                format!("{offset}:{:.12}", text.trim_end_matches('x'))
            };
            list.iter().map(text).collect()
        };
        for (topic, partitions) in &expected.topics {
            for (number, partition) in partitions.iter().enumerate() {
                let found = self.topics.get(topic).and_then(|all| all.get(number));
                if found != Some(partition) {
                    let text =
                        |p: Option<&Partition>| p.map(|p| (p.start, p.end, short(&p.records)));
                    return format!(
                        "{topic}-{number}: {:?}, expected {:?}",
                        text(found),
                        text(Some(partition))
                    );
                }
            }
        }
        if self.keys != expected.keys {
            return format!("keys {:?}, expected {:?}", self.keys, expected.keys);
        }
        let topics = (self.topics(), expected.topics());
        format!(
            "positions {:?}, expected {:?}, topics {topics:?}, settings {:?}, expected {:?}",
            self.positions, expected.positions, self.settings, expected.settings
        )
    }
}

/// Everything submitted, in order, and how many of these were acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    submitted: Vec<Op>,
    acknowledged: usize,
    /// The state after the acknowledged operations, and how many these are: so that a check need not begin at the first.
    base: State,
    base_ops: usize,
}

impl Model {
    pub(super) fn submit(&mut self, op: &Op) {
        self.submitted.push(op.clone());
    }

    /// The oldest operation that has no answer yet went well.
    pub(super) fn acknowledge(&mut self) {
        let op = &self.submitted[self.acknowledged];
        self.base.apply(op);
        self.acknowledged += 1;
        self.base_ops = self.acknowledged;
    }

    /// None of the operations without an answer was written.
    pub(super) fn refused(&mut self) {
        self.submitted.truncate(self.acknowledged);
    }

    pub(super) fn pending(&self) -> usize {
        self.submitted.len() - self.acknowledged
    }

    /// The state after everything submitted.
    pub(super) fn expected(&self) -> State {
        let mut state = self.base.clone();
        self.submitted[self.base_ops..]
            .iter()
            .for_each(|op| state.apply(op));
        state
    }

    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged
    }

    /// Compares a log with all states that it may have, and takes the one that it has for the truth.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&mut self, log: &dyn LogBackend) -> Result<(), String> {
        let found =
            State::read(log).map_err(|e| format!("read: {}", linkspan_types::error_chain(&e)))?;
        self.compare(found)
    }

    pub(super) fn compare(&mut self, found: State) -> Result<(), String> {
        let mut state = self.base.clone();
        let mut fits = (state == found).then_some(self.base_ops);
        for (n, op) in self.submitted.iter().enumerate().skip(self.base_ops) {
            state.apply(op);
            if state == found {
                fits = Some(n + 1);
            }
        }
        let Some(n) = fits else {
            let (first, last) = (self.acknowledged, self.submitted.len());
            let why = found.difference(&self.base);
            return Err(format!(
                "no state after {first} to {last} operations: {why}"
            ));
        };
        self.submitted.truncate(n);
        (self.acknowledged, self.base_ops, self.base) = (n, n, found);
        Ok(())
    }

    /// A model that believes in one more acknowledged operation than there was: for negative controls.
    pub(super) fn with_a_lost_commit(&self) -> Self {
        let mut wrong = self.clone();
        wrong.refused();
        wrong.base.apply(&Op::Commit {
            number: u64::MAX,
            records: Vec::new(),
            puts: vec![("count".into(), Some("never".into()))],
        });
        wrong
    }
}
