//! The JSON Schema of configuration files, for editors: sections, the host's options, and those of all installed classes.
//!
//! It is for completion and for mistakes that an editor can see; [`crate::load`] judges. Every value may be a placeholder,
//! and an option may be written flat (`csv.header`) or nested (`csv: {header: …}`).

use serde_json::{Map, Value, json};

use crate::framework::{self, FrameworkOption};
use crate::option::{Class, ClassKind, OptionDef, OptionType};
use crate::vocabulary::Built;

/// The draft of JSON Schema that editors read.
const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// Returns the schema of a configuration file for these classes.
#[must_use]
pub fn json_schema(classes: &[Class]) -> Value {
    let connectors: Vec<&Class> = classes
        .iter()
        .filter(|class| class.kind != ClassKind::Transform)
        .collect();
    let names: Vec<&String> = connectors
        .iter()
        .flat_map(|class| std::iter::once(&class.name).chain(&class.aliases))
        .collect();
    let rules: Vec<Value> = connectors
        .iter()
        .map(|class| {
            let own: Vec<&String> = std::iter::once(&class.name).chain(&class.aliases).collect();
            json!({
                "if": { "properties": { "connector": { "enum": own } }, "required": ["connector"] },
                "then": { "$ref": format!("#/definitions/{}", class.name) },
            })
        })
        .collect();
    let steps: Vec<&Class> = classes
        .iter()
        .filter(|class| class.kind == ClassKind::Transform)
        .collect();
    let step = step_schema(&steps);
    let mut definitions: Map<String, Value> = connectors
        .iter()
        .map(|class| (class.name.clone(), class_schema(class, &step)))
        .collect();
    let of_steps = steps.iter().map(|class| {
        let own = [
            step_option("name"),
            step_option("type"),
            step_option("predicate"),
        ];
        let negate = OptionDef::new("negate", OptionType::Boolean, None, "");
        let options = class.options.iter().chain(&own).chain([&negate]);
        (definition_of_step(class), object(options))
    });
    definitions.extend(of_steps.collect::<Vec<_>>());
    let host = host_schema();
    let topic = object(framework::TOPIC.iter().map(|one| &one.def));
    let param = object(framework::PARAM.iter().map(|one| &one.def));
    let schedule = object(framework::SCHEDULE.iter().map(|one| &one.def));
    let hook = object(framework::HOOK.iter().map(|one| &one.def));
    let hooks = json!({ "anyOf": [hook, { "type": "array", "items": hook }] });
    json!({
        "$schema": DRAFT,
        "title": "linkspan configuration",
        "type": "object",
        "additionalProperties": false,
        "patternProperties": { "^x-": {} },
        "properties": {
            "host": host,
            "params": { "type": "object", "additionalProperties": { "anyOf": [param, { "type": ["string", "number", "boolean", "null"] }] } },
            "topics": { "type": "object", "additionalProperties": { "anyOf": [topic, { "type": "null" }] } },
            "defaults": { "type": "object", "propertyNames": { "anyOf": [{ "enum": names }, { "pattern": "^x-" }] } },
            "schedule": schedule,
            "on.failure": hooks,
            "on.success": hooks,
            "on": { "type": "object" },
            "connectors": {
                "type": "object",
                "patternProperties": { "^x-": {} },
                "additionalProperties": {
                    "type": "object",
                    "required": ["connector"],
                    "properties": { "connector": { "type": "string", "description": "The class.", "examples": names } },
                    "allOf": rules,
                },
            },
        },
        "definitions": definitions,
    })
}

/// The `host:` block, with the users and tokens in it.
fn host_schema() -> Value {
    let mut host = object(
        framework::HOST
            .iter()
            .filter(|one| built(one))
            .map(|one| &one.def),
    );
    for (section, options) in [("users", &framework::USER), ("tokens", &framework::TOKEN)] {
        if let Some(schema) = host.pointer_mut(&format!("/properties/{section}")) {
            let one = object(options.iter().map(|one| &one.def));
            *schema = json!({ "type": "object", "additionalProperties": one });
        }
    }
    host
}

fn built(option: &FrameworkOption) -> bool {
    option.built != Built::No
}

fn step_option(name: &str) -> OptionDef {
    OptionDef::new(name, OptionType::String, None, "")
}

fn definition_of_step(class: &Class) -> String {
    format!("step.{}", class.name)
}

/// A transform or predicate: of a plugin's class with that class's options, of any other with any.
fn step_schema(classes: &[&Class]) -> Value {
    let names = |class: &Class| -> Vec<String> {
        std::iter::once(&class.name)
            .chain(&class.aliases)
            .cloned()
            .collect()
    };
    let rules: Vec<Value> = classes
        .iter()
        .map(|class| {
            json!({
                "if": { "properties": { "type": { "enum": names(class) } }, "required": ["type"] },
                "then": { "$ref": format!("#/definitions/{}", definition_of_step(class)) },
            })
        })
        .collect();
    let known: Vec<String> = classes.iter().flat_map(|class| names(class)).collect();
    let kind = json!({ "type": "string", "description": "The class.", "examples": known });
    let mut step = json!({ "type": "object", "properties": { "type": kind } });
    if let (false, Some(step)) = (rules.is_empty(), step.as_object_mut()) {
        step.insert("allOf".to_owned(), json!(rules));
    }
    step
}

