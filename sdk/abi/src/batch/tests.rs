use std::{collections::HashMap, sync::Arc};

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    arbitrary::{any_typed, maybe},
    error::BatchError,
    row::write_value,
    schema::{NoSchemas, Schema, SchemaLookup},
};

#[derive(Debug, Default)]
struct Schemas(HashMap<u32, Arc<Schema>>);

impl SchemaLookup for Schemas {
    fn schema(&self, handle: u32) -> Option<Arc<Schema>> {
        self.0.get(&handle).cloned()
    }
}

/// A value that owns its bytes.
#[derive(Debug, Clone)]
enum Owned {
    Null,
    Bytes(Vec<u8>),
    Utf8(String),
    Json(String),
    Typed(u32, Vec<u8>),
}

impl Owned {
    fn data(&self) -> Data<'_> {
        match self {
            Self::Null => Data::Null,
            Self::Bytes(v) => Data::Bytes(v),
            Self::Utf8(v) => Data::Utf8(v),
            Self::Json(v) => Data::Json(v.as_bytes()),
            Self::Typed(schema, row) => Data::Typed {
                schema: *schema,
                row,
            },
        }
    }
}

#[derive(Debug, Clone)]
struct Record {
    topic: usize,
    partition: i32,
    source: Option<usize>,
    timestamp: Option<i64>,
    key: Owned,
    value: Owned,
    headers: Vec<(String, Owned)>,
}

fn any_owned(typed: Vec<Vec<u8>>) -> impl Strategy<Value = Owned> {
    prop_oneof![
        Just(Owned::Null),
        vec(any::<u8>(), 0..50).prop_map(Owned::Bytes),
        "\\PC{0,20}".prop_map(Owned::Utf8),
        Just(Owned::Json("{\"a\":1}".to_owned())),
        any::<prop::sample::Index>().prop_map(move |index| {
            let at = index.index(typed.len());
            Owned::Typed(u32::try_from(at).unwrap(), typed[at].clone())
        }),
    ]
}

fn any_record(typed: Vec<Vec<u8>>) -> impl Strategy<Value = Record> {
    let owned = any_owned(typed);
    let owned = owned.boxed();
    (
        0..3_usize,
        -1..5_i32,
        maybe(0..3_usize),
        maybe(any::<i64>()),
        owned.clone(),
        owned.clone(),
        vec(("\\PC{0,8}", owned), 0..3),
    )
        .prop_map(
            |(topic, partition, source, timestamp, key, value, headers)| Record {
                topic,
                partition,
                source,
                timestamp,
                key,
                value,
                headers,
            },
        )
}

fn any_records() -> impl Strategy<Value = (Arc<Vec<Arc<Schema>>>, Vec<Record>)> {
    vec(any_typed(), 1..4).prop_flat_map(|typed| {
        let rows = typed
            .iter()
            .map(|(schema, value)| {
                let mut row = Vec::new();
                write_value(schema, value, &mut row).unwrap();
                row
            })
            .collect();
        let schemas = typed.into_iter().map(|(schema, _)| schema).collect();
        (Just(Arc::new(schemas)), vec(any_record(rows), 0..12))
    })
}

fn lookup(schemas: &[Arc<Schema>]) -> Schemas {
    Schemas(
        schemas
            .iter()
            .enumerate()
            .map(|(n, schema)| (u32::try_from(n).unwrap(), Arc::clone(schema)))
            .collect(),
    )
}

const TOPICS: [&str; 3] = ["a", "orders", "flights.2013"];
const PARTITIONS: [&str; 3] = ["{\"partition\":\"clock\"}", "{\"filename\":\"x\"}", "{}"];

