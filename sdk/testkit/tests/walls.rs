//! Panic walls, cancellation, offsets and durability, through the same tables and bytes as a host's.

#![expect(clippy::panic, reason = "panics are what is tested")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use linkspan_sdk::prelude::*;
use linkspan_testkit::{TestHost, TestRecord};
use serde_json::json;

#[derive(Options)]
struct BadOptions {
    /// Where it panics.
    at: String,
}

/// Panics in the entry point that its option names.
struct Bad {
    at: String,
}

impl Bad {
    fn at(&self, place: &str) {
        assert!(self.at != place, "boom in {place}");
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.at("drop");
    }
}

impl SourceTask for Bad {
    type Options = BadOptions;

    async fn open(options: BadOptions, _ctx: SourceContext) -> Result<Self> {
        assert!(options.at != "open", "boom in open");
        Ok(Self { at: options.at })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.at("poll");
        if self.at == "late poll" {
            tokio::time::sleep(Duration::from_millis(5)).await;
            panic!("boom after a wait");
        }
        if self.at == "payload" {
            std::panic::panic_any(PanicsOnDrop);
        }
        out.to("t").utf8("x")?;
        Ok(Poll::More)
    }

    async fn close(&mut self) -> Result<()> {
        self.at("close");
        Ok(())
    }
}

/// A panic's payload whose destructor panics again.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("boom in the payload");
    }
}

impl SinkTask for Bad {
    type Options = BadOptions;

    async fn open(options: BadOptions, _ctx: SinkContext) -> Result<Self> {
        Ok(Self { at: options.at })
    }

    async fn assigned(&mut self, _partitions: &[Assigned]) -> Result<Seeks> {
        self.at("assigned");
        Ok(Seeks::none())
    }

    async fn put(&mut self, records: Records<'_>, _report: &mut Report) -> Result<Progress> {
        self.at("put");
        Ok(records.progress())
    }

    async fn flush(&mut self) -> Result<Progress> {
        self.at("flush");
        Ok(Progress::none())
    }

    async fn revoked(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        self.at("revoked");
        Ok(())
    }
}

fn panicked(error: &Error, message: &str) {
    assert_eq!(error.kind(), ErrorKind::Panicked, "{error:?}");
    assert!(error.message().contains(message), "{error:?}");
    assert!(error.message().contains("walls.rs:"), "{error:?}");
}

#[test]
fn a_source_may_panic_anywhere_and_the_host_lives() {
    for place in ["open", "poll", "close", "drop"] {
        let mut source = TestHost::source::<Bad>([("at", place)]);
        let error = source
            .open()
            .and_then(|()| source.poll().map(|_| ()))
            .and_then(|()| source.close());
        panicked(&error.unwrap_err(), &format!("boom in {place}"));
    }
    let mut source = TestHost::source::<Bad>([("at", "late poll")]);
    source.open().unwrap();
    panicked(&source.poll().unwrap_err(), "boom after a wait");
}

#[test]
fn a_payload_that_panics_too_is_contained() {
    let mut source = TestHost::source::<Bad>([("at", "payload")]);
    source.open().unwrap();
    panicked(&source.poll().unwrap_err(), "(no message)");
}

#[test]
fn a_poisoned_task_fails_fast() {
    let mut source = TestHost::source::<Bad>([("at", "poll")]);
    source.open().unwrap();
    panicked(&source.poll().unwrap_err(), "boom in poll");
    let again = source.poll().unwrap_err();
    assert_eq!(again.kind(), ErrorKind::Panicked);
    assert!(again.message().contains("panicked before"), "{again:?}");
    source.close().unwrap();
}

