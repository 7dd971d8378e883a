//! What a task knows and may ask while it runs.

use std::{collections::BTreeMap, future::Future, ops::Deref, path::Path, sync::Arc};

use serde::Deserialize;
use serde_json::json;
use tracing::Instrument as _;

use crate::{
    Error, NewRecord, Progress, Result, RowSchema, Schema,
    durable::Durable,
    export::{host::host, runtime},
    new_record::commit_body,
    offset::{OffsetView, SourcePartition, canonical},
    shared::Shared,
};

/// What every task knows and may ask. Cheap to clone; may be kept and sent to other threads.
#[derive(Clone, Debug)]
pub struct TaskContext {
    start: Arc<TaskStart>,
    shared: Arc<Shared>,
}

/// What the host says when it makes a task.
#[derive(Debug, Deserialize)]
pub(crate) struct TaskStart {
    #[serde(default)]
    pub(crate) connector: String,
    #[serde(default)]
    pub(crate) task: u32,
    #[serde(default)]
    pub(crate) class: String,
    #[serde(default)]
    pub(crate) bounded: bool,
    pub(crate) config: BTreeMap<String, String>,
}

impl TaskContext {
    pub(crate) fn new(start: Arc<TaskStart>, shared: Arc<Shared>) -> Self {
        Self { start, shared }
    }

    /// Returns the connector's name.
    #[must_use]
    pub fn connector(&self) -> &str {
        &self.start.connector
    }

    /// Returns the class's name, as the configuration says it.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.start.class
    }

    /// Returns the number of this task among the connector's, from 0.
    #[must_use]
    pub fn task_index(&self) -> u32 {
        self.start.task
    }

    /// Returns whether this is a bounded job (`run --once`): a source should end when it has read what is there.
    #[must_use]
    pub fn bounded(&self) -> bool {
        self.start.bounded
    }

    /// Returns the whole configuration of this task.
    #[must_use]
    pub fn config(&self) -> &BTreeMap<String, String> {
        &self.start.config
    }

    /// Returns whether bad records are set aside (`errors.tolerance: all`): a source then hands them over with
    /// [`crate::BatchBuilder::reject`] and goes on; without it, it hands over what came before and fails.
    #[must_use]
    pub fn tolerates_bad_records(&self) -> bool {
        self.start
            .config
            .get("errors.tolerance")
            .is_some_and(|word| word == "all")
    }

    /// Returns whether the task was asked to stop. Code that blocks looks at it now and then, and returns early.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.shared.is_stopped()
    }

    /// Waits until the task is asked to stop. A `poll` need not: the sdk ends its wait by itself.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn cancelled(&self) {
        self.shared.cancelled().await;
    }

    /// Registers a schema with the host, once, and returns the handle that typed rows are written with.
    ///
    /// # Errors
    /// The host refuses the schema.
    pub fn register_schema(&self, schema: impl Into<Arc<Schema>>) -> Result<RowSchema> {
        RowSchema::register(schema.into())
    }

    /// Reports a value of a metric; the host adds connector and task as labels and serves it on `/metrics`. Names and labels
    /// have small letters, digits and `_`; what ends in `_total` only grows. `NaN` takes the series away.
    pub fn metric(&self, name: &str, value: f64, labels: &[(&str, &str)]) {
        if let Ok(host) = host() {
            let labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
            host.metric(self.shared.instance, name, value, &canonical(&labels));
        }
    }

    /// Tells the host how far a file was read or written, for the summary of the run. The last report of a path wins; cheap
    /// enough for once a batch.
    ///
    /// # Errors
    /// The host cannot take it.
    pub fn report_file(&self, path: &Path, bytes: u64, records: u64) -> Result<()> {
        self.report_file_with(path, bytes, records, &json!({}))
    }

    /// As [`TaskContext::report_file`], with more that the record of the run keeps of the file: `rejected`, how many of the
    /// records could not be read, and `sums`, an object of names and decimal numbers as text. A host that does not know a key
    /// leaves it out.
    ///
    /// # Errors
    /// The host cannot take it.
    pub fn report_file_with(
        &self,
        path: &Path,
        bytes: u64,
        records: u64,
        more: &serde_json::Value,
    ) -> Result<()> {
        let mut body = json!({"path": path.to_string_lossy(), "bytes": bytes, "records": records});
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        self.request("run.file", body.to_string().as_bytes())?;
        Ok(())
    }

    /// Makes sure that a topic of the host's exists and has at least this many partitions; a topic with more keeps them.
    ///
    /// For a source that chooses partitions by number, before its first record of them.
    ///
    /// # Errors
    /// The host refuses the topic; of kind `unsupported` where it does not offer this.
    pub fn ensure_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        let body = json!({"topic": topic, "partitions": partitions});
        self.request("topic.ensure", body.to_string().as_bytes())?;
        Ok(())
    }

    /// Returns the identity of the host's log: it stays, also over a backup, and no other data directory has it.
    ///
    /// For what a connector names outside after itself, where two hosts with a connector of one name must not meet.
    ///
    /// # Errors
    /// The log cannot be written or read; of kind `unsupported` where the host does not offer this.
    pub fn log_id(&self) -> Result<String> {
        let id = self.request("log.id", b"")?;
        String::from_utf8(id).map_err(|_| Error::internal("the host's log id is not UTF-8"))
    }

    /// Asks the host to split the connector's work anew, because the system outside changed: a table or a folder came or went.
    ///
    /// Returns at once. Soon afterwards the host calls `task_configs` again; tasks whose configuration stays the same go on,
    /// the others are closed and started anew, and those that are too many are closed. Requests that come meanwhile are one. A
    /// failure is tried again, with the tasks as they are. In a bounded job nothing happens: it does what was there at its start.
    ///
    /// # Errors
    /// The host does not offer it.
    pub fn request_reconfiguration(&self) -> Result<()> {
        self.request("connector.reconfigure", b"{}")?;
        Ok(())
    }

    /// Asks the host for a named operation.
    ///
    /// # Errors
    /// Of kind `unsupported` where this host does not know the operation.
    pub fn request(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>> {
        host()?.request(self.shared.instance, operation, body)
    }

    /// Returns a span that gives log events of other threads to this task: `future.instrument(ctx.span())`.
    #[must_use]
    pub fn span(&self) -> tracing::Span {
        let _at = crate::export::log::Entered::new(self.shared.instance);
        tracing::error_span!("task")
    }

    /// Runs a future in the background, on the plugin's runtime. It is dropped when the task is asked to stop, and joined before
    /// the task is closed. A panic in it is logged and ends this future only.
    ///
    /// # Errors
    /// The plugin's runtime could not be started.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let guarded = async move {
            tokio::select! {
                biased;
                () = shared.cancelled() => {}
                () = future => {}
            }
        };
        let handle = runtime::runtime()?.spawn(guarded.instrument(self.span()));
        self.shared.keep(handle);
        Ok(())
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

