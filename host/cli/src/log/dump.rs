//! `linkspan log dump`: what is stored, as JSON, one object a line.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use linkspan_log::{
    DiskFs, JournalFrame, LogBackend, ReadOnly, Store, Topic, dump_journal, dump_segment,
    open_read_only,
};
use linkspan_rest::{RecordView, Refusal, decode};
use linkspan_types::{Offset, PartitionId, SystemClock, TopicId, TopicName};
use linkspan_wire::{Batch, Batches};
use serde_json::{Value, json};

use super::held;
use crate::args::DumpArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Bytes of one read.
const READ_BYTES: usize = 1 << 20;
/// Names of fields whose values are never printed.
const SECRETS: [&str; 9] = [
    "password",
    "passphrase",
    "secret",
    "token",
    "credential",
    "private",
    "apikey",
    "api.key",
    "authorization",
];

pub(super) fn run(args: &DumpArgs) -> Result<Exit, Failure> {
    if let Some(file) = &args.file {
        return segment_file(args, file);
    }
    crate::open::check_exists(&args.data)?;
    let clock = Arc::new(SystemClock::default());
    if args.journal {
        dump_journal(Arc::new(DiskFs), clock, &args.data, |frame| {
            print_frame(frame);
            terminal::stdout_failure().is_none()
        })
        .map_err(|error| held(error, "dump"))?;
        return Ok(Exit::Ok);
    }
    let log =
        open_read_only(Arc::new(DiskFs), clock, &args.data).map_err(|error| held(error, "dump"))?;
    if args.stores {
        return stores(&log);
    }
    topics(args, &log)
}

fn topics(args: &DumpArgs, log: &ReadOnly) -> Result<Exit, Failure> {
    let topics = match &args.topic {
        None => log.topics()?,
        Some(name) => {
            let parsed = TopicName::try_new(name)
                .map_err(|error| Failure::new(Exit::Invalid, "LS0517", error))?;
            let found = log.topic(&parsed)?;
            vec![found.ok_or_else(|| Refusal::unknown_topic(log, name))?]
        }
    };
    for topic in topics {
        let numbers = match args.partition {
            Some(number) if (0..topic.partitions).contains(&number) => number..number + 1,
            Some(number) => {
                let message = format!(
                    "topic `{}` has no partition {number}, its partitions are 0 to {}",
                    topic.name,
                    topic.partitions - 1
                );
                return Err(Failure::new(Exit::Invalid, "LS0516", message));
            }
            None => 0..topic.partitions,
        };
        for number in numbers {
            partition(args, log, &topic, PartitionId(number))?;
        }
    }
    Ok(Exit::Ok)
}

fn partition(
    args: &DumpArgs,
    log: &ReadOnly,
    topic: &Topic,
    number: PartitionId,
) -> Result<(), Failure> {
    let marks = log.offsets(&topic.id, number)?;
    let mut next = args.from.unwrap_or(0).max(marks.log_start.0);
    let to = args.to.unwrap_or(i64::MAX).min(marks.high_watermark.0);
    let failed = |error: linkspan_log::Error| {
        let refusal = Refusal::from(error);
        let message = format!(
            "topic `{}` partition {number}: {}",
            topic.name, refusal.message
        );
        Failure::from(Refusal { message, ..refusal })
    };
    while next < to && terminal::stdout_failure().is_none() {
        let fetched = log
            .fetch(&topic.id, number, Offset(next), READ_BYTES)
            .map_err(failed)?;
        if args.batches {
            for batch in Batches::new(&fetched.bytes).filter_map(Result::ok) {
                if batch.header().base_offset < to {
                    let mut line = batch_line(&batch);
                    insert(&mut line, "topic", topic.name.as_str().into());
                    insert(&mut line, "partition", number.0.into());
                    terminal::line(&line.to_string());
                }
            }
        } else {
            print_records(&fetched.bytes, &topic.name, number.0, next, to)?;
        }
        if fetched.next.0 <= next {
            break;
        }
        next = fetched.next.0;
    }
    Ok(())
}

fn print_records(
    bytes: &[u8],
    topic: &TopicName,
    partition: i32,
    from: i64,
    to: i64,
) -> Result<(), Failure> {
    let mut records: Vec<RecordView> = Vec::new();
    decode(bytes, topic, partition, from, &mut records).map_err(|error| {
        let message = format!("topic `{topic}` partition {partition}, near offset {from}: {error}");
        Failure::new(Exit::Runtime, "LS0513", message)
    })?;
    for record in records.iter().filter(|record| record.offset < to) {
        terminal::line(&serde_json::to_string(record).unwrap_or_default());
    }
    Ok(())
}

