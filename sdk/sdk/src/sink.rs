//! The author's contract of a sink, and what passes through it.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

use crate::{
    Error, Record, Records, Result, SinkContext, TopicName, TopicPartition, options::Options,
};

/// A sink's task: takes records from the host and brings them to a system outside.
///
/// Implement it on the state of one task. The host gives each task a thread of its own; all methods are called on that thread,
/// one at a time, in the order `open`, then `assigned`, `put`, `flush` and `revoked` as partitions come and go, then `close`.
/// Futures need not be `Send`, and code that blocks is legal.
///
/// # Examples
/// ```
/// use std::{fs::File, io::Write as _};
/// use linkspan_sdk::prelude::*;
///
/// #[derive(Options)]
/// struct JsonlOptions {
///     /// The file to append to.
///     path: std::path::PathBuf,
/// }
///
/// struct Jsonl {
///     file: File,
/// }
///
/// impl SinkTask for Jsonl {
///     type Options = JsonlOptions;
///
///     async fn open(options: JsonlOptions, _ctx: SinkContext) -> Result<Self> {
///         Ok(Self { file: File::options().create(true).append(true).open(options.path)? })
///     }
///
///     async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
///         let mut lines = Vec::new();
///         let done = records.progress();
///         for record in records {
///             let start = lines.len();
///             match record.value().write_json(&mut lines) {
///                 Ok(()) => lines.push(b'\n'),
///                 Err(error) => {
///                     lines.truncate(start);
///                     report.reject(&record, error);
///                 }
///             }
///         }
///         self.file.write_all(&lines)?;
///         self.file.sync_data()?;
///         Ok(done)
///     }
/// }
///
/// export_plugin! { sinks: [Jsonl as "jsonl-sink"] }
/// # fn main() {}
/// ```
#[expect(
    async_fn_in_trait,
    reason = "the futures run on the task's own thread and need not be Send"
)]
pub trait SinkTask: Sized + 'static {
    /// The options, usually with `#[derive(Options)]`.
    type Options: Options;

    /// Opens the task: connects. Partitions follow through [`SinkTask::assigned`].
    ///
    /// Called once, on the task's thread. `ctx` may be kept and cloned.
    ///
    /// # Errors
    /// A temporary error is tried again with back-off by the host, with a new task; a permanent one fails the task.
    async fn open(options: Self::Options, ctx: SinkContext) -> Result<Self>;

    /// Takes partitions over: only those that are new since the last call.
    ///
    /// A sink that keeps its position outside returns where to read from; the default starts where the host says.
    ///
    /// # Errors
    /// As [`SinkTask::open`].
    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let _ = partitions;
        Ok(Seeks::none())
    }

    /// Takes a batch of records.
    ///
    /// Also called with no records about once a second, so that a sink that buffers can write by time and report progress.
    /// What it returns as progress is committed: records below it are never sent again. A sink that buffers returns the progress
    /// of what is really outside, and the rest later. Records refused through `report` are the host's business from then on and
    /// count as done.
    ///
    /// # Errors
    /// Nothing of the batch may be assumed applied. After a temporary error the same batch comes again, to the same instance,
    /// after a back-off; a permanent one fails the task.
    ///
    /// # Cancel safety
    /// The future is never dropped before it ends.
    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress>;

    /// Finishes everything that was put: called before a stop and before partitions are revoked. The default has nothing to do.
    ///
    /// # Errors
    /// As [`SinkTask::put`]: what has no progress yet is put again, to whoever has the partition then.
    async fn flush(&mut self) -> Result<Progress> {
        Ok(Progress::none())
    }

    /// Gives partitions up, after a flush. The default does nothing.
    ///
    /// # Errors
    /// Logged by the host; the partitions are gone in any case.
    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let _ = partitions;
        Ok(())
    }

    /// Closes the task: the last call, also after an error, but not after a panic. The default does nothing.
    ///
    /// # Errors
    /// Logged by the host; nothing else follows from it.
    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A partition as it is given to a sink's task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assigned {
    /// The topic.
    pub topic: TopicName,
    /// The topic's id, a UUID as text: a topic made again under its old name has another one.
    pub topic_id: String,
    /// The partition.
    pub partition: i32,
    /// The leader epoch of the committed position, or the log's current one without it. A sink that keeps its own position
    /// stores the leader epoch of the last record before it, [`Record::leader_epoch`](crate::Record::leader_epoch).
    pub leader_epoch: i32,
    /// The offset from which the host is going to read.
    pub next: i64,
    /// The metadata that was committed with `next`, or empty.
    pub metadata: String,
    /// The number of this connector's generation; a higher one fences all lower ones.
    pub fence_epoch: u64,
    /// Whether `next` was committed; if not, it is where the group starts.
    pub stored: bool,
}

