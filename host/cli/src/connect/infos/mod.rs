//! `ConfigInfos`: every option of a connector with its definition, its value, and what is wrong with it, as Kafka Connect's
//! `validate` answers. Values are shown as they were written: no placeholder is resolved.

mod class;
mod converters;
mod keys;
mod steps;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use linkspan_config::{Class, ClassKind};
use serde::Serialize;

pub(super) use self::class::class_keys;
pub(super) use self::converters::{converter_keys, java_name};
use self::keys::{COMMON, ERRORS, Key, SINK, SOURCE};
pub(super) use self::steps::{predicate_keys, transform_keys};
use self::value::{Kind, read};
use crate::run::catalog::Installed;

/// Options given; `None` is an explicit null.
pub(super) type Given = BTreeMap<String, Option<String>>;

/// The definition of an option (`ConfigKeyInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct KeyInfo {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) required: bool,
    pub(super) default_value: Option<String>,
    pub(super) importance: String,
    pub(super) documentation: String,
    pub(super) group: Option<String>,
    pub(super) order_in_group: i32,
    pub(super) width: &'static str,
    pub(super) display_name: String,
    pub(super) dependents: Vec<String>,
}

/// The value of an option (`ConfigValueInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ValueInfo {
    pub(super) name: String,
    pub(super) value: Option<String>,
    pub(super) recommended_values: Vec<String>,
    pub(super) errors: Vec<String>,
    pub(super) visible: bool,
}

/// Both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Info {
    pub(super) definition: Option<KeyInfo>,
    pub(super) value: ValueInfo,
}

/// The answer of `validate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Infos {
    pub(super) name: String,
    pub(super) error_count: usize,
    pub(super) groups: Vec<String>,
    pub(super) configs: Vec<Info>,
}

impl Infos {
    /// Adds a problem to an option, unless one was found there already.
    pub(super) fn add(&mut self, key: Option<&str>, message: String) {
        let key = key.unwrap_or("connector.class");
        let known = self.configs.iter_mut().find(|info| info.value.name == key);
        let Some(info) = known else {
            self.configs.push(Info {
                definition: None,
                value: ValueInfo {
                    name: key.to_owned(),
                    value: None,
                    recommended_values: Vec::new(),
                    errors: vec![message],
                    visible: true,
                },
            });
            self.error_count += 1;
            return;
        };
        if info.value.errors.is_empty() {
            info.value.errors.push(message);
            self.error_count += 1;
        }
    }

    /// All problems, each with its option.
    pub(super) fn problems(&self) -> Vec<String> {
        self.configs
            .iter()
            .flat_map(|info| &info.value.errors)
            .cloned()
            .collect()
    }
}

/// Names of groups in the order of their options.
struct Builder<'a> {
    given: &'a Given,
    installed: &'a Installed,
    groups: Vec<String>,
    configs: Vec<Info>,
}

impl Builder<'_> {
    /// Adds an option with its value read by the rules of its type.
    fn push(
        &mut self,
        key: KeyInfo,
        kind: Kind,
        check: impl FnOnce(&str) -> Vec<String>,
    ) -> &mut ValueInfo {
        let given = self.given.get(&key.name);
        let mut value = read(&key, kind, given.map(Option::as_deref));
        if value.errors.is_empty()
            && let Some(text) = &value.value
        {
            value.errors = check(text);
        }
        if let Some(group) = &key.group
            && !self.groups.contains(group)
        {
            self.groups.push(group.clone());
        }
        self.configs.push(Info {
            definition: Some(key),
            value,
        });
        // It was pushed just now.
        &mut self.last().value
    }

    fn last(&mut self) -> &mut Info {
        let at = self.configs.len().saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "called after a push")]
        &mut self.configs[at]
    }

    fn rows(&mut self, rows: &[Key]) {
        for row in rows {
            self.push(row.info(), row.kind, |text| row.check(text));
        }
    }

    fn value(&mut self, name: &str) -> Option<&mut ValueInfo> {
        self.configs
            .iter_mut()
            .map(|info| &mut info.value)
            .find(|value| value.name == name)
    }

    fn error(&mut self, name: &str, message: impl Into<String>) {
        let message = message.into();
        if let Some(value) = self.value(name) {
            value.errors.push(message);
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(Option::as_deref)
    }

    /// The items of a list option, each once.
    fn items(&self, name: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        self.text(name)
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty() && seen.insert((*item).to_owned()))
            .map(str::to_owned)
            .collect()
    }
}

