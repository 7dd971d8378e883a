//! Plugins and configurations of the running host as `/api/v1` shows them; secrets are hidden.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use linkspan_config::{Catalog as _, Class};
use linkspan_rest::Refusal;
use linkspan_runtime::{KindOfConnector, TrialLimits, Tried, try_source};
use linkspan_types::HIDDEN;
use serde_json::{Map, Value, json};

use super::{Config, Hub};

/// How long a trial of a source polls, and how long it may take with opening and closing.
const TRIAL_TIME: Duration = Duration::from_secs(5);
const TRIAL_WAIT: Duration = Duration::from_secs(30);
/// Options that may be shown of a connector whose class nobody knows any more.
const HARMLESS: [&str; 5] = ["name", "connector.class", "topic", "topics", "tasks.max"];

impl Hub {
    /// Where it listens; `None`: nowhere.
    pub(crate) fn address(&self) -> Option<&str> {
        self.heard.then_some(self.worker_id.as_str())
    }

    /// Whether its listener speaks TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.heard && self.settings.access.tls.is_some()
    }

    /// Whether its listener was started with users or tokens.
    pub(crate) fn has_users(&self) -> bool {
        self.heard && self.settings.access.asks()
    }

    /// A connector's options as they may be shown.
    pub(crate) fn shown_options(&self, name: &str) -> Option<Config> {
        let made = self.made().get(name).cloned();
        let mut shown = match made {
            Some(made) => self.hide(name, made),
            // Those of files are hidden already.
            None => self.config(name)?,
        };
        linkspan_rest::connect::veil(&mut shown);
        Some(shown)
    }

    /// Takes the secrets out of options that came over the network. Placeholders stay.
    fn hide(&self, name: &str, mut config: Config) -> Config {
        let (plan, _) = self.plan_of(name, &config);
        let shown = plan.map(|plan| plan.redacted());
        for (key, value) in &mut config {
            let secret = match &shown {
                Some(shown) => shown.get(key).is_some_and(|shown| shown == HIDDEN),
                None => !HARMLESS.contains(&key.as_str()) && !value.starts_with("${"),
            };
            if secret {
                HIDDEN.clone_into(value);
            }
        }
        config
    }

    /// The options of a connector that was made over the network, placeholders filled in.
    ///
    /// # Errors
    /// They are not right any more, or a placeholder has no value.
    pub(crate) fn made_options(&self, name: &str) -> Result<Option<Config>, Refusal> {
        let Some(config) = self.made().get(name).cloned() else {
            return Ok(None);
        };
        let refused = |why: String| Refusal::new(400, "LS0619", why);
        let spec = self.spec(name, &config).map_err(refused)?;
        let resolved = (spec.resolve)().map_err(refused)?;
        Ok(Some(resolved.config))
    }

    /// The first records of a source that does not run. One that does not answer in time is left behind.
    ///
    /// # Errors
    /// The options are not right or not those of a source, or the source says why not.
    pub(crate) fn try_source(&self, config: &Config, records: usize) -> Result<Tried, Refusal> {
        let refused = |why: String| Refusal::new(400, "LS0619", why);
        let name = config.get("name").map_or("new", String::as_str).to_owned();
        let spec = self.spec(&name, config).map_err(refused)?;
        if spec.kind != KindOfConnector::Source {
            return Err(refused(format!("`{}` is no source", spec.class)).help(
                "a sink has no first records; `validate?connect=true` tries what it needs outside",
            ));
        }
        let (registry, services) = (Arc::clone(&self.registry), Arc::clone(&self.services));
        let limits = TrialLimits {
            records,
            time: TRIAL_TIME,
        };
        let (sender, answer) = mpsc::channel();
        let asking = std::thread::Builder::new()
            .name("source/trial".to_owned())
            .spawn(move || {
                let now_ms = chrono::Utc::now().timestamp_millis();
                // Nobody listens any more to an answer that comes too late.
                drop(sender.send(try_source(&spec, &registry, &services, limits, now_ms)));
            });
        let told = asking
            .ok()
            .and_then(|_| answer.recv_timeout(TRIAL_WAIT).ok());
        let Some(told) = told else {
            let message = format!("the source did not answer in {} s", TRIAL_WAIT.as_secs());
            return Err(Refusal::new(504, "LS0708", message)
                .help("look whether what it reads from is there and answers"));
        };
        told.map_err(|error| Refusal::new(400, error.code, error.message))
    }

    /// All connectors as one YAML file.
    pub(crate) fn export(&self) -> Result<Value, Refusal> {
        let mut connectors = Map::new();
        for status in self.control()?.statuses() {
            let Some(options) = self.shown_options(&status.name) else {
                continue;
            };
            let mut written = Map::new();
            let class = options.get("connector.class").cloned();
            written.insert("connector".to_owned(), json!(class.unwrap_or(status.class)));
            for (key, value) in options {
                if key != "connector.class" && key != "name" {
                    written.insert(key, value.into());
                }
            }
            connectors.insert(status.name, Value::Object(written));
        }
        let yaml = linkspan_config::to_yaml(&json!({ "connectors": connectors }));
        Ok(json!({ "yaml": yaml }))
    }

    /// The classes of all plugins.
    pub(crate) fn list_classes(&self) -> Value {
        let names = self.classes.names();
        let rows = names.iter().filter_map(|name| self.classes.class(name));
        rows.map(|class| Value::Object(self.row(class))).collect()
    }

    fn row(&self, class: &Class) -> Map<String, Value> {
        let found = self.registry.class(&class.name);
        let plugin = found.as_ref().map(linkspan_plugin::Class::plugin);
        let told = found.as_ref().map(linkspan_plugin::Class::to_json);
        let docs = told.as_ref().and_then(|told| told.get("docs")?.as_str());
        // The first sentence says what it is.
        let summary = docs.unwrap_or_default().lines().next().unwrap_or_default();
        let kind = match class.kind {
            linkspan_config::ClassKind::Source => "source",
            linkspan_config::ClassKind::Sink => "sink",
            linkspan_config::ClassKind::Transform => "transform",
        };
        let row = json!({
            "class": class.name, "type": kind,
            "version": plugin.map_or("", |plugin| plugin.version.as_str()),
            "plugin": plugin.map_or("", |plugin| plugin.name.as_str()),
            "path": plugin.map(|plugin| plugin.path.display().to_string()).unwrap_or_default(),
            "aliases": class.aliases, "summary": summary, "options": class.options.len(),
        });
        match row {
            Value::Object(row) => row,
            _ => Map::new(),
        }
    }

    /// One class with its options, and these once more as Kafka Connect describes them.
    ///
    /// # Errors
    /// No plugin offers it.
    pub(crate) fn describe_class(&self, name: &str) -> Result<Value, Refusal> {
        let Some(class) = self.classes.class(name) else {
            let names = self.classes.names().join(", ");
            let message = format!("no plugin offers the class `{}`", name.escape_debug());
            return Err(Refusal::new(404, "LS0201", message).help(format!("there are: {names}")));
        };
        let mut told = self.row(class);
        let found = self
            .registry
            .class(&class.name)
            .map(|class| class.to_json());
        let options = found.as_ref().and_then(|class| class.get("options"));
        let options = options.and_then(Value::as_array);
        let options: Vec<Value> = options
            .into_iter()
            .flatten()
            .map(|option| {
                let own = |name: &str| option.get(name).cloned().unwrap_or_default();
                json!({
                    "name": own("name"), "type": own("type"), "required": own("required"), "default": own("default"),
                    "importance": own("importance"), "doc": own("docs"), "secret": own("secret"), "values": own("values"),
                })
            })
            .collect();
        told.insert("options".to_owned(), options.into());
        told.insert("config_keys".to_owned(), self.show_plugin(&class.name)?);
        Ok(Value::Object(told))
    }
}
