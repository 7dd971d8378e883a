//! The classes that plugins offer, and their plugins, loaded at first use.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use linkspan_abi::{
    ErrorKind, Plugin_Ref, R, RErr, ROk, RStr,
    manifest::{self, ClassKind, Manifest, OptionDef},
};
use serde_json::Value as Json;

use crate::{
    error::{ConfigProblem, PluginError},
    finding::{CLASS_CONFLICT, Finding, Refusal},
    host_api,
    load::load,
    services::HostServices,
    task::Task,
};

/// The plugins of this host. Each lives as long as the process once it is loaded.
#[derive(Debug, Default)]
pub struct Registry {
    classes: Vec<Class>,
    names: HashMap<String, usize>,
}

/// What is known of a plugin without loading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The file.
    pub path: PathBuf,
    /// The version of the sdk that it was built with.
    pub sdk_version: String,
    /// The version of the ABI that it was built with.
    pub abi_version: String,
    /// The highest batch format that it reads.
    pub batch_format: u32,
}

/// A plugin, loaded or not.
pub(crate) struct Plugin {
    pub(crate) info: PluginInfo,
    pub(crate) services: Arc<dyn HostServices>,
    root: OnceLock<Result<Plugin_Ref, PluginError>>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("info", &self.info)
            .field("loaded", &self.root.get().is_some())
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// Loads the plugin at its first use.
    fn root(&self) -> Result<Plugin_Ref, PluginError> {
        self.root.get_or_init(|| self.load()).clone()
    }

    fn load(&self) -> Result<Plugin_Ref, PluginError> {
        let root = load(&self.info.path).map_err(|refusal| {
            let finding = refusal.at(&self.info.path);
            PluginError::permanent(
                "unsupported",
                format!("{}: {}", finding.code, finding.message),
            )
        })?;
        let id = host_api::register(&self.info.name, &self.services);
        self.call(|| (root.init())(host_api::table(), id))?;
        Ok(root)
    }

    /// Calls the plugin and brings its answer into the host's shape.
    pub(crate) fn call<T>(&self, call: impl FnOnce() -> R<T>) -> Result<T, PluginError> {
        match host_api::calling(&self.services, call) {
            ROk(value) => Ok(value),
            RErr(error) => Err(PluginError::from_abi(&error)),
        }
    }

    /// A plugin that answers with garbage has a defect, and gets its name into the message.
    pub(crate) fn garbage(&self, what: &str, error: impl fmt::Display) -> PluginError {
        PluginError::internal(format!(
            "plugin `{}` answered {what} that is not valid: {error}",
            self.info.name
        ))
    }
}

impl Registry {
    /// Makes the registry of plugins in search order; a class that is there already is refused.
    pub(crate) fn new(
        plugins: Vec<(PathBuf, Manifest)>,
        services: &Arc<dyn HostServices>,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let mut registry = Self::default();
        for (path, manifest) in plugins {
            let plugin = Arc::new(Plugin {
                info: PluginInfo {
                    name: manifest.name,
                    version: manifest.version,
                    path,
                    sdk_version: manifest.sdk_version,
                    abi_version: manifest.abi_version,
                    batch_format: manifest.batch_format,
                },
                services: Arc::clone(services),
                root: OnceLock::new(),
            });
            for class in manifest.classes {
                registry.add(&plugin, class, findings);
            }
        }
        registry
    }

    fn add(&mut self, plugin: &Arc<Plugin>, class: manifest::Class, findings: &mut Vec<Finding>) {
        let index = self.classes.len();
        if let Some(first) = self.class(&class.name) {
            findings.push(conflict(&class.name, plugin, &first));
            return;
        }
        self.names.insert(class.name.clone(), index);
        for alias in &class.aliases {
            match self.class(alias) {
                Some(first) if first.name() != class.name => {
                    findings.push(conflict(alias, plugin, &first));
                }
                _ => {
                    self.names.insert(alias.clone(), index);
                }
            }
        }
        self.classes.push(Class {
            class: Arc::new(class),
            plugin: Arc::clone(plugin),
        });
    }

