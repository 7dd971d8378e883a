//! The thread of one sink task.

use std::collections::BTreeMap;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use linkspan_log::{Assignment, ConsumerOptions, Event, FetchedBatch, GroupOffset, Start};
use linkspan_plugin::Task;
use linkspan_types::{FenceEpoch, GroupId, Offset, OwnerId, TopicPartition};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::batch::PutBuilder;
use super::fetch::{self, Command, Handle, Message};
use super::positions::Positions;
use super::reply::{Progress, Reply};
use crate::connector::{Backoff, TaskContext};
use crate::convert::SinkConverter;
use crate::error::TaskError;

/// Bytes of one fetch from one partition.
const FETCH_BYTES_MAX: usize = 1 << 20;

/// The end of each partition that a bounded job must pass; set once the sources are exhausted.
pub(crate) type Ends = Mutex<Option<BTreeMap<TopicPartition, Offset>>>;

/// The consumer group of a sink, named as Kafka Connect names it.
pub(crate) fn group_of(connector: &str) -> GroupId {
    GroupId::from(format!("connect-{connector}").as_str())
}

/// Runs one life of a sink task, from `open` to `close`.
pub(crate) fn run(ctx: &TaskContext, fence: FenceEpoch) -> Result<(), TaskError> {
    let instance = ctx.runtime.services.enter(&ctx.task);
    let outcome = live(ctx, fence, instance);
    ctx.task.set_waker(None);
    ctx.task.set_control(None);
    ctx.runtime.services.leave(instance);
    outcome
}

fn live(ctx: &TaskContext, fence: FenceEpoch, instance: u64) -> Result<(), TaskError> {
    let task = ctx.create_task(instance)?;
    ctx.task.set_control(Some(task.control()));
    let outcome = deliver(ctx, fence, &task);
    let closed = task.close().map_err(TaskError::from);
    outcome.and(closed)
}

fn deliver(ctx: &TaskContext, fence: FenceEpoch, task: &Task) -> Result<(), TaskError> {
    task.open()?;
    let settings = &ctx.runtime.settings;
    let consumer = ctx.runtime.log.open_consumer(ConsumerOptions {
        group: group_of(&ctx.spec.name),
        member: ctx.task.name(),
        topics: ctx.spec.topics.clone(),
        start: Start::Earliest,
        max_bytes: FETCH_BYTES_MAX,
        fence: Some((OwnerId::from(ctx.spec.name.as_str()), fence)),
    })?;
    let handle = fetch::start(
        &ctx.runtime.tokio,
        consumer,
        settings.fetch_buffer_bytes_max,
    );
    ctx.task.set_waker(Some(handle.wake.clone()));
    ctx.running();
    let converter = SinkConverter::new(
        Arc::clone(ctx.runtime.services.schemas()),
        Arc::clone(&ctx.runtime.log),
    );
    let mut delivery = Delivery {
        ctx,
        task,
        handle,
        builder: PutBuilder::new(converter),
        positions: Positions::default(),
        pending: Vec::new(),
        next_tick: Instant::now() + ctx.spec.flush_interval,
    };
    delivery.work()?;
    delivery.finish()
}

struct Delivery<'a> {
    ctx: &'a TaskContext,
    task: &'a Task,
    handle: Handle,
    builder: PutBuilder,
    positions: Positions,
    /// Where each partition stands once the batch in the builder has been put.
    pending: Vec<(TopicPartition, Offset)>,
    next_tick: Instant,
}

#[derive(Deserialize)]
struct Seek {
    topic: String,
    partition: i32,
    offset: i64,
    /// A position to make durable before the first `put`: a sink that writes before it reports needs one to come back to.
    metadata: Option<String>,
}

