//! A sink's task under test.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use linkspan_abi::{
    AbiError, BatchRef, ErrorKind, RSlice,
    batch::{FORMAT, GroupKey, SinkBatchWriter},
};
use linkspan_sdk::{
    __private::{Class, LocalControl, LocalTask},
    Error, Result, SinkTask,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Config, LogLine, ReportedFile, TestData, TestRecord,
    host::{Kept, lock, shared},
};

/// Runs one sink's task; its committed positions survive [`SinkTest::reopen`].
#[derive(Debug)]
pub struct SinkTest<T> {
    config: Config,
    bounded: bool,
    kept: Arc<Kept>,
    task: Option<LocalTask>,
    /// Per partition the offset that its next record gets.
    ends: BTreeMap<(String, i32), i64>,
    /// Per partition the committed next offset and metadata.
    positions: BTreeMap<(String, i32), (i64, String)>,
    n_batches: u64,
    topic_id: String,
    fence_epoch: u64,
    class: PhantomData<fn() -> T>,
}

/// What a sink commits while its `put` or `flush` runs.
#[derive(Debug, Default)]
pub(crate) struct Midway {
    /// Where the records of the `put` at hand end.
    ends: BTreeMap<(String, i32), i64>,
    positions: BTreeMap<(String, i32), (i64, String)>,
    records: Vec<TestRecord>,
    commits: u64,
    refusal: Option<AbiError>,
    /// How many requests to commit are answered before the host dies.
    dies_after: Option<u64>,
    /// What was committed before the last request: that one told the sink that it is durable.
    durable: BTreeMap<(String, i32), (i64, String)>,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    progress: Vec<Position>,
    #[serde(default)]
    records: Vec<NewHead>,
}

#[derive(Deserialize)]
struct NewHead {
    topic: String,
    timestamp: Option<i64>,
    key: Option<usize>,
    value: Option<usize>,
    #[serde(default)]
    headers: Vec<(String, Option<usize>)>,
}

impl Midway {
    pub(crate) fn commit(&mut self, body: &[u8]) -> Result<(), AbiError> {
        let invalid = |why: String| AbiError::new(ErrorKind::DATA_INVALID, why);
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        if let Some(left) = &mut self.dies_after {
            let Some(after) = left.checked_sub(1) else {
                return Err(AbiError::new(
                    ErrorKind::INTERNAL,
                    "the host died".to_owned(),
                ));
            };
            *left = after;
        }
        let mut parts = body.splitn(2, |byte| *byte == b'\n');
        let (head, mut rest) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let head: Head =
            serde_json::from_slice(head).map_err(|error| invalid(error.to_string()))?;
        let mut take = |length: Option<usize>| -> Result<TestData, AbiError> {
            let Some(length) = length else {
                return Ok(TestData::Null);
            };
            let (taken, left) = rest
                .split_at_checked(length)
                .ok_or_else(|| invalid("the records end early".to_owned()))?;
            rest = left;
            Ok(TestData::Bytes(taken.to_vec()))
        };
        let mut records = Vec::new();
        for one in head.records {
            let (key, value) = (take(one.key)?, take(one.value)?);
            let mut headers = Vec::new();
            for (name, length) in one.headers {
                headers.push((name, take(length)?));
            }
            records.push(TestRecord {
                topic: one.topic,
                timestamp: one.timestamp,
                key,
                value,
                headers,
                ..TestRecord::default()
            });
        }
        for one in &head.progress {
            let end = self.ends.get(&(one.topic.clone(), one.partition));
            if end.is_none_or(|end| one.offset > *end) {
                return Err(AbiError::new(
                    ErrorKind::INTERNAL,
                    format!(
                        "offset {} of {}-{} is committed before it was put",
                        one.offset, one.topic, one.partition
                    ),
                ));
            }
        }
        self.commits += 1;
        self.records.append(&mut records);
        self.durable = self.positions.clone();
        let progress = head.progress.into_iter().map(|one| {
            (
                (one.topic, one.partition),
                (one.offset, one.metadata.unwrap_or_default()),
            )
        });
        self.positions.extend(progress);
        Ok(())
    }
}

