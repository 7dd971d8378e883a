//! A source's task under test.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc, time::Duration};

use linkspan_abi::batch::{
    Data, END, IDLE, Limits, NO_SOURCE_PARTITION, OffsetChange, PARTITION_BY_KEY, REJECTED_HEADER,
    SourceBatch,
};
use linkspan_sdk::{
    __private::{Class, LocalControl, LocalTask},
    Error, Poll, Result, SourceTask,
};
use serde_json::{Value, json};

use crate::{
    Config, LogLine, ReportedFile, TestData, TestRecord,
    host::{Kept, lock, shared},
};

/// Runs one source's task; its committed offsets survive [`SourceTest::reopen`].
#[derive(Debug)]
pub struct SourceTest<T> {
    config: Config,
    bounded: bool,
    task_index: u32,
    max_records: u32,
    max_bytes: u64,
    wait: Duration,
    kept: Arc<Kept>,
    task: Option<LocalTask>,
    class: PhantomData<fn() -> T>,
}

/// One answer of `poll`, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Polled {
    /// The records.
    pub records: Vec<TestRecord>,
    /// What could not be read: the raw bytes as their value, and the message.
    pub rejected: Vec<(TestRecord, String)>,
    /// What the source said with them. A poll that still waits is `Idle(0)` without records.
    pub poll: Poll,
    /// The batch's number; 0 where it says nothing.
    pub seq: u64,
    /// Per source partition (canonical JSON) its new offset, `None` where it is deleted.
    pub offsets: BTreeMap<String, Option<Value>>,
}

impl<T: SourceTask> SourceTest<T> {
    pub(crate) fn new(config: Config) -> Self {
        shared();
        Self {
            config,
            bounded: true,
            task_index: 0,
            max_records: 1_000,
            max_bytes: 4 << 20,
            wait: Duration::from_secs(5),
            kept: Arc::default(),
            task: None,
            class: PhantomData,
        }
    }

    /// Says whether this is a bounded job; it is unless said otherwise. Takes effect at the next open.
    #[must_use]
    pub const fn bounded(mut self, bounded: bool) -> Self {
        self.bounded = bounded;
        self
    }

    /// Sets the number of the task. Takes effect at the next open.
    #[must_use]
    pub const fn task_index(mut self, index: u32) -> Self {
        self.task_index = index;
        self
    }

    /// Sets what the host asks for at most; 1000 records and 4 MiB unless said otherwise.
    #[must_use]
    pub const fn asking(mut self, max_records: u32, max_bytes: u64) -> Self {
        self.max_records = max_records;
        self.max_bytes = max_bytes;
        self
    }

    /// Sets how long a poll waits for a first record; 5 s unless said otherwise.
    #[must_use]
    pub const fn waiting(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets a committed offset, as an earlier run would have left it. The JSON of the partition must be canonical (sorted keys).
    #[must_use]
    pub fn committed_before(self, partition: &Value, offset: &Value) -> Self {
        lock(&self.kept.offsets).insert(partition.to_string(), offset.to_string());
        self
    }

    /// Opens the task.
    ///
    /// # Errors
    /// As the task's `open` answers; of kind `config_invalid` with all problems of the options.
    pub fn open(&mut self) -> Result<()> {
        let start = json!({
            "connector": "test", "task": self.task_index, "class": "test", "bounded": self.bounded, "config": self.config,
        });
        let instance = shared().enter(&self.kept);
        let mut task =
            LocalTask::create(&Class::source::<T>("test"), instance, &start.to_string())?;
        task.open()?;
        self.task = Some(task);
        Ok(())
    }

    /// Closes the task and opens a new one, which reads the committed offsets.
    ///
    /// # Errors
    /// As `close` and `open`.
    pub fn reopen(&mut self) -> Result<()> {
        self.close()?;
        self.open()
    }

    /// Closes the task.
    ///
    /// # Errors
    /// As the task's `close` answers.
    pub fn close(&mut self) -> Result<()> {
        self.task.take().map_or(Ok(()), |mut task| task.close())
    }

    fn task(&mut self) -> Result<&mut LocalTask> {
        self.task
            .as_mut()
            .ok_or_else(|| Error::internal("the task under test is not open"))
    }

    /// Returns what stops the task and tells it what is durable, from any thread.
    ///
    /// # Errors
    /// The task is not open.
    pub fn control(&mut self) -> Result<LocalControl> {
        Ok(self.task()?.control())
    }

    /// Polls once and checks the batch as the host does. Nothing is committed.
    ///
    /// # Errors
    /// As the task's `poll` answers; of kind `internal` where its batch is not valid.
    pub fn poll(&mut self) -> Result<Polled> {
        let (max_records, max_bytes) = (self.max_records, self.max_bytes);
        let wait_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX);
        let batch = self.task()?.poll(max_records, max_bytes, wait_ms)?;
        decode(batch.bytes.as_slice(), batch.seq).map_err(Error::internal)
    }

