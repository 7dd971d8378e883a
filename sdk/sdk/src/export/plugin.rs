//! The plugin table: manifest, validation, tasks.

use std::sync::{Arc, OnceLock};

use linkspan_abi::{
    ABI_VERSION, BATCH_FORMAT, HostApi_Ref, Plugin, Plugin_Ref, R, RErr, ROk, RSlice, RStr,
    RString, RVec, TaskHandle, manifest::Manifest,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    class::{Class, Config, context},
    guard::guard,
    host::set_host,
    log, runtime,
    shell::{Shell, unsupported},
    table::hand_over,
};
use crate::{Checked, Error, OffsetChange, Result, context::TaskStart, shared::Shared};

/// A plugin as `export_plugin!` describes it.
#[derive(Debug)]
pub struct PluginDef {
    name: String,
    version: String,
    classes: Vec<Class>,
}

impl PluginDef {
    /// Makes a plugin of its classes.
    #[must_use]
    pub fn new(name: &str, version: &str, classes: Vec<Class>) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            classes,
        }
    }

    /// Returns the manifest.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        Manifest {
            name: self.name.clone(),
            version: self.version.clone(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            abi_version: ABI_VERSION.to_owned(),
            batch_format: u32::from(BATCH_FORMAT),
            classes: self.classes.iter().map(Class::to_manifest).collect(),
        }
    }
}

/// The plugin that this library is.
static PLUGIN: OnceLock<PluginDef> = OnceLock::new();

/// Makes the plugin's table. A library is one plugin: a second call answers for the first.
#[must_use]
pub fn make_plugin(plugin: PluginDef) -> Plugin_Ref {
    runtime::set_name(&plugin.name);
    PLUGIN.get_or_init(|| plugin);
    Plugin {
        manifest,
        init,
        validate,
        task_configs,
        create_task: create,
        call,
    }
    .leak()
}

/// Connects this library to a host: calls, log, schemas.
pub fn init_host(host: HostApi_Ref, plugin: u64) {
    set_host(host, plugin);
    log::install();
}

/// Makes a task of a class.
pub(crate) fn create_task(class: &Class, instance: u64, start_json: &str) -> R<TaskHandle> {
    answer(|| {
        let start: TaskStart = serde_json::from_str(start_json)
            .map_err(|error| Error::from(error).context("the task's configuration"))?;
        let shared = Arc::new(Shared::new(instance));
        let task = class.make(context(start, &shared));
        Ok(hand_over(Shell::new(shared, task)))
    })
}

fn answer<T>(run: impl FnOnce() -> Result<T>) -> R<T> {
    match guard(run) {
        Ok(value) => ROk(value),
        Err(error) => RErr(error.to_abi()),
    }
}

fn class(name: &str) -> Result<&'static Class> {
    PLUGIN
        .get()
        .and_then(|plugin| plugin.classes.iter().find(|class| class.is_called(name)))
        .ok_or_else(|| Error::not_found(format!("this plugin has no class `{name}`")))
}

fn config(json: &str) -> Result<Config> {
    serde_json::from_str(json).map_err(|error| Error::from(error).context("the configuration"))
}

extern "C" fn manifest() -> RString {
    let text = guard(|| {
        Ok(PLUGIN
            .get()
            .map_or_else(String::new, |plugin| plugin.manifest().to_json()))
    });
    // A manifest that could not be made is not valid JSON, which the host refuses with this text.
    RString::from(text.unwrap_or_else(|error| error.to_string()))
}

extern "C" fn init(host: HostApi_Ref, plugin: u64) -> R<()> {
    answer(|| {
        init_host(host, plugin);
        Ok(())
    })
}

extern "C" fn validate(name: RStr<'_>, config_json: RStr<'_>) -> R<RString> {
    answer(|| {
        let problems = class(name.as_str())?.problems(&config(config_json.as_str())?);
        let list: Vec<_> = problems
            .iter()
            .map(|problem| json!({"option": problem.option, "message": problem.message}))
            .collect();
        Ok(RString::from(serde_json::Value::Array(list).to_string()))
    })
}

