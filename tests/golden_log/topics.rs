//! Classes `topicName`, `create`, `delete`, `describe`, `partitioner`, `retention` and `roll` of `consumer-behaviour.json`,
//! and the account of what no module reads: transactions and the protocol of clients.

use std::path::Path;

use libtest_mimic::Failed;
use linkspan_log::{Error, LogBackend as _, LogStat, TopicSpec};
use linkspan_types::TopicName;
use linkspan_wire::{Compression, partition_for_key};
use serde_json::{Map, Value};

use crate::json::{chain, field, text};
use crate::place::{LISTENER, Place};
use crate::suite::{Outcome, Suite};

const TRANSACTIONS: &str = "transactions need the Kafka listener";
const COPIES: &str =
    "one machine holds one copy: factors and assignments belong to the Kafka listener";

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("consumer-behaviour.json");
    let read = std::fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    let cases = match &read {
        Ok(file) => file.get("cases").and_then(Value::as_array),
        Err(error) => return suite.broken("topics", format!("{}: {error}", path.display())),
    };
    for case in cases.into_iter().flatten() {
        let setup = case.get("setup").and_then(Value::as_str);
        let name = text(case, "case").unwrap_or("?").to_owned();
        let kind = name.split('/').next().unwrap_or("?").to_owned();
        let case = case.clone();
        match (setup, kind.as_str()) {
            (Some("txn"), _) => suite.elsewhere("txn", &name, TRANSACTIONS),
            (Some("joinGroup"), _) => suite.elsewhere("joinGroup", &name, LISTENER),
            (Some("life"), _) => suite.elsewhere("life", &name, LISTENER),
            (Some("retention"), _) => suite.case("retention", &name, move || retention(&case)),
            (Some("roll"), _) => suite.case("roll", &name, smallest_segment),
            (Some(_), _) => {}
            (None, "topicName") => suite.case("topicName", &name, move || topic_name(&case)),
            (None, "create") if of_copies(&case) => suite.elsewhere("create", &name, COPIES),
            (None, "create") => suite.case("create", &name, move || create(&case)),
            (None, "delete") => suite.case("delete", &name, move || delete(&case)),
            (None, "describe") => suite.case("describe", &name, unknown_topic),
            (None, "partitioner") => suite.case("partitioner", &name, move || partitions(&case)),
            (None, _) => suite.elsewhere("protocol", &name, LISTENER),
        }
    }
}

/// Whether a case asks for copies or places of them.
fn of_copies(case: &Value) -> bool {
    let request = case.get("request");
    let has = |key: &str| request.and_then(|request| request.get(key));
    let factor = has("replicationFactor").and_then(Value::as_i64);
    has("assignment").is_some()
        || has("assignments").is_some()
        || factor.is_some_and(|factor| factor != 1)
}

fn is_ok(case: &Value) -> bool {
    case.pointer("/result/ok") == Some(&Value::Bool(true))
}

fn agree(kafka: bool, ours: bool) -> Result<Outcome, Failed> {
    if kafka == ours {
        Ok(Outcome::Same)
    } else {
        Err(format!("Kafka takes it: {kafka}, we: {ours}").into())
    }
}

fn topic_name(case: &Value) -> Result<Outcome, Failed> {
    let request = field(case, "request")?;
    let Ok(existing) = text(request, "existing") else {
        return agree(
            is_ok(case),
            TopicName::try_new(text(request, "name")?).is_ok(),
        );
    };
    let place = Place::new()?;
    place.make(existing, 1)?;
    let create = text(request, "create")?;
    let made = place
        .log
        .create_topic(&TopicName::try_new(create)?, &TopicSpec::with_partitions(1));
    let kafka = case.pointer("/result/exception").and_then(Value::as_str);
    match (kafka, made) {
        (None, Ok(_)) => Ok(Outcome::Same),
        (Some("TopicExistsException"), Err(Error::TopicExists { .. })) => Ok(Outcome::Same),
        (Some("InvalidTopicException"), Ok(_)) => Ok(Outcome::Differs {
            rule: "names that differ only in `.` and `_` are two topics: folders go by id, figures carry names as they are".to_owned(),
            about: String::new(),
        }),
        (kafka, made) => Err(format!("Kafka: {kafka:?}, we: {made:?}").into()),
    }
}