impl Delivery<'_> {
    fn work(&mut self) -> Result<(), TaskError> {
        while !self.ctx.task.stop.is_set() {
            let wait = self.next_tick.saturating_duration_since(Instant::now());
            match self.handle.events.recv_timeout(wait) {
                Ok(Message::Wake) => {}
                Ok(Message::Fetched(fetched)) => {
                    self.handle_event(fetched.event?)?;
                    self.take_more()?;
                    self.put()?;
                }
                Err(RecvTimeoutError::Timeout) => self.tick()?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(TaskError::internal("the fetching half has ended"));
                }
            }
            self.finish_job_part()?;
        }
        Ok(())
    }

    /// Takes what has been fetched meanwhile, up to the size of one `put`.
    fn take_more(&mut self) -> Result<(), TaskError> {
        let limit = self.ctx.runtime.settings.put_bytes as u64;
        while self.builder.bytes < limit {
            match self.handle.events.try_recv() {
                Ok(Message::Fetched(fetched)) => self.handle_event(fetched.event?)?,
                Ok(Message::Wake) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn handle_event(&mut self, event: Event) -> Result<(), TaskError> {
        match event {
            Event::Batch(batch) => self.add(&batch),
            Event::Assigned(assigned) => self.assigned(&assigned),
            Event::Revoked(partitions) => self.revoked(&partitions),
            Event::Lost(partitions) => {
                self.positions.remove(&partitions);
                Ok(())
            }
            Event::OffsetLost {
                partition,
                wanted,
                log_start,
            } => Err(TaskError::permanent(
                "LS0420",
                "data_invalid",
                format!(
                    "connector `{}`: `{}` partition {}: the committed position {wanted} is no longer in the log, which begins at \
                     {log_start}; {} records are lost to this sink. Reset its offsets to go on from there",
                    self.ctx.spec.name,
                    partition.topic,
                    partition.partition,
                    log_start.0 - wanted.0
                ),
            )),
        }
    }

    fn add(&mut self, batch: &FetchedBatch) -> Result<(), TaskError> {
        let at = self
            .pending
            .iter()
            .rev()
            .find(|(partition, _)| *partition == batch.partition)
            .map(|(_, next)| *next);
        let continues = match at {
            Some(next) => next == batch.from,
            None => self.positions.expects(&batch.partition, batch.from),
        };
        if !continues {
            return Ok(());
        }
        let positions = &mut self.positions;
        self.builder.add(batch, |base, epoch| {
            positions.note_epoch(&batch.partition, base, epoch)
        })?;
        self.pending.push((batch.partition.clone(), batch.next));
        Ok(())
    }

    fn assigned(&mut self, assigned: &[Assignment]) -> Result<(), TaskError> {
        self.put()?;
        self.positions.assign(assigned);
        let seeks = self
            .task
            .open_partitions(&Positions::assigned_json(assigned))?;
        let seeks: Vec<Seek> = if seeks.is_empty() {
            Vec::new()
        } else {
            serde_json::from_str(&seeks).map_err(|error| {
                TaskError::internal(format!("the sink's seeks are not valid: {error}"))
            })?
        };
        let mut known = Vec::new();
        for seek in seeks {
            let Some(partition) = self.positions.find(&seek.topic, seek.partition) else {
                return Err(TaskError::internal(format!(
                    "the sink seeks in `{}`-{}, which it was not assigned",
                    seek.topic, seek.partition
                )));
            };
            self.positions.seek(&partition, Offset(seek.offset));
            self.command(Command::Seek(partition, Offset(seek.offset)))?;
            if let Some(metadata) = seek.metadata {
                known.push(Progress {
                    topic: seek.topic,
                    partition: seek.partition,
                    offset: seek.offset,
                    metadata,
                });
            }
        }
        self.commit(&known, true)?;
        self.ctx.task.beat();
        Ok(())
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) -> Result<(), TaskError> {
        self.put()?;
        self.flush()?;
        self.task
            .close_partitions(&Positions::partitions_json(partitions))?;
        self.positions.remove(partitions);
        Ok(())
    }

    fn tick(&mut self) -> Result<(), TaskError> {
        self.put_bytes(true)
    }

    fn put(&mut self) -> Result<(), TaskError> {
        if self.builder.is_empty() {
            self.pass_pending();
            return Ok(());
        }
        self.put_bytes(false)
    }

    /// Partitions whose fetched batches held nothing for the sink stand behind them all the same.
    fn pass_pending(&mut self) {
        for (partition, next) in std::mem::take(&mut self.pending) {
            self.positions.advance(&partition, next);
        }
    }

    fn put_bytes(&mut self, tick: bool) -> Result<(), TaskError> {
        let (buffer, records, bytes) = self.builder.finish()?;
        let answer =
            self.insist(|task| task.put(&buffer, u32::try_from(records).unwrap_or(u32::MAX), 0));
        self.builder.recycle(buffer);
        let Some(answer) = answer? else {
            // Told to stop while the sink refused: nothing of this batch is committed, the next start begins with it.
            self.pending.clear();
            return Ok(());
        };
        self.pass_pending();
        let reply = Reply::parse(&answer)?;
        reply.refuse_rejected(&self.ctx.spec.name)?;
        self.ctx.task.counters.add(records, bytes);
        self.commit(&reply.progress, false)?;
        if tick || self.next_tick <= Instant::now() {
            self.next_tick = Instant::now() + self.ctx.spec.flush_interval;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TaskError> {
        let Some(answer) = self.insist(Task::flush)? else {
            return Ok(());
        };
        let reply = Reply::parse(&answer)?;
        reply.refuse_rejected(&self.ctx.spec.name)?;
        self.commit(&reply.progress, true)
    }

    /// Calls the plugin again and again while it answers with a temporary error; `None` when told to stop meanwhile.
    fn insist(
        &self,
        call: impl Fn(&Task) -> Result<Vec<u8>, linkspan_plugin::PluginError>,
    ) -> Result<Option<Vec<u8>>, TaskError> {
        let mut backoff = Backoff::new(self.ctx.spec.restart_delay_max);
        loop {
            match call(self.task) {
                Ok(answer) => {
                    if backoff.reset() {
                        self.ctx.running();
                    }
                    return Ok(Some(answer));
                }
                Err(error) => {
                    let error = TaskError::from(error);
                    if !error.temporary {
                        return Err(error);
                    }
                    if self.ctx.retry_after(&error, &mut backoff) {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn commit(&mut self, progress: &[Progress], wait: bool) -> Result<(), TaskError> {
        if skip_positions() {
            return Ok(());
        }
        let news = self
            .positions
            .news(progress, self.ctx.runtime.clock.now_ms())?;
        if news.is_empty() {
            return Ok(());
        }
        let (reply_sender, reply_receiver) = oneshot::channel();
        let offsets: Vec<(TopicPartition, GroupOffset)> = news;
        self.command(Command::Commit(offsets.clone(), Vec::new(), reply_sender))?;
        let ticket = reply_receiver
            .blocking_recv()
            .map_err(|_| TaskError::internal("the fetching half ended before it committed"))??;
        if wait || self.ends_set() {
            ticket.wait()?;
            self.positions.committed(&offsets);
            self.ctx.task.beat();
        } else {
            // Tickets answer in order: a failed one shows as the failure of the next commit or fetch.
            self.positions.committed(&offsets);
            drop(ticket);
        }
        Ok(())
    }

    fn command(&self, command: Command) -> Result<(), TaskError> {
        self.handle
            .commands
            .send(command)
            .map_err(|_| TaskError::internal("the fetching half has ended"))
    }

    fn ends_set(&self) -> bool {
        self.ctx
            .task
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// In a bounded job: once all up to the ends has been put, flush so that the ends are passed for good.
    fn finish_job_part(&mut self) -> Result<(), TaskError> {
        let ends = self
            .ctx
            .task
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(ends) = ends else { return Ok(()) };
        if self.positions.fetched_all(&ends) && !self.positions.passed(&ends) {
            self.flush()?;
        }
        Ok(())
    }

    /// A clean stop: what was put is flushed and its progress committed before the partitions are given back.
    fn finish(&mut self) -> Result<(), TaskError> {
        self.put()?;
        self.flush()?;
        let all = self.positions.all();
        if !all.is_empty() {
            self.task
                .close_partitions(&Positions::partitions_json(&all))?;
        }
        Ok(())
    }
}

/// The negative control of the kill tests: with it set a restart must double or lose records. Debug builds only.
fn skip_positions() -> bool {
    cfg!(debug_assertions) && std::env::var_os("LINKSPAN_TEST_SKIP_POSITION").is_some()
}
