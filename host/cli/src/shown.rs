//! Results in the form that was asked for: the one place that knows `-o json|yaml|name`.

use serde_json::Value;

use crate::args::Output;
use crate::terminal;

/// Prints `value` if a form other than the table was asked for; returns whether it did. `name` names a row of a list, or the
/// value itself where it is none; names of several lines are several names.
pub(crate) fn structured(output: Output, value: &Value, name: impl Fn(&Value) -> String) -> bool {
    match output {
        Output::Table => return false,
        Output::Json => terminal::line(&value.to_string()),
        Output::Yaml => terminal::line(linkspan_config::to_yaml(value).trim_end()),
        Output::Name => match value.as_array() {
            Some(rows) => rows.iter().for_each(|row| line(&name(row))),
            None => line(&name(value)),
        },
    }
    true
}

/// A list without rows has no names.
fn line(names: &str) {
    if !names.is_empty() {
        terminal::line(names);
    }
}

/// Returns the names of the rows of a list inside of a value.
pub(crate) fn names_in(value: &Value, list: &str, name: impl Fn(&Value) -> String) -> String {
    let rows = items(value, list).map(name);
    rows.collect::<Vec<_>>().join("\n")
}

/// Returns the rows of a list inside of a value.
pub(crate) fn items<'v>(value: &'v Value, list: &str) -> impl Iterator<Item = &'v Value> {
    value
        .get(list)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Returns a field as text; `-` for null.
pub(crate) fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
