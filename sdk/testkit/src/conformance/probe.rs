//! A task between the shims and the task under test: panics where it is told to, and keeps `close` from it to play a crash.

use std::cell::Cell;

use linkspan_sdk::{
    Applied, Assigned, BatchBuilder, Poll, Progress, Records, Report, Result, Seeks, SinkContext,
    SinkTask, SourceContext, SourceTask, TopicPartition, Transform, TransformContext,
};

/// An entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Open,
    Poll,
    Assigned,
    Put,
    Flush,
    Revoked,
    Apply,
    Close,
}

impl Place {
    pub(super) const SOURCE: [Self; 3] = [Self::Open, Self::Poll, Self::Close];
    pub(super) const SINK: [Self; 6] = [
        Self::Open,
        Self::Assigned,
        Self::Put,
        Self::Flush,
        Self::Revoked,
        Self::Close,
    ];
    pub(super) const TRANSFORM: [Self; 3] = [Self::Open, Self::Apply, Self::Close];
}

thread_local! {
    /// All calls of a task are made by its check's thread.
    static PANICS_AT: Cell<Option<Place>> = const { Cell::new(None) };
    static CRASHED: Cell<bool> = const { Cell::new(false) };
}

/// Makes the entry point panic, once the task under test has done its part in it.
pub(super) fn panic_at(place: Option<Place>) {
    PANICS_AT.set(place);
}

/// Runs `drop_task` so that the task's `close` is not called.
pub(super) fn crash(drop_task: impl FnOnce()) {
    CRASHED.set(true);
    drop_task();
    CRASHED.set(false);
}

fn at(place: Place) {
    assert!(
        PANICS_AT.get() != Some(place),
        "a panic of the conformance suite in {place:?}"
    );
}

/// The task under test, watched.
#[derive(Debug)]
pub(super) struct Probe<T>(T);

impl<T: SourceTask> SourceTask for Probe<T> {
    type Options = T::Options;

    async fn open(options: T::Options, ctx: SourceContext) -> Result<Self> {
        let task = T::open(options, ctx).await?;
        at(Place::Open);
        Ok(Self(task))
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let polled = self.0.poll(out).await;
        at(Place::Poll);
        polled
    }

    async fn close(&mut self) -> Result<()> {
        if CRASHED.get() {
            return Ok(());
        }
        let closed = self.0.close().await;
        at(Place::Close);
        closed
    }
}

impl<T: SinkTask> SinkTask for Probe<T> {
    type Options = T::Options;

    async fn open(options: T::Options, ctx: SinkContext) -> Result<Self> {
        let task = T::open(options, ctx).await?;
        at(Place::Open);
        Ok(Self(task))
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let seeks = self.0.assigned(partitions).await;
        at(Place::Assigned);
        seeks
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let put = self.0.put(records, report).await;
        at(Place::Put);
        put
    }

    async fn flush(&mut self) -> Result<Progress> {
        let flushed = self.0.flush().await;
        at(Place::Flush);
        flushed
    }

    async fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        let revoked = self.0.revoked(partitions).await;
        at(Place::Revoked);
        revoked
    }

    async fn close(&mut self) -> Result<()> {
        if CRASHED.get() {
            return Ok(());
        }
        let closed = self.0.close().await;
        at(Place::Close);
        closed
    }
}

impl<T: Transform> Transform for Probe<T> {
    type Options = T::Options;

    async fn open(options: T::Options, ctx: TransformContext) -> Result<Self> {
        let step = T::open(options, ctx).await?;
        at(Place::Open);
        Ok(Self(step))
    }

    async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()> {
        let applied = self.0.apply(records, out).await;
        at(Place::Apply);
        applied
    }

    async fn close(&mut self) -> Result<()> {
        if CRASHED.get() {
            return Ok(());
        }
        let closed = self.0.close().await;
        at(Place::Close);
        closed
    }
}