impl Assigned {
    /// Returns topic and partition.
    #[must_use]
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(self.topic.clone(), self.partition)
    }

    /// Reads partitions as a host writes them, for tests of what a sink decides when it takes them over.
    ///
    /// # Errors
    /// The text is not such a JSON array.
    pub fn from_json(json: &str) -> Result<Vec<Self>> {
        let raw: Vec<RawAssigned> = serde_json::from_str(json)
            .map_err(|error| Error::from(error).context("assigned partitions"))?;
        Ok(raw.into_iter().map(RawAssigned::into_assigned).collect())
    }
}

#[derive(Deserialize)]
struct RawAssigned {
    topic: String,
    #[serde(default)]
    topic_id: String,
    partition: i32,
    #[serde(default)]
    leader_epoch: i32,
    next: i64,
    #[serde(default)]
    metadata: String,
    #[serde(default)]
    fence_epoch: u64,
    #[serde(default)]
    stored: bool,
}

impl RawAssigned {
    fn into_assigned(self) -> Assigned {
        Assigned {
            topic: TopicName::trusted(&self.topic),
            topic_id: self.topic_id,
            partition: self.partition,
            leader_epoch: self.leader_epoch,
            next: self.next,
            metadata: self.metadata,
            fence_epoch: self.fence_epoch,
            stored: self.stored,
        }
    }
}

/// Where a sink wants partitions to be read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeks(Vec<Seek>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seek {
    partition: TopicPartition,
    offset: i64,
    metadata: Option<String>,
    leader_epoch: Option<i32>,
}

impl Seeks {
    /// Leaves everything where the host says.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads a partition from this offset on.
    pub fn to(&mut self, partition: TopicPartition, offset: i64) -> &mut Self {
        self.0.push(Seek {
            partition,
            offset,
            metadata: None,
            leader_epoch: None,
        });
        self
    }

    /// Reads a partition from this offset on, and commits the offset with this metadata before the first record is put.
    ///
    /// For a sink whose first write must already be covered by a committed position; `offset` is [`Assigned::next`] where nothing
    /// is to be moved.
    pub fn commit(
        &mut self,
        partition: TopicPartition,
        offset: i64,
        metadata: impl Into<String>,
    ) -> &mut Self {
        self.0.push(Seek {
            partition,
            offset,
            metadata: Some(metadata.into()),
            leader_epoch: None,
        });
        self
    }

    /// Reads a partition from a position that was kept outside, and commits it with this metadata before the first record is put.
    ///
    /// `leader_epoch` is that of the last record before the position, [`Record::leader_epoch`](crate::Record::leader_epoch). The
    /// host refuses a position that is not in its log, instead of skipping or repeating records.
    pub fn position(
        &mut self,
        partition: TopicPartition,
        offset: i64,
        leader_epoch: i32,
        metadata: impl Into<String>,
    ) -> &mut Self {
        self.0.push(Seek {
            partition,
            offset,
            metadata: Some(metadata.into()),
            leader_epoch: Some(leader_epoch),
        });
        self
    }

    /// Returns partition, offset, and the metadata that is to be committed.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, i64, Option<&str>)> {
        self.0
            .iter()
            .map(|seek| (&seek.partition, seek.offset, seek.metadata.as_deref()))
    }

    pub(crate) fn to_json(&self) -> String {
        let list: Vec<serde_json::Value> = self
            .0
            .iter()
            .map(|seek| {
                let mut json = serde_json::Map::new();
                json.insert("topic".to_owned(), seek.partition.topic.as_str().into());
                json.insert("partition".to_owned(), seek.partition.partition.into());
                json.insert("offset".to_owned(), seek.offset.into());
                if let Some(metadata) = &seek.metadata {
                    json.insert("metadata".to_owned(), metadata.as_str().into());
                }
                if let Some(epoch) = seek.leader_epoch {
                    json.insert("leader_epoch".to_owned(), epoch.into());
                }
                serde_json::Value::Object(json)
            })
            .collect();
        serde_json::Value::Array(list).to_string()
    }
}

impl FromIterator<(TopicPartition, i64)> for Seeks {
    fn from_iter<I: IntoIterator<Item = (TopicPartition, i64)>>(seeks: I) -> Self {
        let mut all = Self::none();
        for (partition, offset) in seeks {
            all.to(partition, offset);
        }
        all
    }
}

/// Most bytes of metadata per partition.
pub const METADATA_BYTES_MAX: usize = 4096;

