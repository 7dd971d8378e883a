//! What a broker answers to a Produce request, and how it stores what it takes.
//!
//! - class `produce`: the cases of `consumer-behaviour.json` with that setup, built from their names and notes.
//! - class `produce-bad`: the changed batch of every `segments/bad-*` whose vector has an answer.

use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use linkspan_types::TopicName;
use linkspan_wire::{
    BatchBuilder, BatchHeader, Batches, Compression, MAX_DECOMPRESSED_DEFAULT, ProduceError,
    ProduceRules, check_produce_batch,
};
use serde_json::Value;

use crate::json::{field, list, number, same, text};
use crate::suite::{Outcome, Suite};

const CLASS: &str = "produce";
const CLASS_BAD: &str = "produce-bad";
const LISTENER: &str = "acks, versions and connections need the Kafka listener";
const CLIENT: &str = "a rule of Kafka's own client";
const TRANSACTIONS: &str = "transactions need the Kafka listener";
/// The broker's clock when the vectors were made, about.
const NOW_MS: i64 = 1_795_408_118_901;

const RULES: ProduceRules = ProduceRules {
    bytes_max: 1_048_588,
    keys: false,
    log_append_time: false,
    before_max_ms: i64::MAX,
    after_max_ms: 3_600_000,
    compression: None,
    decompressed_max: MAX_DECOMPRESSED_DEFAULT,
};

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("consumer-behaviour.json");
    let read = fs::read_to_string(&path).map_err(|error| error.to_string());
    let file = read
        .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|error| error.to_string()));
    let file = match file {
        Ok(file) => file,
        Err(error) => return suite.broken(CLASS, format!("{}: {error}", path.display())),
    };
    let cases = file.get("cases").and_then(Value::as_array);
    let setup = |case: &&Value| case.get("setup").and_then(Value::as_str) == Some("produce");
    for case in cases.into_iter().flatten().filter(setup) {
        let Ok(name) = text(case, "case").map(str::to_owned) else {
            return suite.broken(CLASS, "a case without a name".to_owned());
        };
        let note = case.pointer("/request/note").and_then(Value::as_str);
        match request(&name, note.unwrap_or_default()) {
            Request::Elsewhere(why) => suite.elsewhere(CLASS, &name, why),
            Request::Unknown => suite.broken(&name, "no rule for this case".to_owned()),
            Request::NoTopic(topic) => suite.case(CLASS, &name, move || {
                same(
                    "a possible name",
                    &TopicName::try_new(topic).is_ok(),
                    &false,
                )?;
                Ok(Outcome::Same)
            }),
            Request::Batch(batch, rules) => {
                let case = case.clone();
                suite.case(CLASS, &name, move || check(&case, &batch, &rules));
            }
        }
    }
    add_bad(suite, &dir.join("segments"));
}

