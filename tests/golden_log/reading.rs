//! Classes `times`, `reset` and `fetch` of `consumer-behaviour.json`: offsets by time, where a consumer begins, and what
//! one fetch answers; asked of a log in memory that is filled as each setup says.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use linkspan_log::{
    Beginning, Error, FetchPartition, FetchRequest, LogBackend, OffsetQuery, Reset, beginning,
};
use linkspan_types::{Offset, PartitionId, SystemClock};
use linkspan_wire::{Batches, Compression};
use serde_json::Value;

use crate::json::{chain, field, list, number, same, text};
use crate::place::{LISTENER, Place, T0, wait_for};
use crate::suite::{Outcome, Suite};

/// A log with the topics of the setups.
struct Filled {
    place: Place,
}

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("consumer-behaviour.json");
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    let json: Result<Value, String> =
        read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|error| error.to_string()));
    let filled = Filled::new().map(Arc::new);
    let (json, filled) = match (json, filled) {
        (Ok(json), Ok(filled)) => (json, filled),
        (Err(error), _) => return suite.broken("reading", error),
        (_, Err(error)) => {
            return suite.broken("reading", error.message().unwrap_or("?").to_owned());
        }
    };
    let cases = json.get("cases").and_then(Value::as_array);
    for case in cases.into_iter().flatten() {
        let name = text(case, "case").unwrap_or("?").to_owned();
        let (filled, case) = (Arc::clone(&filled), case.clone());
        match case.get("setup").and_then(Value::as_str) {
            Some("times") if of_protocol(&case) => suite.elsewhere("times", &name, LISTENER),
            Some("times") => suite.case("times", &name, move || filled.check_time(&case)),
            Some("reset") if name.starts_with("position/") => {
                suite.elsewhere("reset", &name, "a call of the Java client");
            }
            Some("reset") => suite.case("reset", &name, move || filled.check_reset(&case)),
            Some("fetch") if of_protocol(&case) => suite.elsewhere("fetch", &name, LISTENER),
            Some("fetch") => suite.case("fetch", &name, move || filled.check_fetch(&case)),
            _ => {}
        }
    }
}

/// Versions, epochs and values that only a request on the wire can have.
fn of_protocol(case: &Value) -> bool {
    let request = |name: &str| {
        case.pointer(&format!("/request/{name}"))
            .and_then(Value::as_i64)
    };
    let unknown_word = request("timestamp").is_some_and(|time| time < -4);
    request("version").is_some_and(|version| version != 10)
        || request("leaderEpoch").is_some()
        || request("maxBytes").is_some_and(|bytes| bytes < 0)
        || unknown_word
        || text(case, "case").is_ok_and(|name| name == "times/log-append-time/list")
}

impl Filled {
    fn new() -> Result<Self, Failed> {
        let place = Place::new()?;
        let times = [1000, 2000, 2000, 2000, 3000, 2500, 5000, 5000, 4000].map(|ms| T0 + ms);
        let times: Vec<i64> = times.into_iter().chain([-1]).collect();
        let topic = place.make("times", 3)?;
        for time in &times {
            place.write(&topic, 0, Compression::None, &[*time])?;
        }
        place.write(&topic, 1, Compression::None, &times)?;
        for (name, codec) in [
            ("timesz1", Compression::Gzip),
            ("timesz2", Compression::Snappy),
            ("timesz3", Compression::Lz4),
            ("timesz4", Compression::Zstd),
        ] {
            let topic = place.make(name, 1)?;
            place.write(&topic, 0, codec, &[10, 50, 20, 50, 5].map(|ms| T0 + ms))?;
        }
        let topic = place.make("reset", 1)?;
        for n in 0..10 {
            place.write(&topic, 0, Compression::None, &[T0 + 1000 * n])?;
        }
        place.delete_before(&topic, 0, 3)?;
        let topic = place.make("fetch", 2)?;
        for partition in 0..2 {
            for _ in 0..4 {
                place.write(&topic, partition, Compression::None, &[T0; 5])?;
            }
        }
        place.delete_before(&topic, 0, 7)?;
        Ok(Self { place })
    }

    fn check_time(&self, case: &Value) -> Result<Outcome, Failed> {
        let (request, result) = (field(case, "request")?, field(case, "result")?);
        let topic = self.place.topic(text(request, "topic")?)?;
        let partition = PartitionId(number(request, "partition")?);
        let query = match number::<i64>(request, "timestamp")? {
            -1 => OffsetQuery::Latest,
            // What is on this machine is all there is.
            -2 | -4 => OffsetQuery::Earliest,
            -3 => OffsetQuery::MaxTimestamp,
            time => OffsetQuery::Time(time),
        };
        let found = self
            .place
            .log
            .find_offset(&topic.id, partition, query)
            .map_err(chain)?;
        let found = found.map_or((-1, -1, -1), |found| {
            (found.offset.0, found.timestamp_ms, found.leader_epoch.0)
        });
        let expected = (
            number(result, "offset")?,
            number(result, "timestamp")?,
            number(result, "leaderEpoch")?,
        );
        same("offset, timestamp, leader epoch", &found, &expected)?;
        Ok(Outcome::Same)
    }

