//! Offsets of connectors for people: get, alter, reset, rewind, by Kafka Connect's rules, shapes and words (KIP-875).
//!
//! ```text
//! {"offsets": [{"partition": {"filename": "a"}, "offset": {"position": 28}}]}                          a source
//! {"offsets": [{"partition": {"kafka_topic": "t", "kafka_partition": 0}, "offset": {"kafka_offset": 5}}]}   a sink
//! ```
//!
//! An offset of `null` resets its partition. All of a request happens in one commit or not at all. Whether the connector is
//! stopped is the caller's to see to.

use std::collections::BTreeMap;

use linkspan_log::{Commit, Error, KvPut, LogBackend, OffsetQuery, Store, list_group};
use linkspan_types::{Offset, OwnerId, PartitionId, TopicName, TopicPartition};
use serde_json::{Map, Value, json};

use crate::control::Refused;
use crate::offsets::{list, offset_key};
use crate::sink::{group_of, letters_prefix};
use crate::spec::KindOfConnector;

const TOPIC: &str = "kafka_topic";
const PARTITION: &str = "kafka_partition";
const OFFSET: &str = "kafka_offset";

/// Whose offsets.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) kind: KindOfConnector,
    /// What a sink reads.
    pub(crate) topics: Vec<TopicName>,
}

/// What to do with offsets.
#[derive(Debug, Clone, PartialEq)]
pub enum Altered {
    /// Set or reset those of the body, `{"offsets": [...]}`.
    Set(Value),
    /// Remove all.
    Reset,
    /// Set all partitions of a sink to the first record at or after this time, in milliseconds since 1970.
    Rewind(i64),
}

/// What is read of a stored connector that left no record: a group of its name makes it a sink, source offsets a source.
pub(crate) fn guess(log: &dyn LogBackend, name: &str) -> Result<Option<Subject>, Refused> {
    let positions = list_group(log, &group_of(name))?;
    let readers = log.readers()?;
    let declared = readers
        .into_iter()
        .find(|(group, _)| *group == group_of(name));
    let kind = if !positions.is_empty() || declared.is_some() {
        KindOfConnector::Sink
    } else if list(log, name, &Map::new())?.is_empty() {
        return Ok(None);
    } else {
        KindOfConnector::Source
    };
    Ok(Some(Subject {
        name: name.to_owned(),
        kind,
        topics: declared.map(|(_, topics)| topics).unwrap_or_default(),
    }))
}

/// Returns all offsets.
pub(crate) fn get(log: &dyn LogBackend, of: &Subject) -> Result<Value, Refused> {
    let offsets: Vec<Value> = match of.kind {
        KindOfConnector::Source => list(log, &of.name, &Map::new())?
            .into_iter()
            .map(|(partition, offset)| json!({ "partition": partition, "offset": offset }))
            .collect(),
        KindOfConnector::Sink => {
            let mut rows = list_group(log, &group_of(&of.name))?;
            rows.sort_by(|a, b| (a.0.as_str(), a.1.0).cmp(&(b.0.as_str(), b.1.0)));
            rows.into_iter()
                .map(|(topic, partition, offset)| {
                    json!({
                        "partition": { TOPIC: topic.as_str(), PARTITION: partition.0 },
                        "offset": { OFFSET: offset.next.0 },
                    })
                })
                .collect()
        }
    };
    Ok(json!({ "offsets": offsets }))
}

/// The refusal of a change while the connector is not stopped; Connect's words.
pub(crate) fn not_stopped(name: &str) -> Refused {
    Refused::new(
        400,
        "LS0612",
        format!(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified \
             connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        ),
    )
    .help(format!("`linkspan stop {name}`, then again; `linkspan resume {name}` afterwards"))
}

/// What a class is asked about, `[{"partition", "offset"}]`; nothing where there is nothing to look at.
pub(crate) fn asked(
    log: &dyn LogBackend,
    of: &Subject,
    change: &Altered,
) -> Result<Option<Value>, Refused> {
    let reset = |partition: Value| json!({ "partition": partition, "offset": null });
    Ok(match (change, of.kind) {
        (Altered::Set(body), kind) => {
            entries(body)?;
            if kind == KindOfConnector::Sink {
                sink_offsets(body)?;
            }
            body.get("offsets").cloned()
        }
        (Altered::Reset, KindOfConnector::Source) => Some(
            list(log, &of.name, &Map::new())?
                .into_iter()
                .map(|(partition, _)| reset(partition))
                .collect(),
        ),
        (Altered::Reset, KindOfConnector::Sink) => Some(json!([])),
        (Altered::Rewind(_), _) => None,
    })
}