/// Transforms are a list of steps or their names with commas, predicates a map of them; both may stand nested or flat.
fn with_steps(mut schema: Value, step: &Value) -> Value {
    let forms = [
        (
            "transforms",
            json!([
                { "type": "array", "items": { "anyOf": [step, { "type": "string" }] } },
                { "type": ["string", "object"] },
            ]),
        ),
        (
            "predicates",
            json!([
                { "type": "object", "additionalProperties": step },
                { "type": ["string", "array"] },
            ]),
        ),
    ];
    for (name, forms) in forms {
        let place = schema.pointer_mut(&format!("/properties/{name}"));
        if let Some(Value::Object(place)) = place {
            place.remove("type");
            place.insert("anyOf".to_owned(), forms);
        }
    }
    schema
}

/// The options of a class and those that the host has for every connector of its kind.
fn class_schema(class: &Class, step: &Value) -> Value {
    let of_host = framework::CONNECTOR
        .iter()
        .filter(|option| built(option) && option.kind.is_none_or(|kind| kind == class.kind))
        .map(|option| &option.def)
        .filter(|def| class.options.iter().all(|own| own.name != def.name));
    with_steps(object(class.options.iter().chain(of_host)), step)
}

/// A map of options: each under its flat name and its aliases, and nested below the first parts of its name.
fn object<'a>(options: impl Iterator<Item = &'a OptionDef>) -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    patterns.insert("^x-".to_owned(), json!({}));
    let mut required = Vec::new();
    for def in options {
        if let Some(prefix) = def.name.strip_suffix('*') {
            patterns.insert(format!("^{}", escaped(prefix)), json!({}));
            nest(&mut properties, prefix.trim_end_matches('.'), json!({}));
            continue;
        }
        let schema = option(def);
        for name in std::iter::once(&def.name).chain(&def.aliases) {
            nest(&mut properties, name, schema.clone());
            properties.insert(name.clone(), schema.clone());
        }
        // A dotted name may be written nested, and an alias may stand for it: neither can be demanded by its name.
        if def.required && def.aliases.is_empty() && !def.name.contains('.') {
            required.push(def.name.clone());
        }
    }
    let mut out = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    });
    if let (false, Some(out)) = (required.is_empty(), out.as_object_mut()) {
        out.insert("required".to_owned(), json!(required));
    }
    out
}

/// `csv.header` as `csv: {header}`, beside what stands there already. The nested maps stay open: the flat names judge.
fn nest(properties: &mut Map<String, Value>, name: &str, schema: Value) {
    let Some((first, rest)) = name.split_once('.') else {
        properties.entry(name.to_owned()).or_insert(schema);
        return;
    };
    let inner = properties
        .entry(first.to_owned())
        .or_insert_with(|| json!({ "type": "object" }));
    let Some(inner) = inner.as_object_mut() else {
        return;
    };
    // An option of its own that has others below it: `transforms`, `topics` and the like.
    if inner.get("type") != Some(&json!("object")) {
        let own = Value::Object(std::mem::take(inner));
        inner.insert("anyOf".to_owned(), json!([own, { "type": "object" }]));
        return;
    }
    if let Value::Object(below) = inner
        .entry("properties".to_owned())
        .or_insert_with(|| json!({}))
    {
        nest(below, rest, schema);
    }
}

fn escaped(text: &str) -> String {
    text.replace('.', "\\.")
}

/// The allowed words in the other case: any case is taken, and these two are what people write.
fn other_case(def: &OptionDef) -> Vec<String> {
    let words = def.values.iter();
    words
        .map(|word| match word.to_ascii_uppercase() {
            capitals if capitals == *word => word.to_ascii_lowercase(),
            capitals => capitals,
        })
        .filter(|word| def.word(word).is_some() && !def.values.contains(word))
        .collect()
}

fn option(def: &OptionDef) -> Value {
    let placeholder = json!({ "type": "string", "pattern": "\\$\\{" });
    let number = |kind: &str| {
        let mut number = json!({ "type": kind });
        if let Some(number) = number.as_object_mut() {
            let limits = [("minimum", def.min), ("maximum", def.max)];
            for (name, limit) in limits {
                number.extend(limit.map(|limit| (name.to_owned(), json!(limit))));
            }
        }
        number
    };
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    let mut schema = match def.kind {
        _ if !def.values.is_empty() => {
            let mut ways = vec![json!({ "enum": def.values }), placeholder];
            let other = other_case(def);
            if !other.is_empty() {
                ways.insert(1, json!({ "enum": other }));
            }
            json!({ "anyOf": ways })
        }
        OptionType::Boolean => json!({ "anyOf": [{ "type": "boolean" }, placeholder] }),
        OptionType::Int | OptionType::Long => {
            json!({ "anyOf": [number("integer"), placeholder] })
        }
        OptionType::Double => json!({ "anyOf": [number("number"), placeholder] }),
        OptionType::Duration | OptionType::Bytes => json!({ "type": ["string", "integer"] }),
        // Steps of transforms are lists of maps; Connect writes lists as text with commas.
        OptionType::List => json!({ "type": ["array", "string", "object"] }),
        OptionType::Map => json!({ "type": ["object", "string"] }),
        OptionType::Path => json!({ "type": ["string", "array"] }),
        OptionType::String
        | OptionType::Url
        | OptionType::Topic
        | OptionType::Password
        | OptionType::Other => scalar,
    };
    if let Some(schema) = schema.as_object_mut() {
        if !def.docs.is_empty() {
            schema.insert("description".to_owned(), def.docs.clone().into());
        }
        if let Some(default) = &def.default {
            schema.insert("default".to_owned(), default.clone().into());
        }
    }
    schema
}