    /// Returns a registry in which the classes of `newer` stand in place of those of the same names, and the others stay.
    ///
    /// A task that runs keeps its class: what was loaded lives as long as the process.
    #[must_use]
    pub fn replaced_by(&self, newer: &Self) -> Self {
        let old = self
            .classes
            .iter()
            .filter(|class| newer.class(class.name()).is_none());
        let classes: Vec<Class> = newer.classes.iter().chain(old).cloned().collect();
        let mut names = HashMap::new();
        for (index, class) in classes.iter().enumerate() {
            names.insert(class.name().to_owned(), index);
        }
        // A name goes before an alias, and the newer plugin's alias before the older one's.
        for (index, class) in classes.iter().enumerate() {
            for alias in class.aliases() {
                names.entry(alias.clone()).or_insert(index);
            }
        }
        Self { classes, names }
    }

    /// Returns all classes, in search order.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Returns the class that answers to a name or an alias.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<Class> {
        self.classes.get(*self.names.get(name)?).cloned()
    }
}

fn conflict(name: &str, plugin: &Plugin, first: &Class) -> Finding {
    let reason = format!(
        "its class `{name}` is offered by plugin `{}` (`{}`) already, which is used",
        first.plugin().name,
        first.plugin().path.display()
    );
    Refusal::new(CLASS_CONFLICT, reason)
        .built_with(plugin.info.sdk_version.as_str())
        .at(&plugin.info.path)
}

/// What a class found outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// What was tried, for people; empty: nothing.
    pub tried: String,
    /// What is wrong.
    pub problems: Vec<ConfigProblem>,
}

/// What happens to a connector as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It was made; no task has run yet.
    Created,
    /// It was deleted; no task runs any more.
    Deleted,
}

impl Occasion {
    const fn operation(self) -> &'static str {
        match self {
            Self::Created => "connector.created",
            Self::Deleted => "connector.deleted",
        }
    }
}

/// A class of a plugin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Class {
    class: Arc<manifest::Class>,
    plugin: Arc<Plugin>,
}

