//! The thread of one source task.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use linkspan_log::Producer;
use linkspan_plugin::batch::{self, Limits, SourceBatch};
use linkspan_plugin::{PluginError, SourceBuf, Task};
use tokio::sync::mpsc;

use super::acks::{self, Submitted};
use super::aside::SourceAside;
use super::assemble::{Assembled, Assembler};
use super::flight::Flight;
use super::thrift::{self, Thrift};
use super::transaction::Transaction;
use crate::budget::Share;
use crate::connector::{Backoff, TaskContext};
use crate::convert::SourceConverter;
use crate::error::TaskError;
use crate::task::TaskShared;

/// Longest that one `poll` may wait inside the plugin; a stop ends the wait earlier.
const POLL_WAIT: Duration = Duration::from_secs(5);
/// What one commit weighs beyond its bytes, so that many tiny ones are bounded too.
const COMMIT_WEIGHT: usize = 4096;

/// Runs one life of a source task, from `open` to `close`. Returns when it is exhausted or told to stop.
pub(crate) fn run(ctx: &TaskContext, producer: &Arc<dyn Producer>) -> Result<(), TaskError> {
    let instance = ctx.runtime.services.enter(&ctx.task);
    let outcome = live(ctx, producer, instance);
    ctx.task.set_control(None);
    ctx.runtime.services.leave(instance);
    outcome
}

fn live(ctx: &TaskContext, producer: &Arc<dyn Producer>, instance: u64) -> Result<(), TaskError> {
    let task = ctx.create_task(instance)?;
    let control = task.control();
    ctx.task.set_control(Some(control.clone()));
    let flight = Flight::default();
    let (sender, receiver) = mpsc::unbounded_channel();
    let follower = ctx.runtime.tokio.spawn(acks::follow(
        receiver,
        flight.clone(),
        control,
        Arc::clone(&ctx.task),
    ));
    let polled = catch_unwind(AssertUnwindSafe(|| {
        poll_loop(ctx, producer, &task, &flight, &sender)
    }))
    .unwrap_or_else(|_| Err(TaskError::host_panic()));
    drop(sender);
    // What was submitted lands or fails before the plugin is closed, so that `durable` reaches an open task, and before
    // the next life reads the offsets.
    let landed = flight.wait_below(0, || false);
    let closed = task.close().map_err(TaskError::from);
    drop(follower);
    // Why a commit failed is nearer to the cause than what the failure made of the next one.
    landed.and(polled).and(closed)
}

fn poll_loop(
    ctx: &TaskContext,
    producer: &Arc<dyn Producer>,
    task: &Task,
    flight: &Flight,
    submitted: &mpsc::UnboundedSender<Submitted>,
) -> Result<(), TaskError> {
    task.open()?;
    ctx.running();
    let settings = &ctx.runtime.settings;
    let mut assembler = assembler(ctx)?;
    let share = ctx.share();
    let submit = |(assembled, seq): (Assembled, u64)| {
        // It may have filled up meanwhile; what was polled is kept.
        ctx.wait_for_room();
        submit(
            producer, assembled, seq, flight, submitted, &ctx.task, &share,
        )
    };
    let mut transaction = Transaction::new(ctx.boundary()?);
    let mut appetite = Appetite::new(settings.poll_bytes_max);
    let mut thrift = Thrift::default();
    let mut backoff = Backoff::new(ctx.spec.restart_delay_max);
    while !ctx.task.stop.is_set() {
        if ctx.task.stop.is_paused() {
            transaction.close(true).map_or(Ok(()), submit)?;
        }
        if pause_point(ctx, flight)? {
            break;
        }
        flight.wait_below(settings.in_flight_bytes_max, || ctx.task.stop.is_set())?;
        ctx.wait_for_room();
        if ctx.task.stop.is_set() {
            break;
        }
        let wait = transaction
            .left()
            .map_or(POLL_WAIT, |left| left.min(POLL_WAIT));
        let begun = thrift::used();
        let polled = match poll(ctx, task, appetite.bytes as u64, wait) {
            Ok(polled) => polled,
            Err(error) => {
                let error = TaskError::from(error);
                if error.is_stopped() && ctx.task.stop.is_set() {
                    break;
                }
                if !error.temporary {
                    return Err(error);
                }
                transaction.close(true).map_or(Ok(()), submit)?;
                ctx.retry_after(&error, &mut backoff);
                continue;
            }
        };
        if backoff.reset() {
            ctx.running();
        }
        let polled_batch = parse(ctx, &polled)?;
        let assembled = assembler.assemble(&polled_batch, ctx.runtime.clock.now_ms())?;
        let pause = thrift.after(begun, assembled.is_empty(), &ctx.task.name());
        appetite.learn(polled.len(), assembled.bytes);
        ctx.task.measures.polled(assembled.records);
        let flags = polled_batch.flags();
        if let Some(done) = transaction.add(assembled, polled.seq(), flags)? {
            submit(done)?;
        }
        if flags & batch::END != 0 {
            break;
        }
        let asked = if flags & batch::IDLE != 0 {
            Duration::from_millis(u64::from(polled_batch.poll_after_ms()))
        } else {
            Duration::ZERO
        };
        if flags & batch::IDLE != 0 || !pause.is_zero() {
            rest(ctx, asked.max(pause), &mut transaction, submit)?;
        }
        transaction.close(false).map_or(Ok(()), submit)?;
    }
    transaction.close(true).map_or(Ok(()), submit)?;
    if transaction.unfinished() > 0 {
        tracing::info!(
            task = ctx.task.name(),
            "{} records of a transaction that its connector had not closed are not written; they are read again",
            transaction.unfinished()
        );
    }
    // A clean end is durable.
    flight.wait_below(0, || false)
}

