//! Record batches of a real Kafka broker, read by our codec.
//!
//! Each pair `NAME.log` + `NAME.json` in `tests/golden/log/segments` is one vector; files may be added at any time.
//!
//! - class `good` (`batches` in the JSON): every header field and every record is equal.
//! - class `encode` (the same files): batches whose encoding is fully determined come out of our builder byte for byte.
//! - class `bad` (`expected` in the JSON): the verdict and the good prefix are equal. Where the vector says `mayReject`,
//!   a refusal that names its reason passes too and is listed as a difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::Failed;
use linkspan_wire::{
    Batch, BatchBuilder, Batches, Compression, ControlKey, Record, TimestampType,
    set_base_offset_and_epoch, set_producer,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::json::{chain, encoded, field, list, number, same, text};
use crate::suite::{Outcome, Suite};

type Checked = Result<(), Failed>;

pub(crate) fn add(suite: &mut Suite, dir: &Path) {
    let names = match vector_names(dir) {
        Ok(names) if !names.is_empty() => names,
        Ok(_) => return suite.broken("segments", format!("no vector in {}", dir.display())),
        Err(error) => return suite.broken("segments", format!("{}: {error}", dir.display())),
    };
    for name in names {
        let vector = match Vector::load(&dir.join(&name)) {
            Ok(vector) => vector,
            Err(error) => {
                suite.broken(&name, error.message().unwrap_or("?").to_owned());
                continue;
            }
        };
        if vector.json.get("expected").is_some() {
            suite.case("bad", &name, move || check_bad(&vector));
            continue;
        }
        if has_determined_batch(&vector) {
            let vector = Arc::clone(&vector);
            suite.case("encode", &name, move || check_encode(&vector));
        }
        suite.case("good", &name, move || check_good(&vector));
    }
}

/// The names of all vectors: a `.log` without its `.json`, or the other way round, fails when it is loaded.
fn vector_names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json" || extension == "log")
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            names.push(stem.to_owned());
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

struct Vector {
    bytes: Vec<u8>,
    json: Value,
}

impl Vector {
    fn load(path: &Path) -> Result<Arc<Self>, Failed> {
        let read = |extension: &str| -> Result<(PathBuf, Vec<u8>), Failed> {
            let mut file = path.as_os_str().to_owned();
            file.push(extension);
            let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            Ok((file.into(), bytes))
        };
        let (json_path, json) = read(".json")?;
        let json = serde_json::from_slice(&json)
            .map_err(|error| format!("{}: {error}", json_path.display()))?;
        Ok(Arc::new(Self {
            bytes: read(".log")?.1,
            json,
        }))
    }

    /// Makes sure that the bytes are the recorded ones.
    fn check_identity(&self) -> Checked {
        same("bytes", &self.bytes.len(), &number(&self.json, "bytes")?)?;
        same(
            "sha256",
            &Value::from(sha256(&self.bytes)),
            field(&self.json, "sha256")?,
        )
    }
}

fn check_bad(vector: &Vector) -> Result<Outcome, Failed> {
    vector.check_identity()?;
    let expected = field(&vector.json, "expected")?;
    let verdict = text(expected, "verdict")?;
    let batches: usize = number(expected, "validBatches")?;
    let bytes: usize = number(expected, "validBytes")?;

    let found = judge(&vector.bytes);
    let equal = found.verdict == verdict && found.batches == batches && found.bytes == bytes;
    if equal {
        if verdict == "ok"
            && let Some(records) = vector.json.pointer("/kafka/fileRecords/records")
        {
            same("records", &Value::from(found.records), records)?;
        }
        return Ok(Outcome::Same);
    }
    let may_reject = expected.get("mayReject") == Some(&Value::Bool(true));
    let about = format!(
        "expected `{verdict}` after {batches} batches and {bytes} bytes, found `{}` after {} and {}",
        found.verdict, found.batches, found.bytes
    );
    match found.refusal {
        Some(reason) if may_reject && found.bytes <= bytes => Ok(Outcome::Differs {
            rule: format!("Kafka accepts it, we refuse it as `{}`", found.verdict),
            about: reason,
        }),
        Some(reason) => Err(format!("{about}: {reason}").into()),
        None => Err(about.into()),
    }
}

/// How far a file can be read, and why not further.
struct Judgement {
    verdict: &'static str,
    batches: usize,
    bytes: usize,
    records: usize,
    refusal: Option<String>,
}

fn judge(bytes: &[u8]) -> Judgement {
    let mut found = Judgement {
        verdict: "ok",
        batches: 0,
        bytes: 0,
        records: 0,
        refusal: None,
    };
    let mut batches = Batches::verified(bytes);
    let mut scratch = Vec::new();
    while let Some(batch) = batches.next() {
        let records = batch.and_then(|batch| {
            batch
                .records(&mut scratch)?
                .try_fold(0, |count, record| record.map(|_| count + 1))
        });
        match records {
            Ok(records) => {
                found.records += records;
                found.batches += 1;
                found.bytes = batches.position();
            }
            Err(error) => {
                found.verdict = error.class().as_str();
                found.refusal = Some(error.to_string());
                return found;
            }
        }
    }
    if batches.is_truncated() {
        found.verdict = "truncated";
    }
    found
}

fn check_good(vector: &Vector) -> Result<Outcome, Failed> {
    vector.check_identity()?;
    let expected = list(&vector.json, "batches")?;
    let mut batches = Batches::verified(&vector.bytes);
    for (at, expected) in expected.iter().enumerate() {
        let position = batches.position();
        let Some(batch) = batches.next() else {
            return Err(format!("only {at} batches found").into());
        };
        check_batch(&batch.map_err(chain)?, position, expected)
            .map_err(|failure| format!("batch {at}: {}", failure.message().unwrap_or("?")))?;
    }
    same("batches behind the last", &batches.next().is_some(), &false)?;
    same("bytes read", &batches.position(), &vector.bytes.len())?;
    Ok(Outcome::Same)
}

fn check_batch(batch: &Batch<'_>, position: usize, expected: &Value) -> Checked {
    let header = batch.header();
    let compression = header.compression().map_err(chain)?;
    let timestamp_type = match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let found: [(&str, Value); 19] = [
        ("position", position.into()),
        ("baseOffset", header.base_offset.into()),
        ("lastOffset", header.last_offset().into()),
        ("size", header.size().into()),
        ("leaderEpoch", header.leader_epoch.into()),
        ("magic", header.magic.into()),
        ("crc", header.crc.into()),
        ("attributes", header.attributes.into()),
        ("compression", compression.as_str().into()),
        ("timestampType", timestamp_type.into()),
        ("isTransactional", header.is_transactional().into()),
        ("isControl", header.is_control().into()),
        ("deleteHorizonMs", header.delete_horizon_ms().into()),
        ("baseTimestamp", header.base_timestamp.into()),
        ("maxTimestamp", header.max_timestamp.into()),
        ("producerId", header.producer_id.into()),
        ("producerEpoch", header.producer_epoch.into()),
        ("baseSequence", header.base_sequence.into()),
        ("lastSequence", header.last_sequence().into()),
    ];
    for (name, value) in &found {
        same(name, value, field(expected, name)?)?;
    }
    same(
        "count",
        &Value::from(header.record_count),
        field(expected, "count")?,
    )?;
    same("bytes", &batch.bytes().len(), &header.size())?;

    let expected = list(expected, "records")?;
    let mut scratch = Vec::new();
    let mut records = batch.records(&mut scratch).map_err(chain)?;
    for (at, expected) in expected.iter().enumerate() {
        let record = records
            .next()
            .ok_or_else(|| format!("only {at} records found"))?;
        check_record(&record.map_err(chain)?, expected)
            .map_err(|failure| format!("record {at}: {}", failure.message().unwrap_or("?")))?;
    }
    same("records behind the last", &records.next().is_some(), &false)
}

fn check_record(record: &Record<'_>, expected: &Value) -> Checked {
    same(
        "offset",
        &Value::from(record.offset),
        field(expected, "offset")?,
    )?;
    same(
        "timestamp",
        &Value::from(record.timestamp),
        field(expected, "timestamp")?,
    )?;
    same(
        "sequence",
        &Value::from(record.sequence),
        field(expected, "sequence")?,
    )?;
    same("key", &encoded(record.key), field(expected, "key")?)?;
    if let Some(length) = expected.get("valueLen") {
        let value = record.value.unwrap_or_default();
        same("valueLen", &Value::from(value.len()), length)?;
        same(
            "valueSha256",
            &Value::from(sha256(value)),
            field(expected, "valueSha256")?,
        )?;
    } else {
        same("value", &encoded(record.value), field(expected, "value")?)?;
    }
    let headers: Vec<Value> = record
        .headers
        .map(|(name, value)| {
            Value::from(vec![String::from_utf8_lossy(name).into(), encoded(value)])
        })
        .collect();
    same(
        "headers",
        &Value::from(headers),
        field(expected, "headers")?,
    )?;
    expected
        .get("control")
        .map_or(Ok(()), |control| check_control(record, control))
}

fn check_control(record: &Record<'_>, expected: &Value) -> Checked {
    let key = record
        .key
        .and_then(ControlKey::parse)
        .ok_or("no control key")?;
    same(
        "keyVersion",
        &Value::from(key.version),
        field(expected, "keyVersion")?,
    )?;
    same("typeId", &Value::from(key.kind), field(expected, "typeId")?)?;
    if let Some(epoch) = expected.get("coordinatorEpoch") {
        let found = record
            .value
            .and_then(|value| value.get(2..6))
            .and_then(|bytes| bytes.first_chunk::<4>())
            .map(|bytes| i32::from_be_bytes(*bytes));
        same("coordinatorEpoch", &Value::from(found), epoch)?;
    }
    Ok(())
}

fn check_encode(vector: &Vector) -> Result<Outcome, Failed> {
    let mut builder = BatchBuilder::new(Compression::None);
    for batch in Batches::verified(&vector.bytes) {
        let batch = batch.map_err(chain)?;
        let Some(records) = determined(&batch) else {
            continue;
        };
        for record in records {
            builder
                .push(record.timestamp, record.key, record.value, record.headers)
                .map_err(chain)?;
        }
        let header = batch.header();
        let mut bytes = builder.finish().map_err(chain)?;
        set_base_offset_and_epoch(&mut bytes, header.base_offset, header.leader_epoch)
            .map_err(chain)?;
        if (
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        ) != (-1, -1, -1)
        {
            set_producer(
                &mut bytes,
                header.producer_id,
                header.producer_epoch,
                header.base_sequence,
            )
            .map_err(chain)?;
        }
        if bytes != batch.bytes() {
            let at = bytes
                .iter()
                .zip(batch.bytes())
                .take_while(|(ours, theirs)| ours == theirs);
            let at = at.count();
            return Err(format!(
                "batch at offset {} differs at byte {at}",
                header.base_offset
            )
            .into());
        }
    }
    Ok(Outcome::Same)
}

fn has_determined_batch(vector: &Vector) -> bool {
    Batches::verified(&vector.bytes)
        .flatten()
        .any(|batch| determined(&batch).is_some())
}

/// Returns the records of a batch that has only one encoding: as its producer wrote it, plain, never cleaned or stamped by the broker.
fn determined<'a>(batch: &Batch<'a>) -> Option<Vec<Record<'a>>> {
    let header = batch.header();
    if header.attributes != 0 {
        return None;
    }
    let records: Vec<_> = batch
        .plain_records()
        .ok()??
        .collect::<Result<_, _>>()
        .ok()?;
    let whole = records.len() == usize::try_from(header.last_offset_delta).ok()? + 1
        && records.first()?.timestamp == header.base_timestamp;
    whole.then_some(records)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
