//! Transforms and predicates: which there are, and the options of those that a connector names.

use std::collections::BTreeMap;

use linkspan_convert::options::{ConfigProblem, OptionDef};
use linkspan_convert::predicate::{find_predicate, predicate_classes};
use linkspan_convert::transform::{
    ClassUse, PluginClasses as _, find_transform, transform_classes,
};
use linkspan_runtime::InstalledClasses;

use super::converters::kind;
use super::value::Kind;
use super::{Builder, Given, KeyInfo};
use crate::connect::CONNECT_VERSION;

/// The package of Kafka Connect's transforms.
const TRANSFORMS: &str = "org.apache.kafka.connect.transforms.";
/// The package of Kafka Connect's predicates.
const PREDICATES: &str = "org.apache.kafka.connect.transforms.predicates.";

/// Options that Kafka Connect's forms show as HIGH or LOW; the others are MEDIUM.
#[rustfmt::skip]
const IMPORTANCE: [(&str, &str, &str); 20] = [
    ("Cast", "spec", "HIGH"), ("DropHeaders", "headers", "HIGH"), ("HeaderFrom", "fields", "HIGH"),
    ("HeaderFrom", "headers", "HIGH"), ("HeaderFrom", "operation", "HIGH"), ("InsertHeader", "header", "HIGH"),
    ("InsertHeader", "value.literal", "HIGH"), ("MaskField", "fields", "HIGH"), ("MaskField", "replacement", "LOW"),
    ("RegexRouter", "regex", "HIGH"), ("RegexRouter", "replacement", "HIGH"),
    ("SetSchemaMetadata", "schema.name", "HIGH"), ("SetSchemaMetadata", "schema.version", "HIGH"),
    ("TimestampConverter", "field", "HIGH"), ("TimestampConverter", "target.type", "HIGH"),
    ("TimestampConverter", "unix.precision", "LOW"), ("TimestampRouter", "timestamp.format", "HIGH"),
    ("TimestampRouter", "topic.format", "HIGH"), ("ValueToKey", "fields", "HIGH"), ("Mask", "fields", "HIGH"),
];

/// The names of Kafka Connect's transforms, both halves where a class has two.
fn transform_names() -> Vec<String> {
    let mut names = Vec::new();
    for class in transform_classes() {
        if class.package != TRANSFORMS {
            continue;
        }
        let name = format!("{}{}", class.package, class.name);
        if class.sided {
            names.extend([format!("{name}$Key"), format!("{name}$Value")]);
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// The names of the predicates.
fn predicate_names() -> Vec<String> {
    predicate_classes()
        .iter()
        .map(|class| format!("{PREDICATES}{}", class.name))
        .collect()
}

fn info(class: &str, option: &OptionDef, name: String, group: Option<&str>, order: i32) -> KeyInfo {
    let importance = IMPORTANCE
        .iter()
        .find(|row| row.0 == class && row.1 == option.name)
        .map_or("MEDIUM", |row| row.2);
    KeyInfo {
        name,
        kind: kind(option).word(),
        required: option.required,
        default_value: option.default.map(str::to_owned),
        importance: importance.to_owned(),
        documentation: option.docs.to_owned(),
        group: group.map(str::to_owned),
        order_in_group: order,
        width: "NONE",
        display_name: option.name.to_owned(),
        dependents: Vec::new(),
    }
}

/// Definitions of a transform's options.
pub(in crate::connect) fn transform_keys(name: &str) -> Option<Vec<KeyInfo>> {
    let found = find_transform(name)?;
    let keys = found.class.options.iter();
    Some(
        keys.map(|option| info(found.class.name, option, option.name.to_owned(), None, -1))
            .collect(),
    )
}

/// Definitions of a predicate's options.
pub(in crate::connect) fn predicate_keys(name: &str) -> Option<Vec<KeyInfo>> {
    let found = find_predicate(name)?;
    let keys = found.options.iter();
    Some(
        keys.map(|option| info(found.name, option, option.name.to_owned(), None, -1))
            .collect(),
    )
}

/// The options below a prefix, without it.
pub(super) fn below(given: &Given, prefix: &str) -> BTreeMap<String, String> {
    given
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(prefix)?.to_owned(), value.clone()?)))
        .collect()
}

/// Puts problems beside their options, unless reading the value has found one there.
pub(super) fn report(builder: &mut Builder<'_>, prefix: &str, problems: Vec<ConfigProblem>) {
    for problem in problems {
        let name = format!("{prefix}{}", problem.option);
        if let Some(value) = builder.value(&name)
            && value.errors.is_empty()
        {
            value.errors.push(format!(
                "Invalid value for configuration {name}: {}",
                problem.message
            ));
        }
    }
}

