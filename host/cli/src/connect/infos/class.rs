//! Options of a class itself.

use linkspan_config::{Class, OptionDef, OptionType};

use super::value::Kind;
use super::{Builder, KeyInfo};

pub(super) fn kind(option: &OptionDef) -> Kind {
    match option.kind {
        _ if option.is_secret() => Kind::Password,
        OptionType::Boolean => Kind::Boolean,
        OptionType::Int => Kind::Int,
        OptionType::Long => Kind::Long,
        OptionType::Double => Kind::Double,
        OptionType::List => Kind::List,
        OptionType::String
        | OptionType::Map
        | OptionType::Duration
        | OptionType::Bytes
        | OptionType::Path
        | OptionType::Url
        | OptionType::Topic
        | OptionType::Password
        | OptionType::Other => Kind::Text,
    }
}

pub(super) fn info(option: &OptionDef) -> KeyInfo {
    KeyInfo {
        name: option.name.clone(),
        kind: kind(option).word(),
        required: option.required,
        default_value: option.default.clone(),
        importance: option
            .importance
            .as_deref()
            .unwrap_or("medium")
            .to_uppercase(),
        documentation: option.docs.clone(),
        group: option.group.clone().filter(|group| !group.is_empty()),
        order_in_group: -1,
        width: "NONE",
        display_name: option.name.clone(),
        dependents: Vec::new(),
    }
}

/// Whether the host has an option of that name; then the class's is the same one.
fn is_hosts(builder: &Builder<'_>, name: &str) -> bool {
    builder.configs.iter().any(|info| info.value.name == name)
}

pub(super) fn add(builder: &mut Builder<'_>, class: &Class) {
    for option in &class.options {
        // `x.*` stands for many names, none of which is one.
        if is_hosts(builder, &option.name) || option.name.ends_with('*') {
            continue;
        }
        let given = std::iter::once(&option.name)
            .chain(&option.aliases)
            .find(|name| builder.given.contains_key(*name))
            .cloned();
        let values = &option.values;
        let mut key = info(option);
        if let Some(given) = given.filter(|given| *given != option.name) {
            // It was given by another name: shown under that one, as a form sent it.
            key.name = given;
        }
        let check = |text: &str| {
            if values.is_empty() || option.word(text).is_some() {
                return Vec::new();
            }
            vec![format!("must be one of: {}", values.join(", "))]
        };
        let value = builder.push(key, kind(option), check);
        value.recommended_values = option.values.clone();
    }
}

/// The definitions of a class's own options.
pub(in crate::connect) fn class_keys(class: &Class) -> Vec<KeyInfo> {
    class.options.iter().map(info).collect()
}
