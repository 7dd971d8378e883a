//! The host in memory: offsets, schemas, log, files.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use linkspan_abi::{
    AbiError, ErrorKind, HostApi, R, RErr, RNone, ROk, ROption, RSlice, RSome, RStr, RString, RVec,
    schema::{Schema, SchemaLookup},
};
use linkspan_sdk::{__private::init_host, SinkTask, SourceTask, Transform};
use serde_json::{Value, json};

use crate::{SinkTest, SourceTest, TransformTest, sink::Midway};

/// A flat configuration, as a test writes it: `[("topic", "t")]` or a map.
pub type Config = BTreeMap<String, String>;

/// The number by which the test host knows the plugin under test.
const PLUGIN: u64 = 1;

/// A host in memory.
#[derive(Debug, Clone, Copy)]
pub struct TestHost;

impl TestHost {
    /// Prepares a source's task.
    #[must_use]
    pub fn source<T: SourceTask>(config: impl IntoConfig) -> SourceTest<T> {
        SourceTest::new(config.into_config())
    }

    /// Prepares a sink's task.
    #[must_use]
    pub fn sink<T: SinkTask>(config: impl IntoConfig) -> SinkTest<T> {
        SinkTest::new(config.into_config())
    }

    /// Prepares a transform's step.
    #[must_use]
    pub fn transform<T: Transform>(config: impl IntoConfig) -> TransformTest<T> {
        TransformTest::new(config.into_config())
    }
}

/// What a configuration may be written as.
pub trait IntoConfig {
    /// Returns the map.
    fn into_config(self) -> Config;
}

impl IntoConfig for Config {
    fn into_config(self) -> Config {
        self
    }
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> IntoConfig for [(K, V); N] {
    fn into_config(self) -> Config {
        self.iter()
            .map(|(name, text)| (name.as_ref().to_owned(), text.as_ref().to_owned()))
            .collect()
    }
}

/// An event that the task logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u32,
    /// Where in the code.
    pub target: String,
    /// Message and fields.
    pub message: String,
}

/// What a task said last about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportedFile {
    /// The bytes read or written.
    pub bytes: u64,
    /// The records in them.
    pub records: u64,
}

/// What the host keeps for one task under test, across its opens.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) offsets: Mutex<BTreeMap<String, String>>,
    pub(crate) log: Mutex<Vec<LogLine>>,
    pub(crate) files: Mutex<BTreeMap<String, ReportedFile>>,
    pub(crate) midway: Mutex<Midway>,
}

/// The one host of this process: a library is connected to a host once, so that tests share it, each with its own instance.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    instances: Mutex<HashMap<u64, Arc<Kept>>>,
    schemas: Mutex<Vec<Arc<Schema>>>,
    next_instance: AtomicU64,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the host, connected to this library.
pub(crate) fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let api = HostApi {
            log,
            log_level,
            metric,
            register_schema,
            get_schema,
            read_offset,
            request,
        };
        init_host(api.leak(), PLUGIN);
        Shared::default()
    })
}

impl Shared {
    /// Gives a task its number.
    pub(crate) fn enter(&self, kept: &Arc<Kept>) -> u64 {
        let instance = self.next_instance.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.instances).insert(instance, Arc::clone(kept));
        instance
    }

    fn kept(&self, instance: u64) -> Option<Arc<Kept>> {
        lock(&self.instances).get(&instance).cloned()
    }

    /// Registers a schema and returns its handle.
    pub(crate) fn register(&self, schema: &Arc<Schema>) -> u32 {
        let mut schemas = lock(&self.schemas);
        let known = schemas.iter().position(|known| known == schema);
        let index = known.unwrap_or_else(|| {
            schemas.push(Arc::clone(schema));
            schemas.len() - 1
        });
        u32::try_from(index + 1).unwrap_or(u32::MAX)
    }
}

impl SchemaLookup for Shared {
    fn schema(&self, handle: u32) -> Option<Arc<Schema>> {
        let index = usize::try_from(handle.checked_sub(1)?).ok()?;
        lock(&self.schemas).get(index).cloned()
    }
}

