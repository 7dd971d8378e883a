//! Where the records of an answer are: a JSON Pointer, or a small part of JSONPath.
//!
//! `/data/items`, `$.data.items`, `$.groups[*].items`, `$.a[0]`, `$['odd name'].x`. Values are found in the text and stay as they are written
//! there, so that no digit is lost.

use std::borrow::Cow;
use std::collections::HashMap;

use linkspan_sdk::OptionValue;
use serde_json::value::RawValue;

/// A way into a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A field, or an element where the value is an array.
    Name(String),
    Each,
}

/// What a path does not find.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("`records.path` `{path}` finds nothing: there is no `{step}`, but {found}")]
    Missing {
        path: String,
        step: String,
        found: String,
    },
    #[error("`records.path` `{path}` leads to {found}, which is neither an array nor an object")]
    Scalar { path: String, found: &'static str },
    #[error("is not JSON: {0}")]
    Json(String),
}

impl OptionValue for Path {
    const KIND: &'static str = "string";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let wrong = || {
            "a JSON Pointer such as `/data/items` or a path such as `$.data[*].items`".to_owned()
        };
        let trimmed = text.trim();
        let steps = if trimmed.is_empty() || trimmed == "/" || trimmed == "$" {
            Vec::new()
        } else if let Some(pointer) = trimmed.strip_prefix('/') {
            pointer
                .split('/')
                .map(|step| {
                    if step == "*" {
                        Step::Each
                    } else {
                        Step::Name(step.replace("~1", "/").replace("~0", "~"))
                    }
                })
                .collect()
        } else {
            parse_jsonpath(trimmed.strip_prefix('$').ok_or_else(wrong)?).ok_or_else(wrong)?
        };
        Ok(Self {
            text: trimmed.to_owned(),
            steps,
        })
    }
}

fn parse_jsonpath(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = inner.split_once(']')?;
            rest = after;
            let quoted = step
                .strip_prefix('\'')
                .and_then(|step| step.strip_suffix('\''))
                .or_else(|| step.strip_prefix('"')?.strip_suffix('"'));
            steps.push(match (step, quoted) {
                ("*", _) => Step::Each,
                (_, Some(name)) => Step::Name(name.to_owned()),
                (number, None) => Step::Name(number.parse::<usize>().ok()?.to_string()),
            });
        } else {
            let after = rest.strip_prefix('.')?;
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at_checked(end)?;
            if name.is_empty() {
                return None;
            }
            rest = after;
            steps.push(if name == "*" {
                Step::Each
            } else {
                Step::Name(name.to_owned())
            });
        }
    }
    Some(steps)
}

impl Path {
    /// Returns the records of a JSON text, as they are written there.
    ///
    /// # Errors
    /// The text is not JSON, or the path leads nowhere.
    pub(crate) fn records<'t>(&self, text: &'t str) -> Result<Vec<&'t RawValue>, PathError> {
        let json = |error: serde_json::Error| PathError::Json(error.to_string());
        let whole: &RawValue = serde_json::from_str(text).map_err(json)?;
        let mut found = vec![whole];
        for step in &self.steps {
            let mut next = Vec::new();
            for value in found {
                match step {
                    Step::Each => next.extend(children(value)),
                    Step::Name(name) => {
                        next.push(child(value, name).ok_or_else(|| self.missing(name, value))?)
                    }
                }
            }
            found = next;
        }
        let mut records = Vec::new();
        for value in found {
            match value.get().as_bytes().first() {
                Some(b'[') => records.extend(children(value)),
                Some(b'{') => records.push(value),
                Some(b'n') => {}
                // Elements that `[*]` found may be anything.
                _ if self.steps.last() == Some(&Step::Each) => records.push(value),
                first => {
                    return Err(PathError::Scalar {
                        path: self.text.clone(),
                        found: scalar(first),
                    });
                }
            }
        }
        Ok(records)
    }

    fn missing(&self, step: &str, value: &RawValue) -> PathError {
        let found = match object(value) {
            Some(fields) => {
                let mut names: Vec<&str> = fields.keys().map(Cow::as_ref).collect();
                names.sort_unstable();
                names.truncate(10);
                format!("an object with {}", names.join(", "))
            }
            None => match value.get().as_bytes().first() {
                Some(b'[') => "an array".to_owned(),
                first => scalar(first).to_owned(),
            },
        };
        PathError::Missing {
            path: self.text.clone(),
            step: step.to_owned(),
            found,
        }
    }
}

