//! The task table: from the host's pointer to a [`Shell`].
//!
//! # Safety of this module
//! A [`TaskPtr`] is made by [`hand_over`] only, from a boxed [`Shell`], and dies in `close`. The host promises (see
//! `linkspan_abi::TaskVt`) that it passes no other pointer, none after `close`, and calls everything but `stop` and `durable` on the
//! task's thread. `stop` and `durable` touch `Shell::shared` only, which is `Sync`.

#![expect(
    unsafe_code,
    reason = "turns the host's task pointer back into the task it was made of"
)]

use std::{sync::OnceLock, time::Duration};

use linkspan_abi::{
    BatchBuf, BatchRef, R, RErr, RResult, RSlice, RStr, RString, RVec, TaskHandle, TaskPtr, TaskVt,
    TaskVt_Ref,
};

use super::shell::{Shell, unsupported};

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
        }
        .leak()
    });
    let task = TaskPtr(Box::into_raw(Box::new(shell)).cast_const().cast());
    TaskHandle { task, vt }
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

unsafe extern "C" fn call(_task: TaskPtr, op: RStr<'_>, _body: RSlice<'_, u8>) -> R<RVec<u8>> {
    RErr(unsupported(op.as_str()).to_abi())
}

unsafe extern "C" fn close(task: TaskPtr) -> RResult<(), linkspan_abi::AbiError> {
    // SAFETY: the pointer came from `Box::into_raw` in `hand_over`, and the host calls `close` once, last.
    let shell = unsafe { Box::from_raw(task.0.cast::<Shell>().cast_mut()) };
    shell.close()
}
