//! `columnar-sink`: rows to files, exactly once by the files' names.
//!
//! A file is named by its first offset, and progress is reported when it is durable under its name. After a crash the rows from
//! the committed offset on come again and make the same file, or one with more of them, in its place.

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
}

struct Lane {
    next: i64,
    moved: bool,
    file: Option<OpenFile>,
}

impl SinkTask for ColumnarSink {
    type Options = ColumnarSinkOptions;

    async fn open(options: ColumnarSinkOptions, ctx: SinkContext) -> Result<Self> {
        Ok(Self {
            options,
            ctx,
            lanes: BTreeMap::new(),
        })
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        for assigned in partitions {
            let lane = Lane {
                next: assigned.next,
                moved: false,
                file: None,
            };
            self.lanes.insert(assigned.topic_partition(), lane);
        }
        Ok(Seeks::none())
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let mut progress = Progress::none();
        for record in records {
            let partition = record.topic_partition();
            if let Err(error) = self.write(&record, &partition, &mut progress) {
                match error.kind() {
                    ErrorKind::DataInvalid => report.reject(&record, error),
                    // The batch is half in the files: a new task starts from the committed offsets.
                    _ => return Err(Error::internal(error.chain())),
                }
            }
            if let Some(lane) = self.lanes.get_mut(&partition) {
                lane.next = record.offset() + 1;
                lane.moved = true;
            }
            let full = self
                .lanes
                .get(&partition)
                .and_then(|lane| lane.file.as_ref())
                .is_some_and(|file| file.records >= self.options.roll_records);
            if full {
                self.publish(&partition, &mut progress)?;
            }
        }
        self.roll_by_time(&mut progress)?;
        Ok(progress)
    }

    async fn flush(&mut self) -> Result<Progress> {
        let mut progress = Progress::none();
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
    fn write(
        &mut self,
        record: &Record<'_>,
        partition: &TopicPartition,
        progress: &mut Progress,
    ) -> Result<()> {
        let value = record.value();
        let row = match value.data() {
            Data::Typed { .. } if !value.is_null() => value.row()?,
            _ => {
                return Err(Error::data_invalid(
                    "the value is not a row with columns, as columnar files need",
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
        let has_other_columns = |lane: &Lane| {
            lane.file
                .as_ref()
                .is_some_and(|file| file.schema != *schema)
        };
        if self.lanes.get(partition).is_some_and(has_other_columns) {
            // A file has one schema.
            self.publish(partition, progress)?;
        }
        let lane = self
            .lanes
            .get_mut(partition)
            .ok_or_else(|| Error::internal("records came before partitions"))?;
        let file = match &mut lane.file {
            Some(file) => file,
            None => lane.file.insert(OpenFile::create(
                &self.options,
                partition,
                record.offset(),
                schema,
            )?),
        };
        file.push(fields, &json)
    }

    fn roll_by_time(&mut self, progress: &mut Progress) -> Result<()> {
        let interval = self.options.roll_interval;
        let is_due = |lane: &Lane| match &lane.file {
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

    fn publish(&mut self, partition: &TopicPartition, progress: &mut Progress) -> Result<()> {
        let Some(lane) = self.lanes.get_mut(partition) else {
            return Ok(());
        };
        if let Some(file) = lane.file.take() {
            let records = file.records;
            let (path, bytes) = file.publish()?;
            if let Err(error) = self.ctx.report_file(&path, bytes, records) {
                // Only the summary of the run misses it.
                tracing::debug!(%error, "the host took no file report");
            }
        }
        if lane.moved {
            lane.moved = false;
            progress.set(partition.clone(), lane.next, "");
        }
        Ok(())
    }
}

fn is_nested(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Map(_) | Value::Struct(_))
}
