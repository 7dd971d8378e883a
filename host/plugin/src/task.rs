//! A task, owned by one thread; stop and durable from any.

#![expect(
    unsafe_code,
    reason = "calls through a table that a plugin handed over"
)]

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use linkspan_abi::{BATCH_FORMAT, BatchBuf, BatchRef, RStr, TaskHandle, TaskPtr, TaskVt_Ref};

use crate::{error::PluginError, registry::Plugin};

/// What every call needs. The pointer is alive while the guard of [`TaskControl`] holds it.
#[derive(Clone, Copy)]
struct Live {
    task: TaskPtr,
    vt: TaskVt_Ref,
}

// SAFETY: the ABI lets a task be called from any thread, one at a time, and `stop` and `durable` from any thread at any time
// (linkspan-abi, `tables`); the pointer itself is only handed back.
unsafe impl Send for Live {}
// SAFETY: as above; what may be called through a shared `Live` is `stop`, `durable` and `wake` only.
unsafe impl Sync for Live {}

/// A task of a plugin. It moves between threads, and one thread at a time calls it.
///
/// Dropping it closes it.
pub struct Task {
    plugin: Arc<Plugin>,
    live: Live,
    control: TaskControl,
    /// `Live` is `Sync` for the control's sake; a task is not.
    _one_thread: std::marker::PhantomData<std::cell::Cell<()>>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("plugin", &self.plugin.info.name)
            .finish_non_exhaustive()
    }
}

/// A batch out of a source. It is the plugin's memory; dropping it gives it back.
#[derive(Debug)]
pub struct SourceBuf {
    batch: BatchBuf,
}

impl SourceBuf {
    /// Returns the plugin's number of the batch, for [`TaskControl::durable`].
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.batch.seq
    }

    /// Returns how many records the plugin says there are; the bytes decide.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.batch.count
    }
}

impl Deref for SourceBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.batch.bytes.as_slice()
    }
}

impl Task {
    pub(crate) fn new(plugin: Arc<Plugin>, handle: TaskHandle) -> Self {
        let live = Live {
            task: handle.task,
            vt: handle.vt,
        };
        Self {
            plugin,
            live,
            control: TaskControl {
                live: Arc::new(RwLock::new(Some(live))),
            },
            _one_thread: std::marker::PhantomData,
        }
    }

    /// Returns the handle for other threads.
    #[must_use]
    pub fn control(&self) -> TaskControl {
        self.control.clone()
    }