    /// Commits a batch: keeps its offsets and tells the task that it is durable.
    ///
    /// # Errors
    /// The task is not open.
    pub fn commit(&mut self, polled: &Polled) -> Result<()> {
        let mut offsets = lock(&self.kept.offsets);
        for (partition, offset) in &polled.offsets {
            match offset {
                Some(offset) => offsets.insert(partition.clone(), offset.to_string()),
                None => offsets.remove(partition),
            };
        }
        drop(offsets);
        if polled.seq > 0 {
            self.control()?.durable(polled.seq);
        }
        Ok(())
    }

    /// Polls and commits until the source is exhausted, has nothing for now, or `records_max` records are there; opens the task
    /// where it is not open.
    ///
    /// # Errors
    /// As [`SourceTest::open`] and [`SourceTest::poll`].
    pub fn run(&mut self, records_max: usize) -> Result<Vec<TestRecord>> {
        if self.task.is_none() {
            self.open()?;
        }
        let mut records = Vec::new();
        loop {
            let polled = self.poll()?;
            self.commit(&polled)?;
            let idle = matches!(polled.poll, Poll::Idle(_)) && polled.records.is_empty();
            records.extend(polled.records);
            if idle || polled.poll == Poll::Exhausted || records.len() >= records_max {
                return Ok(records);
            }
        }
    }

    /// Returns a committed offset.
    #[must_use]
    pub fn committed(&self, partition: &Value) -> Option<Value> {
        let offsets = lock(&self.kept.offsets);
        offsets
            .get(&partition.to_string())
            .and_then(|offset| serde_json::from_str(offset).ok())
    }

    /// Returns all committed offsets with their source partitions, for a test that carries them to another one.
    #[must_use]
    pub fn all_committed(&self) -> Vec<(Value, Value)> {
        let offsets = lock(&self.kept.offsets);
        let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        offsets
            .iter()
            .map(|(partition, offset)| (read(partition), read(offset)))
            .collect()
    }

    /// Returns how many source partitions have a committed offset.
    #[must_use]
    pub fn committed_count(&self) -> usize {
        lock(&self.kept.offsets).len()
    }

    /// Returns what the task logged so far.
    #[must_use]
    pub fn log(&self) -> Vec<LogLine> {
        lock(&self.kept.log).clone()
    }

    /// Returns what the task reported about files.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, ReportedFile> {
        lock(&self.kept.files).clone()
    }
}

fn decode(bytes: &[u8], seq: u64) -> Result<Polled, String> {
    let batch = SourceBatch::parse_and_validate(bytes, &Limits::DEFAULT, shared())
        .map_err(|error| format!("the source's batch is not valid: {error}"))?;
    let mut offsets = BTreeMap::new();
    for source in batch.source_partitions() {
        let offset = match source.offset {
            OffsetChange::Set(json) => {
                Some(serde_json::from_str(json).map_err(|error| error.to_string())?)
            }
            OffsetChange::Delete => None,
            OffsetChange::Unchanged => continue,
        };
        offsets.insert(source.partition.to_owned(), offset);
    }
    let (mut records, mut rejected) = (Vec::new(), Vec::new());
    for record in batch.records() {
        let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
        let topic = batch
            .topics()
            .get(usize::from(record.topic))
            .copied()
            .unwrap_or_default();
        let source = batch.source_partitions().get(at(record.source_partition));
        let (mut headers, mut why) = (Vec::new(), None);
        for (name, data) in record.headers.clone() {
            if name == REJECTED_HEADER {
                why = Some(rejection(data)?);
                continue;
            }
            headers.push((name.to_owned(), TestData::decode(data)?));
        }
        let record = TestRecord {
            topic: topic.to_owned(),
            partition: (record.partition != PARTITION_BY_KEY).then_some(record.partition),
            source_partition: source
                .filter(|_| record.source_partition != NO_SOURCE_PARTITION)
                .map(|source| source.partition.to_owned()),
            timestamp: record.timestamp,
            key: TestData::decode(record.key)?,
            value: TestData::decode(record.value)?,
            headers,
        };
        match why {
            Some(why) => rejected.push((record, why)),
            None => records.push(record),
        }
    }
    let poll = if batch.flags() & END != 0 {
        Poll::Exhausted
    } else if batch.flags() & IDLE != 0 {
        Poll::Idle(Duration::from_millis(u64::from(batch.poll_after_ms())))
    } else {
        Poll::More
    };
    Ok(Polled {
        records,
        rejected,
        poll,
        seq,
        offsets,
    })
}

/// Reads why a record was rejected.
fn rejection(data: Data<'_>) -> Result<String, String> {
    let text = data.plain().unwrap_or_default();
    let why: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let message = why.get("message").and_then(Value::as_str);
    message
        .map(str::to_owned)
        .ok_or_else(|| "a rejected record without a message".to_owned())
}