    /// Like a consumer: decide, find, read to the end.
    fn check_reset(&self, case: &Value) -> Result<Outcome, Failed> {
        let (request, result) = (field(case, "request")?, field(case, "result")?);
        let expected = result.get("exception").and_then(Value::as_str);
        let policy: Result<Reset, _> = text(request, "auto.offset.reset")?.parse();
        let wanted = request.get("committed").or_else(|| request.get("seek"));
        let wanted = wanted.and_then(Value::as_i64).map(Offset);
        let Ok(policy) = policy else {
            same(
                "exception",
                &expected,
                &Some("common.config.ConfigException"),
            )?;
            return Ok(Outcome::Same);
        };
        same(
            "exception",
            &expected.is_some_and(|name| name.contains("Config")),
            &false,
        )?;
        if request.get("seek").is_some() && wanted.is_some_and(|at| at.0 < 0) {
            // The Java client refuses it before the policy is asked; here it is outside of the partition like any other.
            same(
                "exception",
                &expected,
                &Some("java.lang.IllegalArgumentException"),
            )?;
            return Ok(Outcome::Differs {
                rule: "the Java client refuses a negative offset by itself, we treat it as one outside of the partition".to_owned(),
                about: String::new(),
            });
        }
        let topic = self.place.topic("reset")?;
        let part = PartitionId(0);
        let marks = self.place.log.offsets(&topic.id, part).map_err(chain)?;
        let now = linkspan_types::Clock::now_ms(&SystemClock::default());
        let at = match beginning(wanted, marks.log_start, marks.high_watermark, policy, now) {
            Beginning::At(at) => Ok(at),
            Beginning::Find(query) => {
                let found = self
                    .place
                    .log
                    .find_offset(&topic.id, part, query)
                    .map_err(chain)?;
                found.map(|found| found.offset).ok_or("TimeoutException")
            }
            Beginning::NoPosition => Err("clients.consumer.NoOffsetForPartitionException"),
            Beginning::OutOfRange(_) => Err("clients.consumer.OffsetOutOfRangeException"),
        };
        same("exception", &at.err(), &expected)?;
        let Ok(at) = at else {
            return Ok(Outcome::Same);
        };
        let first = (at < marks.high_watermark).then_some(at.0);
        same(
            "firstRecord",
            &Value::from(first),
            field(result, "firstRecord")?,
        )?;
        same(
            "records",
            &(marks.high_watermark.0 - at.0),
            &number(result, "records")?,
        )?;
        same(
            "position",
            &marks.high_watermark.0,
            &number(result, "position")?,
        )?;
        Ok(Outcome::Same)
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each kind of fetch")]
    fn check_fetch(&self, case: &Value) -> Result<Outcome, Failed> {
        let (request, result) = (field(case, "request")?, field(case, "result")?);
        let size = |name: &str, default: usize| -> Result<usize, Failed> {
            request
                .get(name)
                .map_or(Ok(default), |_| number(request, name))
        };
        let place = &self.place;
        let known = place
            .topic(text(request, "topic")?)
            .or_else(|_| place.topic("fetch"))?;
        let unknown = text(request, "topic")? != known.name.as_str();
        let id = if unknown {
            linkspan_types::TopicId([9; 16])
        } else {
            known.id
        };
        let also = request.get("also").and_then(Value::as_i64);
        let mut numbers = vec![number::<i32>(request, "partition")?];
        numbers.extend(also.map(i32::try_from).transpose()?);
        let from = Offset(number(request, "offset")?);
        let max_bytes = size("partitionMaxBytes", 1 << 20)?;
        let part = |partition: &i32| FetchPartition {
            topic: id,
            partition: PartitionId(*partition),
            from,
            max_bytes,
        };
        let wait = Duration::from_millis(u64::try_from(size("maxWaitMs", 0)?)?);
        let fetch = self.place.log.fetch_many(FetchRequest {
            partitions: numbers.iter().map(part).collect(),
            min_bytes: size("minBytes", 1)?,
            max_bytes: size("maxBytes", 50 << 20)?,
            max_wait: wait,
        });
        let started = Instant::now();
        let answers = wait_for(fetch)?.map_err(chain)?;
        if let Some(waited) = result.get("waitedAtLeastMs") {
            let limit = Duration::from_millis(u64::try_from(size("timed", 0)?)?);
            same(
                "waitedAtLeastMs",
                &Value::from(started.elapsed() >= limit),
                waited,
            )?;
        }
        let expected = list(result, "partitions")?;
        same("answers", &answers.len(), &expected.len())?;
        let mut cut = false;
        for (answer, expected) in answers.iter().zip(expected) {
            let error = match &answer.result {
                Ok(_) => "NONE",
                Err(Error::OffsetOutOfRange { .. }) => "OFFSET_OUT_OF_RANGE",
                Err(Error::UnknownPartition { .. }) => "UNKNOWN_TOPIC_OR_PARTITION",
                Err(other) => return Err(other.to_string().into()),
            };
            same("error", &error, &text(expected, "error")?)?;
            let Ok(fetched) = &answer.result else {
                continue;
            };
            let marks = fetched.watermarks;
            same(
                "highWatermark",
                &marks.high_watermark.0,
                &number(expected, "highWatermark")?,
            )?;
            same(
                "logStartOffset",
                &marks.log_start.0,
                &number(expected, "logStartOffset")?,
            )?;
            let mut batches = Vec::new();
            for batch in Batches::verified(&fetched.bytes) {
                let header = *batch.map_err(chain)?.header();
                let range = format!("{}-{}", header.base_offset, header.last_offset());
                batches.push(Value::from(range));
            }
            same("batches", &batches, list(expected, "batches")?)?;
            let whole: usize = batches.len() * 146;
            cut |= number::<usize>(expected, "bytes")? != whole;
        }
        if cut {
            return Ok(Outcome::Differs {
                rule: "Kafka cuts the last batch at the limit, we answer whole batches only"
                    .to_owned(),
                about: String::new(),
            });
        }
        Ok(Outcome::Same)
    }
}