macro_rules! context {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name(TaskContext);

        impl $name {
            pub(crate) const fn new(context: TaskContext) -> Self {
                Self(context)
            }
        }

        impl Deref for $name {
            type Target = TaskContext;

            fn deref(&self) -> &TaskContext {
                &self.0
            }
        }
    };
}

context!(
    /// What a source's task knows and may ask: all of [`TaskContext`], and its committed offsets.
    SourceContext
);
context!(
    /// What a sink's task knows and may ask: all of [`TaskContext`].
    SinkContext
);
context!(
    /// What a transform knows and may ask: all of [`TaskContext`].
    TransformContext
);

impl SinkContext {
    /// Commits how far this sink is while its `put` or `flush` still runs, and with it, in the same commit, records for topics of the log.
    ///
    /// For a sink that is long at work on a batch: after a crash it gets again what lies behind the last commit, instead of the
    /// whole batch. All records of a partition below the reported offset are outside for good, as with what `put` returns; a
    /// refused record is not before `put` has returned. What was committed already is passed over. After a temporary error the
    /// whole batch comes again to the same instance, with what was committed of it.
    ///
    /// Records become visible together with the positions, or neither does. A sink that commits what the other side said about
    /// a record together with the position behind that record so has it in the log exactly once, however often the record was
    /// sent. A topic that is not there is made; it may not be one that the sink reads.
    ///
    /// Returns when the commit is under way; the next call, and the end of `put`, wait until it is durable. It blocks for that
    /// time, so call it at intervals: each call is a write to the log.
    ///
    /// # Errors
    /// Of kind `unsupported` where the host does not offer it, or this is not inside of `put` or `flush`; of kind `unavailable` while the log
    /// is full; permanent where a record is too large for its topic or a newer generation of the connector runs. Nothing of the
    /// call was committed then.
    pub fn commit(&self, progress: &Progress, records: &[NewRecord]) -> Result<()> {
        if progress.is_empty() && records.is_empty() {
            return Ok(());
        }
        self.request("sink.commit", &commit_body(progress, records))?;
        Ok(())
    }

    /// Waits until everything that was committed before is durable: by [`SinkContext::commit`], and by the host with what an
    /// earlier `put` returned.
    ///
    /// For a sink whose next step must not be taken while a crash could still undo the last one.
    ///
    /// # Errors
    /// As [`SinkContext::commit`]; what failed is not committed.
    pub fn committed(&self) -> Result<()> {
        self.request("sink.commit", &commit_body(&Progress::none(), &[]))?;
        Ok(())
    }
}

impl SourceContext {
    /// Reads the committed offset of a source partition. A bare `"clock"` is the partition `{"partition":"clock"}`.
    ///
    /// What could not be read is an error of the view's accessors.
    #[must_use]
    pub fn offset(&self, partition: impl Into<SourcePartition>) -> OffsetView {
        let partition = partition.into();
        OffsetView::new(self.read_offset(&partition))
    }

    fn read_offset(
        &self,
        partition: &SourcePartition,
    ) -> Result<Option<serde_json::Map<String, serde_json::Value>>> {
        let read = host()?.read_offset(self.shared().instance, partition.as_json())?;
        read.as_deref().map(OffsetView::parse).transpose()
    }

    /// Lists the committed offsets of this connector whose partition matches a prefix.
    ///
    /// A partition matches when, for each key of the prefix, its value starts with the prefix's (texts) or equals it (others).
    /// `SourcePartition::default()` matches all.
    ///
    /// # Errors
    /// The host could not read them.
    pub fn offsets(
        &self,
        prefix: impl Into<SourcePartition>,
    ) -> Result<Vec<(SourcePartition, OffsetView)>> {
        let prefix = prefix.into();
        let answer = self.request("offsets.list", prefix.as_json().as_bytes())?;
        let list: Vec<(
            BTreeMap<String, serde_json::Value>,
            serde_json::Map<String, serde_json::Value>,
        )> = serde_json::from_slice(&answer)
            .map_err(|error| Error::from(error).context("source offsets"))?;
        Ok(list
            .into_iter()
            .map(|(partition, offset)| {
                (
                    SourcePartition::new(partition),
                    OffsetView::new(Ok(Some(offset))),
                )
            })
            .collect())
    }

    /// Returns a watch of the highest durable batch, for acknowledging upstream.
    #[must_use]
    pub fn durable(&self) -> Durable {
        Durable::new(self.shared().watch_durable())
    }
}
