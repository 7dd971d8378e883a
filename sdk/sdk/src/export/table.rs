//! The task table: from the host's pointer to a [`Shell`].
//!
//! # Safety of this module
//! A [`TaskPtr`] is made by [`hand_over`] only, from a boxed [`Shell`], and dies in `close`. The host promises (see
//! `linkspan_abi::TaskVt`) that it passes no other pointer, none after `close`, and calls everything but `stop`, `durable` and
//! `wake` on the task's thread. Those touch `Shell::shared` only, which is `Sync`.

#![expect(
    unsafe_code,
    reason = "turns the host's task pointer back into the task it was made of"
)]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use linkspan_abi::{
    BatchBuf, BatchRef, R, RErr, RResult, RSlice, RStr, RString, RVec, TaskHandle, TaskPtr, TaskVt,
    TaskVt_Ref,
};

use super::{
    class::Class,
    plugin::create_task,
    shell::{Shell, unsupported},
};
use crate::{Error, Result, shared::Shared};

/// Makes a task the host's. It is freed by the table's `close`.
pub(crate) fn hand_over(shell: Shell) -> TaskHandle {
    static TABLE: OnceLock<TaskVt_Ref> = OnceLock::new();
    let vt = *TABLE.get_or_init(|| {
        TaskVt {
            open,
            poll,
            open_partitions,
            put,
            flush,
            close_partitions,
            apply,
            durable,
            stop,
            call,
            close,
            wake,
        }
        .leak()
    });
    let task = TaskPtr(Box::into_raw(Box::new(shell)).cast_const().cast());
    TaskHandle { task, vt }
}

/// A task of this library, called through its own table by the same bytes as a host's: for tests without a host.
///
/// It is bound to one thread, and closed when it is dropped.
#[derive(Debug)]
pub struct LocalTask {
    task: Option<TaskHandleParts>,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, Copy)]
struct TaskHandleParts(TaskPtr);

/// Stops a [`LocalTask`] and tells it what is durable, from any thread.
#[derive(Debug, Clone)]
pub struct LocalControl(Arc<Shared>);

impl LocalControl {
    /// As the table's `stop`.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// As the table's `wake`.
    pub fn wake(&self) {
        self.0.wake();
    }

    /// As the table's `durable`.
    pub fn durable(&self, seq: u64) {
        self.0.set_durable(seq);
    }
}

macro_rules! through_table {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty => $passed:expr),*) -> $answer:ty, $read:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// As the task answers; of kind `internal` after `close`.
        pub fn $name(&mut self $(, $argument: $type)*) -> Result<$answer> {
            let Some(TaskHandleParts(task)) = self.task else {
                return Err(Error::internal("the task is closed"));
            };
            // SAFETY: the pointer is this value's own, alive until `close` takes it, and `&mut self` is one call at a time.
            let answer = unsafe { $name(task $(, $passed)*) };
            match answer {
                RResult::ROk(value) => Ok(($read)(value)),
                RErr(error) => Err(Error::from_abi(&error)),
            }
        }
    )*};
}

impl LocalTask {
    /// Makes a task of a class.
    ///
    /// # Errors
    /// The configuration is no JSON of a task.
    pub fn create(class: &Class, instance: u64, start_json: &str) -> Result<Self> {
        let handle = match create_task(class, instance, start_json) {
            RResult::ROk(handle) => handle,
            RErr(error) => return Err(Error::from_abi(&error)),
        };
        // SAFETY: the pointer was made by `hand_over` just now.
        let shared = Arc::clone(&unsafe { shell(handle.task) }.shared);
        Ok(Self {
            task: Some(TaskHandleParts(handle.task)),
            shared,
        })
    }

    /// Returns what may be used from other threads.
    #[must_use]
    pub fn control(&self) -> LocalControl {
        LocalControl(Arc::clone(&self.shared))
    }

