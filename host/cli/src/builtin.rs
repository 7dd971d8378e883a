//! What connectors may name without a plugin: Kafka Connect's transforms and predicates, and the converters. In the shape in
//! which plugins describe their classes, so that one list shows all.

use linkspan_convert::ConverterClass;
use linkspan_convert::converter::CLASSES;
use linkspan_convert::options::{OptionDef, OptionType};
use linkspan_convert::predicate::{find_predicate, predicate_classes};
use linkspan_convert::transform::{find_transform, transform_classes};
use serde_json::{Value, json};

/// All of them.
pub(crate) fn rows() -> Vec<Value> {
    let transforms = transform_classes()
        .iter()
        .filter_map(|class| find(class.name));
    let predicates = predicate_classes()
        .iter()
        .map(|class| row(class.name, "predicate", class.docs, class.options));
    let converters = CLASSES.iter().map(converter);
    transforms.chain(predicates).chain(converters).collect()
}

/// The one of a name, in any of the forms that a configuration may have it in.
pub(crate) fn find(name: &str) -> Option<Value> {
    if let Some(found) = find_transform(name) {
        let class = found.class;
        return Some(row(class.name, "transform", class.docs, &found.options()));
    }
    if let Some(class) = find_predicate(name) {
        return Some(row(class.name, "predicate", class.docs, class.options));
    }
    ConverterClass::find(name).map(converter)
}

fn converter(class: &ConverterClass) -> Value {
    row(class.name, "converter", class.docs, class.options)
}

fn row(name: &str, kind: &str, docs: &str, options: &[OptionDef]) -> Value {
    let options = options.iter().map(|option| {
        json!({
            "name": option.name, "type": option.kind.name(), "required": option.required, "default": option.default,
            "docs": option.docs, "secret": option.kind == OptionType::Password,
        })
    });
    json!({
        "name": name, "type": kind, "docs": docs, "options": options.collect::<Value>(),
        "plugin": "linkspan", "version": env!("CARGO_PKG_VERSION"), "path": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_found_and_no_name_is_listed_twice() {
        let rows = rows();
        let mut names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
        for name in ["MaskField", "TopicNameMatches", "json"] {
            assert!(names.contains(&name), "{names:?}");
        }
        for name in &names {
            assert_eq!(find(name).unwrap()["name"], **name);
        }
        names.sort_unstable();
        let listed = names.len();
        names.dedup();
        assert_eq!(names.len(), listed);
        let masked = find("org.apache.kafka.connect.transforms.MaskField$Value").unwrap();
        assert_eq!(masked["name"], "MaskField");
        assert!(find("file-source").is_none());
    }
}
