//! The validated plan: what the host runs. Placeholders are unresolved in it; secrets are never printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use linkspan_types::HIDDEN;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::access::AccessSettings;
use crate::check;
use crate::codes;
use crate::connector::{CONVERTER_ROLES, role_of};
use crate::diagnostic::Diagnostic;
use crate::jobs::JobPlan;
use crate::logging::LoggingSettings;
use crate::option::{ClassKind, OptionDef, OptionType};
use crate::placeholder::{Resolver, has_any};
use crate::providers::Providers;
use crate::settings::place_of;
use crate::source::Location;

/// Everything one run needs to know.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Settings of the host.
    pub host: HostSettings,
    /// What the files say under `host:`, as it is written, each with its place.
    pub host_values: BTreeMap<String, (String, Location)>,
    /// Declared topics, by name.
    pub topics: Vec<TopicPlan>,
    /// Connectors, by name.
    pub connectors: Vec<ConnectorPlan>,
    /// Files whose connectors run by a schedule, or that say what to do after a job.
    pub jobs: Vec<JobPlan>,
    /// The parameters of this run, with their values.
    pub params: BTreeMap<String, String>,
    /// 64 hex digits over the texts that were read, `--set` and parameters.
    pub config_sha256: String,
    /// The absolute folder of the first PATH.
    pub base_dir: PathBuf,
    /// Knows the values of placeholders.
    pub resolver: Resolver,
}

/// Settings of the host; absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSettings {
    /// The data directory.
    pub data: PathBuf,
    /// Where plugins are searched, in order, after those of the command line.
    pub plugin_paths: Vec<PathBuf>,
    /// The address of the REST interface, or `none`; `None` = not said.
    pub listen: Option<String>,
    /// Who may use it, and over which line.
    pub access: AccessSettings,
    /// Partitions of a topic that nobody declared.
    pub num_partitions: i32,
    /// How long tasks may take to stop.
    pub stop_timeout_ms: u64,
    /// `memory.max.bytes`.
    pub memory_bytes_max: u64,
    /// Settings of the local log.
    pub log: LogSettings,
    /// The host's own log.
    pub logging: LoggingSettings,
    /// Converters of connectors that name none, with their options; placeholders unresolved.
    pub converters: BTreeMap<String, String>,
    /// What placeholders may reach.
    pub(crate) providers: Providers,
}

/// Settings of the local log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// When a record counts as stored.
    pub durability: Durability,
    /// The size of one journal file.
    pub journal_bytes: u64,
    /// The most that the journal takes.
    pub journal_bytes_max: u64,
    /// The size of a segment file.
    pub segment_bytes: u64,
    /// Memory for records that were just written.
    pub cache_bytes: u64,
    /// The most bytes of records; `None` = no limit.
    pub bytes_max: Option<u64>,
    /// Time between two looks for what retention may delete.
    pub retention_check_interval_ms: u64,
}

/// When a record counts as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On disk.
    Fsync,
    /// With the operating system; a power cut loses it.
    Os,
}

/// One declared topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name, by Kafka's rule.
    pub name: String,
    /// `None`: the host's `num.partitions`.
    pub partitions: Option<i32>,
    /// Kafka's names, plain numbers for `.ms` and `.bytes`.
    pub settings: BTreeMap<String, String>,
    /// Where it is declared.
    pub source: Location,
}

/// What happens to a task that stopped with a temporary error, an internal one or a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    /// It is restarted after a pause that doubles from one second up to this.
    Backoff {
        /// The longest pause.
        delay_max_ms: u64,
    },
    /// It stays stopped.
    Never,
}