fn create(case: &Value) -> Result<Outcome, Failed> {
    let request = field(case, "request")?;
    let place = Place::new()?;
    if let Ok(existing) = text(request, "topic") {
        place.make(existing, 1)?;
        let again = place.log.create_topic(
            &TopicName::try_new(existing)?,
            &TopicSpec::with_partitions(1),
        );
        return agree(
            is_ok(case),
            !matches!(again, Err(Error::TopicExists { .. })),
        );
    }
    let partitions = i32::try_from(field(request, "partitions")?.as_i64().unwrap_or_default())?;
    let made = place.log.create_topic(
        &TopicName::try_new("t")?,
        &TopicSpec::with_partitions(partitions),
    );
    if partitions == -1 && is_ok(case) && made.is_err() {
        return Ok(Outcome::Differs {
            rule: "the log takes a number of partitions; whoever asks it fills in the default (`host.num.partitions`)".to_owned(),
            about: String::new(),
        });
    }
    agree(is_ok(case), made.is_ok())
}

fn delete(case: &Value) -> Result<Outcome, Failed> {
    let place = Place::new()?;
    if let Ok(name) = text(field(case, "request")?, "topic") {
        // A name that no topic can have is unknown before the log is asked.
        let refused = TopicName::try_new(name).map_or(true, |name| {
            matches!(
                place.log.delete_topic(&name),
                Err(Error::UnknownTopic { .. })
            )
        });
        return agree(false, !refused);
    }
    let old = place.make("t", 1)?;
    place.write(&old, 0, Compression::None, &[1, 2])?;
    place.log.delete_topic(&old.name).map_err(chain)?;
    let new = place.make("t", 1)?;
    let marks = place
        .log
        .offsets(&new.id, linkspan_types::PartitionId(0))
        .map_err(chain)?;
    agree(
        true,
        new.id != old.id && marks.log_start.0 == 0 && marks.high_watermark.0 == 0,
    )
}

fn unknown_topic() -> Result<Outcome, Failed> {
    let found = Place::new()?
        .log
        .topic(&TopicName::try_new("nope")?)
        .map_err(chain)?;
    agree(false, found.is_some())
}

fn partitions(case: &Value) -> Result<Outcome, Failed> {
    let empty = Map::new();
    let expected = field(case, "result")?.as_object().unwrap_or(&empty);
    for (key, partition) in expected {
        let ours = partition_for_key(key.as_bytes(), 12);
        if Some(i64::from(ours)) != partition.as_i64() {
            return Err(format!("key `{key}`: {ours} instead of {partition}").into());
        }
    }
    if expected.is_empty() {
        Err("no keys".into())
    } else {
        Ok(Outcome::Same)
    }
}

/// Two records a segment, of the ages that the case gives, then one round of retention.
fn retention(case: &Value) -> Result<Outcome, Failed> {
    let (request, result) = (field(case, "request")?, field(case, "result")?);
    let now = linkspan_types::Clock::now_ms(&linkspan_types::SystemClock::default());
    let segments = field(request, "segments")?.as_array().map_or(0, Vec::len);
    let age = |at: usize| {
        request
            .pointer(&format!("/segmentAgesMs/{at}"))
            .and_then(Value::as_i64)
            .unwrap_or(0)
    };
    let place = Place::new()?;
    let topic = place.make_with("kept", 1, &[("internal.segment.bytes", "14")])?;
    for at in 0..segments {
        place.write(
            &topic,
            0,
            Compression::None,
            &[now - age(at), now - age(at)],
        )?;
        place.log.checkpoint().map_err(chain)?;
    }
    let setting = ["retention.bytes", "retention.ms"]
        .into_iter()
        .find(|name| request.get(name).is_some());
    let Some(setting) = setting else {
        return Err("no setting".into());
    };
    let change = [(
        setting.to_owned(),
        Some(field(request, setting)?.to_string()),
    )]
    .into();
    place.log.alter_topic(&topic.name, &change).map_err(chain)?;
    place.log.run_retention_now().map_err(chain)?;
    let start = start_of(&place.log.stat().map_err(chain)?);
    if start == field(result, "earliest")?.as_i64() {
        Ok(Outcome::Same)
    } else {
        Err(format!("begins at {start:?}, Kafka's at {result}").into())
    }
}

fn start_of(stat: &LogStat) -> Option<i64> {
    Some(stat.topics.first()?.partitions.first()?.log_start)
}

/// Kafka refuses segments below its minimum.
fn smallest_segment() -> Result<Outcome, Failed> {
    let spec = TopicSpec {
        settings: [("segment.bytes".to_owned(), "1000".to_owned())].into(),
        ..TopicSpec::with_partitions(1)
    };
    let made = Place::new()?
        .log
        .create_topic(&TopicName::try_new("t")?, &spec);
    agree(false, !matches!(made, Err(Error::InvalidSettings { .. })))
}
