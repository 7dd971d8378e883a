//! Converters: which there are, and the options of those that a connector names.

use linkspan_convert::converter::CLASSES;
use linkspan_convert::options::{OptionDef, OptionType};
use linkspan_convert::{ConverterClass, Role};

use super::value::Kind;
use super::{Builder, KeyInfo};
use crate::connect::CONNECT_VERSION;

const ROLES: [(&str, Role, &str); 3] = [
    ("key.converter", Role::Key, "key"),
    ("value.converter", Role::Value, "value"),
    ("header.converter", Role::Header, "header"),
];

/// Name, importance, group, place in it, width, name for people.
type Place = (
    &'static str,
    &'static str,
    Option<&'static str>,
    i32,
    &'static str,
    &'static str,
);

/// Groups, places and importance that Kafka Connect's forms have for converter options.
#[rustfmt::skip]
const PLACES: [Place; 6] = [
    ("schemas.enable", "HIGH", Some("Schemas"), 0, "MEDIUM", "Enable Schemas"),
    ("schemas.cache.size", "HIGH", Some("Schemas"), 1, "MEDIUM", "Schema Cache Size"),
    ("schema.content", "HIGH", Some("Schemas"), 2, "MEDIUM", "Schema Content"),
    ("decimal.format", "LOW", Some("Serialization"), 0, "MEDIUM", "Decimal Format"),
    ("replace.null.with.default", "LOW", Some("Serialization"), 1, "MEDIUM", "Replace null with default"),
    ("converter.encoding", "HIGH", None, -1, "MEDIUM", "Encoding"),
];

/// Java names of the converters of Kafka Connect for a role.
fn converter_names(role: Role) -> Vec<String> {
    let mut names: Vec<String> = CLASSES
        .iter()
        .filter(|class| class.serves(role) && class.java.starts_with("org.apache.kafka."))
        .map(|class| class.java.to_owned())
        .collect();
    names.sort();
    names
}

/// The name that Kafka Connect shows for a class.
pub(in crate::connect) fn java_name(class: &ConverterClass) -> &str {
    if class.java.is_empty() {
        class.name
    } else {
        class.java
    }
}

pub(super) fn kind(option: &OptionDef) -> Kind {
    match option.kind {
        OptionType::String => Kind::Text,
        OptionType::List => Kind::List,
        OptionType::Boolean => Kind::Boolean,
        OptionType::Int => Kind::Int,
        OptionType::Password => Kind::Password,
    }
}

fn info(option: &OptionDef, prefix: &str) -> KeyInfo {
    let place = PLACES.iter().find(|place| place.0 == option.name);
    let (importance, group, order, width, display) = place
        .map_or(("LOW", None, -1, "NONE", option.name), |place| {
            (place.1, place.2, place.3, place.4, place.5)
        });
    KeyInfo {
        name: format!("{prefix}{}", option.name),
        kind: kind(option).word(),
        required: option.required,
        default_value: option.default.map(str::to_owned),
        importance: importance.to_owned(),
        documentation: option.docs.to_owned(),
        group: group.map(str::to_owned),
        order_in_group: order,
        width,
        display_name: display.to_owned(),
        dependents: Vec::new(),
    }
}

fn type_info(prefix: &str) -> KeyInfo {
    KeyInfo {
        name: format!("{prefix}converter.type"),
        kind: "STRING",
        required: true,
        default_value: None,
        importance: "LOW".to_owned(),
        documentation: "Whether it converts keys, values or headers; the connector says it."
            .to_owned(),
        group: None,
        order_in_group: -1,
        width: "NONE",
        display_name: "converter.type".to_owned(),
        dependents: Vec::new(),
    }
}

/// Definitions of a converter's options.
pub(in crate::connect) fn converter_keys(class: &ConverterClass) -> Vec<KeyInfo> {
    std::iter::once(type_info(""))
        .chain(class.options.iter().map(|option| info(option, "")))
        .collect()
}

/// Checks the three converters, and adds the options of those that are named.
pub(super) fn add(builder: &mut Builder<'_>, other_version: bool) {
    for (name, role, word) in ROLES {
        let version = format!("{name}.plugin.version");
        let text = builder.text(name).map(|text| text.trim().to_owned());
        if other_version {
            // The plugin of that version is not there, so nothing is known of its defaults.
            for (key, visible) in [(name, true), (version.as_str(), false)] {
                forget_default(builder, key);
                if let Some(value) = builder.value(key) {
                    value.value = None;
                    value.visible = visible;
                }
            }
            continue;
        }
        if let Some(value) = builder.value(name) {
            value.recommended_values = converter_names(role);
        }
        if let Some(value) = builder.value(&version) {
            value.recommended_values = vec![CONNECT_VERSION.to_owned()];
        }
        let Some(text) = text else { continue };
        match ConverterClass::find(&text).filter(|class| class.serves(role)) {
            Some(class) => {
                if let Some(value) = builder.value(name) {
                    value.value = Some(java_name(class).to_owned());
                }
                options(builder, name, word, class);
            }
            None => unknown(builder, name, &version, &text),
        }
    }
}

fn unknown(builder: &mut Builder<'_>, name: &str, version: &str, text: &str) {
    // A class that exists and is no converter keeps its value, as in Connect.
    let exists = linkspan_convert::transform::find_transform(text).is_some()
        || linkspan_convert::predicate::find_predicate(text).is_some();
    builder.error(
        name,
        format!(
            "`{}` {}",
            text.escape_debug(),
            ConverterClass::missing(text)
        ),
    );
    if exists {
        return;
    }
    if let Some(value) = builder.value(name) {
        value.value = None;
    }
    forget_default(builder, version);
    if let Some(value) = builder.value(version) {
        value.value = None;
        value.visible = false;
        value.recommended_values.clear();
    }
}

fn forget_default(builder: &mut Builder<'_>, name: &str) {
    let info = builder
        .configs
        .iter_mut()
        .find(|info| info.value.name == name);
    if let Some(definition) = info.and_then(|info| info.definition.as_mut()) {
        definition.default_value = None;
    }
}

fn options(builder: &mut Builder<'_>, name: &str, word: &str, class: &ConverterClass) {
    let prefix = format!("{name}.");
    let value = builder.push(type_info(&prefix), Kind::Text, |_| Vec::new());
    if value.value.is_none() {
        value.value = Some(word.to_owned());
        value.errors.clear();
    }
    for option in class.options {
        builder.push(info(option, &prefix), kind(option), |_| Vec::new());
    }
    let own = super::steps::below(builder.given, &prefix);
    if let Err(problems) = class.configure(&own) {
        super::steps::report(builder, &prefix, problems);
    }
}