fn write(writer: &mut SourceBatchWriter, records: &[Record]) -> Vec<u8> {
    for record in records {
        let topic = writer.topic(TOPICS[record.topic]).unwrap();
        let source = record.source.map_or(NO_SOURCE_PARTITION, |source| {
            writer.source_partition(PARTITIONS[source]).unwrap()
        });
        writer
            .record(
                topic,
                record.partition,
                source,
                record.timestamp,
                record.key.data(),
                record.value.data(),
                record
                    .headers
                    .iter()
                    .map(|(name, data)| (name.as_str(), data.data())),
            )
            .unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #[test]
    fn a_source_batch_survives_the_round_trip((schemas, records) in any_records()) {
        let mut writer = SourceBatchWriter::new();
        for _ in 0..2 {
            let bytes = write(&mut writer, &records);
            let batch = SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &lookup(&schemas)).unwrap();
            prop_assert_eq!(batch.records().len(), records.len());
            for (read, wrote) in batch.records().zip(&records) {
                prop_assert_eq!(batch.topics()[usize::from(read.topic)], TOPICS[wrote.topic]);
                prop_assert_eq!(read.partition, wrote.partition);
                prop_assert_eq!(read.timestamp, wrote.timestamp);
                prop_assert_eq!(read.key, wrote.key.data());
                prop_assert_eq!(read.value, wrote.value.data());
                let source = usize::try_from(read.source_partition).ok()
                    .and_then(|source| batch.source_partitions().get(source));
                prop_assert_eq!(source.map(|entry| entry.partition), wrote.source.map(|source| PARTITIONS[source]));
                let headers: Vec<_> = read.headers.collect();
                let wrote: Vec<_> = wrote.headers.iter().map(|(name, data)| (name.as_str(), data.data())).collect();
                prop_assert_eq!(headers, wrote);
            }
        }
    }

    #[test]
    fn a_sink_batch_survives_the_round_trip((_, records) in any_records(), base in 0..i64::MAX / 2) {
        let mut writer = SinkBatchWriter::new();
        for record in &records {
            let key = GroupKey {
                topic: TOPICS[record.topic],
                original_topic: "a",
                topic_id: [7; 16],
                partition: record.partition,
                leader_epoch: 3,
                timestamp_type: 0,
            };
            writer.begin_group(&key, base).unwrap();
            for offset in [base + 1, base + (1 << 40)] {
                let headers = record.headers.iter().map(|(name, data)| (name.as_str(), data.data()));
                writer.record(offset, record.timestamp, record.key.data(), record.value.data(), headers).unwrap();
            }
        }
        let bytes = writer.finish().unwrap();
        let batch = SinkBatch::parse(&bytes).unwrap();
        prop_assert_eq!(batch.records().len(), records.len() * 2);
        for (n, read) in batch.records().enumerate() {
            let wrote = &records[n / 2];
            prop_assert_eq!(read.topic, TOPICS[wrote.topic]);
            prop_assert_eq!(read.partition, wrote.partition);
            prop_assert_eq!(read.offset, if n % 2 == 0 { base + 1 } else { base + (1 << 40) });
            prop_assert_eq!(read.key, wrote.key.data());
            prop_assert_eq!(read.value, wrote.value.data());
            prop_assert_eq!(read.headers.len(), wrote.headers.len());
            prop_assert_eq!(batch.groups()[usize::try_from(read.group).unwrap()].partition, read.partition);
        }
    }

    #[test]
    fn changed_batches_never_panic(
        (schemas, records) in any_records(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in maybe(any::<prop::sample::Index>()),
    ) {
        let mut bytes = write(&mut SourceBatchWriter::new(), &records);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_all(&bytes, &lookup(&schemas));
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_all(&bytes, &NoSchemas);
        let mut framed = bytes;
        for (at, byte) in [28_u8, 0, 1, 0].into_iter().enumerate() {
            if let Some(slot) = framed.get_mut(at) {
                *slot = byte;
            }
        }
        read_all(&framed, &NoSchemas);
    }
}

fn read_headers(headers: Headers<'_>) {
    assert_eq!(headers.len(), headers.count());
}

/// Reads whatever the checkers accept.
fn read_all(bytes: &[u8], schemas: &dyn SchemaLookup) {
    if let Ok(batch) = SourceBatch::parse_and_validate(bytes, &Limits::DEFAULT, schemas) {
        let mut seen = 0;
        for record in batch.records() {
            assert!(usize::from(record.topic) < batch.topics().len());
            seen += 1;
            read_headers(record.headers);
        }
        assert_eq!(seen, usize::try_from(batch.len()).unwrap());
    }
    if let Ok(batch) = SinkBatch::parse(bytes) {
        let mut seen = 0;
        for record in batch.records() {
            seen += 1;
            read_headers(record.headers);
        }
        assert_eq!(seen, usize::try_from(batch.len()).unwrap());
    }
}

#[test]
fn every_cut_is_refused() {
    let mut writer = SourceBatchWriter::new();
    let topic = writer.topic("t").unwrap();
    let source = writer
        .source_partition_offset("{\"p\":1}", "{\"o\":1}")
        .unwrap();
    let header = [("h", Data::Utf8("x"))];
    for _ in 0..3 {
        writer
            .record(
                topic,
                -1,
                source,
                Some(1),
                Data::Null,
                Data::Utf8("v"),
                header.into_iter(),
            )
            .unwrap();
    }
    let bytes = writer.finish().unwrap();
    for cut in 0..bytes.len() {
        assert!(
            SourceBatch::parse_and_validate(&bytes[..cut], &Limits::DEFAULT, &NoSchemas).is_err(),
            "{cut}"
        );
    }
}

#[test]
fn the_last_offset_of_a_partition_wins() {
    let mut writer = SourceBatchWriter::new();
    for n in 0..5 {
        writer
            .source_partition_offset("{\"p\":1}", &format!("{{\"o\":{n}}}"))
            .unwrap();
    }
    writer.delete_offset("{\"p\":2}").unwrap();
    writer.source_partition("{\"p\":3}").unwrap();
    writer.set_flags(IDLE | END);
    writer.poll_after(250);
    let bytes = writer.finish().unwrap();
    let batch = SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &NoSchemas).unwrap();
    let entry = |partition, offset| SourcePartition { partition, offset };
    assert_eq!(
        batch.source_partitions(),
        [
            entry("{\"p\":1}", OffsetChange::Set("{\"o\":4}")),
            entry("{\"p\":2}", OffsetChange::Delete),
            entry("{\"p\":3}", OffsetChange::Unchanged),
        ]
    );
    assert_eq!((batch.flags(), batch.poll_after_ms()), (IDLE | END, 250));
    assert!(writer.is_empty());
}