    through_table! {
        /// Opens the task.
        open() -> (), |_: RVec<u8>| ();
        /// Polls a source.
        poll(max_records: u32 => max_records, max_bytes: u64 => max_bytes, wait_ms: u64 => wait_ms) -> BatchBuf, |batch| batch;
        /// Gives partitions to a sink.
        open_partitions(assigned: &str => RStr::from(assigned)) -> String, |seeks: RString| seeks.as_str().to_owned();
        /// Puts a batch.
        put(batch: BatchRef<'_> => batch) -> Vec<u8>, |reply: RVec<u8>| reply.as_slice().to_vec();
        /// Flushes a sink.
        flush() -> Vec<u8>, |reply: RVec<u8>| reply.as_slice().to_vec();
        /// Takes partitions from a sink.
        close_partitions(revoked: &str => RStr::from(revoked)) -> (), |()| ();
        /// Applies a transform.
        apply(batch: BatchRef<'_> => batch) -> BatchBuf, |batch| batch;
    }

    /// Closes the task; a second time does nothing.
    ///
    /// # Errors
    /// As the task answers.
    pub fn close(&mut self) -> Result<()> {
        let Some(TaskHandleParts(task)) = self.task.take() else {
            return Ok(());
        };
        // SAFETY: the pointer was taken out, so that nothing can use it again.
        match unsafe { close(task) } {
            RResult::ROk(()) => Ok(()),
            RErr(error) => Err(Error::from_abi(&error)),
        }
    }
}

impl Drop for LocalTask {
    fn drop(&mut self) {
        // Whoever wants the answer calls `close`.
        let _closed = LocalTask::close(self);
    }
}

/// Returns the shell behind a pointer.
///
/// # Safety
/// The pointer must come from [`hand_over`], and `close` must not have been called on it.
unsafe fn shell<'a>(task: TaskPtr) -> &'a Shell {
    // SAFETY: the caller's promise; a shell is only ever borrowed shared until `close`.
    unsafe { &*task.0.cast::<Shell>() }
}

unsafe extern "C" fn open(task: TaskPtr) -> R<RVec<u8>> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.open().map(|()| RVec::new()))
}

unsafe extern "C" fn poll(
    task: TaskPtr,
    max_records: u32,
    max_bytes: u64,
    wait_ms: u64,
) -> R<BatchBuf> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.poll(max_records, max_bytes, Duration::from_millis(wait_ms)))
}

unsafe extern "C" fn open_partitions(task: TaskPtr, assigned: RStr<'_>) -> R<RString> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.open_partitions(assigned.as_str()).map(RString::from))
}

unsafe extern "C" fn put(task: TaskPtr, batch: BatchRef<'_>) -> R<RVec<u8>> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.put(batch.bytes.as_slice()).map(RVec::from))
}

unsafe extern "C" fn flush(task: TaskPtr) -> R<RVec<u8>> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.flush().map(RVec::from))
}

unsafe extern "C" fn close_partitions(task: TaskPtr, revoked: RStr<'_>) -> R<()> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.close_partitions(revoked.as_str()))
}

unsafe extern "C" fn apply(task: TaskPtr, batch: BatchRef<'_>) -> R<BatchBuf> {
    // SAFETY: the host's promise, see the module.
    let shell = unsafe { shell(task) };
    shell.call(|task| task.apply(batch.bytes.as_slice()))
}

unsafe extern "C" fn durable(task: TaskPtr, seq: u64) {
    // SAFETY: the host's promise, see the module. Only `shared` is touched.
    unsafe { shell(task) }.shared.set_durable(seq);
}

unsafe extern "C" fn stop(task: TaskPtr) {
    // SAFETY: the host's promise, see the module. Only `shared` is touched.
    unsafe { shell(task) }.shared.stop();
}

unsafe extern "C" fn wake(task: TaskPtr) {
    // SAFETY: the host's promise, see the module. Only `shared` is touched.
    unsafe { shell(task) }.shared.wake();
}

unsafe extern "C" fn call(_task: TaskPtr, op: RStr<'_>, _body: RSlice<'_, u8>) -> R<RVec<u8>> {
    RErr(unsupported(op.as_str()).to_abi())
}

unsafe extern "C" fn close(task: TaskPtr) -> RResult<(), linkspan_abi::AbiError> {
    // SAFETY: the pointer came from `Box::into_raw` in `hand_over`, and the host calls `close` once, last.
    let shell = unsafe { Box::from_raw(task.0.cast::<Shell>().cast_mut()) };
    shell.close()
}