/// What `put` and `flush` answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Put {
    /// Per topic and partition the next offset and the metadata.
    pub progress: BTreeMap<(String, i32), (i64, String)>,
    /// The refused records.
    pub rejected: Vec<Rejected>,
}

/// A record that a sink refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rejected {
    /// The topic that it was read from.
    pub topic: String,
    /// The partition that it was read from.
    pub partition: i32,
    /// The offset that it was read from.
    pub offset: i64,
    /// What is wrong with it.
    pub error: RejectedError,
}

/// Why a record was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RejectedError {
    /// The kind's word.
    pub kind: String,
    /// `permanent` or `temporary`.
    pub status: String,
    /// The message.
    pub message: String,
}

/// Returns the records that the error of a whole `put` names as the ones at fault.
#[must_use]
pub fn rejected(error: &Error) -> Vec<Rejected> {
    let list = error
        .detail_json()
        .and_then(|detail| detail.get("rejected"));
    list.and_then(|list| serde_json::from_value(list.clone()).ok())
        .unwrap_or_default()
}

#[derive(Deserialize, Default)]
struct Reply {
    progress: Vec<Position>,
    rejected: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Position {
    topic: String,
    partition: i32,
    offset: i64,
    metadata: Option<String>,
}

impl<T: SinkTask> SinkTest<T> {
    pub(crate) fn new(config: Config) -> Self {
        shared();
        Self {
            config,
            bounded: true,
            kept: Arc::default(),
            task: None,
            ends: BTreeMap::new(),
            positions: BTreeMap::new(),
            n_batches: 0,
            topic_id: "00000000-0000-0000-0000-000000000001".to_owned(),
            fence_epoch: 1,
            class: PhantomData,
        }
    }

    /// Sets the id of all topics from the next [`SinkTest::assign`] on: a topic made again has another one.
    pub fn set_topic_id(&mut self, id: &str) {
        id.clone_into(&mut self.topic_id);
    }

    /// Sets the generation of the connector from the next [`SinkTest::assign`] on; a restart of a connector has a greater one.
    pub const fn set_fence_epoch(&mut self, epoch: u64) {
        self.fence_epoch = epoch;
    }

    /// Gives the task other options, from the next open on.
    pub fn set_config(&mut self, config: Config) {
        self.config = config;
    }

    /// Says whether this is a bounded job; it is unless said otherwise. Takes effect at the next open.
    #[must_use]
    pub const fn bounded(mut self, bounded: bool) -> Self {
        self.bounded = bounded;
        self
    }

    /// Opens the task, without partitions.
    ///
    /// # Errors
    /// As the task's `open` answers; of kind `config_invalid` with all problems of the options.
    pub fn open(&mut self) -> Result<()> {
        let start = json!({
            "connector": "test", "task": 0, "class": "test", "bounded": self.bounded, "config": self.config,
        });
        let instance = shared().enter(&self.kept);
        let mut task = LocalTask::create(&Class::sink::<T>("test"), instance, &start.to_string())?;
        task.open()?;
        self.task = Some(task);
        Ok(())
    }