#[test]
fn a_record_without_value_is_taken_back() {
    let mut writer = SourceBatchWriter::new();
    let topic = writer.topic("t").unwrap();
    let mut record = writer.begin(topic, NO_SOURCE_PARTITION).unwrap();
    record.header("h", Data::Utf8("late")).unwrap();
    drop(record);
    let failed: Result<(), BatchError> = writer
        .begin(topic, NO_SOURCE_PARTITION)
        .unwrap()
        .value_with(Encoding::Json, |_| {
            Err(BatchError::Malformed {
                what: "mine",
                at: 0,
            })
        });
    assert!(failed.is_err());
    let mut record = writer.begin(topic, NO_SOURCE_PARTITION).unwrap();
    record.partition(4);
    record.timestamp(99);
    record.header("h", Data::Json(b"1")).unwrap();
    record
        .key_with(Encoding::Utf8, |out| {
            out.extend_from_slice(b"key");
            Ok::<(), BatchError>(())
        })
        .unwrap();
    assert!(record.key(Data::Null).is_err());
    record.value(Data::Bytes(b"value")).unwrap();
    assert_eq!(writer.count(), 1);
    let bytes = writer.finish().unwrap();
    let batch = SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &NoSchemas).unwrap();
    let record = batch.records().next().unwrap();
    assert_eq!((record.partition, record.timestamp), (4, Some(99)));
    assert_eq!(
        (record.key, record.value),
        (Data::Utf8("key"), Data::Bytes(b"value"))
    );
    assert_eq!(
        record.headers.collect::<Vec<_>>(),
        [("h", Data::Json(b"1"))]
    );
}

