//! Producers as a snapshot keeps them: section kind 3 of `snapshot`.
//!
//! ```text
//! { topic id 16 · partition i32 · n u32
//!   · { producer id i64 · timestamp ms i64 · producer epoch i16 · n u8 (1 to 5)
//!       · { first sequence i32 · last sequence i32 · last offset i64 · last offset delta i32 }* }* }*
//! ```
//! A partition without idempotent producers is not in it, so that logs without them stay readable by older hosts.

use std::collections::VecDeque;

use linkspan_types::{PartitionId, TopicId};

use super::{Entry, Produced, Producers, WINDOW};
use crate::partition::PartitionKey;
use crate::snapshot::Cursor;

pub(crate) fn encode(out: &mut Vec<u8>, key: &PartitionKey, producers: &Producers) {
    let mut entries: Vec<(i64, &Entry)> = producers.iter().collect();
    entries.sort_unstable_by_key(|(id, _)| *id);
    out.extend_from_slice(&key.topic.0);
    out.extend_from_slice(&key.partition.0.to_le_bytes());
    out.extend_from_slice(
        &u32::try_from(entries.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    for (id, entry) in entries {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&entry.timestamp_ms.to_le_bytes());
        out.extend_from_slice(&entry.epoch.to_le_bytes());
        out.push(u8::try_from(entry.batches.len()).unwrap_or(0));
        for batch in &entry.batches {
            out.extend_from_slice(&batch.first_sequence.to_le_bytes());
            out.extend_from_slice(&batch.last_sequence.to_le_bytes());
            out.extend_from_slice(&batch.last_offset.to_le_bytes());
            out.extend_from_slice(&batch.last_offset_delta.to_le_bytes());
        }
    }
}

/// Reads the next partition; `None` when the bytes make no sense.
pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Option<(PartitionKey, Producers)> {
    let key = PartitionKey {
        topic: TopicId(cursor.take()?),
        partition: PartitionId(cursor.i32()?),
    };
    let mut producers = Producers::default();
    for _ in 0..cursor.count(39)? {
        let id = cursor.i64()?;
        let timestamp_ms = cursor.i64()?;
        let epoch = cursor.take().map(i16::from_le_bytes)?;
        let [n] = cursor.take()?;
        (1..=WINDOW).contains(&usize::from(n)).then_some(())?;
        let mut batches = VecDeque::with_capacity(WINDOW + 1);
        for _ in 0..n {
            batches.push_back(Produced {
                first_sequence: cursor.i32()?,
                last_sequence: cursor.i32()?,
                last_offset: cursor.i64()?,
                last_offset_delta: cursor.i32()?,
            });
        }
        producers.insert(
            id,
            Entry {
                epoch,
                batches,
                timestamp_ms,
            },
        );
    }
    Some((key, producers))
}
