//! How far a sink is behind: in records, and as the age of the oldest record that it has not committed.

use linkspan_log::LogBackend;
use linkspan_types::{GroupId, Offset, PartitionId, TopicId};
use linkspan_wire::Batches;
use serde::Serialize;

use super::look::Look;
use super::row::seconds;

/// Partitions of one sink whose oldest unread record is looked at in one sample.
const LOOKED_AT_MAX: usize = 32;

/// How far a sink is behind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Lag {
    /// Over all partitions.
    pub(crate) records: u64,
    /// Age of the oldest record that is not committed, by its timestamp; 0 with nothing to read, null where unknown.
    pub(crate) seconds: Option<f64>,
    /// Partitions with a committed position.
    pub(crate) partitions: usize,
}

/// Returns the lag of a sink, `None` before its group has a position.
pub(super) fn of(log: &dyn LogBackend, status: &Look, now_ms: i64) -> Option<Lag> {
    let group = GroupId::from(format!("connect-{}", status.name).as_str());
    let group = log.describe_group(&group).ok()??;
    let mut lag = Lag {
        records: 0,
        seconds: Some(0.0),
        partitions: 0,
    };
    let mut oldest: Option<i64> = None;
    let mut looked_at = 0;
    for row in &group.offsets {
        let Some(behind) = row.lag else { continue };
        lag.partitions += 1;
        lag.records += behind;
        if behind == 0 || looked_at == LOOKED_AT_MAX {
            continue;
        }
        looked_at += 1;
        if let Some(committed) = row.committed {
            let time = timestamp_at(log, &row.topic_id, row.partition, committed);
            oldest = oldest.into_iter().chain(time).min();
        }
    }
    if lag.partitions == 0 {
        return None;
    }
    if lag.records > 0 {
        lag.seconds = oldest.map(|oldest| seconds(now_ms.saturating_sub(oldest)));
    }
    Some(lag)
}

/// The timestamp of the first record at or after an offset.
fn timestamp_at(
    log: &dyn LogBackend,
    topic: &TopicId,
    partition: PartitionId,
    at: Offset,
) -> Option<i64> {
    let fetched = log.fetch(topic, partition, at, 1).ok()?;
    let mut scratch = Vec::new();
    for batch in Batches::new(&fetched.bytes) {
        let batch = batch.ok()?;
        if batch.header().is_control() {
            continue;
        }
        for record in batch.records(&mut scratch).ok()? {
            let record = record.ok()?;
            if record.offset >= at.0 {
                return Some(record.timestamp);
            }
        }
    }
    None
}
