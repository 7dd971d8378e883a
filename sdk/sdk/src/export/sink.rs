//! A sink's task behind the table.

use linkspan_abi::batch::SinkBatch;
use serde::Deserialize;

use super::{
    runtime::block_on,
    shell::{Task, not_open},
};
use crate::{
    Assigned, Progress, Records, Report, Result, SinkContext, SinkTask, TopicName, TopicPartition,
    context::TaskContext, export::class::config_error, options::Options as _, sink::put_reply,
};

/// A sink's task.
pub(crate) struct Sink<T: SinkTask> {
    context: TaskContext,
    task: Option<T>,
}

impl<T: SinkTask> Sink<T> {
    pub(crate) const fn new(context: TaskContext) -> Self {
        Self {
            context,
            task: None,
        }
    }

    fn task(&mut self) -> Result<&mut T> {
        self.task.as_mut().ok_or_else(not_open)
    }
}

#[derive(Deserialize)]
struct RawPartition {
    topic: String,
    partition: i32,
}

impl<T: SinkTask> Task for Sink<T> {
    fn open(&mut self) -> Result<()> {
        let options = T::Options::from_config(self.context.config())
            .map_err(|problems| config_error(&problems))?;
        let context = SinkContext::new(self.context.clone());
        self.task = Some(block_on(T::open(options, context))?);
        Ok(())
    }

    fn open_partitions(&mut self, assigned: &str) -> Result<String> {
        let assigned = Assigned::from_json(assigned)?;
        let seeks = block_on(self.task()?.assigned(&assigned))?;
        Ok(seeks.to_json())
    }

    fn put(&mut self, batch: &[u8]) -> Result<Vec<u8>> {
        let batch = SinkBatch::parse(batch)?;
        let mut report = Report::new();
        match block_on(self.task()?.put(Records::new(&batch), &mut report)) {
            Ok(progress) => put_reply(&progress, &report),
            Err(error) => Err(report.blame(error)),
        }
    }

    fn flush(&mut self) -> Result<Vec<u8>> {
        let progress: Progress = block_on(self.task()?.flush())?;
        put_reply(&progress, &Report::new())
    }

    fn close_partitions(&mut self, revoked: &str) -> Result<()> {
        let raw: Vec<RawPartition> = serde_json::from_str(revoked)?;
        let revoked: Vec<TopicPartition> = raw
            .into_iter()
            .map(|one| TopicPartition::new(TopicName::trusted(&one.topic), one.partition))
            .collect();
        block_on(self.task()?.revoked(&revoked))
    }

    fn close(&mut self) -> Result<()> {
        match &mut self.task {
            Some(task) => block_on(task.close()),
            None => Ok(()),
        }
    }
}
