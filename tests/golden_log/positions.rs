//! Class `commits` of `consumer-behaviour.json`: positions of groups, committed by a member or set from outside.
//!
//! A commit without member and generation is what a member of ours does; cases about generations and member ids are the
//! network protocol's. Each case has a log of its own: topic `reset` with the offsets 3 to 9, topic `fetch`.

use std::path::Path;

use libtest_mimic::Failed;
use linkspan_log::{
    Assignor, Commit, Consumer, ConsumerOptions, Error, Event, GroupOffset, GroupState, LogBackend,
    Start, Topic, list_group,
};
use linkspan_types::{GroupId, LeaderEpoch, Offset, PartitionId, TopicName, TopicPartition};
use linkspan_wire::Compression;
use serde_json::Value;

use crate::json::{chain, field, list, number, same, text};
use crate::place::{LISTENER, Place, T0, wait_for};
use crate::suite::{Outcome, Suite};

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("consumer-behaviour.json");
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    let json: Result<Value, String> =
        read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
    let cases = match &json {
        Ok(json) => json.get("cases").and_then(Value::as_array),
        Err(error) => return suite.broken("positions", error.clone()),
    };
    for case in cases.into_iter().flatten() {
        if case.get("setup").and_then(Value::as_str) != Some("commits") {
            continue;
        }
        let name = text(case, "case").unwrap_or("?").to_owned();
        let case = case.clone();
        if of_protocol(&name) {
            suite.elsewhere("commits", &name, LISTENER);
        } else {
            suite.case("commits", &name.clone(), move || check(&name, &case));
        }
    }
}

