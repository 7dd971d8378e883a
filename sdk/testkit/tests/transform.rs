//! Transforms through the table: kept, emitted and filtered records, with the mapping to their inputs.

use linkspan_abi::{
    BatchRef, RSlice,
    batch::{Data, GroupKey, Limits, SinkBatchWriter, SourceBatch},
    schema::NoSchemas,
};
use linkspan_sdk::{
    __private::{Class, LocalTask},
    prelude::*,
};

/// Keeps even values, doubles those that are 4, filters odd ones.
struct Even;

impl Transform for Even {
    type Options = ();

    async fn open(_options: (), _ctx: TransformContext) -> Result<Self> {
        Ok(Self)
    }

    async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()> {
        for record in records {
            let n: u64 = record.value_json()?;
            if n % 2 == 0 {
                out.keep(&record)?;
            }
            if n == 4 {
                out.emit(&record, "fours").key_utf8("k").json(&n)?;
            }
        }
        Ok(())
    }
}

#[test]
fn every_record_remembers_its_input() {
    let mut writer = SinkBatchWriter::new();
    let key = GroupKey {
        topic: "t",
        original_topic: "t",
        topic_id: [0; 16],
        partition: 0,
        leader_epoch: 0,
        timestamp_type: 0,
    };
    writer.begin_group(&key, 0).unwrap();
    for (offset, value) in ["1", "2", "3", "4"].into_iter().enumerate() {
        let headers = [("h", Data::Utf8("v"))];
        let offset = i64::try_from(offset).unwrap();
        writer
            .record(
                offset,
                Some(7),
                Data::Null,
                Data::Json(value.as_bytes()),
                headers.into_iter(),
            )
            .unwrap();
    }
    let bytes = writer.finish().unwrap();

    let start = r#"{"connector":"c","task":0,"class":"even","config":{}}"#;
    let mut task = LocalTask::create(&Class::transform::<Even>("even"), 1, start).unwrap();
    task.open().unwrap();
    for _ in 0..2 {
        let batch = BatchRef {
            format: 1,
            count: 4,
            seq: 1,
            bytes: RSlice::from_slice(&bytes),
        };
        let answer = task.apply(batch).unwrap();
        let batch =
            SourceBatch::parse_mapped(&answer.bytes, 4, &Limits::DEFAULT, &NoSchemas).unwrap();
        let got: Vec<_> = batch
            .records()
            .map(|one| {
                (
                    one.source_partition,
                    batch.topics()[usize::from(one.topic)],
                    one.value,
                    one.timestamp,
                    one.headers.len(),
                )
            })
            .collect();
        assert_eq!(
            got,
            [
                (1, "t", Data::Json(b"2"), Some(7), 1),
                (3, "t", Data::Json(b"4"), Some(7), 1),
                (3, "fours", Data::Json(b"4"), None, 0),
            ]
        );
    }
    assert_eq!(
        task.put(BatchRef {
            format: 1,
            count: 0,
            seq: 1,
            bytes: RSlice::from_slice(&bytes)
        })
        .unwrap_err()
        .kind(),
        ErrorKind::Unsupported
    );
    task.close().unwrap();
    assert!(task.open().is_err());
}