/// Builds the answer for a class. `version` is that of the class's plugin; steps may be of any that is installed.
pub(super) fn infos(given: &Given, class: &Class, version: &str, installed: &Installed) -> Infos {
    let mut builder = Builder {
        given,
        installed,
        groups: ["Common", "Transforms", "Predicates", "Error Handling"]
            .map(str::to_owned)
            .to_vec(),
        configs: Vec::new(),
    };
    builder.rows(COMMON);
    let asked = builder.text("connector.plugin.version").map(str::to_owned);
    if let Some(value) = builder.value("connector.plugin.version") {
        value.recommended_values = vec![version.to_owned()];
        if asked.is_none() {
            value.value = Some(version.to_owned());
        }
    }
    if let Some(info) = builder
        .configs
        .iter_mut()
        .find(|info| info.value.name == "connector.plugin.version")
        && let Some(definition) = &mut info.definition
    {
        definition.default_value = Some(version.to_owned());
    }
    let other_version = asked.is_some_and(|asked| asked != version && asked != "latest");
    converters::add(&mut builder, other_version);
    builder.rows(ERRORS);
    if let Some(tasks) = builder.value("tasks.max")
        && tasks.value.is_none()
        && tasks.errors.len() == 1
    {
        // Kafka Connect says it twice, and its clients count.
        tasks.errors.extend(tasks.errors.clone());
    }
    if other_version {
        let message =
            format!("the installed version is {version}; leave `connector.plugin.version` out");
        builder.error("connector.class", message.clone());
        builder.error("connector.plugin.version", message);
        return finish(builder, given);
    }
    match class.kind {
        ClassKind::Sink => {
            builder.rows(SINK);
            keys::check_topics(&mut builder);
        }
        ClassKind::Source | ClassKind::Transform => {
            builder.rows(SOURCE);
            for group in ["Topic Creation", "Exactly Once Support", "offsets.topic"] {
                if !builder.groups.iter().any(|known| known == group) {
                    builder.groups.push(group.to_owned());
                }
            }
        }
    }
    steps::add(&mut builder);
    class::add(&mut builder, class);
    overrides(&mut builder);
    finish(builder, given)
}

/// `producer.override.…` and the like: Kafka's clients are not here, so nothing is known of them.
fn overrides(builder: &mut Builder<'_>) {
    let names: Vec<String> = builder
        .given
        .keys()
        .filter(|key| {
            [
                "producer.override.",
                "consumer.override.",
                "admin.override.",
            ]
            .iter()
            .any(|prefix| key.starts_with(prefix))
        })
        .cloned()
        .collect();
    for name in names {
        let value = builder.text(&name).map(str::to_owned);
        builder.configs.push(Info {
            definition: None,
            value: ValueInfo {
                name,
                value,
                recommended_values: Vec::new(),
                errors: Vec::new(),
                visible: true,
            },
        });
    }
}

fn finish(builder: Builder<'_>, given: &Given) -> Infos {
    let error_count = builder
        .configs
        .iter()
        .map(|info| info.value.errors.len())
        .sum();
    Infos {
        name: given
            .get("connector.class")
            .and_then(Clone::clone)
            .unwrap_or_default(),
        error_count,
        groups: builder.groups,
        configs: builder.configs,
    }
}

/// The host's definitions for a class, as `GET /connector-plugins/CLASS/config` lists them after the class's own.
pub(super) fn host_keys(kind: ClassKind, version: &str) -> Vec<KeyInfo> {
    let own: &[Key] = match kind {
        ClassKind::Sink => SINK,
        ClassKind::Source | ClassKind::Transform => SOURCE,
    };
    let mut keys: Vec<KeyInfo> = COMMON
        .iter()
        .chain(ERRORS)
        .chain(own)
        .map(Key::info)
        .collect();
    for key in &mut keys {
        if key.name == "connector.plugin.version" {
            key.default_value = Some(version.to_owned());
        } else if key.name.contains("converter") {
            // What a connector that does not say gets is the host's to say, not the class's.
            key.default_value = None;
        }
    }
    keys
}