/// Generations and ids of members are seen on the wire only.
fn of_protocol(name: &str) -> bool {
    [
        "generation-without-member",
        "unknown-member",
        "member-no-generation",
        "unknown-group-with-generation",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// The log of a case.
struct Setup {
    place: Place,
    reset: Topic,
}

impl Setup {
    fn new() -> Result<Self, Failed> {
        let place = Place::new()?;
        let reset = place.make("reset", 1)?;
        for n in 0..10 {
            place.write(&reset, 0, Compression::None, &[T0 + 1000 * n])?;
        }
        place.delete_before(&reset, 0, 3)?;
        place.make("fetch", 2)?;
        Ok(Self { place, reset })
    }

    /// A member of the group that has its partition.
    fn join(&self, group: &str) -> Result<Box<dyn Consumer>, Failed> {
        let options = ConsumerOptions {
            group: GroupId::from(group),
            member: "m".to_owned(),
            topics: vec![self.reset.name.clone()],
            assignor: Assignor::Range,
            start: Start::Earliest,
            max_bytes: 1 << 20,
            fence: None,
            pattern: None,
        };
        let mut consumer = self.place.log.open_consumer(options).map_err(chain)?;
        while !matches!(
            wait_for(consumer.next())?.map_err(chain)?,
            Event::Assigned(_)
        ) {}
        Ok(consumer)
    }

    fn partition(&self) -> TopicPartition {
        TopicPartition::new(self.reset.name.clone(), PartitionId(0))
    }

    fn commit(&self, group: &str, next: i64, metadata: usize) -> Result<Result<(), Error>, Failed> {
        let position = GroupOffset {
            topic_id: self.reset.id,
            next: Offset(next),
            leader_epoch: LeaderEpoch(0),
            metadata: "x".repeat(metadata),
            commit_ts: T0,
        };
        let member = self.join(group)?;
        let ticket = member.commit(&[(self.partition(), position)], Commit::default());
        Ok(ticket.and_then(linkspan_log::Ticket::wait).map(|_| ()))
    }

    /// Sets or removes a position from outside.
    fn set(
        &self,
        group: &str,
        topic: &str,
        number: i32,
        to: Option<i64>,
    ) -> Result<Result<(), Error>, Failed> {
        let tp = TopicPartition::new(TopicName::try_new(topic)?, PartitionId(number));
        let changes = [(tp, to.map(Offset))];
        Ok(self
            .place
            .log
            .set_group_offsets(&GroupId::from(group), &changes))
    }

    fn committed(&self, group: &str) -> Result<Vec<(TopicName, PartitionId, GroupOffset)>, Failed> {
        list_group(&*self.place.log, &GroupId::from(group)).map_err(chain)
    }
}

#[expect(clippy::too_many_lines, reason = "one arm for each kind of question")]
fn check(name: &str, case: &Value) -> Result<Outcome, Failed> {
    let (request, result) = (field(case, "request")?, field(case, "result")?);
    let setup = Setup::new()?;
    let group = |default: &'static str| {
        request
            .get("group")
            .and_then(Value::as_str)
            .unwrap_or(default)
    };
    let refused_as = |answer: Result<(), Error>, what: fn(&Error) -> bool| match answer {
        Err(error) if what(&error) => Ok(Outcome::Same),
        other => Err(Failed::from(format!("answered {other:?}, Kafka {result}"))),
    };
    let active = |error: &Error| matches!(error, Error::GroupActive { .. });
    let unknown_group = |error: &Error| matches!(error, Error::UnknownGroup { .. });
    let unknown_topic = |error: &Error| {
        matches!(
            error,
            Error::UnknownTopic { .. } | Error::UnknownPartition { .. }
        )
    };
    match name {
        "offsetCommit/unknown-topic" | "offsetCommit/unknown-partition" => {
            same(
                "error",
                &text(result, "error")?,
                &"UNKNOWN_TOPIC_OR_PARTITION",
            )?;
            let (topic, number) = (text(request, "topic")?, number(request, "partition")?);
            refused_as(
                setup.set(group("?"), topic, number, Some(5))?,
                unknown_topic,
            )
        }
        "alterOffsets/unknown-topic" => refused_as(
            setup.set("cg1", text(request, "topic")?, 0, Some(5))?,
            unknown_topic,
        ),
        "offsetCommit/outsider-into-active-group" | "alterOffsets/active-group" => {
            let _member = setup.join(group("?"))?;
            refused_as(setup.set(group("?"), "reset", 0, Some(5))?, active)
        }
        "offsetFetch/none" => {
            let described = setup.place.log.describe_group(&GroupId::from(group("?")));
            same("unknown group", &described.map_err(chain)?.is_none(), &true)?;
            for partition in list(result, "partitions")? {
                same("offset", &number::<i64>(partition, "offset")?, &-1)?;
            }
            Ok(Outcome::Same)
        }
        "offsetFetch/all-topics-null" => {
            setup.commit("cg1", 5, 0)?.map_err(chain)?;
            let offsets: Vec<Value> = setup
                .committed("cg1")?
                .into_iter()
                .map(|(topic, partition, at)| format!("{topic}-{partition}={}", at.next).into())
                .collect();
            same("offsets", &offsets, list(result, "offsets")?)?;
            Ok(Outcome::Same)
        }
        "describeGroup/unknown" => {
            let described = setup.place.log.describe_group(&GroupId::from(group("?")));
            same("unknown group", &described.map_err(chain)?.is_none(), &true)?;
            same("error", &text(result, "error")?, &"GROUP_ID_NOT_FOUND")?;
            Ok(Outcome::Same)
        }
        "describeGroup/stable" => described(&setup, group("?"), result),
        "deleteGroup/unknown" => refused_as(
            setup.place.log.delete_group(&GroupId::from(group("?"))),
            unknown_group,
        ),
        "deleteGroup/not-empty" => {
            let _member = setup.join(group("?"))?;
            refused_as(
                setup.place.log.delete_group(&GroupId::from(group("?"))),
                active,
            )
        }
        "deleteGroup/empty-with-offsets" => {
            setup.commit("cg1", 5, 0)?.map_err(chain)?;
            same("offsets before", &setup.committed("cg1")?.len(), &1)?;
            setup
                .place
                .log
                .delete_group(&GroupId::from("cg1"))
                .map_err(chain)?;
            same(
                "offsetsAfter",
                &setup.committed("cg1")?.len(),
                &number(result, "offsetsAfter")?,
            )?;
            Ok(Outcome::Same)
        }
        "deleteOffsets/subscribed-topic" => {
            let _member = setup.join(group("?"))?;
            refused_as(setup.set(group("?"), "reset", 0, None)?, active)
        }
        "deleteOffsets/other-topic" => {
            setup.set(group("?"), "fetch", 0, Some(0))?.map_err(chain)?;
            let _member = setup.join(group("?"))?;
            refused_as(setup.set(group("?"), "fetch", 0, None)?, active)?;
            Ok(Outcome::Differs {
                rule: "a group with members is not changed from outside at all; Kafka lets go of positions in topics that no member reads".to_owned(),
                about: String::new(),
            })
        }
        "deleteOffsets/after-leave" | "deleteGroup/last-offset-gone" => {
            setup.commit(group("?"), 5, 0)?.map_err(chain)?;
            setup.set(group("?"), "reset", 0, None)?.map_err(chain)?;
            same("left", &setup.committed(group("?"))?.len(), &0)?;
            let gone = setup.place.log.describe_group(&GroupId::from(group("?")));
            same("the group is gone", &gone.map_err(chain)?.is_none(), &true)?;
            Ok(Outcome::Same)
        }
        _ => committed(&setup, group("?"), request, result),
    }
}

fn described(setup: &Setup, group: &str, result: &Value) -> Result<Outcome, Failed> {
    let _member = setup.join(group)?;
    let described = setup.place.log.describe_group(&GroupId::from(group));
    let described = described.map_err(chain)?.ok_or("the group is unknown")?;
    same("state", &text(result, "state")?, &"STABLE")?;
    same("stable", &(described.state == GroupState::Stable), &true)?;
    same("assignor", &text(result, "assignor")?, &"range")?;
    same(
        "range",
        &(described.assignor == Some(Assignor::Range)),
        &true,
    )?;
    same(
        "members",
        &described.members.len(),
        &number(result, "members")?,
    )?;
    Ok(Outcome::Same)
}

/// A commit that is taken or refused, and what holds afterwards. Before it 6 was committed with 4096 bytes.
fn committed(
    setup: &Setup,
    group: &str,
    request: &Value,
    result: &Value,
) -> Result<Outcome, Failed> {
    const BEFORE: (i64, usize) = (6, 4096);
    setup.commit(group, BEFORE.0, BEFORE.1)?.map_err(chain)?;
    let metadata = request
        .get("metadataLength")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    let next: i64 = number(request, "offset")?;
    let answer = setup.commit(group, next, usize::try_from(metadata)?)?;
    let now = setup.committed(group)?;
    let now = now.first().map(|(_, _, at)| (at.next.0, at.metadata.len()));
    match text(result, "error")? {
        "OFFSET_METADATA_TOO_LARGE" => {
            let refused = matches!(answer, Err(Error::TooLarge { .. }));
            same("refused as too large", &refused, &true)?;
            same("committed", &now, &Some(BEFORE))?;
        }
        error => {
            same("error", &error, &"NONE")?;
            if next < 0 {
                let refused = matches!(answer, Err(Error::InvalidCommit { .. }));
                same("refused", &refused, &true)?;
                same("committed", &now, &Some(BEFORE))?;
                return Ok(Outcome::Differs {
                    rule: "a negative position is refused; Kafka takes it and forgets the one before, so that a slip of a program loses its place".to_owned(),
                    about: String::new(),
                });
            }
            answer.map_err(chain)?;
            // The vector of the empty group id shows another group's position.
            if !group.is_empty() {
                let after = (
                    number(result, "committedAfter")?,
                    number(result, "metadataLengthAfter")?,
                );
                same("committed", &now, &Some(after))?;
            }
        }
    }
    Ok(Outcome::Same)
}