    /// Opens the task.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn open(&self) -> Result<Vec<u8>, PluginError> {
        let Live { task, vt } = self.live;
        // SAFETY: the pointer came with this table, and `close` consumes the task.
        let answer = self.plugin.call(|| unsafe { vt.open()(task) })?;
        Ok(answer.to_vec())
    }

    /// Source: returns the next batch, after at most `wait` without a record.
    ///
    /// # Errors
    /// What the plugin says; a batch of a format that this host does not read.
    pub fn poll(
        &self,
        max_records: u32,
        max_bytes: u64,
        wait: Duration,
    ) -> Result<SourceBuf, PluginError> {
        let Live { task, vt } = self.live;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: as in `open`.
        let batch = self
            .plugin
            .call(|| unsafe { vt.poll()(task, max_records, max_bytes, wait_ms) })?;
        self.known_format(batch)
    }

    fn known_format(&self, batch: BatchBuf) -> Result<SourceBuf, PluginError> {
        if batch.format == 0 || batch.format > u32::from(BATCH_FORMAT) {
            let what = format!(
                "format {}, this host reads up to {BATCH_FORMAT}",
                batch.format
            );
            return Err(self.plugin.garbage("a batch", what));
        }
        Ok(SourceBuf { batch })
    }

    /// Sink: hands partitions over; returns seeks as JSON.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn open_partitions(&self, assigned_json: &str) -> Result<String, PluginError> {
        let Live { task, vt } = self.live;
        let assigned = RStr::from(assigned_json);
        // SAFETY: as in `open`.
        let seeks = self
            .plugin
            .call(|| unsafe { vt.open_partitions()(task, assigned) })?;
        Ok(seeks.as_str().to_owned())
    }

    /// Sink: hands a batch over; returns the put reply.
    ///
    /// # Errors
    /// What the plugin says: nothing of the batch may be assumed applied.
    pub fn put(&self, bytes: &[u8], count: u32, seq: u64) -> Result<Vec<u8>, PluginError> {
        let Live { task, vt } = self.live;
        let batch = borrowed(bytes, count, seq);
        // SAFETY: as in `open`; the batch is borrowed for the call.
        let reply = self.plugin.call(|| unsafe { vt.put()(task, batch) })?;
        Ok(reply.to_vec())
    }

    /// Sink: finishes all that was put; returns the put reply.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn flush(&self) -> Result<Vec<u8>, PluginError> {
        let Live { task, vt } = self.live;
        // SAFETY: as in `open`.
        let reply = self.plugin.call(|| unsafe { vt.flush()(task) })?;
        Ok(reply.to_vec())
    }

    /// Sink: takes partitions back.
    ///
    /// # Errors
    /// What the plugin says.
    pub fn close_partitions(&self, json: &str) -> Result<(), PluginError> {
        let Live { task, vt } = self.live;
        let json = RStr::from(json);
        // SAFETY: as in `open`.
        self.plugin
            .call(|| unsafe { vt.close_partitions()(task, json) })
    }

    /// Transform: maps a batch to a mapped batch.
    ///
    /// # Errors
    /// What the plugin says; a batch of a format that this host does not read.
    pub fn apply(&self, bytes: &[u8], count: u32, seq: u64) -> Result<SourceBuf, PluginError> {
        let Live { task, vt } = self.live;
        let batch = borrowed(bytes, count, seq);
        // SAFETY: as in `put`.
        let batch = self.plugin.call(|| unsafe { vt.apply()(task, batch) })?;
        self.known_format(batch)
    }

    /// Asks the task for a named operation.
    ///
    /// # Errors
    /// An operation that the task does not know is `unsupported`.
    pub fn call(&self, op: &str, body: &[u8]) -> Result<Vec<u8>, PluginError> {
        let Live { task, vt } = self.live;
        let (op, body) = (RStr::from(op), body.into());
        // SAFETY: as in `open`.
        let answer = self.plugin.call(|| unsafe { vt.call()(task, op, body) })?;
        Ok(answer.to_vec())
    }

    /// Closes the task; its controls do nothing from here on.
    ///
    /// # Errors
    /// What the plugin says; the task is gone all the same.
    pub fn close(self) -> Result<(), PluginError> {
        self.close_once()
    }

    fn close_once(&self) -> Result<(), PluginError> {
        // Waits for a `stop` or `durable` that is running; later ones find nothing.
        let live = {
            let mut guard = self
                .control
                .live
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            guard.take()
        };
        let Some(Live { task, vt }) = live else {
            return Ok(());
        };
        // SAFETY: taking it out of the guard happens once, and every other call needs a task that nobody else owns.
        self.plugin.call(|| unsafe { vt.close()(task) })
    }
}

fn borrowed(bytes: &[u8], count: u32, seq: u64) -> BatchRef<'_> {
    BatchRef {
        format: u32::from(BATCH_FORMAT),
        count,
        seq,
        bytes: bytes.into(),
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Err(error) = self.close_once() {
            tracing::warn!(%error, plugin = self.plugin.info.name, "a dropped task did not close");
        }
    }
}

/// Stops a task, wakes it, or tells it what is durable, from any thread. After the task was closed it does nothing.
#[derive(Clone)]
pub struct TaskControl {
    /// Read while a call runs, written once by `close`: a call never meets a task that is gone.
    live: Arc<RwLock<Option<Live>>>,
}

impl fmt::Debug for TaskControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskControl").finish_non_exhaustive()
    }
}

impl TaskControl {
    /// Asks the task to end its current and all later calls soon.
    pub fn stop(&self) {
        let guard = self.live.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Live { task, vt }) = *guard {
            // SAFETY: the guard keeps the task from being closed, and `stop` may be called from any thread.
            unsafe { vt.stop()(task) }
        }
    }

    /// Lets a source's `poll` that waits answer now. A plugin older than ABI 1.1 answers when its wait is over.
    pub fn wake(&self) {
        let guard = self.live.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Live { task, vt }) = *guard
            && let Some(wake) = vt.wake()
        {
            // SAFETY: the guard keeps the task from being closed, and `wake` may be called from any thread.
            unsafe { wake(task) }
        }
    }

    /// Tells a source that the batch `seq` and all before it are durable.
    pub fn durable(&self, seq: u64) {
        let guard = self.live.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Live { task, vt }) = *guard {
            // SAFETY: as in `stop`.
            unsafe { vt.durable()(task, seq) }
        }
    }
}
