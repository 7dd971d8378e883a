use std::collections::BTreeMap;
use std::sync::Arc;

use linkspan_log::{LocalOptions, MemFs};
use linkspan_plugin::batch::SinkBatch;
use linkspan_types::{PartitionId, SystemClock, TopicId, TopicName, TopicPartition};
use linkspan_wire::{BatchBuilder, Compression, set_base_offset_and_epoch};

use super::*;
use crate::convert::Converters;
use crate::errors::ErrorPolicy;
use crate::schemas::SchemaRegistry;
use crate::stop::Pulse;
use crate::task::TaskShared;

fn builder(limit: usize) -> PutBuilder {
    let log = linkspan_log::open_local(
        Arc::new(MemFs::new()),
        Arc::new(SystemClock::default()),
        LocalOptions::new("/data"),
    )
    .unwrap();
    PutBuilder::new(
        SinkConverter::new(
            Arc::new(SchemaRegistry::default()),
            log,
            Converters::default(),
        ),
        None,
        limit,
        Retrier {
            task: Arc::new(TaskShared::new("c", 0, Pulse::default())),
            policy: Arc::new(ErrorPolicy::from_config(&BTreeMap::new(), "x").unwrap()),
        },
    )
}

/// `batches` record batches of `records` null records each, as one fetch.
fn fetched(batches: i64, records: i64) -> FetchedBatch {
    let mut bytes = Vec::new();
    for batch in 0..batches {
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..records {
            builder.push_plain(0, None, None).unwrap();
        }
        let mut encoded = builder.finish().unwrap();
        set_base_offset_and_epoch(&mut encoded, batch * records, i32::try_from(batch).unwrap())
            .unwrap();
        bytes.extend(encoded);
    }
    FetchedBatch {
        partition: TopicPartition::new(TopicName::try_new("t").unwrap(), PartitionId(0)),
        topic_id: TopicId([0; 16]),
        bytes: bytes.into(),
        from: Offset(0),
        next: Offset(batches * records),
        high_watermark: Offset(batches * records),
    }
}

#[test]
fn records_without_bytes_fill_a_put_too() {
    let mut builder = builder(10_000);
    let fetched = fetched(10, 100);
    let mut from = Offset(0);
    let mut puts = Vec::new();
    loop {
        let rest = builder.add(&fetched, from, |_, _| {}).unwrap();
        puts.push(builder.finish().unwrap().1);
        let Some(rest) = rest else { break };
        from = rest;
    }
    assert_eq!(
        puts,
        [400, 400, 200],
        "32 bytes of weight a record, whole batches"
    );
}

#[test]
fn reading_begins_inside_a_batch_and_hears_every_epoch() {
    let mut builder = builder(1 << 20);
    let mut epochs = Vec::new();
    let rest = builder
        .add(&fetched(3, 10), Offset(15), |base, epoch| {
            epochs.push((base.0, epoch.0))
        })
        .unwrap();
    assert_eq!(rest, None);
    assert_eq!(epochs, [(10, 1), (20, 2)]);
    let (bytes, records, _) = builder.finish().unwrap();
    assert_eq!(records, 15);
    let offsets: Vec<i64> = SinkBatch::parse(&bytes)
        .unwrap()
        .records()
        .map(|record| record.offset)
        .collect();
    assert_eq!(offsets, (15..30).collect::<Vec<_>>());
}
