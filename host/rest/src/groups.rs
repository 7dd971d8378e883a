//! Operations on groups. Words and meanings are Kafka's (`kafka-consumer-groups`).

use linkspan_log::{GroupDescription, GroupPosition, GroupState, LogBackend, OffsetQuery, Topic};
use linkspan_types::{GroupId, Offset, PartitionId, TopicPartition};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::start::From as Start;
use crate::topics;

/// Where to set the positions of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// `topic`, or `topic:0,1`; nothing = everything that the group has a position in.
    #[serde(default)]
    pub topics: Vec<String>,
    /// `earliest`, `latest`, an offset, a time, `-N` or `+N`.
    pub to: String,
    /// Whether to do it; otherwise the answer says what would be done.
    #[serde(default)]
    pub execute: bool,
}

pub(crate) fn list(log: &dyn LogBackend) -> Result<Value, Refusal> {
    let groups = log.groups()?.into_iter().map(|group| {
        json!({ "group": group.group.as_str(), "state": group.state.as_str(), "members": group.members })
    });
    Ok(groups.collect())
}

fn find(log: &dyn LogBackend, name: &str) -> Result<GroupDescription, Refusal> {
    log.describe_group(&GroupId::from(name))?
        .ok_or_else(|| Refusal::unknown_group(log, name))
}

pub(crate) fn describe(log: &dyn LogBackend, name: &str) -> Result<Value, Refusal> {
    let group = find(log, name)?;
    let members: Vec<Value> = group
        .members
        .iter()
        .map(|member| {
            let topics: Vec<&str> = member.topics.iter().map(|topic| topic.as_str()).collect();
            let assigned: Vec<String> = member.assigned.iter().map(ToString::to_string).collect();
            json!({ "member": member.member, "topics": topics, "assigned": assigned })
        })
        .collect();
    let offsets: Vec<Value> = group
        .offsets
        .iter()
        .map(|row| position(&group, row))
        .collect();
    Ok(json!({
        "group": group.group.as_str(), "state": group.state.as_str(),
        "assignor": group.assignor.map(|assignor| assignor.as_str()),
        "members": members, "offsets": offsets,
    }))
}

fn position(group: &GroupDescription, row: &GroupPosition) -> Value {
    let tp = TopicPartition::new(row.topic.clone(), row.partition);
    let owner = group
        .members
        .iter()
        .find(|member| member.assigned.contains(&tp))
        .map(|member| member.member.as_str());
    json!({
        "topic": row.topic.as_str(), "topic_id": row.topic_id.to_string(), "partition": row.partition.0,
        "committed": row.committed.map(|at| at.0), "leader_epoch": row.leader_epoch.map(|epoch| epoch.0),
        "metadata": row.metadata, "commit_ts": row.commit_ts, "log_start": row.log_start.map(|at| at.0),
        "log_end": row.log_end.map(|at| at.0), "lag": row.lag, "member": owner,
    })
}

pub(crate) fn delete(log: &dyn LogBackend, name: &str) -> Result<Value, Refusal> {
    let group = find(log, name)?;
    log.delete_group(&group.group)?;
    Ok(json!({ "deleted": name }))
}

pub(crate) fn reset(log: &dyn LogBackend, name: &str, wanted: &Reset) -> Result<Value, Refusal> {
    let id = GroupId::from(name);
    let known = log.describe_group(&id)?;
    if known.is_none() && wanted.topics.is_empty() {
        return Err(Refusal::unknown_group(log, name));
    }
    if let Some(group) = &known
        && matches!(group.state, GroupState::Stable | GroupState::Rebalancing)
    {
        let members = group.members.len();
        let message =
            format!("group `{name}` has {members} members: positions are set without them");
        return Err(Refusal::new(409, "LS0521", message)
            .help("stop its members first: sinks, and `consume --group`"));
    }
    let target: Target = wanted.to.parse()?;
    let mut changes = Vec::new();
    let mut rows = Vec::new();
    for (topic, number) in places(log, known.as_ref(), &wanted.topics)? {
        let committed = known.as_ref().and_then(|group| {
            let row = group
                .offsets
                .iter()
                .find(|row| row.topic_id == topic.id && row.partition == number);
            row.and_then(|row| row.committed)
        });
        let to = target.resolve(log, &topic, number, committed)?;
        rows.push(json!({
            "topic": topic.name.as_str(), "partition": number.0,
            "from": committed.map(|at| at.0), "to": to.0,
        }));
        changes.push((TopicPartition::new(topic.name.clone(), number), Some(to)));
    }
    if wanted.execute {
        log.set_group_offsets(&id, &changes)?;
    }
    Ok(
        json!({ "group": name, "executed": wanted.execute, "new": known.is_none(), "positions": rows }),
    )
}

