//! Which class a connector is of, and the options that it may have.

use super::Surroundings;
use super::steps::role_of;
use crate::codes;
use crate::framework;
use crate::option::{Catalog, Class, ClassKind};
use crate::report::{Draft, Report};
use crate::vocabulary::{Built, Vocabulary, closest, listing};
use crate::yaml::{Entry, Kind, Node};

pub(super) const CLASS_KEYS: [&str; 2] = ["connector", "connector.class"];

/// Finds the class a connector names, before its options can be read.
pub(super) fn class_of<'a>(
    report: &mut Report,
    entry: &Entry,
    options: &[Entry],
    around: &Surroundings<'a>,
) -> Option<&'a Class> {
    let name = &entry.key;
    let Some(node) = class_node(options) else {
        let draft = Draft::error(
            &codes::NO_CLASS,
            entry.key_span,
            format!(
                "connector `{}` does not say what it is",
                name.escape_debug()
            ),
        );
        let near = options
            .iter()
            .find(|option| closest(&option.key, ["connector"]).is_some());
        let draft = match near {
            Some(near) => draft.related(near.key_span, "did you mean `connector` here"),
            None => draft.label("add `connector: CLASS`"),
        };
        report.push(draft.note(installed(around.catalog)));
        return None;
    };
    let Some(written) = node.text() else {
        report.push(Draft::error(
            &codes::WRONG_TYPE,
            node.span,
            format!(
                "connector `{}`: `connector` takes the name of a class, found {}",
                name.escape_debug(),
                node.shape()
            ),
        ));
        return None;
    };
    // Java's class names end in the name that people know: `io.confluent.connect.jdbc.JdbcSourceConnector`.
    let short = written.rsplit('.').next().unwrap_or(written);
    let class = around
        .catalog
        .class(written)
        .or_else(|| around.catalog.class(short));
    let names = around.catalog.names();
    match class {
        None => {
            let mut draft = Draft::error(
                &codes::UNKNOWN_CLASS,
                node.span,
                format!(
                    "connector `{}`: no installed plugin offers the class `{}`",
                    name.escape_debug(),
                    written.escape_debug()
                ),
            );
            if let Some(known) = closest(written, names.iter().map(String::as_str)) {
                draft = draft.label(format!("did you mean `{known}`?"));
            }
            if let Some(plugin) = apart(short) {
                draft = draft.help(format!(
                    "it is in the plugin {plugin}, which is built by itself: cargo build -p {plugin} in linkspan's sources"
                ));
            }
            report.push(draft.note(installed(around.catalog)));
            None
        }
        Some(class) if class.kind == ClassKind::Transform => {
            report.push(Draft::error(
                &codes::UNKNOWN_CLASS,
                node.span,
                format!(
                    "connector `{}`: `{}` is a transform, not a source or sink",
                    name.escape_debug(),
                    class.name
                ),
            ));
            None
        }
        Some(class) => Some(class),
    }
}

pub(super) fn class_node(options: &[Entry]) -> Option<&Node> {
    options.iter().find_map(|option| match &option.value.kind {
        // `connector: {class: x}` is `connector.class: x`.
        Kind::Map(inner) if option.key == "connector" => inner
            .iter()
            .find(|entry| entry.key == "class")
            .map(|entry| &entry.value),
        Kind::Null | Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => CLASS_KEYS
            .contains(&option.key.as_str())
            .then_some(&option.value),
    })
}

/// The plugin of linkspan's own that has such a class and is no default member of its workspace.
pub(super) fn apart(class: &str) -> Option<&'static str> {
    match class {
        "kafka-source" | "kafka-sink" => Some("linkspan-connector-kafka"),
        "columnar-source" | "columnar-sink" => Some("linkspan-connector-columnar"),
        _ => None,
    }
}

pub(super) fn installed(catalog: &dyn Catalog) -> String {
    let names = catalog.names();
    if names.is_empty() {
        return "no plugin was found; see linkspan plugin list".to_owned();
    }
    format!("installed: {}", listing(names.iter().map(String::as_str)))
}

pub(super) fn stands_for(class: &Class, name: &str) -> bool {
    class.name == name || class.aliases.iter().any(|alias| alias == name)
}

pub(super) fn vocabulary(class: &Class) -> Vocabulary<'_> {
    let mut vocabulary = Vocabulary::default();
    for def in class.options.iter().filter(|def| {
        framework::CONNECTOR
            .iter()
            .all(|option| option.def.name != def.name)
    }) {
        vocabulary.add(def, Built::Yes, None);
    }
    for option in framework::CONNECTOR.iter() {
        let misplaced = match option.kind {
            Some(kind) if kind != class.kind => Some(match kind {
                ClassKind::Source => "is an option of sources; this is a sink",
                ClassKind::Sink | ClassKind::Transform if option.def.name.starts_with("topics") => {
                    "is an option of sinks; a source takes `topic`"
                }
                ClassKind::Sink | ClassKind::Transform => "is an option of sinks; this is a source",
            }),
            Some(_) | None => None,
        };
        // A class may have an option of the name of the other side's.

        match class.options.iter().find(|def| def.name == option.def.name) {
            Some(own) if misplaced.is_some() => vocabulary.add(own, Built::Yes, None),
            Some(_) | None => vocabulary.add(&option.def, option.built, misplaced),
        }
    }
    vocabulary
}

/// Whether an option is the host's own: named in its table, or below a pattern of it.
pub(super) fn is_of_framework(name: &str) -> bool {
    framework::CONNECTOR.iter().any(|option| {
        let known = option.def.name.as_str();
        let below = known
            .strip_suffix('*')
            .is_some_and(|prefix| name.starts_with(prefix));
        known == name || below
    })
}

/// The host's converters, each with its options, in whose place the connector and its class's defaults name none.
pub(super) fn inherited(options: &[Entry], class: &Class, around: &Surroundings<'_>) -> Vec<Entry> {
    let mut own: Vec<&str> = options.iter().map(|entry| entry.key.as_str()).collect();
    for default in around
        .defaults
        .iter()
        .filter(|default| stands_for(class, &default.key))
    {
        if let Kind::Map(entries) = &default.value.kind {
            own.extend(entries.iter().map(|entry| entry.key.as_str()));
        }
    }
    let of_host = |key: &str| role_of(key).is_some_and(|role| !own.contains(&role));
    let entries = around.host.iter().filter(|entry| of_host(&entry.key));
    entries.cloned().collect()
}
