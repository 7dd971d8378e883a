//! A plugin written against the tables alone, for the tests: a source of numbers, a sink that echoes, and calls that misbehave.

#![expect(
    unsafe_code,
    reason = "a plugin without the sdk keeps its own pointers"
)]

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use linkspan_abi::{
    ABI_VERSION, AbiError, BatchBuf, BatchRef, ErrorKind, HostApi_Ref, Plugin, Plugin_Ref, R, RErr,
    ROk, RSlice, RStr, RString, RVec, TaskHandle, TaskPtr, TaskVt, TaskVt_Ref,
    batch::{Data, SourceBatchWriter},
    manifest::{Class, ClassKind, Manifest},
};

struct Host {
    api: HostApi_Ref,
    id: u64,
}

static HOST: OnceLock<Host> = OnceLock::new();

struct Task {
    instance: u64,
    stopped: AtomicBool,
    durable: AtomicU64,
    writer: Mutex<SourceBatchWriter>,
}

fn unsupported<T>() -> R<T> {
    RErr(AbiError::new(ErrorKind::UNSUPPORTED, "not of this class"))
}

extern "C" fn manifest() -> RString {
    let class = |name: &str, kind: ClassKind| Class {
        name: name.to_owned(),
        kind,
        aliases: vec![format!("{name}-alias")],
        docs: "For tests.".to_owned(),
        options: Vec::new(),
        features: vec!["fenced".to_owned()],
    };
    let manifest = Manifest {
        name: "fixture".to_owned(),
        version: "0.0.1".to_owned(),
        sdk_version: "none".to_owned(),
        abi_version: ABI_VERSION.to_owned(),
        batch_format: 1,
        classes: vec![
            class("fixture-source", ClassKind::Source),
            class("fixture-sink", ClassKind::Sink),
        ],
    };
    manifest.to_json().into()
}

extern "C" fn init(api: HostApi_Ref, id: u64) -> R<()> {
    HOST.get_or_init(|| Host { api, id });
    ROk(())
}

