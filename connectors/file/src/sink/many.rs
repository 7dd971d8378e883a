//! Many files, each finished before it has its name.
//!
//! ```text
//! record ─► name by the template ─► x.csv.inprogress ─► roll: fsync, rename, fsync of the folder ─► commit
//! ```
//!
//! # Invariants
//! - INV-F3: the committed offset never passes a record that is in no published file.
//! - INV-F4: a file's name begins with its first record's offset after a committed offset, so that it is the same after a crash.
//! - INV-F5: when the files of a partition get their names, those named before them are committed for good. So a crash leaves at
//!   most one set of files behind the committed offset, and the next start writes over every one of them, wherever it rolls.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use super::Template;
use super::lane::{Lane, OpenFile, Published};
use crate::encode::{Encoder, Refused};
use crate::error;
use crate::moment::Zone;
use crate::options::FileSinkOptions;
use crate::pack::Packer;
use crate::recorded::OnExisting;
use crate::storage::{Local, Storage};

/// The sink of many files.
#[derive(Debug)]
pub(super) struct ManyFiles {
    options: FileSinkOptions,
    ctx: SinkContext,
    template: Template,
    zone: Zone,
    storage: Local,
    lanes: BTreeMap<TopicPartition, Lane>,
    /// Files of all partitions that are open.
    open: usize,
    /// The host commits while a `put` goes on.
    commits: bool,
    name: String,
}

impl ManyFiles {
    pub(super) fn new(options: FileSinkOptions, ctx: SinkContext) -> Result<Self> {
        let template = Template::parse(&options.path_text())
            .map_err(|error| Error::config_invalid(format!("`path`: {error}")))?;
        let zone = options.zone();
        Ok(Self {
            options,
            ctx,
            template,
            zone,
            storage: Local,
            lanes: BTreeMap::new(),
            open: 0,
            commits: true,
            name: String::new(),
        })
    }

