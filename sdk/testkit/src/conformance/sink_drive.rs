//! A host's part towards a sink: what lies in the log, what was read of it, what came back as progress.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_sdk::{Error, METADATA_BYTES_MAX, SinkTask};

use super::probe::{self, Probe};
use crate::{Put, SinkTest, TestRecord};

/// The topic of all scenarios.
pub(super) const TOPIC: &str = "conformance";

/// A sink that is fed from a log.
pub(super) struct Drive<T> {
    pub(super) sink: SinkTest<Probe<T>>,
    /// Per partition its records; the index is the offset.
    pub(super) log: Vec<Vec<TestRecord>>,
    /// Per assigned partition the next offset to put.
    next: BTreeMap<i32, i64>,
    /// Per partition the last progress.
    progress: BTreeMap<i32, i64>,
    /// What the sink said that breaks the rules of progress.
    pub(super) progress_faults: BTreeSet<String>,
    /// What it said that breaks the rules of seeks.
    pub(super) seek_faults: BTreeSet<String>,
}

pub(super) fn failed(doing: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{doing}: {}", error.chain())
}

impl<T: SinkTask> Drive<T> {
    pub(super) const fn new(sink: SinkTest<Probe<T>>, log: Vec<Vec<TestRecord>>) -> Self {
        Self {
            sink,
            log,
            next: BTreeMap::new(),
            progress: BTreeMap::new(),
            progress_faults: BTreeSet::new(),
            seek_faults: BTreeSet::new(),
        }
    }

    /// Opens with all partitions.
    pub(super) fn open(&mut self) -> Result<(), String> {
        self.sink.open().map_err(failed("open"))?;
        let all: Vec<i32> = self.partitions().collect();
        self.assign(&all)
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = i32> + use<T> {
        0..i32::try_from(self.log.len()).unwrap_or(i32::MAX)
    }

    fn end(&self, partition: i32) -> i64 {
        let records = usize::try_from(partition)
            .ok()
            .and_then(|at| self.log.get(at));
        records.map_or(0, |records| {
            i64::try_from(records.len()).unwrap_or(i64::MAX)
        })
    }

    pub(super) fn assign(&mut self, partitions: &[i32]) -> Result<(), String> {
        let named: Vec<(&str, i32)> = partitions
            .iter()
            .map(|partition| (TOPIC, *partition))
            .collect();
        let seeks = self.sink.assign(&named).map_err(failed("assigned"))?;
        for partition in partitions {
            let committed = self
                .sink
                .position(TOPIC, *partition)
                .map_or(0, |(next, _)| next);
            self.next.insert(*partition, committed);
            self.progress.insert(*partition, committed);
        }
        for ((topic, partition), offset) in seeks {
            if topic != TOPIC || !partitions.contains(&partition) {
                self.seek_faults.insert(format!(
                    "a seek of {topic}-{partition}, which is not newly assigned"
                ));
            } else if offset < 0 || offset > self.end(partition) {
                let end = self.end(partition);
                self.seek_faults.insert(format!(
                    "a seek of {topic}-{partition} to {offset}, the log ends at {end}"
                ));
            } else {
                self.next.insert(partition, offset);
                self.progress.insert(partition, offset);
            }
        }
        for (partition, next) in &self.next {
            self.sink.rewind(TOPIC, *partition, *next);
        }
        Ok(())
    }

    pub(super) fn next(&self, partition: i32) -> i64 {
        self.next.get(&partition).copied().unwrap_or(0)
    }

    /// The next records of a partition, at most so many.
    pub(super) fn batch(&self, partition: i32, most: usize) -> Vec<TestRecord> {
        let from = usize::try_from(self.next(partition)).unwrap_or(usize::MAX);
        let records = usize::try_from(partition)
            .ok()
            .and_then(|at| self.log.get(at));
        records.map_or_else(Vec::new, |records| {
            records.iter().skip(from).take(most).cloned().collect()
        })
    }

    /// Puts the next records of each assigned partition, at most so many; returns how many there were.
    pub(super) fn feed(&mut self, most: usize) -> Result<usize, String> {
        let partitions: Vec<i32> = self.next.keys().copied().collect();
        let batch: Vec<TestRecord> = partitions
            .iter()
            .flat_map(|partition| self.batch(*partition, most))
            .collect();
        let put = self.sink.put(&batch).map_err(failed("put"))?;
        for partition in partitions {
            let count = self.batch(partition, most).len();
            if let Some(next) = self.next.get_mut(&partition) {
                *next += i64::try_from(count).unwrap_or(0);
            }
        }
        self.note(&put);
        Ok(batch.len())
    }

    /// Puts all that is left, in such batches, and flushes.
    pub(super) fn finish(&mut self, most: usize) -> Result<(), String> {
        while self.feed(most)? > 0 {}
        self.flush()
    }

    pub(super) fn flush(&mut self) -> Result<(), String> {
        let put = self.sink.flush().map_err(failed("flush"))?;
        self.note(&put);
        Ok(())
    }

    pub(super) fn revoke(&mut self, partition: i32) -> Result<(), String> {
        let put = self
            .sink
            .revoke(&[(TOPIC, partition)])
            .map_err(failed("revoked"))?;
        self.note(&put);
        self.next.remove(&partition);
        Ok(())
    }

    /// Checks what a sink reports.
    fn note(&mut self, put: &Put) {
        for ((topic, partition), (offset, metadata)) in &put.progress {
            let at = format!("{topic}-{partition}");
            let (Some(next), true) = (self.next.get(partition), topic == TOPIC) else {
                self.progress_faults
                    .insert(format!("progress of {at}, which is not assigned"));
                continue;
            };
            let before = self.progress.insert(*partition, *offset).unwrap_or(0);
            if *offset < before {
                self.progress_faults.insert(format!(
                    "progress of {at} went back from {before} to {offset}"
                ));
            }
            if offset > next {
                self.progress_faults.insert(format!(
                    "progress of {at} is {offset}, only records below {next} were put"
                ));
            }
            if metadata.len() > METADATA_BYTES_MAX {
                self.progress_faults.insert(format!(
                    "{} bytes of metadata of {at}, at most {METADATA_BYTES_MAX} are kept",
                    metadata.len()
                ));
            }
        }
    }

    /// What is not committed although everything was put and flushed.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let left = self.partitions().filter_map(|partition| {
            let committed = self.sink.position(TOPIC, partition).map_or(0, |(next, _)| next);
            let end = self.end(partition);
            (committed != end).then(|| format!("{TOPIC}-{partition} has progress {committed} after a flush, {end} records were put"))
        });
        left.collect()
    }

    /// Drops the task as a crash does.
    pub(super) fn crash(&mut self) {
        let sink = &mut self.sink;
        // What a crash answers is of no interest.
        probe::crash(|| drop(sink.close()));
        self.next.clear();
    }
}
