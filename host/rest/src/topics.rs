//! Operations on topics. Words and meanings are Kafka's (`kafka-topics`, `kafka-configs`, `kafka-delete-records`).

use std::collections::BTreeMap;

use linkspan_log::{LogBackend, Topic, TopicSpec};
use linkspan_types::topic_settings::{Effect, TABLE};
use linkspan_types::{Offset, PartitionId, TopicName};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::refusal::Refusal;

/// A topic to make.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; 1 when not given.
    #[serde(default)]
    pub partitions: Option<i32>,
    /// Settings under Kafka's names.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

/// What to change about a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicChange {
    /// The number of partitions; it can only grow.
    #[serde(default)]
    pub partitions: Option<i32>,
    /// Settings; null goes back to the default.
    #[serde(default)]
    pub settings: BTreeMap<String, Option<String>>,
}

/// Which records to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteRecords {
    /// The partition; all without it.
    #[serde(default)]
    pub partition: Option<i32>,
    /// The first offset to keep; without it everything goes.
    #[serde(default)]
    pub before: Option<i64>,
}

/// Reads a topic's name.
pub(crate) fn name(text: &str) -> Result<TopicName, Refusal> {
    TopicName::try_new(text).map_err(|error| Refusal::new(400, "LS0517", error.to_string()))
}

/// Finds a topic.
pub(crate) fn find(log: &dyn LogBackend, text: &str) -> Result<Topic, Refusal> {
    log.topic(&name(text)?)?
        .ok_or_else(|| Refusal::unknown_topic(log, text))
}

pub(crate) fn list(log: &dyn LogBackend) -> Result<Value, Refusal> {
    let stat = log.stat()?;
    let topics = log.topics()?.into_iter().map(|topic| {
        let figures = stat
            .topics
            .iter()
            .find(|stat| stat.name == topic.name.as_str());
        let partitions = figures.map(|figures| figures.partitions.as_slice());
        let partitions = partitions.unwrap_or_default();
        let records: i64 = partitions
            .iter()
            .map(|p| p.high_watermark - p.log_start)
            .sum();
        let bytes: u64 = partitions.iter().map(|p| p.bytes + p.unflushed_bytes).sum();
        json!({
            "name": topic.name.as_str(), "id": topic.id.to_string(), "partitions": topic.partitions,
            "records": records, "bytes": bytes, "settings": topic.settings,
        })
    });
    Ok(topics.collect())
}

pub(crate) fn create(log: &dyn LogBackend, new: NewTopic) -> Result<Value, Refusal> {
    let spec = TopicSpec {
        partitions: new.partitions.unwrap_or(1),
        settings: new.settings,
    };
    let topic = log.create_topic(&name(&new.name)?, &spec)?;
    Ok(brief(&topic))
}

pub(crate) fn describe(log: &dyn LogBackend, text: &str) -> Result<Value, Refusal> {
    let topic = find(log, text)?;
    let stat = log.stat()?;
    let figures = stat
        .topics
        .into_iter()
        .find(|stat| stat.name == topic.name.as_str());
    let partitions = serde_json::to_value(figures.map(|f| f.partitions).unwrap_or_default());
    let settings: Vec<Value> = TABLE
        .iter()
        .map(|setting| {
            let own = topic.settings.get(setting.name);
            let mut row = json!({
                "name": setting.name, "value": own.map_or(setting.default, String::as_str),
                "default": own.is_none(), "docs": setting.docs,
            });
            if let (Effect::Nothing(why), Some(row)) = (setting.effect, row.as_object_mut()) {
                row.insert("no_effect".to_owned(), why.into());
            }
            row
        })
        .collect();
    Ok(json!({
        "name": topic.name.as_str(), "id": topic.id.to_string(),
        "partitions": partitions.unwrap_or_default(), "settings": settings,
    }))
}

pub(crate) fn alter(
    log: &dyn LogBackend,
    text: &str,
    change: TopicChange,
) -> Result<Value, Refusal> {
    let mut topic = find(log, text)?;
    if change.partitions.is_none() && change.settings.is_empty() {
        return Err(Refusal::argument("there is nothing to change")
            .help("`--partitions N`, `--set NAME=VALUE` or `--unset NAME`"));
    }
    // Settings first: they are checked as a whole, and partitions cannot be taken back.
    if !change.settings.is_empty() {
        topic = log.alter_topic(&topic.name, &change.settings)?;
    }
    if let Some(partitions) = change.partitions {
        topic = log.add_partitions(&topic.name, partitions)?;
    }
    Ok(brief(&topic))
}

pub(crate) fn delete(log: &dyn LogBackend, text: &str) -> Result<Value, Refusal> {
    let topic = find(log, text)?;
    log.delete_topic(&topic.name)?;
    Ok(json!({ "deleted": topic.name.as_str(), "id": topic.id.to_string() }))
}

pub(crate) fn delete_records(
    log: &dyn LogBackend,
    text: &str,
    wanted: &DeleteRecords,
) -> Result<Value, Refusal> {
    let topic = find(log, text)?;
    let numbers = match wanted.partition {
        Some(number) => vec![partition(&topic, number)?],
        None => (0..topic.partitions).map(PartitionId).collect(),
    };
    let mut rows = Vec::new();
    for number in numbers {
        let start = log
            .delete_records(&topic.id, number, wanted.before.map(Offset))
            .map_err(|error| at(error, &topic, number))?;
        rows.push(json!({ "partition": number.0, "log_start": start.0 }));
    }
    Ok(json!({ "topic": topic.name.as_str(), "partitions": rows }))
}

/// Checks a partition's number.
pub(crate) fn partition(topic: &Topic, number: i32) -> Result<PartitionId, Refusal> {
    if (0..topic.partitions).contains(&number) {
        return Ok(PartitionId(number));
    }
    let message = format!(
        "topic `{}` has no partition {number}, its partitions are 0 to {}",
        topic.name,
        topic.partitions - 1
    );
    Err(Refusal::new(404, "LS0516", message))
}

/// Names the partition that an error is about.
pub(crate) fn at(error: linkspan_log::Error, topic: &Topic, number: PartitionId) -> Refusal {
    let refusal = Refusal::from(error);
    let message = format!(
        "topic `{}` partition {number}: {}",
        topic.name, refusal.message
    );
    Refusal { message, ..refusal }
}

fn brief(topic: &Topic) -> Value {
    json!({
        "name": topic.name.as_str(), "id": topic.id.to_string(),
        "partitions": topic.partitions, "settings": topic.settings,
    })
}
