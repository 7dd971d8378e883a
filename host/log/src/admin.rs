//! Deleting topics and records.

use std::sync::{Arc, PoisonError};

use linkspan_types::{Offset, PartitionId, TopicId, TopicName};

use crate::backend::{COMMIT_ENTRIES_MAX, KvPut};
use crate::core::Core;
use crate::declared::Declared;
use crate::error::{Error, Result};
use crate::journal::queue::FenceRule;
use crate::journal::writer::journal_bytes;
use crate::partition::Partition;
use crate::submit::put_and_wait;
use crate::{topics, trim};

/// Deletes a topic; the caller serialises changes of topics.
pub(crate) fn delete_topic(core: &Core, name: &TopicName) -> Result<()> {
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let entry = catalog.by_name(name).map(Arc::clone);
    drop(catalog);
    let entry = entry.ok_or_else(|| Error::UnknownTopic { name: name.clone() })?;
    let id = entry.topic.id;
    let mut puts = vec![topics::forget(name)];
    puts.extend(trim::forget_puts(&id, &entry.partitions));
    puts.extend(trim::offset_puts(core, &id));
    // One frame, unless very many groups have positions in very many partitions: the rest then follows at once, and
    // `Gone::clean` does what is left of it after a failure or a crash in between.
    let mut frames = frames(core, puts).into_iter();
    put_and_wait(core, frames.next().unwrap_or_default(), FenceRule::None)?;
    for puts in frames {
        if let Err(error) = put_and_wait(core, puts, FenceRule::None) {
            tracing::debug!(%error, topic = %name, "positions in a deleted topic are left for later");
            break;
        }
    }
    for partition in &entry.partitions {
        let mut appender = partition
            .appender
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        partition.discard(core, &mut appender);
    }
    core.gone.add(core, id, entry.topic.partitions);
    core.checkpoints.request();
    Ok(())
}

fn frames(core: &Core, puts: Vec<KvPut>) -> Vec<Vec<KvPut>> {
    let limit = core.options.commit_bytes_max;
    if puts.len() < COMMIT_ENTRIES_MAX && journal_bytes(&[], &puts) <= limit {
        return vec![puts];
    }
    let mut frames = Vec::new();
    let mut frame: Vec<KvPut> = Vec::new();
    let mut bytes = 0;
    for put in puts {
        let more = journal_bytes(&[], std::slice::from_ref(&put));
        if !frame.is_empty() && (bytes + more > limit || frame.len() + 1 >= COMMIT_ENTRIES_MAX) {
            frames.push(std::mem::take(&mut frame));
            bytes = 0;
        }
        bytes += more;
        frame.push(put);
    }
    frames.push(frame);
    frames
}

/// Deletes the records of a partition below an offset.
pub(crate) fn delete_records(
    core: &Core,
    topic: &TopicId,
    number: PartitionId,
    before: Option<Offset>,
) -> Result<Offset> {
    let partition = core.partition(topic, number)?;
    let catalog = core.catalog.read().unwrap_or_else(PoisonError::into_inner);
    let compacted = catalog
        .by_id(topic)
        .is_some_and(|entry| entry.settings.compact && !entry.settings.delete);
    drop(catalog);
    if compacted {
        return Err(Error::CompactedTopic {
            name: partition.topic.clone(),
        });
    }
    let marks = partition.watermarks(core.leader_epoch());
    let before = before.unwrap_or(marks.high_watermark);
    if before.0 < 0 || before > marks.high_watermark {
        return Err(Error::OffsetOutOfRange {
            wanted: before,
            log_start: marks.log_start,
            high_watermark: marks.high_watermark,
        });
    }
    if before <= marks.log_start {
        return Ok(marks.log_start);
    }
    let unread = Declared::of(core).unread_from(core, &partition.topic, partition.id);
    put_and_wait(
        core,
        start_puts(core, &partition, marks.log_start.0, before.0, unread),
        FenceRule::None,
    )?;
    partition.trim(core);
    core.checkpoints.request();
    Ok(partition.watermarks(core.leader_epoch()).log_start)
}

/// Returns the puts that move a partition's start, and count what a declared reader had not read.
pub(crate) fn start_puts(
    core: &Core,
    partition: &Partition,
    from: i64,
    to: i64,
    unread_from: Option<i64>,
) -> Vec<KvPut> {
    let mut puts = vec![trim::start_put(partition.id, to)];
    let lost = unread_from.map_or(0, |unread| to - unread.clamp(from, to));
    if let Ok(lost) = u64::try_from(lost)
        && lost > 0
    {
        puts.push(trim::lost_put(
            partition.id,
            trim::lost(core, partition.id) + lost,
        ));
    }
    puts
}
