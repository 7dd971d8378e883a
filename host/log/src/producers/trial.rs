//! Judging commits before they are written: against what is published, and against the group that is being gathered.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Claim, Entry, Verdict};
use crate::error::{Error, Result};
use crate::journal::queue::PendingAppend;
use crate::partition::{Partition, PartitionKey};

type Key = (PartitionKey, i64);

/// Producers that the unfinished group has written for. Empty again when the group is published.
#[derive(Debug, Default)]
pub(crate) struct Unpublished {
    entries: HashMap<Key, Entry>,
}

impl Unpublished {
    /// Judges all batches of a commit and marks the duplicates; nothing is remembered if one of them is refused.
    ///
    /// # Errors
    /// [`Error::OutOfOrderSequence`], [`Error::ProducerFenced`].
    pub(crate) fn judge(&mut self, appends: &mut [PendingAppend]) -> Result<()> {
        if appends.iter().all(|append| append.claim.is_none()) {
            return Ok(());
        }
        let mut changed: HashMap<Key, Entry> = HashMap::new();
        let mut next_offsets: HashMap<PartitionKey, i64> = HashMap::new();
        for append in appends {
            let partition = &append.partition;
            let next = next_offsets
                .entry(partition.id)
                .or_insert_with(|| partition.next_offset());
            if let Some(claim) = &append.claim {
                let key = (partition.id, claim.id);
                let known = changed
                    .get(&key)
                    .or_else(|| self.entries.get(&key))
                    .cloned()
                    .or_else(|| partition.lock().producers.get(claim.id).cloned());
                let verdict = known
                    .as_ref()
                    .map_or(Verdict::New, |known| known.judge(claim));
                match verdict {
                    Verdict::New => {
                        let mut entry = known.unwrap_or_else(|| Entry::new(claim));
                        entry.push(claim, *next);
                        changed.insert(key, entry);
                    }
                    Verdict::Duplicate(base_offset) => {
                        append.duplicate_of = Some(base_offset);
                        continue;
                    }
                    Verdict::OutOfOrder { .. } | Verdict::Fenced { .. } => {
                        return Err(refusal(partition, claim, verdict));
                    }
                }
            }
            *next += append.offsets;
        }
        self.entries.extend(changed);
        Ok(())
    }

    /// The group is published.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

fn refusal(partition: &Arc<Partition>, claim: &Claim, verdict: Verdict) -> Error {
    let (topic, number) = (partition.topic.clone(), partition.id.partition);
    if let Verdict::Fenced { current } = verdict {
        return Error::ProducerFenced {
            topic,
            partition: number,
            producer_id: claim.id,
            found: claim.epoch,
            current,
        };
    }
    let expected = match verdict {
        Verdict::OutOfOrder { expected } => expected,
        Verdict::New | Verdict::Duplicate(_) | Verdict::Fenced { .. } => 0,
    };
    Error::OutOfOrderSequence {
        topic,
        partition: number,
        producer_id: claim.id,
        epoch: claim.epoch,
        found: claim.first_sequence,
        expected,
    }
}
