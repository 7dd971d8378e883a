//! `columnar-sink`: rows to files, exactly once by the files' names.
//!
//! ```text
//! row ─► x.parquet.inprogress ─► roll: fsync, rename, fsync of the folder ─► commit
//! ```
//!
//! # Invariants
//! - INV-C1: the committed offset never passes a row that is in no published file.
//! - INV-C2: a file is named by its first row's offset, the first good one behind a committed offset, so that it has the same name
//!   after a crash.
//! - INV-C3: when a file of a partition gets its name, the one named before it is committed for good. So a crash leaves at most one
//!   file behind the committed offset, and the next start writes over it, wherever it rolls.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use crate::lane::OpenFile;
use crate::options::ColumnarSinkOptions;

/// A task of `columnar-sink`.
pub(crate) struct ColumnarSink {
    options: ColumnarSinkOptions,
    ctx: SinkContext,
    lanes: BTreeMap<TopicPartition, Lane>,
    /// The host commits while a `put` goes on.
    commits: bool,
}

/// How many files of other columns are kept back before they get their names.
const FILES_MAX: usize = 64;

/// One partition.
struct Lane {
    /// The offset after the last record that came.
    next: i64,
    /// Records came that are not committed.
    moved: bool,
    /// Files that get their names together, in the order of their rows; rows go to the last. There are several where columns change.
    files: Vec<OpenFile>,
    /// A file was published whose commit may not be durable yet.
    uncommitted: bool,
    /// A record of this `put` was rejected.
    rejected: bool,
    /// A file was published behind a rejected record: the next one waits for the next `put`, and grows meanwhile.
    waits: bool,
}

impl SinkTask for ColumnarSink {
    type Options = ColumnarSinkOptions;

    async fn open(options: ColumnarSinkOptions, ctx: SinkContext) -> Result<Self> {
        Ok(Self {
            options,
            ctx,
            lanes: BTreeMap::new(),
            commits: true,
        })
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        for assigned in partitions {
            let lane = Lane {
                next: assigned.next,
                moved: false,
                files: Vec::new(),
                uncommitted: false,
                rejected: false,
                waits: false,
            };
            self.lanes.insert(assigned.topic_partition(), lane);
        }
        Ok(Seeks::none())
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let mut progress = Progress::none();
        self.begin();
        for record in records {
            let partition = record.topic_partition();
            let refused = self.write(&record, &partition);
            let Some(lane) = self.lanes.get_mut(&partition) else {
                return Err(Error::internal("records came before partitions"));
            };
            lane.next = record.offset() + 1;
            lane.moved = true;
            match refused {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::DataInvalid => {
                    lane.rejected = true;
                    report.reject(&record, error);
                }
                Err(error) => return Err(again(error)),
            }
            if lane.records() >= self.options.roll_records || lane.files.len() > FILES_MAX {
                self.publish(&partition, &mut progress)?;
            }
        }
        self.roll_by_time(&mut progress)?;
        Ok(progress)
    }

    async fn flush(&mut self) -> Result<Progress> {
        let mut progress = Progress::none();
        self.begin();
        let partitions: Vec<TopicPartition> = self.lanes.keys().cloned().collect();
        for partition in partitions {
            self.publish(&partition, &mut progress)?;
        }
        Ok(progress)
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        for partition in partitions {
            self.lanes.remove(partition);
        }
        Ok(())
    }
}

impl ColumnarSink {
    /// A call begins: what earlier ones rejected is in the host's hands.
    fn begin(&mut self) {
        for lane in self.lanes.values_mut() {
            (lane.rejected, lane.waits) = (false, false);
        }
    }

    /// Appends a row to its partition's file.
    fn write(&mut self, record: &Record<'_>, partition: &TopicPartition) -> Result<()> {
        let value = record.value();
        let row = match value.data() {
            Data::Typed { .. } if !value.is_null() => value.row()?,
            _ => {
                return Err(Error::data_invalid(
                    "the value is not a row with columns, as columnar files need; text and JSON without a schema have none",
                ));
            }
        };
        let schema = row.schema();
        let tree = row.to_value()?;
        let Value::Struct(fields) = &tree else {
            return Err(Error::data_invalid("the value is not a row with columns"));
        };
        let json = match fields.values().iter().any(is_nested) {
            true => value.json()?,
            false => serde_json::Value::Null,
        };
        let lane = self
            .lanes
            .get_mut(partition)
            .ok_or_else(|| Error::internal("records came before partitions"))?;
        let has_its_columns = |file: &OpenFile| file.schema == *schema;
        if !lane.files.last().is_some_and(has_its_columns) {
            // A file has one schema.
            if let Some(last) = lane.files.last_mut() {
                last.finish()?;
            }
            lane.files.push(OpenFile::create(
                &self.options,
                partition,
                record.offset(),
                schema,
            )?);
        }
        let Some(file) = lane.files.last_mut() else {
            return Err(Error::internal("a file that was opened is gone"));
        };
        let pushed = file.push(fields, &json);
        if file.records == 0 {
            // A file's name is the offset of a row in it.
            if let Some(empty) = lane.files.pop() {
                empty.discard()?;
            }
        }
        pushed
    }

    fn roll_by_time(&mut self, progress: &mut Progress) -> Result<()> {
        let interval = self.options.roll_interval;
        let is_due = |lane: &Lane| match lane.files.first() {
            Some(file) => file.since.elapsed() >= interval,
            None => lane.moved,
        };
        let due: Vec<TopicPartition> = self
            .lanes
            .iter()
            .filter(|(_, lane)| is_due(lane))
            .map(|(partition, _)| partition.clone())
            .collect();
        for partition in due {
            self.publish(&partition, progress)?;
        }
        Ok(())
    }

    /// Publishes the files of a partition; its records up to here are outside then.
    fn publish(&mut self, partition: &TopicPartition, progress: &mut Progress) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(partition) else {
            return Ok(());
        };
        if !lane.moved || lane.waits {
            return Ok(());
        }
        if lane.uncommitted {
            self.ctx.committed().map_err(again)?;
            lane.uncommitted = false;
        }
        lane.moved = false;
        for mut file in lane.files.drain(..) {
            let records = file.records;
            file.finish()?;
            let (path, bytes) = file.publish()?;
            if let Err(error) = self.ctx.report_file(&path, bytes, records) {
                // Only the summary of the run misses it.
                tracing::debug!(%error, "the host took no file report");
            }
        }
        progress.set(partition.clone(), lane.next, "");
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
        done.set(partition.clone(), lane.next, "");
        match self.ctx.commit(&done, &[]) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                // A host of before: it commits what `put` returns.
                self.commits = false;
                lane.uncommitted = false;
                Ok(())
            }
            Err(error) => Err(again(error)),
        }
    }
}

impl Lane {
    fn records(&self) -> u64 {
        self.files.iter().map(|file| file.records).sum()
    }
}

/// The batch must not come again to this task, which is behind some of it: a new one starts from the committed offsets.
#[expect(clippy::needless_pass_by_value, reason = "it maps errors")]
fn again(error: Error) -> Error {
    Error::internal(error.chain())
}

fn is_nested(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Map(_) | Value::Struct(_))
}
