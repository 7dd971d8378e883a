//! The function tables, and the by-value structs that pass through them.
//!
//! Tables only grow at their end, after the field marked `last_prefix_field`; an accessor of a later field returns `Option`.
//! By-value structs never change. What must grow grows in the header inside a batch, in JSON text, or first as an operation of
//! `call` and `request`.
//!
//! # Threads
//! All functions of one task are called by one thread at a time, except [`TaskVt::stop`], [`TaskVt::durable`] and [`TaskVt::wake`],
//! which any thread may call until [`TaskVt::close`] was called. Functions of [`Plugin`] and [`HostApi`] may be called by any thread.
//!
//! # Unwinding
//! No function of these tables unwinds: each side catches its own panics before they reach the boundary.

#![expect(
    unsafe_code,
    reason = "the derive reads fields that a table may not have, after it looked whether it does"
)]
#![allow(
    non_camel_case_types,
    missing_debug_implementations,
    reason = "the derive names the reference types `X_Ref`, and they hold function pointers only"
)]

use abi_stable::{
    StableAbi,
    std_types::{ROption, RSlice, RStr, RString, RVec},
};

use crate::kind::R;

/// A plugin: the one thing a plugin library exports.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
#[sabi(kind(Prefix(prefix_ref = Plugin_Ref, prefix_fields = Plugin_Prefix)))]
pub struct Plugin {
    /// Returns the manifest as JSON, see [`crate::manifest`]. May be called before `init` and has no side effect.
    pub manifest: extern "C" fn() -> RString,
    /// Hands over the host's table and the number by which the host knows this plugin. Called once, before all but `manifest`.
    pub init: extern "C" fn(host: HostApi_Ref, plugin_id: u64) -> R<()>,
    /// Checks a configuration (JSON object of strings) without side effects; returns JSON `[{"option","message"}]`.
    pub validate: extern "C" fn(class: RStr<'_>, config_json: RStr<'_>) -> R<RString>,
    /// Splits a connector into at most `max` tasks; each string is a JSON object of the keys that this task adds.
    pub task_configs:
        extern "C" fn(class: RStr<'_>, config_json: RStr<'_>, max: u32) -> R<RVec<RString>>,
    /// Makes a task. `instance` is the host's number for it; JSON `{"connector","task","class","config":{…}}`.
    pub create_task:
        extern "C" fn(class: RStr<'_>, instance: u64, config_json: RStr<'_>) -> R<TaskHandle>,
    /// Answers a named operation; an unknown one is an error of kind `unsupported`.
    #[sabi(last_prefix_field)]
    pub call: extern "C" fn(op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>>,
}

/// The plugin's own pointer to a task. The host passes it back and never looks behind it.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskPtr(
    /// What the plugin put there.
    pub *const (),
);

/// A task as a plugin hands it over. It is dead after [`TaskVt::close`].
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct TaskHandle {
    /// The first argument of every function of `vt`.
    pub task: TaskPtr,
    /// The functions of this task.
    pub vt: TaskVt_Ref,
}

