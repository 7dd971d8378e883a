//! Sequences of idempotent producers against a real broker, replayed through the log.
//!
//! Each line of steps runs on a fresh partition: produce, restart, deleteRecords, describeProducers, offsets.
//! Steps of transactions belong to the Kafka listener: such a case is not asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::Failed;
use linkspan_log::{
    Append, Commit, Error, Local, LocalOptions, LogBackend, MemFs, Topic, TopicSpec, open_local,
};
use linkspan_types::{Offset, OwnerId, PartitionId, SystemClock, TopicName};
use linkspan_wire::{BatchBuilder, Compression, set_producer};
use serde_json::Value;

use crate::json::{field, list, number, same, text};
use crate::suite::{Outcome, Suite};

const CLASS: &str = "sequence";
const TRANSACTIONS: &str = "transactions need the Kafka listener";

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let path = dir.join("sequence.json");
    let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
    let cases = read.and_then(|text| {
        serde_json::from_str::<Vec<Value>>(&text).map_err(|error| error.to_string())
    });
    let cases = match cases {
        Ok(cases) if !cases.is_empty() => cases,
        Ok(_) => return suite.broken(CLASS, format!("no vector in {}", path.display())),
        Err(error) => return suite.broken(CLASS, format!("{}: {error}", path.display())),
    };
    for case in cases {
        let name = match text(&case, "case") {
            Ok(name) => name.to_owned(),
            Err(error) => return suite.broken(CLASS, error.message().unwrap_or("?").to_owned()),
        };
        if list(&case, "steps").is_ok_and(|steps| steps.iter().any(is_transaction)) {
            suite.elsewhere(CLASS, &name, TRANSACTIONS);
        } else {
            suite.case(CLASS, &name, move || check(&case));
        }
    }
}

fn is_transaction(step: &Value) -> bool {
    let op = step.get("op").and_then(Value::as_str).unwrap_or_default();
    ["initProducerId", "endTxn", "addPartitionsToTxn"].contains(&op)
        || step.get("transactionalId").is_some()
        || step.get("transactionalBatch").is_some()
}

/// One log and its topic of two partitions.
struct Broker {
    fs: MemFs,
    log: Arc<Local>,
    topic: Topic,
}

impl Broker {
    fn open(fs: &MemFs) -> Result<Arc<Local>, Failed> {
        let clock = Arc::new(SystemClock::default());
        Ok(open_local(
            Arc::new(fs.clone()),
            clock,
            LocalOptions::new("/data"),
        )?)
    }

    fn new(config: Option<&Value>) -> Result<Self, Failed> {
        let fs = MemFs::new();
        let log = Self::open(&fs)?;
        let mut spec = TopicSpec::with_partitions(2);
        let settings = config.and_then(Value::as_object).into_iter().flatten();
        for (name, value) in settings {
            let value = value.as_str().ok_or("a setting is no text")?;
            spec.settings.insert(name.clone(), value.to_owned());
        }
        let topic = log.create_topic(&TopicName::try_new("t")?, &spec)?;
        Ok(Self { fs, log, topic })
    }

    fn produce(&self, step: &Value) -> Result<(), Failed> {
        let partition = PartitionId(optional(step, "partition")?.unwrap_or(0));
        let append = Append {
            topic: self.topic.id,
            partition,
            batch: batch(step)?,
        };
        let commit = Commit {
            appends: vec![append],
            puts: Vec::new(),
        };
        // A client goes on after an error, so each request has a producer of its own.
        let writer = self.log.open_producer(&OwnerId::from("client"))?;
        let answer = writer.submit(commit).and_then(|ticket| ticket.wait());
        let (error, base_offset) = match &answer {
            Ok(committed) => ("NONE", committed.base_offsets.first().map_or(-1, |o| o.0)),
            Err(error) => (kafka_name(error)?, -1),
        };
        same("error", &error, &text(step, "error")?)?;
        same("base offset", &base_offset, &number(step, "baseOffset")?)?;
        // What is refused before the log looks at it has no start offset in Kafka's answer.
        let log_start: i64 = number(step, "logStartOffset")?;
        if log_start >= 0 {
            let found = self.log.offsets(&self.topic.id, partition)?.log_start.0;
            same("log start", &found, &log_start)?;
        }
        Ok(())
    }

    fn delete_records(&self, step: &Value) -> Result<(), Failed> {
        let partition = PartitionId(optional(step, "partition")?.unwrap_or(0));
        let before: Option<i64> = match optional(step, "before")? {
            Some(before) => Some(before),
            None => optional(step, "offset")?,
        };
        let before = before.filter(|before| *before >= 0).map(Offset);
        let start = self.log.delete_records(&self.topic.id, partition, before)?;
        if let Some(expected) = optional::<i64>(step, "lowWatermark")? {
            same("low watermark", &start.0, &expected)?;
        }
        Ok(())
    }