    /// Drops the task as a crash would, without `flush` and `close` being asked for their progress, and opens a new one.
    ///
    /// # Errors
    /// As [`SinkTest::open`].
    pub fn reopen(&mut self) -> Result<()> {
        drop(self.task.take());
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

    /// Returns what stops the task, from any thread.
    ///
    /// # Errors
    /// The task is not open.
    pub fn control(&mut self) -> Result<LocalControl> {
        Ok(self.task()?.control())
    }

    /// Gives partitions to the task, with their committed positions, and returns where it wants to read from. Metadata that comes
    /// with a seek is committed.
    ///
    /// # Errors
    /// As the task's `assigned` answers.
    pub fn assign(&mut self, partitions: &[(&str, i32)]) -> Result<BTreeMap<(String, i32), i64>> {
        let list: Vec<Value> = partitions
            .iter()
            .map(|(topic, partition)| {
                let stored = self.positions.get(&((*topic).to_owned(), *partition));
                json!({
                    "topic": topic, "topic_id": self.topic_id, "partition": partition,
                    "leader_epoch": 0, "next": stored.map_or(0, |(next, _)| *next),
                    "metadata": stored.map_or("", |(_, metadata)| metadata), "fence_epoch": self.fence_epoch, "stored": stored.is_some(),
                })
            })
            .collect();
        let seeks = self
            .task()?
            .open_partitions(&Value::Array(list).to_string())?;
        let mut wanted = BTreeMap::new();
        for seek in serde_json::from_str::<Vec<Position>>(&seeks)? {
            let at = (seek.topic, seek.partition);
            if let Some(metadata) = seek.metadata {
                self.positions.insert(at.clone(), (seek.offset, metadata));
            }
            wanted.insert(at, seek.offset);
        }
        Ok(wanted)
    }

    /// Takes partitions from the task, after a flush.
    ///
    /// # Errors
    /// As the task's `flush` and `revoked` answer.
    pub fn revoke(&mut self, partitions: &[(&str, i32)]) -> Result<Put> {
        let put = self.flush()?;
        let list: Vec<Value> = partitions
            .iter()
            .map(|(topic, partition)| json!({"topic": topic, "partition": partition}))
            .collect();
        self.task()?
            .close_partitions(&Value::Array(list).to_string())?;
        Ok(put)
    }

    /// Puts records, which get the next offsets of their partitions, and commits the progress that the task reports.
    ///
    /// # Errors
    /// As the task's `put` answers; the offsets are given out again then, as the host does with a batch that comes again.
    pub fn put(&mut self, records: &[TestRecord]) -> Result<Put> {
        let mut ends = self.ends.clone();
        let (bytes, count) = encode(records, &mut ends)?;
        self.n_batches += 1;
        lock(&self.kept.midway).ends = ends.clone();
        let batch = BatchRef {
            format: u32::from(FORMAT),
            count,
            seq: self.n_batches,
            bytes: RSlice::from_slice(&bytes),
        };
        let reply = self.task()?.put(batch);
        self.take_midway();
        let reply = reply?;
        self.ends = ends;
        self.take(&reply)
    }

    /// Puts records and loses the answer: nothing is committed, as when the host dies before it hears of it. The same offsets are
    /// given out again.
    ///
    /// # Errors
    /// As the task's `put` answers.
    pub fn put_unanswered(&mut self, records: &[TestRecord]) -> Result<Put> {
        let (ends, positions) = (self.ends.clone(), self.positions.clone());
        let put = self.put(records);
        self.ends = ends;
        self.positions = positions;
        put
    }

    /// Puts records to a host that dies when the task asks to commit for the `nth` time, counted from 0, or has not heard what `put`
    /// answered. What the task committed by itself is kept, but the last of it, which was not known to be durable. The task is dropped.
    ///
    /// Returns whether the host died in the middle, which the task sees as an error.
    pub fn put_and_die(&mut self, records: &[TestRecord], nth: u64) -> bool {
        let mut positions = self.positions.clone();
        let mut midway = lock(&self.kept.midway);
        midway.dies_after = Some(nth);
        midway.durable.clear();
        drop(midway);
        let died = self.put(records).is_err();
        drop(self.task.take());
        let mut midway = lock(&self.kept.midway);
        midway.dies_after = None;
        positions.extend(std::mem::take(&mut midway.durable));
        drop(midway);
        self.positions = positions;
        died
    }

    /// Flushes, and commits the progress that the task reports.
    ///
    /// # Errors
    /// As the task's `flush` answers.
    pub fn flush(&mut self) -> Result<Put> {
        lock(&self.kept.midway).ends = self.ends.clone();
        let reply = self.task()?.flush();
        self.take_midway();
        self.take(&reply?)
    }

    /// Takes over what the task committed while it worked.
    fn take_midway(&mut self) {
        let mut midway = lock(&self.kept.midway);
        midway.ends.clear();
        let committed = std::mem::take(&mut midway.positions);
        drop(midway);
        self.positions.extend(committed);
    }

    fn take(&mut self, reply: &[u8]) -> Result<Put> {
        if reply.is_empty() {
            return Ok(Put::default());
        }
        let reply: Reply = serde_json::from_slice(reply)?;
        let progress: BTreeMap<_, _> = reply
            .progress
            .into_iter()
            .map(|one| {
                (
                    (one.topic, one.partition),
                    (one.offset, one.metadata.unwrap_or_default()),
                )
            })
            .collect();
        self.positions.extend(progress.clone());
        Ok(Put {
            progress,
            rejected: reply.rejected,
        })
    }

    /// Returns the committed next offset and metadata of a partition.
    #[must_use]
    pub fn position(&self, topic: &str, partition: i32) -> Option<(i64, &str)> {
        self.positions
            .get(&(topic.to_owned(), partition))
            .map(|(next, metadata)| (*next, metadata.as_str()))
    }

    /// Makes the next record of a partition get this offset: the same records come again, or a gap appears.
    pub fn rewind(&mut self, topic: &str, partition: i32, offset: i64) {
        self.ends.insert((topic.to_owned(), partition), offset);
    }

    /// Forgets a committed position, as a deleted data directory does.
    pub fn forget(&mut self, topic: &str, partition: i32) {
        self.positions.remove(&(topic.to_owned(), partition));
    }

    /// Returns the records that the task wrote into the log with
    /// [`SinkContext::commit`](linkspan_sdk::SinkContext::commit) so far.
    #[must_use]
    pub fn written(&self) -> Vec<TestRecord> {
        lock(&self.kept.midway).records.clone()
    }

    /// Returns how often the task committed while a `put` ran.
    #[must_use]
    pub fn commits(&self) -> u64 {
        lock(&self.kept.midway).commits
    }

    /// Makes every commit while a `put` runs fail from now on, as a host does whose log is full; `None` ends that.
    pub fn refuse_commits(&mut self, why: Option<&str>) {
        lock(&self.kept.midway).refusal =
            why.map(|why| AbiError::new(ErrorKind::UNAVAILABLE, why.to_owned()).temporary());
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

/// Writes a batch: one group for each run of records of one partition.
pub(crate) fn encode(
    records: &[TestRecord],
    ends: &mut BTreeMap<(String, i32), i64>,
) -> Result<(Vec<u8>, u32)> {
    let mut writer = SinkBatchWriter::new();
    let mut group: Option<(String, i32)> = None;
    for record in records {
        let at = (record.topic.clone(), record.partition.unwrap_or(0));
        let end = ends.entry(at.clone()).or_insert(0);
        if group.as_ref() != Some(&at) {
            let key = GroupKey {
                topic: &at.0,
                original_topic: &at.0,
                topic_id: [0; 16],
                partition: at.1,
                leader_epoch: 0,
                timestamp_type: 0,
            };
            writer.begin_group(&key, *end)?;
            group = Some(at);
        }
        let (key, value) = (record.key.encode()?, record.value.encode()?);
        let mut headers = Vec::new();
        for (name, data) in &record.headers {
            headers.push((name.as_str(), data.encode()?));
        }
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, data)| (*name, data.data()))
            .collect();
        writer.record(
            *end,
            record.timestamp,
            key.data(),
            value.data(),
            headers.into_iter(),
        )?;
        *end += 1;
    }
    let count = writer.count();
    Ok((writer.finish()?, count))
}
