//! Installed plugins as Kafka Connect lists them.

use linkspan_config::{Catalog, Class, ClassKind};
use linkspan_convert::converter::CLASSES;
use linkspan_convert::predicate::predicate_classes;
use linkspan_convert::transform::{ClassUse, transform_classes};
use linkspan_convert::{ConverterClass, Role};
use linkspan_rest::Refusal;
use linkspan_rest::connect::PluginRow;
use linkspan_runtime::InstalledClasses;
use serde_json::Value;

use super::infos::{
    class_keys, converter_keys, host_keys, java_name, predicate_keys, transform_keys,
};
use super::{CONNECT_VERSION, Hub};

/// The package of Kafka's own file connectors, whose options and offsets two of our classes have exactly.
const KAFKA: &str = "org.apache.kafka.";

/// The name that Kafka Connect would show: the Java class where it is one of Kafka's own.
fn shown_name(class: &Class) -> &str {
    class
        .aliases
        .iter()
        .find(|alias| alias.starts_with(KAFKA))
        .unwrap_or(&class.name)
}

impl Hub {
    /// A class and its version.
    pub(super) fn class(&self, written: &str) -> Option<(&Class, String)> {
        // Nothing is trimmed and case counts; a package in front of a known simple name is no other class.
        let class = self.classes.class(written)?;
        Some((class, self.version_of(&class.name)))
    }

    pub(super) fn version_of(&self, class: &str) -> String {
        if self
            .classes
            .class(class)
            .is_some_and(|class| shown_name(class).starts_with(KAFKA))
        {
            return CONNECT_VERSION.to_owned();
        }
        self.registry
            .class(class)
            .map_or_else(String::new, |class| class.plugin().version.clone())
    }

    /// The class of a connector's tasks, as Kafka Connect names it.
    pub(super) fn task_class(&self, class: &str) -> String {
        let Some(class) = self.classes.class(class) else {
            return class.to_owned();
        };
        let name = shown_name(class);
        format!("{}Task", name.strip_suffix("Connector").unwrap_or(name))
    }

    pub(super) fn no_class(&self, written: &str) -> Refusal {
        let is_connector = |name: &String| {
            let class = self.classes.class(name);
            class.is_some_and(|class| class.kind != ClassKind::Transform)
        };
        let connectors: Vec<String> = self
            .classes
            .names()
            .into_iter()
            .filter(is_connector)
            .collect();
        Refusal::new(
            400,
            "LS0619",
            format!(
                "Failed to find any class that implements Connector and which name matches {}, available connectors are: {}",
                written.escape_debug(),
                connectors.join(", ")
            ),
        )
    }

    fn is_predicate(&self, class: &str) -> bool {
        let installed = InstalledClasses::new(&self.registry);
        installed.find(ClassUse::Predicate, class).is_some()
    }

    pub(super) fn show_plugins(&self, connectors_only: bool) -> Vec<PluginRow> {
        let mut rows: Vec<PluginRow> = Vec::new();
        let row = |class: String, kind: &str, version: String| PluginRow {
            class,
            kind: kind.to_owned(),
            version,
        };
        for name in self.classes.names() {
            let Some((class, version)) = self.class(&name) else {
                continue;
            };
            let kind = match class.kind {
                ClassKind::Source => "source",
                ClassKind::Sink => "sink",
                ClassKind::Transform if connectors_only => continue,
                ClassKind::Transform if self.is_predicate(&name) => "predicate",
                ClassKind::Transform => "transformation",
            };
            rows.push(row(shown_name(class).to_owned(), kind, version));
        }
        if connectors_only {
            return rows;
        }
        let version = || CONNECT_VERSION.to_owned();
        for class in transform_classes() {
            let name = format!("{}{}", class.package, class.name);
            let names = if class.sided {
                vec![format!("{name}$Key"), format!("{name}$Value")]
            } else {
                vec![name]
            };
            rows.extend(
                names
                    .into_iter()
                    .map(|name| row(name, "transformation", version())),
            );
        }
        for class in predicate_classes() {
            let name = format!(
                "org.apache.kafka.connect.transforms.predicates.{}",
                class.name
            );
            rows.push(row(name, "predicate", version()));
        }
        for (role, kind) in [
            (Role::Value, "converter"),
            (Role::Header, "header_converter"),
        ] {
            for class in CLASSES.iter().filter(|class| class.serves(role)) {
                rows.push(row(java_name(class).to_owned(), kind, version()));
            }
        }
        rows
    }

    pub(super) fn show_plugin(&self, plugin: &str) -> Result<Value, Refusal> {
        let keys = if let Some((class, version)) = self.class(plugin) {
            let own = class_keys(class);
            let mut keys = own.clone();
            // A step has no options of the host's.
            let of_host = match class.kind {
                ClassKind::Transform => Vec::new(),
                kind => host_keys(kind, &version),
            };
            keys.extend(
                of_host
                    .into_iter()
                    .filter(|key| own.iter().all(|own| own.name != key.name)),
            );
            keys
        } else if let Some(class) = ConverterClass::find(plugin) {
            converter_keys(class)
        } else if let Some(keys) = transform_keys(plugin).or_else(|| predicate_keys(plugin)) {
            keys
        } else {
            return Err(Refusal::new(
                404,
                "LS0619",
                format!("Unknown plugin {plugin}."),
            ));
        };
        serde_json::to_value(keys).map_err(|error| Refusal::new(500, "LS0499", error.to_string()))
    }
}