#[test]
fn a_sink_may_panic_anywhere_and_the_host_lives() {
    for place in ["assigned", "put", "flush", "revoked", "drop"] {
        let mut sink = TestHost::sink::<Bad>([("at", place)]);
        sink.open().unwrap();
        let error = sink
            .assign(&[("t", 0)])
            .and_then(|_| sink.put(&[TestRecord::new("t", "x")]))
            .and_then(|_| sink.revoke(&[("t", 0)]))
            .and_then(|_| sink.close());
        panicked(&error.unwrap_err(), &format!("boom in {place}"));
    }
}

static ENDED: AtomicUsize = AtomicUsize::new(0);

/// Waits for ever, and counts in the background.
struct Waits {
    ctx: SourceContext,
    polls: u32,
}

struct CountsEnd;

impl Drop for CountsEnd {
    fn drop(&mut self) {
        ENDED.fetch_add(1, Ordering::SeqCst);
    }
}

impl SourceTask for Waits {
    type Options = ();

    async fn open(_options: (), ctx: SourceContext) -> Result<Self> {
        ctx.spawn(async {
            let _end = CountsEnd;
            std::future::pending::<()>().await;
        })?;
        Ok(Self { ctx, polls: 0 })
    }

    async fn poll(&mut self, _out: &mut BatchBuilder) -> Result<Poll> {
        self.polls += 1;
        tracing::info!(
            polls = self.polls,
            task = self.ctx.task_index(),
            "poll begins"
        );
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(Poll::More)
    }
}

#[test]
fn a_waiting_poll_is_kept_until_stop_ends_it() {
    let mut source = TestHost::source::<Waits>([("x", "y")]).waiting(Duration::from_millis(20));
    source.open().unwrap();
    for _ in 0..3 {
        let polled = source.poll().unwrap();
        assert_eq!(
            (polled.poll, polled.seq, polled.records.len()),
            (Poll::Idle(Duration::ZERO), 0, 0)
        );
    }
    let begun: Vec<String> = source.log().into_iter().map(|line| line.message).collect();
    assert_eq!(
        begun,
        ["poll begins polls=1 task=0"],
        "one future for three calls"
    );

    let mut source = source.waiting(Duration::from_secs(60));
    let control = source.control().unwrap();
    let stopper = thread::spawn(move || control.stop());
    let started = Instant::now();
    assert_eq!(source.poll().unwrap_err().kind(), ErrorKind::Stopped);
    assert!(started.elapsed() < Duration::from_secs(5));
    stopper.join().unwrap();
    assert_eq!(source.poll().unwrap_err().kind(), ErrorKind::Stopped);
    source.close().unwrap();
    assert_eq!(
        ENDED.load(Ordering::SeqCst),
        1,
        "background work ended before close returned"
    );
}

#[derive(Options)]
struct NumbersOptions {
    topic: TopicName,
    #[option(default = "10")]
    count: u64,
}

/// Counts, with typed rows, stamps, keys and headers.
struct Numbers {
    options: NumbersOptions,
    next: u64,
    schema: RowSchema,
    durable: Durable,
}

impl SourceTask for Numbers {
    type Options = NumbersOptions;

