//! Compares an answer with the recorded one.

use serde_json::Value;

use crate::client::Answer;
use crate::line::Line;

/// Never compared: versions, and texts for people.
const FREE: [&str; 5] = [
    "trace",
    "documentation",
    "version",
    "commit",
    "kafka_cluster_id",
];

/// Returns what differs; nothing when the answers agree.
pub(crate) fn compare(line: &Line, answer: &Answer) -> Vec<String> {
    let mut out = Vec::new();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    if line.status == 500 && answer.status == 400 && is_clear_refusal(&answer.body) {
        return out;
    }
    if answer.status != line.status && !line.is_volatile("status") {
        let start: String = text.chars().take(150).collect();
        return vec![format!(
            "status {} instead of {}: {start}",
            answer.status, line.status
        )];
    }
    let recorded = |name: &str| line.resp_headers.get(name).map(String::as_str);
    let html = recorded("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    if html && line.resp.is_null() {
        return out;
    }
    headers(line, answer, &mut out);
    if line.resp_text.is_some() {
        return out;
    }
    if line.resp.is_null() {
        let success = matches!(line.status, 200 | 201 | 202 | 204);
        if line.empty && success && !text.is_empty() && line.method != "OPTIONS" {
            out.push("the body should be empty".to_owned());
        }
        return out;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(got) => Json {
            line,
            out: &mut out,
        }
        .compare(&line.resp, &got, "", None, false),
        Err(error) => out.push(format!("the body is not JSON: {error}")),
    }
    out
}

/// Content type, `Location`, `Allow` and the headers that Kafka Connect never sends.
fn headers(line: &Line, answer: &Answer, out: &mut Vec<String>) {
    let recorded = |name: &str| line.resp_headers.get(name).map(String::as_str);
    if !line.is_volatile("resp_headers/content-type") {
        let kind = |value: Option<&str>| {
            value.map(|value| {
                value
                    .split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_lowercase()
            })
        };
        let (expected, got) = (
            kind(recorded("content-type")),
            kind(answer.header("content-type")),
        );
        // Errors without a type there have one here.
        let kinder = expected.is_none() && got.as_deref() == Some("application/json");
        if expected != got && !kinder {
            out.push(format!("content-type {got:?} instead of {expected:?}"));
        }
    }
    let place = |value: Option<&str>| {
        value.map(|value| {
            value
                .strip_prefix("http://")
                .and_then(|rest| rest.split_once('/'))
                .map_or_else(|| value.to_owned(), |(_, path)| format!("/{path}"))
        })
    };
    if let Some(expected) = place(recorded("location"))
        && place(answer.header("location")).as_deref() != Some(&expected)
    {
        out.push(format!(
            "location {:?} instead of {expected}",
            answer.header("location")
        ));
    }
    let methods = |value: &str| {
        let mut methods: Vec<String> = value
            .split(',')
            .map(|method| method.trim().to_uppercase())
            .filter(|method| !method.is_empty())
            .collect();
        methods.sort();
        methods
    };
    if let Some(expected) = recorded("allow")
        && methods(expected) != methods(answer.header("allow").unwrap_or_default())
    {
        out.push(format!(
            "allow {:?} instead of {expected}",
            answer.header("allow")
        ));
    }
    for name in ["content-encoding", "access-control-allow-origin"] {
        if recorded(name) != answer.header(name) {
            out.push(format!(
                "{name} {:?} instead of {:?}",
                answer.header(name),
                recorded(name)
            ));
        }
    }
}

fn is_clear_refusal(body: &[u8]) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    body["error_code"] == 400
        && body["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
}

struct Json<'a> {
    line: &'a Line,
    out: &'a mut Vec<String>,
}