fn scalar(first: Option<&u8>) -> &'static str {
    match first {
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

fn object(value: &RawValue) -> Option<HashMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(value.get()).ok()
}

fn child<'t>(value: &'t RawValue, name: &str) -> Option<&'t RawValue> {
    if value.get().starts_with('[') {
        return children(value).get(name.parse::<usize>().ok()?).copied();
    }
    object(value)?.get(name).copied()
}

fn children(value: &RawValue) -> Vec<&RawValue> {
    if value.get().starts_with('[') {
        return serde_json::from_str(value.get()).unwrap_or_default();
    }
    // In the order of the text: a map would lose it.
    let fields: Option<Ordered<'_>> = serde_json::from_str(value.get()).ok();
    fields.map(|fields| fields.0).unwrap_or_default()
}

/// The values of an object in their order.
struct Ordered<'t>(Vec<&'t RawValue>);

impl<'de: 't, 't> serde::Deserialize<'de> for Ordered<'t> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Ordered<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some((_, value)) =
                    map.next_entry::<serde::de::IgnoredAny, &'de RawValue>()?
                {
                    values.push(value);
                }
                Ok(Ordered(values))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, json: &str, expected: &[&str]) {
        let path = <Path as OptionValue>::parse("", path).unwrap();
        let records = path
            .records(json)
            .unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(
            records
                .iter()
                .map(|record| record.get())
                .collect::<Vec<_>>(),
            expected,
            "{path:?}"
        );
    }

    #[test]
    fn records_are_found_and_stay_as_they_are_written() {
        check(
            "",
            "[{\"a\": 1.10}, 12345678901234567890]",
            &["{\"a\": 1.10}", "12345678901234567890"],
        );
        check("", " {\"a\":1}", &["{\"a\":1}"]);
        check("/data", r#"{"data":[1,2],"n":3}"#, &["1", "2"]);
        check("$.data.items", r#"{"data":{"items":[{}]}}"#, &["{}"]);
        check(
            "$.g[*].items",
            r#"{"g":[{"items":[1]},{"items":[2,3]}]}"#,
            &["1", "2", "3"],
        );
        check(
            "/g/*/items",
            r#"{"g":{"z":{"items":[1]},"a":{"items":[2]}}}"#,
            &["1", "2"],
        );
        check(
            "$['odd name'][1]",
            r#"{"odd name":[0,{"x":1}]}"#,
            &["{\"x\":1}"],
        );
        check("/a~1b", r#"{"a/b":[7]}"#, &["7"]);
        check("/data", r#"{"data":null}"#, &[]);
        check("/data", r#"{"data":[]}"#, &[]);
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let error = |path: &str, json: &str| {
            <Path as OptionValue>::parse("", path)
                .unwrap()
                .records(json)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error("/data/items", r#"{"data":{"b":1,"a":2}}"#),
            "`records.path` `/data/items` finds nothing: there is no `items`, but an object with a, b"
        );
        assert_eq!(
            error("/a", r#"{"a":"text"}"#),
            "`records.path` `/a` leads to a text, which is neither an array nor an object"
        );
        assert!(error("", "<html>").contains("is not JSON"));
        assert!(error("", "").contains("is not JSON"));
        for wrong in ["data", "$.", "$[x]", "$.a[", "$..a"] {
            assert!(<Path as OptionValue>::parse("", wrong).is_err(), "{wrong}");
        }
    }
}
