//! A transform's step under test.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use linkspan_abi::{
    BatchRef, RSlice,
    batch::{FORMAT, Limits, SourceBatch},
};
use linkspan_sdk::{
    __private::{Class, LocalTask},
    Error, Result, Transform,
};
use serde_json::json;

use crate::{
    Config, LogLine, TestData, TestRecord,
    host::{Kept, lock, shared},
    sink::encode,
};

/// Runs one transform's step.
#[derive(Debug)]
pub struct TransformTest<T> {
    config: Config,
    kept: Arc<Kept>,
    task: Option<LocalTask>,
    n_batches: u64,
    class: PhantomData<fn() -> T>,
}

/// One record that a transform made, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// Which of the records it was given it came of, from 0.
    pub from: usize,
    /// The record; a partition or a time that the transform did not choose is `None` and stays what it was.
    pub record: TestRecord,
}

impl<T: Transform> TransformTest<T> {
    pub(crate) fn new(config: Config) -> Self {
        shared();
        Self {
            config,
            kept: Arc::default(),
            task: None,
            n_batches: 0,
            class: PhantomData,
        }
    }

    /// Opens the step.
    ///
    /// # Errors
    /// As the transform's `open` answers; of kind `config_invalid` with all problems of the options.
    pub fn open(&mut self) -> Result<()> {
        let start = json!({
            "connector": "test", "task": 0, "class": "test", "bounded": true, "step": "test", "config": self.config,
        });
        let instance = shared().enter(&self.kept);
        let class = Class::transform::<T>("test");
        let mut task = LocalTask::create(&class, instance, &start.to_string())?;
        task.open()?;
        self.task = Some(task);
        Ok(())
    }

    /// Closes the step and opens a new one.
    ///
    /// # Errors
    /// As `close` and `open`.
    pub fn reopen(&mut self) -> Result<()> {
        self.close()?;
        self.open()
    }

    /// Closes the step.
    ///
    /// # Errors
    /// As the transform's `close` answers.
    pub fn close(&mut self) -> Result<()> {
        self.task.take().map_or(Ok(()), |mut task| task.close())
    }

    /// Sends records through the step in one batch, and checks what comes back as the host does. Opens the step where it is not
    /// open. The host itself sends one record at a time, so that an error is that record's.
    ///
    /// # Errors
    /// As the transform's `apply` answers; of kind `internal` where its batch is not valid.
    pub fn apply(&mut self, records: &[TestRecord]) -> Result<Vec<Made>> {
        if self.task.is_none() {
            self.open()?;
        }
        let (bytes, count) = encode(records, &mut BTreeMap::new())?;
        self.n_batches += 1;
        let batch = BatchRef {
            format: u32::from(FORMAT),
            count,
            seq: self.n_batches,
            bytes: RSlice::from_slice(&bytes),
        };
        let task = self.task.as_mut();
        let task = task.ok_or_else(|| Error::internal("the step under test is not open"))?;
        let answer = task.apply(batch)?;
        decode(answer.bytes.as_slice(), count).map_err(Error::internal)
    }

    /// Returns what the transform logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        lock(&self.kept.log).clone()
    }
}

fn decode(bytes: &[u8], n_inputs: u32) -> Result<Vec<Made>, String> {
    let batch = SourceBatch::parse_mapped(bytes, n_inputs, &Limits::DEFAULT, shared())
        .map_err(|error| format!("the transform's batch is not valid: {error}"))?;
    let mut made = Vec::new();
    for record in batch.records() {
        let topic = batch.topics().get(usize::from(record.topic));
        let mut headers = Vec::new();
        for (name, data) in record.headers.clone() {
            headers.push((name.to_owned(), TestData::decode(data)?));
        }
        made.push(Made {
            from: usize::try_from(record.source_partition).unwrap_or(usize::MAX),
            record: TestRecord {
                topic: topic.copied().unwrap_or_default().to_owned(),
                partition: Some(record.partition).filter(|partition| *partition >= 0),
                source_partition: None,
                timestamp: record.timestamp,
                key: TestData::decode(record.key)?,
                value: TestData::decode(record.value)?,
                headers,
            },
        });
    }
    Ok(made)
}