/// The kind of a value, as people name it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What identifies an element of a list whose order means nothing.
fn identity(value: &Value) -> Option<String> {
    let Value::Object(map) = value else {
        return value.as_str().map(str::to_owned);
    };
    let has = |key: &str| map.contains_key(key);
    if has("definition") && map.get("value").is_some_and(Value::is_object) {
        Some(format!("v:{}", map["value"]["name"]))
    } else if has("class") {
        Some(format!(
            "c:{}:{}",
            map["class"],
            map.get("type").unwrap_or(&Value::Null)
        ))
    } else if has("id") && (has("state") || has("config")) {
        Some(format!("t:{}", map["id"]))
    } else if map.len() == 2 && has("connector") && has("task") {
        Some(format!("k:{}:{}", map["connector"], map["task"]))
    } else if has("partition") && has("offset") {
        Some(format!("o:{}", sorted(&map["partition"])))
    } else if has("importance") && has("name") {
        Some(format!("n:{}", map["name"]))
    } else {
        None
    }
}

/// A map as text, whatever its order.
fn sorted(value: &Value) -> String {
    let Value::Object(map) = value else {
        return value.to_string();
    };
    let mut pairs: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.sort();
    pairs.join(",")
}

impl Json<'_> {
    fn add(&mut self, at: &str, what: impl std::fmt::Display) {
        self.out
            .push(format!("{}: {what}", if at.is_empty() { "/" } else { at }));
    }

    fn compare(&mut self, expected: &Value, got: &Value, at: &str, key: Option<&str>, error: bool) {
        let differ = kind(expected) != kind(got);
        if self.line.is_volatile(at) {
            if matches!(expected, Value::Object(_) | Value::Array(_)) && differ {
                self.add(at, format!("{} instead of {}", kind(got), kind(expected)));
            }
            return;
        }
        match (expected, got) {
            _ if differ => self.add(at, format!("{} instead of {}", kind(got), kind(expected))),
            (Value::Object(expected), Value::Object(got)) => {
                let error = expected.contains_key("error_code");
                for (key, value) in expected {
                    let below = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                    match got.get(key) {
                        Some(other) => self.compare(value, other, &below, Some(key), error),
                        None if self.line.is_volatile(&below) => {}
                        None => self.add(&below, "missing"),
                    }
                }
                let extra: Vec<&String> = got
                    .keys()
                    .filter(|key| !expected.contains_key(*key))
                    .collect();
                if !extra.is_empty() && !self.line.open_map {
                    self.add(at, format!("extra keys {extra:?}"));
                }
            }
            (Value::Array(expected), Value::Array(got)) if key == Some("errors") => {
                if expected.len() != got.len() {
                    self.add(
                        at,
                        format!("{} errors instead of {}", got.len(), expected.len()),
                    );
                }
            }
            (Value::Array(expected), Value::Array(got)) => self.lists(expected, got, at),
            _ if key.is_some_and(|key| FREE.contains(&key)) => {}
            (Value::String(_), Value::String(got)) if key == Some("message") && error => {
                if got.is_empty() {
                    self.add(at, "the message is empty");
                }
            }
            _ if expected == got => {}
            _ if expected
                .as_str()
                .is_some_and(|text| ["<error>", "<doc>", "<trace>"].contains(&text)) => {}
            _ => self.add(at, format!("{got} instead of {expected}")),
        }
    }

    fn lists(&mut self, expected: &[Value], got: &[Value], at: &str) {
        let names = |list: &[Value]| list.iter().map(identity).collect::<Option<Vec<String>>>();
        let (mine, theirs) = (names(expected), names(got));
        if let (Some(mine), Some(theirs)) = (mine, theirs)
            && !expected.is_empty()
            && !got.is_empty()
        {
            for (index, name) in mine.iter().enumerate() {
                match theirs.iter().position(|known| known == name) {
                    Some(place) => self.compare(
                        &expected[index],
                        &got[place],
                        &format!("{at}/{index}"),
                        None,
                        false,
                    ),
                    None => self.add(at, format!("no element {name}")),
                }
            }
            for name in theirs.iter().filter(|name| !mine.contains(name)) {
                self.add(at, format!("extra element {name}"));
            }
        } else if expected.len() != got.len() {
            self.add(
                at,
                format!("{} elements instead of {}", got.len(), expected.len()),
            );
        } else {
            for (index, (expected, got)) in expected.iter().zip(got).enumerate() {
                self.compare(expected, got, &format!("{at}/{index}"), None, false);
            }
        }
    }
}