impl Class {
    /// Returns what `connector:` names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.class.name
    }

    /// Returns what it is.
    #[must_use]
    pub fn kind(&self) -> ClassKind {
        self.class.kind
    }

    /// Returns other names that it answers to.
    #[must_use]
    pub fn aliases(&self) -> &[String] {
        &self.class.aliases
    }

    /// Returns what it does, for people.
    #[must_use]
    pub fn docs(&self) -> &str {
        &self.class.docs
    }

    /// Returns its options.
    #[must_use]
    pub fn options(&self) -> &[OptionDef] {
        &self.class.options
    }

    /// Returns whether it declares a feature.
    #[must_use]
    pub fn has_feature(&self, feature: &str) -> bool {
        self.class.features.iter().any(|known| known == feature)
    }

    /// Returns its entry of the manifest.
    #[must_use]
    pub fn to_json(&self) -> Json {
        self.class.to_value()
    }

    /// Returns its plugin.
    #[must_use]
    pub fn plugin(&self) -> &PluginInfo {
        &self.plugin.info
    }

    /// Checks a configuration without side effects.
    ///
    /// # Errors
    /// The plugin cannot be loaded, or has a defect. What is wrong in the configuration is not an error but the answer.
    pub fn validate(
        &self,
        config: &BTreeMap<String, String>,
    ) -> Result<Vec<ConfigProblem>, PluginError> {
        let root = self.plugin.root()?;
        let config = text(config)?;
        let answer = self
            .plugin
            .call(|| (root.validate())(RStr::from(self.name()), RStr::from(config.as_str())))?;
        let garbage = |what: &str| self.plugin.garbage("problems of a configuration", what);
        let json: Json =
            serde_json::from_str(answer.as_str()).map_err(|error| garbage(&error.to_string()))?;
        problems(&json).ok_or_else(|| garbage("not an array of option and message"))
    }

    /// Splits a connector into tasks: the keys that each task adds to the configuration.
    ///
    /// # Errors
    /// As [`Class::validate`], or what the connector says.
    pub fn task_configs(
        &self,
        config: &BTreeMap<String, String>,
        max: u32,
    ) -> Result<Vec<BTreeMap<String, String>>, PluginError> {
        let root = self.plugin.root()?;
        let config = text(config)?;
        let (class, config) = (RStr::from(self.name()), RStr::from(config.as_str()));
        let answer = self
            .plugin
            .call(|| (root.task_configs())(class, config, max))?;
        answer
            .iter()
            .map(|text| self.task_config(text.as_str()))
            .collect()
    }

    /// Tries what a connector of this configuration needs outside. A plugin of an older sdk tries nothing.
    ///
    /// # Errors
    /// As [`Class::validate`], or what the class found.
    pub fn check(&self, config: &BTreeMap<String, String>) -> Result<Checked, PluginError> {
        let body = serde_json::json!({ "class": self.name(), "config": config }).to_string();
        let answer = match self.call("connector.check", body.as_bytes()) {
            Err(error) if error.kind == ErrorKind::UNSUPPORTED => {
                return Ok(Checked::default());
            }
            answer => answer?,
        };
        let garbage = |what: &str| self.plugin.garbage("a look outside", what);
        let json: Json =
            serde_json::from_slice(&answer).map_err(|error| garbage(&error.to_string()))?;
        let problems = json.get("problems").and_then(problems);
        let tried = json.get("tried").and_then(Json::as_str);
        let (Some(tried), Some(problems)) = (tried, problems) else {
            return Err(garbage("not an object of tried and problems"));
        };
        Ok(Checked {
            tried: tried.to_owned(),
            problems,
        })
    }

    /// Tells the class that a connector was made, or deleted.
    ///
    /// # Errors
    /// As [`Class::validate`], or what the class says.
    pub fn tell(
        &self,
        what: Occasion,
        connector: &str,
        config: &BTreeMap<String, String>,
    ) -> Result<(), PluginError> {
        let body = serde_json::json!({
            "class": self.name(), "connector": connector, "config": config,
        });
        match self.call(what.operation(), body.to_string().as_bytes()) {
            Err(error) if error.kind == ErrorKind::UNSUPPORTED => Ok(()),
            answer => answer.map(drop),
        }
    }

    fn task_config(&self, text: &str) -> Result<BTreeMap<String, String>, PluginError> {
        let garbage = |what: &str| self.plugin.garbage("a task's configuration", what);
        let json: Json = serde_json::from_str(text).map_err(|error| garbage(&error.to_string()))?;
        let object = json.as_object().ok_or_else(|| garbage("not an object"))?;
        object
            .iter()
            .map(|(key, value)| {
                let value = value
                    .as_str()
                    .ok_or_else(|| garbage("a value is not a string"))?;
                Ok((key.clone(), value.to_owned()))
            })
            .collect()
    }

    /// Makes a task. `instance` is the host's number for it, `config_json` says what it is to do.
    ///
    /// # Errors
    /// As [`Class::validate`], or what the task says.
    pub fn create_task(&self, instance: u64, config_json: &str) -> Result<Task, PluginError> {
        let root = self.plugin.root()?;
        let (class, config) = (RStr::from(self.name()), RStr::from(config_json));
        let handle = self
            .plugin
            .call(|| (root.create_task())(class, instance, config))?;
        Ok(Task::new(Arc::clone(&self.plugin), handle))
    }

    /// Asks the plugin for a named operation.
    ///
    /// # Errors
    /// An operation that the plugin does not know is `unsupported`.
    pub fn call(&self, op: &str, body: &[u8]) -> Result<Vec<u8>, PluginError> {
        let root = self.plugin.root()?;
        let answer = self
            .plugin
            .call(|| (root.call())(RStr::from(op), body.into()))?;
        Ok(answer.to_vec())
    }
}

fn problems(json: &Json) -> Option<Vec<ConfigProblem>> {
    let problem = |json: &Json| {
        Some(ConfigProblem {
            option: json.get("option")?.as_str()?.to_owned(),
            message: json.get("message")?.as_str()?.to_owned(),
        })
    };
    json.as_array()?.iter().map(problem).collect()
}

fn text(config: &BTreeMap<String, String>) -> Result<String, PluginError> {
    serde_json::to_string(config).map_err(|error| PluginError::internal(error.to_string()))
}