/// One kind of step: transforms or predicates.
struct Section<'a> {
    class_use: ClassUse,
    list: &'a str,
    /// `Transforms`, and `Transformation` in the names of options.
    group: &'a str,
    word: &'a str,
    names: Vec<String>,
}

pub(super) fn add(builder: &mut Builder<'_>) {
    let installed = InstalledClasses::new(&builder.installed.1);
    let names = |class_use, mut built_in: Vec<String>| {
        built_in.extend(installed.names(class_use));
        built_in
    };
    let transforms = Section {
        class_use: ClassUse::Transform,
        list: "transforms",
        group: "Transforms",
        word: "Transformation",
        names: names(ClassUse::Transform, transform_names()),
    };
    for alias in builder.items("transforms") {
        transform(builder, &transforms, &alias);
    }
    let predicates = Section {
        class_use: ClassUse::Predicate,
        list: "predicates",
        group: "Predicates",
        word: "Predicate",
        names: names(ClassUse::Predicate, predicate_names()),
    };
    for alias in builder.items("predicates") {
        predicate(builder, &predicates, &alias);
    }
}

/// A class that was found: the name that is shown, and its version.
struct Found {
    name: String,
    version: String,
}

impl Found {
    fn built_in(name: String) -> Self {
        Self {
            name,
            version: CONNECT_VERSION.to_owned(),
        }
    }
}