extern "C" fn task_configs(name: RStr<'_>, config_json: RStr<'_>, max: u32) -> R<RVec<RString>> {
    answer(|| {
        let class = class(name.as_str())?;
        let configs = (class.task_configs)(&config(config_json.as_str())?, max)?;
        // Too many are the host's to refuse: `tasks.max.enforce: false` lets them run.
        let texts: serde_json::Result<Vec<RString>> = configs
            .iter()
            .map(|config| serde_json::to_string(config).map(RString::from))
            .collect();
        Ok(RVec::from(texts?))
    })
}

extern "C" fn create(name: RStr<'_>, instance: u64, start_json: RStr<'_>) -> R<TaskHandle> {
    match class(name.as_str()) {
        Ok(class) => create_task(class, instance, start_json.as_str()),
        Err(error) => RErr(error.to_abi()),
    }
}

/// The body of `connector.created` and `connector.deleted`.
#[derive(Deserialize)]
struct ConnectorCall {
    class: String,
    connector: String,
    config: Config,
}

/// An operation of a class's own: `{"class": …}` and what the operation wants beside it.
fn class_call(op: &str, body: &[u8]) -> Result<RVec<u8>> {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Err(unsupported(op));
    };
    let Some(name) = body.get("class").and_then(serde_json::Value::as_str) else {
        return Err(unsupported(op));
    };
    let call = class(name)?.call.ok_or_else(|| unsupported(op))?;
    Ok(RVec::from(serde_json::to_vec(&call(op, &body)?)?))
}

/// The body of `connector.alter_offsets`.
#[derive(Deserialize)]
struct AlterCall {
    class: String,
    config: Config,
    offsets: Vec<OffsetChange>,
}

/// Answers `true` or `false`: whether the class has looked at the offsets.
fn alter_offsets(body: &[u8]) -> Result<RVec<u8>> {
    let call: AlterCall = serde_json::from_slice(body)?;
    let seen = match class(&call.class)?.alter_offsets {
        Some(hook) => hook(&call.config, &call.offsets)?,
        None => false,
    };
    Ok(RVec::from(seen.to_string().into_bytes()))
}

/// The body of `connector.check`.
#[derive(Deserialize)]
struct CheckCall {
    class: String,
    config: Config,
}

/// Answers `{"tried": text, "problems": [{"option", "message"}]}`; no text: there is nothing to try.
fn check(body: &[u8]) -> Result<RVec<u8>> {
    let call: CheckCall = serde_json::from_slice(body)?;
    let checked = match class(&call.class)?.check {
        Some(hook) => hook(&call.config)?,
        None => Checked::nothing(),
    };
    let problems: Vec<_> = checked
        .problems
        .iter()
        .map(|problem| json!({"option": problem.option, "message": problem.message}))
        .collect();
    let answer = json!({ "tried": checked.tried, "problems": problems });
    Ok(RVec::from(answer.to_string().into_bytes()))
}

extern "C" fn call(op: RStr<'_>, body: RSlice<'_, u8>) -> R<RVec<u8>> {
    answer(|| {
        let op = op.as_str();
        if op == "connector.alter_offsets" {
            return alter_offsets(body.as_slice());
        }
        if op == "connector.check" {
            return check(body.as_slice());
        }
        if op != "connector.created" && op != "connector.deleted" {
            return class_call(op, body.as_slice());
        }
        let call: ConnectorCall = serde_json::from_slice(body.as_slice())?;
        let class = class(&call.class)?;
        let hook = if op == "connector.created" {
            class.created
        } else {
            class.deleted
        };
        if let Some(hook) = hook {
            hook(&call.config, &call.connector)?;
        }
        Ok(RVec::new())
    })
}