    fn describe(&self, step: &Value) -> Result<(), Failed> {
        let partition = PartitionId(optional(step, "partition")?.unwrap_or(0));
        let found = self.log.producers(&self.topic.id, partition)?;
        let found: BTreeMap<i64, (i64, i64)> = found
            .iter()
            .map(|view| {
                let state = (i64::from(view.epoch), i64::from(view.last_sequence));
                (view.producer_id, state)
            })
            .collect();
        let mut expected = BTreeMap::new();
        for producer in list(step, "producers")? {
            let state = (
                number(producer, "epoch")?,
                number(producer, "lastSequence")?,
            );
            expected.insert(number(producer, "producerId")?, state);
        }
        same("producers (epoch, last sequence)", &found, &expected)
    }

    fn offsets(&self, step: &Value) -> Result<(), Failed> {
        let partition = PartitionId(optional(step, "partition")?.unwrap_or(0));
        let marks = self.log.offsets(&self.topic.id, partition)?;
        if let Some(earliest) = optional::<i64>(step, "earliest")? {
            same("earliest", &marks.log_start.0, &earliest)?;
        }
        // Without transactions the last stable offset is the end.
        let end = marks.high_watermark.0;
        same("latest", &end, &number(step, "latest")?)?;
        same("last stable", &end, &number(step, "lastStable")?)
    }
}

fn optional<T>(step: &Value, name: &str) -> Result<Option<T>, Failed>
where
    T: TryFrom<i64>,
    T::Error: std::fmt::Display,
{
    step.get(name).map(|_| number(step, name)).transpose()
}

fn check(case: &Value) -> Result<Outcome, Failed> {
    let mut broker = Broker::new(case.get("topicConfig"))?;
    for (at, step) in list(case, "steps")?.iter().enumerate() {
        let op = text(step, "op")?;
        let result = match op {
            "produce" => broker.produce(step),
            "describeProducers" => broker.describe(step),
            "offsets" => broker.offsets(step),
            "deleteRecords" => broker.delete_records(step),
            "restart" => {
                broker.log.close()?;
                broker.log = Broker::open(&broker.fs)?;
                Ok(())
            }
            other => Err(format!("there is no step `{other}`").into()),
        };
        result.map_err(|error| {
            let why = error.message().unwrap_or("?").to_owned();
            Failed::from(format!("step {at} ({op}): {why}"))
        })?;
    }
    Ok(Outcome::Same)
}

/// The records of a step, with a key each so that compacted topics take them.
fn batch(step: &Value) -> Result<Vec<u8>, Failed> {
    let codec = match optional::<i64>(step, "codec")?.unwrap_or(0) {
        0 => Compression::None,
        1 => Compression::Gzip,
        2 => Compression::Snappy,
        3 => Compression::Lz4,
        4 => Compression::Zstd,
        other => return Err(format!("there is no codec {other}").into()),
    };
    let now = linkspan_types::Clock::now_ms(&SystemClock::default());
    let mut builder = BatchBuilder::new(codec);
    let count: usize = number(step, "count")?;
    for index in 0..count {
        let timestamp = match step.get("recordTimestamps") {
            None => now,
            Some(Value::Array(times)) => times.get(index).and_then(Value::as_i64).unwrap_or(now),
            Some(time) => time.as_i64().unwrap_or(now),
        };
        builder.push_plain(timestamp, Some(b"k"), Some(b"v"))?;
    }
    let mut bytes = builder.finish()?;
    set_producer(
        &mut bytes,
        number(step, "producerId")?,
        number(step, "epoch")?,
        number(step, "baseSequence")?,
    )?;
    let _described = field(step, "error")?;
    Ok(bytes)
}

/// Kafka's name of an error of the log.
pub(crate) fn kafka_name(error: &Error) -> Result<&'static str, Failed> {
    Ok(match error {
        Error::TooLarge { .. } => "MESSAGE_TOO_LARGE",
        Error::OutOfOrderSequence { .. } => "OUT_OF_ORDER_SEQUENCE_NUMBER",
        Error::ProducerFenced { .. } => "INVALID_PRODUCER_EPOCH",
        Error::UnknownPartition { .. } => "UNKNOWN_TOPIC_OR_PARTITION",
        Error::RefusedBatch { kafka, .. } => kafka,
        Error::NullKey { .. } | Error::InvalidCommit { .. } => "INVALID_RECORD",
        other => return Err(format!("no Kafka name for {other}").into()),
    })
}