extern "C" fn validate(_class: RStr<'_>, config_json: RStr<'_>) -> R<RString> {
    if config_json.contains("garbage") {
        return ROk("{not json".into());
    }
    ROk(r#"[{"option":"topic","message":"is missing"}]"#.into())
}

extern "C" fn task_configs(_class: RStr<'_>, _config: RStr<'_>, max: u32) -> R<RVec<RString>> {
    ROk((0..max)
        .map(|n| RString::from(format!("{{\"part\":\"{n}\"}}")))
        .collect())
}

extern "C" fn create_task(_class: RStr<'_>, instance: u64, _config: RStr<'_>) -> R<TaskHandle> {
    let task = Box::new(Task {
        instance,
        stopped: AtomicBool::new(false),
        durable: AtomicU64::new(0),
        writer: Mutex::default(),
    });
    ROk(TaskHandle {
        task: TaskPtr(Box::into_raw(task).cast_const().cast()),
        vt: table(),
    })
}

extern "C" fn plugin_call(op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>> {
    if op == "echo" {
        return ROk(body.to_vec().into());
    }
    unsupported()
}

fn table() -> TaskVt_Ref {
    static TABLE: OnceLock<TaskVt_Ref> = OnceLock::new();
    *TABLE.get_or_init(|| {
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
    })
}

/// # Safety
/// The pointer must be a task of this plugin that was not closed.
unsafe fn task<'a>(pointer: TaskPtr) -> &'a Task {
    // SAFETY: the caller's promise.
    unsafe { &*pointer.0.cast::<Task>() }
}

unsafe extern "C" fn open(pointer: TaskPtr) -> R<RVec<u8>> {
    // SAFETY: the host's promise.
    let task = unsafe { task(pointer) };
    if let Some(host) = HOST.get() {
        (host.api.log())(host.id, task.instance, 3, "fixture".into(), "opened".into());
        let offset = (host.api.read_offset())(task.instance, "{\"p\":1}".into());
        return match offset {
            ROk(offset) => ROk(offset.unwrap_or_default().into_bytes()),
            RErr(error) => RErr(error),
        };
    }
    RErr(AbiError::new(ErrorKind::INTERNAL, "no host"))
}

unsafe extern "C" fn poll(pointer: TaskPtr, max: u32, _bytes: u64, _wait: u64) -> R<BatchBuf> {
    // SAFETY: the host's promise.
    let task = unsafe { task(pointer) };
    if task.stopped.load(Ordering::SeqCst) {
        return RErr(AbiError::new(ErrorKind::STOPPED, "stopped").temporary());
    }
    let mut writer = task.writer.lock().unwrap_or_else(PoisonError::into_inner);
    let mut build = || {
        let topic = writer.topic("numbers")?;
        for n in 0..max {
            let text = n.to_string();
            let record = writer.begin(topic, linkspan_abi::batch::NO_SOURCE_PARTITION)?;
            record.value(Data::Utf8(&text))?;
        }
        writer.finish()
    };
    match build() {
        Ok(bytes) => ROk(BatchBuf {
            format: 1,
            count: max,
            seq: task.durable.load(Ordering::SeqCst) + 1,
            bytes: bytes.into(),
        }),
        Err(error) => RErr(AbiError::new(ErrorKind::INTERNAL, error.to_string())),
    }
}

unsafe extern "C" fn open_partitions(_: TaskPtr, _assigned: RStr<'_>) -> R<RString> {
    ROk("[]".into())
}

unsafe extern "C" fn put(_: TaskPtr, batch: BatchRef<'_>) -> R<RVec<u8>> {
    ROk(format!("{}:{}", batch.count, batch.bytes.len())
        .into_bytes()
        .into())
}

unsafe extern "C" fn flush(_: TaskPtr) -> R<RVec<u8>> {
    ROk(RVec::new())
}

unsafe extern "C" fn close_partitions(_: TaskPtr, _json: RStr<'_>) -> R<()> {
    ROk(())
}

unsafe extern "C" fn apply(_: TaskPtr, _batch: BatchRef<'_>) -> R<BatchBuf> {
    ROk(BatchBuf {
        format: 9,
        count: 0,
        seq: 0,
        bytes: RVec::new(),
    })
}

unsafe extern "C" fn durable(pointer: TaskPtr, seq: u64) {
    // SAFETY: the host's promise.
    unsafe { task(pointer) }
        .durable
        .store(seq, Ordering::SeqCst);
}

unsafe extern "C" fn stop(pointer: TaskPtr) {
    // SAFETY: the host's promise.
    unsafe { task(pointer) }
        .stopped
        .store(true, Ordering::SeqCst);
}

unsafe extern "C" fn wake(_: TaskPtr) {
    // Its `poll` never waits.
}

unsafe extern "C" fn call(_: TaskPtr, op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>> {
    match (op.as_str(), HOST.get()) {
        // Lets the host's services panic inside of their callback.
        ("request", Some(host)) => (host.api.request())(0, "panic".into(), body),
        ("schema", Some(host)) => {
            match (host.api.register_schema())("{\"type\":\"int8\"}".into()) {
                ROk(handle) => ROk(handle.to_le_bytes().to_vec().into()),
                RErr(error) => RErr(error),
            }
        }
        _ => unsupported(),
    }
}

unsafe extern "C" fn close(pointer: TaskPtr) -> R<()> {
    // SAFETY: the host closes a task once.
    drop(unsafe { Box::from_raw(pointer.0.cast_mut().cast::<Task>()) });
    ROk(())
}

fn make() -> Plugin_Ref {
    Plugin {
        manifest,
        init,
        validate,
        task_configs,
        create_task,
        call: plugin_call,
    }
    .leak()
}

linkspan_abi::export_root!(make);
