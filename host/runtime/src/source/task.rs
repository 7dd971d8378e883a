//! The thread of one source task.

use std::sync::Arc;
use std::time::Duration;

use linkspan_log::Producer;
use linkspan_plugin::Task;
use linkspan_plugin::batch::{self, Limits, SourceBatch};
use tokio::sync::mpsc;

use super::acks::{self, Submitted};
use super::assemble::{Assembled, Assembler};
use super::flight::Flight;
use crate::connector::{Backoff, TaskContext};
use crate::convert::SourceConverter;
use crate::error::TaskError;

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
    let polled = poll_loop(ctx, producer, &task, &flight, &sender);
    drop(sender);
    // What was submitted lands or fails before the plugin is closed, so that `durable` reaches an open task.
    let landed = flight.wait_below(0, || false);
    let closed = task.close().map_err(TaskError::from);
    drop(follower);
    polled.and(landed).and(closed)
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
    let converter = SourceConverter::new(
        Arc::clone(ctx.runtime.services.schemas()),
        &ctx.spec.key_fields,
    );
    let mut assembler = Assembler::new(
        Arc::clone(&ctx.runtime.log),
        &ctx.spec.name,
        settings.num_partitions,
        ctx.task.index,
        converter,
    );
    let limits = Limits::default();
    let mut backoff = Backoff::new(ctx.spec.restart_delay_max);
    while !ctx.task.stop.is_set() {
        flight.wait_below(settings.in_flight_bytes_max, || ctx.task.stop.is_set())?;
        let polled = match task.poll(
            settings.poll_records_max,
            settings.poll_bytes_max as u64,
            POLL_WAIT,
        ) {
            Ok(polled) => polled,
            Err(error) => {
                let error = TaskError::from(error);
                if error.is_stopped() && ctx.task.stop.is_set() {
                    return Ok(());
                }
                if !error.temporary {
                    return Err(error);
                }
                ctx.retry_after(&error, &mut backoff);
                continue;
            }
        };
        if backoff.reset() {
            ctx.running();
        }
        let polled_batch = SourceBatch::parse_and_validate(
            &polled,
            &limits,
            ctx.runtime.services.schemas().as_ref(),
        )
        .map_err(|error| {
            TaskError::internal(format!(
                "connector `{}`: the plugin returned a batch that is not valid: {error}",
                ctx.spec.name
            ))
        })?;
        let assembled = assembler.assemble(&polled_batch, ctx.runtime.clock.now_ms())?;
        submit(producer, assembled, polled.seq(), flight, submitted)?;
        let flags = polled_batch.flags();
        if flags & batch::END != 0 {
            flight.wait_below(0, || false)?;
            return Ok(());
        }
        if flags & batch::IDLE != 0 && polled_batch.poll_after_ms() > 0 {
            ctx.task.stop.sleep(Duration::from_millis(u64::from(
                polled_batch.poll_after_ms(),
            )));
        }
    }
    Ok(())
}

/// Hands a commit to the log and its ticket to the follower; a batch without anything to keep needs neither.
fn submit(
    producer: &Arc<dyn Producer>,
    assembled: Assembled,
    seq: u64,
    flight: &Flight,
    submitted: &mpsc::UnboundedSender<Submitted>,
) -> Result<(), TaskError> {
    if assembled.commit.appends.is_empty() && assembled.commit.puts.is_empty() {
        return Ok(());
    }
    let weight = COMMIT_WEIGHT + usize::try_from(assembled.bytes).unwrap_or(usize::MAX / 2);
    let ticket = producer.submit(assembled.commit)?;
    flight.take_off(weight);
    let batch = Submitted {
        ticket,
        seq,
        records: assembled.records,
        weight,
        bytes: assembled.bytes,
        schemas: assembled.schemas,
    };
    submitted
        .send(batch)
        .map_err(|_| TaskError::internal("the task that follows commits has ended"))
}