fn segment_file(args: &DumpArgs, file: &Path) -> Result<Exit, Failure> {
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    let folder = folder.to_string_lossy();
    // A folder is named by topic id and partition; elsewhere the file speaks for itself.
    let (topic, partition) = folder.rsplit_once('-').unwrap_or(("file", "0"));
    let topic = TopicName::try_new(topic).or_else(|_| TopicName::try_new("file"));
    let topic = topic.map_err(|error| Failure::new(Exit::Runtime, "LS0499", error))?;
    let partition = partition.parse().unwrap_or(0);
    let (from, to) = (args.from.unwrap_or(0), args.to.unwrap_or(i64::MAX));
    let mut failed = None;
    let walked = dump_segment(&DiskFs, file, |position, batch| {
        let header = batch.header();
        if header.next_offset() <= from {
            return true;
        }
        if header.base_offset >= to || terminal::stdout_failure().is_some() {
            return false;
        }
        if args.batches {
            let mut line = batch_line(batch);
            insert(&mut line, "position", position.into());
            terminal::line(&line.to_string());
            return true;
        }
        failed = print_records(batch.bytes(), &topic, partition, from, to).err();
        failed.is_none()
    });
    match (failed, walked) {
        (Some(failure), _) => Err(failure),
        (None, walked) => {
            walked.map_err(|error| {
                Failure::new(Exit::Runtime, "LS0513", linkspan_types::error_chain(&error))
            })?;
            Ok(Exit::Ok)
        }
    }
}

fn batch_line(batch: &Batch<'_>) -> Value {
    let header = batch.header();
    json!({
        "base_offset": header.base_offset,
        "last_offset": header.next_offset() - 1,
        "records": header.record_count,
        "bytes": batch.bytes().len(),
        "leader_epoch": header.leader_epoch,
        "max_timestamp": header.max_timestamp,
        "producer_id": header.producer_id,
        "control": header.is_control(),
        "sound": batch.verify_crc().is_ok(),
    })
}

fn insert(line: &mut Value, name: &str, value: Value) {
    if let Some(fields) = line.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

fn stores(log: &ReadOnly) -> Result<Exit, Failure> {
    for store in Store::ALL {
        for (key, value) in log.scan(store, b"")? {
            let line = json!({
                "store": store.name(), "key": shown_key(store.name(), &key), "value": shown_value(store.name(), &value),
            });
            terminal::line(&line.to_string());
        }
    }
    Ok(Exit::Ok)
}

fn print_frame(frame: &JournalFrame) {
    let appends: Vec<Value> = frame
        .appends
        .iter()
        .map(|(topic, partition, base_offset, bytes)| {
            json!({ "topic_id": topic, "partition": partition, "base_offset": base_offset, "bytes": bytes })
        })
        .collect();
    let puts: Vec<Value> = frame
        .puts
        .iter()
        .map(|(store, key, value)| {
            let value = value.as_ref().map(|value| shown_value(store, value));
            json!({ "store": store, "key": shown_key(store, key), "value": value })
        })
        .collect();
    let line = json!({
        "file": frame.path.display().to_string(), "position": frame.position, "lsn": frame.lsn,
        "durable_lsn": frame.durable_lsn, "bytes": frame.bytes, "appends": appends, "puts": puts,
    });
    terminal::line(&line.to_string());
}

/// Text, or base64 of what is none; zero bytes inside of keys separate their parts.
fn shown(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes).map_or_else(
        |_| json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) }),
        Value::from,
    )
}

/// The key of a group's position in its parts; any other as text.
fn shown_key(store: &str, key: &[u8]) -> Value {
    let parts = || {
        let end = key.iter().position(|byte| *byte == 0)?;
        let (topic, partition) = key.get(end + 1..)?.split_first_chunk::<16>()?;
        Some(json!({
            "group": String::from_utf8_lossy(key.get(..end)?),
            "topic_id": TopicId(*topic).to_string(),
            "partition": i32::from_be_bytes(partition.try_into().ok()?),
        }))
    };
    let parts = if store == "group-offsets" {
        parts()
    } else {
        None
    };
    parts.unwrap_or_else(|| shown(key))
}

/// JSON as JSON, without what may be a secret; a fence as its number.
fn shown_value(store: &str, bytes: &[u8]) -> Value {
    if store == "fences"
        && let Some(epoch) = bytes.first_chunk::<8>()
    {
        return u64::from_be_bytes(*epoch).into();
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return shown(bytes);
    };
    conceal(&mut value);
    value
}

fn conceal(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_ascii_lowercase();
                if SECRETS.iter().any(|secret| name.contains(secret)) && !value.is_null() {
                    *value = linkspan_types::HIDDEN.into();
                } else {
                    conceal(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(conceal),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_concealed_at_any_depth() {
        let value = br#"{"name":"x","config":{"connection.password":"p1","list":[{"Auth-Token":"p2"}],"user":"u"}}"#;
        let shown = shown_value("configs", value).to_string();
        assert!(!shown.contains("p1") && !shown.contains("p2"), "{shown}");
        assert!(shown.contains("\"user\":\"u\""), "{shown}");
    }
}
