//! The table that plugins call, over [`HostServices`].
//!
//! The table's functions carry no pointer of ours, so the services are found by thread or by process: a call from a thread that is
//! inside of a plugin call goes to the services of that plugin's registry, any other call to those of the last discovery. A process
//! has one discovery outside of tests.

use std::{
    cell::RefCell,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use linkspan_abi::{
    AbiError, ErrorKind, HostApi, HostApi_Ref, R, RErr, RNone, ROk, ROption, RSlice, RSome, RStr,
    RString, RVec,
};

use crate::{error::PluginError, services::HostServices};

#[derive(Clone)]
struct Known {
    name: Arc<str>,
    services: Arc<dyn HostServices>,
}

/// Plugins by the number that they were given at `init`, and the services of the last discovery.
///
/// The lock is held for the look-up only, never while services or plugins run.
#[derive(Default)]
struct Directory {
    plugins: HashMap<u64, Known>,
    last: Option<Arc<dyn HostServices>>,
}

fn directory() -> &'static RwLock<Directory> {
    static DIRECTORY: OnceLock<RwLock<Directory>> = OnceLock::new();
    DIRECTORY.get_or_init(RwLock::default)
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<dyn HostServices>>> = const { RefCell::new(None) };
}

/// Makes a plugin known and returns its number.
pub(crate) fn register(name: &str, services: &Arc<dyn HostServices>) -> u64 {
    let mut directory = directory().write().unwrap_or_else(PoisonError::into_inner);
    let id = u64::try_from(directory.plugins.len())
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let known = Known {
        name: Arc::from(name),
        services: Arc::clone(services),
    };
    directory.plugins.insert(id, known);
    directory.last = Some(Arc::clone(services));
    id
}

/// Runs a plugin call with these services at hand for what the plugin asks meanwhile.
pub(crate) fn calling<T>(services: &Arc<dyn HostServices>, call: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<dyn HostServices>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.with(|current| current.replace(self.0.take()));
        }
    }
    let before = CURRENT.with(|current| current.replace(Some(Arc::clone(services))));
    let _restore = Restore(before);
    call()
}

fn services() -> Option<Arc<dyn HostServices>> {
    let current = CURRENT
        .try_with(|current| current.borrow().clone())
        .ok()
        .flatten();
    current.or_else(|| {
        let directory = directory().read().unwrap_or_else(PoisonError::into_inner);
        directory.last.clone()
    })
}

fn known(plugin: u64) -> Option<Known> {
    let directory = directory().read().unwrap_or_else(PoisonError::into_inner);
    directory.plugins.get(&plugin).cloned()
}

/// Returns the table. There is one for the process.
pub(crate) fn table() -> HostApi_Ref {
    static TABLE: OnceLock<HostApi_Ref> = OnceLock::new();
    *TABLE.get_or_init(|| {
        HostApi {
            log,
            log_level,
            metric,
            register_schema,
            get_schema,
            read_offset,
            request,
        }
        .leak()
    })
}

/// Keeps a panic of the services on this side.
fn guarded<T>(otherwise: T, call: impl FnOnce() -> Option<T>) -> T {
    catch_unwind(AssertUnwindSafe(call))
        .ok()
        .flatten()
        .unwrap_or(otherwise)
}

fn answered<T>(call: impl FnOnce(&dyn HostServices) -> Result<T, PluginError>) -> R<T> {
    let answer = catch_unwind(AssertUnwindSafe(|| match services() {
        Some(services) => call(services.as_ref()),
        None => Err(PluginError::internal("the host offers no services yet")),
    }));
    match answer {
        Ok(Ok(value)) => ROk(value),
        Ok(Err(error)) => RErr(error.to_abi()),
        Err(_) => RErr(AbiError::new(
            ErrorKind::INTERNAL,
            "the host panicked while it answered a plugin",
        )),
    }
}

extern "C" fn log(plugin: u64, instance: u64, level: u32, target: RStr<'_>, message: RStr<'_>) {
    guarded((), || {
        let known = known(plugin)?;
        let (target, message) = (target.as_str(), message.as_str());
        known
            .services
            .log(&known.name, instance, level, target, message);
        Some(())
    });
}

extern "C" fn log_level(plugin: u64) -> u32 {
    guarded(0, || Some(known(plugin)?.services.log_level()))
}

extern "C" fn metric(
    plugin: u64,
    instance: u64,
    name: RStr<'_>,
    value: f64,
    labels_json: RStr<'_>,
) {
    guarded((), || {
        let known = known(plugin)?;
        let (name, labels) = (name.as_str(), labels_json.as_str());
        known
            .services
            .metric(&known.name, instance, name, value, labels);
        Some(())
    });
}

extern "C" fn register_schema(schema_json: RStr<'_>) -> R<u32> {
    answered(|services| services.register_schema(schema_json.as_str()))
}

extern "C" fn get_schema(handle: u32) -> R<RString> {
    answered(|services| {
        services
            .schema_json(handle)
            .map(RString::from)
            .ok_or_else(|| {
                PluginError::permanent("not_found", format!("no schema has the handle {handle}"))
            })
    })
}

extern "C" fn read_offset(instance: u64, partition_json: RStr<'_>) -> R<ROption<RString>> {
    answered(|services| {
        let offset = services.read_offset(instance, partition_json.as_str())?;
        Ok(match offset {
            Some(offset) => RSome(RString::from(offset)),
            None => RNone,
        })
    })
}

extern "C" fn request(instance: u64, op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>> {
    answered(|services| {
        services
            .request(instance, op.as_str(), body.as_slice())
            .map(RVec::from)
    })
}