/// Asks the plugin for records.
fn poll(
    ctx: &TaskContext,
    task: &Task,
    bytes_max: u64,
    wait: Duration,
) -> Result<SourceBuf, PluginError> {
    let asked = Instant::now();
    let answer = task.poll(ctx.runtime.settings.poll_records_max, bytes_max, wait);
    ctx.task.measures.poll.observe(asked.elapsed());
    answer
}

fn assembler(ctx: &TaskContext) -> Result<Assembler, TaskError> {
    let converter = SourceConverter::new(
        Arc::clone(ctx.runtime.services.schemas()),
        &ctx.spec.key_fields,
        ctx.converters()?,
    );
    Ok(Assembler::new(
        Arc::clone(&ctx.runtime.log),
        &ctx.spec.name,
        ctx.topic_creation()?,
        ctx.task.index,
        converter,
        ctx.chain()?,
        SourceAside::open(ctx)?,
    ))
}

/// Waits as long as the plugin asked for; a transaction whose time is over meanwhile is submitted.
fn rest(
    ctx: &TaskContext,
    mut rest: Duration,
    transaction: &mut Transaction,
    submit: impl Fn((Assembled, u64)) -> Result<(), TaskError>,
) -> Result<(), TaskError> {
    let stop = &ctx.task.stop;
    while let Some(left) = transaction.left().filter(|left| *left < rest) {
        stop.rest(left);
        if stop.is_set() || stop.is_paused() {
            return Ok(());
        }
        transaction.close(false).map_or(Ok(()), &submit)?;
        rest = rest.saturating_sub(left);
    }
    stop.rest(rest);
    Ok(())
}

fn parse<'p>(ctx: &TaskContext, polled: &'p [u8]) -> Result<SourceBatch<'p>, TaskError> {
    SourceBatch::parse_and_validate(
        polled,
        &Limits::default(),
        ctx.runtime.services.schemas().as_ref(),
    )
    .map_err(|error| {
        TaskError::internal(format!(
            "connector `{}`: the plugin returned a batch that is not valid: {error}",
            ctx.spec.name
        ))
    })
}

/// A pause shows only once what was polled is durable; returns whether the task was told to stop.
fn pause_point(ctx: &TaskContext, flight: &Flight) -> Result<bool, TaskError> {
    if ctx.task.stop.is_paused() {
        flight.wait_below(0, || false)?;
    }
    Ok(ctx.pause_point())
}

/// How many bytes the next `poll` is asked for. Rows grow when they become JSON, sparse ones by far, and a batch with its
/// offsets is one commit: the first poll is small, the later ones as large as what is stored of them allows.
#[derive(Debug)]
struct Appetite {
    bytes: usize,
    most: usize,
}

impl Appetite {
    const FIRST: usize = 64 << 10;

    fn new(most: usize) -> Self {
        Self {
            bytes: Self::FIRST.min(most),
            most,
        }
    }

    fn learn(&mut self, polled: usize, stored: u64) {
        let stored = usize::try_from(stored).unwrap_or(usize::MAX);
        let fitting = if stored > polled {
            // What was stored of this poll, scaled to the most that is wanted.
            let ratio = (stored / polled.max(1)).saturating_add(1);
            self.most / ratio
        } else {
            self.most
        };
        self.bytes = fitting.clamp(4096, self.bytes.saturating_mul(4).min(self.most));
    }
}

/// Hands a commit to the log and its ticket to the follower; a batch without anything to keep needs neither.
fn submit(
    producer: &Arc<dyn Producer>,
    assembled: Assembled,
    seq: u64,
    flight: &Flight,
    submitted: &mpsc::UnboundedSender<Submitted>,
    task: &TaskShared,
    share: &Share,
) -> Result<(), TaskError> {
    if assembled.commit.appends.is_empty() && assembled.commit.puts.is_empty() {
        // Nothing to make durable, but perhaps records that transforms dropped.
        task.counters.add(assembled.records, 0);
        task.counters
            .filtered
            .fetch_add(assembled.filtered, Ordering::Relaxed);
        task.counters.set_aside(false, assembled.aside);
        return Ok(());
    }
    let weight = COMMIT_WEIGHT + usize::try_from(assembled.bytes).unwrap_or(usize::MAX / 2);
    let held = share.take_blocking(weight, || task.stop.is_set());
    let ticket = producer.submit(assembled.commit)?;
    flight.take_off(weight);
    let batch = Submitted {
        ticket,
        since: Instant::now(),
        seq,
        records: assembled.records,
        filtered: assembled.filtered,
        aside: assembled.aside,
        letters: assembled.letters,
        weight,
        bytes: assembled.bytes,
        schemas: assembled.schemas,
        topics: assembled.topics,
        files: task.take_reported(),
        _held: held,
    };
    submitted
        .send(batch)
        .map_err(|_| TaskError::internal("the task that follows commits has ended"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_grows_to_what_its_stored_form_allows() {
        let mut appetite = Appetite::new(1 << 20);
        assert_eq!(appetite.bytes, 64 << 10);
        appetite.learn(64 << 10, 64 << 10);
        assert_eq!(appetite.bytes, 256 << 10);
        appetite.learn(256 << 10, 256 << 10);
        assert_eq!(appetite.bytes, 1 << 20);
        appetite.learn(1 << 20, 60 << 20);
        assert_eq!(appetite.bytes, (1 << 20) / 61);
    }
}
