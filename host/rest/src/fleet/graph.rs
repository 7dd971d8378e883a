//! The fleet as a graph: sources, the topics they write, the sinks that read them, and where dead letters go.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_log::LogBackend;
use serde_json::{Value, json};

use super::row::Row;

/// Where each topic ends, all partitions together: what a topic's rate is computed from.
pub(super) fn ends(log: &dyn LogBackend) -> BTreeMap<String, u64> {
    let Ok(stat) = log.stat() else {
        return BTreeMap::new();
    };
    let ends = stat.topics.into_iter().map(|topic| {
        let end: i64 = topic.partitions.iter().map(|p| p.high_watermark).sum();
        (topic.name, u64::try_from(end).unwrap_or(0))
    });
    ends.collect()
}

/// Draws nodes and edges. A topic is a sink's dead letters' when the log marks it so.
pub(super) fn draw(
    rows: &[Row],
    topics: &Value,
    letters: &Value,
    rate: impl Fn(&str) -> f64,
) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let named = |value: &Value, key: &str| {
        let name = value.get(key).and_then(Value::as_str);
        name.unwrap_or_default().to_owned()
    };
    let letters: BTreeSet<String> = list(letters)
        .iter()
        .map(|row| named(row, "topic"))
        .collect();
    let mut nodes: Vec<Value> = Vec::new();
    let mut edges: Vec<Value> = Vec::new();
    for topic in list(topics) {
        let name = named(&topic, "name");
        nodes.push(json!({
            "id": format!("t:{name}"), "kind": "topic", "name": name, "partitions": topic.get("partitions"),
            "records": topic.get("records"), "bytes": topic.get("bytes"), "records_per_s": rate(&name),
            "dlq": letters.contains(&name),
        }));
    }
    for row in rows {
        let id = format!("c:{}", row.name);
        nodes.push(json!({
            "id": id, "kind": row.kind, "name": row.name, "health": row.health, "class": row.class,
            "records_per_s": row.rate.records_per_s, "lag_records": row.lag.map(|lag| lag.records),
        }));
        for topic in &row.topics {
            let at = format!("t:{topic}");
            let written = row.kind == "source" || letters.contains(topic);
            edges.push(if written {
                json!({ "from": id, "to": at, "records_per_s": row.rate.records_per_s, "lag_records": null, "dlq": letters.contains(topic) })
            } else {
                json!({ "from": at, "to": id, "records_per_s": row.rate.records_per_s, "lag_records": row.lag.map(|lag| lag.records), "dlq": false })
            });
        }
    }
    json!({ "nodes": nodes, "edges": edges })
}
