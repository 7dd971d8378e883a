//! What compaction has done to a partition, as a snapshot keeps it: section kind 4 of `snapshot`.
//!
//! ```text
//! { topic id 16 · partition i32 · cleaned to i64 · last generation u32
//!   · n u32 · { base i64 · generation u32 · flags u8 (1 = its file may still have the name of its generation) }* }*
//! ```
//! A partition that was never compacted is not in it, so that logs without compacted topics stay readable by older hosts.

use linkspan_types::{PartitionId, TopicId};

use crate::partition::PartitionKey;
use crate::snapshot::Cursor;

const FLAG_SWAP: u8 = 1;

/// What compaction has done to a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cleaning {
    /// Offsets below it have been through compaction.
    pub(crate) cleaned_to: i64,
    /// The last generation that a file got.
    pub(crate) generation: u32,
    /// The segments that compaction wrote.
    pub(crate) segments: Vec<Written>,
}

/// A segment that compaction wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) base: i64,
    pub(crate) generation: u32,
    /// Its file may still have the name of its generation: renaming it is what remains to be done.
    pub(crate) swap: bool,
}

pub(crate) fn encode(out: &mut Vec<u8>, key: &PartitionKey, cleaning: &Cleaning) {
    out.extend_from_slice(&key.topic.0);
    out.extend_from_slice(&key.partition.0.to_le_bytes());
    out.extend_from_slice(&cleaning.cleaned_to.to_le_bytes());
    out.extend_from_slice(&cleaning.generation.to_le_bytes());
    out.extend_from_slice(
        &u32::try_from(cleaning.segments.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    for segment in &cleaning.segments {
        out.extend_from_slice(&segment.base.to_le_bytes());
        out.extend_from_slice(&segment.generation.to_le_bytes());
        out.push(if segment.swap { FLAG_SWAP } else { 0 });
    }
}

/// Reads the next partition; `None` when the bytes make no sense.
pub(crate) fn decode(cursor: &mut Cursor<'_>) -> Option<(PartitionKey, Cleaning)> {
    let key = PartitionKey {
        topic: TopicId(cursor.take()?),
        partition: PartitionId(cursor.i32()?),
    };
    let mut cleaning = Cleaning {
        cleaned_to: cursor.i64()?,
        generation: cursor.take().map(u32::from_le_bytes)?,
        segments: Vec::new(),
    };
    for _ in 0..cursor.count(13)? {
        let base = cursor.i64()?;
        let generation = cursor.take().map(u32::from_le_bytes)?;
        let [flags] = cursor.take()?;
        (flags & !FLAG_SWAP == 0).then_some(())?;
        cleaning.segments.push(Written {
            base,
            generation,
            swap: flags == FLAG_SWAP,
        });
    }
    Some((key, cleaning))
}