enum Request {
    Batch(Vec<u8>, ProduceRules),
    NoTopic(String),
    Elsewhere(&'static str),
    Unknown,
}

/// Makes the request that a case is about.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of request")]
fn request(name: &str, note: &str) -> Request {
    let parts: Vec<&str> = name.split('/').collect();
    let compacted = ProduceRules {
        keys: true,
        ..RULES
    };
    let window = ProduceRules {
        before_max_ms: 60_000,
        after_max_ms: 60_000,
        ..RULES
    };
    let at = |times: &[i64]| records(Compression::None, times, |_| (Some("k"), Some("v")));
    let digits = |text: &str| -> Vec<i64> {
        let words = text.split(|c: char| !c.is_ascii_digit() && c != '-');
        words.filter_map(|word| word.parse().ok()).collect()
    };
    match parts.as_slice() {
        ["produce", "ok" | "acks=1"] | ["produce", "min-isr-2-one-broker", _] => {
            Request::Batch(at(&[NOW_MS]), RULES)
        }
        [
            "produce",
            "null-records" | "unknown-partition" | "negative-partition",
        ] => Request::Elsewhere(LISTENER),
        ["produce", part] if part.starts_with("acks=") || part.starts_with("version=") => {
            Request::Elsewhere(LISTENER)
        }
        ["produce", "bad-topic-name"] => Request::NoTopic("a b".to_owned()),
        ["produce", limit, size] if limit.starts_with("max.message.bytes=") => {
            let rules = ProduceRules {
                bytes_max: usize::try_from(digits(limit).first().copied().unwrap_or(0))
                    .unwrap_or(0),
                ..RULES
            };
            let batch = if size.starts_with("compressed") {
                let value = "v".repeat(
                    usize::try_from(digits(note).first().copied().unwrap_or(0)).unwrap_or(0),
                );
                let mut builder = BatchBuilder::new(Compression::Zstd);
                let pushed = builder.push_plain(NOW_MS, None, Some(value.as_bytes()));
                pushed.and_then(|()| builder.finish()).unwrap_or_default()
            } else {
                sized(digits(size).first().copied().unwrap_or(0))
            };
            Request::Batch(batch, rules)
        }
        ["produce", part] if part.starts_with("default-limit") => {
            Request::Batch(sized(digits(note).first().copied().unwrap_or(0)), RULES)
        }
        ["produce", "null-key", _] => {
            let key = |index: usize| {
                (!digits(note).contains(&i64::try_from(index).unwrap_or(-1))).then_some("k")
            };
            let batch = records(Compression::None, &[NOW_MS; 3], |n| (key(n), Some("v")));
            Request::Batch(batch, compacted)
        }
        ["produce", "null-key-gzip", _] => {
            let key = |index: usize| (index != 1).then_some("k");
            let batch = records(Compression::Gzip, &[NOW_MS; 3], |n| (key(n), Some("v")));
            Request::Batch(batch, compacted)
        }
        ["produce", "empty-key", _] => {
            let batch = records(Compression::None, &[NOW_MS], |_| (Some(""), Some("v")));
            Request::Batch(batch, compacted)
        }
        ["produce", "tombstone", _] => {
            let batch = records(Compression::None, &[NOW_MS], |_| (Some("k"), None));
            Request::Batch(batch, compacted)
        }
        ["produce", "timestamp-window", "minus-one"] => Request::Batch(at(&[-1]), window),
        ["produce", "timestamp-window", "second-record-bad"] => {
            Request::Batch(at(&[NOW_MS, NOW_MS - 100_000, NOW_MS]), window)
        }
        ["produce", "timestamp-window", delta] => match delta.parse::<i64>() {
            Ok(delta) => Request::Batch(at(&[NOW_MS + delta]), window),
            Err(_) => Request::Unknown,
        },
        ["produce", "timestamp-default-after-limit", _] => {
            let minutes = digits(note).first().copied().unwrap_or(0);
            Request::Batch(at(&[NOW_MS + minutes * 60_000]), RULES)
        }
        ["produce", "log-append-time", _] => {
            let rules = ProduceRules {
                log_append_time: true,
                ..RULES
            };
            Request::Batch(at(&[0]), rules)
        }
        ["produce", "log-append-bit-on-create-time-topic"] => {
            let rules = ProduceRules {
                log_append_time: true,
                ..RULES
            };
            // A batch with the bit set is what such a topic stores.
            match check_produce_batch(&at(&[NOW_MS]), &rules, NOW_MS) {
                Ok(accepted) => Request::Batch(accepted.batch, RULES),
                Err(_) => Request::Unknown,
            }
        }
        ["client", "null-key-compacted"] => {
            let batch = records(Compression::None, &[NOW_MS], |_| (None, Some("v")));
            Request::Batch(batch, compacted)
        }
        ["client", "future-timestamp"] => Request::Batch(at(&[NOW_MS + 7_200_000]), RULES),
        ["client", _] => Request::Elsewhere(CLIENT),
        _ => Request::Unknown,
    }
}

fn records<'a>(
    codec: Compression,
    times: &[i64],
    content: impl Fn(usize) -> (Option<&'a str>, Option<&'a str>),
) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for (index, time) in times.iter().enumerate() {
        let (key, value) = content(index);
        let pushed = builder.push_plain(*time, key.map(str::as_bytes), value.map(str::as_bytes));
        if pushed.is_err() {
            return Vec::new();
        }
    }
    builder.finish().unwrap_or_default()
}

/// A batch of exactly this many bytes.
fn sized(bytes: i64) -> Vec<u8> {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    (0..bytes)
        .rev()
        .take(100)
        .map(|n| "v".repeat(n.saturating_sub(60)))
        .map(|value| records(Compression::None, &[NOW_MS], |_| (None, Some(&value))))
        .find(|batch| batch.len() == bytes)
        .unwrap_or_default()
}

