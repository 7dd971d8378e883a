//! Class `groups`: who gets which partition from each of Kafka's assignors.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use libtest_mimic::Failed;
use linkspan_log::assign::{Assignment, Member, Partitions, assign};
use linkspan_types::{PartitionId, TopicName, TopicPartition};
use serde_json::Value;

use crate::json::{field, lines, list, text};
use crate::suite::{Outcome, Suite};

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let vectors = match lines(&dir.join("groups.jsonl")) {
        Ok(vectors) => vectors,
        Err(error) => return suite.broken("groups", error),
    };
    for vector in vectors {
        let name = text(&vector, "case").unwrap_or("?").to_owned();
        suite.case("groups", &name, move || check(&vector));
    }
}

fn check(vector: &Value) -> Result<Outcome, Failed> {
    let members = members(vector)?;
    let topics = topics(vector)?;
    let assignor = text(vector, "assignor")?.parse()?;
    let found = assign(assignor, &members, &topics);
    if vector.get("error").is_some() {
        return match found {
            Err(error) => Ok(Outcome::Differs {
                rule: "Kafka throws an IllegalStateException out of the assignor, we answer an error that names member and partition".to_owned(),
                about: error.to_string(),
            }),
            Ok(found) => Err(format!("expected an error, found {found:?}").into()),
        };
    }
    let found = sets(found?);
    let expected = expected(vector)?;
    if found == expected {
        return Ok(Outcome::Same);
    }
    let about = format!("expected {expected:?}, found {found:?}");
    if vector.get("orderDependent") == Some(&Value::Bool(true)) && loose(&found, &expected) {
        return Ok(Outcome::Differs {
            rule: "Kafka's answer depends on the order of a hash map, ours goes by member id"
                .to_owned(),
            about,
        });
    }
    Err(about.into())
}

type Sets = BTreeMap<String, BTreeSet<String>>;

fn sets(assignment: Assignment) -> Sets {
    let texts = |list: Vec<TopicPartition>| list.iter().map(ToString::to_string).collect();
    assignment
        .into_iter()
        .map(|(member, list)| (member, texts(list)))
        .collect()
}

/// The same partitions are given, and as evenly.
fn loose(found: &Sets, expected: &Sets) -> bool {
    let all = |sets: &Sets| sets.values().flatten().cloned().collect::<BTreeSet<_>>();
    let spread = |sets: &Sets| {
        let lens = || sets.values().map(BTreeSet::len);
        lens().max().unwrap_or(0) - lens().min().unwrap_or(0)
    };
    all(found) == all(expected) && spread(found) <= spread(expected)
}

fn expected(vector: &Value) -> Result<Sets, Failed> {
    let members = field(vector, "assignment")?
        .as_object()
        .ok_or("`assignment` is no map")?;
    let mut sets = Sets::new();
    for member in members.keys() {
        let texts = list(field(vector, "assignment")?, member)?;
        let texts = texts.iter().filter_map(Value::as_str).map(str::to_owned);
        sets.insert(member.clone(), texts.collect());
    }
    Ok(sets)
}

fn members(vector: &Value) -> Result<Vec<Member>, Failed> {
    let optional = |json: &Value, name| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut members = Vec::new();
    for json in list(vector, "members")? {
        let owned = json.get("owned").and_then(Value::as_array);
        let owned = owned
            .into_iter()
            .flatten()
            .map(partition)
            .collect::<Result<_, _>>()?;
        let topics = list(json, "topics")?
            .iter()
            .map(|name| topic(name.as_str().unwrap_or_default()))
            .collect::<Result<_, _>>()?;
        members.push(Member {
            id: text(json, "id")?.to_owned(),
            instance_id: optional(json, "instanceId"),
            rack: optional(json, "rack"),
            topics,
            owned,
            generation: json
                .get("generation")
                .and_then(Value::as_i64)
                .map(i32::try_from)
                .transpose()?,
        });
    }
    Ok(members)
}

fn topics(vector: &Value) -> Result<BTreeMap<TopicName, Partitions>, Failed> {
    let counts = field(vector, "partitions")?
        .as_object()
        .ok_or("`partitions` is no map")?;
    let mut topics = BTreeMap::new();
    for (name, count) in counts {
        let count = i32::try_from(count.as_i64().ok_or("a count is no integer")?)?;
        let racks = vector.pointer(&format!("/replicaRacks/{name}"));
        let racks = racks.and_then(Value::as_array).map(Vec::as_slice);
        // The racks of the first partitions, again and again.
        let racks = racks
            .unwrap_or_default()
            .iter()
            .cycle()
            .take(usize::try_from(count)?);
        let names = |racks: &Value| {
            let racks = racks.as_array().into_iter().flatten();
            racks
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        let partitions = Partitions {
            count,
            racks: racks.map(names).collect(),
        };
        topics.insert(topic(name)?, partitions);
    }
    Ok(topics)
}

fn topic(name: &str) -> Result<TopicName, Failed> {
    Ok(TopicName::try_new(name)?)
}

fn partition(json: &Value) -> Result<TopicPartition, Failed> {
    let (name, number) = json
        .as_str()
        .and_then(|text| text.rsplit_once('-'))
        .ok_or_else(|| format!("`{json}` is no partition"))?;
    Ok(TopicPartition::new(
        topic(name)?,
        PartitionId(number.parse()?),
    ))
}
