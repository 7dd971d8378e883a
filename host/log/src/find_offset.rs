//! From a time, or a word, to an offset: Kafka's ListOffsets.

use linkspan_types::{LeaderEpoch, Offset, PartitionId, TopicId};
use linkspan_wire::Batches;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::partition::Partition;

/// How much is read at a time while looking for a timestamp.
const SEARCH_BYTES: usize = 1 << 20;

/// Which offset to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetQuery {
    /// The first offset that can be read.
    Earliest,
    /// The next offset that will be committed.
    Latest,
    /// The first of the youngest records.
    MaxTimestamp,
    /// The first record, in offset order, whose timestamp (milliseconds since 1970) is not below this.
    Time(i64),
}

/// An offset that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset.
    pub offset: Offset,
    /// The timestamp of the record there; -1 for [`OffsetQuery::Earliest`] and [`OffsetQuery::Latest`], which are no records.
    pub timestamp_ms: i64,
    /// The leader epoch of that record, or of the next one.
    pub leader_epoch: LeaderEpoch,
}

/// Answers a query; `None` when no record is young enough, or there is none at all.
pub(crate) fn find(
    core: &Core,
    topic: &TopicId,
    partition: PartitionId,
    query: OffsetQuery,
) -> Result<Option<FoundOffset>> {
    let partition = core.partition(topic, partition)?;
    let marks = partition.watermarks(core.leader_epoch());
    let found = match query {
        OffsetQuery::Earliest => Some((marks.log_start.0, -1)),
        OffsetQuery::Latest => Some((marks.high_watermark.0, -1)),
        OffsetQuery::Time(time) => by_time(core, &partition, time)?,
        OffsetQuery::MaxTimestamp => youngest(core, &partition)?,
    };
    let epoch = |offset| {
        let here = (offset < marks.high_watermark.0)
            .then(|| partition.epoch_of(offset))
            .flatten();
        here.map_or(marks.leader_epoch, LeaderEpoch)
    };
    Ok(found.map(|(offset, timestamp_ms)| FoundOffset {
        offset: Offset(offset),
        timestamp_ms,
        leader_epoch: epoch(offset),
    }))
}

fn by_time(core: &Core, partition: &Partition, time: i64) -> Result<Option<(i64, i64)>> {
    let first = || {
        let state = partition.lock();
        let mut segments = state.segments.iter();
        let segment = segments.find(|segment| segment.max_timestamp >= time)?;
        Some(segment.whole(&state.epochs))
    };
    // Without an index this would read the segment from its start on.
    if let Some(place) = first() {
        partition.index(core, &place)?;
    }
    let begin = || {
        let state = partition.lock();
        let segment = state
            .segments
            .iter()
            .find(|segment| segment.max_timestamp >= time);
        let start = segment.map_or(state.flushed_next, |segment| segment.place_for_time(time));
        (start.max(state.log_start), state.high_watermark)
    };
    let (from, end) = begin();
    let found = scan(core, partition, from, end, time)?;
    // The scan may have caught the index at a lie and made it anew: then it began in the wrong place.
    match begin() {
        (now, _) if now != from => scan(core, partition, now, end, time),
        _ => Ok(found),
    }
}

/// A run of records and the greatest timestamp that it may hold.
struct Run {
    max_timestamp: i64,
    from: i64,
    end: i64,
}

/// Unlike Kafka's, the answer is a record that can still be read. Records without a time do not count.
fn youngest(core: &Core, partition: &Partition) -> Result<Option<(i64, i64)>> {
    let mut best: Option<(i64, i64)> = None;
    for run in runs(partition) {
        let floor = best.map_or(0, |(_, timestamp)| timestamp.saturating_add(1));
        if run.max_timestamp < floor {
            break;
        }
        let (from, end) = (run.from, run.end);
        // Deleted records may have set the run's limit; then every record of it counts.
        let found = match scan(core, partition, from, end, run.max_timestamp)? {
            Some(found) => Some(found),
            None => maximum(core, partition, from, end, floor)?,
        };
        best = found.or(best);
    }
    Ok(best)
}

/// Returns all readable records in runs, those that may hold the youngest first.
fn runs(partition: &Partition) -> Vec<Run> {
    let state = partition.lock();
    let segments = state.segments.iter().map(|segment| Run {
        max_timestamp: segment.max_timestamp,
        from: segment.base.max(state.log_start),
        end: segment.next,
    });
    let memory = state
        .chunks
        .iter()
        .filter(|chunk| chunk.next > state.flushed_next)
        .map(|chunk| Run {
            max_timestamp: chunk.max_timestamp,
            from: chunk.base.max(state.log_start),
            end: chunk.next,
        });
    let mut runs: Vec<Run> = segments
        .chain(memory)
        .filter(|run| run.from < run.end)
        .collect();
    runs.sort_by(|a, b| {
        b.max_timestamp
            .cmp(&a.max_timestamp)
            .then(a.from.cmp(&b.from))
    });
    runs
}

/// Returns offset and timestamp of the first record from `from` to `end` that is not older than `time`.
fn scan(
    core: &Core,
    partition: &Partition,
    from: i64,
    end: i64,
    time: i64,
) -> Result<Option<(i64, i64)>> {
    let mut found = None;
    each_record(core, partition, from, end, time, |offset, timestamp| {
        found = Some((offset, timestamp));
        None
    })?;
    Ok(found)
}

/// Returns offset and timestamp of the first of the youngest records from `from` to `end` that are not older than `time`.
fn maximum(
    core: &Core,
    partition: &Partition,
    from: i64,
    end: i64,
    time: i64,
) -> Result<Option<(i64, i64)>> {
    let mut found = None;
    each_record(core, partition, from, end, time, |offset, timestamp| {
        found = Some((offset, timestamp));
        timestamp.checked_add(1)
    })?;
    Ok(found)
}

/// Shows every record that is not older than `time`; each answer is the next `time`, or `None` to stop.
fn each_record(
    core: &Core,
    partition: &Partition,
    mut from: i64,
    end: i64,
    mut time: i64,
    mut show: impl FnMut(i64, i64) -> Option<i64>,
) -> Result<()> {
    let corrupt = |e: linkspan_wire::Error| Error::Corrupt {
        path: partition.dir.clone(),
        offset: 0,
        what: e.to_string(),
    };
    let mut scratch = Vec::new();
    while from < end {
        let read = partition.read(core, from, SEARCH_BYTES, true)?;
        let Some(read) = read.filter(|read| !read.bytes.is_empty()) else {
            return Ok(());
        };
        for batch in Batches::new(&read.bytes) {
            let batch = batch.map_err(corrupt)?;
            if batch.header().max_timestamp < time {
                continue;
            }
            for record in batch.records(&mut scratch).map_err(corrupt)? {
                let record = record.map_err(corrupt)?;
                if record.offset >= end {
                    return Ok(());
                }
                if record.timestamp < time || record.offset < from {
                    continue;
                }
                match show(record.offset, record.timestamp) {
                    Some(next) => time = next,
                    None => return Ok(()),
                }
            }
        }
        from = read.next;
    }
    Ok(())
}
