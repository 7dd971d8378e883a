//! Source offsets in the log's `SourceOffsets` store, keyed as Kafka Connect keys them: `["connector",{partition}]`.
//!
//! Keys of the partition object are sorted, so that one partition has one key whatever order a plugin wrote it in.

use linkspan_log::{LogBackend, Store};
use serde_json::{Map, Value};

/// Returns the store key of one source partition, or `None` when `partition` is not a JSON object of scalars.
#[must_use]
pub fn offset_key(connector: &str, partition: &str) -> Option<Vec<u8>> {
    let Ok(Value::Object(map)) = serde_json::from_str::<Value>(partition) else {
        return None;
    };
    if map
        .values()
        .any(|value| value.is_array() || value.is_object())
    {
        return None;
    }
    let mut key = prefix_of(connector);
    serde_json::to_writer(&mut key, &sorted(map)).ok()?;
    key.push(b']');
    Some(key)
}

/// Returns what every key of `connector` begins with.
#[must_use]
pub fn prefix_of(connector: &str) -> Vec<u8> {
    let mut key = vec![b'['];
    key.extend_from_slice(Value::from(connector).to_string().as_bytes());
    key.push(b',');
    key
}

fn sorted(map: Map<String, Value>) -> Map<String, Value> {
    let mut entries: Vec<_> = map.into_iter().collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.into_iter().collect()
}

/// Lists `[partition, offset]` of a connector whose partition matches `prefix`: each string begins with the given
/// one, every other value is equal.
pub(crate) fn list(
    log: &dyn LogBackend,
    connector: &str,
    prefix: &Map<String, Value>,
) -> linkspan_log::Result<Vec<(Value, Value)>> {
    let mut found = Vec::new();
    for (key, value) in log.scan(Store::SourceOffsets, &prefix_of(connector))? {
        let Ok(Value::Array(parts)) = serde_json::from_slice::<Value>(&key) else {
            continue;
        };
        let Some(partition) = parts.into_iter().nth(1) else {
            continue;
        };
        let Ok(offset) = serde_json::from_slice::<Value>(&value) else {
            continue;
        };
        if matches(&partition, prefix) {
            found.push((partition, offset));
        }
    }
    Ok(found)
}

fn matches(partition: &Value, prefix: &Map<String, Value>) -> bool {
    prefix
        .iter()
        .all(|(key, wanted)| match (partition.get(key), wanted) {
            (Some(Value::String(have)), Value::String(wanted)) => have.starts_with(wanted.as_str()),
            (Some(have), wanted) => have == wanted,
            (None, _) => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_the_same_whatever_the_order_of_fields() {
        let one = offset_key("c", r#"{"b":1,"a":"x"}"#);
        assert_eq!(one, offset_key("c", r#"{ "a": "x", "b": 1 }"#));
        assert_eq!(one, Some(br#"["c",{"a":"x","b":1}]"#.to_vec()));
    }

    #[test]
    fn key_refuses_what_connect_refuses() {
        assert_eq!(offset_key("c", "[1]"), None);
        assert_eq!(offset_key("c", r#"{"a":{"b":1}}"#), None);
        assert_eq!(offset_key("c", "nonsense"), None);
    }

    #[test]
    fn prefix_ends_a_name_so_that_longer_names_do_not_match() {
        let key = offset_key("orders-2", "{}").unwrap_or_default();
        assert!(!key.starts_with(&prefix_of("orders")));
    }
}
