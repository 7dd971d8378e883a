//! What a log must hold: the state after the first n operations, for some n from the acknowledged to the submitted ones.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::conformance::read_all;
use crate::tests::compaction::{newest, rows};
use crate::{LogBackend, Store, list_group};

/// The compacted topic of the script `upkeep`.
pub(super) const KEYED: &str = "keyed";
/// Its topic whose old records go.
pub(super) const AGING: &str = "aging";
/// Its topic that an idempotent producer writes to.
pub(super) const NUMBERED: &str = "numbered";
/// `retention.ms` of [`AGING`].
pub(super) const RETENTION_MS: i64 = 60_000;

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
    /// A record of the compacted topic; without a value a tombstone.
    Keyed {
        key: String,
        value: Option<String>,
    },
    /// The next batch of the idempotent producer.
    Numbered {
        text: String,
    },
    /// A record of now for the topic that forgets; its text begins with the time.
    Aging {
        text: String,
    },
    /// Time goes by.
    Age {
        by_ms: i64,
    },
    /// Changes nothing that a reader sees but the topic that forgets.
    Retention,
    /// Changes nothing that a reader sees but old records of keys.
    Compact,
    /// Changes nothing that a reader sees.
    Backup,
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
    /// The manual clock; 0 = the machine's. Not seen by readers.
    now_ms: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Partition {
    start: i64,
    end: i64,
    records: Vec<(i64, String)>,
}

impl Partition {
    fn push(&mut self, text: String) {
        self.records.push((self.end, text));
        self.end += 1;
    }

    fn begin_at(&mut self, start: i64) {
        self.start = self.start.max(start);
        self.records.retain(|(offset, _)| *offset >= start);
    }
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
            Op::Keyed { key, value } => {
                // Of the compacted topic only the newest values are compared.
                let prefix = format!("{key}=");
                let found = self.first(KEYED);
                found.records.retain(|(_, text)| !text.starts_with(&prefix));
                let text = value.as_ref().map(|value| format!("{prefix}{value}"));
                found.records.extend(text.map(|text| (found.end, text)));
                found.end += 1;
            }
            Op::Numbered { text } => self.first(NUMBERED).push(text.clone()),
            Op::Aging { text } => {
                let text = format!("{}.{text}", self.now_ms);
                self.first(AGING).push(text);
            }
            Op::Age { by_ms } => self.now_ms += by_ms,
            Op::Checkpoint | Op::Rest | Op::Retention | Op::Compact | Op::Backup => {}
        }
    }

    fn first(&mut self, topic: &str) -> &mut Partition {
        let found = self.topics.get_mut(topic).and_then(|all| all.first_mut());
        found.expect("the script appends to what it made")
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// Records of the topic that forgets are gone below an offset, and stay so.
    pub(super) fn forgotten(&mut self, start: i64) {
        self.first(AGING).begin_at(start);
    }

    /// This state as `found` shows it: old records may have gone or not. `None` when it is another.
    fn adapted(&self, found: &Self) -> Option<Self> {
        let mut wanted = self.clone();
        wanted.now_ms = 0;
        if let (Some(partition), Some(seen)) = (
            wanted.topics.get_mut(AGING).and_then(|all| all.first_mut()),
            found.topics.get(AGING).and_then(|all| all.first()),
        ) {
            let young = |(_, text): &&(i64, String)| {
                let at_ms = text.split('.').next().and_then(|text| text.parse().ok());
                at_ms.is_none_or(|at_ms: i64| at_ms >= self.now_ms - RETENTION_MS)
            };
            let first = partition.records.iter().find(young);
            let last_start = first.map_or(partition.end, |(offset, _)| *offset);
            if (partition.start..=last_start).contains(&seen.start) {
                partition.begin_at(seen.start);
            }
        }
        (wanted == *found).then(|| {
            wanted.now_ms = self.now_ms;
            wanted
        })
    }

    /// Whether `found` is what a reader may see of this state.
    pub(super) fn is_seen_in(&self, found: &Self) -> bool {
        self.adapted(found).is_some()
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
            Op::Keyed { .. } => self.partitions(KEYED) > 0,
            Op::Numbered { .. } => self.partitions(NUMBERED) > 0,
            Op::Aging { .. } => self.partitions(AGING) > 0,
            Op::Retention
            | Op::Checkpoint
            | Op::Rest
            | Op::Age { .. }
            | Op::Compact
            | Op::Backup => true,
        }
    }

    /// Reads everything out of a log.
    pub(super) fn read(log: &dyn LogBackend) -> Result<Self, crate::Error> {
        let mut state = Self::default();
        for topic in log.topics()? {
            let mut partitions = Vec::new();
            for number in 0..topic.partitions {
                // Before the records: retention may move it meanwhile.
                let marks = log.offsets(&topic.id, number.into())?;
                let mut records = if topic.name.as_str() == KEYED {
                    newest_values(log, &topic)?
                } else {
                    read_all(log, &topic.id, number)?
                };
                records.retain(|(offset, _)| *offset >= marks.log_start.0);
                partitions.push(Partition {
                    start: marks.log_start.0,
                    end: marks.high_watermark.0,
                    records,
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

/// The newest value of each key that has one, by offset.
fn newest_values(
    log: &dyn LogBackend,
    topic: &crate::Topic,
) -> Result<Vec<(i64, String)>, crate::Error> {
    let newest = newest(&rows(log, topic)?);
    let mut values: Vec<(i64, String)> = newest
        .into_iter()
        .filter_map(|(key, (offset, value))| Some((offset, format!("{key}={}", value?))))
        .collect();
    values.sort_unstable();
    Ok(values)
}

/// Everything submitted, in order, and how many of these were acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    submitted: Vec<Op>,
    acknowledged: usize,
    /// The state after the acknowledged operations, and how many these are: so that a check need not begin at the first.
    base: State,
    base_ops: usize,
    /// Where backups were begun, whether they were acknowledged, and what they hold.
    pub(super) backups: Vec<(PathBuf, bool, State)>,
    /// Partitions that were compacted, all lives together.
    pub(super) compacted: usize,
}

impl Model {
    /// A model whose log lives by a manual clock.
    pub(super) fn at(now_ms: i64) -> Self {
        let mut model = Self::default();
        model.base.now_ms = now_ms;
        model
    }

    /// The same operations, none of which had an answer: for durability that does not wait for the disk.
    pub(super) fn without_answers(all: &[Op]) -> Self {
        Self {
            submitted: all.to_vec(),
            ..Self::default()
        }
    }

    /// The acknowledged operations have left this.
    pub(super) fn base_mut(&mut self) -> &mut State {
        &mut self.base
    }

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
        let mut fits = state.adapted(&found).map(|state| (self.base_ops, state));
        for (n, op) in self.submitted.iter().enumerate().skip(self.base_ops) {
            state.apply(op);
            if let Some(adapted) = state.adapted(&found) {
                fits = Some((n + 1, adapted));
            }
        }
        let Some((n, found)) = fits else {
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