extern "C" fn log(_plugin: u64, instance: u64, level: u32, target: RStr<'_>, message: RStr<'_>) {
    if let Some(kept) = shared().kept(instance) {
        lock(&kept.log).push(LogLine {
            level,
            target: target.as_str().to_owned(),
            message: message.as_str().to_owned(),
        });
    }
}

extern "C" fn log_level(_plugin: u64) -> u32 {
    4
}

extern "C" fn metric(
    _plugin: u64,
    _instance: u64,
    _name: RStr<'_>,
    _value: f64,
    _labels: RStr<'_>,
) {
}

extern "C" fn register_schema(json: RStr<'_>) -> R<u32> {
    match Schema::from_json(json.as_str()) {
        Ok(schema) => ROk(shared().register(&Arc::new(schema))),
        Err(error) => RErr(AbiError::new(ErrorKind::DATA_INVALID, error.to_string())),
    }
}

extern "C" fn get_schema(handle: u32) -> R<RString> {
    match shared().schema(handle) {
        Some(schema) => ROk(RString::from(schema.to_json())),
        None => RErr(AbiError::new(
            ErrorKind::NOT_FOUND,
            format!("no schema has handle {handle}"),
        )),
    }
}

fn unknown_instance(instance: u64) -> AbiError {
    AbiError::new(
        ErrorKind::INTERNAL,
        format!("no task has number {instance}"),
    )
}

extern "C" fn read_offset(instance: u64, partition: RStr<'_>) -> R<ROption<RString>> {
    let Some(kept) = shared().kept(instance) else {
        return RErr(unknown_instance(instance));
    };
    let offsets = lock(&kept.offsets);
    ROk(offsets
        .get(partition.as_str())
        .map_or(RNone, |offset| RSome(RString::from(offset.as_str()))))
}

extern "C" fn request(instance: u64, op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>> {
    let Some(kept) = shared().kept(instance) else {
        return RErr(unknown_instance(instance));
    };
    let answer = match op.as_str() {
        "offsets.list" => list_offsets(&kept, body.as_slice()),
        "run.file" => report_file(&kept, body.as_slice()),
        "log.id" => Ok(b"testkit".to_vec()),
        "sink.commit" => lock(&kept.midway)
            .commit(body.as_slice())
            .map(|()| Vec::new()),
        other => Err(AbiError::new(
            ErrorKind::UNSUPPORTED,
            format!("the test host does not offer `{other}`"),
        )),
    };
    match answer {
        Ok(bytes) => ROk(RVec::from(bytes)),
        Err(error) => RErr(error),
    }
}

fn invalid(error: &serde_json::Error) -> AbiError {
    AbiError::new(ErrorKind::DATA_INVALID, error.to_string())
}

fn list_offsets(kept: &Kept, prefix: &[u8]) -> Result<Vec<u8>, AbiError> {
    let prefix: BTreeMap<String, Value> =
        serde_json::from_slice(prefix).map_err(|error| invalid(&error))?;
    let mut list = Vec::new();
    for (partition, offset) in &*lock(&kept.offsets) {
        let partition: Value = serde_json::from_str(partition).map_err(|error| invalid(&error))?;
        let offset: Value = serde_json::from_str(offset).map_err(|error| invalid(&error))?;
        let fits = prefix
            .iter()
            .all(|(key, wanted)| match (partition.get(key), wanted) {
                (Some(Value::String(found)), Value::String(wanted)) => {
                    found.starts_with(wanted.as_str())
                }
                (found, wanted) => found == Some(wanted),
            });
        if fits {
            list.push(json!([partition, offset]));
        }
    }
    Ok(Value::Array(list).to_string().into_bytes())
}

fn report_file(kept: &Kept, body: &[u8]) -> Result<Vec<u8>, AbiError> {
    let body: Value = serde_json::from_slice(body).map_err(|error| invalid(&error))?;
    let number = |key: &str| body.get(key).and_then(Value::as_u64).unwrap_or(0);
    let path = body
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    lock(&kept.files).insert(
        path,
        ReportedFile {
            bytes: number("bytes"),
            records: number("records"),
        },
    );
    Ok(Vec::new())
}
