//! How far a batch is while it is being delivered: what of that is committed before its `put` ends.
//!
//! ```text
//! a partition of the batch:  ✓ ✓ ✓ ✓ · ✓ ✓ · ·
//!                                   ▲ mark: all before it are answered, and committed with their answers
//! ```
//! After a crash the records behind the mark come again: those in flight, and those that were answered while an earlier one
//! was not. A refused record holds the mark until its `put` ends, because only then its dead letter is durable.

use std::cell::{Cell, RefCell};

use linkspan_sdk::prelude::*;
use tokio::time::Instant;

use super::Outcome;

/// The time between two commits in the middle of a `put`: each is a write to the log.
const COMMIT_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes of answers that wait for the mark; more are committed before it.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The marks of one batch.
pub(super) struct Marks<'p, 'r> {
    ctx: &'p SinkContext,
    records: &'p [Record<'r>],
    outcomes: &'p RefCell<Vec<Option<Outcome>>>,
    partitions: RefCell<Vec<Partition>>,
    /// Bytes of answers that are not committed.
    held: Cell<usize>,
    last: Cell<Instant>,
    /// The host is an older one that does not offer this.
    unsupported: Cell<bool>,
}

/// One partition of the batch.
struct Partition {
    at: TopicPartition,
    /// Its records, by their index in the batch.
    indexes: Vec<usize>,
    /// How many of them are before the mark.
    passed: usize,
}

impl<'p, 'r> Marks<'p, 'r> {
    pub(super) fn new(
        ctx: &'p SinkContext,
        records: &'p [Record<'r>],
        outcomes: &'p RefCell<Vec<Option<Outcome>>>,
    ) -> Self {
        let mut partitions: Vec<Partition> = Vec::new();
        let mut last = 0;
        for (index, record) in records.iter().enumerate() {
            let is_of = |one: &Partition| {
                one.at.partition == record.partition()
                    && one.at.topic.as_str() == record.original_topic()
            };
            if !partitions.get(last).is_some_and(is_of) {
                last = partitions.iter().position(is_of).unwrap_or_else(|| {
                    partitions.push(Partition {
                        at: record.topic_partition(),
                        indexes: Vec::new(),
                        passed: 0,
                    });
                    partitions.len() - 1
                });
            }
            if let Some(partition) = partitions.get_mut(last) {
                partition.indexes.push(index);
            }
        }
        Self {
            ctx,
            records,
            outcomes,
            partitions: RefCell::new(partitions),
            held: Cell::new(0),
            last: Cell::new(Instant::now()),
            unsupported: Cell::new(false),
        }
    }

    /// Takes note that a request was answered, with so many bytes to keep, and commits if it is time.
    ///
    /// # Errors
    /// The host could not commit.
    pub(super) fn answered(&self, bytes: usize) -> Result<()> {
        self.held.set(self.held.get() + bytes);
        let full = self.held.get() > ANSWER_BYTES_MAX;
        if full || self.last.get().elapsed() >= COMMIT_INTERVAL {
            self.commit(full)?;
        }
        Ok(())
    }

    /// Commits up to the marks; with `all` also the answers behind them.
    ///
    /// # Errors
    /// The host could not commit; nothing is lost then.
    pub(super) fn commit(&self, all: bool) -> Result<()> {
        if self.unsupported.get() {
            return Ok(());
        }
        let (mut progress, mut answers, mut taken) = (Progress::none(), Vec::new(), Vec::new());
        let mut passed = Vec::new();
        let outcomes = self.outcomes.borrow();
        let outcome = |index: usize| outcomes.get(index).and_then(Option::as_ref);
        for partition in self.partitions.borrow().iter() {
            let rest = partition
                .indexes
                .get(partition.passed..)
                .unwrap_or_default();
            let delivered =
                |index: &&usize| matches!(outcome(**index), Some(Outcome::Delivered(_)));
            let ready = rest.iter().take_while(delivered).count();
            let last = rest.get(..ready).and_then(<[usize]>::last);
            if let Some(record) = last.and_then(|index| self.records.get(*index)) {
                progress.set(partition.at.clone(), record.offset().saturating_add(1), "");
            }
            let wanted = if all { rest.len() } else { ready };
            for index in rest.iter().take(wanted) {
                if let Some(Outcome::Delivered(Some(answer))) = outcome(*index) {
                    answers.push(answer.as_ref().clone());
                    taken.push(*index);
                }
            }
            passed.push(partition.passed + ready);
        }
        drop(outcomes);
        match self.ctx.commit(&progress, &answers) {
            Err(error) if error.kind() == ErrorKind::Unsupported && answers.is_empty() => {
                self.unsupported.set(true);
                return Ok(());
            }
            answer => answer?,
        }
        for (partition, passed) in self.partitions.borrow_mut().iter_mut().zip(passed) {
            partition.passed = passed;
        }
        let mut outcomes = self.outcomes.borrow_mut();
        for index in taken {
            if let Some(place) = outcomes.get_mut(index) {
                *place = Some(Outcome::Delivered(None));
            }
        }
        let bytes: usize = answers.iter().map(NewRecord::bytes).sum();
        self.held.set(self.held.get().saturating_sub(bytes));
        self.last.set(Instant::now());
        Ok(())
    }
}
