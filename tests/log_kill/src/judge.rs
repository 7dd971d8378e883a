//! Compares a log with what was acknowledged and with what a whole commit is.
//!
//! - every acknowledged commit is there, at the offsets that were acknowledged, and every acknowledged topic exists;
//! - a commit that was not acknowledged is there as a whole (all partitions and its key) or not at all;
//! - of each thread, the commits 0, 1, 2 … are there without a gap and once each, in order within every partition;
//! - offsets of a partition have neither holes nor doubles, and what was judged once never changes.
//!
//! A judge keeps what it has seen, so that a later look reads only what is new; a new judge reads everything.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use linkspan_log::{LogBackend, Store};
use linkspan_types::{Offset, PartitionId};

use crate::ack::Line;
use crate::load::position_key;
use crate::plan::{Plan, read_batches, topic_name};

const READ_BYTES: usize = 1 << 20;

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whole commits in the log.
    pub commits: u64,
    /// Batches in the log.
    pub batches: u64,
    /// Acknowledged commits, all of them found.
    pub acknowledged: u64,
    /// Acknowledged topics, all of them found.
    pub topics: u64,
}

/// What was promised, and what has been found so far.
#[derive(Debug, Default)]
pub struct Judge {
    acknowledged: BTreeMap<(u32, u64), Vec<(i32, i64)>>,
    topics: BTreeSet<String>,
    /// How far each partition has been read.
    next: BTreeMap<i32, i64>,
    /// Where each commit is.
    places: BTreeMap<(u32, u64), Vec<(i32, i64)>>,
    /// The next number of each thread.
    expected: BTreeMap<u32, u64>,
    batches: u64,
}

impl Judge {
    /// Takes what a process said before it died.
    pub fn promised(&mut self, lines: &[Line]) {
        for line in lines {
            match line {
                Line::Ack(ack) => {
                    self.acknowledged
                        .insert((ack.thread, ack.seq), ack.places.clone());
                }
                Line::Topic(name) => {
                    self.topics.insert(name.clone());
                }
                Line::Opened { .. }
                | Line::Health(_)
                | Line::Read(_)
                | Line::Failed(_)
                | Line::Done => {}
            }
        }
    }

    /// Returns how many commits were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// Returns a judge with the same promises that has read nothing yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self {
            acknowledged: self.acknowledged.clone(),
            topics: self.topics.clone(),
            ..Self::default()
        }
    }

    /// Reads what is new in the log and judges.
    ///
    /// # Errors
    /// The first broken promise, or the log could not be read.
    pub fn look(&mut self, log: &dyn LogBackend) -> Result<Verdict> {
        let Some(topic) = log.topic(&topic_name()?)? else {
            ensure!(
                self.acknowledged.is_empty(),
                "the topic is gone with {} acknowledged commits",
                self.acknowledged.len()
            );
            return Ok(Verdict::default());
        };
        let before = self.expected.clone();
        let mut fresh: BTreeSet<(u32, u64)> = BTreeSet::new();
        for partition in 0..topic.partitions {
            self.read(log, &topic, partition, &mut fresh)?;
        }
        for (thread, seq) in &fresh {
            let plan = Plan::new(*thread, *seq, topic.partitions);
            let found = self.places.get(&(*thread, *seq)).context("not noted")?;
            let mut wanted: Vec<i32> = plan.parts.iter().map(|part| part.partition).collect();
            let mut got: Vec<i32> = found.iter().map(|(partition, _)| *partition).collect();
            wanted.sort_unstable();
            got.sort_unstable();
            ensure!(
                wanted == got,
                "half a commit or a doubled one: thread {thread} seq {seq} is in {got:?}, it was written to {wanted:?}"
            );
            let expected = self.expected.entry(*thread).or_default();
            ensure!(
                seq == expected,
                "thread {thread}: commit {seq} follows, {expected} was due"
            );
            *expected += 1;
        }
        self.check_keys(log, &before)?;
        self.check_promises(log)?;
        Ok(Verdict {
            commits: self.places.len() as u64,
            batches: self.batches,
            acknowledged: self.acknowledged(),
            topics: self.topics.len() as u64,
        })
    }

    fn read(
        &mut self,
        log: &dyn LogBackend,
        topic: &linkspan_log::Topic,
        partition: i32,
        fresh: &mut BTreeSet<(u32, u64)>,
    ) -> Result<()> {
        let mut next = self.next.get(&partition).copied().unwrap_or(0);
        let mut last: BTreeMap<u32, u64> = BTreeMap::new();
        loop {
            let read = log.fetch(&topic.id, PartitionId(partition), Offset(next), READ_BYTES)?;
            if read.bytes.is_empty() {
                break;
            }
            for found in read_batches(&read.bytes, partition, topic.partitions)? {
                ensure!(
                    found.base == next,
                    "partition {partition}: offset {} where {next} was due",
                    found.base
                );
                next = found.next;
                if let Some(before) = last.insert(found.thread, found.seq) {
                    ensure!(
                        before < found.seq,
                        "partition {partition}: thread {} seq {} comes after {before}",
                        found.thread,
                        found.seq
                    );
                }
                let key = (found.thread, found.seq);
                let places = self.places.entry(key).or_default();
                places.push((partition, found.base));
                self.batches += 1;
                fresh.insert(key);
            }
        }
        self.next.insert(partition, next);
        Ok(())
    }

    /// Each thread's key must say exactly how far its records go.
    fn check_keys(&self, log: &dyn LogBackend, before: &BTreeMap<u32, u64>) -> Result<()> {
        for thread in self.expected.keys().chain(before.keys()) {
            let wanted = self.expected.get(thread).copied().unwrap_or(0);
            let value = log.get(Store::SourceOffsets, &position_key(*thread))?;
            let value = value.with_context(|| format!("thread {thread} has no position"))?;
            let found = u64::from_le_bytes(
                value
                    .as_ref()
                    .try_into()
                    .context("a position of another length")?,
            );
            ensure!(
                found == wanted,
                "thread {thread}: the position says {found}, the records {wanted}"
            );
        }
        Ok(())
    }

    fn check_promises(&self, log: &dyn LogBackend) -> Result<()> {
        let lost: Vec<&(u32, u64)> = self
            .acknowledged
            .keys()
            .filter(|key| !self.places.contains_key(key))
            .collect();
        if let Some((thread, seq)) = lost.first() {
            bail!(
                "lost: {} of {} acknowledged commits are not there, the first is thread {thread} seq {seq}",
                lost.len(),
                self.acknowledged.len()
            );
        }
        for ((thread, seq), places) in &self.acknowledged {
            let mut wanted = places.clone();
            let mut found = self
                .places
                .get(&(*thread, *seq))
                .cloned()
                .unwrap_or_default();
            wanted.sort_unstable();
            found.sort_unstable();
            ensure!(
                places.is_empty() || wanted == found,
                "thread {thread} seq {seq} was acknowledged at {wanted:?} and is at {found:?}"
            );
        }
        for name in &self.topics {
            ensure!(
                log.topic(&linkspan_types::TopicName::try_new(name.as_str())?)?
                    .is_some(),
                "lost: the acknowledged topic {name}"
            );
        }
        Ok(())
    }
}
