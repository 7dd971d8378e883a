//! Class `config`: which settings of a topic are taken, and what holds without them (`consumer-behaviour.json`, setup `config`).
//!
//! Kafka's `CreateTopics` and `IncrementalAlterConfigs` with `validateOnly`; ours is the table that the log uses for both.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;
use linkspan_types::topic_settings::{canonical, find};
use serde_json::Value;

use crate::json::{field, list, same, text};
use crate::suite::{Outcome, Suite};

/// The part of the file that this class reads.
const SETUP: &str = "config";

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("consumer-behaviour.json");
    let read = std::fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    let cases = match &read {
        Ok(file) => file.get("cases").and_then(Value::as_array),
        Err(error) => return suite.broken("config", format!("{}: {error}", path.display())),
    };
    let Some(cases) = cases else {
        return suite.broken("config", format!("{}: no cases", path.display()));
    };
    for case in cases {
        if case.get("setup").and_then(Value::as_str) != Some(SETUP) {
            continue;
        }
        let name = case.get("case").and_then(Value::as_str).unwrap_or("?");
        let name = name.trim_start_matches("config/").to_owned();
        match name.as_str() {
            "same-name-twice" => suite.elsewhere(
                "config",
                &name,
                "a map of settings cannot name one twice; the request belongs to the Kafka listener",
            ),
            "alter-unknown-topic" | "describe-unknown-topic" => suite.elsewhere(
                "config",
                &name,
                "asked of the log itself (host/log, tests of topics)",
            ),
            "describe-all-defaults" => {
                let case = case.clone();
                suite.case("config", &name, move || defaults(&case));
            }
            _ => {
                let case = case.clone();
                suite.case("config", &name, move || taken(&case));
            }
        }
    }
}

fn taken(case: &Value) -> Result<Outcome, Failed> {
    let request = field(case, "request")?;
    let mut settings = BTreeMap::new();
    match request.get("configs").and_then(Value::as_object) {
        Some(configs) => {
            for (name, value) in configs {
                let value = value.as_str().ok_or("a setting that is no text")?;
                settings.insert(name.clone(), value.to_owned());
            }
        }
        None => {
            settings.insert(
                text(request, "name")?.to_owned(),
                text(request, "value")?.to_owned(),
            );
        }
    }
    let result = field(case, "result")?;
    let kafka_takes = result.get("ok").is_some();
    let ours = canonical(&settings);
    let describe = |errors: &Vec<_>| format!("{errors:?}");
    match (kafka_takes, &ours) {
        (true, Ok(stored)) => {
            let effective = result.get("effective").and_then(Value::as_str);
            let found = settings.keys().next().and_then(|name| stored.get(name));
            match (effective, found) {
                (Some(kafka), Some(found)) if kafka != found => {
                    same("the text without its spaces", &found.to_lowercase(), &plain(kafka))?;
                    Ok(Outcome::Differs {
                        rule: "settings are stored in one form (no spaces, small `true`), so that two spellings of one setting are equal".to_owned(),
                        about: format!("`{kafka}` becomes `{found}`"),
                    })
                }
                _ => Ok(Outcome::Same),
            }
        }
        (false, Err(errors)) if !errors.is_empty() => Ok(Outcome::Same),
        (false, Ok(_)) if settings.get("compression.type").is_some_and(|word| word == "none") => {
            Ok(Outcome::Differs {
                rule: "`none` is taken for `uncompressed`: producers of Kafka call it so, and so do people".to_owned(),
                about: String::new(),
            })
        }
        (true, Err(errors)) => Err(format!("Kafka takes it, we do not: {}", describe(errors)).into()),
        (false, stored) => Err(format!("Kafka refuses it, we do not: {stored:?}").into()),
    }
}

fn plain(text: &str) -> String {
    text.chars()
        .filter(|character| !character.is_whitespace())
        .collect::<String>()
        .to_lowercase()
}

/// Settings that the vector's topic or broker sets by itself.
const SET_IN_THE_VECTOR: [&str; 2] = ["retention.ms", "file.delete.delay.ms"];

fn defaults(case: &Value) -> Result<Outcome, Failed> {
    for setting in list(case, "result")? {
        let name = text(setting, "name")?;
        let ours = find(name).ok_or_else(|| format!("`{name}` is not in the table"))?;
        if !SET_IN_THE_VECTOR.contains(&name) {
            same(name, &ours.default, &text(setting, "value")?)?;
        }
    }
    Ok(Outcome::Same)
}
