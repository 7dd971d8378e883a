//! `blackhole-sink`: counts records and lets them go.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use crate::options::{BlackholeOptions, RefuseBy};
use crate::sequence::{Sequence, Total, Violation, number, totals};

/// The schema of a generated row.
const GENERATED_SCHEMA: &str = "linkspan.Generated";

/// The field of a generated row that holds its number.
const SEQUENCE_FIELD: &str = "sequence";

/// `blackhole-sink` as a whole: tells each task how many there are, which decides how strict a check can be.
#[derive(Debug)]
pub(crate) struct BlackholeConnector;

impl SinkConnector for BlackholeConnector {
    type Options = BlackholeOptions;

    async fn task_configs(_options: &BlackholeOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let tasks = max.max(1);
        Ok((0..tasks)
            .map(|_| TaskConfig::from([("blackhole.tasks".to_owned(), tasks.to_string())]))
            .collect())
    }
}

/// A task of `blackhole-sink`.
#[derive(Debug)]
pub(crate) struct Blackhole {
    options: BlackholeOptions,
    partitions: BTreeMap<TopicPartition, Sequence>,
    records: u64,
    bytes: u64,
    /// Rehearsed outages left.
    outages: u32,
}

impl SinkTask for Blackhole {
    type Options = BlackholeOptions;

    async fn open(options: BlackholeOptions, _ctx: SinkContext) -> Result<Self> {
        Ok(Self {
            outages: options.outages,
            options,
            partitions: BTreeMap::new(),
            records: 0,
            bytes: 0,
        })
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        for assigned in partitions {
            let from_start = assigned.next == 0;
            self.partitions.insert(
                assigned.topic_partition(),
                Sequence::new(&assigned.metadata, from_start),
            );
        }
        self.find_alone();
        Ok(Seeks::none())
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        self.rehearse(&records, report)?;
        let mut progress = records.progress();
        self.records += records.len() as u64;
        if self.options.checks() {
            self.check(records)?;
            let done: Vec<_> = progress
                .iter()
                .map(|(partition, next, _)| (partition.clone(), next))
                .collect();
            for (partition, next) in done {
                let metadata = self
                    .partitions
                    .get(&partition)
                    .map_or_else(String::new, Sequence::to_metadata);
                progress.set(partition, next, metadata);
            }
        } else {
            let bytes: usize = records
                .map(|record| record.value().as_bytes().map_or(0, <[u8]>::len))
                .sum();
            self.bytes += bytes as u64;
        }
        Ok(progress)
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            self.partitions.remove(partition);
        }
        self.find_alone();
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        tracing::info!(records = self.records, bytes = self.bytes, "records taken");
        if self.options.checks() {
            self.log_totals();
        }
        Ok(())
    }
}

impl Blackhole {
    /// Refuses what the options `rehearse.*` ask for, before anything is taken.
    fn rehearse(&mut self, records: &Records<'_>, report: &mut Report) -> Result<()> {
        if self.outages > 0 && records.len() > 0 {
            self.outages -= 1;
            return Err(Error::new(ErrorKind::Unavailable, "a rehearsed outage").temporary());
        }
        let text = self.options.refuse.as_bytes();
        if text.is_empty() {
            return Ok(());
        }
        for record in records.clone() {
            let value = record.value().as_bytes().unwrap_or_default();
            if !value.windows(text.len()).any(|part| part == text) {
                continue;
            }
            let error = Error::data_invalid("refused as rehearsed");
            match self.options.refuse_by {
                RefuseBy::Report => report.reject(&record, error),
                RefuseBy::Batch => return Err(error),
            }
        }
        Ok(())
    }

    /// Finds out which partitions are the only one of their topic that the connector reads.
    fn find_alone(&mut self) {
        let mut counts: BTreeMap<TopicName, u32> = BTreeMap::new();
        for partition in self.partitions.keys() {
            *counts.entry(partition.topic.clone()).or_default() += 1;
        }
        for (partition, sequence) in &mut self.partitions {
            sequence.set_alone(self.options.tasks == 1 && counts.get(&partition.topic) == Some(&1));
        }
    }

    fn check(&mut self, records: Records<'_>) -> Result<()> {
        // Looked up once for each run of records of one partition.
        let mut at: Option<(&str, i32, &mut Sequence)> = None;
        let wants_numbers = self.options.wants_numbers();
        let mut bytes = 0;
        for record in records {
            let (topic, partition) = (record.original_topic(), record.partition());
            if !at
                .as_ref()
                .is_some_and(|(of, number, _)| *number == partition && *of == topic)
            {
                let sequence = self.partitions.get_mut(&record.topic_partition());
                at = sequence.map(|sequence| (topic, partition, sequence));
            }
            let Some((_, _, sequence)) = &mut at else {
                return Err(Error::internal(format!(
                    "a record of {topic}-{partition}, which is not assigned"
                )));
            };
            bytes += record.value().as_bytes().map_or(0, <[u8]>::len);
            let place = || format!("{topic}-{partition} offset {}", record.offset());
            let Some(found) = number_of(&record) else {
                if !wants_numbers {
                    continue;
                }
                return Err(Error::data_invalid(format!(
                    "{}: the value does not begin with a generator's number",
                    place()
                )));
            };
            sequence.check(found).map_err(|Violation { expected, found, what }| {
                Error::data_invalid(format!(
                    "{}: {what} in the sequence: expected {expected}, found {found}; two generators on one topic need `check: none`",
                    place()
                ))
            })?;
        }
        self.bytes += bytes as u64;
        Ok(())
    }

    /// Says what was seen of each topic, and whether it adds up.
    fn log_totals(&self) {
        let mut topics: BTreeMap<&TopicName, Vec<&Sequence>> = BTreeMap::new();
        for (partition, sequence) in &self.partitions {
            topics.entry(&partition.topic).or_default().push(sequence);
        }
        for (topic, sequences) in topics {
            for total in totals(sequences.into_iter()) {
                let Total {
                    task,
                    count,
                    first,
                    last,
                    complete,
                } = total;
                if complete {
                    tracing::info!(%topic, generator_task = task, count, first, last, "the sequence is complete");
                } else {
                    // Not a failure: a sink that stops early, or one of several tasks, sees holes.
                    tracing::warn!(%topic, generator_task = task, count, first, last, "the sequence has holes or repeats");
                }
            }
        }
    }
}

/// The number in a generated record, text or row.
#[inline]
fn number_of(record: &Record<'_>) -> Option<u64> {
    match record.value().as_bytes() {
        Some(payload) => number(payload),
        None => {
            let row = record.row().ok()?;
            let generated = row.schema().name.as_deref() == Some(GENERATED_SCHEMA);
            generated.then(|| u64::try_from(row.get(SEQUENCE_FIELD).ok()?.as_i64()?).ok())?
        }
    }
}