#[test]
fn faults_are_named() {
    let check = |expected: &str, write: &dyn Fn(&mut SourceBatchWriter)| {
        let mut writer = SourceBatchWriter::new();
        write(&mut writer);
        let bytes = writer.finish().unwrap();
        let error =
            SourceBatch::parse_and_validate(&bytes, &Limits::DEFAULT, &NoSchemas).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    check("record 0 names the unknown schema handle 9", &|writer| {
        let topic = writer.topic("t").unwrap();
        let typed = Data::Typed {
            schema: 9,
            row: &[],
        };
        writer
            .record(
                topic,
                0,
                NO_SOURCE_PARTITION,
                None,
                Data::Null,
                typed,
                std::iter::empty(),
            )
            .unwrap();
    });
    check(
        "a source partition or offset is not a JSON object at byte 28",
        &|writer| {
            writer.source_partition("[1]").unwrap();
        },
    );
    check("a record has a negative partition at byte 28", &|writer| {
        let topic = writer.topic("t").unwrap();
        writer
            .record(
                topic,
                -2,
                NO_SOURCE_PARTITION,
                None,
                Data::Null,
                Data::Null,
                std::iter::empty(),
            )
            .unwrap();
    });
    check(
        "a record names a source outside of the table at byte 28",
        &|writer| {
            let topic = writer.topic("t").unwrap();
            writer
                .record(
                    topic,
                    0,
                    5,
                    None,
                    Data::Null,
                    Data::Null,
                    std::iter::empty(),
                )
                .unwrap();
        },
    );
    check(
        "the batch is mapped where it must not be, or not where it must at byte 4",
        &|writer| {
            writer.set_mapped();
        },
    );
}

#[test]
fn a_mapped_batch_names_its_inputs() {
    let mut writer = SourceBatchWriter::new();
    writer.set_mapped();
    let topic = writer.topic("t").unwrap();
    writer
        .record(
            topic,
            0,
            1,
            None,
            Data::Null,
            Data::Null,
            std::iter::empty(),
        )
        .unwrap();
    let bytes = writer.finish().unwrap();
    let batch = SourceBatch::parse_mapped(&bytes, 2, &Limits::DEFAULT, &NoSchemas).unwrap();
    assert_eq!(batch.records().next().unwrap().source_partition, 1);
    assert!(SourceBatch::parse_mapped(&bytes, 1, &Limits::DEFAULT, &NoSchemas).is_err());
}

#[test]
fn a_longer_header_is_skipped_and_a_newer_format_refused() {
    let mut writer = SourceBatchWriter::new();
    let topic = writer.topic("t").unwrap();
    writer
        .record(
            topic,
            0,
            NO_SOURCE_PARTITION,
            None,
            Data::Null,
            Data::Utf8("v"),
            std::iter::empty(),
        )
        .unwrap();
    let bytes = writer.finish().unwrap();
    let mut longer = bytes.clone();
    longer.splice(28..28, [1, 2, 3, 4]);
    longer[0] = 32;
    let tables_at = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) + 4;
    longer[24..28].copy_from_slice(&tables_at.to_le_bytes());
    let batch = SourceBatch::parse_and_validate(&longer, &Limits::DEFAULT, &NoSchemas).unwrap();
    assert_eq!(batch.records().next().unwrap().value, Data::Utf8("v"));
    let mut newer = bytes;
    newer[2] = 2;
    let error = SourceBatch::parse_and_validate(&newer, &Limits::DEFAULT, &NoSchemas).unwrap_err();
    assert_eq!(
        error,
        BatchError::Format {
            found: 2,
            supported: 1
        }
    );
}

/// The bytes of format 1, as the first version wrote them.
#[test]
fn format_1_is_frozen() {
    let mut writer = SourceBatchWriter::new();
    let topic = writer.topic("t").unwrap();
    let source = writer.source_partition_offset("{}", "{\"n\":1}").unwrap();
    let header = [("h", Data::Json(b"1"))];
    writer
        .record(
            topic,
            2,
            source,
            Some(3),
            Data::Utf8("k"),
            Data::Bytes(b"v"),
            header.into_iter(),
        )
        .unwrap();
    let hex: String = writer
        .finish()
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let expected = concat!(
        "1c0001000000000000000000",
        "01000000",
        "01000000",
        "01000000",
        "4a000000",
        "2a000000",
        "0000",
        "02000000",
        "00000000",
        "01",
        "0300000000000000",
        "02010000006b",
        "010100000076",
        "0100",
        "010068",
        "030100000031",
        "010074",
        "020000007b7d",
        "00",
        "070000007b226e223a317d",
    );
    assert_eq!(hex, expected);
}
