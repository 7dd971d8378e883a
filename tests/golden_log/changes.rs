//! Classes `deleteRecords` and `partitions` of `consumer-behaviour.json`: deleting records by hand, adding partitions.
//!
//! The cases of the file build on each other; here each one gets a log of its own and repeats what came before it.

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Failed;
use linkspan_log::{
    Consumer, ConsumerOptions, Error, Event, LocalOptions, LogBackend, Start, Topic,
};
use linkspan_types::{GroupId, Offset, PartitionId, TopicId};
use linkspan_wire::{Batches, Compression};
use serde_json::Value;

use crate::json::{chain, field, list, number, same, text};
use crate::place::{LISTENER, Place, T0, wait_for};
use crate::suite::{Outcome, Suite};

const PARTITION: PartitionId = PartitionId(0);
/// Bytes of a batch of three records in the segments of Kafka that the vectors list.
const RECORDS_PER_SEGMENT: usize = 3;

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("consumer-behaviour.json");
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    let json: Result<Value, String> =
        read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
    let cases = match &json {
        Ok(json) => json.get("cases").and_then(Value::as_array),
        Err(error) => return suite.broken("changes", error.clone()),
    };
    // The deletions of the steps so far.
    let mut steps: Vec<i64> = Vec::new();
    for case in cases.into_iter().flatten() {
        let setup = case.get("setup").and_then(Value::as_str);
        let name = text(case, "case").unwrap_or("?").to_owned();
        let kind = name.rsplit('/').next().unwrap_or("?").to_owned();
        let (case, before) = (case.clone(), steps.clone());
        match setup {
            Some("deleteRecords") => {
                if name.contains("/step-") {
                    steps.extend(number::<i64>(request(&case), "beforeOffset").ok());
                }
                if kind == "internal-topic" {
                    suite.elsewhere(
                        "deleteRecords",
                        &name,
                        "there are no internal topics: positions and state are no topics",
                    );
                } else {
                    suite.case("deleteRecords", &name, move || {
                        deletion(&kind, &case, &before)
                    });
                }
            }
            Some("partitions") if kind == "internal" => {
                suite.elsewhere(
                    "partitions",
                    &name,
                    "there are no internal topics: positions and state are no topics",
                );
            }
            Some("partitions") if kind == "raw-duplicate" => {
                suite.elsewhere("partitions", &name, LISTENER);
            }
            Some("partitions")
                if request(&case)
                    .get("assignments")
                    .is_some_and(Value::is_array) =>
            {
                suite.elsewhere(
                    "partitions",
                    &name,
                    "one machine holds one copy: nothing is assigned to brokers",
                );
            }
            Some("partitions") => suite.case("partitions", &name, move || partitions(&case)),
            _ => {}
        }
    }
}

/// Twenty records in batches of five, and the deletions that came before.
fn filled(before: &[i64]) -> Result<(Place, Topic), Failed> {
    let place = Place::new()?;
    let topic = place.make("delrec", 1)?;
    for _ in 0..4 {
        place.write(&topic, 0, Compression::None, &[T0; 5])?;
    }
    for offset in before {
        // Some of them are refused, as the case of that step says.
        drop(delete(&place, topic.id, *offset));
    }
    Ok((place, topic))
}

/// -1 is the high watermark.
fn delete(place: &Place, topic: TopicId, before: i64) -> linkspan_log::Result<Offset> {
    let before = (before != -1).then_some(Offset(before));
    place.log.delete_records(&topic, PARTITION, before)
}