fn check(case: &Value, batch: &[u8], rules: &ProduceRules) -> Result<Outcome, Failed> {
    if batch.is_empty() {
        return Err("the request could not be built".into());
    }
    let answer = check_produce_batch(batch, rules, NOW_MS);
    let expected = field(case, "result")?;
    let name = answer
        .as_ref()
        .map_or_else(ProduceError::kafka_name, |_| "NONE");
    same("error", &name, &text(expected, "error")?)?;
    if let Some(set) = expected.get("logAppendTimeSet").and_then(Value::as_bool) {
        let found = answer.as_ref().is_ok_and(|a| a.append_time_ms.is_some());
        same("append time set", &found, &set)?;
    }
    let found: Vec<usize> = match &answer {
        Err(
            ProduceError::InvalidRecord { records, .. }
            | ProduceError::InvalidTimestamp { records },
        ) => records.iter().map(|(index, _)| *index).collect(),
        Ok(_) | Err(_) => Vec::new(),
    };
    if expected.get("recordErrors").is_some() {
        let wanted: Result<Vec<usize>, Failed> = list(expected, "recordErrors")?
            .iter()
            .map(|record| number(record, "index"))
            .collect();
        same("records named", &found, &wanted?)?;
    }
    Ok(Outcome::Same)
}

fn add_bad(suite: &mut Suite, dir: &Path) {
    let names = match fs::read_dir(dir) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())),
        Err(error) => return suite.broken(CLASS_BAD, error.to_string()),
    };
    let mut paths: Vec<_> = names
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .collect();
    paths.sort();
    for path in paths {
        let json = fs::read_to_string(&path)
            .ok()
            .and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let Some(answer) = json.as_ref().and_then(|json| json.get("produce")).cloned() else {
            continue;
        };
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if answer.get("transactionalId").is_some() {
            suite.elsewhere(CLASS_BAD, &name, TRANSACTIONS);
            continue;
        }
        let changed_at = json
            .as_ref()
            .and_then(|j| j.get("changedAt"))
            .and_then(Value::as_u64);
        suite.case(CLASS_BAD, &name, move || {
            let bytes = fs::read(path.with_extension("log"))?;
            let batch = changed_batch(&bytes, changed_at)?;
            check_bad(&answer, &batch)
        });
    }
}

/// Takes the changed batch out of good + changed + good, with its base offset counted from its place.
fn changed_batch(bytes: &[u8], changed_at: Option<u64>) -> Result<Vec<u8>, Failed> {
    let Some(at) = changed_at else {
        return Ok(bytes.to_vec());
    };
    let at = usize::try_from(at)?;
    let first = BatchHeader::read(bytes).ok_or("no first batch")?;
    let rest = bytes
        .get(at..)
        .ok_or("the place of the change is outside of the file")?;
    let tail = rest.len().checked_sub(first.size());
    let is_good = |from: &usize| {
        let batch = rest
            .get(*from..)
            .and_then(|tail| Batches::verified(tail).next());
        batch.is_some_and(|batch| batch.is_ok())
    };
    let end = tail
        .filter(|from| *from > 0)
        .filter(is_good)
        .unwrap_or(rest.len());
    let mut batch = rest.get(..end).unwrap_or_default().to_vec();
    if let Some(place) = batch.first_chunk_mut::<8>() {
        let base = i64::from_be_bytes(*place);
        if base != 0 {
            *place = base.wrapping_sub(first.next_offset()).to_be_bytes();
        }
    }
    Ok(batch)
}

fn check_bad(answer: &Value, batch: &[u8]) -> Result<Outcome, Failed> {
    let found = check_produce_batch(batch, &RULES, NOW_MS);
    let name = found
        .as_ref()
        .map_or_else(ProduceError::kafka_name, |_| "NONE");
    same("error", &name, &text(answer, "error")?)?;
    let (Ok(accepted), Some(stored)) = (found, answer.get("stored")) else {
        return Ok(Outcome::Same);
    };
    let (old, new) = (BatchHeader::read(batch), BatchHeader::read(&accepted.batch));
    let (old, new) = (old.ok_or("no header")?, new.ok_or("no header")?);
    let mut changed = Vec::new();
    for (field, differs) in [
        ("attributes", old.attributes != new.attributes),
        ("baseTimestamp", old.base_timestamp != new.base_timestamp),
        ("crc", old.crc != new.crc),
        ("maxTimestamp", old.max_timestamp != new.max_timestamp),
        ("count", old.record_count != new.record_count),
        ("producerId", old.producer_id != new.producer_id),
    ] {
        if differs {
            changed.push(field);
        }
    }
    let expected: Vec<&str> = list(stored, "changedFields")?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    same("changed fields", &changed, &expected)?;
    same(
        "attributes",
        &new.attributes,
        &number(stored, "attributes")?,
    )?;
    same(
        "base timestamp",
        &new.base_timestamp,
        &number(stored, "baseTimestamp")?,
    )?;
    same(
        "max timestamp",
        &new.max_timestamp,
        &number(stored, "maxTimestamp")?,
    )?;
    Ok(Outcome::Same)
}