/// One connector. `Debug` shows neither secrets nor what placeholders stand for.
#[derive(Clone)]
pub struct ConnectorPlan {
    /// Its name.
    pub name: String,
    /// The canonical name of its class.
    pub class: String,
    /// Source or sink.
    pub kind: ClassKind,
    /// All options by flat name, `connector.class` among them; placeholders unresolved, paths absolute.
    pub config: BTreeMap<String, String>,
    /// The names in `config` that are the class's own; the others are the host's.
    pub class_options: BTreeSet<String>,
    /// Where each option was written.
    pub origins: BTreeMap<String, Location>,
    /// Where the connector is defined.
    pub source: Location,
    /// `tasks.max`.
    pub tasks_max: u32,
    /// `topics` of a sink; what the topic options of a source name.
    pub topics: Vec<String>,
    /// `topics.regex` of a sink.
    pub topics_regex: Option<String>,
    /// What `topics.regex` matches of the topics that the files name.
    pub topics_matched: Vec<String>,
    /// `key.fields`.
    pub key_fields: Vec<String>,
    /// `restart.policy`.
    pub restart: RestartPolicy,
    /// `offset.flush.interval.ms`.
    pub offset_flush_interval_ms: u64,
    /// `moved.from`.
    pub moved_from: Option<String>,
    /// The job that its file's schedule makes it part of.
    pub job: Option<String>,
    /// `errors.deadletterqueue.topic.name`.
    pub letters: Option<String>,
    /// The files it reads or writes: what its options `path` and `file` name, absolute.
    pub paths: Vec<String>,
    /// Nothing is wrong with its options as far as the host knows them: its class can be asked about them.
    pub sound: bool,
    pub(crate) late: BTreeMap<String, Late>,
    pub(crate) secrets: BTreeSet<String>,
}

/// An option that is complete only when a task starts.
#[derive(Clone)]
pub(crate) struct Late {
    pub(crate) def: OptionDef,
    pub(crate) base: PathBuf,
}

/// A connector's options with all placeholders replaced. Lives in memory only; `Debug` prints names, never values.
#[derive(Clone, PartialEq, Eq)]
pub struct ResolvedConfig(pub BTreeMap<String, String>);

impl fmt::Debug for ResolvedConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.keys().map(|key| (key, HIDDEN)))
            .finish()
    }
}

impl HostSettings {
    /// Adds the host's converters to a connector's options where it names none.
    pub fn lend_converters(&self, config: &mut BTreeMap<String, String>) {
        let own: Vec<&str> = CONVERTER_ROLES
            .into_iter()
            .filter(|role| config.contains_key(*role))
            .collect();
        for (key, text) in &self.converters {
            if role_of(key).is_some_and(|role| !own.contains(&role)) {
                config.entry(key.clone()).or_insert_with(|| text.clone());
            }
        }
    }
}

impl ConnectorPlan {
    /// Returns the topics that a sink is known to read.
    pub fn reads(&self) -> impl Iterator<Item = &String> {
        self.topics.iter().chain(&self.topics_matched)
    }

    /// Returns all options with placeholders replaced, checked again.
    ///
    /// # Errors
    /// A placeholder without a value, or a value that is none of the option's; the message never shows the value.
    pub fn resolved(&self, resolver: &Resolver) -> Result<ResolvedConfig, Box<Diagnostic>> {
        let mut out = BTreeMap::new();
        for (name, text) in &self.config {
            let value = match self.late.get(name) {
                None => text.clone(),
                Some(late) => self.complete(name, text, late, resolver)?,
            };
            out.insert(name.clone(), value);
        }
        Ok(ResolvedConfig(out))
    }