fn deletion(kind: &str, case: &Value, before: &[i64]) -> Result<Outcome, Failed> {
    let (request, result) = (field(case, "request")?, field(case, "result")?);
    match kind {
        "fetch-2" | "fetch-3" => {
            let (place, topic) = filled(before)?;
            fetched(&place, &topic, request, result)?;
        }
        "consumer" => {
            let (place, topic) = filled(before)?;
            same(
                "first",
                &first_read(&place, &topic)?,
                &number(result, "first")?,
            )?;
        }
        "append-after" => {
            let (place, topic) = filled(before)?;
            place.write(&topic, 0, Compression::None, &[T0])?;
            limits(&place, &topic, result)?;
        }
        "minus-one-is-high-watermark" => {
            let (place, topic) = filled(before)?;
            place.write(&topic, 0, Compression::None, &[T0])?;
            let low = delete(&place, topic.id, -1).map_err(chain)?;
            same("lowWatermark", &low.0, &number(result, "lowWatermark")?)?;
            limits(&place, &topic, result)?;
        }
        "unknown-partition" | "unknown-topic" => {
            let (place, topic) = filled(&[])?;
            let (id, partition) = match kind {
                "unknown-topic" => (TopicId([9; 16]), PARTITION),
                _ => (topic.id, PartitionId(number(request, "partition")?)),
            };
            same("error", &text(result, "error")?, &"REQUEST_TIMED_OUT")?;
            let answer = place.log.delete_records(&id, partition, None);
            let Err(Error::UnknownPartition { .. }) = answer else {
                return Err(format!("answered {answer:?}").into());
            };
            return Ok(Outcome::Differs {
                rule: "a topic or partition that is not there is an error at once; Java's admin client asks again until its time is over".to_owned(),
                about: String::new(),
            });
        }
        "compacted-topic" | "compact-delete-topic" => {
            let place = Place::new()?;
            let policy = text(request, "cleanup.policy")?;
            let topic = place.make_with("c", 1, &[("cleanup.policy", policy)])?;
            place.write_keyed(&topic, 0, Compression::None, &[T0; 2], Some(b"k"))?;
            let answer = delete(&place, topic.id, 1);
            match result.get("error").and_then(Value::as_str) {
                Some("POLICY_VIOLATION") => {
                    let refused = matches!(answer, Err(Error::CompactedTopic { .. }));
                    same("refused as a compacted topic", &refused, &true)?;
                }
                _ => {
                    answer.map_err(chain)?;
                    limits(&place, &topic, result)?;
                }
            }
        }
        "segments-removed" | "whole-active-segment" => return segments(kind, request, result),
        _ => {
            let (place, topic) = filled(before)?;
            let answer = delete(&place, topic.id, number(request, "beforeOffset")?);
            match result.get("error").and_then(Value::as_str) {
                Some(error) => {
                    same("error", &error, &"OFFSET_OUT_OF_RANGE")?;
                    let refused = matches!(answer, Err(Error::OffsetOutOfRange { .. }));
                    same("refused as out of range", &refused, &true)?;
                }
                None => {
                    let low = answer.map_err(chain)?;
                    same("lowWatermark", &low.0, &number(result, "lowWatermark")?)?;
                    limits(&place, &topic, result)?;
                }
            }
        }
    }
    Ok(Outcome::Same)
}

/// Compares the partition's limits with those that the result names.
fn limits(place: &Place, topic: &Topic, result: &Value) -> Result<(), Failed> {
    let marks = place.log.offsets(&topic.id, PARTITION).map_err(chain)?;
    same("earliest", &marks.log_start.0, &number(result, "earliest")?)?;
    match result.get("latest") {
        Some(_) => same(
            "latest",
            &marks.high_watermark.0,
            &number(result, "latest")?,
        ),
        None => Ok(()),
    }
}

fn fetched(place: &Place, topic: &Topic, request: &Value, result: &Value) -> Result<(), Failed> {
    let expected = list(result, "partitions")?;
    let expected = expected.first().ok_or("the vector has no partition")?;
    let from = Offset(number(request, "offset")?);
    let answer = place.log.fetch(&topic.id, PARTITION, from, 1 << 20);
    match text(expected, "error")? {
        "OFFSET_OUT_OF_RANGE" => {
            let refused = matches!(answer, Err(Error::OffsetOutOfRange { .. }));
            same("refused as out of range", &refused, &true)
        }
        error => {
            same("error", &error, &"NONE")?;
            let answer = answer.map_err(chain)?;
            let mut batches = Vec::new();
            for batch in Batches::verified(&answer.bytes) {
                let header = *batch.map_err(chain)?.header();
                let range = format!("{}-{}", header.base_offset, header.last_offset());
                batches.push(Value::from(range));
            }
            same("batches", &batches, list(expected, "batches")?)?;
            let marks = answer.watermarks;
            same(
                "logStartOffset",
                &marks.log_start.0,
                &number(expected, "logStartOffset")?,
            )?;
            same(
                "highWatermark",
                &marks.high_watermark.0,
                &number(expected, "highWatermark")?,
            )
        }
    }
}

