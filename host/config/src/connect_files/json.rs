//! A connector as JSON: Connect's flat map, or `{"name", "config", "initial_state"}` as its REST interface takes it. A
//! file with sections (`connectors`, `topics` …) is a configuration of ours that happens to be JSON.

use std::collections::BTreeSet;

use super::{Pair, connector};
use crate::codes;
use crate::document::SECTIONS;
use crate::report::{Draft, Report};
use crate::source::{FileId, Span};
use crate::yaml::{self, Entry, Kind, Node};

/// The keys of the long form.
const LONG: [&str; 3] = ["name", "config", "initial_state"];

pub(super) fn read(report: &mut Report, id: FileId, text: &str) -> Option<Node> {
    let document: serde_json::Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => {
            let span = Span::at(id, error.line().max(1), error.column().max(1));
            report.push(Draft::error(
                &codes::JSON_SYNTAX,
                span,
                format!("not valid JSON: {error}"),
            ));
            return None;
        }
    };
    // JSON is YAML but for rare escapes: the places come from there, the values from here.
    let (tree, problems) = yaml::parse(id, text);
    let whole = Span::at(id, 1, 1);
    let duplicates: BTreeSet<Span> = problems
        .iter()
        .filter(|problem| matches!(problem.what, yaml::What::DuplicateKey { .. }))
        .map(|problem| problem.span)
        .collect();
    for span in duplicates {
        report.push(Draft::error(
            &codes::DUPLICATE_KEY,
            span,
            "a key is written twice in one object",
        ));
    }
    let serde_json::Value::Object(map) = &document else {
        report.push(Draft::error(
            &codes::WRONG_SHAPE,
            whole,
            "a connector in JSON is an object",
        ));
        return None;
    };
    let entries = match tree.map(|tree| tree.kind) {
        Some(Kind::Map(entries)) => entries,
        _ => Vec::new(),
    };
    if !map.is_empty()
        && map
            .keys()
            .all(|key| SECTIONS.contains(&key.as_str()) || key.starts_with("x-"))
    {
        return Some(Node {
            kind: Kind::Map(entries),
            span: whole,
        });
    }
    report.sources.set_lenient(id);
    if map.contains_key("config") {
        return long_form(report, whole, map, &entries);
    }
    let pairs = pairs(report, whole, map, &entries)?;
    let name = name_of(report, whole, map, &entries)?;
    Some(connector(whole, &name.0, name.1, pairs))
}

type Object = serde_json::Map<String, serde_json::Value>;

fn long_form(report: &mut Report, whole: Span, map: &Object, entries: &[Entry]) -> Option<Node> {
    for key in map.keys().filter(|key| !LONG.contains(&key.as_str())) {
        let message = format!("unknown key `{}`", key.escape_debug());
        report.push(
            Draft::error(&codes::UNKNOWN_KEY, key_span(entries, key, whole), message)
                .note("known here: name, config, initial_state"),
        );
    }
    let span = key_span(entries, "config", whole);
    let Some(serde_json::Value::Object(config)) = map.get("config") else {
        report.push(Draft::error(
            &codes::WRONG_SHAPE,
            span,
            "`config` is an object",
        ));
        return None;
    };
    let inner = entries
        .iter()
        .find(|entry| entry.key == "config")
        .map(|entry| &entry.value.kind);
    let inner = match inner {
        Some(Kind::Map(inner)) => inner.as_slice(),
        _ => &[],
    };
    let mut pairs = pairs(report, span, config, inner)?;
    if let Some(state) = map.get("initial_state") {
        let span = key_span(entries, "initial_state", whole);
        let Some(state) = state.as_str() else {
            report.push(
                Draft::error(&codes::WRONG_TYPE, span, "`initial_state` takes a text")
                    .help("one of RUNNING, PAUSED, STOPPED"),
            );
            return None;
        };
        // Connect takes it in any case; which words there are, the option's own row says.
        pairs.push(Pair {
            key: "initial.state".to_owned(),
            key_span: span,
            value: state.to_ascii_uppercase(),
            value_span: span,
        });
    }
    let (name, name_span) = name_of(report, whole, map, entries)?;
    Some(connector(whole, &name, name_span, pairs))
}

fn name_of(
    report: &mut Report,
    whole: Span,
    map: &Object,
    entries: &[Entry],
) -> Option<(String, Span)> {
    let span = key_span(entries, "name", whole);
    let name = map.get("name").and_then(serde_json::Value::as_str);
    if name.is_none() {
        report.push(Draft::error(
            &codes::MISSING_OPTION,
            span,
            "the connector lacks `name`, a text",
        ));
    }
    Some((name?.to_owned(), span))
}

/// Connect's values are texts; numbers and truth values become texts as its REST interface does it.
fn pairs(report: &mut Report, whole: Span, map: &Object, entries: &[Entry]) -> Option<Vec<Pair>> {
    let mut pairs = Vec::with_capacity(map.len());
    let mut good = true;
    for (key, value) in map {
        let entry = entries.iter().find(|entry| entry.key == *key);
        let value_span = entry.map_or(whole, |entry| entry.value.span);
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(truth) => truth.to_string(),
            serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => {
                good = false;
                let message = format!(
                    "`{}` takes a text, a number, true or false",
                    key.escape_debug()
                );
                report.push(
                    Draft::error(&codes::WRONG_TYPE, value_span, message)
                        .help("lists are texts with commas in Connect's files"),
                );
                continue;
            }
        };
        pairs.push(Pair {
            key: key.clone(),
            key_span: key_span(entries, key, whole),
            value,
            value_span,
        });
    }
    good.then_some(pairs)
}

fn key_span(entries: &[Entry], key: &str, otherwise: Span) -> Span {
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map_or(otherwise, |entry| entry.key_span)
}
