//! The running host behind Kafka Connect's REST interface: its connectors, its plugins, its log levels.

mod change;
mod infos;
mod look;
mod plugins;
mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use linkspan_config::{Plan, Resolver};
use linkspan_log::LogBackend;
use linkspan_plugin::Registry;
use linkspan_rest::connect::{
    ConnectHost, ConnectorInfo, ConnectorState, Created, Expand, InitialState, Listed, LoggerLevel,
    PluginRow, ServerInfo,
};
use linkspan_rest::{ConnectorCommand, Refusal};
use linkspan_runtime::{ConnectorSpec, Control, Restart, Services, made_connectors};
use serde_json::Value;

use crate::connectors::refusal;
use crate::exit::Failure;
use crate::run::catalog::Installed;
use crate::run::control::Starting;
use crate::{logging, run};

/// The version of Kafka Connect whose interface, converters and transforms these are.
const CONNECT_VERSION: &str = "4.3.1";

/// A flat configuration.
type Config = BTreeMap<String, String>;

/// The host as clients of Kafka Connect see it.
#[derive(Debug)]
pub(crate) struct Hub {
    log: Arc<dyn LogBackend>,
    registry: Arc<Registry>,
    services: Arc<Services>,
    classes: Installed,
    resolver: Arc<Resolver>,
    /// Its converters serve connectors that name none.
    settings: linkspan_config::HostSettings,
    /// Relative paths of connectors that come over the network start here.
    base: PathBuf,
    worker_id: String,
    heard: bool,
    commands: Arc<Starting>,
    control: OnceLock<Control>,
    /// The log's identity, once somebody asked.
    cluster: OnceLock<String>,
    /// What stands in files, secrets hidden.
    files: RwLock<BTreeMap<String, Config>>,
    /// What was made over the network, as it was given. Locked for moments only.
    made: Mutex<BTreeMap<String, Config>>,
    /// Held while one is made, changed or removed, so that changes have an order; a plugin may be asked meanwhile.
    changing: Mutex<()>,
    loggers: Mutex<BTreeMap<String, LoggerLevel>>,
}

impl Hub {
    /// The plugins, and what serves them.
    pub(crate) const fn installed(&self) -> (&Arc<Registry>, &Arc<Services>) {
        (&self.registry, &self.services)
    }

    /// The host's log.
    pub(crate) const fn log(&self) -> &Arc<dyn LogBackend> {
        &self.log
    }

    /// A host that is still starting.
    ///
    /// # Errors
    /// What plugins say of their classes, or what the log holds of connectors, cannot be read.
    pub(crate) fn new(
        log: Arc<dyn LogBackend>,
        plugins: &crate::plugins::Plugins,
        plan: &Plan,
        commands: Arc<Starting>,
        address: std::net::SocketAddr,
    ) -> Result<Self, Failure> {
        let made = made_connectors(&*log)?;
        Ok(Self {
            registry: Arc::clone(&plugins.registry),
            services: Arc::clone(&plugins.services),
            classes: run::plan::catalog(plugins)?,
            resolver: Arc::new(plan.resolver.clone()),
            settings: plan.host.clone(),
            base: plan.base_dir.clone(),
            worker_id: address.to_string(),
            commands,
            control: OnceLock::new(),
            cluster: OnceLock::new(),
            files: RwLock::new(shown(plan)),
            heard: address.port() != 0,
            made: Mutex::new(made),
            changing: Mutex::default(),
            loggers: Mutex::default(),
            log,
        })
    }

    /// What the runtime is told of the connectors that were made over the network. One that is not right any more becomes
    /// one that fails with its reason.
    pub(crate) fn made_specs(&self) -> Vec<ConnectorSpec> {
        let made = self.made().clone();
        made.iter()
            .map(|(name, config)| {
                self.spec(name, config)
                    .unwrap_or_else(|why| self.broken(name, config, why))
            })
            .collect()
    }

    /// Whether there is a listener.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard
    }

    /// From here on these are the connectors of files.
    pub(crate) fn show_files(&self, plan: &Plan) {
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = shown(plan);
    }

    /// From here on connectors can be asked for.
    pub(crate) fn started(&self, control: Control) {
        self.control.get_or_init(|| control);
    }

    /// The order of changes, held until the guard is dropped.
    fn order(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<String, Config>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn control(&self) -> Result<&Control, Refusal> {
        self.control.get().ok_or_else(|| {
            Refusal::new(503, "LS0615", "the host is still starting").help("Try again in a moment")
        })
    }

    fn config(&self, name: &str) -> Option<Config> {
        let made = self.made().get(name).cloned();
        made.or_else(|| {
            let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
            files.get(name).cloned()
        })
    }
}

/// The connectors of files as they may be shown.
fn shown(plan: &Plan) -> BTreeMap<String, Config> {
    plan.connectors
        .iter()
        .map(|connector| {
            let mut config = connector.redacted();
            config.insert("name".to_owned(), connector.name.clone());
            (connector.name.clone(), config)
        })
        .collect()
}