/// The first offset that a new group reads.
fn first_read(place: &Place, topic: &Topic) -> Result<i64, Failed> {
    let options = ConsumerOptions {
        group: GroupId::from("golden"),
        member: "m".to_owned(),
        topics: vec![topic.name.clone()],
        assignor: linkspan_log::Assignor::default(),
        start: Start::Earliest,
        max_bytes: 1 << 20,
        fence: None,
        pattern: None,
    };
    let mut consumer: Box<dyn Consumer> = place.log.open_consumer(options).map_err(chain)?;
    loop {
        let event = wait_for(consumer.next())?.map_err(chain)?;
        if let Event::Batch(batch) = event {
            return Ok(batch.from.0);
        }
    }
}

fn segments(kind: &str, request: &Value, result: &Value) -> Result<Outcome, Failed> {
    // As many bytes as three of these batches have: with the fourth a new file begins.
    let probe = Place::new()?;
    let topic = probe.make("t", 1)?;
    probe.write(&topic, 0, Compression::None, &[T0])?;
    let fetched = probe.log.fetch(&topic.id, PARTITION, Offset(0), 1 << 20);
    let batch = fetched.map_err(chain)?.bytes.len();
    let place = Place::with(LocalOptions {
        segment_bytes: (batch * RECORDS_PER_SEGMENT) as u64,
        ..LocalOptions::new("/data")
    })?;
    let topic = place.make("t", 1)?;
    for _ in 0..9 {
        place.write(&topic, 0, Compression::None, &[T0])?;
    }
    place.log.checkpoint().map_err(chain)?;
    if let Some(expected) = request.get("segmentsBefore") {
        same("segmentsBefore", &Value::from(files(&place)), expected)?;
    }
    if kind == "whole-active-segment" {
        place.delete_before(&topic, 0, 6)?;
    }
    place.delete_before(&topic, 0, number(request, "beforeOffset")?)?;
    // Files go when a checkpoint no longer names them.
    place.log.checkpoint().map_err(chain)?;
    place.log.close().map_err(chain)?;
    if result.get("earliest").is_some() {
        limits(&place, &topic, result)?;
    }
    let (found, expected) = (files(&place), list(result, "segmentsAfter")?);
    if kind == "whole-active-segment" && found.is_empty() {
        same("segmentsAfter", &expected.len(), &1)?;
        return Ok(Outcome::Differs {
            rule: "the last segment goes, too, when all of it was deleted; the offsets are in the checkpoint, so no file is needed to know them".to_owned(),
            about: String::new(),
        });
    }
    same(
        "segmentsAfter",
        &Value::from(found),
        &Value::from(expected.clone()),
    )?;
    Ok(Outcome::Same)
}

/// The names of all segment files, sorted.
fn files(place: &Place) -> Vec<String> {
    let names = place.fs.files().into_iter().filter_map(|path| {
        let name = path.file_name()?.to_str()?.to_owned();
        name.ends_with(".log").then_some(name)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn partitions(case: &Value) -> Result<Outcome, Failed> {
    let (request, result) = (field(case, "request")?, field(case, "result")?);
    let place = Place::new()?;
    let topic = place.make("parts", 3)?;
    let name = match request.get("topic").and_then(Value::as_str) {
        Some(other) => linkspan_types::TopicName::try_new(other)?,
        None => topic.name,
    };
    let total: i32 = request
        .get("total")
        .map_or(Ok(5), |_| number(request, "total"))?;
    let answer = Arc::clone(&place.log).add_partitions(&name, total);
    let error = result.get("exception").and_then(Value::as_str);
    match (error, answer) {
        (None, Ok(topic)) => same(
            "partitions",
            &topic.partitions,
            &number(result, "partitions")?,
        )?,
        (Some("InvalidPartitionsException"), Ok(topic)) if total == 3 => {
            same("partitions", &topic.partitions, &3)?;
            return Ok(Outcome::Differs {
                rule: "the number that a topic has already is no error: what a file declares can be applied again".to_owned(),
                about: String::new(),
            });
        }
        (Some("UnknownTopicOrPartitionException"), Err(Error::UnknownTopic { .. }))
        | (
            Some("InvalidPartitionsException" | "UnknownServerException"),
            Err(Error::InvalidTopic { .. }),
        ) => {}
        (expected, answer) => {
            return Err(format!("expected {expected:?}, answered {answer:?}").into());
        }
    }
    Ok(Outcome::Same)
}

/// What a case asks; null without it.
fn request(case: &Value) -> &Value {
    case.get("request").unwrap_or(&Value::Null)
}
