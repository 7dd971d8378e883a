//! What one `put` comes to: rows by table, where the partitions stand behind them, and where each record lies.

use linkspan_sdk::prelude::*;

use super::batch::TableBatch;
use super::target::Target;
use super::write::Part;

/// What a transaction writes.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// In the order of their first records.
    pub(super) tables: Vec<(Target, TableBatch)>,
}

/// Where the partitions of a batch stand once it is written, with the leader epoch of the last record.
pub(super) type Moves = Vec<(TopicPartition, i64, i32)>;

/// A batch that is written without its records at hand.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) work: Work,
    pub(super) moves: Moves,
    /// What the host is told once it is written.
    pub(super) progress: Progress,
    pub(super) places: Places,
}

/// The coordinates of the records of a batch.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Each with the first record that it holds for.
    partitions: Vec<(usize, TopicPartition)>,
    offsets: Vec<i64>,
}

impl Work {
    pub(super) fn table(&self, at: usize) -> Option<(&Target, &TableBatch)> {
        self.tables.get(at).map(|(target, batch)| (target, batch))
    }

    /// Returns the bytes of all encoded rows.
    pub(super) fn byte_len(&self) -> usize {
        self.tables.iter().map(|(_, batch)| batch.byte_len()).sum()
    }

    /// All that is to be done, in order.
    pub(super) fn units(&self) -> Vec<(usize, usize, Part)> {
        let mut units = Vec::new();
        for (table, (_, batch)) in self.tables.iter().enumerate() {
            for (at, phase) in batch.phases.iter().enumerate() {
                if phase.truncate.is_some() {
                    units.push((table, at, Part::Truncate));
                }
                if phase.deletes.alive() > 0 {
                    units.push((table, at, Part::Deletes));
                }
                let groups = phase
                    .groups
                    .iter()
                    .enumerate()
                    .filter(|(_, group)| group.rows.alive() > 0);
                units.extend(groups.map(|(group, _)| (table, at, Part::Group(group))));
            }
        }
        units
    }
}

/// Returns where each partition stands behind these records.
pub(super) fn moves(records: &Records<'_>) -> Moves {
    let mut moves: Moves = Vec::new();
    let mut last: Option<Record<'_>> = None;
    let mut note = |record: &Record<'_>| {
        let partition = record.topic_partition();
        match moves.iter_mut().find(|(known, ..)| *known == partition) {
            Some((_, next, epoch)) => {
                (*next, *epoch) = (record.offset() + 1, record.leader_epoch());
            }
            None => moves.push((partition, record.offset() + 1, record.leader_epoch())),
        }
    };
    for record in records.clone() {
        if let Some(before) = &last
            && (!same_partition(before, &record) || before.leader_epoch() != record.leader_epoch())
        {
            note(before);
        }
        last = Some(record);
    }
    if let Some(record) = &last {
        note(record);
    }
    moves
}

fn same_partition(one: &Record<'_>, other: &Record<'_>) -> bool {
    one.partition() == other.partition() && one.original_topic() == other.original_topic()
}

impl Places {
    pub(super) fn of(records: &Records<'_>) -> Self {
        let mut places = Self::default();
        let mut last: Option<Record<'_>> = None;
        for (at, record) in records.clone().enumerate() {
            if last
                .as_ref()
                .is_none_or(|last| !same_partition(last, &record))
            {
                places.partitions.push((at, record.topic_partition()));
            }
            places.offsets.push(record.offset());
            last = Some(record);
        }
        places
    }

    /// Returns where a record lies, by its place in the batch.
    pub(super) fn at(&self, record: usize) -> Option<(&TopicPartition, i64)> {
        let behind = self
            .partitions
            .partition_point(|(first, _)| *first <= record);
        let (_, partition) = self.partitions.get(behind.checked_sub(1)?)?;
        Some((partition, *self.offsets.get(record)?))
    }
}