/// Changes offsets of a connector that has no tasks. `seen`: its class has looked at them.
pub(crate) fn change(
    log: &dyn LogBackend,
    of: &Subject,
    change: &Altered,
    seen: bool,
) -> Result<Value, Refused> {
    let done = match (change, of.kind) {
        (Altered::Set(body), KindOfConnector::Source) => {
            alter_source(log, of, body)?;
            "altered"
        }
        (Altered::Set(body), KindOfConnector::Sink) => {
            set_sink(log, of, &sink_offsets(body)?)?;
            "altered"
        }
        (Altered::Reset, KindOfConnector::Source) => {
            let all = list(log, &of.name, &Map::new())?;
            put_source(log, of, all.into_iter().map(|(p, _)| (p, None)).collect())?;
            "reset"
        }
        (Altered::Reset, KindOfConnector::Sink) => {
            // Not the group itself: with it would go its claim on what it has not read.
            let all: Vec<_> = list_group(log, &group_of(&of.name))?
                .into_iter()
                .map(|(topic, partition, _)| (TopicPartition::new(topic, partition), None))
                .collect();
            set_sink(log, of, &all)?;
            "reset"
        }
        (Altered::Rewind(time), KindOfConnector::Sink) => return rewind(log, of, *time),
        (Altered::Rewind(_), KindOfConnector::Source) => {
            return Err(no_times(&of.name));
        }
    };
    if seen {
        return Ok(json!({ "message": format!(
            "The offsets for this connector have been {done} successfully"
        ) }));
    }
    Ok(json!({ "message": format!(
        "The Connect framework-managed offsets for this connector have been {done} successfully. However, if this connector \
         manages offsets externally, they will need to be manually {done} in the system that the connector uses."
    ) }))
}

fn malformed(message: impl Into<String>) -> Refused {
    Refused::new(400, "LS0613", message)
}