/// Adds `….type` and `….plugin.version`; returns the prefix of the step's options.
fn head(
    builder: &mut Builder<'_>,
    section: &Section<'_>,
    alias: &str,
    found: Option<Found>,
) -> String {
    let prefix = format!("{}.{alias}.", section.list);
    let group = format!("{}: {alias}", section.group);
    let written = builder
        .text(&format!("{prefix}type"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    let own = |name: &str, kind: Kind, required: bool, order: i32, display: String| KeyInfo {
        name: format!("{prefix}{name}"),
        kind: kind.word(),
        required,
        default_value: None,
        importance: "HIGH".to_owned(),
        documentation: format!("{display}."),
        group: Some(group.clone()),
        order_in_group: order,
        width: "LONG",
        display_name: display,
        dependents: Vec::new(),
    };
    let kind = own(
        "type",
        Kind::Class,
        true,
        0,
        format!("{} type for {alias}", section.word),
    );
    let other = find_transform(&written).is_some()
        || find_predicate(&written).is_some()
        || written.starts_with("java.");
    let value = builder.push(kind, Kind::Class, |_| Vec::new());
    value.recommended_values.clone_from(&section.names);
    match &found {
        Some(found) => value.value = Some(found.name.clone()),
        None => {
            if value.errors.is_empty() {
                value.errors.push(format!(
                    "`{}` is no {} that is installed here",
                    written.escape_debug(),
                    section.word.to_lowercase()
                ));
            }
            // A class that exists and is none keeps its value, as in Connect.
            if !other {
                value.value = None;
            }
        }
    }
    let mut version = own(
        "plugin.version",
        Kind::Text,
        false,
        1,
        format!("{} version for {alias}", section.word),
    );
    version.default_value = found.as_ref().map(|found| found.version.clone());
    let value = builder.push(version, Kind::Text, |_| Vec::new());
    value
        .recommended_values
        .extend(found.map(|found| found.version));
    prefix
}

/// The order of Kafka's forms: what must be given, then by importance, then by name; behind type and version.
fn in_order(keys: &mut [(KeyInfo, Kind)]) {
    let rank = |key: &KeyInfo| match key.importance.as_str() {
        "HIGH" => 0,
        "MEDIUM" => 1,
        _ => 2,
    };
    keys.sort_by(|(a, _), (b, _)| {
        (!a.required, rank(a), &a.name).cmp(&(!b.required, rank(b), &b.name))
    });
    for ((key, _), order) in keys.iter_mut().zip(2..) {
        key.order_in_group = order;
    }
}

/// A pattern that is missing is no pattern either: Kafka Connect says both.
fn missing_pattern(builder: &mut Builder<'_>, prefix: &str) {
    for name in ["regex", "pattern"] {
        let name = format!("{prefix}{name}");
        if builder.text(&name).is_none() {
            builder.error(
                &name,
                format!("Invalid value null for configuration {name}: not a regular expression"),
            );
        }
    }
}

fn written(builder: &Builder<'_>, list: &str, alias: &str) -> String {
    builder
        .text(&format!("{list}.{alias}.type"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

const NEGATE: OptionDef = OptionDef::boolean(
    "negate",
    "false",
    "Whether the step is for the records that the predicate does not hold for.",
);
const PREDICATE: OptionDef =
    OptionDef::string("predicate", "The condition under which the step is done.");

/// A step whose class a plugin has. `false` where none has it.
fn plugged(builder: &mut Builder<'_>, section: &Section<'_>, alias: &str, written: &str) -> bool {
    let installed = builder.installed;
    let classes = InstalledClasses::new(&installed.1);
    let Some(class) = classes.find(section.class_use, written) else {
        return false;
    };
    let found = Found {
        name: class.name().to_owned(),
        version: class.plugin().version.clone(),
    };
    let prefix = head(builder, section, alias, Some(found));
    let group = format!("{}: {alias}", section.group);
    let known = linkspan_config::Catalog::class(installed, class.name());
    let own = known.iter().flat_map(|class| &class.options);
    let mut keys: Vec<(KeyInfo, Kind)> = own
        .map(|option| {
            let mut key = super::class::info(option);
            // Given by another name: shown under that one, as a form sent it.
            let names = std::iter::once(&option.name).chain(&option.aliases);
            let mut names = names.map(|name| format!("{prefix}{name}"));
            let given = names.find(|name| builder.given.contains_key(name));
            key.name = given.unwrap_or_else(|| format!("{prefix}{}", option.name));
            key.group = Some(group.clone());
            (key, super::class::kind(option))
        })
        .collect();
    if section.class_use == ClassUse::Transform {
        keys.extend([&NEGATE, &PREDICATE].map(|option| {
            let name = format!("{prefix}{}", option.name);
            (
                info(class.name(), option, name, Some(&group), 0),
                kind(option),
            )
        }));
    }
    in_order(&mut keys);
    for (key, kind) in keys {
        builder.push(key, kind, |_| Vec::new());
    }
    let mut config = below(builder.given, &prefix);
    lonely_negate(builder, &prefix, &config);
    // What stands behind a placeholder is judged with the whole connector, when it is resolved.
    if !config.values().any(|value| value.contains("${")) {
        for host in ["type", "plugin.version", "predicate", "negate"] {
            config.remove(host);
        }
        report(builder, &prefix, classes.problems(class.name(), &config));
    }
    true
}

fn lonely_negate(builder: &mut Builder<'_>, prefix: &str, config: &BTreeMap<String, String>) {
    if config
        .get("negate")
        .is_some_and(|negate| negate.trim().eq_ignore_ascii_case("true"))
        && !config.contains_key("predicate")
    {
        builder.error(&format!("{prefix}type"), "`negate` needs a `predicate`");
    }
}

fn transform(builder: &mut Builder<'_>, section: &Section<'_>, alias: &str) {
    let written = written(builder, "transforms", alias);
    if find_transform(&written).is_none() && plugged(builder, section, alias, &written) {
        return;
    }
    // A class of two halves by its bare name is a class of Connect that cannot be made.
    let found = find_transform(&written).filter(|found| {
        !found.class.sided
            || found.side.is_some()
            || builder.text(&format!("transforms.{alias}.of")).is_some()
            || !written.contains('.')
    });
    let full = found.map(|found| {
        let side = written
            .split_once('$')
            .map_or(String::new(), |(_, side)| format!("${side}"));
        Found::built_in(format!("{}{}{side}", found.class.package, found.class.name))
    });
    let prefix = head(builder, section, alias, full);
    let Some(found) = found else { return };
    let group = format!("Transforms: {alias}");
    let mut keys: Vec<(KeyInfo, Kind)> = found
        .class
        .options
        .iter()
        .chain([&NEGATE, &PREDICATE])
        .map(|option| {
            let name = format!("{prefix}{}", option.name);
            (
                info(found.class.name, option, name, Some(&group), 0),
                kind(option),
            )
        })
        .collect();
    in_order(&mut keys);
    for (key, kind) in keys {
        builder.push(key, kind, |_| Vec::new());
    }
    let config = below(builder.given, &prefix);
    lonely_negate(builder, &prefix, &config);
    if let Err(problems) = found.build(&config, 0) {
        report(builder, &prefix, problems);
    }
    missing_pattern(builder, &prefix);
}

fn predicate(builder: &mut Builder<'_>, section: &Section<'_>, alias: &str) {
    let written = written(builder, "predicates", alias);
    let found = find_predicate(&written);
    if found.is_none() && plugged(builder, section, alias, &written) {
        return;
    }
    let full = found.map(|found| Found::built_in(format!("{PREDICATES}{}", found.name)));
    let prefix = head(builder, section, alias, full);
    let Some(found) = found else { return };
    let group = format!("Predicates: {alias}");
    for (option, order) in found.options.iter().zip(2..) {
        let key = info(
            found.name,
            option,
            format!("{prefix}{}", option.name),
            Some(&group),
            order,
        );
        builder.push(key, kind(option), |_| Vec::new());
    }
    if let Err(problems) = found.build(&below(builder.given, &prefix)) {
        report(builder, &prefix, problems);
    }
}