/// The partitions that a reset is about.
fn places(
    log: &dyn LogBackend,
    known: Option<&GroupDescription>,
    named: &[String],
) -> Result<Vec<(Topic, PartitionId)>, Refusal> {
    let mut places = Vec::new();
    for text in named {
        let (name, numbers) = match text.split_once(':') {
            Some((name, numbers)) => (name, Some(numbers)),
            None => (text.as_str(), None),
        };
        let topic = topics::find(log, name)?;
        let Some(numbers) = numbers else {
            places.extend((0..topic.partitions).map(|n| (topic.clone(), PartitionId(n))));
            continue;
        };
        for number in numbers.split(',') {
            let parsed = number.trim().parse().map_err(|_| {
                Refusal::argument(format!("`{number}` in `{text}` is no partition"))
                    .help("write `topic`, `topic:0` or `topic:0,1`")
            })?;
            places.push((topic.clone(), topics::partition(&topic, parsed)?));
        }
    }
    if named.is_empty() {
        for row in known
            .map(|group| group.offsets.as_slice())
            .unwrap_or_default()
        {
            // Rows of deleted topics have nowhere to go.
            if let Some(topic) = log.topic(&row.topic)?
                && topic.id == row.topic_id
            {
                places.push((topic, row.partition));
            }
        }
    }
    Ok(places)
}

enum Target {
    At(Start),
    Shift(i64),
}

impl std::str::FromStr for Target {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        if text.starts_with(['-', '+']) {
            return text.parse().map(Self::Shift).map_err(|_| {
                Refusal::argument(format!("`{text}` is no shift: write `-100` or `+100`"))
            });
        }
        text.parse()
            .map(Self::At)
            .map_err(|error: crate::FromError| Refusal::argument(format!("{error}, or `-100`")))
    }
}

impl Target {
    fn resolve(
        &self,
        log: &dyn LogBackend,
        topic: &Topic,
        number: PartitionId,
        committed: Option<Offset>,
    ) -> Result<Offset, Refusal> {
        let marks = log.offsets(&topic.id, number)?;
        let (start, end) = (marks.log_start, marks.high_watermark);
        let place = format!("topic `{}` partition {number}", topic.name);
        match *self {
            Self::At(Start::Earliest) => Ok(start),
            Self::At(Start::Latest) => Ok(end),
            Self::At(Start::Offset(at)) if (start.0..=end.0).contains(&at) => Ok(Offset(at)),
            Self::At(Start::Offset(at)) => {
                let message = format!("{place}: offset {at} is outside of {start}..={end}");
                Err(Refusal::new(400, "LS0515", message)
                    .help("`--to earliest` and `--to latest` are its ends"))
            }
            Self::At(Start::Time(time)) => {
                let found = log
                    .find_offset(&topic.id, number, OffsetQuery::Time(time))
                    .map_err(|error| topics::at(error, topic, number))?;
                Ok(found.map_or(end, |found| found.offset))
            }
            Self::Shift(by) => {
                let Some(committed) = committed else {
                    let message =
                        format!("{place}: the group has no position that could be shifted");
                    return Err(Refusal::new(400, "LS0515", message));
                };
                // As Kafka's tool: a shift beyond an end goes to that end.
                Ok(Offset(committed.0.saturating_add(by).clamp(start.0, end.0)))
            }
        }
    }
}