/// The functions of a task. Source, sink and transform share one table; what a class does not do answers `unsupported`.
///
/// # Safety
/// The pointer must be the one that came with this table, and `close` must not have been called on it.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
#[sabi(kind(Prefix(prefix_ref = TaskVt_Ref, prefix_fields = TaskVt_Prefix)))]
pub struct TaskVt {
    /// Opens the task. The answer is JSON or empty.
    pub open: unsafe extern "C" fn(task: TaskPtr) -> R<RVec<u8>>,
    /// Source: returns the next batch, waiting at most `wait_ms` for a first record. The plugin allocated the buffer and frees it.
    pub poll: unsafe extern "C" fn(
        task: TaskPtr,
        max_records: u32,
        max_bytes: u64,
        wait_ms: u64,
    ) -> R<BatchBuf>,
    /// Sink: takes partitions over. JSON `[{"topic","topic_id","partition","leader_epoch","next","metadata","fence_epoch","stored"}]`
    /// in, JSON seeks `[{"topic","partition","offset"}]` out.
    pub open_partitions: unsafe extern "C" fn(task: TaskPtr, assigned_json: RStr<'_>) -> R<RString>,
    /// Sink: takes a batch, which is borrowed for the call only. The answer is a put reply (JSON) or empty:
    /// `{"progress":[{"topic","partition","offset","metadata"}],"rejected":[{"group","index","topic","partition","offset","error":{…}}]}`.
    pub put: unsafe extern "C" fn(task: TaskPtr, batch: BatchRef<'_>) -> R<RVec<u8>>,
    /// Sink: finishes all that was put. The answer is as `put`'s.
    pub flush: unsafe extern "C" fn(task: TaskPtr) -> R<RVec<u8>>,
    /// Sink: gives partitions up, after a flush. JSON `[{"topic","partition"}]`.
    pub close_partitions: unsafe extern "C" fn(task: TaskPtr, json: RStr<'_>) -> R<()>,
    /// Transform: maps a batch to a batch.
    pub apply: unsafe extern "C" fn(task: TaskPtr, batch: BatchRef<'_>) -> R<BatchBuf>,
    /// Source: the batch `seq` and all before it are durable. Any thread; must return at once.
    pub durable: unsafe extern "C" fn(task: TaskPtr, seq: u64),
    /// Asks the task to end its current and all later calls soon. Any thread; must return at once.
    pub stop: unsafe extern "C" fn(task: TaskPtr),
    /// Answers a named operation; an unknown one is an error of kind `unsupported`.
    pub call:
        unsafe extern "C" fn(task: TaskPtr, op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>>,
    /// Closes and frees the task; the pointer is dead afterwards, whatever the answer says.
    #[sabi(last_prefix_field)]
    pub close: unsafe extern "C" fn(task: TaskPtr) -> R<()>,
    /// Source: lets a `poll` that waits answer now, without records if it has none; nothing is lost. Any thread; must return at
    /// once. Since 1.1: a plugin without it answers when its `wait_ms` are over.
    pub wake: unsafe extern "C" fn(task: TaskPtr),
}

/// A batch out of a plugin. The plugin allocated `bytes`; dropping it frees through the plugin.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct BatchBuf {
    /// The batch format, see [`crate::batch::FORMAT`].
    pub format: u32,
    /// The number of records, for accounting before the bytes are checked.
    pub count: u32,
    /// The plugin's number of this batch, growing; comes back through [`TaskVt::durable`].
    pub seq: u64,
    /// See [`crate::batch`].
    pub bytes: RVec<u8>,
}

/// A batch into a plugin, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct BatchRef<'a> {
    /// The batch format, see [`crate::batch::FORMAT`].
    pub format: u32,
    /// The number of records.
    pub count: u32,
    /// The host's number of this batch.
    pub seq: u64,
    /// See [`crate::batch`].
    pub bytes: RSlice<'a, u8>,
}

/// The host, as a plugin sees it. Strings are borrowed for the call and copied by the host.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
#[sabi(kind(Prefix(prefix_ref = HostApi_Ref, prefix_fields = HostApi_Prefix)))]
pub struct HostApi {
    /// Logs a message (text, or JSON of an event). Instance 0 is the plugin itself. Levels: 1 error … 5 trace.
    pub log:
        extern "C" fn(plugin: u64, instance: u64, level: u32, target: RStr<'_>, message: RStr<'_>),
    /// Returns the highest level that the host takes from this plugin; 0 is off.
    pub log_level: extern "C" fn(plugin: u64) -> u32,
    /// Reports a metric's value with its labels (JSON object of strings).
    pub metric: extern "C" fn(
        plugin: u64,
        instance: u64,
        name: RStr<'_>,
        value: f64,
        labels_json: RStr<'_>,
    ),
    /// Registers a schema (canonical JSON) and returns its handle: process-local, the same for the same schema, never stored.
    pub register_schema: extern "C" fn(schema_json: RStr<'_>) -> R<u32>,
    /// Returns the canonical JSON of a registered schema.
    pub get_schema: extern "C" fn(handle: u32) -> R<RString>,
    /// Returns the committed offset (JSON object) of a source partition (JSON object) of the connector of this instance.
    pub read_offset: extern "C" fn(instance: u64, partition_json: RStr<'_>) -> R<ROption<RString>>,
    /// Answers a named operation; an unknown one is an error of kind `unsupported`.
    /// `offsets.list`: a prefix (JSON object) in, a JSON array of `[partition, offset]` out.
    /// `sink.commit`, from inside of `put`: one line of JSON `{"progress": [{topic, partition, offset, metadata}], "records":
    /// [{topic, timestamp, key, value, headers: [[name, value]]}]}`, where key, value and a header's value are lengths or null,
    /// then those bytes in order. Positions and records become one commit, fenced by the connector's generation.
    /// `log.id`: the identity of the host's log, letters and digits; it stays, and no other data directory has it.
    /// `connector.reconfigure`: the host asks `task_configs` again soon, and restarts the tasks whose configuration changed.
    #[sabi(last_prefix_field)]
    pub request: extern "C" fn(instance: u64, op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>>,
}

macro_rules! leak {
    ($table:ident, $reference:ident) => {
        impl $table {
            /// Moves the table to the heap for ever and returns the reference that crosses. Call it once per table, not per task.
            #[must_use]
            pub fn leak(self) -> $reference {
                abi_stable::prefix_type::PrefixTypeTrait::leak_into_prefix(self)
            }
        }
    };
}

leak!(Plugin, Plugin_Ref);
leak!(TaskVt, TaskVt_Ref);
leak!(HostApi, HostApi_Ref);
