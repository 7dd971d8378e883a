//! What a partition remembers about idempotent producers, so that a batch sent twice is stored once.
//!
//! ```text
//!  batch (producer id, producer epoch, first sequence … last sequence)
//!    ├─ first and last sequence of one of the last five batches of this epoch   duplicate: the old offset, nothing is written
//!    ├─ follows the last sequence (after 2147483647 comes 0)                    written
//!    ├─ a newer producer epoch, beginning with sequence 0                       written, the old epoch is fenced
//!    ├─ an unknown producer, at any sequence                                    written
//!    ├─ an older producer epoch                                                 Error::ProducerFenced
//!    └─ anything else                                                           Error::OutOfOrderSequence
//! ```
//!
//! These are Kafka's rules. The state is derived from batches: it changes when a commit is published, a snapshot keeps it
//! (`record`), the replay of the journal continues it. The journal's writer checks against it and against the batches of
//! its own unfinished group, so that a snapshot never knows a batch that a crash may undo.
//!
//! # How long it lasts
//! - In one life, and over a crash: the last [`WINDOW`] batches of each producer.
//! - Over a clean shutdown: the last batch, as in Kafka (its snapshots hold no more). Every ticket was answered by then.
//! - Not at all over a restart when its records are older than `producer.id.expiration.ms`, or when the partition is empty.

pub(crate) mod ids;
pub(crate) mod record;
pub(crate) mod trial;

use std::collections::{HashMap, VecDeque};

use linkspan_wire::BatchHeader;

/// How many batches of a producer are remembered: a client has at most five on the way to one partition.
pub(crate) const WINDOW: usize = 5;
/// How many producers one partition remembers; beyond it the one that wrote longest ago is forgotten.
pub(crate) const PRODUCERS_MAX: usize = 65_536;

/// One remembered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Produced {
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) last_offset: i64,
    pub(crate) last_offset_delta: i32,
}

/// One producer as a partition knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) epoch: i16,
    /// The last ones, oldest first; never empty.
    pub(crate) batches: VecDeque<Produced>,
    /// The greatest timestamp of the last batch, ms since 1970.
    pub(crate) timestamp_ms: i64,
}

/// What a producer says about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) last_offset_delta: i32,
    pub(crate) timestamp_ms: i64,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    /// It is stored already, from this offset on.
    Duplicate(i64),
    OutOfOrder {
        expected: i32,
    },
    Fenced {
        current: i16,
    },
}

/// The producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Producers {
    entries: HashMap<i64, Entry>,
}

impl Claim {
    /// Reads it off a batch; `None` without a producer.
    pub(crate) fn of(header: &BatchHeader) -> Option<Self> {
        (header.producer_id >= 0).then_some(Self {
            id: header.producer_id,
            epoch: header.producer_epoch,
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            last_offset_delta: header.last_offset_delta,
            timestamp_ms: header.max_timestamp,
        })
    }

    fn at(&self, base_offset: i64) -> Produced {
        Produced {
            first_sequence: self.first_sequence,
            last_sequence: self.last_sequence,
            last_offset: base_offset + i64::from(self.last_offset_delta),
            last_offset_delta: self.last_offset_delta,
        }
    }
}

impl Produced {
    fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.last_offset_delta)
    }
}

impl Entry {
    /// Judges a batch of the same producer.
    pub(crate) fn judge(&self, claim: &Claim) -> Verdict {
        if claim.epoch < self.epoch {
            return Verdict::Fenced {
                current: self.epoch,
            };
        }
        if claim.epoch > self.epoch {
            return match claim.first_sequence {
                0 => Verdict::New,
                _ => Verdict::OutOfOrder { expected: 0 },
            };
        }
        let same = |batch: &&Produced| {
            (batch.first_sequence, batch.last_sequence)
                == (claim.first_sequence, claim.last_sequence)
        };
        if let Some(batch) = self.batches.iter().find(same) {
            return Verdict::Duplicate(batch.base_offset());
        }
        let expected = self.last_sequence().checked_add(1).unwrap_or(0);
        if claim.first_sequence == expected {
            Verdict::New
        } else {
            Verdict::OutOfOrder { expected }
        }
    }

    pub(crate) fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(-1, |batch| batch.last_sequence)
    }

    /// Remembers a batch; one that is remembered already (a replay of what a snapshot knew) changes nothing.
    fn push(&mut self, claim: &Claim, base_offset: i64) {
        let batch = claim.at(base_offset);
        let known = |last: &Produced| last.last_offset >= batch.last_offset;
        if self.batches.back().is_some_and(known) {
            return;
        }
        if self.epoch != claim.epoch {
            self.epoch = claim.epoch;
            self.batches.clear();
        }
        self.batches.push_back(batch);
        if self.batches.len() > WINDOW {
            self.batches.pop_front();
        }
        self.timestamp_ms = claim.timestamp_ms;
    }

    fn new(claim: &Claim) -> Self {
        Self {
            epoch: claim.epoch,
            batches: VecDeque::with_capacity(WINDOW + 1),
            timestamp_ms: claim.timestamp_ms,
        }
    }
}

impl Producers {
    pub(crate) fn get(&self, id: i64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    pub(crate) fn insert(&mut self, id: i64, entry: Entry) {
        self.entries.insert(id, entry);
    }

    /// Remembers a committed batch.
    pub(crate) fn note(&mut self, claim: &Claim, base_offset: i64) {
        if self.entries.len() >= PRODUCERS_MAX && !self.entries.contains_key(&claim.id) {
            let last_offset = |entry: &Entry| entry.batches.back().map_or(-1, |b| b.last_offset);
            let oldest = self.entries.iter().min_by_key(|(_, e)| last_offset(e));
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.entries.remove(&oldest);
            }
        }
        let entry = self.entries.entry(claim.id);
        entry
            .or_insert_with(|| Entry::new(claim))
            .push(claim, base_offset);
    }

    /// Forgets producers whose last records are `age_ms` old or older.
    pub(crate) fn expire(&mut self, now_ms: i64, age_ms: i64) {
        self.entries
            .retain(|_, entry| now_ms.saturating_sub(entry.timestamp_ms) < age_ms);
    }

    /// Forgets all but the last batch of every producer.
    pub(crate) fn keep_last_batches(&mut self) {
        for entry in self.entries.values_mut() {
            let n = entry.batches.len().saturating_sub(1);
            entry.batches.drain(..n);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Returns the last offset of every producer: compaction keeps these batches.
    pub(crate) fn last_offsets(&self) -> HashMap<i64, i64> {
        let last = |entry: &Entry| entry.batches.back().map(|batch| batch.last_offset);
        self.iter()
            .filter_map(|(id, entry)| Some((id, last(entry)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests;