/// How far a sink is: per partition the *next* offset, all records below which are outside for good, and metadata.
///
/// Metadata (at most [`METADATA_BYTES_MAX`] bytes) is committed with the offset and comes back in [`Assigned::metadata`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress(BTreeMap<TopicPartition, (i64, String)>);

impl Progress {
    /// Reports nothing new.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Reports that all of these records are outside, as [`Records::progress`]. Call it before or after `for record in &records`.
    #[must_use]
    pub fn all(records: &Records<'_>) -> Self {
        records.progress()
    }

    /// Reports that all records of a partition below `next` are outside. The last report of a partition wins.
    pub fn set(
        &mut self,
        partition: TopicPartition,
        next: i64,
        metadata: impl Into<String>,
    ) -> &mut Self {
        self.0.insert(partition, (next, metadata.into()));
        self
    }

    /// Adds another report on top of this one.
    pub fn merge(&mut self, newer: Self) -> &mut Self {
        self.0.extend(newer.0);
        self
    }

    /// Returns the same progress with this metadata for every partition.
    #[must_use]
    pub fn with_metadata(mut self, metadata: &str) -> Self {
        for (_, text) in self.0.values_mut() {
            metadata.clone_into(text);
        }
        self
    }

    /// Returns the next offset of a partition.
    #[must_use]
    pub fn next(&self, partition: &TopicPartition) -> Option<i64> {
        self.0.get(partition).map(|(next, _)| *next)
    }

    /// Returns whether there is nothing new.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns partition, next offset and metadata.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, i64, &str)> {
        self.0
            .iter()
            .map(|(partition, (next, metadata))| (partition, *next, metadata.as_str()))
    }

    /// Takes everything out.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

/// Collects the records that a sink refuses, any number in one call.
#[derive(Default)]
pub struct Report(Vec<Rejected>);

pub(crate) struct Rejected {
    pub(crate) group: u32,
    pub(crate) index: u32,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) error: Error,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Refuses one record: the host sends it to the dead letter queue or fails the task, as `errors.tolerance` says.
    ///
    /// The record counts as done: [`Progress`] may pass it.
    ///
    /// A `put` that refuses records and then returns a permanent error of kind `data_invalid` says that nothing was applied and that
    /// these records are at fault: the host sets them aside, durably, and puts the rest again. A sink that keeps its position outside
    /// does so, because its position could pass a record before the dead letter is durable.
    pub fn reject(&mut self, record: &Record<'_>, error: impl Into<Error>) {
        let (group, index) = record.place();
        self.0.push(Rejected {
            group,
            index,
            topic: record.original_topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            error: error.into(),
        });
    }

    /// Names the refused records in the error of the whole batch.
    pub(crate) fn blame(&self, error: Error) -> Error {
        if self.is_empty() || error.is_temporary() {
            return error;
        }
        let detail = match error.detail_json() {
            Some(serde_json::Value::Object(detail)) => detail.clone(),
            Some(other) => serde_json::Map::from_iter([("detail".to_owned(), other.clone())]),
            None => serde_json::Map::new(),
        };
        let mut detail = detail;
        detail.insert(
            "rejected".to_owned(),
            serde_json::Value::Array(self.to_json()),
        );
        error.detail(serde_json::Value::Object(detail))
    }

    fn to_json(&self) -> Vec<serde_json::Value> {
        self.0
            .iter()
            .map(|one| {
                serde_json::json!({
                    "group": one.group, "index": one.index,
                    "topic": one.topic, "partition": one.partition, "offset": one.offset,
                    "error": {
                        "kind": one.error.kind().as_str(),
                        "status": if one.error.is_temporary() { "temporary" } else { "permanent" },
                        "message": one.error.chain(),
                        "detail": one.error.detail_json(),
                    },
                })
            })
            .collect()
    }

    /// Returns how many records were refused.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether no record was refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("rejected", &self.0.len())
            .finish()
    }
}

/// Writes what `put` and `flush` answer; empty where there is nothing to say.
pub(crate) fn put_reply(progress: &Progress, report: &Report) -> Result<Vec<u8>> {
    if progress.is_empty() && report.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = Vec::with_capacity(progress.0.len());
    for (at, next, metadata) in progress.iter() {
        if metadata.len() > METADATA_BYTES_MAX {
            return Err(Error::internal(format!(
                "metadata of {at} has {} bytes, at most {METADATA_BYTES_MAX} are allowed",
                metadata.len()
            )));
        }
        list.push(serde_json::json!({
            "topic": at.topic.as_str(), "partition": at.partition, "offset": next, "metadata": metadata,
        }));
    }
    let rejected = report.to_json();
    Ok(serde_json::json!({"progress": list, "rejected": rejected})
        .to_string()
        .into_bytes())
}