/// The entries of a body: partition, and offset or null.
fn entries(body: &Value) -> Result<Vec<(&Value, &Value)>, Refused> {
    let Some(body) = body.as_object() else {
        return Err(malformed(
            "the body must be an object: {\"offsets\": [{\"partition\": {}, \"offset\": {}}]}",
        ));
    };
    if let Some(unknown) = body.keys().find(|key| *key != "offsets") {
        return Err(malformed(format!(
            "Unrecognized field \"{unknown}\"; only \"offsets\" is known"
        )));
    }
    let list = match body.get("offsets") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) => list.as_slice(),
        Some(_) => {
            return Err(malformed(
                "\"offsets\" must be a list of objects with \"partition\" and \"offset\"",
            ));
        }
    };
    if list.is_empty() {
        return Err(malformed(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    list.iter()
        .zip(1..)
        .map(|(entry, number)| one(entry, number))
        .collect()
}

fn one(entry: &Value, number: usize) -> Result<(&Value, &Value), Refused> {
    let Some(entry) = entry.as_object() else {
        return Err(malformed(format!(
            "entry {number} of \"offsets\" must be an object with \"partition\" and \"offset\""
        )));
    };
    if let Some(unknown) = entry
        .keys()
        .find(|key| !matches!(key.as_str(), "partition" | "offset"))
    {
        return Err(malformed(format!(
            "Unrecognized field \"{unknown}\" in entry {number} of \"offsets\"; known are \"partition\" and \"offset\""
        )));
    }
    // A missing offset is null, as in Connect: it resets.
    let (partition, offset) = (
        entry.get("partition").unwrap_or(&Value::Null),
        entry.get("offset").unwrap_or(&Value::Null),
    );
    if !(partition.is_object() || partition.is_null()) {
        return Err(malformed(format!(
            "the partition of entry {number} must be an object"
        )));
    }
    if !(offset.is_object() || offset.is_null()) {
        return Err(malformed(format!(
            "the offset of entry {number} must be an object, or null to reset it"
        )));
    }
    Ok((partition, offset))
}

fn alter_source(log: &dyn LogBackend, of: &Subject, body: &Value) -> Result<(), Refused> {
    put_source(log, of, source_offsets(of, body)?)
}

/// Partitions and their offsets, each once; `None` resets one.
fn source_offsets(of: &Subject, body: &Value) -> Result<Vec<(Value, Option<Value>)>, Refused> {
    let mut changes = BTreeMap::new();
    for (partition, offset) in entries(body)? {
        if offset.is_null() && partition.as_object().is_none_or(Map::is_empty) {
            // Nothing stands there, so there is nothing to reset; Connect says so, too.
            continue;
        }
        if partition.is_null() {
            return Err(malformed(
                "The partition for a source connector offset cannot be null or missing",
            ));
        }
        if partition.as_object().is_some_and(Map::is_empty) {
            return Err(malformed(
                "The partition for a source connector offset cannot be empty",
            ));
        }
        let text = partition.to_string();
        if offset_key(&of.name, &text).is_none() {
            return Err(malformed(format!(
                "The source partition {text} is not an object whose values are texts, numbers, true, false or null"
            )));
        }
        if let Some(nested) = offset.as_object().and_then(|offset| {
            offset
                .iter()
                .find(|(_, value)| value.is_array() || value.is_object())
        }) {
            return Err(malformed(format!(
                "The value of \"{}\" in a source offset must be a text, a number, true, false or null",
                nested.0
            )));
        }
        let value = (!offset.is_null()).then(|| offset.clone());
        // Of a partition that occurs twice the last one counts, as in Connect.
        changes.insert(text, (partition.clone(), value));
    }
    Ok(changes.into_values().collect())
}

fn put_source(
    log: &dyn LogBackend,
    of: &Subject,
    changes: Vec<(Value, Option<Value>)>,
) -> Result<(), Refused> {
    // A new generation: a task that was given up can no longer write over what is set now.
    let producer = log.open_producer(&OwnerId::from(of.name.as_str()))?;
    let puts: Vec<KvPut> = changes
        .into_iter()
        .filter_map(|(partition, offset)| {
            Some(KvPut {
                store: Store::SourceOffsets,
                key: offset_key(&of.name, &partition.to_string())?.into(),
                value: offset.map(|offset| offset.to_string().into_bytes().into()),
            })
        })
        .collect();
    if puts.is_empty() {
        return Ok(());
    }
    let commit = Commit {
        appends: Vec::new(),
        puts,
    };
    producer.submit(commit)?.wait()?;
    Ok(())
}

/// Reads a sink's entries, with the words of Connect's `SinkUtils`.
fn sink_offsets(body: &Value) -> Result<Vec<(TopicPartition, Option<Offset>)>, Refused> {
    let mut parsed = BTreeMap::new();
    for (partition, offset) in entries(body)? {
        let Some(partition) = partition.as_object() else {
            return Err(malformed(
                "The partition for a sink connector offset cannot be null or missing",
            ));
        };
        let missing = |key: &str| {
            malformed(format!(
                "The partition for a sink connector offset must contain the key '{key}'"
            ))
        };
        let topic = match partition.get(TOPIC) {
            None => return Err(missing(TOPIC)),
            Some(Value::String(topic)) => topic.clone(),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) => {
                return Err(malformed(
                    "Kafka topic names must be valid strings and may not be null",
                ));
            }
            Some(scalar) => scalar.to_string(),
        };
        let number = match partition.get(PARTITION) {
            None => return Err(missing(PARTITION)),
            Some(Value::Null) => {
                return Err(malformed("Kafka partitions must be valid numbers and may not be null"));
            }
            Some(value) => plain(value).parse::<i32>().map_err(|_| {
                malformed(format!(
                    "Failed to parse the following Kafka partition value in the provided offsets: '{}'. Partition values for \
                     sink connectors need to be integers.",
                    plain(value)
                ))
            })?,
        };
        let name = TopicName::try_new(&topic).map_err(|error| malformed(error.to_string()))?;
        let at = TopicPartition::new(name, PartitionId(number));
        let to = sink_offset(offset)?;
        if parsed.insert(at.clone(), to).is_some() {
            return Err(malformed(format!("The partition {at} occurs twice")));
        }
    }
    Ok(parsed.into_iter().collect())
}

fn sink_offset(offset: &Value) -> Result<Option<Offset>, Refused> {
    let Some(offset) = offset.as_object() else {
        return Ok(None);
    };
    match offset.get(OFFSET) {
        None => Err(malformed(format!(
            "The offset for a sink connector should either be null or contain the key '{OFFSET}'"
        ))),
        Some(Value::Null) => Err(malformed("Kafka offsets must be valid numbers and may not be null")),
        Some(value) => plain(value).parse::<i64>().map(|at| Some(Offset(at))).map_err(|_| {
            malformed(format!(
                "Failed to parse the following Kafka offset value in the provided offsets: '{}'. Offset values for sink \
                 connectors need to be integers.",
                plain(value)
            ))
        }),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn set_sink(
    log: &dyn LogBackend,
    of: &Subject,
    changes: &[(TopicPartition, Option<Offset>)],
) -> Result<(), Refused> {
    refuse_strangers(of, changes)?;
    if changes.is_empty() {
        return Ok(());
    }
    forget_letters(log, of)?;
    match log.set_group_offsets(&group_of(&of.name), changes) {
        Ok(()) => Ok(()),
        // Everything was to be removed, and nothing was there: resetting twice is fine.
        Err(Error::UnknownGroup { .. }) => Ok(()),
        Err(error) => Err(sink_refusal(&of.name, error)),
    }
}

/// What a sink does not read would never move again, and hold up retention for ever.
fn refuse_strangers(
    of: &Subject,
    changes: &[(TopicPartition, Option<Offset>)],
) -> Result<(), Refused> {
    if let Some((stranger, _)) = changes
        .iter()
        .find(|(at, to)| to.is_some() && !of.topics.is_empty() && !of.topics.contains(&at.topic))
    {
        return Err(malformed(format!(
            "connector {} does not read topic `{}`; it reads {}",
            of.name,
            stranger.topic,
            of.topics
                .iter()
                .map(|topic| format!("`{topic}`"))
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    Ok(())
}

/// Records that were set aside as dead letters are given to the sink again when somebody sets its positions.
fn forget_letters(log: &dyn LogBackend, of: &Subject) -> Result<(), Refused> {
    let puts: Vec<KvPut> = log
        .scan(Store::Meta, &letters_prefix(&of.name))?
        .into_iter()
        .map(|(key, _)| KvPut {
            store: Store::Meta,
            key,
            value: None,
        })
        .collect();
    if puts.is_empty() {
        return Ok(());
    }
    let producer = log.open_producer(&OwnerId::from(of.name.as_str()))?;
    let commit = Commit {
        appends: Vec::new(),
        puts,
    };
    producer.submit(commit)?.wait()?;
    Ok(())
}

/// The refusal of a change while a task that was told to stop still sits in its plugin; Connect's words.
pub(crate) fn not_closed(name: &str) -> Refused {
    Refused::new(
        500,
        "LS0614",
        format!(
            "Failed to alter consumer group offsets for connector {name} either because its tasks haven't stopped completely yet \
             or the connector was resumed before the request to alter its offsets could be successfully completed. If the \
             connector is in a stopped state, this operation can be safely retried. If it doesn't eventually succeed, the host \
             may need to be restarted to get rid of the zombie sink tasks."
        ),
    )
}

fn sink_refusal(name: &str, error: Error) -> Refused {
    let message = linkspan_types::error_chain(&error);
    match error {
        Error::GroupActive { .. } => not_closed(name),
        Error::UnknownTopic { .. }
        | Error::UnknownPartition { .. }
        | Error::OffsetOutOfRange { .. } => malformed(message),
        other => other.into(),
    }
}

/// Where every partition of a sink goes for a time; where no record is that young, to the end.
fn places_at(
    log: &dyn LogBackend,
    of: &Subject,
    time: i64,
) -> Result<Vec<(TopicPartition, Option<Offset>)>, Refused> {
    let mut changes = Vec::new();
    for name in &of.topics {
        let Some(topic) = log.topic(name)? else {
            continue;
        };
        for partition in (0..topic.partitions).map(PartitionId) {
            let found = log.find_offset(&topic.id, partition, OffsetQuery::Time(time))?;
            let to = match found {
                Some(found) => found.offset,
                None => log.offsets(&topic.id, partition)?.high_watermark,
            };
            changes.push((TopicPartition::new(name.clone(), partition), Some(to)));
        }
    }
    if changes.is_empty() {
        return Err(malformed(format!(
            "connector {}: none of its topics exists",
            of.name
        )));
    }
    Ok(changes)
}

/// A partition and an offset of a sink, as they are written.
fn row(at: &TopicPartition, to: Option<Offset>) -> (Value, Value) {
    let partition = json!({ TOPIC: at.topic.as_str(), PARTITION: at.partition.0 });
    let offset = to.map_or(Value::Null, |to| json!({ OFFSET: to.0 }));
    (partition, offset)
}

/// Sets every partition of a sink to a time.
fn rewind(log: &dyn LogBackend, of: &Subject, time: i64) -> Result<Value, Refused> {
    let changes = places_at(log, of, time)?;
    set_sink(log, of, &changes)?;
    let rows: Vec<Value> = changes
        .iter()
        .map(|(at, to)| row(at, *to))
        .map(|(partition, offset)| json!({ "partition": partition, "offset": offset }))
        .collect();
    Ok(
        json!({ "message": "The offsets for this connector have been rewound successfully", "offsets": rows }),
    )
}

/// What a change would do: `[{"partition", "from", "to"}]`, null for no offset. Nothing changes, and the class is not asked.
///
/// # Errors
/// What is asked is malformed, or outside of the log.
pub(crate) fn preview(
    log: &dyn LogBackend,
    of: &Subject,
    change: &Altered,
) -> Result<Value, Refused> {
    let all = get(log, of)?;
    let all = all.get("offsets").and_then(Value::as_array);
    let now: Vec<(&Value, &Value)> = all
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry.get("partition")?, entry.get("offset")?)))
        .collect();
    let wanted: Vec<(Value, Value)> = match (change, of.kind) {
        (Altered::Reset, _) => now
            .iter()
            .map(|(partition, _)| ((*partition).clone(), Value::Null))
            .collect(),
        (Altered::Set(body), KindOfConnector::Source) => source_offsets(of, body)?
            .into_iter()
            .map(|(partition, offset)| (partition, offset.unwrap_or(Value::Null)))
            .collect(),
        (Altered::Set(body), KindOfConnector::Sink) => {
            let changes = sink_offsets(body)?;
            refuse_strangers(of, &changes)?;
            for (at, to) in &changes {
                refuse_outside(log, of, at, *to)?;
            }
            changes.iter().map(|(at, to)| row(at, *to)).collect()
        }
        (Altered::Rewind(time), KindOfConnector::Sink) => places_at(log, of, *time)?
            .iter()
            .map(|(at, to)| row(at, *to))
            .collect(),
        (Altered::Rewind(_), KindOfConnector::Source) => return Err(no_times(&of.name)),
    };
    let changes: Vec<Value> = wanted
        .into_iter()
        .map(|(partition, to)| {
            let from = now.iter().find(|(known, _)| **known == partition);
            let from = from.map_or(&Value::Null, |(_, offset)| *offset);
            json!({ "partition": partition, "from": from, "to": to })
        })
        .collect();
    Ok(Value::Array(changes))
}

/// What the log would say of a position when it is set.
fn refuse_outside(
    log: &dyn LogBackend,
    of: &Subject,
    at: &TopicPartition,
    to: Option<Offset>,
) -> Result<(), Refused> {
    let Some(to) = to else { return Ok(()) };
    let Some(topic) = log.topic(&at.topic)? else {
        return Err(malformed(format!("there is no topic `{}`", at.topic)));
    };
    let marks = log
        .offsets(&topic.id, at.partition)
        .map_err(|error| sink_refusal(&of.name, error))?;
    if (marks.log_start.0..=marks.high_watermark.0).contains(&to.0) {
        return Ok(());
    }
    Err(malformed(format!(
        "offset {} of {at} is outside of {}..={}",
        to.0, marks.log_start, marks.high_watermark
    )))
}

fn no_times(name: &str) -> Refused {
    malformed(format!(
        "connector {name} is a source: only what it reads from knows its times"
    ))
    .help("set its offsets with `linkspan offsets set`, or reset them")
}
