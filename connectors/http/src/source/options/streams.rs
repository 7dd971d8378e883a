//! The list `streams`, as flat maps of options.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_sdk::{OptionValue, Options as _};
use serde_json::{Map, Value as Json};

use super::StreamOptions;

/// Most streams of a connector.
const STREAMS_MAX: usize = 1_000;

/// The maps of `streams`, flat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Streams(pub(crate) Vec<BTreeMap<String, String>>);

impl OptionValue for Streams {
    const KIND: &'static str = "list";

    fn parse(_name: &str, text: &str) -> Result<Self, String> {
        let wrong = || "a list of maps, one for each stream".to_owned();
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let list: Vec<Map<String, Json>> = serde_json::from_str(text).map_err(|_| wrong())?;
        if list.len() > STREAMS_MAX {
            return Err(format!("a list of at most {STREAMS_MAX} streams"));
        }
        let maps: BTreeSet<String> = StreamOptions::definitions()
            .into_iter()
            .filter(|one| one.kind == "map")
            .map(|one| one.name)
            .collect();
        let mut streams = Vec::new();
        for entry in list {
            let mut flat = BTreeMap::new();
            for (key, value) in entry {
                let key = if key == "name" {
                    "stream.name".to_owned()
                } else {
                    key
                };
                flatten(key, value, &maps, &mut flat)?;
            }
            streams.push(flat);
        }
        Ok(Self(streams))
    }
}

/// Nesting ends at options that are maps themselves, and at lists.
fn flatten(
    key: String,
    value: Json,
    maps: &BTreeSet<String>,
    flat: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    match value {
        Json::Object(fields) if !maps.contains(&key) => {
            for (inner, value) in fields {
                flatten(format!("{key}.{inner}"), value, maps, flat)?;
            }
        }
        Json::String(text) => {
            flat.insert(key, text);
        }
        Json::Null => return Err(format!("a list of maps; `{key}` has no value")),
        other => {
            flat.insert(key, other.to_string());
        }
    }
    Ok(())
}