    pub(super) fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let metadata = self.metadata();
        let mut seeks = Seeks::none();
        for assigned in partitions {
            let partition = assigned.topic_partition();
            // Committed before the first file: what has the same name after a crash is then known to be ours.
            seeks.commit(partition.clone(), assigned.next, metadata.as_str());
            let is_new = assigned.metadata != metadata;
            self.lanes
                .insert(partition, Lane::new(assigned.next, is_new));
        }
        let mut topics: Vec<&TopicName> = self.lanes.keys().map(|at| &at.topic).collect();
        topics.dedup();
        if topics.len() > 1 && !self.template.names_topic() {
            return Err(Error::config_invalid(
                "`path` lacks `{topic}`: the files of several topics would have one name",
            ));
        }
        Ok(seeks)
    }

    pub(super) fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let mut progress = Progress::none();
        self.begin();
        let written = self.write(records, report, &mut progress);
        let rolled = written.and_then(|()| self.roll_by_time(&mut progress));
        match rolled {
            Ok(()) => Ok(progress),
            Err(error) => Err(self.give_up(error)),
        }
    }

    /// A call begins: what earlier ones rejected is in the host's hands.
    fn begin(&mut self) {
        for lane in self.lanes.values_mut() {
            (lane.rejected, lane.waits) = (false, false);
        }
    }

    pub(super) fn flush(&mut self) -> Result<Progress> {
        let mut progress = Progress::none();
        self.begin();
        let partitions: Vec<TopicPartition> = self.lanes.keys().cloned().collect();
        for partition in partitions {
            if let Err(error) = self.publish(&partition, &mut progress) {
                return Err(self.give_up(error));
            }
        }
        Ok(progress)
    }

    pub(super) fn revoked(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            if let Some(mut lane) = self.lanes.remove(partition) {
                self.open -= lane.files.len();
                lane.discard();
            }
        }
    }

    /// Drops what is not published: a new task starts from the committed offsets. So the error is none after which the same batch
    /// comes again to this one, which has dropped the records of batches before it.
    fn give_up(&mut self, error: Error) -> Error {
        for lane in self.lanes.values_mut() {
            lane.discard();
        }
        self.open = 0;
        match error.is_temporary() {
            true => Error::internal(error.chain()),
            false => error,
        }
    }

    fn write(
        &mut self,
        records: Records<'_>,
        report: &mut Report,
        progress: &mut Progress,
    ) -> Result<()> {
        let mut at: Option<TopicPartition> = None;
        for record in records {
            let same = at.as_ref().is_some_and(|at| {
                at.partition == record.partition() && at.topic == *record.original_topic()
            });
            if !same {
                at = Some(record.topic_partition());
            }
            let Some(partition) = &at else {
                continue;
            };
            if self.one(&record, partition, report)? || self.open >= self.open_max() {
                self.publish(partition, progress)?;
            }
            if self.open >= self.open_max() {
                // Other partitions hold the files: they make room.
                let others: Vec<TopicPartition> = self.lanes.keys().cloned().collect();
                for other in others {
                    self.publish(&other, progress)?;
                }
            }
        }
        Ok(())
    }

    fn open_max(&self) -> usize {
        usize::try_from(self.options.max_open_files).unwrap_or(usize::MAX)
    }

    /// Writes a record to its file; returns whether the file is full.
    fn one(
        &mut self,
        record: &Record<'_>,
        partition: &TopicPartition,
        report: &mut Report,
    ) -> Result<bool> {
        let Some(lane) = self.lanes.get_mut(partition) else {
            return Err(Error::internal("records came before partitions"));
        };
        if record.offset() < lane.done {
            // The batch failed behind it and comes again.
            return Ok(false);
        }
        lane.next = record.offset() + 1;
        lane.since.get_or_insert_with(Instant::now);
        lane.moved = true;
        let constant = self.template.is_constant() && !lane.files.is_empty();
        if !constant
            && let Err(error) = self
                .template
                .render(record, &self.zone, None, &mut self.name)
        {
            report.reject(record, error);
            lane.rejected = true;
            return Ok(false);
        }
        let file = match constant {
            true => lane.files.first_entry().map(|entry| entry.into_mut()),
            false => lane.files.get_mut(&self.name),
        };
        let file = match file {
            Some(file) => file,
            None => {
                let group = self.name.clone();
                self.template
                    .render(record, &self.zone, Some(record.offset()), &mut self.name)?;
                let path = Path::new(&self.name);
                check_free(&self.storage, path, lane.is_new, self.options.on_existing)?;
                let encoder = Encoder::new(&self.options)?;
                let packer = Packer::new(self.options.compression)
                    .map_err(|error| error::write_draft(error, path))?;
                let file = OpenFile::create(
                    &self.storage,
                    path,
                    &self.options.temp_suffix,
                    encoder,
                    packer,
                )?;
                self.open += 1;
                lane.files.entry(group).or_insert(file)
            }
        };
        match file.push(&record.value()) {
            Ok(()) => {}
            Err(Refused::Record(error)) => {
                report.reject(record, error);
                lane.rejected = true;
                if file.records == 0 {
                    // A file's name is the offset of a record in it.
                    self.open -= 1;
                    lane.discard_empty()?;
                    return Ok(false);
                }
            }
            Err(Refused::File(error)) => return Err(error),
        }
        Ok(file.records >= self.options.roll_records
            || file.size() >= self.options.roll_bytes.as_usize() as u64)
    }

    fn roll_by_time(&mut self, progress: &mut Progress) -> Result<()> {
        let due: Vec<TopicPartition> = self
            .lanes
            .iter()
            .filter(|(_, lane)| {
                lane.since
                    .is_some_and(|since| since.elapsed() >= self.options.roll_interval)
            })
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in due {
            self.publish(&partition, progress)?;
        }
        Ok(())
    }

    /// Publishes the files of a partition; its records up to here are outside then.
    fn publish(&mut self, partition: &TopicPartition, progress: &mut Progress) -> Result<()> {
        let metadata = self.metadata();
        let Some(lane) = self.lanes.get_mut(partition) else {
            return Ok(());
        };
        if !lane.moved || lane.waits {
            return Ok(());
        }
        if lane.uncommitted {
            self.ctx.committed()?;
            lane.uncommitted = false;
        }
        self.open -= lane.files.len();
        for Published {
            path,
            bytes,
            records,
        } in lane.publish()?
        {
            if let Err(error) = self.ctx.report_file(&path, bytes, records) {
                // Only the summary of the run misses it.
                tracing::debug!(%error, "the host took no file report");
            }
        }
        progress.set(partition.clone(), lane.next, metadata.as_str());
        if !self.commits {
            return Ok(());
        }
        lane.uncommitted = true;
        if lane.rejected {
            // The host commits it with the dead letters, once this `put` has ended.
            lane.waits = true;
            return Ok(());
        }
        let mut done = Progress::none();
        done.set(partition.clone(), lane.next, metadata);
        match self.ctx.commit(&done, &[]) {
            Ok(()) => {
                lane.done = lane.next;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                // A host of before: it commits what `put` returns.
                self.commits = false;
                lane.uncommitted = false;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn metadata(&self) -> String {
        serde_json::json!({ "template": self.options.path_text() }).to_string()
    }
}

/// A file of that name is written over when it is known to be ours.
fn check_free(
    storage: &dyn Storage,
    path: &Path,
    is_new: bool,
    on_existing: OnExisting,
) -> Result<()> {
    if !is_new || on_existing != OnExisting::Fail {
        return Ok(());
    }
    let found = storage
        .meta(path)
        .map_err(|error| error::open_output(error, path))?;
    if found.is_none() {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "`{}` exists, but nothing is recorded of this connector writing it: the data directory is new or was deleted, or the offsets were reset; move it away, or set `on.existing: truncate` to write it anew",
        path.display()
    )))
}