    /// Returns what no error, log line or answer may show: secrets, and what placeholders of files and the environment
    /// stand for. Of a database's address that is the password only: an error must be able to name host and database.
    #[must_use]
    pub fn concealed(&self, resolver: &Resolver) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        for (name, text) in &self.config {
            if let Some(late) = self.late.get(name) {
                let outside = resolver.outside_values(text, &late.base);
                let address = resolver
                    .resolve(text, &late.base)
                    .ok()
                    .filter(|_| !self.secrets.contains(name))
                    .and_then(|address| crate::address::secrets(&address));
                match address {
                    Some(secrets) => {
                        let is_part = |value: &String| {
                            secrets.iter().any(|secret| secret.contains(value.as_str()))
                        };
                        values.extend(outside.into_iter().filter(is_part));
                        values.extend(secrets);
                    }
                    None => values.extend(outside),
                }
            } else if self.secrets.contains(name) {
                values.push(text.clone());
            }
        }
        values
    }

    /// Whether a secret stands, as it is, in the text of this name (`--set` for example).
    #[must_use]
    pub fn secret_from(&self, text: &str) -> bool {
        self.secrets.iter().any(|name| {
            !self.late.contains_key(name)
                && self
                    .origins
                    .get(name)
                    .is_some_and(|place| place.file == text)
        })
    }

    /// Like [`ConnectorPlan::resolved`], only with the options that the class itself declares.
    ///
    /// # Errors
    /// As [`ConnectorPlan::resolved`].
    pub fn resolved_class_options(
        &self,
        resolver: &Resolver,
    ) -> Result<ResolvedConfig, Box<Diagnostic>> {
        let mut all = self.resolved(resolver)?;
        all.0.retain(|name, _| self.class_options.contains(name));
        Ok(all)
    }

    /// Returns 64 hex digits over the options as they are written, placeholders unresolved. What only says how a connector
    /// begins is left out: it must not restart one that runs.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let begins = ["initial.state", "moved.from"];
        for (name, value) in &self.config {
            if begins.contains(&name.as_str()) {
                continue;
            }
            for part in [name, value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Returns the options as they may be shown: secrets that stand in the file are hidden.
    #[must_use]
    pub fn redacted(&self) -> BTreeMap<String, String> {
        self.config
            .iter()
            .map(|(name, text)| {
                let hidden = self.secrets.contains(name) && !self.late.contains_key(name);
                (
                    name.clone(),
                    if hidden {
                        HIDDEN.to_owned()
                    } else {
                        text.clone()
                    },
                )
            })
            .collect()
    }

    fn complete(
        &self,
        name: &str,
        text: &str,
        late: &Late,
        resolver: &Resolver,
    ) -> Result<String, Box<Diagnostic>> {
        let substitute = |text: &str| {
            let value = resolver.resolve(text, &late.base).map_err(|failed| {
                let why = failed
                    .first()
                    .map(|(problem, _, _)| problem.to_string())
                    .unwrap_or_default();
                self.diagnostic(
                    &codes::ENV_UNSET,
                    name,
                    format!("connector `{}`: `{name}`: {why}", self.name),
                )
            })?;
            Ok(match late.def.kind {
                OptionType::Path | OptionType::Url => place_of(late.def.kind, &value, &late.base),
                _ => value,
            })
        };
        let structured = matches!(
            late.def.kind,
            OptionType::List | OptionType::Map | OptionType::Path
        );
        let value = match serde_json::from_str::<Value>(text) {
            Ok(mut value @ (Value::Array(_) | Value::Object(_))) if structured => {
                substitute_json(&mut value, &substitute)?;
                value.to_string()
            }
            Ok(_) | Err(_) => substitute(text)?,
        };
        check::check(&late.def, name, &value, false).map_err(|fault| {
            self.diagnostic(
                fault.code,
                name,
                format!("connector `{}`: {}", self.name, fault.message),
            )
        })
    }

    fn diagnostic(
        &self,
        code: &'static codes::Code,
        name: &str,
        message: String,
    ) -> Box<Diagnostic> {
        let location = self.origins.get(name).cloned();
        Box::new(Diagnostic {
            location,
            ..Diagnostic::error(code, message)
        })
    }
}

fn substitute_json(
    value: &mut Value,
    substitute: &dyn Fn(&str) -> Result<String, Box<Diagnostic>>,
) -> Result<(), Box<Diagnostic>> {
    match value {
        Value::String(text) if has_any(text) => *text = substitute(text)?,
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| substitute_json(item, substitute))?,
        Value::Object(map) => map
            .values_mut()
            .try_for_each(|item| substitute_json(item, substitute))?,
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

impl fmt::Debug for ConnectorPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectorPlan")
            .field("name", &self.name)
            .field("class", &self.class)
            .field("kind", &self.kind)
            .field("config", &self.redacted())
            .field("source", &self.source)
            .field("tasks_max", &self.tasks_max)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}
