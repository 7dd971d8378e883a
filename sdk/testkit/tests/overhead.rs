//! What a poll costs, printed: `cargo test --release -p linkspan-testkit --test overhead -- --nocapture`.

use std::time::{Duration, Instant};

use linkspan_sdk::prelude::*;
use linkspan_testkit::{TestHost, TestRecord};

const RECORDS: u32 = 1_000;
const ROUNDS: u32 = 200;

/// Hands out batches of `records` records of 100 bytes.
struct Flood {
    topic: TopicName,
    records: u32,
}

#[derive(Options)]
struct FloodOptions {
    topic: TopicName,
    records: u32,
}

impl SourceTask for Flood {
    type Options = FloodOptions;

    async fn open(options: FloodOptions, _ctx: SourceContext) -> Result<Self> {
        Ok(Self {
            topic: options.topic,
            records: options.records,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        for _ in 0..self.records {
            out.to(&self.topic)
                .key_bytes(&[7; 16])
                .bytes(&[b'x'; 100])?;
        }
        Ok(Poll::More)
    }
}

/// Takes records and looks at each.
struct Drain;

impl SinkTask for Drain {
    type Options = ();

    async fn open(_options: (), _ctx: SinkContext) -> Result<Self> {
        Ok(Self)
    }

    async fn put(&mut self, records: Records<'_>, _report: &mut Report) -> Result<Progress> {
        let mut bytes = 0;
        for record in &records {
            bytes += record.value().as_bytes().map_or(0, <[u8]>::len);
        }
        assert!(bytes > 0, "records are not empty");
        Ok(records.progress())
    }
}

fn best(mut run: impl FnMut()) -> Duration {
    (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            run();
            started.elapsed()
        })
        .min()
        .unwrap_or_default()
}

#[test]
fn a_poll_costs_little() {
    use linkspan_sdk::__private::{Class, LocalTask};

    // A host must be there before a task opens.
    let _host = TestHost::source::<Flood>([("topic", "t")]);
    let make = |records: u32| {
        let start = format!(r#"{{"config":{{"topic":"t","records":"{records}"}}}}"#);
        let mut task = LocalTask::create(&Class::source::<Flood>("flood"), 1, &start).unwrap();
        task.open().unwrap();
        task
    };
    let mut one = make(1);
    let single = best(|| {
        for _ in 0..100 {
            assert_eq!(one.poll(1, 1 << 20, 1_000).unwrap().count, 1);
        }
    }) / 100;
    let mut many = make(RECORDS);
    let batch = best(|| assert_eq!(many.poll(RECORDS, 1 << 20, 1_000).unwrap().count, RECORDS));
    println!(
        "poll of one record {single:?}, of {RECORDS} x 100 B {:?} a record",
        batch / RECORDS
    );

    let mut sink = TestHost::sink::<Drain>([("x", "y")]);
    sink.open().unwrap();
    let records: Vec<_> = (0..RECORDS)
        .map(|_| TestRecord::new("t", [b'x'; 100].as_slice()))
        .collect();
    assert_eq!(sink.put(&records).unwrap().progress.len(), 1);
    // Loose on purpose: a debug build on a busy machine passes too.
    assert!(single < Duration::from_millis(1), "{single:?}");
}