/// Kafka Connect's words for a connector that nobody knows.
fn unknown(name: &str) -> Refusal {
    Refusal::new(404, "LS0610", format!("Connector {name} not found"))
}

impl ConnectHost for Hub {
    fn server(&self) -> ServerInfo {
        ServerInfo {
            version: CONNECT_VERSION.to_owned(),
            commit: concat!("linkspan-", env!("CARGO_PKG_VERSION")).to_owned(),
            kafka_cluster_id: self.cluster_id(),
        }
    }

    fn ready(&self) -> Result<(), String> {
        match self.control.get() {
            Some(_) => Ok(()),
            None => Err("It brings its connectors to their states.".to_owned()),
        }
    }

    fn list(&self, wanted: Expand) -> Result<Vec<Listed>, Refusal> {
        self.show_all(wanted)
    }

    fn info(&self, name: &str) -> Result<ConnectorInfo, Refusal> {
        self.show_info(name)
    }

    fn secrets(&self, class: &str) -> Vec<String> {
        use linkspan_config::Catalog as _;
        let class = self.classes.class(class);
        class
            .into_iter()
            .flat_map(|class| &class.options)
            .filter(|option| option.is_secret())
            .flat_map(|option| std::iter::once(&option.name).chain(&option.aliases))
            .cloned()
            .collect()
    }

    fn state(&self, name: &str) -> Result<ConnectorState, Refusal> {
        let status = self.control()?.status(name);
        status.map(|status| self.show_state(status)).map_err(|_| {
            Refusal::new(
                404,
                "LS0610",
                format!("No status found for connector {name}"),
            )
        })
    }

    fn tasks(&self, name: &str) -> Result<Value, Refusal> {
        self.show_tasks(name)
    }

    fn topics(&self, name: &str) -> Vec<String> {
        self.control()
            .map(|control| control.used_topics(name))
            .unwrap_or_default()
    }

    fn reset_topics(&self, name: &str) {
        if let Ok(control) = self.control() {
            control.reset_used_topics(name);
        }
    }

    fn configure(
        &self,
        name: &str,
        config: Config,
        initial: InitialState,
        only_new: bool,
    ) -> Result<Created, Refusal> {
        self.change(name, config, initial, only_new)
    }

    fn patch(
        &self,
        name: &str,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<ConnectorInfo, Refusal> {
        self.change_some(name, changes)
    }

    fn remove(&self, name: &str) -> Result<(), Refusal> {
        let _order = self.order();
        self.control()?
            .remove(name)
            .map_err(|refused| match refused.status {
                404 => unknown(name),
                _ => refusal(refused),
            })?;
        self.made().remove(name);
        Ok(())
    }

    fn restart(
        &self,
        name: &str,
        include_tasks: bool,
        only_failed: bool,
    ) -> Result<ConnectorState, Refusal> {
        let restart = Restart {
            include_tasks,
            only_failed,
        };
        let status = self.control()?.restart(name, restart).map_err(refusal)?;
        Ok(self.show_state(status))
    }

    fn act(&self, name: &str, command: ConnectorCommand) -> Result<Value, Refusal> {
        self.control()?;
        linkspan_rest::HostView::command(&*self.commands, name, command)
    }

    fn plugins(&self, connectors_only: bool) -> Vec<PluginRow> {
        self.show_plugins(connectors_only)
    }

    fn plugin_config(&self, plugin: &str) -> Result<Value, Refusal> {
        self.show_plugin(plugin)
    }

    fn validate(
        &self,
        plugin: &str,
        config: BTreeMap<String, Option<String>>,
        connect: bool,
    ) -> Result<Value, Refusal> {
        let mut infos = self.check_as(plugin, &config)?;
        if connect && infos.error_count == 0 {
            self.try_outside(&config, &mut infos);
        }
        serde_json::to_value(infos).map_err(|error| Refusal::new(500, "LS0499", error.to_string()))
    }

    fn loggers(&self) -> BTreeMap<String, LoggerLevel> {
        let mut loggers = self
            .loggers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        loggers
            .entry("root".to_owned())
            .or_insert_with(|| LoggerLevel {
                level: logging::level_of_all(),
                last_modified: None,
            });
        loggers
    }

    fn set_logger(&self, logger: &str, level: &str) -> Result<Vec<String>, Refusal> {
        let Some(word) = logging::set_level(logger, level) else {
            return Err(Refusal::new(
                404,
                "LS0609",
                format!("Invalid log level '{}'", level.escape_debug()),
            )
            .help("One of OFF, ERROR, WARN, INFO, DEBUG, TRACE"));
        };
        let mut loggers = self.loggers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = loggers.get(logger).map(|known| known.level.clone());
        if before.as_deref() == Some(word) {
            return Ok(Vec::new());
        }
        loggers.insert(
            logger.to_owned(),
            LoggerLevel {
                level: word.to_owned(),
                last_modified: Some(chrono::Utc::now().timestamp_millis()),
            },
        );
        Ok(vec![logger.to_owned()])
    }
}