    async fn open(options: NumbersOptions, ctx: SourceContext) -> Result<Self> {
        let schema = SchemaBuilder::structure()
            .field("n", SchemaBuilder::int64())
            .field("word", SchemaBuilder::string().optional());
        Ok(Self {
            options,
            next: ctx.offset("numbers").u64("next")?.unwrap_or(0),
            schema: ctx.register_schema(schema)?,
            durable: ctx.durable(),
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if self.next >= self.options.count {
            return Ok(Poll::Exhausted);
        }
        assert_eq!(
            self.durable.get().0 + 1,
            out.seq().0,
            "each batch was committed before the next"
        );
        out.stamp("numbers");
        while self.next < self.options.count && !out.is_full() {
            let n = i64::try_from(self.next)?;
            out.to(&self.options.topic)
                .partition(1)
                .key_json(&self.next)
                .timestamp(n)
                .header("h", Data::Utf8("v"))
                .row(&self.schema, |row| {
                    row.int64(0, n)?.string(1, "w")?;
                    Ok(())
                })?;
            self.next += 1;
        }
        out.offset("numbers", [("next", self.next)]);
        Ok(Poll::More)
    }
}

#[test]
fn offsets_and_typed_rows_survive_a_second_open() {
    let mut source = TestHost::source::<Numbers>([("topic", "t")]).asking(4, 1 << 20);
    source.open().unwrap();
    let first = source.poll().unwrap();
    assert_eq!(
        (first.records.len(), first.seq, first.poll),
        (4, 1, Poll::More)
    );
    let record = &first.records[3];
    assert_eq!(
        (record.key.text(), record.value.text()),
        ("3".to_owned(), r#"{"n":3,"word":"w"}"#.to_owned())
    );
    assert_eq!((record.partition, record.timestamp), (Some(1), Some(3)));
    assert_eq!(
        record.source_partition.as_deref(),
        Some(r#"{"partition":"numbers"}"#)
    );
    assert_eq!(record.headers, [("h".to_owned(), "v".into())]);
    source.commit(&first).unwrap();
    source.reopen().unwrap();
    assert_eq!(source.run(100).unwrap().len(), 6);
    assert_eq!(
        source.committed(&json!({"partition": "numbers"})),
        Some(json!({"next": 10}))
    );
}

#[test]
fn bad_options_are_all_told() {
    let mut source = TestHost::source::<Numbers>([("topic", "a b"), ("count", "many")]);
    let error = source.open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
    assert!(
        error.message().contains("`topic`") && error.message().contains("`count`"),
        "{error:?}"
    );
}

/// Reads rows by name and refuses some.
struct Sums {
    sum: i64,
}

impl SinkTask for Sums {
    type Options = ();

    async fn open(_options: (), _ctx: SinkContext) -> Result<Self> {
        Ok(Self { sum: 0 })
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let mut seeks = Seeks::none();
        for one in partitions.iter().filter(|one| !one.stored) {
            seeks.commit(one.topic_partition(), one.next, "begun");
        }
        Ok(seeks)
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        for record in &records {
            let n = record.row().and_then(|row| Ok(row.get("n")?.as_i64()));
            match n {
                Ok(Some(n)) => self.sum += n,
                Ok(None) => report.reject(&record, Error::data_invalid("`n` is null")),
                Err(error) => report.reject(&record, error),
            }
        }
        Ok(Progress::all(&records).with_metadata(&self.sum.to_string()))
    }
}

#[test]
fn a_sink_reads_rows_rejects_records_and_reports_progress() {
    let schema: Arc<Schema> = SchemaBuilder::structure()
        .field("n", SchemaBuilder::int64().optional())
        .into();
    let row = |n: Option<i64>| {
        let mut row = Struct::new(Arc::clone(&schema)).unwrap();
        row.put("n", n).unwrap();
        TestRecord::new("t", (&schema, Value::Struct(row)))
    };
    let mut sink = TestHost::sink::<Sums>([("x", "y")]);
    sink.open().unwrap();
    let seeks = sink.assign(&[("t", 0), ("t", 1)]).unwrap();
    assert_eq!(seeks.len(), 2);
    assert_eq!(sink.position("t", 1), Some((0, "begun")));
    let put = sink
        .put(&[
            row(Some(2)),
            row(Some(3)).partition(1),
            row(None),
            TestRecord::new("t", "text"),
        ])
        .unwrap();
    let refused: Vec<_> = put
        .rejected
        .iter()
        .map(|one| (one.partition, one.offset))
        .collect();
    assert_eq!(refused, [(0, 1), (0, 2)]);
    assert_eq!(put.rejected[0].error.message, "`n` is null");
    assert_eq!(sink.position("t", 0), Some((3, "5")));
    assert_eq!(sink.position("t", 1), Some((1, "5")));
    assert_eq!(sink.put(&[]).unwrap(), linkspan_testkit::Put::default());
    sink.close().unwrap();
}
